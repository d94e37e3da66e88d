//! What a server's answer means: cause, fix and retry advice from a catalogue that is data.
//! Every answer of a server passes through here once; nothing else decides what an answer means.
//! Nothing here asks a server anything: what the texts do not say stays a list of possible causes.

mod catalogue;
mod explain;
mod judge;
mod question;
mod reading;
mod redact;
mod sighting;
mod situation;
mod smtp;
mod token;

pub use catalogue::{Cause, causes, codes};
pub(crate) use explain::explain;
pub(crate) use smtp::{SmtpPhase, smtp_refusal};
pub(crate) use token::{OAuthError, token_refusal};

use crate::error::Error;
use crate::model::ProblemKind;

/// The error for a cause that the caller has recognised itself: kind, fix and retry advice come from the catalogue.
pub(crate) fn problem(code: &str, text: impl Into<String>) -> Error {
    match catalogue::cause(code) {
        Some(cause) => Error::new(cause.kind, code, text, &cause.fix).with_retry(cause.retry()),
        None => Error::new(ProblemKind::Internal, code, text, REPORT_IT),
    }
}

const REPORT_IT: &str = "Report this as a fault of Mailbearer.";

#[cfg(test)]
mod cases;
#[cfg(test)]
mod tests;
