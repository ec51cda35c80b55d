//! Routing 2.0: a forward puts mail into a queue.
//!
//! The sender of a forward need not say who it is. If it does (authcrypt), it is told when the forward went nowhere; if it does
//! not, nothing is said (RL-42).

use std::sync::Arc;

use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::routing::Forward;

use super::dispatch::problem;
use super::mailbox::Refused;
use super::{MailJob, Mediator, Now, Peer, SocketId};
use crate::store::MailStore;

impl<S: MailStore> Mediator<S> {
    pub(super) fn forward(&mut self, socket: SocketId, sender: Option<&Peer>, message: &Message, now: Now) {
        let Err((code, comment)) = self.try_forward(message, now) else { return };
        self.complain(socket, sender, message, code, &comment, now);
    }

    fn try_forward(&mut self, message: &Message, now: Now) -> Result<(), (&'static str, String)> {
        let forward = Forward::try_from(message).map_err(|error| (problem::MALFORMED, error.to_string()))?;
        let next = forward.next_did().to_owned();
        let Some(owner) = self.accounts.owner_of(&next).cloned() else {
            return Err((problem::NO_RECIPIENT, "next is not registered here".to_owned()));
        };
        for payload in forward.payloads {
            let id = self.ids.make();
            self.mailbox.put(&next, id, payload, forward.expires_time, now.unix, &self.limits).map_err(
                |refused| match refused {
                    Refused::TooBig => {
                        let limit = self.limits.message_bytes;
                        (problem::TOO_BIG, format!("an attachment is longer than {limit} bytes"))
                    }
                    Refused::QueueFull => (problem::QUEUE_FULL, "the recipient's queue is full".to_owned()),
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
