//! What nobody can do without: the AEAD itself, and the steps of a chain.

use std::hint::black_box;

use hmac::{Hmac, KeyInit as _, Mac as _};
use ring::aead::{AES_256_GCM, Aad, Algorithm, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use sha2::Sha256;
use sha2::block_api::compress256;

/// Bytes of additional data, as many as a record's header has.
const AAD: [u8; 13] = [0x10; 13];

/// Bytes of a tag.
pub const TAG: usize = 16;

/// The AEADs of the suites.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cipher {
    /// Suites 1 and 3.
    ChaChaPoly,
    /// Suites 2 and 4.
    AesGcm,
}

impl Cipher {
    /// Both.
    pub const ALL: [Self; 2] = [Self::ChaChaPoly, Self::AesGcm];

    /// The name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ChaChaPoly => "ChaCha20-Poly1305",
            Self::AesGcm => "AES-256-GCM",
        }
    }

    fn algorithm(self) -> &'static Algorithm {
        match self {
            Self::ChaChaPoly => &CHACHA20_POLY1305,
            Self::AesGcm => &AES_256_GCM,
        }
    }

    /// A key of this cipher.
    ///
    /// # Panics
    /// Never: every 32 bytes are a key.
    pub fn key(self, key: &[u8; 32]) -> Bare {
        Bare(LessSafeKey::new(UnboundKey::new(self.algorithm(), key).expect("a key of 32 bytes")))
    }
}

/// A key that seals and opens, with the backend that a session uses.
#[derive(Debug)]
pub struct Bare(LessSafeKey);

impl Bare {
    /// Seals all of `buffer` but its last 16 bytes in place; those take the tag.
    ///
    /// # Panics
    /// If the buffer is shorter than a tag.
    pub fn seal(&self, number: u64, buffer: &mut [u8]) {
        let (plaintext, tag) = buffer.split_last_chunk_mut::<TAG>().expect("room for a tag");
        let sealed = self.0.seal_in_place_separate_tag(nonce(number), Aad::from(AAD), plaintext);
        tag.copy_from_slice(sealed.expect("a short message").as_ref());
    }

    /// Opens in place; returns the length of the plaintext.
    ///
    /// # Panics
    /// If it was not sealed so.
    pub fn open(&self, number: u64, buffer: &mut [u8]) -> usize {
        self.0.open_in_place(nonce(number), Aad::from(AAD), buffer).expect("what was sealed").len()
    }
}

fn nonce(number: u64) -> Nonce {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&number.to_be_bytes());
    Nonce::assume_unique_for_key(nonce)
}

/// One step of the chain of each end: a message key and the next chain key, with the key block shared.
pub fn chain_step(chain: &mut [u8; 32]) -> [u8; 32] {
    let keyed = <Hmac<Sha256>>::new_from_slice(black_box(&*chain)).expect("HMAC takes any key length");
    let output = |input: u8| -> [u8; 32] {
        let mut hmac = keyed.clone();
        hmac.update(&[input]);
        hmac.finalize().into_bytes().into()
    };
    let key = output(1);
    *chain = output(2);
    key
}

/// The same, as a session does it: nothing but the compression function, six times.
pub fn lean_chain_step(chain: &mut [u8; 32]) -> [u8; 32] {
    const INITIAL: [u32; 8] = [
        0x6a09_e667,
        0xbb67_ae85,
        0x3c6e_f372,
        0xa54f_f53a,
        0x510e_527f,
        0x9b05_688c,
        0x1f83_d9ab,
        0x5be0_cd19,
    ];
    let [inner, outer] = [0x36, 0x5c].map(|pad| {
        let mut block = [pad; 64];
        block.iter_mut().zip(black_box(&*chain)).for_each(|(byte, key)| *byte ^= key);
        let mut state = INITIAL;
        compress256(&mut state, &[block]);
        state
    });
    let end = |mut state: [u32; 8], message: &[u8]| {
        let mut block = [0; 64];
        block[..message.len()].copy_from_slice(message);
        block[message.len()] = 0x80;
        block[56..].copy_from_slice(&((64 + message.len() as u64) * 8).to_be_bytes());
        compress256(&mut state, &[block]);
        let mut digest = [0; 32];
        digest.as_chunks_mut().0.iter_mut().zip(state).for_each(|(to, word)| *to = word.to_be_bytes());
        digest
    };
    let output = |input: u8| end(outer, &end(inner, &[input]));
    let key = output(1);
    *chain = output(2);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_under_the_same_number_only() {
        for cipher in Cipher::ALL {
            let key = cipher.key(&[7; 32]);
            let mut buffer = [3; 64 + TAG];
            key.seal(5, &mut buffer);
            assert_ne!(buffer[..64], [3; 64]);
            let mut other = buffer;
            assert_eq!(key.open(5, &mut buffer), 64);
            assert_eq!(buffer[..64], [3; 64]);
            assert!(std::panic::catch_unwind(move || key.open(6, &mut other)).is_err());
        }
    }

    #[test]
    fn a_chain_never_gives_the_same_key_twice() {
        let mut chain = [1; 32];
        let (first, second) = (chain_step(&mut chain), chain_step(&mut chain));
        assert_ne!(first, second);
        assert_ne!(second, chain);
        let (mut one, mut other) = ([1; 32], [1; 32]);
        assert_eq!(chain_step(&mut one), lean_chain_step(&mut other));
        assert_eq!(one, other);
    }
}
