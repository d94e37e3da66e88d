//! Being asked to end: by Ctrl-C, or on Unix by the signal that service managers send.

use mailbearer::model::ProblemKind;
use mailbearer::{Error, Result};
use std::io;

/// Listens from the moment it is made, so that a request right after what is printed next is not missed.
pub(crate) struct Interrupt {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(windows)]
    ctrl_c: tokio::signal::windows::CtrlC,
}

impl Interrupt {
    pub(crate) fn listen() -> Result<Self> {
        Self::registered().map_err(|error| {
            let text = format!("the system lets this program handle no signals: {error}");
            let fix = "run it where it may";
            Error::new(ProblemKind::Unavailable, "no-signals", text, fix)
        })
    }

    #[cfg(unix)]
    fn registered() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    #[cfg(windows)]
    fn registered() -> io::Result<Self> {
        Ok(Self {
            ctrl_c: tokio::signal::windows::ctrl_c()?,
        })
    }

    /// Returns when the program is asked to end.
    #[cfg(unix)]
    pub(crate) async fn wait(mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// Returns when the program is asked to end.
    #[cfg(windows)]
    pub(crate) async fn wait(mut self) {
        self.ctrl_c.recv().await;
    }
}
