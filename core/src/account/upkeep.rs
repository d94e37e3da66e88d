//! What whoever runs Mailbearer does with a vault as a whole: list it, check it, move it to another one.

use super::{Accounts, CREDENTIALS, SETTINGS, TOKENS, credential, read_settings};
use crate::error::{Error, Result};
use crate::host::{Clock, Random, random_token};
use crate::model::{ProblemKind, VaultFinding, VaultRecord, VaultRecordKind, VaultReport};
use crate::secret::SecretBytes;
use crate::vault::{Vault, VaultLock};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::time::Duration;

impl Accounts {
    /// Every record by account, without what it says. Errors: `Storage`, `Config`, `Unavailable`.
    pub(crate) async fn records(&self) -> Result<Vec<VaultRecord>> {
        let mut records = Vec::new();
        for key in self.vault.keys("").await? {
            if let Some(value) = self.vault.read(&key).await? {
                records.push(describe(&*self.vault, &key, &value).await?);
            }
        }
        records.sort_by(|one, other| one.account.cmp(&other.account));
        Ok(records)
    }

    /// Opens every record, and looks around. Errors: `Storage`, `Config`, `Unavailable`, when the vault as a whole fails.
    pub(crate) async fn check(&self) -> Result<VaultReport> {
        let mut findings = self.vault.check().await?;
        let keys = self.vault.keys("").await?;
        let accounts: BTreeSet<_> = keys
            .iter()
            .filter_map(|key| key.strip_prefix(SETTINGS))
            .collect();
        let mut sound_records = 0;
        for key in &keys {
            let problem = match self.vault.read(key).await {
                Ok(Some(value)) => flaw(key, &value, &accounts),
                Ok(None) => continue, // removed since
                Err(error) => Some(error),
            };
            match problem {
                None => sound_records += 1,
                Some(error) => findings.push(VaultFinding {
                    record: Some(key.clone()),
                    problem: error.into(),
                }),
            }
        }
        Ok(VaultReport {
            vault: self.vault.name(),
            sound_records,
            findings,
        })
    }

    /// Moves everything to another vault, and gives what was moved. First all is copied, and read back; only then it is
    /// removed here, account by account, each while nobody renews it. Cut short at any moment, it can be repeated.
    /// Errors: `Storage`, `Config`, `Unavailable`, `Misuse`.
    pub(crate) async fn move_to(
        &self,
        target: &dyn Vault,
        clock: &dyn Clock,
        random: &dyn Random,
    ) -> Result<Vec<VaultRecord>> {
        self.check_is_another(target, clock, random).await?;
        self.clear_own_markers(clock).await?;
        let records = self.records().await?;
        let keys = self.vault.keys("").await?;
        for key in &keys {
            self.copy(key, target).await?;
        }
        // What goes on to change comes first; the settings last, so that what was cut short is still known here.
        for prefix in [TOKENS, CREDENTIALS, SETTINGS, ""] {
            for key in keys.iter().filter(|key| key.starts_with(prefix)) {
                let _lock = lock_in_turn(&*self.vault, &lock_of(key), clock).await?;
                self.copy(key, target).await?;
                self.vault.remove(key).await?;
            }
        }
        Ok(records)
    }

    /// Two ways to name one vault must not end with its records removed.
    async fn check_is_another(
        &self,
        target: &dyn Vault,
        clock: &dyn Clock,
        random: &dyn Random,
    ) -> Result<()> {
        // One at a time: then any other marker is that of a process that was killed.
        let _lock = lock_in_turn(target, MARKERS, clock).await?;
        let marker = format!("{MARKERS}{}", random_token(random)?);
        target.write(&marker, &SecretBytes::default()).await?;
        let is_same = self.vault.read(&marker).await?.is_some();
        clear_markers(target).await?;
        match is_same {
            true => Err(same_vault(&target.name())),
            false => Ok(()),
        }
    }

    /// Those of moves to this vault that were cut short.
    async fn clear_own_markers(&self, clock: &dyn Clock) -> Result<()> {
        let _lock = lock_in_turn(&*self.vault, MARKERS, clock).await?;
        clear_markers(&*self.vault).await
    }

