//! The vocabulary: plain data that crosses a border, one file per subject.
//! Every public function of the handle takes and returns these types, and every language has them;
//! nothing here does any work.

mod account;
mod bytes;
mod config;
mod delivery;
mod diagnosis;
mod event;
mod log;
mod message;
mod problem;
mod sign_in;
mod token;
mod vault;

pub use account::{Account, Cloud, EndpointOverrides, Endpoints, Grant, GrantKind, NewAccount};
pub use bytes::Bytes;
pub use config::{
    CONCURRENCY_WAIT_MS, CONNECT_MS, Config, ConnectionSettings, Passphrase,
    REFRESH_TOKEN_IDLE_DAYS, REPLY_MS, REQUESTS_PER_SECOND, REST_MS, RenewalSettings, TOKEN_MS,
    Timeouts, VERDICT_MS, VaultSettings,
};
pub use delivery::{
    Delivery, RecipientVerdict, SmtpReply, Step, TlsSession, TokenUse, Trail, Verdict,
};
pub use diagnosis::{Diagnosis, Evidence, EvidenceItem, EvidenceKind};
pub use event::{Credential, Event};
pub use log::{LogLevel, LogRecord};
pub use message::{
    Address, Attachment, Content, Envelope, Header, ListUnsubscribe, Message, Priority,
};
pub use problem::{Problem, ProblemKind, Retry};
pub use sign_in::{SignInFlow, SignInPrompt};
pub use token::{RevealedAccessToken, TokenOrigin, TokenState, TokenStatus};
pub use vault::{VaultFinding, VaultRecord, VaultRecordKind, VaultReport};
