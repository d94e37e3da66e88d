//! The Swift package with its library for this machine's platform, as an archive.

use super::platform::Platform;
use super::{Packing, VERSION, archive};
use crate::Result;
use crate::build::{self, Profile};
use crate::root;
use std::path::{Path, PathBuf};
use xshell::{Shell, cmd};

pub(super) fn pack(packing: &Packing<'_>, library: &Path, platform: &'static Platform) -> Result {
    let package = build::swift::package(packing.shell, library)?;
    let name = format!("mailbearer-swift-{VERSION}-{}", platform.triple);
    let folder = packing.folder(&name)?;
    let shell = packing.shell;
    cmd!(shell, "cp -R {package}/. {folder}").run()?;
    packing.describe("mailbearer-swift", platform, &folder)?;
    archive::tar_gz(
        &folder,
        &packing.out.join(format!("{name}.tar.gz")),
        packing.time,
    )
}

/// The archive as the tests' own build makes it: fast to build, without bill and licences.
pub(crate) fn pack_for_tests(shell: &Shell) -> Result<PathBuf> {
    let library = build::swift::library(shell, Profile::Dev)?;
    let package = build::swift::package(shell, &library)?;
    let archive = root().join("target/swift/mailbearer.tar.gz");
    archive::tar_gz_fast(&package, &archive, TIME)?;
    Ok(archive)
}

/// Any time will do, as long as it is always the same.
const TIME: u64 = 1_000_000_000;
