//! The error for a refusal by a token or device authorization endpoint, and the parts such a refusal has.
//! Behaviour follows the OAuth error name; Microsoft's numbers serve the explanation only, as Microsoft asks.

use super::catalogue::{self, Cause, Place};
use super::judge::judge;
use super::redact::without_secrets;
use super::sighting::{Sighting, aadsts_numbers};
use super::situation::Situation;
use crate::error::Error;
use crate::model::{ProblemKind, Retry};
use serde_json::{Map, Value};

/// An error body of RFC 6749 section 5.2 with Microsoft's additions. Its texts have passed redaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct OAuthError {
    /// The error's name, such as `authorization_pending`.
    pub(crate) error: Option<String>,
    /// Microsoft's finer name, such as `consent_required`.
    pub(crate) suberror: Option<String>,
    /// The first AADSTS number.
    pub(crate) aadsts: Option<u32>,
    /// Every AADSTS number, in order.
    pub(crate) aadsts_all: Vec<u32>,
    /// What the server says about it, without trace lines.
    pub(crate) description: Option<String>,
    /// What a new sign-in must ask for, as JSON text (Conditional Access).
    pub(crate) claims: Option<String>,
    /// Microsoft's number of this request, for its support.
    pub(crate) trace_id: Option<String>,
    /// The number of the whole exchange.
    pub(crate) correlation_id: Option<String>,
    /// When it happened, by the server's clock.
    pub(crate) timestamp: Option<String>,
}

impl OAuthError {
    /// Reads an error body; none where it is not JSON or names no error.
    pub(crate) fn parse(body: &[u8]) -> Option<Self> {
        let json: Value = serde_json::from_slice(body.get(..BODY_LIMIT).unwrap_or(body)).ok()?;
        let error = name(&json, "error");
        let described = json.get("error_description").and_then(Value::as_str);
        let aadsts_all = numbers(&json, described.unwrap_or_default());
        if error.is_none() && described.is_none() && aadsts_all.is_empty() {
            return None;
        }
        Some(Self {
            error,
            suberror: name(&json, "suberror"),
            aadsts: aadsts_all.first().copied(),
            aadsts_all,
            description: described.map(|text| without_secrets(without_trace(text))),
            claims: claims(&json),
            trace_id: name(&json, "trace_id"),
            correlation_id: name(&json, "correlation_id"),
            timestamp: name(&json, "timestamp"),
        })
    }

    /// The server's own words, with what its support asks for.
    fn answer(&self) -> String {
        let words = self.description.as_deref().filter(|text| !text.is_empty());
        let mut answer = match (words, &self.error) {
            (Some(words), Some(error)) if self.aadsts.is_none() => format!("{error}: {words}"),
            (Some(words), _) => words.to_owned(),
            (None, error) => error.clone().unwrap_or_default(),
        };
        let trace = [
            ("trace id", &self.trace_id),
            ("correlation id", &self.correlation_id),
            ("at", &self.timestamp),
        ];
        let trace: Vec<String> = trace
            .into_iter()
            .filter_map(|(label, value)| Some(format!("{label} {}", value.as_deref()?)))
            .collect();
        if !trace.is_empty() {
            answer = format!("{answer} ({})", trace.join(", "));
        }
        answer
    }
}

/// The error for a token or device authorization endpoint's refusal.
///
/// `body` is the endpoint's answer as it came; `retry_after_ms` its `Retry-After`, if any.
pub(crate) fn token_refusal(
    host: &str,
    status: u16,
    retry_after_ms: Option<u64>,
    body: &[u8],
) -> Error {
    let parsed = OAuthError::parse(body);
    let cause = cause_of(status, retry_after_ms, parsed.as_ref());
    let (kind, code, meaning, fix) = match cause {
        Some(cause) => (
            cause.kind,
            cause.code.as_str(),
            cause.meaning.as_str(),
            cause.fix.as_str(),
        ),
        None => (
            ProblemKind::SignIn,
            "unknown",
            "it gave no reason that is known",
            "",
        ),
    };
    let answer = match &parsed {
        Some(error) => error.answer(),
        None => foreign_answer(status, body),
    };
    let error = Error::new(
        kind,
        code,
        format!("{host} refused the sign-in: {meaning}"),
        fix,
    )
    .with_retry(retry_of(cause, retry_after_ms))
    .with_claims(parsed.as_ref().and_then(|error| error.claims.as_deref()));
    if answer.is_empty() {
        error
    } else {
        error.with_answer(answer)
    }
}

