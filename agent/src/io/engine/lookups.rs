//! Documents of identities that are elsewhere: our own at the start, those of others when the room asks for them.
//!
//! Specification: `spec/connect.md`, CN-73 to CN-75. A lookup may take ten seconds, so each is a task, and the engine goes on.
//!
//! Not its concern: who may cause how many of them (`core::room`), how a document is got (`io::did`).

use didagent_didcomm::did::{DidDocument, web};
use tokio::sync::mpsc;

use super::{End, Engine, now};
use crate::core::did_document;
use crate::core::identity::Identity;
use crate::core::room::Input;
use crate::failure::{Failure, Kind};
use crate::io::did::{Asking, resolve};
use crate::io::did_web::Hosts;
use crate::io::home::Home;
use crate::io::status_list;

/// As whom we take part, and who may be asked about others.
#[derive(Debug, Clone, Default)]
pub struct Web {
    /// A did:web whose document lists our key; `None` for our did:key.
    pub did: Option<String>,
    /// Hosts of local networks may be asked.
    pub allow_private_hosts: bool,
}

/// What came of a lookup.
#[derive(Debug)]
pub(super) enum Found {
    /// The document of a DID.
    Document(String, Result<DidDocument, Failure>),
    /// The status list at an address.
    List(String, Result<String, Failure>),
}

/// Lookups that are under way.
#[derive(Debug)]
pub(super) struct Lookups {
    pub(super) home: Home,
    pub(super) asking: Asking,
    /// Our own document, if we are a did:web; as a host also what our own credential was judged by.
    pub(super) own: Vec<Found>,
    to_engine: mpsc::UnboundedSender<Found>,
    pub(super) found: mpsc::UnboundedReceiver<Found>,
}

impl Lookups {
    /// Makes the identity the one that `web` names, and looks that one's document up first.
    ///
    /// # Errors
    /// Those of resolving, and [`Kind::DidKeyUnlisted`].
    pub(super) async fn begin(
        home: &Home,
        identity: Identity,
        web: &Web,
    ) -> Result<(Self, Identity), Failure> {
        let hosts = if web.allow_private_hosts { Hosts::Any } else { Hosts::Public };
        let asking = Asking { hosts, fresh: false };
        let (identity, own) = match &web.did {
            None => (identity, Vec::new()),
            Some(did) => {
                web::url(did).map_err(|error| did_document::failure(did, &error))?;
                // Whoever has just uploaded a document must not be told what was there before.
                let document = resolve(home, did, Asking { hosts, fresh: true }).await?;
                let kid = listed_key(&document, &identity)?;
                (identity.named(kid), vec![Found::Document(document.id.clone(), Ok(document.clone()))])
            }
        };
        let (to_engine, found) = mpsc::unbounded_channel();
        Ok((Self { home: home.clone(), asking, own, to_engine, found }, identity))
    }

    /// Looks up `did`; what comes of it arrives in `found`.
    pub(super) fn ask(&self, did: String) {
        let (home, asking, to_engine) = (self.home.clone(), self.asking, self.to_engine.clone());
        tokio::spawn(async move {
            let result = resolve(&home, &did, asking).await;
            if let Err(failure) = &result {
                tracing::info!(code = failure.kind.code(), "the document of an identity was not found");
            }
            // An engine that has ended wants no answer.
            let _ = to_engine.send(Found::Document(did, result));
        });
    }

    /// Asks for a status list; what comes of it arrives in `found`.
    pub(super) fn ask_list(&self, url: String) {
        let (home, asking, to_engine) = (self.home.clone(), self.asking, self.to_engine.clone());
        tokio::spawn(async move {
            let result = status_list::fetch(&home, &url, asking).await;
            if let Err(failure) = &result {
                tracing::info!(code = failure.kind.code(), "a status list was not had");
            }
            let _ = to_engine.send(Found::List(url, result));
        });
    }
}

/// The id of the key of `identity` in its document.
fn listed_key<'a>(document: &'a DidDocument, identity: &Identity) -> Result<&'a str, Failure> {
    did_document::key_id_of(document, identity).ok_or_else(|| {
        let message =
            format!("the document of {} does not list the key of this home, {}", document.id, identity.did());
        Failure::new(Kind::DidKeyUnlisted, message)
            .hint("didagent identity show --domain HOST > did.json, and upload it; or without --as")
    })
}

impl Engine {
    pub(super) fn looked_up(&mut self, found: Found) -> Result<Option<End>, Failure> {
        if let Some(room) = &mut self.room {
            let input = match found {
                Found::Document(did, result) => Input::Resolved(did, result),
                Found::List(url, result) => Input::StatusList(url, result),
            };
            room.handle(input, now(), &mut self.rng);
        }
        Ok(None)
    }

    /// Tells a new room what was looked up about ourselves.
    pub(super) fn show_own_document(&mut self) {
        for found in std::mem::take(&mut self.lookups.own) {
            // It cannot fail: the answer is ours.
            let _ = self.looked_up(found);
        }
    }
}
