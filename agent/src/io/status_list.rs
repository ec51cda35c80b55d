//! Fetches the lists in which issuers say which credentials they have revoked.
//!
//! Specification: `spec/credentials.md`, CR-25. The same hosts, limits and redirects as for the document of a did:web (`io::did_web`).
//!
//! Not its concern: what a list says (`didagent_didcomm::credential`), and who asks for which (`core::room::credentials`).

use didagent_didcomm::credential::MAX_STATUS_LIST_BYTES;

use crate::core::credential::list_url;
use crate::core::did_cache::MAX_LIST_SECONDS;
use crate::failure::{Failure, Kind};
use crate::io::did::Asking;
use crate::io::did_web::{self, Hosts, Text, Wanted};
use crate::io::home::Home;
use crate::io::unix_now;

const LIST: Wanted = Wanted {
    name: "status list",
    accept: "application/vc+jwt, application/jwt, text/plain",
    most: MAX_STATUS_LIST_BYTES,
};

/// Returns the list at this address, as it came. It is remembered in the home, for a few minutes at most.
///
/// # Errors
/// One of the kinds of DIDs (`E09..`).
pub(crate) async fn fetch(home: &Home, address: &str, asking: Asking) -> Result<String, Failure> {
    let Some(url) = list_url(address) else {
        let message = "the address of a status list is no https address with a name";
        return Err(Failure::new(Kind::DidHostRefused, message));
    };
    let local = asking.hosts == Hosts::Any;
    let now = unix_now();
    if let Some(list) = home.list_cache().text(address, local, now).filter(|_| !asking.fresh) {
        return Ok(list.to_owned());
    }
    let Text { text, lifetime } = did_web::fetch_text(&url, LIST, asking.hosts).await?;
    // Another request may have ended meanwhile: what it wrote is read again.
    let mut cache = home.list_cache();
    cache.put_list(address, local, text.clone(), lifetime.min(MAX_LIST_SECONDS), now);
    if let Err(failure) = home.write_list_cache(&cache) {
        // Asked again next time, and nothing worse.
        tracing::info!(%failure, "the status list is not remembered");
    }
    Ok(text)
}
