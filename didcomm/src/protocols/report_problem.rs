//! Report Problem 2.0.
//!
//! Specification: DIDComm Messaging v2.1, "Problem Reports". A code is `sorter.scope.descriptor...`: `e` ends the thread,
//! `w` warns; scope `p` is the protocol, `m` the message.
//!
//! ```text
//! request {id, thid} ------>
//!                    <------  problem-report {pthid: the request's thread, ack: [its id]}, never answered
//! ```
//!
//! Not its concern: which problems there are, and who hears of them.

use serde::{Deserialize, Serialize};

use super::{Body, BodyError, read_body, types};
use crate::message::Message;

/// Longest text that [`ProblemReport::text`] returns, in bytes: more than anybody reads.
const MAX_TEXT: usize = 4096;

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

    /// Reads a report; its thread is in the `pthid` header, which is required. Message Pickup 4.0 names a type of its own for
    /// its one report.
    fn try_from(message: &Message) -> Result<Self, BodyError> {
        let report = match read_body(message, types::PICKUP_PROBLEM_REPORT_4) {
            Err(BodyError::WrongType { .. }) => Self::from_message(message)?,
            read => read?,
        };
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

    /// Makes the message that reports a problem with `about`: its thread is the parent thread, and the report acknowledges that
    /// it came.
    pub fn report(&self, id: impl Into<String>, about: &Message) -> Message {
        let mut report = self.message(id).pthid(about.thread());
        report.extra.insert("ack".to_owned(), vec![about.id.clone()].into());
        report
    }

    /// Returns the sentence for people: the comment with its arguments, or the code when there is none.
    ///
    /// `{1}` stands for the first argument. An argument that is missing becomes `?`, and those that the comment does not name
    /// follow it, separated by commas. The words are a stranger's: see [`crate::showable()`]. At most 4 KiB are returned.
    pub fn text(&self) -> String {
        let mut text = Bounded(String::new());
        let mut rest = self.comment.as_deref().unwrap_or(&self.code);
        let mut named = vec![false; self.args.len()];
        while let Some((before, after)) = rest.split_once('{') {
            text.push(before);
            if let Some((index, after)) = placeholder(after) {
                text.push(self.args.get(index).map_or("?", String::as_str));
                if let Some(named) = named.get_mut(index) {
                    *named = true;
                }
                rest = after;
            } else {
                text.push("{");
                rest = after;
            }
        }
        text.push(rest);
        for (argument, _) in self.args.iter().zip(named).filter(|(_, named)| !named) {
            text.push(", ");
            text.push(argument);
        }
        text.0
    }

    /// Tells whether the thread is over (sorter `e`), as opposed to a warning.
    pub fn is_error(&self) -> bool {
        self.code.starts_with("e.")
    }
}

/// Tells whether messages of this type report problems, in whatever version of whatever protocol. They are never answered by
/// a report: the other side might answer that one, and so on for ever.
pub fn is_report(type_: &str) -> bool {
    type_.rsplit('/').next() == Some("problem-report")
}

/// Reads `<number>}` and returns the index of the argument and what follows.
fn placeholder(text: &str) -> Option<(usize, &str)> {
    let (number, after) = text.split_once('}')?;
    let number: usize = number.parse().ok()?;
    Some((number.checked_sub(1)?, after))
}

/// A text that stops to grow: a comment can name an argument thousands of times.
struct Bounded(String);

impl Bounded {
    fn push(&mut self, part: &str) {
        let room = MAX_TEXT.saturating_sub(self.0.len());
        self.0.push_str(&part[..part.floor_char_boundary(room)]);
    }
}
