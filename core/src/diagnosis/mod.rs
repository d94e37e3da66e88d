//! What a server's answer means: cause, fix and retry advice from a catalogue that is data.
//! Every answer of a server passes through here once; nothing else decides what an answer means.

use crate::error::Error;
use crate::model::{Diagnosis, Evidence, ProblemKind, SmtpReply};

/// At which point of the SMTP dialogue a reply came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    Error::new(
        ProblemKind::Rejected,
        "unknown",
        format!("{host} answered {} at {phase:?}", reply.code),
        "",
    )
}

/// The error for a token or device authorization endpoint's refusal.
///
/// `body` is the endpoint's answer as it came; `retry_after_ms` its `Retry-After`, if any.
pub(crate) fn token_refusal(
    host: &str,
    status: u16,
    retry_after_ms: Option<u64>,
    body: &[u8],
) -> Error {
    let _ = (retry_after_ms, body);
    Error::new(
        ProblemKind::SignIn,
        "unknown",
        format!("{host} answered {status}"),
        "",
    )
}

/// The possible causes of a failure, best first; empty when nothing in the catalogue fits.
pub fn explain(evidence: &Evidence) -> Vec<Diagnosis> {
    let _ = evidence;
    Vec::new()
}
