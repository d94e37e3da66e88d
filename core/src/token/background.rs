//! Renewal that nobody asked for: every account's tokens before a caller would have to wait for them, and with them the
//! refresh tokens of accounts that nobody uses. Never more requests in a second than the settings allow.

use super::cache::TokenCache;
use super::renewal::Lifetime;
use crate::error::{Error, Result};
use crate::model::{GrantKind, ProblemKind, RenewalSettings, Retry};
use std::collections::HashMap;
use std::time::Duration;
use tokio::task::{AbortHandle, JoinSet};

/// Renews as long as it lives.
#[derive(Debug)]
pub(crate) struct Background {
    task: AbortHandle,
}

impl Background {
    /// Begins, in a task of its own.
    pub(crate) fn start(cache: TokenCache, settings: RenewalSettings) -> Self {
        let renewer = Renewer {
            pace: Duration::from_secs(1) / settings.requests_per_second.max(1),
            cache,
            plan: HashMap::new(),
            running: JoinSet::new(),
            warned_at: None,
        };
        let task = tokio::spawn(renewer.run());
        Self {
            task: task.abort_handle(),
        }
    }

    /// Fails if a value is out of its range. Errors: `Config`.
    pub(crate) fn check(settings: &RenewalSettings) -> Result<()> {
        if !(1..=1000).contains(&settings.requests_per_second) {
            let found = settings.requests_per_second;
            return Err(out_of_range("requestsPerSecond", found, "1 to 1000"));
        }
        if !(1..=3650).contains(&settings.refresh_token_idle_days) {
            let found = settings.refresh_token_idle_days;
            return Err(out_of_range("refreshTokenIdleDays", found, "1 to 3650"));
        }
        Ok(())
    }
}

/// A renewal under way goes on: it has a task of its own.
impl Drop for Background {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Renewer {
    cache: TokenCache,
    /// The least time between two requests.
    pace: Duration,
    /// Every account that can be renewed, but those that are being renewed.
    plan: HashMap<String, Next>,
    /// Renewals under way; each tells when to look at its account again.
    running: JoinSet<(String, Next)>,
    warned_at: Option<i64>,
}

/// When an account is to be renewed, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Next {
    not_before: i64,
    /// Afterwards a caller would have to wait.
    at_latest: i64,
}

impl Renewer {
    async fn run(mut self) {
        let clock = self.cache.clock().clone();
        loop {
            let end = clock.elapsed().saturating_add(SCAN);
            if let Err(error) = self.look_for_accounts().await {
                // Passing, or told to whoever calls next: the vault cannot be read.
                tracing::warn!(code = error.code(), "renewal in the background waits");
            }
            self.warn().await;
            self.renew_until(end).await;
            clock.sleep(end.saturating_sub(clock.elapsed())).await;
        }
    }

    /// Plans accounts that are new, and forgets those that are gone.
    async fn look_for_accounts(&mut self) -> Result<()> {
        self.collect();
        let names = self.cache.accounts().names().await?;
        let mut known = std::mem::take(&mut self.plan);
        for name in names {
            let next = match known.remove(&name) {
                Some(next) => Some(next),
                // Also one that is being renewed: what is stored says whether it has to be again.
                None => self.next_of(&name).await,
            };
            if let Some(next) = next {
                self.plan.insert(name, next);
            }
        }
        Ok(())
    }

    /// When an account is to be renewed; never if it has no tokens yet, or a person must sign in first.
    async fn next_of(&self, name: &str) -> Option<Next> {
        let account = self.cache.accounts().find(name).await.ok()?;
        let tokens = self.cache.stored(name).await.ok()??;
        let can_renew = match account.grant {
            GrantKind::TokenCommand => false,
            grant => !grant.is_a_persons() || tokens.refresh_token.is_some(),
        };
        can_renew.then(|| Next::after(&tokens.lifetime))
    }

    async fn renew_until(&mut self, end: Duration) {
        let clock = self.cache.clock().clone();
        let now = clock.now_unix_ms();
        for name in urgent(&self.plan, self.pace, now) {
            if clock.elapsed() >= end {
                return;
            }
            if self.begin(name).await {
                clock.sleep(self.pace).await;
            }
        }
    }

