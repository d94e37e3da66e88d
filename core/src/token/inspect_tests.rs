//! The catalogue of wrong tokens, and of right ones that only look odd.

use super::*;
use crate::model::{Cloud, Endpoints};
use crate::token::claims::jwt;

const CLIENT: &str = "0d6c1e32-2f4b-4b7e-8f57-6a1b9c3d5e01";
const TENANT: &str = "6f1c9c1e-6d4e-4c7a-9f0b-2f8f4a7c1b11";
const OTHER: &str = "11111111-2222-3333-4444-555555555555";

fn account(grant: GrantKind, cloud: Cloud, audiences: &[&str]) -> Account {
    Account {
        name: "billing".to_owned(),
        mailbox: "billing@contoso.example".to_owned(),
        cloud,
        tenant: TENANT.to_owned(),
        client_id: CLIENT.to_owned(),
        grant,
        secret_expires_at_unix_ms: None,
        route: crate::model::Route::default(),
        fallback: None,
        endpoints: Endpoints {
            token_url: String::new(),
            authorization_url: None,
            device_authorization_url: None,
            scopes: Vec::new(),
            audiences: audiences
                .iter()
                .map(|audience| (*audience).to_owned())
                .collect(),
            smtp_host: String::new(),
            smtp_port: 587,
            smtp_security: crate::model::SmtpSecurity::StartTls,
            graph_url: None,
            ca_pem: None,
            unverified: Vec::new(),
        },
    }
}

const WORLDWIDE: &[&str] = &[
    "https://outlook.office.com",
    "https://outlook.office365.com",
    "00000002-0000-0ff1-ce00-000000000000",
];

fn person() -> Account {
    account(GrantKind::DeviceCode, Cloud::Worldwide, WORLDWIDE)
}

fn application() -> Account {
    account(GrantKind::ClientSecret, Cloud::Worldwide, WORLDWIDE)
}

/// A person's good token, with these claims put in the place of its own.
fn persons(changes: &str) -> String {
    token(
        &format!(
            r#"{{"aud":"https://outlook.office.com","iss":"https://sts.windows.net/{TENANT}/","tid":"{TENANT}",
            "appid":"{CLIENT}","scp":"SMTP.Send","upn":"billing@contoso.example","sub":"s","ver":"1.0"}}"#
        ),
        changes,
    )
}

/// An application's good token, likewise.
fn applications(changes: &str) -> String {
    token(
        &format!(
            r#"{{"aud":"https://outlook.office365.com","iss":"https://sts.windows.net/{TENANT}/","tid":"{TENANT}",
            "appid":"{CLIENT}","roles":["SMTP.SendAsApp"],"idtyp":"app","sub":"s","ver":"1.0"}}"#
        ),
        changes,
    )
}

/// `null` takes a claim away.
fn token(good: &str, changes: &str) -> String {
    let mut claims: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(good).unwrap();
    let changes: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(changes).unwrap();
    claims.extend(changes);
    claims.retain(|_, value| !value.is_null());
    jwt(&serde_json::to_string(&claims).unwrap())
}

fn check(account: &Account, token: &str, expected: &str) {
    let found = inspect(account, token);
    let code = found.as_ref().err().map_or("", |error| error.code());
    assert_eq!(code, expected, "{token}: {found:?}");
    if let Err(error) = &found {
        assert!(!error.problem().fix.is_empty(), "{expected} has no fix");
        let shown = format!("{error:?}");
        assert!(
            token.len() < 12 || !shown.contains(token),
            "shows the token: {shown}"
        );
    }
}

#[test]
fn good_tokens_pass() {
    check(&person(), &persons("{}"), "");
    check(&application(), &applications("{}"), "");
    for odd in [
        r#"{"aud":"https://outlook.office365.com"}"#,
        r#"{"aud":"https://outlook.office.com/"}"#,
        r#"{"aud":"HTTPS://Outlook.Office.com"}"#,
        r#"{"aud":"00000002-0000-0ff1-ce00-000000000000","ver":"2.0"}"#,
        r#"{"aud":["https://outlook.office.com","x"]}"#,
        r#"{"scp":"smtp.send offline_access"}"#,
        r#"{"scp":["SMTP.Send","IMAP.AccessAsUser.All"]}"#,
        r#"{"upn":null,"unique_name":"live.com#billing@contoso.example"}"#,
        // A shared mailbox is another address than the person's.
        r#"{"upn":"ada@contoso.example"}"#,
        // A token of another application, which a command supplied: the mail server does not mind.
        r#"{"appid":"11111111-2222-3333-4444-555555555555"}"#,
        r#"{"iss":"https://login.microsoftonline.com/x/v2.0"}"#,
        r#"{"iss":"https://unheard.of.example/"}"#,
        r#"{"tid":null}"#,
    ] {
        check(&person(), &persons(odd), "");
    }
    for odd in [
        // RBAC for Applications: no role at all.
        r#"{"roles":null}"#,
        r#"{"roles":[]}"#,
        r#"{"idtyp":null}"#,
        r#"{"roles":["IMAP.AccessAsApp","SMTP.SendAsApp"]}"#,
        r#"{"aud":"https://outlook.office.com"}"#,
    ] {
        check(&application(), &applications(odd), "");
    }
}

