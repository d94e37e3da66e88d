//! One mail transaction (RFC 5321 section 3.3) as pure decisions: which commands to send next, which reply belongs to
//! which, and what became of each recipient. It sends and waits for nothing itself.
//!
//! With PIPELINING (RFC 2920) MAIL, every RCPT and DATA go in one flight, without it one by one; the results are the
//! same. A refused recipient never costs another one the mail.

use super::connection::violation;
use super::envelope::EnvelopeCommands;
use super::reply::words;
use crate::diagnosis::{SmtpPhase, smtp_refusal};
use crate::error::{Error, Result};
use crate::model::{Problem, ProblemKind, RecipientVerdict, Retry, SmtpReply, Verdict};
use std::collections::VecDeque;

/// A transaction under way.
#[derive(Debug)]
pub(super) struct Transaction<'a> {
    host: &'a str,
    recipients: &'a [String],
    commands: EnvelopeCommands,
    pipelining: bool,
    unsent: VecDeque<Command>,
    unanswered: VecDeque<Command>,
    /// The reply to each recipient's RCPT.
    replies: Vec<Option<SmtpReply>>,
    /// What became of the message, once that is known.
    end: Option<End>,
    is_in_step: bool,
}

/// What a transaction came to.
#[derive(Debug)]
pub(super) struct Submitted {
    /// The verdict on each recipient, in the order given.
    pub(super) recipients: Vec<RecipientVerdict>,
    /// The verdict on the message, or why there is none.
    pub(super) end: Result<SmtpReply>,
}

