//! Out-of-band 2.0: the invitation and its link.
//!
//! Specification: DIDComm Messaging v2.1, "Out Of Band Messages". The link is
//!
//! ```text
//! https://host/path?_oob=<base64url of the JSON>#c=<first 8 base64url characters of SHA-256 of the _oob text>
//! ```
//!
//! The fragment `c` is ours and optional: links lose their tail in chats and mails, and with it a reader can tell a damaged
//! link from one made by other software. An [`Invitation`] keeps the decoded bytes as they were received, since
//! handshakes bind their hash and a second serialisation need not give the same bytes.
//!
//! Not its concern: fetching the short form `?_oobid=`, and what the goal codes mean.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use url::Url;

use super::{b64url_decode, b64url_encode, types};
use crate::message::{Attachment, Message};
use crate::showable::showable;

/// Most issuers that an invitation requires, `spec/credentials.md`, CR-20.
pub const MAX_ISSUERS: usize = 8;
/// Longest DID of one, in bytes, as of a did:web.
const MAX_ISSUER_BYTES: usize = 2048;

/// Longest link and longest decoded invitation that is read or written, in bytes.
///
/// A room invitation takes 500 to 900 bytes. Ten times more leaves room for attachments and long did:peer:2 DIDs; more
/// than this is no longer pasted by a person, and the cap bounds the work done before anything is authenticated.
pub const MAX_INVITATION: usize = 16 * 1024;

/// Characters of the check in the fragment: 48 bits, enough against accidents, which is all it is for.
const CHECK_LEN: usize = 8;

/// Characters of a foreign message type that an error repeats: the types in use have 40 to 80.
const MAX_SHOWN_TYPE: usize = 100;

/// What an invitation says; the input of [`Invitation::new`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct InvitationParts {
    /// Becomes the `pthid` of every answer.
    pub id: String,
    /// DID of the inviter.
    pub from: String,
    /// Machine-readable purpose, such as [`types::GOAL_ROOM`].
    pub goal_code: Option<String>,
    /// Purpose for people.
    pub goal: Option<String>,
    /// Media type profiles in order of preference; empty means that the sender of the answer chooses.
    pub accept: Vec<String>,
    /// When the invitation was made, UTC seconds.
    pub created_time: Option<u64>,
    /// When it ends, UTC seconds.
    pub expires_time: Option<u64>,
    /// DIDs of the issuers of one of which every party must show a credential; empty if none is needed.
    pub require_issuer: Vec<String>,
    /// Alternative messages to act on.
    pub attachments: Vec<Attachment>,
}

/// An invitation together with the bytes that it was read from.
#[derive(Debug, Clone, PartialEq)]
pub struct Invitation {
    parts: InvitationParts,
    bytes: Vec<u8>,
}

#[derive(Serialize, Deserialize, Default)]
struct InvitationBody {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    goal_code: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    goal: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    accept: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    require_issuer: Vec<String>,
}

/// Why a text is not an invitation that can be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvitationError {
    /// Not a URL with an `_oob` parameter.
    #[error("this is not an invitation link")]
    NotALink,
    /// The short form, whose content has to be fetched first.
    #[error("this link has to be opened first: it names an invitation without containing it")]
    ShortForm,
    /// The end is missing.
    #[error("the link is cut off at the end")]
    Truncated,
    /// The check in the fragment does not fit: some characters were changed or lost.
    #[error("the link was damaged on its way")]
    Damaged,
    /// The `_oob` parameter is not base64url.
    #[error("the content of the link is not base64url")]
    NotBase64,
    /// The decoded bytes are not a JSON object.
    #[error("the content of the link is not JSON")]
    NotJson,
    /// A message, but of another type.
    #[error("the link contains a message of type {type_}, not an invitation")]
    NotAnInvitation {
        /// Type of the message found, in the form of [`showable`].
        type_: String,
    },
    /// A required member is missing or a known member has the wrong form.
    #[error("the invitation has no usable {member}")]
    Incomplete {
        /// Name of the member.
        member: &'static str,
    },
    /// Longer than [`MAX_INVITATION`].
    #[error("the invitation is {got} bytes long, more than {limit}")]
    TooLarge {
        /// Limit in bytes.
        limit: usize,
        /// Length found in bytes.
        got: usize,
    },
    /// The invitation has ended.
    #[error("the invitation ended {seconds_ago} seconds ago")]
    Expired {
        /// Seconds since it ended.
        seconds_ago: u64,
    },
}

