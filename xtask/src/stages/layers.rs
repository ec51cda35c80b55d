//! The arrows between packages, and the lints that every package has switched on.

use std::fs;

use crate::command::Line;
use crate::failure::{About as _, Failure, Result};
use crate::workshop::{Package, Workshop};

/// What each package may depend on, of ours.
const ARROWS: &[(&str, &[&str])] = &[
    ("didagent-session", &[]),
    ("didagent-didcomm", &[]),
    ("didagent-bridge", &[]),
    ("didagent-mediator", &["didagent-didcomm"]),
    ("didagent", &["didagent-session", "didagent-didcomm", "didagent-bridge", "didagent-mediator"]),
    ("xtask", &[]),
];

/// Packages that know no runtime: their callers bring the clock and the sockets.
const WITHOUT_RUNTIME: &[&str] = &["didagent-session", "didagent-didcomm"];

/// Checks arrows, runtimes and lints.
pub(super) fn run(workshop: &Workshop) -> Result {
    let mut faults: Vec<String> = workshop.packages.iter().flat_map(wrong_arrows).collect();

    for name in WITHOUT_RUNTIME {
        let tree = Line::cargo(&format!(
            "tree --locked --package {name} --edges normal --all-features --prefix none"
        ));
        let tree = tree.quiet()?;
        if let Some(runtime) =
            tree.lines().find(|line| line.starts_with("tokio ") || line.starts_with("mio "))
        {
            faults.push(format!("{name} depends on a runtime: {runtime}"));
        }
    }

    let root = read(workshop.root.join("Cargo.toml"))?;
    if !section(&root, "workspace.lints.rust").any(|line| line == r#"unsafe_code = "forbid""#) {
        faults.push("Cargo.toml does not forbid unsafe code".to_owned());
    }
    for package in &workshop.packages {
        let manifest = read(package.manifest.clone())?;
        if !section(&manifest, "lints").any(|line| line == "workspace = true") {
            faults.push(format!(
                "{} does not take the lints of the workspace",
                workshop.shown(&package.manifest)
            ));
        }
    }

    if faults.is_empty() {
        println!(
            "{} packages, no wrong arrow, no runtime where none belongs, lints in all",
            workshop.packages.len()
        );
        return Ok(());
    }
    Err(Failure::check(format!("FAILED:\n  {}", faults.join("\n  "))))
}

fn wrong_arrows(package: &Package) -> Vec<String> {
    let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == package.name) else {
        return vec![format!("{} is not in the table of arrows: xtask/src/stages/layers.rs", package.name)];
    };
    let ours = package.dependencies.iter().filter(|(name, _)| ARROWS.iter().any(|(known, _)| known == name));
    // A package's own tests may ask for more of its features.
    let wrong = ours.filter(|(name, _)| *name != package.name && !allowed.contains(&name.as_str()));
    wrong.map(|(name, kind)| format!("{} must not depend on {name} ({kind})", package.name)).collect()
}

fn read(path: std::path::PathBuf) -> Result<String> {
    fs::read_to_string(&path).about(format!("read {}", path.display()))
}

/// The lines of one table of a TOML file, without looking into multi-line values.
fn section<'a>(toml: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let heading = format!("[{name}]");
    let lines = toml.lines().map(str::trim);
    lines.skip_while(move |line| *line != heading).skip(1).take_while(|line| !line.starts_with('['))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, dependencies: &[(&str, &str)]) -> Package {
        let dependencies = dependencies.iter().map(|(name, kind)| ((*name).into(), (*kind).into())).collect();
        Package { name: name.into(), manifest: "Cargo.toml".into(), dependencies }
    }

    #[test]
    fn arrows_point_one_way() {
        let right = [("didagent-didcomm", "normal"), ("tokio", "normal")];
        assert!(wrong_arrows(&package("didagent-mediator", &right)).is_empty());
        for (name, dependency) in [
            ("didagent-mediator", ("didagent-session", "normal")),
            ("didagent-mediator", ("didagent-session", "dev")),
            ("didagent-session", ("didagent-didcomm", "normal")),
            ("didagent-bridge", ("didagent", "build")),
            ("didagent-didcomm", ("didagent", "dev")),
            ("unheard-of", ("tokio", "normal")),
        ] {
            assert_eq!(wrong_arrows(&package(name, &[dependency])).len(), 1, "{name} {dependency:?}");
        }
    }

    #[test]
    fn a_section_ends_where_the_next_begins() {
        let toml = "[a]\nx = 1\n\n[lints]\nworkspace = true\n[b]\ny = 2\n";
        assert_eq!(section(toml, "lints").collect::<Vec<_>>(), ["workspace = true"]);
        assert_eq!(section(toml, "none").count(), 0);
    }
}
