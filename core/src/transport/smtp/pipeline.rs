//! The order of things on one connection, for any number of mails: what may be said before which reply, which reply
//! belongs to which command of which mail, and what is left of all of them when the connection ends.
//! Pure decisions; it sends and waits for nothing itself.
//!
//! Three ways, by what the server offers: one command at a time (RFC 5321); everything up to DATA in one flight, and the
//! next mail's behind the message (RFC 2920); MAIL, RCPT and the message itself in one flight, and the next mail right
//! behind it (RFC 3030). The results are the same.

use super::envelope::EnvelopeCommands;
use super::transaction::{Answered, Command, Submitted, Transaction, misfit};
use crate::error::Error;
use crate::model::SmtpReply;
use std::collections::VecDeque;
use std::sync::Arc;

/// How much may be said before a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Way {
    /// One command.
    OneByOne,
    /// With PIPELINING: up to DATA.
    Pipelined,
    /// With PIPELINING and CHUNKING: whole mails.
    Chunked,
}

/// The mails on one connection.
#[derive(Debug)]
pub(super) struct Pipeline {
    host: Arc<str>,
    way: Way,
    mails: VecDeque<MailUnderway>,
    /// The commands without a reply yet, each with its mail's number, oldest first.
    due: VecDeque<(u64, Command)>,
    /// Whether the server has no transaction open, as far as is known.
    is_clean: bool,
    /// The mail whose envelope was said last.
    last_said: Option<u64>,
    /// Nothing more is said.
    is_closing: bool,
    /// Nothing more is said or heard.
    is_over: bool,
}

#[derive(Debug)]
struct MailUnderway {
    number: u64,
    transaction: Transaction,
    commands: EnvelopeCommands,
    unsent: VecDeque<Command>,
    /// What of its message is on its way out.
    sending: Option<Command>,
    /// Its message waits for the replies to its envelope.
    is_cautious: bool,
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Say these lines.
    Say(String),
    /// Send the message of this mail as DATA wants it, then say so with [`Pipeline::sent`].
    SendMessage(u64),
    /// Send this part of the message of this mail as it is, behind BDAT, then say so with [`Pipeline::sent`].
    SendChunk(u64, Command),
    /// Wait for the reply to this command, and hand it to [`Pipeline::answer`].
    Wait(Command),
    /// Nothing: all that was begun is done.
    Rest,
    /// Nothing any more: the connection is of no use.
    Stop,
}

impl Pipeline {
    /// A connection that has just signed in.
    pub(super) fn new(host: Arc<str>, way: Way) -> Self {
        Self {
            host,
            way,
            mails: VecDeque::new(),
            due: VecDeque::new(),
            is_clean: true,
            last_said: None,
            is_closing: false,
            is_over: false,
        }
    }

    /// How this connection goes.
    pub(super) fn way(&self) -> Way {
        self.way
    }

    /// Whether another mail can be begun now.
    pub(super) fn has_room(&self) -> bool {
        let most = match self.way {
            Way::OneByOne => 1,
            // The next one's envelope goes with the end of this one's message.
            Way::Pipelined => 2,
            Way::Chunked => MAX_MAILS_IN_FLIGHT,
        };
        !self.is_closing && !self.is_over && self.mails.len() < most
    }

    /// Whether the connection is of no use any more.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Whether a reply to anything is due.
    pub(super) fn awaits_reply(&self) -> bool {
        !self.due.is_empty()
    }

    /// Begins a mail with a number of its own. Of a `cautious` one, no octet of the message leaves before the server has
    /// answered its envelope: the connection may be dead without anybody having noticed.
    pub(super) fn begin(
        &mut self,
        number: u64,
        recipients: Vec<String>,
        commands: EnvelopeCommands,
        size_bytes: u64,
        is_cautious: bool,
    ) {
        let each_recipient = (0..recipients.len()).map(Command::Recipient);
        let mut unsent: VecDeque<_> = std::iter::once(Command::Mail)
            .chain(each_recipient)
            .collect();
        match self.way {
            Way::OneByOne | Way::Pipelined => unsent.push_back(Command::Data),
            Way::Chunked => unsent.extend(chunks(size_bytes)),
        }
        self.mails.push_back(MailUnderway {
            number,
            transaction: Transaction::new(self.host.clone(), recipients),
            commands,
            unsent,
            sending: None,
            is_cautious,
        });
    }

