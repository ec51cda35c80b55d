//! The room: from an invitation to the moment at which every party has signed one roster and holds a session with every
//! other party.
//!
//! Specification: `spec/room.md`. One state machine for host and guests:
//!
//! ```text
//! guest                      host                       every party with every other
//!   join     --------------->
//!            <---------------  seats   (again on every change)
//!            <---------------  roster  (the room is full)
//!                                                         propose / accept, sessions come up
//!            <----------------------------------------->  ready {hash, signature}
//!                         if somebody wants to compare the words first: Output::Agreed, then
//!            <----------------------------------------->  confirmed {hash}
//!                         all ready: Output::Ready
//! ```
//!
//! A party says `ready` only when all of its own sessions are confirmed, and starts only when everybody said it: so when
//! anything starts, the mesh is complete and all have signed the same bytes.
//!
//! Not its concern: sockets and sealing (`io`, `post`), the bytes of sessions, what the program does.

mod agreement;
mod confirming;
pub(crate) mod credentials;
mod deadlines;
mod forming;
mod hosting;
pub mod kept;
pub mod leave;
mod lobby;
pub(crate) mod lookup;
mod name;
mod questions;
pub mod roster;
mod types;
mod waiting;
pub(crate) mod words;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use didagent_didcomm::envelope::Authenticated;
use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::room::{Ask, Leave};
use didagent_didcomm::protocols::session::Propose;
use rand_core::CryptoRng;

use crate::core::invite::Invitation;
use crate::failure::{Failure, Kind};
pub use agreement::sentence;
use confirming::Confirming;
use forming::Forming;
pub use leave::describe_leave;
pub use lobby::Approval;
use lobby::{Asking, GuestLobby, HostLobby, Lost};
use lookup::{Lookup, Reading, Standing};
pub use name::room_name;
use roster::Roster;
pub use types::{Applying, Assent, Event, Input, Listing, Member, Now, Output, Seat, ThresholdRule};
pub use waiting::{Waiting, Why};
pub use words::{Nonce, is_answer};

/// How long a guest waits for the host's first answer. A host that runs answers in well under a second; the rest is for
/// slow links.
const HOST_ANSWER: Duration = Duration::from_secs(30);

/// How long the sessions and signatures may take once the room is full. Ten parties need a few seconds.
const FORMING: Duration = Duration::from_secs(60);

/// Messages that may arrive before the roster does, because another party got it earlier: at most two from each.
const MAX_EARLY: usize = 2 * roster::MAX_PARTIES;

/// A room, seen by one party.
#[derive(Debug)]
pub struct Room {
    member: Member,
    invitation: Invitation,
    /// The mediator of ours at which circuits are to meet, if we host.
    relay: String,
    phase: Phase,
    early: VecDeque<(Authenticated, Message)>,
    lookup: Lookup,
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
enum Phase {
    Host(Box<HostLobby>),
    Guest(Box<GuestLobby>),
    /// The parties are known beforehand, and the host's room is not found yet.
    Asking(Asking),
    Forming(Box<Forming>),
    Confirming(Box<Confirming>),
    Running(Box<Roster>),
    Over,
}

impl Room {
    /// Opens a room for `parties` parties, of which we are the first.
    pub fn host(member: Member, invitation: Invitation, parties: usize) -> Self {
        let lobby = HostLobby::new(&member, parties);
        Self::new(member, invitation, Phase::Host(Box::new(lobby)))
    }

    /// Asks for a seat in the room that `invitation` leads to.
    pub fn guest(member: Member, invitation: Invitation, now: Now, rng: &mut impl CryptoRng) -> Self {
        let (lobby, join) = GuestLobby::join(&member, &invitation, now, rng);
        let to = invitation.host().to_owned();
        let mut room = Self::new(member, invitation, Phase::Guest(Box::new(lobby)));
        room.outputs.push_back(Output::send(to, join));
        room
    }

