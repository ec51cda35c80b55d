//! What happens in the room: told to the person, and remembered.

use std::time::Instant;

use super::{End, Engine};
use crate::core::contacts::Acquaintance;
use crate::core::room::roster::{Party, Roster};
use crate::core::room::{self, Room};
use crate::failure::Failure;
use crate::io::{fetched, nonce, party_lists, unix_now};
use crate::report::{Report, Reporter};

impl Engine {
    pub(super) fn room_event(
        &mut self,
        event: room::Event,
        reporter: &mut dyn Reporter,
    ) -> Result<Option<End>, Failure> {
        match event {
            room::Event::Joined { index, name, identity } => {
                let missing = self.room.as_ref().map_or(0, Room::missing);
                tracing::info!(party = index, missing, "somebody joined");
                let acquaintance = self.contacts.acquaintance(&identity, &name);
                reporter.report(&Report::Joined { index, name, identity, acquaintance, missing });
                self.ask_person(reporter);
            }
            room::Event::Asks(one) => {
                self.somebody_asks(one, reporter);
                self.ask_person(reporter);
            }
            room::Event::Withdrew(room::Applying { name, identity }) => {
                reporter.report(&Report::Withdrew { name, identity });
                self.ask_person(reporter);
            }
            room::Event::Pending => {
                reporter.report(&Report::Pending { identity: self.identity.did().to_owned() });
            }
            room::Event::Resumed { guests } => {
                let known = |(name, identity): (String, String)| {
                    let acquaintance = self.contacts.acquaintance(&identity, &name);
                    (name, identity, acquaintance)
                };
                reporter.report(&Report::Resumed { guests: guests.into_iter().map(known).collect() });
            }
            room::Event::HostAway { patience } => reporter.report(&Report::HostAway { patience }),
            room::Event::HostBack => reporter.report(&Report::HostBack),
            room::Event::Refused { name, identity, why } => {
                tracing::info!(why, "somebody was refused because of a credential");
                reporter.report(&Report::Refused { name, identity, why });
            }
            room::Event::Left { name } => reporter.report(&Report::Left { name }),
            room::Event::Seats { seats, names, differs } => {
                reporter.report(&Report::Seats { seats, names, differs });
            }
            room::Event::Differs { index, name, differences } => {
                reporter.report(&Report::Differs { index, name, differences });
                self.look_again();
            }
            room::Event::Fits { index, name } => reporter.report(&Report::Fits { index, name }),
            room::Event::Note { name, text } => reporter.report(&Report::Note { name, text }),
            room::Event::Roster(roster) => {
                tracing::info!(m = roster.body().m, threshold = roster.body().threshold, "the room is full");
                self.full_at = Some(Instant::now());
                // From here on it is shown.
                nonce::forget(&self.home)?;
                fetched::forget(&self.home)?;
                if let Some(listing) = self.room.as_ref().and_then(|room| room.member().list.as_ref()) {
                    party_lists::note_round(&self.home, &listing.list, roster.body().round)?;
                }
                self.forget_room()?;
                self.roster = Some(roster);
            }
            room::Event::PeerReady { index } => tracing::info!(party = index, "party is ready"),
            room::Event::Waiting(waiting) => reporter.report(&Report::Waiting(waiting)),
            room::Event::Confirmed { index } => self.confirmed(index, reporter),
            room::Event::PeerLeft { index, body } => return self.peer_left(index, &body),
            room::Event::BeganAnew { index } => return self.began_anew(index),
        }
        Ok(None)
    }

    /// Returns what our person calls each party of a roster.
    pub(super) fn petnames(&self, roster: &Roster) -> Vec<Option<String>> {
        let petname =
            |identity: &str| self.contacts.find(identity).and_then(|contact| contact.petname.clone());
        roster.body().parties.iter().map(|party| petname(&party.identity)).collect()
    }

    /// Returns what is known of each party of a roster, but for ourselves.
    pub(super) fn acquaintances(&self, roster: &Roster) -> Vec<Option<Acquaintance>> {
        let known = |party: &Party| {
            let is_other = party.identity != self.identity.did();
            is_other.then(|| self.contacts.acquaintance(&party.identity, &party.name))
        };
        roster.body().parties.iter().map(known).collect()
    }

    /// Writes the parties of a roster into the contacts. Only after everybody signed it, and after the words were confirmed if
    /// somebody wanted that: until then the names in it are only what the host says. Under a DID of this room alone nobody is
    /// written down: whoever was met so has not met the home (CN-81).
    pub(super) fn remember(&mut self, roster: &Roster) -> Result<(), Failure> {
        if self.strangers.new_did {
            return Ok(());
        }
        let mut contacts = self.contacts.clone();
        for party in &roster.body().parties {
            let is_other = party.identity != self.identity.did();
            if is_other {
                let is_post_quantum = self.post_quantum.contains(&party.index);
                contacts.met(&party.identity, &party.name, &party.did, is_post_quantum, unix_now());
            }
        }
        self.home.write_contacts(&contacts)?;
        party_lists::remember(&self.home, roster, self.identity.did())?;
        self.contacts = contacts;
        Ok(())
    }
}
