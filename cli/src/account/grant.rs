//! How an account signs in, from options; secrets come from files, standard input, the environment or the person.

use crate::input;
use crate::prompt;
use clap::ValueEnum;
use mailbearer::model::{Grant, ProblemKind};
use mailbearer::secret::SecretText;
use mailbearer::{Error, Result};
use std::path::{Path, PathBuf};

/// What the account signs in with.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "How it signs in")]
pub(super) struct GrantArgs {
    /// How to sign in [default: what the other options here say, otherwise a person in a browser]
    #[arg(long, value_enum)]
    grant: Option<GrantArg>,
    /// Read the client secret from this file
    #[arg(long, value_name = "FILE", group = "credential")]
    client_secret_file: Option<PathBuf>,
    /// Read the client secret from standard input
    #[arg(long, group = "credential")]
    pub(super) client_secret_stdin: bool,
    /// Sign in with the certificate in this PEM file
    #[arg(
        long,
        value_name = "FILE",
        group = "credential",
        requires = "private_key_file"
    )]
    certificate_file: Option<PathBuf>,
    /// The certificate's RSA key: a PEM file; the passphrase of an encrypted one comes from the option below, from the
    /// environment variable MAILBEARER_PRIVATE_KEY_PASSPHRASE, or is asked for
    #[arg(long, value_name = "FILE", requires = "certificate_file")]
    private_key_file: Option<PathBuf>,
    /// Read the passphrase of the private key from this file
    #[arg(long, value_name = "FILE", requires = "private_key_file")]
    private_key_passphrase_file: Option<PathBuf>,
    /// Sign in with the certificate and key in this PKCS#12 file (.p12, .pfx); its passphrase comes from the option below,
    /// from the environment variable MAILBEARER_PKCS12_PASSPHRASE, or is asked for
    #[arg(long, value_name = "FILE", group = "credential")]
    pkcs12_file: Option<PathBuf>,
    /// Read the passphrase of the PKCS#12 file from this file
    #[arg(long, value_name = "FILE", requires = "pkcs12_file")]
    pkcs12_passphrase_file: Option<PathBuf>,
    /// Sign in with another issuer's token in this file, read anew for every request
    #[arg(long, value_name = "FILE", group = "credential")]
    federated_token_file: Option<String>,
    /// Sign in with the password in this file, where the server takes one; otherwise it comes from the environment variable
    /// MAILBEARER_PASSWORD, or is asked for
    #[arg(long, value_name = "FILE", group = "credential")]
    password_file: Option<PathBuf>,
    /// The name to sign in with beside a password [default: the mailbox]
    #[arg(long, value_name = "NAME")]
    username: Option<String>,
    /// Take the access token that this command prints, such as `az account get-access-token`; no shell is involved
    #[arg(long, value_name = "COMMAND", group = "credential")]
    token_command: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum GrantArg {
    AuthorizationCode,
    DeviceCode,
    ClientSecret,
    ClientCertificate,
    FederatedToken,
    ManagedIdentity,
    TokenCommand,
    Password,
    Nothing,
}

impl GrantArgs {
    /// The grant, with its secrets read.
    pub(super) fn read(&self) -> Result<Grant> {
        let kind = self.kind(std::env::var_os(SECRET_VARIABLE).is_some())?;
        Ok(match kind {
            GrantArg::AuthorizationCode => Grant::AuthorizationCode,
            GrantArg::DeviceCode => Grant::DeviceCode,
            GrantArg::ManagedIdentity => Grant::ManagedIdentity,
            GrantArg::ClientSecret => Grant::ClientSecret {
                client_secret: self.client_secret()?,
            },
            GrantArg::ClientCertificate => self.certificate()?,
            GrantArg::FederatedToken => Grant::FederatedToken {
                token_file: self.federated_token_file.clone(),
            },
            GrantArg::TokenCommand => Grant::TokenCommand {
                command: self.command()?,
            },
            GrantArg::Password => Grant::Password {
                username: self.username.clone(),
                password: self.password()?,
            },
            GrantArg::Nothing => Grant::Nothing,
        })
    }

    /// What was asked for by name, or by the credential that was given.
    fn kind(&self, has_secret_in_environment: bool) -> Result<GrantArg> {
        let given = self.given();
        match (self.grant, given) {
            (Some(named), Some(given)) if named != given => {
                Err(credential_of_another(named, given))
            }
            (Some(kind), _) | (None, Some(kind)) => Ok(kind),
            (None, None) if has_secret_in_environment => Ok(GrantArg::ClientSecret),
            (None, None) => Ok(GrantArg::AuthorizationCode),
        }
    }

