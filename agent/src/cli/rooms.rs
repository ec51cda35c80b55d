//! `didagent room ls`: the rooms of a home: the one that is open, one that can go on, and what runs left.
//!
//! Schema of the document: `spec/schemas/rooms.schema.json`. Transcripts are checked as `didagent verify` checks them, offline. Not its
//! concern: what is in them (`core::transcript`), what is kept of a room (`core::room::kept`).

use std::path::{Path, PathBuf};

use didagent_bridge::manifest::ProgramKind;
use didagent_didcomm::showable;
use serde_json::{Value, json};

use super::status::{duration, phase};
use crate::core::clock::utc;
use crate::core::room::kept::KeptRoom;
use crate::core::status::{Role, Status};
use crate::core::transcript::{Statement, Transcript};
use crate::failure::{Failure, Kind};
use crate::io::home::Home;
use crate::io::{engine, local_api, transcripts, unix_now};

/// Longest name of a program that is shown, in characters.
const PROGRAM: usize = 60;

/// All rooms of a home.
struct Rooms {
    open: Option<Status>,
    kept: Option<KeptRoom>,
    /// Newest first.
    past: Vec<(PathBuf, Result<Transcript, String>)>,
}

/// Lists them, and returns what is printed.
///
/// # Errors
/// [`Kind::HomeUnusable`] when the folder of transcripts cannot be read.
pub(super) async fn run(home: &Home, json: bool) -> Result<String, Failure> {
    let open = match local_api::status(home, false).await {
        Ok(status) => Some(status),
        Err(failure) if failure.kind == Kind::NoEngine => None,
        Err(failure) => return Err(failure),
    };
    let is_open = |kept: &KeptRoom| {
        let room = open.as_ref().and_then(|status| status.room.as_ref());
        room.is_some_and(|room| room.id == kept.invitation.room())
    };
    // One that is damaged says so to whoever wants to go on with it.
    let kept = engine::kept_room(home).ok().filter(|kept| !is_open(kept));
    let past = transcripts::list(home)?.into_iter().map(|path| {
        let read = read(&path);
        (path, read)
    });
    let rooms = Rooms { open, kept, past: past.collect() };
    Ok(if json { document(&rooms).to_string() } else { lines(&rooms).join("\n") })
}

fn read(path: &Path) -> Result<Transcript, String> {
    let bytes = transcripts::read(path).map_err(|failure| failure.message)?;
    Transcript::read(&bytes).map_err(|error| error.to_string())
}

fn lines(Rooms { open, kept, past }: &Rooms) -> Vec<String> {
    let mut lines = Vec::new();
    let now = unix_now();
    let ends = |at: Option<u64>| match at {
        Some(end) => format!("the link ends in {}", duration(end.saturating_sub(now))),
        None => "the link does not end".to_owned(),
    };
    if let Some(status) = open {
        let names: Vec<_> = status.parties.iter().map(|party| party.name.as_str()).collect();
        let ends = status.room.as_ref().map(|room| format!("; {}", ends(room.link_expires)));
        lines.push(format!("open       {}: {}{}", phase(status), names.join(", "), ends.unwrap_or_default()));
    }
    if let Some(kept) = kept {
        let names = kept.lobby.guests.iter().map(|guest| showable(&guest.party.name, PROGRAM));
        let names: Vec<_> = std::iter::once(kept.name.clone()).chain(names).collect();
        let (seats, ends) = (kept.lobby.seats, ends(kept.invitation.expires()));
        lines.push(format!(
            "can go on  {seats} seats: {}; {ends}; didagent invite --resume -- CMD",
            names.join(", ")
        ));
    }
    lines.extend(past.iter().map(|(path, read)| match read {
        Ok(transcript) => past_line(transcript),
        Err(why) => format!("{}: {}", path.display(), showable(why, 200)),
    }));
    if lines.is_empty() {
        lines.push("this home has had no room yet".to_owned());
    }
    lines
}

fn past_line(transcript: &Transcript) -> String {
    let Statement { index, began, ended, exit, reason, .. } = transcript.statement();
    let others = transcript.roster().body().parties.iter().filter(|party| party.index != *index);
    let others: Vec<_> = others.map(|party| party.name.as_str()).collect();
    let seconds = duration(ended.saturating_sub(*began));
    let how = match (exit, reason) {
        (0, None) => format!("done in {seconds}"),
        (exit, None) => format!("exit code {exit} after {seconds}"),
        (exit, Some(reason)) => format!("exit code {exit} after {seconds}, {reason}"),
    };
    let program =
        program(transcript).unwrap_or_else(|| "a program started by hand, or not compared".to_owned());
    format!("{}  {program} with {}: {how}", utc(*began), others.join(", "))
}

fn program(transcript: &Transcript) -> Option<String> {
    let manifest = transcript.roster().body().manifest.as_ref()?;
    (manifest.kind() == ProgramKind::Python).then(|| showable(&manifest.program.name, PROGRAM))
}

fn document(Rooms { open, kept, past }: &Rooms) -> Value {
    let open = open.as_ref().map(|status| {
        let room = status.room.as_ref();
        json!({
            "room": room.map(|room| &room.id),
            "role": if status.role == Role::Host { "host" } else { "guest" },
            "phase": status.phase,
            "seats": room.and_then(|room| room.seats),
            "missing": room.and_then(|room| room.missing),
            "names": status.parties.iter().map(|party| &party.name).collect::<Vec<_>>(),
            "link_expires": room.and_then(|room| room.link_expires),
        })
    });
    let kept = kept.as_ref().map(|kept| {
        json!({
            "room": kept.invitation.room(),
            "seats": kept.lobby.seats,
            "guests": kept.lobby.guests.iter().map(|guest| &guest.party.name).collect::<Vec<_>>(),
            "link_expires": kept.invitation.expires(),
        })
    });
    let past: Vec<_> = past.iter().map(|(path, read)| past_document(path, read)).collect();
    json!({"v": 1, "open": open, "resumable": kept, "past": past})
}

fn past_document(path: &Path, read: &Result<Transcript, String>) -> Value {
    let path = path.to_string_lossy();
    let transcript = match read {
        Ok(transcript) => transcript,
        Err(why) => return json!({"transcript": path, "holds": false, "message": why}),
    };
    let Statement { index, began, ended, exit, program: own, reason, .. } = transcript.statement();
    let body = transcript.roster().body();
    let party = |party: &crate::core::room::roster::Party| json!({"index": party.index, "name": party.name, "identity": party.identity});
    json!({
        "transcript": path,
        "holds": true,
        "room": body.room,
        "index": index,
        "parties": body.parties.iter().map(party).collect::<Vec<_>>(),
        "program": program(transcript),
        "began": began,
        "ended": ended,
        "exit": exit,
        "program_exit": own,
        "reason": reason,
    })
}
