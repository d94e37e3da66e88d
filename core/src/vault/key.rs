//! The key of a vault: Argon2id (RFC 9106) turns the passphrase into one, at a cost that the vault's header names.
//! The passphrase's source is not decided here.

use crate::error::{Error, Result};
use crate::host::Random;
use crate::model::ProblemKind;
use crate::secret::{Secret, SecretBytes};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use zeroize::Zeroizing;

/// What a key is made from, beside the passphrase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeySource {
    /// What one guess of the passphrase costs.
    pub(super) cost: KeyCost,
    /// Random octets: the same passphrase gives another key in every file.
    pub(super) salt: [u8; SALT_BYTES],
}

/// The cost of Argon2id, in the terms of RFC 9106 section 3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeyCost {
    /// Memory, in KiB ("memory size m").
    pub(super) memory_kib: u32,
    /// Passes over the memory ("number of passes t").
    pub(super) passes: u32,
    /// Lanes that could be filled in parallel ("degree of parallelism p").
    pub(super) lanes: u32,
}

impl KeyCost {
    /// The cost of new vaults, paid once per opened vault: about a seventh of a second on a server.
    ///
    /// The memory is that of RFC 9106 section 4's second recommended option, with two of its three passes, so that a
    /// command line that opens the vault for a single mail stays quick; it is more than three times what OWASP's
    /// password storage cheat sheet asks for at least (19 MiB, 2 passes, 1 lane). One lane, because here the lanes
    /// would be filled one after the other, and an attacker's would not.
    pub(super) const NEW_VAULT: Self = Self {
        memory_kib: 64 * 1024,
        passes: 2,
        lanes: 1,
    };

    /// The most that a file may ask for. Whoever can write the file could otherwise make its reader run out of memory
    /// or time; this much takes seconds, and leaves room for later defaults eight times as dear.
    const MAX: Self = Self {
        memory_kib: 512 * 1024,
        passes: 16,
        lanes: 16,
    };

    /// Whether this cost can be paid, and is worth paying.
    pub(super) fn is_acceptable(self) -> bool {
        let Self {
            memory_kib,
            passes,
            lanes,
        } = self;
        memory_kib <= Self::MAX.memory_kib
            && passes <= Self::MAX.passes
            && lanes <= Self::MAX.lanes
            && Params::new(memory_kib, passes, lanes, None).is_ok()
    }
}

/// A key that has been paid for. Kept in memory, so that Argon2id runs once per opened file.
#[derive(Debug)]
pub(super) struct DerivedKey {
    pub(super) source: KeySource,
    /// Encrypts the records.
    pub(super) encryption: Secret<[u8; KEY_BYTES]>,
    /// Stands in the file to tell a wrong passphrase from damage. It is the other half of Argon2id's output and says
    /// nothing about the first; to test a guess with it costs the same Argon2id run as to test it with the records.
    pub(super) check: [u8; KEY_BYTES],
}

impl DerivedKey {
    /// A key for a vault that is made, or sealed anew. Errors: `Storage`, `Internal`.
    pub(super) fn new(
        passphrase: &SecretBytes,
        cost: KeyCost,
        random: &dyn Random,
    ) -> Result<Self> {
        let mut salt = [0; SALT_BYTES];
        random.fill(&mut salt)?;
        Self::derive(passphrase, &KeySource { cost, salt })
    }

    /// Runs Argon2id: takes time and memory by design. Errors: `Storage` when there is not enough memory.
    pub(super) fn derive(passphrase: &SecretBytes, source: &KeySource) -> Result<Self> {
        let mut output = Zeroizing::new([[0; KEY_BYTES]; 2]);
        // Exposed to be hashed.
        run_argon2id(passphrase.expose(), source, output.as_flattened_mut())
            .map_err(|error| derivation_failed(source, error))?;
        let [encryption, check] = *output;
        Ok(Self {
            source: source.clone(),
            encryption: Secret::new(encryption),
            check,
        })
    }
}

