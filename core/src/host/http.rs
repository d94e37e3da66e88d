//! HTTP as one function: a request in, a response out. Never follows redirects, and never reads without end.
//! Deadlines are the caller's: the future may be dropped.

use super::proxy::{Proxy, is_near, unsupported};
use super::tls::TlsSettings;
use crate::error::{Error, Result};
use crate::model::ProblemKind;
use async_trait::async_trait;
use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Where HTTP goes out. Implement it to use your own client, proxy or recording.
#[async_trait]
pub trait HttpClient: Send + Sync + Debug {
    /// Sends one request and reads the whole response, whatever its status. Errors: `Unavailable`, `Config`.
    ///
    /// Must not follow redirects: a token endpoint has none (RFC 6749), and credentials must not travel.
    /// Honours [`ExtraRoots`] in the request's extensions.
    async fn call(&self, request: ::http::Request<Vec<u8>>) -> Result<::http::Response<Vec<u8>>>;

    /// The same client with requests through a proxy. Errors: `Misuse`, unless implemented.
    fn through(&self, _proxy: &Proxy) -> Result<Arc<dyn HttpClient>> {
        Err(unsupported())
    }
}

/// Request extension: certificates to trust beside the system's, as PEM text.
#[derive(Clone, Debug)]
pub struct ExtraRoots(pub Arc<str>);

/// The default client: the system's proxy settings unless another proxy is given, its root certificates, TLS 1.2 or 1.3.
#[derive(Debug, Default)]
pub struct SystemHttp {
    tls: Arc<TlsSettings>,
    proxy: Option<Proxy>,
    clients: Mutex<HashMap<ClientKey, reqwest::Client>>,
}

/// The extra roots a client trusts, and whether it goes past every proxy.
type ClientKey = (Option<Arc<str>>, bool);

/// How long a proxy has for saying again why it refuses.
const ASK_AGAIN_LIMIT: Duration = Duration::from_secs(5);
/// Token endpoints answer with a few kilobytes; more than this is a fault or an attack.
pub const MAX_RESPONSE_BYTES: usize = 1024 * 1024;

#[async_trait]
impl HttpClient for SystemHttp {
    async fn call(&self, request: ::http::Request<Vec<u8>>) -> Result<::http::Response<Vec<u8>>> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        let port = request.uri().port_u16().unwrap_or(443);
        let roots = request.extensions().get::<ExtraRoots>();
        let client = self.client(roots.map(|roots| &roots.0), is_near(&host))?;
        let request = reqwest::Request::try_from(request)
            .map_err(|error| invalid_request(&host).with_source(error))?;
        let response = match client.execute(request).await {
            Ok(response) => response,
            Err(error) => return Err(self.failed(&host, port, error).await),
        };
        read_bounded(&host, response).await
    }

    fn through(&self, proxy: &Proxy) -> Result<Arc<dyn HttpClient>> {
        Ok(Arc::new(Self {
            tls: self.tls.clone(),
            proxy: Some(proxy.clone()),
            clients: Mutex::default(),
        }))
    }
}

impl SystemHttp {
    /// Tells why a call failed. reqwest has no types for what a proxy says, so it is asked again, for a connection alone.
    async fn failed(&self, host: &str, port: u16, error: reqwest::Error) -> Error {
        let proxy = self.proxy.as_ref().filter(|_| !is_near(host));
        if let Some(proxy) = proxy.filter(|_| error.is_connect())
            && let Err(refusal) = proxy.connect(host, port, ASK_AGAIN_LIMIT).await
        {
            return refusal;
        }
        call_failed(host, error)
    }

    fn client(&self, roots: Option<&Arc<str>>, direct: bool) -> Result<reqwest::Client> {
        let key = (roots.cloned(), direct);
        let mut known = self.clients.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(client) = known.get(&key) {
            return Ok(client.clone());
        }
        let tls = self.tls.trusting(roots)?;
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured((*tls).clone())
            .redirect(reqwest::redirect::Policy::none());
        if direct {
            // A proxy elsewhere would reach its own loopback address and its own machine's metadata, not ours.
            builder = builder.no_proxy();
        } else if let Some(proxy) = &self.proxy {
            // Exposed because this is where it goes to the proxy.
            let proxy = reqwest::Proxy::all(proxy.url().expose());
            builder = builder.proxy(proxy.map_err(|error| invalid_request("").with_source(error))?);
        }
        let client = builder
            .build()
            .map_err(|error| invalid_request("").with_source(error))?;
        known.insert(key, client.clone());
        Ok(client)
    }
}

async fn read_bounded(
    host: &str,
    mut response: reqwest::Response,
) -> Result<::http::Response<Vec<u8>>> {
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| call_failed(host, error))?
    {
        if body.len() + chunk.len() > MAX_RESPONSE_BYTES {
            return Err(endless(host));
        }
        body.extend_from_slice(&chunk);
    }
    let mut whole = ::http::Response::new(body);
    *whole.status_mut() = response.status();
    *whole.headers_mut() = response.headers().clone();
    Ok(whole)
}

fn invalid_request(host: &str) -> Error {
    Error::new(
        ProblemKind::Config,
        "http-request-invalid",
        format!("no HTTP request can be made to {host:?}"),
        "check the endpoint's URL",
    )
}

fn endless(host: &str) -> Error {
    Error::new(
        ProblemKind::Unavailable,
        "http-response-too-large",
        format!("{host} answered with more than {MAX_RESPONSE_BYTES} bytes"),
        "check the endpoint's URL: a token endpoint answers with a few kilobytes of JSON",
    )
}

/// Tells a failed call's likely cause. reqwest's own texts hold the URL, so they stay in the source.
fn call_failed(host: &str, error: reqwest::Error) -> Error {
    let (code, text, fix) = if error.is_connect() {
        connect_failure(host, &error)
    } else {
        (
            "http-broken",
            format!("the HTTP exchange with {host} broke off"),
            format!("try again; if it goes on, look for a proxy or firewall in front of {host}"),
        )
    };
    Error::new(ProblemKind::Unavailable, code, text, fix).with_source(error)
}

fn connect_failure(host: &str, error: &reqwest::Error) -> (&'static str, String, String) {
    let causes = causes_of(error);
    if causes.contains("failed to lookup address") || causes.contains("dns error") {
        return (
            "dns-failure",
            format!("the host name cannot be resolved: {host}"),
            "check the host name for typing errors, and that this machine's DNS works".to_owned(),
        );
    }
    if causes.contains("certificate") {
        return (
            "proxy-interference",
            format!("the certificate of {host} is not trusted here"),
            "if a proxy or virus scanner inspects TLS here, exclude this host or trust its root (ca_pem)"
                .to_owned(),
        );
    }
    (
        "network-blocked",
        format!("no connection to {host}"),
        format!("let outbound HTTPS (TCP port 443) to {host} through the firewall or proxy"),
    )
}

fn causes_of(error: &dyn std::error::Error) -> String {
    let mut texts = String::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        texts.push_str(&error.to_string());
        texts.push('\n');
        cause = error.source();
    }
    texts
}
