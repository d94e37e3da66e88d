//! The binary: starts, says where everything is, and ends when told to.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

fn start(arguments: &[&str]) -> Child {
    let ports = [
        "--identity-port=0",
        "--identity-tls-port=0",
        "--smtp-port=0",
        "--inbox-port=0",
    ];
    Command::new(env!("CARGO_BIN_EXE_mailbearer-sandbox"))
        .args(ports)
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// The value of a line of the summary.
async fn read_value(child: &mut Child, name: &str) -> String {
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        if let Some(value) = line.strip_prefix(name) {
            return value.trim().to_owned();
        }
    }
    panic!("no {name} in the summary");
}

#[tokio::test]
async fn it_prints_where_to_connect() {
    let mut child = start(&[]);
    let smtp = read_value(&mut child, "smtp (STARTTLS)").await;
    tokio::net::TcpStream::connect(smtp).await.unwrap();
}

#[tokio::test]
async fn it_writes_the_ca_file_into_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = start(&["--folder", folder.path().to_str().unwrap()]);
    let ca_file = read_value(&mut child, "ca file").await;
    assert_eq!(std::path::Path::new(&ca_file), folder.path().join("ca.pem"));
    assert!(
        std::fs::read_to_string(ca_file)
            .unwrap()
            .starts_with("-----BEGIN CERTIFICATE-----")
    );
}
