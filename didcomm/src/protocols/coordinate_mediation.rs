//! Coordinate Mediation 3.0: a recipient asks a mediator to take its mail.
//!
//! Specification: <https://didcomm.org/coordinate-mediation/3.0>.
//!
//! ```text
//! recipient                         mediator
//!   mediate-request  ------------->
//!                    <-------------  mediate-grant | mediate-deny
//!   recipient-update ------------->
//!                    <-------------  recipient-update-response
//!   recipient-query  ------------->
//!                    <-------------  recipient
//! ```
//!
//! Not its concern: who may register what; the mediator decides that.

use serde::{Deserialize, Deserializer, Serialize};

use super::{body, types};

/// Asks for mediation.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MediateRequest {}
body!(MediateRequest, types::MEDIATE_REQUEST);

/// Grants mediation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediateGrant {
    /// DIDs to name as endpoint; the first is preferred. Written as an array, a single string is read too.
    #[serde(deserialize_with = "one_or_many")]
    pub routing_did: Vec<String>,
}
body!(MediateGrant, types::MEDIATE_GRANT);

/// Denies mediation.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MediateDeny {}
body!(MediateDeny, types::MEDIATE_DENY);

/// What happens to a recipient DID.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Register it.
    Add,
    /// Forget it.
    Remove,
    /// A word that the protocol does not define; answered with `client_error`.
    #[serde(untagged)]
    Other(String),
}

/// One change of the registered DIDs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Update {
    /// DID to register or forget.
    pub recipient_did: String,
    /// What to do with it.
    pub action: Action,
}

/// Changes the registered DIDs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecipientUpdate {
    /// Changes, applied in order.
    pub updates: Vec<Update>,
}
body!(RecipientUpdate, types::RECIPIENT_UPDATE);

/// Result of one change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Done.
    Success,
    /// It was like this before.
    NoChange,
    /// The request cannot be fulfilled, now or later.
    ClientError,
    /// The mediator failed.
    ServerError,
    /// A word that the protocol does not define.
    #[serde(untagged)]
    Other(String),
}

/// One change and its result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Updated {
    /// DID of the change.
    pub recipient_did: String,
    /// What was asked.
    pub action: Action,
    /// What came of it.
    pub result: Outcome,
}

/// Results in the order of the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecipientUpdateResponse {
    /// One entry per change.
    pub updated: Vec<Updated>,
}
body!(RecipientUpdateResponse, types::RECIPIENT_UPDATE_RESPONSE);

/// Asks for the registered DIDs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RecipientQuery {
    /// Part of the list; absent means from the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paginate: Option<Paginate>,
}
body!(RecipientQuery, types::RECIPIENT_QUERY);

/// Part of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paginate {
    /// Most entries wanted.
    pub limit: u32,
    /// Entries to skip.
    pub offset: u32,
}

/// The registered DIDs, or a part of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipient {
    /// The DIDs.
    pub dids: Vec<RecipientDid>,
    /// Which part this is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pagination: Option<Pagination>,
}
body!(Recipient, types::RECIPIENT);

/// One registered DID.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecipientDid {
    /// The DID.
    pub recipient_did: String,
}

/// Position of a part in its list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pagination {
    /// Entries in this part.
    pub count: u32,
    /// Entries before it.
    pub offset: u32,
    /// Entries after it.
    pub remaining: u32,
}

pub(super) fn one_or_many<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }
    Ok(match OneOrMany::deserialize(from)? {
        OneOrMany::One(did) => vec![did],
        OneOrMany::Many(dids) => dids,
    })
}