fn run_argon2id(passphrase: &[u8], source: &KeySource, output: &mut [u8]) -> argon2::Result<()> {
    let KeyCost {
        memory_kib,
        passes,
        lanes,
    } = source.cost;
    let params = Params::new(memory_kib, passes, lanes, Some(output.len()))?;
    let block_count = params.block_count();
    // The crate's own allocation is not wiped, and the last blocks would give the key away.
    let mut memory = Zeroizing::new(Vec::new());
    memory
        .try_reserve_exact(block_count)
        .map_err(|_| argon2::Error::OutOfMemory)?;
    memory.resize(block_count, Block::default());
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into_with_memory(
        passphrase,
        &source.salt,
        output,
        memory.as_mut_slice(),
    )
}

fn derivation_failed(source: &KeySource, error: argon2::Error) -> Error {
    let memory_mib = source.cost.memory_kib / 1024;
    Error::new(
        ProblemKind::Storage,
        "vault-key-failed",
        format!("the vault's key could not be made from the passphrase: {error}"),
        format!("let this process use {memory_mib} MiB more memory"),
    )
}

/// RFC 9106 section 3.1: 16 octets are enough for every use of passwords.
pub(super) const SALT_BYTES: usize = 16;

/// XChaCha20-Poly1305 takes 256 bits.
pub(super) const KEY_BYTES: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: KeyCost = KeyCost {
        memory_kib: 8,
        passes: 1,
        lanes: 1,
    };

    #[test]
    fn refuses_a_cost_beyond_all_measure() {
        fn check(memory_kib: u32, passes: u32, lanes: u32, expected: bool) {
            let cost = KeyCost {
                memory_kib,
                passes,
                lanes,
            };
            assert_eq!(cost.is_acceptable(), expected, "{cost:?}");
        }
        check(64 * 1024, 3, 1, true);
        check(512 * 1024, 16, 16, true);
        check(8, 1, 1, true);
        check(512 * 1024 + 1, 1, 1, false);
        check(100 * 1024 * 1024, 1, 1, false); // 100 GiB
        check(u32::MAX, u32::MAX, u32::MAX, false);
        check(1024, 17, 1, false);
        check(1024, 1, 17, false);
        check(7, 1, 1, false);
        check(1024, 0, 1, false);
        check(1024, 1, 0, false);
        check(16, 1, 4, false);
    }

    #[test]
    fn passphrase_salt_and_cost_all_make_the_key() {
        let derive = |passphrase: &[u8], salt: u8, cost: KeyCost| {
            let salt = [salt; SALT_BYTES];
            let source = KeySource { cost, salt };
            let key = DerivedKey::derive(&passphrase.to_vec().into(), &source).unwrap();
            assert_ne!(*key.encryption.expose(), key.check);
            (*key.encryption.expose(), key.check)
        };
        let key = derive(b"a", 1, CHEAP);
        assert_eq!(derive(b"a", 1, CHEAP), key);
        assert_ne!(derive(b"b", 1, CHEAP), key);
        assert_ne!(derive(b"a", 2, CHEAP), key);
        assert_ne!(derive(b"a", 1, KeyCost { passes: 2, ..CHEAP }), key);
    }

    /// The expected octets are those of the reference implementation in C:
    /// `echo -n password | argon2 somesalt12345678 -id -t 2 -k 1024 -p 1 -l 64 -r`.
    #[test]
    fn agrees_with_the_reference_implementation() {
        let cost = KeyCost {
            memory_kib: 1024,
            passes: 2,
            lanes: 1,
        };
        let salt = *b"somesalt12345678";
        let source = KeySource { cost, salt };
        let key = DerivedKey::derive(&b"password".to_vec().into(), &source).unwrap();
        let hexadecimal = |octets: &[u8]| -> String {
            octets.iter().map(|octet| format!("{octet:02x}")).collect()
        };
        assert_eq!(hexadecimal(key.encryption.expose()), REFERENCE_HALVES[0]);
        assert_eq!(hexadecimal(&key.check), REFERENCE_HALVES[1]);
    }

    const REFERENCE_HALVES: [&str; 2] = [
        "49e5f83e82de37c12dbb28918402d55229a9c3ea5c0a3fa571effd300ffc1864",
        "af822dc986a2f97a014df5947bb5dbb66053f3fc4b333494972554b228557d76",
    ];
}
