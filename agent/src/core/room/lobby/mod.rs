//! The lobby: seats are taken in the order of the joins; the host closes it with a roster.

mod absent;
mod asking;
mod closed;
mod deciding;
mod door;
mod guest;
mod host;
mod occupant;
mod resumed;
mod seating;
mod told;

#[cfg(test)]
pub(super) use absent::STILL_THERE;
pub(super) use asking::{Asking, Lost};
pub(super) use closed::{come_again, refuse_late_join, send_roster};
pub use door::Approval;
#[cfg(test)]
pub(super) use door::{MAX_APPLICANTS, SILENT};
#[cfg(test)]
pub(super) use guest::{ASK_EVERY, ASK_SOON, LATER, MAX_UNANSWERED};
pub(super) use guest::{Guest, GuestLobby};
pub(super) use host::{Context, HostLobby};
pub(super) use seating::Refusal;
