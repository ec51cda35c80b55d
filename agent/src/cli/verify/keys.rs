//! What `didagent verify` says of keys that do not follow from a DID: on whose word they are taken.
//!
//! Specification: `spec/transcript.md`, TR-25 to TR-27. Not its concern: what they have signed (`core::transcript`).

use std::path::Path;

use didagent_didcomm::showable;
use serde_json::{Value, json};

use crate::core::room::describe;
use crate::core::room::lookup::Documents;
use crate::core::transcript::{KeySource, Transcript, sources};
use crate::failure::{Failure, Kind};
use crate::io::transcripts;

/// Longest DID that is shown, in characters.
const DID: usize = 120;

/// Reads the documents that the person has.
///
/// # Errors
/// [`Kind::Usage`] when one cannot be read or there are two of one DID, [`Kind::DidDocumentBroken`] when one is none.
pub(super) fn given<'a>(paths: impl Iterator<Item = &'a Path>) -> Result<Documents, Failure> {
    let mut documents = Documents::new();
    for path in paths {
        let document = transcripts::document(path)?;
        if let Some(twice) = documents.insert(document.id.clone(), document) {
            let message = format!("two documents are given of {}", showable(&twice.id, DID));
            return Err(Failure::new(Kind::Usage, message).hint("give the one that counts"));
        }
    }
    Ok(documents)
}

/// Refuses a document that decides nothing: whoever gives one expects that it does.
///
/// # Errors
/// [`Kind::Usage`].
pub(super) fn check_needed(given: &Documents, transcript: &Transcript) -> Result<(), Failure> {
    let Some(did) = given.keys().find(|did| !transcript.names(did)) else { return Ok(()) };
    let message =
        format!("no party and no issuer of the run is {}, of which a document is given", showable(did, DID));
    Err(Failure::new(Kind::Usage, message).hint("the same command without that document"))
}

/// Says whether every key follows from its DID or from a document that was given.
pub(super) fn are_settled(all: &[Transcript]) -> bool {
    sources(all).iter().all(|source| source.is_given)
}

/// Says from whom each key is.
pub(super) fn lines(all: &[Transcript]) -> Vec<String> {
    let sources = sources(all);
    let Some(first) = all.first().filter(|_| !sources.is_empty()) else { return Vec::new() };
    let mut lines = vec!["  keys that web sites published:".to_owned()];
    for KeySource { did, is_given, seen_by, differs } in &sources {
        let seen = seen_by.iter().map(|index| describe(first.roster(), *index)).collect::<Vec<_>>();
        let whose = match (is_given, seen.as_slice()) {
            (true, _) => "from the document given".to_owned(),
            (false, []) => "as its own party alone says; the site was not asked".to_owned(),
            (false, [one]) => format!("as {one} saw it at the time of the run; the site was not asked"),
            (false, several) => {
                let all = several.join(", ");
                format!("as each of {all} saw it at the time of the run; the site was not asked")
            }
        };
        let differs = if *differs { "; not everybody saw the same document" } else { "" };
        lines.push(format!("    {}  {whose}{differs}", showable(did, DID)));
    }
    if !are_settled(all) {
        lines.push("    whoever has such a document checks the key: --document did.json".to_owned());
    }
    lines
}

/// The same as a document.
pub(super) fn document(all: &[Transcript]) -> Vec<Value> {
    let one = |source: KeySource| {
        json!({
            "did": source.did,
            "from": if source.is_given { "document" } else { "transcripts" },
            "seen_by": source.seen_by,
            "differs": source.differs,
        })
    };
    sources(all).into_iter().map(one).collect()
}
