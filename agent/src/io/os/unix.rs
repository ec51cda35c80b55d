//! Unix: private files, termination requests to processes, the local socket.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

/// Longest path of a unix socket that every system takes: macOS has 104 bytes with the closing zero.
const MAX_SOCKET_PATH: usize = 103;

/// Stream of the local socket.
pub(crate) type LocalStream = tokio::net::UnixStream;

/// Makes a folder and its parents; the last one is for its owner alone.
pub(crate) fn create_private_dir(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    DirBuilder::new().mode(0o700).create(path)
}

/// Creates a file that did not exist, for its owner alone.
pub(crate) fn create_private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Opens or creates a file that carries a lock; the lock's content is not secret but nobody else's either.
pub(crate) fn open_lock_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// Says whether others than the owner may read the file.
pub(crate) fn others_may_read(path: &Path) -> io::Result<bool> {
    Ok(std::fs::metadata(path)?.permissions().mode() & 0o077 != 0)
}

/// Listens on the local socket at `path`, which only the owner may use. An old socket file is replaced: the caller
/// holds the home's lock, so nobody listens on it.
pub(crate) fn bind_local(path: &Path) -> io::Result<LocalListener> {
    if let Some(parent) = path.parent() {
        create_private_dir(parent)?;
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = tokio::net::UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(LocalListener { listener, path: path.to_owned() })
}

/// Connects to the local socket at `path`.
pub(crate) async fn connect_local(path: &Path) -> io::Result<LocalStream> {
    tokio::net::UnixStream::connect(path).await
}

/// Returns where the local socket of `home` is: in the home, or, when that path is too long for a socket, in a private
/// folder among the temporary files.
pub(crate) fn local_socket_path(home: &Path) -> PathBuf {
    let inside = home.join("engine.sock");
    if inside.as_os_str().len() <= MAX_SOCKET_PATH {
        return inside;
    }
    let digest = Sha256::digest(home.as_os_str().as_encoded_bytes());
    let name: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    std::env::temp_dir().join(format!("didagent-{name}")).join("engine.sock")
}

/// The listening local socket; its file goes when it is dropped.
#[derive(Debug)]
pub(crate) struct LocalListener {
    listener: tokio::net::UnixListener,
    path: PathBuf,
}

impl LocalListener {
    /// Waits for the next connection.
    pub(crate) async fn accept(&self) -> io::Result<LocalStream> {
        self.listener.accept().await.map(|(stream, _)| stream)
    }
}

impl Drop for LocalListener {
    fn drop(&mut self) {
        // Best effort: a leftover file is replaced by the next engine.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Asks the process `pid` to end (SIGTERM).
pub(crate) fn ask_to_end(pid: u32) -> io::Result<()> {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    let pid = pid.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    Ok(rustix::process::kill_process(pid, rustix::process::Signal::TERM)?)
}

/// Returns a shell's exit code for a finished process: its own, or 128 + the signal that ended it.
pub(crate) fn shell_code(status: std::process::ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt as _;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    u8::try_from(code).unwrap_or(1)
}

/// Requests to end the whole command: Ctrl-C, and SIGTERM and SIGHUP from others.
#[derive(Debug)]
pub(crate) struct EndRequests {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

impl EndRequests {
    /// Begins to listen; from now on these signals no longer end the process by themselves.
    pub(crate) fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next request.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}

/// Says whether the file may be executed by somebody; the system has the last word when it is started.
pub(crate) fn is_executable(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o111 != 0)
}
