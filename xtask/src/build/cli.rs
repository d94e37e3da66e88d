//! The command line program, with shell completions and man pages.

use crate::{Result, root};
use xshell::{Shell, cmd};

/// Builds into `target/dist`.
pub(super) fn build(shell: &Shell) -> Result {
    cmd!(shell, "cargo build --package mailbearer-cli --profile dist").run()?;
    let program = root().join("target/dist/mailbearer");
    let out = root().join("target/dist/share");
    for shell_name in ["bash", "zsh", "fish"] {
        let script = cmd!(shell, "{program} completions {shell_name}").read()?;
        shell.write_file(out.join("completions").join(shell_name), script)?;
    }
    let man = out.join("man");
    cmd!(shell, "{program} man {man}").run()?;
    println!("{}", program.display());
    Ok(())
}
