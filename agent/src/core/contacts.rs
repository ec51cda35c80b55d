//! The parties that this home has met, by identity.
//!
//! A contact is a `did:key` (decision record 0002): it stays the same when the party moves to another mediator. A
//! contact is written when a roster that names it has been verified, never from a claim alone.

use serde::{Deserialize, Serialize};

use crate::core::pairing::Capabilities;
use crate::core::room::roster::{MAX_NAME_CHARS, is_showable};
use crate::failure::{Failure, Kind};

/// Version of the contacts file's layout.
pub const FILE_VERSION: u32 = 1;

/// How many contacts a home keeps. A thousand contacts with eight connections each are about 5 MB of JSON.
const MAX_CONTACTS: usize = 1000;

/// How many connection DIDs are kept for each contact, newest first. More only says that somebody moves often.
const MAX_CONNECTIONS: usize = 8;

/// All contacts of a home.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contacts {
    /// Layout version, [`FILE_VERSION`].
    pub v: u32,
    /// The contacts, in the order in which they were first met.
    pub contacts: Vec<Contact>,
}

/// One party that was met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// The `did:key` that it is remembered by.
    pub identity: String,
    /// The name that it gave itself last.
    pub name: String,
    /// The name that our person gave it; nobody else can choose or change it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub petname: Option<String>,
    /// When it was first met, in UTC seconds.
    pub first_met: u64,
    /// When it was last met, in UTC seconds.
    pub last_met: u64,
    /// Its connection DIDs, newest first, at most eight.
    pub connections: Vec<String>,
    /// Whether a post-quantum handshake with it was completed: from then on a weaker one is not agreed to.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub post_quantum: bool,
}

impl Contact {
    /// Returns the name by which our person knows it.
    pub fn shown(&self) -> &str {
        self.petname.as_deref().unwrap_or(&self.name)
    }
}

impl crate::core::who::Named for Contact {
    fn name(&self) -> &str {
        self.shown()
    }

    fn identity(&self) -> Option<&str> {
        Some(&self.identity)
    }
}

/// What a home knows of a party.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acquaintance {
    /// Its identity was met before.
    Known,
    /// It was never met.
    New,
    /// Somebody else used its name before, and it was never met; or our person calls somebody else so.
    NameOfAnother,
}

impl Default for Contacts {
    fn default() -> Self {
        Self { v: FILE_VERSION, contacts: Vec::new() }
    }
}

impl Contacts {
    /// Notes that the party `identity` was met as `connection` at `now` (UTC seconds); a full book forgets whoever was
    /// met longest ago. That a handshake was post-quantum is never taken back by one that was not.
    pub fn met(&mut self, identity: &str, name: &str, connection: &str, is_post_quantum: bool, now: u64) {
        if let Some(known) = self.contacts.iter_mut().find(|contact| contact.identity == identity) {
            known.name = name.to_owned();
            known.last_met = now;
            known.post_quantum |= is_post_quantum;
            known.connections.retain(|did| did != connection);
            known.connections.insert(0, connection.to_owned());
            known.connections.truncate(MAX_CONNECTIONS);
            return;
        }
        if self.contacts.len() >= MAX_CONTACTS
            && let Some((oldest, _)) =
                self.contacts.iter().enumerate().min_by_key(|(_, contact)| contact.last_met)
        {
            self.contacts.remove(oldest);
        }
        self.contacts.push(Contact {
            identity: identity.to_owned(),
            name: name.to_owned(),
            petname: None,
            first_met: now,
            last_met: now,
            connections: vec![connection.to_owned()],
            post_quantum: is_post_quantum,
        });
    }

    /// Gives the contact with this identity a name of our own, or takes it back.
    ///
    /// # Errors
    /// [`Kind::Usage`] if the name cannot be shown, or another contact has it already.
    pub fn name(&mut self, identity: &str, petname: Option<&str>) -> Result<(), Failure> {
        if let Some(petname) = petname {
            let is_taken =
                |other: &Contact| other.identity != identity && other.petname.as_deref() == Some(petname);
            if self.contacts.iter().any(is_taken) {
                return Err(Failure::new(
                    Kind::Usage,
                    format!("another contact is called {petname} already"),
                ));
            }
            if !is_showable(petname) {
                return Err(Failure::new(
                    Kind::Usage,
                    format!("a name has 1 to {MAX_NAME_CHARS} characters and no control characters"),
                ));
            }
        }
        for contact in self.contacts.iter_mut().filter(|contact| contact.identity == identity) {
            contact.petname = petname.map(str::to_owned);
        }
        Ok(())
    }

    /// Forgets the contact with this identity: it is new to us when we meet again.
    pub fn forget(&mut self, identity: &str) {
        self.contacts.retain(|contact| contact.identity != identity);
    }

