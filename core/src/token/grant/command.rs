//! A token that a command prints: `az account get-access-token`, `oama`, `pizauth`, a script of one's own.
//! What a command prints is inspected like every token; how long it lives, its own claims say, or the JSON around it.

use super::IdentityProvider;
use crate::diagnosis;
use crate::error::{Error, Result};
use crate::host::{output_of, within};
use crate::model::{ProblemKind, TokenOrigin};
use crate::secret::{SecretBytes, SecretText};
use crate::token::claims::Claims;
use crate::token::inspect::inspect_time;
use crate::token::record::Tokens;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

impl IdentityProvider {
    /// Obtains a token from a command. Errors: `Config`, `Misuse`, `Unavailable`.
    pub(crate) async fn by_command(&self, command: &[String]) -> Result<Tokens> {
        let printed = within(&*self.clock, self.timeout, output_of(command)).await;
        let printed = printed.unwrap_or_else(|| Err(late()))?;
        let now = self.clock.now_unix_ms();
        let (token, stated_end) = read(&printed)?;
        // Exposed to be read.
        inspect_time(token.expose(), now)?;
        let claims = Claims::read(token.expose()).unwrap_or_default();
        let end = claims.expires_at_unix.or(stated_end);
        let left_ms = end.map_or(UNKNOWN_LIFETIME_MS, |end| {
            end.saturating_mul(1000).saturating_sub(now)
        });
        let left_ms = u64::try_from(left_ms).unwrap_or_default();
        if left_ms == 0 {
            let text = "the command printed an access token that has ended";
            return Err(diagnosis::problem("token-expired", text));
        }
        Ok(Tokens {
            access_token: Arc::new(token),
            refresh_token: None,
            origin: TokenOrigin::TokenCommand,
            granted_scopes: Vec::new(),
            lifetime: self.lifetime(Duration::from_millis(left_ms), None)?,
        })
    }
}

/// An opaque token is asked for again every few minutes: the command has a cache, or is cheap.
const UNKNOWN_LIFETIME_MS: i64 = 5 * 60 * 1000;

/// The token, and its end in seconds since 1970 where JSON around it says so.
fn read(printed: &SecretBytes) -> Result<(SecretText, Option<i64>)> {
    // Exposed to be read; the token becomes a secret at once.
    let text = std::str::from_utf8(printed.expose())
        .unwrap_or_default()
        .trim();
    if !text.starts_with('{') {
        return one_line(text);
    }
    let json: Value = serde_json::from_str(text).map_err(|_| unreadable("broken JSON"))?;
    let token = ["access_token", "accessToken"]
        .into_iter()
        .find_map(|name| json.get(name)?.as_str());
    let token = token.ok_or_else(|| unreadable("JSON without access_token"))?;
    let end = json.get("expires_on").and_then(|end| match end {
        Value::String(digits) => digits.parse().ok(),
        value => value.as_i64(),
    });
    Ok((SecretText::new(token.to_owned()), end))
}

fn one_line(text: &str) -> Result<(SecretText, Option<i64>)> {
    match text.lines().collect::<Vec<_>>().as_slice() {
        [] => Err(unreadable("nothing")),
        [token] => Ok((SecretText::new((*token).to_owned()), None)),
        lines => Err(unreadable(&format!("{} lines", lines.len()))),
    }
}

fn unreadable(what: &str) -> Error {
    Error::new(
        ProblemKind::Config,
        "token-command-output",
        format!("the token command printed {what} instead of one access token"),
        "let it print the access token alone on one line, or JSON with access_token (and expires_on, in seconds since 1970)",
    )
}

fn late() -> Error {
    Error::new(
        ProblemKind::Unavailable,
        "token-command-failed",
        "the token command did not end in time and was stopped",
        "run the same command in a terminal: it may wait for a person there",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_commands_print() {
        fn check(printed: &str, expected: Option<(&str, Option<i64>)>) {
            let read = read(&printed.as_bytes().to_vec().into()).ok();
            let read = read
                .as_ref()
                .map(|(token, end)| (token.expose().as_str(), *end));
            assert_eq!(read, expected, "{printed}");
        }
        check("EwB\n", Some(("EwB", None)));
        check(" EwB \r\n", Some(("EwB", None)));
        check(
            r#"{"accessToken":"EwB","expires_on":1700000000,"tokenType":"Bearer"}"#,
            Some(("EwB", Some(1_700_000_000))),
        );
        check(
            r#"{"access_token":"EwB","expires_on":"17"}"#,
            Some(("EwB", Some(17))),
        );
        check(
            r#"{"access_token":"EwB","expires_on":"2026-11-25"}"#,
            Some(("EwB", None)),
        );
        check("", None);
        check("a\nb", None);
        check("{", None);
        check(r#"{"token":"x"}"#, None);
        check(r#"{"access_token":7}"#, None);
    }
}
