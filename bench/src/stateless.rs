//! One DIDComm envelope for each payload: authcrypt, packed and unpacked by this project's library and by the `didcomm`
//! crate.
//!
//! Both write the same message: the payload as base64url text in the member `payload` of the body, the same headers, ECDH-1PU
//! with A256KW and A256CBC-HS512 from one X25519 key to one. Both resolve the two did:peer:2 on every call, from the
//! identifier; neither keeps anything but its own secret between calls. The identities have no service, which makes
//! the key ids, and with them the envelope, shorter than in real use.

use std::collections::HashMap;

use async_trait::async_trait;
use didagent_didcomm::did::{
    DidDocument, OfflineResolver, PublicKey, VerificationMethod as Method, peer2, resolve_offline,
};
use didagent_didcomm::envelope::{self, ContentEncryption, Layers};
use didagent_didcomm::keys::{Ed25519Secret, X25519Secret};
use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::routing::{Forward, PayloadForm};
use didagent_didcomm::protocols::types::FORWARD;
use didagent_didcomm::protocols::{b64url_decode, b64url_encode};
use didcomm::algorithms::AnonCryptAlg;
use didcomm::did::{DIDDoc, DIDResolver, VerificationMaterial, VerificationMethod, VerificationMethodType};
use didcomm::secrets::resolvers::ExampleSecretsResolver;
use didcomm::secrets::{Secret, SecretMaterial, SecretType};
use didcomm::{PackEncryptedOptions, UnpackOptions};
use futures_executor::block_on;
use serde_json::{Value, json};

use crate::stateful::system_rng;

/// Time of every message, UTC seconds.
pub(crate) const NOW: u64 = 1_800_000_000;
pub(crate) const TYPE: &str = "https://didcomm.org/basicmessage/2.0/message";

/// A DID with one X25519 key, and the secret of it in the form of each library.
struct Party {
    did: String,
    kid: String,
    ours: HashMap<String, X25519Secret>,
    theirs: ExampleSecretsResolver,
}

impl Party {
    fn generate() -> Self {
        let mut rng = system_rng();
        let authentication = Ed25519Secret::generate(&mut rng).public();
        let secret = X25519Secret::generate(&mut rng);
        let did = peer2::encode(&authentication, &secret.public(), None);
        let kid = format!("{did}#key-2");
        let mut private_key_jwk = jwk("X25519", &secret.public());
        private_key_jwk["d"] = b64url_encode(secret.expose_bytes()).into();
        let theirs = ExampleSecretsResolver::new(vec![Secret {
            id: kid.clone(),
            type_: SecretType::JsonWebKey2020,
            secret_material: SecretMaterial::JWK { private_key_jwk },
        }]);
        Self { did, ours: HashMap::from([(kid.clone(), secret)]), kid, theirs }
    }
}

/// A sender and a recipient.
pub struct Pair {
    sender: Party,
    recipient: Party,
}

impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pair").finish_non_exhaustive()
    }
}

impl Pair {
    /// Makes two identities.
    pub fn generate() -> Self {
        Self { sender: Party::generate(), recipient: Party::generate() }
    }

    /// Packs `payload` with this project's library.
    ///
    /// # Panics
    /// If the library refuses.
    pub fn we_pack(&self, payload: &[u8]) -> Vec<u8> {
        let message = Message::new("b2f5c6a0", TYPE, body(payload))
            .from(&self.sender.did)
            .to(&self.recipient.did)
            .times(NOW, NOW + 60);
        let (from, to) = (&self.sender.kid, [self.recipient.kid.as_str()]);
        envelope::authcrypt(&message, from, &to, &self.sender.ours, &OfflineResolver, &mut system_rng())
            .expect("an envelope of ours")
    }

    /// Unpacks with this project's library and returns the payload.
    ///
    /// # Panics
    /// If the library refuses, or takes the message for another one than it is.
    pub fn we_unpack(&self, envelope: &[u8]) -> Vec<u8> {
        let unpacked = envelope::unpack(envelope, &self.recipient.ours, &OfflineResolver, NOW)
            .expect("an envelope for the recipient");
        assert_eq!(unpacked.sender.expect("an authenticated sender").kid, self.sender.kid);
        payload_of(&unpacked.message.body)
    }

    /// Packs `payload` with the `didcomm` crate.
    ///
    /// # Panics
    /// If the library refuses.
    pub fn they_pack(&self, payload: &[u8]) -> Vec<u8> {
        let message = didcomm::Message::build("b2f5c6a0".into(), TYPE.into(), body(payload))
            .from(self.sender.did.clone())
            .to(self.recipient.did.clone())
            .created_time(NOW)
            .expires_time(NOW + 60)
            .finalize();
        let options = PackEncryptedOptions { forward: false, ..PackEncryptedOptions::default() };
        let (to, from) = (&self.recipient.did, Some(self.sender.did.as_str()));
        let packed = message.pack_encrypted(to, from, None, &PeerResolver, &self.sender.theirs, &options);
        block_on(packed).expect("an envelope of theirs").0.into_bytes()
    }

