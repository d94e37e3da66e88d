//! The order and syntax of commands, limits, and input no client should send.

use mailbearer_sandbox::directory::{RefusedAddress, seed};
use mailbearer_sandbox::{Options, Sandbox, SubmissionLimits};

use crate::support::{Smtp, head, sandbox, service_token, xoauth2};

const MAIL: &str = "MAIL FROM:<billing@contoso.example>";
const RCPT: &str = "RCPT TO:<someone@elsewhere.example>";

async fn signed_in(sandbox: &Sandbox) -> Smtp {
    Smtp::signed_in(sandbox, seed::BILLING, &service_token(sandbox).await).await
}

async fn limited(limits: SubmissionLimits) -> Sandbox {
    Sandbox::start(Options {
        limits,
        ..Options::default()
    })
    .await
    .unwrap()
}

/// Sends each line and compares the reply's head.
async fn converse(smtp: &mut Smtp, lines: &[(&str, &str)]) {
    for (line, expected) in lines {
        assert_eq!(head(&smtp.command(line).await), *expected, "{line}");
    }
}

#[tokio::test]
async fn before_tls_there_is_neither_auth_nor_mail() {
    let sandbox = sandbox().await;
    let mut smtp = Smtp::connect(&sandbox).await;
    smtp.reply().await;
    let auth = format!(
        "AUTH XOAUTH2 {}",
        xoauth2(seed::BILLING, &service_token(&sandbox).await)
    );
    converse(
        &mut smtp,
        &[
            ("STARTTLS", "503 5.5.2 Send hello first"),
            (MAIL, "503 5.5.2 Send hello first"),
            ("EHLO", "501 5.5.4 Invalid domain name"),
            ("EHLO Anna's MacBook", "501 5.5.4 Invalid domain name"),
            (
                "HELO client.example",
                "250 SB1P000CA0001.outlook.office365.com Hello",
            ),
            (&auth, "504 5.7.4 Unrecognized authentication type"),
            (MAIL, "451 5.7.3 STARTTLS is required to send mail"),
            (
                "FROBNICATE now",
                "500 5.3.3 Unrecognized command 'FROBNICATE'",
            ),
            ("NOOP", "250 2.0.0 OK"),
            ("RSET", "250 2.0.0 Resetting"),
            ("VRFY alice", "252 2.1.5 Cannot VRFY user"),
        ],
    )
    .await;
}

#[tokio::test]
async fn what_came_before_tls_is_forgotten() {
    let sandbox = sandbox().await;
    let mut smtp = Smtp::connect(&sandbox).await;
    smtp.reply().await;
    smtp.command("EHLO client.example").await;
    smtp.send("STARTTLS\r\nNOOP\r\nNOOP\r\n").await;
    assert_eq!(smtp.reply().await, "220 2.0.0 SMTP server ready");
    smtp.start_tls(&sandbox).await;
    converse(
        &mut smtp,
        &[
            (MAIL, "503 5.5.2 Send hello first"),
            ("EHLO client.example", &smtp_hello()),
            (
                "STARTTLS",
                "503 5.5.2 Only one STARTTLS command can be issued per session",
            ),
            (MAIL, "530 5.7.57 Client not authenticated to send mail."),
        ],
    )
    .await;
}

/// The head of the EHLO answer: its first line ends in a bracket like a tail.
fn smtp_hello() -> String {
    "250-SB1P000CA0001.outlook.office365.com Hello".to_owned()
}

