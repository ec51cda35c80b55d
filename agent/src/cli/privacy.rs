//! The question before a room in which each party alone could open all inputs.

use didagent_bridge::launch;

use super::args::RoomArgs;
use super::screen::NO_PRIVACY;
use crate::core::room::ThresholdRule;
use crate::failure::{Failure, Kind};
use crate::io;

/// Asks the person for a yes if the threshold would be 0 and nobody has said yet that this is meant.
///
/// # Errors
/// [`Kind::NoPrivacy`] without a yes.
pub(super) async fn check(parties: usize, room: &RoomArgs, meant: bool) -> Result<(), Failure> {
    let Some(what) = risk(parties, room).filter(|_| !meant) else { return Ok(()) };
    if !room.json && io::can_ask() {
        eprint!("  {what}. Open the room all the same? [y/N] ");
        if io::says_yes().await {
            return Ok(());
        }
    }
    Err(Failure::new(Kind::NoPrivacy, what).hint("three parties or more, or --no-privacy if that is meant"))
}

/// The same for a roster file, whose parties are asked nothing: a machine may wait for an answer for ever.
///
/// # Errors
/// [`Kind::NoPrivacy`] unless it is meant.
pub(super) fn check_unasked(parties: usize, room: &RoomArgs, meant: bool) -> Result<(), Failure> {
    match risk(parties, room).filter(|_| !meant) {
        None => Ok(()),
        Some(what) => Err(Failure::new(Kind::NoPrivacy, what).hint(
            "threshold = 0 in the roster file, or --no-privacy, if that is meant; or three parties or more",
        )),
    }
}

/// Returns what a threshold of 0 means, if the program would run with it among `parties`.
fn risk(parties: usize, room: &RoomArgs) -> Option<String> {
    let command = didagent_bridge::io::resolve(&room.command);
    let rule = launch::threshold(&command).map_or(ThresholdRule::Default, ThresholdRule::Fixed);
    (rule.among(parties) == 0).then(|| format!("with {parties} parties and threshold 0 {NO_PRIVACY}"))
}
