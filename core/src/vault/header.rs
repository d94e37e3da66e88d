//! The first 128 octets of a vault file, and the header row of a vault in a database: what it is, how its key is made, and
//! which nonce seals the rest.
//! Knows octets only; `docs/token-storage.md` specifies them.

use super::key::{KEY_BYTES, KeyCost, KeySource, SALT_BYTES};

/// Everything about a file that is not secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) key_source: KeySource,
    /// Tells whether a key is this file's key: see `DerivedKey::check`.
    pub(super) key_check: [u8; KEY_BYTES],
    /// Random at every write, so it also tells one state of the file from another.
    pub(super) nonce: [u8; NONCE_BYTES],
}

/// Why octets are not a vault file that can be opened.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// There are none.
    Empty,
    /// They are something else.
    Foreign,
    /// A newer Mailbearer wrote them.
    Newer {
        /// The format's version.
        version: u32,
    },
    /// They are not as they were written. The text continues "the vault file".
    Damaged(&'static str),
    /// The key is another file's key.
    WrongKey,
}

impl Header {
    /// The octets of the header.
    pub(super) fn encode(&self) -> [u8; HEADER_BYTES] {
        let KeyCost {
            memory_kib,
            passes,
            lanes,
        } = self.key_source.cost;
        let mut octets = Vec::with_capacity(HEADER_BYTES);
        octets.extend(MAGIC);
        octets.extend(VERSION.to_be_bytes());
        octets.extend(memory_kib.to_be_bytes());
        octets.extend(passes.to_be_bytes());
        octets.extend(lanes.to_be_bytes());
        octets.extend(self.key_source.salt);
        octets.extend(self.key_check);
        octets.extend(self.nonce);
        octets.extend(checksum(&octets));
        octets
            .try_into()
            .expect("the fields' sizes add up to the header's")
    }

    /// Reads the header at the beginning of a file.
    pub(super) fn parse(file: &[u8]) -> Result<Self, Flaw> {
        let mut fields = checked_fields(file)?;
        let header = Self {
            key_source: KeySource {
                cost: KeyCost {
                    memory_kib: take_number(&mut fields)?,
                    passes: take_number(&mut fields)?,
                    lanes: take_number(&mut fields)?,
                },
                salt: take(&mut fields)?,
            },
            key_check: take(&mut fields)?,
            nonce: take(&mut fields)?,
        };
        // The checksum keeps nobody from writing any cost here: it is a guard against accidents only.
        if !header.key_source.cost.is_acceptable() {
            return Err(Flaw::Damaged(
                "asks for an unacceptable amount of memory or time",
            ));
        }
        Ok(header)
    }
}

/// The fields after the version, once magic, version and checksum are right.
///
/// The order matters: another program's file must not be called damaged, and a newer version may place a checksum
/// elsewhere.
fn checked_fields(file: &[u8]) -> Result<&[u8], Flaw> {
    if file.is_empty() {
        return Err(Flaw::Empty);
    }
    let mut fields = file.get(..HEADER_BYTES).unwrap_or(file);
    if !fields.starts_with(MAGIC) {
        let beginning = MAGIC.starts_with(fields);
        return Err(if beginning { TRUNCATED } else { Flaw::Foreign });
    }
    let checked = fields.get(..HEADER_BYTES - CHECKSUM_BYTES);
    let stated = fields.get(HEADER_BYTES - CHECKSUM_BYTES..HEADER_BYTES);
    let _: [u8; MAGIC.len()] = take(&mut fields)?;
    match take_number(&mut fields)? {
        VERSION => {}
        0 => return Err(Flaw::Damaged("has no format version")),
        version => return Err(Flaw::Newer { version }),
    }
    let (Some(checked), Some(stated)) = (checked, stated) else {
        return Err(TRUNCATED);
    };
    if checksum(checked) != stated {
        return Err(Flaw::Damaged("has an altered header"));
    }
    Ok(fields)
}

fn checksum(octets: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let digest = ring::digest::digest(&ring::digest::SHA256, octets);
    digest.as_ref().try_into().expect("SHA-256 has 32 octets")
}

fn take<const SIZE: usize>(octets: &mut &[u8]) -> Result<[u8; SIZE], Flaw> {
    let (taken, rest) = octets.split_first_chunk().ok_or(TRUNCATED)?;
    *octets = rest;
    Ok(*taken)
}

fn take_number(octets: &mut &[u8]) -> Result<u32, Flaw> {
    take(octets).map(u32::from_be_bytes)
}

