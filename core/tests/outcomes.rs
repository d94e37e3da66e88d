//! What becomes of a renewal that the identity provider refuses: for every reason the right kind, code and retry advice.
//! Beside the faults that the sandbox makes on demand stand those that an administrator or a person causes.

#![expect(clippy::unwrap_used, reason = "tests may stop where they stand")]

mod support;

use mailbearer::Error;
use mailbearer::host::{Clock as _, ManualClock};
use mailbearer::model::ProblemKind::{
    self, Config, Consent, Misuse, SignIn, Throttled, Unavailable,
};
use mailbearer::model::{Retry, SignInFlow, VaultSettings};
use mailbearer_sandbox::directory::{User, seed};
use mailbearer_sandbox::{Effect, Fault, HttpAnswer, Phase, Sandbox, Times};
use std::sync::Arc;
use std::time::Duration;
use support::{PERSON, SERVICE, World, timeouts};

/// No outcome waits for anything: the next attempt is not before something was changed.
const NEVER: Retry = Retry::Never;

const fn after_s(seconds: u64) -> Retry {
    Retry::After {
        delay_ms: seconds * 1000,
    }
}

/// The sandbox and a handle, whose access tokens have all ended.
async fn world() -> World {
    let clock = Arc::new(ManualClock::at(1_795_780_800_000));
    let config = mailbearer::Config {
        vault: VaultSettings::Memory,
        timeouts: timeouts(),
        ..mailbearer::Config::default()
    };
    let parts = mailbearer::Parts {
        clock: clock.clone(),
        ..mailbearer::Parts::default()
    };
    let world = World::start_on(support::options(), config, parts).await;
    world.sign_in().await;
    world.mailbearer.access_token(SERVICE).await.unwrap();
    clock.advance(Duration::from_secs(2 * 3600));
    assert!(clock.now_unix_ms() > 0);
    world
}

fn check_error(what: &str, error: &Error, expected: (ProblemKind, &str, Retry)) {
    let problem = error.problem();
    assert_eq!(
        (problem.kind, &*problem.code, problem.retry),
        expected,
        "{what}: {error:?}"
    );
    assert!(!problem.fix.is_empty(), "{what}: {error:?}");
    assert_eq!(problem.operation, "access_token", "{what}");
}

async fn check_fault(account: &str, effect: Effect, expected: (ProblemKind, &str, Retry)) {
    let world = world().await;
    let what = format!("{account} {effect:?}");
    let fault = Fault {
        at: Phase::Token,
        effect,
        times: Times::Once,
    };
    world.sandbox.faults().inject(fault).unwrap();
    let error = world.mailbearer.access_token(account).await.unwrap_err();
    check_error(&what, &error, expected);
    world.assert_no_secret_in(&format!("{error:?}"));
    // Nothing was lost by the refusal: without it the same refresh token or secret is good.
    if error.kind() != Throttled {
        let again = world.mailbearer.access_token(account).await;
        assert!(again.is_ok(), "{what}: {again:?}");
    }
}

fn named(code: &str) -> Effect {
    Effect::Named(code.to_owned())
}

fn http(status: u16, headers: &[(&str, &str)], body: &str) -> Effect {
    let headers = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Effect::Http(HttpAnswer {
        status,
        headers: headers.collect(),
        body: body.to_owned(),
    })
}

#[tokio::test]
async fn a_person_whose_refresh_token_is_refused() {
    for (code, kind, expected) in [
        ("AADSTS50034", Config, "wrong-tenant"),
        ("AADSTS50053", SignIn, "bad-password"),
        ("AADSTS50055", SignIn, "user-interaction-pending"),
        ("AADSTS50057", SignIn, "account-disabled"),
        ("AADSTS50076", SignIn, "mfa-required"),
        ("AADSTS50078", SignIn, "sign-in-frequency"),
        ("AADSTS50079", SignIn, "mfa-required"),
        ("AADSTS50105", Consent, "user-not-assigned"),
        ("AADSTS50173", SignIn, "token-revoked"),
        ("AADSTS53000", Consent, "device-compliance-required"),
        ("AADSTS53003", Consent, "ca-policy-blocked"),
        ("AADSTS530036", Consent, "device-flow-blocked"),
        ("AADSTS65001", Consent, "consent-missing"),
        ("AADSTS70000", SignIn, "grant-refused"),
        ("AADSTS70008", SignIn, "refresh-token-expired"),
        ("AADSTS70043", SignIn, "sign-in-frequency"),
        ("AADSTS700081", SignIn, "refresh-token-expired"),
        ("AADSTS700082", SignIn, "refresh-token-expired"),
        ("AADSTS700016", Config, "app-not-found"),
    ] {
        check_fault(PERSON, named(code), (kind, expected, NEVER)).await;
    }
}

#[tokio::test]
async fn a_refresh_token_that_the_server_does_not_know() {
    const JSON: (&str, &str) = ("content-type", "application/json");
    let unknown = r#"{"error":"invalid_grant","error_codes":[9002313],"error_description":"AADSTS9002313: Invalid request. Request is malformed or invalid."}"#;
    let expected = (SignIn, "grant-refused", NEVER);
    check_fault(PERSON, http(400, &[JSON], unknown), expected).await;
}

