//! The tokens of all accounts: answered from memory while fresh, renewed once for everybody when not.
//! A renewal runs in a task of its own, so that a caller who gives up never loses a rotated refresh token; the new
//! tokens are stored before anybody uses them.

use super::forecast::{Ends, Warnings};
use super::grant::IdentityProvider;
use super::inspect::inspect;
use super::pause::Pause;
use super::record::Tokens;
use super::{AccessToken, TokenSource};
use crate::account::{Accounts, first_roads_name};
use crate::audit::Recorder;
use crate::error::{Error, Result};
use crate::host::{Clock, within};
use crate::model::{
    Account, Event, Grant, GrantKind, Problem, ProblemKind, RenewalSettings, Retry, TokenState,
    TokenStatus,
};
use crate::provider::{certificate, pkcs12};
use crate::secret::{SecretBytes, SecretText};
use crate::vault::{self, VaultLock};
use async_trait::async_trait;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::watch;

/// The token cache of a handle. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct TokenCache {
    accounts: Accounts,
    provider: IdentityProvider,
    recorder: Recorder,
    refresh_token_idle_days: u32,
    slots: Arc<Mutex<HashMap<String, Arc<Mutex<Slot>>>>>,
}

/// What is known of one account's tokens.
#[derive(Debug, Default)]
struct Slot {
    current: Option<Current>,
    /// Obtained, but not stored yet because the vault failed: stored before anything else happens.
    unstored: Option<Unstored>,
    renewal: Option<Renewal>,
    /// Since the last request met a passing fault.
    pause: Option<Pause>,
}

/// Tokens in use, and what every caller gets of them: read once, not for each call.
#[derive(Clone, Debug)]
struct Current {
    tokens: Arc<Tokens>,
    access_token: AccessToken,
}

/// Tokens on their way to the vault, and what they take the place of there.
#[derive(Clone, Debug)]
struct Unstored {
    tokens: Arc<Tokens>,
    replaces: Replaces,
}

#[derive(Clone, Debug)]
enum Replaces {
    /// A person has signed in: whatever is there is older.
    Anything,
    /// Renewed from this record, `None` from none: another one there is somebody else's, and newer.
    Record(Option<SecretBytes>),
}

/// A renewal under way; its result reaches everybody who waits.
type Renewal = watch::Receiver<Option<std::result::Result<AccessToken, Problem>>>;

/// Whose turn it is to renew.
enum Turn {
    /// The lock, and what was stored by the time it was ours.
    Ours(VaultLock, Option<SecretBytes>),
    /// Another process was quicker; these are its tokens.
    Done(Arc<Tokens>),
}

enum Look {
    Usable(AccessToken),
    Renewing {
        renewal: Renewal,
        is_own: bool,
    },
    /// The server asked for a pause, and there is no valid token to bridge it.
    Paused(Problem),
}

#[async_trait]
impl TokenSource for TokenCache {
    async fn access_token(
        &self,
        account: &str,
        refused: Option<&AccessToken>,
    ) -> Result<AccessToken> {
        let refused = refused.map(|refused| &*refused.secret);
        self.access_token_other_than(account, refused).await
    }
}

impl TokenCache {
    pub(crate) fn new(
        accounts: Accounts,
        provider: IdentityProvider,
        recorder: Recorder,
        settings: RenewalSettings,
    ) -> Self {
        Self {
            accounts,
            provider,
            recorder,
            refresh_token_idle_days: settings.refresh_token_idle_days,
            slots: Arc::default(),
        }
    }

    /// A valid access token that is not the refused one.
    pub(crate) async fn access_token_other_than(
        &self,
        account: &str,
        refused: Option<&SecretText>,
    ) -> Result<AccessToken> {
        loop {
            let (renewal, is_own) = match self.look(account, refused) {
                Look::Usable(token) => return Ok(token),
                Look::Renewing { renewal, is_own } => (renewal, is_own),
                Look::Paused(problem) => return Err(problem.into()),
            };
            let token = self.wait_for(renewal, account, refused).await?;
            // Somebody else's renewal did not know that this token is refused: ask again.
            if is_own || !is_same(&token.secret, refused) {
                return Ok(token);
            }
        }
    }

