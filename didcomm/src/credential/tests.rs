use std::collections::HashMap;

use serde_json::{Value, json};

use super::*;
use crate::base64url;
use crate::did::{DidDocument, OfflineResolver, key};
use crate::keys::Ed25519Secret;

mod lists;
mod vectors;

const NOW: u64 = 1_800_000_000;
const SUBJECT: &str = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK";
const WEB: &str = "did:web:authority.example";
const LIST: &str = "https://authority.example/status";

fn secret(seed: u8) -> Ed25519Secret {
    Ed25519Secret::from_bytes(&[seed; 32])
}

/// The issuer's did:key and its key's id.
fn issuer(seed: u8) -> (String, String) {
    let did = key::encode_ed25519(&secret(seed).public());
    let kid = key::kid(&did);
    (did, kid)
}

fn issued<'a>(seed: u8, change: impl FnOnce(&mut Issue<'a>)) -> String {
    let mut what = Issue {
        id: "urn:uuid:1",
        subject: SUBJECT,
        role: Some("auditor"),
        valid_from: NOW,
        valid_until: NOW + 60,
        status: None,
    };
    change(&mut what);
    issue(&secret(seed), &issuer(seed).1, &what).unwrap()
}

/// Signs any payload with any header members.
fn signed(header: &Value, payload: &Value) -> String {
    let mut all = json!({"alg": "EdDSA", "typ": "vc+jwt", "kid": issuer(1).1});
    for (name, value) in header.as_object().unwrap() {
        match value {
            Value::Null => drop(all.as_object_mut().unwrap().remove(name)),
            value => drop(all.as_object_mut().unwrap().insert(name.clone(), value.clone())),
        }
    }
    let signed = format!("{}.{}", base64url::encode(all.to_string()), base64url::encode(payload.to_string()));
    let signature = secret(1).sign(signed.as_bytes());
    format!("{signed}.{}", base64url::encode(signature))
}

fn payload() -> Value {
    json!({
        "@context": ["https://www.w3.org/ns/credentials/v2"],
        "type": ["VerifiableCredential"],
        "issuer": issuer(1).0,
        "credentialSubject": {"id": SUBJECT},
    })
}

fn read(header: &Value, change: impl FnOnce(&mut Value)) -> Result<Claims, CredentialError> {
    let mut payload = payload();
    change(&mut payload);
    let credential = CredentialIn::read(&signed(header, &payload))?.verify(&OfflineResolver, NOW)?;
    Ok(credential.claims().clone())
}

fn malformed(what: &'static str) -> Result<Claims, CredentialError> {
    Err(CredentialError::malformed(what))
}

fn unsupported(what: &'static str) -> Result<Claims, CredentialError> {
    Err(CredentialError::unsupported(what))
}

/// Decides CR-01, CR-03.
#[test]
fn what_is_issued_is_read_with_all_that_it_says() {
    let entry = StatusEntry { purpose: Purpose::Revocation, index: 5, list: LIST.to_owned() };
    let text = issued(1, |what| what.status = Some(&entry));
    let credential = CredentialIn::read(&text).unwrap().verify(&OfflineResolver, NOW).unwrap();
    let expected = Claims {
        id: Some("urn:uuid:1".to_owned()),
        types: vec!["VerifiableCredential".to_owned()],
        issuer: issuer(1).0,
        subject: SUBJECT.to_owned(),
        role: Some("auditor".to_owned()),
        valid_from: Some(NOW),
        valid_until: Some(NOW + 60),
        status: vec![entry.clone()],
    };
    assert_eq!(*credential.claims(), expected);
    assert_eq!(digest(&text), <[u8; 32]>::from(Sha256::digest(&text)));
}

/// Decides CR-01.
#[test]
fn truncations_changes_and_what_follows_are_refused() {
    let text = issued(1, |_| {});
    for end in 0..text.len() {
        let cut = CredentialIn::read(&text[..end]).and_then(|read| read.verify(&OfflineResolver, NOW));
        assert!(cut.is_err(), "{end}");
    }
    for at in 0..text.len() {
        let other = if &text[at..=at] == "A" { "B" } else { "A" };
        let changed = format!("{}{other}{}", &text[..at], &text[at + 1..]);
        let changed = CredentialIn::read(&changed).and_then(|read| read.verify(&OfflineResolver, NOW));
        assert!(changed.is_err(), "{at}");
    }
    for more in [".", " ", "A", ".A", "~"] {
        assert!(CredentialIn::read(&format!("{text}{more}")).is_err(), "{more:?}");
    }
    let long = signed(&json!({}), &json!({"x": "x".repeat(MAX_CREDENTIAL_BYTES)}));
    assert_eq!(CredentialIn::read(&long).map(|_| ()), Err(CredentialError::malformed("too long")));
}

