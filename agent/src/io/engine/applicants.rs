//! Those who ask for a seat of a host that decides: told to the person, and at a terminal asked about one after the other.
//!
//! Specification: `spec/room.md`, section 2, "A host that decides".
//!
//! ```text
//! Event::Asks --> Report::Asks ... Report::Decide --> a line of the terminal (`io::typed`) --> Input::Admit | Input::Refuse
//!                                                     `didagent room approve` --Ask::Room--^
//! ```
//!
//! Not its concern: who is kept in front of the door (`core::room`), when the terminal is read (`io::typed`).

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use didagent_didcomm::did::{self, web};
use didagent_didcomm::showable;

use super::{Engine, now};
use crate::core::contacts::Acquaintance;
use crate::core::room::{Applying, Approval, Input, Room};
use crate::core::status::ApplicantStatus;
use crate::core::who;
use crate::failure::{Failure, Kind};
use crate::io::local_api::Order;
use crate::report::{Report, Reporter};

/// Longest identity in a status, in characters: all of them fit into one answer (LP-02).
const SHOWN: usize = 256;

/// How long a question has to stand before a yes or no can be an answer to it, if it took the place of another one.
const READING: Duration = Duration::from_millis(1500);

/// What is asked of the person at the terminal.
#[derive(Debug, Default)]
pub(super) struct Asking {
    /// There is a person at a terminal who can be asked.
    asks: bool,
    /// About whom the person is asked now.
    current: Option<Applying>,
    /// Identities about which the person wants to decide later.
    later: BTreeSet<String>,
    /// When a question that stood unanswered made way for another one.
    changed: Option<Instant>,
}

impl Asking {
    /// With a person at a terminal, or without.
    pub(super) fn of(asks: bool) -> Self {
        Self { asks, ..Self::default() }
    }

    /// The question that stands is taken from the screen unanswered.
    fn makes_way(&mut self) {
        if self.current.take().is_some() {
            self.changed = Some(Instant::now());
        }
    }

    /// Shows the question that stands once more.
    pub(super) fn say_again(&self, reporter: &mut dyn Reporter) {
        if let Some(Applying { name, identity }) = self.current.clone() {
            reporter.report(&Report::Decide { name, identity });
        }
    }

    /// Says whether a yes or no that is typed now was most likely meant for a question before.
    pub(super) fn has_just_changed(&self) -> bool {
        self.changed.is_some_and(|at| at.elapsed() < READING)
    }
}

impl Engine {
    /// The room is open, or open again: from now on its person decides, if it was opened so.
    pub(super) fn keep_the_door(&mut self, approval: Option<Approval>) {
        let Some(room) = &mut self.room else { return };
        // A room that goes on knows it by itself.
        let Some(approval) = approval.or(room.approval()) else { return };
        room.decide(approval, self.strangers.known(&self.contacts));
    }

    /// Returns who waits, for those who ask.
    pub(super) fn applicants(&self) -> Vec<ApplicantStatus> {
        let applying = self.room.as_ref().map(Room::applying).unwrap_or_default();
        let shown = |Applying { name, identity }: Applying| ApplicantStatus {
            is_known: self.contacts.acquaintance(&identity, &name) == Acquaintance::Known,
            identity: showable(&identity, SHOWN),
            name,
        };
        applying.into_iter().map(shown).collect()
    }

    /// Somebody asks for a seat for the first time.
    pub(super) fn somebody_asks(&mut self, one: Applying, reporter: &mut dyn Reporter) {
        let Applying { name, identity } = one;
        let waiting = self.room.as_ref().map_or(0, |room| room.applying().len());
        let acquaintance = self.contacts.acquaintance(&identity, &name);
        reporter.report(&Report::Asks { name, identity, acquaintance, waiting });
    }

