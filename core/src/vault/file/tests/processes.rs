//! Several processes on one vault file: none loses another's write, and `kill -9` at any moment loses nothing that was
//! acknowledged. The other processes are this test program again, told what to do on their standard input.

use super::*;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

/// Another process that works on the vault, and tells what it has done line by line.
struct Worker {
    process: Child,
    lines: io::Lines<BufReader<ChildStdout>>,
}

impl Worker {
    fn start(job: &str, path: &Path) -> Self {
        Self::start_as(Command::new(std::env::current_exe().unwrap()), job, path)
    }

    fn start_as(mut command: Command, job: &str, path: &Path) -> Self {
        let mut process = command
            .args(["--ignored", "--exact", WORKER_TEST])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = process.stdin.take().unwrap();
        writeln!(stdin, "{job}\n{}", path.display()).unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, lines }
    }

    /// The next thing it tells; `None` when it is gone. What the test harness prints around it is left out.
    fn next(&mut self) -> Option<String> {
        self.lines
            .by_ref()
            .map_while(std::result::Result::ok)
            .find_map(|line| Some(line.split_once(TOLD)?.1.to_owned()))
    }

    /// Ends it without warning, as the system would; gives what it had told by then.
    fn kill(mut self) -> Vec<String> {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        std::iter::from_fn(|| self.next()).collect()
    }

    fn finish(mut self) -> Vec<String> {
        let told = std::iter::from_fn(|| self.next()).collect();
        assert!(self.process.wait().unwrap().success());
        told
    }
}

fn tell(text: &str) {
    // The test harness leaves an unfinished line before this one.
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "\n{TOLD}{text}").unwrap();
    stdout.flush().unwrap();
}

/// Not a test: what a [`Worker`] does.
#[tokio::test]
#[ignore = "started by the other tests of this file"]
async fn works_for_another_process() {
    let mut input = io::stdin().lines().map_while(std::result::Result::ok);
    let (Some(job), Some(path)) = (input.next(), input.next()) else {
        return;
    };
    let path = Path::new(&path);
    match job.split_once(' ') {
        Some(("hammer", name)) => hammer(path, name).await,
        _ if job == "outgrow" => outgrow(path).await,
        _ if job == "count" => count(path).await,
        _ => panic!("unknown job: {job}"),
    }
}

async fn hammer(path: &Path, name: &str) {
    let vault = open(path, "correct horse").await.unwrap();
    for number in 0..HAMMER_WRITES {
        write(&vault, &format!("{name}/{number}"), name).await;
    }
}

/// Counts for ever, and tells every number that is durable.
async fn count(path: &Path) {
    tell("ready");
    let vault = open(path, "correct horse").await.unwrap();
    let start: u64 = counted(&vault).await;
    for number in start + 1.. {
        write(&vault, "count", &number.to_string()).await;
        tell(&number.to_string());
    }
}

async fn counted(vault: &EncryptedFile) -> u64 {
    let count = read(vault, "count").await;
    count.map_or(0, |count| count.parse().unwrap())
}

/// Writes more than the process may.
async fn outgrow(path: &Path) {
    let vault = open(path, "correct horse").await.unwrap();
    write(&vault, "small", "1").await;
    tell("ready");
    let large = SecretBytes::new(vec![0; 100_000]);
    tell(vault.write("large", &large).await.unwrap_err().code());
    write(&vault, "small", "2").await;
}

#[tokio::test]
async fn many_processes_lose_no_write() {
    let scene = Scene::new();
    let names = ["one", "two", "three", "four"];
    // Nobody has created the file: the workers race for that too.
    let workers = names.map(|name| Worker::start(&format!("hammer {name}"), &scene.path));
    for worker in workers {
        worker.finish();
    }
    let vault = scene.open().await.unwrap();
    for name in names {
        let keys = vault.keys(&format!("{name}/")).await.unwrap();
        assert_eq!(keys.len(), HAMMER_WRITES, "{name}");
    }
}

