//! The token endpoint: one function per grant, each ending in an answer of `issue` or a refusal.
//! Whether the person may have a token now is asked of `policy`, who the client is of `client`.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use ring::digest::{SHA256, digest};
use serde_json::Value;

use super::authority::{Authority, about};
use super::client::{self, Proof};
use super::grants::{Authorization, Challenge, CodeGrant, DeviceState, Flow, Place};
use super::issue::{self, AnswerOptions};
use super::policy::{self, Presence};
use super::refusal::Refusal;
use super::request::{Caller, Form, basic_credentials};
use super::scope::ScopeRequest;
use super::{Identity, faulty_answer};
use crate::catalogue::aadsts;
use crate::clock::grant_timestamp;
use crate::cloud::Cloud;
use crate::directory::{Application, Rotation};
use crate::faults::{Effect, Phase, TokenFlaw};

/// `/{tenant}/oauth2/v2.0/token`
pub(super) async fn endpoint(
    State(identity): State<Identity>,
    Path(segment): Path<String>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let caller = identity.caller(&headers);
    let form = Form::parse(&body);
    let mut flaw = None;
    for phase in phases(&form) {
        match identity.cloud.faults.strike(phase).await {
            Some(Effect::Token(struck)) => flaw = Some(struck),
            Some(effect) => {
                if let Some(answer) = faulty_answer(&effect, &caller).await {
                    return answer;
                }
            }
            None => {}
        }
    }
    let basic = basic_credentials(&headers);
    let exchange = Exchange {
        cloud: &identity.cloud,
        caller: &caller,
        form: &form,
        basic,
        flaw,
    };
    match exchange.answer(&segment, &method) {
        Ok(answer) => caller.json(StatusCode::OK, &answer),
        Err(refusal) => refusal.answer(&caller),
    }
}

/// The phase of the grant, then the phase of the endpoint.
fn phases(form: &Form) -> impl Iterator<Item = Phase> {
    let of_grant = match form.optional("grant_type") {
        Some(DEVICE_CODE_GRANT | "device_code") => Some(Phase::TokenDeviceCode),
        Some("authorization_code") => Some(Phase::TokenAuthorizationCode),
        Some("refresh_token") => Some(Phase::TokenRefreshToken),
        Some("client_credentials") => Some(Phase::TokenClientCredentials),
        _ => None,
    };
    of_grant.into_iter().chain([Phase::Token])
}

/// One request to the token endpoint.
struct Exchange<'a> {
    cloud: &'a Cloud,
    caller: &'a Caller,
    form: &'a Form,
    basic: Option<(String, String)>,
    flaw: Option<TokenFlaw>,
}

