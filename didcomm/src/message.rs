//! A DIDComm v2 plaintext message.
//!
//! Specification: DIDComm Messaging v2.1, "Message structure" and "Threading". Headers that are not listed there are
//! kept in [`Message::extra`] and otherwise ignored, as the specification asks.
//!
//! Not its concern: encryption (`envelope`), what a body means (`protocols`).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::envelope::PackError;

/// Media type of a plaintext message, the value of the `typ` header.
pub const PLAIN_TYP: &str = "application/didcomm-plain+json";

/// A DIDComm v2 plaintext message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Unique identifier of the message for its sender.
    pub id: String,
    /// Media type; always written, optional when read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub typ: Option<String>,
    /// Message type URI.
    #[serde(rename = "type")]
    pub type_: String,
    /// Sender's DID. Required under authcrypt, and must be the DID of the key that encrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// A JWT that says that `from` takes the place of another DID ([`crate::envelope::rotate`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_prior: Option<String>,
    /// Recipients' DIDs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Vec<String>>,
    /// Thread; absent means that the message starts one named by its own `id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thid: Option<String>,
    /// Parent thread: the invitation or room that this thread belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pthid: Option<String>,
    /// When the sender made the message, in UTC seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_time: Option<u64>,
    /// When the message stops to be valid, in UTC seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_time: Option<u64>,
    /// How replies may come back over the same transport: `none`, `all` or `thread`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_route: Option<String>,
    /// Content, as the message type defines it. Optional when read since v2.1, always written.
    #[serde(default)]
    pub body: Value,
    /// Attachments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// All other headers.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// One attachment of a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attachment {
    /// Identifier, unique within the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Media type of the content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The content.
    pub data: AttachmentData,
    /// All other members.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Content of an attachment, in one of the forms that we read.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct AttachmentData {
    /// Content as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<Value>,
    /// Content as base64url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
    /// All other members (`links`, `hash`, `jws`).
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl AttachmentData {
    /// Tells whether it has the content, or says where it is together with its hash.
    pub(crate) fn is_complete(&self) -> bool {
        let has = |name: &str| self.extra.get(name).is_some_and(|value| !value.is_null());
        if has("links") { has("hash") } else { self.json.is_some() || self.base64.is_some() }
    }
}

impl Message {
    /// Makes a message of type `type_` with the given `id` and `body` and no other header but `typ`.
    pub fn new(id: impl Into<String>, type_: impl Into<String>, body: Value) -> Self {
        Self {
            id: id.into(),
            typ: Some(PLAIN_TYP.to_owned()),
            type_: type_.into(),
            from: None,
            from_prior: None,
            to: None,
            thid: None,
            pthid: None,
            created_time: None,
            expires_time: None,
            return_route: None,
            body,
            attachments: Vec::new(),
            extra: Map::new(),
        }
    }

    /// Sets the sender's DID.
    #[must_use]
    pub fn from(mut self, did: impl Into<String>) -> Self {
        self.from = Some(did.into());
        self
    }

    /// Says that the sender takes the place of another DID, by a JWT of [`crate::envelope::rotate`].
    #[must_use]
    pub fn from_prior(mut self, jwt: impl Into<String>) -> Self {
        self.from_prior = Some(jwt.into());
        self
    }

    /// Adds a recipient's DID.
    #[must_use]
    pub fn to(mut self, did: impl Into<String>) -> Self {
        self.to.get_or_insert_default().push(did.into());
        self
    }

    /// Sets the thread.
    #[must_use]
    pub fn thid(mut self, thid: impl Into<String>) -> Self {
        self.thid = Some(thid.into());
        self
    }

    /// Sets the parent thread.
    #[must_use]
    pub fn pthid(mut self, pthid: impl Into<String>) -> Self {
        self.pthid = Some(pthid.into());
        self
    }

    /// Sets when the message was made and when it stops to be valid, both in UTC seconds.
    #[must_use]
    pub fn times(mut self, created: u64, expires: u64) -> Self {
        self.created_time = Some(created);
        self.expires_time = Some(expires);
        self
    }

    /// Asks for replies over the same transport (`return_route: all`).
    #[must_use]
    pub fn return_route_all(mut self) -> Self {
        self.return_route = Some("all".to_owned());
        self
    }

    /// Tells whether an answer to this message may come back over the transport that brought it: `return_route` is `all`, or
    /// `thread` and `return_route_thread` names the thread of this message.
    ///
    /// DIDComm Messaging, extension "Return-Route and Queue Transport".
    pub fn wants_answer_here(&self) -> bool {
        match self.return_route.as_deref() {
            Some("all") => true,
            Some("thread") => {
                let thread = self.extra.get("return_route_thread").and_then(Value::as_str);
                thread == Some(self.thread())
            }
            _ => false,
        }
    }

    /// Returns its JSON, with `typ` even if it has none: libraries of DIDComm v2.0 require it. The buffer has the room that
    /// `room` says for a JSON of so many bytes.
    pub(crate) fn to_json(&self, room: impl FnOnce(usize) -> usize) -> Result<Vec<u8>, PackError> {
        /// The message, without a copy of what may be large.
        #[derive(Serialize)]
        struct WithTyp<'a> {
            typ: &'a str,
            #[serde(flatten)]
            message: &'a Message,
        }

        let mut json = Vec::with_capacity(room(self.size_hint()));
        match &self.typ {
            Some(_) => serde_json::to_writer(&mut json, self),
            None => serde_json::to_writer(&mut json, &WithTyp { typ: PLAIN_TYP, message: self }),
        }
        .map_err(|_| PackError::Encoding)?;
        Ok(json)
    }

    /// About how long its JSON is, in bytes; a buffer that is too small only grows.
    fn size_hint(&self) -> usize {
        let attachments = self.attachments.iter().map(|attachment| {
            let AttachmentData { json, base64, .. } = &attachment.data;
            256 + json.as_ref().map_or(0, size_of_json) + base64.as_ref().map_or(0, String::len)
        });
        let named = [&self.from, &self.from_prior, &self.thid, &self.pthid].into_iter().flatten();
        let named = named.chain(self.to.iter().flatten()).map(|text| text.len() + 16);
        let extra = self.extra.iter().map(|(name, value)| name.len() + 4 + size_of_json(value));
        let headers = 256 + self.id.len() + self.type_.len() + named.sum::<usize>() + extra.sum::<usize>();
        headers + size_of_json(&self.body) + attachments.sum::<usize>()
    }

    /// Returns the thread that this message belongs to: `thid`, or its own `id`.
    pub fn thread(&self) -> &str {
        self.thid.as_deref().unwrap_or(&self.id)
    }
}

fn size_of_json(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 2,
        Value::Array(values) => values.iter().map(|value| size_of_json(value) + 1).sum::<usize>() + 2,
        Value::Object(members) => {
            members.iter().map(|(name, value)| name.len() + 4 + size_of_json(value)).sum::<usize>() + 2
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_back_only_when_asked_for() {
        let mut message = Message::new("1", "t", Value::Null).thid("a");
        assert!(!message.wants_answer_here());
        assert!(message.clone().return_route_all().wants_answer_here());
        for (route, thread, here) in
            [("none", "a", false), ("ALL", "a", false), ("thread", "a", true), ("thread", "1", false)]
        {
            message.return_route = Some(route.to_owned());
            message.extra.insert("return_route_thread".to_owned(), thread.into());
            assert_eq!(message.wants_answer_here(), here, "{route} {thread}");
        }
        message.extra.clear();
        assert!(!message.wants_answer_here());
    }
}
