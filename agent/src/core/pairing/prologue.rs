//! The prologue and the keys of one handshake, from the facts that this party holds itself.

use std::collections::BTreeMap;

use didagent_didcomm::did;
use didagent_didcomm::protocols::Digest32;
use didagent_session::{Limits, Params, StaticPublic, StaticSecret, Suite, prologue};
use sha2::{Digest as _, Sha256};

use super::PairingError;
use crate::core::identity::Identity;
use crate::core::room::roster::Party;

/// The two parties of one handshake, as both see them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pair<'a> {
    /// The room: the id of the invitation.
    pub(super) room: &'a str,
    /// SHA-256 of the invitation.
    pub(super) invitation: &'a [u8; 32],
    pub(super) initiator: &'a Party,
    pub(super) responder: &'a Party,
}

/// What enters a handshake with a party besides randomness.
pub(super) struct Facts {
    suite: Suite,
    local: StaticSecret,
    remote: StaticPublic,
    prologue: Vec<u8>,
}

impl Facts {
    pub(super) fn new(
        suite: Suite,
        identity: &Identity,
        peer: &Party,
        prologue: &Prologue<'_>,
    ) -> Result<Self, PairingError> {
        Ok(Self {
            suite,
            local: static_secret(identity),
            remote: static_public(peer)?,
            prologue: prologue.encoded()?,
        })
    }

    pub(super) fn params(&self) -> Params<'_> {
        Params {
            suite: self.suite,
            local: &self.local,
            remote: &self.remote,
            prologue: &self.prologue,
            limits: Limits::default(),
        }
    }
}

/// The static keys of a session with a party, for a handshake inside it (`spec/session.md`, section 10).
#[derive(Debug)]
pub struct Statics {
    /// Our secret.
    pub local: StaticSecret,
    /// The party's key, as the roster has it.
    pub remote: StaticPublic,
}

impl Statics {
    /// The keys of `identity` and of `peer`.
    ///
    /// # Errors
    /// [`PairingError::Malformed`] when the party's DID does not hold the key that the roster names.
    pub fn new(identity: &Identity, peer: &Party) -> Result<Self, PairingError> {
        Ok(Self { local: static_secret(identity), remote: static_public(peer)? })
    }
}

/// Names of the prologue's fields in their order, `spec/handshake.md`.
const FIELD_NAMES: [&str; 9] = [
    "initiator",
    "responder",
    "initiator_kid",
    "responder_kid",
    "thid",
    "pthid",
    "invitation",
    "suites",
    "context",
];

/// The values of the prologue's fields.
pub(super) struct Prologue<'a>([&'a [u8]; FIELD_NAMES.len()]);

impl<'a> Prologue<'a> {
    pub(super) fn new(pair: &Pair<'a>, thid: &'a str, suites: &'a [u8]) -> Self {
        Self([
            pair.initiator.did.as_bytes(),
            pair.responder.did.as_bytes(),
            pair.initiator.kid.as_bytes(),
            pair.responder.kid.as_bytes(),
            thid.as_bytes(),
            pair.room.as_bytes(),
            pair.invitation,
            suites,
            // What both know beforehand and nothing else: the room. What is agreed later is bound by each stream.
            pair.room.as_bytes(),
        ])
    }

    fn encoded(&self) -> Result<Vec<u8>, PairingError> {
        prologue::encode(prologue::LABEL, &self.0).map_err(|_| PairingError::Malformed)
    }

    /// The hash of each field, by its name.
    pub(super) fn fields(&self) -> BTreeMap<String, Digest32> {
        let digest = |value: &[u8]| Digest32(Sha256::digest(value).into());
        FIELD_NAMES.into_iter().zip(self.0).map(|(name, value)| (name.to_owned(), digest(value))).collect()
    }
}

/// The first field whose hashes differ.
pub(super) fn first_difference(
    ours: &BTreeMap<String, Digest32>,
    theirs: &BTreeMap<String, Digest32>,
) -> Option<&'static str> {
    FIELD_NAMES.into_iter().find(|name| ours.get(*name) != theirs.get(*name))
}

/// The field that an abort names, in our own words.
pub(super) fn known_field(name: Option<&str>) -> &'static str {
    FIELD_NAMES.into_iter().find(|known| Some(*known) == name).unwrap_or("a field that it does not name")
}

fn static_secret(identity: &Identity) -> StaticSecret {
    StaticSecret::from_bytes(*identity.agreement().expose_bytes())
}

fn static_public(party: &Party) -> Result<StaticPublic, PairingError> {
    let document = did::resolve_offline(&party.did).map_err(|_| PairingError::Malformed)?;
    document.x25519(&party.kid).map(StaticPublic::from_bytes).ok_or(PairingError::Malformed)
}