    /// Begins a renewal; not if somebody else has done it meanwhile.
    async fn begin(&mut self, name: String) -> bool {
        let Some(planned) = self.plan.remove(&name) else {
            return false;
        };
        match self.next_of(&name).await {
            None => return false,
            Some(next) if next.at_latest > planned.at_latest => {
                self.plan.insert(name, next);
                return false;
            }
            Some(_) => {}
        }
        if self.running.len() >= MOST_AT_ONCE
            && let Some(Ok((name, next))) = self.running.join_next().await
        {
            self.plan.insert(name, next);
        }
        let cache = self.cache.clone();
        self.running.spawn(async move {
            let renewed = cache.renew_ahead(&name).await;
            let now = cache.clock().now_unix_ms();
            let next = match renewed {
                Ok(tokens) => Next::after(&tokens.lifetime),
                Err(error) => Next::after_failure(&error, now),
            };
            (name, next)
        });
        true
    }

    /// Plans again what has been renewed.
    fn collect(&mut self) {
        while let Some(Ok((name, next))) = self.running.try_join_next() {
            self.plan.insert(name, next);
        }
    }

    /// Says what ends soon, of all accounts.
    async fn warn(&mut self) {
        let now = self.cache.clock().now_unix_ms();
        let is_early = |at: i64| now.saturating_sub(at) < WARN_EVERY_MS;
        if self.warned_at.is_some_and(is_early) || !self.cache.has_readers() {
            return;
        }
        self.warned_at = Some(now);
        for name in self.cache.accounts().names().await.unwrap_or_default() {
            // What cannot be read is told to whoever uses that account.
            let _ = self.cache.warn_of(&name).await;
        }
    }
}

/// The accounts to begin with before the next look, the most urgent first: as late as possible, but early enough that
/// those behind them are in time, too, one after the other.
fn urgent(plan: &HashMap<String, Next>, pace: Duration, now: i64) -> Vec<String> {
    let may_begin = plan.iter().filter(|(_, next)| next.not_before <= now);
    let mut queue: Vec<_> = may_begin
        .map(|(name, next)| (next.at_latest, name))
        .collect();
    queue.sort_unstable();
    // A quarter to spare: requests take their time, and timers are late.
    let step = i64::try_from(pace.as_millis().max(1) * 5 / 4).unwrap_or(i64::MAX);
    let next_look = now.saturating_add(SCAN_MS);
    let mut takes = 0_i64;
    let cannot_wait = queue.iter().map(|(at_latest, _)| {
        takes = takes.saturating_add(step);
        at_latest.saturating_sub(takes) <= next_look
    });
    let cannot_wait: Vec<_> = cannot_wait.collect();
    let count = cannot_wait.iter().rposition(|is_so| *is_so);
    queue.truncate(count.map_or(0, |last| last + 1));
    queue.into_iter().map(|(_, name)| name.clone()).collect()
}

impl Next {
    /// Before a caller would have to wait, but not before a sixth of the token's life.
    fn after(lifetime: &Lifetime) -> Self {
        let begin = lifetime.obtained_at_unix_ms;
        let lasts = lifetime.expires_at_unix_ms.saturating_sub(begin);
        let not_before = begin.saturating_add(lasts / 6);
        let at_latest = lifetime.renew_at_unix_ms().saturating_sub(SCAN_MS);
        Self {
            not_before,
            at_latest: at_latest.max(not_before),
        }
    }

    /// A refusal stays one until somebody has done something.
    fn after_failure(error: &Error, now_unix_ms: i64) -> Self {
        let delay_ms = match error.problem().retry {
            Retry::After { delay_ms } => i64::try_from(delay_ms).unwrap_or(REFUSED_MS),
            Retry::Now | Retry::Never => REFUSED_MS,
        };
        let at = now_unix_ms.saturating_add(delay_ms);
        Self {
            not_before: at,
            at_latest: at,
        }
    }
}

/// How soon a new account is found, and a removed one forgotten.
const SCAN: Duration = Duration::from_secs(60);
const SCAN_MS: i64 = 60 * 1000;
/// So many requests may be under way when the identity provider is slow.
const MOST_AT_ONCE: usize = 64;
const WARN_EVERY_MS: i64 = 3600 * 1000;
const REFUSED_MS: i64 = 6 * 3600 * 1000;

fn out_of_range(setting: &str, found: u32, range: &str) -> Error {
    Error::new(
        ProblemKind::Config,
        "renewal-setting-invalid",
        format!("renewal.{setting} is {found}"),
        format!("give {range}, or leave it out"),
    )
}

#[cfg(test)]
#[path = "background_tests.rs"]
mod tests;
