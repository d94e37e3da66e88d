//! What an administrator does in the admin centres and in PowerShell, over HTTP.
//! Bodies are the types of [`crate::directory`]; every field has a default, unknown fields are refused.

use axum::extract::{Path, State};
use axum::routing::{delete, get, patch, post};
use axum::{Json, Router};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Answer, Control, Failure, done, to_json};
use crate::directory::{
    Application, ClientSecret, ExchangeServicePrincipal, FederatedCredential, MailboxPermission,
    RefusedAddress, RoleAssignment, Snapshot, Tenant, User,
};
use crate::identity;

pub(super) fn routes() -> Router<Control> {
    Router::new()
        .route("/sandbox/directory", get(snapshot))
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
        .route("/sandbox/federated-tokens", post(federated_token))
        .route("/sandbox/access-tokens", post(access_token))
}

async fn snapshot(State(control): State<Control>) -> Json<Snapshot> {
    Json(control.cloud.directory.snapshot())
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

async fn federated_token(
    State(control): State<Control>,
    Json(workload): Json<FederatedCredential>,
) -> Answer {
    to_json(json!({"token": identity::federated::mint(&control.cloud, &workload)}))
}

#[derive(Deserialize)]
struct Bearer {
    client_id: String,
}

async fn access_token(State(control): State<Control>, Json(bearer): Json<Bearer>) -> Answer {
    let token = identity::managed_identity::access_token(&control.cloud, &bearer.client_id);
    let token = token.ok_or_else(|| Failure::unknown("application", &bearer.client_id))?;
    to_json(json!({"token": token}))
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
