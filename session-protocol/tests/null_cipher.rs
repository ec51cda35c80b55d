//! A build without encryption shows its plaintext, and binds the fact into the handshake.
#![allow(
    clippy::as_conversions,
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    missing_docs
)]
#![allow(unreachable_pub)]

mod oracle;
mod pair;

use didagent_session::{Initiator, Limits, NULL_CIPHER, Params, StaticSecret, Suite};
use pair::Pair;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

/// The test that must fail against a null build and pass against a real one, turned so that both builds check it.
#[test]
fn hs_12_plaintext_is_on_the_wire_of_a_null_build_only() {
    for suite in Suite::ALL {
        plaintext_is_on_the_wire_of_a_null_build_only(Pair::of(suite, &Limits::default()));
    }
}

fn plaintext_is_on_the_wire_of_a_null_build_only(mut pair: Pair) {
    let stream = pair.a.session.open([0; 32]).unwrap();
    pair.a.session.write(stream, b"needle in a record").unwrap();
    pair.settle().unwrap();
    let seen =
        pair.wire.iter().any(|record| record.windows(18).any(|window| window == b"needle in a record"));
    assert_eq!(seen, NULL_CIPHER);
}

/// `snow` with the plain prologue stands for a real build.
#[test]
fn hs_12_a_null_build_never_completes_a_handshake_with_a_real_one() {
    let (ours, secret) = (StaticSecret::from_bytes([1; 32]), [2; 32]);
    let remote = StaticSecret::from_bytes(secret).public();
    for suite in Suite::ALL {
        let params =
            Params { suite, local: &ours, remote: &remote, prologue: b"p", limits: Limits::default() };
        let (_, message1) = Initiator::start(params, &mut ChaCha20Rng::seed_from_u64(3)).unwrap();
        let understood = |prologue: &[u8]| {
            let mut snow = oracle::snow(suite, &secret, ours.public().as_bytes(), prologue, false);
            snow.read_message(&message1, &mut [0; 4096]).is_ok()
        };
        assert_eq!(understood(b"p"), !NULL_CIPHER);
        assert_eq!(understood(b"pdidagent-session/1 null-cipher"), NULL_CIPHER);
    }
}
