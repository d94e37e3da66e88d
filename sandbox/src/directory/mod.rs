//! The directory of the sandbox: tenants, applications, people and mailboxes, in memory, changeable at any time.
//! It answers questions about what exists; the decisions are taken by the identity and SMTP servers.

use std::sync::{Arc, Mutex};

use crate::clock::SandboxClock;
use crate::random::Random;
use crate::secrets::SecretLedger;
use crate::sync::lock;

mod application;
mod exchange;
pub mod seed;
mod tenant;
mod user;

pub use application::{
    Application, ClientSecret, FederatedCredential, Platform, RedirectUri, Rotation,
};
pub use exchange::{ExchangeServicePrincipal, MailboxPermission, MailboxRight, RoleAssignment};
pub use tenant::{BasicSmtpAuth, Tenant};
pub use user::User;

/// Everything an administrator can see; clones share it.
#[derive(Clone, Debug)]
pub struct Directory {
    state: Arc<Mutex<State>>,
    clock: SandboxClock,
    random: Random,
    secrets: SecretLedger,
}

/// A copy of the directory's content.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Snapshot {
    /// The first one is the default tenant.
    pub tenants: Vec<Tenant>,
    /// All registrations of all tenants.
    pub applications: Vec<Application>,
    /// People and shared mailboxes of all tenants.
    pub users: Vec<User>,
    /// Rights on mailboxes.
    pub permissions: Vec<MailboxPermission>,
    /// Applications that Exchange knows.
    pub service_principals: Vec<ExchangeServicePrincipal>,
    /// RBAC for Applications.
    pub role_assignments: Vec<RoleAssignment>,
    /// Recipients that are refused whatever the directory says.
    pub refused_recipients: Vec<RefusedAddress>,
}

/// A recipient address and the reply RCPT gets for it.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefusedAddress {
    /// The recipient's address.
    pub address: String,
    /// A reply of the catalogue by name, or a literal one such as `452 4.5.3 Too many recipients`.
    pub reply: String,
}

impl Directory {
    pub(crate) fn new(clock: SandboxClock, random: Random, secrets: SecretLedger) -> Self {
        Self {
            state: Arc::default(),
            clock,
            random,
            secrets,
        }
    }

    /// Adds a tenant; the first one is the default tenant. Fills in the id if it is empty.
    pub fn add_tenant(&self, mut tenant: Tenant) -> Tenant {
        self.fill_id(&mut tenant.id);
        lock(&self.state).tenants.push(tenant.clone());
        tenant
    }

    /// The tenant with this name, added first if it does not exist yet.
    pub(crate) fn find_or_add_tenant(&self, name: &str, mut tenant: Tenant) -> Tenant {
        self.fill_id(&mut tenant.id);
        let mut state = lock(&self.state);
        if let Some(known) = state.tenants.iter().find(|known| known.answers_to(name)) {
            return known.clone();
        }
        state.tenants.push(tenant.clone());
        tenant
    }

    /// Registers an application, or replaces the one with the same client id. Fills in empty ids and secret values.
    pub fn register(&self, mut application: Application) -> Application {
        self.fill_id(&mut application.client_id);
        self.fill_id(&mut application.object_id);
        self.fill_id(&mut application.service_principal_object_id);
        if application.tenant_id.is_empty() {
            application.tenant_id = self.default_tenant_id();
        }
        for secret in &mut application.secrets {
            self.complete_secret(secret);
        }
        let mut state = lock(&self.state);
        state
            .applications
            .retain(|known| known.client_id != application.client_id);
        state.applications.push(application.clone());
        application
    }

    /// Adds a secret to an application and returns it, value included; `None` if there is no such application.
    pub fn add_secret(&self, client_id: &str, mut secret: ClientSecret) -> Option<ClientSecret> {
        self.complete_secret(&mut secret);
        let added = secret.clone();
        self.change_application(client_id, |application| application.secrets.push(secret))
            .map(|_| added)
    }

