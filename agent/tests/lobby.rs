//! The lobby: strangers who share a mediator and a program find each other, and see nothing of each other's homes.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::net::TcpListener;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use didagent_didcomm::protocols::Body as _;
use didagent_didcomm::protocols::lobby::{
    List, Listed, Post, PostId, Posts, Program, ProgramDigest, ProgramName, RoomLink, Title,
};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use support::fake_mediator::fake_mediator;
use support::lasting::Lasting;
use support::mediator::Mediator;
use support::party::{Agent, Ended, Party, bare, text};
use support::process::{Finished, run};
use support::schema::Schema;
use support::stage::{Stage, finish};
use support::traces::Traces;
use support::{average, didagent, program, python_command, until};

fn averaging(number: &str) -> Vec<OsString> {
    python_command(&average(), &[number])
}

fn digest(program: &Path) -> String {
    Sha256::digest(std::fs::read(program).unwrap()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn ask(stage: &Stage, home: &str, words: &[&str]) -> Finished {
    let mut command = bare(&didagent());
    command.arg("--home").arg(stage.home(home)).args(words);
    run(&words.join(" "), &mut command)
}

/// What is in the lobby.
fn rooms(stage: &Stage) -> Vec<Value> {
    rooms_with(stage, "", |_| true)
}

/// Reads the lobby until this holds of it, as slowly as a mediator allows.
fn rooms_with(stage: &Stage, what: &str, holds: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let mut found = Vec::new();
    until(what, || {
        let listed = ask(stage, "reader", &["lobby", "list", "--json", "--mediator", stage.mediator_link()]);
        let board: Option<Value> = listed.lines.first().map(|line| serde_json::from_str(line).unwrap());
        match board {
            Some(board) => {
                Schema::read("lobby.schema.json").assert_valid(&board);
                found.clone_from(board["posts"].as_array().unwrap());
            }
            None => assert!(listed.stderr.contains("too often"), "{listed:?}"),
        }
        let is_so = listed.code == 0 && holds(&found);
        if !is_so {
            std::thread::sleep(std::time::Duration::from_millis(300));
        }
        is_so
    });
    found
}

/// A host who says nothing of itself.
fn host(stage: &Stage, name: &str, title: &str) -> Agent {
    stage.invite(name, 3).unnamed().option(&["--lobby", title, "--strangers"])
}

/// A guest who found a room.
fn guest(stage: &Stage, name: &str, id: &str) -> Agent {
    let words = ["lobby", "join", id, "--strangers", "--mediator", stage.mediator_link()];
    Agent::new(didagent(), stage.home(name), name, &words).unnamed()
}

fn posted(host: &mut Party) -> String {
    text(&host.wait_for("lobby.posted"), "id").to_owned()
}

fn logins() -> [(&'static str, &'static str); 3] {
    [("alice", "login-Qx4vTz8k"), ("bob", "login-Wn7rHc2m"), ("carol", "login-Ej9pLd5s")]
}

/// alice posts, bob and carol find it; returns how everybody ended.
fn meeting(stage: &Stage) -> Vec<Ended> {
    let title = "Average of \u{e4}ges, three of us";
    let logins = logins().map(|(_, login)| login);
    let agent = |agent: Agent, at: usize| agent.variable("USER", logins[at]);
    let mut alice = agent(host(stage, "alice", title).program(averaging("1")), 0).start();
    let id = posted(&mut alice);
    let warning = text(alice.kept("warning"), "message");
    assert!(warning.contains("with 2 seats one person can open all inputs"), "{warning}");
    let [room] = rooms(stage).try_into().unwrap();
    assert_eq!((text(&room, "id"), text(&room, "title")), (id.as_str(), title));
    assert_eq!((&room["seats"], &room["free"], &room["threshold"]), (&3.into(), &2.into(), &1.into()));
    assert_eq!(room["program"], serde_json::json!({"name": "average.py", "sha256": digest(&average())}));

    // Another program is refused before anybody hears of it.
    let other = program("exchange.py");
    let refused = guest(stage, "mallory", &id).program(python_command(&other, &["3", "x"])).run();
    let message = refused.assert_error(4, "E1203");
    for digest in [digest(&average()), digest(&other)] {
        assert!(message.contains(&digest), "{message}");
    }

    let bob = agent(guest(stage, "bob", &id).program(averaging("3")), 1).start();
    alice.wait_for("party.joined");
    rooms_with(stage, "one seat is free", |rooms| rooms.iter().any(|room| room["free"] == 1));
    let carol = agent(guest(stage, "carol", &id).program(averaging("8")), 2).start();
    let ended = finish(vec![alice, bob, carol]);
    for party in &ended {
        assert_eq!(party.assert_ok().output(), ["average of 3 inputs: 4.00"]);
    }
    assert_eq!(ended[0].events("party.joined").len(), 2, "{ended:#?}");
    rooms_with(stage, "the lobby is empty", <[Value]>::is_empty);
    ended
}

/// Decides LB-10, LB-11, LB-12, LB-14, CN-80.
#[test]
fn three_strangers_find_each_other_and_nothing_tells_who_they_are() {
    let (stage, proxy, _) = Stage::logging_behind_proxy(didagent());
    let homes = logins().map(|(home, login)| {
        assert_eq!(ask(&stage, home, &["identity", "show"]).code, 0);
        (home, Traces::of(&stage.home(home), &[login]))
    });
    let mut identities = BTreeSet::new();
    for _ in 0..2 {
        let ended = meeting(&stage);
        for (party, (home, traces)) in ended.iter().zip(&homes) {
            let made = party.event("identity.one-use");
            let identity = text(made, "identity").to_owned();
            assert!(traces.found_in(identity.as_bytes()).is_empty(), "{home}");
            assert!(text(made, "name").starts_with("anon-"), "{made}");
            identities.insert(identity);
        }
    }
    assert_eq!(identities.len(), 6, "nobody is the same twice");

    let mut got: Vec<(String, Vec<u8>)> = Vec::new();
    for (home, _) in &homes {
        assert!(!stage.home(home).join("contacts.json").exists(), "{home} was to write nobody down");
        assert!(!stage.home(home).join("one-use.json").exists());
        for run in std::fs::read_dir(stage.home(home).join("runs")).unwrap() {
            let path = run.unwrap().path();
            got.push((path.display().to_string(), std::fs::read(path).unwrap()));
        }
    }
    assert_eq!(got.len(), 6, "each has two transcripts");
    let log = stage.mediator.as_ref().unwrap().log();
    assert!(!log.contains("three of us"), "a title is in the log");
    got.push(("log".to_owned(), log.into_bytes()));
    got.push(("traffic".to_owned(), proxy.captured().texts.concat()));
    got.push(("frames".to_owned(), proxy.captured().frames.concat()));
    for (what, bytes) in &got {
        for (home, traces) in &homes {
            assert_eq!(traces.found_in(bytes), Vec::<&str>::new(), "{home} in {what}");
        }
    }
    // The search would have found them: those who were there are there.
    let keys: Vec<_> = identities.iter().map(|identity| identity.trim_start_matches("did:key:")).collect();
    assert_eq!(Traces::words(&keys).found_in(&proxy.captured().texts.concat()).len(), 6);
    assert_eq!(Traces::words(&keys).found_in(&got[0].1).len(), 3);
}

/// Decides LB-01, LB-10, LB-14.
#[test]
fn what_keeps_a_room_or_a_guest_out_is_said_before_anybody_is_asked() {
    let without = Stage::new();
    let list = ["lobby", "list", "--mediator", without.mediator_link()];
    let refused = ask(&without, "bob", &list);
    assert!(refused.code == 3 && refused.stderr.contains("error[E1201]"), "{refused:?}");
    host(&without, "alice", "a").program(averaging("1")).run().assert_error(3, "E1201");
    guest(&without, "bob", "3f1c9a07").program(averaging("1")).run().assert_error(3, "E1201");

    let stage = Stage::with_mediator(didagent(), Mediator::start_with_lobby(&didagent()));
    let empty = ask(&stage, "bob", &["lobby", "list", "--mediator", stage.mediator_link()]);
    assert!(empty.code == 0 && empty.lines.is_empty() && empty.stderr.contains("no rooms"), "{empty:?}");
    host(&stage, "alice", "a").run().assert_error(2, "E0002");
    host(&stage, "alice", "a").program(vec!["true".into()]).run().assert_error(2, "E0606");
    guest(&stage, "bob", "3f1c9a07").run().assert_error(2, "E0002");
    guest(&stage, "bob", "3f1c9a07").program(averaging("1")).run().assert_error(3, "E1202");
    for title in ["", "a\nb", "\u{202e}a"] {
        assert_eq!(host(&stage, "alice", title).program(averaging("1")).run().code, 2, "{title:?}");
    }
    // Without a yes nothing is posted and nobody is asked.
    let silent = stage.invite("alice", 3).option(&["--lobby", "a"]).program(averaging("1"));
    assert!(silent.run().assert_error(2, "E1205").contains("with 2 seats one person can open all inputs"));
    assert!(rooms(&stage).is_empty());

    // A person is asked.
    let at_terminal = |answer: &str| {
        let agent = stage.invite("alice", 3).option(&["--lobby", "a room"]).program(averaging("1"));
        agent.at_terminal().variable("TERMINAL_TYPES", format!("[y/N]=>{answer}")).start()
    };
    let no = at_terminal("n").finish();
    assert!(no.code == 2 && no.text.join("\n").contains("Post the room all the same? [y/N]"), "{no:#?}");
    let mut alice = at_terminal("y");
    let posted = rooms_with(&stage, "the room is posted", |rooms| rooms.len() == 1);
    let id = text(&posted[0], "id").to_owned();
    let shown = ask(&stage, "bob", &["lobby", "list", "--mediator", stage.mediator_link()]);
    assert!(shown.lines.len() == 1 && shown.lines[0].contains("2 of 3 free  average.py"), "{shown:?}");
    let words = ["lobby", "join", &id, "--mediator", stage.mediator_link()];
    let guest = Agent::new(didagent(), stage.home("bob"), "bob", &words).program(averaging("1"));
    guest.run().assert_error(2, "E1205");
    // Ctrl-C takes the room down at once.
    while alice.process.next_line().is_some_and(|line| !line.contains("waiting for 2 more")) {}
    alice.process.signal("USR1");
    assert_eq!(alice.finish().code, 130);
    rooms_with(&stage, "the lobby is empty", <[Value]>::is_empty);
}

/// Decides LB-10, LB-11.
#[test]
fn a_room_is_posted_again_when_its_mediator_was_restarted() {
    let mut lasting = Lasting::new();
    let stage = &lasting.stage;
    // As itself, since it says so; a name is a name.
    let alice = stage.invite("alice", 3).option(&["--lobby", "again", "--strangers", "--own-did"]);
    let mut alice = alice.program(averaging("1")).start();
    posted(&mut alice);
    lasting.restart(&mut [&mut alice]);
    let id = posted(&mut alice);
    let stage = &lasting.stage;
    assert_eq!(text(&rooms(stage)[0], "id"), id);
    let bob = guest(stage, "bob", &id).program(averaging("3")).start();
    let carol = guest(stage, "carol", &id).program(averaging("8")).start();
    let ended = finish(vec![alice, bob, carol]);
    for party in &ended {
        assert_eq!(party.assert_ok().output(), ["average of 3 inputs: 4.00"]);
    }
    assert!(ended[0].events("identity.one-use").is_empty(), "{ended:#?}");
    let parties = &ended[1].event("room.ready")["parties"];
    let own = ask(stage, "alice", &["identity", "show"]).lines.join("");
    assert_eq!((text(&parties[0], "name"), text(&parties[0], "identity")), ("alice", own.as_str()));
    drop(lasting.folder);
}

/// A board that answers every list with this post.
fn lying_mediator(post: impl Fn(&str) -> Post + Send + Sync + 'static) -> String {
    fake_mediator(move |socket| {
        while let Some(message) = socket.next() {
            let Ok(List { id }) = List::try_from(&message) else { continue };
            let Post { title, program, seats, free, threshold, link, expires_time } = post(socket.did());
            let (id, link) = (id.unwrap_or_else(|| PostId::new("3f1c9a07").unwrap()), Some(link));
            let listed = Listed { id, title, program, seats, free, threshold, link, expires_time };
            socket.send(Posts { posts: vec![listed] }.message("p").thid(message.thread()));
        }
    })
}

fn post(link: &str) -> Post {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    Post {
        title: Title::new("a trap").unwrap(),
        program: Program {
            name: ProgramName::new("average.py").unwrap(),
            sha256: ProgramDigest::new(digest(&average())).unwrap(),
        },
        seats: 3,
        free: 2,
        threshold: None,
        link: RoomLink::new(link).unwrap(),
        expires_time: unix + 600,
    }
}

/// Decides LB-13.
#[test]
fn a_post_cannot_make_a_guest_ask_or_join_elsewhere() {
    let stage = Stage::new();
    // Where a stranger would have requests sent to, and a room at another mediator.
    let trap = TcpListener::bind("127.0.0.1:0").unwrap();
    trap.set_nonblocking(true).unwrap();
    let mut alice = stage.invite("alice", 3).option(&["--full"]).program(averaging("1")).start();
    let elsewhere = text(&alice.wait_for("room.invitation"), "link").to_owned();
    let (_, content) = elsewhere.split_once("?_oob=").unwrap();
    let content = content.to_owned();
    let away =
        format!("http://127.0.0.1:{}/r/AQEBAQEB#{}", trap.local_addr().unwrap().port(), "A".repeat(27));
    let at_own_address = move |did: &str| {
        let service = didagent_didcomm::did::resolve_offline(did).unwrap().services.remove(0).uri;
        post(&format!("{}?_oob={content}", service.replace("ws://", "http://")))
    };
    for link in [lying_mediator(move |_| post(&away)), lying_mediator(at_own_address)] {
        let words = ["lobby", "join", "3f1c9a07", "--strangers", "--mediator", &link];
        let guest = Agent::new(didagent(), stage.home("bob"), "bob", &words).program(averaging("3")).run();
        guest.assert_error(8, "E1204");
    }
    assert_eq!(trap.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "somebody was asked");
    alice.process.signal("INT");
    let alice = alice.finish();
    assert!(alice.events("party.joined").is_empty(), "{alice:#?}");
}