    /// Copies a record if it is not there yet, and reads it back.
    async fn copy(&self, key: &str, target: &dyn Vault) -> Result<()> {
        let Some(value) = self.vault.read(key).await? else {
            return Ok(());
        };
        if !target.write_if(key, None, &value).await? {
            let there = target.read(key).await?.unwrap_or_default();
            match is_newer(key, &value, &there) {
                Some(true) => target.write(key, &value).await?,
                // The target is in use already: what it has is right.
                Some(false) => return Ok(()),
                None => return Err(conflict(key, &target.name())),
            }
        }
        let read = target.read(key).await?.unwrap_or_default();
        // Exposed to be compared.
        match read.expose() == value.expose() {
            true => Ok(()),
            false => Err(not_kept(key, &target.name())),
        }
    }
}

/// What tells two vaults apart.
const MARKERS: &str = "moves/";

async fn clear_markers(vault: &dyn Vault) -> Result<()> {
    for marker in vault.keys(MARKERS).await? {
        vault.remove(&marker).await?;
    }
    Ok(())
}

/// By which lock a record is kept still: the one by which its account's tokens are renewed.
fn lock_of(key: &str) -> String {
    match split(key) {
        (VaultRecordKind::Other, _) => key.to_owned(),
        (_, account) => format!("{TOKENS}{account}"),
    }
}

async fn lock_in_turn(vault: &dyn Vault, name: &str, clock: &dyn Clock) -> Result<VaultLock> {
    for _ in 0..LOCK_ATTEMPTS {
        if let Some(lock) = vault.try_lock(name).await? {
            return Ok(lock);
        }
        clock.sleep(LOCK_PAUSE).await;
    }
    Err(being_renewed(name))
}

/// A renewal takes half a minute at most.
const LOCK_ATTEMPTS: u32 = 600;
const LOCK_PAUSE: Duration = Duration::from_millis(100);

async fn describe(vault: &dyn Vault, key: &str, value: &SecretBytes) -> Result<VaultRecord> {
    let (kind, account) = split(key);
    let written_at_unix_ms = match vault.written_at(key).await? {
        Some(known) => Some(known),
        None => obtained_at(key, value),
    };
    Ok(VaultRecord {
        account: account.to_owned(),
        kind,
        // Exposed to be measured.
        size_bytes: value.expose().len() as u64,
        written_at_unix_ms,
    })
}

fn split(key: &str) -> (VaultRecordKind, &str) {
    let kinds = [
        (SETTINGS, VaultRecordKind::Settings),
        (CREDENTIALS, VaultRecordKind::Credential),
        (TOKENS, VaultRecordKind::Tokens),
    ];
    let found = kinds
        .into_iter()
        .find_map(|(prefix, kind)| Some((kind, key.strip_prefix(prefix)?)));
    found.unwrap_or((VaultRecordKind::Other, key))
}

/// When the tokens of a record were obtained.
fn obtained_at(key: &str, value: &SecretBytes) -> Option<i64> {
    #[derive(Deserialize)]
    struct Dated {
        obtained_at_unix_ms: i64,
    }
    if !key.starts_with(TOKENS) {
        return None;
    }
    // Exposed to be read; only the moment is kept.
    let dated: Dated = serde_json::from_slice(value.expose()).ok()?;
    Some(dated.obtained_at_unix_ms)
}

/// Whether a record takes the place of another one that differs; `None` when nobody can tell.
fn is_newer(key: &str, one: &SecretBytes, other: &SecretBytes) -> Option<bool> {
    // Exposed to be compared.
    if one.expose() == other.expose() {
        return Some(false);
    }
    Some(obtained_at(key, one)? > obtained_at(key, other)?)
}

/// What is wrong with a record that could be opened.
fn flaw(key: &str, value: &SecretBytes, accounts: &BTreeSet<&str>) -> Option<Error> {
    let (kind, account) = split(key);
    let is_sound = match kind {
        VaultRecordKind::Settings => match read_settings(key, value) {
            Ok(_) => true,
            Err(error) => return Some(error),
        },
        VaultRecordKind::Credential => credential::unseal(value).is_some(),
        VaultRecordKind::Tokens => obtained_at(key, value).is_some(),
        _ => return None,
    };
    if !is_sound {
        return Some(super::damaged(key));
    }
    (!accounts.contains(account)).then(|| orphaned(key))
}

fn orphaned(key: &str) -> Error {
    Error::new(
        ProblemKind::Storage,
        "vault-record-orphaned",
        format!("a record belongs to no account, since a change was cut short: {key}"),
        "add the account again, which replaces the record, or remove it again",
    )
}

fn same_vault(name: &str) -> Error {
    Error::new(
        ProblemKind::Misuse,
        "vault-move-same",
        format!("this is the vault that everything is in already: {name}"),
        "name another vault to move to",
    )
}

