//! When an epoch ends and how the next one begins. Specification: `spec/session.md`, section 9.
//!
//! ```text
//! initiator                                            responder
//!   tick, ratchet(), RATCHET_REQ: wanted                 tick, ratchet(): asks with RATCHET_REQ
//!   Idle ─ seals RATCHET ─▶ Ratcheting       ───────▶    derives; opens i and i + 1; Answering
//!   opens RATCHET_ACK: derives; both         ◀───────    seals RATCHET_ACK, then seals in i + 1
//!   directions in i + 1                      ───────▶    first record of i + 1: opens only that
//! ```
//!
//! This is the part of [`Session`] that knows about it. The record layer keeps the chains, `exchange` the keys between the
//! frames. Not its concern: how records travel; a record that was sealed stays as it is and is sent again as it is.

use std::time::{Duration, Instant};

use super::{
    Event, Phase, Session, close, earlier,
    exchange::{self, Agreed, Offer},
    outbox::Space,
};
use crate::{
    Role, StaticSecret,
    aead::Cipher,
    frame::Frame,
    handshake::{Binding, inside},
    limits::{EpochLimits, EpochMark},
    ratchet::ChainKey,
    schedule::{self, Rest, ResumeKey, ResumeKeys, RootKey, SplitProof},
    wire::Sink,
};

/// No frame of this module is longer: REHS 1 of the hybrid suites. A record with no stream frames has more room than that.
const MAX_FRAME: usize = 8 + 1248;

/// What the session knows about its epochs beside the chains.
pub(super) struct Epochs {
    role: Role,
    pub(super) binding: Binding,
    limits: EpochLimits,
    root: RootKey,
    /// What only equal epochs share.
    pub(super) split: SplitProof,
    /// Of the newest epoch.
    resume: ResumeKeys,
    /// Of the epoch before, as long as the peer may need them.
    resume_before: Option<ResumeKeys>,
    /// Initiator: the number of the first record of its send epoch.
    begins: u64,
    pub(super) exchange: Exchange,
    /// Initiator: the static key for a handshake that is to begin.
    pub(super) queued: Option<Box<StaticSecret>>,
    /// The application was told that they are due again; and that too much was forged in this epoch.
    told: (bool, bool),
    /// The application or the peer wants an epoch that begins from now on.
    demanded: bool,
    /// A limit wants one.
    due: bool,
    /// Responder: RATCHET_REQ was sealed in this epoch.
    asked: bool,
    /// The hard limit is reached.
    spent: bool,
    /// When this end begins the next epoch, or asks for it.
    mark: EpochMark,
    age: Stopwatch,
    /// While it runs: when it reaches `mark`, and when the hard limit. Each record looks at them.
    marked_at: Option<Instant>,
    hard_at: Option<Instant>,
    /// When the static keys are due again.
    statics_at: Option<Instant>,
    /// Records that did not verify in this epoch.
    rejected: u64,
}

/// What stands between this epoch and the next. At most one exchange is outstanding.
pub(super) enum Exchange {
    Idle,
    /// Initiator: RATCHET was sealed.
    Ratcheting(Box<Offer>),
    /// Initiator: REHS 1 was sealed.
    Rehandshaking {
        epoch: u32,
        offer: Box<inside::Offer>,
    },
    /// Responder: REHS 1 came, and waits for the application's static key.
    Asked {
        epoch: u32,
        message: Box<[u8]>,
    },
    /// Responder: the answer waits to be sealed. After that record it seals with `send`.
    Answering {
        frame: Vec<u8>,
        /// Boxed, as every secret of a state that ends by being moved out: the bytes would stay where the state was.
        send: Box<ChainKey>,
        /// The answer is in the record that is being built.
        placed: bool,
    },
}

impl Epochs {
    pub(super) fn new(role: Role, binding: Binding, limits: EpochLimits, epoch: Rest, now: Instant) -> Self {
        let Rest { root, split, resume } = epoch;
        // A responder leaves the first half to the initiator, so that the two do not both begin at each soft limit.
        let mark = match role {
            Role::Initiator => limits.soft,
            Role::Responder => limits.soft.between(&limits.hard),
        };
        let statics_at = now.checked_add(limits.rehandshake);
        Self {
            role,
            mark,
            binding,
            limits,
            root,
            split,
            resume,
            resume_before: None,
            begins: 0,
            exchange: Exchange::Idle,
            queued: None,
            told: (false, false),
            demanded: false,
            due: false,
            asked: false,
            spent: false,
            age: Stopwatch { before: Duration::ZERO, since: None },
            marked_at: None,
            hard_at: None,
            statics_at,
            rejected: 0,
        }
    }

