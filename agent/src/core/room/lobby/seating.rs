//! Who gets a seat, and why somebody gets none.
//!
//! Specification: `spec/room.md`, section 2.

use didagent_bridge::manifest::{Comparison, Manifest};
use didagent_didcomm::envelope::Authenticated;
use didagent_didcomm::link::{self, LinkError};
use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::Digest32;
use didagent_didcomm::protocols::room::{Join, refusal};

use super::door::Answer;
use super::host::{Context, HostLobby, MAX_MOVERS};
use super::occupant::Occupant;
use crate::core::credential::{Evidence, Rule, check_length};
use crate::core::post;
use crate::core::room::lookup::is_passing;
use crate::core::room::roster::{Party, is_showable};
use crate::core::room::{Applying, Event, Listing, Member, Now, agreement, credentials};

/// How often somebody may come back with another DID, which means another mediator: each time one more is dialled.
const MAX_MOVES: u32 = 8;

/// What came of a request for a seat.
pub(super) enum Seated {
    /// It has just what it had: a guest that asks whether we are still there.
    Again {
        /// The others of a full room were told that it is away.
        was_missed: bool,
    },
    /// Who sits where has changed.
    Anew(Vec<Event>),
    /// The host's person decides, and is told of it for the first time.
    Applies(Applying),
    /// The host's person decides; whether it is among those who are shown.
    Waits { is_kept: bool },
}

/// The code of a refusal (RM-13), and what it means.
pub(in crate::core::room) type Refusal = (&'static str, &'static str);

/// Somebody who asks, and whose request is in order.
#[derive(Debug)]
pub(super) struct Applicant {
    pub(super) party: Party,
    credential: Option<String>,
    manifest: Option<Manifest>,
    /// The key of its identity.
    pub(super) key: [u8; 32],
}

impl Applicant {
    /// Reads a request, without a look at who has a seat.
    fn read(
        Context { member, invitation, documents, evidence }: Context<'_>,
        sender: &Authenticated,
        join: Join,
        now: Now,
    ) -> Result<Self, Refusal> {
        if join.invitation_hash != Digest32(*invitation.hash()) {
            return Err((refusal::UNKNOWN, "this is not the invitation that the host sent"));
        }
        if invitation.is_expired(now.unix) {
            return Err((refusal::EXPIRED, "the invitation has expired"));
        }
        if !is_showable(&join.name) {
            return Err((refusal::DENIED, "the name is empty, too long, or has control characters"));
        }
        if let Some(claimed) = link::issuer(&join.link, &sender.did) {
            // These need no document, which may be away: nobody has looked for it if one of them is so.
            is_listed(member, &claimed)?;
            let judged = evidence.check(join.credential.as_deref(), &claimed, now.unix, Rule::Seated);
            judged.map_err(|fault| credentials::refused(&fault, &evidence))?;
        }
        let verified = link::verify_with(&join.link, &sender.did, documents)
            .map_err(|error| unproven(error, &join.link, &sender.did, &evidence))?;
        let Ok(manifest) = agreement::read(join.manifest) else {
            return Err((refusal::DENIED, "what its program is cannot be read"));
        };
        if post::check_reachable(&sender.did).is_err() {
            return Err((refusal::DENIED, "the DID names no mediator at which it can be written to"));
        }
        let party = Party {
            index: 0,
            name: join.name,
            identity: verified.identity,
            did: sender.did.clone(),
            kid: sender.kid.clone(),
            link: join.link,
            program: agreement::kind(manifest.as_ref()),
            commitment: join.commitment,
            confirm: join.confirm,
            credential: None,
        };
        let credential = join.credential.filter(|_| !evidence.issuers.is_empty());
        Ok(Self { party, credential, manifest, key: verified.key })
    }
}

impl HostLobby {
    /// Gives the sender a seat, or says why not.
    pub(super) fn seat(
        &mut self,
        context: Context<'_>,
        sender: &Authenticated,
        (message, join): (&Message, Join),
        now: Now,
    ) -> Result<Seated, Refusal> {
        let applicant = Applicant::read(context, sender, join, now)?;
        let party = &applicant.party;
        if self.unwanted.contains(&party.identity) {
            return Err((refusal::DENIED, "the host does not want this party in this room"));
        }
        let rule = if self.is_seated(&party.identity) { Rule::Seated } else { Rule::Now };
        let credential = applicant.credential.as_deref();
        let judged = context.evidence.check(credential, &party.identity, now.unix, rule);
        let judged = judged.and_then(|_| check_length(credential, self.seats));
        judged.map_err(|fault| credentials::refused(&fault, &context.evidence))?;
        // Somebody's did:key and did:web are one key, and one party.
        let taken = self.signers.iter().find(|(_, key)| **key == applicant.key);
        if taken.is_some_and(|(identity, _)| *identity != party.identity) {
            return Err((refusal::DUPLICATE, "this key already has a seat under another name"));
        }
        if self.all().any(|seat| seat.did == party.did && seat.identity != party.identity) {
            return Err((refusal::DUPLICATE, "this DID already has a seat"));
        }
        let seat = self.all().position(|seat| seat.identity == party.identity);
        is_listed(context.member, &party.identity)?;
        match seat {
            Some(0) => Err((refusal::DUPLICATE, "this identity already has a seat")),
            Some(at) => self.seat_again(at, applicant, context),
            None if self.is_full() => Err((refusal::FULL, "the room is full")),
            None => {
                let applying = Applying { name: party.name.clone(), identity: party.identity.clone() };
                Ok(match self.door.knock(applicant, message, now.instant) {
                    Answer::Open(applicant) => Seated::Anew(self.seat_anew(*applicant, context)),
                    Answer::Waits { is_news: true } => Seated::Applies(applying),
                    Answer::Waits { is_news: false } => Seated::Waits { is_kept: true },
                    Answer::Unseen => Seated::Waits { is_kept: false },
                })
            }
        }
    }

