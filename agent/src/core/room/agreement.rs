//! Whether two parties would run the same, as a room needs it.
//!
//! Specification: `spec/manifest.md`. Not its concern: what a manifest holds, and how two are compared
//! (`didagent_bridge::manifest`).

use didagent_bridge::manifest::{Comparison, Difference, Manifest, ProgramKind, compare};
use serde_json::Value;

use crate::failure::{Failure, Kind};

/// Items that one sentence names; a program of another kind may differ in a hundred modules.
const SHOWN: usize = 6;

/// Returns what can be compared of a party's program.
pub(super) fn kind(manifest: Option<&Manifest>) -> ProgramKind {
    manifest.map_or(ProgramKind::ByHand, Manifest::kind)
}

/// Reads the manifest in somebody's message.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read(told: Option<Value>) -> Result<Option<Manifest>, String> {
    told.map(Manifest::read).transpose().map_err(|error| error.to_string())
}

/// Writes a manifest into a message.
pub(super) fn tell(manifest: Option<&Manifest>) -> Option<Value> {
    manifest.and_then(|manifest| serde_json::to_value(manifest).ok())
}

/// Compares ours with the host's, as a guest.
///
/// # Errors
/// [`Kind::Agreement`] with all that differs.
pub(super) fn with_host(
    ours: Option<&Manifest>,
    host: Option<&Manifest>,
    m: usize,
) -> Result<Comparison, Failure> {
    let found = compare(ours, host, m);
    if found.agrees() {
        return Ok(found);
    }
    let message = format!(
        "this party would not run the same as the host: {}",
        sentence(&found.differences, "here", "at the host")
    );
    Err(Failure::new(Kind::Agreement, message).hint(hint(&found.differences)))
}

/// Says in one sentence what differs.
pub fn sentence(differences: &[Difference], ours: &str, theirs: &str) -> String {
    let mut parts: Vec<_> = differences
        .iter()
        .take(SHOWN)
        .map(|one| format!("{} is {} {ours} and {} {theirs}", one.item, one.ours, one.theirs))
        .collect();
    match differences.len().saturating_sub(SHOWN) {
        0 => {}
        more => parts.push(format!("and {more} more")),
    }
    parts.join("; ")
}

/// Says what helps.
fn hint(differences: &[Difference]) -> &'static str {
    let is = |item: &str| differences.iter().any(|one| one.item == item);
    if differences.iter().any(|one| one.ours.contains("not allowed") || one.theirs.contains("not allowed")) {
        "whoever knows that all run the same adds --allow-unknown-program, at every party"
    } else if is("MPyC") {
        "install the same MPyC everywhere, then the same command again: your seat is kept"
    } else {
        "make it equal at one of the two, then the same command again: your seat is kept"
    }
}
