//! The session protocol: Noise KK handshake, ratcheted records and streams, without any I/O.
//!
//! Two parties that know each other's static X25519 key and agree on an opaque prologue run two Noise messages over any
//! carrier, with a post-quantum hybrid if they choose so, and get a [`Session`]: ordered streams with flow control inside records whose keys are used once and erased.
//!
//! Specification: `spec/handshake.md` (requirements HS-…), `spec/session.md` (SE-…), `spec/streams.md` (ST-…).
//!
//! ```text
//! initiator                                   responder
//! Initiator::start ── message 1 ──────────▶  Responder::answer
//! Initiator::finish ◀───────── message 2 ──  Established
//! Established                                 into_session
//! into_session
//! poll ──────────── record: CONFIRM, … ────▶  handle: Event::Confirmed
//! handle ◀──────────────── records ────────▶  poll
//! ```
//!
//! Not its concern: DIDs, DIDComm, sockets, clocks, random generators, reconnecting. The caller carries bytes, passes `now`
//! and lends random generators. Records must arrive complete, in order and once, as TCP or a WebSocket delivers them.
//!
//! # A whole conversation
//!
//! ```
//! use didagent_session::{
//!     Event, Initiator, Input, Limits, Output, Params, Responder, Session, StaticSecret, Suite, prologue,
//! };
//! use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
//! use std::time::{Duration, Instant};
//!
//! // A real program passes the operating system's generator and its clock.
//! let mut rng = ChaCha20Rng::seed_from_u64(1);
//! # #[allow(clippy::disallowed_methods)]
//! let now = Instant::now();
//!
//! let (alice, bob) = (StaticSecret::from_bytes([1; 32]), StaticSecret::from_bytes([2; 32]));
//! let context = prologue::encode(prologue::LABEL, &[b"did:example:alice", b"did:example:bob", b"room 7"])?;
//! let suite = Suite::KkChaChaPoly;
//!
//! // Two messages, carried by whatever the two can reach each other with.
//! let to_bob = Params { suite, local: &alice, remote: &bob.public(), prologue: &context, limits: Limits::default() };
//! let to_alice = Params { suite, local: &bob, remote: &alice.public(), prologue: &context, limits: Limits::default() };
//! let (initiator, message1) = Initiator::start(to_bob, &mut rng)?;
//! let (bob, message2) = Responder::answer(to_alice, &message1, &mut rng)?;
//! let alice = initiator.finish(&message2)?;
//! assert_eq!(alice.sid(), bob.sid());
//!
//! let mut alice = alice.into_session(now, ChaCha20Rng::seed_from_u64(2));
//! let mut bob = bob.into_session(now, ChaCha20Rng::seed_from_u64(3));
//!
//! // Drains one side into the other and returns what the other side's application sees.
//! fn deliver(from: &mut Session, to: &mut Session, now: Instant) -> Result<Vec<Event>, didagent_session::SessionError> {
//!     let mut seen = Vec::new();
//!     loop {
//!         match from.poll(now) {
//!             Output::Transmit(record) => to.handle(Input::Record(&record), now)?,
//!             Output::Event(_) => {}
//!             Output::Timeout(_) => break,
//!         }
//!         while let Some(event) = to.poll_event() {
//!             seen.push(event);
//!         }
//!     }
//!     Ok(seen)
//! }
//!
//! let stream = alice.open([7; 32])?;
//! assert_eq!(alice.write(stream, b"share")?, 5);
//! alice.finish(stream)?;
//! let seen = deliver(&mut alice, &mut bob, now)?;
//! assert_eq!(
//!     seen,
//!     [
//!         Event::Confirmed,
//!         Event::StreamOpened { stream, context: [7; 32] },
//!         Event::StreamData { stream, bytes: b"share".to_vec() },
//!         Event::StreamFinished { stream },
//!     ]
//! );
//!
//! bob.consume(stream, 5)?;
//! bob.finish(stream)?;
//! assert_eq!(deliver(&mut bob, &mut alice, now)?, [Event::StreamFinished { stream }]);
//! assert!(alice.is_delivered());
//!
//! // Bob learns that his FIN arrived within the acknowledgement delay.
//! deliver(&mut alice, &mut bob, now + Duration::from_millis(20))?;
//! assert!(bob.is_delivered());
//!
//! alice.close(didagent_session::close::DONE);
//! assert_eq!(
//!     deliver(&mut alice, &mut bob, now)?,
//!     [Event::Closed { code: didagent_session::close::DONE, by_peer: true }]
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod aead;
mod established;
mod frame;
#[doc(hidden)]
pub mod fuzzing;
mod handshake;
mod hello;
mod kem;
mod keys;
mod labels;
mod limits;
mod mask;
mod noise;
pub mod prologue;
mod ratchet;
mod record;
mod schedule;
mod secret;
mod session;
mod suite;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod vectors;
mod wire;

pub use established::{Established, ExportError, Role};
pub use handshake::{HandshakeError, Initiator, Params, Rejected, Responder};
pub use hello::{Cid, Extension, Hello, HelloError};
pub use keys::{StaticPublic, StaticSecret};
pub use limits::{
    EpochLimits, EpochMark, Limits, MAX_HANDSHAKE_MESSAGE, MAX_RECORD, MAX_STREAMS, RECORD_OVERHEAD,
};
pub use session::{Event, Input, Output, Session, SessionError, Stats, StreamError, StreamId, close};
pub use suite::Suite;

/// Whether this build sends records as plaintext (cargo feature `null-cipher`).
///
/// Such a build exists for one purpose: a test that captures traffic and looks for plaintext must fail against it, or the
/// test proves nothing. Its handshake is bound to the fact (requirement HS-12), so it never talks with a real build. A
/// program that finds this `true` must say so loudly.
pub const NULL_CIPHER: bool = cfg!(feature = "null-cipher");
