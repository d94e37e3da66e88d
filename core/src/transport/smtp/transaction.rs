//! One mail transaction (RFC 5321 section 3.3) as pure decisions: what each reply means for each recipient, and what
//! became of the mail. It sends and waits for nothing itself; `pipeline` says what goes out when.
//!
//! A refused recipient never costs another one the mail.

use super::connection::violation;
use super::reply::words;
use crate::diagnosis::{SmtpPhase, smtp_refusal};
use crate::error::{Error, Result};
use crate::model::{
    Problem, ProblemKind, RecipientVerdict, ReplyClass, ReplyScope, Retry, SmtpReply, Verdict,
};
use std::sync::Arc;

/// A transaction under way.
#[derive(Debug)]
pub(super) struct Transaction {
    host: Arc<str>,
    recipients: Vec<String>,
    /// The reply to each recipient's RCPT.
    replies: Vec<Option<SmtpReply>>,
    /// What became of the message, once that is known.
    end: Option<End>,
    /// The server took MAIL.
    is_begun: bool,
    /// The last octet of the message went out.
    is_sent: bool,
    /// The server gave its verdict on the message, and with it the transaction is over on its side.
    is_consumed: bool,
    /// The server ended the session before it had the message.
    is_shut_down: bool,
    /// It refused, as out of sequence or unknown, what it had offered to take.
    is_misunderstood: bool,
    /// It answered some of what it got in one flight, and then nothing more.
    is_stalled: bool,
    /// Nothing of it was said to the server.
    is_untouched: bool,
    /// The server refused MAIL for one of its parameters.
    has_odd_parameter: bool,
}

/// What a transaction came to.
#[derive(Debug)]
pub(super) struct Submitted {
    /// The verdict on each recipient, in the order given.
    pub(super) recipients: Vec<RecipientVerdict>,
    /// The verdict on the message, or why there is none.
    pub(super) end: Result<SmtpReply>,
    /// Whether the server cannot do what it offers: with less of it, the same mail may go.
    pub(super) is_misunderstood: bool,
    /// Whether the server lost part of what it got in one flight.
    pub(super) is_stalled: bool,
    /// Whether the connection was lost, or ended by the server, before anything was decided.
    pub(super) is_lost: bool,
    /// Whether nothing of it was said to the server.
    pub(super) is_untouched: bool,
    /// Whether the server refused MAIL for one of its parameters.
    pub(super) has_odd_parameter: bool,
}

impl Submitted {
    /// Whether it is certain that nobody gets the mail.
    pub(super) fn is_unsent(&self) -> bool {
        let may_be_sent = |verdict| matches!(verdict, Verdict::Accepted | Verdict::Undecided);
        let mut verdicts = self.recipients.iter().map(|recipient| recipient.verdict);
        !verdicts.any(may_be_sent)
    }
}

/// A command that has a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// RSET: what went before may have left something open.
    Reset,
    /// MAIL FROM.
    Mail,
    /// RCPT TO, for one of the recipients.
    Recipient(usize),
    /// DATA.
    Data,
    /// The message with the end of data.
    Message,
    /// The end of data without a message: the server wants one though nobody is left to get it (RFC 2920 section 3.1).
    NoMessage,
    /// BDAT (RFC 3030) with so many octets of the message, and whether they are the last.
    Chunk(u64, bool),
}

/// What a reply does to the dialogue.
#[derive(Debug)]
pub(super) enum Answered {
    /// It goes on.
    InStep,
    /// Nobody knows what the server understood: it ends.
    OutOfStep(Error),
    /// The server ends it (RFC 5321 section 3.8).
    ShutDown(Error),
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
    /// It was not sent, because the connection was lost.
    Lost(Error),
}

impl Transaction {
    /// Prepares a transaction.
    pub(super) fn new(host: Arc<str>, recipients: Vec<String>) -> Self {
        Self {
            host,
            replies: vec![None; recipients.len()],
            recipients,
            end: None,
            is_begun: false,
            is_sent: false,
            is_consumed: false,
            is_shut_down: false,
            is_misunderstood: false,
            is_stalled: false,
            is_untouched: false,
            has_odd_parameter: false,
        }
    }

    /// Takes the reply to a command.
    pub(super) fn answer(&mut self, command: Command, reply: SmtpReply) -> Answered {
        match (command, reply.code) {
            (_, 421) => return self.shut_down(command, reply),
            (Command::Reset | Command::Chunk(_, false), 200..=299) => {}
            (Command::Mail, 200..=299) => self.is_begun = true,
            (Command::Mail, 400..=599) => self.mail_refused(&reply),
            (Command::Recipient(index), 200..=299 | 400..=599) => {
                self.recipient_answered(index, reply);
            }
            // It refused MAIL: nothing should be sent to whatever this is.
            (Command::Data, 354) if self.end.is_none() => {}
            (Command::Data | Command::Chunk(_, false), 400..=599) => self.message_refused(reply),
            (Command::Message | Command::Chunk(_, true), 400..=599) => {
                self.is_consumed = self.has_accepted_recipients();
                self.message_refused(reply);
            }
            (Command::Message | Command::Chunk(_, true), 200..=299) if self.end.is_none() => {
                self.message_taken(reply);
            }
            (Command::NoMessage, 200..=299 | 400..=599) => self.is_consumed = true,
            (Command::Message | Command::Chunk(_, true), _) => {
                if !self.is_decided() {
                    let misfit = misfit(&self.host, &reply);
                    self.end = Some(End::Undecided(undecided(&self.host, misfit)));
                }
                return Answered::OutOfStep(misfit(&self.host, &reply));
            }
            _ => return self.out_of_step(&reply),
        }
        Answered::InStep
    }

