//! The instance metadata service (IMDS), by which a virtual machine gets tokens of its managed identity.
//! The real one listens on 169.254.169.254; clients are told the sandbox's address instead.

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use super::client::Proof;
use super::issue::{self, AnswerOptions};
use super::request::Form;
use super::scope::ScopeRequest;
use super::{Identity, struck};
use crate::cloud::Cloud;
use crate::faults::Phase;

/// `GET /metadata/identity/oauth2/token`
pub(super) async fn endpoint(
    State(identity): State<Identity>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let caller = identity.caller(&headers);
    if let Some(answer) = struck(&identity.cloud, Phase::ManagedIdentity, &caller).await {
        return answer;
    }
    let form = Form::parse(query.unwrap_or_default().as_bytes());
    let is_marked = headers
        .get("metadata")
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"true"));
    match answer(&identity.cloud, &form, is_marked) {
        Ok(answer) => caller.json(StatusCode::OK, &answer),
        Err((error, description)) => {
            let body = json!({"error": error, "error_description": description});
            caller.json(StatusCode::BAD_REQUEST, &body)
        }
    }
}

/// The answer; numbers are strings, as the real service writes them.
fn answer(cloud: &Cloud, form: &Form, is_marked: bool) -> Result<Value, (&'static str, String)> {
    if !is_marked {
        return Err((
            "bad_request_102",
            "Required metadata header not specified".to_owned(),
        ));
    }
    let resource = form.optional("resource").unwrap_or_default();
    let scope = ScopeRequest::application(&format!("{resource}/.default"), "the tenant")
        .map_err(|refusal| ("invalid_resource", refusal.sentence()))?;
    let identity = cloud.directory.managed_identity(form.optional("client_id"));
    let identity = identity.ok_or_else(|| ("invalid_request", "Identity not found".to_owned()))?;
    let options = AnswerOptions {
        proof: Proof::Certificate,
        client_info: false,
        flaw: None,
    };
    let issued = issue::for_application(cloud, &identity, &identity.tenant_id, &scope, options);
    let lifetime_seconds = issued
        .get("expires_in")
        .and_then(Value::as_i64)
        .unwrap_or_default();
    let now = cloud.clock.now_unix_seconds();
    Ok(json!({
        "access_token": issued.get("access_token"),
        "client_id": identity.client_id,
        "expires_in": lifetime_seconds.to_string(),
        "expires_on": (now + lifetime_seconds).to_string(),
        "ext_expires_in": lifetime_seconds.to_string(),
        "not_before": now.to_string(),
        "resource": resource,
        "token_type": "Bearer",
    }))
}

/// An access token of an application for Exchange Online, as if it had signed in itself; none if it does not exist.
pub(crate) fn access_token(cloud: &Cloud, client_id: &str) -> Option<Value> {
    let application = cloud.directory.application(client_id)?;
    let scope = format!("{EXCHANGE}/.default");
    let scope = ScopeRequest::application(&scope, "the tenant").ok()?;
    let options = AnswerOptions {
        proof: Proof::Secret,
        client_info: false,
        flaw: None,
    };
    let tenant_id = &application.tenant_id;
    let issued = issue::for_application(cloud, &application, tenant_id, &scope, options);
    issued.get("access_token").cloned()
}

const EXCHANGE: &str = "https://outlook.office365.com";
