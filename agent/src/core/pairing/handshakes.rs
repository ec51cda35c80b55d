//! All handshakes of one party: which are open, which were answered, what may be computed for whom.
//!
//! Specification: `spec/handshake.md`, section 6. The caller gives it authenticated messages of parties that it knows, with
//! the keys that the roster names, and carries out what comes back. Nothing here ends a session: an abort or a propose at
//! most begins another handshake.
//!
//! Not its concern: who may be talked to, when a handshake is too late for its caller.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::Body as _;
use didagent_didcomm::protocols::session::{Abort, Accept, Propose};
use didagent_session::{Established, Suite};
use rand_core::CryptoRng;

use super::negotiation::{Capabilities, Policy};
use super::prologue::{Pair, known_field};
use super::proposal::{self, Proposal};
use super::replay::{Found, Replay};
use super::{PairingError, abort};
use crate::core::allowance::{Allowance, Rate};
use crate::core::identity::Identity;
use crate::core::invite::new_id;
use crate::core::room::roster::Party;

/// Proposes of one DID that are worked on: one each second, and a few at once, since the one that follows an abort with
/// `use` comes within a round trip.
const PROPOSES: Rate = Rate { burst: 4, each: Duration::from_secs(1) };

/// DIDs whose rate is known. A room has sixteen.
const MAX_DIDS: usize = 256;

/// Handshakes of one DID that we answered and that are not confirmed.
const MAX_HALF_OPEN_PER_DID: usize = 4;

/// The same of all DIDs.
const MAX_HALF_OPEN: usize = 256;

/// How long an answered handshake counts as half open.
const HALF_OPEN: Duration = Duration::from_secs(30);

/// Ourselves, a peer, and what the two meet for.
#[derive(Debug, Clone, Copy)]
pub struct Between<'a> {
    /// The room: the id of the invitation.
    pub room: &'a str,
    /// SHA-256 of the invitation.
    pub invitation: &'a [u8; 32],
    /// Ourselves.
    pub ours: &'a Party,
    /// The peer.
    pub peer: &'a Party,
}

impl<'a> Between<'a> {
    fn as_initiator(&self) -> Pair<'a> {
        let Self { room, invitation, ours, peer } = *self;
        Pair { room, invitation, initiator: ours, responder: peer }
    }

    fn as_responder(&self) -> Pair<'a> {
        let Self { room, invitation, ours, peer } = *self;
        Pair { room, invitation, initiator: peer, responder: ours }
    }
}

/// What a message of a handshake leads to.
#[derive(Debug)]
pub enum Outcome {
    /// Nothing: it is of no handshake, came too often, or waits for nothing.
    Nothing,
    /// Send this to the peer: the answer to a duplicate, a proposal of another suite, an abort with `use`.
    Send(Box<Message>),
    /// A handshake is complete. A responder sends the `accept` first.
    Established(Box<Established>, Option<Box<Message>>),
    /// The handshake does not complete. The envelope around such news can be forged by whoever stole our own key, so it is no
    /// end: a better message still counts.
    Trouble(PairingError, Option<Box<Message>>),
}

/// The handshakes of one party.
#[derive(Debug)]
pub struct Handshakes {
    policy: Policy,
    known: Capabilities,
    attempts: Vec<Attempt>,
    half_open: Vec<HalfOpen>,
    replay: Replay,
    rates: BTreeMap<String, Allowance>,
}

/// An attempt of ours to reach one peer.
#[derive(Debug)]
struct Attempt {
    peer: String,
    room: String,
    /// The first one, and the one that followed a `use`. The first still counts: the abort may have been forged.
    proposals: Vec<Proposal>,
    has_followed: bool,
}

/// A handshake that we answered.
#[derive(Debug)]
struct HalfOpen {
    peer: String,
    identity: String,
    suite: Suite,
    since: Instant,
}

impl Handshakes {
    /// No handshake yet.
    pub fn new(policy: Policy, known: Capabilities) -> Self {
        Self {
            policy,
            known,
            attempts: Vec::new(),
            half_open: Vec::new(),
            replay: Replay::default(),
            rates: BTreeMap::new(),
        }
    }

