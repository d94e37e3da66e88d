//! MAIL and RCPT as lines that are safe to send, checked against what the server offers.
//! What the addresses mean is the server's business: the check is about the command, so that no address can end it,
//! add to it, or be read as something else.

use super::extensions::Extensions;
use super::notification::{mail_parameters, recipient_parameters};
use crate::body::Form;
use crate::error::{Error, Result};
use crate::model::{ProblemKind, TransferOption, TransferOptions};
use crate::transport::OutgoingMail;

/// Who a mail is from and to, in addresses that fit into commands, and what it needs of a server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Envelope<'a> {
    mail: &'a OutgoingMail,
    needs_smtputf8: bool,
}

/// The commands of an envelope for one server, with CRLF.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EnvelopeCommands {
    /// MAIL FROM.
    pub(super) mail: String,
    /// RCPT TO, at least one, in order.
    pub(super) recipients: Vec<String>,
    /// What the mail asks for and the server does not offer.
    pub(super) not_offered: Vec<TransferOption>,
}

impl<'a> Envelope<'a> {
    /// Checks the addresses. Errors: `Misuse`, `Rejected`.
    pub(super) fn parse(mail: &'a OutgoingMail) -> Result<Self> {
        if mail.recipients.is_empty() {
            return Err(no_recipients());
        }
        let sender = (!mail.sender.is_empty()).then_some(&mail.sender);
        let addresses = || sender.into_iter().chain(&mail.recipients);
        if let Some(address) = addresses().find(|address| !is_safe_address(address)) {
            return Err(bad_address(address));
        }
        let needs_smtputf8 = mail.needs_smtputf8 || addresses().any(|address| !address.is_ascii());
        Ok(Self {
            mail,
            needs_smtputf8,
        })
    }

    /// The commands for a server that offers these extensions, with the message in this form. Errors: `Rejected`.
    pub(super) fn commands(
        &self,
        host: &str,
        offered: &Extensions,
        form: Form,
    ) -> Result<EnvelopeCommands> {
        let recipients = self.mail.recipients.iter();
        Ok(EnvelopeCommands {
            mail: self.mail_command(host, offered, form)?,
            recipients: recipients
                .map(|address| self.recipient_command(address, offered))
                .collect(),
            not_offered: self.not_offered(offered),
        })
    }

    fn recipient_command(&self, address: &str, offered: &Extensions) -> String {
        let notification = self.mail.transfer.notification.as_ref();
        let parameters = notification.filter(|_| offered.dsn);
        let parameters = parameters.map(|asked| recipient_parameters(asked, address));
        format!("RCPT TO:<{address}>{}\r\n", parameters.unwrap_or_default())
    }

    /// A notification is about the mail, and a place in the queue a wish: neither is a reason not to deliver it.
    fn not_offered(&self, offered: &Extensions) -> Vec<TransferOption> {
        let mut lacking = asked_for(&self.mail.transfer);
        lacking.retain(|option| match option {
            TransferOption::Notification => !offered.dsn,
            TransferOption::Priority => !offered.mt_priority,
        });
        lacking
    }

    fn mail_command(&self, host: &str, offered: &Extensions, form: Form) -> Result<String> {
        let mut words = vec![format!("MAIL FROM:<{}>", self.mail.sender)];
        let size_bytes = self.mail.mime.size_bytes(form);
        if let Some(limit) = offered.size_limit_bytes {
            if limit > 0 && size_bytes > limit {
                return Err(too_large(host, size_bytes, limit));
            }
            words.push(format!("SIZE={size_bytes}"));
        }
        if form == Form::Binary {
            words.push("BODY=BINARYMIME".to_owned());
        } else if self.mail.eight_bit {
            if !offered.eight_bit_mime {
                return Err(no_eight_bit(host));
            }
            words.push("BODY=8BITMIME".to_owned());
        }
        if self.needs_smtputf8 {
            if !offered.smtputf8 {
                return Err(no_smtputf8(host));
            }
            words.push("SMTPUTF8".to_owned());
        }
        let asked = &self.mail.transfer;
        if asked.require_tls {
            if !offered.require_tls {
                return Err(no_require_tls(host));
            }
            words.push("REQUIRETLS".to_owned());
        }
        if let Some(priority) = asked.priority.filter(|_| offered.mt_priority) {
            words.push(format!("MT-PRIORITY={priority}"));
        }
        if let Some(notification) = asked.notification.as_ref().filter(|_| offered.dsn) {
            words.extend(mail_parameters(notification));
        }
        Ok(format!("{}\r\n", words.join(" ")))
    }
}

