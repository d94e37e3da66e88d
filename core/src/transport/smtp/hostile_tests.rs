//! Servers and connections that do not behave, at every point of the dialogue.
//! Whatever they do, an attempt ends within its deadlines with a typed error or the right outcome, and never claims a
//! delivery that the server did not confirm after the end of data.

use super::reply::{MAX_LINE_BYTES, MAX_REPLY_LINES};
use super::testing::{
    Act, QUIT, RESPONSE, Server, TOKEN, World, answer, in_small_steps, mail, script, signed_in,
};
use crate::model::{Retry, Timeouts, Verdict};
use crate::transport::{Outcome, OutgoingMail, Transport as _};
use std::io;
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::time::Duration;
use tracing_subscriber::fmt::MakeWriter;

/// A whole dialogue for two recipients, with PIPELINING and without.
fn good_dialogues() -> [Vec<Act>; 2] {
    let pipelined = format!(
        "{}C: MAIL FROM:<ada@example.com>
         C: RCPT TO:<b@example.com>
         C: RCPT TO:<c@example.com>
         C: DATA
         S: 250 2.1.0 OK
         S: 250 2.1.5 OK
         S: 250 2.1.5 OK
         S: 354 go
         M
         S: 250 2.0.0 taken
         {QUIT}",
        signed_in(&["PIPELINING"])
    );
    let one_by_one = format!(
        "{}C: MAIL FROM:<ada@example.com>
         S: 250 2.1.0 OK
         C: RCPT TO:<b@example.com>
         S: 250 2.1.5 OK
         C: RCPT TO:<c@example.com>
         S: 250 2.1.5 OK
         C: DATA
         S: 354 go
         M
         S: 250 2.0.0 taken
         {QUIT}",
        signed_in(&[])
    );
    [script(&pipelined), script(&one_by_one)]
}

fn two() -> OutgoingMail {
    mail(&["b@example.com", "c@example.com"])
}

/// Plays one script that the client cannot follow to its end, and checks what always holds.
async fn suffer(script: &[Act], change: impl Fn(&mut Server)) -> (Outcome, Arc<World>) {
    let world = Arc::new(World::new(&[script.to_vec()]).with(change));
    let outcome = world.deliver(&two()).await;
    expect_sound(&outcome, &world);
    (outcome, world)
}

/// What holds whatever a server does.
fn expect_sound(outcome: &Outcome, world: &World) {
    assert_eq!(outcome.recipients.len(), 2);
    let is = |verdict| {
        outcome
            .recipients
            .iter()
            .any(|recipient| recipient.verdict == verdict)
    };
    match &outcome.end {
        Ok(reply) => {
            assert!((200..300).contains(&reply.code));
            assert!(is(Verdict::Accepted));
        }
        Err(error) => {
            assert!(!is(Verdict::Accepted));
            let problem = error.problem();
            assert!(!problem.code.is_empty() && !problem.text.is_empty());
            assert_eq!(is(Verdict::Undecided), problem.code == "delivery-undecided");
            let shown = format!("{outcome:?}{error}");
            assert!(
                !shown.contains(TOKEN) && !shown.contains(RESPONSE),
                "{shown}"
            );
        }
    }
    for recipient in &outcome.recipients {
        assert_eq!(
            recipient.code.is_empty(),
            recipient.verdict == Verdict::Accepted
        );
    }
    let limits = Timeouts::default();
    // One wait of each kind at its full length, and what a test clock adds.
    let longest_ms = limits
        .connect_ms
        .max(limits.reply_ms)
        .max(limits.verdict_ms);
    assert!(
        world.elapsed() <= Duration::from_millis(longest_ms + 10_000),
        "{:?}",
        world.elapsed()
    );
    let sent = world.flights(0).concat();
    // A message that was broken off may end in the middle of a CRLF.
    let lines = sent.strip_suffix('\r').unwrap_or(&sent).replace("\r\n", "");
    assert!(!lines.contains(['\r', '\n']));
    assert!(sent.matches("\r\n.\r\n").count() <= 1);
}

fn is_say(act: &Act) -> bool {
    matches!(act, Act::Say(_))
}

/// The places in a script where the server says something.
fn says(script: &[Act]) -> Vec<usize> {
    (0..script.len())
        .filter(|&index| is_say(&script[index]))
        .collect()
}

