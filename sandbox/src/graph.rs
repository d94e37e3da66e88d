//! Microsoft Graph, as far as a mail program needs it: `sendMail` with a message in MIME form, and drafts whose attachments
//! are added or uploaded before they are sent. Accepted mail goes to the inbox.
//!
//! Whether SMTP AUTH is switched off does not matter here, as it does not at Microsoft.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, post, put};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mail_parser::{Address, Message, MessageParser};
use serde_json::{Value, json};

use crate::cloud::Cloud;
use crate::faults::{Effect, Phase};
use crate::http::CutConnection;
use crate::identity::literal;
use crate::inbox::NewMail;
use crate::smtp::access::{GraphDenial, Login};
use crate::sync::lock;

/// Messages that are not sent yet, and uploads to them.
#[derive(Debug, Default)]
pub(crate) struct Drafts {
    drafts: Mutex<HashMap<String, Draft>>,
    uploads: Mutex<HashMap<String, Upload>>,
}

#[derive(Clone, Debug)]
struct Draft {
    mime: Vec<u8>,
    /// Name and content of what was added.
    attachments: Vec<(String, Vec<u8>)>,
}

#[derive(Debug)]
struct Upload {
    draft: String,
    name: String,
    size: usize,
    content: Vec<u8>,
}

pub(crate) fn router(cloud: Arc<Cloud>) -> Router {
    Router::new()
        .route("/v1.0/users/{user}/sendMail", post(send_mail))
        .route("/v1.0/users/{user}/messages", post(draft))
        .route("/v1.0/users/{user}/messages/{id}", delete(remove))
        .route("/v1.0/users/{user}/messages/{id}/attachments", post(attach))
        .route(
            "/v1.0/users/{user}/messages/{id}/attachments/createUploadSession",
            post(begin_upload),
        )
        .route("/v1.0/users/{user}/messages/{id}/send", post(send))
        .route("/v1.0/uploads/{id}", put(upload))
        .layer(DefaultBodyLimit::max(MOST_REQUEST_BYTES))
        .with_state(cloud)
}

type Answer = Result<Response, Refused>;

/// An answer that is none to what was asked.
struct Refused(Box<Response>);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        *self.0
    }
}

async fn send_mail(
    State(cloud): State<Arc<Cloud>>,
    Path(user): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let login = signed_in(&cloud, &user, &headers).await?;
    let mime = mime_of(&body)?;
    deliver(&cloud, &login, mime).await
}

async fn draft(
    State(cloud): State<Arc<Cloud>>,
    Path(user): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    signed_in(&cloud, &user, &headers).await?;
    let mime = mime_of(&body)?;
    let id = format!("AAMk{}==", cloud.random.hex(24));
    let draft = Draft {
        mime,
        attachments: Vec::new(),
    };
    lock(&cloud.graph.drafts).insert(id.clone(), draft);
    Ok((
        StatusCode::CREATED,
        axum::Json(json!({"id": id, "isDraft": true})),
    )
        .into_response())
}

