//! Handshake messages and records, as anybody on the network can send them.

use std::cell::RefCell;
use std::sync::LazyLock;
use std::time::Duration;

use didagent_session::{Hello, Input, Output, Responder, Session, SessionError, Suite, fuzzing};

use crate::Outcome;
use crate::parties::{START, Statics, first, rng, sessions, small_limits, suite};

/// The payload of messages 1 and 2. What decodes encodes to the same bytes.
pub(crate) fn hello(input: &[u8]) -> Outcome {
    fuzzing::decode_hello(input);
    Outcome::of(&Hello::decode(input))
}

/// The frames of one record. What decodes encodes to the same bytes.
pub(crate) fn frames(input: &[u8]) -> Outcome {
    fuzzing::decode_frames(input);
    Outcome::Untold
}

static STATICS: LazyLock<[Statics; 4]> =
    LazyLock::new(|| Suite::ALL.map(|suite| Statics::new(suite, small_limits())));

/// The first byte chooses the suite.
fn with_suite(input: &[u8]) -> (usize, &[u8]) {
    let (first, rest) = input.split_first().unwrap_or((&0, &[]));
    (usize::from(*first) % STATICS.len(), rest)
}

/// A suite and a message 1. What the responder accepts, it answers.
pub(crate) fn message1(input: &[u8]) -> Outcome {
    let (suite, input) = with_suite(input);
    let answer = Responder::answer(STATICS[suite].responders(), input, &mut rng(2));
    if let Ok((_, message2)) = &answer {
        assert!(message2.len() <= didagent_session::MAX_HANDSHAKE_MESSAGE);
    }
    Outcome::of(&answer)
}

/// A suite and a message 2. One that is refused leaves the initiator as it was: the peer's real answer still completes the
/// handshake.
pub(crate) fn message2(input: &[u8]) -> Outcome {
    static GENUINE: LazyLock<Vec<(Vec<u8>, [u8; 32])>> = LazyLock::new(|| {
        let answer = |statics: &Statics| {
            let (established, message2) = statics.answer(&statics.start().1);
            (message2, established.sid())
        };
        STATICS.iter().map(answer).collect()
    });
    let (suite, input) = with_suite(input);
    let (genuine, sid) = &GENUINE[suite];
    match STATICS[suite].start().0.finish(input) {
        Ok(established) => {
            assert_eq!(established.sid(), *sid, "the responder answered once, so there is one session");
            Outcome::Accepted
        }
        Err(rejected) => {
            let established = rejected.initiator.finish(genuine).expect("the peer's message 2");
            assert_eq!(established.sid(), *sid);
            Outcome::Refused
        }
    }
}

/// A suite and one record for a responder that waits for the first. A record that is refused changes nothing.
pub(crate) fn record(input: &[u8]) -> Outcome {
    thread_local! {
        // A handshake for each input would take most of the time. A session that refused is as good as a new one, which
        // is what the target checks; one that accepted is replaced.
        static SESSION: RefCell<[Option<Session>; 4]> = const { RefCell::new([None, None, None, None]) };
    }
    let (number, input) = with_suite(input);
    SESSION.with_borrow_mut(|all| {
        let kept = &mut all[number];
        let mut session = kept.take().unwrap_or_else(|| sessions(suite(number), small_limits()).1);
        let before = session.stats();
        let now = *START + Duration::from_secs(1);
        let result = session.handle(Input::Record { connection: first(), record: &mut input.to_vec() }, now);
        let after = session.stats();
        if after.records_received > before.records_received {
            assert!(fuzzing::decode_record(input));
            assert!(matches!(result, Ok(()) | Err(SessionError::Violation { .. })), "{result:?}");
            return Outcome::of(&result);
        }
        let counted =
            after.records_dropped - before.records_dropped + after.records_rejected - before.records_rejected;
        assert_eq!(counted, 1, "what was not accepted was dropped or rejected");
        // A number that is too high costs the connection.
        let gap = !session.is_connected();
        assert_eq!(result.is_ok(), gap || after.records_dropped > before.records_dropped);
        assert!(!session.is_over());
        assert_eq!(session.last_heard(), *START);
        while session.poll_event().is_some() {}
        if gap {
            assert_eq!(session.poll(now), Output::Disconnect(first()));
        }
        assert_eq!(session.poll(now), Output::Timeout(None), "the responder is silent");
        *kept = Some(session).filter(|_| !gap);
        Outcome::Refused
    })
}

/// A message of a resumption, for a session and for a stranger. One that verifies is answered and moves nothing: it does not
/// have the nonce of this connection. `Accepted` means that it verified, or that a stranger takes it for a RESUME.
pub(crate) fn resume(input: &[u8]) -> Outcome {
    thread_local! {
        // As in `record`: a session that refused is as good as a new one.
        static SESSION: RefCell<Option<Session>> = const { RefCell::new(None) };
    }
    let is_resume = fuzzing::decode_resume(input);
    // Nothing, and DATA, are rejected instead of dropped: `record` looks at them.
    if matches!(input, [] | [0x10, ..]) {
        return Outcome::Refused;
    }
    SESSION.with_borrow_mut(|kept| {
        let mut session = kept.take().unwrap_or_else(|| sessions(suite(0), small_limits()).0);
        let before = session.stats();
        let record = &mut input.to_vec();
        assert_eq!(session.handle(Input::Record { connection: first(), record }, *START), Ok(()));
        let mut after = session.stats();
        let dropped = after.records_dropped - before.records_dropped;
        after.records_dropped = before.records_dropped;
        assert_eq!(after, before);
        assert_eq!(session.poll_event(), None);
        assert!(session.is_connected() && !session.is_over());
        match dropped {
            0 => assert!(matches!(session.poll(*START), Output::Transmit { record: [0x12, ..], .. })),
            dropped => {
                assert_eq!(dropped, 1);
                *kept = Some(session);
            }
        }
        if dropped == 0 || is_resume { Outcome::Accepted } else { Outcome::Refused }
    })
}
