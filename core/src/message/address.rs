//! Mail addresses (RFC 5321 section 4.1.2, RFC 6531): parsed once, with the domain in the form DNS knows.
//! Does not ask whether the mailbox or the domain exists.

use super::one_line::{OneLine, refuse_controls};
use super::refusal::rejected;
use crate::error::{Error, Result};
use crate::model::Address;
use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// A valid address. The local part is as given; the domain is in lower case, international names as A-labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MailAddress {
    local: String,
    domain: String,
}

impl MailAddress {
    /// Takes the address in the named field.
    pub(super) fn parse(field: &str, address: &str) -> Result<Self> {
        refuse_controls(field, address)?;
        parse_parts(address).map_err(|fault| invalid(field, fault))
    }

    pub(super) fn local(&self) -> &str {
        &self.local
    }

    pub(super) fn domain(&self) -> &str {
        &self.domain
    }

    /// Whether only a server with SMTPUTF8 can take it. The domain never needs that.
    pub(super) fn needs_smtputf8(&self) -> bool {
        !self.local.is_ascii()
    }
}

impl fmt::Display for MailAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}@{}", self.local, self.domain)
    }
}

/// An address with the name shown beside it; the name may be empty.
#[derive(Clone, Debug)]
pub(super) struct NamedAddress<'a> {
    pub(super) name: OneLine<'a>,
    pub(super) address: MailAddress,
}

impl<'a> NamedAddress<'a> {
    /// Takes the entry in the named field, such as `to[1]`.
    pub(super) fn parse(field: &str, entry: &'a Address) -> Result<Self> {
        let name = entry.name.as_deref().unwrap_or_default();
        Ok(Self {
            name: OneLine::parse(&format!("{field}.name"), name)?,
            address: MailAddress::parse(&format!("{field}.address"), &entry.address)?,
        })
    }

    /// Takes every entry of the named field.
    pub(super) fn parse_all(field: &str, entries: &'a [Address]) -> Result<Vec<Self>> {
        let numbered = entries.iter().enumerate();
        numbered
            .map(|(index, entry)| Self::parse(&format!("{field}[{index}]"), entry))
            .collect()
    }
}

/// What is wrong, to follow "is not a mail address: ".
type Fault = &'static str;

fn invalid(field: &str, fault: Fault) -> Error {
    rejected(
        "invalid-address",
        format!("{field} is not a mail address: {fault}"),
        format!("correct {field}: one address such as alice@example.com, without a name"),
    )
}

fn parse_parts(address: &str) -> Result<MailAddress, Fault> {
    if address.is_empty() {
        return Err("it is empty");
    }
    let (local, domain) = address.rsplit_once('@').ok_or("it has no @")?;
    check_local(local)?;
    let domain = parse_domain(domain)?;
    if local.len() + "@".len() + domain.len() > MAX_ADDRESS_OCTETS {
        return Err("it has more than 254 octets");
    }
    Ok(MailAddress {
        local: local.to_owned(),
        domain,
    })
}

fn check_local(local: &str) -> Result<(), Fault> {
    if local.is_empty() {
        return Err("nothing stands before the @");
    }
    if let Some(inner) = local.strip_prefix('"') {
        check_quoted(
            inner
                .strip_suffix('"')
                .ok_or("its quotation marks do not match")?,
        )?;
    } else {
        check_dot_atom(local)?;
    }
    if local.len() > MAX_LOCAL_OCTETS {
        return Err("more than 64 octets stand before the @");
    }
    Ok(())
}

fn check_dot_atom(local: &str) -> Result<(), Fault> {
    for character in local.chars() {
        match character {
            '<' | '>' => return Err("it has angle brackets"),
            ',' | ';' => return Err("it has a comma or semicolon, as if it were several"),
            '@' => return Err("it has more than one @"),
            _ if character.is_whitespace() => return Err("it has a space"),
            _ if is_invisible(character) => return Err("it has an invisible character"),
            _ if !is_atext(character) => {
                return Err("a character before the @ is only allowed inside quotation marks");
            }
            _ => {}
        }
    }
    if local.starts_with('.') || local.ends_with('.') || local.contains("..") {
        return Err("a dot before the @ does not stand between two characters");
    }
    Ok(())
}

