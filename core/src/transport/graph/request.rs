//! One request to Graph, and what its answer means for the mail.

use super::GraphTransport;
use crate::diagnosis::graph_refusal;
use crate::error::{Error, Result};
use crate::host::{ExtraRoots, within};
use crate::model::ProblemKind;
use crate::secret::SecretText;
use crate::token::retry_after_ms;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::{AUTHORIZATION, CONTENT_RANGE, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response};
use serde_json::Value;
use std::sync::Arc;

/// A request that has yet to be made.
#[derive(Clone)]
pub(super) struct Call {
    method: Method,
    url: String,
    content_type: &'static str,
    content_range: Option<String>,
    body: bytes::Bytes,
    /// Whether this is the request after which the mail is on its way.
    sends: bool,
    pub(super) token: Option<Arc<SecretText>>,
}

/// A successful answer.
pub(super) struct Answer {
    pub(super) status: u16,
    body: Vec<u8>,
    host: String,
}

/// A request that did not succeed.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) error: Error,
    pub(super) fate: Fate,
}

/// What became of the mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// The server has nothing of it, and did not judge it.
    NothingSent,
    /// The server looked at it and sends nothing.
    MailRefused,
    /// The server may have it.
    Undecided,
}

impl Refused {
    /// For what fails before Graph is asked to send.
    pub(super) fn before(error: Error) -> Self {
        Self {
            error,
            fate: Fate::NothingSent,
        }
    }

    /// Whether another token may do better.
    pub(super) fn is_of_token(&self) -> bool {
        self.error.code() == "graph-token-refused"
    }
}

impl Answer {
    /// The body as JSON.
    pub(super) fn json(&self) -> Result<Value, Refused> {
        serde_json::from_slice(&self.body)
            .map_err(|_| Refused::before(super::odd(&self.host, "something that is not JSON")))
    }
}

impl Call {
    /// A message in MIME form, as base64.
    pub(super) fn mime(url: String, mime: &[u8]) -> Self {
        let body = BASE64_STANDARD.encode(mime);
        Self::new(Method::POST, url, "text/plain", body.into())
    }

    pub(super) fn json(url: String, body: &Value) -> Self {
        let body = body.to_string();
        Self::new(Method::POST, url, "application/json", body.into())
    }

    pub(super) fn empty(method: Method, url: String) -> Self {
        Self::new(method, url, "application/json", bytes::Bytes::new())
    }

    pub(super) fn delete(url: String) -> Self {
        Self::empty(Method::DELETE, url)
    }

    /// Part of an attachment, for an upload session.
    pub(super) fn range(url: String, range: &[u8], begin: usize, total: usize) -> Self {
        let body = bytes::Bytes::copy_from_slice(range);
        let last = begin + range.len() - 1;
        Self {
            content_range: Some(format!("bytes {begin}-{last}/{total}")),
            ..Self::new(Method::PUT, url, "application/octet-stream", body)
        }
    }

    /// The same as the request after which the mail is on its way.
    pub(super) fn sending(self) -> Self {
        Self {
            sends: true,
            ..self
        }
    }

    fn new(method: Method, url: String, content_type: &'static str, body: bytes::Bytes) -> Self {
        Self {
            method,
            url,
            content_type,
            content_range: None,
            body,
            sends: false,
            token: None,
        }
    }

    /// Makes the request. A dropped call of one that sends may have been taken.
    pub(super) async fn perform(self, road: &GraphTransport) -> Result<Answer, Refused> {
        let host = road.url.clone();
        let sends = self.sends;
        let request = self.request(road).map_err(Refused::before)?;
        let answered = within(&*road.clock, road.limit, road.http.call(request)).await;
        let answered = answered.unwrap_or_else(|| Err(too_slow(&host, road.limit.as_secs())));
        let response = answered.map_err(|error| Refused {
            fate: fate_without_answer(sends, &error),
            error,
        })?;
        if response.status().is_success() {
            return Ok(Answer {
                status: response.status().as_u16(),
                body: response.into_body(),
                host,
            });
        }
        let retry_after_ms = retry_after_ms(&response, road.clock.now_unix_ms());
        Err(refused(&host, sends, &response, retry_after_ms))
    }

