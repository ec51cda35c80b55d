//! The host's side of the lobby: who has a seat, who is away, when it closes.

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

use crate::core::invite::{Invitation, new_id};
use crate::core::room::roster::{Party, Roster, RosterBody, is_showable};
use crate::core::room::{Event, Member, Now, Output, Seat, ThresholdRule};
use crate::failure::{Failure, Kind};

/// How long a guest that its mediator does not know keeps its seat (RM-72). The mediator was restarted, and a guest that
/// still runs comes back within seconds.
const AWAY: Duration = Duration::from_secs(30);

/// How long a host that is back at its mediator does not close the room (RM-72): it hears meanwhile which guests the
/// mediator does not know yet.
const SETTLE: Duration = Duration::from_secs(2);

/// How often somebody may come back with another DID, which means another mediator: each time one more is dialled.
const MAX_MOVES: u32 = 8;

/// Identities of which that is counted: more than ever sit in a room.
const MAX_MOVERS: usize = 256;

/// The host's side: who has a seat.
#[derive(Debug)]
pub(in crate::core::room) struct HostLobby {
    seats: usize,
    parties: Vec<Party>,
    /// Guests, by their DID, that their mediator did not know, and until when they keep their seats.
    away: BTreeMap<String, Instant>,
    /// How often each identity has come with another DID than before.
    moves: BTreeMap<String, u32>,
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
    pub(in crate::core::room) fn new(host: &Member, seats: usize) -> Self {
        let party = Party {
            index: 0,
            name: host.name.clone(),
            identity: host.identity.did().to_owned(),
            did: host.connection.did.clone(),
            kid: host.connection.kid.clone(),
            link: String::new(),
        };
        Self { seats, parties: vec![party], away: BTreeMap::new(), moves: BTreeMap::new(), settle: None }
    }

    /// Says whether the room can be closed: every seat is taken by somebody who is there.
    pub(in crate::core::room) fn is_complete(&self, now: Instant) -> bool {
        self.is_full() && self.away.is_empty() && self.settle.is_none_or(|until| until <= now)
    }

    fn is_full(&self) -> bool {
        self.parties.len() == self.seats
    }

    pub(in crate::core::room) fn missing(&self) -> usize {
        self.seats - self.parties.len()
    }

    pub(in crate::core::room) fn capacity(&self) -> usize {
        self.seats
    }

    pub(in crate::core::room) fn taken(&self) -> Vec<Seat> {
        let seat = |(index, party): (usize, &Party)| Seat {
            index,
            name: party.name.clone(),
            identity: Some(party.identity.clone()),
            did: Some(party.did.clone()),
            is_us: index == 0,
        };
        self.parties.iter().enumerate().map(seat).collect()
    }

    pub(in crate::core::room) fn guests(&self) -> Vec<String> {
        self.parties.iter().skip(1).map(|party| party.did.clone()).collect()
    }

    pub(in crate::core::room) fn message(
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
    pub(in crate::core::room) fn mediator_back(
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
    pub(in crate::core::room) fn unregistered(&mut self, did: &str, now: Instant) {
        if self.guests().iter().any(|guest| guest == did) {
            self.away.entry(did.to_owned()).or_insert(now + AWAY);
        }
    }

    pub(in crate::core::room) fn deadline(&self) -> Option<Instant> {
        self.away.values().copied().chain(self.settle).min()
    }

    /// Frees the seats of guests that did not come back.
    pub(in crate::core::room) fn check_deadlines(
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
            if seat.did != party.did {
                if self.moves.len() >= MAX_MOVERS && !self.moves.contains_key(&party.identity) {
                    return Err((refusal::DENIED, "too many parties have moved to other mediators"));
                }
                let moves = self.moves.entry(party.identity.clone()).or_default();
                if *moves >= MAX_MOVES {
                    return Err((refusal::DENIED, "this identity has moved to other mediators too often"));
                }
                *moves += 1;
            }
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
        for did in guests {
            let key = self.parties.iter().find(|party| party.did == did).map(|party| party.kid.clone());
            let to = key.unwrap_or(did);
            outputs.push_back(Output::send(to, body.message(new_id(rng)).pthid(invitation.room())));
        }
    }

    /// Writes the roster of the full room.
    pub(in crate::core::room) fn close(
        &mut self,
        host: &Member,
        invitation: &Invitation,
    ) -> Result<Roster, Failure> {
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

    pub(in crate::core::room) fn expired(&self) -> Failure {
        let missing = self.missing();
        Failure::new(
            Kind::NotReady,
            format!("the invitation expired while {missing} of {} seats were free", self.seats),
        )
        .hint("run `didagent invite` again; --expires gives people more time")
    }
}

/// Sends the signed roster to every guest.
pub(in crate::core::room) fn send_roster(
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
        outputs.push_back(Output::send(party.kid.clone(), message));
    }
}

/// Answers a `join` that comes after the room was closed, and says whether it was one. A party of the room that asked again
/// after an outage gets its answer with the roster.
pub(in crate::core::room) fn refuse_late_join(
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
