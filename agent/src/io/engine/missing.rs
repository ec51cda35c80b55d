//! A party that is missing in a run: what people are told of it, what became of the bytes for it when the run ends so, and how to begin
//! anew.
//!
//! Specification: `spec/room.md`, RM-75 to RM-77, `spec/session.md`, section 12.4. Not its concern: how long it is waited for
//! (`io::peer`), how it comes back (`paths`, `reconnect`).

use std::time::Duration;

use super::run::Run;
use super::{End, Engine, describe};
use crate::failure::{Failure, Kind};
use crate::report::{Report, Reporter, StreamBytes};

impl Engine {
    /// Tells people that nothing is heard of a party. One that is done may be gone.
    pub(super) fn report_missing(&self, index: usize, silence: Duration, reporter: &mut dyn Reporter) {
        if let Some(name) = self.name_if_needed(index) {
            reporter.report(&Report::Missing { index, name, silence });
        }
    }

    /// Tells people that a party that was missing is heard again.
    pub(super) fn report_back(&self, index: usize, after: Duration, reporter: &mut dyn Reporter) {
        if let Some(name) = self.name_if_needed(index) {
            reporter.report(&Report::Back { index, name, after });
        }
    }

    /// A party asks for a seat that it has, or for a session that it has: its agent was started again and knows nothing of the
    /// run. While it is heard in its session that is another process's doing, and moves nothing.
    ///
    /// # Errors
    /// [`Kind::PeerLost`] when its session is silent.
    pub(super) fn began_anew(&self, index: usize) -> Result<Option<End>, Failure> {
        let is_heard = self.peers.get(&index).is_some_and(|peer| !peer.facts().away);
        let Some(roster) = self.roster.as_ref().filter(|_| self.began && !is_heard) else {
            tracing::info!(party = index, "a party with a session asks for one");
            return Ok(None);
        };
        let who = describe(roster, index);
        Err(Failure::new(
            Kind::PeerLost,
            format!("lost {who}: its didagent was started again, and its part of the run is gone"),
        )
        .hint(format!("begin anew: {}", self.anew())))
    }

    /// Says whether the parties were known beforehand, so that there is no link.
    pub(super) fn is_listed(&self) -> bool {
        self.room.as_ref().is_some_and(|room| room.member().list.is_some())
    }

    /// Says how people get together once more whose room is over: it depends on how they did this time.
    pub(super) fn anew(&self) -> &'static str {
        if self.is_listed() {
            return "everybody gives the same command again, at the same time";
        }
        // Strangers are remembered nowhere, and before the run begins nobody is.
        if self.record.is_some() && !self.strangers.new_did {
            return "everybody runs `didagent again -- CMD`, at the same time";
        }
        match self.room.as_ref().is_some_and(|room| room.invitation().host() == self.connection.did) {
            true => "run `didagent invite` again, and send the others the new link",
            false => "the host runs `didagent invite` again, and sends the new link",
        }
    }

    /// Says of every party that is away, or was lost, what became of the bytes for it.
    pub(super) fn report_undelivered(&self, run: &Run, reporter: &mut dyn Reporter) {
        let Some(roster) = &self.roster else { return };
        for (index, peer) in &self.peers {
            let is_lost = peer.facts().away || self.lost.contains(index);
            let Some(party) = roster.party(*index).filter(|_| is_lost && !run.done.contains(index)) else {
                continue;
            };
            let streams = peer.report().into_iter().map(|stream| StreamBytes {
                stream: stream.stream.to_string(),
                acknowledged: stream.acknowledged,
                unacknowledged: stream.unacknowledged,
                unsent: stream.unsent,
            });
            reporter.report(&Report::Undelivered {
                index: *index,
                name: party.name.clone(),
                streams: streams.collect(),
            });
        }
    }

    fn name_if_needed(&self, index: usize) -> Option<String> {
        let is_done = self.run.as_ref().is_some_and(|run| run.done.contains(&index));
        let party = self.roster.as_ref()?.party(index).filter(|_| !is_done)?;
        Some(party.name.clone())
    }
}
