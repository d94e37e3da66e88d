//! What the tests through the handle share: a sandbox with two accounts on it, and a search for leaked secrets.
//! Accounts use the worldwide cloud's own settings, but for the addresses that point at the sandbox.

#![expect(
    dead_code,
    reason = "each test file is a crate of its own and uses a part of this"
)]

use mailbearer::host::Environment;
use mailbearer::model::{
    Address, Cloud, EndpointOverrides, Grant, NewAccount, Timeouts, VaultSettings,
};
use mailbearer::secret::SecretText;
use mailbearer::{Config, Mailbearer, Message, Parts, SignInFlow};
use mailbearer_sandbox::directory::seed;
use mailbearer_sandbox::{Options, Sandbox};
use std::collections::HashMap;
use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock};

/// The account that signs in with a client secret; sends as billing.
pub(crate) const SERVICE: &str = "service";
/// The account that signs in with a device code; sends as Alice.
pub(crate) const PERSON: &str = "person";

/// A sandbox and a handle on it.
pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) mailbearer: Mailbearer,
}

/// An environment that a test fills in while it runs.
#[derive(Debug, Default)]
pub(crate) struct Variables(pub(crate) Mutex<HashMap<String, String>>);

impl Environment for Variables {
    fn variable(&self, name: &str) -> Option<String> {
        self.0.lock().unwrap().get(name).cloned()
    }
}

impl World {
    /// Both accounts exist; nobody has signed in.
    pub(crate) async fn start() -> Self {
        Self::start_in(Arc::default()).await
    }

    /// The same in an environment of the test's own.
    pub(crate) async fn start_in(environment: Arc<Variables>) -> Self {
        let config = Config {
            vault: VaultSettings::Memory,
            timeouts: timeouts(),
            ..Config::default()
        };
        let parts = Parts {
            environment,
            ..Parts::default()
        };
        Self::start_on(options(), config, parts).await
    }

    pub(crate) async fn start_with(config: Config) -> Self {
        Self::start_on(options(), config, Parts::default()).await
    }

    pub(crate) async fn start_on(options: Options, config: Config, parts: Parts) -> Self {
        capture_logs();
        let sandbox = Sandbox::start(options).await.unwrap();
        let mailbearer = Mailbearer::open_with(config, parts).await.unwrap();
        for account in [service(&sandbox), person(&sandbox)] {
            mailbearer.add_account(account).await.unwrap();
        }
        Self {
            sandbox,
            mailbearer,
        }
    }

    /// Alice signs in with a device code.
    pub(crate) async fn sign_in(&self) {
        let prompt = self
            .mailbearer
            .begin_sign_in(PERSON, SignInFlow::DeviceCode)
            .await
            .unwrap();
        let approved = self.sandbox.approve_device(&prompt.user_code, seed::ALICE);
        approved.await.unwrap();
        self.mailbearer.finish_sign_in(&prompt).await.unwrap();
    }

    /// Fails if anything shown, or any log line of this process, holds a secret of this sandbox.
    pub(crate) fn assert_no_secret_in(&self, shown: &str) {
        let logs = String::from_utf8_lossy(&logs().lock().unwrap()).into_owned();
        for secret in self.sandbox.secrets() {
            assert!(!shown.contains(&secret), "a secret is shown: {secret}");
            assert!(!logs.contains(&secret), "a secret is in the log: {secret}");
        }
    }
}

/// A sandbox that does the same every time.
pub(crate) fn options() -> Options {
    Options {
        random_seed: Some(7),
        ..Options::default()
    }
}

/// Short enough for a test that waits in vain, long enough for a busy machine.
pub(crate) fn timeouts() -> Timeouts {
    Timeouts {
        connect_ms: 5_000,
        reply_ms: 5_000,
        verdict_ms: 5_000,
        token_ms: 5_000,
    }
}

fn endpoints(sandbox: &Sandbox) -> EndpointOverrides {
    let (authority, port) = (sandbox.identity_url(), sandbox.smtp_address().port());
    endpoints_at(&authority, port, sandbox.ca_pem().to_owned())
}

fn endpoints_at(authority: &str, smtp_port: u16, ca_pem: String) -> EndpointOverrides {
    EndpointOverrides {
        authority: Some(authority.to_owned()),
        smtp_host: Some("localhost".to_owned()),
        smtp_port: Some(smtp_port),
        ca_pem: Some(ca_pem),
        ..EndpointOverrides::default()
    }
}

/// The seeded service, as an account.
pub(crate) fn service(sandbox: &Sandbox) -> NewAccount {
    let (authority, port) = (sandbox.identity_url(), sandbox.smtp_address().port());
    service_at(&authority, port, sandbox.ca_pem().to_owned())
}

/// The same for a sandbox of another process.
pub(crate) fn service_at(authority: &str, smtp_port: u16, ca_pem: String) -> NewAccount {
    NewAccount {
        name: SERVICE.to_owned(),
        mailbox: seed::BILLING.to_owned(),
        cloud: Cloud::Worldwide,
        tenant: seed::TENANT_ID.to_owned(),
        client_id: seed::SERVICE_CLIENT_ID.to_owned(),
        grant: Grant::ClientSecret {
            client_secret: SecretText::new(seed::SERVICE_CLIENT_SECRET.to_owned()),
        },
        secret_expires_at_unix_ms: None,
        route: mailbearer::model::Route::default(),
        fallback: None,
        endpoints: endpoints_at(authority, smtp_port, ca_pem),
    }
}

/// Alice, as an account.
pub(crate) fn person(sandbox: &Sandbox) -> NewAccount {
    NewAccount {
        name: PERSON.to_owned(),
        mailbox: seed::ALICE.to_owned(),
        cloud: Cloud::Worldwide,
        tenant: seed::DOMAIN.to_owned(),
        client_id: seed::PUBLIC_CLIENT_ID.to_owned(),
        grant: Grant::DeviceCode,
        secret_expires_at_unix_ms: None,
        route: mailbearer::model::Route::default(),
        fallback: None,
        endpoints: endpoints(sandbox),
    }
}

/// A short mail to these addresses.
pub(crate) fn mail(account: &str, to: &[&str]) -> Message {
    Message {
        account: account.to_owned(),
        to: to
            .iter()
            .map(|address| Address {
                address: (*address).to_owned(),
                name: None,
            })
            .collect(),
        subject: "Your invoice".to_owned(),
        text: Some("It is attached.\n".to_owned()),
        ..Message::default()
    }
}

/// Everything this process has logged, at every level.
fn logs() -> &'static Arc<Mutex<Vec<u8>>> {
    static LOGS: OnceLock<Arc<Mutex<Vec<u8>>>> = OnceLock::new();
    LOGS.get_or_init(Arc::default)
}

fn capture_logs() {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| {
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
            .with_ansi(false)
            .with_writer(|| Log)
            .finish();
        tracing::subscriber::set_global_default(subscriber).unwrap();
    });
}

struct Log;

impl Write for Log {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        logs().lock().unwrap().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
