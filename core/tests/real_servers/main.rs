//! Tests against servers that nobody here wrote: Postfix, Dovecot and `oidc-provider`; Exim, OpenSMTPD,
//! `smtp-server`, aiosmtpd and smtp-sink.
//! `cargo xtask test` installs and runs them; plain `cargo test` counts them as ignored.

#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot go on ends here, and these servers are waited for outside the handle"
)]

mod delivery;
mod harness;
mod octets;
mod servers;