    fn given(&self) -> Option<GrantArg> {
        let has_certificate = self.certificate_file.is_some() || self.pkcs12_file.is_some();
        let has_secret = self.client_secret_file.is_some() || self.client_secret_stdin;
        [
            (has_secret, GrantArg::ClientSecret),
            (has_certificate, GrantArg::ClientCertificate),
            (
                self.federated_token_file.is_some(),
                GrantArg::FederatedToken,
            ),
            (self.token_command.is_some(), GrantArg::TokenCommand),
            (self.password_file.is_some(), GrantArg::Password),
        ]
        .into_iter()
        .find_map(|(is_given, kind)| is_given.then_some(kind))
    }

    fn client_secret(&self) -> Result<SecretText> {
        let text = if let Some(path) = &self.client_secret_file {
            input::text(path, "the client secret's file")?
        } else if self.client_secret_stdin {
            input::text(Path::new("-"), "the client secret")?
        } else if let Ok(text) = std::env::var(SECRET_VARIABLE) {
            text
        } else if prompt::is_possible() {
            return prompt::secret("Client secret (its value, not its ID): ");
        } else {
            return Err(secret_missing());
        };
        let secret = without_line_end(text);
        // Exposed to see whether there is anything at all.
        match secret.expose().is_empty() {
            true => Err(secret_missing()),
            false => Ok(secret),
        }
    }

    fn password(&self) -> Result<SecretText> {
        let text = if let Some(path) = &self.password_file {
            input::text(path, "the password's file")?
        } else if let Ok(text) = std::env::var(PASSWORD_VARIABLE) {
            text
        } else if prompt::is_possible() {
            return prompt::secret("Password: ");
        } else {
            return Err(missing(&format!(
                "--password-file FILE, or {PASSWORD_VARIABLE}"
            )));
        };
        Ok(without_line_end(text))
    }

    fn certificate(&self) -> Result<Grant> {
        if let Some(file) = &self.pkcs12_file {
            return Ok(Grant::ClientCertificatePkcs12 {
                pkcs12: input::bytes(file, "the PKCS#12 file")?.into(),
                passphrase: PKCS12.ask(self.pkcs12_passphrase_file.as_deref())?,
            });
        }
        let (Some(certificate), Some(key)) = (&self.certificate_file, &self.private_key_file)
        else {
            return Err(missing(
                "--certificate-file FILE and --private-key-file FILE, or --pkcs12-file FILE",
            ));
        };
        let private_key_pem = SecretText::new(input::text(key, "the private key's file")?);
        // Exposed to see whether a passphrase is needed.
        let is_encrypted = private_key_pem.expose().contains("ENCRYPTED PRIVATE KEY");
        let file = self.private_key_passphrase_file.as_deref();
        Ok(Grant::ClientCertificate {
            certificate_pem: input::text(certificate, "the certificate's file")?,
            private_key_pem,
            private_key_passphrase: is_encrypted.then(|| PRIVATE_KEY.ask(file)).transpose()?,
        })
    }

    fn command(&self) -> Result<Vec<String>> {
        let line = self.token_command.as_deref();
        let line = line.ok_or_else(|| missing("--token-command COMMAND"))?;
        shell_words::split(line).map_err(|_| {
            Error::new(
                ProblemKind::Misuse,
                "token-command-invalid",
                "a quotation mark in --token-command is not closed",
                "quote each argument that holds blanks, as in a shell",
            )
        })
    }
}

/// A passphrase of something that is read once.
struct Asked {
    of: &'static str,
    variable: &'static str,
    option: &'static str,
}

const PKCS12: Asked = Asked {
    of: "PKCS#12 file",
    variable: "MAILBEARER_PKCS12_PASSPHRASE",
    option: "--pkcs12-passphrase-file",
};

const PRIVATE_KEY: Asked = Asked {
    of: "private key",
    variable: "MAILBEARER_PRIVATE_KEY_PASSPHRASE",
    option: "--private-key-passphrase-file",
};

impl Asked {
    /// From the file, the environment, or whoever sits in front of the terminal.
    fn ask(&self, file: Option<&Path>) -> Result<SecretText> {
        let text = if let Some(path) = file {
            input::text(path, "the passphrase's file")?
        } else if let Ok(text) = std::env::var(self.variable) {
            text
        } else if prompt::is_possible() {
            return prompt::secret(&format!("Passphrase of the {}: ", self.of));
        } else {
            return Err(self.missing());
        };
        Ok(without_line_end(text))
    }

