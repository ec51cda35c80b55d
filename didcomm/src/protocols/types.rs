//! Every message type URI, in one place. Ours are listed in `spec/0-names.md`, section 0.1.

/// Base URI of the protocols that this project defines.
pub const BASE: &str = "https://w3id.org/didagent";

/// Out-of-band 2.0 invitation.
pub const OOB_INVITATION: &str = "https://didcomm.org/out-of-band/2.0/invitation";

/// Coordinate Mediation 3.0: asks for mediation.
pub const MEDIATE_REQUEST: &str = "https://didcomm.org/coordinate-mediation/3.0/mediate-request";
/// Coordinate Mediation 3.0: mediation is granted.
pub const MEDIATE_GRANT: &str = "https://didcomm.org/coordinate-mediation/3.0/mediate-grant";
/// Coordinate Mediation 3.0: mediation is denied.
pub const MEDIATE_DENY: &str = "https://didcomm.org/coordinate-mediation/3.0/mediate-deny";
/// Coordinate Mediation 3.0: adds or removes recipient DIDs.
pub const RECIPIENT_UPDATE: &str = "https://didcomm.org/coordinate-mediation/3.0/recipient-update";
/// Coordinate Mediation 3.0: result of an update.
pub const RECIPIENT_UPDATE_RESPONSE: &str =
    "https://didcomm.org/coordinate-mediation/3.0/recipient-update-response";
/// Coordinate Mediation 3.0: asks for the registered recipient DIDs.
pub const RECIPIENT_QUERY: &str = "https://didcomm.org/coordinate-mediation/3.0/recipient-query";
/// Coordinate Mediation 3.0: the registered recipient DIDs.
pub const RECIPIENT: &str = "https://didcomm.org/coordinate-mediation/3.0/recipient";

/// Coordinate Mediation 2.0: asks for mediation.
pub const MEDIATE_REQUEST_2: &str = "https://didcomm.org/coordinate-mediation/2.0/mediate-request";
/// Coordinate Mediation 2.0: mediation is granted.
pub const MEDIATE_GRANT_2: &str = "https://didcomm.org/coordinate-mediation/2.0/mediate-grant";
/// Coordinate Mediation 2.0: mediation is denied.
pub const MEDIATE_DENY_2: &str = "https://didcomm.org/coordinate-mediation/2.0/mediate-deny";
/// Coordinate Mediation 2.0: adds or removes recipient DIDs.
pub const KEYLIST_UPDATE: &str = "https://didcomm.org/coordinate-mediation/2.0/keylist-update";
/// Coordinate Mediation 2.0: result of an update.
pub const KEYLIST_UPDATE_RESPONSE: &str =
    "https://didcomm.org/coordinate-mediation/2.0/keylist-update-response";
/// Coordinate Mediation 2.0: asks for the registered recipient DIDs.
pub const KEYLIST_QUERY: &str = "https://didcomm.org/coordinate-mediation/2.0/keylist-query";
/// Coordinate Mediation 2.0: the registered recipient DIDs.
pub const KEYLIST: &str = "https://didcomm.org/coordinate-mediation/2.0/keylist";

/// Message Pickup 3.0: asks for the state of the queue.
pub const STATUS_REQUEST: &str = "https://didcomm.org/messagepickup/3.0/status-request";
/// Message Pickup 3.0: state of the queue.
pub const STATUS: &str = "https://didcomm.org/messagepickup/3.0/status";
/// Message Pickup 3.0: asks for queued messages.
pub const DELIVERY_REQUEST: &str = "https://didcomm.org/messagepickup/3.0/delivery-request";
/// Message Pickup 3.0: queued messages.
pub const DELIVERY: &str = "https://didcomm.org/messagepickup/3.0/delivery";
/// Message Pickup 3.0: acknowledges queued messages, which are then deleted.
pub const MESSAGES_RECEIVED: &str = "https://didcomm.org/messagepickup/3.0/messages-received";
/// Message Pickup 3.0: switches live delivery.
pub const LIVE_DELIVERY_CHANGE: &str = "https://didcomm.org/messagepickup/3.0/live-delivery-change";

