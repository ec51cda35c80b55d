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
//!                         all ready: Output::Ready
//! ```
//!
//! A party says `ready` only when all of its own sessions are confirmed, and starts only when everybody said it: so when
//! anything starts, the mesh is complete and all have signed the same bytes.
//!
//! Not its concern: sockets and sealing (`io`, `post`), the bytes of sessions, what the program does.

mod agreement;
mod forming;
pub mod leave;
mod lobby;
pub mod roster;
mod types;
mod words;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use didagent_didcomm::envelope::Authenticated;
use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::Body as _;
use didagent_didcomm::protocols::room::{Leave, Seats};
use didagent_didcomm::protocols::session::Propose;
use rand_core::CryptoRng;

use crate::core::invite::{Invitation, new_id};
use crate::failure::{Failure, Kind};
pub use agreement::sentence;
use forming::Forming;
pub use leave::describe_leave;
use lobby::{GuestLobby, HostLobby};
use roster::Roster;
pub use types::{Event, Input, Member, Now, Output, Seat, ThresholdRule};
pub use words::Nonce;

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
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
enum Phase {
    Host(HostLobby),
    Guest(Box<GuestLobby>),
    Forming(Box<Forming>),
    Running(Box<Roster>),
    Over,
}

impl Room {
    /// Opens a room for `parties` parties, of which we are the first.
    pub fn host(member: Member, invitation: Invitation, parties: usize) -> Self {
        let lobby = HostLobby::new(&member, parties);
        Self::new(member, invitation, Phase::Host(lobby))
    }

    /// Asks for a seat in the room that `invitation` leads to.
    pub fn guest(member: Member, invitation: Invitation, now: Now, rng: &mut impl CryptoRng) -> Self {
        let (lobby, join) = GuestLobby::join(&member, &invitation, now, rng);
        let to = invitation.host().to_owned();
        let mut room = Self::new(member, invitation, Phase::Guest(Box::new(lobby)));
        room.outputs.push_back(Output::send(to, join));
        room
    }

    fn new(member: Member, invitation: Invitation, phase: Phase) -> Self {
        let relay = invitation.mediator().to_owned();
        Self { member, invitation, relay, phase, early: VecDeque::new(), outputs: VecDeque::new() }
    }

    /// Takes one input. Drain [`Room::poll`] afterwards.
    pub fn handle(&mut self, input: Input<'_>, now: Now, rng: &mut impl CryptoRng) {
        match input {
            Input::Message(sender, message) => self.message(sender, message, now, rng),
            Input::SessionUp(peer) => {
                if let Phase::Forming(forming) = &mut self.phase {
                    forming.session_up(peer, &self.member, self.invitation.room(), rng, &mut self.outputs);
                }
            }
            Input::SessionLost(peer, why) => {
                if let Phase::Forming(forming) = &mut self.phase {
                    forming.session_lost(peer, &why, now.instant);
                }
            }
            Input::MediatorLost => {
                if let Phase::Guest(lobby) = &mut self.phase {
                    lobby.mediator_lost();
                }
            }
            Input::MediatorBack => self.mediator_back(now, rng),
            Input::Unregistered(did) => self.unregistered(did, now),
            Input::Manifest(manifest) => {
                self.member.manifest = Some(*manifest);
                if let Phase::Host(lobby) = &mut self.phase {
                    lobby.compare_again(&self.member, &self.invitation, rng, &mut self.outputs);
                }
            }
            Input::Timeout => self.check_deadlines(now, rng),
            Input::Leave(body) => self.leave(&body, rng),
        }
        self.advance(now, rng);
    }

    /// Returns the next thing to do; call until it is [`Output::Timeout`].
    pub fn poll(&mut self) -> Output {
        self.outputs.pop_front().unwrap_or_else(|| Output::Timeout(self.deadline()))
    }

    /// Returns how many seats are free, as far as a host knows.
    pub fn missing(&self) -> usize {
        match &self.phase {
            Phase::Host(lobby) => lobby.missing(),
            _ => 0,
        }
    }

