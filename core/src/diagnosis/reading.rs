//! Brings a text into the form it can be read in: undoes what terminals, mails, web pages, JSON, addresses and base64
//! did to it, and leaves out what an SMTP dialogue holds beside refusals.
//! Claims of an access token and commands of a client become facts; the tokens themselves go nowhere.

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// A text as it can be read, and what it says beside words.
#[derive(Debug, Default)]
pub(super) struct Reading {
    pub(super) text: String,
    /// Names and values: `token.aud`, `xoauth2_user`, `mechanism`, `dialogue`.
    pub(super) facts: Vec<(String, String)>,
}

/// Reads a text, whatever form it came in.
pub(super) fn read(text: &str) -> Reading {
    let mut text = without_controls(last(text, TEXT_LIMIT_BYTES));
    for step in [without_soft_breaks, without_entities, without_escapes] {
        if let Cow::Owned(changed) = step(&text) {
            text = changed;
        }
    }
    let mut reading = Reading::default();
    for line in text.lines() {
        reading.take_line(line);
    }
    reading
}

impl Reading {
    fn take_line(&mut self, line: &str) {
        let line = line.trim_end();
        let mut hidden = Vec::new();
        for run in line.split([' ', '\t', '"', '\'', '<', '>', '(', ')', ',']) {
            hidden.extend(self.hidden_in(run));
        }
        if is_split_code(&self.text) || !self.is_of_a_dialogue(line) {
            self.push(line);
        }
        for text in hidden {
            self.push(&text);
        }
    }

    fn push(&mut self, line: &str) {
        if is_split_code(&self.text) && line.trim_start().starts_with(|c: char| c.is_ascii_digit())
        {
            self.text.truncate(self.text.trim_end().len());
            self.text.push_str(line.trim_start());
        } else {
            self.text.push_str(line);
        }
        self.text.push('\n');
    }

    /// What is written inside a run of letters that has no blank: an encoded address, a challenge, a token.
    fn hidden_in(&mut self, run: &str) -> Option<String> {
        if run.contains('%') || run.contains("error_description=") {
            return decoded_address(run);
        }
        if run.len() < SHORTEST_BASE64 {
            return None;
        }
        // A token may have its name before it: `access_token=eyJ…`.
        let token = run
            .find("eyJ")
            .and_then(|start| run.get(start..))
            .unwrap_or(run);
        if token.matches('.').count() == 2 {
            self.take_token(token);
            return None;
        }
        let text = String::from_utf8(decoded(run)?).ok()?;
        match text.as_str() {
            "Username:" | "Password:" => self.fact("mechanism", "login"),
            _ if text.starts_with("user=") => self.take_sign_in(&text),
            _ if text.starts_with('{') => return Some(text),
            _ => (),
        }
        None
    }

    /// The initial response of XOAUTH2: `user=`, address, Control-A, `auth=Bearer `, token.
    fn take_sign_in(&mut self, text: &str) {
        self.fact("mechanism", "xoauth2");
        for part in text.split('\u{1}') {
            if let Some(user) = part.strip_prefix("user=") {
                self.fact("xoauth2_user", user);
            } else if let Some(token) = part.strip_prefix("auth=Bearer ") {
                self.take_token(token);
            }
        }
    }

    fn take_token(&mut self, token: &str) {
        let claims = token.split('.').nth(1).and_then(decoded);
        let claims =
            claims.and_then(|json| serde_json::from_slice::<Map<String, Value>>(&json).ok());
        for (name, value) in claims.into_iter().flatten() {
            if !CLAIMS.contains(&name.as_str()) {
                continue;
            }
            let value = match value {
                Value::String(text) => text,
                Value::Array(values) => values
                    .iter()
                    .filter_map(Value::as_str)
                    .collect::<Vec<_>>()
                    .join(" "),
                other => other.to_string(),
            };
            self.fact(&format!("token.{name}"), &value);
        }
    }

