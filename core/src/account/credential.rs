//! What an application signs in with, as it rests in the vault: the account's grant, secrets included, as one record.

use super::unwritable;
use crate::error::Result;
use crate::model::Grant;
use crate::provider::{certificate, pkcs12};
use crate::secret::SecretBytes;
use serde::Serialize;

/// The record for the vault; none where a person or nobody signs in.
pub(super) fn seal(grant: &Grant) -> Result<Option<SecretBytes>> {
    // Exposed to be sealed by the vault.
    let stored = match grant {
        Grant::AuthorizationCode | Grant::DeviceCode | Grant::Nothing => return Ok(None),
        Grant::ClientSecret { client_secret } => Stored::ClientSecret {
            client_secret: client_secret.expose(),
        },
        Grant::ClientCertificate {
            certificate_pem,
            private_key_pem,
            private_key_passphrase,
        } => {
            let key = certificate::opened_key(private_key_pem, private_key_passphrase.as_ref())?;
            return written(&Stored::ClientCertificate {
                certificate_pem,
                private_key_pem: key.expose(),
            });
        }
        Grant::ClientCertificatePkcs12 { pkcs12, passphrase } => {
            return seal(&pkcs12::open(pkcs12, passphrase)?);
        }
        Grant::FederatedToken { token_file } => Stored::FederatedToken {
            token_file: token_file.as_deref(),
        },
        Grant::ManagedIdentity => Stored::ManagedIdentity,
        Grant::TokenCommand { command } => Stored::TokenCommand { command },
        Grant::Password { username, password } => Stored::Password {
            username: username.as_deref(),
            password: password.expose(),
        },
    };
    written(&stored)
}

fn written(stored: &Stored<'_>) -> Result<Option<SecretBytes>> {
    let record = serde_json::to_vec(stored).map_err(unwritable)?;
    Ok(Some(SecretBytes::new(record)))
}

/// Reads a record from the vault; none if it is not one.
pub(super) fn unseal(record: &SecretBytes) -> Option<Grant> {
    // Exposed to be read; the texts in it become secrets at once. What the parser complains about may quote them.
    serde_json::from_slice(record.expose()).ok()
}

/// The form that [`Grant`] reads.
#[derive(Serialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
enum Stored<'a> {
    ClientSecret {
        client_secret: &'a str,
    },
    ClientCertificate {
        certificate_pem: &'a str,
        private_key_pem: &'a str,
    },
    FederatedToken {
        token_file: Option<&'a str>,
    },
    ManagedIdentity,
    TokenCommand {
        command: &'a [String],
    },
    Password {
        username: Option<&'a str>,
        password: &'a str,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_keeps_everything() {
        for grant in [
            r#"{"type":"clientSecret","clientSecret":"s"}"#,
            r#"{"type":"clientCertificate","certificatePem":"c","privateKeyPem":"k"}"#,
            r#"{"type":"federatedToken","tokenFile":"/var/run/token"}"#,
            r#"{"type":"federatedToken","tokenFile":null}"#,
            r#"{"type":"managedIdentity"}"#,
            r#"{"type":"tokenCommand","command":["az","account"]}"#,
            r#"{"type":"password","username":null,"password":"p"}"#,
        ] {
            let read: Grant = serde_json::from_str(grant).unwrap();
            let record = seal(&read).unwrap().unwrap();
            assert_eq!(record.expose(), grant.as_bytes());
            assert_eq!(unseal(&record).unwrap().kind(), read.kind());
        }
        assert!(seal(&Grant::DeviceCode).unwrap().is_none());
        assert!(seal(&Grant::Nothing).unwrap().is_none());
        assert!(unseal(&b"{".to_vec().into()).is_none());
    }
}
