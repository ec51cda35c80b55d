//! What a signed message must not get away with. Each forgery is signed correctly, by somebody who has a key.

use serde_json::{Value, json};

use super::super::{Keyring, Layers, MAX_SIGNATURES, pack};
use super::*;
use crate::keys::SigningSecret;

/// Alice's two secrets, for `pack`.
fn keyring(party: &Party, seed: u8) -> Keyring {
    let mut keyring = Keyring::default();
    keyring.agreement.insert(party.kid.clone(), X25519Secret::from_bytes([seed; 32]).into());
    let signing = SigningSecret::from(Ed25519Secret::from_bytes(&[seed; 32]));
    keyring.signing.insert(party.authentication(), signing);
    keyring
}

/// Decides CN-05, CN-26.
#[test]
fn every_legal_nesting_says_who_sent_and_who_signed() {
    let (alice, bob, _) = parties();
    let keyring = keyring(&alice, 1);
    let sent = message(&alice, &bob);
    let authentication = alice.authentication();
    let (signers, recipients) = ([authentication.as_str()], [bob.kid.as_str()]);
    for (signed, auth, hidden, encrypted) in [
        (false, false, false, false),
        (true, false, false, false),
        (false, false, false, true),
        (false, true, false, true),
        (true, false, false, true),
        (true, true, false, true),
        (false, true, true, true),
        (true, true, true, true),
    ] {
        let layers = Layers {
            signers: if signed { &signers } else { &[] },
            sender: auth.then_some(alice.kid.as_str()),
            hidden,
            recipients: if encrypted { &recipients } else { &[] },
            ..Layers::default()
        };
        let bytes = pack(&sent, &layers, &keyring, &OfflineResolver, &mut rng()).unwrap();
        let got = bob.unpack(&bytes).unwrap();
        assert_eq!(got.message, sent);
        assert_eq!(got.signer.map(|signer| signer.kid), signed.then(|| authentication.clone()), "{layers:?}");
        assert_eq!(got.sender.map(|sender| sender.kid), auth.then(|| alice.kid.clone()), "{layers:?}");
        assert_eq!(got.recipient_kid, encrypted.then(|| bob.kid.clone()));
        assert_eq!((got.encrypted, got.anonymous), (encrypted, encrypted && (hidden || !auth)), "{layers:?}");
        assert_eq!(got.prior, None);
    }
}

/// Decides CN-27.
#[test]
fn rejects_a_signer_who_names_somebody_else() {
    let (alice, bob, mallory) = parties();
    let forged = plaintext(&message(&alice, &bob));
    let jws = mallory.sign(&forged);
    for bytes in [
        jws.clone(),
        seal(None, bob.recipient(), XC20P, &jws),
        seal(Some(alice.sender()), bob.recipient(), CBC, &jws),
    ] {
        assert_eq!(bob.unpack(&bytes), Err(UnpackError::SignerMismatch));
    }
    // What Alice signed does not make Mallory's envelope hers.
    let jws = seal(Some(mallory.sender()), bob.recipient(), CBC, &alice.sign(&forged));
    assert_eq!(bob.unpack(&jws), Err(UnpackError::SenderMismatch));
    let mut nobody = message(&alice, &bob);
    nobody.from = None;
    assert_eq!(bob.unpack(&alice.sign(&plaintext(&nobody))), Err(UnpackError::SignerMismatch));
    // The name of Alice's key, and Mallory's signature.
    let jws = jws::sign(&forged, &[(&alice.authentication(), &mallory.signing)]).unwrap();
    assert_eq!(bob.unpack(&jws), Err(UnpackError::BadSignature));
}

/// Decides CN-28.
#[test]
fn rejects_keys_that_do_not_authenticate() {
    let (alice, bob, _) = parties();
    let text = plaintext(&message(&alice, &bob));
    let by = |kid: &str| bob.unpack(&jws::sign(&text, &[(kid, &alice.signing)]).unwrap());
    assert_eq!(by(&alice.kid), Err(UnpackError::UnknownSignerKey), "a key that agrees");
    assert_eq!(by(&alice.did), Err(UnpackError::UnknownSignerKey));
    let unresolved = UnpackError::UnresolvedSigner(DidError::UnsupportedMethod);
    assert_eq!(by("did:web:example.com#k"), Err(unresolved));
    // A key of the right kind, in the document for another purpose; and a resolver that answers for somebody else.
    let did = "did:example:a";
    let id = format!("{did}#1");
    let key = PublicKey::Ed25519(alice.signing.public());
    let mut document = DidDocument::new(did);
    document.verification_methods.push(VerificationMethod { id: id.clone(), alias: None, key });
    let text = plaintext(&Message::new("1", "t", Value::Null).from(did));
    let jws = jws::sign(&text, &[(&id, &alice.signing)]).unwrap();
    let read = |document: DidDocument| {
        let resolver = HashMap::from([(did.to_owned(), document)]);
        unpack(&jws, &bob.secrets, &resolver, NOW).map(|_| ())
    };
    assert_eq!(read(document.clone()), Err(UnpackError::UnknownSignerKey));
    document.authentication.push(id);
    assert_eq!(read(document.clone()), Ok(()));
    document.id = "did:example:b".into();
    assert_eq!(read(document), Err(UnpackError::UnknownSignerKey));
}