async fn remove(
    State(cloud): State<Arc<Cloud>>,
    Path((user, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer {
    signed_in(&cloud, &user, &headers).await?;
    match lock(&cloud.graph.drafts).remove(&id) {
        Some(_) => Ok(StatusCode::NO_CONTENT.into_response()),
        None => Err(no_such_item()),
    }
}

async fn attach(
    State(cloud): State<Arc<Cloud>>,
    Path((user, id)): Path<(String, String)>,
    headers: HeaderMap,
    axum::Json(attachment): axum::Json<Value>,
) -> Answer {
    signed_in(&cloud, &user, &headers).await?;
    let content = text(&attachment, "/contentBytes");
    let content = STANDARD.decode(content).map_err(|_| {
        refusal(
            StatusCode::BAD_REQUEST,
            "ErrorInvalidRequest",
            "contentBytes is no base64",
        )
    })?;
    let name = text(&attachment, "/name").to_owned();
    let mut drafts = lock(&cloud.graph.drafts);
    let draft = drafts.get_mut(&id).ok_or_else(no_such_item)?;
    draft.attachments.push((name, content));
    Ok((StatusCode::CREATED, axum::Json(json!({}))).into_response())
}

async fn begin_upload(
    State(cloud): State<Arc<Cloud>>,
    Path((user, id)): Path<(String, String)>,
    headers: HeaderMap,
    axum::Json(request): axum::Json<Value>,
) -> Answer {
    signed_in(&cloud, &user, &headers).await?;
    let size = request
        .pointer("/AttachmentItem/size")
        .and_then(Value::as_u64)
        .and_then(|size| usize::try_from(size).ok());
    let size = size.unwrap_or_default();
    if size < SMALLEST_UPLOAD_BYTES {
        let text = "The attachment is too small for an upload session";
        return Err(refusal(
            StatusCode::BAD_REQUEST,
            "ErrorInvalidRequest",
            text,
        ));
    }
    if !lock(&cloud.graph.drafts).contains_key(&id) {
        return Err(no_such_item());
    }
    let session = cloud.random.hex(32);
    let upload = Upload {
        draft: id,
        name: text(&request, "/AttachmentItem/name").to_owned(),
        size,
        content: Vec::new(),
    };
    lock(&cloud.graph.uploads).insert(session.clone(), upload);
    let url = format!("{}/v1.0/uploads/{session}", cloud.addresses.identity_url());
    let answer = json!({"uploadUrl": url, "nextExpectedRanges": ["0-"]});
    Ok((StatusCode::CREATED, axum::Json(answer)).into_response())
}

/// A range of an attachment. Whoever knows the address may upload; a token here is a mistake of the client.
async fn upload(
    State(cloud): State<Arc<Cloud>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    if headers.contains_key(header::AUTHORIZATION) {
        let text = "An upload address takes no Authorization header";
        return Err(refusal(StatusCode::UNAUTHORIZED, "unauthorized", text));
    }
    let mut uploads = lock(&cloud.graph.uploads);
    let upload = uploads.get_mut(&id).ok_or_else(no_such_item)?;
    let begin = upload.content.len();
    let expected = format!(
        "bytes {begin}-{}/{}",
        begin + body.len().max(1) - 1,
        upload.size
    );
    let range = headers.get(header::CONTENT_RANGE);
    let is_due = range.is_some_and(|range| range.as_bytes() == expected.as_bytes());
    let is_last = begin + body.len() == upload.size;
    if !is_due || (!is_last && !body.len().is_multiple_of(RANGE_UNIT_BYTES)) {
        let text = format!("{expected} in multiples of 320 KiB was due");
        return Err(refusal(
            StatusCode::RANGE_NOT_SATISFIABLE,
            "invalidRange",
            &text,
        ));
    }
    upload.content.extend_from_slice(&body);
    if !is_last {
        let next = json!({"nextExpectedRanges": [format!("{}-", upload.content.len())]});
        return Ok(axum::Json(next).into_response());
    }
    if let Some(done) = uploads.remove(&id)
        && let Some(draft) = lock(&cloud.graph.drafts).get_mut(&done.draft)
    {
        draft.attachments.push((done.name, done.content));
    }
    Ok(StatusCode::CREATED.into_response())
}

async fn send(
    State(cloud): State<Arc<Cloud>>,
    Path((user, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer {
    let login = signed_in(&cloud, &user, &headers).await?;
    let draft = lock(&cloud.graph.drafts).get(&id).cloned();
    let draft = draft.ok_or_else(no_such_item)?;
    let sent = deliver(&cloud, &login, whole(&draft)).await;
    if sent.is_ok() {
        lock(&cloud.graph.drafts).remove(&id);
    }
    sent
}

/// The draft with its attachments as further parts of its outermost multipart.
fn whole(draft: &Draft) -> Vec<u8> {
    let message = MessageParser::default().parse(&draft.mime[..]);
    let boundary = message.as_ref().and_then(boundary);
    let Some(boundary) = boundary.filter(|_| !draft.attachments.is_empty()) else {
        return draft.mime.clone();
    };
    let text = String::from_utf8_lossy(&draft.mime).into_owned();
    let end = format!("--{boundary}--");
    let (before, after) = text.rsplit_once(&end).unwrap_or((&text, ""));
    let mut mime = before.to_owned();
    for (name, content) in &draft.attachments {
        let lines = STANDARD.encode(content);
        mime += &["--", &boundary, ATTACHMENT_HEADER, name, "\"\r\n\r\n"].concat();
        for line in lines.as_bytes().chunks(76) {
            mime += &String::from_utf8_lossy(line);
            mime += "\r\n";
        }
    }
    (mime + &end + after).into_bytes()
}

fn boundary(message: &Message<'_>) -> Option<String> {
    use mail_parser::MimeHeaders;
    message
        .content_type()
        .and_then(|content_type| content_type.attribute("boundary"))
        .map(str::to_owned)
}

/// Whoever the token stands for, unless a fault comes first.
async fn signed_in(cloud: &Cloud, user: &str, headers: &HeaderMap) -> Result<Login, Refused> {
    if let Some(effect) = cloud.faults.strike(Phase::Graph).await {
        return Err(faulty(effect).await);
    }
    let bearer = headers.get(header::AUTHORIZATION);
    let token = bearer
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .unwrap_or_default();
    cloud.secrets.note(token);
    Login::of_graph(cloud, user, token).map_err(|denial| match denial {
        GraphDenial::Token => refusal(
            StatusCode::UNAUTHORIZED,
            "InvalidAuthenticationToken",
            "Access token validation failure.",
        ),
        GraphDenial::Access => refusal(
            StatusCode::FORBIDDEN,
            "ErrorAccessDenied",
            "Access is denied. Check credentials and try again.",
        ),
        GraphDenial::Mailbox => refusal(
            StatusCode::NOT_FOUND,
            "ErrorInvalidUser",
            "The requested user is invalid.",
        ),
    })
}

fn mime_of(body: &[u8]) -> Result<Vec<u8>, Refused> {
    STANDARD.decode(body).map_err(|_| {
        refusal(
            StatusCode::BAD_REQUEST,
            "ErrorMimeContentInvalidBase64String",
            "Invalid base64 string for MIME content.",
        )
    })
}

async fn deliver(cloud: &Cloud, login: &Login, mime: Vec<u8>) -> Answer {
    let message = MessageParser::default().parse_headers(&mime[..]);
    let Some(message) = message else {
        let text = "The MIME content cannot be read.";
        return Err(refusal(
            StatusCode::BAD_REQUEST,
            "ErrorMimeContentInvalid",
            text,
        ));
    };
    let from = addresses(message.from());
    let visible = from
        .iter()
        .chain(&addresses(message.sender()))
        .cloned()
        .collect::<Vec<_>>();
    if visible
        .iter()
        .any(|sender| !login.may_send_as(cloud, sender))
    {
        return Err(refusal(
            StatusCode::FORBIDDEN,
            "ErrorSendAsDenied",
            "The user account which was used to submit this request does not have the right to send mail on behalf of the specified sending account.",
        ));
    }
    let fields = [message.to(), message.cc(), message.bcc()];
    let recipients: Vec<String> = fields.into_iter().flat_map(addresses).collect();
    if recipients.is_empty() {
        let text = "At least one recipient is not valid.";
        return Err(refusal(
            StatusCode::BAD_REQUEST,
            "ErrorInvalidRecipients",
            text,
        ));
    }
    cloud.inbox.deliver(NewMail {
        received_at_unix_ms: cloud.clock.now_unix_ms(),
        client_address: "127.0.0.1".to_owned(),
        client_ehlo: "graph".to_owned(),
        tls: None,
        authenticated_as: Some(login.mailbox.address.clone()),
        token: login.claims.clone().map(Value::Object),
        envelope_sender: login.mailbox.address.clone(),
        accepted_recipients: recipients,
        refused_recipients: Vec::new(),
        mail_parameters: Vec::new(),
        recipient_parameters: Vec::new(),
        chunked: false,
        mime: without_bcc(&mime),
    });
    if let Some(effect) = cloud.faults.strike(Phase::GraphAccepted).await {
        return Err(faulty(effect).await);
    }
    Ok(StatusCode::ACCEPTED.into_response())
}

/// Exchange takes hidden recipients out before it delivers. Only a field at the very beginning is looked for.
fn without_bcc(mime: &[u8]) -> Vec<u8> {
    if !mime
        .get(..4)
        .is_some_and(|start| start.eq_ignore_ascii_case(b"bcc:"))
    {
        return mime.to_vec();
    }
    let mut lines = mime.split_inclusive(|octet| *octet == b'\n').skip(1);
    let rest: Vec<&[u8]> = lines
        .by_ref()
        .skip_while(|line| line.starts_with(b" ") || line.starts_with(b"\t"))
        .collect();
    rest.concat()
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn addresses(field: Option<&Address<'_>>) -> Vec<String> {
    let all = field.into_iter().flat_map(Address::iter);
    all.filter_map(|address| address.address())
        .map(str::to_owned)
        .collect()
}

async fn faulty(effect: Effect) -> Refused {
    Refused(Box::new(match effect {
        Effect::Http(answer) => literal(&answer),
        Effect::Stall => std::future::pending().await,
        _ => {
            let mut response = Response::default();
            response.extensions_mut().insert(CutConnection);
            response
        }
    }))
}

fn no_such_item() -> Refused {
    let text = "The specified object was not found in the store.";
    refusal(StatusCode::NOT_FOUND, "ErrorItemNotFound", text)
}

fn refusal(status: StatusCode, code: &str, message: &str) -> Refused {
    let body = json!({"error": {"code": code, "message": message}});
    Refused(Box::new((status, axum::Json(body)).into_response()))
}

/// What stands before an attachment's name.
const ATTACHMENT_HEADER: &str = "\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=\"";
/// What Graph takes in one request.
const MOST_REQUEST_BYTES: usize = 4 * 1024 * 1024;
const SMALLEST_UPLOAD_BYTES: usize = 3 * 1024 * 1024;
const RANGE_UNIT_BYTES: usize = 320 * 1024;
