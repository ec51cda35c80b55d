use proptest::prelude::*;

use super::{ServiceSpec, encode};
use crate::base64url;
use crate::did::{DidDocument, DidError, PublicKey, Service, resolve_offline};

/// The example of the method's specification, "Generating a did:peer:2".
const EXAMPLE: &str = "did:peer:2.Vz6Mkj3PUd1WjvaDhNZhhhXQdz5UnZXmS7ehtx8bsPpD47kKc\
    .Ez6LSg8zQom395jKLrGiBNruB9MM6V8PWuf2FpEy4uRFiqQBR\
    .SeyJ0IjoiZG0iLCJzIjp7InVyaSI6Imh0dHA6Ly9leGFtcGxlLmNvbS9kaWRjb21tIiwiYSI6WyJkaWRjb21tL3YyIl0sInIiOlsiZGlkOmV4YW1wbGU6MTIzNDU2Nzg5YWJjZGVmZ2hpI2tleS0xIl19fQ\
    .SeyJ0IjoiZG0iLCJzIjp7InVyaSI6Imh0dHA6Ly9leGFtcGxlLmNvbS9hbm90aGVyIiwiYSI6WyJkaWRjb21tL3YyIl0sInIiOlsiZGlkOmV4YW1wbGU6MTIzNDU2Nzg5YWJjZGVmZ2hpI2tleS0yIl19fQ";

/// The example of the same text that is older: other ids, a string endpoint, one E before two V.
const OLD_EXAMPLE: &str = "did:peer:2.Ez6LSbysY2xFMRpGMhb7tFTLMpeuPRaqaWM1yECx2AtzE3KCc\
    .Vz6MkqRYqQiSgvZQdnBytw86Qbs2ZWUkGv22od935YF4s8M7V\
    .Vz6MkgoLTnTypo3tDRwCkZXSccTPHRLhF4ZnjhueYAFpEX6vg\
    .SeyJ0IjoiZG0iLCJzIjoiaHR0cHM6Ly9leGFtcGxlLmNvbS9lbmRwb2ludCIsInIiOlsiZGlkOmV4YW1wbGU6c29tZW1lZGlhdG9yI3NvbWVrZXkiXSwiYSI6WyJkaWRjb21tL3YyIiwiZGlkY29tbS9haXAyO2Vudj1yZmM1ODciXX0";

const KEYS: &str = "did:peer:2.Vz6Mkj3PUd1WjvaDhNZhhhXQdz5UnZXmS7ehtx8bsPpD47kKc\
    .Ez6LSg8zQom395jKLrGiBNruB9MM6V8PWuf2FpEy4uRFiqQBR";

fn service(did: &str, name: &str, uri: &str, accept: &[&str], routing_keys: &[&str]) -> Service {
    let owned = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
    Service {
        id: format!("{did}#{name}"),
        uri: uri.to_owned(),
        accept: owned(accept),
        routing_keys: owned(routing_keys),
    }
}

fn with_service(json: &str) -> Result<DidDocument, DidError> {
    resolve_offline(&format!("{KEYS}.S{}", base64url::encode(json)))
}

#[test]
fn resolves_the_example_of_the_specification() {
    let document = resolve_offline(EXAMPLE).unwrap();
    assert_eq!(document.id, EXAMPLE);
    assert_eq!(document.authentication, [format!("{EXAMPLE}#key-1")]);
    assert_eq!(document.key_agreement, [format!("{EXAMPLE}#key-2")]);
    let key = |number: &str| format!("did:example:123456789abcdefghi#key-{number}");
    assert_eq!(
        document.services,
        [
            service(EXAMPLE, "service", "http://example.com/didcomm", &["didcomm/v2"], &[&key("1")]),
            service(EXAMPLE, "service-1", "http://example.com/another", &["didcomm/v2"], &[&key("2")]),
        ]
    );
}

/// Decides CN-02.
#[test]
fn writes_the_example_of_the_specification() {
    let document = resolve_offline(EXAMPLE).unwrap();
    let spec = ServiceSpec {
        uri: "http://example.com/didcomm".into(),
        accept: vec!["didcomm/v2".into()],
        routing_keys: vec!["did:example:123456789abcdefghi#key-1".into()],
    };
    let written = encode(
        &document.ed25519(&document.authentication[0]).unwrap(),
        &document.x25519(&document.key_agreement[0]).unwrap(),
        Some(&spec),
    );
    assert_eq!(Some(written.as_str()), EXAMPLE.rsplit_once('.').map(|(first, _)| first));
}

