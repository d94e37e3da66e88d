//! Checks of who sends and as which application: names, mailbox, tenant, client id, client secret.
//! Only shapes are judged; whether they exist is for the server to say.

use super::certificate;
use super::clouds::Clouds;
use super::pkcs12;
use super::refusal;
use crate::error::{Error, Result};
use crate::model::{Cloud, Grant, GrantKind, NewAccount};

/// The tenant to sign in to, checked; empty where a custom cloud names none.
pub(super) fn tenant<'a>(account: &'a NewAccount, clouds: &'a Clouds) -> Result<&'a str> {
    let tenant = account.tenant.as_str();
    match account.cloud {
        Cloud::Custom => custom_tenant(tenant),
        Cloud::Personal => personal_tenant(tenant, clouds),
        _ => work_tenant(account, tenant),
    }
}

/// Checks the account's name.
pub(super) fn check_name(name: &str) -> Result<()> {
    let allowed = |character: char| character.is_ascii_alphanumeric() || "._-".contains(character);
    if (1..=64).contains(&name.len()) && name.chars().all(allowed) {
        return Ok(());
    }
    Err(refusal(
        "account-name-invalid",
        "the account's name is not 1 to 64 letters, digits, dots, underscores or hyphens",
        "Choose a short name such as `sales` or `newsletter-2`; it is yours alone and need not match the mailbox.",
    ))
}

/// Checks the mailbox, and that its domain can belong to the cloud.
pub(super) fn check_mailbox(account: &NewAccount, clouds: &Clouds) -> Result<()> {
    let mailbox = &account.mailbox;
    let address: lettre::Address = mailbox.parse().map_err(|_| {
        refusal(
            "mailbox-not-an-address",
            format!("the mailbox is not an e-mail address: {mailbox:?}"),
            "Give the full address the mailbox signs in with (its user principal name), such as `sales@contoso.com`.",
        )
    })?;
    let domain = address.domain().to_ascii_lowercase();
    let is_personal = clouds.personal_mailbox_domains.contains(&domain);
    if is_personal && !matches!(account.cloud, Cloud::Personal | Cloud::Custom) {
        return Err(refusal(
            "personal-account-unsupported",
            format!("a mailbox of {domain} is a personal account and belongs to no tenant"),
            "Set cloud to `personal` and leave the tenant empty, or name a work or school mailbox.",
        ));
    }
    Ok(())
}

/// Checks the client id.
pub(super) fn check_client_id(account: &NewAccount) -> Result<()> {
    let client_id = account.client_id.as_str();
    if client_id.is_empty() && needs_no_registration(&account.grant) {
        return Ok(());
    }
    let fix = "Copy `Application (client) ID` from the app registration's overview page in the Microsoft Entra admin center.";
    let mistake = match client_id {
        "" => "the client id is missing".to_owned(),
        id if id.trim() != id => "the client id has blanks around it".to_owned(),
        _ if account.cloud == Cloud::Custom => return Ok(()),
        id if is_nil_guid(id) || looks_like_placeholder(id) => {
            "the client id is a placeholder".to_owned()
        }
        id if is_guid(id) => return Ok(()),
        id if id.contains('@') => {
            "the client id is an e-mail address, not an application id".to_owned()
        }
        // What stands here may be a secret: it is not repeated.
        id if looks_like_secret(id) => {
            "the client id looks like a client secret, not an application id".to_owned()
        }
        _ => "the client id is not a GUID".to_owned(),
    };
    Err(refusal("client-id-invalid", mistake, fix))
}

/// Checks the grant and its secret against the cloud.
pub(super) fn check_grant(account: &NewAccount) -> Result<()> {
    let kind = account.grant.kind();
    let is_possible = kind.is_a_persons() || kind == GrantKind::TokenCommand;
    if account.cloud == Cloud::Personal && !is_possible {
        return Err(refusal(
            "personal-account-app-only",
            "a personal account cannot be used by an application that signs in as itself",
            "Let a person sign in (authorizationCode or deviceCode): nobody else can, to a personal account.",
        ));
    }
    match &account.grant {
        // Looked at for its shape only; no error repeats it.
        Grant::ClientSecret { client_secret } => {
            check_secret(client_secret.expose(), account.cloud)
        }
        Grant::ClientCertificate {
            certificate_pem,
            private_key_pem,
            private_key_passphrase,
        } => {
            let key = certificate::opened_key(private_key_pem, private_key_passphrase.as_ref())?;
            certificate::read(certificate_pem, &key).map(|_| ())
        }
        Grant::ClientCertificatePkcs12 { pkcs12, passphrase } => {
            pkcs12::open(pkcs12, passphrase).map(|_| ())
        }
        Grant::FederatedToken { token_file } => check_path(token_file.as_deref()),
        Grant::TokenCommand { command } => check_command(command),
        Grant::Password { username, password } => {
            check_login(username.as_deref(), password.expose())
        }
        Grant::AuthorizationCode | Grant::DeviceCode | Grant::ManagedIdentity | Grant::Nothing => {
            Ok(())
        }
    }
}

