//! A whole vault file as octets: a header in the clear, and the records sealed with XChaCha20-Poly1305.
//! Nothing here touches a disk or a passphrase.

use super::payload;
use crate::error::{Error, Result};
use crate::host::Random;
use crate::model::ProblemKind;
use crate::vault::header::{Flaw, HEADER_BYTES, Header, NONCE_BYTES};
use crate::vault::key::DerivedKey;
use crate::vault::records::Records;
use chacha20poly1305::aead::AeadInOut as _;
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305};
use zeroize::Zeroizing;

/// Seals records under a fresh nonce. Errors: `Storage` when they are too many, `Internal`.
pub(super) fn seal(key: &DerivedKey, records: &Records, random: &dyn Random) -> Result<Vec<u8>> {
    let mut sealed = payload::encode(records, TAG_BYTES).ok_or_else(too_large)?;
    let mut nonce = [0; NONCE_BYTES];
    random.fill(&mut nonce)?;
    let header = Header {
        key_source: key.source.clone(),
        key_check: key.check,
        nonce,
    };
    let header = header.encode();
    cipher(key)
        .encrypt_in_place(&nonce.into(), &header, &mut *sealed)
        .map_err(|_| too_large())?;
    let mut file = Vec::with_capacity(header.len() + sealed.len());
    file.extend(header);
    file.extend(sealed.iter());
    Ok(file)
}

/// Opens a file whose header has been parsed. Refuses a single altered bit anywhere.
pub(super) fn unseal(key: &DerivedKey, header: &Header, file: &[u8]) -> Result<Records, Flaw> {
    // Both stand in the file or follow from the passphrase: how long the comparison takes gives nothing away.
    if header.key_source != key.source || header.key_check != key.check {
        return Err(Flaw::WrongKey);
    }
    let (associated, sealed) = file
        .split_at_checked(HEADER_BYTES)
        .ok_or(Flaw::Damaged("is truncated"))?;
    let mut octets = Zeroizing::new(sealed.to_vec());
    cipher(key)
        .decrypt_in_place(&header.nonce.into(), associated, &mut *octets)
        .map_err(|_| Flaw::Damaged("has been altered or truncated"))?;
    payload::decode(&octets).ok_or(Flaw::Damaged("holds malformed records"))
}

fn cipher(key: &DerivedKey) -> XChaCha20Poly1305 {
    // Exposed to encrypt and decrypt; the cipher wipes its copy.
    XChaCha20Poly1305::new(key.encryption.expose().into())
}

fn too_large() -> Error {
    let max_mib = payload::MAX_BYTES / (1024 * 1024);
    Error::new(
        ProblemKind::Storage,
        "vault-full",
        format!("the records are larger than the {max_mib} MiB that a vault file may hold"),
        "remove accounts that are not in use, or divide them among several vaults",
    )
}

/// Poly1305's tag (RFC 8439 section 2.5).
pub(super) const TAG_BYTES: usize = 16;

/// The largest file that [`seal`] writes.
pub(super) const FILE_MAX_BYTES: usize = HEADER_BYTES + payload::MAX_BYTES + TAG_BYTES;

/// Reads any octets in every way a file's octets are read, to show that nothing panics and nothing is read that would
/// not be written.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn survive_any_file(octets: &[u8]) {
    use crate::vault::header::forge_checksum;

    if let Some(records) = payload::decode(octets) {
        let written = payload::encode(&records, 0).expect("what was read can be written");
        assert_eq!(*written, octets);
    }
    let mut forged = octets.to_vec();
    forge_checksum(&mut forged);
    for file in [octets, &forged] {
        let Ok(header) = Header::parse(file) else {
            continue;
        };
        assert_eq!(file.first_chunk(), Some(&header.encode()));
        let key = DerivedKey {
            source: header.key_source.clone(),
            encryption: crate::secret::Secret::default(),
            check: header.key_check,
        };
        // Opens only what was sealed with the key of zeros; no octets may bring it to panic.
        let _ = unseal(&key, &header, file);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::SeededRandom;
    use crate::secret::Secret;
    use crate::vault::key::{KeyCost, KeySource};
    use proptest::prelude::*;

    fn key(octet: u8) -> DerivedKey {
        DerivedKey {
            source: KeySource {
                cost: KeyCost::NEW_VAULT,
                salt: [9; 16],
            },
            encryption: Secret::new([octet; 32]),
            check: [octet; 32],
        }
    }

    fn sealed(random: &SeededRandom) -> Vec<u8> {
        let mut records = Records::default();
        records.write("token/billing", b"hunter2".to_vec().into());
        seal(&key(1), &records, random).unwrap()
    }

    fn open(key: &DerivedKey, file: &[u8]) -> Result<Records, Flaw> {
        unseal(key, &Header::parse(file)?, file)
    }

    #[test]
    fn no_two_seals_are_alike() {
        let random = SeededRandom::new(1);
        let (one, other) = (sealed(&random), sealed(&random));
        assert_ne!(one[72..96], other[72..96]);
        assert_ne!(one[HEADER_BYTES..], other[HEADER_BYTES..]);
        let read = open(&key(1), &one).unwrap().read("token/billing").unwrap();
        assert_eq!(read.expose(), b"hunter2");
    }

    #[test]
    fn a_forged_header_does_not_open() {
        let file = sealed(&SeededRandom::new(1));
        for place in 0..HEADER_BYTES {
            for bit in 0..8 {
                let mut forged = file.clone();
                forged[place] ^= 1 << bit;
                crate::vault::header::forge_checksum(&mut forged);
                // The checksum itself is corrected, so only there is the file as before.
                if forged != file {
                    open(&key(1), &forged).unwrap_err();
                }
            }
        }
    }

    #[test]
    fn tells_another_key_from_damage() {
        let mut file = sealed(&SeededRandom::new(1));
        assert_eq!(open(&key(2), &file).unwrap_err(), Flaw::WrongKey);
        *file.last_mut().unwrap() ^= 1;
        let damaged = Flaw::Damaged("has been altered or truncated");
        assert_eq!(open(&key(1), &file).unwrap_err(), damaged);
    }

    proptest! {
        #[test]
        fn survives_any_octets(mut octets in proptest::collection::vec(any::<u8>(), 0..400)) {
            survive_any_file(&octets);
            // And with the beginning that lets a reader go on.
            let file = sealed(&SeededRandom::new(1));
            let known = octets.len().min(12);
            octets[..known].copy_from_slice(&file[..known]);
            survive_any_file(&octets);
        }
    }
}
