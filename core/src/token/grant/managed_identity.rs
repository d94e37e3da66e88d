//! The machine's own identity in Azure: a metadata service on the machine itself gives tokens to whoever runs there.
//! Which service it is, the environment says; each has its own version, header and names (Microsoft's managed identity
//! documentation). None of them is ever asked through a proxy.

use super::IdentityProvider;
use crate::diagnosis;
use crate::error::{Error, Result};
use crate::host::read_text;
use crate::model::{Account, ProblemKind, TokenOrigin};
use crate::secret::SecretText;
use crate::token::record::Tokens;
use http::{HeaderMap, Request, Response, StatusCode};
use oauth2::url::Url;
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A metadata service.
#[derive(Debug, PartialEq, Eq)]
enum Service {
    /// App Service, Functions, Container Apps.
    Platform { url: String, header: String },
    /// Azure Machine Learning, and older App Service.
    Legacy { url: String, secret: String },
    /// Azure Arc: proves that the caller may read a file of root's.
    Arc { url: String },
    /// Virtual machines and everything made of them (IMDS).
    Machine { url: String },
}

impl IdentityProvider {
    /// Obtains a token of the machine's identity. Errors: `Config`, `Consent`, `Throttled`, `Unavailable`.
    pub(crate) async fn by_managed_identity(&self, account: &Account) -> Result<Tokens> {
        let service = self.service()?;
        let request = || service.request(account);
        let mut response = self.ask(account, request()?).await?;
        if let (Service::Arc { .. }, StatusCode::UNAUTHORIZED) = (&service, response.status()) {
            let proof = arc_proof(response.headers()).await?;
            let mut request = request()?;
            // Exposed to be sent back to the service that asked for it.
            let header = format!("Basic {}", proof.expose()).parse();
            let header = header.map_err(|_| unusable("its challenge names no usable file"))?;
            request.headers_mut().insert("authorization", header);
            response = self.ask(account, request).await?;
        }
        self.read_answer(&response)
    }

    /// Tells the service by the environment, in the order of Microsoft's own libraries.
    fn service(&self) -> Result<Service> {
        let variable = |name: &str| self.environment.variable(name);
        if variable("IDENTITY_SERVER_THUMBPRINT").is_some() {
            return Err(unusable("Service Fabric's is not supported"));
        }
        Ok(
            match (variable("IDENTITY_ENDPOINT"), variable("IDENTITY_HEADER")) {
                (Some(url), Some(header)) => Service::Platform { url, header },
                (Some(url), None) if variable("IMDS_ENDPOINT").is_some() => Service::Arc { url },
                _ => match (variable("MSI_ENDPOINT"), variable("MSI_SECRET")) {
                    (Some(url), Some(secret)) => Service::Legacy { url, secret },
                    _ => Service::Machine {
                        url: variable("AZURE_POD_IDENTITY_AUTHORITY_HOST")
                            .unwrap_or_else(|| IMDS.to_owned()),
                    },
                },
            },
        )
    }

