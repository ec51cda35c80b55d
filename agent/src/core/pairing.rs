//! Pairing: the session handshake between two parties of a roster, carried in DIDComm.
//!
//! Specification: `spec/handshake.md`. The party with the lower index is the initiator, as it is in MPyC's own dialling.
//! Each side builds the prologue from **its own** values; the hashes of single fields in the messages serve one purpose, to
//! name the field that differs.
//!
//! ```text
//! lower index                          higher index
//!   propose {suites, noise 1, fields} ----->
//!                                     <-----  accept {suite, noise 2, fields} | abort {code}
//! ```
//!
//! Not its concern: records and streams (the session), circuits (`io`).

use std::collections::BTreeMap;

use didagent_didcomm::did;
use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::session::{Abort, Accept, Propose};
use didagent_didcomm::protocols::{Body as _, Digest32};
use didagent_session::{
    Established, Initiator, Limits, Params, Responder, StaticPublic, StaticSecret, Suite, prologue,
};
use rand_core::CryptoRng;
use sha2::{Digest as _, Sha256};

use crate::core::identity::Identity;
use crate::core::invite::new_id;
use crate::core::room::roster::Party;

/// The suites that we offer and accept, best first.
const SUITES: &[Suite] = &[Suite::KkChaChaPoly];

/// `abort` codes.
pub mod abort {
    /// None of the offered suites is supported.
    pub const NO_SUITE: &str = "no-common-suite";
    /// The first supported suite is not the first one offered: try again with `use`.
    pub const USE: &str = "use";
    /// The two sides hash different facts; the comment names the field.
    pub const DIFFERS: &str = "differs";
    /// The Noise message does not authenticate.
    pub const FAILED: &str = "failed";
}

/// Two parties of a room, seen by one of them.
#[derive(Debug, Clone, Copy)]
pub struct Pair<'a> {
    /// The room: the id of the invitation.
    pub room: &'a str,
    /// SHA-256 of the invitation.
    pub invitation: &'a [u8; 32],
    /// The party with the lower index.
    pub initiator: &'a Party,
    /// The party with the higher index.
    pub responder: &'a Party,
}

/// Why a handshake failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PairingError {
    /// Not a message of this handshake.
    #[error("the message is malformed")]
    Malformed,
    /// The two sides do not hash the same facts.
    #[error("the two sides differ in {field}")]
    Differs {
        /// Name of the prologue field.
        field: &'static str,
    },
    /// No suite in common.
    #[error("the two sides have no cipher suite in common")]
    NoSuite,
    /// The peer ended the handshake.
    #[error("the other side refused ({code})")]
    Refused {
        /// Its code.
        code: String,
    },
    /// The Noise handshake does not authenticate, or a key is unusable.
    #[error("the handshake does not authenticate")]
    Failed,
}

/// A handshake that we began and that was not answered yet.
pub struct Proposal {
    thid: String,
    fields: BTreeMap<String, Digest32>,
    initiator: Initiator,
}

impl std::fmt::Debug for Proposal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proposal").field("thid", &self.thid).finish_non_exhaustive()
    }
}

/// Begins the handshake with the responder of `pair`; the message goes to it.
///
/// # Errors
/// [`PairingError::Failed`] when its key is unusable.
pub fn propose(
    identity: &Identity,
    pair: &Pair<'_>,
    rng: &mut impl CryptoRng,
) -> Result<(Proposal, Message), PairingError> {
    let thid = new_id(rng);
    let suites = suite_ids();
    let prologue = Prologue::new(pair, &thid, &suites);
    let facts = Facts::new(identity, pair.responder, &prologue)?;
    let (initiator, noise) = Initiator::start(facts.params(), rng).map_err(|_| PairingError::Failed)?;
    let fields = prologue.fields();
    let propose = Propose { suites, noise, fields: fields.clone(), link: pair.initiator.link.clone() };
    let message = propose.message(thid.clone()).pthid(pair.room);
    Ok((Proposal { thid, fields, initiator }, message))
}

impl Proposal {
    /// Says whether `message` belongs to this handshake.
    pub fn is_answered_by(&self, message: &Message) -> bool {
        message.thread() == self.thid
    }

    /// Finishes the handshake with the peer's `accept` or `abort`.
    ///
    /// # Errors
    /// [`Unfinished`]: the error, and the proposal, which a better answer can still finish (HS-05).
    pub fn finish(self, message: &Message) -> Result<Established, Box<Unfinished>> {
        let noise = match self.noise_of(message) {
            Ok(noise) => noise,
            Err(error) => return Err(Box::new(Unfinished { error, proposal: self })),
        };
        let Self { thid, fields, initiator } = self;
        initiator.finish(&noise).map_err(|rejected| {
            let proposal = Self { thid, fields, initiator: rejected.initiator };
            Box::new(Unfinished { error: PairingError::Failed, proposal })
        })
    }

