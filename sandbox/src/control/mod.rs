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
//! | `PUT /sandbox/smtp-service` | `{"service"}`: what the port for submission plays from now on: `client-submission`, `mx`, `high-volume-email`, `azure-communication-services` or `standard` |
//! | `GET, POST, DELETE /sandbox/faults` | lists, injects a [`Fault`], clears |
//! | `GET /sandbox/catalogue` | the names faults can use |
//! | `GET /sandbox/devices` | user codes that wait for a person |
//! | `POST /sandbox/devices/approve` | `{"user_code", "user"}` |
//! | `POST /sandbox/devices/decline` | `{"user_code"}` |
//! | `POST /sandbox/authorize` | `{"url", "user"}`: goes through the pages of an authorization request as a person who agrees; answers `{"location"}` |
//! | `POST /sandbox/federated-tokens` | `{"issuer", "subject", "audience"}`: a workload's token of that issuer; answers `{"token"}` |
//! | `POST /sandbox/access-tokens` | `{"client_id"}`: an access token of that application for Exchange Online, as its own sign-in gives it; answers `{"token"}` |
//! | `GET, DELETE /sandbox/mails` | the received mails with envelope, claims and `mime_base64`, oldest first; `DELETE` forgets them as it gives them |
//! | `GET /sandbox/refusals` | why Exchange refused sign-ins, which it tells no client |
//! | `GET /sandbox/clock` | `{"now_unix_ms"}` |
//! | `POST /sandbox/clock/advance` | `{"seconds"}` |
//!
//! Errors are answered with status 400 or 404 and `{"error": text}`; a body of another shape with 415 or 422 and plain text.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::catalogue::{aadsts, replies};
use crate::cloud::Cloud;
use crate::directory::seed;
use crate::faults::Fault;
use crate::inbox::StoredMail;
use crate::smtp::SmtpService;
use crate::sync::lock;

mod administrator;
mod person;

pub(crate) use person::authorize_as;

#[derive(Clone, Debug)]
struct Control {
    cloud: Arc<Cloud>,
    ca_file: PathBuf,
}

pub(crate) fn router(cloud: Arc<Cloud>, ca_file: PathBuf) -> Router {
    Router::new()
        .route("/sandbox", get(overview))
        .route("/sandbox/ca.pem", get(ca_pem))
        .route("/sandbox/secrets", get(secrets))
        .route("/sandbox/refusals", get(refusals))
        .route(
            "/sandbox/faults",
            get(pending_faults).post(inject).delete(clear_faults),
        )
        .route("/sandbox/smtp-service", put(play))
        .route("/sandbox/catalogue", get(catalogue))
        .route("/sandbox/mails", get(mails).delete(take_mails))
        .route("/sandbox/clock", get(time))
        .route("/sandbox/clock/advance", post(advance))
        .merge(administrator::routes())
        .merge(person::routes())
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

async fn overview(State(control): State<Control>) -> Json<Value> {
    let addresses = control.cloud.addresses;
    Json(json!({
        "identity_url": addresses.identity_url(),
        "identity_https_url": addresses.identity_https_url(),
        "smtp_host": addresses.smtp.ip(),
        "smtp_port": addresses.smtp.port(),
        "mx_port": addresses.mx.port(),
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

async fn ca_pem(State(control): State<Control>) -> String {
    control.cloud.certificates.ca_pem.clone()
}

async fn secrets(State(control): State<Control>) -> Json<Vec<String>> {
    Json(control.cloud.secrets.all())
}

async fn refusals(State(control): State<Control>) -> Json<Vec<String>> {
    Json(control.cloud.refusals.all())
}

#[derive(Deserialize)]
struct Play {
    service: SmtpService,
}

async fn play(State(control): State<Control>, Json(play): Json<Play>) -> Answer {
    *lock(&control.cloud.smtp_service) = play.service;
    done()
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

async fn mails(State(control): State<Control>) -> Json<Value> {
    all(&control.cloud.inbox.mails())
}

/// Given as they are forgotten, so that whoever takes them misses none that arrives meanwhile.
async fn take_mails(State(control): State<Control>) -> Json<Value> {
    all(&control.cloud.inbox.take())
}

fn all(mails: &[Arc<StoredMail>]) -> Json<Value> {
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
            "recipient_parameters": mail.recipient_parameters,
            "chunked": mail.chunked,
            "mime_base64": STANDARD.encode(&mail.mime),
        })
    };
    Json(mails.iter().map(to_json).collect())
}

async fn time(State(control): State<Control>) -> Json<Value> {
    Json(json!({"now_unix_ms": control.cloud.clock.now_unix_ms()}))
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
    time(State(control)).await
}

fn to_json(value: impl Serialize) -> Answer {
    serde_json::to_value(value).map(Json).map_err(Failure::bad)
}

fn done() -> Answer {
    Ok(Json(json!({})))
}
