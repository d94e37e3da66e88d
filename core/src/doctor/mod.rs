//! Examines an account: from its settings to the mailbox, stage by stage, as a mail would go, and sends nothing.
//! The first broken stage ends the way; what else can be learnt there is asked at once, so that one run is enough.

mod probe;
mod server;
pub(crate) mod test_mail;

use crate::account::Accounts;
use crate::error::{Error, Result};
use crate::host::{Clock, HttpClient, Network};
use crate::model::{Account, Examination, Examine, Finding, Health, RouteKind, Stage, Timeouts};
use crate::token::TokenCache;
use crate::transport::{Examined, Login, SmtpRoute};
use probe::Seen;
use std::sync::Arc;
use std::time::Duration;

/// What an examination needs of the handle.
#[derive(Debug)]
pub(crate) struct Doctor<'a> {
    pub(crate) accounts: &'a Accounts,
    pub(crate) tokens: &'a TokenCache,
    pub(crate) http: &'a dyn HttpClient,
    pub(crate) network: &'a dyn Network,
    pub(crate) clock: &'a Arc<dyn Clock>,
}

impl Doctor<'_> {
    /// Examines an account along a route to its mail server. Whatever is wrong is a finding.
    pub(crate) async fn examine(
        &self,
        account: &Account,
        order: &Examine,
        route: Option<SmtpRoute>,
    ) -> Examination {
        let mut report = Report::new(self.clock);
        report.note(Stage::Settings, probe::settings(account));
        report
            .run(Stage::Credentials, probe::credentials(self, account))
            .await;
        report
            .run(
                Stage::IdentityProvider,
                probe::identity_provider(self, account),
            )
            .await;
        match route {
            Some(route) => {
                self.examine_server(order, patient(route), &mut report)
                    .await
            }
            None if account.route.kind() == RouteKind::Graph => {
                report
                    .run(Stage::Token, server::token(self, &account.name))
                    .await;
            }
            None => {}
        }
        report.finish(&account.name)
    }

    async fn examine_server(&self, order: &Examine, route: SmtpRoute, report: &mut Report<'_>) {
        let route = Arc::new(route);
        let Some(mut session) = server::open(self, &route, report).await else {
            return;
        };
        if self.signs_in(&route, &mut session, report).await.is_some() {
            let senders = server::senders(&mut session, &route.mailbox, &order.senders);
            report.run(Stage::Sender, senders).await;
        }
        session.close().await;
    }

    async fn signs_in(
        &self,
        route: &Arc<SmtpRoute>,
        session: &mut Examined,
        report: &mut Report<'_>,
    ) -> Option<()> {
        match &route.login {
            Login::Token => {
                let token = server::token(self, &route.account);
                let token = report.run(Stage::Token, token).await?;
                let signing_in = server::sign_in(self, route, session, &token);
                report.run(Stage::Authentication, signing_in).await
            }
            Login::Password(password) => {
                let signing_in = server::sign_in_with(session, password);
                report.run(Stage::Authentication, signing_in).await
            }
            Login::Certificate(_) | Login::Nobody => Some(()),
        }
    }
}

/// Whoever examines waits in front of a screen: what has not answered within seconds is what is to be found.
fn patient(mut route: SmtpRoute) -> SmtpRoute {
    let limits: &mut Timeouts = &mut route.timeouts;
    limits.connect_ms = limits.connect_ms.min(LONGEST_WAIT_MS);
    limits.reply_ms = limits.reply_ms.min(LONGEST_WAIT_MS);
    route
}

/// The longest wait for one answer. Exchange Online greets within a second.
const LONGEST_WAIT_MS: u64 = 4000;

/// A report that is being written.
#[derive(Debug)]
struct Report<'a> {
    findings: Vec<Finding>,
    clock: &'a Arc<dyn Clock>,
}

impl<'a> Report<'a> {
    fn new(clock: &'a Arc<dyn Clock>) -> Self {
        Self {
            findings: Vec::new(),
            clock,
        }
    }

    /// Looks at a stage, unless one before it is broken. Gives what the look brought when the stage is not broken.
    async fn run<T>(
        &mut self,
        stage: Stage,
        look: impl Future<Output = Result<Seen<T>>>,
    ) -> Option<T> {
        if self.is_over() {
            return None;
        }
        let started = self.clock.elapsed();
        let seen = look.await;
        let duration = self.clock.elapsed().saturating_sub(started);
        self.add(stage, seen, duration)
    }

    fn note<T>(&mut self, stage: Stage, seen: Result<Seen<T>>) -> Option<T> {
        self.add(stage, seen, Duration::ZERO)
    }

    fn add<T>(&mut self, stage: Stage, seen: Result<Seen<T>>, duration: Duration) -> Option<T> {
        let (health, text, problems, brought) = match seen {
            Ok(seen) => (seen.health(), seen.text, seen.problems, Some(seen.brings)),
            Err(error) => (
                Health::Broken,
                error.to_string(),
                vec![problem_of(error)],
                None,
            ),
        };
        self.findings.push(Finding {
            stage,
            health,
            text,
            problems,
            duration_us: u64::try_from(duration.as_micros()).unwrap_or(u64::MAX),
        });
        brought
    }

    fn is_over(&self) -> bool {
        self.broken().is_some()
    }

    fn broken(&self) -> Option<Stage> {
        let broken = self
            .findings
            .iter()
            .find(|finding| finding.health == Health::Broken);
        broken.map(|finding| finding.stage)
    }

    /// Every stage has its finding, those that were not run as well.
    fn finish(mut self, account: &str) -> Examination {
        let broken = self.broken();
        for stage in STAGES {
            if !self.findings.iter().any(|finding| finding.stage == stage) {
                self.findings.push(not_run(stage, broken));
            }
        }
        let worst = self.findings.iter().map(|finding| finding.health).max();
        Examination {
            account: account.to_owned(),
            health: worst.unwrap_or(Health::NotRun),
            findings: self.findings,
        }
    }
}

fn problem_of(error: Error) -> crate::model::Problem {
    error.during("examine").into()
}

fn not_run(stage: Stage, broken: Option<Stage>) -> Finding {
    let because = broken.map_or(
        "there is nothing to look at",
        |_| "not looked at: it needs what is broken before it",
    );
    Finding {
        stage,
        health: Health::NotRun,
        text: because.to_owned(),
        problems: Vec::new(),
        duration_us: 0,
    }
}

/// All stages in the order of a mail's way.
const STAGES: [Stage; 11] = [
    Stage::Settings,
    Stage::Credentials,
    Stage::IdentityProvider,
    Stage::NameLookup,
    Stage::Connection,
    Stage::Greeting,
    Stage::Tls,
    Stage::Capabilities,
    Stage::Token,
    Stage::Authentication,
    Stage::Sender,
];
