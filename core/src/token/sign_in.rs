//! Sign-ins that wait for a person, by id, so that only harmless data leaves the handle in between.

use super::grant::{DeviceAuthorization, IdentityProvider};
use super::record::Tokens;
use crate::error::{Error, Result};
use crate::host::{Random, random_token};
use crate::model::{Account, GrantKind, ProblemKind, SignInFlow, SignInPrompt};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// The sign-ins begun in this handle and not finished yet.
#[derive(Debug)]
pub(crate) struct SignIns {
    provider: IdentityProvider,
    random: Arc<dyn Random>,
    waiting: Mutex<HashMap<String, Waiting>>,
}

#[derive(Clone, Debug)]
struct Waiting {
    account: String,
    authorization: DeviceAuthorization,
}

impl SignIns {
    pub(crate) fn new(provider: IdentityProvider, random: Arc<dyn Random>) -> Self {
        Self {
            provider,
            random,
            waiting: Mutex::default(),
        }
    }

    /// Asks the identity provider for what to show the person.
    pub(crate) async fn begin(&self, account: &Account, flow: SignInFlow) -> Result<SignInPrompt> {
        let SignInFlow::DeviceCode = flow;
        if account.grant != GrantKind::DeviceCode {
            return Err(no_person_needed(&account.name));
        }
        let authorization = self.provider.begin_device_code(account).await?;
        let id = random_token(&*self.random)?;
        let prompt = SignInPrompt {
            id: id.clone(),
            account: account.name.clone(),
            user_code: authorization.user_code(),
            verification_url: authorization.verification_url(),
            instruction: authorization.instruction(),
            expires_at_unix_ms: authorization.expires_at_unix_ms,
        };
        let waiting = Waiting {
            account: account.name.clone(),
            authorization,
        };
        self.forget_ended();
        self.waiting().insert(id, waiting);
        Ok(prompt)
    }

    /// Waits for the person. A sign-in whose wait is dropped can be waited for again; one that failed cannot.
    pub(crate) async fn finish(&self, account: &Account, prompt: &SignInPrompt) -> Result<Tokens> {
        let waiting = self.waiting().get(&prompt.id).cloned();
        let waiting = waiting
            .filter(|waiting| waiting.account == account.name)
            .ok_or_else(unknown_sign_in)?;
        let tokens = self
            .provider
            .finish_device_code(account, &waiting.authorization)
            .await;
        self.waiting().remove(&prompt.id);
        tokens
    }

    fn forget_ended(&self) {
        let now = self.provider.clock.now_unix_ms();
        self.waiting()
            .retain(|_, waiting| waiting.authorization.expires_at_unix_ms > now);
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, HashMap<String, Waiting>> {
        self.waiting.lock().unwrap_or_else(|e| e.into_inner())
    }
}

fn no_person_needed(account: &str) -> Error {
    Error::new(
        ProblemKind::Misuse,
        "sign-in-not-needed",
        format!("the account signs in by itself, without a person: {account}"),
        "send with it, or ask for its access token; nobody has to sign in",
    )
}

fn unknown_sign_in() -> Error {
    Error::new(
        ProblemKind::Misuse,
        "sign-in-unknown",
        "this handle has no such sign-in waiting",
        "finish a sign-in once, in the handle that began it, and before its code ends; otherwise begin again",
    )
}
