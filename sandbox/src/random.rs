//! Random identifiers, codes, lifetimes and fault dice, all from one generator that a seed makes repeatable.
//! Nothing here is a secret in earnest: the sandbox protects no one's mail.

use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::sync::lock;

/// The generator; clones draw from the same sequence.
#[derive(Clone, Debug)]
pub(crate) struct Random {
    generator: Arc<Mutex<fastrand::Rng>>,
}

impl Random {
    /// The same seed gives the same sequence; without one every sandbox differs.
    pub(crate) fn new(seed: Option<u64>) -> Self {
        let generator = seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
        Self {
            generator: Arc::new(Mutex::new(generator)),
        }
    }

    /// A version 4 GUID in Microsoft's lower-case form.
    pub(crate) fn guid(&self) -> String {
        let bits = lock(&self.generator).u128(..);
        let bits = (bits & !(0xf << 76)) | 0x4 << 76;
        let bits = (bits & !(0b11 << 62)) | 0b10 << 62;
        format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            bits >> 96,
            bits >> 80 & 0xffff,
            bits >> 64 & 0xffff,
            bits >> 48 & 0xffff,
            bits & 0xffff_ffff_ffff
        )
    }

    /// `bytes` random bytes in unpadded base64url.
    pub(crate) fn base64url(&self, bytes: usize) -> String {
        let mut raw = vec![0; bytes];
        lock(&self.generator).fill(&mut raw);
        URL_SAFE_NO_PAD.encode(raw)
    }

    /// `length` characters of `alphabet`, which is ASCII.
    pub(crate) fn text(&self, length: usize, alphabet: &[u8]) -> String {
        let mut generator = lock(&self.generator);
        let draw = |_| {
            generator
                .choice(alphabet)
                .map_or('x', |byte| char::from(*byte))
        };
        (0..length).map(draw).collect()
    }

    /// `length` upper-case hexadecimal digits, as in Exchange's session ids.
    pub(crate) fn hex(&self, length: usize) -> String {
        self.text(length, b"0123456789ABCDEF")
    }

    /// A number of `range`.
    pub(crate) fn number(&self, range: std::ops::RangeInclusive<i64>) -> i64 {
        lock(&self.generator).i64(range)
    }

    /// True with this probability, 0 to 1.
    pub(crate) fn chance(&self, probability: f64) -> bool {
        lock(&self.generator).f64() < probability
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guids_are_version_4() {
        let random = Random::new(Some(7));
        for _ in 0..100 {
            let guid = random.guid();
            let parts: Vec<&str> = guid.split('-').collect();
            assert_eq!(
                parts.iter().map(|part| part.len()).collect::<Vec<_>>(),
                [8, 4, 4, 4, 12],
                "{guid}"
            );
            assert!(
                parts.get(2).is_some_and(|part| part.starts_with('4')),
                "{guid}"
            );
            assert!(
                parts
                    .get(3)
                    .is_some_and(|part| part.starts_with(['8', '9', 'a', 'b'])),
                "{guid}"
            );
        }
    }

    #[test]
    fn one_seed_gives_one_sequence() {
        let draw = |seed| Random::new(Some(seed)).base64url(32);
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }
}
