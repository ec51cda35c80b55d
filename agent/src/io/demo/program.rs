//! A person's own program for the demo: looked at before anything is started.
//!
//! A mistake in the command line would otherwise show as the failure of some party, once for each of them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use crate::failure::{Failure, Kind};
use crate::io::program::{Comparing, Program};

/// Compiles a program without running it; says in one line what is wrong with it.
const COMPILE: &str = "
import sys
try:
    with open(sys.argv[1], 'rb') as file:
        compile(file.read(), sys.argv[1], 'exec', dont_inherit=True)
except SyntaxError as error:
    sys.exit(f'line {error.lineno}: {error.msg}' if error.lineno else str(error.msg))
except Exception as error:
    sys.exit(str(error))
";

/// How long Python may take to compile it: a cold start from a slow disk, and a long program.
const LOOK: Duration = Duration::from_secs(60);

/// Says whether there is a file to run.
///
/// # Errors
/// [`Kind::CommandNotFound`], or [`Kind::CommandNotExecutable`] for what is there and is no file that can be read.
pub(super) fn look_at(program: &Path) -> Result<(), Failure> {
    let shown = program.display();
    let metadata = std::fs::metadata(program).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => {
            Failure::new(Kind::CommandNotFound, format!("there is no program {shown}"))
                .hint("check the path after --program")
        }
        _ => Failure::new(Kind::CommandNotExecutable, format!("{shown} cannot be looked at: {error}")),
    })?;
    if metadata.is_dir() {
        return Err(Failure::new(Kind::CommandNotExecutable, format!("{shown} is a folder"))
            .hint("give the Python file in it that starts the program"));
    }
    if !metadata.is_file() {
        return Err(Failure::new(Kind::CommandNotExecutable, format!("{shown} is not a file")));
    }
    std::fs::File::open(program)
        .map(drop)
        .map_err(|error| Failure::new(Kind::CommandNotExecutable, format!("{shown} cannot be read: {error}")))
}

/// Returns the command that every party runs, once it is certain that it can be started.
///
/// # Errors
/// [`Kind::CommandNotExecutable`] when it is not Python, [`Kind::Usage`] when an argument is one that didagent gives.
pub(super) async fn command(
    python: &Path,
    program: &Path,
    arguments: &[OsString],
) -> Result<Vec<OsString>, Failure> {
    let mut command = vec![python.as_os_str().to_owned(), script(program).into_os_string()];
    command.extend_from_slice(arguments);
    // First what a compiler says of it, in more words than a comparison has.
    compiles(python, program).await?;
    Program::check(command.clone(), Comparing::default()).await?;
    Ok(command)
}

/// A name that begins with a dash would be an option of Python's.
fn script(program: &Path) -> PathBuf {
    match program.as_os_str().as_encoded_bytes().first() {
        Some(b'-') => Path::new(".").join(program),
        _ => program.to_owned(),
    }
}

async fn compiles(python: &Path, program: &Path) -> Result<(), Failure> {
    // Isolated: a module beside the program with a name of the standard library's is for the program alone.
    let asked = Command::new(python)
        .args(["-I", "-c", COMPILE])
        .arg(script(program))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .output();
    let shown = program.display();
    match timeout(LOOK, asked).await {
        Ok(Ok(output)) if output.status.success() => Ok(()),
        Ok(Ok(output)) => {
            let said = String::from_utf8_lossy(&output.stderr);
            // Warnings of the compiler come first.
            let why = said.trim_end().lines().last().unwrap_or_default();
            Err(Failure::new(
                Kind::CommandNotExecutable,
                format!("{shown} is not a program that this Python understands: {why}"),
            )
            .hint(format!("{} {}", python.display(), script(program).display())))
        }
        Ok(Err(error)) => {
            let python = python.display();
            Err(Failure::new(Kind::CommandNotExecutable, format!("{python} cannot be started: {error}")))
        }
        Err(_) => Err(Failure::new(
            Kind::CommandNotExecutable,
            format!("Python did not read {shown} within {} s", LOOK.as_secs()),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_that_are_there_are_programs() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing.py");
        assert_eq!(look_at(&missing).unwrap_err().kind, Kind::CommandNotFound);
        assert_eq!(look_at(&missing.join("below")).unwrap_err().kind, Kind::CommandNotFound);
        assert_eq!(look_at(folder.path()).unwrap_err().kind, Kind::CommandNotExecutable);
        assert_eq!(look_at(Path::new("/dev/null")).unwrap_err().kind, Kind::CommandNotExecutable);
        let file = folder.path().join("program.py");
        std::fs::write(&file, "").unwrap();
        look_at(&file).unwrap();
        assert_eq!(look_at(&file.join("below")).unwrap_err().kind, Kind::CommandNotFound);
    }

    #[test]
    fn a_name_is_never_an_option() {
        assert_eq!(script(Path::new("-c")), Path::new("./-c"));
        assert_eq!(script(Path::new("a/-c.py")), Path::new("a/-c.py"));
    }
}
