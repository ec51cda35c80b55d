//! Relay 1.0, the DIDComm part: `open` and `join` are answered with `opened` or `refused`. Circuits are in [`super::relay`].

use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::Body as _;
use didagent_didcomm::protocols::relay::{Join, Open, Opened, Refused, Token, refusal};

use super::dispatch::Ask;
use super::relay::{Request, Side};
use super::{Mediator, Now};
use crate::store::MailStore;

impl<S: MailStore> Mediator<S> {
    pub(super) fn relay_open(&mut self, ask: &Ask<'_>) -> Message {
        let half = Open::try_from(ask.message).ok().map(|body| (Side::Initiator, body.token, body.window));
        self.relay_half(ask, half)
    }

    pub(super) fn relay_join(&mut self, ask: &Ask<'_>) -> Message {
        let half = Join::try_from(ask.message).ok().map(|body| (Side::Responder, body.token, body.window));
        self.relay_half(ask, half)
    }

    fn relay_half(&mut self, ask: &Ask<'_>, half: Option<(Side, Token, u32)>) -> Message {
        let result = match half {
            None => Err(refusal::MALFORMED),
            Some(_) if !self.stays(ask.socket) => Err(refusal::NO_SOCKET),
            Some(_) if !self.is_timely(ask.message, ask.now) => Err(refusal::TIME),
            Some((side, token, window)) => {
                let request = Request { socket: ask.socket, did: ask.peer.did.clone(), side, token, window };
                self.relay.request(request, ask.now.since_start, &self.limits)
            }
        };
        match result {
            Ok(circuit) => Opened { circuit }.message(""),
            Err(code) => {
                tracing::debug!(socket = ask.socket.0, code, "circuit refused");
                Refused { code: code.to_owned(), comment: None }.message("")
            }
        }
    }

    /// Tells whether `expires_time` is there and near enough (RL-05). That it is not over was checked before.
    fn is_timely(&self, message: &Message, now: Now) -> bool {
        let latest =
            now.unix.saturating_add(self.limits.request_seconds).saturating_add(self.limits.skew_seconds);
        message.expires_time.is_some_and(|end| end <= latest)
    }
}
