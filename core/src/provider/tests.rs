//! One row per rule and mistake: a change to settings that pass, and the code it must be refused with.

use super::*;
use crate::model::Grant;
use crate::secret::SecretText;

const TENANT: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";
const CLIENT: &str = "7c9e6679-7425-40de-944b-e07fc1f90ae7";
const SECRET: &str = "abc8Q~0123456789abcdefghijklmnopqrstuvwx";
const PEM: &str = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";

fn person() -> NewAccount {
    NewAccount {
        name: "sales".to_owned(),
        mailbox: "sales@contoso.com".to_owned(),
        cloud: Cloud::Worldwide,
        tenant: TENANT.to_owned(),
        client_id: CLIENT.to_owned(),
        grant: Grant::DeviceCode,
        secret_expires_at_unix_ms: None,
        route: Route::default(),
        fallback: None,
        endpoints: EndpointOverrides::default(),
    }
}

fn secret(value: &str) -> Grant {
    Grant::ClientSecret {
        client_secret: SecretText::new(value.to_owned()),
    }
}

fn application() -> NewAccount {
    NewAccount {
        grant: secret(SECRET),
        ..person()
    }
}

fn custom() -> NewAccount {
    NewAccount {
        cloud: Cloud::Custom,
        secret_expires_at_unix_ms: None,
        route: Route::default(),
        fallback: None,
        endpoints: EndpointOverrides {
            authority: Some("http://127.0.0.1:8080".to_owned()),
            scopes: Some(vec!["smtp".to_owned()]),
            smtp_host: Some("localhost".to_owned()),
            smtp_port: Some(2587),
            ca_pem: Some(PEM.to_owned()),
            ..EndpointOverrides::default()
        },
        ..person()
    }
}

fn personal() -> NewAccount {
    NewAccount {
        cloud: Cloud::Personal,
        tenant: String::new(),
        mailbox: "jane@outlook.com".to_owned(),
        ..person()
    }
}

fn words(scopes: &[&str]) -> Option<Vec<String>> {
    Some(scopes.iter().map(|scope| (*scope).to_owned()).collect())
}

/// `expected` is the code of the refusal, or empty where the settings must pass.
fn check_from(start: NewAccount, change: impl FnOnce(&mut NewAccount), expected: &str) {
    let mut account = start;
    change(&mut account);
    match endpoints(&account) {
        Ok(_) => assert_eq!(expected, "", "passes: {account:?}"),
        Err(error) => {
            assert_eq!(error.code(), expected, "{error} for {account:?}");
            assert_eq!(error.kind(), ProblemKind::Config);
            assert!(!error.problem().fix.is_empty(), "{expected}");
            assert!(
                !format!("{error:?}").contains(SECRET),
                "{expected} shows the secret"
            );
        }
    }
}

fn check(change: impl FnOnce(&mut NewAccount), expected: &str) {
    check_from(person(), change, expected);
}

fn check_app(change: impl FnOnce(&mut NewAccount), expected: &str) {
    check_from(application(), change, expected);
}

