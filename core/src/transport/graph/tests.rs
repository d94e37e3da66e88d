//! Graph played by a script: what is asked in which order, and what becomes of the mail for every answer.

use super::*;
use crate::host::SystemClock;
use crate::model::{ReplyClass, TokenOrigin};
use crate::secret::SecretText;
use std::collections::VecDeque;
use std::sync::Mutex;

type Scripted = Result<http::Response<Vec<u8>>, &'static str>;

/// Answers requests in order, and remembers them.
#[derive(Debug, Default)]
struct Script {
    answers: Mutex<VecDeque<Scripted>>,
    seen: Mutex<Vec<(String, Vec<u8>)>>,
}

#[async_trait]
impl HttpClient for Script {
    async fn call(&self, request: http::Request<Vec<u8>>) -> Result<http::Response<Vec<u8>>> {
        let token = request.headers().get("authorization");
        let token = token.map_or("-", |token| token.to_str().unwrap());
        let range = request.headers().get("content-range");
        let range = range.map_or("", |range| range.to_str().unwrap());
        let line = format!(
            "{} {} {token} {range}",
            request.method(),
            request.uri().path()
        );
        let line = line.trim_end().to_owned();
        self.seen.lock().unwrap().push((line, request.into_body()));
        let answer = self.answers.lock().unwrap().pop_front();
        answer.expect("no more requests").map_err(|code| {
            Error::new(
                ProblemKind::Unavailable,
                code,
                "the call failed",
                "try again",
            )
        })
    }
}

/// Gives `t1`, and `t2` in its place.
#[derive(Debug)]
struct Tokens;

#[async_trait]
impl TokenSource for Tokens {
    async fn access_token(&self, _: &str, refused: Option<&AccessToken>) -> Result<AccessToken> {
        let secret = match refused {
            None => "t1",
            Some(_) => "t2",
        };
        Ok(AccessToken {
            secret: Arc::new(SecretText::new(secret.to_owned())),
            mailbox: "ada@example.com".to_owned(),
            origin: TokenOrigin::ClientSecret,
            from_cache: true,
            audience: None,
            scopes: Vec::new(),
            subject: None,
            obtained_at_unix_ms: 0,
            expires_at_unix_ms: 0,
        })
    }
}

