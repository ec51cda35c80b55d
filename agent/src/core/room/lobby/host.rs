//! The host's side of the lobby: who has a seat, who is away, when it closes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use didagent_bridge::manifest::Comparison;
use didagent_didcomm::envelope::Authenticated;
use didagent_didcomm::link;
use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::Body as _;
use didagent_didcomm::protocols::room::{Differs, Join, Leave, Seats};
use rand_core::CryptoRng;

use super::absent::Absent;
use super::asking::too_late;
use super::closed::refuse;
use super::door::Door;
use super::occupant::Occupant;
use super::seating::{Seated, shown_index};
use crate::core::credential::{Evidence, Rule};
use crate::core::invite::{Invitation, new_id};
use crate::core::party_list::PartyList;
use crate::core::room::lookup::{Documents, Lookup, Standing};
use crate::core::room::roster::{Party, Roster, RosterBody};
use crate::core::room::{
    Event, Listing, Member, Now, Output, Seat, ThresholdRule, Waiting, agreement, credentials, leave,
};
use crate::failure::{Failure, Kind};

/// How long a host that is back at its mediator does not close the room (RM-72): it hears meanwhile which guests the
/// mediator does not know yet.
const SETTLE: Duration = Duration::from_secs(2);

/// Identities of which it is counted how often they move: more than ever sit in a room.
pub(super) const MAX_MOVERS: usize = 256;

/// The host's side: who has a seat.
#[derive(Debug)]
pub(in crate::core::room) struct HostLobby {
    pub(super) seats: usize,
    pub(super) parties: Vec<Occupant>,
    /// The key of the identity of each of them.
    pub(super) signers: BTreeMap<String, [u8; 32]>,
    /// Identities that our person does not want.
    pub(super) unwanted: BTreeSet<String>,
    /// Guests that are not there.
    pub(super) away: Absent,
    /// How often each identity has come with another DID than before.
    pub(super) moves: BTreeMap<String, u32>,
    /// Whose refusal our person was told, and why.
    refused: BTreeSet<(String, &'static str)>,
    /// Until then the room is not closed.
    settle: Option<Instant>,
    /// The last round of these parties, as far as any of them knows.
    pub(super) round: u32,
    /// For whom people were told that the full room waits.
    pub(super) told: Vec<Waiting>,
    /// What is kept of the room has changed.
    pub(super) has_changed: bool,
    /// Who gets a seat only if our person says so.
    pub(in crate::core::room) door: Door,
}

/// The host itself, the way to its room, and what is known of identities that are a did:web.
#[derive(Debug, Clone, Copy)]
pub(in crate::core::room) struct Context<'a> {
    pub(in crate::core::room) member: &'a Member,
    pub(in crate::core::room) invitation: &'a Invitation,
    pub(in crate::core::room) documents: &'a Documents,
    pub(in crate::core::room) evidence: Evidence<'a>,
}

impl<'a> Context<'a> {
    pub(in crate::core::room) fn of(
        member: &'a Member,
        invitation: &'a Invitation,
        lookup: &'a Lookup,
    ) -> Self {
        Self { member, invitation, documents: lookup.documents(), evidence: lookup.evidence() }
    }
}

impl HostLobby {
    pub(in crate::core::room) fn new(host: &Member, seats: usize) -> Self {
        let party = Party {
            index: 0,
            name: host.name.clone(),
            identity: host.identity.did().to_owned(),
            did: host.connection.did.clone(),
            kid: host.connection.kid.clone(),
            link: String::new(),
            program: agreement::kind(host.manifest.as_ref()),
            commitment: host.nonce.commitment(),
            confirm: host.confirm.is_some(),
            credential: None,
        };
        let signers = BTreeMap::from([(party.identity.clone(), host.identity.public())]);
        let (credential, found) = (host.credential.clone(), Comparison::default());
        let occupant = Occupant { party, credential, manifest: None, found, has_ended: false };
        Self {
            seats,
            parties: vec![occupant],
            signers,
            unwanted: BTreeSet::new(),
            away: Absent::default(),
            moves: BTreeMap::new(),
            refused: BTreeSet::new(),
            settle: None,
            round: host.list.as_ref().map_or(0, |listing| listing.round),
            told: Vec::new(),
            has_changed: false,
            door: Door::default(),
        }
    }

    /// Says whether what is kept of the room has changed since the last time.
    pub(in crate::core::room) fn take_change(&mut self) -> bool {
        std::mem::take(&mut self.has_changed)
    }

