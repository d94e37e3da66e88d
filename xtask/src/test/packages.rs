//! The packages as people get them, each installed into a place of its own, and run there against its own sandbox.

use super::counts::Counts;
use super::needs::python;
use crate::build::fresh;
use crate::{Result, dist, root};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use xshell::{Shell, cmd};

/// Packs, twice, and tries every package.
pub(super) fn run(shell: &Shell) -> Result<Counts> {
    let packages = dist::pack_for_tests(shell, "target/packages")?;
    let again = dist::pack_for_tests(shell, "target/packages-again")?;
    let mut counts = Counts::default();
    let mut check = |name: &str, outcome: Result| {
        match &outcome {
            Ok(()) => println!("{name}: passed"),
            Err(error) => println!("{name}: failed: {error}"),
        }
        counts.passed += u32::from(outcome.is_ok());
        counts.failed += u32::from(outcome.is_err());
    };
    check(
        "packed twice, the same octets",
        dist::compare(&packages, &again),
    );
    check("checksums", checksums(&packages));
    check("bills of materials", bills(shell, &packages));
    check("wheel", wheel(shell, &packages));
    check("source distribution", source(shell, &packages));
    check("npm packages", npm(&packages));
    check("npm package, by its critics", npm_critics(&packages));
    check("archive of the program", archive(shell, &packages));
    check("package for Debian", debian(shell, &packages));
    check("package for Debian, by lintian", lintian(&packages));
    Ok(counts)
}

/// As the person who downloads them checks.
fn checksums(packages: &Path) -> Result {
    run_in(
        packages,
        Command::new("sha256sum").args(["--check", "--strict", "SHA256SUMS"]),
    )
    .map(drop)
}

/// Against CycloneDX's own schema.
fn bills(shell: &Shell, packages: &Path) -> Result {
    let python = python();
    for bill in all(packages, ".cdx.json")? {
        let script = root().join("xtask/src/test/packages/bill.py");
        cmd!(shell, "{python} {script} {bill}").quiet().run()?;
    }
    Ok(())
}

fn wheel(shell: &Shell, packages: &Path) -> Result {
    let folder = runs(shell, &one(packages, "mailbearer-", ".whl")?)?;
    let licences = run_in(
        &folder,
        Command::new("find").args([".", "-name", "THIRD-PARTY-LICENSES"]),
    )?;
    expect(&licences, "mailbearer-")
}

/// Made into a wheel as pip does where there is none that fits, but fast to build.
fn source(shell: &Shell, packages: &Path) -> Result {
    let (python, folder) = (python(), place("source")?);
    let source = one(packages, "mailbearer-", &format!("{VERSION}.tar.gz"))?;
    let target = root().join("target");
    // pip starts maturin by its name.
    let tools = python.parent().map(Path::to_owned);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(tools.into_iter().chain(std::env::split_paths(&path)))?;
    cmd!(
        shell,
        "{python} -m pip wheel --quiet --disable-pip-version-check --no-build-isolation --no-deps --no-index --wheel-dir {folder} --config-settings build-args=--profile=dev {source}"
    )
    .env("CARGO_TARGET_DIR", target)
    .env("PATH", path)
    .quiet()
    .run()?;
    runs(shell, &one(&folder, "mailbearer-", ".whl")?).map(drop)
}

/// A wheel in an environment that has nothing else, installed without an index. Gives the environment's folder.
fn runs(shell: &Shell, wheel: &Path) -> Result<PathBuf> {
    let folder = place("venv")?;
    let python = folder.join("bin/python");
    cmd!(shell, "python3 -m venv {folder}").quiet().run()?;
    cmd!(
        shell,
        "{python} -m pip install --quiet --disable-pip-version-check --no-index {wheel}"
    )
    .quiet()
    .run()?;
    let said = run_in(&folder, Command::new(&python).arg(script("send.py")))?;
    expect(&said, "accepted")?;
    Ok(folder)
}

