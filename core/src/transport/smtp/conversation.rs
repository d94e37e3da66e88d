//! What goes over one connection that has signed in: mails from the queue, as many at a time as `pipeline` allows, and
//! each verdict to whoever waits for it.
//!
//! Ends when the queue is closed, when nothing has come for a while, when the token is about to end, or when the server
//! is of no use any more. A mail of which the server certainly has nothing goes back into the queue, once.

use super::connection::Connection;
use super::dot_stuffing::Stuffing;
use super::envelope::Envelope;
use super::pipeline::{Next, Pipeline, Way};
use super::queue::{Job, Queue, Room, is_of_concurrency};
use super::session::Session;
use super::transaction::{Command, Submitted};
use crate::body::{BodyReader, Form};
use crate::error::{Error, Result};
use crate::host::within;
use crate::model::{ProblemKind, Step, Trail, TransferOption};
use crate::transport::Outcome;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// A connection at work.
pub(super) struct Conversation {
    session: Session,
    pipeline: Pipeline,
    queue: Arc<Queue>,
    room: Room,
    opened_at: Duration,
    /// The mails under way, oldest first.
    underway: VecDeque<Underway>,
    next_number: u64,
    /// What the trail of every mail says of this connection; the steps of opening it are the first mail's.
    trail: Trail,
    /// Since when the oldest reply that is due has been waited for.
    waiting_since: Duration,
    /// Since when nothing has been under way.
    resting_since: Duration,
    /// How many mails it has finished.
    carried: u64,
}

/// A mail on its way, and when it got how far.
struct Underway {
    number: u64,
    job: Job,
    form: Form,
    /// Its message, as far as it has been read.
    reader: Option<BodyReader>,
    /// What it asks for and this server does not offer.
    not_offered: Vec<TransferOption>,
    began: Duration,
    message_began: Option<Duration>,
    message_sent: Option<Duration>,
}

/// Octets that go out in one write.
#[derive(Default)]
struct Flight {
    octets: Vec<u8>,
    /// No reply was due when it was begun, so that none may come before it has gone.
    is_unasked: bool,
    /// Where in it messages end, and of which mails.
    ends: Vec<(usize, u64)>,
}

/// The connection is over, and the pipeline knows.
struct Over;

impl Conversation {
    /// Takes a session that has signed in, with the trail of how.
    pub(super) fn new(session: Session, queue: Arc<Queue>, room: Room, trail: Trail) -> Self {
        let now = queue.clock.elapsed();
        let offered = match (session.extensions.pipelining, session.extensions.chunking) {
            (true, true) => Way::Chunked,
            (true, false) => Way::Pipelined,
            (false, _) => Way::OneByOne,
        };
        Self {
            pipeline: Pipeline::new(queue.host.clone(), queue.manners.at_most(offered)),
            underway: VecDeque::new(),
            next_number: 0,
            trail,
            opened_at: now,
            waiting_since: now,
            resting_since: now,
            carried: 0,
            session,
            queue,
            room,
        }
    }

    /// Carries mails to the end, and ends politely where the server still listens.
    pub(super) async fn run(mut self) {
        loop {
            self.hear().await;
            self.report();
            self.take();
            let is_unasked = !self.pipeline.awaits_reply();
            match self.pipeline.next() {
                Next::Wait(command) => self.wait(command).await,
                Next::Rest if self.rest().await => {}
                Next::Rest | Next::Stop => break,
                next => drop(self.speak(next, is_unasked).await),
            }
        }
        self.report();
        self.session.close().await;
    }

    /// Takes the replies that are here.
    async fn hear(&mut self) {
        while self.pipeline.awaits_reply() {
            match self.connection().early_reply().await {
                Ok(Some(reply)) => self.pipeline.answer(reply),
                Ok(None) => return,
                Err(error) => return self.pipeline.lost(&error),
            }
            self.waiting_since = self.now();
        }
    }

