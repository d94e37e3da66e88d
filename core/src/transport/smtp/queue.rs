//! The mails that wait for a connection to one server as one mailbox, and how many connections there are.
//!
//! Never more than [`MAX_CONNECTIONS`]; a new one is opened when those there are have no room, and whatever it is opened
//! for goes over whichever connection is ready first. First come, first served.

use super::conversation::Conversation;
use super::journal::Journal;
use super::manners::Manners;
use super::opening::Opening;
use super::session::{Session, SignIn};
use super::transaction::alike;
use crate::body::Form;
use crate::error::{Error, Result};
use crate::host::{Clock, Network};
use crate::model::{ProblemKind, TokenUse, Trail, Verdict};
use crate::token::{AccessToken, TokenSource};
use crate::transport::{Login, Outcome, OutgoingMail, SmtpRoute};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, oneshot, watch};

/// Mails for one server, and the connections to it.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) route: Arc<SmtpRoute>,
    pub(super) host: Arc<str>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) manners: Manners,
    network: Arc<dyn Network>,
    tokens: Arc<dyn TokenSource>,
    state: Mutex<State>,
    /// Told once for each mail that comes.
    news: Notify,
    /// Told whenever somebody does not wait any more.
    left: Notify,
    is_closing: watch::Sender<bool>,
    connections: watch::Sender<usize>,
}

#[derive(Debug)]
struct State {
    waiting: VecDeque<Job>,
    connections: usize,
    /// How many of them are not ready yet.
    opening: usize,
    /// How many there may be: fewer than usual after the server has refused one more.
    most: usize,
}

/// A mail, and whoever waits for what becomes of it.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) mail: OutgoingMail,
    /// It has been on a connection that was lost under it.
    pub(super) has_moved: bool,
    outcome: oneshot::Sender<Outcome>,
}

impl Job {
    /// Whether nobody waits for it any more.
    pub(super) fn is_abandoned(&self) -> bool {
        self.outcome.is_closed()
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
        tokens: Arc<dyn TokenSource>,
        manners: &super::manners::MannersOfHosts,
    ) -> Self {
        Self {
            host: route.host.as_str().into(),
            manners: manners.of(&route),
            route: Arc::new(route),
            clock,
            network,
            tokens,
            state: Mutex::new(State {
                waiting: VecDeque::new(),
                connections: 0,
                opening: 0,
                most: MAX_CONNECTIONS,
            }),
            news: Notify::new(),
            left: Notify::new(),
            is_closing: watch::Sender::new(false),
            connections: watch::Sender::new(0),
        }
    }

    /// Puts a mail at the end, and gives what will become of it.
    pub(super) fn add(self: &Arc<Self>, mail: OutgoingMail) -> Ticket {
        let (outcome, receiver) = oneshot::channel();
        let mut state = self.state();
        state.waiting.push_back(Job {
            mail,
            has_moved: false,
            outcome,
        });
        let is_much = state.waiting.len() > MANY_PER_CONNECTION * state.opening.max(1);
        if state.connections == 0 || is_much {
            self.open_another(&mut state);
        }
        drop(state);
        self.news.notify_one();
        Ticket {
            queue: self.clone(),
            outcome: Some(receiver),
        }
    }

    /// Puts a mail back at the front.
    pub(super) fn put_back(self: &Arc<Self>, job: Job) {
        self.state().waiting.push_front(job);
        self.news.notify_one();
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
        if state.connections >= state.most {
            return;
        }
        state.connections += 1;
        state.opening += 1;
        self.connections.send_replace(state.connections);
        let presence = Presence {
            queue: self.clone(),
            is_opening: true,
        };
        tokio::spawn(presence.carry());
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
    async fn carry(mut self) {
        let queue = self.queue.clone();
        let trail = Trail {
            server: format!("{}:{}", queue.route.host, queue.route.port),
            ..Trail::default()
        };
        let mut journal = Journal::new(trail, queue.clock.clone());
        let opened = tokio::select! {
            biased;
            opened = queue.open(&mut journal) => opened,
            () = queue.deserted() => return queue.state().waiting.retain(|job| !job.is_abandoned()),
        };
        match opened {
            Ok(session) => {
                self.is_ready();
                Conversation::new(session, queue, journal.trail).run().await;
            }
            Err(error) => self.failed(&error, &journal.trail),
        }
    }

    fn is_ready(&mut self) {
        self.is_opening = false;
        self.queue.state().opening -= 1;
    }

    /// Other connections go on with what waits, and no more of them are opened until all are gone: servers refuse what
    /// is too much. Without any, nothing that waits can be sent.
    fn failed(&mut self, error: &Error, trail: &Trail) {
        let mut state = self.queue.state();
        let others = state.connections - 1;
        if others > 0 {
            state.most = others;
            return;
        }
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        for job in waiting {
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
            state.most = MAX_CONNECTIONS;
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
