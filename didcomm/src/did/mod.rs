//! Decentralised identifiers and the documents that they stand for.
//!
//! DID Core 1.0; the methods `did:key` ([`key`]), `did:jwk` ([`jwk`]), `did:peer` 0, 2 ([`peer2`]) and 4 ([`peer4`]), whose
//! documents follow from the identifier itself. For `did:web` ([`web`]) and `did:webvh` ([`webvh`]): where the
//! document, or the log of all its versions, is.
//!
//! ```text
//! DID --resolve_offline--> DidDocument --x25519(kid)--> key for an envelope
//!                                      --services-----> where to send it
//! did:web --web::url--> URL ... bytes --DidDocument::from_json--> DidDocument
//! ```
//!
//! Not its concern: the network that such a method needs. Whoever has resolved such a DID puts the document into
//! a [`Resolver`] of its own; nothing here opens a socket.

mod document;
pub mod jwk;
pub mod key;
mod multikey;
mod peer0;
pub mod peer2;
pub mod peer4;
mod public_key;
mod reader;
mod seen;
pub(crate) mod strict_json;
pub mod web;
pub mod webvh;
mod writer;

use std::collections::HashMap;

pub use document::{DidDocument, Service, VerificationMethod};
pub use public_key::{KeyError, PublicKey};
pub use reader::MAX_DOCUMENT_BYTES;
pub use seen::SeenResolver;

/// Longest DID that is read, in bytes. A did:peer:2 with two keys and a service behind two did:peer:2 routing keys
/// takes about 1300; a longer one would only make every envelope header that repeats it more costly.
pub const MAX_DID_BYTES: usize = 8192;

/// Why a DID has no document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DidError {
    /// The method is not one that this resolver knows.
    #[error("DID method not supported")]
    UnsupportedMethod,
    /// The identifier is longer than [`MAX_DID_BYTES`].
    #[error("DID of {got} bytes is too long")]
    TooLong {
        /// Its length in bytes.
        got: usize,
    },
    /// The identifier is not well-formed.
    #[error("malformed DID: {what}")]
    Malformed {
        /// Which part of it.
        what: &'static str,
    },
    /// The document is not one, is damaged, or is that of another DID.
    #[error("unusable DID document: {what}")]
    Document {
        /// What is wrong with it.
        what: &'static str,
    },
    /// The method is known, but the resolver has no document for this DID.
    #[error("DID not found")]
    NotFound,
}

impl DidError {
    const fn malformed(what: &'static str) -> Self {
        Self::Malformed { what }
    }

    const fn document(what: &'static str) -> Self {
        Self::Document { what }
    }
}

/// Where documents come from.
///
/// A call must not block: a resolver answers from the identifier itself or from what was resolved before.
pub trait Resolver {
    /// Returns the document of `did`, whose `id` equals `did`.
    ///
    /// # Errors
    /// A [`DidError`] when there is none.
    fn document(&self, did: &str) -> Result<DidDocument, DidError>;
}

/// Resolves the methods that need nothing but the identifier.
#[derive(Debug, Clone, Copy, Default)]
pub struct OfflineResolver;

impl Resolver for OfflineResolver {
    fn document(&self, did: &str) -> Result<DidDocument, DidError> {
        resolve_offline(did)
    }
}

/// Documents that were resolved before, by DID.
impl Resolver for HashMap<String, DidDocument> {
    fn document(&self, did: &str) -> Result<DidDocument, DidError> {
        self.get(did).cloned().ok_or(DidError::NotFound)
    }
}

/// Resolves a `did:key`, `did:jwk`, `did:peer:0`, `did:peer:2` or long `did:peer:4`.
///
/// ```
/// let did = didagent_didcomm::did::key::encode_ed25519(&[0x3d; 32]);
/// assert_eq!(didagent_didcomm::did::resolve_offline(&did).unwrap().id, did);
/// ```
///
/// # Errors
/// [`DidError::UnsupportedMethod`] for any other method, [`DidError::NotFound`] for a short `did:peer:4`, the other variants as
/// they say.
pub fn resolve_offline(did: &str) -> Result<DidDocument, DidError> {
    if did.len() > MAX_DID_BYTES {
        return Err(DidError::TooLong { got: did.len() });
    }
    if did.starts_with(key::PREFIX) {
        key::resolve(did)
    } else if did.starts_with(jwk::PREFIX) {
        jwk::resolve(did)
    } else if did.starts_with(peer0::PREFIX) {
        peer0::resolve(did)
    } else if did.starts_with(peer2::PREFIX) {
        peer2::resolve(did)
    } else if did.starts_with(peer4::PREFIX) {
        peer4::resolve(did)
    } else {
        Err(DidError::UnsupportedMethod)
    }
}

/// Returns the DID of a DID URL: what comes before the first `/`, `?` or `#`.
pub fn did_of(kid: &str) -> &str {
    kid.split(['/', '?', '#']).next().unwrap_or(kid)
}

#[cfg(test)]
mod tests {
    use super::{DidError, MAX_DID_BYTES, did_of, resolve_offline};

    #[test]
    fn cuts_a_did_url_at_its_did() {
        for url in ["did:example:a", "did:example:a#key-1", "did:example:a?x=1#k", "did:example:a/path?x#k"] {
            assert_eq!(did_of(url), "did:example:a");
        }
        assert_eq!(did_of(""), "");
    }

    /// Decides CN-04.
    #[test]
    fn refuses_other_methods_and_lengths() {
        for did in ["did:web:example.com", "did:peer:1zQm", "did:peer:3zQm", "key:z6Mk", ""] {
            assert_eq!(resolve_offline(did), Err(DidError::UnsupportedMethod), "{did}");
        }
        let long = format!("did:peer:2.V{}", "z".repeat(MAX_DID_BYTES));
        assert_eq!(resolve_offline(&long), Err(DidError::TooLong { got: long.len() }));
    }
}
