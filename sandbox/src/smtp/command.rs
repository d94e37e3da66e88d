//! The client's command lines, parsed once: which command, with which arguments.
//! It knows the grammar of RFC 5321 and its extensions, not the state of a session.

/// A command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// EHLO or HELO, with the name the client gave.
    Hello {
        extended: bool,
        name: String,
    },
    StartTls,
    Auth {
        mechanism: String,
        initial_response: Option<String>,
    },
    Mail(PathAndParameters),
    Rcpt(PathAndParameters),
    Data,
    Bdat {
        size_bytes: usize,
        last: bool,
    },
    Rset,
    Noop,
    Vrfy,
    Help,
    Quit,
    /// A known command whose arguments make no sense.
    Malformed,
    /// Anything else; the first word of it.
    Unknown(String),
}

/// The argument of MAIL and RCPT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PathAndParameters {
    /// Without angle brackets and source route; empty for `<>`.
    pub(super) address: String,
    /// As written, such as `SIZE=123`.
    pub(super) parameters: Vec<String>,
}

impl Command {
    pub(super) fn parse(line: &[u8]) -> Self {
        let line = String::from_utf8_lossy(line);
        let line = line.trim_end();
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim();
        match word.to_ascii_uppercase().as_str() {
            "EHLO" => Self::Hello {
                extended: true,
                name: rest.to_owned(),
            },
            "HELO" => Self::Hello {
                extended: false,
                name: rest.to_owned(),
            },
            "STARTTLS" => Self::StartTls,
            "AUTH" => auth(rest),
            "MAIL" => path_and_parameters("FROM:", rest).map_or(Self::Malformed, Self::Mail),
            "RCPT" => path_and_parameters("TO:", rest).map_or(Self::Malformed, Self::Rcpt),
            "DATA" if rest.is_empty() => Self::Data,
            "BDAT" => bdat(rest),
            "RSET" => Self::Rset,
            "NOOP" => Self::Noop,
            "VRFY" | "EXPN" => Self::Vrfy,
            "HELP" => Self::Help,
            "QUIT" => Self::Quit,
            "DATA" => Self::Malformed,
            _ => Self::Unknown(word.chars().take(LONGEST_ECHO).collect()),
        }
    }
}

impl PathAndParameters {
    /// The value of a parameter, or an empty text for one without value.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let split = self
            .parameters
            .iter()
            .map(|parameter| parameter.split_once('=').unwrap_or((parameter, "")));
        split
            .into_iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// The first parameter that is none of these.
    pub(super) fn unknown_parameter(&self, known: &[&str]) -> Option<&str> {
        let is_known = |parameter: &&String| {
            let name = parameter.split('=').next().unwrap_or_default();
            known.iter().any(|known| known.eq_ignore_ascii_case(name))
        };
        let mut parameters = self.parameters.iter();
        parameters
            .find(|parameter| !is_known(parameter))
            .map(String::as_str)
    }
}

/// Whether this is `local@domain` with both parts, and nothing a mailbox cannot contain.
pub(super) fn is_address(address: &str) -> bool {
    let Some((local, domain)) = address.rsplit_once('@') else {
        return false;
    };
    let quoted = local.len() > 1 && local.starts_with('"') && local.ends_with('"');
    let local_is_fine =
        !local.is_empty() && (quoted || !local.contains([' ', '@', '<', '>', ',', ';', '"']));
    let is_domain_character =
        |character: char| character.is_alphanumeric() || "-._[]:".contains(character);
    local_is_fine
        && address.len() <= LONGEST_ADDRESS
        && !address.contains(char::is_control)
        && !domain.is_empty()
        && !domain.starts_with('.')
        && !domain.ends_with('.')
        && !domain.contains("..")
        && domain.chars().all(is_domain_character)
}

fn auth(rest: &str) -> Command {
    let mut words = rest.split_ascii_whitespace();
    let Some(mechanism) = words.next() else {
        return Command::Malformed;
    };
    let initial_response = words.next().map(str::to_owned);
    match words.next() {
        None => Command::Auth {
            mechanism: mechanism.to_ascii_uppercase(),
            initial_response,
        },
        Some(_) => Command::Malformed,
    }
}

fn bdat(rest: &str) -> Command {
    let mut words = rest.split_ascii_whitespace();
    let size_bytes = words.next().and_then(|word| word.parse().ok());
    let last = words.next();
    match (size_bytes, last, words.next()) {
        (Some(size_bytes), None, None) => Command::Bdat {
            size_bytes,
            last: false,
        },
        (Some(size_bytes), Some(word), None) if word.eq_ignore_ascii_case("LAST") => {
            Command::Bdat {
                size_bytes,
                last: true,
            }
        }
        _ => Command::Malformed,
    }
}

