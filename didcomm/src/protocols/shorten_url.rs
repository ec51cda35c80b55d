//! Shorten URL 1.0 of didcomm.org: somebody keeps an invitation link behind a shorter one, readable for everybody.
//!
//! Specification: the protocol's page on didcomm.org; `spec/relay.md`, RL-76 and RL-77. Only the goal code
//! [`GOAL_OOB_2`] is served: `_oobid` of DIDComm Messaging v2.1, "Short URL Message Retrieval".
//!
//! Not its concern: links whose keeper cannot read them (`short_link`).

use serde::{Deserialize, Serialize};

use super::{body, types};

/// Goal code: shorten a link with `_oob` to one with `_oobid`.
pub const GOAL_OOB_2: &str = "shorten.oobv2";

/// Asks for a shorter link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestShortenedUrl {
    /// The long link.
    pub url: String,
    /// For how long it is wanted, in seconds; 0 for as long as it can be.
    pub requested_validity_seconds: u64,
    /// What kind of link it is, such as [`GOAL_OOB_2`].
    pub goal_code: String,
    /// How the short link is to end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub short_url_slug: Option<String>,
}
body!(RequestShortenedUrl, types::REQUEST_SHORTENED_URL);

/// The shorter link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShortenedUrl {
    /// The link.
    pub shortened_url: String,
    /// When it ends, UTC seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_time: Option<u64>,
}
body!(ShortenedUrl, types::SHORTENED_URL);

/// Asks to forget a shorter link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvalidateShortenedUrl {
    /// The link.
    pub shortened_url: String,
}
body!(InvalidateShortenedUrl, types::INVALIDATE_SHORTENED_URL);
