//! Routing 2.0: a forward puts mail into a queue.
//!
//! The sender of a forward need not say who it is. If it does (authcrypt), it is told when the forward went nowhere; if it does
//! not, nothing is said (RL-42).

use std::sync::Arc;
use std::time::Duration;

use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::routing::Forward;

use super::delayed::Held;
use super::mailbox::Refused;
use super::problem::{self, Problem};
use super::{MailJob, Mediator, Now};
use crate::store::MailStore;

impl<S: MailStore> Mediator<S> {
    pub(super) fn forward(&mut self, message: &Message, now: Now) -> Result<(), Problem> {
        let forward = Forward::try_from(message)?;
        let next = forward.next_did().to_owned();
        let owner = self.accounts.owner_of(&next).cloned().ok_or(problem::NO_RECIPIENT)?;
        let limit = self.limits.message_bytes;
        if forward.payloads.iter().any(|payload| payload.len() > limit) {
            return Err(Problem::with(problem::TOO_BIG, limit));
        }
        if let Some(delay) = self.delay(forward.delay_milli)? {
            for payload in forward.payloads {
                let held = Held { next: next.clone(), payload, expires: forward.expires_time };
                if !self.delayed.hold(now.since_start + delay, held, &self.limits) {
                    return Err(problem::NO_DELAY.into());
                }
            }
            return Ok(());
        }
        for payload in forward.payloads {
            self.queue(&next, payload, forward.expires_time, now)?;
        }
        self.wake_live(&owner);
        Ok(())
    }

    /// Returns how long mail has to wait; `None` when it has not.
    fn delay(&mut self, delay_milli: i64) -> Result<Option<Duration>, Problem> {
        let most = Duration::from_millis(delay_milli.unsigned_abs());
        if most > self.limits.delay {
            return Err(Problem::with(problem::DELAY, self.limits.delay.as_millis()));
        }
        let delay = match delay_milli {
            ..0 => Duration::from_millis(self.ids.up_to(delay_milli.unsigned_abs())),
            0.. => most,
        };
        Ok(Some(delay).filter(|delay| !delay.is_zero()))
    }

    fn queue(&mut self, next: &str, payload: String, expires: Option<u64>, now: Now) -> Result<(), Problem> {
        let id = self.ids.make();
        self.mailbox.put(next, id, payload, expires, now.unix, &self.limits).map_err(
            |refused| match refused {
                Refused::TooBig => Problem::with(problem::TOO_BIG, self.limits.message_bytes),
                Refused::QueueFull => problem::QUEUE_FULL.into(),
            },
        )
    }

    /// Queues mail whose delay is over. Nobody is told if it finds no place any more: its sender is long gone.
    pub(super) fn end_delays(&mut self, now: Now) {
        while let Some(held) = self.delayed.take(now.since_start) {
            let is_over = held.expires.is_some_and(|end| end <= now.unix);
            let Some(owner) = self.accounts.owner_of(&held.next).cloned().filter(|_| !is_over) else {
                continue;
            };
            if self.queue(&held.next, held.payload, held.expires, now).is_ok() {
                self.wake_live(&owner);
            }
        }
    }

    /// Schedules a push to the live socket of an account, if there is one with room.
    pub(super) fn wake_live(&mut self, did: &Arc<str>) {
        if let Some(socket) = self.live.schedule(did, &self.limits)
            && let Some(state) = self.sockets.get_mut(&socket)
        {
            // Switching on again schedules again, while the push of the time before may still wait: one is enough.
            let waits = |job: &MailJob| matches!(job, MailJob::Push(other) if other == did);
            if !state.mail.iter().any(waits) {
                state.mail.push_back(MailJob::Push(did.clone()));
            }
            self.woken.insert(socket);
        }
    }
}
