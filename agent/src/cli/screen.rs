//! What a person sees: text on stderr, and on stdout only what another program may want.

use std::io::Write as _;

use didagent_bridge::manifest::{ProgramKind, short_digest};
use didagent_didcomm::showable;

use super::qr;
use crate::core::clock::duration;
use crate::core::contacts::Acquaintance;
use crate::core::party_list::PartyList;
use crate::core::room::roster::Roster;
use crate::core::status::{WHY_RELAY, host_of};
use crate::core::who::short;
use crate::report::{PathReport, Report, Reporter, RunExited, StreamBytes};

/// Characters of a text that somebody wrote which are shown: it takes a quarter of a screen.
const MESSAGE: usize = 500;

/// Shown wherever the threshold is 0.
pub(super) const NO_PRIVACY: &str = "each party alone can open all inputs";

/// Shows reports to a person.
#[derive(Debug, Default)]
pub(super) struct Screen {
    seats: Option<usize>,
    /// The link is shown as a QR code too.
    qr: bool,
}

impl Screen {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn with_qr() -> Self {
        Self { qr: true, ..Self::default() }
    }
}

impl Reporter for Screen {
    fn report(&mut self, report: &Report) {
        match report {
            Report::Invitation { link, parties, expires_in, command } => {
                self.seats = Some(*parties);
                // The bare link is this command's data.
                if let Err(error) = writeln!(std::io::stdout(), "{link}")
                    && error.kind() != std::io::ErrorKind::BrokenPipe
                {
                    eprintln!("  warning: stdout cannot be written ({error}), so here is the link:\n{link}");
                }
                let what = if command.is_empty() { "no program given".to_owned() } else { command.join(" ") };
                eprintln!("  room for {parties} parties · {what}");
                if *parties == 2 {
                    eprintln!("  note: with 2 parties {NO_PRIVACY}");
                }
                eprintln!("  paste the link above in your chat; it works for {}", duration(*expires_in));
                match self.qr.then(|| qr::lines(link)) {
                    Some(Some(lines)) => lines.iter().for_each(|line| eprintln!("{line}")),
                    Some(None) => eprintln!("  note: this link is too long for a QR code"),
                    None => {}
                }
                eprintln!("  party 0  you");
                eprintln!("  waiting for {} more ...", parties - 1);
            }
            Report::Listed { list, ours, wait, command } => {
                self.seats = (*ours == 0).then_some(list.parties().len());
                listed(list, *ours, *wait, command).iter().for_each(|line| eprintln!("{line}"));
            }
            Report::Joining => eprintln!("  asking the host for a seat ..."),
            Report::Joined { index, name, identity, acquaintance, missing } => {
                let rest = match missing {
                    0 => "all are here".to_owned(),
                    missing => format!("waiting for {missing} more ..."),
                };
                let (id, known) = (short(identity), known(*acquaintance));
                eprintln!("  party {index}  {name}  {id} ({known})  joined; {rest}");
            }
            Report::Left { name } => eprintln!("  {name} left"),
            Report::Seats { seats, names, differs } => {
                let rest = match seats.saturating_sub(names.len()) {
                    0 if differs.is_empty() => "all are here".to_owned(),
                    0 => "every seat is taken".to_owned(),
                    missing => format!("waiting for {missing} more ..."),
                };
                eprintln!("  in the room: {}; {rest}", names.join(", "));
                for (index, items) in differs {
                    let name = names.get(*index).map_or("somebody", String::as_str);
                    eprintln!(
                        "  {name} would run something else than the host: {}; waiting for it ...",
                        items.join(", ")
                    );
                }
            }
            Report::Differs { name, differences, .. } => {
                eprintln!("  {name} would not run the same, so nothing starts:");
                for one in differences {
                    let line = format!("{}: {} here, {} at {name}", one.item, one.ours, one.theirs);
                    eprintln!("    {}", showable(&line, 300));
                }
                eprintln!("    once it is equal, {name} gives its command again: the seat is kept");
            }
            Report::Fits { name, .. } => eprintln!("  {name} would run the same now"),
            Report::Note { name, text } => eprintln!("  note: {name} {}", showable(text, 300)),
            Report::MediatorLost { why, retry } => eprintln!(
                "  lost the connection to the mediator ({}); trying again for {} s ...",
                showable(why, 200),
                retry.as_secs()
            ),
            Report::MediatorBack { in_run: true } => eprintln!("  the mediator is back"),
            Report::MediatorBack { in_run: false } if self.seats.is_some() => {
                eprintln!("  the mediator is back; the link works again");
            }
            Report::MediatorBack { in_run: false } => {
                eprintln!("  the mediator is back; asking the host for the seat again ...")
            }
            Report::Missing { name, silence, .. } => {
                eprintln!("  {name}: last contact {} s ago, reconnecting", silence.as_secs());
            }
            Report::Back { name, after, .. } => {
                eprintln!("  {name}: connected again after {} s, nothing was lost", after.as_secs());
            }
            Report::Undelivered { name, streams, .. } => eprintln!("  {}", undelivered(name, streams)),
            Report::Ready { roster, ours, paths, acquaintances, petnames, words, .. } => {
                for line in table(roster, *ours, paths, acquaintances, petnames) {
                    eprintln!("{line}");
                }
                // Those whom this home has met before are who they were then.
                if acquaintances.iter().flatten().any(|one| *one != Acquaintance::Known) {
                    eprintln!("  compare in your chat: {}", words.join(" "));
                }
            }
            Report::Ports { arguments, launcher: Some(launcher) } => {
                let _ = writeln!(std::io::stdout(), "{}", arguments.join(" "));
                eprintln!("  everybody is ready; start your program in another terminal, for example:");
                eprintln!("  python3 '{}' program.py {}", launcher.display(), arguments.join(" "));
                eprintln!(
                    "  (the launcher keeps MPyC's own port on this machine; without it, MPyC listens on all addresses)"
                );
                eprintln!("  Ctrl-C here when it is done");
            }
            // The table has the paths that work, and a party that is lost is named with the reason.
            Report::Ports { launcher: None, .. } | Report::RunStarted | Report::Path { .. } => {}
            Report::RunOutput { line } => drop(writeln!(std::io::stdout(), "{line}")),
            Report::RunStopping => eprintln!("  stopping the program; Ctrl-C again leaves at once ..."),
            Report::RunIdle => eprintln!("  MPyC has finished; Ctrl-C to leave"),
            Report::Transcript { path } => eprintln!("  transcript: {}", path.display()),
            Report::RunExited(exited) => {
                for line in ending(exited) {
                    eprintln!("{line}");
                }
            }
            Report::Message { from, text, .. } => match from {
                Some(from) => {
                    eprintln!("  message from {}: {}", showable(from, 100), showable(text, MESSAGE))
                }
                None => eprintln!("  message from somebody unknown: {}", showable(text, MESSAGE)),
            },
            Report::Warning(text) => eprintln!("warning: {}", showable(text, 2000)),
            Report::Failed(failure) => eprintln!("{}", failure.screen()),
        }
    }
}