    /// Says whether the room can be closed: every seat is taken by somebody who is there and would run what we would.
    pub(in crate::core::room) fn is_complete(&self, now: Instant) -> bool {
        let agrees = self.parties.iter().all(|occupant| occupant.found.agrees() && !occupant.has_ended);
        agrees && self.is_full() && self.away.is_empty() && self.settle.is_none_or(|until| until <= now)
    }

    pub(super) fn is_full(&self) -> bool {
        self.parties.len() == self.seats
    }

    pub(in crate::core::room) fn missing(&self) -> usize {
        self.seats - self.parties.len()
    }

    pub(in crate::core::room) fn capacity(&self) -> usize {
        self.seats
    }

    pub(in crate::core::room) fn taken(&self) -> Vec<Seat> {
        let seat = |(index, Occupant { party, .. }): (usize, &Occupant)| Seat {
            index,
            name: party.name.clone(),
            identity: Some(party.identity.clone()),
            did: Some(party.did.clone()),
            is_us: index == 0,
        };
        self.parties.iter().enumerate().map(seat).collect()
    }

    pub(in crate::core::room) fn is_seated(&self, identity: &str) -> bool {
        self.all().any(|party| party.identity == identity)
    }

    /// The credentials of those who have a seat.
    pub(in crate::core::room) fn credentials(&self) -> Vec<String> {
        self.parties.iter().filter_map(|occupant| occupant.credential.clone()).collect()
    }

    /// Returns what is known of somebody who says to be this identity; `list` has the parties if they are known beforehand.
    pub(in crate::core::room) fn standing(&self, identity: &str, list: Option<&PartyList>) -> Standing {
        if self.is_seated(identity) {
            return Standing::Seated;
        }
        match list.map(|list| list.index_of(identity)) {
            Some(None) => Standing::Unwanted,
            Some(Some(_)) => Standing::Known,
            None if self.door.knows(identity) => Standing::Known,
            None => Standing::Stranger,
        }
    }

    /// Frees the seats of guests whose document does not list their key any more, or whose credential does not count any more: nobody
    /// would take the roster.
    pub(in crate::core::room) fn recheck(
        &mut self,
        context: Context<'_>,
        now: Now,
        rng: &mut impl CryptoRng,
        outputs: &mut VecDeque<Output>,
    ) {
        while let Some(at) = self.stale(context, now) {
            self.free(at, context, rng, outputs);
        }
    }

    fn stale(&self, context: Context<'_>, now: Now) -> Option<usize> {
        let is_stale = |at: &usize| {
            let occupant = &self.parties[*at];
            let Party { link, did, identity, .. } = &occupant.party;
            let credential = occupant.credential.as_deref();
            // Whoever is away comes with its link, and perhaps its document, again.
            !self.away.has(did)
                && (link::verify_with(link, did, context.documents).is_err()
                    || context.evidence.check(credential, identity, now.unix, Rule::Seated).is_err())
        };
        (1..self.parties.len()).find(is_stale)
    }

    pub(in crate::core::room) fn guests(&self) -> Vec<String> {
        self.parties.iter().skip(1).map(|occupant| occupant.party.did.clone()).collect()
    }

    fn position(&self, did: &str) -> Option<usize> {
        // Ours cannot be freed.
        (1..self.parties.len()).find(|at| self.parties[*at].party.did == did)
    }

    pub(in crate::core::room) fn message(
        &mut self,
        context: Context<'_>,
        sender: &Authenticated,
        message: &Message,
        now: Now,
        rng: &mut impl CryptoRng,
        outputs: &mut VecDeque<Output>,
    ) {
        if self.asked(context, sender, message, rng, outputs) {
            return;
        }
        if let Ok(join) = Join::try_from(message) {
            match self.seat(context, sender, (message, join), now) {
                Ok(Seated::Again { was_missed: true }) => self.announce(context, rng, outputs),
                Ok(Seated::Again { .. }) => {
                    self.announce_to(vec![sender.did.clone()], false, context, rng, outputs);
                }
                Ok(Seated::Anew(events)) => {
                    outputs.extend(events.into_iter().map(Output::Event));
                    self.announce(context, rng, outputs);
                }
                Ok(Seated::Applies(applying)) => {
                    outputs.push_back(Output::Event(Event::Asks(applying)));
                    self.let_wait(&sender.did, true, context, rng, outputs);
                }
                Ok(Seated::Waits { is_kept }) => self.let_wait(&sender.did, is_kept, context, rng, outputs),
                Err((code, comment)) => {
                    let event =
                        credentials::refusal_event(sender, message, (code, comment), &context.evidence);
                    let is_new =
                        self.refused.len() < MAX_MOVERS && self.refused.insert((sender.did.clone(), comment));
                    outputs.extend(event.filter(|_| is_new).map(Output::Event));
                    outputs.push_back(refuse(&sender.did, message, code, comment, rng));
                }
            }
        } else if Leave::try_from(message).is_ok() {
            match self.position(&sender.did) {
                Some(at) => self.free(at, context, rng, outputs),
                None => outputs.extend(self.door.leaves(&sender.did).map(Event::Withdrew).map(Output::Event)),
            }
        }
    }

