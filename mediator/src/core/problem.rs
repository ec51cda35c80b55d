//! What the mediator reports when it refuses (RL-44): codes, and the sentences that belong to them.
//!
//! DIDComm v2.1, "Problem Reports": a code has one sentence, and what differs from case to case is in its arguments. So a
//! reader can translate the sentence, and none of ours repeats what a client said.
//!
//! Not its concern: who hears of a problem (`dispatch`).

use didagent_didcomm::protocols::BodyError;
use didagent_didcomm::protocols::lobby::refusal as lobby;
use didagent_didcomm::protocols::report_problem::ProblemReport;
use didagent_didcomm::protocols::short_link::refusal;

/// A kind of problem.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) code: &'static str,
    comment: &'static str,
}

const fn kind(code: &'static str, comment: &'static str) -> Kind {
    Kind { code, comment }
}

/// The message type is not one of a mediator's.
pub(super) const UNSUPPORTED: Kind =
    kind("e.p.msg.unsupported", "this is a mediator; it does not take messages of this type for itself");
/// The message is not as its protocol says; the argument is why.
pub(super) const MALFORMED: Kind = kind("e.p.msg.malformed", "the message cannot be read: {1}");
/// The message came before.
pub(super) const REPLAY: Kind =
    kind("e.p.crypto.message.dejavu", "a message with this id came a short while ago");
/// The message has expired; the argument is the mediator's time in UTC seconds.
pub(super) const EXPIRED: Kind =
    kind("e.p.req.time.expired", "the message has expired; the mediator's time is {1}");
/// The sender has no account.
pub(super) const NOT_ENROLLED: Kind = kind("e.p.req.not_enroll", "send a mediate-request first");
/// The recipient DID is not one of the sender's account.
pub(super) const NOT_YOURS: Kind = kind("e.p.did.not-yours", "recipient_did is not registered by you");
/// The `next` of a forward is not registered here.
pub(super) const NO_RECIPIENT: Kind = kind("e.p.did.not-registered", "next is not registered here");
/// The recipient's queue is full.
pub(super) const QUEUE_FULL: Kind = kind("e.p.me.res.storage.queue-full", "the recipient's queue is full");
/// The message is too large; the argument is the limit in bytes.
pub(super) const TOO_BIG: Kind =
    kind("e.p.me.res.storage.message_too_big", "an attachment is longer than {1} bytes");
/// The delay is too long; the argument is the limit in milliseconds.
pub(super) const DELAY: Kind = kind("e.p.req.time.delay", "a forward can be delayed by at most {1} ms");
/// Too much mail waits to be delivered later.
pub(super) const NO_DELAY: Kind = kind(
    "e.p.me.res.storage.delayed",
    "too many delayed forwards wait; send it without delay_milli, or later",
);
/// Too many DIDs speak on one socket.
pub(super) const TOO_MANY_DIDS: Kind = kind("e.p.me.res.dids", "too many DIDs on one connection");
/// The id of a link belongs to somebody else.
pub(super) const LINK_TAKEN: Kind = kind(refusal::TAKEN, "this id belongs to another client's link");
/// A link with this id was used up or has ended.
pub(super) const LINK_GONE: Kind = kind(refusal::GONE, "a link with this id was used up or has ended");
/// Too many links are kept.
pub(super) const LINKS_FULL: Kind = kind(refusal::TOO_MANY, "there is no room for more of your links");
/// Not an invitation link that can be shortened.
pub(super) const INVALID_URL: Kind =
    kind("e.p.req.invalid_url", "the URL is no invitation link, or too long to be kept");
/// Another kind of shortening.
pub(super) const INVALID_GOAL_CODE: Kind =
    kind("e.p.req.invalid_goal_code", "the only goal code that is served is shorten.oobv2");
/// The end of a short URL cannot be chosen.
pub(super) const NO_SLUGS: Kind = kind("e.p.req.slugs_not_supported", "short_url_slug is not supported");
/// Too long a validity; the argument is the limit in seconds.
pub(super) const VALIDITY: Kind = kind("e.p.req.validity_too_long", "a short URL is kept for at most {1} s");
/// Not a short URL of the sender.
pub(super) const SHORT_URL_INVALID: Kind =
    kind("e.p.req.short_url_invalid", "you have no such short URL here");
/// The operator has not switched a board on.
pub(super) const LOBBY_OFF: Kind =
    kind(lobby::OFF, "this mediator has no lobby; its operator can switch one on");
/// No post of the sender.
pub(super) const NO_SUCH_POST: Kind = kind(lobby::UNKNOWN, "you have no such post here");
/// Too many posts.
pub(super) const LOBBY_FULL: Kind = kind(lobby::FULL, "there is no room for another post of yours");
/// Too many requests about the board.
pub(super) const LOBBY_TOO_FAST: Kind =
    kind(lobby::TOO_FAST, "too many requests about the lobby come from your network; wait a moment");
/// Live delivery moved to a newer socket.
pub(super) const LIVE_MOVED: Kind =
    kind("w.m.live-mode-moved", "another connection of this DID took over live delivery");

/// A POST cannot have mail pushed to it; code and sentence are those of Message Pickup 3.0.
pub(super) const LIVE_UNSUPPORTED: Kind =
    kind("e.m.live-mode-not-supported", "Connection does not support Live Delivery");

/// One problem.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) kind: Kind,
    args: Vec<String>,
}

impl Problem {
    /// Makes a problem with the first argument of its sentence.
    pub(super) fn with(kind: Kind, argument: impl ToString) -> Self {
        Self { kind, args: vec![argument.to_string()] }
    }

    /// Returns the body of its report.
    pub(super) fn report(&self) -> ProblemReport {
        ProblemReport { args: self.args.clone(), ..ProblemReport::new(self.kind.code, self.kind.comment) }
    }
}

impl From<Kind> for Problem {
    fn from(kind: Kind) -> Self {
        Self { kind, args: Vec::new() }
    }
}

impl From<BodyError> for Problem {
    /// The text of a [`BodyError`] repeats nothing of the message.
    fn from(error: BodyError) -> Self {
        Self::with(MALFORMED, error)
    }
}