    /// Stores the tokens of a finished sign-in.
    pub(crate) async fn accept(&self, account: &Account, tokens: Tokens) -> Result<()> {
        let token = self.take(account, tokens, Replaces::Anything).await;
        self.accounts.forget_challenge(&account.name).await?;
        token.map(|_| ())
    }

    /// Tries what an account of another tool signs in with, and gives the tokens it is worth; none where a person signs in
    /// anew. Stores nothing.
    pub(crate) async fn try_out(
        &self,
        account: &Account,
        grant: &Grant,
        refresh_token: Option<&SecretText>,
    ) -> Result<Option<Tokens>> {
        let tokens = match refresh_token {
            Some(token) => self.provider.by_refresh_token(account, token).await?,
            None if account.grant.is_a_persons() => return Ok(None),
            None => self.obtain_with(account, grant).await?,
        };
        // Exposed to be read.
        inspect(account, tokens.access_token.expose())?;
        self.report_obtained(&account.name, &tokens);
        Ok(Some(tokens))
    }

    /// What is known of an account's tokens; asks nobody.
    pub(crate) async fn status(&self, account: &Account) -> Result<TokenStatus> {
        let tokens = self.stored(&account.name).await?;
        let ends = self.ends(account, tokens.as_deref()).await?;
        let now = self.provider.clock.now_unix_ms();
        let valid = tokens
            .as_ref()
            .is_some_and(|tokens| tokens.lifetime.is_valid(now));
        let has_refresh_token = tokens
            .as_ref()
            .is_some_and(|tokens| tokens.refresh_token.is_some());
        let access_token = tokens.map(|tokens| tokens.access_token(&account.mailbox));
        Ok(TokenStatus {
            account: account.name.clone(),
            state: match account.grant {
                _ if valid => TokenState::Valid,
                grant if grant.is_a_persons() && !has_refresh_token => TokenState::SignInNeeded,
                _ => TokenState::Renewable,
            },
            origin: access_token.as_ref().map(|token| token.origin),
            audience: access_token
                .as_ref()
                .and_then(|token| token.audience.clone()),
            subject: access_token
                .as_ref()
                .and_then(|token| token.subject.clone()),
            obtained_at_unix_ms: access_token.as_ref().map(|token| token.obtained_at_unix_ms),
            expires_at_unix_ms: access_token.as_ref().map(|token| token.expires_at_unix_ms),
            scopes: access_token.map(|token| token.scopes).unwrap_or_default(),
            has_refresh_token,
            refresh_token_expires_at_unix_ms: ends.refresh_token,
            secret_expires_at_unix_ms: ends.secret,
            certificate_expires_at_unix_ms: ends.certificate,
        })
    }

    /// When what an account signs in with ends.
    async fn ends(&self, account: &Account, tokens: Option<&Tokens>) -> Result<Ends> {
        let certificate = match account.grant {
            GrantKind::ClientCertificate => self.certificate_end(&account.name).await?,
            _ => None,
        };
        let idle_days = self.refresh_token_idle_days;
        Ok(Ends::of(account, tokens, certificate, idle_days))
    }

    async fn certificate_end(&self, name: &str) -> Result<Option<i64>> {
        let Grant::ClientCertificate {
            certificate_pem,
            private_key_pem,
            ..
        } = self.accounts.credential(name).await?
        else {
            return Ok(None);
        };
        let read = certificate::read(&certificate_pem, &private_key_pem).ok();
        Ok(read.map(|certificate| certificate.expires_at_unix_ms))
    }