    /// We are back at our mediator. Whoever it does not know is reported to us when we write.
    pub(in crate::core::room) fn mediator_back(
        &mut self,
        context: Context<'_>,
        now: Instant,
        rng: &mut impl CryptoRng,
        outputs: &mut VecDeque<Output>,
    ) {
        self.settle = Some(now + SETTLE);
        self.announce(context, rng, outputs);
    }

    /// The mediator does not know this guest.
    pub(in crate::core::room) fn unregistered(
        &mut self,
        did: &str,
        context: Context<'_>,
        now: Instant,
        rng: &mut impl CryptoRng,
        outputs: &mut VecDeque<Output>,
    ) {
        if self.position(did).is_some() && self.away.lost(did, now) {
            self.tell_who_is_away(context, rng, outputs);
        }
    }

    /// Tells the guests of a full room that it waits for somebody.
    fn tell_who_is_away(
        &self,
        context: Context<'_>,
        rng: &mut impl CryptoRng,
        outputs: &mut VecDeque<Output>,
    ) {
        if self.is_full() {
            self.announce(context, rng, outputs);
        }
    }

    pub(in crate::core::room) fn deadline(&self) -> Option<Instant> {
        [self.away.deadline(), self.settle, self.door.deadline()].into_iter().flatten().min()
    }

    /// Frees the seats of guests that did not come back.
    pub(in crate::core::room) fn check_deadlines(
        &mut self,
        context: Context<'_>,
        now: Instant,
        rng: &mut impl CryptoRng,
        outputs: &mut VecDeque<Output>,
    ) {
        self.settle.take_if(|until| *until <= now);
        while let Some(applying) = self.door.forget_silent(now) {
            outputs.push_back(Output::Event(Event::Withdrew(applying)));
        }
        if self.away.note_silent(now) {
            self.tell_who_is_away(context, rng, outputs);
        }
        while let Some(did) = self.away.take_late(now) {
            if let Some(at) = self.position(&did) {
                self.free(at, context, rng, outputs);
            }
        }
    }

    fn free(
        &mut self,
        at: usize,
        context: Context<'_>,
        rng: &mut impl CryptoRng,
        outputs: &mut VecDeque<Output>,
    ) {
        let Party { name, did, identity, .. } = self.parties.remove(at).party;
        self.away.remove(&did);
        self.signers.remove(&identity);
        self.has_changed = true;
        outputs.push_back(Output::Event(Event::Left { name }));
        self.announce(context, rng, outputs);
    }

    /// Takes a seat back, and gives its holder none any more (RM-82).
    pub(in crate::core::room) fn kick(
        &mut self,
        index: usize,
        context: Context<'_>,
        rng: &mut impl CryptoRng,
        outputs: &mut VecDeque<Output>,
    ) {
        let Some(party) = self.all().nth(index).filter(|_| index > 0).cloned() else { return };
        let words = Leave { code: leave::KICKED.to_owned(), comment: None, exit_code: None };
        let message = words.message(new_id(rng)).pthid(context.invitation.room());
        outputs.push_back(Output::send(party.kid, message));
        drop(self.door.turn_away(&party.identity));
        if self.unwanted.len() < MAX_MOVERS {
            self.unwanted.insert(party.identity);
        }
        self.free(index, context, rng, outputs);
    }

