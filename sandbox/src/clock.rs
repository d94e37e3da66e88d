//! The sandbox's clock: the machine's time plus whatever a test has added to it.
//! It moves forward by request only; it never sleeps and never stands still.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

/// Time as the sandbox sees it; clones share one offset.
#[derive(Clone, Debug, Default)]
pub struct SandboxClock {
    ahead_ms: Arc<AtomicI64>,
}

impl SandboxClock {
    /// Moves the clock forward: tokens, codes and secrets age by `by` at once.
    pub fn advance(&self, by: Duration) {
        let by_ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        // Saturates instead of wrapping: a test that asks for for ever gets the far future, not the past.
        let _ = self
            .ahead_ms
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |ahead_ms| {
                Some(ahead_ms.saturating_add(by_ms).min(FARTHEST_AHEAD_MS))
            });
    }

    /// Milliseconds since 1970.
    pub fn now_unix_ms(&self) -> i64 {
        let machine = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let machine_ms = i64::try_from(machine.as_millis()).unwrap_or(i64::MAX);
        machine_ms.saturating_add(self.ahead_ms.load(Ordering::Relaxed))
    }

    /// Whole seconds since 1970, the unit of JWT claims.
    pub fn now_unix_seconds(&self) -> i64 {
        self.now_unix_ms().div_euclid(1000)
    }

    /// `2020-03-26 22:54:14Z`, as in Entra's error bodies.
    pub(crate) fn error_timestamp(&self) -> String {
        self.text("%Y-%m-%d %H:%M:%SZ")
    }

    /// `2025-04-26T18:06:35.781Z`, as in the tail of Exchange's replies.
    pub(crate) fn reply_timestamp(&self) -> String {
        self.text("%Y-%m-%dT%H:%M:%S%.3fZ")
    }

    /// `Sat, 26 Apr 2025 18:08:13 +0000`, as in Exchange's banner.
    pub(crate) fn banner_timestamp(&self) -> String {
        self.text("%a, %d %b %Y %H:%M:%S +0000")
    }

    fn text(&self, format: &str) -> String {
        timestamp(self.now_unix_ms(), format)
    }
}

/// `2022-06-22T06:54:48.5500000Z`, as in the texts of AADSTS50173 and AADSTS700082.
pub(crate) fn grant_timestamp(unix_ms: i64) -> String {
    timestamp(unix_ms, "%Y-%m-%dT%H:%M:%S%.3f0000Z")
}

fn timestamp(unix_ms: i64, format: &str) -> String {
    Timestamp::from_millisecond(unix_ms)
        .unwrap_or(Timestamp::MAX)
        .strftime(format)
        .to_string()
}

/// A thousand years: far beyond every lifetime the sandbox knows, and still a date that can be printed.
const FARTHEST_AHEAD_MS: i64 = 1000 * 365 * 24 * 3600 * 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advancing_moves_every_clone() {
        let clock = SandboxClock::default();
        let clone = clock.clone();
        let before = clone.now_unix_seconds();
        clock.advance(Duration::from_secs(3600));
        assert!(clone.now_unix_seconds() >= before + 3600);
    }

    #[test]
    fn an_endless_advance_stays_a_printable_date() {
        let clock = SandboxClock::default();
        clock.advance(Duration::MAX);
        clock.advance(Duration::MAX);
        assert!(clock.error_timestamp().ends_with('Z'));
    }

    #[test]
    fn timestamps_have_the_forms_microsoft_uses() {
        let check = |format, expected| assert_eq!(timestamp(1_745_690_795_781, format), expected);
        check("%Y-%m-%d %H:%M:%SZ", "2025-04-26 18:06:35Z");
        check("%Y-%m-%dT%H:%M:%S%.3fZ", "2025-04-26T18:06:35.781Z");
        check(
            "%a, %d %b %Y %H:%M:%S +0000",
            "Sat, 26 Apr 2025 18:06:35 +0000",
        );
        assert_eq!(
            grant_timestamp(1_745_690_795_000),
            "2025-04-26T18:06:35.0000000Z"
        );
    }
}
