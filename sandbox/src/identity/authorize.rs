//! The authorization endpoint: reads the request, and returns the person to the application with a code or an error.
//! What happens in between, on the pages, is in `interaction`.

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::uri::Uri;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::authority::{Authority, about};
use super::grants::{Authorization, Challenge, CodeGrant, Flow, Place};
use super::interaction::{self, Purpose};
use super::issue::client_info;
use super::pages;
use super::refusal::Refusal;
use super::request::{Caller, Form};
use super::scope::ScopeRequest;
use super::{Identity, struck};
use crate::catalogue::aadsts;
use crate::cloud::Cloud;
use crate::directory::{Application, Platform, RedirectUri, User};
use crate::faults::Phase;

/// `/{tenant}/oauth2/v2.0/authorize`, by GET or POST.
pub(super) async fn endpoint(
    State(identity): State<Identity>,
    Path(segment): Path<String>,
    method: Method,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Response {
    let caller = identity.caller(&headers);
    if let Some(answer) = struck(&identity.cloud, Phase::Authorize, &caller).await {
        return answer;
    }
    let form = match method {
        Method::POST => Form::parse(&body),
        _ => Form::parse(query.unwrap_or_default().as_bytes()),
    };
    match AuthorizeRequest::read(&identity.cloud, &segment, &form) {
        Ok(request) => interaction::begin(&identity.cloud, Purpose::Authorize(Box::new(request))),
        Err(Rejection::Page(refusal)) => pages::error(&refusal, &caller),
        Err(Rejection::Return(address, refusal)) => address.with_error(&refusal, &caller),
    }
}

/// What an application asks for; every part of it has been checked.
#[derive(Clone, Debug)]
pub(crate) struct AuthorizeRequest {
    pub(super) authority: Authority,
    pub(super) application: Application,
    pub(super) scope: ScopeRequest,
    pub(super) asks_for_consent: bool,
    pub(super) login_hint: String,
    return_address: ReturnAddress,
    flow: Flow,
    challenge: Option<Challenge>,
    nonce: Option<String>,
    client_info: bool,
}

/// Where and how the person is sent back.
#[derive(Clone, Debug)]
pub(crate) struct ReturnAddress {
    redirect_uri: String,
    response_mode: ResponseMode,
    state: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ResponseMode {
    Query,
    Fragment,
    FormPost,
}

/// How a request is refused.
pub(crate) enum Rejection {
    /// On a page: there is no address the person could be sent to.
    Page(Refusal),
    /// At the application's address.
    Return(ReturnAddress, Refusal),
}

impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        Self::Page(refusal)
    }
}

impl AuthorizeRequest {
    pub(crate) fn read(cloud: &Cloud, segment: &str, form: &Form) -> Result<Self, Rejection> {
        let authority = Authority::of_segment(cloud, segment)?;
        let application = authority.application(cloud, form.required("client_id")?)?;
        authority.admits_application(&application)?;
        let (redirect_uri, platform) = redirect_uri(&application, form)?;
        let return_address = ReturnAddress {
            redirect_uri,
            response_mode: ResponseMode::read(form)?,
            state: form.optional("state").map(str::to_owned),
        };
        let request = Self::read_further(
            authority,
            application,
            return_address.clone(),
            platform,
            form,
        );
        request.map_err(|refusal| Rejection::Return(return_address, refusal))
    }

    /// The part whose errors go to the application.
    fn read_further(
        authority: Authority,
        application: Application,
        return_address: ReturnAddress,
        platform: Platform,
        form: &Form,
    ) -> Result<Self, Refusal> {
        let response_type = form.required("response_type")?;
        if response_type != "code" {
            return Err(Refusal::from(&aadsts::RESPONSE_TYPE_NOT_ENABLED)
                .with("response_type", response_type));
        }
        if form.optional("prompt") == Some("none") {
            return Err(Refusal::from(&aadsts::LOGIN_REQUIRED));
        }
        let scope = ScopeRequest::delegated(
            form.required("scope")?,
            &application,
            &authority.display_name(),
        )?;
        Ok(Self {
            scope,
            challenge: challenge(form)?,
            asks_for_consent: form.optional("prompt") == Some("consent"),
            login_hint: form.optional("login_hint").unwrap_or_default().to_owned(),
            nonce: form.optional("nonce").map(str::to_owned),
            client_info: form.optional("client_info") == Some("1"),
            flow: match platform {
                Platform::Web => Flow::WebRedirect,
                Platform::PublicClient => Flow::NativeRedirect,
                Platform::Spa => Flow::SpaRedirect,
            },
            authority,
            application,
            return_address,
        })
    }

