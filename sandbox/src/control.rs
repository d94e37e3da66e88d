//! The sandbox's own HTTP interface, for tests in any language. JSON in and out, on the inbox and both identity ports.
//!
//! | request | does |
//! | --- | --- |
//! | `GET /sandbox` | addresses, CA file and the seeded ids |
//! | `GET /sandbox/ca.pem` | the CA certificate |
//! | `GET /sandbox/secrets` | every secret, password, token and code ever made or shown |
//! | `GET /sandbox/directory` | tenants, applications, people, mailboxes, rights |
//! | `PATCH /sandbox/tenants/{id or domain}` | changes the given fields of a tenant |
//! | `POST /sandbox/tenants` | adds a tenant |
//! | `POST /sandbox/applications` | registers an application; answers it with all ids and secret values |
//! | `PATCH /sandbox/applications/{client id}` | changes the given fields |
//! | `POST /sandbox/applications/{client id}/secrets` | adds a secret: `{"value"?, "expires_at_unix_ms"?}` |
//! | `POST /sandbox/applications/{client id}/certificates` | uploads a certificate: `{"certificate": PEM or base64 DER}` |
//! | `POST /sandbox/users` | adds a person or, with `"shared": true`, a shared mailbox |
//! | `PATCH /sandbox/users/{address}` | changes the given fields |
//! | `POST /sandbox/users/{address}/revoke` | revokes all sessions |
//! | `POST /sandbox/permissions` | `{"mailbox", "trustee", "right": "full-access" or "send-as"}` |
//! | `POST /sandbox/service-principals` | `New-ServicePrincipal`: `{"app_id", "object_id"}` |
//! | `DELETE /sandbox/service-principals/{app id}` | removes it, and the application's role assignments |
//! | `POST /sandbox/role-assignments` | RBAC for Applications: `{"app_id", "mailboxes": [..] or null}` |
//! | `POST /sandbox/refused-recipients` | `{"address", "reply": catalogue name or literal}` |
//! | `GET, POST, DELETE /sandbox/faults` | lists, injects a [`Fault`], clears |
//! | `GET /sandbox/catalogue` | the names faults can use |
//! | `GET /sandbox/devices` | user codes that wait for a person |
//! | `POST /sandbox/devices/approve` | `{"user_code", "user"}` |
//! | `POST /sandbox/devices/decline` | `{"user_code"}` |
//! | `POST /sandbox/authorize` | `{"url", "user"}`: goes through the pages of an authorization request as a person who agrees; answers `{"location"}` |
//! | `GET, DELETE /sandbox/mails` | the received mails with envelope, claims and `mime_base64`; forgets them |
//! | `GET /sandbox/refusals` | why Exchange refused sign-ins, which it tells no client |
//! | `GET /sandbox/clock` | `{"now_unix_ms"}` |
//! | `POST /sandbox/clock/advance` | `{"seconds"}` |
//!
//! Errors are answered with status 400 or 404 and `{"error": text}`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, patch, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::catalogue::{aadsts, replies};
use crate::cloud::Cloud;
use crate::directory::{
    Application, ClientSecret, ExchangeServicePrincipal, MailboxPermission, RefusedAddress,
    RoleAssignment, Tenant, User, seed,
};
use crate::faults::Fault;
use crate::identity;
use crate::inbox::StoredMail;

#[derive(Clone, Debug)]
struct Control {
    cloud: Arc<Cloud>,
    ca_file: PathBuf,
}