fn is_atext(character: char) -> bool {
    !character.is_ascii()
        || character.is_ascii_alphanumeric()
        || ".!#$%&'*+-/=?^_`{|}~".contains(character)
}

/// Left behind by copying from web pages and documents; no mailbox has them.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The inside of a quoted local part (`Quoted-string` in RFC 5321 section 4.1.2).
fn check_quoted(inner: &str) -> Result<(), Fault> {
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        let allowed = match character {
            '\\' => characters.next().is_some_and(|c| matches!(c, ' '..='~')),
            '"' | '\t' => false,
            _ => !is_invisible(character),
        };
        if !allowed {
            return Err(
                "a character inside the quotation marks needs a backslash, or is not allowed there",
            );
        }
    }
    Ok(())
}

fn parse_domain(domain: &str) -> Result<String, Fault> {
    if let Some(inner) = domain.strip_prefix('[') {
        let inner = inner
            .strip_suffix(']')
            .ok_or("its square brackets do not match")?;
        return parse_literal(inner);
    }
    if let Some(fault) = domain_fault(domain) {
        return Err(fault);
    }
    let ascii = Uts46::new().to_ascii(
        domain.as_bytes(),
        AsciiDenyList::STD3,
        Hyphens::CheckFirstLast,
        DnsLength::Verify,
    );
    ascii
        .map(|domain| domain.into_owned())
        .map_err(|_| "its domain is no valid domain name (RFC 1123, UTS 46)")
}

/// The common mistakes, each by its name.
fn domain_fault(domain: &str) -> Option<Fault> {
    if domain.is_empty() {
        return Some("nothing stands behind the @");
    }
    if domain.chars().any(char::is_whitespace) {
        return Some("it has a space");
    }
    if domain.chars().any(is_invisible) {
        return Some("it has an invisible character");
    }
    if domain.contains(['<', '>']) {
        return Some("it has angle brackets");
    }
    if domain.contains([',', ';']) {
        return Some("it has a comma or semicolon, as if it were several");
    }
    if domain.ends_with('.') {
        return Some("its domain ends with a dot");
    }
    if domain.starts_with('.') || domain.contains("..") {
        return Some("a part of its domain is empty");
    }
    if domain.parse::<Ipv4Addr>().is_ok() {
        return Some("an IP address as its domain needs square brackets");
    }
    None
}

/// An address literal (RFC 5321 section 4.1.3).
fn parse_literal(inner: &str) -> Result<String, Fault> {
    let valid = match inner.strip_prefix("IPv6:") {
        Some(v6) => v6.parse::<Ipv6Addr>().is_ok(),
        None => inner.parse::<Ipv4Addr>().is_ok(),
    };
    if !valid {
        return Err("no IP address stands in its square brackets");
    }
    Ok(format!("[{inner}]"))
}

/// RFC 5321 section 4.5.3.1.1.
const MAX_LOCAL_OCTETS: usize = 64;

