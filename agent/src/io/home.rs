//! The home folder: identity, contacts, the mediator in use, and the lock that makes one engine of it.
//!
//! ```text
//! HOME/identity.json   0600  the long-term keys; made on first use, never overwritten
//! HOME/contacts.json   0600  who was met
//! HOME/nonce.json      0600  of the room that is waited in (`nonce`)
//! HOME/room.json       0600  of the room that is hosted, while seats are free (`engine::keeper`)
//! HOME/one-use.json    0600  keys that were made for that room alone (`one_use`)
//! HOME/mediator.json   0600  the mediator in use
//! HOME/dids.json       0600  documents of DIDs that were fetched, for as long as they count
//! HOME/lists.json      0600  status lists of issuers that were fetched, the same
//! HOME/credentials.json 0600 the credentials that this home holds
//! HOME/credentials.lock 0600 locked while a command changes them
//! HOME/issued.json     0600  those that it has issued, and which it has revoked
//! HOME/credential-status.jwt 0600  the list of revoked ones, to publish
//! HOME/did.json        0600  the document to publish, of a home whose identity was made with a did:web
//! HOME/engine.lock     0600  locked while an engine runs; says who holds it
//! HOME/engine.sock     0600  where other commands on the home attach
//! HOME/run/            0700  files of the current run, removed at its end
//! HOME/runs/           0700  transcripts of the newest runs (`io::transcripts`)
//! ```
//!
//! A file is replaced as a whole: written beside, flushed, renamed. A full disk leaves the old one.

use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use didagent_bridge::launch::LAUNCHER_SOURCE;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use zeroize::Zeroizing;

use crate::core::contacts::Contacts;
use crate::core::credential::held::Held;
use crate::core::credential::issued::{Issued, STATUS_FILE};
use crate::core::did_cache::DidCache;
use crate::core::identity::Identity;
use crate::failure::{Failure, Kind};
use crate::io::{os, system_rng};

/// A file of ours is a few KB, the contacts at most about 5 MB: whatever is larger was not written by us.
const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;

/// The digests that the launcher checks, beside the launcher.
const AGREED: &str = "agreed.json";

/// The file next to the launcher in which it notes whether the program is inside MPyC, `spec/bridge.md`, "Launcher".
const MPYC_STATE: &str = "mpyc";

/// A home folder.
#[derive(Debug, Clone)]
pub struct Home {
    path: PathBuf,
}

/// The mediator that a home uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediatorChoice {
    /// The mediator's DID.
    pub did: String,
    /// Those to take when it cannot be reached, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<String>,
}

impl MediatorChoice {
    /// Makes the choice of these DIDs, the preferred one first; `None` when there are none.
    pub fn of(dids: Vec<String>) -> Option<Self> {
        let mut dids = dids.into_iter();
        Some(Self { did: dids.next()?, others: dids.collect() })
    }

    /// Returns all DIDs, the preferred one first.
    pub fn all(self) -> Vec<String> {
        let mut all = vec![self.did];
        all.extend(self.others);
        all
    }
}

/// Proof that this process is the home's one engine. Dropping it gives the home back.
#[derive(Debug)]
pub struct EngineLock {
    _file: File,
}

impl Home {
    /// Returns the home at `path`, or the default one. The folder is made when something is written to it.
    ///
    /// # Errors
    /// [`Kind::HomeUnusable`] when there is no default because neither `XDG_DATA_HOME` nor `HOME` is set.
    pub fn at(path: Option<PathBuf>) -> Result<Self, Failure> {
        let path = match path {
            Some(path) => path,
            None => data_dir().ok_or_else(|| {
                Failure::new(
                    Kind::HomeUnusable,
                    "there is no home folder: neither XDG_DATA_HOME nor HOME is set",
                )
                .hint("didagent --home DIR ...")
            })?,
        };
        // The engine and the program that it supervises may have different working folders.
        let path = std::path::absolute(&path).map_err(|error| unusable("find", &path, &error))?;
        Ok(Self { path })
    }

    /// Returns the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the identity, if there is one.
    ///
    /// # Errors
    /// [`Kind::IdentityBroken`] when the file is not an identity or others may read it, [`Kind::HomeUnusable`] when it
    /// cannot be read.
    pub fn identity(&self) -> Result<Option<Identity>, Failure> {
        let Some(bytes) = self.read_secret("identity.json")? else { return Ok(None) };
        Identity::from_file(&bytes).map(Some).map_err(|error| {
            let path = self.path.join("identity.json");
            Failure::new(Kind::IdentityBroken, format!("{} is not an identity file: {error}", path.display()))
        })
    }