    pub(super) fn flow(&self) -> Flow {
        self.flow
    }

    /// The person agreed: issues a code.
    pub(super) fn accepted_by(
        self,
        cloud: &Cloud,
        user: &User,
    ) -> (ReturnAddress, Vec<(&'static str, String)>) {
        let code = format!("1.AX0A{}", cloud.random.base64url(450));
        cloud.secrets.note(&code);
        let tenant_id = self.authority.tenant_id_for(user);
        let mut fields = vec![("code", code.clone())];
        if self.client_info {
            fields.push(("client_info", client_info(user, &tenant_id)));
        }
        let now_unix_ms = cloud.clock.now_unix_ms();
        let authorization = Authorization {
            client_id: self.application.client_id,
            user: user.address.clone(),
            tenant_id,
            scope: self.scope,
            flow: self.flow,
            nonce: self.nonce,
            issued_at_unix_ms: now_unix_ms,
            place: Place::default(),
        };
        cloud.grants.add_code(
            &code,
            CodeGrant {
                authorization,
                redirect_uri: self.return_address.redirect_uri.clone(),
                challenge: self.challenge,
                expires_at_unix_ms: now_unix_ms + CODE_LIFETIME_MS,
                redeemed: false,
            },
        );
        (self.return_address, fields)
    }

    /// The person declined.
    pub(super) fn declined(self, caller: &Caller) -> Response {
        self.return_address
            .with_error(&Refusal::from(&aadsts::CONSENT_DECLINED), caller)
    }
}

impl ReturnAddress {
    /// Sends the person back with an error.
    fn with_error(&self, refusal: &Refusal, caller: &Caller) -> Response {
        let error_uri = format!("{}/error?code={}", caller.base_url, refusal.kind.code);
        self.with(vec![
            ("error", refusal.kind.error.to_owned()),
            ("error_description", refusal.description(caller)),
            ("error_uri", error_uri),
        ])
    }

