//! The roster: the ordered parties of a room and what holds for their round, as bytes that everybody signs.
//!
//! Specification: `spec/room.md`. The host writes the roster once, as JSON. Everybody hashes and signs **the bytes as
//! received**; nobody serialises a roster a second time. [`RosterIn`] holds unverified bytes; [`RosterIn::verify`]
//! consumes it and gives a [`Roster`].

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use didagent_bridge::manifest::{Manifest, ProgramKind};
use didagent_didcomm::credential::{Claims, CredentialIn};
use didagent_didcomm::did::{self, web};
use didagent_didcomm::link::{self, LinkError};
use didagent_didcomm::protocols::Digest32;
use didagent_didcomm::{is_invisible, keys};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::core::identity::Identity;
use crate::core::party_list::PartyList;
use crate::core::room::agreement;
use crate::core::room::lookup::Documents;
use crate::failure::Failure;

/// Most parties in a room. MPyC sends 2-byte pids; ten parties already hold 45 sessions.
pub const MAX_PARTIES: usize = 16;

/// Most bytes of a roster: sixteen parties with two DIDs and a link each are about 40 KiB.
const MAX_ROSTER_BYTES: usize = 64 * 1024;

/// Signed in front of a roster's hash, `spec/0-names.md` section 0.2.
const LABEL: &[u8] = b"didagent-roster/1";

/// A name that a party gives itself is shown on other people's screens: at most this many characters.
pub const MAX_NAME_CHARS: usize = 32;

/// What the roster's JSON holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RosterBody {
    /// Layout version, 1.
    pub v: u32,
    /// The room: the id of the invitation.
    pub room: String,
    /// SHA-256 of the invitation's decoded bytes, base64url.
    pub invitation: String,
    /// Which run of the room, from 1.
    pub round: u32,
    /// How many parties, `m`.
    pub m: usize,
    /// How many parties together still learn nothing, `t`.
    pub threshold: usize,
    /// DID of the mediator on which the circuits meet.
    pub relay: String,
    /// What the host runs, and with it everybody whose program can be compared; `None` if its person starts it.
    pub manifest: Option<Manifest>,
    /// The issuers of one of which every party shows a credential; empty if none is needed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub require_issuer: Vec<String>,
    /// The parties in order of their index.
    pub parties: Vec<Party>,
}

/// One party of a roster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// The party index, MPyC's pid.
    pub index: usize,
    /// The name that the party gave itself.
    pub name: String,
    /// The identity that contacts remember, a `did:key` or a `did:web`.
    pub identity: String,
    /// The connection DID.
    pub did: String,
    /// Absolute id of the X25519 key that is the Noise static.
    pub kid: String,
    /// The signed link between `identity` and `did`.
    pub link: String,
    /// What can be compared of its program.
    pub program: ProgramKind,
    /// What it committed to, for the words that people compare.
    pub commitment: Digest32,
    /// Its person wants to compare the words before anything starts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub confirm: bool,
    /// SHA-256 of its credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<Digest32>,
}

/// A roster as received: nothing about it is known to be true.
#[derive(Debug, Clone)]
pub struct RosterIn {
    bytes: Vec<u8>,
}

/// A roster whose content was checked, with the bytes that everybody signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roster {
    body: RosterBody,
    bytes: Vec<u8>,
    hash: [u8; 32],
    /// The Ed25519 key of each party's identity.
    signers: Vec<[u8; 32]>,
    /// The credential of each party, if they are required.
    credentials: Vec<String>,
    /// The documents of identities and issuers that it was checked with.
    documents: Documents,
}

/// What this party already knows and a roster must agree with.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The room: the id of the invitation.
    pub room: &'a str,
    /// SHA-256 of the invitation.
    pub invitation: &'a [u8; 32],
    /// The inviter's connection DID.
    pub host: &'a str,
    /// DIDs of the inviter's mediators.
    pub mediators: &'a [String],
    /// Our identity.
    pub identity: &'a str,
    /// Our connection DID.
    pub did: &'a str,
    /// The threshold that our program will run with, when there are `m` parties; `None` to accept any.
    pub threshold: Option<usize>,
    /// What we would run; `None` if our person starts it.
    pub manifest: Option<&'a Manifest>,
    /// What we committed to.
    pub commitment: Digest32,
    /// The parties, if they are known beforehand, and the last of their rounds that we know.
    pub list: Option<(&'a PartyList, u32)>,
    /// Whether our person wants to compare the words before anything starts.
    pub confirm: bool,
    /// The documents of identities that are a did:web.
    pub documents: &'a Documents,
}

/// Why a roster is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RosterError {
    /// Too long, not JSON, or a member is missing.
    #[error("the roster cannot be read")]
    Malformed,
    /// A member does not have the value that it must have.
    #[error("the roster's {what} is not what it must be")]
    Wrong {
        /// Which member.
        what: &'static str,
    },
    /// A party's entry does not hold together.
    #[error("the entry of party {index} has a {what} that does not fit")]
    Party {
        /// Which party.
        index: usize,
        /// Which member.
        what: &'static str,
    },
    /// A signature over the roster does not verify.
    #[error("the signature of party {index} over the roster does not verify")]
    Signature {
        /// Whose.
        index: usize,
    },
    /// The parties would run with different thresholds.
    #[error("the host runs with threshold {host}, this party with {ours}")]
    Threshold {
        /// The roster's value.
        host: usize,
        /// The value of our own command line.
        ours: usize,
    },
    /// The host would run something else than we.
    #[error("the host runs something else: {0}")]
    Manifest(Failure),
}