    /// Whether only what SE-10 lists may be sealed.
    pub(super) fn is_spent(&self) -> bool {
        self.spent
    }

    #[cfg(test)]
    pub(super) fn root_key(&self) -> &[u8; 32] {
        self.root.expose()
    }

    /// A record did not verify.
    pub(super) fn rejected(&mut self) {
        self.rejected = self.rejected.saturating_add(1);
    }

    /// The cipher of the session's suite.
    pub(super) fn cipher(&self) -> Cipher {
        self.binding.suite.cipher()
    }

    /// The resume key of `sender` in the newest epoch, and those in the one before as long as the peer may need them.
    pub(super) fn resume_keys(&self, sender: Role) -> impl Iterator<Item = &ResumeKey> {
        std::iter::once(&self.resume).chain(&self.resume_before).map(move |keys| keys.of(sender))
    }

    /// The key of our own messages: that of our receive epoch, which is the one before while the newest is pending.
    pub(super) fn own_resume_key(&self, pending: bool) -> &ResumeKey {
        let before = self.resume_before.as_ref().filter(|_| pending);
        before.unwrap_or(&self.resume).of(self.role)
    }

    /// There is a current connection from now on, or none: time without one does not count.
    pub(super) fn connected(&mut self, connected: bool, now: Instant) {
        self.age.run(connected, now);
        self.foresee();
    }

    /// The peer opened every record below `rx_next`. If one of the initiator's send epoch is among them, the peer has left
    /// the epoch before.
    pub(super) fn acknowledged(&mut self, rx_next: u64) {
        if self.role == Role::Initiator && rx_next > self.begins {
            self.resume_before = None;
        }
    }

    /// Derives the next epoch; returns the chains on which this end sends and receives. The root key and the resume keys
    /// that they replace are erased.
    fn derive(&mut self, agreed: &Agreed) -> (ChainKey, ChainKey) {
        let next = schedule::derive_next(&self.root, &agreed.ikm, &agreed.context);
        let (send, receive, Rest { root, split, resume }) = next.split(self.role);
        self.root = root;
        self.split = split;
        self.resume_before = Some(std::mem::replace(&mut self.resume, resume));
        (send, receive)
    }

    /// This end seals in a new epoch from its next record on.
    fn restart(&mut self, now: Instant) {
        self.age.restart(now);
        self.foresee();
        (self.rejected, self.due, self.asked, self.spent) = (0, false, false, false);
        self.told.1 = false;
    }

    /// The static keys were used.
    pub(super) fn renewed(&mut self, now: Instant) {
        self.statics_at = now.checked_add(self.limits.rehandshake);
        self.told.0 = false;
    }

    /// Works out when the age of the epoch reaches its limits.
    fn foresee(&mut self) {
        self.marked_at = self.age.reaches(self.mark.time);
        self.hard_at = self.age.reaches(self.limits.hard.time);
    }

    /// Whether the application is to be told, now, that the static keys are due again.
    fn tell_due(&mut self, now: Instant) -> bool {
        let old = self.statics_at.is_some_and(|due| now >= due);
        let forged = self.rejected >= self.limits.forgeries;
        let before = self.told;
        self.told = (old || before.0, forged || before.1);
        self.role == Role::Initiator && self.told != before
    }
}

impl Session {
    /// Begins a new epoch as soon as the rules allow, whatever its age: fresh keys shut out whoever had a copy of the old
    /// ones and only listened. [`Event::Epoch`] tells when it stands. The responder asks the initiator for it.
    pub fn ratchet(&mut self) {
        self.epochs.demanded = true;
    }

    /// The epoch in which the next record is sealed.
    pub fn epoch(&self) -> u32 {
        self.sealer.epoch()
    }

