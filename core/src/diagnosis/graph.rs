//! The error for a refusal by Microsoft Graph: its own error code decides where it is known, otherwise HTTP's status does.

use super::catalogue;
use super::redact::without_secrets;
use crate::error::{DEFAULT_RETRY_MS, Error};
use crate::model::{ProblemKind, Retry};
use serde_json::Value;

/// The error for an answer of Graph that is no success. `retry_after_ms` is what the server asked to wait.
pub(crate) fn graph_refusal(
    host: &str,
    status: u16,
    retry_after_ms: Option<u64>,
    body: &[u8],
) -> Error {
    let (code, message) = said(body);
    let label = cause_of(status, &code);
    let cause = catalogue::cause(label);
    let (kind, meaning, fix) = match cause {
        Some(cause) => (cause.kind, cause.meaning.as_str(), cause.fix.as_str()),
        None => (ProblemKind::Rejected, "it gave no reason that is known", ""),
    };
    let text = format!("{host} refused the request with HTTP status {status}: {meaning}");
    let error = Error::new(kind, label, text, fix)
        .with_retry(retry(
            cause.map(catalogue::Cause::retry),
            status,
            retry_after_ms,
        ))
        .with_answer(without_secrets(&format!("{status} {code} {message}")));
    match cause.and_then(|cause| Some((cause.class?, cause.scope?))) {
        Some((class, scope)) => error.with_class(class, scope),
        None => error,
    }
}

/// `error.code` and `error.message` of the body.
fn said(body: &[u8]) -> (String, String) {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| {
        let text = body.pointer(name).and_then(Value::as_str);
        let text = text.unwrap_or_default();
        let text: String = text.chars().filter(|c| !c.is_control()).collect();
        text.chars().take(MAX_TEXT_CHARS).collect::<String>()
    };
    (text("/error/code"), text("/error/message"))
}

fn cause_of(status: u16, code: &str) -> &'static str {
    let known = CODES
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(code));
    match (known, status) {
        (Some((_, label)), _) => label,
        (None, 401) => "graph-token-refused",
        (None, 403) => "graph-access-denied",
        (None, 404) => "graph-mailbox-unknown",
        (None, 413) => "size-limit",
        (None, 429) => "throttle-graph",
        (None, 408 | 500..600) => "transient-server-error",
        (None, _) => "graph-request-refused",
    }
}

fn retry(advice: Option<Retry>, status: u16, retry_after_ms: Option<u64>) -> Retry {
    match (advice, retry_after_ms) {
        (_, Some(delay_ms)) if matches!(status, 429 | 503 | 504) => Retry::After { delay_ms },
        (Some(Retry::Never) | None, _) if matches!(status, 429 | 503) => Retry::After {
            delay_ms: DEFAULT_RETRY_MS,
        },
        (advice, _) => advice.unwrap_or(Retry::Never),
    }
}

/// Graph's error codes (Microsoft, "Microsoft Graph error responses" and the pages of `sendMail`), and the causes they name.
const CODES: &[(&str, &str)] = &[
    ("InvalidAuthenticationToken", "graph-token-refused"),
    ("CompactToken parsing failed", "graph-token-refused"),
    ("ErrorAccessDenied", "graph-access-denied"),
    ("Authorization_RequestDenied", "graph-access-denied"),
    ("ErrorSendAsDenied", "send-as-denied"),
    ("ErrorInvalidUser", "graph-mailbox-unknown"),
    ("ResourceNotFound", "graph-mailbox-unknown"),
    ("Request_ResourceNotFound", "graph-mailbox-unknown"),
    ("MailboxNotEnabledForRESTAPI", "mailbox-not-in-exo"),
    ("MailboxNotSupportedForRESTAPI", "mailbox-not-in-exo"),
    ("ErrorInvalidRecipients", "recipient-not-found"),
    ("ErrorMessageSizeExceeded", "size-limit"),
    ("ErrorAttachmentSizeLimitExceeded", "size-limit"),
    ("ErrorMimeContentInvalid", "message-format"),
    ("ErrorMimeContentInvalidBase64String", "message-format"),
    ("ErrorExceededMessageLimit", "throttle-recipient-rate"),
    ("ErrorSubmissionQuotaExceeded", "throttle-recipient-rate"),
    ("ErrorQuotaExceeded", "mailbox-full"),
    ("ErrorAccountSuspend", "blocked-outbound-spam"),
    ("ErrorMessageSubmissionBlocked", "blocked-outbound-spam"),
    ("ApplicationThrottled", "throttle-graph"),
    ("TooManyRequests", "throttle-graph"),
    ("ErrorServerBusy", "transient-server-error"),
    ("ErrorMailboxStoreUnavailable", "transient-server-error"),
];