/// The place where the server says 354, and where its verdict follows.
fn message_places(script: &[Act]) -> (usize, usize) {
    let message = script
        .iter()
        .position(|act| *act == Act::HearMessage)
        .unwrap();
    (message - 1, message + 1)
}

/// A script up to a place, then other acts.
fn until(script: &[Act], place: usize, then: &[Act]) -> Vec<Act> {
    let kept = script.iter().take(place);
    kept.chain(then).cloned().collect()
}

fn say(text: &str) -> Act {
    Act::Say(text.as_bytes().to_vec())
}

#[tokio::test]
async fn a_connection_cut_anywhere_ends_in_what_is_known_by_then() {
    for script in good_dialogues() {
        let (go, verdict) = message_places(&script);
        let said_until = |place: usize| -> usize {
            let said = script[..=place].iter().map(|act| match act {
                Act::Say(octets) => octets.len(),
                _ => 0,
            });
            said.sum()
        };
        let (before_message, before_quit) = (said_until(go), said_until(verdict));
        for cut in 1..=said_until(script.len() - 1) {
            let (outcome, _) = suffer(&script, |server| server.cut_after_bytes = cut).await;
            let expected = match cut {
                _ if cut >= before_quit => Verdict::Accepted,
                _ if cut > before_message => Verdict::Undecided,
                _ => Verdict::NotTried,
            };
            let verdicts: Vec<_> = outcome.recipients.iter().map(|r| r.verdict).collect();
            assert_eq!(
                verdicts, [expected; 2],
                "cut after {cut} of {before_message}, {before_quit}"
            );
            if expected == Verdict::NotTried {
                assert_eq!(outcome.end.unwrap_err().code(), "connection-lost");
            }
        }
    }
}

#[tokio::test]
async fn replies_in_any_pieces_are_the_same_replies() {
    for script in good_dialogues() {
        for read_bytes in [1, 2, 3, 5, 7, 11] {
            let change = |server: &mut Server| {
                server.read_bytes = read_bytes;
                server.is_hesitant = true;
            };
            let (outcome, world) = suffer(&script, change).await;
            assert!(outcome.end.is_ok());
            world.expect_scripts_played();
        }
    }
}

#[tokio::test]
async fn replies_split_anywhere_are_the_same_replies() {
    for script in good_dialogues() {
        for place in says(&script) {
            let Act::Say(octets) = &script[place] else {
                unreachable!()
            };
            for cut in 1..octets.len() {
                let (first, second) = octets.split_at(cut);
                let pause = Duration::from_secs(1);
                let mut halves = vec![Act::Say(first.to_vec()), Act::Drip(second.to_vec(), pause)];
                halves.extend_from_slice(&script[place + 1..]);
                let (outcome, _) = suffer(&until(&script, place, &halves), |_| {}).await;
                assert!(outcome.end.is_ok(), "reply {place} split after {cut}");
            }
        }
    }
}

#[tokio::test]
async fn silence_anywhere_ends_at_the_deadline() {
    for script in good_dialogues() {
        let (_, verdict) = message_places(&script);
        for place in says(&script) {
            let (outcome, world) = suffer(&until(&script, place, &[]), |_| {}).await;
            if place > verdict {
                assert!(outcome.end.is_ok(), "the goodbye changes nothing");
                assert!(
                    world.elapsed() <= Duration::from_secs(10),
                    "{:?}",
                    world.elapsed()
                );
            } else if place == verdict {
                assert_eq!(outcome.end.unwrap_err().code(), "delivery-undecided");
                assert!(world.elapsed() >= Duration::from_millis(Timeouts::default().verdict_ms));
            } else {
                let expected = if place == 0 {
                    "network-blocked"
                } else {
                    "reply-timeout"
                };
                assert_eq!(outcome.end.unwrap_err().code(), expected);
                assert!(
                    world.elapsed() <= Duration::from_secs(125),
                    "{:?}",
                    world.elapsed()
                );
            }
        }
    }
}

#[tokio::test]
async fn a_reply_that_drips_for_ever_ends_at_the_deadline() {
    for script in good_dialogues() {
        let (_, verdict) = message_places(&script);
        for place in says(&script) {
            // Slow enough to outlast every limit, quick enough that no single wait is long.
            let drip = Act::Drip(vec![b'2'; 4000], Duration::from_secs(5));
            let (outcome, _) = suffer(&until(&script, place, &[drip]), |_| {}).await;
            assert_eq!(outcome.end.is_ok(), place > verdict);
        }
    }
}

