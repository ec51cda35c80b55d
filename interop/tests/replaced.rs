//! The same rules for our envelope and for somebody else's behind the trait, in every pairing of writer and reader.
#![allow(missing_docs)]

use didagent_didcomm::did::OfflineResolver;
use didagent_didcomm::envelope::{
    ContentEncryption, Envelope, Layers, MAX_ENVELOPE_BYTES, Native, PackError, UnpackError, Unpacked,
};
use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::routing::{Forward, PayloadForm};
use didagent_interop::Party;
use didagent_interop::adapter::DidcommCrate;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use serde_json::{Value, json};

const NOW: u64 = 1_700_000_000;

const IMPLEMENTATIONS: [(&str, &dyn Envelope); 2] = [("ours", &Native), ("theirs", &DidcommCrate)];

const CONTENTS: [ContentEncryption; 3] =
    [ContentEncryption::A256CbcHs512, ContentEncryption::A256Gcm, ContentEncryption::Xc20p];

fn message(from: &Party, to: &Party, body: Value) -> Message {
    Message::new("id-1", "https://example.com/p/1.0/m", body).from(&from.did).to(&to.did).times(NOW - 1, NOW)
}

fn bodies() -> [Value; 4] {
    [
        json!({}),
        json!({"content": "Grüße, 世界 \u{1F44B} \"\\\u{0000}"}),
        json!({"nested": {"list": [1, -2, 3.5, true, null, {"deep": [[[]]]}]}}),
        json!({"large": "x".repeat(100_000)}),
    ]
}

fn pack(
    with: &dyn Envelope,
    message: &Message,
    layers: &Layers<'_>,
    by: &Party,
) -> Result<Vec<u8>, PackError> {
    with.pack(message, layers, &by.secrets, &OfflineResolver, &mut ChaCha20Rng::seed_from_u64(99))
}

fn unpack(with: &dyn Envelope, bytes: &[u8], party: &Party) -> Result<Unpacked, UnpackError> {
    with.unpack(bytes, &party.secrets, &OfflineResolver, NOW)
}

/// Calls `check` with the names and the implementations of each writer and each reader.
fn for_each_pairing(check: impl Fn(&str, &dyn Envelope, &dyn Envelope)) {
    for (writes, writer) in IMPLEMENTATIONS {
        for (reads, reader) in IMPLEMENTATIONS {
            check(&format!("{writes} writes, {reads} reads"), writer, reader);
        }
    }
}

/// Decides CN-05, CN-07.
#[test]
fn each_kind_of_envelope_says_the_same_whoever_writes_and_reads() {
    let (alice, bob) = (Party::new(1), Party::new(2));
    let (from, to) = (alice.kids[0].as_str(), [bob.kids[0].as_str()]);
    for_each_pairing(|who, writer, reader| {
        let anonymous = CONTENTS.map(|content| Layers { content, ..Layers::anoncrypt(&to) });
        let known = [Layers::authcrypt(from, &to), Layers::sealed(from, &to)];
        for layers in anonymous.iter().chain(&known) {
            for body in bodies() {
                let sent = message(&alice, &bob, body);
                let packed = pack(writer, &sent, layers, &alice).unwrap();
                let unpacked = unpack(reader, &packed, &bob).unwrap();
                assert_eq!(unpacked.message, sent, "{who}: {layers:?}");
                let sender = unpacked.sender.as_ref().map(|sender| (&*sender.kid, &*sender.did));
                assert_eq!(sender, layers.sender.map(|kid| (kid, &*alice.did)), "{who}: {layers:?}");
                assert_eq!(unpacked.recipient_kid.as_deref(), Some(to[0]), "{who}: {layers:?}");
                assert_eq!(
                    (unpacked.encrypted, unpacked.anonymous, unpacked.signer, unpacked.prior),
                    (true, layers.hidden, None, None),
                    "{who}: {layers:?}"
                );
            }
        }
    });
}

#[test]
fn each_device_opens_what_is_for_all_of_them() {
    let (alice, bob) = (Party::new(1), Party::with(2, 3, None));
    let to: Vec<_> = bob.kids.iter().map(String::as_str).collect();
    for_each_pairing(|who, writer, reader| {
        for layers in [Layers::anoncrypt(&to), Layers::authcrypt(&alice.kids[0], &to)] {
            let packed = pack(writer, &message(&alice, &bob, json!({})), &layers, &alice).unwrap();
            for device in 0..3 {
                let unpacked = unpack(reader, &packed, &bob.device(device)).unwrap();
                assert_eq!(unpacked.recipient_kid.as_ref(), Some(&bob.kids[device]), "{who}");
            }
        }
    });
}

#[test]
fn a_mediator_takes_a_forward_out_and_the_recipient_reads_what_was_in_it() {
    let [alice, bob, mediator] = [1, 2, 3].map(Party::new);
    let (from, to) = (alice.kids[0].as_str(), [bob.kids[0].as_str()]);
    for_each_pairing(|who, writer, reader| {
        let sent = message(&alice, &bob, json!({"x": 1}));
        let inner = pack(writer, &sent, &Layers::sealed(from, &to), &alice).unwrap();
        let forward = Forward::new(&bob.did, String::from_utf8(inner).unwrap());
        let forward = forward.message("forward-1", PayloadForm::Json).to(&mediator.did);
        let around = [mediator.kids[0].as_str()];
        let packed = pack(writer, &forward, &Layers::anoncrypt(&around), &alice).unwrap();

        let peeled = unpack(reader, &packed, &mediator).unwrap();
        assert_eq!((peeled.sender, peeled.anonymous), (None, true), "{who}");
        let forward = Forward::try_from(&peeled.message).unwrap();
        assert_eq!(forward.next, bob.did, "{who}");
        let unpacked = unpack(reader, forward.payloads[0].as_bytes(), &bob).unwrap();
        assert_eq!(unpacked.message, sent, "{who}");
        assert_eq!(unpacked.sender.map(|sender| sender.did).as_ref(), Some(&alice.did), "{who}");
    });
}

