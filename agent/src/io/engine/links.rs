//! The mediators that the engine is connected to: its own, and those of parties that use others.
//!
//! Whoever asks for a seat names a mediator, so strangers choose whom we dial: which addresses is decided in `io::dial`, how many and
//! how fast here. Not its concern: what is said (`mail`), our own mediator's return (`reconnect`).

use std::time::{Duration, Instant};

use super::Engine;
use crate::core::allowance::Rate;
use crate::core::post::{MAX_MEDIATORS, mediators_of};
use crate::core::room::Room;
use crate::core::room::roster::MAX_PARTIES;
use crate::failure::Failure;
use crate::io::websocket;

/// Mediators that are connected at a time: ours, and those of each other party.
const MAX_LINKS: usize = MAX_MEDIATORS * MAX_PARTIES;

/// How often a mediator of somebody else's choice is dialled: all parties of a room at once, then slowly.
pub(super) const DIALS: Rate = Rate { burst: 2 * 16, each: Duration::from_secs(3) };
const _: () = assert!(MAX_PARTIES == 16);

/// How long a mediator that could not be reached is left alone by messages that go by another one too.
const REST: Duration = Duration::from_secs(10);

/// Mediators of which that is remembered.
const MAX_FAILED: usize = 64;

impl Engine {
    /// Notes that a mediator could not be reached.
    pub(super) fn dial_failed(&mut self, mediator: &str) {
        self.failed.retain(|_, at| at.elapsed() < REST);
        if self.failed.len() < MAX_FAILED {
            self.failed.insert(mediator.to_owned(), Instant::now());
        }
    }

    /// Says whether a message to a party at these mediators can do without this one for now (RL-64): else each message to somebody
    /// with one mediator that is gone would spend a dial.
    pub(super) fn rests(&self, mediator: &str, mediators: &[String]) -> bool {
        let is_linked = |other: &String| other != mediator && self.links.contains_key(other);
        !self.links.contains_key(mediator)
            && self.failed.get(mediator).is_some_and(|at| at.elapsed() < REST)
            && mediators.iter().any(is_linked)
    }

    /// Connects to a mediator unless it is connected already. Our own are connected from the start; when one was lost, it needs
    /// more than a socket.
    ///
    /// # Errors
    /// When the mediator is the one that our person chose, and its DID has no address.
    pub(super) fn link_to(&mut self, mediator: &str) -> Result<(), Failure> {
        if mediator == self.own_mediator || self.is_spare(mediator) || self.links.contains_key(mediator) {
            return Ok(());
        }
        // The mediator in an invitation was chosen by our person together with the invitation, unless it came from a board.
        let is_host = |room: &Room| room.host_mediators().iter().any(|hosts| hosts == mediator);
        let chosen = self.strangers.chose_mediators() && self.room.as_ref().is_some_and(is_host);
        if !chosen && !self.dials.spend(Instant::now()) {
            tracing::warn!("another party's mediator is not dialled: there were too many");
            return Ok(());
        }
        if self.links.len() >= MAX_LINKS {
            self.drop_unused_links();
        }
        if self.links.len() >= MAX_LINKS {
            return Ok(());
        }
        let ours = (!chosen).then_some(self.own_mediator.as_str());
        match websocket::connect(mediator, ours, self.to_engine.clone()) {
            Ok(link) => drop(self.links.insert(mediator.to_owned(), link)),
            Err(failure) if chosen => return Err(failure),
            Err(failure) => {
                tracing::warn!(message = failure.message, "another party's mediator is not usable")
            }
        }
        Ok(())
    }

    /// Hangs up on mediators of parties that have left or moved.
    fn drop_unused_links(&mut self) {
        let Some(room) = &self.room else { return };
        let parties = room.dids();
        let mut used: Vec<String> =
            parties.iter().flat_map(|did| mediators_of(did).unwrap_or_default()).collect();
        used.extend(mediators_of(&self.connection.did).unwrap_or_default());
        used.push(self.own_mediator.clone());
        used.extend(room.host_mediators().iter().cloned());
        used.extend(self.roster.as_ref().map(|roster| roster.body().relay.clone()));
        for (_, link) in self.links.extract_if(|mediator, _| !used.contains(mediator)) {
            tokio::spawn(link.close());
        }
    }
}