/// Whether an address stays one address inside the angle brackets of a command.
///
/// More permissive than RFC 5321 section 4.1.2 where real mailboxes are (dots next to each other, single-label
/// domains), and never so about what separates: line ends, control characters and angle brackets nowhere, spaces and
/// the other specials only within a quoted local part.
pub(super) fn is_safe_address(address: &str) -> bool {
    let Some((local_part, domain)) = address.rsplit_once('@') else {
        return false;
    };
    let is_safe_anywhere =
        |c: char| !c.is_control() && !matches!(c, '<' | '>' | '\u{2028}' | '\u{2029}');
    address.chars().all(is_safe_anywhere) && is_local_part(local_part) && is_domain(domain)
}

fn is_local_part(local_part: &str) -> bool {
    let quoted = local_part
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    match quoted {
        Some(inside) => is_quoted_text(inside),
        None => !local_part.is_empty() && !local_part.contains(is_special),
    }
}

/// Whether every quotation mark and backslash is itself quoted by a backslash.
fn is_quoted_text(inside: &str) -> bool {
    let mut characters = inside.chars();
    while let Some(c) = characters.next() {
        let is_complete = match c {
            '"' => false,
            '\\' => characters.next().is_some(),
            _ => true,
        };
        if !is_complete {
            return false;
        }
    }
    true
}

fn is_special(c: char) -> bool {
    c.is_whitespace() || r#"()[]:;,@\""#.contains(c)
}

fn is_domain(domain: &str) -> bool {
    let literal = domain
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    match literal {
        Some(inside) => {
            !inside.is_empty()
                && inside
                    .bytes()
                    .all(|octet| octet.is_ascii_alphanumeric() || b".:-".contains(&octet))
        }
        None => {
            !domain.is_empty()
                && domain
                    .chars()
                    .all(|c| c.is_alphanumeric() || "-._".contains(c) || is_mark(c))
        }
    }
}

/// Whether a character is a letter's mark in some script: `char::is_alphanumeric` leaves out many of them.
fn is_mark(c: char) -> bool {
    !c.is_ascii() && !c.is_whitespace()
}

fn no_recipients() -> Error {
    Error::new(
        ProblemKind::Misuse,
        "recipients-missing",
        "the mail has no recipient",
        "name at least one recipient",
    )
}

pub(super) fn bad_address(address: &str) -> Error {
    Error::new(
        ProblemKind::Rejected,
        "address-invalid",
        format!(
            "not an address to send from or to: {}",
            address.escape_debug()
        ),
        "correct the address: local part, @, domain, and nothing around them",
    )
}

fn too_large(host: &str, size_bytes: u64, limit_bytes: u64) -> Error {
    Error::new(
        ProblemKind::Rejected,
        "size-limit",
        format!("the message has {size_bytes} octets, and {host} takes at most {limit_bytes}"),
        "send less, or a link to it; an administrator can raise the limit up to the server's own",
    )
}

fn no_eight_bit(host: &str) -> Error {
    Error::new(
        ProblemKind::Rejected,
        "8bitmime-unsupported",
        format!("the message has octets above 127, and {host} does not take them (no 8BITMIME)"),
        "encode every part as quoted-printable or base64, and header fields as RFC 2047 says",
    )
}

fn no_smtputf8(host: &str) -> Error {
    Error::new(
        ProblemKind::Rejected,
        "smtputf8-unsupported",
        format!(
            "an address or header field is not ASCII, and {host} does not take that (no SMTPUTF8)"
        ),
        "use ASCII addresses, with the domain in its xn-- form, or another server",
    )
}

