//! The stage of the demo: a sandbox, an app registration in it, and a handle with two accounts.

use super::{Place, SignIn, microseconds_since};
use crate::sandbox::{self, HOST};
use mailbearer::model::{
    Cloud, Config, Delivery, EndpointOverrides, Grant, Message, NewAccount, ProblemKind,
    SignInFlow, Step,
};
use mailbearer::{Error, Mailbearer, Result};
use mailbearer_sandbox::directory::{
    Application, ClientSecret, ExchangeServicePrincipal, MailboxPermission, MailboxRight, seed,
};
use mailbearer_sandbox::inbox::StoredMail;
use mailbearer_sandbox::{Options, Sandbox, SandboxError};
use std::sync::Arc;
use std::time::Instant;

/// The account of the person.
pub(super) const PERSON: &str = "alice";
/// The account of the application.
pub(super) const APPLICATION: &str = "billing";

/// A sandbox and a handle that uses it.
pub(super) struct Stage {
    sandbox: Sandbox,
    mailbearer: Mailbearer,
}

impl Stage {
    /// Starts the sandbox, registers an application there as an administrator would, and adds the two accounts.
    pub(super) async fn set() -> Result<Self> {
        let sandbox = sandbox::start(Options::default()).await?;
        let mailbearer = Mailbearer::open(Config::default()).await?;
        let application = register(&sandbox);
        let secret = application.secrets.into_iter().next();
        let secret = secret.map(|secret| secret.value).unwrap_or_default();
        let grant = Grant::ClientSecret {
            client_secret: secret.into(),
        };
        for (name, mailbox, grant) in [
            (PERSON, seed::ALICE, Grant::DeviceCode),
            (APPLICATION, seed::BILLING, grant),
        ] {
            let account = NewAccount {
                name: name.to_owned(),
                mailbox: mailbox.to_owned(),
                cloud: Cloud::Worldwide,
                tenant: seed::DOMAIN.to_owned(),
                client_id: application.client_id.clone(),
                grant,
                secret_expires_at_unix_ms: None,
                route: mailbearer::model::Route::default(),
                fallback: None,
                endpoints: endpoints(&sandbox),
            };
            mailbearer.add_account(account).await?;
        }
        Ok(Self {
            sandbox,
            mailbearer,
        })
    }

    pub(super) fn place(&self) -> Place {
        Place {
            identity_url: self.sandbox.identity_https_url(),
            smtp_server: format!("{HOST}:{}", self.sandbox.smtp_address().port()),
            inbox_url: self.sandbox.inbox_url(),
        }
    }

    /// Asks for a code, approves it as the person would on another device, and waits for the token.
    pub(super) async fn person_signs_in(&self) -> Result<SignIn> {
        let mut watch = Watch::start();
        let begun = self
            .mailbearer
            .begin_sign_in(PERSON, SignInFlow::DeviceCode);
        let prompt = begun.await?;
        watch.lap(&format!(
            "code {} from the sign-in server",
            prompt.user_code
        ));
        let approved = self.sandbox.approve_device(&prompt.user_code, seed::ALICE);
        approved.await.map_err(not_approved)?;
        watch.lap(&format!("the demo approves it as {}", seed::ALICE));
        let token = self.mailbearer.finish_sign_in(&prompt).await?;
        watch.lap("token from the sign-in server");
        let steps = watch.steps;
        Ok(SignIn { steps, token })
    }

    pub(super) async fn application_signs_in(&self) -> Result<SignIn> {
        let mut watch = Watch::start();
        self.mailbearer.access_token(APPLICATION).await?;
        watch.lap("token from the sign-in server");
        let token = self.mailbearer.token_status(APPLICATION).await?;
        let steps = watch.steps;
        Ok(SignIn { steps, token })
    }

    pub(super) async fn send(&self, message: Message) -> Result<Delivery> {
        self.mailbearer.send(message).await
    }

    /// What the sandbox says it has received.
    pub(super) fn inbox(&self) -> Vec<Arc<StoredMail>> {
        self.sandbox.inbox().mails()
    }

    pub(super) async fn clear(self) {
        self.sandbox.shutdown().await;
    }
}

/// Measures the steps of a sign-in.
struct Watch {
    start: Instant,
    steps: Vec<Step>,
}

impl Watch {
    fn start() -> Self {
        Self {
            start: Instant::now(),
            steps: Vec::new(),
        }
    }

    fn lap(&mut self, name: &str) {
        self.steps.push(Step {
            name: name.to_owned(),
            duration_us: microseconds_since(self.start),
        });
        self.start = Instant::now();
    }
}

/// One app registration for both sign-ins, known to Exchange and allowed to send as the shared mailbox.
fn register(sandbox: &Sandbox) -> Application {
    let directory = sandbox.tenant();
    let application = directory.register(Application {
        display_name: "Mailbearer demo".to_owned(),
        public_client: true,
        secrets: vec![ClientSecret::default()],
        application_permissions: vec!["https://outlook.office365.com/SMTP.SendAsApp".to_owned()],
        ..Application::default()
    });
    directory.add_service_principal(ExchangeServicePrincipal {
        app_id: application.client_id.clone(),
        object_id: application.service_principal_object_id.clone(),
    });
    directory.grant(MailboxPermission {
        mailbox: seed::BILLING.to_owned(),
        trustee: application.client_id.clone(),
        right: MailboxRight::FullAccess,
    });
    application
}

/// Scopes and audiences stay Microsoft's own: the sandbox speaks them.
fn endpoints(sandbox: &Sandbox) -> EndpointOverrides {
    EndpointOverrides {
        authority: Some(sandbox.identity_https_url()),
        smtp_host: Some(HOST.to_owned()),
        smtp_port: Some(sandbox.smtp_address().port()),
        ca_pem: Some(sandbox.ca_pem().to_owned()),
        ..EndpointOverrides::default()
    }
}

fn not_approved(error: SandboxError) -> Error {
    let text = format!("the sandbox did not take the code: {error}");
    let fix = "report this to Mailbearer's authors";
    Error::new(ProblemKind::Internal, "demo-not-approved", text, fix)
}