    /// Looks for the room of the parties of a list, in which we are not the first. `member` has the list, and the list says where
    /// the first party is.
    ///
    /// # Errors
    /// One of the `Link...` kinds when nobody can be written to there.
    pub fn of_list(member: Member, now: Now, rng: &mut impl CryptoRng) -> Result<Self, Failure> {
        let list = member.list.as_ref().map(|listing| &listing.list);
        let list = list.ok_or_else(|| Failure::new(Kind::Other, "a list without parties"))?;
        let expected = Invitation::expected(&list.id(), list.hash(), list.host_at().unwrap_or_default())?;
        let mut room = Self::new(member, expected, Phase::Asking(Asking::begin(now.instant, None)));
        room.check_deadlines(now, rng);
        Ok(room)
    }

    fn new(member: Member, invitation: Invitation, phase: Phase) -> Self {
        let relay = invitation.mediator().to_owned();
        let lookup = Lookup::new(invitation.issuers());
        Self { member, invitation, relay, phase, early: VecDeque::new(), lookup, outputs: VecDeque::new() }
    }

    /// Takes one input. Drain [`Room::poll`] afterwards.
    pub fn handle(&mut self, input: Input<'_>, now: Now, rng: &mut impl CryptoRng) {
        match input {
            Input::Message(sender, message) => self.arrived(sender, message, now, rng),
            Input::Resolved(did, result) => {
                let phase = &self.phase;
                let is_seated = |did: &str| matches!(phase, Phase::Host(lobby) if lobby.is_seated(did));
                self.lookup.resolved(did, result, is_seated, now);
                self.recheck(now, rng);
                self.read_waiting(now, rng);
            }
            Input::StatusList(url, result) => {
                let seated = match &self.phase {
                    Phase::Host(lobby) => lobby.credentials(),
                    _ => Vec::new(),
                };
                self.lookup.listed(url, result, &seated, now);
                self.recheck(now, rng);
                self.read_waiting(now, rng);
            }
            Input::SessionUp(peer) => {
                if let Phase::Forming(forming) = &mut self.phase {
                    forming.session_up(peer, &self.member, self.invitation.room(), rng, &mut self.outputs);
                }
            }
            Input::SessionLost(peer, why) => match &mut self.phase {
                Phase::Forming(forming) => forming.session_lost(peer, &why, now.instant),
                Phase::Confirming(confirming) => confirming.session_lost(peer, &why, now.instant),
                _ => {}
            },
            Input::MediatorLost => {
                if let Phase::Guest(lobby) = &mut self.phase {
                    lobby.mediator_lost();
                }
            }
            Input::MediatorBack => self.mediator_back(now, rng),
            Input::Unregistered(did) => self.unregistered(did, now, rng),
            Input::Manifest(manifest) => self.compare_again(*manifest, rng),
            Input::Timeout => self.check_deadlines(now, rng),
            Input::Kick(index) => self.kick(index, rng),
            Input::Start => self.close_to_others(),
            Input::Compared(same) => self.compared(same, rng),
            Input::Admit(identity) => self.admit(&identity, now, rng),
            Input::Refuse(identity) => self.turn_away(&identity, rng),
            Input::Leave(body) => self.leave(&body, rng),
        }
        self.advance(now, rng);
        if let Phase::Host(lobby) = &mut self.phase
            && lobby.take_change()
        {
            // Before anything that rests on it is sent.
            self.outputs.push_front(Output::Keep);
        }
    }

    /// Returns the next thing to do; call until it is [`Output::Timeout`].
    pub fn poll(&mut self) -> Output {
        self.outputs.pop_front().unwrap_or_else(|| Output::Timeout(self.deadline()))
    }

