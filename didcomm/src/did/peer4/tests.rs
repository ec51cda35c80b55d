use proptest::prelude::*;

use super::{MAX_BYTES, encode, encode_document, hash_of, short_form};
use crate::did::peer2::ServiceSpec;
use crate::did::{DidError, Service, resolve_offline};

/// The example of the method's specification.
const EXAMPLE: &str = "did:peer:4zQmd8CpeFPci817KDsbSAKWcXAE2mjvCQSasRewvbSF54Bd:z2M1k7h4psgp4CmJcnQn2Ljp7Pz7ktsd7oBhMU3dWY5s4fhFNj17qcRTQ427C7QHNT6cQ7T3XfRh35Q2GhaNFZmWHVFq4vL7F8nm36PA9Y96DvdrUiRUaiCuXnBFrn1o7mxFZAx14JL4t8vUWpuDPwQuddVo1T8myRiVH7wdxuoYbsva5x6idEpCQydJdFjiHGCpNc2UtjzPQ8awSXkctGCnBmgkhrj5gto3D4i3EREXYq4Z8r2cWGBr2UzbSmnxW2BuYddFo9Yfm6mKjtJyLpF74ytqrF5xtf84MnGFg1hMBmh1xVx1JwjZ2BeMJs7mNS8DTZhKC7KH38EgqDtUZzfjhpjmmUfkXg2KFEA3EGbbVm1DPqQXayPYKAsYPS9AyKkcQ3fzWafLPP93UfNhtUPL8JW5pMcSV3P8v6j3vPXqnnGknNyBprD6YGUVtgLiAqDBDUF3LSxFQJCVYYtghMTv8WuSw9h1a1SRFrDQLGHE4UrkgoRvwaGWr64aM87T1eVGkP5Dt4L1AbboeK2ceLArPScrdYGTpi3BpTkLwZCdjdiFSfTy9okL1YNRARqUf2wm8DvkVGUU7u5nQA3ZMaXWJAewk6k1YUxKd7LvofGUK4YEDtoxN5vb6r1Q2godrGqaPkjfL3RoYPpDYymf9XhcgG8Kx3DZaA6cyTs24t45KxYAfeCw4wqUpCH9HbpD78TbEUr9PPAsJgXBvBj2VVsxnr7FKbK4KykGcg1W8M1JPz21Z4Y72LWgGQCmixovrkHktcTX1uNHjAvKBqVD5C7XmVfHgXCHj7djCh3vzLNuVLtEED8J1hhqsB1oCBGiuh3xXr7fZ9wUjJCQ1HYHqxLJKdYKtoCiPmgKM7etVftXkmTFETZmpM19aRyih3bao76LdpQtbw636r7a3qt8v4WfxsXJetSL8c7t24SqQBcAY89FBsbEnFNrQCMK3JEseKHVaU388ctvRD45uQfe5GndFxthj4iSDomk4uRFd1uRbywoP1tRuabHTDX42UxPjz";

/// Decides CN-63.
#[test]
fn resolves_the_example_of_the_specification() {
    let document = resolve_offline(EXAMPLE).unwrap();
    let id = |name: &str| format!("{EXAMPLE}#{name}");
    assert_eq!(document.also_known_as, ["did:peer:4zQmd8CpeFPci817KDsbSAKWcXAE2mjvCQSasRewvbSF54Bd"]);
    assert_eq!(document.key_agreement_kids().collect::<Vec<_>>(), [id("6LSqPZfn")]);
    assert!(document.ed25519(&id("6MkrCD1c")).is_some());
    for (name, ids) in document.relationships().filter(|(name, _)| *name != "keyAgreement") {
        assert_eq!(ids, [id("6MkrCD1c")], "{name}");
    }
    let service = Service {
        id: id("didcommmessaging-0"),
        uri: "didcomm:transport/queue".to_owned(),
        accept: vec!["didcomm/v2".to_owned()],
        routing_keys: Vec::new(),
    };
    assert_eq!(document.services, [service]);
}

/// Decides CN-63.
#[test]
fn writes_the_form_of_the_example() {
    let (_, encoded) = EXAMPLE.rsplit_once(':').unwrap();
    let bytes = bs58::decode(&encoded[1..]).into_vec().unwrap();
    assert_eq!(encode_document(bytes.strip_prefix(&[0x80, 0x04]).unwrap()), EXAMPLE);
    assert_eq!(short_form(EXAMPLE), Some("did:peer:4zQmd8CpeFPci817KDsbSAKWcXAE2mjvCQSasRewvbSF54Bd"));
}

/// Decides CN-63.
#[test]
fn another_document_does_not_fit_the_hash() {
    let other = encode(&[1; 32], &[2; 32], None);
    let (hash, _) = EXAMPLE.rsplit_once(':').unwrap();
    let (_, encoded) = other.rsplit_once(':').unwrap();
    let forged = format!("{hash}:{encoded}");
    assert_eq!(resolve_offline(&forged), Err(DidError::Malformed { what: "hash of a did:peer:4" }));
}

/// Decides CN-63.
#[test]
fn refuses_damage() {
    let did = encode(&[1; 32], &[2; 32], None);
    let short = short_form(&did).unwrap();
    for end in 0..did.len() {
        let cut = &did[..end];
        let expected_short = cut == short || (cut.starts_with("did:peer:4zQm") && !cut.contains(':'));
        match resolve_offline(cut) {
            Ok(_) => panic!("cut at {end}"),
            Err(DidError::NotFound) => assert!(end > "did:peer:4zQ".len() && end <= short.len(), "{end}"),
            Err(_) => assert!(!expected_short),
        }
    }
    for tail in ["1", ":", "#key-1", "0", ":z1"] {
        assert!(resolve_offline(&format!("{did}{tail}")).is_err(), "{tail}");
    }
    for document in [
        "",
        "{}x",
        "[]",
        r#"{"id":"did:example:x"}"#,
        r##"{"verificationMethod":[{"id":"#a","type":"Multikey","publicKeyMultibase":"z0"}]}"##,
    ] {
        assert!(resolve_offline(&encode_document(document.as_bytes())).is_err(), "{document}");
    }
    assert!(resolve_offline(&encode_document(b"{}")).is_ok(), "a document may be empty");
    let other_codec = format!("z{}", bs58::encode(b"\x80\x03{}").into_string());
    assert!(resolve_offline(&format!("did:peer:4{}:{other_codec}", hash_of(&other_codec))).is_err());
    let long = encode_document(format!("{{{}}}", " ".repeat(MAX_BYTES)).as_bytes());
    assert_eq!(resolve_offline(&long), Err(DidError::TooLong { got: long.len() }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_is_encoded_resolves(
        ed25519: [u8; 32],
        x25519: [u8; 32],
        uri in ".{0,40}",
        accept in prop::collection::vec(".{0,10}", 0..3),
        routing_keys in prop::collection::vec(".{0,40}", 0..3),
    ) {
        let spec = ServiceSpec { uri, accept, routing_keys };
        let did = encode(&ed25519, &x25519, Some(&spec));
        let document = resolve_offline(&did).unwrap();
        prop_assert_eq!(document.ed25519(&format!("{did}#key-1")), Some(ed25519));
        prop_assert_eq!(document.x25519(&format!("{did}#key-2")), Some(x25519));
        let ServiceSpec { uri, accept, routing_keys } = spec;
        prop_assert_eq!(document.services, [Service { id: format!("{did}#service"), uri, accept, routing_keys }]);
    }
}
