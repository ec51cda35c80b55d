//! The lobby: seats are taken in the order of the joins; the host closes it with a roster.

mod guest;
mod host;
mod occupant;

#[cfg(test)]
pub(super) use guest::{ASK_EVERY, MAX_UNANSWERED};
pub(super) use guest::{Guest, GuestLobby};
pub(super) use host::{Context, HostLobby, refuse_late_join, send_roster};
