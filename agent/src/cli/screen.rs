//! What a person sees: text on stderr, and on stdout only what another program may want.

use std::io::Write as _;
use std::time::Duration;

use didagent_bridge::manifest::{Manifest, ProgramKind, short_digest};
use didagent_didcomm::credential::Claims;
use didagent_didcomm::showable;

use super::qr;
use crate::core::clock::{duration, until};
use crate::core::contacts::Acquaintance;
use crate::core::party_list::PartyList;
use crate::core::room::ThresholdRule;
use crate::core::room::roster::{Roster, RosterBody};
use crate::core::status::{WHY_RELAY, host_of};
use crate::core::who::short;
use crate::io;
use crate::report::{PathReport, Report, Reporter, RoomFacts, RunExited, StreamBytes};

/// Characters of a text that somebody wrote which are shown: it takes a quarter of a screen.
const MESSAGE: usize = 500;

/// Shown wherever the threshold is 0.
pub(super) const NO_PRIVACY: &str = "each party alone can open all inputs";

/// Shows reports to a person.
#[derive(Debug, Default)]
pub(super) struct Screen {
    seats: Option<usize>,
    /// The link is shown as a QR code at once.
    qr: bool,
    /// A person can type an answer here.
    asks: bool,
    /// Our own name.
    name: String,
    /// The room's link, at a host.
    link: Option<String>,
    /// What a guest is told of the room once it knows how many take part.
    threshold: Option<ThresholdRule>,
}

impl Screen {
    /// For a party with this `name`; `qr` if the link is shown as a QR code at once, `asks` if a person can type here.
    pub(super) fn new(name: String, qr: bool, asks: bool) -> Self {
        Self { name, qr, asks, ..Self::default() }
    }

    fn invitation(
        &mut self,
        link: &str,
        (parties, missing): (usize, usize),
        expires_in: u64,
        room: &RoomFacts,
    ) {
        let is_first = self.link.replace(link.to_owned()).is_none();
        self.seats = Some(parties);
        eprintln!("  {} · {}", title(room), privacy(parties, room.threshold.among(parties)));
        rules(room).iter().for_each(|line| eprintln!("  {line}"));
        let code = if self.asks && !self.qr { "   (as a QR code: q and Enter)" } else { "" };
        eprintln!("  paste this in your chat:{code}");
        // The bare link is this command's data.
        if let Err(error) = writeln!(std::io::stdout(), "{link}")
            && error.kind() != std::io::ErrorKind::BrokenPipe
        {
            eprintln!("  warning: stdout cannot be written ({error}), so here is the link:\n{link}");
        }
        if self.qr && is_first {
            self.show_code();
        }
        eprintln!("  party 0  {}  you", self.name);
        let ends = room.expires.map(|end| until(end, io::unix_now())).unwrap_or_default();
        eprintln!("  waiting for {missing} more ... the link works until {ends} ({})", duration(expires_in));
    }
}

impl Screen {
    /// Says whose word is missing, and asks our person for its own.
    fn confirming(&self, waiting: &[(usize, String)], asked: Option<Duration>) {
        match asked {
            None => {
                let names: Vec<_> = waiting.iter().map(|(_, name)| name.as_str()).collect();
                eprintln!(
                    "  waiting for {} to confirm the words; nothing starts before ...",
                    names.join(", ")
                );
            }
            Some(within) => {
                let within = duration(within.as_secs());
                eprintln!(
                    "  do all the others see these four words? nothing starts before your answer, within {within}"
                );
                match self.asks {
                    true => eprintln!("  y and Enter if they do; n and Enter ends the room for everybody"),
                    false => eprintln!(
                        "  didagent room confirm    (from another terminal; --no ends the room for everybody)"
                    ),
                }
            }
        }
    }
}

impl Reporter for Screen {
    fn show_code(&mut self) {
        match self.link.as_deref().map(qr::lines) {
            Some(Some(lines)) => lines.iter().for_each(|line| eprintln!("{line}")),
            Some(None) => eprintln!("  note: this link is too long for a QR code"),
            None => {}
        }
    }