#[test]
fn resolves_the_endpoints_of_each_cloud() {
    fn check(cloud: Cloud, token_url: &str, scope: &str, smtp_host: &str) {
        let account = NewAccount {
            cloud,
            tenant: if cloud == Cloud::Personal {
                String::new()
            } else {
                TENANT.to_owned()
            },
            ..person()
        };
        let resolved = endpoints(&account).unwrap();
        assert_eq!(resolved.token_url, token_url.replace("{tenant}", TENANT));
        assert_eq!(
            resolved.device_authorization_url.unwrap(),
            resolved.token_url.replace("/token", "/devicecode")
        );
        assert_eq!(resolved.scopes, [scope, "offline_access"]);
        assert_eq!(resolved.smtp_host, smtp_host);
        assert_eq!(resolved.smtp_port, 587);
        assert!(!resolved.audiences.is_empty());
    }
    check(
        Cloud::Worldwide,
        "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",
        "https://outlook.office.com/SMTP.Send",
        "smtp.office365.com",
    );
    check(
        Cloud::UsGovernmentHigh,
        "https://login.microsoftonline.us/{tenant}/oauth2/v2.0/token",
        "https://outlook.office365.us/SMTP.Send",
        "smtp.office365.us",
    );
    check(
        Cloud::UsGovernmentDod,
        "https://login.microsoftonline.us/{tenant}/oauth2/v2.0/token",
        "https://outlook-dod.office365.us/SMTP.Send",
        "outlook-dod.office365.us",
    );
    check(
        Cloud::China,
        "https://login.partner.microsoftonline.cn/{tenant}/oauth2/v2.0/token",
        "https://partner.outlook.cn/SMTP.Send",
        "smtp.partner.outlook.cn",
    );
    check(
        Cloud::Personal,
        "https://login.microsoftonline.com/consumers/oauth2/v2.0/token",
        "https://outlook.office.com/SMTP.Send",
        "smtp-mail.outlook.com",
    );
}

#[test]
fn an_application_asks_for_the_default_scope_and_needs_no_device_address() {
    let resolved = endpoints(&application()).unwrap();
    assert_eq!(resolved.scopes, ["https://outlook.office365.com/.default"]);
    assert_eq!(resolved.device_authorization_url, None);
}

#[test]
fn a_custom_cloud_takes_everything_from_the_overrides() {
    let resolved = endpoints(&custom()).unwrap();
    let base = format!("http://127.0.0.1:8080/{TENANT}/oauth2/v2.0");
    assert_eq!(resolved.token_url, format!("{base}/token"));
    assert_eq!(
        resolved.device_authorization_url.unwrap(),
        format!("{base}/devicecode")
    );
    assert_eq!(resolved.smtp_port, 2587);
    assert_eq!(resolved.audiences, Vec::<String>::new());
    assert_eq!(resolved.ca_pem.as_deref(), Some(PEM));
    let with_urls = |account: &mut NewAccount| {
        account.tenant = String::new();
        account.endpoints.authority = None;
        account.endpoints.token_url = Some("https://id.example.org/token".to_owned());
        account.endpoints.device_authorization_url =
            Some("https://id.example.org/device".to_owned());
        account.endpoints.smtp_port = None;
    };
    check_from(custom(), with_urls, "");
}

#[test]
fn names_every_missing_setting_of_a_custom_cloud_at_once() {
    let account = NewAccount {
        secret_expires_at_unix_ms: None,
        route: Route::default(),
        fallback: None,
        endpoints: EndpointOverrides::default(),
        ..custom()
    };
    let error = endpoints(&account).unwrap_err();
    assert_eq!(error.code(), "custom-cloud-incomplete");
    for setting in [
        "endpoints.tokenUrl",
        "endpoints.scopes",
        "endpoints.smtpHost",
    ] {
        assert!(error.to_string().contains(setting), "{error}");
    }
    let incomplete = "custom-cloud-incomplete";
    check_from(custom(), |it| it.tenant.clear(), incomplete);
    let only_token_url = |it: &mut NewAccount| {
        it.endpoints.authority = None;
        it.endpoints.token_url = Some("https://id.example.org/token".to_owned());
    };
    check_from(custom(), only_token_url, incomplete);
    let app_with_token_url = |it: &mut NewAccount| {
        only_token_url(it);
        it.grant = secret("hunter2");
    };
    check_from(custom(), app_with_token_url, "");
}

#[test]
fn checks_the_account_name() {
    for bad in ["", "a b", "ä", "a/b", "line\nend", &"x".repeat(65)] {
        check(|it| bad.clone_into(&mut it.name), "account-name-invalid");
    }
    check(|it| it.name = "Sales_2.test-".to_owned(), "");
    check(|it| it.name = "x".repeat(64), "");
}

