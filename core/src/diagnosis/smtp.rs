//! The error for a refusal by an SMTP server.
//! The reply's text decides where the catalogue knows it; otherwise its codes do (RFC 5321 section 4.2, RFC 3463).

use super::catalogue::{self, Cause, Enhanced, Place};
use super::class::classify;
use super::judge::judge;
use super::redact::without_secrets;
use super::sighting::{Reply, Sighting};
use super::situation::Situation;
use crate::error::{DEFAULT_RETRY_MS, Error};
use crate::model::{ProblemKind, Retry, SmtpReply};
use serde::Deserialize;

/// At which point of the SMTP dialogue a reply came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SmtpPhase {
    /// The greeting, before any command.
    Greeting,
    /// EHLO, STARTTLS.
    Session,
    /// AUTH, including a refusal after a 334.
    Auth,
    /// MAIL FROM.
    Mail,
    /// RCPT TO.
    Recipient,
    /// DATA, BDAT, or the verdict on the message.
    Data,
}

/// The error for an SMTP reply that is a refusal (4yz or 5yz), or out of place.
pub(crate) fn smtp_refusal(host: &str, phase: SmtpPhase, reply: &SmtpReply) -> Error {
    refusal(host, phase, reply, "* sign-in by token")
}

/// The error for a refusal of a password.
pub(crate) fn password_refusal(host: &str, reply: &SmtpReply) -> Error {
    refusal(host, SmtpPhase::Auth, reply, "* sign-in by password")
}

fn refusal(host: &str, phase: SmtpPhase, reply: &SmtpReply, sign_in: &str) -> Error {
    let (cause, confidence) = cause_of(host, phase, reply, sign_in);
    let (class, scope) = classify(cause, confidence, phase, reply);
    let (kind, code, meaning, fix) = match cause {
        Some(cause) => (
            cause.kind,
            cause.code.as_str(),
            cause.meaning.as_str(),
            cause.fix.as_str(),
        ),
        None => (
            ProblemKind::Rejected,
            "unknown",
            "it gave no reason that is known",
            "",
        ),
    };
    let text = format!("{host} {}: {meaning}", what_happened(phase, reply.code));
    Error::new(kind, code, text, fix)
        .with_retry(retry_of(cause, reply.code))
        .with_class(class, scope)
        .with_answer(answer(reply))
}

/// The cause, and how certain it is.
fn cause_of(
    host: &str,
    phase: SmtpPhase,
    reply: &SmtpReply,
    sign_in: &str,
) -> (Option<&'static Cause>, f64) {
    if !(400..600).contains(&reply.code) {
        return (catalogue::cause("smtp-protocol-violation"), 1.0);
    }
    let signs = Reply {
        basic: Some(reply.code),
        enhanced: reply.enhanced_status.as_deref().and_then(Enhanced::parse),
    };
    let sighting = Sighting::of_reply(signs, without_tail(&reply.text), phase);
    let host = format!("host: {}", host.to_ascii_lowercase());
    let situation = Situation::of_lines(&[&host, sign_in, "* mailbearer is the client"]);
    let judgement = judge(&sighting, &situation, &[Place::Smtp]);
    let best = judgement.findings.first();
    match judgement.verdict() {
        Some(cause) => (Some(cause), best.map_or(0.0, |finding| finding.confidence)),
        None => (catalogue::cause(fallback(phase, reply.code)), 0.0),
    }
}

/// The cause when no rule knows the reply: its first digit and the phase are all there is.
fn fallback(phase: SmtpPhase, code: u16) -> &'static str {
    match (phase, code) {
        (_, 400..500) => "transient-server-error",
        (SmtpPhase::Auth, _) => "sign-in-refused",
        (SmtpPhase::Greeting | SmtpPhase::Session, _) => "session-refused",
        (SmtpPhase::Mail, _) => "sender-refused",
        (SmtpPhase::Recipient, _) => "recipient-refused",
        (SmtpPhase::Data, _) => "message-refused",
    }
}

/// A 4yz reply invites another attempt (RFC 5321 section 4.2.1), except where no attempt can succeed before a change
/// of settings or rights.
fn retry_of(cause: Option<&Cause>, code: u16) -> Retry {
    let Some(cause) = cause else {
        return Retry::Never;
    };
    let message_only = cause.kind == ProblemKind::Rejected;
    match cause.retry() {
        Retry::Never if message_only && code < 500 => Retry::After {
            delay_ms: DEFAULT_RETRY_MS,
        },
        retry => retry,
    }
}

fn what_happened(phase: SmtpPhase, code: u16) -> &'static str {
    let for_now = (400..500).contains(&code);
    match (phase, for_now) {
        _ if !(400..600).contains(&code) => "gave an answer that has no place here",
        (SmtpPhase::Greeting, _) => "refused the connection",
        (SmtpPhase::Session, _) => "refused the session",
        (SmtpPhase::Auth, _) => "refused the sign-in of this mailbox",
        (SmtpPhase::Mail, false) => "refused the sender",
        (SmtpPhase::Recipient, false) => "refused the recipient",
        (SmtpPhase::Data, false) => "refused the message",
        (SmtpPhase::Mail, true) => "refused the sender for now",
        (SmtpPhase::Recipient, true) => "refused the recipient for now",
        (SmtpPhase::Data, true) => "refused the message for now",
    }
}

/// The server's own words.
fn answer(reply: &SmtpReply) -> String {
    let enhanced = reply.enhanced_status.as_deref().unwrap_or_default();
    without_secrets(&format!("{} {enhanced} {}", reply.code, reply.text).replace("  ", " "))
}

/// The text without Exchange's `[host time id]` or `[Hostname=host]` at its end.
fn without_tail(text: &str) -> &str {
    let trimmed = text.trim_end();
    match trimmed.rsplit_once('[') {
        Some((before, tail)) if tail.ends_with(']') && tail.contains('.') => before.trim_end(),
        _ => trimmed,
    }
}
