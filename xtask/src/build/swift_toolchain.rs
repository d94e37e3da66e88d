//! Swift's tools: the machine's own, or Debian's packages of them, unpacked into a folder under `target` and run there.
//! Debian has them since release 13; the folder also serves older releases. Nothing is installed on the machine.

use super::fresh;
use crate::{Result, root};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where Swift's tools are.
#[derive(Debug)]
pub(crate) enum Toolchain {
    /// In the search path.
    Installed,
    /// In a folder that looks like a whole system.
    Unpacked(PathBuf),
}

impl Toolchain {
    /// The tools, if they are there. Installs nothing.
    pub(crate) fn find() -> Option<Self> {
        if succeeds(Command::new("swift").arg("--version")) {
            return Some(Self::Installed);
        }
        let folder = folder();
        (folder.join(COMPLETE).exists() && can_enter()).then_some(Self::Unpacked(folder))
    }

    /// A command that runs `swift` in a folder of the workspace, with pkg-config looking in another.
    pub(crate) fn swift(&self, package: &Path, pkg_config: &Path) -> Command {
        self.program("swift", package, pkg_config)
    }

    /// The same with another program of Swift's.
    pub(crate) fn program(&self, name: &str, package: &Path, pkg_config: &Path) -> Command {
        match self {
            Self::Installed => {
                let mut command = Command::new(name);
                command
                    .current_dir(package)
                    .env("PKG_CONFIG_PATH", pkg_config);
                command
            }
            Self::Unpacked(folder) => {
                let mut command = Command::new("unshare");
                command.args([
                    "--mount",
                    "--propagation",
                    "private",
                    "sh",
                    "-euc",
                    ENTER,
                    "sh",
                ]);
                command.args([folder.as_path(), root(), package, pkg_config]);
                command.arg(name);
                command
            }
        }
    }
}

/// Downloads and unpacks the tools, where that is possible and has not been done.
pub(crate) fn install() -> Result {
    if Toolchain::find().is_some() {
        return Ok(());
    }
    if !can_enter() {
        return Err("Swift's tools are not installed, and unpacked ones need root's rights".into());
    }
    println!("── unpacking Swift's tools");
    let folder = folder();
    fresh(&folder)?;
    let packages = download(&folder.join("packages"))?;
    // The first brings the links from /bin to /usr/bin that the others rely on.
    let (first, rest): (Vec<_>, Vec<_>) = packages.iter().partition(|path| is_base(path));
    for package in first.into_iter().chain(rest) {
        unpack(package, &folder)?;
    }
    link("dash", &folder.join("usr/bin/sh"))?;
    link("../libexec/swift/bin/swift", &folder.join("usr/bin/swift"))?;
    for name in ["dev", "proc", "tmp"] {
        fs::create_dir_all(folder.join(name))?;
    }
    fs::write(folder.join("etc/hosts"), "127.0.0.1 localhost\n")?;
    fs::remove_dir_all(folder.join("packages"))?;
    Ok(fs::write(folder.join(COMPLETE), RELEASE)?)
}

fn folder() -> PathBuf {
    root().join("target/swift/root")
}

/// Downloads the packages and what they depend on, by apt with a state of its own: the machine's is not touched.
fn download(folder: &Path) -> Result<Vec<PathBuf>> {
    for part in ["lists/partial", "cache/archives/partial"] {
        fs::create_dir_all(folder.join(part))?;
    }
    fs::write(folder.join("status"), "")?;
    let source = format!("deb [signed-by={KEYRING}] {} {RELEASE} main\n", mirror()?);
    fs::write(folder.join("sources.list"), source)?;
    run(apt(folder).arg("update"))?;
    let packages = ["swiftlang", "libc6-dev", "libstdc++-14-dev"];
    let base = [
        "base-files",
        "bash",
        "coreutils",
        "dash",
        "findutils",
        "grep",
        "sed",
    ];
    run(apt(folder)
        .args(["install", "--yes", "--download-only"])
        .args(packages)
        .args(base))?;
    let files = fs::read_dir(folder.join("cache/archives"))?;
    let mut packages: Vec<_> = files.flatten().map(|entry| entry.path()).collect();
    packages.retain(|path| path.extension().is_some_and(|extension| extension == "deb"));
    Ok(packages)
}

