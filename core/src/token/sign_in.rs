//! Sign-ins that wait for a person, by id, so that only harmless data leaves the handle in between.

use super::grant::{AuthorizationRequest, DeviceAuthorization, IdentityProvider};
use super::record::Tokens;
use crate::error::{Error, Result};
use crate::host::{Random, random_token};
use crate::model::{Account, ProblemKind, SignInFlow, SignInPrompt};
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
    on: On,
}

/// What a sign-in waits on.
#[derive(Clone, Debug)]
enum On {
    Device(Arc<DeviceAuthorization>),
    Browser(Arc<AuthorizationRequest>),
}

impl On {
    fn expires_at_unix_ms(&self) -> i64 {
        match self {
            Self::Device(authorization) => authorization.expires_at_unix_ms,
            Self::Browser(request) => request.expires_at_unix_ms,
        }
    }
}

impl SignIns {
    pub(crate) fn new(provider: IdentityProvider, random: Arc<dyn Random>) -> Self {
        Self {
            provider,
            random,
            waiting: Mutex::default(),
        }
    }

    /// Asks the identity provider for what to show the person. `claims` are what an earlier refusal says this sign-in
    /// must fulfil, as JSON text.
    pub(crate) async fn begin(
        &self,
        account: &Account,
        flow: SignInFlow,
        claims: Option<String>,
    ) -> Result<SignInPrompt> {
        if !account.grant.is_a_persons() {
            return Err(no_person_needed(&account.name));
        }
        let on = match flow {
            SignInFlow::DeviceCode => {
                let authorization = self.provider.begin_device_code(account, claims).await?;
                On::Device(Arc::new(authorization))
            }
            SignInFlow::AuthorizationCode => {
                let request = self
                    .provider
                    .begin_authorization_code(account, claims)
                    .await?;
                On::Browser(Arc::new(request))
            }
        };
        let id = random_token(&*self.random)?;
        let prompt = prompt(&id, account, &on);
        let waiting = Waiting {
            account: account.name.clone(),
            on,
        };
        self.forget_ended();
        self.waiting().insert(id, waiting);
        Ok(prompt)
    }

    /// Waits for the person. A sign-in whose wait is dropped can be waited for again, and so can one whose pasted
    /// address was not its own; any other that failed cannot.
    pub(crate) async fn finish(&self, account: &Account, prompt: &SignInPrompt) -> Result<Tokens> {
        let waiting = self.waiting().get(&prompt.id).cloned();
        let waiting = waiting
            .filter(|waiting| waiting.account == account.name)
            .ok_or_else(unknown_sign_in)?;
        let tokens = match &waiting.on {
            On::Device(authorization) => {
                self.provider
                    .finish_device_code(account, authorization)
                    .await
            }
            On::Browser(request) => {
                let pasted = prompt.redirected_to.as_deref();
                self.provider
                    .finish_authorization_code(account, request, pasted)
                    .await
            }
        };
        let is_over = tokens.as_ref().err().map(Error::kind) != Some(ProblemKind::Misuse);
        if is_over {
            self.waiting().remove(&prompt.id);
        }
        tokens
    }

    fn forget_ended(&self) {
        let now = self.provider.clock.now_unix_ms();
        self.waiting()
            .retain(|_, waiting| waiting.on.expires_at_unix_ms() > now);
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, HashMap<String, Waiting>> {
        self.waiting.lock().unwrap_or_else(|e| e.into_inner())
    }
}

fn prompt(id: &str, account: &Account, on: &On) -> SignInPrompt {
    let (user_code, verification_url, instruction) = match on {
        On::Device(device) => (
            device.user_code(),
            device.verification_url(),
            device.instruction(),
        ),
        On::Browser(request) => (String::new(), request.url.clone(), OPEN_IT.to_owned()),
    };
    SignInPrompt {
        id: id.to_owned(),
        account: account.name.clone(),
        user_code,
        verification_url,
        instruction,
        expires_at_unix_ms: on.expires_at_unix_ms(),
        redirected_to: None,
    }
}

const OPEN_IT: &str = "To sign in, open the page in the browser of this machine. In another machine's browser the sign-in ends at \
     an address that cannot be reached there: paste that address here.";

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
