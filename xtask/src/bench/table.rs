//! The tables: medians, ratios, and where they go.

use super::clients::Client;
use super::measure::Outcome;
use super::{Cell, KB, MB};
use crate::{Result, root};
use std::collections::BTreeMap;
use std::fs;

/// One cell as a table.
pub(super) fn of(
    cell: &Cell,
    clients: &[&Client],
    outcomes: &BTreeMap<&str, Vec<Outcome>>,
) -> String {
    let medians: Vec<_> = clients
        .iter()
        .filter_map(|client| Some((*client, medians(outcomes.get(client.name)?))))
        .collect();
    let peers = medians
        .iter()
        .filter(|(client, _)| !client.is_ours && !client.is_plain);
    let best = peers
        .filter_map(|(_, row)| row.per_second)
        .fold(0.0, f64::max);
    let rows: String = medians
        .iter()
        .map(|(client, row)| row.shown(cell, client.name, best))
        .collect();
    format!("### {}\n\n{HEAD}{rows}\n", title(cell))
}

/// Puts the tables between the marks in docs/benchmarks.md.
pub(super) fn write(tables: &str, missing: &[String], full: bool) -> Result {
    let path = root().join("docs/benchmarks.md");
    let text = fs::read_to_string(&path)?;
    let (before, rest) = text
        .split_once(BEGIN)
        .ok_or("docs/benchmarks.md has lost its first mark")?;
    let (_, after) = rest
        .split_once(END)
        .ok_or("docs/benchmarks.md has lost its second mark")?;
    let command = if full {
        "cargo xtask bench --full"
    } else {
        "cargo xtask bench"
    };
    let mut section = format!(
        "Written by one run of `{command}`, on a machine with {}.\n\n{tables}",
        business()
    );
    section.extend(missing.iter().map(|what| format!("Not run: {what}.\n")));
    fs::write(
        &path,
        format!("{before}{BEGIN}\n{}\n{END}{after}", section.trim_end()),
    )?;
    Ok(())
}

/// A message of about this size: what every client is given.
pub(super) fn message(size_bytes: usize) -> Vec<u8> {
    let head = "From: sender@bench.example\r\nTo: readers@bench.example\r\nSubject: A mail to be measured\r\n\
        Message-ID: <1@bench.example>\r\nDate: Wed, 25 Nov 2026 12:00:00 +0000\r\nMIME-Version: 1.0\r\n\
        Content-Type: text/plain; charset=us-ascii\r\n\r\n";
    let line = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789abcd\r\n";
    let count = size_bytes.saturating_sub(head.len()).div_ceil(line.len());
    [head, &line.repeat(count)].concat().into_bytes()
}

struct Row {
    mails: f64,
    per_second: Option<f64>,
    round_trips: Option<f64>,
    first_ms: f64,
    first_after_accept_ms: f64,
    cpu_per_1000: Option<f64>,
    peak_mb: f64,
}

impl Row {
    fn shown(&self, cell: &Cell, name: &str, best_peer: f64) -> String {
        let ratio = self.per_second.filter(|_| best_peer > 0.0);
        let columns = [
            name.to_owned(),
            shown(self.per_second, 1),
            shown(ratio.map(|rate| rate / best_peer), 2),
            shown(self.round_trips, 2),
            shown(Some(self.first_ms), 0),
            shown(
                (cell.rtt_ms > 0).then(|| self.first_after_accept_ms / cell.rtt_ms as f64),
                1,
            ),
            shown(self.cpu_per_1000, 3),
            shown(Some(self.peak_mb), 1),
            shown(Some(self.mails), 0),
        ];
        format!("| {} |\n", columns.join(" | "))
    }
}

fn medians(outcomes: &[Outcome]) -> Row {
    let of = |value: fn(&Outcome) -> f64| median(outcomes.iter().map(value).collect());
    let of_some = |value: fn(&Outcome) -> Option<f64>| {
        let values: Vec<_> = outcomes.iter().filter_map(value).collect();
        (!values.is_empty()).then(|| median(values))
    };
    Row {
        mails: of(|outcome| outcome.mails as f64),
        per_second: of_some(|outcome| outcome.per_second),
        round_trips: of_some(|outcome| outcome.round_trips),
        first_ms: of(|outcome| outcome.first_ms),
        first_after_accept_ms: of(|outcome| outcome.first_after_accept_ms),
        cpu_per_1000: of_some(|outcome| {
            let is_known = outcome.cpu_s >= LEAST_CPU_S;
            is_known.then(|| outcome.cpu_s / outcome.mails as f64 * 1000.0)
        }),
        peak_mb: of(|outcome| outcome.peak_mb),
    }
}

/// How many programs wanted the processors while the clients ran, as far as the kernel says.
fn business() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').nth(1).unwrap_or("an unknown number of");
    format!(
        "{cores} cores that {load} programs wanted at a time (load average of five minutes, the benchmark's own included)"
    )
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn shown(value: Option<f64>, digits: usize) -> String {
    match value {
        Some(value) => format!("{value:.digits$}"),
        None => "–".to_owned(),
    }
}

fn title(cell: &Cell) -> String {
    let size = match cell.size_bytes {
        size if size >= MB => format!("{} MB", size / MB),
        size => format!("{} KB", size / KB),
    };
    let count = |count: usize, noun: &str| match count {
        1 => format!("1 {noun}"),
        count => format!("{count} {noun}s"),
    };
    let link = match cell.rtt_ms {
        0 => "loopback".to_owned(),
        rtt_ms => format!("{rtt_ms} ms"),
    };
    let (recipients, connections) = (
        count(cell.recipients, "recipient"),
        count(cell.connections, "connection"),
    );
    format!("{link}, {size}, {recipients}, {connections}")
}

const HEAD: &str = "| client | mails/s | × best peer | round trips a mail | first mail, ms from start \
    | round trips from accept to first mail | CPU s/1,000 mails | peak MB | mails |\n\
    | --- | --: | --: | --: | --: | --: | --: | --: | --: |\n";
/// Less CPU time than this says nothing: the kernel counts in hundredths of a second.
const LEAST_CPU_S: f64 = 0.05;
const BEGIN: &str = "<!-- bench:begin -->";
const END: &str = "<!-- bench:end -->";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_of_a_run_that_was() {
        fn check(values: &[f64], expected: f64) {
            assert_eq!(median(values.to_vec()), expected, "{values:?}");
        }
        check(&[1.0], 1.0);
        check(&[3.0, 1.0, 2.0], 2.0);
        check(&[5.0, 1.0], 5.0);
    }

    #[test]
    fn a_message_has_its_size_and_whole_lines() {
        for size in [4 * KB, 100 * KB, 10 * MB] {
            let message = message(size);
            assert!(
                (size..size + 100).contains(&message.len()),
                "{}",
                message.len()
            );
            assert!(message.ends_with(b"\r\n"));
        }
    }
}
