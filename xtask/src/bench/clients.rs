//! The clients: how each is started for a run, and what is missing where it cannot be.

use super::link::Link;
use super::measure::{Run, with_message};
use crate::build::{self, Profile};
use crate::test::needs::python;
use crate::{Result, root};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use xshell::{Shell, cmd};

/// Where the programs are, and the files of a run.
#[derive(Debug)]
pub(super) struct Places {
    programs: PathBuf,
    files: PathBuf,
    has_bindings: bool,
}

impl Places {
    /// Builds the programs; and the packages for Python and Node as they are published, if they are to be measured.
    pub(super) fn build(shell: &Shell, has_bindings: bool) -> Result<Self> {
        let places = Self {
            has_bindings,
            ..Self::built()
        };
        fs::create_dir_all(&places.files)?;
        super::build(shell)?;
        places.build_nodelay();
        if has_bindings {
            build::node::build(shell, Profile::Dist)?;
            let (python, wheel) = (python(), build::python::build(shell, Profile::Dist)?);
            cmd!(
                shell,
                "{python} -m pip install --quiet --force-reinstall --no-deps --no-index {wheel}"
            )
            .run()?;
        }
        Ok(places)
    }

    /// Takes the programs that were built before.
    pub(super) fn built() -> Self {
        Self {
            programs: root().join("target/bench/release"),
            files: root().join("target/bench/run"),
            has_bindings: false,
        }
    }

    /// A program of `xtask/bench`.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// A file of a run.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.files.join(name)
    }

    /// Without a C compiler it is missing, and so is the client that needs it.
    fn build_nodelay(&self) {
        let source = root().join("xtask/bench/clients/nodelay.c");
        let mut compiler = Command::new("gcc");
        compiler
            .args(["-shared", "-fPIC", "-O2", "-o"])
            .arg(self.file("nodelay.so"))
            .arg(source);
        drop(compiler.arg("-ldl").output());
    }
}

/// A client of the tables.
pub(super) struct Client {
    pub(super) name: &'static str,
    /// Mailbearer.
    pub(super) is_ours: bool,
    /// It has no TLS: no other client is measured by it.
    pub(super) is_plain: bool,
    /// It sends one mail and ends.
    pub(super) is_one_mail: bool,
    /// How many mails it is given at once, for each connection.
    pub(super) streams: usize,
    /// What is missing, if anything.
    pub(super) missing: fn(&Places) -> Option<String>,
    pub(super) command: fn(&Places, &Link, &Run) -> Result<Command>,
}

/// All of them, in the order of the tables.
pub(super) const ALL: &[Client] = &[
    Client {
        name: "mailbearer, streaming",
        streams: STREAMS,
        command: |places, link, run| Ok(rust(places, link, run, "handle")),
        ..OURS
    },
    Client {
        name: "mailbearer, one by one",
        command: |places, link, run| Ok(rust(places, link, run, "handle")),
        ..OURS
    },
    Client {
        name: "mailbearer send, a process a mail",
        is_one_mail: true,
        missing: |places| match places.program("mailbearer").exists() {
            true => None,
            false => Some("not built; leave out --no-build".to_owned()),
        },
        command: command_line,
        ..OURS
    },
    Client {
        name: "mailbearer for Python, streaming",
        streams: STREAMS,
        missing: no_bindings,
        command: |_, link, run| Ok(python_client(link, run, "mailbearer")),
        ..OURS
    },
    Client {
        name: "mailbearer for Node, streaming",
        streams: STREAMS,
        missing: no_bindings,
        command: |_, link, run| Ok(node_client(link, run, "mailbearer")),
        ..OURS
    },
    Client {
        name: "nodemailer",
        missing: |_| match root()
            .join("xtask/bench/clients/node_modules/nodemailer")
            .exists()
        {
            true => None,
            false => Some("npm ci in xtask/bench/clients".to_owned()),
        },
        command: |_, link, run| Ok(node_client(link, run, "nodemailer")),
        ..PEER
    },
    Client {
        name: "smtplib",
        missing: |_| python_lacks("smtplib"),
        command: |_, link, run| Ok(python_client(link, run, "smtplib")),
        ..PEER
    },
    Client {
        name: "aiosmtplib",
        missing: |_| python_lacks("aiosmtplib"),
        command: |_, link, run| Ok(python_client(link, run, "aiosmtplib")),
        ..PEER
    },
    Client {
        name: "lettre",
        command: |places, link, run| Ok(rust(places, link, run, "lettre")),
        ..PEER
    },
    Client {
        name: "lettre, TCP_NODELAY forced",
        missing: |places| match places.file("nodelay.so").exists() {
            true => None,
            false => Some("apt-get install gcc".to_owned()),
        },
        command: |places, link, run| {
            let mut command = rust(places, link, run, "lettre");
            command.env("LD_PRELOAD", places.file("nodelay.so"));
            Ok(command)
        },
        ..PEER
    },
    Client {
        name: "mail-send",
        command: |places, link, run| Ok(rust(places, link, run, "mail-send")),
        ..PEER
    },
    Client {
        name: "curl",
        missing: |_| lacks("curl"),
        command: |places, link, run| curl(places, link, run, run.estimate),
        ..PEER
    },
    Client {
        name: "curl, a process a mail",
        is_one_mail: true,
        missing: |_| lacks("curl"),
        command: |places, link, run| curl(places, link, run, 1),
        ..PEER
    },
    Client {
        name: "msmtp, a process a mail",
        is_one_mail: true,
        missing: |_| lacks("msmtp"),
        command: msmtp,
        ..PEER
    },
    Client {
        name: "smtp-source, no TLS",
        is_plain: true,
        missing: |_| match Path::new(SMTP_SOURCE).exists() {
            true => None,
            false => Some("apt-get install postfix".to_owned()),
        },
        command: smtp_source,
        ..PEER
    },
];

