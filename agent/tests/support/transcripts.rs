//! `didagent verify`, whose answers are those of its schema.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::didagent;
use super::party::{Ended, bare, text};
use super::process::{Finished, run};
use super::schema::Schema;

/// Runs `didagent verify`, without a home: it needs none.
pub fn verify(words: &[&OsStr]) -> Finished {
    let mut command = bare(&didagent());
    command.env_remove("HOME").env_remove("XDG_DATA_HOME").arg("verify").args(words);
    run("verify", &mut command)
}

fn document(words: &[&OsStr]) -> (i32, Value) {
    let finished = verify(&[words, &[OsStr::new("--json")]].concat());
    let document = serde_json::from_str(&finished.lines.join("\n")).unwrap();
    Schema::read("verify.schema.json").assert_valid(&document);
    (finished.code, document)
}

/// What it says of files that hold, as a document.
pub fn verified(files: &[&Path]) -> Value {
    let words: Vec<_> = files.iter().map(|file| file.as_os_str()).collect();
    verified_with(&words)
}

/// Like [`verified`], with all words of the command.
pub fn verified_with(words: &[&OsStr]) -> Value {
    let (code, document) = document(words);
    assert_eq!(code, 0, "{document:#}");
    document
}

/// Fails unless the files are refused in this way, for people and as a document; returns the message.
pub fn refused(words: &[&OsStr], exit: i32, code: &str) -> String {
    let finished = verify(words);
    assert_eq!((finished.code, finished.lines.len()), (exit, 0), "{finished:?}");
    assert!(finished.stderr.contains(&format!("error[{code}]")), "{finished:?}");
    let (code_of_json, document) = document(words);
    assert_eq!((code_of_json, &document["holds"], text(&document, "code")), (exit, &false.into(), code));
    text(&document, "message").to_owned()
}

/// The only transcript that a run left, which it told before its end.
pub fn transcript_of(ended: &Ended) -> PathBuf {
    let types: Vec<_> = ended.events.iter().map(|event| text(event, "type")).collect();
    assert!(types.ends_with(&["run.transcript", "run.exited"]), "{types:?}");
    PathBuf::from(text(ended.event("run.transcript"), "path"))
}
