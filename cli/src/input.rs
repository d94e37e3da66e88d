//! Files and standard input that the command line names; `-` is standard input.

use mailbearer::model::ProblemKind;
use mailbearer::{Error, Result};
use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read, stdin};
use std::path::Path;

/// Reads a file, or standard input for `-`. Errors: `Misuse`, naming what it was wanted for.
pub(crate) fn bytes(path: &Path, what: &str) -> Result<Vec<u8>> {
    let octets = if is_stdin(path) {
        whole_stdin()
    } else {
        std::fs::read(path)
    };
    octets.map_err(|error| unreadable(path, what, &error))
}

/// Reads a file of UTF-8 text, or standard input for `-`.
pub(crate) fn text(path: &Path, what: &str) -> Result<String> {
    String::from_utf8(bytes(path, what)?).map_err(|_| {
        let text = format!("{what} is not UTF-8 text: {}", path.display());
        Error::new(
            ProblemKind::Misuse,
            "file-not-text",
            text,
            "convert the file to UTF-8",
        )
    })
}

/// The lines of a file, or of standard input for `-`, as they come.
pub(crate) fn lines(path: &Path, what: &str) -> Result<Box<dyn BufRead>> {
    if is_stdin(path) {
        return Ok(Box::new(stdin().lock()));
    }
    let file = File::open(path).map_err(|error| unreadable(path, what, &error))?;
    Ok(Box::new(BufReader::new(file)))
}

/// Standard input as text, when something else than a terminal stands behind it.
pub(crate) fn piped_text(what: &str) -> Result<Option<String>> {
    if stdin().is_terminal() {
        return Ok(None);
    }
    text(Path::new(STDIN), what).map(Some)
}

/// Whether a path means standard input.
pub(crate) fn is_stdin(path: &Path) -> bool {
    path == Path::new(STDIN)
}

const STDIN: &str = "-";

fn whole_stdin() -> io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    stdin().lock().read_to_end(&mut octets)?;
    Ok(octets)
}

pub(crate) fn unreadable(path: &Path, what: &str, error: &io::Error) -> Error {
    let why = match error.kind() {
        io::ErrorKind::NotFound => "there is no such file",
        io::ErrorKind::PermissionDenied => "this user may not read it",
        io::ErrorKind::IsADirectory => "it is a folder",
        _ => "reading failed",
    };
    let text = format!("{what} cannot be read, {why}: {}", path.display());
    Error::new(
        ProblemKind::Misuse,
        "file-unreadable",
        text,
        "check the path and its permissions",
    )
}
