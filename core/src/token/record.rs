//! The tokens of an account as they rest in the vault: one record, replaced whole, so that an access token and the
//! refresh token that came with it are never torn apart.

use super::AccessToken;
use super::claims::Claims;
use super::renewal::Lifetime;
use crate::error::{Error, Result};
use crate::model::{ProblemKind, TokenOrigin};
use crate::secret::{SecretBytes, SecretText};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What a grant obtained.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    pub(crate) access_token: Arc<SecretText>,
    pub(crate) refresh_token: Option<SecretText>,
    pub(crate) origin: TokenOrigin,
    /// What the server says it granted; the token's own claims are more exact where they can be read.
    pub(crate) granted_scopes: Vec<String>,
    pub(crate) lifetime: Lifetime,
}

impl Tokens {
    /// The access token with what it says about itself, for this mailbox.
    pub(crate) fn access_token(&self, mailbox: &str) -> AccessToken {
        // Exposed to be read by the claims reader.
        let claims = Claims::read(self.access_token.expose()).unwrap_or_default();
        let permissions = claims.permissions();
        AccessToken {
            secret: self.access_token.clone(),
            mailbox: mailbox.to_owned(),
            origin: self.origin,
            from_cache: false,
            scopes: match permissions.is_empty() {
                true => self.granted_scopes.clone(),
                false => permissions,
            },
            subject: claims.bearer().map(str::to_owned),
            audience: claims.audiences.into_iter().next(),
            obtained_at_unix_ms: self.lifetime.obtained_at_unix_ms,
            expires_at_unix_ms: self.lifetime.expires_at_unix_ms,
        }
    }

    /// The record for the vault.
    pub(crate) fn seal(&self) -> Result<SecretBytes> {
        let stored = Stored {
            format: FORMAT,
            // Exposed to be sealed by the vault.
            access_token: self.access_token.expose(),
            refresh_token: self.refresh_token.as_ref().map(|token| &**token.expose()),
            origin: self.origin,
            granted_scopes: &self.granted_scopes,
            obtained_at_unix_ms: self.lifetime.obtained_at_unix_ms,
            expires_at_unix_ms: self.lifetime.expires_at_unix_ms,
            renew_at_unix_ms: self.lifetime.renew_at_unix_ms,
        };
        let record = serde_json::to_vec(&stored).map_err(unwritable)?;
        Ok(SecretBytes::new(record))
    }

    /// Reads a record from the vault.
    pub(crate) fn unseal(record: &SecretBytes) -> Result<Self> {
        // Exposed to be read; the texts in it become secrets at once.
        let read: Read = serde_json::from_slice(record.expose()).map_err(|_| damaged())?;
        if read.format > FORMAT {
            return Err(newer());
        }
        Ok(Self {
            access_token: Arc::new(read.access_token),
            refresh_token: read.refresh_token,
            origin: read.origin,
            granted_scopes: read.granted_scopes,
            lifetime: Lifetime {
                obtained_at_unix_ms: read.obtained_at_unix_ms,
                expires_at_unix_ms: read.expires_at_unix_ms,
                renew_at_unix_ms: read.renew_at_unix_ms,
            },
        })
    }
}

/// Changes when the meaning of a field does.
const FORMAT: u32 = 1;

#[derive(Serialize)]
struct Stored<'a> {
    format: u32,
    access_token: &'a str,
    refresh_token: Option<&'a str>,
    origin: TokenOrigin,
    granted_scopes: &'a [String],
    obtained_at_unix_ms: i64,
    expires_at_unix_ms: i64,
    renew_at_unix_ms: Option<i64>,
}

#[derive(Deserialize)]
struct Read {
    format: u32,
    access_token: SecretText,
    refresh_token: Option<SecretText>,
    origin: TokenOrigin,
    granted_scopes: Vec<String>,
    obtained_at_unix_ms: i64,
    expires_at_unix_ms: i64,
    #[serde(default)]
    renew_at_unix_ms: Option<i64>,
}

pub(super) fn unwritable(error: serde_json::Error) -> Error {
    Error::new(
        ProblemKind::Internal,
        "record-unwritable",
        "a record could not be written as JSON",
        "report this to Mailbearer's authors",
    )
    .with_source(error)
}

fn damaged() -> Error {
    Error::new(
        ProblemKind::Storage,
        "vault-record-damaged",
        "the stored tokens cannot be read",
        "sign in again",
    )
}

fn newer() -> Error {
    Error::new(
        ProblemKind::Storage,
        "vault-record-newer",
        "the stored tokens were written by a newer version",
        "use the newer version of Mailbearer",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_keeps_everything() {
        let tokens = Tokens {
            access_token: Arc::new(SecretText::new("access".to_owned())),
            refresh_token: Some(SecretText::new("refresh".to_owned())),
            origin: TokenOrigin::DeviceCode,
            granted_scopes: vec!["SMTP.Send".to_owned()],
            lifetime: Lifetime {
                obtained_at_unix_ms: 1,
                expires_at_unix_ms: 3,
                renew_at_unix_ms: Some(2),
            },
        };
        let read = Tokens::unseal(&tokens.seal().unwrap()).unwrap();
        assert_eq!(read.access_token.expose(), "access");
        assert_eq!(read.refresh_token.unwrap().expose(), "refresh");
        assert_eq!(read.origin, TokenOrigin::DeviceCode);
        assert_eq!(read.granted_scopes, ["SMTP.Send"]);
        assert_eq!(read.lifetime, tokens.lifetime);
    }

    #[test]
    fn refuses_records_it_cannot_read() {
        fn check(record: &str, expected: &str) {
            let error = Tokens::unseal(&record.as_bytes().to_vec().into()).unwrap_err();
            assert_eq!(error.code(), expected);
            assert!(!format!("{error:?}").contains("hunter2"));
        }
        check("", "vault-record-damaged");
        check(
            r#"{"format":1,"access_token":"hunter2"}"#,
            "vault-record-damaged",
        );
        check(
            r#"{"format":2,"access_token":"hunter2","refresh_token":null,"origin":"deviceCode",
                "granted_scopes":[],"obtained_at_unix_ms":0,"expires_at_unix_ms":0}"#,
            "vault-record-newer",
        );
    }
}
