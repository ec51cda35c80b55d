//! The relay and the wire see no plaintext (R8): what MPyC sends locally is searched for in everything that passes between
//! the agents and their mediator.
//!
//! The search is known to find something: the same run with a binary that encrypts nothing must fail it.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use support::proxy::Captured;
use support::stage::{Stage, finish};
use support::traces::encodings;
use support::{didagent, null_cipher_didagent, program, python_command};

/// Length of the pieces that are searched for, in bytes.
///
/// Twelve bytes are sixteen characters of base64 without a remainder. A random piece occurs by chance in a capture of a
/// megabyte with a probability of 2^-76; and a PRSS key, 16 bytes, has five such pieces.
const WINDOW: usize = 12;

/// A piece counts if it has at least this many different bytes.
///
/// MPyC's own structure repeats: lengths, zeros, names of types. Such pieces say nothing about a secret and could occur in
/// other places. Of 12 random bytes, 8 or more differ in all but one of 10^8 cases.
const DIFFERENT: usize = 8;

/// Texts that the parties send each other through MPyC.
const MARKS: [&str; 3] = ["mark-of-Zq7xKp2w", "mark-of-Hs4vRb9t", "mark-of-Jd6mWc3f"];

/// What the names of the parties end with. Long enough not to occur by chance.
const NAME_END: &str = "-Tn5gYf8s";

/// One run of three parties, recorded on both sides of every agent.
struct Recording {
    /// MPyC's connections: `(party, file name)` to bytes.
    streams: BTreeMap<String, Vec<u8>>,
    captured: Captured,
}

fn record(binary: PathBuf) -> Recording {
    let (stage, proxy) = Stage::behind_proxy(binary);
    let folder = stage.folder().join("taps");
    std::fs::create_dir(&folder).unwrap();
    let exchange = program("exchange.py");
    let commands = MARKS.iter().zip(["3", "4", "5"]).map(|(mark, number)| {
        python_command(
            &program("tap.py"),
            &[folder.to_str().unwrap(), exchange.to_str().unwrap(), number, mark],
        )
    });
    let ended = finish(stage.start_with(commands.collect(), |mut agent| {
        agent.name += NAME_END;
        agent
    }));
    for party in ended {
        // The program itself says that all shares and texts arrived: 9 + 16 + 25.
        let marks = format!("marks {}", MARKS.join(" "));
        assert_eq!(party.assert_ok().output(), ["squares 50", &marks], "{party:#?}");
    }
    Recording { streams: read(&folder), captured: proxy.captured() }
}

fn read(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries
        .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()))
        .collect()
}

impl Recording {
    /// The recording is whole: each connection was seen at both ends with the same bytes, and begins with pid and keys.
    fn assert_whole(&self) {
        for (low, high) in [(0, 1), (0, 2), (1, 2)] {
            let stream = |name: String| {
                self.streams.get(&name).unwrap_or_else(|| panic!("no {name} in {:?}", self.streams.keys()))
            };
            let dialled = stream(format!("{low}-dials-{high}.sent"));
            assert!(dialled.len() > 2000, "{low} sent {high} only {} bytes", dialled.len());
            assert_eq!(dialled, stream(format!("{high}-takes-{low}.received")));
            assert_eq!(
                stream(format!("{low}-dials-{high}.received")),
                stream(format!("{high}-takes-{low}.sent"))
            );
            assert_eq!(dialled[..2], u16::try_from(low).unwrap().to_le_bytes());
        }
        for mark in MARKS {
            let seen = self.streams.values().any(|bytes| support::system::contains(bytes, mark.as_bytes()));
            assert!(seen, "no stream has {mark}");
        }
        assert!(self.captured.frames.len() > 100, "{} frames", self.captured.frames.len());
        assert!(self.captured.texts.len() > 20, "{} texts", self.captured.texts.len());
        let windows = self.windows();
        assert!(windows.len() > 10_000, "only {} pieces are worth searching for", windows.len());
    }

    /// Pieces of MPyC's streams that are worth searching for.
    fn windows(&self) -> HashSet<&[u8]> {
        self.streams
            .values()
            .flat_map(|bytes| bytes.windows(WINDOW))
            .filter(|piece| is_telling(piece))
            .collect()
    }

