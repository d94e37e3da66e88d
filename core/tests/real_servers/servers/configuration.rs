//! What the configuration of every server is made with: templates, free ports and the user the mail belongs to.

use std::hash::{BuildHasher, RandomState};
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

/// An address that is free now and likely to be free when the server, which takes no port 0, comes to listen on it: Linux
/// gives ports below 32768 to nobody who asks for just any.
pub(crate) fn free_address() -> io::Result<SocketAddr> {
    let offset = RandomState::new().hash_one("a port");
    (0..PORT_COUNT)
        .map(|step| FIRST_PORT + (offset.wrapping_add(step) % PORT_COUNT) as u16)
        .find_map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok())
        .ok_or_else(|| io::Error::from(io::ErrorKind::AddrInUse))?
        .local_addr()
}

/// The number of the user `nobody` and of the group `nogroup`, who own the mail.
pub(crate) const NOBODY: u32 = 65534;

const FIRST_PORT: u16 = 20_000;
const PORT_COUNT: u64 = 12_000;
