//! The catalogue as a whole, and the three ways into it.

use super::catalogue::{self, Place, Rule};
use super::*;
use crate::model::{Evidence, EvidenceItem, EvidenceKind, ProblemKind, Retry, SmtpReply};
use proptest::prelude::*;
use std::collections::BTreeSet;

const PLACES: [Place; 4] = [Place::Smtp, Place::Token, Place::Text, Place::Situation];

fn all_rules() -> impl Iterator<Item = &'static Rule> {
    PLACES.into_iter().flat_map(catalogue::rules)
}

fn evidence(text: &str, given: &[String]) -> Evidence {
    let facts = given.iter().filter_map(|line| line.split_once(": "));
    Evidence {
        evidence: vec![EvidenceItem {
            kind: EvidenceKind::Unknown,
            text: text.to_owned(),
        }],
        facts: facts
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        ..Evidence::default()
    }
}

/// The texts that a rule is for: its example, or one for each of its AADSTS numbers.
fn examples(rule: &Rule) -> Vec<String> {
    match rule.example.as_str() {
        "" if !rule.aadsts.is_empty() => rule
            .aadsts
            .iter()
            .map(|number| format!("AADSTS{number}: (words of the server)"))
            .collect(),
        example => vec![example.to_owned()],
    }
}

mod the_catalogue {
    use super::*;

    #[test]
    fn has_unique_labels_and_no_empty_text() {
        let mut seen = BTreeSet::new();
        for cause in causes() {
            let code = &cause.code;
            assert!(seen.insert(code), "{code} twice");
            assert!(
                code.chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'),
                "{code}"
            );
            assert!(
                !cause.meaning.ends_with('.') && cause.meaning.len() > 15,
                "{code}"
            );
            assert!(
                !cause.fix.trim().is_empty() && !cause.fix.contains('\n'),
                "{code}"
            );
            assert!(!cause.who.is_empty(), "{code}");
        }
    }

    #[test]
    fn gives_retry_advice_that_fits_the_kind() {
        for cause in causes() {
            let waits = matches!(
                cause.kind,
                ProblemKind::Throttled | ProblemKind::Unavailable
            );
            assert_eq!(waits, cause.retry() != Retry::Never, "{}", cause.code);
            if let Retry::After { delay_ms } = cause.retry() {
                assert!(
                    (1_000..=24 * 3_600_000).contains(&delay_ms),
                    "{}",
                    cause.code
                );
            }
        }
    }

    #[test]
    fn has_rules_that_name_known_causes_with_sane_confidence() {
        for rule in all_rules() {
            let codes = rule
                .causes
                .keys()
                .chain(rule.against.keys())
                .chain(&rule.unclear);
            for code in codes {
                assert!(catalogue::cause(code).is_some(), "{code} in {rule:?}");
            }
            let numbers = rule.causes.values().chain(rule.against.values());
            assert!(
                numbers.clone().all(|number| (0.0..1.0).contains(number)),
                "{rule:?}"
            );
            assert!(numbers.count() > 0, "{rule:?}");
        }
    }

    #[test]
    fn has_phrases_in_the_form_texts_are_compared_in() {
        for rule in all_rules() {
            let phrases = [&rule.any, &rule.all, &rule.none, &rule.error];
            let phrases = phrases.into_iter().flatten().map(|phrase| &phrase.text);
            for phrase in phrases.chain(&rule.given).chain(&rule.unless) {
                assert_eq!(phrase, &phrase.to_lowercase(), "{rule:?}");
                assert!(phrase.len() >= 2 && !phrase.contains("  "), "{rule:?}");
            }
        }
    }

    #[test]
    fn has_rules_that_each_fire_on_their_own_example() {
        let silent: Vec<String> = examples_of_all()
            .filter(|(rule, example)| !judge::fires(rule, &evidence(example, &rule.example_given)))
            .map(|(rule, example)| format!("{example:?} is no example of {rule:?}"))
            .collect();
        assert!(silent.is_empty(), "{}", silent.join("\n"));
    }

