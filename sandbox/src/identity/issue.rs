//! Makes tokens and the token endpoint's successful answer.
//! Claims follow the version 1 layout seen in Exchange tokens; nothing here decides whether a token may be issued.

use serde_json::{Value, json};

use super::client::Proof;
use super::grants::{Authorization, Place};
use super::jwt::{self, set};
use super::request::Caller;
use super::scope::{ScopeRequest, permissions_on};
use crate::cloud::Cloud;
use crate::directory::{Application, User};
use crate::faults::TokenFlaw;

/// The answer for a person: access token, and refresh and id tokens as the scope asks for.
pub(crate) fn for_user(
    cloud: &Cloud,
    caller: &Caller,
    application: &Application,
    user: &User,
    authorization: &Authorization,
    options: AnswerOptions,
) -> Value {
    let lifetime = Lifetime::draw(cloud, options.flaw);
    let authorization = &next_in_chain(cloud, authorization);
    let scope = &authorization.scope;
    let mut claims = common_claims(
        cloud,
        application,
        scope,
        &authorization.tenant_id,
        options.proof,
        &lifetime,
    );
    set(
        &mut claims,
        json!({
            "amr": ["pwd"],
            "idtyp": "user",
            "name": user.display_name,
            "oid": user.object_id,
            "sub": subject(application, user),
            "scp": scope.scp(),
            "unique_name": user.address,
            "upn": user.address,
        }),
    );
    let uti = claims.get("uti").and_then(Value::as_str);
    cloud
        .grants
        .add_access_token(uti.unwrap_or_default(), authorization.place.clone());
    let mut answer = json!({
        "token_type": "Bearer",
        "scope": scope.granted(),
        "expires_in": lifetime.announced_seconds,
        "ext_expires_in": lifetime.announced_seconds,
        "access_token": access_token(cloud, claims, options.flaw),
    });
    if scope.offline_access && options.flaw != Some(TokenFlaw::NoRefreshToken) {
        set(
            &mut answer,
            json!({"refresh_token": refresh_token(cloud, authorization)}),
        );
    }
    if scope.openid {
        let id_token = id_token(cloud, caller, application, user, authorization);
        set(&mut answer, json!({"id_token": id_token}));
    }
    if options.client_info {
        set(
            &mut answer,
            json!({"client_info": client_info(user, &authorization.tenant_id)}),
        );
    }
    answer
}

/// The authorization with the place of the tokens that are issued for it now.
fn next_in_chain(cloud: &Cloud, authorization: &Authorization) -> Authorization {
    let place = &authorization.place;
    let next = match place.chain.is_empty() {
        true => Place {
            chain: cloud.random.base64url(16),
            number: 0,
        },
        false => Place {
            chain: place.chain.clone(),
            number: place.number + 1,
        },
    };
    Authorization {
        place: next,
        ..authorization.clone()
    }
}

/// The answer for an application on its own: an access token and nothing else.
pub(crate) fn for_application(
    cloud: &Cloud,
    application: &Application,
    tenant_id: &str,
    scope: &ScopeRequest,
    options: AnswerOptions,
) -> Value {
    let lifetime = Lifetime::draw(cloud, options.flaw);
    let mut claims = common_claims(
        cloud,
        application,
        scope,
        tenant_id,
        options.proof,
        &lifetime,
    );
    set(
        &mut claims,
        json!({
            "idp": format!("https://sts.windows.net/{tenant_id}/"),
            "idtyp": "app",
            "oid": application.service_principal_object_id,
            "sub": application.service_principal_object_id,
        }),
    );
    let roles = permissions_on(scope.resource, &application.application_permissions);
    if !roles.is_empty() {
        set(&mut claims, json!({"roles": roles}));
    }
    json!({
        "token_type": "Bearer",
        "expires_in": lifetime.announced_seconds,
        "ext_expires_in": lifetime.announced_seconds,
        "access_token": access_token(cloud, claims, options.flaw),
    })
}

/// `client_info`, by which MSAL tells accounts apart.
pub(crate) fn client_info(user: &User, tenant_id: &str) -> String {
    use base64::Engine;
    let info = json!({"uid": user.object_id, "utid": tenant_id});
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(info.to_string())
}

