//! Accounts and the recipient DIDs that belong to them.
//!
//! An account is a DID that asked for mediation and proved itself by authcrypt. A recipient DID belongs to at most one
//! account. Coordinate Mediation asks for no proof that a client owns what it registers; here
//!
//! * a DID that speaks for itself owns itself: it takes its own name back from whoever registered it before;
//! * a DID that is an account cannot be registered by another one;
//! * any other DID goes to the first account that asks (other software registers one DID per contact and speaks with
//!   another), and stays there until it is removed or speaks for itself.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use didagent_didcomm::did::did_of;
use didagent_didcomm::protocols::coordinate_mediation::Outcome;

use super::limits::Limits;

/// All accounts.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    accounts: HashMap<Arc<str>, Account>,
    owners: HashMap<Arc<str>, Arc<str>>,
}

#[derive(Debug)]
struct Account {
    recipients: BTreeSet<Arc<str>>,
    last_seen: Duration,
}

impl Accounts {
    /// Makes an account for `did`, or finds the one it has; `false` when there are too many.
    pub(super) fn enrol(&mut self, did: &Arc<str>, now: Duration, limits: &Limits) -> bool {
        if let Some(account) = self.accounts.get_mut(did) {
            account.last_seen = now;
            return true;
        }
        if self.accounts.len() >= limits.accounts || did.len() > limits.did_bytes {
            return false;
        }
        let mut recipients = BTreeSet::new();
        // Somebody else registered this DID: it speaks for itself now.
        if let Some(owner) = self.owners.get(did).cloned() {
            self.unbind(&owner, did);
            self.owners.insert(did.clone(), did.clone());
            recipients.insert(did.clone());
        }
        self.accounts.insert(did.clone(), Account { recipients, last_seen: now });
        true
    }

    pub(super) fn is_enrolled(&self, did: &str) -> bool {
        self.accounts.contains_key(did)
    }

    /// Notes that the owner of `did` was heard.
    pub(super) fn seen(&mut self, did: &str, now: Duration) {
        if let Some(account) = self.accounts.get_mut(did) {
            account.last_seen = now;
        }
    }

    /// Registers `recipient` for the account of `did`.
    pub(super) fn add(&mut self, did: &Arc<str>, recipient: &str, limits: &Limits) -> Outcome {
        let well_formed = recipient.starts_with("did:") && did_of(recipient) == recipient;
        if !well_formed || recipient.len() > limits.did_bytes {
            return Outcome::ClientError;
        }
        match self.owners.get(recipient) {
            Some(owner) if owner == did => return Outcome::NoChange,
            // Even if it is the DID that asks: an account's own DID is never another's, since `enrol` takes it back.
            Some(_) => return Outcome::ClientError,
            None if recipient != &**did && self.accounts.contains_key(recipient) => {
                return Outcome::ClientError;
            }
            None => {}
        }
        if self.owners.len() >= limits.recipients {
            return Outcome::ServerError;
        }
        let Some(account) = self.accounts.get_mut(did) else {
            return Outcome::ClientError;
        };
        if account.recipients.len() >= limits.recipients_per_account {
            return Outcome::ClientError;
        }
        let recipient: Arc<str> = recipient.into();
        account.recipients.insert(recipient.clone());
        self.owners.insert(recipient, did.clone());
        Outcome::Success
    }

    /// Forgets `recipient` of the account of `did`; its mail is then to be dropped if the outcome is `Success`.
    pub(super) fn remove(&mut self, did: &str, recipient: &str) -> Outcome {
        match self.owners.get(recipient) {
            Some(owner) if &**owner == did => {
                self.owners.remove(recipient);
                self.unbind(did, recipient);
                Outcome::Success
            }
            // Whether it belongs to somebody else is nobody's business.
            _ => Outcome::NoChange,
        }
    }

    fn unbind(&mut self, owner: &str, recipient: &str) {
        if let Some(account) = self.accounts.get_mut(owner) {
            account.recipients.remove(recipient);
        }
    }

    /// Returns the account that takes mail for `recipient`.
    pub(super) fn owner_of(&self, recipient: &str) -> Option<&Arc<str>> {
        self.owners.get(recipient)
    }

    /// Returns the recipient DIDs of an account, in a fixed order.
    pub(super) fn recipients(&self, did: &str) -> impl Iterator<Item = &Arc<str>> + Clone {
        self.accounts.get(did).into_iter().flat_map(|account| account.recipients.iter())
    }

    /// Removes accounts that were not heard for [`Limits::account_idle`] and for which `busy` is false; returns the
    /// recipient DIDs that go with them.
    pub(super) fn expire(
        &mut self,
        now: Duration,
        limits: &Limits,
        busy: impl Fn(&str) -> bool,
    ) -> Vec<Arc<str>> {
        let idle = self.accounts.iter().filter(|(did, account)| {
            now.saturating_sub(account.last_seen) > limits.account_idle && !busy(did)
        });
        let idle: Vec<Arc<str>> = idle.map(|(did, _)| did.clone()).collect();
        self.drop_all(&idle)
    }

    /// Tells whether the next account is refused for want of room.
    pub(super) fn is_full(&self, limits: &Limits) -> bool {
        self.accounts.len() >= limits.accounts
    }