/// Decides CN-29.
#[test]
fn a_signed_message_in_an_envelope_says_whom_it_is_for() {
    let (alice, bob, mallory) = parties();
    // Alice signed for Mallory, who passes it on to Bob in an envelope of its own.
    let for_mallory = alice.sign(&plaintext(&message(&alice, &mallory)));
    let passed_on = seal(None, bob.recipient(), XC20P, &for_mallory);
    assert_eq!(bob.unpack(&passed_on), Err(UnpackError::RecipientMismatch));
    let mut to_nobody = message(&alice, &bob);
    to_nobody.to = None;
    let signed = alice.sign(&plaintext(&to_nobody));
    for jwe in [
        seal(None, bob.recipient(), XC20P, &signed),
        seal(Some(alice.sender()), bob.recipient(), CBC, &signed),
    ] {
        assert_eq!(bob.unpack(&jwe), Err(UnpackError::RecipientMismatch));
    }
    assert!(bob.unpack(&signed).is_ok(), "not encrypted, it is for everybody");
}

#[expect(clippy::unwrap_in_result, reason = "a test helper; the result is what it is asked for")]
fn altered(change: impl FnOnce(&mut Value)) -> Result<(), UnpackError> {
    let (alice, bob, _) = parties();
    let jws = alice.sign(&plaintext(&message(&alice, &bob)));
    let mut jws: Value = serde_json::from_slice(&jws).unwrap();
    change(&mut jws);
    bob.unpack(&serde_json::to_vec(&jws).unwrap()).map(|_| ())
}

/// Signs under a protected header of the caller's own.
fn with_header(header: &Value) -> Result<(), UnpackError> {
    let alice = Party::new(1);
    altered(|jws| {
        let protected = base64url::encode(serde_json::to_vec(header).unwrap());
        let signed = format!("{protected}.{}", jws["payload"].as_str().unwrap());
        jws["signatures"][0]["signature"] = base64url::encode(alice.signing.sign(signed.as_bytes())).into();
        jws["signatures"][0]["protected"] = protected.into();
    })
}

fn bad(what: &'static str) -> Result<(), UnpackError> {
    Err(UnpackError::Malformed { what })
}

/// Decides CN-20, CN-30.
#[test]
fn reads_exactly_the_supported_headers_of_a_signature() {
    assert_eq!(with_header(&json!({"alg": "EdDSA"})), Ok(()));
    assert_eq!(with_header(&json!({"alg": "EdDSA", "typ": "JWM", "new": 1})), Ok(()));
    let refused = |what| Err(UnpackError::Unsupported { what });
    for alg in ["none", "HS256", "ES256", "ES256K", "eddsa", "Ed448"] {
        assert_eq!(with_header(&json!({ "alg": alg })), refused("alg of a signature"), "{alg}");
    }
    for typ in ["JWT", "application/didcomm-encrypted+json", "didagent-link/1"] {
        assert_eq!(with_header(&json!({"alg": "EdDSA", "typ": typ})), refused("typ of a signature"), "{typ}");
    }
    for name in ["crit", "b64"] {
        assert_eq!(
            with_header(&json!({"alg": "EdDSA", name: false})),
            refused("crit of a signature"),
            "{name}"
        );
    }
    assert_eq!(
        with_header(&json!({"alg": "EdDSA", "kid": Party::new(1).authentication()})),
        bad("kid twice")
    );
    assert_eq!(with_header(&json!({})), bad("protected header of a signature"));
}

