//! Identities whose documents are elsewhere: a message that shows one waits until its document is there.
//!
//! Specification: `spec/connect.md`, CN-73 to CN-75.
//!
//! ```text
//! join, roster --names a did:web--> Output::Resolve ... Input::Resolved --> the message is read, with the document or without
//! ```
//!
//! Each message asks again: whoever resolves remembers documents for as long as their sites allow, and no longer.
//!
//! Not its concern: where documents come from (`io::did`), what a link proves (`didagent_didcomm::link`).

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

use didagent_didcomm::did::DidDocument;
use didagent_didcomm::envelope::Authenticated;
use didagent_didcomm::link;
use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::room::{Ask, Join, Roster as RosterMessage};

use crate::core::allowance::{Allowance, Rate};
use crate::core::room::roster::{MAX_PARTIES, RosterIn};
use crate::failure::{Failure, Kind};

/// Documents by their DID.
pub(crate) type Documents = HashMap<String, DidDocument>;

/// Messages that wait: one from each who can have a seat, and as many from others.
const MAX_WAITING: usize = 2 * MAX_PARTIES;

/// Documents that are kept: those of all parties, and as many of others.
const MAX_KNOWN: usize = 2 * MAX_PARTIES;

/// Lookups that strangers can cause: a full room at once, and then one every other second. Each is a request to a web site that they
/// choose.
const LOOKUPS: Rate = Rate { burst: 32, each: Duration::from_secs(2) };

/// What is known of identities that are a did:web.
#[derive(Debug)]
pub(super) struct Lookup {
    documents: Documents,
    /// Why there is no document, until the next attempt.
    failures: HashMap<String, Failure>,
    asked: BTreeSet<String>,
    waiting: VecDeque<(Authenticated, Message)>,
    allowance: Option<Allowance>,
}

/// What is to be done with a message.
pub(super) enum Reading {
    /// Read it.
    Now,
    /// It waits until these DIDs are resolved; they are to be asked for, unless that is done already.
    Later(Vec<String>),
    /// Too much waits already.
    Never,
}

impl Lookup {
    pub(super) fn new() -> Self {
        Self {
            documents: Documents::new(),
            failures: HashMap::new(),
            asked: BTreeSet::new(),
            waiting: VecDeque::new(),
            allowance: None,
        }
    }

    /// The documents that were resolved.
    pub(super) fn documents(&self) -> &Documents {
        &self.documents
    }

    /// Takes a message that has just arrived.
    pub(super) fn arrived(&mut self, sender: &Authenticated, message: &Message, now: Instant) -> Reading {
        let wanted: BTreeSet<String> = elsewhere(message).into_iter().collect();
        if wanted.is_empty() {
            return Reading::Now;
        }
        // The same again, as guests send it until they have an answer.
        self.waiting.retain(|(waiting, _)| waiting.did != sender.did);
        if self.waiting.len() >= MAX_WAITING {
            return Reading::Never;
        }
        let mut unasked: Vec<String> = wanted.into_iter().filter(|did| !self.asked.contains(did)).collect();
        let allowance = self.allowance.get_or_insert_with(|| Allowance::full(LOOKUPS, now));
        unasked.retain(|_| allowance.spend(now));
        self.asked.extend(unasked.iter().cloned());
        self.waiting.push_back((sender.clone(), message.clone()));
        Reading::Later(unasked)
    }

    /// Takes what came of looking up `did`. What is known of an identity that has a seat stays known until its site says something
    /// else: that the site is away for a moment takes nobody's seat.
    pub(super) fn resolved(
        &mut self,
        did: String,
        result: Result<DidDocument, Failure>,
        is_seated: impl Fn(&str) -> bool,
    ) {
        self.asked.remove(&did);
        if self.documents.len() >= MAX_KNOWN {
            self.documents.retain(|did, _| is_seated(did));
        }
        if self.failures.len() >= MAX_KNOWN {
            self.failures.clear();
        }
        match result {
            Ok(document) => {
                self.failures.remove(&did);
                self.documents.insert(did, document);
            }
            Err(failure) => {
                if !is_seated(&did) {
                    self.documents.remove(&did);
                }
                self.failures.insert(did, failure);
            }
        }
    }

    /// Returns the next message for which nothing is looked up any more.
    pub(super) fn next(&mut self) -> Option<(Authenticated, Message)> {
        let asked = &self.asked;
        let is_ready = |(_, message): &(Authenticated, Message)| {
            elsewhere(message).iter().all(|did| !asked.contains(did))
        };
        let at = self.waiting.iter().position(is_ready)?;
        self.waiting.remove(at)
    }

    /// Returns why a roster cannot be read, if the document of an identity in it is not there.
    pub(super) fn failure_of(&self, message: &Message) -> Option<Failure> {
        let dids = elsewhere(message);
        let (did, failure) = dids.iter().find_map(|did| Some((did, self.failures.get(did)?)))?;
        let message = format!("a party of the room is {did}, and {}", failure.message);
        let told = Failure::new(failure.kind, message);
        Some(match (&failure.hint, failure.kind) {
            // The hint is for the command that resolves.
            (_, Kind::DidHostRefused) => told.hint("if it is your own network: --allow-private-hosts"),
            (Some(hint), _) => told.hint(hint),
            (None, _) => told,
        })
    }
}

/// The DIDs whose documents a message cannot be read without.
fn elsewhere(message: &Message) -> Vec<String> {
    if let Ok(join) = Join::try_from(message) {
        link::issuer(&join.link).into_iter().collect()
    } else if let Ok(ask) = Ask::try_from(message) {
        link::issuer(&ask.link).into_iter().collect()
    } else if let Ok(roster) = RosterMessage::try_from(message) {
        RosterIn::new(roster.roster).elsewhere()
    } else {
        Vec::new()
    }
}
