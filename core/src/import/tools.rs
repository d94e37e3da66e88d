//! The files of five tools, each read for what an account needs. Formats are those of the tools' own sources, as of 2026.

use super::fernet::{self, Key};
use super::ini::{self, Section};
use super::{Found, Hints, encrypted, foreign, malformed, missing};
use crate::error::{Error, Result};
use crate::model::ProblemKind;
use crate::secret::SecretText;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use std::num::NonZeroU32;

/// emailproxy.config: a section for each address. Tokens and, if so configured, the client secret are sealed.
pub(super) fn email_oauth2_proxy(text: &str, hints: &Hints) -> Result<Found> {
    let sections = ini::sections(text);
    let section = choose(
        sections.iter().filter(|section| section.name.contains('@')),
        |section| &section.name,
        hints,
    )?;
    let place = format!("section [{}]:", section.name);
    let flow = section.get("oauth2_flow").unwrap_or_default();
    if ["password", "service_account"].contains(&flow) {
        return Err(malformed(
            &place,
            "its oauth2_flow has no refresh token and no place in Mailbearer",
            "add the account by hand: mailbearer account add",
        ));
    }
    let is_application = flow == "client_credentials";
    let sealed_secret = section.get("client_secret_encrypted");
    let client_secret = match sealed_secret.filter(|_| is_application) {
        Some(sealed) => Some(unseal(section, "client_secret_encrypted", sealed, hints)?),
        None => section.get("client_secret").map(secret),
    };
    let refresh_token = match section.get("refresh_token") {
        Some(sealed) if !is_application => Some(unseal(section, "refresh_token", sealed, hints)?),
        None if !is_application => return Err(no_refresh_token(&place)),
        _ => None,
    };
    Ok(Found {
        mailbox: Some(section.name.clone()),
        client_id: section.get("client_id").map(str::to_owned),
        token_url: section.get("token_url").map(str::to_owned),
        client_secret: client_secret.filter(|_| is_application),
        refresh_token,
        is_device_code: flow == "device",
        is_application,
    })
}

fn unseal(section: &Section, field: &str, sealed: &str, hints: &Hints) -> Result<SecretText> {
    let place = format!("section [{}]: {field}", section.name);
    let again = "let email-oauth2-proxy sign in once more and write the file anew";
    let password = hints
        .password
        .as_ref()
        .ok_or_else(|| password_missing(&place))?;
    let salt = section
        .get("token_salt")
        .ok_or_else(|| malformed(&place, "has no token_salt beside it", again))?;
    let salt = STANDARD.decode(salt).map_err(|_| {
        malformed(
            &format!("section [{}]: token_salt", section.name),
            "is not base64",
            again,
        )
    })?;
    let iterations = iterations(section)?;
    // The file's own number, and those that its older and newer versions use without saying so.
    let mut numbers = vec![iterations];
    numbers.extend([1_200_000, 100_000].into_iter().filter_map(NonZeroU32::new));
    numbers.dedup();
    for number in numbers {
        // Exposed to make the key from it.
        let key = Key::new(password.expose(), &salt, number);
        if let Some(opened) = key.open(sealed) {
            let text = std::str::from_utf8(&opened)
                .ok()
                .filter(|text| is_plain(text));
            return text
                .map(secret)
                .ok_or_else(|| malformed(&place, "holds no token", again));
        }
    }
    Err(Error::new(
        ProblemKind::Config,
        "import-password-wrong",
        format!("{place} cannot be opened with this password"),
        "give the password that the mail client uses for this account with email-oauth2-proxy",
    ))
}

fn iterations(section: &Section) -> Result<NonZeroU32> {
    let Some(text) = section.get("token_iterations") else {
        return Ok(NonZeroU32::new(100_000).unwrap_or(NonZeroU32::MIN));
    };
    let number = text
        .parse::<u32>()
        .ok()
        .filter(|number| *number <= fernet::MOST_ITERATIONS);
    number.and_then(NonZeroU32::new).ok_or_else(|| {
        malformed(
            &format!("section [{}]: token_iterations", section.name),
            "is not a number from 1 to 10000000",
            "let email-oauth2-proxy sign in once more and write the file anew",
        )
    })
}

