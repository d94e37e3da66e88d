//! The mails that wait for a connection to one server as one mailbox, and how many connections there are.
//!
//! Never more than [`MAX_CONNECTIONS`]; a new one is opened when those there are have no room, and whatever it is opened
//! for goes over whichever connection is ready first. First come, first served.
//!
//! A server counts the connections of all programs that use a mailbox. When it refuses one as too many, this process
//! gives up those that rest, opens no more for a while, and tries the mail again after a pause: the server certainly has
//! nothing of it.

use super::conversation::Conversation;
use super::journal::Journal;
use super::manners::Manners;
use super::opening::Opening;
use super::session::{Session, SignIn};
use super::transaction::alike;
use crate::body::Form;
use crate::error::{Error, Result};
use crate::host::{Clock, Network, Random};
use crate::model::{ProblemKind, TokenUse, Trail, Verdict};
use crate::token::{AccessToken, TokenSource};
use crate::transport::{Login, Outcome, OutgoingMail, SmtpRoute};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, oneshot, watch};

/// Mails for one server, and the connections to it.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) route: Arc<SmtpRoute>,
    pub(super) host: Arc<str>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) manners: Manners,
    network: Arc<dyn Network>,
    random: Arc<dyn Random>,
    tokens: Arc<dyn TokenSource>,
    state: Mutex<State>,
    /// Told once for each mail that comes.
    news: Notify,
    /// Told whenever somebody does not wait any more.
    left: Notify,
    /// Told to all that rest when the server has too many connections.
    crowd: Notify,
    is_closing: watch::Sender<bool>,
    connections: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Job>,
    next_number: u64,
    connections: usize,
    /// How many of them are not ready yet.
    opening: usize,
    /// How many could begin another mail.
    with_room: usize,
    /// How many have nothing to do.
    resting: usize,
    crowd: Crowd,
}

/// What the server's refusals tell of other programs.
#[derive(Debug, Default)]
struct Crowd {
    /// How many connections it lets this process have, and until when that is believed.
    most: Option<(usize, Duration)>,
    /// Until when it has too many connections, as far as is known.
    until: Duration,
    /// How often it has refused one since it last took a mail.
    refusals: u32,
    /// Until when no connection is opened.
    pause_until: Duration,
}

/// A mail, and whoever waits for what becomes of it.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) mail: OutgoingMail,
    /// It has been on a connection that was lost under it.
    pub(super) has_moved: bool,
    /// Since when it has been refused because of too many connections.
    crowded_since: Option<Duration>,
    /// Its place in the order of arrival.
    number: u64,
    outcome: oneshot::Sender<Outcome>,
}

impl Job {
    /// Whether nobody waits for it any more.
    pub(super) fn is_abandoned(&self) -> bool {
        self.outcome.is_closed()
    }

    /// Whether it waits on for other programs to let go of their connections.
    pub(super) fn waits_for_others(&mut self, now: Duration, most: Duration) -> bool {
        let since = *self.crowded_since.get_or_insert(now);
        now.saturating_sub(since) < most
    }

    /// Says what became of it.
    pub(super) fn finish(self, outcome: Outcome) {
        let mut outcome = outcome;
        if outcome.trail.size_bytes == 0 {
            outcome.trail.size_bytes = self.mail.mime.size_bytes(Form::Base64);
        }
        // Whoever waited may have gone.
        let _ = self.outcome.send(outcome);
    }

    /// Says why it was not tried.
    pub(super) fn refuse(self, error: Error, trail: Trail) {
        let recipients = alike(&self.mail.recipients, Verdict::NotTried, &error);
        self.finish(Outcome {
            trail,
            recipients,
            end: Err(error),
        });
    }
}

impl Queue {
    pub(super) fn new(
        route: SmtpRoute,
        network: Arc<dyn Network>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        tokens: Arc<dyn TokenSource>,
        manners: &super::manners::MannersOfHosts,
    ) -> Self {
        Self {
            host: route.host.as_str().into(),
            manners: manners.of(&route),
            route: Arc::new(route),
            clock,
            network,
            random,
            tokens,
            state: Mutex::default(),
            news: Notify::new(),
            left: Notify::new(),
            crowd: Notify::new(),
            is_closing: watch::Sender::new(false),
            connections: watch::Sender::new(0),
        }
    }

