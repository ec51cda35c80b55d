use proptest::prelude::*;
use serde_json::{Value, json};

use super::{MAX_DEPTH, MAX_DOCUMENT_BYTES, MAX_METHODS, MAX_SERVICES};
use crate::did::{DidDocument, DidError, PublicKey};

const DID: &str = "did:web:example.org";
const X25519: &str = "z6LSg8zQom395jKLrGiBNruB9MM6V8PWuf2FpEy4uRFiqQBR";
const ED25519: &str = "z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK";
const P256: &str = "zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169";

fn id(name: &str) -> String {
    format!("{DID}#{name}")
}

fn method(name: &str, multibase: &str) -> Value {
    json!({"id": id(name), "type": "Multikey", "controller": DID, "publicKeyMultibase": multibase})
}

fn read(mut document: Value) -> Result<DidDocument, DidError> {
    document["id"] = json!(DID);
    DidDocument::from_json(DID, document.to_string().as_bytes())
}

#[track_caller]
fn refused(document: Value) -> &'static str {
    match read(document) {
        Err(DidError::Document { what }) => what,
        other => panic!("{other:?}"),
    }
}

/// Decides CN-64.
#[test]
fn reads_embedded_and_referenced_methods_with_relative_and_absolute_ids() {
    let document = read(json!({
        "@context": ["https://www.w3.org/ns/did/v1", {"term": "https://example.org/term"}],
        "alsoKnownAs": ["did:example:other"],
        "verificationMethod": [method("a", ED25519), method("b", P256)],
        "authentication": [id("a"), "#b", "#a"],
        "assertionMethod": ["#c"],
        "keyAgreement": [{"id": "#c", "type": "Multikey", "publicKeyMultibase": X25519}, "#b"],
        "capabilityInvocation": ["#missing", "did:example:other#key"],
    }))
    .unwrap();
    assert_eq!(document.also_known_as, ["did:example:other"]);
    assert_eq!(document.authentication, [id("a"), id("b")]);
    assert_eq!(document.key_agreement, [id("c"), id("b")]);
    assert_eq!(document.assertion_method, [id("c")]);
    assert!(document.capability_invocation.is_empty() && document.capability_delegation.is_empty());
    assert_eq!(document.key_agreement_kids().collect::<Vec<_>>(), [id("c")]);
    assert!(document.ed25519(&id("a")).is_some());
    assert_eq!(document.ed25519(&id("c")), None);
}

/// Decides CN-64.
#[test]
fn one_key_in_all_its_forms_is_one_key() {
    let x25519 = crate::did::multikey::decode(X25519).unwrap();
    let ed25519 = crate::did::multikey::decode(ED25519).unwrap();
    let base58 = |key: &PublicKey| bs58::encode(key.as_bytes()).into_string();
    for (key, form) in [
        (x25519, json!({"type": "JsonWebKey2020", "publicKeyJwk": x25519.to_jwk()})),
        (x25519, json!({"type": "X25519KeyAgreementKey2020", "publicKeyMultibase": X25519})),
        (x25519, json!({"type": "X25519KeyAgreementKey2019", "publicKeyBase58": base58(&x25519)})),
        (ed25519, json!({"type": "Ed25519VerificationKey2018", "publicKeyBase58": base58(&ed25519)})),
    ] {
        let mut method = form.clone();
        method["id"] = json!("#k");
        let document = read(json!({"verificationMethod": [method]})).unwrap();
        assert_eq!(document.method(&id("k")).map(|method| method.key), Some(key), "{form}");
    }
}

/// Decides CN-64.
#[test]
fn what_is_of_no_use_is_left_out() {
    let unused = [
        json!({"id": "#a", "type": "JsonWebKey2020", "publicKeyJwk": {"kty": "RSA", "n": "AQAB", "e": "AQAB"}}),
        json!({"id": "#b", "type": "EcdsaSecp256k1RecoveryMethod2020", "blockchainAccountId": "eip155:1:0x89"}),
        json!({"id": "#c", "type": "Multikey", "publicKeyMultibase": format!("z{}", "3".repeat(200))}),
        json!({"id": "#d", "type": "Multikey", "publicKeyMultibase": "uBAAE"}),
        json!({"id": "#e", "type": "Bls12381G2Key2020", "publicKeyBase58": "2"}),
        json!({"id": "did:example:other#f", "type": "Multikey", "publicKeyMultibase": X25519}),
    ];
    let document = read(json!({
        "verificationMethod": unused,
        "authentication": ["#a", "#b"],
        "keyAgreement": ["#c", "did:example:other#f", {"id": "did:example:other#f", "type": "Multikey", "publicKeyMultibase": X25519}],
        "service": [
            {"id": "#web", "type": "LinkedDomains", "serviceEndpoint": {"origins": ["https://example.org"]}},
            {"id": 7, "type": ["Other"], "serviceEndpoint": 7},
        ],
    }));
    assert_eq!(document, Ok(DidDocument::new(DID)));
}