    /// Sends the person back with these fields, and the state.
    pub(super) fn with(&self, fields: Vec<(&'static str, String)>) -> Response {
        if self.response_mode == ResponseMode::FormPost {
            return pages::form_post(&self.redirect_uri, &self.with_state(fields));
        }
        match HeaderValue::try_from(self.location(fields)) {
            Ok(location) => (StatusCode::FOUND, [(header::LOCATION, location)]).into_response(),
            Err(_) => StatusCode::BAD_REQUEST.into_response(),
        }
    }

    /// The address with the fields as query or fragment.
    pub(super) fn location(&self, fields: Vec<(&'static str, String)>) -> String {
        let encoded = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(self.with_state(fields))
            .finish();
        // A redirect URI without a path is answered with a slash.
        let has_path = self
            .redirect_uri
            .split("://")
            .nth(1)
            .is_some_and(|rest| rest.contains('/'));
        let slash = if has_path { "" } else { "/" };
        let separator = match self.response_mode {
            ResponseMode::Fragment => '#',
            _ if self.redirect_uri.contains('?') => '&',
            _ => '?',
        };
        format!("{}{slash}{separator}{encoded}", self.redirect_uri)
    }

    fn with_state(&self, mut fields: Vec<(&'static str, String)>) -> Vec<(&'static str, String)> {
        fields.extend(self.state.clone().map(|state| ("state", state)));
        fields
    }
}

impl ResponseMode {
    fn read(form: &Form) -> Result<Self, Refusal> {
        match form.optional("response_mode") {
            None | Some("query") => Ok(Self::Query),
            Some("fragment") => Ok(Self::Fragment),
            Some("form_post") => Ok(Self::FormPost),
            Some(other) => {
                Err(Refusal::from(&aadsts::UNSUPPORTED_RESPONSE_MODE).with("response_mode", other))
            }
        }
    }
}

/// The redirect URI of the request, if it is registered; without one, the only registered one.
fn redirect_uri(application: &Application, form: &Form) -> Result<(String, Platform), Refusal> {
    let Some(requested) = form.optional("redirect_uri") else {
        return match application.redirect_uris.first() {
            Some(registered) => Ok((registered.uri.clone(), registered.platform)),
            None => Err(Refusal::from(&aadsts::NO_REDIRECT_URI)),
        };
    };
    match application
        .redirect_uris
        .iter()
        .find(|registered| matches_redirect(registered, requested))
    {
        Some(registered) => Ok((requested.to_owned(), registered.platform)),
        None => {
            Err(about(application, &aadsts::REDIRECT_URI_MISMATCH).with("redirect_uri", requested))
        }
    }
}

/// Exactly the same, or the same loopback host and path with any port.
fn matches_redirect(registered: &RedirectUri, requested: &str) -> bool {
    if registered.uri == requested {
        return true;
    }
    let (Ok(registered), Ok(requested)) = (registered.uri.parse::<Uri>(), requested.parse::<Uri>())
    else {
        return false;
    };
    let is_loopback = matches!(registered.host(), Some("localhost" | "127.0.0.1"));
    is_loopback
        && registered.scheme_str() == requested.scheme_str()
        && registered.host() == requested.host()
        && registered.path() == requested.path()
        && registered.query() == requested.query()
}

/// RFC 7636, section 4.3.
fn challenge(form: &Form) -> Result<Option<Challenge>, Refusal> {
    let Some(challenge) = form.optional("code_challenge") else {
        return Ok(None);
    };
    if !(43..=128).contains(&challenge.len()) {
        return Err(Refusal::from(&aadsts::CHALLENGE_SIZE));
    }
    match form.optional("code_challenge_method") {
        Some("S256") => Ok(Some(Challenge::S256(challenge.to_owned()))),
        None | Some("plain") => Ok(Some(Challenge::Plain(challenge.to_owned()))),
        Some(_) => Err(Refusal::from(&aadsts::REQUEST_MALFORMED)),
    }
}

/// About ten minutes, says the documentation.
const CODE_LIFETIME_MS: i64 = 10 * 60 * 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_port_of_a_loopback_redirect_does_not_matter() {
        let check = |registered: &str, requested: &str, expected| {
            let registered = RedirectUri {
                platform: Platform::PublicClient,
                uri: registered.to_owned(),
            };
            assert_eq!(
                matches_redirect(&registered, requested),
                expected,
                "{} {requested}",
                registered.uri
            );
        };
        check("http://localhost", "http://localhost", true);
        check("http://localhost", "http://localhost:41234", true);
        check("http://localhost", "http://localhost:41234/", true);
        check("http://localhost", "http://localhost:41234/callback", false);
        check(
            "http://localhost/callback",
            "http://localhost:1/callback",
            true,
        );
        check(
            "http://localhost/callback",
            "http://localhost:1/Callback",
            false,
        );
        check("http://localhost", "http://127.0.0.1:41234", false);
        check("http://127.0.0.1", "http://127.0.0.1:41234", true);
        check("http://localhost", "https://localhost:41234", false);
        check("http://localhost", "http://localhost.evil.example", false);
        check(
            "https://app.example/return",
            "https://app.example:444/return",
            false,
        );
        check(
            "https://app.example/return",
            "https://app.example/return",
            true,
        );
        check(
            "https://app.example/return",
            "https://app.example/return?x=1",
            false,
        );
    }

    #[test]
    fn fields_go_where_the_response_mode_says() {
        let check = |redirect_uri: &str, response_mode, expected: &str| {
            let state = Some("a b".to_owned());
            let address = ReturnAddress {
                redirect_uri: redirect_uri.to_owned(),
                response_mode,
                state,
            };
            assert_eq!(address.location(vec![("code", "x/y".to_owned())]), expected);
        };
        check(
            "http://localhost:1",
            ResponseMode::Query,
            "http://localhost:1/?code=x%2Fy&state=a+b",
        );
        check(
            "http://localhost:1/r",
            ResponseMode::Query,
            "http://localhost:1/r?code=x%2Fy&state=a+b",
        );
        check(
            "https://a.example/r?q=1",
            ResponseMode::Query,
            "https://a.example/r?q=1&code=x%2Fy&state=a+b",
        );
        check(
            "https://a.example/r",
            ResponseMode::Fragment,
            "https://a.example/r#code=x%2Fy&state=a+b",
        );
    }
}