    fn report(&mut self, report: &Report) {
        match report {
            Report::Invitation { link, parties, missing, expires_in, room } => {
                self.invitation(link, (*parties, *missing), *expires_in, room);
            }
            Report::Joining { room } => {
                self.threshold = Some(room.threshold);
                let ends = room.expires.map(|end| until(end, io::unix_now()));
                let ends = ends.map(|ends| format!(" · the link works until {ends}")).unwrap_or_default();
                eprintln!("  {}{ends}", title(room));
                rules(room).iter().for_each(|line| eprintln!("  {line}"));
                eprintln!("  asking the host for a seat ...");
            }
            Report::Listed { list, ours, wait, room } => {
                self.seats = (*ours == 0).then_some(list.parties().len());
                listed(list, *ours, *wait, room).iter().for_each(|line| eprintln!("{line}"));
            }
            Report::OneUse { name, identity, again } => {
                self.name.clone_from(name);
                let which = if *again { "the DID of before" } else { "a DID that is made for it" };
                eprintln!("  this room sees you as {name}, under {which}: {}", short(identity));
            }
            Report::Posted { id, title, mediator } => {
                eprintln!("  in the lobby of {mediator} as {id}: {title}");
            }
            Report::Joined { index, name, identity, acquaintance, missing } => {
                let rest = match missing {
                    0 => "every seat is taken".to_owned(),
                    missing => format!("waiting for {missing} more ..."),
                };
                let (id, known) = (short(identity), known(*acquaintance));
                eprintln!("  party {index}  {name}  {id} ({known})  joined; {rest}");
            }
            Report::Asks { name, identity, acquaintance, .. } => {
                let (id, known) = (short(identity), known(*acquaintance));
                eprintln!("  {name}  {id} ({known})  asks for a seat: didagent room approve {id}, or refuse");
            }
            Report::Decide { name, identity } => {
                eprint!("  let {name} {} in? y or n, Enter decides later: ", short(identity));
            }
            Report::Withdrew { name, identity } => {
                eprintln!("  {name}  {}  asks for a seat no more", short(identity));
            }
            Report::Pending { identity } => {
                eprintln!(
                    "  the host decides who gets a seat; waiting. To be recognised, tell the host in the chat:"
                );
                eprintln!("  {identity}");
            }
            Report::Resumed { guests } => {
                eprintln!(
                    "  the room goes on; asking those who have a seat whether they are still there ..."
                );
                for (index, (name, identity, acquaintance)) in (1..).zip(guests) {
                    eprintln!("  party {index}  {name}  {} ({})", short(identity), known(*acquaintance));
                }
            }
            Report::HostAway { patience } => eprintln!(
                "  nothing is heard of the host; it is waited for, up to {} ...",
                duration(patience.as_secs())
            ),
            Report::HostBack => eprintln!("  the host is back"),
            Report::Refused { name, identity, why } => {
                eprintln!("  {}  {}  got no seat: {why}", showable(name, 40), short(identity));
            }
            Report::Left { name } => eprintln!("  {name} left"),
            Report::Seats { seats, names, differs } => {
                if let Some(rule) = self.threshold.take() {
                    eprintln!("  {}", privacy(*seats, rule.among(*seats)));
                }
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
                let confirms = roster.body().parties.iter().any(|party| party.confirm);
                // Those whom this home has met before are who they were then.
                if confirms || acquaintances.iter().flatten().any(|one| *one != Acquaintance::Known) {
                    eprintln!("  compare in your chat: {}", words.join(" "));
                }
            }
            Report::Waiting(waiting) => {
                for one in waiting {
                    eprintln!("  {} {}; waiting for it ...", one.name, one.why.sentence());
                }
            }
            Report::Confirming { waiting, asked, .. } => self.confirming(waiting, *asked),
            Report::Confirmed { name, .. } => eprintln!("  {name} says that the words are the same"),
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

/// Names a room and what runs in it.
fn title(room: &RoomFacts) -> String {
    let program = room.program.as_deref().map_or("started by hand".to_owned(), |name| showable(name, 60));
    let mpyc = room.mpyc.as_deref().map(|version| format!(" · MPyC {}", showable(version, 20)));
    format!("Room {} · {program}{}", room.name, mpyc.unwrap_or_default())
}

/// Says what people must know before they take part: what leaves this machine, and what is asked of everybody.
fn rules(room: &RoomFacts) -> Vec<String> {
    let arguments = room.arguments.as_ref().filter(|words| !words.is_empty());
    let arguments = arguments
        .map(|words| format!("arguments are told to everybody: {}", showable(&words.join(" "), 200)));
    let issuers: Vec<_> = room.issuers.iter().map(|issuer| showable(issuer, 120)).collect();
    let vouched =
        (!issuers.is_empty()).then(|| format!("everybody shows a credential of {}", issuers.join(" or ")));
    arguments.into_iter().chain(vouched).collect()
}

/// Says who takes part in a room of known parties, and who is waited for.
fn listed(list: &PartyList, ours: usize, wait: u64, room: &RoomFacts) -> Vec<String> {
    let m = list.parties().len();
    let mut lines = vec![format!("  {} · {}", title(room), privacy(m, room.threshold.among(m)))];
    let party = |index: usize| {
        let who = if index == ours { "you".to_owned() } else { list.called(index) };
        format!("  party {index}  {who}{}", if index == 0 { "  host" } else { "" })
    };
    lines.extend(rules(room).into_iter().map(|line| format!("  {line}")));
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
    let python = body.manifest.as_ref().filter(|manifest| manifest.kind() == ProgramKind::Python);
    let mpyc = python.and_then(|manifest| manifest.mpyc.as_ref());
    let mpyc = mpyc.map(|mpyc| showable(&mpyc.version, 20)).unwrap_or_default();
    let first = body.parties.iter().position(|party| party.program == ProgramKind::Python);
    let mut rows =
        vec![["party", "name", "identity", "path", "RTT", "program", "MPyC", ""].map(str::to_owned)];
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
        // Who is compared runs what the host does, so the digest of the first is that of all.
        let digest = python.filter(|_| first == Some(party.index));
        let digest = digest.map(|manifest| short_digest(manifest.program.sha256.as_deref()));
        let program = match party.program {
            ProgramKind::Python => format!("ok {}", digest.unwrap_or_default()).trim_end().to_owned(),
            ProgramKind::Other => "not comparable".to_owned(),
            ProgramKind::ByHand => "by hand".to_owned(),
        };
        let mpyc = if party.program == ProgramKind::Python { mpyc.clone() } else { String::new() };
        rows.push([
            party.index.to_string(),
            party.name.clone(),
            short(&party.identity),
            path.to_owned(),
            // As wide on every screen.
            format!("{rtt:<8}"),
            program,
            mpyc,
            acquaintance,
        ]);
    }
    let mut lines = columns(&rows);
    lines.push(format!("relay: {} ({WHY_RELAY})", host_of(&body.relay)));
    if let Some(manifest) = python {
        lines.push(format!(
            "program: {}; arguments: {}",
            showable(&manifest.program.name, 60),
            arguments(manifest)
        ));
    }
    lines.extend(
        credentials(body, |index| roster.claims(index)).into_iter().map(|line| line.trim_start().to_owned()),
    );
    lines.push(privacy(body.m, body.threshold));
    lines.into_iter().map(|line| format!("  {line}")).collect()
}

/// Lays out rows of cells below each other.
pub(super) fn columns<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..N).map(width).collect();
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// Says what is known of the arguments that all give to the program.
fn arguments(manifest: &Manifest) -> String {
    match &manifest.arguments {
        None => "not compared".to_owned(),
        Some(words) if words.is_empty() => "none".to_owned(),
        Some(words) => showable(&words.join(" "), 200),
    }
}

/// Says who vouches for the parties, if somebody must.
pub(super) fn credentials(body: &RosterBody, claims: impl Fn(usize) -> Option<Claims>) -> Vec<String> {
    let said = body.parties.iter().filter_map(|party| Some((party, claims(party.index)?)));
    said.map(|(party, claims)| {
        let role = claims.role.map(|role| format!(" as {}", showable(&role, 60))).unwrap_or_default();
        format!("  {} vouches for {}{role}", showable(&claims.issuer, 120), party.name)
    })
    .collect()
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
        let arguments = arguments(manifest);
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