    async fn ask(&self, account: &Account, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>> {
        let exchange = self.exchange(account);
        let answered = exchange.send(SERVICE, request).await;
        answered.map_err(|error| unavailable("nothing answers").with_source(error))
    }

    fn read_answer(&self, response: &Response<Vec<u8>>) -> Result<Tokens> {
        let json: Value = serde_json::from_slice(response.body()).unwrap_or_default();
        if !response.status().is_success() {
            return Err(refusal(response.status(), &json));
        }
        let token = json.get("access_token").and_then(Value::as_str);
        let token = token.ok_or_else(|| unusable("its answer holds no access_token"))?;
        let lifetime = lifetime(&json, self.clock.now_unix_ms() / 1000);
        let lifetime = lifetime.ok_or_else(|| {
            unusable(
                "its answer says neither by expires_in nor by expires_on how long the token lives",
            )
        })?;
        let refresh_in = number(&json, "refresh_in").map(Duration::from_secs);
        Ok(Tokens {
            access_token: Arc::new(SecretText::new(token.to_owned())),
            refresh_token: None,
            origin: TokenOrigin::ManagedIdentity,
            granted_scopes: Vec::new(),
            lifetime: self.lifetime(lifetime, refresh_in)?,
        })
    }
}

impl Service {
    fn request(&self, account: &Account) -> Result<Request<Vec<u8>>> {
        let (url, version, header, value) = match self {
            Self::Platform { url, header } => (
                url.as_str(),
                "2019-08-01",
                "x-identity-header",
                header.as_str(),
            ),
            Self::Legacy { url, secret } => (url.as_str(), "2017-09-01", "secret", secret.as_str()),
            Self::Arc { url } => (url.as_str(), "2020-06-01", "metadata", "true"),
            Self::Machine { url } => (url.as_str(), "2018-02-01", "metadata", "true"),
        };
        let mut url =
            Url::parse(url).map_err(|_| unusable("its address in the environment is none"))?;
        if let Self::Machine { .. } = self {
            url.set_path(IMDS_PATH);
        }
        let client_id = match self {
            Self::Legacy { .. } => "clientid",
            _ => "client_id",
        };
        url.query_pairs_mut()
            .append_pair("api-version", version)
            .append_pair("resource", &resource(account)?);
        if !account.client_id.is_empty() {
            url.query_pairs_mut()
                .append_pair(client_id, &account.client_id);
        }
        let request = Request::get(url.as_str()).header(header, value);
        request
            .body(Vec::new())
            .map_err(|_| unusable("its address in the environment is none"))
    }
}

const IMDS: &str = "http://169.254.169.254";
const IMDS_PATH: &str = "/metadata/identity/oauth2/token";
const SERVICE: &str = "the managed identity service";

/// The service a token is for: the application's scope without its `/.default`.
fn resource(account: &Account) -> Result<String> {
    let scope = account.endpoints.scopes.first();
    let resource = scope.and_then(|scope| scope.strip_suffix("/.default"));
    resource.map(str::to_owned).ok_or_else(|| {
        diagnosis::problem(
            "scope-not-default",
            "the scope of a managed identity does not end in /.default",
        )
    })
}

/// What is left of the token's life: `expires_in`, else `expires_on`.
fn lifetime(json: &Value, now: i64) -> Option<Duration> {
    let left = |end: u64| end.saturating_sub(u64::try_from(now).unwrap_or_default());
    let seconds = number(json, "expires_in").or_else(|| number(json, "expires_on").map(left));
    seconds
        .filter(|seconds| *seconds > 0)
        .map(Duration::from_secs)
}

/// A member that these services give as a number or as digits.
fn number(json: &Value, name: &str) -> Option<u64> {
    match json.get(name)? {
        Value::String(digits) => digits.parse().ok(),
        value => value.as_u64(),
    }
}

/// The file that Azure Arc wants to be read, which only members of its group can. Path and size are checked, because
/// whoever listens on that port could name any file.
async fn arc_proof(headers: &HeaderMap) -> Result<SecretText> {
    let challenge = headers
        .get("www-authenticate")
        .and_then(|value| value.to_str().ok());
    let path = challenge.and_then(|challenge| challenge.strip_prefix("Basic realm="));
    let path = path.ok_or_else(|| unusable("its challenge names no file"))?;
    let file = Path::new(path);
    let is_expected = file.parent() == Some(Path::new(ARC_FOLDER))
        && file.extension().is_some_and(|extension| extension == "key");
    if !is_expected {
        return Err(unusable(
            "its challenge names a file in an unexpected place",
        ));
    }
    let proof = read_text(path, "the proof that Azure Arc asks for").await?;
    // Exposed to be measured.
    match proof.expose().len() <= ARC_PROOF_BYTES {
        true => Ok(proof),
        false => Err(unusable("its challenge names a file that is too long")),
    }
}

const ARC_FOLDER: &str = "/var/opt/azcmagent/tokens";
const ARC_PROOF_BYTES: usize = 4096;

fn refusal(status: StatusCode, json: &Value) -> Error {
    let field = |name: &str| json.get(name).and_then(Value::as_str).unwrap_or_default();
    let said = format!(
        "HTTP {} {} {}",
        status.as_u16(),
        field("error"),
        field("error_description")
    );
    let is_unknown = said.contains("Identity not found") || field("error") == "invalid_client";
    match status.as_u16() {
        404 | 410 | 429 | 500.. => unavailable(said.trim()),
        _ if is_unknown => diagnosis::problem("managed-identity-not-assigned", said.trim()),
        _ => unusable(said.trim()),
    }
}

fn unavailable(reason: &str) -> Error {
    let text = format!("no managed identity is to be had here, {reason}");
    diagnosis::problem("managed-identity-unavailable", text)
}

fn unusable(reason: &str) -> Error {
    Error::new(
        ProblemKind::Config,
        "managed-identity-refused",
        format!("the managed identity service gave no token: {reason}"),
        "compare the account's client id and scope with the identity assigned to this machine; without a client id the system-assigned identity is used",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_how_long_a_token_lives() {
        fn check(json: &str, expected: Option<u64>) {
            let lives = lifetime(&serde_json::from_str(json).unwrap(), 1000);
            assert_eq!(lives, expected.map(Duration::from_secs), "{json}");
        }
        check(r#"{"expires_in":"3599"}"#, Some(3599));
        check(r#"{"expires_in":60}"#, Some(60));
        check(r#"{"expires_on":"1300"}"#, Some(300));
        check(r#"{"expires_on":900}"#, None);
        check(r#"{"expires_in":"soon"}"#, None);
        check(r#"{"expires_in":-1}"#, None);
        check("{}", None);
    }

    #[tokio::test]
    async fn reads_no_file_but_those_of_azure_arc() {
        for challenge in [
            "Basic realm=/etc/shadow",
            "Basic realm=/var/opt/azcmagent/tokens/../../../../etc/x.key",
            "Basic realm=/var/opt/azcmagent/tokens/x.txt",
            "Bearer x",
            "",
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("www-authenticate", challenge.parse().unwrap());
            let error = arc_proof(&headers).await.unwrap_err();
            assert_eq!(error.code(), "managed-identity-refused", "{challenge}");
        }
    }
}