    /// Reads a message, at once unless the document of an identity in it must be looked up.
    fn arrived(&mut self, sender: &Authenticated, message: &Message, now: Now, rng: &mut impl CryptoRng) {
        let may_name = match &self.phase {
            Phase::Host(_) => true,
            Phase::Guest(_) => sender.did == self.invitation.host(),
            _ => false,
        };
        if !may_name || !self.concerns(message) {
            return self.message(sender, message, now, rng);
        }
        if Leave::try_from(message).is_ok() {
            // It must not be overtaken by what its sender wrote before: a seat for somebody who has gone.
            self.lookup.forget(&sender.did);
        }
        let phase = &self.phase;
        let list = self.member.list.as_ref().map(|listing| &listing.list);
        let standing = |identity: &str| match phase {
            Phase::Host(lobby) => lobby.standing(identity, list),
            _ => Standing::Stranger,
        };
        match self.lookup.arrived(sender, message, standing) {
            Reading::Now => self.message(sender, message, now, rng),
            Reading::Waits => self.read_waiting(now, rng),
        }
    }

    /// Looks whether those who have a seat keep it, by what is known now.
    fn recheck(&mut self, now: Now, rng: &mut impl CryptoRng) {
        if let Phase::Host(lobby) = &mut self.phase {
            let context = lobby::Context::of(&self.member, &self.invitation, &self.lookup);
            lobby.recheck(context, now, rng, &mut self.outputs);
        }
    }

    /// Reads those messages that wait for nothing any more.
    fn read_waiting(&mut self, now: Now, rng: &mut impl CryptoRng) {
        while let Some((sender, message)) = self.lookup.next(now) {
            self.message(&sender, &message, now, rng);
        }
        let (dids, urls) = self.lookup.take_questions();
        self.outputs.extend(dids.into_iter().map(|did| Output::Resolve { did }));
        self.outputs.extend(urls.into_iter().map(|url| Output::StatusList { url }));
        for (sender, message) in self.lookup.sent_away() {
            self.outputs.push_back(lobby::come_again(&sender.did, &message, rng));
        }
    }

    fn message(&mut self, sender: &Authenticated, message: &Message, now: Now, rng: &mut impl CryptoRng) {
        if !self.concerns(message) {
            return;
        }
        let outputs = &mut self.outputs;
        match &mut self.phase {
            Phase::Host(lobby) => {
                let context = lobby::Context::of(&self.member, &self.invitation, &self.lookup);
                lobby.message(context, sender, message, now, rng, outputs);
            }
            Phase::Asking(asking) => match asking.message(&self.member, sender, message, now, outputs) {
                Ok(None) => {}
                Ok(Some(invitation)) => {
                    let told = asking.told_of(&invitation);
                    self.invitation = invitation;
                    let (mut lobby, join) = GuestLobby::join(&self.member, &self.invitation, now, rng);
                    if let Some(told) = told {
                        lobby.goes_on(told, &self.member, outputs);
                    }
                    self.phase = Phase::Guest(Box::new(lobby));
                    self.outputs.push_back(Output::send(self.invitation.host(), join));
                }
                Err(failure) => self.fail(failure),
            },
            Phase::Guest(lobby) => {
                if let Some(failure) = self.lookup.failure_of(message) {
                    return self.fail(failure);
                }
                let context = (&self.member, &self.invitation, self.lookup.evidence());
                match lobby.message(context, sender, message, now, outputs) {
                    Ok(lobby::Guest::Taken) => {}
                    // Another party may have got the roster before us and begun.
                    Ok(lobby::Guest::NotOurs) => {
                        if self.early.len() < MAX_EARLY {
                            self.early.push_back((sender.clone(), message.clone()));
                        }
                    }
                    Ok(lobby::Guest::Differs(failure)) => {
                        self.phase = Phase::Over;
                        self.fail(failure);
                    }
                    Err(failure) => {
                        if !self.looks_again((failure.kind, &failure.message), now, rng) {
                            self.fail(failure);
                        }
                    }
                }
            }
            Phase::Forming(forming) => {
                if lobby::refuse_late_join(forming.roster(), sender, message, rng, outputs) {
                    return;
                }
                let context = (&self.member, &self.invitation);
                if let Err(failure) = forming.message(context, sender, message, now.instant, rng, outputs) {
                    self.fail(failure);
                }
            }
            Phase::Confirming(confirming) => {
                if lobby::refuse_late_join(confirming.roster(), sender, message, rng, outputs) {
                    outputs.extend(confirming.began_anew(sender));
                    return;
                }
                let room = self.invitation.room();
                if let Err(failure) = confirming.message(room, sender, message, rng, outputs) {
                    self.fail(failure);
                }
            }
            Phase::Running(roster) => {
                let is_join = lobby::refuse_late_join(roster, sender, message, rng, outputs);
                let Some(party) = roster.party_of(&sender.did) else { return };
                let index = party.index;
                if is_join || Ask::try_from(message).is_ok() || Propose::try_from(message).is_ok() {
                    // Only the key that the roster names speaks for a party.
                    if party.kid == sender.kid {
                        outputs.push_back(Output::Event(Event::BeganAnew { index }));
                    }
                } else if let Ok(body) = Leave::try_from(message) {
                    outputs.push_back(Output::Event(Event::PeerLeft { index, body }));
                } else if let Some(ours) = roster.party_of(&self.member.connection.did) {
                    let (ours, room) = (ours.index, self.invitation.room());
                    outputs.extend(confirming::confirmed_again(roster, ours, (sender, message), room, rng));
                }
            }
            Phase::Over => {}
        }
    }

