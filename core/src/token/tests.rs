//! The rules of the token lifecycle, against a scripted identity provider and a clock that stands still.

use super::cache::TokenCache;
use super::record::Tokens;
use super::renewal::Lifetime;
use super::testing::{FailingVault, ScriptedProvider};
use super::{AccessToken, IdentityProvider, SignIns, TokenSource as _};
use crate::account::Accounts;
use crate::audit::{Events, Recorder};
use crate::error::Error;
use crate::host::{Clock as _, ManualClock, SeededRandom};
use crate::model::{
    Account, Cloud, EndpointOverrides, Event, Grant, NewAccount, ProblemKind, RenewalSettings,
    SignInFlow, TokenOrigin, TokenState,
};
use crate::secret::SecretText;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

const NOON: i64 = 1_795_780_800_000;
const HOUR: Duration = Duration::from_secs(3600);
const CODE: &str = r#"{"device_code":"dc-secret","user_code":"FRWQDE7YL","verification_uri":"https://login.example.test/device",
    "expires_in":900,"interval":5,"message":"Open the page and enter FRWQDE7YL."}"#;
const PENDING: &str =
    r#"{"error":"authorization_pending","error_description":"AADSTS70016: pending"}"#;

struct World {
    clock: Arc<ManualClock>,
    provider: Arc<ScriptedProvider>,
    vault: Arc<FailingVault>,
    accounts: Accounts,
    identity: IdentityProvider,
    cache: TokenCache,
    events: Events,
}

impl World {
    async fn new(grant: Grant, script: &[(u16, &str)]) -> Self {
        let clock = Arc::new(ManualClock::at(NOON));
        let provider = ScriptedProvider::new(clock.clone(), script);
        let vault = Arc::new(FailingVault::default());
        let accounts = Accounts::new(vault.clone());
        accounts.add(new_account(grant)).await.unwrap();
        let identity = IdentityProvider {
            http: provider.clone(),
            clock: clock.clone(),
            random: Arc::new(SeededRandom::new(2)),
            environment: Arc::new(std::collections::HashMap::new()),
            timeout: Duration::from_secs(30),
        };
        let recorder = Recorder::new();
        let events = recorder.subscribe();
        let settings = RenewalSettings::default();
        let cache = TokenCache::new(accounts.clone(), identity.clone(), recorder, settings);
        Self {
            clock,
            provider,
            vault,
            accounts,
            identity,
            cache,
            events,
        }
    }

    /// A person has signed in once, and got these tokens.
    async fn signed_in(script: &[(u16, &str)]) -> Self {
        let with_sign_in: Vec<_> = [(200, CODE)].iter().chain(script).copied().collect();
        let world = Self::new(Grant::DeviceCode, &with_sign_in).await;
        let sign_ins = world.sign_ins();
        let account = world.account().await;
        let prompt = sign_ins
            .begin(&account, SignInFlow::DeviceCode, None)
            .await
            .unwrap();
        let tokens = sign_ins.finish(&account, &prompt).await.unwrap();
        world.cache.accept(&account, tokens).await.unwrap();
        world
    }

    fn sign_ins(&self) -> SignIns {
        SignIns::new(self.identity.clone(), Arc::new(SeededRandom::new(1)))
    }

    async fn account(&self) -> Account {
        self.accounts.find("billing").await.unwrap()
    }

    async fn token(&self) -> Result<AccessToken, Error> {
        self.cache.access_token("billing", None).await
    }

    /// The tokens as another process with the same vault would find them.
    fn other_process(&self) -> TokenCache {
        TokenCache::new(
            self.accounts.clone(),
            self.identity.clone(),
            Recorder::new(),
            RenewalSettings::default(),
        )
    }

    fn requests(&self) -> usize {
        self.provider.seen().len()
    }
}

