//! Accounts of other tools: their settings and, where the tool keeps one, the refresh token that a person signed in for.
//! Reads text and touches nothing: not the other tool's file, and no server.

mod fernet;
mod ini;
mod microsoft;
mod tools;

use crate::error::{Error, Result};
use crate::model::{EndpointOverrides, NewAccount, ProblemKind};
use crate::secret::SecretText;

/// Where an account comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Tool {
    /// email-oauth2-proxy's configuration file, with its tokens, which are encrypted with the mail client's password.
    EmailOauth2Proxy,
    /// sasl-xoauth2's token file; the client's id stands in its configuration unless the token file has one.
    SaslXoauth2,
    /// mutt_oauth2.py's token file, decrypted; the client's id stands in the script.
    MuttOauth2,
    /// oama's record, decrypted, or the output of `oama show`; the client's id stands in its configuration.
    Oama,
    /// pizauth's configuration: settings alone, for its tokens are to be had only in a form that changes with its version.
    Pizauth,
}

/// What the other tool's file does not say, or says of several accounts.
#[derive(Debug, Default)]
pub struct Hints {
    /// The tool. Default: told by the file's form.
    pub tool: Option<Tool>,
    /// Your name for the account. Default: what stands before the `@` of its mailbox.
    pub name: Option<String>,
    /// The mailbox; picks the account where the file holds several.
    pub mailbox: Option<String>,
    /// The tenant.
    pub tenant: Option<String>,
    /// The application (client) ID.
    pub client_id: Option<String>,
    /// The password that the tokens are encrypted with.
    pub password: Option<SecretText>,
    /// Values that replace the cloud's own.
    pub endpoints: EndpointOverrides,
}

/// An account to take over.
#[derive(Debug)]
pub struct Import {
    /// The tool it comes from.
    pub tool: Tool,
    /// Its settings.
    pub account: NewAccount,
    /// The refresh token, where the tool keeps one; otherwise a person signs in again.
    pub refresh_token: Option<SecretText>,
}

/// Reads another tool's file. Errors: `Config`, which names the place and the next step; no error repeats a secret.
pub fn read(text: &str, hints: Hints) -> Result<Import> {
    if text.len() > LONGEST_FILE {
        return Err(foreign("the file is too long for one"));
    }
    let text = text.trim_start_matches('\u{feff}');
    if text.trim_start().starts_with("-----BEGIN PGP MESSAGE") || text.contains('\0') {
        return Err(encrypted());
    }
    let tool = hints.tool.or_else(|| recognised(text));
    let tool = tool.ok_or_else(|| foreign("its form is none of theirs"))?;
    let found = match tool {
        Tool::EmailOauth2Proxy => tools::email_oauth2_proxy(text, &hints),
        Tool::SaslXoauth2 => tools::sasl_xoauth2(text, &hints),
        Tool::MuttOauth2 => tools::mutt_oauth2(text),
        Tool::Oama => tools::oama(text),
        Tool::Pizauth => tools::pizauth(text, &hints),
    }?;
    found.into_import(tool, hints)
}

/// What a parser found. Empty settings are looked for in the hints.
#[derive(Debug, Default)]
struct Found {
    mailbox: Option<String>,
    client_id: Option<String>,
    token_url: Option<String>,
    client_secret: Option<SecretText>,
    refresh_token: Option<SecretText>,
    is_device_code: bool,
    is_application: bool,
}

fn recognised(text: &str) -> Option<Tool> {
    let start = text.trim_start();
    if start.starts_with('{') {
        return Some(match text {
            _ if text.contains("\"registration\"") => Tool::MuttOauth2,
            _ if text.contains("\"token_type\"") || text.contains("\"service\"") => Tool::Oama,
            _ => Tool::SaslXoauth2,
        });
    }
    let has_line = |start: &str| {
        text.lines()
            .any(|line| line.trim_start().starts_with(start))
    };
    if has_line("account \"") {
        return Some(Tool::Pizauth);
    }
    if has_line("[") && (has_line("token_url") || has_line("server_address")) {
        return Some(Tool::EmailOauth2Proxy);
    }
    (has_line("email:") && has_line("refresh_token:")).then_some(Tool::Oama)
}

/// Far longer than any of these files.
const LONGEST_FILE: usize = 1024 * 1024;

fn malformed(place: &str, defect: &str, fix: &str) -> Error {
    Error::new(
        ProblemKind::Config,
        "import-malformed",
        format!("{place} {defect}"),
        fix,
    )
}

fn missing(what: &str, fix: &str) -> Error {
    Error::new(
        ProblemKind::Config,
        "import-incomplete",
        format!("the file does not say {what}"),
        fix,
    )
}

fn foreign(why: &str) -> Error {
    Error::new(
        ProblemKind::Config,
        "import-unknown",
        format!(
            "not a file of email-oauth2-proxy, sasl-xoauth2, mutt_oauth2.py, oama or pizauth: {why}"
        ),
        "name the tool (--from), and give its own file: emailproxy.config, the token file, or pizauth.conf",
    )
}

fn encrypted() -> Error {
    Error::new(
        ProblemKind::Config,
        "import-encrypted",
        "the file is encrypted, or is no text",
        "let the tool that encrypted it decrypt it: gpg --decrypt FILE | mailbearer account import - --from TOOL",
    )
}

#[cfg(test)]
#[path = "import_tests.rs"]
mod tests;
