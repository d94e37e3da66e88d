//! What the configuration of every server is made with: templates, free ports and the user the mail belongs to.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// Puts each value in the place of its `@name@`.
pub(crate) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    values
        .iter()
        .fold(template.to_owned(), |text, (name, value)| {
            text.replace(&format!("@{name}@"), value)
        })
}

/// The servers take no port 0, so this is one that was free a moment ago.
pub(crate) fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// The number of the user `nobody` and of the group `nogroup`, who own the mail.
pub(crate) const NOBODY: u32 = 65534;