/// Decides CN-03.
#[test]
fn resolves_the_older_form_and_its_key_ids() {
    let document = resolve_offline(OLD_EXAMPLE).unwrap();
    assert_eq!(document.key_agreement, [format!("{OLD_EXAMPLE}#key-1")]);
    assert_eq!(document.authentication, [format!("{OLD_EXAMPLE}#key-2"), format!("{OLD_EXAMPLE}#key-3")]);
    assert_eq!(
        document.services,
        [service(
            OLD_EXAMPLE,
            "service",
            "https://example.com/endpoint",
            &["didcomm/v2", "didcomm/aip2;env=rfc587"],
            &["did:example:somemediator#somekey"],
        )]
    );
    let agreement = document.x25519(&format!("{OLD_EXAMPLE}#key-1")).unwrap();
    let old = |fragment: &str| format!("{OLD_EXAMPLE}#{fragment}");
    assert_eq!(document.x25519(&old("6LSbysY2xFMRpGMhb7tFTLMpeuPRaqaWM1yECx2AtzE3KCc")), Some(agreement));
    assert!(document.ed25519(&old("6MkqRYqQiSgvZQdnBytw86Qbs2ZWUkGv22od935YF4s8M7V")).is_some());
    assert!(document.ed25519(&old("key-3")).is_some());
    // Each key only for what it is listed for, and no other spelling of its name.
    for kid in ["key-2", "6MkqRYqQiSgvZQdnBytw86Qbs2ZWUkGv22od935YF4s8M7V", "key-01", "key-4", ""] {
        assert_eq!(document.x25519(&old(kid)), None, "{kid}");
    }
    assert_eq!(document.ed25519(&old("key-1")), None);
    assert_eq!(document.x25519("#key-1"), None);
}

#[test]
fn keys_of_unknown_kinds_and_other_purposes_take_a_number() {
    let p256 = "zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169";
    let ed25519 = "z6Mkj3PUd1WjvaDhNZhhhXQdz5UnZXmS7ehtx8bsPpD47kKc";
    let did = format!("did:peer:2.E{p256}.A{ed25519}{}", KEYS.strip_prefix("did:peer:2").unwrap());
    let document = resolve_offline(&did).unwrap();
    assert_eq!(document.authentication, [format!("{did}#key-3")]);
    assert_eq!(document.key_agreement, [format!("{did}#key-1"), format!("{did}#key-4")]);
    assert!(document.method(&format!("{did}#key-2")).is_some());
    assert_eq!(document.ed25519(&format!("{did}#key-2")), None, "an assertion key does not authenticate");
}

