//! Takes secrets out of a server's words before anybody keeps them.
//! It knows shapes, not values: a server may reflect a token, a code or a client secret anywhere.

/// The text without anything that looks like a secret, on one line and of bounded length.
pub(super) fn without_secrets(text: &str) -> String {
    let mut result = String::with_capacity(text.len().min(ANSWER_LIMIT));
    let mut key = Key::None;
    for piece in pieces(text) {
        if result.len() >= ANSWER_LIMIT {
            result.push('…');
            break;
        }
        if is_run(piece) {
            let secret = key == Key::Assigned || looks_like_secret(piece);
            result.push_str(if secret { REMOVED } else { piece });
            key = if names_a_secret(piece) {
                Key::Named
            } else {
                Key::None
            };
        } else {
            key = key.after(piece);
            result.push_str(&on_one_line(piece));
        }
    }
    result.trim().to_owned()
}

/// How far a `name = value` has been read whose value is a secret.
#[derive(Clone, Copy, PartialEq)]
enum Key {
    None,
    Named,
    Assigned,
}

impl Key {
    fn after(self, separator: &str) -> Self {
        let assigns =
            separator.contains([':', '=']) && separator.chars().all(|c| "\"' :=\\".contains(c));
        match self {
            Self::Named if assigns => Self::Assigned,
            _ => Self::None,
        }
    }
}

/// Splits into runs of the characters tokens are made of, and what stands between.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let end = rest
            .find(|character| is_token_character(character) != is_token_character(first))
            .unwrap_or(rest.len());
        let (piece, after) = rest.split_at_checked(end)?;
        rest = after;
        Some(piece)
    })
}

fn is_run(piece: &str) -> bool {
    piece.chars().next().is_some_and(is_token_character)
}

/// Characters of base64, base64url, JWTs and Entra's client secrets.
fn is_token_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || "._~+/-".contains(character)
}

fn names_a_secret(run: &str) -> bool {
    let lower = run.to_ascii_lowercase();
    let names = [
        "client_secret",
        "refresh_token",
        "access_token",
        "id_token",
        "device_code",
        "user_code",
        "client_assertion",
        "assertion",
        "password",
        "secret",
        "authorization",
        "code_verifier",
    ];
    names.iter().any(|name| lower.ends_with(name))
}

fn looks_like_secret(run: &str) -> bool {
    let has = |test: fn(&char) -> bool| run.chars().any(|character| test(&character));
    let mixed =
        has(char::is_ascii_uppercase) && has(char::is_ascii_lowercase) && has(char::is_ascii_digit);
    // Paths and host names are long, too, but their parts are short.
    let longest = run
        .split(['.', '/'])
        .map(str::len)
        .max()
        .unwrap_or_default();
    let generated_secret = run.contains('~') && run.len() >= 16;
    generated_secret || longest >= 100 || (longest >= 30 && mixed)
}

fn on_one_line(piece: &str) -> String {
    let line = piece.replace(|character: char| character.is_control(), " ");
    if line.trim().is_empty() {
        " ".to_owned()
    } else {
        line
    }
}

const REMOVED: &str = "(removed)";

/// More than any sentence of Microsoft's, and little enough to keep in a log.
const ANSWER_LIMIT: usize = 2_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(without_secrets(text), expected);
    }

    #[test]
    fn keeps_what_helps() {
        for text in [
            "AADSTS7000222: The provided client secret keys for app '7c9e6679-7425-40de-944b-e07fc1f90ae7' are expired.",
            "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
            "535 5.7.3 Authentication unsuccessful [SYBP282MB0569.AUSP282.PROD.OUTLOOK.COM 2025-06-26T10:46:25.059Z 08DDB44595123F18]",
            "Visit https://go.microsoft.com/fwlink/?LinkId=526653 or https://aka.ms/smtp_auth_disabled",
            "STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied",
        ] {
            check(text, text);
        }
    }

    #[test]
    fn removes_tokens_and_secrets() {
        let jwt = format!("eyJ0eXAiOiJKV1Qi{0}.eyJhdWQi{0}.c2ln", "Aa0".repeat(40));
        check(&format!("token {jwt} refused"), "token (removed) refused");
        check(&"Q".repeat(120), "(removed)");
        check(
            "secret abc8Q~0123456789abcdefghijklmnopqrstuvwx is wrong",
            "secret (removed) is wrong",
        );
        check(
            "client_secret=hunter2&grant_type=x",
            "client_secret=(removed)&grant_type=x",
        );
        check(
            r#"{"refresh_token": "0.AXoA", "x": 1}"#,
            r#"{"refresh_token": "(removed)", "x": 1}"#,
        );
        check("user_code: ABCDEFGH", "user_code: (removed)");
    }

    #[test]
    fn stays_on_one_line_and_within_the_limit() {
        check("a\r\nb\tc", "a b c");
        let long = without_secrets(&"word ".repeat(1_000));
        assert!(long.len() < ANSWER_LIMIT + 10);
        assert!(long.ends_with('…'));
    }
}
