//! What every vault must do, as one function that the tests of each vault call.
//! It knows nothing of how a vault keeps its records.

use super::Vault;
use crate::secret::SecretBytes;
use std::sync::Arc;

/// Runs an empty vault through the contract of [`Vault`].
pub(super) async fn keeps_the_contract(vault: Arc<dyn Vault>) {
    gives_back_what_was_written(&*vault).await;
    lists_keys_by_prefix(&*vault).await;
    refuses_invalid_keys(&*vault).await;
    serves_many_tasks_at_once(vault).await;
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
