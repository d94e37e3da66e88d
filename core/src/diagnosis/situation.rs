//! What is known besides the texts: the context and facts of the evidence, and what follows from comparing them.
//! Everything becomes a line of text, so that rules can ask for any of it: `name: value` as given, `* …` as inferred.

use super::reading::Reading;
use super::sighting::{Sighting, normalised};
use crate::model::{Evidence, EvidenceKind};

/// The lines of a situation.
#[derive(Debug, Default)]
pub(super) struct Situation {
    lines: Vec<String>,
}

impl Situation {
    /// The situation an evidence describes, and what its texts tell beside.
    pub(super) fn of(evidence: &Evidence, reading: &Reading, sighting: &Sighting) -> Self {
        let given = evidence
            .context
            .iter()
            .chain(&evidence.facts)
            .chain(&evidence.admin_facts);
        let mut lines: Vec<String> = given
            .map(|(name, value)| normalised(&format!("{name}: {value}")))
            .collect();
        lines.sort();
        let said = evidence.established.iter();
        lines.extend(said.map(|text| normalised(&format!("established: {text}"))));
        lines.push(format!("phase: {}", phase(evidence)));
        for (name, value) in &reading.facts {
            add(&mut lines, name, value);
        }
        for (name, value) in sighting.hints() {
            add(&mut lines, name, value);
        }
        for (name, value) in sighting.quotes() {
            add(&mut lines, name, value);
        }
        let facts = Facts { lines: &lines };
        let inferred = facts.inferences();
        lines.extend(
            inferred
                .into_iter()
                .map(|line| format!("* {}", line.to_lowercase())),
        );
        Self { lines }
    }

    /// The situation in which Mailbearer itself talks to a server.
    pub(super) fn of_lines(lines: &[&str]) -> Self {
        Self {
            lines: lines.iter().map(|line| (*line).to_owned()).collect(),
        }
    }

    pub(super) fn holds(&self, part: &str) -> bool {
        self.line_with(part).is_some()
    }

    /// The first line that holds a text; one that begins with `name:` or `* ` must begin so.
    pub(super) fn line_with(&self, part: &str) -> Option<&str> {
        let line = self.lines.iter().find(|line| line.contains(part));
        line.map(String::as_str)
    }
}

impl Situation {
    /// Line and value of the first fact with one of these names: a part of the name, or all of it after `=`.
    pub(super) fn value_of(&self, names: &[String]) -> Option<(&str, &str)> {
        let is_name = |given: &str| {
            names.iter().any(|name| match name.strip_prefix('=') {
                Some(whole) => given == whole,
                None => given.contains(name.as_str()),
            })
        };
        self.lines.iter().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            (is_name(name) && value != "unknown").then_some((line.as_str(), value))
        })
    }

    /// Whether anything at all is known beside the texts.
    pub(super) fn is_known(&self) -> bool {
        self.lines.iter().any(|line| line != "phase: ")
    }
}

/// What was given counts, not what was read beside it.
fn add(lines: &mut Vec<String>, name: &str, value: &str) {
    let start = format!("{name}: ");
    if name == "dialogue" || !lines.iter().any(|line| line.starts_with(&start)) {
        lines.push(normalised(&format!("{start}{value}")));
    }
}

/// The phase as given, or as the kinds of the texts tell.
fn phase(evidence: &Evidence) -> String {
    let kinds = evidence.evidence.iter().map(|item| match item.kind {
        EvidenceKind::Dsn => "bounce",
        EvidenceKind::TlsError => "tls",
        EvidenceKind::DnsError => "connect",
        EvidenceKind::TokenError => "token",
        EvidenceKind::AuthorizeError => "consent",
        _ => "",
    });
    match evidence.phase.trim() {
        "" => kinds
            .max_by_key(|kind| kind.len())
            .unwrap_or_default()
            .to_owned(),
        phase => phase.to_lowercase(),
    }
}

/// The lines as given, for comparison with each other.
struct Facts<'a> {
    lines: &'a [String],
}