    /// Those who are there are all (RM-83). One alone is no room.
    pub(in crate::core::room) fn close_to_others(&mut self) {
        self.seats = self.parties.len().max(2);
        self.has_changed = true;
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Party> {
        self.parties.iter().map(|occupant| &occupant.party)
    }

    /// Our own program may have changed: compares everybody with it once more, and tells them.
    pub(in crate::core::room) fn compare_again(
        &mut self,
        context: Context<'_>,
        rng: &mut impl CryptoRng,
        outputs: &mut VecDeque<Output>,
    ) {
        let member = context.member;
        for (at, occupant) in self.parties.iter_mut().enumerate() {
            if at == 0 {
                occupant.party.program = agreement::kind(member.manifest.as_ref());
            } else {
                let index = shown_index(context, at, &occupant.party.identity);
                outputs.extend(occupant.compare(member, index, self.seats).into_iter().map(Output::Event));
                occupant.has_ended |= !occupant.found.agrees();
            }
        }
        self.has_changed = true;
        self.announce(context, rng, outputs);
    }

    pub(super) fn announce(
        &self,
        context: Context<'_>,
        rng: &mut impl CryptoRng,
        outputs: &mut VecDeque<Output>,
    ) {
        let guests = self.guests().into_iter().filter(|did| !self.away.has(did)).collect();
        self.announce_to(guests, false, context, rng, outputs);
    }

    /// Tells them who has a seat; `again` wants to hear that they are there (RM-102).
    pub(super) fn announce_to(
        &self,
        guests: Vec<String>,
        again: bool,
        Context { member, invitation, .. }: Context<'_>,
        rng: &mut impl CryptoRng,
        outputs: &mut VecDeque<Output>,
    ) {
        let seats = u32::try_from(self.seats).unwrap_or(u32::MAX);
        let differs = self.parties.iter().enumerate().filter(|(_, occupant)| !occupant.found.agrees());
        let differs = differs.map(|(at, occupant)| Differs {
            index: u32::try_from(at).unwrap_or(u32::MAX),
            items: occupant.found.differences.iter().map(|one| one.item.clone()).collect(),
        });
        let away = (0..).zip(self.all()).filter(|(_, party)| self.away.is_missed(&party.did));
        let body = Seats {
            seats,
            names: self.all().map(|party| party.name.clone()).collect(),
            manifest: agreement::tell(member.manifest.as_ref()),
            differs: differs.collect(),
            away: away.map(|(index, _)| index).collect(),
            again,
            pending: false,
        };
        for did in guests {
            let key = self.all().find(|party| party.did == did).map(|party| party.kid.clone());
            let to = key.unwrap_or(did);
            outputs.push_back(Output::send(to, body.message(new_id(rng)).pthid(invitation.room())));
        }
    }

    /// Writes the roster of the full room, whose circuits meet at the mediator `relay`.
    pub(in crate::core::room) fn close(
        &mut self,
        Context { member: host, invitation, documents, evidence }: Context<'_>,
        relay: &str,
        now: u64,
    ) -> Result<Roster, Failure> {
        let occupants = std::mem::take(&mut self.parties);
        let (mut parties, mut texts) = (Vec::new(), Vec::new());
        for (index, Occupant { party, credential, .. }) in occupants.into_iter().enumerate() {
            let credential = credential.filter(|_| !evidence.issuers.is_empty());
            parties.push(Party { index, credential: credentials::named(credential.as_deref()), ..party });
            texts.push(credential.unwrap_or_default());
        }
        if let Some(party) = parties.first_mut() {
            party.link = host.identity.link(&host.connection, invitation.created().unwrap_or(0));
        }
        let threshold = host.threshold.unwrap_or(ThresholdRule::Default).among(self.seats);
        let body = RosterBody {
            v: 1,
            room: invitation.room().to_owned(),
            invitation: URL_SAFE_NO_PAD.encode(invitation.hash()),
            round: self.round + 1,
            m: self.seats,
            threshold,
            manifest: host.manifest.clone(),
            relay: relay.to_owned(),
            require_issuer: invitation.issuers().to_vec(),
            parties,
        };
        let roster = Roster::write(body, documents)
            .map_err(|error| Failure::new(Kind::Other, format!("no roster can be written: {error}")))?;
        credentials::admit(roster, texts, &evidence, now, Rule::Seated)
    }

    pub(in crate::core::room) fn expired(&self, host: &Member) -> Failure {
        if let Some(Listing { list, .. }) = host.list.as_ref().filter(|_| !self.is_full()) {
            let is_there = |did: &str| self.is_seated(did);
            let missing = (0..).zip(list.parties()).filter(|(_, party)| !is_there(&party.did));
            return too_late(&missing.map(|(index, _)| list.called(index)).collect::<Vec<_>>().join(", "));
        }
        let missing = self.missing();
        let differs = self.parties.iter().filter(|occupant| !occupant.found.agrees());
        let differs: Vec<_> = differs.map(|occupant| occupant.party.name.clone()).collect();
        let why = match (missing, differs.is_empty()) {
            (0, false) => format!("{} would run something else", differs.join(", ")),
            _ => format!("{missing} of {} seats were free", self.seats),
        };
        Failure::new(Kind::NotReady, format!("the invitation expired while {why}"))
            .hint("run `didagent invite` again; --expires gives people more time")
    }
}
