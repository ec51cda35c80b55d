//! The lobby: seats are taken in the order of the joins; the host closes it with a roster.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use didagent_didcomm::envelope::Authenticated;
use didagent_didcomm::link;
use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::report_problem::ProblemReport;
use didagent_didcomm::protocols::room::{Join, Leave, Roster as RosterMessage, Seats, refusal};
use didagent_didcomm::protocols::{Body as _, Digest32};
use rand_core::CryptoRng;

use super::roster::{Expected, MAX_PARTIES, Party, Roster, RosterBody, RosterError, RosterIn, is_showable};
use super::{Event, HOST_ANSWER, Member, Now, Output, Seat, ThresholdRule, describe_leave};
use crate::core::connect::showable;
use crate::core::invite::{Invitation, new_id};
use crate::failure::{Failure, Kind};

/// How long a guest that its mediator does not know keeps its seat (RM-72). The mediator was restarted, and a guest that
/// still runs comes back within seconds.
const AWAY: Duration = Duration::from_secs(30);

/// How long a host that is back at its mediator does not close the room (RM-72): it hears meanwhile which guests the
/// mediator does not know yet.
const SETTLE: Duration = Duration::from_secs(2);

/// How long a guest asks again when the host's mediator does not know the host (RM-71). A host that still runs comes back
/// within seconds of a restart.
const HOST_AWAY: Duration = Duration::from_secs(15);

/// Pause before a guest asks again whose host was not known.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// How often a guest asks whether the host is still there, and how often in vain until it gives up (RM-19): a host that was
/// killed says nothing. A laptop may be closed for a moment, and its mail then waits at the mediator.
pub(super) const ASK_EVERY: Duration = Duration::from_secs(60);
pub(super) const MAX_UNANSWERED: u32 = 5;

/// The host's side: who has a seat.
#[derive(Debug)]
pub(super) struct HostLobby {
    seats: usize,
    parties: Vec<Party>,
    /// Guests, by their DID, that their mediator did not know, and until when they keep their seats.
    away: BTreeMap<String, Instant>,
    /// Until then the room is not closed.
    settle: Option<Instant>,
}

/// What came of a request for a seat.
enum Seated {
    /// It has just what it had: a guest that asks whether we are still there.
    Again,
    /// Who sits where has changed.
    Anew(Option<Event>),
}

impl HostLobby {
    pub(super) fn new(host: &Member, seats: usize) -> Self {
        let party = Party {
            index: 0,
            name: host.name.clone(),
            identity: host.identity.did().to_owned(),
            did: host.connection.did.clone(),
            kid: host.connection.kid.clone(),
            link: String::new(),
        };
        Self { seats, parties: vec![party], away: BTreeMap::new(), settle: None }
    }

    /// Says whether the room can be closed: every seat is taken by somebody who is there.
    pub(super) fn is_complete(&self, now: Instant) -> bool {
        self.is_full() && self.away.is_empty() && self.settle.is_none_or(|until| until <= now)
    }

    fn is_full(&self) -> bool {
        self.parties.len() == self.seats
    }

    pub(super) fn missing(&self) -> usize {
        self.seats - self.parties.len()
    }

    pub(super) fn capacity(&self) -> usize {
        self.seats
    }

    pub(super) fn taken(&self) -> Vec<Seat> {
        let seat = |(index, party): (usize, &Party)| Seat {
            index,
            name: party.name.clone(),
            identity: Some(party.identity.clone()),
            did: Some(party.did.clone()),
            is_us: index == 0,
        };
        self.parties.iter().enumerate().map(seat).collect()
    }

    pub(super) fn guests(&self) -> Vec<String> {
        self.parties.iter().skip(1).map(|party| party.did.clone()).collect()
    }

