//! Formatting, lints and documentation.

use crate::command::Line;
use crate::failure::Result;
use crate::stages::foreign::WORKSPACES;
use crate::workshop::Workshop;

/// Nothing would be formatted differently.
pub(super) fn format(workshop: &Workshop) -> Result {
    workshop.run(Line::cargo("fmt --all --check"))?;
    for workspace in WORKSPACES {
        workspace.check_that_it_is_there(workshop)?;
        // Not --all: that would go on into the packages of the main workspace.
        for manifest in workspace.manifests {
            workshop.run(Line::cargo(&format!("fmt --check --manifest-path {manifest}")))?;
        }
    }
    Ok(())
}

/// Clippy has nothing to say, also about what is compiled where the C libraries are switched off. Libraries and binaries each
/// apart: a binary switches on features of the libraries.
pub(super) fn lint(workshop: &Workshop) -> Result {
    workshop.run(Line::cargo(
        "clippy --locked --workspace --all-targets --features didagent/webvh -- -D warnings",
    ))?;
    for packages in ["didagent-session --package didagent-didcomm", "didagent-mediator --package didagent"] {
        workshop.run(Line::cargo(&format!(
            "clippy --locked --package {packages} --no-default-features --all-targets -- -D warnings"
        )))?;
    }
    for workspace in WORKSPACES {
        workshop.run(workspace.cargo(workshop, "clippy", "--workspace --all-targets -- -D warnings")?)?;
    }
    Ok(())
}

/// Public documentation builds without warnings, broken links among them.
pub(super) fn docs(workshop: &Workshop) -> Result {
    workshop.run(Line::cargo("doc --locked --workspace --no-deps").with("RUSTDOCFLAGS", "-D warnings"))
}
