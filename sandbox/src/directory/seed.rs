//! The organisation every sandbox starts with, under fixed ids, so that examples and documentation can name them.
//! A sandbox started with [`crate::Population::Empty`] has the tenant and nothing else.

use super::{
    Application, ClientSecret, Directory, ExchangeServicePrincipal, MailboxPermission,
    MailboxRight, Platform, RedirectUri, Tenant, User,
};

/// The default tenant.
pub const TENANT_ID: &str = "5ab1f5c0-7d1e-4c5e-9a4b-3f0c2d6e8a10";
/// Its domain.
pub const DOMAIN: &str = "contoso.example";
/// A public client for people: device code flow, and authorization code with `http://localhost`.
pub const PUBLIC_CLIENT_ID: &str = "0d6c1e32-2f4b-4b7e-8f57-6a1b9c3d5e01";
/// A confidential client for services, allowed to send as alice and billing.
pub const SERVICE_CLIENT_ID: &str = "7b9e4a54-81c3-4d0f-9e6a-2c5d8f1a3b02";
/// Its secret; contains characters that a form must escape.
pub const SERVICE_CLIENT_SECRET: &str = "Sbx8Q~contoso.service-secret_for+tests~1";
/// A person with a mailbox, and with full rights on billing.
pub const ALICE: &str = "alice@contoso.example";
/// Alice's password.
pub const ALICE_PASSWORD: &str = "alice-Passw0rd!";
/// A person with a mailbox.
pub const BOB: &str = "bob@contoso.example";
/// Bob's password.
pub const BOB_PASSWORD: &str = "bob-Passw0rd!";
/// A shared mailbox.
pub const BILLING: &str = "billing@contoso.example";

pub(crate) fn add_tenant(directory: &Directory) {
    directory.add_tenant(Tenant {
        id: TENANT_ID.to_owned(),
        domains: vec![DOMAIN.to_owned(), "contoso.onmicrosoft.com".to_owned()],
        ..Tenant::default()
    });
}

pub(crate) fn add_contoso(directory: &Directory) {
    add_people(directory);
    add_public_client(directory);
    add_service(directory);
}

fn add_people(directory: &Directory) {
    directory.add_user(User {
        address: ALICE.to_owned(),
        display_name: "Alice Archer".to_owned(),
        password: ALICE_PASSWORD.to_owned(),
        aliases: vec!["alice.archer@contoso.example".to_owned()],
        ..User::default()
    });
    directory.add_user(User {
        address: BOB.to_owned(),
        display_name: "Bob Baker".to_owned(),
        password: BOB_PASSWORD.to_owned(),
        ..User::default()
    });
    directory.add_user(User {
        address: BILLING.to_owned(),
        display_name: "Billing".to_owned(),
        shared: true,
        licensed: false,
        ..User::default()
    });
    grant(directory, BILLING, ALICE, MailboxRight::FullAccess);
    grant(directory, BILLING, ALICE, MailboxRight::SendAs);
}

fn add_public_client(directory: &Directory) {
    directory.register(Application {
        client_id: PUBLIC_CLIENT_ID.to_owned(),
        display_name: "Sandbox mail client".to_owned(),
        multi_tenant: true,
        public_client: true,
        redirect_uris: ["http://localhost", "http://127.0.0.1"]
            .map(|uri| RedirectUri {
                platform: Platform::PublicClient,
                uri: uri.to_owned(),
            })
            .into(),
        ..Application::default()
    });
}

fn add_service(directory: &Directory) {
    let service = directory.register(Application {
        client_id: SERVICE_CLIENT_ID.to_owned(),
        display_name: "Sandbox mail service".to_owned(),
        secrets: vec![ClientSecret {
            value: SERVICE_CLIENT_SECRET.to_owned(),
            ..ClientSecret::default()
        }],
        application_permissions: [
            "https://outlook.office365.com/SMTP.SendAsApp",
            "https://graph.microsoft.com/Mail.Send",
            "https://graph.microsoft.com/Mail.ReadWrite",
        ]
        .map(str::to_owned)
        .into(),
        ..Application::default()
    });
    directory.add_service_principal(ExchangeServicePrincipal {
        app_id: service.client_id,
        object_id: service.service_principal_object_id,
    });
    for mailbox in [ALICE, BILLING] {
        grant(
            directory,
            mailbox,
            SERVICE_CLIENT_ID,
            MailboxRight::FullAccess,
        );
    }
}

fn grant(directory: &Directory, mailbox: &str, trustee: &str, right: MailboxRight) {
    directory.grant(MailboxPermission {
        mailbox: mailbox.to_owned(),
        trustee: trustee.to_owned(),
        right,
    });
}