    /// Says whether a guest waits for the host, whom it then cannot do without.
    pub fn waits_for_host(&self) -> bool {
        matches!(&self.phase, Phase::Guest(_))
    }

    /// Says whether people are still waited for, so that nothing is lost with a connection.
    pub fn is_lobby(&self) -> bool {
        matches!(self.phase, Phase::Host(_) | Phase::Guest(_))
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
        matches!(&self.phase, Phase::Guest(lobby) if lobby.is_refused_by(message))
    }

    /// Returns how many seats the room has, if it is known.
    pub fn capacity(&self) -> Option<usize> {
        match &self.phase {
            Phase::Host(lobby) => Some(lobby.capacity()),
            Phase::Guest(lobby) => lobby.capacity(),
            Phase::Forming(forming) => Some(forming.roster().body().m),
            Phase::Running(roster) => Some(roster.body().m),
            Phase::Over => None,
        }
    }

    /// Returns the seats that are taken, as far as they are known before the roster.
    pub fn seats(&self) -> Vec<Seat> {
        match &self.phase {
            Phase::Host(lobby) => lobby.taken(),
            Phase::Guest(lobby) => lobby.taken(&self.member, self.invitation.host()),
            Phase::Forming(_) | Phase::Running(_) | Phase::Over => Vec::new(),
        }
    }

    /// Returns who we are in the room.
    pub fn member(&self) -> &Member {
        &self.member
    }

    /// Says whether a message is about this room. Mail of another room of the same parties may still be in the mailbox. Only a
    /// refusal names our `join` instead.
    pub fn concerns(&self, message: &Message) -> bool {
        message.pthid.as_deref() == Some(self.invitation.room()) || self.is_refused_by(message)
    }

    /// Says whether this is a proposal of `sender` that was answered before: its duplicate gets the same answer again (HS-06).
    pub fn answers_again(&self, sender: &str, message: &Message) -> bool {
        matches!(&self.phase, Phase::Forming(forming) if forming.is_answered(sender, message))
    }

    /// Returns the DIDs of the other parties, as far as we know.
    pub fn dids(&self) -> Vec<String> {
        match &self.phase {
            Phase::Host(lobby) => lobby.guests(),
            Phase::Guest(_) => vec![self.invitation.host().to_owned()],
            Phase::Forming(forming) => others(forming.roster(), &self.member.connection.did),
            Phase::Running(roster) => others(roster, &self.member.connection.did),
            Phase::Over => Vec::new(),
        }
    }

    /// Says whether this DID has a seat, as far as we know; a guest hears of nobody but the host before the roster.
    pub fn has_seat(&self, did: &str) -> bool {
        self.dids().iter().any(|other| other == did)
    }

