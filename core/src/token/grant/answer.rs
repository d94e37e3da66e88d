//! The answer of an identity provider: kept for its words, and checked member by member before anything reads it, so
//! that what is wrong with it has a name (RFC 6749 section 5.1, RFC 8628 section 3.2).

use crate::diagnosis;
use crate::error::{Error, Result};
use crate::model::ProblemKind;
use crate::token::renewal::CLOCK_TOLERANCE_MS;
use http::header::{DATE, HeaderName, RETRY_AFTER};
use oauth2::basic::BasicTokenType;
use oauth2::{ExtraTokenFields, HttpResponse, StandardTokenResponse};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::time::{Duration, UNIX_EPOCH};

/// A successful answer of a token endpoint.
pub(super) type TokenAnswer = StandardTokenResponse<Additions, BasicTokenType>;

/// What Microsoft adds to RFC 6749.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Additions {
    /// In how many seconds the server wishes the token to be renewed. Only a wish: a strange value counts as none.
    #[serde(default)]
    refresh_in: Value,
}

impl ExtraTokenFields for Additions {}

impl Additions {
    pub(super) fn refresh_in(&self) -> Option<Duration> {
        self.refresh_in.as_u64().map(Duration::from_secs)
    }
}

/// What an answer is to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    Tokens,
    DeviceCode,
}

/// The last thing that an identity provider said.
pub(super) struct Answer {
    pub(super) body: Vec<u8>,
    host: String,
    status: u16,
    retry_after_ms: Option<u64>,
    /// By how much the server's clock is ahead of ours.
    ahead_ms: Option<i64>,
}

impl Answer {
    pub(super) fn of(host: String, response: &HttpResponse, now_unix_ms: i64) -> Self {
        Self {
            host,
            status: response.status().as_u16(),
            retry_after_ms: retry_after_ms(response, now_unix_ms),
            ahead_ms: moment(response, DATE).map(|server| server - now_unix_ms),
            body: response.body().clone(),
        }
    }

    /// Fails if a success does not hold what it must. Refusals pass: they have words of their own.
    pub(super) fn check(&self, expected: Expected) -> Result<()> {
        if !(200..300).contains(&self.status) {
            return Ok(());
        }
        // Anything but an object is no token endpoint's answer at all, which `refusal` says.
        let Ok(Value::Object(members)) = serde_json::from_slice(&self.body) else {
            return Ok(());
        };
        if members.contains_key("error") || members.is_empty() {
            return Ok(());
        }
        match expected {
            Expected::Tokens => check_tokens(&members),
            Expected::DeviceCode => check_device_code(&members),
        }
        .map_err(|(member, defect)| malformed(&self.host, member, defect))
    }

    /// The error for a refusal. Where it is about time, the two clocks are compared.
    pub(super) fn refusal(&self) -> Error {
        let (status, retry_after_ms) = (self.status, self.retry_after_ms);
        let error = diagnosis::token_refusal(&self.host, status, retry_after_ms, &self.body);
        let is_about_time = ["clock-skew", "client-assertion-expired"].contains(&error.code());
        let skew = self
            .ahead_ms
            .filter(|ahead| ahead.abs() > CLOCK_TOLERANCE_MS);
        match skew {
            Some(ahead_ms) if is_about_time => self.clock_skew(ahead_ms, &error),
            _ => error,
        }
    }

    fn clock_skew(&self, ahead_ms: i64, error: &Error) -> Error {
        let minutes = ahead_ms.unsigned_abs() / 60_000;
        let direction = if ahead_ms > 0 { "behind" } else { "ahead of" };
        let text = format!(
            "this machine's clock is {minutes} minutes {direction} that of {}, which therefore refused the sign-in",
            self.host
        );
        let skew = diagnosis::problem("clock-skew", text);
        match &error.problem().answer {
            Some(answer) => skew.with_answer(answer),
            None => skew,
        }
    }
}

/// Seconds, or the moment until when to wait (RFC 9110 section 10.2.3).
pub(crate) fn retry_after_ms(response: &HttpResponse, now_unix_ms: i64) -> Option<u64> {
    let seconds = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.trim().parse::<u64>().ok());
    if let Some(seconds) = seconds {
        return Some(seconds.saturating_mul(1000));
    }
    let until = moment(response, RETRY_AFTER)?;
    // By the server's own clock, which may differ from ours.
    let now = moment(response, DATE).unwrap_or(now_unix_ms);
    u64::try_from(until.saturating_sub(now)).ok()
}