#[tokio::test]
async fn commands_have_an_order_and_a_syntax() {
    let sandbox = sandbox().await;
    let mut smtp = signed_in(&sandbox).await;
    converse(&mut smtp, &[
        ("AUTH XOAUTH2", "503 5.5.2 Bad sequence of commands"),
        (RCPT, "503 5.5.2 Need mail command"),
        ("DATA", "503 5.5.2 Need mail command"),
        ("MAIL FROM:<billing@contoso.example> FUTURE=1", "501 5.5.4 Invalid arguments"),
        ("MAIL FROM:<billing@contoso.example> SIZE=big", "501 5.5.4 Invalid arguments"),
        ("MAIL FROM:<billing@contoso.example> BODY=9BIT", "501 5.5.4 Invalid arguments"),
        ("MAIL FROM:<billing>", "501 5.1.7 Invalid address"),
        ("MAIL FROM:<b\u{fc}ro@contoso.example>", "501 5.1.7 Invalid address"),
        ("MAIL FROM:<billing@contoso.example> SIZE=36700161", "552 5.3.4 Message size exceeds fixed maximum message size"),
        ("MAIL FROM:<billing@contoso.example> SIZE=36700160 RET=HDRS ENVID=x BODY=8BITMIME SMTPUTF8", "250 2.1.0 Sender OK"),
        (MAIL, "503 5.5.2 Sender already specified"),
        ("DATA", "503 5.5.2 Need rcpt command"),
        ("RCPT TO:<nonsense>", "501 5.1.3 Invalid address"),
        ("RCPT TO:<someone@elsewhere.example> NOTIFY=FAILURE ORCPT=rfc822;a@b.example", "250 2.1.5 Recipient OK"),
        ("RCPT TO:<j\u{f6}rg@elsewhere.example>", "250 2.1.5 Recipient OK"),
        ("RSET", "250 2.0.0 Resetting"),
        ("MAIL FROM:<billing@contoso.example> BODY=BINARYMIME", "250 2.1.0 Sender OK"),
        (RCPT, "250 2.1.5 Recipient OK"),
        ("DATA", "503 5.5.2 BINARYMIME requires BDAT"),
    ])
    .await;
}

#[tokio::test]
async fn each_recipient_has_its_own_answer() {
    let sandbox = sandbox().await;
    let refuse = |address: &str, reply: &str| {
        sandbox.tenant().refuse_recipient(RefusedAddress {
            address: address.to_owned(),
            reply: reply.to_owned(),
        });
    };
    refuse("full@elsewhere.example", "recipient-mailbox-full");
    refuse("later@elsewhere.example", "450 4.2.1 come back");
    let mut smtp = signed_in(&sandbox).await;
    converse(&mut smtp, &[
        (MAIL, "250 2.1.0 Sender OK"),
        ("RCPT TO:<full@elsewhere.example>", "552 5.2.2 STOREDRV.Deliver; mailbox full"),
        ("RCPT TO:<later@elsewhere.example>", "450 4.2.1 come back"),
        ("RCPT TO:<nobody@contoso.example>", "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup"),
        ("RCPT TO:<alice.archer@contoso.example>", "250 2.1.5 Recipient OK"),
    ])
    .await;
}

#[tokio::test]
async fn bare_line_feeds_are_refused_and_end_nothing() {
    let sandbox = sandbox().await;
    let mut smtp = signed_in(&sandbox).await;
    let mut check = async |content: &str, expected: &str| {
        for line in [MAIL, RCPT, "DATA"] {
            smtp.command(line).await;
        }
        smtp.send(content).await;
        let reply = smtp.reply().await;
        assert!(reply.starts_with(expected), "{content:?}: {reply}");
    };
    check(
        "Subject: x\r\n\r\nbare\n.\nMAIL FROM:<smuggled@contoso.example>\r\n.\r\n",
        "550 5.6.11 Invalid characters",
    )
    .await;
    check("Subject: x\r\n\r\na\n.\r\n.\r\n", "550 5.6.11").await;
    check("Subject: x\r\n\r\na\r.\r\n.\r\n", "550 5.6.11").await;
    check(".\r\n", "250 2.0.0 OK").await;
    check("Subject: x\r\n\r\n..\r\n.\r\n", "250 2.0.0 OK").await;
    assert_eq!(sandbox.inbox().len(), 2);
    assert!(sandbox.inbox().mails()[0].mail.mime.is_empty());
}

