//! Which peers there are, and how each is started.
//!
//! `cargo xtask test --only interop` installs what they need and says in these variables where it is.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::driver::Driver;
use super::expected::Expected;
use super::record::Record;
use super::verdict::Verdicts;

/// One peer; its name is that of its file in `expected/`.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    /// Short.
    pub name: &'static str,
    /// How it is asked in the normal tests.
    pub runs: Runs,
}

/// How a peer is asked.
#[derive(Debug, Clone, Copy)]
pub enum Runs {
    /// A program of this package.
    Program(&'static str),
    /// A script of `peers/python` and its argument, with the Python that the variable names.
    Python(&'static str, &'static str, &'static [&'static str]),
    /// A script of `peers/npm`, copied beside its packages into the folder that the variable names, and its argument.
    Node(&'static str, &'static str, &'static [&'static str]),
    /// Only in the soak tests, as the inner one says; the normal ones replay `transcripts/`.
    Recorded(&'static str, &'static str),
}

/// In the order of the table.
pub const PEERS: &[Peer] = &[
    Peer { name: "rust-didcomm", runs: Runs::Program("didcomm-rust") },
    Peer { name: "npm-didcomm", runs: Runs::Node("DIDAGENT_INTEROP_NPM", "sicpa.mjs", &[]) },
    Peer { name: "python-didcomm", runs: Runs::Python("DIDAGENT_INTEROP_SICPA", "sicpa.py", &[]) },
    Peer {
        name: "didcomm-messaging-askar",
        runs: Runs::Python("DIDAGENT_INTEROP_INDICIO", "indicio.py", &["askar"]),
    },
    Peer {
        name: "didcomm-messaging-authlib",
        runs: Runs::Python("DIDAGENT_INTEROP_INDICIO", "indicio.py", &["authlib"]),
    },
    Peer { name: "affinidi", runs: Runs::Program("affinidi") },
    Peer { name: "veramo", runs: Runs::Recorded("DIDAGENT_INTEROP_NPM_HEAVY", "veramo.mjs") },
];

impl Peer {
    /// What is known of it.
    ///
    /// # Panics
    /// When there is no such file, or it is not as it should be.
    pub fn expected(&self) -> Expected {
        expected(self.name)
    }

    /// Its answers, from itself or from its transcript.
    ///
    /// # Panics
    /// When it is not there.
    pub fn record(&self) -> Record {
        match self.runs {
            Runs::Recorded(..) => read(&self.transcript()),
            _ => self.live(),
        }
    }

    /// Its answers, from itself.
    ///
    /// # Panics
    /// When it is not there.
    pub fn live(&self) -> Record {
        Record::live(&mut self.start())
    }

    /// Its verdicts on forged envelopes; `None` of a peer that only the soak tests ask.
    ///
    /// # Panics
    /// When it is not there.
    pub fn verdicts(&self) -> Option<Verdicts> {
        match self.runs {
            Runs::Recorded(..) => None,
            _ => Some(Verdicts::live(&mut self.start())),
        }
    }

    fn start(&self) -> Driver {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let command = match self.runs {
            Runs::Program(name) => Command::new(program(name)),
            Runs::Python(variable, script, arguments) => {
                let mut command = Command::new(place(variable));
                command.arg("-B").arg(here.join("peers/python").join(script)).args(arguments);
                command
            }
            Runs::Node(variable, script, arguments) => node(variable, script, arguments),
            Runs::Recorded(variable, script) => node(variable, script, &[]),
        };
        Driver::start(self.name, command)
    }

    /// Where its transcript is kept.
    pub fn transcript(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("transcripts").join(self.name).with_extension("json")
    }
}

/// What is known of a peer, or of ours: `expected/NAME.json`.
///
/// # Panics
/// When there is no such file, or it is not as it should be.
pub fn expected(name: &str) -> Expected {
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("expected").join(name).with_extension("json"))
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> T {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Cargo builds the programs of a package beside its tests' folder.
fn program(name: &str) -> PathBuf {
    let test = env::current_exe().expect("a test knows itself");
    test.parent().and_then(Path::parent).expect("two folders above").join(name)
}

fn node(variable: &str, script: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("node");
    // The package for bundlers imports its WASM as a module.
    command.args(["--no-warnings", "--experimental-wasm-modules"]);
    command.arg(PathBuf::from(place(variable)).join(script)).args(arguments);
    command
}

fn place(variable: &str) -> String {
    env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} does not say where a peer is: run `cargo xtask test --only interop`")
    })
}