/// Message Pickup 4.0: asks for the state of the queue.
pub const STATUS_REQUEST_4: &str = "https://didcomm.org/message-pickup/4.0/status-request";
/// Message Pickup 4.0: state of the queue.
pub const STATUS_4: &str = "https://didcomm.org/message-pickup/4.0/status";
/// Message Pickup 4.0: asks for queued messages.
pub const DELIVERY_REQUEST_4: &str = "https://didcomm.org/message-pickup/4.0/delivery-request";
/// Message Pickup 4.0: queued messages, or none.
pub const DELIVERY_4: &str = "https://didcomm.org/message-pickup/4.0/delivery";
/// Message Pickup 4.0: acknowledges queued messages, which are then deleted. It has no answer.
pub const MESSAGES_RECEIVED_4: &str = "https://didcomm.org/message-pickup/4.0/messages-received";
/// Message Pickup 4.0: switches live delivery.
pub const LIVE_DELIVERY_CHANGE_4: &str = "https://didcomm.org/message-pickup/4.0/live-delivery-change";
/// Message Pickup 4.0: a connection cannot have live delivery; the body is that of [`PROBLEM_REPORT`].
pub const PICKUP_PROBLEM_REPORT_4: &str = "https://didcomm.org/message-pickup/4.0/problem-report";

/// Routing 2.0 forward.
pub const FORWARD: &str = "https://didcomm.org/routing/2.0/forward";
/// Empty 1.0: a message that is sent for its headers alone.
pub const EMPTY: &str = "https://didcomm.org/empty/1.0/empty";
/// Discover Features 2.0: asks what the other side can do.
pub const DISCOVER_QUERIES: &str = "https://didcomm.org/discover-features/2.0/queries";
/// Discover Features 2.0: what this side can do.
pub const DISCOVER_DISCLOSE: &str = "https://didcomm.org/discover-features/2.0/disclose";
/// Report Problem 2.0.
pub const PROBLEM_REPORT: &str = "https://didcomm.org/report-problem/2.0/problem-report";
/// Trust Ping 2.0.
pub const PING: &str = "https://didcomm.org/trust-ping/2.0/ping";
/// Trust Ping 2.0 answer.
pub const PING_RESPONSE: &str = "https://didcomm.org/trust-ping/2.0/ping-response";

/// Basic Message 2.0: a text for a person.
pub const BASIC_MESSAGE: &str = "https://didcomm.org/basicmessage/2.0/message";

/// Shorten URL 1.0: asks for a shorter link.
pub const REQUEST_SHORTENED_URL: &str = "https://didcomm.org/shorten-url/1.0/request-shortened-url";
/// Shorten URL 1.0: the shorter link.
pub const SHORTENED_URL: &str = "https://didcomm.org/shorten-url/1.0/shortened-url";
/// Shorten URL 1.0: asks to forget a shorter link.
pub const INVALIDATE_SHORTENED_URL: &str = "https://didcomm.org/shorten-url/1.0/invalidate-shortened-url";

/// Session 1.0: first Noise message.
pub const SESSION_PROPOSE: &str = "https://w3id.org/didagent/session/1.0/propose";
/// Session 1.0: second Noise message.
pub const SESSION_ACCEPT: &str = "https://w3id.org/didagent/session/1.0/accept";
/// Session 1.0: the handshake does not continue.
pub const SESSION_ABORT: &str = "https://w3id.org/didagent/session/1.0/abort";

/// Room 1.0: asks the host of a list of parties whether it has a room for them.
pub const ROOM_ASK: &str = "https://w3id.org/didagent/room/1.0/ask";
/// Room 1.0: it has, and this is the invitation.
pub const ROOM_INVITATION: &str = "https://w3id.org/didagent/room/1.0/invitation";
/// Room 1.0: asks the host for a seat.
pub const ROOM_JOIN: &str = "https://w3id.org/didagent/room/1.0/join";
/// Room 1.0: who has a seat so far, from the host.
pub const ROOM_SEATS: &str = "https://w3id.org/didagent/room/1.0/seats";
/// Room 1.0: the signed roster, from the host.
pub const ROOM_ROSTER: &str = "https://w3id.org/didagent/room/1.0/roster";
/// Room 1.0: one party's signature over what will run.
pub const ROOM_READY: &str = "https://w3id.org/didagent/room/1.0/ready";
/// Room 1.0: a party's person has compared the words.
pub const ROOM_CONFIRMED: &str = "https://w3id.org/didagent/room/1.0/confirmed";
/// Room 1.0: a party leaves, or the room ends.
pub const ROOM_LEAVE: &str = "https://w3id.org/didagent/room/1.0/leave";

