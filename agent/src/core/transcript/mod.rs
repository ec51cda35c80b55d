//! The transcript of a run: who agreed to run what, signed by all, and what one party says of how it went.
//!
//! Specification: `spec/transcript.md`.
//!
//! ```text
//! run over --> Record::write --> file --> Transcript::read --> together
//! ```
//!
//! Reading needs nothing but the file: no network, no home, no clock. What [`Transcript::read`] returns was checked as a whole.
//!
//! Not its concern: where files are kept (`io::transcripts`), what people are shown of them (`cli::verify`).

mod credentials;
mod documents;
mod together;

use std::collections::BTreeMap;

use didagent_didcomm::keys;
use didagent_didcomm::protocols::{Digest32, b64url_decode, b64url_encode};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::core::identity::Identity;
use crate::core::room::Assent;
use crate::core::room::lookup::Documents;
use crate::core::room::roster::{Roster, RosterError, RosterIn};
use crate::core::room::words;
pub use credentials::{Checked, Shows};
pub use documents::{KeySource, Seen, SeenKey, sources};
pub use together::{Misfit, fits_program, together};

/// Most bytes of a file (TR-20): a roster of 64 KiB is 87,382 characters in base64url, all credentials are 48 KiB, what is said of
/// documents is at most 128 KiB, which is 174,763 characters, assents and the rest of a statement are a few KB.
pub const MAX_BYTES: usize = 512 * 1024;

/// Signed in front of a statement's hash, `spec/0-names.md` section 0.2.
const LABEL: &[u8] = b"didagent-transcript/1";

/// The `type` of the file.
const TYPE: &str = "didagent-transcript";

/// The file as it is written.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(rename = "type")]
    type_: String,
    v: u32,
    roster: String,
    ready: Vec<Shown>,
    /// The credentials whose hashes the roster has; `None` for one that was taken out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    credentials: Vec<Option<String>>,
    statement: String,
    signature: String,
}

/// What a party showed in `ready`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Shown {
    nonce: Digest32,
    signature: String,
}

/// What one party says of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// Layout version, 1.
    pub v: u32,
    /// The round hash.
    pub round: Digest32,
    /// Index of the party that states.
    pub index: usize,
    /// When its ports opened, UTC seconds.
    pub began: u64,
    /// When its run was over, UTC seconds.
    pub ended: u64,
    /// Exit code of its command.
    pub exit: u8,
    /// Exit code of its program; `None` if it was stopped or started by hand.
    pub program: Option<u8>,
    /// Code of the failure that ended the run or explains it.
    pub reason: Option<String>,
    /// Bytes to and from every other party, in order of the index.
    pub peers: Vec<Traffic>,
    /// What the documents of parties and issuers said when the room formed, if they do not follow from the DID; in order of the DIDs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub documents: Vec<Seen>,
}

/// Bytes that passed between the program of the party that states and another party's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Traffic {
    /// The other party's index.
    pub index: usize,
    /// Bytes for that party.
    pub up: u64,
    /// Bytes of that party.
    pub down: u64,
}

/// What is known of a run as it begins.
#[derive(Debug, Clone)]
pub struct Record {
    /// What everybody signed.
    pub roster: Box<Roster>,
    /// What everybody showed, in order of the index.
    pub assents: Vec<Assent>,
    /// Our own index.
    pub index: usize,
    /// When it began, UTC seconds.
    pub began: u64,
}

/// How it ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// When, UTC seconds.
    pub ended: u64,
    /// Exit code of the command.
    pub exit: u8,
    /// Exit code of the program, if it ended by itself.
    pub program: Option<u8>,
    /// Code of the failure that ended the run or explains it.
    pub reason: Option<&'static str>,
    /// Bytes to and from every other party, in order of the index.
    pub peers: Vec<Traffic>,
}

/// A transcript in which everything that can be checked offline holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transcript {
    roster: Roster,
    words: Vec<&'static str>,
    statement: Statement,
    credentials: Vec<Shows>,
    /// The DIDs whose keys do not follow from them, and were known.
    used: Vec<String>,
    /// What is in the documents that the reader brought.
    given: BTreeMap<String, Seen>,
}

