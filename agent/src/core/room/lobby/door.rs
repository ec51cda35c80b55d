//! The door of a room whose host decides about each guest: who waits in front of it, and whom the host's person let in.
//!
//! Specification: `spec/room.md`, section 2, "A host that decides".
//!
//! ```text
//! join --> Applicant --wait--> seats {pending}      again with each join
//!                    Input::Admit --> a seat, and from then on as everybody
//!                    Input::Refuse --> denied
//! ```
//!
//! Whoever reads the chat can ask under as many identities as it likes. So there is a limit to those who are kept, the first ones stay,
//! those who were met before have places of their own, and an identity can be let in before it asks. Not its concern: who asks the
//! person (`io::engine::applicants`), what a seat is (`seating`).

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use didagent_didcomm::message::Message;
use serde::{Deserialize, Serialize};

use super::seating::Applicant;
use crate::core::allowance::{Allowance, Rate};
use crate::core::room::Applying;

/// Applicants that are kept of those whom the home has not met, and of those whom it has: what a person can look through.
pub(in crate::core::room) const MAX_APPLICANTS: usize = 16;

/// Identities that were let in or refused in the life of a room: more than ever sit in one.
const MAX_DECIDED: usize = 256;

/// How often somebody new is shown who was not met before: all that are kept at once, then slowly. Somebody who leaves and asks again
/// under another name would otherwise fill the screen.
const SHOWN: Rate = Rate { burst: 16, each: Duration::from_secs(5) };

/// How long an applicant is kept that asks no more: it asks each minute, and what it sends counts for three.
pub(in crate::core::room) const SILENT: Duration = Duration::from_secs(180);

/// About whom the host's person is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Approval {
    /// Everybody.
    All,
    /// Those whom the home has not met.
    Strangers,
}

/// Somebody in front of the door.
#[derive(Debug)]
struct Waiting {
    applicant: Applicant,
    /// Its last request, in whose thread it is refused.
    asked: Message,
    heard: Instant,
    is_known: bool,
}

/// The door of one room.
#[derive(Debug, Default)]
pub(in crate::core::room) struct Door {
    approval: Option<Approval>,
    /// Identities that the home has met.
    known: BTreeSet<String>,
    /// Identities that were let in.
    admitted: BTreeSet<String>,
    waiting: VecDeque<Waiting>,
    allowance: Option<Allowance>,
}

/// What comes of a request at the door.
pub(super) enum Answer {
    /// It goes in.
    Open(Box<Applicant>),
    /// It waits, and may be shown; the first time that is news.
    Waits {
        /// It did not wait before.
        is_news: bool,
    },
    /// It waits, and is not kept: too many do. It asks again.
    Unseen,
}

impl Door {
    /// A door of a room that goes on; `admitted` are the identities that were let in.
    pub(super) fn again(approval: Option<Approval>, admitted: BTreeSet<String>) -> Self {
        Self { approval, admitted, ..Self::default() }
    }

    /// From now on the person decides; `known` are the identities that the home has met.
    pub(in crate::core::room) fn close(&mut self, approval: Approval, known: BTreeSet<String>) {
        (self.approval, self.known) = (Some(approval), known);
    }

    pub(in crate::core::room) fn approval(&self) -> Option<Approval> {
        self.approval
    }

    pub(super) fn admitted(&self) -> &BTreeSet<String> {
        &self.admitted
    }

    /// Says whether the person has met an identity, or has let it in.
    pub(super) fn knows(&self, identity: &str) -> bool {
        self.known.contains(identity) || self.admitted.contains(identity)
    }

    /// Lets an applicant in, or lets it wait.
    pub(super) fn knock(&mut self, applicant: Applicant, asked: &Message, now: Instant) -> Answer {
        let identity = &applicant.party.identity;
        let is_known = self.known.contains(identity);
        let goes_in = match self.approval {
            None => true,
            Some(Approval::Strangers) => is_known || self.admitted.contains(identity),
            Some(Approval::All) => self.admitted.contains(identity),
        };
        if goes_in {
            self.remove(|waiting| waiting.applicant.party.identity == applicant.party.identity);
            return Answer::Open(Box::new(applicant));
        }
        // What is kept of the request is where its answer goes.
        let mut thread = Message::new(asked.id.clone(), asked.type_.clone(), serde_json::Value::Null);
        thread.thid.clone_from(&asked.thid);
        let one = Waiting { asked: thread, heard: now, is_known, applicant };
        let same = |waiting: &&mut Waiting| waiting.applicant.party.identity == one.applicant.party.identity;
        if let Some(waiting) = self.waiting.iter_mut().find(same) {
            *waiting = one;
            return Answer::Waits { is_news: false };
        }
        let kept = self.waiting.iter().filter(|waiting| waiting.is_known == is_known).count();
        let allowance = self.allowance.get_or_insert_with(|| Allowance::full(SHOWN, now));
        if kept >= MAX_APPLICANTS || !(is_known || allowance.spend(now)) {
            return Answer::Unseen;
        }
        self.waiting.push_back(one);
        Answer::Waits { is_news: true }
    }

    /// The person lets an identity in, now or when it asks; returns its request, and when it was heard last, if it waits.
    pub(super) fn admit(&mut self, identity: &str) -> Option<(Applicant, Instant)> {
        if self.admitted.len() < MAX_DECIDED {
            self.admitted.insert(identity.to_owned());
        }
        let waiting = self.remove(|waiting| waiting.applicant.party.identity == identity)?;
        Some((waiting.applicant, waiting.heard))
    }

    /// The person does not want an identity; returns its connection DID and its request if it waits.
    pub(super) fn turn_away(&mut self, identity: &str) -> Option<(String, Message)> {
        self.admitted.remove(identity);
        let waiting = self.remove(|waiting| waiting.applicant.party.identity == identity)?;
        Some((waiting.applicant.party.did, waiting.asked))
    }

    /// Somebody with this connection DID waits no more; returns who that was.
    pub(super) fn leaves(&mut self, did: &str) -> Option<Applying> {
        self.remove(|waiting| waiting.applicant.party.did == did).map(|waiting| waiting.shown())
    }

    /// Forgets the next one that asks no more, and returns who that was.
    pub(super) fn forget_silent(&mut self, now: Instant) -> Option<Applying> {
        self.remove(|waiting| waiting.heard + SILENT <= now).map(|waiting| waiting.shown())
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.waiting.iter().map(|waiting| waiting.heard + SILENT).min()
    }

    /// Everybody who waits, in the order in which they came, with the DID and the request that an answer needs.
    pub(super) fn dids(&self) -> impl Iterator<Item = (&str, &Message)> {
        self.waiting.iter().map(|waiting| (waiting.applicant.party.did.as_str(), &waiting.asked))
    }

    /// Who waits, in the order in which they came.
    pub(in crate::core::room) fn applying(&self) -> Vec<Applying> {
        self.waiting.iter().map(Waiting::shown).collect()
    }

    fn remove(&mut self, is_it: impl Fn(&Waiting) -> bool) -> Option<Waiting> {
        let at = self.waiting.iter().position(is_it)?;
        self.waiting.remove(at)
    }
}

impl Waiting {
    fn shown(&self) -> Applying {
        let party = &self.applicant.party;
        Applying { name: party.name.clone(), identity: party.identity.clone() }
    }
}