/// The mirror that the machine's own apt uses, so that its proxies and caches serve this too.
fn mirror() -> Result<String> {
    let targets = Command::new("apt-get")
        .args([
            "indextargets",
            "--format",
            "$(ORIGIN) $(COMPONENT) $(REPO_URI)",
            "Created-By: Packages",
        ])
        .output()?;
    let targets = String::from_utf8_lossy(&targets.stdout).into_owned();
    let mut mirrors = targets
        .lines()
        .filter_map(|line| line.strip_prefix("Debian main "));
    let mirror = mirrors.find(|mirror| !mirror.contains("security"));
    Ok(mirror
        .ok_or("apt knows no mirror of Debian: run apt-get update")?
        .to_owned())
}

fn apt(folder: &Path) -> Command {
    let mut command = Command::new("apt-get");
    let folder = folder.display();
    let options = [
        format!("Dir::State={folder}"),
        format!("Dir::State::lists={folder}/lists"),
        format!("Dir::State::status={folder}/status"),
        format!("Dir::Cache={folder}/cache"),
        format!("Dir::Etc::sourcelist={folder}/sources.list"),
        "Dir::Etc::sourceparts=/dev/null".to_owned(),
        "Acquire::Languages=none".to_owned(),
        "APT::Install-Recommends=false".to_owned(),
        "APT::Keep-Downloaded-Packages=true".to_owned(),
        "APT::Sandbox::User=".to_owned(),
        "Debug::NoLocking=1".to_owned(),
    ];
    command.arg("--quiet=2").stdout(Stdio::null());
    for option in options {
        command.arg("--option").arg(option);
    }
    command
}

fn is_base(package: &Path) -> bool {
    let name = package.file_name().unwrap_or_default();
    name.to_string_lossy().starts_with("base-files_")
}

fn unpack(package: &Path, folder: &Path) -> Result {
    let mut reader = Command::new("dpkg-deb")
        .arg("--fsys-tarfile")
        .arg(package)
        .stdout(Stdio::piped())
        .spawn()?;
    let archive = reader.stdout.take().ok_or("dpkg-deb has no output")?;
    let mut tar = Command::new("tar");
    tar.args([
        "--extract",
        "--keep-directory-symlink",
        "--no-same-owner",
        "--directory",
    ]);
    tar.arg(folder).stdin(archive);
    for path in LEFT_OUT {
        tar.arg(format!("--exclude=./usr/{path}"));
    }
    run(&mut tar)?;
    match reader.wait()?.success() {
        true => Ok(()),
        false => Err(format!("{} cannot be read", package.display()).into()),
    }
}

fn link(target: &str, place: &Path) -> Result {
    if fs::symlink_metadata(place).is_err() {
        std::os::unix::fs::symlink(target, place)?;
    }
    Ok(())
}

/// Whether this process may mount folders and change its root.
fn can_enter() -> bool {
    succeeds(Command::new("unshare").args(["--mount", "true"]))
        && succeeds(Command::new("apt-get").arg("--version"))
}

fn succeeds(command: &mut Command) -> bool {
    let command = command.stdin(Stdio::null()).stdout(Stdio::null());
    command
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn run(command: &mut Command) -> Result {
    let status = command.status()?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("{}: {status}", command.get_program().display()).into()),
    }
}

/// Debian 13.
const RELEASE: &str = "trixie";
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
/// Written last. Another name when more is unpacked than before, so that older folders are made anew.
const COMPLETE: &str = ".complete-with-docc";

/// What compiling and testing never touches: half of the packages' size.
const LEFT_OUT: [&str; 11] = [
    "share/doc/*",
    "share/man/*",
    "share/locale/*",
    "libexec/swift/bin/clangd",
    "libexec/swift/bin/lldb*",
    "libexec/swift/bin/sourcekit-lsp",
    "libexec/swift/bin/swift-format",
    "libexec/swift/lib/libLTO*",
    "libexec/swift/lib/liblldb*",
    "libexec/swift/lib/libsourcekitdInProc*",
    "libexec/swift/share/doc/*",
];

/// Goes into the unpacked system, which sees the workspace where it is. All mounts end with the command.
/// Without /proc Swift's programs do not find their libraries.
const ENTER: &str = r#"
system=$1 workspace=$2 package=$3 pkg_config=$4
shift 4
mount -t proc proc "$system/proc"
mount --rbind /dev "$system/dev"
mkdir -p "$system$workspace"
mount --rbind "$workspace" "$system$workspace"
exec chroot "$system" /usr/bin/env -i --chdir="$package" HOME=/tmp LC_ALL=C.UTF-8 PATH=/usr/bin:/bin:/usr/libexec/swift/bin \
    PKG_CONFIG_PATH="$pkg_config" MAILBEARER_SCENARIO_REPORTS="${MAILBEARER_SCENARIO_REPORTS-}" "$@"
"#;