/// Why a file is no transcript, or none that holds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TranscriptError {
    /// Too long, not JSON, another `type` or version, or other members.
    #[error("it is no transcript, or only a part of one")]
    NotOne,
    /// A member cannot be read.
    #[error("its {0} cannot be read")]
    Unreadable(&'static str),
    /// A party's document has to be looked up: neither the file nor the reader has it.
    #[error("not checked offline: the file does not say which key {did} had, which has to be looked up")]
    Elsewhere {
        /// The party's identity.
        did: String,
    },
    /// The roster or a signature over it does not hold.
    #[error("{0}")]
    Roster(#[from] RosterError),
    /// Not as many parties signed as the roster names.
    #[error("{shown} parties signed a roster of {m}")]
    Missing {
        /// How many signed.
        shown: usize,
        /// How many there are.
        m: usize,
    },
    /// A nonce is not the one that its party had committed to.
    #[error("party {index} shows another number than it had committed to")]
    Nonce {
        /// Whose.
        index: usize,
    },
    /// The statement is not signed by the party that it names.
    #[error("the statement is not signed by the party that it is said to be of")]
    Signature,
    /// The statement is about another round.
    #[error("the statement is about another round")]
    Round,
    /// The statement contradicts the roster or itself.
    #[error("the statement's {0} cannot be")]
    Statement(&'static str),
    /// A party's credential is not what the roster needs, or is not there to be looked at in the right place.
    #[error("the credential of party {index} does not hold: {why}")]
    Credential {
        /// Whose.
        index: usize,
        /// Why.
        why: &'static str,
    },
}

impl Record {
    /// Writes the file of a run that is over, signed by `identity`.
    pub fn write(&self, outcome: Outcome, identity: &Identity) -> Vec<u8> {
        let Outcome { ended, exit, program, reason, peers } = outcome;
        let statement = Statement {
            v: 1,
            round: Digest32(self.roster.hash()),
            index: self.index,
            began: self.began,
            // A clock that was set back meanwhile must not make a statement that nobody takes.
            ended: ended.max(self.began),
            exit,
            program,
            reason: reason.map(str::to_owned),
            peers,
            documents: documents::seen(&self.roster),
        };
        let statement = json(&statement);
        let shown =
            |assent: &Assent| Shown { nonce: assent.nonce, signature: b64url_encode(assent.signature) };
        let document = Document {
            type_: TYPE.to_owned(),
            v: 1,
            roster: b64url_encode(self.roster.bytes()),
            ready: self.assents.iter().map(shown).collect(),
            credentials: self.roster.credentials().iter().cloned().map(Some).collect(),
            signature: b64url_encode(identity.sign(&signed_bytes(&statement))),
            statement: b64url_encode(statement),
        };
        json(&document)
    }
}

#[expect(clippy::expect_used, reason = "structs of strings, integers and lists always serialise")]
fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec_pretty(value).expect("no maps, so no keys that are not strings")
}

impl Transcript {
    /// Reads a file and checks all of it. Keys that do not follow from a DID are those that the file says; [`sources`] tells who says so.
    ///
    /// # Errors
    /// [`TranscriptError`] names the first thing that does not hold.
    pub fn read(bytes: &[u8]) -> Result<Self, TranscriptError> {
        Self::read_with(bytes, &Documents::new())
    }

    /// Like [`Transcript::read`]; the documents in `given` count instead of what the file says of the same DIDs (TR-26).
    ///
    /// # Errors
    /// [`TranscriptError`] names the first thing that does not hold.
    pub fn read_with(bytes: &[u8], given: &Documents) -> Result<Self, TranscriptError> {
        if bytes.len() > MAX_BYTES {
            return Err(TranscriptError::NotOne);
        }
        let document: Document = serde_json::from_slice(bytes).map_err(|_| TranscriptError::NotOne)?;
        if document.type_ != TYPE || document.v != 1 {
            return Err(TranscriptError::NotOne);
        }
        let unreadable = TranscriptError::Unreadable;
        let roster = b64url_decode(&document.roster).ok_or(unreadable("roster"))?;
        let stated = b64url_decode(&document.statement).ok_or(unreadable("statement"))?;
        let statement: Statement = serde_json::from_slice(&stated).map_err(|_| unreadable("statement"))?;
        // Nothing of it counts until the signature of its party is checked; whether that one has this key, nothing in the file can show.
        let mut documents = documents::read(&statement.documents)?;
        documents.extend(given.iter().map(|(did, document)| (did.clone(), document.clone())));
        let roster = read_roster(roster, &documents)?;
        let words = check_assents(&roster, &document.ready)?;
        check_statement(&roster, &statement, &stated, &document.signature)?;
        documents::check_needed(&statement.documents, roster.body())?;
        let credentials =
            credentials::check(roster.body(), document.credentials, statement.began, &documents)?;
        let issuers = credentials.iter().filter_map(Shows::issuer_elsewhere);
        let used = roster.documents().keys().chain(issuers).cloned().collect();
        let given = given.iter().map(|(did, document)| (did.clone(), Seen::of(document))).collect();
        Ok(Self { roster, words, statement, credentials, used, given })
    }

    /// Says whether a party is this DID or shows a credential that may be of it.
    pub fn names(&self, did: &str) -> bool {
        documents::names(self.roster.body(), did)
    }

    /// Returns what everybody signed.
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// Returns the words that people compared.
    pub fn words(&self) -> &[&'static str] {
        &self.words
    }

    /// Returns what each party showed of an authority, in order of the index; nothing if that was not required.
    pub fn credentials(&self) -> &[Shows] {
        &self.credentials
    }

    /// Returns what the party whose file it is says.
    pub fn statement(&self) -> &Statement {
        &self.statement
    }
}

fn read_roster(bytes: Vec<u8>, documents: &Documents) -> Result<Roster, TranscriptError> {
    let roster = RosterIn::new(bytes);
    if let Some(did) = roster.elsewhere().into_iter().find(|did| !documents.contains_key(did)) {
        return Err(TranscriptError::Elsewhere { did });
    }
    Ok(roster.check(documents)?)
}

/// Checks that everybody signed and showed what it had committed to, and returns the words.
fn check_assents(roster: &Roster, ready: &[Shown]) -> Result<Vec<&'static str>, TranscriptError> {
    let m = roster.body().m;
    if ready.len() != m {
        return Err(TranscriptError::Missing { shown: ready.len(), m });
    }
    for (party, shown) in roster.body().parties.iter().zip(ready) {
        let index = party.index;
        let signature = bytes_of(&shown.signature).ok_or(RosterError::Signature { index })?;
        roster.verify_signature(index, &signature)?;
        if words::commitment(&shown.nonce.0) != party.commitment {
            return Err(TranscriptError::Nonce { index });
        }
    }
    Ok(words::words(&roster.hash(), ready.iter().map(|shown| &shown.nonce.0)))
}