    /// Looks at the limits.
    pub(super) fn tick_epoch(&mut self, now: Instant) {
        let reached = |at: Option<Instant>| at.is_some_and(|at| now >= at);
        let EpochLimits { hard, forgeries, .. } = &self.epochs.limits;
        let mark = &self.epochs.mark;
        let (sent, received) = (self.sealer.volume(), self.opener.volume());
        self.epochs.due = reached(self.epochs.marked_at)
            || sent.records.max(received.records) >= mark.records
            || sent.bytes.max(received.bytes) >= mark.bytes
            || self.epochs.rejected >= *forgeries;
        self.epochs.spent =
            reached(self.epochs.hard_at) || sent.records >= hard.records || sent.bytes >= hard.bytes;
        if self.epochs.spent && self.sealer.epoch() == u32::MAX {
            self.end(close::RECORD_LIMIT);
        }
        if self.phase == Phase::Open && self.epochs.tell_due(now) {
            self.events.push_back(Event::RehandshakeDue);
        }
        // The initiator may not begin before it heard the responder in this epoch, and an idle responder says nothing.
        if self.wants_epoch() && self.opener.volume().records == 0 {
            self.ping();
        }
    }

    /// When this module has to act by the clock.
    pub(super) fn epoch_deadline(&self, now: Instant) -> Option<Instant> {
        // An unconfirmed responder says nothing, whatever the time.
        if self.phase != Phase::Open {
            return None;
        }
        let Epochs { marked_at, statics_at, told, .. } = &self.epochs;
        let due = marked_at.filter(|at| *at > now);
        let statics = statics_at.filter(|_| !told.0);
        earlier(due, statics.filter(|_| self.role == Role::Initiator))
    }

    /// Whether there is a frame of this module to seal.
    pub(super) fn has_epoch_frames(&self) -> bool {
        matches!(self.epochs.exchange, Exchange::Answering { .. }) || self.may_begin() || self.must_ask()
    }

    /// Puts at most one frame into the record that is being built, as far as it stays within `end` bytes.
    pub(super) fn put_epoch_frames(&mut self, out: &mut Space, end: usize) {
        let room = end.saturating_sub(out.len());
        if let Exchange::Answering { frame, placed, .. } = &mut self.epochs.exchange {
            if frame.len() <= room {
                out.put(frame);
                *placed = true;
            }
        } else if self.may_begin() && room >= MAX_FRAME {
            // Either shuts out whoever had the old keys.
            self.epochs.demanded = false;
            if let Some(local) = self.epochs.queued.take() {
                match self.begin_rehandshake(local) {
                    Some(frame) => out.put(&frame),
                    None => self.end(close::REHS),
                }
            } else {
                let suite = self.epochs.binding.suite;
                let offer = Offer::new(suite, self.sealer.epoch().saturating_add(1), &mut self.guards);
                out.put(offer.frame());
                self.epochs.exchange = Exchange::Ratcheting(Box::new(offer));
            }
        } else if self.must_ask() && room > 0 {
            Frame::RatchetReq.encode(out);
            self.epochs.demanded = false;
            self.epochs.asked = true;
        }
    }

    /// A record was sealed. The one with RATCHET_ACK was the last of its epoch.
    pub(super) fn epoch_sealed(&mut self, now: Instant) {
        let exchange = std::mem::replace(&mut self.epochs.exchange, Exchange::Idle);
        if let Exchange::Answering { send, placed: true, .. } = exchange {
            self.sealer.switch(&send);
            self.epochs.restart(now);
        } else {
            self.epochs.exchange = exchange;
        }
    }

    /// A record verified that began the epoch of which the responder had sealed already.
    pub(super) fn epoch_opened(&mut self) {
        self.epochs.resume_before = None;
        self.events.push_back(Event::Epoch(self.opener.epoch()));
    }

    /// RATCHET. What is wrong with it closes the session.
    pub(super) fn apply_ratchet(&mut self, epoch: u32, e: &[u8; 32], kem: &[u8]) -> Result<(), u32> {
        if !self.may_be_asked(epoch) {
            return Err(close::RATCHET);
        }
        let suite = self.epochs.binding.suite;
        let (frame, agreed) =
            exchange::answer(suite, epoch, e, kem, &mut self.guards).map_err(|_| close::RATCHET)?;
        self.answer_with(frame, &agreed);
        Ok(())
    }