    /// Notes that the message went out, up to and including its end.
    pub(super) fn message_sent(&mut self) {
        self.is_sent = true;
    }

    /// Notes that the end of the message did not go out after all.
    pub(super) fn message_not_sent(&mut self) {
        self.is_sent = false;
    }

    /// Takes what the server said before it had the whole message: a refusal, or nothing that makes sense. The rest of
    /// the message is not to be sent.
    pub(super) fn answered_early(&mut self, reply: SmtpReply) {
        if reply.code >= 400 {
            self.message_refused(reply);
        } else {
            self.out_of_step(&reply);
        }
    }

    /// Notes that no reply will come any more, and why.
    pub(super) fn lost(&mut self, error: Error) {
        if self.is_decided() {
            return;
        }
        let is_half_answered = self.is_begun && self.replies.iter().any(Option::is_none);
        self.is_stalled = is_half_answered && error.code() == "reply-timeout";
        self.end = Some(match self.is_sent {
            true => End::Undecided(undecided(&self.host, error)),
            false => End::Lost(error),
        });
    }

    /// Notes that nothing of it was said, and will not be on this connection.
    pub(super) fn untouched(&mut self, error: Error) {
        self.is_untouched = true;
        self.not_reached(error);
    }

    /// Notes that the server did not get to it, though it may have been sent.
    pub(super) fn not_reached(&mut self, error: Error) {
        if !self.is_decided() {
            self.end = Some(End::Lost(error));
        }
    }

    /// Notes that its end will not be sent, and why: trying again would not help.
    pub(super) fn withdrawn(&mut self, error: Error) {
        if !self.is_decided() {
            self.end = Some(End::NotSent(error));
        }
    }

    /// Whether nothing more can change what becomes of the mail: no octet of it needs to be sent any more.
    pub(super) fn is_decided(&self) -> bool {
        let all_refused = || {
            let refused =
                |reply: &Option<SmtpReply>| reply.as_ref().is_some_and(|r| !is_positive(r));
            self.replies.iter().all(refused)
        };
        self.end.is_some() || all_refused()
    }

    /// Whether somebody may get the message.
    pub(super) fn has_accepted_recipients(&self) -> bool {
        self.replies.iter().flatten().any(is_positive)
    }

    /// Whether the server has ended the transaction with its verdict, and nothing is open on its side.
    pub(super) fn is_consumed(&self) -> bool {
        self.is_consumed
    }

    /// What it came to: the verdict on each recipient, and on the message.
    pub(super) fn finish(self) -> Submitted {
        let end = match self.end {
            Some(end) => end,
            None => End::NotSent(nobody_left(&self.host, &self.replies)),
        };
        let recipients = self.recipients.iter().zip(self.replies);
        let verdict = |(address, reply): (&String, _)| verdict(&self.host, address, reply, &end);
        let recipients = recipients.map(verdict).collect();
        let is_lost = matches!(end, End::Lost(_)) || self.is_shut_down;
        let end = match end {
            End::Accepted(reply) => Ok(reply),
            End::Refused(_, error)
            | End::Undecided(error)
            | End::NotSent(error)
            | End::Lost(error) => Err(error),
        };
        Submitted {
            recipients,
            end,
            is_misunderstood: self.is_misunderstood,
            is_stalled: self.is_stalled,
            is_untouched: self.is_untouched,
            has_odd_parameter: self.has_odd_parameter,
            is_lost,
        }
    }

    fn mail_refused(&mut self, reply: &SmtpReply) {
        self.has_odd_parameter |= matches!(reply.code, 501 | 504 | 555);
        let error = smtp_refusal(&self.host, SmtpPhase::Mail, reply);
        self.end.get_or_insert(End::NotSent(error));
    }

    fn recipient_answered(&mut self, index: usize, reply: SmtpReply) {
        if self.end.is_some() {
            return; // MAIL was refused: this says no more than that it was.
        }
        self.is_misunderstood |= self.is_begun && is_misunderstanding(&reply);
        if let Some(place) = self.replies.get_mut(index) {
            *place = Some(reply);
        }
    }

    fn message_taken(&mut self, reply: SmtpReply) {
        self.is_consumed = true;
        if self.has_accepted_recipients() {
            self.end = Some(End::Accepted(reply));
        }
    }