    /// Moves on when a phase is complete.
    fn advance(&mut self, now: Now, rng: &mut impl CryptoRng) {
        if matches!(&self.phase, Phase::Host(lobby) if lobby.is_complete(now.instant)) {
            // What counted when a seat was given may have ended.
            self.recheck(now, rng);
        }
        if let Phase::Host(lobby) = &mut self.phase {
            self.outputs.extend(lobby.newly_waiting().map(|waiting| Output::Event(Event::Waiting(waiting))));
        }
        let roster = match &mut self.phase {
            Phase::Host(lobby) if lobby.is_complete(now.instant) => {
                let context = lobby::Context::of(&self.member, &self.invitation, &self.lookup);
                match lobby.close(context, &self.relay, now.unix) {
                    Ok(roster) => {
                        lobby.turn_all_away(rng, &mut self.outputs);
                        Some((roster, true))
                    }
                    Err(failure) => return self.fail(failure),
                }
            }
            Phase::Guest(lobby) => lobby.take_roster().map(|roster| (roster, false)),
            _ => None,
        };
        if let Some((roster, is_host)) = roster {
            // First of all: whoever hears of it forgets the nonce before anybody can be shown it.
            self.outputs.push_back(Output::Event(Event::Roster(Box::new(roster.clone()))));
            if is_host {
                let room = self.invitation.room();
                lobby::send_roster(&roster, &self.member, room, rng, &mut self.outputs);
            }
            let context = (&self.member, &self.invitation);
            match Forming::begin(context, roster, now.instant + FORMING, rng, &mut self.outputs) {
                Ok(forming) => self.phase = Phase::Forming(Box::new(forming)),
                Err(failure) => return self.fail(failure),
            }
            for (sender, message) in std::mem::take(&mut self.early) {
                self.message(&sender, &message, now, rng);
            }
        }
        if let Phase::Forming(forming) = &self.phase
            && forming.is_complete()
            && let Some(confirming) = Confirming::begin(forming, self.member.confirm, now.instant)
        {
            let (roster, words) = (Box::new(confirming.roster().clone()), confirming.words().to_vec());
            self.outputs.push_back(Output::Agreed { roster, words });
            self.phase = Phase::Confirming(Box::new(confirming));
        }
        if let Phase::Confirming(confirming) = &self.phase
            && confirming.is_complete()
        {
            let roster = Box::new(confirming.roster().clone());
            let (words, assents) = (confirming.words().to_vec(), confirming.assents().to_vec());
            self.outputs.push_back(Output::Ready { roster: roster.clone(), words, assents });
            self.phase = Phase::Running(roster);
        }
        if let Phase::Forming(forming) = &self.phase
            && forming.is_complete()
        {
            let roster = Box::new(forming.roster().clone());
            let (words, assents) = (forming.words(), forming.assents());
            self.outputs.push_back(Output::Ready { roster: roster.clone(), words, assents });
            self.phase = Phase::Running(roster);
        }
    }

