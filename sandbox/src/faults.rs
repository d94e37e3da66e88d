//! Faults on request: at a named phase of a dialogue the sandbox answers wrongly, late, or not at all.
//! A fault never changes the directory; what an administrator could cause belongs there instead.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::catalogue::{Aadsts, Reply};
use crate::random::Random;
use crate::sync::lock;

/// One fault: where, what, how often.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Where in the dialogue.
    pub at: Phase,
    /// What happens instead of the right answer.
    pub effect: Effect,
    /// How often.
    #[serde(default)]
    pub times: Times,
}

/// A place in a dialogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// SMTP: a client has connected; nothing was sent.
    Connect,
    /// SMTP: in place of the banner.
    Banner,
    /// SMTP: EHLO or HELO.
    Ehlo,
    /// SMTP: STARTTLS, in place of the 220.
    Starttls,
    /// SMTP: after the 220, in place of the TLS handshake.
    AfterStarttls,
    /// SMTP: the AUTH command.
    Auth,
    /// SMTP: the credentials have arrived, in place of the verdict.
    AuthResponse,
    /// SMTP: MAIL FROM.
    Mail,
    /// SMTP: RCPT TO.
    Rcpt,
    /// SMTP: the DATA command, in place of the 354.
    Data,
    /// SMTP: a BDAT chunk that is not the last one.
    Bdat,
    /// SMTP: the content has arrived completely, by DATA or BDAT.
    DataEnd,
    /// SMTP: the mail is in the inbox, in place of the 250. Cutting here leaves the client in doubt.
    Accepted,
    /// SMTP: QUIT.
    Quit,
    /// Identity: OpenID configuration and instance discovery.
    Metadata,
    /// Identity: the signing keys.
    Keys,
    /// Identity: the authorization endpoint, before the page.
    Authorize,
    /// Identity: the device authorization endpoint.
    Devicecode,
    /// Identity: the instance metadata service.
    ManagedIdentity,
    /// Identity: the token endpoint, whatever the grant.
    Token,
    /// Identity: the token endpoint, grant `device_code`.
    TokenDeviceCode,
    /// Identity: the token endpoint, grant `authorization_code`.
    TokenAuthorizationCode,
    /// Identity: the token endpoint, grant `refresh_token`.
    TokenRefreshToken,
    /// Identity: the token endpoint, grant `client_credentials`.
    TokenClientCredentials,
    /// Microsoft Graph: any request, before it is looked at.
    Graph,
    /// Microsoft Graph: the mail is in the inbox, in place of the 202. Cutting here leaves the client in doubt.
    GraphAccepted,
}

/// What happens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// An answer of the catalogue: a reply such as `send-as-denied` (SMTP), an error such as `AADSTS7000222` (identity).
    Named(String),
    /// A literal SMTP reply without the final CRLF; lines are separated by CRLF.
    Reply(String),
    /// A literal HTTP answer (identity).
    Http(HttpAnswer),
    /// An issued access token has this flaw (identity, token phases).
    Token(TokenFlaw),
    /// Wait, then go on as if nothing had been.
    DelayMs(u64),
    /// Close the connection without an answer.
    Cut,
    /// Never answer.
    Stall,
}

/// A literal HTTP answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpAnswer {
    /// The status, such as 429, 503 or 302.
    pub status: u16,
    /// Header fields, such as `("retry-after", "30")`.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// The body; its type is HTML unless a header says otherwise.
    #[serde(default)]
    pub body: String,
}

/// What is wrong with an access token that otherwise looks right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenFlaw {
    /// Expired when it is issued, although `expires_in` says otherwise.
    Expired,
    /// Lives five minutes.
    FiveMinutes,
    /// Lives 28 hours, as for clients capable of continuous access evaluation.
    TwentyEightHours,
    /// Meant for Microsoft Graph.
    WrongAudience,
    /// Signed with a key nobody publishes.
    WrongSignature,
    /// Valid, but Exchange refuses it, as after a revocation.
    Revoked,
    /// The refresh token is missing from the answer.
    NoRefreshToken,
}

