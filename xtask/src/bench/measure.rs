//! One client against a server of its own: what the server has seen, and what the client took of the machine.

use super::Cell;
use super::clients::{Client, Places};
use super::link::Link;
use crate::Result;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What a client is told. The programs of `xtask/bench` read it as JSON.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Run {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) ca_file: String,
    pub(super) user: &'static str,
    pub(super) token: &'static str,
    pub(super) message_file: String,
    pub(super) recipients: Vec<String>,
    pub(super) connections: usize,
    pub(super) streams: usize,
    pub(super) seconds: f64,
    pub(super) least: u64,
    pub(super) most: u64,
    /// How many mails a client sends that cannot look at the time.
    pub(super) estimate: u64,
    #[serde(skip)]
    size_bytes: usize,
}

/// What one run came to.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) mails: u64,
    /// From the verdict on the last connection's first mail on.
    pub(super) per_second: Option<f64>,
    pub(super) round_trips: Option<f64>,
    /// From the start of the process.
    pub(super) first_ms: f64,
    /// From the moment the server took the connection.
    pub(super) first_after_accept_ms: f64,
    pub(super) cpu_s: f64,
    pub(super) peak_mb: f64,
}

/// What the server says at the end.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Seen {
    mails: u64,
    accepted_unix_ns: Option<u64>,
    first_verdict_unix_ns: Option<u64>,
    warm_mails: u64,
    warm_ns: u64,
    warm_turns: u64,
    octets: u64,
    recipients: u64,
}

impl Run {
    /// The run of a client in a cell; the port comes when the server has one.
    pub(super) fn new(
        places: &Places,
        link: &Link,
        cell: Cell,
        client: &Client,
        full: bool,
    ) -> Self {
        let file = |name| places.file(name).to_string_lossy().into_owned();
        let connections = cell.connections as u64;
        let is_large = cell.size_bytes > 1_000_000;
        let seconds = match (full, cell.rtt_ms) {
            (true, _) => 2.0,
            (false, 0) => 0.8,
            (false, _) => 1.5,
        };
        let most = if is_large { 200 } else { 20_000 };
        let least = (if cell.rtt_ms == 0 { 4 } else { 2 }) * connections;
        // Four replies, and one for each recipient after the first, are waited for by who does not pipeline.
        let mail_s = (cell.rtt_ms * (3 + cell.recipients as u64)) as f64 / 1000.0
            + 0.0003
            + cell.size_bytes as f64 / 300e6;
        let estimate = (seconds / mail_s * connections as f64) as u64;
        Self {
            host: link.address.to_owned(),
            port: 0,
            ca_file: file("ca.pem"),
            user: "sender@bench.example",
            token: TOKEN,
            message_file: file("message.eml"),
            recipients: (0..cell.recipients)
                .map(|number| format!("reader-{number}@bench.example"))
                .collect(),
            connections: cell.connections,
            streams: client.streams,
            seconds,
            least,
            most,
            estimate: estimate.clamp(least, most),
            size_bytes: cell.size_bytes,
        }
    }
}

/// Runs a client to its end.
pub(super) fn measure(
    places: &Places,
    link: &Link,
    client: &Client,
    mut run: Run,
) -> Result<Outcome> {
    let mut server = Server::start(places, link, run.connections)?;
    run.port = server.port;
    fs::write(places.file("run.json"), serde_json::to_vec(&run)?)?;
    let mut command = (client.command)(places, link, &run)?;
    command
        .stdout(Stdio::null())
        .stderr(fs::File::create(places.file("stderr"))?);
    let spawned_unix_ns = now_unix_ns();
    let spent = watch(command.spawn()?)?;
    let seen = server.end()?;
    let complaint = || {
        let said = fs::read_to_string(places.file("stderr")).unwrap_or_default();
        let last: Vec<_> = said.lines().rev().take(5).collect();
        last.join(" | ")
    };
    if !spent.succeeded || seen.mails == 0 {
        return Err(format!("failed after {} mails: {}", seen.mails, complaint()).into());
    }
    if seen.octets < seen.mails * run.size_bytes as u64
        || seen.recipients != seen.mails * run.recipients.len() as u64
    {
        return Err(format!("did not send what it should: {seen:?}").into());
    }
    let first = seen.first_verdict_unix_ns.unwrap_or_default();
    let accepted = seen.accepted_unix_ns.unwrap_or_default();
    let warm = |value: f64| (seen.warm_mails > 0 && !client.is_one_mail).then_some(value);
    Ok(Outcome {
        mails: seen.mails,
        per_second: warm(seen.warm_mails as f64 / (seen.warm_ns as f64 / 1e9)),
        round_trips: warm(seen.warm_turns as f64 / seen.warm_mails as f64),
        first_ms: first.saturating_sub(spawned_unix_ns) as f64 / 1e6,
        first_after_accept_ms: first.saturating_sub(accepted) as f64 / 1e6,
        cpu_s: spent.cpu_s,
        peak_mb: spent.peak_mb,
    })
}

