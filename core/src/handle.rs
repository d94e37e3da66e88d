//! The handle: every capability of the core as one method of a few lines. The work is done by the modules below it.

use crate::account::{self, Accounts};
use crate::audit::{Events, Recorder};
use crate::body::Source;
use crate::diagnosis;
use crate::doctor::{Doctor, test_mail};
use crate::error::{Error, Result};
use crate::host::{
    ClientIdentity, Clock, Environment, HttpClient, Network, Proxy, Random, SystemClock,
    SystemEnvironment, SystemHttp, SystemNetwork, SystemRandom, random_token,
};
use crate::import::Import;
use crate::message::{self, BuiltMail, Stamp};
use crate::model::{
    Account, Attachment, Bytes, Config, ConnectionSettings, Content, Delivery, Diagnosis, Envelope,
    Event, Evidence, Examination, Examine, Grant, GrantKind, Message, NewAccount, Passphrase,
    Problem, ProblemKind, RevealedAccessToken, Route, SignInFlow, SignInPrompt, TestDelivery,
    TestMail, Timeouts, TokenStatus, VaultRecord, VaultReport, VaultSettings, Verdict,
};
use crate::secret::SecretText;
use crate::token::{AccessToken, Background, IdentityProvider, SignIns, TokenCache, TokenSource};
use crate::transport::route::{Travel, passed_over};
use crate::transport::{Login, Outcome, OutgoingMail, Password, Roads, check_connections};
use crate::vault::{self, Vault};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::RwLock;

/// A handle on everything Mailbearer does. Cheap to clone; all clones are the same handle.
///
/// Every method returns an [`Error`] with a cause, a fix and retry advice. Every future may be dropped at any await:
/// a dropped [`Mailbearer::send`] has either been taken by the server or not been sent.
#[derive(Clone, Debug)]
pub struct Mailbearer {
    engine: Arc<Engine>,
}

/// The machine's services a handle works with. Replace any of them for tests or for an environment of your own.
#[derive(Clone, Debug)]
pub struct Parts {
    /// Time and waiting.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// The variables by which Azure and GitHub tell a program how to sign in.
    pub environment: Arc<dyn Environment>,
    /// HTTP, for identity providers.
    pub http: Arc<dyn HttpClient>,
    /// TCP and TLS, for mail servers.
    pub network: Arc<dyn Network>,
    /// Where secrets rest. Default: as the configuration's `vault` says.
    pub vault: Option<Arc<dyn Vault>>,
}

impl Default for Parts {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock::default()),
            random: Arc::new(SystemRandom),
            environment: Arc::new(SystemEnvironment),
            http: Arc::new(SystemHttp::default()),
            network: Arc::new(SystemNetwork::default()),
            vault: None,
        }
    }
}

#[derive(Debug)]
struct Engine {
    ehlo_name: Option<String>,
    timeouts: Timeouts,
    connections: ConnectionSettings,
    parts: Parts,
    /// The ways out, through the proxy where one is set.
    network: Arc<dyn Network>,
    http: Arc<dyn HttpClient>,
    accounts: Accounts,
    tokens: TokenCache,
    sign_ins: SignIns,
    roads: Roads,
    recorder: Recorder,
    /// Renews without being asked, where the settings say so.
    background: Mutex<Option<Background>>,
    closed: AtomicBool,
    /// Held for reading by every delivery, so that closing waits for those in flight.
    deliveries: RwLock<()>,
}

impl Mailbearer {
    /// Opens a handle on the machine's own services. Errors: `Config`, `Storage`.
    pub async fn open(config: Config) -> Result<Self> {
        Self::open_with(config, Parts::default()).await
    }

