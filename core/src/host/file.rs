//! Files that a message names. Read whole and off the async threads, with errors that name the path.

use crate::error::{Error, Result};
use crate::model::ProblemKind;
use std::io;

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
