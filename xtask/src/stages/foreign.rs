//! The workspaces of their own: what they lock is never in the shipped tree.

use crate::command::Line;
use crate::failure::{Failure, Result};
use crate::workshop::Workshop;

/// A workspace beside the main one, with its own lock file.
pub(crate) struct Workspace {
    pub(crate) folder: &'static str,
    /// Of each of its packages.
    pub(super) manifests: &'static [&'static str],
}

const INTEROP: Workspace = Workspace { folder: "interop", manifests: &["interop/Cargo.toml"] };
const DID_KEY: Workspace =
    Workspace { folder: "interop/did-key", manifests: &["interop/did-key/Cargo.toml"] };
const FOREIGN: Workspace =
    Workspace { folder: "interop/foreign", manifests: &["interop/foreign/Cargo.toml"] };
const FUZZ: Workspace = Workspace { folder: "fuzz", manifests: &["fuzz/Cargo.toml"] };
pub(crate) const BENCH: Workspace =
    Workspace { folder: "bench", manifests: &["bench/Cargo.toml", "bench/baseline/Cargo.toml"] };

pub(super) const WORKSPACES: [Workspace; 5] = [INTEROP, DID_KEY, FOREIGN, FUZZ, BENCH];

impl Workspace {
    /// A missing folder is a failure: what is not there must not look as if it had passed.
    pub(super) fn check_that_it_is_there(&self, workshop: &Workshop) -> Result {
        match self.manifests.iter().find(|manifest| !workshop.root.join(manifest).is_file()) {
            Some(manifest) => Err(Failure::check(format!("FAILED: there is no {manifest}"))),
            None => Ok(()),
        }
    }

    /// A command of cargo in this workspace.
    pub(crate) fn cargo(&self, workshop: &Workshop, command: &str, arguments: &str) -> Result<Line> {
        self.check_that_it_is_there(workshop)?;
        let line = format!("{command} --locked --manifest-path {}/Cargo.toml {arguments}", self.folder);
        Ok(Line::cargo(&line).with("CARGO_TARGET_DIR", workshop.target_apart()))
    }
}

/// The DIDComm libraries of other people read what ours writes, and the other way round; and a party made of such libraries
/// takes part in a run of the agent that `build` left.
pub(super) fn interop(workshop: &Workshop) -> Result {
    let peers = super::peers::make_all(workshop)?;
    let line = INTEROP.cargo(workshop, "test", "--workspace")?;
    workshop.run(peers.into_iter().fold(line, |line, (variable, place)| line.with(variable, place)))?;
    workshop.run(DID_KEY.cargo(workshop, "test", "--workspace")?)?;
    let foreign = FOREIGN.cargo(workshop, "test", "--workspace")?;
    workshop.run(
        foreign.with("DIDAGENT_TEST_AGENT", workshop.agent()).with("DIDAGENT_TEST_PYTHON", workshop.python()),
    )
}

/// Those that are heavy to install are live, and do what their transcripts say.
pub(super) fn interop_heavy(workshop: &Workshop) -> Result {
    let (variable, place) = super::peers::make_heavy(workshop)?;
    let line = INTEROP.cargo(workshop, "test", "--features heavy --test heavy")?;
    workshop.run(line.with(variable, place))
}

/// Every input that the fuzzers keep.
pub(super) fn fuzz(workshop: &Workshop) -> Result {
    workshop.run(super::build::lengthened(workshop, FUZZ.cargo(workshop, "test", "--workspace")?))
}

/// Each bench once. A debug build: nothing is measured, so nothing need be fast.
pub(super) fn bench(workshop: &Workshop) -> Result {
    workshop.run(BENCH.cargo(workshop, "test", "--workspace --all-targets")?)
}
