//! `mailbearer demo`: the first thing anybody runs.

use crate::harness::{bare_command, finished, read_until, run_unsearched, spawn};

#[test]
fn shows_the_whole_trail_and_ends_well() {
    let run = run_unsearched(&mut bare_command(&["demo"]), "");
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{}", run.stdout);
    for word in [
        "by device code",
        "by client secret",
        "https://outlook.office.com",
        "SMTP.Send",
        "SMTP.SendAsApp",
        "TLSv1.3",
        "✔ accepted",
        "✘ refused",
        "nobody@contoso.example",
        "550 5.1.10",
        "next ",
        "All of it happened",
        "http://127.0.0.1:",
        "(in ",
    ] {
        assert!(run.stdout.contains(word), "{word}: {}", run.stdout);
    }
    assert!(
        !run.stdout.contains("eyJ"),
        "a token is shown: {}",
        run.stdout
    );
    let too_long = run.stdout.lines().find(|line| line.chars().count() > 80);
    assert_eq!(too_long, None);
}

#[test]
fn gives_programs_every_fact() {
    let run = run_unsearched(&mut bare_command(&["demo", "--json"]), "");
    assert_eq!(run.code, 0, "{run:?}");
    let demo = &run.document()["demo"];
    assert_eq!(demo["happened"], true);
    assert_eq!(demo["signIns"][0]["token"]["origin"], "deviceCode");
    assert_eq!(demo["signIns"][1]["token"]["origin"], "clientSecret");
    let first = &demo["deliveries"][0];
    let verdicts: Vec<_> = first["recipients"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["verdict"])
        .collect();
    assert_eq!(verdicts, ["accepted", "refused", "accepted"]);
    assert!(!first["recipients"][1]["fix"].as_str().unwrap().is_empty());
    assert_eq!(first["trail"]["tls"]["version"], "TLSv1.3");
    assert_eq!(first["trail"]["token"]["origin"], "deviceCode");
    assert_eq!(
        demo["deliveries"][1]["trail"]["token"]["origin"],
        "clientSecret"
    );
    let checks = demo["checks"].as_array().unwrap();
    assert!(checks.len() >= 9);
    assert!(
        checks.iter().all(|check| check["happened"] == true),
        "{checks:?}"
    );
    for address in ["identityUrl", "smtpServer", "inboxUrl"] {
        assert!(demo["sandbox"][address].is_string(), "{address}");
    }
}

#[cfg(unix)]
#[test]
fn keeps_the_inbox_open_until_interrupted() {
    let mut child = spawn(&mut bare_command(&["demo", "--keep"]));
    let mut reader = None;
    let shown = read_until(&mut child, &mut reader, "until Ctrl-C");
    let inbox = shown
        .lines()
        .last()
        .unwrap()
        .split_whitespace()
        .last()
        .unwrap();
    let address = inbox.strip_prefix("http://").unwrap().to_owned();
    assert!(std::net::TcpStream::connect(&address).is_ok());
    let kill = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
    let run = finished(child, shown);
    assert_eq!(run.code, 0);
    assert!(std::net::TcpStream::connect(&address).is_err());
}