    /// Opens a handle on services of your own. Errors: `Config`, `Storage`.
    pub async fn open_with(config: Config, parts: Parts) -> Result<Self> {
        let checked = Background::check(&config.renewal);
        checked
            .and_then(|()| check_connections(&config.connections))
            .map_err(|error| error.during("open"))?;
        let vault = match &parts.vault {
            Some(vault) => vault.clone(),
            None => open_vault(&config.vault, &parts)
                .await
                .map_err(|error| error.during("open"))?,
        };
        let (network, http) =
            networks(&parts, &config.connections).map_err(|error| error.during("open"))?;
        let provider = IdentityProvider {
            http: http.clone(),
            clock: parts.clock.clone(),
            random: parts.random.clone(),
            environment: parts.environment.clone(),
            timeout: Duration::from_millis(config.timeouts.token_ms),
        };
        let accounts = Accounts::new(vault);
        let recorder = Recorder::new();
        let tokens = TokenCache::new(
            accounts.clone(),
            provider.clone(),
            recorder.clone(),
            config.renewal,
        );
        let background = config
            .renewal
            .in_background
            .then(|| Background::start(tokens.clone(), config.renewal));
        let roads = Roads::new(
            network.clone(),
            parts.clock.clone(),
            parts.random.clone(),
            Arc::new(tokens.clone()),
        );
        let engine = Engine {
            ehlo_name: config.ehlo_name,
            timeouts: config.timeouts,
            connections: config.connections,
            network,
            http,
            tokens,
            roads,
            background: Mutex::new(background),
            sign_ins: SignIns::new(provider, parts.random.clone()),
            accounts,
            recorder,
            parts,
            closed: AtomicBool::new(false),
            deliveries: RwLock::new(()),
        };
        Ok(Self {
            engine: Arc::new(engine),
        })
    }

    /// Closes the handle: waits for the deliveries in flight, and up to 5 s for renewals, closes the connections, ends
    /// every reader of events, and refuses new work (`Misuse`). May be called twice.
    pub async fn close(&self) -> Result<()> {
        self.engine.closed.store(true, Ordering::SeqCst);
        let background = self.engine.background.lock();
        drop(background.unwrap_or_else(|e| e.into_inner()).take());
        let _all_done = self.engine.deliveries.write().await;
        self.engine.roads.close().await;
        self.engine.tokens.settle().await;
        self.engine.recorder.close();
        Ok(())
    }

    /// Validates and stores an account. Errors: `Config`, `Misuse` (the name is taken), `Storage`.
    pub async fn add_account(&self, account: NewAccount) -> Result<Account> {
        self.open_for("add_account")?;
        let added = self.engine.accounts.add(account).await;
        added.map_err(|error| error.during("add_account"))
    }

    /// Takes over an account of another tool. Its refresh token counts as taken over only once the server has given an
    /// access token for it; after an error there is no account, and cut short at any moment there is none or all of it.
    /// Without a refresh token a person signs in next. Errors: as in [`Mailbearer::add_account`] and
    /// [`Mailbearer::access_token`].
    pub async fn import_account(&self, import: Import) -> Result<TokenStatus> {
        self.open_for("import_account")?;
        let imported = async {
            let engine = &self.engine;
            let new = &import.account;
            let account = engine.accounts.admit(new).await?;
            engine.accounts.check_writable(&new.name).await?;
            let refresh_token = import.refresh_token.as_ref();
            let tokens = engine.tokens.try_out(&account, &new.grant, refresh_token);
            let tokens = tokens.await?;
            let record = tokens.map(|tokens| tokens.seal()).transpose()?;
            let stored = engine.accounts.store(&account, &new.grant, record.as_ref());
            stored.await?;
            engine.tokens.status(&account).await
        };
        imported
            .await
            .map_err(|error| error.during("import_account"))
    }

    /// All accounts, by name. Errors: `Storage`.
    pub async fn accounts(&self) -> Result<Vec<Account>> {
        self.open_for("accounts")?;
        let list = self.engine.accounts.list().await;
        list.map_err(|error| error.during("accounts"))
    }

    /// Removes an account with its secrets and tokens. Errors: `Misuse` (no such account), `Storage`.
    pub async fn remove_account(&self, account: &str) -> Result<()> {
        self.open_for("remove_account")?;
        let removed = self.engine.accounts.remove(account).await;
        self.engine.tokens.forget(account);
        self.engine.roads.forget(account);
        let second = account::fallback_name(account);
        self.engine.tokens.forget(&second);
        self.engine.roads.forget(&second);
        removed.map_err(|error| error.during("remove_account"))
    }

    /// Begins a person's sign-in and returns what to show them.
    /// Errors: `Config`, `Consent`, `Throttled`, `Unavailable`, `Misuse`, `Storage`.
    pub async fn begin_sign_in(&self, account: &str, flow: SignInFlow) -> Result<SignInPrompt> {
        self.open_for("begin_sign_in")?;
        let begin = async {
            let account = self.engine.accounts.find(account).await?;
            let claims = self.engine.accounts.challenge(&account.name).await?;
            self.engine.sign_ins.begin(&account, flow, claims).await
        };
        begin.await.map_err(|error| error.during("begin_sign_in"))
    }