impl Facts<'_> {
    fn inferences(&self) -> Vec<&'static str> {
        let mut inferred = Vec::new();
        self.infer_flow(&mut inferred);
        self.infer_place(&mut inferred);
        self.infer_token(&mut inferred);
        self.infer_users(&mut inferred);
        self.infer_secret(&mut inferred);
        self.infer_quotes(&mut inferred);
        self.infer_time(&mut inferred);
        inferred
    }

    /// The value of the first of these names that is given.
    fn value(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| {
            let mut values = self.lines.iter().filter_map(|line| line.split_once(": "));
            values
                .find(|(given, value)| given == name && !matches!(*value, "" | "null" | "unknown"))
                .map(|(_, value)| value)
        })
    }

    fn says(&self, names: &[&str], words: &[&str]) -> bool {
        self.value(names)
            .is_some_and(|value| words.iter().any(|word| value.contains(word)))
    }

    fn infer_flow(&self, inferred: &mut Vec<&'static str>) {
        let flow = ["flow", "grant", "grant_type"];
        let app_only = self.says(
            &flow,
            &[
                "client cred",
                "client_cred",
                "app-only",
                "application perm",
                "daemon",
            ],
        ) || self.value(&["token.idtyp"]) == Some("app");
        let federated = self.says(&flow, &["federated", "workload"]);
        let managed = self.says(&flow, &["managed identity", "imds"]);
        let password_grant = self.says(&flow, &["resource owner", "ropc", "password grant"]);
        let by_password = self.says(&["mechanism", "auth"], &["login", "plain", "ntlm", "cram"]);
        let delegated = self.says(
            &flow,
            &[
                "code",
                "device",
                "refresh",
                "interactive",
                "delegated",
                "implicit",
            ],
        );
        let by_token = !by_password
            && (app_only
                || delegated
                || password_grant
                || self.says(&["mechanism", "auth"], &["xoauth2", "oauth"]));
        let device = self.says(&flow, &["device"]);
        let known = [
            (app_only, "the application signs in as itself"),
            (federated, "federated credential"),
            (managed, "managed identity"),
            (password_grant, "password grant"),
            (device, "device code flow"),
            (
                self.says(
                    &flow,
                    &["authorization code", "auth code", "authorization_code"],
                ),
                "authorization code flow",
            ),
            (self.says(&flow, &["refresh"]), "refresh of a token"),
            (delegated && !app_only, "a person has signed in"),
            (by_password, "sign-in by password"),
            (by_token, "sign-in by token"),
        ];
        inferred.extend(
            known
                .into_iter()
                .filter_map(|(holds, line)| holds.then_some(line)),
        );
    }

    fn infer_place(&self, inferred: &mut Vec<&'static str>) {
        let host = self
            .value(&["host", "smtp_host", "server", "assumed_host"])
            .unwrap_or_default();
        let (name, port) = host.rsplit_once(':').unwrap_or((host, ""));
        let port = self.value(&["port", "smtp_port"]).unwrap_or(port);
        let account = ["account", "account_type", "mailbox"];
        let personal = self.says(
            &account,
            &[
                "personal",
                "hotmail",
                "outlook.com",
                "live.com",
                "msn.com",
                "consumer",
            ],
        ) || self.value(&["token.tid"]) == Some(PERSONAL_TENANT);
        let national = self.says(
            &["cloud", "authority", "host"],
            &[
                "gcc high",
                "dod",
                "china",
                "21vianet",
                "german",
                "us gov",
                "government",
                ".us",
                ".cn",
            ],
        );
        let known = [
            (port == "25", "port 25"),
            (port == "465", "port 465"),
            (port == "587", "port 587"),
            (
                name.contains(".protection.") || name.contains(".mx.microsoft"),
                "an MX host",
            ),
            (personal, "a personal account"),
            (
                !personal && self.says(&account, &["work", "school", "university", "business"]),
                "a work account",
            ),
            (national, "a national cloud"),
        ];
        inferred.extend(
            known
                .into_iter()
                .filter_map(|(holds, line)| holds.then_some(line)),
        );
    }

    fn infer_token(&self, inferred: &mut Vec<&'static str>) {
        let audience = self.value(&["token.aud", "aud"]);
        let for_exchange = audience.is_some_and(|audience| {
            audience.contains("outlook.office")
                || audience.contains("partner.outlook.cn")
                || audience.contains(EXCHANGE_APP_ID)
        });
        let roles = self.value(&["token.roles", "roles"]);
        let role_missing = roles.is_some_and(|roles| {
            !roles.contains("smtp.sendasapp")
                || ["absent", "missing", "without", "not "]
                    .iter()
                    .any(|word| roles.contains(word))
        });
        let scopes = self.value(&["token.scp", "scp"]);
        let asks_elsewhere = self
            .value(&["scope", "scopes"])
            .is_some_and(asks_another_resource);
        let known = [
            (for_exchange, "the token is for Exchange Online"),
            (
                audience.is_some() && !for_exchange,
                "the token is for another resource",
            ),
            (role_missing, "the token lacks the role SMTP.SendAsApp"),
            (
                roles.is_some() && !role_missing,
                "the token has the role SMTP.SendAsApp",
            ),
            (
                scopes.is_some_and(|scopes| !scopes.contains("smtp.send")),
                "the token lacks SMTP.Send",
            ),
            (asks_elsewhere, "the scope asked for is another resource's"),
            (
                self.says(
                    &["token.exp", "token.expired", "exp"],
                    &["past", "expired", "ago", "true"],
                ),
                "the token is over",
            ),
            (
                self.says(
                    &["token.kind", "token.type", "token.format"],
                    &["id token", "id_token", "refresh", "code"],
                ),
                "the token is of another kind",
            ),
            (
                self.value(&["token.tid", "tid"]) == Some(PERSONAL_TENANT),
                "the token is a personal account's",
            ),
        ];
        inferred.extend(
            known
                .into_iter()
                .filter_map(|(holds, line)| holds.then_some(line)),
        );
    }

    fn infer_users(&self, inferred: &mut Vec<&'static str>) {
        let login = self.value(&["xoauth2_user", "smtp_user", "user", "username"]);
        let owner = self.value(&[
            "token.upn",
            "token.preferred_username",
            "token.unique_name",
            "token.user",
        ]);
        let sender = self.value(&["header_from", "mail_from", "from", "sender"]);
        let also_known = self.value(&[
            "id_token.email",
            "token.email",
            "mailbox.alias",
            "primary_smtp_address",
        ]);
        let differs = matches!((login, owner), (Some(login), Some(owner)) if login != owner);
        let alias = differs
            && (also_known.is_some() && also_known == login
                || self.says(&["imap_same_identity"], &["works", "true", "yes"]));
        let object_ids = (
            self.value(&[
                "exchange.service_principal.object_id",
                "service_principal.object_id",
                "sp.object_id",
                "get-serviceprincipal.objectid",
            ]),
            self.value(&["token.oid"]),
        );
        let known = [
            (alias, "the login is an alias of the token's user"),
            (differs && !alias, "the token is another user's"),
            (
                login.is_some() && login == owner,
                "the token is the login's own",
            ),
            (
                matches!((login, sender), (Some(login), Some(sender)) if login != sender),
                "the sender is not the login",
            ),
            (
                login.is_some_and(|login| !login.contains('@')),
                "the login is no address",
            ),
            (
                matches!(object_ids, (Some(left), Some(right)) if left != right),
                "the service principal has another object id than the token",
            ),
        ];
        inferred.extend(
            known
                .into_iter()
                .filter_map(|(holds, line)| holds.then_some(line)),
        );
    }

    /// What a server quoted of the request.
    fn infer_quotes(&self, inferred: &mut Vec<&'static str>) {
        let resource = self.value(&["quoted_resource"]);
        let scope = self.value(&["quoted_scope"]);
        let greeted = self
            .value(&["greeting"])
            .is_some_and(|line| !line.contains("microsoft"));
        let host = self
            .value(&["host", "smtp_host", "server"])
            .unwrap_or_default();
        let known = [
            (
                resource.is_some_and(|name| !is_resource(name)),
                "the resource is malformed",
            ),
            (
                scope.is_some_and(is_malformed_scope),
                "the refused scope is malformed",
            ),
            (
                scope.is_some_and(names_two_resources),
                "the refused scope names two resources",
            ),
            (
                greeted
                    && ["office365", "outlook"]
                        .iter()
                        .any(|name| host.contains(name)),
                "a stranger answers for microsoft",
            ),
        ];
        inferred.extend(
            known
                .into_iter()
                .filter_map(|(holds, line)| holds.then_some(line)),
        );
    }

    fn infer_secret(&self, inferred: &mut Vec<&'static str>) {
        let shape = self.value(&[
            "config.client_secret.shape",
            "client_secret.shape",
            "secret.shape",
        ]);
        let configured = self
            .lines
            .iter()
            .filter(|line| !line.contains(".shape") && !line.contains("as_sent"))
            .find_map(|line| configured_secret(line));
        let bare = configured.map(|secret| secret.trim_matches(['"', '\'', ',', ';', ' ']));
        let is_guid = bare.is_some_and(is_guid)
            || shape.is_some_and(|shape| {
                is_guid(shape)
                    || shape.contains("guid")
                        && !["not guid", "no guid", "not a guid"]
                            .iter()
                            .any(|word| shape.contains(word))
            });
        let placeholder = bare.is_some_and(|secret| {
            secret.starts_with(['<', '[', '{', '$', '%'])
                || [
                    "your",
                    "xxx",
                    "changeme",
                    "placeholder",
                    "copy the",
                    "client-secret",
                    "client_secret",
                    "example",
                    "***",
                ]
                .iter()
                .any(|word| secret.contains(word))
        });
        let altered = self.says(
            &[
                "config.client_secret.as_sent",
                "client_secret.as_sent",
                "secret.as_sent",
            ],
            &["differ", "quote", "blank", "encod", "trunc"],
        ) || shape.is_some_and(|shape| {
            ["quote", "blank", "space", "newline", "trunc"]
                .iter()
                .any(|word| shape.contains(word))
        });
        let known = [
            (is_guid, "the secret is a GUID"),
            (
                (shape.is_some() || bare.is_some()) && !is_guid,
                "the secret is no GUID",
            ),
            (altered, "the secret is altered on its way"),
            (placeholder, "the setting is a placeholder"),
        ];
        inferred.extend(
            known
                .into_iter()
                .filter_map(|(holds, line)| holds.then_some(line)),
        );
    }

    fn infer_time(&self, inferred: &mut Vec<&'static str>) {
        let minutes = self.value(&["changed_minutes_ago", "minutes_since_change"]);
        let recent = minutes.is_some_and(|minutes| match minutes.parse::<f64>() {
            Ok(minutes) => minutes < 120.0,
            Err(_) => true,
        });
        let offset = self.value(&["clock.offset", "clock.offset_seconds", "clock_skew"]);
        let clock_off = offset.is_some_and(|offset| {
            !["none", "0", "zero", "less than", "within", "no "]
                .iter()
                .any(|word| offset.starts_with(word))
        });
        let issuer = self.value(&["tls.issuer", "certificate.issuer"]);
        let public = issuer.is_some_and(|issuer| {
            ["public", "digicert", "microsoft"]
                .iter()
                .any(|word| issuer.contains(word))
        });
        let known = [
            (recent, "something was changed a short time ago"),
            (clock_off, "the clock is off"),
            (offset.is_some() && !clock_off, "the clock is right"),
            (public, "the certificate is of a public authority"),
            (
                issuer.is_some() && !public,
                "the certificate is of an unknown authority",
            ),
            (
                self.says(
                    &["same_request_by_hand", "by_hand"],
                    &["work", "true", "yes", "ok"],
                ),
                "the same request works by hand",
            ),
            (
                self.says(
                    &["began", "began_with", "started", "since", "began_after"],
                    &["update", "upgrade", "version"],
                ),
                "it began with an update",
            ),
        ];
        inferred.extend(
            known
                .into_iter()
                .filter_map(|(holds, line)| holds.then_some(line)),
        );
    }
}

