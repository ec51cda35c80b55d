//! Who has a seat and is not there: for whom a room waits.
//!
//! Specification: `spec/room.md`, RM-72, RM-102, RM-112. Not its concern: who gets a seat (`seating`).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::host::HostLobby;
use super::occupant::Occupant;
use crate::core::room::{Waiting, Why};

/// How long a guest that its mediator does not know keeps its seat (RM-72). The mediator was restarted, and a guest that
/// still runs comes back within seconds.
const AWAY: Duration = Duration::from_secs(30);

/// How long a guest of a room that goes on keeps its seat without a word (RM-102). It is asked for one at once, and asks by itself
/// each minute; the rest is for a slow line.
pub(in crate::core::room) const STILL_THERE: Duration = Duration::from_secs(90);

/// Somebody who was just asked answers within this time; until then nobody is told that it is away.
const ANSWERS: Duration = Duration::from_secs(10);

/// Guests that are not there, by their DID.
#[derive(Debug, Default)]
pub(super) struct Absent(BTreeMap<String, Absence>);

#[derive(Debug)]
struct Absence {
    /// Until when it keeps its seat.
    until: Instant,
    /// From when on people are told.
    told_from: Instant,
    is_told: bool,
}

impl Absent {
    /// Its mediator does not know it; returns whether that is news.
    pub(super) fn lost(&mut self, did: &str, now: Instant) -> bool {
        let absence = Absence { until: now + AWAY, told_from: now, is_told: true };
        match self.0.get_mut(did) {
            Some(known) => !std::mem::replace(&mut known.is_told, true),
            None => self.0.insert(did.to_owned(), absence).is_none(),
        }
    }

    /// Nobody knows whether it is there, and people are told that it is not.
    pub(super) fn unknown(&mut self, did: &str, now: Instant) {
        let absence = Absence { until: now + STILL_THERE, told_from: now, is_told: true };
        self.0.insert(did.to_owned(), absence);
    }

    /// It is asked whether it is there.
    pub(super) fn called(&mut self, did: &str, now: Instant) {
        let absence = Absence { until: now + STILL_THERE, told_from: now + ANSWERS, is_told: false };
        self.0.insert(did.to_owned(), absence);
    }

    /// It was heard, or has no seat any more.
    pub(super) fn remove(&mut self, did: &str) {
        self.0.remove(did);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn has(&self, did: &str) -> bool {
        self.0.contains_key(did)
    }

    /// Says whether people are told that it is away.
    pub(super) fn is_missed(&self, did: &str) -> bool {
        self.0.get(did).is_some_and(|absence| absence.is_told)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let next = |absence: &Absence| if absence.is_told { absence.until } else { absence.told_from };
        self.0.values().map(next).min()
    }

    /// Notes who has not answered by now; returns whether there is somebody.
    pub(super) fn note_silent(&mut self, now: Instant) -> bool {
        let silent = self.0.values_mut().filter(|absence| !absence.is_told && absence.told_from <= now);
        silent.map(|absence| absence.is_told = true).count() > 0
    }

    /// Takes somebody whose time is over.
    pub(super) fn take_late(&mut self, now: Instant) -> Option<String> {
        let did = self.0.iter().find(|(_, absence)| absence.until <= now).map(|(did, _)| did.clone())?;
        self.0.remove(&did);
        Some(did)
    }
}

impl HostLobby {
    /// Returns because of whom a full room does not start.
    pub(in crate::core::room) fn waiting(&self) -> Vec<Waiting> {
        let waiting = |(index, occupant): (usize, &Occupant)| {
            let why = match occupant {
                Occupant { found, .. } if !found.agrees() => Why::Differs,
                Occupant { has_ended: true, .. } => Why::Again,
                Occupant { party, .. } if self.away.is_missed(&party.did) => Why::Away,
                _ => return None,
            };
            Some(Waiting { index, name: occupant.party.name.clone(), why })
        };
        self.parties.iter().enumerate().filter_map(waiting).collect()
    }

    /// Returns the same for a full room if people were not told yet; of differences they are told by themselves.
    pub(in crate::core::room) fn newly_waiting(&mut self) -> Option<Vec<Waiting>> {
        let mut waiting = if self.is_full() { self.waiting() } else { Vec::new() };
        waiting.retain(|one| one.why != Why::Differs);
        let is_news = waiting != self.told && !waiting.is_empty();
        self.told.clone_from(&waiting);
        is_news.then_some(waiting)
    }
}