/// Tokens of these come without an app registration that we would have to name.
fn needs_no_registration(grant: &Grant) -> bool {
    matches!(grant, Grant::ManagedIdentity | Grant::TokenCommand { .. })
}

/// A password may hold anything but what ends it in PLAIN (RFC 4616); no error repeats it.
fn check_login(username: Option<&str>, password: &str) -> Result<()> {
    let is_sound = |text: &str| !text.is_empty() && !text.contains('\0');
    if username.is_some_and(|username| !is_sound(username)) {
        return Err(refusal(
            "username-invalid",
            "grant.username is empty or holds a NUL",
            "Give the name the server knows the mailbox by, or leave it out where that is the mailbox's address.",
        ));
    }
    if is_sound(password) && password.trim() == password {
        return Ok(());
    }
    Err(refusal(
        "password-invalid",
        "grant.password is empty, holds a NUL, or has blanks or line ends around it",
        "Give the password exactly as it is, or an app password where the provider asks for one.",
    ))
}

fn check_path(path: Option<&str>) -> Result<()> {
    match path {
        Some(path) if path.trim().is_empty() || path.contains('\0') => Err(refusal(
            "token-file-invalid",
            "grant.tokenFile is not a path",
            "Give the path of the file that holds the issuer's token, or leave it out where the environment names it.",
        )),
        _ => Ok(()),
    }
}

fn check_command(command: &[String]) -> Result<()> {
    let is_usable = command
        .first()
        .is_some_and(|program| !program.trim().is_empty())
        && command.iter().all(|part| !part.contains('\0'));
    is_usable.then_some(()).ok_or_else(|| {
        refusal(
            "token-command-invalid",
            "grant.command names no program",
            "Give the program and each of its arguments as an element of its own, such as `[\"az\", \"account\", \"get-access-token\"]`.",
        )
    })
}

/// Whether a text is a GUID in its usual form.
pub(super) fn is_guid(text: &str) -> bool {
    text.len() == 36
        && text.char_indices().all(|(index, character)| match index {
            8 | 13 | 18 | 23 => character == '-',
            _ => character.is_ascii_hexdigit(),
        })
}

fn check_secret(secret: &str, cloud: Cloud) -> Result<()> {
    if secret.trim().is_empty() {
        return Err(refusal(
            "secret-missing",
            "the client secret is empty",
            "Create a client secret under Certificates & secrets of the app registration and give its value.",
        ));
    }
    let quoted = ['"', '\'', '`', '“', '”', '‘', '’']
        .iter()
        .any(|quote| secret.starts_with(*quote) || secret.ends_with(*quote));
    if quoted || secret.trim() != secret || secret.chars().any(char::is_control) {
        return Err(refusal(
            "secret-mangled",
            "the client secret has quotation marks, blanks or line ends around it",
            "Give the secret's value exactly as the portal showed it: no quotation marks, no blanks, no line end.",
        ));
    }
    if cloud == Cloud::Custom {
        return Ok(());
    }
    if is_guid(secret) {
        return Err(refusal(
            "secret-id-instead-of-value",
            "the client secret is a GUID: that is the secret's ID, not its value",
            "Copy the `Value` column under Certificates & secrets. It is shown only once: create a new secret if it is gone.",
        ));
    }
    if looks_like_placeholder(secret) {
        return Err(refusal(
            "secret-wrong-value",
            "the client secret is a placeholder",
            "Create a client secret under Certificates & secrets of the app registration and give its value.",
        ));
    }
    Ok(())
}

fn custom_tenant(tenant: &str) -> Result<&str> {
    let allowed = |character: char| character.is_ascii_alphanumeric() || "-._~".contains(character);
    if tenant.chars().all(allowed) {
        return Ok(tenant);
    }
    Err(refusal(
        "tenant-invalid",
        "the tenant holds characters that cannot stand in an address",
        "Give the tenant as one path segment, or leave it empty and give endpoints.tokenUrl.",
    ))
}

