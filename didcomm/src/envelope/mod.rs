//! Encrypted envelopes: plaintext messages in and out of JWE.
//!
//! DIDComm Messaging v2.1, "Message Encryption" and "Message Layer Addressing Consistency"; RFC 7516 (JWE), RFC 7518
//! (ECDH-ES, A256CBC-HS512), draft-madden-jose-ecdh-1pu-04, draft-amringer-jose-chacha-02 (XC20P). The rules that those
//! leave open are in `spec/connect.md`.
//!
//! ```text
//! Message --authcrypt--> JWE  ECDH-1PU+A256KW, A256CBC-HS512   the recipient learns who sent it, and can prove it to nobody
//! Message --anoncrypt--> JWE  ECDH-ES+A256KW, XC20P            nobody learns who sent it
//! Message --sealed-----> JWE  anoncrypt(authcrypt)             as authcrypt, and a mediator does not learn the sender
//! bytes   --unpack-----> Unpacked: the message, and who sent it if that is known
//! ```
//!
//! Keys are X25519. Signed messages (JWS), the NIST curves and A256GCM are answered with
//! [`UnpackError::Unsupported`].
//!
//! Not its concern: routing through mediators (`protocols`), what a message means, whether a sender is welcome.

mod content;
mod error;
mod jwe;
mod kdf;
mod pack;
mod unpack;

#[cfg(test)]
mod tests;

pub use error::{PackError, UnpackError};
pub use pack::{anoncrypt, authcrypt, sealed};
pub use unpack::{Authenticated, Unpacked, unpack};

use crate::keys::X25519Secret;

/// Largest envelope that is read or written, in bytes.
///
/// An attachment grows by 4/3 when it is encoded and by 4/3 when it is encrypted. Four MiB hold a message of 1 MiB that
/// went through a mediator's forward and comes back in a delivery; anything larger only serves to exhaust memory.
/// Transports set lower limits of their own.
pub const MAX_ENVELOPE_BYTES: usize = 4 << 20;

/// Most recipients of one envelope. They are the keys of a single DID, one for each of its devices; every entry makes
/// the envelope larger for all the others.
pub const MAX_RECIPIENTS: usize = 64;

/// Where private keys come from.
pub trait Secrets {
    /// Returns the key-agreement secret named `kid`, an absolute DID URL.
    fn x25519(&self, kid: &str) -> Option<&X25519Secret>;
}

/// Secrets by DID URL.
impl Secrets for std::collections::HashMap<String, X25519Secret> {
    fn x25519(&self, kid: &str) -> Option<&X25519Secret> {
        self.get(kid)
    }
}
