//! What is looked at, stage by stage. Each look says in one line what it saw, and what is wrong with it.
//! None of them decides whether the next is taken.

use super::Doctor;
use crate::error::{Error, Result};
use crate::host::{ExtraRoots, within};
use crate::model::{Account, GrantKind, Health, Problem, ProblemKind, TokenState, TokenStatus};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

/// What a look at a stage saw, where the stage is not broken.
#[derive(Debug)]
pub(super) struct Seen<T> {
    pub(super) text: String,
    /// What is wrong and does not keep a mail from going on.
    pub(super) problems: Vec<Problem>,
    /// Nothing was there to look at.
    pub(super) is_empty: bool,
    /// What later stages need of it.
    pub(super) brings: T,
}

impl<T> Seen<T> {
    pub(super) fn sound(text: impl Into<String>, brings: T) -> Self {
        Self {
            text: text.into(),
            problems: Vec::new(),
            is_empty: false,
            brings,
        }
    }

    pub(super) fn warned(mut self, warnings: Vec<Error>) -> Self {
        let problems = warnings.into_iter().map(|error| error.during("examine"));
        self.problems.extend(problems.map(Problem::from));
        self
    }

    pub(super) fn health(&self) -> Health {
        match (self.is_empty, self.problems.is_empty()) {
            (true, _) => Health::NotRun,
            (false, true) => Health::Sound,
            (false, false) => Health::Warning,
        }
    }
}

/// The settings were checked when the account was added; what sources disagree on can still be wrong.
pub(super) fn settings(account: &Account) -> Result<Seen<()>> {
    let endpoints = &account.endpoints;
    let text = format!(
        "{} through {}:{}",
        account.mailbox, endpoints.smtp_host, endpoints.smtp_port
    );
    let unverified = endpoints.unverified.iter();
    let warnings = unverified.map(|setting| unverified_setting(setting));
    Ok(Seen::sound(text, ()).warned(warnings.collect()))
}

fn unverified_setting(setting: &str) -> Error {
    Error::new(
        ProblemKind::Config,
        "setting-unverified",
        format!("sources disagree on {setting} of this cloud"),
        format!("if a later stage fails, ask the cloud's support for {setting}, and override it"),
    )
}

/// What the account signs in with, and what of it ends soon.
pub(super) async fn credentials(doctor: &Doctor<'_>, account: &Account) -> Result<Seen<()>> {
    if needs_credential(account.grant) {
        // Read for the error when the vault does not give it.
        doctor.accounts.credential(&account.name).await?;
    }
    let status = doctor.tokens.status(account).await?;
    if status.state == TokenState::SignInNeeded {
        return Err(sign_in_needed(&account.name));
    }
    let now_unix_ms = doctor.clock.now_unix_ms();
    let ends = ends(&status);
    let soon = ends
        .iter()
        .filter(|(_, end)| *end < now_unix_ms.saturating_add(SOON_MS));
    let warnings = soon.map(|(what, end)| ends_soon(what, *end, now_unix_ms));
    let text = match ends.iter().map(|(_, end)| *end).min() {
        Some(end) => format!("good for {} days", days(end.saturating_sub(now_unix_ms))),
        None => "nothing that is known to end".to_owned(),
    };
    Ok(Seen::sound(text, ()).warned(warnings.collect()))
}

fn needs_credential(grant: GrantKind) -> bool {
    matches!(
        grant,
        GrantKind::ClientSecret
            | GrantKind::ClientCertificate
            | GrantKind::FederatedToken
            | GrantKind::TokenCommand
    )
}

fn ends(status: &TokenStatus) -> Vec<(&'static str, i64)> {
    let ends = [
        ("refresh token", status.refresh_token_expires_at_unix_ms),
        ("client secret", status.secret_expires_at_unix_ms),
        ("certificate", status.certificate_expires_at_unix_ms),
    ];
    let known = ends.into_iter();
    known.filter_map(|(what, end)| Some((what, end?))).collect()
}

fn sign_in_needed(account: &str) -> Error {
    Error::new(
        ProblemKind::SignIn,
        "sign-in-needed",
        format!("nobody has signed in to the account {account}"),
        format!("sign in: mailbearer login {account}"),
    )
}

