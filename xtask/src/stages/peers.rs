//! Other people's DIDComm software for `interop/`: Pythons and a folder of npm packages, each pinned in a list there.
//!
//! Node and npm are what the machine has (`prerequisites`). Not its concern: peers in Rust, which cargo builds.

use std::fs;
use std::path::{Path, PathBuf};

use super::python::make;
use crate::command::Line;
use crate::failure::{About as _, Failure, Result};
use crate::workshop::Workshop;

/// Lists of Python packages in `interop/peers/python`, with the variable that names the Python to the tests.
const PYTHONS: [(&str, &str); 2] =
    [("sicpa", "DIDAGENT_INTEROP_SICPA"), ("indicio", "DIDAGENT_INTEROP_INDICIO")];

/// What builds the one package that has no wheel, so that pip does not choose its own.
const BUILDER: &str = "interop/peers/python/builder.txt";

/// The lists have the hashes of all files of a version, for every machine.
const PIP: &str = "-m pip install --quiet --disable-pip-version-check --no-deps --require-hashes";

/// The certificate authorities of a Debian machine.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Tells whether exactly the packages of a list are there.
const HAS_ALL: &str = "import sys; from importlib.metadata import version; \
    pins = (w.split('==') for w in open(sys.argv[1]).read().split() if '==' in w); \
    sys.exit(any(version(n) != v for n, v in pins))";

/// Makes those of the normal tests, unless they are there; returns a variable of the environment for each.
pub(super) fn make_all(workshop: &Workshop) -> Result<Vec<(&'static str, PathBuf)>> {
    let mut places = Vec::new();
    for (name, variable) in PYTHONS {
        places.push((variable, python(workshop, name)?));
    }
    places.push(("DIDAGENT_INTEROP_NPM", npm(workshop, "npm")?));
    Ok(places)
}

/// Makes the one that only the soak tests ask.
pub(super) fn make_heavy(workshop: &Workshop) -> Result<(&'static str, PathBuf)> {
    Ok(("DIDAGENT_INTEROP_NPM_HEAVY", npm(workshop, "npm-heavy")?))
}

fn python(workshop: &Workshop, name: &str) -> Result<PathBuf> {
    let folder = format!("python-{name}");
    let python = workshop.made().join(&folder).join("bin").join("python3");
    let list = workshop.root.join("interop/peers/python").join(name).with_extension("txt");
    let has_all = || Line::program(&python).word("-c").word(HAS_ALL).word(&list).succeeds();
    if has_all() {
        println!("there already: {}", workshop.shown(&python));
        return Ok(python);
    }
    make(workshop, &folder, "python3 -m venv")?;
    let pip = || PIP.split_whitespace().fold(Line::program(&python), Line::word);
    workshop.run(["--only-binary", ":all:", "-r", BUILDER].into_iter().fold(pip(), Line::word))?;
    let only_wheels = ["--only-binary", ":all:", "--no-binary", "varint", "--no-build-isolation", "-r"];
    workshop.run(only_wheels.into_iter().fold(pip(), Line::word).word(&list))?;
    if has_all() {
        return Ok(python);
    }
    Err(Failure::check(format!("{} has not what {} lists", python.display(), list.display())))
}

/// A folder with the packages of `interop/peers/NAME`, as its lock file has them, and the scripts beside them.
fn npm(workshop: &Workshop, name: &str) -> Result<PathBuf> {
    let from = workshop.root.join("interop/peers").join(name);
    let to = workshop.made().join(format!("peers-{name}"));
    fs::create_dir_all(&to).about(format!("make {}", to.display()))?;
    let lock = "package-lock.json";
    let same = fs::read(from.join(lock)).ok() == fs::read(to.join(lock)).ok();
    // Written last of all that an installation writes.
    let complete = to.join("node_modules/.package-lock.json").is_file();
    copy_files(&workshop.root.join("interop/peers/npm"), &to)?;
    copy_files(&from, &to)?;
    if same && complete {
        println!("there already: {}", workshop.shown(&to));
        return Ok(to);
    }
    // Nothing that comes along may run when it is installed.
    let line = Line::new("npm ci --ignore-scripts --no-audit --no-fund --loglevel=error --prefix").word(&to);
    // Node brings a list of authorities of its own; the machine may know more, as cargo and pip do then.
    let line = match std::env::var_os("NODE_EXTRA_CA_CERTS") {
        None if Path::new(AUTHORITIES).is_file() => line.with("NODE_EXTRA_CA_CERTS", AUTHORITIES),
        _ => line,
    };
    workshop.run(line)?;
    Ok(to)
}

fn copy_files(from: &Path, to: &Path) -> Result {
    let about = || format!("copy {} to {}", from.display(), to.display());
    for entry in fs::read_dir(from).about(about())? {
        let path = entry.about(about())?.path();
        if let Some(name) = path.file_name().filter(|_| path.is_file()) {
            fs::copy(&path, to.join(name)).about(about())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NPMS: &[&str] = &["npm", "npm-heavy"];

    #[test]
    fn every_package_is_pinned() {
        let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("../interop/peers");
        for name in PYTHONS.map(|(name, _)| name).into_iter().chain(["builder"]) {
            let list = fs::read_to_string(peers.join("python").join(name).with_extension("txt")).unwrap();
            // One package with its hashes is one line that goes on.
            for line in list.replace("\\\n", " ").lines() {
                let (pin, hashes) = line.split_once(' ').expect(line);
                assert!(pin.split("==").count() == 2, "{name}: {line}");
                let is_hash =
                    |word: &str| word.strip_prefix("--hash=sha256:").is_some_and(|hex| hex.len() == 64);
                assert!(hashes.split_whitespace().all(is_hash), "{name}: {line}");
            }
        }
        for name in NPMS {
            let lock = fs::read_to_string(peers.join(name).join("package-lock.json")).unwrap();
            // Also no addresses of those who may be paid: nothing in a lock file leads anywhere.
            assert!(lock.contains("\"integrity\"") && !lock.contains("://"), "{name}");
        }
    }
}
