//! Confirming: everybody is ready and sees the words; nothing starts before those who asked for it said that theirs are the same.
//!
//! Specification: `spec/room.md`, RM-91 to RM-95.
//!
//! ```text
//! party with `confirm`                     every other party
//!   person says yes:  confirmed  ------------->
//!   person says no:   leave words-refused ---->
//!                     <-------------  ready        every 10 s, from whoever still waits for it
//!                     confirmed  ------------->    once more
//! ```
//!
//! Not its concern: how a person is asked (`io::engine`, `cli`), what the words are made of (`words`).

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use didagent_didcomm::envelope::Authenticated;
use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::room::{Confirmed, Leave, Ready};
use didagent_didcomm::protocols::session::Propose;
use didagent_didcomm::protocols::{Body as _, Digest32};
use rand_core::CryptoRng;

use super::forming::{Forming, LAST_WORDS, ready_of};
use super::roster::{Party, Roster};
use super::{Assent, Event, Member, Output, Phase, Room, describe, keys_of_others, leave};
use crate::core::invite::new_id;
use crate::failure::{Failure, Kind};

/// How long a party waits for the persons of others: as long as the most patient one may take (RM-94), and a little for the news.
const LONGEST: Duration = Duration::from_secs(3660);

/// Pause before a party is asked again whose confirmation did not come: it may have been lost with a mediator (RM-95).
const ASK_AGAIN: Duration = Duration::from_secs(10);

/// A room whose parties are ready and whose words are not confirmed by all who asked for it.
#[derive(Debug)]
pub(super) struct Confirming {
    roster: Roster,
    ours: usize,
    words: Vec<&'static str>,
    assents: Vec<Assent>,
    /// Parties that said that their words are the same.
    confirmed: BTreeSet<usize>,
    /// Until when our own person may take its time.
    ours_by: Option<Instant>,
    /// Until when others' may.
    others_by: Instant,
    ask_at: Instant,
    /// A party whose session ended, and until when it may say why.
    trouble: Option<(Instant, Failure)>,
}

impl Confirming {
    /// Begins if anybody wants to compare the words first; `limit` is how long our own person may take, if it does.
    pub(super) fn begin(forming: &Forming, limit: Option<Duration>, now: Instant) -> Option<Self> {
        let roster = forming.roster();
        if !roster.body().parties.iter().any(|party| party.confirm) {
            return None;
        }
        Some(Self {
            roster: roster.clone(),
            ours: forming.ours(),
            words: forming.words(),
            assents: forming.assents(),
            confirmed: forming.confirmed().clone(),
            ours_by: limit.map(|limit| now + limit),
            others_by: now + LONGEST,
            ask_at: now + ASK_AGAIN,
            trouble: None,
        })
    }

    pub(super) fn roster(&self) -> &Roster {
        &self.roster
    }

    pub(super) fn words(&self) -> &[&'static str] {
        &self.words
    }

    pub(super) fn assents(&self) -> &[Assent] {
        &self.assents
    }

    /// Returns for whom is waited, in order of the index.
    pub(super) fn waiting(&self) -> Vec<usize> {
        let parties = self.roster.body().parties.iter().filter(|party| party.confirm);
        parties.map(|party| party.index).filter(|index| !self.confirmed.contains(index)).collect()
    }

    /// Says whether our own person is still to answer.
    pub(super) fn waits_for_us(&self) -> bool {
        self.waiting().contains(&self.ours)
    }

    pub(super) fn is_complete(&self) -> bool {
        self.trouble.is_none() && self.waiting().is_empty()
    }

    /// Our person has compared the words.
    pub(super) fn answer(
        &mut self,
        same: bool,
        (member, room): (&Member, &str),
        rng: &mut impl CryptoRng,
        outputs: &mut VecDeque<Output>,
    ) -> Result<(), Failure> {
        if !self.waits_for_us() {
            return Ok(());
        }
        if !same {
            return Err(Failure::new(Kind::WordsRefused, leave::SAID_NO)
                .hint("begin anew, and tell the others the new link on another way"));
        }
        self.confirmed.insert(self.ours);
        for to in keys_of_others(&self.roster, &member.connection.did) {
            let body = Confirmed { hash: Digest32(self.roster.hash()) };
            outputs.push_back(Output::send(to, body.message(new_id(rng)).pthid(room)));
        }
        outputs.push_back(Output::Event(Event::Confirmed { index: self.ours }));
        Ok(())
    }

