//! Checks of the roads an account may take, and what each needs, allows and refuses.
//! Nothing here sends anything: whether a road leads anywhere is for its server to say.

use super::clouds::{CloudData, Clouds};
use super::routes::{Routes, Service, routes};
use super::{address, refusal, scope, submission};
use crate::error::{Error, Result};
use crate::model::{Cloud, GrantKind, NewAccount, Route, RouteKind, SmtpSecurity};
use std::borrow::Cow;

/// An account as the road needs it: with the road's own defaults in place of client submission's.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) account: Cow<'a, NewAccount>,
    pub(super) clouds: Cow<'a, Clouds>,
    pub(super) server: Option<Server>,
    pub(super) graph_url: Option<String>,
    /// Whether an access token is needed.
    pub(super) needs_token: bool,
    /// The settings for which sources disagree.
    pub(super) unverified: Vec<String>,
}

/// Where SMTP leads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) security: SmtpSecurity,
}

/// What a mail may have at most, where the road says so before the server does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Recipients of one mail.
    pub(crate) recipients: Option<usize>,
    /// Octets of one mail.
    pub(crate) message_bytes: Option<u64>,
}

/// The limits of a road. Errors: `Internal`.
pub(crate) fn limits(route: &Route) -> Result<Limits> {
    let of = |service: &Service| Limits {
        recipients: Some(service.recipients),
        message_bytes: Some(service.message_bytes),
    };
    Ok(match route {
        Route::HighVolumeEmail { .. } => of(&routes()?.high_volume_email),
        Route::AzureCommunicationServices { .. } => of(&routes()?.azure_communication_services),
        Route::ClientSubmission => Limits {
            recipients: Some(RECIPIENTS_AT_EXCHANGE),
            message_bytes: None, // The server announces it (SIZE), and the mailbox's own limit is lower.
        },
        Route::Graph { large_mails, .. } => Limits {
            recipients: Some(RECIPIENTS_AT_EXCHANGE),
            message_bytes: Some(match large_mails {
                true => GRAPH_LARGE_MAIL_BYTES,
                false => GRAPH_MAIL_BYTES,
            }),
        },
        _ => Limits::default(),
    })
}

/// The permission a token must carry for a road; none where no token can tell.
pub(crate) fn permission(route: &Route) -> Option<&'static str> {
    match route {
        Route::ClientSubmission => Some(super::PERSONS_PERMISSION),
        Route::HighVolumeEmail { .. } | Route::Graph { .. } => Some(MAIL_SEND),
        _ => None,
    }
}

/// Checks a road's own settings and that the account's grant can travel it, and plans what else it needs.
pub(super) fn plan<'a>(account: &'a NewAccount, clouds: &'a Clouds) -> Result<Plan<'a>> {
    let routes = routes()?;
    check_grant(account, clouds)?;
    let plan = Plan {
        account: Cow::Borrowed(account),
        clouds: Cow::Borrowed(clouds),
        server: None,
        graph_url: None,
        needs_token: needs_token(account),
        unverified: Vec::new(),
    };
    match &account.route {
        Route::ClientSubmission => Ok(Plan {
            unverified: clouds
                .data(account.cloud)
                .map(|data| data.unverified.clone())
                .unwrap_or_default(),
            ..plan
        }),
        Route::StandardSmtp { .. } => standard(plan, routes),
        Route::ConnectorRelay { host, port } | Route::DirectSend { host, port, .. } => {
            let server = mx(account, clouds, host.as_deref(), *port)?;
            Ok(with_server(plan, server))
        }
        Route::HighVolumeEmail { host, port } => {
            let service = &routes.high_volume_email;
            service_plan(plan, service, host.as_deref(), *port)
        }
        Route::AzureCommunicationServices {
            username,
            host,
            port,
        } => {
            check_username(username)?;
            let service = &routes.azure_communication_services;
            service_plan(plan, service, host.as_deref(), *port)
        }
        Route::Graph { url, large_mails } => graph(plan, url.as_deref(), *large_mails),
        Route::Folder { path } => check_folder(path).map(|()| plan),
    }
}

/// Checks the second road beside the first.
pub(super) fn check_fallback(first: &Route, fallback: &Route) -> Result<()> {
    if matches!(fallback, Route::Folder { .. }) {
        return Err(refusal(
            "fallback-sends-nothing",
            "fallback is a folder, which takes every mail and sends none",
            "Name a route that sends, such as `graph`, or leave fallback out.",
        ));
    }
    if first == fallback {
        return Err(refusal(
            "fallback-same-route",
            "fallback is the same route as route",
            "Name another route, such as `graph` for tenants that forbid SMTP AUTH, or leave fallback out.",
        ));
    }
    Ok(())
}