#[test]
fn checks_the_mailbox() {
    for bad in [
        "",
        "sales",
        "sales@",
        "@contoso.com",
        "a b@contoso.com",
        "a@contoso.com\r\nRCPT TO:<b@c.com>",
    ] {
        check(
            |it| bad.clone_into(&mut it.mailbox),
            "mailbox-not-an-address",
        );
    }
    for bad in [
        "jane@outlook.com",
        "jane@HotMail.com",
        "jane@live.com",
        "jane@msn.com",
    ] {
        check(
            |it| bad.clone_into(&mut it.mailbox),
            "personal-account-unsupported",
        );
    }
    check(|it| it.mailbox = "jane@outlook.contoso.com".to_owned(), "");
    check_from(personal(), |_| (), "");
    check_from(
        personal(),
        |it| it.mailbox = "jane@example.org".to_owned(),
        "",
    );
}

#[test]
fn checks_the_tenant() {
    let invalid = "tenant-invalid";
    for bad in [
        "YOUR_TENANT_ID",
        "<tenant>",
        "{tenant-id}",
        "00000000-0000-0000-0000-000000000000",
        "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx",
        "https://login.microsoftonline.com/contoso.com",
        "admin@contoso.com",
        " contoso.com",
        "contoso.com ",
        "contoso",
        "con toso.com",
        "contoso..com",
        "0f8fad5b-d9cb-469f-a165-70867728950",
        "10.0.0.1",
        "contoso.com/../common",
    ] {
        check(|it| bad.clone_into(&mut it.tenant), invalid);
        check_app(|it| bad.clone_into(&mut it.tenant), invalid);
    }
    check(|it| it.tenant.clear(), "tenant-missing");
    check(
        |it| it.tenant = CLIENT.to_ascii_uppercase(),
        "tenant-is-client-id",
    );
    check(|it| it.tenant = "contoso.onmicrosoft.com".to_owned(), "");
    check_from(custom(), |it| it.tenant = "a/b".to_owned(), invalid);
}

#[test]
fn an_application_needs_one_concrete_tenant() {
    for shared in ["common", "organizations", "consumers"] {
        check(|it| shared.clone_into(&mut it.tenant), "");
        check_app(
            |it| shared.clone_into(&mut it.tenant),
            "tenant-not-concrete",
        );
    }
}

#[test]
fn a_personal_account_has_no_tenant_and_no_application() {
    check_from(
        personal(),
        |it| it.tenant = TENANT.to_owned(),
        "tenant-for-personal-account",
    );
    check_from(personal(), |it| it.tenant = "consumers".to_owned(), "");
    check_from(
        personal(),
        |it| it.grant = secret(SECRET),
        "personal-account-app-only",
    );
}

#[test]
fn checks_the_client_id() {
    let invalid = "client-id-invalid";
    for bad in [
        "",
        " ",
        "YOUR_CLIENT_ID",
        "<client id>",
        "00000000-0000-0000-0000-000000000000",
        "jane@contoso.com",
        "my app",
        SECRET,
        "7c9e6679-7425-40de-944b-e07fc1f90ae7 ",
    ] {
        check(|it| bad.clone_into(&mut it.client_id), invalid);
    }
    check_from(custom(), |it| it.client_id = "my-app".to_owned(), "");
    check_from(custom(), |it| it.client_id.clear(), invalid);
}

#[test]
fn checks_the_client_secret() {
    fn check_secret(value: &str, expected: &str) {
        check_app(|it| it.grant = secret(value), expected);
    }
    check_secret("", "secret-missing");
    check_secret("  ", "secret-missing");
    check_secret(TENANT, "secret-id-instead-of-value");
    check_secret("\"abc8Q~0123\"", "secret-mangled");
    check_secret("'abc8Q~0123'", "secret-mangled");
    check_secret(" abc8Q~0123", "secret-mangled");
    check_secret("abc8Q~0123\n", "secret-mangled");
    check_secret("YOUR_CLIENT_SECRET", "secret-wrong-value");
    check_secret("<secret>", "secret-wrong-value");
    check_secret("a[b]c]:old/Generated=Secret%", "");
    check_from(custom(), |it| it.grant = secret(TENANT), "");
    check_from(
        custom(),
        |it| it.grant = secret("\"hunter2\""),
        "secret-mangled",
    );
}

