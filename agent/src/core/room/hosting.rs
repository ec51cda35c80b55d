//! What a host decides about its room, and how the room goes on when its process was killed.
//!
//! Specification: `spec/room.md`, section 2, "A host that decides", and RM-100 to RM-105. Not its concern: seats (`lobby`).

use std::collections::BTreeSet;

use didagent_bridge::manifest::Manifest;
use rand_core::CryptoRng;

use super::kept::KeptLobby;
use super::lobby::{self, HostLobby};
use super::{Applying, Approval, Member, Now, Phase, Room};
use crate::core::invite::Invitation;

impl Room {
    /// Goes on with a room that we hosted (RM-101).
    pub fn resume(
        member: Member,
        invitation: Invitation,
        kept: KeptLobby,
        now: Now,
        rng: &mut impl CryptoRng,
    ) -> Self {
        let lobby = HostLobby::restore(&member, kept, now.instant);
        let mut room = Self::new(member, invitation, Phase::Host(Box::new(lobby)));
        if let Phase::Host(lobby) = &mut room.phase {
            let context = lobby::Context::of(&room.member, &room.invitation, &room.lookup);
            lobby.begin_again(context, rng, &mut room.outputs);
        }
        room
    }

    /// Returns what a host needs to go on with the room later; `None` once the roster is written, or for a guest.
    pub fn kept(&self) -> Option<KeptLobby> {
        match &self.phase {
            Phase::Host(lobby) => Some(lobby.keep()),
            _ => None,
        }
    }

    /// From now on the person of a host is asked about those who want a seat; `known` are the identities that its home has met.
    pub fn decide(&mut self, approval: Approval, known: BTreeSet<String>) {
        if let Phase::Host(lobby) = &mut self.phase {
            lobby.door.close(approval, known);
        }
    }

    /// Says about whom the person of a host is asked.
    pub fn approval(&self) -> Option<Approval> {
        match &self.phase {
            Phase::Host(lobby) => lobby.door.approval(),
            _ => None,
        }
    }

    /// Returns who asks for a seat and was not decided about, in the order in which they came.
    pub fn applying(&self) -> Vec<Applying> {
        match &self.phase {
            Phase::Host(lobby) => lobby.door.applying(),
            _ => Vec::new(),
        }
    }

    pub(super) fn compare_again(&mut self, manifest: Manifest, rng: &mut impl CryptoRng) {
        self.member.manifest = Some(manifest);
        if let Phase::Host(lobby) = &mut self.phase {
            let context = lobby::Context::of(&self.member, &self.invitation, &self.lookup);
            lobby.compare_again(context, rng, &mut self.outputs);
        }
    }

    pub(super) fn kick(&mut self, index: usize, rng: &mut impl CryptoRng) {
        if let Phase::Host(lobby) = &mut self.phase {
            let context = lobby::Context::of(&self.member, &self.invitation, &self.lookup);
            lobby.kick(index, context, rng, &mut self.outputs);
        }
    }

    pub(super) fn close_to_others(&mut self) {
        if let Phase::Host(lobby) = &mut self.phase {
            lobby.close_to_others();
        }
    }

    pub(super) fn admit(&mut self, identity: &str, now: Now, rng: &mut impl CryptoRng) {
        if let Phase::Host(lobby) = &mut self.phase {
            let context = lobby::Context::of(&self.member, &self.invitation, &self.lookup);
            lobby.admit(identity, context, now.instant, rng, &mut self.outputs);
        }
    }

    pub(super) fn turn_away(&mut self, identity: &str, rng: &mut impl CryptoRng) {
        if let Phase::Host(lobby) = &mut self.phase {
            lobby.turn_away(identity, rng, &mut self.outputs);
        }
    }
}