    /// Says what of an account ends soon, unless that was said before. While nobody listens it is not said.
    pub(super) async fn warn_of(&self, name: &str) -> Result<()> {
        if !self.has_readers() {
            return Ok(());
        }
        let Some(_lock) = self.accounts.try_warning(name).await? else {
            return Ok(());
        };
        let account = self.accounts.find(name).await?;
        let tokens = self.stored(name).await?;
        let ends = self.ends(&account, tokens.as_deref()).await?;
        let record = self.accounts.warnings(name).await?;
        let mut warnings = Warnings::unseal(record.as_ref());
        let now = self.provider.clock.now_unix_ms();
        let due = warnings.take(ends, now);
        if due.is_empty() {
            return Ok(());
        }
        self.accounts.keep_warnings(name, &warnings.seal()?).await?;
        for warning in due {
            self.recorder.record(Event::ExpiresSoon {
                at_unix_ms: now,
                account: name.to_owned(),
                credential: warning.credential,
                expires_at_unix_ms: warning.expires_at_unix_ms,
                days_left: warning.days_left,
            });
        }
        Ok(())
    }

    /// Renews tokens that no caller had to wait for yet, unless another process has.
    pub(super) async fn renew_ahead(&self, name: &str) -> Result<Arc<Tokens>> {
        let account = self.accounts.find(name).await?;
        let replaced = self.stored(name).await?;
        let replaced = replaced.map(|tokens| (*tokens.access_token).clone());
        let mut renewal = {
            let slot = self.slot(name);
            let mut slot = lock(&slot);
            match &slot.renewal {
                Some(renewal) => renewal.clone(),
                None => self.start_renewal(&mut slot, name, replaced),
            }
        };
        let done = renewal.wait_for(Option::is_some).await;
        match done.ok().and_then(|result| result.clone()) {
            Some(Ok(_)) => {
                let stored = self.stored(name).await?;
                stored.ok_or_else(|| sign_in_needed(&account, None))
            }
            Some(Err(problem)) => Err(problem.into()),
            None => Err(renewal_died()),
        }
    }

    /// Waits until no renewal is under way, so that a process which ends then loses no refresh token; but not long, for the
    /// person who ends it waits too.
    pub(crate) async fn settle(&self) {
        let slots: Vec<_> = lock(&self.slots).values().cloned().collect();
        let all_done = async {
            for slot in slots {
                let renewal = lock(&slot).renewal.clone();
                if let Some(mut renewal) = renewal {
                    // An error says that it has ended, too.
                    let _ = renewal.wait_for(Option::is_some).await;
                }
            }
        };
        within(&*self.provider.clock, PATIENCE, all_done).await;
    }

    pub(super) fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    pub(super) fn clock(&self) -> &Arc<dyn Clock> {
        &self.provider.clock
    }

    pub(super) fn has_readers(&self) -> bool {
        self.recorder.has_readers()
    }

    /// Forgets an account that was removed.
    pub(crate) fn forget(&self, account: &str) {
        lock(&self.slots).remove(account);
    }

    /// A usable token from memory, or the renewal that everybody waits for, started now if need be.
    fn look(&self, account: &str, refused: Option<&SecretText>) -> Look {
        let slot = self.slot(account);
        let mut slot = lock(&slot);
        if let Some(current) = &slot.current
            && self.is_usable(&current.tokens, refused)
        {
            return Look::Usable(current.access_token.clone());
        }
        if let Some(problem) = self.paused(&slot) {
            return match self.valid_of(&slot, refused) {
                Some(token) => Look::Usable(token),
                None if problem.kind == ProblemKind::Throttled => Look::Paused(problem),
                // Nobody asked for a pause, and the caller cannot go on without a token: it may have passed.
                None => self.renewing(&mut slot, account, refused),
            };
        }
        self.renewing(&mut slot, account, refused)
    }

    /// The renewal that everybody waits for, started now if need be.
    fn renewing(&self, slot: &mut Slot, account: &str, refused: Option<&SecretText>) -> Look {
        match &slot.renewal {
            Some(renewal) => Look::Renewing {
                renewal: renewal.clone(),
                is_own: false,
            },
            None => Look::Renewing {
                renewal: self.start_renewal(slot, account, refused.cloned()),
                is_own: true,
            },
        }
    }

    fn slot(&self, account: &str) -> Arc<Mutex<Slot>> {
        let mut slots = lock(&self.slots);
        if let Some(slot) = slots.get(account) {
            return slot.clone();
        }
        slots.entry(account.to_owned()).or_default().clone()
    }

