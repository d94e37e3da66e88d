//! Time: the wall clock for expiry, a monotonic clock for durations, and sleep for waits.
//! Everything that waits has a limit, and sets it with [`within`].

use async_trait::async_trait;
use std::fmt::Debug;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::Notify;

/// Where time comes from.
#[async_trait]
pub trait Clock: Send + Sync + Debug {
    /// The wall clock, in milliseconds since 1970-01-01T00:00:00Z.
    fn now_unix_ms(&self) -> i64;

    /// Time passed since some fixed moment; never goes back.
    fn elapsed(&self) -> Duration;

    /// Waits. May be dropped at any time.
    async fn sleep(&self, duration: Duration);
}

/// The machine's own clock.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
}

impl Default for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is where time comes from")]
    fn default() -> Self {
        Self {
            started: Instant::now(),
        }
    }
}

#[async_trait]
impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is where time comes from")]
    fn now_unix_ms(&self) -> i64 {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
        since_epoch
            .ok()
            .and_then(|duration| i64::try_from(duration.as_millis()).ok())
            .unwrap_or_default()
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    #[expect(clippy::disallowed_methods, reason = "this is where waiting happens")]
    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// A clock that moves only when told to: for tests of everything that expires.
#[derive(Debug)]
pub struct ManualClock {
    now_ms: Mutex<i64>,
    started_ms: i64,
    moved: Notify,
}

impl ManualClock {
    /// A clock that stands at a moment, in milliseconds since 1970-01-01T00:00:00Z.
    pub fn at(now_unix_ms: i64) -> Self {
        Self {
            now_ms: Mutex::new(now_unix_ms),
            started_ms: now_unix_ms,
            moved: Notify::new(),
        }
    }

    /// Moves the clock and wakes every sleeper whose time has come.
    pub fn advance(&self, duration: Duration) {
        let step = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        {
            let mut now = self.now_ms.lock().unwrap_or_else(|e| e.into_inner());
            *now = now.saturating_add(step);
        }
        self.moved.notify_waiters();
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now_unix_ms(&self) -> i64 {
        *self.now_ms.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn elapsed(&self) -> Duration {
        let passed = self.now_unix_ms().saturating_sub(self.started_ms);
        Duration::from_millis(u64::try_from(passed).unwrap_or_default())
    }

    async fn sleep(&self, duration: Duration) {
        let wake_at = self.elapsed().saturating_add(duration);
        loop {
            let moved = self.moved.notified();
            tokio::pin!(moved);
            // Registered before the look at the clock, so that no move in between is missed.
            moved.as_mut().enable();
            if self.elapsed() >= wake_at {
                return;
            }
            moved.await;
        }
    }
}

/// Runs work for at most `limit`; `None` when the time is over, and the work is dropped.
pub(crate) async fn within<T>(
    clock: &dyn Clock,
    limit: Duration,
    work: impl Future<Output = T>,
) -> Option<T> {
    tokio::select! {
        biased;
        done = work => Some(done),
        () = clock.sleep(limit) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[tokio::test]
    async fn manual_clock_wakes_sleepers_only_when_their_time_has_come() {
        let clock = Arc::new(ManualClock::at(1_000));
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep(Duration::from_millis(500)).await }
        });
        tokio::task::yield_now().await;
        clock.advance(Duration::from_millis(499));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        clock.advance(Duration::from_millis(1));
        sleeper.await.unwrap();
        assert_eq!(clock.now_unix_ms(), 1_500);
        assert_eq!(clock.elapsed(), Duration::from_millis(500));
    }

    #[tokio::test]
    async fn within_gives_up_when_the_time_is_over() {
        let clock = SystemClock::default();
        let never = within(
            &clock,
            Duration::from_millis(1),
            std::future::pending::<()>(),
        );
        assert_eq!(never.await, None);
        let at_once = within(&clock, Duration::ZERO, std::future::ready(7));
        assert_eq!(at_once.await, Some(7));
    }
}
