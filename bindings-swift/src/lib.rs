//! The native library of the Swift package: each method of the handle in a line, open to cancellation.
//! What people see is in `Sources/Mailbearer`; the model's records are exported by the core itself.

mod cancellation;
mod log;

use cancellation::{Cancellation, Failure};
use mailbearer::model::{Passphrase, RevealedAccessToken};
use mailbearer::{
    Account, Bytes, Config, Delivery, Diagnosis, Envelope, Event, Events, Evidence, Mailbearer,
    Message, NewAccount, SignInFlow, SignInPrompt, TokenStatus, VaultRecord, VaultReport,
    VaultSettings,
};
use mailbearer_swift_sandbox as _; // in the same library, which a Swift program can have only one of
use std::sync::Arc;

uniffi::setup_scaffolding!();

type Result<T = ()> = std::result::Result<T, Failure>;

/// A handle of the core.
#[derive(uniffi::Object)]
struct Handle(Mailbearer);

/// A reader of events, which ends when its handle is closed or its cancellation is used.
#[derive(uniffi::Object)]
struct EventReader(Events);

#[uniffi::export(async_runtime = "tokio")]
impl Handle {
    #[uniffi::constructor]
    async fn open(config: Config, cancellation: Arc<Cancellation>) -> Result<Arc<Self>> {
        let core = cancellation.run(Mailbearer::open(config)).await?;
        Ok(Arc::new(Self(core)))
    }

    async fn close(&self, cancellation: Arc<Cancellation>) -> Result {
        cancellation.run(self.0.close()).await
    }

    async fn add_account(
        &self,
        account: NewAccount,
        cancellation: Arc<Cancellation>,
    ) -> Result<Account> {
        cancellation.run(self.0.add_account(account)).await
    }

    async fn accounts(&self, cancellation: Arc<Cancellation>) -> Result<Vec<Account>> {
        cancellation.run(self.0.accounts()).await
    }

    async fn remove_account(&self, account: String, cancellation: Arc<Cancellation>) -> Result {
        cancellation.run(self.0.remove_account(&account)).await
    }

    async fn begin_sign_in(
        &self,
        account: String,
        flow: SignInFlow,
        cancellation: Arc<Cancellation>,
    ) -> Result<SignInPrompt> {
        let begin = self.0.begin_sign_in(&account, flow);
        cancellation.run(begin).await
    }

    async fn finish_sign_in(
        &self,
        prompt: SignInPrompt,
        cancellation: Arc<Cancellation>,
    ) -> Result<TokenStatus> {
        cancellation.run(self.0.finish_sign_in(&prompt)).await
    }

    async fn access_token(
        &self,
        account: String,
        cancellation: Arc<Cancellation>,
    ) -> Result<RevealedAccessToken> {
        let token = self.0.revealed_access_token(&account);
        cancellation.run(token).await
    }

    async fn access_token_after(
        &self,
        account: String,
        refused: String,
        cancellation: Arc<Cancellation>,
    ) -> Result<RevealedAccessToken> {
        let token = self.0.revealed_access_token_after(&account, &refused);
        cancellation.run(token).await
    }

    async fn token_status(
        &self,
        account: String,
        cancellation: Arc<Cancellation>,
    ) -> Result<TokenStatus> {
        cancellation.run(self.0.token_status(&account)).await
    }

    async fn send(&self, message: Message, cancellation: Arc<Cancellation>) -> Result<Delivery> {
        cancellation.run(self.0.send(message)).await
    }

    async fn send_raw(
        &self,
        envelope: Envelope,
        mime: Bytes,
        cancellation: Arc<Cancellation>,
    ) -> Result<Delivery> {
        cancellation.run(self.0.send_raw(envelope, mime)).await
    }

    async fn vault_records(&self, cancellation: Arc<Cancellation>) -> Result<Vec<VaultRecord>> {
        cancellation.run(self.0.vault_records()).await
    }

    async fn check_vault(&self, cancellation: Arc<Cancellation>) -> Result<VaultReport> {
        cancellation.run(self.0.check_vault()).await
    }

    async fn rotate_vault(
        &self,
        passphrase: Passphrase,
        cancellation: Arc<Cancellation>,
    ) -> Result {
        cancellation.run(self.0.rotate_vault(passphrase)).await
    }

    async fn move_vault(
        &self,
        to: VaultSettings,
        cancellation: Arc<Cancellation>,
    ) -> Result<Vec<VaultRecord>> {
        cancellation.run(self.0.move_vault(to)).await
    }

    fn events(&self) -> Arc<EventReader> {
        Arc::new(EventReader(self.0.events()))
    }

    fn explain(&self, evidence: Evidence) -> Vec<Diagnosis> {
        self.0.explain(&evidence)
    }

    /// Not a method of the handle: what becomes of a fault of ours, for the tests. Nothing happens but in debug builds.
    async fn panic_for_tests(&self, cancellation: Arc<Cancellation>) -> Result {
        let panic = async {
            if cfg!(debug_assertions) {
                std::panic::resume_unwind(Box::new("as the test asks"));
            }
            Ok(())
        };
        cancellation.run(panic).await
    }
}

#[uniffi::export(async_runtime = "tokio")]
impl EventReader {
    async fn next(&self, cancellation: Arc<Cancellation>) -> Option<Event> {
        tokio::select! {
            biased; // what happened before the end is still handed out
            event = self.0.next() => event,
            () = cancellation.requested() => None,
        }
    }
}