    /// Waits until the person has signed in, has declined, or the code has ended. A dropped wait can be repeated.
    /// Errors: `SignIn`, `Consent`, `Config`, `Throttled`, `Unavailable`, `Misuse`, `Storage`.
    pub async fn finish_sign_in(&self, prompt: &SignInPrompt) -> Result<TokenStatus> {
        self.open_for("finish_sign_in")?;
        let finish = async {
            let account = self.engine.accounts.find(&prompt.account).await?;
            let tokens = match self.engine.sign_ins.finish(&account, prompt).await {
                Ok(tokens) => tokens,
                Err(error) => {
                    self.engine.tokens.keep_challenge(&account, &error).await?;
                    return Err(error);
                }
            };
            self.engine.tokens.accept(&account, tokens).await?;
            self.engine.tokens.status(&account).await
        };
        finish.await.map_err(|error| error.during("finish_sign_in"))
    }

    /// A valid access token, for other mail libraries. Renewed early; one request for any number of callers.
    /// Errors: `SignIn`, `Consent`, `Config`, `Throttled`, `Unavailable`, `Misuse`, `Storage`.
    pub async fn access_token(&self, account: &str) -> Result<AccessToken> {
        self.open_for("access_token")?;
        let token = self.engine.tokens.access_token(account, None).await;
        token.map_err(|error| error.during("access_token"))
    }

    /// A valid access token in place of one that a server refused before its end, for clients of other libraries; `send`
    /// does this by itself. Renewed once, for any number of callers who name the same refused token; whoever names another
    /// one gets the current token. Errors as in [`Mailbearer::access_token`].
    pub async fn access_token_after(
        &self,
        account: &str,
        refused: &SecretText,
    ) -> Result<AccessToken> {
        self.open_for("access_token_after")?;
        let tokens = &self.engine.tokens;
        let token = tokens.access_token_other_than(account, Some(refused)).await;
        token.map_err(|error| error.during("access_token_after"))
    }

    /// [`Mailbearer::access_token`] in the clear, with the mailbox to name beside it, for other languages.
    pub async fn revealed_access_token(&self, account: &str) -> Result<RevealedAccessToken> {
        Ok(self.access_token(account).await?.reveal())
    }

    /// [`Mailbearer::access_token_after`] in the clear, for other languages.
    pub async fn revealed_access_token_after(
        &self,
        account: &str,
        refused: &str,
    ) -> Result<RevealedAccessToken> {
        let refused = SecretText::new(refused.to_owned());
        Ok(self.access_token_after(account, &refused).await?.reveal())
    }

    /// What is known of an account's tokens; asks no server. Errors: `Misuse`, `Storage`.
    pub async fn token_status(&self, account: &str) -> Result<TokenStatus> {
        self.open_for("token_status")?;
        let status = async {
            let account = self.engine.accounts.find(account).await?;
            self.engine.tokens.status(&account).await
        };
        status.await.map_err(|error| error.during("token_status"))
    }

    /// Builds and sends a mail, and waits for the server's verdict on each recipient.
    ///
    /// Succeeds when the server took the mail for at least one recipient: look at each verdict. Otherwise the error's
    /// problem holds the verdicts. Errors: all kinds. A connection lost between the last octet and the verdict gives
    /// `delivery-undecided`: the mail may have been delivered.
    pub async fn send(&self, message: Message) -> Result<Delivery> {
        self.open_for("send")?;
        let sent = async {
            let account = self.engine.accounts.find(&message.account).await?;
            let sources = sources(&message.attachments).await?;
            let mail = message::build(
                &message,
                &sources,
                &Stamp {
                    now_unix_ms: self.engine.parts.clock.now_unix_ms(),
                    id: &random_token(&*self.engine.parts.random)?,
                    mailbox: &account.mailbox,
                },
            )?;
            self.deliver(&account, mail).await
        };
        sent.await.map_err(|error| error.during("send"))
    }

