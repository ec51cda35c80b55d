//! For whom a room waits: what a person asks first when nothing starts.
//!
//! Not its concern: seats that are free (`lobby`), how long is waited.

use serde::{Deserialize, Serialize};

use super::{Phase, Room};

/// A party without which the room does not go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Its index.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// What is missing of it.
    #[serde(rename = "for")]
    pub why: Why,
}

/// What is missing of a party.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Why {
    /// It would run something else than the host.
    Differs,
    /// It would not any more, and its command is to be given again.
    Again,
    /// Its mediator does not know it at the moment.
    Away,
    /// No session with it stands.
    Session,
    /// It is not ready: its own sessions are not complete.
    Ready,
    /// Its person compares the words.
    Confirm,
}

impl Why {
    /// Says it of a party, without its name.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Differs => "would run something else than the host",
            Self::Again => "has to give its command again",
            Self::Away => "is away: its mediator does not know it at the moment",
            Self::Session => "has no session with this party yet",
            Self::Ready => "is not ready: its sessions with others are not complete",
            Self::Confirm => "has not confirmed the words",
        }
    }
}

impl Room {
    /// Returns for whom the room waits, in order of the index; whoever has no seat yet is not among them.
    pub fn waiting(&self) -> Vec<Waiting> {
        match &self.phase {
            Phase::Host(lobby) => lobby.waiting(),
            Phase::Guest(lobby) => lobby.waiting(),
            Phase::Forming(forming) => forming.waiting(),
            Phase::Confirming(confirming) => {
                let parties = confirming.waiting().into_iter();
                let named = parties.filter_map(|index| confirming.roster().party(index));
                named
                    .map(|party| Waiting { index: party.index, name: party.name.clone(), why: Why::Confirm })
                    .collect()
            }
            Phase::Asking(_) | Phase::Running(_) | Phase::Over => Vec::new(),
        }
    }
}