#[test]
fn checks_the_addresses() {
    let authority = |value: &'static str| {
        move |it: &mut NewAccount| it.endpoints.authority = Some(value.to_owned())
    };
    let token_url = |value: &'static str| {
        move |it: &mut NewAccount| it.endpoints.token_url = Some(value.to_owned())
    };
    check(
        authority("http://login.microsoftonline.com"),
        "plaintext-endpoint",
    );
    check(
        token_url("http://login.example.org/token"),
        "plaintext-endpoint",
    );
    check(
        authority("http://127.0.0.1.example.org"),
        "plaintext-endpoint",
    );
    check(authority("http://127.0.0.1:8080/"), "");
    check(authority("http://[::1]:8080"), "");
    check(authority("http://localhost:8080"), "");
    for bad in [
        "",
        "login.microsoftonline.com",
        "https://",
        "https:///token",
        "https://user:secret@login.example.org",
        "ftp://login.example.org",
        "https://login.example.org:0",
        "https://login.example.org:99999",
        "https://login example.org",
    ] {
        check(authority(bad), "url-malformed");
        check(token_url(bad), "url-malformed");
    }
    check(
        authority("https://login.microsoftonline.com/contoso.com"),
        "url-malformed",
    );
    check(authority("https://login.microsoftonline.com/"), "");
    for bad in [
        "https://login.microsoftonline.com/contoso.com/oauth2/v2.0/authorize",
        "https://login.microsoftonline.com/contoso.com/oauth2/token",
    ] {
        check(token_url(bad), "wrong-token-endpoint");
    }
    let device = |it: &mut NewAccount| {
        it.endpoints.device_authorization_url = Some("http://example.org/device".to_owned());
    };
    check(device, "plaintext-endpoint");
}

#[test]
fn checks_the_scopes_of_a_person() {
    fn check_scopes(scopes: &[&str], expected: &str) {
        check(|it| it.endpoints.scopes = words(scopes), expected);
    }
    check_scopes(
        &["https://outlook.office.com/SMTP.Send", "offline_access"],
        "",
    );
    check_scopes(
        &[
            "https://outlook.office365.com/SMTP.Send",
            "offline_access",
            "openid",
        ],
        "",
    );
    check_scopes(
        &["https://outlook.office.com/SMTP.Send"],
        "offline-access-missing",
    );
    check_scopes(
        &["https://graph.microsoft.com/Mail.Send", "offline_access"],
        "wrong-scope-audience",
    );
    check_scopes(&["SMTP.Send", "offline_access"], "wrong-scope-audience");
    check_scopes(
        &["https://ps.outlook.com/.default", "offline_access"],
        "wrong-scope-audience",
    );
    check_scopes(
        &[
            "https://outlook.office.com/IMAP.AccessAsUser.All",
            "offline_access",
        ],
        "scope-without-smtp-send",
    );
    check_scopes(&["offline_access"], "scope-without-smtp-send");
    check_scopes(
        &[
            "https://outlook.office.com/SMTP.Send",
            "https://graph.microsoft.com/User.Read",
            "offline_access",
        ],
        "scope-mixed-resources",
    );
    check_scopes(
        &["https://outlook.office365.us/SMTP.Send", "offline_access"],
        "wrong-cloud-endpoint",
    );
    check_scopes(&[], "scope-malformed");
    check_scopes(
        &["https://outlook.office.com/SMTP.Send offline_access"],
        "scope-malformed",
    );
    check_scopes(
        &["https://outlook.office.com/SMTP.Send,offline_access"],
        "scope-malformed",
    );
    check_from(
        custom(),
        |it| it.endpoints.scopes = words(&["a b"]),
        "scope-malformed",
    );
}