    /// Which of these pieces were captured: as they are, or as either kind of base64.
    ///
    /// An encoder that starts at another place gives other characters for the same piece, but of three pieces that begin
    /// one byte apart one lies as the encoder does.
    fn captured_of<'a>(&self, pieces: &HashSet<&'a [u8]>) -> HashSet<&'a [u8]> {
        let encoded_length = WINDOW / 3 * 4;
        let messages = || self.captured.frames.iter().chain(&self.captured.texts);
        let raw: HashSet<&[u8]> = messages().flat_map(|message| message.windows(WINDOW)).collect();
        let encoded: HashSet<&[u8]> =
            messages().flat_map(|message| message.windows(encoded_length)).collect();
        let is_there = |piece: &&[u8]| {
            let url_safe = URL_SAFE_NO_PAD.encode(piece);
            let standard = STANDARD_NO_PAD.encode(piece);
            raw.contains(*piece)
                || encoded.contains(url_safe.as_bytes())
                || encoded.contains(standard.as_bytes())
        };
        pieces.iter().copied().filter(|piece| is_there(piece)).collect()
    }

    /// The first bytes of the connections that parties dialled: the pid, and 16 bytes of PRSS key.
    fn prss_keys(&self) -> Vec<&[u8]> {
        let dialled =
            self.streams.iter().filter(|(name, _)| name.contains("dials") && name.ends_with(".sent"));
        dialled.map(|(_, bytes)| &bytes[2..18]).collect()
    }
}

fn is_telling(piece: &[u8]) -> bool {
    piece.iter().collect::<HashSet<_>>().len() >= DIFFERENT
}

/// Decides SC-01.
#[test]
fn nothing_that_mpyc_sends_reaches_the_wire_readable() {
    let recording = record(didagent());
    recording.assert_whole();
    let found = recording.captured_of(&recording.windows());
    assert!(
        found.is_empty(),
        "{} pieces of MPyC's streams were captured, for example {:02x?}",
        found.len(),
        found.iter().next()
    );
    for key in recording.prss_keys() {
        let pieces: HashSet<&[u8]> = key.windows(WINDOW).collect();
        assert!(recording.captured_of(&pieces).is_empty());
    }
    // What the roster tells the parties it does not tell the mediator.
    let identities_begin = "did:key:z6Mk";
    for plain in MARKS.iter().chain(&[NAME_END, identities_begin]) {
        for text in encodings(plain) {
            let seen = recording.captured.texts.iter().chain(&recording.captured.frames);
            let hits = seen.filter(|message| support::system::contains(message, text.as_bytes())).count();
            assert_eq!(hits, 0, "{plain} is in {hits} messages, as {text}");
        }
    }
}

/// Decides SC-01.
#[test]
fn the_same_search_finds_the_plaintext_of_a_build_that_encrypts_nothing() {
    let recording = record(null_cipher_didagent());
    recording.assert_whole();
    let windows = recording.windows();
    let found = recording.captured_of(&windows);
    // Pieces that lie across the end of a record are not found.
    assert!(found.len() * 10 > windows.len() * 8, "{} of {} pieces", found.len(), windows.len());
    for key in recording.prss_keys() {
        let pieces: HashSet<&[u8]> = key.windows(WINDOW).collect();
        assert_eq!(recording.captured_of(&pieces).len(), pieces.len());
    }
}

/// Decides SC-01.
#[test]
fn the_search_finds_pieces_in_base64_wherever_an_encoder_began() {
    let secret: Vec<u8> = (0..40_u8).map(|number| number.wrapping_mul(97).wrapping_add(13)).collect();
    for before in 0..3 {
        let mut message = vec![0; before];
        message.extend(&secret);
        let text = format!("{{\"ciphertext\":\"{}\"}}", URL_SAFE_NO_PAD.encode(message));
        let captured = Captured { texts: vec![text.into_bytes()], frames: Vec::new() };
        let recording = Recording { streams: BTreeMap::from([("x".to_owned(), secret.clone())]), captured };
        assert!(!recording.captured_of(&recording.windows()).is_empty(), "{before} bytes before");
    }
}
