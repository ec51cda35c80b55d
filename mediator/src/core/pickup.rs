//! Message Pickup 3.0 and 4.0, the mediator's side (RL-57), with live delivery as acknowledged `delivery` messages (RL-43).

use std::sync::Arc;

use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::pickup::{
    Delivered, Delivery, DeliveryRequest, LiveDeliveryChange, MessagesReceived, Status, StatusRequest,
};
use didagent_didcomm::protocols::pickup_4 as v4;
use didagent_didcomm::protocols::{Body, read_either};

use super::dispatch::{Answer, Ask};
use super::features::Part;
use super::mailbox::Batch;
use super::problem::{self, Problem};
use super::{CloseReason, MailJob, Mediator, Now, Outgoing, Peer, SocketId};
use crate::store::MailStore;

/// Delivery requests that may wait for one socket.
const MAX_DELIVERIES: usize = 128;

/// The version of the protocol that somebody speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    V3,
    V4,
}

impl Version {
    fn of(is_4: bool) -> Self {
        if is_4 { Self::V4 } else { Self::V3 }
    }

    fn status(self, status: Status) -> Message {
        match self {
            Self::V3 => status.message(""),
            Self::V4 => v4::Status::from(status).message(""),
        }
    }

    fn delivery(self, delivery: Delivery) -> Message {
        match self {
            Self::V3 => delivery.message(""),
            Self::V4 => v4::Delivery(delivery).message(""),
        }
    }
}

impl<S: MailStore> Mediator<S> {
    pub(super) fn status_request(&mut self, ask: &Ask<'_>) -> Answer {
        let (request, is_4): (StatusRequest, _) = read_either::<_, v4::StatusRequest>(ask.message)?;
        self.may_read(ask.peer, request.recipient_did.as_deref())?;
        let status = self.status(ask.socket, ask.peer, request.recipient_did, ask.now);
        Ok(Some(Version::of(is_4).status(status)))
    }

    pub(super) fn delivery_request(&mut self, ask: &Ask<'_>) -> Answer {
        let (request, is_4): (DeliveryRequest, _) = read_either::<_, v4::DeliveryRequest>(ask.message)?;
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
            version: Version::of(is_4),
        });
        self.woken.insert(ask.socket);
        Ok(None)
    }

    pub(super) fn messages_received(&mut self, ask: &Ask<'_>) -> Answer {
        let (request, is_4): (MessagesReceived, _) = read_either::<_, v4::MessagesReceived>(ask.message)?;
        self.enrolled(ask.peer)?;
        for id in &request.message_id_list {
            let accounts = &self.accounts;
            let owns = |recipient: &str| accounts.owner_of(recipient) == Some(&ask.peer.did);
            self.mailbox.acknowledge(id, owns);
            // Also when the mail has expired in the meantime: its place in the window must come back.
            self.live.acknowledged(&ask.peer.did, id);
        }
        self.wake_live(&ask.peer.did);
        // 4.0 has no answer to this.
        Ok((!is_4).then(|| self.status(ask.socket, ask.peer, None, ask.now).message("")))
    }

    pub(super) fn live_delivery_change(&mut self, ask: &Ask<'_>) -> Answer {
        let (change, is_4): (LiveDeliveryChange, _) = read_either::<_, v4::LiveDeliveryChange>(ask.message)?;
        let (on, version) = (change.live_delivery, Version::of(is_4));
        self.enrolled(ask.peer)?;
        if on && (!self.stays(ask.socket) || self.left_out.contains(&Part::LiveDelivery)) {
            return Err(problem::LIVE_UNSUPPORTED.into());
        }
        let did = &ask.peer.did;
        if !on {
            self.live.switch_off(did, ask.socket);
        } else if let Some((old, thread)) =
            self.live.switch_on(did, ask.socket, ask.message.thread(), version)
        {
            self.tell_live_moved(old, thread, ask.peer, ask.now);
        }
        // Scheduled here and put together after the status, since replies go first.
        self.wake_live(did);
        Ok(Some(version.status(self.status(ask.socket, ask.peer, None, ask.now))))
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
                MailJob::Deliver { to, thid, limit, recipient_did, version } => {
                    let message = self.delivery(socket, &to, limit, recipient_did, version, now);
                    Some(self.outgoing(to, message.thid(thid), now))
                }
            };
            if outgoing.is_some() {
                return outgoing;
            }
        }
    }

    fn push(&mut self, socket: SocketId, did: &Arc<str>, now: Now) -> Option<Outgoing> {
        let (after, messages, bytes, version) = self.live.begin(did, socket, &self.limits)?;
        let batch = self.mailbox.batch(self.accounts.recipients(did), after, messages, bytes, now.unix);
        if batch.mail.is_empty() {
            return None;
        }
        self.live.pushed(did, batch.last, batch.mail.iter().map(|mail| (&mail.id, mail.message.len())));
        self.wake_live(did);
        let to = self.sockets.get(&socket)?.peers.get(did)?.clone();
        Some(self.outgoing(to, version.delivery(delivery_of(batch, None)), now))
    }

    /// Answers a delivery-request. When nothing waits, 3.0 wants a status and 4.0 an empty delivery.
    fn delivery(
        &self,
        socket: SocketId,
        to: &Peer,
        limit: usize,
        recipient_did: Option<String>,
        version: Version,
        now: Now,
    ) -> Message {
        let messages = limit.min(self.limits.batch_messages);
        let recipients = self.selected(&to.did, recipient_did.as_deref());
        let batch = self.mailbox.batch(recipients, 0, messages, self.limits.batch_bytes, now.unix);
        if batch.mail.is_empty() && version == Version::V3 {
            return version.status(self.status(socket, to, recipient_did, now));
        }
        version.delivery(delivery_of(batch, recipient_did))
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
