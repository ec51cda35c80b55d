//! From an opened message to the protocol that it belongs to; replies and problem reports.
//!
//! ```text
//! message -> admissible? -> forward          -> Ok: nothing is said
//!                        \-> serve: handler   -> Ok(reply), in the request's thread
//!                                            -> Err(problem), reported to an authenticated sender (RL-44)
//! ```

use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::discover_features::{self, Queries};
use didagent_didcomm::protocols::report_problem::{self, ProblemReport};
use didagent_didcomm::protocols::trust_ping::{Ping, PingResponse};
use didagent_didcomm::protocols::{Body, types};

use super::features::Part;
use super::problem::{self, Problem};
use super::{CloseReason, Mediator, Now, Peer, Received, SocketId, features};
use crate::store::MailStore;

/// Longest `id`, `thid` and `pthid`, in bytes: seven times a UUID. Replies and live delivery repeat and remember them.
const MAX_THREAD: usize = 256;

/// A request of somebody who proved who it is.
#[derive(Clone, Copy)]
pub(super) struct Ask<'a> {
    pub(super) socket: SocketId,
    pub(super) peer: &'a Peer,
    pub(super) message: &'a Message,
    pub(super) now: Now,
}

/// What a request is answered with: a message, or nothing (yet), or the report of a problem.
pub(super) type Answer = Result<Option<Message>, Problem>;

impl<S: MailStore> Mediator<S> {
    /// Handles an opened message.
    pub(super) fn dispatch(&mut self, socket: SocketId, received: Received, now: Now) {
        let Received { message, sender } = received;
        let answer = match (self.admissible(sender.as_ref(), &message, now), &sender) {
            (Err(problem), _) => Err(problem),
            (Ok(()), _) if types::same_message(&message.type_, types::FORWARD) => {
                self.forward(&message, now).map(|()| None)
            }
            (Ok(()), Some(peer)) => self.serve(&Ask { socket, peer, message: &message, now }),
            (Ok(()), None) => {
                // Everything else needs to know who asks, and an answer could not be addressed.
                tracing::debug!(socket = socket.0, "an anonymous message that is no forward");
                return self.unreadable(socket);
            }
        };
        match (answer, &sender) {
            (Ok(Some(reply)), Some(peer)) => self.send(socket, peer, reply.thid(message.thread()), now),
            (Ok(_), _) => {}
            (Err(problem), sender) => self.complain(socket, sender.as_ref(), &message, &problem, now),
        }
    }

    /// Checks what holds for every message, whatever its type.
    fn admissible(&mut self, sender: Option<&Peer>, message: &Message, now: Now) -> Result<(), Problem> {
        if !headers_fit(message) {
            return Err(Problem::with(problem::MALFORMED, "id, thid and pthid are at most 256 bytes long"));
        }
        if message.expires_time.is_some_and(|end| end.saturating_add(self.limits.skew_seconds) <= now.unix) {
            return Err(Problem::with(problem::EXPIRED, now.unix));
        }
        let from = sender.map_or("", |peer| &peer.did);
        if !self.seen.first_time(&[from.as_bytes(), message.id.as_bytes()], now.since_start) {
            return Err(problem::REPLAY.into());
        }
        Ok(())
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

    fn serve(&mut self, ask: &Ask<'_>) -> Answer {
        if !self.admit(ask.socket, ask.peer) {
            return Err(problem::TOO_MANY_DIDS.into());
        }
        self.accounts.seen(&ask.peer.did, ask.now.since_start);
        match features::part_of(&ask.message.type_).filter(|part| self.left_out.contains(part)) {
            Some(Part::Lobby) => return Err(problem::LOBBY_OFF.into()),
            Some(_) => return Err(problem::UNSUPPORTED.into()),
            None => {}
        }
        let is = |type_| types::same_message(&ask.message.type_, type_);
        match () {
            () if is(types::MEDIATE_REQUEST) || is(types::MEDIATE_REQUEST_2) => self.mediate_request(ask),
            () if is(types::RECIPIENT_UPDATE) || is(types::KEYLIST_UPDATE) => self.recipient_update(ask),
            () if is(types::RECIPIENT_QUERY) || is(types::KEYLIST_QUERY) => self.recipient_query(ask),
            () if is(types::STATUS_REQUEST) || is(types::STATUS_REQUEST_4) => self.status_request(ask),
            () if is(types::DELIVERY_REQUEST) || is(types::DELIVERY_REQUEST_4) => self.delivery_request(ask),
            () if is(types::MESSAGES_RECEIVED) || is(types::MESSAGES_RECEIVED_4) => {
                self.messages_received(ask)
            }
            () if is(types::LIVE_DELIVERY_CHANGE) || is(types::LIVE_DELIVERY_CHANGE_4) => {
                self.live_delivery_change(ask)
            }
            () if is(types::RELAY_OPEN) => Ok(Some(self.relay_open(ask))),
            () if is(types::RELAY_JOIN) => Ok(Some(self.relay_join(ask))),
            () if is(types::LINK_DEPOSIT) => self.deposit(ask),
            () if is(types::REQUEST_SHORTENED_URL) => self.shorten(ask),
            () if is(types::INVALIDATE_SHORTENED_URL) => self.invalidate(ask),
            () if is(types::LOBBY_POST) => self.lobby_post(ask),
            () if is(types::LOBBY_RENEW) => self.lobby_renew(ask),
            () if is(types::LOBBY_WITHDRAW) => self.lobby_withdraw(ask),
            () if is(types::LOBBY_LIST) => self.lobby_list(ask),
            () if is(types::PING) => {
                let wanted = Ping::try_from(ask.message)?.response_requested;
                Ok(wanted.then(|| PingResponse {}.message("")))
            }
            () if is(types::DISCOVER_QUERIES) => {
                let queries = Queries::try_from(ask.message)?;
                Ok(Some(discover_features::answer(&queries, &features::all(&self.left_out)).message("")))
            }
            // A report about a reply of ours: never answered, or two mediators could go on for ever. Its code is the sender's text,
            // which is kept out of the log.
            () if report_problem::is_report(&ask.message.type_) => {
                if let Ok(report) = ProblemReport::try_from(ask.message) {
                    tracing::debug!(socket = ask.socket.0, error = report.is_error(), "problem reported");
                }
                Ok(None)
            }
            // Sent only for its headers.
            () if is(types::EMPTY) => Ok(None),
            () => Err(problem::UNSUPPORTED.into()),
        }
    }

    /// Queues a message of the mediator's own; id and headers are filled in here.
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
    fn complain(
        &mut self,
        socket: SocketId,
        to: Option<&Peer>,
        about: &Message,
        problem: &Problem,
        now: Now,
    ) {
        tracing::debug!(socket = socket.0, code = problem.kind.code, reported = to.is_some(), "problem");
        if let Some(to) = to
            && !report_problem::is_report(&about.type_)
        {
            let report = problem.report();
            // Without its thread the report says little, but to repeat a thread of any length would let requests fill memory.
            let mut report = if headers_fit(about) { report.report("", about) } else { report.message("") };
            // The one report for which Message Pickup 4.0 has a type of its own.
            if problem.kind == problem::LIVE_UNSUPPORTED
                && types::same_message(&about.type_, types::LIVE_DELIVERY_CHANGE_4)
            {
                types::PICKUP_PROBLEM_REPORT_4.clone_into(&mut report.type_);
            }
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
