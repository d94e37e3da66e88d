//! Whole dialogues as transcripts: what is said, octet for octet, and what comes of it.
//! Servers here behave; those that do not are in `hostile_tests`.

use super::testing::{
    Act, MESSAGE, QUIT, RESPONSE, TOKEN, World, answer, in_small_steps, mail, script, signed_in,
};
use crate::body::{Body, Form, Segment, Source};
use crate::model::{RecipientVerdict, Verdict};
use crate::transport::{Outcome, OutgoingMail, Transport as _};
use std::sync::Arc;

const PIPELINED: &[&str] = &["SIZE 157286400", "PIPELINING", "8BITMIME", "SMTPUTF8"];

/// Plays scripts, one for each connection, and demands that they are played to their end.
async fn play(scripts: &[&str], mail: &OutgoingMail) -> Outcome {
    play_in(
        World::new(&scripts.iter().map(|text| script(text)).collect::<Vec<_>>()),
        mail,
    )
    .await
}

async fn play_in(world: World, mail: &OutgoingMail) -> Outcome {
    let world = Arc::new(world);
    let outcome = world.deliver(mail).await;
    world.expect_scripts_played();
    assert_eq!(outcome.recipients.len(), mail.recipients.len());
    outcome
}

fn verdicts(outcome: &Outcome) -> Vec<(Verdict, u16)> {
    let code =
        |recipient: &RecipientVerdict| recipient.reply.as_ref().map_or(0, |reply| reply.code);
    outcome
        .recipients
        .iter()
        .map(|recipient| (recipient.verdict, code(recipient)))
        .collect()
}

fn error_code(outcome: &Outcome) -> &str {
    outcome
        .end
        .as_ref()
        .map_or_else(|error| error.code(), |reply| reply.text.as_str())
}

#[tokio::test]
async fn sends_an_envelope_in_one_flight_where_pipelining_is_offered() {
    let text = format!(
        "{}C: MAIL FROM:<ada@example.com> SIZE=22
         C: RCPT TO:<b@example.com>
         C: RCPT TO:<c@example.com>
         C: DATA
         S: 250 2.1.0 Sender OK
         S: 250 2.1.5 Recipient OK
         S: 250 2.1.5 Recipient OK
         S: 354 Start mail input; end with <CRLF>.<CRLF>
         C: Subject: x
         C:
         C: ..hello
         C: .
         S: 250 2.0.0 OK <1@PROD.OUTLOOK.COM> [Hostname=X.PROD.OUTLOOK.COM]
         {QUIT}",
        signed_in(PIPELINED)
    );
    let world = Arc::new(World::new(&[script(&text)]));
    let outcome = world
        .deliver(&mail(&["b@example.com", "c@example.com"]))
        .await;
    world.expect_scripts_played();

    let reply = outcome.end.as_ref().unwrap();
    assert_eq!(
        (reply.code, reply.enhanced_status.as_deref()),
        (250, Some("2.0.0"))
    );
    assert_eq!(outcome.server_message_id(), Some("1@PROD.OUTLOOK.COM"));
    assert_eq!(
        verdicts(&outcome),
        [(Verdict::Accepted, 250), (Verdict::Accepted, 250)]
    );
    assert_eq!(outcome.recipients[0].reply.as_ref(), Some(reply));
    let flights = world.flights(0);
    let envelope = "MAIL FROM:<ada@example.com> SIZE=22\r\nRCPT TO:<b@example.com>\r\nRCPT TO:<c@example.com>\r\nDATA\r\n";
    let expected = [
        "EHLO [192.0.2.7]\r\n".to_owned(),
        "STARTTLS\r\n".to_owned(),
        "EHLO [192.0.2.7]\r\n".to_owned(),
        format!("AUTH XOAUTH2 {RESPONSE}\r\n"),
        envelope.to_owned(),
        "Subject: x\r\n\r\n..hello\r\n.\r\n".to_owned(),
        "QUIT\r\n".to_owned(),
    ];
    assert_eq!(flights, expected);
}

