//! A mail as the application says it: who, to whom, what. Building and checking it is `message`'s work.

use super::{Bytes, TransferOptions};
use serde::{Deserialize, Serialize};

/// A mail to send.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Message {
    /// The account that sends.
    pub account: String,
    /// `From`. Default: the account's mailbox.
    pub sender: Option<Address>,
    /// `Reply-To`.
    pub reply_to: Vec<Address>,
    /// `To`.
    pub to: Vec<Address>,
    /// `Cc`.
    pub cc: Vec<Address>,
    /// Recipients named in no header field.
    pub bcc: Vec<Address>,
    /// `Subject`, in plain Unicode without line breaks.
    pub subject: String,
    /// The plain text part. Every line break is sent as CRLF. None is made from the HTML.
    pub text: Option<String>,
    /// The HTML part.
    pub html: Option<String>,
    /// Attachments and inline images, in this order. A mail needs a text, an HTML part or an attachment.
    pub attachments: Vec<Attachment>,
    /// Further header fields, in this order, behind those that Mailbearer writes itself.
    pub headers: Vec<Header>,
    /// `X-Priority` and `Importance`. Default: none is written.
    pub priority: Option<Priority>,
    /// `List-Unsubscribe` and, with a URL, `List-Unsubscribe-Post`.
    pub list_unsubscribe: Option<ListUnsubscribe>,
    /// `Message-ID` without angle brackets. Default: a new one under the sender's domain.
    pub message_id: Option<String>,
    /// `Date`, in milliseconds since 1970-01-01T00:00:00Z, up to the year 9999. Default: now.
    pub date_unix_ms: Option<i64>,
    /// What is asked of the servers on the way: notifications, TLS all the way, precedence. Default: nothing.
    pub transfer: TransferOptions,
}

/// A mail address with an optional display name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Address {
    /// The address (`local@domain`): ASCII, or UTF-8 (RFC 6531). International domain names may be in either form.
    /// At most 64 octets before the `@` and 254 in all.
    pub address: String,
    /// The display name, in plain Unicode without line breaks.
    #[serde(default)]
    pub name: Option<String>,
}

/// A file that travels with the mail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Attachment {
    /// The file name shown to the reader. Default for a path: its last part. Octets need one, unless `content_id` is set.
    #[serde(default)]
    pub name: Option<String>,
    /// The media type, such as `application/pdf`. Default: by the name's extension, else `application/octet-stream`.
    #[serde(default)]
    pub content_type: Option<String>,
    /// For an inline image: the id that the HTML names as `cid:`. Absent for an ordinary attachment.
    #[serde(default)]
    pub content_id: Option<String>,
    /// The octets, or where they are.
    pub content: Content,
}

/// The octets of an attachment, or where they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Content {
    /// In memory.
    Data {
        /// The octets.
        data: Bytes,
    },
    /// In a file, read piece by piece while the mail is sent. A file that changes meanwhile fails the mail
    /// (`attachment-changed`), and nothing of it is delivered.
    File {
        /// The file's path.
        path: String,
    },
}

/// One header field of your own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Header {
    /// The field's name: 1 to 76 printable ASCII characters without a colon (RFC 5322 section 2.2). Fields that have a
    /// place of their own in the message, such as `Subject`, are refused.
    pub name: String,
    /// The field's value, in plain Unicode without line breaks; what is not plain ASCII is encoded (RFC 2047).
    pub value: String,
}

/// How urgent the mail is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[serde(rename_all = "camelCase")]
pub enum Priority {
    /// `X-Priority: 1`, `Importance: high`.
    High,
    /// `X-Priority: 3`, `Importance: normal`.
    Normal,
    /// `X-Priority: 5`, `Importance: low`.
    Low,
}

/// How a recipient leaves the list (RFC 2369, RFC 8058). At least one of the two is needed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ListUnsubscribe {
    /// An `https` URL that unsubscribes by one `POST`; also writes `List-Unsubscribe-Post`.
    pub url: Option<String>,
    /// An address; a mail to it unsubscribes.
    pub address: Option<String>,
}

/// Who a finished message is from and to, as SMTP sees it (RFC 5321 section 2.3.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Envelope {
    /// The account that sends.
    pub account: String,
    /// `MAIL FROM`. Default: the account's mailbox. An empty text is the null reverse-path (RFC 5321 section 4.5.5).
    #[serde(default)]
    pub sender: Option<String>,
    /// `RCPT TO`, at least one.
    pub recipients: Vec<String>,
    /// What is asked of the servers on the way. Default: nothing.
    #[serde(default)]
    pub transfer: TransferOptions,
}
