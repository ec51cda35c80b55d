//! What a room does when time has passed.
//!
//! Specification: `spec/room.md`, RM-14, RM-19, RM-43, RM-72, RM-94, RM-95. Not its concern: how long each part waits (`lobby`, `forming`,
//! `confirming`).

use std::time::Instant;

use rand_core::CryptoRng;

use super::{Event, Now, Output, Phase, Room, lobby};
use crate::failure::Kind;

impl Room {
    pub(super) fn check_deadlines(&mut self, now: Now, rng: &mut impl CryptoRng) {
        if let Phase::Host(lobby) = &mut self.phase {
            let context = lobby::Context::of(&self.member, &self.invitation, &self.lookup);
            lobby.check_deadlines(context, now.instant, rng, &mut self.outputs);
        }
        if let Phase::Forming(forming) = &mut self.phase
            && forming.is_slow(now.instant)
        {
            self.outputs.push_back(Output::Event(Event::Waiting(forming.waiting())));
        }
        let failure = match &mut self.phase {
            Phase::Confirming(confirming) => {
                confirming.due(self.invitation.room(), now.instant, rng, &mut self.outputs).err()
            }
            Phase::Host(lobby) if self.invitation.is_expired(now.unix) => Some(lobby.expired(&self.member)),
            Phase::Guest(lobby) => {
                let too_late = lobby.too_late(&self.member, now.instant);
                too_late.or_else(|| lobby.late(&self.invitation, now, &mut self.outputs))
            }
            Phase::Asking(asking) => asking.late(&self.member, now.instant),
            Phase::Forming(forming) if forming.is_late(now.instant) => Some(forming.late()),
            _ => None,
        };
        if let Some(failure) = failure {
            if !self.looks_again((failure.kind, &failure.message), now, rng) {
                self.fail(failure);
            }
            return;
        }
        if let Phase::Asking(asking) = &mut self.phase {
            asking.ask(&self.member, now, rng, &mut self.outputs);
        }
        if let Phase::Guest(lobby) = &mut self.phase
            && lobby.asks_again(now.instant)
        {
            if lobby.misses_host(&self.member)
                && self.looks_again((Kind::HostSilent, "nothing is heard of it"), now, rng)
            {
                return;
            }
            let Phase::Guest(lobby) = &mut self.phase else { return };
            if lobby.host_is_away(now.instant) {
                lobby.expect_answer(now.instant);
            }
            self.ask_host(now, rng);
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Host(lobby) => lobby.deadline(),
            Phase::Guest(lobby) => {
                let until = self.member.list.as_ref().map(|listing| listing.until);
                lobby.deadline().into_iter().chain(until).min()
            }
            Phase::Asking(asking) => asking.deadline(&self.member),
            Phase::Forming(forming) => Some(forming.deadline()),
            Phase::Confirming(confirming) => Some(confirming.deadline()),
            _ => None,
        }
    }
}
