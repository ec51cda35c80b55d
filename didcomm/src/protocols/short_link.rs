//! Short Link 1.0: a client has its mediator keep the content behind a short link.
//!
//! Specification: `spec/relay.md`, section 12.
//!
//! ```text
//! client                         mediator                              whoever has the link
//!   deposit {id, content, ..} ->
//!                             <- deposited {expires_time}
//!                                                     <- POST /r/<id>, take
//!                                            content  ->
//! ```
//!
//! Not its concern: what the content is and who can read it ([`crate::short_link`]).

use serde::{Deserialize, Serialize};

use super::{Digest32, b64url, body, types};
use crate::short_link::LinkId;

/// Asks the mediator to keep content behind an id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deposit {
    /// The id in the link.
    pub id: LinkId,
    /// What whoever has the link gets; at most [`crate::short_link::MAX_CONTENT`] bytes are taken.
    #[serde(with = "b64url::bytes")]
    pub content: Vec<u8>,
    /// SHA-256 of what one must show to get it.
    pub take_hash: Digest32,
    /// When it is to be forgotten, UTC seconds.
    pub expires_time: u64,
    /// Whether the first one that gets it is the last.
    #[serde(default, skip_serializing_if = "is_false")]
    pub single_use: bool,
}
body!(Deposit, types::LINK_DEPOSIT);

/// The content is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deposited {
    /// Until when, UTC seconds.
    pub expires_time: u64,
}
body!(Deposited, types::LINK_DEPOSITED);

/// Codes of the problem reports that refuse a deposit (RL-70).
pub mod refusal {
    /// The id belongs to somebody else.
    pub const TAKEN: &str = "e.p.req.link.taken";
    /// A link with this id was used up or has ended.
    pub const GONE: &str = "e.p.req.link.gone";
    /// Too many links are kept.
    pub const TOO_MANY: &str = "e.p.me.res.storage.links";
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_false(value: &bool) -> bool {
    !value
}