    /// Tells whether the next recipient DID is refused for want of room.
    pub(super) fn recipients_are_full(&self, limits: &Limits) -> bool {
        self.owners.len() >= limits.recipients
    }

    /// Removes up to `most` accounts for which `busy` is false: first those without a recipient DID, which can get no mail, then
    /// those with, each in the order in which they were last heard. Returns the recipient DIDs that go with them.
    pub(super) fn evict(
        &mut self,
        most: usize,
        busy: impl Fn(&str, &BTreeSet<Arc<str>>) -> bool,
    ) -> Vec<Arc<str>> {
        let free = self.accounts.iter().filter(|(did, account)| !busy(did, &account.recipients));
        let mut free: Vec<_> = free
            .map(|(did, account)| (!account.recipients.is_empty(), account.last_seen, did.clone()))
            .collect();
        free.sort_unstable();
        free.truncate(most);
        let dids: Vec<_> = free.into_iter().map(|(_, _, did)| did).collect();
        self.drop_all(&dids)
    }

    fn drop_all(&mut self, dids: &[Arc<str>]) -> Vec<Arc<str>> {
        let gone: Vec<Arc<str>> = dids
            .iter()
            .filter_map(|did| self.accounts.remove(did))
            .flat_map(|account| account.recipients)
            .collect();
        for recipient in &gone {
            self.owners.remove(recipient);
        }
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1);

    fn did(name: &str) -> Arc<str> {
        format!("did:example:{name}").into()
    }

    fn enrolled(names: &[&str]) -> (Accounts, Limits) {
        let (mut accounts, limits) = (Accounts::default(), Limits::default());
        for name in names {
            assert!(accounts.enrol(&did(name), NOW, &limits));
        }
        (accounts, limits)
    }

    /// Decides RL-41.
    #[test]
    fn binding_is_exclusive() {
        let (mut accounts, limits) = enrolled(&["a", "b"]);
        assert_eq!(accounts.add(&did("a"), &did("x"), &limits), Outcome::Success);
        assert_eq!(accounts.add(&did("a"), &did("x"), &limits), Outcome::NoChange);
        assert_eq!(accounts.add(&did("b"), &did("x"), &limits), Outcome::ClientError);
        assert_eq!(accounts.remove(&did("b"), &did("x")), Outcome::NoChange);
        assert_eq!(accounts.owner_of(&did("x")), Some(&did("a")));
        assert_eq!(accounts.remove(&did("a"), &did("x")), Outcome::Success);
        assert_eq!(accounts.add(&did("b"), &did("x"), &limits), Outcome::Success);
    }

    /// Decides RL-41.
    #[test]
    fn an_account_cannot_be_registered_by_another() {
        let (mut accounts, limits) = enrolled(&["a", "b"]);
        assert_eq!(accounts.add(&did("a"), &did("b"), &limits), Outcome::ClientError);
        assert_eq!(accounts.add(&did("b"), &did("b"), &limits), Outcome::Success);
    }

    /// Decides RL-41.
    #[test]
    fn a_did_that_speaks_for_itself_takes_its_name_back() {
        let (mut accounts, limits) = enrolled(&["squatter"]);
        assert_eq!(accounts.add(&did("squatter"), &did("victim"), &limits), Outcome::Success);
        assert!(accounts.enrol(&did("victim"), NOW, &limits));
        assert_eq!(accounts.owner_of(&did("victim")), Some(&did("victim")));
        assert_eq!(accounts.recipients(&did("squatter")).count(), 0);
        assert_eq!(accounts.add(&did("squatter"), &did("victim"), &limits), Outcome::ClientError);
    }

    /// Decides RL-41.
    #[test]
    fn refuses_what_is_no_did_and_too_many() {
        let (mut accounts, mut limits) = enrolled(&["a"]);
        let long = format!("did:example:{}", "x".repeat(limits.did_bytes));
        for bad in ["", "a", "did:example:x#key-1", "did:example:x?q", long.as_str()] {
            assert_eq!(accounts.add(&did("a"), bad, &limits), Outcome::ClientError, "{bad}");
        }
        limits.recipients_per_account = 1;
        assert_eq!(accounts.add(&did("a"), &did("x"), &limits), Outcome::Success);
        assert_eq!(accounts.add(&did("a"), &did("y"), &limits), Outcome::ClientError);
        limits.accounts = 1;
        assert!(!accounts.enrol(&did("b"), NOW, &limits));
        assert!(accounts.enrol(&did("a"), NOW, &limits));
        assert_eq!(accounts.add(&did("stranger"), &did("z"), &limits), Outcome::ClientError);
    }

    /// Decides RL-40.
    #[test]
    fn idle_accounts_go_with_their_recipients() {
        let (mut accounts, limits) = enrolled(&["a", "b"]);
        assert_eq!(accounts.add(&did("a"), &did("x"), &limits), Outcome::Success);
        let later = NOW + limits.account_idle + NOW;
        assert!(accounts.expire(later, &limits, |_| true).is_empty());
        accounts.seen(&did("b"), later);
        assert_eq!(accounts.expire(later, &limits, |_| false), [did("x")]);
        assert!(!accounts.is_enrolled(&did("a")) && accounts.is_enrolled(&did("b")));
        assert_eq!(accounts.owner_of(&did("x")), None);
    }
}