    #[test]
    fn has_rules_whose_sure_cause_leads_for_their_own_example() {
        let mut beaten = Vec::new();
        for (rule, example) in examples_of_all() {
            let sure = rule.causes.values().copied().fold(0.0, f64::max);
            let first = explain(&evidence(&example, &rule.example_given))
                .into_iter()
                .next();
            // Rivals lower what is stated, and a cause that only sums up is left out.
            let sums_up = rule
                .causes
                .keys()
                .any(|code| catalogue::cause(code).is_some_and(|cause| cause.unclear));
            let leads = sums_up
                || first
                    .as_ref()
                    .is_some_and(|first| first.confidence >= sure * 0.75);
            if sure >= 0.9 && !leads {
                beaten.push(format!(
                    "{example:?} leads to {first:?} instead of {:?}",
                    rule.causes
                ));
            }
        }
        assert!(beaten.is_empty(), "{}", beaten.join("\n"));
    }

    fn examples_of_all() -> impl Iterator<Item = (&'static Rule, String)> {
        all_rules().flat_map(|rule| {
            examples(rule)
                .into_iter()
                .map(move |example| (rule, example))
        })
    }

    #[test]
    fn leads_to_every_cause_but_those_named_by_code_alone() {
        let by_rule: BTreeSet<&str> = all_rules()
            .flat_map(|rule| rule.causes.keys().chain(&rule.unclear))
            .map(String::as_str)
            .collect();
        let unreached: Vec<&str> = causes()
            .iter()
            .map(|cause| cause.code.as_str())
            .filter(|code| !by_rule.contains(code))
            .collect();
        let by_code = [
            "8bitmime-unsupported",
            "address-invalid",
            "certificate-invalid",
            "certificate-out-of-date",
            "connection-failed",
            "connection-lost",
            "connection-refused",
            "delivery-cancelled",
            "delivery-undecided",
            "ehlo-name-invalid",
            "graph-access-denied",
            "graph-mailbox-unknown",
            "graph-request-refused",
            "graph-token-refused",
            "host-name-invalid",
            "not-a-token-endpoint",
            "proxy-auth-required",
            "proxy-not-understood",
            "proxy-refused",
            "proxy-target-unreachable",
            "proxy-unreachable",
            "recipients-missing",
            "reply-timeout",
            "smtp-protocol-violation",
            "smtputf8-unsupported",
            "starttls-injection",
            "throttle-graph",
            "tls-handshake-failed",
            "token-refused",
            "token-request-refused",
        ];
        assert_eq!(unreached, by_code_sorted(&unreached, &by_code));
    }

    /// The expected codes in the order found, so that a difference shows both ways.
    fn by_code_sorted<'a>(found: &[&'a str], expected: &[&'a str]) -> Vec<&'a str> {
        let mut sorted: Vec<&str> = found
            .iter()
            .copied()
            .filter(|code| expected.contains(code))
            .collect();
        sorted.extend(expected.iter().filter(|code| !found.contains(code)));
        sorted
    }
}

mod smtp_refusals {
    use super::*;
    use SmtpPhase::{Auth, Data, Greeting, Mail, Recipient, Session};

    fn refusal(phase: SmtpPhase, line: &str) -> Error {
        let mut words = line.splitn(3, ' ');
        let code = words.next().unwrap().parse().unwrap();
        let enhanced = words.next().unwrap();
        let reply = SmtpReply {
            code,
            enhanced_status: (enhanced != "-").then(|| enhanced.to_owned()),
            text: words.next().unwrap_or_default().to_owned(),
        };
        smtp_refusal("smtp.office365.com", phase, &reply)
    }

