//! A folder as a road: each mail becomes an `.eml` file, whole or not at all. Nothing is sent.
//!
//! The envelope stands before the message as the fields `X-Sender` and `X-Receiver`, as Exchange's pickup folder has them.

use super::{Outcome, OutgoingMail, Transport, accepted_by, not_tried};
use crate::body::Form;
use crate::error::{Error, Result};
use crate::host::{Clock, Random, random_token};
use crate::model::{ProblemKind, SmtpReply, Step, Trail};
use async_trait::async_trait;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;

/// Writes mails into one folder.
#[derive(Debug)]
pub(crate) struct FolderTransport {
    pub(crate) folder: PathBuf,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
}

#[async_trait]
impl Transport for FolderTransport {
    /// A dropped call may still write the file: writing is done on another thread.
    async fn deliver(&self, mail: OutgoingMail) -> Outcome {
        let mut trail = Trail {
            server: self.folder.display().to_string(),
            size_bytes: mail.mime.size_bytes(Form::Base64),
            ..Trail::default()
        };
        let recipients = mail.recipients.clone();
        let started = self.clock.elapsed();
        let written = self.write(mail).await;
        trail
            .steps
            .push(step("write", self.clock.elapsed().saturating_sub(started)));
        match written {
            Ok(name) => accepted_by(trail, &recipients, reply(&name)),
            Err(error) => not_tried(trail, &recipients, error),
        }
    }
}

impl FolderTransport {
    async fn write(&self, mail: OutgoingMail) -> Result<String> {
        let id = random_token(&*self.random)?;
        let name = format!("{:013}-{id}.eml", self.clock.now_unix_ms());
        let (folder, file) = (self.folder.clone(), name.clone());
        let runtime = Handle::current();
        let writing = move || write_whole(&runtime, &folder, &file, &mail);
        let written = tokio::task::spawn_blocking(writing).await;
        written.map_err(|error| unwritable(&self.folder, io::Error::other(error)))??;
        Ok(name)
    }
}

/// Writes beside the file's name, makes it durable, and gives it its name unless something has that already.
fn write_whole(runtime: &Handle, folder: &Path, name: &str, mail: &OutgoingMail) -> Result<()> {
    let failed = |error| unwritable(folder, error);
    let partial = folder.join(format!(".{name}.part"));
    let file = std::fs::File::create_new(&partial).map_err(failed)?;
    let written = write_durably(runtime, file, mail, &failed).and_then(|()| {
        // A link, unlike a renaming, never replaces what is there.
        std::fs::hard_link(&partial, folder.join(name)).map_err(failed)
    });
    let removed = std::fs::remove_file(&partial);
    written?;
    removed.and_then(|()| sync_folder(folder)).map_err(failed)
}

fn write_durably(
    runtime: &Handle,
    mut file: std::fs::File,
    mail: &OutgoingMail,
    failed: &impl Fn(io::Error) -> Error,
) -> Result<()> {
    let receivers = mail.recipients.iter();
    let fields: String = receivers
        .flat_map(|recipient| ["X-Receiver: <", recipient, ">\r\n"])
        .collect();
    write!(file, "X-Sender: <{}>\r\n{fields}", mail.sender).map_err(failed)?;
    let mut reader = mail.mime.reader(Form::Base64);
    loop {
        let octets = runtime.block_on(reader.next(usize::MAX))?;
        if octets.is_empty() {
            return file.sync_all().map_err(failed);
        }
        file.write_all(&octets).map_err(failed)?;
    }
}

/// Makes the name durable as well; Windows does so by itself, and cannot open a folder.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) {
        std::fs::File::open(folder)?.sync_all()?;
    }
    Ok(())
}

fn reply(name: &str) -> SmtpReply {
    SmtpReply {
        code: 250,
        enhanced_status: None,
        text: format!("written as {name}"),
    }
}

pub(super) fn step(name: &str, duration: Duration) -> Step {
    Step {
        name: name.to_owned(),
        duration_us: u64::try_from(duration.as_micros()).unwrap_or(u64::MAX),
    }
}

fn unwritable(folder: &Path, error: io::Error) -> Error {
    let (kind, why, fix) = match error.kind() {
        io::ErrorKind::NotFound => (
            ProblemKind::Config,
            "there is no such folder",
            "make the folder, or correct route.path",
        ),
        io::ErrorKind::PermissionDenied => (
            ProblemKind::Config,
            "this process may not write there",
            "give this process's user write permission on the folder",
        ),
        _ => (
            ProblemKind::Storage,
            "writing failed",
            "look at the disk: space, quota, and whether it is mounted to be written",
        ),
    };
    let text = format!("the mail cannot be written, {why}: {}", folder.display());
    Error::new(kind, "folder-unwritable", text, fix).with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::{SystemClock, SystemRandom};
    use crate::model::Verdict;

    fn mail() -> OutgoingMail {
        OutgoingMail {
            sender: "ada@example.com".to_owned(),
            recipients: vec!["b@example.com".to_owned(), "c@example.com".to_owned()],
            mime: b"Subject: x\r\n\r\nhello\r\n".to_vec().into(),
            needs_smtputf8: false,
            eight_bit: false,
            transfer: crate::model::TransferOptions::default(),
        }
    }

    fn transport(folder: &Path) -> FolderTransport {
        FolderTransport {
            folder: folder.to_owned(),
            clock: Arc::new(SystemClock::default()),
            random: Arc::new(SystemRandom),
        }
    }

    #[tokio::test]
    async fn each_mail_is_one_whole_file_and_nothing_else_stays() {
        let folder = tempfile::tempdir().unwrap();
        let road = transport(folder.path());
        for _ in 0..2 {
            let outcome = road.deliver(mail()).await;
            outcome.end.unwrap();
            let is_accepted =
                |verdict: &crate::model::RecipientVerdict| verdict.verdict == Verdict::Accepted;
            assert!(outcome.recipients.iter().all(is_accepted));
        }
        let files: Vec<_> = std::fs::read_dir(folder.path())
            .unwrap()
            .flatten()
            .collect();
        assert_eq!(files.len(), 2);
        for file in files {
            assert!(file.path().extension().is_some_and(|end| end == "eml"));
            let text = std::fs::read_to_string(file.path()).unwrap();
            let expected = "X-Sender: <ada@example.com>\r\nX-Receiver: <b@example.com>\r\nX-Receiver: <c@example.com>\r\nSubject: x\r\n\r\nhello\r\n";
            assert_eq!(text, expected);
        }
    }

    #[tokio::test]
    async fn a_file_that_is_there_is_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        std::fs::write(path.join("a.eml"), "first").unwrap();
        let runtime = Handle::current();
        let writing = move || write_whole(&runtime, &path, "a.eml", &mail());
        let written = tokio::task::spawn_blocking(writing).await.unwrap();
        assert_eq!(written.unwrap_err().code(), "folder-unwritable");
        let files: Vec<_> = std::fs::read_dir(folder.path())
            .unwrap()
            .flatten()
            .collect();
        assert_eq!(files.len(), 1, "a partial file stayed: {files:?}");
        let text = std::fs::read_to_string(folder.path().join("a.eml")).unwrap();
        assert_eq!(text, "first");
    }

    #[tokio::test]
    async fn says_why_nothing_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let outcome = transport(&folder.path().join("missing"))
            .deliver(mail())
            .await;
        let error = outcome.end.unwrap_err();
        assert_eq!(
            (error.kind(), error.code()),
            (ProblemKind::Config, "folder-unwritable")
        );
        assert_eq!(outcome.recipients[0].verdict, Verdict::NotTried);
    }
}
