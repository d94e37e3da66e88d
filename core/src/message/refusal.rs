//! The one way to refuse input: by the field's own name, with what is wrong and what to do.
//! Never repeats the value: it may be long, private, or the very characters that were refused.

use crate::error::Error;
use crate::model::ProblemKind;

/// The message must be changed before it can be sent.
pub(super) fn rejected(code: &str, text: impl Into<String>, fix: impl Into<String>) -> Error {
    Error::new(ProblemKind::Rejected, code, text, fix)
}