/// Redeems an authorization code that the person got, or another one.
async fn check_code(
    what: &str,
    fault: Option<Effect>,
    change: impl FnOnce(String) -> String,
    expected: (ProblemKind, &str, Retry),
) {
    let world = world().await;
    let flow = SignInFlow::AuthorizationCode;
    let begun = world.mailbearer.begin_sign_in(PERSON, flow).await;
    let prompt = begun.unwrap();
    let url = &prompt.verification_url;
    let returned = world.sandbox.approve_authorization(url, seed::ALICE).await;
    if let Some(effect) = fault {
        let fault = Fault {
            at: Phase::TokenAuthorizationCode,
            effect,
            times: Times::Once,
        };
        world.sandbox.faults().inject(fault).unwrap();
    }
    let prompt = mailbearer::SignInPrompt {
        redirected_to: Some(change(returned.unwrap())),
        ..prompt
    };
    let error = world.mailbearer.finish_sign_in(&prompt).await.unwrap_err();
    let problem = error.problem();
    let found = (problem.kind, &*problem.code, problem.retry);
    assert_eq!(found, expected, "{what}: {error:?}");
    assert!(problem.answer.is_some(), "{what}: {error:?}");
    world.assert_no_secret_in(&format!("{error:?}"));
}

#[tokio::test]
async fn an_authorization_code_that_is_refused() {
    let ended = (SignIn, "auth-code-reused", NEVER);
    let unknown = |returned: String| returned.replace("code=", "code=x");
    check_code("unknown", None, unknown, ended).await;
    let same = |returned: String| returned;
    for (code, kind, expected) in [
        ("AADSTS70000", SignIn, "auth-code-reused"),
        ("AADSTS70008", SignIn, "auth-code-reused"),
        ("AADSTS54005", SignIn, "auth-code-reused"),
        ("AADSTS700005", Config, "wrong-tenant"),
        ("AADSTS501481", Misuse, "pkce-mismatch"),
        ("AADSTS50076", SignIn, "mfa-required"),
        ("AADSTS53003", Consent, "ca-policy-blocked"),
        ("AADSTS65001", Consent, "consent-missing"),
    ] {
        check_code(code, Some(named(code)), same, (kind, expected, NEVER)).await;
    }
}

#[tokio::test]
async fn an_application_whose_credential_is_refused() {
    for (code, kind, expected) in [
        ("AADSTS7000215", Config, "secret-wrong-value"),
        ("AADSTS7000222", Config, "secret-expired"),
        ("AADSTS700016", Config, "app-not-found"),
        ("AADSTS7000112", Consent, "app-disabled"),
        ("AADSTS700024", Config, "clock-skew"),
        ("AADSTS700027", Config, "certificate-not-registered"),
        ("AADSTS1000502", Config, "certificate-expired"),
        ("AADSTS70021", Config, "federated-credential-mismatch"),
        ("AADSTS90002", Config, "tenant-not-found"),
        ("AADSTS53003", Consent, "ca-policy-blocked"),
    ] {
        check_fault(SERVICE, named(code), (kind, expected, NEVER)).await;
    }
}

#[tokio::test]
async fn a_server_that_is_busy_or_down() {
    const JSON: (&str, &str) = ("content-type", "application/json");
    let busy = r#"{"error":"temporarily_unavailable"}"#;
    let html = "<html>Our services aren't available right now</html>";
    let down = "transient-server-error";
    let pause = "token-endpoint-throttled";
    for (effect, expected) in [
        (named("AADSTS90033"), (Unavailable, down, after_s(60))),
        (named("AADSTS90012"), (Unavailable, down, after_s(60))),
        (named("AADSTS90006"), (Unavailable, down, after_s(60))),
        // The sandbox adds the Retry-After of 10 s that came with it.
        (named("AADSTS90055"), (Throttled, pause, after_s(10))),
        (
            named("AADSTS50196"),
            (Throttled, "token-request-loop", after_s(300)),
        ),
        (http(400, &[JSON], busy), (Unavailable, down, after_s(60))),
        (http(429, &[], ""), (Throttled, pause, after_s(60))),
        (
            http(429, &[("retry-after", "17")], html),
            (Throttled, pause, after_s(17)),
        ),
        (
            http(
                429,
                &[
                    ("date", "Wed, 25 Nov 2026 12:00:00 GMT"),
                    ("retry-after", "Wed, 25 Nov 2026 12:01:30 GMT"),
                ],
                "",
            ),
            (Throttled, pause, after_s(90)),
        ),
        (
            http(503, &[("retry-after", "120")], html),
            (Throttled, pause, after_s(120)),
        ),
        (http(500, &[], html), (Unavailable, down, after_s(60))),
        (http(502, &[], ""), (Unavailable, down, after_s(60))),
        (http(504, &[], html), (Unavailable, down, after_s(60))),
    ] {
        check_fault(SERVICE, effect.clone(), expected).await;
        check_fault(PERSON, effect, expected).await;
    }
}

