//! The native library of the Swift package: each method of the handle in a line, open to cancellation.
//! What people see is in `Sources/Mailbearer`; the model's records are exported by the core itself.

mod cancellation;

use cancellation::{Cancellation, Failure};
use mailbearer::model::RevealedAccessToken;
use mailbearer::{
    Account, Bytes, Config, Delivery, Diagnosis, Envelope, Event, Events, Evidence, Mailbearer,
    Message, NewAccount, SignInFlow, SignInPrompt, TokenStatus,
};
use std::sync::Arc;
use tokio::sync::watch;

uniffi::setup_scaffolding!();

type Result<T = ()> = std::result::Result<T, Failure>;

/// A handle of the core.
#[derive(uniffi::Object)]
struct Handle {
    core: Mailbearer,
    closed: watch::Sender<bool>,
}

/// A reader of events, which ends when its handle is closed or its cancellation is used.
#[derive(uniffi::Object)]
struct EventReader {
    events: Events,
    closed: watch::Receiver<bool>,
}

#[uniffi::export(async_runtime = "tokio")]
impl Handle {
    #[uniffi::constructor]
    async fn open(config: Config, cancellation: Arc<Cancellation>) -> Result<Arc<Self>> {
        let core = cancellation.run(Mailbearer::open(config)).await?;
        let closed = watch::Sender::new(false);
        Ok(Arc::new(Self { core, closed }))
    }

    async fn close(&self, cancellation: Arc<Cancellation>) -> Result {
        let closed = cancellation.run(self.core.close()).await;
        self.closed.send_replace(true);
        closed
    }

    async fn add_account(
        &self,
        account: NewAccount,
        cancellation: Arc<Cancellation>,
    ) -> Result<Account> {
        cancellation.run(self.core.add_account(account)).await
    }

    async fn accounts(&self, cancellation: Arc<Cancellation>) -> Result<Vec<Account>> {
        cancellation.run(self.core.accounts()).await
    }

    async fn remove_account(&self, account: String, cancellation: Arc<Cancellation>) -> Result {
        cancellation.run(self.core.remove_account(&account)).await
    }

    async fn begin_sign_in(
        &self,
        account: String,
        flow: SignInFlow,
        cancellation: Arc<Cancellation>,
    ) -> Result<SignInPrompt> {
        let begin = self.core.begin_sign_in(&account, flow);
        cancellation.run(begin).await
    }

    async fn finish_sign_in(
        &self,
        prompt: SignInPrompt,
        cancellation: Arc<Cancellation>,
    ) -> Result<TokenStatus> {
        cancellation.run(self.core.finish_sign_in(&prompt)).await
    }

    async fn access_token(
        &self,
        account: String,
        cancellation: Arc<Cancellation>,
    ) -> Result<RevealedAccessToken> {
        let token = self.core.revealed_access_token(&account);
        cancellation.run(token).await
    }

    async fn token_status(
        &self,
        account: String,
        cancellation: Arc<Cancellation>,
    ) -> Result<TokenStatus> {
        cancellation.run(self.core.token_status(&account)).await
    }

    async fn send(&self, message: Message, cancellation: Arc<Cancellation>) -> Result<Delivery> {
        cancellation.run(self.core.send(message)).await
    }

    async fn send_raw(
        &self,
        envelope: Envelope,
        mime: Bytes,
        cancellation: Arc<Cancellation>,
    ) -> Result<Delivery> {
        cancellation.run(self.core.send_raw(envelope, mime)).await
    }

    fn events(&self) -> Arc<EventReader> {
        Arc::new(EventReader {
            events: self.core.events(),
            closed: self.closed.subscribe(),
        })
    }

    fn explain(&self, evidence: Evidence) -> Vec<Diagnosis> {
        self.core.explain(&evidence)
    }
}

#[uniffi::export(async_runtime = "tokio")]
impl EventReader {
    async fn next(&self, cancellation: Arc<Cancellation>) -> Option<Event> {
        let mut closed = self.closed.clone();
        tokio::select! {
            biased; // what happened before the end is still handed out
            event = self.events.next() => event,
            _ = closed.wait_for(|closed| *closed) => None,
            () = cancellation.requested() => None,
        }
    }
}