    /// Adds a person or a shared mailbox, or replaces the one with the same address. Fills in empty ids.
    pub fn add_user(&self, mut user: User) -> User {
        self.fill_id(&mut user.object_id);
        if user.tenant_id.is_empty() {
            user.tenant_id = self
                .tenant_of_address(&user.address)
                .unwrap_or_else(|| self.default_tenant_id());
        }
        if user.display_name.is_empty() {
            user.display_name = user
                .address
                .split('@')
                .next()
                .unwrap_or_default()
                .to_owned();
        }
        self.secrets.note(&user.password);
        let mut state = lock(&self.state);
        state
            .users
            .retain(|known| !known.address.eq_ignore_ascii_case(&user.address));
        state.users.push(user.clone());
        user
    }

    /// Grants a right on a mailbox.
    pub fn grant(&self, permission: MailboxPermission) {
        lock(&self.state).permissions.push(permission);
    }

    /// Makes an application known to Exchange.
    pub fn add_service_principal(&self, service_principal: ExchangeServicePrincipal) {
        lock(&self.state).service_principals.push(service_principal);
    }

    /// Assigns the role `Application SMTP.SendAsApp`.
    pub fn assign_role(&self, assignment: RoleAssignment) {
        lock(&self.state).role_assignments.push(assignment);
    }

    /// Lets RCPT refuse this address from now on.
    pub fn refuse_recipient(&self, refused: RefusedAddress) {
        lock(&self.state).refused_recipients.push(refused);
    }

    /// Changes a tenant, named by id or domain, and returns it.
    pub fn change_tenant(&self, name: &str, change: impl FnOnce(&mut Tenant)) -> Option<Tenant> {
        let mut state = lock(&self.state);
        let tenant = state
            .tenants
            .iter_mut()
            .find(|tenant| tenant.answers_to(name))?;
        change(tenant);
        Some(tenant.clone())
    }

    /// Changes an application and returns it.
    pub fn change_application(
        &self,
        client_id: &str,
        change: impl FnOnce(&mut Application),
    ) -> Option<Application> {
        let mut state = lock(&self.state);
        let same = |known: &&mut Application| known.client_id.eq_ignore_ascii_case(client_id);
        let application = state.applications.iter_mut().find(same)?;
        change(application);
        for secret in &application.secrets {
            self.secrets.note(&secret.value);
        }
        Some(application.clone())
    }

    /// Changes a person or mailbox and returns it.
    pub fn change_user(&self, address: &str, change: impl FnOnce(&mut User)) -> Option<User> {
        let mut state = lock(&self.state);
        let user = state.users.iter_mut().find(|user| user.receives(address))?;
        change(user);
        self.secrets.note(&user.password);
        Some(user.clone())
    }

    /// Revokes everything granted to this person so far: refresh tokens answer AADSTS50173.
    pub fn revoke_sessions(&self, address: &str) -> Option<User> {
        // One millisecond later than now, so that a grant made in this very millisecond is covered.
        let from = self.clock.now_unix_ms() + 1;
        self.change_user(address, |user| user.tokens_valid_from_unix_ms = from)
    }

    /// Takes away every mailbox permission that matches.
    pub fn withdraw(&self, matches: impl Fn(&MailboxPermission) -> bool) {
        lock(&self.state)
            .permissions
            .retain(|permission| !matches(permission));
    }

    /// Forgets every service principal and role assignment of an application in Exchange.
    pub fn remove_service_principal(&self, app_id: &str) {
        let mut state = lock(&self.state);
        state
            .service_principals
            .retain(|known| !known.app_id.eq_ignore_ascii_case(app_id));
        state
            .role_assignments
            .retain(|known| !known.app_id.eq_ignore_ascii_case(app_id));
    }

    /// A copy of everything, secrets included: they are fake.
    pub fn snapshot(&self) -> Snapshot {
        lock(&self.state).clone()
    }

    /// The application with this client id.
    pub fn application(&self, client_id: &str) -> Option<Application> {
        let state = lock(&self.state);
        state
            .applications
            .iter()
            .find(|known| known.client_id.eq_ignore_ascii_case(client_id))
            .cloned()
    }

