//! Identities whose documents are elsewhere: a message that shows one waits until its document is there.
//!
//! Specification: `spec/connect.md`, CN-73 to CN-75; `spec/credentials.md`, CR-25; `spec/room.md`, RM-111.
//!
//! ```text
//! join, ask, roster --names a did:web--> Output::Resolve ... Input::Resolved --> the message is read, with the document or without
//! join that shows a credential --> first its issuer's document; then, if the issuer has signed it for this identity, that one's
//!                                  document and Output::StatusList ... Input::StatusList
//!         too much waits already, or nobody may be asked for it now --> the sender is told to come again
//! ```
//!
//! Whoever has only the link must not be able to keep others out, nor to choose whom this machine asks: where credentials are required,
//! nothing is looked up for those who show none. Whoever resolves remembers documents for as long as their sites allow, and no longer.
//!
//! Not its concern: where documents come from (`io::did`), what a link proves (`didagent_didcomm::link`).

mod sources;

use std::collections::{BTreeSet, HashMap, VecDeque};

use didagent_didcomm::did::{DidDocument, web};
use didagent_didcomm::envelope::Authenticated;
use didagent_didcomm::link;
use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::room::{Ask, Join, Roster as RosterMessage};

use crate::core::credential::Evidence;
use crate::core::room::Now;
use crate::core::room::credentials;
use crate::core::room::roster::{MAX_PARTIES, RosterIn};
use crate::failure::{Failure, Kind};
pub(super) use sources::is_passing;
use sources::{Chooser, Need, Sources};

/// Documents by their DID.
pub(crate) type Documents = HashMap<String, DidDocument>;

/// Messages that wait: one from each who can have a seat, and as many from others.
const MAX_WAITING: usize = 2 * MAX_PARTIES;

/// Messages that wait for documents of one web site: half an institution's guests at once, and a site that never answers holds only them.
const MAX_OF_SITE: usize = 8;

/// What is known of identities that are a did:web, and of the credentials that parties show.
#[derive(Debug)]
pub(super) struct Lookup {
    /// Whose credentials the invitation requires.
    issuers: Vec<String>,
    sources: Sources,
    waiting: VecDeque<Waiting>,
    sent_away: Vec<(Authenticated, Message)>,
}

/// What a host knows of an identity that somebody says to be, before anything of it is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It has a seat.
    Seated,
    /// The host's person knows it.
    Known,
    /// Nothing.
    Stranger,
    /// It cannot get a seat, whoever it is.
    Unwanted,
}

/// Who says to have written a message.
#[derive(Debug, PartialEq, Eq)]
enum Author {
    /// The host, which has sent a roster.
    Host,
    /// A guest.
    Guest { identity: String, standing: Standing },
}

/// How far a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// It waits for nothing yet.
    Begins,
    /// The documents of issuers are there; if none are required, those of identities.
    Issuers,
    /// Everything is.
    Ready,
}

/// A message that waits.
#[derive(Debug)]
struct Waiting {
    sender: Authenticated,
    message: Message,
    author: Author,
    step: Step,
    /// For what it waits.
    keys: BTreeSet<String>,
}

impl Waiting {
    /// The web site of its author's document, if that has one and is nobody whom the host knows.
    fn site(&self) -> Option<&str> {
        match &self.author {
            Author::Guest { identity, standing: Standing::Stranger } => site(identity),
            _ => None,
        }
    }

    fn is_strange(&self) -> bool {
        matches!(self.author, Author::Guest { standing: Standing::Stranger, .. })
    }
}

/// What is to be done with a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// Read it.
    Now,
    /// It waits.
    Waits,
}

impl Lookup {
    /// `issuers` are those whose credentials the invitation requires.
    pub(super) fn new(issuers: &[String]) -> Self {
        Self {
            issuers: issuers.to_vec(),
            sources: Sources::default(),
            waiting: VecDeque::new(),
            sent_away: Vec::new(),
        }
    }