    /// Unpacks with the `didcomm` crate and returns the payload.
    ///
    /// # Panics
    /// If the library refuses, or takes the message for another one than it is.
    pub fn they_unpack(&self, envelope: &[u8]) -> Vec<u8> {
        let envelope = std::str::from_utf8(envelope).expect("JSON");
        let options = UnpackOptions { unwrap_re_wrapping_forward: false, ..UnpackOptions::default() };
        let unpacked = didcomm::Message::unpack(envelope, &PeerResolver, &self.recipient.theirs, &options);
        let (message, metadata) = block_on(unpacked).expect("an envelope for the recipient");
        assert_eq!(metadata.encrypted_from_kid.as_ref(), Some(&self.sender.kid));
        payload_of(&message.body)
    }
}

/// Content encryption of an anonymous envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anonymous {
    /// A256CBC-HS512.
    Cbc,
    /// XC20P.
    Xc20p,
}

/// Anonymous envelopes, and forwards in them. The recipient is whoever opens them: a party or a mediator.
impl Pair {
    /// Packs `payload` anonymously with this project's library.
    ///
    /// # Panics
    /// If the library refuses.
    pub fn we_anoncrypt(&self, payload: &[u8], content: Anonymous) -> Vec<u8> {
        let message =
            Message::new("b2f5c6a0", TYPE, body(payload)).to(&self.recipient.did).times(NOW, NOW + 60);
        self.we_seal(&message, content)
    }

    fn we_seal(&self, message: &Message, content: Anonymous) -> Vec<u8> {
        let content = match content {
            Anonymous::Cbc => ContentEncryption::A256CbcHs512,
            Anonymous::Xc20p => ContentEncryption::Xc20p,
        };
        let layers = Layers { recipients: &[&self.recipient.kid], content, ..Layers::default() };
        envelope::pack(message, &layers, &self.sender.ours, &OfflineResolver, &mut system_rng())
            .expect("an envelope of ours")
    }

    /// Opens an anonymous envelope with this project's library and returns the payload.
    ///
    /// # Panics
    /// If the library refuses.
    pub fn we_open(&self, envelope: &[u8]) -> Vec<u8> {
        let unpacked = envelope::unpack(envelope, &self.recipient.ours, &OfflineResolver, NOW);
        payload_of(&unpacked.expect("an envelope for the recipient").message.body)
    }

    /// Wraps `envelope` in a forward for the recipient as a mediator, with this project's library.
    ///
    /// # Panics
    /// If the library refuses.
    pub fn we_forward(&self, envelope: &[u8]) -> Vec<u8> {
        let envelope = std::str::from_utf8(envelope).expect("JSON");
        let forward = Forward::new(&self.sender.did, envelope).message("b2f5c6a0", PayloadForm::Json);
        self.we_seal(&forward.to(&self.recipient.did), Anonymous::Cbc)
    }

    /// Takes the next hop and the envelope for it out of a forward, with this project's library.
    ///
    /// # Panics
    /// If the library refuses.
    pub fn we_take_out(&self, forward: &[u8]) -> (String, String) {
        let unpacked = envelope::unpack(forward, &self.recipient.ours, &OfflineResolver, NOW);
        let message = unpacked.expect("an envelope for the mediator").message;
        let forward = Forward::try_from(&message).expect("a forward");
        (forward.next, forward.payloads.into_iter().next().expect("an attachment"))
    }

    /// Packs `payload` anonymously with the `didcomm` crate.
    ///
    /// # Panics
    /// If the library refuses.
    pub fn they_anoncrypt(&self, payload: &[u8], content: Anonymous) -> Vec<u8> {
        let message = didcomm::Message::build("b2f5c6a0".into(), TYPE.into(), body(payload))
            .to(self.recipient.did.clone())
            .created_time(NOW)
            .expires_time(NOW + 60)
            .finalize();
        self.they_seal(&message, content)
    }

    fn they_seal(&self, message: &didcomm::Message, content: Anonymous) -> Vec<u8> {
        let enc_alg_anon = match content {
            Anonymous::Cbc => AnonCryptAlg::A256cbcHs512EcdhEsA256kw,
            Anonymous::Xc20p => AnonCryptAlg::Xc20pEcdhEsA256kw,
        };
        let options =
            PackEncryptedOptions { forward: false, enc_alg_anon, ..PackEncryptedOptions::default() };
        let to = &self.recipient.did;
        let packed = message.pack_encrypted(to, None, None, &PeerResolver, &self.sender.theirs, &options);
        block_on(packed).expect("an envelope of theirs").0.into_bytes()
    }

    /// Opens an anonymous envelope with the `didcomm` crate and returns the payload.
    ///
    /// # Panics
    /// If the library refuses.
    pub fn they_open(&self, envelope: &[u8]) -> Vec<u8> {
        payload_of(&self.they_read(envelope).body)
    }

    fn they_read(&self, envelope: &[u8]) -> didcomm::Message {
        let envelope = std::str::from_utf8(envelope).expect("JSON");
        let options = UnpackOptions { unwrap_re_wrapping_forward: false, ..UnpackOptions::default() };
        let unpacked = didcomm::Message::unpack(envelope, &PeerResolver, &self.recipient.theirs, &options);
        block_on(unpacked).expect("an envelope for the recipient").0
    }

