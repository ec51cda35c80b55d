//! What the log says (R20, R22): which party, session and stream a line is about, and at its most talkative level nothing that
//! is secret.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::{HashMap, HashSet};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use didagent_didcomm::did::{OfflineResolver, resolve_offline};
use didagent_didcomm::envelope::unpack;
use didagent_didcomm::keys::X25519Secret;
use didagent_didcomm::protocols::relay::{Join, Open};
use serde_json::Value;
use support::party::{Ended, bare, text};
use support::process::run;
use support::proxy::Captured;
use support::stage::{Stage, finish};
use support::system::contains;
use support::{didagent, program, python_command};

/// What the parties put in: long numbers, and words that they send each other.
const INPUTS: [&str; 3] = ["839201746583", "571938264017", "264918375042"];
const MARKS: [&str; 3] = ["mark-of-Qe8tLm3z", "mark-of-Vb5kNs1x", "mark-of-Gp2wRd7c"];

/// Length of the pieces of plaintext that are searched for, in bytes: four groups of base64, and five such pieces in each of
/// MPyC's PRSS keys.
const WINDOW: usize = 12;

/// A piece counts if it has so many different bytes; MPyC's framing repeats, and zeros are everywhere.
const DIFFERENT: usize = 8;

/// Everything that no log may hold, with what it is.
#[derive(Default)]
struct Secrets {
    /// In any spelling.
    bytes: Vec<(String, Vec<u8>)>,
    /// As they are.
    texts: Vec<(String, String)>,
    /// Pieces of MPyC's traffic, as they are and as base64.
    windows: HashSet<Vec<u8>>,
}

/// Every way in which bytes could be written by accident. Of base64 the part that does not depend on what stands around it.
fn spellings(secret: &[u8]) -> Vec<Vec<u8>> {
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let spaced = |format: &dyn Fn(&u8) -> String| secret.iter().map(format).collect::<Vec<_>>().join(", ");
    let mut spelt = vec![secret.to_vec(), hex.to_uppercase().into_bytes(), hex.into_bytes()];
    // As `{:?}` and `{:x?}` show bytes, and as `{:?}` shows them as a text.
    spelt.extend(
        [spaced(&|byte| byte.to_string()), spaced(&|byte| format!("{byte:x}"))].map(String::into_bytes),
    );
    spelt.push(secret.escape_ascii().to_string().into_bytes());
    for before in 0..3 {
        let padded = [&vec![0; before], secret].concat();
        let inner = (before * 4).div_ceil(3)..padded.len() * 4 / 3;
        for encoded in [URL_SAFE_NO_PAD.encode(&padded), STANDARD_NO_PAD.encode(&padded)] {
            spelt.push(encoded[inner.clone()].as_bytes().to_vec());
        }
    }
    spelt.extend([URL_SAFE_NO_PAD.encode(secret), STANDARD.encode(secret)].map(String::into_bytes));
    spelt
}

impl Secrets {
    /// What of all this is in `log`.
    fn found_in(&self, log: &[u8]) -> Vec<String> {
        let mut found = Vec::new();
        for (what, secret) in &self.bytes {
            if spellings(secret).iter().any(|spelling| contains(log, spelling)) {
                found.push(what.clone());
            }
        }
        for (what, secret) in &self.texts {
            if contains(log, secret.as_bytes()) {
                found.push(what.clone());
            }
        }
        let mut pieces: HashMap<usize, HashSet<&[u8]>> = HashMap::new();
        let mut occurs = |piece: &[u8]| {
            let of_length = pieces.entry(piece.len()).or_insert_with(|| log.windows(piece.len()).collect());
            of_length.contains(piece)
        };
        for window in &self.windows {
            let hex: String = window.iter().map(|byte| format!("{byte:02x}")).collect();
            let spelt =
                [URL_SAFE_NO_PAD.encode(window), STANDARD.encode(window), hex].map(String::into_bytes);
            if occurs(window) || spelt.iter().any(|spelling| occurs(spelling)) {
                found.push(format!("plaintext {window:02x?}"));
            }
        }
        found
    }
}

fn keys_in(file: &Path) -> [Vec<u8>; 2] {
    let file: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    ["ed25519", "x25519"].map(|name| URL_SAFE_NO_PAD.decode(text(&file, name)).unwrap())
}

/// The tokens of all circuits, which the mediator can read and nobody else.
fn tokens(captured: &Captured, mediator: &str, key: &[u8]) -> Vec<Vec<u8>> {
    let key: [u8; 32] = key.try_into().unwrap();
    let kids = resolve_offline(mediator).unwrap().key_agreement;
    let secrets: HashMap<_, _> = kids.into_iter().map(|kid| (kid, X25519Secret::from_bytes(key))).collect();
    let mut tokens = Vec::new();
    for envelope in &captured.texts {
        let Ok(opened) = unpack(envelope, &secrets, &OfflineResolver, 0) else { continue };
        let token = Open::try_from(&opened.message).map(|open| open.token);
        let token = token.or_else(|_| Join::try_from(&opened.message).map(|join| join.token));
        tokens.extend(token.map(|token| token.as_bytes().to_vec()));
    }
    tokens
}

