//! The header mask. Specification: `spec/session.md`, section 4.
//!
//! The relay sees no sequence number, epoch or flag: 12 bytes of each header are XORed with ChaCha20 or AES-256 output under
//! a key that only the two ends have, for an input that the record's own tag is.

use aes::{
    Aes256,
    cipher::{BlockCipherEncrypt, KeyInit},
};
use chacha20::{
    ChaChaCore, KeyIvInit, R20,
    cipher::{Block, StreamCipherCore},
    variants::Ietf,
};
use zeroize::Zeroize;

use crate::{
    aead::{Cipher, TAG_LEN},
    secret::secret,
};

/// Bytes of a header that are masked.
pub(crate) const MASKED_LEN: usize = 12;

type ChaCha20Block = ChaChaCore<R20, Ietf>;

secret! {
    /// `hp` where it is the key of ChaCha20, which has no schedule to prepare.
    ChaChaKey
}

/// `hp`: masks the headers of one direction for the life of the session. Prepared once: the AES key schedule would cost more
/// than the block.
pub(crate) struct HeaderKey(Prepared);

enum Prepared {
    ChaCha(ChaChaKey),
    /// Erases itself on drop; boxed, so that a move leaves no copy of the schedule.
    Aes(Box<Aes256>),
}

impl HeaderKey {
    /// Takes over the 32 bytes of `hp` for a suite with this cipher, and erases the source.
    pub(crate) fn take(cipher: Cipher, bytes: &mut [u8; 32]) -> Self {
        Self(match cipher {
            Cipher::ChaChaPoly => Prepared::ChaCha(ChaChaKey::take(bytes)),
            Cipher::AesGcm => {
                let aes = Box::new(Aes256::new((&*bytes).into()));
                bytes.zeroize();
                Prepared::Aes(aes)
            }
        })
    }

    /// The bytes of a key of ChaCha20.
    #[cfg(test)]
    pub(crate) fn expose(&self) -> &[u8; 32] {
        match &self.0 {
            Prepared::ChaCha(key) => key.expose(),
            Prepared::Aes(_) => panic!("an AES key is a schedule"),
        }
    }

    /// The mask for a record with this tag: the first 12 bytes of `ChaCha20(hp, counter, nonce)`, where the tag is counter
    /// (4 bytes, little-endian) and nonce, or of `AES-256(hp, tag)`.
    pub(crate) fn mask(&self, tag: &[u8; TAG_LEN]) -> [u8; MASKED_LEN] {
        if crate::NULL_CIPHER {
            return [0; MASKED_LEN];
        }
        match &self.0 {
            Prepared::ChaCha(key) => chacha20(key, tag),
            Prepared::Aes(aes) => {
                let mut block = (*tag).into();
                aes.encrypt_block(&mut block);
                first_bytes(&block)
            }
        }
    }
}

/// The block function is called directly: a stream position would refuse the last counter value.
fn chacha20(key: &ChaChaKey, tag: &[u8; TAG_LEN]) -> [u8; MASKED_LEN] {
    let [c0, c1, c2, c3, nonce @ ..] = tag;
    let mut core = ChaCha20Block::new(key.expose().into(), nonce.into());
    core.set_block_pos(u32::from_le_bytes([*c0, *c1, *c2, *c3]));
    let mut block = Block::<ChaCha20Block>::default();
    core.write_keystream_block(&mut block);
    let mask = first_bytes(&block);
    block = Block::<ChaCha20Block>::default();
    zeroize::optimization_barrier(&block);
    mask
}

fn first_bytes(block: &[u8]) -> [u8; MASKED_LEN] {
    let mut mask = [0; MASKED_LEN];
    mask.iter_mut().zip(block).for_each(|(to, from)| *to = *from);
    mask
}

impl zeroize::ZeroizeOnDrop for HeaderKey {}

impl std::fmt::Debug for HeaderKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HeaderKey").finish_non_exhaustive()
    }
}

#[cfg(all(test, not(feature = "null-cipher")))]
mod tests {
    use super::*;

