//! The web page: static files, built into the program.
//! It has no logic of its own; the page's scripts live on the JSON API.

use axum::Router;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::routing::{MethodRouter, get};

/// The page and its files.
pub(super) fn routes() -> Router {
    Router::new()
        .route(
            "/",
            file("text/html; charset=utf-8", include_str!("page/index.html")),
        )
        .route(
            "/inbox.css",
            file("text/css; charset=utf-8", include_str!("page/inbox.css")),
        )
        .route("/inbox.js", file(JAVASCRIPT, include_str!("page/inbox.js")))
        .route("/list.js", file(JAVASCRIPT, include_str!("page/list.js")))
        .route("/mail.js", file(JAVASCRIPT, include_str!("page/mail.js")))
        .route(
            "/preview.js",
            file(JAVASCRIPT, include_str!("page/preview.js")),
        )
        .route("/dom.js", file(JAVASCRIPT, include_str!("page/dom.js")))
        .route(
            "/icon.svg",
            file("image/svg+xml", include_str!("page/icon.svg")),
        )
}

fn file(content_type: &'static str, content: &'static str) -> MethodRouter {
    get(async move || {
        (
            [
                (CONTENT_TYPE, content_type),
                (CONTENT_SECURITY_POLICY, POLICY),
            ],
            content,
        )
            .into_response()
    })
}

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// Everything comes from here and nothing is inline; frames may show nothing but the inbox's own answers, so a link in
/// a mail cannot lead its frame elsewhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
     frame-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";
