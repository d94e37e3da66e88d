//! Every test of every language, with one closing summary.
//! A suite whose needs cannot be met is counted as skipped, with what to install; never as passed.

mod counts;
pub(crate) mod needs;
mod packages;
mod scenarios;
mod suites;

use crate::Result;
use counts::Counts;
use std::time::{Duration, Instant};
use suites::Suite;
use xshell::Shell;

/// Installs what is needed, runs the named suites or all, and fails if a test failed.
pub(crate) fn run(shell: &Shell, names: &[String]) -> Result {
    let all = suites::all();
    let chosen = choose(&all, names)?;
    needs::install(chosen.iter().flat_map(|suite| suite.needs));
    scenarios::clear()?;
    let mut reports: Vec<_> = chosen.iter().map(|suite| run_suite(shell, suite)).collect();
    let languages: Vec<_> = scenarios::LANGUAGES
        .into_iter()
        .filter(|language| chosen.iter().any(|suite| suite.name == suite_of(language)))
        .collect();
    reports.extend(complain(&scenarios::table(&languages)));
    summarize(&reports)
}

/// The suite that runs a language's scenarios.
fn suite_of(language: &str) -> &str {
    match language {
        "cli" => "rust",
        other => other,
    }
}

/// Cases that do not hold count as failures, even where a runner forgot to fail.
fn complain(complaints: &[String]) -> Option<Report> {
    for complaint in complaints {
        println!("scenarios: {complaint}");
    }
    let failed = u32::try_from(complaints.len()).unwrap_or(u32::MAX);
    (failed > 0).then(|| Report {
        name: "scenarios",
        counts: Counts {
            failed,
            ..Counts::default()
        },
        time: Duration::ZERO,
        note: "see the table".to_owned(),
    })
}

/// What became of one suite.
struct Report {
    name: &'static str,
    counts: Counts,
    time: Duration,
    note: String,
}

fn choose<'a>(all: &'a [Suite], names: &[String]) -> Result<Vec<&'a Suite>> {
    if let Some(unknown) = names
        .iter()
        .find(|name| all.iter().all(|suite| suite.name != *name))
    {
        let known: Vec<_> = all.iter().map(|suite| suite.name).collect();
        return Err(format!("no suite named {unknown}; there are: {}", known.join(", ")).into());
    }
    let is_chosen = |suite: &&Suite| names.is_empty() || names.iter().any(|n| n == suite.name);
    Ok(all.iter().filter(is_chosen).collect())
}

fn run_suite(shell: &Shell, suite: &Suite) -> Report {
    println!("\n── {}", suite.name);
    let started = Instant::now();
    let (counts, note) = match needs::missing(suite.needs) {
        Some(missing) => (Counts::one_skipped(), missing),
        None => match (suite.run)(shell) {
            Ok(counts) if counts.is_empty() => (Counts::one_failed(), "ran no test".to_owned()),
            Ok(counts) => (counts, String::new()),
            Err(error) => (Counts::one_failed(), error.to_string()),
        },
    };
    Report {
        name: suite.name,
        counts,
        time: started.elapsed(),
        note,
    }
}

fn summarize(reports: &[Report]) -> Result {
    println!(
        "\n{:<18}{:>8}{:>8}{:>9}{:>8}",
        "suite", "passed", "failed", "skipped", "time"
    );
    let mut total = Counts::default();
    for report in reports {
        let Counts {
            passed,
            failed,
            skipped,
        } = report.counts;
        let seconds = report.time.as_secs();
        println!(
            "{:<18}{passed:>8}{failed:>8}{skipped:>9}{seconds:>7}s  {}",
            report.name, report.note
        );
        total += report.counts;
    }
    let Counts {
        passed,
        failed,
        skipped,
    } = total;
    println!("\n{passed} passed, {failed} failed, {skipped} skipped");
    match failed {
        0 => Ok(()),
        _ => Err("tests failed".into()),
    }
}
