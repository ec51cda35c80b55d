//! `didagent status`: what the engine of this home does, as a table or as one document.

use crate::core::status::{PartyStatus, PathKind, Phase, Role, SessionState, Status};
use crate::core::who::short;
use crate::failure::{Failure, Kind};
use crate::io::home::Home;
use crate::io::local_api;

use super::args::StatusArgs;

/// Asks and lays out.
///
/// # Errors
/// Those of [`local_api::status`].
pub(super) async fn run(home: &Home, args: &StatusArgs) -> Result<String, Failure> {
    let status = local_api::status(home, args.link).await?;
    if args.json {
        return serde_json::to_string(&status).map_err(|error| {
            Failure::new(Kind::Other, format!("the status cannot be written as JSON: {error}"))
        });
    }
    Ok(lines(&status).join("\n"))
}

fn lines(status: &Status) -> Vec<String> {
    let mut lines = vec![phase(status)];
    let ago = |since: u64| duration(status.now.saturating_sub(since));
    if let Some(room) = &status.room {
        let ends = match room.link_expires {
            Some(end) if end > status.now => format!("the link ends in {}", duration(end - status.now)),
            Some(_) => "the link has ended".to_owned(),
            None => "the link does not end".to_owned(),
        };
        let seats = room.seats.map(|seats| format!("{seats} seats, ")).unwrap_or_default();
        lines.push(format!("room      {}  {}  {seats}{ends}", room.name, room.id));
        let waiting = room.waiting.iter().map(|one| format!("waiting   {} {}", one.name, one.why.sentence()));
        lines.extend(waiting);
        if let Some(link) = &room.link {
            lines.push(format!("link      {link}"));
        }
    }
    let connected = if status.mediator.connected { "connected" } else { "not connected" };
    lines.push(format!("mediator  {}  {connected}", status.mediator.host));
    if let Some(program) = &status.program {
        let since = program.since.map_or("not started yet".to_owned(), |since| format!("for {}", ago(since)));
        lines.push(format!("program   {}  {since}", program.command));
    }
    if let Some(ports) = &status.ports {
        lines.push(format!("ports     {}", ports.join(" ")));
    }
    lines.push(format!("home      {}  process {}, for {}", status.home, status.process, ago(status.since)));
    if !status.parties.is_empty() {
        lines.extend(table(&status.parties));
    }
    lines.extend(status.applicants.iter().map(|one| {
        let known = if one.is_known { "known" } else { "new to you" };
        format!("{}  {} ({known})  asks for a seat", one.name, short(&one.identity))
    }));
    let away = status.parties.iter().filter(|party| party.session == Some(SessionState::Reconnecting));
    lines.extend(away.map(|party| {
        let seconds = party.last_contact_ms.unwrap_or(0) / 1000;
        format!("{}: last contact {seconds} s ago, reconnecting", party.name)
    }));
    lines.extend(status.messages.iter().map(|message| {
        let who = message.from.as_deref().unwrap_or("somebody unknown");
        format!("{} ago, {who}: {}", ago(message.at), message.text)
    }));
    let whys = status.parties.iter().filter_map(|party| party.why.as_deref());
    if let Some(why) = whys.take(1).next() {
        lines.push(format!("path: {why}"));
    }
    lines
}

pub(super) fn phase(status: &Status) -> String {
    let role = match status.role {
        Role::Host => "host",
        Role::Guest => "guest",
    };
    let phase = match status.phase {
        Phase::Connecting => "connecting to the mediator".to_owned(),
        Phase::Waiting => match status.room.as_ref().and_then(|room| room.missing) {
            Some(0) => "every seat is taken".to_owned(),
            Some(missing) => format!("waiting for {missing} more"),
            None => "waiting for the host".to_owned(),
        },
        Phase::Forming => "everybody is here; sessions and signatures are under way".to_owned(),
        Phase::Confirming => "everybody is ready; nothing starts before the words are confirmed".to_owned(),
        Phase::Running => "running".to_owned(),
        Phase::Ending => "ending".to_owned(),
    };
    format!("{phase}  ({} as {role})", status.name)
}

fn table(parties: &[PartyStatus]) -> Vec<String> {
    let cells = parties.iter().map(|party| {
        let path = match (party.path, &party.via) {
            (Some(PathKind::Ourselves), _) => "you".to_owned(),
            (Some(PathKind::Relay), Some(via)) => format!("relay via {via}"),
            (Some(PathKind::Relay), None) => "relay".to_owned(),
            (None, _) => "-".to_owned(),
        };
        let number = |value: Option<u64>| value.map_or("-".to_owned(), |value| value.to_string());
        let session = match party.session {
            Some(SessionState::Opening) => "opening",
            Some(SessionState::Up) => "up",
            Some(SessionState::Reconnecting) => "reconnecting",
            Some(SessionState::Ended) => "ended",
            None => "-",
        };
        [
            party.index.to_string(),
            party.name.clone(),
            party.identity.as_deref().map_or("-".to_owned(), short),
            path,
            session.to_owned(),
            party.rtt_ms.map_or("-".to_owned(), |rtt| format!("{rtt:.1} ms")),
            party.last_contact_ms.map_or("-".to_owned(), |ms| format!("{} s ago", ms / 1000)),
            party.streams.map_or("-".to_owned(), |streams| streams.to_string()),
            number(party.bytes_up),
            number(party.bytes_down),
        ]
    });
    let heads = ["party", "name", "identity", "path", "session", "RTT", "heard", "streams", "out", "in"];
    let rows: Vec<[String; 10]> = std::iter::once(heads.map(str::to_owned)).chain(cells).collect();
    super::screen::columns(&rows)
}

pub(super) fn duration(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}
