//! The SQLite vault as its users see it: contract, damage, other writers, other keys.

use super::*;
use crate::secret::SecretBytes;
use crate::vault::contract::{CHEAP, keeps_the_contract, keeps_the_contract_of_rows, text};
use std::fs;

async fn open(path: &Path, passphrase: &str) -> Result<RowVault> {
    open_at_cost(
        path.to_str().unwrap(),
        &text(passphrase),
        &Host::default(),
        CHEAP,
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sqlite_vault_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/vault.db");
    keeps_the_contract(Arc::new(open(&path, "correct horse").await.unwrap())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_guarded_against_whoever_writes_to_the_table() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.db");
    let open_again = async |passphrase: &str| {
        let vault: Arc<dyn Vault> = Arc::new(open(&path, passphrase).await?);
        Ok(vault)
    };
    let execute = async |statement: &str| {
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch(statement).unwrap();
    };
    keeps_the_contract_of_rows(open_again, execute).await;
}

#[tokio::test]
async fn a_new_file_and_all_beside_it_are_their_owners_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.db");
    let vault = open(&path, "correct horse").await.unwrap();
    let value = SecretBytes::new(b"hunter2".to_vec());
    vault.write("tokens/billing", &value).await.unwrap();
    let mut seen = 0;
    for entry in fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        permission::check_private(&entry.metadata().unwrap())
            .unwrap_or_else(|exposure| panic!("{entry:?}: {exposure:?}"));
        let octets = fs::read(entry.path()).unwrap();
        assert!(
            !octets.windows(7).any(|part| part == b"hunter2"),
            "{entry:?}"
        );
        seen += 1;
    }
    assert!(seen >= 3, "the database, its log and their index");
}

#[tokio::test]
async fn refuses_what_is_no_vault_and_leaves_it_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.db");
    let check = async |make: &dyn Fn(), expected_code: &str| {
        let _ = fs::remove_file(&path);
        drop(
            permission::opening()
                .write(true)
                .create_new(true)
                .open(&path)
                .unwrap(),
        );
        make();
        let before = fs::read(&path).unwrap();
        let error = open(&path, "correct horse").await.unwrap_err();
        assert_eq!(error.code(), expected_code, "{error}");
        assert!(error.to_string().contains("vault.db"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), before);
    };
    let write = |octets: &[u8]| fs::write(&path, octets).unwrap();
    let execute = |statement: &str| {
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch(statement).unwrap();
    };
    check(&|| write(&[b'x'; 5_000]), "vault-file-foreign").await;
    check(&|| execute("CREATE TABLE a (b)"), "vault-file-foreign").await;
    check(
        &|| execute("PRAGMA application_id = 0x4D425654; PRAGMA user_version = 2"),
        "vault-file-newer",
    )
    .await;
    let cut_short = || {
        execute(SCHEMA);
        let octets = fs::read(&path).unwrap();
        write(&octets[..octets.len() / 2]);
    };
    check(&cut_short, "vault-file-damaged").await;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let expose = || fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        check(&expose, "vault-file-exposed").await;
    }
}
