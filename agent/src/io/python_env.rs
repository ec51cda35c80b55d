//! A Python that has MPyC: the one that is there, or a private one that is made once.
//!
//! The private environment is in the cache folder and can be deleted at any time. Exactly one version of MPyC goes into it,
//! pinned by its hash, and nothing else.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use crate::core::connect::showable;
use crate::failure::{Failure, Kind};
use crate::io::home::cache_dir;
use crate::io::os;
use crate::io::program::mpyc_version;

/// The MPyC that the demo runs.
pub(crate) const MPYC_VERSION: &str = "0.11";

/// MPyC's wheel on PyPI; it is pure Python and needs no other package.
const REQUIREMENTS: &str =
    "mpyc==0.11 --hash=sha256:059ffa3396089ebb77beb43ea2f8040f2a20f3fc7ff6d3c839df3b3f3c28d38e\n";

/// What installs Python with venv on Debian and its relatives.
const INSTALL_PYTHON: &str = "sudo apt-get install -y python3 python3-venv";

/// How long making the environment may take: a download of 200 KB, and unpacking pip on a slow disk.
const SETUP: Duration = Duration::from_secs(300);

/// Returns a Python with MPyC; `tell` hears what is being done when it takes longer.
///
/// # Errors
/// [`Kind::PythonMissing`] or [`Kind::MpycMissing`] with the line that helps.
pub(crate) async fn python_with_mpyc(tell: &mut (dyn FnMut(&str) + Send)) -> Result<PathBuf, Failure> {
    if let Some(given) = std::env::var_os("DIDAGENT_PYTHON") {
        return match mpyc_version(&given).await? {
            Some(_) => Ok(given.into()),
            None => {
                let python = given.display();
                Err(Failure::new(
                    Kind::MpycMissing,
                    format!("DIDAGENT_PYTHON is {python}, which has no MPyC"),
                )
                .hint(format!("{python} -m pip install mpyc=={MPYC_VERSION}")))
            }
        };
    }
    let system = OsString::from("python3");
    let has = mpyc_version(&system)
        .await
        .map_err(|_| Failure::new(Kind::PythonMissing, "there is no python3").hint(INSTALL_PYTHON))?;
    if has.as_deref() == Some(MPYC_VERSION) {
        return Ok(system.into());
    }
    let cache = cache_dir().ok_or_else(|| {
        Failure::new(Kind::HomeUnusable, "there is no cache folder: neither XDG_CACHE_HOME nor HOME is set")
    })?;
    os::create_private_dir(&cache).map_err(|error| failed("make the cache folder", &error))?;
    private_python(&cache, tell).await
}

/// Returns the private environment's Python, made now unless it is there.
async fn private_python(cache: &Path, tell: &mut (dyn FnMut(&str) + Send)) -> Result<PathBuf, Failure> {
    let environment = cache.join(format!("python-mpyc-{MPYC_VERSION}"));
    let python = environment.join("bin").join("python");
    // Two demos at once must not both make it.
    let _lock = lock(&cache.join("python.lock")).await?;
    let there = python.exists().then(|| OsString::from(&python));
    if let Some(there) = there
        && mpyc_version(&there).await.ok().flatten().as_deref() == Some(MPYC_VERSION)
    {
        return Ok(python);
    }
    tell(&format!("preparing a private Python with MPyC {MPYC_VERSION} in {} (once)", environment.display()));
    match std::fs::remove_dir_all(&environment) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(failed("clear the environment", &error));
        }
        _ => {}
    }
    // In the cache folder: with `-m` Python looks for modules in the current folder first.
    let made =
        output(Command::new("python3").args(["-m", "venv"]).arg(&environment).current_dir(cache)).await?;
    if !made.status.success() {
        let _ = std::fs::remove_dir_all(&environment);
        return Err(Failure::new(
            Kind::PythonMissing,
            format!("python3 cannot make a virtual environment: {}", last_line(&made)),
        )
        .hint(INSTALL_PYTHON));
    }
    let requirements = environment.join("requirements.txt");
    std::fs::write(&requirements, REQUIREMENTS).map_err(|error| failed("write the requirements", &error))?;
    let pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--only-binary",
        ":all:",
        "--require-hashes",
        "-r",
    ];
    let installed = output(Command::new(&python).args(pip).arg(&requirements).current_dir(cache)).await?;
    if !installed.status.success() {
        let _ = std::fs::remove_dir_all(&environment);
        return Err(Failure::new(
            Kind::MpycMissing,
            format!("pip could not install MPyC: {}", last_line(&installed)),
        )
        .hint(format!(
            "python3 -m pip install mpyc=={MPYC_VERSION}, or set DIDAGENT_PYTHON to a Python that has it"
        )));
    }
    Ok(python)
}

async fn lock(path: &Path) -> Result<File, Failure> {
    let file = os::open_lock_file(path).map_err(|error| failed("lock the cache folder", &error))?;
    // Waiting for another demo's download blocks, so it has a thread of its own.
    let locked = tokio::task::spawn_blocking(move || file.lock().map(|()| file));
    match timeout(SETUP, locked).await {
        Ok(Ok(Ok(file))) => Ok(file),
        _ => Err(Failure::new(
            Kind::HomeUnusable,
            format!("{} stays locked by another didagent", path.display()),
        )),
    }
}

async fn output(command: &mut Command) -> Result<Output, Failure> {
    let running = command.stdin(Stdio::null()).kill_on_drop(true).output();
    match timeout(SETUP, running).await {
        Ok(output) => output.map_err(|error| failed("start Python", &error)),
        Err(_) => Err(Failure::new(
            Kind::MpycMissing,
            format!("preparing Python took longer than {} s", SETUP.as_secs()),
        )),
    }
}

fn failed(what: &str, error: &std::io::Error) -> Failure {
    Failure::new(Kind::HomeUnusable, format!("cannot {what}: {error}"))
}

fn last_line(output: &Output) -> String {
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    showable(text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("it gave no reason"))
}
