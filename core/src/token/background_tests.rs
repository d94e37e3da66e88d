//! Renewal in the background, with a clock that stands still and ten thousand accounts.

use super::*;
use crate::account::Accounts;
use crate::audit::{Events, Recorder};
use crate::host::{Clock, HttpClient, ManualClock, SeededRandom};
use crate::model::{
    Cloud, Credential, EndpointOverrides, Event, Grant, NewAccount, TokenOrigin, TokenState,
};
use crate::secret::SecretText;
use crate::token::record::Tokens;
use crate::token::{IdentityProvider, TokenSource as _};
use crate::vault::{MemoryVault, Vault};
use async_trait::async_trait;
use std::sync::{Arc, Mutex};

const NOON: i64 = 1_795_780_800_000;

/// Gives a token of an hour to everybody, and notes when.
#[derive(Debug)]
struct Provider {
    clock: Arc<ManualClock>,
    seen: Mutex<Vec<(i64, String)>>,
    status: Mutex<u16>,
}

impl Provider {
    fn seen(&self) -> Vec<(i64, String)> {
        self.seen.lock().unwrap().clone()
    }

    fn will_answer(&self, status: u16) {
        *self.status.lock().unwrap() = status;
    }
}

#[async_trait]
impl HttpClient for Provider {
    async fn call(&self, request: http::Request<Vec<u8>>) -> Result<http::Response<Vec<u8>>> {
        let form = oauth2::url::form_urlencoded::parse(request.body()).into_owned();
        let client = form
            .filter(|(name, _)| name == "client_id")
            .map(|(_, id)| id);
        let now = self.clock.now_unix_ms();
        self.seen.lock().unwrap().push((now, client.collect()));
        let status = *self.status.lock().unwrap();
        let body = match status {
            200 => {
                r#"{"token_type":"Bearer","expires_in":3600,"access_token":"new","refresh_token":"next"}"#
            }
            _ => r#"{"error":"invalid_grant"}"#,
        };
        let response = http::Response::builder().status(status);
        let response = response.header("content-type", "application/json");
        Ok(response.body(body.as_bytes().to_vec()).unwrap())
    }
}

struct World {
    clock: Arc<ManualClock>,
    provider: Arc<Provider>,
    accounts: Accounts,
    cache: TokenCache,
    settings: RenewalSettings,
    recorder: Recorder,
    random: SeededRandom,
}

impl World {
    fn new() -> Self {
        Self::on(Arc::new(MemoryVault::default()), NOON)
    }

    /// As a process that starts at this moment finds it.
    fn on(vault: Arc<dyn Vault>, now_unix_ms: i64) -> Self {
        let clock = Arc::new(ManualClock::at(now_unix_ms));
        let provider = Arc::new(Provider {
            clock: clock.clone(),
            seen: Mutex::default(),
            status: Mutex::new(200),
        });
        let accounts = Accounts::new(vault);
        let identity = IdentityProvider {
            http: provider.clone(),
            clock: clock.clone(),
            random: Arc::new(SeededRandom::new(20_261_125)),
            environment: Arc::new(HashMap::new()),
            timeout: Duration::from_secs(30),
        };
        let settings = RenewalSettings::default();
        let recorder = Recorder::new();
        Self {
            cache: TokenCache::new(accounts.clone(), identity, recorder.clone(), settings),
            clock,
            provider,
            accounts,
            settings,
            recorder,
            random: SeededRandom::new(1),
        }
    }

    /// An account with a token that was obtained now and lives for an hour.
    async fn add(&self, name: &str, grant: Grant, secret_expires_at_unix_ms: Option<i64>) {
        let with_refresh_token = grant.kind().is_a_persons();
        let account = NewAccount {
            name: name.to_owned(),
            mailbox: "billing@contoso.example".to_owned(),
            cloud: Cloud::Custom,
            tenant: String::new(),
            client_id: name.to_owned(),
            grant,
            secret_expires_at_unix_ms,
            route: crate::model::Route::default(),
            fallback: None,
            endpoints: EndpointOverrides {
                token_url: Some("https://login.example.test/token".to_owned()),
                device_authorization_url: Some("https://login.example.test/device".to_owned()),
                scopes: Some(vec!["smtp".to_owned(), "offline_access".to_owned()]),
                audiences: Some(Vec::new()),
                smtp_host: Some("smtp.example.test".to_owned()),
                ..EndpointOverrides::default()
            },
        };
        self.accounts.add(account).await.unwrap();
        let hour = Duration::from_secs(3600);
        let now = self.clock.now_unix_ms();
        let tokens = Tokens {
            access_token: Arc::new(SecretText::new("old".to_owned())),
            refresh_token: with_refresh_token.then(|| SecretText::new("first".to_owned())),
            origin: TokenOrigin::DeviceCode,
            granted_scopes: Vec::new(),
            lifetime: Lifetime::begin(now, hour, None, &self.random).unwrap(),
        };
        let record = tokens.seal().unwrap();
        self.accounts.keep_tokens(name, &record).await.unwrap();
    }

