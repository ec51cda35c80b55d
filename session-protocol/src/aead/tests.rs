//! Each backend against published vectors, and the backends against each other.

use super::*;
use crate::testing::hex;

/// Seals and opens the example in place; each changed byte and each truncation is refused.
fn agrees<A: Aead>(
    cipher: Cipher,
    key: [u8; 32],
    nonce: [u8; 12],
    aad: &[u8],
    plaintext: &[u8],
    sealed: &[u8],
) {
    let mut buffer = plaintext.to_vec();
    let tag = A::seal(cipher, &key, &nonce, aad, &mut buffer).unwrap();
    buffer.extend_from_slice(&tag);
    assert_eq!(buffer, sealed);

    let mut opened = buffer.clone();
    let length = A::open(cipher, &key, &nonce, aad, &mut opened).unwrap();
    assert_eq!(opened[..length], *plaintext);

    for index in 0..buffer.len() {
        let mut tampered = buffer.clone();
        tampered[index] ^= 1;
        assert_eq!(A::open(cipher, &key, &nonce, aad, &mut tampered), Err(AeadError));
        assert_eq!(A::open(cipher, &key, &nonce, aad, &mut buffer[..index].to_vec()), Err(AeadError));
    }
    assert_eq!(A::open(cipher, &key, &nonce, &aad[1..], &mut buffer.clone()), Err(AeadError));
    let other = if cipher == Cipher::AesGcm { Cipher::ChaChaPoly } else { Cipher::AesGcm };
    assert_eq!(A::open(other, &key, &nonce, aad, &mut buffer), Err(AeadError));
}

/// RFC 8439, section 2.8.2.
fn rfc_8439_section_2_8_2<A: Aead>() {
    let mut key = [0; 32];
    (0x80..0xa0).zip(key.iter_mut()).for_each(|(value, byte)| *byte = value);
    let nonce = [7, 0, 0, 0, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47];
    let plaintext = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the \
                      future, sunscreen would be it.";
    let sealed = "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b\
                  1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc\
                  3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691";
    let aad = hex("50515253c0c1c2c3c4c5c6c7");
    agrees::<A>(Cipher::ChaChaPoly, key, nonce, &aad, plaintext, &hex(sealed));
}

/// Test case 16 of McGrew and Viega, "The Galois/Counter Mode of Operation", appendix B.
fn gcm_test_case_16<A: Aead>() {
    let key = hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308").try_into().unwrap();
    let nonce = hex("cafebabefacedbaddecaf888").try_into().unwrap();
    let aad = hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
    let plaintext = hex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72\
                         1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39");
    let sealed = hex("522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa\
                      8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b");
    agrees::<A>(Cipher::AesGcm, key, nonce, &aad, &plaintext, &sealed);
}

#[test]
fn portable_agrees_with_published_vectors() {
    rfc_8439_section_2_8_2::<Portable>();
    gcm_test_case_16::<Portable>();
}

#[cfg(feature = "ring")]
#[test]
fn ring_agrees_with_published_vectors() {
    rfc_8439_section_2_8_2::<super::ring::Ring>();
    gcm_test_case_16::<super::ring::Ring>();
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
        for cipher in [Cipher::ChaChaPoly, Cipher::AesGcm] {
            let (mut a, mut b) = (plaintext.clone(), plaintext.clone());
            let tag = Portable::seal(cipher, &key, &nonce, &aad, &mut a).unwrap();
            proptest::prop_assert_eq!(super::ring::Ring::seal(cipher, &key, &nonce, &aad, &mut b), Ok(tag));
            proptest::prop_assert_eq!(&a, &b);
            a.extend_from_slice(&tag);
            let length = super::ring::Ring::open(cipher, &key, &nonce, &aad, &mut a).unwrap();
            proptest::prop_assert_eq!(&a[..length], &plaintext[..]);
        }
    }
}
