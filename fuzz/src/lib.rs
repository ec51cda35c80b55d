//! Fuzz targets for every parser of outside bytes.
//!
//! A target is a plain function from any bytes to an [`Outcome`]; it panics if a property does not hold. libFuzzer
//! (`cargo fuzz run <target>`) and the replay of the committed corpus (`cargo test`) call the same functions.
//!
//! ```text
//! session-protocol   hello, frames, a hostile peer's frames, records, resumptions, messages 1 and 2,
//!                    whole conversations
//! didcomm            envelopes, DIDs, links, credentials, status lists, invitations, short links, message bodies, relay frames
//! agent, mediator    rosters, identity files, HTTP requests
//! ```
//!
//! Everything is deterministic: keys, generators and time are fixed, so an input does the same everywhere and always.
//!
//! Not its concern: sockets, and files that only their owner can write.

mod agent;
mod bodies;
mod conversation;
mod credentials;
mod didcomm;
mod hostile;
mod invitations;
mod parties;
pub mod seeds;
mod session;
mod short_links;

use std::process::ExitCode;

#[cfg(fuzzing)]
pub use libfuzzer_sys;

/// What a target did with an input. All are fine; the corpus test holds valid seeds to [`Outcome::Accepted`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was taken for what it claims to be.
    Accepted,
    /// It was refused.
    Refused,
    /// The entry point does not tell.
    Untold,
}

impl Outcome {
    fn of<T, E>(result: &Result<T, E>) -> Self {
        if result.is_ok() { Self::Accepted } else { Self::Refused }
    }
}

/// A fuzz target.
pub type Target = fn(&[u8]) -> Outcome;

/// Every target by the name of its binary and of its corpus.
pub const TARGETS: [(&str, Target); 38] = [
    ("session_hello", session::hello),
    ("session_frames", session::frames),
    ("session_record", session::record),
    ("session_resume", session::resume),
    ("session_message1", session::message1),
    ("session_message2", session::message2),
    ("session_hostile_peer", hostile::hostile_peer),
    ("session_conversation", conversation::conversation),
    ("didcomm_unpack", didcomm::unpack),
    ("didcomm_protected", didcomm::protected),
    ("didcomm_prior", didcomm::prior),
    ("did_resolve", didcomm::resolve),
    ("did_peer2", didcomm::peer2),
    ("did_peer2_service", didcomm::peer2_service),
    ("did_jwk", didcomm::jwk),
    ("did_peer4", didcomm::peer4),
    ("did_document", didcomm::document),
    ("did_web_url", didcomm::web_url),
    ("link_verify", didcomm::link),
    ("link_contents", didcomm::link_contents),
    ("credential_text", credentials::text),
    ("credential_contents", credentials::contents),
    ("status_list", credentials::status_list),
    ("status_bits", credentials::status_bits),
    ("invitation_url", invitations::url),
    ("invitation_bytes", invitations::bytes),
    ("short_link_text", short_links::text),
    ("short_link_content", short_links::content),
    ("message_bodies", bodies::bodies),
    ("feature_queries", bodies::feature_queries),
    ("relay_frame", bodies::relay_frame),
    ("room_roster", agent::roster),
    ("party_list", agent::party_list),
    ("transcript", agent::transcript),
    ("identity_file", agent::identity),
    ("kept_room", agent::kept_room),
    ("http_head", agent::http_head),
    ("http_body", agent::http_body),
];

/// Returns the target of that name.
///
/// # Panics
/// If there is none.
pub fn target(name: &str) -> Target {
    TARGETS.iter().find(|(known, _)| *known == name).expect("a target of TARGETS").1
}

/// Runs the files named on the command line through a target: a finding of the fuzzer, without the fuzzer.
pub fn replay(name: &str) -> ExitCode {
    let files: Vec<_> = std::env::args_os().skip(1).collect();
    if files.is_empty() {
        eprintln!("usage: {name} <input file>…        to fuzz: cargo fuzz run {name}");
        return ExitCode::FAILURE;
    }
    for file in files {
        match std::fs::read(&file) {
            Ok(input) => println!("{}: {:?}", file.display(), target(name)(&input)),
            Err(error) => {
                eprintln!("{}: {error}", file.display());
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

/// The program of a target: under cargo-fuzz libFuzzer's, otherwise [`replay`].
#[macro_export]
macro_rules! fuzz {
    ($name:literal) => {
        #[cfg(fuzzing)]
        $crate::libfuzzer_sys::fuzz_target!(|input: &[u8]| {
            $crate::target($name)(input);
        });

        #[cfg(not(fuzzing))]
        fn main() -> std::process::ExitCode {
            $crate::replay($name)
        }
    };
}
