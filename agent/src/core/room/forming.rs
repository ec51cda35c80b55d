//! Forming: sessions with every other party, then signatures of everybody over the roster.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use didagent_didcomm::envelope::Authenticated;
use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::room::{Confirmed, Leave, Ready};
use didagent_didcomm::protocols::types;
use didagent_didcomm::protocols::{Body as _, Digest32};
use rand_core::CryptoRng;

use super::roster::Roster;
use super::waiting::{Waiting, Why};
use super::{Assent, Event, Member, Output, confirming, describe, leave, words};
use crate::core::invite::{Invitation, new_id};
use crate::core::pairing::{Between, Handshakes, Outcome, PairingError};
use crate::failure::{Failure, Kind};

/// What stays the same for the whole room: who we are, and which room it is.
type Context<'a> = (&'a Member, &'a Invitation);

/// How long a peer that said that a handshake cannot complete may still send a message that does.
const SECOND_ANSWER: Duration = Duration::from_secs(3);

/// How long a peer whose session ended may still say why.
pub(super) const LAST_WORDS: Duration = Duration::from_secs(1);

/// The parties' deadlines differ by the time that the roster took to each. One that ends so shortly before ours ends for the
/// same reason.
const SAME_DEADLINE: Duration = Duration::from_secs(3);

/// How long before its deadline a room that is not ready says for whom it waits, and how often: after 10 of the 60 s, and every 15 s.
const SLOW: Duration = Duration::from_secs(50);
const SLOW_AGAIN: Duration = Duration::from_secs(15);

#[derive(Debug)]
pub(super) struct Forming {
    roster: Roster,
    ours: usize,
    deadline: Instant,
    /// When people are told for whom the room waits.
    slow_at: Instant,
    handshakes: Handshakes,
    /// Peers whose proposal we answered.
    answered: BTreeSet<usize>,
    /// Peers whose session is confirmed.
    up: BTreeSet<usize>,
    /// Parties whose signature over the roster verified, ourselves included, and what they showed.
    ready: BTreeMap<usize, Assent>,
    /// Peers whose person has confirmed the words already: they got everybody's `ready` before us.
    confirmed: BTreeSet<usize>,
    /// Peers whose handshake does not complete or whose session ended, and until when we wait for better news of them.
    trouble: BTreeMap<usize, (Instant, Failure)>,
}

impl Forming {
    /// Begins the handshakes with all parties of a higher index.
    pub(super) fn begin(
        context: Context<'_>,
        roster: Roster,
        deadline: Instant,
        rng: &mut impl CryptoRng,
        outputs: &mut VecDeque<Output>,
    ) -> Result<Self, Failure> {
        let (member, _) = context;
        let ours = roster.party_of(&member.connection.did).map(|party| party.index);
        let ours =
            ours.ok_or_else(|| Failure::new(Kind::RosterRefused, "the roster does not name this party"))?;
        let mut forming = Self {
            roster,
            ours,
            deadline,
            slow_at: deadline.checked_sub(SLOW).unwrap_or(deadline),
            handshakes: Handshakes::new(member.suites.clone(), member.capabilities.clone()),
            answered: BTreeSet::new(),
            up: BTreeSet::new(),
            ready: BTreeMap::new(),
            confirmed: BTreeSet::new(),
            trouble: BTreeMap::new(),
        };
        for peer in ours + 1..forming.roster.body().m {
            let Some(between) = between(&forming.roster, ours, context, peer) else { continue };
            let begun = forming.handshakes.begin(&member.identity, &between, rng);
            let to = between.peer.kid.clone();
            let message = begun.map_err(|error| forming.handshake_failure(peer, &error))?;
            outputs.push_back(Output::send(to, message));
        }
        Ok(forming)
    }

    pub(super) fn message(
        &mut self,
        context: Context<'_>,
        sender: &Authenticated,
        message: &Message,
        now: Instant,
        rng: &mut impl CryptoRng,
        outputs: &mut VecDeque<Output>,
    ) -> Result<(), Failure> {
        // Only the key that the roster names speaks for a party.
        let Some(party) = self.roster.party_of(&sender.did).filter(|party| party.kid == sender.kid) else {
            return Ok(());
        };
        let peer = party.index;
        if let Ok(ready) = Ready::try_from(message) {
            return self.peer_ready(peer, &ready, outputs);
        }
        if let Ok(confirmed) = Confirmed::try_from(message) {
            confirming::check_hash(&self.roster, party, &confirmed)?;
            self.confirmed.insert(peer);
            return Ok(());
        }
        if let Ok(body) = Leave::try_from(message) {
            // Whose clock ran first says what we are about to find ourselves; then our own words are better.
            if body.code == leave::FAILED && self.is_about_to_end(now) {
                return Err(self.late());
            }
            return Err(leave::before_the_start(&self.describe(peer), &body));
        }
        self.handshake(context, peer, message, now, rng, outputs);
        Ok(())
    }