    /// Asks the person about the next one who waits, unless a question stands.
    pub(super) fn ask_person(&mut self, reporter: &mut dyn Reporter) {
        let Some(room) = self.room.as_ref().filter(|room| self.asking.asks && room.is_lobby()) else {
            self.asking.makes_way();
            return;
        };
        let applying = room.applying();
        if self.asking.current.as_ref().is_some_and(|current| applying.contains(current)) {
            return;
        }
        self.asking.makes_way();
        let later = &mut self.asking.later;
        later.retain(|identity| applying.iter().any(|one| one.identity == *identity));
        let next = applying.into_iter().find(|one| !later.contains(&one.identity));
        if let Some(Applying { name, identity }) = next.clone() {
            reporter.report(&Report::Decide { name, identity });
        }
        self.asking.current = next;
    }

    /// The person typed a line.
    pub(super) fn answer_typed(&mut self, line: &str, reporter: &mut dyn Reporter) {
        let Some(Applying { identity, .. }) = self.asking.current.take() else { return };
        let order = match line.trim().to_ascii_lowercase().as_str() {
            "y" | "yes" => Order::Approve,
            "n" | "no" => Order::TurnAway,
            _ => {
                self.asking.later.insert(identity);
                return self.ask_person(reporter);
            }
        };
        if let Err(failure) = self.decide(order, &identity) {
            reporter.report(&Report::Warning(failure.message));
            self.asking.later.insert(identity);
        }
        self.ask_person(reporter);
    }

    /// Lets somebody in, or not: whoever waits, by name or identity, or an identity that has not asked yet.
    ///
    /// # Errors
    /// [`Kind::NotNow`] when nobody is asked about in this room, or no seat is free; [`Kind::NameUnknown`], [`Kind::NameAmbiguous`].
    pub(super) fn decide(&mut self, order: Order, name: &str) -> Result<(), Failure> {
        let not_now = |why: String| Failure::new(Kind::NotNow, why);
        let room = self.room.as_mut().ok_or_else(|| not_now("no room is open yet".to_owned()))?;
        if room.approval().is_none() {
            let why = "whoever has the link of this room gets a seat, as long as one is free".to_owned();
            return Err(not_now(why).hint("didagent room kick NAME    takes one back"));
        }
        let identity = identity_of(name, room)?;
        if order == Order::Approve && room.missing() == 0 {
            return Err(
                not_now("every seat is taken".to_owned()).hint("didagent room kick NAME    frees one")
            );
        }
        let input = match order {
            Order::Approve => Input::Admit(identity),
            _ => Input::Refuse(identity),
        };
        room.handle(input, now(), &mut self.rng);
        Ok(())
    }
}

/// Finds who is meant among those who wait. An identity in full is taken as it is.
fn identity_of(name: &str, room: &Room) -> Result<String, Failure> {
    let name = name.trim();
    let seats = room.seats();
    if let Ok(seat) = who::find(name, &seats) {
        let failure = Failure::new(Kind::NotNow, format!("{} has a seat already", seat.name));
        return Err(failure.hint(format!("didagent room kick {}    takes it back", seat.name)));
    }
    match who::find(name, &room.applying()) {
        Ok(one) => Ok(one.identity.clone()),
        Err(failure) if failure.kind == Kind::NameUnknown => match is_identity(name) {
            true => Ok(name.to_owned()),
            false => Err(Failure::new(failure.kind, format!("{}, and waits for a seat", failure.message))
                .hint("didagent room show    lists who waits; or the whole identity, before it asks")),
        },
        Err(failure) => Err(who::hinting(failure, "room approve")),
    }
}

fn is_identity(name: &str) -> bool {
    match name.starts_with(web::PREFIX) {
        true => web::url(name).is_ok(),
        false => did::key::decode_ed25519(name).is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decides RM-109.
    #[test]
    fn a_yes_for_one_question_does_not_answer_the_next() {
        let applying = |name: &str| Applying { name: name.to_owned(), identity: format!("did:key:{name}") };
        let mut asking = Asking::of(true);
        asking.current = Some(applying("bob"));
        assert!(!asking.has_just_changed(), "the first question");
        drop(asking.current.take());
        asking.makes_way();
        assert!(!asking.has_just_changed(), "it was answered");
        asking.current = Some(applying("carol"));
        asking.makes_way();
        assert!(asking.has_just_changed(), "carol went away while the person typed");
        asking.changed = asking.changed.map(|at| at.checked_sub(2 * READING).unwrap());
        assert!(!asking.has_just_changed(), "read by now");
    }
}
