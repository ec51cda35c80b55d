//! The portable backend: pure Rust.

use aes_gcm::Aes256Gcm;
use chacha20poly1305::{
    ChaCha20Poly1305, KeyInit,
    aead::{
        AeadInOut,
        array::typenum::{U12, U16},
        inout::InOutBuf,
    },
};

use super::{Aead, AeadError, Cipher, TAG_LEN};

/// RustCrypto's ChaCha20-Poly1305 and AES-256-GCM.
pub(crate) struct Portable;

impl Aead for Portable {
    fn seal(
        cipher: Cipher,
        key: &[u8; 32],
        nonce: &[u8; 12],
        aad: &[u8],
        buffer: &mut [u8],
    ) -> Result<[u8; TAG_LEN], AeadError> {
        match cipher {
            Cipher::ChaChaPoly => seal(&ChaCha20Poly1305::new(key.into()), nonce, aad, buffer),
            Cipher::AesGcm => seal(&Aes256Gcm::new(key.into()), nonce, aad, buffer),
        }
    }

    fn open(
        cipher: Cipher,
        key: &[u8; 32],
        nonce: &[u8; 12],
        aad: &[u8],
        buffer: &mut [u8],
    ) -> Result<usize, AeadError> {
        match cipher {
            Cipher::ChaChaPoly => open(&ChaCha20Poly1305::new(key.into()), nonce, aad, buffer),
            Cipher::AesGcm => open(&Aes256Gcm::new(key.into()), nonce, aad, buffer),
        }
    }
}

fn seal(
    aead: &impl AeadInOut<NonceSize = U12, TagSize = U16>,
    nonce: &[u8; 12],
    aad: &[u8],
    buffer: &mut [u8],
) -> Result<[u8; TAG_LEN], AeadError> {
    aead.encrypt_inout_detached(nonce.into(), aad, InOutBuf::from(buffer))
        .map(Into::into)
        .map_err(|_| AeadError)
}

fn open(
    aead: &impl AeadInOut<NonceSize = U12, TagSize = U16>,
    nonce: &[u8; 12],
    aad: &[u8],
    buffer: &mut [u8],
) -> Result<usize, AeadError> {
    let (ciphertext, tag) = buffer.split_last_chunk_mut::<TAG_LEN>().ok_or(AeadError)?;
    aead.decrypt_inout_detached(nonce.into(), aad, InOutBuf::from(&mut *ciphertext), (&*tag).into())
        .map_err(|_| AeadError)?;
    Ok(ciphertext.len())
}