#[tokio::test]
async fn keeps_a_trail_of_every_step() {
    let text = format!(
        "{}C: MAIL FROM:<ada@example.com>
         S: 250 OK
         C: RCPT TO:<b@example.com>
         S: 250 OK
         C: DATA
         S: 354 go
         M
         S: 250 OK
         {QUIT}",
        signed_in(&[])
    );
    let trail = play(&[&text], &mail(&["b@example.com"])).await.trail;
    let steps: Vec<_> = trail.steps.iter().map(|step| step.name.as_str()).collect();
    let expected = [
        "token",
        "connect",
        "greeting",
        "EHLO",
        "STARTTLS",
        "TLS handshake",
        "EHLO",
        "AUTH",
        "MAIL RCPT DATA",
        "message",
        "verdict",
    ];
    assert_eq!(steps, expected);
    assert_eq!(trail.server, "mail.example.com:587");
    assert_eq!(trail.size_bytes, 22);
    assert_eq!(trail.tls.unwrap().version, "TLSv1.3");
    assert_eq!(trail.token.unwrap().scopes, ["SMTP.Send"]);
}

/// The replies to MAIL, to each of three RCPTs and to DATA, then what follows; the expected verdicts and end.
async fn check_both_ways(
    replies: [&str; 5],
    rest: &str,
    expected: [(Verdict, u16); 3],
    end: Option<u16>,
) {
    let commands = [
        "MAIL FROM:<ada@example.com>",
        "RCPT TO:<b@example.com>",
        "RCPT TO:<c@example.com>",
        "RCPT TO:<d@example.com>",
        "DATA",
    ];
    let mail = mail(&["b@example.com", "c@example.com", "d@example.com"]);
    let heard: String = commands
        .iter()
        .map(|command| format!("C: {command}\n"))
        .collect();
    let said: String = replies
        .iter()
        .map(|reply| format!("S: {reply}\n"))
        .collect();
    let pipelined = format!("{}{heard}{said}{rest}{QUIT}", signed_in(&["PIPELINING"]));

    // One by one, nothing is said that is known to be in vain.
    let mut one_by_one = signed_in(&[]);
    let is_refused = |reply: &str| !reply.starts_with(['2', '3']);
    let is_over = is_refused(replies[0]);
    let nobody_left = is_over || replies[1..4].iter().all(|reply| is_refused(reply));
    for (command, reply) in commands.iter().zip(replies) {
        let in_vain = is_over && *command != commands[0] || nobody_left && *command == "DATA";
        if !in_vain {
            one_by_one.extend(["C: ", command, "\nS: ", reply, "\n"]);
        }
    }
    if !nobody_left {
        one_by_one += rest;
    }
    one_by_one += QUIT;

    for text in [pipelined, one_by_one] {
        let outcome = play(&[&text], &mail).await;
        assert_eq!(verdicts(&outcome), expected, "{text}");
        assert_eq!(
            outcome.end.as_ref().ok().map(|reply| reply.code),
            end,
            "{text}"
        );
    }
}

#[tokio::test]
async fn attaches_each_reply_to_its_recipient() {
    use Verdict::{Accepted, Deferred, NotTried, Refused};
    let message = "M\nS: 250 OK\n";
    let ok = "250 OK";
    let accepted = (Accepted, 250);

    check_both_ways(
        [ok, ok, ok, ok, "354 go"],
        message,
        [accepted; 3],
        Some(250),
    )
    .await;
    check_both_ways(
        [ok, ok, "550 5.1.1 unknown", ok, "354 go"],
        message,
        [accepted, (Refused, 550), accepted],
        Some(250),
    )
    .await;
    check_both_ways(
        [
            ok,
            "452 4.5.3 too many",
            "251 forwarded",
            "550 no",
            "354 go",
        ],
        message,
        [(Deferred, 452), accepted, (Refused, 550)],
        Some(250),
    )
    .await;
    // Nobody is left, and DATA is refused with them.
    check_both_ways(
        [ok, "550 a", "451 b", "553 c", "554 no valid recipients"],
        "",
        [(Refused, 550), (Deferred, 451), (Refused, 553)],
        None,
    )
    .await;
    // Nobody is left, and a pipelined DATA is accepted all the same: the end of data alone is sent.
    check_both_ways(
        [ok, "550 a", "550 b", "550 c", "354 go"],
        "C: .\nS: 554 no valid recipients\n",
        [(Refused, 550); 3],
        None,
    )
    .await;
    check_both_ways(
        [
            "550 5.7.60 not as this sender",
            "503 mail first",
            "503 mail first",
            "503 mail first",
            "503 mail first",
        ],
        "",
        [(NotTried, 0); 3],
        None,
    )
    .await;
    check_both_ways(
        [ok, ok, "550 no", ok, "451 later"],
        "",
        [(Deferred, 451), (Refused, 550), (Deferred, 451)],
        None,
    )
    .await;
    check_both_ways(
        [ok, ok, "550 no", ok, "354 go"],
        "M\nS: 554 5.2.252 SendAsDenied\n",
        [(Refused, 554), (Refused, 550), (Refused, 554)],
        None,
    )
    .await;
    check_both_ways(
        [ok, ok, ok, ok, "354 go"],
        "M\nS: 432 4.3.2 Concurrent connections limit exceeded\n",
        [(Deferred, 432); 3],
        None,
    )
    .await;
}