#[tokio::test]
async fn nonsense_anywhere_is_no_reply() {
    let nonsense = [
        "x".repeat(100_000),
        format!("220 {}", "x".repeat(MAX_LINE_BYTES)),
        "250-x\r\n".repeat(10 * MAX_REPLY_LINES),
        "\0\u{1}\u{2}\r\n".to_owned(),
        "HTTP/1.1 400 Bad Request\r\n\r\n".to_owned(),
        "250 OK\n".to_owned(),
        "250-OK\r\n354 go\r\n".to_owned(),
        "999 OK\r\n".to_owned(),
        "\u{15}\u{3}\u{1}\0\u{2}\u{2}\n".to_owned(),
    ];
    for script in good_dialogues() {
        let (_, verdict) = message_places(&script);
        for place in says(&script) {
            for text in &nonsense {
                let script = until(&script, place, &[say(text), Act::Close]);
                let (outcome, world) = suffer(&script, |_| {}).await;
                match &outcome.end {
                    Ok(_) => assert!(place > verdict),
                    Err(error) if place == verdict => {
                        assert_eq!(error.code(), "delivery-undecided");
                        assert_eq!(error.problem().retry, Retry::Never);
                        assert!(error.to_string().contains("it may have been delivered"));
                    }
                    Err(error) => assert_eq!(error.code(), "smtp-protocol-violation", "{text:.20}"),
                }
                assert!(
                    world.elapsed() < Duration::from_secs(10),
                    "nobody waits for more of it"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_server_that_shuts_down_anywhere_is_taken_at_its_word() {
    for script in good_dialogues() {
        let (go, verdict) = message_places(&script);
        for place in says(&script) {
            let goes = [say("421 4.3.2 shutting down\r\n"), Act::Close];
            let (outcome, world) = suffer(&until(&script, place, &goes), |_| {}).await;
            if place > verdict {
                assert!(outcome.end.is_ok());
                continue;
            }
            assert!(
                answer(&outcome.end.unwrap_err()).contains("421"),
                "at {place}"
            );
            let last = &outcome.recipients[1];
            let is_asked = says(&script[..go])
                .last()
                .is_some_and(|last_rcpt| place >= *last_rcpt);
            let expected = if is_asked {
                Verdict::Deferred
            } else {
                Verdict::NotTried
            };
            assert_eq!(last.verdict, expected, "at {place}");
            assert_eq!(
                last.reply.as_ref().map(|reply| reply.code),
                is_asked.then_some(421)
            );
            assert!(world.elapsed() < Duration::from_secs(10));
        }
    }
}

#[tokio::test]
async fn an_answer_that_fits_nowhere_ends_the_dialogue() {
    for script in good_dialogues() {
        let (go, verdict) = message_places(&script);
        for place in says(&script) {
            let wrong = if place == go {
                "250 taken already\r\n"
            } else {
                "354 go\r\n"
            };
            let (outcome, world) = suffer(&until(&script, place, &[say(wrong)]), |_| {}).await;
            let sent = world.flights(0).concat();
            match &outcome.end {
                Ok(_) => assert!(place > verdict),
                Err(error) if place == verdict => assert_eq!(error.code(), "delivery-undecided"),
                Err(error) => {
                    assert_eq!(error.code(), "smtp-protocol-violation", "at {place}");
                    assert!(!sent.contains("Subject"), "at {place}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_verdict_before_the_message_is_no_verdict() {
    for script in good_dialogues() {
        let (go, verdict) = message_places(&script);
        // With the 354 in one piece, or by itself.
        let apart = until(&script, go + 1, &script[verdict..]);
        let (outcome, _) = suffer(&apart, |_| {}).await;
        assert_eq!(outcome.end.unwrap_err().code(), "smtp-protocol-violation");
        for early in ["250 2.0.0 taken\r\n", "250-2.0.0 taken\r\n", "2"] {
            let script = until(&script, go, &[say(&format!("354 go\r\n{early}"))]);
            let (outcome, world) = suffer(&script, |_| {}).await;
            assert_eq!(outcome.end.unwrap_err().code(), "smtp-protocol-violation");
            assert_eq!(outcome.recipients[0].verdict, Verdict::NotTried);
            assert!(!world.flights(0).concat().contains("Subject"));
        }
    }
}

#[tokio::test]
async fn what_comes_with_the_answer_to_starttls_was_put_there() {
    let [script, _] = good_dialogues();
    let tls = script.iter().position(|act| *act == Act::StartTls).unwrap();
    for injected in ["250 OK\r\n", "2", "\0", "220 go\r\n"] {
        let injection = [say(&format!("220 go\r\n{injected}"))];
        let (outcome, world) = suffer(&until(&script, tls - 1, &injection), |_| {}).await;
        assert_eq!(outcome.end.unwrap_err().code(), "starttls-injection");
        assert!(outcome.trail.tls.is_none());
        assert_eq!(
            world.flights(0).last().unwrap(),
            "STARTTLS\r\n",
            "nothing is said after it"
        );
    }
}

#[tokio::test]
async fn what_nobody_asked_for_answers_nothing() {
    for script in good_dialogues() {
        let (go, _) = message_places(&script);
        for place in says(&script).into_iter().filter(|place| *place < go) {
            let Act::Say(reply) = &script[place] else {
                unreachable!()
            };
            if !matches!(script[place + 1], Act::Hear(_)) {
                continue; // What follows is the reply to the next command, only with another text.
            }
            let mut chatty = script.clone();
            let extra = b"250 2.0.0 by the way\r\n";
            chatty[place] = Act::Say([reply.as_slice(), extra].concat());
            let (outcome, _) = suffer(&chatty, |_| {}).await;
            assert_eq!(
                outcome.end.unwrap_err().code(),
                "smtp-protocol-violation",
                "at {place}"
            );
        }
    }
}

#[tokio::test]
async fn a_server_that_stops_reading_costs_one_deadline_and_leaves_no_doubt() {
    for script in good_dialogues() {
        let (outcome, world) = suffer(&script, |server| server.takes_bytes = 200).await;
        assert_eq!(outcome.end.unwrap_err().code(), "reply-timeout");
        assert_eq!(outcome.recipients[0].verdict, Verdict::NotTried);
        assert!(
            world.elapsed() <= Duration::from_secs(125),
            "{:?}",
            world.elapsed()
        );
    }
}

#[tokio::test]
async fn a_server_that_takes_all_but_the_last_octet_leaves_no_doubt_either() {
    let [script, _] = good_dialogues();
    let world = Arc::new(World::new(std::slice::from_ref(&script)));
    assert!(world.deliver(&two()).await.end.is_ok());
    let flights = world.flights(0);
    let message = flights
        .iter()
        .rposition(|flight| flight.ends_with("\r\n.\r\n"))
        .unwrap();
    let sent: usize = flights[..=message].iter().map(String::len).sum();
    let (outcome, _) = suffer(&script, |server| server.takes_bytes = sent - 1).await;
    assert_eq!(outcome.recipients[0].verdict, Verdict::NotTried);
    // With the last octet, there is doubt.
    let (outcome, _) = suffer(&until(&script, message_places(&script).1, &[]), |server| {
        server.takes_bytes = sent;
    })
    .await;
    assert_eq!(outcome.recipients[0].verdict, Verdict::Undecided);
}

#[tokio::test]
async fn a_refusal_in_the_middle_of_the_message_is_heard() {
    let large = OutgoingMail {
        mime: "x\r\n".repeat(200_000).into(),
        ..two()
    };
    for script in good_dialogues() {
        let (go, _) = message_places(&script);
        for ending in [&[][..], &[Act::Close]] {
            let mut refusing = until(&script, go + 1, &[say("552 5.3.4 too big\r\n")]);
            refusing.extend_from_slice(ending);
            // The refusal comes once the first part of the message has been read.
            refusing.insert(go + 1, Act::Hear(b"x\r\n".repeat(1000)));
            let world = Arc::new(World::new(&[refusing]).with(|server| server.read_bytes = 1));
            let outcome = world.deliver(&large).await;
            expect_sound(&outcome, &world);
            let verdicts: Vec<_> = outcome
                .recipients
                .iter()
                .map(|r| (r.verdict, r.reply.as_ref().unwrap().code))
                .collect();
            assert_eq!(verdicts, [(Verdict::Refused, 552); 2]);
            assert!(
                !world.flights(0).concat().contains("\r\n.\r\n"),
                "the message stays unfinished"
            );
        }
    }
}

#[tokio::test]
async fn a_server_that_answers_without_end_while_it_is_written_to_blocks_nobody() {
    let [script, _] = good_dialogues();
    let (go, _) = message_places(&script);
    let flood = "250 2.1.5 OK\r\n".repeat(50_000);
    let (outcome, world) = suffer(&until(&script, go + 1, &[say(&flood)]), |_| {}).await;
    assert_eq!(outcome.end.unwrap_err().code(), "smtp-protocol-violation");
    assert!(world.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_token_that_a_server_repeats_is_not_shown() {
    let [script, _] = good_dialogues();
    let auth = script
        .iter()
        .position(|act| matches!(act, Act::Hear(line) if line.starts_with(b"AUTH")))
        .unwrap();
    let pieces = [
        RESPONSE,
        RESPONSE.split_at(10).1,
        TOKEN,
        TOKEN.split_at(20).0,
    ];
    for piece in pieces {
        for code in [435, 504, 535, 250, 334] {
            let repeats = [
                say(&format!(
                    "{code} 5.5.2 unrecognized: \"AUTH XOAUTH2 {piece}\"\r\n"
                )),
                Act::Close,
            ];
            let (outcome, _) = suffer(&until(&script, auth + 1, &repeats), |_| {}).await;
            let shown = format!(
                "{outcome:?}{:?}",
                outcome.end.as_ref().unwrap_err().problem()
            );
            assert!(!shown.contains(piece), "{shown}");
        }
    }
}

#[tokio::test]
async fn logs_hold_neither_token_nor_address() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .finish();
    // For the whole process: a thread of another test could otherwise turn the events here off for good.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let [script, _] = good_dialogues();
    suffer(&script, |_| {}).await;
    let auth = script
        .iter()
        .position(|act| matches!(act, Act::Hear(line) if line.starts_with(b"AUTH")))
        .unwrap();
    let repeats = [say(&format!(
        "535 5.7.3 ada@example.com: {RESPONSE} {TOKEN}\r\n"
    ))];
    suffer(&until(&script, auth + 1, &repeats), |_| {}).await;
    let log = log.text();
    assert!(
        log.contains("535") && log.contains("STARTTLS"),
        "it does log: {log}"
    );
    for secret in [TOKEN, RESPONSE, "example.com>", "ada@example.com"] {
        assert!(!log.contains(secret), "{log}");
    }
}

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Log {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn a_network_that_leads_nowhere_ends_at_the_deadline() {
    async fn check(world: World, expected: &str) {
        let world = Arc::new(world);
        let outcome = world.deliver(&two()).await;
        assert_eq!(outcome.end.unwrap_err().code(), expected);
        assert_eq!(outcome.recipients[0].verdict, Verdict::NotTried);
        assert!(
            world.elapsed() <= Duration::from_secs(35),
            "{:?}",
            world.elapsed()
        );
    }
    let [script, _] = good_dialogues();
    let mut unreachable = World::new(std::slice::from_ref(&script));
    unreachable.connects = false;
    check(unreachable, "network-blocked").await;
    let mut mute = World::new(std::slice::from_ref(&script));
    mute.shakes_hands = false;
    check(mute, "tls-handshake-failed").await;
    check(World::new(&[]), "connection-refused").await;
}

#[test]
fn a_delivery_can_be_dropped_at_any_await() {
    in_small_steps(drop_at_every_await());
}

async fn drop_at_every_await() {
    for script in good_dialogues() {
        for polls in 0.. {
            let change = |server: &mut Server| {
                server.read_bytes = 1;
                server.is_hesitant = true;
            };
            let world = Arc::new(World::new(std::slice::from_ref(&script)).with(change));
            let transport = world.transport();
            let mut delivery = transport.deliver(two());
            let mut context = Context::from_waker(Waker::noop());
            let mut is_over = false;
            for _ in 0..polls {
                is_over |= delivery.as_mut().poll(&mut context).is_ready();
                if is_over {
                    break;
                }
                tokio::task::yield_now().await;
            }
            drop(delivery);
            transport.close().await;
            assert!(world.connections_are_closed(), "after {polls} polls");
            if is_over {
                assert!(polls > 200, "it was dropped in many places: {polls}");
                break;
            }
        }
    }
}