type Said = Result<(u16, &'static str), &'static str>;

fn answer(said: Said) -> Scripted {
    said.map(|(status, body)| {
        let response = http::Response::builder().status(status);
        let response = response.header("retry-after", "7");
        response.body(body.as_bytes().to_vec()).unwrap()
    })
}

async fn play(mail: OutgoingMail, said: &[Said]) -> (Outcome, Vec<(String, Vec<u8>)>) {
    let script = Arc::new(Script::default());
    script
        .answers
        .lock()
        .unwrap()
        .extend(said.iter().map(|one| answer(*one)));
    let road = GraphTransport {
        account: "ada".to_owned(),
        mailbox: "ada@example.com".to_owned(),
        url: "https://graph".to_owned(),
        extra_roots_pem: None,
        limit: Duration::from_secs(10),
        one_request_bytes: 1000,
        http: script.clone(),
        clock: Arc::new(SystemClock::default()),
        tokens: Arc::new(Tokens),
    };
    let outcome = road.deliver(mail).await;
    let left = script.answers.lock().unwrap().len();
    assert_eq!(left, 0, "answers that nobody asked for");
    let seen = std::mem::take(&mut *script.seen.lock().unwrap());
    (outcome, seen)
}

fn mail() -> OutgoingMail {
    OutgoingMail {
        sender: "ada@example.com".to_owned(),
        recipients: vec!["b@example.com".to_owned(), "c@example.com".to_owned()],
        mime: b"From: ada@example.com\r\nTo: b@example.com\r\n\r\nhello\r\n"
            .to_vec()
            .into(),
        needs_smtputf8: false,
        eight_bit: false,
        transfer: crate::model::TransferOptions::default(),
    }
}

const SEND: &str = "POST /v1.0/users/ada%40example%2Ecom/sendMail";

#[tokio::test]
async fn a_mail_goes_whole_and_to_all_its_recipients() {
    let (outcome, seen) = play(mail(), &[Ok((202, ""))]).await;
    assert_eq!(outcome.end.unwrap().code, 202);
    assert!(
        outcome
            .recipients
            .iter()
            .all(|one| one.verdict == Verdict::Accepted)
    );
    assert_eq!(seen[0].0, format!("{SEND} Bearer t1"));
    let sent = BASE64_STANDARD.decode(&seen[0].1).unwrap();
    let expected =
        "Bcc: <c@example.com>\r\nFrom: ada@example.com\r\nTo: b@example.com\r\n\r\nhello\r\n";
    assert_eq!(String::from_utf8(sent).unwrap(), expected);
}

#[tokio::test]
async fn a_refused_token_is_renewed_once() {
    let unauthorized = Ok((401, r#"{"error":{"code":"InvalidAuthenticationToken"}}"#));
    let (outcome, seen) = play(mail(), &[unauthorized, Ok((202, ""))]).await;
    outcome.end.unwrap();
    let lines: Vec<&str> = seen.iter().map(|(line, _)| line.as_str()).collect();
    assert_eq!(
        lines,
        [format!("{SEND} Bearer t1"), format!("{SEND} Bearer t2")]
    );
    let (outcome, _) = play(mail(), &[unauthorized, unauthorized]).await;
    let error = outcome.end.unwrap_err();
    assert_eq!(error.code(), "graph-token-refused");
    assert!(error.is_before_mail());
}

#[tokio::test]
async fn every_answer_has_its_verdict_and_only_a_lost_one_leaves_doubt() {
    async fn check(said: Said, verdict: Verdict, code: &str, before_mail: bool) {
        let (outcome, seen) = play(mail(), &[said]).await;
        assert_eq!(seen.len(), 1, "{said:?} was followed by another request");
        assert_eq!(outcome.recipients[0].verdict, verdict, "{said:?}");
        let error = outcome.end.unwrap_err();
        assert_eq!(
            (error.code(), error.is_before_mail()),
            (code, before_mail),
            "{said:?}"
        );
    }
    use Verdict::{Deferred, NotTried, Refused, Undecided};
    let denied = r#"{"error":{"code":"ErrorAccessDenied","message":"no"}}"#;
    check(Ok((403, denied)), NotTried, "graph-access-denied", true).await;
    let send_as = r#"{"error":{"code":"ErrorSendAsDenied","message":"no"}}"#;
    check(Ok((403, send_as)), Refused, "send-as-denied", false).await;
    check(Ok((404, "")), NotTried, "graph-mailbox-unknown", true).await;
    check(Ok((400, "")), Refused, "graph-request-refused", false).await;
    check(Ok((413, "")), Refused, "size-limit", false).await;
    check(Ok((429, "")), Deferred, "throttle-graph", false).await;
    check(Ok((503, "")), Deferred, "transient-server-error", false).await;
    for status in [500, 502, 504] {
        check(Ok((status, "")), Undecided, "delivery-undecided", false).await;
    }
    check(Err("http-broken"), Undecided, "delivery-undecided", false).await;
    check(Err("network-blocked"), NotTried, "network-blocked", true).await;
}

#[tokio::test]
async fn the_servers_pause_is_passed_on() {
    let (outcome, _) = play(mail(), &[Ok((429, ""))]).await;
    let problem = outcome.end.unwrap_err();
    let problem = problem.problem();
    assert_eq!(problem.retry, Retry::After { delay_ms: 7000 });
    assert_eq!(problem.reply_class, Some(ReplyClass::Throttled));
}

fn large_mail(size: usize) -> OutgoingMail {
    let mime = format!(
        "From: ada@example.com\r\nTo: b@example.com, c@example.com\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\nhello\r\n--x\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename=a.pdf\r\n\r\n{}\r\n--x--\r\n",
        "y".repeat(size)
    );
    OutgoingMail {
        mime: mime.into(),
        ..mail()
    }
}

const DRAFT: Said = Ok((201, r#"{"id":"AA=="}"#));
const SESSION: Said = Ok((201, r#"{"uploadUrl":"https://upload/session"}"#));
const MESSAGE: &str = "/v1.0/users/ada%40example%2Ecom/messages";

#[tokio::test]
async fn a_large_mail_goes_by_draft_and_upload_without_the_token_leaking() {
    let size = SMALLEST_UPLOAD_BYTES + 500_000;
    let said = [
        DRAFT,
        SESSION,
        Ok((200, "{}")),
        Ok((201, "")),
        Ok((202, "")),
    ];
    let (outcome, seen) = play(large_mail(size), &said).await;
    outcome.end.unwrap();
    let lines: Vec<&str> = seen.iter().map(|(line, _)| line.as_str()).collect();
    let expected = [
        format!("POST {MESSAGE} Bearer t1"),
        format!("POST {MESSAGE}/AA%3D%3D/attachments/createUploadSession Bearer t1"),
        format!("PUT /session - bytes 0-{}/{size}", RANGE_BYTES - 1),
        format!("PUT /session - bytes {RANGE_BYTES}-{}/{size}", size - 1),
        format!("POST {MESSAGE}/AA%3D%3D/send Bearer t1"),
    ];
    assert_eq!(lines, expected);
    assert_eq!(seen[2].1.len() + seen[3].1.len(), size);
}

#[tokio::test]
async fn a_smaller_attachment_goes_in_one_request() {
    let said = [DRAFT, Ok((201, "")), Ok((202, ""))];
    let (outcome, seen) = play(large_mail(2000), &said).await;
    outcome.end.unwrap();
    assert_eq!(
        seen[1].0,
        format!("POST {MESSAGE}/AA%3D%3D/attachments Bearer t1")
    );
}

#[tokio::test]
async fn a_failed_upload_sends_nothing_and_leaves_no_draft() {
    let said = [DRAFT, Ok((500, "")), Ok((204, ""))];
    let (outcome, seen) = play(large_mail(2000), &said).await;
    assert_ne!(outcome.recipients[0].verdict, Verdict::Undecided);
    outcome.end.unwrap_err();
    assert_eq!(seen[2].0, format!("DELETE {MESSAGE}/AA%3D%3D Bearer t1"));
    // Once it may have been sent, the draft is left alone.
    let said = [DRAFT, Ok((201, "")), Err("http-broken")];
    let (outcome, _) = play(large_mail(2000), &said).await;
    assert_eq!(outcome.recipients[0].verdict, Verdict::Undecided);
}

#[test]
fn uploads_go_to_secure_addresses_only() {
    assert!(is_upload_url("https://outlook.example/upload?token=x"));
    assert!(is_upload_url("http://127.0.0.1:8080/upload"));
    assert!(!is_upload_url("http://outlook.example/upload"));
    assert!(!is_upload_url("upload"));
    assert!(!is_upload_url(""));
}