    fn chacha(mut key: [u8; 32]) -> HeaderKey {
        HeaderKey::take(Cipher::ChaChaPoly, &mut key)
    }

    /// RFC 8439, section 2.3.2: key 00..1f, counter 1, nonce 00 00 00 09 00 00 00 4a 00 00 00 00.
    #[test]
    fn agrees_with_rfc_8439() {
        let mut key = [0; 32];
        (0..32).zip(key.iter_mut()).for_each(|(value, byte)| *byte = value);
        let tag = [1, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0x4a, 0, 0, 0, 0];
        let expected = [0x10, 0xf1, 0xe7, 0xe4, 0xd1, 0x3b, 0x59, 0x15, 0x50, 0x0f, 0xdd, 0x1f];
        assert_eq!(chacha(key).mask(&tag), expected);
    }

    /// RFC 9001, appendix A.5: the same construction, of which QUIC takes five bytes.
    #[test]
    fn agrees_with_rfc_9001() {
        let key = [
            0x25, 0xa2, 0x82, 0xb9, 0xe8, 0x2f, 0x06, 0xf2, 0x1f, 0x48, 0x89, 0x17, 0xa4, 0xfc, 0x8f, 0x1b,
            0x73, 0x57, 0x36, 0x85, 0x60, 0x85, 0x97, 0xd0, 0xef, 0xcb, 0x07, 0x6b, 0x0a, 0xb7, 0xa7, 0xa4,
        ];
        let sample =
            [0x5e, 0x5c, 0xd5, 0x5c, 0x41, 0xf6, 0x90, 0x80, 0x57, 0x5d, 0x79, 0x99, 0xc2, 0x5a, 0x5b, 0xfb];
        assert_eq!(chacha(key).mask(&sample)[..5], [0xae, 0xfe, 0xfe, 0x7d, 0x03]);
    }

    /// FIPS 197, appendix C.3. The mask of RFC 9001, section 5.4.3, is the same construction; its examples have short keys.
    #[test]
    fn agrees_with_fips_197() {
        let (mut key, mut tag) = ([0; 32], [0; 16]);
        (0..32).zip(key.iter_mut()).for_each(|(value, byte)| *byte = value);
        (0..16).zip(tag.iter_mut()).for_each(|(value, byte)| *byte = 0x11 * value);
        let mask = HeaderKey::take(Cipher::AesGcm, &mut key).mask(&tag);
        assert_eq!(mask, [0x8e, 0xa2, 0xb7, 0xca, 0x51, 0x67, 0x45, 0xbf, 0xea, 0xfc, 0x49, 0x90]);
        assert_eq!(key, [0; 32], "the source is erased");
    }

    #[cfg(feature = "ring")]
    proptest::proptest! {
        /// QUIC's masks of another implementation: five bytes of the same construction.
        #[test]
        fn agrees_with_quic(key: [u8; 32], tag: [u8; 16]) {
            use ring::aead::quic::{AES_256, CHACHA20, HeaderProtectionKey};
            for (cipher, theirs) in [(Cipher::ChaChaPoly, &CHACHA20), (Cipher::AesGcm, &AES_256)] {
                let theirs = HeaderProtectionKey::new(theirs, &key).unwrap().new_mask(&tag).unwrap();
                let ours = HeaderKey::take(cipher, &mut key.clone()).mask(&tag);
                proptest::prop_assert_eq!(&ours[..5], &theirs[..]);
            }
        }
    }

    #[test]
    fn every_counter_has_a_mask() {
        let key = chacha([5; 32]);
        let last = key.mask(&[0xff; TAG_LEN]);
        assert_ne!(last, [0; MASKED_LEN]);
        assert_ne!(last, key.mask(&[0xfe; TAG_LEN]));
    }

    #[test]
    fn debug_shows_no_byte_and_the_schedule_is_erased() {
        fn erases<T: zeroize::ZeroizeOnDrop>() {}
        erases::<ChaChaKey>();
        erases::<Aes256>();
        assert_eq!(format!("{:?}", chacha([5; 32])), "HeaderKey { .. }");
    }
}
