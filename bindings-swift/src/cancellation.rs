//! Cancelling a call by dropping its future. uniffi does not pass on that a Swift task was cancelled, so each call
//! brings an object that says so; and Swift's own error for it is thrown in `Sources/Mailbearer`.

use mailbearer::Problem;
use mailbearer::error::caught;
use std::fmt;
use tokio::sync::watch;

/// Why a call gave no value.
#[derive(Debug, uniffi::Error)]
pub(crate) enum Failure {
    /// The core's answer.
    Problem {
        /// What went wrong.
        problem: Problem,
    },
    /// The caller no longer waits.
    Cancelled,
}

impl From<mailbearer::Error> for Failure {
    fn from(error: mailbearer::Error) -> Self {
        Self::Problem {
            problem: error.into(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Problem { problem } => formatter.write_str(&problem.text),
            Self::Cancelled => formatter.write_str("cancelled"),
        }
    }
}

/// Ends the call it was given to.
#[derive(uniffi::Object)]
pub(crate) struct Cancellation(watch::Sender<bool>);

#[uniffi::export]
impl Cancellation {
    #[uniffi::constructor]
    fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    fn request(&self) {
        self.0.send_replace(true);
    }
}

impl Cancellation {
    /// The work's result, or a failure as soon as cancellation is requested.
    pub(crate) async fn run<T>(
        &self,
        work: impl Future<Output = mailbearer::Result<T>>,
    ) -> Result<T, Failure> {
        tokio::select! {
            biased;
            result = caught(work) => Ok(result?),
            () = self.requested() => Err(Failure::Cancelled),
        }
    }

    pub(crate) async fn requested(&self) {
        // An error would say that the sender is gone, and that is `self`.
        let _ = self.0.subscribe().wait_for(|requested| *requested).await;
    }
}
