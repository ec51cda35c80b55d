//! Resolves any DID that can be: from the identifier, from what was fetched before, from the web.
//!
//! Not its concern: what is done with the document, `core::did_document`.

use didagent_didcomm::did::{DidDocument, DidError, resolve_offline, web, webvh};

use crate::core::did_document;
use crate::failure::Failure;
use crate::io::did_web::{self, Fetched, Hosts};
use crate::io::home::Home;
use crate::io::unix_now;

/// How a DID is resolved whose document is elsewhere.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asking {
    /// Which hosts may be asked.
    pub(crate) hosts: Hosts,
    /// Ask, even if a document is remembered.
    pub(crate) fresh: bool,
}

/// Resolves `did`. What was fetched is remembered in the home, within its time.
///
/// # Errors
/// One of the kinds of DIDs (`E09..`).
pub(crate) async fn resolve(home: &Home, did: &str, asking: Asking) -> Result<DidDocument, Failure> {
    match resolve_offline(did) {
        Err(DidError::UnsupportedMethod) if is_elsewhere(did) => {}
        resolved => return resolved.map_err(|error| did_document::failure(did, &error)),
    }
    let local = asking.hosts == Hosts::Any;
    let now = unix_now();
    let mut cache = home.did_cache();
    if let Some(document) = cache.document(did, local, now).filter(|_| !asking.fresh) {
        tracing::debug!("a document that was fetched before");
        return Ok(document);
    }
    let fetched = fetch(did, asking.hosts).await?;
    cache.put(did, local, fetched.json, fetched.lifetime, now);
    if let Err(failure) = home.write_did_cache(&cache) {
        // Asked again next time, and nothing worse.
        tracing::info!(%failure, "the document is not remembered");
    }
    Ok(fetched.document)
}

/// Says whether the document of `did` is fetched by this build.
fn is_elsewhere(did: &str) -> bool {
    did.starts_with(web::PREFIX) || cfg!(feature = "webvh") && did.starts_with(webvh::PREFIX)
}

async fn fetch(did: &str, hosts: Hosts) -> Result<Fetched, Failure> {
    #[cfg(feature = "webvh")]
    if did.starts_with(webvh::PREFIX) {
        return crate::io::did_webvh::fetch(did, hosts).await;
    }
    did_web::fetch(did, hosts).await
}