/// What else decides how an answer looks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AnswerOptions {
    /// How the client proved who it is.
    pub(crate) proof: Proof,
    /// The client asked for `client_info`.
    pub(crate) client_info: bool,
    /// A fault that was asked for.
    pub(crate) flaw: Option<TokenFlaw>,
}

struct Lifetime {
    issued_at: i64,
    expires_at: i64,
    announced_seconds: i64,
}

impl Lifetime {
    /// Random between 60 and 90 minutes, as the service draws it.
    fn draw(cloud: &Cloud, flaw: Option<TokenFlaw>) -> Self {
        let announced_seconds = match flaw {
            Some(TokenFlaw::FiveMinutes) => 5 * 60,
            Some(TokenFlaw::TwentyEightHours) => 28 * 3600,
            _ => cloud.random.number(60 * 60..=90 * 60) - 1,
        };
        let now = cloud.clock.now_unix_seconds();
        let issued_at = if flaw == Some(TokenFlaw::Expired) {
            now - announced_seconds - 60
        } else {
            now
        };
        Self {
            issued_at,
            expires_at: issued_at + announced_seconds,
            announced_seconds,
        }
    }
}

fn common_claims(
    cloud: &Cloud,
    application: &Application,
    scope: &ScopeRequest,
    tenant_id: &str,
    proof: Proof,
    lifetime: &Lifetime,
) -> Value {
    json!({
        "aud": scope.audience.as_deref().unwrap_or("https://graph.microsoft.com"),
        "iss": format!("https://sts.windows.net/{tenant_id}/"),
        "iat": lifetime.issued_at,
        "nbf": lifetime.issued_at,
        "exp": lifetime.expires_at,
        "app_displayname": application.display_name,
        "appid": application.client_id,
        "appidacr": match proof { Proof::None => "0", Proof::Secret => "1", Proof::Certificate => "2" },
        "tid": tenant_id,
        "uti": cloud.random.base64url(16),
        "ver": "1.0",
    })
}

fn access_token(cloud: &Cloud, mut claims: Value, flaw: Option<TokenFlaw>) -> String {
    if flaw == Some(TokenFlaw::WrongAudience) {
        set(&mut claims, json!({"aud": "https://graph.microsoft.com"}));
    }
    if flaw == Some(TokenFlaw::Revoked) {
        let uti = claims.get("uti").and_then(Value::as_str);
        cloud.grants.revoke_access_token(uti.unwrap_or_default());
    }
    let mut token = jwt::sign(&cloud.signing_key, &claims);
    if flaw == Some(TokenFlaw::WrongSignature) {
        let signed = token.rfind('.').map_or(0, |dot| dot + 1);
        token.truncate(signed);
        token += &cloud.random.base64url(256);
    }
    cloud.secrets.note(&token);
    token
}

fn refresh_token(cloud: &Cloud, authorization: &Authorization) -> String {
    let token = format!("1.AX0A{}", cloud.random.base64url(600));
    let issued_at_unix_ms = cloud.clock.now_unix_ms();
    cloud.secrets.note(&token);
    cloud.grants.add_refresh_token(
        &token,
        Authorization {
            issued_at_unix_ms,
            ..authorization.clone()
        },
    );
    token
}

fn id_token(
    cloud: &Cloud,
    caller: &Caller,
    application: &Application,
    user: &User,
    authorization: &Authorization,
) -> String {
    let now = cloud.clock.now_unix_seconds();
    let tenant_id = &authorization.tenant_id;
    let mut claims = json!({
        "aud": application.client_id,
        "iss": format!("{}/{tenant_id}/v2.0", caller.base_url),
        "iat": now,
        "nbf": now,
        "exp": now + 3600,
        "name": user.display_name,
        "oid": user.object_id,
        "preferred_username": user.address,
        "sub": subject(application, user),
        "tid": tenant_id,
        "uti": cloud.random.base64url(16),
        "ver": "2.0",
    });
    if let Some(nonce) = &authorization.nonce {
        set(&mut claims, json!({"nonce": nonce}));
    }
    let token = jwt::sign(&cloud.signing_key, &claims);
    cloud.secrets.note(&token);
    token
}

/// Pairwise: the same person has another subject at another application.
fn subject(application: &Application, user: &User) -> String {
    use base64::Engine;
    let pair = format!("{}{}", application.client_id, user.object_id);
    let digest = ring::digest::digest(&ring::digest::SHA256, pair.as_bytes());
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(digest)
}
