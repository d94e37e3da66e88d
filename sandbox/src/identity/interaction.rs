//! A person in front of the pages: enters a device code, signs in, consents or declines.
//! The same pages serve the authorization endpoint and the device code flow; `policy` decides, `pages` draws.

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;

use super::authority::Authority;
use super::authorize::{AuthorizeRequest, Rejection};
use super::device_code;
use super::grants::{DeviceAuthorization, DeviceState, Flow};
use super::policy::{self, Presence};
use super::refusal::Refusal;
use super::request::{Caller, Form};
use super::scope::ScopeRequest;
use super::{Identity, pages};
use crate::catalogue::aadsts;
use crate::cloud::Cloud;
use crate::directory::{Application, User};

/// A visit to the pages that has not ended yet.
#[derive(Clone, Debug)]
pub(crate) struct Interaction {
    purpose: Purpose,
    /// Who has signed in.
    user: Option<User>,
}

/// What the visit is for.
#[derive(Clone, Debug)]
pub(super) enum Purpose {
    Authorize(Box<AuthorizeRequest>),
    Device(Box<DeviceAuthorization>),
}

/// Shows the sign-in page.
pub(super) fn begin(cloud: &Cloud, purpose: Purpose) -> Response {
    let hint = purpose.login_hint().to_owned();
    let id = cloud.random.base64url(24);
    cloud.grants.keep_interaction(
        &id,
        Interaction {
            purpose,
            user: None,
        },
    );
    pages::sign_in(&id, &hint, None)
}

/// `GET /devicelogin`; `?otc=` fills the code in.
pub(super) async fn device_login(RawQuery(query): RawQuery) -> Response {
    let form = Form::parse(query.unwrap_or_default().as_bytes());
    pages::enter_code(form.optional("otc").unwrap_or_default(), None)
}

/// `POST /devicelogin`: the code.
pub(super) async fn enter_code(State(identity): State<Identity>, body: Bytes) -> Response {
    let form = Form::parse(&body);
    let user_code = form.optional("otc").unwrap_or_default();
    match device_code::pending(&identity.cloud, user_code) {
        Ok(device) => begin(&identity.cloud, Purpose::Device(Box::new(device))),
        Err(refusal) => pages::enter_code(user_code, Some(&refusal)),
    }
}

/// `POST /login`: user name and password.
pub(super) async fn login(
    State(identity): State<Identity>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let caller = identity.caller(&headers);
    let form = Form::parse(&body);
    let cloud = &identity.cloud;
    let id = form.optional("interaction").unwrap_or_default();
    let Some(interaction) = cloud.grants.take_interaction(id) else {
        return pages::error(&Refusal::from(&aadsts::REQUEST_MALFORMED), &caller);
    };
    let user_name = form.optional("loginfmt").unwrap_or_default();
    let password = form.optional("passwd").unwrap_or_default();
    cloud.secrets.note(password);
    match interaction.purpose.signed_in(cloud, user_name, password) {
        Ok(user) => after_sign_in(cloud, &caller, id, interaction.purpose, user),
        Err(refusal) if refusal.is_about_the_credentials() => {
            cloud.grants.keep_interaction(id, interaction);
            pages::sign_in(id, user_name, Some(&refusal))
        }
        Err(refusal) => pages::error(&refusal, &caller),
    }
}

/// `POST /consent`: accept or decline.
pub(super) async fn consent(
    State(identity): State<Identity>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let caller = identity.caller(&headers);
    let form = Form::parse(&body);
    let cloud = &identity.cloud;
    let interaction = form
        .optional("interaction")
        .and_then(|id| cloud.grants.take_interaction(id));
    let Some(Interaction {
        purpose,
        user: Some(user),
    }) = interaction
    else {
        return pages::error(&Refusal::from(&aadsts::REQUEST_MALFORMED), &caller);
    };
    match form.optional("answer") {
        Some("accept") => accept(cloud, purpose, &user),
        _ => decline(cloud, &caller, purpose),
    }
}

/// Goes through the pages of an authorization request in one step, as a person who agrees, and returns where they end.
///
/// # Errors
/// What the page would say.
pub(crate) fn authorize_as(
    cloud: &Cloud,
    segment: &str,
    query: &str,
    address: &str,
) -> Result<String, Refusal> {
    let request = match AuthorizeRequest::read(cloud, segment, &Form::parse(query.as_bytes())) {
        Ok(request) => request,
        Err(Rejection::Page(refusal) | Rejection::Return(_, refusal)) => return Err(refusal),
    };
    let purpose = Purpose::Authorize(Box::new(request.clone()));
    let user = purpose.admitted(cloud, address)?;
    policy::may_consent(cloud, &user, &request.application, &request.scope)?;
    policy::remember_consent(cloud, &user, &request.application, &request.scope);
    let (address, fields) = request.accepted_by(cloud, &user);
    Ok(address.location(fields))
}

