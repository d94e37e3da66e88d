//! What a server's answer means: cause, fix and retry advice from a catalogue that is data.
//! Every answer of a server passes through here once; nothing else decides what an answer means.
//! Nothing here asks a server anything: what the texts do not say stays a list of possible causes.

mod catalogue;
mod class;
mod explain;
mod graph;
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
pub(crate) use graph::graph_refusal;
pub(crate) use smtp::{SmtpPhase, password_refusal, smtp_refusal};
pub(crate) use token::{OAuthError, token_refusal};

use crate::error::Error;
use crate::model::ProblemKind;

/// The error for a cause that the caller has recognised itself: kind, fix and retry advice come from the catalogue.
pub(crate) fn problem(code: &str, text: impl Into<String>) -> Error {
    match catalogue::cause(code) {
        Some(cause) => classified(
            Error::new(cause.kind, code, text, &cause.fix).with_retry(cause.retry()),
            cause,
        ),
        None => Error::new(ProblemKind::Internal, code, text, REPORT_IT),
    }
}

fn classified(error: Error, cause: &Cause) -> Error {
    match (cause.class, cause.scope) {
        (Some(class), Some(scope)) => error.with_class(class, scope),
        _ => error,
    }
}

const REPORT_IT: &str = "Report this as a fault of Mailbearer.";

#[cfg(test)]
mod cases;
#[cfg(test)]
mod class_tests;
#[cfg(test)]
mod tests;
