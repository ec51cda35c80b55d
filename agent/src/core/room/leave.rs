//! Leaving: the codes of `leave` (`spec/room.md`, section 6), and the sentence that others read.

use didagent_didcomm::protocols::Body as _;
use didagent_didcomm::protocols::room::Leave;
use rand_core::CryptoRng;

use super::{Output, Phase, Room, keys_of_others};
use crate::core::connect::showable;
use crate::core::invite::new_id;
use crate::failure::{Failure, Kind};

/// The program ended well.
pub const DONE: &str = "done";
/// The program failed; the exit code says how.
pub const PROGRAM_FAILED: &str = "program-failed";
/// A person ended the command.
pub const INTERRUPTED: &str = "interrupted";
/// Another party was lost.
pub const PEER_LOST: &str = "peer-lost";
/// The host took the seat of whoever reads this back.
pub const KICKED: &str = "kicked";
/// A person said that the words are not the same.
pub const WORDS_REFUSED: &str = "words-refused";
/// A person took too long to compare the words.
pub const UNCONFIRMED: &str = "unconfirmed";
/// Something else failed here.
pub const FAILED: &str = "failed";

/// What a party says to itself when its own person said no. Whoever says something else in `words-refused` ends because of another one.
pub const SAID_NO: &str = "you said that the words are not the same";
/// The same for `unconfirmed`.
pub const NOT_SAID: &str = "the words were not confirmed here in time";

/// Returns the failure of a room that a party leaves before anything started.
pub(super) fn before_the_start(who: &str, body: &Leave) -> Failure {
    let comment = body.comment.as_deref().map(showable).filter(|comment| !comment.is_empty());
    let (kind, own) = match body.code.as_str() {
        WORDS_REFUSED => (Kind::WordsRefused, "said that the words are not the same"),
        UNCONFIRMED => (Kind::Unconfirmed, "did not confirm the words in time"),
        _ => return Failure::new(Kind::PeerLost, describe_leave(who, body)),
    };
    match comment {
        Some(comment) => Failure::new(kind, format!("{who} stopped: {comment}")),
        None => Failure::new(kind, format!("{who} {own}")),
    }
    .hint("compare the words on the way on which you know each other's voices; then begin anew")
}

/// Says in a sentence that a party left, and why. The party's own words are made fit for a screen.
pub fn describe_leave(who: &str, body: &Leave) -> String {
    let comment = body.comment.as_deref().map(showable).filter(|comment| !comment.is_empty());
    match (body.code.as_str(), comment) {
        (INTERRUPTED, _) => format!("{who} was interrupted"),
        (PROGRAM_FAILED, _) => {
            let code = body.exit_code.map_or(String::new(), |code| format!(" with exit code {code}"));
            format!("the program of {who} failed{code}")
        }
        (PEER_LOST, Some(comment)) => format!("{who} stopped: {comment}"),
        (PEER_LOST, None) => format!("{who} stopped because it lost another party"),
        (_, Some(comment)) => format!("{who} stopped: {comment}"),
        (_, None) => format!("{who} stopped because something failed there"),
    }
}

impl Room {
    /// We leave, and tell the others.
    pub(super) fn leave(&mut self, body: &Leave, rng: &mut impl CryptoRng) {
        let to_all = match &self.phase {
            Phase::Forming(forming) => keys_of_others(forming.roster(), &self.member.connection.did),
            Phase::Confirming(confirming) => keys_of_others(confirming.roster(), &self.member.connection.did),
            Phase::Running(roster) => keys_of_others(roster, &self.member.connection.did),
            Phase::Host(lobby) => [lobby.guests(), lobby.outside()].concat(),
            _ => self.dids(),
        };
        for to in to_all {
            let message = body.message(new_id(rng)).pthid(self.invitation.room());
            self.outputs.push_back(Output::send(to, message));
        }
        self.phase = Phase::Over;
    }
}
