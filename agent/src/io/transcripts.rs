//! Where transcripts of runs are kept: in the home, the newest of them, and where a person wants a copy.
//!
//! Specification: `spec/transcript.md`, section 5. Not its concern: what is in them (`core::transcript`).

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use didagent_didcomm::did::{DidDocument, MAX_DOCUMENT_BYTES};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::core::clock::utc_digits;
use crate::core::transcript::MAX_BYTES;
use crate::failure::{Failure, Kind};
use crate::io::home::Home;
use crate::io::os;

/// How many a home keeps: a year of a run in three days. About 100 KB each at sixteen parties, 10 KB at three.
const KEPT: usize = 100;

/// The folder in the home.
const FOLDER: &str = "runs";

/// Which transcripts a run leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keeping {
    /// One in the home.
    pub in_home: bool,
    /// One there too.
    pub copy: Option<PathBuf>,
}

impl Keeping {
    /// Checks before a run that a copy can be written after it, as far as that can be known.
    ///
    /// # Errors
    /// [`Kind::Usage`] when there is no such folder, or a folder in the place of the file.
    pub(crate) fn check(self) -> Result<Self, Failure> {
        let Some(copy) = self.copy else { return Ok(self) };
        let wrong = |why: String| {
            Failure::new(Kind::Usage, format!("no transcript can be written to {}: {why}", copy.display()))
                .hint("--transcript FILE    with the name of a file in a folder that there is")
        };
        // The working folder may be another one when the run is over.
        let copy = std::path::absolute(&copy).map_err(|error| wrong(error.to_string()))?;
        if !copy.parent().is_some_and(Path::is_dir) {
            return Err(wrong("there is no such folder".to_owned()));
        }
        if copy.is_dir() {
            return Err(wrong("it is a folder".to_owned()));
        }
        Ok(Self { copy: Some(copy), ..self })
    }
}

/// Keeps the transcript of a run that ended at `ended` (UTC seconds) in the home, removes the oldest ones, and returns where it is.
///
/// # Errors
/// [`Kind::HomeUnusable`] when it cannot be written.
pub(crate) fn keep(home: &Home, ended: u64, round: &[u8; 32], bytes: &[u8]) -> Result<PathBuf, Failure> {
    let folder = home.path().join(FOLDER);
    let prefix = round.iter().take(4).map(|byte| format!("{byte:02x}")).collect::<String>();
    let path = folder.join(format!("{}-{prefix}.json", utc_digits(ended)));
    let kept = os::create_private_dir(&folder).and_then(|()| replace(&path, bytes));
    kept.map_err(|error| not_written(&path, &error))?;
    // What is too much does no harm, and the next run tries again.
    let _ = remove_oldest(&folder);
    Ok(path)
}

/// Writes a copy.
///
/// # Errors
/// [`Kind::HomeUnusable`] when it cannot be written.
pub(crate) fn copy(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    replace(path, bytes).map_err(|error| not_written(path, &error))
}

fn not_written(path: &Path, error: &io::Error) -> Failure {
    Failure::new(
        Kind::HomeUnusable,
        format!("no transcript of this run: {} cannot be written: {error}", path.display()),
    )
}

/// Writes beside, flushes, renames: a full disk leaves what there was.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.new", std::process::id()));
    let beside = PathBuf::from(beside);
    let written = os::create_private_file(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&beside, path)
    });
    if written.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    written
}

/// Names begin with the time, so their order is that of the runs. What else is in the folder is not ours, but for what a crash left.
fn remove_oldest(folder: &Path) -> io::Result<()> {
    let mut ours = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("json") => ours.push(path),
            Some("new") => std::fs::remove_file(&path)?,
            _ => {}
        }
    }
    ours.sort_unstable();
    let too_many = ours.len().saturating_sub(KEPT);
    ours.iter().take(too_many).try_for_each(std::fs::remove_file)
}

/// Returns where the home's transcripts are, the newest first.
///
/// # Errors
/// [`Kind::HomeUnusable`] when the folder is there and cannot be read.
pub(crate) fn list(home: &Home) -> Result<Vec<PathBuf>, Failure> {
    let folder = home.path().join(FOLDER);
    let unreadable = |error: io::Error| {
        Failure::new(Kind::HomeUnusable, format!("cannot read {}: {error}", folder.display()))
    };
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(error)),
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path()).map_err(unreadable));
    let mut paths: Vec<PathBuf> = paths.collect::<Result<_, _>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort_unstable_by(|one, other| other.cmp(one));
    // What is too much was not written by us.
    paths.truncate(KEPT);
    Ok(paths)
}

