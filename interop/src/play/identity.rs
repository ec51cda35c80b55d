//! Who talks: DIDs whose documents list one key of each kind, so that no library has a choice.
//!
//! The keys stand in `keys.json`. They were made for these tests and are no secret.

use serde_json::{Map, Value, json};

use super::case::Case;

const KEYS: &str = include_str!("../../keys.json");

/// One party in one case.
#[derive(Debug, Clone)]
pub struct Identity {
    /// `did:example:...`.
    pub did: String,
    /// Its document, as JSON, ids absolute, keys as `JsonWebKey2020`.
    pub document: Value,
    /// Its private keys: a list of `{kid, jwk}`.
    pub secrets: Vec<Value>,
}

impl Identity {
    /// `who` is `alice`, `bob` or `mediator`.
    pub fn of(who: &str, case: &Case) -> Self {
        let keys: Value = serde_json::from_str(KEYS).expect("keys.json is JSON");
        let did = format!("did:example:{who}-{}-{}", case.curve, case.sign).to_lowercase();
        let key = |name: &str, group: &str, kind: &str| {
            let jwk = keys[who][group][kind].as_object().expect("a key of this kind").clone();
            (format!("{did}#{name}"), jwk)
        };
        let keys = [key("agree", "agree", case.curve), key("sign", "sign", case.sign)];
        let methods: Vec<_> = keys.iter().map(|(kid, jwk)| method(&did, kid, jwk)).collect();
        let document = json!({
            "id": did,
            "verificationMethod": methods,
            "keyAgreement": [keys[0].0],
            "authentication": [keys[1].0],
            "service": [],
        });
        let secrets = keys.iter().map(|(kid, jwk)| json!({"kid": kid, "jwk": jwk})).collect();
        Self { did, document, secrets }
    }

    /// The same with a service.
    pub fn reached_at(mut self, uri: &str, routing_keys: &[String]) -> Self {
        self.document["service"] = json!([{
            "id": format!("{}#didcomm", self.did),
            "type": "DIDCommMessaging",
            "serviceEndpoint": {"uri": uri, "accept": ["didcomm/v2"], "routingKeys": routing_keys},
        }]);
        self
    }

    /// Its key of key agreement.
    pub fn agree(&self) -> String {
        format!("{}#agree", self.did)
    }

    /// Its key of signatures.
    pub fn sign(&self) -> String {
        format!("{}#sign", self.did)
    }
}

fn method(did: &str, kid: &str, jwk: &Map<String, Value>) -> Value {
    let mut public = jwk.clone();
    public.remove("d");
    json!({"id": kid, "type": "JsonWebKey2020", "controller": did, "publicKeyJwk": public})
}
