//! What every vault must do, as one function that the tests of each vault call.
//! It knows nothing of how a vault keeps its records.

use super::Vault;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
use super::key::KeyCost;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
use crate::error::Result;
use crate::model::Passphrase;
use crate::secret::SecretBytes;
use std::sync::Arc;

/// Runs an empty vault through the contract of [`Vault`].
pub(super) async fn keeps_the_contract(vault: Arc<dyn Vault>) {
    gives_back_what_was_written(&*vault).await;
    lists_keys_by_prefix(&*vault).await;
    refuses_invalid_keys(&*vault).await;
    writes_only_over_what_is_expected(&*vault).await;
    serves_many_tasks_at_once(vault).await;
}

/// Cheap enough to open a vault thousands of times.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(super) const CHEAP: KeyCost = KeyCost {
    memory_kib: 8,
    passes: 1,
    lanes: 1,
};

pub(super) fn text(text: &str) -> Passphrase {
    let text = text.to_owned().into();
    Passphrase::Text { text }
}

/// Runs a vault in a database against whoever can write to its tables, and through a change of its key.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(super) async fn keeps_the_contract_of_rows(
    open: impl AsyncFn(&str) -> Result<Arc<dyn Vault>>,
    execute: impl AsyncFn(&str),
) {
    let vault = open("correct horse").await.unwrap();
    let error = open("battery staple").await.unwrap_err();
    assert_eq!(error.code(), "vault-passphrase-wrong");
    for (key, value) in [("tokens/a", "first"), ("tokens/b", "second")] {
        let value = SecretBytes::new(value.as_bytes().to_vec());
        vault.write(key, &value).await.unwrap();
    }
    assert!(vault.written_at("tokens/a").await.unwrap().unwrap() > 0);
    assert!(vault.written_at("tokens/c").await.unwrap().is_none());
    assert!(vault.check().await.unwrap().is_empty());
    rows_cannot_be_exchanged(&*vault, &execute).await;
    a_row_put_back_is_noticed(&open, &*vault, &execute).await;
    the_key_can_be_changed_while_others_work(&open, &*vault).await;
}

#[cfg(any(feature = "sqlite", feature = "postgres"))]
async fn rows_cannot_be_exchanged(vault: &dyn Vault, execute: &impl AsyncFn(&str)) {
    let exchange = async |from: &str, to: &str| {
        execute(&format!(
            "UPDATE mailbearer_records SET name = '{to}' WHERE name = '{from}'"
        ))
        .await;
    };
    exchange("tokens/a", "tokens/x").await;
    exchange("tokens/b", "tokens/a").await;
    let error = vault.read("tokens/a").await.unwrap_err();
    assert_eq!(error.code(), "vault-record-damaged");
    let error = vault.write("tokens/a", &SecretBytes::default()).await;
    assert_eq!(error.unwrap_err().code(), "vault-record-damaged");
    exchange("tokens/a", "tokens/b").await;
    exchange("tokens/x", "tokens/a").await;
    assert_eq!(read(vault, "tokens/a").await.unwrap(), b"first");
}

#[cfg(any(feature = "sqlite", feature = "postgres"))]
async fn a_row_put_back_is_noticed(
    open: &impl AsyncFn(&str) -> Result<Arc<dyn Vault>>,
    vault: &dyn Vault,
    execute: &impl AsyncFn(&str),
) {
    execute("CREATE TABLE kept AS SELECT * FROM mailbearer_records WHERE name = 'tokens/a'").await;
    let value = SecretBytes::new(b"third".to_vec());
    vault.write("tokens/a", &value).await.unwrap();
    execute(
        "DELETE FROM mailbearer_records WHERE name = 'tokens/a'; \
         INSERT INTO mailbearer_records SELECT * FROM kept",
    )
    .await;
    let error = vault.read("tokens/a").await.unwrap_err();
    assert_eq!(error.code(), "vault-record-rolled-back");
    execute("DELETE FROM mailbearer_records WHERE name = 'tokens/a'").await;
    let error = vault.read("tokens/a").await.unwrap_err();
    assert_eq!(error.code(), "vault-record-rolled-back");
    // Who has not seen the newer state cannot know.
    execute("INSERT INTO mailbearer_records SELECT * FROM kept; DROP TABLE kept").await;
    let other = open("correct horse").await.unwrap();
    assert_eq!(read(&*other, "tokens/a").await.unwrap(), b"first");
}

