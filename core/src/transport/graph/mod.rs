//! Microsoft Graph's `sendMail` as a road: the finished message in MIME form over HTTPS, or, above its limit, a draft whose
//! attachments are uploaded before it is sent.
//!
//! Graph has no envelope: it sends to whom the header fields name. `mime` therefore names hidden recipients in `Bcc`, which
//! Exchange takes out again, and refuses a mail whose header names more people than its envelope.
//! Only the request that sends can leave a mail undecided; what goes before it sends nothing.

mod mime;
mod request;

use self::mime::{File, Upload};
use self::request::{Call, Fate, Refused};
use super::folder::step;
use super::{Outcome, OutgoingMail, Transport, accepted_by, alike, not_tried};
use crate::body::Form;
use crate::error::{Error, Result};
use crate::host::{Clock, HttpClient};
use crate::model::{ProblemKind, Retry, SmtpReply, Trail, Verdict};
use crate::token::{AccessToken, TokenSource};
use async_trait::async_trait;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Sends as one mailbox through Graph.
#[derive(Debug)]
pub(crate) struct GraphTransport {
    /// The account whose token signs in.
    pub(crate) account: String,
    /// The mailbox that sends.
    pub(crate) mailbox: String,
    /// Graph's address, without a slash at its end.
    pub(crate) url: String,
    /// Certificates to trust beside the system's, as PEM text.
    pub(crate) extra_roots_pem: Option<Arc<str>>,
    /// How long one request may take.
    pub(crate) limit: Duration,
    /// The largest message that goes in one request, in octets.
    pub(crate) one_request_bytes: usize,
    pub(crate) http: Arc<dyn HttpClient>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) tokens: Arc<dyn TokenSource>,
}

#[async_trait]
impl Transport for GraphTransport {
    async fn deliver(&self, mail: OutgoingMail) -> Outcome {
        let mut attempt = Attempt {
            road: self,
            token: None,
            trail: Trail {
                server: self.url.clone(),
                size_bytes: mail.mime.size_bytes(Form::Base64),
                ..Trail::default()
            },
        };
        let recipients = mail.recipients.clone();
        let sent = attempt.send(&mail).await;
        let trail = attempt.trail;
        match sent {
            Ok(reply) => accepted_by(trail, &recipients, reply),
            Err(Refused { error, fate }) => {
                let error = match fate {
                    Fate::NothingSent => return not_tried(trail, &recipients, error),
                    Fate::MailRefused => error,
                    Fate::Undecided => undecided(&self.url, error),
                };
                Outcome {
                    trail,
                    recipients: alike(&recipients, verdict(fate, &error), &error),
                    end: Err(error),
                }
            }
        }
    }
}

fn verdict(fate: Fate, error: &Error) -> Verdict {
    match (fate, error.problem().retry) {
        (Fate::Undecided, _) => Verdict::Undecided,
        (_, Retry::Never) => Verdict::Refused,
        _ => Verdict::Deferred,
    }
}

/// One attempt to send one mail.
struct Attempt<'a> {
    road: &'a GraphTransport,
    token: Option<AccessToken>,
    trail: Trail,
}