/// A resource is an address without permission, or an application's GUID.
fn is_resource(name: &str) -> bool {
    let host = name
        .strip_prefix("https://")
        .or_else(|| name.strip_prefix("api://"));
    match host {
        Some(host) => {
            !host.trim_end_matches('/').contains(['/', ':', ',', ' ']) && !name.ends_with("//")
        }
        None => is_guid(name),
    }
}

/// Scopes are separated by blanks and each begins with its resource's address, or is a bare permission.
fn is_malformed_scope(scopes: &str) -> bool {
    scopes.contains([',', ';', '+', '"', '['])
        || scopes.split(' ').any(|scope| {
            let rest = scope.strip_prefix("https://").unwrap_or(scope);
            // `https:/x`, `outlook.office.comSMTP.Send`, a host without permission, a host without scheme.
            rest.contains(':') && !scope.starts_with("api:") && !scope.starts_with("urn:")
                || (scope.starts_with("https://") && !rest.contains('/'))
                || (rest == scope && scope.contains('/') && scope.contains(".com"))
                || rest.contains("//") && !rest.contains("//.default")
        })
}

fn names_two_resources(scopes: &str) -> bool {
    let hosts = scopes
        .split(' ')
        .filter_map(|scope| scope.strip_prefix("https://")?.split('/').next());
    let mut first = None;
    hosts
        .into_iter()
        .any(|host| *first.get_or_insert(host) != host)
}

