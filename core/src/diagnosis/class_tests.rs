//! Every enhanced code that is known of Exchange Online, with the class, the scope and the advice it must come to.

use super::smtp::{SmtpPhase, smtp_refusal};
use crate::model::{ReplyClass, ReplyScope, Retry, SmtpReply};

fn refusal(phase: SmtpPhase, line: &str) -> crate::error::Error {
    let mut words = line.splitn(3, ' ');
    let code = words.next().unwrap().parse().unwrap();
    let enhanced = words.next().filter(|word| *word != "-");
    let reply = SmtpReply {
        code,
        enhanced_status: enhanced.map(str::to_owned),
        text: words.next().unwrap_or_default().to_owned(),
    };
    smtp_refusal("smtp.office365.com", phase, &reply)
}

/// A phase by its first letter.
fn phase(letter: &str) -> SmtpPhase {
    match letter {
        "X" => SmtpPhase::Greeting,
        "S" => SmtpPhase::Session,
        "A" => SmtpPhase::Auth,
        "M" => SmtpPhase::Mail,
        "R" => SmtpPhase::Recipient,
        _ => SmtpPhase::Data,
    }
}

/// One row: phase, reply, class, scope, and `never`, `now` or `later`.
fn check(row: &str) -> Option<String> {
    let parts: Vec<&str> = row.split('|').map(str::trim).collect();
    let [at, reply, expected_class, expected_scope, advice] = parts[..] else {
        panic!("not a row: {row}");
    };
    let error = refusal(phase(at), reply);
    let problem = error.problem();
    let name = |value: serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let found_class = name(serde_json::to_value(problem.reply_class).unwrap());
    let found_scope = name(serde_json::to_value(problem.reply_scope).unwrap());
    let found_advice = match problem.retry {
        Retry::Never => "never",
        Retry::Now => "now",
        Retry::After { .. } => "later",
    };
    let found = (found_class.as_str(), found_scope.as_str(), found_advice);
    (found != (expected_class, expected_scope, advice))
        .then(|| format!("{row}: {found:?} ({})", problem.code))
}

/// All that differ at once.
fn check_all(rows: &[&str]) {
    let wrong: Vec<String> = rows.iter().filter_map(|row| check(row)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_known_enhanced_code_has_its_class_scope_and_advice() {
    let rows: Vec<&str> = ROWS.lines().filter(|row| row.contains('|')).collect();
    check_all(&rows);
    let codes: std::collections::BTreeSet<&str> = rows
        .iter()
        .filter_map(|row| row.split('|').nth(1)?.split_whitespace().nth(1))
        .collect();
    assert!(codes.len() >= 120, "{} codes", codes.len());
}

#[test]
fn unknown_words_are_classified_by_the_enhanced_code_and_then_by_the_digits() {
    let rows: Vec<&str> = UNKNOWN.lines().filter(|row| row.contains('|')).collect();
    check_all(&rows);
}

#[test]
fn every_cause_that_a_mail_servers_answer_can_have_has_a_class_and_a_scope() {
    let reached = super::catalogue::rules(super::catalogue::Place::Smtp);
    let codes = reached
        .iter()
        .flat_map(|rule| rule.causes.keys().chain(&rule.unclear));
    for code in codes {
        let cause = super::catalogue::cause(code).unwrap();
        assert!(cause.class.is_some() && cause.scope.is_some(), "{code}");
    }
}

#[test]
fn no_reply_is_accepted_or_undecided_by_its_words() {
    for code in 400..600u16 {
        for at in ["X", "S", "A", "M", "R", "D"] {
            let error = refusal(phase(at), &format!("{code} - wholly unknown words"));
            let class = error.problem().reply_class.unwrap();
            assert!(
                !matches!(class, ReplyClass::Accepted | ReplyClass::Undecided),
                "{code} {at}"
            );
            let scope = error.problem().reply_scope.unwrap();
            let is_of_one = scope == ReplyScope::Recipient;
            assert!(
                !is_of_one || at == "R",
                "{code} {at} concerns one recipient"
            );
        }
    }
}

const ROWS: &str = include_str!("class_tests.txt");

const UNKNOWN: &str = "
D | 554 5.6.77 xyzzy | content | mail | never
D | 451 4.6.5 xyzzy | content | mail | later
M | 550 5.1.99 xyzzy | recipient | recipient | never
M | 550 5.1.0 xyzzy | policy | mail | never
R | 550 5.2.77 xyzzy | recipient | recipient | never
R | 450 4.2.77 xyzzy | unavailable | recipient | later
D | 554 5.3.77 xyzzy | unavailable | host | never
D | 451 4.3.77 xyzzy | unavailable | host | later
D | 451 4.4.77 xyzzy | unavailable | host | later
M | 503 5.5.77 xyzzy | protocol | connection | never
D | 554 5.7.77 xyzzy | policy | mail | never
R | 554 5.7.77 xyzzy | policy | recipient | never
A | 535 5.7.8 xyzzy | authentication | mailbox | never
A | 534 5.7.9 xyzzy | authentication | mailbox | never
X | 421 - xyzzy | unavailable | connection | later
R | 450 - xyzzy | unavailable | recipient | later
D | 451 - xyzzy | unavailable | mail | later
A | 454 - xyzzy | unavailable | connection | later
A | 535 - xyzzy | authentication | mailbox | never
R | 550 - xyzzy | recipient | recipient | never
D | 552 - xyzzy | size | mail | never
D | 554 - xyzzy | content | mail | never
M | 550 - xyzzy | policy | mail | never
X | 554 - xyzzy | policy | connection | never
S | 502 - xyzzy | protocol | connection | never
";
