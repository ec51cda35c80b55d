//! Our library in the same conversations.

use std::collections::HashMap;

use didagent_didcomm::did::{DidDocument, PublicKey, VerificationMethod};
use didagent_didcomm::envelope::{self, ContentEncryption, Keyring, Layers, Unpacked};
use didagent_didcomm::keys::{AgreementSecret, SigningSecret};
use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::b64url_decode;
use didagent_didcomm::protocols::routing::{Forward, PayloadForm};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use serde_json::{Value, json};

use super::case::{Case, Kind};
use super::driver::Refusal;
use super::identity::Identity;

/// After every message of these tests was made; none expires.
const NOW: u64 = 1_700_000_001;

/// Documents and secrets as our library takes them.
struct World {
    documents: HashMap<String, DidDocument>,
    secrets: Keyring,
}

impl World {
    /// With the documents of all and the secrets of one.
    fn of(known: &[&Identity], own: &Identity) -> Self {
        let documents = known.iter().map(|party| (party.did.clone(), document(&party.document))).collect();
        let mut secrets = Keyring::default();
        for secret in &own.secrets {
            let (kid, jwk) =
                (secret["kid"].as_str().expect("a kid"), secret["jwk"].as_object().expect("a JWK"));
            if kid == own.agree() {
                let secret = AgreementSecret::from_jwk(jwk).expect("a key that agrees");
                secrets.agreement.insert(kid.to_owned(), secret);
            } else {
                let secret = SigningSecret::from_jwk(jwk).expect("a key that signs");
                secrets.signing.insert(kid.to_owned(), secret);
            }
        }
        Self { documents, secrets }
    }

    fn unpack(&self, packed: &str) -> Result<Unpacked, Refusal> {
        envelope::unpack(packed.as_bytes(), &self.secrets, &self.documents, NOW)
            .map_err(|error| Refusal(format!("ours: {error}")))
    }
}

/// Reads a document of [`Identity`].
fn document(json: &Value) -> DidDocument {
    let texts = |name: &str| -> Vec<String> {
        let list = json[name].as_array().expect("a list");
        list.iter().map(|text| text.as_str().expect("an id").to_owned()).collect()
    };
    let mut document = DidDocument::new(json["id"].as_str().expect("an id"));
    for method in json["verificationMethod"].as_array().expect("a list") {
        let jwk = method["publicKeyJwk"].as_object().expect("a JWK");
        document.verification_methods.push(VerificationMethod {
            id: method["id"].as_str().expect("an id").to_owned(),
            alias: None,
            key: PublicKey::from_jwk(jwk).expect("a key of these tests"),
        });
    }
    document.key_agreement = texts("keyAgreement");
    document.authentication = texts("authentication");
    document
}

/// Writes the envelope of a case.
///
/// # Errors
/// What ours does not write, beginning with `ours:`.
pub fn pack(
    case: &Case,
    message: &Value,
    from: &Identity,
    to: &Identity,
    mediator: &Identity,
) -> Result<String, Refusal> {
    let World { documents, secrets } = &World::of(&[from, to, mediator], from);
    let rng = &mut ChaCha20Rng::seed_from_u64(1);
    let message: Message = serde_json::from_value(message.clone()).expect("a message of these tests");
    let (sender, recipient, signer, mediator_key) = (from.agree(), to.agree(), from.sign(), mediator.agree());
    let content = content(case);
    let (signers, recipients) = (&[signer.as_str()][..], &[recipient.as_str()][..]);
    let layers = Layers {
        signers: if case.kind.signs() { signers } else { &[] },
        sender: case.kind.authenticates().then_some(sender.as_str()),
        hidden: case.kind == Kind::AnonAuth,
        recipients: if case.enc.is_some() { recipients } else { &[] },
        content,
    };
    let mut packed = envelope::pack(&message, &layers, secrets, documents, rng).map(text);
    if case.kind.forwards() {
        let around = Layers { recipients: &[mediator_key.as_str()], content, ..Layers::default() };
        packed = packed.and_then(|inner| {
            let forward = Forward::new(&to.did, inner).message("forward-1", PayloadForm::Json);
            envelope::pack(&forward.to(&mediator.did), &around, secrets, documents, rng).map(text)
        });
    }
    packed.map_err(|error| Refusal(format!("ours: {error}")))
}

fn text(packed: Vec<u8>) -> String {
    String::from_utf8(packed).expect("JSON")
}

fn content(case: &Case) -> ContentEncryption {
    match case.enc {
        Some("A256CBC-HS512") => ContentEncryption::A256CbcHs512,
        Some("A256GCM") => ContentEncryption::A256Gcm,
        _ => ContentEncryption::Xc20p,
    }
}

/// Reads an envelope as `own`; answers as a driver does.
///
/// # Errors
/// Why ours does not read it, beginning with `ours:`.
pub fn unpack(packed: &str, own: &Identity, known: &[&Identity]) -> Result<Value, Refusal> {
    let unpacked = World::of(known, own).unpack(packed)?;
    let message = serde_json::to_value(&unpacked.message).expect("a message");
    let (sender, signer) = (unpacked.sender.map(|of| of.kid), unpacked.signer.map(|of| of.kid));
    Ok(json!({"message": message, "sender": sender, "signer": signer}))
}

/// Takes a forward out of its envelope as the mediator does: for whom it is, and what is passed on.
///
/// # Errors
/// Why ours does not read it, beginning with `ours:`.
pub fn forwarded(
    packed: &str,
    mediator: &Identity,
    known: &[&Identity],
) -> Result<(String, String), Refusal> {
    let unpacked = World::of(known, mediator).unpack(packed)?;
    let forward = Forward::try_from(&unpacked.message).map_err(|error| Refusal(format!("ours: {error}")))?;
    Ok((forward.next_did().to_owned(), forward.payloads[0].clone()))
}

/// The JSON in a part of a JWE or JWS.
pub fn json_of(part: &str) -> Option<Value> {
    serde_json::from_slice(&b64url_decode(part)?).ok()
}