fn is_guid(text: &str) -> bool {
    text.len() == 36
        && text
            .chars()
            .enumerate()
            .all(|(place, character)| match place {
                8 | 13 | 18 | 23 => character == '-',
                _ => character.is_ascii_hexdigit(),
            })
}

/// The value that a line of settings gives a name that ends in `secret`, with what surrounds it.
fn configured_secret(line: &str) -> Option<&str> {
    line.match_indices("secret").find_map(|(start, name)| {
        let after = line.get(start + name.len()..)?;
        let value = after
            .trim_start_matches(['"', '\'', ' ', ']'])
            .strip_prefix(['=', ':'])?;
        Some(value.trim_start_matches('>').trim())
    })
}

/// Whether none of the scopes asked for is Exchange Online's: a permission without a resource is Microsoft Graph's.
fn asks_another_resource(scopes: &str) -> bool {
    let exchange = [
        "outlook.office",
        "ps.outlook.com",
        "partner.outlook.cn",
        EXCHANGE_APP_ID,
    ];
    let permission = ["smtp.", "imap.", "pop.", "mail.", ".default"];
    !exchange.iter().any(|resource| scopes.contains(resource))
        && permission
            .iter()
            .any(|permission| scopes.contains(permission))
}

/// The tenant in which all personal accounts live.
const PERSONAL_TENANT: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";
/// Office 365 Exchange Online, as an audience.
const EXCHANGE_APP_ID: &str = "00000002-0000-0ff1-ce00-000000000000";
