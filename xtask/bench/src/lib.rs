//! What every client of the benchmark is told, as a JSON file, and the loop that each of its connections runs.

use serde::Deserialize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// One run: where to send what, and for how long.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// The server's address, which its certificate carries.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The file with the authority to trust.
    pub ca_file: String,
    /// Who signs in and sends.
    pub user: String,
    /// The access token.
    pub token: String,
    /// The file with the message, the same for every client.
    pub message_file: String,
    /// Whom each mail is for.
    pub recipients: Vec<String>,
    /// How many connections there may be.
    pub connections: usize,
    /// How many mails a client that can may have under way at once, on each connection.
    pub streams: usize,
    /// No mail is begun after this many seconds,
    pub seconds: f64,
    /// unless fewer than this many have been begun,
    pub least: u64,
    /// nor after this many.
    pub most: u64,
}

impl Run {
    /// Reads the file that the first argument names.
    pub fn from_arguments() -> Self {
        let path = std::env::args().nth(1).expect("the file with the run");
        let text = std::fs::read(&path).expect("a file that can be read");
        serde_json::from_slice(&text).expect("a run as JSON")
    }

    /// The message's octets.
    pub fn message(&self) -> Vec<u8> {
        std::fs::read(&self.message_file).expect("the message")
    }

    /// The authority's certificate.
    pub fn ca_pem(&self) -> String {
        std::fs::read_to_string(&self.ca_file).expect("the certificate")
    }

    /// What counts the mails of all connections.
    pub fn turns(&self) -> Turns {
        Turns {
            begun: AtomicU64::new(0),
            end: Instant::now() + Duration::from_secs_f64(self.seconds),
            least: self.least,
            most: self.most,
        }
    }
}

/// Whether another mail is to be begun.
#[derive(Debug)]
pub struct Turns {
    begun: AtomicU64,
    end: Instant,
    least: u64,
    most: u64,
}

impl Turns {
    /// Takes the next one, if there is one.
    pub fn take(&self) -> bool {
        let number = self.begun.fetch_add(1, Ordering::Relaxed);
        number < self.most && (number < self.least || Instant::now() < self.end)
    }
}
