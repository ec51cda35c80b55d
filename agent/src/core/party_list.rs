//! Parties that are known beforehand: the list that a roster file holds, or that the last run of a home had.
//!
//! Specification: `spec/room.md`, section 10. The first party of the list is the host, and the order is the party index. The list has
//! an id that everybody computes, so guests find the host's room without a link:
//!
//! ```text
//! roster file | last roster --> PartyList --> id, hash, host's connection DID
//! ```
//!
//! Not its concern: who we are in it (`io::listed`), how the room is found (`core::room`).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use didagent_didcomm::did::{self, web};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::core::post::check_reachable;
use crate::core::room::room_name;
use crate::core::room::roster::{MAX_PARTIES, Roster, is_showable};
use crate::failure::{Failure, Kind};

/// Most bytes of a roster file: sixteen parties, each with a DID and one of 1200 characters at which it is reached.
pub const MAX_FILE_BYTES: usize = 64 * 1024;

/// In front of what is hashed (NA-04).
const LABEL: &str = "didagent-party-list/1";

/// Bytes of the hash that are the list's id, as many as a room's id has.
const ID_BYTES: usize = 16;

/// Parties that are known beforehand, in order of their index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartyList {
    name: String,
    threshold: Option<usize>,
    parties: Vec<Listed>,
}

/// One party of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    /// Its identity, a `did:key` or a `did:web`.
    pub did: String,
    /// What people call it; what it calls itself does not matter.
    pub name: Option<String>,
    /// The connection DID at which it is written to, a `did:peer`. Only the first party needs one.
    pub at: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: Option<String>,
    threshold: Option<usize>,
    #[serde(default)]
    party: Vec<Listed>,
}

impl PartyList {
    /// Reads a roster file.
    ///
    /// # Errors
    /// [`Kind::RosterFile`] with what is wrong, and in which entry.
    pub fn from_toml(text: &str) -> Result<Self, Failure> {
        if text.len() > MAX_FILE_BYTES {
            return Err(unusable(format!("it has more than {MAX_FILE_BYTES} bytes")));
        }
        let File { name, threshold, party } =
            toml::from_str(text).map_err(|error| unusable(error.to_string().trim_end().to_owned()))?;
        let name = name.unwrap_or_default();
        if !name.is_empty() && !is_showable(&name) {
            return Err(unusable("`name` is too long, or has control characters".to_owned()));
        }
        Self { name, threshold, parties: party }.checked()
    }

    /// Returns the list of the parties of a roster.
    pub fn of_roster(roster: &Roster) -> Self {
        let party = |party: &crate::core::room::roster::Party| Listed {
            did: party.identity.clone(),
            name: Some(party.name.clone()),
            at: Some(party.did.clone()),
        };
        Self {
            name: String::new(),
            threshold: None,
            parties: roster.body().parties.iter().map(party).collect(),
        }
    }

    /// Returns the list of parties that a home remembers.
    ///
    /// # Errors
    /// [`Kind::RosterFile`] with what is wrong.
    pub fn remembered(parties: Vec<Listed>) -> Result<Self, Failure> {
        Self { name: String::new(), threshold: None, parties }.checked()
    }

    fn checked(self) -> Result<Self, Failure> {
        let m = self.parties.len();
        if !(2..=MAX_PARTIES).contains(&m) {
            return Err(unusable(format!("it has {m} entries [[party]]; a room has 2 to {MAX_PARTIES}")));
        }
        if self.threshold.is_some_and(|threshold| threshold >= m.div_ceil(2)) {
            return Err(unusable(format!(
                "`threshold` must be below {}, half of the parties",
                m.div_ceil(2)
            )));
        }
        for (index, party) in self.parties.iter().enumerate() {
            let wrong = |what: &str| Err(unusable(format!("entry {} [[party]]: {what}", index + 1)));
            let is_identity = party.did.starts_with("did:key:") || party.did.starts_with(web::PREFIX);
            let is_did = match party.did.starts_with(web::PREFIX) {
                true => web::url(&party.did).is_ok(),
                false => did::resolve_offline(&party.did).is_ok(),
            };
            if !is_identity || !is_did || did::did_of(&party.did) != party.did {
                return wrong("`did` is no did:key and no did:web");
            }
            if self.parties.iter().take(index).any(|other| other.did == party.did) {
                return wrong("`did` is that of another entry");
            }
            if party.name.as_ref().is_some_and(|name| !is_showable(name)) {
                return wrong("`name` is empty, too long, or has control characters");
            }
            if party.at.as_ref().is_some_and(|at| !is_address(at)) {
                return wrong(
                    "`at` is no did:peer with a mediator; `didagent identity show --address` prints it",
                );
            }
        }
        Ok(self)
    }

    /// Returns the parties in order of their index.
    pub fn parties(&self) -> &[Listed] {
        &self.parties
    }

    /// Returns the name that tells two lists of the same parties apart; may be empty.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns how many together may learn nothing, if the list says so.
    pub fn threshold(&self) -> Option<usize> {
        self.threshold
    }

    /// Returns the index of the party with this identity.
    pub fn index_of(&self, identity: &str) -> Option<usize> {
        self.parties.iter().position(|party| party.did == identity)
    }

    /// Returns what the room of these parties is called on every screen.
    pub fn room_name(&self) -> String {
        if self.name.is_empty() { room_name(&self.id()) } else { self.name.clone() }
    }

    /// Returns what to call the party with this index.
    pub fn called(&self, index: usize) -> String {
        let Some(party) = self.parties.get(index) else { return format!("party {index}") };
        party.name.clone().unwrap_or_else(|| crate::core::who::short(&party.did))
    }