#[tokio::test]
async fn a_mail_that_only_waits_for_one_recipient_ends_with_what_will_pass() {
    let text = format!(
        "{}C: MAIL FROM:<ada@example.com>
         S: 250 OK
         C: RCPT TO:<b@example.com>
         S: 550 no
         C: RCPT TO:<c@example.com>
         S: 451 later
         {QUIT}",
        signed_in(&[])
    );
    let outcome = play(&[&text], &mail(&["b@example.com", "c@example.com"])).await;
    assert!(answer(&outcome.end.unwrap_err()).contains("451"));
}

#[tokio::test]
async fn says_what_the_mail_needs() {
    let mail = OutgoingMail {
        sender: String::new(),
        mime: "Subject: \u{fc}\r\n\r\n".into(),
        eight_bit: true,
        ..mail(&["b\u{fc}ro@example.com"])
    };
    let text = format!(
        "{}C: MAIL FROM:<> SIZE=15 BODY=8BITMIME SMTPUTF8
         C: RCPT TO:<b\u{fc}ro@example.com>
         C: DATA
         S: 250 OK
         S: 250 OK
         S: 354 go
         C: Subject: \u{fc}
         C:
         C: .
         S: 250 OK
         {QUIT}",
        signed_in(PIPELINED)
    );
    assert!(play(&[&text], &mail).await.end.is_ok());
}

#[tokio::test]
async fn a_mail_the_server_would_not_take_is_not_offered_to_it() {
    async fn check(offers: &[&str], mail: OutgoingMail, expected: &str) {
        let opened = signed_in(offers);
        let outcome = play(&[&format!("{opened}{QUIT}")], &mail).await;
        assert_eq!(error_code(&outcome), expected);
        assert_eq!(verdicts(&outcome), [(Verdict::NotTried, 0)]);
        assert_eq!(outcome.recipients[0].code, expected);
        assert!(!outcome.recipients[0].fix.is_empty());
    }
    let plain = || mail(&["b@example.com"]);
    check(&["SIZE 21"], plain(), "size-limit").await;
    let eight_bit = OutgoingMail {
        eight_bit: true,
        ..plain()
    };
    check(&["SIZE 0"], eight_bit, "8bitmime-unsupported").await;
    let utf8 = OutgoingMail {
        needs_smtputf8: true,
        ..plain()
    };
    check(&["8BITMIME"], utf8, "smtputf8-unsupported").await;
}

#[tokio::test]
async fn a_mail_that_is_wrong_in_itself_costs_nothing_at_all() {
    async fn check(mail: OutgoingMail, expected: &str) {
        let outcome = play(&[], &mail).await;
        assert_eq!(error_code(&outcome), expected);
        assert!(outcome.trail.steps.is_empty());
        assert!(
            outcome
                .recipients
                .iter()
                .all(|recipient| recipient.verdict == Verdict::NotTried)
        );
    }
    check(mail(&[]), "recipients-missing").await;
    check(
        mail(&["b@example.com", "c@example.com>\r\nDATA"]),
        "address-invalid",
    )
    .await;
    let bare = OutgoingMail {
        mime: "a\n.\r\nb\r\n".into(),
        ..mail(&["b@example.com"])
    };
    check(bare, "message-format").await;
}

