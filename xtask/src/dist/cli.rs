//! The command line program as an archive, with completions, manual pages and licences.

use super::platform::Platform;
use super::{Packing, VERSION, archive, debian};
use crate::{Result, root};
use std::fs;
use std::path::Path;
use xshell::cmd;

/// Packs a program that has been built.
pub(super) fn pack(packing: &Packing<'_>, program: &Path, platform: &'static Platform) -> Result {
    let name = format!("mailbearer-{VERSION}-{}", platform.triple);
    let folder = packing.folder(&name)?;
    fs::copy(program, folder.join(platform.program("mailbearer")))?;
    fs::copy(root().join("docs/cli.md"), folder.join("README.md"))?;
    write_help(packing, &folder)?;
    packing.describe("mailbearer-cli", platform, &folder)?;
    archive::tar_gz(
        &folder,
        &packing.out.join(format!("{name}.tar.gz")),
        packing.time,
    )?;
    match platform.debian {
        Some(architecture) => debian::pack(packing, &folder, architecture),
        None => Ok(()),
    }
}

/// Completions and manual pages, from a program that runs on this machine: they say the same for every platform.
fn write_help(packing: &Packing<'_>, folder: &Path) -> Result {
    let shell = packing.shell;
    cmd!(shell, "cargo build --quiet --package mailbearer-cli").run()?;
    let program = root().join("target/debug/mailbearer");
    for name in ["bash", "zsh", "fish"] {
        let script = cmd!(shell, "{program} completions {name}").quiet().read()?;
        shell.write_file(folder.join("completions").join(name), script + "\n")?;
    }
    let man = folder.join("man");
    Ok(cmd!(shell, "{program} man {man}")
        .quiet()
        .ignore_stdout()
        .run()?)
}
