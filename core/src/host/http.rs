//! HTTP as one function: a request in, a response out. Never follows redirects, and never reads without end.
//! Deadlines are the caller's: the future may be dropped.

use super::tls::TlsSettings;
use crate::error::{Error, Result};
use crate::model::ProblemKind;
use async_trait::async_trait;
use std::collections::HashMap;
use std::fmt::Debug;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

/// Where HTTP goes out. Implement it to use your own client, proxy or recording.
#[async_trait]
pub trait HttpClient: Send + Sync + Debug {
    /// Sends one request and reads the whole response, whatever its status. Errors: `Unavailable`, `Config`.
    ///
    /// Must not follow redirects: a token endpoint has none (RFC 6749), and credentials must not travel.
    /// Honours [`ExtraRoots`] in the request's extensions.
    async fn call(&self, request: ::http::Request<Vec<u8>>) -> Result<::http::Response<Vec<u8>>>;
}

/// Request extension: certificates to trust beside the system's, as PEM text.
#[derive(Clone, Debug)]
pub struct ExtraRoots(pub Arc<str>);

/// The default client: the system's proxy settings and root certificates, TLS 1.2 or 1.3.
#[derive(Debug, Default)]
pub struct SystemHttp {
    tls: TlsSettings,
    clients: Mutex<HashMap<ClientKey, reqwest::Client>>,
}

/// The extra roots a client trusts, and whether it goes past every proxy.
type ClientKey = (Option<Arc<str>>, bool);

/// Token endpoints answer with a few kilobytes; more than this is a fault or an attack.
pub const MAX_RESPONSE_BYTES: usize = 1024 * 1024;

#[async_trait]
impl HttpClient for SystemHttp {
    async fn call(&self, request: ::http::Request<Vec<u8>>) -> Result<::http::Response<Vec<u8>>> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        let roots = request.extensions().get::<ExtraRoots>();
        let client = self.client(roots.map(|roots| &roots.0), is_direct(&host))?;
        let request = reqwest::Request::try_from(request)
            .map_err(|error| invalid_request(&host).with_source(error))?;
        let response = client
            .execute(request)
            .await
            .map_err(|error| call_failed(&host, error))?;
        read_bounded(&host, response).await
    }
}

impl SystemHttp {
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
        }
        let client = builder
            .build()
            .map_err(|error| invalid_request("").with_source(error))?;
        known.insert(key, client.clone());
        Ok(client)
    }
}

/// Whether a URL's host names this machine itself, or its link (RFC 3927), where a cloud's metadata is served.
fn is_direct(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let is_near = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback(),
    };
    host.eq_ignore_ascii_case("localhost") || bare.parse().is_ok_and(is_near)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_which_hosts_no_proxy_can_reach() {
        fn check(host: &str, expected: bool) {
            assert_eq!(is_direct(host), expected, "{host}");
        }
        check("localhost", true);
        check("127.0.0.1", true);
        check("127.1.2.3", true);
        check("[::1]", true);
        check("169.254.169.254", true);
        check("169.255.0.1", false);
        check("login.example.test", false);
        check("localhost.example.test", false);
    }
}