/// What to do next in a transaction.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Send this in one piece.
    Send(String),
    /// Wait for the reply to this command, and hand it to [`Transaction::answer`].
    Wait(&'static str),
    /// The server is ready for the message: send it, then say so with [`Transaction::message_sent`].
    SendMessage,
    /// Nothing: it is over.
    Finish,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Command {
    Mail,
    Recipient(usize),
    Data,
    /// The message with the end of data.
    Message,
    /// The end of data without a message: the server wants one though nobody is left to get it (RFC 2920 section 3.1).
    NoMessage,
}

/// What became of the message.
#[derive(Debug)]
enum End {
    /// The server took it.
    Accepted(SmtpReply),
    /// The server refused it for everybody it had accepted before.
    Refused(SmtpReply, Error),
    /// It was sent, and nobody knows.
    Undecided(Error),
    /// It was not sent.
    NotSent(Error),
}

impl<'a> Transaction<'a> {
    /// Prepares a transaction. `commands` has one command for each of `recipients`.
    pub(super) fn new(
        host: &'a str,
        recipients: &'a [String],
        commands: EnvelopeCommands,
        pipelining: bool,
    ) -> Self {
        let each_recipient = (0..commands.recipients.len()).map(Command::Recipient);
        let unsent = std::iter::once(Command::Mail)
            .chain(each_recipient)
            .chain([Command::Data]);
        Self {
            host,
            recipients,
            pipelining,
            unsent: unsent.collect(),
            unanswered: VecDeque::new(),
            replies: vec![None; commands.recipients.len()],
            commands,
            end: None,
            is_in_step: true,
        }
    }

    /// What to do next.
    pub(super) fn next(&mut self) -> Next {
        if !self.is_in_step {
            return Next::Finish;
        }
        if let Some(command) = self.unanswered.front() {
            return Next::Wait(command.name());
        }
        match self.unsent.front() {
            None => Next::Finish,
            Some(Command::Message) => Next::SendMessage,
            Some(_) => Next::Send(self.next_flight()),
        }
    }

    /// Takes the reply to the oldest command without one.
    pub(super) fn answer(&mut self, reply: SmtpReply) {
        let Some(command) = self.unanswered.pop_front() else {
            return self.out_of_step(reply);
        };
        match (command, reply.code) {
            (_, 421) => self.shut_down(command, reply),
            (Command::Mail, 200..=299) => {}
            (Command::Mail, 400..=599) => self.mail_refused(&reply),
            (Command::Recipient(index), 200..=299 | 400..=599) => {
                self.recipient_answered(index, reply)
            }
            (Command::Data, 354) => self.data_accepted(reply),
            (Command::Data, 400..=599) => self.data_refused(reply),
            (Command::Message, 200..=299) => self.end = Some(End::Accepted(reply)),
            (Command::Message, 400..=599) => self.refused(reply),
            (Command::NoMessage, 200..=299 | 400..=599) => {}
            (Command::Message, _) => {
                self.end = Some(End::Undecided(undecided(self.host, self.misfit(&reply))));
                self.is_in_step = false;
            }
            _ => self.out_of_step(reply),
        }
    }

    /// Notes that the message went out, up to and including the end of data.
    pub(super) fn message_sent(&mut self) {
        self.unsent.clear();
        self.unanswered.push_back(Command::Message);
    }

    /// Takes what the server said before it had the whole message: a refusal, or nothing that makes sense. The rest of
    /// the message is not to be sent.
    pub(super) fn answered_early(&mut self, reply: SmtpReply) {
        if reply.code >= 400 {
            self.refused(reply);
        } else {
            self.out_of_step(reply);
        }
        self.is_in_step = false;
    }

    /// Notes that no reply will come any more, and why.
    pub(super) fn lost(&mut self, error: Error) {
        let was_sent = self.unanswered.front() == Some(&Command::Message);
        self.is_in_step = false;
        self.end.get_or_insert_with(|| match was_sent {
            true => End::Undecided(undecided(self.host, error)),
            false => End::NotSent(error),
        });
    }

    /// Whether the next command would find the server waiting for one.
    pub(super) fn is_in_step(&self) -> bool {
        self.is_in_step
    }

    /// What it came to: the verdict on each recipient, and on the message.
    pub(super) fn finish(self) -> Submitted {
        let end = match self.end {
            Some(end) => end,
            None => End::NotSent(self.nobody_left()),
        };
        let recipients = self.recipients.iter().zip(self.replies);
        let verdict = |(address, reply): (&String, _)| verdict(self.host, address, reply, &end);
        let recipients = recipients.map(verdict).collect();
        let end = match end {
            End::Accepted(reply) => Ok(reply),
            End::Refused(_, error) | End::Undecided(error) | End::NotSent(error) => Err(error),
        };
        Submitted { recipients, end }
    }

    /// The commands that may go together: all with PIPELINING, otherwise one.
    fn next_flight(&mut self) -> String {
        let count = if self.pipelining {
            self.unsent.len()
        } else {
            1
        };
        let flight: Vec<_> = self.unsent.drain(..count).collect();
        self.unanswered.extend(&flight);
        flight
            .into_iter()
            .map(|command| self.line(command))
            .collect()
    }

    fn line(&self, command: Command) -> &str {
        match command {
            Command::Mail => &self.commands.mail,
            Command::Recipient(index) => {
                let line = self.commands.recipients.get(index);
                line.map(String::as_str).unwrap_or_default()
            }
            Command::Data => "DATA\r\n",
            Command::NoMessage => ".\r\n",
            // Too large for a line: it is sent from where it lies.
            Command::Message => "",
        }
    }

    fn mail_refused(&mut self, reply: &SmtpReply) {
        self.unsent.clear();
        self.end = Some(End::NotSent(smtp_refusal(
            self.host,
            SmtpPhase::Mail,
            reply,
        )));
    }

    fn recipient_answered(&mut self, index: usize, reply: SmtpReply) {
        if self.end.is_some() {
            return; // MAIL was refused: this says no more than that it was.
        }
        if let Some(place) = self.replies.get_mut(index) {
            *place = Some(reply);
        }
        let next_is_data = self.unsent.front() == Some(&Command::Data);
        if next_is_data && !self.has_accepted_recipients() {
            self.unsent.clear();
        }
    }

    fn data_accepted(&mut self, reply: SmtpReply) {
        if self.end.is_some() {
            return self.out_of_step(reply); // It refused MAIL: nothing should be sent to whatever this is.
        }
        self.unsent.push_back(match self.has_accepted_recipients() {
            true => Command::Message,
            false => Command::NoMessage,
        });
    }

    fn data_refused(&mut self, reply: SmtpReply) {
        if self.end.is_none() && self.has_accepted_recipients() {
            self.refused(reply);
        }
    }

    fn refused(&mut self, reply: SmtpReply) {
        let error = smtp_refusal(self.host, SmtpPhase::Data, &reply);
        self.end = Some(End::Refused(reply, error));
    }

    /// The server closes the connection (RFC 5321 section 3.8).
    fn shut_down(&mut self, command: Command, reply: SmtpReply) {
        self.is_in_step = false;
        if self.end.is_some() {
            return;
        }
        let (phase, index) = match command {
            Command::Mail => (SmtpPhase::Mail, None),
            Command::Recipient(index) => (SmtpPhase::Recipient, Some(index)),
            Command::Data | Command::Message | Command::NoMessage => (SmtpPhase::Data, None),
        };
        if let Some(place) = index.and_then(|index| self.replies.get_mut(index)) {
            *place = Some(reply.clone());
        }
        if command != Command::NoMessage {
            let error = smtp_refusal(self.host, phase, &reply);
            self.end = Some(End::Refused(reply, error));
        }
    }

    fn out_of_step(&mut self, reply: SmtpReply) {
        self.is_in_step = false;
        let error = self.misfit(&reply);
        self.end.get_or_insert(End::NotSent(error));
    }

    fn misfit(&self, reply: &SmtpReply) -> Error {
        let what = format!("an answer that fits nowhere ({})", reply.code);
        violation(self.host, what).with_answer(words(reply))
    }

    fn has_accepted_recipients(&self) -> bool {
        self.replies.iter().flatten().any(is_positive)
    }

    /// Why a mail went nowhere that every recipient was refused for: a cause that will pass comes before one that stays.
    fn nobody_left(&self) -> Error {
        let replies = || self.replies.iter().flatten();
        let temporary = replies().find(|reply| reply.code < 500);
        match temporary.or_else(|| replies().next()) {
            Some(reply) => smtp_refusal(self.host, SmtpPhase::Recipient, reply),
            None => violation(self.host, "no answer to any recipient"),
        }
    }
}

impl Command {
    fn name(self) -> &'static str {
        match self {
            Self::Mail => "MAIL",
            Self::Recipient(_) => "RCPT",
            Self::Data => "DATA",
            Self::Message | Self::NoMessage => "the message",
        }
    }
}

