//! The JSON API of the inbox, as the module's documentation lists it.
//! Handlers turn a request into plain values, ask the store, and turn the answer into JSON; nothing is decided here.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use futures_util::Stream;
use futures_util::stream::unfold;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::html;
use super::mime::Entity;
use super::store::{Inbox, MAX_MAILS, StoredMail};
use super::view::{Detail, Search, Summary};

/// The routes under `/api/`, and a JSON 404 and 405 for everything else.
pub(super) fn routes(inbox: Inbox) -> Router {
    Router::new()
        .route("/api/mails", get(list).delete(clear))
        .route("/api/mails/wait", get(wait))
        .route("/api/mails/{id}", get(detail).delete(delete))
        .route("/api/mails/{id}/source", get(source))
        .route("/api/mails/{id}/text", get(text))
        .route("/api/mails/{id}/html", get(html))
        .route("/api/mails/{id}/attachments/{index}", get(attachment))
        .route("/api/mails/{id}/inline/{content_id}", get(inline_image))
        .route("/api/events", get(events))
        .fallback(async || ApiError::not_found("there is nothing at this path"))
        .method_not_allowed_fallback(async || {
            ApiError::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "this path does not take this method",
            )
        })
        .with_state(inbox)
}

/// Why a request was not answered, told as `{"error": "..."}`.
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    text: String,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self {
            status,
            text: text.into(),
        }
    }

    fn not_found(text: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, text)
    }

    fn bad_request(text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, text)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(serde_json::json!({ "error": self.text }))).into_response()
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        Self::bad_request(rejection.body_text())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    #[serde(default)]
    search: String,
    limit: Option<usize>,
    before: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WaitQuery {
    count: Option<usize>,
    timeout_ms: Option<u64>,
    #[serde(default)]
    search: String,
}

#[derive(Serialize)]
struct Listing {
    mails: Vec<Summary>,
    /// How many mails match the search, on all pages.
    matches: usize,
    /// How many mails there are.
    total: usize,
    next: Option<String>,
}

async fn list(
    State(inbox): State<Inbox>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<Listing>, ApiError> {
    let Query(query) = query?;
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(ApiError::bad_request(format!(
            "limit must be 1 to {MAX_LIMIT}: {limit}"
        )));
    }
    let search = Search::new(&query.search);
    blocking(move || {
        let mut mails = inbox.mails();
        let total = mails.len();
        mails.retain(|mail| search.matches(mail));
        Listing::newest(&mails, limit, query.before.unwrap_or(u64::MAX), total)
    })
    .await
    .map(Json)
}

async fn wait(
    State(inbox): State<Inbox>,
    query: Result<Query<WaitQuery>, QueryRejection>,
) -> Result<Json<Listing>, ApiError> {
    let Query(query) = query?;
    let count = query.count.unwrap_or(1);
    let timeout_ms = query.timeout_ms.unwrap_or(DEFAULT_WAIT_MS);
    if !(1..=MAX_MAILS).contains(&count) {
        return Err(ApiError::bad_request(format!(
            "count must be 1 to {MAX_MAILS}: {count}"
        )));
    }
    if timeout_ms > MAX_WAIT_MS {
        return Err(ApiError::bad_request(format!(
            "timeout_ms must be at most {MAX_WAIT_MS}: {timeout_ms}"
        )));
    }
    let search = Search::new(&query.search);
    let arrived = inbox.wait_for_matching(count, |mail| search.matches(mail));
    match timeout(Duration::from_millis(timeout_ms), arrived).await {
        Ok(mails) => blocking(move || Listing::newest(&mails, count, u64::MAX, inbox.len()))
            .await
            .map(Json),
        Err(_) => Err(too_few(&inbox, &search, count, timeout_ms)),
    }
}

fn too_few(inbox: &Inbox, search: &Search, count: usize, timeout_ms: u64) -> ApiError {
    let arrived = inbox
        .mails()
        .iter()
        .filter(|mail| search.matches(mail))
        .count();
    ApiError::new(
        StatusCode::REQUEST_TIMEOUT,
        format!("{arrived} of {count} mails have arrived within {timeout_ms} ms"),
    )
}

async fn detail(
    State(inbox): State<Inbox>,
    Path(id): Path<String>,
) -> Result<Json<Detail>, ApiError> {
    let mail = find(&inbox, &id)?;
    blocking(move || Detail::of(&mail)).await.map(Json)
}

async fn delete(
    State(inbox): State<Inbox>,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    if inbox.delete(&id) {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(no_such_mail())
    }
}

async fn clear(State(inbox): State<Inbox>) -> StatusCode {
    inbox.clear();
    StatusCode::NO_CONTENT
}

async fn source(State(inbox): State<Inbox>, Path(id): Path<String>) -> Result<Response, ApiError> {
    let mail = find(&inbox, &id)?;
    // Some browsers show message/rfc822 as a page of its own, so it is a download.
    let headers = [
        (CONTENT_TYPE, "message/rfc822".to_owned()),
        (
            CONTENT_DISPOSITION,
            download(&format!("mail-{}.eml", mail.id)),
        ),
    ];
    Ok((headers, mail.mail.mime.clone()).into_response())
}

async fn text(State(inbox): State<Inbox>, Path(id): Path<String>) -> Result<Response, ApiError> {
    let mail = find(&inbox, &id)?;
    let text = blocking(move || Entity::parse(&mail.mail.mime).text()).await?;
    let text = text.ok_or_else(|| ApiError::not_found("this mail has no plain text part"))?;
    Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}