#[tokio::test]
async fn nothing_goes_on_without_starttls() {
    let text = format!(
        "S: 220 mail.example.com ESMTP
         C: EHLO [192.0.2.7]
         S: 250-mail.example.com
         S: 250 AUTH LOGIN XOAUTH2
         {QUIT}"
    );
    let outcome = play(&[&text], &mail(&["b@example.com"])).await;
    assert_eq!(error_code(&outcome), "starttls-missing");
    assert!(
        outcome
            .end
            .unwrap_err()
            .to_string()
            .contains("credentials never leave over plaintext")
    );
}

#[tokio::test]
async fn only_what_is_offered_after_tls_counts() {
    let text = format!(
        "S: 220 mail.example.com ESMTP
         C: EHLO [192.0.2.7]
         S: 250-mail.example.com
         S: 250-PIPELINING
         S: 250-AUTH XOAUTH2
         S: 250 STARTTLS
         C: STARTTLS
         S: 220 go
         TLS
         C: EHLO [192.0.2.7]
         S: 250 mail.example.com
         {QUIT}"
    );
    let outcome = play(&[&text], &mail(&["b@example.com"])).await;
    assert_eq!(error_code(&outcome), "wrong-host");
    let text = text.replace(
        "S: 250 mail.example.com\n",
        "S: 250-mail.example.com\nS: 250 AUTH LOGIN\n",
    );
    let outcome = play(&[&text], &mail(&["b@example.com"])).await;
    assert_eq!(error_code(&outcome), "auth-mechanism-unsupported");
}

#[tokio::test]
async fn a_refused_opening_is_reported_as_the_server_says_it() {
    async fn check(text: &str, expected: &str) {
        let outcome = play(&[text], &mail(&["b@example.com"])).await;
        let error = outcome.end.unwrap_err();
        assert!(answer(&error).contains(expected), "{error:?}");
    }
    check("S: 554 5.7.1 go away", "554").await;
    check("S: 421 4.3.2 later", "421").await;
    check("S: 220 x\nC: EHLO [192.0.2.7]\nS: 502 what", "502").await;
    let starttls =
        "S: 220 x\nC: EHLO [192.0.2.7]\nS: 250-x\nS: 250 STARTTLS\nC: STARTTLS\nS: 454 no TLS now";
    check(starttls, "454").await;
}

/// The replies and lines after the first AUTH, on a connection that ends with `ending`.
fn auth(dialogue: &str, ending: &str) -> String {
    let opened = signed_in(&[]);
    let (opened, _) = opened.split_once("S: 235").unwrap();
    format!("{opened}{dialogue}{ending}")
}

const CHALLENGE: &str = "334 eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiQmVhcmVyIiwic2NvcGUiOiJodHRwczovL21haWwuZ29vZ2xlLmNvbS8ifQ==";

