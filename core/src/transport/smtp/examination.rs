//! A session for the sake of looking: the same steps as before a mail, one at a time, and no mail.
//! Reports where it ended; what that means for an account is `doctor`'s.

use super::envelope::{bad_address, is_safe_address};
use super::journal::Journal;
use super::opening::Opening;
use super::session::{Session, SignIn};
use crate::diagnosis::{SmtpPhase, smtp_refusal};
use crate::error::{Error, Result};
use crate::host::{Clock, Network};
use crate::model::{SmtpReply, Trail};
use crate::secret::SecretText;
use crate::transport::{Password, SmtpRoute};
use std::sync::Arc;

/// A session that is open to be looked at.
#[derive(Debug)]
pub(crate) struct Examined {
    session: Session,
    host: String,
}

/// Opens a session, and tells the steps taken, the last of which is the one that failed if it did.
pub(crate) async fn examine(
    route: &Arc<SmtpRoute>,
    network: &dyn Network,
    clock: &Arc<dyn Clock>,
) -> (Trail, Result<Examined>) {
    let mut journal = Journal::new(Trail::default(), clock.clone());
    let opening = Opening {
        route,
        network,
        clock,
    };
    let session = Session::open(&opening, &mut journal).await;
    let host = route.host.clone();
    let examined = session.map(|session| Examined { session, host });
    (journal.trail, examined)
}

impl Examined {
    /// What the server offers, by its keywords.
    pub(crate) fn offers(&self) -> Vec<&'static str> {
        let extensions = &self.session.extensions;
        let known = [
            (extensions.pipelining, "PIPELINING"),
            (extensions.chunking, "CHUNKING"),
            (extensions.eight_bit_mime, "8BITMIME"),
            (extensions.smtputf8, "SMTPUTF8"),
        ];
        known
            .into_iter()
            .filter_map(|(offered, keyword)| offered.then_some(keyword))
            .collect()
    }

    /// The largest message the server takes, in octets, where it says so.
    pub(crate) fn size_limit_bytes(&self) -> Option<u64> {
        self.session
            .extensions
            .size_limit_bytes
            .filter(|limit| *limit > 0)
    }

    /// Signs in with a password. Errors: as for a mail.
    pub(crate) async fn sign_in_with(&mut self, password: &Password) -> Result<()> {
        self.session.sign_in_with(password).await
    }

    /// Signs in. Errors: as for a mail; a refused token is an error here.
    pub(crate) async fn sign_in(&mut self, token: &SecretText) -> Result<()> {
        match self.session.sign_in(token).await? {
            SignIn::Accepted => Ok(()),
            SignIn::TokenRefused(error) => Err(error),
        }
    }

    /// Names a sender, and takes it back: the server says whether it takes a mail from there, and gets none.
    pub(crate) async fn name_sender(&mut self, address: &str) -> Result<()> {
        if !is_safe_address(address) {
            return Err(bad_address(address));
        }
        let parameter = match address.is_ascii() {
            true => "",
            false => " SMTPUTF8",
        };
        let line = format!("MAIL FROM:<{address}>{parameter}\r\n");
        let reply = self.session.connection.ask("MAIL", &line).await?;
        self.session.connection.ask("RSET", "RSET\r\n").await?;
        accepted(&self.host, &reply)
    }

    /// Ends the session. Takes a second at most.
    pub(crate) async fn close(self) {
        self.session.close().await;
    }
}

fn accepted(host: &str, reply: &SmtpReply) -> Result<(), Error> {
    match reply.code {
        250 => Ok(()),
        _ => Err(smtp_refusal(host, SmtpPhase::Mail, reply)),
    }
}