const OURS: Client = Client {
    is_ours: true,
    ..PEER
};

const PEER: Client = Client {
    name: "",
    is_ours: false,
    is_plain: false,
    is_one_mail: false,
    streams: 1,
    missing: |_| None,
    command: |_, _, _| Err("no command".into()),
};

fn rust(places: &Places, link: &Link, _: &Run, name: &str) -> Command {
    let mut command = link.at_client(places.program(name).as_os_str());
    command.arg(places.file("run.json"));
    command
}

/// The command line, with its account in the environment and a token from a command.
fn command_line(places: &Places, link: &Link, run: &Run) -> Result<Command> {
    let account = serde_json::json!([{
        "name": "bench",
        "mailbox": run.user,
        "cloud": "custom",
        "grant": { "type": "tokenCommand", "command": ["printf", run.token] },
        "endpoints": {
            "tokenUrl": "http://127.0.0.1:9/token", // never asked
            "scopes": ["mail"],
            "smtpHost": run.host,
            "smtpPort": run.port,
            "caPem": fs::read_to_string(&run.ca_file)?,
        },
    }]);
    let mut command = link.at_client(places.program("mailbearer").as_os_str());
    command
        .env("MAILBEARER_ACCOUNTS", account.to_string())
        .args([
            "send",
            "--vault",
            "env:MAILBEARER_ACCOUNTS",
            "--account",
            "bench",
            "--eml",
            &run.message_file,
        ]);
    for recipient in &run.recipients {
        command.args(["--to", recipient]);
    }
    Ok(command)
}

fn python_client(link: &Link, run: &Run, name: &str) -> Command {
    script(link, python().into(), "client.py", name, run)
}

fn node_client(link: &Link, run: &Run, name: &str) -> Command {
    let mut command = script(link, "node".into(), "client.mjs", name, run);
    command.env("MAILBEARER_NODE", root().join("bindings-node/index.js"));
    command
}

fn script(link: &Link, interpreter: OsString, script: &str, name: &str, run: &Run) -> Command {
    let mut command = link.at_client(&interpreter);
    command
        .arg(root().join("xtask/bench/clients").join(script))
        .arg(name);
    command.arg(Path::new(&run.message_file).with_file_name("run.json"));
    command
}

/// One transfer after the other, or as many at once as there are connections.
fn curl(places: &Places, link: &Link, run: &Run, count: u64) -> Result<Command> {
    let mut transfer = format!(
        "url = \"smtp://{}:{}\"\nssl-reqd\ncacert = \"{}\"\nuser = \"{}:\"\noauth2-bearer = \"{}\"\n\
         login-options = \"AUTH=XOAUTH2\"\nmail-from = \"{}\"\nupload-file = \"{}\"\n",
        run.host, run.port, run.ca_file, run.user, run.token, run.user, run.message_file
    );
    for recipient in &run.recipients {
        transfer.extend(["mail-rcpt = \"", recipient, "\"\n"]);
    }
    let count = usize::try_from(count)?;
    let config = places.file("curl.conf");
    fs::write(&config, vec![transfer; count].join("next\n"))?;
    let mut command = link.at_client("curl".as_ref());
    command.args(["--silent", "--show-error", "--disable"]);
    if run.connections > 1 {
        command.args(["--parallel", "--parallel-max", &run.connections.to_string()]);
    }
    command.arg("--config").arg(config);
    Ok(command)
}

fn msmtp(_: &Places, link: &Link, run: &Run) -> Result<Command> {
    let mut command = link.at_client("msmtp".as_ref());
    command
        .arg(format!("--host={}", run.host))
        .arg(format!("--port={}", run.port))
        .arg(format!("--tls-trust-file={}", run.ca_file))
        .arg(format!("--user={}", run.user))
        .arg(format!("--from={}", run.user))
        .arg(format!("--passwordeval=printf {}", run.token))
        .args(["--tls=on", "--tls-starttls=on", "--auth=xoauth2", "--"])
        .args(&run.recipients);
    with_message(command, run)
}

/// It knows neither TLS nor tokens; a line of what it sends has 80 octets.
fn smtp_source(_: &Places, link: &Link, run: &Run) -> Result<Command> {
    let mut command = link.at_client(SMTP_SOURCE.as_ref());
    let octets = fs::metadata(&run.message_file)?.len();
    command
        .args(["-s", &run.connections.to_string()])
        .args(["-m", &run.estimate.to_string()])
        .args(["-l", &(octets + 200).to_string()])
        .args(["-r", &run.recipients.len().to_string()])
        .args(["-d", "-f", run.user, "-t", "reader@bench.example"])
        .arg(format!("inet:{}:{}", run.host, run.port));
    Ok(command)
}

fn lacks(program: &str) -> Option<String> {
    let known = Command::new(program).arg("--version").output();
    match known.is_ok_and(|known| known.status.success()) {
        true => None,
        false => Some(format!("apt-get install {program}")),
    }
}

fn python_lacks(module: &str) -> Option<String> {
    let known = Command::new(python())
        .args(["-c", &format!("import {module}")])
        .output();
    match known.is_ok_and(|known| known.status.success()) {
        true => None,
        false => Some("pip install -r xtask/bench/clients/requirements.txt".to_owned()),
    }
}

fn no_bindings(places: &Places) -> Option<String> {
    match places.has_bindings {
        true => None,
        false => Some("asked for with --bindings".to_owned()),
    }
}

/// Enough to fill what is on its way over a link of 100 ms.
const STREAMS: usize = 128;
const SMTP_SOURCE: &str = "/usr/sbin/smtp-source";
