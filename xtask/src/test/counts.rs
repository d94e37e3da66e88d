//! How many tests passed, failed and were skipped, read from what each runner prints.

use super::scenarios;
use crate::Result;
use std::io::{BufRead, BufReader, Read, Write};
use std::ops::AddAssign;
use std::process::{Command, Stdio};

/// Numbers of tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) passed: u32,
    pub(super) failed: u32,
    pub(super) skipped: u32,
}

impl Counts {
    pub(super) fn one_skipped() -> Self {
        Self {
            skipped: 1,
            ..Self::default()
        }
    }

    pub(super) fn one_failed() -> Self {
        Self {
            failed: 1,
            ..Self::default()
        }
    }

    pub(super) fn is_empty(self) -> bool {
        self == Self::default()
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// Runs a test runner, shows what it prints as it comes, and counts by its closing lines.
/// A runner that fails without a failed test (it could not build, or crashed) counts as one failure.
pub(super) fn run_counted(command: &mut Command) -> Result<Counts> {
    let mut child = command
        .env(scenarios::REPORTS, scenarios::folder())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut counts = Counts::default();
    if let Some(output) = child.stdout.take() {
        counts = count_lines(output)?;
    }
    let status = child.wait()?;
    if !status.success() && counts.failed == 0 {
        counts.failed += 1;
    }
    Ok(counts)
}

/// Runs a program that passes or fails as a whole.
pub(super) fn run_checked(command: &mut Command) -> Result<Counts> {
    let passes = command.stdin(Stdio::null()).status()?.success();
    Ok(Counts {
        passed: u32::from(passes),
        failed: u32::from(!passes),
        skipped: 0,
    })
}

fn count_lines(output: impl Read) -> Result<Counts> {
    let mut counts = Counts::default();
    let mut terminal = std::io::stdout().lock();
    for line in BufReader::new(output).split(b'\n') {
        let line = line?;
        terminal.write_all(&line)?;
        terminal.write_all(b"\n")?;
        counts += read_line(&String::from_utf8_lossy(&line));
    }
    Ok(counts)
}

/// Reads one closing line of cargo's, pytest's or node's runner, or Swift's line of one test; any other line counts
/// nothing.
fn read_line(line: &str) -> Counts {
    let line = line.trim().trim_matches('=').trim();
    if let Some(test) = swift_test(line) {
        return test;
    }
    if let Some(rest) = line.strip_prefix("test result:") {
        return by_words(rest, &["passed"], &["failed"], &["ignored"]);
    }
    if let Some((word, number)) = line
        .strip_prefix("# ")
        .or_else(|| line.strip_prefix("\u{2139} "))
        .and_then(|rest| rest.split_once(' '))
    {
        return by_words(
            &format!("{number} {word}"),
            &["pass"],
            &["fail"],
            &["skipped", "todo"],
        );
    }
    // Beyond a minute pytest repeats the time, as in "66.02s (0:01:06)".
    let ends_with_time = line.ends_with('s') || line.contains("s (") && line.ends_with(')');
    let is_closing = ends_with_time && line.contains(" in ") || line.starts_with("counted:");
    if is_closing && line.starts_with(|c: char| c.is_ascii_digit() || c == 'c') {
        let line = line.trim_start_matches("counted:");
        return by_words(
            line,
            &["passed", "xfailed"],
            &["failed", "error", "errors"],
            &["skipped"],
        );
    }
    Counts::default()
}

/// One test of Swift's two runners. Their closing lines will not do: one repeats its sums for every suite, the other
/// does not say how many tests failed.
fn swift_test(line: &str) -> Option<Counts> {
    let is_test = |rest: &&str| !rest.starts_with("run with ") && !rest.starts_with("case ");
    let of_testing = line
        .split_once(" Test ")
        .filter(|(symbol, _)| symbol.chars().count() == 1)
        .map(|(_, rest)| rest)
        .filter(is_test);
    let of_xctest = line
        .strip_prefix("Test Case ")
        .filter(|rest| rest.ends_with(')'));
    let rest = of_testing.or(of_xctest)?;
    let ended = |word: &str| u32::from(rest.contains(word));
    Some(Counts {
        passed: ended(" passed "),
        failed: ended(" failed "),
        skipped: ended(" skipped"),
    })
}

/// Adds up the numbers that stand before the words.
fn by_words(text: &str, passed: &[&str], failed: &[&str], skipped: &[&str]) -> Counts {
    let mut counts = Counts::default();
    let words: Vec<_> = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    for pair in words.windows(2) {
        let [number, word] = pair else { continue };
        let Ok(number) = number.parse::<u32>() else {
            continue;
        };
        match *word {
            word if passed.contains(&word) => counts.passed += number,
            word if failed.contains(&word) => counts.failed += number,
            word if skipped.contains(&word) => counts.skipped += number,
            _ => {}
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_closing_lines_of_each_runner() {
        fn check(line: &str, passed: u32, failed: u32, skipped: u32) {
            let expected = Counts {
                passed,
                failed,
                skipped,
            };
            assert_eq!(read_line(line), expected, "{line}");
        }
        check(
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.02s",
            12,
            0,
            1,
        );
        check(
            "test result: FAILED. 1 passed; 2 failed; 0 ignored",
            1,
            2,
            0,
        );
        check("# pass 7", 7, 0, 0);
        check("\u{2139} fail 2", 0, 2, 0);
        check("\u{2139} skipped 1", 0, 0, 1);
        check("\u{2139} tests 9", 0, 0, 0);
        check("===== 23 passed, 1 skipped in 4.51s =====", 23, 0, 1);
        check("1 failed, 22 passed in 4.51s", 22, 1, 0);
        check("1 failed, 22 passed in 66.02s (0:01:06)", 22, 1, 0);
        check("counted: 5 passed, 1 failed, 2 skipped", 5, 1, 2);
        check("\u{2714} Test sends() passed after 0.012 seconds.", 1, 0, 0);
        check(
            "\u{2718} Test sends() failed after 0.012 seconds with 1 issue.",
            0,
            1,
            0,
        );
        check("\u{279c} Test sends() skipped.", 0, 0, 1);
        check("\u{25c7} Test sends() started.", 0, 0, 0);
        check(
            "\u{2714} Test run with 9 tests passed after 0.1 seconds.",
            0,
            0,
            0,
        );
        check("Test Case 'Tests.testA' passed (0.02 seconds)", 1, 0, 0);
        check("Test Case 'Tests.testA' failed (0.02 seconds)", 0, 1, 0);
        check("Test Case 'Tests.testA' started at 2026-11-25", 0, 0, 0);
        check("Executed 8 tests, with 0 failures (0 unexpected)", 0, 0, 0);
        check("3 passed the door in silence", 0, 0, 0);
        check("hello", 0, 0, 0);
    }
}
