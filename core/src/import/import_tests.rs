//! The files of other tools as they write them, and everything that may be wrong with them.

use super::*;
use crate::model::{Cloud, Grant, GrantKind};
use proptest::prelude::*;

/// Written by email-oauth2-proxy's own library (cryptography), with the password `hunter2`.
const PROXY: &str = "\
[Server setup]
documentation = one line
\tand another = one
[SMTP-1587]
server_address = smtp-mail.outlook.com
[alice@contoso.example]
permission_url = https://login.microsoftonline.com/common/oauth2/v2.0/authorize
token_url = https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token
oauth2_scope = https://outlook.office.com/SMTP.Send offline_access
redirect_uri = http://localhost
client_id = 11111111-2222-3333-4444-555555555555
token_salt = MDEyMzQ1Njc4OWFiY2RlZg==
token_iterations = 1000
access_token = x
refresh_token = gAAAAABrBsdLQNf1Vk7qvclzUYD050HZCLyUiHeFVCLwFTSFQNmlN_Pc5ft3gAxSSoOgu5AnKV-OevxSxLawzmVMVF40r1evfiIkie-678OuHrbBS2w2Fe0=
[app@contoso.example]
token_url = https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token
oauth2_flow = client_credentials
client_id = 11111111-2222-3333-4444-555555555555
client_secret = abc8Q~secret
";

fn hints() -> Hints {
    Hints {
        password: Some("hunter2".to_owned().into()),
        ..Hints::default()
    }
}

fn of_mailbox(mailbox: &str) -> Hints {
    Hints {
        mailbox: Some(mailbox.to_owned()),
        ..hints()
    }
}

/// Name, mailbox, cloud, tenant, client id, grant, refresh token.
type Summary<'a> = (
    &'a str,
    &'a str,
    Cloud,
    &'a str,
    &'a str,
    GrantKind,
    Option<&'a str>,
);

fn check(text: &str, hints: Hints, tool: Tool, expected: Summary<'_>) {
    let import = read(text, hints).unwrap();
    let account = &import.account;
    assert_eq!(import.tool, tool);
    assert_eq!(
        (
            account.name.as_str(),
            account.mailbox.as_str(),
            account.cloud,
            account.tenant.as_str(),
            account.client_id.as_str(),
            account.grant.kind(),
            import
                .refresh_token
                .as_ref()
                .map(|token| token.expose().as_str()),
        ),
        expected
    );
    assert!(!format!("{import:?}").contains("1.AX0A"));
}

const ID: &str = "11111111-2222-3333-4444-555555555555";
const TOKEN: Option<&str> = Some("1.AX0A-refresh-token-of-alice");

#[test]
fn reads_email_oauth2_proxy() {
    let tool = Tool::EmailOauth2Proxy;
    let alice = (
        "alice",
        "alice@contoso.example",
        Cloud::Worldwide,
        "contoso.example",
        ID,
        GrantKind::AuthorizationCode,
        TOKEN,
    );
    check(PROXY, of_mailbox("alice@contoso.example"), tool, alice);
    let app = (
        "app",
        "app@contoso.example",
        Cloud::Worldwide,
        "contoso.example",
        ID,
        GrantKind::ClientSecret,
        None,
    );
    check(PROXY, of_mailbox("app@contoso.example"), tool, app);
    let Grant::ClientSecret { client_secret } = read(PROXY, of_mailbox("app@contoso.example"))
        .unwrap()
        .account
        .grant
    else {
        panic!("no secret");
    };
    assert_eq!(client_secret.expose(), "abc8Q~secret");
}

#[test]
fn reads_token_files_in_json() {
    let sasl = format!(
        r#"{{"access_token":"a","expiry":"1","refresh_token":"{}","user":"alice@contoso.example","client_id":"{ID}",
            "token_endpoint":"https://login.microsoftonline.us/contoso.example/oauth2/v2.0/token"}}"#,
        TOKEN.unwrap()
    );
    let alice = ("alice", "alice@contoso.example");
    let expected = (
        alice.0,
        alice.1,
        Cloud::UsGovernmentHigh,
        "contoso.example",
        ID,
        GrantKind::AuthorizationCode,
        TOKEN,
    );
    check(&sasl, hints(), Tool::SaslXoauth2, expected);

    let mutt = format!(
        r#"{{"registration":"microsoft","authflow":"devicecode","email":"jane.doe+x@outlook.com",
            "access_token":"","access_token_expiration":"","refresh_token":"{}"}}"#,
        TOKEN.unwrap()
    );
    let with_id = Hints {
        client_id: Some(ID.to_owned()),
        ..hints()
    };
    let expected = (
        "jane.doe-x",
        "jane.doe+x@outlook.com",
        Cloud::Personal,
        "",
        ID,
        GrantKind::DeviceCode,
        TOKEN,
    );
    check(&mutt, with_id, Tool::MuttOauth2, expected);
    let error = read(&mutt, hints()).unwrap_err();
    assert_eq!(error.code(), "import-incomplete");
    assert!(error.problem().fix.contains("--client-id"));
}

