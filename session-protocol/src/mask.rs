//! The header mask. Specification: `spec/session.md`, section 4.
//!
//! The relay sees no sequence number, epoch or flag: 12 bytes of each header are XORed with ChaCha20 output under a key that
//! only the two ends have, at a position that the record's own tag chooses.

use chacha20::{
    ChaChaCore, KeyIvInit, R20,
    cipher::{Block, StreamCipherCore},
    variants::Ietf,
};
use zeroize::Zeroize;

use crate::{aead::TAG_LEN, secret::secret};

/// Bytes of a header that are masked.
pub(crate) const MASKED_LEN: usize = 12;

type ChaCha20Block = ChaChaCore<R20, Ietf>;

secret! {
    /// `hp`: masks the headers of one direction for the life of the session.
    HeaderKey
}

impl HeaderKey {
    /// The first 12 bytes of `ChaCha20(hp, counter, nonce)`, where the tag is counter (4 bytes, little-endian) and nonce.
    ///
    /// The block function is called directly: a stream position would refuse the last counter value.
    pub(crate) fn mask(&self, tag: &[u8; TAG_LEN]) -> [u8; MASKED_LEN] {
        let mut mask = [0; MASKED_LEN];
        if crate::NULL_CIPHER {
            return mask;
        }
        let [c0, c1, c2, c3, nonce @ ..] = tag;
        let mut core = ChaCha20Block::new(self.expose().into(), nonce.into());
        core.set_block_pos(u32::from_le_bytes([*c0, *c1, *c2, *c3]));
        let mut block = Block::<ChaCha20Block>::default();
        core.write_keystream_block(&mut block);
        mask.iter_mut().zip(block.iter()).for_each(|(to, from)| *to = *from);
        block.as_mut_slice().zeroize();
        mask
    }
}

#[cfg(all(test, not(feature = "null-cipher")))]
mod tests {
    use super::*;

    /// RFC 8439, section 2.3.2: key 00..1f, counter 1, nonce 00 00 00 09 00 00 00 4a 00 00 00 00.
    #[test]
    fn agrees_with_rfc_8439() {
        let mut key = [0; 32];
        (0..32).zip(key.iter_mut()).for_each(|(value, byte)| *byte = value);
        let tag = [1, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0x4a, 0, 0, 0, 0];
        let expected = [0x10, 0xf1, 0xe7, 0xe4, 0xd1, 0x3b, 0x59, 0x15, 0x50, 0x0f, 0xdd, 0x1f];
        assert_eq!(HeaderKey::take(&mut key).mask(&tag), expected);
    }

    /// RFC 9001, appendix A.5: the same construction, of which QUIC takes five bytes.
    #[test]
    fn agrees_with_rfc_9001() {
        let mut key = [
            0x25, 0xa2, 0x82, 0xb9, 0xe8, 0x2f, 0x06, 0xf2, 0x1f, 0x48, 0x89, 0x17, 0xa4, 0xfc, 0x8f, 0x1b,
            0x73, 0x57, 0x36, 0x85, 0x60, 0x85, 0x97, 0xd0, 0xef, 0xcb, 0x07, 0x6b, 0x0a, 0xb7, 0xa7, 0xa4,
        ];
        let sample =
            [0x5e, 0x5c, 0xd5, 0x5c, 0x41, 0xf6, 0x90, 0x80, 0x57, 0x5d, 0x79, 0x99, 0xc2, 0x5a, 0x5b, 0xfb];
        assert_eq!(HeaderKey::take(&mut key).mask(&sample)[..5], [0xae, 0xfe, 0xfe, 0x7d, 0x03]);
    }

    #[test]
    fn every_counter_has_a_mask() {
        let key = HeaderKey::take(&mut [5; 32]);
        let last = key.mask(&[0xff; TAG_LEN]);
        assert_ne!(last, [0; MASKED_LEN]);
        assert_ne!(last, key.mask(&[0xfe; TAG_LEN]));
    }
}
