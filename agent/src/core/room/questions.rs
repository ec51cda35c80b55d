//! What a room answers about itself. Nothing here changes it.

use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::room::Ask;

use super::{Listing, Member, Phase, Room, Seat, others};
use crate::core::invite::Invitation;

impl Room {
    /// Returns how many seats are free, as far as a host knows.
    pub fn missing(&self) -> usize {
        match &self.phase {
            Phase::Host(lobby) => lobby.missing(),
            _ => 0,
        }
    }

    /// Says whether a guest waits for the host, whom it then cannot do without.
    pub fn waits_for_host(&self) -> bool {
        self.member.list.is_none() && matches!(&self.phase, Phase::Guest(_))
    }

    /// Says whether people are still waited for, so that nothing is lost with a connection.
    pub fn is_lobby(&self) -> bool {
        matches!(self.phase, Phase::Host(_) | Phase::Guest(_) | Phase::Asking(_))
    }

    /// Returns the DIDs of the host's mediators.
    pub fn host_mediators(&self) -> &[String] {
        self.invitation.mediators()
    }

    /// Says at which of our mediators circuits meet if we host and the room gets full from now on (RM-80).
    pub fn meet_at(&mut self, mediator: &str) {
        if self.host_mediators().iter().any(|ours| ours == mediator) {
            mediator.clone_into(&mut self.relay);
        }
    }

    /// Returns how many seconds after `now` (UTC seconds) a room that still has free seats ends; only a host ends it.
    pub fn expires_in(&self, now: u64) -> Option<u64> {
        match &self.phase {
            Phase::Host(_) => self.invitation.expires().map(|end| end.saturating_sub(now)),
            _ => None,
        }
    }

    /// Returns the invitation that leads to the room.
    pub fn invitation(&self) -> &Invitation {
        &self.invitation
    }

    /// Says whether a message is in the thread that a refusal of our request to join would be in.
    pub fn is_refused_by(&self, message: &Message) -> bool {
        match &self.phase {
            Phase::Guest(lobby) => lobby.is_refused_by(message),
            Phase::Asking(asking) => asking.is_refused_by(message),
            _ => false,
        }
    }

    /// Returns how many seats the room has, if it is known.
    pub fn capacity(&self) -> Option<usize> {
        match &self.phase {
            Phase::Host(lobby) => Some(lobby.capacity()),
            Phase::Guest(lobby) => lobby.capacity(),
            Phase::Asking(_) => self.member.list.as_ref().map(|listing| listing.list.parties().len()),
            Phase::Forming(forming) => Some(forming.roster().body().m),
            Phase::Confirming(confirming) => Some(confirming.roster().body().m),
            Phase::Running(roster) => Some(roster.body().m),
            Phase::Over => None,
        }
    }

    /// Returns the seats that are taken, as far as they are known before the roster.
    pub fn seats(&self) -> Vec<Seat> {
        match &self.phase {
            Phase::Host(lobby) => lobby.taken(),
            Phase::Guest(lobby) => lobby.taken(&self.member, self.invitation.host()),
            Phase::Asking(_) | Phase::Forming(_) | Phase::Confirming(_) | Phase::Running(_) | Phase::Over => {
                Vec::new()
            }
        }
    }

    /// Returns the words that somebody still has to confirm, and who, by index.
    pub fn confirming(&self) -> Option<(&[&'static str], Vec<usize>)> {
        match &self.phase {
            Phase::Confirming(confirming) => Some((confirming.words(), confirming.waiting())),
            _ => None,
        }
    }

    /// Says whether our own person is asked for the words, and has not answered.
    pub fn asks_us(&self) -> bool {
        matches!(&self.phase, Phase::Confirming(confirming) if confirming.waits_for_us())
    }

    /// Returns who we are in the room.
    pub fn member(&self) -> &Member {
        &self.member
    }

    /// Says whether a message is about this room. Mail of another room of the same parties may still be in the mailbox. Only a
    /// refusal names our `join` instead.
    pub fn concerns(&self, message: &Message) -> bool {
        let room = message.pthid.as_deref();
        // A question about another list is answered too; the answer is about ours, and may come while we have an older invitation.
        let is_of_list =
            |listing: &Listing| room == Some(&*listing.list.id()) || Ask::try_from(message).is_ok();
        room == Some(self.invitation.room())
            || self.is_refused_by(message)
            || self.member.list.as_ref().is_some_and(is_of_list)
    }

    /// Says whether this is a proposal of `sender` that was answered before: its duplicate gets the same answer again (HS-06).
    pub fn answers_again(&self, sender: &str, message: &Message) -> bool {
        matches!(&self.phase, Phase::Forming(forming) if forming.is_answered(sender, message))
    }

    /// Returns the DIDs of the other parties, as far as we know.
    pub fn dids(&self) -> Vec<String> {
        match &self.phase {
            Phase::Host(lobby) => lobby.guests(),
            Phase::Guest(_) | Phase::Asking(_) => vec![self.invitation.host().to_owned()],
            Phase::Forming(forming) => others(forming.roster(), &self.member.connection.did),
            Phase::Confirming(confirming) => others(confirming.roster(), &self.member.connection.did),
            Phase::Running(roster) => others(roster, &self.member.connection.did),
            Phase::Over => Vec::new(),
        }
    }

    /// Says whether this DID has a seat, as far as we know; a guest hears of nobody but the host before the roster.
    pub fn has_seat(&self, did: &str) -> bool {
        self.dids().iter().any(|other| other == did)
    }
}