    pub(super) fn message(
        &mut self,
        room: &str,
        sender: &Authenticated,
        message: &Message,
        rng: &mut impl CryptoRng,
        outputs: &mut VecDeque<Output>,
    ) -> Result<(), Failure> {
        // Only the key that the roster names speaks for a party.
        let Some(party) = self.roster.party_of(&sender.did).filter(|party| party.kid == sender.kid) else {
            return Ok(());
        };
        let index = party.index;
        if let Ok(confirmed) = Confirmed::try_from(message) {
            check_hash(&self.roster, party, &confirmed)?;
            if party.confirm && self.confirmed.insert(index) {
                outputs.push_back(Output::Event(Event::Confirmed { index }));
            }
        } else if let Ok(body) = Leave::try_from(message) {
            return Err(leave::before_the_start(&describe(&self.roster, index), &body));
        } else if Propose::try_from(message).is_ok() {
            outputs.push_back(Output::Event(Event::BeganAnew { index }));
        } else if self.confirmed.contains(&self.ours) {
            outputs.extend(confirmed_again(&self.roster, self.ours, (sender, message), room, rng));
        }
        Ok(())
    }

    /// A party of the room asks for a seat: it was started again, perhaps.
    pub(super) fn began_anew(&self, sender: &Authenticated) -> Option<Output> {
        let party = self.roster.party_of(&sender.did).filter(|party| party.kid == sender.kid)?;
        Some(Output::Event(Event::BeganAnew { index: party.index }))
    }

    /// Notes that the session with `peer` ended. Its own words, which go through the mailboxes, may come a little later.
    pub(super) fn session_lost(&mut self, peer: usize, why: &str, now: Instant) {
        let failure = Failure::new(Kind::PeerLost, format!("lost {}: {why}", describe(&self.roster, peer)));
        self.trouble.get_or_insert((now + LAST_WORDS, failure));
    }

    pub(super) fn deadline(&self) -> Instant {
        let trouble = self.trouble.as_ref().map(|(until, _)| *until);
        let ours = self.ours_by.filter(|_| self.waits_for_us());
        let first = self.others_by.min(self.ask_at);
        trouble.into_iter().chain(ours).min().map_or(first, |other| first.min(other))
    }

    /// Does what is due.
    ///
    /// # Errors
    /// [`Kind::Unconfirmed`] when somebody took too long, [`Kind::PeerLost`] when a party is gone.
    pub(super) fn due(
        &mut self,
        room: &str,
        now: Instant,
        rng: &mut impl CryptoRng,
        outputs: &mut VecDeque<Output>,
    ) -> Result<(), Failure> {
        if let Some((_, failure)) = self.trouble.as_ref().filter(|(until, _)| *until <= now) {
            return Err(failure.clone());
        }
        if self.waits_for_us() && self.ours_by.is_some_and(|by| by <= now) {
            return Err(Failure::new(Kind::Unconfirmed, leave::NOT_SAID)
                .hint("begin anew; --confirm-within gives more time to compare"));
        }
        if self.others_by <= now {
            let names: Vec<_> = self.waiting().iter().map(|index| describe(&self.roster, *index)).collect();
            let message = format!("{} did not confirm the words in time", names.join(", "));
            return Err(Failure::new(Kind::Unconfirmed, message).hint("ask them what their screen says"));
        }
        if self.ask_at <= now {
            self.ask_at = now + ASK_AGAIN;
            let Some(assent) = self.assents.get(self.ours) else { return Ok(()) };
            let body = ready_of(&self.roster, self.ours, *assent);
            let waiting = self.waiting().into_iter().filter(|index| *index != self.ours);
            for party in waiting.filter_map(|index| self.roster.party(index)) {
                let message = body.message(new_id(rng)).pthid(room);
                outputs.push_back(Output::send(party.kid.clone(), message));
            }
        }
        Ok(())
    }
}

impl Room {
    /// Our person has compared the words.
    pub(super) fn compared(&mut self, same: bool, rng: &mut impl CryptoRng) {
        if let Phase::Confirming(confirming) = &mut self.phase {
            let context = (&self.member, self.invitation.room());
            if let Err(failure) = confirming.answer(same, context, rng, &mut self.outputs) {
                self.fail(failure);
            }
        }
    }
}

/// Fails when `party` confirmed the words of another roster.
pub(super) fn check_hash(roster: &Roster, party: &Party, confirmed: &Confirmed) -> Result<(), Failure> {
    if confirmed.hash == Digest32(roster.hash()) {
        return Ok(());
    }
    let who = describe(roster, party.index);
    Err(Failure::new(Kind::Agreement, format!("{who} has another roster than this party")))
}

/// Answers a party that still waits for our confirmation: the first one did not reach it (RM-95).
pub(super) fn confirmed_again(
    roster: &Roster,
    ours: usize,
    (sender, message): (&Authenticated, &Message),
    room: &str,
    rng: &mut impl CryptoRng,
) -> Option<Output> {
    let party = roster.party_of(&sender.did).filter(|party| party.kid == sender.kid)?;
    roster.party(ours).filter(|party| party.confirm)?;
    let ready = Ready::try_from(message).ok()?;
    let hash = Digest32(roster.hash());
    (ready.hash == hash)
        .then(|| Output::send(party.kid.clone(), Confirmed { hash }.message(new_id(rng)).pthid(room)))
}
