//! Whichever vault holds them, secrets are in no file in the clear, in no log, in no argument or environment of a process,
//! and in no core file. Two accounts live their whole life: they sign in, send, fail, are renewed, and the secrets that the
//! sandbox gave out meanwhile are looked for everywhere.

use crate::harness::{PASSPHRASE, Run, World, read_until, run_unsearched, spawn};
use mailbearer_sandbox::directory::seed;
use mailbearer_sandbox::{Effect, Fault, Phase, Times};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

#[cfg(unix)]
#[path = "../../../core/tests/support/postgres.rs"]
#[expect(
    dead_code,
    reason = "shared with the vault's own tests, which use all of it"
)]
mod server;

/// Keeps records, and notes how it was called.
const STORE: &str = r#"cd "$(dirname "$0")"
{ echo "$@"; cat /proc/$$/environ | tr '\0' '\n'; } >> called.log
file=$(printf %s "$2" | tr / :)
case $1 in
get) if [ -e "r$file" ]; then cat "r$file"; fi ;;
set) cat > "r$file" ;;
remove) rm "r$file" ;;
list) for f in r*; do [ ! -e "$f" ] || echo "${f#r}" | tr : /; done ;;
esac
"#;

/// How the command line reaches a vault.
struct Vault<'a> {
    name: &'a str,
    url: String,
    /// What unlocks it.
    key: Vec<String>,
    /// Everything it writes is below here.
    folder: &'a Path,
}

impl Vault<'_> {
    fn command(&self, mut command: Command) -> Command {
        command.args(["--log", "trace"]).args(&self.key);
        command.env("MAILBEARER_VAULT", &self.url);
        command.env_remove("MAILBEARER_PASSPHRASE");
        command.current_dir(self.folder);
        if let Some(bus) = std::env::var_os("DBUS_SESSION_BUS_ADDRESS") {
            command.env("DBUS_SESSION_BUS_ADDRESS", bus);
        }
        command
    }

    /// Runs, with the whole log; whether it fails is up to `code`.
    fn run(&self, world: &World, code: i32, command: Command) -> Run {
        let run = run_unsearched(&mut self.command(command), "");
        assert_eq!(run.code, code, "{}: {run:?}", self.name);
        world.search(&run);
        run
    }
}

/// A whole life of two accounts.
async fn live(world: &World, vault: &Vault<'_>) {
    let secret_file = world.write("secret.txt", seed::SERVICE_CLIENT_SECRET);
    let mut add = world.add("billing", seed::BILLING, seed::SERVICE_CLIENT_ID);
    add.args(["--client-secret-file", &secret_file]);
    vault.run(world, 0, add);
    std::fs::remove_file(&secret_file).unwrap();
    let mut add = world.add("alice", seed::ALICE, seed::PUBLIC_CLIENT_ID);
    add.args(["--grant", "device-code"]);
    vault.run(world, 0, add);
    sign_in(world, vault).await;
    let send = |account: &str| {
        let words = [
            "send",
            "--account",
            account,
            "--to",
            seed::BOB,
            "--text",
            "hello",
        ];
        world.command(&words)
    };
    vault.run(world, 0, send("billing"));
    vault.run(world, 0, send("alice"));
    let fault = Fault {
        at: Phase::AuthResponse,
        effect: Effect::Reply("535 5.7.3 Authentication unsuccessful".to_owned()),
        times: Times::Always,
    };
    world.sandbox.faults().inject(fault).unwrap();
    let failed = run_unsearched(&mut vault.command(send("alice")), "");
    assert_ne!(failed.code, 0, "{failed:?}");
    world.search(&failed);
    world.sandbox.faults().clear();
    world.sandbox.clock().advance(Duration::from_secs(7200));
    // What is stored has ended at the server, which says so; then it is renewed.
    vault.run(world, 0, send("alice"));
    let listed = vault.run(world, 0, world.command(&["vault", "list"]));
    assert!(listed.stdout.contains("tokens"), "{listed:?}");
    vault.run(world, 0, world.command(&["vault", "check"]));
    // What it is for is to print a token; its log is searched all the same.
    let told = run_unsearched(&mut vault.command(world.command(&["token", "alice"])), "");
    let token = told.stdout.trim();
    assert!(token.starts_with("eyJ") && world.sandbox.secrets().iter().any(|s| s == token));
    assert_in_none(world, told.stderr.as_bytes(), Path::new("the log"));
}

