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
//! connected                                   connected
//! poll ──────────── record: CONFIRM, … ────▶  handle: Event::Confirmed
//! handle ◀──────────────── records ────────▶  poll
//! ```
//!
//! A session outlives its connections: the caller says which stand and which are gone, and what was not acknowledged on one
//! goes out again on the next.
//!
//! Not its concern: DIDs, DIDComm, sockets, clocks, random generators, making connections. The caller carries bytes, passes
//! `now` and lends random generators. Within a connection records must arrive complete, in order and once, as TCP or a
//! WebSocket delivers them.
//!
//! # A whole conversation
//!
//! ```
//! use didagent_session::{
//!     ConnectionId, Event, Initiator, Input, Limits, Output, Params, Responder, Session, StaticSecret, Suite, prologue,
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
//! // Any ordered carrier of bytes; here it is the function below.
//! let (to_bob, to_alice) = (alice.connected(now)?, bob.connected(now)?);
//!
//! // Drains one side into the other; returns what the other side's application sees, and the bytes of its streams.
//! fn deliver(
//!     from: &mut Session,
//!     to: (&mut Session, ConnectionId),
//!     now: Instant,
//! ) -> Result<(Vec<Event>, Vec<u8>), didagent_session::SessionError> {
//!     let (to, connection) = to;
//!     let (mut seen, mut bytes) = (Vec::new(), Vec::new());
//!     loop {
//!         let mut record = match from.poll(now) {
//!             Output::Transmit { record, .. } => record.to_vec(),
//!             Output::Event(_) | Output::Disconnect(_) => continue,
//!             Output::Timeout(_) => return Ok((seen, bytes)),
//!         };
//!         to.handle(Input::Record { connection, record: &mut record }, now)?;
//!         while let Some(event) = to.poll_event() {
//!             match event {
//!                 Event::StreamData { range, .. } => bytes.extend_from_slice(&record[range]),
//!                 event => seen.push(event),
//!             }
//!         }
//!     }
//! }
//! while alice.poll_event().is_some() || bob.poll_event().is_some() {}
//!
//! let stream = alice.open([7; 32])?;
//! assert_eq!(alice.write(stream, b"share")?, 5);
//! alice.finish(stream)?;
//! let (seen, bytes) = deliver(&mut alice, (&mut bob, to_alice), now)?;
//! assert_eq!(bytes, b"share");
//! assert_eq!(
//!     seen,
//!     [
//!         Event::Confirmed,
//!         Event::StreamOpened { stream, context: [7; 32] },
//!         Event::StreamFinished { stream },
//!     ]
//! );
//!
//! // The connection breaks. Bob answers meanwhile, and it waits in the session.
//! alice.disconnected(to_bob, now);
//! bob.disconnected(to_alice, now);
//! while alice.poll_event().is_some() || bob.poll_event().is_some() {}
//! bob.consume(stream, 5)?;
//! bob.finish(stream)?;
//! assert_eq!(deliver(&mut bob, (&mut alice, to_bob), now)?.0, []);
//!
//! // On another one the two find each other in three short messages, and go on where they were.
//! let (to_bob, to_alice) = (alice.connected(now)?, bob.connected(now)?);
//! deliver(&mut alice, (&mut bob, to_alice), now)?;
//! assert_eq!(deliver(&mut bob, (&mut alice, to_bob), now)?.0, [Event::Adopted(to_bob)]);
//! assert_eq!(deliver(&mut alice, (&mut bob, to_alice), now)?.0, [Event::Adopted(to_alice)]);
//! assert_eq!(deliver(&mut bob, (&mut alice, to_bob), now)?.0, [Event::StreamFinished { stream }]);
//! assert!(alice.is_delivered());
//!
//! // Bob learns that his FIN arrived within the acknowledgement delay.
//! deliver(&mut alice, (&mut bob, to_alice), now + Duration::from_millis(20))?;
//! assert!(bob.is_delivered());
//!
//! alice.close(didagent_session::close::DONE);
//! let (seen, _) = deliver(&mut alice, (&mut bob, to_alice), now)?;
//! assert_eq!(seen, [Event::Closed { code: didagent_session::close::DONE, by_peer: true }]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod aead;
mod established;
mod frame;
#[doc(hidden)]
pub mod fuzzing;
mod handshake;
mod hello;
mod hmac256;
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
    EpochLimits, EpochMark, Limits, MAX_HANDSHAKE_MESSAGE, MAX_RECORD, MAX_STREAMS, Padding, RECORD_OVERHEAD,
};
pub use record::resume::unknown_cid;
pub use session::{
    ConnectionId, Event, Input, Output, RehandshakeError, Reserved, Session, SessionError, Stats,
    StreamError, StreamId, StreamReport, close,
};
pub use suite::Suite;

/// Whether this build sends records as plaintext (cargo feature `null-cipher`).
///
/// Such a build exists for one purpose: a test that captures traffic and looks for plaintext must fail against it, or the
/// test proves nothing. Its handshake is bound to the fact (requirement HS-12), so it never talks with a real build. A
/// program that finds this `true` must say so loudly.
pub const NULL_CIPHER: bool = cfg!(feature = "null-cipher");