    /// A guest of a room of known parties that has lost the host looks for it again: a host may be started anew, with another room.
    fn looks_again(&mut self, (why, lost): (Kind, &str), now: Now, rng: &mut impl CryptoRng) -> bool {
        let is_gone =
            matches!(why, Kind::HostSilent | Kind::PeerLost) && matches!(self.phase, Phase::Guest(_));
        let listing = self.member.list.as_ref().filter(|listing| is_gone && listing.until > now.instant);
        let Some(name) = listing.map(|listing| listing.list.called(0)) else { return false };
        let text = "is not in the room any more; looking for it again".to_owned();
        self.outputs.push_back(Output::Event(Event::Note { name, text }));
        let told = match &mut self.phase {
            Phase::Guest(lobby) => lobby.take_told(),
            _ => None,
        };
        let lost = Lost { why: lost.to_owned(), room: *self.invitation.hash(), told };
        self.phase = Phase::Asking(Asking::begin(now.instant, Some(lost)));
        self.check_deadlines(now, rng);
        true
    }

    fn mediator_back(&mut self, now: Now, rng: &mut impl CryptoRng) {
        match &mut self.phase {
            Phase::Host(lobby) => {
                let context = lobby::Context::of(&self.member, &self.invitation, &self.lookup);
                lobby.mediator_back(context, now.instant, rng, &mut self.outputs);
            }
            Phase::Guest(lobby) => {
                lobby.expect_answer(now.instant);
                self.ask_host(now, rng);
            }
            Phase::Asking(asking) => {
                asking.ask_now(now.instant);
                self.check_deadlines(now, rng);
            }
            _ => {}
        }
    }

    fn ask_host(&mut self, now: Now, rng: &mut impl CryptoRng) {
        if let Phase::Guest(lobby) = &mut self.phase {
            let join = lobby.ask(&self.member, &self.invitation, now, rng);
            self.outputs.push_back(Output::send(self.invitation.host(), join));
        }
    }

    fn unregistered(&mut self, did: &str, now: Now, rng: &mut impl CryptoRng) {
        match &mut self.phase {
            Phase::Host(lobby) => {
                let context = lobby::Context::of(&self.member, &self.invitation, &self.lookup);
                lobby.unregistered(did, context, now.instant, rng, &mut self.outputs);
            }
            Phase::Guest(lobby) if did == self.invitation.host() => {
                if let Err(failure) = lobby.host_unregistered(now.instant)
                    && !self.looks_again((failure.kind, &failure.message), now, rng)
                {
                    self.fail(failure);
                }
            }
            _ => {}
        }
    }

    fn fail(&mut self, failure: Failure) {
        self.outputs.push_back(Output::Failed(failure));
    }
}

fn others(roster: &Roster, ours: &str) -> Vec<String> {
    roster.body().parties.iter().map(|party| party.did.clone()).filter(|did| did != ours).collect()
}

/// The keys of the others with which their sessions begin, as the roster names them.
fn keys_of_others(roster: &Roster, ours: &str) -> Vec<String> {
    roster.body().parties.iter().filter(|party| party.did != ours).map(|party| party.kid.clone()).collect()
}

/// Describes a party in a sentence: `party 2 (carol)`.
pub fn describe(roster: &Roster, index: usize) -> String {
    match roster.party(index) {
        Some(party) => format!("party {index} ({})", party.name),
        None => format!("party {index}"),
    }
}
