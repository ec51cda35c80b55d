//! Which suite: what a party offers and completes, what a responder has to say, what is remembered of a peer.
//!
//! Specification: `spec/handshake.md`, section 6.1. Nothing that was not authenticated by a handshake changes what is
//! remembered.

use std::collections::BTreeSet;

use didagent_session::Suite;

/// Where AES has instructions of its own. Post-quantum first: shares that are recorded today must stay secret.
const WITH_AES: &[Suite] =
    &[Suite::KkHfsAesGcm, Suite::KkHfsChaChaPoly, Suite::KkAesGcm, Suite::KkChaChaPoly];

/// Elsewhere AES in software would be the slow part of every record, so it is neither offered nor accepted.
const WITHOUT_AES: &[Suite] = &[Suite::KkHfsChaChaPoly, Suite::KkChaChaPoly];

/// The suites that a party offers and completes, best first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy(Vec<Suite>);

impl Policy {
    /// The policy of a machine that has AES instructions, or of one that has none.
    pub fn of_machine(has_aes: bool) -> Self {
        Self::of(if has_aes { WITH_AES } else { WITHOUT_AES })
    }

    /// A policy of exactly these suites.
    pub fn of(suites: &[Suite]) -> Self {
        Self(suites.to_vec())
    }

    /// The ids to offer, in order.
    pub(super) fn offer(&self) -> Vec<u8> {
        self.0.iter().map(|suite| suite.id()).collect()
    }

    /// The best suite.
    pub(super) fn first(&self) -> Option<Suite> {
        self.0.first().copied()
    }

    /// The suite of this id, if the policy allows it.
    pub(super) fn allowed(&self, id: u8) -> Option<Suite> {
        self.0.iter().find(|suite| suite.id() == id).copied()
    }

    /// The only suite of an offer that a responder completes: the first that it supports and allows (HS-13).
    pub(super) fn choose(&self, offered: &[u8]) -> Option<Suite> {
        offered.iter().find_map(|id| self.allowed(*id))
    }
}

/// Which identities completed a post-quantum suite with us. That somebody speaks sessions at all needs no mark here: whoever
/// is a contact did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capabilities {
    post_quantum: BTreeSet<String>,
}

impl Capabilities {
    /// Notes that a handshake of `suite` with this identity was completed. Nothing ever takes it back.
    pub fn completed(&mut self, identity: &str, suite: Suite) {
        if suite.is_post_quantum() {
            self.remember(identity);
        }
    }

    /// Remembers it from before.
    pub fn remember(&mut self, identity: &str) {
        self.post_quantum.insert(identity.to_owned());
    }

    /// Says whether this identity completed a post-quantum suite before.
    pub fn is_post_quantum(&self, identity: &str) -> bool {
        self.post_quantum.contains(identity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_machine_offers_post_quantum_first_and_suite_1_last() {
        assert_eq!(Policy::of_machine(true).offer(), [4, 3, 2, 1]);
        assert_eq!(Policy::of_machine(false).offer(), [3, 1]);
    }

    #[test]
    fn hs_13_the_offer_decides_the_order_and_the_policy_what_counts() {
        let policy = Policy::of_machine(false);
        for (offered, chosen) in [
            (&[4, 3, 2, 1][..], Some(3)),
            (&[1, 3], Some(1)),
            (&[9, 0, 255, 1], Some(1)),
            (&[4, 2], None),
            (&[], None),
        ] {
            assert_eq!(policy.choose(offered).map(Suite::id), chosen, "{offered:?}");
        }
    }

    #[test]
    fn hs_22_what_was_completed_stays_remembered() {
        let mut known = Capabilities::default();
        known.completed("did:key:a", Suite::KkAesGcm);
        assert!(!known.is_post_quantum("did:key:a"));
        known.completed("did:key:a", Suite::KkHfsAesGcm);
        known.completed("did:key:a", Suite::KkChaChaPoly);
        assert!(known.is_post_quantum("did:key:a") && !known.is_post_quantum("did:key:b"));
    }
}
