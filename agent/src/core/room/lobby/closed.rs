//! What a host says when its room is closed: the roster to those who have a seat, no to all others.

use std::collections::VecDeque;

use didagent_didcomm::envelope::Authenticated;
use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::Body as _;
use didagent_didcomm::protocols::report_problem::ProblemReport;
use didagent_didcomm::protocols::room::{Join, Roster as RosterMessage, refusal};
use rand_core::CryptoRng;

use crate::core::invite::new_id;
use crate::core::room::roster::Roster;
use crate::core::room::{Member, Output};

/// Sends the signed roster to every guest.
pub(in crate::core::room) fn send_roster(
    roster: &Roster,
    host: &Member,
    room: &str,
    rng: &mut impl CryptoRng,
    outputs: &mut VecDeque<Output>,
) {
    let body = RosterMessage {
        roster: roster.bytes().to_vec(),
        signature: roster.sign(&host.identity).to_vec(),
        credentials: roster.credentials().to_vec(),
    };
    for party in roster.body().parties.iter().skip(1) {
        let message = body.message(new_id(rng)).pthid(room);
        outputs.push_back(Output::send(party.kid.clone(), message));
    }
}

/// Answers a `join` that comes after the room was closed, and says whether it was one. A party of the room that asked again
/// after an outage gets its answer with the roster.
pub(in crate::core::room) fn refuse_late_join(
    roster: &Roster,
    sender: &Authenticated,
    message: &Message,
    rng: &mut impl CryptoRng,
    outputs: &mut VecDeque<Output>,
) -> bool {
    let is_join = Join::try_from(message).is_ok();
    if is_join && roster.party_of(&sender.did).is_none() {
        outputs.push_back(refuse(&sender.did, message, refusal::FULL, "the room is full", rng));
    }
    is_join
}

/// Tells somebody that it is to come again: what its message needs cannot be looked up now (RM-111).
pub(in crate::core::room) fn come_again(to: &str, message: &Message, rng: &mut impl CryptoRng) -> Output {
    refuse(to, message, refusal::LATER, "too much is looked up at the moment", rng)
}

pub(super) fn refuse(
    to: &str,
    message: &Message,
    code: &str,
    comment: &str,
    rng: &mut impl CryptoRng,
) -> Output {
    let report = ProblemReport::new(code, comment).report(new_id(rng), message);
    Output::Refuse { to: to.to_owned(), message: Box::new(report) }
}