    /// Puts a mail at the end, and gives what will become of it.
    pub(super) fn add(self: &Arc<Self>, mail: OutgoingMail) -> Ticket {
        let (outcome, receiver) = oneshot::channel();
        let mut state = self.state();
        let number = state.next_number;
        state.next_number += 1;
        state.waiting.push_back(Job {
            mail,
            has_moved: false,
            crowded_since: None,
            number,
            outcome,
        });
        let is_much = state.waiting.len() > MANY_PER_CONNECTION * state.opening.max(1);
        if state.with_room + state.opening == 0 || is_much {
            self.open_another(&mut state);
        }
        drop(state);
        self.news.notify_one();
        Ticket {
            queue: self.clone(),
            outcome: Some(receiver),
        }
    }

    /// Puts a mail back to where it was in the order of arrival.
    pub(super) fn put_back(&self, job: Job) {
        let mut state = self.state();
        let before = |other: &Job| other.number < job.number;
        let place = state.waiting.partition_point(before);
        state.waiting.insert(place, job);
        drop(state);
        self.news.notify_one();
    }

    /// Notes that the server has taken a mail.
    pub(super) fn served(&self) {
        self.state().crowd.refusals = 0;
    }

    /// Notes that the server has too many connections, and has those that rest here make room.
    pub(super) fn crowded(&self) {
        let pause = self.random_part_of(pause_after(self.state().crowd.refusals));
        let now = self.clock.elapsed();
        let mut state = self.state();
        let fewer = state.connections.saturating_sub(1).max(1);
        let until = now.saturating_add(CROWD);
        state.crowd = Crowd {
            most: Some((fewer, until)),
            until,
            refusals: state.crowd.refusals + 1,
            pause_until: now.saturating_add(pause),
        };
        drop(state);
        self.crowd.notify_waiters();
    }

    /// Between half of a time and all of it, by chance: programs that were refused together do not come again together.
    fn random_part_of(&self, time: Duration) -> Duration {
        let mut octets = [0];
        // Without chance it is half the time, which is as good for whoever is alone.
        let _ = self.random.fill(&mut octets);
        time / 2 + time * u32::from(octets[0]) / 512
    }

    /// Takes the first mail.
    pub(super) fn next(&self) -> Option<Job> {
        let mut state = self.state();
        let job = state.waiting.pop_front();
        if !state.waiting.is_empty() {
            self.news.notify_one(); // For another connection, should this one have no more room.
        }
        job
    }

    /// Opens one more connection, if mails wait that no other is being opened for.
    pub(super) fn ask_for_help(self: &Arc<Self>) {
        let mut state = self.state();
        if !state.waiting.is_empty() && state.opening == 0 {
            self.open_another(&mut state);
        }
    }

    /// Notes that a connection has nothing to do, until that is dropped.
    pub(super) fn rest(self: &Arc<Self>) -> Rest {
        let mut state = self.state();
        let is_spare = state.resting > 0;
        let is_crowded = self.clock.elapsed() < state.crowd.until;
        state.resting += 1;
        Rest {
            queue: self.clone(),
            limit: match () {
                () if is_crowded => Duration::ZERO,
                () if is_spare => SPARE_REST.min(self.route.rest),
                () => self.route.rest,
            },
        }
    }

    /// Waits until the server turns out to have too many connections.
    pub(super) async fn crowd(&self) {
        self.crowd.notified().await;
    }

    /// Waits until nobody waits any more for any of the mails here.
    async fn deserted(&self) {
        self.left_when(|| {
            let state = self.state();
            !state.waiting.is_empty() && state.waiting.iter().all(Job::is_abandoned)
        })
        .await;
    }