/// Says who takes part in a room of known parties, and who is waited for.
fn listed(list: &PartyList, ours: usize, wait: u64, command: &[String]) -> Vec<String> {
    let m = list.parties().len();
    let name = if list.name().is_empty() { "room".to_owned() } else { format!("room {}", list.name()) };
    let what = if command.is_empty() { "no program given".to_owned() } else { command.join(" ") };
    let mut lines = vec![format!("  {name} of {m} known parties · {what}")];
    let party = |index: usize| {
        let who = if index == ours { "you".to_owned() } else { list.called(index) };
        format!("  party {index}  {who}{}", if index == 0 { "  host" } else { "" })
    };
    lines.extend((0..m).map(party));
    let whom = if ours == 0 { "the others".to_owned() } else { list.called(0) };
    lines.push(format!("  waiting for {whom}, for at most {} ...", duration(wait)));
    lines
}

/// Lays out the party table.
fn table(
    roster: &Roster,
    ours: usize,
    paths: &[Option<PathReport>],
    acquaintances: &[Option<Acquaintance>],
    petnames: &[Option<String>],
) -> Vec<String> {
    let body = roster.body();
    let width = body.parties.iter().map(|party| party.name.chars().count()).max().unwrap_or(4).max(4);
    let mut lines = vec![format!("  party  {:width$}  identity    path   RTT", "name")];
    for party in &body.parties {
        let (path, rtt) = match paths.get(party.index).copied().flatten() {
            _ if party.index == ours => ("you", String::new()),
            Some(PathReport { rtt: Some(rtt) }) => ("relay", format!("{:.1} ms", rtt.as_secs_f64() * 1000.0)),
            _ => ("relay", "?".to_owned()),
        };
        let acquaintance = acquaintances.get(party.index).copied().flatten().map(known).unwrap_or_default();
        let acquaintance = match petnames.get(party.index) {
            Some(Some(petname)) => format!("{acquaintance} as {}", showable(petname, 40)),
            _ => acquaintance.to_owned(),
        };
        let id = short(&party.identity);
        lines.push(format!(
            "  {:<5}  {:width$}  {id}  {path:<5}  {rtt:<7}  {acquaintance}",
            party.index, party.name
        ));
    }
    lines.push(format!("  relay: {} ({WHY_RELAY})", host_of(&body.relay)));
    lines.extend(program(roster));
    lines.push(format!("  {}", privacy(body.m, body.threshold)));
    lines.into_iter().map(|line| line.trim_end().to_owned()).collect()
}

