//! What a party would run, told to the others and compared before anything starts.
//!
//! Specification: `spec/manifest.md`.
//!
//! ```text
//! command --probe_command--> Python runs manifest.py --read_probe--> Manifest of ours, and what the launcher checks at the start
//! message of another party --Manifest::read--> Manifest of theirs --compare--> differences by name, and notes for people
//! ```
//!
//! Not its concern: starting Python, how manifests travel, what follows from a difference.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::launch;

mod compare;

pub use compare::{Comparison, Difference, compare, short_digest};

/// The text of the program that describes a Python command: standard library only, Python 3.9 or later.
const MANIFEST_SOURCE: &str = include_str!("../../python/didagent/manifest.py");

/// Most bytes of a manifest as JSON (MF-05).
pub const MAX_BYTES: usize = 16 * 1024;

/// Most entries of one member (MF-05).
const MAX_ENTRIES: usize = 128;

/// What one party would run; all of it but `program.name`, `shown` and `allow_unknown` is compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Layout version, 1.
    pub v: u32,
    /// The program.
    pub program: ProgramFile,
    /// Digests of its own modules, by name.
    #[serde(default)]
    pub modules: BTreeMap<String, String>,
    /// Digests of the files that the person included, by name.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    /// The MPyC that it will find.
    #[serde(default)]
    pub mpyc: Option<Mpyc>,
    /// What MPyC will take from the command line; `None` for a program that is not Python.
    #[serde(default)]
    pub options: Option<Options>,
    /// MPyC's environment variables.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// The program's arguments, if they are the same for everybody.
    #[serde(default)]
    pub arguments: Option<Vec<String>>,
    /// What people are shown.
    #[serde(default)]
    pub shown: Shown,
    /// The person allowed programs that cannot be compared.
    #[serde(default)]
    pub allow_unknown: bool,
}

/// A program's file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramFile {
    /// The file's name without its folder, or the module's.
    pub name: String,
    /// Its digest; `None` if nothing can be compared.
    pub sha256: Option<String>,
}

/// An MPyC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mpyc {
    /// Its version.
    pub version: String,
    /// Digest over the names and digests of its files.
    pub sha256: String,
}

/// MPyC's options on which all parties must agree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// `-T`; `None` for MPyC's default.
    pub threshold: Option<i64>,
    /// `-L`, in bits.
    pub bit_length: i64,
    /// `-K`, in bits.
    pub sec_param: i64,
    /// Not `--no-prss`.
    pub prss: bool,
    /// Not `--no-barrier`.
    pub barrier: bool,
    /// `--mix32-64bit`.
    pub mix32_64bit: bool,
}

/// What people are shown of a party's Python.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// Implementation and minor version, for example `CPython 3.11`.
    #[serde(default)]
    pub python: Option<String>,
    /// Bits of a word, 32 or 64.
    #[serde(default)]
    pub bits: Option<u32>,
    /// Version of numpy, if MPyC uses it.
    #[serde(default)]
    pub numpy: Option<String>,
    /// Version of gmpy2, if MPyC uses it.
    #[serde(default)]
    pub gmpy2: Option<String>,
}

/// How a party's program can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProgramKind {
    /// Python, with all that a manifest tells.
    Python,
    /// Anything else; nothing is known of it but its name.
    Other,
    /// A person starts it.
    ByHand,
}

/// A manifest that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// It is not what section 1 says, or too large.
    #[error("the manifest cannot be read: {why}")]
    Malformed {
        /// What is wrong with it.
        why: &'static str,
    },
    /// The program cannot be described; the text is for the person whose program it is.
    #[error("{0}")]
    Program(String),
}

impl Manifest {
    /// Describes a program of which nothing can be compared.
    pub fn unknown(name: String) -> Self {
        Self {
            v: 1,
            program: ProgramFile { name, sha256: None },
            modules: BTreeMap::new(),
            files: BTreeMap::new(),
            mpyc: None,
            options: None,
            environment: BTreeMap::new(),
            arguments: None,
            shown: Shown::default(),
            allow_unknown: false,
        }
    }