    /// Sends a finished message (RFC 5322) as it is, but for line ends, which become CRLF. Otherwise like
    /// [`Mailbearer::send`].
    pub async fn send_raw(&self, envelope: Envelope, mime: Bytes) -> Result<Delivery> {
        self.open_for("send_raw")?;
        let sent = async {
            let account = self.engine.accounts.find(&envelope.account).await?;
            let mail = message::raw(&envelope, &mime, &account.mailbox)?;
            self.deliver(&account, mail).await
        };
        sent.await.map_err(|error| error.during("send_raw"))
    }

    /// Examines an account stage by stage, from its settings to the mailbox, as a mail would go, and sends nothing. What is
    /// wrong is a finding with cause and fix, not an error; after a broken stage, those that need it are not run. Takes
    /// a few seconds at most for each stage. Errors: `Misuse` (no such account), `Storage`.
    pub async fn examine(&self, order: Examine) -> Result<Examination> {
        self.open_for("examine")?;
        let account = self.engine.accounts.find(&order.account).await;
        let account = account.map_err(|error| error.during("examine"))?;
        let doctor = Doctor {
            accounts: &self.engine.accounts,
            tokens: &self.engine.tokens,
            http: &*self.engine.http,
            network: &*self.engine.network,
            clock: &self.engine.parts.clock,
        };
        let login = self.login(&account).await;
        let login = login.map_err(|error| error.during("examine"))?;
        let tokens = self.tokens();
        let route = self.travel(&tokens).smtp(&account, login);
        Ok(doctor.examine(&account, &order, route).await)
    }

    /// Sends a short mail with a mark of its own, and says what to look at next. Succeeds and fails as
    /// [`Mailbearer::send`] does.
    pub async fn send_test(&self, order: TestMail) -> Result<TestDelivery> {
        self.open_for("send_test")?;
        let sent = async {
            let account = self.engine.accounts.find(&order.account).await?;
            let nonce = random_token(&*self.engine.parts.random)?;
            let message = test_mail::message(&order, &account, &nonce);
            let delivery = self.send(message).await?;
            Ok(TestDelivery {
                next_steps: test_mail::next_steps(&delivery, &nonce),
                delivery,
                nonce,
            })
        };
        sent.await.map_err(|error: Error| error.during("send_test"))
    }

    /// What is in the vault: every record by account with its size and date, never what it says. Asks no mail server.
    /// Errors: `Config`, `Unavailable`, `Storage`, `Misuse`.
    pub async fn vault_records(&self) -> Result<Vec<VaultRecord>> {
        self.open_for("vault_records")?;
        let records = self.engine.accounts.records().await;
        records.map_err(|error| error.during("vault_records"))
    }

    /// Opens every record of the vault, looks at permissions, locks and leftovers, and says what is wrong and how to mend
    /// it. Changes nothing. Errors: `Config`, `Unavailable`, `Storage`, `Misuse`, when the vault as a whole cannot be read.
    pub async fn check_vault(&self) -> Result<VaultReport> {
        self.open_for("check_vault")?;
        let report = self.engine.accounts.check().await;
        report.map_err(|error| error.during("check_vault"))
    }

    /// Seals everything in the vault with a new key, made from another passphrase, or from a new key in the same keyring
    /// entry. Other processes notice at their next look, and go on when their source gives the new passphrase; otherwise
    /// they get `vault-key-changed`. Cut short, the vault has the old key or the new one.
    /// Errors: `Config`, `Unavailable`, `Storage`, `Misuse` (a vault without a key of its own).
    pub async fn rotate_vault(&self, passphrase: Passphrase) -> Result<()> {
        self.open_for("rotate_vault")?;
        let rotated = self.engine.accounts.rotate(&passphrase).await;
        rotated.map_err(|error| error.during("rotate_vault"))
    }

    /// Moves all accounts with their secrets and tokens to another vault, and returns what was moved. Everything is copied
    /// and read back before anything is removed; cut short at any moment, nothing is lost, and it can be repeated.
    /// Afterwards this handle has no accounts: open one with the new settings.
    /// Errors: `Config`, `Unavailable`, `Storage`, `Misuse` (the same vault, memory, another record of the same name).
    pub async fn move_vault(&self, to: VaultSettings) -> Result<Vec<VaultRecord>> {
        self.open_for("move_vault")?;
        let moving = async {
            check_target(&to)?;
            let parts = &self.engine.parts;
            let target = open_vault(&to, parts).await?;
            let accounts = &self.engine.accounts;
            accounts
                .move_to(&*target, &*parts.clock, &*parts.random)
                .await
        };
        moving.await.map_err(|error| error.during("move_vault"))
    }