fn after_sign_in(
    cloud: &Cloud,
    caller: &Caller,
    id: &str,
    purpose: Purpose,
    user: User,
) -> Response {
    let Ok(application) = purpose.application(cloud) else {
        return pages::error(&Refusal::from(&aadsts::REQUEST_MALFORMED), caller);
    };
    if let Err(refusal) = policy::may_consent(cloud, &user, &application, purpose.scope()) {
        return pages::error(&refusal, caller);
    }
    let lacking = policy::lacking(&user, &application, purpose.scope());
    if lacking.is_empty() && !purpose.always_asks() {
        return accept(cloud, purpose, &user);
    }
    let page = pages::consent(id, &application, &user, &purpose.scope().permissions);
    cloud.grants.keep_interaction(
        id,
        Interaction {
            purpose,
            user: Some(user),
        },
    );
    page
}

fn accept(cloud: &Cloud, purpose: Purpose, user: &User) -> Response {
    if let Ok(application) = purpose.application(cloud) {
        policy::remember_consent(cloud, user, &application, purpose.scope());
    }
    match purpose {
        Purpose::Authorize(request) => {
            let (address, fields) = request.accepted_by(cloud, user);
            address.with(fields)
        }
        Purpose::Device(device) => {
            let approved = DeviceState::Approved(Box::new(user.clone()));
            match cloud.grants.settle_device(&device.user_code, approved) {
                true => pages::message("You have signed in", "You may now close this window."),
                false => pages::enter_code("", Some(&Refusal::from(&aadsts::ALREADY_AUTHORIZED))),
            }
        }
    }
}

fn decline(cloud: &Cloud, caller: &Caller, purpose: Purpose) -> Response {
    match purpose {
        Purpose::Authorize(request) => request.declined(caller),
        Purpose::Device(device) => {
            cloud
                .grants
                .settle_device(&device.user_code, DeviceState::Declined);
            pages::message(
                "You have declined",
                "The application was not given access. You may now close this window.",
            )
        }
    }
}

impl Purpose {
    /// The person, if the credentials are right and policy lets them in.
    fn signed_in(&self, cloud: &Cloud, address: &str, password: &str) -> Result<User, Refusal> {
        let user = self.authority().user(cloud, address)?;
        if user.password.is_empty() || user.password != password {
            return Err(Refusal::from(&aadsts::WRONG_PASSWORD));
        }
        self.admitted(cloud, address)
    }

    /// The person, if policy lets them in.
    fn admitted(&self, cloud: &Cloud, address: &str) -> Result<User, Refusal> {
        let user = self.authority().user(cloud, address)?;
        policy::admit(&user, self.scope(), self.flow(), Presence::Interactive)?;
        Ok(user)
    }

    fn authority(&self) -> &Authority {
        match self {
            Self::Authorize(request) => &request.authority,
            Self::Device(device) => &device.authority,
        }
    }

    fn scope(&self) -> &ScopeRequest {
        match self {
            Self::Authorize(request) => &request.scope,
            Self::Device(device) => &device.scope,
        }
    }

    fn flow(&self) -> Flow {
        match self {
            Self::Authorize(request) => request.flow(),
            Self::Device(_) => Flow::DeviceCode,
        }
    }

    fn application(&self, cloud: &Cloud) -> Result<Application, Refusal> {
        match self {
            Self::Authorize(request) => Ok(request.application.clone()),
            Self::Device(device) => device.authority.application(cloud, &device.client_id),
        }
    }

    fn login_hint(&self) -> &str {
        match self {
            Self::Authorize(request) => &request.login_hint,
            Self::Device(_) => "",
        }
    }

    /// A person with a device code is always asked: the code may have come from somebody else.
    fn always_asks(&self) -> bool {
        match self {
            Self::Authorize(request) => request.asks_for_consent,
            Self::Device(_) => true,
        }
    }
}

impl Refusal {
    /// Whether another attempt on the same page may help.
    fn is_about_the_credentials(&self) -> bool {
        [aadsts::USER_NOT_FOUND.code, aadsts::WRONG_PASSWORD.code].contains(&self.kind.code)
    }
}