    /// Waits for a reply, or for another mail that can be begun meanwhile.
    async fn wait(&mut self, command: Command) {
        let timeouts = self.queue.route.timeouts;
        let limit = Duration::from_millis(match command.is_verdict() {
            true => timeouts.verdict_ms,
            false => timeouts.reply_ms,
        });
        let deadline = self.waiting_since.saturating_add(limit);
        let left = deadline.saturating_sub(self.now());
        let has_room = self.has_room();
        let underway = &self.underway;
        let is_deserted = || underway.iter().all(|mail| mail.job.is_abandoned());
        let reply = tokio::select! {
            biased;
            reply = self.session.connection.reply(command.name(), left) => reply,
            () = self.queue.left_when(is_deserted) => Err(abandoned()),
            () = self.queue.news(), if has_room => return,
        };
        match reply {
            Ok(reply) => self.pipeline.answer(reply),
            Err(error) => {
                self.connection().give_up();
                self.pipeline.lost(&error);
            }
        }
        self.waiting_since = self.now();
    }

    /// Waits for the next mail; `false` when the connection has been of use long enough.
    async fn rest(&mut self) -> bool {
        if self.queue.is_closing() || !self.has_room() {
            return false;
        }
        let rest = self.queue.rest();
        let since_rest = self.now().saturating_sub(self.resting_since);
        let left = rest.limit.saturating_sub(since_rest).min(self.life_left());
        tokio::select! {
            biased;
            () = self.queue.news() => true,
            () = self.queue.closing() => false,
            () = self.session.connection.spoken_to() => false,
            // Whatever was refused may go over this one; otherwise it makes room.
            () = self.queue.crowd(), if !rest.limit.is_zero() => true,
            () = self.queue.clock.sleep(left) => false,
        }
    }

    /// For how long a connection that rests is still of use: until its token is near its end, and not for ever, so that
    /// other programs get their turn even if there is always another mail before the rest is over.
    fn life_left(&self) -> Duration {
        let age = self.now().saturating_sub(self.opened_at);
        LIFE.saturating_sub(age).min(self.token_left())
    }

    /// Until when, from now, its token is good for another mail.
    fn token_left(&self) -> Duration {
        let Some(token) = &self.trail.token else {
            return Duration::MAX;
        };
        let ends = token.expires_at_unix_ms.saturating_sub(TOKEN_REST_MS);
        let left = ends.saturating_sub(self.queue.clock.now_unix_ms());
        Duration::from_millis(u64::try_from(left).unwrap_or_default())
    }

    /// Whether another mail can be begun. Near its token's end, a connection begins nothing more: the next one has a new
    /// token.
    fn has_room(&self) -> bool {
        let is_fresh = !self.token_left().is_zero();
        self.pipeline.has_room() && (is_fresh || self.next_number == 0)
    }

    /// Attachments go without base64 where the server takes that, and it saves something.
    fn form(&self, job: &Job) -> Form {
        let mime = &job.mail.mime;
        let saved = || {
            let base64 = mime.size_bytes(Form::Base64);
            base64.saturating_sub(mime.size_bytes(Form::Binary))
        };
        let takes_binary =
            self.pipeline.way() == Way::Chunked && self.session.extensions.binary_mime;
        match takes_binary && saved() >= LEAST_SAVED_BYTES {
            true => Form::Binary,
            false => Form::Base64,
        }
    }

    /// Begins what waits in the queue, as far as there is room.
    fn take(&mut self) {
        while self.has_room() {
            let Some(job) = self.queue.next() else {
                return self.room.note(true);
            };
            self.begin(job);
        }
        self.room.note(false);
        self.queue.ask_for_help();
    }

    fn begin(&mut self, job: Job) {
        if job.is_abandoned() {
            return;
        }
        let form = self.form(&job);
        let commands = Envelope::parse(&job.mail).and_then(|envelope| {
            envelope.commands(&self.queue.host, &self.session.extensions, form)
        });
        let mut commands = match commands {
            Ok(commands) => commands,
            Err(error) => return job.refuse(error, self.trail_with(Vec::new())),
        };
        let now = self.now();
        let rested = now.saturating_sub(self.resting_since);
        let is_cautious = self.carried > 0 && self.underway.is_empty() && rested >= TRUST_LIMIT;
        let not_offered = std::mem::take(&mut commands.not_offered);
        self.pipeline.begin(
            self.next_number,
            job.mail.recipients.clone(),
            commands,
            job.mail.mime.size_bytes(form),
            is_cautious,
        );
        self.underway.push_back(Underway {
            number: self.next_number,
            job,
            form,
            reader: None,
            not_offered,
            began: now,
            message_began: None,
            message_sent: None,
        });
        self.next_number += 1;
    }