    /// Says whether this is a proposal of `sender` that was answered before, so that its duplicate gets the same answer.
    pub(super) fn is_answered(&self, sender: &str, message: &Message) -> bool {
        self.handshakes.is_answered(sender, message)
    }

    /// Notes that the session with `peer` works; after the last one we say ready.
    pub(super) fn session_up(
        &mut self,
        peer: usize,
        member: &Member,
        room: &str,
        rng: &mut impl CryptoRng,
        outputs: &mut VecDeque<Output>,
    ) {
        self.up.insert(peer);
        if let Some(party) = self.roster.party(peer) {
            self.handshakes.confirmed(&party.did);
        }
        if self.up.len() + 1 < self.roster.body().m {
            return;
        }
        let ours = Assent { nonce: member.nonce.shown(), signature: self.roster.sign(&member.identity) };
        if self.ready.insert(self.ours, ours).is_some() {
            return;
        }
        let body = ready_of(&self.roster, self.ours, ours);
        for to in super::keys_of_others(&self.roster, &member.connection.did) {
            outputs.push_back(Output::send(to, body.message(new_id(rng)).pthid(room)));
        }
    }

    /// Notes that the session with `peer` ended. Its own words, which go through the mailboxes, may come a little later.
    pub(super) fn session_lost(&mut self, peer: usize, why: &str, now: Instant) {
        if self.is_about_to_end(now) {
            // Its clock ran first. It closed its sessions for the reason that we are about to give ourselves.
            return;
        }
        let failure = Failure::new(Kind::PeerLost, format!("lost {}: {why}", self.describe(peer)));
        self.trouble.entry(peer).or_insert((now + LAST_WORDS, failure));
    }

    /// Says whether every party signed the roster and every session of ours works.
    pub(super) fn is_complete(&self) -> bool {
        self.trouble.is_empty() && self.ready.len() == self.roster.body().m
    }

