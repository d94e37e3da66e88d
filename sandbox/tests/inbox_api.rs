//! The inbox's JSON API as a program in any language meets it: real HTTP against a running server.
//! What a browser makes of the answers is tested in `tests/browser`.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that cannot go on must stop"
)]

use std::time::Duration;

use mailbearer_sandbox::inbox::{Inbox, NewMail, RecipientParameters, RefusedRecipient, router};
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;

#[tokio::test]
async fn lists_the_newest_mails_first_page_by_page() {
    let server = Server::start().await;
    for number in 1..=5 {
        server.deliver(&format!("Subject: mail {number}\r\n\r\ntext"));
    }
    let first = server.json("/api/mails?limit=2").await;
    assert_eq!(subjects(&first), ["mail 5", "mail 4"]);
    assert_eq!((&first["total"], &first["matches"]), (&json!(5), &json!(5)));

    let next = first["next"].as_str().unwrap();
    let second = server
        .json(&format!("/api/mails?limit=2&before={next}"))
        .await;
    assert_eq!(subjects(&second), ["mail 3", "mail 2"]);

    let next = second["next"].as_str().unwrap();
    let last = server
        .json(&format!("/api/mails?limit=2&before={next}"))
        .await;
    assert_eq!(subjects(&last), ["mail 1"]);
    assert_eq!(last["next"], Value::Null);
}

#[tokio::test]
async fn searches_before_it_pages() {
    let server = Server::start().await;
    for number in 1..=30 {
        server.deliver(&format!(
            "Subject: {}\r\n\r\nGrüße {number}",
            if number % 3 == 0 { "fizz" } else { "plain" }
        ));
    }
    let found = server
        .json("/api/mails?search=FIZZ%20gr%C3%BC%C3%9Fe&limit=4")
        .await;
    assert_eq!(subjects(&found), ["fizz"; 4]);
    assert_eq!(
        (&found["matches"], &found["total"]),
        (&json!(10), &json!(30))
    );
    let nothing = server.json("/api/mails?search=fizz%20nowhere").await;
    assert_eq!(
        nothing,
        json!({"mails": [], "matches": 0, "total": 30, "next": null})
    );
}

#[tokio::test]
async fn hands_out_every_part_of_a_mail() {
    let server = Server::start().await;
    let id = server.deliver(MAIL);
    let detail = server.json(&format!("/api/mails/{id}")).await;
    assert_eq!(detail["id"], id);
    assert_eq!(detail["receivedAtUnixMs"], 1_790_000_000_000_i64);
    assert_eq!(detail["subject"], "Grüße");
    assert_eq!(
        detail["from"],
        json!([{"name": "Anna", "address": "anna@contoso.test"}])
    );
    assert_eq!(detail["text"], "plain");
    assert_eq!(detail["html"], "<link rel=x><img src=\"cid:logo@x\">");
    assert_eq!(
        detail["headers"][0],
        json!({"name": "From", "value": "Anna <anna@contoso.test>"})
    );
    assert_eq!(detail["envelopeSender"], "bounces@contoso.test");
    assert_eq!(detail["acceptedRecipients"], json!(["ben@fabrikam.test"]));
    assert_eq!(
        detail["refusedRecipients"],
        json!([{"address": "nobody@fabrikam.test", "reply": "550 5.1.10 RESOLVER.ADR.RecipientNotFound"}])
    );
    assert_eq!(
        detail["delivery"],
        json!({
            "clientAddress": "127.0.0.1:50000",
            "clientEhlo": "client.contoso.test",
            "tls": "TLSv1.3 TLS13_AES_256_GCM_SHA384",
            "authenticatedAs": "anna@contoso.test",
            "token": {"scp": "SMTP.Send", "exp": 1_790_003_600},
            "mailParameters": ["SIZE=99"],
            "recipientParameters": [
                {"address": "ben@fabrikam.test", "parameters": ["NOTIFY=NEVER"]}
            ],
            "chunked": true,
        })
    );
    assert_eq!(
        detail["attachments"][1],
        json!({
            "index": 1, "fileName": "../<b>.html", "contentType": "text/html", "contentId": null,
            "isInline": false, "sizeBytes": 23,
        })
    );
}