impl Roster {
    /// Writes the roster of a full room; only the host does.
    ///
    /// # Errors
    /// [`RosterError`] when `body` would be refused by the others.
    pub fn write(body: RosterBody, documents: &Documents) -> Result<Self, RosterError> {
        let bytes = serde_json::to_vec(&body).map_err(|_| RosterError::Malformed)?;
        RosterIn::new(bytes).check(documents)
    }

    /// Returns the content.
    pub fn body(&self) -> &RosterBody {
        &self.body
    }

    /// Returns the bytes that are sent, hashed and signed.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the SHA-256 of the bytes, which every stream of the round carries.
    pub fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// Adds the credentials whose hashes it has, in order of the index, and of `documents` those of their issuers.
    #[must_use]
    pub(super) fn with_credentials(mut self, credentials: Vec<String>, documents: &Documents) -> Self {
        self.credentials = credentials;
        for index in 0..self.credentials.len() {
            let issuer = self.claims(index).map(|claims| claims.issuer);
            let document = issuer.and_then(|did| documents.get_key_value(&did));
            self.documents.extend(document.map(|(did, document)| (did.clone(), document.clone())));
        }
        self
    }

    /// Returns the documents that it and its credentials were checked with, of those that do not follow from their DID.
    pub(crate) fn documents(&self) -> &Documents {
        &self.documents
    }

    /// Returns the credential of each party, in order of the index; none if none are required.
    pub fn credentials(&self) -> &[String] {
        &self.credentials
    }

    /// Returns what the credential of party `index` says, if they are required; it was checked with the roster.
    pub fn claims(&self, index: usize) -> Option<Claims> {
        let credential = CredentialIn::read(self.credentials.get(index)?).ok()?;
        Some(credential.claims().clone())
    }

    /// Returns the party with this index.
    pub fn party(&self, index: usize) -> Option<&Party> {
        self.body.parties.get(index)
    }

    /// Returns the party with this connection DID.
    pub fn party_of(&self, did: &str) -> Option<&Party> {
        self.body.parties.iter().find(|party| party.did == did)
    }

    /// Signs the roster: Ed25519 over the label and the hash.
    pub fn sign(&self, identity: &Identity) -> [u8; 64] {
        identity.sign(&self.signed_bytes())
    }

    /// Checks the signature of party `index`.
    ///
    /// # Errors
    /// [`RosterError::Signature`] if it does not verify under that party's identity.
    pub fn verify_signature(&self, index: usize, signature: &[u8; 64]) -> Result<(), RosterError> {
        let wrong = RosterError::Signature { index };
        let public = self.signers.get(index).ok_or(wrong.clone())?;
        keys::verify_ed25519(public, &self.signed_bytes(), signature).map_err(|_| wrong)
    }

    /// Returns the Ed25519 key of the identity of party `index`.
    pub(crate) fn signer(&self, index: usize) -> Option<&[u8; 32]> {
        self.signers.get(index)
    }

    fn signed_bytes(&self) -> Vec<u8> {
        [LABEL, &self.hash].concat()
    }
}

impl RosterIn {
    /// Takes the bytes of a roster as received.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }

    /// Returns the identities that it names whose documents are elsewhere; nothing about them is known to be true.
    pub fn elsewhere(&self) -> Vec<String> {
        #[derive(Deserialize)]
        struct Claim {
            parties: Vec<PartyClaim>,
        }
        #[derive(Deserialize)]
        struct PartyClaim {
            identity: String,
        }
        let claim =
            if self.bytes.len() > MAX_ROSTER_BYTES { None } else { serde_json::from_slice(&self.bytes).ok() };
        let parties = claim.map_or_else(Vec::new, |claim: Claim| claim.parties);
        let identities = parties.into_iter().take(MAX_PARTIES).map(|party| party.identity);
        identities.filter(|identity| identity.starts_with(web::PREFIX)).collect()
    }

    /// Returns how many parties the roster claims to have; 0 when it cannot be read.
    pub fn claimed_parties(&self) -> usize {
        #[derive(Deserialize)]
        struct Claim {
            m: usize,
        }
        serde_json::from_slice::<Claim>(&self.bytes).map_or(0, |claim| claim.m)
    }