#[test]
fn checks_the_scopes_of_an_application() {
    fn check_scopes(scopes: &[&str], expected: &str) {
        check_app(|it| it.endpoints.scopes = words(scopes), expected);
    }
    check_scopes(&["https://outlook.office365.com/.default"], "");
    check_scopes(
        &["https://outlook.office365.com/SMTP.Send"],
        "scope-not-default",
    );
    check_scopes(
        &["https://outlook.office365.com/SMTP.SendAsApp"],
        "scope-not-default",
    );
    check_scopes(
        &["https://outlook.office365.com/.default", "offline_access"],
        "scope-not-default",
    );
    check_scopes(
        &["https://graph.microsoft.com/.default"],
        "wrong-scope-audience",
    );
    check_scopes(
        &["https://outlook.office365.us/.default"],
        "wrong-cloud-endpoint",
    );
}

#[test]
fn checks_the_audiences() {
    fn check_audiences(audiences: &[&str], expected: &str) {
        check(|it| it.endpoints.audiences = words(audiences), expected);
    }
    check_audiences(&[], "");
    check_audiences(&["https://outlook.office.com"], "");
    check_audiences(&["https://graph.microsoft.com"], "wrong-scope-audience");
    check_audiences(
        &["00000003-0000-0000-c000-000000000000"],
        "wrong-scope-audience",
    );
}

#[test]
fn checks_the_smtp_host_and_port() {
    fn check_smtp(host: Option<&str>, port: Option<u16>, expected: &str) {
        let change = |it: &mut NewAccount| {
            it.endpoints.smtp_host = host.map(str::to_owned);
            it.endpoints.smtp_port = port;
        };
        check(change, expected);
    }
    check_smtp(None, None, "");
    check_smtp(None, Some(587), "");
    check_smtp(None, Some(465), "wrong-port-or-security");
    check_smtp(None, Some(25), "wrong-port-or-security");
    check_smtp(
        Some("SMTP.office365.com."),
        Some(465),
        "wrong-port-or-security",
    );
    check_smtp(
        Some("relay.example.org"),
        Some(465),
        "wrong-port-or-security",
    );
    check_smtp(Some("relay.example.org"), Some(2525), "");
    check_smtp(None, Some(0), "smtp-port-invalid");
    check_smtp(Some("40.99.46.226"), None, "smtp-host-is-ip-address");
    check_smtp(Some("2603:1026::1"), None, "smtp-host-is-ip-address");
    check_smtp(Some("127.0.0.1"), Some(2587), "");
    check_smtp(Some("localhost"), Some(2587), "");
    check_smtp(
        Some("contoso-com.mail.protection.outlook.com"),
        None,
        "wrong-host",
    );
    check_smtp(Some("contoso-com.b-v1.mx.microsoft"), None, "wrong-host");
    for bad in [
        "",
        " smtp.office365.com",
        "smtp://smtp.office365.com",
        "smtp.office365.com:587",
        "a..b",
        "smtp.office365.com\r\n",
    ] {
        check_smtp(Some(bad), None, "smtp-host-invalid");
    }
}

#[test]
fn refuses_a_mixture_of_clouds() {
    let mixed = "wrong-cloud-endpoint";
    check(
        |it| it.endpoints.authority = Some("https://login.microsoftonline.us".to_owned()),
        mixed,
    );
    check(
        |it| it.endpoints.smtp_host = Some("smtp.office365.us".to_owned()),
        mixed,
    );
    check(
        |it| it.endpoints.smtp_host = Some("smtp-mail.outlook.com".to_owned()),
        mixed,
    );
    let gov_with_worldwide_smtp = |it: &mut NewAccount| {
        it.cloud = Cloud::UsGovernmentHigh;
        it.endpoints.smtp_host = Some("smtp.office365.com".to_owned());
    };
    check(gov_with_worldwide_smtp, mixed);
    let custom_of = |authority: &'static str| {
        move |it: &mut NewAccount| {
            it.endpoints.authority = Some(authority.to_owned());
            it.endpoints.smtp_host = Some("smtp.office365.com".to_owned());
            it.endpoints.smtp_port = None;
        }
    };
    check_from(
        custom(),
        custom_of("https://login.microsoftonline.us"),
        mixed,
    );
    check_from(custom(), custom_of("https://login.microsoftonline.com"), "");
}

