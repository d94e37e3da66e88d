//! A listener on this machine alone, for the browser that comes back from a sign-in (RFC 8252 section 7.3).
//! It hands over the query of each request to its path, and shows the page it is given; what a query means is not
//! decided here.

use crate::error::{Error, Result};
use crate::model::ProblemKind;
use http::{Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinSet;

/// Listens on a free port of 127.0.0.1, and of `::1` where the machine has it, until it is dropped.
pub(crate) struct Loopback {
    port: u16,
    visits: Mutex<mpsc::Receiver<Visit>>,
    _servers: JoinSet<()>,
}

/// A browser that waits for its page.
pub(crate) struct Visit {
    /// What follows the question mark.
    pub(crate) query: String,
    answer: oneshot::Sender<String>,
}

impl Visit {
    /// Shows a page: a heading and a sentence, as plain texts.
    pub(crate) fn show(self, heading: &str, sentence: &str) {
        // An error says that the browser has gone.
        let _ = self.answer.send(page(heading, sentence));
    }
}

impl fmt::Debug for Loopback {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Loopback")
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

impl Loopback {
    /// Begins to listen. Errors: `Unavailable`.
    pub(crate) async fn listen() -> Result<Self> {
        let (first, second) = bind().await.map_err(|error| {
            let text = "this machine gives no port to listen on for the browser's return";
            let fix = "sign in with a device code instead, which needs no browser on this machine";
            Error::new(ProblemKind::Unavailable, "loopback-unavailable", text, fix)
                .with_source(error)
        })?;
        let port = first.local_addr().map_or(0, |address| address.port());
        let (sender, visits) = mpsc::channel(8);
        let mut servers = JoinSet::new();
        for listener in [Some(first), second].into_iter().flatten() {
            servers.spawn(serve(listener, sender.clone()));
        }
        Ok(Self {
            port,
            visits: Mutex::new(visits),
            _servers: servers,
        })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Waits for the next browser. May be dropped without losing one.
    pub(crate) async fn next(&self) -> Option<Visit> {
        self.visits.lock().await.recv().await
    }
}

/// The same port for both kinds of addresses, because `localhost` may mean either.
async fn bind() -> std::io::Result<(TcpListener, Option<TcpListener>)> {
    let first = TcpListener::bind((IpAddr::V4(Ipv4Addr::LOCALHOST), 0)).await?;
    let port = first.local_addr()?.port();
    let second = TcpListener::bind((IpAddr::V6(Ipv6Addr::LOCALHOST), port)).await;
    Ok((first, second.ok()))
}

async fn serve(listener: TcpListener, visits: mpsc::Sender<Visit>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) if connections.len() < MAX_CONNECTIONS => {
                    let visits = visits.clone();
                    connections.spawn(async move {
                        let service = service_fn(|request| respond(request, visits.clone()));
                        let connection = http1::Builder::new()
                            .timer(TokioTimer::new())
                            .header_read_timeout(HEADER_TIMEOUT)
                            .serve_connection(TokioIo::new(stream), service);
                        // A browser that goes away in the middle is nobody's error.
                        let _ = connection.await;
                    });
                }
                _ => {}
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// A browser opens a few; whoever opens more is none.
const MAX_CONNECTIONS: usize = 16;
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

async fn respond(
    request: Request<Incoming>,
    visits: mpsc::Sender<Visit>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let query = request.uri().query().unwrap_or_default().to_owned();
    let is_return =
        request.method() == http::Method::GET && request.uri().path() == "/" && !query.is_empty();
    if !is_return {
        return Ok(response(StatusCode::NOT_FOUND, page("Nothing is here", "")));
    }
    let (answer, page_to_show) = oneshot::channel();
    let sent = visits.send(Visit { query, answer }).await;
    let shown = match sent {
        Ok(()) => page_to_show.await.ok(),
        Err(_) => None,
    };
    Ok(match shown {
        Some(page) => response(StatusCode::OK, page),
        None => response(
            StatusCode::GONE,
            page("This sign-in has ended", "Begin it again in the program."),
        ),
    })
}

fn response(status: StatusCode, page: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(page)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"), // the address holds the code
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONNECTION, "close"),
    ] {
        headers.insert(name, http::HeaderValue::from_static(value));
    }
    response
}

fn page(heading: &str, sentence: &str) -> String {
    let (heading, sentence) = (escaped(heading), escaped(sentence));
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{heading}</title><style>body{{font:1.1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:15vh auto;\
         padding:0 1rem}}</style><main><h1>{heading}</h1><p>{sentence}</p></main></html>\n"
    )
}

fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut html, character| {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            other => html.push(other),
        }
        html
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::{HttpClient as _, SystemHttp};

    async fn get(port: u16, path: &str) -> (u16, String) {
        let request = Request::get(format!("http://127.0.0.1:{port}{path}"));
        let request = request.body(Vec::new()).unwrap();
        let response = SystemHttp::default().call(request).await.unwrap();
        let body = String::from_utf8(response.body().clone()).unwrap();
        (response.status().as_u16(), body)
    }

    #[tokio::test]
    async fn hands_over_the_query_and_shows_the_page() {
        let loopback = Loopback::listen().await.unwrap();
        let port = loopback.port();
        let browser = tokio::spawn(get(port, "/?code=a%20b&state=x"));
        let visit = loopback.next().await.unwrap();
        assert_eq!(visit.query, "code=a%20b&state=x");
        visit.show("Done", "<b>&");
        let (status, body) = browser.await.unwrap();
        assert_eq!(status, 200);
        assert!(
            body.contains("<h1>Done</h1><p>&lt;b&gt;&amp;</p>"),
            "{body}"
        );
    }

    #[tokio::test]
    async fn other_requests_are_not_handed_over() {
        let loopback = Loopback::listen().await.unwrap();
        for path in ["/favicon.ico", "/", "/x?code=a"] {
            assert_eq!(get(loopback.port(), path).await.0, 404, "{path}");
        }
    }

    #[tokio::test]
    async fn stops_listening_when_dropped() {
        let loopback = Loopback::listen().await.unwrap();
        let port = loopback.port();
        drop(loopback);
        // The port is free again once the tasks have been dropped.
        while TcpListener::bind(("127.0.0.1", port)).await.is_err() {
            tokio::task::yield_now().await;
        }
    }
}
