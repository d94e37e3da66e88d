//! The sandbox from outside: real sockets, raw SMTP over TLS, and HTTP requests as clients send them.
//! Clients of other makers are in `tests/witnesses`.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop where it stands"
)]

mod authorization_code;
mod binary;
mod certificate;
mod client_credentials;
mod control;
mod device_code;
mod faults;
mod password;
mod refresh;
mod smtp;
mod smtp_access;
mod smtp_protocol;
mod support;
mod tenants;
mod workload;
