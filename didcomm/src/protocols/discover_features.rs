//! Discover Features 2.0: what can the other side do?
//!
//! Specification: DIDComm Messaging v2.1, "Discover Features Protocol 2.0" and "Agent Constraint Disclosure".
//!
//! ```text
//! requester                          responder
//!   queries [{type, match}]  ------>
//!                            <------  disclose [{type, id}]       (those that match, in the thread of the queries)
//! ```
//!
//! [`answer`] finds what matches in a list of features. Not its concern: which features there are, and who may hear of them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Body, BodyError, types};
use crate::message::Message;

/// Most queries in one message, and so a bound on the work of an answer: more kinds of features than anybody knows.
pub const MAX_QUERIES: usize = 32;

/// Longest `match` of a query, in bytes: several times an identifier.
pub const MAX_MATCH: usize = 512;

/// Most disclosures that are read from one message.
pub const MAX_DISCLOSURES: usize = 256;

/// Feature type of protocols; their identifier is `<protocol>/<major>.<minor>`.
pub const PROTOCOL: &str = "protocol";
/// Feature type of goal codes.
pub const GOAL_CODE: &str = "goal-code";
/// Feature type of message headers.
pub const HEADER: &str = "header";
/// Feature type of limits of an agent.
pub const CONSTRAINT: &str = "constraint";
/// The constraint that says how long a message may be, and the member that holds the number of bytes as a string.
pub const MAX_RECEIVE_BYTES: &str = "max_receive_bytes";

/// Asks for features.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queries {
    /// At least one is meant, at most [`MAX_QUERIES`] are read.
    pub queries: Vec<Query>,
}

/// Asks for features of one type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    /// [`PROTOCOL`], [`GOAL_CODE`], [`HEADER`], [`CONSTRAINT`] or another; nothing matches one that is not known.
    #[serde(rename = "feature-type")]
    pub feature_type: String,
    /// An identifier, in which each `*` stands for any characters.
    #[serde(rename = "match")]
    pub match_: String,
}

/// Tells features. What is not in it may be there all the same: nobody has to tell everything.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Disclose {
    /// At most [`MAX_DISCLOSURES`] are read.
    pub disclosures: Vec<Disclosure>,
}

/// One feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Disclosure {
    /// As in [`Query::feature_type`].
    #[serde(rename = "feature-type")]
    pub feature_type: String,
    /// Its identifier.
    pub id: String,
    /// The roles that can be played in a protocol; empty when not said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// Members that belong to the type of the feature.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Body for Queries {
    const TYPE: &'static str = types::DISCOVER_QUERIES;
}

impl TryFrom<&Message> for Queries {
    type Error = BodyError;

    fn try_from(message: &Message) -> Result<Self, BodyError> {
        let body = Self::from_message(message)?;
        let malformed = |reason: String| BodyError::Malformed { expected: Self::TYPE, reason };
        if body.queries.len() > MAX_QUERIES {
            return Err(malformed(format!("there are more than {MAX_QUERIES} queries")));
        }
        if body.queries.iter().any(|query| query.match_.len() > MAX_MATCH) {
            return Err(malformed(format!("a match is longer than {MAX_MATCH} bytes")));
        }
        Ok(body)
    }
}

impl Body for Disclose {
    const TYPE: &'static str = types::DISCOVER_DISCLOSE;
}

impl TryFrom<&Message> for Disclose {
    type Error = BodyError;

    fn try_from(message: &Message) -> Result<Self, BodyError> {
        let body = Self::from_message(message)?;
        if body.disclosures.len() > MAX_DISCLOSURES {
            let reason = format!("there are more than {MAX_DISCLOSURES} disclosures");
            return Err(BodyError::Malformed { expected: Self::TYPE, reason });
        }
        Ok(body)
    }
}

impl Query {
    /// Tells whether a feature is asked for. Takes time in proportion to the lengths of both identifiers.
    pub fn matches(&self, feature: &Disclosure) -> bool {
        self.feature_type == feature.feature_type && matches(&self.match_, &feature.id)
    }
}

impl Disclosure {
    /// Makes a feature without roles and further members.
    pub fn new(feature_type: impl Into<String>, id: impl Into<String>) -> Self {
        Self { feature_type: feature_type.into(), id: id.into(), roles: Vec::new(), extra: Map::new() }
    }

