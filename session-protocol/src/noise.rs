//! Noise's SymmetricState for SHA-256 and either cipher (Noise revision 34, section 5.2). Specification:
//! `spec/handshake.md`, section 3.
//!
//! There is no CipherState: in the patterns used here each key encrypts once, so a key is consumed by its use and its nonce is
//! always 0, which both ciphers write as twelve zero bytes. No Noise transport message exists.

use hkdf::Hkdf;
use sha2::{Digest, Sha256};
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

use crate::{
    Suite,
    aead::{Aead, Portable, TAG_LEN},
    labels,
    secret::secret,
};

secret! {
    /// `ck`: Noise's chaining key.
    ChainingKey
}

secret! {
    /// `k`: the key of what is encrypted next.
    PayloadKey
}

secret! {
    /// `k1` or `k2` of Noise's Split; input of the key schedule and of nothing else.
    SplitKey
}

/// Noise's `ck`, `h` and `k`.
pub(crate) struct SymmetricState {
    suite: Suite,
    chaining_key: ChainingKey,
    hash: [u8; 32],
    payload_key: Option<PayloadKey>,
}

impl SymmetricState {
    /// InitializeSymmetric, then MixHash of the prologue.
    pub(crate) fn new(suite: Suite, prologue: &[u8]) -> Self {
        let hash = first_hash(suite.noise_name());
        let chaining_key = ChainingKey::take(&mut hash.clone());
        let mut state = Self { suite, chaining_key, hash, payload_key: None };
        if crate::NULL_CIPHER {
            state.mix_hash(&Zeroizing::new([prologue, labels::NULL_CIPHER].concat()));
        } else {
            state.mix_hash(prologue);
        }
        state
    }

    /// The suite whose name the transcript begins with.
    pub(crate) fn suite(&self) -> Suite {
        self.suite
    }

    /// A copy to try a message on, so that a message that fails leaves the original as it was.
    pub(crate) fn fork(&self) -> Self {
        Self {
            suite: self.suite,
            chaining_key: ChainingKey::take(&mut self.chaining_key.expose().clone()),
            hash: self.hash,
            payload_key: self.payload_key.as_ref().map(|key| PayloadKey::take(&mut key.expose().clone())),
        }
    }

    /// MixHash.
    pub(crate) fn mix_hash(&mut self, data: &[u8]) {
        self.hash = Sha256::new().chain_update(self.hash).chain_update(data).finalize().into();
    }

    /// MixKey.
    pub(crate) fn mix_key(&mut self, input: &[u8; 32]) {
        let (mut chaining_key, mut payload_key) = hkdf2(&self.chaining_key, input);
        self.chaining_key = ChainingKey::take(&mut chaining_key);
        self.payload_key = Some(PayloadKey::take(&mut payload_key));
    }

    /// EncryptAndHash; consumes the payload key.
    pub(crate) fn encrypt_and_hash(&mut self, plaintext: &[u8]) -> Result<Vec<u8>, NoiseError> {
        let key = self.payload_key.take().ok_or(NoiseError)?;
        let mut ciphertext = Vec::with_capacity(plaintext.len().saturating_add(TAG_LEN));
        ciphertext.extend_from_slice(plaintext);
        let tag = Portable::seal(self.suite.cipher(), key.expose(), &NONCE, &self.hash, &mut ciphertext)
            .map_err(|_| NoiseError)?;
        ciphertext.extend_from_slice(&tag);
        self.mix_hash(&ciphertext);
        Ok(ciphertext)
    }

    /// DecryptAndHash; consumes the payload key.
    pub(crate) fn decrypt_and_hash(&mut self, ciphertext: &[u8]) -> Result<Vec<u8>, NoiseError> {
        let key = self.payload_key.take().ok_or(NoiseError)?;
        let mut buffer = ciphertext.to_vec();
        let length = Portable::open(self.suite.cipher(), key.expose(), &NONCE, &self.hash, &mut buffer)
            .map_err(|_| NoiseError)?;
        buffer.truncate(length);
        self.mix_hash(ciphertext);
        Ok(buffer)
    }

    /// `h`, `ck` and `k`.
    #[cfg(all(test, not(feature = "null-cipher")))]
    pub(crate) fn values(&self) -> ([u8; 32], [u8; 32], Option<[u8; 32]>) {
        (self.hash, *self.chaining_key.expose(), self.payload_key.as_ref().map(|key| *key.expose()))
    }

    /// Split: ends the handshake and returns `h`, `k1`, `k2`. The chaining key is erased here.
    pub(crate) fn split(self) -> ([u8; 32], SplitKey, SplitKey) {
        let (mut k1, mut k2) = hkdf2(&self.chaining_key, &[]);
        (self.hash, SplitKey::take(&mut k1), SplitKey::take(&mut k2))
    }
}

/// Something that does not authenticate, a key of the peer's that is none, or a pattern that encrypts without a key.
#[derive(Debug, Error)]
#[error("handshake authentication failed")]
pub(crate) struct NoiseError;

/// Each payload key is used once, so the counter never leaves 0.
const NONCE: [u8; 12] = [0; 12];

/// What `h` and `ck` start from: the name, padded with zeros to 32 bytes, or its hash if it is longer.
fn first_hash(protocol_name: &str) -> [u8; 32] {
    let name = protocol_name.as_bytes();
    let mut hash = [0; 32];
    match hash.get_mut(..name.len()) {
        Some(start) => start.copy_from_slice(name),
        None => hash = Sha256::digest(name).into(),
    }
    hash
}

/// Noise's `HKDF(chaining_key, input, 2)`, which is RFC 5869 with an empty info.
fn hkdf2(chaining_key: &ChainingKey, input: &[u8]) -> ([u8; 32], [u8; 32]) {
    let (mut prk, hkdf) = Hkdf::<Sha256>::extract(Some(chaining_key.expose()), input);
    prk.as_mut_slice().zeroize();
    let mut both = Zeroizing::new([0; 64]);
    #[expect(clippy::expect_used, reason = "64 bytes are below the 8160 that HKDF-SHA256 can give")]
    hkdf.expand(&[], both.as_mut_slice()).expect("64 is a valid length");
    let (mut first, mut second) = ([0; 32], [0; 32]);
    let (low, high) = both.split_at(32);
    first.copy_from_slice(low);
    second.copy_from_slice(high);
    (first, second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_key_is_used_once() {
        let mut state = SymmetricState::new(Suite::KkAesGcm, b"");
        assert!(state.encrypt_and_hash(b"").is_err());
        state.mix_key(&[1; 32]);
        assert!(state.encrypt_and_hash(b"payload").is_ok());
        assert!(state.encrypt_and_hash(b"payload").is_err());
    }

    #[test]
    fn a_fork_is_independent() {
        let mut state = SymmetricState::new(Suite::KkAesGcm, b"");
        state.mix_key(&[1; 32]);
        let before = (state.hash, *state.chaining_key.expose());
        let mut fork = state.fork();
        fork.mix_key(&[2; 32]);
        assert!(fork.decrypt_and_hash(&[0; 40]).is_err());
        assert_eq!((state.hash, *state.chaining_key.expose()), before);
        assert!(state.payload_key.is_some());
    }

    #[test]
    fn long_protocol_names_are_hashed() {
        let name = "a".repeat(33);
        assert_eq!(first_hash(&name), <[u8; 32]>::from(Sha256::digest(&name)));
        assert_eq!(&first_hash(&name[..32]), b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
        assert_eq!(first_hash("ab")[..3], *b"ab\0");
    }
}
