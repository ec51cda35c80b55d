//! Parties that would not run the same: the room waits, says so, and starts once they do.

use didagent_bridge::manifest::{Manifest, ProgramFile, ProgramKind};
use serde_json::json;

use super::*;

fn program(seed: u8) -> Manifest {
    let told = json!({
        "v": 1,
        "program": {"name": "vote.py", "sha256": format!("{seed:064x}")},
        "mpyc": {"version": "0.11", "sha256": "0".repeat(64)},
        "options": {
            "threshold": null, "bit_length": 32, "sec_param": 30, "prss": true, "barrier": true, "mix32_64bit": false,
        },
        "shown": {"python": "CPython 3.11", "bits": 64},
    });
    Manifest::read(told).unwrap()
}

fn running(seed: u8, manifest: Manifest) -> Member {
    Member { manifest: Some(manifest), ..member(seed, Some(ThresholdRule::Default)) }
}

impl Table {
    fn with_host(parties: usize, manifest: Manifest) -> Self {
        let mut table = Self::new(parties);
        let invitation = table.seats[0].room.invitation.clone();
        table.seats[0].room = Room::host(running(1, manifest), invitation, parties);
        table
    }

    fn differs(&self, at: usize) -> Vec<(usize, Vec<String>)> {
        let seats = self.seats[at].events.iter().rev().find_map(|event| match event {
            Event::Seats { differs, .. } => Some(differs.clone()),
            _ => None,
        });
        seats.unwrap_or_default()
    }
}

/// Decides MF-20, MF-21.
#[test]
fn a_guest_that_differs_ends_keeps_its_seat_and_all_others_hear_of_it() {
    let mut table = Table::with_host(3, program(1));
    let carol = table.join(running(3, program(1)));
    let bob = table.join(running(2, program(2)));
    table.carry();
    let failure = table.seats[bob].failed.clone().unwrap();
    assert_eq!(failure.kind, Kind::Agreement);
    assert_eq!(
        failure.message,
        "this party would not run the same as the host: program is vote.py 0000..02 here and vote.py 0000..01 at the host"
    );
    let differs = table.seats[0].events.iter().find_map(|event| match event {
        Event::Differs { index, name, differences } => {
            Some((*index, name.as_str(), differences[0].item.as_str()))
        }
        _ => None,
    });
    assert_eq!(differs, Some((2, "party 2", "program")));
    assert_eq!(table.differs(carol), [(2, vec!["program".to_owned()])]);
    let waiting = [Waiting { index: 2, name: "party 2".to_owned(), why: Why::Differs }];
    assert_eq!(table.seats[0].room.waiting(), waiting);
    assert_eq!(table.seats[carol].room.waiting(), waiting);
    // Every seat is taken, and nothing begins.
    assert_eq!(table.seats[0].room.missing(), 0);
    assert!(table.seats.iter().all(|seat| seat.connected.is_empty()));
    // Nobody else gets the seat.
    let late = table.join(running(9, program(1)));
    table.carry();
    assert_eq!(table.seats[late].failed.as_ref().unwrap().kind, Kind::RoomRefused);
    // The same party, once it is mended.
    table.join(running(2, program(1)));
    table.carry();
    assert!(table.seats[0].events.iter().any(|event| matches!(event, Event::Fits { index: 2, .. })));
    assert!(table.differs(carol).is_empty());
    table.connect();
    table.carry();
    let roster = table.seats[0].ready.as_ref().unwrap();
    assert_eq!(roster.body().manifest, Some(program(1)));
    assert_eq!(table.seats.iter().filter(|seat| seat.ready.is_some()).count(), 3);
}