    /// A reader of everything that happens in this handle from now on.
    pub fn events(&self) -> Events {
        self.engine.recorder.subscribe()
    }

    /// The possible causes of a failure seen anywhere, best first; empty when nothing fits. Asks no server.
    pub fn explain(&self, evidence: &Evidence) -> Vec<Diagnosis> {
        diagnosis::explain(evidence)
    }
}

impl Mailbearer {
    fn open_for(&self, operation: &str) -> Result<()> {
        if !self.engine.closed.load(Ordering::SeqCst) {
            return Ok(());
        }
        let error = Error::new(
            ProblemKind::Misuse,
            "handle-closed",
            "the handle is closed",
            "open a new handle",
        );
        Err(error.during(operation))
    }

    async fn deliver(&self, account: &Account, mail: BuiltMail) -> Result<Delivery> {
        let _in_flight = self.engine.deliveries.read().await;
        self.open_for("send")?;
        let id = random_token(&*self.engine.parts.random)?;
        let attempts = self.attempt(account, &mail).await?;
        let delivery = finished(id.clone(), account, mail, attempts);
        self.report(&id, account, &delivery);
        delivery
    }

    /// Takes the account's road, and its second one where the first certainly has nothing of the mail.
    async fn attempt(&self, account: &Account, mail: &BuiltMail) -> Result<Attempts> {
        let first = self.attempt_along(account, mail).await?;
        let Some(problem) = passed_over(&first).map(|error| error.problem().clone()) else {
            return Ok(Attempts::one(first));
        };
        let Some(second) = account::on_second_road(account) else {
            return Ok(Attempts::one(first));
        };
        tracing::warn!(code = problem.code, "the first route is passed over");
        Ok(Attempts {
            outcome: self.attempt_along(&second, mail).await?,
            passed_over: Some(problem),
        })
    }

    /// What signs in on the account's road.
    async fn login(&self, account: &Account) -> Result<Login> {
        let shows_certificate = account.grant == GrantKind::ClientCertificate;
        match &account.route {
            Route::Folder { .. } | Route::DirectSend { .. } => return Ok(Login::Nobody),
            Route::ConnectorRelay { .. } if !shows_certificate => return Ok(Login::Nobody),
            Route::ConnectorRelay { .. } => {}
            _ if account.grant == GrantKind::Password => {}
            _ => return Ok(Login::Token),
        }
        let known_as = || match &account.route {
            Route::AzureCommunicationServices { username, .. } => username.clone(),
            _ => account.mailbox.clone(),
        };
        Ok(
            match self.engine.accounts.credential(&account.name).await? {
                Grant::Password { username, password } => Login::Password(Password {
                    username: username.unwrap_or_else(known_as),
                    secret: Arc::new(password),
                }),
                Grant::ClientCertificate {
                    certificate_pem,
                    private_key_pem,
                    ..
                } => Login::Certificate(Arc::new(ClientIdentity {
                    certificate_pem,
                    private_key_pem,
                })),
                _ => Login::Nobody,
            },
        )
    }

    fn tokens(&self) -> Arc<dyn TokenSource> {
        Arc::new(self.engine.tokens.clone())
    }

    fn travel<'a>(&'a self, tokens: &'a Arc<dyn TokenSource>) -> Travel<'a> {
        let engine = &self.engine;
        Travel {
            roads: &engine.roads,
            http: &engine.http,
            clock: &engine.parts.clock,
            random: &engine.parts.random,
            tokens,
            ehlo_name: engine.ehlo_name.as_deref(),
            timeouts: engine.timeouts,
            connections: &engine.connections,
        }
    }

    async fn attempt_along(&self, account: &Account, mail: &BuiltMail) -> Result<Outcome> {
        let login = self.login(account).await?;
        let tokens = self.tokens();
        let travel = self.travel(&tokens);
        Ok(travel.send(account, login, outgoing(mail)).await)
    }