    /// Reads what another party told.
    ///
    /// # Errors
    /// [`ManifestError::Malformed`].
    pub fn read(value: Value) -> Result<Self, ManifestError> {
        let malformed = |why| ManifestError::Malformed { why };
        if value.to_string().len() > MAX_BYTES {
            return Err(malformed("it is too large"));
        }
        let manifest: Self =
            serde_json::from_value(value).map_err(|_| malformed("a member is missing or of another type"))?;
        manifest.check()?;
        Ok(manifest)
    }

    /// Says whether the program can be compared.
    pub fn kind(&self) -> ProgramKind {
        if self.program.sha256.is_some() { ProgramKind::Python } else { ProgramKind::Other }
    }

    /// Checks what its type alone does not say (MF-05).
    ///
    /// # Errors
    /// [`ManifestError::Malformed`].
    pub fn check(&self) -> Result<(), ManifestError> {
        self.check_members().map_err(|why| ManifestError::Malformed { why })
    }

    fn check_members(&self) -> Result<(), &'static str> {
        if self.v != 1 {
            return Err("it is of another version");
        }
        let members = [self.modules.len(), self.files.len(), self.environment.len()];
        let arguments = self.arguments.iter().flatten();
        if members.iter().any(|entries| *entries > MAX_ENTRIES) || arguments.clone().count() > MAX_ENTRIES {
            return Err("a member has too many entries");
        }
        let digests = self.modules.values().chain(self.files.values());
        let digests = digests.chain(&self.program.sha256).chain(self.mpyc.as_ref().map(|mpyc| &mpyc.sha256));
        if !digests.into_iter().all(|digest| is_digest(digest)) {
            return Err("a digest is none");
        }
        if self.program.sha256.is_some() != self.options.is_some() {
            return Err("it has options without a program, or a program without options");
        }
        Ok(())
    }
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// What [`read_probe`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// What is told to the others.
    pub manifest: Manifest,
    /// What the launcher checks at the start, as JSON for its file `agreed.json`; it stays on this machine.
    pub agreed: Vec<u8>,
}

/// Returns the command that describes a Python command; `None` if `command` is not Python. Run it in the folder and with the
/// environment in which the program will run, and give what it prints to [`read_probe`].
#[must_use]
pub fn probe_command(command: &[OsString], same_args: bool, include: &[OsString]) -> Option<Vec<OsString>> {
    // In the place of the launcher, which no command names twice: `-c`, whose value is our text.
    let place = Path::new("\u{0}");
    let launch::Rewritten::Python(mut words) = launch::rewrite(command, place) else { return None };
    let at = words.iter().position(|word| word == place)?;
    let mut ours: Vec<OsString> = vec!["-c".into(), MANIFEST_SOURCE.into()];
    ours.extend(same_args.then(|| "--same-args".into()));
    for file in include {
        let mut word = OsString::from("--include=");
        word.push(file);
        ours.push(word);
    }
    ours.push("RUN".into());
    words.splice(at..=at, ours);
    Some(words)
}

/// Reads what the command of [`probe_command`] printed.
///
/// # Errors
/// [`ManifestError::Program`] with what the person has to mend, [`ManifestError::Malformed`] if it is no such output.
pub fn read_probe(stdout: &[u8]) -> Result<Probe, ManifestError> {
    #[derive(Deserialize)]
    struct Printed {
        error: Option<String>,
        manifest: Option<Value>,
        local: Option<Value>,
    }
    let malformed = |why| ManifestError::Malformed { why };
    let printed: Printed =
        serde_json::from_slice(stdout).map_err(|_| malformed("Python printed something else"))?;
    if let Some(error) = printed.error {
        return Err(ManifestError::Program(error));
    }
    let (Some(mut manifest), Some(local)) = (printed.manifest, printed.local) else {
        return Err(malformed("Python printed something else"));
    };
    if let Some(members) = manifest.as_object_mut() {
        members.insert("v".to_owned(), 1.into());
        // From standard input: MPyC's options are told, but nothing could be compared.
        if members.get("program").is_some_and(|program| program["sha256"].is_null()) {
            members.insert("options".to_owned(), Value::Null);
        }
    }
    let manifest = Manifest::read(manifest)?;
    let agreed = serde_json::to_vec(&local).map_err(|_| malformed("Python printed something else"))?;
    Ok(Probe { manifest, agreed })
}

#[cfg(test)]
mod tests;
