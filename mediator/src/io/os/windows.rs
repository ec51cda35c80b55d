//! Windows. A file in the user's profile is readable by that user and administrators, which is what inherited access
//! control lists give; nothing is added to them here.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

/// Makes a new file, and its directory if there is none.
pub(in crate::io) fn create_private(path: &Path) -> io::Result<File> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    OpenOptions::new().write(true).create_new(true).open(path)
}

/// Access control lists are not looked at.
pub(in crate::io) fn is_private(_: &File) -> io::Result<bool> {
    Ok(true)
}

/// Resolves at Ctrl-C or when the console or the system is shut down.
pub(in crate::io) fn stop_requested() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::windows::{ctrl_c, ctrl_close, ctrl_shutdown};
    let (mut interrupt, mut close, mut shutdown) = (ctrl_c()?, ctrl_close()?, ctrl_shutdown()?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = close.recv() => {}
            _ = shutdown.recv() => {}
        }
    })
}