/// Reads a file that may be a transcript.
///
/// # Errors
/// [`Kind::TranscriptUnreadable`] when there is no such file or it cannot be read.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let unreadable = |error: io::Error| {
        Failure::new(Kind::TranscriptUnreadable, format!("{} cannot be read: {error}", path.display()))
    };
    let mut bytes = Vec::new();
    let limit = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    let file = File::open(path).map_err(unreadable)?;
    file.take(limit).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}

/// Reads a DID document, of whichever DID it says that it is.
///
/// # Errors
/// [`Kind::Usage`] when it cannot be read, [`Kind::DidDocumentBroken`] when it is none.
pub(crate) fn document(path: &Path) -> Result<DidDocument, Failure> {
    let unreadable = |error: io::Error| {
        Failure::new(Kind::Usage, format!("the document {} cannot be read: {error}", path.display()))
    };
    let mut bytes = Vec::new();
    let limit = u64::try_from(MAX_DOCUMENT_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    let file = File::open(path).map_err(unreadable)?;
    file.take(limit).read_to_end(&mut bytes).map_err(unreadable)?;
    let claim = serde_json::from_slice::<Value>(&bytes).ok();
    let did = claim.as_ref().and_then(|claim| claim.get("id")?.as_str()).unwrap_or_default();
    DidDocument::from_json(did, &bytes).map_err(|error| {
        Failure::new(Kind::DidDocumentBroken, format!("{} cannot be used: {error}", path.display()))
            .hint("didagent did resolve --json DID > did.json    (writes what the site says today)")
    })
}

/// Returns the SHA-256 of a file in lower-case hexadecimal.
///
/// # Errors
/// [`Kind::Usage`] when it cannot be read.
pub(crate) fn sha256_of(path: &Path) -> Result<String, Failure> {
    let unreadable = |error: io::Error| {
        Failure::new(Kind::Usage, format!("the program {} cannot be read: {error}", path.display()))
    };
    let mut file = File::open(path).map_err(unreadable)?;
    let mut hash = Sha256::new();
    let mut part = vec![0; 64 * 1024];
    loop {
        match file.read(&mut part) {
            Ok(0) => break,
            Ok(length) => hash.update(part.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(unreadable(error)),
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decides TR-40.
    #[test]
    fn the_newest_are_kept_and_what_is_not_ours_stays() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(Some(folder.path().to_owned())).unwrap();
        let count = u64::try_from(KEPT).unwrap() + 3;
        let first = keep(&home, 0, &[0xab; 32], b"0").unwrap();
        assert_eq!(first.file_name().unwrap(), "19700101T000000Z-abababab.json");
        assert!(!os::others_may_read(&first).unwrap());
        let runs = first.parent().unwrap();
        std::fs::write(runs.join("notes.txt"), "mine").unwrap();
        std::fs::write(runs.join("half.json.1.new"), "half").unwrap();
        for ended in 1..count {
            let path = keep(&home, ended, &[1; 32], ended.to_string().as_bytes()).unwrap();
            assert_eq!(std::fs::read(path).unwrap(), ended.to_string().as_bytes());
        }
        let mut names: Vec<_> =
            std::fs::read_dir(runs).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!((names.len(), names.pop().unwrap()), (KEPT + 1, "notes.txt".into()));
        assert_eq!(names[0], "19700101T000003Z-01010101.json");
    }

    #[test]
    fn a_copy_is_whole_or_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("copy.json");
        copy(&path, b"one").unwrap();
        copy(&path, b"two").unwrap();
        assert_eq!(read(&path).unwrap(), b"two");
        let gone = folder.path().join("gone").join("copy.json");
        assert_eq!(copy(&gone, b"x").unwrap_err().kind, Kind::HomeUnusable);
        assert_eq!(read(&gone).unwrap_err().kind, Kind::TranscriptUnreadable);
        let of = |copy: PathBuf| Keeping { in_home: true, copy: Some(copy) }.check();
        assert_eq!(of(gone).unwrap_err().kind, Kind::Usage);
        assert_eq!(of(folder.path().to_owned()).unwrap_err().kind, Kind::Usage);
        assert_eq!(of(path.clone()).unwrap().copy, Some(path));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside");
    }
}
