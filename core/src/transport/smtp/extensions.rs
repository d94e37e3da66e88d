//! What a server offers in its answer to EHLO (RFC 5321 section 4.1.1.1), and the name we give in it.
//! Only what was offered after TLS is used; what came before could have been written by anyone.

use super::auth::Mechanism;
use crate::error::{Error, Result};
use crate::model::{ProblemKind, SmtpReply};
use std::net::{IpAddr, SocketAddr};

/// The extensions a server offers, as far as they are used here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Extensions {
    /// STARTTLS (RFC 3207).
    pub(super) starttls: bool,
    /// PIPELINING (RFC 2920).
    pub(super) pipelining: bool,
    /// CHUNKING (RFC 3030).
    pub(super) chunking: bool,
    /// 8BITMIME (RFC 6152).
    pub(super) eight_bit_mime: bool,
    /// SMTPUTF8 (RFC 6531).
    pub(super) smtputf8: bool,
    /// BINARYMIME (RFC 3030).
    pub(super) binary_mime: bool,
    /// DSN (RFC 3461).
    pub(super) dsn: bool,
    /// REQUIRETLS (RFC 8689).
    pub(super) require_tls: bool,
    /// MT-PRIORITY (RFC 6710).
    pub(super) mt_priority: bool,
    /// SIZE (RFC 1870) with the largest message in octets; zero is an offer without a fixed limit.
    pub(super) size_limit_bytes: Option<u64>,
    /// AUTH (RFC 4954); `None` when it is not offered at all.
    pub(super) auth: Option<Vec<Mechanism>>,
}

impl Extensions {
    /// Reads an answer to EHLO. Its first line is a greeting; unknown keywords are passed over.
    pub(super) fn parse(reply: &SmtpReply) -> Self {
        let mut extensions = Self::default();
        for line in reply.text.lines().skip(1) {
            extensions.add(line);
        }
        extensions
    }

    fn add(&mut self, line: &str) {
        let mut words = line.split_ascii_whitespace();
        let keyword = words.next().unwrap_or_default().to_ascii_uppercase();
        match keyword.as_str() {
            "STARTTLS" => self.starttls = true,
            "PIPELINING" => self.pipelining = true,
            "CHUNKING" => self.chunking = true,
            "8BITMIME" => self.eight_bit_mime = true,
            "SMTPUTF8" => self.smtputf8 = true,
            "BINARYMIME" => self.binary_mime = true,
            "DSN" => self.dsn = true,
            "REQUIRETLS" => self.require_tls = true,
            "MT-PRIORITY" => self.mt_priority = true,
            "SIZE" => {
                let limit = words.next().and_then(|word| word.parse().ok());
                self.size_limit_bytes = Some(limit.unwrap_or_default());
            }
            "AUTH" => {
                let mechanisms = self.auth.get_or_insert_default();
                mechanisms.extend(words.filter_map(Mechanism::named));
            }
            _ => {}
        }
    }
}

/// Checks a name to give in EHLO: a domain name or an address literal. Errors: `Config`.
pub(super) fn checked_ehlo_name(name: &str) -> Result<String> {
    if is_domain(name) || is_address_literal(name) {
        return Ok(name.to_owned());
    }
    Err(Error::new(
        ProblemKind::Config,
        "ehlo-name-invalid",
        format!("not a name for EHLO: {}", name.escape_debug()),
        "give this host's DNS name in ASCII, such as host.example.com, or leave it out (ehlo_name)",
    ))
}

/// This end's address as a name for EHLO (RFC 5321 section 4.1.3).
///
/// It is always well-formed, whereas a machine's own name often is not, and servers refuse those.
pub(super) fn address_literal(this_end: Option<SocketAddr>) -> String {
    match this_end.map(|address| address.ip().to_canonical()) {
        Some(IpAddr::V4(address)) => format!("[{address}]"),
        Some(IpAddr::V6(address)) => format!("[IPv6:{address}]"),
        None => "[127.0.0.1]".to_owned(),
    }
}

fn is_domain(name: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
    };
    name.len() <= 255 && name.split('.').all(is_label)
}

fn is_address_literal(name: &str) -> bool {
    let Some(inside) = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'))
    else {
        return false;
    };
    match inside.strip_prefix("IPv6:") {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => inside.parse::<std::net::Ipv4Addr>().is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extensions(lines: &[&str]) -> Extensions {
        Extensions::parse(&SmtpReply {
            code: 250,
            enhanced_status: None,
            text: lines.join("\n"),
        })
    }

    #[test]
    fn reads_what_exchange_online_offers() {
        let offered = extensions(&[
            "PN4P287CA0064.outlook.office365.com Hello [203.0.113.5]",
            "SIZE 157286400",
            "PIPELINING",
            "DSN",
            "ENHANCEDSTATUSCODES",
            "AUTH LOGIN XOAUTH2",
            "8BITMIME",
            "BINARYMIME",
            "CHUNKING",
            "SMTPUTF8",
        ]);
        let expected = Extensions {
            starttls: false,
            pipelining: true,
            chunking: true,
            eight_bit_mime: true,
            smtputf8: true,
            binary_mime: true,
            dsn: true,
            require_tls: false,
            mt_priority: false,
            size_limit_bytes: Some(157_286_400),
            auth: Some(vec![Mechanism::Login, Mechanism::XOAuth2]),
        };
        assert_eq!(offered, expected);
    }

    #[test]
    fn keywords_are_read_in_any_case_and_never_from_the_greeting_line() {
        assert_eq!(extensions(&["STARTTLS"]), Extensions::default());
        assert_eq!(extensions(&[]), Extensions::default());
        let offered = extensions(&["host", "StartTLS", "size", "auth", "X-UNKNOWN a b", ""]);
        assert!(offered.starttls);
        assert_eq!(offered.size_limit_bytes, Some(0));
        assert_eq!(offered.auth, Some(vec![]));
        assert_eq!(extensions(&["host", "SIZE many"]).size_limit_bytes, Some(0));
    }

    #[test]
    fn names_this_end_by_its_address() {
        fn check(this_end: Option<&str>, expected: &str) {
            let this_end = this_end.map(|address| address.parse().unwrap());
            let name = address_literal(this_end);
            assert_eq!(name, expected);
            assert_eq!(checked_ehlo_name(&name).unwrap(), expected);
        }
        check(Some("192.0.2.7:4711"), "[192.0.2.7]");
        check(Some("[::1]:4711"), "[IPv6:::1]");
        check(Some("[2001:db8::7]:4711"), "[IPv6:2001:db8::7]");
        check(Some("[::ffff:192.0.2.7]:4711"), "[192.0.2.7]");
        check(None, "[127.0.0.1]");
    }

    #[test]
    fn takes_names_that_fit_the_command() {
        fn check(name: &str) {
            assert_eq!(checked_ehlo_name(name).unwrap(), name);
        }
        check("host.example.com");
        check("localhost");
        check("xn--bcher-kva.example");
        check("[192.0.2.7]");
        check("[IPv6:2001:db8::1]");
    }

    #[test]
    fn refuses_names_that_could_break_the_command() {
        fn check(name: &str) {
            let error = checked_ehlo_name(name).unwrap_err();
            assert_eq!(error.code(), "ehlo-name-invalid");
        }
        check("");
        check("a b");
        check("a\r\nMAIL FROM:<x@y>");
        check("MacBook_of.someone");
        check("a..b");
        check("-a.example");
        check("[1.2.3]");
        check("[IPv6:zz]");
        check("b\u{fc}cher.example");
        check(&"a.".repeat(200));
    }
}