/// The pieces of what MPyC sent that are worth searching for, and the PRSS keys.
fn plaintext(taps: &Path) -> (HashSet<Vec<u8>>, Vec<Vec<u8>>) {
    let (mut windows, mut keys) = (HashSet::new(), Vec::new());
    for entry in std::fs::read_dir(taps).unwrap() {
        let entry = entry.unwrap();
        let bytes = std::fs::read(entry.path()).unwrap();
        let name = entry.file_name().into_string().unwrap();
        if name.contains("dials") && name.ends_with(".sent") {
            keys.push(bytes[2..18].to_vec());
        }
        let telling = |piece: &&[u8]| piece.iter().collect::<HashSet<_>>().len() >= DIFFERENT;
        windows.extend(bytes.windows(WINDOW).filter(telling).map(<[u8]>::to_vec));
    }
    (windows, keys)
}

/// Decides SC-02.
#[test]
fn the_log_of_a_whole_run_at_its_most_talkative_has_spans_and_no_secrets() {
    let (stage, proxy, keys) = Stage::logging_behind_proxy(didagent());
    let taps = stage.folder().join("taps");
    std::fs::create_dir(&taps).unwrap();
    let commands = INPUTS.iter().zip(MARKS).map(|(input, mark)| {
        let exchange = program("exchange.py");
        let words = [taps.to_str().unwrap(), exchange.to_str().unwrap(), input, mark];
        python_command(&program("tap.py"), &words)
    });
    let mut parties = stage.start_with(commands.collect(), |agent| agent.option(&["--log", "trace"]));
    let link = text(parties[0].kept("room.invitation"), "link").to_owned();
    // The other commands of a home log too.
    parties[0].wait_for("run.started");
    let mut asked = Vec::new();
    for words in [&["status", "--json"][..], &["ping", "bob", "--count", "1"], &["ports"]] {
        let mut command = bare(&didagent());
        let finished =
            run("ask", command.args(["--log", "trace", "--home"]).arg(stage.home("alice")).args(words));
        assert_eq!(finished.code, 0, "{finished:?}");
        asked.push(finished.stderr);
    }
    let ended = finish(parties);
    let mediator = stage.mediator.as_ref().unwrap().log();

    let mut secrets = Secrets::default();
    for (name, key) in ["ed25519", "x25519"].iter().zip(keys_in(&keys)) {
        if *name == "x25519" {
            let found = tokens(&proxy.captured(), &stage.mediator_did(), &key);
            // One that is not joined in time is asked for again.
            assert!(found.len() >= 6, "three circuits, each with two ends: {}", found.len());
            secrets.bytes.extend(found.into_iter().map(|token| ("a circuit's token".to_owned(), token)));
        }
        secrets.bytes.push((format!("the mediator's {name} key"), key));
    }
    for Ended { name, .. } in &ended {
        let keys = keys_in(&stage.home(name).join("identity.json"));
        secrets.bytes.extend(keys.map(|key| (format!("a key of {name}"), key)));
    }
    let (windows, prss) = plaintext(&taps);
    assert!(windows.len() > 10_000 && prss.len() == 3, "{} pieces, {} keys", windows.len(), prss.len());
    secrets.windows = windows;
    secrets.bytes.extend(prss.into_iter().map(|key| ("a PRSS key".to_owned(), key)));
    let plain = INPUTS.iter().chain(&MARKS);
    secrets.bytes.extend(plain.map(|input| (format!("the input {input}"), input.as_bytes().to_vec())));
    // The link, what it says inside, and whatever stands after the mark that browsers keep to themselves.
    let (_, payload) = link.split_once(['?', '#']).unwrap();
    let pieces = payload.split(['=', '&', '#']).filter(|piece| piece.len() >= 8);
    for piece in pieces.flat_map(|piece| piece.as_bytes().chunks(40)).filter(|piece| piece.len() >= 8) {
        secrets.texts.push(("the link".to_owned(), String::from_utf8(piece.to_vec()).unwrap()));
    }
    let ready = ended[0].event("room.ready");
    secrets.bytes.push(("the room's id".to_owned(), text(ready, "room").as_bytes().to_vec()));

    let logs = ended.iter().map(|party| (party.name.as_str(), party.stderr.as_str()));
    let logs: Vec<_> = logs.chain([("the mediator", mediator.as_str())]).collect();
    for (name, log) in &logs {
        assert_eq!(secrets.found_in(log.as_bytes()), Vec::<String>::new(), "in the log of {name}:\n{log}");
        assert_is_a_log(name, log);
    }
    let asked = asked.join("\n");
    assert_eq!(secrets.found_in(asked.as_bytes()), Vec::<String>::new(), "{asked}");
    // What programs read, but for the invitation, which the host asked for, and the program's own words.
    for party in &ended {
        party.assert_ok();
        let own =
            |event: &&Value| !["run.output", "room.invitation", "room.ready"].contains(&text(event, "type"));
        let events: Vec<_> = party.events.iter().filter(own).map(Value::to_string).collect();
        assert_eq!(secrets.found_in(events.join("\n").as_bytes()), Vec::<String>::new(), "{}", party.name);
    }
    assert_finds_each(&secrets, &logs[0].1[..2000]);
}