/// A code is a word, a message a sentence or two.
const MAX_TEXT_CHARS: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ReplyClass, ReplyScope};

    fn check(status: u16, code: &str, expected: (&str, ReplyClass, ReplyScope, Retry)) {
        let body = format!(r#"{{"error":{{"code":"{code}","message":"m"}}}}"#);
        let error = graph_refusal("graph", status, Some(7000), body.as_bytes());
        let problem = error.problem();
        assert_eq!(
            (
                problem.code.as_str(),
                problem.reply_class,
                problem.reply_scope,
                problem.retry
            ),
            (expected.0, Some(expected.1), Some(expected.2), expected.3),
            "{status} {code}"
        );
    }

    #[test]
    fn every_refusal_has_a_cause_a_class_and_advice() {
        use ReplyClass as Class;
        use ReplyScope as Scope;
        let never = Retry::Never;
        let asked = Retry::After { delay_ms: 7000 };
        let token = (
            "graph-token-refused",
            Class::Authentication,
            Scope::Mailbox,
            never,
        );
        check(401, "InvalidAuthenticationToken", token);
        check(401, "somethingNew", token);
        let denied = (
            "graph-access-denied",
            Class::Authorization,
            Scope::Mailbox,
            never,
        );
        check(403, "ErrorAccessDenied", denied);
        check(403, "", denied);
        let send_as = ("send-as-denied", Class::Authorization, Scope::Mail, never);
        check(403, "ErrorSendAsDenied", send_as);
        let unknown = (
            "graph-mailbox-unknown",
            Class::Authorization,
            Scope::Mailbox,
            never,
        );
        check(404, "ErrorInvalidUser", unknown);
        let elsewhere = (
            "mailbox-not-in-exo",
            Class::Authorization,
            Scope::Mailbox,
            never,
        );
        check(404, "MailboxNotEnabledForRESTAPI", elsewhere);
        let recipients = (
            "recipient-not-found",
            Class::Recipient,
            Scope::Recipient,
            never,
        );
        check(400, "ErrorInvalidRecipients", recipients);
        check(413, "", ("size-limit", Class::Size, Scope::Mail, never));
        let throttled = ("throttle-graph", Class::Throttled, Scope::Mailbox, asked);
        check(429, "ApplicationThrottled", throttled);
        check(429, "", throttled);
        let busy = (
            "transient-server-error",
            Class::Unavailable,
            Scope::Host,
            asked,
        );
        check(503, "ErrorServerBusy", busy);
        check(
            400,
            "unheardOf",
            ("graph-request-refused", Class::Protocol, Scope::Mail, never),
        );
    }

    #[test]
    fn whatever_the_body_is_the_answer_is_fit_to_show() {
        for body in [
            &b""[..],
            b"<html>",
            b"{\"error\":3}",
            b"{\"error\":{\"code\":\"a\\r\\nb\"}}",
        ] {
            let error = graph_refusal("graph", 400, None, body);
            let answer = error.problem().answer.clone().unwrap();
            assert!(!answer.contains(['\r', '\n']), "{answer}");
            assert_eq!(error.code(), "graph-request-refused");
        }
    }
}
