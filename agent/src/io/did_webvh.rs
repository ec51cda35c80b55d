//! Fetches and verifies the log of a did:webvh.
//!
//! Specification: `spec/connect.md`, CN-70 to CN-72; the did:webvh method, version 1.0; decision record 0010.
//!
//! ```text
//! did:webvh --> did.jsonl [and did-witness.json] --> bounds --> every entry verified --> newest document, whose id is the DID
//! ```
//!
//! A log is a stranger's, and verifying one costs a signature for each entry and witness. So what it may ask for is bounded
//! before anything is verified. The rules of the method are those of `didwebvh-rs`, which is given texts and has no network here.
//!
//! Not its concern: the request (`io::did_web`), remembering documents (`core::did_cache`).

use std::time::Duration;

use didagent_didcomm::did::{DidDocument, webvh};
use didwebvh_rs::DIDWebVHState;
use didwebvh_rs::log_entry::LogEntryMethods as _;
use didwebvh_rs::log_entry_state::LogEntryState;
use futures_util::FutureExt as _;
use tokio::time::timeout;
use tracing::subscriber::{NoSubscriber, with_default};

use crate::core::did_document;
use crate::failure::{Failure, Kind};
use crate::io::did_web::{Fetched, Hosts, Wanted, fetch_text};

/// Most entries of a log. An entry is written when a document or a key changes: one each week for five years.
const MAX_ENTRIES: usize = 256;
/// Most witnesses of an entry: each may have to be verified once for every entry.
const MAX_WITNESSES: usize = 16;
/// How long everything may take, both texts and the verification.
const TOTAL: Duration = Duration::from_secs(10);

/// An entry has a whole document: 256 entries of the usual 1 KiB.
const LOG: Wanted = Wanted { name: "log", accept: "text/jsonl, application/jsonl, */*", most: 256 * 1024 };
/// One proof for each witness takes 400 bytes; older ones may stay in the file.
const PROOFS: Wanted =
    Wanted { name: "list of witnesses' proofs", accept: "application/json, */*", most: 64 * 1024 };

/// What a log says that verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The newest document.
    pub document: DidDocument,
    /// The same as JSON, without the services that the method implies: none of them is DIDComm's.
    pub json: String,
    /// How long the owner wants it to be remembered, in seconds.
    pub lifetime: Option<u64>,
}

/// Fetches the newest document of `did`, a did:webvh.
///
/// # Errors
/// One of the kinds of DIDs (`E09..`).
pub(crate) async fn fetch(did: &str, hosts: Hosts) -> Result<Fetched, Failure> {
    timeout(TOTAL, fetch_and_verify(did, hosts)).await.unwrap_or_else(|_| {
        let message = format!("the log of {did} was not there and verified within {} s", TOTAL.as_secs());
        Err(Failure::new(Kind::DidUnreachable, message).hint("the same again in a minute"))
    })
}

async fn fetch_and_verify(did: &str, hosts: Hosts) -> Result<Fetched, Failure> {
    let malformed = |error| did_document::failure(did, &error);
    let (log_url, proofs_url) =
        (webvh::log_url(did).map_err(malformed)?, webvh::witness_url(did).map_err(malformed)?);
    let log = fetch_text(&log_url, LOG, hosts).await?;
    let wants_proofs = has_witnesses(did, &log.text)?;
    let proofs = if wants_proofs { Some(fetch_text(&proofs_url, PROOFS, hosts).await?.text) } else { None };
    let owned = did.to_owned();
    // A processor may be busy with 256 entries for longer than others on this thread can wait.
    let verified = tokio::task::spawn_blocking(move || verify(&owned, &log.text, proofs.as_deref())).await;
    let Verified { document, json, lifetime } =
        verified.map_err(|_| broken(did, "it cannot be verified"))??;
    let lifetime = lifetime.map_or(log.lifetime, |seconds| seconds.min(log.lifetime));
    Ok(Fetched { document, json, lifetime })
}

/// Verifies a log and, if an entry names witnesses, their proofs.
///
/// # Errors
/// [`Kind::DidDocumentBroken`] when any part of it does not hold, [`Kind::DidNotFound`] when the DID was deactivated or moved.
pub fn verify(did: &str, log: &str, proofs: Option<&str>) -> Result<Verified, Failure> {
    read_entries(did, log)?;
    let mut state = DIDWebVHState::default();
    // It tells the log what is wrong with a stranger's text, in the stranger's words; here the failure says it, made harmless.
    let resolved = with_default(NoSubscriber::default(), || {
        // Nothing in it waits: both texts are here.
        state.resolve_log_owned(did, log, proofs).now_or_never()
    });
    let (entry, metadata) = match resolved {
        Some(Ok(resolved)) => resolved,
        Some(Err(error)) => return Err(broken(did, &error.to_string())),
        None => return Err(broken(did, "it cannot be verified")),
    };
    if metadata.deactivated {
        let message = format!("{did} was deactivated by its owner on {}", metadata.updated);
        return Err(Failure::new(Kind::DidNotFound, message).hint("ask whoever gave you the DID for another"));
    }
    if let Some(id) = entry.get_state().get("id").and_then(|id| id.as_str()).filter(|id| *id != did) {
        let failure = Failure::new(Kind::DidNotFound, format!("{did} has moved and is now {id}"));
        return Err(failure.hint(format!("didagent did resolve '{id}'")));
    }
    let json = entry.get_state().to_string();
    let document =
        DidDocument::from_json(did, json.as_bytes()).map_err(|error| did_document::failure(did, &error))?;
    let ttl = state.log_entries().last().and_then(|entry| entry.validated_parameters.ttl);
    Ok(Verified { document, json, lifetime: ttl.map(u64::from) })
}

fn has_witnesses(did: &str, log: &str) -> Result<bool, Failure> {
    Ok(DIDWebVHState::needs_witness_proofs(&read_entries(did, log)?))
}

/// The entries of a log that asks for no more than it may; nothing about them is known to be true.
fn read_entries(did: &str, log: &str) -> Result<Vec<LogEntryState>, Failure> {
    if log.len() > LOG.most {
        return Err(broken(did, "it is too long"));
    }
    if log.lines().nth(MAX_ENTRIES).is_some() {
        return Err(broken(did, &format!("it has more than {MAX_ENTRIES} entries")));
    }
    let entries = with_default(NoSubscriber::default(), || DIDWebVHState::parse_log_entries(log));
    let entries = entries.map_err(|error| broken(did, &error.to_string()))?;
    for entry in &entries {
        let parameters = entry.log_entry.get_parameters();
        let witnesses = parameters.witness.as_ref().and_then(|witness| witness.witnesses());
        if witnesses.is_some_and(|witnesses| witnesses.len() > MAX_WITNESSES) {
            return Err(broken(did, &format!("it has more than {MAX_WITNESSES} witnesses")));
        }
    }
    Ok(entries)
}

fn broken(did: &str, why: &str) -> Failure {
    Failure::new(Kind::DidDocumentBroken, format!("the log of {did} cannot be used: {why}"))
        .hint("tell whoever runs the web site")
}
