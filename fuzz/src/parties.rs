//! The identities and keys of all targets, from fixed numbers.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use didagent_didcomm::did::peer2;
use didagent_didcomm::envelope::Keyring;
use didagent_didcomm::keys::{Ed25519Secret, X25519Secret};
use didagent_session::{
    ConnectionId, EpochLimits, EpochMark, Established, Initiator, Limits, Padding, Params, Responder,
    Session, StaticPublic, StaticSecret, Suite,
};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;

/// An origin for simulated time; no property depends on which instant it is.
pub(crate) static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Time of every envelope, UTC seconds.
pub(crate) const NOW: u64 = 1_800_000_000;

pub(crate) fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

/// A DID with one key, as the envelopes need it.
pub(crate) struct Party {
    pub(crate) did: String,
    pub(crate) kid: String,
    pub(crate) secrets: HashMap<String, X25519Secret>,
}

impl Party {
    /// The key that signs, with the secret that it and the other key have.
    pub(crate) fn keyring(&self, number: u8) -> (String, Keyring) {
        let mut keyring = Keyring::default();
        let kid = format!("{}#key-1", self.did);
        keyring.agreement.insert(self.kid.clone(), X25519Secret::from_bytes([number; 32]).into());
        keyring.signing.insert(kid.clone(), Ed25519Secret::from_bytes(&[number; 32]).into());
        (kid, keyring)
    }
}

fn party(number: u8) -> Party {
    let secret = X25519Secret::from_bytes([number; 32]);
    let authentication = Ed25519Secret::from_bytes(&[number; 32]).public();
    let did = peer2::encode(&authentication, &secret.public(), None);
    let kid = format!("{did}#key-2");
    Party { did, secrets: HashMap::from([(kid.clone(), secret)]), kid }
}

/// Whose envelopes the targets open.
pub(crate) static BOB: LazyLock<Party> = LazyLock::new(|| party(2));
/// Who sends them.
pub(crate) static ALICE: LazyLock<Party> = LazyLock::new(|| party(1));
/// Somebody else.
pub(crate) static CAROL: LazyLock<Party> = LazyLock::new(|| party(3));

/// The key that signs links.
pub(crate) static IDENTITY: LazyLock<Ed25519Secret> = LazyLock::new(|| Ed25519Secret::from_bytes(&[9; 32]));

/// Limits so small that a short input reaches each of them.
pub(crate) fn small_limits() -> Limits {
    Limits {
        max_record: 2048,
        stream_window: 256,
        record_size: 2048,
        send_buffer: 256,
        retransmission: 192 * 1024,
        epoch: EpochLimits {
            soft: EpochMark { records: 24, bytes: 8192, time: Duration::from_secs(2) },
            hard: EpochMark { records: 48, bytes: 20_000, time: Duration::from_secs(6) },
            last: 64,
            ..EpochLimits::default()
        },
        padding: Padding::Off,
    }
}

/// The suite that a number chooses: where one byte of an input does, every input has one.
pub(crate) fn suite(number: usize) -> Suite {
    Suite::ALL[number % Suite::ALL.len()]
}

/// The suite and the static keys of a session.
pub(crate) struct Statics {
    suite: Suite,
    initiator: StaticSecret,
    responder: StaticSecret,
    initiator_public: StaticPublic,
    responder_public: StaticPublic,
    limits: Limits,
}

impl Statics {
    pub(crate) fn new(suite: Suite, limits: Limits) -> Self {
        let (initiator, responder) = (StaticSecret::from_bytes([1; 32]), StaticSecret::from_bytes([2; 32]));
        let (initiator_public, responder_public) = (initiator.public(), responder.public());
        Self { suite, initiator, responder, initiator_public, responder_public, limits }
    }

    pub(crate) fn initiators(&self) -> Params<'_> {
        self.params(&self.initiator, &self.responder_public)
    }

    pub(crate) fn responders(&self) -> Params<'_> {
        self.params(&self.responder, &self.initiator_public)
    }

    /// Our secret and the peer's key, of the initiator or of the responder.
    pub(crate) fn keys(&self, initiator: bool) -> (&StaticSecret, &StaticPublic) {
        if initiator {
            (&self.initiator, &self.responder_public)
        } else {
            (&self.responder, &self.initiator_public)
        }
    }

    fn params<'a>(&self, local: &'a StaticSecret, remote: &'a StaticPublic) -> Params<'a> {
        let limits = self.limits.clone();
        Params { suite: self.suite, local, remote, prologue: b"fuzz", limits }
    }

    /// Starts a handshake; always with the same ephemeral, so that message 1 is always the same.
    pub(crate) fn start(&self) -> (Initiator, Vec<u8>) {
        Initiator::start(self.initiators(), &mut rng(1)).expect("valid parameters")
    }

    /// Answers; always with the same ephemeral.
    pub(crate) fn answer(&self, message1: &[u8]) -> (Established, Vec<u8>) {
        Responder::answer(self.responders(), message1, &mut rng(2)).expect("the peer's message 1")
    }
}

/// Runs the handshake and makes the first connection: the initiator's session and the responder's, which is not confirmed yet.
pub(crate) fn sessions(suite: Suite, limits: Limits) -> (Session, Session) {
    let statics = Statics::new(suite, limits);
    let (initiator, message1) = statics.start();
    let (responder, message2) = statics.answer(&message1);
    let initiator = initiator.finish(&message2).expect("the peer's message 2");
    connected(initiator.into_session(*START, rng(3)), responder.into_session(*START, rng(4)))
}

/// The first connection of any session.
pub(crate) fn first() -> ConnectionId {
    static FIRST: LazyLock<ConnectionId> = LazyLock::new(|| {
        let statics = Statics::new(Suite::KkChaChaPoly, small_limits());
        let mut session = statics.answer(&statics.start().1).0.into_session(*START, rng(5));
        session.connected(*START).expect("a first connection")
    });
    *FIRST
}

fn connected(mut initiator: Session, mut responder: Session) -> (Session, Session) {
    for session in [&mut initiator, &mut responder] {
        session.connected(*START).expect("a first connection");
        while session.poll_event().is_some() {}
    }
    (initiator, responder)
}
