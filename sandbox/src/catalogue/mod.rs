//! Everything the sandbox can answer in Microsoft's words, as two tables: Entra's AADSTS errors and Exchange's SMTP replies.
//! The servers take their texts from here, and faults are injected by the names given here.

pub mod aadsts;
pub mod replies;

pub use aadsts::Aadsts;
pub use replies::Reply;