    fn message(&mut self, sender: &Authenticated, message: &Message, now: Now, rng: &mut impl CryptoRng) {
        if !self.concerns(message) {
            return;
        }
        let outputs = &mut self.outputs;
        match &mut self.phase {
            Phase::Host(lobby) => {
                lobby.message((&self.member, &self.invitation), sender, message, now, rng, outputs);
            }
            Phase::Guest(lobby) => {
                match lobby.message(&self.member, &self.invitation, sender, message, now.instant, outputs) {
                    Ok(lobby::Guest::Taken) => {}
                    // Another party may have got the roster before us and begun.
                    Ok(lobby::Guest::NotOurs) => {
                        if self.early.len() < MAX_EARLY {
                            self.early.push_back((sender.clone(), message.clone()));
                        }
                    }
                    Err(failure) => {
                        if failure.kind == Kind::Agreement && Seats::try_from(message).is_ok() {
                            // Without a word, so the seat stays ours (MF-20).
                            self.phase = Phase::Over;
                        }
                        self.fail(failure);
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
            Phase::Running(roster) => {
                let is_join = lobby::refuse_late_join(roster, sender, message, rng, outputs);
                let Some(party) = roster.party_of(&sender.did) else { return };
                let index = party.index;
                if is_join || Propose::try_from(message).is_ok() {
                    // Only the key that the roster names speaks for a party.
                    if party.kid == sender.kid {
                        outputs.push_back(Output::Event(Event::BeganAnew { index }));
                    }
                } else if let Ok(body) = Leave::try_from(message) {
                    outputs.push_back(Output::Event(Event::PeerLeft { index, body }));
                }
            }
            Phase::Over => {}
        }
    }

    /// Moves on when a phase is complete.
    fn advance(&mut self, now: Now, rng: &mut impl CryptoRng) {
        let roster = match &mut self.phase {
            Phase::Host(lobby) if lobby.is_complete(now.instant) => {
                match lobby.close(&self.member, &self.invitation, &self.relay) {
                    Ok(roster) => {
                        lobby::send_roster(
                            &roster,
                            &self.member,
                            self.invitation.room(),
                            rng,
                            &mut self.outputs,
                        );
                        Some(roster)
                    }
                    Err(failure) => return self.fail(failure),
                }
            }
            Phase::Guest(lobby) => lobby.take_roster(),
            _ => None,
        };
        if let Some(roster) = roster {
            self.outputs.push_back(Output::Event(Event::Roster(Box::new(roster.clone()))));
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
        {
            let roster = Box::new(forming.roster().clone());
            let words = forming.words();
            self.outputs.push_back(Output::Ready { roster: roster.clone(), words });
            self.phase = Phase::Running(roster);
        }
    }

    fn mediator_back(&mut self, now: Now, rng: &mut impl CryptoRng) {
        match &mut self.phase {
            Phase::Host(lobby) => {
                lobby.mediator_back((&self.member, &self.invitation), now.instant, rng, &mut self.outputs);
            }
            Phase::Guest(lobby) => {
                lobby.expect_answer(now.instant);
                self.ask_host(now, rng);
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

    fn unregistered(&mut self, did: &str, now: Now) {
        match &mut self.phase {
            Phase::Host(lobby) => lobby.unregistered(did, now.instant),
            Phase::Guest(lobby) if did == self.invitation.host() => {
                if let Err(failure) = lobby.host_unregistered(now.instant) {
                    self.fail(failure);
                }
            }
            _ => {}
        }
    }

    fn check_deadlines(&mut self, now: Now, rng: &mut impl CryptoRng) {
        if let Phase::Host(lobby) = &mut self.phase {
            let context = (&self.member, &self.invitation);
            lobby.check_deadlines(context, now.instant, rng, &mut self.outputs);
        }
        let failure = match &self.phase {
            Phase::Host(lobby) if self.invitation.is_expired(now.unix) => Some(lobby.expired()),
            Phase::Guest(lobby) => lobby.late(now),
            Phase::Forming(forming) if forming.deadline() <= now.instant => Some(forming.late()),
            _ => None,
        };
        if let Some(failure) = failure {
            return self.fail(failure);
        }
        if let Phase::Guest(lobby) = &mut self.phase
            && lobby.asks_again(now.instant)
        {
            if lobby.host_is_away() {
                lobby.expect_answer(now.instant);
            }
            self.ask_host(now, rng);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Host(lobby) => lobby.deadline(),
            Phase::Guest(lobby) => lobby.deadline(),
            Phase::Forming(forming) => Some(forming.deadline()),
            _ => None,
        }
    }

    fn leave(&mut self, body: &Leave, rng: &mut impl CryptoRng) {
        let to_all = match &self.phase {
            Phase::Forming(forming) => keys_of_others(forming.roster(), &self.member.connection.did),
            Phase::Running(roster) => keys_of_others(roster, &self.member.connection.did),
            _ => self.dids(),
        };
        for to in to_all {
            let message = body.message(new_id(rng)).pthid(self.invitation.room());
            self.outputs.push_back(Output::send(to, message));
        }
        self.phase = Phase::Over;
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
