//! The limits of client submission, per mailbox: connections, recipients per message and per day.
//! Counting is by the sandbox's clock, so a test can let a day pass.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use crate::cloud::Cloud;
use crate::sync::lock;

/// The limits in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubmissionLimits {
    /// Connections signed in to one mailbox at the same time. Microsoft's figure is 3.
    pub concurrent_connections: usize,
    /// Recipients of one message. The default of Exchange Online is 500.
    pub recipients_per_message: usize,
    /// Recipients of all messages of 24 hours, sliding. Microsoft's figure is 10,000.
    pub recipients_per_day: usize,
    /// Messages of one minute; `None` lets the excess pass undelayed. Microsoft's figure is 30, and it delays.
    pub messages_per_minute: Option<usize>,
    /// Largest message in bytes. The default of Exchange Online is 35 MB, while 150 MB are announced.
    pub message_bytes: usize,
    /// Extensions left out of the answer to EHLO, such as `CHUNKING`, as some firewalls do. Default: none.
    pub hidden_extensions: &'static [&'static str],
    /// Extensions offered beside those of the service: `REQUIRETLS`, `MT-PRIORITY`. Default: none.
    pub extra_extensions: &'static [&'static str],
}

impl Default for SubmissionLimits {
    fn default() -> Self {
        Self {
            concurrent_connections: 3,
            recipients_per_message: 500,
            recipients_per_day: 10_000,
            messages_per_minute: None,
            message_bytes: 35 * 1024 * 1024,
            hidden_extensions: &[],
            extra_extensions: &[],
        }
    }
}

impl SubmissionLimits {
    /// What SIZE says: 150 MiB, whatever the mailbox may send, and more only where that is more.
    pub(crate) fn announced_bytes(&self) -> usize {
        self.message_bytes.max(157_286_400)
    }
}

/// The limits and what has been used of them.
#[derive(Debug)]
pub(crate) struct Limits {
    allowed: SubmissionLimits,
    used: Mutex<HashMap<String, Usage>>,
}

#[derive(Debug, Default)]
struct Usage {
    next_connection: u64,
    connections: Vec<u64>,
    /// Time and recipients of each accepted message.
    messages: VecDeque<(i64, usize)>,
}

/// A connection signed in to a mailbox; it counts until it is dropped.
#[derive(Debug)]
pub(crate) struct Connection {
    cloud: Arc<Cloud>,
    mailbox: String,
    number: u64,
}

impl Limits {
    pub(crate) fn new(allowed: SubmissionLimits) -> Self {
        Self {
            allowed,
            used: Mutex::default(),
        }
    }

    pub(crate) fn allowed(&self) -> &SubmissionLimits {
        &self.allowed
    }

    /// Whether so many more recipients are within the day's limit.
    pub(crate) fn admits_recipients(
        &self,
        mailbox: &str,
        recipients: usize,
        now_unix_ms: i64,
    ) -> bool {
        self.with(mailbox, |usage| {
            usage
                .messages
                .retain(|(sent_at, _)| now_unix_ms - sent_at < DAY_MS);
            let used: usize = usage
                .messages
                .iter()
                .map(|(_, recipients)| recipients)
                .sum();
            used + recipients <= self.allowed.recipients_per_day
        })
    }

    /// Whether one more message is within the minute's limit.
    pub(crate) fn admits_message(&self, mailbox: &str, now_unix_ms: i64) -> bool {
        let Some(per_minute) = self.allowed.messages_per_minute else {
            return true;
        };
        self.with(mailbox, |usage| {
            let recent = usage
                .messages
                .iter()
                .filter(|(sent_at, _)| now_unix_ms - sent_at < MINUTE_MS);
            recent.count() < per_minute
        })
    }

    /// Counts an accepted message.
    pub(crate) fn count(&self, mailbox: &str, recipients: usize, now_unix_ms: i64) {
        self.with(mailbox, |usage| {
            usage.messages.push_back((now_unix_ms, recipients))
        });
    }

    fn with<T>(&self, mailbox: &str, work: impl FnOnce(&mut Usage) -> T) -> T {
        work(
            lock(&self.used)
                .entry(mailbox.to_ascii_lowercase())
                .or_default(),
        )
    }
}

impl Connection {
    pub(crate) fn open(cloud: &Arc<Cloud>, mailbox: &str) -> Self {
        let number = cloud.limits.with(mailbox, |usage| {
            usage.next_connection += 1;
            usage.connections.push(usage.next_connection);
            usage.next_connection
        });
        Self {
            cloud: Arc::clone(cloud),
            mailbox: mailbox.to_owned(),
            number,
        }
    }

    /// Whether too many older connections of the mailbox are still open.
    pub(crate) fn is_excessive(&self) -> bool {
        let limits = &self.cloud.limits;
        let rank = limits.with(&self.mailbox, |usage| {
            usage
                .connections
                .iter()
                .position(|open| *open == self.number)
        });
        rank.is_some_and(|rank| rank >= limits.allowed.concurrent_connections)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.cloud.limits.with(&self.mailbox, |usage| {
            usage.connections.retain(|open| *open != self.number)
        });
    }
}

const MINUTE_MS: i64 = 60 * 1000;
const DAY_MS: i64 = 24 * 3600 * 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_of_recipients_slides() {
        let limits = Limits::new(SubmissionLimits {
            recipients_per_day: 10,
            ..SubmissionLimits::default()
        });
        limits.count("a@b.example", 6, 1000);
        limits.count("A@B.example", 4, 2000);
        assert!(!limits.admits_recipients("a@b.example", 1, 3000));
        assert!(limits.admits_recipients("c@b.example", 10, 3000));
        assert!(limits.admits_recipients("a@b.example", 6, 1000 + DAY_MS));
        assert!(!limits.admits_recipients("a@b.example", 7, 1000 + DAY_MS));
    }

    #[test]
    fn the_minute_of_messages_is_off_unless_asked_for() {
        let check = |messages_per_minute, now, expected| {
            let limits = Limits::new(SubmissionLimits {
                messages_per_minute,
                ..SubmissionLimits::default()
            });
            limits.count("a@b.example", 1, 0);
            assert_eq!(limits.admits_message("a@b.example", now), expected);
        };
        check(None, 0, true);
        check(Some(1), 59_999, false);
        check(Some(1), 60_000, true);
    }
}
