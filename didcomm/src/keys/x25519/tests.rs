//! Every backend against RFC 7748 and at the edges of the field, and both against each other.

use std::array::from_fn;

use super::portable::Portable;
use super::{Scalar, X25519Secret};

/// Of low order, on the curve or on its twist: 0, 1, the two of order 8, and p - 1.
const LOW_ORDER: [&str; 5] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

fn hex(text: &str) -> [u8; 32] {
    from_fn(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
}

fn key<K: Scalar>(scalar: [u8; 32]) -> K {
    K::new(scalar.into())
}

fn multiply<K: Scalar>(scalar: [u8; 32], u: [u8; 32]) -> [u8; 32] {
    *key::<K>(scalar).agree(&u).unwrap()
}

/// `number + addend`, a small one.
fn plus(mut number: [u8; 32], addend: u8) -> [u8; 32] {
    let mut carry = u16::from(addend);
    for byte in &mut number {
        carry += u16::from(*byte);
        *byte = carry.to_le_bytes()[0];
        carry >>= 8;
    }
    number
}

fn with_high_bit(mut u: [u8; 32]) -> [u8; 32] {
    u[31] |= 0x80;
    u
}

/// 2^255 - 19, little-endian.
fn prime() -> [u8; 32] {
    hex("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")
}

fn rfc_7748_section_5_2<K: Scalar>() {
    for (scalar, u, product) in [
        (
            "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
            "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
            "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
        ),
        // With the highest bit of u, which does not count.
        (
            "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
            "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
            "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
        ),
    ] {
        assert_eq!(multiply::<K>(hex(scalar), hex(u)), hex(product));
    }

    let (mut scalar, mut u) = (plus([0; 32], 9), plus([0; 32], 9));
    for round in 1..=1000 {
        (scalar, u) = (multiply::<K>(scalar, u), scalar);
        if round == 1 {
            assert_eq!(scalar, hex("422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079"));
        }
    }
    assert_eq!(scalar, hex("684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51"));
}

fn rfc_7748_section_6_1<K: Scalar>() {
    let [alice, bob] = [
        "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
        "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
    ]
    .map(|scalar| key::<K>(hex(scalar)));
    let shared = hex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
    assert_eq!(alice.public(), hex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"));
    assert_eq!(bob.public(), hex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"));
    assert_eq!(alice.agree(&bob.public()).map(|of| *of), Some(shared));
    assert_eq!(bob.agree(&alice.public()).map(|of| *of), Some(shared));
}

fn refuses_low_order<K: Scalar>() {
    let secret = key::<K>([7; 32]);
    // What is p or p + 1 is 0 or 1.
    for low in LOW_ORDER.map(hex).into_iter().chain([prime(), plus(prime(), 1)]) {
        assert!(secret.agree(&low).is_none(), "{low:?}");
        assert!(secret.agree(&with_high_bit(low)).is_none(), "{low:?} with the highest bit");
    }
    assert!(secret.agree(&key::<K>([8; 32]).public()).is_some());
}

fn takes_coordinates_that_are_not_reduced<K: Scalar>() {
    let secret = key::<K>([7; 32]);
    // 2^255 - 1 is the largest that 255 bits can say.
    for small in 2..19 {
        let (reduced, longer) = (plus([0; 32], small), plus(prime(), small));
        let shared = secret.agree(&reduced);
        assert!(shared.is_some(), "{small}");
        for same in [longer, with_high_bit(reduced), with_high_bit(longer)] {
            assert_eq!(secret.agree(&same), shared, "{small}");
        }
    }
}

fn keeps_its_bytes_and_clamps_them_where_it_multiplies<K: Scalar>() {
    let (low, high) = ([0; 32], [0xff; 32]);
    let mut clamped = low;
    clamped[31] = 0x40;
    assert_eq!(key::<K>(low).scalar(), &low);
    assert_eq!(key::<K>(high).scalar(), &high);
    assert_eq!(key::<K>(low).public(), key::<K>(clamped).public());
    let theirs = key::<K>([8; 32]).public();
    assert_eq!(key::<K>(low).agree(&theirs), key::<K>(clamped).agree(&theirs));
}

fn holds<K: Scalar>() {
    rfc_7748_section_5_2::<K>();
    rfc_7748_section_6_1::<K>();
    refuses_low_order::<K>();
    takes_coordinates_that_are_not_reduced::<K>();
    keeps_its_bytes_and_clamps_them_where_it_multiplies::<K>();
}

#[test]
fn portable_is_x25519() {
    holds::<Portable>();
}

#[cfg(feature = "aws-lc")]
#[test]
fn aws_lc_is_x25519() {
    holds::<super::aws_lc::AwsLc>();
}

/// Coordinates of which half are on the twist, among the small ones 2, 3 and 5.
#[cfg(feature = "aws-lc")]
#[test]
fn backends_agree_at_the_edges() {
    let small = (0..19).map(|small| plus([0; 32], small));
    // From p - 19 to 2^255 - 1.
    let before = hex("daffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f");
    let around_prime = (0..38).map(|more| plus(before, more));
    let powers = (0..32).map(|byte| from_fn(|i| u8::from(i == byte) << (byte % 8)));
    let edges = small.chain(around_prime).chain(powers).chain(LOW_ORDER.map(hex));
    for u in edges.flat_map(|u| [u, with_high_bit(u)]) {
        for scalar in [[0; 32], [0xff; 32], [7; 32], prime()] {
            let portable = key::<Portable>(scalar).agree(&u);
            assert_eq!(key::<super::aws_lc::AwsLc>(scalar).agree(&u), portable, "{u:?}");
        }
    }
}

#[cfg(feature = "aws-lc")]
proptest::proptest! {
    #[test]
    fn backends_agree(scalar: [u8; 32], u: [u8; 32]) {
        let (portable, aws_lc) = (key::<Portable>(scalar), key::<super::aws_lc::AwsLc>(scalar));
        proptest::prop_assert_eq!(aws_lc.public(), portable.public());
        proptest::prop_assert_eq!(aws_lc.scalar(), portable.scalar());
        proptest::prop_assert_eq!(aws_lc.agree(&u), portable.agree(&u));
        proptest::prop_assert_eq!(aws_lc.agree(&portable.public()), portable.agree(&aws_lc.public()));
    }
}

#[test]
fn has_the_public_key_of_didcomm_appendix_a_1() {
    let scalar = crate::base64url::decode_array("r-jK2cO3taR8LQnJB1_ikLBTAnOtShJOsHXRUWT-aZA").unwrap();
    let public = crate::base64url::decode_array("avH0O2Y4tqLAq8y9zpianr8ajii5m4F_mICrzNlatXs").unwrap();
    assert_eq!(X25519Secret::from_bytes(scalar).public(), public);
}

#[test]
fn refuses_public_keys_of_low_order() {
    let secret = X25519Secret::from_bytes([7; 32]);
    for low in LOW_ORDER.map(hex) {
        assert!(secret.agree(&low).is_none());
    }
    assert!(secret.agree(&X25519Secret::from_bytes([8; 32]).public()).is_some());
}
