//! Verifiable credentials: what an issuer says of a subject, as one signed text.
//!
//! Specification: `spec/credentials.md`; W3C Verifiable Credentials Data Model 2.0 secured with JOSE (VC-JOSE-COSE), the JWT of
//! data model 1.1 (its section 6.3.1), and Bitstring Status List 1.0.
//!
//! ```text
//! text --CredentialIn::read--> claims that nobody vouches for --verify(documents, now)--> Credential
//! status list --StatusListIn::read, verify--> StatusList --is_set(index)--> revoked or not
//! ```
//!
//! A credential is read as JSON: the terms that are used here mean what the contexts of both data models say, and no context is
//! fetched. Whoever verifies brings the issuer's document, if it does not follow from the DID, and the status lists.
//!
//! Not its concern: which issuers count, whose the credential must be, and where lists come from. Who shows a credential proves with its
//! own key that it is the subject; a credential alone is a piece of text that anybody can copy.

mod claims;
mod error;
mod instant;
mod issue;
mod jose;
mod status;

use sha2::{Digest as _, Sha256};

pub use claims::Claims;
pub use error::{CredentialError, StatusError};
pub use instant::{from_rfc3339, to_rfc3339};
pub use issue::{Issue, issue, issue_status_list};
pub use status::{
    Bits, MAX_STATUS_ENTRIES, MAX_STATUS_LIST_BYTES, MIN_STATUS_ENTRIES, Purpose, StatusEntry, StatusList,
    StatusListIn,
};

use crate::Resolver;
use jose::Jws;

/// Longest credential that is read, in bytes. One with a few claims takes about 1 KiB. All of a room travel in one message, so a room of
/// many has a smaller limit of its own.
pub const MAX_CREDENTIAL_BYTES: usize = 6 * 1024;

/// A credential as received: nothing that it says is known to be true.
#[derive(Debug, Clone)]
pub struct CredentialIn {
    jws: Jws,
    claims: Claims,
}

/// A credential whose issuer has signed it, and which counts at the time at which it was verified, unless a status list says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    claims: Claims,
}

impl CredentialIn {
    /// Reads a compact JWS of at most [`MAX_CREDENTIAL_BYTES`].
    ///
    /// # Errors
    /// [`CredentialError::Malformed`] and [`CredentialError::Unsupported`] name the part.
    pub fn read(text: &str) -> Result<Self, CredentialError> {
        let jws = Jws::read(text, MAX_CREDENTIAL_BYTES)?;
        let claims = Claims::read(jws.typ(), jws.payload())?;
        Ok(Self { jws, claims })
    }

    /// Returns what it claims.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// Verifies that the issuer signed it with a key that its document lists for statements, and that it counts at `now`, in UTC seconds.
    /// `documents` has the issuer's document, unless that follows from the DID.
    ///
    /// # Errors
    /// [`CredentialError`], of which those of time come last: a text that nobody signed has not expired.
    pub fn verify(self, documents: &impl Resolver, now: u64) -> Result<Credential, CredentialError> {
        self.jws.verify(&self.claims.issuer, documents)?;
        self.claims.check_time(now)?;
        Ok(Credential { claims: self.claims })
    }
}

impl Credential {
    /// Returns what the issuer says.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// Says what a verified list of the same issuer says of this credential, for one of its [`Claims::status`].
    ///
    /// # Errors
    /// [`StatusError::Revoked`] and [`StatusError::Suspended`]; the other variants if the list says nothing about `entry`.
    pub fn check_status(&self, entry: &StatusEntry, list: &StatusList) -> Result<(), StatusError> {
        if list.issuer() != self.claims.issuer {
            return Err(StatusError::OtherIssuer);
        }
        list.check(entry)
    }
}

/// Returns the SHA-256 of a credential's text, by which a roster names it.
pub fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

#[cfg(test)]
mod tests;