/// Says what everybody agreed to run, and what could not be compared.
pub(super) fn program(roster: &Roster) -> Vec<String> {
    let body = roster.body();
    let named = |kind| {
        let parties = body.parties.iter().filter(|party| party.program == kind);
        parties.map(|party| party.name.clone()).collect::<Vec<_>>().join(", ")
    };
    let mut lines = Vec::new();
    if let Some(manifest) = body.manifest.as_ref().filter(|manifest| manifest.kind() == ProgramKind::Python) {
        let name = showable(&manifest.program.name, 60);
        let digest = short_digest(manifest.program.sha256.as_deref());
        let mpyc = manifest.mpyc.as_ref().map(|mpyc| showable(&mpyc.version, 20)).unwrap_or_default();
        let arguments = match &manifest.arguments {
            None => "not compared".to_owned(),
            Some(words) if words.is_empty() => "none".to_owned(),
            Some(words) => showable(&words.join(" "), 200),
        };
        lines.push(format!("  program: {name} {digest}, MPyC {mpyc}; arguments: {arguments}"));
    }
    for (kind, why) in
        [(ProgramKind::Other, "not comparable"), (ProgramKind::ByHand, "started by hand, not compared")]
    {
        let names = named(kind);
        if !names.is_empty() {
            lines.push(format!("  program of {names}: {why}"));
        }
    }
    lines
}

fn known(acquaintance: Acquaintance) -> &'static str {
    match acquaintance {
        Acquaintance::Known => "known",
        Acquaintance::New => "new to you",
        Acquaintance::NameOfAnother => "NOT the one you know by this name",
    }
}

/// Says what the threshold means for people.
pub(super) fn privacy(m: usize, threshold: usize) -> String {
    match threshold {
        0 => format!("{m} parties, threshold 0: {NO_PRIVACY}"),
        _ => format!(
            "{m} parties, threshold {threshold}: any {} together could open the inputs",
            threshold + 1
        ),
    }
}

fn undelivered(name: &str, streams: &[StreamBytes]) -> String {
    let sum = |of: fn(&StreamBytes) -> u64| streams.iter().map(of).sum::<u64>();
    format!(
        "to {name}: {} bytes acknowledged, {} sent but not acknowledged, {} not sent",
        sum(|bytes| bytes.acknowledged),
        sum(|bytes| bytes.unacknowledged),
        sum(|bytes| bytes.unsent),
    )
}

fn ending(exited: &RunExited) -> Vec<String> {
    let seconds = exited.elapsed.as_secs_f64();
    let traffic = format!("{} bytes out, {} in", exited.bytes_up, exited.bytes_down);
    let mut lines = Vec::new();
    match (exited.program, &exited.reason) {
        (Some(0), None) => lines.push(format!("  done in {seconds:.1} s; {traffic}")),
        (Some(code), None) => {
            lines.push(format!("  the program ended with exit code {code} after {seconds:.1} s"))
        }
        (Some(code), Some(reason)) => {
            lines.push(format!(
                "  the program ended with exit code {code} after {seconds:.1} s; most likely because:"
            ));
            lines.push(reason.screen().to_string());
        }
        (None, Some(reason)) => {
            lines.push(reason.screen().to_string());
            lines.push(format!("  the run was stopped after {seconds:.1} s"));
        }
        (None, None) => lines.push(format!("  everybody is done after {seconds:.1} s; {traffic}")),
    }
    lines
}