/// Checks that the statement, which was read from `bytes`, is signed by its party, and can be about this roster.
fn check_statement(
    roster: &Roster,
    statement: &Statement,
    bytes: &[u8],
    signature: &str,
) -> Result<(), TranscriptError> {
    let signer = roster.signer(statement.index).ok_or(TranscriptError::Statement("index"))?;
    let signature = bytes_of(signature).ok_or(TranscriptError::Signature)?;
    keys::verify_ed25519(signer, &signed_bytes(bytes), &signature).map_err(|_| TranscriptError::Signature)?;
    let wrong = |what| Err(TranscriptError::Statement(what));
    if statement.v != 1 {
        return wrong("version");
    }
    if statement.round.0 != roster.hash() {
        return Err(TranscriptError::Round);
    }
    if statement.ended < statement.began {
        return wrong("time");
    }
    if statement.reason.as_deref().is_some_and(|reason| !is_code(reason)) {
        return wrong("reason");
    }
    let others = (0..roster.body().m).filter(|index| *index != statement.index);
    if !statement.peers.iter().map(|traffic| traffic.index).eq(others) {
        return wrong("list of the others");
    }
    Ok(())
}

fn signed_bytes(statement: &[u8]) -> Vec<u8> {
    [LABEL, &Sha256::digest(statement)].concat()
}

fn bytes_of(text: &str) -> Option<[u8; 64]> {
    b64url_decode(text)?.try_into().ok()
}

/// Says whether this is an error code: `E` and four digits.
fn is_code(text: &str) -> bool {
    text.strip_prefix('E')
        .is_some_and(|rest| rest.len() == 4 && rest.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests;