    pub(super) fn message(
        &mut self,
        invitation: &Invitation,
        sender: &Authenticated,
        message: &Message,
        now: Now,
        rng: &mut impl CryptoRng,
        outputs: &mut VecDeque<Output>,
    ) {
        if let Ok(join) = Join::try_from(message) {
            match self.seat(invitation, sender, &join, now) {
                Ok(Seated::Again) => self.announce_to(vec![sender.did.clone()], invitation, rng, outputs),
                Ok(Seated::Anew(event)) => {
                    outputs.extend(event.map(Output::Event));
                    self.announce(invitation, rng, outputs);
                }
                Err((code, comment)) => outputs.push_back(refuse(sender, message, code, comment, rng)),
            }
        } else if Leave::try_from(message).is_ok()
            && let Some(at) = self.parties.iter().skip(1).position(|party| party.did == sender.did)
        {
            self.free(at + 1, invitation, rng, outputs);
        }
    }

    /// We are back at our mediator. Whoever it does not know is reported to us when we write.
    pub(super) fn mediator_back(
        &mut self,
        invitation: &Invitation,
        now: Instant,
        rng: &mut impl CryptoRng,
        outputs: &mut VecDeque<Output>,
    ) {
        self.settle = Some(now + SETTLE);
        self.announce(invitation, rng, outputs);
    }

