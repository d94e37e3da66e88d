//! What a person does on the sign-in pages, over HTTP: enters a device code, agrees, declines.
//! The pages themselves are served by the identity server.

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;

use super::{Answer, Control, Failure, done};
use crate::cloud::Cloud;
use crate::identity;

pub(super) fn routes() -> Router<Control> {
    Router::new()
        .route("/sandbox/devices", get(pending))
        .route("/sandbox/devices/approve", post(approve))
        .route("/sandbox/devices/decline", post(decline))
        .route("/sandbox/authorize", post(authorize))
}

async fn pending(State(control): State<Control>) -> Json<Vec<String>> {
    Json(control.cloud.grants.pending_user_codes())
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
