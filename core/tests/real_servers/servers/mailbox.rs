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

/// The mail as the sender sent it: without the trace headers that the servers put before it, and with CRLF line ends,
/// which a Maildir keeps as LF. A mail that was sent without a last line end has got one.
///
/// # Panics
/// If the mail does not begin with those headers.
pub(crate) fn as_sent(delivered: &[u8]) -> Vec<u8> {
    let mut rest = delivered;
    for name in DELIVERY_HEADERS {
        let (header, after) = split_header(rest);
        assert!(
            header.starts_with(name),
            "the mail begins with {header:?}, not with {name}"
        );
        rest = after;
    }
    let mut hops = 0;
    while let (header, after) = split_header(rest)
        && header.starts_with("Received: ")
        && header.contains(SERVER_NAME)
    {
        hops += 1;
        rest = after;
    }
    assert!(hops > 0, "no server has left a trace in the mail");
    rest.split(|byte| *byte == b'\n')
        .collect::<Vec<_>>()
        .join(b"\r\n".as_slice())
}

/// The first header, with the lines that continue it, and what comes after.
fn split_header(mail: &[u8]) -> (String, &[u8]) {
    let end = mail
        .windows(2)
        .position(|pair| matches!(pair, [b'\n', next] if !matches!(next, b' ' | b'\t')))
        .map_or(mail.len(), |line_end| line_end + 1);
    let (header, rest) = mail.split_at(end);
    (String::from_utf8_lossy(header).into_owned(), rest)
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

/// What Postfix's virtual delivery writes before every mail, in this order.
const DELIVERY_HEADERS: [&str; 3] = ["Return-Path: ", "X-Original-To: ", "Delivered-To: "];

/// How the servers call themselves in the `Received` headers that follow: one, or two if the mail came by Dovecot.
const SERVER_NAME: &str = "by mail.example.test ";

const DELIVERY_DEADLINE: Duration = Duration::from_secs(20);
const POLL_INTERVAL: Duration = Duration::from_millis(10);