pub(crate) fn router(cloud: Arc<Cloud>, ca_file: PathBuf) -> Router {
    Router::new()
        .route("/sandbox", get(overview))
        .route(
            "/sandbox/ca.pem",
            get(async |State(control): State<Control>| control.cloud.certificates.ca_pem.clone()),
        )
        .route(
            "/sandbox/secrets",
            get(async |State(control): State<Control>| Json(control.cloud.secrets.all())),
        )
        .route(
            "/sandbox/directory",
            get(async |State(control): State<Control>| Json(control.cloud.directory.snapshot())),
        )
        .route("/sandbox/tenants", post(add_tenant))
        .route("/sandbox/tenants/{name}", patch(change_tenant))
        .route("/sandbox/applications", post(register))
        .route(
            "/sandbox/applications/{client_id}",
            patch(change_application),
        )
        .route(
            "/sandbox/applications/{client_id}/secrets",
            post(add_secret),
        )
        .route(
            "/sandbox/applications/{client_id}/certificates",
            post(upload_certificate),
        )
        .route("/sandbox/users", post(add_user))
        .route("/sandbox/users/{address}", patch(change_user))
        .route("/sandbox/users/{address}/revoke", post(revoke))
        .route("/sandbox/permissions", post(grant))
        .route("/sandbox/service-principals", post(add_service_principal))
        .route(
            "/sandbox/service-principals/{app_id}",
            delete(remove_service_principal),
        )
        .route("/sandbox/role-assignments", post(assign_role))
        .route("/sandbox/refused-recipients", post(refuse_recipient))
        .route(
            "/sandbox/faults",
            get(pending_faults).post(inject).delete(clear_faults),
        )
        .route("/sandbox/catalogue", get(catalogue))
        .route(
            "/sandbox/devices",
            get(async |State(control): State<Control>| {
                Json(control.cloud.grants.pending_user_codes())
            }),
        )
        .route("/sandbox/devices/approve", post(approve))
        .route("/sandbox/devices/decline", post(decline))
        .route(
            "/sandbox/clock",
            get(async |State(control): State<Control>| control.time()),
        )
        .route(
            "/sandbox/refusals",
            get(async |State(control): State<Control>| Json(control.cloud.refusals.all())),
        )
        .route("/sandbox/authorize", post(authorize))
        .route("/sandbox/mails", get(mails).delete(forget_mails))
        .route("/sandbox/clock/advance", post(advance))
        .with_state(Control { cloud, ca_file })
}

/// Why a request to this interface failed.
#[derive(Debug)]
struct Failure(StatusCode, String);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.0, Json(json!({"error": self.1}))).into_response()
    }
}

impl Failure {
    fn unknown(what: &str, name: &str) -> Self {
        Self(StatusCode::NOT_FOUND, format!("no such {what}: {name}"))
    }

    fn bad(reason: impl ToString) -> Self {
        Self(StatusCode::BAD_REQUEST, reason.to_string())
    }
}

type Answer = Result<Json<Value>, Failure>;

impl Control {
    fn time(&self) -> Json<Value> {
        Json(json!({"now_unix_ms": self.cloud.clock.now_unix_ms()}))
    }
}

async fn overview(State(control): State<Control>) -> Json<Value> {
    let addresses = control.cloud.addresses;
    Json(json!({
        "identity_url": addresses.identity_url(),
        "identity_https_url": addresses.identity_https_url(),
        "smtp_host": addresses.smtp.ip(),
        "smtp_port": addresses.smtp.port(),
        "inbox_url": addresses.inbox_url(),
        "ca_file": control.ca_file,
        "tenant_id": seed::TENANT_ID,
        "domain": seed::DOMAIN,
        "public_client_id": seed::PUBLIC_CLIENT_ID,
        "service_client_id": seed::SERVICE_CLIENT_ID,
        "service_client_secret": seed::SERVICE_CLIENT_SECRET,
        "alice": {"address": seed::ALICE, "password": seed::ALICE_PASSWORD},
        "bob": {"address": seed::BOB, "password": seed::BOB_PASSWORD},
        "shared_mailbox": seed::BILLING,
    }))
}

async fn add_tenant(State(control): State<Control>, Json(tenant): Json<Tenant>) -> Answer {
    to_json(control.cloud.directory.add_tenant(tenant))
}

async fn change_tenant(
    State(control): State<Control>,
    Path(name): Path<String>,
    Json(fields): Json<Value>,
) -> Answer {
    let directory = &control.cloud.directory;
    let current = directory
        .tenant(&name)
        .ok_or_else(|| Failure::unknown("tenant", &name))?;
    let changed = merged(&current, fields)?;
    to_json(directory.change_tenant(&name, |tenant| *tenant = changed))
}