#[tokio::test]
async fn hands_out_the_source_exactly_as_delivered() {
    let server = Server::start().await;
    let mime: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let id = server.inbox.deliver(mail(mime.clone()));
    let answer = server
        .request(Method::GET, &format!("/api/mails/{id}/source"))
        .await;
    assert_eq!(header(&answer, "content-type"), "message/rfc822");
    assert_eq!(
        header(&answer, "content-disposition"),
        format!("attachment; filename*=UTF-8''mail%2D{id}%2Eeml")
    );
    assert_eq!(answer.bytes().await.unwrap(), mime);
}

#[tokio::test]
async fn hands_out_html_made_inert() {
    let server = Server::start().await;
    let id = server.deliver(MAIL);
    let answer = server
        .request(Method::GET, &format!("/api/mails/{id}/html"))
        .await;
    assert_eq!(header(&answer, "content-type"), "text/html; charset=utf-8");
    assert_eq!(
        header(&answer, "content-security-policy"),
        "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; \
         form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
    );
    assert_eq!(
        answer.text().await.unwrap(),
        "<basefont rel=x><img src=\"data:image/png;base64,iVBORw0KGgo=\">"
    );
}

#[tokio::test]
async fn hands_out_text_in_utf_8() {
    let server = Server::start().await;
    let id = server.inbox.deliver(mail(
        b"Content-Type: text/plain; charset=latin1\r\n\r\n<b>\xfc".to_vec(),
    ));
    let answer = server
        .request(Method::GET, &format!("/api/mails/{id}/text"))
        .await;
    assert_eq!(header(&answer, "content-type"), "text/plain; charset=utf-8");
    assert_eq!(answer.text().await.unwrap(), "<b>ü");
}

#[tokio::test]
async fn hands_out_attachments_as_downloads_of_no_type_a_browser_shows() {
    let server = Server::start().await;
    let id = server.deliver(MAIL);
    let answer = server
        .request(Method::GET, &format!("/api/mails/{id}/attachments/1"))
        .await;
    assert_eq!(header(&answer, "content-type"), "application/octet-stream");
    assert_eq!(
        header(&answer, "content-disposition"),
        "attachment; filename*=UTF-8''%2E%2E%5F%3Cb%3E%2Ehtml"
    );
    assert_eq!(answer.text().await.unwrap(), "<script>alert(1)</scrip");
}