#[tokio::test]
async fn a_killed_process_loses_nothing_it_has_acknowledged() {
    let scene = Scene::new();
    let ballast = "x".repeat(50_000);
    write(&scene.open().await.unwrap(), "ballast", &ballast).await;
    let random = SeededRandom::new(20);
    let mut durable = 0;
    for round in 0..KILLS {
        let mut worker = Worker::start("count", &scene.path);
        assert_eq!(worker.next().unwrap(), "ready");
        for _ in 0..below(4, &random) {
            durable = worker.next().unwrap().parse().unwrap();
        }
        // The moment is what this test is about: anywhere within the next few writes.
        std::thread::sleep(Duration::from_micros(below(3_000, &random)));
        if let Some(last) = worker.kill().last() {
            durable = last.parse().unwrap();
        }

        let vault = scene.open().await.unwrap();
        let found = counted(&vault).await;
        assert!(
            found == durable || found == durable + 1,
            "round {round}: {durable} was acknowledged, {found} is there"
        );
        durable = found;
        assert_eq!(read(&vault, "ballast").await.unwrap(), ballast);
    }
    assert!(durable > 0);
}

#[tokio::test]
async fn a_process_killed_while_creating_leaves_nothing_or_a_vault() {
    let random = SeededRandom::new(21);
    for _ in 0..10 {
        let scene = Scene::new();
        let mut worker = Worker::start("count", &scene.path);
        assert_eq!(worker.next().unwrap(), "ready");
        std::thread::sleep(Duration::from_micros(below(1_000, &random)));
        let told = worker.kill().len();
        let found = counted(&scene.open().await.unwrap()).await;
        assert!(usize::try_from(found).unwrap() >= told);
    }
}

/// A worker that may not write files beyond 16 KiB or 32 KiB, by the shell's unit.
#[cfg(unix)]
fn start_confined(shell_setup: &str, path: &Path) -> Worker {
    let mut command = Command::new("sh");
    command
        .arg("-c")
        .arg(format!(r#"{shell_setup}; ulimit -f 32; exec "$0" "$@""#))
        .arg(std::env::current_exe().unwrap());
    Worker::start_as(command, "outgrow", path)
}

#[cfg(unix)]
#[tokio::test]
async fn a_full_disk_leaves_the_old_state() {
    let scene = Scene::new();
    // With the signal ignored, a write beyond the limit fails as on a full disk.
    let told = start_confined("trap '' XFSZ", &scene.path).finish();
    assert_eq!(told, ["ready", "vault-write-failed"]);
    let vault = scene.open().await.unwrap();
    assert_eq!(vault.keys("").await.unwrap(), ["small"]);
    assert_eq!(read(&vault, "small").await.unwrap(), "2");
    assert!(!scene.beside(".next").exists());
}

#[cfg(unix)]
#[tokio::test]
async fn a_process_killed_in_the_middle_of_a_write_leaves_the_old_state() {
    let scene = Scene::new();
    // The signal kills at the first octet beyond the limit, when a part of the file is written.
    let mut worker = start_confined("ulimit -c 0", &scene.path);
    assert_eq!(worker.next().unwrap(), "ready");
    assert_eq!(worker.next(), None);
    assert_eq!(worker.process.wait().unwrap().code(), None);
    let half = fs::metadata(scene.beside(".next")).unwrap();
    assert!((1..100_000).contains(&half.len()));

    let vault = scene.open().await.unwrap();
    assert_eq!(vault.keys("").await.unwrap(), ["small"]);
    write(&vault, "small", "2").await;
    assert_eq!(
        read(&scene.open().await.unwrap(), "small").await.unwrap(),
        "2"
    );
}

fn below(limit: u64, random: &SeededRandom) -> u64 {
    let mut octets = [0; 8];
    random.fill(&mut octets).unwrap();
    u64::from_le_bytes(octets) % limit
}

const KILLS: u32 = 48;
const HAMMER_WRITES: usize = 40;
const TOLD: &str = "told: ";
const WORKER_TEST: &str = "vault::file::tests::processes::works_for_another_process";