    /// The mediator does not know this guest.
    pub(super) fn unregistered(&mut self, did: &str, now: Instant) {
        if self.guests().iter().any(|guest| guest == did) {
            self.away.entry(did.to_owned()).or_insert(now + AWAY);
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.away.values().copied().chain(self.settle).min()
    }

    /// Frees the seats of guests that did not come back.
    pub(super) fn check_deadlines(
        &mut self,
        invitation: &Invitation,
        now: Instant,
        rng: &mut impl CryptoRng,
        outputs: &mut VecDeque<Output>,
    ) {
        self.settle.take_if(|until| *until <= now);
        while let Some(did) = self.away.iter().find(|(_, until)| **until <= now).map(|(did, _)| did.clone()) {
            self.away.remove(&did);
            if let Some(at) = self.parties.iter().skip(1).position(|party| party.did == did) {
                self.free(at + 1, invitation, rng, outputs);
            }
        }
    }

    fn free(
        &mut self,
        at: usize,
        invitation: &Invitation,
        rng: &mut impl CryptoRng,
        outputs: &mut VecDeque<Output>,
    ) {
        let Party { name, did, .. } = self.parties.remove(at);
        self.away.remove(&did);
        outputs.push_back(Output::Event(Event::Left { name }));
        self.announce(invitation, rng, outputs);
    }

    /// Gives the sender a seat, or says why not.
    fn seat(
        &mut self,
        invitation: &Invitation,
        sender: &Authenticated,
        join: &Join,
        now: Now,
    ) -> Result<Seated, (&'static str, &'static str)> {
        if join.invitation_hash != Digest32(*invitation.hash()) {
            return Err((refusal::UNKNOWN, "this is not the invitation that the host sent"));
        }
        if invitation.is_expired(now.unix) {
            return Err((refusal::EXPIRED, "the invitation has expired"));
        }
        if !is_showable(&join.name) {
            return Err((refusal::DENIED, "the name is empty, too long, or has control characters"));
        }
        let Ok(verified) = link::verify(&join.link, &sender.did) else {
            return Err((refusal::DENIED, "the link between identity and DID does not verify"));
        };
        let party = Party {
            index: 0,
            name: join.name.clone(),
            identity: verified.identity,
            did: sender.did.clone(),
            kid: sender.kid.clone(),
            link: join.link.clone(),
        };
        if self.parties.iter().any(|seat| seat.did == party.did && seat.identity != party.identity) {
            return Err((refusal::DUPLICATE, "this DID already has a seat"));
        }
        // The same party again: its command was restarted, perhaps with another mediator. It keeps its seat.
        if let Some(seat) = self.parties.iter_mut().skip(1).find(|seat| seat.identity == party.identity) {
            self.away.remove(&seat.did);
            let is_there = (&seat.did, &seat.kid, &seat.name) == (&party.did, &party.kid, &party.name);
            *seat = party;
            return Ok(if is_there { Seated::Again } else { Seated::Anew(None) });
        }
        if self.parties.iter().any(|seat| seat.identity == party.identity) {
            return Err((refusal::DUPLICATE, "this identity already has a seat"));
        }
        if self.is_full() {
            return Err((refusal::FULL, "the room is full"));
        }
        let event = Event::Joined {
            index: self.parties.len(),
            name: party.name.clone(),
            identity: party.identity.clone(),
        };
        self.parties.push(party);
        Ok(Seated::Anew(Some(event)))
    }

    fn announce(&self, invitation: &Invitation, rng: &mut impl CryptoRng, outputs: &mut VecDeque<Output>) {
        let guests = self.guests().into_iter().filter(|did| !self.away.contains_key(did)).collect();
        self.announce_to(guests, invitation, rng, outputs);
    }

    fn announce_to(
        &self,
        guests: Vec<String>,
        invitation: &Invitation,
        rng: &mut impl CryptoRng,
        outputs: &mut VecDeque<Output>,
    ) {
        let seats = u32::try_from(self.seats).unwrap_or(u32::MAX);
        let body = Seats { seats, names: self.parties.iter().map(|party| party.name.clone()).collect() };
        for to in guests {
            outputs.push_back(Output::send(to, body.message(new_id(rng)).pthid(invitation.room())));
        }
    }

    /// Writes the roster of the full room.
    pub(super) fn close(&mut self, host: &Member, invitation: &Invitation) -> Result<Roster, Failure> {
        let mut parties = std::mem::take(&mut self.parties);
        for (index, party) in parties.iter_mut().enumerate() {
            party.index = index;
        }
        if let Some(party) = parties.first_mut() {
            party.link = host.identity.link(&host.connection, invitation.created().unwrap_or(0));
        }
        let threshold = host.threshold.unwrap_or(ThresholdRule::Default).among(self.seats);
        Roster::write(RosterBody {
            v: 1,
            room: invitation.room().to_owned(),
            invitation: URL_SAFE_NO_PAD.encode(invitation.hash()),
            round: 1,
            m: self.seats,
            threshold,
            relay: invitation.mediator().to_owned(),
            parties,
        })
        .map_err(|error| Failure::new(Kind::Other, format!("no roster can be written: {error}")))
    }

    pub(super) fn expired(&self) -> Failure {
        let missing = self.missing();
        Failure::new(
            Kind::NotReady,
            format!("the invitation expired while {missing} of {} seats were free", self.seats),
        )
        .hint("run `didagent invite` again; --expires gives people more time")
    }
}

/// Sends the signed roster to every guest.
pub(super) fn send_roster(
    roster: &Roster,
    host: &Member,
    room: &str,
    rng: &mut impl CryptoRng,
    outputs: &mut VecDeque<Output>,
) {
    let body =
        RosterMessage { roster: roster.bytes().to_vec(), signature: roster.sign(&host.identity).to_vec() };
    for party in roster.body().parties.iter().skip(1) {
        let message = body.message(new_id(rng)).pthid(room);
        outputs.push_back(Output::send(party.did.clone(), message));
    }
}

/// Answers a `join` that comes after the room was closed, and says whether it was one. A party of the room that asked again
/// after an outage gets its answer with the roster.
pub(super) fn refuse_late_join(
    roster: &Roster,
    sender: &Authenticated,
    message: &Message,
    rng: &mut impl CryptoRng,
    outputs: &mut VecDeque<Output>,
) -> bool {
    let is_join = Join::try_from(message).is_ok();
    if is_join && roster.party_of(&sender.did).is_none() {
        outputs.push_back(refuse(sender, message, refusal::FULL, "the room is full", rng));
    }
    is_join
}

fn refuse(
    sender: &Authenticated,
    message: &Message,
    code: &str,
    comment: &str,
    rng: &mut impl CryptoRng,
) -> Output {
    let report = ProblemReport::new(code, comment).report(new_id(rng), message);
    Output::Refuse { to: sender.did.clone(), message: Box::new(report) }
}

/// What the guest's lobby made of a message.
pub(super) enum Guest {
    /// It was for the lobby.
    Taken,
    /// It belongs to a later phase, or to nobody.
    NotOurs,
}

/// Who has a seat, as the host says.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    seats: usize,
    names: Vec<String>,
}