#[test]
fn checks_the_extra_certificates() {
    for bad in [
        "",
        "/etc/ssl/ca.pem",
        "-----BEGIN CERTIFICATE-----\nMIIB\n",
        "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n",
    ] {
        check(
            |it| it.endpoints.ca_pem = Some(bad.to_owned()),
            "ca-pem-invalid",
        );
    }
    check(|it| it.endpoints.ca_pem = Some(PEM.to_owned()), "");
}

#[test]
fn every_code_is_documented() {
    let sources = [
        include_str!("mod.rs"),
        include_str!("identity.rs"),
        include_str!("certificate.rs"),
        include_str!("address.rs"),
        include_str!("route.rs"),
        include_str!("scope.rs"),
        include_str!("submission.rs"),
    ];
    let documentation = include_str!("../../../docs/settings.md");
    let codes: Vec<&str> = sources
        .iter()
        .flat_map(|source| source.split("refusal(").skip(1))
        .filter_map(|call| call.trim_start().strip_prefix('"')?.split('"').next())
        .collect();
    assert!(codes.len() > 25, "{codes:?}");
    for code in codes {
        assert!(documentation.contains(&format!("`{code}`")), "{code}");
    }
}

#[test]
fn names_what_is_unverified_until_it_is_overridden() {
    fn check(account: &NewAccount, expected: &[&str]) {
        assert_eq!(endpoints(account).unwrap().unverified, expected);
    }
    check(&person(), &[]);
    check(&custom(), &[]);
    let mut government = NewAccount {
        cloud: Cloud::UsGovernmentHigh,
        ..person()
    };
    check(&government, &["smtpHost"]);
    government.endpoints.smtp_host = Some("outlook.office365.us".to_owned());
    check(&government, &[]);
}

mod routes {
    use super::*;
    use crate::model::{Route, SmtpPreset, SmtpSecurity};

    fn password() -> Grant {
        Grant::Password {
            username: None,
            password: SecretText::new("pass word".to_owned()),
        }
    }

    fn standard(preset: Option<SmtpPreset>, host: Option<&str>, port: Option<u16>) -> Route {
        Route::StandardSmtp {
            preset,
            host: host.map(str::to_owned),
            port,
            security: None,
        }
    }

    fn relay(host: &str) -> Route {
        Route::ConnectorRelay {
            host: Some(host.to_owned()),
            port: None,
        }
    }

    fn high_volume() -> Route {
        Route::HighVolumeEmail {
            host: None,
            port: None,
        }
    }

    fn graph() -> Route {
        Route::Graph {
            url: None,
            large_mails: false,
        }
    }

    /// `expected` is the code of the refusal, or empty where the settings must pass.
    fn check(grant: Grant, route: Route, expected: &str) {
        check_from(
            person(),
            |account| {
                account.grant = grant;
                account.route = route;
            },
            expected,
        );
    }

