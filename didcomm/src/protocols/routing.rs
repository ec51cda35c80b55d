//! Routing 2.0: the forward message.
//!
//! Specification: DIDComm Messaging v2.1, "Routing Protocol 2.0". The sender encrypts its message for the recipient, attaches
//! it to a forward and encrypts that for the mediator, who learns `next` and the size of the attachment.
//!
//! Not its concern: how long a mediator really waits, and attachments by `links`, which are refused: fetching what a stranger
//! names is a request forgery.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::pickup::{attached_text, base64_attachment};
use super::{Body, BodyError, types};
use crate::message::{Attachment, AttachmentData, Message};

/// Attachments that a reader accepts in one forward. One is usual; each further one is queued on its own.
pub const MAX_ATTACHMENTS: usize = 16;

/// How a forward carries its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PayloadForm {
    /// As JSON: a quarter smaller, understood everywhere. Member order and whitespace may change on the way.
    #[default]
    Json,
    /// As base64url: arrives byte for byte.
    Base64,
}

/// A forward: encrypted messages and whom they are for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    /// DID, or DID URL of a key, of the next hop.
    pub next: String,
    /// Encrypted messages as JSON texts; at least one.
    pub payloads: Vec<String>,
    /// When the forward stops to be worth delivering, UTC seconds.
    pub expires_time: Option<u64>,
    /// How long the mediator is to wait before it delivers, in milliseconds; when negative, any time from 0 to the absolute value.
    /// The header `delay_milli`; 0 when it is absent.
    pub delay_milli: i64,
}

/// The header that asks for a delay.
const DELAY: &str = "delay_milli";

#[derive(Serialize, Deserialize)]
struct ForwardBody {
    next: String,
}

impl Body for ForwardBody {
    const TYPE: &'static str = types::FORWARD;
}

impl Forward {
    /// Makes the forward of one encrypted message.
    pub fn new(next: impl Into<String>, packed: impl Into<String>) -> Self {
        Self { next: next.into(), payloads: vec![packed.into()], expires_time: None, delay_milli: 0 }
    }

    /// Returns the DID of `next`, without the fragment of a key.
    pub fn next_did(&self) -> &str {
        self.next.split_once('#').map_or(self.next.as_str(), |(did, _)| did)
    }

    /// Makes the plaintext forward message, to be encrypted for the mediator.
    ///
    /// A payload that is no JSON is attached as base64 whatever `form` says.
    pub fn message(&self, id: impl Into<String>, form: PayloadForm) -> Message {
        let mut message = ForwardBody { next: self.next.clone() }.message(id);
        message.expires_time = self.expires_time;
        if self.delay_milli != 0 {
            message.extra.insert(DELAY.to_owned(), self.delay_milli.into());
        }
        message.attachments = self.payloads.iter().map(|packed| attach(packed, form)).collect();
        message
    }
}

fn attach(packed: &str, form: PayloadForm) -> Attachment {
    let json = match form {
        PayloadForm::Json => serde_json::from_str(packed).ok().filter(Value::is_object),
        PayloadForm::Base64 => None,
    };
    match json {
        Some(json) => Attachment {
            id: None,
            media_type: None,
            data: AttachmentData { json: Some(json), ..AttachmentData::default() },
            extra: Map::new(),
        },
        None => {
            let mut attachment = base64_attachment("", packed);
            attachment.id = None;
            attachment
        }
    }
}

impl TryFrom<&Message> for Forward {
    type Error = BodyError;

    fn try_from(message: &Message) -> Result<Self, BodyError> {
        let malformed =
            |reason: &str| BodyError::Malformed { expected: types::FORWARD, reason: reason.to_owned() };
        let body = ForwardBody::from_message(message)?;
        if body.next.is_empty() {
            return Err(malformed("next is empty"));
        }
        if message.attachments.is_empty() {
            return Err(malformed("there is no attachment"));
        }
        if message.attachments.len() > MAX_ATTACHMENTS {
            return Err(malformed("there are too many attachments"));
        }
        let payloads = message.attachments.iter().map(|attachment| attached_text(attachment, types::FORWARD));
        let payloads = payloads.collect::<Result<_, _>>()?;
        let delay_milli = match message.extra.get(DELAY) {
            None | Some(Value::Null) => 0,
            Some(delay) => delay.as_i64().ok_or_else(|| malformed("delay_milli is no integer"))?,
        };
        Ok(Self { next: body.next, payloads, expires_time: message.expires_time, delay_milli })
    }
}