impl Invitation {
    /// Makes an invitation; its bytes are the JSON without whitespace.
    ///
    /// # Errors
    /// [`InvitationError::Incomplete`] for an empty `id` or a `from` that is no DID, [`InvitationError::TooLarge`].
    pub fn new(parts: InvitationParts) -> Result<Self, InvitationError> {
        let body = InvitationBody {
            goal_code: parts.goal_code.clone(),
            goal: parts.goal.clone(),
            accept: (!parts.accept.is_empty()).then(|| parts.accept.clone()),
            require_issuer: parts.require_issuer,
        };
        let body = serde_json::to_value(body).map_err(|_| InvitationError::NotJson)?;
        let mut message = Message::new(parts.id, types::OOB_INVITATION, body).from(parts.from);
        message.typ = None;
        message.created_time = parts.created_time;
        message.expires_time = parts.expires_time;
        message.attachments = parts.attachments;
        Self::from_bytes(serde_json::to_vec(&message).map_err(|_| InvitationError::NotJson)?)
    }

    /// Reads the JSON bytes of an invitation and keeps them.
    ///
    /// # Errors
    /// Everything but the errors about links. [`InvitationError::Truncated`] when the JSON ends too early.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, InvitationError> {
        check_size(bytes.len())?;
        let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(|error| {
            if error.is_eof() { InvitationError::Truncated } else { InvitationError::NotJson }
        })?;
        let Some(object) = value.as_object() else {
            return Err(InvitationError::NotJson);
        };
        let type_ = object
            .get("type")
            .and_then(|value| value.as_str())
            .ok_or(InvitationError::Incomplete { member: "type" })?;
        if !types::same_message(type_, types::OOB_INVITATION) {
            return Err(InvitationError::NotAnInvitation { type_: showable(type_, MAX_SHOWN_TYPE) });
        }
        for member in ["id", "from"] {
            if object.get(member).and_then(|value| value.as_str()).is_none_or(str::is_empty) {
                return Err(InvitationError::Incomplete { member });
            }
        }
        // Read again from the bytes, so that a member given twice is an error here instead of "the last one wins".
        let message: Message =
            serde_json::from_slice(&bytes).map_err(|_| InvitationError::Incomplete { member: "header" })?;
        let body: InvitationBody = if message.body.is_null() {
            InvitationBody::default()
        } else {
            serde_json::from_value(message.body)
                .map_err(|_| InvitationError::Incomplete { member: "body" })?
        };
        // Whoever does not understand what is required must not find out at the door.
        let is_issuer = |did: &String| did.starts_with("did:") && did.len() <= MAX_ISSUER_BYTES;
        if body.require_issuer.len() > MAX_ISSUERS || !body.require_issuer.iter().all(is_issuer) {
            return Err(InvitationError::Incomplete { member: "require_issuer" });
        }
        let from = message.from.unwrap_or_default();
        if !from.starts_with("did:") {
            return Err(InvitationError::Incomplete { member: "from" });
        }
        let parts = InvitationParts {
            id: message.id,
            from,
            goal_code: body.goal_code,
            goal: body.goal,
            accept: body.accept.unwrap_or_default(),
            created_time: message.created_time,
            expires_time: message.expires_time,
            require_issuer: body.require_issuer,
            attachments: message.attachments,
        };
        Ok(Self { parts, bytes })
    }

    /// Reads a link. Whitespace anywhere in it (a terminal's or a mail's line breaks) and a pair of angle brackets around it
    /// are removed first.
    ///
    /// # Errors
    /// Each of [`InvitationError`] but `Expired`, which [`Invitation::check_expiry`] finds.
    pub fn from_url(text: &str) -> Result<Self, InvitationError> {
        check_size(text.len())?;
        let text: String = text.chars().filter(|character| !character.is_ascii_whitespace()).collect();
        let text = text.strip_prefix('<').and_then(|inner| inner.strip_suffix('>')).unwrap_or(&text);
        let url = Url::parse(text).map_err(|_| InvitationError::NotALink)?;
        let parameter =
            |name: &str| url.query_pairs().find_map(|(key, value)| (key == name).then(|| value.into_owned()));
        let Some(oob) = parameter("_oob") else {
            let short = parameter("_oobid").is_some();
            return Err(if short { InvitationError::ShortForm } else { InvitationError::NotALink });
        };
        let oob = oob.trim_end_matches('=');
        if oob.is_empty() {
            return Err(InvitationError::Truncated);
        }
        match url.fragment() {
            Some("c") => return Err(InvitationError::Truncated),
            Some(fragment) => {
                if let Some(check) = fragment.strip_prefix("c=") {
                    verify_check(oob, check)?;
                }
            }
            None => {}
        }
        Self::from_bytes(b64url_decode(oob).ok_or(InvitationError::NotBase64)?)
    }

    /// Returns the link `<base>?_oob=...#c=...`; parameters that `base` has are kept, its fragment is replaced.
    ///
    /// # Errors
    /// [`InvitationError::NotALink`] when `base` is no URL with a host, [`InvitationError::TooLarge`].
    pub fn to_url(&self, base: &str) -> Result<String, InvitationError> {
        let mut url = Url::parse(base).map_err(|_| InvitationError::NotALink)?;
        if !url.has_host() {
            return Err(InvitationError::NotALink);
        }
        let oob = b64url_encode(&self.bytes);
        url.query_pairs_mut().append_pair("_oob", &oob);
        url.set_fragment(Some(&format!("c={}", check_of(&oob))));
        let link = String::from(url);
        check_size(link.len())?;
        Ok(link)
    }

    /// Fails when the invitation has ended at `now`, in UTC seconds. Without `expires_time` it does not end.
    ///
    /// # Errors
    /// [`InvitationError::Expired`].
    pub fn check_expiry(&self, now: u64) -> Result<(), InvitationError> {
        match self.parts.expires_time {
            Some(end) if end <= now => Err(InvitationError::Expired { seconds_ago: now - end }),
            _ => Ok(()),
        }
    }

    /// Returns SHA-256 of the bytes as received: the invitation hash of handshakes and room joins.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(&self.bytes).into()
    }

    /// Returns the decoded JSON, byte for byte as received.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns everything that the invitation says.
    pub fn parts(&self) -> &InvitationParts {
        &self.parts
    }

    /// Returns the id, which becomes the `pthid` of answers.
    pub fn id(&self) -> &str {
        &self.parts.id
    }

    /// Returns the DID of the inviter.
    pub fn from(&self) -> &str {
        &self.parts.from
    }

    /// Returns the goal code.
    pub fn goal_code(&self) -> Option<&str> {
        self.parts.goal_code.as_deref()
    }
}

fn check_size(got: usize) -> Result<(), InvitationError> {
    if got > MAX_INVITATION {
        return Err(InvitationError::TooLarge { limit: MAX_INVITATION, got });
    }
    Ok(())
}

fn check_of(oob: &str) -> String {
    let mut text = b64url_encode(Sha256::digest(oob.as_bytes()));
    text.truncate(CHECK_LEN);
    text
}

fn verify_check(oob: &str, check: &str) -> Result<(), InvitationError> {
    let expected = check_of(oob);
    if check == expected {
        Ok(())
    } else if check.len() < CHECK_LEN && expected.starts_with(check) {
        Err(InvitationError::Truncated)
    } else {
        Err(InvitationError::Damaged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_repeats_a_foreign_type_without_what_a_terminal_would_obey() {
        let type_ = format!("\u{1b}]0;owned\u{7}\r\n\u{202E}{}", "x".repeat(200));
        let bytes = serde_json::to_vec(&serde_json::json!({ "type": type_ })).unwrap();
        let error = Invitation::from_bytes(bytes).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("]0;owned") && text.chars().count() < 200, "{text}");
        assert!(!text.chars().any(crate::is_invisible), "{text:?}");
    }
}
