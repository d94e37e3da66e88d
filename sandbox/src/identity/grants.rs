//! What has been granted and not yet used up: device codes, authorization codes, refresh tokens, revoked access tokens.
//! It stores and finds; whether a grant is still good is decided by the endpoint that redeems it.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use super::authority::Authority;
use super::interaction::Interaction;
use super::scope::ScopeRequest;
use crate::directory::User;
use crate::sync::lock;

/// All grants of one sandbox.
#[derive(Debug, Default)]
pub(crate) struct Grants {
    devices: Mutex<HashMap<String, DeviceAuthorization>>,
    codes: Mutex<HashMap<String, CodeGrant>>,
    refresh_tokens: Mutex<HashMap<String, Authorization>>,
    /// The place of the access tokens that came with a refresh token, by their `uti`.
    access_tokens: Mutex<HashMap<String, Place>>,
    /// The first number of each chain whose refresh token is not over.
    alive_from: Mutex<HashMap<String, u32>>,
    interactions: Mutex<HashMap<String, Interaction>>,
    revoked: Mutex<HashSet<String>>,
}

/// A person's agreement that an application may act for them.
#[derive(Clone, Debug)]
pub(crate) struct Authorization {
    pub(crate) client_id: String,
    /// Address of the person.
    pub(crate) user: String,
    /// The `tid` of the tokens.
    pub(crate) tenant_id: String,
    pub(crate) scope: ScopeRequest,
    pub(crate) flow: Flow,
    pub(crate) nonce: Option<String>,
    pub(crate) issued_at_unix_ms: i64,
    pub(crate) place: Place,
}

/// Where a token stands in the chain of renewals that began with one sign-in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// Empty before the first token.
    pub(crate) chain: String,
    pub(crate) number: u32,
}

/// How an authorization came about; it decides what the client must prove and how long it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    DeviceCode,
    /// A redirect URI of the platform "Mobile and desktop applications".
    NativeRedirect,
    /// A redirect URI of the platform "Web".
    WebRedirect,
    /// A redirect URI of the platform "Single-page application".
    SpaRedirect,
    /// User name and password.
    Password,
}

/// A device code and what has become of it.
#[derive(Clone, Debug)]
pub(crate) struct DeviceAuthorization {
    pub(crate) user_code: String,
    pub(crate) client_id: String,
    pub(crate) authority: Authority,
    pub(crate) scope: ScopeRequest,
    pub(crate) expires_at_unix_ms: i64,
    pub(crate) state: DeviceState,
}

/// What has become of a device code.
#[derive(Clone, Debug)]
pub(crate) enum DeviceState {
    Pending,
    Approved(Box<User>),
    Declined,
    Redeemed,
}

/// An authorization code.
#[derive(Clone, Debug)]
pub(crate) struct CodeGrant {
    pub(crate) authorization: Authorization,
    pub(crate) redirect_uri: String,
    pub(crate) challenge: Option<Challenge>,
    pub(crate) expires_at_unix_ms: i64,
    pub(crate) redeemed: bool,
}

/// A PKCE code challenge (RFC 7636).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    Plain(String),
    S256(String),
}

impl Grants {
    pub(crate) fn add_device(&self, device_code: &str, device: DeviceAuthorization) {
        lock(&self.devices).insert(device_code.to_owned(), device);
    }

    pub(crate) fn device(&self, device_code: &str) -> Option<DeviceAuthorization> {
        lock(&self.devices).get(device_code).cloned()
    }

    /// The device authorization a person means; case and dashes do not matter.
    pub(crate) fn device_by_user_code(&self, user_code: &str) -> Option<DeviceAuthorization> {
        let code = plain_code(user_code);
        lock(&self.devices)
            .values()
            .find(|device| device.user_code == code)
            .cloned()
    }

    /// The user codes that wait for a person.
    pub(crate) fn pending_user_codes(&self) -> Vec<String> {
        let devices = lock(&self.devices);
        let pending = devices
            .values()
            .filter(|device| matches!(device.state, DeviceState::Pending));
        pending.map(|device| device.user_code.clone()).collect()
    }

    /// Settles a pending device authorization; false if it is not pending.
    pub(crate) fn settle_device(&self, user_code: &str, state: DeviceState) -> bool {
        let code = plain_code(user_code);
        let mut devices = lock(&self.devices);
        let pending = devices.values_mut().find(|device| {
            device.user_code == code && matches!(device.state, DeviceState::Pending)
        });
        let Some(device) = pending else { return false };
        device.state = state;
        true
    }

    /// Takes the approval of a device code; only the first caller gets it.
    pub(crate) fn redeem_device(&self, device_code: &str) -> Option<User> {
        let mut devices = lock(&self.devices);
        let device = devices.get_mut(device_code)?;
        match std::mem::replace(&mut device.state, DeviceState::Redeemed) {
            DeviceState::Approved(user) => Some(*user),
            other => {
                device.state = other;
                None
            }
        }
    }

    pub(crate) fn add_code(&self, code: &str, grant: CodeGrant) {
        lock(&self.codes).insert(code.to_owned(), grant);
    }

    pub(crate) fn code(&self, code: &str) -> Option<CodeGrant> {
        lock(&self.codes).get(code).cloned()
    }

    /// Marks a code as used; false if it was used before.
    pub(crate) fn redeem_code(&self, code: &str) -> bool {
        let mut codes = lock(&self.codes);
        codes
            .get_mut(code)
            .is_some_and(|grant| !std::mem::replace(&mut grant.redeemed, true))
    }

    pub(crate) fn add_refresh_token(&self, token: &str, authorization: Authorization) {
        lock(&self.refresh_tokens).insert(token.to_owned(), authorization);
    }

    pub(crate) fn add_access_token(&self, uti: &str, place: Place) {
        lock(&self.access_tokens).insert(uti.to_owned(), place);
    }

    /// Something was used that came with this place: those before it are over.
    pub(crate) fn end_before(&self, place: &Place) {
        let mut alive_from = lock(&self.alive_from);
        let first = alive_from.entry(place.chain.clone()).or_default();
        *first = place.number.max(*first);
    }

    /// The same, for the access token with this `uti`.
    pub(crate) fn access_token_used(&self, uti: &str) {
        let place = lock(&self.access_tokens).get(uti).cloned();
        if let Some(place) = place {
            self.end_before(&place);
        }
    }

    pub(crate) fn is_over(&self, place: &Place) -> bool {
        let alive_from = lock(&self.alive_from).get(&place.chain).copied();
        alive_from.is_some_and(|first| place.number < first)
    }

    /// What a refresh token stands for.
    pub(crate) fn refresh_token(&self, token: &str) -> Option<Authorization> {
        lock(&self.refresh_tokens).get(token).cloned()
    }

    pub(super) fn keep_interaction(&self, id: &str, interaction: Interaction) {
        lock(&self.interactions).insert(id.to_owned(), interaction);
    }

    /// The visit with this id; it must be kept again to go on.
    pub(super) fn take_interaction(&self, id: &str) -> Option<Interaction> {
        lock(&self.interactions).remove(id)
    }

    /// Lets Exchange refuse the access token with this `uti`.
    pub(crate) fn revoke_access_token(&self, uti: &str) {
        lock(&self.revoked).insert(uti.to_owned());
    }

    pub(crate) fn is_revoked(&self, uti: &str) -> bool {
        lock(&self.revoked).contains(uti)
    }
}

fn plain_code(user_code: &str) -> String {
    user_code
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect::<String>()
        .to_ascii_uppercase()
}