    /// What credentials are judged by.
    pub(super) fn evidence(&self) -> Evidence<'_> {
        let Sources { documents, lists, failures, .. } = &self.sources;
        Evidence { issuers: &self.issuers, documents, lists, failures }
    }

    /// The documents that were resolved.
    pub(super) fn documents(&self) -> &Documents {
        &self.sources.documents
    }

    /// Takes a message that has just arrived; `standing` is that of the identity that a guest says to be.
    pub(super) fn arrived(
        &mut self,
        sender: &Authenticated,
        message: &Message,
        standing: impl Fn(&str) -> Standing,
    ) -> Reading {
        let Some(author) = self.author(sender, message, standing) else { return Reading::Now };
        // The same again, as guests send it until they have an answer.
        self.forget(&sender.did);
        let (sender, message, keys) = (sender.clone(), message.clone(), BTreeSet::new());
        self.waiting.push_back(Waiting { sender, message, author, step: Step::Begins, keys });
        Reading::Waits
    }

    /// Forgets what waits of a sender: it has left, or says the same again.
    pub(super) fn forget(&mut self, did: &str) {
        self.waiting.retain(|waiting| waiting.sender.did != did);
    }

    /// Sends somebody away if too many wait: the oldest one. What can be had is had in a moment, so one that never comes does not hold up
    /// those who ask later. The newest message is the last one, and only with it there can be too many.
    fn bound(&mut self) {
        let newest = self.waiting.back().and_then(Waiting::site);
        let is_of_site = |waiting: &Waiting| newest.is_some() && waiting.site() == newest;
        let leaves = if self.waiting.iter().filter(|waiting| is_of_site(waiting)).count() > MAX_OF_SITE {
            self.waiting.iter().position(is_of_site)
        } else if self.waiting.len() > MAX_WAITING {
            self.waiting.iter().position(Waiting::is_strange).or(Some(0))
        } else {
            None
        };
        let left = leaves.and_then(|at| self.waiting.remove(at));
        self.sent_away.extend(left.map(|waiting| (waiting.sender, waiting.message)));
    }

    /// Says whose message it is, if anything can be looked up for it.
    fn author(
        &self,
        sender: &Authenticated,
        message: &Message,
        standing: impl Fn(&str) -> Standing,
    ) -> Option<Author> {
        let guest = |identity: String| {
            let standing = standing(&identity);
            (standing != Standing::Unwanted).then_some(Author::Guest { identity, standing })
        };
        if let Ok(join) = Join::try_from(message) {
            let elsewhere = link::issuer(&join.link, &sender.did);
            if self.issuers.is_empty() {
                return guest(elsewhere?);
            }
            let here = || link::verify(&join.link, &sender.did).ok().map(|link| link.identity);
            let identity = elsewhere.or_else(here)?;
            // Nothing is looked up for somebody who would be refused whatever comes of it.
            credentials::may_count(join.credential.as_deref(), &identity, &self.issuers).then_some(())?;
            guest(identity)
        } else if let Ok(ask) = Ask::try_from(message) {
            guest(link::issuer(&ask.link, &sender.did)?)
        } else if RosterMessage::try_from(message).is_ok() {
            let is_plain = parties_elsewhere(message).is_empty() && self.credentials_in(message).is_empty();
            (!is_plain).then_some(Author::Host)
        } else {
            None
        }
    }

    /// The credentials of a message; none are looked at if none are required.
    fn credentials_in(&self, message: &Message) -> Vec<String> {
        if self.issuers.is_empty() { Vec::new() } else { credentials::shown_in(message) }
    }

    /// Takes what came of asking for a status list; `seated` are the credentials of those who have a seat.
    pub(super) fn listed(
        &mut self,
        url: String,
        result: Result<String, Failure>,
        seated: &[String],
        now: Now,
    ) {
        let needed = match self.sources.is_full_of_lists() {
            true => credentials::lists_of(seated, &self.evidence(), now.unix),
            false => BTreeSet::new(),
        };
        self.sources.listed(url, result, |url| needed.contains(url), now.instant);
    }

    /// Takes what came of looking up `did`.
    pub(super) fn resolved(
        &mut self,
        did: String,
        result: Result<DidDocument, Failure>,
        is_seated: impl Fn(&str) -> bool,
        now: Now,
    ) {
        let stays = |did: &str| is_seated(did) || self.issuers.iter().any(|issuer| issuer == did);
        self.sources.resolved(did, result, stays, now.instant);
    }

    /// Returns the DIDs whose documents, and the addresses of the status lists, that are to be asked for.
    pub(super) fn take_questions(&mut self) -> (Vec<String>, Vec<String>) {
        (self.sources.documents_to_ask(), self.sources.lists_to_ask())
    }

    /// Returns the messages of those who are told to come again.
    pub(super) fn sent_away(&mut self) -> Vec<(Authenticated, Message)> {
        std::mem::take(&mut self.sent_away)
    }

    /// Returns the next message for which nothing is looked up any more.
    pub(super) fn next(&mut self, now: Now) -> Option<(Authenticated, Message)> {
        loop {
            let is_free = |waiting: &Waiting| !self.sources.is_asking(&waiting.keys);
            let Some(at) = self.waiting.iter().position(is_free) else {
                self.bound();
                return None;
            };
            let mut waiting = self.waiting.remove(at)?;
            let wanted = self.wanted(&waiting, now.unix);
            waiting.step = match waiting.step {
                Step::Begins => Step::Issuers,
                Step::Issuers => Step::Ready,
                Step::Ready => return Some((waiting.sender, waiting.message)),
            };
            let is_seated = matches!(waiting.author, Author::Guest { standing: Standing::Seated, .. });
            let mut comes_again = false;
            waiting.keys.clear();
            for (key, chooser) in wanted {
                match self.sources.need(&key, chooser, is_seated, now.instant) {
                    Need::Go => {}
                    Need::Wait => drop(waiting.keys.insert(key)),
                    // A host is not told so: what it sent is read with what there is.
                    Need::Later => comes_again |= waiting.author != Author::Host,
                }
            }
            if comes_again {
                self.sent_away.push((waiting.sender, waiting.message));
            } else {
                self.waiting.insert(at, waiting);
            }
        }
    }

    /// What must be there before a message makes its next step.
    fn wanted(&self, waiting: &Waiting, now: u64) -> Vec<(String, Chooser)> {
        let texts = self.credentials_in(&waiting.message);
        let issuers = || credentials::issuers_elsewhere(&texts, &self.issuers);
        let lists = || credentials::lists_of(&texts, &self.evidence(), now);
        let by = |chooser: Chooser| move |key: String| (key, chooser);
        let own = |identity: &String, chooser| {
            identity.starts_with(web::PREFIX).then(|| (identity.clone(), chooser)).into_iter()
        };
        let mut wanted = Vec::new();
        match (&waiting.author, waiting.step) {
            (_, Step::Ready) => {}
            (Author::Host, Step::Begins) => {
                wanted.extend(issuers().into_iter().map(by(Chooser::Us)));
                wanted.extend(parties_elsewhere(&waiting.message).into_iter().map(by(Chooser::Stranger)));
            }
            (Author::Host, Step::Issuers) => wanted.extend(lists().into_iter().map(by(Chooser::Issuer))),
            (Author::Guest { identity, standing }, Step::Begins) => {
                wanted.extend(issuers().into_iter().map(by(Chooser::Us)));
                if self.issuers.is_empty() {
                    let is_strange = *standing == Standing::Stranger;
                    wanted.extend(own(identity, if is_strange { Chooser::Stranger } else { Chooser::Us }));
                }
            }
            (Author::Guest { identity, .. }, Step::Issuers) => {
                if texts.iter().any(|text| self.evidence().is_vouched(text, identity, now)) {
                    // An issuer knows it.
                    wanted.extend(own(identity, Chooser::Us));
                    wanted.extend(lists().into_iter().map(by(Chooser::Issuer)));
                }
            }
        }
        wanted
    }

    /// Returns why a roster cannot be read, if the document of an identity in it is not there.
    pub(super) fn failure_of(&self, message: &Message) -> Option<Failure> {
        let dids = parties_elsewhere(message);
        let (did, failure) = dids.iter().find_map(|did| Some((did, self.sources.failures.get(did)?)))?;
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

/// The DIDs whose documents a roster cannot be read without.
fn parties_elsewhere(message: &Message) -> Vec<String> {
    let roster = RosterMessage::try_from(message).ok();
    roster.map(|roster| RosterIn::new(roster.roster).elsewhere()).unwrap_or_default()
}

/// The web site of a did:web.
fn site(did: &str) -> Option<&str> {
    did.strip_prefix(web::PREFIX)?.split(':').next()
}