    #[test]
    fn name_cause_kind_and_retry() {
        use ProblemKind::{Config, Consent, Rejected, SignIn, Throttled, Unavailable};
        fn check(phase: SmtpPhase, line: &str, code: &str, kind: ProblemKind, retries: bool) {
            let error = refusal(phase, line);
            assert_eq!(error.code(), code, "{line}");
            assert_eq!(error.kind(), kind, "{line}");
            assert_eq!(error.problem().retry != Retry::Never, retries, "{line}");
            assert!(!error.problem().fix.is_empty(), "{line}");
            assert!(
                error.to_string().starts_with("smtp.office365.com "),
                "{error}"
            );
        }
        let tail =
            "[AM0PR01CA0001.EURPRD01.PROD.OUTLOOK.COM 2026-01-26T18:54:30.055Z 08DD3DD7D75D7743]";
        let tenant = "Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit https://aka.ms/smtp_auth_disabled for more information.";
        check(
            Auth,
            &format!("535 5.7.139 {tenant} {tail}"),
            "smtp-auth-disabled-tenant",
            Consent,
            false,
        );
        check(
            Auth,
            "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox.",
            "smtp-auth-disabled-mailbox",
            Consent,
            false,
        );
        check(
            Auth,
            "535 5.7.139 Authentication unsuccessful, basic authentication is disabled.",
            "basic-auth-off",
            Config,
            false,
        );
        check(
            Auth,
            &format!("535 5.7.3 Authentication unsuccessful {tail}"),
            "sign-in-refused",
            Config,
            false,
        );
        check(
            Auth,
            "535 - Authentication failed",
            "sign-in-refused",
            Config,
            false,
        );
        check(
            Auth,
            "535 5.7.143 Expired token",
            "token-expired",
            Unavailable,
            true,
        );
        check(
            Auth,
            "504 5.7.4 Unrecognized authentication type",
            "auth-mechanism-unsupported",
            Config,
            false,
        );
        check(
            Auth,
            "454 4.7.0 Temporary authentication failure",
            "transient-server-error",
            Unavailable,
            true,
        );
        check(
            Auth,
            "501 5.5.4 Invalid arguments",
            "smtp-command-refused",
            Config,
            false,
        );
        check(Auth, "599 5.9.9 whatever", "sign-in-refused", Config, false);
        check(
            Greeting,
            "421 4.3.2 Service not available",
            "transient-server-error",
            Unavailable,
            true,
        );
        check(
            Greeting,
            "554 - go away",
            "session-refused",
            Rejected,
            false,
        );
        check(
            Session,
            "421 4.7.66 TLS 1.0 and 1.1 are not supported.",
            "tls-too-old",
            Config,
            false,
        );
        check(
            Session,
            "501 5.5.4 Invalid domain name",
            "smtp-command-refused",
            Config,
            false,
        );
        check(
            Mail,
            "530 5.7.57 Client not authenticated to send mail.",
            "auth-not-sent",
            Config,
            false,
        );
        check(
            Mail,
            "550 5.1.8 Access denied, bad outbound sender",
            "blocked-outbound-spam",
            Consent,
            false,
        );
        check(Mail, "550 - no", "sender-refused", Rejected, false);
        check(
            Mail,
            "552 5.3.4 Message size exceeds fixed maximum message size",
            "size-limit",
            Rejected,
            false,
        );
        check(
            Recipient,
            "550 5.1.1 User unknown",
            "recipient-not-found",
            Rejected,
            false,
        );
        check(
            Recipient,
            "550 5.4.1 Recipient address rejected: Access denied.",
            "recipient-not-found-dbeb",
            Rejected,
            false,
        );
        check(
            Recipient,
            "452 4.5.3 Too many recipients",
            "recipient-limit",
            Rejected,
            true,
        );
        check(
            Recipient,
            "450 - later",
            "transient-server-error",
            Unavailable,
            true,
        );
        check(Recipient, "550 - no", "recipient-refused", Rejected, false);
        check(
            Data,
            "554 5.2.252 SendAsDenied; a@b.c not allowed to send as d@e.f; STOREDRV.Submission.Exception:SendAsDeniedException",
            "send-as-denied",
            Rejected,
            false,
        );
        check(
            Data,
            "432 4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending",
            "throttle-concurrency",
            Throttled,
            true,
        );
        check(
            Data,
            "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException",
            "throttle-recipient-rate",
            Throttled,
            true,
        );
        check(
            Data,
            "430 4.2.0 STOREDRV; mailbox logon failure",
            "mailbox-permission-missing",
            Consent,
            false,
        );
        check(
            Data,
            "421 4.4.2 Message submission rate for this client has exceeded the configured limit",
            "throttle-rate",
            Throttled,
            true,
        );
        check(
            Data,
            "550 5.2.251 Sender throttled due to continuous mailbox full errors.",
            "throttle-continuous-errors",
            Throttled,
            true,
        );
        check(Data, "550 5.9.9 no", "message-refused", Rejected, false);
        check(Data, "554 - no", "message-refused", Rejected, false);
        check(
            Data,
            "250 2.0.0 OK",
            "smtp-protocol-violation",
            Unavailable,
            true,
        );
        check(
            Auth,
            "334 - VXNlcm5hbWU6",
            "smtp-protocol-violation",
            Unavailable,
            true,
        );
        check(Auth, "0 - ", "smtp-protocol-violation", Unavailable, true);
        let _ = SignIn;
    }