    /// From when on a caller of this account would have to wait.
    async fn due(&self, name: &str) -> i64 {
        let tokens = self.cache.stored(name).await.unwrap().unwrap();
        tokens.lifetime.renew_at_unix_ms()
    }

    fn start(&self) -> Background {
        Background::start(self.cache.clone(), self.settings)
    }

    /// Lets time pass, in steps short enough for a pause between two requests.
    async fn pass(&self, time: Duration, step: Duration) {
        let end = self.clock.elapsed() + time;
        while self.clock.elapsed() < end {
            for _ in 0..12 {
                tokio::task::yield_now().await;
            }
            self.clock.advance(step);
        }
    }
}

const SECOND: Duration = Duration::from_secs(1);

fn with_secret() -> Grant {
    Grant::ClientSecret {
        client_secret: SecretText::new("s3cr3t".to_owned()),
    }
}

/// The most requests within any one second.
fn most_in_a_second(seen: &[(i64, String)]) -> usize {
    let mut first = 0;
    let counts = seen.iter().enumerate().map(|(last, (at, _))| {
        while seen[first].0 + 1000 <= *at {
            first += 1;
        }
        last - first + 1
    });
    counts.max().unwrap_or_default()
}

#[tokio::test]
async fn ten_thousand_accounts_are_renewed_at_the_set_rate_before_any_caller_would_wait() {
    const COUNT: usize = 10_000;
    let world = World::new();
    let mut due = HashMap::new();
    for number in 0..COUNT {
        let grant = if number % 2 == 0 {
            Grant::DeviceCode
        } else {
            with_secret()
        };
        let name = format!("account-{number}");
        world.add(&name, grant, None).await;
        due.insert(name.clone(), world.due(&name).await);
    }
    let background = world.start();
    world.pass(Duration::from_secs(40 * 60), SECOND / 10).await;
    let seen = world.provider.seen();
    let first: HashMap<_, _> = seen.iter().rev().map(|(at, name)| (name, at)).collect();
    assert_eq!(first.len(), COUNT);
    assert!(first.iter().all(|(name, at)| **at < due[*name]));
    assert_eq!(most_in_a_second(&seen), 10);
    // As late as that allows: hardly any request is made twice.
    assert!(seen.len() < COUNT + COUNT / 10, "{}", seen.len());
    // It ends cleanly, and at once.
    drop(background);
    world.pass(Duration::from_secs(1800), SECOND * 10).await;
    world.cache.settle().await;
    assert!(world.provider.seen().len() <= seen.len() + 1);
}

#[tokio::test]
async fn leaves_alone_what_it_cannot_renew() {
    let world = World::new();
    let command = Grant::TokenCommand {
        command: vec!["/bin/false".to_owned()],
    };
    world.add("command", command, None).await;
    world.add("person", Grant::DeviceCode, None).await;
    let account = world.accounts.find("person").await.unwrap();
    let without = world.cache.stored("person").await.unwrap().unwrap();
    let without = Tokens {
        refresh_token: None,
        ..(*without).clone()
    };
    world
        .accounts
        .keep_tokens("person", &without.seal().unwrap())
        .await
        .unwrap();
    let _background = world.start();
    world.pass(Duration::from_secs(2 * 3600), SECOND * 10).await;
    assert_eq!(world.provider.seen(), []);
    let status = world.cache.status(&account).await.unwrap();
    assert_eq!(status.state, TokenState::SignInNeeded);
    // A sign-in changes that, and is found without a restart.
    let with = Tokens {
        refresh_token: Some(SecretText::new("first".to_owned())),
        ..without
    };
    world
        .accounts
        .keep_tokens("person", &with.seal().unwrap())
        .await
        .unwrap();
    world.pass(Duration::from_secs(120), SECOND).await;
    assert_eq!(world.provider.seen().len(), 1);
}

