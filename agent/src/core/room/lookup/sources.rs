//! Documents and status lists: what was had of them, and when they are asked for again.
//!
//! Specification: `spec/connect.md`, CN-74; `spec/credentials.md`, CR-25.
//!
//! ```text
//! need(key) --> Wait: Output::Resolve, Output::StatusList ... had(key) --> Go
//!           \-> Go: it was had a moment ago, or nothing better will come
//!           \-> Later: nobody may be asked for it now
//! ```
//!
//! Whoever can send messages can make us ask others, so each kind of key has a pace. One that our own side has named (an issuer, its
//! lists, somebody the host knows) has its own: nobody uses that up by naming something else.
//!
//! Not its concern: which message needs what (`lookup`).

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use didagent_didcomm::did::DidDocument;

use super::Documents;
use crate::core::allowance::{Allowance, Rate};
use crate::core::credential::Lists;
use crate::core::room::roster::MAX_PARTIES;
use crate::failure::{Failure, Kind};

/// Documents that are kept: those of all parties, and as many of others.
const MAX_KNOWN: usize = 2 * MAX_PARTIES;

/// Status lists that are kept: those of all parties, and as many of others.
const MAX_LISTS: usize = 4 * MAX_PARTIES;

/// Keys that have a pace of their own: the issuers of an invitation, the lists that are kept, and whom a host may know. Others share one.
const MAX_PACES: usize = 128;

/// Lookups of what strangers choose, all together: a full room at once, and then one every other second. Each is a request to a web
/// site that they name.
const STRANGE: Rate = Rate { burst: 32, each: Duration::from_secs(2) };

/// Lookups of one key that our own side has named: a few people who come at once each see it as it is; if somebody makes us look without
/// end, it is seldom enough for any site, and often enough that nobody waits for it.
const NAMED: Rate = Rate { burst: 4, each: Duration::from_secs(8) };

/// So long what was had counts for those for whom nobody is asked. Less than what may be remembered anyway (CN-67), and longer than a
/// lookup takes that was allowed meanwhile.
const FRESH: Duration = Duration::from_secs(60);

/// Who has chosen what is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chooser {
    /// Anybody.
    Stranger,
    /// Our side: a named issuer, or an identity that the host knows.
    Us,
    /// An issuer: one of its status lists.
    Issuer,
}

/// What a message that needs a key has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// Go on with what there is.
    Go,
    /// Wait: it is asked for.
    Wait,
    /// Come again: it can not be asked for now.
    Later,
}

/// What was had of documents and lists.
#[derive(Debug, Default)]
pub(super) struct Sources {
    pub(super) documents: Documents,
    pub(super) lists: Lists,
    /// Why there is no document or list, until the next attempt.
    pub(super) failures: HashMap<String, Failure>,
    /// When each was had last.
    had: HashMap<String, Instant>,
    asked: BTreeSet<String>,
    strange: Option<Allowance>,
    /// For lists: only issuers choose their addresses, but they may have many.
    listed: Option<Allowance>,
    named: HashMap<String, Allowance>,
    documents_to_ask: Vec<String>,
    lists_to_ask: Vec<String>,
}

impl Sources {
    /// Says what becomes of a message that needs `key`, and asks for it if it is time. `is_seated`: whoever wrote it has a seat, and what
    /// was had for that one counts until something else is heard.
    pub(super) fn need(&mut self, key: &str, chooser: Chooser, is_seated: bool, now: Instant) -> Need {
        let is_held = self.documents.contains_key(key) || self.lists.contains_key(key);
        let is_fresh = is_held
            && !self.failures.contains_key(key)
            && self.had.get(key).is_some_and(|at| now.saturating_duration_since(*at) < FRESH);
        if self.asked.contains(key) {
            return if is_fresh { Need::Go } else { Need::Wait };
        }
        if self.may_ask(key, chooser, now) {
            self.asked.insert(key.to_owned());
            match chooser {
                Chooser::Issuer => self.lists_to_ask.push(key.to_owned()),
                Chooser::Us | Chooser::Stranger => self.documents_to_ask.push(key.to_owned()),
            }
            return Need::Wait;
        }
        let is_hopeless = self.failures.get(key).is_some_and(|failure| !is_passing(Some(failure)));
        if is_fresh || is_hopeless || is_seated && is_held { Need::Go } else { Need::Later }
    }

