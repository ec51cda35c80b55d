//! Replays the committed corpus, and holds the seeds to what their names say.
#![allow(missing_docs)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fs, thread};

use didagent_fuzz::{Outcome, TARGETS, seeds, target};

const HOW: &str = "run `cargo run --manifest-path fuzz/Cargo.toml --bin seeds` and look at what changed";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Runs every file of a target's corpus, and every truncation of it.
fn replay(name: &str) {
    let target = target(name);
    let files = files(&root().join("corpus").join(name));
    assert!(files.len() >= 4, "{name} has no corpus: {HOW}");
    for file in files {
        let input = fs::read(&file).unwrap();
        let outcome = target(&input);
        let name = file.file_name().unwrap().to_str().unwrap();
        let expected = match name {
            valid if valid.starts_with("valid") => Some(Outcome::Accepted),
            bad if bad.starts_with("bad-") => Some(Outcome::Refused),
            _ => None,
        };
        if let Some(expected) = expected {
            assert_eq!(outcome, expected, "{}: {HOW}", file.display());
        }
        for length in 0..input.len() {
            target(&input[..length]);
        }
    }
}

/// One test for each target, so that a failure names it and they run beside each other.
macro_rules! replayed {
    ($($name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            replay(stringify!($name));
        })*

        const REPLAYED: &[&str] = &[$(stringify!($name)),*];
    };
}

replayed!(
    session_hello,
    session_frames,
    session_record,
    session_resume,
    session_message1,
    session_message2,
    session_hostile_peer,
    session_conversation,
    didcomm_unpack,
    didcomm_protected,
    didcomm_prior,
    did_resolve,
    did_peer2,
    did_peer2_service,
    link_verify,
    link_contents,
    credential_text,
    credential_contents,
    status_list,
    status_bits,
    invitation_url,
    invitation_bytes,
    did_jwk,
    did_peer4,
    did_document,
    did_web_url,
    short_link_text,
    short_link_content,
    message_bodies,
    feature_queries,
    relay_frame,
    room_roster,
    party_list,
    transcript,
    identity_file,
    kept_room,
    http_head,
    http_body,
);

#[test]
fn every_target_is_replayed_and_has_a_program_and_a_corpus() {
    let names: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let stems = |folder: &str| -> BTreeSet<String> {
        let stem = |path: &PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
        files(&root().join(folder)).iter().map(stem).collect()
    };
    assert_eq!(names, REPLAYED.iter().map(|name| (*name).to_owned()).collect());
    assert_eq!(names, stems("fuzz_targets"));
    assert_eq!(names, stems("corpus"));
    for name in names {
        let program = fs::read_to_string(root().join("fuzz_targets").join(format!("{name}.rs"))).unwrap();
        assert!(program.contains(&format!("didagent_fuzz::fuzz!(\"{name}\");")));
    }
}

#[test]
fn the_committed_seeds_are_those_that_the_libraries_make_today() {
    for seed in seeds::all() {
        let path = root().join("corpus").join(seed.target).join(&seed.name);
        let committed = fs::read(&path).unwrap_or_default();
        assert!(committed == seed.bytes, "{} differs: {HOW}", path.display());
    }
}

/// A parser that recurses with its input must stop long before the stack of a thread does.
#[test]
fn deep_nesting_does_not_exhaust_a_small_stack() {
    let deep = |open: &str, close: &str| open.repeat(100_000) + &close.repeat(100_000);
    let inputs = [deep("[", "]"), deep("{\"body\":", "}"), format!("{{\"id\":{}}}", deep("[", "]"))];
    let run = move || {
        for input in inputs {
            for (name, target) in TARGETS {
                // The only one that does not parse text may take anything.
                assert!(name == "session_conversation" || target(input.as_bytes()) != Outcome::Accepted);
            }
        }
    };
    thread::Builder::new().stack_size(512 * 1024).spawn(run).unwrap().join().unwrap();
}
