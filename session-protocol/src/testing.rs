//! What the unit tests share: keys, a clock that stands still, two ends of a handshake.

use std::time::Instant;

use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

use crate::{Established, Initiator, Limits, Params, Responder, Session, StaticPublic, StaticSecret, Suite};

pub(crate) const PROLOGUE: &[u8] = b"prologue";

pub(crate) fn alice() -> StaticSecret {
    StaticSecret::from_bytes([0xa1; 32])
}

pub(crate) fn bob() -> StaticSecret {
    StaticSecret::from_bytes([0xb0; 32])
}

pub(crate) fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

pub(crate) fn params<'a>(local: &'a StaticSecret, remote: &'a StaticPublic, limits: Limits) -> Params<'a> {
    Params { suite: Suite::KkChaChaPoly, local, remote, prologue: PROLOGUE, limits }
}

pub(crate) fn established(limits: &Limits) -> (Established, Established) {
    let (alice, bob) = (alice(), bob());
    let (alice_public, bob_public) = (alice.public(), bob.public());
    let (initiator, message1) =
        Initiator::start(params(&alice, &bob_public, limits.clone()), &mut rng(1)).unwrap();
    let (responder, message2) =
        Responder::answer(params(&bob, &alice_public, limits.clone()), &message1, &mut rng(2)).unwrap();
    (initiator.finish(&message2).unwrap(), responder)
}

#[allow(clippy::disallowed_methods, reason = "an origin for simulated time")]
pub(crate) fn origin() -> Instant {
    Instant::now()
}

pub(crate) fn sessions(limits: &Limits, now: Instant) -> (Session, Session) {
    let (a, b) = established(limits);
    (a.into_session(now, rng(3)), b.into_session(now, rng(4)))
}
