//! Whether the credential that a party shows counts in a room.
//!
//! Specification: `spec/credentials.md`, section 3.
//!
//! ```text
//! invitation: issuers --+
//! join, roster: text ---+--> Evidence::check --> Claims, or the Fault that is told to both sides
//! documents, lists -----+
//! ```
//!
//! Not its concern: the text itself (`didagent_didcomm::credential`), where documents and lists come from (`io::engine`), and the way of
//! a credential through a room (`core::room::credentials`).

pub mod held;
pub mod issued;

use std::collections::HashMap;

use didagent_didcomm::credential::{
    Claims, Credential, CredentialError, CredentialIn, StatusError, StatusListIn,
};
use didagent_didcomm::did::web;
use url::{Host, Url};

use crate::core::room::lookup::Documents;
use crate::failure::Failure;

/// Status lists as they came, by their address.
pub(crate) type Lists = HashMap<String, String>;

/// Most bytes of all credentials of a room together: with the longest roster they travel in one message that a mediator keeps, which is
/// encrypted twice. Eight parties may have the longest ones.
const MAX_TOGETHER: usize = 48 * 1024;

/// What is needed to judge a credential.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Evidence<'a> {
    /// The issuers of one of which a credential must be; without any, none is needed.
    pub(crate) issuers: &'a [String],
    /// Documents of issuers.
    pub(crate) documents: &'a Documents,
    /// Lists.
    pub(crate) lists: &'a Lists,
    /// Documents and lists that could not be had when they were asked for last.
    pub(crate) failures: &'a HashMap<String, Failure>,
}

/// How strictly it is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Everything must have been had when it was asked for last.
    Now,
    /// It counted before: that a site is away for a moment takes nobody's seat.
    Seated,
}

/// Why a party is not admitted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// It shows none.
    Missing,
    /// It is of somebody who need not vouch for anybody here.
    OtherIssuer,
    /// It is about another identity than the party's.
    OtherSubject,
    /// It is not the one that the roster names.
    OtherText,
    /// Those of all parties together would be too long.
    TooLong,
    /// It does not count.
    Credential(CredentialError),
    /// The list that it names was not had.
    NoList {
        /// Its address.
        url: String,
    },
    /// The list says no, or nothing.
    Status(StatusError),
}

impl Fault {
    /// Returns one sentence for people, the same for guest and host.
    pub fn sentence(&self) -> &'static str {
        match self {
            Self::Missing => "there is no credential, and the invitation requires one",
            Self::OtherIssuer => "the credential is of an issuer that the invitation does not name",
            Self::OtherSubject => "the credential is about somebody else",
            Self::OtherText => "the credential is not the one that the roster names",
            Self::NoList { .. } => "the issuer's list of revoked credentials cannot be had",
            Self::TooLong => "the credential is too long for a room of so many parties",
            Self::Credential(error) => of_credential(error),
            Self::Status(error) => of_status(error),
        }
    }
}

impl From<CredentialError> for Fault {
    fn from(error: CredentialError) -> Self {
        Self::Credential(error)
    }
}

impl From<StatusError> for Fault {
    fn from(error: StatusError) -> Self {
        Self::Status(error)
    }
}

fn of_credential(error: &CredentialError) -> &'static str {
    match error {
        CredentialError::Malformed { .. } => "the credential is damaged",
        CredentialError::Unsupported { .. } => "the credential is of a kind that is not read here",
        CredentialError::NoDocument => "the document of the credential's issuer cannot be had",
        CredentialError::UnlistedKey => {
            "the document of the credential's issuer does not list the key that signed it"
        }
        CredentialError::BadSignature => "the credential was not signed by its issuer",
        CredentialError::NotYet { .. } => "the credential is not valid yet",
        CredentialError::Expired { .. } => "the credential has expired",
        _ => "the credential does not count",
    }
}

