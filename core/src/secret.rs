//! A value that must not be seen: redacted in `Debug`, wiped when dropped, and impossible to serialize.
//! The vault writes secrets through [`Secret::expose`], like everybody else who has a reason.

use serde::{Deserialize, Deserializer};
use std::fmt;
use zeroize::{Zeroize, Zeroizing};

/// A secret value.
///
/// There is no `Display`, no `Serialize` and no `PartialEq`: a secret cannot be printed, stored or compared by accident.
#[derive(Clone, Default)]
pub struct Secret<T: Zeroize>(Zeroizing<T>);

/// A secret text, such as a token or a passphrase.
pub type SecretText = Secret<String>;

/// Secret octets, such as a stored record.
pub type SecretBytes = Secret<Vec<u8>>;

impl<T: Zeroize> Secret<T> {
    /// Makes a value secret. Copies made before stay where they are: make secrets as early as possible.
    pub fn new(value: T) -> Self {
        Self(Zeroizing::new(value))
    }

    /// The value in the clear. Every use says in a comment why it needs it.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(***)")
    }
}

impl<'de, T: Zeroize + Deserialize<'de>> Deserialize<'de> for Secret<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self::new)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for SecretText {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SecretText".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "writeOnly": true,
            "description": "A secret: taken in, never given back.",
        })
    }
}

#[cfg(feature = "uniffi")]
uniffi::custom_type!(SecretText, String, {
    try_lift: |text| Ok(Secret::new(text)),
    // Swift may hand back what it gave, in a copy of the same record.
    lower: |secret| secret.expose().clone(),
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_hides_the_value() {
        let secret = SecretText::new("hunter2".to_owned());
        assert_eq!(format!("{secret:?}"), "Secret(***)");
        assert_eq!(format!("{:?}", Some(&secret)), "Some(Secret(***))");
        assert_eq!(secret.expose(), "hunter2");
    }

    #[test]
    fn reads_from_plain_text() {
        let secret: SecretText = serde_json::from_str(r#""hunter2""#).unwrap();
        assert_eq!(secret.expose(), "hunter2");
    }
}
