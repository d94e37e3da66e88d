//! Signing in with an access token: XOAUTH2 and OAUTHBEARER (RFC 7628) within AUTH (RFC 4954), as pure decisions.
//! Knows what to say next and when it is over; it sends nothing, and leaves the meaning of a refusal to `diagnosis`.

use super::reply::cleaned;
use crate::error::{Error, Result};
use crate::model::{ProblemKind, SmtpReply};
use crate::secret::SecretText;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use std::fmt;
use zeroize::Zeroizing;

/// A mechanism that is known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mechanism {
    /// Google's and Microsoft's own, older than the standard.
    XOAuth2,
    /// The standard (RFC 7628).
    OAuthBearer,
    /// A password in one response (RFC 4616).
    Plain,
    /// A password in two responses: never standardized, and often the only one offered.
    Login,
}

/// Who signs in where.
#[derive(Clone, Copy, Debug)]
pub(super) struct Identity<'a> {
    /// The mailbox.
    pub(super) mailbox: &'a str,
    /// The server's host name.
    pub(super) host: &'a str,
    /// The server's port.
    pub(super) port: u16,
}

/// One AUTH dialogue.
#[derive(Debug)]
pub(super) struct AuthDialogue {
    mechanism: Mechanism,
    response: SecretText,
    state: State,
    challenge: Option<Challenge>,
}

/// What comes next in an AUTH dialogue.
#[derive(Debug)]
pub(super) enum Turn {
    /// Send this line, CRLF included, and wait for the reply.
    Say(SecretText),
    /// The server took the token.
    Accepted,
    /// The server refused.
    Refused(Refusal),
    /// The reply fits nowhere: the dialogue cannot go on.
    OutOfPlace(SmtpReply),
}

/// A refusal to sign in.
#[derive(Debug)]
pub(super) struct Refusal {
    /// The final reply.
    pub(super) reply: SmtpReply,
    /// Whether it is the token that was refused, so that another one may do better.
    pub(super) is_of_token: bool,
}

/// The error challenge of a refusal: JSON in base64 after a 334 (RFC 7628 section 3.2.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Challenge {
    /// `status`: a label such as `invalid_token`, or an HTTP status such as `400`.
    pub(crate) status: String,
    /// `scope`: what a token would need.
    pub(crate) scope: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The command has gone out together with the response.
    SentInOneStep,
    /// The command has gone out alone.
    SentCommand,
    /// The response has gone out after a 334.
    SentResponse,
    /// An error challenge has been acknowledged: only the refusal is left.
    Acknowledged,
    /// The dialogue has been called off.
    CalledOff,
}

impl Mechanism {
    /// The mechanism of a name in the server's AUTH line, if it is one of these.
    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::XOAuth2, Self::OAuthBearer, Self::Plain, Self::Login]
            .into_iter()
            .find(|mechanism| mechanism.name().eq_ignore_ascii_case(name))
    }

    /// The mechanism to use for an access token, of those offered. Errors: `Config`.
    ///
    /// XOAUTH2 comes first: it is what Microsoft documents, while some servers offer the other half-heartedly.
    pub(super) fn choose(host: &str, offered: Option<&[Self]>) -> Result<Self> {
        let offered = offered.ok_or_else(|| no_auth(host))?;
        let best = [Self::XOAuth2, Self::OAuthBearer];
        let best = best
            .into_iter()
            .find(|mechanism| offered.contains(mechanism));
        best.ok_or_else(|| no_mechanism(host))
    }

    fn name(self) -> &'static str {
        match self {
            Self::XOAuth2 => "XOAUTH2",
            Self::OAuthBearer => "OAUTHBEARER",
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
        }
    }

    /// The client's response, before base64. Errors: `Config`, `SignIn`.
    fn response(self, identity: Identity<'_>, token: &SecretText) -> Result<Zeroizing<String>> {
        let mailbox = identity.mailbox;
        if mailbox.is_empty() || mailbox.chars().any(char::is_control) {
            return Err(bad_mailbox(mailbox));
        }
        // Exposed because signing in is what it is for; the texts made of it are wiped as well.
        let token = token.expose();
        if token.is_empty() || !token.bytes().all(|octet| octet.is_ascii_graphic()) {
            return Err(bad_token());
        }
        Ok(Zeroizing::new(match self {
            Self::OAuthBearer => {
                let (host, port) = (identity.host, identity.port);
                // RFC 5801 section 4 writes these two octets of a name otherwise.
                let name = mailbox.replace('=', "=3D").replace(',', "=2C");
                format!(
                    "n,a={name},\u{1}host={host}\u{1}port={port}\u{1}auth=Bearer {token}\u{1}\u{1}"
                )
            }
            // The others take no token, and `choose` never gives them.
            _ => format!("user={mailbox}\u{1}auth=Bearer {token}\u{1}\u{1}"),
        }))
    }

    /// What acknowledges an error challenge: an empty line; in RFC 7628 section 3.2.3 a Ctrl-A, in base64.
    fn acknowledgement(self) -> &'static str {
        match self {
            Self::OAuthBearer => "AQ==\r\n",
            _ => "\r\n",
        }
    }
}

