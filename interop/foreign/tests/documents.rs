//! Documents of one corpus of DIDs, as `ssi` makes them, and ours as `ssi` reads them.
//!
//! Nothing but `didagent-session` of this project may be locked here, so the two sides meet in files of `../transcripts`:
//!
//! ```text
//! ../tests/did_documents.rs --> documents.json (ours) --> here: read by ssi, the same keys
//! here: resolved by ssi     --> ssi.json              --> ../tests/did_documents.rs: read by ours, the same keys
//! ```
//!
//! With `DIDAGENT_INTEROP_WRITE=1` each side writes its own file instead of comparing; ours first.
#![allow(missing_docs)]

use std::collections::BTreeMap;
use std::path::PathBuf;

use did_jwk::DIDJWK;
use did_method_key::DIDKey;
use futures_util::FutureExt as _;
use serde_json::Value;
use ssi_dids_core::document::verification_method::ValueOrReference;
use ssi_dids_core::resolution::{Options, Parameters};
use ssi_dids_core::{DIDBuf, DIDResolver as _, Document};
use ssi_jwk::JWK;
use ssi_multicodec::MultiEncodedBuf;

type Documents = BTreeMap<String, Value>;

fn place(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../transcripts").join(name)
}

/// The documents that the other side has written.
fn ours() -> Documents {
    serde_json::from_slice(&std::fs::read(place("documents.json")).unwrap()).unwrap()
}

/// What `ssi` makes of a DID, with keys in the form of this name; `None` for a method that it does not resolve.
fn theirs(did: &str, form: &str) -> Option<Document> {
    let buffer = DIDBuf::from_string(did.to_owned()).unwrap();
    let parameters = Parameters { public_key_format: Some(form.to_owned()), ..Parameters::default() };
    let options = Options { parameters, ..Options::default() };
    // Nothing is asked over a network.
    let resolved = match did.split(':').nth(1) {
        Some("key") => DIDKey.resolve_with(&buffer, options).now_or_never(),
        Some("jwk") => DIDJWK.resolve_with(&buffer, options).now_or_never(),
        _ => return None,
    };
    let resolved = resolved.unwrap().unwrap_or_else(|error| panic!("{did}: {error}"));
    Some(resolved.document.into_document())
}

/// A did:key has a multikey, of any kind, a did:jwk a JWK; each is what the method says and what `ssi` can write.
fn form_of(did: &str) -> &'static str {
    if did.starts_with("did:key:") { "Multikey" } else { "JsonWebKey2020" }
}

#[test]
fn what_they_make_of_a_did_is_in_the_transcript() {
    let resolved = ours().into_keys().filter_map(|did| {
        let document = serde_json::to_value(theirs(&did, form_of(&did))?).unwrap();
        Some((did, document))
    });
    let resolved: Documents = resolved.collect();
    assert_eq!(resolved.len(), 11, "six of did:key, five of did:jwk");
    let place = place("ssi.json");
    if std::env::var_os("DIDAGENT_INTEROP_WRITE").is_some() {
        std::fs::write(&place, serde_json::to_string_pretty(&resolved).unwrap() + "\n").unwrap();
    }
    let stands: Documents = serde_json::from_slice(&std::fs::read(&place).unwrap()).unwrap();
    assert_eq!(resolved, stands, "DIDAGENT_INTEROP_WRITE=1 writes it");
}

/// The key of a method in either form, for a kind that `ssi` has a JWK for.
fn key(document: &Document, id: &str) -> Option<JWK> {
    let method = document.verification_method.iter().find(|method| method.id.as_str() == id).unwrap();
    if let Some(jwk) = method.properties.get("publicKeyJwk") {
        return Some(serde_json::from_value(jwk.clone()).unwrap());
    }
    let multikey = method.properties["publicKeyMultibase"].as_str().unwrap();
    let (_, bytes) = multibase::decode(multikey).unwrap();
    JWK::from_multicodec(&MultiEncodedBuf::new(bytes).unwrap()).ok()
}

fn ids(document: &Document, list: &[ValueOrReference]) -> Vec<String> {
    list.iter().map(|entry| entry.id().resolve(&document.id).to_string()).collect()
}

/// What ours writes of every method, `ssi` reads as a document that lists the same keys for the same.
#[test]
fn they_read_the_documents_that_we_write() {
    let mut compared = 0;
    for (did, json) in ours() {
        let document: Document =
            serde_json::from_value(json.clone()).unwrap_or_else(|error| panic!("{did}: {error}"));
        assert_eq!(document.id.as_str(), did);
        let relationships = &document.verification_relationships;
        for (name, list) in [
            ("authentication", &relationships.authentication),
            ("assertionMethod", &relationships.assertion_method),
            ("keyAgreement", &relationships.key_agreement),
            ("capabilityInvocation", &relationships.capability_invocation),
            ("capabilityDelegation", &relationships.capability_delegation),
        ] {
            let written = json.get(name).and_then(Value::as_array).into_iter().flatten();
            let written: Vec<String> = written.map(|id| id.as_str().unwrap().to_owned()).collect();
            assert_eq!(ids(&document, list), written, "{name} of {did}");
            for id in written {
                assert!(key(&document, &id).is_some(), "{id} is no JWK to them");
            }
        }
        let services = json.get("service").and_then(Value::as_array).map_or(0, Vec::len);
        assert_eq!(document.service.len(), services, "{did}");
        // The same key as in what they make of the DID themselves.
        let Some(theirs) = theirs(&did, form_of(&did)) else { continue };
        let [method] = theirs.verification_method.as_slice() else { panic!("{did}: not one key") };
        let id = method.id.as_str();
        if let (Some(ours), Some(theirs)) = (key(&document, id), key(&theirs, id)) {
            assert!(ours.equals_public(&theirs), "{did}");
            compared += 1;
        }
    }
    assert_eq!(compared, 9, "ssi makes no JWK of a multikey of X25519 or P-521");
}