async fn html(State(inbox): State<Inbox>, Path(id): Path<String>) -> Result<Response, ApiError> {
    let mail = find(&inbox, &id)?;
    let document = blocking(move || html::inert_document(&Entity::parse(&mail.mail.mime))).await?;
    let document = document.ok_or_else(|| ApiError::not_found("this mail has no HTML part"))?;
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, html::POLICY),
    ];
    Ok((headers, document).into_response())
}

async fn attachment(
    State(inbox): State<Inbox>,
    Path((id, index)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let mail = find(&inbox, &id)?;
    let index: usize = index
        .parse()
        .map_err(|_| ApiError::bad_request("attachments are counted from 0"))?;
    let (file_name, content) = blocking(move || {
        let entity = Entity::parse(&mail.mail.mime);
        let leaf = entity.attachments().nth(index)?;
        Some((
            leaf.file_name.clone().unwrap_or_default(),
            leaf.content().into_owned(),
        ))
    })
    .await?
    .ok_or_else(|| ApiError::not_found("this mail has no such attachment"))?;
    let headers = [
        (CONTENT_TYPE, "application/octet-stream".to_owned()),
        (CONTENT_DISPOSITION, download(&file_name)),
    ];
    Ok((headers, content).into_response())
}

async fn inline_image(
    State(inbox): State<Inbox>,
    Path((id, content_id)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let mail = find(&inbox, &id)?;
    let content = blocking(move || {
        let entity = Entity::parse(&mail.mail.mime);
        entity
            .by_content_id(&content_id)
            .map(|leaf| leaf.content().into_owned())
    })
    .await?
    .ok_or_else(|| ApiError::not_found("this mail has no part with this Content-ID"))?;
    let kind = html::raster_type(&content).ok_or_else(|| {
        ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "this part is not a PNG, JPEG, GIF, WebP or BMP image",
        )
    })?;
    Ok(([(CONTENT_TYPE, kind)], content).into_response())
}

async fn events(State(inbox): State<Inbox>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let mut changes = inbox.changes();
    // The first event comes at once: what changed while nobody listened is told too.
    changes.mark_changed();
    let events = unfold(changes, async |mut changes| {
        changes.changed().await.ok()?;
        let change = *changes.borrow_and_update();
        let event = Event::default()
            .event("changed")
            .retry(RECONNECT_AFTER)
            .json_data(change)
            .ok()?;
        Some((Ok(event), changes))
    });
    Sse::new(events).keep_alive(KeepAlive::default())
}

impl Listing {
    /// The newest `limit` of these mails (oldest first) that are older than `before`.
    fn newest(mails: &[Arc<StoredMail>], limit: usize, before: u64, total: usize) -> Self {
        let mut older = mails
            .iter()
            .rev()
            .skip_while(|mail| mail.number() >= before);
        let page: Vec<Summary> = older
            .by_ref()
            .take(limit)
            .map(|mail| mail.digest().summary.clone())
            .collect();
        let next = older
            .next()
            .and_then(|_| page.last())
            .map(|last| last.id.clone());
        Self {
            mails: page,
            matches: mails.len(),
            total,
            next,
        }
    }
}

fn find(inbox: &Inbox, id: &str) -> Result<Arc<StoredMail>, ApiError> {
    inbox.mail(id).ok_or_else(no_such_mail)
}

fn no_such_mail() -> ApiError {
    ApiError::not_found("there is no mail with this id: it was deleted, or had to make room")
}

/// Content-Disposition (RFC 6266) for a download under the name the sender gave, without what a file system could
/// take for a path.
fn download(file_name: &str) -> String {
    let is_unfit =
        |character: char| character.is_control() || matches!(character, '/' | '\\' | ':');
    let fit = file_name.replace(is_unfit, "_");
    let name = if fit.trim_matches(['.', ' ']).is_empty() {
        "attachment"
    } else {
        fit.as_str()
    };
    format!(
        "attachment; filename*=UTF-8''{}",
        utf8_percent_encode(name, NON_ALPHANUMERIC)
    )
}

/// Reads mails away from the threads that serve connections: a large one takes a while.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ApiError> {
    let failed = |_| {
        ApiError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the mail could not be read",
        )
    };
    spawn_blocking(work).await.map_err(failed)
}

/// How soon a client comes back when its event stream breaks, as it does when the sandbox is restarted.
const RECONNECT_AFTER: Duration = Duration::from_secs(1);
const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 500;
const DEFAULT_WAIT_MS: u64 = 10_000;
/// Ten minutes: longer than any test should wait for a mail.
const MAX_WAIT_MS: u64 = 600_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offers_downloads_under_names_a_file_system_can_take() {
        check("report.pdf", "report%2Epdf");
        check("Größe.txt", "Gr%C3%B6%C3%9Fe%2Etxt");
        check("../../etc/passwd", "%2E%2E%5F%2E%2E%5Fetc%5Fpasswd");
        check("a\r\nSet-Cookie: x", "a%5F%5FSet%2DCookie%5F%20x");
        check("C:\\autoexec.bat", "C%5F%5Fautoexec%2Ebat");
        check("..", "attachment");
        check("", "attachment");
    }

    fn check(file_name: &str, expected: &str) {
        assert_eq!(
            download(file_name),
            format!("attachment; filename*=UTF-8''{expected}")
        );
    }
}