#[cfg(any(feature = "sqlite", feature = "postgres"))]
async fn the_key_can_be_changed_while_others_work(
    open: &impl AsyncFn(&str) -> Result<Arc<dyn Vault>>,
    stubborn: &dyn Vault,
) {
    let (one, other) = (
        open("correct horse").await.unwrap(),
        open("correct horse").await.unwrap(),
    );
    one.rotate(&text("battery staple")).await.unwrap();
    assert_eq!(read(&*one, "tokens/b").await.unwrap(), b"second");
    let again = open("battery staple").await.unwrap();
    assert_eq!(read(&*again, "tokens/b").await.unwrap(), b"second");
    let error = open("correct horse").await.unwrap_err();
    assert_eq!(error.code(), "vault-passphrase-wrong");
    // A passphrase that a program gave cannot be asked for again.
    for old in [&*other, stubborn] {
        let error = old.write("tokens/b", &SecretBytes::default()).await;
        assert_eq!(error.unwrap_err().code(), "vault-key-changed");
    }
    assert_eq!(read(&*again, "tokens/b").await.unwrap(), b"second");
}

async fn gives_back_what_was_written(vault: &dyn Vault) {
    assert!(vault.read("a").await.unwrap().is_none());
    assert!(!vault.remove("a").await.unwrap());
    for value in [vec![], vec![0], b"token".to_vec(), vec![0xFF; 70_000]] {
        let written = SecretBytes::new(value.clone());
        vault.write("a", &written).await.unwrap();
        assert_eq!(read(vault, "a").await.unwrap(), value);
    }
    assert!(vault.remove("a").await.unwrap());
    assert!(!vault.remove("a").await.unwrap());
    assert!(vault.read("a").await.unwrap().is_none());
}

async fn lists_keys_by_prefix(vault: &dyn Vault) {
    for key in ["token/b", "secret/a", "token/a", "token", "tokens"] {
        let value = SecretBytes::new(key.as_bytes().to_vec());
        vault.write(key, &value).await.unwrap();
    }
    let keys = |prefix: &'static str| async move { vault.keys(prefix).await.unwrap() };
    assert_eq!(keys("token/").await, ["token/a", "token/b"]);
    assert_eq!(
        keys("").await,
        ["secret/a", "token", "token/a", "token/b", "tokens"]
    );
    assert!(keys("z").await.is_empty());
    assert!(keys("no key: \0").await.is_empty());
    for key in keys("").await {
        assert!(vault.remove(&key).await.unwrap());
    }
    assert!(keys("").await.is_empty());
}

async fn refuses_invalid_keys(vault: &dyn Vault) {
    let value = SecretBytes::default();
    for key in ["", "a b", &"k".repeat(201)] {
        let code = "vault-key-invalid";
        assert_eq!(vault.read(key).await.unwrap_err().code(), code);
        assert_eq!(vault.write(key, &value).await.unwrap_err().code(), code);
        assert_eq!(vault.remove(key).await.unwrap_err().code(), code);
    }
}

async fn writes_only_over_what_is_expected(vault: &dyn Vault) {
    let value = |text: &str| SecretBytes::new(text.as_bytes().to_vec());
    let (one, two) = (value("one"), value("two"));
    assert!(!vault.write_if("c", Some(&one), &two).await.unwrap());
    assert!(vault.write_if("c", None, &one).await.unwrap());
    assert!(!vault.write_if("c", None, &two).await.unwrap());
    assert!(!vault.write_if("c", Some(&two), &two).await.unwrap());
    assert_eq!(read(vault, "c").await.unwrap(), b"one");
    assert!(vault.write_if("c", Some(&one), &two).await.unwrap());
    assert_eq!(read(vault, "c").await.unwrap(), b"two");
    assert!(vault.remove("c").await.unwrap());
    assert!(vault.write_if("c", None, &one).await.unwrap());
    assert!(vault.remove("c").await.unwrap());
}

async fn serves_many_tasks_at_once(vault: Arc<dyn Vault>) {
    let tasks: Vec<_> = (0..32_u8)
        .map(|number| {
            let vault = vault.clone();
            tokio::spawn(async move {
                let key = format!("task/{number}");
                let value = SecretBytes::new(vec![number]);
                vault.write(&key, &value).await.unwrap();
                assert_eq!(read(&*vault, &key).await.unwrap(), [number]);
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(vault.keys("task/").await.unwrap().len(), 32);
}

async fn read(vault: &dyn Vault, key: &str) -> Option<Vec<u8>> {
    let value = vault.read(key).await.unwrap()?;
    Some(value.expose().clone())
}