/// Relay 1.0: the initiator's half of a circuit.
pub const RELAY_OPEN: &str = "https://w3id.org/didagent/relay/1.0/open";
/// Relay 1.0: the responder's half of a circuit.
pub const RELAY_JOIN: &str = "https://w3id.org/didagent/relay/1.0/join";
/// Relay 1.0: the mediator names the circuit.
pub const RELAY_OPENED: &str = "https://w3id.org/didagent/relay/1.0/opened";
/// Relay 1.0: the mediator refuses a circuit.
pub const RELAY_REFUSED: &str = "https://w3id.org/didagent/relay/1.0/refused";

/// Short Link 1.0: asks the mediator to keep the content behind a link.
pub const LINK_DEPOSIT: &str = "https://w3id.org/didagent/short-link/1.0/deposit";
/// Short Link 1.0: it is kept.
pub const LINK_DEPOSITED: &str = "https://w3id.org/didagent/short-link/1.0/deposited";

/// Lobby 1.0: asks the mediator to show a room on its board.
pub const LOBBY_POST: &str = "https://w3id.org/didagent/lobby/1.0/post";
/// Lobby 1.0: it is on the board.
pub const LOBBY_POSTED: &str = "https://w3id.org/didagent/lobby/1.0/posted";
/// Lobby 1.0: it is meant still.
pub const LOBBY_RENEW: &str = "https://w3id.org/didagent/lobby/1.0/renew";
/// Lobby 1.0: takes it down.
pub const LOBBY_WITHDRAW: &str = "https://w3id.org/didagent/lobby/1.0/withdraw";
/// Lobby 1.0: it is taken down.
pub const LOBBY_WITHDRAWN: &str = "https://w3id.org/didagent/lobby/1.0/withdrawn";
/// Lobby 1.0: asks what is on the board.
pub const LOBBY_LIST: &str = "https://w3id.org/didagent/lobby/1.0/list";
/// Lobby 1.0: what is on the board.
pub const LOBBY_POSTS: &str = "https://w3id.org/didagent/lobby/1.0/posts";

/// Goal code of an invitation to a room.
pub const GOAL_ROOM: &str = "didagent.room";
/// Goal code of an invitation to use a mediator.
pub const GOAL_MEDIATE: &str = "request-mediate";
/// Media type profile that we write into `accept`.
pub const PROFILE_DIDCOMM_V2: &str = "didcomm/v2";

/// Every message type of this file.
pub const ALL: &[&str] = &[
    OOB_INVITATION,
    MEDIATE_REQUEST,
    MEDIATE_GRANT,
    MEDIATE_DENY,
    RECIPIENT_UPDATE,
    RECIPIENT_UPDATE_RESPONSE,
    RECIPIENT_QUERY,
    RECIPIENT,
    MEDIATE_REQUEST_2,
    MEDIATE_GRANT_2,
    MEDIATE_DENY_2,
    KEYLIST_UPDATE,
    KEYLIST_UPDATE_RESPONSE,
    KEYLIST_QUERY,
    KEYLIST,
    STATUS_REQUEST,
    STATUS,
    DELIVERY_REQUEST,
    DELIVERY,
    MESSAGES_RECEIVED,
    LIVE_DELIVERY_CHANGE,
    STATUS_REQUEST_4,
    STATUS_4,
    DELIVERY_REQUEST_4,
    DELIVERY_4,
    MESSAGES_RECEIVED_4,
    LIVE_DELIVERY_CHANGE_4,
    PICKUP_PROBLEM_REPORT_4,
    FORWARD,
    EMPTY,
    DISCOVER_QUERIES,
    DISCOVER_DISCLOSE,
    PROBLEM_REPORT,
    PING,
    PING_RESPONSE,
    BASIC_MESSAGE,
    REQUEST_SHORTENED_URL,
    SHORTENED_URL,
    INVALIDATE_SHORTENED_URL,
    SESSION_PROPOSE,
    SESSION_ACCEPT,
    SESSION_ABORT,
    ROOM_ASK,
    ROOM_INVITATION,
    ROOM_JOIN,
    ROOM_SEATS,
    ROOM_ROSTER,
    ROOM_READY,
    ROOM_CONFIRMED,
    ROOM_LEAVE,
    RELAY_OPEN,
    RELAY_JOIN,
    RELAY_OPENED,
    RELAY_REFUSED,
    LINK_DEPOSIT,
    LINK_DEPOSITED,
    LOBBY_POST,
    LOBBY_POSTED,
    LOBBY_RENEW,
    LOBBY_WITHDRAW,
    LOBBY_WITHDRAWN,
    LOBBY_LIST,
    LOBBY_POSTS,
];