    #[test]
    fn a_route_and_a_grant_must_fit() {
        let folder = || Route::Folder {
            path: "/var/out".to_owned(),
        };
        let azure = |username: &str| Route::AzureCommunicationServices {
            username: username.to_owned(),
            host: None,
            port: None,
        };
        let direct = || Route::DirectSend {
            host: Some("contoso-com.mail.protection.outlook.com".to_owned()),
            port: None,
            domains: Vec::new(),
        };
        check(secret(SECRET), Route::ClientSubmission, "");
        check(password(), Route::ClientSubmission, "basic-auth-off");
        check(Grant::Nothing, Route::ClientSubmission, "grant-missing");
        check(secret(SECRET), graph(), "");
        check(Grant::DeviceCode, graph(), "");
        check(password(), graph(), "grant-not-possible");
        check(secret(SECRET), high_volume(), "");
        check(password(), high_volume(), "");
        check(secret(SECRET), azure("contoso|app|tenant"), "");
        check(password(), azure("contoso|app|tenant"), "");
        check(secret(SECRET), azure(" "), "route-username-invalid");
        check(Grant::Nothing, folder(), "");
        check(secret(SECRET), folder(), "grant-not-used");
        check(Grant::Nothing, direct(), "");
        check(password(), direct(), "grant-not-used");
        check(Grant::Nothing, relay("mail.contoso.com"), "wrong-host");
        check(Grant::Nothing, relay("contoso-com.x-v1.mx.microsoft"), "");
        check(
            Grant::Nothing,
            relay("contoso-com.mail.protection.outlook.com"),
            "",
        );
        check(Grant::Nothing, relay("smtp.office365.com"), "wrong-host");
        check(Grant::Nothing, relay("localhost"), "");
        check(Grant::Nothing, relay("a b"), "smtp-host-invalid");
        let no_path = Route::Folder {
            path: " ".to_owned(),
        };
        check(Grant::Nothing, no_path, "route-path-invalid");
    }

    #[test]
    fn another_providers_server_takes_its_preset_or_its_own_settings() {
        check(
            password(),
            standard(None, Some("mail.example.org"), None),
            "",
        );
        check(password(), standard(None, None, None), "route-host-missing");
        check(
            password(),
            standard(Some(SmtpPreset::Gmail), None, None),
            "",
        );
        check(
            password(),
            standard(Some(SmtpPreset::OwnServer), None, None),
            "route-host-missing",
        );
        check(
            password(),
            standard(None, Some("mail.example.org"), Some(0)),
            "smtp-port-invalid",
        );
        check(
            password(),
            standard(None, Some("smtp.office365.com"), None),
            "basic-auth-off",
        );
        check(
            Grant::AuthorizationCode,
            standard(None, Some("smtp.office365.com"), None),
            "route-host-mismatch",
        );
        check(
            Grant::AuthorizationCode,
            standard(Some(SmtpPreset::Gmail), None, None),
            "",
        );
        check(
            Grant::AuthorizationCode,
            standard(None, Some("mail.example.org"), None),
            "custom-cloud-incomplete",
        );
        let empty = Grant::Password {
            username: None,
            password: SecretText::new(String::new()),
        };
        check(
            empty,
            standard(None, Some("mail.example.org"), None),
            "password-invalid",
        );
    }

    #[test]
    fn tls_begins_as_the_port_and_the_preset_have_it() {
        fn check(route: Route, host: &str, port: u16, security: SmtpSecurity) {
            let account = NewAccount {
                grant: password(),
                route,
                ..person()
            };
            let found = endpoints(&account).unwrap();
            let found = (
                found.smtp_host.as_str(),
                found.smtp_port,
                found.smtp_security,
            );
            assert_eq!(found, (host, port, security));
        }
        use SmtpSecurity::{ImplicitTls, StartTls};
        let own = |port| standard(None, Some("mail.example.org"), port);
        check(own(None), "mail.example.org", 587, StartTls);
        check(own(Some(465)), "mail.example.org", 465, ImplicitTls);
        check(own(Some(2525)), "mail.example.org", 2525, StartTls);
        check(
            standard(Some(SmtpPreset::Gmail), None, None),
            "smtp.gmail.com",
            587,
            StartTls,
        );
        check(
            standard(Some(SmtpPreset::Gmail), None, Some(465)),
            "smtp.gmail.com",
            465,
            ImplicitTls,
        );
        check(
            standard(Some(SmtpPreset::Yahoo), None, None),
            "smtp.mail.yahoo.com",
            465,
            ImplicitTls,
        );
        let implicit = Route::StandardSmtp {
            preset: None,
            host: Some("mail.example.org".to_owned()),
            port: None,
            security: Some(ImplicitTls),
        };
        check(implicit, "mail.example.org", 465, ImplicitTls);
    }

