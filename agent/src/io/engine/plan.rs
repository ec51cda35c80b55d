//! What one party wants of the engine.

use std::time::Duration;

use super::{Comparing, Keeping, Strangers, Web};
use crate::core::party_list::PartyList;
use crate::core::room::Approval;
use crate::core::share::LinkForm;
use crate::io::home::Home;

/// What one party wants.
#[derive(Debug)]
pub struct Plan {
    /// The home.
    pub home: Home,
    /// The name that others see; if not given the user's, or one that is made up for a DID of this room alone.
    pub name: Option<String>,
    /// As what it takes part.
    pub role: Role,
    /// The mediators to use from now on, as links, the preferred one first; otherwise the home's, or as a guest the room's.
    pub mediators: Vec<String>,
    /// How long a run waits for a party or mediator that is away.
    pub patience: Duration,
    /// The program to run, or nothing: then a person starts MPyC by hand.
    pub command: Vec<std::ffi::OsString>,
    /// Our person compares the words before anything starts, and takes at most so long for it.
    pub confirm: Option<Duration>,
    /// How the program is compared with the others'.
    pub comparing: Comparing,
    /// Which transcripts the run leaves.
    pub keeping: Keeping,
    /// Capture the program's stdout and report it line by line.
    pub capture: bool,
    /// There is a person at a terminal here who can be asked.
    pub asks: bool,
    /// As whom, and whom the others' documents may be asked of.
    pub web: Web,
    /// How strangers are met.
    pub strangers: Strangers,
}

/// As what the party takes part.
#[derive(Debug, Clone)]
pub enum Role {
    /// Opens a room.
    Host(Opening),
    /// Joins a room.
    Guest {
        /// The link.
        link: String,
    },
    /// Goes on with the room that this home hosted.
    Resume,
    /// Takes part in the room of parties that are known beforehand, as the host if it is the first of them.
    Listed {
        /// The parties.
        list: PartyList,
        /// How long they are waited for, in seconds.
        wait: u64,
    },
}

/// What kind of room a host opens.
#[derive(Debug, Clone)]
pub struct Opening {
    /// Number of parties, ourselves included.
    pub parties: usize,
    /// How long the link works, in seconds.
    pub expires_in: u64,
    /// What link people get.
    pub link: LinkForm,
    /// The issuers of one of which everybody must show a credential.
    pub require_issuer: Vec<String>,
    /// About whom the person is asked before it gets a seat.
    pub approval: Option<Approval>,
}
