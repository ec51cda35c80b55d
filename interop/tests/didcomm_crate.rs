//! Ours against `didcomm` 0.4.1, in both directions.
#![allow(missing_docs)]

use didagent_didcomm::did::OfflineResolver;
use didagent_didcomm::did::peer2::ServiceSpec;
use didagent_didcomm::envelope::{self, UnpackError, Unpacked};
use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::routing::{Forward, PayloadForm};
use didagent_interop::{Party, their_documents};
use didcomm::PackEncryptedOptions;
use didcomm::algorithms::AnonCryptAlg;
use didcomm::protocols::routing::try_parse_forward;
use futures_executor::block_on;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use serde_json::{Value, json};

const NOW: u64 = 1_700_000_000;

fn bodies() -> Vec<Value> {
    vec![
        json!({}),
        json!({"content": "Grüße, 世界 \u{1F44B} \"\\\u{0000}"}),
        json!({"nested": {"list": [1, -2, 3.5, true, null, {"deep": [[[]]]}]}}),
        json!({"large": "x".repeat(100_000)}),
    ]
}

fn ours(body: Value, from: &Party, to: &Party) -> Message {
    Message::new("id-1", "https://example.com/p/1.0/m", body)
        .from(&from.did)
        .to(&to.did)
        .thid("thread-1")
        .times(NOW - 1, NOW + 1_000_000_000)
}

fn theirs(body: Value, from: &Party, to: &Party) -> didcomm::Message {
    didcomm::Message::build("id-1".into(), "https://example.com/p/1.0/m".into(), body)
        .from(from.did.clone())
        .to(to.did.clone())
        .thid("thread-1".into())
        .created_time(NOW - 1)
        .expires_time(NOW + 1)
        .finalize()
}

fn they_pack(
    message: &didcomm::Message,
    from: Option<&Party>,
    to: &Party,
    known: &[&Party],
    options: &PackEncryptedOptions,
) -> String {
    let secrets = from.unwrap_or(to).their_secrets();
    let documents = their_documents(known);
    let from = from.map(|from| from.did.as_str());
    block_on(message.pack_encrypted(&to.did, from, None, &documents, &secrets, options)).unwrap().0
}

fn plain() -> PackEncryptedOptions {
    PackEncryptedOptions { forward: false, ..PackEncryptedOptions::default() }
}

fn we_unpack(party: &Party, envelope: &str) -> Result<Unpacked, UnpackError> {
    envelope::unpack(envelope.as_bytes(), &party.secrets, &OfflineResolver, NOW)
}

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(99)
}

fn text(envelope: Vec<u8>) -> String {
    String::from_utf8(envelope).unwrap()
}

fn refs(kids: &[String]) -> Vec<&str> {
    kids.iter().map(String::as_str).collect()
}

fn authcrypt(message: &Message, from: &Party, to: &Party) -> String {
    let jwe = envelope::authcrypt(
        message,
        &from.kids[0],
        &refs(&to.kids),
        &from.secrets,
        &OfflineResolver,
        &mut rng(),
    );
    text(jwe.unwrap())
}

/// Decides CN-05, CN-07.
#[test]
fn they_read_our_authcrypt() {
    let (alice, bob) = (Party::new(1), Party::new(2));
    for body in bodies() {
        let jwe = authcrypt(&ours(body.clone(), &alice, &bob), &alice, &bob);
        let (message, metadata) = bob.they_unpack(&jwe, &[&alice, &bob]).unwrap();
        assert_eq!(message.body, body);
        assert_eq!(message.from.as_ref(), Some(&alice.did));
        assert_eq!(message.thid.as_deref(), Some("thread-1"));
        assert!(metadata.authenticated && metadata.encrypted && !metadata.anonymous_sender);
        assert_eq!(metadata.encrypted_from_kid.as_ref(), Some(&alice.kids[0]));
        assert_eq!(metadata.encrypted_to_kids, Some(bob.kids.clone()));
    }
}

/// Decides CN-05, CN-07.
#[test]
fn they_read_our_anoncrypt() {
    let (alice, bob) = (Party::new(1), Party::new(2));
    for body in bodies() {
        let jwe = envelope::anoncrypt(
            &ours(body.clone(), &alice, &bob),
            &refs(&bob.kids),
            &OfflineResolver,
            &mut rng(),
        );
        let (message, metadata) = bob.they_unpack(&text(jwe.unwrap()), &[&alice, &bob]).unwrap();
        assert_eq!(message.body, body);
        assert!(!metadata.authenticated && metadata.anonymous_sender);
        assert_eq!(metadata.enc_alg_anon, Some(AnonCryptAlg::Xc20pEcdhEsA256kw));
    }
}

