//! Files that a message or an account names. Read whole and off the async threads, with errors that name the path.

use crate::error::{Error, Result};
use crate::model::ProblemKind;
use crate::secret::SecretText;
use std::io::{self, Read as _};

/// Reads the file of an attachment.
pub(crate) async fn read_attachment(path: &str) -> Result<Vec<u8>> {
    let owned = path.to_owned();
    let read = tokio::task::spawn_blocking(move || std::fs::read(owned)).await;
    match read {
        Ok(Ok(octets)) => Ok(octets),
        Ok(Err(error)) => Err(unreadable(path, error)),
        Err(stopped) => Err(unreadable(path, io::Error::other(stopped))),
    }
}

/// Reads a small file that holds a secret text, such as another issuer's token.
pub(crate) async fn read_text(path: &str, what: &str) -> Result<SecretText> {
    let owned = path.to_owned();
    let read = tokio::task::spawn_blocking(move || read_bounded(&owned)).await;
    let octets = read.map_err(io::Error::other).flatten();
    let octets =
        octets.map_err(|error| no_text(path, what, &error.to_string()).with_source(error))?;
    let text = String::from_utf8(octets).map_err(|_| no_text(path, what, "it is not text"))?;
    match text.trim() {
        "" => Err(no_text(path, what, "it is empty")),
        text => Ok(SecretText::new(text.to_owned())),
    }
}

fn read_bounded(path: &str) -> io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    let mut bounded = std::fs::File::open(path)?.take(MAX_TEXT_BYTES + 1);
    bounded.read_to_end(&mut octets)?;
    match octets.len() as u64 > MAX_TEXT_BYTES {
        true => Err(io::Error::other("it is longer than 64 KiB")),
        false => Ok(octets),
    }
}

const MAX_TEXT_BYTES: u64 = 64 * 1024;

fn no_text(path: &str, what: &str, reason: &str) -> Error {
    let text = format!("{what} cannot be read, {reason}: {path}");
    let fix = "check the path, and that this process's user may read the file";
    Error::new(ProblemKind::Config, "token-file-unreadable", text, fix)
}

fn unreadable(path: &str, error: io::Error) -> Error {
    let (text, fix) = match error.kind() {
        io::ErrorKind::NotFound => ("there is no such file", "check the attachment's path"),
        io::ErrorKind::PermissionDenied => (
            "this process may not read the file",
            "give this process's user read permission on the attachment",
        ),
        io::ErrorKind::IsADirectory => ("it is a directory", "attach a file, or an archive"),
        _ => ("reading failed", "check the disk and the attachment's path"),
    };
    let text = format!("attachment cannot be read, {text}: {path}");
    Error::new(ProblemKind::Rejected, "attachment-unreadable", text, fix).with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn reads_a_small_text_or_says_why_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str, content: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let good = read_text(&path("good", b" token\n"), "the token").await;
        assert_eq!(good.unwrap().expose(), "token");
        for (name, content, expected) in [
            ("empty", &b" \n"[..], "empty"),
            ("binary", &b"\xff\xfe"[..], "not text"),
            ("huge", &vec![b'x'; 65 * 1024][..], "longer"),
        ] {
            let error = read_text(&path(name, content), "the token")
                .await
                .unwrap_err();
            assert_eq!(error.code(), "token-file-unreadable");
            assert!(error.to_string().contains(expected), "{error}");
        }
        let error = read_text("/no/such/file", "the token").await.unwrap_err();
        assert!(error.to_string().contains("No such file"), "{error}");
    }

    #[tokio::test]
    async fn says_why_an_attachment_cannot_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing.pdf");
        let error = read_attachment(missing.to_str().unwrap())
            .await
            .unwrap_err();
        assert_eq!(error.code(), "attachment-unreadable");
        assert!(error.to_string().contains("no such file"), "{error}");
        let error = read_attachment(folder.path().to_str().unwrap())
            .await
            .unwrap_err();
        assert!(error.to_string().contains("directory"), "{error}");
    }
}
