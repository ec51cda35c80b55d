//! What an envelope must not get away with. Each forgery is encrypted correctly, by somebody who has a key.

mod format;
mod prior;
mod signed;

use std::collections::HashMap;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::content::ContentEncryption;

use super::seal::{Sealing, Sender};
use super::{
    MAX_ENVELOPE_BYTES, MAX_RECIPIENTS, PackError, UnpackError, anoncrypt, authcrypt, jws, sealed, unpack,
};
use crate::base64url;
use crate::did::{DidDocument, DidError, OfflineResolver, PublicKey, VerificationMethod, did_of, peer2};
use crate::keys::{Ed25519Secret, X25519Secret};
use crate::message::Message;

const NOW: u64 = 1_700_000_000;
const CBC: ContentEncryption = ContentEncryption::A256CbcHs512;
const XC20P: ContentEncryption = ContentEncryption::Xc20p;

struct Party {
    did: String,
    kid: String,
    secrets: HashMap<String, X25519Secret>,
    signing: Ed25519Secret,
}

impl Party {
    fn new(seed: u8) -> Self {
        let secret = X25519Secret::from_bytes([seed; 32]);
        let signing = Ed25519Secret::from_bytes(&[seed; 32]);
        let did = peer2::encode(&signing.public(), &secret.public(), None);
        let kid = format!("{did}#key-2");
        Self { did, secrets: HashMap::from([(kid.clone(), secret)]), kid, signing }
    }

    fn secret(&self) -> &X25519Secret {
        &self.secrets[&self.kid]
    }

    fn sender(&self) -> Sender<'_> {
        Sender { kid: &self.kid, secret: self.secret() }
    }

    fn recipient(&self) -> (&str, PublicKey) {
        (&self.kid, PublicKey::X25519(self.secret().public()))
    }

    /// The key that signs.
    fn authentication(&self) -> String {
        format!("{}#key-1", self.did)
    }

    /// Signs any bytes, with none of the checks of `pack`.
    fn sign(&self, payload: &[u8]) -> Vec<u8> {
        jws::sign(payload, &[(&self.authentication(), &self.signing)]).unwrap()
    }

    fn unpack(&self, bytes: &[u8]) -> Result<super::Unpacked, UnpackError> {
        unpack(bytes, &self.secrets, &OfflineResolver, NOW)
    }
}

fn parties() -> (Party, Party, Party) {
    (Party::new(1), Party::new(2), Party::new(3))
}

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(4)
}

fn message(from: &Party, to: &Party) -> Message {
    Message::new("1", "https://example.com/p/1.0/m", json!({"x": 1})).from(&from.did).to(&to.did)
}

fn plaintext(message: &Message) -> Vec<u8> {
    serde_json::to_vec(message).unwrap()
}

/// Encrypts any bytes, with none of the checks of `pack`.
fn seal(
    sender: Option<Sender<'_>>,
    to: (&str, PublicKey),
    enc: ContentEncryption,
    plaintext: &[u8],
) -> Vec<u8> {
    Sealing::new(sender, &[to], enc, &mut rng()).unwrap().seal(plaintext.to_vec(), &mut rng()).unwrap()
}

fn malformed(what: &'static str) -> Result<super::Unpacked, UnpackError> {
    Err(UnpackError::Malformed { what })
}

fn unsupported(what: &'static str) -> Result<super::Unpacked, UnpackError> {
    Err(UnpackError::Unsupported { what })
}

/// Decides CN-05.
#[test]
fn each_kind_of_envelope_says_what_it_proves() {
    let (alice, bob, _) = parties();
    let sent = message(&alice, &bob);
    let offline = &OfflineResolver;

    let jwe = authcrypt(&sent, &alice.kid, &[&bob.kid], &alice.secrets, offline, &mut rng()).unwrap();
    let got = bob.unpack(&jwe).unwrap();
    let sender = got.sender.unwrap();
    assert_eq!((sender.did, sender.kid), (alice.did.clone(), alice.kid.clone()));
    assert_eq!((got.message, got.anonymous, got.encrypted), (sent.clone(), false, true));

    let jwe = anoncrypt(&sent, &[&bob.kid], offline, &mut rng()).unwrap();
    let got = bob.unpack(&jwe).unwrap();
    assert_eq!((got.sender, got.anonymous, got.encrypted), (None, true, true));

    let jwe = sealed(&sent, &alice.kid, &bob.kid, &alice.secrets, offline, &mut rng()).unwrap();
    let outer: Value = serde_json::from_slice(&jwe).unwrap();
    let header = base64url::decode(outer["protected"].as_str().unwrap()).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    assert_eq!((&header["skid"], &header["apu"]), (&Value::Null, &Value::Null));
    let got = bob.unpack(&jwe).unwrap();
    assert_eq!(got.sender.unwrap().kid, alice.kid);
    assert!(got.anonymous && got.encrypted);

    let got = bob.unpack(&plaintext(&sent)).unwrap();
    assert_eq!((got.sender, got.recipient_kid, got.anonymous, got.encrypted), (None, None, false, false));
}