/// Alice signs in; meanwhile the process is looked at from outside.
async fn sign_in(world: &World, vault: &Vault<'_>) {
    let mut child = spawn(&mut vault.command(world.command(&["login", "alice"])));
    let mut reader = None;
    read_until(&mut child, &mut reader, "type this code:");
    let shown =
        read_until(&mut child, &mut reader, "\n") + &read_until(&mut child, &mut reader, "\n");
    for file in ["cmdline", "environ"] {
        let path = PathBuf::from(format!("/proc/{}/{file}", child.id()));
        if let Ok(octets) = std::fs::read(&path) {
            assert!(!octets.is_empty());
            assert_in_none(world, &octets, &path);
        }
    }
    let code = shown.split_whitespace().last().unwrap();
    world
        .sandbox
        .approve_device(code, seed::ALICE)
        .await
        .unwrap();
    let run = crate::harness::finished(child, shown.clone());
    assert_eq!(run.code, 0, "{run:?}");
    world.search(&run);
}

fn check_files(world: &World, folder: &Path) {
    let kinds = ["eyJ", seed::SERVICE_CLIENT_SECRET];
    let secrets = world.sandbox.secrets();
    let has = |kind: &str| secrets.iter().any(|secret| secret.starts_with(kind));
    assert!(
        kinds.into_iter().all(has) && secrets.len() >= 6,
        "there is something to find"
    );
    let files = files_below(folder);
    assert!(files.len() > 1, "{files:?}");
    for file in files {
        let octets = std::fs::read(&file).unwrap_or_default();
        assert_in_none(world, &octets, &file);
    }
}

fn assert_in_none(world: &World, octets: &[u8], place: &Path) {
    let secrets = world.sandbox.secrets();
    for secret in secrets.iter().map(String::as_str).chain([PASSPHRASE]) {
        let is_there = octets
            .windows(secret.len())
            .any(|part| part == secret.as_bytes());
        assert!(!is_there, "a secret is in {}", place.display());
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| match path.is_dir() {
            true => files_below(&path),
            false => vec![path],
        })
        .collect()
}

/// A file with the passphrase, apart from everything that is searched.
fn key_file(world: &World) -> Vec<String> {
    let path = world.write("key", PASSPHRASE);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    vec!["--key-file".to_owned(), path]
}

#[tokio::test(flavor = "multi_thread")]
async fn no_vault_leaves_a_secret_where_others_look() {
    for name in ["file", "sqlite", "command"] {
        let world = World::new().await;
        let folder = world.path(name);
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("store.sh"), STORE).unwrap();
        let (url, key) = match name {
            "file" => (
                folder.join("vault.mbv").display().to_string(),
                key_file(&world),
            ),
            "sqlite" => (
                format!("sqlite:{}", folder.join("vault.db").display()),
                key_file(&world),
            ),
            _ => (
                format!("command:sh {}", folder.join("store.sh").display()),
                Vec::new(),
            ),
        };
        let vault = Vault {
            name,
            url,
            key,
            folder: &folder,
        };
        live(&world, &vault).await;
        check_files(&world, &folder);
    }
}

