//! What a program sees: one JSON object a line on stdout, `{"v":1,"type":"..."}`.

use didagent_bridge::manifest::Difference;
use didagent_didcomm::credential::Claims;
use serde_json::{Value, json};

use crate::core::contacts::Acquaintance;
use crate::core::party_list::{Listed, PartyList};
use crate::core::room::roster::{Party, Roster};
pub(super) use crate::core::status::milliseconds;
use crate::core::status::{WHY_RELAY, host_of};
use crate::failure::Failure;
use crate::io::stdout;
use crate::report::{PathReport, Report, Reporter, RoomFacts, RunExited, StreamBytes};

/// Writes reports as lines of JSON.
#[derive(Debug)]
pub(super) struct JsonLines;

impl JsonLines {
    pub(super) fn new() -> Self {
        Self
    }
}

impl Reporter for JsonLines {
    fn report(&mut self, report: &Report) {
        match event(report) {
            Value::Null => {}
            event => write_line(&event),
        }
    }
}

/// Writes one event.
pub(super) fn write_line(event: &Value) {
    stdout::write_line(event.to_string());
}

fn event(report: &Report) -> Value {
    match report {
        Report::Invitation { link, parties, expires_in, room, .. } => json!({
            "v": 1,
            "type": "room.invitation",
            "room_name": room.name,
            "link": link,
            "parties": parties,
            "expires_in_seconds": expires_in,
        }),
        Report::OneUse { name, identity, again } => json!({
            "v": 1,
            "type": "identity.one-use",
            "name": name,
            "identity": identity,
            "again": again,
        }),
        Report::Posted { id, title, mediator } => {
            json!({"v": 1, "type": "lobby.posted", "id": id, "title": title, "mediator": mediator})
        }
        Report::Listed { list, ours, wait, room } => listed(list, *ours, *wait, room),
        Report::Joining { room } => json!({"v": 1, "type": "room.joining", "room_name": room.name}),
        Report::Joined { index, name, identity, acquaintance, missing } => json!({
            "v": 1,
            "type": "party.joined",
            "index": index,
            "name": name,
            "identity": identity,
            "acquaintance": word(*acquaintance),
            "missing": missing,
        }),
        Report::Asks { name, identity, acquaintance, waiting } => json!({
            "v": 1,
            "type": "party.asks",
            "name": name,
            "identity": identity,
            "acquaintance": word(*acquaintance),
            "waiting": waiting,
        }),
        Report::Withdrew { name, identity } => {
            json!({"v": 1, "type": "party.withdrew", "name": name, "identity": identity})
        }
        Report::Pending { identity } => json!({"v": 1, "type": "room.pending", "identity": identity}),
        // Nobody is asked at a terminal where events are read.
        Report::Decide { .. } => Value::Null,
        Report::Resumed { guests } => {
            let guest = |(index, (name, identity, acquaintance)): (
                usize,
                &(String, String, Acquaintance),
            )| {
                json!({"index": index, "name": name, "identity": identity, "acquaintance": word(*acquaintance)})
            };
            let guests: Vec<_> = (1..).zip(guests).map(guest).collect();
            json!({"v": 1, "type": "room.resumed", "guests": guests})
        }
        Report::HostAway { patience } => {
            json!({"v": 1, "type": "host.away", "patience_seconds": patience.as_secs()})
        }
        Report::HostBack => json!({"v": 1, "type": "host.back"}),
        Report::Refused { name, identity, why } => json!({
            "v": 1,
            "type": "party.refused",
            "name": name,
            "identity": identity,
            "reason": why,
        }),
        Report::Left { name } => json!({"v": 1, "type": "party.left", "name": name}),
        Report::Seats { seats, names, differs } => {
            let differs: Vec<_> =
                differs.iter().map(|(index, items)| json!({"index": index, "items": items})).collect();
            json!({"v": 1, "type": "room.seats", "seats": seats, "names": names, "differs": differs})
        }
        Report::Differs { index, name, differences } => {
            let item = |one: &Difference| json!({"item": one.item, "ours": one.ours, "theirs": one.theirs});
            let items: Vec<_> = differences.iter().map(item).collect();
            json!({"v": 1, "type": "party.differs", "index": index, "name": name, "items": items})
        }
        Report::Fits { index, name } => json!({"v": 1, "type": "party.fits", "index": index, "name": name}),
        Report::Note { name, text } => json!({"v": 1, "type": "party.note", "name": name, "text": text}),
        Report::Message { from, did, text } => json!({
            "v": 1,
            "type": "message.received",
            "from": from,
            "did": did,
            "text": text,
        }),
        Report::MediatorLost { why, retry } => {
            json!({"v": 1, "type": "mediator.lost", "message": why, "retry_seconds": retry.as_secs()})
        }
        Report::MediatorBack { .. } => json!({"v": 1, "type": "mediator.back"}),
        Report::Missing { index, name, silence } => json!({
            "v": 1,
            "type": "peer.missing",
            "index": index,
            "name": name,
            "last_contact_ms": milliseconds(*silence),
        }),
        Report::Back { index, name, after } => {
            json!({"v": 1, "type": "peer.back", "index": index, "name": name, "after_ms": milliseconds(*after)})
        }
        Report::Undelivered { index, name, streams } => undelivered(*index, name, streams),
        Report::Path { index, name, identity, via, rtt, up } => json!({
            "v": 1,
            "type": "peer.path",
            "index": index,
            "name": name,
            "identity": identity,
            "path": if *up { "relay" } else { "lost" },
            "via": via,
            "why": WHY_RELAY,
            "rtt_ms": rtt.map(milliseconds),
        }),
        Report::Ready { roster, ours, paths, acquaintances, petnames, words, forming } => {
            let body = roster.body();
            json!({
                "v": 1,
                "type": "room.ready",
                "room": body.room,
                "round": body.round,
                "index": ours,
                "relay": host_of(&body.relay),
                "threshold": body.threshold,
                "privacy": super::screen::privacy(body.m, body.threshold),
                "parties": parties(roster, *ours, paths, acquaintances, petnames),
                "manifest": body.manifest,
                "words": words,
                "forming_ms": milliseconds(*forming),
            })
        }
        Report::Waiting(waiting) => json!({"v": 1, "type": "room.waiting", "waiting": waiting}),
        Report::Confirming { words, waiting, asked } => {
            let waiting: Vec<_> =
                waiting.iter().map(|(index, name)| json!({"index": index, "name": name})).collect();
            json!({
                "v": 1,
                "type": "room.confirming",
                "words": words,
                "waiting": waiting,
                "asked": asked.is_some(),
                "within_seconds": asked.map(|within| within.as_secs()),
            })
        }
        Report::Confirmed { index, name } => {
            json!({"v": 1, "type": "party.confirmed", "index": index, "name": name})
        }
        Report::Ports { arguments, launcher } => {
            let launcher = launcher.as_ref().map(|path| path.to_string_lossy());
            json!({"v": 1, "type": "run.ports", "arguments": arguments, "launcher": launcher})
        }
        Report::RunStarted => json!({"v": 1, "type": "run.started"}),
        Report::RunOutput { line } => json!({"v": 1, "type": "run.output", "stream": "stdout", "line": line}),
        Report::RunStopping => json!({"v": 1, "type": "run.stopping"}),
        Report::RunIdle => json!({"v": 1, "type": "run.idle"}),
        Report::Transcript { path } => {
            json!({"v": 1, "type": "run.transcript", "path": path.to_string_lossy()})
        }
        Report::RunExited(exited) => run_exited(exited),
        Report::Warning(text) => json!({"v": 1, "type": "warning", "message": text}),
        Report::Failed(failure) => error(failure),
    }
}

