//! The second implementation of the session protocol, in Python: its own tests, and whether the vectors are what it makes.

use crate::command::Line;
use crate::failure::Result;
use crate::workshop::Workshop;

/// Runs both in a Python of its own, with the packages that it needs.
pub(super) fn run(workshop: &Workshop) -> Result {
    let python = super::python::with_reference(workshop)?;
    for arguments in [
        "-m unittest discover --start-directory spec/reference --top-level-directory spec",
        "-m reference --check",
    ] {
        let line = arguments.split_whitespace().fold(Line::program(&python), Line::word);
        workshop.run(line.with("PYTHONPATH", "spec").with("PYTHONDONTWRITEBYTECODE", "1"))?;
    }
    Ok(())
}
