//! Pairing: the session handshake between two parties of a roster, carried in DIDComm.
//!
//! Specification: `spec/handshake.md`. In a room the party with the lower index is the initiator, as it is in MPyC's own
//! dialling. Each side builds the prologue from **its own** values; the hashes of single fields in the messages serve one
//! purpose, to name the field that differs.
//!
//! ```text
//! initiator                                        responder
//!   propose {suites, suite, noise 1, fields} ----->
//!                                           <-----  accept {suite, noise 2, fields} | abort {code, use?}
//!   propose {the same suites, the suite of `use`, a fresh noise 1} ----->          at most once
//! ```
//!
//! [`Handshakes`] is the whole state machine; [`Policy`] says which suites, [`Capabilities`] what is remembered of others.
//!
//! Not its concern: records and streams (the session), circuits (`io`).

mod handshakes;
mod negotiation;
mod prologue;
mod proposal;
mod replay;
#[cfg(test)]
mod tests;

pub use handshakes::{Between, Handshakes, Outcome};
pub use negotiation::{Capabilities, Policy};
pub use prologue::Statics;

/// `abort` codes.
pub mod abort {
    /// None of the offered suites is supported.
    pub const NO_SUITE: &str = "no-common-suite";
    /// The suite proposed is not the first one offered that is supported: try again with `use`.
    pub const USE: &str = "use";
    /// The two sides hash different facts; the comment names the field.
    pub const DIFFERS: &str = "differs";
    /// The Noise message does not authenticate.
    pub const FAILED: &str = "failed";
}

/// Why a handshake failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PairingError {
    /// Not a message of this handshake.
    #[error("the message is malformed")]
    Malformed,
    /// The two sides do not hash the same facts.
    #[error("the two sides differ in {field}")]
    Differs {
        /// Name of the prologue field.
        field: &'static str,
    },
    /// No suite in common.
    #[error("the two sides have no cipher suite in common")]
    NoSuite,
    /// The peer asks for a suite without ML-KEM, and completed one with it before.
    #[error("the other side asks for an encryption without post-quantum keys, which it had before")]
    Downgrade,
    /// The peer ended the handshake.
    #[error("the other side refused ({code})")]
    Refused {
        /// Its code.
        code: String,
    },
    /// The Noise handshake does not authenticate, or a key is unusable.
    #[error("the handshake does not authenticate")]
    Failed,
}
