//! Standard output and standard error: one answer per run for a person or a program, errors, and nothing else.
//! A reader that leaves early, such as `head`, neither stops the work nor counts as a failure.

use crate::page::Page;
use crate::problem;
use mailbearer::Error;
use serde::Serialize;
use serde_json::json;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Where a run's answer goes, and in which form.
#[derive(Debug)]
pub(crate) struct Output {
    as_json: bool,
    failed: AtomicBool,
}

impl Output {
    pub(crate) fn new(as_json: bool) -> Self {
        Self {
            as_json,
            failed: AtomicBool::new(false),
        }
    }

    /// Whether a program reads, rather than a person.
    pub(crate) fn is_json(&self) -> bool {
        self.as_json
    }

    /// Whether an answer could not be written, for another reason than that nobody reads any more.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// Writes an answer: the document for a program, the page for a person.
    pub(crate) fn answer(&self, document: &impl Serialize, page: impl FnOnce() -> Page) {
        if self.as_json {
            self.document(document);
        } else {
            self.page(&page());
        }
    }

    /// Writes a document for a program.
    pub(crate) fn document(&self, document: &impl Serialize) {
        self.write(&mut io::stdout(), &document_line(document));
    }

    /// Writes a value that another program takes as it is, such as an access token or a completion script.
    pub(crate) fn value(&self, value: &[u8]) {
        let mut stdout = io::stdout();
        self.note(stdout.write_all(value).and_then(|()| stdout.flush()));
    }

    /// Writes a part of the answer for a person; a program gets the whole document at the end.
    pub(crate) fn page(&self, page: &Page) {
        if !self.as_json {
            self.write(&mut anstream::stdout(), &page.to_string());
        }
    }

    /// Writes what went wrong: to standard error for a person, as `{"error": …}` to standard output for a program.
    pub(crate) fn error(&self, error: &Error) {
        let problem = error.problem();
        if self.as_json {
            self.document(&json!({ "error": problem }));
        } else {
            let page = problem::page(problem);
            self.write(&mut anstream::stderr(), &page.to_string());
        }
    }

    fn write(&self, stream: &mut impl Write, text: &str) {
        self.note(
            stream
                .write_all(text.as_bytes())
                .and_then(|()| stream.flush()),
        );
    }

    fn note(&self, written: io::Result<()>) {
        match written {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                self.failed.store(true, Ordering::Relaxed);
            }
            Ok(()) | Err(_) => {}
        }
    }
}

/// One line of JSON. Control characters beyond ASCII are escaped too, because a terminal may obey them.
fn document_line(document: &impl Serialize) -> String {
    // Every document is a tree of plain data with text keys, which always has a JSON form.
    let json = serde_json::to_string(document).unwrap_or_else(|error| {
        json!({ "error": { "kind": "internal", "code": "json", "text": error.to_string() } })
            .to_string()
    });
    let escaped = json.chars().map(|character| {
        if character.is_control() {
            format!("\\u{:04x}", u32::from(character))
        } else {
            character.to_string()
        }
    });
    let mut line: String = escaped.collect();
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_one_line_that_no_terminal_obeys() {
        let line = document_line(&json!({ "text": "a\u{9b}2J\u{7f}\u{1b}\nb" }));
        assert_eq!(line, "{\"text\":\"a\\u009b2J\\u007f\\u001b\\nb\"}\n");
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["text"], "a\u{9b}2J\u{7f}\u{1b}\nb");
    }

    #[test]
    fn a_reader_that_left_is_no_failure_and_a_full_disk_is() {
        fn check(kind: io::ErrorKind, expected: bool) {
            let output = Output::new(false);
            output.note(Err(kind.into()));
            assert_eq!(output.has_failed(), expected, "{kind}");
        }
        check(io::ErrorKind::BrokenPipe, false);
        check(io::ErrorKind::StorageFull, true);
    }
}
