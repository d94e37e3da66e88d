//! Send mail through Microsoft 365 with OAuth 2.0.
//!
//! One handle, [`Mailbearer`], owns the token lifecycle and SMTP delivery. Settings are plain data ([`model`]), the
//! machine's services are parts ([`host`], [`Vault`]), and every failure is an [`Error`] that says what happened, why,
//! and what to do next. Every future may be dropped at any await.
//!
//! ```no_run
//! use mailbearer::{Config, Mailbearer, Message, model::Address};
//!
//! # async fn example() -> mailbearer::Result<()> {
//! let mailbearer = Mailbearer::open(Config::default()).await?;
//! let delivery = mailbearer
//!     .send(Message {
//!         account: "billing".into(),
//!         to: vec![Address { address: "ada@contoso.example".into(), name: None }],
//!         subject: "Your invoice".into(),
//!         text: Some("It is attached.".into()),
//!         ..Message::default()
//!     })
//!     .await?;
//! for recipient in delivery.recipients {
//!     println!("{}: {:?}", recipient.address, recipient.verdict);
//! }
//! # Ok(())
//! # }
//! ```

#![cfg_attr(not(feature = "uniffi"), forbid(unsafe_code))] // uniffi's macros export C symbols

pub mod error;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub mod host;
pub mod import;
#[cfg(feature = "logging")]
pub mod logging;
pub mod model;
pub mod secret;

mod account;
mod audit;
mod body;
mod diagnosis;
mod doctor;
mod handle;
mod message;
mod provider;
mod token;
mod transport;
mod vault;

pub use audit::{EVENTS_KEPT, Events};
pub use diagnosis::{Cause, causes, codes};
pub use error::{Error, Result};
pub use handle::{Mailbearer, Parts};
pub use model::{
    Account, Bytes, Config, Delivery, Diagnosis, Envelope, Event, Evidence, Message, NewAccount,
    Problem, SignInFlow, SignInPrompt, TokenStatus, VaultRecord, VaultReport, VaultSettings,
};
pub use token::AccessToken;
pub use vault::{Vault, VaultLock};

#[cfg(feature = "uniffi")]
uniffi::setup_scaffolding!();
