//! From the paste of the last of three commands to the first byte of MPyC at another party, and where that time goes.
//!
//! ```text
//! mediator, `invite`, `join` stand --> the last `join` is started --> logs of all three, by their time stamps
//! ```
//!
//! Everything runs on this machine and by its one clock. The last guest is new: its home does not exist before.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::failure::{About as _, Failure, Result};
use crate::workshop::Workshop;

/// How many rooms are measured.
pub(super) const RUNS: usize = 30;

/// 95 of 100 rooms must be through within this, in seconds on 2 cores.
pub(super) const SECONDS: f64 = 2.0;

/// What ends each part, as a word of a log line, and whether at the last guest alone or at all parties; the part ends with the last one.
const PARTS: [(&str, &str, bool); 6] = [
    ("start, a look at the program, identity, mailbox", " phase phase=Waiting", true),
    ("seat and roster", " the room is full", false),
    ("handshakes", " a handshake is complete", false),
    ("circuits and their first ping", " session is up", false),
    ("ready, ports", " the ports stand", false),
    ("MPyC's start until its first byte at another party", " event=Connected", false),
];

/// What is logged: the parts above.
const LOG: &str = "didagent=debug";

/// Seconds of a day, for log times that pass midnight.
const DAY: f64 = 86_400.0;

/// All that was measured, in seconds.
#[derive(Debug, Default)]
pub(super) struct FirstByte {
    total: Vec<f64>,
    parts: Vec<Vec<f64>>,
}

impl FirstByte {
    /// Plays the rooms.
    pub(super) fn measure(agent: &Path, workshop: &Workshop) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("didagent-first-{}", std::process::id()));
        fs::create_dir_all(&folder).about(format!("make {}", folder.display()))?;
        let mut measured = Self { parts: vec![Vec::new(); PARTS.len()], ..Self::default() };
        let played =
            (0..RUNS).try_for_each(|run| measured.play(agent, workshop, &folder.join(run.to_string())));
        let removed = fs::remove_dir_all(&folder).about(format!("remove {}", folder.display()));
        played.and(removed).map(|()| measured)
    }

    fn play(&mut self, agent: &Path, workshop: &Workshop, folder: &Path) -> Result {
        fs::create_dir_all(folder).about(format!("make {}", folder.display()))?;
        let mut stage = Stage { agent, workshop, folder, running: Vec::new() };
        let mut mediator = stage.start("mediator", &["mediator", "serve", "--listen", "127.0.0.1:0"])?;
        let link = next(&mut mediator)?;
        let mut alice = stage.take_part("alice", &["invite", "--parties", "3", "--mediator", &link])?;
        let room = until(&mut alice, "room.invitation")?;
        let room = room.get("link").and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut bob = stage.take_part("bob", &["join", &room])?;
        until(&mut alice, "party.joined")?;
        until(&mut bob, "room.seats")?;
        let pasted = SystemTime::now().duration_since(UNIX_EPOCH).about("read the clock")?.as_secs_f64();
        let mut carol = stage.take_part("carol", &["join", &room])?;
        for party in [&mut alice, &mut bob, &mut carol] {
            until(party, "run.exited")?;
        }
        let logs = stage.end()?;
        self.add(&ends(&logs, pasted)?);
        Ok(())
    }

    /// Takes the ends of all parts of one room, in seconds since the paste.
    fn add(&mut self, ends: &[f64]) {
        let mut before = 0.0;
        for (part, end) in self.parts.iter_mut().zip(ends) {
            // What was through before the part in front of it has cost nothing.
            let end = end.max(before);
            part.push(end - before);
            before = end;
        }
        self.total.push(before);
    }

    /// The 95th of 100.
    pub(super) fn p95(&self) -> f64 {
        percentile(&self.total, 95)
    }

    pub(super) fn markdown(&self) -> String {
        let row = |what: &str, values: &[f64]| {
            let of = |percent| percentile(values, percent);
            format!("| {what} | {:.3} s | {:.3} s |\n", of(50), of(95))
        };
        let parts = PARTS.iter().zip(&self.parts).map(|((what, ..), values)| row(what, values));
        let head = "| | p50 | p95 |\n|---|--:|--:|\n".to_owned();
        head + &row("all", &self.total) + &parts.collect::<String>()
    }

    pub(super) fn json(&self) -> Value {
        let of = |values: &[f64]| json!({"p50": percentile(values, 50), "p95": percentile(values, 95)});
        let parts = PARTS.iter().zip(&self.parts);
        let parts = parts.map(|((what, ..), values)| json!({"what": what, "seconds": of(values)}));
        json!({"runs": self.total.len(), "seconds": of(&self.total), "parts": parts.collect::<Vec<_>>()})
    }
}

/// What runs for one room; what is left of it ends with it.
struct Stage<'a> {
    agent: &'a Path,
    workshop: &'a Workshop,
    folder: &'a Path,
    running: Vec<(String, Child)>,
}

