//! Leaving: the codes of `leave` (`spec/room.md`, section 6), and the sentence that others read.

use didagent_didcomm::protocols::room::Leave;

use crate::core::connect::showable;

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
/// Something else failed here.
pub const FAILED: &str = "failed";

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
