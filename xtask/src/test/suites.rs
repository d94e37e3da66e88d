//! The suites: what each needs, and how it is run.

use super::counts::{Counts, run_counted};
use super::needs::Need;
use crate::{Result, root};
use std::process::Command;
use xshell::Shell;

/// A set of tests that run together.
pub(super) struct Suite {
    pub(super) name: &'static str,
    pub(super) needs: &'static [Need],
    pub(super) run: fn(&Shell) -> Result<Counts>,
}

/// All suites, in the order they run.
pub(super) fn all() -> Vec<Suite> {
    vec![Suite {
        name: "rust",
        needs: &[],
        run: rust,
    }]
}

/// The tests of the crates that need nothing but Rust.
fn rust(_: &Shell) -> Result<Counts> {
    run_counted(cargo().args(["test", "--no-fail-fast", "--quiet"]))
}

fn cargo() -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(root());
    command
}
