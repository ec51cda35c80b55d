//! Where things are: the tree, the target folder, and what is made there for tests.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::command::Line;
use crate::failure::{About as _, Failure, Result};

/// All of `test` must be through by then. It is killed otherwise: a run that hangs must end before whoever waits for it
/// gives up without a report.
const LIMIT: Duration = Duration::from_secs(55 * 60);

/// How thorough a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    /// `test`: within [`LIMIT`].
    Short,
    /// `soak` and `reach`: as long as it takes.
    Long,
}

/// One run of this tool.
#[derive(Debug)]
pub(crate) struct Workshop {
    pub(crate) root: PathBuf,
    /// Cargo's target folder; everything that this tool makes is in it, but for the results of `reach`.
    pub(crate) target: PathBuf,
    pub(crate) packages: Vec<Package>,
    pub(crate) length: Length,
    pub(crate) begun: Instant,
}

/// A package of the workspace.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) manifest: PathBuf,
    /// Names and kinds (normal, build, dev) of what it depends on directly.
    pub(crate) dependencies: Vec<(String, String)>,
}

impl Workshop {
    pub(crate) fn open(length: Length) -> Result<Self> {
        let begun = Instant::now();
        let metadata = Line::cargo("metadata --format-version 1 --no-deps --locked").quiet()?;
        let metadata: Value = serde_json::from_str(&metadata).about("read cargo's metadata")?;
        let text = |value: &Value, name: &str| {
            let text = value.get(name).and_then(Value::as_str);
            text.map(str::to_owned).ok_or_else(|| Failure::check(format!("cargo's metadata lack {name}")))
        };
        let mut packages = Vec::new();
        for package in list(&metadata, "packages") {
            let mut dependencies = Vec::new();
            for dependency in list(package, "dependencies") {
                let kind = dependency.get("kind").and_then(Value::as_str).unwrap_or("normal");
                dependencies.push((text(dependency, "name")?, kind.to_owned()));
            }
            packages.push(Package {
                name: text(package, "name")?,
                manifest: text(package, "manifest_path")?.into(),
                dependencies,
            });
        }
        let (root, target) = (text(&metadata, "workspace_root")?, text(&metadata, "target_directory")?);
        Ok(Self { root: root.into(), target: target.into(), packages, length, begun })
    }

    /// When everything must be over.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        (self.length == Length::Short).then(|| self.begun + LIMIT)
    }

    /// Runs one command line in the root of the tree.
    pub(crate) fn run(&self, line: Line) -> Result {
        line.show_in(&self.root, self.deadline())
    }

    /// This tool's own folder in the target folder.
    pub(crate) fn made(&self) -> PathBuf {
        self.target.join("xtask")
    }

    /// A Python with MPyC.
    pub(crate) fn python(&self) -> PathBuf {
        self.made().join("python").join("bin").join("python3")
    }

    /// A Python with MPyC and numpy.
    pub(crate) fn python_numpy(&self) -> PathBuf {
        self.made().join("python-numpy").join("bin").join("python3")
    }

    /// A Python without MPyC.
    pub(crate) fn python_bare(&self) -> PathBuf {
        self.made().join("python-bare").join("bin").join("python3")
    }

    /// A folder with an MPyC of another version.
    pub(crate) fn old_mpyc(&self) -> PathBuf {
        self.made().join("mpyc-0.9")
    }

    /// The agent as it is after `build`.
    pub(crate) fn agent(&self) -> PathBuf {
        self.target.join("debug").join("didagent")
    }

    /// The agent that encrypts nothing: a capture of its traffic must fail the test that a capture of the real one passes.
    pub(crate) fn null_cipher_agent(&self) -> PathBuf {
        self.made().join("null-cipher").join("didagent")
    }

    /// The target folder of the workspaces of their own. They share one, so that what several of them lock is built once.
    pub(crate) fn target_apart(&self) -> PathBuf {
        self.target.join("apart")
    }

    /// The plain relay that everything is measured against, as a release build leaves it.
    pub(crate) fn relay(&self) -> PathBuf {
        self.target_apart().join("release").join("didagent-baseline")
    }

    /// The same path as seen from the root, for people.
    pub(crate) fn shown<'a>(&self, path: &'a Path) -> std::path::Display<'a> {
        path.strip_prefix(&self.root).unwrap_or(path).display()
    }
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