#[tokio::test]
async fn a_refusal_is_not_repeated_for_hours_and_disturbs_no_caller_with_a_valid_token() {
    let world = World::new();
    world.add("person", Grant::DeviceCode, None).await;
    world.provider.will_answer(400);
    let _background = world.start();
    let left = world.due("person").await - world.clock.now_unix_ms();
    let left = Duration::from_millis(left.unsigned_abs());
    world.pass(left - SECOND * 2, SECOND).await;
    assert_eq!(world.provider.seen().len(), 1);
    let token = world.cache.access_token("person", None).await.unwrap();
    assert_eq!(token.secret.expose(), "old");
    world.pass(Duration::from_secs(5 * 3600), SECOND * 10).await;
    assert_eq!(world.provider.seen().len(), 1);
    world.provider.will_answer(200);
    world.pass(Duration::from_secs(2 * 3600), SECOND * 10).await;
    assert!(world.provider.seen().len() >= 2);
}

#[tokio::test]
async fn keeps_the_refresh_token_of_an_idle_account_alive() {
    let vault = Arc::new(MemoryVault::default());
    let world = World::on(vault.clone(), NOON);
    world.add("person", Grant::DeviceCode, None).await;
    // Nobody has used it for 80 days when the next process starts.
    let later = World::on(vault, NOON + 80 * 24 * 3600 * 1000);
    let account = later.accounts.find("person").await.unwrap();
    let _background = later.start();
    later.pass(Duration::from_secs(10), SECOND).await;
    assert_eq!(later.provider.seen().len(), 1);
    let status = later.cache.status(&account).await.unwrap();
    let ends = status.refresh_token_expires_at_unix_ms.unwrap();
    assert!(ends >= NOON + 170 * 24 * 3600 * 1000);
}

async fn warnings(world: &World, events: &Events) -> Vec<(Credential, u32)> {
    world.pass(SECOND * 2, SECOND).await;
    let mut found = Vec::new();
    loop {
        let next = tokio::select! {
            biased;
            event = events.next() => event,
            () = tokio::task::yield_now() => None,
        };
        match next {
            Some(Event::ExpiresSoon {
                credential,
                days_left,
                ..
            }) => {
                found.push((credential, days_left));
            }
            Some(_) => {}
            None => return found,
        }
    }
}

#[tokio::test]
async fn warns_of_each_end_once_across_restarts_and_only_when_somebody_listens() {
    let vault = Arc::new(MemoryVault::default());
    let first = World::on(vault.clone(), NOON);
    let end = NOON + 40 * 24 * 3600 * 1000;
    first.add("app", with_secret(), Some(end)).await;
    {
        let _background = first.start();
        first.pass(SECOND * 2, SECOND).await;
    }
    let events = first.recorder.subscribe();
    let _background = first.start();
    assert_eq!(
        warnings(&first, &events).await,
        [(Credential::ClientSecret, 39)]
    );
    first.clock.advance(Duration::from_secs(3600));
    assert_eq!(warnings(&first, &events).await, []);

    for (days, expected) in [(5, vec![]), (20, vec![(Credential::ClientSecret, 20)])] {
        let later = World::on(vault.clone(), NOON + days * 24 * 3600 * 1000);
        let events = later.recorder.subscribe();
        let _background = later.start();
        assert_eq!(warnings(&later, &events).await, expected, "{days}");
    }
}

#[tokio::test]
async fn settings_out_of_range_are_named() {
    fn check(requests_per_second: u32, refresh_token_idle_days: u32, named: &str) {
        let settings = RenewalSettings {
            requests_per_second,
            refresh_token_idle_days,
            ..RenewalSettings::default()
        };
        let error = Background::check(&settings).unwrap_err();
        assert_eq!(error.code(), "renewal-setting-invalid");
        assert!(error.to_string().contains(named), "{error}");
    }
    check(0, 90, "requestsPerSecond is 0");
    check(1001, 90, "requestsPerSecond is 1001");
    check(10, 0, "refreshTokenIdleDays is 0");
    check(10, 3651, "refreshTokenIdleDays is 3651");
    assert!(Background::check(&RenewalSettings::default()).is_ok());
}
