//! Serves an inbox with example mails on a free port of 127.0.0.1 and prints its address: to look at the page, and for
//! its browser test. There is no SMTP server here; mails arrive by commands on standard input.
//!
//! ```text
//! cargo run -p mailbearer-sandbox --example inbox [-- address the hostile mail tries to reach [port]]
//! deliver newsletter     one of: newsletter invoice alert forwarded damaged hostile frames
//! fill 250               that many short mails
//! ```
#![expect(
    clippy::print_stdout,
    reason = "it prints its address for whoever started it"
)]

use std::io::{BufRead, stdin};
use std::time::{SystemTime, UNIX_EPOCH};

use mailbearer_sandbox::inbox::{Inbox, NewMail, RefusedRecipient, router};
use serde_json::json;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let hostile_target = arguments
        .next()
        .unwrap_or_else(|| "http://127.0.0.1:9".to_owned());
    let port = arguments
        .next()
        .and_then(|port| port.parse().ok())
        .unwrap_or(0);
    let inbox = Inbox::new();
    for name in [
        "alert",
        "forwarded",
        "damaged",
        "hostile",
        "invoice",
        "newsletter",
    ] {
        inbox.deliver(example(name, &hostile_target));
    }
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("http://{}/", listener.local_addr()?);
    let page = router(inbox.clone());
    tokio::spawn(async move { axum::serve(listener, page).await });
    // Ends when standard input does, so it never outlives the test that started it.
    tokio::task::spawn_blocking(move || {
        for line in stdin().lock().lines().map_while(Result::ok) {
            run(&line, &inbox, &hostile_target);
        }
    })
    .await?;
    Ok(())
}

fn run(command: &str, inbox: &Inbox, hostile_target: &str) {
    match command.split_whitespace().collect::<Vec<_>>().as_slice() {
        ["deliver", name] => println!("delivered {}", inbox.deliver(example(name, hostile_target))),
        ["fill", count] => {
            for number in 1..=count.parse().unwrap_or(0) {
                inbox.deliver(short(number));
            }
            println!("filled");
        }
        _ => println!("unknown command: {command}"),
    }
}

fn example(name: &str, hostile_target: &str) -> NewMail {
    let text = match name {
        "newsletter" => include_str!("../tests/browser/fixtures/newsletter.eml"),
        "invoice" => include_str!("../tests/browser/fixtures/invoice.eml"),
        "forwarded" => include_str!("../tests/browser/fixtures/forwarded.eml"),
        "damaged" => include_str!("../tests/browser/fixtures/damaged.eml"),
        "frames" => include_str!("../tests/browser/fixtures/frames.eml"),
        "hostile" => include_str!("../tests/browser/fixtures/hostile.eml"),
        _ => include_str!("../tests/browser/fixtures/alert.eml"),
    };
    let mut mail = delivery(text.replace("{{TARGET}}", hostile_target));
    match name {
        "newsletter" => mail.refused_recipients = vec![refused("nobody@fabrikam.test")],
        "alert" => relay(&mut mail),
        "hostile" => mail.client_ehlo = "<img src=x onerror=alert(1)>".to_owned(),
        _ => {}
    }
    mail
}

fn short(number: u32) -> NewMail {
    delivery(format!(
        "From: Load test <load@contoso.test>\nTo: ben@fabrikam.test\nSubject: Mail {number} of the load test\n\
         \nThis is the text of mail {number}.\n"
    ))
}

fn delivery(text: String) -> NewMail {
    let mime = text.replace('\n', "\r\n").into_bytes();
    let now_ms = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as i64);
    NewMail {
        received_at_unix_ms: now_ms,
        client_address: "127.0.0.1:53422".to_owned(),
        client_ehlo: "app-7.contoso.test".to_owned(),
        tls: Some("TLSv1.3 TLS13_AES_256_GCM_SHA384".to_owned()),
        authenticated_as: Some("anna@contoso.test".to_owned()),
        token: Some(claims(now_ms / 1_000)),
        envelope_sender: "anna@contoso.test".to_owned(),
        accepted_recipients: vec![
            "ben@fabrikam.test".to_owned(),
            "clara@fabrikam.test".to_owned(),
        ],
        refused_recipients: Vec::new(),
        mail_parameters: vec![format!("SIZE={}", mime.len()), "BODY=8BITMIME".to_owned()],
        recipient_parameters: Vec::new(),
        chunked: true,
        mime,
    }
}

fn claims(now_s: i64) -> serde_json::Value {
    json!({
        "aud": "https://outlook.office.com",
        "iss": "https://sts.windows.net/11111111-2222-3333-4444-555555555555/",
        "iat": now_s - 300,
        "nbf": now_s - 300,
        "exp": now_s + 4_800,
        "appid": "99999999-8888-7777-6666-555555555555",
        "scp": "SMTP.Send",
        "tid": "11111111-2222-3333-4444-555555555555",
        "upn": "anna@contoso.test",
    })
}

fn refused(address: &str) -> RefusedRecipient {
    RefusedRecipient {
        address: address.to_owned(),
        reply:
            "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup"
                .to_owned(),
    }
}

/// As through a connector: by IP address, without signing in.
fn relay(mail: &mut NewMail) {
    mail.authenticated_as = None;
    mail.token = None;
    mail.tls = None;
    mail.chunked = false;
    mail.envelope_sender = "monitor@contoso.test".to_owned();
    mail.accepted_recipients = vec!["oncall@fabrikam.test".to_owned()];
}