/// Decides MF-23.
#[test]
fn the_host_may_be_the_one_to_mend_something() {
    let mut table = Table::with_host(2, program(1));
    table.join(running(2, program(2)));
    table.carry();
    assert!(table.seats[1].failed.is_some());
    table.input(0, Input::Manifest(Box::new(program(2))));
    let waiting = vec![Waiting { index: 1, name: "party 2".to_owned(), why: Why::Again }];
    assert_eq!(table.seats[0].room.waiting(), waiting);
    assert!(table.seats[0].events.contains(&Event::Waiting(waiting)));
    table.mail.clear();
    table.join(running(2, program(2)));
    table.carry();
    table.connect();
    table.carry();
    assert_eq!(table.seats[0].ready.as_ref().unwrap().body().manifest, Some(program(2)));
}

/// Decides MF-14, MF-22.
#[test]
fn the_roster_says_whose_program_was_compared() {
    let mut table = Table::with_host(2, program(1));
    table.join(member(2, None));
    table.carry();
    table.connect();
    table.carry();
    let roster = table.seats[1].ready.as_ref().unwrap();
    let kinds: Vec<_> = roster.body().parties.iter().map(|party| party.program).collect();
    assert_eq!(kinds, [ProgramKind::Python, ProgramKind::ByHand]);
    let noted = |event: &Event| matches!(event, Event::Note { text, .. } if text.contains("by hand"));
    assert!(table.seats[0].events.iter().any(noted));
}

/// Decides MF-22. A host that says one thing to each guest and writes another into the roster.
#[test]
fn a_roster_of_another_program_is_refused() {
    for (what, kind) in [("manifest", Kind::Agreement), ("kind", Kind::RosterRefused)] {
        let mut table = Table::with_host(2, program(1));
        table.join(running(2, program(1)));
        let (from, to, join) = table.mail.pop_front().unwrap();
        table.deliver(from, &to, join);
        let at = table.mail.iter().position(|(_, _, message)| message.type_ == types::ROOM_ROSTER).unwrap();
        let (from, to, mut message) = table.mail.remove(at).unwrap();
        let sent = RosterMessage::try_from(&message).unwrap();
        let mut body: roster::RosterBody = serde_json::from_slice(&sent.roster).unwrap();
        match what {
            "manifest" => body.manifest = Some(program(2)),
            _ => body.parties[1].program = ProgramKind::ByHand,
        }
        let forged = Roster::write(body, &lookup::Documents::new()).unwrap();
        let signature = forged.sign(&table.seats[0].room.member.identity).to_vec();
        let sent = RosterMessage { roster: forged.bytes().to_vec(), signature, credentials: Vec::new() };
        message.body = serde_json::to_value(sent).unwrap();
        table.deliver(from, &to, message);
        assert_eq!(table.seats[1].failed.as_ref().unwrap().kind, kind, "{what}");
        assert!(table.seats[1].ready.is_none());
    }
}

/// Decides MF-01, MF-13.
#[test]
fn programs_that_cannot_be_compared_need_everybodys_word() {
    let unknown = |allow_unknown| Manifest { allow_unknown, ..Manifest::unknown("vote".to_owned()) };
    for (host, guest, starts) in [(true, true, true), (true, false, false), (false, true, false)] {
        let mut table = Table::with_host(2, unknown(host));
        table.join(running(2, unknown(guest)));
        table.carry();
        table.connect();
        table.carry();
        assert_eq!(table.seats[0].ready.is_some(), starts);
        assert_eq!(table.seats[1].failed.is_some(), !starts);
    }
    assert_eq!(unknown(true).program, ProgramFile { name: "vote".to_owned(), sha256: None });
}

/// Decides MF-05.
#[test]
fn a_manifest_that_cannot_be_read_gives_no_seat() {
    let mut table = Table::with_host(2, program(1));
    table.join(running(2, program(1)));
    let (from, to, mut message) = table.mail.pop_front().unwrap();
    message.body["manifest"] = json!({"v": 1, "program": "vote.py"});
    table.deliver(from, &to, message);
    table.carry();
    assert_eq!(table.seats[1].failed.as_ref().unwrap().kind, Kind::RoomRefused);
    assert_eq!(table.seats[0].room.missing(), 1);
}