/// Decides CN-03.
#[test]
fn reads_the_spellings_of_services() {
    let uri = |json: &str| {
        with_service(json).map(|document| document.services.into_iter().map(|s| s.uri).collect())
    };
    for json in [
        r#"{"t":"dm","s":{"uri":"x"}}"#,
        r#"{"t":"dm","s":"x"}"#,
        r#"{"t":"dm","s":"x","r":null,"a":null}"#,
        r#"{"type":"DIDCommMessaging","serviceEndpoint":{"uri":"x","routingKeys":[],"accept":[]}}"#,
        r#"{"t":"dm","s":[{"uri":"x"}]}"#,
        r#"[{"t":"dm","s":"x"}]"#,
    ] {
        assert_eq!(uri(json), Ok(vec!["x".to_owned()]), "{json}");
    }
    assert_eq!(uri(r#"{"t":"LinkedDomains","s":"x"}"#), Ok(vec![]));
    assert_eq!(uri(r#"{"t":["dm"],"s":"x"}"#), Ok(vec![]));
    assert_eq!(uri(r#"[{"t":"dm","s":"x"},{"t":"dm","s":"y"}]"#), Ok(vec!["x".to_owned(), "y".to_owned()]));
}

/// Decides CN-04.
#[test]
fn service_ids_stay_within_the_did() {
    let id = |json: &str| {
        let document = with_service(json)?;
        let id = document.services.first().map(|service| service.id.clone());
        Ok::<_, DidError>(id.and_then(|id| id.strip_prefix(&document.id).map(str::to_owned)))
    };
    assert_eq!(id(r##"{"id":"#mine","t":"dm","s":"x"}"##), Ok(Some("#mine".into())));
    assert_eq!(id(r#"{"id":"mine","t":"dm","s":"x"}"#), Ok(Some("#mine".into())));
    assert!(id(r#"{"id":"did:example:other#mine","t":"dm","s":"x"}"#).is_err());
}

/// Decides CN-04.
#[test]
fn rejects_malformed_elements() {
    let many = format!("did:peer:2{}", ".Vz6Mkj3PUd1WjvaDhNZhhhXQdz5UnZXmS7ehtx8bsPpD47kKc".repeat(17));
    for did in [
        "did:peer:2",
        "did:peer:2.",
        "did:peer:2Vz6Mkj3PUd1WjvaDhNZhhhXQdz5UnZXmS7ehtx8bsPpD47kKc",
        "did:peer:2..Vz6Mkj3PUd1WjvaDhNZhhhXQdz5UnZXmS7ehtx8bsPpD47kKc",
        "did:peer:2.Vz6Mkj3PUd1WjvaDhNZhhhXQdz5UnZXmS7ehtx8bsPpD47kKc.",
        "did:peer:2.Xz6Mkj3PUd1WjvaDhNZhhhXQdz5UnZXmS7ehtx8bsPpD47kKc",
        "did:peer:2.V6Mkj3PUd1WjvaDhNZhhhXQdz5UnZXmS7ehtx8bsPpD47kKc",
        // The right key for the wrong purpose.
        "did:peer:2.Ez6Mkj3PUd1WjvaDhNZhhhXQdz5UnZXmS7ehtx8bsPpD47kKc",
        "did:peer:2.Vz6LSg8zQom395jKLrGiBNruB9MM6V8PWuf2FpEy4uRFiqQBR",
        "did:peer:2.V\u{1F600}",
        &format!("{KEYS}#key-1"),
        &many,
        &format!("did:peer:2.Vz{}", "1".repeat(5000)),
    ] {
        assert!(matches!(resolve_offline(did), Err(DidError::Malformed { .. })), "{did}");
    }
    for json in
        ["", "1", "{", r#"{"t":"dm"}"#, r#"{"t":"dm","s":1}"#, r#"{"t":"dm","s":{"a":[]}}"#, r#"{"s":"x"}"#]
    {
        assert!(with_service(json).is_err(), "{json}");
    }
    let services = vec![r#"{"t":"dm","s":"x"}"#; 17].join(",");
    assert!(with_service(&format!("[{services}]")).is_err());
}

#[test]
fn a_truncation_is_another_did_or_none() {
    // Whole elements may be missing: that is a DID of somebody else. A cut within an element is none.
    let boundaries: Vec<_> =
        EXAMPLE.match_indices('.').map(|(at, _)| at).skip(1).chain([EXAMPLE.len()]).collect();
    for end in 0..=EXAMPLE.len() {
        assert_eq!(resolve_offline(&EXAMPLE[..end]).is_ok(), boundaries.contains(&end), "cut at {end}");
    }
}

proptest! {
    #[test]
    fn what_is_encoded_resolves(
        ed25519: [u8; 32],
        x25519: [u8; 32],
        uri in ".*",
        accept in prop::collection::vec(".*", 0..3),
        routing_keys in prop::collection::vec(".*", 0..3),
    ) {
        let spec = ServiceSpec { uri, accept, routing_keys };
        let did = encode(&ed25519, &x25519, Some(&spec));
        let document = resolve_offline(&did).unwrap();
        prop_assert_eq!(document.ed25519(&format!("{did}#key-1")), Some(ed25519));
        prop_assert_eq!(document.x25519(&format!("{did}#key-2")), Some(x25519));
        prop_assert_eq!(document.verification_methods[1].key, PublicKey::X25519(x25519));
        let id = format!("{did}#service");
        let ServiceSpec { uri, accept, routing_keys } = spec;
        prop_assert_eq!(document.services, [Service { id, uri, accept, routing_keys }]);
    }

    #[test]
    fn any_text_resolves_or_is_refused(text in "(did:peer:2\\.)?[VESA]?z?.{0,80}") {
        let _ = resolve_offline(&text);
    }
}