    /// Reads a file with keys, unless others may read it too.
    ///
    /// # Errors
    /// [`Kind::IdentityBroken`] when others may, [`Kind::HomeUnusable`] when it cannot be read.
    pub(crate) fn read_secret(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
        let path = self.path.join(name);
        let Some(bytes) = read_file(&path)? else { return Ok(None) };
        if os::others_may_read(&path).map_err(|error| unusable("read", &path, &error))? {
            let shown = path.display();
            return Err(Failure::new(
                Kind::IdentityBroken,
                format!("others may read the identity file {shown}"),
            )
            .hint(format!("chmod 600 '{shown}'")));
        }
        Ok(Some(bytes))
    }

    /// Writes a file with keys.
    ///
    /// # Errors
    /// [`Kind::HomeUnusable`] when it cannot be written.
    pub(crate) fn write_secret(&self, name: &str, bytes: &[u8]) -> Result<(), Failure> {
        self.write(name, bytes, Existing::Replace)
    }

    /// Reads the identity, or makes one.
    ///
    /// # Errors
    /// As [`Home::identity`], and [`Kind::HomeUnusable`] when a new one cannot be written.
    pub fn identity_or_new(&self) -> Result<Identity, Failure> {
        if let Some(identity) = self.identity()? {
            return Ok(identity);
        }
        let identity = Identity::generate(&mut system_rng()?);
        self.write("identity.json", &identity.to_file(), Existing::Keep)?;
        // Another command may have been first: the file decides.
        self.identity()?.ok_or_else(|| Failure::new(Kind::HomeUnusable, "the identity file vanished"))
    }

    /// Reads the contacts; none yet is an empty book.
    ///
    /// # Errors
    /// [`Kind::HomeUnusable`] when the file cannot be read as contacts.
    pub fn contacts(&self) -> Result<Contacts, Failure> {
        Ok(self.read_json("contacts.json")?.unwrap_or_default())
    }

    /// Writes the contacts.
    ///
    /// # Errors
    /// [`Kind::HomeUnusable`] when the file cannot be written.
    pub fn write_contacts(&self, contacts: &Contacts) -> Result<(), Failure> {
        self.write_json("contacts.json", contacts)
    }

    /// Reads which mediator this home uses.
    ///
    /// # Errors
    /// [`Kind::HomeUnusable`] when the file cannot be read.
    pub fn mediator(&self) -> Result<Option<MediatorChoice>, Failure> {
        self.read_json("mediator.json")
    }

    /// Writes which mediator this home uses.
    ///
    /// # Errors
    /// [`Kind::HomeUnusable`] when the file cannot be written.
    pub fn write_mediator(&self, choice: &MediatorChoice) -> Result<(), Failure> {
        self.write_json("mediator.json", choice)
    }

    /// Reads the documents that were fetched. A file that is none is as good as no file: everything in it can be fetched again.
    pub(crate) fn did_cache(&self) -> DidCache {
        self.read_json("dids.json").ok().flatten().unwrap_or_default()
    }

    /// Writes the documents that were fetched.
    ///
    /// # Errors
    /// [`Kind::HomeUnusable`] when the file cannot be written.
    pub(crate) fn write_did_cache(&self, cache: &DidCache) -> Result<(), Failure> {
        self.write_json("dids.json", cache)
    }

    /// Reads the status lists that were fetched, as [`Home::did_cache`].
    pub(crate) fn list_cache(&self) -> DidCache {
        self.read_json("lists.json").ok().flatten().unwrap_or_default()
    }

    /// Writes the status lists that were fetched.
    ///
    /// # Errors
    /// [`Kind::HomeUnusable`] when the file cannot be written.
    pub(crate) fn write_list_cache(&self, cache: &DidCache) -> Result<(), Failure> {
        self.write_json("lists.json", cache)
    }

    /// Waits until no other command changes the credentials of this home; an engine only reads them.
    ///
    /// # Errors
    /// [`Kind::HomeUnusable`] when the file cannot be locked.
    pub(crate) fn lock_credentials(&self) -> Result<File, Failure> {
        self.create()?;
        let path = self.path.join("credentials.lock");
        let file = os::open_lock_file(&path).map_err(|error| unusable("lock", &path, &error))?;
        file.lock().map_err(|error| unusable("lock", &path, &error))?;
        Ok(file)
    }

