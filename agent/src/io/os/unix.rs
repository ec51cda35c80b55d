//! Unix: private files, termination requests to processes, the local socket.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

/// Longest path of a unix socket that every system takes: macOS has 104 bytes with the closing zero.
const MAX_SOCKET_PATH: usize = 103;

/// Stream of the local socket.
pub(crate) type LocalStream = tokio::net::UnixStream;

/// Makes a folder and its parents; the last one is for its owner alone. One that is there already must be a folder of ours
/// that nobody else can write to: in a folder of somebody else, keys and sockets could be swapped.
pub(crate) fn create_private_dir(path: &Path) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => check_ours(path),
        result => result,
    }
}

fn check_ours(path: &Path) -> io::Result<()> {
    // A link to a folder of ours is as good as the folder, so links are followed here; what counts is who owns the target.
    let metadata = std::fs::metadata(path)?;
    if !metadata.is_dir() {
        return Err(io::Error::other("it is not a folder"));
    }
    let ours = rustix::process::geteuid().as_raw();
    if metadata.uid() != ours {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the folder belongs to another user"));
    }
    if metadata.mode() & 0o022 != 0 {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "others may write to the folder (chmod go-w)",
        ));
    }
    Ok(())
}

/// Creates a file that did not exist, for its owner alone.
pub(crate) fn create_private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Opens or creates a file that carries a lock; the lock's content is not secret but nobody else's either.
pub(crate) fn open_lock_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// Makes what was removed from a folder stay removed.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Says whether others than the owner may read the file.
pub(crate) fn others_may_read(path: &Path) -> io::Result<bool> {
    Ok(std::fs::metadata(path)?.permissions().mode() & 0o077 != 0)
}

/// Listens on the local socket at `path`, which only the owner may use. An old socket file is replaced: the caller
/// holds the home's lock, so nobody listens on it.
pub(crate) fn bind_local(path: &Path) -> io::Result<(LocalListener, SocketFile)> {
    if let Some(parent) = path.parent() {
        create_private_dir(parent)?;
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = tokio::net::UnixListener::bind(path)?;
    let file = SocketFile(path.to_owned());
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok((LocalListener(listener), file))
}

/// Connects to the local socket at `path`, if it is ours: its folder must be one that nobody else can write to.
pub(crate) async fn connect_local(path: &Path) -> io::Result<LocalStream> {
    if let Some(folder) = path.parent() {
        check_ours(folder)?;
    }
    tokio::net::UnixStream::connect(path).await
}

/// Returns where the local socket of `home` is: in the home, or, when that path is too long for a socket, in a private
/// folder among the user's runtime files, or the temporary ones.
pub(crate) fn local_socket_path(home: &Path) -> PathBuf {
    let inside = home.join("engine.sock");
    if inside.as_os_str().len() <= MAX_SOCKET_PATH {
        return inside;
    }
    let digest = Sha256::digest(home.as_os_str().as_encoded_bytes());
    let name: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
    runtime.unwrap_or_else(std::env::temp_dir).join(format!("didagent-{name}")).join("engine.sock")
}

/// The listening local socket.
#[derive(Debug)]
pub(crate) struct LocalListener(tokio::net::UnixListener);

impl LocalListener {
    /// Waits for the next connection.
    pub(crate) async fn accept(&self) -> io::Result<LocalStream> {
        self.0.accept().await.map(|(stream, _)| stream)
    }
}

/// The file of a listening local socket, which goes when this is dropped. Not a part of the listener: that one belongs to a task,
/// and a process may end before its tasks are dropped.
#[derive(Debug)]
pub(crate) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Best effort: a leftover file is replaced by the next engine.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Asks the process `pid` to end (SIGTERM).
pub(crate) fn ask_to_end(pid: u32) -> io::Result<()> {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    let pid = pid.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    Ok(rustix::process::kill_process(pid, rustix::process::Signal::TERM)?)
}

/// Puts a program into a process group of its own: signals of the terminal do not reach it, and what it starts can be ended
/// with it.
pub(crate) fn own_group(command: &mut tokio::process::Command) {
    command.process_group(0);
}

/// Asks the process `pid`, and its group if it has one of its own, to end (SIGTERM).
pub(crate) fn ask_group_to_end(pid: u32) -> io::Result<()> {
    signal_group(pid, rustix::process::Signal::TERM).or_else(|_| ask_to_end(pid))
}

/// Kills what is left of the group that the process `pid` had of its own.
pub(crate) fn kill_group(pid: u32) -> io::Result<()> {
    signal_group(pid, rustix::process::Signal::KILL)
}

/// Fails when there is no group of that number, which is so when the process shares ours.
fn signal_group(pid: u32, signal: rustix::process::Signal) -> io::Result<()> {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    let pid = pid.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    Ok(rustix::process::kill_process_group(pid, signal)?)
}

/// Returns a shell's exit code for a finished process: its own, or 128 + the signal that ended it.
pub(crate) fn shell_code(status: std::process::ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt as _;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    u8::try_from(code).unwrap_or(1)
}

/// Requests to end the whole command: Ctrl-C, SIGTERM and SIGHUP from others.
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

/// Signals that mean something to the program and nothing to us: SIGUSR1 and SIGUSR2.
#[derive(Debug)]
pub(crate) struct PassedOn {
    first: tokio::signal::unix::Signal,
    second: tokio::signal::unix::Signal,
}

impl PassedOn {
    /// Begins to listen; from now on these signals no longer end the process by themselves.
    pub(crate) fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { first: signal(SignalKind::user_defined1())?, second: signal(SignalKind::user_defined2())? })
    }

    /// Hands each of them on to the process `pid`, a child that the caller waits for with the same task.
    pub(crate) async fn hand_on<T>(&mut self, pid: Option<u32>) -> T {
        use rustix::process::Signal;
        let pid = pid.and_then(|pid| i32::try_from(pid).ok()).and_then(rustix::process::Pid::from_raw);
        loop {
            let signal = tokio::select! {
                _ = self.first.recv() => Signal::USR1,
                _ = self.second.recv() => Signal::USR2,
            };
            if let Some(pid) = pid {
                // One that has ended just now wants no signal.
                let _ = rustix::process::kill_process(pid, signal);
            }
        }
    }
}

