//! One end of ours in a conversation that the reference wrote: what the other end sent is given to it, what it sent itself it
//! is made to send too. Its own records may differ in small frames, so they are counted and not compared.

use std::{
    collections::VecDeque,
    convert::Infallible,
    time::{Duration, Instant},
};

use rand_core::{TryCryptoRng, TryRng};
use serde_json::Value;

use super::{array, bytes, handshake::Setting, number, small, text};
use crate::{Event, Input, Output, Role, Session, SessionError, StreamId, testing::origin};

/// Frames of the specification that this crate does not have yet.
pub(super) const MISSING: [&str; 2] = ["REHS", "NEW_CID"];

pub(super) struct Player {
    role: Role,
    session: Session,
    now: Instant,
    /// Of each stream: bytes that came in and were not consumed.
    unread: Vec<(StreamId, usize)>,
    events: Vec<Event>,
}

impl Player {
    /// `draws`: what this end draws for each change of epoch.
    pub(super) fn new(case: &Value, role: Role, draws: &[Value]) -> Self {
        let [initiator, responder] = Setting::new(case).established();
        let now = origin();
        let established = if role == Role::Initiator { initiator } else { responder };
        let session = established.into_session(now, Draws::new(draws));
        Self { role, session, now, unread: Vec::new(), events: Vec::new() }
    }

    /// What came in on a stream.
    pub(super) fn received(&self, of: u32) -> Vec<u8> {
        let events = self.events.iter().filter_map(|event| match event {
            Event::StreamData { stream, bytes } if stream.value() == of => Some(bytes.as_slice()),
            _ => None,
        });
        events.collect::<Vec<_>>().concat()
    }

    pub(super) fn epoch(&self) -> u32 {
        self.session.epoch()
    }

    /// Goes through rows, up to the first with something that this crate does not have; tells whether that was none.
    pub(super) fn play(&mut self, rows: &[Value]) -> bool {
        let own = if self.role == Role::Initiator { "i" } else { "r" };
        for row in rows {
            if row.get("resume").is_some() {
                return false;
            }
            if frames_of(row).iter().any(|frame| is_missing(text(frame, "type"), row["from"] == own)) {
                return false;
            }
            // Acknowledgements that are owed become due.
            self.now += Duration::from_millis(25);
            if row["from"] == own {
                self.act(row);
            } else if row["outcome"] != "lost" {
                assert_eq!(self.give(&bytes(row, "record")), text(row, "outcome"), "{row}");
            }
        }
        true
    }

    /// The record of a must-fail case, as the next one.
    pub(super) fn check(&mut self, case: &Value) {
        let outcome = self.give(&bytes(case, "bytes"));
        let expected = match case["outcome"].get("close") {
            Some(code) => format!("close {code}"),
            None => text(case, "outcome").to_owned(),
        };
        assert_eq!(outcome, expected, "{}", text(case, "name"));
    }

    fn give(&mut self, record: &[u8]) -> String {
        let dropped = self.session.stats().records_dropped;
        let outcome = match self.session.handle(Input::Record(record), self.now) {
            Ok(()) if self.session.stats().records_dropped > dropped => "drop".to_owned(),
            Ok(()) => "commit".to_owned(),
            Err(SessionError::Rejected) => "reject".to_owned(),
            Err(SessionError::Gap { .. }) => "gap".to_owned(),
            Err(SessionError::Violation { code }) => format!("close {code}"),
            Err(SessionError::Closed) => "closed".to_owned(),
        };
        while let Some(event) = self.session.poll_event() {
            self.note(event);
        }
        outcome
    }

    fn note(&mut self, event: Event) {
        if let Event::StreamData { stream, bytes } = &event {
            self.unread.push((*stream, bytes.len()));
        }
        self.events.push(event);
    }

    /// Does what makes this end send what the row says.
    fn act(&mut self, row: &Value) {
        for frame in frames_of(row) {
            let stream = || StreamId::new(small(frame, "stream"));
            match text(frame, "type") {
                "STREAM_OPEN" => {
                    assert_eq!(self.session.open(array(frame, "context")).unwrap(), stream());
                }
                "STREAM_DATA" => {
                    let data = bytes(frame, "data");
                    assert_eq!(self.session.write(stream(), &data), Ok(data.len()), "{row}");
                }
                "STREAM_FIN" => self.session.finish(stream()).unwrap(),
                "STREAM_RESET" => self.session.reset(stream(), small(frame, "code")).unwrap(),
                "WINDOW" => {
                    let unread = self.unread.iter_mut().filter(|(of, _)| *of == stream());
                    let read = unread.map(|(_, bytes)| std::mem::take(bytes)).sum();
                    self.session.consume(stream(), read).unwrap();
                }
                "PING" => self.session.ping(),
                "RATCHET" | "RATCHET_REQ" => self.session.ratchet(),
                "CLOSE" => self.session.close(small(frame, "code")),
                _ => {}
            }
        }
        if self.drain() == 0 {
            // A PING that this end has no use for, say.
            self.session.open([0; 32]).unwrap();
            self.drain();
        }
        assert!(number(row, "seq") < self.session.stats().records_sent, "nothing to send: {row}");
    }

    fn drain(&mut self) -> usize {
        let mut sent = 0;
        loop {
            match self.session.poll(self.now) {
                Output::Transmit(_) => sent += 1,
                Output::Event(event) => self.note(event),
                Output::Timeout(_) => return sent,
            }
        }
    }
}

/// An end of ours need not send new cids.
fn is_missing(frame: &str, own: bool) -> bool {
    MISSING.contains(&frame) && !(own && frame == "NEW_CID")
}

fn frames_of(row: &Value) -> &[Value] {
    row["frames"].as_array().map_or(&[], Vec::as_slice)
}

/// A generator that tells by its length what is asked for: four bytes are a guard, 32 and 64 are keys and seeds.
struct Draws {
    keys: VecDeque<Vec<u8>>,
}

impl Draws {
    fn new(draws: &[Value]) -> Self {
        let names = ["e", "kem"];
        let keys = draws.iter().flat_map(|draw| {
            names.iter().filter(|name| draw.get(**name).is_some()).map(|name| bytes(draw, name))
        });
        Self { keys: keys.collect() }
    }
}

impl TryRng for Draws {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(0)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(0)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        match bytes.len() {
            32 | 64 => match self.keys.pop_front() {
                Some(key) => bytes.copy_from_slice(&key),
                // What an end draws for an exchange that fails is nobody's concern.
                None => bytes.fill(0x11),
            },
            _ => bytes.fill(0),
        }
        Ok(())
    }
}

impl TryCryptoRng for Draws {}
