//! From an application's message to octets and an envelope.
//! The header fields stand in the order mail programs write them: who, what, then the application's own.

use super::address::{MailAddress, NamedAddress};
use super::body::body;
use super::header::{HeaderSection, unstructured};
use super::one_line::OneLine;
use super::refusal::rejected;
use super::{BuiltMail, Stamp, custom_header, identifier, list_unsubscribe, transfer};
use crate::body::{Body, Segment, Source};
use crate::error::{Error, Result};
use crate::model::{Message, Priority};
use lettre::message::header::{Date, HeaderName, MIME_VERSION_1_0, MessageId};
use std::collections::HashSet;
use std::time::{Duration, SystemTime};

/// Builds a mail. Of every attachment there is the source of its octets, in the order of the message.
///
/// # Errors
///
/// `Rejected` for whatever is wrong with the message, by the name of the field.
pub(crate) fn build(message: &Message, sources: &[Source], stamp: &Stamp<'_>) -> Result<BuiltMail> {
    let parties = Parties::parse(message, stamp.mailbox)?;
    let given_id = message.message_id.as_deref();
    let message_id = identifier::message_id(given_id, stamp.id, &parties.sender.address)?;
    let header = header_section(message, &parties, &message_id, stamp)?.into_bytes();
    let eight_bit = !header.is_ascii(); // The body never is.
    let mut segments = vec![Segment::Octets(header.into())];
    segments.append(&mut body(message, sources, stamp.id)?);
    let recipients = distinct(parties.recipients());
    Ok(BuiltMail {
        eight_bit,
        mime: Body::new(segments),
        sender: parties.sender.address.to_string(),
        transfer: transfer::checked(&message.transfer, &recipients)?,
        recipients,
        message_id,
        needs_smtputf8: parties.need_smtputf8(),
    })
}

/// Everybody the mail names, and those it does not.
#[derive(Debug)]
struct Parties<'a> {
    sender: NamedAddress<'a>,
    reply_to: Vec<NamedAddress<'a>>,
    to: Vec<NamedAddress<'a>>,
    cc: Vec<NamedAddress<'a>>,
    bcc: Vec<NamedAddress<'a>>,
}

impl<'a> Parties<'a> {
    fn parse(message: &'a Message, mailbox: &'a str) -> Result<Self> {
        let parties = Self {
            sender: sender(message, mailbox)?,
            reply_to: NamedAddress::parse_all("replyTo", &message.reply_to)?,
            to: NamedAddress::parse_all("to", &message.to)?,
            cc: NamedAddress::parse_all("cc", &message.cc)?,
            bcc: NamedAddress::parse_all("bcc", &message.bcc)?,
        };
        if parties.recipients().next().is_none() {
            return Err(no_recipients());
        }
        Ok(parties)
    }

    fn recipients(&self) -> impl Iterator<Item = &MailAddress> {
        let all = self.to.iter().chain(&self.cc).chain(&self.bcc);
        all.map(|entry| &entry.address)
    }

    fn need_smtputf8(&self) -> bool {
        let others = self.reply_to.iter().chain([&self.sender]);
        let mut all = self.recipients().chain(others.map(|entry| &entry.address));
        all.any(MailAddress::needs_smtputf8)
    }
}

fn sender<'a>(message: &'a Message, mailbox: &'a str) -> Result<NamedAddress<'a>> {
    if let Some(sender) = &message.sender {
        return NamedAddress::parse("sender", sender);
    }
    if mailbox.is_empty() {
        return Err(rejected(
            "sender-missing",
            "sender is missing, and the account has no mailbox",
            "give the message a sender, or the account a mailbox",
        ));
    }
    Ok(NamedAddress {
        name: OneLine::default(),
        address: MailAddress::parse("mailbox", mailbox)?,
    })
}

pub(super) fn no_recipients() -> Error {
    rejected(
        "no-recipients",
        "the message has no recipients",
        "give at least one address in to, cc or bcc",
    )
}

/// Each address once, in the order given. Domains compare without case, local parts with (RFC 5321 section 2.4).
pub(super) fn distinct<'a>(addresses: impl Iterator<Item = &'a MailAddress>) -> Vec<String> {
    let mut seen = HashSet::new();
    let texts = addresses.map(ToString::to_string);
    texts.filter(|text| seen.insert(text.clone())).collect()
}

fn header_section(
    message: &Message,
    parties: &Parties<'_>,
    message_id: &str,
    stamp: &Stamp<'_>,
) -> Result<HeaderSection> {
    let mut section = HeaderSection::default();
    section.add(date(message.date_unix_ms, stamp.now_unix_ms)?);
    section.add_addresses("From", std::slice::from_ref(&parties.sender));
    section.add_addresses("Reply-To", &parties.reply_to);
    section.add_addresses("To", &parties.to);
    section.add_addresses("Cc", &parties.cc);
    if parties.to.is_empty() && parties.cc.is_empty() {
        // An empty group (RFC 5322 section 3.4): filters count a mail without any destination field as spam.
        section.add_constant("To", "undisclosed-recipients:;");
    }
    let subject = OneLine::parse("subject", &message.subject)?;
    section.add_value(unstructured(
        HeaderName::new_from_ascii_str("Subject"),
        subject,
    ));
    section.add(MessageId::from(format!("<{message_id}>")));
    if let Some(priority) = message.priority {
        add_priority(&mut section, priority);
    }
    if let Some(list) = &message.list_unsubscribe {
        section.add_values(list_unsubscribe::fields(list)?);
    }
    section.add_values(custom_header::fields(&message.headers)?);
    section.add(MIME_VERSION_1_0);
    Ok(section)
}

/// lettre's own type would panic outside these years.
fn date(given_unix_ms: Option<i64>, now_unix_ms: i64) -> Result<Date> {
    let unix_ms = u64::try_from(given_unix_ms.unwrap_or(now_unix_ms)).ok();
    let Some(unix_ms) = unix_ms.filter(|ms| *ms <= LAST_DATE_UNIX_MS) else {
        return Err(rejected(
            "date-out-of-range",
            "dateUnixMs is not in the years 1970 to 9999",
            "give dateUnixMs in milliseconds since 1970-01-01T00:00:00Z, or leave it out",
        ));
    };
    Ok(Date::new(
        SystemTime::UNIX_EPOCH + Duration::from_millis(unix_ms),
    ))
}

fn add_priority(section: &mut HeaderSection, priority: Priority) {
    let (number, word) = match priority {
        Priority::High => ("1", "high"),
        Priority::Normal => ("3", "normal"),
        Priority::Low => ("5", "low"),
    };
    section.add_constant("X-Priority", number);
    section.add_constant("Importance", word);
}

/// 9999-12-31T23:59:59.999Z, the last moment with a year of four digits.
const LAST_DATE_UNIX_MS: u64 = 253_402_300_799_999;