    /// Waits until something holds that changes when somebody does not wait any more.
    pub(super) async fn left_when(&self, holds: impl Fn() -> bool + Send + Sync) {
        loop {
            let left = self.left.notified();
            tokio::pin!(left);
            // Registered before the look, so that nobody leaves unseen in between.
            left.as_mut().enable();
            if holds() {
                return;
            }
            left.await;
        }
    }

    /// Waits until a mail may have come.
    pub(super) async fn news(&self) {
        self.news.notified().await;
    }

    /// Whether connections are to end as soon as they have nothing to do.
    pub(super) fn is_closing(&self) -> bool {
        *self.is_closing.borrow()
    }

    /// Waits until connections are to end.
    pub(super) async fn closing(&self) {
        let _ = self
            .is_closing
            .subscribe()
            .wait_for(|closing| *closing)
            .await;
    }

    /// Has connections end as soon as they have nothing to do.
    pub(super) fn close(&self) {
        self.is_closing.send_replace(true);
    }

    /// Waits until there is no connection any more.
    pub(super) async fn closed(&self) {
        let _ = self
            .connections
            .subscribe()
            .wait_for(|count| *count == 0)
            .await;
    }

    fn open_another(self: &Arc<Self>, state: &mut State) {
        let now = self.clock.elapsed();
        let pause = state.crowd.pause_until.saturating_sub(now);
        let is_next_paused = !pause.is_zero() && state.opening > 0;
        if state.connections >= state.crowd.most(now) || is_next_paused {
            return;
        }
        state.connections += 1;
        state.opening += 1;
        self.connections.send_replace(state.connections);
        let presence = Presence {
            queue: self.clone(),
            is_opening: true,
        };
        tokio::spawn(presence.carry(pause));
    }

