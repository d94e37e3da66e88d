//! Header fields of the application's own: any name that Mailbearer does not write itself.
//! Values are free text; a structured field works as long as it is plain ASCII.

use super::header::unstructured;
use super::one_line::{OneLine, refuse_controls};
use super::refusal::rejected;
use crate::error::{Error, Result};
use crate::model::Header;
use lettre::message::header::{HeaderName, HeaderValue};

/// The fields, in the order given. A name may stand several times.
pub(super) fn fields(headers: &[Header]) -> Result<Vec<HeaderValue>> {
    let numbered = headers.iter().enumerate();
    numbered
        .map(|(index, header)| field(index, header))
        .collect()
}

fn field(index: usize, header: &Header) -> Result<HeaderValue> {
    let name = checked_name(&format!("headers[{index}].name"), &header.name)?;
    let value = OneLine::parse(&format!("headers[{index}].value"), &header.value)?;
    Ok(unstructured(name, value))
}

fn checked_name(field: &str, name: &str) -> Result<HeaderName> {
    refuse_controls(field, name)?;
    if let Some(owner) = owner(name) {
        return Err(reserved(field, owner));
    }
    let printable = name.bytes().all(|octet| octet.is_ascii_graphic());
    let valid = HeaderName::new_from_ascii(name.to_owned()).ok();
    valid.filter(|_| printable).ok_or_else(|| invalid(field))
}

fn invalid(field: &str) -> Error {
    rejected(
        "invalid-header-name",
        format!("{field} is not a header name"),
        format!("give {field} 1 to 76 printable ASCII characters without blanks and colons"),
    )
}

fn reserved(field: &str, owner: &str) -> Error {
    rejected(
        "reserved-header",
        format!("{field} is a field that Mailbearer writes itself"),
        format!("remove the header, and use {owner}"),
    )
}

/// What to use instead of a field that belongs to the message's own data.
fn owner(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    let owner = match name.as_str() {
        "from" | "sender" => "sender",
        "reply-to" => "replyTo",
        "to" => "to",
        "cc" => "cc",
        "bcc" | "resent-bcc" => "bcc",
        "subject" => "subject",
        "date" => "dateUnixMs",
        "message-id" => "messageId",
        "importance" | "x-priority" => "priority",
        "list-unsubscribe" | "list-unsubscribe-post" => "listUnsubscribe",
        "mime-version" => "text, html and attachments",
        "return-path" => "sender; the server that delivers writes this field",
        _ if name.starts_with("content-") => "text, html and attachments",
        _ => return None,
    };
    Some(owner)
}

#[cfg(test)]
mod tests {
    use super::super::header::HeaderSection;
    use super::*;

    fn written(headers: &[(&str, &str)]) -> Result<String> {
        let header = |&(name, value): &(&str, &str)| Header {
            name: name.to_owned(),
            value: value.to_owned(),
        };
        let headers = headers.iter().map(header).collect::<Vec<_>>();
        let mut section = HeaderSection::default();
        section.add_values(fields(&headers)?);
        Ok(String::from_utf8(section.into_bytes()).unwrap())
    }

    #[test]
    fn keeps_order_and_repetitions() {
        let text = written(&[
            ("X-Tag", "b"),
            ("In-Reply-To", "<1@a.example>"),
            ("X-Tag", "a"),
        ]);
        let expected = "X-Tag: b\r\nIn-Reply-To: <1@a.example>\r\nX-Tag: a\r\n";
        assert_eq!(text.unwrap(), expected);
    }

    #[test]
    fn names_the_proper_field_for_a_reserved_name() {
        fn check(name: &str, expected: &str) {
            let error = written(&[("X-A", "1"), (name, "x")]).unwrap_err();
            assert_eq!(error.code(), "reserved-header", "{name}");
            assert!(error.to_string().starts_with("headers[1].name "));
            let fix = format!("remove the header, and use {expected}");
            assert_eq!(error.problem().fix, fix, "{name}");
        }
        check("From", "sender");
        check("BCC", "bcc");
        check("Message-Id", "messageId");
        check("content-type", "text, html and attachments");
        check("List-Unsubscribe-Post", "listUnsubscribe");
        check("Date", "dateUnixMs");
    }

    #[test]
    fn refuses_names_that_are_none() {
        fn check(name: &str, expected: &str) {
            assert_eq!(
                written(&[(name, "x")]).unwrap_err().code(),
                expected,
                "{name:?}"
            );
        }
        check("", "invalid-header-name");
        check("X Tag", "invalid-header-name");
        check("X-Tag:", "invalid-header-name");
        check("X-\u{e4}", "invalid-header-name");
        check("X\tTag", "invalid-header-name");
        check(&"X".repeat(77), "invalid-header-name");
        check("X-Tag\r\nBcc", "header-injection");
    }

    #[test]
    fn refuses_line_breaks_in_the_value() {
        let error = written(&[("X-Tag", "a\r\nBcc: x@y.example")]).unwrap_err();
        assert_eq!(error.code(), "header-injection");
        assert!(error.to_string().starts_with("headers[0].value "));
    }
}