    fn is_due(&self, tokens: &Tokens) -> bool {
        tokens.lifetime.is_due(self.provider.clock.now_unix_ms())
    }

    /// What the last request met, if it is too early for the next one.
    fn paused(&self, slot: &Slot) -> Option<Problem> {
        slot.pause.as_ref()?.problem(self.provider.clock.elapsed())
    }

    /// The token in use, due or not, if the mail server can be expected to take it.
    fn valid_of(&self, slot: &Slot, refused: Option<&SecretText>) -> Option<AccessToken> {
        let current = slot.current.as_ref()?;
        let is_valid = self.is_valid(&current.tokens, refused);
        is_valid.then(|| current.access_token.clone())
    }

    /// Waits for a renewal; but not for long while the old token is valid, which bridges the time.
    async fn wait_for(
        &self,
        mut renewal: Renewal,
        account: &str,
        refused: Option<&SecretText>,
    ) -> Result<AccessToken> {
        let clock = &*self.provider.clock;
        if within(clock, PATIENCE, renewal.wait_for(Option::is_some))
            .await
            .is_none()
            && let Some(token) = self.valid_of(&lock(&self.slot(account)), refused)
        {
            return Ok(token);
        }
        let done = renewal.wait_for(Option::is_some).await;
        match done.ok().and_then(|result| result.clone()) {
            Some(Ok(token)) => Ok(token),
            Some(Err(problem)) => {
                // One that began in the background bridges nothing by itself.
                let valid = self.valid_of(&lock(&self.slot(account)), refused);
                let error = Error::from(problem);
                valid
                    .filter(|_| error.is_passing())
                    .map_or_else(|| Err(error), Ok)
            }
            None => Err(renewal_died()),
        }
    }

    /// Starts the one renewal of an account, in a task of its own.
    fn start_renewal(
        &self,
        slot: &mut Slot,
        account: &str,
        refused: Option<SecretText>,
    ) -> Renewal {
        let (sender, renewal) = watch::channel(None);
        slot.renewal = Some(renewal.clone());
        let (cache, account) = (self.clone(), account.to_owned());
        // The task owns the sender: if it dies, everybody who waits learns of it. It must also clear the slot then.
        tokio::spawn(async move {
            let guard = ClearRenewal {
                slot: cache.slot(&account),
            };
            let result = cache.renew(&account, refused.as_ref()).await;
            if let Err(error) = &result {
                cache.report_failed(&account, error.problem());
            }
            drop(guard);
            // An error only says that every caller has given up.
            let _ = sender.send(Some(result.map_err(Problem::from)));
        });
        renewal
    }

    /// Finds tokens that another process stored, or obtains new ones: of all processes that share the vault, one does.
    async fn renew(&self, name: &str, refused: Option<&SecretText>) -> Result<AccessToken> {
        self.store_the_unstored(name).await?;
        let account = self.accounts.find(name).await?;
        let (_lock, record) = match self.wait_for_turn(&account, refused).await? {
            Turn::Ours(lock, record) => (lock, record),
            Turn::Done(tokens) => return self.use_now(&account, &tokens),
        };
        let stored = unsealed(record.as_ref())?;
        if let Some(tokens) = stored
            .as_ref()
            .filter(|tokens| self.is_usable(tokens, refused))
        {
            return self.use_now(&account, tokens);
        }
        let valid = stored
            .as_ref()
            .filter(|tokens| self.is_valid(tokens, refused));
        match self.obtain(&account, stored.as_deref()).await {
            Ok(tokens) => {
                let replaces = Replaces::Record(record);
                self.take(&account, tokens, replaces).await
            }
            Err(error) => {
                // Whoever took over a lock that was lost may have used up the refresh token; then theirs is the answer.
                if let Ok(Some(theirs)) = self.changed_since(name, record.as_ref()).await {
                    return self.use_theirs(&account, &theirs);
                }
                self.keep_what_failed(&account, &error).await?;
                match valid.filter(|_| error.is_passing()) {
                    // Renewal is early, so a passing fault of the identity provider need not stop the mail.
                    Some(tokens) => self.use_now(&account, tokens),
                    None => Err(error),
                }
            }
        }
    }