/// Whether somebody signs in on this road.
fn signs_in(route: &Route) -> bool {
    !matches!(
        route,
        Route::ConnectorRelay { .. } | Route::DirectSend { .. } | Route::Folder { .. }
    )
}

fn needs_token(account: &NewAccount) -> bool {
    let is_token = !matches!(
        account.grant.kind(),
        GrantKind::Password | GrantKind::Nothing
    );
    is_token && signs_in(&account.route)
}

fn check_grant(account: &NewAccount, clouds: &Clouds) -> Result<()> {
    let grant = account.grant.kind();
    let route = &account.route;
    let also = account.fallback.as_ref();
    if !signs_in(route) {
        let shows_certificate =
            matches!(route, Route::ConnectorRelay { .. }) && grant == GrantKind::ClientCertificate;
        let is_for_another = also.is_some_and(signs_in);
        if grant == GrantKind::Nothing || shows_certificate || is_for_another {
            return Ok(());
        }
        return Err(refusal(
            "grant-not-used",
            "nobody signs in on this route, but grant holds a way to sign in",
            "Set grant to `{\"type\": \"nothing\"}`; a connector relay also takes `clientCertificate`, shown in the TLS handshake.",
        ));
    }
    match grant {
        GrantKind::Nothing => Err(refusal(
            "grant-missing",
            "somebody must sign in on this route, but grant is `nothing`",
            "Choose how to sign in, such as `clientSecret` or `authorizationCode`; docs/settings.md lists them.",
        )),
        GrantKind::Password => check_password(account, clouds),
        _ => Ok(()),
    }
}

/// A password goes where the provider takes one, and never where Microsoft ends it.
fn check_password(account: &NewAccount, clouds: &Clouds) -> Result<()> {
    let ends = |host: &str| {
        refusal(
            "basic-auth-off",
            format!(
                "{host} takes no password any more: Microsoft ends Basic authentication for SMTP AUTH, off by default for existing tenants from the end of December 2026 and unavailable to new ones after that"
            ),
            "Sign in with OAuth 2.0: set route to `clientSubmission` and grant to `authorizationCode`, `clientSecret` or another that gives access tokens.",
        )
    };
    match &account.route {
        Route::ClientSubmission => {
            let data = clouds.data(account.cloud);
            Err(ends(data.map_or("Exchange Online", |data| &data.smtp_host)))
        }
        Route::StandardSmtp { host, .. } => match host
            .as_deref()
            .or(account.endpoints.smtp_host.as_deref())
            .map(lower)
        {
            Some(host) if clouds.is_submission_host(&host) => Err(ends(&host)),
            _ => Ok(()),
        },
        Route::Graph { .. } => Err(refusal(
            "grant-not-possible",
            "Microsoft Graph takes access tokens only, but grant is `password`",
            "Set grant to `authorizationCode`, `clientSecret` or another that gives access tokens.",
        )),
        // High Volume Email takes one until September 2028, and Azure Communication Services its client secret.
        _ => Ok(()),
    }
}