async fn register(State(control): State<Control>, Json(application): Json<Application>) -> Answer {
    to_json(control.cloud.directory.register(application))
}

async fn change_application(
    State(control): State<Control>,
    Path(client_id): Path<String>,
    Json(fields): Json<Value>,
) -> Answer {
    let directory = &control.cloud.directory;
    let current = directory
        .application(&client_id)
        .ok_or_else(|| Failure::unknown("application", &client_id))?;
    let changed = merged(&current, fields)?;
    to_json(directory.change_application(&client_id, |application| *application = changed))
}

async fn add_secret(
    State(control): State<Control>,
    Path(client_id): Path<String>,
    Json(secret): Json<ClientSecret>,
) -> Answer {
    let added = control.cloud.directory.add_secret(&client_id, secret);
    to_json(added.ok_or_else(|| Failure::unknown("application", &client_id))?)
}

#[derive(Deserialize)]
struct Upload {
    certificate: String,
}

async fn upload_certificate(
    State(control): State<Control>,
    Path(client_id): Path<String>,
    Json(upload): Json<Upload>,
) -> Answer {
    let pem = identity::pem_of(&upload.certificate);
    if !identity::is_certificate(&pem) {
        return Err(Failure::bad(
            "the certificate is neither PEM nor base64 of DER",
        ));
    }
    let changed = control
        .cloud
        .directory
        .change_application(&client_id, |application| application.certificates.push(pem));
    to_json(changed.ok_or_else(|| Failure::unknown("application", &client_id))?)
}

async fn add_user(State(control): State<Control>, Json(user): Json<User>) -> Answer {
    to_json(control.cloud.directory.add_user(user))
}

async fn change_user(
    State(control): State<Control>,
    Path(address): Path<String>,
    Json(fields): Json<Value>,
) -> Answer {
    let directory = &control.cloud.directory;
    let current = directory
        .user(&address)
        .ok_or_else(|| Failure::unknown("user", &address))?;
    let changed = merged(&current, fields)?;
    to_json(directory.change_user(&address, |user| *user = changed))
}

async fn revoke(State(control): State<Control>, Path(address): Path<String>) -> Answer {
    let revoked = control.cloud.directory.revoke_sessions(&address);
    to_json(revoked.ok_or_else(|| Failure::unknown("user", &address))?)
}

async fn grant(
    State(control): State<Control>,
    Json(permission): Json<MailboxPermission>,
) -> Answer {
    control.cloud.directory.grant(permission.clone());
    to_json(permission)
}

async fn add_service_principal(
    State(control): State<Control>,
    Json(service_principal): Json<ExchangeServicePrincipal>,
) -> Answer {
    control
        .cloud
        .directory
        .add_service_principal(service_principal.clone());
    to_json(service_principal)
}

async fn remove_service_principal(
    State(control): State<Control>,
    Path(app_id): Path<String>,
) -> Answer {
    control.cloud.directory.remove_service_principal(&app_id);
    done()
}

async fn assign_role(
    State(control): State<Control>,
    Json(assignment): Json<RoleAssignment>,
) -> Answer {
    control.cloud.directory.assign_role(assignment.clone());
    to_json(assignment)
}

async fn refuse_recipient(
    State(control): State<Control>,
    Json(refused): Json<RefusedAddress>,
) -> Answer {
    control.cloud.directory.refuse_recipient(refused.clone());
    to_json(refused)
}

async fn pending_faults(State(control): State<Control>) -> Answer {
    to_json(control.cloud.faults.pending())
}

async fn inject(State(control): State<Control>, Json(fault): Json<Fault>) -> Answer {
    control.cloud.faults.inject(fault).map_err(Failure::bad)?;
    done()
}

async fn clear_faults(State(control): State<Control>) -> Answer {
    control.cloud.faults.clear();
    done()
}