    /// Waits before a connection is opened; `false` when nothing is left to open it for.
    async fn pause(&self, pause: Duration) -> bool {
        if pause.is_zero() {
            return true;
        }
        let is_idle = || self.state().waiting.is_empty();
        let done = async {
            self.closing().await;
            self.left_when(is_idle).await;
        };
        tokio::select! {
            () = self.clock.sleep(pause) => {}
            () = done => {}
        }
        !is_idle()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a session and signs in; with a renewed token on a new connection, should the first one be refused. After a
    /// refusal, servers close the connection, answer late or take no second AUTH: a new one is sure to work.
    #[tracing::instrument(name = "smtp", level = "debug", skip_all, fields(host = %self.host))]
    async fn open(&self, journal: &mut Journal) -> Result<Session> {
        if self.route.login != Login::Token {
            return self.open_without_token(journal).await;
        }
        // The token comes first: a server would not wait as long as an identity provider may take.
        let token = self.token(None, journal).await?;
        let refusal = match self.open_with(&token, journal).await? {
            Ok(session) => return Ok(session),
            Err(refusal) => refusal,
        };
        let renewed = self.token(Some(&token), journal).await?;
        // Exposed to be compared: both are ours, so the time it takes tells nobody anything.
        if renewed.secret.expose() == token.secret.expose() {
            return Err(refusal);
        }
        self.open_with(&renewed, journal).await?
    }

    /// A session of a road on which a password signs in, or nobody.
    async fn open_without_token(&self, journal: &mut Journal) -> Result<Session> {
        let opening = Opening {
            route: &self.route,
            network: &*self.network,
            clock: &self.clock,
        };
        let mut session = Session::open(&opening, journal).await?;
        let Login::Password(password) = &self.route.login else {
            return Ok(session);
        };
        let signed_in = journal.step("AUTH", session.sign_in_with(password)).await;
        match signed_in {
            Ok(()) => Ok(session),
            Err(error) => {
                session.close().await;
                Err(error)
            }
        }
    }

    async fn token(
        &self,
        refused: Option<&AccessToken>,
        journal: &mut Journal,
    ) -> Result<AccessToken> {
        let token = self.tokens.access_token(&self.route.account, refused);
        let token = journal.step("token", token).await?;
        journal.trail.token = Some(TokenUse {
            origin: token.origin,
            from_cache: token.from_cache,
            audience: token.audience.clone(),
            scopes: token.scopes.clone(),
            expires_at_unix_ms: token.expires_at_unix_ms,
        });
        Ok(token)
    }

    /// A session, or the server's refusal of this token: another one may do better.
    async fn open_with(
        &self,
        token: &AccessToken,
        journal: &mut Journal,
    ) -> Result<Result<Session>> {
        let opening = Opening {
            route: &self.route,
            network: &*self.network,
            clock: &self.clock,
        };
        let mut session = Session::open(&opening, journal).await?;
        let signed_in = journal.step("AUTH", session.sign_in(&token.secret)).await;
        let refusal = match signed_in {
            Ok(SignIn::Accepted) => return Ok(Ok(session)),
            Ok(SignIn::TokenRefused(error)) => Ok(Err(error)),
            Err(error) => Err(error),
        };
        session.close().await;
        refusal
    }
}

/// What becomes of a mail, for whoever waits. Dropped before, it takes the mail out as far as that is possible.
#[derive(Debug)]
pub(super) struct Ticket {
    queue: Arc<Queue>,
    outcome: Option<oneshot::Receiver<Outcome>>,
}

impl Ticket {
    /// Waits for the outcome; `None` when the connection that carried the mail ended by a fault of ours.
    pub(super) async fn outcome(mut self) -> Option<Outcome> {
        self.outcome.as_mut()?.await.ok()
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.outcome = None;
        self.queue.left.notify_waiters();
    }
}

/// One connection, counted from before it is opened until after it has ended, however it ends.
struct Presence {
    queue: Arc<Queue>,
    is_opening: bool,
}

impl Presence {
    async fn carry(mut self, pause: Duration) {
        let queue = self.queue.clone();
        let trail = Trail {
            server: format!("{}:{}", queue.route.host, queue.route.port),
            ..Trail::default()
        };
        let mut journal = Journal::new(trail, queue.clock.clone());
        let opening = async {
            match queue.pause(pause).await {
                true => Some(queue.open(&mut journal).await),
                false => None,
            }
        };
        let opened = tokio::select! {
            biased;
            opened = opening => opened,
            () = queue.deserted() => return queue.state().waiting.retain(|job| !job.is_abandoned()),
        };
        match opened {
            Some(Ok(session)) => {
                let room = self.is_ready();
                Conversation::new(session, queue, room, journal.trail)
                    .run()
                    .await;
            }
            Some(Err(error)) => self.failed(&error, &journal.trail),
            None => {}
        }
    }

    fn is_ready(&mut self) -> Room {
        self.is_opening = false;
        let mut state = self.queue.state();
        state.opening -= 1;
        state.with_room += 1;
        Room {
            queue: self.queue.clone(),
            is_there: true,
        }
    }