/// Tells whether `got` names the same message of the same protocol and major version as `expected`.
///
/// The minor version may differ (DIDComm v2.1, "Semver rules"); everything else is compared byte for byte.
pub fn same_message(got: &str, expected: &str) -> bool {
    if got == expected {
        return true;
    }
    match (split(got), split(expected)) {
        (Some(got), Some(expected)) => got == expected,
        _ => false,
    }
}

/// Returns `<protocol>/<major>.<minor>` of a message type: the identifier of its protocol.
pub fn protocol_of(type_: &str) -> Option<&str> {
    split(type_)?;
    Some(type_.rsplit_once('/')?.0)
}

/// Splits `<protocol>/<major>.<minor>/<message>` into protocol, major and message.
fn split(type_: &str) -> Option<(&str, &str, &str)> {
    let (rest, message) = type_.rsplit_once('/')?;
    let (protocol, version) = rest.rsplit_once('/')?;
    let (major, minor) = version.split_once('.')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (digits(major) && digits(minor)).then_some((protocol, major, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_holds_every_type_of_this_file_and_names_its_protocol() {
        let source = include_str!("types.rs").split("#[cfg(test)]").next().unwrap();
        let quoted = source.split('"').skip(1).step_by(2);
        let types: Vec<_> = quoted.filter(|text| split(text).is_some()).collect();
        assert_eq!(types, ALL);
        assert_eq!(protocol_of(FORWARD), Some("https://didcomm.org/routing/2.0"));
        assert_eq!(protocol_of("https://didcomm.org/routing/2/forward"), None);
    }

    /// Decides NA-01, NA-02.
    #[test]
    fn our_own_types_are_those_of_the_chapter() {
        let expected = [
            ("room", &["ask", "invitation", "join", "seats", "roster", "ready", "confirmed", "leave"][..]),
            ("session", &["propose", "accept", "abort"]),
            ("relay", &["open", "join", "opened", "refused"]),
            ("short-link", &["deposit", "deposited"]),
            ("lobby", &["post", "posted", "renew", "withdraw", "withdrawn", "list", "posts"]),
        ];
        let types = expected.into_iter().flat_map(|(protocol, messages)| {
            messages.iter().map(move |name| format!("https://w3id.org/didagent/{protocol}/1.0/{name}"))
        });
        let mut types: Vec<_> = types.collect();
        let mut ours: Vec<_> =
            ALL.iter().filter(|type_| !type_.starts_with("https://didcomm.org/")).collect();
        types.sort_unstable();
        ours.sort_unstable();
        assert!(ours.into_iter().eq(&types));
        assert_eq!((GOAL_ROOM, GOAL_MEDIATE), ("didagent.room", "request-mediate"));
    }

    /// Decides NA-10.
    #[test]
    fn members_of_a_later_minor_version_are_ignored() {
        use crate::protocols::trust_ping::Ping;
        let body = serde_json::json!({ "response_requested": false, "later": [1] });
        let ping = crate::message::Message::new("1", "https://didcomm.org/trust-ping/2.9/ping", body);
        assert!(!Ping::try_from(&ping).unwrap().response_requested);
    }

    /// Decides NA-09, NA-10.
    #[test]
    fn minor_version_may_differ_and_nothing_else() {
        assert!(same_message(FORWARD, FORWARD));
        assert!(same_message("https://didcomm.org/routing/2.7/forward", FORWARD));
        for other in [
            "https://didcomm.org/routing/3.0/forward",
            "https://didcomm.org/routing/2.0/forwards",
            "https://didcomm.org/routing/2.x/forward",
            "https://didcomm.org/routing/2./forward",
            "https://didcomm.org/routing/2/forward",
            "https://example.org/routing/2.0/forward",
            "forward",
            "",
        ] {
            assert!(!same_message(other, FORWARD), "{other}");
        }
    }
}