    /// Whether the initiator may propose this epoch to us now.
    pub(super) fn may_be_asked(&self, epoch: u32) -> bool {
        // If nothing of this epoch was sealed, the peer cannot have verified it.
        let heard = self.sealer.volume().records > 0;
        let idle = matches!(self.epochs.exchange, Exchange::Idle) && !self.opener.is_pending();
        let next = self.opener.epoch().checked_add(1);
        self.role == Role::Responder && heard && idle && next == Some(epoch)
    }

    /// The responder opens the next epoch too, and seals its answer as the last record of this one.
    pub(super) fn answer_with(&mut self, frame: Vec<u8>, agreed: &Agreed) {
        let (send, receive) = self.epochs.derive(agreed);
        self.opener.expect(receive);
        // Our fresh key is what was asked for. Who asks from now on gets another one.
        self.epochs.demanded = false;
        self.epochs.exchange = Exchange::Answering { frame, send: Box::new(send), placed: false };
    }

    /// RATCHET_ACK: the offer's secrets end.
    pub(super) fn apply_ratchet_ack(
        &mut self,
        epoch: u32,
        e: &[u8; 32],
        kem: &[u8],
        now: Instant,
    ) -> Result<(), u32> {
        let Exchange::Ratcheting(offer) = &self.epochs.exchange else { return Err(close::RATCHET) };
        if offer.epoch() != epoch {
            return Err(close::RATCHET);
        }
        let agreed = offer.finish(e, kem).map_err(|_| close::RATCHET)?;
        self.switch_both(&agreed, now);
        Ok(())
    }

    /// The initiator goes on in the new epoch, both ways.
    pub(super) fn switch_both(&mut self, agreed: &Agreed, now: Instant) {
        let (send, receive) = self.epochs.derive(agreed);
        self.epochs.exchange = Exchange::Idle;
        self.sealer.switch(&send);
        self.opener.switch(receive);
        self.epochs.begins = self.sealer.next();
        self.epochs.restart(now);
        self.events.push_back(Event::Epoch(self.sealer.epoch()));
    }

    /// RATCHET_REQ. One that crosses an offer is answered by that.
    pub(super) fn apply_ratchet_req(&mut self) -> Result<(), u32> {
        if self.role != Role::Initiator {
            return Err(close::RATCHET);
        }
        self.epochs.demanded |= matches!(self.epochs.exchange, Exchange::Idle);
        Ok(())
    }

    /// Whether the initiator begins the next epoch with its next record.
    fn may_begin(&self) -> bool {
        self.wants_epoch() && self.opener.volume().records > 0
    }

    fn wants_epoch(&self) -> bool {
        self.role == Role::Initiator
            && self.phase == Phase::Open
            && (self.epochs.demanded || self.epochs.due || self.epochs.queued.is_some())
            && matches!(self.epochs.exchange, Exchange::Idle)
            && self.sealer.epoch() < u32::MAX
    }

    /// Whether the responder asks with its next record.
    fn must_ask(&self) -> bool {
        self.role == Role::Responder
            && matches!(self.epochs.exchange, Exchange::Idle)
            && (self.epochs.demanded || self.epochs.due)
            && !self.epochs.asked
            && self.sealer.epoch() < u32::MAX
    }
}

/// Time with a connection since the epoch began.
#[derive(Debug)]
struct Stopwatch {
    before: Duration,
    /// Since when it runs.
    since: Option<Instant>,
}

impl Stopwatch {
    fn elapsed(&self, now: Instant) -> Duration {
        let running = self.since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        self.before.saturating_add(running)
    }

    /// When it reads `time`, if it runs until then; at once if it does already.
    fn reaches(&self, time: Duration) -> Option<Instant> {
        self.since?.checked_add(time.saturating_sub(self.before))
    }

    /// Starts or stops it; what it counted stays.
    fn run(&mut self, runs: bool, now: Instant) {
        *self = Self { before: self.elapsed(now), since: runs.then_some(now) };
    }

    fn restart(&mut self, now: Instant) {
        *self = Self { before: Duration::ZERO, since: self.since.map(|_| now) };
    }
}

#[cfg(test)]
pub(in crate::session) mod tests;