/// Returns the name of the account that this process runs as, if the system's list has it.
pub(crate) fn account_name() -> Option<String> {
    // Longer lists belong to networks, whose names are not in this file anyway.
    const MAX_LIST: u64 = 1024 * 1024;
    let mut list = String::new();
    let file = std::fs::File::open("/etc/passwd").ok()?;
    io::Read::read_to_string(&mut io::Read::take(file, MAX_LIST), &mut list).ok()?;
    let ours = rustix::process::getuid().as_raw().to_string();
    let name = |line: &str| {
        let mut fields = line.split(':');
        let (name, uid) = (fields.next()?, fields.nth(1)?);
        (uid == ours).then(|| name.to_owned())
    };
    list.lines().find_map(name)
}

/// Says whether a file could not be started because its content is no program: a script without a first line, or a program for
/// another processor.
pub(crate) fn is_no_program(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::NOEXEC.raw_os_error())
}

/// Says whether the file may be executed by somebody; the system has the last word when it is started.
pub(crate) fn is_executable(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decides LP-01.
    #[test]
    fn a_folder_that_others_can_write_to_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("folder");
        create_private_dir(&folder).unwrap();
        assert_eq!(std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        create_private_dir(&folder).unwrap();
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(create_private_dir(&folder).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        std::fs::write(parent.path().join("file"), "").unwrap();
        assert!(create_private_dir(&parent.path().join("file")).is_err());
    }

    /// Decides LP-01.
    #[test]
    fn the_socket_of_a_deep_home_has_a_short_path() {
        let deep = PathBuf::from("/").join("x".repeat(200));
        assert!(local_socket_path(&deep).as_os_str().len() <= MAX_SOCKET_PATH);
        assert_ne!(local_socket_path(&deep), local_socket_path(&deep.join("y")));
        assert_eq!(local_socket_path(Path::new("/short")), Path::new("/short/engine.sock"));
    }
}
