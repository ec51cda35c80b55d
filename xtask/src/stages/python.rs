//! Private Pythons for tests, so that nothing depends on what a machine happens to have.

use std::fs;
use std::path::Path;

use crate::command::Line;
use crate::failure::{About as _, Failure, Result};
use crate::workshop::Workshop;

/// Exactly this wheel; it is pure Python and needs no other package.
const REQUIREMENTS: &str =
    "mpyc==0.11 --hash=sha256:059ffa3396089ebb77beb43ea2f8040f2a20f3fc7ff6d3c839df3b3f3c28d38e\n";

/// Succeeds with the right MPyC and not with another.
const HAS_MPYC: &str = "import mpyc, sys; sys.exit(mpyc.__version__ != '0.11')";

/// Succeeds in a virtual environment without any MPyC.
const IS_BARE: &str = "import importlib.util, sys; sys.exit(sys.prefix == sys.base_prefix or importlib.util.find_spec('mpyc') is not None)";

/// Makes both, unless they are there.
pub(super) fn run(workshop: &Workshop) -> Result {
    let (python, bare) = (workshop.python(), workshop.python_bare());
    if says_yes(&python, HAS_MPYC) {
        println!("there already: {}", workshop.shown(&python));
    } else {
        make(workshop, "python", "python3 -m venv")?;
        let list = workshop.made().join("requirements.txt");
        fs::write(&list, REQUIREMENTS).about(format!("write {}", list.display()))?;
        let pip = "-m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes -r";
        let install = pip.split_whitespace().fold(Line::new("").word(&python), Line::word);
        workshop.run(install.word(list))?;
    }
    if says_yes(&bare, IS_BARE) {
        println!("there already: {}", workshop.shown(&bare));
    } else {
        make(workshop, "python-bare", "python3 -m venv --without-pip")?;
    }
    for (python, code) in [(&python, HAS_MPYC), (&bare, IS_BARE)] {
        if !says_yes(python, code) {
            return Err(Failure::check(format!("{} is not as it should be: {code}", python.display())));
        }
    }
    Ok(())
}

fn says_yes(python: &Path, code: &str) -> bool {
    Line::new("").word(python).word("-c").word(code).succeeds()
}

fn make(workshop: &Workshop, name: &str, command: &str) -> Result {
    let folder = workshop.made().join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).about(format!("clear {}", folder.display()))?;
    }
    workshop.run(Line::new(command).word(folder))
}