    fn request(self, road: &GraphTransport) -> Result<Request<Vec<u8>>> {
        let mut request = Request::builder().method(self.method).uri(&self.url);
        request = request.header(CONTENT_TYPE, self.content_type);
        if let Some(range) = self.content_range {
            request = request.header(CONTENT_RANGE, range);
        }
        if let Some(token) = &self.token {
            // Exposed because signing in is what it is for.
            let value = HeaderValue::try_from(format!("Bearer {}", token.expose()));
            let mut value = value.map_err(|_| bad_token())?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        if let Some(roots) = &road.extra_roots_pem {
            request = request.extension(ExtraRoots(roots.clone()));
        }
        request.body(self.body.to_vec()).map_err(|error| {
            let text = format!("no request can be made to {}", road.url);
            Error::new(
                ProblemKind::Config,
                "http-request-invalid",
                text,
                "check route.url",
            )
            .with_source(error)
        })
    }
}

/// Without an answer to the request that sends, only a connection that never came about is certain.
fn fate_without_answer(sends: bool, error: &Error) -> Fate {
    let never_connected = matches!(
        error.code(),
        "dns-failure" | "network-blocked" | "proxy-interference" | "http-request-invalid"
    );
    match sends && !never_connected {
        true => Fate::Undecided,
        false => Fate::NothingSent,
    }
}

fn refused(
    host: &str,
    sends: bool,
    response: &Response<Vec<u8>>,
    retry_after_ms: Option<u64>,
) -> Refused {
    let status = response.status().as_u16();
    let error = graph_refusal(host, status, retry_after_ms, response.body());
    Refused {
        fate: fate(sends, status, error.code()),
        error,
    }
}

/// What an answer says of the mail. A gateway that answers 502 or 504 does not know what became of the request, and a
/// server's own fault (500) may have come after its work.
fn fate(sends: bool, status: u16, code: &str) -> Fate {
    let may_be_done = matches!(status, 408 | 500 | 502 | 504) || !(400..600).contains(&status);
    let at_the_door = matches!(
        code,
        "graph-token-refused" | "graph-access-denied" | "graph-mailbox-unknown"
    );
    match (sends, may_be_done, at_the_door) {
        (true, true, _) => Fate::Undecided,
        (_, _, true) => Fate::NothingSent,
        _ => Fate::MailRefused,
    }
}

fn too_slow(host: &str, seconds: u64) -> Error {
    Error::new(
        ProblemKind::Unavailable,
        "reply-timeout",
        format!("no answer from {host} within {seconds} seconds"),
        "try again; if it goes on, look for a proxy or firewall in between",
    )
}

fn bad_token() -> Error {
    Error::new(
        ProblemKind::SignIn,
        "token-corrupted",
        "the access token has characters that no token has",
        "sign in again; if a program of your own stores tokens, store them unaltered",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_request_that_sends_can_leave_a_mail_undecided() {
        fn check(sends: bool, status: u16, code: &str, expected: Fate) {
            assert_eq!(
                fate(sends, status, code),
                expected,
                "{sends} {status} {code}"
            );
        }
        use Fate::{MailRefused, NothingSent, Undecided};
        check(true, 401, "graph-token-refused", NothingSent);
        check(true, 403, "graph-access-denied", NothingSent);
        check(true, 404, "graph-mailbox-unknown", NothingSent);
        check(true, 403, "send-as-denied", MailRefused);
        check(true, 400, "message-format", MailRefused);
        check(true, 413, "size-limit", MailRefused);
        check(true, 429, "throttle-graph", MailRefused);
        check(true, 503, "transient-server-error", MailRefused);
        for status in [408, 500, 502, 504, 302] {
            check(true, status, "transient-server-error", Undecided);
            check(false, status, "transient-server-error", MailRefused);
        }
        let error = |code| Error::new(ProblemKind::Unavailable, code, "x", "x");
        for (sends, code, expected) in [
            (true, "http-broken", Undecided),
            (true, "reply-timeout", Undecided),
            (true, "http-response-too-large", Undecided),
            (true, "network-blocked", NothingSent),
            (true, "dns-failure", NothingSent),
            (false, "http-broken", NothingSent),
            (false, "reply-timeout", NothingSent),
        ] {
            assert_eq!(fate_without_answer(sends, &error(code)), expected, "{code}");
        }
    }
}
