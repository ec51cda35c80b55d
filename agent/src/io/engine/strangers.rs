//! How a party meets strangers: under which DIDs, and what follows from that.
//!
//! Specification: `spec/connect.md`, CN-80 to CN-82. Under DIDs that were made for one room, nothing that leaves this machine may
//! depend on whom the home has met: neither who is answered nor which suites are agreed to. What only our own person sees may.
//!
//! Not its concern: where the keys are kept (`io::one_use`), the name (`core::one_use`).

use didagent_didcomm::protocols::lobby::Title;

use super::{End, Engine, Role};
use crate::core::board::check_invitation;
use crate::core::contacts::Contacts;
use crate::core::invite::Invitation;
use crate::core::one_use::made_up_name;
use crate::core::pairing::Capabilities;
use crate::core::room::Room;
use crate::failure::{Failure, Kind};
use crate::io::{nonce, one_use, user_name};
use crate::report::{Report, Reporter};

/// Why somebody outside the room is not written to.
pub(super) const APART: &str = "this party has a DID for its room alone, so nobody outside the room is written to; wait until it is over";

/// How a party meets strangers.
#[derive(Debug, Clone, Default)]
pub struct Strangers {
    /// Take part under DIDs that are made for this room.
    pub new_did: bool,
    /// A host's: what its room is called on the board of its mediator, if it is to be there.
    pub title: Option<Title>,
    /// A guest's: the DID of the mediator on whose board it found the link, so that a stranger chose it.
    pub board: Option<String>,
}

impl Strangers {
    /// Returns the name that others see, and tells our person as whom it takes part if that is not as usual.
    pub(super) fn name(
        &self,
        given: Option<String>,
        did: &str,
        again: bool,
        reporter: &mut dyn Reporter,
    ) -> String {
        if !self.new_did {
            return given.unwrap_or_else(user_name);
        }
        let name = given.unwrap_or_else(|| made_up_name(did));
        reporter.report(&Report::OneUse { name: name.clone(), identity: did.to_owned(), again });
        name
    }

    /// Fails where the others expect the identity that they know.
    ///
    /// # Errors
    /// [`Kind::Usage`].
    pub(super) fn check_role(&self, role: &Role) -> Result<(), Failure> {
        match role {
            Role::Listed { .. } | Role::Resume if self.new_did => Err(Failure::new(
                Kind::Usage,
                "the others know this party by its identity, so it cannot come under another one",
            )
            .hint("the same without --new-did")),
            _ => Ok(()),
        }
    }

    /// Says whether the mediators of an invitation were chosen by our person together with it.
    pub(super) fn chose_mediators(&self) -> bool {
        self.board.is_none()
    }

    /// Checks an invitation that came from a board.
    pub(super) fn check(&self, invitation: Option<&Invitation>) -> Result<(), Failure> {
        match (&self.board, invitation) {
            (Some(mediator), Some(invitation)) => check_invitation(invitation, mediator),
            _ => Ok(()),
        }
    }

    /// Returns what is remembered of the suites of others: a weaker one that is refused would tell that its party was met.
    pub(super) fn capabilities(&self, contacts: &Contacts) -> Capabilities {
        if self.new_did { Capabilities::default() } else { contacts.capabilities() }
    }
}

impl Engine {
    /// Says whether this DID is of somebody who must not hear of us: anybody outside the room.
    pub(super) fn keeps_apart_from(&self, did: &str) -> bool {
        let is_party = self.roster.as_ref().is_some_and(|roster| roster.party_of(did).is_some())
            || self.room.as_ref().is_some_and(|room| Room::dids(room).iter().any(|party| party == did));
        self.strangers.new_did && !is_party
    }

    /// Forgets the keys of a guest that will not come back: its run is over, or it gives its seat back.
    pub(super) fn forget_one_use(&self, end: &End) {
        let is_over = self.roster.is_some() || matches!(end, End::Interrupted);
        if self.strangers.new_did
            && is_over
            && let Err(failure) = one_use::forget(&self.home).and_then(|()| nonce::forget(&self.home))
        {
            tracing::warn!(message = failure.message, "the keys of this room are still in the home");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Told(Vec<String>);

    impl Reporter for Told {
        fn report(&mut self, report: &Report) {
            if let Report::OneUse { name, .. } = report {
                self.0.push(name.clone());
            }
        }
    }

    /// Decides CN-80, CN-81.
    #[test]
    fn a_new_did_has_no_name_and_no_memory_of_the_homes() {
        let mut contacts = Contacts::default();
        contacts.met("did:key:a", "alice", "did:peer:1", true, 10);
        let (as_ever, anew) = (Strangers::default(), Strangers { new_did: true, ..Strangers::default() });
        assert!(as_ever.capabilities(&contacts).is_post_quantum("did:key:a"));
        assert!(!anew.capabilities(&contacts).is_post_quantum("did:key:a"));
        let mut told = Told(Vec::new());
        let mut name = |strangers: &Strangers, given: Option<&str>| {
            strangers.name(given.map(str::to_owned), "did:key:z6Mk", false, &mut told)
        };
        assert_eq!(name(&as_ever, None), user_name());
        assert_eq!(name(&as_ever, Some("bob")), "bob");
        assert_eq!(name(&anew, None), made_up_name("did:key:z6Mk"));
        assert_eq!(name(&anew, Some("ada")), "ada");
        assert_eq!(told.0, [made_up_name("did:key:z6Mk"), "ada".to_owned()]);
    }
}
