//! `List-Unsubscribe` (RFC 2369) and `List-Unsubscribe-Post` (RFC 8058), each on one line.
//! Folding is legal, but some servers unfold the line and break the DKIM signature over it.

use super::address::MailAddress;
use super::header::pre_encoded;
use super::one_line::refuse_controls;
use super::refusal::rejected;
use crate::error::{Error, Result};
use crate::model::ListUnsubscribe;
use lettre::message::header::{HeaderName, HeaderValue};
use std::fmt::Write as _;

/// The fields for it: one, or two with a URL.
pub(super) fn fields(list: &ListUnsubscribe) -> Result<Vec<HeaderValue>> {
    let url = list.url.as_deref().map(checked_url).transpose()?;
    let mailto = list.address.as_deref().map(mailto).transpose()?;
    // The URL stands first: readers take the first way they support.
    let ways = [url.map(str::to_owned), mailto].into_iter().flatten();
    let value = ways.map(|way| format!("<{way}>")).collect::<Vec<_>>();
    let value = value.join(", ");
    if value.is_empty() {
        return Err(invalid(
            "listUnsubscribe",
            "has neither a URL nor an address",
        ));
    }
    if NAME.len() + ": ".len() + value.len() > MAX_LINE {
        return Err(invalid(
            "listUnsubscribe",
            "is longer than one line of 998 octets",
        ));
    }
    let mut fields = vec![pre_encoded(HeaderName::new_from_ascii_str(NAME), value)];
    if url.is_some() {
        let name = HeaderName::new_from_ascii_str("List-Unsubscribe-Post");
        fields.push(pre_encoded(name, "List-Unsubscribe=One-Click".to_owned()));
    }
    Ok(fields)
}

fn checked_url(url: &str) -> Result<&str> {
    const FIELD: &str = "listUnsubscribe.url";
    refuse_controls(FIELD, url)?;
    if !url.bytes().all(is_url_octet) {
        return Err(invalid(
            FIELD,
            "has a character that a URL must percent-encode",
        ));
    }
    let parsed = url.parse::<http::Uri>();
    match parsed {
        Ok(uri)
            if uri.scheme_str() == Some("https") && uri.host().is_some_and(|h| !h.is_empty()) =>
        {
            Ok(url)
        }
        _ => Err(invalid(FIELD, "is not an https URL with a host")),
    }
}

/// `reserved`, `unreserved` and `%` of RFC 3986 section 2.
fn is_url_octet(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&octet)
}

/// The address as a URL (RFC 6068).
fn mailto(address: &str) -> Result<String> {
    let address = MailAddress::parse("listUnsubscribe.address", address)?;
    let mut url = "mailto:".to_owned();
    for octet in address.local().bytes() {
        if octet.is_ascii_alphanumeric() || b"-._~+".contains(&octet) {
            url.push(char::from(octet));
        } else {
            write!(url, "%{octet:02X}").expect("a String has room for every text");
        }
    }
    Ok(format!("{url}@{}", address.domain()))
}

fn invalid(field: &str, fault: &str) -> Error {
    rejected(
        "invalid-list-unsubscribe",
        format!("{field} {fault}"),
        "give listUnsubscribe an https URL, the address of a mailbox, or both",
    )
}

const NAME: &str = "List-Unsubscribe";

/// RFC 5322 section 2.1.1.
const MAX_LINE: usize = 998;

#[cfg(test)]
mod tests {
    use super::super::header::HeaderSection;
    use super::*;

    fn written(url: Option<&str>, address: Option<&str>) -> Result<String> {
        let list = ListUnsubscribe {
            url: url.map(str::to_owned),
            address: address.map(str::to_owned),
        };
        let mut section = HeaderSection::default();
        section.add_values(fields(&list)?);
        Ok(String::from_utf8(section.into_bytes()).unwrap())
    }

    #[test]
    fn writes_the_url_first_and_one_click_only_with_it() {
        fn check(url: Option<&str>, address: Option<&str>, expected: &str) {
            assert_eq!(written(url, address).unwrap(), expected);
        }
        check(
            Some("https://example.com/u?t=a%20b&x=1"),
            Some("leave+me@example.com"),
            "List-Unsubscribe: <https://example.com/u?t=a%20b&x=1>, <mailto:leave+me@example.com>\r\n\
             List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n",
        );
        check(
            Some("https://example.com/u"),
            None,
            "List-Unsubscribe: <https://example.com/u>\r\n\
             List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n",
        );
        check(
            None,
            Some("größe?x=1@müller.example"),
            "List-Unsubscribe: <mailto:gr%C3%B6%C3%9Fe%3Fx%3D1@xn--mller-kva.example>\r\n",
        );
    }

    #[test]
    fn stays_on_one_line() {
        let url = format!("https://example.com/{}", "t".repeat(900));
        let text = written(Some(&url), None).unwrap();
        assert_eq!(
            text.lines().next().unwrap(),
            format!("List-Unsubscribe: <{url}>")
        );
    }

    #[test]
    fn refuses_what_readers_would_not_follow() {
        fn check(url: Option<&str>, address: Option<&str>, expected: &str) {
            let error = written(url, address).unwrap_err();
            assert_eq!(error.code(), expected, "{url:?} {address:?}");
        }
        let invalid = "invalid-list-unsubscribe";
        check(None, None, invalid);
        check(Some(""), None, invalid);
        check(Some("http://example.com/u"), None, invalid);
        check(Some("https://"), None, invalid);
        check(Some("https:///u"), None, invalid);
        check(Some("example.com/u"), None, invalid);
        check(Some("https://example.com/ü"), None, invalid);
        check(Some("https://example.com/a b"), None, invalid);
        check(Some("https://example.com/>,<mailto:x@y"), None, invalid);
        check(
            Some(&format!("https://example.com/{}", "t".repeat(990))),
            None,
            invalid,
        );
        check(
            Some("https://example.com/\r\nX: y"),
            None,
            "header-injection",
        );
        check(None, Some("nobody"), "invalid-address");
        check(None, Some("a@b.example\nX: y"), "header-injection");
    }
}