/// The verdicts for recipients that no server was asked about.
pub(super) fn not_tried(recipients: &[String], error: &Error) -> Vec<RecipientVerdict> {
    let verdict = |address: &String| failed(address, Verdict::NotTried, None, error.problem());
    recipients.iter().map(verdict).collect()
}

fn verdict(host: &str, address: &str, reply: Option<SmtpReply>, end: &End) -> RecipientVerdict {
    match (reply, end) {
        (Some(reply), _) if !is_positive(&reply) => {
            let error = smtp_refusal(host, SmtpPhase::Recipient, &reply);
            let verdict = refusal_verdict(&reply);
            failed(address, verdict, Some(reply), error.problem())
        }
        (Some(_), End::Refused(reply, error)) => {
            let verdict = refusal_verdict(reply);
            failed(address, verdict, Some(reply.clone()), error.problem())
        }
        (Some(_), End::Undecided(error)) => {
            failed(address, Verdict::Undecided, None, error.problem())
        }
        (_, End::Refused(_, error) | End::Undecided(error) | End::NotSent(error)) => {
            failed(address, Verdict::NotTried, None, error.problem())
        }
        // The message goes out only after the reply to every RCPT, so this one was positive.
        (_, End::Accepted(reply)) => RecipientVerdict {
            address: address.to_owned(),
            verdict: Verdict::Accepted,
            reply: Some(reply.clone()),
            code: String::new(),
            fix: String::new(),
            retry: Retry::Never,
        },
    }
}

fn failed(
    address: &str,
    verdict: Verdict,
    reply: Option<SmtpReply>,
    problem: &Problem,
) -> RecipientVerdict {
    RecipientVerdict {
        address: address.to_owned(),
        verdict,
        reply,
        code: problem.code.clone(),
        fix: problem.fix.clone(),
        retry: problem.retry,
    }
}

fn refusal_verdict(reply: &SmtpReply) -> Verdict {
    if reply.code < 500 {
        Verdict::Deferred
    } else {
        Verdict::Refused
    }
}

fn is_positive(reply: &SmtpReply) -> bool {
    reply.code < 300
}