    fn report(&self, id: &str, account: &Account, delivery: &Result<Delivery>) {
        let at_unix_ms = self.engine.parts.clock.now_unix_ms();
        let (account, delivery_id) = (account.name.clone(), id.to_owned());
        self.engine.recorder.record(match delivery {
            Ok(delivery) => {
                let accepted = accepted_count(delivery);
                let total = u32::try_from(delivery.recipients.len()).unwrap_or(u32::MAX);
                Event::MailAccepted {
                    at_unix_ms,
                    account,
                    delivery: delivery_id,
                    accepted,
                    refused: total - accepted,
                }
            }
            Err(error) => Event::MailFailed {
                at_unix_ms,
                account,
                delivery: delivery_id,
                problem: error.problem().clone(),
            },
        });
    }
}

/// Where the octets of each attachment are: files stay where they are.
async fn sources(attachments: &[Attachment]) -> Result<Vec<Source>> {
    let mut sources = Vec::with_capacity(attachments.len());
    for attachment in attachments {
        sources.push(match &attachment.content {
            Content::Data { data } => Source::memory(data.shared()),
            Content::File { path } => Source::file(path, message::is_text(attachment)).await?,
        });
    }
    Ok(sources)
}

/// The ways out, through the proxy where one is set. Errors: `Config`, `Misuse`.
fn networks(
    parts: &Parts,
    settings: &ConnectionSettings,
) -> Result<(Arc<dyn Network>, Arc<dyn HttpClient>)> {
    let Some(url) = &settings.proxy else {
        return Ok((parts.network.clone(), parts.http.clone()));
    };
    let proxy = Proxy::parse(url)?;
    Ok((parts.network.through(&proxy)?, parts.http.through(&proxy)?))
}

async fn open_vault(settings: &VaultSettings, parts: &Parts) -> Result<Arc<dyn Vault>> {
    if let VaultSettings::Environment { variable } = settings {
        return account::from_environment(variable.as_deref(), &*parts.environment).await;
    }
    let host = vault::Host {
        clock: parts.clock.clone(),
        random: parts.random.clone(),
        environment: parts.environment.clone(),
        network: parts.network.clone(),
    };
    vault::open(settings, &host).await
}

/// Refuses to move to a vault that would be gone at the end, or cannot be written.
fn check_target(settings: &VaultSettings) -> Result<()> {
    match settings {
        VaultSettings::Memory | VaultSettings::Environment { .. } => Err(Error::new(
            ProblemKind::Misuse,
            "vault-move-target",
            "nothing can be moved to memory or to the environment",
            "name a file, a database or a command to move to",
        )),
        _ => Ok(()),
    }
}

fn outgoing(mail: &BuiltMail) -> OutgoingMail {
    OutgoingMail {
        sender: mail.sender.clone(),
        recipients: mail.recipients.clone(),
        mime: mail.mime.clone(),
        needs_smtputf8: mail.needs_smtputf8,
        eight_bit: mail.eight_bit,
        transfer: mail.transfer.clone(),
    }
}

/// What became of a mail, and why the first road did not take it, where a second one was tried.
struct Attempts {
    outcome: Outcome,
    passed_over: Option<Problem>,
}

impl Attempts {
    fn one(outcome: Outcome) -> Self {
        Self {
            outcome,
            passed_over: None,
        }
    }
}

fn finished(
    id: String,
    account: &Account,
    mail: BuiltMail,
    attempts: Attempts,
) -> Result<Delivery> {
    let Attempts {
        outcome,
        passed_over,
    } = attempts;
    let server_message_id = outcome.server_message_id().map(str::to_owned);
    let reply = match outcome.end {
        Ok(reply) => reply,
        Err(error) => {
            let error = match &passed_over {
                Some(first) => error.after(first),
                None => error,
            };
            return Err(error.with_recipients(outcome.recipients));
        }
    };
    Ok(Delivery {
        id,
        account: account.name.clone(),
        message_id: mail.message_id,
        server_message_id,
        reply,
        recipients: outcome.recipients,
        trail: outcome.trail,
        passed_over,
    })
}

fn accepted_count(delivery: &Delivery) -> u32 {
    let verdicts = delivery
        .recipients
        .iter()
        .map(|recipient| recipient.verdict);
    let accepted = verdicts
        .filter(|verdict| *verdict == Verdict::Accepted)
        .count();
    u32::try_from(accepted).unwrap_or(u32::MAX)
}