/// A date in a header field, in milliseconds since 1970-01-01T00:00:00Z.
fn moment(response: &HttpResponse, field: HeaderName) -> Option<i64> {
    let text = response.headers().get(field)?.to_str().ok()?;
    let time = httpdate::parse_http_date(text).ok()?;
    let since_epoch = time.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since_epoch.as_millis()).ok()
}

type Defect = (&'static str, &'static str);

fn check_tokens(members: &Map<String, Value>) -> Result<(), Defect> {
    required_text(members, "access_token")?;
    let token_type = required_text(members, "token_type")?;
    if !token_type.eq_ignore_ascii_case("bearer") {
        return Err(("token_type", "is not Bearer"));
    }
    optional_text(members, "refresh_token")?;
    positive_number(members, "expires_in")?;
    match members.get("scope") {
        None | Some(Value::Null | Value::String(_)) => Ok(()),
        Some(_) => Err(("scope", "is not a text")),
    }
}

fn check_device_code(members: &Map<String, Value>) -> Result<(), Defect> {
    required_text(members, "device_code")?;
    required_text(members, "user_code")?;
    // What older servers call it.
    let url = match members.contains_key("verification_uri") {
        true => "verification_uri",
        false => "verification_url",
    };
    required_text(members, url).map_err(|(_, defect)| ("verification_uri", defect))?;
    match members.get("expires_in") {
        None | Some(Value::Null) => Err(("expires_in", "is missing")),
        Some(_) => positive_number(members, "expires_in"),
    }?;
    positive_number(members, "interval")
}

fn required_text<'a>(
    members: &'a Map<String, Value>,
    name: &'static str,
) -> Result<&'a str, Defect> {
    optional_text(members, name)?.ok_or((name, "is missing"))
}

fn optional_text<'a>(
    members: &'a Map<String, Value>,
    name: &'static str,
) -> Result<Option<&'a str>, Defect> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.trim().is_empty() => Err((name, "is empty")),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err((name, "is not a text")),
    }
}

fn positive_number(members: &Map<String, Value>, name: &'static str) -> Result<(), Defect> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(()),
        Some(value) if value.as_u64().is_some_and(|number| number > 0) => Ok(()),
        Some(Value::Number(_)) => Err((name, "is not a positive whole number of seconds")),
        Some(_) => Err((name, "is not a number")),
    }
}

