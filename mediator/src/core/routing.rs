//! Routing 2.0: a forward puts mail into a queue.
//!
//! The sender of a forward need not say who it is. If it does (authcrypt), it is told when the forward went nowhere; if it does
//! not, nothing is said (RL-42).

use std::sync::Arc;

use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::routing::Forward;

use super::mailbox::Refused;
use super::problem::{self, Problem};
use super::{MailJob, Mediator, Now};
use crate::store::MailStore;

impl<S: MailStore> Mediator<S> {
    pub(super) fn forward(&mut self, message: &Message, now: Now) -> Result<(), Problem> {
        let forward = Forward::try_from(message)?;
        let next = forward.next_did().to_owned();
        let owner = self.accounts.owner_of(&next).cloned().ok_or(problem::NO_RECIPIENT)?;
        for payload in forward.payloads {
            let id = self.ids.make();
            self.mailbox.put(&next, id, payload, forward.expires_time, now.unix, &self.limits).map_err(
                |refused| match refused {
                    Refused::TooBig => Problem::with(problem::TOO_BIG, self.limits.message_bytes),
                    Refused::QueueFull => problem::QUEUE_FULL.into(),
                },
            )?;
        }
        self.wake_live(&owner);
        Ok(())
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
