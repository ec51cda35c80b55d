//! One exchange of two messages: a proposal that waits, and the answer to one.

use std::collections::BTreeMap;

use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::session::{Accept, Propose};
use didagent_didcomm::protocols::{Body as _, Digest32};
use didagent_session::{Established, Initiator, Responder, Suite};
use rand_core::CryptoRng;

use super::PairingError;
use super::prologue::{Facts, Pair, Prologue, first_difference};
use crate::core::identity::Identity;
use crate::core::invite::new_id;

/// A message 1 of ours that was not answered yet.
pub(super) struct Proposal {
    pub(super) thid: String,
    pub(super) suite: Suite,
    fields: BTreeMap<String, Digest32>,
    initiator: Initiator,
}

impl std::fmt::Debug for Proposal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { thid, suite, .. } = self;
        f.debug_struct("Proposal").field("thid", thid).field("suite", suite).finish_non_exhaustive()
    }
}

impl Proposal {
    /// Makes a message 1 of `suite` with a fresh ephemeral and a fresh id; the message goes to the responder.
    ///
    /// # Errors
    /// [`PairingError::Failed`] when its key is unusable.
    pub(super) fn new(
        identity: &Identity,
        pair: &Pair<'_>,
        suites: &[u8],
        suite: Suite,
        rng: &mut impl CryptoRng,
    ) -> Result<(Self, Message), PairingError> {
        let thid = new_id(rng);
        let prologue = Prologue::new(pair, &thid, suites);
        let facts = Facts::new(suite, identity, pair.responder, &prologue)?;
        let (initiator, noise) = Initiator::start(facts.params(), rng).map_err(|_| PairingError::Failed)?;
        let fields = prologue.fields();
        let link = pair.initiator.link.clone();
        let body =
            Propose { suites: suites.to_vec(), suite: suite.id(), noise, fields: fields.clone(), link };
        let message = body.message(thid.clone()).pthid(pair.room);
        Ok((Self { thid, suite, fields, initiator }, message))
    }

    /// Finishes the handshake.
    ///
    /// # Errors
    /// Why not, and the proposal as it was, which a better answer can still finish (HS-05).
    pub(super) fn finish(self, accept: &Accept) -> Result<Established, Box<(PairingError, Self)>> {
        if accept.suite != self.suite.id() {
            return Err(Box::new((PairingError::NoSuite, self)));
        }
        if let Some(field) = first_difference(&self.fields, &accept.fields) {
            return Err(Box::new((PairingError::Differs { field }, self)));
        }
        let Self { thid, suite, fields, initiator } = self;
        initiator.finish(&accept.noise).map_err(|rejected| {
            let proposal = Self { thid, suite, fields, initiator: rejected.initiator };
            Box::new((PairingError::Failed, proposal))
        })
    }
}

/// Answers a proposal of a suite that was checked to be the right one; the message is the `accept`.
pub(super) fn answer(
    identity: &Identity,
    pair: &Pair<'_>,
    suite: Suite,
    propose: &Propose,
    thid: &str,
    rng: &mut impl CryptoRng,
) -> Result<(Established, Message), PairingError> {
    let prologue = Prologue::new(pair, thid, &propose.suites);
    let fields = prologue.fields();
    if let Some(field) = first_difference(&fields, &propose.fields) {
        return Err(PairingError::Differs { field });
    }
    let facts = Facts::new(suite, identity, pair.initiator, &prologue)?;
    let (established, noise) =
        Responder::answer(facts.params(), &propose.noise, rng).map_err(|_| PairingError::Failed)?;
    let accept = Accept { suite: suite.id(), noise, fields, link: None };
    Ok((established, accept.message(new_id(rng)).thid(thid).pthid(pair.room)))
}
