//! Bodies of the DIDComm messages that agent and mediator exchange.
//!
//! One module per protocol. Each message is a struct that implements [`Body`]: [`Body::message`] makes the plaintext
//! message, `TryFrom<&Message>` reads one. A reader insists on the members that the protocol requires and ignores those
//! that it does not know; a message type with another minor version of the same major is the same message
//! (DIDComm v2.1, "Semver rules").
//!
//! ```text
//! out_of_band           invitation link ............... anybody -> reader of the link
//! coordinate_mediation  mediate-request -> grant ...... recipient <-> mediator
//! pickup                status, delivery, live ........ recipient <-> mediator
//! routing               forward ....................... sender -> mediator
//! relay                 open, join -> opened .......... agent <-> mediator, then binary frames
//! short_link            deposit -> deposited .......... agent <-> mediator; shorten_url: a standard one
//! lobby                 post -> posted, list -> posts . agent <-> mediator
//! discover_features     queries -> disclose ........... anybody <-> anybody
//! room, session         join, roster / propose ........ agent <-> agent
//! ```
//!
//! Not its concern: encryption (`envelope`), and when a message is sent or believed (agent and mediator).

mod b64url;
pub mod basic_message;
pub mod coordinate_mediation;
pub mod coordinate_mediation_2;
pub mod discover_features;
pub mod lobby;
pub mod out_of_band;
pub mod pickup;
pub mod pickup_4;
pub mod relay;
pub mod report_problem;
pub mod room;
pub mod routing;
pub mod session;
pub mod short_link;
pub mod shorten_url;
pub mod trust_ping;
pub mod types;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use thiserror::Error;

use crate::message::Message;

pub use b64url::{Digest32, decode as b64url_decode, encode as b64url_encode};

/// The body of one message type.
pub trait Body: Serialize + DeserializeOwned + Sized {
    /// Message type URI.
    const TYPE: &'static str;

    /// Makes a plaintext message with the given `id`, [`Body::TYPE`] and this body; the caller adds headers.
    #[expect(
        clippy::expect_used,
        reason = "a body is a struct of strings, integers and maps with string keys"
    )]
    fn message(&self, id: impl Into<String>) -> Message {
        let body =
            serde_json::to_value(self).expect("bodies have string keys only, so they always serialise");
        Message::new(id, Self::TYPE, body)
    }

    /// Reads the body of `message`.
    ///
    /// # Errors
    /// [`BodyError::WrongType`] when the type is another one, [`BodyError::Malformed`] when a required member is missing
    /// or a known member has the wrong form.
    fn from_message(message: &Message) -> Result<Self, BodyError> {
        read_body(message, Self::TYPE)
    }
}

/// Reads the body of `message`, which must be of the type `expected`.
fn read_body<B: DeserializeOwned>(message: &Message, expected: &'static str) -> Result<B, BodyError> {
    if !types::same_message(&message.type_, expected) {
        return Err(BodyError::WrongType { expected });
    }
    // An absent body is legal since v2.1 and reads as an empty one.
    let body = if message.body.is_null() { Value::Object(Map::new()) } else { message.body.clone() };
    if !body.is_object() {
        return Err(BodyError::Malformed { expected, reason: "the body is not an object".to_owned() });
    }
    serde_json::from_value(body).map_err(|error| malformed(expected, &error))
}

/// Reads a message that exists in two versions of its protocol with different major numbers: the body as `New` has it, and
/// whether the message is of the version of `Other`.
///
/// # Errors
/// Those of the version that the message has; of another type [`BodyError::WrongType`].
pub fn read_either<New, Other>(message: &Message) -> Result<(New, bool), BodyError>
where
    New: for<'a> TryFrom<&'a Message, Error = BodyError>,
    Other: for<'a> TryFrom<&'a Message, Error = BodyError> + Into<New>,
{
    match New::try_from(message) {
        Err(BodyError::WrongType { .. }) => Other::try_from(message).map(|body| (body.into(), true)),
        read => read.map(|body| (body, false)),
    }
}

/// The reverse of [`read_either`]: makes the message in the version of `Other` if `other` says so, else in that of `New`.
pub fn write_either<New: Body, Other: Body + From<New>>(
    other: bool,
    body: New,
    id: impl Into<String>,
) -> Message {
    if other { Other::from(body).message(id) } else { body.message(id) }
}

/// Why a message is not the one that the caller asked for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BodyError {
    /// The message type is another one: drop it or offer it to another reader.
    #[error("the message is not of type {expected}")]
    WrongType {
        /// Type that the reader wants.
        expected: &'static str,
    },
    /// A header that this message type requires is missing.
    #[error("a message of type {expected} needs the header {header}")]
    MissingHeader {
        /// Type that the reader wants.
        expected: &'static str,
        /// Name of the header.
        header: &'static str,
    },
    /// The body or an attachment has the wrong form: reject the message.
    #[error("a message of type {expected} is malformed: {reason}")]
    Malformed {
        /// Type that the reader wants.
        expected: &'static str,
        /// What is wrong, without any value of the message.
        reason: String,
    },
}

/// Builds [`BodyError::Malformed`] from a JSON error without repeating values of the message: only "missing field" texts
/// consist of our own words.
fn malformed(expected: &'static str, error: &serde_json::Error) -> BodyError {
    let text = error.to_string();
    let reason = if text.starts_with("missing field") {
        text
    } else {
        "a member has the wrong type or form".to_owned()
    };
    BodyError::Malformed { expected, reason }
}

/// Implements [`Body`] and `TryFrom<&Message>` for a struct.
macro_rules! body {
    ($name:ident, $type_:expr) => {
        impl $crate::protocols::Body for $name {
            const TYPE: &'static str = $type_;
        }

        impl TryFrom<&$crate::message::Message> for $name {
            type Error = $crate::protocols::BodyError;

            fn try_from(message: &$crate::message::Message) -> Result<Self, Self::Error> {
                <Self as $crate::protocols::Body>::from_message(message)
            }
        }
    };
}
use body;

#[cfg(test)]
mod tests;