/// Decides CN-21, CN-26, CN-30.
#[test]
fn rejects_signatures_that_are_none_too_many_altered_or_elsewhere() {
    assert_eq!(altered(|_| ()), Ok(()));
    assert_eq!(altered(|jws| jws["new"] = json!(1)), Ok(()), "unknown members are ignored");
    assert_eq!(altered(|jws| jws["signatures"] = json!([])), bad("number of signatures"));
    let repeat =
        |times: usize| altered(|jws| jws["signatures"] = vec![jws["signatures"][0].clone(); times].into());
    assert_eq!(repeat(2), bad("signers of several DIDs, or one twice"));
    assert_eq!(repeat(MAX_SIGNATURES + 1), bad("number of signatures"));
    for name in ["typ", "alg", "crit", "b64"] {
        let got = altered(|jws| jws["signatures"][0]["header"][name] = json!("x"));
        assert_eq!(got, bad("unprotected header that must be protected"), "{name}");
    }
    let without_kid = altered(|jws| jws["signatures"][0]["header"] = json!({}));
    assert_eq!(without_kid, bad("signature without kid"));
    let broken = Err(UnpackError::BadSignature);
    assert_eq!(altered(|jws| jws["payload"] = json!("e30")), broken);
    assert_eq!(altered(|jws| jws["signatures"][0]["signature"] = json!("AA")), broken);
    assert_eq!(altered(|jws| jws["signatures"][0]["signature"] = json!("A".repeat(86))), broken);
    // Both forms at once, and members twice.
    assert_eq!(altered(|jws| jws["signature"] = json!("AA")), bad("JWS"));
    let (alice, bob, mallory) = parties();
    let jws = String::from_utf8(alice.sign(&plaintext(&message(&alice, &bob)))).unwrap();
    let twice = jws.replacen("\"payload\":", "\"payload\":\"e30\",\"payload\":", 1);
    assert!(bob.unpack(twice.as_bytes()).is_err());
    let twice = jws.replacen("\"kid\":", "\"kid\":\"x\",\"kid\":", 1);
    assert_eq!(bob.unpack(twice.as_bytes()), malformed("JWS"));
    // Each signature counts: one that verifies does not carry another's.
    let text = plaintext(&message(&alice, &bob));
    let two = [(alice.authentication(), &alice.signing), (mallory.authentication(), &mallory.signing)];
    let two: Vec<_> =
        two.iter().map(|(kid, secret)| -> (&str, &dyn crate::keys::Sign) { (kid, *secret) }).collect();
    let jws = jws::sign(&text, &two).unwrap();
    assert_eq!(bob.unpack(&jws), malformed("signers of several DIDs, or one twice"));
}

/// Decides CN-26.
#[test]
fn reads_the_flattened_form() {
    let flat = |jws: &mut Value| {
        let mut signature = jws["signatures"][0].take();
        let jws = jws.as_object_mut().unwrap();
        jws.remove("signatures");
        jws.append(signature.as_object_mut().unwrap());
    };
    assert_eq!(altered(flat), Ok(()));
    for name in ["protected", "signature"] {
        let without = altered(|jws| {
            flat(jws);
            jws.as_object_mut().unwrap().remove(name);
        });
        assert_eq!(without, bad("JWS"), "{name}");
    }
}

/// Decides CN-10, CN-29.
#[test]
fn packs_no_signature_that_would_be_refused() {
    let (alice, bob, mallory) = parties();
    let keyring = keyring(&alice, 1);
    let sent = message(&alice, &bob);
    let try_pack = |message: &Message, signers: &[&str], to: &[&str]| {
        let layers = Layers { signers, recipients: to, ..Layers::default() };
        pack(message, &layers, &keyring, &OfflineResolver, &mut rng()).map(|_| ())
    };
    let authentication = alice.authentication();
    let good = [authentication.as_str()];
    assert_eq!(try_pack(&sent, &good, &[&bob.kid]), Ok(()));
    assert_eq!(try_pack(&message(&mallory, &bob), &good, &[]), Err(PackError::Sender));
    let mut to_nobody = sent.clone();
    to_nobody.to = None;
    assert_eq!(try_pack(&to_nobody, &good, &[&bob.kid]), Err(PackError::Recipient));
    assert_eq!(try_pack(&to_nobody, &good, &[]), Ok(()));
    assert_eq!(try_pack(&sent, &[good[0], good[0]], &[]), Err(PackError::Signers));
    assert_eq!(try_pack(&sent, &[good[0], &mallory.authentication()], &[]), Err(PackError::Signers));
    assert_eq!(try_pack(&sent, &[&alice.kid], &[]), Err(PackError::NoSecret { kid: alice.kid.clone() }));
    // A secret that is not the one of the document.
    let mut wrong = Keyring::default();
    wrong.signing.insert(authentication.clone(), Ed25519Secret::from_bytes(&[9; 32]).into());
    let layers = Layers { signers: &good, ..Layers::default() };
    let got = pack(&sent, &layers, &wrong, &OfflineResolver, &mut rng());
    assert_eq!(got, Err(PackError::UnknownKey { kid: authentication.clone() }));
    let layers = Layers { sender: Some(&alice.kid), ..Layers::default() };
    assert_eq!(pack(&sent, &layers, &keyring, &OfflineResolver, &mut rng()), Err(PackError::Recipients));
}
