//! Which accounts exist and what belongs to each: settings, credential and tokens, all in the vault.
//! Settings are validated once, when an account is added; after that they are true.

mod credential;
mod environment;
mod upkeep;

use crate::error::{Error, Result};
use crate::model::{
    Account, Cloud, Endpoints, Fallback, Grant, NewAccount, Passphrase, ProblemKind, Route,
};
use crate::provider;
use crate::secret::SecretBytes;
use crate::vault::{Vault, VaultLock};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

pub(crate) use environment::from_environment;

/// The accounts of a handle.
#[derive(Clone, Debug)]
pub(crate) struct Accounts {
    vault: Arc<dyn Vault>,
}

impl Accounts {
    pub(crate) fn new(vault: Arc<dyn Vault>) -> Self {
        Self { vault }
    }

    /// Validates and stores a new account. Errors: `Config`, `Misuse` (the name is taken), `Storage`.
    pub(crate) async fn add(&self, new: NewAccount) -> Result<Account> {
        let account = self.admit(&new).await?;
        self.store(&account, &new.grant, None).await?;
        Ok(account)
    }

    /// What a new account will be, if it may be stored. Errors: `Config`, `Misuse` (the name is taken), `Storage`.
    pub(crate) async fn admit(&self, new: &NewAccount) -> Result<Account> {
        let endpoints = provider::endpoints(new)?;
        let fallback = provider::fallback(new)?;
        if self.vault.read(&settings_key(&new.name)).await?.is_some() {
            return Err(name_taken(&new.name));
        }
        Ok(stored_form(new, endpoints, fallback))
    }

    /// Fails if the vault takes no writes: asked before anything is spent that could not be stored. Errors: `Misuse`, `Storage`.
    pub(crate) async fn check_writable(&self, name: &str) -> Result<()> {
        let probe = format!("imports/{name}");
        self.vault.write(&probe, &SecretBytes::default()).await?;
        self.vault.remove(&probe).await.map(drop)
    }

    /// Stores an account that was admitted. The settings come last: until they are there, there is no account, and what was
    /// cut short can be repeated. Errors: `Config`, `Storage`.
    pub(crate) async fn store(
        &self,
        account: &Account,
        grant: &Grant,
        tokens: Option<&SecretBytes>,
    ) -> Result<()> {
        let name = &account.name;
        let credential = credential::seal(grant)?;
        let settings = serde_json::to_vec(&Stored::new(account)).map_err(unwritable)?;
        // A leftover of an earlier account of this name must not sign this one in.
        self.remove_state(name).await?;
        self.remove_state(&fallback_name(name)).await?;
        if let Some(credential) = credential {
            self.vault.write(&credential_key(name), &credential).await?;
        }
        if let Some(tokens) = tokens {
            self.keep_tokens(name, tokens).await?;
        }
        let settings = SecretBytes::new(settings);
        self.vault.write(&settings_key(name), &settings).await
    }

    /// All accounts, by name. Errors: `Storage`.
    pub(crate) async fn list(&self) -> Result<Vec<Account>> {
        let mut accounts = Vec::new();
        for key in self.vault.keys(SETTINGS).await? {
            // Removed by another process since the keys were listed: simply not there any more.
            if let Some(record) = self.vault.read(&key).await? {
                accounts.push(read_settings(&key, &record)?);
            }
        }
        Ok(accounts)
    }

    /// The names of all accounts, in order. Errors: `Storage`.
    pub(crate) async fn names(&self) -> Result<Vec<String>> {
        let keys = self.vault.keys(SETTINGS).await?;
        let names = keys.iter().filter_map(|key| key.strip_prefix(SETTINGS));
        Ok(names.map(str::to_owned).collect())
    }

    /// One account; `<name>+fallback` is the account as it is on its second road. Errors: `Misuse` (no such account),
    /// `Storage`.
    pub(crate) async fn find(&self, name: &str) -> Result<Account> {
        let Some(base) = first_roads_name(name) else {
            return self.find_stored(name).await;
        };
        match on_second_road(&self.find_stored(base).await?) {
            Some(account) => Ok(account),
            None => Err(self.unknown(name).await),
        }
    }

