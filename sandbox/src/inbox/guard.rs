//! Keeps other web sites in the developer's browser away from the inbox, and gives every answer its safety headers.
//! It does not protect against other programs on the same machine: the sandbox holds test mail, not secrets.

use axum::Router;
use axum::extract::Request;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_DNS_PREFETCH_CONTROL,
};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};

use super::api::ApiError;

/// Puts the guard in front of all routes.
pub(super) fn protect(routes: Router) -> Router {
    routes.layer(from_fn(guard))
}

async fn guard(request: Request, next: Next) -> Response {
    let response = match refusal(&request) {
        Some(refusal) => refusal.into_response(),
        None => next.run(request).await,
    };
    with_safety_headers(response)
}

fn refusal(request: &Request) -> Option<ApiError> {
    if !is_local_host(request.headers()) {
        // A page of another site whose name was rebound to 127.0.0.1 carries that name here.
        return Some(ApiError::new(
            StatusCode::FORBIDDEN,
            "the inbox answers to 127.0.0.1, localhost and [::1] only: the Host header names another machine",
        ));
    }
    let is_api = request.uri().path().starts_with("/api/");
    if is_api && comes_from_another_site(request.headers()) {
        return Some(ApiError::new(
            StatusCode::FORBIDDEN,
            "the inbox's API does not answer pages of other sites",
        ));
    }
    None
}

fn is_local_host(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return false;
    };
    host.to_str().is_ok_and(is_local_authority)
}

fn is_local_authority(authority: &str) -> bool {
    let port = ["127.0.0.1", "localhost", "[::1]"].iter().find_map(|name| {
        let starts_with_name = authority.get(..name.len())?.eq_ignore_ascii_case(name);
        starts_with_name
            .then(|| authority.get(name.len()..))
            .flatten()
    });
    match port {
        Some("") => true,
        Some(port) => port
            .strip_prefix(':')
            .is_some_and(|port| port.parse::<u16>().is_ok()),
        None => false,
    }
}

/// Browsers say so; other programs do not send the header.
fn comes_from_another_site(headers: &HeaderMap) -> bool {
    let site = headers
        .get("sec-fetch-site")
        .and_then(|site| site.to_str().ok());
    matches!(site, Some("cross-site" | "same-site"))
}

fn with_safety_headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in SAFETY_HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static(POLICY_OF_DATA));
    response
}

/// For everything that is not meant to be shown as a document.
const POLICY_OF_DATA: &str = "sandbox; default-src 'none'; frame-ancestors 'none'";

const SAFETY_HEADERS: [(HeaderName, &str); 5] = [
    (CACHE_CONTROL, "no-store"), // Ids begin anew when the sandbox is started again.
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (REFERRER_POLICY, "no-referrer"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_DNS_PREFETCH_CONTROL, "off"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_to_names_of_this_machine_only() {
        for authority in [
            "127.0.0.1",
            "127.0.0.1:8025",
            "localhost:1",
            "LocalHost",
            "[::1]",
            "[::1]:65535",
        ] {
            assert!(is_local_authority(authority), "{authority} is refused");
        }
        for authority in [
            "",
            "evil.test",
            "evil.test:8025",
            "localhost.evil.test",
            "127.0.0.1.evil.test:8025",
            "127.0.0.1:8025.evil.test",
            "127.0.0.1:",
            "127.0.0.1:99999",
            "127.0.0.1@evil.test",
            "::1",
            "0.0.0.0:8025",
            "127.0.0.2:8025",
            "lócalhost",
        ] {
            assert!(!is_local_authority(authority), "{authority} is answered");
        }
    }
}
