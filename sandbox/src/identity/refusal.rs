//! A refusal in Entra's words: an entry of the AADSTS table with its blanks filled in, ready to be shown three ways.
//! As JSON at the token endpoint, as query at a redirect URI, as text on a page.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};

use super::jwt::set;
use super::request::Caller;
use crate::catalogue::Aadsts;

/// Why a request is refused.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) kind: &'static Aadsts,
    text: String,
    claims: Option<String>,
}

impl From<&'static Aadsts> for Refusal {
    fn from(kind: &'static Aadsts) -> Self {
        Self {
            kind,
            text: kind.text.to_owned(),
            claims: None,
        }
    }
}

impl Refusal {
    /// Fills in a blank of the text.
    pub(crate) fn with(mut self, blank: &str, value: impl AsRef<str>) -> Self {
        self.text = self.text.replace(&format!("{{{blank}}}"), value.as_ref());
        self
    }

    /// Adds the claims challenge that Conditional Access sends along.
    pub(crate) fn with_claims(mut self, claims: &Value) -> Self {
        self.claims = Some(claims.to_string());
        self
    }

    /// `AADSTSnnnnn: text` without ids; blanks nobody filled in are left out.
    pub(crate) fn sentence(&self) -> String {
        let text = without_blanks(&self.text);
        if self.kind.code == 0 {
            text
        } else {
            format!("AADSTS{}: {text}", self.kind.code)
        }
    }

    /// The `error_description`, with trace id, correlation id and timestamp.
    pub(crate) fn description(&self, caller: &Caller) -> String {
        format!(
            "{}\r\nTrace ID: {}\r\nCorrelation ID: {}\r\nTimestamp: {}",
            self.sentence(),
            caller.trace_id,
            caller.correlation_id,
            caller.timestamp
        )
    }

    /// The JSON answer of the token and device authorization endpoints.
    pub(crate) fn answer(&self, caller: &Caller) -> Response {
        let mut body = json!({
            "error": self.kind.error,
            "error_description": self.description(caller),
            "error_codes": if self.kind.code == 0 { json!([]) } else { json!([self.kind.code]) },
            "timestamp": caller.timestamp,
            "trace_id": caller.trace_id,
            "correlation_id": caller.correlation_id,
        });
        if self.kind.code != 0 {
            let error_uri = format!("{}/error?code={}", caller.base_url, self.kind.code);
            set(&mut body, json!({"error_uri": error_uri}));
        }
        if !self.kind.suberror.is_empty() {
            set(&mut body, json!({"suberror": self.kind.suberror}));
        }
        if let Some(claims) = &self.claims {
            set(&mut body, json!({"claims": claims}));
        }
        let status = StatusCode::from_u16(self.kind.http_status).unwrap_or(StatusCode::BAD_REQUEST);
        let mut response = caller.json(status, &body);
        if status == StatusCode::TOO_MANY_REQUESTS {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from_static("10"));
        }
        response
    }
}

/// Text without `{blanks}`; texts have no other braces.
fn without_blanks(text: &str) -> String {
    let mut pieces = text.split('{');
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |kept, piece| {
        kept + piece.split_once('}').map_or(piece, |(_, rest)| rest)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::aadsts;

    #[test]
    fn blanks_are_filled_in_or_left_out() {
        let refusal = Refusal::from(&aadsts::TENANT_NOT_FOUND);
        assert!(
            refusal
                .sentence()
                .starts_with("AADSTS90002: Tenant '' not found.")
        );
        let refusal = refusal.with("tenant", "contoso");
        assert!(
            refusal
                .sentence()
                .starts_with("AADSTS90002: Tenant 'contoso' not found.")
        );
    }
}