    #[test]
    fn say_what_happened_and_keep_the_servers_words() {
        let error = refusal(
            Auth,
            "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.",
        );
        assert_eq!(
            error.to_string(),
            "smtp.office365.com refused the sign-in of this mailbox: SMTP AUTH is disabled for the tenant and not enabled for this mailbox"
        );
        assert_eq!(
            error.problem().answer.as_deref(),
            Some(
                "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant."
            )
        );
    }

    #[test]
    fn list_the_causes_where_the_answer_is_ambiguous() {
        let error = refusal(Auth, "535 5.7.3 Authentication unsuccessful");
        for sign in [
            "upn",
            "SmtpClientAuthenticationDisabled",
            "aud",
            "SMTP.SendAsApp",
            "Get-ServicePrincipal",
        ] {
            assert!(error.problem().fix.contains(sign), "{sign}");
        }
    }

    #[test]
    fn never_echo_a_token() {
        let token = "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9".repeat(4);
        let error = refusal(Auth, &format!("535 5.7.3 bad token {token}"));
        assert!(!format!("{error:?}").contains(&token));
        assert!(
            error
                .problem()
                .answer
                .as_deref()
                .unwrap()
                .contains("bad token")
        );
    }
}

mod token_refusals {
    use super::*;

    fn refusal(status: u16, body: &str) -> Error {
        token_refusal("login.microsoftonline.com", status, None, body.as_bytes())
    }

    fn body(error: &str, description: &str) -> String {
        serde_json::json!({"error": error, "error_description": description}).to_string()
    }

