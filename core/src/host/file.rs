//! Files that a message or an account names. Read off the async threads, with errors that name the path; large ones in
//! pieces, and never as anything but what they were when they were found.

use crate::error::{Error, Result};
use crate::model::ProblemKind;
use crate::secret::SecretText;
use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::sync::Arc;
use std::time::SystemTime;

/// A file that travels with a mail, as it was when it was found. Cheap to clone; holds nothing open.
#[derive(Clone, Debug)]
pub(crate) struct AttachedFile {
    path: Arc<str>,
    state: FileState,
}

/// What is compared to see that a file has not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileState {
    size_bytes: u64,
    modified: Option<SystemTime>,
}

impl AttachedFile {
    /// Finds a file; what is small, or has no size of its own, such as a pipe, is read at once. Errors: `Rejected`.
    pub(crate) async fn find(path: &str) -> Result<Result<Self, Vec<u8>>> {
        let shared: Arc<str> = path.into();
        off_thread(path, move || {
            let mut file = File::open(&*shared)?;
            let metadata = file.metadata()?;
            let state = FileState::of(&metadata);
            if metadata.is_file() && state.size_bytes > SMALL_FILE_BYTES {
                return Ok(Ok(Self {
                    path: shared,
                    state,
                }));
            }
            let mut octets = Vec::new();
            file.read_to_end(&mut octets)?;
            Ok(Err(octets))
        })
        .await
    }

    pub(crate) fn size_bytes(&self) -> u64 {
        self.state.size_bytes
    }

    /// Opens it to be read from the beginning. Errors: `Rejected`, also when it is not as it was.
    pub(crate) async fn open(&self) -> Result<OpenFile> {
        let path = self.path.clone();
        let opened = off_thread(&self.path, move || {
            let file = File::open(&*path)?;
            let state = FileState::of(&file.metadata()?);
            Ok((file, state))
        });
        let (file, state) = opened.await?;
        if state != self.state {
            return Err(changed(&self.path));
        }
        Ok(OpenFile {
            known: self.clone(),
            file: Some(file),
            left_bytes: state.size_bytes,
        })
    }
}

impl FileState {
    fn of(metadata: &Metadata) -> Self {
        Self {
            size_bytes: metadata.len(),
            modified: metadata.modified().ok(),
        }
    }
}

/// An attached file being read.
#[derive(Debug)]
pub(crate) struct OpenFile {
    known: AttachedFile,
    /// Away while a thread reads it; gone after an error.
    file: Option<File>,
    left_bytes: u64,
}

impl OpenFile {
    /// So many octets, or what is left: none at the end. The last ones are given only if the file is still as it was
    /// found. Errors: `Rejected`.
    pub(crate) async fn next(&mut self, size_bytes: usize) -> Result<Vec<u8>> {
        let size_bytes =
            usize::try_from(self.left_bytes).map_or(size_bytes, |left| left.min(size_bytes));
        if size_bytes == 0 {
            return Ok(Vec::new());
        }
        let path = self.known.path.clone();
        let Some(mut file) = self.file.take() else {
            return Err(changed(&path));
        };
        let read = off_thread(&path, move || {
            let mut octets = vec![0; size_bytes];
            let read = file.read_exact(&mut octets);
            let state = FileState::of(&file.metadata()?);
            match read {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
                Err(error) => Err(error),
                Ok(()) => Ok(Some((file, octets, state))),
            }
        });
        match read.await? {
            Some((file, octets, state)) if state == self.known.state => {
                self.file = Some(file);
                self.left_bytes -= size_bytes as u64;
                Ok(octets)
            }
            _ => Err(changed(&path)),
        }
    }
}

/// Does what may wait for a disk where it holds up nothing else.
async fn off_thread<T: Send + 'static>(
    path: &str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    let done = done.map_err(io::Error::other).flatten();
    done.map_err(|error| unreadable(path, error))
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
    let mut bounded = File::open(path)?.take(MAX_TEXT_BYTES + 1);
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

/// Files up to this size are read at once: they are not worth being opened twice.
const SMALL_FILE_BYTES: u64 = 64 * 1024;

fn changed(path: &str) -> Error {
    let text = format!(
        "attachment was changed while it was being sent, and nothing was delivered: {path}"
    );
    let fix = "send the mail again when nobody writes to the file, or attach a copy of it";
    Error::new(ProblemKind::Rejected, "attachment-changed", text, fix)
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
        let found = AttachedFile::find(missing.to_str().unwrap()).await;
        let error = found.unwrap_err();
        assert_eq!(error.code(), "attachment-unreadable");
        assert!(error.to_string().contains("no such file"), "{error}");
        let found = AttachedFile::find(folder.path().to_str().unwrap()).await;
        let error = found.unwrap_err();
        assert!(error.to_string().contains("directory"), "{error}");
    }

    #[tokio::test]
    async fn a_large_file_is_read_in_pieces_and_a_small_one_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        let path = path.to_str().unwrap();
        std::fs::write(path, [7; 64 * 1024]).unwrap();
        let found = AttachedFile::find(path).await.unwrap();
        assert_eq!(found.unwrap_err(), [7; 64 * 1024]);

        let octets: Vec<u8> = (0..100_000_u32).map(|number| number as u8).collect();
        std::fs::write(path, &octets).unwrap();
        let file = AttachedFile::find(path).await.unwrap().unwrap();
        assert_eq!(file.size_bytes(), 100_000);
        let (mut open, mut read) = (file.open().await.unwrap(), Vec::new());
        loop {
            match open.next(30_000).await.unwrap() {
                piece if piece.is_empty() => break,
                piece => {
                    assert!(piece.len() <= 30_000);
                    read.extend(piece);
                }
            }
        }
        assert!(read == octets);
    }

    #[tokio::test]
    async fn a_file_that_is_not_as_it_was_is_never_read_to_its_end() {
        async fn check(change: impl Fn(&str), when_open: bool) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a.bin");
            let path = path.to_str().unwrap();
            std::fs::write(path, [7; 100_000]).unwrap();
            let old = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(60);
            File::options()
                .append(true)
                .open(path)
                .unwrap()
                .set_modified(old)
                .unwrap();
            let file = AttachedFile::find(path).await.unwrap().unwrap();
            let error = if when_open {
                let mut open = file.open().await.unwrap();
                open.next(60_000).await.unwrap();
                change(path);
                open.next(60_000).await.unwrap_err()
            } else {
                change(path);
                file.open().await.unwrap_err()
            };
            assert!(["attachment-changed", "attachment-unreadable"].contains(&error.code()));
            assert!(!error.problem().fix.is_empty());
        }
        for when_open in [false, true] {
            check(|path| std::fs::write(path, [7; 99_999]).unwrap(), when_open).await;
            check(
                |path| std::fs::write(path, [7; 100_001]).unwrap(),
                when_open,
            )
            .await;
            check(
                |path| std::fs::write(path, [8; 100_000]).unwrap(),
                when_open,
            )
            .await;
            check(|path| std::fs::write(path, []).unwrap(), when_open).await;
        }
        check(|path| std::fs::remove_file(path).unwrap(), false).await;
    }
}
