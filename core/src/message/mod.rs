//! Mail from plain data: RFC 5322 and MIME.
use crate::error::{Error, Result};
use crate::model::{Bytes, Envelope, Message, ProblemKind};
pub(crate) struct Stamp<'a> {
    pub(crate) now_unix_ms: i64,
    pub(crate) id: &'a str,
    pub(crate) mailbox: &'a str,
}
pub(crate) struct BuiltMail {
    pub(crate) mime: bytes::Bytes,
    pub(crate) sender: String,
    pub(crate) recipients: Vec<String>,
    pub(crate) message_id: String,
    pub(crate) needs_smtputf8: bool,
    pub(crate) eight_bit: bool,
}
pub(crate) fn build(_: &Message, s: &Stamp<'_>) -> Result<BuiltMail> {
    let _ = (s.now_unix_ms, s.id, s.mailbox);
    Err(Error::new(ProblemKind::Internal, "stub", "stub", "stub"))
}
pub(crate) fn raw(_: &Envelope, m: &Bytes, _: &str) -> Result<BuiltMail> {
    let _ = m.shared();
    Err(Error::new(ProblemKind::Internal, "stub", "stub", "stub"))
}