    fn may_ask(&mut self, key: &str, chooser: Chooser, now: Instant) -> bool {
        let strange = self.strange.get_or_insert_with(|| Allowance::full(STRANGE, now));
        if chooser == Chooser::Stranger {
            return strange.spend(now);
        }
        if !self.named.contains_key(key) && self.named.len() >= MAX_PACES {
            self.named.retain(|_, pace| !pace.is_full(now));
            if self.named.len() >= MAX_PACES {
                return strange.spend(now);
            }
        }
        let pace = self.named.entry(key.to_owned()).or_insert_with(|| Allowance::full(NAMED, now));
        let listed = self.listed.get_or_insert_with(|| Allowance::full(STRANGE, now));
        pace.spend(now) && (chooser != Chooser::Issuer || listed.spend(now))
    }

    /// Says whether any of these is being asked for.
    pub(super) fn is_asking(&self, keys: &BTreeSet<String>) -> bool {
        keys.iter().any(|key| self.asked.contains(key))
    }

    /// Returns the DIDs whose documents are to be asked for.
    pub(super) fn documents_to_ask(&mut self) -> Vec<String> {
        std::mem::take(&mut self.documents_to_ask)
    }

    /// Returns the addresses of the status lists that are to be asked for.
    pub(super) fn lists_to_ask(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lists_to_ask)
    }

    /// Says whether no other list can be kept beside those that are.
    pub(super) fn is_full_of_lists(&self) -> bool {
        self.lists.len() >= MAX_LISTS
    }

    /// Takes what came of asking for a status list. An older one is kept for those who have a seat; when there are too many, the oldest
    /// one goes for which nobody `stays`.
    pub(super) fn listed(
        &mut self,
        url: String,
        result: Result<String, Failure>,
        stays: impl Fn(&str) -> bool,
        now: Instant,
    ) {
        self.asked.remove(&url);
        let list = match result {
            Ok(list) => list,
            Err(failure) => return drop(self.failures.insert(url, failure)),
        };
        if self.is_full_of_lists() && !self.lists.contains_key(&url) {
            let others = self.lists.keys().filter(|url| !stays(url));
            let oldest = others.min_by_key(|url| self.had.get(*url)).cloned();
            if let Some(oldest) = oldest {
                self.lists.remove(&oldest);
                self.had.remove(&oldest);
            }
        }
        self.failures.remove(&url);
        self.had.insert(url.clone(), now);
        self.lists.insert(url, list);
    }

    /// Takes what came of looking up `did`. What is known of an identity for which `stays` stays known until its site says something
    /// else: that the site is away for a moment takes nobody's seat.
    pub(super) fn resolved(
        &mut self,
        did: String,
        result: Result<DidDocument, Failure>,
        stays: impl Fn(&str) -> bool,
        now: Instant,
    ) {
        self.asked.remove(&did);
        if self.documents.len() >= MAX_KNOWN {
            self.documents.retain(|did, _| stays(did));
        }
        if self.failures.len() >= MAX_KNOWN {
            // An issuer's must not be forgotten: what is known of it would count again.
            self.failures.retain(|key, _| stays(key) || self.lists.contains_key(key));
        }
        let (documents, lists) = (&self.documents, &self.lists);
        self.had.retain(|key, _| documents.contains_key(key) || lists.contains_key(key));
        match result {
            Ok(document) => {
                self.failures.remove(&did);
                self.had.insert(did.clone(), now);
                self.documents.insert(did, document);
            }
            Err(failure) => {
                if !stays(&did) {
                    self.documents.remove(&did);
                }
                self.failures.insert(did, failure);
            }
        }
    }
}

/// Says whether what could not be had for this reason may be had soon: a site that did not answer, or that nobody has asked.
pub(in crate::core::room) fn is_passing(failure: Option<&Failure>) -> bool {
    failure.is_none_or(|failure| failure.kind == Kind::DidUnreachable)
}
