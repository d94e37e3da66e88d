//! Whether an access token opens a mailbox, and as whom a signed-in client may send.
//! Exchange tells the client nothing about the reason; the sandbox writes it to its log.

use serde_json::{Map, Value};

use crate::catalogue::replies::{
    AUTHENTICATION_UNSUCCESSFUL, Reply, SMTP_AUTH_DISABLED_MAILBOX, SMTP_AUTH_DISABLED_TENANT,
};
use crate::cloud::Cloud;
use crate::directory::{Application, MailboxRight, User};
use crate::identity::jwt::Jwt;

/// A client that has signed in.
#[derive(Clone, Debug)]
pub(super) struct Login {
    /// The mailbox named by `user=`.
    pub(super) mailbox: User,
    pub(super) identity: Identity,
    /// The claims of the token; none after a password.
    pub(super) claims: Option<Map<String, Value>>,
}

/// Who the token speaks for.
#[derive(Clone, Debug)]
pub(super) enum Identity {
    /// A person, by address.
    Person(String),
    /// An application with the claim `SMTP.SendAsApp`: mailbox permissions decide.
    ApplicationByClaim(String),
    /// An application without the claim: role assignments decide.
    ApplicationByRole(String),
}

/// Why a client is refused.
#[derive(Debug)]
pub(super) struct Denial {
    pub(super) reply: &'static Reply,
    /// For the log.
    pub(super) reason: String,
}

impl Login {
    /// Opens the mailbox `user` with an access token.
    ///
    /// # Errors
    /// `535 5.7.3` whatever is wrong with the token or the rights; `535 5.7.139` if SMTP AUTH is switched off.
    pub(super) fn by_token(cloud: &Cloud, user: &str, token: &str) -> Result<Self, Denial> {
        let jwt = verified(cloud, token)?;
        let mailbox = mailbox(cloud, &jwt, user)?;
        let identity = match jwt.text("scp") {
            Some(scp) => person(cloud, &jwt, scp, &mailbox)?,
            None => application(cloud, &jwt, &mailbox)?,
        };
        smtp_auth_enabled(cloud, &mailbox)?;
        Ok(Self {
            mailbox,
            identity,
            claims: Some(jwt.claims),
        })
    }

    /// Whether mail of this sender may be submitted.
    pub(super) fn may_send_as(&self, cloud: &Cloud, address: &str) -> bool {
        let holds = |trustee: &str, mailbox: &User| {
            cloud
                .directory
                .holds_right(trustee, MailboxRight::SendAs, &mailbox.address)
        };
        let own_mailbox = self.mailbox.receives(address);
        let target = cloud.directory.user(address);
        match (&self.identity, target) {
            (_, None) => false,
            (Identity::Person(person), Some(target)) => {
                target.receives(person) || holds(person, &target)
            }
            (Identity::ApplicationByClaim(app_id), Some(target)) => {
                own_mailbox || holds(app_id, &target)
            }
            (Identity::ApplicationByRole(app_id), Some(target)) => {
                own_mailbox || cloud.directory.role_covers(app_id, &target.address)
            }
        }
    }
}

/// # Errors
/// `535 5.7.139` for the mailbox or the tenant; the mailbox's own setting wins.
pub(super) fn smtp_auth_enabled(cloud: &Cloud, mailbox: &User) -> Result<(), Denial> {
    let tenant_disables = cloud
        .directory
        .tenant(&mailbox.tenant_id)
        .is_some_and(|tenant| tenant.smtp_auth_disabled);
    match mailbox.smtp_auth {
        Some(true) => Ok(()),
        Some(false) => Err(Denial {
            reply: &SMTP_AUTH_DISABLED_MAILBOX,
            reason: format!("SMTP AUTH is off for the mailbox {}", mailbox.address),
        }),
        None if tenant_disables => Err(Denial {
            reply: &SMTP_AUTH_DISABLED_TENANT,
            reason: "SMTP AUTH is off for the tenant".to_owned(),
        }),
        None => Ok(()),
    }
}

/// The token, if it is one of ours, for Exchange, and valid now.
fn verified<'a>(cloud: &Cloud, token: &'a str) -> Result<Jwt<'a>, Denial> {
    let jwt = Jwt::parse(token).ok_or_else(|| denied("the token is no JWT"))?;
    if !cloud.signing_key.verifies(jwt.signed, &jwt.signature) {
        return Err(denied("the token's signature is wrong"));
    }
    let audience = jwt.text("aud").unwrap_or_default();
    let audiences = if jwt.text("scp").is_some() {
        DELEGATED_AUDIENCES
    } else {
        APPLICATION_AUDIENCES
    };
    if !audiences.contains(&audience) {
        return Err(denied(format!("the token's audience is {audience}")));
    }
    let now = cloud.clock.now_unix_seconds();
    if jwt
        .seconds("exp")
        .is_none_or(|expires_at| expires_at <= now)
    {
        return Err(denied("the token has expired"));
    }
    if jwt
        .seconds("nbf")
        .is_some_and(|begins_at| begins_at > now + CLOCK_SKEW_SECONDS)
    {
        return Err(denied("the token is not valid yet"));
    }
    if jwt
        .text("uti")
        .is_some_and(|uti| cloud.grants.is_revoked(uti))
    {
        return Err(denied("the token has been revoked"));
    }
    cloud
        .grants
        .access_token_used(jwt.text("uti").unwrap_or_default());
    Ok(jwt)
}

