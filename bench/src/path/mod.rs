//! What the way through two agents and a mediator costs, beside two plain relays in a row.
//!
//! ```text
//! relays   near --TCP--> baseline --TCP--> baseline --TCP--> far
//! agents   near --TCP--> didagent --WS--> mediator --WS--> didagent --TCP--> far        sealed
//! ```
//!
//! Real processes of the release build; near and far are threads of this program in place of two MPyCs. Both ways are
//! measured in one run, in turns, so that a machine that changes its mind changes both.
//!
//! Not its concern: what an MPyC program makes of it, and networks: everything goes over loopback.

pub(crate) mod measure;
pub(crate) mod process;
mod table;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::run::Run;
use measure::Samples;
pub use process::Processes;

/// Sizes of a message in the ping-pong, in bytes: MPyC's payloads have a median of 4, and its headers 12.
pub const BALLS: [usize; 3] = [4, 16, 64];

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub struct Amount {
    /// Turns between the two ways.
    pub turns: usize,
    /// Round trips for each size in each turn.
    pub bounces: usize,
    /// Bytes one way in each turn.
    pub bulk: usize,
    /// Small messages one way in each turn.
    pub messages: usize,
    /// Seconds without any traffic, once.
    pub idle: u64,
}

impl Amount {
    /// For results that are kept.
    pub const FULL: Self = Self { turns: 5, bounces: 10_000, bulk: 256_000_000, messages: 100_000, idle: 10 };
    /// Tells whether it works, and the order of magnitude.
    pub const QUICK: Self = Self { turns: 1, bounces: 1000, bulk: 16_000_000, messages: 10_000, idle: 1 };
}

/// One way's figures.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Way {
    /// `relays` or `agents`.
    pub name: String,
    /// Round trips by size of the message.
    pub bounces: Vec<Bounce>,
    /// Bulk one way: median, in millions of bytes a second.
    pub megabytes_per_second: f64,
    /// CPU of a message that is answered before the next one is sent, in microseconds.
    pub answered: Cpu,
    /// CPU of a message of 16 bytes in a row that is written as fast as it is taken, in microseconds.
    pub streamed: Cpu,
    /// CPU for each second without traffic, in microseconds.
    pub idle: Cpu,
}

/// Round trips of one size.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Bounce {
    /// Bytes of the message.
    pub bytes: usize,
    /// Median in microseconds.
    pub p50: f64,
    /// 99th percentile in microseconds.
    pub p99: f64,
}

/// CPU time, user and system, of processes on the way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Cpu {
    /// Both agents, or both relays.
    pub ends: f64,
    /// The mediator; nothing between two relays.
    pub mediator: f64,
}

/// All that was measured.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    /// The machine and the conditions.
    pub run: Run,
    /// The two ways, relays first.
    pub ways: [Way; 2],
}

/// Which binaries are measured.
#[derive(Debug)]
pub struct Binaries<'a> {
    /// `didagent`.
    pub agent: &'a Path,
    /// `didagent-baseline`.
    pub relay: &'a Path,
}

impl Report {
    /// Starts all processes, measures, and ends them.
    ///
    /// # Errors
    /// Whatever keeps the processes from carrying bytes.
    pub fn measure(binaries: &Binaries<'_>, amount: Amount) -> anyhow::Result<Self> {
        let run = Run::begin()?;
        let relays = Processes::relays(binaries.relay).context("the relays")?;
        let agents = Processes::agents(binaries.agent).context("the agents")?;
        let mut ways = [(relays, Samples::default()), (agents, Samples::default())];
        for turn in 0..amount.turns {
            for (processes, samples) in &mut ways {
                samples.take(processes, amount, turn == 0).context("the measurement")?;
            }
        }
        for (processes, samples) in &mut ways {
            samples.rest(processes, amount.idle)?;
        }
        let [(_relays, relays), (_agents, agents)] = ways;
        Ok(Self { run, ways: [relays.way("relays"), agents.way("agents")] })
    }

    /// The table, as Markdown.
    pub fn markdown(&self) -> String {
        table::markdown(self)
    }

    /// Reads a report that was written as JSON.
    ///
    /// # Errors
    /// If it is none.
    pub fn load(path: &PathBuf) -> anyhow::Result<Self> {
        let json = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_slice(&json).with_context(|| format!("{} is not a report", path.display()))
    }
}
