//! What the unit tests share: keys, a clock that stands still, two ends of a handshake.

use std::time::Instant;

use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use rand_core::{TryCryptoRng, TryRng};

use crate::{
    ConnectionId, Established, Initiator, Limits, Params, Responder, Session, StaticPublic, StaticSecret,
    Suite,
};

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

/// Bytes from hexadecimal digits.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

pub(crate) fn params_of<'a>(
    suite: Suite,
    local: &'a StaticSecret,
    remote: &'a StaticPublic,
    limits: Limits,
) -> Params<'a> {
    Params { suite, local, remote, prologue: PROLOGUE, limits }
}

pub(crate) fn established_of(suite: Suite, limits: &Limits) -> (Established, Established) {
    seeded_established(suite, limits, 1)
}

fn seeded_established(suite: Suite, limits: &Limits, seed: u64) -> (Established, Established) {
    let (alice, bob) = (alice(), bob());
    let (alice_public, bob_public) = (alice.public(), bob.public());
    let to_bob = params_of(suite, &alice, &bob_public, limits.clone());
    let (initiator, message1) = Initiator::start(to_bob, &mut rng(seed)).unwrap();
    let to_alice = params_of(suite, &bob, &alice_public, limits.clone());
    let (responder, message2) = Responder::answer(to_alice, &message1, &mut rng(seed + 1)).unwrap();
    (initiator.finish(&message2).unwrap(), responder)
}

#[allow(clippy::disallowed_methods, reason = "an origin for simulated time")]
pub(crate) fn origin() -> Instant {
    Instant::now()
}

/// The first connection of any session.
pub(crate) const FIRST: ConnectionId = ConnectionId::new(0);

/// Two sessions on their first connection; the events of the beginning are taken.
pub(crate) fn sessions(limits: &Limits, now: Instant) -> (Session, Session) {
    sessions_of(Suite::KkChaChaPoly, limits, now)
}

pub(crate) fn sessions_of(suite: Suite, limits: &Limits, now: Instant) -> (Session, Session) {
    let (a, b) = established_of(suite, limits);
    connect(a.into_session(now, rng(3)), b.into_session(now, rng(4)), now)
}

#[cfg(target_os = "linux")]
/// Two sessions whose generators keep nothing of what they gave.
pub(crate) fn forgetful_sessions(
    suite: Suite,
    limits: &Limits,
    seed: u64,
    now: Instant,
) -> (Session, Session) {
    let (a, b) = seeded_established(suite, limits, seed);
    let rng = |number| Forgetful { seed: seed + number, given: 0 };
    connect(a.into_session(now, rng(2)), b.into_session(now, rng(3)), now)
}

fn connect(mut a: Session, mut b: Session, now: Instant) -> (Session, Session) {
    for session in [&mut a, &mut b] {
        assert_eq!(session.connected(now), Ok(FIRST));
        while session.poll_event().is_some() {}
    }
    (a, b)
}

/// A generator that gives these bytes and no others: how vectors fix what is random.
pub(crate) struct Given(Vec<u8>);

impl Given {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    /// Whether everything was taken.
    pub(crate) fn is_used_up(&self) -> bool {
        self.0.is_empty()
    }
}

impl TryRng for Given {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes).map(|()| u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes).map(|()| u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        let given: Vec<u8> = self.0.drain(..out.len()).collect();
        out.copy_from_slice(&given);
        Ok(())
    }
}

impl TryCryptoRng for Given {}

#[cfg(target_os = "linux")]
/// A generator without a buffer: like the operating system's, it leaves nothing of what it gave in our memory.
pub(crate) struct Forgetful {
    seed: u64,
    given: u64,
}

#[cfg(target_os = "linux")]
impl TryRng for Forgetful {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes).map(|()| u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes).map(|()| u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        use sha2::Digest as _;
        for part in out.chunks_mut(32) {
            self.given += 1;
            let block = sha2::Sha256::new()
                .chain_update(self.seed.to_le_bytes())
                .chain_update(self.given.to_le_bytes())
                .finalize();
            part.copy_from_slice(&block[..part.len()]);
        }
        Ok(())
    }
}

#[cfg(target_os = "linux")]
impl TryCryptoRng for Forgetful {}
