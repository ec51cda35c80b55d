//! The fast backend: BoringSSL's assembly through `ring`.

use ring::aead::{AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};

use super::{Aead, AeadError, Cipher, TAG_LEN};

/// `ring`'s ChaCha20-Poly1305 and AES-256-GCM.
pub(crate) struct Ring;

impl Aead for Ring {
    fn seal(
        cipher: Cipher,
        key: &[u8; 32],
        nonce: &[u8; 12],
        aad: &[u8],
        buffer: &mut [u8],
    ) -> Result<[u8; TAG_LEN], AeadError> {
        let tag = less_safe(cipher, key)?
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(*nonce), Aad::from(aad), buffer)
            .map_err(|_| AeadError)?;
        tag.as_ref().try_into().map_err(|_| AeadError)
    }

    fn open(
        cipher: Cipher,
        key: &[u8; 32],
        nonce: &[u8; 12],
        aad: &[u8],
        buffer: &mut [u8],
    ) -> Result<usize, AeadError> {
        less_safe(cipher, key)?
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(aad), buffer)
            .map(|plaintext| plaintext.len())
            .map_err(|_| AeadError)
    }
}

fn less_safe(cipher: Cipher, key: &[u8; 32]) -> Result<LessSafeKey, AeadError> {
    let algorithm = match cipher {
        Cipher::ChaChaPoly => &CHACHA20_POLY1305,
        Cipher::AesGcm => &AES_256_GCM,
    };
    UnboundKey::new(algorithm, key).map(LessSafeKey::new).map_err(|_| AeadError)
}
