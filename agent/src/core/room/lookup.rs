//! Identities whose documents are elsewhere: a message that shows one waits until its document is there.
//!
//! Specification: `spec/connect.md`, CN-73 to CN-75.
//!
//! ```text
//! join, roster --names a did:web--> Output::Resolve ... Input::Resolved --> the message is read, with the document or without
//!                 credentials ----> then Output::StatusList ... Input::StatusList --'
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
use crate::core::credential::{Evidence, Lists};
use crate::core::room::Now;
use crate::core::room::credentials;
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

/// Status lists that are kept: those of all parties, and as many of others.
const MAX_LISTS: usize = 4 * MAX_PARTIES;

/// What is known of identities that are a did:web, and of the credentials that parties show.
#[derive(Debug)]
pub(super) struct Lookup {
    /// Whose credentials the invitation requires.
    issuers: Vec<String>,
    documents: Documents,
    lists: Lists,
    /// Why there is no document, until the next attempt.
    failures: HashMap<String, Failure>,
    asked: BTreeSet<String>,
    waiting: VecDeque<Waiting>,
    allowance: Option<Allowance>,
    /// For lists, whose addresses only issuers choose.
    lists_allowance: Option<Allowance>,
    lists_to_ask: Vec<String>,
}

/// A message that waits.
#[derive(Debug)]
struct Waiting {
    sender: Authenticated,
    message: Message,
    /// The status lists that it needs; known when the documents are.
    lists: Option<BTreeSet<String>>,
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
    /// `issuers` are those whose credentials the invitation requires.
    pub(super) fn new(issuers: &[String]) -> Self {
        Self {
            issuers: issuers.to_vec(),
            documents: Documents::new(),
            lists: Lists::new(),
            failures: HashMap::new(),
            asked: BTreeSet::new(),
            waiting: VecDeque::new(),
            allowance: None,
            lists_allowance: None,
            lists_to_ask: Vec::new(),
        }
    }

    /// What credentials are judged by.
    pub(super) fn evidence(&self) -> Evidence<'_> {
        let Self { issuers, documents, lists, failures, .. } = self;
        Evidence { issuers, documents, lists, failures }
    }

    /// The documents that were resolved.
    pub(super) fn documents(&self) -> &Documents {
        &self.documents
    }

    /// Takes a message that has just arrived.
    pub(super) fn arrived(&mut self, sender: &Authenticated, message: &Message, now: Instant) -> Reading {
        let wanted = self.documents_for(message);
        if wanted.is_empty() && self.credentials_in(message).is_empty() {
            return Reading::Now;
        }
        // The same again, as guests send it until they have an answer.
        self.waiting.retain(|waiting| waiting.sender.did != sender.did);
        if self.waiting.len() >= MAX_WAITING {
            return Reading::Never;
        }
        let mut unasked: Vec<String> = wanted.into_iter().filter(|did| !self.asked.contains(did)).collect();
        let allowance = self.allowance.get_or_insert_with(|| Allowance::full(LOOKUPS, now));
        unasked.retain(|_| allowance.spend(now));
        self.asked.extend(unasked.iter().cloned());
        self.waiting.push_back(Waiting { sender: sender.clone(), message: message.clone(), lists: None });
        Reading::Later(unasked)
    }

    /// The credentials of a message; none are looked at if none are required.
    fn credentials_in(&self, message: &Message) -> Vec<String> {
        if self.issuers.is_empty() { Vec::new() } else { credentials::shown_in(message) }
    }

    /// The DIDs whose documents a message cannot be read without.
    fn documents_for(&self, message: &Message) -> BTreeSet<String> {
        let issuers = credentials::issuers_elsewhere(&self.credentials_in(message), &self.issuers);
        elsewhere(message).into_iter().chain(issuers).collect()
    }

    /// Takes what came of asking for a status list. An older one is kept for those who have a seat.
    pub(super) fn listed(&mut self, url: String, result: Result<String, Failure>) {
        self.asked.remove(&url);
        match result {
            Ok(list) if self.lists.len() < MAX_LISTS || self.lists.contains_key(&url) => {
                self.failures.remove(&url);
                self.lists.insert(url, list);
            }
            Ok(_) => {}
            Err(failure) => drop(self.failures.insert(url, failure)),
        }
    }

    /// Returns the status lists that are to be asked for.
    pub(super) fn lists_to_ask(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lists_to_ask)
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
            self.documents.retain(|did, _| is_seated(did) || self.issuers.contains(did));
        }
        if self.failures.len() >= MAX_KNOWN {
            // An issuer's must not be forgotten: what is known of it would count again.
            self.failures.retain(|key, _| self.issuers.contains(key) || self.lists.contains_key(key));
        }
        match result {
            Ok(document) => {
                self.failures.remove(&did);
                self.documents.insert(did, document);
            }
            Err(failure) => {
                if !is_seated(&did) && !self.issuers.contains(&did) {
                    self.documents.remove(&did);
                }
                self.failures.insert(did, failure);
            }
        }
    }

    /// Returns the next message for which nothing is looked up any more.
    pub(super) fn next(&mut self, now: Now) -> Option<(Authenticated, Message)> {
        loop {
            let is_ready = |waiting: &Waiting| {
                let lists = waiting.lists.iter().flatten();
                !self.documents_for(&waiting.message).iter().chain(lists).any(|key| self.asked.contains(key))
            };
            let at = self.waiting.iter().position(is_ready)?;
            let waiting = self.waiting.get(at)?;
            if waiting.lists.is_some() {
                return self.waiting.remove(at).map(|waiting| (waiting.sender, waiting.message));
            }
            let texts = self.credentials_in(&waiting.message);
            let lists = credentials::lists_of(&texts, &self.evidence(), now.unix);
            self.ask_for_lists(&lists, now.instant);
            self.waiting.get_mut(at)?.lists = Some(lists);
        }
    }

    /// Each message asks again, within bounds: an issuer may have revoked something meanwhile.
    fn ask_for_lists(&mut self, lists: &BTreeSet<String>, now: Instant) {
        let allowance = self.lists_allowance.get_or_insert_with(|| Allowance::full(LOOKUPS, now));
        for url in lists {
            if self.asked.contains(url) {
                continue;
            }
            if allowance.spend(now) {
                self.asked.insert(url.clone());
                self.lists_to_ask.push(url.clone());
            } else {
                let message = "too many status lists were asked for lately";
                self.failures.insert(url.clone(), Failure::new(Kind::DidUnreachable, message));
            }
        }
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