impl Exchange<'_> {
    fn answer(&self, segment: &str, method: &Method) -> Result<Value, Refusal> {
        if method != Method::POST {
            return Err(Refusal::from(&aadsts::WRONG_VERB).with("method", method));
        }
        let authority = Authority::of_segment(self.cloud, segment)?;
        let grant_type = self.form.required("grant_type")?;
        let application = authority.application(self.cloud, self.client_id()?)?;
        if grant_type != "client_credentials" {
            authority.admits_application(&application)?;
        }
        match grant_type {
            "client_credentials" => self.client_credentials(&authority, &application),
            "authorization_code" => self.authorization_code(&authority, &application),
            "refresh_token" => self.refresh(&authority, &application),
            "password" => self.password(&authority, &application),
            DEVICE_CODE_GRANT | "device_code" => self.device_code(&application),
            other => Err(Refusal::from(&aadsts::UNSUPPORTED_GRANT_TYPE).with("grant_type", other)),
        }
    }

    fn client_credentials(
        &self,
        authority: &Authority,
        application: &Application,
    ) -> Result<Value, Refusal> {
        let tenant_id = match authority {
            Authority::Tenant(tenant) => &tenant.id,
            Authority::Organizations => &application.tenant_id,
            Authority::Common | Authority::Consumers => {
                return Err(Refusal::from(&aadsts::GRANT_NOT_AT_COMMON));
            }
        };
        let proof = self.authenticate(application)?;
        if proof == Proof::None {
            return Err(Refusal::from(&aadsts::CREDENTIAL_REQUIRED));
        }
        let scope =
            ScopeRequest::application(self.form.required("scope")?, &authority.display_name())?;
        Ok(issue::for_application(
            self.cloud,
            application,
            tenant_id,
            &scope,
            self.options(proof),
        ))
    }

    fn device_code(&self, application: &Application) -> Result<Value, Refusal> {
        let device_code = self.form.required("device_code")?;
        let proof = self.authenticate_for(application, Flow::DeviceCode)?;
        let device = self.cloud.grants.device(device_code);
        let Some(device) = device.filter(|device| device.client_id == application.client_id) else {
            return Err(Refusal::from(&aadsts::BAD_DEVICE_CODE));
        };
        if self.cloud.clock.now_unix_ms() >= device.expires_at_unix_ms {
            return Err(Refusal::from(&aadsts::DEVICE_CODE_EXPIRED));
        }
        match device.state {
            DeviceState::Pending => return Err(Refusal::from(&aadsts::AUTHORIZATION_PENDING)),
            DeviceState::Declined => return Err(Refusal::from(&aadsts::AUTHORIZATION_DECLINED)),
            DeviceState::Redeemed => return Err(Refusal::from(&aadsts::CODE_REDEEMED)),
            DeviceState::Approved(_) => {}
        }
        let Some(user) = self.cloud.grants.redeem_device(device_code) else {
            return Err(Refusal::from(&aadsts::CODE_REDEEMED));
        };
        let authorization = Authorization {
            client_id: device.client_id,
            tenant_id: device.authority.tenant_id_for(&user),
            user: user.address,
            scope: device.scope,
            flow: Flow::DeviceCode,
            nonce: None,
            issued_at_unix_ms: self.cloud.clock.now_unix_ms(),
            place: Place::default(),
        };
        self.issue(application, authorization, proof)
    }

    fn authorization_code(
        &self,
        authority: &Authority,
        application: &Application,
    ) -> Result<Value, Refusal> {
        let code = self.form.required("code")?;
        let grant = self
            .cloud
            .grants
            .code(code)
            .ok_or_else(|| Refusal::from(&aadsts::GRANT_MALFORMED))?;
        let proof = self.authenticate_for(application, grant.authorization.flow)?;
        self.check_code(&grant, authority, application)?;
        if !self.cloud.grants.redeem_code(code) {
            return Err(Refusal::from(&aadsts::CODE_REDEEMED));
        }
        let authorization = self.with_requested_scope(grant.authorization, application)?;
        self.issue(application, authorization, proof)
    }

    fn check_code(
        &self,
        grant: &CodeGrant,
        authority: &Authority,
        application: &Application,
    ) -> Result<(), Refusal> {
        if grant.authorization.client_id != application.client_id {
            return Err(Refusal::from(&aadsts::CODE_OF_OTHER_CLIENT));
        }
        if matches!(authority, Authority::Tenant(tenant) if tenant.id != grant.authorization.tenant_id)
        {
            return Err(Refusal::from(&aadsts::CODE_OF_OTHER_TENANT));
        }
        if grant.redeemed {
            return Err(Refusal::from(&aadsts::CODE_REDEEMED));
        }
        if self.cloud.clock.now_unix_ms() >= grant.expires_at_unix_ms {
            return Err(Refusal::from(&aadsts::CODE_EXPIRED));
        }
        if self.form.required("redirect_uri")? != grant.redirect_uri {
            return Err(Refusal::from(&aadsts::REDIRECT_URI_OF_CODE));
        }
        check_verifier(
            grant.challenge.as_ref(),
            self.form.optional("code_verifier"),
        )
    }

    fn refresh(&self, authority: &Authority, application: &Application) -> Result<Value, Refusal> {
        let token = self.form.required("refresh_token")?;
        self.cloud.secrets.note(token);
        let Some(authorization) = self.cloud.grants.refresh_token(token) else {
            // The service answers so to anything that is not a refresh token of its own making.
            let looks_genuine = token.starts_with("0.") || token.starts_with("1.");
            return Err(Refusal::from(if looks_genuine {
                &aadsts::INVALID_GRANT
            } else {
                &aadsts::GRANT_MALFORMED
            }));
        };
        let proof = self.authenticate_for(application, authorization.flow)?;
        if authorization.client_id != application.client_id {
            return Err(Refusal::from(&aadsts::INVALID_GRANT));
        }
        self.check_age(&authorization)?;
        if application.rotation != Rotation::LivesOn
            && self.cloud.grants.is_over(&authorization.place)
        {
            return Err(Refusal::from(&aadsts::INVALID_GRANT));
        }
        let user = authority.user(self.cloud, &authorization.user)?;
        policy::not_revoked(&user, &authorization)?;
        let mut used = authorization.place.clone();
        let authorization = self.with_requested_scope(authorization, application)?;
        let answer = self.issue(application, authorization, proof)?;
        if application.rotation == Rotation::EndsWhenUsed {
            used.number += 1;
        }
        self.cloud.grants.end_before(&used);
        Ok(answer)
    }

    fn check_age(&self, authorization: &Authorization) -> Result<(), Refusal> {
        let age_ms = self.cloud.clock.now_unix_ms() - authorization.issued_at_unix_ms;
        let (lifetime_ms, kind) = match authorization.flow {
            Flow::SpaRedirect => (DAY_MS, &aadsts::SPA_REFRESH_TOKEN_EXPIRED),
            _ => (90 * DAY_MS, &aadsts::REFRESH_TOKEN_IDLE),
        };
        if age_ms < lifetime_ms {
            return Ok(());
        }
        Err(Refusal::from(kind).with(
            "issued_at",
            grant_timestamp(authorization.issued_at_unix_ms),
        ))
    }

    fn password(&self, authority: &Authority, application: &Application) -> Result<Value, Refusal> {
        if matches!(authority, Authority::Common | Authority::Consumers) {
            return Err(Refusal::from(&aadsts::GRANT_NOT_AT_COMMON));
        }
        let proof = self.authenticate(application)?;
        if proof == Proof::None && !application.public_client {
            return Err(Refusal::from(&aadsts::CONFIDENTIAL_CLIENT_EXPECTED));
        }
        let password = self.form.required("password")?;
        self.cloud.secrets.note(password);
        let user = authority.user(self.cloud, self.form.required("username")?)?;
        if user.password.is_empty() || user.password != password {
            return Err(Refusal::from(&aadsts::WRONG_PASSWORD));
        }
        let authorization = Authorization {
            client_id: application.client_id.clone(),
            tenant_id: authority.tenant_id_for(&user),
            user: user.address,
            scope: ScopeRequest::delegated(
                self.form.required("scope")?,
                application,
                &authority.display_name(),
            )?,
            flow: Flow::Password,
            nonce: None,
            issued_at_unix_ms: self.cloud.clock.now_unix_ms(),
            place: Place::default(),
        };
        self.issue(application, authorization, proof)
    }

    /// The last checks common to all grants that act for a person, then the answer.
    fn issue(
        &self,
        application: &Application,
        authorization: Authorization,
        proof: Proof,
    ) -> Result<Value, Refusal> {
        // The address was found when the authorization was given; the account may be gone since.
        let Some(user) = self.cloud.directory.user(&authorization.user) else {
            return Err(Refusal::from(&aadsts::USER_NOT_FOUND).with("user", &authorization.user));
        };
        // Whoever has just signed in on a page has met a demand for MFA there.
        let presence = match self.form.optional("grant_type") {
            Some("refresh_token" | "password") => Presence::Silent,
            _ => Presence::Interactive,
        };
        policy::admit(&user, &authorization.scope, authorization.flow, presence)?;
        policy::consented(&user, application, &authorization.scope)?;
        let options = self.options(proof);
        Ok(issue::for_user(
            self.cloud,
            self.caller,
            application,
            &user,
            &authorization,
            options,
        ))
    }

    fn with_requested_scope(
        &self,
        authorization: Authorization,
        application: &Application,
    ) -> Result<Authorization, Refusal> {
        let Some(requested) = self.form.optional("scope") else {
            return Ok(authorization);
        };
        let mut scope = ScopeRequest::delegated(requested, application, "")?;
        if scope.audience.is_none() {
            // OpenID scopes alone: the permissions stay what they were.
            scope = ScopeRequest {
                openid: scope.openid,
                identity_scopes: scope.identity_scopes,
                ..authorization.scope
            };
        } else {
            scope.offline_access |= authorization.scope.offline_access;
        }
        Ok(Authorization {
            scope,
            ..authorization
        })
    }

    fn authenticate(&self, application: &Application) -> Result<Proof, Refusal> {
        let basic_secret = self.basic.as_ref().map(|(_, secret)| secret.as_str());
        client::authenticate(
            self.cloud,
            self.caller,
            application,
            self.form,
            basic_secret,
        )
    }

    /// For grants that act for a person the flow decides whether the client must, may or must not authenticate.
    fn authenticate_for(&self, application: &Application, flow: Flow) -> Result<Proof, Refusal> {
        let shows_credential = self.basic.is_some()
            || self.form.optional("client_secret").is_some()
            || self.form.optional("client_assertion").is_some();
        if shows_credential && flow == Flow::NativeRedirect {
            return Err(about(application, &aadsts::PUBLIC_CLIENT_WITH_CREDENTIAL));
        }
        let may_be_public = match flow {
            Flow::DeviceCode | Flow::Password => application.public_client,
            Flow::NativeRedirect | Flow::SpaRedirect => true,
            Flow::WebRedirect => false,
        };
        match self.authenticate(application)? {
            Proof::None if !may_be_public => {
                Err(Refusal::from(&aadsts::CONFIDENTIAL_CLIENT_EXPECTED))
            }
            proof => Ok(proof),
        }
    }

    fn client_id(&self) -> Result<&str, Refusal> {
        match (self.form.optional("client_id"), self.basic.as_ref()) {
            (Some(in_body), Some((in_header, _))) if in_body != in_header => {
                Err(Refusal::from(&aadsts::TWO_CLIENT_IDS))
            }
            (None, Some((in_header, _))) => Ok(in_header),
            _ => self.form.required("client_id"),
        }
    }

    fn options(&self, proof: Proof) -> AnswerOptions {
        let client_info = self.form.optional("client_info") == Some("1");
        AnswerOptions {
            proof,
            client_info,
            flaw: self.flaw,
        }
    }
}

/// RFC 7636, section 4.6.
fn check_verifier(challenge: Option<&Challenge>, verifier: Option<&str>) -> Result<(), Refusal> {
    let (challenge, verifier) = match (challenge, verifier) {
        (None, None) => return Ok(()),
        (Some(challenge), Some(verifier)) => (challenge, verifier),
        _ => return Err(Refusal::from(&aadsts::VERIFIER_MISSING)),
    };
    if !(43..=128).contains(&verifier.len()) {
        return Err(Refusal::from(&aadsts::VERIFIER_SIZE));
    }
    match challenge.is_met_by(verifier) {
        true => Ok(()),
        false => Err(Refusal::from(&aadsts::VERIFIER_MISMATCH)),
    }
}

impl Challenge {
    fn is_met_by(&self, verifier: &str) -> bool {
        use base64::Engine;
        match self {
            Self::Plain(challenge) => challenge == verifier,
            Self::S256(challenge) => {
                let digest = digest(&SHA256, verifier.as_bytes());
                base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(digest) == *challenge
            }
        }
    }
}

const DEVICE_CODE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
const DAY_MS: i64 = 24 * 3600 * 1000;
