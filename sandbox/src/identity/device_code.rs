//! The device authorization endpoint (RFC 8628), and what a person does with the code.
//! The page where they do it is in `pages`; polling is in `token`.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use super::authority::{Authority, about};
use super::grants::{DeviceAuthorization, DeviceState, Flow};
use super::policy::{self, Presence};
use super::refusal::Refusal;
use super::request::{Caller, Form};
use super::scope::ScopeRequest;
use super::{Identity, struck};
use crate::catalogue::aadsts;
use crate::cloud::Cloud;
use crate::faults::Phase;

/// `/{tenant}/oauth2/v2.0/devicecode`
pub(super) async fn endpoint(
    State(identity): State<Identity>,
    Path(segment): Path<String>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let caller = identity.caller(&headers);
    if let Some(answer) = struck(&identity.cloud, Phase::Devicecode, &caller).await {
        return answer;
    }
    match begin(
        &identity.cloud,
        &caller,
        &segment,
        &method,
        &Form::parse(&body),
    ) {
        Ok(answer) => caller.json(StatusCode::OK, &answer),
        Err(refusal) => refusal.answer(&caller),
    }
}

/// What the person does after entering the code and signing in: approve.
///
/// # Errors
/// As the page would refuse: unknown or expired code, unknown or blocked person, consent left to administrators.
pub(crate) fn approve(cloud: &Cloud, user_code: &str, address: &str) -> Result<(), Refusal> {
    let device = pending(cloud, user_code)?;
    let user = device.authority.user(cloud, address)?;
    policy::admit(
        &user,
        &device.scope,
        Flow::DeviceCode,
        Presence::Interactive,
    )?;
    let application = device.authority.application(cloud, &device.client_id)?;
    policy::may_consent(cloud, &user, &application, &device.scope)?;
    policy::remember_consent(cloud, &user, &application, &device.scope);
    match cloud
        .grants
        .settle_device(user_code, DeviceState::Approved(Box::new(user)))
    {
        true => Ok(()),
        false => Err(Refusal::from(&aadsts::ALREADY_AUTHORIZED)),
    }
}

/// The person declines.
///
/// # Errors
/// Unknown, expired or already settled code.
pub(crate) fn decline(cloud: &Cloud, user_code: &str) -> Result<(), Refusal> {
    pending(cloud, user_code)?;
    match cloud.grants.settle_device(user_code, DeviceState::Declined) {
        true => Ok(()),
        false => Err(Refusal::from(&aadsts::ALREADY_AUTHORIZED)),
    }
}

/// The authorization that waits under this code.
pub(crate) fn pending(cloud: &Cloud, user_code: &str) -> Result<DeviceAuthorization, Refusal> {
    let Some(device) = cloud.grants.device_by_user_code(user_code) else {
        return Err(Refusal::from(&aadsts::BAD_DEVICE_CODE));
    };
    if cloud.clock.now_unix_ms() >= device.expires_at_unix_ms {
        return Err(Refusal::from(&aadsts::USER_CODE_EXPIRED));
    }
    match device.state {
        DeviceState::Pending => Ok(device),
        DeviceState::Approved(_) | DeviceState::Declined | DeviceState::Redeemed => {
            Err(Refusal::from(&aadsts::ALREADY_AUTHORIZED))
        }
    }
}

fn begin(
    cloud: &Cloud,
    caller: &Caller,
    segment: &str,
    method: &Method,
    form: &Form,
) -> Result<Value, Refusal> {
    if method != Method::POST {
        return Err(Refusal::from(&aadsts::WRONG_VERB).with("method", method));
    }
    let authority = Authority::of_segment(cloud, segment)?;
    let application = authority.application(cloud, form.required("client_id")?)?;
    if matches!(authority, Authority::Common | Authority::Organizations)
        && !application.multi_tenant
    {
        return Err(about(&application, &aadsts::NO_TENANT));
    }
    let scope = ScopeRequest::delegated(
        form.required("scope")?,
        &application,
        &authority.display_name(),
    )?;
    let device_code = format!("1.AX0A{}", cloud.random.base64url(150));
    let user_code = cloud.random.text(9, USER_CODE_ALPHABET);
    cloud.secrets.note(&device_code);
    cloud.grants.add_device(
        &device_code,
        DeviceAuthorization {
            user_code: user_code.clone(),
            client_id: application.client_id,
            authority,
            scope,
            expires_at_unix_ms: cloud.clock.now_unix_ms() + LIFETIME_SECONDS * 1000,
            state: DeviceState::Pending,
        },
    );
    let verification_uri = format!("{}/devicelogin", caller.base_url);
    Ok(json!({
        "user_code": user_code,
        "device_code": device_code,
        "verification_uri": verification_uri,
        "expires_in": LIFETIME_SECONDS,
        "interval": POLL_INTERVAL_SECONDS,
        "message": format!(
            "To sign in, use a web browser to open the page {verification_uri} \
             and enter the code {user_code} to authenticate."
        ),
    }))
}

/// Microsoft's figures for worldwide tenants.
const LIFETIME_SECONDS: i64 = 900;
const POLL_INTERVAL_SECONDS: i64 = 5;

/// Letters and digits that are not mistaken for each other.
const USER_CODE_ALPHABET: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