async fn catalogue() -> Json<Value> {
    Json(json!({
        "smtp": replies::ALL.iter().map(|reply| json!({"name": reply.name, "text": reply.text})).collect::<Vec<_>>(),
        "identity": aadsts::ALL.iter().map(|kind| json!({"name": kind.name(), "text": kind.text})).collect::<Vec<_>>(),
    }))
}

#[derive(Deserialize)]
struct Approval {
    user_code: String,
    user: String,
}

async fn approve(State(control): State<Control>, Json(approval): Json<Approval>) -> Answer {
    identity::device_code::approve(&control.cloud, &approval.user_code, &approval.user)
        .map_err(|refusal| Failure::bad(refusal.sentence()))?;
    done()
}

#[derive(Deserialize)]
struct Declining {
    user_code: String,
}

async fn decline(State(control): State<Control>, Json(declining): Json<Declining>) -> Answer {
    identity::device_code::decline(&control.cloud, &declining.user_code)
        .map_err(|refusal| Failure::bad(refusal.sentence()))?;
    done()
}

#[derive(Deserialize)]
struct Visit {
    url: String,
    user: String,
}

async fn authorize(State(control): State<Control>, Json(visit): Json<Visit>) -> Answer {
    let location = authorize_as(&control.cloud, &visit.url, &visit.user).map_err(Failure::bad)?;
    Ok(Json(json!({"location": location})))
}

/// Goes through the pages of an authorization request as a person who agrees.
pub(crate) fn authorize_as(cloud: &Cloud, url: &str, user: &str) -> Result<String, String> {
    let malformed = || format!("no authorization request: {url}");
    let (_, rest) = url.split_once("://").ok_or_else(malformed)?;
    let (path, query) = rest.split_once('?').ok_or_else(malformed)?;
    let (_, path) = path.split_once('/').ok_or_else(malformed)?;
    let (segment, endpoint) = path.split_once('/').ok_or_else(malformed)?;
    if endpoint != "oauth2/v2.0/authorize" {
        return Err(malformed());
    }
    identity::authorize_as(cloud, segment, query, user).map_err(|refusal| refusal.sentence())
}

async fn mails(State(control): State<Control>) -> Json<Value> {
    let mails = control.cloud.inbox.mails();
    let to_json = |stored: &Arc<StoredMail>| {
        let mail = &stored.mail;
        json!({
            "id": stored.id,
            "received_at_unix_ms": mail.received_at_unix_ms,
            "client_ehlo": mail.client_ehlo,
            "tls": mail.tls,
            "authenticated_as": mail.authenticated_as,
            "token": mail.token,
            "envelope_sender": mail.envelope_sender,
            "accepted_recipients": mail.accepted_recipients,
            "mail_parameters": mail.mail_parameters,
            "chunked": mail.chunked,
            "mime_base64": STANDARD.encode(&mail.mime),
        })
    };
    Json(mails.iter().map(to_json).collect())
}

async fn forget_mails(State(control): State<Control>) -> Answer {
    control.cloud.inbox.clear();
    done()
}

#[derive(Deserialize)]
struct Advance {
    seconds: u64,
}

async fn advance(State(control): State<Control>, Json(advance): Json<Advance>) -> Json<Value> {
    control
        .cloud
        .clock
        .advance(Duration::from_secs(advance.seconds));
    control.time()
}

/// The current value with the given fields changed.
fn merged<T: Serialize + DeserializeOwned>(current: &T, fields: Value) -> Result<T, Failure> {
    let mut value = serde_json::to_value(current).map_err(Failure::bad)?;
    let (Value::Object(known), Value::Object(fields)) = (&mut value, fields) else {
        return Err(Failure::bad("the body must be an object"));
    };
    known.extend(fields);
    serde_json::from_value(value).map_err(Failure::bad)
}

fn to_json(value: impl Serialize) -> Answer {
    serde_json::to_value(value).map(Json).map_err(Failure::bad)
}

fn done() -> Answer {
    Ok(Json(json!({})))
}