    /// Wraps `envelope` in a forward for the recipient as a mediator, with the `didcomm` crate.
    ///
    /// # Panics
    /// If the library refuses.
    pub fn they_forward(&self, envelope: &[u8]) -> Vec<u8> {
        let envelope = serde_json::from_slice(envelope).expect("JSON");
        let body = json!({ "next": self.sender.did });
        let message = didcomm::Message::build("b2f5c6a0".into(), FORWARD.into(), body)
            .attachment(didcomm::Attachment::json(envelope).finalize())
            .finalize();
        self.they_seal(&message, Anonymous::Cbc)
    }

    /// Takes the next hop and the envelope for it out of a forward, with the `didcomm` crate.
    ///
    /// # Panics
    /// If the library refuses.
    pub fn they_take_out(&self, forward: &[u8]) -> (String, String) {
        let message = self.they_read(forward);
        let forward = didcomm::protocols::routing::try_parse_forward(&message).expect("a forward");
        (forward.next, serde_json::to_string(&forward.forwarded_msg).expect("JSON"))
    }
}

pub(crate) fn body(payload: &[u8]) -> Value {
    json!({ "payload": b64url_encode(payload) })
}

pub(crate) fn payload_of(body: &Value) -> Vec<u8> {
    body["payload"].as_str().and_then(b64url_decode).expect("a payload in base64url")
}

/// Resolves a did:peer:2 for the other library, which has no such method: with ours, and a copy into its types.
struct PeerResolver;

#[async_trait(?Send)]
impl DIDResolver for PeerResolver {
    async fn resolve(&self, did: &str) -> didcomm::error::Result<Option<DIDDoc>> {
        Ok(resolve_offline(did).ok().as_ref().map(their_document))
    }
}

fn their_document(document: &DidDocument) -> DIDDoc {
    let method = |method: &Method| {
        let public_key_jwk = match method.key {
            PublicKey::Ed25519(key) => jwk("Ed25519", &key),
            PublicKey::X25519(key) => jwk("X25519", &key),
            _ => return None,
        };
        Some(VerificationMethod {
            id: method.id.clone(),
            type_: VerificationMethodType::JsonWebKey2020,
            controller: document.id.clone(),
            verification_material: VerificationMaterial::JWK { public_key_jwk },
        })
    };
    DIDDoc {
        id: document.id.clone(),
        key_agreement: document.key_agreement.clone(),
        authentication: document.authentication.clone(),
        verification_method: document.verification_methods.iter().filter_map(method).collect(),
        service: Vec::new(),
    }
}

fn jwk(curve: &str, public: &[u8; 32]) -> Value {
    json!({ "kty": "OKP", "crv": curve, "x": b64url_encode(public) })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::Pair;
    use crate::{SIZES, payload};

    #[test]
    fn both_libraries_read_what_both_write() {
        let pair = Pair::generate();
        for payload in SIZES.map(payload) {
            for envelope in [pair.we_pack(&payload), pair.they_pack(&payload)] {
                assert_eq!(pair.we_unpack(&envelope), payload);
                assert_eq!(pair.they_unpack(&envelope), payload);
            }
        }
    }

    #[test]
    fn both_libraries_open_what_both_wrote_to_nobody_known() {
        let pair = Pair::generate();
        for content in [super::Anonymous::Cbc, super::Anonymous::Xc20p] {
            for envelope in [pair.we_anoncrypt(b"x", content), pair.they_anoncrypt(b"x", content)] {
                assert_eq!(
                    (pair.we_open(&envelope), pair.they_open(&envelope)),
                    (b"x".to_vec(), b"x".to_vec())
                );
            }
        }
        let inner = pair.we_pack(b"x");
        for forward in [pair.we_forward(&inner), pair.they_forward(&inner)] {
            for (next, text) in [pair.we_take_out(&forward), pair.they_take_out(&forward)] {
                assert_eq!(next, pair.sender.did);
                let [text, inner] =
                    [text.as_bytes(), &inner].map(|text| serde_json::from_slice::<Value>(text).unwrap());
                assert_eq!(text, inner);
            }
        }
    }

    #[test]
    fn both_libraries_use_the_same_algorithms_for_as_many_recipients() {
        let pair = Pair::generate();
        let described = |envelope: Vec<u8>| {
            let jwe: Value = serde_json::from_slice(&envelope).unwrap();
            let protected = super::b64url_decode(jwe["protected"].as_str().unwrap()).unwrap();
            let protected: Value = serde_json::from_slice(&protected).unwrap();
            let recipients = jwe["recipients"].as_array().unwrap().len();
            (protected["alg"].clone(), protected["enc"].clone(), recipients)
        };
        let ours = described(pair.we_pack(b"x"));
        assert_eq!(ours, described(pair.they_pack(b"x")));
        assert_eq!(ours, ("ECDH-1PU+A256KW".into(), "A256CBC-HS512".into(), 1));
    }
}