#[tokio::test]
async fn hands_out_inline_images_by_content_id_and_nothing_else() {
    let server = Server::start().await;
    let id = server.deliver(MAIL);
    let image = server
        .request(Method::GET, &format!("/api/mails/{id}/inline/logo%40x"))
        .await;
    assert_eq!(header(&image, "content-type"), "image/png");
    assert_eq!(image.bytes().await.unwrap().as_ref(), b"\x89PNG\r\n\x1a\n");
    // It says it is an image, and a browser would run it.
    server
        .refuses(
            Method::GET,
            &format!("/api/mails/{id}/inline/drawing@x"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        )
        .await;
    server
        .refuses(
            Method::GET,
            &format!("/api/mails/{id}/inline/other@x"),
            StatusCode::NOT_FOUND,
        )
        .await;
}

#[tokio::test]
async fn deletes_one_mail_or_all() {
    let server = Server::start().await;
    let first = server.deliver("Subject: one\r\n\r\n");
    server.deliver("Subject: two\r\n\r\n");
    server.deliver("Subject: three\r\n\r\n");
    let path = format!("/api/mails/{first}");
    assert_eq!(
        server.request(Method::DELETE, &path).await.status(),
        StatusCode::NO_CONTENT
    );
    server
        .refuses(Method::DELETE, &path, StatusCode::NOT_FOUND)
        .await;
    assert_eq!(subjects(&server.json("/api/mails").await), ["three", "two"]);
    assert_eq!(
        server.request(Method::DELETE, "/api/mails").await.status(),
        StatusCode::NO_CONTENT
    );
    assert!(server.inbox.is_empty());
}

#[tokio::test]
async fn waits_for_mails_that_match() {
    let server = Server::start().await;
    server.deliver("Subject: other\r\n\r\n");
    server.deliver("Subject: wanted one\r\n\r\n");
    let waiting = server.request(Method::GET, "/api/mails/wait?count=2&search=wanted");
    let (answer, ()) = tokio::join!(waiting, async {
        tokio::task::yield_now().await;
        server.deliver("Subject: other\r\n\r\n");
        server.deliver("Subject: wanted two\r\n\r\n");
    });
    assert_eq!(answer.status(), StatusCode::OK);
    let listing: Value = answer.json().await.unwrap();
    assert_eq!(subjects(&listing), ["wanted two", "wanted one"]);
}

#[tokio::test]
async fn tells_how_many_came_when_waiting_was_in_vain() {
    let server = Server::start().await;
    server.deliver("Subject: one\r\n\r\n");
    let answer = server
        .request(Method::GET, "/api/mails/wait?count=2&timeout_ms=1")
        .await;
    assert_eq!(answer.status(), StatusCode::REQUEST_TIMEOUT);
    let problem: Value = answer.json().await.unwrap();
    assert_eq!(
        problem,
        json!({"error": "1 of 2 mails have arrived within 1 ms"})
    );
}

#[tokio::test]
async fn tells_of_every_change_as_it_happens() {
    let server = Server::start().await;
    let mut events = server.request(Method::GET, "/api/events").await;
    assert_eq!(header(&events, "content-type"), "text/event-stream");
    assert_eq!(
        next_event(&mut events).await,
        "event: changed\nretry: 1000\ndata: {\"revision\":0,\"total\":0}\n\n"
    );
    let id = server.deliver("Subject: one\r\n\r\n");
    assert_eq!(
        next_event(&mut events).await,
        "event: changed\nretry: 1000\ndata: {\"revision\":1,\"total\":1}\n\n"
    );
    server.inbox.delete(&id);
    assert_eq!(
        next_event(&mut events).await,
        "event: changed\nretry: 1000\ndata: {\"revision\":2,\"total\":0}\n\n"
    );
}

#[tokio::test]
async fn says_what_is_wrong_with_a_request() {
    let server = Server::start().await;
    let id = server.deliver("Content-Type: image/png\r\n\r\nx");
    for query in [
        "limit=0",
        "limit=501",
        "limit=-1",
        "limit=many",
        "before=x",
        "serch=typo",
        "limit=1&limit=2",
    ] {
        server
            .refuses(
                Method::GET,
                &format!("/api/mails?{query}"),
                StatusCode::BAD_REQUEST,
            )
            .await;
    }
    for query in [
        "count=0",
        "count=10001",
        "timeout_ms=600001",
        "timeout_ms=soon",
        "timeout=1",
    ] {
        server
            .refuses(
                Method::GET,
                &format!("/api/mails/wait?{query}"),
                StatusCode::BAD_REQUEST,
            )
            .await;
    }
    for path in [
        "",
        "/source",
        "/text",
        "/html",
        "/attachments/0",
        "/inline/x",
    ] {
        server
            .refuses(
                Method::GET,
                &format!("/api/mails/99{path}"),
                StatusCode::NOT_FOUND,
            )
            .await;
    }
    for path in ["text", "html", "attachments/1", "inline/x", "other"] {
        server
            .refuses(
                Method::GET,
                &format!("/api/mails/{id}/{path}"),
                StatusCode::NOT_FOUND,
            )
            .await;
    }
    server
        .refuses(
            Method::GET,
            &format!("/api/mails/{id}/attachments/first"),
            StatusCode::BAD_REQUEST,
        )
        .await;
    server
        .refuses(Method::GET, "/api/nothing", StatusCode::NOT_FOUND)
        .await;
    server
        .refuses(Method::POST, "/api/mails", StatusCode::METHOD_NOT_ALLOWED)
        .await;
}

#[tokio::test]
async fn gives_every_answer_its_safety_headers() {
    let server = Server::start().await;
    let id = server.deliver(MAIL);
    for path in [
        "/".to_owned(),
        "/inbox.js".to_owned(),
        "/nothing".to_owned(),
        "/api/mails".to_owned(),
        "/api/mails?limit=0".to_owned(),
        format!("/api/mails/{id}"),
        format!("/api/mails/{id}/source"),
        format!("/api/mails/{id}/text"),
        format!("/api/mails/{id}/html"),
        format!("/api/mails/{id}/attachments/1"),
        format!("/api/mails/{id}/inline/logo@x"),
    ] {
        let answer = server.request(Method::GET, &path).await;
        assert_eq!(
            header(&answer, "x-content-type-options"),
            "nosniff",
            "{path}"
        );
        assert_eq!(header(&answer, "referrer-policy"), "no-referrer", "{path}");
        assert_eq!(
            header(&answer, "cross-origin-resource-policy"),
            "same-origin",
            "{path}"
        );
        assert_eq!(header(&answer, "cache-control"), "no-store", "{path}");
        let policy = header(&answer, "content-security-policy");
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors"),
            "{path}: {policy}"
        );
        assert!(
            !answer
                .headers()
                .keys()
                .any(|name| name.as_str().starts_with("access-control")),
            "{path}"
        );
    }
}

