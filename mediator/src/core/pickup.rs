//! Message Pickup 3.0, the mediator's side, with live delivery as acknowledged `delivery` messages (RL-43).

use std::sync::Arc;

use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::pickup::{
    Delivered, Delivery, DeliveryRequest, LiveDeliveryChange, MessagesReceived, Status, StatusRequest,
};
use didagent_didcomm::protocols::report_problem::ProblemReport;
use didagent_didcomm::protocols::{Body, BodyError};

use super::dispatch::problem;
use super::mailbox::Batch;
use super::{CloseReason, MailJob, Mediator, Now, Outgoing, Peer, SocketId};
use crate::store::MailStore;

/// Delivery requests that may wait for one socket.
const MAX_DELIVERIES: usize = 128;

impl<S: MailStore> Mediator<S> {
    pub(super) fn status_request(
        &mut self,
        socket: SocketId,
        peer: &Peer,
        message: &Message,
        now: Now,
    ) -> Result<(), BodyError> {
        let request = StatusRequest::try_from(message)?;
        if self.may_read(socket, peer, message, request.recipient_did.as_deref(), now) {
            self.send_status(socket, peer, message, request.recipient_did, now);
        }
        Ok(())
    }

    pub(super) fn delivery_request(
        &mut self,
        socket: SocketId,
        peer: &Peer,
        message: &Message,
        now: Now,
    ) -> Result<(), BodyError> {
        let request = DeliveryRequest::try_from(message)?;
        if !self.may_read(socket, peer, message, request.recipient_did.as_deref(), now) {
            return Ok(());
        }
        let Some(state) = self.sockets.get_mut(&socket) else { return Ok(()) };
        if state.mail.len() >= MAX_DELIVERIES {
            self.close(socket, CloseReason::Overload);
            return Ok(());
        }
        state.mail.push_back(MailJob::Deliver {
            to: peer.clone(),
            thid: message.thread().to_owned(),
            limit: usize::try_from(request.limit).unwrap_or(usize::MAX),
            recipient_did: request.recipient_did,
        });
        self.woken.insert(socket);
        Ok(())
    }

    pub(super) fn messages_received(
        &mut self,
        socket: SocketId,
        peer: &Peer,
        message: &Message,
        now: Now,
    ) -> Result<(), BodyError> {
        let request = MessagesReceived::try_from(message)?;
        if !self.enrolled(socket, peer, message, now) {
            return Ok(());
        }
        for id in &request.message_id_list {
            let accounts = &self.accounts;
            let owns = |recipient: &str| accounts.owner_of(recipient) == Some(&peer.did);
            self.mailbox.acknowledge(id, owns);
            // Also when the mail has expired in the meantime: its place in the window must come back.
            self.live.acknowledged(&peer.did, id);
        }
        self.wake_live(&peer.did);
        self.send_status(socket, peer, message, None, now);
        Ok(())
    }

    pub(super) fn live_delivery_change(
        &mut self,
        socket: SocketId,
        peer: &Peer,
        message: &Message,
        now: Now,
    ) -> Result<(), BodyError> {
        let on = LiveDeliveryChange::try_from(message)?.live_delivery;
        if !self.enrolled(socket, peer, message, now) {
            return Ok(());
        }
        if !on {
            self.live.switch_off(&peer.did, socket);
        } else if let Some((old, thread)) = self.live.switch_on(&peer.did, socket, message.thread()) {
            self.tell_live_moved(old, thread, peer, now);
        }
        self.send_status(socket, peer, message, None, now);
        self.wake_live(&peer.did);
        Ok(())
    }

    /// Tells the older socket. It is not closed: a client that reconnects on every close would take live delivery back, and
    /// two devices would push each other out for ever.
    fn tell_live_moved(&mut self, socket: SocketId, thread: String, peer: &Peer, now: Now) {
        let Some(to) = self.sockets.get(&socket).and_then(|state| state.peers.get(&peer.did)).cloned() else {
            return;
        };
        let comment = "another connection of this DID took over live delivery";
        let report = ProblemReport::new(problem::LIVE_MOVED, comment).message("").pthid(thread);
        self.send(socket, &to, report, now);
    }

    /// Tells whether the sender may see the queue, and tells the sender if not.
    fn may_read(
        &mut self,
        socket: SocketId,
        peer: &Peer,
        message: &Message,
        recipient: Option<&str>,
        now: Now,
    ) -> bool {
        if !self.enrolled(socket, peer, message, now) {
            return false;
        }
        let theirs = recipient.is_none_or(|recipient| self.accounts.owner_of(recipient) == Some(&peer.did));
        if !theirs {
            let comment = "recipient_did is not registered by you";
            self.complain(socket, Some(peer), message, problem::NOT_YOURS, comment, now);
        }
        theirs
    }

    fn send_status(
        &mut self,
        socket: SocketId,
        peer: &Peer,
        about: &Message,
        recipient: Option<String>,
        now: Now,
    ) {
        let status = self.status(socket, peer, recipient, now);
        self.reply(socket, peer, about, status.message(""), now);
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