    /// Stores what was obtained, then serves it; or serves what somebody else has stored meanwhile.
    async fn take(
        &self,
        account: &Account,
        tokens: Tokens,
        replaces: Replaces,
    ) -> Result<AccessToken> {
        let tokens = Arc::new(tokens);
        if !self.store(&account.name, &tokens, replaces).await? {
            let stored = self.stored(&account.name).await?;
            let theirs = stored.ok_or_else(|| renewal_overtaken(&account.name))?;
            return self.use_theirs(account, &theirs);
        }
        lock(&self.slot(&account.name)).pause = None;
        self.report_obtained(&account.name, &tokens);
        // A warning that cannot be kept must not cost the token.
        let _ = self.warn_of(&account.name).await;
        let token = self.use_now(account, &tokens)?;
        Ok(AccessToken {
            from_cache: false,
            ..token
        })
    }

    /// What others have stored since a record was read, if they have.
    async fn changed_since(
        &self,
        name: &str,
        record: Option<&SecretBytes>,
    ) -> Result<Option<Arc<Tokens>>> {
        let now = self.accounts.tokens(name).await?;
        match vault::is_same(now.as_ref(), record) {
            true => Ok(None),
            false => unsealed(now.as_ref()),
        }
    }

    /// Serves what somebody else has stored while this process believed that the turn was its own.
    fn use_theirs(&self, account: &Account, tokens: &Arc<Tokens>) -> Result<AccessToken> {
        tracing::warn!(
            account = account.name,
            "another process has renewed these tokens at the same time; its tokens are used"
        );
        if self.is_due(tokens) {
            return Err(renewal_overtaken(&account.name));
        }
        self.use_now(account, tokens)
    }

    /// What the next request, or the next sign-in, must know of a failed one.
    async fn keep_what_failed(&self, account: &Account, error: &Error) -> Result<()> {
        if error.is_passing() {
            let slot = self.slot(&account.name);
            let earlier = lock(&slot).pause.take();
            let now = self.provider.clock.elapsed();
            let pause = Pause::after(earlier, error.problem(), now, &*self.provider.random)?;
            tracing::debug!(
                account = account.name,
                code = error.code(),
                "renewal paused"
            );
            lock(&slot).pause = Some(pause);
        }
        self.keep_challenge(account, error).await
    }

    /// Keeps what a refusal says a person's next sign-in must fulfil (Conditional Access).
    pub(crate) async fn keep_challenge(&self, account: &Account, error: &Error) -> Result<()> {
        match error.claims() {
            Some(claims) if account.grant.is_a_persons() => {
                self.accounts.keep_challenge(&account.name, claims).await
            }
            _ => Ok(()),
        }
    }

