//! Basic Message 2.0: a sentence of one person for another.
//!
//! Specification: <https://didcomm.org/basicmessage/2.0>.
//!
//! ```text
//! sender                    receiver
//!   message {content} ------->                 (has no answer)
//! ```
//!
//! Not its concern: how the text is shown. It is a stranger's: see [`crate::showable()`].

use serde::{Deserialize, Serialize};

use super::{Body, BodyError, types};
use crate::message::Message;

/// Longest text that is read, in bytes: a few pages. More is a file, and no screen is for that.
pub const MAX_CONTENT: usize = 16 * 1024;

/// A sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BasicMessage {
    /// The text; at most [`MAX_CONTENT`] bytes are read.
    pub content: String,
}

impl Body for BasicMessage {
    const TYPE: &'static str = types::BASIC_MESSAGE;
}

impl TryFrom<&Message> for BasicMessage {
    type Error = BodyError;

    fn try_from(message: &Message) -> Result<Self, BodyError> {
        let body = Self::from_message(message)?;
        if body.content.len() > MAX_CONTENT {
            let reason = format!("content is longer than {MAX_CONTENT} bytes");
            return Err(BodyError::Malformed { expected: Self::TYPE, reason });
        }
        Ok(body)
    }
}
