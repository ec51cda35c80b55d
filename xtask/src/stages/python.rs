//! Private Pythons for tests, so that nothing depends on what a machine happens to have.

use std::fs;
use std::path::{Path, PathBuf};

use crate::command::Line;
use crate::failure::{About as _, Failure, Result};
use crate::workshop::Workshop;

/// Exactly this wheel; it is pure Python and needs no other package.
const REQUIREMENTS: &str =
    "mpyc==0.11 --hash=sha256:059ffa3396089ebb77beb43ea2f8040f2a20f3fc7ff6d3c839df3b3f3c28d38e\n";

/// One of another version, which a test puts in front of the right one.
const OLD_REQUIREMENTS: &str =
    "mpyc==0.9 --hash=sha256:b0f89df1d83e9eaa9827ab34ce6f95f77fdee9d07bd038ee8d93f2ae875e310a\n";

/// Succeeds with the right MPyC and not with another.
const HAS_MPYC: &str = "import mpyc, sys; sys.exit(mpyc.__version__ != '0.11')";

/// Succeeds in a virtual environment without any MPyC.
const IS_BARE: &str = "import importlib.util, sys; sys.exit(sys.prefix == sys.base_prefix or importlib.util.find_spec('mpyc') is not None)";

/// Beside MPyC in a Python of its own: MPyC works differently when numpy is there. Any version with a wheel for this Python; the
/// wheels differ by machine, so no hash could name them all.
const NUMPY: &str = "numpy>=1.26,<3";

/// Succeeds with both.
const HAS_NUMPY: &str = "import mpyc, numpy, sys; sys.exit(mpyc.__version__ != '0.11')";

/// Succeeds with the packages of `spec/reference/requirements.txt`.
const HAS_REFERENCE: &str = "import sys; from importlib.metadata import version; sys.exit((version('cryptography'), version('kyber-py')) != ('50.0.2', '1.2.0'))";

const PIP: &str = "-m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all:";

/// Makes them, unless they are there.
pub(super) fn run(workshop: &Workshop) -> Result {
    with_mpyc(workshop, "python", &workshop.python(), HAS_MPYC, None)?;
    with_mpyc(workshop, "python-numpy", &workshop.python_numpy(), HAS_NUMPY, Some(NUMPY))?;
    old_mpyc(workshop)?;
    let bare = workshop.python_bare();
    if says_yes(&bare, IS_BARE) {
        println!("there already: {}", workshop.shown(&bare));
        return Ok(());
    }
    make(workshop, "python-bare", "python3 -m venv --without-pip")?;
    check(&bare, IS_BARE)
}

/// A Python with what `spec/reference` needs, as it stands in its list.
pub(super) fn with_reference(workshop: &Workshop) -> Result<PathBuf> {
    let python = workshop.made().join("python-reference").join("bin").join("python3");
    if says_yes(&python, HAS_REFERENCE) {
        println!("there already: {}", workshop.shown(&python));
        return Ok(python);
    }
    make(workshop, "python-reference", "python3 -m venv")?;
    let pip = PIP.split_whitespace().fold(Line::program(&python), Line::word);
    workshop.run(pip.word("--require-hashes").word("-r").word("spec/reference/requirements.txt"))?;
    check(&python, HAS_REFERENCE)?;
    Ok(python)
}

/// A folder with another MPyC.
fn old_mpyc(workshop: &Workshop) -> Result {
    let folder = workshop.old_mpyc();
    if folder.join("mpyc").join("runtime.py").is_file() {
        println!("there already: {}", workshop.shown(&folder));
        return Ok(());
    }
    let list = workshop.made().join("old-requirements.txt");
    fs::write(&list, OLD_REQUIREMENTS).about(format!("write {}", list.display()))?;
    let pip = PIP.split_whitespace().fold(Line::program(workshop.python()), Line::word);
    workshop.run(pip.word("--require-hashes").word("--target").word(folder).word("-r").word(list))
}

fn with_mpyc(workshop: &Workshop, name: &str, python: &Path, is_right: &str, more: Option<&str>) -> Result {
    if says_yes(python, is_right) {
        println!("there already: {}", workshop.shown(python));
        return Ok(());
    }
    make(workshop, name, "python3 -m venv")?;
    let list = workshop.made().join("requirements.txt");
    fs::write(&list, REQUIREMENTS).about(format!("write {}", list.display()))?;
    let pip = || PIP.split_whitespace().fold(Line::program(python), Line::word);
    workshop.run(pip().word("--require-hashes").word("-r").word(list))?;
    if let Some(more) = more {
        workshop.run(pip().word(more))?;
    }
    check(python, is_right)
}

fn check(python: &Path, is_right: &str) -> Result {
    if says_yes(python, is_right) {
        return Ok(());
    }
    Err(Failure::check(format!("{} is not as it should be: {is_right}", python.display())))
}

fn says_yes(python: &Path, code: &str) -> bool {
    Line::program(python).word("-c").word(code).succeeds()
}

/// A Python of its own in this tool's folder, made anew.
pub(super) fn make(workshop: &Workshop, name: &str, command: &str) -> Result {
    let folder = workshop.made().join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).about(format!("clear {}", folder.display()))?;
    }
    workshop.run(Line::new(command).word(folder))
}