#[tokio::test]
async fn an_answer_that_is_none() {
    const JSON: (&str, &str) = ("content-type", "application/json");
    let elsewhere = ("location", "http://127.0.0.1:1/token");
    let nowhere = (Config, "not-a-token-endpoint", NEVER);
    let broken = (Unavailable, "token-answer-malformed", after_s(60));
    let cut = r#"{"token_type":"Bearer","access_token":"cut"#;
    for (effect, expected) in [
        (http(200, &[JSON], ""), nowhere),
        (http(200, &[JSON], "{}"), nowhere),
        (http(200, &[JSON], "[]"), nowhere),
        (http(200, &[JSON], "null"), nowhere),
        (http(200, &[JSON], cut), nowhere),
        (http(200, &[], "<html>Welcome to the hotel</html>"), nowhere),
        (http(302, &[elsewhere], ""), nowhere),
        (http(307, &[elsewhere], ""), nowhere),
        (http(404, &[], "<html>Not found</html>"), nowhere),
        (http(200, &[JSON], r#"{"token_type":"Bearer"}"#), broken),
        (
            http(200, &[JSON], r#"{"token_type":"mac","access_token":"x"}"#),
            broken,
        ),
        (
            http(
                200,
                &[JSON],
                r#"{"token_type":"Bearer","access_token":"x","expires_in":-3600}"#,
            ),
            broken,
        ),
        (
            http(
                200,
                &[JSON],
                r#"{"token_type":"Bearer","access_token":"x","refresh_token":{}}"#,
            ),
            broken,
        ),
        (Effect::Cut, (Unavailable, "http-broken", after_s(60))),
    ] {
        check_fault(SERVICE, effect.clone(), expected).await;
        check_fault(PERSON, effect, expected).await;
    }
}

async fn check_change(
    what: &str,
    change: impl FnOnce(&Sandbox),
    expected: (ProblemKind, &str, Retry),
) {
    let world = world().await;
    change(&world.sandbox);
    let error = world.mailbearer.access_token(PERSON).await.unwrap_err();
    check_error(what, &error, expected);
    assert!(error.problem().answer.is_some(), "{what}: {error:?}");
}

fn alice(change: impl FnOnce(&mut User)) -> impl FnOnce(&Sandbox) {
    move |sandbox| {
        sandbox.tenant().change_user(seed::ALICE, change).unwrap();
    }
}

#[tokio::test]
async fn what_people_and_administrators_do() {
    let day = Duration::from_secs(24 * 3600);
    check_change(
        "password changed",
        |sandbox| {
            sandbox.tenant().revoke_sessions(seed::ALICE).unwrap();
        },
        (SignIn, "token-revoked", NEVER),
    )
    .await;
    check_change(
        "disabled",
        alice(|user| user.enabled = false),
        (SignIn, "account-disabled", NEVER),
    )
    .await;
    check_change(
        "second factor demanded",
        alice(|user| user.mfa_required = true),
        (SignIn, "mfa-required", NEVER),
    )
    .await;
    check_change(
        "policy",
        alice(|user| user.blocked_by_conditional_access = true),
        (Consent, "ca-policy-blocked", NEVER),
    )
    .await;
    check_change(
        "device codes forbidden",
        alice(|user| user.device_code_flow_blocked = true),
        (Consent, "device-flow-blocked", NEVER),
    )
    .await;
    check_change(
        "consent withdrawn",
        |sandbox| {
            let directory = sandbox.tenant();
            directory.change_user(seed::ALICE, |user| user.consents.clear());
            directory.change_application(seed::PUBLIC_CLIENT_ID, |application| {
                application.delegated_permissions.clear();
            });
        },
        (Consent, "consent-missing", NEVER),
    )
    .await;
    check_change(
        "ninety days idle",
        |sandbox| sandbox.clock().advance(90 * day),
        (SignIn, "refresh-token-expired", NEVER),
    )
    .await;
}

/// The demand of Conditional Access goes along to the sign-in, and meeting it ends the matter.
#[tokio::test]
async fn a_demand_is_part_of_the_next_sign_in() {
    let world = world().await;
    alice(|user| user.mfa_required = true)(&world.sandbox);
    world.mailbearer.access_token(PERSON).await.unwrap_err();
    let begin = || {
        let flow = SignInFlow::AuthorizationCode;
        world.mailbearer.begin_sign_in(PERSON, flow)
    };
    let prompt = begin().await.unwrap();
    let url = &prompt.verification_url;
    assert!(url.contains("claims=%7B%22access_token%22"), "{url}");
    let approved = world.sandbox.approve_authorization(url, seed::ALICE).await;
    let prompt = mailbearer::SignInPrompt {
        redirected_to: Some(approved.unwrap()),
        ..prompt
    };
    world.mailbearer.finish_sign_in(&prompt).await.unwrap();
    let prompt = begin().await.unwrap();
    assert!(!prompt.verification_url.contains("claims="));
}