fn malformed(host: &str, member: &str, defect: &str) -> Error {
    Error::new(
        ProblemKind::Unavailable,
        "token-answer-malformed",
        format!("{host} answered with success, but {member} {defect}"),
        format!(
            "try again; if it goes on, check that the endpoint's URL is that of a token endpoint, and report the member {member} to whoever runs it"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: i64 = 784_887_151_000; // Tue, 15 Nov 1994 08:12:31 GMT

    fn answer(status: u16, fields: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut response = http::Response::builder().status(status);
        for (name, value) in fields {
            response = response.header(*name, *value);
        }
        let response = response.body(body.to_vec()).unwrap();
        Answer::of("login.example.test".to_owned(), &response, NOW)
    }

    #[test]
    fn names_the_member_that_is_wrong() {
        fn check(expected: Expected, body: &str, text: Option<&str>) {
            let checked = answer(200, &[], body.as_bytes()).check(expected);
            let said = checked.err().map(|error| {
                assert_eq!(error.code(), "token-answer-malformed");
                assert!(!format!("{error:?}").contains("s3cr3t"));
                error.to_string()
            });
            let said = said.as_deref().and_then(|said| said.split("but ").nth(1));
            assert_eq!(said, text, "{body}");
        }
        let tokens = |body: &str, text| check(Expected::Tokens, body, text);
        tokens(r#"{"access_token":"a","token_type":"bearer"}"#, None);
        tokens(
            r#"{"access_token":"a","token_type":"Bearer","expires_in":null,"refresh_token":null,"scope":null}"#,
            None,
        );
        tokens(
            r#"{"token_type":"Bearer"}"#,
            Some("access_token is missing"),
        );
        tokens(
            r#"{"access_token":null,"token_type":"Bearer"}"#,
            Some("access_token is missing"),
        );
        tokens(
            r#"{"access_token":" ","token_type":"Bearer"}"#,
            Some("access_token is empty"),
        );
        tokens(
            r#"{"access_token":["s3cr3t"],"token_type":"Bearer"}"#,
            Some("access_token is not a text"),
        );
        tokens(
            r#"{"access_token":"s3cr3t"}"#,
            Some("token_type is missing"),
        );
        tokens(
            r#"{"access_token":"s3cr3t","token_type":"mac"}"#,
            Some("token_type is not Bearer"),
        );
        tokens(
            r#"{"access_token":"s3cr3t","token_type":"Bearer","refresh_token":7}"#,
            Some("refresh_token is not a text"),
        );
        for wrong in ["-1", "0", "1.5", "1e400", "99999999999999999999"] {
            let body =
                format!(r#"{{"access_token":"s","token_type":"Bearer","expires_in":{wrong}}}"#);
            let expected = match wrong {
                "1e400" => None, // Not JSON that serde takes: nobody's answer.
                _ => Some("expires_in is not a positive whole number of seconds"),
            };
            tokens(&body, expected);
        }
        tokens(
            r#"{"access_token":"s3cr3t","token_type":"Bearer","expires_in":"3599"}"#,
            Some("expires_in is not a number"),
        );
        tokens(
            r#"{"access_token":"s3cr3t","token_type":"Bearer","scope":{}}"#,
            Some("scope is not a text"),
        );
        let device = |body: &str, text| check(Expected::DeviceCode, body, text);
        device(
            r#"{"device_code":"s","user_code":"U","verification_uri":"https://x/","expires_in":900}"#,
            None,
        );
        device(r#"{"user_code":"U"}"#, Some("device_code is missing"));
        device(
            r#"{"device_code":"s3cr3t","user_code":"U","expires_in":900}"#,
            Some("verification_uri is missing"),
        );
        device(
            r#"{"device_code":"s3cr3t","user_code":"U","verification_uri":"https://x/"}"#,
            Some("expires_in is missing"),
        );
        device(
            r#"{"device_code":"s","user_code":"U","verification_uri":"https://x/","expires_in":900,"interval":-5}"#,
            Some("interval is not a positive whole number of seconds"),
        );
    }

    #[test]
    fn reads_how_long_to_wait() {
        fn check(fields: &[(&str, &str)], expected: Option<u64>) {
            assert_eq!(
                answer(429, fields, b"").retry_after_ms,
                expected,
                "{fields:?}"
            );
        }
        check(&[("retry-after", " 17 ")], Some(17_000));
        check(
            &[("retry-after", "Tue, 15 Nov 1994 08:13:31 GMT")],
            Some(60_000),
        );
        check(
            &[
                ("retry-after", "Tue, 15 Nov 1994 10:13:31 GMT"),
                ("date", "Tue, 15 Nov 1994 10:12:31 GMT"),
            ],
            Some(60_000),
        );
        check(&[("retry-after", "Tue, 15 Nov 1994 08:00:00 GMT")], None);
        check(&[("retry-after", "soon")], None);
        check(&[("retry-after", "-1")], None);
        check(&[], None);
    }

    #[test]
    fn compares_the_clocks_where_a_refusal_is_about_time() {
        const TIME: &[u8] = br#"{"error":"invalid_client","error_description":"AADSTS700024: Client assertion is not within its valid time range.","error_codes":[700024]}"#;
        const SECRET: &[u8] = br#"{"error":"invalid_client","error_description":"AADSTS7000222: expired","error_codes":[7000222]}"#;
        fn check(date: &str, body: &[u8], code: &str, text: &str) {
            let error = answer(401, &[("date", date)], body).refusal();
            assert_eq!(error.code(), code, "{date}");
            assert!(error.to_string().contains(text), "{error}");
            assert!(error.problem().answer.is_some());
        }
        let (now, later) = (
            "Tue, 15 Nov 1994 08:12:31 GMT",
            "Tue, 15 Nov 1994 11:12:31 GMT",
        );
        let earlier = "Tue, 15 Nov 1994 07:42:31 GMT";
        check(now, TIME, "clock-skew", "refused the sign-in");
        check(
            later,
            TIME,
            "clock-skew",
            "180 minutes behind that of login",
        );
        check(
            earlier,
            TIME,
            "clock-skew",
            "30 minutes ahead of that of login",
        );
        check(later, SECRET, "secret-expired", "refused the sign-in");
    }

    proptest! {
        #[test]
        fn never_panics(body: Vec<u8>, status in 100_u16..600) {
            let answer = answer(status, &[], &body);
            let _ = answer.check(Expected::Tokens);
            let _ = answer.check(Expected::DeviceCode);
            let _ = answer.refusal();
        }
    }
}
