//! When what an account signs in with ends, and whether it is time to say so.

use super::record::Tokens;
use crate::error::Result;
use crate::model::{Account, Credential};
use crate::secret::SecretBytes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The ends of what an account signs in with, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ends {
    pub(super) refresh_token: Option<i64>,
    pub(super) secret: Option<i64>,
    pub(super) certificate: Option<i64>,
}

impl Ends {
    /// What is known of an account; its certificate's end comes from the credential.
    pub(super) fn of(
        account: &Account,
        tokens: Option<&Tokens>,
        certificate: Option<i64>,
        idle_days: u32,
    ) -> Self {
        let with_refresh_token = tokens.filter(|tokens| tokens.refresh_token.is_some());
        Self {
            refresh_token: with_refresh_token.map(|tokens| {
                let used = tokens.lifetime.obtained_at_unix_ms;
                used.saturating_add(i64::from(idle_days) * DAY_MS)
            }),
            secret: account.secret_expires_at_unix_ms,
            certificate,
        }
    }

    fn each(&self) -> impl Iterator<Item = (Credential, i64)> {
        let ends = [
            (Credential::RefreshToken, self.refresh_token),
            (Credential::ClientSecret, self.secret),
            (Credential::ClientCertificate, self.certificate),
        ];
        ends.into_iter()
            .filter_map(|(credential, end)| Some((credential, end?)))
    }
}

/// What an account was warned of, as it rests in the vault: the last warning for each end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Warnings {
    #[serde(default)]
    given: BTreeMap<String, Given>,
}

/// A warning that was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Given {
    expires_at_unix_ms: i64,
    days: i64,
}

/// A warning to give now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Warning {
    pub(super) credential: Credential,
    pub(super) expires_at_unix_ms: i64,
    pub(super) days_left: u32,
}

impl Warnings {
    /// Reads a record; one that cannot be read only means that everything is said once more.
    pub(super) fn unseal(record: Option<&SecretBytes>) -> Self {
        // Exposed to be read; there is no secret in it.
        let read = record.and_then(|record| serde_json::from_slice(record.expose()).ok());
        read.unwrap_or_default()
    }

    pub(super) fn seal(&self) -> Result<SecretBytes> {
        let record = serde_json::to_vec(self).map_err(super::record::unwritable)?;
        Ok(SecretBytes::new(record))
    }

    /// What to say now, and remembers it as said. Of several limits passed at once the nearest counts.
    pub(super) fn take(&mut self, ends: Ends, now_unix_ms: i64) -> Vec<Warning> {
        ends.each()
            .filter_map(|(credential, end)| self.take_one(credential, end, now_unix_ms))
            .collect()
    }

    fn take_one(&mut self, credential: Credential, end: i64, now: i64) -> Option<Warning> {
        let left_ms = end.saturating_sub(now);
        let passed = WARN_DAYS
            .into_iter()
            .filter(|days| left_ms <= days * DAY_MS);
        let days = passed.min()?;
        let name = format!("{credential:?}");
        let earlier = self.given.get(&name);
        // Another end is another secret, or a refresh token that was used meanwhile.
        if earlier.is_some_and(|given| given.expires_at_unix_ms == end && given.days <= days) {
            return None;
        }
        let given = Given {
            expires_at_unix_ms: end,
            days,
        };
        self.given.insert(name, given);
        Some(Warning {
            credential,
            expires_at_unix_ms: end,
            days_left: u32::try_from(left_ms / DAY_MS).unwrap_or_default(),
        })
    }
}

const WARN_DAYS: [i64; 5] = [60, 30, 14, 3, 1];
const DAY_MS: i64 = 24 * 3600 * 1000;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_780_800_000;

    #[test]
    fn warns_once_at_each_limit_and_anew_for_another_end() {
        let mut warnings = Warnings::default();
        let mut seen = Vec::new();
        let secret = |days: i64| Ends {
            secret: Some(NOW + days * DAY_MS),
            ..Ends::default()
        };
        // Twice a day, each time as another process that read the record.
        for half_day in 0..204 {
            let now = NOW + half_day * DAY_MS / 2;
            let record = warnings.seal().unwrap();
            warnings = Warnings::unseal(Some(&record));
            let taken = warnings.take(secret(100), now);
            seen.extend(taken.iter().map(|warning| warning.days_left));
        }
        assert_eq!(seen, [60, 30, 14, 3, 1]);
        assert_eq!(warnings.take(secret(200), NOW + 150 * DAY_MS).len(), 1);
        assert_eq!(warnings.take(secret(200), NOW + 150 * DAY_MS).len(), 0);
    }

    #[test]
    fn says_the_nearest_limit_of_those_that_passed_meanwhile() {
        fn check(left_ms: i64, expected: Option<u32>) {
            let ends = Ends {
                certificate: Some(NOW + left_ms),
                ..Ends::default()
            };
            let taken = Warnings::default().take(ends, NOW);
            let left = taken.first().map(|warning| warning.days_left);
            assert_eq!(left, expected, "{left_ms}");
            assert!(taken.len() <= 1);
        }
        check(61 * DAY_MS, None);
        check(60 * DAY_MS, Some(60));
        check(10 * DAY_MS, Some(10));
        check(DAY_MS / 2, Some(0));
        check(-100 * DAY_MS, Some(0));
        check(i64::MAX - NOW, None);
    }

    #[test]
    fn a_record_that_cannot_be_read_is_an_empty_one() {
        let broken = SecretBytes::new(b"{".to_vec());
        assert_eq!(Warnings::unseal(Some(&broken)), Warnings::default());
    }
}
