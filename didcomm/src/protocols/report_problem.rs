//! Report Problem 2.0.
//!
//! Specification: DIDComm Messaging v2.1, "Problem Reports". A code is `sorter.scope.descriptor...`: `e` ends the thread,
//! `w` warns; scope `p` is the protocol, `m` the message.

use serde::{Deserialize, Serialize};

use super::{Body, BodyError, types};
use crate::message::Message;

/// Body of a problem report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProblemReport {
    /// What happened, for machines.
    pub code: String,
    /// What happened, for people; `{1}` stands for the first of `args`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Values for the comment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Where a person can get help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalate_to: Option<String>,
}

impl Body for ProblemReport {
    const TYPE: &'static str = types::PROBLEM_REPORT;
}

impl TryFrom<&Message> for ProblemReport {
    type Error = BodyError;

    /// Reads a report; its thread is in the `pthid` header, which is required.
    fn try_from(message: &Message) -> Result<Self, BodyError> {
        let report = Self::from_message(message)?;
        if message.pthid.is_none() {
            return Err(BodyError::MissingHeader { expected: Self::TYPE, header: "pthid" });
        }
        Ok(report)
    }
}

impl ProblemReport {
    /// Makes a report body with a code and a comment.
    pub fn new(code: impl Into<String>, comment: impl Into<String>) -> Self {
        Self { code: code.into(), comment: Some(comment.into()), args: Vec::new(), escalate_to: None }
    }

    /// Makes the message that reports a problem in the thread of `about`.
    pub fn report(&self, id: impl Into<String>, about: &Message) -> Message {
        self.message(id).pthid(about.thread())
    }

    /// Tells whether the thread is over (sorter `e`), as opposed to a warning.
    pub fn is_error(&self) -> bool {
        self.code.starts_with("e.")
    }
}