    /// Says all that can be said now, with what other mails there are, in as few writes as possible.
    async fn speak(&mut self, mut next: Next, mut is_unasked: bool) -> Result<(), Over> {
        let mut flight = Flight::default();
        loop {
            match next {
                Next::Say(lines) => self.add(&mut flight, lines.as_bytes(), is_unasked),
                Next::SendMessage(number) => self.add_message(&mut flight, number).await?,
                Next::SendChunk(number, Command::Chunk(size_bytes, is_last)) => {
                    let line = bdat(size_bytes, is_last);
                    self.add(&mut flight, line.as_bytes(), is_unasked);
                    self.add_chunk(&mut flight, number, size_bytes).await?;
                }
                _ => break,
            }
            self.take();
            is_unasked = !self.pipeline.awaits_reply();
            next = self.pipeline.next();
        }
        self.write(&mut flight).await
    }

    fn add(&self, flight: &mut Flight, octets: &[u8], is_unasked: bool) {
        if flight.octets.is_empty() {
            flight.is_unasked = is_unasked;
        }
        flight.octets.extend_from_slice(octets);
    }

    /// Adds a message as DATA wants it, and writes what does not fit into one flight.
    async fn add_message(&mut self, flight: &mut Flight, number: u64) -> Result<(), Over> {
        let mut stuffing = Stuffing::default();
        let mut stuffed = Vec::new();
        loop {
            let octets = self.read(flight, number, FLIGHT_BYTES).await?;
            let is_end = octets.is_empty();
            let added = match is_end {
                true => std::mem::take(&mut stuffing).end(&mut stuffed),
                false => stuffing.go_on(&octets, &mut stuffed),
            };
            if let Err(error) = added {
                return Err(self.withdraw(flight, number, &error).await);
            }
            self.write_unless_small(flight, stuffed.len(), number)
                .await?;
            self.add(flight, &stuffed, true);
            stuffed.clear();
            if is_end {
                self.message_added(flight, number);
                return Ok(());
            }
        }
    }

    /// Adds the next part of a message as it is, and writes what does not fit into one flight.
    async fn add_chunk(
        &mut self,
        flight: &mut Flight,
        number: u64,
        size_bytes: u64,
    ) -> Result<(), Over> {
        let mut left = size_bytes;
        while left > 0 {
            let limit = usize::try_from(left).unwrap_or(FLIGHT_BYTES);
            let octets = self.read(flight, number, limit.min(FLIGHT_BYTES)).await?;
            if octets.is_empty() {
                return Err(self.withdraw(flight, number, &too_short()).await);
            }
            left = left.saturating_sub(octets.len() as u64);
            self.write_unless_small(flight, octets.len(), number)
                .await?;
            let is_unasked = !self.pipeline.awaits_reply();
            self.add(flight, &octets, is_unasked);
        }
        self.message_added(flight, number);
        Ok(())
    }

    /// The next octets of a message; none at its end.
    async fn read(
        &mut self,
        flight: &mut Flight,
        number: u64,
        limit_bytes: usize,
    ) -> Result<bytes::Bytes, Over> {
        let now = self.now();
        let limit = Duration::from_millis(self.queue.route.timeouts.reply_ms);
        let clock = self.queue.clock.clone();
        let Some(mail) = self.underway(number) else {
            return Ok(bytes::Bytes::new());
        };
        mail.message_began.get_or_insert(now);
        let body = &mail.job.mail.mime;
        let reader = mail.reader.get_or_insert_with(|| body.reader(mail.form));
        let read = within(&*clock, limit, reader.next(limit_bytes)).await;
        match read.unwrap_or_else(|| Err(too_slow(limit))) {
            Ok(octets) => Ok(octets),
            Err(error) => Err(self.withdraw(flight, number, &error).await),
        }
    }

    /// Leaves a message without its end, which only the end of the connection can tell the server. What was to go out
    /// before it goes.
    async fn withdraw(&mut self, flight: &mut Flight, number: u64, error: &Error) -> Over {
        if self.write(flight).await.is_ok() {
            self.pipeline.abandon(number, error);
            self.connection().give_up();
        }
        Over
    }

    fn message_added(&mut self, flight: &mut Flight, number: u64) {
        flight.ends.push((flight.octets.len(), number));
        self.pipeline.sent(number);
    }

