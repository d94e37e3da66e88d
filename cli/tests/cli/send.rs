//! `mailbearer send`: what arrives is what was asked for, and every verdict is told.

use crate::harness::World;
use mailbearer_sandbox::directory::seed;
use mailbearer_sandbox::{Effect, Fault, Phase, Times};

#[tokio::test(flavor = "multi_thread")]
async fn sends_everything_the_options_say() {
    let world = World::with_billing().await;
    let attachment = world.write("notes.txt", "attached text");
    let html = world.write("mail.html", "<p>hello <img src=\"cid:logo\"></p>");
    let image = world.write("logo.png", "not really a picture");
    let mut send = world.command(&["send", "--to", "Bob Baker <bob@contoso.example>"]);
    send.args([
        "--cc",
        seed::ALICE,
        "--bcc",
        seed::BILLING,
        "--reply-to",
        seed::BOB,
    ]);
    send.args([
        "--subject",
        "Größe",
        "--text",
        "hello text",
        "--html-file",
        &html,
    ]);
    send.args([
        "--attach",
        &attachment,
        "--inline",
        &format!("logo={image}"),
    ]);
    send.args(["--header", "X-Case: 4711", "--priority", "high"]);
    send.args(["--unsubscribe-url", "https://contoso.example/leave"]);
    let run = world.run_with(&mut send, "");
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(
        run.stdout.matches("✔ accepted").count(),
        3,
        "{}",
        run.stdout
    );

    let mails = world.sandbox.inbox().mails();
    let mail = &mails[0].mail;
    assert_eq!(
        mail.accepted_recipients,
        [seed::BOB, seed::ALICE, seed::BILLING]
    );
    let mime = String::from_utf8_lossy(&mail.mime).into_owned();
    for part in [
        "hello text",
        "X-Case: 4711",
        "X-Priority: 1",
        "notes.txt",
        "Content-ID: <logo>",
        "List-Unsubscribe-Post",
    ] {
        assert!(mime.contains(part), "{part}: {mime}");
    }
    assert!(!mime.contains(&format!("<{}>", "bcc")), "{mime}");
    assert!(!mime.contains("Bcc"), "{mime}");
}

#[tokio::test(flavor = "multi_thread")]
async fn asks_the_servers_for_what_the_options_say_and_tells_what_they_do_not_offer() {
    let world = World::with_billing().await;
    let mut send = world.command(&["send", "--to", seed::BOB, "--text", "hello"]);
    send.args(["--notify", "failure,delay", "--returned", "headers"]);
    send.args(["--envelope-id", "7", "--transfer-priority", "-3"]);
    let run = world.run_with(&mut send, "");
    assert_eq!(run.code, 0, "{run:?}");
    let told = "cannot be asked for a place among other mails (no MT-PRIORITY)";
    assert!(run.stdout.contains(told), "{}", run.stdout);
    let mails = world.sandbox.inbox().mails();
    let mail = &mails[0].mail;
    assert_eq!(mail.mail_parameters[1..], ["RET=HDRS", "ENVID=7"]);
    let asked = &mail.recipient_parameters[0].parameters;
    assert_eq!(asked[0], "NOTIFY=FAILURE,DELAY");
    let mut send = world.command(&["send", "--to", seed::BOB, "--text", "hello"]);
    let run = world.run_with(send.arg("--require-tls"), "");
    run.fails_with(65, "requiretls-unsupported");
}