    fn missing(&self) -> Error {
        Error::new(
            ProblemKind::Misuse,
            "certificate-passphrase-missing",
            format!("the {} needs a passphrase, and none was given", self.of),
            format!(
                "give it with {} FILE or in {}; an empty one too",
                self.option, self.variable
            ),
        )
    }
}

/// As a secret, shortened in place, so that no copy stays behind.
fn without_line_end(mut text: String) -> SecretText {
    text.truncate(text.trim_end_matches(['\r', '\n']).len());
    SecretText::new(text)
}

/// The environment variable that may hold a password.
const PASSWORD_VARIABLE: &str = "MAILBEARER_PASSWORD";

/// The environment variable that may hold the client secret.
const SECRET_VARIABLE: &str = "MAILBEARER_CLIENT_SECRET";

fn secret_missing() -> Error {
    Error::new(
        ProblemKind::Misuse,
        "client-secret-missing",
        "the account signs in with a client secret, and none was given",
        format!(
            "give it with --client-secret-file FILE, with --client-secret-stdin, or in {SECRET_VARIABLE}"
        ),
    )
}

fn missing(options: &str) -> Error {
    Error::new(
        ProblemKind::Misuse,
        "credential-missing",
        "the account has nothing to sign in with",
        format!("give {options}"),
    )
}

fn credential_of_another(named: GrantArg, given: GrantArg) -> Error {
    let name = |kind: GrantArg| {
        let value = kind.to_possible_value();
        value
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default()
    };
    Error::new(
        ProblemKind::Misuse,
        "credential-unused",
        format!(
            "--grant {} takes no credential of {}",
            name(named),
            name(given)
        ),
        format!("leave out --grant {}, or the other option", name(named)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        grant: GrantArgs,
    }

    #[test]
    fn the_credential_says_the_grant() {
        fn check(options: &str, has_secret_in_environment: bool, expected: Option<GrantArg>) {
            let line = format!("add {options}");
            let line = Line::try_parse_from(line.split_whitespace());
            let kind = line
                .ok()
                .and_then(|line| line.grant.kind(has_secret_in_environment).ok());
            assert_eq!(kind, expected, "{options}");
        }
        check("", false, Some(GrantArg::AuthorizationCode));
        check("", true, Some(GrantArg::ClientSecret));
        check("--client-secret-file f", true, Some(GrantArg::ClientSecret));
        check("--client-secret-stdin", false, Some(GrantArg::ClientSecret));
        check("--grant client-secret", false, Some(GrantArg::ClientSecret));
        check("--grant device-code", true, Some(GrantArg::DeviceCode));
        check("--grant device-code --client-secret-stdin", false, None);
        check(
            "--certificate-file c --private-key-file k",
            true,
            Some(GrantArg::ClientCertificate),
        );
        check("--pkcs12-file p", false, Some(GrantArg::ClientCertificate));
        check("--pkcs12-passphrase-file p", false, None);
        check("--private-key-passphrase-file p", false, None);
        check("--certificate-file c", false, None);
        check("--private-key-file k", false, None);
        check(
            "--federated-token-file t",
            false,
            Some(GrantArg::FederatedToken),
        );
        check(
            "--grant federated-token",
            true,
            Some(GrantArg::FederatedToken),
        );
        check(
            "--grant managed-identity",
            true,
            Some(GrantArg::ManagedIdentity),
        );
        check("--token-command oama", false, Some(GrantArg::TokenCommand));
        check("--token-command oama --client-secret-stdin", false, None);
        check("--password-file p", true, Some(GrantArg::Password));
        check("--grant password", true, Some(GrantArg::Password));
        check("--grant nothing", true, Some(GrantArg::Nothing));
        check("--grant nothing --password-file p", false, None);
    }

    #[test]
    fn a_command_is_split_like_a_shell_would() {
        fn check(line: &str, expected: Option<&[&str]>) {
            let words = Line::parse_from(["add", "--token-command", line])
                .grant
                .command();
            assert_eq!(
                words
                    .ok()
                    .as_deref()
                    .map(|words| words.iter().map(String::as_str).collect::<Vec<_>>())
                    .as_deref(),
                expected
            );
        }
        check("oama access 'a b'", Some(&["oama", "access", "a b"]));
        check("'", None);
    }
}
