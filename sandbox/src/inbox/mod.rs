//! The mail that arrived in the sandbox, kept in memory, with a web page and a JSON API to look at it.
//! It shows mail and never sends, changes or stores any on disk.
//!
//! [`router`] serves the page at `/` and, for tests in any language, the API below. JSON is camelCase, ids are strings,
//! times are Unix milliseconds. A request that fails answers with a fitting status and `{"error": "what is wrong"}`.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /api/mails?search=&limit=&before=` | `{mails, matches, total, next}`: summaries, newest first. `search`: every word must occur in sender, recipients, subject or text, in any case. `limit`: 1 to 500, default 100. `before`: only mails older than this id; `next` is the `before` of the next page, or null |
//! | `GET /api/mails/wait?count=&timeout_ms=&search=` | waits until `count` mails (default 1) have arrived that match `search`, then `{mails, matches, total, next}` with the newest `count` of them. 408 after `timeout_ms` (default 10,000, at most 600,000) |
//! | `GET /api/mails/{id}` | everything: the summary, all headers, text, HTML, attachments, damage found, and `delivery` (envelope, verdicts per recipient, TLS, sign-in) |
//! | `GET /api/mails/{id}/source` | the bytes exactly as delivered |
//! | `GET /api/mails/{id}/text` | the plain text part in UTF-8; 404 if there is none |
//! | `GET /api/mails/{id}/html` | the HTML part, made inert; 404 if there is none |
//! | `GET /api/mails/{id}/attachments/{n}` | attachment `n`, counted from 0, always as a download |
//! | `GET /api/mails/{id}/inline/{content-id}` | the PNG, JPEG, GIF, WebP or BMP image with this Content-ID |
//! | `DELETE /api/mails/{id}` | 204; 404 if there is no such mail |
//! | `DELETE /api/mails` | 204; the inbox is empty |
//! | `GET /api/events` | server-sent events: `changed` with `{revision, total}`, at once and then after every change |
//!
//! Mail is hostile until proven otherwise, and so is every other page in the developer's browser:
//! - HTML is shown in sandboxed frames, under a policy that allows inline styles and `data:` images only,
//!   without elements that connect all the same; see `html.rs`.
//! - Attachments are downloads without a type a browser would show.
//! - Only requests to `127.0.0.1`, `localhost` or `[::1]` are answered, and the API answers no other site; see `guard.rs`.

mod api;
mod guard;
mod html;
mod mime;
mod page;
mod store;
mod view;

pub use store::{
    Inbox, MAX_BYTES, MAX_MAILS, NewMail, RecipientParameters, RefusedRecipient, StoredMail,
};

/// The web page at `/` and the JSON API under `/api/`.
///
/// Event streams stay open until their client leaves or the server's connections are dropped.
pub fn router(inbox: Inbox) -> axum::Router {
    guard::protect(page::routes().merge(api::routes(inbox)))
}
