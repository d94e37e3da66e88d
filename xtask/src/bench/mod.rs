//! `cargo xtask bench`: Mailbearer beside other clients, against one server, over links of known delay, in one run.
//! The clients, the server and the link are programs of `xtask/bench`, which has a workspace of its own.

mod clients;
mod link;
mod measure;
mod table;

use crate::test::needs::{self, Need};
use crate::{Result, root};
use clients::{Client, Places};
use link::Link;
use measure::{Outcome, Run, measure};
use std::collections::BTreeMap;
use std::fs;
use xshell::{Shell, cmd};

/// What is measured.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The whole matrix, each figure the median of three runs: about an hour. Without it, the cells that tell most, in a few minutes.
    #[arg(long)]
    full: bool,
    /// Also Mailbearer from Python and Node, as published: building these takes minutes.
    #[arg(long)]
    bindings: bool,
    /// Take the programs as they were built before.
    #[arg(long, conflicts_with = "bindings")]
    no_build: bool,
    /// Only clients whose name begins so, such as `mailbearer`. Then nothing is written into docs/benchmarks.md.
    #[arg(long)]
    client: Vec<String>,
    /// Only links of this round trip, in milliseconds: 0, 20 or 100. Then nothing is written into docs/benchmarks.md.
    #[arg(long)]
    rtt_ms: Option<u64>,
}

/// One table: what is sent, over how many connections, and how far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cell {
    rtt_ms: u64,
    size_bytes: usize,
    recipients: usize,
    connections: usize,
}

/// Measures, prints the tables, and writes them into the documentation.
pub(crate) fn run(shell: &Shell, arguments: &Arguments) -> Result {
    needs::install(NEEDS.iter());
    let places = match arguments.no_build {
        true => Places::built(),
        false => Places::build(shell, arguments.bindings)?,
    };
    let is_chosen = |client: &&Client| {
        let mut chosen = arguments.client.iter();
        arguments.client.is_empty() || chosen.any(|start| client.name.starts_with(start.as_str()))
    };
    let (mut clients, mut missing) = (Vec::new(), Vec::new());
    for client in clients::ALL.iter().filter(is_chosen) {
        match (client.missing)(&places) {
            None => clients.push(client),
            Some(what) => missing.push(format!("{}: {what}", client.name)),
        }
    }
    let mut text = String::new();
    for rtt_ms in RTTS_MS {
        if arguments.rtt_ms.is_some_and(|only| only != rtt_ms) {
            continue;
        }
        let link = match Link::open(rtt_ms, &places) {
            Ok(link) => link,
            Err(error) => {
                missing.push(format!("the link of {rtt_ms} ms: {error}"));
                continue;
            }
        };
        for cell in cells(rtt_ms, arguments.full) {
            let outcomes = one_cell(&places, &link, cell, &clients, arguments.full)?;
            let table = table::of(&cell, &clients, &outcomes);
            println!("{table}");
            text += &table;
        }
    }
    for what in &missing {
        println!("not run: {what}");
    }
    let is_whole = arguments.client.is_empty() && arguments.rtt_ms.is_none();
    match is_whole {
        true => table::write(&text, &missing, arguments.full),
        false => Ok(()),
    }
}

/// Every client in turn, and again: what disturbs the machine disturbs all of them.
fn one_cell<'a>(
    places: &Places,
    link: &Link,
    cell: Cell,
    clients: &[&'a Client],
    full: bool,
) -> Result<BTreeMap<&'a str, Vec<Outcome>>> {
    fs::write(places.file("message.eml"), table::message(cell.size_bytes))?;
    let mut outcomes: BTreeMap<&str, Vec<Outcome>> = BTreeMap::new();
    for round in 0..rounds(cell, full) {
        for client in clients {
            let run = Run::new(places, link, cell, client, full);
            eprintln!("{cell:?} round {round}: {}", client.name);
            match measure(places, link, client, run) {
                Ok(outcome) => outcomes.entry(client.name).or_default().push(outcome),
                Err(error) => println!("{}: {error}", client.name),
            }
        }
    }
    Ok(outcomes)
}

fn rounds(cell: Cell, full: bool) -> usize {
    match (full, cell.rtt_ms) {
        // A link that takes its time gives the same figures each time.
        (false, 1..) => 1,
        _ => 3,
    }
}

fn cells(rtt_ms: u64, full: bool) -> Vec<Cell> {
    let cell = |size_bytes, recipients, connections| Cell {
        rtt_ms,
        size_bytes,
        recipients,
        connections,
    };
    if full {
        let sizes = [4 * KB, 100 * KB, 10 * MB].into_iter();
        let shapes = [(1, 1), (50, 1), (1, 3), (50, 3)];
        return sizes
            .flat_map(|size| {
                shapes.map(|(recipients, connections)| cell(size, recipients, connections))
            })
            .collect();
    }
    match rtt_ms {
        0 => vec![
            cell(4 * KB, 1, 1),
            cell(4 * KB, 50, 1),
            cell(100 * KB, 1, 1),
            cell(10 * MB, 1, 1),
            cell(4 * KB, 1, 3),
        ],
        20 => vec![cell(100 * KB, 1, 3)],
        _ => vec![cell(4 * KB, 1, 1), cell(4 * KB, 50, 1), cell(4 * KB, 1, 3)],
    }
}

/// Builds the programs of `xtask/bench` and the command line, in release.
fn build(shell: &Shell) -> Result {
    let programs = root().join("xtask/bench/Cargo.toml");
    let target = root().join("target/bench");
    let build = ["build", "--quiet", "--release", "--target-dir"];
    cargo(cmd!(
        shell,
        "cargo {build...} {target} --manifest-path {programs}"
    ))?;
    cargo(cmd!(
        shell,
        "cargo {build...} {target} --package mailbearer-cli"
    ))
}

fn cargo(mut build: xshell::Cmd<'_>) -> Result {
    // What cargo has told this program of itself would have some dependencies built anew.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CARGO_")) {
        build = build.env_remove(name);
    }
    Ok(build.run()?)
}

const RTTS_MS: [u64; 3] = [0, 20, 100];
const KB: usize = 1024;
const MB: usize = 1024 * KB;

/// What the clients of other makers need. What cannot be had is left out of the tables, and named below them.
const NEEDS: &[Need] = &[
    Need::Debian("curl"),
    Need::Debian("msmtp"),
    Need::Debian("postfix"), // smtp-source
    Need::Debian("iproute2"),
    Need::Debian("gcc"),
    Need::Python("xtask/bench/clients/requirements.txt"),
    Need::Npm("xtask/bench/clients"),
];