    /// Begins an attempt, with the best suite; the message goes to the peer. An attempt for the same peer and room is over.
    ///
    /// # Errors
    /// [`PairingError::Failed`] when the peer's key is unusable, [`PairingError::NoSuite`] with an empty policy.
    pub fn begin(
        &mut self,
        identity: &Identity,
        between: &Between<'_>,
        rng: &mut impl CryptoRng,
    ) -> Result<Message, PairingError> {
        let suite = self.policy.first().ok_or(PairingError::NoSuite)?;
        let (proposal, message) =
            Proposal::new(identity, &between.as_initiator(), &self.policy.offer(), suite, rng)?;
        self.give_up(between);
        self.attempts.push(Attempt {
            peer: between.peer.did.clone(),
            room: between.room.to_owned(),
            proposals: vec![proposal],
            has_followed: false,
        });
        Ok(message)
    }

    /// Takes a `propose`, `accept` or `abort` of the peer.
    pub fn handle(
        &mut self,
        identity: &Identity,
        between: &Between<'_>,
        message: &Message,
        now: Instant,
        rng: &mut impl CryptoRng,
    ) -> Outcome {
        if let Ok(propose) = Propose::try_from(message) {
            return self.propose(identity, between, &propose, message.thread(), now, rng);
        }
        let at = self.attempts.iter().position(|attempt| attempt.is_for(between));
        let Some(attempt) = at.and_then(|at| self.attempts.get_mut(at)) else { return Outcome::Nothing };
        let of_thread = attempt.proposals.iter().position(|proposal| proposal.thid == message.thread());
        let Some(which) = of_thread else { return Outcome::Nothing };
        if let Ok(refusal) = Abort::try_from(message) {
            return self.aborted(identity, between, &refusal, rng);
        }
        let Ok(accept) = Accept::try_from(message) else {
            return Outcome::Trouble(PairingError::Malformed, None);
        };
        match attempt.proposals.remove(which).finish(&accept) {
            Ok(established) => {
                self.known.completed(&between.peer.identity, established.suite());
                self.give_up(between);
                Outcome::Established(Box::new(established), None)
            }
            Err(unfinished) => {
                let (error, proposal) = *unfinished;
                attempt.proposals.insert(which, proposal);
                Outcome::Trouble(error, None)
            }
        }
    }

    /// Notes that the session with this DID is confirmed: what we answered is no longer half open.
    pub fn confirmed(&mut self, peer: &str) {
        for open in self.half_open.extract_if(.., |open| open.peer == peer) {
            self.known.completed(&open.identity, open.suite);
        }
    }

    /// Says whether this is a propose of `peer` that was answered before, so that the answer is kept.
    pub fn is_answered(&self, peer: &str, message: &Message) -> bool {
        Propose::try_from(message).is_ok() && self.replay.has(peer, message.thread())
    }

    /// What is remembered of others by now.
    pub fn known(&self) -> &Capabilities {
        &self.known
    }