    /// Other connections go on with what waits, and no more of them are opened for a while: servers refuse what is too
    /// much. Without any, what waits can be sent once other programs make room, or not at all.
    fn failed(&mut self, error: &Error, trail: &Trail) {
        let is_crowded = is_of_concurrency(error);
        if is_crowded {
            self.queue.crowded();
        }
        let now = self.queue.clock.elapsed();
        let mut state = self.queue.state();
        let others = state.connections - 1;
        if others > 0 {
            state.crowd.most = Some((others, now.saturating_add(CROWD)));
            return;
        }
        let most = self.queue.route.concurrency_wait;
        let mut hopeless = Vec::new();
        for mut job in std::mem::take(&mut state.waiting) {
            match is_crowded && job.waits_for_others(now, most) {
                true => state.waiting.push_back(job),
                false => hopeless.push(job),
            }
        }
        drop(state);
        for job in hopeless {
            let error = Error::from(error.problem().clone());
            job.refuse(error.with_nothing_sent(), trail.clone());
        }
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        let mut state = self.queue.state();
        state.connections -= 1;
        state.opening -= usize::from(self.is_opening);
        if state.connections == 0 {
            state.crowd.most = None;
        }
        if std::thread::panicking() {
            // Whatever it was, it would come again: those who wait learn of it, as their side of the channel closes.
            state.waiting.clear();
        } else if !state.waiting.is_empty() && state.opening == 0 {
            self.queue.open_another(&mut state);
        }
        self.queue.connections.send_replace(state.connections);
    }
}

impl Crowd {
    /// How many connections there may be.
    fn most(&self, now: Duration) -> usize {
        let believed = self.most.filter(|(_, until)| now < *until);
        believed.map_or(MAX_CONNECTIONS, |(most, _)| most)
    }
}

/// Whether a connection could begin another mail, for as long as it is ready.
#[derive(Debug)]
pub(super) struct Room {
    queue: Arc<Queue>,
    is_there: bool,
}

impl Room {
    /// Notes whether there is room.
    pub(super) fn note(&mut self, is_there: bool) {
        if self.is_there == is_there {
            return;
        }
        self.is_there = is_there;
        let mut state = self.queue.state();
        match is_there {
            true => state.with_room += 1,
            false => state.with_room -= 1,
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.note(false);
    }
}

/// A connection without anything to do, until that is dropped.
#[derive(Debug)]
pub(super) struct Rest {
    queue: Arc<Queue>,
    /// How long it may last.
    pub(super) limit: Duration,
}

impl Drop for Rest {
    fn drop(&mut self) {
        self.queue.state().resting -= 1;
    }
}

/// Whether a server refuses because too many connections of the mailbox are at work.
pub(super) fn is_of_concurrency(error: &Error) -> bool {
    error.code() == "throttle-concurrency"
}

/// How long no connection is opened after one more refusal.
fn pause_after(refusals: u32) -> Duration {
    FIRST_PAUSE * 2_u32.pow(refusals.min(4))
}

/// The error for a mail whose connection ended by a fault of ours.
pub(super) fn gone() -> Error {
    Error::new(
        ProblemKind::Internal,
        "panicked",
        "a fault inside Mailbearer ended this delivery: the mail may have been sent",
        "report it with the log of the process, which says where it happened",
    )
}

/// What Exchange Online allows one mailbox.
const MAX_CONNECTIONS: usize = 3;
/// So many mails may wait for a connection that is being opened before another one is.
const MANY_PER_CONNECTION: usize = 8;
/// All but one of the connections that rest do so for this long: enough for mails that come in bursts, and short enough
/// that other programs get their turn.
const SPARE_REST: Duration = Duration::from_secs(1);
/// How long it is remembered that a server has too many connections.
const CROWD: Duration = Duration::from_secs(60);
/// A mail takes about as long. It doubles with every refusal, up to 4 s.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::smtp::testing::{World, mail};

    /// A mail that came back was there before those that have come since, and nobody is overtaken.
    #[tokio::test]
    async fn mails_are_taken_in_the_order_they_came_even_when_some_come_back() {
        let queue = Arc::new(World::new(&[])).transport().queue.clone();
        let recipients = [
            "a@b.example",
            "b@b.example",
            "c@b.example",
            "d@b.example",
            "e@b.example",
        ];
        let _tickets = recipients.map(|recipient| queue.add(mail(&[recipient])));
        let [first, second, third] = [(); 3].map(|()| queue.next().unwrap());
        queue.put_back(third);
        queue.put_back(first);
        let taken = |job: Job| job.mail.recipients[0].clone();
        let rest: Vec<_> = std::iter::from_fn(|| queue.next()).map(taken).collect();
        assert_eq!(
            rest,
            ["a@b.example", "c@b.example", "d@b.example", "e@b.example"]
        );
        assert_eq!(taken(second), "b@b.example");
    }

    #[test]
    fn pauses_grow_and_are_bounded() {
        let pauses: Vec<_> = [0, 1, 4, 5, 1000]
            .map(|refusals| pause_after(refusals).as_millis())
            .into();
        assert_eq!(pauses, [250, 500, 4000, 4000, 4000]);
    }
}