    #[test]
    fn name_cause_kind_and_retry() {
        use ProblemKind::{Config, Consent, Misuse, SignIn, Throttled, Unavailable};
        fn check(status: u16, body: &str, code: &str, kind: ProblemKind, retries: bool) {
            let error = refusal(status, body);
            assert_eq!(error.code(), code, "{body}");
            assert_eq!(error.kind(), kind, "{body}");
            assert_eq!(error.problem().retry != Retry::Never, retries, "{body}");
            assert!(!error.problem().fix.is_empty(), "{body}");
        }
        check(
            401,
            &body(
                "invalid_client",
                "AADSTS7000222: The provided client secret keys for app 'x' are expired.",
            ),
            "secret-expired",
            Config,
            false,
        );
        check(
            401,
            &body(
                "invalid_client",
                "AADSTS7000215: Invalid client secret provided.",
            ),
            "secret-wrong-value",
            Config,
            false,
        );
        check(
            401,
            &body(
                "invalid_client",
                "AADSTS7000218: The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
            ),
            "public-client-flag-off",
            Config,
            false,
        );
        check(
            400,
            &body(
                "invalid_grant",
                "AADSTS700082: The refresh token has expired due to inactivity.",
            ),
            "refresh-token-expired",
            SignIn,
            false,
        );
        check(
            400,
            &body(
                "invalid_grant",
                "AADSTS50173: The provided grant has expired due to it being revoked",
            ),
            "token-revoked",
            SignIn,
            false,
        );
        check(
            400,
            &body(
                "invalid_grant",
                "AADSTS50076: you must use multi-factor authentication",
            ),
            "mfa-required",
            SignIn,
            false,
        );
        check(
            400,
            &body(
                "invalid_grant",
                "AADSTS65001: The user or administrator has not consented",
            ),
            "consent-missing",
            Consent,
            false,
        );
        check(
            400,
            &body("invalid_grant", "AADSTS530036: refused"),
            "device-flow-blocked",
            Consent,
            false,
        );
        check(
            400,
            &body(
                "interaction_required",
                "AADSTS53003: Access has been blocked by Conditional Access policies.",
            ),
            "ca-policy-blocked",
            Consent,
            false,
        );
        check(
            400,
            &body(
                "unauthorized_client",
                "AADSTS700016: Application with identifier 'x' was not found in the directory 'y'.",
            ),
            "app-not-found",
            Config,
            false,
        );
        check(
            400,
            &body("invalid_request", "AADSTS90002: Tenant 'x' not found."),
            "tenant-not-found",
            Config,
            false,
        );
        check(
            400,
            &body(
                "invalid_scope",
                "AADSTS1002012: The provided value for scope x is not valid.",
            ),
            "scope-not-default",
            Config,
            false,
        );
        check(
            400,
            &body(
                "temporarily_unavailable",
                "AADSTS90033: A transient error has occurred. Please try again.",
            ),
            "transient-server-error",
            Unavailable,
            true,
        );
        check(
            400,
            &body("authorization_pending", "AADSTS70016: pending"),
            "device-code-pending",
            Throttled,
            true,
        );
        check(
            400,
            r#"{"error":"invalid_grant"}"#,
            "grant-refused",
            SignIn,
            false,
        );
        check(
            401,
            r#"{"error":"invalid_client"}"#,
            "client-authentication-failed",
            Config,
            false,
        );
        check(
            400,
            r#"{"error":"unauthorized_client"}"#,
            "client-not-allowed",
            Config,
            false,
        );
        check(
            400,
            r#"{"error":"invalid_scope"}"#,
            "scope-malformed",
            Config,
            false,
        );
        check(
            400,
            r#"{"error":"invalid_request"}"#,
            "token-request-malformed",
            Misuse,
            false,
        );
        check(
            400,
            r#"{"error":"expired_token"}"#,
            "device-code-expired",
            SignIn,
            false,
        );
        check(
            400,
            r#"{"error":"access_denied"}"#,
            "user-declined-consent",
            SignIn,
            false,
        );
        check(
            400,
            r#"{"error":"interaction_required"}"#,
            "interaction-required",
            SignIn,
            false,
        );
        check(
            400,
            r#"{"error":"never_heard_of"}"#,
            "token-request-refused",
            SignIn,
            false,
        );
        check(
            400,
            r#"{"error":42,"error_codes":["700082"],"error_description":7}"#,
            "refresh-token-expired",
            SignIn,
            false,
        );
        check(
            200,
            r#"{"error":"invalid_grant"}"#,
            "grant-refused",
            SignIn,
            false,
        );
        check(
            200,
            r#"{"token_type":"Bearer"}"#,
            "not-a-token-endpoint",
            Config,
            false,
        );
        check(503, "", "transient-server-error", Unavailable, true);
        check(
            500,
            "<html><body>Oops</body></html>",
            "transient-server-error",
            Unavailable,
            true,
        );
        check(
            502,
            r#"{"error":"#,
            "transient-server-error",
            Unavailable,
            true,
        );
        check(429, "", "token-endpoint-throttled", Throttled, true);
        check(
            429,
            &body("invalid_grant", "AADSTS50173: revoked"),
            "token-endpoint-throttled",
            Throttled,
            true,
        );
        check(302, "", "not-a-token-endpoint", Config, false);
        check(
            404,
            "<h1>Not Found</h1>",
            "not-a-token-endpoint",
            Config,
            false,
        );
        check(407, "", "proxy-interference", Unavailable, true);
        check(200, "[1, 2", "not-a-token-endpoint", Config, false);
    }

    #[test]
    fn wait_as_long_as_the_server_asks_where_waiting_helps() {
        fn check(status: u16, body: &str, retry_after_ms: Option<u64>, expected: Retry) {
            let error = token_refusal("h", status, retry_after_ms, body.as_bytes());
            assert_eq!(error.problem().retry, expected, "{status} {body}");
        }
        check(429, "", Some(7_000), Retry::After { delay_ms: 7_000 });
        check(503, "", Some(120_000), Retry::After { delay_ms: 120_000 });
        check(
            503,
            "",
            Some(u64::MAX),
            Retry::After {
                delay_ms: 86_400_000,
            },
        );
        check(
            400,
            r#"{"error":"invalid_grant"}"#,
            Some(7_000),
            Retry::Never,
        );
    }

