//! What a rotation must not get away with. Each forgery is signed correctly, by somebody who has a key.

use serde_json::{Value, json};

use super::super::{Keyring, rotate};
use super::*;
use crate::keys::SigningSecret;
use crate::{did, link};

/// Alice was somebody else before: the party with seed 7.
fn old() -> Party {
    Party::new(7)
}

fn ring(party: &Party, seed: u8) -> Keyring {
    let mut keyring = Keyring::default();
    let signing = SigningSecret::from(Ed25519Secret::from_bytes(&[seed; 32]));
    keyring.signing.insert(party.authentication(), signing);
    keyring
}

/// A rotation from Alice's old DID to `successor`.
fn jwt(successor: Option<&str>) -> String {
    rotate(&old().authentication(), successor, NOW, &ring(&old(), 7)).unwrap()
}

/// Any claims under any header, signed by the old DID.
fn signed(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| base64url::encode(serde_json::to_vec(value).unwrap());
    let signed = format!("{}.{}", part(header), part(claims));
    let signature = base64url::encode(old().signing.sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

/// What Bob makes of it in an authcrypted message from Alice.
fn read(jwt: &str) -> Result<Option<super::super::Prior>, UnpackError> {
    let (alice, bob, _) = parties();
    let text = plaintext(&message(&alice, &bob).from_prior(jwt));
    bob.unpack(&seal(Some(alice.sender()), bob.recipient(), CBC, &text)).map(|got| got.prior)
}

fn wrong(what: &'static str) -> Result<Option<super::super::Prior>, UnpackError> {
    Err(UnpackError::Prior { what })
}

/// Decides CN-31.
#[test]
fn a_rotation_reaches_the_recipient_with_both_dids() {
    let (alice, bob, _) = parties();
    let sent = message(&alice, &bob).from_prior(jwt(Some(&alice.did)));
    let bytes =
        authcrypt(&sent, &alice.kid, &[&bob.kid], &alice.secrets, &OfflineResolver, &mut rng()).unwrap();
    let got = bob.unpack(&bytes).unwrap();
    let prior = got.prior.unwrap();
    assert_eq!((&prior.did, &prior.kid), (&old().did, &old().authentication()));
    assert_eq!((prior.successor.as_ref(), prior.rotated), (Some(&got.sender.unwrap().did), Some(NOW)));
    assert_eq!(got.message, sent);
    // Through a mediator, too.
    let bytes = sealed(&sent, &alice.kid, &bob.kid, &alice.secrets, &OfflineResolver, &mut rng()).unwrap();
    assert_eq!(bob.unpack(&bytes).unwrap().prior, Some(prior));
}

/// Decides CN-32.
#[test]
fn rejects_rotations_to_or_from_somebody_else() {
    let (alice, _, mallory) = parties();
    assert_eq!(read(&jwt(Some(&mallory.did))), wrong("sub is not the sender"));
    assert_eq!(read(&jwt(None)), wrong("sub is not the sender"));
    let header = |kid: &str| json!({"typ": "JWT", "alg": "EdDSA", "kid": kid});
    let own = header(&old().authentication());
    let good = json!({"iss": old().did, "sub": alice.did});
    assert!(read(&signed(&own, &good)).unwrap().is_some());
    // Mallory's key under Mallory's name says that Bob's friend became Alice; and the friend's name over Mallory's signature.
    let claims = json!({"iss": mallory.did, "sub": alice.did});
    assert_eq!(read(&signed(&own, &claims)), wrong("kid is not a key of iss"));
    let claims = json!({"iss": old().authentication(), "sub": alice.did});
    assert_eq!(read(&signed(&own, &claims)), wrong("kid is not a key of iss"));
    assert_eq!(read(&signed(&header(&old().kid), &good)), wrong("kid does not authenticate iss"));
    let other = header(&mallory.authentication());
    let theirs = json!({"iss": mallory.did, "sub": alice.did});
    assert_eq!(read(&signed(&other, &theirs)), wrong("signature"));
    let same = json!({"iss": alice.did, "sub": alice.did});
    assert_eq!(read(&signed(&header(&alice.authentication()), &same)), wrong("sub is iss"));
    // A DID that Bob cannot resolve is none that he knows: nothing is rotated, and the message is read.
    let unknown = json!({"iss": "did:web:example.com", "sub": alice.did});
    assert_eq!(read(&signed(&header("did:web:example.com#1"), &unknown)), Ok(None));
}

/// Decides CN-32.
#[test]
fn rejects_what_is_not_a_rotation_or_was_altered() {
    let (alice, _, _) = parties();
    let good = jwt(Some(&alice.did));
    assert!(read(&good).unwrap().is_some());
    let claims = json!({"iss": old().did, "sub": alice.did});
    let kid = old().authentication();
    for (header, what) in [
        (json!({"alg": "none", "kid": kid}), "alg"),
        (json!({"alg": "ES256", "kid": kid}), "alg"),
        (json!({"alg": "EdDSA", "kid": kid, "typ": "JWM"}), "typ"),
        (json!({"alg": "EdDSA", "kid": kid, "crit": ["exp"]}), "header"),
        (json!({"alg": "EdDSA"}), "kid"),
        (json!({"kid": kid}), "header"),
    ] {
        assert_eq!(read(&signed(&header, &claims)), wrong(what), "{header}");
    }
    // A link says `iss` and `sub` as well, and is signed by the same kind of key: for another purpose.
    let identity = did::key::encode_ed25519(&old().signing.public());
    assert_eq!(read(&link::sign(&old().signing, &alice.did, NOW)), wrong("typ"), "{identity}");
    for end in 0..good.len() {
        assert!(read(&good[..end]).is_err(), "cut at {end}");
    }
    for tail in [".", ".AA", "A", "xx"] {
        assert!(read(&format!("{good}{tail}")).is_err(), "{tail}");
    }
    assert_eq!(read("invalid"), wrong("format"));
    assert_eq!(read(&"x".repeat(100_000)), wrong("length"));
    let mut altered = good.clone().into_bytes();
    let last = altered.len() - 40;
    altered[last] = if altered[last] == b'A' { b'B' } else { b'A' };
    assert_eq!(read(std::str::from_utf8(&altered).unwrap()), wrong("signature"));
}

/// Decides CN-33.
#[test]
fn a_rotation_counts_only_in_an_encrypted_message_of_its_successor() {
    let (alice, bob, mallory) = parties();
    let text = plaintext(&message(&alice, &bob).from_prior(jwt(Some(&alice.did))));
    // Mallory saw the rotation, and sends it again as if it had just happened.
    for bytes in [&text, &alice.sign(&text), &seal(None, bob.recipient(), XC20P, &text)] {
        assert_eq!(bob.unpack(bytes).unwrap().prior, None);
    }
    let jwe = seal(Some(mallory.sender()), bob.recipient(), CBC, &text);
    assert_eq!(bob.unpack(&jwe), Err(UnpackError::SenderMismatch));
}

/// Decides CN-34.
#[test]
fn a_relationship_ends_without_a_successor() {
    let (alice, bob, _) = parties();
    let mut ended = message(&alice, &bob).from_prior(jwt(None));
    ended.from = None;
    let text = plaintext(&ended);
    let prior = bob.unpack(&seal(None, bob.recipient(), XC20P, &text)).unwrap().prior.unwrap();
    assert_eq!((prior.did, prior.successor), (old().did, None));
    assert_eq!(bob.unpack(&text).unwrap().prior, None, "not encrypted");
    // Somebody who speaks cannot end another's relationship in passing.
    assert_eq!(read(&jwt(None)), wrong("sub is not the sender"));
}

/// Decides CN-32.
#[test]
fn writes_no_rotation_that_would_be_refused() {
    let (alice, bob, mallory) = parties();
    let keys = ring(&old(), 7);
    let kid = old().authentication();
    assert_eq!(rotate(&kid, Some(&old().did), NOW, &keys), Err(PackError::Prior));
    assert_eq!(rotate(&kid, Some(&alice.kid), NOW, &keys), Err(PackError::Prior));
    let other = mallory.authentication();
    assert_eq!(rotate(&other, None, NOW, &keys), Err(PackError::NoSecret { kid: other }));
    for bad in [jwt(Some(&mallory.did)), jwt(None), "invalid".to_owned()] {
        let sent = message(&alice, &bob).from_prior(bad);
        let got = authcrypt(&sent, &alice.kid, &[&bob.kid], &alice.secrets, &OfflineResolver, &mut rng());
        assert_eq!(got, Err(PackError::Prior));
    }
}