#[test]
fn they_read_our_anoncrypt_of_authcrypt() {
    let (alice, bob) = (Party::new(1), Party::new(2));
    for body in bodies() {
        let message = ours(body.clone(), &alice, &bob);
        let jwe = envelope::sealed(
            &message,
            &alice.kids[0],
            &bob.kids[0],
            &alice.secrets,
            &OfflineResolver,
            &mut rng(),
        );
        let (message, metadata) = bob.they_unpack(&text(jwe.unwrap()), &[&alice, &bob]).unwrap();
        assert_eq!(message.body, body);
        assert!(metadata.authenticated && metadata.anonymous_sender);
        assert_eq!(metadata.encrypted_from_kid.as_ref(), Some(&alice.kids[0]));
    }
}

#[test]
fn three_devices_read_each_others_envelopes() {
    let (alice, bob) = (Party::new(1), Party::with(2, 3, None));
    let body = json!({"for": "all three"});
    let our_auth = authcrypt(&ours(body.clone(), &alice, &bob), &alice, &bob);
    let our_anon = envelope::anoncrypt(
        &ours(body.clone(), &alice, &bob),
        &refs(&bob.kids),
        &OfflineResolver,
        &mut rng(),
    );
    let our_anon = text(our_anon.unwrap());
    let message = theirs(body.clone(), &alice, &bob);
    let their_auth = they_pack(&message, Some(&alice), &bob, &[&alice, &bob], &plain());
    let their_anon = they_pack(&message, None, &bob, &[&alice, &bob], &plain());
    for device in (0..3).map(|index| bob.device(index)) {
        for jwe in [&our_auth, &our_anon] {
            assert_eq!(device.they_unpack(jwe, &[&alice, &bob]).unwrap().0.body, body);
        }
        for jwe in [&their_auth, &their_anon] {
            let got = we_unpack(&device, jwe).unwrap();
            assert_eq!(got.message.body, body);
            assert_eq!(got.recipient_kid.as_ref(), device.secrets.keys().next());
        }
    }
    for jwe in [&our_auth, &our_anon, &their_auth, &their_anon] {
        let jwe: Value = serde_json::from_str(jwe).unwrap();
        assert_eq!(jwe["recipients"].as_array().unwrap().len(), 3);
    }
}

#[test]
fn we_read_their_authcrypt() {
    let (alice, bob) = (Party::new(1), Party::new(2));
    for body in bodies() {
        let message = theirs(body.clone(), &alice, &bob);
        for protect_sender in [false, true] {
            let options = PackEncryptedOptions { protect_sender, ..plain() };
            let jwe = they_pack(&message, Some(&alice), &bob, &[&alice, &bob], &options);
            let got = we_unpack(&bob, &jwe).unwrap();
            assert_eq!(got.message.body, body);
            assert_eq!(got.message.thread(), "thread-1");
            assert_eq!(got.sender.map(|sender| sender.kid).as_ref(), Some(&alice.kids[0]));
            assert_eq!(got.anonymous, protect_sender);
        }
    }
}

#[test]
fn we_read_their_anoncrypt() {
    let (alice, bob) = (Party::new(1), Party::new(2));
    for body in bodies() {
        let message = theirs(body.clone(), &alice, &bob);
        for enc_alg_anon in [
            AnonCryptAlg::Xc20pEcdhEsA256kw,
            AnonCryptAlg::A256cbcHs512EcdhEsA256kw,
            AnonCryptAlg::A256gcmEcdhEsA256kw,
        ] {
            let options = PackEncryptedOptions { enc_alg_anon, ..plain() };
            let got = we_unpack(&bob, &they_pack(&message, None, &bob, &[&bob], &options)).unwrap();
            assert_eq!(got.message.body, body);
            assert_eq!(got.sender, None);
        }
    }
}

#[test]
fn they_open_our_forward() {
    let (alice, bob, mediator) = (Party::new(1), Party::new(2), Party::new(3));
    let inner = authcrypt(&ours(json!({"x": 1}), &alice, &bob), &alice, &bob);
    let forward = Forward::new(&bob.did, inner.clone()).message("forward-1", PayloadForm::Json);
    let outer = envelope::anoncrypt(&forward, &refs(&mediator.kids), &OfflineResolver, &mut rng());

    let (message, _) = mediator.they_unpack(&text(outer.unwrap()), &[&mediator]).unwrap();
    let forward = try_parse_forward(&message).unwrap();
    assert_eq!(forward.next, bob.did);
    let carried = serde_json::to_string(&forward.forwarded_msg).unwrap();
    let (message, metadata) = bob.they_unpack(&carried, &[&alice, &bob]).unwrap();
    assert_eq!(message.body, json!({"x": 1}));
    assert!(metadata.authenticated);
}

