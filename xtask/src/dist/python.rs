//! The wheel with its licences, and the source distribution.

use super::platform::Platform;
use super::recipe::commit_time;
use super::{Packing, run_quietly};
use crate::build::only_file;
use crate::test::needs::python;
use crate::{Result, root};
use std::path::Path;
use std::process::Command;

/// Adds licences and the bill of materials to a wheel that has been built, and packs it again.
pub(super) fn pack(packing: &Packing<'_>, wheel: &Path, platform: &'static Platform) -> Result {
    let folder = packing.folder("wheel")?;
    run_quietly(
        module("wheel")
            .arg("unpack")
            .arg(wheel)
            .arg("--dest")
            .arg(&folder),
    )?;
    let content = only_file(&folder)?;
    let name = content
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    // maturin's own bills bear a random number, and ours says the same.
    let _ = std::fs::remove_dir_all(content.join(format!("{name}.dist-info/sboms")));
    let licences = content.join(format!("{name}.dist-info/licenses"));
    std::fs::create_dir_all(&licences)?;
    packing.describe("mailbearer-python", platform, &licences)?;
    run_quietly(
        module("wheel")
            .env("SOURCE_DATE_EPOCH", packing.time.to_string())
            .arg("pack")
            .arg(&content)
            .arg("--dest-dir")
            .arg(&packing.out),
    )?;
    Ok(())
}

/// Packs what pip builds from where there is no wheel; that takes Rust.
pub(super) fn pack_source(packing: &Packing<'_>) -> Result {
    let time = commit_time(packing.shell)?;
    run_quietly(
        module("maturin")
            .current_dir(root())
            .env("SOURCE_DATE_EPOCH", time.to_string())
            .args([
                "sdist",
                "--manifest-path",
                "bindings-python/Cargo.toml",
                "--out",
            ])
            .arg(&packing.out),
    )?;
    Ok(())
}

fn module(name: &str) -> Command {
    let mut command = Command::new(python());
    command.args(["-m", name]);
    command
}
