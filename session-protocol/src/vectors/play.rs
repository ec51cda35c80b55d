//! One end of ours in a conversation that the reference wrote: what the other end sent is given to it, what it sent itself it
//! is made to send too. Its own records may differ in small frames, so they are counted and not compared; its messages of a
//! resumption are compared.

use std::{
    collections::VecDeque,
    convert::Infallible,
    time::{Duration, Instant},
};

use rand_core::{TryCryptoRng, TryRng};
use serde_json::Value;

use super::{array, bytes, handshake::Setting, number, small, text};
use crate::{
    ConnectionId, Event, Input, Output, Role, Session, SessionError, StaticPublic, StaticSecret, StreamId,
    close, testing::origin,
};

pub(super) struct Player {
    role: Role,
    local: StaticSecret,
    remote: StaticPublic,
    session: Session,
    now: Instant,
    /// By the names that the vectors have for them.
    connections: Vec<(String, ConnectionId)>,
    /// Bytes of streams that came in and were not consumed.
    unread: Vec<(StreamId, usize)>,
    data: Vec<(StreamId, Vec<u8>)>,
    /// A connection was adopted since [`Player::has_adopted`] was asked.
    adopted: bool,
}

impl Player {
    /// `draws`: what this end draws for each change of epoch.
    pub(super) fn new(case: &Value, role: Role, draws: &[Value]) -> Self {
        let setting = Setting::new(case);
        let [initiator, responder] = setting.established();
        let (local, remote) = setting.keys(role);
        let established = if role == Role::Initiator { initiator } else { responder };
        let steps = case["steps"].as_array().map_or(&[][..], Vec::as_slice);
        let is_own = |row: &&Value| row["from"] == name_of(role) && row.get("resume").is_some();
        let draws = Draws::new(draws, &steps.iter().filter(is_own).collect::<Vec<_>>());
        let now = origin();
        let session = established.into_session(now, draws);
        let (connections, unread, data) = (Vec::new(), Vec::new(), Vec::new());
        let mut player =
            Self { role, local, remote, session, now, connections, unread, data, adopted: false };
        player.connect("A");
        while player.session.poll_event().is_some() {}
        player
    }

    /// A connection stands.
    pub(super) fn connect(&mut self, name: &str) {
        let connection = self.session.connected(self.now).unwrap();
        self.connections.push((name.to_owned(), connection));
    }

    /// What came in on a stream.
    pub(super) fn received(&self, of: u32) -> Vec<u8> {
        let own = self.data.iter().filter(|(stream, _)| stream.value() == of);
        own.flat_map(|(_, bytes)| bytes.iter().copied()).collect()
    }

    pub(super) fn epoch(&self) -> u32 {
        self.session.epoch()
    }

    /// Whether a connection was adopted since this was asked last.
    pub(super) fn has_adopted(&mut self) -> bool {
        std::mem::take(&mut self.adopted)
    }

    /// Goes through rows.
    pub(super) fn play(&mut self, rows: &[Value]) {
        for row in rows {
            // Acknowledgements that are owed become due.
            self.now += Duration::from_millis(25);
            let connection = text(row, "connection");
            if self.connection(connection).is_none() {
                // The one before broke.
                let (_, broken) = *self.connections.last().unwrap();
                self.session.disconnected(broken, self.now);
                self.connect(connection);
            }
            match (row["from"] == name_of(self.role), row.get("resume")) {
                (true, Some(_)) => assert!(self.drain().contains(&bytes(row, "resume")), "{row}"),
                (true, None) => self.act(row),
                (false, _) if row["outcome"] == "lost" => {}
                (false, Some(_)) => {
                    assert_eq!(self.give(connection, bytes(row, "resume")), "commit", "{row}");
                    assert_eq!(self.has_adopted(), text(row, "outcome").contains("adopt"), "{row}");
                }
                (false, None) => {
                    assert_eq!(self.give(connection, bytes(row, "record")), text(row, "outcome"), "{row}");
                }
            }
        }
    }

    /// The record of a must-fail case, as the next one.
    pub(super) fn check(&mut self, connection: &str, case: &Value) {
        let outcome = self.give(connection, bytes(case, "bytes"));
        let expected = match case["outcome"].get("close") {
            Some(code) => format!("close {code}"),
            None => text(case, "outcome").replace("answer", "commit"),
        };
        assert_eq!(outcome, expected, "{}", text(case, "name"));
    }