/// A guest's side: waiting for the roster.
#[derive(Debug)]
pub(super) struct GuestLobby {
    thid: String,
    answer_by: Option<Instant>,
    /// When to ask again: soon if the host's mediator did not know the host, else to hear that it is still there.
    ask_at: Option<Instant>,
    /// Questions since the host was last heard. They are counted, not minutes, since either machine may sleep.
    unanswered: u32,
    /// Until when the host's mediator may not know the host.
    away_by: Option<Instant>,
    /// What the host said last.
    told: Option<Box<Told>>,
    roster: Option<Roster>,
}

impl GuestLobby {
    pub(super) fn join(
        member: &Member,
        invitation: &Invitation,
        now: Now,
        rng: &mut impl CryptoRng,
    ) -> (Self, Message) {
        let mut lobby = Self {
            thid: String::new(),
            answer_by: None,
            ask_at: None,
            unanswered: 0,
            away_by: None,
            told: None,
            roster: None,
        };
        let message = lobby.ask(member, invitation, now, rng);
        lobby.expect_answer(now.instant);
        (lobby, message)
    }

    /// Asks for a seat, or once more for the one that we may have (RM-12).
    pub(super) fn ask(
        &mut self,
        member: &Member,
        invitation: &Invitation,
        now: Now,
        rng: &mut impl CryptoRng,
    ) -> Message {
        // A new id each time: an id counts once (RM-17), and the host must answer.
        self.thid = new_id(rng);
        self.ask_at = Some(now.instant + ASK_EVERY);
        self.unanswered += 1;
        let join = Join {
            name: member.name.clone(),
            link: member.identity.link(&member.connection, now.unix),
            invitation_hash: Digest32(*invitation.hash()),
        };
        join.message(self.thid.clone()).pthid(invitation.room())
    }

    /// The host must answer soon: it has not done so yet, or something is just being put right.
    pub(super) fn expect_answer(&mut self, now: Instant) {
        self.answer_by = Some(now + HOST_ANSWER);
    }

    /// The connection to our mediator is gone: until it is back, no answer can come.
    pub(super) fn mediator_lost(&mut self) {
        (self.answer_by, self.ask_at, self.away_by) = (None, None, None);
    }

    /// The host's mediator does not know the host: it was restarted and the host is not back yet, or the host has gone.
    pub(super) fn host_unregistered(&mut self, now: Instant) -> Result<(), Failure> {
        let by = *self.away_by.get_or_insert(now + HOST_AWAY);
        if by <= now {
            return Err(Failure::new(
                Kind::HostSilent,
                "the host is not at its mediator: its `didagent invite` has ended",
            )
            .hint("ask the host for a new invitation"));
        }
        self.answer_by = None;
        self.unanswered = 0;
        self.ask_at = Some(now + ASK_AGAIN);
        Ok(())
    }

    /// Says whether it is time to ask again.
    pub(super) fn asks_again(&self, now: Instant) -> bool {
        self.ask_at.is_some_and(|at| at <= now)
    }

    /// Says whether the host's mediator did not know the host when we last wrote.
    pub(super) fn host_is_away(&self) -> bool {
        self.away_by.is_some()
    }

    fn answered(&mut self, now: Instant) {
        (self.answer_by, self.away_by) = (None, None);
        self.ask_at = Some(now + ASK_EVERY);
    }