    async fn find_stored(&self, name: &str) -> Result<Account> {
        let key = settings_key(name);
        match self.vault.read(&key).await {
            Ok(Some(record)) => read_settings(&key, &record),
            Ok(None) => Err(self.unknown(name).await),
            // No account was ever stored under a name that is no key.
            Err(error) if error.code() == "vault-key-invalid" => Err(self.unknown(name).await),
            Err(error) => Err(error),
        }
    }

    /// What an account that needs no person signs in with.
    pub(crate) async fn credential(&self, name: &str) -> Result<Grant> {
        let name = first_roads_name(name).unwrap_or(name);
        let sealed = self.vault.read(&credential_key(name)).await?;
        let grant = sealed.and_then(|sealed| credential::unseal(&sealed));
        grant.ok_or_else(|| damaged(&credential_key(name)))
    }

    /// The stored tokens of an account, as `token` wrote them.
    pub(crate) async fn tokens(&self, name: &str) -> Result<Option<SecretBytes>> {
        self.vault.read(&token_key(name)).await
    }

    /// Stores the tokens of an account; durable when it returns.
    pub(crate) async fn keep_tokens(&self, name: &str, record: &SecretBytes) -> Result<()> {
        self.vault.write(&token_key(name), record).await
    }

    /// Stores renewed tokens in place of those they were renewed from; tells whether those were still there.
    pub(crate) async fn replace_tokens(
        &self,
        name: &str,
        old: Option<&SecretBytes>,
        record: &SecretBytes,
    ) -> Result<bool> {
        self.vault.write_if(&token_key(name), old, record).await
    }

    /// What the next sign-in must fulfil, as JSON text (Conditional Access).
    pub(crate) async fn challenge(&self, name: &str) -> Result<Option<String>> {
        let record = self.vault.read(&challenge_key(name)).await?;
        // Exposed to be shown to the server that wrote it.
        let text = record.and_then(|record| String::from_utf8(record.expose().to_vec()).ok());
        Ok(text)
    }

    /// Keeps what the next sign-in must fulfil, across restarts.
    pub(crate) async fn keep_challenge(&self, name: &str, claims: &str) -> Result<()> {
        let record = SecretBytes::new(claims.as_bytes().to_vec());
        self.vault.write(&challenge_key(name), &record).await
    }

    /// Forgets what a sign-in has fulfilled.
    pub(crate) async fn forget_challenge(&self, name: &str) -> Result<()> {
        self.vault.remove(&challenge_key(name)).await.map(drop)
    }

    /// What was warned of, as `token` wrote it.
    pub(crate) async fn warnings(&self, name: &str) -> Result<Option<SecretBytes>> {
        self.vault.read(&warning_key(name)).await
    }

    /// Remembers what was warned of.
    pub(crate) async fn keep_warnings(&self, name: &str, record: &SecretBytes) -> Result<()> {
        self.vault.write(&warning_key(name), record).await
    }

    /// Tries to become the one process that warns of an account; `None` while another one does.
    pub(crate) async fn try_warning(&self, name: &str) -> Result<Option<VaultLock>> {
        self.vault.try_lock(&warning_key(name)).await
    }

    /// Tries to become the one process that renews the tokens of an account; `None` while another one does.
    pub(crate) async fn try_renewal(&self, name: &str) -> Result<Option<VaultLock>> {
        self.vault.try_lock(&token_key(name)).await
    }

    /// Removes an account with everything that belongs to it. Errors: `Misuse` (no such account), `Storage`.
    pub(crate) async fn remove(&self, name: &str) -> Result<()> {
        self.find_stored(name).await?;
        // Settings last: a removal that was cut short can be repeated.
        self.remove_state(name).await?;
        self.remove_state(&fallback_name(name)).await?;
        self.vault.remove(&credential_key(name)).await?;
        self.vault.remove(&settings_key(name)).await?;
        Ok(())
    }

    /// What came about while the account was used.
    async fn remove_state(&self, name: &str) -> Result<()> {
        self.vault.remove(&token_key(name)).await?;
        self.vault.remove(&challenge_key(name)).await?;
        self.vault.remove(&warning_key(name)).await?;
        Ok(())
    }

    /// Seals everything with a new key. Errors: as [`Vault::rotate`].
    pub(crate) async fn rotate(&self, passphrase: &Passphrase) -> Result<()> {
        self.vault.rotate(passphrase).await
    }

