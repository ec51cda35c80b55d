//! Under which conditions one run of the bench was made, kept beside criterion's estimates.
//!
//! Criterion leaves the estimates of earlier runs in place. The file `run.json` says when the newest run began, and
//! the report takes no estimate that is older, so one table never mixes two runs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{env, fs};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::{SIZES, Way, payload, stateful, stateless};

/// How long a run measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Under a minute for everything: tells whether the bench works, and the order of magnitude.
    Quick,
    /// A few minutes: for results that are kept.
    Full,
}

impl Mode {
    /// Reads `DIDAGENT_BENCH_MODE`: `quick`, or `full` as without it.
    ///
    /// # Errors
    /// Any other value.
    pub fn from_env() -> anyhow::Result<Self> {
        match env::var("DIDAGENT_BENCH_MODE").as_deref() {
            Ok("quick") => Ok(Self::Quick),
            Ok("full") | Err(env::VarError::NotPresent) => Ok(Self::Full),
            other => anyhow::bail!("DIDAGENT_BENCH_MODE must be quick or full, not {other:?}"),
        }
    }
}

/// The conditions of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// How long it measured.
    pub mode: Mode,
    /// When it began, in nanoseconds since 1970, UTC.
    pub began: u64,
    /// What it measured; from `DIDAGENT_COMMIT`.
    pub commit: Option<String>,
    /// Name of the processor.
    pub cpu: String,
    /// Processors that the run could use.
    pub cores: usize,
    /// Load of the machine over the last minute when the run began. Much above 0 means that others were measured too.
    pub load: String,
    /// Version of the compiler that is installed.
    pub rustc: String,
    /// Bytes on the wire for one payload, by way and size.
    pub wire: BTreeMap<String, BTreeMap<usize, u64>>,
}

impl Run {
    /// Looks at the machine and counts wire bytes.
    ///
    /// # Errors
    /// If the mode is not one.
    pub fn begin() -> anyhow::Result<Self> {
        Ok(Self {
            mode: Mode::from_env()?,
            began: nanoseconds(SystemTime::now()),
            commit: env::var("DIDAGENT_COMMIT").ok().filter(|commit| !commit.is_empty()),
            cpu: cpu(&fs::read_to_string("/proc/cpuinfo").unwrap_or_default()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            load: first_word(fs::read_to_string("/proc/loadavg").unwrap_or_default()),
            rustc: rustc(),
            wire: wire(),
        })
    }

    /// Writes `run.json` into criterion's directory.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save(&self, home: &Path) -> anyhow::Result<()> {
        fs::create_dir_all(home).with_context(|| format!("cannot make {}", home.display()))?;
        let path = file(home);
        fs::write(&path, serde_json::to_vec_pretty(self)?)
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// Reads `run.json` from criterion's directory.
    ///
    /// # Errors
    /// If there is none: the bench did not run.
    pub fn load(home: &Path) -> anyhow::Result<Self> {
        let path = file(home);
        let json = fs::read(&path)
            .with_context(|| format!("cannot read {}: run `cargo bench` first", path.display()))?;
        serde_json::from_slice(&json).with_context(|| format!("{} is not a run", path.display()))
    }

    /// Tells whether a file was written in this run.
    pub fn covers(&self, modified: SystemTime) -> bool {
        nanoseconds(modified) >= self.began
    }
}

/// Returns the directory of criterion's estimates: `CRITERION_HOME`, or `criterion` in the target directory that this program
/// lies in, wherever cargo was told to put it.
pub fn criterion_home() -> PathBuf {
    if let Some(home) = env::var_os("CRITERION_HOME") {
        return home.into();
    }
    let program = env::current_exe().unwrap_or_default();
    // Cargo marks its target directory with this file.
    let target = program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file());
    target
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target"), PathBuf::from)
        .join("criterion")
}

fn file(home: &Path) -> PathBuf {
    home.join("run.json")
}

fn nanoseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

fn cpu(cpuinfo: &str) -> String {
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    model.map_or_else(|| env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned())
}

fn first_word(text: String) -> String {
    text.split_whitespace().next().unwrap_or("unknown").to_owned()
}

fn rustc() -> String {
    let output =
        Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())).arg("--version").output();
    output.ok().and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default().trim().to_owned()
}

/// A session's bytes are an average over 1000 payloads, acknowledgements and credit included.
fn wire() -> BTreeMap<String, BTreeMap<usize, u64>> {
    const TIMES: u64 = 1000;
    let identities = stateless::Pair::generate();
    let of = |way: Way, size: usize| {
        let payload = payload(size);
        match way {
            Way::Session => {
                let mut pair = stateful::Pair::new();
                let before = pair.wire_bytes();
                (0..TIMES).for_each(|_| assert_eq!(pair.carry(&payload), size));
                (pair.wire_bytes() - before).div_ceil(TIMES)
            }
            Way::Ours => identities.we_pack(&payload).len() as u64,
            Way::Theirs => identities.they_pack(&payload).len() as u64,
        }
    };
    Way::ALL.map(|way| (way.name().to_owned(), SIZES.map(|size| (size, of(way, size))).into())).into()
}

#[cfg(test)]
mod tests {
    use super::{cpu, wire};

    #[test]
    fn finds_the_processor_in_cpuinfo() {
        assert_eq!(
            cpu("processor\t: 0\nmodel name\t: Some CPU @ 2.00GHz\nflags\t: fpu\n"),
            "Some CPU @ 2.00GHz"
        );
        assert_eq!(cpu(""), std::env::consts::ARCH);
    }

    #[test]
    fn every_way_takes_more_bytes_than_its_payload() {
        for (way, sizes) in wire() {
            for (size, bytes) in sizes {
                assert!(bytes > size as u64, "{way} {size} {bytes}");
            }
        }
    }
}