    /// Makes room in a flight for part of a message. Whoever waited for the mail may have gone meanwhile, and the server
    /// may have something to say about what it has.
    async fn write_unless_small(
        &mut self,
        flight: &mut Flight,
        added_bytes: usize,
        number: u64,
    ) -> Result<(), Over> {
        if flight.octets.is_empty() || flight.octets.len() + added_bytes <= FLIGHT_BYTES {
            return Ok(());
        }
        self.write(flight).await?;
        if self
            .underway(number)
            .is_some_and(|mail| mail.job.is_abandoned())
        {
            self.pipeline.abandon(number, &abandoned());
            return self.over();
        }
        match self.connection().early_reply().await {
            Ok(None) => Ok(()),
            Ok(Some(reply)) if self.pipeline.awaits_reply() => {
                self.pipeline.answer(reply);
                match self.pipeline.is_over() {
                    true => self.over(),
                    false => Ok(()),
                }
            }
            Ok(Some(reply)) => {
                self.pipeline.answered_early(number, reply);
                self.over()
            }
            Err(error) => {
                self.pipeline.lost(&error);
                self.over()
            }
        }
    }

    /// Writes a flight, and leaves it empty.
    async fn write(&mut self, flight: &mut Flight) -> Result<(), Over> {
        let Flight {
            octets,
            is_unasked,
            ends,
        } = std::mem::take(flight);
        if octets.is_empty() {
            return Ok(());
        }
        if is_unasked {
            self.expect_silence(&ends).await?;
        }
        let written = self.connection().write(&octets).await;
        let left_bytes = written
            .as_ref()
            .map_or_else(|unsent| unsent.left_bytes, |()| 0);
        let written_bytes = octets.len() - left_bytes;
        let now = self.now();
        if is_unasked {
            self.waiting_since = now;
        }
        for (end, number) in &ends {
            match self.underway(*number) {
                Some(mail) if *end <= written_bytes => mail.message_sent = Some(now),
                _ => self.pipeline.not_sent(*number),
            }
        }
        match written {
            Err(unsent) if left_bytes > 0 => {
                self.last_words(unsent.error).await;
                self.over()
            }
            // The server may have it all: its replies are worth waiting for.
            _ => Ok(()),
        }
    }

    /// Nothing was asked, so nothing may have been answered: not even half a verdict before the end of a message.
    async fn expect_silence(&mut self, ends: &[(usize, u64)]) -> Result<(), Over> {
        let is_after_go_ahead = self.pipeline.way() < Way::Chunked;
        let mut error = None;
        if let Some((_, number)) = ends.first().filter(|_| is_after_go_ahead) {
            match self.connection().early_reply().await {
                Ok(Some(reply)) => {
                    self.pipeline.not_sent(*number);
                    self.pipeline.answered_early(*number, reply);
                    return self.over();
                }
                Ok(None) => {}
                Err(lost) => error = Some(lost),
            }
        }
        if error.is_none() {
            error = self.connection().must_be_silent().await.err();
        }
        let Some(error) = error else {
            return Ok(());
        };
        for (_, number) in ends {
            self.pipeline.not_sent(*number);
        }
        self.pipeline.lost(&error);
        self.over()
    }

    /// Hears what the server has said before it stopped reading, which may say why.
    async fn last_words(&mut self, error: Error) {
        while let Ok(Some(reply)) = self.connection().early_reply().await {
            self.pipeline.answer(reply);
        }
        self.pipeline.lost(&error);
    }

    fn over(&mut self) -> Result<(), Over> {
        self.connection().give_up();
        Err(Over)
    }

    /// Gives every mail that is done its outcome.
    fn report(&mut self) {
        while let Some((number, submitted)) = self.pipeline.finished() {
            let Some(mail) = self.underway.pop_front() else {
                return;
            };
            debug_assert_eq!(mail.number, number);
            self.finish(mail, submitted);
        }
    }