#[test]
fn reads_oama_as_json_and_as_it_is_shown() {
    let record = format!(
        r#"{{"email":"alice@contoso.example","service":"microsoft","scope":"x","refresh_token":"{}",
            "access_token":"a","token_type":"Bearer","exp_date":"2026","expires_in":3599}}"#,
        TOKEN.unwrap()
    );
    let shown = format!(
        "email: alice@contoso.example\nservice: microsoft\nscope: a b\nrefresh_token: {}\naccess_token: a\ntoken_type: Bearer\n",
        TOKEN.unwrap()
    );
    for text in [&record, &shown] {
        let hints = Hints {
            client_id: Some(ID.to_owned()),
            tenant: Some("contoso.example".to_owned()),
            name: Some("me".to_owned()),
            ..hints()
        };
        let expected = (
            "me",
            "alice@contoso.example",
            Cloud::Worldwide,
            "contoso.example",
            ID,
            GrantKind::AuthorizationCode,
            TOKEN,
        );
        check(text, hints, Tool::Oama, expected);
    }
}

#[test]
fn reads_the_settings_of_pizauth() {
    let text = format!(
        "// auth_notify_cmd = \"x\";\naccount \"work\" {{\n  auth_uri = \"https://a/\"; // why \"not\"\n  token_uri = \"https://login.microsoftonline.com/organizations/oauth2/v2.0/token\";\n  client_id = \"{ID}\";\n  client_secret = \"s\";\n  scopes = [\n    \"https://outlook.office.com/SMTP.Send\",\n    \"offline_access\"\n  ];\n  auth_uri_fields = {{ \"login_hint\": \"alice@contoso.example\" }};\n}}\n"
    );
    let expected = (
        "alice",
        "alice@contoso.example",
        Cloud::Worldwide,
        "organizations",
        ID,
        GrantKind::AuthorizationCode,
        None,
    );
    check(&text, hints(), Tool::Pizauth, expected);
    let two = format!("{text}account \"other\" {{ client_id = \"x\"; }}");
    let error = read(&two, hints()).unwrap_err();
    assert_eq!(error.code(), "import-account-ambiguous");
    assert!(
        error.problem().fix.contains("alice@contoso.example, other"),
        "{error:?}"
    );
    let expected = (
        "alice",
        "alice@contoso.example",
        Cloud::Worldwide,
        "organizations",
        ID,
        GrantKind::AuthorizationCode,
        None,
    );
    check(
        &two,
        of_mailbox("alice@contoso.example"),
        Tool::Pizauth,
        expected,
    );
}

#[test]
fn a_sign_in_host_of_ones_own_stays_in_the_account() {
    let text = format!(
        r#"{{"refresh_token":"r","user":"a@contoso.example","client_id":"{ID}","token_endpoint":"http://127.0.0.1:8080/contoso.example/oauth2/v2.0/token"}}"#
    );
    let account = read(&text, hints()).unwrap().account;
    let authority = account.endpoints.authority.as_deref();
    assert_eq!(
        (authority, account.tenant.as_str()),
        (Some("http://127.0.0.1:8080"), "contoso.example")
    );
}

