//! `didagent verify`: whether transcripts of a run hold, offline, and what they say.
//!
//! Specification: `spec/transcript.md`, sections 3 and 4; schema of the document: `spec/schemas/verify.schema.json`. It reads the
//! files that it is given and nothing else. Not its concern: the checks themselves (`core::transcript`).

mod keys;

use std::path::{Path, PathBuf};

use didagent_bridge::manifest::ProgramKind;
use didagent_didcomm::protocols::b64url_encode;
use didagent_didcomm::showable;
use serde_json::{Value, json};

use super::args::VerifyArgs;
use super::screen::{privacy, program};
use crate::core::clock::utc;
use crate::core::room::describe;
use crate::core::room::lookup::Documents;
use crate::core::room::roster::Party;
use crate::core::transcript::{
    Checked, Misfit, Shows, Statement, Traffic, Transcript, TranscriptError, fits_program, together,
};
use crate::core::who::short;
use crate::failure::{Failure, Kind};
use crate::io::transcripts;

/// Verifies, and returns what to print on stdout with the exit code. With `--json` a failure is a document too.
///
/// # Errors
/// [`Kind::TranscriptUnreadable`], [`Kind::TranscriptBroken`], [`Kind::TranscriptUnchecked`], [`Kind::TranscriptsDiffer`],
/// [`Kind::DidDocumentBroken`], and [`Kind::Usage`] when the program or a document cannot be read.
pub(super) fn run(args: &VerifyArgs) -> Result<(String, u8), Failure> {
    match (verify(args), args.json) {
        (Ok(all), true) => Ok((document(&all).to_string(), 0)),
        (Ok(all), false) => Ok((lines(&all, args.program.is_some()).join("\n"), 0)),
        (Err(failure), true) => Ok((refusal(&failure).to_string(), failure.kind.exit())),
        (Err(failure), false) => Err(failure),
    }
}

fn verify(args: &VerifyArgs) -> Result<Vec<Transcript>, Failure> {
    let given = keys::given(args.documents.iter().map(PathBuf::as_path))?;
    let all = args.files.iter().map(|path| read(path, &given)).collect::<Result<Vec<_>, _>>()?;
    together(&all).map_err(differ)?;
    all.first().map_or(Ok(()), |first| keys::check_needed(&given, first))?;
    if let (Some(path), Some(first)) = (&args.program, all.first()) {
        fits_program(first, &transcripts::sha256_of(path)?).map_err(differ)?;
    }
    Ok(all)
}

fn read(path: &Path, given: &Documents) -> Result<Transcript, Failure> {
    let bytes = transcripts::read(path)?;
    Transcript::read_with(&bytes, given).map_err(|error| {
        let failure = |kind| Failure::new(kind, format!("{}: {error}", path.display()));
        match &error {
            TranscriptError::NotOne => failure(Kind::TranscriptUnreadable),
            TranscriptError::Elsewhere { did } => failure(Kind::TranscriptUnchecked).hint(format!(
                "didagent did resolve --json '{}' > did.json    (and verify with --document did.json)",
                showable(did, 200)
            )),
            _ => failure(Kind::TranscriptBroken),
        }
    })
}

fn differ(misfit: Misfit) -> Failure {
    Failure::new(Kind::TranscriptsDiffer, misfit.to_string())
}

fn lines(all: &[Transcript], compared: bool) -> Vec<String> {
    let Some(first) = all.first() else { return Vec::new() };
    let (roster, body) = (first.roster(), first.roster().body());
    let what = match all.len() {
        1 => "the transcript holds".to_owned(),
        count => format!("the {count} transcripts hold and fit together"),
    };
    let settled =
        if keys::are_settled(all) { "" } else { ", if web sites published the keys that are said below" };
    let what = format!("{what}{settled}: all parties signed what follows");
    let mut lines = vec![what, format!("  round: {}", b64url_encode(roster.hash()))];
    let width = body.parties.iter().map(|party| party.name.chars().count()).max().unwrap_or(0);
    lines.extend(body.parties.iter().map(|party| {
        let Party { index, name, identity, .. } = party;
        format!("  party {index}  {name:width$}  {}", showable(identity, 200))
    }));
    lines.extend(keys::lines(all));
    lines.extend(program(roster));
    lines.extend(vouched(first));
    if let Some(digest) = digest(first) {
        let compared = if compared { ", that of the file" } else { "" };
        lines.push(format!("  SHA-256 of the program: {digest}{compared}"));
    }
    lines.push(format!("  {}", privacy(body.m, body.threshold)));
    lines.push(format!("  words: {}", first.words().join(" ")));
    for one in all {
        let Statement { index, began, ended, exit, program, reason, peers, .. } = one.statement();
        let who = describe(roster, *index);
        let seconds = ended - began;
        lines.push(format!("{who}, {}, says and nobody else:", short_of(one, *index)));
        lines.push(format!(
            "  {} for {seconds} s, exit code {exit}{}",
            utc(*began),
            why(reason.as_deref(), *program)
        ));
        lines.extend(peers.iter().map(|Traffic { index, up, down }| {
            format!("  with {}: {up} bytes out, {down} in", describe(roster, *index))
        }));
    }
    lines
}

