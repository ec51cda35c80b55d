//! ML-KEM-768 against published answers and against `fips203`, another implementation.

use fips203::{
    ml_kem_768::{CipherText, EncapsKey, KG},
    traits::{Decaps as _, Encaps as _, KeyGen as _, SerDes as _},
};
use proptest::prelude::*;

use super::*;
use crate::testing::{Given, hex};

fn ours(d_and_z: [u8; 64]) -> DecapsulationKey {
    DecapsulationKey::generate(&mut Given::new(&d_and_z))
}

#[test]
fn agrees_with_published_answers() {
    let file: serde_json::Value =
        serde_json::from_str(include_str!("../../../spec/vectors/noise/ml-kem-768.json")).unwrap();
    let field = |part: &str, name: &str| hex(file[part][name].as_str().unwrap());
    let of_key = |name: &str| field("key_generation", name);
    let key = ours([of_key("d"), of_key("z")].concat().try_into().unwrap());
    assert!(key.public()[..] == of_key("encapsulation_key")[..]);

    let of_secret = |name: &str| field("encapsulation", name);
    let remote = EncapsulationKey::decode(&of_secret("encapsulation_key")).unwrap();
    let (ciphertext, shared) = remote.encapsulate(&mut Given::new(&of_secret("m")));
    assert!(ciphertext[..] == of_secret("ciphertext")[..]);
    assert_eq!(shared.expose()[..], of_secret("shared_secret")[..]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Key, ciphertext, secret, and the secret of a ciphertext that nobody made.
    #[test]
    fn agrees_with_another_implementation(
        d_and_z in prop::array::uniform32(any::<[u8; 2]>()),
        m: [u8; 32],
        at in 0..CIPHERTEXT_LEN,
        bit in 0..8_u32,
    ) {
        let seed: [u8; 64] = d_and_z.concat().try_into().unwrap();
        let (d, z) = (seed[..32].try_into().unwrap(), seed[32..].try_into().unwrap());
        let (key, (public, secret)) = (ours(seed), KG::keygen_from_seed(d, z));
        prop_assert_eq!(key.public(), public.clone().into_bytes());

        let (mut ciphertext, shared) =
            EncapsulationKey::decode(&key.public()).unwrap().encapsulate(&mut Given::new(&m));
        let (expected_secret, expected) = public.encaps_from_seed(&m);
        let expected_secret = expected_secret.into_bytes();
        prop_assert_eq!(ciphertext, expected.into_bytes());
        prop_assert_eq!(shared.expose(), &expected_secret);
        let opened = key.decapsulate(&ciphertext);
        prop_assert_eq!(opened.expose(), &expected_secret);

        ciphertext[at] ^= 1 << bit;
        let rejected = key.decapsulate(&ciphertext);
        prop_assert_ne!(rejected.expose(), &expected_secret);
        let expected = secret.try_decaps(&CipherText::try_from_bytes(ciphertext).unwrap()).unwrap();
        prop_assert_eq!(rejected.expose(), &expected.into_bytes());
    }
}

/// FIPS 203, section 7.2: each of the 768 numbers at its first value that is none, and one below it.
#[test]
fn hs_14_numbers_beyond_the_modulus_are_refused() {
    let key = ours([3; 64]).public();
    for at in 0..768 {
        for (value, is_fine) in [(3328_u16, true), (3329, false), (4095, false)] {
            let mut changed = key;
            let byte = at / 2 * 3;
            let [low, high] = value.to_le_bytes();
            if at % 2 == 0 {
                changed[byte] = low;
                changed[byte + 1] = changed[byte + 1] & 0xf0 | high;
            } else {
                changed[byte + 1] = changed[byte + 1] & 0x0f | low << 4;
                changed[byte + 2] = low >> 4 | high << 4;
            }
            assert_eq!(EncapsulationKey::decode(&changed).is_ok(), is_fine, "{at} {value}");
            assert_eq!(EncapsKey::try_from_bytes(changed).is_ok(), is_fine, "{at} {value}");
        }
    }
}

#[test]
fn only_the_right_length_is_a_key() {
    let key = ours([3; 64]).public();
    for length in 0..KEY_LEN {
        assert!(EncapsulationKey::decode(&key[..length]).is_err());
    }
    assert!(EncapsulationKey::decode(&[&key[..], &[0]].concat()).is_err());
}

#[test]
fn hs_15_secrets_are_erased() {
    fn erases<T: zeroize::ZeroizeOnDrop>() {}
    erases::<DecapsulationKey>();
    erases::<ml_kem_768::DecapsulationKey>();
    erases::<SharedSecret>();
}
