//! How a party meets strangers: under which DIDs, and what follows from that.
//!
//! Specification: `spec/connect.md`, CN-80 to CN-82. Under DIDs that were made for one room, nothing that leaves this machine may
//! depend on whom the home has met: neither who is answered nor which suites are agreed to. What only our own person sees may.
//!
//! Not its concern: where the keys are kept (`io::one_use`), the name (`core::one_use`).

use std::collections::BTreeSet;

use didagent_didcomm::protocols::lobby::Title;

use super::{End, Engine, Role};
use crate::core::board::check_invitation;
use crate::core::contacts::Contacts;
use crate::core::invite::Invitation;
use crate::core::one_use::made_up_name;
use crate::core::pairing::Capabilities;
use crate::core::room::{Approval, Room};
use crate::failure::{Failure, Kind};
use crate::io::{fetched, nonce, one_use, user_name};
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

    /// Fails where a DID for one room cannot be what the person wants.
    ///
    /// # Errors
    /// [`Kind::Usage`].
    pub(super) fn check_role(&self, role: &Role) -> Result<(), Failure> {
        if !self.new_did {
            return Ok(());
        }
        let refused = |why: &str, hint: &str| Err(Failure::new(Kind::Usage, why).hint(hint));
        match role {
            Role::Listed { .. } | Role::Resume => refused(
                "the others know this party by its identity, so it cannot come under another one",
                "the same without --new-did",
            ),
            Role::Host(opening) if !opening.require_issuer.is_empty() => refused(
                "a credential is about an identity, and a DID that is made for one room has none",
                "--own-did, and without --new-did; or without --require-issuer",
            ),
            // Whoever gets in without a question would know whom this home has met.
            Role::Host(opening) if opening.approval == Some(Approval::Strangers) => refused(
                "under a DID that is made for one room everybody is a stranger, so --approve asks about everybody",
                "--approve instead of --approve=strangers; or --own-did, and without --new-did",
            ),
            Role::Host(_) | Role::Guest { .. } => Ok(()),
        }
    }

    /// Says whether the mediators of an invitation were chosen by our person together with it.
    pub(super) fn chose_mediators(&self) -> bool {
        self.board.is_none()
    }

    /// Checks an invitation that came from a board.
    pub(super) fn check(&self, invitation: &Invitation) -> Result<(), Failure> {
        self.board.as_ref().map_or(Ok(()), |mediator| check_invitation(invitation, mediator))
    }

    /// Returns whom a host at the door may treat otherwise than strangers.
    pub(super) fn known(&self, contacts: &Contacts) -> BTreeSet<String> {
        if self.new_did { BTreeSet::new() } else { contacts.identities() }
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

    fn forget_room_of_one_use(&self) -> Result<(), Failure> {
        one_use::forget(&self.home)?;
        nonce::forget(&self.home)?;
        fetched::forget(&self.home)
    }

    /// Forgets the keys of a guest that will not come back: its run is over, or it gives its seat back.
    pub(super) fn forget_one_use(&self, end: &End) {
        let is_over = self.roster.is_some() || matches!(end, End::Interrupted);
        if self.strangers.new_did
            && is_over
            && let Err(failure) = self.forget_room_of_one_use()
        {
            tracing::warn!(message = failure.message, "the keys of this room are still in the home");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Opening;
    use super::*;
    use crate::core::share::LinkForm;

    struct Told(Vec<String>);

    impl Reporter for Told {
        fn report(&mut self, report: &Report) {
            if let Report::OneUse { name, .. } = report {
                self.0.push(name.clone());
            }
        }
    }

    /// Decides CN-81.
    #[test]
    fn a_new_did_is_refused_where_it_would_be_useless_or_tell_whom_the_home_has_met() {
        let opening = |issuers: &[&str], approval| {
            Role::Host(Opening {
                parties: 3,
                expires_in: 60,
                link: LinkForm::Full,
                require_issuer: issuers.iter().map(|issuer| (*issuer).to_owned()).collect(),
                approval,
            })
        };
        let guest = || Role::Guest { link: "http://x".to_owned() };
        for (role, refused) in [
            (opening(&[], None), false),
            (opening(&[], Some(Approval::All)), false),
            (opening(&[], Some(Approval::Strangers)), true),
            (opening(&["did:web:a.example"], None), true),
            (guest(), false),
            (Role::Resume, true),
        ] {
            let anew = Strangers { new_did: true, ..Strangers::default() };
            assert_eq!(anew.check_role(&role).is_err(), refused, "{role:?}");
            assert!(Strangers::default().check_role(&role).is_ok(), "{role:?}");
        }
        let mut contacts = Contacts::default();
        contacts.met("did:key:a", "alice", "did:peer:1", true, 10);
        let anew = Strangers { new_did: true, ..Strangers::default() };
        assert_eq!((anew.known(&contacts).len(), Strangers::default().known(&contacts).len()), (0, 1));
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