    /// Takes what a line of an SMTP dialogue tells; true when nothing in it is a refusal or a stranger's greeting.
    fn is_of_a_dialogue(&mut self, line: &str) -> bool {
        let spoken = line.trim_start_matches(|c: char| " <>-=*|".contains(c));
        let said = [
            "S: ", "C: ", "server: ", "client: ", "SERVER: ", "CLIENT: ", "s: ", "c: ",
        ]
        .iter()
        .find_map(|speaker| spoken.strip_prefix(speaker))
        .unwrap_or(spoken);
        let upper = first(said, 80).to_ascii_uppercase();
        if let Some(mechanism) = upper.strip_prefix("AUTH ") {
            let mechanism = mechanism.split(' ').next().unwrap_or_default();
            if [
                "LOGIN",
                "PLAIN",
                "NTLM",
                "CRAM-MD5",
                "XOAUTH2",
                "OAUTHBEARER",
            ]
            .contains(&mechanism)
            {
                self.fact("mechanism", mechanism);
                return matches!(mechanism, "LOGIN" | "XOAUTH2");
            }
        }
        if upper == "STARTTLS" {
            self.fact("dialogue", "starttls sent");
            return true;
        }
        if upper.starts_with("250-AUTH ") || upper.starts_with("250 AUTH ") {
            self.fact("dialogue", "auth offered");
        }
        let foreign =
            upper.starts_with("220") && !upper.contains("MICROSOFT") && !upper.contains("OUTLOOK");
        if foreign && upper.contains("SMTP") && !upper.starts_with("220 2.") {
            self.fact("greeting", "of another server");
        }
        let digits = said.get(..3).and_then(|code| code.parse::<u16>().ok());
        let separator = said.as_bytes().get(3).copied();
        let is_reply = matches!(separator, None | Some(b' ' | b'-'));
        match digits {
            Some(220) => upper.starts_with("220 2.0.0 SMTP SERVER READY"),
            Some(211 | 214 | 221 | 235 | 250..=252 | 334 | 354) => is_reply,
            _ => false,
        }
    }

    fn fact(&mut self, name: &str, value: &str) {
        let short: String = value.chars().take(LONGEST_FACT).collect();
        self.facts.push((name.to_owned(), short));
    }
}

/// Whether a text ends within an enhanced code, as where a line was broken: `5.7.`.
fn is_split_code(text: &str) -> bool {
    let end = last(text, LONGEST_CODE).trim_end();
    let code = end
        .rsplit(|c: char| !(c.is_ascii_digit() || c == '.'))
        .next();
    code.is_some_and(|code| {
        let parts: Vec<&str> = code.split('.').collect();
        matches!(parts.as_slice(), ["2" | "4" | "5", middle, ""] if !middle.is_empty() && middle.len() <= 3)
    })
}

/// The last octets of a text, or a few less where a character would be cut.
pub(super) fn last(text: &str, octets: usize) -> &str {
    let mut start = text.len().saturating_sub(octets);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    text.get(start..).unwrap_or_default()
}

/// The first octets of a text, or a few less where a character would be cut.
fn first(text: &str, octets: usize) -> &str {
    let mut end = text.len().min(octets);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// Without the colours of a terminal, characters nobody sees, and carriage returns.
fn without_controls(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' if characters.next_if_eq(&'[').is_some() => {
                while characters.next().is_some_and(|c| !c.is_ascii_alphabetic()) {}
            }
            '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{ad}' => (),
            '\n' | '\t' => result.push(character),
            '\u{1}' => result.push(' '),
            control if control.is_control() => (),
            other => result.push(other),
        }
    }
    result
}

/// Undoes quoted-printable (RFC 2045 section 6.7) where lines end in it.
fn without_soft_breaks(text: &str) -> Cow<'_, str> {
    if !text.contains("=\n") {
        return Cow::Borrowed(text);
    }
    let whole = text.replace("=\n", "");
    Cow::Owned(
        whole
            .replace("=3D", "=")
            .replace("=20", " ")
            .replace("=2E", "."),
    )
}