fn mailbox(cloud: &Cloud, jwt: &Jwt<'_>, user: &str) -> Result<User, Denial> {
    let tenant_id = jwt.text("tid").unwrap_or_default();
    let Some(tenant) = cloud.directory.tenant(tenant_id) else {
        return Err(denied(format!(
            "the token is for the unknown tenant {tenant_id}"
        )));
    };
    let mailbox = cloud
        .directory
        .user(user)
        .filter(|mailbox| mailbox.tenant_id == tenant.home_id());
    let Some(mailbox) = mailbox else {
        return Err(denied(format!(
            "there is no mailbox {user} in tenant {tenant_id}"
        )));
    };
    match mailbox.has_mailbox() {
        true => Ok(mailbox),
        false => Err(denied(format!("{user} has no licence and so no mailbox"))),
    }
}

fn person(cloud: &Cloud, jwt: &Jwt<'_>, scp: &str, mailbox: &User) -> Result<Identity, Denial> {
    if !scp.split(' ').any(|permission| permission == "SMTP.Send") {
        return Err(denied(format!(
            "the token's scp is {scp}, without SMTP.Send"
        )));
    }
    let upn = jwt.text("upn").unwrap_or_default();
    let Some(person) = cloud.directory.user(upn) else {
        return Err(denied(format!("the token's user {upn} does not exist")));
    };
    let own = person.object_id == mailbox.object_id;
    if own
        || cloud
            .directory
            .holds_right(&person.address, MailboxRight::FullAccess, &mailbox.address)
    {
        return Ok(Identity::Person(person.address));
    }
    Err(denied(format!(
        "{upn} has no full access to {}",
        mailbox.address
    )))
}

fn application(cloud: &Cloud, jwt: &Jwt<'_>, mailbox: &User) -> Result<Identity, Denial> {
    let app_id = jwt.text("appid").unwrap_or_default();
    let application = cloud.directory.application(app_id);
    let application =
        application.ok_or_else(|| denied(format!("the application {app_id} does not exist")))?;
    if !cloud.directory.exchange_knows(&application) {
        return Err(denied(format!(
            "Exchange has no service principal of {app_id} with the right object id"
        )));
    }
    match has_role(jwt, "SMTP.SendAsApp") {
        true => by_claim(cloud, &application, mailbox),
        false => by_role(cloud, &application, mailbox),
    }
}

fn by_claim(cloud: &Cloud, application: &Application, mailbox: &User) -> Result<Identity, Denial> {
    let app_id = &application.client_id;
    match cloud
        .directory
        .holds_right(app_id, MailboxRight::FullAccess, &mailbox.address)
    {
        true => Ok(Identity::ApplicationByClaim(app_id.clone())),
        false => Err(denied(format!(
            "{app_id} has no full access to {}",
            mailbox.address
        ))),
    }
}

fn by_role(cloud: &Cloud, application: &Application, mailbox: &User) -> Result<Identity, Denial> {
    let app_id = &application.client_id;
    match cloud.directory.role_covers(app_id, &mailbox.address) {
        true => Ok(Identity::ApplicationByRole(app_id.clone())),
        false => Err(denied(format!(
            "the token has no role SMTP.SendAsApp, and no role assignment of {app_id} covers {}",
            mailbox.address
        ))),
    }
}

fn has_role(jwt: &Jwt<'_>, role: &str) -> bool {
    let roles = jwt.claims.get("roles").and_then(Value::as_array);
    roles.is_some_and(|roles| roles.iter().any(|known| known.as_str() == Some(role)))
}

fn denied(reason: impl Into<String>) -> Denial {
    Denial {
        reply: &AUTHENTICATION_UNSUCCESSFUL,
        reason: reason.into(),
    }
}

/// A person's token may name either host; an application's only the second one.
const DELEGATED_AUDIENCES: &[&str] = &[
    "https://outlook.office.com",
    "https://outlook.office365.com",
    "https://outlook.office365.us",
    "https://outlook-dod.office365.us",
    "https://partner.outlook.cn",
];
const APPLICATION_AUDIENCES: &[&str] = &[
    "https://outlook.office365.com",
    "https://outlook.office365.us",
    "https://outlook-dod.office365.us",
    "https://partner.outlook.cn",
];

const CLOCK_SKEW_SECONDS: i64 = 300;
