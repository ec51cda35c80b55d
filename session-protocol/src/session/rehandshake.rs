//! The handshake inside the session: the static keys prove again who holds them. Specification: `spec/session.md`,
//! section 10.
//!
//! ```text
//! initiator                                          responder
//! rehandshake(keys) ─ REHS{1, message 1} ────────▶   Event::Rehandshake; the epoch stays until
//!                   ◀─────── REHS{2, message 2} ───  answer_rehandshake(keys)
//! ```
//!
//! From there on it is an epoch like any other: `epochs` knows who switches when. Not its concern: where the application
//! keeps its static key.

use std::time::Instant;

use super::{Event, RehandshakeError, Session, close, epochs::Exchange, exchange::Agreed};
use crate::{
    Role, StaticPublic, StaticSecret,
    frame::Frame,
    handshake::inside::{self, Finished, Offer},
    schedule,
};

/// Bytes of message 1 with an empty payload: in suites 1 and 2, and in 3 and 4.
const MESSAGE1_LEN: [usize; 2] = [48, 1248];

impl Session {
    /// Begins an epoch with a whole handshake, for which both ends bring their static keys again. It starts as soon as the
    /// rules allow; [`Event::Epoch`] tells when the epoch stands. The session keeps a copy of `local` until then.
    ///
    /// # Errors
    /// [`RehandshakeError::Role`] at the responder, [`RehandshakeError::OtherKeys`] if the keys are not those that the session
    /// began with, [`RehandshakeError::UnderWay`], [`RehandshakeError::Closed`].
    pub fn rehandshake(
        &mut self,
        local: &StaticSecret,
        remote: &StaticPublic,
    ) -> Result<(), RehandshakeError> {
        self.check_keys(local, remote)?;
        if self.role != Role::Initiator {
            return Err(RehandshakeError::Role);
        }
        if self.epochs.queued.is_some() || matches!(self.epochs.exchange, Exchange::Rehandshaking { .. }) {
            return Err(RehandshakeError::UnderWay);
        }
        self.epochs.queued = Some(Box::new(local.duplicate()));
        Ok(())
    }

    /// Answers the handshake that [`Event::Rehandshake`] told of.
    ///
    /// # Errors
    /// [`RehandshakeError::NotAsked`] if there is none, [`RehandshakeError::OtherKeys`] if the keys are not those that the
    /// session began with, [`RehandshakeError::Closed`]; [`RehandshakeError::Authentication`] if the peer did not prove that
    /// it holds its key: the session closes with [`close::REHS`].
    pub fn answer_rehandshake(
        &mut self,
        local: &StaticSecret,
        remote: &StaticPublic,
    ) -> Result<(), RehandshakeError> {
        self.check_keys(local, remote)?;
        let Exchange::Asked { epoch, message } = &self.epochs.exchange else {
            return Err(RehandshakeError::NotAsked);
        };
        let epoch = *epoch;
        let prologue = self.inner_prologue(epoch);
        let binding = &self.epochs.binding;
        let answered = inside::answer(binding, &prologue, local, message, &mut self.guards);
        let Ok((message2, finished)) = answered else {
            self.end(close::REHS);
            return Err(RehandshakeError::Authentication);
        };
        let mut frame = Vec::new();
        Frame::Rehs { step: 2, epoch, message: &message2 }.encode(&mut frame);
        self.answer_with(frame, &agreed(&finished));
        Ok(())
    }

    /// Makes REHS 1 for the next epoch. `None` if the peer's key is of low order, which its first handshake would have shown.
    pub(super) fn begin_rehandshake(&mut self, local: Box<StaticSecret>) -> Option<Vec<u8>> {
        let epoch = self.sealer.epoch().saturating_add(1);
        let prologue = self.inner_prologue(epoch);
        let (offer, message1) =
            Offer::start(&self.epochs.binding, &prologue, local, &mut self.guards).ok()?;
        let mut frame = Vec::new();
        Frame::Rehs { step: 1, epoch, message: &message1 }.encode(&mut frame);
        self.epochs.exchange = Exchange::Rehandshaking { epoch, offer: Box::new(offer) };
        Some(frame)
    }

    /// REHS. What is wrong with it closes the session.
    pub(super) fn apply_rehs(
        &mut self,
        step: u8,
        epoch: u32,
        message: &[u8],
        now: Instant,
    ) -> Result<(), u32> {
        match (step, &self.epochs.exchange) {
            (1, _) if self.may_be_asked(epoch) && message.len() == self.message1_len() => {
                self.epochs.exchange = Exchange::Asked { epoch, message: message.into() };
                self.events.push_back(Event::Rehandshake);
                Ok(())
            }
            (2, Exchange::Rehandshaking { epoch: offered, offer }) if *offered == epoch => {
                let finished = offer.finish(message).map_err(|_| close::REHS)?;
                self.epochs.renewed(now);
                self.switch_both(&agreed(&finished), now);
                Ok(())
            }
            _ => Err(close::REHS),
        }
    }

    fn message1_len(&self) -> usize {
        let [plain, hybrid] = MESSAGE1_LEN;
        if self.epochs.binding.suite.is_post_quantum() { hybrid } else { plain }
    }

    fn inner_prologue(&self, epoch: u32) -> zeroize::Zeroizing<Vec<u8>> {
        inside::prologue(&self.epochs.binding, &self.sid, epoch, self.epochs.split.expose())
    }

    fn check_keys(&self, local: &StaticSecret, remote: &StaticPublic) -> Result<(), RehandshakeError> {
        if self.is_over() {
            return Err(RehandshakeError::Closed);
        }
        let binding = &self.epochs.binding;
        if binding.local != local.public() || binding.remote != *remote {
            return Err(RehandshakeError::OtherKeys);
        }
        Ok(())
    }
}

fn agreed((hash, k1, k2): &Finished) -> Agreed {
    Agreed::new(schedule::join(k1, k2).as_slice(), None, *hash)
}

#[cfg(test)]
mod tests;