    #[test]
    fn each_route_asks_for_the_least_that_can_send() {
        fn check(grant: Grant, route: Route, scopes: &[&str]) {
            let account = NewAccount {
                grant,
                route,
                ..person()
            };
            assert_eq!(endpoints(&account).unwrap().scopes, scopes);
        }
        let large = Route::Graph {
            url: None,
            large_mails: true,
        };
        check(
            Grant::DeviceCode,
            graph(),
            &["https://graph.microsoft.com/Mail.Send", "offline_access"],
        );
        check(
            Grant::DeviceCode,
            large,
            &[
                "https://graph.microsoft.com/Mail.Send",
                "https://graph.microsoft.com/Mail.ReadWrite",
                "offline_access",
            ],
        );
        check(
            secret(SECRET),
            graph(),
            &["https://graph.microsoft.com/.default"],
        );
        check(
            secret(SECRET),
            high_volume(),
            &["https://outlook.office.com/.default"],
        );
        check(Grant::Nothing, relay("localhost"), &[]);
        check(
            password(),
            standard(Some(SmtpPreset::Gmail), None, None),
            &[],
        );
        check(
            Grant::AuthorizationCode,
            standard(Some(SmtpPreset::Gmail), None, None),
            &["https://mail.google.com/"],
        );
    }

    #[test]
    fn a_scope_of_another_route_is_refused() {
        let scoped = |route: Route, scope: &str, expected: &str| {
            check_from(
                person(),
                |account| {
                    account.route = route;
                    account.endpoints.scopes = words(&[scope, "offline_access"]);
                },
                expected,
            );
        };
        scoped(
            graph(),
            "https://outlook.office.com/SMTP.Send",
            "wrong-scope-audience",
        );
        scoped(
            graph(),
            "https://graph.microsoft.com/Mail.Read",
            "scope-without-smtp-send",
        );
        scoped(graph(), "https://graph.microsoft.com/Mail.Send", "");
        scoped(
            high_volume(),
            "https://outlook.office.com/SMTP.Send",
            "scope-without-smtp-send",
        );
    }

    #[test]
    fn a_second_route_must_send_and_be_another() {
        let check = |route: Route, second: Route, expected: Result<&str, &str>| {
            let account = NewAccount {
                grant: secret(SECRET),
                route,
                fallback: Some(second),
                ..person()
            };
            let found = fallback(&account);
            let found = found.as_ref().map(|second| {
                let scopes = &second.as_ref().unwrap().endpoints.scopes;
                scopes.first().map_or("", String::as_str)
            });
            assert_eq!(found.map_err(Error::code), expected);
        };
        let folder = Route::Folder {
            path: "/var/out".to_owned(),
        };
        let graph_scope = "https://graph.microsoft.com/.default";
        let exchange_scope = "https://outlook.office365.com/.default";
        check(Route::ClientSubmission, graph(), Ok(graph_scope));
        check(graph(), Route::ClientSubmission, Ok(exchange_scope));
        check(Route::ClientSubmission, relay("localhost"), Ok(""));
        check(graph(), graph(), Err("fallback-same-route"));
        check(graph(), folder, Err("fallback-sends-nothing"));
    }

    #[test]
    fn overrides_of_the_first_route_do_not_leak_into_the_second() {
        let account = NewAccount {
            grant: secret(SECRET),
            route: Route::ClientSubmission,
            fallback: Some(high_volume()),
            endpoints: EndpointOverrides {
                smtp_host: Some("localhost".to_owned()),
                smtp_port: Some(2587),
                ..EndpointOverrides::default()
            },
            ..person()
        };
        let second = fallback(&account).unwrap().unwrap().endpoints;
        assert_eq!(
            (second.smtp_host.as_str(), second.smtp_port),
            ("smtp.hve.mx.microsoft", 587)
        );
    }
}