    /// Reads the credentials that this home holds; none yet is an empty list.
    ///
    /// # Errors
    /// [`Kind::HomeUnusable`] when the file cannot be read as credentials.
    pub(crate) fn held(&self) -> Result<Held, Failure> {
        Ok(self.read_json("credentials.json")?.unwrap_or_default())
    }

    /// Writes the credentials that this home holds.
    ///
    /// # Errors
    /// [`Kind::HomeUnusable`] when the file cannot be written.
    pub(crate) fn write_held(&self, held: &Held) -> Result<(), Failure> {
        self.write_json("credentials.json", held)
    }

    /// Reads the credentials that this home has issued; none yet is an empty list.
    ///
    /// # Errors
    /// [`Kind::HomeUnusable`] when the file cannot be read as such.
    pub(crate) fn issued(&self) -> Result<Issued, Failure> {
        Ok(self.read_json("issued.json")?.unwrap_or_default())
    }

    /// Writes the credentials that this home has issued.
    ///
    /// # Errors
    /// [`Kind::HomeUnusable`] when the file cannot be written.
    pub(crate) fn write_issued(&self, issued: &Issued) -> Result<(), Failure> {
        self.write_json("issued.json", issued)
    }

    /// Writes the list of revoked credentials to publish, and returns where it is.
    ///
    /// # Errors
    /// [`Kind::HomeUnusable`] when the file cannot be written.
    pub(crate) fn write_status_list(&self, list: &str) -> Result<PathBuf, Failure> {
        self.write(STATUS_FILE, format!("{list}\n").as_bytes(), Existing::Replace)?;
        Ok(self.path.join(STATUS_FILE))
    }

    /// Reads the document to publish, of a home whose identity was made with a did:web.
    ///
    /// # Errors
    /// [`Kind::HomeUnusable`] when the file cannot be read as JSON.
    pub(crate) fn did_document(&self) -> Result<Option<serde_json::Value>, Failure> {
        self.read_json("did.json")
    }

    /// Writes the document to publish, and returns where it is.
    ///
    /// # Errors
    /// [`Kind::HomeUnusable`] when the file cannot be written.
    pub(crate) fn write_did_document(&self, json: &str) -> Result<PathBuf, Failure> {
        self.write("did.json", format!("{json}\n").as_bytes(), Existing::Replace)?;
        Ok(self.path.join("did.json"))
    }

    /// Becomes the home's one engine, for the command called `command`.
    ///
    /// # Errors
    /// [`Kind::HomeHeld`] names who holds it.
    pub fn lock(&self, command: &str) -> Result<EngineLock, Failure> {
        self.create()?;
        let path = self.path.join("engine.lock");
        let mut file = os::open_lock_file(&path).map_err(|error| unusable("lock", &path, &error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = (&mut file).take(200).read_to_string(&mut holder);
                let holder = if holder.trim().is_empty() { "another didagent" } else { holder.trim() };
                let shown = self.path.display();
                return Err(Failure::new(Kind::HomeHeld, format!("the home {shown} is in use by {holder}"))
                    .hint("end that command, or use another home with --home DIR"));
            }
            Err(TryLockError::Error(error)) => return Err(unusable("lock", &path, &error)),
        }
        let holder = format!("`didagent {command}` (process {})\n", std::process::id());
        let written =
            file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(holder.as_bytes()));
        written.map_err(|error| unusable("write", &path, &error))?;
        Ok(EngineLock { _file: file })
    }

    /// Returns the folder for files of the current run, empty.
    ///
    /// # Errors
    /// [`Kind::HomeUnusable`] when it cannot be made.
    pub fn fresh_run_dir(&self) -> Result<RunDir, Failure> {
        self.create()?;
        let path = self.path.join("run");
        match std::fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(unusable("clear", &path, &error));
            }
            _ => {}
        }
        os::create_private_dir(&path).map_err(|error| unusable("make", &path, &error))?;
        Ok(RunDir { path })
    }

    fn create(&self) -> Result<(), Failure> {
        os::create_private_dir(&self.path).map_err(|error| unusable("make", &self.path, &error))
    }

    pub(crate) fn read_json<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Failure> {
        let path = self.path.join(name);
        let Some(bytes) = read_file(&path)? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            let shown = path.display();
            Failure::new(Kind::HomeUnusable, format!("{shown} is damaged: {error}"))
                .hint(format!("mv '{shown}' '{shown}.damaged'"))
        })
    }

    /// Reads a file, if it is there.
    ///
    /// # Errors
    /// [`Kind::HomeUnusable`] when it cannot be read.
    pub(crate) fn read(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
        read_file(&self.path.join(name))
    }

    /// Replaces a file as a whole.
    ///
    /// # Errors
    /// [`Kind::HomeUnusable`] when it cannot be written.
    pub(crate) fn write_file(&self, name: &str, bytes: &[u8]) -> Result<(), Failure> {
        self.write(name, bytes, Existing::Replace)
    }

    /// Removes a file, if it is there. It does not come back when the machine loses its power.
    ///
    /// # Errors
    /// [`Kind::HomeUnusable`] when it cannot be removed.
    pub(crate) fn remove(&self, name: &str) -> Result<(), Failure> {
        let path = self.path.join(name);
        match std::fs::remove_file(&path) {
            Ok(()) => os::sync_folder(&self.path).map_err(|error| unusable("remove", &path, &error)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(unusable("remove", &path, &error)),
        }
    }

    pub(crate) fn write_json<T: Serialize>(&self, name: &str, value: &T) -> Result<(), Failure> {
        let bytes = serde_json::to_vec_pretty(value).map_err(|error| {
            Failure::new(Kind::Other, format!("{name} cannot be written as JSON: {error}"))
        })?;
        self.write(name, &bytes, Existing::Replace)
    }

    fn write(&self, name: &str, bytes: &[u8], existing: Existing) -> Result<(), Failure> {
        self.create()?;
        let path = self.path.join(name);
        let beside = self.path.join(format!("{name}.{}.new", std::process::id()));
        let write = || -> io::Result<()> {
            let mut file = os::create_private_file(&beside)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            match existing {
                Existing::Replace => std::fs::rename(&beside, &path),
                Existing::Keep => match std::fs::hard_link(&beside, &path) {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
                    _ => std::fs::remove_file(&beside),
                },
            }
        };
        write().map_err(|error| {
            let _ = std::fs::remove_file(&beside);
            unusable("write", &path, &error)
        })
    }
}

