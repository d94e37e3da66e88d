//! The suites: what each needs, and how it is run.

use super::counts::{Counts, run_checked, run_counted};
use super::needs::{Need, python};
use crate::build::swift_toolchain::Toolchain;
use crate::build::{self, Profile};
use crate::{Result, dist, root};
use std::path::{Path, PathBuf};
use std::process::Command;
use xshell::{Shell, cmd};

/// A set of tests that run together.
pub(super) struct Suite {
    pub(super) name: &'static str,
    pub(super) needs: &'static [Need],
    pub(super) run: fn(&Shell) -> Result<Counts>,
}

/// All suites, in the order they run: what finds most faults soonest comes first.
pub(super) fn all() -> Vec<Suite> {
    vec![
        Suite {
            name: "rust",
            needs: &[],
            run: rust,
        },
        Suite {
            name: "python",
            needs: build::python::NEEDS,
            run: bindings_python,
        },
        Suite {
            name: "node",
            needs: &[Need::Npm("bindings-node")],
            run: bindings_node,
        },
        Suite {
            name: "swift",
            needs: &[Need::Swift],
            run: bindings_swift,
        },
        Suite {
            name: "packages",
            needs: PACKAGES,
            run: super::packages::run,
        },
        Suite {
            name: "witnesses",
            needs: &[
                Need::Debian("curl"),
                Need::Python("sandbox/tests/witnesses/requirements.txt"),
                Need::Npm("sandbox/tests/witnesses"),
            ],
            run: witnesses,
        },
        Suite {
            name: "browser",
            needs: &[
                Need::Debian("chromium"),
                Need::Debian("fonts-dejavu-core"),
                Need::Npm("sandbox/tests/browser"),
            ],
            run: browser,
        },
        Suite {
            name: "real-servers",
            needs: &[
                Need::Root,
                Need::Debian("postfix"),
                Need::Debian("dovecot-core"),
                Need::Debian("dovecot-submissiond"),
                Need::Npm("core/tests/real_servers/servers/oidc"),
                Need::Npm("core/tests/real_servers/servers/smtp_server"),
                Need::Python("core/tests/real_servers/servers/aiosmtpd/requirements.txt"),
                // Mail servers exclude each other as packages; these run without being installed, but for their libraries.
                Need::Debian("libevent-2.1-7"),
                Need::Debian("libgnutls-dane0"),
                Need::Debian("libidn12"),
                Need::Debian("libnsl2"),
                Need::DebianFile("exim4-daemon-light"),
                Need::DebianFile("opensmtpd"),
            ],
            run: real_servers,
        },
        Suite {
            name: "proxies",
            needs: &[Need::Debian("microsocks"), Need::Debian("tinyproxy-bin")],
            run: proxies,
        },
        Suite {
            name: "processes",
            needs: &[],
            run: processes,
        },
        Suite {
            name: "vaults",
            needs: &[
                Need::Debian("postgresql"),
                Need::Debian("gnome-keyring"),
                Need::Debian("dbus"),
                Need::Debian("dbus-x11"),
            ],
            run: vaults,
        },
        Suite {
            name: "fuzz",
            needs: &[Need::Debian("g++")],
            run: fuzz,
        },
    ]
}

/// What packing, and trying what was packed, takes.
const PACKAGES: &[Need] = &[
    Need::Debian("binutils"),
    Need::Debian("fakeroot"),
    Need::Debian("lintian"),
    Need::Npm("bindings-node"),
    Need::Npm("xtask/src/test/packages"),
    Need::Python("bindings-python/requirements-test.txt"),
    Need::Python("xtask/src/dist/requirements.txt"),
    Need::Python("xtask/src/test/packages/requirements.txt"),
];

/// The tests of the crates that need nothing but Rust.
fn rust(_: &Shell) -> Result<Counts> {
    let mut counts = run_counted(cargo().args(["test", "--no-fail-fast", "--quiet"]))?;
    // What is ignored here runs in a suite of its own, and is counted there, or is no test but a test's helper.
    counts.skipped = 0;
    Ok(counts)
}