#[tokio::test]
async fn content_may_arrive_byte_by_byte() {
    let sandbox = sandbox().await;
    let mut smtp = signed_in(&sandbox).await;
    for line in [MAIL, RCPT, "DATA"] {
        smtp.command(line).await;
    }
    for byte in b"Subject: x\r\n\r\n..\r\n.x\r\n.\r\n" {
        smtp.send([*byte]).await;
    }
    assert!(smtp.reply().await.starts_with("250 2.0.0 OK"));
    assert_eq!(
        sandbox.inbox().mails()[0].mail.mime,
        b"Subject: x\r\n\r\n.\r\nx\r\n"
    );
}

#[tokio::test]
async fn limits_hold() {
    let limits = SubmissionLimits {
        recipients_per_message: 2,
        recipients_per_day: 3,
        message_bytes: 100,
        ..SubmissionLimits::default()
    };
    let sandbox = limited(limits).await;
    let mut smtp = signed_in(&sandbox).await;
    let ok = "250 2.1.5 Recipient OK";
    converse(
        &mut smtp,
        &[
            (MAIL, "250 2.1.0 Sender OK"),
            (RCPT, ok),
            (RCPT, ok),
            (RCPT, "452 4.5.3 Too many recipients"),
        ],
    )
    .await;
    smtp.command("DATA").await;
    let large = format!("Subject: x\r\n\r\n{}\r\n.", "x".repeat(100));
    assert_eq!(
        head(&smtp.command(&large).await),
        "552 5.3.4 Message size exceeds fixed maximum message size"
    );
    let mut send = async || {
        for line in [MAIL, RCPT, RCPT, "DATA"] {
            smtp.command(line).await;
        }
        smtp.command("Subject: x\r\n\r\n.").await
    };
    assert!(send().await.starts_with("250 2.0.0 OK"));
    assert!(
        send().await.starts_with(
            "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException"
        )
    );
    sandbox
        .clock()
        .advance(std::time::Duration::from_secs(24 * 3600));
    let reply = send().await;
    assert!(reply.starts_with("250 2.0.0 OK"), "a day later: {reply}");
}

#[tokio::test]
async fn a_chunk_that_is_too_large_is_read_and_refused() {
    let sandbox = limited(SubmissionLimits {
        message_bytes: 100,
        ..SubmissionLimits::default()
    })
    .await;
    let mut smtp = signed_in(&sandbox).await;
    smtp.send(format!(
        "{MAIL}\r\n{RCPT}\r\nBDAT 60\r\n{}BDAT 60 LAST\r\n{}NOOP\r\n",
        "x".repeat(60),
        "y".repeat(60)
    ))
    .await;
    let mut replies = Vec::new();
    for _ in 0..5 {
        replies.push(head(&smtp.reply().await).to_owned());
    }
    assert_eq!(
        replies[2..],
        [
            "250 2.0.0 60 octets received",
            "552 5.3.4 Message size exceeds fixed maximum message size",
            "250 2.0.0 OK"
        ]
    );
}

#[tokio::test]
async fn the_fourth_connection_of_a_mailbox_is_throttled_at_the_end_of_data() {
    let sandbox = sandbox().await;
    let mut connections = Vec::new();
    for _ in 0..4 {
        connections.push(signed_in(&sandbox).await);
    }
    for (index, smtp) in connections.iter_mut().enumerate() {
        for line in [MAIL, RCPT, "DATA"] {
            smtp.command(line).await;
        }
        let reply = smtp.command("Subject: x\r\n\r\n.").await;
        let expected = if index < 3 {
            "250 2.0.0 OK "
        } else {
            "432 4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending for more information. [Hostname="
        };
        assert!(reply.starts_with(expected), "{index}: {reply}");
    }
}

