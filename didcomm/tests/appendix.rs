//! The ten examples of DIDComm Messaging v2.1, Appendix C, opened with the key of every recipient, and the sets that a public
//! library ships.

#![allow(clippy::panic, clippy::unwrap_used)]

use std::collections::HashMap;

use didagent_didcomm::did::{DidDocument, PublicKey, VerificationMethod};
use didagent_didcomm::envelope::{ContentEncryption, Keyring, Layers, UnpackError, Unpacked, pack, unpack};
use didagent_didcomm::keys::{AgreementSecret, SigningSecret};
use didagent_didcomm::message::Message;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use serde_json::{Map, Value};

const KEYS: &str = include_str!("../../spec/vectors/didcomm/appendix-keys.json");
const PLAINTEXT: &str = include_str!("../../spec/vectors/didcomm/appendix-plaintext.json");
const LIBRARY: &str = include_str!("../../spec/vectors/didcomm/library-didcomm-rust.json");

/// `kid` of the signature.
const SIGNED: [(&str, &str); 3] = [
    (include_str!("../../spec/vectors/didcomm/appendix-signed-eddsa.json"), "#key-1"),
    (include_str!("../../spec/vectors/didcomm/appendix-signed-es256.json"), "#key-2"),
    (include_str!("../../spec/vectors/didcomm/appendix-signed-es256k.json"), "#key-3"),
];

