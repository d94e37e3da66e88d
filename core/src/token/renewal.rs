//! When a token is renewed: early enough that no caller meets its end, and not at the same moment everywhere.

use crate::error::Result;
use crate::host::Random;
use std::time::Duration;

/// The life of an access token by this machine's clock, counted from the token's arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lifetime {
    /// When it arrived, in milliseconds since 1970-01-01T00:00:00Z.
    pub(crate) obtained_at_unix_ms: i64,
    /// When it ends.
    pub(crate) expires_at_unix_ms: i64,
    /// From when on the next caller renews it. It rests beside the token, so that all processes agree
    /// on it; what older versions stored has none.
    pub(super) renew_at_unix_ms: Option<i64>,
}

impl Lifetime {
    /// A life that begins now. The token is due after two thirds of it, or ten minutes before its end, since High Volume
    /// Email refuses tokens with less than ten minutes left, or when the server says (`refresh_in`), whichever comes
    /// first; and up to a tenth of its life earlier by chance, so that tokens of one moment are not renewed in one.
    pub(crate) fn begin(
        now_unix_ms: i64,
        lasts: Duration,
        refresh_in: Option<Duration>,
        random: &dyn Random,
    ) -> Result<Self> {
        let lasts_ms = millis(lasts.min(LONGEST_LIFE));
        let due_ms = match refresh_in.map(millis) {
            Some(wish) if wish > 0 => due_after(lasts_ms).min(wish),
            _ => due_after(lasts_ms),
        };
        let earlier_ms = chance(lasts_ms / JITTER_PARTS, random)?.min(due_ms / 2);
        Ok(Self {
            obtained_at_unix_ms: now_unix_ms,
            expires_at_unix_ms: now_unix_ms.saturating_add(lasts_ms),
            renew_at_unix_ms: Some(now_unix_ms.saturating_add(due_ms - earlier_ms)),
        })
    }

    /// From when on the next caller renews the token, in milliseconds since 1970-01-01T00:00:00Z.
    pub(crate) fn renew_at_unix_ms(&self) -> i64 {
        let lasts_ms = self
            .expires_at_unix_ms
            .saturating_sub(self.obtained_at_unix_ms);
        let usual = || self.obtained_at_unix_ms.saturating_add(due_after(lasts_ms));
        self.renew_at_unix_ms.unwrap_or_else(usual)
    }

    /// Whether the next caller renews the token. So it is, too, when it arrives in the future: the clock was set back
    /// since, and what it says of the token's end is worth nothing.
    pub(crate) fn is_due(&self, now_unix_ms: i64) -> bool {
        let is_from_the_future =
            now_unix_ms < self.obtained_at_unix_ms.saturating_sub(CLOCK_TOLERANCE_MS);
        is_from_the_future || now_unix_ms >= self.renew_at_unix_ms()
    }

    /// Whether the token has not ended.
    pub(crate) fn is_valid(&self, now_unix_ms: i64) -> bool {
        now_unix_ms < self.expires_at_unix_ms
    }
}

/// What Entra ID itself tolerates.
pub(crate) const CLOCK_TOLERANCE_MS: i64 = 5 * 60 * 1000;

/// Longer than any server means it: Microsoft's longest life is 28 hours.
const LONGEST_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);
const MARGIN_MS: i64 = 10 * 60 * 1000;
const JITTER_PARTS: i64 = 10;

/// Never before a third of a short life.
fn due_after(lasts_ms: i64) -> i64 {
    let two_thirds = lasts_ms / 3 * 2;
    two_thirds.min((lasts_ms - MARGIN_MS).max(lasts_ms / 3))
}

/// A number from 0 up to the limit.
pub(crate) fn chance(limit: i64, random: &dyn Random) -> Result<i64> {
    let mut octets = [0; 4];
    random.fill(&mut octets)?;
    let part = u128::from(u32::from_le_bytes(octets));
    let limit = u128::try_from(limit).unwrap_or_default();
    Ok(i64::try_from((limit * part) >> 32).unwrap_or_default())
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::SeededRandom;
    use proptest::prelude::*;

    const NOW: i64 = 1_795_780_800_000;

    /// Always the latest moment.
    #[derive(Debug)]
    struct NoJitter;

    impl Random for NoJitter {
        fn fill(&self, buffer: &mut [u8]) -> Result<()> {
            buffer.fill(0);
            Ok(())
        }
    }

    #[test]
    fn is_due_early_enough() {
        fn check(lasts_s: u64, refresh_in_s: Option<u64>, expected_s: i64) {
            let refresh_in = refresh_in_s.map(Duration::from_secs);
            let lasts = Duration::from_secs(lasts_s);
            let life = Lifetime::begin(NOW, lasts, refresh_in, &NoJitter).unwrap();
            let due = life.renew_at_unix_ms() - NOW;
            assert_eq!(due, expected_s * 1000, "{lasts_s} {refresh_in_s:?}");
            let without = Lifetime {
                renew_at_unix_ms: None,
                ..life
            };
            assert_eq!(without.renew_at_unix_ms() == life.renew_at_unix_ms(), {
                refresh_in_s.is_none()
            });
        }
        check(3600, None, 2400);
        check(1200, None, 600);
        check(300, None, 100);
        check(28 * 3600, None, 67_200);
        check(28 * 3600, Some(14 * 3600), 14 * 3600);
        check(10_000_000_000, Some(20 * 24 * 3600 - 1), 20 * 24 * 3600 - 1);
    }

    #[test]
    fn tokens_of_one_moment_are_renewed_in_different_ones() {
        let random = SeededRandom::new(20_261_125);
        let lasts = Duration::from_secs(3600);
        let due = (0..1000).map(|_| {
            let life = Lifetime::begin(NOW, lasts, None, &random).unwrap();
            (life.renew_at_unix_ms() - NOW) / 1000
        });
        let mut due: Vec<_> = due.collect();
        due.sort_unstable();
        assert!(due.first() >= Some(&2040) && due.last() <= Some(&2400));
        // A minute of the six holds about a sixth of them.
        for minute in 34..40 {
            let in_it = due.iter().filter(|due| **due / 60 == minute).count();
            assert!((110..230).contains(&in_it), "minute {minute}: {in_it}");
        }
    }

    #[test]
    fn a_token_from_the_future_is_due() {
        let lasts = Duration::from_secs(3600);
        let life = Lifetime::begin(NOW, lasts, None, &NoJitter).unwrap();
        assert!(!life.is_due(NOW));
        assert!(!life.is_due(NOW - CLOCK_TOLERANCE_MS));
        assert!(life.is_due(NOW - CLOCK_TOLERANCE_MS - 1));
    }

    proptest! {
        #[test]
        fn is_never_due_at_its_end_nor_at_its_beginning(
            lasts_ms in 1000_u64..,
            refresh_in_ms in proptest::option::of(1000_u64..),
            seed: u64,
        ) {
            let refresh_in = refresh_in_ms.map(Duration::from_millis);
            let lasts = Duration::from_millis(lasts_ms);
            let life = Lifetime::begin(NOW, lasts, refresh_in, &SeededRandom::new(seed)).unwrap();
            prop_assert!(life.renew_at_unix_ms() > life.obtained_at_unix_ms);
            prop_assert!(life.renew_at_unix_ms() < life.expires_at_unix_ms);
            if let Some(wish) = refresh_in_ms.and_then(|wish| i64::try_from(wish).ok()) {
                prop_assert!(life.renew_at_unix_ms() <= NOW.saturating_add(wish));
            }
        }
    }
}
