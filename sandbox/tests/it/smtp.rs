//! SMTP submission as `smtp.office365.com` does it.

use mailbearer_sandbox::directory::seed;

use crate::support::{
    DELEGATED_SCOPE, Smtp, device_sign_in, head, sandbox, service_token, xoauth2,
};

#[tokio::test]
async fn a_session_runs_as_with_exchange_online() {
    let sandbox = sandbox().await;
    let token = device_sign_in(&sandbox, seed::ALICE, DELEGATED_SCOPE)
        .await
        .access_token()
        .to_owned();
    let mut smtp = Smtp::connect(&sandbox).await;
    assert!(smtp.reply().await.starts_with(
        "220 SB1P000CA0001.outlook.office365.com Microsoft ESMTP MAIL Service ready at "
    ));
    let hello = "250-SB1P000CA0001.outlook.office365.com Hello [127.0.0.1]\n250-SIZE 157286400\n250-PIPELINING\n250-DSN\n\
                 250-ENHANCEDSTATUSCODES\n250-STARTTLS\n250-8BITMIME\n250-BINARYMIME\n250-CHUNKING\n250 SMTPUTF8";
    assert_eq!(smtp.command("EHLO client.example").await, hello);
    assert_eq!(
        smtp.command("STARTTLS").await,
        "220 2.0.0 SMTP server ready"
    );
    smtp.start_tls(&sandbox).await;
    let hello = hello.replace("STARTTLS", "AUTH LOGIN XOAUTH2");
    assert_eq!(smtp.command("EHLO client.example").await, hello);
    assert_eq!(smtp.command("AUTH XOAUTH2").await, "334 ");
    assert_eq!(
        smtp.command(&xoauth2(seed::ALICE, &token)).await,
        "235 2.7.0 Authentication successful"
    );
    assert_eq!(
        smtp.command("MAIL FROM:<alice@contoso.example> SIZE=60")
            .await,
        "250 2.1.0 Sender OK"
    );
    assert_eq!(
        smtp.command("RCPT TO:<someone@elsewhere.example>").await,
        "250 2.1.5 Recipient OK"
    );
    let unknown = smtp.command("RCPT TO:<nobody@contoso.example>").await;
    let expected =
        "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup";
    assert_eq!(head(&unknown), expected);
    assert_eq!(
        smtp.command("DATA").await,
        "354 Start mail input; end with <CRLF>.<CRLF>"
    );
    let mime = "From: alice@contoso.example\r\nMessage-ID: <1@contoso.example>\r\n\r\n.dot\r\n..\r\nend\r\n";
    let stuffed = mime.replace("\r\n.", "\r\n..");
    assert_eq!(
        smtp.command(&format!("{stuffed}.")).await,
        "250 2.0.0 OK <1@contoso.example> [Hostname=SB1P000MB0001.SBXP000.PROD.OUTLOOK.COM]"
    );
    assert_eq!(
        smtp.command("QUIT").await,
        "221 2.0.0 Service closing transmission channel"
    );
    assert_eq!(smtp.reply().await, "", "the server closes after QUIT");

    let mails = sandbox.inbox().wait_for(1).await;
    let mail = &mails[0].mail;
    assert_eq!(String::from_utf8_lossy(&mail.mime), mime);
    assert_eq!(mail.accepted_recipients, ["someone@elsewhere.example"]);
    assert_eq!(mail.refused_recipients[0].address, "nobody@contoso.example");
    assert_eq!(mail.authenticated_as.as_deref(), Some(seed::ALICE));
    assert_eq!(
        mail.tls.as_deref(),
        Some("TLSv1.3 TLS13_AES_256_GCM_SHA384")
    );
    assert_eq!(mail.token.as_ref().unwrap()["scp"], "SMTP.Send");
}

#[tokio::test]
async fn a_service_sends_by_chunks_in_one_flight() {
    let sandbox = sandbox().await;
    let token = service_token(&sandbox).await;
    let mut smtp = Smtp::signed_in(&sandbox, seed::BILLING, &token).await;
    let mime = "From: billing@contoso.example\r\n\r\n.\r\nbare\nline feed";
    let (first, second) = mime.split_at(10);
    let flight = format!(
        "MAIL FROM:<billing@contoso.example>\r\nRCPT TO:<alice@contoso.example>\r\nBDAT 10\r\n{}BDAT {} LAST\r\n{}NOOP\r\n",
        first,
        second.len(),
        second
    );
    smtp.send(flight).await;
    assert_eq!(smtp.reply().await, "250 2.1.0 Sender OK");
    assert_eq!(smtp.reply().await, "250 2.1.5 Recipient OK");
    assert_eq!(smtp.reply().await, "250 2.0.0 10 octets received");
    assert!(smtp.reply().await.starts_with("250 2.0.0 OK <"));
    assert_eq!(smtp.reply().await, "250 2.0.0 OK");
    let mails = sandbox.inbox().wait_for(1).await;
    assert_eq!(String::from_utf8_lossy(&mails[0].mail.mime), mime);
    assert!(mails[0].mail.chunked);
}