    /// Returns the words that people compare, once everybody is ready.
    pub(super) fn words(&self) -> Vec<&'static str> {
        words::words(&self.roster.hash(), self.ready.values().map(|assent| &assent.nonce.0))
    }

    /// Returns what everybody who is ready showed, in order of the index.
    pub(super) fn assents(&self) -> Vec<Assent> {
        self.ready.values().copied().collect()
    }

    pub(super) fn roster(&self) -> &Roster {
        &self.roster
    }

    pub(super) fn ours(&self) -> usize {
        self.ours
    }

    pub(super) fn confirmed(&self) -> &BTreeSet<usize> {
        &self.confirmed
    }

    fn is_about_to_end(&self, now: Instant) -> bool {
        self.deadline.saturating_duration_since(now) < SAME_DEADLINE
    }

    pub(super) fn deadline(&self) -> Instant {
        let troubles = self.trouble.values().map(|(until, _)| *until);
        troubles.chain([self.deadline, self.slow_at]).min().unwrap_or(self.deadline)
    }

    /// Says whether people should be told now for whom the room waits.
    pub(super) fn is_slow(&mut self, now: Instant) -> bool {
        let is_slow = self.slow_at <= now;
        if is_slow {
            self.slow_at = now + SLOW_AGAIN;
        }
        is_slow
    }

    /// Says whether the room was not ready in time.
    pub(super) fn is_late(&self, now: Instant) -> bool {
        let mut troubles = self.trouble.values().map(|(until, _)| *until);
        self.deadline <= now || troubles.any(|until| until <= now)
    }

    /// Returns for whom the room waits.
    pub(super) fn waiting(&self) -> Vec<Waiting> {
        let missing = |index: usize| match (self.up.contains(&index), self.ready.contains_key(&index)) {
            _ if index == self.ours => None,
            (false, _) => Some(Why::Session),
            (true, false) => Some(Why::Ready),
            (true, true) => None,
        };
        let parties = self.roster.body().parties.iter();
        let waiting = parties.filter_map(|party| {
            Some(Waiting { index: party.index, name: party.name.clone(), why: missing(party.index)? })
        });
        waiting.collect()
    }

    pub(super) fn describe(&self, index: usize) -> String {
        describe(&self.roster, index)
    }

    /// Returns the failure of a room that did not become ready in time; it names who is missing.
    pub(super) fn late(&self) -> Failure {
        if let Some((_, failure)) = self.trouble.values().min_by_key(|(until, _)| *until) {
            return failure.clone();
        }
        let missing = |have: &BTreeSet<usize>| {
            let missing =
                (0..self.roster.body().m).filter(|index| *index != self.ours && !have.contains(index));
            missing.map(|index| self.describe(index)).collect::<Vec<_>>().join(", ")
        };
        let ready = self.ready.keys().copied().collect();
        let (silent, unready) = (missing(&self.up), missing(&ready));
        let message = if silent.is_empty() {
            format!("not ready in time: {unready}")
        } else {
            format!("no session came up in time with {silent}")
        };
        Failure::new(Kind::NotReady, message).hint("ask them what their screen says, then begin anew")
    }

    fn handshake(
        &mut self,
        context: Context<'_>,
        peer: usize,
        message: &Message,
        now: Instant,
        rng: &mut impl CryptoRng,
        outputs: &mut VecDeque<Output>,
    ) {
        if message.type_ == types::SESSION_PROPOSE {
            // The lower index proposes. A second proposal of the same peer would replace a session that works.
            let is_second = self.answered.contains(&peer)
                && !self
                    .roster
                    .party(peer)
                    .is_some_and(|party| self.handshakes.is_answered(&party.did, message));
            if peer >= self.ours || is_second {
                return;
            }
        }
        let (member, _) = context;
        let Some(between) = between(&self.roster, self.ours, context, peer) else { return };
        let to = between.peer.kid.clone();
        match self.handshakes.handle(&member.identity, &between, message, now, rng) {
            Outcome::Nothing => {}
            Outcome::Send(message) => outputs.push_back(Output::Send { to, message }),
            Outcome::Established(established, accept) => {
                self.trouble.remove(&peer);
                if let Some(message) = accept {
                    self.answered.insert(peer);
                    outputs.push_back(Output::Send { to, message });
                }
                outputs.push_back(Output::Connect { peer, established });
            }
            Outcome::Trouble(error, abort) => {
                if let Some(message) = abort {
                    outputs.push_back(Output::Send { to, message });
                }
                self.note_trouble(peer, &error, now);
            }
        }
    }

    /// Notes why a handshake does not complete. The envelope around such news can be forged by whoever stole our own key, so
    /// it ends nothing at once: a genuine message that comes within moments still counts (HS-05).
    fn note_trouble(&mut self, peer: usize, error: &PairingError, now: Instant) {
        let failure = self.handshake_failure(peer, error);
        self.trouble.entry(peer).or_insert((now + SECOND_ANSWER, failure));
    }

    fn peer_ready(
        &mut self,
        peer: usize,
        ready: &Ready,
        outputs: &mut VecDeque<Output>,
    ) -> Result<(), Failure> {
        let who = self.describe(peer);
        if ready.hash != Digest32(self.roster.hash()) {
            return Err(Failure::new(Kind::Agreement, format!("{who} has another roster than this party")));
        }
        let signature = <[u8; 64]>::try_from(ready.signature.as_slice()).ok();
        let Some(signature) =
            signature.filter(|signature| self.roster.verify_signature(peer, signature).is_ok())
        else {
            return Err(Failure::new(
                Kind::RosterRefused,
                format!("the signature of {who} over the roster does not verify"),
            ));
        };
        let committed = self.roster.party(peer).map(|party| party.commitment);
        if committed != Some(words::commitment(&ready.nonce.0)) {
            return Err(Failure::new(
                Kind::RosterRefused,
                format!("{who} shows another number than it had committed to"),
            ));
        }
        if self.ready.insert(peer, Assent { nonce: ready.nonce, signature }).is_none() {
            outputs.push_back(Output::Event(Event::PeerReady { index: peer }));
        }
        Ok(())
    }

    fn handshake_failure(&self, peer: usize, error: &PairingError) -> Failure {
        Failure::new(Kind::HandshakeFailed, format!("no session with {}: {error}", self.describe(peer)))
    }
}

/// Writes what the party with index `ours` says when it is ready.
pub(super) fn ready_of(roster: &Roster, ours: usize, assent: Assent) -> Ready {
    Ready {
        hash: Digest32(roster.hash()),
        index: u32::try_from(ours).unwrap_or(u32::MAX),
        signature: assent.signature.to_vec(),
        nonce: assent.nonce,
    }
}

fn between<'a>(
    roster: &'a Roster,
    ours: usize,
    (_, invitation): Context<'a>,
    peer: usize,
) -> Option<Between<'a>> {
    Some(Between {
        room: invitation.room(),
        invitation: invitation.hash(),
        ours: roster.party(ours)?,
        peer: roster.party(peer)?,
    })
}