    /// What to do next.
    pub(super) fn next(&mut self) -> Next {
        if self.is_over {
            return Next::Stop;
        }
        if let Some(next) = self.next_to_say() {
            return next;
        }
        match self.due.front() {
            Some((_, command)) => Next::Wait(*command),
            None if self.is_closing => Next::Stop,
            None => Next::Rest,
        }
    }

    /// Notes that a message or a chunk of it went out whole.
    pub(super) fn sent(&mut self, number: u64) {
        let Some(mail) = self.mail(number) else {
            return;
        };
        let Some(command) = mail.sending.take() else {
            return;
        };
        if command.is_verdict() {
            mail.transaction.message_sent();
        }
        self.due.push_back((number, command));
        if command == Command::Message {
            self.is_clean = true; // The end of data ends the transaction, whatever the verdict (RFC 5321, 4.1.1.4).
        }
    }

    /// Notes that the end of a message did not go out, though [`Pipeline::sent`] said so.
    pub(super) fn not_sent(&mut self, number: u64) {
        if let Some(mail) = self.mail(number) {
            mail.transaction.message_not_sent();
        }
    }

    /// Takes the reply to the oldest command without one.
    pub(super) fn answer(&mut self, reply: SmtpReply) {
        let Some((number, command)) = self.due.pop_front() else {
            return self.lost(&misfit(&self.host, &reply));
        };
        let is_go_ahead = command == Command::Data && reply.code == 354;
        let Some(mail) = self.mail(number) else {
            return;
        };
        let answered = mail.transaction.answer(command, reply);
        if is_go_ahead && matches!(answered, Answered::InStep) {
            mail.unsent
                .push_back(match mail.transaction.has_accepted_recipients() {
                    true => Command::Message,
                    false => Command::NoMessage,
                });
        } else if mail.transaction.is_decided() {
            mail.unsent.clear();
        }
        if mail.transaction.is_consumed() && self.last_said == Some(number) {
            self.is_clean = true;
        }
        match answered {
            Answered::InStep => {}
            Answered::OutOfStep(error) => self.lost(&error),
            Answered::ShutDown(error) => self.shut_down(&error),
        }
    }

    /// Takes what the server said before it had the whole message of a mail.
    pub(super) fn answered_early(&mut self, number: u64, reply: SmtpReply) {
        let error = misfit(&self.host, &reply);
        if let Some(mail) = self.mail(number) {
            mail.transaction.answered_early(reply);
        }
        self.lost(&error);
    }

    /// Notes that no reply will come any more, and why.
    pub(super) fn lost(&mut self, error: &Error) {
        self.is_over = true;
        self.due.clear();
        for mail in &mut self.mails {
            mail.unsent.clear();
            mail.sending = None;
            mail.transaction.lost(error.problem().clone().into());
        }
    }

    /// Notes that a message cannot go on and its end is never said: the server throws it away with the connection. What
    /// was sent before it is still heard; nothing was said of what comes behind it.
    pub(super) fn abandon(&mut self, number: u64, error: &Error) {
        self.is_closing = true;
        for mail in self.mails.iter_mut().filter(|mail| mail.number >= number) {
            let error = error.problem().clone().into();
            match (mail.number == number, mail.unsent.front()) {
                (true, _) => mail.transaction.withdrawn(error),
                (false, Some(Command::Mail)) => mail.transaction.untouched(error),
                (false, _) => mail.transaction.not_reached(error),
            }
            mail.unsent.clear();
            mail.sending = None;
        }
        self.due.retain(|(due, _)| *due < number);
    }

    /// Says nothing more once all that was begun is done.
    pub(super) fn close(&mut self) {
        self.is_closing = true;
    }

