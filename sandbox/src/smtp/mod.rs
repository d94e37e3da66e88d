//! Exchange Online's client submission (SMTP AUTH) on port 587, and its other SMTP services: STARTTLS, XOAUTH2, pipelining,
//! chunking.
//! Accepted mail goes to the inbox; nothing is ever relayed.

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::cloud::Cloud;
use crate::http::accept;

pub(crate) mod access;
mod auth;
mod command;
pub(crate) mod limits;
mod reply;
mod service;
mod session;
mod sign_in;
mod submission;
pub(crate) mod traffic;
mod transaction;
mod wire;

pub use service::SmtpService;

/// Serves until the task is aborted; its sessions end with it. Without a fixed service, the port plays the one that is set
/// when a client connects.
pub(crate) async fn serve(listener: TcpListener, cloud: Arc<Cloud>, fixed: Option<SmtpService>) {
    let mut sessions = JoinSet::new();
    loop {
        // Finished sessions are collected here, or the set would grow for ever.
        while sessions.try_join_next().is_some() {}
        let (stream, client) = accept(&listener).await;
        // Replies are small and the client waits for each: Nagle's algorithm would only delay them.
        let _ = stream.set_nodelay(true);
        let cloud = Arc::clone(&cloud);
        let service = fixed.unwrap_or_else(|| cloud.smtp_service());
        let counted = cloud.smtp_traffic.enter();
        sessions.spawn(async move {
            let _counted = counted;
            let session = session::Session::new(cloud, stream, client, service);
            if let Err(error) = session.run().await {
                tracing::trace!(%error, "smtp session ended");
            }
        });
    }
}