fn path_and_parameters(keyword: &str, rest: &str) -> Option<PathAndParameters> {
    let (found, rest) = rest.split_at_checked(keyword.len())?;
    if !found.eq_ignore_ascii_case(keyword) {
        return None;
    }
    let (path, parameters) = path(rest.trim_start())?;
    let address = match path.split_once(':') {
        // A source route (RFC 5321, appendix C) is accepted and ignored.
        Some((route, address)) if route.starts_with('@') => address,
        _ => path,
    };
    let parameters = parameters
        .split_ascii_whitespace()
        .map(str::to_owned)
        .collect();
    Some(PathAndParameters {
        address: address.to_owned(),
        parameters,
    })
}

/// Splits a path from what follows; angle brackets may be missing, and do not count inside quotes.
fn path(text: &str) -> Option<(&str, &str)> {
    let Some(inside) = text.strip_prefix('<') else {
        return match text.split_once(' ') {
            Some(split) => Some(split),
            None if text.is_empty() => None,
            None => Some((text, "")),
        };
    };
    let mut quoted = false;
    let mut escaped = false;
    for (index, character) in inside.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            '>' if !quoted => {
                return inside
                    .split_at_checked(index)
                    .map(|(path, rest)| (path, rest.trim_start_matches('>')));
            }
            _ => {}
        }
    }
    None
}

/// How much of an unknown command is repeated in the reply.
const LONGEST_ECHO: usize = 64;

/// RFC 5321, section 4.5.3.1, with room for non-ASCII addresses.
const LONGEST_ADDRESS: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(address: &str, parameters: &[&str]) -> Command {
        let parameters = parameters
            .iter()
            .map(|parameter| (*parameter).to_owned())
            .collect();
        Command::Mail(PathAndParameters {
            address: address.to_owned(),
            parameters,
        })
    }

    #[test]
    fn commands_are_read_as_clients_write_them() {
        let check = |line: &str, expected: Command| {
            assert_eq!(Command::parse(line.as_bytes()), expected, "{line}")
        };
        check(
            "ehlo client.example",
            Command::Hello {
                extended: true,
                name: "client.example".to_owned(),
            },
        );
        check(
            "HELO",
            Command::Hello {
                extended: false,
                name: String::new(),
            },
        );
        check(
            "MAIL FROM:<a@b.example> SIZE=12 BODY=8BITMIME",
            mail("a@b.example", &["SIZE=12", "BODY=8BITMIME"]),
        );
        check("MAIL FROM: <a@b.example>", mail("a@b.example", &[]));
        check(
            "mail from:a@b.example RET=HDRS",
            mail("a@b.example", &["RET=HDRS"]),
        );
        check("MAIL FROM:<>", mail("", &[]));
        check(
            "MAIL FROM:<@relay.example:a@b.example>",
            mail("a@b.example", &[]),
        );
        check(
            "MAIL FROM:<\"a>b\"@c.example> SMTPUTF8",
            mail("\"a>b\"@c.example", &["SMTPUTF8"]),
        );
        check("MAIL FROM:<a@b.example", Command::Malformed);
        check("MAIL a@b.example", Command::Malformed);
        check("MAIL FROM:", Command::Malformed);
        check("MAIL FRÖM:<a>", Command::Malformed);
        check(
            "BDAT 12",
            Command::Bdat {
                size_bytes: 12,
                last: false,
            },
        );
        check(
            "BDAT 0 last",
            Command::Bdat {
                size_bytes: 0,
                last: true,
            },
        );
        check("BDAT -1", Command::Malformed);
        check("BDAT 1 2", Command::Malformed);
        check("AUTH", Command::Malformed);
        let auth = Command::Auth {
            mechanism: "XOAUTH2".to_owned(),
            initial_response: Some("abc=".to_owned()),
        };
        check("AUTH xoauth2 abc=", auth);
        check("DATA x", Command::Malformed);
        check("", Command::Unknown(String::new()));
        check("GET / HTTP/1.1", Command::Unknown("GET".to_owned()));
    }

    #[test]
    fn bytes_that_are_no_text_are_unknown_commands() {
        assert!(matches!(
            Command::parse(&[0xff, 0xfe, 0x16, 0x03, 0x01]),
            Command::Unknown(_)
        ));
    }

    #[test]
    fn an_address_has_a_local_part_and_a_domain() {
        let check =
            |address: &str, expected| assert_eq!(is_address(address), expected, "{address}");
        check("alice@contoso.example", true);
        check("\"a b\"@contoso.example", true);
        check("jörg@exämple.example", true);
        check("a@[192.0.2.1]", true);
        check("alice", false);
        check("@contoso.example", false);
        check("alice@", false);
        check("a b@contoso.example", false);
        check("alice@contoso..example", false);
        check("alice@contoso .example", false);
    }
}