/// How often a fault happens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Times {
    /// The next time. The default.
    #[default]
    Once,
    /// The next `n` times.
    N(u32),
    /// Every time.
    Always,
    /// With this probability, 0 to 1, by the sandbox's seeded generator.
    Probability(f64),
}

/// The effect does not exist, or cannot happen at the phase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownEffect {
    effect: String,
    at: Phase,
}

impl fmt::Display for UnknownEffect {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "no such effect at phase {:?}: {}",
            self.at, self.effect
        )
    }
}

impl std::error::Error for UnknownEffect {}

/// The faults still to come; clones share them.
#[derive(Clone, Debug)]
pub struct Faults {
    pending: Arc<Mutex<VecDeque<Fault>>>,
    random: Random,
}

impl Faults {
    pub(crate) fn new(random: Random) -> Self {
        Self {
            pending: Arc::default(),
            random,
        }
    }

    /// Adds a fault behind those already waiting.
    ///
    /// # Errors
    /// [`UnknownEffect`] if the effect is not in the catalogue or does not fit the phase.
    pub fn inject(&self, fault: Fault) -> Result<(), UnknownEffect> {
        if !fault.effect.fits(fault.at) {
            return Err(UnknownEffect {
                effect: format!("{:?}", fault.effect),
                at: fault.at,
            });
        }
        lock(&self.pending).push_back(fault);
        Ok(())
    }

    /// Takes all faults away.
    pub fn clear(&self) {
        lock(&self.pending).clear();
    }

    /// The faults that can still happen.
    pub fn pending(&self) -> Vec<Fault> {
        lock(&self.pending).iter().cloned().collect()
    }

    /// What happens now at this phase; delays have passed when this returns. A stall is the caller's to keep up, who
    /// knows when the client is gone.
    pub(crate) async fn strike(&self, at: Phase) -> Option<Effect> {
        for effect in self.draw(at) {
            match effect {
                Effect::DelayMs(delay_ms) => {
                    tokio::time::sleep(Duration::from_millis(delay_ms)).await
                }
                effect => return Some(effect),
            }
        }
        None
    }

    /// Whether a fault waits at this phase.
    pub(crate) fn wait_at(&self, at: Phase) -> bool {
        lock(&self.pending).iter().any(|fault| fault.at == at)
    }

    /// Takes the delays that happen now, and the first effect that is not a delay.
    fn draw(&self, at: Phase) -> Vec<Effect> {
        let mut pending = lock(&self.pending);
        let mut drawn = Vec::new();
        for fault in pending.iter_mut().filter(|fault| fault.at == at) {
            if !self.happens(fault.times) {
                continue;
            }
            fault.times = fault.times.after_one();
            drawn.push(fault.effect.clone());
            if !matches!(fault.effect, Effect::DelayMs(_)) {
                break;
            }
        }
        pending.retain(|fault| fault.times != Times::N(0));
        drawn
    }

    fn happens(&self, times: Times) -> bool {
        match times {
            Times::Once | Times::Always => true,
            Times::N(left) => left > 0,
            Times::Probability(probability) => self.random.chance(probability),
        }
    }
}

impl Times {
    fn after_one(self) -> Self {
        match self {
            Self::Once => Self::N(0),
            Self::N(left) => Self::N(left.saturating_sub(1)),
            Self::Always | Self::Probability(_) => self,
        }
    }
}

impl Phase {
    /// Whether the SMTP server visits this phase; otherwise the identity server or Graph does.
    pub fn is_smtp(self) -> bool {
        !matches!(
            self,
            Self::Metadata
                | Self::Keys
                | Self::Authorize
                | Self::Devicecode
                | Self::ManagedIdentity
                | Self::Graph
                | Self::GraphAccepted
        ) && !self.issues_tokens()
    }

    fn issues_tokens(self) -> bool {
        matches!(
            self,
            Self::Token
                | Self::TokenDeviceCode
                | Self::TokenAuthorizationCode
                | Self::TokenRefreshToken
                | Self::TokenClientCredentials
        )
    }
}

