//! Serves a router on a listener, with or without TLS, and can drop a connection where a fault asks for it.
//! HTTP/1.1 only, as simple clients and the tests need.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// Marks a response that must not be sent: the connection is closed instead.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CutConnection;

/// Serves until the task is aborted; its connections end with it.
pub(crate) async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, router: Router) {
    let mut connections = JoinSet::new();
    loop {
        // Finished connections are collected here, or the set would grow for ever.
        while connections.try_join_next().is_some() {}
        let (stream, _) = accept(&listener).await;
        let router = router.clone();
        match tls.clone() {
            None => drop(connections.spawn(connection(stream, router))),
            Some(acceptor) => drop(connections.spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    connection(stream, router).await;
                }
            })),
        }
    }
}

/// The next connection.
pub(crate) async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            // Out of file descriptors: some may be free again in a moment.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn connection(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, router: Router) {
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let answer = router.call(request);
        async move { unless_cut(answer.await) }
    });
    // Errors are the client's going away, or a cut that was asked for.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

fn unless_cut(answer: Result<Response<Body>, Infallible>) -> io::Result<Response<Body>> {
    let Ok(response) = answer;
    match response.extensions().get::<CutConnection>() {
        Some(_) => Err(io::Error::from(io::ErrorKind::ConnectionAborted)),
        None => Ok(response),
    }
}
