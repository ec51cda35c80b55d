//! Relay 1.0, the DIDComm part: `open` and `join` are answered with `opened` or `refused`. Circuits are in [`super::relay`].

use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::Body as _;
use didagent_didcomm::protocols::relay::{Join, Open, Opened, Refused, Token, refusal};

use super::relay::{Request, Side};
use super::{Mediator, Now, Peer, SocketId};
use crate::store::MailStore;

impl<S: MailStore> Mediator<S> {
    pub(super) fn relay_open(&mut self, socket: SocketId, peer: &Peer, message: &Message, now: Now) {
        let half = Open::try_from(message).ok().map(|body| (Side::Initiator, body.token, body.window));
        self.relay_half(socket, peer, message, half, now);
    }

    pub(super) fn relay_join(&mut self, socket: SocketId, peer: &Peer, message: &Message, now: Now) {
        let half = Join::try_from(message).ok().map(|body| (Side::Responder, body.token, body.window));
        self.relay_half(socket, peer, message, half, now);
    }

    fn relay_half(
        &mut self,
        socket: SocketId,
        peer: &Peer,
        message: &Message,
        half: Option<(Side, Token, u32)>,
        now: Now,
    ) {
        let result = match half {
            None => Err(refusal::MALFORMED),
            Some(_) if !self.is_timely(message, now) => Err(refusal::TIME),
            Some((side, token, window)) => {
                let request = Request { socket, did: peer.did.clone(), side, token, window };
                self.relay.request(request, now.since_start, &self.limits)
            }
        };
        let reply = match result {
            Ok(circuit) => Opened { circuit }.message(""),
            Err(code) => {
                tracing::debug!(socket = socket.0, code, "circuit refused");
                Refused { code: code.to_owned(), comment: None }.message("")
            }
        };
        self.reply(socket, peer, message, reply, now);
    }

    /// Tells whether `expires_time` is there and near enough (RL-05). That it is not over was checked before.
    fn is_timely(&self, message: &Message, now: Now) -> bool {
        let latest =
            now.unix.saturating_add(self.limits.request_seconds).saturating_add(self.limits.skew_seconds);
        message.expires_time.is_some_and(|end| end <= latest)
    }
}
