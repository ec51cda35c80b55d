//! Two hops with a session, the same with the bare AEAD, and two plain relays, in turns.

use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use serde::Serialize;

use crate::cost::figure::{Figure, Limit, markdown};
use crate::cost::paired::Middle;
use crate::path::Processes;
use crate::path::measure::{PIECE, bounce, push, quantile};
use crate::run::Run;

/// Bytes of a message whose way there is timed.
const BALL: usize = 16;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub struct Amount {
    /// Turns of all ways.
    pub turns: usize,
    /// Bytes one way in a turn.
    pub bulk: usize,
    /// Round trips in a turn.
    pub bounces: usize,
}

impl Amount {
    /// For results that are kept.
    pub const FULL: Self = Self { turns: 15, bulk: 128_000_000, bounces: 5000 };
    /// Tells whether it works, and the order of magnitude.
    pub const QUICK: Self = Self { turns: 3, bulk: 32_000_000, bounces: 1000 };
}

/// All that was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The machine and the conditions.
    pub run: Run,
    /// What was found.
    pub figures: Vec<Figure>,
}

/// One way, and what was counted on it, by turn.
struct Way {
    processes: Processes,
    megabytes_per_second: Vec<f64>,
    /// Medians of the way there, in microseconds.
    one_way: Vec<f64>,
}

impl Way {
    fn new(processes: Processes) -> Self {
        Self { processes, megabytes_per_second: Vec::new(), one_way: Vec::new() }
    }

    fn turn(&mut self, amount: Amount) -> anyhow::Result<()> {
        let took = push(&mut self.processes, amount.bulk, PIECE)?;
        let megabytes = f64::from(u32::try_from(amount.bulk)?) / 1e6;
        self.megabytes_per_second.push(megabytes / took.as_secs_f64());
        let mut round_trips = bounce(&mut self.processes, BALL, amount.bounces)?;
        round_trips.sort_unstable();
        self.one_way.push(quantile(&round_trips, 50) / 2.0);
        Ok(())
    }
}

impl Report {
    /// Starts all ways, measures, and ends them. `hop` is the program of one hop, `relay` the plain relay.
    ///
    /// # Errors
    /// Whatever keeps them from carrying bytes.
    pub fn measure(hop: &Path, relay: &Path, amount: Amount) -> anyhow::Result<Self> {
        let run = Run::begin()?;
        let cores = run.cores;
        let hops = |middle: &str, cipher: &str| {
            let command = |core: usize, side: &str| {
                let mut command = pinned(hop, core, cores);
                command.args([side, middle, cipher]);
                command
            };
            Processes::hops([command(1, "far"), command(0, "near")])
                .map(Way::new)
                .with_context(|| format!("{middle} {cipher}"))
        };
        let mut plain = Way::new(Processes::hops([1, 0].map(|core| pinned(relay, core, cores)))?);
        let mut report = Self { run, figures: Vec::new() };
        for (cipher, name) in [("chacha", "ChaCha20-Poly1305"), ("aes", "AES-256-GCM")] {
            let (mut aead, mut session) = (hops("aead", cipher)?, hops("session", cipher)?);
            (plain.megabytes_per_second, plain.one_way) = (Vec::new(), Vec::new());
            for turn in 0..amount.turns {
                let ways = [&mut plain, &mut aead, &mut session];
                let order = [turn, turn + 1, turn + 2].map(|place| place % 3);
                let mut ways = ways.map(Some);
                for place in order {
                    ways[place].take().context("each once")?.turn(amount)?;
                }
            }
            report.add(name, [&plain, &aead, &session]);
        }
        Ok(report)
    }

    fn add(&mut self, cipher: &str, [plain, aead, session]: [&Way; 3]) {
        let each = |of: fn(&Way) -> &Vec<f64>, a: &Way, b: &Way, with: fn(f64, f64) -> f64| {
            Middle::of(of(a).iter().zip(of(b)).map(|(a, b)| with(*a, *b)).collect())
        };
        let share = |a, b| each(|way| &way.megabytes_per_second, a, b, |a, b| a / b);
        let added = |a, b| each(|way| &way.one_way, a, b, |a, b| a - b);
        let figure =
            |what: String, value, unit: &str, limit| Figure { what, value, unit: unit.to_owned(), limit };
        let speed = |name: &str, way: &Way| {
            let value = Middle::of(way.megabytes_per_second.clone());
            figure(format!("two hops, {cipher}: bulk, {name}"), value, "MB/s", Limit::None)
        };
        let delay = |name: &str, way: &Way| {
            let value = Middle::of(way.one_way.clone());
            figure(format!("two hops, {cipher}: 16 B one way, p50, {name}"), value, "us", Limit::None)
        };
        self.figures.extend([
            Figure::percent(
                format!("two hops, {cipher}: bulk with a session, of that with the bare AEAD"),
                share(session, aead),
                Limit::AtLeast(85.0),
            ),
            Figure::percent(
                format!("two hops, {cipher}: bulk with a session, of that over plain relays"),
                share(session, plain),
                Limit::None,
            ),
            figure(
                format!("two hops, {cipher}: 16 B one way, p50, more than over plain relays"),
                added(session, plain),
                "us",
                Limit::AtMost(5.0),
            ),
            speed("plain relays", plain),
            speed("bare AEAD", aead),
            speed("session", session),
            delay("plain relays", plain),
            delay("session", session),
        ]);
    }

    /// The table, as Markdown.
    pub fn markdown(&self) -> String {
        markdown(&self.figures)
    }
}

/// The program on one core, if there is more than one and `taskset` to choose with.
fn pinned(program: &Path, core: usize, cores: usize) -> Command {
    if cores < 2 || Command::new("taskset").arg("--version").output().is_err() {
        return Command::new(program);
    }
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", &core.to_string()]).arg(program);
    command
}
