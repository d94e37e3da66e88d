//! Runs the real binary against a sandbox in the test's own process, one file per verb or concern.
//! Every run is searched for secrets and for terminal escapes; see `harness`.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may stop where it stands"
)]

mod accounts;
mod command_line;
mod demo;
mod explain;
mod harness;
mod import;
mod login;
mod sandbox;
mod send;
mod status;
mod token;
mod vault;