/// The Python package as it would be installed, its types, and its reference.
fn bindings_python(shell: &Shell) -> Result<Counts> {
    let (python, wheel) = (python(), build::python::build(shell, Profile::Dev)?);
    cmd!(
        shell,
        "{python} -m pip install --quiet --force-reinstall --no-deps --no-index {wheel}"
    )
    .run()?;
    let run = |arguments: &[&str]| {
        let mut command = Command::new(&python);
        command
            .arg("-m")
            .args(arguments)
            .current_dir(root().join("bindings-python"));
        command
    };
    let interpreter = python.to_string_lossy();
    let mut counts = run_checked(&mut run(&["mypy", "--no-error-summary"]))?;
    counts += run_checked(&mut run(&[
        "mypy.stubtest",
        "mailbearer._mailbearer",
        "--allowlist",
        "tests/stubtest-allowlist.txt",
    ]))?;
    counts += run_checked(&mut run(&["pyright", "--pythonpath", &interpreter]))?;
    build::python::reference(shell)?;
    counts += run_counted(&mut run(&["pytest", "--quiet", "-p", "no:cacheprovider"]))?;
    Ok(counts)
}

/// The npm package, its types, and the reference made from them.
fn bindings_node(shell: &Shell) -> Result<Counts> {
    build::node::build(shell, Profile::Dev)?;
    let npm = |script: &str| {
        let mut command = Command::new("npm");
        command.args(["run", "--silent", script]);
        command.current_dir(root().join("bindings-node"));
        command
    };
    let mut counts = run_checked(&mut npm("types"))?;
    counts += run_checked(&mut npm("docs"))?; // into target/doc/node
    counts += run_counted(&mut npm("test"))?;
    Ok(counts)
}

/// The Swift package, that its generated sources are fresh, and a package of somebody else's that uses its archive.
fn bindings_swift(shell: &Shell) -> Result<Counts> {
    let library = build::swift::library(shell, Profile::Dev)?;
    build::swift::check_generated(shell, &library)?;
    let toolchain = Toolchain::find().ok_or("Swift is not installed")?;
    let swift = |verb: &str, package: &Path, pkg_config: &Path, scratch: &Path| {
        let mut command = toolchain.swift(package, pkg_config);
        command.args([verb, "--scratch-path"]).arg(scratch);
        command
    };
    let (ours, scratch) = (
        root().join("bindings-swift"),
        root().join("target/swift/build"),
    );
    let pkg_config = build::swift::pkg_config(&library)?;
    let mut counts = run_counted(&mut swift("test", &ours, &pkg_config, &scratch))?;
    build::swift_reference::write(&toolchain, &pkg_config, &scratch)?;
    counts.passed += 1;
    let place = swift_consumer(shell)?;
    let (consumer, scratch) = (place.join("reminders"), place.join("build"));
    let pkg_config = place.join("mailbearer/lib/pkgconfig");
    counts += run_counted(&mut swift("test", &consumer, &pkg_config, &scratch))?;
    counts += run_checked(swift("run", &consumer, &pkg_config, &scratch).arg("remind"))?;
    Ok(counts)
}

/// The archive unpacked, beside a package that uses it.
fn swift_consumer(shell: &Shell) -> Result<PathBuf> {
    let archive = dist::swift::pack_for_tests(shell)?;
    let place = root().join("target/swift/consumer");
    build::fresh(&place.join("mailbearer"))?;
    // The files become new, or the compiler would take them for those of the last run.
    cmd!(
        shell,
        "tar --extract --touch --gzip --file {archive} --directory {place}/mailbearer --strip-components 1"
    )
    .run()?;
    let ours = root().join("bindings-swift/Consumer");
    build::fresh(&place.join("reminders"))?;
    cmd!(shell, "cp -R {ours}/. {place}/reminders").run()?;
    Ok(place)
}

/// The sandbox's program, which clients of other makers are pointed at.
fn build_sandbox(shell: &Shell) -> Result {
    Ok(cmd!(shell, "cargo build --quiet --package mailbearer-sandbox").run()?)
}

/// Clients of other makers against the sandbox: MSAL, nodemailer, curl, smtplib.
fn witnesses(shell: &Shell) -> Result<Counts> {
    build_sandbox(shell)?;
    let folder = root().join("sandbox/tests/witnesses");
    run_counted(
        Command::new(python())
            .arg(folder.join("run.py"))
            .arg(root().join("target/debug/mailbearer-sandbox")),
    )
}