    /// The next mail that nothing is left to do for, with what it came to.
    pub(super) fn finished(&mut self) -> Option<(u64, Submitted)> {
        // Replies come in the order of the commands, so that mails are done in order too.
        let mail = self.mails.front()?;
        let is_due = self
            .due
            .front()
            .is_some_and(|(number, _)| *number == mail.number);
        if is_due || mail.sending.is_some() || !mail.unsent.is_empty() {
            return None;
        }
        let mail = self.mails.pop_front()?;
        Some((mail.number, mail.transaction.finish()))
    }

    /// The server ends the connection, and does not get to what else was sent.
    fn shut_down(&mut self, error: &Error) {
        for mail in &mut self.mails {
            mail.transaction.not_reached(error.problem().clone().into());
        }
        self.lost(error);
    }

    fn next_to_say(&mut self) -> Option<Next> {
        let index = self.mails.iter().position(|mail| !mail.unsent.is_empty())?;
        let mail = self.mails.get(index)?;
        let number = mail.number;
        let first = *mail.unsent.front()?;
        match first {
            Command::Message => {
                self.begin_sending(index);
                Some(Next::SendMessage(number))
            }
            Command::Chunk(..) if self.may_send_chunk(mail) => {
                self.begin_sending(index);
                Some(Next::SendChunk(number, first))
            }
            Command::Chunk(..) => None,
            _ if self.may_speak() => Some(Next::Say(self.lines(index))),
            _ => None,
        }
    }

    fn begin_sending(&mut self, index: usize) {
        if let Some(mail) = self.mails.get_mut(index) {
            mail.sending = mail.unsent.pop_front();
        }
    }

    /// Whether the next command may be said before the replies that are due.
    fn may_speak(&self) -> bool {
        match self.way {
            Way::OneByOne => self.due.is_empty(),
            // Nothing may follow DATA (RFC 2920 section 3.1).
            Way::Pipelined => !self
                .due
                .iter()
                .any(|(_, command)| *command == Command::Data),
            Way::Chunked => true,
        }
    }

    fn may_send_chunk(&self, mail: &MailUnderway) -> bool {
        let own = self.due.iter().filter(|(number, _)| *number == mail.number);
        let (mut chunks, mut others) = (0, 0);
        for (_, command) in own {
            match command {
                Command::Chunk(..) => chunks += 1,
                _ => others += 1,
            }
        }
        chunks < MAX_CHUNKS_IN_FLIGHT && (others == 0 || !mail.is_cautious)
    }

    /// The commands of a mail that may go together, and their replies are due.
    fn lines(&mut self, index: usize) -> String {
        let mut lines = String::new();
        let Some(mail) = self.mails.get_mut(index) else {
            return lines;
        };
        let number = mail.number;
        if self.last_said != Some(number) {
            let is_clean = std::mem::replace(&mut self.is_clean, false);
            self.last_said = Some(number);
            if !is_clean {
                mail.unsent.push_front(Command::Reset);
            }
        }
        while let Some(command) = mail.unsent.pop_front() {
            if matches!(command, Command::Chunk(..)) {
                mail.unsent.push_front(command);
                break;
            }
            lines.push_str(mail.line(command));
            self.due.push_back((number, command));
            if self.way == Way::OneByOne {
                break;
            }
        }
        lines
    }

    fn mail(&mut self, number: u64) -> Option<&mut MailUnderway> {
        self.mails.iter_mut().find(|mail| mail.number == number)
    }
}

impl MailUnderway {
    fn line(&self, command: Command) -> &str {
        match command {
            Command::Reset => "RSET\r\n",
            Command::Mail => &self.commands.mail,
            Command::Recipient(index) => {
                let line = self.commands.recipients.get(index);
                line.map(String::as_str).unwrap_or_default()
            }
            Command::Data => "DATA\r\n",
            Command::NoMessage => ".\r\n",
            // Too large for a line: they are sent from where they lie.
            Command::Message | Command::Chunk(..) => "",
        }
    }
}

/// A message in chunks. Small ones go whole; of large ones, what has not left yet is saved when the server refuses.
fn chunks(size_bytes: u64) -> impl Iterator<Item = Command> {
    let count = size_bytes.div_ceil(CHUNK_BYTES).max(1);
    (1..=count).map(move |number| {
        let before = (number - 1) * CHUNK_BYTES;
        Command::Chunk(CHUNK_BYTES.min(size_bytes - before), number == count)
    })
}

