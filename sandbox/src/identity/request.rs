//! What every request to the identity server brings along: ids for error texts, the address it used, its form.
//! The form is parsed leniently, as the service does: unknown fields are ignored.

use std::collections::HashMap;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::refusal::Refusal;
use crate::catalogue::aadsts;
use crate::cloud::Cloud;

/// Who asks, and what an answer to them must mention.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// Scheme, host and port the client used; all returned addresses begin with it.
    pub(crate) base_url: String,
    pub(crate) trace_id: String,
    pub(crate) correlation_id: String,
    pub(crate) timestamp: String,
}

impl Caller {
    pub(crate) fn new(cloud: &Cloud, scheme: Scheme, headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        Self {
            base_url: match (scheme, text(header::HOST.as_str())) {
                (Scheme::Http, Some(host)) => format!("http://{host}"),
                (Scheme::Https, Some(host)) => format!("https://{host}"),
                (Scheme::Http, None) => cloud.addresses.identity_url(),
                (Scheme::Https, None) => cloud.addresses.identity_https_url(),
            },
            trace_id: cloud.random.guid(),
            correlation_id: text("client-request-id")
                .map_or_else(|| cloud.random.guid(), str::to_owned),
            timestamp: cloud.clock.error_timestamp(),
        }
    }
}

impl Caller {
    /// A JSON answer with the headers clients log.
    pub(crate) fn json(&self, status: StatusCode, body: &Value) -> Response {
        let mut response =
            (status, [(header::CONTENT_TYPE, JSON)], body.to_string()).into_response();
        if let Ok(id) = HeaderValue::try_from(&self.trace_id) {
            response.headers_mut().insert("x-ms-request-id", id);
        }
        response
    }
}

/// How the client reached us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

/// The fields of a form or a query.
#[derive(Clone, Debug, Default)]
pub(crate) struct Form {
    fields: HashMap<String, String>,
}

impl Form {
    pub(crate) fn parse(encoded: &[u8]) -> Self {
        let fields = form_urlencoded::parse(encoded);
        Self {
            fields: fields
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
                .collect(),
        }
    }

    /// A field that is there and not empty.
    pub(crate) fn optional(&self, name: &str) -> Option<&str> {
        self.fields
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// The same, or AADSTS900144.
    pub(crate) fn required(&self, name: &str) -> Result<&str, Refusal> {
        self.optional(name)
            .ok_or_else(|| Refusal::from(&aadsts::PARAMETER_MISSING).with("parameter", name))
    }
}

/// The client id and secret of an HTTP Basic `Authorization` header (RFC 6749, section 2.3.1: both are form-encoded).
pub(crate) fn basic_credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (client_id, secret) = decoded.split_once(':')?;
    Some((form_decoded(client_id), form_decoded(secret)))
}

const JSON: &str = "application/json; charset=utf-8";

fn form_decoded(text: &str) -> String {
    let as_field = format!("x={text}");
    form_urlencoded::parse(as_field.as_bytes())
        .next()
        .map_or_else(String::new, |(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_credentials_are_form_decoded() {
        let check = |header: &str, expected: Option<(&str, &str)>| {
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, header.parse().unwrap())]);
            let expected = expected.map(|(id, secret)| (id.to_owned(), secret.to_owned()));
            assert_eq!(basic_credentials(&headers), expected, "{header}");
        };
        check(
            &format!("Basic {}", STANDARD.encode("app:a%7Eb%2Bc")),
            Some(("app", "a~b+c")),
        );
        check(
            &format!("basic {}", STANDARD.encode("app:a~b")),
            Some(("app", "a~b")),
        );
        check("Basic !!!", None);
        check("Bearer abc", None);
    }

    #[test]
    fn an_empty_field_counts_as_missing() {
        let form = Form::parse(b"scope=&client_id=a+b%2Fc");
        assert_eq!(form.optional("client_id"), Some("a b/c"));
        let refusal = form.required("scope").unwrap_err();
        assert_eq!(refusal.kind.code, 900_144);
        assert!(refusal.sentence().contains("'scope'"));
    }
}