fn ends_soon(what: &str, end: i64, now_unix_ms: i64) -> Error {
    let left_ms = end.saturating_sub(now_unix_ms);
    let (kind, fix) = match what {
        "refresh token" => (
            ProblemKind::SignIn,
            "sign in again, or send a mail: both make it last longer",
        ),
        "client secret" => (
            ProblemKind::Config,
            "make a new secret in the app registration and give it to the account; a certificate or a federated credential lasts longer",
        ),
        _ => (
            ProblemKind::Config,
            "upload a new certificate to the app registration and give it to the account",
        ),
    };
    let text = match left_ms {
        ..0 => format!("the {what} ended {} days ago", days(-left_ms)),
        _ => format!("the {what} ends in {} days", days(left_ms)),
    };
    Error::new(kind, "credential-ends-soon", text, fix)
}

fn days(ms: i64) -> i64 {
    ms / DAY_MS
}

const DAY_MS: i64 = 24 * 3600 * 1000;
/// A month is what an administrator's change may take.
const SOON_MS: i64 = 30 * DAY_MS;

/// Whether the identity provider can be reached, and what time it is there.
pub(super) async fn identity_provider(doctor: &Doctor<'_>, account: &Account) -> Result<Seen<()>> {
    if matches!(
        account.grant,
        GrantKind::ManagedIdentity | GrantKind::TokenCommand
    ) {
        let mut seen = Seen::sound("this account asks no identity provider itself", ());
        seen.is_empty = true;
        return Ok(seen);
    }
    let response = ask(doctor, account).await?;
    let host = host_of(&account.endpoints.token_url);
    let there = response.headers().get(http::header::DATE);
    let there = there.and_then(|date| date.to_str().ok());
    let Some(there_unix_ms) = there.and_then(unix_ms_of) else {
        return Ok(Seen::sound(format!("{host} answers"), ()));
    };
    let ahead_ms = doctor.clock.now_unix_ms().saturating_sub(there_unix_ms);
    // The server's clock is told in whole seconds.
    let ahead_s = (ahead_ms.unsigned_abs() + 500) / 1000;
    match ahead_s {
        0..=CLOCK_TOLERANCE_S => Ok(Seen::sound(
            format!("{host} answers; its clock agrees with this machine's"),
            (),
        )),
        _ => Err(clock_skew(&host, ahead_ms > 0, ahead_s)),
    }
}

async fn ask(doctor: &Doctor<'_>, account: &Account) -> Result<http::Response<Vec<u8>>> {
    let endpoints = &account.endpoints;
    // What the endpoint thinks of a bare GET does not matter: it answers with the time.
    let mut request = http::Request::get(&endpoints.token_url)
        .body(Vec::new())
        .map_err(|error| bad_address(&endpoints.token_url).with_source(error))?;
    if let Some(pem) = &endpoints.ca_pem {
        request
            .extensions_mut()
            .insert(ExtraRoots(Arc::from(pem.as_str())));
    }
    let limit = Duration::from_millis(super::LONGEST_WAIT_MS);
    let called = within(&**doctor.clock, limit, doctor.http.call(request)).await;
    called.unwrap_or_else(|| Err(no_answer(&host_of(&endpoints.token_url))))
}

fn unix_ms_of(http_date: &str) -> Option<i64> {
    let time = httpdate::parse_http_date(http_date).ok()?;
    let since_epoch = time.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since_epoch.as_millis()).ok()
}

fn host_of(url: &str) -> String {
    let uri: Option<http::Uri> = url.parse().ok();
    let host = uri.as_ref().and_then(http::Uri::host);
    host.unwrap_or(url).to_owned()
}

fn clock_skew(host: &str, is_ahead: bool, seconds: u64) -> Error {
    let direction = if is_ahead { "ahead of" } else { "behind" };
    Error::new(
        ProblemKind::Config,
        "clock-skew",
        format!("this machine's clock is {seconds} seconds {direction} that of {host}"),
        "set this machine's clock, and keep it set with NTP: tokens and assertions are judged by it",
    )
}

fn no_answer(host: &str) -> Error {
    Error::new(
        ProblemKind::Unavailable,
        "network-blocked",
        format!(
            "no answer from {host} within {} seconds",
            super::LONGEST_WAIT_MS / 1000
        ),
        format!("let outbound HTTPS (TCP port 443) to {host} through the firewall or proxy"),
    )
}

fn bad_address(url: &str) -> Error {
    Error::new(
        ProblemKind::Config,
        "http-request-invalid",
        format!("not an address to ask: {url}"),
        "correct the account's token endpoint",
    )
}

/// Entra ID allows five minutes; an assertion of ours lasts longer than it takes to be judged, but not by much.
const CLOCK_TOLERANCE_S: u64 = 120;