    fn propose(
        &mut self,
        identity: &Identity,
        between: &Between<'_>,
        propose: &Propose,
        thid: &str,
        now: Instant,
        rng: &mut impl CryptoRng,
    ) -> Outcome {
        let peer = &between.peer.did;
        if !self.may_propose(peer, now) {
            return Outcome::Nothing;
        }
        match self.replay.find(peer, thid, &propose.noise, now) {
            Found::Answered(accept) => return Outcome::Send(accept),
            Found::Other | Found::Full => return Outcome::Nothing,
            Found::New => {}
        }
        // Both began. The bytewise lower DID stays the initiator, whatever is sent how often.
        let is_crossed = self.attempts.iter().any(|attempt| attempt.is_for(between));
        if is_crossed && between.ours.did < *peer {
            return Outcome::Nothing;
        }
        self.half_open.retain(|open| now.saturating_duration_since(open.since) < HALF_OPEN);
        let of_peer = self.half_open.iter().filter(|open| open.peer == *peer).count();
        if of_peer >= MAX_HALF_OPEN_PER_DID || self.half_open.len() >= MAX_HALF_OPEN {
            return Outcome::Nothing;
        }
        let refused = |code: &str, comment: Option<String>, use_suite: Option<u8>, rng: &mut _| {
            let body = Abort { code: code.to_owned(), comment, use_suite };
            Box::new(body.message(new_id(rng)).thid(thid).pthid(between.room))
        };
        let suite = match self.policy.choose(&propose.suites) {
            Some(suite) if suite.id() == propose.suite => suite,
            // A suite that was never offered is no proposal.
            _ if !propose.suites.contains(&propose.suite) => {
                return Outcome::Trouble(
                    PairingError::Malformed,
                    Some(refused(abort::FAILED, None, None, rng)),
                );
            }
            Some(suite) => return Outcome::Send(refused(abort::USE, None, Some(suite.id()), rng)),
            None => {
                return Outcome::Trouble(
                    PairingError::NoSuite,
                    Some(refused(abort::NO_SUITE, None, None, rng)),
                );
            }
        };
        match proposal::answer(identity, &between.as_responder(), suite, propose, thid, rng) {
            Ok((established, accept)) => {
                self.give_up(between);
                self.replay.keep(peer, thid, &propose.noise, accept.clone(), now);
                let identity = between.peer.identity.clone();
                self.half_open.push(HalfOpen { peer: peer.clone(), identity, suite, since: now });
                Outcome::Established(Box::new(established), Some(Box::new(accept)))
            }
            Err(error) => {
                let (code, comment) = match &error {
                    PairingError::Differs { field } => (abort::DIFFERS, Some((*field).to_owned())),
                    _ => (abort::FAILED, None),
                };
                Outcome::Trouble(error, Some(refused(code, comment, None, rng)))
            }
        }
    }

    /// The peer refuses a proposal of ours, or somebody says so.
    fn aborted(
        &mut self,
        identity: &Identity,
        between: &Between<'_>,
        refusal: &Abort,
        rng: &mut impl CryptoRng,
    ) -> Outcome {
        let error = match refusal.code.as_str() {
            abort::USE => match self.follow(identity, between, refusal.use_suite, rng) {
                Ok(Some(message)) => return Outcome::Send(Box::new(message)),
                // It was followed once, and the other proposal still waits.
                Ok(None) => return Outcome::Nothing,
                Err(error) => error,
            },
            abort::NO_SUITE => PairingError::NoSuite,
            abort::DIFFERS => PairingError::Differs { field: known_field(refusal.comment.as_deref()) },
            _ => PairingError::Refused { code: crate::core::connect::showable(&refusal.code) },
        };
        Outcome::Trouble(error, None)
    }

    /// Proposes the suite that an abort names, once for each attempt and never a weaker one than the peer had before.
    fn follow(
        &mut self,
        identity: &Identity,
        between: &Between<'_>,
        id: Option<u8>,
        rng: &mut impl CryptoRng,
    ) -> Result<Option<Message>, PairingError> {
        let suite = id.and_then(|id| self.policy.allowed(id)).ok_or(PairingError::NoSuite)?;
        if !suite.is_post_quantum() && self.known.is_post_quantum(&between.peer.identity) {
            return Err(PairingError::Downgrade);
        }
        let offer = self.policy.offer();
        let Some(attempt) = self.attempts.iter_mut().find(|attempt| attempt.is_for(between)) else {
            return Ok(None);
        };
        if attempt.has_followed || attempt.proposals.iter().any(|proposal| proposal.suite == suite) {
            return Ok(None);
        }
        let (proposal, message) = Proposal::new(identity, &between.as_initiator(), &offer, suite, rng)?;
        attempt.proposals.push(proposal);
        attempt.has_followed = true;
        Ok(Some(message))
    }

    fn give_up(&mut self, between: &Between<'_>) {
        self.attempts.retain(|attempt| !attempt.is_for(between));
    }

    fn may_propose(&mut self, peer: &str, now: Instant) -> bool {
        if !self.rates.contains_key(peer) && self.rates.len() >= MAX_DIDS {
            self.rates.retain(|_, rate| !rate.is_full(now));
            if self.rates.len() >= MAX_DIDS {
                return false;
            }
        }
        self.rates.entry(peer.to_owned()).or_insert_with(|| Allowance::full(PROPOSES, now)).spend(now)
    }
}

impl Attempt {
    fn is_for(&self, between: &Between<'_>) -> bool {
        self.peer == between.peer.did && self.room == between.room
    }
}
