//! Message Pickup 4.0: the same conversation as in 3.0, with every message acknowledged.
//!
//! Specification: <https://didcomm.org/message-pickup/4.0> (with a hyphen, unlike 3.0).
//!
//! ```text
//! recipient                                mediator
//!   delivery-request {message_count_limit} ->
//!                                 <-------  delivery {attachments, none if nothing waits}
//!   messages-received {ids}       ------->                          (has no answer)
//!   live-delivery-change true     ------->
//!                                 <-------  status | problem-report
//!                                 <-------  delivery {attachments}  (each acknowledged, or it stays queued)
//! ```
//!
//! Times are in milliseconds. Each body becomes the one of 3.0 with `into`, and is made of it with `from`. Not its concern: which
//! version is spoken with whom.

use serde::{Deserialize, Serialize};

use super::coordinate_mediation_2::same_body;
use super::pickup::{self as v3, read_delivery, write_delivery};
use super::{BodyError, body, types};
use crate::message::Message;

/// Milliseconds in a second.
const MILLIS: u64 = 1000;

same_body!(
    /// Asks for the state of the queue.
    StatusRequest, v3::StatusRequest, types::STATUS_REQUEST_4
);
same_body!(
    /// Acknowledges messages; the mediator deletes them.
    MessagesReceived, v3::MessagesReceived, types::MESSAGES_RECEIVED_4
);
same_body!(
    /// Switches live delivery on or off.
    LiveDeliveryChange, v3::LiveDeliveryChange, types::LIVE_DELIVERY_CHANGE_4
);

/// State of the queue.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Status {
    /// DID of the request, when it named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient_did: Option<String>,
    /// Messages that wait.
    pub message_count: u64,
    /// When the newest message came, UTC milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest_received_time: Option<u64>,
    /// When the oldest message came, UTC milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_received_time: Option<u64>,
    /// Size of all messages in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_bytes: Option<u64>,
    /// Whether messages are pushed to this connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live_delivery: Option<bool>,
}
body!(Status, types::STATUS_4);

impl From<Status> for v3::Status {
    fn from(body: Status) -> Self {
        let seconds = |millis: u64| millis / MILLIS;
        Self {
            recipient_did: body.recipient_did,
            message_count: body.message_count,
            longest_waited_seconds: None,
            newest_received_time: body.newest_received_time.map(seconds),
            oldest_received_time: body.oldest_received_time.map(seconds),
            total_bytes: body.total_bytes,
            live_delivery: body.live_delivery,
        }
    }
}

impl From<v3::Status> for Status {
    fn from(body: v3::Status) -> Self {
        let millis = |seconds: u64| seconds.saturating_mul(MILLIS);
        Self {
            recipient_did: body.recipient_did,
            message_count: body.message_count,
            newest_received_time: body.newest_received_time.map(millis),
            oldest_received_time: body.oldest_received_time.map(millis),
            total_bytes: body.total_bytes,
            live_delivery: body.live_delivery,
        }
    }
}

/// Asks for queued messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryRequest {
    /// Most messages wanted.
    pub message_count_limit: u32,
    /// Only messages to this DID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient_did: Option<String>,
}
body!(DeliveryRequest, types::DELIVERY_REQUEST_4);

impl From<DeliveryRequest> for v3::DeliveryRequest {
    fn from(body: DeliveryRequest) -> Self {
        Self { limit: body.message_count_limit, recipient_did: body.recipient_did }
    }
}

impl From<v3::DeliveryRequest> for DeliveryRequest {
    fn from(body: v3::DeliveryRequest) -> Self {
        Self { message_count_limit: body.limit, recipient_did: body.recipient_did }
    }
}

/// Queued messages, or none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Delivery(pub v3::Delivery);

impl Delivery {
    /// Makes the message, with one base64 attachment per queued message.
    pub fn message(&self, id: impl Into<String>) -> Message {
        write_delivery(&self.0, types::DELIVERY_4, id.into())
    }
}

impl TryFrom<&Message> for Delivery {
    type Error = BodyError;

    fn try_from(message: &Message) -> Result<Self, BodyError> {
        read_delivery(message, types::DELIVERY_4).map(Self)
    }
}

impl From<Delivery> for v3::Delivery {
    fn from(Delivery(body): Delivery) -> Self {
        body
    }
}
