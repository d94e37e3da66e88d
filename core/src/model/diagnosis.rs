//! Evidence of a failure, and what it means.

use super::Retry;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::collections::HashMap;

/// What a program or a person has seen of a failure.
///
/// Reading is tolerant: unknown members are skipped, and a value of `context` or `facts` that is no text becomes one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(rename_all = "camelCase", default)]
pub struct Evidence {
    /// The texts seen, in order.
    pub evidence: Vec<EvidenceItem>,
    /// What was being done: `host`, `port`, `flow`, `scope`, `account`, `cloud`, `client` and the like.
    #[serde(deserialize_with = "texts")]
    pub context: HashMap<String, String>,
    /// What is known beyond the texts, such as `token.aud`.
    #[serde(deserialize_with = "texts")]
    pub facts: HashMap<String, String>,
    /// What an administrator has looked up, such as `Get-CASMailbox.SmtpClientAuthenticationDisabled`.
    #[serde(alias = "admin_facts", deserialize_with = "texts")]
    pub admin_facts: HashMap<String, String>,
    /// What else is certain, in words.
    pub established: Vec<String>,
    /// Where on the way it failed: `connect`, `tls`, `ehlo`, `auth`, `mail`, `rcpt`, `data`, `bounce`, `relay`,
    /// `token`, `consent` or `device`. Default: not known.
    pub phase: String,
}

/// One text that was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(rename_all = "camelCase")]
pub struct EvidenceItem {
    /// Where it was seen. Default: not known.
    #[serde(default)]
    pub kind: EvidenceKind,
    /// The text itself.
    pub text: String,
}

/// Where a text was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EvidenceKind {
    /// A reply of an SMTP server.
    SmtpReply,
    /// An error body of a token or device authorization endpoint.
    TokenError,
    /// An error of the sign-in page or its redirect.
    AuthorizeError,
    /// A bounce (RFC 3464).
    Dsn,
    /// A TLS error.
    TlsError,
    /// A name lookup error.
    DnsError,
    /// An error of a client program.
    ClientError,
    /// A log or a dialogue of several lines.
    Log,
    /// Anything else.
    #[default]
    #[serde(other)]
    Unknown,
}

/// One possible cause.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(rename_all = "camelCase")]
pub struct Diagnosis {
    /// The cause, as a stable label.
    pub code: String,
    /// What it means, in one sentence.
    pub cause: String,
    /// The next step.
    pub fix: String,
    /// Who can take it.
    pub who: String,
    /// Whether and when to try the same again.
    pub retry: Retry,
    /// How sure this is, from 0 to 1.
    pub confidence: f64,
    /// The parts of the evidence that speak for it.
    pub because: Vec<String>,
    /// What to find out next, the most telling first: facts that would tell the causes of this list apart.
    /// Each begins with the name under which the answer is understood among the facts. Empty where the evidence decides.
    #[serde(default)]
    pub ask: Vec<String>,
    /// The page about this cause, as a path in the project.
    #[serde(default)]
    pub page: String,
}

fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<HashMap<String, String>, D::Error> {
    let values = Option::<HashMap<String, Value>>::deserialize(deserializer)?;
    let texts = values.unwrap_or_default().into_iter();
    Ok(texts.map(|(name, value)| (name, text_of(value))).collect())
}

/// A list is its elements with blanks between; an object with a `value`, as notes about a source have it, is that value.
fn text_of(value: Value) -> String {
    match value {
        Value::String(text) => text,
        Value::Null => String::new(),
        Value::Array(elements) => {
            let texts: Vec<String> = elements.into_iter().map(text_of).collect();
            texts.join(" ")
        }
        Value::Object(mut members) => match members.remove("value") {
            Some(value) => text_of(value),
            None => Value::Object(members).to_string(),
        },
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_whatever_somebody_has_noted() {
        let evidence: Evidence = serde_json::from_str(
            r#"{
                "evidence": [{"kind": "imap_reply", "text": "NO"}, {"text": "x"}],
                "literal": true,
                "context": {"port": 587, "flow": "device code", "none": null},
                "facts": {
                    "token.roles": {"value": ["SMTP.SendAsApp", "Mail.Send"], "origin": "decoded"},
                    "nested": {"a": 1}
                }
            }"#,
        )
        .unwrap();
        assert_eq!(evidence.evidence.len(), 2);
        assert_eq!(evidence.evidence[0].kind, EvidenceKind::Unknown);
        assert_eq!(evidence.context["port"], "587");
        assert_eq!(evidence.context["flow"], "device code");
        assert_eq!(evidence.context["none"], "");
        assert_eq!(evidence.facts["token.roles"], "SMTP.SendAsApp Mail.Send");
        assert_eq!(evidence.facts["nested"], r#"{"a":1}"#);
    }

    #[test]
    fn everything_may_be_left_out() {
        let evidence: Evidence = serde_json::from_str(r#"{"context": null}"#).unwrap();
        assert_eq!(evidence, Evidence::default());
    }
}