/// It has times, levels and the spans; it has no colours and nothing of the packages that carry frames.
fn assert_is_a_log(name: &str, log: &str) {
    let first = log.lines().next().unwrap();
    assert!(first.starts_with("20") && first.contains('T') && first.contains('Z'), "{name}: {first}");
    assert!(!log.contains('\u{1b}'), "{name} writes escape sequences");
    for level in [" INFO ", "DEBUG ", "TRACE "] {
        assert!(log.contains(level), "{name} has nothing at {level}");
    }
    for foreign in [" tungstenite", " tokio_tungstenite", " rustls", " mio"] {
        assert!(!log.contains(&format!("{foreign}:")), "{name} lets {foreign} speak");
    }
    if name == "the mediator" {
        assert!(log.contains("connection{from=127.0.0.1:"), "{log}");
        return;
    }
    let index = ["alice", "bob", "carol"].iter().position(|party| party == &name).unwrap();
    let others = (0..3).filter(|other| *other != index);
    assert!(log.contains("mediator{host=\"127.0.0.1:"), "{log}");
    assert!(log.contains(&format!(" party={index}}}")), "the room's span lacks the own index: {log}");
    for other in others {
        assert!(log.contains(&format!("session{{party={other} sid=\"")), "no session with {other}: {log}");
        assert!(log.contains(&format!("bridge{{party={other}}}:stream{{number=1}}")), "no stream: {log}");
    }
    for state in ["Connecting", "Waiting", "Forming", "Running", "Ending"] {
        assert!(log.contains(&format!("phase={state}")), "{name} was never {state}: {log}");
    }
}

/// The search finds each secret in each spelling, wherever it stands in a log.
fn assert_finds_each(secrets: &Secrets, log: &str) {
    let planted = |secret: &[u8]| [log.as_bytes(), b" INFO leak=", secret, b"\n", log.as_bytes()].concat();
    for (what, secret) in &secrets.bytes {
        let only = Secrets { bytes: vec![(what.clone(), secret.clone())], ..Secrets::default() };
        for spelling in spellings(secret) {
            assert_eq!(only.found_in(&planted(&spelling)).len(), 1, "{what}: {}", spelling.escape_ascii());
        }
        // Inside something that was encoded as a whole.
        for before in 0..3 {
            let whole = [&vec![7; before], secret.as_slice(), b"..."].concat();
            assert_eq!(only.found_in(&planted(STANDARD.encode(whole).as_bytes())).len(), 1, "{what}");
        }
    }
    for (what, secret) in &secrets.texts {
        let only = Secrets { texts: vec![(what.clone(), secret.clone())], ..Secrets::default() };
        assert_eq!(only.found_in(&planted(secret.as_bytes())).len(), 1, "{what}");
    }
    for window in secrets.windows.iter().take(3) {
        let only = Secrets { windows: HashSet::from([window.clone()]), ..Secrets::default() };
        for leak in [window.clone(), STANDARD.encode(window).into_bytes()] {
            assert_eq!(only.found_in(&planted(&leak)).len(), 1, "{window:?}");
        }
    }
}

#[test]
fn a_filter_that_is_none_is_a_usage_error() {
    for filter in ["inof", "didagent=loud", "info,debgu"] {
        for from_environment in [false, true] {
            let mut command = bare(&didagent());
            if from_environment {
                command.env("DIDAGENT_LOG", filter);
            } else {
                command.args(["--log", filter]);
            }
            let finished = run("explain", command.args(["explain", "E0001"]));
            assert_eq!((finished.code, finished.lines.len()), (2, 0), "{finished:?}");
            assert!(
                finished.stderr.contains("error[E0002]") && finished.stderr.contains(filter),
                "{finished:?}"
            );
        }
    }
    let quiet = run("explain", bare(&didagent()).args(["--log", "trace", "explain", "E0001"]));
    assert_eq!((quiet.code, quiet.lines.len()), (0, 1), "{quiet:?}");
}

#[test]
fn without_a_filter_nothing_is_logged_and_the_flag_wins_over_the_environment() {
    let stage = Stage::new();
    let mut alice = stage.invite("alice", 2).option(&["--log", "off"]).start();
    alice.wait_for("room.invitation");
    alice.process.signal("INT");
    assert_eq!(alice.finish().stderr, "");
    let mut bob = stage.invite("bob", 2).option(&["--log", "didagent::io::websocket=info"]).start();
    bob.wait_for("room.invitation");
    bob.process.signal("INT");
    let log = bob.finish().stderr;
    assert!(log.lines().all(|line| line.contains(" didagent::io::websocket: ")) && !log.is_empty(), "{log}");
}