/// A program that is started gets none of our variables, whatever else it inherits.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_started_is_told_no_passphrase() {
    let world = World::new().await;
    let script = world.write("store.sh", STORE);
    let mut command = world.command(&["vault", "list"]);
    command.env("MAILBEARER_VAULT", format!("command:sh {script}"));
    command.env("SOMETHING_ELSE", "is inherited");
    let run = world.run_with(&mut command, "");
    assert_eq!(run.code, 0, "{run:?}");
    let called = std::fs::read_to_string(world.path("called.log")).unwrap();
    assert!(called.contains("SOMETHING_ELSE=is inherited"), "{called}");
    assert!(
        !called.contains(PASSPHRASE) && !called.contains("MAILBEARER_"),
        "{called}"
    );
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo xtask test vaults"]
async fn no_database_holds_a_secret_in_the_clear() {
    let world = World::new().await;
    let rules = ("pg_hba.conf", "local all all trust\n");
    let postgres = server::Postgres::start_with_files(&[rules], &["log_statement=all"]);
    let socket = postgres.folder().display().to_string().replace('/', "%2F");
    let folder = world.path("postgres");
    std::fs::create_dir(&folder).unwrap();
    let vault = Vault {
        name: "postgres",
        url: format!("postgresql://owner@{socket}:{}/postgres", postgres.port()),
        key: key_file(&world),
        folder: &folder,
    };
    live(&world, &vault).await;
    let dump = folder.join("dump.sql");
    let mut backup = postgres.as_owner("pg_dump");
    backup.args(["--dbname=postgresql:///postgres", "--file"]);
    assert!(backup.arg(&dump).status().unwrap().success());
    let dumped = std::fs::read_to_string(&dump).unwrap();
    assert!(dumped.contains("tokens/alice"), "{dumped}");
    std::fs::write(folder.join("another"), "").unwrap();
    check_files(&world, &folder);
    // The tables, the write-ahead log and the server's own log.
    postgres.execute("CHECKPOINT");
    check_files(&world, &postgres.folder().join("data"));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a keyring: cargo xtask test vaults"]
async fn no_keyring_holds_a_secret_in_the_clear() {
    let world = World::new().await;
    let folder = world.path("keyring");
    std::fs::create_dir(&folder).unwrap();
    let vault = Vault {
        name: "keyring",
        url: folder.join("vault.mbv").display().to_string(),
        key: vec!["--keyring".to_owned()],
        folder: &folder,
    };
    live(&world, &vault).await;
    check_files(&world, &folder);
    let keyring = std::env::var("MAILBEARER_TEST_KEYRING").unwrap();
    check_files(&world, Path::new(&keyring));
}

/// It has a vault's key, a client secret and a device code in its memory, and is told to dump it.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_leaves_no_core_file() {
    use std::os::unix::process::ExitStatusExt as _;
    let world = World::with_billing().await;
    world.add_alice();
    let folder = world.path("crash");
    std::fs::create_dir(&folder).unwrap();
    let login = world.command(&["login", "alice"]);
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -c unlimited; exec \"$0\" login alice"])
        .arg(login.get_program())
        .current_dir(&folder);
    command.env_clear().envs(
        login
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    let mut child = spawn(&mut command);
    let mut reader = None;
    read_until(&mut child, &mut reader, "type this code:");
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"));
    let words: Vec<_> = core.unwrap().split_whitespace().collect();
    assert_eq!(words[4..6], ["0", "0"], "{limits}");
    let aborted = Command::new("kill")
        .args(["-ABRT", &child.id().to_string()])
        .status();
    assert!(aborted.unwrap().success());
    let status = child.wait().unwrap();
    assert_eq!(status.signal(), Some(6), "{status:?}");
    assert!(!status.core_dumped(), "{status:?}");
    assert!(files_below(&folder).is_empty());
}

/// Of a process that may not be dumped everything in `/proc` belongs to root. Run as somebody else than root, whoever runs
/// this test.
#[cfg(target_os = "linux")]
#[test]
fn other_processes_of_the_same_user_cannot_read_its_memory_or_environment() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let binary = folder.path().join("mailbearer");
    std::fs::copy(env!("CARGO_BIN_EXE_mailbearer"), &binary).unwrap();
    let mut command = match rustix::process::geteuid().is_root() {
        true => Command::new("setpriv"),
        false => Command::new("env"),
    };
    if rustix::process::geteuid().is_root() {
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    }
    command.arg(&binary).arg("sandbox").current_dir("/");
    let mut child = spawn(&mut command);
    read_until(&mut child, &mut None, "http");
    let owner = |file: &str| {
        let path = format!("/proc/{}/{file}", child.id());
        std::fs::metadata(path).unwrap().uid()
    };
    // The folder keeps the process's own user; what is in it does not.
    let (of_memory, of_environment) = (owner("mem"), owner("environ"));
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let user = status
        .lines()
        .find(|line| line.starts_with("Uid:"))
        .unwrap();
    assert_ne!(user.split_whitespace().nth(1), Some("0"), "{user}");
    assert_eq!((of_memory, of_environment), (0, 0));
}