/// The token file of sasl-xoauth2, which may name its own client.
pub(super) fn sasl_xoauth2(text: &str, hints: &Hints) -> Result<Found> {
    let members = json(text)?;
    Ok(Found {
        mailbox: text_of(&members, "user")?.or_else(|| hints.mailbox.clone()),
        client_id: text_of(&members, "client_id")?,
        token_url: text_of(&members, "token_endpoint")?,
        refresh_token: Some(refresh_token(&members)?),
        ..Found::default()
    })
}

/// The token file of mutt_oauth2.py, after its decryption pipe.
pub(super) fn mutt_oauth2(text: &str) -> Result<Found> {
    let members = json(text)?;
    let registration = text_of(&members, "registration")?;
    if registration.as_deref() == Some("google") {
        return Err(foreign(
            "its registration is Google's, and Mailbearer sends through Microsoft 365",
        ));
    }
    Ok(Found {
        mailbox: text_of(&members, "email")?,
        // Stands in the script of most versions, and in the file of some.
        client_id: text_of(&members, "client_id")?,
        refresh_token: Some(refresh_token(&members)?),
        is_device_code: text_of(&members, "authflow")?.as_deref() == Some("devicecode"),
        ..Found::default()
    })
}

/// oama's record, as GPG or a keyring gives it back, or the lines of `oama show`.
pub(super) fn oama(text: &str) -> Result<Found> {
    let members = match text.trim_start().starts_with('{') {
        true => json(text)?,
        false => lines(text),
    };
    if text_of(&members, "service")?.is_some_and(|service| service.starts_with("google")) {
        return Err(foreign(
            "its service is Google's, and Mailbearer sends through Microsoft 365",
        ));
    }
    Ok(Found {
        mailbox: text_of(&members, "email")?,
        refresh_token: Some(refresh_token(&members)?),
        ..Found::default()
    })
}

fn lines(text: &str) -> Map<String, Value> {
    let pairs = text.lines().filter_map(|line| line.split_once(':'));
    pairs
        .map(|(name, value)| (name.trim().to_owned(), Value::from(value.trim())))
        .collect()
}

/// An account of pizauth.conf. It holds no token.
pub(super) fn pizauth(text: &str, hints: &Hints) -> Result<Found> {
    let accounts = pizauth_accounts(text)?;
    let account = match (accounts.as_slice(), &hints.mailbox) {
        ([], _) => return Err(foreign("pizauth.conf has no account")),
        ([one], _) => one,
        (several, wanted) => several
            .iter()
            .find(|account| wanted.is_some() && account.login_hint == *wanted)
            .ok_or_else(|| {
                ambiguous(
                    several
                        .iter()
                        .map(|account| account.login_hint.as_deref().unwrap_or(&account.name)),
                )
            })?,
    };
    Ok(Found {
        mailbox: account.login_hint.clone(),
        client_id: account.client_id.clone(),
        token_url: account.token_uri.clone(),
        is_device_code: account.is_device_code,
        ..Found::default()
    })
}

#[derive(Debug, Default)]
struct PizauthAccount {
    name: String,
    client_id: Option<String>,
    token_uri: Option<String>,
    login_hint: Option<String>,
    is_device_code: bool,
}

/// Blocks of `account "name" { option = value; … }`; an option's text stands right behind its name, and the login hint
/// right behind that word among the fields of an address.
fn pizauth_accounts(text: &str) -> Result<Vec<PizauthAccount>> {
    let tokens = pizauth_tokens(text)?;
    let mut accounts: Vec<PizauthAccount> = Vec::new();
    for (before, token) in tokens.iter().zip(tokens.iter().skip(1)) {
        let Token::Text(value) = token else { continue };
        let value = value.clone();
        match (before, accounts.last_mut()) {
            (Token::Word(word), _) if word == "account" => accounts.push(PizauthAccount {
                name: value,
                ..PizauthAccount::default()
            }),
            (Token::Word(word), Some(account)) => match word.as_str() {
                "client_id" => account.client_id = Some(value),
                "token_uri" => account.token_uri = Some(value),
                "device_auth_uri" => account.is_device_code = true,
                _ => {}
            },
            (Token::Text(name), Some(account)) if name == "login_hint" => {
                account.login_hint = Some(value);
            }
            _ => {}
        }
    }
    Ok(accounts)
}

