//! What clients read before they sign anybody in: OpenID configuration, signing keys, instance discovery.
//! All addresses in the answers begin with the one the client used.

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use super::authority::Authority;
use super::refusal::Refusal;
use super::request::{Caller, Form};
use super::{Identity, pages, struck};
use crate::catalogue::Aadsts;
use crate::faults::Phase;

/// `/{tenant}/v2.0/.well-known/openid-configuration`
pub(super) async fn openid_configuration(
    State(identity): State<Identity>,
    Path(segment): Path<String>,
    headers: HeaderMap,
) -> Response {
    let caller = identity.caller(&headers);
    if let Some(answer) = struck(&identity.cloud, Phase::Metadata, &caller).await {
        return answer;
    }
    match Authority::of_segment(&identity.cloud, &segment) {
        Ok(authority) => caller.json(
            StatusCode::OK,
            &configuration(&caller, &segment, &authority),
        ),
        Err(refusal) => refusal.answer(&caller),
    }
}

/// `/{tenant}/discovery/v2.0/keys`
pub(super) async fn keys(
    State(identity): State<Identity>,
    Path(segment): Path<String>,
    headers: HeaderMap,
) -> Response {
    let caller = identity.caller(&headers);
    if let Some(answer) = struck(&identity.cloud, Phase::Keys, &caller).await {
        return answer;
    }
    match Authority::of_segment(&identity.cloud, &segment) {
        Ok(authority) => {
            let keys = identity
                .cloud
                .signing_key
                .jwks(&issuer(&caller, &authority));
            caller.json(StatusCode::OK, &keys)
        }
        Err(refusal) => refusal.answer(&caller),
    }
}

/// `/common/discovery/instance`: every host the sandbox is reached by is a known authority.
pub(super) async fn instance(
    State(identity): State<Identity>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let caller = identity.caller(&headers);
    if let Some(answer) = struck(&identity.cloud, Phase::Metadata, &caller).await {
        return answer;
    }
    let form = Form::parse(query.unwrap_or_default().as_bytes());
    let endpoint = form.optional("authorization_endpoint").unwrap_or_default();
    let segment = endpoint.split('/').nth(3).unwrap_or("common");
    let host = caller
        .base_url
        .split_once("://")
        .map_or("", |(_, host)| host);
    let answer = json!({
        "tenant_discovery_endpoint":
            format!("{}/{segment}/v2.0/.well-known/openid-configuration", caller.base_url),
        "api-version": "1.1",
        "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
    });
    caller.json(StatusCode::OK, &answer)
}

/// `/error?code=`, which every error body refers to.
pub(super) async fn error_page(RawQuery(query): RawQuery) -> Response {
    let form = Form::parse(query.unwrap_or_default().as_bytes());
    let name = format!("AADSTS{}", form.optional("code").unwrap_or_default());
    let text = Aadsts::named(&name).map_or_else(
        || "No information about this error code.".to_owned(),
        |kind| Refusal::from(kind).sentence(),
    );
    pages::message(&name, &text)
}

fn configuration(caller: &Caller, segment: &str, authority: &Authority) -> Value {
    let base = format!("{}/{segment}", caller.base_url);
    json!({
        "token_endpoint": format!("{base}/oauth2/v2.0/token"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "jwks_uri": format!("{base}/discovery/v2.0/keys"),
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": issuer(caller, authority),
        "request_uri_parameter_supported": false,
        "authorization_endpoint": format!("{base}/oauth2/v2.0/authorize"),
        "device_authorization_endpoint": format!("{base}/oauth2/v2.0/devicecode"),
        "http_logout_supported": false,
        "claims_supported": ["sub", "iss", "aud", "exp", "iat", "nonce", "preferred_username", "name", "tid", "ver"],
        "tenant_region_scope": "EU",
    })
}

fn issuer(caller: &Caller, authority: &Authority) -> String {
    format!("{}/{}/v2.0", caller.base_url, authority.issuer_segment())
}