    /// The same party again: its command was restarted, perhaps with another mediator. It keeps its seat.
    fn seat_again(
        &mut self,
        at: usize,
        Applicant { party, credential, manifest, key }: Applicant,
        context: Context<'_>,
    ) -> Result<Seated, Refusal> {
        let seats = self.seats;
        let was_missed = self.is_full() && self.away.is_missed(&self.parties[at].party.did);
        let occupant = &mut self.parties[at];
        let seat = &mut occupant.party;
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
        let shown = |party: &Party| (party.kid.clone(), party.name.clone(), party.commitment);
        let is_there = shown(seat) == shown(&party) && occupant.manifest == manifest;
        self.signers.insert(party.identity.clone(), key);
        *seat = party;
        occupant.credential = credential;
        occupant.manifest = manifest;
        let is_there = is_there && !occupant.has_ended;
        let index = shown_index(context, at, &occupant.party.identity);
        let mut events = occupant.compare(context.member, index, seats);
        let agrees = occupant.found.agrees();
        self.has_changed |= !is_there;
        if std::mem::replace(&mut occupant.has_ended, !agrees) && agrees {
            events.push(Event::Fits { index, name: occupant.party.name.clone() });
        }
        Ok(if is_there { Seated::Again { was_missed } } else { Seated::Anew(events) })
    }

    pub(super) fn seat_anew(
        &mut self,
        Applicant { party, credential, manifest, key }: Applicant,
        context: Context<'_>,
    ) -> Vec<Event> {
        let at = self.place_of(context, &party.identity);
        let index = shown_index(context, at, &party.identity);
        let (name, identity) = (party.name.clone(), party.identity.clone());
        let mut events = vec![Event::Joined { index, name, identity }];
        let found = Comparison::default();
        let mut occupant = Occupant { party, credential, manifest, found, has_ended: false };
        events.extend(occupant.compare(context.member, index, self.seats));
        occupant.has_ended = !occupant.found.agrees();
        self.signers.insert(occupant.party.identity.clone(), key);
        self.parties.insert(at, occupant);
        self.has_changed = true;
        events
    }

    /// Returns at which place somebody new belongs: the last one, or where a list has it.
    fn place_of(&self, context: Context<'_>, identity: &str) -> usize {
        let Some(Listing { list, .. }) = &context.member.list else { return self.parties.len() };
        let index = list.index_of(identity);
        self.all().filter(|party| list.index_of(&party.identity) < index).count()
    }
}

/// Refuses whoever is not among parties that are known beforehand (RM-124).
fn is_listed(host: &Member, identity: &str) -> Result<(), Refusal> {
    let listing = host.list.as_ref();
    if listing.is_some_and(|listing| listing.list.index_of(identity).is_none()) {
        return Err((refusal::DENIED, "the host's list of parties does not name it"));
    }
    Ok(())
}

/// Says why a link proves nothing. If only a site is silent, that may pass.
fn unproven(error: LinkError, link: &str, did: &str, evidence: &Evidence<'_>) -> Refusal {
    match error {
        LinkError::NoDocument => {
            let failure = link::issuer(link, did).and_then(|identity| evidence.failures.get(&identity));
            let code = if is_passing(failure) { refusal::LATER } else { refusal::DENIED };
            (code, "the document of the identity, a did:web, cannot be had from here")
        }
        LinkError::UnlistedKey => {
            (refusal::DENIED, "the document of the identity, a did:web, does not list the key that signs")
        }
        _ => (refusal::DENIED, "the link between identity and DID does not verify"),
    }
}

/// Returns the index that people are shown: that of the list, or the one that follows from the order so far.
pub(super) fn shown_index(context: Context<'_>, at: usize, identity: &str) -> usize {
    context.member.list.as_ref().and_then(|listing| listing.list.index_of(identity)).unwrap_or(at)
}
