//! Message Pickup 3.0, the mediator's side, with live delivery as acknowledged `delivery` messages (RL-43).

use std::sync::Arc;

use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::Body;
use didagent_didcomm::protocols::pickup::{
    Delivered, Delivery, DeliveryRequest, LiveDeliveryChange, MessagesReceived, Status, StatusRequest,
};

use super::dispatch::{Answer, Ask};
use super::mailbox::Batch;
use super::problem::{self, Problem};
use super::{CloseReason, MailJob, Mediator, Now, Outgoing, Peer, SocketId};
use crate::store::MailStore;

/// Delivery requests that may wait for one socket.
const MAX_DELIVERIES: usize = 128;

impl<S: MailStore> Mediator<S> {
    pub(super) fn status_request(&mut self, ask: &Ask<'_>) -> Answer {
        let request = StatusRequest::try_from(ask.message)?;
        self.may_read(ask.peer, request.recipient_did.as_deref())?;
        Ok(Some(self.status(ask.socket, ask.peer, request.recipient_did, ask.now).message("")))
    }

    pub(super) fn delivery_request(&mut self, ask: &Ask<'_>) -> Answer {
        let request = DeliveryRequest::try_from(ask.message)?;
        self.may_read(ask.peer, request.recipient_did.as_deref())?;
        let Some(state) = self.sockets.get_mut(&ask.socket) else { return Ok(None) };
        if state.mail.len() >= MAX_DELIVERIES {
            self.close(ask.socket, CloseReason::Overload);
            return Ok(None);
        }
        state.mail.push_back(MailJob::Deliver {
            to: ask.peer.clone(),
            thid: ask.message.thread().to_owned(),
            limit: usize::try_from(request.limit).unwrap_or(usize::MAX),
            recipient_did: request.recipient_did,
        });
        self.woken.insert(ask.socket);
        Ok(None)
    }

    pub(super) fn messages_received(&mut self, ask: &Ask<'_>) -> Answer {
        let request = MessagesReceived::try_from(ask.message)?;
        self.enrolled(ask.peer)?;
        for id in &request.message_id_list {
            let accounts = &self.accounts;
            let owns = |recipient: &str| accounts.owner_of(recipient) == Some(&ask.peer.did);
            self.mailbox.acknowledge(id, owns);
            // Also when the mail has expired in the meantime: its place in the window must come back.
            self.live.acknowledged(&ask.peer.did, id);
        }
        self.wake_live(&ask.peer.did);
        Ok(Some(self.status(ask.socket, ask.peer, None, ask.now).message("")))
    }

    pub(super) fn live_delivery_change(&mut self, ask: &Ask<'_>) -> Answer {
        let on = LiveDeliveryChange::try_from(ask.message)?.live_delivery;
        self.enrolled(ask.peer)?;
        if on && !self.stays(ask.socket) {
            return Err(problem::LIVE_UNSUPPORTED.into());
        }
        let did = &ask.peer.did;
        if !on {
            self.live.switch_off(did, ask.socket);
        } else if let Some((old, thread)) = self.live.switch_on(did, ask.socket, ask.message.thread()) {
            self.tell_live_moved(old, thread, ask.peer, ask.now);
        }
        // Scheduled here and put together after the status, since replies go first.
        self.wake_live(did);
        Ok(Some(self.status(ask.socket, ask.peer, None, ask.now).message("")))
    }

    /// Tells the older socket. It is not closed: a client that reconnects on every close would take live delivery back, and
    /// two devices would push each other out for ever.
    fn tell_live_moved(&mut self, socket: SocketId, thread: String, peer: &Peer, now: Now) {
        let Some(to) = self.sockets.get(&socket).and_then(|state| state.peers.get(&peer.did)).cloned() else {
            return;
        };
        let report = Problem::from(problem::LIVE_MOVED).report().message("").pthid(thread);
        self.send(socket, &to, report, now);
    }

    /// Refuses who may not see the queue.
    fn may_read(&self, peer: &Peer, recipient: Option<&str>) -> Result<(), Problem> {
        self.enrolled(peer)?;
        match recipient {
            Some(other) if self.accounts.owner_of(other) != Some(&peer.did) => Err(problem::NOT_YOURS.into()),
            _ => Ok(()),
        }
    }

    fn status(&self, socket: SocketId, peer: &Peer, recipient: Option<String>, now: Now) -> Status {
        let totals = self.mailbox.totals(self.selected(&peer.did, recipient.as_deref()));
        Status {
            recipient_did: recipient,
            message_count: wide(totals.messages),
            longest_waited_seconds: totals.oldest.map(|oldest| now.unix.saturating_sub(oldest)),
            newest_received_time: totals.newest,
            oldest_received_time: totals.oldest,
            total_bytes: Some(wide(totals.bytes)),
            live_delivery: Some(self.live.is_live_at(&peer.did, socket)),
        }
    }

    /// Returns the recipient DIDs of an account, or the one that was asked for.
    fn selected(&self, did: &str, recipient: Option<&str>) -> impl Iterator<Item = &Arc<str>> {
        self.accounts.recipients(did).filter(move |all| recipient.is_none_or(|one| one == &***all))
    }

    /// Puts together the next delivery for a socket.
    pub(super) fn next_mail(&mut self, socket: SocketId, now: Now) -> Option<Outgoing> {
        loop {
            let outgoing = match self.sockets.get_mut(&socket)?.mail.pop_front()? {
                MailJob::Push(did) => self.push(socket, &did, now),
                MailJob::Deliver { to, thid, limit, recipient_did } => {
                    Some(self.deliver(socket, to, thid, limit, recipient_did, now))
                }
            };
            if outgoing.is_some() {
                return outgoing;
            }
        }
    }

    fn push(&mut self, socket: SocketId, did: &Arc<str>, now: Now) -> Option<Outgoing> {
        let (after, messages, bytes) = self.live.begin(did, socket, &self.limits)?;
        let batch = self.mailbox.batch(self.accounts.recipients(did), after, messages, bytes, now.unix);
        if batch.mail.is_empty() {
            return None;
        }
        self.live.pushed(did, batch.last, batch.mail.iter().map(|mail| (&mail.id, mail.message.len())));
        self.wake_live(did);
        let to = self.sockets.get(&socket)?.peers.get(did)?.clone();
        Some(self.outgoing(to, delivery_of(batch, None).message(""), now))
    }

    fn deliver(
        &mut self,
        socket: SocketId,
        to: Peer,
        thid: String,
        limit: usize,
        recipient_did: Option<String>,
        now: Now,
    ) -> Outgoing {
        let messages = limit.min(self.limits.batch_messages);
        let recipients = self.selected(&to.did, recipient_did.as_deref());
        let batch = self.mailbox.batch(recipients, 0, messages, self.limits.batch_bytes, now.unix);
        let message = if batch.mail.is_empty() {
            self.status(socket, &to, recipient_did, now).message("")
        } else {
            delivery_of(batch, recipient_did).message("")
        };
        self.outgoing(to, message.thid(thid), now)
    }

    fn outgoing(&mut self, to: Peer, mut message: Message, now: Now) -> Outgoing {
        self.address(&mut message, &to, now);
        Outgoing::Message { to, message: Box::new(message) }
    }
}

fn delivery_of(batch: Batch, recipient_did: Option<String>) -> Delivery {
    let messages = batch
        .mail
        .into_iter()
        .map(|mail| Delivered { id: mail.id.to_string(), message: mail.message.to_string() });
    Delivery { recipient_did, messages: messages.collect() }
}

fn wide(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