#[tokio::test]
async fn runs_no_script_on_its_page_but_its_own_files() {
    let server = Server::start().await;
    let answer = server.request(Method::GET, "/").await;
    let policy = header(&answer, "content-security-policy");
    assert!(
        policy.contains("script-src 'self';") && !policy.contains("unsafe"),
        "{policy}"
    );
    assert!(policy.contains("frame-src 'self';"), "{policy}");
    let page = answer.text().await.unwrap();
    assert!(page.contains("<script type=\"module\" src=\"/inbox.js\"></script>"));
    assert_eq!(page.matches("<script").count(), 1);
    assert_eq!(page.matches("<iframe").count(), 2);
    assert_eq!(page.matches("<iframe sandbox=\"\" ").count(), 2);
    assert!(
        !page.contains(" style=") && !page.contains("://"),
        "inline style or remote content"
    );
}

#[tokio::test]
async fn answers_no_request_under_a_rebound_name() {
    let server = Server::start().await;
    server.deliver(MAIL);
    for host in [
        "evil.test",
        "localhost.evil.test",
        "127.0.0.1.evil.test:80",
        "0.0.0.0",
    ] {
        for path in ["/", "/api/mails", "/nothing"] {
            let answer = server
                .request_with(Method::GET, path, &[("host", host)])
                .await;
            assert_eq!(
                answer.status(),
                StatusCode::FORBIDDEN,
                "{path} under {host}"
            );
            assert!(
                answer.text().await.unwrap().contains("Host header"),
                "{path} under {host}"
            );
        }
        server
            .request_with(Method::DELETE, "/api/mails", &[("host", host)])
            .await;
    }
    assert_eq!(server.inbox.len(), 1);
    for host in ["localhost:1", "[::1]:2", "127.0.0.1"] {
        let answer = server
            .request_with(Method::GET, "/api/mails", &[("host", host)])
            .await;
        assert_eq!(answer.status(), StatusCode::OK, "{host}");
    }
}