impl AuthDialogue {
    /// Prepares to sign in, and gives the first line to send. Errors: `Config`, `SignIn`.
    ///
    /// The response goes with the command when the line stays within `line_limit_bytes`, CRLF included. Otherwise the
    /// command goes alone, and the response follows the server's 334 (RFC 4954 section 4).
    pub(super) fn begin(
        mechanism: Mechanism,
        identity: Identity<'_>,
        token: &SecretText,
        line_limit_bytes: usize,
    ) -> Result<(Self, SecretText)> {
        let response = mechanism.response(identity, token)?;
        let response = BASE64_STANDARD.encode(response.as_bytes());
        let in_one_step = format!("AUTH {} {response}\r\n", mechanism.name());
        let fits = in_one_step.len() <= line_limit_bytes;
        let in_one_step = SecretText::new(in_one_step);
        let dialogue = Self {
            mechanism,
            response: response.into(),
            state: if fits {
                State::SentInOneStep
            } else {
                State::SentCommand
            },
            challenge: None,
        };
        let line = if fits {
            in_one_step
        } else {
            dialogue.command()
        };
        Ok((dialogue, line))
    }

    /// The response in base64, which a server might repeat in its replies.
    pub(super) fn response(&self) -> &SecretText {
        &self.response
    }

    /// The error challenge received so far.
    pub(super) fn challenge(&self) -> Option<&Challenge> {
        self.challenge.as_ref()
    }

    /// Whether the server has refused with an error challenge, so that only the final reply is missing.
    pub(super) fn is_refused(&self) -> bool {
        matches!(self.state, State::Acknowledged | State::CalledOff)
    }

    /// Takes the server's reply to the line last sent.
    pub(super) fn answer(&mut self, reply: SmtpReply) -> Turn {
        match (reply.code, self.state) {
            (235, State::SentInOneStep | State::SentResponse) => Turn::Accepted,
            (334, State::SentCommand) => self.respond(),
            // Not an error challenge, which is never empty: this server passed over the response in the command.
            (334, State::SentInOneStep) if reply.text.is_empty() => self.respond(),
            (334, State::SentInOneStep | State::SentResponse) => {
                self.challenge = decode_challenge(reply.text.as_bytes());
                self.state = State::Acknowledged;
                Turn::Say(self.mechanism.acknowledgement().to_owned().into())
            }
            (334, State::Acknowledged) => {
                self.state = State::CalledOff;
                Turn::Say("*\r\n".to_owned().into())
            }
            // The line was too long or not understood as a whole: the same in two steps.
            (500 | 501, State::SentInOneStep) => {
                self.state = State::SentCommand;
                Turn::Say(self.command())
            }
            (400..=599, _) => Turn::Refused(self.refusal(reply)),
            _ => Turn::OutOfPlace(reply),
        }
    }

    fn command(&self) -> SecretText {
        format!("AUTH {}\r\n", self.mechanism.name()).into()
    }

    fn respond(&mut self) -> Turn {
        self.state = State::SentResponse;
        // Exposed because the server asked for it.
        Turn::Say(format!("{}\r\n", self.response.expose()).into())
    }

    fn refusal(&self, reply: SmtpReply) -> Refusal {
        // These speak of the command, not of the response: no other token would change them.
        let is_of_command = matches!(reply.code, 500 | 502..=504 | 530 | 538);
        let is_permanent = reply.code >= 500;
        Refusal {
            is_of_token: is_permanent && (self.is_refused() || !is_of_command),
            reply,
        }
    }
}

impl fmt::Display for Challenge {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "error challenge: status={} scope={}",
            self.status, self.scope
        )
    }
}