    #[test]
    fn keep_the_servers_words_with_its_trace() {
        let body = r#"{"error":"invalid_grant","error_description":"AADSTS50173: The provided grant has expired.\r\nTrace ID: a1\r\nCorrelation ID: b2\r\nTimestamp: 2026-01-01 00:00:00Z","error_codes":[50173],"timestamp":"2026-01-01 00:00:00Z","trace_id":"a1","correlation_id":"b2"}"#;
        let error = refusal(400, body);
        assert_eq!(
            error.problem().answer.as_deref(),
            Some(
                "AADSTS50173: The provided grant has expired. (trace id a1, correlation id b2, at 2026-01-01 00:00:00Z)"
            )
        );
        assert_eq!(
            error.to_string(),
            "login.microsoftonline.com refused the sign-in: the grant was revoked, by a change of password, an administrator or the user"
        );
        let plain = refusal(
            400,
            &token_refusals::body("invalid_grant", "Token has been expired or revoked."),
        );
        assert_eq!(
            plain.problem().answer.as_deref(),
            Some("invalid_grant: Token has been expired or revoked.")
        );
        let page = refusal(404, "<html><title>Not  found</title>\n<p>Sorry</p></html>");
        assert_eq!(
            page.problem().answer.as_deref(),
            Some("HTTP 404 Not found Sorry")
        );
    }

    #[test]
    fn never_echo_a_secret() {
        let secret = "abc8Q~0123456789abcdefghijklmnopqrstuvwx";
        let refresh = format!("0.AXoA{}", "aB3_".repeat(60));
        for text in [
            body(
                "invalid_client",
                &format!("AADSTS7000215: Invalid client secret {secret} provided"),
            ),
            body(
                "invalid_grant",
                &format!("token {refresh} is bad, client_secret={secret}"),
            ),
            body(secret, &refresh),
            format!("<p>{secret} {refresh}</p>"),
            format!("{{\"error\":\"x\",\"trace_id\":\"{secret}\"}}"),
        ] {
            for status in [200, 400, 401, 503] {
                let error = refusal(status, &text);
                let shown = format!("{error:?} {error}");
                assert!(
                    !shown.contains(secret) && !shown.contains(&refresh),
                    "{shown}"
                );
            }
            let parsed = format!("{:?}", OAuthError::parse(text.as_bytes()));
            assert!(
                !parsed.contains(secret) && !parsed.contains(&refresh),
                "{parsed}"
            );
        }
    }