/// The error for the gap between the last octet and the verdict, in which nobody can know (RFC 5321 section 4.5.3.2.6).
fn undecided(host: &str, why: Error) -> Error {
    let error = Error::new(
        ProblemKind::Unavailable,
        "delivery-undecided",
        format!("{host} got the whole message, but gave no verdict: it may have been delivered ({why})"),
        "look into Sent Items or ask a recipient before sending it again: a repetition may arrive as a second copy",
    )
    .with_retry(Retry::Never);
    let error = match &why.problem().answer {
        Some(answer) => error.with_answer(answer),
        None => error,
    };
    error.with_source(why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reply(code: u16) -> SmtpReply {
        SmtpReply {
            code,
            enhanced_status: None,
            text: String::new(),
        }
    }

    /// Plays a transaction against a list of replies, whatever they are; the connection breaks after the last.
    fn play(recipients: &[String], pipelining: bool, codes: &[u16]) -> (Submitted, Vec<String>) {
        let commands = EnvelopeCommands {
            mail: "MAIL\r\n".to_owned(),
            recipients: recipients
                .iter()
                .map(|name| format!("RCPT {name}\r\n"))
                .collect(),
        };
        let mut transaction = Transaction::new("host", recipients, commands, pipelining);
        let mut codes = codes.iter();
        let mut said = Vec::new();
        loop {
            match transaction.next() {
                Next::Send(flight) => said.push(flight),
                Next::Wait(_) => match codes.next() {
                    Some(code) => transaction.answer(reply(*code)),
                    None => transaction.lost(violation("host", "nothing more")),
                },
                Next::SendMessage => {
                    said.push("message".to_owned());
                    transaction.message_sent();
                }
                Next::Finish => return (transaction.finish(), said),
            }
        }
    }

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|index| format!("r{index}")).collect()
    }

    #[test]
    fn says_only_what_may_go_together() {
        fn check(pipelining: bool, codes: &[u16], expected: &[&str]) {
            assert_eq!(play(&names(2), pipelining, codes).1, expected, "{codes:?}");
        }
        let good = &[250, 250, 250, 354, 250];
        let envelope = "MAIL\r\nRCPT r0\r\nRCPT r1\r\nDATA\r\n";
        check(true, good, &[envelope, "message"]);
        check(
            false,
            good,
            &[
                "MAIL\r\n",
                "RCPT r0\r\n",
                "RCPT r1\r\n",
                "DATA\r\n",
                "message",
            ],
        );
        check(true, &[250, 550, 550, 354, 250], &[envelope, ".\r\n"]);
        check(
            false,
            &[250, 550, 550],
            &["MAIL\r\n", "RCPT r0\r\n", "RCPT r1\r\n"],
        );
        // It refused the sender and wants the message all the same: nothing goes to such a server.
        check(true, &[550, 250, 250, 354], &[envelope]);
    }

    proptest! {
        #[test]
        fn whatever_is_answered_every_recipient_has_a_verdict(
            count in 1usize..5,
            pipelining: bool,
            codes in prop::collection::vec(
                prop::sample::select(&[200, 250, 251, 354, 421, 450, 452, 503, 550, 554][..]), 0..12,
            ),
        ) {
            let recipients = names(count);
            let (submitted, said) = play(&recipients, pipelining, &codes);
            let addresses: Vec<_> = submitted.recipients.iter().map(|r| r.address.clone()).collect();
            prop_assert_eq!(addresses, recipients);
            let is_accepted = submitted.recipients.iter().any(|r| r.verdict == Verdict::Accepted);
            prop_assert_eq!(submitted.end.is_ok(), is_accepted);
            let was_sent = said.contains(&"message".to_owned());
            prop_assert!(was_sent || !is_accepted);
            for recipient in &submitted.recipients {
                let code = recipient.reply.as_ref().map(|reply| reply.code);
                match recipient.verdict {
                    Verdict::Accepted => prop_assert!(matches!(code, Some(200..=299))),
                    Verdict::Deferred => prop_assert!(matches!(code, Some(400..=499))),
                    Verdict::Refused => prop_assert!(matches!(code, Some(500..=599))),
                    Verdict::Undecided => prop_assert!(was_sent),
                    Verdict::NotTried => prop_assert_eq!(code, None),
                }
            }
        }
    }
}
