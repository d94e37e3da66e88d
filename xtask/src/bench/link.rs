//! Where server and client are: both on loopback, or each in a network namespace of its own with a link between them that
//! takes half the round trip each way. The kernel's netem delays the packets, or else a TUN pair of our own.

use super::clients::Places;
use crate::Result;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

/// A link, until it is dropped.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) rtt_ms: u64,
    /// The server's address.
    pub(super) address: &'static str,
    namespaces: Option<Namespaces>,
}

#[derive(Debug)]
struct Namespaces {
    server: String,
    client: String,
    carrier: Option<Child>,
}

impl Link {
    /// Opens a link. Fails without root, and where the kernel has neither netem nor TUN.
    pub(super) fn open(rtt_ms: u64, places: &Places) -> Result<Self> {
        if rtt_ms == 0 {
            return Ok(Self {
                rtt_ms,
                address: "127.0.0.1",
                namespaces: None,
            });
        }
        let mut namespaces = Namespaces {
            server: format!("mailbearer-bench-server-{}", std::process::id()),
            client: format!("mailbearer-bench-client-{}", std::process::id()),
            carrier: None,
        };
        for name in [&namespaces.server, &namespaces.client] {
            ip(&["netns", "add", name])
                .map_err(|error| format!("needs root and network namespaces: {error}"))?;
        }
        namespaces.connect(rtt_ms, places)?;
        Ok(Self {
            rtt_ms,
            address: SERVER,
            namespaces: Some(namespaces),
        })
    }

    /// A command that runs where the server is.
    pub(super) fn at_server(&self, program: &std::ffi::OsStr) -> Command {
        self.command(program, |namespaces| &namespaces.server)
    }

    /// A command that runs where the client is.
    pub(super) fn at_client(&self, program: &std::ffi::OsStr) -> Command {
        self.command(program, |namespaces| &namespaces.client)
    }

    fn command(&self, program: &std::ffi::OsStr, place: impl Fn(&Namespaces) -> &str) -> Command {
        match &self.namespaces {
            None => Command::new(program),
            Some(namespaces) => {
                // It becomes the program, so that there is one process.
                let mut command = Command::new("ip");
                command
                    .args(["netns", "exec", place(namespaces)])
                    .arg(program);
                command
            }
        }
    }
}

impl Namespaces {
    fn connect(&mut self, rtt_ms: u64, places: &Places) -> Result {
        if self.with_netem(rtt_ms).is_err() {
            self.with_tun(rtt_ms, places)?;
        }
        for (namespace, device, own, other) in [
            (&self.server, SERVER_DEVICE, SERVER, CLIENT),
            (&self.client, CLIENT_DEVICE, CLIENT, SERVER),
        ] {
            let ip_there = |arguments: &[&str]| ip(&[&["-n", namespace], arguments].concat());
            ip_there(&["addr", "add", own, "peer", other, "dev", device])?;
            ip_there(&["link", "set", device, "up", "txqueuelen", "10000"])?;
            ip_there(&["link", "set", "lo", "up"])?;
        }
        Ok(())
    }

    fn with_netem(&self, rtt_ms: u64) -> Result {
        ip(&[
            "link",
            "add",
            SERVER_DEVICE,
            "netns",
            &self.server,
            "type",
            "veth",
            "peer",
            "name",
            CLIENT_DEVICE,
            "netns",
            &self.client,
        ])?;
        let half = format!("{}us", rtt_ms * 500);
        for (namespace, device) in [(&self.server, SERVER_DEVICE), (&self.client, CLIENT_DEVICE)] {
            let netem = quiet(
                Command::new("ip")
                    .args([
                        "netns", "exec", namespace, "tc", "qdisc", "add", "dev", device,
                    ])
                    .args(["root", "netem", "limit", "100000", "delay", &half]),
            );
            if netem.is_err() {
                ip(&["-n", namespace, "link", "del", device])?;
                return netem;
            }
        }
        Ok(())
    }

    fn with_tun(&mut self, rtt_ms: u64, places: &Places) -> Result {
        let half_us = (rtt_ms * 500).to_string();
        let mut carrier = Command::new(places.program("link"))
            .args([SERVER_DEVICE, CLIENT_DEVICE, &half_us])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut ready = String::new();
        if let Some(said) = carrier.stdout.take() {
            BufReader::new(said).read_line(&mut ready)?;
        }
        self.carrier = Some(carrier);
        if ready.trim() != "ready" {
            return Err("neither netem nor TUN devices in this kernel".into());
        }
        ip(&["link", "set", SERVER_DEVICE, "netns", &self.server])?;
        ip(&["link", "set", CLIENT_DEVICE, "netns", &self.client])
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        if let Some(mut carrier) = self.carrier.take() {
            drop(carrier.stdin.take());
            drop(carrier.wait());
        }
        for name in [&self.server, &self.client] {
            drop(ip(&["netns", "del", name]));
        }
    }
}

fn ip(arguments: &[&str]) -> Result {
    quiet(Command::new("ip").args(arguments))
}

fn quiet(command: &mut Command) -> Result {
    let output = command.output()?;
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().into()),
    }
}

/// Addresses that belong to nobody (RFC 5737).
const SERVER: &str = "192.0.2.1";
const CLIENT: &str = "192.0.2.2";
const SERVER_DEVICE: &str = "mbserver";
const CLIENT_DEVICE: &str = "mbclient";
