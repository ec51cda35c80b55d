//! A host's room that goes on after its process was killed: what is kept of it, and how it begins anew.
//!
//! Specification: `spec/room.md`, RM-100 to RM-105. Who has a seat keeps it, but nobody knows who still runs: each guest is away until it
//! is heard (RM-102).

use std::collections::VecDeque;
use std::time::Instant;

use didagent_bridge::manifest::Comparison;
use didagent_didcomm::protocols::Digest32;
use rand_core::CryptoRng;

use super::door::Door;
use super::host::{Context, HostLobby};
use super::occupant::Occupant;
use crate::core::room::kept::{KeptGuest, KeptLobby};
use crate::core::room::{Event, Member, Output};

impl HostLobby {
    /// Returns what is needed to go on with it.
    pub(in crate::core::room) fn keep(&self) -> KeptLobby {
        let guest = |occupant: &Occupant| KeptGuest {
            party: occupant.party.clone(),
            key: Digest32(self.signers.get(&occupant.party.identity).copied().unwrap_or_default()),
            manifest: occupant.manifest.clone(),
            credential: occupant.credential.clone(),
            has_ended: occupant.has_ended,
        };
        KeptLobby {
            seats: self.seats,
            guests: self.parties.iter().skip(1).map(guest).collect(),
            unwanted: self.unwanted.clone(),
            moves: self.moves.clone(),
            approval: self.door.approval(),
            admitted: self.door.admitted().clone(),
        }
    }

    /// Goes on with what was kept.
    pub(in crate::core::room) fn restore(host: &Member, kept: KeptLobby, now: Instant) -> Self {
        let mut lobby = Self::new(host, kept.seats);
        (lobby.unwanted, lobby.moves) = (kept.unwanted, kept.moves);
        lobby.door = Door::again(kept.approval, kept.admitted);
        for KeptGuest { party, key, manifest, credential, has_ended } in kept.guests {
            lobby.signers.insert(party.identity.clone(), key.0);
            lobby.away.unknown(&party.did, now);
            let found = Comparison::default();
            lobby.parties.push(Occupant { party, credential, manifest, found, has_ended });
        }
        lobby
    }

    /// Tells everybody that we are here again, and asks who else is.
    pub(in crate::core::room) fn begin_again(
        &mut self,
        context: Context<'_>,
        rng: &mut impl CryptoRng,
        outputs: &mut VecDeque<Output>,
    ) {
        let guests = self.all().skip(1).map(|party| (party.name.clone(), party.identity.clone()));
        outputs.push_back(Output::Event(Event::Resumed { guests: guests.collect() }));
        let seats = self.seats;
        for (at, occupant) in self.parties.iter_mut().enumerate().skip(1) {
            outputs.extend(occupant.compare(context.member, at, seats).into_iter().map(Output::Event));
            occupant.has_ended |= !occupant.found.agrees();
        }
        self.announce_to(self.guests(), true, context, rng, outputs);
    }
}
