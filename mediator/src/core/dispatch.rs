//! From an opened message to the protocol that it belongs to; replies and problem reports.

use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::report_problem::ProblemReport;
use didagent_didcomm::protocols::trust_ping::{Ping, PingResponse};
use didagent_didcomm::protocols::{Body, BodyError, types};

use super::{CloseReason, Mediator, Now, Peer, Received, SocketId};
use crate::store::MailStore;

/// Codes of the problem reports that the mediator sends (RL-44).
pub(super) mod problem {
    /// The message type is not one of a mediator's.
    pub(in crate::core) const UNSUPPORTED: &str = "e.p.msg.unsupported";
    /// The body is malformed.
    pub(in crate::core) const MALFORMED: &str = "e.p.msg.malformed";
    /// The message came before.
    pub(in crate::core) const REPLAY: &str = "e.p.crypto.message.dejavu";
    /// The message has expired; the argument is the mediator's time in UTC seconds.
    pub(in crate::core) const EXPIRED: &str = "e.p.req.time.expired";
    /// The sender has no account.
    pub(in crate::core) const NOT_ENROLLED: &str = "e.p.req.not_enroll";
    /// The recipient DID is not one of the sender's account.
    pub(in crate::core) const NOT_YOURS: &str = "e.p.did.not-yours";
    /// The `next` of a forward is not registered here.
    pub(in crate::core) const NO_RECIPIENT: &str = "e.p.did.not-registered";
    /// The recipient's queue is full.
    pub(in crate::core) const QUEUE_FULL: &str = "e.p.me.res.storage.queue-full";
    /// The message is too large.
    pub(in crate::core) const TOO_BIG: &str = "e.p.me.res.storage.message_too_big";
    /// Too many DIDs speak on one socket.
    pub(in crate::core) const TOO_MANY_DIDS: &str = "e.p.me.res.dids";
    /// Live delivery moved to a newer socket.
    pub(in crate::core) const LIVE_MOVED: &str = "w.m.live-mode-moved";
}

/// Longest `id`, `thid` and `pthid`, in bytes: seven times a UUID. Replies and live delivery repeat and remember them.
const MAX_THREAD: usize = 256;

impl<S: MailStore> Mediator<S> {
    /// Handles an opened message.
    pub(super) fn dispatch(&mut self, socket: SocketId, received: Received, now: Now) {
        let Received { message, sender } = received;
        if !headers_fit(&message) {
            let comment = "id, thid and pthid are at most 256 bytes long";
            return self.complain(socket, sender.as_ref(), &message, problem::MALFORMED, comment, now);
        }
        if message.expires_time.is_some_and(|end| end.saturating_add(self.limits.skew_seconds) <= now.unix) {
            let report = ProblemReport {
                args: vec![now.unix.to_string()],
                ..ProblemReport::new(problem::EXPIRED, "the message has expired; the mediator's time is {1}")
            };
            return self.complain_with(socket, sender.as_ref(), &message, &report, now);
        }
        let from = sender.as_ref().map_or("", |peer| &peer.did);
        if !self.seen.first_time(&[from.as_bytes(), message.id.as_bytes()], now.since_start) {
            return self.complain(socket, sender.as_ref(), &message, problem::REPLAY, "seen before", now);
        }
        if types::same_message(&message.type_, types::FORWARD) {
            return self.forward(socket, sender.as_ref(), &message, now);
        }
        let Some(peer) = sender else {
            // Everything else needs to know who asks, and an answer could not be addressed.
            tracing::debug!(socket = socket.0, "an anonymous message that is no forward");
            return self.unreadable(socket);
        };
        if !self.admit(socket, &peer) {
            let comment = "too many DIDs on one connection";
            return self.complain(socket, Some(&peer), &message, problem::TOO_MANY_DIDS, comment, now);
        }
        self.accounts.seen(&peer.did, now.since_start);
        if let Err(error) = self.serve(socket, &peer, &message, now) {
            self.complain(socket, Some(&peer), &message, problem::MALFORMED, &error.to_string(), now);
        }
    }

    /// Notes that `peer` speaks on `socket`; `false` when too many do.
    fn admit(&mut self, socket: SocketId, peer: &Peer) -> bool {
        let Some(state) = self.sockets.get_mut(&socket) else { return false };
        let room = state.peers.len() < self.limits.dids_per_socket || state.peers.contains_key(&peer.did);
        if room && peer.did.len() <= self.limits.did_bytes {
            state.peers.insert(peer.did.clone(), peer.clone());
            return true;
        }
        false
    }

