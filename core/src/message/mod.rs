//! Mail from plain data: RFC 5322 and MIME, checked field by field, ready for a transport.
//! Deliberately without I/O, clock or randomness: the same input gives the same octets.
//!
//! lettre encodes texts and writes each part's fields. The header fields are written here, because lettre's own message
//! builder keeps one field per name, never folds an address list, and takes control characters in a field's name; and so
//! are the frames around the parts, because lettre's need all octets of all attachments in memory at once.

mod address;
mod attachment;
mod body;
mod build;
mod custom_header;
mod header;
mod identifier;
mod list_unsubscribe;
mod media_type;
mod one_line;
mod raw;
mod refusal;
#[cfg(test)]
mod tests;
mod transfer;

pub(crate) use attachment::is_text;
pub(crate) use build::build;
pub(crate) use raw::raw;

use crate::body::Body;
use crate::model::TransferOptions;

/// What a mail needs from the world, drawn by the caller.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp<'a> {
    /// The time of sending, in milliseconds since 1970-01-01T00:00:00Z.
    pub(crate) now_unix_ms: i64,
    /// 32 random hexadecimal digits, new for every mail: they make the `Message-ID` and the boundaries.
    pub(crate) id: &'a str,
    /// The account's mailbox, the default sender.
    pub(crate) mailbox: &'a str,
}

/// A finished mail and its envelope.
#[derive(Clone, Debug)]
pub(crate) struct BuiltMail {
    /// The message (RFC 5322): every line ends with CRLF and has at most 998 octets before it.
    pub(crate) mime: Body,
    /// `MAIL FROM`; empty for the null reverse-path (RFC 5321 section 4.5.5).
    pub(crate) sender: String,
    /// `RCPT TO`, at least one, each once, in the order given.
    pub(crate) recipients: Vec<String>,
    /// `Message-ID` without angle brackets; empty when a finished message has none.
    pub(crate) message_id: String,
    /// Whether an address or a header field needs SMTPUTF8 (RFC 6531).
    pub(crate) needs_smtputf8: bool,
    /// Whether the message has octets above 127, which needs 8BITMIME (RFC 6152).
    pub(crate) eight_bit: bool,
    /// What is asked of the servers on the way, about recipients as they stand in `recipients`.
    pub(crate) transfer: TransferOptions,
}

#[cfg(any(test, feature = "fuzzing"))]
impl BuiltMail {
    /// All of the message at once.
    pub(crate) fn octets(&self) -> bytes::Bytes {
        let whole = self.mime.whole(crate::body::Form::Base64);
        whole.expect("only files change, and there are none")
    }
}

/// The sources of a message whose attachments are in memory.
#[cfg(test)]
fn sources_in_memory(message: &crate::model::Message) -> Vec<crate::body::Source> {
    message.attachments.iter().map(in_memory).collect()
}

#[cfg(test)]
fn in_memory(attachment: &crate::model::Attachment) -> crate::body::Source {
    match &attachment.content {
        crate::model::Content::Data { data } => crate::body::Source::memory(data.shared()),
        crate::model::Content::File { .. } => panic!("not in memory"),
    }
}
