//! Accounts from an environment variable, for containers: settings as JSON, secrets in variables of their own if wanted.
//! Only grants that need no person: a sign-in would be lost at the next start.

use super::Accounts;
use crate::error::{Error, Result};
use crate::host::Environment;
use crate::model::{NewAccount, ProblemKind};
use crate::vault::{FixedVault, MemoryVault, Vault};
use serde_json::{Map, Value};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Reads the accounts of a variable into a vault that holds them and the tokens. Errors: `Config`, `Misuse`.
pub(crate) async fn from_environment(
    variable: Option<&str>,
    environment: &dyn Environment,
) -> Result<Arc<dyn Vault>> {
    let variable = variable.unwrap_or(DEFAULT_VARIABLE);
    let inner: Arc<dyn Vault> = Arc::new(MemoryVault::default());
    let accounts = Accounts::new(inner.clone());
    for account in read(variable, environment)? {
        accounts.add(account).await?;
    }
    Ok(Arc::new(FixedVault {
        inner,
        changing: super::TOKENS,
        variable: variable.to_owned(),
    }))
}

fn read(variable: &str, environment: &dyn Environment) -> Result<Vec<NewAccount>> {
    let Some(text) = environment.variable(variable).map(Zeroizing::new) else {
        return Err(missing(variable, "accounts"));
    };
    let list: Vec<Map<String, Value>> = serde_json::from_str(&text).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        invalid(
            variable,
            &format!("it is no JSON list of objects ({place})"),
        )
    })?;
    let read_one = |(place, account)| read_account(variable, place, account, environment);
    list.into_iter().enumerate().map(read_one).collect()
}

fn read_account(
    variable: &str,
    place: usize,
    mut account: Map<String, Value>,
    environment: &dyn Environment,
) -> Result<NewAccount> {
    if let Some(grant) = account.get_mut("grant").and_then(Value::as_object_mut) {
        take_secrets(grant, environment)?;
    }
    let name = account.get("name").and_then(Value::as_str);
    let named = name.map_or_else(
        || format!("account {}", place + 1),
        |name| format!("account {name:?}"),
    );
    // The parser's own words may quote a secret.
    let account: NewAccount = serde_json::from_value(account.into()).map_err(|_| {
        invalid(
            variable,
            &format!("{named} lacks a field, or has one of another type"),
        )
    })?;
    if account.grant.kind().is_a_persons() {
        return Err(Error::new(
            ProblemKind::Config,
            "vault-environment-person",
            format!("a person's sign-in cannot be kept in the environment: {named} in {variable}"),
            "use a grant of an application, such as clientSecret, or a vault that outlives the process",
        ));
    }
    Ok(account)
}

/// Replaces `clientSecretVariable` by `clientSecret` with the value of that variable, and any other such field likewise.
fn take_secrets(grant: &mut Map<String, Value>, environment: &dyn Environment) -> Result<()> {
    let named: Vec<_> = grant
        .iter()
        .filter_map(|(field, value)| {
            let secret = field.strip_suffix("Variable")?;
            Some((field.clone(), secret.to_owned(), value.as_str()?.to_owned()))
        })
        .collect();
    for (field, secret, variable) in named {
        let value = environment.variable(&variable);
        let value = value.ok_or_else(|| missing(&variable, &secret))?;
        grant.remove(&field);
        grant.insert(secret, Value::String(value));
    }
    Ok(())
}

/// The customary variable.
const DEFAULT_VARIABLE: &str = "MAILBEARER_ACCOUNTS";

fn missing(variable: &str, what: &str) -> Error {
    Error::new(
        ProblemKind::Config,
        "vault-environment-missing",
        format!("the environment variable with the {what} is not set: {variable}"),
        format!("set {variable} for this process"),
    )
}

fn invalid(variable: &str, reason: &str) -> Error {
    Error::new(
        ProblemKind::Config,
        "vault-environment-invalid",
        format!("the accounts in the environment cannot be read, {reason}: {variable}"),
        "give a JSON list of accounts, each with name, mailbox, tenant, clientId and grant",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn environment(accounts: &str) -> HashMap<String, String> {
        [
            ("MAILBEARER_ACCOUNTS", accounts),
            ("BILLING_SECRET", "hunter2"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    fn account(grant: &str) -> String {
        let tenant = "8d2b1b0a-1111-4222-8333-444455556666";
        let client = "7b9e4a54-81c3-4d0f-9e6a-2c5d8f1a3b02";
        format!(
            r#"{{"name":"billing","mailbox":"billing@contoso.example","tenant":"{tenant}","clientId":"{client}","grant":{grant}}}"#
        )
    }

    #[tokio::test]
    async fn accounts_are_there_and_only_tokens_change() {
        let grant = r#"{"type":"clientSecret","clientSecretVariable":"BILLING_SECRET"}"#;
        let environment = environment(&format!("[{}]", account(grant)));
        let vault = from_environment(None, &environment).await.unwrap();
        let accounts = Accounts::new(vault.clone());
        assert_eq!(accounts.list().await.unwrap().len(), 1);
        let credential = vault.read("credentials/billing").await.unwrap().unwrap();
        assert!(
            credential
                .expose()
                .windows(7)
                .any(|part| part == b"hunter2")
        );
        accounts
            .keep_tokens("billing", &b"{}".to_vec().into())
            .await
            .unwrap();
        let error = accounts.remove("billing").await.unwrap_err();
        assert_eq!(error.code(), "vault-read-only");
        assert!(!format!("{vault:?}").contains("hunter2"));
    }

    #[tokio::test]
    async fn says_what_is_wrong_with_the_variables() {
        let check = async |accounts: &str, expected_code: &str| {
            let error = from_environment(None, &environment(accounts))
                .await
                .unwrap_err();
            assert_eq!(error.code(), expected_code, "{accounts}: {error}");
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        };
        check("", "vault-environment-missing").await;
        check("{", "vault-environment-invalid").await;
        check(r#"["hunter2"]"#, "vault-environment-invalid").await;
        check("[{}]", "vault-environment-invalid").await;
        let secret = |variable: &str| {
            let grant = format!(r#"{{"type":"clientSecret","clientSecretVariable":"{variable}"}}"#);
            format!("[{}]", account(&grant))
        };
        check(&secret("NOT_SET"), "vault-environment-missing").await;
        check(
            &format!("[{}]", account(r#"{"type":"hunter2"}"#)),
            "vault-environment-invalid",
        )
        .await;
        check(
            &format!("[{}]", account(r#"{"type":"deviceCode"}"#)),
            "vault-environment-person",
        )
        .await;
        check(
            &secret("BILLING_SECRET").replace("billing@", ""),
            "mailbox-not-an-address",
        )
        .await;
    }
}
