//! A spinner beside anything that takes longer than a moment, on a terminal only.

use crate::output::Output;
use indicatif::{ProgressBar, ProgressStyle};
use std::future::Future;
use std::io::{IsTerminal, stderr};
use std::pin::pin;
use std::time::Duration;

/// Waits for the work, and tells a person what it is when it does not end at once.
pub(crate) async fn during<F: Future>(output: &Output, what: &str, work: F) -> F::Output {
    if output.is_json() || !stderr().is_terminal() || tracing::enabled!(tracing::Level::ERROR) {
        return work.await;
    }
    let mut work = pin!(work);
    tokio::select! {
        biased;
        done = &mut work => return done,
        () = tokio::time::sleep(PATIENCE) => {}
    }
    let spinner = spinner(what);
    let done = work.await;
    spinner.finish_and_clear();
    done
}

fn spinner(what: &str) -> ProgressBar {
    let spinner = ProgressBar::new_spinner();
    // The elapsed time shows that it is alive; a template that does not parse would only lose that.
    if let Ok(style) = ProgressStyle::with_template("{spinner:.dim} {msg} {elapsed:.dim}") {
        spinner.set_style(style);
    }
    spinner.set_message(what.to_owned());
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}

/// What feels immediate needs no spinner.
const PATIENCE: Duration = Duration::from_millis(700);