    async fn unknown(&self, name: &str) -> Error {
        let known = self.list().await.unwrap_or_default();
        let names: Vec<_> = known.iter().map(|account| account.name.as_str()).collect();
        let fix = if names.is_empty() {
            "add the account first: no account exists yet".to_owned()
        } else {
            format!("use one of the accounts that exist: {}", names.join(", "))
        };
        let text = format!("there is no account named {name:?}");
        Error::new(ProblemKind::Misuse, "account-unknown", text, fix)
    }
}

/// The stored form of an account's settings. `format` changes when the meaning of a field does.
#[derive(Serialize, Deserialize)]
struct Stored {
    format: u32,
    account: Account,
}

impl Stored {
    fn new(account: &Account) -> Self {
        Self {
            format: FORMAT,
            account: account.clone(),
        }
    }
}

const FORMAT: u32 = 1;
const SETTINGS: &str = "accounts/";
const CREDENTIALS: &str = "credentials/";
const TOKENS: &str = "tokens/";

fn settings_key(name: &str) -> String {
    format!("{SETTINGS}{name}")
}

fn credential_key(name: &str) -> String {
    format!("{CREDENTIALS}{name}")
}

fn token_key(name: &str) -> String {
    format!("{TOKENS}{name}")
}

fn challenge_key(name: &str) -> String {
    format!("challenges/{name}")
}

fn warning_key(name: &str) -> String {
    format!("warnings/{name}")
}

/// What follows an account's name in the name of the same account on its second road. No account's own name can end so.
const FALLBACK: &str = "+fallback";

/// The name under which an account's second road keeps its tokens.
pub(crate) fn fallback_name(name: &str) -> String {
    format!("{name}{FALLBACK}")
}

/// The name of the account whose second road this is.
pub(crate) fn first_roads_name(name: &str) -> Option<&str> {
    name.strip_suffix(FALLBACK)
}

/// The account as it is on its second road, if it has one.
pub(crate) fn on_second_road(account: &Account) -> Option<Account> {
    let Fallback { route, endpoints } = account.fallback.clone()?;
    Some(Account {
        name: fallback_name(&account.name),
        cloud: cloud_of(&route, account.cloud),
        route,
        endpoints,
        fallback: None,
        ..account.clone()
    })
}

/// The cloud whose rules hold on a road: none of Microsoft's at another provider's server.
fn cloud_of(route: &Route, cloud: Cloud) -> Cloud {
    match route {
        Route::StandardSmtp { .. } => Cloud::Custom,
        _ => cloud,
    }
}

fn stored_form(new: &NewAccount, endpoints: Endpoints, fallback: Option<Fallback>) -> Account {
    Account {
        name: new.name.clone(),
        mailbox: new.mailbox.clone(),
        cloud: cloud_of(&new.route, new.cloud),
        tenant: new.tenant.clone(),
        client_id: new.client_id.clone(),
        grant: new.grant.kind(),
        secret_expires_at_unix_ms: new.secret_expires_at_unix_ms,
        route: new.route.clone(),
        endpoints,
        fallback,
    }
}

fn read_settings(key: &str, record: &SecretBytes) -> Result<Account> {
    // Exposed to be read; settings hold no secret.
    let stored: Stored =
        serde_json::from_slice(record.expose()).map_err(|error| damaged(key).with_source(error))?;
    if stored.format > FORMAT {
        return Err(newer(key));
    }
    Ok(stored.account)
}

fn name_taken(name: &str) -> Error {
    Error::new(
        ProblemKind::Misuse,
        "account-exists",
        format!("an account named {name:?} exists already"),
        "choose another name, or remove the existing account first",
    )
}

fn damaged(key: &str) -> Error {
    Error::new(
        ProblemKind::Storage,
        "vault-record-damaged",
        format!("the vault's record cannot be read: {key}"),
        "remove the account and add it again",
    )
}

fn newer(key: &str) -> Error {
    Error::new(
        ProblemKind::Storage,
        "vault-record-newer",
        format!("the vault's record was written by a newer version: {key}"),
        "use the newer version of Mailbearer",
    )
}

fn unwritable(error: serde_json::Error) -> Error {
    Error::new(
        ProblemKind::Internal,
        "record-unwritable",
        "a record could not be written as JSON",
        "report this to Mailbearer's authors",
    )
    .with_source(error)
}