/// Reads an error challenge; `None` when it is not base64 of a JSON object with a status.
pub(crate) fn decode_challenge(text: &[u8]) -> Option<Challenge> {
    let json = BASE64_STANDARD.decode(text.trim_ascii()).ok()?;
    let challenge: serde_json::Map<String, Value> = serde_json::from_slice(&json).ok()?;
    let status = match challenge.get("status")? {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let scope = challenge.get("scope").and_then(Value::as_str);
    let short = |text: &str| cleaned(text).chars().take(MAX_CHALLENGE_CHARS).collect();
    Some(Challenge {
        status: short(&status),
        scope: short(scope.unwrap_or_default()),
    })
}

/// The longest AUTH line to send in one step, as the server's greeting lets expect.
pub(super) fn line_limit_bytes(greeting: &SmtpReply) -> usize {
    if greeting.text.contains("Microsoft ESMTP MAIL Service") {
        EXCHANGE_LINE_BYTES
    } else {
        COMMAND_LINE_BYTES
    }
}

fn no_auth(host: &str) -> Error {
    Error::new(
        ProblemKind::Config,
        "wrong-host",
        format!("{host} offers no sign-in: it is no server to submit mail to"),
        "set host and port of the provider's submission server (port 587), not of its MX",
    )
}

fn no_mechanism(host: &str) -> Error {
    Error::new(
        ProblemKind::Config,
        "auth-mechanism-unsupported",
        format!("{host} takes no access tokens: it offers neither XOAUTH2 nor OAUTHBEARER"),
        "set host and port of a submission server that supports OAuth 2.0",
    )
}

fn bad_mailbox(mailbox: &str) -> Error {
    Error::new(
        ProblemKind::Config,
        "address-invalid",
        format!("not a mailbox to sign in with: {}", mailbox.escape_debug()),
        "set the account's mailbox to its full address",
    )
}

fn bad_token() -> Error {
    Error::new(
        ProblemKind::SignIn,
        "token-corrupted",
        "the access token has characters that no token has",
        "sign in again; if a program of your own stores tokens, store them unaltered",
    )
}

/// RFC 5321 section 4.5.3.1.4, which RFC 4954 section 4 leaves in force. Servers that keep to it refuse longer lines,
/// close the connection, or take the rest of the token for the next command.
const COMMAND_LINE_BYTES: usize = 512;
/// Exchange takes whole tokens in the command, as most clients send them; that saves a round trip. The limit is the one
/// RFC 4954 section 4 finds sufficient for a response.
const EXCHANGE_LINE_BYTES: usize = 12_288;
/// A status is a word, a scope a few URLs; anything longer is no help to a person.
const MAX_CHALLENGE_CHARS: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const IDENTITY: Identity<'_> = Identity {
        mailbox: "test@contoso.onmicrosoft.com",
        host: "smtp.example.com",
        port: 587,
    };
    const TOKEN: &str = "EwBAAl3BAAUFFpUAo7J3Ve0bjLBWZWCclRC3EoAA";
    /// The example of Microsoft's page on OAuth for SMTP, for the two above.
    const RESPONSE: &str = "dXNlcj10ZXN0QGNvbnRvc28ub25taWNyb3NvZnQuY29tAWF1dGg9QmVhcmVyIEV3QkFBbDNCQUFVRkZwVUFvN0ozVmUwYmpMQldaV0NjbFJDM0VvQUEBAQ==";
    const ERROR_CHALLENGE: &str = "eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiQmVhcmVyIiwic2NvcGUiOiJodHRwczovL21haWwuZ29vZ2xlLmNvbS8ifQ==";

    fn begin(mechanism: Mechanism, line_limit_bytes: usize) -> (AuthDialogue, String) {
        let token = TOKEN.to_owned().into();
        let (dialogue, line) =
            AuthDialogue::begin(mechanism, IDENTITY, &token, line_limit_bytes).unwrap();
        (dialogue, line.expose().clone())
    }

    fn reply(line: &str) -> SmtpReply {
        let (code, text) = line.split_once(' ').unwrap_or((line, ""));
        SmtpReply {
            code: code.parse().unwrap(),
            enhanced_status: None,
            text: text.to_owned(),
        }
    }

    /// Plays a dialogue: replies, each with the line that follows it or how it ends.
    fn check(mechanism: Mechanism, line_limit_bytes: usize, first: &str, turns: &[(&str, &str)]) {
        let (mut dialogue, line) = begin(mechanism, line_limit_bytes);
        assert_eq!(line, first);
        for (said, expected) in turns {
            let turn = match dialogue.answer(reply(said)) {
                Turn::Say(line) => line.expose().clone(),
                Turn::Accepted => "accepted".to_owned(),
                Turn::Refused(refusal) if refusal.is_of_token => "token refused".to_owned(),
                Turn::Refused(_) => "refused".to_owned(),
                Turn::OutOfPlace(_) => "out of place".to_owned(),
            };
            assert_eq!(&turn, expected, "after {said} in {turns:?}");
        }
    }

    #[test]
    fn signs_in_in_one_step_when_the_line_is_short() {
        let first = format!("AUTH XOAUTH2 {RESPONSE}\r\n");
        let limit = first.len();
        let check = |turns: &[_]| check(Mechanism::XOAuth2, limit, &first, turns);
        let response = format!("{RESPONSE}\r\n");
        let error = format!("334 {ERROR_CHALLENGE}");
        check(&[("235 done", "accepted")]);
        check(&[("535 no", "token refused")]);
        check(&[("454 later", "refused")]);
        check(&[("421 busy", "refused")]);
        check(&[("504 what", "refused")]);
        check(&[("530 starttls first", "refused")]);
        check(&[("534 weak", "token refused")]);
        check(&[("250 what", "out of place")]);
        check(&[(&error, "\r\n"), ("535 no", "token refused")]);
        check(&[(&error, "\r\n"), ("503 no", "token refused")]);
        check(&[(&error, "\r\n"), ("454 later", "refused")]);
        check(&[(&error, "\r\n"), ("235 what", "out of place")]);
        check(&[
            (&error, "\r\n"),
            (&error, "*\r\n"),
            ("501 off", "token refused"),
        ]);
        check(&[
            (&error, "\r\n"),
            (&error, "*\r\n"),
            (&error, "out of place"),
        ]);
        check(&[("334", &response), ("235 done", "accepted")]);
        check(&[
            ("334", &response),
            (&error, "\r\n"),
            ("535 no", "token refused"),
        ]);
        check(&[
            ("334", &response),
            ("334", "\r\n"),
            ("535 no", "token refused"),
        ]);
        check(&[
            ("500 long", "AUTH XOAUTH2\r\n"),
            ("334", &response),
            ("235", "accepted"),
        ]);
        check(&[("501 long", "AUTH XOAUTH2\r\n"), ("500 long", "refused")]);
    }

    #[test]
    fn signs_in_in_two_steps_when_the_line_is_long() {
        let limit = format!("AUTH XOAUTH2 {RESPONSE}\r\n").len() - 1;
        let check = |turns: &[_]| check(Mechanism::XOAuth2, limit, "AUTH XOAUTH2\r\n", turns);
        let response = format!("{RESPONSE}\r\n");
        let error = format!("334 {ERROR_CHALLENGE}");
        check(&[("334", &response), ("235 done", "accepted")]);
        check(&[
            ("334 go on", &response),
            ("501 5.5.4 malformed", "token refused"),
        ]);
        check(&[
            ("334", &response),
            (&error, "\r\n"),
            ("535 no", "token refused"),
        ]);
        check(&[("235 what", "out of place")]);
        check(&[("535 no", "token refused")]);
        check(&[("500 what", "refused")]);
    }

    #[test]
    fn speaks_the_standard_mechanism_where_the_older_one_is_missing() {
        let error = format!("334 {ERROR_CHALLENGE}");
        let (dialogue, _) = begin(Mechanism::OAuthBearer, 512);
        let response = BASE64_STANDARD
            .decode(dialogue.response().expose())
            .unwrap();
        let expected = format!(
            "n,a=test@contoso.onmicrosoft.com,\u{1}host=smtp.example.com\u{1}port=587\u{1}auth=Bearer {TOKEN}\u{1}\u{1}"
        );
        assert_eq!(String::from_utf8(response).unwrap(), expected);
        let first = format!("AUTH OAUTHBEARER {}\r\n", dialogue.response().expose());
        let turns = [(error.as_str(), "AQ==\r\n"), ("535 no", "token refused")];
        check(Mechanism::OAuthBearer, 512, &first, &turns);
    }

    #[test]
    fn chooses_among_the_mechanisms_offered() {
        fn check(offered: Option<&[Mechanism]>, expected: Result<Mechanism, &str>) {
            let chosen = Mechanism::choose("host", offered);
            assert_eq!(chosen.as_ref().map_err(Error::code).copied(), expected);
        }
        use Mechanism::{OAuthBearer, XOAuth2};
        check(Some(&[OAuthBearer, XOAuth2]), Ok(XOAuth2));
        check(Some(&[OAuthBearer]), Ok(OAuthBearer));
        check(Some(&[]), Err("auth-mechanism-unsupported"));
        check(None, Err("wrong-host"));
        assert_eq!(Mechanism::named("xoauth2"), Some(XOAuth2));
        check(
            Some(&[Mechanism::Plain, Mechanism::Login]),
            Err("auth-mechanism-unsupported"),
        );
        assert_eq!(Mechanism::named("plain"), Some(Mechanism::Plain));
        assert_eq!(Mechanism::named("CRAM-MD5"), None);
    }

    #[test]
    fn refuses_what_would_break_the_response_and_never_shows_the_token() {
        fn check(mailbox: &str, token: &str, expected: &str) {
            let identity = Identity {
                mailbox,
                ..IDENTITY
            };
            let begun =
                AuthDialogue::begin(Mechanism::XOAuth2, identity, &token.to_owned().into(), 512);
            let error = begun.unwrap_err();
            assert_eq!(error.code(), expected);
            assert!(token.is_empty() || !format!("{error:?}").contains(token));
        }
        check("a@b\u{1}auth=Bearer x", TOKEN, "address-invalid");
        check("a@b\r\n", TOKEN, "address-invalid");
        check("", TOKEN, "address-invalid");
        check("a@b", "", "token-corrupted");
        check("a@b", "secret\r\nRSET", "token-corrupted");
        check("a@b", "secret\u{1}x", "token-corrupted");
        check("a@b", "secret token", "token-corrupted");
    }

    #[test]
    fn a_dialogue_in_debug_shows_no_token() {
        let (dialogue, _) = begin(Mechanism::XOAuth2, 512);
        assert!(!format!("{dialogue:?}").contains(RESPONSE));
    }

    #[test]
    fn reads_error_challenges() {
        fn check(json: &str, status: &str, scope: &str) {
            let challenge = decode_challenge(BASE64_STANDARD.encode(json).as_bytes()).unwrap();
            assert_eq!(
                (challenge.status.as_str(), challenge.scope.as_str()),
                (status, scope)
            );
        }
        check(
            r#"{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}"#,
            "400",
            "https://mail.google.com/",
        );
        check(r#"{"status":401}"#, "401", "");
        check(
            r#"{"status":"invalid_token","scope":"a\r\n\u0000b"}"#,
            "invalid_token",
            "ab",
        );
        check(
            &format!(r#"{{"status":"{}"}}"#, "x".repeat(5000)),
            &"x".repeat(200),
            "",
        );
        assert_eq!(decode_challenge(b""), None);
        assert_eq!(decode_challenge(b"***"), None);
        assert_eq!(
            decode_challenge(BASE64_STANDARD.encode("[1]").as_bytes()),
            None
        );
        assert_eq!(
            decode_challenge(BASE64_STANDARD.encode("{}").as_bytes()),
            None
        );
    }

    #[test]
    fn expects_long_lines_of_exchange_alone() {
        let exchange =
            reply("220 X.outlook.office365.com Microsoft ESMTP MAIL Service ready at Sat");
        assert_eq!(line_limit_bytes(&exchange), 12_288);
        assert_eq!(
            line_limit_bytes(&reply("220 mail.example ESMTP Postfix")),
            512
        );
    }

    proptest! {
        #[test]
        fn every_dialogue_ends(replies in prop::collection::vec((200u16..600, "[a-z=]{0,8}"), 8)) {
            let (mut dialogue, _) = begin(Mechanism::XOAuth2, 512);
            let turns = replies.into_iter().map(|(code, text)| {
                dialogue.answer(SmtpReply { code, enhanced_status: None, text })
            });
            let said = turns.take_while(|turn| matches!(turn, Turn::Say(_))).count();
            prop_assert!(said <= 4);
        }

        #[test]
        fn error_challenges_are_fit_to_show(text in prop::collection::vec(any::<u8>(), 0..100), status in ".*") {
            let _ = decode_challenge(&text);
            let json = serde_json::json!({ "status": status }).to_string();
            let challenge = decode_challenge(BASE64_STANDARD.encode(json).as_bytes()).unwrap();
            prop_assert!(!challenge.status.contains(char::is_control));
        }
    }
}