/// Decides CN-64.
#[test]
fn reads_services_with_string_object_and_array_endpoints() {
    let uris = |service: Value| {
        read(json!({"service": [service]}))
            .map(|document| document.services.into_iter().map(|service| service.uri).collect::<Vec<_>>())
    };
    let service =
        |endpoint: Value| json!({"id": "#s", "type": "DIDCommMessaging", "serviceEndpoint": endpoint});
    for (endpoint, expected) in [
        (json!("https://a"), vec!["https://a"]),
        (json!({"uri": "https://a", "accept": ["didcomm/v2"], "routingKeys": []}), vec!["https://a"]),
        (json!([{"uri": "https://a"}, {"uri": "did:x:y"}]), vec!["https://a", "did:x:y"]),
        (json!(["https://a", {"uri": "https://b"}]), vec!["https://a", "https://b"]),
    ] {
        assert_eq!(uris(service(endpoint)).unwrap(), expected);
    }
    assert_eq!(
        uris(json!({"id": "#s", "type": ["X", "DIDCommMessaging"], "serviceEndpoint": "a"})).unwrap(),
        ["a"]
    );
    for bad in
        [json!(7), json!(null), json!({}), json!({"uri": 7}), json!({"uri": "a", "accept": "x"}), json!([7])]
    {
        assert!(uris(service(bad.clone())).is_err(), "{bad}");
    }
    for bad in [json!("s"), json!({}), json!({"type": "DIDCommMessaging", "serviceEndpoint": "a"})] {
        assert!(uris(bad.clone()).is_err(), "{bad}");
    }
    let other = json!({"id": "did:example:x#s", "type": "DIDCommMessaging", "serviceEndpoint": "a"});
    assert!(uris(other).is_err());
}

/// Decides CN-64.
#[test]
fn refuses_another_did_and_damaged_keys() {
    for document in [json!({"id": "did:web:example.com"}), json!({"id": 7}), json!({}), json!([]), json!(1)] {
        let read = DidDocument::from_json(DID, document.to_string().as_bytes());
        assert!(matches!(read, Err(DidError::Document { .. })), "{document}");
    }
    let jwk = crate::did::multikey::decode(X25519).unwrap().to_jwk();
    let mut private = jwk.clone();
    private.insert("d".to_owned(), json!("AA"));
    for bad in [
        json!({"id": "#a", "publicKeyJwk": private}),
        json!({"id": "#a", "publicKeyJwk": "x"}),
        json!({"id": "#a", "publicKeyJwk": {"kty": "OKP", "crv": "X25519", "x": "AA"}}),
        json!({"id": "#a", "publicKeyJwk": jwk, "publicKeyMultibase": X25519}),
        json!({"id": "#a", "publicKeyMultibase": "z0"}),
        json!({"id": "#a", "publicKeyMultibase": format!("z{}", bs58::encode([0xec, 1, 2, 3]).into_string())}),
        json!({"id": "#a", "publicKeyMultibase": 7}),
        json!({"id": "#a", "type": "X25519KeyAgreementKey2019", "publicKeyBase58": "0"}),
        json!({"id": "#a", "type": "X25519KeyAgreementKey2019", "publicKeyBase58": "2".repeat(60_000)}),
        json!({"publicKeyMultibase": X25519}),
        json!({"id": "a", "publicKeyMultibase": X25519}),
        json!({"id": "#", "publicKeyMultibase": X25519}),
        json!({"id": format!("{DID}?x#a"), "publicKeyMultibase": X25519}),
        json!("#a"),
    ] {
        refused(json!({"verificationMethod": [bad]}));
    }
    refused(json!({"verificationMethod": {}}));
    refused(json!({"authentication": "#a"}));
    refused(json!({"authentication": [7]}));
    refused(json!({"alsoKnownAs": [7]}));
}

/// Decides CN-64.
#[test]
fn one_id_is_one_key() {
    let twice = |first: &str, second: &str| {
        read(json!({"verificationMethod": [method("a", first)], "keyAgreement": [method("a", second)]}))
    };
    assert_eq!(twice(X25519, X25519).unwrap().verification_methods.len(), 1);
    assert!(twice(X25519, P256).is_err());
}

/// Decides CN-64.
#[test]
fn keeps_its_limits() {
    let methods = |count: usize| (0..count).map(|n| method(&n.to_string(), X25519)).collect::<Vec<_>>();
    assert!(read(json!({"verificationMethod": methods(MAX_METHODS)})).is_ok());
    assert_eq!(refused(json!({"verificationMethod": methods(MAX_METHODS + 1)})), "a list is too long");
    let embedded =
        json!({"verificationMethod": methods(MAX_METHODS), "authentication": [method("x", X25519)]});
    assert_eq!(refused(embedded), "too many keys");

    let service = json!({"id": "#s", "type": "DIDCommMessaging", "serviceEndpoint": "a"});
    assert!(read(json!({"service": vec![service.clone(); MAX_SERVICES]})).is_ok());
    assert_eq!(refused(json!({"service": vec![service; MAX_SERVICES + 1]})), "too many services");

    let deep = |depth: usize| format!(r#"{{"id":"{DID}","x":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
    assert!(DidDocument::from_json(DID, deep(MAX_DEPTH - 1).as_bytes()).is_ok());
    assert!(DidDocument::from_json(DID, deep(MAX_DEPTH).as_bytes()).is_err());

    let long = |length: usize| format!(r#"{{"id":"{DID}"{}}}"#, " ".repeat(length));
    let spare = MAX_DOCUMENT_BYTES - long(0).len();
    assert!(DidDocument::from_json(DID, long(spare).as_bytes()).is_ok());
    assert!(DidDocument::from_json(DID, long(spare + 1).as_bytes()).is_err());
}

#[test]
fn refuses_each_truncation() {
    let mut document = json!({"verificationMethod": [method("a", X25519)], "keyAgreement": ["#a"]});
    document["id"] = json!(DID);
    let text = document.to_string();
    for end in 0..text.len() {
        assert!(DidDocument::from_json(DID, &text.as_bytes()[..end]).is_err(), "{end}");
    }
    assert!(DidDocument::from_json(DID, format!("{text},").as_bytes()).is_err());
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>, did in "did:web:[a-z]{0,5}") {
        prop_assert!(DidDocument::from_json(&did, &bytes).is_err());
    }
}
