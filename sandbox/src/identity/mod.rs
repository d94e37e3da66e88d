//! Entra ID: the addresses under `https://login.microsoftonline.com` that a mail program talks to.
//! Every answer goes through the fault list first; the decisions are in one file per endpoint.

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};

use crate::catalogue::Aadsts;
use crate::cloud::Cloud;
use crate::faults::{Effect, HttpAnswer, Phase};
use crate::http::CutConnection;

mod authority;
mod authorize;
mod client;
pub(crate) mod device_code;
pub(crate) mod federated;
pub(crate) mod grants;
mod interaction;
mod issue;
pub(crate) mod jwt;
pub(crate) mod keys;
pub(crate) mod managed_identity;
mod metadata;
mod pages;
mod policy;
mod refusal;
mod request;
mod scope;
mod token;

pub(crate) use client::{is_certificate, pem_of};
pub(crate) use interaction::authorize_as;
use refusal::Refusal;
use request::Caller;
pub(crate) use request::Scheme;

/// What every handler gets.
#[derive(Clone, Debug)]
struct Identity {
    cloud: Arc<Cloud>,
    scheme: Scheme,
}

impl Identity {
    fn caller(&self, headers: &HeaderMap) -> Caller {
        Caller::new(&self.cloud, self.scheme, headers)
    }
}

/// All addresses of the identity server.
pub(crate) fn router(cloud: Arc<Cloud>, scheme: Scheme) -> Router {
    Router::new()
        .route(
            "/{tenant}/v2.0/.well-known/openid-configuration",
            get(metadata::openid_configuration),
        )
        .route(
            "/{tenant}/.well-known/openid-configuration",
            get(metadata::openid_configuration),
        )
        .route("/{tenant}/discovery/v2.0/keys", get(metadata::keys))
        .route("/{tenant}/discovery/keys", get(metadata::keys))
        .route("/common/discovery/instance", get(metadata::instance))
        .route(
            "/{tenant}/oauth2/v2.0/authorize",
            get(authorize::endpoint).post(authorize::endpoint),
        )
        .route("/login", post(interaction::login))
        .route("/consent", post(interaction::consent))
        .route(
            "/devicelogin",
            get(interaction::device_login).post(interaction::enter_code),
        )
        .route(
            "/metadata/identity/oauth2/token",
            get(managed_identity::endpoint),
        )
        .route("/error", get(metadata::error_page))
        .route(
            "/{tenant}/oauth2/v2.0/devicecode",
            any(device_code::endpoint),
        )
        .route("/{tenant}/oauth2/v2.0/token", any(token::endpoint))
        .layer(axum::middleware::map_response(uncached))
        .with_state(Identity { cloud, scheme })
}

/// Answers as a fault demands; `None` if the effect is none that replaces an answer. A stall ends when the HTTP server
/// sees the client go, and drops this.
async fn faulty_answer(effect: &Effect, caller: &Caller) -> Option<Response> {
    match effect {
        Effect::Named(name) => Aadsts::named(name).map(|kind| Refusal::from(kind).answer(caller)),
        Effect::Http(answer) => Some(literal(answer)),
        Effect::Cut => {
            let mut response = Response::default();
            response.extensions_mut().insert(CutConnection);
            Some(response)
        }
        Effect::Stall => std::future::pending().await,
        Effect::Reply(_) | Effect::Token(_) | Effect::DelayMs(_) => None,
    }
}

/// The answer of the first phase that has a fault with one.
async fn struck(cloud: &Cloud, phase: Phase, caller: &Caller) -> Option<Response> {
    let effect = cloud.faults.strike(phase).await?;
    faulty_answer(&effect, caller).await
}

pub(crate) fn literal(answer: &HttpAnswer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let html = [(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    )];
    let mut response = (status, html, answer.body.clone()).into_response();
    for (name, value) in &answer.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

async fn uncached(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("no-store, no-cache"),
    );
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        HeaderValue::from_static("*"),
    );
    response
}