fn new_account(grant: Grant) -> NewAccount {
    NewAccount {
        name: "billing".to_owned(),
        mailbox: "billing@contoso.example".to_owned(),
        cloud: Cloud::Custom,
        tenant: String::new(),
        client_id: "app".to_owned(),
        grant,
        secret_expires_at_unix_ms: None,
        route: crate::model::Route::default(),
        fallback: None,
        endpoints: EndpointOverrides {
            token_url: Some("https://login.example.test/token".to_owned()),
            device_authorization_url: Some("https://login.example.test/device".to_owned()),
            scopes: Some(vec!["smtp".to_owned(), "offline_access".to_owned()]),
            audiences: Some(vec!["mail".to_owned()]),
            smtp_host: Some("smtp.example.test".to_owned()),
            ..EndpointOverrides::default()
        },
    }
}

fn with_secret() -> Grant {
    Grant::ClientSecret {
        client_secret: SecretText::new("s3cr3t~+&".to_owned()),
    }
}

fn answer(access_token: &str, refresh_token: Option<&str>) -> String {
    let refresh = refresh_token.map_or(String::new(), |token| {
        format!(r#","refresh_token":"{token}""#)
    });
    format!(
        r#"{{"token_type":"Bearer","expires_in":3600,"access_token":"{access_token}"{refresh}}}"#
    )
}

fn text(token: &AccessToken) -> &str {
    token.secret.expose()
}

#[tokio::test]
async fn many_callers_make_one_request() {
    let world = World::new(with_secret(), &[(200, &answer("one", None))]).await;
    world.provider.permits.forget_permits(usize::MAX >> 3);
    let callers: Vec<_> = (0..200)
        .map(|_| {
            let cache = world.cache.clone();
            tokio::spawn(async move { cache.access_token("billing", None).await })
        })
        .collect();
    while world.requests() == 0 {
        tokio::task::yield_now().await;
    }
    world.provider.permits.add_permits(10);
    for caller in callers {
        assert_eq!(text(&caller.await.unwrap().unwrap()), "one");
    }
    assert_eq!(world.requests(), 1);
}

#[tokio::test]
async fn sends_the_secret_in_the_body_and_the_scopes_of_the_account() {
    let world = World::new(with_secret(), &[(200, &answer("one", None))]).await;
    let token = world.token().await.unwrap();
    assert_eq!(token.origin, TokenOrigin::ClientSecret);
    let seen = &world.provider.seen()[0];
    assert_eq!(seen.form["grant_type"], "client_credentials");
    assert_eq!(seen.form["client_id"], "app");
    assert_eq!(seen.form["client_secret"], "s3cr3t~+&");
    assert_eq!(seen.form["scope"], "smtp offline_access");
    assert_eq!(seen.authorization, None);
}

#[tokio::test]
async fn offers_the_secret_by_basic_authentication_where_the_body_is_not_supported() {
    let script = [
        (401, r#"{"error":"invalid_client"}"#),
        (200, &answer("one", None)),
    ];
    let world = World::new(with_secret(), &script).await;
    assert_eq!(text(&world.token().await.unwrap()), "one");
    let seen = &world.provider.seen()[1];
    assert!(
        seen.authorization
            .as_ref()
            .is_some_and(|value| value.starts_with("Basic "))
    );
    assert!(!seen.form.contains_key("client_secret"));
}

#[tokio::test]
async fn offers_a_wrong_secret_only_once_to_microsoft() {
    let body = r#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided.","error_codes":[7000215]}"#;
    let world = World::new(with_secret(), &[(401, body)]).await;
    world.token().await.unwrap_err();
    assert_eq!(world.requests(), 1);
}

#[tokio::test]
async fn answers_from_memory_until_the_token_is_due() {
    let script = [(200, &*answer("one", None)), (200, &*answer("two", None))];
    let world = World::new(with_secret(), &script).await;
    assert!(!world.token().await.unwrap().from_cache);
    // Two thirds of an hour, less a tenth of it at most.
    world.clock.advance(Duration::from_secs(2039));
    let cached = world.token().await.unwrap();
    assert_eq!((text(&cached), cached.from_cache), ("one", true));
    world.clock.advance(Duration::from_secs(361));
    assert_eq!(text(&world.token().await.unwrap()), "two");
    assert_eq!(world.requests(), 2);
}

#[tokio::test]
async fn renews_when_the_server_wishes() {
    let wish =
        r#"{"token_type":"Bearer","expires_in":86400,"refresh_in":43200,"access_token":"one"}"#;
    let script = [(200, wish), (200, &*answer("two", None))];
    let world = World::new(with_secret(), &script).await;
    world.token().await.unwrap();
    world.clock.advance(Duration::from_secs(43_200));
    assert_eq!(text(&world.token().await.unwrap()), "two");
}

#[tokio::test]
async fn another_process_finds_the_stored_token() {
    let world = World::new(with_secret(), &[(200, &answer("one", None))]).await;
    world.token().await.unwrap();
    let found = world.other_process().access_token("billing", None).await;
    let found = found.unwrap();
    assert_eq!((text(&found), found.from_cache), ("one", true));
    assert_eq!(world.requests(), 1);
}

#[tokio::test]
async fn renews_a_refused_token_only_if_it_is_still_the_stored_one() {
    let script = [(200, &*answer("one", None)), (200, &*answer("two", None))];
    let world = World::new(with_secret(), &script).await;
    let refused = world.token().await.unwrap();
    for _ in 0..3 {
        let renewed = world.cache.access_token("billing", Some(&refused)).await;
        assert_eq!(text(&renewed.unwrap()), "two");
    }
    assert_eq!(world.requests(), 2);
}

#[tokio::test]
async fn keeps_the_rotated_refresh_token_and_the_old_one_where_none_comes_back() {
    let script = [
        (200, &*answer("one", Some("first"))),
        (200, &*answer("two", Some("second"))),
        (200, &*answer("three", None)),
        (200, &*answer("four", None)),
    ];
    let world = World::signed_in(&script).await;
    for expected in ["two", "three", "four"] {
        world.clock.advance(HOUR);
        assert_eq!(text(&world.token().await.unwrap()), expected);
    }
    let seen = world.provider.seen();
    let spent: Vec<_> = seen
        .iter()
        .filter_map(|s| s.form.get("refresh_token"))
        .collect();
    assert_eq!(spent, ["first", "second", "second"]);
}

#[tokio::test]
async fn a_caller_who_gives_up_does_not_lose_the_rotated_refresh_token() {
    let script = [
        (200, &*answer("one", Some("first"))),
        (200, &*answer("two", Some("second"))),
        (200, &*answer("three", None)),
    ];
    let world = World::signed_in(&script).await;
    world.clock.advance(HOUR);
    world.provider.permits.forget_permits(usize::MAX >> 3);
    let requests_before = world.requests();
    let caller = tokio::spawn({
        let cache = world.cache.clone();
        async move { cache.access_token("billing", None).await }
    });
    while world.requests() == requests_before {
        tokio::task::yield_now().await;
    }
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    world.provider.permits.add_permits(10);
    assert_eq!(text(&world.token().await.unwrap()), "two");
    world.clock.advance(HOUR);
    let found = world.other_process().access_token("billing", None).await;
    assert_eq!(text(&found.unwrap()), "three");
    assert_eq!(
        world.provider.seen().last().unwrap().form["refresh_token"],
        "second"
    );
}

#[tokio::test]
async fn a_full_disk_loses_no_refresh_token() {
    let script = [
        (200, &*answer("one", Some("first"))),
        (200, &*answer("two", Some("second"))),
        (200, &*answer("three", None)),
    ];
    let world = World::signed_in(&script).await;
    world.clock.advance(HOUR);
    world.vault.is_full.store(true, Ordering::SeqCst);
    let error = world.token().await.unwrap_err();
    assert_eq!(error.kind(), ProblemKind::Storage);
    assert_eq!(
        world.token().await.unwrap_err().kind(),
        ProblemKind::Storage
    );
    world.vault.is_full.store(false, Ordering::SeqCst);
    assert_eq!(text(&world.token().await.unwrap()), "two");
    world.clock.advance(HOUR);
    assert_eq!(text(&world.token().await.unwrap()), "three");
    assert_eq!(
        world.provider.seen().last().unwrap().form["refresh_token"],
        "second"
    );
}

/// A renewal that loses its lock between the request and the answer, and what others do before the answer comes.
async fn lose_the_lock(
    answer_to_us: (u16, &str),
    others: impl AsyncFnOnce(&World),
) -> (World, Result<String, Error>) {
    let script = [(200, &*answer("one", Some("first"))), answer_to_us];
    let world = World::signed_in(&script).await;
    world.clock.advance(HOUR);
    world.provider.permits.forget_permits(usize::MAX >> 3);
    let requests_before = world.requests();
    let caller = tokio::spawn({
        let cache = world.cache.clone();
        async move { cache.access_token("billing", None).await }
    });
    while world.requests() == requests_before {
        tokio::task::yield_now().await;
    }
    assert!(
        world
            .accounts
            .try_renewal("billing")
            .await
            .unwrap()
            .is_none()
    );
    world.vault.lose_locks();
    assert!(
        world
            .accounts
            .try_renewal("billing")
            .await
            .unwrap()
            .is_some()
    );
    others(&world).await;
    world.provider.permits.add_permits(10);
    let got = caller.await.unwrap();
    (world, got.map(|token| text(&token).to_owned()))
}

/// Another process, which has the lock now, renews.
async fn renewed_by_others(world: &World) {
    let theirs = Tokens {
        access_token: Arc::new("theirs".to_owned().into()),
        refresh_token: Some("newer".to_owned().into()),
        origin: TokenOrigin::RefreshToken,
        granted_scopes: Vec::new(),
        lifetime: Lifetime {
            obtained_at_unix_ms: world.clock.now_unix_ms(),
            expires_at_unix_ms: world.clock.now_unix_ms() + 3_600_000,
            renew_at_unix_ms: None,
        },
    };
    let record = theirs.seal().unwrap();
    world
        .accounts
        .keep_tokens("billing", &record)
        .await
        .unwrap();
}

async fn stored_refresh_token(world: &World) -> Option<String> {
    let stored = world.cache.stored("billing").await.unwrap()?;
    Some(stored.refresh_token.as_ref()?.expose().clone())
}

#[tokio::test]
async fn a_renewal_that_lost_its_lock_does_not_overwrite_a_newer_refresh_token() {
    let ours = answer("two", Some("second"));
    let refused = r#"{"error":"invalid_grant","error_description":"AADSTS70000: used up"}"#;
    for answer_to_us in [(200, &*ours), (400, refused), (503, "")] {
        let (world, got) = lose_the_lock(answer_to_us, renewed_by_others).await;
        assert_eq!(got.unwrap(), "theirs", "{answer_to_us:?}");
        assert_eq!(stored_refresh_token(&world).await.unwrap(), "newer");
        assert_eq!(text(&world.token().await.unwrap()), "theirs");
    }
}

#[tokio::test]
async fn a_renewal_that_lost_its_lock_to_nobody_loses_no_refresh_token() {
    let ours = answer("two", Some("second"));
    let (world, got) = lose_the_lock((200, &ours), async |_: &World| ()).await;
    assert_eq!(got.unwrap(), "two");
    assert_eq!(stored_refresh_token(&world).await.unwrap(), "second");
}

#[tokio::test]
async fn a_renewal_of_an_account_that_is_removed_meanwhile_leaves_nothing() {
    let ours = answer("two", Some("second"));
    let remove = async |world: &World| world.accounts.remove("billing").await.unwrap();
    let (world, got) = lose_the_lock((200, &ours), remove).await;
    let error = got.unwrap_err();
    assert_eq!(error.kind(), ProblemKind::Unavailable);
    assert_eq!(error.code(), "renewal-overtaken");
    assert_eq!(stored_refresh_token(&world).await, None);
    assert_eq!(world.token().await.unwrap_err().code(), "account-unknown");
}

#[tokio::test]
async fn what_a_full_disk_kept_back_does_not_overwrite_a_newer_refresh_token() {
    let script = [
        (200, &*answer("one", Some("first"))),
        (200, &*answer("two", Some("second"))),
    ];
    let world = World::signed_in(&script).await;
    world.clock.advance(HOUR);
    world.vault.is_full.store(true, Ordering::SeqCst);
    world.token().await.unwrap_err();
    world.vault.is_full.store(false, Ordering::SeqCst);
    renewed_by_others(&world).await;
    assert_eq!(text(&world.token().await.unwrap()), "theirs");
    assert_eq!(stored_refresh_token(&world).await.unwrap(), "newer");
}

#[tokio::test]
async fn a_passing_fault_does_not_stop_mail_while_the_token_is_valid() {
    let script = [
        (200, &*answer("one", None)),
        (503, "<html>Service Unavailable</html>"),
    ];
    let world = World::new(with_secret(), &script).await;
    world.token().await.unwrap();
    world.clock.advance(Duration::from_secs(3000));
    for _ in 0..3 {
        assert_eq!(text(&world.token().await.unwrap()), "one");
    }
    // One has tried, and the others wait as long as the fault asks for.
    assert_eq!(world.requests(), 2);
    world.clock.advance(Duration::from_secs(72));
    assert_eq!(text(&world.token().await.unwrap()), "one");
    assert_eq!(world.requests(), 3);
    world.clock.advance(Duration::from_secs(528));
    for _ in 0..2 {
        let error = world.token().await.unwrap_err();
        assert_eq!(error.kind(), ProblemKind::Unavailable);
    }
    assert_eq!(world.requests(), 5);
}

#[tokio::test]
async fn a_silent_provider_does_not_hold_up_mail_while_the_token_is_valid() {
    let script = [(200, &*answer("one", None)), (200, &*answer("two", None))];
    let world = World::new(with_secret(), &script).await;
    world.token().await.unwrap();
    world.clock.advance(Duration::from_secs(2400));
    world.provider.permits.forget_permits(usize::MAX >> 3);
    // In this process, and in one that knows the token from the vault only.
    for cache in [world.cache.clone(), world.other_process()] {
        let caller = tokio::spawn(async move { cache.access_token("billing", None).await });
        let mut waited = 0;
        while !caller.is_finished() {
            tokio::task::yield_now().await;
            waited += 1;
            if waited % 100 == 0 {
                world.clock.advance(Duration::from_secs(1));
            }
        }
        assert_eq!(text(&caller.await.unwrap().unwrap()), "one");
    }
    let waited_s = (world.clock.now_unix_ms() - NOON) / 1000 - 2400;
    assert!((10..20).contains(&waited_s), "{waited_s}");
    world.provider.permits.add_permits(10);
    while world
        .cache
        .status(&world.account().await)
        .await
        .unwrap()
        .obtained_at_unix_ms
        == Some(NOON)
    {
        tokio::task::yield_now().await;
    }
    assert_eq!(text(&world.token().await.unwrap()), "two");
}

#[tokio::test]
async fn a_server_that_asks_for_a_pause_gets_it() {
    const THROTTLED: &str = r#"{"error":"temporarily_unavailable","error_description":"AADSTS90055: too many requests","error_codes":[90055]}"#;
    let script = [(429, THROTTLED), (200, &*answer("one", None))];
    let world = World::new(with_secret(), &script).await;
    for _ in 0..5 {
        let error = world.token().await.unwrap_err();
        assert_eq!(error.code(), "token-endpoint-throttled");
        world.clock.advance(Duration::from_secs(10));
    }
    assert_eq!(world.requests(), 1);
    world.clock.advance(Duration::from_secs(22));
    assert_eq!(text(&world.token().await.unwrap()), "one");
}

#[tokio::test]
async fn what_a_refusal_demands_is_asked_for_at_the_next_sign_in() {
    const CHALLENGE: &str = r#"{"access_token":{"polids":{"essential":true,"values":["p1"]}}}"#;
    let refusal = serde_json::json!({
        "error": "interaction_required",
        "error_description": "AADSTS50076: you must use multi-factor authentication",
        "error_codes": [50076],
        "claims": CHALLENGE,
    });
    let script = [
        (200, &*answer("one", Some("first"))),
        (400, &refusal.to_string()),
        (200, CODE),
        (200, &*answer("two", Some("second"))),
        (200, CODE),
    ];
    let world = World::signed_in(&script).await;
    world.clock.advance(HOUR);
    let error = world.other_process().access_token("billing", None).await;
    assert_eq!(error.unwrap_err().code(), "mfa-required");
    // Kept in the vault, so that the sign-in may be another process's.
    let account = world.account().await;
    let claims = world.accounts.challenge("billing").await.unwrap();
    assert_eq!(claims.as_deref(), Some(CHALLENGE));
    let sign_ins = world.sign_ins();
    let flow = SignInFlow::DeviceCode;
    let prompt = sign_ins.begin(&account, flow, claims).await.unwrap();
    let tokens = sign_ins.finish(&account, &prompt).await.unwrap();
    world.cache.accept(&account, tokens).await.unwrap();
    let seen = world.provider.seen();
    assert_eq!(seen[3].form["claims"], CHALLENGE);
    assert_eq!(seen[4].form["claims"], CHALLENGE);
    assert_eq!(world.accounts.challenge("billing").await.unwrap(), None);
}

#[tokio::test]
async fn refuses_a_token_for_another_service_each_time_and_keeps_its_refresh_token() {
    // Header {} and payload {"aud":"graph"}.
    let graph = answer("e30.eyJhdWQiOiJncmFwaCJ9.c2ln", Some("first"));
    let world = World::new(Grant::DeviceCode, &[(200, CODE), (200, &graph)]).await;
    let sign_ins = world.sign_ins();
    let account = world.account().await;
    let prompt = sign_ins
        .begin(&account, SignInFlow::DeviceCode, None)
        .await
        .unwrap();
    let tokens = sign_ins.finish(&account, &prompt).await.unwrap();
    let refusals = [
        world.cache.accept(&account, tokens).await.unwrap_err(),
        world.token().await.unwrap_err(),
        world.token().await.unwrap_err(),
    ];
    for error in refusals {
        assert_eq!(error.code(), "wrong-scope-audience");
        assert_eq!(error.kind(), ProblemKind::Config);
    }
    let status = world.cache.status(&account).await.unwrap();
    assert!(status.has_refresh_token);
}

#[tokio::test]
async fn says_who_must_sign_in() {
    let world = World::new(Grant::DeviceCode, &[(500, "")]).await;
    let error = world.token().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.code()),
        (ProblemKind::SignIn, "sign-in-needed")
    );
    assert_eq!(world.requests(), 0);
    let status = world.cache.status(&world.account().await).await.unwrap();
    assert_eq!(status.state, TokenState::SignInNeeded);

    let world = World::signed_in(&[(200, &answer("one", None))]).await;
    world.clock.advance(HOUR);
    assert_eq!(
        world.token().await.unwrap_err().code(),
        "offline-access-missing"
    );
}