enum Token {
    Word(String),
    Text(String),
}

fn pizauth_tokens(text: &str) -> Result<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("//") {
            rest = after.split_once('\n').map_or("", |(_, after)| after);
        } else if let Some(after) = rest.strip_prefix('"') {
            let (value, after) = quoted(after)?;
            tokens.push(Token::Text(value));
            rest = after;
        } else if first.is_ascii_alphabetic() {
            let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            tokens.push(Token::Word(word.to_owned()));
            rest = after;
        } else {
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
        }
    }
    Ok(tokens)
}

/// The text up to the closing quotation mark, and what follows it.
fn quoted(rest: &str) -> Result<(String, &str)> {
    let mut value = String::new();
    let mut characters = rest.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Ok((value, rest.get(at + 1..).unwrap_or_default())),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            '\n' => break,
            other => value.push(other),
        }
    }
    Err(malformed(
        "pizauth.conf:",
        "a quotation mark is not closed",
        "let pizauth check it: pizauth server -d",
    ))
}

/// The one that is wanted, or the only one.
fn choose<'a, T>(
    all: impl Iterator<Item = &'a T>,
    name: fn(&T) -> &str,
    hints: &Hints,
) -> Result<&'a T> {
    let all: Vec<_> = all.collect();
    let wanted = hints.mailbox.as_deref();
    match (all.as_slice(), wanted) {
        ([], _) => Err(foreign("there is no account in it")),
        ([one], None) => Ok(one),
        (_, None) => Err(ambiguous(all.iter().map(|one| name(one)))),
        (_, Some(wanted)) => {
            let is_wanted = |one: &&&T| name(one).eq_ignore_ascii_case(wanted);
            let found = all.iter().find(is_wanted).copied();
            found.ok_or_else(|| ambiguous(all.iter().map(|one| name(one))))
        }
    }
}

fn ambiguous<'a>(names: impl Iterator<Item = &'a str>) -> Error {
    let names: Vec<_> = names.take(20).collect();
    Error::new(
        ProblemKind::Config,
        "import-account-ambiguous",
        "the file holds other accounts than the one that is wanted, or several",
        format!("choose one with --mailbox: {}", names.join(", ")),
    )
}

fn json(text: &str) -> Result<Map<String, Value>> {
    match serde_json::from_str(text) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(malformed(
            "the file",
            "is JSON, but no object",
            "give the tool's token file",
        )),
        Err(error) if text.trim_start().starts_with('{') => Err(malformed(
            &format!("line {}, column {}:", error.line(), error.column()),
            "the JSON is broken or was cut",
            "give the whole token file",
        )),
        Err(_) => Err(encrypted()),
    }
}

/// A member that is a text. An empty one counts as none.
fn text_of(members: &Map<String, Value>, name: &str) -> Result<Option<String>> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => {
            Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty()))
        }
        Some(_) => Err(malformed(
            &format!("member {name}"),
            "is not a text",
            "give the file as the tool wrote it",
        )),
    }
}

fn refresh_token(members: &Map<String, Value>) -> Result<SecretText> {
    let token = text_of(members, "refresh_token")?.map(SecretText::new);
    let token = token.ok_or_else(|| no_refresh_token("the file:"))?;
    // Exposed to be looked at.
    match is_plain(token.expose()) {
        true => Ok(token),
        false => Err(malformed(
            "member refresh_token",
            "holds blanks or other characters that no token has",
            "give the file as the tool wrote it",
        )),
    }
}

/// What a token consists of (RFC 6749 appendix A.17).
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic())
}

fn secret(text: &str) -> SecretText {
    SecretText::new(text.to_owned())
}

fn no_refresh_token(place: &str) -> Error {
    missing(
        &format!("a refresh token ({place} refresh_token)"),
        "let the tool sign in once more, or add the account and sign in here: mailbearer account add, mailbearer login",
    )
}

fn password_missing(place: &str) -> Error {
    Error::new(
        ProblemKind::Config,
        "import-password-missing",
        format!("{place} is sealed with a password, and none was given"),
        "give the password that the mail client uses for this account with email-oauth2-proxy",
    )
}
