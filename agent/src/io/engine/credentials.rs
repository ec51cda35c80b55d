//! The credential that this party shows: chosen from those of the home, before anything is sent.
//!
//! Specification: `spec/credentials.md`, CR-21. A host's own is judged as the guests will judge it: a room in which nobody begins is not
//! opened.
//!
//! Not its concern: other parties' credentials (`core::room::credentials`).

use std::collections::HashMap;

use didagent_didcomm::did::web;

use super::lookups::{Found, Lookups};
use crate::core::credential::{Evidence, Lists, Rule, check_length};
use crate::core::room::credentials::absent;
use crate::core::room::lookup::Documents;
use crate::failure::{Failure, Kind};
use crate::io::did::resolve;
use crate::io::home::Home;
use crate::io::{status_list, unix_now};

/// Returns the credential of this home that fits an invitation; `None` if none is needed.
///
/// # Errors
/// [`Kind::CredentialNeeded`], or that the home cannot be read.
pub(super) fn fitting(home: &Home, issuers: &[String], identity: &str) -> Result<Option<String>, Failure> {
    if issuers.is_empty() {
        return Ok(None);
    }
    let fitting = home.held()?.fitting(issuers, identity, unix_now())?;
    Ok(Some(fitting.text))
}

impl Lookups {
    /// Judges our own credential, and keeps what that took for the room that we host.
    ///
    /// # Errors
    /// Why it does not count.
    pub(super) async fn judge_own(
        &mut self,
        (issuers, seats): (&[String], usize),
        credential: Option<&str>,
        identity: &str,
    ) -> Result<(), Failure> {
        let Some(text) = credential else { return Ok(()) };
        let (mut documents, mut lists) = (Documents::new(), Lists::new());
        let mut failures = HashMap::new();
        let claims = crate::core::credential::held::read(text)?;
        if claims.issuer.starts_with(web::PREFIX) {
            match resolve(&self.home, &claims.issuer, self.asking).await {
                Ok(document) => drop(documents.insert(claims.issuer.clone(), document)),
                Err(failure) => drop(failures.insert(claims.issuer.clone(), failure)),
            }
        }
        let now = unix_now();
        let evidence = Evidence { issuers, documents: &documents, lists: &lists, failures: &failures };
        for url in evidence.lists_of(text, now) {
            match status_list::fetch(&self.home, &url, self.asking).await {
                Ok(list) => drop(lists.insert(url, list)),
                Err(failure) => drop(failures.insert(url, failure)),
            }
        }
        let evidence = Evidence { issuers, documents: &documents, lists: &lists, failures: &failures };
        let judged = evidence.check(Some(text), identity, now, Rule::Now);
        judged.and_then(|_| check_length(Some(text), seats)).map_err(|fault| {
            let failure = absent("this home", &fault, &evidence);
            match failure.kind {
                Kind::CredentialAbsent => Failure::new(Kind::CredentialNeeded, failure.message)
                    .hint("ask the issuer for a new one, then: didagent credential add FILE"),
                _ => failure,
            }
        })?;
        self.own.extend(documents.into_iter().map(|(did, document)| Found::Document(did, Ok(document))));
        self.own.extend(lists.into_iter().map(|(url, list)| Found::List(url, Ok(list))));
        Ok(())
    }
}
