//! A peer that holds the keys and seals whatever it likes.
//!
//! Input: one byte that chooses the attacked side and whether its reader reads, then records, each a u16 length and as many
//! bytes of frames.

use std::collections::BTreeMap;

use didagent_session::{Event, Input, Output, Session, SessionError, StreamId, Suite, fuzzing};

use crate::Outcome;
use crate::parties::{START, first, sessions, small_limits};

/// Bits of the first byte.
const INITIATOR: u8 = 1;
const UNCONFIRMED: u8 = 2;
const READS: u8 = 4;
const HAS_STREAMS: u8 = 8;
const WANTS_EPOCH: u8 = 16;

/// Frames from the peer. Whatever they say, memory is bounded by the limits, and a violation ends the session once and
/// for good.
pub(crate) fn hostile_peer(input: &[u8]) -> Outcome {
    let Some((choice, mut rest)) = input.split_first() else { return Outcome::Refused };
    let mut victim = victim(*choice);
    let reads = choice & READS != 0;
    let mut unread = BTreeMap::<StreamId, usize>::new();
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length)).min(after.len());
        let (frames, after) = after.split_at(length);
        rest = after;
        match fuzzing::accept_frames(&mut victim, &mut frames.to_vec(), *START) {
            Ok(()) => take(&mut victim, frames.len(), reads, &mut unread),
            Err(SessionError::Violation { code }) => {
                ended(victim, code);
                return Outcome::Refused;
            }
            Err(SessionError::Closed) => {
                assert!(victim.is_over());
                return Outcome::Accepted;
            }
            Err(error) => panic!("frames are never {error:?}"),
        }
    }
    Outcome::Accepted
}

fn victim(choice: u8) -> Session {
    let (mut initiator, mut responder) = sessions(Suite::KkChaChaPoly, small_limits());
    if choice & UNCONFIRMED == 0 {
        initiator.ping();
        while pass(&mut initiator, &mut responder) {}
        // With the PONG both have heard each other, so an epoch may begin.
        while pass(&mut responder, &mut initiator) {}
        while initiator.poll_event().is_some() {}
    }
    let mut victim = if choice & INITIATOR != 0 { initiator } else { responder };
    if choice & WANTS_EPOCH != 0 {
        victim.ratchet();
        while !matches!(victim.poll(*START), Output::Timeout(_)) {}
    }
    if choice & HAS_STREAMS != 0 {
        for _ in 0..2 {
            let stream = victim.open([7; 32]).expect("room for two streams");
            victim.write(stream, &[0; 1000]).expect("an open stream");
        }
    }
    victim
}

/// Carries one output; false if there is none.
fn pass(from: &mut Session, to: &mut Session) -> bool {
    match from.poll(*START) {
        Output::Transmit { record, .. } => {
            let record = &mut record.to_vec();
            to.handle(Input::Record { connection: first(), record }, *START).expect("the peer's record");
            true
        }
        Output::Event(_) => true,
        Output::Disconnect(_) | Output::Timeout(_) => false,
    }
}

/// Drains the victim and counts what its application sees.
fn take(victim: &mut Session, frames: usize, reads: bool, unread: &mut BTreeMap<StreamId, usize>) {
    let (mut events, mut records) = (0, 0);
    loop {
        match victim.poll(*START) {
            Output::Transmit { record, .. } => {
                records += 1;
                assert!(record.len() <= small_limits().record_size);
                assert!(records <= 16, "one record of the peer causes {records}");
            }
            Output::Event(event) => {
                events += 1;
                // The shortest frame that causes an event has one byte; sealing may add one for each open stream.
                assert!(events <= frames + 512, "{frames} bytes of frames cause {events} events");
                match event {
                    Event::StreamData { stream, range } => {
                        let waiting = unread.entry(stream).or_default();
                        *waiting += range.len();
                        assert!(*waiting <= small_limits().stream_window, "more than the window");
                        if reads {
                            victim.consume(stream, *waiting).expect("what was delivered");
                            *waiting = 0;
                        }
                    }
                    Event::StreamReset { stream, .. } => {
                        unread.remove(&stream);
                    }
                    _ => {}
                }
            }
            Output::Disconnect(_) => panic!("nothing was wrong with the connection"),
            Output::Timeout(_) => return,
        }
    }
}

/// After a violation: one event, at most one record with the CLOSE, then silence for ever.
fn ended(mut victim: Session, code: u32) {
    assert!(victim.is_over());
    let (mut closed, mut records) = (0, 0);
    loop {
        match victim.poll(*START) {
            Output::Event(Event::Closed { code: said, by_peer }) => {
                assert_eq!((said, by_peer), (code, false));
                closed += 1;
            }
            Output::Event(_) | Output::Disconnect(_) => {}
            Output::Transmit { .. } => records += 1,
            Output::Timeout(deadline) => {
                assert_eq!(deadline, None);
                break;
            }
        }
    }
    assert_eq!(closed, 1);
    assert!(records <= 1);
    assert!(victim.open([0; 32]).is_err());
    assert_eq!(fuzzing::accept_frames(&mut victim, &mut [0], *START), Err(SessionError::Closed));
}