#[tokio::test(flavor = "multi_thread")]
async fn takes_the_text_from_standard_input() {
    let world = World::with_billing().await;
    let mut send = world.command(&["send", "--to", seed::BOB, "--subject", "piped"]);
    let run = world.run_with(&mut send, "from standard input\n");
    assert_eq!(run.code, 0, "{run:?}");
    let mails = world.sandbox.inbox().mails();
    let mime = String::from_utf8_lossy(&mails[0].mail.mime).into_owned();
    assert!(mime.contains("from standard input"), "{mime}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sends_a_finished_message_as_it_is() {
    let world = World::with_billing().await;
    let message = format!(
        "From: {}\nTo: other@x.example\nSubject: raw\nMessage-ID: <1@x>\n\nas it is\n",
        seed::BILLING
    );
    let path = world.write("message.eml", &message);
    for eml in [path.as_str(), "-"] {
        let mut send = world.command(&["send", "--eml", eml, "--to", seed::BOB]);
        let run = world.run_with(&mut send, &message);
        assert_eq!(run.code, 0, "{run:?}");
    }
    for stored in world.sandbox.inbox().mails() {
        assert_eq!(stored.mail.accepted_recipients, [seed::BOB]);
        let mime = String::from_utf8_lossy(&stored.mail.mime).replace("\r\n", "\n");
        assert!(mime.contains(&message), "{mime}");
    }
    assert_eq!(world.sandbox.inbox().len(), 2);
    let without_recipient = world.run(&["send", "--eml", &path]);
    without_recipient.fails_with(65, "no-recipients");
    let with_a_subject = world.run(&["send", "--eml", &path, "--to", seed::BOB, "--subject", "x"]);
    assert_eq!(with_a_subject.code, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn tells_who_was_refused_and_why() {
    let world = World::with_billing().await;
    let arguments = [
        "send",
        "--to",
        seed::BOB,
        "--to",
        "nobody@contoso.example",
        "--text",
        "x",
        "--subject",
        "s",
    ];
    let run = world.run(&arguments);
    assert_eq!(run.code, 3, "{run:?}");
    for word in [
        "1 of 2 recipients",
        "✔ accepted",
        "✘ refused",
        "550 5.1.10",
        "cause   recipient-not-found",
        "next ",
    ] {
        assert!(run.stdout.contains(word), "{word}: {}", run.stdout);
    }
    assert!(
        run.stdout.lines().all(|line| line.chars().count() <= 80),
        "{}",
        run.stdout
    );

    let (code, document) = world.json(&arguments);
    assert_eq!(code, 3);
    let recipients = &document["delivery"]["recipients"];
    assert_eq!(recipients[0]["verdict"], "accepted");
    assert_eq!(recipients[1]["verdict"], "refused");
    assert_eq!(recipients[1]["reply"]["code"], 550);
    assert_eq!(
        document["delivery"]["trail"]["token"]["origin"],
        "clientSecret"
    );

    let run = world.run(&["send", "--to", "nobody@contoso.example", "--text", "x"]);
    assert_eq!((run.code, run.stdout.as_str()), (65, ""), "{run:?}");
    assert!(run.stderr.contains("✘ refused"), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn shows_the_trail_when_asked() {
    let world = World::with_billing().await;
    let arguments = ["send", "--to", seed::BOB, "--text", "x"];
    let brief = world.run(&arguments);
    assert!(!brief.stdout.contains("TLSv1"), "{}", brief.stdout);
    let run = world.run(&[&arguments[..], &["--verbose"]].concat());
    for word in [
        "localhost:",
        "TLSv1.3",
        "at hand, by client secret",
        "SMTP.SendAsApp",
        "steps",
    ] {
        assert!(run.stdout.contains(word), "{word}: {}", run.stdout);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_failure_has_its_exit_code() {
    let world = World::with_billing().await;
    let arguments = ["send", "--to", seed::BOB, "--text", "x"];
    let check = |at: Phase, effect: Effect, expected: i32| {
        let times = Times::Always;
        let fault = Fault { at, effect, times };
        world.sandbox.faults().inject(fault).unwrap();
        let run = world.run(&arguments);
        assert_eq!(run.code, expected, "{at:?}: {run:?}");
        world.sandbox.faults().clear();
    };
    let named = |name: &str| Effect::Named(name.to_owned());
    check(Phase::TokenClientCredentials, named("AADSTS7000222"), 78);
    check(Phase::AuthResponse, named("smtp-auth-disabled-mailbox"), 79);
    check(Phase::DataEnd, named("throttle-rate"), 75);
    check(Phase::DataEnd, named("temporary-server-error"), 69);
    check(Phase::Connect, Effect::Cut, 69);
    check(Phase::DataEnd, named("send-as-denied"), 65);
}

#[tokio::test(flavor = "multi_thread")]
async fn says_what_is_wrong_before_anything_is_sent() {
    let world = World::with_billing().await;
    let missing = [
        "send",
        "--to",
        seed::BOB,
        "--text",
        "x",
        "--attach",
        "missing.pdf",
    ];
    world.run(&missing).fails_with(65, "attachment-unreadable");
    let missing = ["send", "--to", seed::BOB, "--html-file", "missing.html"];
    world.run(&missing).fails_with(2, "file-unreadable");
    let nobody = [
        "send",
        "--to",
        seed::BOB,
        "--text",
        "x",
        "--account",
        "nobody",
    ];
    world.run(&nobody).fails_with(2, "account-unknown");
    let twice = ["send", "--to", seed::BOB, "--passphrase-fd", "0"];
    world.run(&twice).fails_with(2, "stdin-wanted-twice");
    assert!(world.sandbox.inbox().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn takes_a_mail_as_data_and_says_what_is_wrong_with_it() {
    let world = World::with_billing().await;
    let send = |message: &str, more: &[&str]| {
        let mut command = world.command(&["send", "--message", "-"]);
        world.run_with(command.args(more), message)
    };
    let mail = r#"{"account": "nobody", "to": [{"address": "bob@contoso.example"}], "text": "x"}"#;
    send(mail, &[]).fails_with(2, "account-unknown");
    let sent = send(mail, &["--account", "billing"]);
    assert_eq!(sent.code, 0, "{sent:?}");
    let sent = send(&mail.replace("nobody", ""), &[]);
    assert_eq!(sent.code, 0, "the only account: {sent:?}");
    assert_eq!(world.sandbox.inbox().len(), 2);

    let misspelt = send(r#"{"subjekt": "x"}"#, &[]);
    misspelt.fails_with(2, "message-unreadable");
    assert!(misspelt.stderr.contains("subjekt"), "{misspelt:?}");
    let both = send(mail, &["--to", seed::BOB]);
    assert_eq!(both.code, 2, "{both:?}");
    send(mail, &["--passphrase-fd", "0"]).fails_with(2, "stdin-wanted-twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn takes_the_mail_of_the_user_page() {
    let world = World::with_billing().await;
    world.write("invoice.pdf", "%PDF-1.7");
    let page = include_str!("../../../docs/cli.md");
    let example = page.lines().find(|line| line.ends_with("send --message -"));
    let mail = example.unwrap().split('\'').nth(1).unwrap();
    let mut command = world.command(&["send", "--message", "-"]);
    let run = world.run_with(command.current_dir(world.folder.path()), mail);
    assert_eq!(run.code, 0, "{run:?}");
    let mails = world.sandbox.inbox().mails();
    let mime = String::from_utf8_lossy(&mails[0].mail.mime).into_owned();
    assert!(
        mime.contains("Subject: Your invoice") && mime.contains("invoice.pdf"),
        "{mime}"
    );
}
