//! The Swift package with its library for this machine's platform, as an archive.

use super::platform::Platform;
use super::{Packing, VERSION, archive};
use crate::Result;
use crate::build;
use xshell::cmd;

pub(super) fn pack(packing: &Packing<'_>, platform: &'static Platform) -> Result {
    let package = build::swift::package(packing.shell)?;
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
