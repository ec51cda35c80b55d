//! The two AEADs, ChaCha20-Poly1305 (RFC 8439) and AES-256-GCM (NIST SP 800-38D), behind one small trait. Specification:
//! `spec/session.md`, section 5.
//!
//! [`Portable`] is always compiled: it does the handshake, and in builds without `ring` the records. [`Ring`] seals records
//! where the cargo feature `ring` is on. Which one seals records is the alias [`RecordAead`]; which cipher, the suite says,
//! and each call matches on it once.
//!
//! What a backend leaves in memory: `Portable` erases its key copy and its cipher state; `ring` does not erase its expanded
//! key, which lives on the stack for one call and belongs to one record.

#[cfg(feature = "null-cipher")]
mod null;
mod portable;
#[cfg(all(feature = "ring", any(test, not(feature = "null-cipher"))))]
mod ring;
#[cfg(test)]
mod tests;

use thiserror::Error;

pub(crate) use portable::Portable;

#[cfg(feature = "null-cipher")]
pub(crate) use null::Null as RecordAead;
#[cfg(all(not(feature = "null-cipher"), not(feature = "ring")))]
pub(crate) use portable::Portable as RecordAead;
#[cfg(all(not(feature = "null-cipher"), feature = "ring"))]
pub(crate) use ring::Ring as RecordAead;

/// Bytes of an authentication tag, in both ciphers.
pub(crate) const TAG_LEN: usize = 16;

/// Which AEAD a suite uses. Keys have 32 bytes and nonces 12 in both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cipher {
    /// ChaCha20-Poly1305.
    ChaChaPoly,
    /// AES-256-GCM.
    AesGcm,
}

/// Seals and opens one buffer under a key that is used for this one message.
pub(crate) trait Aead {
    /// Encrypts `buffer` in place and returns the tag.
    fn seal(
        cipher: Cipher,
        key: &[u8; 32],
        nonce: &[u8; 12],
        aad: &[u8],
        buffer: &mut [u8],
    ) -> Result<[u8; TAG_LEN], AeadError>;

    /// Decrypts `buffer`, which ends with the tag, in place and returns the length of the plaintext at its start.
    fn open(
        cipher: Cipher,
        key: &[u8; 32],
        nonce: &[u8; 12],
        aad: &[u8],
        buffer: &mut [u8],
    ) -> Result<usize, AeadError>;
}

/// A failed call. Opaque: nothing tells a wrong key from a wrong tag.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("authentication failed")]
pub(crate) struct AeadError;