fn conflict(key: &str, name: &str) -> Error {
    Error::new(
        ProblemKind::Misuse,
        "vault-move-conflict",
        format!("the other vault has another record of this name: {key} in {name}"),
        "remove or rename the account in one of the vaults, then move again; nothing was removed",
    )
}

fn not_kept(key: &str, name: &str) -> Error {
    Error::new(
        ProblemKind::Storage,
        "vault-move-unverified",
        format!("the other vault does not give back what was written: {key} in {name}"),
        "check the other vault; everything is still in this one",
    )
}

fn being_renewed(key: &str) -> Error {
    Error::new(
        ProblemKind::Storage,
        "vault-locked",
        format!("a process has been renewing these tokens for a minute: {key}"),
        "look for a stopped process that uses the vault, then move again",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::{SeededRandom, SystemClock};
    use crate::vault::MemoryVault;
    use std::sync::Arc;

    async fn put(vault: &dyn Vault, key: &str, text: &str) {
        let value = SecretBytes::new(text.as_bytes().to_vec());
        vault.write(key, &value).await.unwrap();
    }

    async fn text(vault: &dyn Vault, key: &str) -> Option<String> {
        let value = vault.read(key).await.unwrap()?;
        Some(String::from_utf8(value.expose().clone()).unwrap())
    }

    async fn moved(from: &Arc<dyn Vault>, to: &dyn Vault) -> Result<usize> {
        let accounts = Accounts::new(from.clone());
        let random = SeededRandom::new(1);
        let records = accounts
            .move_to(to, &SystemClock::default(), &random)
            .await?;
        Ok(records.len())
    }

    fn tokens(at: i64) -> String {
        format!(r#"{{"obtained_at_unix_ms":{at}}}"#)
    }

    #[tokio::test]
    async fn everything_is_there_and_nothing_here_after_a_move_that_may_be_repeated() {
        let from: Arc<dyn Vault> = Arc::new(MemoryVault::default());
        let to = MemoryVault::default();
        put(&*from, "accounts/a", "{}").await;
        put(&*from, "tokens/a", &tokens(2)).await;
        // As a move that was cut short leaves it.
        put(&to, "accounts/a", "{}").await;
        put(&to, "tokens/a", &tokens(1)).await;
        assert_eq!(moved(&from, &to).await.unwrap(), 2);
        assert!(from.keys("").await.unwrap().is_empty());
        assert_eq!(to.keys("").await.unwrap(), ["accounts/a", "tokens/a"]);
        assert_eq!(text(&to, "tokens/a").await.unwrap(), tokens(2));
        // What the other vault has renewed since is not overwritten.
        put(&*from, "tokens/a", &tokens(1)).await;
        assert_eq!(moved(&from, &to).await.unwrap(), 1);
        assert_eq!(text(&to, "tokens/a").await.unwrap(), tokens(2));
    }

    #[tokio::test]
    async fn a_move_that_would_overwrite_or_go_nowhere_changes_nothing() {
        let from: Arc<dyn Vault> = Arc::new(MemoryVault::default());
        let to = MemoryVault::default();
        put(&*from, "accounts/a", "one").await;
        put(&to, "accounts/a", "other").await;
        assert_eq!(
            moved(&from, &to).await.unwrap_err().code(),
            "vault-move-conflict"
        );
        assert_eq!(
            moved(&from, &*from).await.unwrap_err().code(),
            "vault-move-same"
        );
        assert_eq!(text(&*from, "accounts/a").await.unwrap(), "one");
        assert_eq!(text(&to, "accounts/a").await.unwrap(), "other");
        assert_eq!(from.keys("").await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_check_names_every_record_that_is_not_sound() {
        let vault: Arc<dyn Vault> = Arc::new(MemoryVault::default());
        put(&*vault, "accounts/a", "hunter2").await;
        put(&*vault, "credentials/b", r#"{"type":"managedIdentity"}"#).await;
        put(&*vault, "tokens/a", &tokens(1)).await;
        let report = Accounts::new(vault).check().await.unwrap();
        assert_eq!((report.vault.as_str(), report.sound_records), ("memory", 1));
        let found: Vec<_> = report
            .findings
            .iter()
            .map(|finding| {
                (
                    finding.record.as_deref().unwrap(),
                    finding.problem.code.as_str(),
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                ("accounts/a", "vault-record-damaged"),
                ("credentials/b", "vault-record-orphaned"),
            ]
        );
        assert!(!format!("{:?}", report.findings).contains("hunter2"));
    }
}