/// The folder of the current run; removed when dropped.
#[derive(Debug)]
pub struct RunDir {
    path: PathBuf,
}

impl RunDir {
    /// Writes the launcher, which keeps the port of a Python program on loopback, and returns where it is.
    ///
    /// # Errors
    /// [`Kind::HomeUnusable`] when it cannot be written.
    pub fn write_launcher(&self) -> Result<PathBuf, Failure> {
        self.write(MPYC_STATE, b"0")?;
        self.write("launcher.py", LAUNCHER_SOURCE.as_bytes())
    }

    /// Writes what the launcher checks when the program starts.
    ///
    /// # Errors
    /// [`Kind::HomeUnusable`] when it cannot be written.
    pub(crate) fn write_agreed(&self, agreed: &[u8]) -> Result<(), Failure> {
        self.write(AGREED, agreed).map(drop)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, Failure> {
        let path = self.path.join(name);
        os::create_private_file(&path)
            .and_then(|mut file| file.write_all(bytes))
            .map_err(|error| unusable("write", &path, &error))?;
        Ok(path)
    }

    /// Says whether the program is inside MPyC, from its start to the end of its shutdown. `false` also for a program that does
    /// not run under the launcher.
    pub(crate) fn is_in_mpyc(&self) -> bool {
        std::fs::read(self.path.join(MPYC_STATE)).is_ok_and(|state| state.starts_with(b"1"))
    }
}

impl Drop for RunDir {
    fn drop(&mut self) {
        // Best effort: the next run clears it.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

#[derive(Clone, Copy)]
enum Existing {
    Keep,
    Replace,
}

/// Returns the default home: `didagent` in the folder for user data (XDG base directory specification).
fn data_dir() -> Option<PathBuf> {
    xdg_dir("XDG_DATA_HOME", ".local/share").map(|dir| dir.join("didagent"))
}

/// Returns the folder for files that can be made again: `didagent` in the cache folder.
pub(crate) fn cache_dir() -> Option<PathBuf> {
    xdg_dir("XDG_CACHE_HOME", ".cache").map(|dir| dir.join("didagent"))
}

fn xdg_dir(variable: &str, below_home: &str) -> Option<PathBuf> {
    // The specification says that a relative path must be ignored.
    let set = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    set(variable).or_else(|| set("HOME").map(|home| home.join(below_home)))
}

fn read_file(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unusable("read", path, &error)),
    };
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(MAX_FILE_BYTES).read_to_end(&mut bytes).map_err(|error| unusable("read", path, &error))?;
    Ok(Some(bytes))
}

fn unusable(what: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::new(Kind::HomeUnusable, format!("cannot {what} {}: {error}", path.display()))
        .hint("check the folder's owner and free space, or use another with --home DIR")
}
