//! The checks that need nothing but Rust's own tools, each runnable by its name.
//! Tests are `test`'s business; together they are what continuous integration runs.

use crate::{Result, codegen, tidy};
use clap::ValueEnum;
use xshell::{Shell, cmd};

/// One check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Step {
    /// Formatting.
    Fmt,
    /// Imports, host names, licences, dependencies.
    Tidy,
    /// Lints, with warnings as errors.
    Clippy,
    /// The core with each optional feature alone.
    Features,
    /// Documentation, with warnings as errors.
    Docs,
    /// Generated files are fresh.
    Codegen,
}

/// Runs the named checks, or all of them, and stops at the first that fails.
pub(crate) fn run(shell: &Shell, steps: &[Step]) -> Result {
    let all = Step::value_variants();
    for step in if steps.is_empty() { all } else { steps } {
        println!("── {step:?}");
        run_step(shell, *step)?;
    }
    Ok(())
}

fn run_step(shell: &Shell, step: Step) -> Result {
    match step {
        Step::Fmt => cmd!(shell, "cargo fmt --all --check").run()?,
        Step::Tidy => tidy::run(shell)?,
        Step::Clippy => cmd!(
            shell,
            "cargo clippy --workspace --all-targets --quiet -- --deny warnings"
        )
        .run()?,
        Step::Features => features(shell)?,
        Step::Docs => {
            let _warnings = shell.push_env("RUSTDOCFLAGS", "--deny warnings");
            cmd!(shell, "cargo doc --no-deps --quiet").run()?;
        }
        Step::Codegen => codegen::run(shell, true)?,
    }
    Ok(())
}

/// Features are additive: the core must build with each of them alone.
fn features(shell: &Shell) -> Result {
    for feature in ["schema", "uniffi", "keyring", "postgres", "sqlite"] {
        cmd!(
            shell,
            "cargo check --package mailbearer --features {feature} --quiet"
        )
        .run()?;
    }
    Ok(())
}
