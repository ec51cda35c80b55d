//! Envelopes: plaintext messages in and out of JWE and JWS.
//!
//! DIDComm Messaging v2.1, "Message Encryption", "Message Signing", "DID Rotation" and "Message Layer Addressing Consistency";
//! RFC 7515 (JWS), RFC 7516 (JWE), RFC 7518 (ECDH-ES, A256CBC-HS512, A256GCM), draft-madden-jose-ecdh-1pu-04, draft-amringer-jose-chacha-02 (XC20P). The rules that those
//! leave open are in `spec/connect.md`.
//!
//! ```text
//! Message --authcrypt--> JWE  ECDH-1PU+A256KW, A256CBC-HS512   the recipient learns who sent it, and can prove it to nobody
//! Message --anoncrypt--> JWE  ECDH-ES+A256KW, XC20P            nobody learns who sent it
//! Message --sealed-----> JWE  anoncrypt(authcrypt)             as authcrypt, and a mediator does not learn the sender
//! Message --pack-------> JWS, JWE or both: any legal Layers, signed ones included
//! bytes   --unpack-----> Unpacked: the message, and who sent or signed it if that is known
//! ```
//!
//! Agent and mediator reach all of it through the trait [`Envelope`], behind which another library can stand.
//!
//! Keys are X25519, P-256, P-384 or P-521, and Ed25519, P-256 or secp256k1 to sign. Ours are X25519 and Ed25519; the others
//! and signed messages are for other people's software.
//!
//! Not its concern: routing through mediators (`protocols`), what a message means, whether a sender is welcome.

mod content;
mod error;
mod implementation;
mod jwe;
mod jws;
mod kdf;
mod pack;
mod prior;
mod seal;
mod unpack;
mod unpacked;

#[cfg(test)]
mod tests;

pub use content::ContentEncryption;
pub use error::{PackError, UnpackError};
pub use implementation::{ENVELOPE, Envelope, Native};
pub use jws::MAX_SIGNATURES;
pub use pack::{Layers, anoncrypt, authcrypt, pack, sealed};
pub use prior::{Prior, rotate};
pub use unpack::{MAX_LAYERS, unpack};
pub use unpacked::{Authenticated, Peeled, Unpacked};

use std::collections::HashMap;

use crate::keys::{Agree, AgreementSecret, Sign, SigningSecret, X25519Secret};

/// Largest envelope that is read or written, in bytes.
///
/// An attachment grows by 4/3 when it is encoded and by 4/3 when it is encrypted. Four MiB hold a message of 1 MiB that
/// went through a mediator's forward and comes back in a delivery; anything larger only serves to exhaust memory.
/// Transports set lower limits of their own.
pub const MAX_ENVELOPE_BYTES: usize = 4 << 20;

/// Most recipients of one envelope. They are the keys of a single DID, one for each of its devices; every entry makes
/// the envelope larger for all the others.
pub const MAX_RECIPIENTS: usize = 64;

/// Where private keys come from. Each is named by an absolute DID URL.
pub trait Secrets {
    /// Returns the X25519 secret named `kid`.
    fn x25519(&self, kid: &str) -> Option<&X25519Secret>;

    /// Returns the key-agreement secret named `kid`, on any curve.
    fn agreement(&self, kid: &str) -> Option<&dyn Agree> {
        self.x25519(kid).map(|secret| -> &dyn Agree { secret })
    }

    /// Returns the secret named `kid` that signs.
    fn signing(&self, _kid: &str) -> Option<&dyn Sign> {
        None
    }
}

/// Secrets by DID URL.
impl Secrets for HashMap<String, X25519Secret> {
    fn x25519(&self, kid: &str) -> Option<&X25519Secret> {
        self.get(kid)
    }
}

/// Secrets of every kind, by DID URL.
#[derive(Debug, Default)]
pub struct Keyring {
    /// Those that agree.
    pub agreement: HashMap<String, AgreementSecret>,
    /// Those that sign.
    pub signing: HashMap<String, SigningSecret>,
}

impl Secrets for Keyring {
    fn x25519(&self, kid: &str) -> Option<&X25519Secret> {
        self.agreement.get(kid)?.as_x25519()
    }

    fn agreement(&self, kid: &str) -> Option<&dyn Agree> {
        self.agreement.get(kid).map(|secret| -> &dyn Agree { secret })
    }

    fn signing(&self, kid: &str) -> Option<&dyn Sign> {
        self.signing.get(kid).map(|secret| -> &dyn Sign { secret })
    }
}