#[tokio::test]
async fn an_auth_line_may_have_sixteen_kibibytes() {
    let sandbox = sandbox().await;
    let mut smtp = Smtp::encrypted(&sandbox).await;
    let line = format!(
        "AUTH XOAUTH2 {}",
        xoauth2(seed::BILLING, &"x".repeat(12_000))
    );
    assert!(line.len() > 16_000);
    converse(
        &mut smtp,
        &[(&line, "535 5.7.3 Authentication unsuccessful")],
    )
    .await;
    let endless = "x".repeat(200_000);
    converse(
        &mut smtp,
        &[
            (&endless, "500 5.5.2 Line too long"),
            ("NOOP", "250 2.0.0 OK"),
        ],
    )
    .await;
}

#[tokio::test]
async fn what_is_asked_for_a_recipient_is_kept_and_what_is_no_request_is_refused() {
    let sandbox = limited(SubmissionLimits {
        extra_extensions: &["REQUIRETLS", "MT-PRIORITY"],
        ..SubmissionLimits::default()
    })
    .await;
    let mut smtp = signed_in(&sandbox).await;
    let mail = format!("{MAIL} RET=HDRS ENVID=7 REQUIRETLS MT-PRIORITY=-9");
    let flight = [
        (
            &*format!("{MAIL} MT-PRIORITY=10"),
            "501 5.5.4 Invalid arguments",
        ),
        (&mail, "250 2.1.0 Sender OK"),
        (
            &format!("{RCPT} NOTIFY=NEVER,DELAY"),
            "501 5.5.4 Invalid arguments",
        ),
        (
            &format!("{RCPT} ORCPT=someone"),
            "501 5.5.4 Invalid arguments",
        ),
        (
            &format!("{RCPT} NOTIFY=SUCCESS,DELAY ORCPT=rfc822;someone"),
            "250 2.1.5 Recipient OK",
        ),
    ];
    converse(&mut smtp, &flight).await;
    smtp.send("BDAT 34 LAST\r\nFrom: billing@contoso.example\r\n\r\n\n")
        .await;
    assert!(smtp.reply().await.starts_with("250"));
    let mails = sandbox.inbox().wait_for(1).await;
    let kept = &mails[0].mail.recipient_parameters[0];
    assert_eq!(kept.address, "someone@elsewhere.example");
    assert_eq!(
        kept.parameters,
        ["NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;someone"]
    );
    // The service itself offers neither.
    let sandbox = self::sandbox().await;
    let mut smtp = signed_in(&sandbox).await;
    converse(
        &mut smtp,
        &[(&format!("{MAIL} REQUIRETLS"), "501 5.5.4 Invalid arguments")],
    )
    .await;
}

#[tokio::test]
async fn rubbish_is_answered_and_never_breaks_the_session() {
    let sandbox = sandbox().await;
    let mut smtp = signed_in(&sandbox).await;
    let mut random = fastrand::Rng::with_seed(7);
    let words: [&[u8]; 12] = [
        b"MAIL FROM:<",
        b"RCPT TO:<",
        b"BDAT ",
        b"AUTH ",
        b">",
        b"\xff\xfe",
        b" SIZE=",
        b"@",
        b"\"",
        b"\\",
        b"\0",
        b" LAST",
    ];
    for _ in 0..2000 {
        let mut line: Vec<u8> = Vec::new();
        for _ in 0..random.usize(0..6) {
            line.extend_from_slice(random.choice(&words).unwrap());
        }
        // No command that changes to another mode of reading: only single lines are compared here.
        if line.starts_with(b"BDAT") || line.starts_with(b"AUTH") {
            line.insert(0, b'x');
        }
        smtp.send([line.as_slice(), b"\r\n"].concat()).await;
        let reply = smtp.reply().await;
        assert!(reply.starts_with(['2', '5']), "{line:?}: {reply}");
    }
    assert_eq!(smtp.command("NOOP").await, "250 2.0.0 OK");
}
