//! The native module of the Node package: each method of the handle in three lines, data in and data out.
//! What people see is in `index.js` and `handle.js`; this module only converts, and waits on threads of its own.

#![expect(unreachable_pub, reason = "napi's macro takes public methods only")]
#![cfg_attr(
    test,
    allow(dead_code, reason = "napi's macro registers nothing in a test")
)]

mod cancellation;
mod data;
mod log;
mod outcome;
mod sandbox;

use cancellation::{Cancel, Promised};
use data::Data;
use mailbearer::model::{Passphrase, RevealedAccessToken};
use mailbearer::{
    Account, Bytes, Config, Delivery, Diagnosis, Envelope, Event, Events, Evidence, Mailbearer,
    Message, NewAccount, SignInFlow, SignInPrompt, TokenStatus, VaultRecord, VaultReport,
    VaultSettings,
};
use napi::Env;
use napi_derive::napi;
use outcome::Outcome;
use std::sync::Arc;

/// A handle of the core. Each call works on a clone of its own: Node frees this object when its thread is terminated,
/// whether or not a call is under way.
#[napi]
struct Handle(Mailbearer);

/// A reader of events.
#[napi]
struct EventReader(Arc<Events>);

#[napi]
async fn open(config: Data<Config>, cancel: Cancel) -> Outcome<Handle> {
    let open = async { Mailbearer::open(config.0).await.map(Handle) };
    cancel.run_for(open).await
}

#[napi]
impl Handle {
    #[napi]
    pub fn close<'env>(&self, env: &'env Env, cancel: Cancel) -> Promised<'env, ()> {
        let core = self.0.clone();
        cancel.start(env, async move { core.close().await })
    }

    #[napi]
    pub fn add_account<'env>(
        &self,
        env: &'env Env,
        account: Data<NewAccount>,
        cancel: Cancel,
    ) -> Promised<'env, Account> {
        let core = self.0.clone();
        cancel.start(env, async move { core.add_account(account.0).await })
    }

    #[napi]
    pub fn accounts<'env>(&self, env: &'env Env, cancel: Cancel) -> Promised<'env, Vec<Account>> {
        let core = self.0.clone();
        cancel.start(env, async move { core.accounts().await })
    }

    #[napi]
    pub fn remove_account<'env>(
        &self,
        env: &'env Env,
        account: Data<String>,
        cancel: Cancel,
    ) -> Promised<'env, ()> {
        let core = self.0.clone();
        cancel.start(env, async move { core.remove_account(&account.0).await })
    }

    #[napi]
    pub fn begin_sign_in<'env>(
        &self,
        env: &'env Env,
        account: Data<String>,
        flow: Data<SignInFlow>,
        cancel: Cancel,
    ) -> Promised<'env, SignInPrompt> {
        let core = self.0.clone();
        cancel.start(
            env,
            async move { core.begin_sign_in(&account.0, flow.0).await },
        )
    }

    #[napi]
    pub fn finish_sign_in<'env>(
        &self,
        env: &'env Env,
        prompt: Data<SignInPrompt>,
        cancel: Cancel,
    ) -> Promised<'env, TokenStatus> {
        let core = self.0.clone();
        cancel.start(env, async move { core.finish_sign_in(&prompt.0).await })
    }

    #[napi]
    pub fn access_token<'env>(
        &self,
        env: &'env Env,
        account: Data<String>,
        cancel: Cancel,
    ) -> Promised<'env, RevealedAccessToken> {
        let core = self.0.clone();
        cancel.start(
            env,
            async move { core.revealed_access_token(&account.0).await },
        )
    }

    #[napi]
    pub fn access_token_after<'env>(
        &self,
        env: &'env Env,
        account: Data<String>,
        refused: Data<String>,
        cancel: Cancel,
    ) -> Promised<'env, RevealedAccessToken> {
        let core = self.0.clone();
        cancel.start(env, async move {
            core.revealed_access_token_after(&account.0, &refused.0)
                .await
        })
    }

    #[napi]
    pub fn token_status<'env>(
        &self,
        env: &'env Env,
        account: Data<String>,
        cancel: Cancel,
    ) -> Promised<'env, TokenStatus> {
        let core = self.0.clone();
        cancel.start(env, async move { core.token_status(&account.0).await })
    }

    #[napi]
    pub fn send<'env>(
        &self,
        env: &'env Env,
        message: Data<Message>,
        cancel: Cancel,
    ) -> Promised<'env, Delivery> {
        let core = self.0.clone();
        cancel.start(env, async move { core.send(message.0).await })
    }

    #[napi]
    pub fn send_raw<'env>(
        &self,
        env: &'env Env,
        envelope: Data<Envelope>,
        mime: Data<Bytes>,
        cancel: Cancel,
    ) -> Promised<'env, Delivery> {
        let core = self.0.clone();
        cancel.start(env, async move { core.send_raw(envelope.0, mime.0).await })
    }

    #[napi]
    pub fn vault_records<'env>(
        &self,
        env: &'env Env,
        cancel: Cancel,
    ) -> Promised<'env, Vec<VaultRecord>> {
        let core = self.0.clone();
        cancel.start(env, async move { core.vault_records().await })
    }

    #[napi]
    pub fn check_vault<'env>(&self, env: &'env Env, cancel: Cancel) -> Promised<'env, VaultReport> {
        let core = self.0.clone();
        cancel.start(env, async move { core.check_vault().await })
    }

    #[napi]
    pub fn rotate_vault<'env>(
        &self,
        env: &'env Env,
        passphrase: Data<Passphrase>,
        cancel: Cancel,
    ) -> Promised<'env, ()> {
        let core = self.0.clone();
        cancel.start(env, async move { core.rotate_vault(passphrase.0).await })
    }

    #[napi]
    pub fn move_vault<'env>(
        &self,
        env: &'env Env,
        to: Data<VaultSettings>,
        cancel: Cancel,
    ) -> Promised<'env, Vec<VaultRecord>> {
        let core = self.0.clone();
        cancel.start(env, async move { core.move_vault(to.0).await })
    }

    #[napi]
    pub fn events(&self) -> EventReader {
        EventReader(Arc::new(self.0.events()))
    }

    #[napi]
    pub fn explain(&self, evidence: Data<Evidence>) -> Data<Vec<Diagnosis>> {
        Data(self.0.explain(&evidence.0))
    }
}

/// In a module of its own, because what `#[napi]` makes of a method is not left out with it.
#[cfg(debug_assertions)]
mod for_tests {
    use super::{Cancel, Env, Handle, Promised, napi};

    #[napi]
    impl Handle {
        /// Not a method of the handle: what becomes of a fault of ours, for the tests.
        #[napi]
        pub fn panic_for_tests<'env>(&self, env: &'env Env, cancel: Cancel) -> Promised<'env, ()> {
            cancel.start(env, async {
                std::panic::resume_unwind(Box::new("as the test asks"))
            })
        }
    }
}

#[napi]
impl EventReader {
    #[napi]
    pub fn next<'env>(&self, env: &'env Env, cancel: Cancel) -> Promised<'env, Option<Event>> {
        let events = self.0.clone();
        cancel.start(env, async move { Ok(events.next().await) })
    }
}
