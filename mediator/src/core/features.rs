//! What the mediator tells of itself when asked (RL-48): what `dispatch` serves, and nothing else.
//!
//! A mediator's program is no secret, and all of its users get the same answer, so nothing is held back or varied. A test
//! compares this list with what is served.
//!
//! Not its concern: queries (`didcomm`, `discover_features`).

use std::collections::BTreeSet;
use std::str::FromStr;

use didagent_didcomm::protocols::discover_features::{Disclosure, GOAL_CODE, HEADER};
use didagent_didcomm::protocols::types;
use thiserror::Error;

use super::limits::MAX_TEXT;

/// What an operator may leave out. Everything else is what makes it a mediator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Coordinate Mediation 2.0.
    CoordinateMediation2,
    /// Coordinate Mediation 3.0.
    CoordinateMediation3,
    /// Message Pickup 3.0.
    Pickup3,
    /// Message Pickup 4.0.
    Pickup4,
    /// Live delivery, of either version of pickup: clients have to ask for their mail.
    LiveDelivery,
    /// Circuits (Relay 1.0): all traffic but mail.
    Relay,
    /// Short links that only their readers can open.
    ShortLink,
    /// Shorten URL 1.0: invitations that are kept readable.
    ShortenUrl,
    /// The board for strangers (Lobby 1.0). It is the one part that has to be switched on.
    Lobby,
}

/// What an operator wants to leave out is not a [`Part`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("it is none of: {}", Part::ALL.map(Part::name).join(", "))]
pub struct UnknownPart;

impl Part {
    /// Every part.
    pub const ALL: [Self; 9] = [
        Self::CoordinateMediation2,
        Self::CoordinateMediation3,
        Self::Pickup3,
        Self::Pickup4,
        Self::LiveDelivery,
        Self::Relay,
        Self::ShortLink,
        Self::ShortenUrl,
        Self::Lobby,
    ];

    /// Returns its name, as it is written in a configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::CoordinateMediation2 => "coordinate-mediation/2.0",
            Self::CoordinateMediation3 => "coordinate-mediation/3.0",
            Self::Pickup3 => "messagepickup/3.0",
            Self::Pickup4 => "message-pickup/4.0",
            Self::LiveDelivery => "live-delivery",
            Self::Relay => "relay/1.0",
            Self::ShortLink => "short-link/1.0",
            Self::ShortenUrl => "shorten-url/1.0",
            Self::Lobby => "lobby/1.0",
        }
    }
}

impl FromStr for Part {
    type Err = UnknownPart;

    fn from_str(name: &str) -> Result<Self, UnknownPart> {
        Self::ALL.into_iter().find(|part| part.name() == name).ok_or(UnknownPart)
    }
}

/// A message of each protocol that is served, the mediator's role in it, and how an operator leaves it out.
const PROTOCOLS: [(&str, &str, Option<Part>); 13] = [
    (types::MEDIATE_REQUEST, "mediator", Some(Part::CoordinateMediation3)),
    (types::MEDIATE_REQUEST_2, "mediator", Some(Part::CoordinateMediation2)),
    (types::DELIVERY_REQUEST, "mediator", Some(Part::Pickup3)),
    (types::DELIVERY_REQUEST_4, "mediator", Some(Part::Pickup4)),
    (types::FORWARD, "mediator", None),
    (types::RELAY_OPEN, "mediator", Some(Part::Relay)),
    (types::LINK_DEPOSIT, "mediator", Some(Part::ShortLink)),
    (types::REQUEST_SHORTENED_URL, "url-shortener", Some(Part::ShortenUrl)),
    (types::LOBBY_LIST, "board", Some(Part::Lobby)),
    (types::PING, "receiver", None),
    (types::DISCOVER_QUERIES, "responder", None),
    (types::PROBLEM_REPORT, "notifier", None),
    (types::EMPTY, "receiver", None),
];

/// Headers that change what the mediator does.
const HEADERS: [&str; 4] = ["delay_milli", "expires_time", "return_route", "return_route_thread"];

/// Returns the part that messages of this type belong to, in any minor version.
pub(super) fn part_of(type_: &str) -> Option<Part> {
    let (protocol, _) = type_.rsplit_once('/')?;
    // Up to the major version.
    let major = |protocol: &str| protocol.rsplit_once('.').map(|(major, _)| major.to_owned());
    let wanted = major(protocol)?;
    let protocol = PROTOCOLS
        .iter()
        .find(|(known, ..)| types::protocol_of(known).and_then(major).is_some_and(|known| known == wanted))?;
    protocol.2
}

/// Returns everything that is told by a mediator without the parts `left_out`.
pub(super) fn all(left_out: &BTreeSet<Part>) -> Vec<Disclosure> {
    let served = |part: &Option<Part>| part.is_none_or(|part| !left_out.contains(&part));
    let protocols = PROTOCOLS
        .iter()
        .filter(|(_, _, part)| served(part))
        .filter_map(|(type_, role, _)| Some(Disclosure::protocol(types::protocol_of(type_)?, *role)));
    let headers = HEADERS.into_iter().map(|header| Disclosure::new(HEADER, header));
    protocols
        .chain([Disclosure::new(GOAL_CODE, types::GOAL_MEDIATE)])
        .chain(headers)
        .chain([Disclosure::max_receive_bytes(MAX_TEXT)])
        .collect()
}
