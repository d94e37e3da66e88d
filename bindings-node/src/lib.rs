//! The native module of the Node package: each method of the handle in a line, data in and data out.
//! What people see is in `index.js`; this module only converts, and waits on threads of its own.

#![expect(unreachable_pub, reason = "napi's macro takes public methods only")]
#![cfg_attr(
    test,
    allow(dead_code, reason = "napi's macro registers nothing in a test")
)]

mod data;
mod outcome;

use data::Data;
use mailbearer::model::RevealedAccessToken;
use mailbearer::{
    Account, Bytes, Config, Delivery, Diagnosis, Envelope, Event, Events, Evidence, Mailbearer,
    Message, NewAccount, SignInFlow, SignInPrompt, TokenStatus,
};
use napi_derive::napi;
use outcome::Outcome;
use tokio::sync::watch;

/// A handle of the core.
#[napi]
struct Handle {
    core: Mailbearer,
    closed: watch::Sender<bool>,
}

/// A reader of events, which ends when its handle is closed.
#[napi]
struct EventReader {
    events: Events,
    closed: watch::Receiver<bool>,
}

#[napi]
async fn open(config: Data<Config>) -> Outcome<Handle> {
    let opened = Mailbearer::open(config.0).await;
    let handle = |core| Handle {
        core,
        closed: watch::Sender::new(false),
    };
    opened.map(handle).into()
}

#[napi]
impl Handle {
    #[napi]
    pub async fn close(&self) -> Outcome<()> {
        let closed = self.core.close().await;
        self.closed.send_replace(true);
        closed.into()
    }

    #[napi]
    pub async fn add_account(&self, account: Data<NewAccount>) -> Outcome<Data<Account>> {
        self.core.add_account(account.0).await.map(Data).into()
    }

    #[napi]
    pub async fn accounts(&self) -> Outcome<Data<Vec<Account>>> {
        self.core.accounts().await.map(Data).into()
    }

    #[napi]
    pub async fn remove_account(&self, account: String) -> Outcome<()> {
        self.core.remove_account(&account).await.into()
    }

    #[napi]
    pub async fn begin_sign_in(
        &self,
        account: String,
        flow: Data<SignInFlow>,
    ) -> Outcome<Data<SignInPrompt>> {
        let prompt = self.core.begin_sign_in(&account, flow.0).await;
        prompt.map(Data).into()
    }

    #[napi]
    pub async fn finish_sign_in(&self, prompt: Data<SignInPrompt>) -> Outcome<Data<TokenStatus>> {
        self.core.finish_sign_in(&prompt.0).await.map(Data).into()
    }

    #[napi]
    pub async fn access_token(&self, account: String) -> Outcome<Data<RevealedAccessToken>> {
        let token = self.core.revealed_access_token(&account).await;
        token.map(Data).into()
    }

    #[napi]
    pub async fn token_status(&self, account: String) -> Outcome<Data<TokenStatus>> {
        self.core.token_status(&account).await.map(Data).into()
    }

    #[napi]
    pub async fn send(&self, message: Data<Message>) -> Outcome<Data<Delivery>> {
        self.core.send(message.0).await.map(Data).into()
    }

    #[napi]
    pub async fn send_raw(
        &self,
        envelope: Data<Envelope>,
        mime: Data<Bytes>,
    ) -> Outcome<Data<Delivery>> {
        let delivery = self.core.send_raw(envelope.0, mime.0).await;
        delivery.map(Data).into()
    }

    #[napi]
    pub fn events(&self) -> EventReader {
        EventReader {
            events: self.core.events(),
            closed: self.closed.subscribe(),
        }
    }

    #[napi]
    pub fn explain(&self, evidence: Data<Evidence>) -> Data<Vec<Diagnosis>> {
        Data(self.core.explain(&evidence.0))
    }
}

#[napi]
impl EventReader {
    #[napi]
    pub async fn next(&self) -> Data<Option<Event>> {
        let mut closed = self.closed.clone();
        Data(tokio::select! {
            biased; // what happened before the end is still handed out
            event = self.events.next() => event,
            _ = closed.wait_for(|closed| *closed) => None,
        })
    }
}
