//! JSON Web Tokens: writing ours, and taking apart those of clients and of our own.
//! Whether the claims suffice is decided by whoever asked.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::keys::SigningKey;

/// A JWT taken apart; nothing in it is verified yet.
#[derive(Debug)]
pub(crate) struct Jwt<'a> {
    pub(crate) header: Map<String, Value>,
    pub(crate) claims: Map<String, Value>,
    pub(crate) signed: &'a [u8],
    pub(crate) signature: Vec<u8>,
}

impl<'a> Jwt<'a> {
    /// `None` if it does not have the form of a signed JWT.
    pub(crate) fn parse(token: &'a str) -> Option<Self> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        Some(Self {
            header: object(header)?,
            claims: object(claims)?,
            signed: signed.as_bytes(),
            signature: URL_SAFE_NO_PAD.decode(signature).ok()?,
        })
    }

    /// A claim that is a string.
    pub(crate) fn text(&self, claim: &str) -> Option<&str> {
        self.claims.get(claim).and_then(Value::as_str)
    }

    /// A claim that is a number of seconds since 1970.
    pub(crate) fn seconds(&self, claim: &str) -> Option<i64> {
        let value = self.claims.get(claim)?;
        value
            .as_i64()
            .or_else(|| value.as_f64().map(|seconds| seconds as i64))
    }
}

/// Signs claims with RS256.
pub(crate) fn sign(key: &SigningKey, claims: &Value) -> String {
    let header = json!({"typ": "JWT", "alg": "RS256", "x5t": key.key_id(), "kid": key.key_id()});
    let signed = format!("{}.{}", encode(&header), encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

/// Adds fields to a JSON object.
pub(crate) fn set(object: &mut Value, more: Value) {
    if let (Value::Object(object), Value::Object(more)) = (object, more) {
        object.extend(more);
    }
}

fn encode(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn object(part: &str) -> Option<Map<String, Value>> {
    let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
    serde_json::from_slice(&bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_signed_can_be_parsed_and_verified() {
        let key = SigningKey::of_process().unwrap();
        let token = sign(&key, &json!({"upn": "alice@contoso.example", "exp": 7}));
        let jwt = Jwt::parse(&token).unwrap();
        assert_eq!(
            (jwt.text("upn"), jwt.seconds("exp")),
            (Some("alice@contoso.example"), Some(7))
        );
        assert_eq!(jwt.header.get("alg"), Some(&json!("RS256")));
        assert!(key.verifies(jwt.signed, &jwt.signature));
    }

    #[test]
    fn anything_else_is_no_jwt() {
        for text in [
            "",
            ".",
            "..",
            "a.b.c",
            "e30.e30",
            "e30.W10.AA",
            "EwBAAl3BAAUFFpUAo7J3",
        ] {
            assert!(Jwt::parse(text).is_none(), "{text}");
        }
        assert!(Jwt::parse("e30.e30.AA").is_some());
    }
}