    /// Returns Noise message 2 of an `accept` that fits.
    fn noise_of(&self, message: &Message) -> Result<Vec<u8>, PairingError> {
        if let Ok(refusal) = Abort::try_from(message) {
            return Err(match refusal.code.as_str() {
                abort::NO_SUITE | abort::USE => PairingError::NoSuite,
                abort::DIFFERS => PairingError::Differs { field: known_field(refusal.comment.as_deref()) },
                _ => PairingError::Refused { code: crate::core::connect::showable(&refusal.code) },
            });
        }
        let accept = Accept::try_from(message).map_err(|_| PairingError::Malformed)?;
        if Suite::from_id(accept.suite) != Some(Suite::KkChaChaPoly) {
            return Err(PairingError::NoSuite);
        }
        if let Some(field) = first_difference(&self.fields, &accept.fields) {
            return Err(PairingError::Differs { field });
        }
        Ok(accept.noise)
    }
}

/// An answer that did not finish the handshake.
#[derive(Debug)]
pub struct Unfinished {
    /// Why.
    pub error: PairingError,
    /// The proposal, as it was.
    pub proposal: Proposal,
}

/// A proposal that we do not complete.
#[derive(Debug)]
pub struct Refusal {
    /// Why.
    pub error: PairingError,
    /// What to send to the peer.
    pub abort: Message,
}

/// Answers a `propose` of the initiator of `pair`; on success the message is the `accept`.
///
/// # Errors
/// [`Refusal`], with the `abort` message to send.
pub fn answer(
    identity: &Identity,
    pair: &Pair<'_>,
    message: &Message,
    rng: &mut impl CryptoRng,
) -> Result<(Established, Message), Box<Refusal>> {
    answer_inner(identity, pair, message, rng).map_err(|error| {
        let (code, comment) = match &error {
            PairingError::Differs { field } => (abort::DIFFERS, Some((*field).to_owned())),
            PairingError::NoSuite => (abort::NO_SUITE, None),
            _ => (abort::FAILED, None),
        };
        let abort = Abort { code: code.to_owned(), comment, use_suite: None };
        let abort = abort.message(new_id(rng)).thid(message.thread()).pthid(pair.room);
        Box::new(Refusal { error, abort })
    })
}

fn answer_inner(
    identity: &Identity,
    pair: &Pair<'_>,
    message: &Message,
    rng: &mut impl CryptoRng,
) -> Result<(Established, Message), PairingError> {
    let propose = Propose::try_from(message).map_err(|_| PairingError::Malformed)?;
    // The responder must not complete any other suite than the first that both have.
    let suite = propose.suites.iter().find_map(|id| SUITES.iter().find(|suite| suite.id() == *id));
    if suite.is_none() || propose.suites.first() != suite.map(|suite| suite.id()).as_ref() {
        return Err(PairingError::NoSuite);
    }
    let prologue = Prologue::new(pair, message.thread(), &propose.suites);
    let fields = prologue.fields();
    if let Some(field) = first_difference(&fields, &propose.fields) {
        return Err(PairingError::Differs { field });
    }
    let facts = Facts::new(identity, pair.initiator, &prologue)?;
    let (established, noise) =
        Responder::answer(facts.params(), &propose.noise, rng).map_err(|_| PairingError::Failed)?;
    let accept = Accept { suite: Suite::KkChaChaPoly.id(), noise, fields, link: None };
    Ok((established, accept.message(new_id(rng)).thid(message.thread()).pthid(pair.room)))
}

/// What enters the handshake with a party besides randomness.
struct Facts {
    local: StaticSecret,
    remote: StaticPublic,
    prologue: Vec<u8>,
}

impl Facts {
    fn new(identity: &Identity, peer: &Party, prologue: &Prologue<'_>) -> Result<Self, PairingError> {
        Ok(Self {
            local: static_secret(identity),
            remote: static_public(peer)?,
            prologue: prologue.encoded()?,
        })
    }

    fn params(&self) -> Params<'_> {
        Params {
            suite: Suite::KkChaChaPoly,
            local: &self.local,
            remote: &self.remote,
            prologue: &self.prologue,
            limits: Limits::default(),
        }
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
struct Prologue<'a>([&'a [u8]; FIELD_NAMES.len()]);

impl<'a> Prologue<'a> {
    fn new(pair: &Pair<'a>, thid: &'a str, suites: &'a [u8]) -> Self {
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

    fn fields(&self) -> BTreeMap<String, Digest32> {
        let digest = |value: &[u8]| Digest32(Sha256::digest(value).into());
        FIELD_NAMES.into_iter().zip(self.0).map(|(name, value)| (name.to_owned(), digest(value))).collect()
    }
}

fn first_difference(
    ours: &BTreeMap<String, Digest32>,
    theirs: &BTreeMap<String, Digest32>,
) -> Option<&'static str> {
    FIELD_NAMES.into_iter().find(|name| ours.get(*name) != theirs.get(*name))
}