fn personal_tenant<'a>(tenant: &'a str, clouds: &'a Clouds) -> Result<&'a str> {
    if tenant.is_empty() {
        let default = clouds.data(Cloud::Personal);
        return Ok(default
            .and_then(|data| data.default_tenant.as_deref())
            .unwrap_or_default());
    }
    if matches!(tenant, "consumers" | "common") {
        return Ok(tenant);
    }
    Err(refusal(
        "tenant-for-personal-account",
        "a personal account belongs to no tenant, but one is given",
        "Leave the tenant empty, or set cloud to `worldwide` for a work or school mailbox.",
    ))
}

fn work_tenant<'a>(account: &NewAccount, tenant: &'a str) -> Result<&'a str> {
    if tenant.is_empty() && needs_no_registration(&account.grant) {
        return Ok(tenant);
    }
    if is_guid(tenant) && tenant.eq_ignore_ascii_case(&account.client_id) {
        return Err(refusal(
            "tenant-is-client-id",
            "the tenant is the same GUID as the client id",
            "Copy `Directory (tenant) ID`, the other GUID on the app registration's overview page.",
        ));
    }
    if matches!(tenant, "common" | "organizations" | "consumers") {
        return shared_tenant(account, tenant);
    }
    match tenant_mistake(tenant) {
        Some(mistake) => Err(mistake),
        None => Ok(tenant),
    }
}

/// A tenant that stands for many: any account, any work account, any personal account.
fn shared_tenant<'a>(account: &NewAccount, tenant: &'a str) -> Result<&'a str> {
    match account.grant {
        Grant::AuthorizationCode | Grant::DeviceCode | Grant::TokenCommand { .. } => Ok(tenant),
        _ => Err(refusal(
            "tenant-not-concrete",
            format!("an application cannot sign in to {tenant}: it needs one tenant"),
            "Give the tenant's GUID or one of its verified domains; the overview page of the app registration shows it.",
        )),
    }
}

fn tenant_mistake(tenant: &str) -> Option<Error> {
    let fix = "Give `Directory (tenant) ID` from the app registration's overview page, or a verified domain such as `contoso.onmicrosoft.com`.";
    let text = match tenant {
        "" => {
            return Some(refusal("tenant-missing", "the tenant is missing", fix));
        }
        text if text.trim() != text => "the tenant has blanks around it",
        text if text.contains("://") => "the tenant is a whole address, not a GUID or a domain",
        text if text.contains('@') => "the tenant is an e-mail address, not a GUID or a domain",
        text if is_nil_guid(text) || looks_like_placeholder(text) => "the tenant is a placeholder",
        text if is_guid(text) || is_domain(text) => return None,
        _ => "the tenant is neither a GUID nor a domain",
    };
    Some(refusal("tenant-invalid", text, fix))
}

/// Whether a text is a domain name of at least two labels, in ASCII as Entra ID takes it.
fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .chars()
                .all(|character| character.is_ascii_alphanumeric() || character == '-')
    };
    let top_level = text.rsplit('.').next().unwrap_or_default();
    text.len() <= 253
        && text.contains('.')
        && text.split('.').all(label)
        && top_level
            .chars()
            .any(|character| character.is_ascii_alphabetic())
}

fn looks_like_placeholder(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    // Old generated secrets hold brackets by chance; a placeholder stands between a pair.
    let bracketed = [
        ("<", ">"),
        ("{", "}"),
        ("[", "]"),
        ("${", "}"),
        ("%", "%"),
        ("(", ")"),
    ]
    .iter()
    .any(|(open, close)| lower.len() > 2 && lower.starts_with(open) && lower.ends_with(close));
    let words = [
        "your-",
        "your_",
        "your ",
        "yourtenant",
        "yourclient",
        "tenant_id",
        "tenant-id",
        "tenantid",
        "client_id",
        "client-id",
        "clientid",
        "client_secret",
        "client-secret",
        "clientsecret",
        "placeholder",
        "changeme",
        "change-me",
        "xxxxxxxx",
        "********",
    ];
    bracketed || words.iter().any(|word| lower.contains(word))
}

/// The shape of Entra's generated secrets: about 40 letters and digits around a `~`.
fn looks_like_secret(text: &str) -> bool {
    text.contains('~') || (text.len() >= 30 && !text.contains([' ', '/']))
}

fn is_nil_guid(text: &str) -> bool {
    is_guid(text) && text.chars().all(|character| matches!(character, '0' | '-'))
}