    /// Waits until no other process renews these tokens, or another one has.
    async fn wait_for_turn(&self, account: &Account, refused: Option<&SecretText>) -> Result<Turn> {
        let name = &*account.name;
        let clock = &self.provider.clock;
        let deadline = clock.elapsed().saturating_add(self.provider.timeout * 2);
        let mut pause = FIRST_PAUSE;
        loop {
            if let Some(tokens) = self.stored(name).await? {
                if self.is_usable(&tokens, refused) {
                    return Ok(Turn::Done(tokens));
                }
                if self.is_valid(&tokens, refused) {
                    // For callers whose patience ends before the renewal does; one that cannot be used serves none of them.
                    let _ = self.use_now(account, &tokens);
                }
            }
            if let Some(lock) = self.accounts.try_renewal(name).await? {
                // Read again: what others stored before the lock was ours.
                let record = self.accounts.tokens(name).await?;
                if lock.is_held() {
                    return Ok(Turn::Ours(lock, record));
                }
            }
            if clock.elapsed() >= deadline {
                return Err(renewal_blocked(name));
            }
            clock.sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn is_usable(&self, tokens: &Tokens, refused: Option<&SecretText>) -> bool {
        !is_same(&tokens.access_token, refused) && !self.is_due(tokens)
    }

    fn is_valid(&self, tokens: &Tokens, refused: Option<&SecretText>) -> bool {
        let now = self.provider.clock.now_unix_ms();
        tokens.lifetime.is_valid(now) && !is_same(&tokens.access_token, refused)
    }

    async fn obtain(&self, account: &Account, stored: Option<&Tokens>) -> Result<Tokens> {
        if matches!(account.grant, GrantKind::Password | GrantKind::Nothing) {
            return Err(no_token(account));
        }
        if account.grant.is_a_persons() {
            let own = stored.and_then(|tokens| tokens.refresh_token.clone());
            let refresh_token = match own {
                Some(own) => Some(own),
                None => self.first_roads_refresh_token(&account.name).await?,
            };
            let refresh_token = refresh_token.ok_or_else(|| sign_in_needed(account, stored))?;
            return self
                .provider
                .by_refresh_token(account, &refresh_token)
                .await;
        }
        let grant = self.accounts.credential(&account.name).await?;
        self.obtain_with(account, &grant).await
    }

    async fn obtain_with(&self, account: &Account, grant: &Grant) -> Result<Tokens> {
        let provider = &self.provider;
        match grant {
            Grant::AuthorizationCode | Grant::DeviceCode => Err(sign_in_needed(account, None)),
            Grant::Password { .. } | Grant::Nothing => Err(no_token(account)),
            Grant::ClientSecret { client_secret } => {
                provider.by_client_secret(account, client_secret).await
            }
            Grant::ClientCertificate {
                certificate_pem,
                private_key_pem,
                private_key_passphrase,
            } => {
                let passphrase = private_key_passphrase.as_ref();
                let key = certificate::opened_key(private_key_pem, passphrase)?;
                provider
                    .by_certificate(account, certificate_pem, &key)
                    .await
            }
            Grant::ClientCertificatePkcs12 { pkcs12, passphrase } => {
                let opened = pkcs12::open(pkcs12, passphrase)?;
                Box::pin(self.obtain_with(account, &opened)).await
            }
            Grant::FederatedToken { token_file } => {
                provider
                    .by_federated_token(account, token_file.as_deref())
                    .await
            }
            Grant::ManagedIdentity => provider.by_managed_identity(account).await,
            Grant::TokenCommand { command } => provider.by_command(command).await,
        }
    }

    /// For the second road of an account that has no tokens of its own yet: a refresh token of Entra ID is bound to person
    /// and application, not to a resource, so the first road's serves both.
    async fn first_roads_refresh_token(&self, name: &str) -> Result<Option<SecretText>> {
        let Some(first) = first_roads_name(name) else {
            return Ok(None);
        };
        let tokens = self.stored(first).await?;
        Ok(tokens.and_then(|tokens| tokens.refresh_token.clone()))
    }

    pub(super) async fn stored(&self, name: &str) -> Result<Option<Arc<Tokens>>> {
        unsealed(self.accounts.tokens(name).await?.as_ref())
    }

    /// Serves stored tokens from now on, if the mail server can be expected to take them.
    fn use_now(&self, account: &Account, tokens: &Arc<Tokens>) -> Result<AccessToken> {
        // Exposed to be read.
        inspect(account, tokens.access_token.expose())?;
        let access_token = AccessToken {
            from_cache: true,
            ..tokens.access_token(&account.mailbox)
        };
        lock(&self.slot(&account.name)).current = Some(Current {
            tokens: tokens.clone(),
            access_token: access_token.clone(),
        });
        Ok(access_token)
    }

    /// Makes tokens durable before anybody uses them; tells whether they were, or somebody else's are newer. The lock alone
    /// does not decide that: a database may let others in while this process was cut off from it, or slept.
    /// When the vault fails they are kept, to be stored by the next call: the refresh token among them may be the only one
    /// that still works.
    async fn store(&self, name: &str, tokens: &Arc<Tokens>, replaces: Replaces) -> Result<bool> {
        let slot = self.slot(name);
        lock(&slot).unstored = Some(Unstored {
            tokens: tokens.clone(),
            replaces: replaces.clone(),
        });
        let record = tokens.seal()?;
        let is_stored = match &replaces {
            Replaces::Anything => {
                self.accounts.keep_tokens(name, &record).await?;
                true
            }
            Replaces::Record(old) => {
                let old = old.as_ref();
                self.accounts.replace_tokens(name, old, &record).await?
                    // An earlier attempt, whose answer was lost.
                    || vault::is_same(self.accounts.tokens(name).await?.as_ref(), Some(&record))
            }
        };
        lock(&slot).unstored = None;
        Ok(is_stored)
    }

    async fn store_the_unstored(&self, name: &str) -> Result<()> {
        let unstored = lock(&self.slot(name)).unstored.clone();
        if let Some(Unstored { tokens, replaces }) = unstored {
            // What is newer is found by whoever asked.
            self.store(name, &tokens, replaces).await?;
        }
        Ok(())
    }

    fn report_obtained(&self, account: &str, tokens: &Tokens) {
        self.recorder.record(Event::TokenObtained {
            at_unix_ms: self.provider.clock.now_unix_ms(),
            account: account.to_owned(),
            origin: tokens.origin,
            expires_at_unix_ms: tokens.lifetime.expires_at_unix_ms,
        });
    }

    fn report_failed(&self, account: &str, problem: &Problem) {
        self.recorder.record(Event::TokenFailed {
            at_unix_ms: self.provider.clock.now_unix_ms(),
            account: account.to_owned(),
            problem: problem.clone(),
        });
    }
}

/// Ends a renewal even when its task is cancelled or dies: the next caller starts a new one.
struct ClearRenewal {
    slot: Arc<Mutex<Slot>>,
}

impl Drop for ClearRenewal {
    fn drop(&mut self) {
        lock(&self.slot).renewal = None;
    }
}

/// How often a process looks whether another one has finished its renewal: a request takes some tenths of a second.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(80);

/// How long a caller with a valid token waits for a fresher one, and a closed handle for those under way: a token request
/// takes some tenths of a second.
const PATIENCE: Duration = Duration::from_secs(5);

fn is_same(token: &SecretText, refused: Option<&SecretText>) -> bool {
    // Exposed to be compared. Only who has the token in the clear learns that it is the current one.
    refused.is_some_and(|refused| token.expose() == refused.expose())
}

fn unsealed(record: Option<&SecretBytes>) -> Result<Option<Arc<Tokens>>> {
    let tokens = record.map(Tokens::unseal).transpose()?;
    Ok(tokens.map(Arc::new))
}

fn sign_in_needed(account: &Account, stored: Option<&Tokens>) -> Error {
    let (code, text) = match stored {
        None => ("sign-in-needed", "nobody has signed in yet for account"),
        Some(_) => (
            "offline-access-missing",
            "the access token has ended and there is no refresh token for account",
        ),
    };
    Error::new(
        ProblemKind::SignIn,
        code,
        format!("{text} {:?}", account.name),
        format!("sign in: mailbearer login {}", account.name),
    )
}

fn no_token(account: &Account) -> Error {
    Error::new(
        ProblemKind::Misuse,
        "account-without-token",
        format!("the account signs in without a token: {:?}", account.name),
        "ask for tokens of accounts whose grant gives them; a password is never handed out",
    )
}

fn renewal_blocked(account: &str) -> Error {
    Error::new(
        ProblemKind::Unavailable,
        "renewal-blocked",
        format!("another process has been renewing the access token for too long: {account}"),
        "look for a stopped process that uses the same vault",
    )
}

fn renewal_overtaken(account: &str) -> Error {
    Error::new(
        ProblemKind::Unavailable,
        "renewal-overtaken",
        format!(
            "the account was changed by another process while its token was renewed: {account}"
        ),
        "try again",
    )
    .with_retry(Retry::Now)
}

fn renewal_died() -> Error {
    Error::new(
        ProblemKind::Internal,
        "renewal-stopped",
        "the renewal of an access token stopped without a result",
        "try again; if it happens again, report it to Mailbearer's authors",
    )
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere leaves this state whole: every change to it is a single assignment.
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}