/// Decides CN-11, CN-15, CN-16.
#[test]
fn no_reader_takes_a_forged_sender_mail_for_others_or_late_mail() {
    let [alice, bob, mallory] = [1, 2, 3].map(Party::new);
    // The crate's own interface puts any header into a message, which an honest one refuses to write.
    let forged = |from: &Party, to: &Party, expires: u64| {
        didcomm::Message::build("1".into(), "https://example.com/p/1.0/m".into(), json!({}))
            .header("from".into(), from.did.clone().into())
            .header("to".into(), json!([to.did]))
            .expires_time(expires)
            .finalize()
    };
    for (name, reader) in IMPLEMENTATIONS {
        for protect_sender in [false, true] {
            let read = |message: didcomm::Message| {
                let options = didcomm::PackEncryptedOptions {
                    forward: false,
                    protect_sender,
                    ..didcomm::PackEncryptedOptions::default()
                };
                let (documents, secrets) =
                    (didagent_interop::their_documents(&[&bob, &mallory]), mallory.their_secrets());
                let from = Some(mallory.did.as_str());
                let packed = message.pack_encrypted(&bob.did, from, None, &documents, &secrets, &options);
                let (packed, _) = futures_executor::block_on(packed).unwrap();
                unpack(reader, packed.as_bytes(), &bob).map(|unpacked| unpacked.sender.map(|by| by.did))
            };
            assert_eq!(read(forged(&mallory, &bob, NOW)), Ok(Some(mallory.did.clone())), "{name}");
            assert_eq!(read(forged(&alice, &bob, NOW)), Err(UnpackError::SenderMismatch), "{name}");
            assert_eq!(read(forged(&mallory, &alice, NOW)), Err(UnpackError::RecipientMismatch), "{name}");
            let late = UnpackError::Expired { expires_time: NOW - 1 };
            assert_eq!(read(forged(&mallory, &bob, NOW - 1)), Err(late), "{name}");
        }
    }
}

#[test]
fn no_reader_opens_what_is_for_others_cut_altered_or_too_large() {
    let [alice, bob, mallory] = [1, 2, 3].map(Party::new);
    let (from, to) = (alice.kids[0].as_str(), [bob.kids[0].as_str()]);
    for_each_pairing(|who, writer, reader| {
        for layers in [Layers::authcrypt(from, &to), Layers::anoncrypt(&to), Layers::sealed(from, &to)] {
            let packed = pack(writer, &message(&alice, &bob, json!({})), &layers, &alice).unwrap();
            assert_eq!(unpack(reader, &packed, &mallory), Err(UnpackError::NotForUs), "{who}");
            for end in (0..packed.len()).step_by(7) {
                assert!(unpack(reader, &packed[..end], &bob).is_err(), "{who}: cut at {end}");
            }
            for member in ["protected", "ciphertext", "tag", "iv"] {
                let mut altered: Value = serde_json::from_slice(&packed).unwrap();
                let mut text = altered[member].as_str().unwrap().to_owned();
                text.replace_range(..1, if text.starts_with('A') { "B" } else { "A" });
                altered[member] = text.into();
                assert!(unpack(reader, altered.to_string().as_bytes(), &bob).is_err(), "{who}: {member}");
            }
        }
        let large = vec![b' '; MAX_ENVELOPE_BYTES + 1];
        let got = large.len();
        assert_eq!(unpack(reader, &large, &bob), Err(UnpackError::TooLarge { got }), "{who}");
    });
}

/// Decides CN-10.
#[test]
fn no_writer_writes_what_would_be_refused() {
    let [alice, bob, mallory] = [1, 2, 3].map(Party::new);
    let (from, to) = (alice.kids[0].as_str(), [bob.kids[0].as_str()]);
    let good = message(&alice, &bob, json!({}));
    for (name, writer) in IMPLEMENTATIONS {
        let refused = |message: &Message, layers: &Layers<'_>, by: &Party| {
            pack(writer, message, layers, by).expect_err(name)
        };
        let of_mallory = message(&mallory, &bob, json!({}));
        assert_eq!(refused(&of_mallory, &Layers::authcrypt(from, &to), &alice), PackError::Sender);
        let for_mallory = message(&alice, &mallory, json!({}));
        assert_eq!(refused(&for_mallory, &Layers::authcrypt(from, &to), &alice), PackError::Recipient);
        assert_eq!(refused(&good, &Layers::anoncrypt(&[]), &alice), PackError::Recipients);
        let no_secret = PackError::NoSecret { kid: from.to_owned() };
        assert_eq!(refused(&good, &Layers::authcrypt(from, &to), &bob), no_secret);
        let signs = format!("{}#key-1", bob.did);
        let unknown = PackError::UnknownKey { kid: signs.clone() };
        assert_eq!(refused(&good, &Layers::anoncrypt(&[&signs]), &alice), unknown);
        let large = message(&alice, &bob, "x".repeat(MAX_ENVELOPE_BYTES).into());
        assert_eq!(refused(&large, &Layers::anoncrypt(&to), &alice), PackError::TooLarge);
    }
}