fn cause_of(
    status: u16,
    retry_after_ms: Option<u64>,
    error: Option<&OAuthError>,
) -> Option<&'static Cause> {
    let known = error.and_then(judged);
    let code = match (status, known) {
        // Whatever the body says, the server asks for a pause.
        (429, _) => "token-endpoint-throttled",
        (500..600, _) if retry_after_ms.is_some() => "token-endpoint-throttled",
        (_, Some(cause)) => return Some(cause),
        (500..600, _) => "transient-server-error",
        (_, None) if error.is_some() => "token-request-refused",
        (407, _) => "proxy-interference",
        _ => "not-a-token-endpoint",
    };
    catalogue::cause(code)
}

fn judged(error: &OAuthError) -> Option<&'static Cause> {
    let parts = [&error.error, &error.suberror, &error.description];
    let text: Vec<&str> = parts.into_iter().filter_map(Option::as_deref).collect();
    let sighting = Sighting::of_answer(&text.join(" "), error.aadsts_all.clone());
    let situation = Situation::of_lines(&["* mailbearer is the client"]);
    judge(&sighting, &situation, &[Place::Token]).verdict()
}

/// The server's wish counts where waiting can help at all.
fn retry_of(cause: Option<&Cause>, retry_after_ms: Option<u64>) -> Retry {
    let usual = cause.map_or(Retry::Never, Cause::retry);
    match (usual, retry_after_ms) {
        (Retry::After { .. } | Retry::Now, Some(delay_ms)) => Retry::After {
            delay_ms: delay_ms.min(LONGEST_RETRY_MS),
        },
        (usual, _) => usual,
    }
}

/// The words of something that is no token endpoint: a proxy's page, a captive portal, a web server.
fn foreign_answer(status: u16, body: &[u8]) -> String {
    let start = body.get(..FOREIGN_LIMIT).unwrap_or(body);
    let text = String::from_utf8_lossy(start);
    let words = without_secrets(&without_tags(&text));
    format!("HTTP {status} {words}").trim_end().to_owned()
}

fn without_tags(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut in_tag = false;
    for character in html.chars() {
        match character {
            '<' => in_tag = true,
            '>' if in_tag => {
                in_tag = false;
                text.push(' ');
            }
            other if !in_tag => text.push(other),
            _ => (),
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The claims challenge, if it is one: a JSON object as text.
fn claims(json: &Value) -> Option<String> {
    let text = json.get("claims")?.as_str()?;
    let is_object = serde_json::from_str::<Map<String, Value>>(text).is_ok();
    (is_object && text.len() <= CLAIMS_LIMIT).then(|| text.to_owned())
}

/// A short member: names and identifiers, never a long text.
fn name(json: &Value, member: &str) -> Option<String> {
    let value = json.get(member)?.as_str()?.trim();
    (!value.is_empty() && value.len() <= 100).then(|| without_secrets(value))
}

fn numbers(json: &Value, description: &str) -> Vec<u32> {
    let codes = json.get("error_codes").and_then(Value::as_array);
    let mut numbers: Vec<u32> = codes
        .into_iter()
        .flatten()
        .filter_map(|code| match code {
            Value::String(text) => text.trim().parse().ok(),
            other => other.as_u64().and_then(|number| u32::try_from(number).ok()),
        })
        .collect();
    for number in aadsts_numbers(description) {
        if !numbers.contains(&number) {
            numbers.push(number);
        }
    }
    numbers
}

/// The description without the lines that name the request; they have members of their own.
fn without_trace(description: &str) -> &str {
    description
        .split("Trace ID:")
        .next()
        .unwrap_or(description)
        .trim()
}

/// Far more than any endpoint's error; a larger body is not one.
const BODY_LIMIT: usize = 262_144;
/// It travels in the address of the sign-in page, which a browser must take.
const CLAIMS_LIMIT: usize = 2_048;
/// Enough to recognise whose page it is.
const FOREIGN_LIMIT: usize = 2_048;
/// No server may park an account for longer.
const LONGEST_RETRY_MS: u64 = 24 * 60 * 60 * 1_000;