/// Another provider's server: in everything but the name a custom cloud, whose values the preset gives.
fn standard<'a>(plan: Plan<'a>, routes: &Routes) -> Result<Plan<'a>> {
    let account = &plan.account;
    let Route::StandardSmtp {
        preset,
        host,
        port,
        security,
    } = &account.route
    else {
        return Ok(plan);
    };
    let preset = preset.map(|preset| routes.preset(preset));
    let known_host = preset.and_then(|preset| preset.host.clone());
    let overrides = &account.endpoints;
    let host = host.clone().or_else(|| overrides.smtp_host.clone());
    let port = &port.or(overrides.smtp_port);
    let Some(host) = host.or(known_host) else {
        return Err(host_missing(
            "Name the server, such as `mail.example.org`, or a preset that knows it.",
        ));
    };
    let host = checked_host(&host)?;
    if plan.clouds.is_submission_host(&host) {
        return Err(refusal(
            "route-host-mismatch",
            format!("{host} is Microsoft's, and has a route of its own"),
            "Set route to `clientSubmission`; its host is known.",
        ));
    }
    let server = Server {
        port: match (port, security, preset) {
            (Some(port), ..) => checked_port(*port)?,
            (None, None, Some(preset)) => preset.port,
            (None, Some(SmtpSecurity::ImplicitTls), _) => IMPLICIT_TLS_PORT,
            (None, ..) => SUBMISSION_PORT,
        },
        security: match (security, port, preset) {
            (Some(security), ..) => *security,
            (None, Some(IMPLICIT_TLS_PORT), _) => SmtpSecurity::ImplicitTls,
            (None, None, Some(preset)) => preset.security,
            (None, ..) => SmtpSecurity::StartTls,
        },
        host,
    };
    let mut account = account.clone().into_owned();
    let overrides = &mut account.endpoints;
    if let Some(preset) = preset {
        let fill = |setting: &mut Option<String>, value: &Option<String>| {
            if setting.is_none() {
                setting.clone_from(value);
            }
        };
        fill(&mut overrides.token_url, &preset.token_url);
        fill(&mut overrides.authorization_url, &preset.authorization_url);
        overrides.scopes = overrides.scopes.take().or_else(|| preset.scopes.clone());
    }
    overrides.audiences.get_or_insert_default(); // Such tokens are opaque.
    overrides.smtp_host = Some(server.host.clone());
    account.cloud = Cloud::Custom;
    Ok(Plan {
        account: Cow::Owned(account),
        server: Some(server),
        unverified: preset
            .map(|preset| preset.unverified.clone())
            .unwrap_or_default(),
        ..plan
    })
}

/// One of Microsoft's other SMTP services.
fn service_plan<'a>(
    plan: Plan<'a>,
    service: &Service,
    host: Option<&str>,
    port: Option<u16>,
) -> Result<Plan<'a>> {
    check_cloud(plan.account.cloud, plan.account.route.kind())?;
    let overrides = &plan.account.endpoints;
    let host = host.or(overrides.smtp_host.as_deref());
    let port = port.or(overrides.smtp_port);
    let server = Server {
        host: checked_host(host.unwrap_or(&service.host))?,
        port: checked_port(port.unwrap_or(SUBMISSION_PORT))?,
        security: SmtpSecurity::StartTls,
    };
    let replace = |data: &CloudData| CloudData {
        delegated_scopes: service.delegated_scopes.clone(),
        app_scope: Some(service.app_scope.clone()),
        resource_hosts: service.resource_hosts.clone(),
        audiences: service.audiences.clone(),
        smtp_host: service.host.clone(),
        smtp_hosts: service.hosts.clone(),
        permission: service.permission.clone(),
        ..data.clone()
    };
    let unverified = service.unverified.clone();
    let plan = Plan { unverified, ..plan };
    Ok(with_server(replaced(plan, replace), server))
}

fn graph<'a>(plan: Plan<'a>, url: Option<&str>, large_mails: bool) -> Result<Plan<'a>> {
    let known = plan.clouds.data(plan.account.cloud);
    let known = known.map(|data| data.graph_url.clone());
    let Some(resource) = known.clone().or_else(|| url.map(str::to_owned)) else {
        return Err(refusal(
            "route-url-missing",
            "route.url is missing: a custom cloud has no Microsoft Graph of its own",
            "Give Graph's address, such as `https://graph.microsoft.com`.",
        ));
    };
    let url = url.unwrap_or(&resource).trim_end_matches('/').to_owned();
    address::check_url("route.url", &url)?;
    let mut delegated = vec![format!("{resource}/{MAIL_SEND}")];
    if large_mails {
        delegated.push(format!("{resource}/{MAIL_READ_WRITE}"));
    }
    delegated.push("offline_access".to_owned());
    let host = address::host_of(&resource).unwrap_or_default();
    let app_id = plan.clouds.graph_app_id.clone();
    let replace = |data: &CloudData| CloudData {
        delegated_scopes: delegated.clone(),
        // A personal account has no application permissions there, either.
        app_scope: data
            .app_scope
            .as_ref()
            .map(|_| format!("{resource}/.default")),
        resource_hosts: vec![host.clone()],
        audiences: vec![resource.clone(), format!("{resource}/"), app_id.clone()],
        smtp_host: String::new(),
        smtp_hosts: Vec::new(),
        permission: MAIL_SEND.to_owned(),
        ..data.clone()
    };
    let mut plan = replaced(plan, replace);
    plan.graph_url = Some(url);
    Ok(plan)
}