#[tokio::test]
async fn an_unknown_account_is_named_beside_those_that_exist() {
    let world = World::new(with_secret(), &[(500, "")]).await;
    let error = world.cache.access_token("biling", None).await.unwrap_err();
    assert_eq!(error.code(), "account-unknown");
    assert!(error.problem().fix.contains("billing"), "{error:?}");
}

#[tokio::test]
async fn reports_what_it_obtained_and_what_failed() {
    let script = [
        (200, &*answer("one", None)),
        (400, r#"{"error":"unauthorized_client"}"#),
    ];
    let world = World::new(with_secret(), &script).await;
    world.token().await.unwrap();
    world.clock.advance(HOUR);
    world.token().await.unwrap_err();
    let obtained = world.events.next().await.unwrap();
    assert!(matches!(
        obtained,
        Event::TokenObtained {
            at_unix_ms: NOON,
            ..
        }
    ));
    assert!(matches!(
        world.events.next().await.unwrap(),
        Event::TokenFailed { .. }
    ));
}

/// Runs a sign-in to its end, moving the clock whenever it waits.
async fn sign_in(world: &World) -> Result<TokenOrigin, Error> {
    let (sign_ins, account) = (world.sign_ins(), world.account().await);
    let prompt = sign_ins
        .begin(&account, SignInFlow::DeviceCode, None)
        .await?;
    assert_eq!(prompt.user_code, "FRWQDE7YL");
    assert!(!format!("{prompt:?}{sign_ins:?}").contains("dc-secret"));
    let finish = sign_ins.finish(&account, &prompt);
    tokio::pin!(finish);
    loop {
        tokio::select! {
            biased;
            tokens = &mut finish => return tokens.map(|tokens| tokens.origin),
            () = tokio::task::yield_now() => world.clock.advance(Duration::from_secs(1)),
        }
    }
}

/// The seconds between the polls of a sign-in.
fn poll_intervals(world: &World) -> Vec<i64> {
    let seen = world.provider.seen();
    let polls: Vec<_> = seen.iter().skip(1).map(|seen| seen.at_unix_ms).collect();
    polls
        .windows(2)
        .map(|pair| (pair[1] - pair[0]) / 1000)
        .collect()
}

#[tokio::test]
async fn polls_at_the_servers_interval_and_slows_down_when_told() {
    let slow_down = r#"{"error":"slow_down"}"#;
    let script = [
        (200, CODE),
        (400, PENDING),
        (400, PENDING),
        (400, slow_down),
        (400, PENDING),
        (200, &answer("one", Some("first"))),
    ];
    let world = World::new(Grant::DeviceCode, &script).await;
    assert_eq!(sign_in(&world).await.unwrap(), TokenOrigin::DeviceCode);
    assert_eq!(poll_intervals(&world), [5, 5, 10, 10]);
    let poll = &world.provider.seen()[1].form;
    assert_eq!(
        poll["grant_type"],
        "urn:ietf:params:oauth:grant-type:device_code"
    );
    assert_eq!(poll["device_code"], "dc-secret");
}

#[tokio::test]
async fn a_passing_fault_does_not_end_a_sign_in() {
    let script = [
        (200, CODE),
        (400, PENDING),
        (503, "<html>"),
        (200, &answer("one", Some("first"))),
    ];
    let world = World::new(Grant::DeviceCode, &script).await;
    assert_eq!(sign_in(&world).await.unwrap(), TokenOrigin::DeviceCode);
}

#[tokio::test]
async fn a_sign_in_ends_with_its_code_or_when_the_person_declines() {
    async fn check(last: &str, expected: &str) {
        let script = [(200, CODE), (400, PENDING), (400, last)];
        let world = World::new(Grant::DeviceCode, &script).await;
        let error = sign_in(&world).await.unwrap_err();
        assert_eq!(error.code(), expected, "{last}");
        let minutes = (world.clock.now_unix_ms() - NOON) / 60_000;
        assert!(minutes <= 15, "{minutes}");
    }
    check(PENDING, "device-code-expired").await;
    check(
        r#"{"error":"expired_token","error_description":"AADSTS70020: The provided value for the input parameter 'device_code' is not valid.","error_codes":[70020]}"#,
        "device-code-expired",
    )
    .await;
    check(
        r#"{"error":"authorization_declined","error_description":"The user has denied access."}"#,
        "user-declined-consent",
    )
    .await;
    check(r#"{"error":"access_denied"}"#, "user-declined-consent").await;
}

#[tokio::test]
async fn a_sign_in_is_finished_once_and_only_where_it_was_begun() {
    let script = [(200, CODE), (200, &answer("one", Some("first")))];
    let world = World::new(Grant::DeviceCode, &script).await;
    let (sign_ins, account) = (world.sign_ins(), world.account().await);
    let prompt = sign_ins
        .begin(&account, SignInFlow::DeviceCode, None)
        .await
        .unwrap();
    let elsewhere = world
        .sign_ins()
        .finish(&account, &prompt)
        .await
        .unwrap_err();
    assert_eq!(elsewhere.code(), "sign-in-unknown");
    sign_ins.finish(&account, &prompt).await.unwrap();
    let again = sign_ins.finish(&account, &prompt).await.unwrap_err();
    assert_eq!(again.code(), "sign-in-unknown");
}
