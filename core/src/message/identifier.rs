//! Identifiers between angle brackets: `Message-ID` and `Content-ID` (RFC 5322 section 3.6.4, RFC 2392).
//! Makes none up but the message's own, from the stamp.

use super::address::MailAddress;
use super::one_line::refuse_controls;
use super::refusal::rejected;
use crate::error::{Error, Result};

/// The message's identifier, without angle brackets: the one given, or a new one under the sender's domain.
pub(super) fn message_id(given: Option<&str>, id: &str, sender: &MailAddress) -> Result<String> {
    let Some(given) = given else {
        return Ok(format!("{id}@{}", sender.domain()));
    };
    refuse_controls("messageId", given)?;
    match given.split_once('@') {
        Some((left, right)) if is_word(left) && is_word(right) => Ok(given.to_owned()),
        _ => Err(invalid_message_id()),
    }
}

/// The identifier that HTML names as `cid:`, without angle brackets.
pub(super) fn content_id<'a>(field: &str, given: &'a str) -> Result<&'a str> {
    refuse_controls(field, given)?;
    let words = given.split('@').collect::<Vec<_>>();
    if words.len() <= 2 && words.into_iter().all(is_word) {
        return Ok(given);
    }
    Err(rejected(
        "invalid-content-id",
        format!("{field} is not a Content-ID such as logo or logo@example.com"),
        format!("give {field} as in the HTML behind `cid:`, without angle brackets and blanks"),
    ))
}

fn invalid_message_id() -> Error {
    rejected(
        "invalid-message-id",
        "messageId is not an identifier such as 1234@example.com",
        "give messageId as left@right without angle brackets and blanks, or leave it out",
    )
}

fn is_word(word: &str) -> bool {
    let allowed = |octet: u8| octet.is_ascii_graphic() && !b"<>()@,;\\\"".contains(&octet);
    (1..=MAX_WORD).contains(&word.len()) && word.bytes().all(allowed)
}

/// Keeps the field's one line far below 998 octets.
const MAX_WORD: usize = 250;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_or_makes_the_message_id() {
        fn check(given: Option<&str>, expected: Result<&str, &str>) {
            let sender = MailAddress::parse("sender", "alice@müller.example").unwrap();
            let id = message_id(given, "0123abcd", &sender);
            let id = id.as_deref().map_err(Error::code);
            assert_eq!(id, expected, "{given:?}");
        }
        check(None, Ok("0123abcd@xn--mller-kva.example"));
        check(Some("order-7@shop.example"), Ok("order-7@shop.example"));
        check(Some("a@[192.0.2.1]"), Ok("a@[192.0.2.1]"));
        let invalid = Err("invalid-message-id");
        check(Some(""), invalid);
        check(Some("a"), invalid);
        check(Some("<a@b>"), invalid);
        check(Some("a b@c"), invalid);
        check(Some("a@b@c"), invalid);
        check(Some("ä@b"), invalid);
        check(Some(&format!("{}@b", "a".repeat(251))), invalid);
        check(Some("a@b\r\nX: y"), Err("header-injection"));
    }

    #[test]
    fn takes_content_ids_with_and_without_a_domain() {
        fn check(given: &str, expected: Result<&str, &str>) {
            let id = content_id("attachments[0].contentId", given);
            assert_eq!(id.as_deref().map_err(Error::code), expected, "{given:?}");
        }
        check("logo", Ok("logo"));
        check("logo@example.com", Ok("logo@example.com"));
        check("", Err("invalid-content-id"));
        check("<logo>", Err("invalid-content-id"));
        check("my logo", Err("invalid-content-id"));
        check("logo\n", Err("header-injection"));
    }
}
