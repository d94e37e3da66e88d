//! Whether what the demo shows has really happened. The handle's word is compared with the sandbox's: its inbox holds
//! what arrived, from whom, by which sign-in, and it knows nothing of the handle.

use super::SignIn;
use super::mail::{ATTACHMENT, IMAGE, UNKNOWN};
use crate::delivery::origin;
use mail_parser::{MessageParser, MimeHeaders};
use mailbearer::model::{Delivery, RecipientVerdict, TokenOrigin, Verdict};
use mailbearer_sandbox::directory::seed;
use mailbearer_sandbox::inbox::StoredMail;
use serde::Serialize;
use std::sync::Arc;

/// One thing that must have happened.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Check {
    pub(super) what: &'static str,
    pub(super) happened: bool,
    pub(super) expected: String,
    pub(super) found: String,
}

/// Everything there is to compare.
pub(super) struct Evidence<'a> {
    pub(super) person: &'a SignIn,
    pub(super) application: &'a SignIn,
    pub(super) rich: &'a Delivery,
    pub(super) plain: &'a Delivery,
    pub(super) inbox: Vec<Arc<StoredMail>>,
}

pub(super) fn all(evidence: &Evidence<'_>) -> Vec<Check> {
    let (rich, plain) = (evidence.rich, evidence.plain);
    let (first, second) = (evidence.inbox.first(), evidence.inbox.get(1));
    vec![
        Check::new(
            "a person's device code gave a token that permits SMTP.Send alone",
            token(TokenOrigin::DeviceCode, &["SMTP.Send"]),
            token_of(evidence.person),
        ),
        Check::new(
            "an application's client secret gave one that permits SMTP.SendAsApp alone",
            token(TokenOrigin::ClientSecret, &["SMTP.SendAsApp"]),
            token_of(evidence.application),
        ),
        Check::new(
            "both mails went over TLS 1.3",
            [TLS; 2].join(", "),
            tls_of(&[rich, plain]),
        ),
        Check::new(
            "the first was taken for two recipients, and refused for one with a cause and a fix",
            list([
                format!("{} {ACCEPTED}", seed::BOB),
                format!("{UNKNOWN} {EXPLAINED}"),
                format!("{} {ACCEPTED}", seed::BILLING),
            ]),
            list(rich.recipients.iter().map(verdict_on)),
        ),
        Check::new(
            "the second was taken for its recipient",
            format!("{} {ACCEPTED}", seed::ALICE),
            list(plain.recipients.iter().map(verdict_on)),
        ),
        Check::new(
            "two mails arrived, and no other",
            2.to_string(),
            evidence.inbox.len().to_string(),
        ),
        Check::new(
            "the first as the person, for those two recipients, under its Message-ID",
            sent(seed::ALICE, rich),
            arrived(first),
        ),
        Check::new(
            "the second as the application, for its recipient, under its Message-ID",
            sent(seed::BILLING, plain),
            arrived(second),
        ),
        Check::new(
            "image and attachment arrived octet for octet",
            list([IMAGE, ATTACHMENT].map(|(name, _)| format!("{name} {WHOLE}"))),
            files(first),
        ),
    ]
}

impl Check {
    fn new(what: &'static str, expected: String, found: String) -> Self {
        Self {
            what,
            happened: expected == found,
            expected,
            found,
        }
    }
}

const TLS: &str = "TLSv1.3";
const ACCEPTED: &str = "accepted";
const EXPLAINED: &str = "refused and explained";
const WHOLE: &str = "whole";
const NOTHING: &str = "nothing";

fn token(from: TokenOrigin, permissions: &[&str]) -> String {
    format!("{}: {}", origin(from), permissions.join(" "))
}

fn token_of(sign_in: &SignIn) -> String {
    let permissions: Vec<&str> = sign_in.token.scopes.iter().map(String::as_str).collect();
    let token = sign_in.token.origin.map(|from| token(from, &permissions));
    token.unwrap_or_else(|| NOTHING.to_owned())
}

fn tls_of(deliveries: &[&Delivery]) -> String {
    list(deliveries.iter().map(|delivery| {
        let tls = delivery.trail.tls.as_ref();
        tls.map_or(NOTHING, |tls| &tls.version).to_owned()
    }))
}

fn verdict_on(recipient: &RecipientVerdict) -> String {
    let is_explained = !recipient.code.is_empty() && !recipient.fix.is_empty();
    let verdict = match recipient.verdict {
        Verdict::Accepted => ACCEPTED.to_owned(),
        Verdict::Refused if is_explained => EXPLAINED.to_owned(),
        other => format!("{other:?}"),
    };
    format!("{} {verdict}", recipient.address)
}

/// A delivery as the handle tells it.
fn sent(by: &str, delivery: &Delivery) -> String {
    let with = |verdict| {
        let recipients = delivery.recipients.iter();
        let recipients = recipients.filter(move |recipient| recipient.verdict == verdict);
        list(recipients.map(|recipient| recipient.address.clone()))
    };
    described(
        by,
        by,
        &with(Verdict::Accepted),
        &with(Verdict::Refused),
        &delivery.message_id,
    )
}

/// The same mail as the sandbox received it.
fn arrived(stored: Option<&Arc<StoredMail>>) -> String {
    let Some(stored) = stored else {
        return NOTHING.to_owned();
    };
    let mail = &stored.mail;
    let refused = mail.refused_recipients.iter();
    let parsed = MessageParser::default().parse(&mail.mime);
    described(
        mail.authenticated_as.as_deref().unwrap_or(NOTHING),
        &mail.envelope_sender,
        &list(mail.accepted_recipients.iter().cloned()),
        &list(refused.map(|refused| refused.address.clone())),
        parsed
            .as_ref()
            .and_then(|mail| mail.message_id())
            .unwrap_or(NOTHING),
    )
}

fn described(signed_in: &str, sender: &str, accepted: &str, refused: &str, id: &str) -> String {
    format!("{id} by {signed_in} from {sender} to {accepted}; refused: {refused}")
}

/// The attached files by name, and whether their octets are those that were sent.
fn files(stored: Option<&Arc<StoredMail>>) -> String {
    let parsed = stored.and_then(|stored| MessageParser::default().parse(&stored.mail.mime));
    let Some(mail) = parsed else {
        return NOTHING.to_owned();
    };
    list(mail.attachments().map(|part| {
        let name = part.attachment_name().unwrap_or(NOTHING);
        let is_whole = [IMAGE, ATTACHMENT].contains(&(name, part.contents()));
        format!("{name} {}", if is_whole { WHOLE } else { "changed" })
    }))
}

fn list(items: impl IntoIterator<Item = String>) -> String {
    items.into_iter().collect::<Vec<_>>().join(", ")
}
