//! Clouds and routes as data, and validation of settings.
use crate::error::Result;
use crate::model::{Endpoints, NewAccount};
/// Stub until merge.
pub(crate) fn endpoints(account: &NewAccount) -> Result<Endpoints> {
    let e = &account.endpoints;
    Ok(Endpoints {
        token_url: e.token_url.clone().unwrap_or_default(),
        device_authorization_url: e.device_authorization_url.clone(),
        scopes: e.scopes.clone().unwrap_or_default(),
        audiences: e.audiences.clone().unwrap_or_default(),
        smtp_host: e.smtp_host.clone().unwrap_or_default(),
        smtp_port: e.smtp_port.unwrap_or(587),
        ca_pem: e.ca_pem.clone(),
    })
}
