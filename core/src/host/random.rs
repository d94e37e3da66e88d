//! Randomness for ids, nonces and keys. Secure by default; seeded in tests that need to be repeatable.

use crate::error::{Error, Result};
use crate::model::ProblemKind;
use std::fmt::{Debug, Write as _};
use std::sync::Mutex;

/// Where random octets come from.
pub trait Random: Send + Sync + Debug {
    /// Fills a buffer with random octets. Fails (`Internal`) when the machine has none to give.
    fn fill(&self, buffer: &mut [u8]) -> Result<()>;
}

/// The operating system's secure generator.
#[derive(Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, buffer: &mut [u8]) -> Result<()> {
        let generator = ring::rand::SystemRandom::new();
        ring::rand::SecureRandom::fill(&generator, buffer).map_err(|_| {
            Error::new(
                ProblemKind::Internal,
                "randomness-unavailable",
                "the operating system has no randomness to give",
                "check that /dev/urandom or getrandom(2) is available to this process",
            )
        })
    }
}

/// A repeatable generator (SplitMix64) for tests. Not secure.
#[derive(Debug)]
pub struct SeededRandom(Mutex<u64>);

impl SeededRandom {
    /// A generator that gives the same octets for the same seed.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }
}

impl Random for SeededRandom {
    fn fill(&self, buffer: &mut [u8]) -> Result<()> {
        let mut state = self.0.lock().unwrap_or_else(|e| e.into_inner());
        for octet in buffer {
            *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut mixed = *state;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            *octet = (mixed >> 56) as u8;
        }
        Ok(())
    }
}

/// A random lower-case hexadecimal text of 128 bits.
pub(crate) fn token(random: &dyn Random) -> Result<String> {
    let mut octets = [0_u8; 16];
    random.fill(&mut octets)?;
    let text = octets.iter().fold(String::new(), |mut text, octet| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{octet:02x}");
        text
    });
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeded_randomness_repeats_and_system_randomness_does_not() {
        let seeded = |seed| token(&SeededRandom::new(seed)).unwrap();
        assert_eq!(seeded(7), seeded(7));
        assert_ne!(seeded(7), seeded(8));
        assert_ne!(token(&SystemRandom).unwrap(), token(&SystemRandom).unwrap());
        assert_eq!(seeded(7).len(), 32);
    }
}
