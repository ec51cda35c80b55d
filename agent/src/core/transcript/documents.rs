//! What a didagent saw of the documents that do not follow from their DID, and on whose word a reader takes a key.
//!
//! Specification: `spec/transcript.md`, TR-05, TR-23 and TR-25 to TR-27.
//!
//! ```text
//! room formed: documents --seen--> statement, signed --read--> Documents --> roster, credentials
//! the reader's own documents -------------------------given---/
//! several files --sources--> from whom each key is
//! ```
//!
//! A site says which key is somebody's, and signs nothing; who reads a transcript years later cannot ask what it said then. So whoever
//! states says what it saw, under its signature: that makes a lie somebody's lie, and does not make it true.
//!
//! Not its concern: asking a site (`io::did_web`), what a key has signed (`core::room::roster`, `super::credentials`).

use didagent_didcomm::did::{DidDocument, DidError, VerificationMethod, did_of, key, resolve_offline};
use didagent_didcomm::protocols::out_of_band::MAX_ISSUERS;
use serde::{Deserialize, Serialize};

use super::{Transcript, TranscriptError};
use crate::core::room::lookup::Documents;
use crate::core::room::roster::{MAX_PARTIES, Roster, RosterBody};

/// Most bytes of all that a statement says of documents, as JSON (TR-05): five hundred keys. More is no honest site's, and the file of
/// every party of the room would have it.
const MAX_SEEN_BYTES: usize = 128 * 1024;
/// Most documents: of every party, and of each issuer that an invitation can name (CR-20).
const MAX_DOCUMENTS: usize = MAX_PARTIES + MAX_ISSUERS;
/// Most keys of one, as a document has at most (CN-64).
const MAX_KEYS: usize = 64;

/// What was seen of one document: the keys with which its subject makes statements.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// Whose.
    pub did: String,
    /// In order of the document.
    pub keys: Vec<SeenKey>,
}

/// A key that a document lists under assertionMethod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeenKey {
    /// Its absolute id.
    pub kid: String,
    /// The key, as a did:key has it: base58 with its `z`.
    pub key: String,
}

/// From whom the key of a DID is whose document is elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySource {
    /// The identity of a party, or an issuer.
    pub did: String,
    /// The reader brought the document.
    pub is_given: bool,
    /// The indices of the parties, without the DID's own, that say that they saw it. Nobody and no document: the DID's party says so
    /// itself, or nobody does.
    pub seen_by: Vec<usize>,
    /// Not all of them, and not the document that was given, list the same keys.
    pub differs: bool,
}

impl Seen {
    /// Keeps of a document what a transcript has of it.
    pub fn of(document: &DidDocument) -> Self {
        let listed = document.assertion_method.iter();
        let keys = listed.filter_map(|kid| {
            let text = key::encode(&document.assertion_key(kid)?);
            Some(SeenKey { kid: kid.clone(), key: text.strip_prefix(key::PREFIX)?.to_owned() })
        });
        Self { did: document.id.clone(), keys: keys.collect() }
    }

    /// Returns the document that has these keys and nothing else, if they can be of this DID.
    fn document(&self) -> Option<DidDocument> {
        if resolve_offline(&self.did) != Err(DidError::UnsupportedMethod) || self.keys.len() > MAX_KEYS {
            return None;
        }
        let mut document = DidDocument::new(self.did.as_str());
        for SeenKey { kid, key } in &self.keys {
            let fragment = kid.strip_prefix(&self.did)?.strip_prefix('#')?;
            if did_of(kid) != self.did || fragment.is_empty() || document.method(kid).is_some() {
                return None;
            }
            let of_key = resolve_offline(&format!("{}{key}", key::PREFIX)).ok()?;
            let method = of_key.verification_methods.into_iter().next()?;
            document.assertion_method.push(kid.clone());
            document.verification_methods.push(VerificationMethod { id: kid.clone(), ..method });
            document.assertion_key(kid)?;
        }
        Some(document)
    }
}

/// Returns what a statement says of the documents that its roster was checked with, in order of the DIDs.
pub(super) fn seen(roster: &Roster) -> Vec<Seen> {
    let mut all: Vec<_> = roster.documents().values().map(Seen::of).collect();
    all.sort_unstable_by(|one, other| one.did.cmp(&other.did));
    let mut left = MAX_SEEN_BYTES;
    all.retain(|seen| {
        let length = super::json(seen).len();
        let fits = length <= left;
        left = left.saturating_sub(if fits { length } else { 0 });
        fits
    });
    all
}

/// Reads what a statement says of documents.
pub(super) fn read(all: &[Seen]) -> Result<Documents, TranscriptError> {
    let wrong = TranscriptError::Statement("documents");
    if all.len() > MAX_DOCUMENTS || !all.is_sorted_by(|one, next| one.did < next.did) {
        return Err(wrong);
    }
    let document = |seen: &Seen| Some((seen.did.clone(), seen.document()?));
    all.iter().map(document).collect::<Option<_>>().ok_or(wrong)
}

/// Checks that every document is needed: nothing else may hide in a statement.
pub(super) fn check_needed(all: &[Seen], body: &RosterBody) -> Result<(), TranscriptError> {
    let is_needed = |seen: &Seen| names(body, &seen.did);
    if all.iter().all(is_needed) { Ok(()) } else { Err(TranscriptError::Statement("documents")) }
}

/// Says whether a roster names this DID as a party's identity or as an issuer.
pub(super) fn names(body: &RosterBody, did: &str) -> bool {
    body.parties.iter().any(|party| party.identity == did) || body.require_issuer.iter().any(|one| one == did)
}

/// Says of files of one round from whom each key is that does not follow from its DID: those of parties, then of issuers.
pub fn sources(all: &[Transcript]) -> Vec<KeySource> {
    let Some(first) = all.first() else { return Vec::new() };
    let body = first.roster().body();
    let dids = body.parties.iter().map(|party| &party.identity).chain(&body.require_issuer);
    let mut sources: Vec<KeySource> = Vec::new();
    for did in dids {
        if all.iter().any(|one| one.used.contains(did)) && !sources.iter().any(|known| known.did == *did) {
            sources.push(source(all, body, did));
        }
    }
    sources
}

fn source(all: &[Transcript], body: &RosterBody, did: &str) -> KeySource {
    let seen = |one: &Transcript| {
        let seen = one.statement.documents.iter().find(|seen| seen.did == did)?;
        Some((one.statement.index, seen.clone()))
    };
    let by: Vec<_> = all.iter().filter_map(seen).collect();
    let is_other = |index: &usize| body.parties.get(*index).is_none_or(|party| party.identity != did);
    let given = all.iter().find_map(|one| one.given.get(did));
    let mut contents = by.iter().map(|(_, seen)| seen).chain(given);
    let first = contents.next();
    KeySource {
        did: did.to_owned(),
        is_given: given.is_some(),
        differs: contents.any(|other| Some(other) != first),
        seen_by: by.iter().map(|(index, _)| *index).filter(is_other).collect(),
    }
}

#[cfg(test)]
mod tests;
