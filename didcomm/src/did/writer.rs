//! Writes a DID document as JSON.
//!
//! DID Core 1.0 section 6.2. Every key is a `JsonWebKey2020` with `publicKeyJwk`, which all DIDComm libraries read; ids are
//! absolute, as did:web asks for. What was left out when a document was read is not there when it is written.

use serde_json::{Map, Value, json};

use super::document::{DidDocument, Service, VerificationMethod};

impl DidDocument {
    /// The document as a JSON object.
    pub fn to_json(&self) -> Map<String, Value> {
        let mut contexts =
            vec!["https://www.w3.org/ns/did/v1", "https://w3id.org/security/suites/jws-2020/v1"];
        if !self.services.is_empty() {
            contexts.push("https://didcomm.org/messaging/contexts/v2");
        }
        let mut object = Map::new();
        object.insert("@context".to_owned(), json!(contexts));
        object.insert("id".to_owned(), json!(self.id));
        if !self.also_known_as.is_empty() {
            object.insert("alsoKnownAs".to_owned(), json!(self.also_known_as));
        }
        let methods: Vec<_> = self.verification_methods.iter().map(|key| self.method_json(key)).collect();
        object.insert("verificationMethod".to_owned(), json!(methods));
        for (name, ids) in self.relationships().filter(|(_, ids)| !ids.is_empty()) {
            object.insert(name.to_owned(), json!(ids));
        }
        if !self.services.is_empty() {
            object.insert("service".to_owned(), self.services.iter().map(service_json).collect());
        }
        object
    }

    fn method_json(&self, method: &VerificationMethod) -> Value {
        json!({
            "id": method.id,
            "type": "JsonWebKey2020",
            "controller": self.id,
            "publicKeyJwk": method.key.to_jwk(),
        })
    }
}

fn service_json(service: &Service) -> Value {
    let mut endpoint = json!({"uri": service.uri});
    for (name, list) in [("accept", &service.accept), ("routingKeys", &service.routing_keys)] {
        if !list.is_empty() {
            endpoint[name] = json!(list);
        }
    }
    json!({"id": service.id, "type": "DIDCommMessaging", "serviceEndpoint": endpoint})
}

#[cfg(test)]
mod tests {
    use crate::did::{DidDocument, PublicKey, key, peer2, resolve_offline};

    /// Decides CN-64.
    #[test]
    fn what_is_written_is_read() {
        let service = peer2::ServiceSpec {
            uri: "did:example:mediator".to_owned(),
            accept: vec!["didcomm/v2".to_owned()],
            routing_keys: vec!["did:example:r#1".to_owned()],
        };
        for did in [
            peer2::encode(&[1; 32], &[2; 32], Some(&service)),
            peer2::encode(&[1; 32], &[2; 32], None),
            key::encode(&PublicKey::X25519([3; 32])),
            "did:key:z82Lm1MpAkeJcix9K8TMiLd5NMAhnwkjjCBeWHXyu3U4oT2MVJJKXkcVBgjGhnLBn2Kaau9".to_owned(),
        ] {
            let document = resolve_offline(&did).unwrap();
            let json = serde_json::to_vec(&document.to_json()).unwrap();
            let mut expected = document;
            // The other name of a key is part of the DID's own method and not of the document.
            expected.verification_methods.iter_mut().for_each(|method| method.alias = None);
            assert_eq!(DidDocument::from_json(&did, &json), Ok(expected));
        }
    }
}