/// A path has at most 256 octets with its angle brackets (RFC 5321 section 4.5.3.1.3).
const MAX_ADDRESS_OCTETS: usize = 254;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_every_valid_form_and_gives_the_domain_as_dns_knows_it() {
        fn check(address: &str, expected: &str) {
            let parsed = MailAddress::parse("to[0].address", address).unwrap();
            assert_eq!(parsed.to_string(), expected);
        }
        check("alice@example.com", "alice@example.com");
        check("Alice+tag@Example.COM", "Alice+tag@example.com");
        check("o'hara_{x}@a-b.example", "o'hara_{x}@a-b.example");
        check(r#""a b"@example.com"#, r#""a b"@example.com"#);
        check(r#""a@b\"c"@example.com"#, r#""a@b\"c"@example.com"#);
        check("x@[192.0.2.1]", "x@[192.0.2.1]");
        check("x@[IPv6:2001:db8::1]", "x@[IPv6:2001:db8::1]");
        check("x@localhost", "x@localhost");
        check("info@müller.example", "info@xn--mller-kva.example");
        check("info@xn--mller-kva.example", "info@xn--mller-kva.example");
        check("x@faß.example", "x@xn--fa-hia.example"); // not "fass": non-transitional
        check("用户@例え.jp", "用户@xn--r8jz45g.jp");
    }

    #[test]
    fn says_what_is_wrong() {
        fn check(address: &str, expected: &str) {
            let error = MailAddress::parse("cc[2].address", address).unwrap_err();
            assert_eq!(error.code(), "invalid-address", "{address:?}");
            let expected = format!("cc[2].address is not a mail address: {expected}");
            assert_eq!(error.to_string(), expected, "{address:?}");
        }
        let letters = |count| "x".repeat(count);
        let no_name = "its domain is no valid domain name (RFC 1123, UTS 46)";
        check("", "it is empty");
        check("alice", "it has no @");
        check("@example.com", "nothing stands before the @");
        check("alice@", "nothing stands behind the @");
        check("alice smith@example.com", "it has a space");
        check("alice\u{a0}@example.com", "it has a space");
        check("alice@example.com ", "it has a space");
        check("alice\u{200b}@example.com", "it has an invisible character");
        check("alice@exam\u{ad}ple.com", "it has an invisible character");
        check("a@b@example.com", "it has more than one @");
        check("<alice@example.com>", "it has angle brackets");
        check("Alice<alice@example.com>", "it has angle brackets");
        check(
            "a@example.com,b",
            "it has a comma or semicolon, as if it were several",
        );
        check(
            "a,b@example.com",
            "it has a comma or semicolon, as if it were several",
        );
        check(
            "a:b@example.com",
            "a character before the @ is only allowed inside quotation marks",
        );
        check(
            ".a@example.com",
            "a dot before the @ does not stand between two characters",
        );
        check(
            "a..b@example.com",
            "a dot before the @ does not stand between two characters",
        );
        check("a@example.com.", "its domain ends with a dot");
        check("a@example..com", "a part of its domain is empty");
        check(
            "a@192.0.2.1",
            "an IP address as its domain needs square brackets",
        );
        check("a@[192.0.2]", "no IP address stands in its square brackets");
        check("a@[192.0.2.1", "its square brackets do not match");
        check("\"a@example.com", "its quotation marks do not match");
        check(
            r#""a"b"@example.com"#,
            "a character inside the quotation marks needs a backslash, or is not allowed there",
        );
        check("a@exa_mple.com", no_name);
        check("a@-example.com", no_name);
        check(&format!("a@{}.com", letters(64)), no_name);
        check(
            &format!("{}@example.com", letters(65)),
            "more than 64 octets stand before the @",
        );
        let long_domain = format!("{0}.{0}.{0}.example", letters(60));
        check(
            &format!("{}@{long_domain}", letters(64)),
            "it has more than 254 octets",
        );
    }

    #[test]
    fn refuses_line_breaks_as_injection() {
        let error =
            MailAddress::parse("to[0].address", "a@b.example\r\nRCPT TO:<c@d>").unwrap_err();
        assert_eq!(error.code(), "header-injection");
    }

    #[test]
    fn only_a_local_part_beyond_ascii_needs_smtputf8() {
        fn check(address: &str, expected: bool) {
            let parsed = MailAddress::parse("x", address).unwrap();
            assert_eq!(parsed.needs_smtputf8(), expected, "{address}");
        }
        check("a@müller.example", false);
        check("jürgen@example.com", true);
    }
}
