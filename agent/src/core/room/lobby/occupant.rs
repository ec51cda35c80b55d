//! Who has a seat at the host's, and whether it would run the same.
//!
//! Specification: `spec/manifest.md`, section 3.

use didagent_bridge::manifest::{Comparison, Manifest, compare};

use crate::core::room::roster::Party;
use crate::core::room::{Event, Member};

/// Who has a seat.
#[derive(Debug)]
pub(super) struct Occupant {
    pub(super) party: Party,
    /// The credential that it showed.
    pub(super) credential: Option<String>,
    /// What it would run, and how that differs from what we would.
    pub(super) manifest: Option<Manifest>,
    pub(super) found: Comparison,
    /// It differed, so it has ended, and takes its seat with another `join` (MF-20).
    pub(super) has_ended: bool,
}

impl Occupant {
    /// Compares it with us, the host, and returns what is new.
    pub(super) fn compare(&mut self, member: &Member, index: usize, m: usize) -> Vec<Event> {
        let found = compare(member.manifest.as_ref(), self.manifest.as_ref(), m);
        if found == self.found {
            return Vec::new();
        }
        let before = std::mem::replace(&mut self.found, found);
        let name = || self.party.name.clone();
        let mut events = Vec::new();
        if !self.found.agrees() && before.differences != self.found.differences {
            let differences = self.found.differences.clone();
            events.push(Event::Differs { index, name: name(), differences });
        }
        let new = self.found.notes.iter().filter(|note| !before.notes.contains(note));
        events.extend(new.map(|text| Event::Note { name: name(), text: text.clone() }));
        events
    }
}