/// The sandbox's inbox in headless Chromium.
fn browser(shell: &Shell) -> Result<Counts> {
    cmd!(
        shell,
        "cargo build --quiet --package mailbearer-sandbox --example inbox"
    )
    .run()?;
    let run = || {
        run_counted(
            Command::new("npm")
                .args(["test", "--silent"])
                .current_dir(root().join("sandbox/tests/browser"))
                .env("INBOX_SERVER", root().join("target/debug/examples/inbox")),
        )
    };
    let counts = run()?;
    if counts.failed == 0 {
        return Ok(counts);
    }
    // A browser on a busy machine may be late; what is wrong fails twice.
    println!("browser: failed once, run again");
    run()
}

/// The handle against oidc-provider, and the mail servers of seven makers.
fn real_servers(_: &Shell) -> Result<Counts> {
    run_counted(cargo().args([
        "test",
        "--quiet",
        "--package",
        "mailbearer",
        "--test",
        "real_servers",
        "--",
        "--ignored",
    ]))
}

/// A hundred processes on one vault, and one token request for each expiry.
fn proxies(_: &Shell) -> Result<Counts> {
    run_counted(cargo().args([
        "test",
        "--quiet",
        "--package",
        "mailbearer",
        "--test",
        "proxies",
        "--",
        "--ignored",
    ]))
}

fn processes(_: &Shell) -> Result<Counts> {
    run_counted(cargo().args([
        "test",
        "--quiet",
        "--package",
        "mailbearer",
        "--test",
        "renewal",
        "--",
        "--ignored",
        "hundred",
    ]))
}

/// The vaults against a real PostgreSQL, and a real keyring in a session of its own.
fn vaults(_: &Shell) -> Result<Counts> {
    let mut command = Command::new("dbus-run-session");
    command
        .current_dir(root())
        .args(["--", "sh", "-c", KEYRING, "sh"]);
    run_counted(command.args([
        "cargo",
        "test",
        "--quiet",
        "--package",
        "mailbearer",
        "--package",
        "mailbearer-cli",
        "--features",
        "mailbearer/vaults",
        "--lib",
        "--test",
        "hosts",
        "--test",
        "cli",
        "--",
        "--ignored",
        "--skip",
        "another",
        "--skip",
        "measures",
    ]))
}

/// The keyring keeps its files in a folder of its own, and is unlocked with a password from its standard input.
const KEYRING: &str = "home=$(mktemp -d); trap 'rm -rf \"$home\"' EXIT; \
    printf test | XDG_DATA_HOME=$home XDG_RUNTIME_DIR=$home gnome-keyring-daemon --unlock --components=secrets >/dev/null; \
    MAILBEARER_TEST_KEYRING=$home \"$@\"";

/// A short run of every fuzz target. It needs no nightly compiler: libFuzzer's instrumentation is LLVM's own.
fn fuzz(shell: &Shell) -> Result<Counts> {
    let folder = root().join("fuzz");
    let target = root().join("target/fuzz");
    let _flags = shell.push_env("RUSTFLAGS", INSTRUMENTATION);
    let _folder = shell.push_dir(&folder);
    // A named target keeps the flags away from build scripts, which cannot be linked with them.
    let host = cmd!(shell, "rustc --print host-tuple").quiet().read()?;
    cmd!(
        shell,
        "cargo build --quiet --release --target {host} --target-dir {target}"
    )
    .run()?;
    let mut counts = Counts::default();
    for name in fuzz_targets()? {
        let corpus = target.join("corpus").join(&name);
        std::fs::create_dir_all(&corpus)?;
        let status = Command::new(target.join(&host).join("release").join(&name))
            .arg("-max_total_time=10")
            .arg("-rss_limit_mb=2048")
            .args(["-verbosity=0", "-print_funcs=0"])
            .arg(corpus)
            .args(Some(folder.join("seeds").join(&name)).filter(|seeds| seeds.is_dir()))
            .status()?;
        println!("fuzz target {name}: {status}");
        if status.success() {
            counts.passed += 1;
        } else {
            counts.failed += 1;
        }
    }
    Ok(counts)
}

const INSTRUMENTATION: &str = "--cfg fuzzing -Cdebug-assertions -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares";

fn fuzz_targets() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(root().join("fuzz/fuzz_targets"))? {
        let path = entry?.path();
        let stem = path.file_stem().unwrap_or_default();
        names.push(stem.to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

fn cargo() -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(root());
    command
}
