//! What sessions, agents and a mediator add to a program of MPyC, against plain relays on each connection.
//!
//! ```text
//! two relays      party --TCP--> baseline --TCP--> baseline --TCP--> party        for each of the three pairs
//! two hops        party --TCP--> direct ==session, TCP==> direct --TCP--> party
//! three relays    party --TCP--> baseline --TCP--> baseline --TCP--> baseline --TCP--> party
//! agents          party --TCP--> didagent ==session, WS==> mediator ==WS==> didagent --TCP--> party
//! ```
//!
//! Rounds of one run each, in changing order; a difference is made within a round. A mediator is a hop more than two relays,
//! which a program pays for in time whatever the hop does: so there are three relays to judge by. All sessions but those of
//! two hops, which shake hands with MPyC's first connection, stand before the clock starts: what is measured is a program,
//! from its start to the end of its last party.
//!
//! Not its concern: how long a room takes to form.

mod ways;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::Serialize;

use crate::cost::figure::{Figure, Limit, markdown};
use crate::cost::paired::Middle;
use crate::run::Run;
use ways::{Agents, Hops, Words};

/// Parties of every program.
const PARTIES: usize = 3;

/// The upper end of the interval of a program's slowdown, in percent.
const SLOWDOWN: f64 = 5.0;

/// Which binaries are measured, and with what.
#[derive(Debug)]
pub struct Tools {
    /// `didagent`, a release build.
    pub agent: PathBuf,
    /// `didagent-baseline`, a release build.
    pub relay: PathBuf,
    /// `direct`, a release build.
    pub hop: PathBuf,
    /// A Python with MPyC.
    pub python: PathBuf,
    /// The folder of MPyC's public demos, if there is one.
    pub demos: Option<PathBuf>,
}

/// One program.
#[derive(Debug)]
struct Program {
    name: &'static str,
    file: PathBuf,
    arguments: &'static [&'static str],
}

/// All that was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The machine and the conditions.
    pub run: Run,
    /// What was found.
    pub figures: Vec<Figure>,
    /// Programs that could not be run here.
    pub missing: Vec<String>,
}

impl Report {
    /// Runs everything so many times each way.
    ///
    /// # Errors
    /// Whatever keeps a program from ending well.
    pub fn measure(tools: &Tools, count: usize) -> anyhow::Result<Self> {
        let mut report = Self { run: Run::begin()?, figures: Vec::new(), missing: Vec::new() };
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs");
        let rounds = Program {
            name: "1000 rounds of one multiplication",
            file: own.join("rounds.py"),
            arguments: &["1000"],
        };
        report.compare(tools, &rounds, count).with_context(|| rounds.name)?;
        let aes = tools.demos.as_ref().map(|folder| folder.join("aes.py")).filter(|file| file.is_file());
        match aes {
            Some(file) => {
                let aes = Program { name: "MPyC's `aes.py -1`", file, arguments: &["-1"] };
                report.compare(tools, &aes, count).with_context(|| aes.name)?;
            }
            None => report.missing.push("MPyC's `aes.py -1`: no folder of demos".to_owned()),
        }
        Ok(report)
    }

