//! What is looked at on the mail server: a session as before a mail, whose steps become stages.
//! Nothing is sent, and nothing is tried a second time.

use super::probe::Seen;
use super::{Doctor, Report};
use crate::error::{Error, Result};
use crate::host::within;
use crate::model::{SmtpSecurity, Stage, Step, Trail};
use crate::token::{AccessToken, TokenSource as _};
use crate::transport::{Examined, Password, SmtpRoute, examine};
use std::sync::Arc;
use std::time::Duration;

/// Opens a session with the mail server, and reports each of its stages.
pub(super) async fn open(
    doctor: &Doctor<'_>,
    route: &Arc<SmtpRoute>,
    report: &mut Report<'_>,
) -> Option<Examined> {
    if report.is_over() {
        return None;
    }
    let (trail, opened) = examine(route, doctor.network, doctor.clock).await;
    let (opened, error) = match opened {
        Ok(examined) => (Some(examined), None),
        Err(error) => (None, Some(more_about(doctor, route, error).await)),
    };
    let broken = error.as_ref().map(|error| stage_of(error, &trail));
    for stage in session(route.security) {
        if Some(stage) == broken {
            break;
        }
        let text = text_of(stage, route, &trail, opened.as_ref());
        report.add(stage, Ok(Seen::sound(text, ())), took(stage, &trail));
    }
    if let (Some(stage), Some(error)) = (broken, error) {
        report.add::<()>(stage, Err(error), took(stage, &trail));
    }
    opened
}

/// A token for the mail server.
pub(super) async fn token(doctor: &Doctor<'_>, account: &str) -> Result<Seen<AccessToken>> {
    let token = doctor.tokens.access_token(account, None).await?;
    let permits = token.scopes.join(" ");
    let text = match &token.audience {
        Some(audience) => format!("{permits} at {audience}"),
        None => format!("{permits} (the token itself cannot be read here)"),
    };
    Ok(Seen::sound(text, token))
}

/// Signs in with it; a token that is refused is renewed once and tried on a new session, as for a mail.
pub(super) async fn sign_in(
    doctor: &Doctor<'_>,
    route: &Arc<SmtpRoute>,
    session: &mut Examined,
    token: &AccessToken,
) -> Result<Seen<()>> {
    let SmtpRoute {
        mailbox, account, ..
    } = &**route;
    match session.sign_in(&token.secret).await {
        Ok(()) => return Ok(Seen::sound(format!("signed in as {mailbox}"), ())),
        Err(error) if !token.from_cache => return Err(error),
        Err(_) => {}
    }
    let renewed = doctor.tokens.access_token(account, Some(token)).await?;
    *session = examine(route, doctor.network, doctor.clock).await.1?;
    session.sign_in(&renewed.secret).await?;
    let text = format!("signed in as {mailbox}, after a token was refused and renewed");
    Ok(Seen::sound(text, ()))
}

/// Signs in with a password.
pub(super) async fn sign_in_with(session: &mut Examined, password: &Password) -> Result<Seen<()>> {
    session.sign_in_with(password).await?;
    let text = format!("signed in as {} with a password", password.username);
    Ok(Seen::sound(text, ()))
}

/// Names every sender. The account's own mailbox must be taken; another address that is not is a warning.
pub(super) async fn senders(
    server: &mut Examined,
    mailbox: &str,
    others: &[String],
) -> Result<Seen<()>> {
    server.name_sender(mailbox).await?;
    let mut taken = vec![mailbox];
    let mut refused = Vec::new();
    for address in others {
        match server.name_sender(address).await {
            Ok(()) => taken.push(address),
            Err(error) => refused.push(error),
        }
    }
    let text = format!(
        "takes {} as a sender; whether it may send as another is decided with the mail",
        taken.join(", ")
    );
    Ok(Seen::sound(text, ()).warned(refused))
}

/// The stages of a session until its capabilities are known, in the order in which they come.
fn session(security: SmtpSecurity) -> [Stage; 5] {
    use Stage::{Capabilities, Connection, Greeting, NameLookup, Tls};
    match security {
        SmtpSecurity::StartTls => [NameLookup, Connection, Greeting, Tls, Capabilities],
        SmtpSecurity::ImplicitTls => [NameLookup, Connection, Tls, Greeting, Capabilities],
    }
}

/// The steps of a trail with the stages they belong to.
fn steps(trail: &Trail) -> impl Iterator<Item = (Stage, &Step)> {
    let mut has_tls = false;
    trail.steps.iter().map(move |step| {
        let stage = match &*step.name {
            "connect" => Stage::Connection,
            "STARTTLS" | "TLS handshake" => Stage::Tls,
            "EHLO" if has_tls => Stage::Capabilities,
            _ => Stage::Greeting,
        };
        has_tls |= step.name == "TLS handshake";
        (stage, step)
    })
}

/// The stage at which a session failed: that of its last step, where the error does not say more.
fn stage_of(error: &Error, trail: &Trail) -> Stage {
    match error.code() {
        "dns-failure" => Stage::NameLookup,
        "starttls-missing" => Stage::Tls,
        _ => steps(trail)
            .last()
            .map_or(Stage::Connection, |(stage, _)| stage),
    }
}

fn took(stage: Stage, trail: &Trail) -> Duration {
    let of_stage = steps(trail).filter(|(of, _)| *of == stage);
    let micros = of_stage.map(|(_, step)| step.duration_us).sum();
    Duration::from_micros(micros)
}

fn text_of(stage: Stage, route: &SmtpRoute, trail: &Trail, opened: Option<&Examined>) -> String {
    let SmtpRoute { host, port, .. } = route;
    match stage {
        Stage::NameLookup => format!("{host} has an address"),
        Stage::Connection => format!("{host} takes connections on port {port}"),
        Stage::Greeting => format!("{host} greets as a mail server"),
        Stage::Tls => match &trail.tls {
            Some(tls) => format!(
                "{} with {}; the certificate is good for {host}",
                tls.version, tls.cipher_suite
            ),
            None => String::new(),
        },
        _ => opened.map_or_else(String::new, offers),
    }
}

fn offers(server: &Examined) -> String {
    let keywords = server.offers().join(", ");
    match server.size_limit_bytes() {
        Some(limit) => format!("{keywords}; messages up to {} MB", limit / 1_000_000),
        None => keywords,
    }
}

/// When a port is closed, whether others are open tells who closed it.
async fn more_about(doctor: &Doctor<'_>, route: &SmtpRoute, error: Error) -> Error {
    if error.code() != "network-blocked" {
        return error;
    }
    let mut open = Vec::new();
    for port in OTHER_PORTS.into_iter().filter(|port| *port != route.port) {
        let connecting = doctor.network.connect(&route.host, port, GLANCE);
        if let Some(Ok(_)) = within(&**doctor.clock, GLANCE, connecting).await {
            open.push(port.to_string());
        }
    }
    let learnt = match open.is_empty() {
        true => "ports 25, 587 and 443 there do not answer either: this network lets nothing of mail out, or the host is wrong".to_owned(),
        false => format!("port {} there answers: only port {} is blocked", open.join(" and "), route.port),
    };
    let problem = error.problem();
    let fix = format!("{} ({learnt})", problem.fix);
    Error::new(
        problem.kind,
        &problem.code.clone(),
        problem.text.clone(),
        fix,
    )
}

const OTHER_PORTS: [u16; 3] = [25, 587, 443];
/// Long enough for a connection around the world.
const GLANCE: Duration = Duration::from_millis(400);
