//! ChaCha20-Poly1305 (RFC 8439) behind one small trait. Specification: `spec/session.md`, section 5.
//!
//! [`Portable`] is always compiled: it does the handshake, and in builds without `ring` the records. [`Ring`] seals records
//! where the cargo feature `ring` is on. Which one seals records is the alias [`RecordAead`].
//!
//! What a backend leaves in memory: `Portable` erases its key copy and its cipher state; `ring` does not erase its expanded
//! key, which lives on the stack for one call and belongs to one record.

#[cfg(feature = "null-cipher")]
mod null;
mod portable;
#[cfg(all(feature = "ring", any(test, not(feature = "null-cipher"))))]
mod ring;

use thiserror::Error;

pub(crate) use portable::Portable;

#[cfg(feature = "null-cipher")]
pub(crate) use null::Null as RecordAead;
#[cfg(all(not(feature = "null-cipher"), not(feature = "ring")))]
pub(crate) use portable::Portable as RecordAead;
#[cfg(all(not(feature = "null-cipher"), feature = "ring"))]
pub(crate) use ring::Ring as RecordAead;

/// Bytes of an authentication tag.
pub(crate) const TAG_LEN: usize = 16;

/// Seals and opens one buffer under a key that is used for this one message.
pub(crate) trait Aead {
    /// Encrypts `buffer` in place and returns the tag.
    fn seal(
        key: &[u8; 32],
        nonce: &[u8; 12],
        aad: &[u8],
        buffer: &mut [u8],
    ) -> Result<[u8; TAG_LEN], AeadError>;

    /// Decrypts `buffer`, which ends with the tag, in place and returns the length of the plaintext at its start.
    fn open(key: &[u8; 32], nonce: &[u8; 12], aad: &[u8], buffer: &mut [u8]) -> Result<usize, AeadError>;
}

/// A failed call. Opaque: nothing tells a wrong key from a wrong tag.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("authentication failed")]
pub(crate) struct AeadError;

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8439, section 2.8.2.
    fn rfc_8439_section_2_8_2<A: Aead>() {
        let mut key = [0; 32];
        (0x80..0xa0).zip(key.iter_mut()).for_each(|(value, byte)| *byte = value);
        let nonce = [7, 0, 0, 0, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47];
        let aad = [0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7];
        let plaintext =
            b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the \
                          future, sunscreen would be it.";
        let expected_start =
            [0xd3, 0x1a, 0x8d, 0x34, 0x64, 0x8e, 0x60, 0xdb, 0x7b, 0x86, 0xaf, 0xbc, 0x53, 0xef, 0x7e, 0xc2];
        let expected_tag =
            [0x1a, 0xe1, 0x0b, 0x59, 0x4f, 0x09, 0xe2, 0x6a, 0x7e, 0x90, 0x2e, 0xcb, 0xd0, 0x60, 0x06, 0x91];

        let mut buffer = plaintext.to_vec();
        let tag = A::seal(&key, &nonce, &aad, &mut buffer).unwrap();
        assert_eq!(buffer[..16], expected_start);
        assert_eq!(tag, expected_tag);

        buffer.extend_from_slice(&tag);
        let mut opened = buffer.clone();
        let length = A::open(&key, &nonce, &aad, &mut opened).unwrap();
        assert_eq!(opened[..length], plaintext[..]);

        for index in 0..buffer.len() {
            let mut tampered = buffer.clone();
            tampered[index] ^= 1;
            assert_eq!(A::open(&key, &nonce, &aad, &mut tampered), Err(AeadError));
            assert_eq!(A::open(&key, &nonce, &aad, &mut buffer[..index].to_vec()), Err(AeadError));
        }
        assert_eq!(A::open(&key, &nonce, &aad[1..], &mut buffer), Err(AeadError));
    }

    #[test]
    fn portable_agrees_with_rfc_8439() {
        rfc_8439_section_2_8_2::<Portable>();
    }

    #[cfg(feature = "ring")]
    #[test]
    fn ring_agrees_with_rfc_8439() {
        rfc_8439_section_2_8_2::<super::ring::Ring>();
    }

    #[cfg(feature = "ring")]
    proptest::proptest! {
        #[test]
        fn backends_agree(
            key: [u8; 32],
            nonce: [u8; 12],
            aad in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..40),
            plaintext in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..600),
        ) {
            let (mut a, mut b) = (plaintext.clone(), plaintext.clone());
            let tag = Portable::seal(&key, &nonce, &aad, &mut a).unwrap();
            proptest::prop_assert_eq!(super::ring::Ring::seal(&key, &nonce, &aad, &mut b), Ok(tag));
            proptest::prop_assert_eq!(&a, &b);
            a.extend_from_slice(&tag);
            let length = super::ring::Ring::open(&key, &nonce, &aad, &mut a).unwrap();
            proptest::prop_assert_eq!(&a[..length], &plaintext[..]);
        }
    }
}
