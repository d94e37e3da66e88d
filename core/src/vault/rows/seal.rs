//! A row of a database as octets that only the key opens: XChaCha20-Poly1305 over one record, bound to the record's name, its
//! version and its vault. A row cannot be altered, renamed, or put in another row's place; putting back an older one, whole,
//! is what `RowVault` watches for.

use super::Row;
use crate::error::Result;
use crate::host::Random;
use crate::secret::SecretBytes;
use crate::vault::header::NONCE_BYTES;
use crate::vault::key::{DerivedKey, SALT_BYTES};
use chacha20poly1305::aead::AeadInOut as _;
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305};
use zeroize::Zeroizing;

/// Seals a record, or its absence, as the given version of its row. Errors: `Internal`.
pub(super) fn seal(
    key: &DerivedKey,
    name: &str,
    version: i64,
    value: Option<&SecretBytes>,
    random: &dyn Random,
) -> Result<Vec<u8>> {
    // Exposed to be sealed. The right capacity from the start: a vector that grows leaves copies of the secret behind.
    let value_bytes = value.map_or(&[][..], |value| value.expose());
    let mut sealed = Zeroizing::new(Vec::with_capacity(value_bytes.len() + TAG_BYTES));
    sealed.extend(value_bytes);
    let mut nonce = [0; NONCE_BYTES];
    random.fill(&mut nonce)?;
    let associated = associated(key, name, version, value.is_some());
    cipher(key)
        .encrypt_in_place(&nonce.into(), &associated, &mut *sealed)
        .map_err(|_| super::problem::too_large(name))?;
    Ok([&nonce, sealed.as_slice()].concat())
}

/// Opens a row: the record or its absence; `None` for anything that was not sealed as this row.
#[expect(
    clippy::option_option,
    reason = "a row that says there is no record is not one that cannot be opened"
)]
pub(super) fn unseal(key: &DerivedKey, name: &str, row: &Row) -> Option<Option<SecretBytes>> {
    let (nonce, sealed) = row.sealed.split_first_chunk::<NONCE_BYTES>()?;
    let mut octets = Zeroizing::new(sealed.to_vec());
    let associated = associated(key, name, row.version, row.present);
    cipher(key)
        .decrypt_in_place(&(*nonce).into(), &associated, &mut *octets)
        .ok()?;
    Some(row.present.then(|| SecretBytes::new(octets.to_vec())))
}

/// What a row is bound to. Every part but the name has a fixed size, so no two rows give the same octets.
fn associated(key: &DerivedKey, name: &str, version: i64, present: bool) -> Vec<u8> {
    let mut octets = Vec::with_capacity(DOMAIN.len() + SALT_BYTES + 9 + name.len());
    octets.extend(DOMAIN);
    octets.extend(key.source.salt);
    octets.extend(version.to_be_bytes());
    octets.push(u8::from(present));
    octets.extend(name.as_bytes());
    octets
}

fn cipher(key: &DerivedKey) -> XChaCha20Poly1305 {
    // Exposed to encrypt and decrypt; the cipher wipes its copy.
    XChaCha20Poly1305::new(key.encryption.expose().into())
}

/// Keeps rows and files apart, should one passphrase guard both.
const DOMAIN: &[u8; 16] = b"MAILBEARER ROW 1";

/// Poly1305's tag (RFC 8439 section 2.5).
const TAG_BYTES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::SeededRandom;
    use crate::secret::Secret;
    use crate::vault::key::{KeyCost, KeySource};

    fn key(octet: u8, salt: u8) -> DerivedKey {
        DerivedKey {
            source: KeySource {
                cost: KeyCost::NEW_VAULT,
                salt: [salt; 16],
            },
            encryption: Secret::new([octet; 32]),
            check: [octet; 32],
        }
    }

    fn row(value: Option<&[u8]>) -> Row {
        let value = value.map(|value| SecretBytes::new(value.to_vec()));
        let random = SeededRandom::new(1);
        let sealed = seal(&key(1, 1), "tokens/a", 7, value.as_ref(), &random).unwrap();
        Row {
            version: 7,
            present: value.is_some(),
            sealed,
            written_at_unix_ms: 0,
        }
    }

    #[test]
    fn opens_what_was_sealed() {
        let read = unseal(&key(1, 1), "tokens/a", &row(Some(b"hunter2"))).unwrap();
        assert_eq!(read.unwrap().expose(), b"hunter2");
        assert!(
            unseal(&key(1, 1), "tokens/a", &row(None))
                .unwrap()
                .is_none()
        );
        let octets = row(Some(b"hunter2")).sealed;
        assert!(!octets.windows(7).any(|part| part == b"hunter2"));
    }

    #[test]
    fn opens_nothing_else() {
        let check = |key: &DerivedKey, name: &str, row: &Row| {
            assert!(unseal(key, name, row).is_none(), "{name} {row:?}");
        };
        let good = row(Some(b"hunter2"));
        check(&key(2, 1), "tokens/a", &good);
        check(&key(1, 2), "tokens/a", &good);
        check(&key(1, 1), "tokens/b", &good);
        let older = Row {
            version: 6,
            ..good.clone()
        };
        check(&key(1, 1), "tokens/a", &older);
        let removed = Row {
            present: false,
            ..good.clone()
        };
        check(&key(1, 1), "tokens/a", &removed);
        for place in 0..good.sealed.len() {
            let mut altered = good.clone();
            altered.sealed[place] ^= 1;
            check(&key(1, 1), "tokens/a", &altered);
            let cut = Row {
                sealed: good.sealed[..place].to_vec(),
                ..good.clone()
            };
            check(&key(1, 1), "tokens/a", &cut);
        }
    }
}