    pub(super) fn message(
        &mut self,
        member: &Member,
        invitation: &Invitation,
        sender: &Authenticated,
        message: &Message,
        now: Instant,
        outputs: &mut VecDeque<Output>,
    ) -> Result<Guest, Failure> {
        if sender.did != invitation.host() {
            return Ok(Guest::NotOurs);
        }
        self.unanswered = 0;
        if let Ok(seats) = Seats::try_from(message) {
            self.answered(now);
            let names: Vec<_> = seats.names.iter().map(|name| showable(name)).collect();
            let seats = usize::try_from(seats.seats).unwrap_or(usize::MAX);
            // More than a room can have tell nothing.
            let taken = names.iter().take(MAX_PARTIES).cloned().collect();
            let told = Some(Box::new(Told { seats: seats.min(MAX_PARTIES), names: taken }));
            if self.told != told {
                self.told = told;
                outputs.push_back(Output::Event(Event::Seats { seats, names }));
            }
        } else if let Ok(roster) = RosterMessage::try_from(message) {
            self.answered(now);
            self.roster = Some(verify(member, invitation, roster)?);
        } else if let Ok(report) = ProblemReport::try_from(message) {
            if self.is_refused_by(message) && report.is_error() {
                let comment = showable(&report.text());
                return Err(Failure::new(Kind::RoomRefused, format!("the host refused: {comment}"))
                    .hint("ask the host for a new invitation"));
            }
        } else if let Ok(body) = Leave::try_from(message) {
            return Err(Failure::new(Kind::PeerLost, describe_leave("the host", &body))
                .hint("ask the host for a new invitation"));
        } else {
            return Ok(Guest::NotOurs);
        }
        Ok(Guest::Taken)
    }

    /// Says whether a message is in the thread that a refusal of our `join` would be in.
    pub(super) fn is_refused_by(&self, message: &Message) -> bool {
        message.pthid.as_deref() == Some(&self.thid)
    }

    pub(super) fn capacity(&self) -> Option<usize> {
        self.told.as_ref().map(|told| told.seats)
    }

    pub(super) fn taken(&self, member: &Member, host: &str) -> Vec<Seat> {
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

    pub(super) fn take_roster(&mut self) -> Option<Roster> {
        self.roster.take()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.answer_by.into_iter().chain(self.ask_at).min()
    }

    pub(super) fn late(&self, now: Now) -> Option<Failure> {
        if self.asks_again(now.instant) && self.unanswered >= MAX_UNANSWERED {
            let minutes = u64::from(MAX_UNANSWERED) * ASK_EVERY.as_secs() / 60;
            let why = "its command has ended, or its machine sleeps";
            let message = format!("nothing was heard of the host for {minutes} minutes: {why}");
            return Some(Failure::new(Kind::HostSilent, message).hint("ask the host for a new invitation"));
        }
        self.answer_by.filter(|deadline| *deadline <= now.instant).map(|_| {
            let seconds = HOST_ANSWER.as_secs();
            Failure::new(Kind::HostSilent, format!("the host did not answer within {seconds} s"))
                .hint("ask the host whether `didagent invite` still runs, then join again with the same link")
        })
    }
}

fn verify(member: &Member, invitation: &Invitation, message: RosterMessage) -> Result<Roster, Failure> {
    let refused = |why: &dyn std::fmt::Display| {
        Failure::new(Kind::RosterRefused, format!("the host's roster is refused: {why}"))
    };
    let signature =
        <[u8; 64]>::try_from(message.signature).map_err(|_| refused(&"its signature is not 64 bytes"))?;
    let roster = RosterIn::new(message.roster);
    let m = roster.claimed_parties();
    let expected = Expected {
        room: invitation.room(),
        invitation: invitation.hash(),
        host: invitation.host(),
        mediator: invitation.mediator(),
        identity: member.identity.did(),
        did: &member.connection.did,
        threshold: member.threshold.map(|rule| rule.among(m)),
    };
    roster.verify(&expected, &signature).map_err(|error| match error {
        RosterError::Threshold { host, ours } => Failure::new(
            Kind::Agreement,
            format!("threshold differs: party 0 (the host) runs with {host}, this party with {ours}"),
        )
        .hint("give the same -T to the program at every party"),
        error => refused(&error),
    })
}