/// How many keys open it, whether the outer layer is anonymous, and the keys of Alice that send and sign.
type Encrypted = (&'static str, usize, bool, Option<&'static str>, Option<&'static str>);

const ENCRYPTED: [Encrypted; 6] = [
    (include_str!("../../spec/vectors/didcomm/appendix-anoncrypt-x25519-xc20p.json"), 3, true, None, None),
    (
        include_str!("../../spec/vectors/didcomm/appendix-anoncrypt-p384-a256cbc-hs512.json"),
        2,
        true,
        None,
        None,
    ),
    (include_str!("../../spec/vectors/didcomm/appendix-anoncrypt-p521-a256gcm.json"), 2, true, None, None),
    (
        include_str!("../../spec/vectors/didcomm/appendix-authcrypt-x25519-a256cbc-hs512.json"),
        3,
        false,
        Some("#key-x25519-1"),
        None,
    ),
    (
        include_str!("../../spec/vectors/didcomm/appendix-authcrypt-p256-of-signed.json"),
        2,
        false,
        Some("#key-p256-1"),
        Some("#key-1"),
    ),
    (
        include_str!("../../spec/vectors/didcomm/appendix-anoncrypt-p521-of-authcrypt-of-signed.json"),
        2,
        true,
        Some("#key-p521-1"),
        Some("#key-1"),
    ),
];

/// Between `created_time` and `expires_time` of the examples.
const THEN: u64 = 1_516_300_000;

type Documents = HashMap<String, DidDocument>;

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn keys() -> Vec<Map<String, Value>> {
    parsed(KEYS)["keys"].as_array().unwrap().iter().map(|key| key.as_object().unwrap().clone()).collect()
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap()
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

fn add_documents(documents: &mut Documents, vectors: &Value) {
    for entry in vectors["documents"].as_array().unwrap() {
        let mut document = DidDocument::new(text(entry, "id"));
        document.authentication = strings(&entry["authentication"]);
        document.key_agreement = strings(&entry["keyAgreement"]);
        for kid in document.authentication.iter().chain(&document.key_agreement) {
            let jwk = vectors["keys"].as_array().unwrap().iter().find(|key| key["kid"] == **kid).unwrap();
            let key = PublicKey::from_jwk(jwk.as_object().unwrap()).unwrap();
            document.verification_methods.push(VerificationMethod { id: kid.clone(), alias: None, key });
        }
        documents.insert(document.id.clone(), document);
    }
}

fn documents() -> Documents {
    let mut documents = Documents::new();
    add_documents(&mut documents, &parsed(KEYS));
    add_documents(&mut documents, &parsed(LIBRARY));
    documents
}

/// The secrets whose key id passes.
fn only(wanted: impl Fn(&str) -> bool) -> Keyring {
    let mut ring = Keyring::default();
    for jwk in keys() {
        let kid = jwk["kid"].as_str().unwrap().to_owned();
        if !wanted(&kid) {
            continue;
        }
        if let Ok(secret) = AgreementSecret::from_jwk(&jwk) {
            ring.agreement.insert(kid.clone(), secret);
        }
        if let Ok(secret) = SigningSecret::from_jwk(&jwk) {
            ring.signing.insert(kid, secret);
        }
    }
    ring
}

fn envelope(vector: &str) -> (Vec<u8>, Vec<String>) {
    let jwe = &parsed(vector)["jwe"];
    let recipients = jwe["recipients"].as_array().unwrap().iter();
    (serde_json::to_vec(jwe).unwrap(), recipients.map(|r| text(&r["header"], "kid").to_owned()).collect())
}

fn alice(fragment: Option<&str>) -> Option<String> {
    fragment.map(|fragment| format!("did:example:alice{fragment}"))
}

fn kids(unpacked: &Unpacked) -> (Option<String>, Option<String>) {
    let kid = |of: &Option<_>| {
        of.as_ref().map(|by: &didagent_didcomm::envelope::Authenticated| {
            assert_eq!(by.did, "did:example:alice");
            by.kid.clone()
        })
    };
    (kid(&unpacked.sender), kid(&unpacked.signer))
}

#[test]
fn the_keys_of_the_appendix_are_pairs() {
    let all = only(|_| true);
    assert_eq!(keys().len(), 15);
    let both = all.agreement.keys().filter(|kid| all.signing.contains_key(*kid)).count();
    assert_eq!(all.agreement.len() + all.signing.len() - both, 15, "none is refused");
}

/// Decides CN-07, CN-35.
#[test]
fn opens_each_encrypted_example_with_each_key() {
    let mut openings = 0;
    for (vector, count, hidden, sender, signer) in ENCRYPTED {
        let (jwe, recipients) = envelope(vector);
        assert_eq!(recipients.len(), count);
        for kid in recipients {
            let unpacked = unpack(&jwe, &only(|candidate| candidate == kid), &documents(), THEN).unwrap();
            assert_plaintext(&unpacked.message);
            assert_eq!(kids(&unpacked), (alice(sender), alice(signer)));
            assert_eq!(unpacked.recipient_kid, Some(kid));
            assert_eq!(unpacked.anonymous, hidden);
            assert!(unpacked.encrypted);
            openings += 1;
        }
    }
    assert_eq!(openings, 14);
}

/// Decides CN-26, CN-35.
#[test]
fn verifies_each_signed_example() {
    for (vector, fragment) in SIGNED {
        let jws = parsed(vector)["jws"].clone();
        let unpacked = unpack(jws.to_string().as_bytes(), &Keyring::default(), &documents(), THEN).unwrap();
        assert_plaintext(&unpacked.message);
        assert_eq!(kids(&unpacked), (None, alice(Some(fragment))));
        assert!(!unpacked.encrypted);
        for other in
            ["#key-1", "#key-2", "#key-3", "#key-x25519-1"].into_iter().filter(|other| *other != fragment)
        {
            let mut forged = jws.clone();
            forged["signatures"][0]["header"]["kid"] = alice(Some(other)).into();
            assert!(unpack(forged.to_string().as_bytes(), &Keyring::default(), &documents(), THEN).is_err());
        }
    }
}

/// Decides CN-05.
#[test]
fn writes_on_every_curve_what_it_reads() {
    let message = Message::new("1", "t", Value::Null).from("did:example:alice").to("did:example:bob");
    let rng = &mut ChaCha20Rng::seed_from_u64(1);
    let (all, documents) = (only(|_| true), documents());
    let curves = [("x25519", true), ("p256", true), ("p384", false), ("p521", true)];
    for (curve, alice_has) in curves {
        let kids = ["1", "2"].map(|number| format!("did:example:bob#key-{curve}-{number}"));
        let recipients = kids.each_ref().map(String::as_str);
        let from = format!("did:example:alice#key-{curve}-1");
        for (sender, hidden) in [(None, false), (Some(&*from), false), (Some(&*from), true)] {
            if sender.is_some() && !alice_has {
                continue;
            }
            for signer in ["#key-1", "#key-2", "#key-3"].map(|fragment| alice(Some(fragment)).unwrap()) {
                for content in
                    [ContentEncryption::Xc20p, ContentEncryption::A256Gcm, ContentEncryption::A256CbcHs512]
                {
                    let signers = [signer.as_str()];
                    let layers =
                        Layers { signers: &signers, sender, hidden, recipients: &recipients, content };
                    let jwe = pack(&message, &layers, &all, &documents, rng).unwrap();
                    let kid = recipients[usize::from(hidden)];
                    let got = unpack(&jwe, &only(|candidate| candidate == kid), &documents, THEN).unwrap();
                    assert_eq!(got.message, message);
                    assert_eq!(got.signer.unwrap().kid, signer);
                    assert_eq!(got.sender.map(|sender| sender.kid).as_deref(), sender);
                }
            }
        }
    }
    // A sender's key of another curve, and recipients of two.
    use didagent_didcomm::envelope::PackError::Curve;
    let try_pack = |sender, recipients: &[&str]| {
        let layers = Layers { sender, recipients, ..Layers::default() };
        pack(&message, &layers, &all, &documents, &mut ChaCha20Rng::seed_from_u64(1)).map(|_| ())
    };
    assert_eq!(try_pack(Some("did:example:alice#key-p256-1"), &["did:example:bob#key-x25519-1"]), Err(Curve));
    assert_eq!(try_pack(None, &["did:example:bob#key-p256-1", "did:example:bob#key-x25519-1"]), Err(Curve));
}

/// Decides CN-18.
#[test]
fn refuses_an_ephemeral_key_that_is_not_on_its_curve() {
    let (vector, ..) = ENCRYPTED[2];
    let (jwe, _) = envelope(vector);
    let mut jwe: Value = serde_json::from_slice(&jwe).unwrap();
    for (member, value) in [("y", Value::Null), ("y", "AA".into()), ("x", "A".repeat(88).into())] {
        let mut altered = jwe.clone();
        let protected = didagent_didcomm::protocols::b64url_decode(text(&jwe, "protected")).unwrap();
        let mut header: Value = serde_json::from_slice(&protected).unwrap();
        header["epk"][member] = value;
        let protected = didagent_didcomm::protocols::b64url_encode(header.to_string().as_bytes());
        altered["protected"] = protected.into();
        let got = unpack(altered.to_string().as_bytes(), &only(|_| true), &documents(), THEN);
        assert_eq!(got, Err(UnpackError::Malformed { what: "epk" }));
    }
    // A key of another curve than the recipient's.
    let (other, ..) = ENCRYPTED[1];
    jwe["protected"] = parsed(other)["jwe"]["protected"].clone();
    assert!(unpack(jwe.to_string().as_bytes(), &only(|_| true), &documents(), THEN).is_err());
}

/// Decides CN-35.
#[test]
fn reads_and_refuses_what_the_library_reads_and_refuses() {
    let library = parsed(LIBRARY);
    let (all, documents) = (only(|_| true), documents());
    let mut seen = 0;
    for (set, member) in [("plaintext", "message"), ("encrypted", "jwe")] {
        for entry in library[set].as_array().unwrap() {
            let got = unpack(entry[member].to_string().as_bytes(), &all, &documents, THEN);
            // v2.1 made `body` optional.
            let valid = entry["valid"] == true || entry["name"] == "INVALID_PLAINTEXT_MSG_NO_BODY";
            assert_eq!(got.is_ok(), valid, "{}: {got:?}", entry["name"]);
            if let Some(message) = got.ok().filter(|_| set == "plaintext").map(|got| got.message) {
                let mut again = serde_json::to_value(message).unwrap();
                if entry[member].get("body").is_none() {
                    again.as_object_mut().unwrap().remove("body");
                }
                assert_eq!(again, entry[member]);
            }
            seen += 1;
        }
    }
    assert_eq!(seen, 26 + 5);
}

#[test]
fn refuses_the_examples_after_their_time_and_with_other_keys() {
    let (jwe, kids) = envelope(ENCRYPTED[3].0);
    let one = only(|kid| kid == kids[0]);
    assert_eq!(
        unpack(&jwe, &one, &documents(), 1_516_385_932),
        Err(UnpackError::Expired { expires_time: 1_516_385_931 })
    );
    let sender = only(|kid| kid.contains("alice"));
    assert_eq!(unpack(&jwe, &sender, &documents(), THEN), Err(UnpackError::NotForUs));
    for curve in ["x25519-2", "p256-1", "p521-1"] {
        // A secret of somebody else, and one of another curve, under the name of the recipient.
        let mut other = only(|kid| kid == format!("did:example:bob#key-{curve}"));
        let secret = other.agreement.drain().next().unwrap().1;
        other.agreement.insert(kids[0].clone(), secret);
        assert_eq!(unpack(&jwe, &other, &documents(), THEN), Err(UnpackError::Undecryptable), "{curve}");
    }
}

/// The encrypted examples carry C.1 with a `typ` and with another `type` than C.1 prints.
fn assert_plaintext(message: &Message) {
    let expected = parsed(PLAINTEXT);
    let got = serde_json::to_value(message).unwrap();
    for member in ["id", "from", "to", "created_time", "expires_time", "body"] {
        assert_eq!(got[member], expected["message"][member], "{member}");
    }
    assert_eq!(got["typ"], "application/didcomm-plain+json");
    assert!(message.type_.ends_with("://example.com/protocols/lets_do_lunch/1.0/proposal"));
}
