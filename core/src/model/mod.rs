//! The vocabulary: plain data that crosses a border, one file per subject.
//! Every public function of the handle takes and returns these types, and every language has them;
//! nothing here does any work.

mod account;
mod bytes;
mod config;
mod delivery;
mod diagnosis;
mod event;
mod examination;
mod log;
mod message;
mod problem;
mod route;
mod sign_in;
mod test_mail;
mod token;
mod transfer;
mod vault;

pub use account::{Account, Cloud, EndpointOverrides, Endpoints, Grant, GrantKind, NewAccount};
pub use bytes::Bytes;
pub use config::{
    CONCURRENCY_WAIT_MS, CONNECT_MS, Config, ConnectionSettings, Passphrase,
    REFRESH_TOKEN_IDLE_DAYS, REPLY_MS, REQUESTS_PER_SECOND, REST_MS, RenewalSettings, TOKEN_MS,
    Timeouts, VERDICT_MS, VaultSettings,
};
pub use delivery::{
    Delivery, RecipientVerdict, SenderIdentity, SendingAs, SmtpReply, Step, TlsSession, TokenUse,
    Trail, Verdict,
};
pub use diagnosis::{Diagnosis, Evidence, EvidenceItem, EvidenceKind};
pub use event::{Credential, Event};
pub use examination::{Examination, Examine, Finding, Health, Stage};
pub use log::{LogLevel, LogRecord};
pub use message::{
    Address, Attachment, Content, Envelope, Header, ListUnsubscribe, Message, Priority,
};
pub use problem::{Problem, ProblemKind, ReplyClass, ReplyScope, Retry};
pub use route::{Fallback, Route, RouteKind, SmtpPreset, SmtpSecurity};
pub use sign_in::{SignInFlow, SignInPrompt};
pub use test_mail::{TestDelivery, TestMail};
pub use token::{RevealedAccessToken, TokenOrigin, TokenState, TokenStatus};
pub use transfer::{
    DeliveryNotification, NotifyWhen, RecipientNotification, ReturnedContent, TransferOption,
    TransferOptions,
};
pub use vault::{VaultFinding, VaultRecord, VaultRecordKind, VaultReport};
