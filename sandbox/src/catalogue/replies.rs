//! The SMTP replies of Exchange Online: a name, and the text up to the tail in square brackets.
//! Each reply says which tail it ends with; the server writes the tail.

/// One reply. `{name}` in the text is filled in by the server.
#[derive(Debug)]
pub struct Reply {
    /// The name faults use.
    pub name: &'static str,
    /// Code, enhanced code and text.
    pub text: &'static str,
    /// What stands behind the text.
    pub tail: Tail,
}

/// The end of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// Nothing.
    None,
    /// `[HOST 2025-04-26T18:06:35.781Z 08DD842467C8274D]`, as during the dialogue.
    Session,
    /// `[Hostname=HOST]`, as after the content.
    Hostname,
}

impl Reply {
    /// The reply with this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        ALL.iter().copied().find(|known| known.name == name)
    }
}

macro_rules! replies {
    ($($constant:ident = $name:literal, $tail:ident, $text:literal;)*) => {
        $(
            #[doc = concat!("`", $text, "`")]
            pub static $constant: Reply = Reply { name: $name, text: $text, tail: Tail::$tail };
        )*
        /// The whole table.
        pub static ALL: &[&Reply] = &[$(&$constant),*];
    };
}

replies! {
    // The ordinary course.
    READY_FOR_TLS = "ready-for-tls", None, "220 2.0.0 SMTP server ready";
    AUTHENTICATED = "authenticated", None, "235 2.7.0 Authentication successful";
    SENDER_OK = "sender-ok", None, "250 2.1.0 Sender OK";
    RECIPIENT_OK = "recipient-ok", None, "250 2.1.5 Recipient OK";
    START_MAIL_INPUT = "start-mail-input", None, "354 Start mail input; end with <CRLF>.<CRLF>";
    CHUNK_RECEIVED = "chunk-received", None, "250 2.0.0 {size} octets received";
    ACCEPTED = "accepted", Hostname, "250 2.0.0 OK {message_id}";
    RESET = "reset", None, "250 2.0.0 Resetting";
    NOOP = "noop", None, "250 2.0.0 OK";
    CANNOT_VERIFY = "cannot-verify", None, "252 2.1.5 Cannot VRFY user";
    HELP = "help", None, "214-This server supports the following commands:\r\n214 HELO EHLO STARTTLS RCPT DATA RSET MAIL QUIT HELP AUTH BDAT";
    CLOSING = "closing", None, "221 2.0.0 Service closing transmission channel";
    USERNAME_PROMPT = "username-prompt", None, "334 VXNlcm5hbWU6";
    PASSWORD_PROMPT = "password-prompt", None, "334 UGFzc3dvcmQ6";
    EMPTY_CHALLENGE = "empty-challenge", None, "334 ";

    // The order of commands and their syntax.
    UNRECOGNIZED_COMMAND = "unrecognized-command", Session, "500 5.3.3 Unrecognized command '{command}'";
    LINE_TOO_LONG = "line-too-long", Session, "500 5.5.2 Line too long";
    INVALID_DOMAIN_NAME = "invalid-domain-name", Session, "501 5.5.4 Invalid domain name";
    INVALID_ARGUMENTS = "invalid-arguments", Session, "501 5.5.4 Invalid arguments";
    SEND_HELLO_FIRST = "send-hello-first", Session, "503 5.5.2 Send hello first";
    NEED_MAIL_COMMAND = "need-mail-command", Session, "503 5.5.2 Need mail command";
    NEED_RCPT_COMMAND = "need-rcpt-command", Session, "503 5.5.2 Need rcpt command";
    SENDER_ALREADY_SPECIFIED = "sender-already-specified", Session, "503 5.5.2 Sender already specified";
    BAD_SEQUENCE = "bad-sequence", Session, "503 5.5.2 Bad sequence of commands";
    BINARYMIME_NEEDS_BDAT = "binarymime-needs-bdat", Session, "503 5.5.2 BINARYMIME requires BDAT";
    TLS_ALREADY_ACTIVE = "tls-already-active", Session, "503 5.5.2 Only one STARTTLS command can be issued per session";
    STARTTLS_REQUIRED = "starttls-required", Session, "451 5.7.3 STARTTLS is required to send mail";

    // Authentication.
    AUTHENTICATION_UNSUCCESSFUL = "authentication-unsuccessful", Session,
        "535 5.7.3 Authentication unsuccessful";
    UNRECOGNIZED_AUTHENTICATION_TYPE = "unrecognized-authentication-type", Session,
        "504 5.7.4 Unrecognized authentication type";
    AUTHENTICATION_CANCELLED = "authentication-cancelled", Session,
        "501 5.7.0 Authentication cancelled";
    INVALID_AUTH_DATA = "invalid-auth-data", Session,
        "501 5.5.4 Invalid arguments";
    SMTP_AUTH_DISABLED_TENANT = "smtp-auth-disabled-tenant", Session,
        "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit https://aka.ms/smtp_auth_disabled for more information.";
    SMTP_AUTH_DISABLED_MAILBOX = "smtp-auth-disabled-mailbox", Session,
        "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox. Visit https://aka.ms/smtp_auth_disabled for more information.";
    BASIC_AUTH_DISABLED = "basic-auth-disabled", Session,
        "535 5.7.139 Authentication unsuccessful, basic authentication is disabled.";
    BASIC_AUTH_REMOVED = "basic-auth-removed", Session,
        "550 5.7.30 Basic authentication is not supported for Client Submission.";
    BAD_CREDENTIALS = "bad-credentials", Session,
        "535 5.7.139 Authentication unsuccessful, the user credentials were incorrect.";
    CONDITIONAL_ACCESS = "conditional-access", Session,
        "535 5.7.139 Authentication unsuccessful, the request did not meet the criteria to be authenticated successfully. Contact your administrator.";
    SECURITY_DEFAULTS = "security-defaults", Session,
        "535 5.7.139 Authentication unsuccessful, user is locked by your organization's security defaults policy. Contact your administrator.";
    AUTHENTICATION_POLICY = "authentication-policy", Session,
        "535 5.7.139 Authentication unsuccessful, the organization configuration doesn't allow this authentication request.";
    ACCOUNT_LOCKED = "account-locked", Session,
        "535 5.7.139 Authentication unsuccessful, account locked. Contact your administrator.";
    FEDERATED_STS_UNREACHABLE = "federated-sts-unreachable", Session,
        "535 5.7.139 Authentication unsuccessful, federated STS service was unreachable.";
    MAILBOX_LOGON_FAILURE = "mailbox-logon-failure", Session,
        "430 4.2.0 STOREDRV; mailbox logon failure";
    TEMPORARY_AUTHENTICATION_FAILURE = "temporary-authentication-failure", Session,
        "454 4.7.0 Temporary authentication failure";
    XOAUTH2_JSON_CHALLENGE = "xoauth2-json-challenge", None,
        "334 eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiQmVhcmVyIiwic2NvcGUiOiJodHRwczovL291dGxvb2sub2ZmaWNlLmNvbS9TTVRQLlNlbmQifQ==";
    HVE_TOKEN_EXPIRES_SOON = "hve-token-expires-soon", Session,
        "501 5.5.127 Invalid XOAUTH2 auth data - Token will expire soon";
    HVE_INVALID_AUTH_DATA = "hve-invalid-auth-data", Session,
        "501 5.5.124 Invalid XOAUTH2 auth data";
    HVE_EXPIRED_TOKEN = "hve-expired-token", Session,
        "535 5.7.143 XOAUTH2 authentication failed. Expired token";
    HVE_INVALID_PERMISSIONS = "hve-invalid-permissions", Session,
        "535 5.7.144 XOAUTH2 authentication failed. Invalid API permissions";
    HVE_APPLICATION_NOT_ALLOWED = "hve-application-not-allowed", Session,
        "550 5.7.240 The application is not allowed for use with this High Volume Email account.";

    // Sender.
    NOT_AUTHENTICATED = "not-authenticated", Session,
        "530 5.7.57 Client not authenticated to send mail.";
    INVALID_SENDER_ADDRESS = "invalid-sender-address", Session, "501 5.1.7 Invalid address";
    CANNOT_SEND_AS = "cannot-send-as", Session,
        "550 5.7.60 SMTP; Client does not have permissions to send as this sender";
    SEND_AS_DENIED = "send-as-denied", Hostname,
        "554 5.2.252 SendAsDenied; {login} not allowed to send as {sender}; STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied; Failed to process message due to a permanent exception with message [BeginDiagnosticData]Cannot submit message. 0.35250:0A00A383, 1.36674:0A000000, 255.5722:000004DC[EndDiagnosticData]";
    BAD_OUTBOUND_SENDER = "bad-outbound-sender", Session, "550 5.1.8 Access denied, bad outbound sender";
    SENDER_DENIED = "sender-denied", Session, "550 5.1.0 Sender denied";

    // Recipients.
    INVALID_RECIPIENT_ADDRESS = "invalid-recipient-address", Session, "501 5.1.3 Invalid address";
    RECIPIENT_NOT_FOUND = "recipient-not-found", Session,
        "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup";
    RECIPIENT_REJECTED = "recipient-rejected", Session,
        "550 5.4.1 [{recipient}]: Recipient address rejected: Access denied";
    TOO_MANY_RECIPIENTS = "too-many-recipients", Session, "452 4.5.3 Too many recipients";
    RECIPIENT_MAILBOX_FULL = "recipient-mailbox-full", Session,
        "552 5.2.2 STOREDRV.Deliver; mailbox full";
    RECIPIENT_MAILBOX_DISABLED = "recipient-mailbox-disabled", Session,
        "550 5.2.1 Mailbox cannot be accessed";
    MAILBOX_UNAVAILABLE = "mailbox-unavailable", Session,
        "550 5.5.0 Requested action not taken: mailbox unavailable";
    RECIPIENT_HOURLY_LIMIT = "recipient-hourly-limit", Session,
        "554 5.2.122 The recipient has exceeded their limit for the number of messages they can receive per hour. For more information go to http://go.microsoft.com/fwlink/?LinkId=526653.";

    // The MX host.
    RELAY_ACCESS_DENIED = "relay-access-denied", Session,
        "550 5.7.64 TenantAttribution; Relay Access Denied";
    DIRECT_SEND_REJECTED = "direct-send-rejected", Session,
        "550 5.7.68 TenantInboundAttribution; Direct Send not allowed for this organization from unauthorized sources";
    INTERNAL_ONLY = "internal-only", Session,
        "550 5.7.1 High Volume Email accounts can send to internal recipients only";

    // Size and content.
    MESSAGE_TOO_LARGE = "message-too-large", Session,
        "552 5.3.4 Message size exceeds fixed maximum message size";
    BARE_LINEFEEDS = "bare-linefeeds", Hostname, "550 5.6.11 Invalid characters";
    INVALID_CONTENT = "invalid-content", Hostname, "550 5.5.6 Invalid message content";
    MULTIPLE_FROM = "multiple-from", Hostname,
        "550 5.1.20 Multiple From addresses are not allowed without Sender address";
    TRANSPORT_RULE = "transport-rule", Hostname,
        "550 5.7.1 TRANSPORT.RULES.RejectMessage; the message was rejected by organization policy";

    // Throttling and quotas.
    THROTTLE_CONCURRENCY = "throttle-concurrency", Hostname,
        "432 4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending for more information.";
    THROTTLE_SENDER_THREADS = "throttle-sender-threads", Hostname,
        "432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded";
    THROTTLE_RATE = "throttle-rate", Hostname,
        "421 4.4.2 Message submission rate for this client has exceeded the configured limit";
    SUBMISSION_QUOTA = "submission-quota", Hostname,
        "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException; Failed to process message due to a permanent exception with message The message can't be submitted because the sender's submission quota was exceeded.";
    SENDER_MAILBOX_FULL = "sender-mailbox-full", Hostname,
        "554 5.2.2 mailbox full; STOREDRV.Submission.Exception:QuotaExceededException.MapiExceptionShutoffQuotaExceeded";
    CONTINUOUS_ERRORS_MAILBOX_FULL = "continuous-errors-mailbox-full", Hostname,
        "550 5.2.251 Sender throttled due to continuous mailbox full errors.";
    CONTINUOUS_ERRORS_SEND_AS_DENIED = "continuous-errors-send-as-denied", Hostname,
        "550 5.2.252 Sender throttled due to continuous send as denied errors.";
    CONTINUOUS_ERRORS_INVALID_RECIPIENTS = "continuous-errors-invalid-recipients", Hostname,
        "550 5.2.255 Sender throttled due to continuous invalid recipients errors.";
    TENANT_EXTERNAL_LIMIT = "tenant-external-limit", Hostname,
        "550 5.7.233 Your message can't be sent because your tenant exceeded its daily limit for sending email to external recipients (tenant external recipient rate limit)";
    ONMICROSOFT_LIMIT = "onmicrosoft-limit", Hostname,
        "550 5.7.236 Your message can't be sent because your organization exceeded its daily limit for sending email to external recipients from onmicrosoft.com domains";
    TENANT_THRESHOLD = "tenant-threshold", Hostname,
        "550 5.7.705 Access denied, tenant has exceeded threshold";
    IP_NOT_ACCEPTED = "ip-not-accepted", Hostname,
        "550 5.7.708 Access denied, traffic not accepted from this IP";

    // Service trouble.
    SERVICE_NOT_AVAILABLE = "service-not-available", Session, "421 4.3.2 Service not available";
    SERVER_BUSY = "server-busy", Session, "451 4.7.500 Server busy. Please try again later from [{client}]. (AS843)";
    INSUFFICIENT_RESOURCES = "insufficient-resources", Session, "452 4.3.1 Insufficient system resources";
    TEMPORARY_SERVER_ERROR = "temporary-server-error", Session,
        "451 4.7.0 Temporary server error. Please try again later. PRX4";
    CONNECTION_TIMED_OUT = "connection-timed-out", Session, "421 4.4.1 Connection timed out";
    CONNECTION_DROPPED = "connection-dropped", Session, "421 4.4.2 Connection dropped";
    LEGACY_TLS = "legacy-tls", Session, "421 4.7.66 TLS 1.0 and 1.1 are not supported. Please upgrade/update your client to support TLS 1.2. Visit https://aka.ms/smtp_auth_tls.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_texts_begin_with_a_reply_code() {
        for (index, reply) in ALL.iter().enumerate() {
            let found = ALL.iter().position(|other| other.name == reply.name);
            assert_eq!(found, Some(index), "{} occurs twice", reply.name);
            let code: String = reply
                .text
                .chars()
                .take_while(char::is_ascii_digit)
                .collect();
            assert!(
                matches!(code.parse::<u16>(), Ok(200..=559)),
                "{}",
                reply.text
            );
        }
    }
}
