//! What a suite needs from the machine: Debian packages, Python packages in an environment of our own, npm packages.
//! Debian packages are installed when this runs as root; otherwise the summary says exactly what to install.

use crate::build::swift_toolchain::{self, Toolchain};
use crate::root;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// One thing a suite needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// A Debian package.
    Debian(&'static str),
    /// The file of a Debian package, in `target/debian`: the tests run it where it is, for it cannot be installed beside
    /// another mail server.
    DebianFile(&'static str),
    /// Root's rights, for servers that insist on them.
    Root,
    /// Python 3 with the packages of a `requirements.txt`, in `target/venv`.
    Python(&'static str),
    /// Node.js, with `npm` run in a folder that has a lock file.
    Npm(&'static str),
    /// Swift's compiler and package manager.
    Swift,
}

/// Installs what is missing and can be installed. Failures show later, as needs that are still missing.
pub(crate) fn install<'a>(needs: impl Iterator<Item = &'a Need>) {
    let mut debian = Vec::new();
    let mut others: Vec<Need> = Vec::new();
    for need in needs {
        match need {
            Need::Debian(package) if !is_met(*need) && !debian.contains(package) => {
                debian.push(*package);
            }
            Need::DebianFile(_) | Need::Python(_) | Need::Npm(_) | Need::Swift
                if !others.contains(need) =>
            {
                others.push(*need)
            }
            _ => {}
        }
    }
    if !debian.is_empty() && is_root() {
        install_debian(&debian);
    }
    for need in others {
        match need {
            Need::DebianFile(package) if !is_met(need) => fetch_debian(package),
            Need::Python(requirements) => install_python(requirements),
            Need::Npm(folder) => install_npm(folder),
            Need::Swift => install_swift(),
            _ => {}
        }
    }
}

/// What is missing, as a sentence that says how to get it.
pub(crate) fn missing(needs: &[Need]) -> Option<String> {
    let unmet: Vec<_> = needs.iter().filter(|need| !is_met(**need)).collect();
    let debian: Vec<_> = unmet
        .iter()
        .filter_map(|need| match need {
            Need::Debian(package) => Some(*package),
            _ => None,
        })
        .collect();
    if !debian.is_empty() {
        return Some(format!("skipped: run apt-get install {}", debian.join(" ")));
    }
    unmet.first().map(|need| match need {
        Need::Root => "skipped: run as root".to_owned(),
        Need::DebianFile(package) => {
            format!("skipped: run apt-get download {package} in target/debian")
        }
        Need::Python(requirements) => {
            format!("skipped: pip install -r {requirements} did not work (Debian: apt-get install python3-venv)")
        }
        Need::Npm(folder) => format!("skipped: npm install in {folder} did not work"),
        Need::Swift => "skipped: install Swift, or run as root on Debian".to_owned(),
        Need::Debian(package) => format!("skipped: run apt-get install {package}"),
    })
}

/// The Python of the tests' own environment.
pub(crate) fn python() -> PathBuf {
    venv().join(if cfg!(windows) {
        "Scripts/python.exe"
    } else {
        "bin/python"
    })
}

fn venv() -> PathBuf {
    root().join("target/venv")
}

fn is_met(need: Need) -> bool {
    match need {
        Need::Debian(package) => is_installed(package),
        Need::DebianFile(package) => is_fetched(package),
        Need::Root => is_root(),
        Need::Python(requirements) => stamp(requirements).exists(),
        Need::Npm(folder) => root().join(folder).join("node_modules").is_dir(),
        Need::Swift => Toolchain::find().is_some(),
    }
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn is_installed(package: &str) -> bool {
    let query = Command::new("dpkg-query")
        .args(["--show", "--showformat=${db:Status-Status}", package])
        .stderr(Stdio::null())
        .output();
    query.is_ok_and(|output| output.stdout == b"installed")
}

fn install_debian(packages: &[&str]) {
    println!("── installing Debian packages: {}", packages.join(" "));
    run(apt().arg("update").arg("--quiet"));
    run(apt()
        .args(["install", "--yes", "--quiet", "--no-install-recommends"])
        .args(packages));
}

fn debian_files() -> PathBuf {
    root().join("target/debian")
}

fn is_fetched(package: &str) -> bool {
    let start = format!("{package}_");
    let files = std::fs::read_dir(debian_files()).into_iter().flatten();
    files
        .flatten()
        .any(|file| file.file_name().to_string_lossy().starts_with(&start))
}

fn fetch_debian(package: &str) {
    println!("── fetching the Debian package {package}");
    if let Err(error) = std::fs::create_dir_all(debian_files()) {
        println!("{error}");
    }
    run(apt()
        .args(["download", "--quiet", package])
        .current_dir(debian_files()));
}

fn apt() -> Command {
    let mut command = Command::new("apt-get");
    // Services of the packages must not start: the tests start their own, in folders of their own.
    command
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("RUNLEVEL", "1")
        .env("SYSTEMD_OFFLINE", "1")
        .stdout(Stdio::null());
    command
}

/// Written when the packages of a requirements file have been installed; holds the file as it was then.
fn stamp(requirements: &str) -> PathBuf {
    venv().join(format!("{}.installed", requirements.replace('/', "-")))
}

fn install_python(requirements: &str) {
    let wanted = std::fs::read(root().join(requirements)).unwrap_or_default();
    if std::fs::read(stamp(requirements)).is_ok_and(|installed| installed == wanted) {
        return;
    }
    println!("── installing Python packages of {requirements}");
    let mut has_venv = python().exists() || make_venv();
    if !has_venv && is_root() {
        // Debian's own Python leaves this part out.
        install_debian(&["python3-venv"]);
        has_venv = make_venv();
    }
    let installed = has_venv
        && run(Command::new(python())
            .args(["-m", "pip", "install", "--quiet", "--requirement"])
            .arg(root().join(requirements)));
    if installed && let Err(error) = std::fs::write(stamp(requirements), wanted) {
        println!("{error}");
    }
}

fn make_venv() -> bool {
    run(Command::new("python3")
        .args(["-m", "venv", "--clear"])
        .arg(venv()))
}

fn install_npm(folder: &str) {
    println!("── npm packages of {folder}");
    // Not `npm ci`: it refuses lock files that were written where a registry lacks other systems' binaries.
    run(Command::new("npm")
        .args(["install", "--no-audit", "--no-fund", "--silent"])
        .current_dir(root().join(folder)));
}

fn install_swift() {
    if let Err(error) = swift_toolchain::install() {
        println!("{error}");
    }
}

fn run(command: &mut Command) -> bool {
    match command.stdin(Stdio::null()).status() {
        Ok(status) => status.success(),
        Err(error) => {
            println!("{}: {error}", command.get_program().to_string_lossy());
            false
        }
    }
}
