//! The one error type: a [`Problem`] for whoever must act, and the source for whoever must debug.
//! Texts are lower case, without a full stop, values last; a server's answer gets its code and fix from `diagnosis`.

use crate::model::{Problem, ProblemKind, RecipientVerdict, ReplyClass, ReplyScope, Retry};
use std::error::Error as StdError;
use std::fmt;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

/// The result of everything that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure. `Display` is the problem's text alone; code, fix and retry advice are in [`Error::problem`].
pub struct Error {
    problem: Box<Problem>,
    source: Option<Box<dyn StdError + Send + Sync>>,
    claims: Option<Box<str>>,
    nothing_sent: bool,
}

impl Error {
    /// An error with its cause (a stable label), what happened, and the next step.
    pub fn new(
        kind: ProblemKind,
        code: &str,
        text: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        let problem = Problem {
            kind,
            code: code.to_owned(),
            text: text.into(),
            fix: fix.into(),
            retry: default_retry(kind),
            operation: String::new(),
            answer: None,
            reply_class: None,
            reply_scope: None,
            recipients: Vec::new(),
        };
        problem.into()
    }

    /// The problem as data.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    /// What the caller must do.
    pub fn kind(&self) -> ProblemKind {
        self.problem.kind
    }

    /// Whether waiting may help.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(
            self.kind(),
            ProblemKind::Throttled | ProblemKind::Unavailable
        )
    }

    /// The cause as a stable label.
    pub fn code(&self) -> &str {
        &self.problem.code
    }

    /// Keeps the error of a dependency as the source. It never shows in `Display`.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Replaces the retry advice that follows from the kind.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.problem.retry = retry;
        self
    }

    /// Keeps the server's own words. The caller has removed every secret from them.
    #[must_use]
    pub fn with_answer(mut self, answer: impl Into<String>) -> Self {
        self.problem.answer = Some(answer.into());
        self
    }

    /// Says what kind of answer it was, and what it is about.
    #[must_use]
    pub(crate) fn with_class(mut self, class: ReplyClass, scope: ReplyScope) -> Self {
        self.problem.reply_class = Some(class);
        self.problem.reply_scope = Some(scope);
        self
    }

    /// Notes that the server has nothing of the mail and did not judge it: it could not be reached, or let nobody in.
    #[must_use]
    pub(crate) fn with_nothing_sent(mut self) -> Self {
        self.nothing_sent = true;
        self
    }

    /// Whether the server certainly has nothing of the mail and did not judge it.
    pub(crate) fn is_before_mail(&self) -> bool {
        self.nothing_sent
    }

    /// Keeps what the next sign-in must fulfil, as JSON text (Conditional Access).
    #[must_use]
    pub(crate) fn with_claims(mut self, claims: Option<&str>) -> Self {
        self.claims = claims.map(Box::from);
        self
    }

    /// What the next sign-in must fulfil.
    pub(crate) fn claims(&self) -> Option<&str> {
        self.claims.as_deref()
    }

    /// Tells of the first road as well, after which this happened on the second.
    #[must_use]
    pub(crate) fn after(mut self, first: &Problem) -> Self {
        self.problem.text = format!(
            "{}; and before, on the first route: {}",
            self.problem.text, first.text
        );
        self
    }

    /// Keeps the verdict on each recipient.
    #[must_use]
    pub fn with_recipients(mut self, recipients: Vec<RecipientVerdict>) -> Self {
        self.problem.recipients = recipients;
        self
    }

    /// Names what Mailbearer was doing, unless a name is there already.
    #[must_use]
    pub fn during(mut self, operation: &str) -> Self {
        if self.problem.operation.is_empty() {
            operation.clone_into(&mut self.problem.operation);
        }
        self
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self {
            problem: Box::new(problem),
            source: None,
            claims: None,
            nothing_sent: false,
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        *error.problem
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.problem.text)
    }
}

/// The problem in full. The source is named by its type's own `Display` only where it has passed our hands before.
impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Error")
            .field("problem", &self.problem)
            .finish_non_exhaustive()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let source = self.source.as_deref()?;
        Some(source)
    }
}

/// Runs a call of the handle for a caller in another language, whose process must survive a fault of ours: a panic
/// becomes an `Internal` error. Its text does not repeat what the panic said, because that may quote data.
pub async fn caught<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let mut work = pin!(work);
    poll_fn(|context| {
        let polled = catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context)));
        polled.unwrap_or_else(|_| Poll::Ready(Err(panicked())))
    })
    .await
}

fn panicked() -> Error {
    Error::new(
        ProblemKind::Internal,
        "panicked",
        "a fault inside Mailbearer ended this call",
        "report it with the log of the process, which says where it happened",
    )
}

/// How long to wait after a temporary fault, when the server does not say: Microsoft asks for at least this.
pub const DEFAULT_RETRY_MS: u64 = 60_000;

fn default_retry(kind: ProblemKind) -> Retry {
    match kind {
        ProblemKind::Throttled | ProblemKind::Unavailable => Retry::After {
            delay_ms: DEFAULT_RETRY_MS,
        },
        _ => Retry::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk_full() -> Error {
        Error::new(
            ProblemKind::Storage,
            "vault-write-failed",
            "the vault could not be written: no space left",
            "free some space",
        )
        .with_source(std::io::Error::other("token=abc"))
    }

    #[test]
    fn display_and_debug_never_show_the_source() {
        let error = disk_full();
        assert_eq!(
            error.to_string(),
            "the vault could not be written: no space left"
        );
        assert!(!format!("{error:?}").contains("token=abc"));
        assert_eq!(error.source().unwrap().to_string(), "token=abc");
    }

    #[test]
    fn keeps_the_innermost_operation() {
        let error = disk_full().during("send").during("close");
        assert_eq!(error.problem().operation, "send");
    }

    #[tokio::test]
    async fn a_panic_becomes_an_internal_error_that_quotes_nothing() {
        let error = caught(async {
            tokio::task::yield_now().await;
            let secret = std::hint::black_box(Some("token=abc"));
            assert!(secret.is_none(), "{secret:?}");
            Ok(())
        })
        .await
        .unwrap_err();
        assert_eq!(
            (error.kind(), error.code()),
            (ProblemKind::Internal, "panicked")
        );
        assert!(!format!("{error:?}").contains("token=abc"));
        assert_eq!(caught(async { Ok(7) }).await.unwrap(), 7);
    }

    #[test]
    fn retry_follows_from_the_kind() {
        fn check(kind: ProblemKind, expected: Retry) {
            let error = Error::new(kind, "x", "x", "x");
            assert_eq!(error.problem().retry, expected);
        }
        check(ProblemKind::Config, Retry::Never);
        check(ProblemKind::SignIn, Retry::Never);
        check(
            ProblemKind::Unavailable,
            Retry::After {
                delay_ms: DEFAULT_RETRY_MS,
            },
        );
    }
}
