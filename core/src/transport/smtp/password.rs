//! Signing in with a password: PLAIN (RFC 4616) and LOGIN within AUTH (RFC 4954), as pure decisions.
//! Only ever used over TLS, and only where the account's settings say so: a token is never sent this way.

use super::auth::{Mechanism, Refusal, Turn};
use crate::error::{Error, Result};
use crate::model::{ProblemKind, SmtpReply};
use crate::secret::SecretText;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use std::collections::VecDeque;
use zeroize::Zeroizing;

/// One AUTH dialogue with a password.
#[derive(Debug)]
pub(super) struct PasswordDialogue {
    /// What is still to be said, each after a 334.
    responses: VecDeque<SecretText>,
}

impl PasswordDialogue {
    /// Prepares to sign in, and gives the first line to send. PLAIN comes first: it needs fewer steps. Errors: `Config`.
    pub(super) fn begin(
        host: &str,
        offered: Option<&[Mechanism]>,
        username: &str,
        password: &SecretText,
        line_limit_bytes: usize,
    ) -> Result<(Self, SecretText)> {
        let offered = offered.ok_or_else(|| no_auth(host))?;
        // Exposed because signing in is what it is for; the texts made of it are wiped as well.
        let password = password.expose();
        if offered.contains(&Mechanism::Plain) {
            let whole = Zeroizing::new(format!("\0{username}\0{password}"));
            return Ok(Self::plain(&whole, line_limit_bytes));
        }
        if !offered.contains(&Mechanism::Login) {
            return Err(no_mechanism(host));
        }
        let responses = [encoded(username), encoded(password)].into();
        Ok((Self { responses }, "AUTH LOGIN\r\n".to_owned().into()))
    }

    fn plain(whole: &str, line_limit_bytes: usize) -> (Self, SecretText) {
        let response = encoded(whole);
        // Exposed to become part of the command.
        let in_one_step = SecretText::new(format!("AUTH PLAIN {}\r\n", response.expose()));
        if in_one_step.expose().len() <= line_limit_bytes {
            let responses = VecDeque::new();
            return (Self { responses }, in_one_step);
        }
        let responses = [response].into();
        (Self { responses }, "AUTH PLAIN\r\n".to_owned().into())
    }

    /// What a server might repeat in its replies.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &SecretText> {
        self.responses.iter()
    }

    /// Takes the server's reply to the line last sent.
    pub(super) fn answer(&mut self, reply: SmtpReply) -> Turn {
        match (reply.code, self.responses.pop_front()) {
            (235, None) => Turn::Accepted,
            // Exposed because the server asked for it.
            (334, Some(response)) => Turn::Say(format!("{}\r\n", response.expose()).into()),
            (400..=599, _) => Turn::Refused(Refusal {
                reply,
                is_of_token: false,
            }),
            _ => Turn::OutOfPlace(reply),
        }
    }
}

fn encoded(text: &str) -> SecretText {
    BASE64_STANDARD.encode(text).into()
}

fn no_auth(host: &str) -> Error {
    Error::new(
        ProblemKind::Config,
        "wrong-host",
        format!("{host} offers no sign-in: it is no server to submit mail to"),
        "set route.host and route.port to the provider's submission server, not to its MX",
    )
}

fn no_mechanism(host: &str) -> Error {
    Error::new(
        ProblemKind::Config,
        "auth-mechanism-unsupported",
        format!("{host} takes no passwords: it offers neither PLAIN nor LOGIN"),
        "sign in with OAuth 2.0, or name a server that takes passwords",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(code: u16) -> SmtpReply {
        SmtpReply {
            code,
            enhanced_status: None,
            text: String::new(),
        }
    }

    /// Plays a dialogue: codes, each with the line that follows it or how it ends.
    fn check(offered: &[Mechanism], limit: usize, first: &str, turns: &[(u16, &str)]) {
        let password = SecretText::new("pass word".to_owned());
        let (mut dialogue, line) =
            PasswordDialogue::begin("host", Some(offered), "ada", &password, limit).unwrap();
        assert_eq!(line.expose(), first);
        for (code, expected) in turns {
            let turn = match dialogue.answer(reply(*code)) {
                Turn::Say(line) => line.expose().clone(),
                Turn::Accepted => "accepted".to_owned(),
                Turn::Refused(_) => "refused".to_owned(),
                Turn::OutOfPlace(_) => "out of place".to_owned(),
            };
            assert_eq!(&turn, expected, "after {code} in {turns:?}");
        }
    }

    #[test]
    fn signs_in_by_plain_or_by_login() {
        use Mechanism::{Login, Plain, XOAuth2};
        let plain = "AUTH PLAIN AGFkYQBwYXNzIHdvcmQ=\r\n";
        let both = [XOAuth2, Login, Plain];
        check(&both, 512, plain, &[(235, "accepted")]);
        check(&both, 512, plain, &[(535, "refused")]);
        check(&both, 512, plain, &[(334, "out of place")]);
        let late = [(334, "AGFkYQBwYXNzIHdvcmQ=\r\n"), (235, "accepted")];
        check(&both, 20, "AUTH PLAIN\r\n", &late);
        // A server that accepts before it was told anything is no server to trust.
        check(&both, 20, "AUTH PLAIN\r\n", &[(235, "out of place")]);
        let login = [
            (334, "YWRh\r\n"),
            (334, "cGFzcyB3b3Jk\r\n"),
            (235, "accepted"),
        ];
        check(&[Login], 512, "AUTH LOGIN\r\n", &login);
        let refused = [(334, "YWRh\r\n"), (535, "refused")];
        check(&[Login], 512, "AUTH LOGIN\r\n", &refused);
    }

    #[test]
    fn says_what_the_server_lacks_and_never_the_password() {
        let password = SecretText::new("hunter2".to_owned());
        let begin =
            |offered| PasswordDialogue::begin("host", offered, "ada", &password, 512).map(drop);
        assert_eq!(begin(None).unwrap_err().code(), "wrong-host");
        let tokens_only = begin(Some(&[Mechanism::XOAuth2])).unwrap_err();
        assert_eq!(tokens_only.code(), "auth-mechanism-unsupported");
        let (dialogue, line) =
            PasswordDialogue::begin("host", Some(&[Mechanism::Login]), "ada", &password, 512)
                .unwrap();
        assert!(!format!("{dialogue:?}{line:?}").contains("aHVudGVyMg"));
    }
}