#[test]
fn we_open_their_forward() {
    let (alice, mediator) = (Party::new(1), Party::new(3));
    let behind = ServiceSpec {
        uri: "https://mediator.example".into(),
        accept: vec!["didcomm/v2".into()],
        routing_keys: vec![mediator.kids[0].clone()],
    };
    let bob = Party::with(2, 1, Some(&behind));
    let message = theirs(json!({"x": 1}), &alice, &bob);
    let known = [&alice, &bob, &mediator];
    let outer = they_pack(&message, Some(&alice), &bob, &known, &PackEncryptedOptions::default());

    assert_eq!(we_unpack(&bob, &outer), Err(UnpackError::NotForUs));
    let got = we_unpack(&mediator, &outer).unwrap();
    assert_eq!(got.sender, None);
    let forward = Forward::try_from(&got.message).unwrap();
    assert_eq!(forward.next_did(), bob.did);
    let got = we_unpack(&bob, &forward.payloads[0]).unwrap();
    assert_eq!(got.message.body, json!({"x": 1}));
    assert_eq!(got.sender.map(|sender| sender.did), Some(alice.did));
}

/// Mallory encrypts with a key of its own a message that names Alice as the sender.
#[test]
fn they_take_a_forged_sender_for_authenticated_and_we_refuse_it() {
    let (alice, bob, mallory) = (Party::new(1), Party::new(2), Party::new(4));
    let known = [&alice, &bob, &mallory];
    // The packing side looks at its own field only, so the header goes in beside it.
    let forged = didcomm::Message::build("1".into(), "https://example.com/p/1.0/m".into(), json!({}))
        .to(bob.did.clone())
        .header("from".into(), alice.did.clone().into())
        .finalize();
    for protect_sender in [false, true] {
        let options = PackEncryptedOptions { protect_sender, ..plain() };
        let jwe = they_pack(&forged, Some(&mallory), &bob, &known, &options);

        let (message, metadata) = bob.they_unpack(&jwe, &known).unwrap();
        assert!(metadata.authenticated);
        assert_eq!(message.from.as_ref(), Some(&alice.did), "they hand out the forged sender");
        assert_eq!(metadata.encrypted_from_kid.as_ref(), Some(&mallory.kids[0]));

        assert_eq!(we_unpack(&bob, &jwe), Err(UnpackError::SenderMismatch));
    }
}

/// Mallory passes on to Bob what somebody sent to Mallory: `to` still names Mallory.
#[test]
fn they_take_mail_for_somebody_else_and_we_refuse_it() {
    let (alice, bob, mallory) = (Party::new(1), Party::new(2), Party::new(4));
    let misdirected = didcomm::Message::build("1".into(), "https://example.com/p/1.0/m".into(), json!({}))
        .from(alice.did.clone())
        .header("to".into(), json!([mallory.did]))
        .finalize();
    let known = [&alice, &bob, &mallory];
    let jwe = they_pack(&misdirected, Some(&alice), &bob, &known, &plain());
    assert!(bob.they_unpack(&jwe, &known).unwrap().1.authenticated);
    assert_eq!(we_unpack(&bob, &jwe), Err(UnpackError::RecipientMismatch));
}

#[test]
fn neither_reads_what_is_for_somebody_else_or_was_altered() {
    let (alice, bob, mallory) = (Party::new(1), Party::new(2), Party::new(4));
    let known = [&alice, &bob, &mallory];
    let ours = authcrypt(&ours(json!({}), &alice, &bob), &alice, &bob);
    let theirs = they_pack(&theirs(json!({}), &alice, &bob), Some(&alice), &bob, &known, &plain());
    for jwe in [ours, theirs] {
        assert!(mallory.they_unpack(&jwe, &known).is_err());
        assert_eq!(we_unpack(&mallory, &jwe), Err(UnpackError::NotForUs));
        for member in ["protected", "ciphertext", "tag", "iv"] {
            let mut altered: Value = serde_json::from_str(&jwe).unwrap();
            let mut text = altered[member].as_str().unwrap().to_owned();
            let first = if text.starts_with('A') { "B" } else { "A" };
            text.replace_range(..1, first);
            altered[member] = text.into();
            let altered = altered.to_string();
            assert!(bob.they_unpack(&altered, &known).is_err(), "{member}");
            assert!(we_unpack(&bob, &altered).is_err(), "{member}");
        }
    }
}