/// Decides CR-01.
#[test]
fn headers_of_other_kinds_are_refused() {
    for typ in ["vc+jwt", "application/vc+jwt", "VC+JWT", "vc+ld+jwt"] {
        assert!(read(&json!({"typ": typ}), |_| {}).is_ok(), "{typ}");
    }
    for typ in [json!("JWT"), json!("didagent-link/1"), json!("vp+jwt"), Value::Null] {
        assert_eq!(read(&json!({"typ": typ}), |_| {}), unsupported("typ"), "{typ}");
    }
    assert_eq!(read(&json!({"crit": ["b64"], "b64": false}), |_| {}), unsupported("crit"));
    assert_eq!(read(&json!({"b64": true}), |_| {}), unsupported("crit"));
    for alg in ["none", "HS256", "RS256"] {
        assert_eq!(read(&json!({"alg": alg}), |_| {}), unsupported("alg"), "{alg}");
    }
    assert_eq!(read(&json!({"alg": "ES256"}), |_| {}), Err(CredentialError::BadSignature));
}

/// Decides CR-01.
#[test]
fn members_that_are_missing_or_contradict_are_refused() {
    let with = |name: &'static str, value: Value| read(&json!({}), |payload| payload[name] = value);
    assert_eq!(with("@context", json!([])), malformed("@context"));
    assert_eq!(with("@context", json!(["https://www.w3.org/2018/credentials/v1"])), unsupported("@context"));
    assert_eq!(with("type", json!("Other")), malformed("type"));
    assert_eq!(with("type", json!(["VerifiableCredential", 1])), malformed("type"));
    assert_eq!(with("issuer", Value::Null), malformed("issuer"));
    assert_eq!(with("issuer", json!({"name": "x"})), malformed("issuer"));
    assert_eq!(with("iss", json!(SUBJECT)), malformed("issuer"));
    assert_eq!(with("sub", json!(WEB)), malformed("credentialSubject"));
    assert_eq!(with("credentialSubject", json!({"name": "x"})), malformed("credentialSubject"));
    assert_eq!(
        with("credentialSubject", json!([{"id": SUBJECT}, {"id": WEB}])),
        unsupported("credentialSubject")
    );
    assert_eq!(with("validUntil", json!("tomorrow")), malformed("validUntil"));
    assert_eq!(with("validFrom", json!("2026-01-01T00:00:00")), malformed("validFrom"));
    assert_eq!(with("exp", json!("1")), malformed("exp"));
    assert_eq!(with("vc", json!({})), malformed("vc"));
    assert_eq!(with("iss", json!(issuer(1).0)).unwrap().issuer, issuer(1).0);
    assert_eq!(with("credentialSubject", json!([{"id": SUBJECT}])).unwrap().subject, SUBJECT);
    assert_eq!(with("issuer", json!({"id": issuer(1).0, "name": "x"})).unwrap().issuer, issuer(1).0);
    let twice = signed(&json!({}), &payload()).split('.').next().unwrap().to_owned();
    let twice = format!("{twice}.{}.{}", base64url::encode(r#"{"a":1,"a":1}"#), "A".repeat(86));
    assert_eq!(CredentialIn::read(&twice).map(|_| ()), Err(CredentialError::malformed("payload")));
}

/// Decides CR-04.
#[test]
fn it_counts_from_its_beginning_to_before_its_end() {
    let at = |now| CredentialIn::read(&issued(1, |_| {})).unwrap().verify(&OfflineResolver, now).map(drop);
    assert_eq!(at(NOW - 1), Err(CredentialError::NotYet { from: NOW }));
    assert_eq!((at(NOW), at(NOW + 59)), (Ok(()), Ok(())));
    assert_eq!(at(NOW + 60), Err(CredentialError::Expired { until: NOW + 60 }));
    // Of two times the narrower one counts.
    let narrow = |name: &str, seconds: u64| {
        read(&json!({}), |payload| {
            payload["validFrom"] = json!(to_rfc3339(NOW - 9).unwrap());
            payload["validUntil"] = json!(to_rfc3339(NOW + 9).unwrap());
            payload[name] = json!(seconds);
        })
    };
    assert_eq!(narrow("nbf", NOW + 1), Err(CredentialError::NotYet { from: NOW + 1 }));
    assert_eq!(narrow("exp", NOW), Err(CredentialError::Expired { until: NOW }));
    let inside = narrow("exp", NOW + 99).unwrap();
    assert_eq!((inside.valid_from, inside.valid_until), (Some(NOW - 9), Some(NOW + 9)));
    assert_eq!(narrow("nbf", 0).unwrap().valid_from, Some(NOW - 9));
}

/// Decides CR-03.
#[test]
fn only_a_key_that_the_issuer_lists_for_statements_signs() {
    let web = |change: fn(&mut DidDocument)| {
        let json = json!({
            "id": WEB,
            "verificationMethod": [
                {"id": "#key-1", "type": "Multikey", "controller": WEB,
                 "publicKeyMultibase": issuer(1).0.strip_prefix("did:key:").unwrap()},
                {"id": "#key-2", "type": "Multikey", "controller": WEB,
                 "publicKeyMultibase": issuer(2).0.strip_prefix("did:key:").unwrap()},
            ],
            "assertionMethod": ["#key-1"],
            "authentication": ["#key-1", "#key-2"],
        });
        let mut document = DidDocument::from_json(WEB, json.to_string().as_bytes()).unwrap();
        change(&mut document);
        HashMap::from([(WEB.to_owned(), document)])
    };
    let verify = |kid: Value, documents: &HashMap<String, DidDocument>| {
        let mut payload = payload();
        payload["issuer"] = json!(WEB);
        let text = signed(&json!({ "kid": kid }), &payload);
        CredentialIn::read(&text).unwrap().verify(documents, NOW).map(drop)
    };
    let both = |document: &mut DidDocument| {
        document.assertion_method.push(format!("{WEB}#key-2"));
    };
    for kid in [json!(format!("{WEB}#key-1")), json!("#key-1"), Value::Null] {
        assert_eq!(verify(kid.clone(), &web(|_| {})), Ok(()), "{kid}");
    }
    // Without a name, one of two keys cannot be told.
    assert_eq!(verify(Value::Null, &web(both)), Err(CredentialError::UnlistedKey));
    assert_eq!(verify(json!("#key-2"), &web(both)), Err(CredentialError::BadSignature));
    for kid in ["#key-2", "#key-3", "key-1", "did:web:other.example#key-1", issuer(1).1.as_str()] {
        assert_eq!(verify(json!(kid), &web(|_| {})), Err(CredentialError::UnlistedKey), "{kid}");
    }
    assert_eq!(verify(json!("#key-1"), &HashMap::new()), Err(CredentialError::NoDocument));
    let other = web(|document| document.id = "did:web:other.example".to_owned());
    assert_eq!(verify(json!("#key-1"), &other), Err(CredentialError::NoDocument));
    // A did:key is its own document, whatever was looked up.
    let forged = issued(2, |_| {}).replace(
        &issued(2, |_| {}).split('.').next().unwrap().to_owned(),
        issued(1, |_| {}).split('.').next().unwrap(),
    );
    let forged = CredentialIn::read(&forged).unwrap().verify(&OfflineResolver, NOW).map(drop);
    assert_eq!(forged, Err(CredentialError::UnlistedKey));
}

/// Decides CR-01.
#[test]
fn times_are_read_with_their_offset() {
    for (text, seconds) in [
        ("1970-01-01T00:00:00Z", Some(0)),
        ("2027-01-15T08:00:00Z", Some(NOW)),
        ("2027-01-15T09:30:00.999+01:30", Some(NOW)),
        ("1969-12-31T23:59:59Z", Some(0)),
        ("2027-01-15", None),
        ("2027-01-15T08:00:00", None),
        ("2027-02-30T08:00:00Z", None),
        ("2027-01-15T25:00:00Z", None),
        ("", None),
        ("2027-01-15T08:00:00Z ", None),
    ] {
        assert_eq!(from_rfc3339(text), seconds, "{text}");
    }
    assert_eq!(to_rfc3339(NOW).as_deref(), Some("2027-01-15T08:00:00Z"));
    assert_eq!(to_rfc3339(u64::MAX), None);
}
