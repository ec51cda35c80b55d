//! What an envelope costs in memory, against the size of the message in it.

#![allow(clippy::unwrap_used, clippy::cast_precision_loss, clippy::as_conversions)]

use std::collections::HashMap;

use allocation_counter::measure;
use didagent_didcomm::did::{OfflineResolver, peer2};
use didagent_didcomm::envelope::{authcrypt, sealed, unpack};
use didagent_didcomm::keys::{Ed25519Secret, X25519Secret};
use didagent_didcomm::message::Message;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use serde_json::json;

struct Party {
    did: String,
    kid: String,
    secrets: HashMap<String, X25519Secret>,
}

fn party(seed: u8) -> Party {
    let secret = X25519Secret::from_bytes([seed; 32]);
    let did = peer2::encode(&Ed25519Secret::from_bytes(&[seed; 32]).public(), &secret.public(), None);
    let kid = format!("{did}#key-2");
    Party { did, kid: kid.clone(), secrets: HashMap::from([(kid, secret)]) }
}

/// Most bytes in use at once and all bytes ever asked for, as multiples of the body.
fn multiples(size: usize, what: &mut dyn FnMut()) -> (f64, f64) {
    let counted = measure(what);
    let size = size as f64;
    (counted.bytes_max as f64 / size, counted.bytes_total as f64 / size)
}

#[test]
fn memory_grows_with_the_body_and_no_faster() {
    let (alice, bob) = (party(1), party(2));
    let rng = &mut ChaCha20Rng::seed_from_u64(1);
    for size in [64 << 10, 1 << 20] {
        let message = Message::new("1", "t", json!({ "x": "y".repeat(size) })).from(&alice.did).to(&bob.did);
        let mut envelope = Vec::new();
        let auth = multiples(size, &mut || {
            envelope =
                authcrypt(&message, &alice.kid, &[&bob.kid], &alice.secrets, &OfflineResolver, rng).unwrap();
        });
        let read = multiples(size, &mut || {
            assert!(unpack(&envelope, &bob.secrets, &OfflineResolver, 0).is_ok());
        });
        let both = multiples(size, &mut || {
            envelope = sealed(&message, &alice.kid, &bob.kid, &alice.secrets, &OfflineResolver, rng).unwrap();
        });
        let read_both = multiples(size, &mut || {
            assert!(unpack(&envelope, &bob.secrets, &OfflineResolver, 0).is_ok());
        });
        let measured =
            [("authcrypt", auth), ("its unpack", read), ("sealed", both), ("its unpack", read_both)];
        println!("{size} bytes, peak and total as multiples of them: {measured:.2?}");
        // A writer has one buffer, which is as long as what comes out: four thirds of the message, once or twice. A reader keeps
        // what it decrypted until the message is made of it, and under two layers the inner envelope instead.
        for ((what, (peak, total)), (most, most_total)) in
            measured.into_iter().zip([(1.5, 1.6), (2.2, 2.2), (2.0, 2.1), (2.6, 3.6)])
        {
            assert!(peak < most, "{what} of {size} bytes uses {peak:.2} times as many");
            assert!(total < most_total, "{what} of {size} bytes takes {total:.2} times as many");
        }
    }
}