impl Attempt<'_> {
    async fn send(&mut self, mail: &OutgoingMail) -> Result<SmtpReply, Refused> {
        let mime = mail.mime.read_whole().await;
        let mime = mime.and_then(|whole| mime::for_graph(mail, whole, &self.road.mailbox));
        let mime = mime.map_err(Refused::before)?;
        self.sign_in(None).await?;
        if mime.len() <= self.road.one_request_bytes {
            let user = self.user_url("sendMail");
            let response = self
                .signed("sendMail", Call::mime(user, &mime).sending())
                .await?;
            return Ok(accepted(response.status));
        }
        let upload = mime::split(&mime, self.road.one_request_bytes).map_err(Refused::before)?;
        self.send_in_parts(&upload).await
    }

    /// A draft, its attachments, and only then the request that sends.
    async fn send_in_parts(&mut self, upload: &Upload) -> Result<SmtpReply, Refused> {
        let draft = Call::mime(self.user_url("messages"), &upload.mime);
        let draft = self.signed("draft", draft).await?.json()?;
        let Some(id) = draft.get("id").and_then(Value::as_str) else {
            return Err(Refused::before(odd(
                &self.road.url,
                "a draft without an id",
            )));
        };
        let id = utf8_percent_encode(id, NON_ALPHANUMERIC).to_string();
        let sent = self.fill_and_send(&id, upload).await;
        if sent
            .as_ref()
            .is_err_and(|refused| refused.fate != Fate::Undecided)
        {
            // Nobody will send it any more. If it cannot be removed, it stays among the drafts, unsent.
            let url = self.user_url(&format!("messages/{id}"));
            let _ = self.signed("remove the draft", Call::delete(url)).await;
        }
        sent
    }

    async fn fill_and_send(&mut self, id: &str, upload: &Upload) -> Result<SmtpReply, Refused> {
        for file in &upload.files {
            match file.content.len() < SMALLEST_UPLOAD_BYTES {
                true => self.attach(id, file).await?,
                false => self.upload(id, file).await?,
            }
        }
        let url = self.user_url(&format!("messages/{id}/send"));
        let response = self
            .signed("send", Call::empty(Method::POST, url).sending())
            .await?;
        Ok(accepted(response.status))
    }

    async fn attach(&mut self, id: &str, file: &File) -> Result<(), Refused> {
        let url = self.user_url(&format!("messages/{id}/attachments"));
        let attachment = json!({
            "@odata.type": "#microsoft.graph.fileAttachment",
            "name": file.name,
            "contentType": file.content_type,
            "isInline": file.content_id.is_some(),
            "contentId": file.content_id,
            "contentBytes": BASE64_STANDARD.encode(&file.content),
        });
        self.signed("attach", Call::json(url, &attachment)).await?;
        Ok(())
    }

    async fn upload(&mut self, id: &str, file: &File) -> Result<(), Refused> {
        let url = self.user_url(&format!("messages/{id}/attachments/createUploadSession"));
        let item = json!({ "AttachmentItem": {
            "attachmentType": "file",
            "name": file.name,
            "size": file.content.len(),
            "contentType": file.content_type,
            "isInline": file.content_id.is_some(),
            "contentId": file.content_id,
        }});
        let session = self
            .signed("upload session", Call::json(url, &item))
            .await?;
        let session = session.json()?;
        let url = session.get("uploadUrl").and_then(Value::as_str);
        let url = url.unwrap_or_default();
        if !is_upload_url(url) {
            let error = odd(&self.road.url, "an upload session without a secure address");
            return Err(Refused::before(error));
        }
        let mut begin = 0;
        for range in file.content.chunks(RANGE_BYTES) {
            // Whoever knows this address may upload: a token has no business there.
            let call = Call::range(url.to_owned(), range, begin, file.content.len());
            self.timed("upload", call).await?;
            begin += range.len();
        }
        Ok(())
    }

    /// A request with the token; with a renewed one, should the first be refused: then nothing has been done yet.
    async fn signed(&mut self, name: &str, call: Call) -> Result<request::Answer, Refused> {
        let refused = match self.with_token(name, call.clone()).await {
            Err(refused) if refused.is_of_token() => refused,
            done => return done,
        };
        let old = self.token.clone();
        self.sign_in(old.as_ref()).await?;
        let is_new = match (&old, &self.token) {
            // Exposed to be compared; both are ours, so the time it takes tells nobody anything.
            (Some(old), Some(new)) => old.secret.expose() != new.secret.expose(),
            _ => true,
        };
        match is_new {
            true => self.with_token(name, call).await,
            false => Err(refused),
        }
    }

    async fn with_token(&mut self, name: &str, mut call: Call) -> Result<request::Answer, Refused> {
        call.token = self.token.as_ref().map(|token| token.secret.clone());
        self.timed(name, call).await
    }

    async fn timed(&mut self, name: &str, call: Call) -> Result<request::Answer, Refused> {
        let road = self.road;
        let started = road.clock.elapsed();
        let answer = call.perform(road).await;
        self.note(name, started);
        answer
    }

    async fn sign_in(&mut self, refused: Option<&AccessToken>) -> Result<(), Refused> {
        let road = self.road;
        let started = road.clock.elapsed();
        let token = road.tokens.access_token(&road.account, refused).await;
        self.note("token", started);
        let token = token.map_err(Refused::before)?;
        self.trail.token = Some(token.use_in_trail());
        self.token = Some(token);
        Ok(())
    }

    fn note(&mut self, name: &str, started: Duration) {
        let duration = self.road.clock.elapsed().saturating_sub(started);
        self.trail.steps.push(step(name, duration));
    }

    fn user_url(&self, leaf: &str) -> String {
        let mailbox = utf8_percent_encode(&self.road.mailbox, NON_ALPHANUMERIC);
        format!("{}/v1.0/users/{mailbox}/{leaf}", self.road.url)
    }
}

/// A secure address, or one of this machine itself.
fn is_upload_url(url: &str) -> bool {
    let Ok(uri) = url.parse::<http::Uri>() else {
        return false;
    };
    let is_here = matches!(uri.host(), Some("127.0.0.1" | "localhost" | "[::1]"));
    uri.scheme_str() == Some("https") || (is_here && uri.scheme_str() == Some("http"))
}

/// The verdict in the form of an SMTP reply; the code is HTTP's.
fn accepted(status: u16) -> SmtpReply {
    SmtpReply {
        code: status,
        enhanced_status: None,
        text: "accepted by Microsoft Graph".to_owned(),
    }
}

fn odd(host: &str, what: &str) -> Error {
    Error::new(
        ProblemKind::Unavailable,
        "graph-answer-odd",
        format!("{host} answered with {what}"),
        "check route.url: it must be Microsoft Graph's own address",
    )
}

/// The error for the gap between the request that sends and its answer, in which nobody can know.
fn undecided(host: &str, why: Error) -> Error {
    let error = Error::new(
        ProblemKind::Unavailable,
        "delivery-undecided",
        format!(
            "{host} got the whole message, but gave no verdict: it may have been delivered ({why})"
        ),
        "look into Sent Items or ask a recipient before sending it again: a repetition may arrive as a second copy",
    );
    let error = error.with_retry(Retry::Never).with_class(
        crate::model::ReplyClass::Undecided,
        crate::model::ReplyScope::Mail,
    );
    match why.problem().answer.clone() {
        Some(answer) => error.with_answer(answer),
        None => error,
    }
    .with_source(why)
}

/// Graph asks for multiples of 320 KiB, and takes less than 4 MB at a time.
const RANGE_BYTES: usize = 10 * 320 * 1024;
/// Smaller attachments are refused by an upload session; they go in one request.
const SMALLEST_UPLOAD_BYTES: usize = 3 * 1024 * 1024;

#[cfg(test)]
mod tests;