/// What a mail asks for that servers may lack.
pub(crate) fn asked_for(transfer: &TransferOptions) -> Vec<TransferOption> {
    let asked = [
        (
            TransferOption::Notification,
            transfer.notification.is_some(),
        ),
        (TransferOption::Priority, transfer.priority.is_some()),
    ];
    let asked = asked.into_iter().filter(|(_, is_asked)| *is_asked);
    asked.map(|(option, _)| option).collect()
}

pub(crate) fn no_require_tls(host: &str) -> Error {
    Error::new(
        ProblemKind::Rejected,
        "requiretls-unsupported",
        format!(
            "the mail requires TLS all the way, and {host} cannot promise it (no REQUIRETLS): nothing was sent"
        ),
        "encrypt what is secret (S/MIME), use a server with REQUIRETLS, or leave requireTls out: the connection to this \
         server has TLS all the same",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::smtp::testing::mail;
    use proptest::prelude::*;

    fn everything() -> Extensions {
        Extensions {
            eight_bit_mime: true,
            smtputf8: true,
            size_limit_bytes: Some(0),
            ..Extensions::default()
        }
    }

    #[test]
    fn asks_for_what_the_mail_needs_and_the_server_offers() {
        fn check(mail: &OutgoingMail, offered: &Extensions, expected: Result<&str, &str>) {
            let commands = Envelope::parse(mail).unwrap();
            let commands = commands.commands("host", offered, Form::Base64);
            let command = commands.as_ref().map(|commands| commands.mail.as_str());
            assert_eq!(command.map_err(Error::code), expected);
        }
        let plain = mail(&["b@example.com"]);
        let size = plain.mime.size_bytes(Form::Base64);
        let nothing = Extensions::default();
        check(&plain, &nothing, Ok("MAIL FROM:<ada@example.com>\r\n"));
        check(
            &plain,
            &everything(),
            Ok(&format!("MAIL FROM:<ada@example.com> SIZE={size}\r\n")),
        );
        let bounce = OutgoingMail {
            sender: String::new(),
            ..plain.clone()
        };
        check(&bounce, &nothing, Ok("MAIL FROM:<>\r\n"));

        let limit = |size_limit_bytes| Extensions {
            size_limit_bytes: Some(size_limit_bytes),
            ..nothing.clone()
        };
        let exactly = size;
        check(
            &plain,
            &limit(exactly),
            Ok(&format!("MAIL FROM:<ada@example.com> SIZE={size}\r\n")),
        );
        check(&plain, &limit(exactly - 1), Err("size-limit"));

        let eight_bit = OutgoingMail {
            eight_bit: true,
            ..plain.clone()
        };
        check(&eight_bit, &nothing, Err("8bitmime-unsupported"));
        check(
            &eight_bit,
            &everything(),
            Ok(&format!(
                "MAIL FROM:<ada@example.com> SIZE={size} BODY=8BITMIME\r\n"
            )),
        );

        let flagged = OutgoingMail {
            needs_smtputf8: true,
            ..plain.clone()
        };
        check(&flagged, &nothing, Err("smtputf8-unsupported"));
        let named = mail(&["b\u{fc}ro@example.com"]);
        check(&named, &nothing, Err("smtputf8-unsupported"));
        check(
            &named,
            &everything(),
            Ok(&format!(
                "MAIL FROM:<ada@example.com> SIZE={size} SMTPUTF8\r\n"
            )),
        );
    }

    #[test]
    fn asks_for_more_only_where_it_is_offered_and_never_less_than_tls() {
        fn check(offered: &Extensions, expected: Result<(&str, &[TransferOption]), &str>) {
            let mail = OutgoingMail {
                transfer: TransferOptions {
                    require_tls: offered.require_tls || offered.smtputf8,
                    priority: Some(-4),
                    notification: Some(Default::default()),
                },
                ..mail(&["b@example.com"])
            };
            let envelope = Envelope::parse(&mail).unwrap();
            let commands = envelope.commands("host", offered, Form::Base64);
            let found = commands
                .as_ref()
                .map(|found| (found.mail.as_str(), found.not_offered.as_slice()));
            assert_eq!(found.map_err(Error::code), expected);
        }
        let nothing = Extensions::default();
        let both = [TransferOption::Notification, TransferOption::Priority];
        check(&nothing, Ok(("MAIL FROM:<ada@example.com>\r\n", &both)));
        check(&everything(), Err("requiretls-unsupported"));
        let all = Extensions {
            require_tls: true,
            mt_priority: true,
            dsn: true,
            ..nothing
        };
        let expected = "MAIL FROM:<ada@example.com> REQUIRETLS MT-PRIORITY=-4\r\n";
        check(&all, Ok((expected, &[])));
    }

    #[test]
    fn names_every_recipient_in_order() {
        let mail = mail(&["b@example.com", "\"c d\"@example.com"]);
        let commands = Envelope::parse(&mail)
            .unwrap()
            .commands("host", &everything(), Form::Base64)
            .unwrap();
        let expected = [
            "RCPT TO:<b@example.com>\r\n",
            "RCPT TO:<\"c d\"@example.com>\r\n",
        ];
        assert_eq!(commands.recipients, expected);
    }

    #[test]
    fn takes_addresses_as_mailboxes_really_have_them() {
        fn check(address: &str) {
            assert!(is_safe_address(address), "{address}");
        }
        check("a@b");
        check("a..b.@docomo.example");
        check("o'neil+tag=1@example.com");
        check("a/b!c%d@under_score.example.com");
        check("\"a b\"@example.com");
        check("\"a@b\\\"c,\"@example.com");
        check("a@[192.0.2.1]");
        check("a@[IPv6:2001:db8::1]");
        check("b\u{fc}ro@b\u{fc}cher.example");
        check("\u{909}\u{92a}\u{92f}\u{94b}\u{917}@\u{921}\u{93e}\u{91f}\u{93e}.example");
    }

    #[test]
    fn refuses_addresses_that_could_break_a_command() {
        fn check(address: &str) {
            let mail = mail(&["b@example.com", address]);
            assert_eq!(
                Envelope::parse(&mail).unwrap_err().code(),
                "address-invalid",
                "{address:?}"
            );
        }
        check("");
        check("a");
        check("@b");
        check("a@");
        check("a@b\r\nRCPT TO:<c@d>");
        check("a@b\n");
        check("\"a\rb\"@c");
        check("a@b>");
        check("a@b> NOTIFY=NEVER");
        check("\"a>b\"@c");
        check("<a@b>");
        check("a b@c");
        check("a@b c");
        check("a\u{a0}b@c");
        check("a\u{0}@b");
        check("a\u{85}@b");
        check("a\u{2028}@b");
        check("\"a\"b\"@c");
        check("\"a\\\"@c");
        check("\"a@c");
        check("a,b@c");
        check("@x,@y:a@b");
        check("a@[1.2.3.4] X");
        check("a@[]");
        check("a@b,c");
    }

    #[test]
    fn refuses_a_sender_like_a_recipient_and_a_mail_for_nobody() {
        let bad = OutgoingMail {
            sender: "a@b>\r\n".to_owned(),
            ..mail(&["b@example.com"])
        };
        assert_eq!(Envelope::parse(&bad).unwrap_err().code(), "address-invalid");
        assert_eq!(
            Envelope::parse(&mail(&[])).unwrap_err().code(),
            "recipients-missing"
        );
    }

    proptest! {
        #[test]
        fn every_command_is_one_line_with_one_pair_of_brackets(address in "[a-z<>\" \r\n@.\\\\,\u{85}\u{2028}]{1,12}") {
            let mail = mail(&[&address]);
            if let Ok(envelope) = Envelope::parse(&mail) {
                let commands = envelope.commands("host", &everything(), Form::Base64).unwrap();
                let command = &commands.recipients[0];
                prop_assert_eq!(command.find('\r'), Some(command.len() - 2));
                prop_assert_eq!(command.find('\n'), Some(command.len() - 1));
                prop_assert_eq!(command.matches(['<', '>']).count(), 2);
            }
        }
    }
}
