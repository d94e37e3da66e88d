//! Whether an access token opens a mailbox, and as whom a signed-in client may send.
//! Exchange tells the client nothing about the reason; the sandbox writes it to its log.

use serde_json::{Map, Value};

use crate::catalogue::replies::{
    AUTHENTICATION_UNSUCCESSFUL, HVE_INVALID_PERMISSIONS, HVE_TOKEN_EXPIRES_SOON, Reply,
    SMTP_AUTH_DISABLED_MAILBOX, SMTP_AUTH_DISABLED_TENANT,
};
use crate::cloud::Cloud;
use crate::directory::{Application, MailboxRight, User, seed};
use crate::identity::jwt::Jwt;

/// A client that has signed in.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    /// The mailbox named by `user=`.
    pub(crate) mailbox: User,
    pub(crate) identity: Identity,
    /// The claims of the token; none after a password.
    pub(crate) claims: Option<Map<String, Value>>,
}

/// Who the token speaks for.
#[derive(Clone, Debug)]
pub(crate) enum Identity {
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

    /// Opens a High Volume Email account with a token.
    ///
    /// # Errors
    /// `501 5.5.127` for a token that ends within ten minutes, `535 5.7.144` without `Mail.Send`, otherwise `535 5.7.3`.
    pub(super) fn of_high_volume(cloud: &Cloud, user: &str, token: &str) -> Result<Self, Denial> {
        // Either of Exchange's names: which one Microsoft's server wants of an application is not documented.
        let jwt = verified_for(cloud, token, DELEGATED_AUDIENCES)?;
        let mailbox = mailbox(cloud, &jwt, user)?;
        let soon = cloud.clock.now_unix_seconds() + HIGH_VOLUME_MARGIN_SECONDS;
        if jwt.seconds("exp").is_none_or(|end| end < soon) {
            return Err(Denial {
                reply: &HVE_TOKEN_EXPIRES_SOON,
                reason: "the token ends within ten minutes".to_owned(),
            });
        }
        if !permits(&jwt, "Mail.Send") {
            return Err(Denial {
                reply: &HVE_INVALID_PERMISSIONS,
                reason: "the token has no Mail.Send".to_owned(),
            });
        }
        let identity = Identity::Person(mailbox.address.clone());
        Ok(Self {
            mailbox,
            identity,
            claims: Some(jwt.claims),
        })
    }

    /// Signs in to Azure Communication Services with a token; the seeded application has the role there.
    ///
    /// # Errors
    /// `535 5.7.3`.
    pub(super) fn of_azure(cloud: &Cloud, username: &str, token: &str) -> Result<Self, Denial> {
        let jwt = verified_for(cloud, token, AZURE_AUDIENCES)?;
        let app_id = jwt.text("appid").unwrap_or_default().to_owned();
        Self::of_azure_application(cloud, username, &app_id, Some(jwt.claims))
    }

    /// The same with the application's secret as a password.
    ///
    /// # Errors
    /// `535 5.7.3`.
    pub(super) fn of_azure_secret(
        cloud: &Cloud,
        username: &str,
        secret: &str,
    ) -> Result<Self, Denial> {
        let mut parts = username.split('|').skip(1);
        let app_id = parts.next().unwrap_or(seed::SERVICE_CLIENT_ID).to_owned();
        let application = cloud.directory.application(&app_id);
        let is_known = application.is_some_and(|application| {
            application
                .secrets
                .iter()
                .any(|known| known.value == secret)
        });
        match is_known {
            true => Self::of_azure_application(cloud, username, &app_id, None),
            false => Err(denied("the secret is not the application's")),
        }
    }

    fn of_azure_application(
        cloud: &Cloud,
        username: &str,
        app_id: &str,
        claims: Option<Map<String, Value>>,
    ) -> Result<Self, Denial> {
        if username.is_empty() || cloud.directory.application(app_id).is_none() {
            return Err(denied(format!("{username} is nobody here")));
        }
        // Its senders are addresses of verified domains, which the tenant's mailboxes stand for.
        let mailbox = cloud.directory.user(seed::BILLING);
        let mailbox = mailbox.ok_or_else(|| denied("there is no verified domain"))?;
        let identity = Identity::Person(mailbox.address.clone());
        Ok(Self {
            mailbox,
            identity,
            claims,
        })
    }

    /// Opens a mailbox for Microsoft Graph: nothing that concerns SMTP AUTH matters there.
    ///
    /// # Errors
    /// The reason, which Graph tells in its own words.
    pub(crate) fn of_graph(cloud: &Cloud, user: &str, token: &str) -> Result<Self, GraphDenial> {
        let jwt = verified_for(cloud, token, GRAPH_AUDIENCES).map_err(|_| GraphDenial::Token)?;
        if !permits(&jwt, "Mail.Send") {
            return Err(GraphDenial::Access);
        }
        let found = cloud.directory.user(user).filter(User::has_mailbox);
        let Some(mailbox) = found else {
            return Err(GraphDenial::Mailbox);
        };
        let identity = match jwt.text("scp") {
            None => Identity::ApplicationByClaim(jwt.text("appid").unwrap_or_default().to_owned()),
            Some(_) => {
                let upn = jwt.text("upn").unwrap_or_default();
                let holds = |right| cloud.directory.holds_right(upn, right, &mailbox.address);
                if !mailbox.receives(upn) && !holds(MailboxRight::FullAccess) {
                    return Err(GraphDenial::Access);
                }
                Identity::Person(upn.to_owned())
            }
        };
        Ok(Self {
            mailbox,
            identity,
            claims: Some(jwt.claims),
        })
    }

    /// Whether mail of this sender may be submitted.
    pub(crate) fn may_send_as(&self, cloud: &Cloud, address: &str) -> bool {
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
    let audiences = if jwt.text("scp").is_some() {
        DELEGATED_AUDIENCES
    } else {
        APPLICATION_AUDIENCES
    };
    verified_for(cloud, token, audiences)
}

/// The token, if it is one of ours, for one of these audiences, and valid now.
fn verified_for<'a>(cloud: &Cloud, token: &'a str, audiences: &[&str]) -> Result<Jwt<'a>, Denial> {
    let jwt = Jwt::parse(token).ok_or_else(|| denied("the token is no JWT"))?;
    if !cloud.signing_key.verifies(jwt.signed, &jwt.signature) {
        return Err(denied("the token's signature is wrong"));
    }
    let audience = jwt.text("aud").unwrap_or_default();
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

/// Whether a token carries a permission, a person's or an application's.
fn permits(jwt: &Jwt<'_>, permission: &str) -> bool {
    let scopes = jwt.text("scp").unwrap_or_default();
    scopes.split(' ').any(|scope| scope == permission) || has_role(jwt, permission)
}

/// Why Graph lets nobody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GraphDenial {
    /// The token is no good.
    Token,
    /// The token is good, and does not permit this.
    Access,
    /// There is no such mailbox.
    Mailbox,
}

const GRAPH_AUDIENCES: &[&str] = &[
    "https://graph.microsoft.com",
    "https://graph.microsoft.us",
    "00000003-0000-0000-c000-000000000000",
];
const AZURE_AUDIENCES: &[&str] = &["https://communication.azure.com"];
/// High Volume Email wants tokens that live on for a while.
const HIGH_VOLUME_MARGIN_SECONDS: i64 = 600;

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