impl Stage<'_> {
    fn start(&mut self, name: &str, words: &[&str]) -> Result<Lines<BufReader<ChildStdout>>> {
        let log = File::create(self.log(name)).about("make a log")?;
        let mut command = Command::new(self.agent);
        command.arg("--home").arg(self.folder.join(name)).args(["--log", LOG]).args(words);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().about(format!("start {}", self.agent.display()))?;
        let stdout = child.stdout.take();
        self.running.push((name.to_owned(), child));
        stdout.map(|stdout| BufReader::new(stdout).lines()).ok_or_else(|| Failure::check("no stdout"))
    }

    fn take_part(&mut self, name: &str, words: &[&str]) -> Result<Lines<BufReader<ChildStdout>>> {
        let python = self.workshop.python().display().to_string();
        let program = self.workshop.root.join("python-bridge/python/didagent/programs/average.py");
        let program = program.display().to_string();
        let more = ["--name", name, "--no-transcript", "--json", "--", &python, &program, "4"];
        self.start(name, &[words, &more].concat())
    }

    fn log(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.log"))
    }

    /// Ends what still runs, and returns the parties' logs, the last guest's last.
    fn end(mut self) -> Result<Vec<String>> {
        let mut logs = Vec::new();
        // The mediator was the first; whoever says goodbye still needs it.
        for (name, mut child) in std::mem::take(&mut self.running).into_iter().rev() {
            if name == "mediator" {
                child.kill().about("end the mediator")?;
                child.wait().about("wait for the mediator")?;
                continue;
            }
            let status = child.wait().about(format!("wait for {name}"))?;
            let log = fs::read_to_string(self.log(&name)).about(format!("read the log of {name}"))?;
            if !status.success() {
                return Err(Failure::check(format!("{name} ended with {status}:\n{log}")));
            }
            logs.push(log);
        }
        logs.reverse();
        Ok(logs)
    }
}

impl Drop for Stage<'_> {
    fn drop(&mut self) {
        for (_, child) in &mut self.running {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn next(lines: &mut Lines<BufReader<ChildStdout>>) -> Result<String> {
    lines.next().ok_or_else(|| Failure::check("a command of the room ended early"))?.about("read its stdout")
}

/// Reads events up to the first one of this type.
fn until(lines: &mut Lines<BufReader<ChildStdout>>, wanted: &str) -> Result<Value> {
    loop {
        let event: Value = serde_json::from_str(&next(lines)?).about("read an event")?;
        match event.get("type").and_then(Value::as_str) {
            Some(found) if found == wanted => return Ok(event),
            Some("error") => return Err(Failure::check(format!("a party of the room failed: {event}"))),
            _ => {}
        }
    }
}

/// Returns when each part ended, in seconds after `pasted`, from the parties' logs, the last guest's last.
fn ends(logs: &[String], pasted: f64) -> Result<Vec<f64>> {
    let missing = |what: &str| Failure::check(format!("no log says when this was over: {what}"));
    let since = |line: &str| Some((seconds_of_day(line)? - pasted.rem_euclid(DAY)).rem_euclid(DAY));
    let mut ends = Vec::new();
    for (what, word, only_last) in PARTS {
        let logs = if only_last { logs.get(logs.len().saturating_sub(1)..) } else { Some(logs) };
        let lines = logs.unwrap_or_default().iter().flat_map(|log| log.lines());
        // What came before the paste was about others.
        let times =
            lines.filter(|line| line.contains(word)).filter_map(since).filter(|time| *time < DAY / 2.0);
        // The first byte is the first one of all; any other part is over when it is over everywhere.
        let end = if word.ends_with("Connected") { times.reduce(f64::min) } else { times.reduce(f64::max) };
        ends.push(end.ok_or_else(|| missing(what))?);
    }
    Ok(ends)
}

/// Reads the time at the beginning of a log line, `2026-01-31T23:59:59.123456Z`.
fn seconds_of_day(line: &str) -> Option<f64> {
    let (time, _) = line.split_once('T')?.1.split_once('Z')?;
    let mut parts = time.split(':').map(|part| part.parse::<f64>().ok());
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
    Some(hours * 3600.0 + minutes * 60.0 + seconds)
}

/// The smallest value that so many percent do not exceed; not a number when there is none.
fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(at).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let values: Vec<f64> = (1..=20).rev().map(f64::from).collect();
        assert_eq!((percentile(&values, 50), percentile(&values, 95)), (10.0, 19.0));
        assert_eq!(percentile(&[3.0], 95), 3.0);
        assert!(percentile(&[], 95).is_nan());
    }

    #[test]
    fn parts_are_read_from_logs_also_around_midnight() {
        let host = "2026-01-31T23:59:50.000000Z  INFO room: phase phase=Waiting parties=1\n\
                    2026-02-01T00:00:00.100000Z  INFO the room is full m=3\n\
                    2026-02-01T00:00:00.300000Z DEBUG a handshake is complete\n\
                    2026-02-01T00:00:00.500000Z  INFO session is up party=1\n\
                    2026-02-01T00:00:00.600000Z  INFO the ports stand, the run begins\n\
                    2026-02-01T00:00:01.000000Z DEBUG bridge event=Connected { peer: 1 }\n";
        let guest = "2026-01-31T23:59:59.900000Z  INFO phase phase=Waiting\n\
                     2026-02-01T00:00:00.200000Z  INFO the room is full m=3\n\
                     2026-02-01T00:00:00.900000Z DEBUG bridge event=Connected { peer: 0 }\n";
        let pasted = 86_400.0 * 3.0 - 0.5;
        let ends = ends(&[host.to_owned(), guest.to_owned()], pasted).unwrap();
        let expected = [0.4, 0.7, 0.8, 1.0, 1.1, 1.4];
        assert!(ends.iter().zip(expected).all(|(end, expected)| (end - expected).abs() < 1e-6), "{ends:?}");
        let mut measured = FirstByte { parts: vec![Vec::new(); PARTS.len()], ..FirstByte::default() };
        measured.add(&ends);
        assert!((measured.p95() - 1.4).abs() < 1e-6);
        assert!(
            measured.markdown().contains("| seat and roster | 0.300 s | 0.300 s |"),
            "{}",
            measured.markdown()
        );
        assert!(super::ends(&[guest.to_owned()], pasted).is_err(), "nothing of handshakes");
    }
}
