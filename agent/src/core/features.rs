//! What an agent tells of itself when asked: the protocols that it speaks, and nothing else.
//!
//! Specification: DIDComm Messaging v2.1, "Discover Features Protocol 2.0"; `spec/room.md`, section 9. Everybody gets the same
//! answer, since which program this is can be seen from how it behaves.
//!
//! Not its concern: who is answered how often (`courtesy`), queries (`didcomm`, `discover_features`).

use didagent_didcomm::protocols::discover_features::{Disclosure, GOAL_CODE, HEADER};
use didagent_didcomm::protocols::types;

/// A message of each protocol that is spoken, and the roles that are played in it.
const PROTOCOLS: [(&str, &[&str]); 17] = [
    (types::OOB_INVITATION, &["sender", "receiver"]),
    (types::MEDIATE_REQUEST, &["recipient"]),
    (types::MEDIATE_REQUEST_2, &["recipient"]),
    (types::DELIVERY_REQUEST, &["recipient"]),
    (types::DELIVERY_REQUEST_4, &["recipient"]),
    (types::FORWARD, &["sender"]),
    (types::EMPTY, &["receiver"]),
    (types::DISCOVER_QUERIES, &["responder"]),
    (types::PROBLEM_REPORT, &["notifier", "notified"]),
    (types::BASIC_MESSAGE, &["sender", "receiver"]),
    (types::PING, &["sender", "receiver"]),
    (types::SESSION_PROPOSE, &["initiator", "responder"]),
    (types::ROOM_JOIN, &["host", "guest"]),
    (types::RELAY_OPEN, &["initiator", "responder"]),
    (types::LINK_DEPOSIT, &["depositor"]),
    (types::LOBBY_POST, &["host", "guest"]),
    (types::REQUEST_SHORTENED_URL, &["long-url-provider"]),
];

/// Headers that change what the agent does.
const HEADERS: [&str; 1] = ["expires_time"];

/// Returns everything that is told.
pub fn all() -> Vec<Disclosure> {
    let protocol = |(type_, roles): (&str, &[&str])| {
        let id = types::protocol_of(type_)?;
        let roles = roles.iter().map(|role| (*role).to_owned()).collect();
        Some(Disclosure { roles, ..Disclosure::protocol(id, "") })
    };
    let headers = HEADERS.into_iter().map(|header| Disclosure::new(HEADER, header));
    let protocols = PROTOCOLS.into_iter().filter_map(protocol);
    protocols.chain([Disclosure::new(GOAL_CODE, types::GOAL_ROOM)]).chain(headers).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_protocol_of_this_project_is_told_once() {
        let told: Vec<_> = all().into_iter().filter(|one| one.feature_type == "protocol").collect();
        let ids: BTreeSet<_> = told.iter().map(|one| one.id.as_str()).collect();
        let known: BTreeSet<_> = types::ALL.iter().filter_map(|type_| types::protocol_of(type_)).collect();
        assert_eq!((ids, told.len()), (known, PROTOCOLS.len()));
        assert!(told.iter().all(|one| !one.roles.is_empty() && !one.roles.contains(&String::new())));
    }
}
