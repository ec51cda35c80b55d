//! What people see, word for word: the screens of `tests/golden`.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::ffi::OsString;

use sha2::Digest as _;
use support::golden::{Masks, assert_golden};
use support::program;
use support::stage::{NAMES, Stage};
use support::terminal::{Left, Terminal};

/// What the test knows of the screens on a stage.
fn masks(stage: &Stage, link: &str) -> Masks {
    let mut masks = Masks::new();
    masks.known("link", link);
    masks.known("mediator's link", stage.mediator_link());
    if let Some(mediator) = &stage.mediator {
        masks.known("mediator", &format!("127.0.0.1:{}", mediator.port));
    }
    for name in NAMES {
        masks.known(&format!("home of {name}"), stage.home(name).to_str().unwrap());
    }
    masks
}

fn masked(stage: &Stage, link: &str, ended: &[Left]) -> Vec<String> {
    let mut masks = masks(stage, link);
    ended.iter().map(|left| masks.screen(&left.lines)).collect()
}

/// The journey of three people in a chat.
#[test]
fn three_people_and_one_chat() {
    let stage = Stage::new();
    let mediator = ("DIDAGENT_MEDIATOR", OsString::from(stage.mediator_link()));
    let none = [].as_slice();
    let mut alice = Terminal::start(
        "alice",
        &stage.home("alice"),
        &["invite", "--parties", "3", "--", "python", "vote.py", "42"],
        &[mediator],
    );
    // What she copies from her screen.
    let link = alice.wait_for("http");
    alice.wait_for("waiting for 2 more");
    let join = ["join", &link, "--", "python", "vote.py", "17"];
    let mut bob = Terminal::start("bob", &stage.home("bob"), &join, none);
    alice.wait_for("party 1  bob");
    bob.wait_for("waiting for 1 more");
    let mut carol =
        Terminal::start("carol", &stage.home("carol"), &["join", "--", "python", "vote.py", "9"], none);
    carol.wait_for("paste the invitation link");
    carol.types(&link);
    let ended: Vec<_> = [alice, bob, carol].into_iter().map(Terminal::finish).collect();

    let mut masks = masks(&stage, &link);
    let screens: Vec<_> = ended.iter().map(|left| masks.screen(&left.lines)).collect();
    for (left, screen) in ended.iter().zip(&screens) {
        assert_eq!((left.code, left.modes_kept), (0, true), "{screen}");
        assert_golden(&format!("journey/{}", left.name), screen);
    }
    let digest = sha2::Sha256::digest(std::fs::read(program("vote.py")).unwrap());
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(masks.seen("digest"), format!("{}..{}", &digest[..4], &digest[62..]));
    // The same on all three screens, as `Masks` holds, and there at all.
    for what in ["words", "room", "time", "digest"] {
        assert!(!masks.seen(what).is_empty());
        assert!(screens.iter().all(|screen| screen.contains(&format!("<{what}>"))), "{what}: {screens:#?}");
    }
}

/// At a terminal `q` shows the link as a QR code, and what is typed later is the program's.
#[test]
fn q_shows_the_code_and_takes_nothing_from_the_program() {
    let stage = Stage::new();
    let words = ["--", "python", "ask.py"];
    let invite =
        [&["invite", "--parties", "2", "--no-privacy", "--mediator", stage.mediator_link()], &words[..]];
    let mut alice = Terminal::start("alice", &stage.home("alice"), &invite.concat(), &[]);
    let link = alice.wait_for("http");
    alice.wait_for("waiting for 1 more");
    // Anything else means nothing.
    alice.types("what is this");
    alice.types("q");
    alice.wait_for("\u{2588}\u{2588}\u{2588}");
    let mut bob = Terminal::start("bob", &stage.home("bob"), &[&["join", &link], &words[..]].concat(), &[]);
    for (terminal, number) in [(&mut alice, "40"), (&mut bob, "2")] {
        terminal.wait_for("your number: ");
        terminal.types(number);
    }
    for terminal in [alice, bob] {
        let left = terminal.finish();
        assert_eq!((left.code, left.modes_kept), (0, true), "{left:#?}");
        assert!(left.lines.iter().any(|line| line == "sum: 42"), "{left:#?}");
    }
}

#[test]
fn without_a_terminal_nothing_is_offered_that_needs_one() {
    let stage = Stage::new();
    let alice = stage.invite("alice", 3).for_people().start();
    alice.process.wait_for_stderr("waiting for 2 more");
    let screen = alice.process.stderr();
    assert!(screen.contains("  paste this in your chat:\n") && !screen.contains("QR"), "{screen}");
    alice.process.signal("TERM");
    assert_eq!(alice.finish().code, 130);
}

/// One of three compares the words before anything starts.
#[test]
fn bob_compares_the_words_first() {
    let stage = Stage::new();
    let vote = |number| ["--", "python", "vote.py", number];
    let invite =
        [&["invite", "--parties", "3", "--mediator", stage.mediator_link()], &vote("42")[..]].concat();
    let mut alice = Terminal::start("alice", &stage.home("alice"), &invite, &[]);
    let link = alice.wait_for("http");
    let join = [&["join", "--confirm", &link], &vote("17")[..]].concat();
    let mut bob = Terminal::start("bob", &stage.home("bob"), &join, &[]);
    alice.wait_for("party 1  bob");
    bob.wait_for("waiting for 1 more");
    let join = [&["join", &link], &vote("9")[..]].concat();
    let mut carol = Terminal::start("carol", &stage.home("carol"), &join, &[]);
    for other in [&mut alice, &mut carol] {
        other.wait_for("waiting for bob to confirm");
    }
    bob.wait_for("n and Enter ends");
    bob.types("what?");
    bob.wait_for("n and Enter ends");
    bob.types("y");
    let ended: Vec<_> = [alice, bob, carol].into_iter().map(Terminal::finish).collect();
    let screens = masked(&stage, &link, &ended);
    for (left, screen) in ended.iter().zip(&screens) {
        assert_eq!((left.code, left.modes_kept), (0, true), "{screen}");
        assert_golden(&format!("confirm/{}", left.name), screen);
    }
}