impl Effect {
    fn fits(&self, at: Phase) -> bool {
        match self {
            Self::Named(name) if at.is_smtp() => Reply::named(name).is_some(),
            Self::Named(name) => Aadsts::named(name).is_some(),
            Self::Reply(_) => at.is_smtp(),
            Self::Http(_) => !at.is_smtp(),
            Self::Token(_) => at.issues_tokens(),
            Self::DelayMs(_) | Self::Cut | Self::Stall => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults() -> Faults {
        Faults::new(Random::new(Some(1)))
    }

    fn reply(text: &str, times: Times) -> Fault {
        Fault {
            at: Phase::Mail,
            effect: Effect::Reply(text.to_owned()),
            times,
        }
    }

    #[test]
    fn faults_come_in_the_order_of_injection_and_as_often_as_asked() {
        let faults = faults();
        faults.inject(reply("451 a", Times::N(2))).unwrap();
        faults.inject(reply("451 b", Times::Once)).unwrap();
        let drawn: Vec<_> = (0..4).flat_map(|_| faults.draw(Phase::Mail)).collect();
        let expected = ["451 a", "451 a", "451 b"].map(|text| Effect::Reply(text.to_owned()));
        assert_eq!(drawn, expected);
        assert!(faults.pending().is_empty());
    }

    #[test]
    fn a_delay_lets_the_next_fault_happen_too() {
        let faults = faults();
        faults
            .inject(Fault {
                at: Phase::Mail,
                effect: Effect::DelayMs(1),
                times: Times::Always,
            })
            .unwrap();
        faults.inject(reply("451 a", Times::Once)).unwrap();
        assert_eq!(faults.draw(Phase::Mail).len(), 2);
        assert_eq!(faults.draw(Phase::Mail), [Effect::DelayMs(1)]);
        assert!(faults.draw(Phase::Rcpt).is_empty());
    }

    #[test]
    fn one_seed_gives_one_course_of_chances() {
        let course = || {
            let faults = faults();
            faults
                .inject(reply("451 a", Times::Probability(0.5)))
                .unwrap();
            (0..64)
                .map(|_| faults.draw(Phase::Mail).len())
                .collect::<Vec<_>>()
        };
        assert_eq!(course(), course());
        let happened: usize = course().iter().sum();
        assert!((16..48).contains(&happened), "{happened} of 64");
    }

    #[test]
    fn an_effect_must_exist_and_fit_its_phase() {
        let check = |at, effect: Effect, fits| {
            let injected = faults().inject(Fault {
                at,
                effect: effect.clone(),
                times: Times::Once,
            });
            assert_eq!(injected.is_ok(), fits, "{effect:?} at {at:?}");
        };
        let named = |name: &str| Effect::Named(name.to_owned());
        check(Phase::Auth, named("smtp-auth-disabled-tenant"), true);
        check(Phase::Auth, named("AADSTS70016"), false);
        check(Phase::TokenRefreshToken, named("AADSTS50173"), true);
        check(Phase::Devicecode, named("no-such-name"), false);
        check(Phase::Devicecode, Effect::Token(TokenFlaw::Expired), false);
        check(Phase::Token, Effect::Token(TokenFlaw::Expired), true);
        check(Phase::Token, Effect::Reply("451 a".to_owned()), false);
        check(Phase::DataEnd, Effect::Cut, true);
    }

    #[test]
    fn faults_read_as_short_json() {
        let check = |json: &str, expected: Fault| {
            assert_eq!(serde_json::from_str::<Fault>(json).unwrap(), expected)
        };
        check(
            r#"{"at":"data-end","effect":{"named":"send-as-denied"},"times":{"n":2}}"#,
            Fault {
                at: Phase::DataEnd,
                effect: Effect::Named("send-as-denied".to_owned()),
                times: Times::N(2),
            },
        );
        check(
            r#"{"at":"connect","effect":"cut"}"#,
            Fault {
                at: Phase::Connect,
                effect: Effect::Cut,
                times: Times::Once,
            },
        );
    }
}