    #[test]
    fn have_parts_to_branch_on() {
        let body = r#"{"error":"invalid_grant","suberror":"basic_action","error_description":"AADSTS50076: x","error_codes":[50076],"claims":"{\"access_token\":{}}"}"#;
        let error = OAuthError::parse(body.as_bytes()).unwrap();
        assert_eq!(error.error.as_deref(), Some("invalid_grant"));
        assert_eq!(error.suberror.as_deref(), Some("basic_action"));
        assert_eq!(error.aadsts, Some(50_076));
        assert_eq!(error.claims.as_deref(), Some(r#"{"access_token":{}}"#));
        for none in [
            "",
            "{}",
            "[]",
            "null",
            "\"error\"",
            "<html>",
            r#"{"access_token":"x"}"#,
        ] {
            assert_eq!(OAuthError::parse(none.as_bytes()), None, "{none}");
        }
    }
}

mod explanations {
    use super::*;

    fn first(text: &str, given: &[&str]) -> Option<String> {
        let given: Vec<String> = given.iter().map(|line| (*line).to_owned()).collect();
        explain(&evidence(text, &given))
            .into_iter()
            .next()
            .map(|diagnosis| diagnosis.code)
    }

    #[test]
    fn tell_the_causes_of_one_answer_apart_by_the_facts() {
        fn check(given: &[&str], expected: &str) {
            assert_eq!(
                first("535 5.7.3 Authentication unsuccessful", given).as_deref(),
                Some(expected),
                "{given:?}"
            );
        }
        check(&["flow: device code"], "token-user-mismatch");
        check(
            &["flow: client credentials"],
            "service-principal-not-registered",
        );
        check(&["mechanism: LOGIN"], "bad-password");
        check(
            &["token.aud: https://graph.microsoft.com"],
            "wrong-scope-audience",
        );
        check(
            &["xoauth2_user: a@contoso.com", "token.upn: b@contoso.com"],
            "token-user-mismatch",
        );
        check(
            &[
                "xoauth2_user: a@contoso.com",
                "token.upn: u1@contoso.com",
                "imap_same_identity: works",
            ],
            "username-not-upn",
        );
        check(
            &["token.idtyp: app", "token.roles: Mail.Send"],
            "smtp-app-permission-missing",
        );
        check(
            &[
                "token.idtyp: app",
                "token.roles: SMTP.SendAsApp",
                "token.oid: 1",
                "sp.object_id: 2",
            ],
            "service-principal-wrong-object-id",
        );
        check(&["changed_minutes_ago: 5"], "replication-delay");
    }

    #[test]
    fn prefer_the_nested_answer_that_says_more() {
        let text = "530 5.7.57 Client not authenticated to send mail. Error: 535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.";
        assert_eq!(
            first(text, &[]).as_deref(),
            Some("smtp-auth-disabled-tenant")
        );
    }

    #[test]
    fn show_their_reasons_without_secrets() {
        let diagnoses = explain(&evidence(
            "AADSTS7000222: The provided client secret keys are expired.",
            &[],
        ));
        let best = diagnoses.first().unwrap();
        assert_eq!(best.code, "secret-expired");
        assert!(
            best.because.contains(&"AADSTS7000222".to_owned()),
            "{best:?}"
        );
        assert!(
            best.cause.starts_with("Every client secret") && best.cause.ends_with('.'),
            "{best:?}"
        );
        let token = "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9".repeat(4);
        let with_token = explain(&evidence("535 5.7.3 no", &[format!("token.aud: {token}")]));
        assert!(
            !format!("{with_token:?}")
                .to_lowercase()
                .contains(&token.to_lowercase())
        );
    }

    #[test]
    fn stay_silent_where_nothing_fits() {
        assert_eq!(first("", &[]), None);
        assert_eq!(first("the weather is fine", &[]), None);
    }
}

proptest! {
    #[test]
    fn never_panics_on_any_text(text in "\\PC{0,400}", code in 0u16..=999, enhanced in "\\PC{0,12}") {
        let found = explain(&evidence(&text, &[format!("token.aud: {text}"), format!("host: {text}")]));
        prop_assert!(found.windows(2).all(|pair| pair[0].confidence >= pair[1].confidence));
        let reply = SmtpReply { code, enhanced_status: Some(enhanced), text: text.clone() };
        let error = smtp_refusal(&text, SmtpPhase::Auth, &reply);
        prop_assert!(!error.code().is_empty());
    }

    #[test]
    fn never_panics_on_any_octets(body in proptest::collection::vec(any::<u8>(), 0..600), status in 0u16..=999) {
        let error = token_refusal("h", status, None, &body);
        prop_assert!(!error.code().is_empty());
        let text = String::from_utf8_lossy(&body);
        explain(&evidence(&text, &[]));
    }

    #[test]
    fn never_panics_on_texts_like_answers(text in "([245][0-9]{2}|[245]\\.[0-9]{1,3}\\.[0-9]{1,4}|AADSTS[0-9]{0,12}|[ .:\\-\\[\\]'\"=]|Straße|İ|error|client_secret|invalid_grant){0,40}") {
        explain(&evidence(&text, &[]));
        token_refusal("h", 400, None, text.as_bytes());
    }
}

/// Measures the first cause against a file of cases (JSON lines with `input` and `cause`) that is named in
/// `MAILBEARER_CASES`: `cargo test -p mailbearer measures -- --ignored --nocapture`.
#[test]
#[ignore = "needs a file of cases that is not part of the project"]
#[expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a measurement for people, not part of the crate"
)]
fn measures_the_first_cause_on_a_file_of_cases() {
    #[derive(serde::Deserialize)]
    struct Case {
        id: String,
        input: Evidence,
        cause: String,
        #[serde(default)]
        also_consistent: Vec<String>,
    }
    let file = std::fs::read_to_string(std::env::var("MAILBEARER_CASES").unwrap()).unwrap();
    let cases: Vec<Case> = file
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let started = std::time::Instant::now();
    let (mut first, mut first_or_consistent, mut in_three) = (0, 0, 0);
    for case in &cases {
        let codes: Vec<String> = explain(&case.input)
            .into_iter()
            .map(|diagnosis| diagnosis.code)
            .collect();
        let best = codes.first().cloned().unwrap_or_default();
        first += usize::from(best == case.cause);
        first_or_consistent +=
            usize::from(best == case.cause || case.also_consistent.contains(&best));
        in_three += usize::from(codes.iter().take(3).any(|code| code == &case.cause));
        if best != case.cause {
            println!("{} expected {} got {:?}", case.id, case.cause, codes);
        }
    }
    let each = started.elapsed() / u32::try_from(cases.len()).unwrap();
    println!(
        "{first} first, {first_or_consistent} first or consistent, {in_three} among three, of {}; {each:?} each",
        cases.len()
    );
}
