//! Send mail through Microsoft 365 with OAuth 2.0.

#![forbid(unsafe_code)]

pub mod error;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub mod host;
pub mod model;
pub mod secret;

mod account;
mod audit;
mod diagnosis;
mod message;
mod provider;
mod token;
mod transport;
mod vault;