    /// The managed identity with this client id, or the first one there is.
    pub(crate) fn managed_identity(&self, client_id: Option<&str>) -> Option<Application> {
        let state = lock(&self.state);
        let mut identities = state
            .applications
            .iter()
            .filter(|known| known.managed_identity);
        let wanted = |known: &&Application| {
            client_id.is_none_or(|wanted| known.client_id.eq_ignore_ascii_case(wanted))
        };
        identities.find(wanted).cloned()
    }

    /// The person or mailbox that receives mail for this address.
    pub fn user(&self, address: &str) -> Option<User> {
        lock(&self.state)
            .users
            .iter()
            .find(|user| user.receives(address))
            .cloned()
    }

    /// The tenant with this id or domain.
    pub fn tenant(&self, name: &str) -> Option<Tenant> {
        lock(&self.state)
            .tenants
            .iter()
            .find(|tenant| tenant.answers_to(name))
            .cloned()
    }

    /// The tenant that unknown names stand in for; the first one added.
    pub fn default_tenant(&self) -> Option<Tenant> {
        lock(&self.state).tenants.first().cloned()
    }

    /// Whether the trustee, an address or a client id, holds this right.
    pub(crate) fn holds_right(&self, trustee: &str, right: MailboxRight, mailbox: &str) -> bool {
        lock(&self.state).permissions.iter().any(|permission| {
            permission.right == right
                && permission.trustee.eq_ignore_ascii_case(trustee)
                && permission.mailbox.eq_ignore_ascii_case(mailbox)
        })
    }

    /// Whether Exchange knows the application under the object id of its enterprise application.
    pub(crate) fn exchange_knows(&self, application: &Application) -> bool {
        lock(&self.state).service_principals.iter().any(|known| {
            known.app_id.eq_ignore_ascii_case(&application.client_id)
                && known
                    .object_id
                    .eq_ignore_ascii_case(&application.service_principal_object_id)
        })
    }

    /// Whether a role assignment of the application covers the mailbox.
    pub(crate) fn role_covers(&self, app_id: &str, mailbox: &str) -> bool {
        let matches = |known: &RoleAssignment| {
            known.app_id.eq_ignore_ascii_case(app_id) && known.covers(mailbox)
        };
        lock(&self.state).role_assignments.iter().any(matches)
    }

    /// The reply RCPT must give for this address, if one was set.
    pub(crate) fn recipient_refusal(&self, address: &str) -> Option<String> {
        let state = lock(&self.state);
        let refused = state
            .refused_recipients
            .iter()
            .rev()
            .find(|known| known.address.eq_ignore_ascii_case(address));
        refused.map(|known| known.reply.clone())
    }

    fn default_tenant_id(&self) -> String {
        self.default_tenant()
            .map(|tenant| tenant.id)
            .unwrap_or_default()
    }

    fn tenant_of_address(&self, address: &str) -> Option<String> {
        let (_, domain) = address.rsplit_once('@')?;
        self.tenant(domain).map(|tenant| tenant.id)
    }

    fn fill_id(&self, id: &mut String) {
        if id.is_empty() {
            *id = self.random.guid();
        }
    }

    fn complete_secret(&self, secret: &mut ClientSecret) {
        self.fill_id(&mut secret.key_id);
        if secret.value.is_empty() {
            secret.value = format!(
                "{}8Q~{}",
                self.random.text(3, SECRET_ALPHABET),
                self.random.text(34, SECRET_ALPHABET)
            );
        }
        if secret.expires_at_unix_ms == 0 {
            secret.expires_at_unix_ms = self.clock.now_unix_ms() + SECRET_LIFETIME_MS;
        }
        self.secrets.note(&secret.value);
    }
}

type State = Snapshot;

/// What the values of real secrets are made of; `~` and `.` are the ones that need care in a form.
const SECRET_ALPHABET: &[u8] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";

/// The portal's longest choice, 24 months (730 days).
const SECRET_LIFETIME_MS: i64 = 730 * 24 * 3600 * 1000;
