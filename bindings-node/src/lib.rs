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

use cancellation::Cancel;
use data::Data;
use mailbearer::model::RevealedAccessToken;
use mailbearer::{
    Account, Bytes, Config, Delivery, Diagnosis, Envelope, Event, Events, Evidence, Mailbearer,
    Message, NewAccount, SignInFlow, SignInPrompt, TokenStatus,
};
use napi_derive::napi;
use outcome::Outcome;

/// A handle of the core.
#[napi]
struct Handle(Mailbearer);

/// A reader of events.
#[napi]
struct EventReader(Events);

#[napi]
async fn open(config: Data<Config>, cancel: Cancel) -> Outcome<Handle> {
    let open = async { Mailbearer::open(config.0).await.map(Handle) };
    cancel.run_for(open).await
}

#[napi]
impl Handle {
    #[napi]
    pub async fn close(&self, cancel: Cancel) -> Outcome<Data<()>> {
        cancel.run(self.0.close()).await
    }

    #[napi]
    pub async fn add_account(
        &self,
        account: Data<NewAccount>,
        cancel: Cancel,
    ) -> Outcome<Data<Account>> {
        cancel.run(self.0.add_account(account.0)).await
    }

    #[napi]
    pub async fn accounts(&self, cancel: Cancel) -> Outcome<Data<Vec<Account>>> {
        cancel.run(self.0.accounts()).await
    }

    #[napi]
    pub async fn remove_account(&self, account: Data<String>, cancel: Cancel) -> Outcome<Data<()>> {
        cancel.run(self.0.remove_account(&account.0)).await
    }

    #[napi]
    pub async fn begin_sign_in(
        &self,
        account: Data<String>,
        flow: Data<SignInFlow>,
        cancel: Cancel,
    ) -> Outcome<Data<SignInPrompt>> {
        cancel.run(self.0.begin_sign_in(&account.0, flow.0)).await
    }

    #[napi]
    pub async fn finish_sign_in(
        &self,
        prompt: Data<SignInPrompt>,
        cancel: Cancel,
    ) -> Outcome<Data<TokenStatus>> {
        cancel.run(self.0.finish_sign_in(&prompt.0)).await
    }

    #[napi]
    pub async fn access_token(
        &self,
        account: Data<String>,
        cancel: Cancel,
    ) -> Outcome<Data<RevealedAccessToken>> {
        cancel.run(self.0.revealed_access_token(&account.0)).await
    }

    #[napi]
    pub async fn token_status(
        &self,
        account: Data<String>,
        cancel: Cancel,
    ) -> Outcome<Data<TokenStatus>> {
        cancel.run(self.0.token_status(&account.0)).await
    }

    #[napi]
    pub async fn send(&self, message: Data<Message>, cancel: Cancel) -> Outcome<Data<Delivery>> {
        cancel.run(self.0.send(message.0)).await
    }

    #[napi]
    pub async fn send_raw(
        &self,
        envelope: Data<Envelope>,
        mime: Data<Bytes>,
        cancel: Cancel,
    ) -> Outcome<Data<Delivery>> {
        cancel.run(self.0.send_raw(envelope.0, mime.0)).await
    }

    #[napi]
    pub fn events(&self) -> EventReader {
        EventReader(self.0.events())
    }

    #[napi]
    pub fn explain(&self, evidence: Data<Evidence>) -> Data<Vec<Diagnosis>> {
        Data(self.0.explain(&evidence.0))
    }

    /// Not a method of the handle: what becomes of a fault of ours, for the tests.
    #[cfg(debug_assertions)]
    #[napi]
    pub async fn panic_for_tests(&self, cancel: Cancel) -> Outcome<Data<()>> {
        cancel
            .run(async { std::panic::resume_unwind(Box::new("as the test asks")) })
            .await
    }
}

#[napi]
impl EventReader {
    #[napi]
    pub async fn next(&self, cancel: Cancel) -> Outcome<Data<Option<Event>>> {
        cancel.run(async { Ok(self.0.next().await) }).await
    }
}