#[tokio::test]
async fn a_refused_token_is_reported_once_no_other_can_be_had() {
    async fn check(dialogue: &str, ending: &str, answer: Option<&str>) {
        // The source knows of no other token, or gives the same one again.
        for tokens in [&[TOKEN][..], &[TOKEN, TOKEN]] {
            let world = World::new(&[script(&auth(dialogue, ending))]).with_tokens(tokens);
            let outcome = play_in(world, &mail(&["b@example.com"])).await;
            assert_eq!(verdicts(&outcome), [(Verdict::NotTried, 0)]);
            let error = outcome.end.unwrap_err();
            if tokens.len() == 1 {
                assert_eq!(error.code(), "refresh-token-expired");
            } else if let Some(answer) = answer {
                assert_eq!(error.problem().answer.as_deref(), Some(answer));
            }
            assert!(!format!("{error:?}").contains(TOKEN));
        }
    }
    let challenge = "error challenge: status=400 scope=https://mail.google.com/";
    check("S: 535 5.7.3 no\n", QUIT, None).await;
    check("S: 535 5.7.3 no\n", "X\n", None).await;
    let answered = format!("S: {CHALLENGE}\nC:\n");
    check(
        &format!("{answered}S: 535 5.7.8 no\n"),
        QUIT,
        Some(&format!("535 5.7.8 no; {challenge}")),
    )
    .await;
    let twice = format!("{answered}S: {CHALLENGE}\nC: *\nS: 501 off\n");
    check(&twice, QUIT, Some(&format!("501 off; {challenge}"))).await;
    // It hangs up instead of refusing in words.
    check(&answered, "X\n", Some(challenge)).await;
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_and_tried_on_a_new_connection() {
    let renewed = "fresh";
    let response = "dXNlcj1hZGFAZXhhbXBsZS5jb20BYXV0aD1CZWFyZXIgZnJlc2gBAQ==";
    let second = auth("", "").replace(RESPONSE, response);
    let refused = auth("S: 535 5.7.3 no\n", QUIT);

    let accepted = format!(
        "{second}S: 235 yes
         C: MAIL FROM:<ada@example.com>
         S: 250 OK
         C: RCPT TO:<b@example.com>
         S: 250 OK
         C: DATA
         S: 354 go
         M
         S: 250 OK
         {QUIT}"
    );
    let world = World::new(&[script(&refused), script(&accepted)]).with_tokens(&[TOKEN, renewed]);
    let outcome = play_in(world, &mail(&["b@example.com"])).await;
    assert_eq!(verdicts(&outcome), [(Verdict::Accepted, 250)]);
    assert!(
        !outcome.trail.token.unwrap().from_cache,
        "the trail names the token that was used"
    );

    let refused_again = format!("{second}S: 535 5.7.3 never\n{QUIT}");
    let tokens = &[TOKEN, renewed, "a third one"];
    let world = World::new(&[script(&refused), script(&refused_again)]).with_tokens(tokens);
    let outcome = play_in(world, &mail(&["b@example.com"])).await;
    assert_eq!(verdicts(&outcome), [(Verdict::NotTried, 0)]);
}

#[tokio::test]
async fn what_no_other_token_would_change_is_reported_at_once() {
    async fn check(dialogue: &str, expected: &str) {
        let world = World::new(&[script(&auth(dialogue, QUIT))]).with_tokens(&[TOKEN, "fresh"]);
        let outcome = play_in(world, &mail(&["b@example.com"])).await;
        let error = outcome.end.unwrap_err();
        assert!(answer(&error).contains(expected), "{error:?}");
    }
    check("S: 454 4.7.0 later\n", "454").await;
    check("S: 432 4.3.2 busy\n", "432").await;
    check("S: 504 5.7.4 unrecognized\n", "504").await;
    check("S: 250 what\n", "250").await;
}

#[tokio::test]
async fn a_server_that_cannot_take_the_token_in_the_command_gets_it_after() {
    let dialogue =
        format!("S: 500 5.5.6 line too long\nC: AUTH XOAUTH2\nS: 334\nC: {RESPONSE}\nS: 235 yes\n");
    let rest = format!("C: MAIL FROM:<ada@example.com>\nS: 550 no\n{QUIT}");
    let outcome = play(&[&auth(&dialogue, &rest)], &mail(&["b@example.com"])).await;
    assert!(answer(&outcome.end.unwrap_err()).contains("550"));
}

#[tokio::test]
async fn a_long_token_follows_the_command_except_at_exchange() {
    let token: &'static str = "x".repeat(1500).leak();
    let plain = format!("user=ada@example.com\u{1}auth=Bearer {token}\u{1}\u{1}");
    let response = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, plain);
    let rest = format!("S: 235 yes\nC: MAIL FROM:<ada@example.com>\nS: 550 no\n{QUIT}");
    let opened = signed_in(&[]);
    let (opened, _) = opened.split_once("C: AUTH").unwrap();
    let two_steps = format!("{opened}C: AUTH XOAUTH2\nS: 334\nC: {response}\n{rest}");
    let banner = "220 X.outlook.office365.com Microsoft ESMTP MAIL Service ready";
    let one_step = format!("{opened}C: AUTH XOAUTH2 {response}\n{rest}");
    let one_step = one_step.replace("220 mail.example.com ESMTP", banner);
    for text in [two_steps, one_step] {
        let world = World::new(&[script(&text)]).with_tokens(&[token]);
        let outcome = play_in(world, &mail(&["b@example.com"])).await;
        assert!(answer(&outcome.end.unwrap_err()).contains("550"), "{text}");
    }
}