    fn compare(&mut self, tools: &Tools, program: &Program, rounds: usize) -> anyhow::Result<()> {
        let relays = [2, 3].map(|hops| Hops::relays(&tools.relay, hops));
        let [two, three] = relays.map(|relays| relays.context("plain relays"));
        let (two, three) = (two?, three?);
        let messages = count(tools, program, two.words())?;
        let mut walls = [(); 4].map(|()| Vec::new());
        let mut cpu = [(); 4].map(|()| Vec::new());
        for round in 0..rounds {
            let hops = Hops::sessions(&tools.hop)?;
            let agents = Agents::start(&tools.agent)?;
            for turn in 0..4 {
                let way = (round + turn) % 4;
                let (words, taken): (_, &dyn Fn() -> anyhow::Result<f64>) = match way {
                    0 => (two.words(), &|| two.cpu()),
                    1 => (hops.words(), &|| hops.cpu()),
                    2 => (three.words(), &|| three.cpu()),
                    _ => (agents.words(), &|| agents.cpu()),
                };
                let before = taken()?;
                let wall = run(tools, program, words)?;
                cpu[way].push((taken()? - before) / f64::from(messages));
                walls[way].push(wall.as_secs_f64());
            }
        }
        let name = program.name;
        let mut slower = |what: &str, way: usize, than: usize, limit| {
            let both = walls[way].iter().zip(&walls[than]);
            let ratios = both.map(|(wall, plain)| (wall - plain) / plain).collect();
            let what = format!("{name}: {what}, {rounds} rounds");
            self.figures.push(Figure::percent(what, Middle::of(ratios), limit));
        };
        slower(
            "slower over two hops with sessions than over two relays",
            1,
            0,
            Limit::IntervalAtMost(SLOWDOWN),
        );
        slower(
            "slower over agents and a mediator than over three relays",
            3,
            2,
            Limit::IntervalAtMost(SLOWDOWN),
        );
        slower("slower over agents and a mediator than over two relays", 3, 0, Limit::None);
        slower("slower over three relays than over two", 2, 0, Limit::None);
        let names = ["two relays", "two hops with sessions", "three relays", "agents and a mediator"];
        for ((name_of_way, walls), cpu) in names.into_iter().zip(walls).zip(cpu) {
            let figure = |what: String, value, unit: &str| Figure {
                what: format!("{name}: {what}"),
                value,
                unit: unit.to_owned(),
                limit: Limit::None,
            };
            let who = if name_of_way == names[3] { "the agents" } else { name_of_way };
            self.figures.extend([
                figure(format!("over {name_of_way}"), Middle::of(walls), "s"),
                figure(format!("CPU of {who} for each of {messages} messages"), Middle::of(cpu), "us"),
            ]);
        }
        Ok(())
    }

    /// The table, as Markdown.
    pub fn markdown(&self) -> String {
        let missing = self.missing.iter().map(|what| format!("\nNOT MEASURED: {what}\n"));
        markdown(&self.figures) + &missing.collect::<String>()
    }
}

/// Runs all parties; returns the time until the last ended.
fn run(tools: &Tools, program: &Program, words: &Words) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    let outputs = play(tools, program, &[], words)?;
    let wall = begun.elapsed();
    let same = outputs.iter().all(|(result, _)| *result == outputs[0].0);
    anyhow::ensure!(same, "parties differ: {outputs:?}");
    Ok(wall)
}

/// How many messages all parties send together.
fn count(tools: &Tools, program: &Program, words: &Words) -> anyhow::Result<u32> {
    let count = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs").join("count.py");
    let mut sent = 0;
    for (_, stderr) in play(tools, program, &[&count], words)? {
        let line = stderr.lines().find_map(|line| line.strip_prefix("messages sent: "));
        sent += line.context("the count is missing")?.parse::<u32>()?;
    }
    Ok(sent)
}

/// Starts the last party first, each other one when the one after it listens: a plain relay takes a connection before it
/// knows whether there is anybody, and MPyC only dials again when it is refused.
fn play(
    tools: &Tools,
    program: &Program,
    before: &[&Path],
    words: &Words,
) -> anyhow::Result<Vec<(String, String)>> {
    let mut parties = Vec::new();
    for (index, words) in words.iter().enumerate().rev() {
        let mut party = start(tools, program, before, words)?;
        if index > 0 {
            let own = words.get(2 * index + 1).and_then(|address| address.rsplit_once(':'));
            let port = own.context("no port of its own")?.1.parse()?;
            wait_until_it_listens(port, &mut party)?;
        }
        parties.push(party);
    }
    parties.into_iter().map(finished).collect()
}

/// Looks at the system's table: dialling would be taken for a peer.
fn wait_until_it_listens(port: u16, party: &mut Child) -> anyhow::Result<()> {
    let address = format!(":{port:04X} 00000000:0000 0A");
    let deadline = Instant::now() + Duration::from_secs(60);
    while !std::fs::read_to_string("/proc/net/tcp")?.contains(&address) {
        anyhow::ensure!(party.try_wait()?.is_none() && Instant::now() < deadline, "it does not listen");
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

fn start(tools: &Tools, program: &Program, before: &[&Path], words: &[String]) -> anyhow::Result<Child> {
    let mut command = Command::new(&tools.python);
    command.args(before).arg(&program.file).args(program.arguments).args(words).arg("--no-log");
    let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    piped.spawn().with_context(|| format!("cannot start {}", tools.python.display()))
}

/// What a party wrote to stdout and stderr. The programs write a few lines, which pipes hold.
fn finished(party: Child) -> anyhow::Result<(String, String)> {
    let output = party.wait_with_output()?;
    let [stdout, stderr] =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    anyhow::ensure!(output.status.success(), "a party failed: {stderr}");
    Ok((stdout, stderr))
}
