//! Message Pickup 3.0: a recipient fetches its mail from a mediator.
//!
//! Specification: <https://didcomm.org/messagepickup/3.0>.
//!
//! ```text
//! recipient                            mediator
//!   live-delivery-change true ------->
//!                             <-------  status
//!                             <-------  delivery {attachments}      (mail that waits, then mail as it comes)
//!   messages-received {ids}   ------->                              (only now the mediator deletes)
//!                             <-------  status
//! ```
//!
//! Not its concern: how long mail is kept and how much of it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{BodyError, b64url_decode, b64url_encode, body, read_body, types};
use crate::message::{Attachment, AttachmentData, Message};

/// Asks for the state of the queue.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StatusRequest {
    /// Only the queue of this DID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient_did: Option<String>,
}
body!(StatusRequest, types::STATUS_REQUEST);

/// State of the queue.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Status {
    /// DID of the request, when it named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient_did: Option<String>,
    /// Messages that wait.
    pub message_count: u64,
    /// Age of the oldest message in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest_waited_seconds: Option<u64>,
    /// When the newest message came, UTC seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest_received_time: Option<u64>,
    /// When the oldest message came, UTC seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_received_time: Option<u64>,
    /// Size of all messages in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_bytes: Option<u64>,
    /// Whether messages are pushed to this connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live_delivery: Option<bool>,
}
body!(Status, types::STATUS);

/// Asks for queued messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryRequest {
    /// Most messages wanted.
    pub limit: u32,
    /// Only messages to this DID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient_did: Option<String>,
}
body!(DeliveryRequest, types::DELIVERY_REQUEST);

/// Acknowledges messages; the mediator deletes them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessagesReceived {
    /// Attachment ids of the deliveries.
    pub message_id_list: Vec<String>,
}
body!(MessagesReceived, types::MESSAGES_RECEIVED);

/// Switches live delivery on or off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveDeliveryChange {
    /// Whether to push messages to this connection.
    pub live_delivery: bool,
}
body!(LiveDeliveryChange, types::LIVE_DELIVERY_CHANGE);

/// One queued message in a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// The mediator's id of the queued message, to be acknowledged.
    pub id: String,
    /// The encrypted message, a JSON text.
    pub message: String,
}

/// Queued messages.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Delivery {
    /// DID of the request, when it named one.
    pub recipient_did: Option<String>,
    /// The messages, oldest first.
    pub messages: Vec<Delivered>,
}

#[derive(Deserialize)]
struct DeliveryBody {
    recipient_did: Option<String>,
}

impl Delivery {
    /// Makes the message, with one base64 attachment per queued message.
    pub fn message(&self, id: impl Into<String>) -> Message {
        write_delivery(self, types::DELIVERY, id.into())
    }
}

impl TryFrom<&Message> for Delivery {
    type Error = BodyError;

    fn try_from(message: &Message) -> Result<Self, BodyError> {
        read_delivery(message, types::DELIVERY)
    }
}

/// Makes a delivery of any version: they differ by `type_` alone.
pub(super) fn write_delivery(delivery: &Delivery, type_: &str, id: String) -> Message {
    let body = delivery.recipient_did.iter().map(|did| ("recipient_did".to_owned(), did.clone().into()));
    let mut message = Message::new(id, type_, Value::Object(body.collect()));
    message.attachments =
        delivery.messages.iter().map(|queued| base64_attachment(&queued.id, &queued.message)).collect();
    message
}

/// Reads a delivery of the version that has this type.
pub(super) fn read_delivery(message: &Message, type_: &'static str) -> Result<Delivery, BodyError> {
    let body: DeliveryBody = read_body(message, type_)?;
    let messages = message.attachments.iter().map(|attachment| {
        let id = attachment.id.clone().ok_or_else(|| BodyError::Malformed {
            expected: type_,
            reason: "an attachment has no id".to_owned(),
        })?;
        Ok(Delivered { id, message: attached_text(attachment, type_)? })
    });
    Ok(Delivery { recipient_did: body.recipient_did, messages: messages.collect::<Result<_, BodyError>>()? })
}

/// Makes an attachment that holds an encrypted message as base64url.
pub(super) fn base64_attachment(id: &str, packed: &str) -> Attachment {
    Attachment {
        id: Some(id.to_owned()),
        media_type: None,
        data: AttachmentData { base64: Some(b64url_encode(packed)), ..AttachmentData::default() },
        extra: Map::new(),
    }
}

/// Reads the JSON text of an encrypted message out of an attachment, in either of its two forms.
pub(super) fn attached_text(attachment: &Attachment, expected: &'static str) -> Result<String, BodyError> {
    let malformed = |reason: &str| BodyError::Malformed { expected, reason: reason.to_owned() };
    match (&attachment.data.json, &attachment.data.base64) {
        (Some(value @ Value::Object(_)), _) => Ok(value.to_string()),
        // Some peers put the serialised message into `json` as a string.
        (Some(Value::String(text)), _) => Ok(text.clone()),
        (Some(_), _) => Err(malformed("an attachment's json is not a message")),
        (None, Some(base64)) => {
            let bytes = b64url_decode(base64)
                .or_else(|| b64url_decode(&base64.replace('+', "-").replace('/', "_")))
                .ok_or_else(|| malformed("an attachment is not base64"))?;
            String::from_utf8(bytes).map_err(|_| malformed("an attachment is not text"))
        }
        (None, None) if attachment.data.extra.contains_key("links") => {
            Err(malformed("links are not fetched: attach the message as json or base64"))
        }
        (None, None) => Err(malformed("an attachment has neither json nor base64")),
    }
}