#[tokio::test]
async fn a_large_message_goes_in_bounded_writes() {
    let line = format!(".{}\r\n", "x".repeat(76));
    let mime = line.repeat(5000);
    let mail = OutgoingMail {
        mime: mime.clone().into(),
        ..mail(&["b@example.com"])
    };
    let text = format!(
        "{}C: MAIL FROM:<ada@example.com>
         C: RCPT TO:<b@example.com>
         C: DATA
         S: 250 OK
         S: 250 OK
         S: 354 go
         M
         S: 250 OK
         {QUIT}",
        signed_in(&["PIPELINING"])
    );
    let world = Arc::new(World::new(&[script(&text)]));
    assert!(world.deliver(&mail).await.end.is_ok());
    world.expect_scripts_played();
    let flights = world.flights(0);
    let message = &flights[5..flights.len() - 1];
    assert!(message.len() > 5 && message.iter().all(|flight| flight.len() < 130_000));
    assert_eq!(
        message.concat(),
        format!("{}.\r\n", mime.replace(".x", "..x"))
    );
    assert_eq!(MESSAGE.len(), 22);
}

#[tokio::test]
async fn a_whole_mail_goes_in_one_flight_where_chunking_is_offered() {
    let text = format!(
        "{}C: MAIL FROM:<ada@example.com> SIZE=22
         C: RCPT TO:<b@example.com>
         C: RCPT TO:<c@example.com>
         C: BDAT 22 LAST
         C: Subject: x
         C:
         C: .hello
         S: 250 2.1.0 Sender OK
         S: 550 5.1.1 unknown
         S: 250 2.1.5 Recipient OK
         S: 250 2.0.0 OK <1@PROD.OUTLOOK.COM> [Hostname=X.PROD.OUTLOOK.COM]
         {QUIT}",
        signed_in(&["SIZE 157286400", "PIPELINING", "CHUNKING"])
    );
    let world = Arc::new(World::new(&[script(&text)]));
    let two = mail(&["b@example.com", "c@example.com"]);
    let outcome = world.deliver(&two).await;
    world.expect_scripts_played();
    assert_eq!(
        verdicts(&outcome),
        [(Verdict::Refused, 550), (Verdict::Accepted, 250)]
    );
    assert_eq!(
        world.flights(0).len(),
        6,
        "hello, STARTTLS, hello, AUTH, the mail, QUIT"
    );
}

/// Sends mails one after the other over one transport, and gives their outcomes.
fn deliver_in_turn(world: &Arc<World>, mails: &[OutgoingMail]) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    in_small_steps(async {
        let transport = world.transport();
        for mail in mails {
            outcomes.push(transport.deliver(mail.clone()).await);
        }
        transport.close().await;
    });
    outcomes
}

#[test]
fn the_next_mail_goes_over_the_same_connection() {
    let taken = "C: MAIL FROM:<ada@example.com>
         C: RCPT TO:<b@example.com>
         C: BDAT 22 LAST
         C: Subject: x
         C:
         C: .hello
         S: 250 OK
         S: 250 OK
         S: 250 taken\n";
    let offers = signed_in(&["PIPELINING", "CHUNKING"]);
    let world = Arc::new(World::new(&[script(&format!(
        "{offers}{taken}{taken}{QUIT}"
    ))]));
    let one = mail(&["b@example.com"]);
    let outcomes = deliver_in_turn(&world, &[one.clone(), one]);
    world.expect_scripts_played();
    assert!(outcomes.iter().all(|outcome| outcome.end.is_ok()));
    let steps = outcomes[1].trail.steps.len();
    assert_eq!(steps, 3, "the second one has nothing to open");
    assert!(outcomes[1].trail.tls.is_some() && outcomes[1].trail.token.is_some());
}