    fn finish(&mut self, mail: Underway, submitted: Submitted) {
        let now = self.now();
        // It may be that BINARYMIME was offered by something that does not know it: slower, it is not used.
        let is_misunderstood = submitted.is_misunderstood
            || (submitted.has_odd_parameter && mail.form == Form::Binary);
        if is_misunderstood || submitted.is_stalled {
            self.queue.manners.slow_down(self.pipeline.way());
            self.pipeline.close();
        }
        let goes_slower = is_misunderstood && self.pipeline.way() > Way::OneByOne;
        let is_stale = submitted.is_lost && self.carried > 0;
        self.resting_since = now;
        let mut job = mail.job;
        if submitted.is_untouched {
            self.queue.put_back(job);
            return;
        }
        if submitted.is_unsent() && (goes_slower || is_stale) && !job.has_moved {
            job.has_moved = true;
            self.queue.put_back(job);
            return;
        }
        if submitted.end.as_ref().is_err_and(is_of_concurrency) {
            self.pipeline.close();
            self.queue.crowded();
            let most = self.queue.route.concurrency_wait;
            if submitted.is_unsent() && job.waits_for_others(now, most) {
                self.queue.put_back(job);
                return;
            }
        } else if submitted.end.is_ok() {
            self.queue.served();
        }
        self.carried += 1;
        let marks = [
            (self.envelope_step(), Some(mail.began)),
            ("message", mail.message_began),
            ("verdict", mail.message_sent),
            ("", Some(now)),
        ];
        let mut trail = self.trail_with(steps(&marks));
        trail.size_bytes = job.mail.mime.size_bytes(mail.form);
        trail.not_offered = mail.not_offered;
        job.finish(Outcome {
            trail,
            recipients: submitted.recipients,
            end: submitted.end,
        });
    }

    fn envelope_step(&self) -> &'static str {
        match self.pipeline.way() {
            Way::OneByOne | Way::Pipelined => "MAIL RCPT DATA",
            Way::Chunked => "MAIL RCPT BDAT",
        }
    }

    /// The trail of a mail: what is known of the connection, and its own steps.
    fn trail_with(&mut self, steps: Vec<Step>) -> Trail {
        let mut trail = self.trail.clone();
        self.trail.steps.clear();
        trail.steps.extend(steps);
        trail
    }

    fn underway(&mut self, number: u64) -> Option<&mut Underway> {
        self.underway.iter_mut().find(|mail| mail.number == number)
    }

    fn connection(&mut self) -> &mut Connection {
        &mut self.session.connection
    }

    fn now(&self) -> Duration {
        self.queue.clock.elapsed()
    }
}

fn bdat(size_bytes: u64, is_last: bool) -> String {
    let last = if is_last { " LAST" } else { "" };
    format!("BDAT {size_bytes}{last}\r\n")
}

/// The steps between marks that were reached; each lasts until the next one that was.
fn steps(marks: &[(&str, Option<Duration>)]) -> Vec<Step> {
    let reached = || marks.iter().filter_map(|(name, at)| Some((*name, (*at)?)));
    let step = |((name, from), (_, to)): ((&str, Duration), (_, Duration))| Step {
        name: name.to_owned(),
        duration_us: u64::try_from(to.saturating_sub(from).as_micros()).unwrap_or(u64::MAX),
    };
    reached().zip(reached().skip(1)).map(step).collect()
}

fn too_short() -> Error {
    Error::new(
        ProblemKind::Internal,
        "message-too-short",
        "a message ended before the size that was declared, and nothing was delivered",
        "report this: it is a fault of Mailbearer",
    )
}

fn too_slow(limit: Duration) -> Error {
    let seconds = limit.as_secs_f64();
    Error::new(
        ProblemKind::Unavailable,
        "attachment-too-slow",
        format!(
            "nothing could be read of an attachment within {seconds} seconds, and nothing was delivered"
        ),
        "look at the disk or the network drive that the attachment is on, and send the mail again",
    )
}

/// Nobody sees this error: whoever waited has gone.
fn abandoned() -> Error {
    Error::new(
        ProblemKind::Unavailable,
        "delivery-cancelled",
        "the delivery was cancelled before the message was complete",
        "",
    )
}

/// What goes out in one write at most, but for the commands of one mail: four TLS records.
const FLIGHT_BYTES: usize = 64 * 1024;
/// For less, an attachment keeps its base64, which every server further on takes too.
const LEAST_SAVED_BYTES: u64 = 64 * 1024;
/// After this long without use, a connection may be dead without anybody having noticed.
const TRUST_LIMIT: Duration = Duration::from_secs(5);
/// Before its token ends by this much, a connection begins no mail any more, in milliseconds.
const TOKEN_REST_MS: i64 = 30_000;
/// After this long, a connection that has nothing to do is not kept any more.
const LIFE: Duration = Duration::from_secs(30);