#[tokio::test]
async fn answers_no_page_of_another_site() {
    let server = Server::start().await;
    server.deliver(MAIL);
    for (site, expected) in [
        ("cross-site", StatusCode::FORBIDDEN),
        ("same-site", StatusCode::FORBIDDEN), // Another port of localhost is another program.
        ("same-origin", StatusCode::OK),
        ("none", StatusCode::OK),
    ] {
        let answer = server
            .request_with(Method::GET, "/api/mails", &[("sec-fetch-site", site)])
            .await;
        assert_eq!(answer.status(), expected, "{site}");
    }
    // A link to the inbox is fine.
    let page = server
        .request_with(Method::GET, "/", &[("sec-fetch-site", "cross-site")])
        .await;
    assert_eq!(page.status(), StatusCode::OK);
    let preflight = [
        ("origin", "https://evil.test"),
        ("access-control-request-method", "DELETE"),
    ];
    let answer = server
        .request_with(Method::OPTIONS, "/api/mails", &preflight)
        .await;
    assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn survives_mails_nested_without_end() {
    let server = Server::start().await;
    let id = server.deliver(&"Content-Type: message/rfc822\r\n\r\n".repeat(100_000));
    let detail = server.json(&format!("/api/mails/{id}")).await;
    assert_eq!(detail["attachments"][0]["contentType"], "message/rfc822");
    assert_eq!(server.json("/api/mails").await["total"], 1);
}

struct Server {
    inbox: Inbox,
    url: String,
    client: Client,
}

impl Server {
    async fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let inbox = Inbox::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let routes = router(inbox.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let client = Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(60))
            .build()
            .unwrap();
        Self { inbox, url, client }
    }

    fn deliver(&self, mime: &str) -> String {
        self.inbox.deliver(mail(mime.into()))
    }

    async fn request(&self, method: Method, path: &str) -> Response {
        self.request_with(method, path, &[]).await
    }

    async fn request_with(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Response {
        let request = self.client.request(method, format!("{}{path}", self.url));
        headers
            .iter()
            .fold(request, |request, (name, value)| {
                request.header(*name, *value)
            })
            .send()
            .await
            .unwrap()
    }

    async fn json(&self, path: &str) -> Value {
        let answer = self.request(Method::GET, path).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        answer.json().await.unwrap()
    }

    async fn refuses(&self, method: Method, path: &str, expected: StatusCode) {
        let answer = self.request(method, path).await;
        assert_eq!(answer.status(), expected, "{path}");
        assert_eq!(
            header(&answer, "content-type"),
            "application/json",
            "{path}"
        );
        let problem: Value = answer.json().await.unwrap();
        assert!(!problem["error"].as_str().unwrap().is_empty(), "{path}");
    }
}

async fn next_event(events: &mut Response) -> String {
    let mut event = String::new();
    while !event.ends_with("\n\n") {
        event.push_str(std::str::from_utf8(&events.chunk().await.unwrap().unwrap()).unwrap());
    }
    event
}

fn subjects(listing: &Value) -> Vec<&str> {
    listing["mails"]
        .as_array()
        .unwrap()
        .iter()
        .map(|mail| mail["subject"].as_str().unwrap())
        .collect()
}

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer
        .headers()
        .get(name)
        .map_or("", |value| value.to_str().unwrap())
}

fn mail(mime: Vec<u8>) -> NewMail {
    NewMail {
        received_at_unix_ms: 1_790_000_000_000,
        client_address: "127.0.0.1:50000".into(),
        client_ehlo: "client.contoso.test".into(),
        tls: Some("TLSv1.3 TLS13_AES_256_GCM_SHA384".into()),
        authenticated_as: Some("anna@contoso.test".into()),
        token: Some(json!({"scp": "SMTP.Send", "exp": 1_790_003_600})),
        envelope_sender: "bounces@contoso.test".into(),
        accepted_recipients: vec!["ben@fabrikam.test".into()],
        refused_recipients: vec![RefusedRecipient {
            address: "nobody@fabrikam.test".into(),
            reply: "550 5.1.10 RESOLVER.ADR.RecipientNotFound".into(),
        }],
        mail_parameters: vec!["SIZE=99".into()],
        recipient_parameters: vec![RecipientParameters {
            address: "ben@fabrikam.test".into(),
            parameters: vec!["NOTIFY=NEVER".into()],
        }],
        chunked: true,
        mime,
    }
}

const MAIL: &str = "From: Anna <anna@contoso.test>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\
Content-Type: multipart/mixed; boundary=b\r\n\r\n\
--b\r\n\r\nplain\r\n\
--b\r\nContent-Type: text/html\r\n\r\n<link rel=x><img src=\"cid:logo@x\">\r\n\
--b\r\nContent-Type: image/png\r\nContent-ID: <logo@x>\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw0KGgo=\r\n\
--b\r\nContent-Type: text/html\r\nContent-Disposition: attachment; filename=\"../<b>.html\"\r\n\r\n<script>alert(1)</scrip\r\n\
--b\r\nContent-Type: image/png\r\nContent-ID: <drawing@x>\r\n\r\n<svg onload=alert(1)>\r\n\
--b--\r\n";