/// Decides CN-11.
#[test]
fn rejects_a_sender_who_names_somebody_else() {
    let (alice, bob, mallory) = parties();
    let forged = plaintext(&message(&alice, &bob));
    let jwe = seal(Some(mallory.sender()), bob.recipient(), CBC, &forged);
    assert_eq!(bob.unpack(&jwe), Err(UnpackError::SenderMismatch));
    // The same inside an anonymous layer.
    let jwe = seal(None, bob.recipient(), XC20P, &jwe);
    assert_eq!(bob.unpack(&jwe), Err(UnpackError::SenderMismatch));
    // The same key id, whose key Mallory does not have.
    let sender = Sender { kid: &alice.kid, secret: mallory.secret() };
    let jwe = seal(Some(sender), bob.recipient(), CBC, &forged);
    assert_eq!(bob.unpack(&jwe), Err(UnpackError::Undecryptable));
}

/// Decides CN-11.
#[test]
fn rejects_authcrypt_without_from_or_with_two() {
    let (alice, bob, mallory) = parties();
    let mut anonymous = message(&alice, &bob);
    anonymous.from = None;
    let jwe = seal(Some(mallory.sender()), bob.recipient(), CBC, &plaintext(&anonymous));
    assert_eq!(bob.unpack(&jwe), Err(UnpackError::SenderMismatch));

    let two = format!(r#"{{"id":"1","type":"t","from":"{}","from":"{}"}}"#, mallory.did, alice.did);
    let jwe = seal(Some(mallory.sender()), bob.recipient(), CBC, two.as_bytes());
    assert_eq!(bob.unpack(&jwe), malformed("message"));
    // A DID URL is not the DID, even if it begins with it.
    let mut url = message(&alice, &bob);
    url.from = Some(alice.kid.clone());
    let jwe = seal(Some(alice.sender()), bob.recipient(), CBC, &plaintext(&url));
    assert_eq!(bob.unpack(&jwe), Err(UnpackError::SenderMismatch));
}

/// Decides CN-23.
#[test]
fn an_anonymous_message_that_names_a_sender_proves_nothing() {
    let (alice, bob, _) = parties();
    let jwe = seal(None, bob.recipient(), XC20P, &plaintext(&message(&alice, &bob)));
    assert_eq!(bob.unpack(&jwe).unwrap().sender, None);
}

/// Decides CN-15.
#[test]
fn rejects_mail_for_somebody_else() {
    let (alice, bob, mallory) = parties();
    // Mallory got a message from Alice and passes it on to Bob; here with Alice's key, to show that `to` alone decides.
    let jwe = seal(Some(alice.sender()), bob.recipient(), CBC, &plaintext(&message(&alice, &mallory)));
    assert_eq!(bob.unpack(&jwe), Err(UnpackError::RecipientMismatch));
    let jwe = seal(None, bob.recipient(), XC20P, &plaintext(&message(&alice, &mallory)));
    assert_eq!(bob.unpack(&jwe), Err(UnpackError::RecipientMismatch));

    let mut everybody = message(&alice, &mallory).to(&bob.did);
    let jwe = seal(Some(alice.sender()), bob.recipient(), CBC, &plaintext(&everybody));
    assert!(bob.unpack(&jwe).is_ok());
    everybody.to = None;
    let jwe = seal(Some(alice.sender()), bob.recipient(), CBC, &plaintext(&everybody));
    assert!(bob.unpack(&jwe).is_ok());
}

/// Decides CN-12.
#[test]
fn takes_the_sender_from_apu_when_skid_is_absent_and_rejects_a_difference() {
    let (alice, bob, mallory) = parties();
    let text = plaintext(&message(&alice, &bob));
    let to = [bob.recipient()];
    let sealing = || Sealing::new(Some(alice.sender()), &to, CBC, &mut rng()).unwrap();

    let mut without_skid = sealing();
    without_skid.header.skid = None;
    let got = bob.unpack(&without_skid.seal(text.clone(), &mut rng()).unwrap()).unwrap();
    assert_eq!(got.sender.unwrap().kid, alice.kid);

    let mut without_apu = sealing();
    without_apu.header.apu = &[];
    assert_eq!(
        bob.unpack(&without_apu.seal(text.clone(), &mut rng()).unwrap()),
        malformed("authcrypt without apu")
    );

    let mut other_apu = sealing();
    other_apu.header.apu = mallory.kid.as_bytes();
    assert_eq!(bob.unpack(&other_apu.seal(text.clone(), &mut rng()).unwrap()), malformed("apu is not skid"));

    let mut anoncrypt_with_skid = Sealing::new(None, &to, XC20P, &mut rng()).unwrap();
    anoncrypt_with_skid.header.skid = Some(&alice.kid);
    assert_eq!(
        bob.unpack(&anoncrypt_with_skid.seal(text.clone(), &mut rng()).unwrap()),
        malformed("skid under anoncrypt")
    );
}

/// Decides CN-13.
#[test]
fn rejects_an_apv_of_other_recipients() {
    let (alice, bob, mallory) = parties();
    let to = [bob.recipient()];
    let mut sealing = Sealing::new(Some(alice.sender()), &to, CBC, &mut rng()).unwrap();
    sealing.header.apv = super::jwe::apv([mallory.kid.as_str()].into_iter());
    let jwe = sealing.seal(plaintext(&message(&alice, &bob)), &mut rng()).unwrap();
    assert_eq!(bob.unpack(&jwe), malformed("apv is not the hash of the recipients"));
}

/// Decides CN-14.
#[test]
fn rejects_unresolvable_senders_and_keys_that_are_not_for_agreement() {
    let (alice, bob, _) = parties();
    let text = plaintext(&message(&alice, &bob));
    let send = |kid: &str| {
        let sender = Sender { kid, secret: alice.secret() };
        bob.unpack(&seal(Some(sender), bob.recipient(), CBC, &text))
    };
    let unresolved = DidError::UnsupportedMethod;
    assert_eq!(send("did:web:example.com#k"), Err(UnpackError::UnresolvedSender(unresolved)));
    assert_eq!(send(&format!("{}#key-1", alice.did)), Err(UnpackError::UnknownSenderKey));
    assert_eq!(send(&format!("{}#key-3", alice.did)), Err(UnpackError::UnknownSenderKey));
    assert_eq!(send(&alice.did), Err(UnpackError::UnknownSenderKey));

    // A resolver that answers with the document of another DID, which lists a key under Alice's name.
    let mut other = DidDocument::new("did:example:other");
    other.key_agreement.push(alice.kid.clone());
    other.verification_methods.push(VerificationMethod {
        id: alice.kid.clone(),
        alias: None,
        key: PublicKey::X25519(alice.secret().public()),
    });
    let text = plaintext(&Message::new("1", "t", Value::Null).from("did:example:other").to(&bob.did));
    let jwe = seal(Some(alice.sender()), bob.recipient(), CBC, &text);
    let wrong = HashMap::from([(alice.did.clone(), other)]);
    assert_eq!(unpack(&jwe, &bob.secrets, &wrong, NOW), Err(UnpackError::UnknownSenderKey));
}

/// Decides CN-16.
#[test]
fn refuses_messages_after_their_time() {
    let (alice, bob, _) = parties();
    for (expires, expected) in [(NOW - 1, false), (NOW, true), (NOW + 1, true)] {
        let text = plaintext(&message(&alice, &bob).times(NOW - 10, expires));
        let auth = seal(Some(alice.sender()), bob.recipient(), CBC, &text);
        for bytes in [&auth, &seal(None, bob.recipient(), XC20P, &auth), &text] {
            let got = bob.unpack(bytes);
            if expected {
                assert!(got.is_ok());
            } else {
                assert_eq!(got, Err(UnpackError::Expired { expires_time: expires }));
            }
        }
    }
}

/// Decides CN-17.
#[test]
fn layers_must_be_for_the_same_did() {
    let (alice, bob, _) = parties();
    // A second DID of Bob: Mallory wraps what Alice sent to the first for the second.
    let second = Party::new(9);
    let mut bob_with_both = HashMap::from([(second.kid.clone(), X25519Secret::from_bytes([9; 32]))]);
    bob_with_both.insert(bob.kid.clone(), X25519Secret::from_bytes([2; 32]));
    let inner = seal(Some(alice.sender()), bob.recipient(), CBC, &plaintext(&message(&alice, &bob)));
    let outer = seal(None, second.recipient(), XC20P, &inner);
    assert_eq!(unpack(&outer, &bob_with_both, &OfflineResolver, NOW), Err(UnpackError::LayerMismatch));
    let outer = seal(None, bob.recipient(), XC20P, &inner);
    assert!(unpack(&outer, &bob_with_both, &OfflineResolver, NOW).is_ok());
    // Two names of one DID: the layers may be for keys on different curves.
    let old = crate::did::resolve_offline(&bob.did).unwrap().method(&bob.kid).unwrap().alias.clone().unwrap();
    let outer = seal(None, (&old, bob.recipient().1), XC20P, &inner);
    assert_eq!(bob.unpack(&outer).unwrap().recipient_kid, Some(bob.kid));
}

/// Decides CN-17.
#[test]
fn reads_no_other_nesting() {
    let (alice, bob, _) = parties();
    let text = plaintext(&message(&alice, &bob));
    let auth = seal(Some(alice.sender()), bob.recipient(), CBC, &text);
    let anon = seal(None, bob.recipient(), XC20P, &text);
    for inner in [&auth, &anon] {
        let outer = seal(Some(alice.sender()), bob.recipient(), CBC, inner);
        assert_eq!(bob.unpack(&outer), unsupported("nesting"), "authcrypt of an envelope");
    }
    assert_eq!(bob.unpack(&seal(None, bob.recipient(), XC20P, &anon)), unsupported("nesting"));
    for inner in [&auth, &anon, &alice.sign(&text)] {
        assert_eq!(bob.unpack(&alice.sign(inner)), unsupported("nesting"), "a signature over an envelope");
    }
    // However many layers there are, the first that is out of order is the last that is opened.
    let mut many = text;
    for _ in 0..20 {
        many = seal(None, bob.recipient(), XC20P, &many);
    }
    assert_eq!(bob.unpack(&many), unsupported("nesting"));
}

/// `Z` of an envelope whose ephemeral or static agreement gives zeros, as one with a point of low order does.
fn zeros_and(known: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    Some(Zeroizing::new([known, &[0; 32]].concat()))
}

/// Decides CN-18.
#[test]
fn refuses_ephemeral_keys_of_low_order() {
    let (alice, bob, _) = parties();
    let to = [bob.recipient()];
    let mut one = [0; 32];
    one[0] = 1;
    for low in [[0; 32], one] {
        let mut sealing = Sealing::new(None, &to, XC20P, &mut rng()).unwrap();
        sealing.header.epk = super::jwe::EpkOut::new(&PublicKey::X25519(low));
        let text = plaintext(&message(&alice, &bob));
        let jwe = sealing.seal_with(text, &mut rng(), |_, _| zeros_and(&[])).unwrap();
        assert_eq!(bob.unpack(&jwe), Err(UnpackError::Undecryptable));
    }
}

/// Decides CN-18.
#[test]
fn a_sender_key_of_low_order_authenticates_nobody() {
    // With an all-zero public key everybody can compute the static agreement.
    let (_, bob, mallory) = parties();
    let did = peer2::encode(&[1; 32], &[0; 32], None);
    let text = plaintext(&Message::new("1", "t", Value::Null).from(&did).to(&bob.did));
    let kid = format!("{did}#key-2");
    let to = [bob.recipient()];
    let sender = Sender { kid: &kid, secret: mallory.secret() };
    let jwe = Sealing::new(Some(sender), &to, CBC, &mut rng())
        .unwrap()
        .seal_with(text, &mut rng(), |ephemeral, public| zeros_and(&ephemeral.shared_secret(public)?))
        .unwrap();
    assert_eq!(bob.unpack(&jwe), Err(UnpackError::Undecryptable));
}

/// Decides CN-03.
#[test]
fn reads_both_names_of_a_did_peer_key() {
    let (alice, bob, _) = parties();
    let old = |party: &Party| {
        let document = crate::did::resolve_offline(&party.did).unwrap();
        document.method(&party.kid).unwrap().alias.clone().unwrap()
    };
    let (alice_old, bob_old) = (old(&alice), old(&bob));
    assert!(bob_old.contains("#6LS"));
    let sender = Sender { kid: &alice_old, secret: alice.secret() };
    let text = plaintext(&message(&alice, &bob));
    let inner = seal(Some(sender), (&bob_old, bob.recipient().1), CBC, &text);
    let outer = seal(None, (&bob_old, bob.recipient().1), XC20P, &inner);
    for jwe in [&inner, &outer] {
        let got = bob.unpack(jwe).unwrap();
        assert_eq!(got.sender.unwrap().kid, alice_old);
        assert_eq!(got.recipient_kid.as_ref(), Some(&bob_old), "as the sender named it");
    }
    // The answer uses the same names.
    let answer = message(&bob, &alice);
    let secrets = HashMap::from([(bob_old.clone(), X25519Secret::from_bytes([2; 32]))]);
    let jwe = authcrypt(&answer, &bob_old, &[&alice_old], &secrets, &OfflineResolver, &mut rng()).unwrap();
    assert!(alice.unpack(&jwe).is_ok());
}

/// Decides CN-05.
#[test]
fn anoncrypt_is_read_with_every_content_encryption() {
    let (alice, bob, _) = parties();
    let text = plaintext(&message(&alice, &bob));
    for enc in [XC20P, CBC, ContentEncryption::A256Gcm] {
        assert!(bob.unpack(&seal(None, bob.recipient(), enc, &text)).is_ok(), "{enc:?}");
    }
}

/// Decides CN-10.
#[test]
fn packs_nothing_that_would_be_refused() {
    let (alice, bob, mallory) = parties();
    let good = message(&alice, &bob);
    let pack = |message: &Message, from: &Party, to: &[&str]| {
        authcrypt(message, &from.kid, to, &from.secrets, &OfflineResolver, &mut rng()).map(|_| ())
    };
    assert_eq!(pack(&good, &alice, &[&bob.kid]), Ok(()));
    assert_eq!(pack(&good, &mallory, &[&bob.kid]), Err(PackError::Sender));
    assert_eq!(pack(&good, &alice, &[&mallory.kid]), Err(PackError::Recipient));
    assert_eq!(pack(&good, &alice, &[]), Err(PackError::Recipients));
    assert_eq!(pack(&good, &alice, &[&bob.kid, &bob.kid]), Err(PackError::Recipients));
    assert_eq!(pack(&good, &alice, &[&bob.kid, &mallory.kid]), Err(PackError::Recipients));
    let authentication = format!("{}#key-1", bob.did);
    assert_eq!(
        pack(&good, &alice, &[&authentication]),
        Err(PackError::UnknownKey { kid: authentication.clone() })
    );
    let unresolved = PackError::Unresolved { did: "did:x:y".into(), source: DidError::UnsupportedMethod };
    assert_eq!(pack(&good, &alice, &["did:x:y#z"]), Err(unresolved));
    let no_secret = authcrypt(&good, &alice.kid, &[&bob.kid], &bob.secrets, &OfflineResolver, &mut rng());
    assert_eq!(no_secret, Err(PackError::NoSecret { kid: alice.kid.clone() }));

    let weak = peer2::encode(&[1; 32], &[0; 32], None);
    let kid = format!("{weak}#key-2");
    let message = Message::new("1", "t", Value::Null);
    let got = anoncrypt(&message, &[&kid], &OfflineResolver, &mut rng());
    assert_eq!(got, Err(PackError::WeakKey { kid: kid.clone() }));
    // Neither is a plaintext that somebody thinks nobody can read.
    assert_eq!(anoncrypt(&message, &[], &OfflineResolver, &mut rng()), Err(PackError::Recipients));
    let large = Message::new("1", "t", "x".repeat(MAX_ENVELOPE_BYTES).into());
    assert_eq!(anoncrypt(&large, &[&bob.kid], &OfflineResolver, &mut rng()), Err(PackError::TooLarge));
}

#[test]
fn three_devices_of_one_did_each_open_the_same_envelope() {
    let (alice, _, _) = parties();
    let did = "did:example:devices";
    let mut document = DidDocument::new(did);
    for device in 0..3_u8 {
        let id = format!("{did}#{device}");
        let key = PublicKey::X25519(X25519Secret::from_bytes([device + 10; 32]).public());
        document.key_agreement.push(id.clone());
        document.verification_methods.push(VerificationMethod { id, alias: None, key });
    }
    let resolver = HashMap::from([
        (did.to_owned(), document.clone()),
        (alice.did.clone(), crate::did::resolve_offline(&alice.did).unwrap()),
    ]);
    let kids: Vec<_> = document.key_agreement_kids().collect();
    let sent = Message::new("1", "t", json!({})).from(&alice.did).to(did);
    let jwe = authcrypt(&sent, &alice.kid, &kids, &alice.secrets, &resolver, &mut rng()).unwrap();
    for device in 0..3_u8 {
        let kid = format!("{did}#{device}");
        let secrets = HashMap::from([(kid.clone(), X25519Secret::from_bytes([device + 10; 32]))]);
        let got = unpack(&jwe, &secrets, &resolver, NOW).unwrap();
        assert_eq!(got.message, sent);
        assert_eq!(got.recipient_kid, Some(kid));
    }
    assert_eq!(unpack(&jwe, &alice.secrets, &resolver, NOW), Err(UnpackError::NotForUs));
    assert_eq!(did_of(kids[0]), did);
}
