//! No protection at all: plaintext and a zero tag. Only for showing that the capture test can fail; see
//! [`NULL_CIPHER`](crate::NULL_CIPHER).

use super::{Aead, AeadError, Cipher, TAG_LEN};

/// The cipher that is none.
pub(crate) struct Null;

impl Aead for Null {
    fn seal(
        _: Cipher,
        _: &[u8; 32],
        _: &[u8; 12],
        _: &[u8],
        _: &mut [u8],
    ) -> Result<[u8; TAG_LEN], AeadError> {
        Ok([0; TAG_LEN])
    }

    fn open(_: Cipher, _: &[u8; 32], _: &[u8; 12], _: &[u8], buffer: &mut [u8]) -> Result<usize, AeadError> {
        match buffer.split_last_chunk::<TAG_LEN>() {
            Some((plaintext, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])) => Ok(plaintext.len()),
            _ => Err(AeadError),
        }
    }
}