/// The plan with what the road asks for in place of client submission's. A custom cloud has no data to replace: there the
/// road's own scopes are in force unless the overrides give others, and no audience is demanded.
fn replaced<'a>(mut plan: Plan<'a>, replace: impl Fn(&CloudData) -> CloudData) -> Plan<'a> {
    let cloud = plan.account.cloud;
    if let Some(data) = plan.clouds.data(cloud) {
        plan.clouds = Cow::Owned(plan.clouds.replacing(cloud, replace(data)));
    } else if let Some(data) = plan.clouds.data(Cloud::Worldwide) {
        let mut account = plan.account.into_owned();
        let scopes = scope::default_scopes(&replace(data), &account.grant);
        account.endpoints.scopes.get_or_insert(scopes);
        account.endpoints.audiences.get_or_insert_default();
        plan.account = Cow::Owned(account);
    }
    plan
}

fn with_server<'a>(plan: Plan<'a>, server: Server) -> Plan<'a> {
    Plan {
        server: Some(server),
        ..plan
    }
}

/// The tenant's MX host: Microsoft's, or this machine's own for a sandbox.
fn mx(
    account: &NewAccount,
    clouds: &Clouds,
    host: Option<&str>,
    port: Option<u16>,
) -> Result<Server> {
    let overrides = &account.endpoints;
    let Some(host) = host.or(overrides.smtp_host.as_deref()) else {
        return Err(host_missing(
            "Name the tenant's MX host, such as `contoso-com.mail.protection.outlook.com`.",
        ));
    };
    let host = checked_host(host)?;
    let is_mx = clouds
        .mx_suffixes
        .iter()
        .any(|suffix| host.ends_with(suffix));
    if !is_mx && !address::is_loopback(&host) && account.cloud != Cloud::Custom {
        return Err(refusal(
            "wrong-host",
            format!("this is not a tenant's MX host: {host}"),
            "Give the host of the domain's MX record (Microsoft 365 admin center, Settings, Domains), such as `contoso-com.mail.protection.outlook.com`, or one under `mx.microsoft`.",
        ));
    }
    Ok(Server {
        host,
        port: checked_port(port.or(overrides.smtp_port).unwrap_or(RELAY_PORT))?,
        security: SmtpSecurity::StartTls,
    })
}

fn host_missing(fix: &str) -> Error {
    refusal(
        "route-host-missing",
        "route.host is missing, and nothing else gives it",
        fix,
    )
}

fn check_cloud(cloud: Cloud, route: RouteKind) -> Result<()> {
    if matches!(cloud, Cloud::Worldwide | Cloud::Custom) {
        return Ok(());
    }
    Err(refusal(
        "route-not-in-cloud",
        format!("this route is known for the worldwide cloud only: {route:?}"),
        "Use another route, or set cloud to `custom` and give host and scopes as your administrator names them.",
    ))
}

fn check_username(username: &str) -> Result<()> {
    if !username.trim().is_empty() && !username.chars().any(char::is_control) {
        return Ok(());
    }
    Err(refusal(
        "route-username-invalid",
        "route.username is empty or holds a control character",
        "Give the SMTP user name of the resource, or `resource|application id|tenant id`.",
    ))
}

fn check_folder(path: &str) -> Result<()> {
    if !path.trim().is_empty() && !path.contains('\0') {
        return Ok(());
    }
    Err(refusal(
        "route-path-invalid",
        "route.path is not a path",
        "Give the path of a folder that exists.",
    ))
}

fn checked_host(host: &str) -> Result<String> {
    let host = lower(host);
    submission::check_host_syntax("route.host", &host)?;
    Ok(host)
}

fn checked_port(port: u16) -> Result<u16> {
    if port > 0 {
        return Ok(port);
    }
    Err(refusal(
        "smtp-port-invalid",
        "route.port is 0",
        "Leave route.port out: every route knows its usual one.",
    ))
}

fn lower(host: &str) -> String {
    host.trim_end_matches('.').to_ascii_lowercase()
}

const MAIL_SEND: &str = "Mail.Send";
const MAIL_READ_WRITE: &str = "Mail.ReadWrite";
const SUBMISSION_PORT: u16 = 587;
const IMPLICIT_TLS_PORT: u16 = 465;
const RELAY_PORT: u16 = 25;
/// The most that `RecipientLimits` of a mailbox can be set to.
const RECIPIENTS_AT_EXCHANGE: usize = 1000;
/// A request to Graph may have about 4 MB, and base64 makes 4 octets of 3.
pub(crate) const GRAPH_MAIL_BYTES: u64 = 3_000_000;
/// What a mailbox can be set to take, and an upload session takes of one attachment.
const GRAPH_LARGE_MAIL_BYTES: u64 = 157_286_400;
