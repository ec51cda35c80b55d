//! Session 1.0: the Noise handshake, carried in DIDComm.
//!
//! Specification: `spec/handshake.md`. `thid` is the id of the propose, `pthid` the id of the invitation or room.
//!
//! ```text
//! initiator                     responder
//!   propose {noise message 1} ->
//!                             <- accept {noise message 2}  |  abort {code, use?}
//! ```
//!
//! Not its concern: what is in the Noise messages, and the prologue itself. `fields` only lets the peer *name* the prologue
//! field that differs; each side hashes its own values and believes none of these.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Digest32, b64url, body, types};

/// First message of a handshake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Propose {
    /// Suites in the initiator's order of preference.
    pub suites: Vec<u8>,
    /// Suite of `noise`, one of `suites`.
    pub suite: u8,
    /// Noise message 1.
    #[serde(with = "b64url::bytes")]
    pub noise: Vec<u8>,
    /// SHA-256 of each prologue field, by name.
    pub fields: BTreeMap<String, Digest32>,
    /// Signed link (compact JWS) between the sender's identity and the DID that it uses here.
    pub link: String,
}
body!(Propose, types::SESSION_PROPOSE);

/// Second message of a handshake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accept {
    /// Suite of both Noise messages.
    pub suite: u8,
    /// Noise message 2.
    #[serde(with = "b64url::bytes")]
    pub noise: Vec<u8>,
    /// SHA-256 of each prologue field, by name.
    pub fields: BTreeMap<String, Digest32>,
    /// Signed link of the responder, when it has not sent one before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}
body!(Accept, types::SESSION_ACCEPT);

/// The handshake does not continue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Abort {
    /// Why, for machines.
    pub code: String,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Suite of the initiator's list that the responder would take.
    #[serde(default, rename = "use", skip_serializing_if = "Option::is_none")]
    pub use_suite: Option<u8>,
}
body!(Abort, types::SESSION_ABORT);
