//! The binary: starts, says where everything is, and ends when told to.

use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// Started with a folder of the test's own: a killed process cannot remove a temporary one.
fn start(folder: &Path) -> Child {
    let ports = [
        "--identity-port=0",
        "--identity-tls-port=0",
        "--smtp-port=0",
        "--inbox-port=0",
    ];
    Command::new(env!("CARGO_BIN_EXE_mailbearer-sandbox"))
        .args(ports)
        .arg("--folder")
        .arg(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

#[tokio::test]
async fn it_prints_where_to_connect_and_where_the_ca_file_is() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = start(folder.path());
    let summary = read_until(&mut child, "shared mailbox").await;
    let value = |name: &str| {
        summary
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap()
            .trim()
            .to_owned()
    };
    tokio::net::TcpStream::connect(value("smtp (STARTTLS)"))
        .await
        .unwrap();
    let ca_file = value("ca file");
    assert_eq!(Path::new(&ca_file), folder.path().join("ca.pem"));
    assert!(
        std::fs::read_to_string(ca_file)
            .unwrap()
            .starts_with("-----BEGIN CERTIFICATE-----")
    );
}

async fn read_until(child: &mut Child, last: &str) -> String {
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut summary = String::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        summary += &line;
        summary.push('\n');
        if line.starts_with(last) {
            break;
        }
    }
    summary
}