/// In a project that has nothing else, without a registry; once as a module, once as CommonJS.
fn npm(packages: &Path) -> Result {
    let folder = place("npm")?;
    fs::write(folder.join("package.json"), r#"{ "private": true }"#)?;
    let mut install = Command::new("npm");
    install.args([
        "install",
        "--offline",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
    ]);
    run_in(&folder, install.args(all(packages, ".tgz")?))?;
    for name in ["send.mjs", "send.cjs"] {
        fs::copy(script(name), folder.join(name))?;
        expect(
            &run_in(&folder, Command::new("node").arg(name))?,
            "accepted",
        )?;
    }
    Ok(())
}

/// Types that fit every way of resolving modules, and a manifest without traps.
fn npm_critics(packages: &Path) -> Result {
    let package = one(packages, &format!("mailbearer-{VERSION}"), ".tgz")?;
    for critic in [&["attw"][..], &["publint", "--strict"]] {
        let mut command = Command::new("npx");
        command.args(["--no-install"]).args(critic).arg(&package);
        run_in(&root().join("xtask/src/test/packages"), &mut command)?;
    }
    Ok(())
}

/// Unpacked anywhere, it runs; completions and manual pages are beside it.
fn archive(shell: &Shell, packages: &Path) -> Result {
    let folder = place("archive")?;
    let archive = one(packages, &format!("mailbearer-{VERSION}-"), ".tar.gz")?;
    cmd!(
        shell,
        "tar --extract --gzip --file {archive} --directory {folder} --strip-components 1"
    )
    .quiet()
    .run()?;
    for name in [
        "LICENSE-MIT",
        "THIRD-PARTY-LICENSES",
        "completions/zsh",
        "man/mailbearer.1",
    ] {
        if !folder.join(name).exists() {
            return Err(format!("{name} is missing").into());
        }
    }
    demo(&folder, &folder.join("mailbearer"))
}

/// Signs in and sends against the sandbox in the program.
fn demo(folder: &Path, program: &Path) -> Result {
    let mut demo = Command::new(program);
    demo.args(["demo", "--json"])
        .stdin(std::process::Stdio::null());
    run_in(folder, &mut demo).map(drop)
}

/// Installed below a folder that stands for a system, run there, and removed without a trace.
fn debian(shell: &Shell, packages: &Path) -> Result {
    let folder = place("debian")?;
    let package = one(packages, "mailbearer_", ".deb")?;
    let admin = folder.join("var/lib/dpkg");
    fs::create_dir_all(admin.join("info"))?;
    fs::create_dir_all(admin.join("updates"))?;
    fs::write(admin.join("status"), "")?;
    let dpkg = |arguments: &[&str]| {
        cmd!(
            shell,
            "fakeroot dpkg --root={folder} --force-script-chrootless --force-not-root --log=/dev/null {arguments...}"
        )
        .quiet()
        .ignore_stdout()
        .run()
    };
    let package = package.to_string_lossy().into_owned();
    dpkg(&["--install", &package])?;
    demo(&folder, &folder.join("usr/bin/mailbearer"))?;
    unit_runs(&folder)?;
    dpkg(&["--verify", "mailbearer"])?;
    dpkg(&["--purge", "mailbearer"])?;
    let mut left = Command::new("find");
    left.args([".", "-type", "f", "-not", "-path", "./var/lib/dpkg/*"]);
    match run_in(&folder, &mut left)? {
        left if left.is_empty() => Ok(()),
        left => Err(format!("left behind: {left}").into()),
    }
}

/// The program understands the command line in the unit, which is not enabled.
fn unit_runs(folder: &Path) -> Result {
    let unit =
        fs::read_to_string(folder.join("usr/lib/systemd/system/mailbearer-sandbox.service"))?;
    let line = unit
        .lines()
        .find_map(|line| line.strip_prefix("ExecStart=/"));
    let mut words = line.ok_or("the unit starts nothing")?.split(' ');
    let program = folder.join(words.next().unwrap_or_default());
    // What comes before `--help` is still checked.
    let help = run_in(folder, Command::new(program).args(words).arg("--help"))?;
    expect(&help, "--smtp-port")?;
    match folder.join("etc/systemd").exists() {
        false => Ok(()),
        true => Err("the unit is enabled".into()),
    }
}

fn lintian(packages: &Path) -> Result {
    let package = one(packages, "mailbearer_", ".deb")?;
    let mut lintian = Command::new("lintian");
    lintian
        .args(["--allow-root", "--fail-on", "error"])
        .arg(package);
    run_in(packages, &mut lintian).map(drop)
}

/// An empty folder to install into, outside of the workspace's own environments.
fn place(name: &str) -> Result<PathBuf> {
    let folder = root().join("target/packages-installed").join(name);
    fresh(&folder)?;
    Ok(folder)
}

fn script(name: &str) -> PathBuf {
    root().join("xtask/src/test/packages").join(name)
}

fn all(folder: &Path, ending: &str) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?.flatten().map(|entry| entry.path());
    let mut found: Vec<_> = entries
        .filter(|path| path.to_string_lossy().ends_with(ending))
        .collect();
    found.sort();
    match found.is_empty() {
        false => Ok(found),
        true => Err(format!("no {ending} in {}", folder.display()).into()),
    }
}

fn one(folder: &Path, start: &str, ending: &str) -> Result<PathBuf> {
    let starts = |path: &PathBuf| {
        path.file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with(start))
    };
    let mut found = all(folder, ending)?;
    found.retain(starts);
    match (found.pop(), found.is_empty()) {
        (Some(path), true) => Ok(path),
        _ => Err(format!("not one {start}…{ending} in {}", folder.display()).into()),
    }
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What a program says on standard output; its failure says the rest.
fn run_in(folder: &Path, command: &mut Command) -> Result<String> {
    let output = command.current_dir(folder).output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(said);
    }
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(format!(
        "{}: {}: {said}{complaint}",
        command.get_program().display(),
        output.status
    )
    .into())
}

fn expect(said: &str, word: &str) -> Result {
    match said.contains(word) {
        true => Ok(()),
        false => Err(format!("{word:?} was expected, not {said:?}").into()),
    }
}