    /// Returns the hash that stands for the list (RM-121).
    pub fn hash(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(LABEL);
        // Neither a name nor a DID has control characters, so the ends of lines separate.
        for line in std::iter::once(self.name.as_str()).chain(self.parties.iter().map(|party| &*party.did)) {
            hash.update("\n");
            hash.update(line);
        }
        hash.finalize().into()
    }

    /// Returns the id of the list, which is the `pthid` of what guests and host say before there is a room.
    pub fn id(&self) -> String {
        URL_SAFE_NO_PAD.encode(&self.hash()[..ID_BYTES])
    }

    /// Says at which connection DID the first party is reached, if the list did not.
    pub fn host_is_at(&mut self, at: &str) {
        if let Some(host) = self.parties.first_mut() {
            host.at.get_or_insert_with(|| at.to_owned());
        }
    }

    /// Returns the connection DID of the first party.
    pub fn host_at(&self) -> Option<&str> {
        self.parties.first()?.at.as_deref()
    }
}

/// Says whether this is a connection DID at which somebody can be written to.
pub fn is_address(at: &str) -> bool {
    at.starts_with("did:peer:") && did::did_of(at) == at && check_reachable(at).is_ok()
}

fn unusable(why: String) -> Failure {
    Failure::new(Kind::RosterFile, format!("the roster file cannot be used: {why}"))
        .hint("`didagent run --help` shows what belongs in it; every party uses the same file")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::core::identity::Identity;
    use crate::core::test_rng;

    fn mediator() -> String {
        identity(200).connection("ws://mediator.example/").did
    }

    fn identity(seed: u8) -> Identity {
        Identity::generate(&mut test_rng(seed))
    }

    fn file() -> String {
        let at = identity(1).connection(&mediator()).did;
        format!(
            "name = \"audit\"\nthreshold = 1\n[[party]]\nname = \"alice\"\ndid = \"{}\"\nat = \"{at}\"\n\
             [[party]]\ndid = \"did:web:bob.example\"\n[[party]]\nname = \"carol\"\ndid = \"{}\"\n",
            identity(1).did(),
            identity(3).did()
        )
    }

    #[test]
    fn a_roster_file_is_read_in_its_order() {
        let list = PartyList::from_toml(&file()).unwrap();
        assert_eq!((list.name(), list.threshold(), list.parties().len()), ("audit", Some(1), 3));
        assert_eq!(list.index_of("did:web:bob.example"), Some(1));
        assert_eq!((list.called(0), list.called(1)), ("alice".to_owned(), "bob.example".to_owned()));
        assert_eq!(list.host_at(), Some(identity(1).connection(&mediator()).did.as_str()));
    }

    /// Decides RM-121.
    #[test]
    fn the_id_depends_on_name_parties_and_order_and_on_nothing_else() {
        let list = PartyList::from_toml(&file()).unwrap();
        let same =
            file().replace("threshold = 1\n", "").replace("name = \"carol\"", "# a comment\nname = \"c\"");
        assert_eq!(PartyList::from_toml(&same).unwrap().hash(), list.hash());
        let [_, first, second, third] =
            <[String; 4]>::try_from(file().split("[[party]]").map(str::to_owned).collect::<Vec<_>>())
                .unwrap();
        for other in [
            file().replace("\"audit\"", "\"audits\""),
            file().replace("bob.example", "bob.example2"),
            format!("name = \"audit\"\n[[party]]{first}[[party]]{third}[[party]]{second}"),
        ] {
            let other = PartyList::from_toml(&other).unwrap();
            assert_ne!(other.hash(), list.hash());
            assert_ne!(other.id(), list.id());
        }
        let text =
            format!("{LABEL}\naudit\n{}\ndid:web:bob.example\n{}", identity(1).did(), identity(3).did());
        assert_eq!(list.hash(), <[u8; 32]>::from(Sha256::digest(text)));
        assert_eq!(list.id(), URL_SAFE_NO_PAD.encode(&list.hash()[..16]));
    }

    #[test]
    fn a_file_that_is_none_names_what_is_wrong() {
        let (key, at) = (identity(1).did().to_owned(), identity(1).connection(&mediator()).did);
        for (text, what) in [
            (String::new(), "0 entries"),
            (file().replace("[[party]]", "[party]"), "line"),
            (file().replace("threshold", "treshold"), "treshold"),
            (file().replace("threshold = 1", "threshold = 2"), "below 2"),
            (file().replace("did:web:bob.example", "did:web:"), "entry 2"),
            (file().replace("did:web:bob.example", &at), "entry 2"),
            (file().replace("did:web:bob.example", &format!("{key}#{key}")), "entry 2"),
            (file().replace("did:web:bob.example", &key), "that of another"),
            (file().replace("\"alice\"", "\"al\\u001bice\""), "entry 1"),
            (file().replace(&at, &key), "entry 1"),
            (file().replace("\"audit\"", "\"\\u202eaudit\""), "`name`"),
            ("#".repeat(MAX_FILE_BYTES + 1), "more than"),
        ] {
            let failure = PartyList::from_toml(&text).unwrap_err();
            assert_eq!(failure.kind, Kind::RosterFile);
            assert!(failure.message.contains(what), "{what}: {}", failure.message);
        }
    }

    #[test]
    fn no_truncation_panics() {
        let file = file();
        for length in 0..file.len() {
            let _ = PartyList::from_toml(&file[..length]);
        }
    }
}
