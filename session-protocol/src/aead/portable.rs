//! The portable backend: pure Rust.

use chacha20poly1305::{
    ChaCha20Poly1305, KeyInit,
    aead::{AeadInOut, inout::InOutBuf},
};

use super::{Aead, AeadError, TAG_LEN};

/// RustCrypto's ChaCha20-Poly1305.
pub(crate) struct Portable;

impl Aead for Portable {
    fn seal(
        key: &[u8; 32],
        nonce: &[u8; 12],
        aad: &[u8],
        buffer: &mut [u8],
    ) -> Result<[u8; TAG_LEN], AeadError> {
        ChaCha20Poly1305::new(key.into())
            .encrypt_inout_detached(nonce.into(), aad, InOutBuf::from(buffer))
            .map(Into::into)
            .map_err(|_| AeadError)
    }

    fn open(key: &[u8; 32], nonce: &[u8; 12], aad: &[u8], buffer: &mut [u8]) -> Result<usize, AeadError> {
        let (ciphertext, tag) = buffer.split_last_chunk_mut::<TAG_LEN>().ok_or(AeadError)?;
        ChaCha20Poly1305::new(key.into())
            .decrypt_inout_detached(nonce.into(), aad, InOutBuf::from(&mut *ciphertext), (&*tag).into())
            .map_err(|_| AeadError)?;
        Ok(ciphertext.len())
    }
}