#[test]
fn says_what_is_wrong_with_a_file_and_how_to_mend_it() {
    fn refused(text: &str, hints: Hints, code: &str, place: &str) {
        let error = read(text, hints).unwrap_err();
        assert_eq!(error.code(), code, "{text:?}: {error:?}");
        assert!(error.to_string().contains(place), "{error}");
        assert!(!error.problem().fix.is_empty());
        let shown = format!("{error:?}");
        assert!(
            !shown.contains("hunter2") && !shown.contains("s3cr3t"),
            "{shown}"
        );
    }
    let alice = || of_mailbox("alice@contoso.example");
    refused("", hints(), "import-unknown", "none of theirs");
    refused("hello", hints(), "import-unknown", "none of theirs");
    refused(
        &"x".repeat(2 * 1024 * 1024),
        hints(),
        "import-unknown",
        "too long",
    );
    refused(
        "-----BEGIN PGP MESSAGE-----\n\nhQEM",
        hints(),
        "import-encrypted",
        "encrypted",
    );
    refused("\u{0}\u{1}binary", hints(), "import-encrypted", "no text");
    refused(PROXY, hints(), "import-account-ambiguous", "several");
    refused(
        PROXY,
        of_mailbox("bob@contoso.example"),
        "import-account-ambiguous",
        "several",
    );
    let without_password = Hints {
        password: None,
        ..alice()
    };
    refused(
        PROXY,
        without_password,
        "import-password-missing",
        "[alice@contoso.example]: refresh_token",
    );
    let wrong = Hints {
        password: Some("s3cr3t".to_owned().into()),
        ..alice()
    };
    refused(
        PROXY,
        wrong,
        "import-password-wrong",
        "[alice@contoso.example]: refresh_token",
    );
    for (find, replace, code, place) in [
        (
            "token_salt = MDEy",
            "token_salt = M%",
            "import-malformed",
            "token_salt is not base64",
        ),
        (
            "token_salt",
            "token_sugar",
            "import-malformed",
            "has no token_salt",
        ),
        (
            "token_iterations = 1000",
            "token_iterations = many",
            "import-malformed",
            "token_iterations",
        ),
        (
            "token_iterations = 1000",
            "token_iterations = 0",
            "import-malformed",
            "token_iterations",
        ),
        (
            "token_iterations = 1000",
            "token_iterations = 4000000000",
            "import-malformed",
            "token_iterations",
        ),
        (
            "refresh_token = gAAAA",
            "refresh_token = gAAAB",
            "import-password-wrong",
            "cannot be opened",
        ),
        (
            "refresh_token",
            "refresh",
            "import-incomplete",
            "a refresh token",
        ),
        ("client_id", "client", "import-incomplete", "client id"),
        (
            "redirect_uri = http://localhost",
            "oauth2_flow = password",
            "import-malformed",
            "oauth2_flow",
        ),
        (
            "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token\noauth2_scope",
            "https://oauth2.googleapis.com/token\noauth2_scope",
            "import-not-microsoft",
            "googleapis",
        ),
        (
            "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token\noauth2_scope",
            "nowhere\noauth2_scope",
            "import-not-microsoft",
            "nowhere",
        ),
    ] {
        refused(&PROXY.replace(find, replace), alice(), code, place);
    }
    let json = |text: &str, code: &str, place: &str| {
        let hints = Hints {
            client_id: Some(ID.to_owned()),
            ..alice()
        };
        refused(text, hints, code, place);
    };
    json(
        r#"{"refresh_token":"s3cr3t"#,
        "import-malformed",
        "line 1, column",
    );
    json(
        r#"{"refresh_token":["s3cr3t"]}"#,
        "import-malformed",
        "member refresh_token is not a text",
    );
    json(
        r#"{"refresh_token":"two s3cr3ts"}"#,
        "import-malformed",
        "member refresh_token holds blanks",
    );
    json(
        r#"{"refresh_token":" "}"#,
        "import-incomplete",
        "a refresh token",
    );
    json(
        r#"{"user":7,"refresh_token":"s3cr3t"}"#,
        "import-malformed",
        "member user",
    );
    json(
        r#"{"registration":"google","refresh_token":"s3cr3t"}"#,
        "import-unknown",
        "Google",
    );
    json(
        "account \"x\" { client_id = \"s3cr3t\n\" }",
        "import-malformed",
        "not closed",
    );
    let tool = Hints {
        tool: Some(Tool::MuttOauth2),
        ..hints()
    };
    refused("gpg binary", tool, "import-encrypted", "encrypted");
    let nobody = Hints {
        client_id: Some(ID.to_owned()),
        ..hints()
    };
    refused(
        r#"{"refresh_token":"s3cr3t"}"#,
        nobody,
        "import-incomplete",
        "which mailbox",
    );
}

proptest! {
    #[test]
    fn never_panics(text in ".*", rest in "(\\[a@b\\]\n|token_salt = |refresh_token = |account \"|\\{\"|=|:|\"|\\\\|\n|x)*") {
        for tool in [None, Some(Tool::EmailOauth2Proxy), Some(Tool::SaslXoauth2), Some(Tool::MuttOauth2), Some(Tool::Oama), Some(Tool::Pizauth)] {
            for text in [&text, &rest] {
                let _ = read(text, Hints { tool, password: None, ..hints() });
            }
        }
    }
}
