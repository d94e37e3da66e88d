//! The Maildir as a test sees it: which mails have come, and the bytes the sender sent.

use std::fs;
use std::path::Path;
use std::time::Duration;

/// Waits until at least `count` mails lie in `maildir` and returns all of them, oldest first.
pub(crate) async fn wait_for(maildir: &Path, count: usize) -> Vec<Vec<u8>> {
    let arrival = async {
        loop {
            let mails = read(maildir);
            if mails.len() >= count {
                return mails;
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    };
    match tokio::time::timeout(DELIVERY_DEADLINE, arrival).await {
        Ok(mails) => mails,
        Err(_) => panic!("waited for {count} mails, found {}", read(maildir).len()),
    }
}

/// The mail as the sender sent it: without the trace headers that Postfix put before it, and with CRLF line ends, which
/// a Maildir keeps as LF. A mail that was sent without a last line end has got one.
///
/// # Panics
/// If the mail does not begin with exactly those headers.
pub(crate) fn as_sent(delivered: &[u8]) -> Vec<u8> {
    let mut rest = delivered;
    for name in TRACE_HEADERS {
        rest = without_header(rest, name);
    }
    let lines: Vec<&[u8]> = rest.split(|byte| *byte == b'\n').collect();
    lines.join(b"\r\n".as_slice())
}

/// `mail` after its first header, which is called `name`, with the lines that continue it.
fn without_header<'a>(mail: &'a [u8], name: &str) -> &'a [u8] {
    let start = String::from_utf8_lossy(mail.split(|byte| *byte == b'\n').next().unwrap());
    assert!(
        start.starts_with(name),
        "the mail begins with {start:?}, not with {name}"
    );
    let end = mail
        .windows(2)
        .position(|pair| matches!(pair, [b'\n', next] if !matches!(next, b' ' | b'\t')))
        .expect("a mail has a body");
    mail.get(end + 1..).unwrap()
}

fn read(maildir: &Path) -> Vec<Vec<u8>> {
    let Ok(folder) = fs::read_dir(maildir.join("new")) else {
        return Vec::new(); // Postfix makes it with the first mail
    };
    let mut files: Vec<_> = folder.map(|file| file.unwrap().path()).collect();
    files.sort_by_key(|file| fs::metadata(file).unwrap().modified().unwrap());
    files
        .into_iter()
        .map(|file| fs::read(file).unwrap())
        .collect()
}

/// What Postfix's virtual delivery writes before a mail it took by SMTP, in this order.
const TRACE_HEADERS: [&str; 4] = [
    "Return-Path: ",
    "X-Original-To: ",
    "Delivered-To: ",
    "Received: ",
];

const DELIVERY_DEADLINE: Duration = Duration::from_secs(20);
const POLL_INTERVAL: Duration = Duration::from_millis(10);
