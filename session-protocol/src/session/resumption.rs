//! RESUME and RESUME_RSP: how a session moves to another connection. Specification: `spec/session.md`, section 12.
//!
//! ```text
//! connected ─▶ RESUME{generation, rx_next, nonce}  ──▶
//!                                                  ◀── RESUME_RSP{generation, rx_next, nonce, echo of ours}
//! adopted   ─▶ RESUME_RSP{…, echo of theirs}       ──▶ adopted there too
//!              records from una on, again, then new ones
//! ```
//!
//! Until an echo of this end's own nonce of this connection verified, nothing changes that outlives the connection.

use std::time::Instant;

use super::{ConnectionId, Event, Phase, Session, SessionError};
use crate::{
    hello::Cid,
    record::resume::{self, Resume},
};

impl Session {
    /// Tells that a new connection to the peer stands. It must keep order and lose nothing while it lives.
    ///
    /// The first is current at once. On each further one the ends first prove to each other that they are there:
    /// [`Event::Adopted`] tells when data flows on it. If that does not happen within 10 s, or a newer one is adopted,
    /// [`Output::Disconnect`](super::Output::Disconnect) tells to drop it.
    ///
    /// # Errors
    /// [`SessionError::TooManyConnections`] if four wait already, [`SessionError::Closed`] if the peer closed the session or
    /// it was abandoned. Nothing changed; drop the connection.
    pub fn connected(&mut self, now: Instant) -> Result<ConnectionId, SessionError> {
        if self.phase == Phase::Closed {
            return Err(SessionError::Closed);
        }
        self.paths.check_room()?;
        let nonce = self.random();
        let cid = self.held.take();
        let (id, first) = self.paths.add(cid, nonce, self.role, now);
        if first {
            self.epochs.connected(true, now);
            self.events.push_back(Event::Adopted(id));
        }
        Ok(id)
    }

    /// Tells that a connection ended, or that the caller dropped it. Records of it that arrive late may still be handed in.
    ///
    /// If it was the current one, [`Event::Suspended`] follows, and nothing is sealed until another is adopted. Without one
    /// the session keeps everything for as long as the caller likes; [`abandon`](Self::abandon) gives it up.
    pub fn disconnected(&mut self, connection: ConnectionId, now: Instant) {
        self.tick(now);
        if self.paths.forget(connection) {
            self.suspended(now);
        }
    }

    /// Whether there is a current connection.
    pub fn is_connected(&self) -> bool {
        self.paths.current().is_some()
    }

    /// The connection is to be dropped by the caller, and is out of use from now on.
    pub(super) fn give_up(&mut self, connection: ConnectionId, now: Instant) {
        if self.paths.give_up(connection) {
            self.suspended(now);
        }
    }

    fn suspended(&mut self, now: Instant) {
        self.epochs.connected(false, now);
        if self.phase != Phase::Closed {
            self.events.push_back(Event::Suspended);
        }
    }

    /// A record that is not DATA.
    pub(super) fn receive_message(&mut self, connection: ConnectionId, record: &[u8], now: Instant) {
        let used = if resume::is_resume(record) {
            self.receive_resume(connection, record, now)
        } else {
            self.receive_unknown(connection, record)
        };
        if used.is_none() {
            self.stats.records_dropped = self.stats.records_dropped.saturating_add(1);
        }
    }

    /// `None` if the message is dropped.
    fn receive_resume(&mut self, connection: ConnectionId, record: &[u8], now: Instant) -> Option<()> {
        let keys = self.epochs.resume_keys(self.role.other());
        let (message, cid) = Resume::open(self.epochs.cipher(), keys, record)?;
        if !self.issued.as_slice().contains(&cid) || message.rx_next > self.outbox.next() {
            return None;
        }
        let link = self.paths.link_mut(connection)?;
        if !link.heard(message.nonce) {
            self.give_up(connection, now);
            return None;
        }
        link.generation = link.generation.max(message.generation);
        let echoed = message.echo == Some(link.nonce);
        if echoed && self.paths.is_newer(connection) {
            self.adopt(connection, cid, message.rx_next, now);
        }
        Some(())
    }

    /// The peer is on this connection now.
    fn adopt(&mut self, connection: ConnectionId, cid: Cid, rx_next: u64, now: Instant) {
        self.epochs.connected(true, now);
        let is_other = self.paths.adopt(connection);
        self.acknowledged(rx_next);
        // The peer has what is below, and may have lost anything above.
        self.transmitted = self.outbox.una();
        let guards = &mut self.guards;
        self.issued.adopted(cid, || {
            let mut cid = Cid::default();
            guards.fill_bytes(&mut cid);
            cid
        });
        if is_other {
            // What was opened since `rx_next` was told may have been acknowledged on a connection that is gone; sent again it is
            // a duplicate, which asks for nothing.
            self.acks.owe();
            self.events.push_back(Event::Adopted(connection));
        }
    }

    /// Every record below `rx_next` arrived. A lower number than before changes nothing.
    pub(super) fn acknowledged(&mut self, rx_next: u64) {
        self.epochs.acknowledged(rx_next);
        let streams = &mut self.streams;
        self.outbox.acknowledge(rx_next, |stream, bytes| streams.acknowledged(stream, bytes));
        self.transmitted = self.transmitted.max(self.outbox.una());
    }

    /// Seals the next message that is due; its bytes are in `message` then.
    pub(super) fn seal_message(&mut self) -> Option<ConnectionId> {
        let (link, echo) = self.paths.next_message()?;
        let mut salt = [0; 16];
        self.guards.fill_bytes(&mut salt);
        let rx_next = self.opener.next();
        let message = Resume { generation: link.proposal, rx_next, nonce: link.nonce, echo };
        let key = self.epochs.own_resume_key(self.opener.is_pending());
        message.seal(self.epochs.cipher(), key, &link.cid, &salt, &mut self.message);
        Some(link.id)
    }

    fn receive_unknown(&mut self, connection: ConnectionId, record: &[u8]) -> Option<()> {
        let cid = resume::unknown(record)?;
        self.paths.link_mut(connection)?.unknown(cid).then(|| {
            self.events.push_back(Event::UnknownCid(connection));
        })
    }
}