/// Says what was shown of authorities, and what of that can be checked here.
fn vouched(transcript: &Transcript) -> Vec<String> {
    let body = transcript.roster().body();
    if body.require_issuer.is_empty() {
        return Vec::new();
    }
    let issuers: Vec<_> = body.require_issuer.iter().map(|did| showable(did, 120)).collect();
    let mut lines = vec![format!("  everybody showed a credential of {}:", issuers.join(" or "))];
    lines.extend(body.parties.iter().zip(transcript.credentials()).map(|(party, shows)| match shows {
        Shows::Hash => format!("    {}: its hash alone is in the file", party.name),
        Shows::Text(claims, checked) => {
            let role =
                claims.role.as_ref().map(|role| format!(" as {}", showable(role, 60))).unwrap_or_default();
            let checked = match checked {
                Checked::Verified => "signed by it",
                Checked::Documented => "signed with its key above",
                Checked::Elsewhere => {
                    "its signature is not checked: the file does not say which key it had, and --document can"
                }
            };
            format!("    {}{role}, of {}: {checked}", party.name, showable(&claims.issuer, 120))
        }
    }));
    lines.push("    whether one was revoked was asked when the run began, and is not asked here".to_owned());
    lines
}

fn short_of(transcript: &Transcript, index: usize) -> String {
    transcript.roster().party(index).map(|party| short(&party.identity)).unwrap_or_default()
}

/// Says why a run ended as it did, if it is told.
fn why(reason: Option<&str>, program: Option<u8>) -> String {
    match (reason, program) {
        (Some(reason), Some(_)) => {
            format!(" of its program, most likely because of {reason} (didagent explain {reason})")
        }
        (Some(reason), None) => format!(", stopped because of {reason} (didagent explain {reason})"),
        (None, _) => String::new(),
    }
}

fn digest(transcript: &Transcript) -> Option<&str> {
    let manifest = transcript.roster().body().manifest.as_ref()?;
    let is_compared = manifest.kind() == ProgramKind::Python;
    manifest.program.sha256.as_deref().filter(|_| is_compared)
}

fn document(all: &[Transcript]) -> Value {
    let Some(first) = all.first() else { return Value::Null };
    let body = first.roster().body();
    let party = |party: &Party| json!({"index": party.index, "name": party.name, "identity": party.identity, "program": party.program, "credential": first.credentials().get(party.index).map(shown)});
    json!({
        "v": 1,
        "holds": true,
        "round": b64url_encode(first.roster().hash()),
        "m": body.m,
        "threshold": body.threshold,
        "manifest": body.manifest,
        "parties": body.parties.iter().map(party).collect::<Vec<_>>(),
        "require_issuer": body.require_issuer,
        "keys": keys::document(all),
        "words": first.words(),
        "statements": all.iter().map(Transcript::statement).collect::<Vec<_>>(),
    })
}

/// What a party showed, and whether the issuer's signature was checked.
fn shown(shows: &Shows) -> Value {
    let Shows::Text(claims, checked) = shows else { return json!({"verified": false}) };
    json!({
        "issuer": claims.issuer,
        "role": claims.role,
        "valid_until": claims.valid_until,
        "verified": *checked != Checked::Elsewhere,
    })
}

fn refusal(failure: &Failure) -> Value {
    json!({
        "v": 1,
        "holds": false,
        "code": failure.kind.code(),
        "exit": failure.kind.exit(),
        "message": failure.message,
    })
}