#[test]
fn opaque_tokens_pass() {
    for opaque in [
        "EwBAAl3BAAUFFpUAo7J3Ve0bjLBWZWCclRC3EoAA",
        "ya29.a0AfH6SMBx",
        "eyJhbGciOiJSU0EtT0FFUCJ9.eyJa.key.iv.text",
        "2YotnFZFEjr1zCsicMWpAA",
    ] {
        check(&person(), opaque, "");
        check(&application(), opaque, "");
    }
}

#[test]
fn a_token_for_another_service_is_named() {
    for audience in [
        "https://graph.microsoft.com",
        "https://graph.microsoft.com/",
        "00000003-0000-0000-c000-000000000000",
        "https://graph.microsoft.us",
        "https://management.azure.com/",
        "https://vault.azure.net",
        "https://graph.windows.net",
        "https://contoso.sharepoint.example",
        "api://mail-service",
        "00000002-0000-0000-c000-000000000000",
    ] {
        let changes = format!(r#"{{"aud":"{audience}"}}"#);
        check(&person(), &persons(&changes), "wrong-scope-audience");
        check(
            &application(),
            &applications(&changes),
            "wrong-scope-audience",
        );
    }
}

#[test]
fn a_token_of_another_cloud_is_named() {
    for changes in [
        r#"{"aud":"https://outlook.office365.us"}"#,
        r#"{"aud":"https://outlook-dod.office365.us"}"#,
        r#"{"aud":"https://partner.outlook.cn"}"#,
        r#"{"iss":"https://sts.chinacloudapi.cn/x/"}"#,
        r#"{"iss":"https://login.partner.microsoftonline.cn/x/v2.0"}"#,
        r#"{"iss":"https://login.microsoftonline.us/x/v2.0"}"#,
    ] {
        check(&person(), &persons(changes), "wrong-cloud-endpoint");
    }
    let china = account(
        GrantKind::DeviceCode,
        Cloud::China,
        &["https://partner.outlook.cn"],
    );
    check(&china, &persons("{}"), "wrong-cloud-endpoint");
    let high = account(
        GrantKind::DeviceCode,
        Cloud::UsGovernmentHigh,
        &["https://outlook.office365.us"],
    );
    check(
        &high,
        &persons(r#"{"aud":"https://outlook.office365.us"}"#),
        "",
    );
}

#[test]
fn a_token_of_another_tenant_or_kind_of_account_is_named() {
    check(
        &person(),
        &persons(&format!(r#"{{"tid":"{OTHER}"}}"#)),
        "wrong-tenant",
    );
    check(
        &application(),
        &applications(&format!(r#"{{"tid":"{OTHER}"}}"#)),
        "wrong-tenant",
    );
    let personal = format!(r#"{{"tid":"{PERSONAL_TENANT}"}}"#);
    check(
        &person(),
        &persons(&personal),
        "personal-account-unsupported",
    );
    let mut outlook = account(GrantKind::DeviceCode, Cloud::Personal, WORLDWIDE);
    "consumers".clone_into(&mut outlook.tenant);
    check(&outlook, &persons(&personal), "");
    check(&outlook, &persons("{}"), "personal-account-unsupported");
    let mut by_domain = person();
    "contoso.example".clone_into(&mut by_domain.tenant);
    check(&by_domain, &persons(&format!(r#"{{"tid":"{OTHER}"}}"#)), "");
    let guest = r#"{"upn":"ada_fabrikam.example#EXT#@contoso.example"}"#;
    check(&person(), &persons(guest), "token-user-mismatch");
}

#[test]
fn a_token_without_the_permission_is_named() {
    for scopes in [
        "Mail.Send",
        "User.Read openid",
        "IMAP.AccessAsUser.All",
        "full_access_as_user",
    ] {
        let changes = format!(r#"{{"scp":"{scopes}"}}"#);
        check(&person(), &persons(&changes), "scope-not-granted-to-app");
    }
    for role in [
        "Mail.Send",
        "IMAP.AccessAsApp",
        "full_access_as_app",
        "Exchange.ManageAsApp",
    ] {
        let changes = format!(r#"{{"roles":["{role}"]}}"#);
        check(
            &application(),
            &applications(&changes),
            "smtp-app-permission-missing",
        );
    }
}

#[test]
fn another_kind_of_token_is_named() {
    check(
        &person(),
        &persons(&format!(r#"{{"aud":"{CLIENT}"}}"#)),
        "wrong-token-kind",
    );
    check(&person(), &applications("{}"), "wrong-token-kind");
    check(
        &person(),
        &applications(r#"{"idtyp":null}"#),
        "wrong-token-kind",
    );
    check(&application(), &persons("{}"), "wrong-token-kind");
    check(
        &application(),
        &persons(r#"{"idtyp":"user"}"#),
        "wrong-token-kind",
    );
    let assertion = format!(
        r#"{{"iss":"{CLIENT}","sub":"{CLIENT}","aud":"https://login.microsoftonline.com/x/oauth2/v2.0/token"}}"#
    );
    check(&application(), &token("{}", &assertion), "wrong-token-kind");
    let workload = r#"{"iss":"https://kubernetes.default.svc","sub":"system:serviceaccount:mail","aud":"api://AzureADTokenExchange"}"#;
    check(&application(), &token("{}", workload), "wrong-token-kind");
    for other in [
        "0.AXYAabcdefghijklmnop.AgABAAEAAAD",
        "1.AXYAabcdefghijklmnop",
        "M.C546_BAY.0.U.-CabcdefghX",
        "dXNlcj10ZXN0QGNvbnRvc28u",
        &format!("Qw18Q~{}", "x".repeat(34)),
    ] {
        check(&person(), other, "wrong-token-kind");
    }
}

#[test]
fn a_damaged_token_is_named() {
    let good = persons("{}");
    for damaged in [
        "",
        " ",
        good.get(..good.len() / 2).unwrap(),
        &format!("{good}\n"),
        &format!("\"{good}\""),
        &format!("Bearer {good}"),
        &format!("bearer {good}"),
        &good.replacen('.', ".\r\n", 1),
        r#"{"access_token":"x"}"#,
        "eyJhbGciOiJSUzI1NiJ9.%%%.c2ln",
        "eyJhbGciOiJSUzI1NiJ9.bm90IGpzb24.c2ln",
        "eyJhbGciOiJSUzI1NiJ9",
        "zażółć",
        "abc\u{1}def",
    ] {
        check(&person(), damaged, "token-corrupted");
    }
}

#[test]
fn a_custom_cloud_has_only_its_own_audiences() {
    let custom = account(
        GrantKind::DeviceCode,
        Cloud::Custom,
        &["https://mail.example.org"],
    );
    check(
        &custom,
        &persons(r#"{"aud":"https://mail.example.org","scp":"mail","tid":"x"}"#),
        "",
    );
    check(&custom, &persons("{}"), "wrong-scope-audience");
    check(&custom, "1.AXYAabc", "");
    let unchecked = account(GrantKind::ClientSecret, Cloud::Custom, &[]);
    check(&unchecked, &persons("{}"), "");
}

#[test]
fn a_token_from_elsewhere_is_used_in_its_time() {
    fn check_time(times: &str, expected: &str) {
        let found = inspect_time(&jwt(times), 1_000_000_000_000);
        assert_eq!(
            found.err().map_or(String::new(), |e| e.code().to_owned()),
            expected,
            "{times}"
        );
    }
    check_time(r#"{"exp":1000003600,"nbf":999999900}"#, "");
    check_time(r#"{"exp":1000000000}"#, "token-expired");
    check_time(r#"{"exp":999990000}"#, "token-expired");
    check_time(r#"{"nbf":1000000200,"exp":1000003600}"#, "");
    check_time(r#"{"nbf":1000000301,"exp":1000003600}"#, "clock-skew");
    check_time("{}", "");
    check_time(r#"{"exp":-1e300}"#, "token-expired");
    check_time(r#"{"exp":1e300,"nbf":1e300}"#, "clock-skew");
    assert!(inspect_time("EwBAopaque", 0).is_ok());
}
