//! What a passing fault of the identity provider leaves behind: for how long nobody asks it again.

use super::renewal::chance;
use crate::error::Result;
use crate::host::Random;
use crate::model::{Problem, Retry};
use std::time::Duration;

/// A pause between requests for one account's tokens.
#[derive(Debug)]
pub(super) struct Pause {
    /// By the clock that never goes back.
    until: Duration,
    failures: u32,
    problem: Problem,
}

impl Pause {
    /// The pause after one more fault: as long as the server asks for, but with each fault in a row at least twice as
    /// long as before, and a little longer by chance, so that those who failed together do not return together.
    pub(super) fn after(
        earlier: Option<Self>,
        problem: &Problem,
        now: Duration,
        random: &dyn Random,
    ) -> Result<Self> {
        let failures = earlier.map_or(0, |pause| pause.failures);
        let doubled = FIRST_PAUSE.saturating_mul(1 << failures.min(10));
        let pause = asked(problem).max(doubled.min(LONGEST_PAUSE));
        let limit = i64::try_from(pause.as_millis() / JITTER_PARTS).unwrap_or(i64::MAX);
        let longer = Duration::from_millis(chance(limit, random)?.unsigned_abs());
        Ok(Self {
            until: now.saturating_add(pause).saturating_add(longer),
            failures: failures.saturating_add(1),
            problem: problem.clone(),
        })
    }

    /// What the last request met, with the time that is left to wait; nothing when the pause is over.
    pub(super) fn problem(&self, now: Duration) -> Option<Problem> {
        let left = self.until.checked_sub(now)?;
        let delay_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
        (delay_ms > 0).then(|| Problem {
            retry: Retry::After { delay_ms },
            ..self.problem.clone()
        })
    }
}

/// A valid token bridges the time, so there is no hurry; Microsoft asks for growing pauses.
const FIRST_PAUSE: Duration = Duration::from_secs(15);
/// Short enough to try once more within the last third of the shortest usual token.
const LONGEST_PAUSE: Duration = Duration::from_secs(10 * 60);
const JITTER_PARTS: u128 = 5;

fn asked(problem: &Problem) -> Duration {
    match problem.retry {
        Retry::After { delay_ms } => Duration::from_millis(delay_ms),
        _ => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::host::SeededRandom;
    use crate::model::ProblemKind;

    const NOON: Duration = Duration::from_secs(43_200);

    fn fault(delay_ms: u64) -> Problem {
        let error = Error::new(ProblemKind::Unavailable, "transient-server-error", "x", "x");
        error.with_retry(Retry::After { delay_ms }).into()
    }

    #[test]
    fn grows_with_every_fault_in_a_row_but_never_undercuts_the_server() {
        fn check(asked_s: u64, failures: u32, expected_s: u64) {
            let random = SeededRandom::new(1);
            let problem = fault(asked_s * 1000);
            let mut pause = None;
            for _ in 0..failures {
                pause = Some(Pause::after(pause, &problem, NOON, &random).unwrap());
            }
            let lasts = pause.unwrap().until.checked_sub(NOON).unwrap();
            let expected = Duration::from_secs(expected_s);
            let what = format!("{asked_s} s, {failures} faults: {lasts:?}");
            assert!(lasts >= expected && lasts <= expected * 6 / 5, "{what}");
        }
        check(0, 1, 15);
        check(0, 2, 30);
        check(0, 4, 120);
        check(0, 99, 600);
        check(60, 1, 60);
        check(60, 4, 120);
        check(3600, 99, 3600);
    }

    #[test]
    fn says_how_long_is_left_and_ends() {
        let pause = Pause::after(None, &fault(60_000), NOON, &SeededRandom::new(1)).unwrap();
        let half_time = pause.problem(NOON + Duration::from_secs(30)).unwrap();
        let Retry::After { delay_ms } = half_time.retry else {
            panic!("{half_time:?}");
        };
        assert!((30_000..=42_000).contains(&delay_ms), "{delay_ms}");
        assert_eq!(half_time.code, "transient-server-error");
        assert_eq!(pause.problem(NOON + Duration::from_secs(73)), None);
    }
}