struct Server {
    process: Child,
    port: u16,
}

impl Server {
    fn start(places: &Places, link: &Link, connections: usize) -> Result<Self> {
        let mut process = link
            .at_server(places.program("sink").as_os_str())
            .args([link.address, &connections.to_string()])
            .arg(places.file("ca.pem"))
            .arg(link.rtt_ms.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let said = process
            .stdout
            .as_mut()
            .ok_or("the server's output is not piped")?;
        // One line now, and one at the end: nothing is lost with the reader.
        BufReader::with_capacity(1, said).read_line(&mut line)?;
        let port = line
            .trim()
            .parse()
            .map_err(|_| "the server did not start")?;
        Ok(Self { process, port })
    }

    fn end(&mut self) -> Result<Seen> {
        drop(self.process.stdin.take());
        let mut said = String::new();
        if let Some(mut output) = self.process.stdout.take() {
            output.read_to_string(&mut said)?;
        }
        self.process.wait()?;
        Ok(serde_json::from_str(&said)?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

#[derive(Debug, Default)]
struct Spent {
    succeeded: bool,
    cpu_s: f64,
    peak_mb: f64,
}

/// Looks at a process until it ends. The kernel keeps its CPU time until it is waited for; its memory, until it ends.
fn watch(mut process: Child) -> Result<Spent> {
    let folder = format!("/proc/{}", process.id());
    let deadline = Instant::now() + LIMIT;
    let mut spent = Spent::default();
    loop {
        let stat = fs::read_to_string(format!("{folder}/stat"))?;
        let (_, fields) = stat.rsplit_once(')').ok_or("a process without a name")?;
        let fields: Vec<_> = fields.split_whitespace().collect();
        let field = |index: usize| {
            fields
                .get(index)
                .and_then(|field| field.parse::<f64>().ok())
        };
        // User and system time, its own and that of children it has waited for: proc(5).
        spent.cpu_s = (11..15).filter_map(field).sum::<f64>() / TICKS_PER_SECOND;
        if fields.first() == Some(&"Z") {
            spent.succeeded = process.wait()?.success();
            return Ok(spent);
        }
        if let Some(peak_mb) = peak_mb(&folder) {
            spent.peak_mb = peak_mb;
        }
        if Instant::now() > deadline {
            process.kill()?;
        }
        std::thread::sleep(Duration::from_millis(4));
    }
}

fn peak_mb(folder: &str) -> Option<f64> {
    let status = fs::read_to_string(format!("{folder}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes / 1024.0)
}

/// A command that reads the message from its standard input.
pub(super) fn with_message(mut command: Command, run: &Run) -> Result<Command> {
    command.stdin(fs::File::open(&run.message_file)?);
    Ok(command)
}

fn now_unix_ns() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| u64::try_from(now.as_nanos()).unwrap_or(u64::MAX))
}

const TOKEN: &str = "token-of-the-benchmark";
const LIMIT: Duration = Duration::from_secs(90);
/// What Linux gives to programs, whatever its own clock does.
const TICKS_PER_SECOND: f64 = 100.0;
