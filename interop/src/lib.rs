//! Other people's DIDComm libraries and ours.
//!
//! [`play`] has the same conversations with each of them. The rest is for the tests of one, the `didcomm` crate of SICPA:
//! one identity as both libraries see it, and in [`adapter`] that crate in the place of our envelope.
//!
//! Every identity is a did:peer:2 of ours, made from a seed. Our library resolves it from the identifier; the other one
//! has no did:peer, so it is handed the document and the secrets through its example resolvers.

pub mod adapter;
pub mod play;

use std::collections::HashMap;

use didagent_didcomm::did::{DidDocument, PublicKey, peer2, resolve_offline};
use didagent_didcomm::keys::{Ed25519Secret, X25519Secret};
use didagent_didcomm::protocols::b64url_encode;
use didcomm::did::resolvers::ExampleDIDResolver;
use didcomm::did::{
    DIDCommMessagingService, DIDDoc, Service, ServiceKind, VerificationMaterial, VerificationMethod,
    VerificationMethodType,
};
use didcomm::secrets::resolvers::ExampleSecretsResolver;
use didcomm::secrets::{Secret, SecretMaterial, SecretType};
use didcomm::{Message, UnpackMetadata, UnpackOptions};
use futures_executor::block_on;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use serde_json::{Value, json};

/// A party with one DID and one X25519 key for each of its devices.
#[derive(Debug)]
pub struct Party {
    /// Its did:peer:2.
    pub did: String,
    /// Its key-agreement keys, as DID URLs.
    pub kids: Vec<String>,
    /// Their secrets, by DID URL.
    pub secrets: HashMap<String, X25519Secret>,
}

impl Party {
    /// Makes a party with one key and no service.
    pub fn new(seed: u64) -> Self {
        Self::with(seed, 1, None)
    }

    /// Makes a party with `devices` keys, at least one, and perhaps a service.
    pub fn with(seed: u64, devices: usize, service: Option<&peer2::ServiceSpec>) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let authentication = Ed25519Secret::generate(&mut rng).public();
        let keys: Vec<_> = (0..devices).map(|_| X25519Secret::generate(&mut rng)).collect();
        let mut did = peer2::encode(&authentication, &keys[0].public(), service);
        for key in &keys[1..] {
            let other = peer2::encode(&authentication, &key.public(), None);
            did.push_str(&other[other.rfind('.').expect("an element of its own")..]);
        }
        let document = resolve_offline(&did).expect("a DID of ours");
        let kids: Vec<_> = document.key_agreement_kids().map(str::to_owned).collect();
        assert_eq!(kids.len(), devices);
        Self { did, secrets: kids.iter().cloned().zip(keys).collect(), kids }
    }

    /// Returns this party with only one of its keys: the device at `index`.
    pub fn device(&self, index: usize) -> Self {
        let kid = self.kids[index].clone();
        let secret = X25519Secret::from_bytes(*self.secrets[&kid].expose_bytes());
        Self { did: self.did.clone(), kids: self.kids.clone(), secrets: HashMap::from([(kid, secret)]) }
    }

    /// Returns the secrets as the other library takes them.
    pub fn their_secrets(&self) -> ExampleSecretsResolver {
        let secret = |(kid, secret): (&String, &X25519Secret)| their_secret(kid, secret);
        ExampleSecretsResolver::new(self.secrets.iter().map(secret).collect())
    }

    /// Reads an envelope with the other library.
    ///
    /// # Errors
    /// What that library answers.
    pub fn they_unpack(
        &self,
        envelope: &str,
        known: &[&Party],
    ) -> didcomm::error::Result<(Message, UnpackMetadata)> {
        // Its default opens a forward for us at once; here the layers are looked at one by one.
        let options = UnpackOptions { unwrap_re_wrapping_forward: false, ..UnpackOptions::default() };
        block_on(Message::unpack(envelope, &their_documents(known), &self.their_secrets(), &options))
    }
}

/// Returns the documents of `parties` as the other library takes them.
pub fn their_documents(parties: &[&Party]) -> ExampleDIDResolver {
    let document = |party: &&Party| their_document(&resolve_offline(&party.did).expect("a DID of ours"));
    ExampleDIDResolver::new(parties.iter().map(document).collect())
}

fn their_secret(kid: &str, secret: &X25519Secret) -> Secret {
    let mut jwk = jwk("X25519", &secret.public());
    jwk["d"] = b64url_encode(secret.expose_bytes()).into();
    Secret {
        id: kid.to_owned(),
        type_: SecretType::JsonWebKey2020,
        secret_material: SecretMaterial::JWK { private_key_jwk: jwk },
    }
}

fn their_document(document: &DidDocument) -> DIDDoc {
    let method = |method: &didagent_didcomm::did::VerificationMethod| VerificationMethod {
        id: method.id.clone(),
        type_: VerificationMethodType::JsonWebKey2020,
        controller: document.id.clone(),
        verification_material: VerificationMaterial::JWK {
            public_key_jwk: match method.key {
                PublicKey::Ed25519(key) => jwk("Ed25519", &key),
                PublicKey::X25519(key) => jwk("X25519", &key),
                other => panic!("a kind of key that this test does not know: {other:?}"),
            },
        },
    };
    let service = |service: &didagent_didcomm::did::Service| Service {
        id: service.id.clone(),
        service_endpoint: ServiceKind::DIDCommMessaging {
            value: DIDCommMessagingService {
                uri: service.uri.clone(),
                accept: Some(service.accept.clone()),
                routing_keys: service.routing_keys.clone(),
            },
        },
    };
    DIDDoc {
        id: document.id.clone(),
        key_agreement: document.key_agreement.clone(),
        authentication: document.authentication.clone(),
        verification_method: document.verification_methods.iter().map(method).collect(),
        service: document.services.iter().map(service).collect(),
    }
}

fn jwk(curve: &str, public: &[u8; 32]) -> Value {
    json!({ "kty": "OKP", "crv": curve, "x": b64url_encode(public) })
}