#[test]
fn a_mail_whose_connection_was_ended_before_it_goes_over_another_one() {
    let taken = "C: MAIL FROM:<ada@example.com>
         S: 250 OK
         C: RCPT TO:<b@example.com>
         S: 250 OK
         C: DATA
         S: 354 go
         M
         S: 250 taken\n";
    let opened = signed_in(&[]);
    let ended =
        format!("{opened}{taken}C: MAIL FROM:<ada@example.com>\nS: 421 4.4.2 timed out\nX\n");
    let world = World::new(&[script(&ended), script(&format!("{opened}{taken}{QUIT}"))]);
    let world = Arc::new(world);
    let one = mail(&["b@example.com"]);
    let outcomes = deliver_in_turn(&world, &[one.clone(), one]);
    world.expect_scripts_played();
    assert!(
        outcomes.iter().all(|outcome| outcome.end.is_ok()),
        "{outcomes:?}"
    );
}

#[tokio::test]
async fn a_server_that_does_not_know_what_it_offers_gets_the_mail_the_slower_way() {
    let refused = format!(
        "{}C: MAIL FROM:<ada@example.com>
         C: RCPT TO:<b@example.com>
         C: BDAT 22 LAST
         C: Subject: x
         C:
         C: .hello
         S: 250 OK
         S: 250 OK
         S: 502 5.5.1 not implemented
         {QUIT}",
        signed_in(&["PIPELINING", "CHUNKING"])
    );
    let taken = format!(
        "{}C: MAIL FROM:<ada@example.com>
         C: RCPT TO:<b@example.com>
         C: DATA
         S: 250 OK
         S: 250 OK
         S: 354 go
         M
         S: 250 taken
         {QUIT}",
        signed_in(&["PIPELINING", "CHUNKING"])
    );
    let outcome = play(&[&refused, &taken], &mail(&["b@example.com"])).await;
    assert_eq!(verdicts(&outcome), [(Verdict::Accepted, 250)]);
}

#[tokio::test]
async fn a_server_that_does_not_know_the_binary_it_offers_gets_base64() {
    let offers = signed_in(&["PIPELINING", "CHUNKING", "BINARYMIME"]);
    let mime = Body::new(vec![
        Segment::Octets("Content-Transfer-Encoding: ".into()),
        Segment::Encoded(Source::memory(vec![0xff; 300_000].into())),
        Segment::Octets("\r\n".into()),
    ]);
    let binary = read(&mime, Form::Binary).await;
    let mut refused = script(&format!(
        "{offers}C: MAIL FROM:<ada@example.com> BODY=BINARYMIME
         C: RCPT TO:<b@example.com>
         C: BDAT {} LAST",
        binary.len()
    ));
    refused.push(Act::Hear(binary));
    refused.extend(script(&format!(
        "S: 504 5.5.4 parameter not implemented
         S: 503 5.5.1 no MAIL
         S: 503 5.5.1 no RCPT
         {QUIT}"
    )));
    let taken = format!(
        "{offers}C: MAIL FROM:<ada@example.com>
         C: RCPT TO:<b@example.com>
         C: DATA
         S: 250 OK
         S: 250 OK
         S: 354 go
         M
         S: 250 taken
         {QUIT}"
    );
    let world = Arc::new(World::new(&[refused, script(&taken)]));
    let mail = OutgoingMail {
        mime,
        ..mail(&["b@example.com"])
    };
    let outcome = world.deliver(&mail).await;
    world.expect_scripts_played();
    assert_eq!(verdicts(&outcome), [(Verdict::Accepted, 250)]);
    let base64 = mail.mime.size_bytes(Form::Base64);
    assert_eq!(outcome.trail.size_bytes, base64);
}

/// All of a body at once.
async fn read(body: &Body, form: Form) -> Vec<u8> {
    let (mut reader, mut all) = (body.reader(form), Vec::new());
    loop {
        match reader.next(usize::MAX).await.unwrap() {
            octets if octets.is_empty() => return all,
            octets => all.extend_from_slice(&octets),
        }
    }
}