    /// Checks the roster against itself, against what this party knows, and against the host's signature.
    ///
    /// # Errors
    /// [`RosterError`] names the first thing that does not fit.
    pub fn verify(self, expected: &Expected<'_>, host_signature: &[u8; 64]) -> Result<Roster, RosterError> {
        let roster = self.check(expected.documents)?;
        roster.verify_signature(0, host_signature)?;
        let body = roster.body();
        let wrong = |what| RosterError::Wrong { what };
        if body.room != expected.room {
            return Err(wrong("room"));
        }
        if body.invitation != URL_SAFE_NO_PAD.encode(expected.invitation) {
            return Err(wrong("invitation hash"));
        }
        if roster.party(0).is_none_or(|party| party.did != expected.host) {
            return Err(wrong("host"));
        }
        if !expected.mediators.contains(&body.relay) {
            return Err(wrong("relay"));
        }
        let is_ours = |party: &Party| {
            (party.identity.as_str(), party.commitment, party.confirm)
                == (expected.identity, expected.commitment, expected.confirm)
        };
        if !roster.party_of(expected.did).is_some_and(is_ours) {
            return Err(wrong("entry for this party"));
        }
        let identities = || body.parties.iter().map(|party| &party.identity);
        if let Some((list, round)) = expected.list {
            if !identities().eq(list.parties().iter().map(|party| &party.did)) {
                return Err(wrong("list of parties"));
            }
            if body.round <= round {
                return Err(wrong("round"));
            }
        } else if body.round != 1 {
            return Err(wrong("round"));
        }
        if let Some(ours) = expected.threshold
            && ours != body.threshold
        {
            return Err(RosterError::Threshold { host: body.threshold, ours });
        }
        let ours = roster.party_of(expected.did).map(|party| party.program);
        if ours != Some(agreement::kind(expected.manifest)) {
            return Err(wrong("kind of program of this party"));
        }
        agreement::with_host(expected.manifest, body.manifest.as_ref(), body.m)
            .map_err(RosterError::Manifest)?;
        Ok(roster)
    }

    /// Checks everything that needs no knowledge of our own.
    ///
    /// # Errors
    /// [`RosterError`] names the first thing that does not fit.
    pub(crate) fn check(self, documents: &Documents) -> Result<Roster, RosterError> {
        if self.bytes.len() > MAX_ROSTER_BYTES {
            return Err(RosterError::Malformed);
        }
        let body: RosterBody = serde_json::from_slice(&self.bytes).map_err(|_| RosterError::Malformed)?;
        let wrong = |what| Err(RosterError::Wrong { what });
        if body.v != 1 {
            return wrong("version");
        }
        if !(2..=MAX_PARTIES).contains(&body.m) || body.m != body.parties.len() {
            return wrong("number of parties");
        }
        // Shamir sharing with multiplication needs 2t < m; MPyC asserts it.
        if body.threshold >= body.m.div_ceil(2) {
            return wrong("threshold");
        }
        if body.round == 0 {
            return wrong("round");
        }
        if body.manifest.as_ref().is_some_and(|manifest| manifest.check().is_err()) {
            return wrong("manifest");
        }
        if body.parties.first().map(|party| party.program) != Some(agreement::kind(body.manifest.as_ref())) {
            return wrong("kind of program of the host");
        }
        let mut signers = Vec::new();
        for (index, party) in body.parties.iter().enumerate() {
            let signer = check_party(&body.parties, index, party, documents)?;
            if signers.contains(&signer) {
                return Err(RosterError::Party { index, what: "identity that another party has" });
            }
            signers.push(signer);
        }
        let hash = Sha256::digest(&self.bytes).into();
        let used = body.parties.iter().filter_map(|party| documents.get_key_value(&party.identity));
        let documents = used.map(|(did, document)| (did.clone(), document.clone())).collect();
        Ok(Roster { body, bytes: self.bytes, hash, signers, credentials: Vec::new(), documents })
    }
}

/// Checks one entry: its place, its link, its key id, and that no other entry shares an identity or DID with it (one
/// party in two seats would hold two shares). Returns the key of its identity.
fn check_party(
    all: &[Party],
    index: usize,
    party: &Party,
    documents: &Documents,
) -> Result<[u8; 32], RosterError> {
    let wrong = |what| Err(RosterError::Party { index, what });
    if party.index != index {
        return wrong("index");
    }
    if !is_showable(&party.name) {
        return wrong("name");
    }
    let earlier = &all[..index];
    if earlier.iter().any(|other| other.identity == party.identity || other.did == party.did) {
        return wrong("identity that another party has");
    }
    if did::did_of(&party.kid) != party.did {
        return wrong("key id");
    }
    let Ok(document) = did::resolve_offline(&party.did) else {
        return wrong("DID");
    };
    if document.x25519(&party.kid).is_none() {
        return wrong("key id");
    }
    match link::verify_with(&party.link, &party.did, documents) {
        Ok(verified) if verified.identity == party.identity => Ok(verified.key),
        Err(LinkError::NoDocument) => wrong("identity whose document is not known"),
        Err(LinkError::UnlistedKey) => wrong("key that the document of its identity does not list"),
        _ => wrong("identity link"),
    }
}

/// Says whether a name that somebody gave itself may be shown on a screen: not empty, short, and nothing invisible, which
/// could move the cursor over the table or turn the text around.
pub fn is_showable(name: &str) -> bool {
    let length = name.chars().count();
    (1..=MAX_NAME_CHARS).contains(&length) && !name.chars().any(is_invisible) && name.trim() == name
}

#[cfg(test)]
pub(crate) mod tests;
