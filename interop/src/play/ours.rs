//! Our library in the same conversations.

use std::collections::HashMap;

use didagent_didcomm::did::{DidDocument, PublicKey, VerificationMethod};
use didagent_didcomm::envelope::{self, Unpacked};
use didagent_didcomm::keys::X25519Secret;
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
    secrets: HashMap<String, X25519Secret>,
}

impl World {
    /// With the documents of all and the secrets of one.
    fn of(known: &[&Identity], own: &Identity) -> Self {
        let documents = known.iter().map(|party| (party.did.clone(), document(&party.document))).collect();
        let secret = |secret: &Value| {
            let kid = secret["kid"].as_str()?.to_owned();
            let jwk = secret["jwk"].as_object()?;
            if jwk.get("crv")? != "X25519" {
                return None;
            }
            let scalar = b64url_decode(jwk.get("d")?.as_str()?)?;
            Some((kid, X25519Secret::from_bytes(scalar.try_into().ok()?)))
        };
        Self { documents, secrets: own.secrets.iter().filter_map(secret).collect() }
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
    if case.curve != "X25519" {
        return Err(Refusal("ours: not written".to_owned()));
    }
    let world = World::of(&[from, to, mediator], from);
    let (World { documents, secrets }, rng) = (&world, &mut ChaCha20Rng::seed_from_u64(1));
    let message: Message = serde_json::from_value(message.clone()).expect("a message of these tests");
    let (sender, recipient) = (from.agree(), to.agree());
    let authcrypt = |rng: &mut ChaCha20Rng| {
        envelope::authcrypt(&message, &sender, &[&recipient], secrets, documents, rng)
    };
    let packed = match (case.kind, case.enc) {
        (Kind::Plain, _) => return Ok(serde_json::to_string(&message).expect("a message")),
        (Kind::Anon, Some("XC20P")) => envelope::anoncrypt(&message, &[&recipient], documents, rng),
        (Kind::Auth, _) => authcrypt(rng),
        (Kind::AnonAuth, Some("XC20P")) => {
            envelope::sealed(&message, &sender, &recipient, secrets, documents, rng)
        }
        (Kind::Forward | Kind::ForwardKeys, Some("XC20P")) => authcrypt(rng).and_then(|inner| {
            let inner = String::from_utf8(inner).expect("JSON");
            let forward = Forward::new(&to.did, inner).message("forward-1", PayloadForm::Json);
            envelope::anoncrypt(&forward.to(&mediator.did), &[&mediator.agree()], documents, rng)
        }),
        _ => return Err(Refusal("ours: not written".to_owned())),
    };
    packed.map(|jwe| String::from_utf8(jwe).expect("JSON")).map_err(|error| Refusal(format!("ours: {error}")))
}

/// Reads an envelope as `own`; answers as a driver does.
///
/// # Errors
/// Why ours does not read it, beginning with `ours:`.
pub fn unpack(packed: &str, own: &Identity, known: &[&Identity]) -> Result<Value, Refusal> {
    let unpacked = World::of(known, own).unpack(packed)?;
    let message = serde_json::to_value(&unpacked.message).expect("a message");
    Ok(json!({"message": message, "sender": unpacked.sender.map(|sender| sender.kid)}))
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