fn listed(list: &PartyList, ours: usize, wait: u64, room: &RoomFacts) -> Value {
    let party =
        |(index, party): (usize, &Listed)| json!({"index": index, "identity": party.did, "name": party.name});
    let parties: Vec<_> = list.parties().iter().enumerate().map(party).collect();
    json!({
        "v": 1,
        "type": "room.listed",
        "list": list.id(),
        "name": list.name(),
        "room_name": room.name,
        "index": ours,
        "parties": parties,
        "wait_seconds": wait,
    })
}

fn parties(
    roster: &Roster,
    ours: usize,
    paths: &[Option<PathReport>],
    acquaintances: &[Option<Acquaintance>],
    petnames: &[Option<String>],
) -> Vec<Value> {
    let party = |entry: &Party| {
        let path = if entry.index == ours { "self" } else { "relay" };
        let rtt = paths.get(entry.index).copied().flatten().and_then(|path| path.rtt).map(milliseconds);
        let acquaintance = acquaintances.get(entry.index).copied().flatten().map(word);
        json!({
            "index": entry.index,
            "name": entry.name,
            "identity": entry.identity,
            "acquaintance": acquaintance,
            "path": path,
            "rtt_ms": rtt,
            "program": entry.program,
            "petname": petnames.get(entry.index).and_then(Option::as_ref),
            "credential": roster.claims(entry.index).map(credential),
        })
    };
    roster.body().parties.iter().map(party).collect()
}

/// What an authority says of a party.
pub(super) fn credential(claims: Claims) -> Value {
    json!({"issuer": claims.issuer, "role": claims.role, "valid_until": claims.valid_until})
}

fn word(acquaintance: Acquaintance) -> &'static str {
    match acquaintance {
        Acquaintance::Known => "known",
        Acquaintance::New => "new",
        Acquaintance::NameOfAnother => "name-of-another",
    }
}

fn undelivered(index: usize, name: &str, streams: &[StreamBytes]) -> Value {
    let stream = |bytes: &StreamBytes| {
        json!({
            "stream": bytes.stream,
            "acknowledged": bytes.acknowledged,
            "unacknowledged": bytes.unacknowledged,
            "unsent": bytes.unsent,
        })
    };
    let streams: Vec<_> = streams.iter().map(stream).collect();
    json!({"v": 1, "type": "peer.undelivered", "index": index, "name": name, "streams": streams})
}

fn run_exited(exited: &RunExited) -> Value {
    json!({
        "v": 1,
        "type": "run.exited",
        "code": exited.code,
        "program": exited.program,
        "reason": exited.reason.as_ref().map(|failure| json!({"code": failure.kind.code(), "message": failure.message})),
        "elapsed_ms": milliseconds(exited.elapsed),
        "bytes_up": exited.bytes_up,
        "bytes_down": exited.bytes_down,
    })
}

/// Returns the event of a failure.
pub(super) fn error(failure: &Failure) -> Value {
    json!({
        "v": 1,
        "type": "error",
        "code": failure.kind.code(),
        "exit": failure.kind.exit(),
        "message": failure.message,
        "hint": failure.hint,
    })
}
