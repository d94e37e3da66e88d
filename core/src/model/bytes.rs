//! Octets that cross a language border cheaply: shared, never copied by `clone`.
//! A reader accepts raw bytes, an array of numbers, or base64 text, because JSON has no bytes of its own.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::ops::Deref;

/// Shared, immutable octets: an attachment, or a whole RFC 5322 message.
///
/// As JSON they are base64 text (RFC 4648 §4); formats with a byte type carry them as they are.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Bytes(::bytes::Bytes);

impl Bytes {
    /// The same octets in the form the transport sends them, still shared.
    pub(crate) fn shared(&self) -> ::bytes::Bytes {
        self.0.clone()
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(octets: Vec<u8>) -> Self {
        Self(octets.into())
    }
}

impl From<&[u8]> for Bytes {
    fn from(octets: &[u8]) -> Self {
        Self(octets.to_vec().into())
    }
}

impl From<Bytes> for Vec<u8> {
    fn from(octets: Bytes) -> Self {
        octets.0.into()
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// Shows the size only: the content may be anything, a person's data included.
impl fmt::Debug for Bytes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Bytes({} bytes)", self.0.len())
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(&STANDARD.encode(&self.0))
        } else {
            serializer.serialize_bytes(&self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Octets;

        impl<'de> Visitor<'de> for Octets {
            type Value = Bytes;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("bytes, or base64 text")
            }

            fn visit_bytes<E>(self, octets: &[u8]) -> Result<Bytes, E> {
                Ok(octets.into())
            }

            fn visit_byte_buf<E>(self, octets: Vec<u8>) -> Result<Bytes, E> {
                Ok(octets.into())
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Bytes, E> {
                let octets = STANDARD.decode(text);
                octets
                    .map(Bytes::from)
                    .map_err(|_| E::custom("expected base64 text (RFC 4648 section 4)"))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut numbers: A) -> Result<Bytes, A::Error> {
                let mut octets = Vec::new();
                while let Some(number) = numbers.next_element::<u16>()? {
                    let octet = u8::try_from(number)
                        .map_err(|_| A::Error::custom("expected numbers from 0 to 255"))?;
                    octets.push(octet);
                }
                Ok(octets.into())
            }
        }

        deserializer.deserialize_any(Octets)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Bytes {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Bytes".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "contentEncoding": "base64",
            "description": "Octets: raw bytes where the language has them, base64 text in JSON.",
        })
    }
}

#[cfg(feature = "uniffi")]
uniffi::custom_type!(Bytes, Vec<u8>, {
    try_lift: |octets| Ok(octets.into()),
    lower: |octets| octets.into(),
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_base64_text_and_arrays_and_refuses_the_rest() {
        fn check(json: &str, expected: Option<&[u8]>) {
            let read = serde_json::from_str::<Bytes>(json).ok();
            assert_eq!(read.as_deref(), expected, "{json}");
        }
        check(r#""aGk=""#, Some(b"hi"));
        check(r#""""#, Some(b""));
        check("[104, 105]", Some(b"hi"));
        check("[256]", None);
        check(r#""not base64!""#, None);
        check("7", None);
    }

    #[test]
    fn debug_shows_the_size_and_never_the_content() {
        let shown = format!("{:?}", Bytes::from(b"salary".as_slice()));
        assert_eq!(shown, "Bytes(6 bytes)");
    }
}
