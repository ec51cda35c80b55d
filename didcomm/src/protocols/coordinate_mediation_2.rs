//! Coordinate Mediation 2.0: the same conversation as in 3.0, in older words.
//!
//! Specification: <https://didcomm.org/coordinate-mediation/2.0>.
//!
//! ```text
//! recipient                       mediator
//!   mediate-request  ----------->
//!                    <-----------  mediate-grant {routing_did: one DID} | mediate-deny
//!   keylist-update   ----------->
//!                    <-----------  keylist-update-response
//!   keylist-query    ----------->
//!                    <-----------  keylist {keys}
//! ```
//!
//! Each body becomes the one of 3.0 with `into`, and is made of it with `from`, so that only whoever reads and writes messages
//! sees which version it is. Not its concern: which version is spoken with whom.

use serde::{Deserialize, Deserializer, Serialize};

use super::coordinate_mediation as v3;
use super::{body, types};

/// Makes the body of a 2.0 message that differs from that of 3.0 by its type alone.
macro_rules! same_body {
    ($(#[$doc:meta])* $name:ident, $of:ty, $type_:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $of);
        body!($name, $type_);

        impl From<$name> for $of {
            fn from($name(body): $name) -> Self {
                body
            }
        }

        impl From<$of> for $name {
            fn from(body: $of) -> Self {
                Self(body)
            }
        }
    };
}
pub(super) use same_body;

same_body!(
    /// Asks for mediation.
    MediateRequest, v3::MediateRequest, types::MEDIATE_REQUEST_2
);
same_body!(
    /// Denies mediation.
    MediateDeny, v3::MediateDeny, types::MEDIATE_DENY_2
);
same_body!(
    /// Changes the registered DIDs.
    KeylistUpdate, v3::RecipientUpdate, types::KEYLIST_UPDATE
);
same_body!(
    /// Results in the order of the request.
    KeylistUpdateResponse, v3::RecipientUpdateResponse, types::KEYLIST_UPDATE_RESPONSE
);
same_body!(
    /// Asks for the registered DIDs.
    KeylistQuery, v3::RecipientQuery, types::KEYLIST_QUERY
);

/// Grants mediation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediateGrant {
    /// DID to name as endpoint. Of an array, which some write here too, the first is read.
    #[serde(deserialize_with = "first")]
    pub routing_did: String,
}
body!(MediateGrant, types::MEDIATE_GRANT_2);

impl From<MediateGrant> for v3::MediateGrant {
    fn from(body: MediateGrant) -> Self {
        Self { routing_did: vec![body.routing_did] }
    }
}

impl From<v3::MediateGrant> for MediateGrant {
    /// Keeps the first routing DID, which is the preferred one.
    fn from(body: v3::MediateGrant) -> Self {
        Self { routing_did: body.routing_did.into_iter().next().unwrap_or_default() }
    }
}

/// The registered DIDs, or a part of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keylist {
    /// The DIDs.
    pub keys: Vec<v3::RecipientDid>,
    /// Which part this is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pagination: Option<v3::Pagination>,
}
body!(Keylist, types::KEYLIST);

impl From<Keylist> for v3::Recipient {
    fn from(body: Keylist) -> Self {
        Self { dids: body.keys, pagination: body.pagination }
    }
}

impl From<v3::Recipient> for Keylist {
    fn from(body: v3::Recipient) -> Self {
        Self { keys: body.dids, pagination: body.pagination }
    }
}

fn first<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let dids = v3::one_or_many(from)?;
    dids.into_iter().next().ok_or_else(|| serde::de::Error::custom("no routing_did"))
}
