//! What the mediator tells of itself when asked (RL-48): what `dispatch` serves, and nothing else.
//!
//! A mediator's program is no secret, and all of its users get the same answer, so nothing is held back or varied. A test
//! compares this list with what is served.
//!
//! Not its concern: queries (`didcomm`, `discover_features`).

use didagent_didcomm::protocols::discover_features::{Disclosure, GOAL_CODE, HEADER};
use didagent_didcomm::protocols::types;

use super::limits::MAX_TEXT;

/// A message of each protocol that is served, and the mediator's role in it.
const PROTOCOLS: [(&str, &str); 8] = [
    (types::MEDIATE_REQUEST, "mediator"),
    (types::DELIVERY_REQUEST, "mediator"),
    (types::FORWARD, "mediator"),
    (types::RELAY_OPEN, "mediator"),
    (types::PING, "receiver"),
    (types::DISCOVER_QUERIES, "responder"),
    (types::PROBLEM_REPORT, "notifier"),
    (types::EMPTY, "receiver"),
];

/// Headers that change what the mediator does.
const HEADERS: [&str; 3] = ["expires_time", "return_route", "return_route_thread"];

/// Returns everything that is told.
pub(super) fn all() -> Vec<Disclosure> {
    let protocol =
        |(type_, role)| types::protocol_of(type_).map(|protocol| Disclosure::protocol(protocol, role));
    let protocols = PROTOCOLS.into_iter().filter_map(protocol);
    let headers = HEADERS.into_iter().map(|header| Disclosure::new(HEADER, header));
    protocols
        .chain([Disclosure::new(GOAL_CODE, types::GOAL_MEDIATE)])
        .chain(headers)
        .chain([Disclosure::max_receive_bytes(MAX_TEXT)])
        .collect()
}
