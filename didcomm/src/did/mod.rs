//! Decentralised identifiers and the documents that they stand for.
//!
//! DID Core 1.0; the methods `did:key` ([`key`]) and `did:peer:2` ([`peer2`]), whose documents follow from the
//! identifier itself.
//!
//! ```text
//! DID --resolve_offline--> DidDocument --x25519(kid)--> key for an envelope
//!                                      --services-----> where to send it
//! ```
//!
//! Not its concern: methods whose resolution needs the network. Whoever has resolved such a DID puts the document into
//! a [`Resolver`] of its own; nothing here opens a socket.

mod document;
pub mod key;
mod multikey;
pub mod peer2;
mod public_key;

use std::collections::HashMap;

pub use document::{DidDocument, Service, VerificationMethod};
pub use public_key::{KeyError, PublicKey};

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
    /// The method is known, but the resolver has no document for this DID.
    #[error("DID not found")]
    NotFound,
}

impl DidError {
    const fn malformed(what: &'static str) -> Self {
        Self::Malformed { what }
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

/// Resolves a `did:key` or `did:peer:2`.
///
/// ```
/// let did = didagent_didcomm::did::key::encode_ed25519(&[0x3d; 32]);
/// assert_eq!(didagent_didcomm::did::resolve_offline(&did).unwrap().id, did);
/// ```
///
/// # Errors
/// [`DidError::UnsupportedMethod`] for any other method, the other variants as they say.
pub fn resolve_offline(did: &str) -> Result<DidDocument, DidError> {
    if did.len() > MAX_DID_BYTES {
        return Err(DidError::TooLong { got: did.len() });
    }
    if did.starts_with(key::PREFIX) {
        key::resolve(did)
    } else if did.starts_with(peer2::PREFIX) {
        peer2::resolve(did)
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
        for did in ["did:web:example.com", "did:peer:4zQm", "did:peer:0z6Mk", "key:z6Mk", ""] {
            assert_eq!(resolve_offline(did), Err(DidError::UnsupportedMethod), "{did}");
        }
        let long = format!("did:peer:2.V{}", "z".repeat(MAX_DID_BYTES));
        assert_eq!(resolve_offline(&long), Err(DidError::TooLong { got: long.len() }));
    }
}