fn known_field(name: Option<&str>) -> &'static str {
    FIELD_NAMES.into_iter().find(|known| Some(*known) == name).unwrap_or("a field that it does not name")
}

fn suite_ids() -> Vec<u8> {
    SUITES.iter().map(|suite| suite.id()).collect()
}

fn static_secret(identity: &Identity) -> StaticSecret {
    StaticSecret::from_bytes(*identity.agreement().expose_bytes())
}

fn static_public(party: &Party) -> Result<StaticPublic, PairingError> {
    let document = did::resolve_offline(&party.did).map_err(|_| PairingError::Malformed)?;
    document.x25519(&party.kid).map(StaticPublic::from_bytes).ok_or(PairingError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::room::roster::tests::party;
    use crate::core::test_rng;

    struct Two {
        alice: Identity,
        bob: Identity,
        parties: [Party; 2],
    }

    impl Two {
        fn new() -> Self {
            let (alice, bob) = (Identity::generate(&mut test_rng(1)), Identity::generate(&mut test_rng(2)));
            let parties = [party(0, &alice, "alice"), party(1, &bob, "bob")];
            Self { alice, bob, parties }
        }

        fn pair(&self) -> Pair<'_> {
            Pair {
                room: "room",
                invitation: &[7; 32],
                initiator: &self.parties[0],
                responder: &self.parties[1],
            }
        }
    }

    #[test]
    fn both_sides_get_the_same_session() {
        let two = Two::new();
        let (proposal, message) = propose(&two.alice, &two.pair(), &mut test_rng(3)).unwrap();
        let (bob, accept) = answer(&two.bob, &two.pair(), &message, &mut test_rng(4)).unwrap();
        assert!(proposal.is_answered_by(&accept));
        let alice = proposal.finish(&accept).unwrap();
        assert_eq!(alice.sid(), bob.sid());
    }

    #[test]
    fn a_differing_fact_is_named_on_both_sides() {
        let two = Two::new();
        let (proposal, message) = propose(&two.alice, &two.pair(), &mut test_rng(3)).unwrap();
        let other = Pair { invitation: &[8; 32], ..two.pair() };
        let Refusal { error, abort } = *answer(&two.bob, &other, &message, &mut test_rng(4)).unwrap_err();
        assert_eq!(error.to_string(), "the two sides differ in invitation");
        let unfinished = proposal.finish(&abort).unwrap_err();
        assert_eq!(unfinished.error.to_string(), "the two sides differ in invitation");
    }

    #[test]
    fn a_garbled_answer_does_not_cost_the_handshake() {
        let two = Two::new();
        let (proposal, message) = propose(&two.alice, &two.pair(), &mut test_rng(3)).unwrap();
        let (bob, accept) = answer(&two.bob, &two.pair(), &message, &mut test_rng(4)).unwrap();
        let mut body = Accept::try_from(&accept).unwrap();
        body.noise[40] ^= 1;
        let mut garbled = accept.clone();
        garbled.body = serde_json::to_value(&body).unwrap();
        let mut empty = accept.clone();
        empty.body = serde_json::json!({});
        let proposal = proposal.finish(&garbled).unwrap_err().proposal;
        let proposal = proposal.finish(&empty).unwrap_err().proposal;
        assert_eq!(proposal.finish(&accept).unwrap().sid(), bob.sid());
    }

    #[test]
    fn agreeing_hashes_do_not_help_who_hashes_other_facts() {
        // The field hashes are only a courtesy: with all of them forged to fit, the handshake itself must fail.
        let two = Two::new();
        let (_, mut message) = propose(&two.alice, &two.pair(), &mut test_rng(3)).unwrap();
        let other = Pair { invitation: &[8; 32], ..two.pair() };
        let forged = Prologue::new(&other, &message.id, &[1]).fields();
        message.body["fields"] = serde_json::to_value(forged).unwrap();
        let error = answer(&two.bob, &other, &message, &mut test_rng(4)).unwrap_err().error;
        assert!(matches!(error, PairingError::Failed), "{error}");
    }

    #[test]
    fn an_offer_without_our_suite_first_is_refused() {
        let two = Two::new();
        for suites in [vec![], vec![9], vec![9, 1]] {
            let (_, mut message) = propose(&two.alice, &two.pair(), &mut test_rng(3)).unwrap();
            message.body["suites"] = suites.into();
            let error = answer(&two.bob, &two.pair(), &message, &mut test_rng(4)).unwrap_err().error;
            assert!(matches!(error, PairingError::NoSuite), "{error}");
        }
    }
}