    /// Without a recipient that was accepted, this says no more than that there is none.
    fn message_refused(&mut self, reply: SmtpReply) {
        if self.end.is_some() || !self.has_accepted_recipients() {
            return;
        }
        self.is_misunderstood |= is_misunderstanding(&reply);
        let error = smtp_refusal(&self.host, SmtpPhase::Data, &reply);
        self.end = Some(End::Refused(reply, error));
    }

    fn shut_down(&mut self, command: Command, reply: SmtpReply) -> Answered {
        let error = smtp_refusal(&self.host, SmtpPhase::Session, &reply);
        if self.end.is_some() {
            return Answered::ShutDown(error);
        }
        let (phase, index) = match command {
            Command::Reset => (SmtpPhase::Session, None),
            Command::Mail => (SmtpPhase::Mail, None),
            Command::Recipient(index) => (SmtpPhase::Recipient, Some(index)),
            _ => (SmtpPhase::Data, None),
        };
        if let Some(place) = index.and_then(|index| self.replies.get_mut(index)) {
            *place = Some(reply.clone());
        }
        self.is_shut_down = !command.is_verdict();
        if command != Command::NoMessage {
            let error = smtp_refusal(&self.host, phase, &reply);
            self.end = Some(End::Refused(reply, error));
        }
        Answered::ShutDown(error)
    }

    fn out_of_step(&mut self, reply: &SmtpReply) -> Answered {
        let error = || misfit(&self.host, reply);
        if !self.is_decided() {
            self.end = Some(End::NotSent(error()));
        }
        Answered::OutOfStep(error())
    }
}

/// The error for a reply that is none to the command it should be for.
pub(super) fn misfit(host: &str, reply: &SmtpReply) -> Error {
    let what = format!("an answer that fits nowhere ({})", reply.code);
    violation(host, what).with_answer(words(reply))
}

/// Why a mail went nowhere that every recipient was refused for: a cause that will pass comes before one that stays.
fn nobody_left(host: &str, replies: &[Option<SmtpReply>]) -> Error {
    let temporary = replies.iter().flatten().find(|reply| reply.code < 500);
    match temporary.or_else(|| replies.iter().flatten().next()) {
        Some(reply) => smtp_refusal(host, SmtpPhase::Recipient, reply),
        None => violation(host, "no answer to any recipient"),
    }
}

impl Command {
    /// Its name in errors, without arguments.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Reset => "RSET",
            Self::Mail => "MAIL",
            Self::Recipient(_) => "RCPT",
            Self::Data => "DATA",
            Self::Message | Self::NoMessage | Self::Chunk(_, true) => "the message",
            Self::Chunk(_, false) => "BDAT",
        }
    }

    /// Whether its reply is the verdict on the message, which may take long.
    pub(super) fn is_verdict(self) -> bool {
        matches!(self, Self::Message | Self::NoMessage | Self::Chunk(_, true))
    }
}

/// The same verdict for all recipients, which is none of a server.
pub(super) fn alike(
    recipients: &[String],
    verdict: Verdict,
    error: &Error,
) -> Vec<RecipientVerdict> {
    let verdict = |address: &String| failed(address, verdict, None, error.problem());
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
        (_, End::Undecided(error)) => failed(address, Verdict::Undecided, None, error.problem()),
        (_, End::Refused(_, error) | End::NotSent(error) | End::Lost(error)) => {
            failed(address, Verdict::NotTried, None, error.problem())
        }
        // The verdict comes after the reply to every RCPT, so this one was positive.
        (_, End::Accepted(reply)) => RecipientVerdict {
            address: address.to_owned(),
            verdict: Verdict::Accepted,
            reply: Some(reply.clone()),
            code: String::new(),
            fix: String::new(),
            retry: Retry::Never,
            reply_class: Some(ReplyClass::Accepted),
            reply_scope: Some(ReplyScope::Recipient),
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
        reply_class: problem.reply_class,
        reply_scope: problem.reply_scope,
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

/// Unknown command, command not implemented, bad sequence of commands (RFC 5321 section 4.2.2).
fn is_misunderstanding(reply: &SmtpReply) -> bool {
    matches!(reply.code, 500 | 502 | 503)
}

/// The error for the gap between the last octet and the verdict, in which nobody can know (RFC 5321 section 4.5.3.2.6).
fn undecided(host: &str, why: Error) -> Error {
    let error = Error::new(
        ProblemKind::Unavailable,
        "delivery-undecided",
        format!("{host} got the whole message, but gave no verdict: it may have been delivered ({why})"),
        "look into Sent Items or ask a recipient before sending it again: a repetition may arrive as a second copy",
    )
    .with_retry(Retry::Never)
    .with_class(ReplyClass::Undecided, ReplyScope::Mail);
    let error = match &why.problem().answer {
        Some(answer) => error.with_answer(answer),
        None => error,
    };
    error.with_source(why)
}
