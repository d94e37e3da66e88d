//! The identity provider `oidc-provider`: started under Node, described for a client, and clicked through like a person
//! with a browser does. Its endpoints, errors and pages are its own, not Microsoft's.

use std::ffi::OsStr;
use std::path::Path;

use serde::Deserialize;

use super::Unavailable;
use super::requirements::OIDC_FOLDER;
use super::server_process::ServerProcess;

/// What a client and a mail server must know of the provider; the first line that `server.mjs` prints.
#[derive(Deserialize)]
pub(crate) struct Identity {
    pub(crate) issuer_url: String,
    pub(crate) token_url: String,
    pub(crate) authorization_url: String,
    pub(crate) device_authorization_url: String,
    /// Where a person enters the user code.
    verification_url: String,
    /// A client that proves itself by [`client_secret`](Self::client_secret) and may use `client_credentials`.
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
    /// A client that proves itself by an assertion signed with
    /// [`certificate_key_pem`](Self::certificate_key_pem) (RFC 7523) and may use `client_credentials`.
    pub(crate) certificate_client_id: String,
    pub(crate) certificate_key_pem: String,
    /// A client without a secret that may use the device code, the authorization code and refresh tokens.
    pub(crate) public_client_id: String,
    /// The scope without which the mail server takes no token. With `offline_access` a refresh token comes along.
    pub(crate) send_scope: String,
    /// A scope the provider also grants, but which does not let one send.
    pub(crate) read_scope: String,
    /// The `aud` of every access token, whether the client asks for it (`resource`) or not.
    pub(crate) audience: String,
    /// The mailbox every token is for.
    pub(crate) mailbox: String,
    pub(crate) key_id: String,
    pub(crate) public_key_pem: String,
}

/// Starts the provider on a free port.
pub(crate) async fn start() -> Result<(Identity, ServerProcess), Unavailable> {
    let script = Path::new(OIDC_FOLDER).join("server.mjs");
    let ready = |line: &str| serde_json::from_str(line).ok();
    let (process, identity) = ServerProcess::start(
        "oidc-provider",
        &[OsStr::new("node"), script.as_os_str()],
        ready,
    )
    .await?;
    Ok((identity, process))
}

impl Identity {
    /// Enters the code, signs the mailbox in and consents, one form after the other.
    pub(crate) async fn approve_device(&self, user_code: &str) {
        let browser = http_client();
        let code_page = page(browser.get(&self.verification_url)).await;
        let code = [
            ("xsrf", field(&code_page, "name=\"xsrf\" value=\"")),
            ("user_code", user_code),
            ("confirm", "yes"),
        ];
        let sign_in_page = page(browser.post(&self.verification_url).form(&code)).await;
        let last_page = self.sign_in_and_consent(&browser, &sign_in_page).await;
        assert!(last_page.contains("Sign-in Success"), "{last_page}");
    }

    /// Opens an authorization request, signs the mailbox in and consents; gives the page that the browser ends at.
    pub(crate) async fn approve_authorization(&self, url: &str) -> String {
        let browser = http_client();
        let sign_in_page = page(browser.get(url)).await;
        self.sign_in_and_consent(&browser, &sign_in_page).await
    }

    async fn sign_in_and_consent(&self, browser: &reqwest::Client, sign_in_page: &str) -> String {
        let person = [
            ("prompt", "login"),
            ("login", &self.mailbox),
            ("password", "any will do"),
        ];
        let consent_page = page(browser.post(field(sign_in_page, "action=\"")).form(&person)).await;
        let consent = [("prompt", "consent")];
        page(
            browser
                .post(field(&consent_page, "action=\""))
                .form(&consent),
        )
        .await
    }
}

/// A client with cookies that asks no proxy, for talking to the provider.
pub(crate) fn http_client() -> reqwest::Client {
    // reqwest wants a TLS provider even for plain HTTP. It may have been installed by another test.
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::builder()
        .cookie_store(true)
        .no_proxy()
        .build()
        .unwrap()
}

async fn page(request: reqwest::RequestBuilder) -> String {
    request
        .send()
        .await
        .unwrap()
        .error_for_status()
        .unwrap()
        .text()
        .await
        .unwrap()
}

/// What stands in the page after `before`, up to the closing quotation mark.
fn field<'a>(page: &'a str, before: &str) -> &'a str {
    page.split_once(before)
        .and_then(|(_, rest)| rest.split_once('"'))
        .unwrap_or_else(|| panic!("{page}"))
        .0
}