    fn connection(&self, name: &str) -> Option<ConnectionId> {
        self.connections.iter().find(|(known, _)| known == name).map(|(_, connection)| *connection)
    }

    fn give(&mut self, connection: &str, mut record: Vec<u8>) -> String {
        let dropped = self.session.stats().records_dropped;
        let connection = self.connection(connection).unwrap();
        let input = Input::Record { connection, record: &mut record };
        let outcome = match self.session.handle(input, self.now) {
            Ok(()) if self.session.stats().records_dropped > dropped => "drop".to_owned(),
            Ok(()) => "commit".to_owned(),
            Err(SessionError::Rejected) => "reject".to_owned(),
            Err(SessionError::Violation { code }) => format!("close {code}"),
            Err(other) => format!("{other:?}"),
        };
        let mut asked = false;
        while let Some(event) = self.session.poll_event() {
            if let Event::StreamData { stream, range } = &event {
                self.unread.push((*stream, range.len()));
                self.data.push((*stream, record[range.clone()].to_vec()));
            }
            self.adopted |= matches!(event, Event::Adopted(_));
            asked |= event == Event::Rehandshake;
        }
        if asked && self.session.answer_rehandshake(&self.local, &self.remote).is_err() {
            return format!("close {}", close::REHS);
        }
        outcome
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
                "REHS" if number(frame, "step") == 1 => {
                    self.session.rehandshake(&self.local, &self.remote).unwrap();
                }
                "CLOSE" => self.session.close(small(frame, "code")),
                _ => {}
            }
        }
        let sent = self.drain();
        // A record that is sent again has no number here.
        if row.get("seq").is_some() {
            if sent.is_empty() {
                // A PING while another is on its way, say.
                self.session.open([0; 32]).unwrap();
                self.drain();
            }
            assert!(number(row, "seq") < self.session.stats().records_sent, "nothing to send: {row}");
        }
    }

    fn drain(&mut self) -> Vec<Vec<u8>> {
        let mut sent = Vec::new();
        loop {
            match self.session.poll(self.now) {
                Output::Transmit { record, .. } => sent.push(record.to_vec()),
                Output::Event(event) => self.adopted |= matches!(event, Event::Adopted(_)),
                Output::Disconnect(_) => {}
                Output::Timeout(_) => return sent,
            }
        }
    }
}

fn name_of(role: Role) -> &'static str {
    if role == Role::Initiator { "i" } else { "r" }
}

fn frames_of(row: &Value) -> &[Value] {
    row["frames"].as_array().map_or(&[], Vec::as_slice)
}

/// A generator that tells by its length what is asked for: four bytes are a guard, eight a cid, 16 a nonce or a salt of a
/// resumption, 32 and 64 are keys and seeds.
struct Draws {
    keys: VecDeque<Vec<u8>>,
    resumes: VecDeque<Vec<u8>>,
    cids: u8,
}

impl Draws {
    fn new(draws: &[Value], resumes: &[&Value]) -> Self {
        let drawn = |draw: &Value| {
            let names = ["e", "kem"].into_iter().filter(|name| draw.get(name).is_some());
            names.map(|name| bytes(draw, name)).collect::<Vec<_>>()
        };
        // The nonce of the first connection is never sent here; then that of the second, and a salt for each message.
        let nonce = resumes.first().map(|row| bytes(row, "nonce"));
        let salts = resumes.iter().map(|row| bytes(row, "salt"));
        let resumes = std::iter::once(vec![0x77; 16]).chain(nonce).chain(salts).collect();
        Self { keys: draws.iter().flat_map(drawn).collect(), resumes, cids: 0 }
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
        // What an end draws for an exchange that fails is nobody's concern.
        let given = match bytes.len() {
            32 | 64 => self.keys.pop_front(),
            16 => self.resumes.pop_front(),
            8 => {
                self.cids += 1;
                Some(vec![self.cids; 8])
            }
            _ => None,
        };
        match given {
            Some(given) => bytes.copy_from_slice(&given),
            None => bytes.fill(0x11),
        }
        Ok(())
    }
}

impl TryCryptoRng for Draws {}