    /// Returns what is remembered of the suites of all contacts.
    pub fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        for contact in self.contacts.iter().filter(|contact| contact.post_quantum) {
            capabilities.remember(&contact.identity);
        }
        capabilities
    }

    /// Says what this home knows of a party that calls itself `name`.
    pub fn acquaintance(&self, identity: &str, name: &str) -> Acquaintance {
        let mut others = self.contacts.iter().filter(|contact| contact.identity != identity);
        let is_known = self.find(identity).is_some();
        // Two whom we know may have one name. One that our person gave is one party's alone.
        if others.any(|other| other.petname.as_deref() == Some(name) || !is_known && other.name == name) {
            Acquaintance::NameOfAnother
        } else if is_known {
            Acquaintance::Known
        } else {
            Acquaintance::New
        }
    }

    /// Returns the contact that was met as this connection DID.
    pub fn met_as(&self, connection: &str) -> Option<&Contact> {
        self.contacts.iter().find(|contact| contact.connections.iter().any(|did| did == connection))
    }

    /// Returns the identities of all.
    pub fn identities(&self) -> std::collections::BTreeSet<String> {
        self.contacts.iter().map(|contact| contact.identity.clone()).collect()
    }

    /// Returns the contact with this identity.
    pub fn find(&self, identity: &str) -> Option<&Contact> {
        self.contacts.iter().find(|contact| contact.identity == identity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_connection_of_a_known_identity_is_the_same_contact() {
        let mut contacts = Contacts::default();
        contacts.met("did:key:a", "alice", "did:peer:1", false, 10);
        contacts.met("did:key:a", "alice", "did:peer:2", false, 20);
        assert_eq!(contacts.contacts.len(), 1);
        let alice = contacts.find("did:key:a").unwrap();
        assert_eq!((alice.first_met, alice.last_met), (10, 20));
        assert_eq!(alice.connections, ["did:peer:2", "did:peer:1"]);
    }

    #[test]
    fn hs_22_post_quantum_stays_remembered_through_the_file() {
        let mut contacts = Contacts::default();
        contacts.met("did:key:a", "alice", "did:peer:1", true, 10);
        contacts.met("did:key:a", "alice", "did:peer:1", false, 20);
        contacts.met("did:key:b", "bob", "did:peer:2", false, 20);
        let file = serde_json::to_string(&contacts).unwrap();
        let known = serde_json::from_str::<Contacts>(&file).unwrap().capabilities();
        assert!(known.is_post_quantum("did:key:a") && !known.is_post_quantum("did:key:b"));
        let old = file.replace(",\"post_quantum\":true", "");
        assert!(
            old != file
                && !serde_json::from_str::<Contacts>(&old)
                    .unwrap()
                    .capabilities()
                    .is_post_quantum("did:key:a")
        );
    }

    #[test]
    fn a_stranger_with_a_known_name_stands_out() {
        let mut contacts = Contacts::default();
        contacts.met("did:key:a", "alice", "did:peer:1", false, 10);
        assert_eq!(contacts.acquaintance("did:key:a", "anna"), Acquaintance::Known);
        assert_eq!(contacts.acquaintance("did:key:b", "alice"), Acquaintance::NameOfAnother);
        assert_eq!(contacts.acquaintance("did:key:b", "bob"), Acquaintance::New);
    }

    #[test]
    fn a_petname_is_ours_alone_and_stays() {
        let mut contacts = Contacts::default();
        contacts.met("did:key:a", "bob", "did:peer:1", false, 10);
        contacts.met("did:key:b", "bob", "did:peer:2", false, 10);
        contacts.name("did:key:a", Some("bob of the bank")).unwrap();
        for (identity, petname) in
            [("did:key:b", "bob of the bank"), ("did:key:b", " "), ("did:key:b", "a\u{202e}")]
        {
            assert_eq!(contacts.name(identity, Some(petname)).unwrap_err().kind, Kind::Usage, "{petname:?}");
        }
        contacts.met("did:key:a", "robert", "did:peer:3", false, 20);
        let found = crate::core::who::find("bob of the bank", &contacts.contacts).unwrap();
        assert_eq!((found.identity.as_str(), found.name.as_str()), ("did:key:a", "robert"));
        assert_eq!(contacts.acquaintance("did:key:c", "bob of the bank"), Acquaintance::NameOfAnother);
        assert_eq!(
            contacts.acquaintance("did:key:b", "bob of the bank"),
            Acquaintance::NameOfAnother,
            "known"
        );
        assert_eq!(
            contacts.acquaintance("did:key:b", "robert"),
            Acquaintance::Known,
            "the other one chose it"
        );
        assert_eq!(
            contacts.acquaintance("did:key:a", "bob of the bank"),
            Acquaintance::Known,
            "it is its own"
        );
        contacts.name("did:key:a", None).unwrap();
        assert!(crate::core::who::find("bob of the bank", &contacts.contacts).is_err());
        contacts.forget("did:key:a");
        assert_eq!(contacts.acquaintance("did:key:a", "robert"), Acquaintance::New);
    }

    #[test]
    fn a_full_book_forgets_whoever_was_met_longest_ago() {
        let mut contacts = Contacts::default();
        for number in 0..=u64::try_from(MAX_CONTACTS).unwrap() {
            contacts.met(&format!("did:key:{number}"), "x", "did:peer:x", false, number);
        }
        assert_eq!(contacts.contacts.len(), MAX_CONTACTS);
        assert!(contacts.find("did:key:0").is_none());
    }
}
