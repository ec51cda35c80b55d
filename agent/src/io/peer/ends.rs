//! How our streams end, as the peer hears it: at once, a little later, or not at all.
//!
//! The connections of a program that fails fall before anybody knows that it failed. A peer that heard of their ends at once would see
//! its own program fail too, for a reason that nobody there knows yet. So the ends wait until our program has ended as well: if that
//! was well they go out, if not the peer is told in words (RM-55).
//!
//! ```text
//! local connection ends --[hold]--> held --500 ms, or the program ended well--> FIN, RESET
//!                                     +---the program failed, or is stopped---> nothing; `leave`, then CLOSE
//! ```

use std::time::{Duration, Instant};

use didagent_session::StreamId;

use super::State;

/// STREAM_RESET code of a stream that was dropped without FIN.
const RESET_ABORTED: u32 = 1;

/// How long the end of a stream waits for that of our program. Python takes a tenth of a second from its last connection to its own
/// end, more on a busy machine. A program that closes its connections and works on makes the others wait so long.
const HOLD: Duration = Duration::from_millis(500);

/// Ends that wait for each peer: MPyC has one connection to each other party, and a few more if it is run again and again.
const MAX_HELD: usize = 64;

/// How a stream ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StreamEnd {
    /// In order.
    Finish,
    /// It was dropped.
    Reset,
}

/// What becomes of the ends of our streams.
#[derive(Debug, Default)]
pub(super) enum Ends {
    /// The peer hears of them at once.
    #[default]
    Told,
    /// They wait, each until a time.
    Held(Vec<(StreamId, StreamEnd, Instant)>),
    /// The peer never hears of them; the end of the session ends them.
    Mute,
}

impl State {
    /// One of our streams has ended here.
    pub(super) fn end_stream(&mut self, id: StreamId, end: StreamEnd, now: Instant) {
        match &mut self.ends {
            Ends::Held(held) if held.len() < MAX_HELD => held.push((id, end, now + HOLD)),
            Ends::Told | Ends::Held(_) => self.tell_end(id, end),
            Ends::Mute => {}
        }
    }

    /// Tells the peer of those ends whose time has come, and returns when to look again.
    pub(super) fn ends_due(&mut self, now: Instant) -> Option<Instant> {
        let Ends::Held(held) = &mut self.ends else { return None };
        let due: Vec<_> = held.extract_if(.., |(_, _, until)| *until <= now).collect();
        let next = held.iter().map(|(_, _, until)| *until).min();
        due.into_iter().for_each(|(id, end, _)| self.tell_end(id, end));
        next
    }

    /// From now on ends wait for that of our program.
    pub(super) fn hold_ends(&mut self) {
        if matches!(self.ends, Ends::Told) {
            self.ends = Ends::Held(Vec::new());
        }
    }

    /// Our program has ended well: no end waits any longer.
    pub(super) fn release_ends(&mut self) {
        if let Ends::Held(held) = &mut self.ends {
            let held = std::mem::take(held);
            self.ends = Ends::Told;
            held.into_iter().for_each(|(id, end, _)| self.tell_end(id, end));
        }
    }

    /// The peer hears of no end any more.
    pub(super) fn mute(&mut self) {
        self.ends = Ends::Mute;
    }

    fn tell_end(&mut self, id: StreamId, end: StreamEnd) {
        // A stream that is over has nothing to end.
        let _ = match end {
            StreamEnd::Finish => self.session.finish(id),
            StreamEnd::Reset => self.session.reset(id, RESET_ABORTED),
        };
    }
}
