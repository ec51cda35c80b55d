//! What stands between the two sockets of a hop: a session, or the AEAD alone.

use std::io;
use std::ops::Range;
use std::time::Instant;

use super::Side;
use super::outgoing::{Incoming, Outgoing};
use crate::cost::bare::{Bare, Cipher, TAG};
use anyhow::Context as _;
use didagent_session::{ConnectionId, Event, Input, MAX_RECORD, Output, Session, StreamId};

/// Bytes of a record's length.
pub(super) const LENGTH: usize = 3;

/// Largest record.
pub(super) const MOST: usize = MAX_RECORD;

/// Most that is read from the program at a time: with a session's headers it fills a record.
const PIECE: usize = MOST - 64;

/// The middle of a hop.
pub trait Carrier {
    /// Whether it takes bytes of the program now.
    fn takes(&self) -> bool;

    /// Reads once from the program, straight to where the bytes are sealed. Returns how many there were.
    ///
    /// # Errors
    /// Those of the socket, also that nothing is there.
    fn take(&mut self, local: &mut Incoming<'_>, to_wire: &mut Outgoing<'_>) -> io::Result<usize>;

    /// Sends every record that is due.
    ///
    /// # Errors
    /// Those of the socket.
    fn send(&mut self, now: Instant, to_wire: &mut Outgoing<'_>) -> anyhow::Result<()>;

    /// Opens a record where it lies and gives its bytes to the program.
    ///
    /// # Errors
    /// Those of the socket, and a record that does not verify.
    fn open(&mut self, record: &mut [u8], now: Instant, to_local: &mut Outgoing<'_>) -> anyhow::Result<()>;

    /// When [`tick`](Self::tick) is due.
    fn deadline(&self) -> Option<Instant>;

    /// Time passed.
    fn tick(&mut self, now: Instant);
}

fn length_of(record: &[u8]) -> [u8; LENGTH] {
    let [.., a, b, c] = u32::try_from(record.len()).unwrap_or(u32::MAX).to_be_bytes();
    [a, b, c]
}

/// The AEAD alone: one key for each direction, a counter for a nonce.
pub(super) struct Plain {
    seal: Bare,
    open: Bare,
    sealed: u64,
    opened: u64,
    buffer: Vec<u8>,
}

impl Plain {
    pub(super) fn new(cipher: Cipher, side: Side) -> Self {
        let (seal, open) = match side {
            Side::Near => ([1; 32], [2; 32]),
            Side::Far => ([2; 32], [1; 32]),
        };
        let [seal, open] = [seal, open].map(|key| cipher.key(&key));
        Self { seal, open, sealed: 0, opened: 0, buffer: vec![0; PIECE + TAG] }
    }
}

impl Carrier for Plain {
    fn takes(&self) -> bool {
        true
    }

    fn take(&mut self, local: &mut Incoming<'_>, to_wire: &mut Outgoing<'_>) -> io::Result<usize> {
        let count = local.read(&mut self.buffer[..PIECE])?;
        if count > 0 {
            let record = &mut self.buffer[..count + TAG];
            self.seal.seal(self.sealed, record);
            self.sealed += 1;
            to_wire.send(&length_of(record), record)?;
        }
        Ok(count)
    }

    fn send(&mut self, _now: Instant, _to_wire: &mut Outgoing<'_>) -> anyhow::Result<()> {
        Ok(())
    }

    fn open(&mut self, record: &mut [u8], _now: Instant, to_local: &mut Outgoing<'_>) -> anyhow::Result<()> {
        let length = self.open.open(self.opened, record);
        self.opened += 1;
        Ok(to_local.send(&[], &record[..length])?)
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn tick(&mut self, _now: Instant) {}
}

/// A session with one stream, over one connection.
pub(super) struct Sealed {
    session: Session,
    connection: ConnectionId,
    stream: Option<StreamId>,
    deadline: Option<Instant>,
    /// The stream takes bytes.
    takes: bool,
    /// Where the bytes of the program are in the record that is opened.
    ranges: Vec<Range<usize>>,
}

impl Sealed {
    pub(super) fn new(mut session: Session, side: Side) -> anyhow::Result<Self> {
        let connection = session.connected(Instant::now())?;
        let stream = match side {
            Side::Near => Some(session.open([0; 32])?),
            Side::Far => None,
        };
        Ok(Self { session, connection, takes: stream.is_some(), stream, deadline: None, ranges: Vec::new() })
    }

    fn hear(&mut self, event: Event) -> anyhow::Result<()> {
        match event {
            Event::StreamOpened { stream, .. } => (self.stream, self.takes) = (Some(stream), true),
            Event::StreamData { range, .. } => self.ranges.push(range),
            Event::StreamWritable { .. } => self.takes = true,
            Event::Closed { code, .. } => anyhow::bail!("the session is over: {code}"),
            _ => {}
        }
        Ok(())
    }
}

impl Carrier for Sealed {
    fn takes(&self) -> bool {
        self.takes
    }

    fn take(&mut self, local: &mut Incoming<'_>, _to_wire: &mut Outgoing<'_>) -> io::Result<usize> {
        let Some(stream) = self.stream else { return Err(io::ErrorKind::WouldBlock.into()) };
        let reserved = self.session.reserve(stream, PIECE, Instant::now()).map_err(io::Error::other)?;
        let Some(mut reserved) = reserved else {
            self.takes = false;
            return Err(io::ErrorKind::WouldBlock.into());
        };
        let count = local.read(reserved.bytes_mut())?;
        if count > 0 {
            reserved.commit(count);
        }
        Ok(count)
    }

    fn send(&mut self, now: Instant, to_wire: &mut Outgoing<'_>) -> anyhow::Result<()> {
        loop {
            match self.session.poll(now) {
                Output::Transmit { record, .. } => to_wire.send(&length_of(record), record)?,
                Output::Event(event) => self.hear(event)?,
                Output::Disconnect(_) => anyhow::bail!("a record is missing"),
                Output::Timeout(deadline) => {
                    self.deadline = deadline;
                    return Ok(());
                }
            }
        }
    }

    fn open(&mut self, record: &mut [u8], now: Instant, to_local: &mut Outgoing<'_>) -> anyhow::Result<()> {
        // Whatever kept bytes back may be gone now.
        self.takes = self.stream.is_some();
        self.session.handle(Input::Record { connection: self.connection, record: &mut *record }, now)?;
        while let Some(event) = self.session.poll_event() {
            self.hear(event)?;
        }
        let mut ranges = std::mem::take(&mut self.ranges);
        for range in ranges.drain(..) {
            let bytes = record.get(range).context("a range beyond the record")?;
            to_local.send(&[], bytes)?;
            if let Some(stream) = self.stream {
                self.session.consume(stream, bytes.len())?;
            }
        }
        self.ranges = ranges;
        Ok(())
    }

    fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    fn tick(&mut self, now: Instant) {
        // Nothing is wrong with time.
        let _ = self.session.handle(Input::Timeout, now);
    }
}