    fn serve(&mut self, socket: SocketId, peer: &Peer, message: &Message, now: Now) -> Result<(), BodyError> {
        let is = |type_| types::same_message(&message.type_, type_);
        match () {
            () if is(types::MEDIATE_REQUEST) => self.mediate_request(socket, peer, message, now)?,
            () if is(types::RECIPIENT_UPDATE) => self.recipient_update(socket, peer, message, now)?,
            () if is(types::RECIPIENT_QUERY) => self.recipient_query(socket, peer, message, now)?,
            () if is(types::STATUS_REQUEST) => self.status_request(socket, peer, message, now)?,
            () if is(types::DELIVERY_REQUEST) => self.delivery_request(socket, peer, message, now)?,
            () if is(types::MESSAGES_RECEIVED) => self.messages_received(socket, peer, message, now)?,
            () if is(types::LIVE_DELIVERY_CHANGE) => self.live_delivery_change(socket, peer, message, now)?,
            () if is(types::RELAY_OPEN) => self.relay_open(socket, peer, message, now),
            () if is(types::RELAY_JOIN) => self.relay_join(socket, peer, message, now),
            () if is(types::PING) => {
                if Ping::try_from(message)?.response_requested {
                    self.reply(socket, peer, message, PingResponse {}.message(""), now);
                }
            }
            // A report about a reply of ours: never answered, or two mediators could go on for ever. Its code is the sender's text,
            // which is kept out of the log.
            () if is(types::PROBLEM_REPORT) => {
                if let Ok(report) = ProblemReport::try_from(message) {
                    tracing::debug!(socket = socket.0, error = report.is_error(), "problem reported");
                }
            }
            // Sent only for its return_route header.
            () if message.type_ == "https://didcomm.org/empty/1.0/empty" => {}
            () => {
                let comment = "this is a mediator; it does not take messages of this type for itself";
                self.complain(socket, Some(peer), message, problem::UNSUPPORTED, comment, now);
            }
        }
        Ok(())
    }

    /// Queues the answer to `about`; id and headers are filled in here.
    pub(super) fn reply(&mut self, socket: SocketId, to: &Peer, about: &Message, reply: Message, now: Now) {
        self.send(socket, to, reply.thid(about.thread()), now);
    }

    /// Queues a message of the mediator's own.
    pub(super) fn send(&mut self, socket: SocketId, to: &Peer, mut message: Message, now: Now) {
        self.address(&mut message, to, now);
        let Some(state) = self.sockets.get_mut(&socket) else { return };
        if state.closing {
            return;
        }
        if state.replies.push(to.clone(), message, &self.limits).is_err() {
            return self.close(socket, CloseReason::Overload);
        }
        self.woken.insert(socket);
        self.relieve();
    }

    /// Closes the socket for which most waits if all replies together are too many. Those who read have next to nothing waiting,
    /// so it does not meet them. The sum is made afresh each time: there are few sockets, and opening an envelope takes much
    /// longer.
    fn relieve(&mut self) {
        let waiting = self.sockets.iter().map(|(socket, state)| (state.replies.weight(), *socket));
        let (sum, fullest) =
            waiting.fold((0, None), |(sum, fullest), next| (sum + next.0, fullest.max(Some(next))));
        if sum > self.limits.reply_bytes
            && let Some((_, socket)) = fullest
        {
            self.close(socket, CloseReason::Overload);
        }
    }

    /// Fills in the headers that all messages of the mediator have. The creation time lets a client find out how wrong its
    /// clock is.
    pub(super) fn address(&mut self, message: &mut Message, to: &Peer, now: Now) {
        message.id = self.ids.make();
        message.from = Some(self.did.to_string());
        message.to = Some(vec![to.did.to_string()]);
        message.created_time = Some(now.unix);
    }

    /// Reports a problem to an authenticated sender; to anybody else nothing is said (RL-44).
    pub(super) fn complain(
        &mut self,
        socket: SocketId,
        to: Option<&Peer>,
        about: &Message,
        code: &str,
        comment: &str,
        now: Now,
    ) {
        self.complain_with(socket, to, about, &ProblemReport::new(code, comment), now);
    }

    fn complain_with(
        &mut self,
        socket: SocketId,
        to: Option<&Peer>,
        about: &Message,
        report: &ProblemReport,
        now: Now,
    ) {
        tracing::debug!(socket = socket.0, code = %report.code, reported = to.is_some(), "problem");
        if let Some(to) = to
            && !types::same_message(&about.type_, types::PROBLEM_REPORT)
        {
            // Without its thread the report says little, but to repeat a thread of any length would let requests fill memory.
            let report = if headers_fit(about) { report.report("", about) } else { report.message("") };
            self.send(socket, to, report, now);
        }
    }
}

/// Tells whether the headers that answers repeat are short enough.
fn headers_fit(message: &Message) -> bool {
    let mut headers =
        [Some(&message.id), message.thid.as_ref(), message.pthid.as_ref()].into_iter().flatten();
    headers.all(|header| header.len() <= MAX_THREAD)
}