    /// Makes a protocol in which one role is played; `id` is without the message's name.
    pub fn protocol(id: impl Into<String>, role: impl Into<String>) -> Self {
        Self { roles: vec![role.into()], ..Self::new(PROTOCOL, id) }
    }

    /// Makes the constraint that messages are at most so many bytes long.
    pub fn max_receive_bytes(bytes: usize) -> Self {
        let extra = Map::from_iter([(MAX_RECEIVE_BYTES.to_owned(), bytes.to_string().into())]);
        Self { extra, ..Self::new(CONSTRAINT, MAX_RECEIVE_BYTES) }
    }

    /// Returns how many bytes a message may have, if this is that constraint. Peers write a string, as the specification's
    /// example does, or a number.
    pub fn receives(&self) -> Option<u64> {
        let known = self.feature_type == CONSTRAINT && self.id == MAX_RECEIVE_BYTES;
        let value = self.extra.get(MAX_RECEIVE_BYTES).filter(|_| known)?;
        value.as_u64().or_else(|| value.as_str()?.parse().ok())
    }
}

/// Returns those of `features` that are asked for, each once, in their order.
pub fn answer(queries: &Queries, features: &[Disclosure]) -> Disclose {
    let asked = |feature: &&Disclosure| queries.queries.iter().any(|query| query.matches(feature));
    Disclose { disclosures: features.iter().filter(asked).cloned().collect() }
}

/// Tells whether `id` is `pattern` with something in place of each `*`. The first place where a part fits is as good as any
/// later one, so nothing is tried twice.
fn matches(pattern: &str, id: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == id };
    let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    let Some(mut id) = id.strip_prefix(first).and_then(|id| id.strip_suffix(last)) else { return false };
    for part in middle.split('*') {
        let Some((_, after)) = id.split_once(part) else { return false };
        id = after;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, id, fits) in [
            ("*", "", true),
            ("*", "anything", true),
            ("a", "a", true),
            ("a", "ab", false),
            ("a*", "ab", true),
            ("a*", "ba", false),
            ("*b", "ab", true),
            ("a*b", "ab", true),
            ("a*a", "a", false),
            ("ab*bc", "abc", false),
            ("a**b", "a-b", true),
            ("*b*c*", "abbcd", true),
            ("*c*b*", "abc", false),
            ("a*b*b", "ab", false),
            ("a*b*b", "abxb", true),
            ("", "", true),
            ("", "a", false),
            ("https://didcomm.org/routing/2.*", "https://didcomm.org/routing/2.0", true),
            ("https://didcomm.org/routing/1.*", "https://didcomm.org/routing/2.0", false),
        ] {
            assert_eq!(matches(pattern, id), fits, "{pattern} {id}");
        }
    }

    #[test]
    fn features_are_told_once_in_their_order_and_unknown_types_do_not_matter() {
        let features = [
            Disclosure::protocol("p/1.0", "r"),
            Disclosure::new(HEADER, "h"),
            Disclosure::max_receive_bytes(7),
        ];
        let told = |queries: &[(&str, &str)]| {
            let query = |(type_, match_): &(&str, &str)| Query {
                feature_type: (*type_).to_owned(),
                match_: (*match_).to_owned(),
            };
            let queries = Queries { queries: queries.iter().map(query).collect() };
            answer(&queries, &features).disclosures.into_iter().map(|told| told.id).collect::<Vec<_>>()
        };
        assert_eq!(told(&[("header", "*"), ("protocol", "p/*"), ("protocol", "*")]), ["p/1.0", "h"]);
        assert_eq!(told(&[("constraint", "max_receive_bytes"), ("gov-fw", "*")]), ["max_receive_bytes"]);
        assert!(told(&[("protocol", "h"), ("Header", "h"), ("*", "*")]).is_empty());
        assert!(told(&[]).is_empty());
    }

    #[test]
    fn limit_is_read_as_string_and_as_number() {
        let feature = Disclosure::max_receive_bytes(65536);
        assert_eq!(feature.extra["max_receive_bytes"], "65536", "as the specification writes it");
        assert_eq!(feature.receives(), Some(65536));
        let mut other = feature.clone();
        for (value, read) in
            [(Value::from(7), Some(7)), ("x".into(), None), ((-1).into(), None), (Value::Null, None)]
        {
            other.extra.insert(MAX_RECEIVE_BYTES.to_owned(), value);
            assert_eq!(other.receives(), read);
        }
        assert_eq!(Disclosure { feature_type: HEADER.to_owned(), ..feature }.receives(), None);
    }
}
