//! What a host tells its guests of the room: who has a seat, who would run something else, who is away.
//!
//! Specification: `spec/room.md`, RM-14, RM-72; `spec/manifest.md`, MF-20 and MF-21. Nothing is decided from it, but whether we would run
//! what the host would.

use std::collections::VecDeque;

use didagent_bridge::manifest::Manifest;
use didagent_didcomm::protocols::room::Seats;

use super::guest::GuestLobby;
use crate::core::connect::showable;
use crate::core::room::roster::{MAX_PARTIES, Roster};
use crate::core::room::{Event, Listing, Member, Output, Seat, ThresholdRule, Waiting, Why, agreement};
use crate::failure::{Failure, Kind};

/// Items that are shown of what the host says of another guest.
const MAX_ITEMS: usize = 8;

/// Who has a seat, as the host says.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::core::room) struct Told {
    pub(super) seats: usize,
    pub(super) names: Vec<String>,
    differs: Vec<(usize, Vec<String>)>,
    away: Vec<usize>,
    host: Option<Manifest>,
}

impl Told {
    /// Reads what the host tells, as far as a room can be so. Of ourselves we know better, and it may be from before we came back.
    fn read(seats: Seats, member: &Member) -> Result<Self, Failure> {
        let host = agreement::read(seats.manifest).map_err(|why| {
            Failure::new(Kind::RosterRefused, format!("what the host would run cannot be read: {why}"))
        })?;
        let at = |index: u32| usize::try_from(index).unwrap_or(usize::MAX);
        let names: Vec<_> = seats.names.iter().take(MAX_PARTIES).map(|name| showable(name)).collect();
        let is_other = |index: usize| names.get(index) != Some(&member.name);
        let differs = seats.differs.into_iter().take(MAX_PARTIES).map(|one| {
            let items = one.items.iter().take(MAX_ITEMS).map(|item| showable(item));
            (at(one.index), items.collect())
        });
        let away = seats.away.into_iter().take(MAX_PARTIES).map(at);
        Ok(Self {
            seats: at(seats.seats).min(MAX_PARTIES),
            differs: differs.filter(|(index, _)| is_other(*index)).collect(),
            away: away.filter(|index| is_other(*index)).collect(),
            names,
            host,
        })
    }

    /// Returns those because of whom the room does not start.
    fn waiting(&self) -> Vec<Waiting> {
        let why = |index| match self.differs.iter().any(|(differs, _)| *differs == index) {
            true => Some(Why::Differs),
            false => self.away.contains(&index).then_some(Why::Away),
        };
        let named = self.names.iter().enumerate();
        named
            .filter_map(|(index, name)| Some(Waiting { index, name: name.clone(), why: why(index)? }))
            .collect()
    }

    /// Returns for whom a full room waits that people are not told of otherwise.
    fn missed(&self) -> Vec<Waiting> {
        let mut waiting = if self.names.len() == self.seats { self.waiting() } else { Vec::new() };
        waiting.retain(|one| one.why == Why::Away);
        waiting
    }

    /// Says whether the rows of a screen are the same.
    fn looks_like(&self, other: &Self) -> bool {
        let Self { seats, names, differs, away: _, host } = self;
        (seats, names, differs, host) == (&other.seats, &other.names, &other.differs, &other.host)
    }
}

impl GuestLobby {
    /// The host tells who is there and what it would run.
    pub(super) fn told(
        &mut self,
        member: &Member,
        seats: Seats,
        outputs: &mut VecDeque<Output>,
    ) -> Result<(), Failure> {
        let told = Told::read(seats, member)?;
        let found = agreement::with_host(member.manifest.as_ref(), told.host.as_ref(), told.seats)?;
        let before = self.told.as_deref();
        if before.is_none_or(|before| before.host != told.host) {
            let name = told.names.first().cloned().unwrap_or_default();
            let note = |text| Output::Event(Event::Note { name: name.clone(), text });
            outputs.extend(found.notes.into_iter().map(note));
        }
        let (missed, missed_before) = (told.missed(), before.map(Told::missed).unwrap_or_default());
        if !before.is_some_and(|before| told.looks_like(before)) || self.shows_again {
            self.shows_again = false;
            let (seats, names, differs) = (told.seats, told.names.clone(), told.differs.clone());
            outputs.push_back(Output::Event(Event::Seats { seats, names, differs }));
        }
        if !missed.is_empty() && missed != missed_before {
            outputs.push_back(Output::Event(Event::Waiting(missed)));
        }
        self.promised = self.promised.max(told.seats);
        self.told = Some(Box::new(told));
        Ok(())
    }

    /// Fails when the host begins with so few that each party alone could open all inputs, in a room where that was not so (RM-83).
    pub(super) fn check_privacy(&self, member: &Member, roster: &Roster) -> Result<(), Failure> {
        let (body, rule) = (roster.body(), member.threshold.unwrap_or(ThresholdRule::Default));
        if body.threshold > 0 || body.m >= self.promised || rule.among(self.promised) == 0 {
            return Ok(());
        }
        let (promised, m) = (self.promised, body.m);
        let message = format!(
            "the room was for {promised} parties, and the host begins with {m}: each party alone could open all inputs"
        );
        Err(Failure::new(Kind::NoPrivacy, message).hint("ask the host to wait for one more"))
    }

    /// Returns what the host has told.
    pub(in crate::core::room) fn take_told(&mut self) -> Option<Box<Told>> {
        self.told.take()
    }

    /// It is the room of before, in which we have a seat: what was told is not shown again (RM-127).
    pub(in crate::core::room) fn goes_on(
        &mut self,
        told: Box<Told>,
        member: &Member,
        outputs: &mut VecDeque<Output>,
    ) {
        if let Some(Listing { list, .. }) = &member.list {
            let text = "is heard again; the room is the same".to_owned();
            outputs.push_back(Output::Event(Event::Note { name: list.called(0), text }));
        }
        self.told = Some(told);
    }

    pub(in crate::core::room) fn capacity(&self) -> Option<usize> {
        self.told.as_ref().map(|told| told.seats)
    }

    /// Returns those whom the host names as running something else, or as away.
    pub(in crate::core::room) fn waiting(&self) -> Vec<Waiting> {
        self.told.as_ref().map(|told| told.waiting()).unwrap_or_default()
    }

    pub(in crate::core::room) fn taken(&self, member: &Member, host: &str) -> Vec<Seat> {
        let Some(names) = self.told.as_ref().map(|told| &told.names) else { return Vec::new() };
        let ours = names.iter().skip(1).filter(|name| **name == member.name).count() == 1;
        let seat = |(index, name): (usize, &String)| {
            let is_us = ours && index > 0 && *name == member.name;
            Seat {
                index,
                name: name.clone(),
                identity: is_us.then(|| member.identity.did().to_owned()),
                did: (index == 0).then(|| host.to_owned()),
                is_us,
            }
        };
        names.iter().enumerate().map(seat).collect()
    }
}