/// Undoes HTML: entities, and tags where one is closed.
fn without_entities(text: &str) -> Cow<'_, str> {
    let with_tags = text.contains("</") || text.contains("<br");
    let with_entities = text.contains('&') && text.contains(';');
    if !with_tags && !with_entities {
        return Cow::Borrowed(text);
    }
    let mut plain = if with_tags {
        without_tags(text)
    } else {
        text.to_owned()
    };
    for (entity, character) in ENTITIES {
        plain = plain.replace(entity, character);
    }
    Cow::Owned(plain)
}

/// Whatever stands between `<` and `>` is a tag if it begins like one and holds no address.
fn without_tags(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        result.push_str(before);
        let is_tag = after.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '!');
        let tag = first(after, LONGEST_TAG)
            .split_once('>')
            .map(|(tag, _)| tag);
        match tag
            .filter(|tag| is_tag && !tag.split(' ').next().is_some_and(|name| name.contains('@')))
        {
            Some(tag) => {
                result.push(' ');
                rest = after.get(tag.len() + 1..).unwrap_or_default();
            }
            None => {
                result.push('<');
                rest = after;
            }
        }
    }
    result.push_str(rest);
    result
}

/// Undoes the escapes of JSON and of programs that print strings, also where they did so twice.
fn without_escapes(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut plain = text.replace("\\\\", "\\");
    for (escape, character) in ESCAPES {
        plain = plain.replace(escape, character);
    }
    Cow::Owned(plain)
}

/// The words of an address or a form: percent signs undone, and `+` for blanks (application/x-www-form-urlencoded).
fn decoded_address(run: &str) -> Option<String> {
    let bytes = run.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut position = 0;
    while let Some(byte) = bytes.get(position) {
        let hex = run.get(position + 1..position + 3);
        match (byte, hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(value)) => {
                decoded.push(value);
                position += 2;
            }
            (b'+', _) => decoded.push(b' '),
            (other, _) => decoded.push(*other),
        }
        position += 1;
    }
    let text = String::from_utf8_lossy(&decoded).replace(['\r', '\n'], " ");
    (text != run).then(|| text.replace('&', " "))
}

fn decoded(run: &str) -> Option<Vec<u8>> {
    let run = run.trim_end_matches(['.', ';', ':', ']', '}']);
    let engine = if run.contains(['-', '_']) {
        &BASE64_URL
    } else {
        &BASE64
    };
    engine.decode(run).ok()
}

/// What of a token's claims tells causes apart; nothing else of it is kept.
const CLAIMS: [&str; 14] = [
    "aud",
    "scp",
    "roles",
    "idtyp",
    "appid",
    "azp",
    "oid",
    "upn",
    "preferred_username",
    "unique_name",
    "tid",
    "exp",
    "nbf",
    "ver",
];
const ENTITIES: [(&str, &str); 9] = [
    ("&quot;", "\""),
    ("&#34;", "\""),
    ("&#39;", "'"),
    ("&#x27;", "'"),
    ("&apos;", "'"),
    ("&nbsp;", " "),
    ("&lt;", "<"),
    ("&gt;", ">"),
    ("&amp;", "&"),
];
const ESCAPES: [(&str, &str); 8] = [
    ("\\r\\n", "\n"),
    ("\\n", "\n"),
    ("\\r", " "),
    ("\\t", " "),
    ("\\\"", "\""),
    ("\\/", "/"),
    ("\\u0027", "'"),
    ("\\u0022", "\""),
];
/// A log of ten thousand lines; of a longer one the end, where the failure is.
const TEXT_LIMIT_BYTES: usize = 1 << 20;
/// `5.7.139`, and a line end.
const LONGEST_CODE: usize = 10;
/// Longer ones are no tags of a mail.
const LONGEST_TAG: usize = 400;
/// `VXNlcm5hbWU6`, the prompt of AUTH LOGIN.
const SHORTEST_BASE64: usize = 12;
/// Longer than any claim that matters.
const LONGEST_FACT: usize = 400;
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, LENIENT);
