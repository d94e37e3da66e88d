//! What is explained of whole cases: texts as programs and servers leave them, with what is known beside them.
//! `cases/own.jsonl` holds one of our own for each cause and some that are none of ours; `cases/codes.txt` every code.

use super::explain;
use crate::model::{Diagnosis, Evidence};
use serde::Deserialize;
use std::collections::HashMap;

#[derive(Deserialize)]
struct Case {
    id: String,
    phase: String,
    input: Evidence,
    admin_facts: HashMap<String, serde_json::Value>,
    /// Empty where the text is none of ours.
    cause: String,
    /// Whether the text alone leaves several causes.
    ambiguous: bool,
}

fn own() -> Vec<Case> {
    let lines = include_str!("cases/own.jsonl").lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The explanation with everything that the case knows.
fn explained(case: &Case) -> Vec<Diagnosis> {
    let mut evidence = case.input.clone();
    evidence.phase.clone_from(&case.phase);
    let facts = serde_json::json!({ "admin_facts": case.admin_facts });
    let facts: Evidence = serde_json::from_value(facts).unwrap();
    evidence.admin_facts = facts.admin_facts;
    explain(&evidence)
}

#[test]
fn names_the_cause_of_every_case_of_our_own() {
    let mut wrong = Vec::new();
    for case in own() {
        let found = explained(&case);
        let first = found.first().map_or("", |first| first.code.as_str());
        if first != case.cause {
            wrong.push(format!("{}: {} instead of {}", case.id, first, case.cause));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn has_a_case_for_every_cause_that_explanations_name() {
    let cases = own();
    let named = super::causes().iter().filter(|cause| !cause.unclear);
    let missing: Vec<&str> = named
        .map(|cause| cause.code.as_str())
        .filter(|code| !cases.iter().any(|case| case.cause == *code))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn is_surer_of_clear_cases_than_of_ambiguous_ones() {
    let mean = |ambiguous: bool| {
        let cases = own();
        let ours = cases.iter().filter(|case| !case.cause.is_empty());
        let sure: Vec<f64> = ours
            .filter(|case| case.ambiguous == ambiguous)
            .map(|case| {
                // Without the facts that decide: how sure is it of the text alone?
                let alone = Evidence {
                    evidence: case.input.evidence.clone(),
                    ..Evidence::default()
                };
                explain(&alone)
                    .first()
                    .map_or(0.0, |first| first.confidence)
            })
            .collect();
        sure.iter().sum::<f64>() / sure.len() as f64
    };
    let (clear, ambiguous) = (mean(false), mean(true));
    assert!(
        clear > 0.75 && ambiguous < clear - 0.2,
        "{clear} {ambiguous}"
    );
}

/// Code and cause of each line of `cases/codes.txt`.
fn codes() -> Vec<(&'static str, &'static str)> {
    let lines = include_str!("cases/codes.txt").lines();
    let lines = lines.filter(|line| !line.starts_with('#'));
    lines.map(|line| line.rsplit_once(' ').unwrap()).collect()
}

fn evidence(text: &str) -> Evidence {
    let item = serde_json::json!({ "evidence": [{ "text": text }] });
    serde_json::from_value(item).unwrap()
}

fn first(text: &str) -> String {
    let found = explain(&evidence(text));
    found
        .first()
        .map(|first| first.code.clone())
        .unwrap_or_default()
}

/// The codes that do not lead to their cause in one of these forms.
fn lost(codes: &[(&str, &str)], forms: impl Fn(&str) -> Vec<String>) -> Vec<String> {
    let mut lost = Vec::new();
    for (code, cause) in codes {
        for text in forms(code) {
            let found = first(&text);
            if found != *cause {
                lost.push(format!("{code} is {cause}, not {found}, in {text:?}"));
            }
        }
    }
    lost
}

#[test]
fn leads_from_every_aadsts_number_to_its_cause_in_whatever_form() {
    let numbers: Vec<(&str, &str)> = codes()
        .into_iter()
        .filter(|(code, _)| code.starts_with('A'))
        .collect();
    assert!(numbers.len() >= 184, "{}", numbers.len());
    let lost = lost(&numbers, |code| {
        let number = code.trim_start_matches("AADSTS");
        let description = format!(
            "{code}: (the words of the server)\\r\\nTrace ID: 1f\\r\\nTimestamp: 2026-04-02 08:11:09Z"
        );
        let json = format!(
            r#"{{"error":"oauth_error","error_description":"{description}","error_codes":[{number}],"error_uri":"https://login.microsoftonline.com/error?code={number}"}}"#
        );
        vec![
            json.clone(),
            json.replace('"', "\\\""),
            json.replace('"', "&quot;")
                .replace(':', "&#58;")
                .replace("&#58;", ":"),
            format!(
                "{{'error': 'oauth_error', 'error_description': '{description}', 'error_codes': [{number}]}}"
            ),
            format!(
                "Microsoft.Identity.Client.MsalServiceException: {code}: (the words of the server)\n   at Send()"
            ),
            format!(
                "http://localhost:8400/?error=oauth_error&error_description={code}%3a+%28the+words%29%0d%0aTrace+ID%3a+1f&state=5"
            ),
            format!("\u{1b}[31merror\u{1b}[0m \u{1b}[1m{code}\u{1b}[0m: the words of the server"),
            format!("<div class=\"error\"><b>{code}:</b> the words&nbsp;of the server</div>"),
            format!(
                "Sorry, but we\u{2019}re having trouble signing you in.\n\n{}: the words",
                code.to_lowercase()
            ),
            format!("token request failed: AADSTS\n  {number}: the words"),
            format!("Error Code: {number}\nRequest Id: 1f"),
        ]
    });
    assert!(lost.is_empty(), "{} lost\n{}", lost.len(), lost.join("\n"));
}

#[test]
fn leads_from_every_enhanced_code_to_its_cause_in_whatever_form() {
    let replies: Vec<(&str, &str)> = codes()
        .into_iter()
        .filter(|(code, _)| !code.starts_with('A'))
        .collect();
    assert!(replies.len() >= 120, "{}", replies.len());
    let lost = lost(&replies, |code| {
        let (basic, enhanced) = code.split_once(' ').unwrap();
        let tail =
            "[AM9P250CA0021.EURP250.PROD.OUTLOOK.COM 2026-04-02T08:11:09.121Z 08DE901C9CA3F1B2]";
        let (class, detail) = enhanced.rsplit_once('.').unwrap();
        vec![
            format!("{basic} {enhanced} (words) {tail}"),
            format!("{basic}-{enhanced} (words)\r\n{basic} {enhanced} (more) {tail}"),
            format!("smtplib.SMTPResponseException: ({basic}, b'{enhanced} (words) {tail}')"),
            format!(
                "Error: Message failed: {basic} {enhanced} (words) {tail}\n    at SMTPConnection._formatError (index.js:790:19)"
            ),
            format!(
                "SMTP server error: Detail: (words) {tail} SMTP code: {basic} Additional SMTP info: {enhanced}"
            ),
            format!("com.sun.mail.smtp.SMTPSendFailedException: {basic} {enhanced} (words) {tail}"),
            format!("MailKit.Net.Smtp.SmtpCommandException: {basic}: {enhanced} (words) {tail}"),
            format!("< {basic} {enhanced} (words) {tail}\n* Closing connection 0"),
            format!("msmtp: server message: {basic} {enhanced} (words)"),
            format!("said: {basic} {enhanced} (words) (in reply to a command)"),
            format!("\u{1b}[33m2026-04-02 08:11:09\u{1b}[0m S: {basic} {enhanced} (words)"),
            format!(
                "Reporting-MTA: dns;x\nAction: failed\nStatus: {enhanced}\nDiagnostic-Code: smtp;{basic}\n {enhanced} (words)"
            ),
            format!(
                "Unzustellbar: Rechnung\nFehler bei der Nachrichtenzustellung an folgende Empf\u{e4}nger oder Gruppen:\nRemote Server returned '{basic} {enhanced} (words)'"
            ),
            format!(
                "\u{c9}chec de la remise \u{e0} ces destinataires ou groupes :\nLe serveur distant a renvoy\u{e9} '{basic} {enhanced} (words)'"
            ),
            format!(
                "No se pudo entregar a estos destinatarios o grupos:\nEl servidor remoto devolvi\u{f3} '{basic} {enhanced} (words)'"
            ),
            format!(
                "\u{6b21}\u{306e}\u{53d7}\u{4fe1}\u{8005}\u{307e}\u{305f}\u{306f}\u{30b0}\u{30eb}\u{30fc}\u{30d7}\u{3078}\u{306e}\u{914d}\u{4fe1}\u{306b}\u{5931}\u{6557}\u{3057}\u{307e}\u{3057}\u{305f}\n'{basic} {enhanced} (words)'"
            ),
            format!("<p>Remote Server returned &#39;{basic} {enhanced} (words)&#39;</p>"),
            format!("returned '{basic} {class}.=\n{detail} (words)' =3D"),
            format!("{basic} {class}.\n{detail} (words)"),
        ]
    });
    assert!(lost.is_empty(), "{} lost\n{}", lost.len(), lost.join("\n"));
}

/// The causes of `535 5.7.3`, each with the fact that decides for it: the question's name and the answer.
#[test]
fn asks_for_the_fact_that_decides_and_believes_the_answer() {
    fn check(flow: (&str, &str), fact: (&str, &str), expected: &str) {
        let mut case = evidence("535 5.7.3 Authentication unsuccessful");
        case.phase = "auth".to_owned();
        case.context.insert(flow.0.to_owned(), flow.1.to_owned());
        let asked: Vec<String> = explain(&case)
            .first()
            .map(|first| first.ask.clone())
            .unwrap();
        case.admin_facts
            .insert(fact.0.to_owned(), fact.1.to_owned());
        let found = explain(&case);
        assert_eq!(
            found[0].code, expected,
            "{flow:?} {fact:?}: {:?}",
            found[1].code
        );
        let name = fact.0.to_lowercase();
        let still = |asked: &[String]| {
            asked
                .iter()
                .any(|ask| ask.to_lowercase().starts_with(&name))
        };
        assert!(asked.len() >= 3, "{flow:?} {asked:?}");
        assert!(!still(&found[0].ask), "{fact:?} is asked for again");
    }
    let person = ("flow", "authorization code");
    check(
        person,
        ("Get-CASMailbox.SmtpClientAuthenticationDisabled", "True"),
        "smtp-auth-disabled-mailbox",
    );
    check(
        person,
        (
            "Get-TransportConfig.SmtpClientAuthenticationDisabled",
            "True",
        ),
        "smtp-auth-disabled-tenant",
    );
    check(
        person,
        ("token.aud", "https://graph.microsoft.com"),
        "wrong-scope-audience",
    );
    check(
        person,
        ("token.scp", "IMAP.AccessAsUser.All"),
        "wrong-scope-audience",
    );
    check(
        person,
        ("token.exp", "expired 10 minutes ago"),
        "token-expired",
    );
    check(person, ("token.kind", "id_token"), "wrong-token-kind");
    check(person, ("token.kind", "truncated"), "token-corrupted");
    check(
        person,
        ("token.tid", "9188040d-6c67-4c5b-b112-36a304b66dad"),
        "personal-account-unsupported",
    );
    check(person, ("mailbox.license", "none"), "unlicensed-mailbox");
    check(
        person,
        ("mailbox.type", "RemoteUserMailbox"),
        "mailbox-not-in-exo",
    );
    check(
        person,
        ("Get-MailboxPermission", "the user is not listed"),
        "mailbox-permission-missing",
    );
    check(person, ("same_request_by_hand", "works"), "client-bug");
    check(
        person,
        ("service_health", "EX123456: SMTP sign-in fails"),
        "microsoft-service-issue",
    );
    let application = ("flow", "client credentials");
    check(
        application,
        ("token.roles", "Mail.Send"),
        "smtp-app-permission-missing",
    );
    check(
        application,
        ("Get-ServicePrincipal", "no entry"),
        "service-principal-not-registered",
    );
    check(
        application,
        (
            "Get-ServicePrincipal",
            "ObjectId differs from the token's oid",
        ),
        "service-principal-wrong-object-id",
    );
    check(
        application,
        ("Get-MailboxPermission", "not listed"),
        "mailbox-permission-missing",
    );
    check(
        application,
        ("Test-ServicePrincipalAuthorization.InScope", "False"),
        "app-access-policy",
    );
    check(
        application,
        ("changed_minutes_ago", "10"),
        "replication-delay",
    );
    check(
        application,
        ("token.aud", "https://graph.microsoft.com"),
        "wrong-scope-audience",
    );
    check(
        application,
        ("Get-CASMailbox.SmtpClientAuthenticationDisabled", "True"),
        "smtp-auth-disabled-mailbox",
    );
    let password = ("mechanism", "LOGIN");
    check(password, ("sign_in_log", "50126"), "bad-password");
    check(password, ("sign_in_log", "50076"), "mfa-required");
    check(password, ("sign_in_log", "53003"), "ca-policy-blocked");
    check(
        password,
        ("security_defaults", "enabled"),
        "security-defaults",
    );
    check(
        password,
        ("authentication_policy", "AllowBasicAuthSmtp False"),
        "basic-auth-off",
    );
    check(
        password,
        ("Get-CASMailbox.SmtpClientAuthenticationDisabled", "True"),
        "smtp-auth-disabled-mailbox",
    );
    check(
        password,
        (
            "Get-TransportConfig.SmtpClientAuthenticationDisabled",
            "True",
        ),
        "smtp-auth-disabled-tenant",
    );
}

#[test]
fn asks_first_for_what_splits_the_causes_most_and_nothing_where_they_are_clear() {
    let ask = |text: &str, flow: &str| {
        let mut case = evidence(text);
        case.context.insert("flow".to_owned(), flow.to_owned());
        explain(&case)
            .first()
            .map(|first| first.ask.clone())
            .unwrap_or_default()
    };
    let person = ask("535 5.7.3 Authentication unsuccessful", "device code");
    assert!(person[0].starts_with("token.upn"), "{person:?}");
    let application = ask(
        "535 5.7.3 Authentication unsuccessful",
        "client credentials",
    );
    assert!(
        application[0].starts_with("Get-ServicePrincipal"),
        "{application:?}"
    );
    assert!(
        application.iter().all(|ask| !ask.starts_with("token.upn")),
        "{application:?}"
    );
    let clear = ask(
        "AADSTS7000222: The provided client secret keys are expired.",
        "client credentials",
    );
    assert_eq!(clear, Vec::<String>::new());
}

#[test]
fn names_the_concrete_step_in_every_fix() {
    let lines = include_str!("cases/fixes.txt").lines();
    let table: Vec<&str> = lines.filter(|line| !line.starts_with('#')).collect();
    let mut missing = Vec::new();
    for line in &table {
        let mut cells = line.split(" | ");
        let code = cells.next().unwrap();
        let cause = super::causes()
            .iter()
            .find(|cause| cause.code == code)
            .unwrap();
        let fix = cause.fix.to_lowercase();
        missing.extend(
            cells
                .filter(|term| !fix.contains(term))
                .map(|term| format!("{code}: {term}")),
        );
    }
    assert!(missing.is_empty(), "{missing:?}");
    let explained = super::causes().iter().filter(|cause| !cause.unclear);
    for cause in explained {
        assert!(
            table
                .iter()
                .any(|line| line.starts_with(&format!("{} |", cause.code))),
            "{}",
            cause.code
        );
    }
}

#[test]
fn reads_what_is_hidden_in_a_text() {
    fn check(text: &str, context: &[(&str, &str)], expected: &str) {
        let mut case = evidence(text);
        let given = context
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        case.context.extend(given);
        let found = explain(&case);
        assert_eq!(
            found.first().map(|first| first.code.as_str()),
            Some(expected),
            "{text}"
        );
    }
    // A challenge that says the token is over, and an access token with its claims.
    check(
        "334 eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiQmVhcmVyIiwic2NvcGUiOiJodHRwczovL291dGxvb2sub2ZmaWNlLmNvbS8ifQ==",
        &[],
        "token-expired",
    );
    let graph = "eyJhbGciOiJub25lIn0.eyJhdWQiOiJodHRwczovL2dyYXBoLm1pY3Jvc29mdC5jb20ifQ.c2ln";
    check(
        &format!("535 5.7.3 Authentication unsuccessful\ntoken: {graph}"),
        &[],
        "wrong-scope-audience",
    );
    // The prompt of AUTH LOGIN: no token is involved.
    check(
        "334 VXNlcm5hbWU6\n334 UGFzc3dvcmQ6\n535 5.7.3 Authentication unsuccessful",
        &[],
        "bad-password",
    );
    // A secret that is a GUID, one that is a placeholder.
    check(
        "AADSTS7000215: Invalid client secret provided.",
        &[(
            "config",
            "client_secret=4f5e6d7c-8b9a-4c3d-a2b1-0f1e2d3c4b5a",
        )],
        "secret-id-instead-of-value",
    );
    check(
        "AADSTS7000215: Invalid client secret provided.",
        &[("config", "clientSecret: '<your secret>'")],
        "secret-wrong-value",
    );
    // The refused scope as quoted.
    check(
        "AADSTS70011: The scope https://outlook.office.com/SMTP.Send https://graph.microsoft.com/Mail.Send is not valid.",
        &[],
        "scope-mixed-resources",
    );
    check(
        "AADSTS70011: The scope https:/outlook.office.com/SMTP.Send is not valid.",
        &[],
        "scope-malformed",
    );
    // The place: an MX host, port 465, port 25.
    check(
        "Connection timed out",
        &[("host", "smtp.office365.com"), ("port", "465")],
        "wrong-port-or-security",
    );
    check(
        "connect to contoso-com.mail.protection.outlook.com[52.101.73.8]:25: Connection timed out",
        &[],
        "port25-blocked",
    );
}

#[test]
fn is_less_sure_where_the_evidence_conflicts() {
    let sure = |text: &str| {
        explain(&evidence(text))
            .first()
            .map_or(0.0, |first| first.confidence)
    };
    let alone = sure("AADSTS700082: The refresh token has expired due to inactivity.");
    let conflicting = sure(
        "AADSTS700082: The refresh token has expired due to inactivity.\n550 5.1.8 Access denied, bad outbound sender\nAADSTS7000222: The provided client secret keys are expired.",
    );
    assert!(conflicting < alone - 0.15, "{conflicting} {alone}");
}

#[test]
fn reads_a_long_log_to_its_end() {
    let log =
        "2026-04-02 08:11:09 worker-7: nothing to do, waiting for the next message\n".repeat(4_000);
    assert_eq!(
        first(&format!(
            "{log}535 5.7.139 Authentication unsuccessful, basic authentication is disabled."
        )),
        "basic-auth-off"
    );
}

/// Every code that the connection to a server ends with has a page.
#[test]
fn knows_every_code_of_the_transport() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let folders = ["transport", "transport/smtp", "host"];
    let files = folders
        .iter()
        .flat_map(|folder| std::fs::read_dir(root.join(folder)).unwrap());
    let mut seen = 0;
    for file in files.map(|file| file.unwrap().path()) {
        let is_test = file.to_string_lossy().contains("test");
        if is_test || file.extension().is_none_or(|end| end != "rs") {
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap();
        for after in text.split("Error::new(").skip(1) {
            let code = after
                .get(..160)
                .unwrap_or(after)
                .split('"')
                .nth(1)
                .unwrap_or_default();
            if !code.contains('-') || code.contains(' ') || OF_THE_MACHINE.contains(&code) {
                continue;
            }
            seen += 1;
            assert!(
                super::causes().iter().any(|cause| cause.code == code),
                "{code} in {}",
                file.display()
            );
        }
    }
    assert!(seen > 10, "{seen}");
}

/// Codes of this machine's files, programs and settings rather than of a server.
const OF_THE_MACHINE: [&str; 20] = [
    "attachment-changed",
    "attachment-too-slow",
    "attachment-unreadable",
    "ca-pem-invalid",
    "client-certificate-invalid",
    "client-certificate-refused",
    "connection-setting-invalid",
    "folder-unwritable",
    "http-request-invalid",
    "http-response-too-large",
    "loopback-unavailable",
    "message-too-short",
    "proxy-unsupported",
    "proxy-url-invalid",
    "randomness-unavailable",
    "recipient-outside",
    "requiretls-unsupported",
    "token-command-failed",
    "token-command-missing",
    "token-file-unreadable",
];
