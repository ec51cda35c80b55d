//! The way of credentials through a room: a guest shows one, the host judges it, and everybody judges everybody's with the roster.
//!
//! Specification: `spec/credentials.md`, section 3.
//!
//! ```text
//! join {credential} --issuer's document, then its lists--> HostLobby::seat
//! roster {hashes of all}, credentials --the same--> every guest: admit
//! ```
//!
//! Not its concern: what makes a credential good (`core::credential`).

use std::collections::BTreeSet;

use didagent_didcomm::credential::{Claims, CredentialError, CredentialIn, digest};
use didagent_didcomm::envelope::Authenticated;
use didagent_didcomm::link;
use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::room::{Join, Roster as RosterMessage, refusal};
use didagent_didcomm::protocols::{Body as _, Digest32};

use super::Event;
use super::describe;
use super::lobby::Refusal;
use super::lookup::is_passing;
use super::roster::{MAX_PARTIES, Roster};
use crate::core::connect::showable;
use crate::core::credential::{Evidence, Fault, Rule, issuer_elsewhere};
use crate::failure::{Failure, Kind};

/// The credentials that a message shows.
pub(super) fn shown_in(message: &Message) -> Vec<String> {
    if let Ok(join) = Join::from_message(message) {
        join.credential.into_iter().collect()
    } else if let Ok(roster) = RosterMessage::from_message(message) {
        roster.credentials.into_iter().take(MAX_PARTIES).collect()
    } else {
        Vec::new()
    }
}

/// The issuers of these credentials whose documents must be looked up.
pub(super) fn issuers_elsewhere(texts: &[String], issuers: &[String]) -> BTreeSet<String> {
    texts.iter().filter_map(|text| issuer_elsewhere(text, issuers)).cloned().collect()
}

/// The lists of these credentials.
pub(super) fn lists_of(texts: &[String], evidence: &Evidence<'_>, now: u64) -> BTreeSet<String> {
    texts.iter().flat_map(|text| evidence.lists_of(text, now)).collect()
}

/// Says whether a credential may count that the party with this identity shows: nothing but its signature and its status is open. Whoever
/// has only the link has none.
pub(super) fn may_count(text: Option<&str>, identity: &str, issuers: &[String]) -> bool {
    let read = text.and_then(|text| CredentialIn::read(text).ok());
    read.is_some_and(|credential| {
        let Claims { issuer, subject, .. } = credential.claims();
        issuers.contains(issuer) && subject == identity
    })
}

/// Turns a fault into the refusal of a request for a seat, whose words go to the guest; it comes again if only a site was silent.
pub(super) fn refused(fault: &Fault, evidence: &Evidence<'_>) -> Refusal {
    let may_pass = match fault {
        Fault::NoList { url } => is_passing(evidence.failures.get(url)),
        Fault::Credential(CredentialError::NoDocument) => {
            is_passing(evidence.issuers.iter().find_map(|issuer| evidence.failures.get(issuer)))
        }
        _ => false,
    };
    (if may_pass { refusal::LATER } else { refusal::CREDENTIAL }, fault.sentence())
}

/// What a host's person is told of a refusal; nothing if it was for another reason than a credential.
pub(super) fn refusal_event(
    sender: &Authenticated,
    message: &Message,
    (code, why): Refusal,
    evidence: &Evidence<'_>,
) -> Option<Event> {
    let join = Join::from_message(message).ok().filter(|_| code == refusal::CREDENTIAL)?;
    // It was verified before the credential was looked at.
    let identity = link::verify_with(&join.link, &sender.did, evidence.documents).ok()?.identity;
    Some(Event::Refused { name: showable(&join.name), identity, why: why.to_owned() })
}

/// The hash of each credential, as a roster names them.
pub(crate) fn named(text: Option<&str>) -> Option<Digest32> {
    text.map(|text| Digest32(digest(text)))
}

/// Judges every party's credential, with the rule `rule`, and gives the roster all of them.
///
/// # Errors
/// [`Kind::CredentialAbsent`] names the first party whose credential does not count, and why.
pub(super) fn admit(
    roster: Roster,
    texts: Vec<String>,
    evidence: &Evidence<'_>,
    now: u64,
    rule: Rule,
) -> Result<Roster, Failure> {
    if roster.body().require_issuer != evidence.issuers {
        let message = "the host's roster is refused: it requires credentials of others than the invitation";
        return Err(Failure::new(Kind::RosterRefused, message));
    }
    if evidence.issuers.is_empty() {
        return Ok(roster);
    }
    for party in &roster.body().parties {
        let text = texts.get(party.index).map(String::as_str).filter(|text| !text.is_empty());
        let judged = match text {
            Some(text) if party.credential != named(Some(text)) => Err(Fault::OtherText),
            text => evidence.check(text, &party.identity, now, rule),
        };
        judged.map_err(|fault| absent(&describe(&roster, party.index), &fault, evidence))?;
    }
    if texts.len() != roster.body().m {
        let message = "the host's roster is refused: it comes with more credentials than parties";
        return Err(Failure::new(Kind::RosterRefused, message));
    }
    Ok(roster.with_credentials(texts, evidence.documents))
}

/// Says who has no credential that counts, and what could not be had.
pub(crate) fn absent(who: &str, fault: &Fault, evidence: &Evidence<'_>) -> Failure {
    let unreached = match fault {
        Fault::NoList { url } => evidence.failures.get(url),
        Fault::Credential(_) => evidence.issuers.iter().find_map(|issuer| evidence.failures.get(issuer)),
        _ => None,
    };
    let message = format!("{who} has no credential that counts: {}", fault.sentence());
    match unreached {
        Some(failure) if failure.kind == Kind::DidHostRefused => {
            Failure::new(failure.kind, format!("{message}: {}", failure.message))
                .hint("if it is your own network: --allow-private-hosts")
        }
        Some(failure) => Failure::new(failure.kind, format!("{message}: {}", failure.message)),
        None => Failure::new(Kind::CredentialAbsent, message).hint("tell the host; nothing was started"),
    }
}