const TRUNCATED: Flaw = Flaw::Damaged("is truncated");

/// What a vault file begins with. The zero octet tells every tool that this is not text.
pub(super) const MAGIC: &[u8; 8] = b"MBVAULT\0";

/// The version of everything: header, key derivation, cipher and records. A change of any of them gets a new number.
const VERSION: u32 = 1;

/// XChaCha20 takes 192 bits, so that random nonces never meet.
pub(super) const NONCE_BYTES: usize = 24;

/// SHA-256 (FIPS 180-4): against accidents. Against intent, the whole header is the records' associated data.
pub(super) const CHECKSUM_BYTES: usize = 32;

/// The sum of the fields' sizes.
pub(super) const HEADER_BYTES: usize =
    MAGIC.len() + 4 + 3 * 4 + SALT_BYTES + KEY_BYTES + NONCE_BYTES + CHECKSUM_BYTES;

/// Corrects the checksum after a change of the header, as a forger would.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn forge_checksum(file: &mut [u8]) {
    if let Some((checked, rest)) = file.split_at_mut_checked(HEADER_BYTES - CHECKSUM_BYTES)
        && let Some(stated) = rest.first_chunk_mut()
    {
        *stated = checksum(checked);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> Header {
        Header {
            key_source: KeySource {
                cost: KeyCost {
                    memory_kib: 65536,
                    passes: 3,
                    lanes: 1,
                },
                salt: [1; SALT_BYTES],
            },
            key_check: [2; KEY_BYTES],
            nonce: [3; NONCE_BYTES],
        }
    }

    #[test]
    fn is_laid_out_as_specified() {
        let octets = sample().encode();
        assert_eq!(octets.len(), 128);
        assert_eq!(&octets[..8], b"MBVAULT\0");
        assert_eq!(octets[8..12], [0, 0, 0, 1]);
        assert_eq!(octets[12..16], [0, 1, 0, 0]);
        assert_eq!(octets[16..20], [0, 0, 0, 3]);
        assert_eq!(octets[20..24], [0, 0, 0, 1]);
        assert_eq!(octets[24..40], [1; 16]);
        assert_eq!(octets[40..72], [2; 32]);
        assert_eq!(octets[72..96], [3; 24]);
        assert_eq!(Header::parse(&octets), Ok(sample()));
    }

    #[test]
    fn says_what_is_wrong_with_other_octets() {
        fn check(file: &[u8], expected: Flaw) {
            assert_eq!(Header::parse(file), Err(expected));
        }
        let good = sample().encode();
        let altered = |place: usize, octets: &[u8]| {
            let mut file = good;
            file[place..place + octets.len()].copy_from_slice(octets);
            file
        };
        let forged = |place: usize, octets: &[u8]| {
            let mut file = altered(place, octets);
            forge_checksum(&mut file);
            file
        };
        check(b"", Flaw::Empty);
        check(b"MBVA", TRUNCATED);
        check(b"MBVAULT\0", TRUNCATED);
        check(&good[..127], TRUNCATED);
        check(b"\x7fELF", Flaw::Foreign);
        check(b"MBVAULT1", Flaw::Foreign);
        check(&altered(0, b"X"), Flaw::Foreign);
        check(&altered(8, &[0, 0, 0, 2]), Flaw::Newer { version: 2 });
        check(&altered(8, &[0, 0, 0, 2])[..12], Flaw::Newer { version: 2 });
        check(&forged(8, &[0; 4]), Flaw::Damaged("has no format version"));
        let altered_header = "has an altered header";
        check(&altered(30, b"X"), Flaw::Damaged(altered_header));
        check(&altered(100, b"X"), Flaw::Damaged(altered_header));
        let unacceptable = "asks for an unacceptable amount of memory or time";
        check(&forged(12, &[0xFF; 12]), Flaw::Damaged(unacceptable));
        check(&forged(12, &[0; 4]), Flaw::Damaged(unacceptable));
    }

    proptest! {
        #[test]
        fn reads_back_whatever_it_writes(
            memory_kib in 64..=512 * 1024_u32,
            passes in 1..=16_u32,
            lanes in 1..=8_u32,
            salt: [u8; SALT_BYTES],
            key_check: [u8; KEY_BYTES],
            nonce: [u8; NONCE_BYTES],
        ) {
            let cost = KeyCost { memory_kib, passes, lanes };
            let header = Header { key_source: KeySource { cost, salt }, key_check, nonce };
            prop_assert_eq!(Header::parse(&header.encode()), Ok(header));
        }
    }
}