fn of_status(error: &StatusError) -> &'static str {
    match error {
        StatusError::Revoked => "the credential was revoked by its issuer",
        StatusError::Suspended => "the credential is suspended by its issuer",
        StatusError::List(CredentialError::Expired { .. }) => {
            "the issuer's list of revoked credentials has expired"
        }
        StatusError::List(CredentialError::NotYet { .. }) => {
            "the issuer's list of revoked credentials is not valid yet"
        }
        StatusError::OtherIssuer => "the list of revoked credentials is not the issuer's",
        StatusError::OtherList => "the list of revoked credentials is another one",
        StatusError::OtherPurpose => "the list of revoked credentials is for another purpose",
        StatusError::Length => "the list of revoked credentials does not have the credential's entry",
        _ => "the list of revoked credentials does not hold",
    }
}

impl Evidence<'_> {
    /// Judges the credential that the party with this identity shows, at `now`, in UTC seconds. `None` if none is needed.
    ///
    /// # Errors
    /// [`Fault`] names the first thing that is wrong.
    pub(crate) fn check(
        &self,
        text: Option<&str>,
        identity: &str,
        now: u64,
        rule: Rule,
    ) -> Result<Option<Claims>, Fault> {
        if self.issuers.is_empty() {
            return Ok(None);
        }
        let credential = self.signed(text.ok_or(Fault::Missing)?, now, rule)?;
        if credential.claims().subject != identity {
            return Err(Fault::OtherSubject);
        }
        for entry in &credential.claims().status {
            let list = self.lists.get(&entry.list).filter(|_| self.was_had(&entry.list, rule));
            let list = list.ok_or_else(|| Fault::NoList { url: entry.list.clone() })?;
            let list = StatusListIn::read(list).map_err(StatusError::from)?.verify(self.documents, now)?;
            credential.check_status(entry, &list)?;
        }
        Ok(Some(credential.claims().clone()))
    }

    /// Says at which addresses the lists of a credential are that one of the issuers has signed; nobody else may choose whom this
    /// machine asks.
    pub(crate) fn lists_of(&self, text: &str, now: u64) -> Vec<String> {
        let Ok(credential) = self.signed(text, now, Rule::Seated) else { return Vec::new() };
        let entries = credential.claims().status.iter();
        entries.map(|entry| entry.list.clone()).filter(|url| list_url(url).is_some()).collect()
    }

    /// Says whether one of the issuers has signed this credential about `identity`, whatever became of it since.
    pub(crate) fn is_vouched(&self, text: &str, identity: &str, now: u64) -> bool {
        let credential = self.signed(text, now, Rule::Seated);
        credential.is_ok_and(|credential| credential.claims().subject == identity)
    }

    fn signed(&self, text: &str, now: u64, rule: Rule) -> Result<Credential, Fault> {
        let credential = CredentialIn::read(text)?;
        let issuer = &credential.claims().issuer;
        if !self.issuers.contains(issuer) {
            return Err(Fault::OtherIssuer);
        }
        if !self.was_had(issuer, rule) {
            return Err(CredentialError::NoDocument.into());
        }
        Ok(credential.verify(self.documents, now)?)
    }

    fn was_had(&self, key: &str, rule: Rule) -> bool {
        rule == Rule::Seated || !self.failures.contains_key(key)
    }
}

/// Says whether a credential is short enough for a room of so many.
///
/// # Errors
/// [`Fault::TooLong`].
pub(crate) fn check_length(text: Option<&str>, seats: usize) -> Result<(), Fault> {
    let most = MAX_TOGETHER.checked_div(seats).unwrap_or_default();
    if text.is_some_and(|text| text.len() > most) { Err(Fault::TooLong) } else { Ok(()) }
}

/// Returns the issuer that a credential names, if its document must be looked up and it is one of `issuers`.
pub(crate) fn issuer_elsewhere<'a>(text: &str, issuers: &'a [String]) -> Option<&'a String> {
    let credential = CredentialIn::read(text).ok()?;
    let named = issuers.iter().find(|issuer| **issuer == credential.claims().issuer);
    named.filter(|issuer| issuer.starts_with(web::PREFIX))
}

/// Returns the address of a list as a URL: https, and a name as host.
pub(crate) fn list_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_plain = url.username().is_empty() && url.password().is_none();
    let is_name = matches!(url.host(), Some(Host::Domain(_)));
    (url.scheme() == "https" && is_name && is_plain).then_some(url)
}
