//! Whichever vault holds them, secrets are in no file in the clear, in no log, and in no argument or environment of a program
//! that is started; and a crash leaves no core file with them.

use crate::harness::{PASSPHRASE, Run, World, run_unsearched};
use mailbearer_sandbox::directory::seed;
use std::path::{Path, PathBuf};
use std::process::Command;

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

#[tokio::test(flavor = "multi_thread")]
async fn no_vault_leaves_a_secret_where_others_look() {
    let world = World::new().await;
    let secret_file = world.write("secret.txt", seed::SERVICE_CLIENT_SECRET);
    for name in ["file", "sqlite", "command"] {
        let folder = world.path(name);
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("store.sh"), STORE).unwrap();
        let vault = match name {
            "file" => folder.join("vault.mbv").display().to_string(),
            "sqlite" => format!("sqlite:{}", folder.join("vault.db").display()),
            _ => format!("command:sh {}", folder.join("store.sh").display()),
        };
        let run = |command: &mut Command| -> Run {
            let command = command.args(["--log", "trace"]);
            let command = command.env("MAILBEARER_VAULT", &vault);
            let run = run_unsearched(command.env("XDG_RUNTIME_DIR", &folder), "");
            assert_eq!(run.code, 0, "{name}: {run:?}");
            run
        };
        let mut add = world.add("billing", seed::BILLING, seed::SERVICE_CLIENT_ID);
        let added = run(add.args(["--client-secret-file", &secret_file]));
        let told = run(&mut world.command(&["token"]));
        let listed = run(&mut world.command(&["vault", "list"]));
        let checked = run(&mut world.command(&["vault", "check"]));
        assert!(listed.stdout.contains("tokens"), "{listed:?}");
        let token = told.stdout.trim().to_owned();
        assert!(token.starts_with("eyJ"));
        world.search(&added);
        world.search(&listed);
        world.search(&checked);
        let secrets = [token.as_str(), seed::SERVICE_CLIENT_SECRET, PASSPHRASE];
        assert_in_none(&secrets, told.stderr.as_bytes(), Path::new("the log"));
        let files = files_below(&folder);
        assert!(files.len() > 1, "{files:?}");
        for file in files {
            let octets = std::fs::read(&file).unwrap();
            // The program of this test is told its passphrase by nobody, but it inherits this process's environment.
            let known: &[&str] = match file.ends_with("called.log") {
                true => &secrets[..2],
                false => &secrets,
            };
            assert_in_none(known, &octets, &file);
        }
    }
}

fn assert_in_none(secrets: &[&str], octets: &[u8], place: &Path) {
    for secret in secrets {
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

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_leaves_no_core_file() {
    let world = World::new().await;
    let mut command = Command::new("sh");
    command
        .args([
            "-c",
            "ulimit -c unlimited; exec \"$0\" sandbox",
            env!("CARGO_BIN_EXE_mailbearer"),
        ])
        .current_dir(world.folder.path());
    let mut child = crate::harness::spawn(&mut command);
    let mut reader = None;
    crate::harness::read_until(&mut child, &mut reader, "http");
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"));
    let words: Vec<_> = core.unwrap().split_whitespace().collect();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(words[4..6], ["0", "0"], "{limits}");
}
