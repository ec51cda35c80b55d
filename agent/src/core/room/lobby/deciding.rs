//! What a host does that decides about each guest: lets those who ask wait, lets them in, turns them away.
//!
//! Specification: `spec/room.md`, section 2, "A host that decides". Not its concern: who is kept of those who ask (`door`).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use didagent_didcomm::protocols::Body as _;
use didagent_didcomm::protocols::room::{Seats, refusal};
use rand_core::CryptoRng;

use super::closed::refuse;
use super::host::{Context, HostLobby, MAX_MOVERS};
use crate::core::invite::new_id;
use crate::core::room::Output;

/// So long after its last request whoever is let in is taken to be there (RM-112). It asks each minute, and a person takes time to
/// decide: its command may have been killed since.
const JUST_HEARD: Duration = Duration::from_secs(10);

impl HostLobby {
    /// Tells somebody that our person decides. Whoever is not kept costs no connection.
    pub(super) fn let_wait(
        &self,
        did: &str,
        is_kept: bool,
        context: Context<'_>,
        rng: &mut impl CryptoRng,
        outputs: &mut VecDeque<Output>,
    ) {
        let seats = Seats {
            seats: u32::try_from(self.seats).unwrap_or(u32::MAX),
            names: Vec::new(),
            manifest: None,
            differs: Vec::new(),
            away: Vec::new(),
            again: false,
            pending: true,
        };
        let message = seats.message(new_id(rng)).pthid(context.invitation.room());
        outputs.push_back(match is_kept {
            true => Output::send(did, message),
            false => Output::Refuse { to: did.to_owned(), message: Box::new(message) },
        });
    }

    /// Our person lets an identity in: it gets the next seat, now if it waits, else when it asks.
    pub(in crate::core::room) fn admit(
        &mut self,
        identity: &str,
        context: Context<'_>,
        now: Instant,
        rng: &mut impl CryptoRng,
        outputs: &mut VecDeque<Output>,
    ) {
        self.unwanted.remove(identity);
        self.has_changed = true;
        let waited = self.door.admit(identity).filter(|_| !self.is_full());
        let Some((applicant, heard)) = waited else { return };
        // Meanwhile its key or its DID may have got a seat under another name; such a one asks again, and is told.
        let is_taken = self.signers.values().any(|key| *key == applicant.key)
            || self.all().any(|party| party.did == applicant.party.did);
        if is_taken {
            return;
        }
        let did = applicant.party.did.clone();
        let events = self.seat_anew(applicant, context);
        outputs.extend(events.into_iter().map(Output::Event));
        if heard + JUST_HEARD < now {
            self.away.called(&did, now);
            self.announce_to(vec![did], true, context, rng, outputs);
        }
        self.announce(context, rng, outputs);
    }

    /// Our person does not want an identity in this room.
    pub(in crate::core::room) fn turn_away(
        &mut self,
        identity: &str,
        rng: &mut impl CryptoRng,
        outputs: &mut VecDeque<Output>,
    ) {
        if self.unwanted.len() < MAX_MOVERS {
            self.unwanted.insert(identity.to_owned());
        }
        self.has_changed = true;
        if let Some((did, asked)) = self.door.turn_away(identity) {
            let comment = "the host does not want this party in this room";
            outputs.push_back(refuse(&did, &asked, refusal::DENIED, comment, rng));
        }
    }

    /// The room is full: those who still wait get no seat.
    pub(in crate::core::room) fn turn_all_away(
        &self,
        rng: &mut impl CryptoRng,
        outputs: &mut VecDeque<Output>,
    ) {
        for (did, asked) in self.door.dids() {
            outputs.push_back(refuse(did, asked, refusal::FULL, "the room is full", rng));
        }
    }

    /// Returns the DIDs of those who wait.
    pub(in crate::core::room) fn outside(&self) -> Vec<String> {
        self.door.dids().map(|(did, _)| did.to_owned()).collect()
    }
}
