//! What must be installed: found out before anything long begins, and installed where nobody is asked.

use std::fs;
use std::path::Path;

use crate::command::Line;
use crate::failure::{About as _, Failure, Result};
use crate::workshop::Workshop;

/// The packages of `spec/reference` need this Python at least. The agent itself works with MPyC's 3.9.
const PYTHON: &str = "import sys; sys.exit(sys.version_info < (3, 11))";

/// What `python3 -m venv` needs; Debian ships the second one apart.
const VENV: &str = "import venv, ensurepip";

/// Looks for everything; as root it installs what is missing, else it says how.
pub(super) fn run(workshop: &Workshop) -> Result {
    let missing = Missing::find(workshop)?;
    if missing.nothing() {
        println!(
            "all there: python3 with venv, a C compiler, libfaketime, spin, node with npm, rustfmt, clippy"
        );
        return Ok(());
    }
    if !Line::new("id -u").quiet().is_ok_and(|user| user.trim() == "0") {
        return Err(missing.told());
    }
    if !missing.packages.is_empty() {
        if !Path::new("/etc/debian_version").exists() {
            return Err(missing.told());
        }
        workshop.run(Line::new("apt-get update"))?;
        let install =
            Line::new("apt-get install -y --no-install-recommends").with("DEBIAN_FRONTEND", "noninteractive");
        workshop.run(missing.packages.iter().fold(install, |line, package| line.word(*package)))?;
    }
    if !missing.components.is_empty() {
        let add = Line::new("rustup component add");
        workshop.run(missing.components.iter().fold(add, |line, component| line.word(*component)))?;
    }
    let still = Missing::find(workshop)?;
    if still.nothing() { Ok(()) } else { Err(still.told()) }
}

#[derive(Debug, Default)]
struct Missing {
    /// Debian's.
    packages: Vec<&'static str>,
    /// The Rust toolchain's.
    components: Vec<&'static str>,
}

impl Missing {
    fn find(workshop: &Workshop) -> Result<Self> {
        let mut missing = Self::default();
        let python = |code: &str| Line::new("python3 -c").word(code).succeeds();
        if !python(PYTHON) {
            missing.packages.extend(["python3", "python3-venv"]);
        } else if !python(VENV) {
            missing.packages.push("python3-venv");
        }
        if !compiles_c(workshop)? {
            missing.packages.extend(["gcc", "libc6-dev"]);
        }
        if !has_faketime() {
            missing.packages.push("libfaketime");
        }
        if !Line::new("spin -V").succeeds() {
            missing.packages.push("spin");
        }
        for (package, line) in [("nodejs", "node --version"), ("npm", "npm --version")] {
            if !Line::new(line).succeeds() {
                missing.packages.push(package);
            }
        }
        for (component, line) in [("rustfmt", "fmt --version"), ("clippy", "clippy --version")] {
            if !Line::cargo(line).succeeds() {
                missing.components.push(component);
            }
        }
        Ok(missing)
    }

    fn nothing(&self) -> bool {
        self.packages.is_empty() && self.components.is_empty()
    }

    /// One line that a person can paste.
    fn told(&self) -> Failure {
        let mut lines = Vec::new();
        if !self.packages.is_empty() {
            lines.push(format!("sudo apt-get install -y {}", self.packages.join(" ")));
        }
        if !self.components.is_empty() {
            lines.push(format!("rustup component add {}", self.components.join(" ")));
        }
        Failure::usage(format!("install what is missing, then try again:\n\n  {}\n", lines.join(" && ")))
    }
}

/// The tests of wrong clocks preload it into the real binaries.
fn has_faketime() -> bool {
    let folders = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    // Debian's folder for this kind of machine is between the two.
    folders.map(|folder| folder.path()).any(|folder| folder.join("faketime/libfaketimeMT.so.1").is_file())
}

/// Rust's own linker is there, or this tool would not run; a library of ours also has C to be compiled.
fn compiles_c(workshop: &Workshop) -> Result<bool> {
    let folder = workshop.made();
    fs::create_dir_all(&folder).about(format!("make {}", folder.display()))?;
    let (source, program) = (folder.join("try.c"), folder.join("try"));
    fs::write(&source, "#include <stdint.h>\n#include <string.h>\nint main(void) { return 0; }\n")
        .about(format!("write {}", source.display()))?;
    Ok(Line::new("cc -o").word(program).word(source).succeeds())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_one_line_to_paste_and_exits_with_2() {
        let missing = Missing { packages: vec!["python3-venv"], components: vec!["clippy"] };
        let told = missing.told();
        assert_eq!(told.exit, 2);
        let line = "sudo apt-get install -y python3-venv && rustup component add clippy";
        assert!(told.to_string().lines().any(|said| said.trim() == line), "{told}");
    }
}
