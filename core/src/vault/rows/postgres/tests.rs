//! The PostgreSQL vault against a real server: contract, locks between sessions, lost connections, wrong settings.

use super::*;
use crate::error::Error;
use crate::secret::SecretBytes;
use crate::vault::contract::{CHEAP, keeps_the_contract, keeps_the_contract_of_rows, text};

#[path = "../../../../tests/support/postgres.rs"]
mod server;
use server::Postgres;

fn server_of(url: &str) -> Result<Server> {
    Server::new(&url.to_owned().into(), None, None)
}

async fn open(url: &str, passphrase: &str) -> Result<RowVault> {
    open_at_cost(server_of(url)?, &text(passphrase), &Host::default(), CHEAP).await
}

async fn refusal(url: &str) -> Error {
    let error = open(url, "correct horse").await.unwrap_err();
    assert!(!error.problem().fix.is_empty());
    let shown = format!("{error} {error:?}");
    assert!(
        !shown.contains("hunter2") && !shown.contains(server::PASSWORD),
        "{shown}"
    );
    error
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo xtask test vaults"]
async fn a_postgresql_vault_keeps_the_contract() {
    let postgres = Postgres::start(&[]);
    keeps_the_contract(Arc::new(
        open(&postgres.url(), "correct horse").await.unwrap(),
    ))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo xtask test vaults"]
async fn rows_are_guarded_against_whoever_writes_to_the_table() {
    let postgres = Postgres::start(&[]);
    let url = postgres.url();
    let open_again = async |passphrase: &str| {
        let vault: Arc<dyn Vault> = Arc::new(open(&url, passphrase).await?);
        Ok(vault)
    };
    let execute = async |statements: &str| postgres.execute(statements);
    keeps_the_contract_of_rows(open_again, execute).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo xtask test vaults"]
async fn several_may_make_the_tables_at_once_and_over_a_socket() {
    let postgres = Postgres::start(&[]);
    let socket = format!(
        "host={} port={} user=owner password={} dbname=postgres",
        postgres.folder().display(),
        postgres.port(),
        server::PASSWORD
    );
    let urls = [postgres.url(), socket];
    let opening: Vec<_> = (0..12)
        .map(|number| {
            let url = urls[number % 2].clone();
            tokio::spawn(async move { open(&url, "correct horse").await.unwrap() })
        })
        .collect();
    let mut vaults = Vec::new();
    for vault in opening {
        vaults.push(vault.await.unwrap());
    }
    let value = SecretBytes::new(b"rt".to_vec());
    vaults[0].write("tokens/a", &value).await.unwrap();
    for vault in &vaults {
        assert_eq!(
            vault.read("tokens/a").await.unwrap().unwrap().expose(),
            b"rt"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo xtask test vaults"]
async fn one_of_all_sessions_holds_a_lock_until_it_lets_go_or_is_gone() {
    let mut postgres = Postgres::start(&[]);
    let (one, other) = (
        open(&postgres.url(), "correct horse").await.unwrap(),
        open(&postgres.url(), "correct horse").await.unwrap(),
    );
    let held = one.try_lock("tokens/a").await.unwrap().unwrap();
    assert!(held.is_held());
    assert!(one.try_lock("tokens/a").await.unwrap().is_none());
    assert!(other.try_lock("tokens/a").await.unwrap().is_none());
    assert!(other.try_lock("tokens/b").await.unwrap().is_some());
    drop(held);
    let again = taken(&other, "tokens/a").await;
    // The server ends every session, as after a crash of its machine.
    postgres.crash_and_restart();
    while again.is_held() {
        tokio::task::yield_now().await;
    }
    let value = SecretBytes::new(b"rt".to_vec());
    one.write("tokens/a", &value).await.unwrap();
    let held = taken(&one, "tokens/a").await;
    assert!(other.try_lock("tokens/a").await.unwrap().is_none());
    // One that is killed from outside is lost, too.
    postgres.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'");
    while held.is_held() {
        tokio::task::yield_now().await;
    }
    drop(taken(&other, "tokens/a").await);
    assert_eq!(one.read("tokens/a").await.unwrap().unwrap().expose(), b"rt");
}

/// Letting go takes the server a moment.
async fn taken(vault: &RowVault, name: &str) -> VaultLock {
    loop {
        if let Some(lock) = vault.try_lock(name).await.unwrap() {
            return lock;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo xtask test vaults"]
async fn what_the_database_refuses_is_said_without_secrets() {
    let postgres = Postgres::start(&[]);
    let port = postgres.port();
    let check = async |url: &str, expected_code: &str| {
        let error = refusal(url).await;
        assert_eq!(error.code(), expected_code, "{error}");
    };
    let password = server::PASSWORD;
    check(
        &format!("postgresql://owner:hunter2@127.0.0.1:{port}/postgres"),
        "vault-database-refused",
    )
    .await;
    check(
        &format!("postgresql://owner@127.0.0.1:{port}/postgres"),
        "vault-database-refused",
    )
    .await;
    check(
        &format!("postgresql://owner:{password}@127.0.0.1:{port}/other"),
        "vault-database-unknown",
    )
    .await;
    // It has no certificate.
    check(
        &format!("postgresql://owner:{password}@127.0.0.1:{port}/postgres?sslmode=require"),
        "vault-database-plaintext",
    )
    .await;
    postgres.execute(
        "CREATE ROLE reader LOGIN PASSWORD 'hunter2'; REVOKE CREATE ON SCHEMA public FROM PUBLIC",
    );
    let reader = format!("postgresql://reader:hunter2@127.0.0.1:{port}/postgres");
    check(&reader, "vault-database-denied").await;
    let elsewhere = format!(
        "postgresql://owner:{password}@127.0.0.1:{port}/postgres?options=-csearch_path%3Dnone"
    );
    check(&elsewhere, "vault-database-unknown").await;
    let read_only = format!(
        "postgresql://owner:{password}@127.0.0.1:{port}/postgres?options=-cdefault_transaction_read_only%3Don"
    );
    check(&read_only, "vault-database-read-only").await;
    postgres.execute("CREATE TABLE mailbearer_vault (a text)");
    check(&postgres.url(), "vault-file-foreign").await;
    postgres.execute("DROP TABLE mailbearer_vault");
    open(&postgres.url(), "correct horse").await.unwrap();
    postgres.execute("UPDATE mailbearer_vault SET schema_version = 2");
    check(&postgres.url(), "vault-file-newer").await;
    postgres.execute("UPDATE mailbearer_vault SET schema_version = 1, header = 'x'");
    check(&postgres.url(), "vault-file-damaged").await;
}

/// A server with a certificate for `localhost` of an authority of its own, and that authority.
fn with_tls() -> (Postgres, String) {
    let mut authority = rcgen::CertificateParams::new([]).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let ca_pem = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = certificate.signed_by(&key, &issuer).unwrap();
    let postgres = Postgres::start_with_files(
        &[
            ("server.crt", &certificate.pem()),
            ("server.key", &key.serialize_pem()),
            // Passwords are taken over TLS alone.
            (
                "pg_hba.conf",
                "local all all trust\nhostssl all all all scram-sha-256\n",
            ),
        ],
        &["ssl=on"],
    );
    (postgres, ca_pem)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo xtask test vaults"]
async fn a_database_is_reached_over_tls_that_is_checked() {
    let (postgres, ca_pem) = with_tls();
    let open = async |host: &str, mode: &str, ca_pem: Option<&str>| {
        let (password, port) = (server::PASSWORD, postgres.port());
        let url = format!("postgresql://owner:{password}@{host}:{port}/postgres{mode}");
        let server = Server::new(&url.into(), None, ca_pem)?;
        open_at_cost(server, &text("correct horse"), &Host::default(), CHEAP).await
    };
    for mode in ["require", "verify-ca", "verify-full"] {
        let mode = format!("?sslmode={mode}");
        let vault = open("localhost", &mode, Some(&ca_pem)).await.unwrap();
        let value = SecretBytes::new(b"rt".to_vec());
        vault.write("tokens/a", &value).await.unwrap();
        let encrypted = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
            WHERE application_name = 'mailbearer'";
        assert_eq!(postgres.ask(encrypted), "t");
        let refused = async |host: &str, ca_pem: Option<&str>, expected: &str| {
            let error = open(host, &mode, ca_pem).await.unwrap_err();
            assert_eq!(error.code(), expected, "{host}{mode}: {error:?}");
            assert!(!error.problem().fix.is_empty());
            assert!(!format!("{error:?}").contains(server::PASSWORD));
        };
        // An authority that nobody knows, another server's name, and another authority.
        refused("localhost", None, "proxy-interference").await;
        refused("127.0.0.1", Some(&ca_pem), "wrong-host").await;
        refused("localhost", Some(&with_tls().1), "proxy-interference").await;
    }
    // The server demands what a loopback address does not ask for.
    let error = open("localhost", "", Some(&ca_pem)).await.unwrap_err();
    assert_eq!(error.code(), "vault-database-plaintext", "{error:?}");
    assert!(error.problem().fix.contains("sslmode=require"), "{error:?}");
}

#[tokio::test]
async fn refuses_a_wrong_url_before_it_connects() {
    let check = async |url: &str, expected_code: &str| {
        assert_eq!(refusal(url).await.code(), expected_code, "{url}");
    };
    check("mysql://u:hunter2@h/d", "vault-url-invalid").await;
    check("postgresql://u:hunter2@h/d?ssl=maybe", "vault-url-invalid").await;
    check("dbname=d user=u", "vault-url-invalid").await;
    check("postgresql://127.0.0.1/d", "vault-url-invalid").await;
    check(
        "postgresql://u:hunter2@db.example.test/d?sslmode=disable",
        "vault-database-plaintext",
    )
    .await;
    // Nobody listens at the discard port.
    check("postgresql://u:hunter2@127.0.0.1:9/d", "connection-refused").await;
    check("host=/nowhere user=u", "connection-refused").await;
    check(
        "postgresql://u:hunter2@127.0.0.1:9/d?sslmode=verify-full",
        "connection-refused",
    )
    .await;
}

#[test]
fn names_the_database_and_nobody() {
    let server = server_of("postgresql://u:hunter2@db.example.test:6432/mail").unwrap();
    assert_eq!(server.name(), "PostgreSQL database mail at db.example.test");
    assert!(!format!("{server:?}").contains("hunter2"));
}