/// How many mails one connection has under way at most. It bounds how many are left undecided when the connection
/// breaks, and is more than enough to fill a path of 100 ms with mails of a few kilobytes.
const MAX_MAILS_IN_FLIGHT: usize = 32;
/// How many chunks of a mail may be without a reply: enough to keep a fast path busy.
const MAX_CHUNKS_IN_FLIGHT: usize = 4;
/// What is lost, at a time, on a server that has refused the mail.
const CHUNK_BYTES: u64 = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Verdict;
    use crate::transport::smtp::connection::violation;
    use proptest::prelude::*;

    const WAYS: [Way; 3] = [Way::OneByOne, Way::Pipelined, Way::Chunked];

    fn reply(code: u16) -> SmtpReply {
        SmtpReply {
            code,
            enhanced_status: None,
            text: String::new(),
        }
    }

    fn begin(pipeline: &mut Pipeline, number: u64, recipients: usize, size_bytes: u64) {
        let recipients: Vec<_> = (0..recipients).map(|index| format!("r{index}")).collect();
        let commands = EnvelopeCommands {
            mail: format!("MAIL {number}\r\n"),
            recipients: recipients.iter().map(|r| format!("RCPT {r}\r\n")).collect(),
            not_offered: Vec::new(),
        };
        pipeline.begin(number, recipients, commands, size_bytes, false);
    }

    /// Carries mails of these numbers of recipients against a list of replies, whatever they are; the connection breaks
    /// after the last. Gives what was said and what became of each mail.
    fn play(
        way: Way,
        mails: &[usize],
        size_bytes: u64,
        codes: &[u16],
    ) -> (Vec<String>, Vec<(u64, Submitted)>) {
        let mut pipeline = Pipeline::new("host".into(), way);
        let (mut waiting, mut codes) = (mails.iter(), codes.iter());
        let (mut said, mut finished, mut next_number) = (Vec::new(), Vec::new(), 0);
        loop {
            while pipeline.has_room()
                && let Some(recipients) = waiting.next()
            {
                begin(&mut pipeline, next_number, *recipients, size_bytes);
                next_number += 1;
            }
            match pipeline.next() {
                Next::Say(lines) => said.push(lines),
                Next::SendMessage(number) => {
                    said.push(format!("message {number}"));
                    pipeline.sent(number);
                }
                Next::SendChunk(number, Command::Chunk(size_bytes, is_last)) => {
                    said.push(format!("chunk {number} {size_bytes} {is_last}"));
                    pipeline.sent(number);
                }
                Next::Wait(_) => match codes.next() {
                    Some(code) => pipeline.answer(reply(*code)),
                    None => pipeline.lost(&violation("host", "nothing more")),
                },
                _ => {}
            }
            while let Some(done) = pipeline.finished() {
                finished.push(done);
            }
            let is_done = finished.len() == usize::try_from(next_number).unwrap();
            if is_done && (pipeline.is_over() || waiting.as_slice().is_empty()) {
                return (said, finished);
            }
        }
    }

    #[test]
    fn says_as_much_as_may_go_before_the_replies() {
        fn check(way: Way, codes: &[u16], expected: &[&str]) {
            let (said, _) = play(way, &[2, 1], 9, codes);
            assert_eq!(said, expected, "{way:?} {codes:?}");
        }
        let good = &[250, 250, 250, 354, 250, 250, 250, 354, 250];
        let one_by_one = [
            "MAIL 0\r\n",
            "RCPT r0\r\n",
            "RCPT r1\r\n",
            "DATA\r\n",
            "message 0",
            "MAIL 1\r\n",
            "RCPT r0\r\n",
            "DATA\r\n",
            "message 1",
        ];
        check(Way::OneByOne, good, &one_by_one);
        let (first, second) = (
            "MAIL 0\r\nRCPT r0\r\nRCPT r1\r\nDATA\r\n",
            "MAIL 1\r\nRCPT r0\r\nDATA\r\n",
        );
        check(
            Way::Pipelined,
            good,
            &[first, "message 0", second, "message 1"],
        );
        // Whether the first mail is over is not known yet, so that the second one clears the table.
        let chunked = [
            "MAIL 0\r\nRCPT r0\r\nRCPT r1\r\n",
            "chunk 0 9 true",
            "RSET\r\nMAIL 1\r\nRCPT r0\r\n",
            "chunk 1 9 true",
        ];
        check(Way::Chunked, &[250; 8], &chunked);
    }

    #[test]
    fn a_transaction_that_was_left_open_is_reset_before_the_next_one() {
        let refused = [250, 550, 250, 250, 250, 354, 250];
        let (said, done) = play(Way::OneByOne, &[1, 1], 9, &refused);
        let expected = [
            "MAIL 0\r\n",
            "RCPT r0\r\n",
            "RSET\r\n",
            "MAIL 1\r\n",
            "RCPT r0\r\n",
            "DATA\r\n",
            "message 1",
        ];
        assert_eq!(said, expected);
        assert!(done[0].1.end.is_err() && done[1].1.end.is_ok());
    }

    #[test]
    fn nothing_more_of_a_large_message_goes_to_a_server_that_has_refused_it() {
        let size_bytes = 10 * CHUNK_BYTES;
        let (said, done) = play(
            Way::Chunked,
            &[1],
            size_bytes,
            &[250, 550, 503, 503, 503, 503],
        );
        assert_eq!(said.len(), 1 + MAX_CHUNKS_IN_FLIGHT);
        assert_eq!(done[0].1.recipients[0].verdict, Verdict::Refused);
        let (said, done) = play(Way::Chunked, &[1], size_bytes, &[250; 12]);
        assert_eq!(said.len(), 11);
        assert!(said[10].ends_with("true"));
        assert!(done[0].1.end.is_ok());
    }

    #[test]
    fn a_server_that_ends_the_session_leaves_nothing_undecided() {
        let (_, done) = play(Way::Chunked, &[1, 1, 1], 9, &[250, 250, 250, 250, 421]);
        let verdicts: Vec<_> = done
            .iter()
            .map(|(_, done)| done.recipients[0].verdict)
            .collect();
        assert_eq!(verdicts[0], Verdict::Accepted);
        assert!(!verdicts.contains(&Verdict::Undecided), "{verdicts:?}");
        assert!(done[1].1.is_lost && done[2].1.is_lost);
    }

    #[test]
    fn a_server_that_cannot_do_what_it_offers_is_told_apart_from_one_that_refuses() {
        fn check(codes: &[u16], expected: bool) {
            let (_, done) = play(Way::Chunked, &[1], 9, codes);
            assert_eq!(done[0].1.is_misunderstood, expected, "{codes:?}");
            assert!(done[0].1.is_unsent(), "{codes:?}");
        }
        check(&[250, 250, 502], true);
        check(&[250, 503, 503], true);
        check(&[250, 250, 554], false);
        check(&[550, 503, 503], false);
        check(&[250, 550, 503], false);
    }

    proptest! {
        #[test]
        fn whatever_is_answered_every_mail_and_recipient_has_one_verdict(
            way in prop::sample::select(&WAYS[..]),
            mails in prop::collection::vec(1usize..4, 1..5),
            size_bytes in prop::sample::select(&[9, CHUNK_BYTES + 1, 7 * CHUNK_BYTES][..]),
            codes in prop::collection::vec(
                prop::sample::select(&[200, 250, 250, 250, 251, 354, 354, 421, 450, 503, 550, 554][..]), 0..40,
            ),
        ) {
            let (said, finished) = play(way, &mails, size_bytes, &codes);
            for (place, (number, submitted)) in finished.iter().enumerate() {
                prop_assert_eq!(u64::try_from(place).unwrap(), *number);
                prop_assert_eq!(submitted.recipients.len(), mails[place]);
                let is_accepted = submitted.recipients.iter().any(|r| r.verdict == Verdict::Accepted);
                prop_assert_eq!(submitted.end.is_ok(), is_accepted);
                let whole = [format!("message {number}"), format!("chunk {number} {} true", (size_bytes - 1) % CHUNK_BYTES + 1)];
                let was_sent = said.iter().any(|said| whole.contains(said));
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
}
