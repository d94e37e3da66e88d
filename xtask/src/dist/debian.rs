//! The command line program as a package for Debian and its kin. Made by `dpkg-deb`; where that is missing, not at all.

use super::{Packing, VERSION, archive, run_quietly};
use crate::{Result, root};
use std::fs;
use std::path::Path;
use std::process::Command;
use xshell::cmd;

/// Packs what lies in the archive's folder.
pub(super) fn pack(packing: &Packing<'_>, content: &Path, architecture: &str) -> Result {
    if Command::new("dpkg-deb").arg("--version").output().is_err() {
        println!("no package for Debian: dpkg-deb is missing");
        return Ok(());
    }
    let name = format!("mailbearer_{VERSION}_{architecture}.deb");
    let folder = packing.folder(&name)?;
    for (from, to) in FILES {
        put(&content.join(from), &folder.join(to))?;
    }
    for page in archive::files(&content.join("man"))? {
        let to = folder
            .join("usr/share/man/man1")
            .join(page.file_name().unwrap_or_default());
        put(&page, &to)?;
        archive::gzip(&to)?;
    }
    let data = root().join("cli/debian");
    put(
        &data.join("mailbearer-sandbox.service"),
        &folder.join("usr/lib/systemd/system/mailbearer-sandbox.service"),
    )?;
    put(
        &data.join("lintian-overrides"),
        &folder.join("usr/share/lintian/overrides/mailbearer"),
    )?;
    let documents = folder.join("usr/share/doc/mailbearer");
    put(&data.join("copyright"), &documents.join("copyright"))?;
    write_changelog(packing, &documents)?;
    write_control(packing, &folder, architecture)?;
    let shell = packing.shell;
    // Debian's own umask; the modes of this checkout are none of the package's business.
    cmd!(shell, "chmod --recursive u=rwX,go=rX {folder}")
        .quiet()
        .run()?;
    run_quietly(
        Command::new("dpkg-deb")
            .env("SOURCE_DATE_EPOCH", packing.time.to_string())
            .args(["--root-owner-group", "--build", "-Zxz"])
            .arg(&folder)
            .arg(packing.out.join(name)),
    )?;
    Ok(())
}

/// From the archive's folder to where Debian wants it.
const FILES: [(&str, &str); 6] = [
    ("mailbearer", "usr/bin/mailbearer"),
    (
        "completions/bash",
        "usr/share/bash-completion/completions/mailbearer",
    ),
    (
        "completions/zsh",
        "usr/share/zsh/vendor-completions/_mailbearer",
    ),
    (
        "completions/fish",
        "usr/share/fish/vendor_completions.d/mailbearer.fish",
    ),
    ("sbom.cdx.json", "usr/share/doc/mailbearer/sbom.cdx.json"),
    (
        "THIRD-PARTY-LICENSES",
        "usr/share/doc/mailbearer/THIRD-PARTY",
    ),
];

fn put(from: &Path, to: &Path) -> Result {
    fs::create_dir_all(to.parent().unwrap_or(to))?;
    fs::copy(from, to)?;
    Ok(())
}

/// Debian asks for a changelog in its own format; what changed is in ours.
fn write_changelog(packing: &Packing<'_>, documents: &Path) -> Result {
    let shell = packing.shell;
    let date = cmd!(shell, "git log -1 --format=%cD").quiet().read()?;
    let text = format!(
        "mailbearer ({VERSION}) stable; urgency=medium\n\n  * Release {VERSION}.\n\n -- {MAINTAINER}  {date}\n"
    );
    let path = documents.join("changelog");
    fs::write(&path, text)?;
    archive::gzip(&path)
}

fn write_control(packing: &Packing<'_>, folder: &Path, architecture: &str) -> Result {
    let size: u64 = archive::files(folder)?
        .iter()
        .map(|file| fs::metadata(file).map_or(0, |data| data.len().div_ceil(1024)))
        .sum();
    let sums = md5sums(packing, folder)?;
    let control = folder.join("DEBIAN");
    fs::create_dir_all(&control)?;
    let data = root().join("cli/debian");
    for script in ["postinst", "prerm", "postrm"] {
        put(&data.join(script), &control.join(script))?;
    }
    let head = format!(
        "Package: mailbearer\nVersion: {VERSION}\nArchitecture: {architecture}\nMaintainer: {MAINTAINER}\nInstalled-Size: {size}\n"
    );
    fs::write(
        control.join("control"),
        head + &fs::read_to_string(data.join("control"))?,
    )?;
    Ok(fs::write(control.join("md5sums"), sums)?)
}

/// What `dpkg --verify` compares installed files with.
fn md5sums(packing: &Packing<'_>, folder: &Path) -> Result<String> {
    let shell = packing.shell;
    let _folder = shell.push_dir(folder);
    let mut names = Vec::new();
    for file in archive::files(folder)? {
        names.push(file.strip_prefix(folder)?.to_owned());
    }
    Ok(cmd!(shell, "md5sum {names...}").quiet().read()? + "\n")
}

const MAINTAINER: &str = "The Mailbearer authors <mailbearer@localhost.localdomain>";
