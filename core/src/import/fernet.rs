//! Fernet (<https://github.com/fernet/spec>): how email-oauth2-proxy seals tokens with the mail client's password.

use aes::Aes128;
use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt as _, KeyIvInit as _};
use ring::{hmac, pbkdf2};
use std::num::NonZeroU32;
use zeroize::Zeroizing;

/// A key made from a password.
pub(super) struct Key(Zeroizing<[u8; 32]>);

/// More would keep the processor busy for minutes; email-oauth2-proxy takes a million.
pub(super) const MOST_ITERATIONS: u32 = 10_000_000;

impl Key {
    /// PBKDF2 with HMAC-SHA-256.
    pub(super) fn new(password: &str, salt: &[u8], iterations: NonZeroU32) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        pbkdf2::derive(
            pbkdf2::PBKDF2_HMAC_SHA256,
            iterations,
            salt,
            password.as_bytes(),
            &mut *key,
        );
        Self(key)
    }

    /// Opens a token; none if it is not one, or not sealed with this key.
    pub(super) fn open(&self, token: &str) -> Option<Zeroizing<Vec<u8>>> {
        let (signing, encryption) = self.0.split_at(16);
        let octets = BASE64.decode(token.trim()).ok()?;
        let signed = octets.len().checked_sub(32)?;
        let (message, tag) = octets.split_at(signed);
        let (head, ciphertext) = message.split_at_checked(HEAD)?;
        if head.first() != Some(&VERSION) {
            return None;
        }
        hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, signing), message, tag).ok()?;
        let iv = head.get(HEAD - 16..)?;
        let decryptor = cbc::Decryptor::<Aes128>::new_from_slices(encryption, iv).ok()?;
        let opened = decryptor.decrypt_padded_vec::<Pkcs7>(ciphertext);
        opened.ok().map(Zeroizing::new)
    }
}

/// Version, time in seconds, and initialisation vector.
const HEAD: usize = 1 + 8 + 16;
const VERSION: u8 = 0x80;
/// Padded by most writers, and not by all.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

#[cfg(test)]
mod tests {
    use super::*;

    /// The specification's own example (generate.json, verify.json).
    const TOKEN: &str = "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==";
    const SECRET: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";

    fn key() -> Key {
        let octets = BASE64.decode(SECRET).unwrap();
        Key(Zeroizing::new(octets.try_into().unwrap()))
    }

    #[test]
    fn opens_the_specifications_example() {
        assert_eq!(key().open(TOKEN).unwrap().as_slice(), b"hello");
    }

    #[test]
    fn refuses_what_was_altered() {
        for place in 0..TOKEN.len() - 2 {
            let mut altered: Vec<char> = TOKEN.chars().collect();
            altered[place] = if altered[place] == 'A' { 'B' } else { 'A' };
            let altered: String = altered.into_iter().collect();
            assert!(key().open(&altered).is_none(), "{place}");
        }
        for cut in ["", "gAAA", "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0O", "%%"] {
            assert!(key().open(cut).is_none(), "{cut}");
        }
        let other = Key::new("password", b"salt", NonZeroU32::MIN);
        assert!(other.open(TOKEN).is_none());
    }
}
