//! What people see at the door, before anything runs: one clear screen each, word for word in `golden/doors`, for 2 to 10 parties.
//!
//! The host goes while people wait, the room is full before it begins, somebody would run something else, the host decides who comes in,
//! an authority does, strangers meet in a lobby, and people who are known beforehand wait for each other. As in `trouble.rs`, a soak plays
//! each scene with every number of parties.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use sha2::Digest as _;
use support::lasting::Lasting;
use support::mediator::Mediator;
use support::party::{Agent, Party, bare};
use support::process::{Finished, run};
use support::room::{Room, counts, rounds, soak};
use support::scene::Scene;
use support::site::Site;
use support::stage::{NAMES, Stage, finish};
use support::{didagent, program, python_command, until};

/// A program that ends by itself.
fn short() -> Vec<OsString> {
    python_command(&program("rounds.py"), &["3"])
}

fn ask(stage: &Stage, home: &str, words: &[&str]) -> Finished {
    run(&words.join(" "), bare(&didagent()).arg("--home").arg(stage.home(home)).args(words))
}

/// Waits until all of these show a text.
fn all_show(parties: &[Party], text: &str) {
    parties.iter().for_each(|party| party.process.wait_for_stderr(text));
}

/// Ends a party without a word.
fn kill(party: Party) {
    party.process.signal("KILL");
    party.finish();
}

/// Host and mediator lose their power. The mediator is back first.
#[test]
fn the_host_is_killed_while_people_wait_and_goes_on() {
    for count in counts(&[10]) {
        let lasting = Lasting::new();
        let mut room = Room::waiting_at(lasting.stage, *count);
        kill(room.take(0));
        room.stage.kill_mediator();
        all_show(&room.parties, "lost the connection to the mediator");
        let (port, data) = (lasting.port, lasting.data.clone());
        room.stage.mediator = Some(Mediator::start_lasting(&didagent(), port, &data));
        all_show(&room.parties, "nothing is heard of the host");
        let scene = |name: &str| Scene::new(&format!("doors/{name}"), *count).seats(count + 1);
        let newcomer = room.stage.join("mallory", &room.link).program(rounds()).for_people().run();
        scene("link-of-a-killed-host").assert(&room.stage, &room.link, &[newcomer]);

        let resumed = room.stage.resume("alice").program(rounds()).for_people().start();
        all_show(&room.parties, "the host is back");
        for guest in &room.parties {
            until("they know who is there", || guest.process.stderr().ends_with("waiting for 1 more ...\n"));
        }
        resumed.process.signal("INT");
        room.ends(&scene("host-goes-on"), vec![resumed.finish()]);
        drop(lasting.folder);
    }
}

/// Nothing says so but that the host is silent. Those who wait have patience, whose end a soak sees; it takes minutes, so all rooms wait
/// at once.
#[test]
fn a_host_is_killed_and_stays_away() {
    let play = |count: usize| {
        let mut room = Room::waiting(count);
        kill(room.take(0));
        let newcomer = room.stage.join("mallory", &room.link).program(rounds()).for_people().start();
        let scene = |name: &str| Scene::new(&format!("doors/{name}"), count).seats(count + 1);
        scene("host-gone").assert(&room.stage, &room.link, &[newcomer.finish()]);
        if soak() {
            let long = |party: Party| party.finish_within(Duration::from_secs(400));
            let ended: Vec<_> = room.parties.drain(..).map(long).collect();
            scene("host-stays-away").assert(&room.stage, &room.link, &ended);
        }
    };
    std::thread::scope(|scope| counts(&[9]).iter().for_each(|count| drop(scope.spawn(move || play(*count)))));
}

/// `3f1c..a9`, as screens show what a program is.
fn digest(program: &PathBuf) -> String {
    let digest = sha2::Sha256::digest(std::fs::read(program).unwrap());
    format!("{:02x}{:02x}..{:02x}", digest[0], digest[1], digest[31])
}

/// bob's program differs. All the others come, and one more for whom there is no seat; then bob puts it right.
#[test]
fn somebody_would_run_something_else_and_the_room_is_full() {
    for count in counts(&[2, 5]) {
        let mut room = Room::open(*count, short(), |agent| agent.option(&["--no-transcript"]));
        let other = room.stage.folder().join("rounds.py");
        let text = std::fs::read_to_string(program("rounds.py")).unwrap();
        std::fs::write(&other, text + "# Another line.\n").unwrap();
        let bob = |stage: &Stage, link: &str, command| {
            stage.join("bob", link).program(command).for_people().option(&["--no-transcript"])
        };
        let refused = bob(&room.stage, &room.link, python_command(&other, &["3"])).run();
        room.parties[0].process.wait_for_stderr("bob would not run the same");
        // A seat is taken although nobody sits there.
        room.parties.push(bob(&room.stage, &room.link, python_command(&other, &["3"])).start());
        for _ in 2..*count {
            room.join(short(), |agent| agent.option(&["--no-transcript"]));
        }
        drop(room.take(1).finish());
        for guest in &room.parties[1..] {
            guest.process.wait_for_stderr(&format!("{}; every seat is taken", NAMES[..*count].join(", ")));
        }
        let late = room.stage.join("mallory", &room.link).program(short()).for_people().run();
        let scene = |name: &str| {
            Scene::new(&format!("doors/{name}"), *count).masked("bob's program", &digest(&other)).with(
                "after bob",
                if *count == 2 { "every seat is taken" } else { "waiting for {free after bob} more ..." },
            )
        };
        scene("full-before-it-begins").assert(&room.stage, &room.link, &[late]);
        scene("runs-something-else").assert(&room.stage, &room.link, &[refused]);
        let bob = bob(&room.stage, &room.link, short()).start();
        room.parties.insert(1, bob);
        room.ends(&scene("put-right"), vec![]);
    }
}

#[test]
fn the_host_decides_who_comes_in() {
    for count in counts(&[6]) {
        let quiet = |agent: Agent| agent.option(&["--no-transcript"]);
        let mut room = Room::open(*count, short(), |agent| quiet(agent).option(&["--approve"]));
        let asking = |room: &Room, name: &str| {
            let guest = quiet(room.stage.join(name, &room.link)).program(short()).for_people().start();
            room.parties[0].process.wait_for_stderr(&format!("{name}  .."));
            guest.process.wait_for_stderr("the host decides");
            guest
        };
        let mallory = asking(&room, "mallory");
        assert_eq!(ask(&room.stage, "alice", &["room", "refuse", "mallory"]).code, 0);
        let refused = mallory.finish();
        for (index, name) in NAMES[..*count].iter().enumerate().skip(1) {
            let guest = asking(&room, name);
            room.parties.push(guest);
            assert_eq!(ask(&room.stage, "alice", &["room", "approve", name]).code, 0);
            room.parties[0].process.wait_for_stderr(&format!("party {index}  "));
        }
        room.ends(&Scene::new("doors/approved", *count), vec![refused]);
    }
}

/// An authority with a web site, for which homes hold credentials.
struct Authority {
    site: Site,
    did: String,
}

impl Authority {
    fn new(stage: &Stage) -> Self {
        let site = Site::start();
        site.write_authority(&stage.folder().join("authority.pem"));
        let (did, domain) = (site.did("authority"), format!("localhost:{}", site.port));
        let new = ["identity", "new", "--method", "web", "--domain", &domain, "--path", "authority"];
        assert_eq!(ask(stage, "authority", &new).code, 0);
        let authority = Self { site, did };
        authority.publish(stage, "did.json");
        authority
    }

    fn publish(&self, stage: &Stage, name: &str) {
        let text = std::fs::read_to_string(stage.home("authority").join(name)).unwrap();
        self.site.put(&format!("/authority/{name}"), "Cache-Control: no-store\r\n", &text);
    }

    /// Lets a home show that the authority knows it, and returns the name of what says so.
    fn vouch(&self, stage: &Stage, home: &str) -> String {
        let did = ask(stage, home, &["identity", "show"]).lines.concat();
        let issued = ask(stage, "authority", &["credential", "issue", "--to", &did, "--valid", "1d"]);
        let file = stage.folder().join(format!("{home}.jwt"));
        std::fs::write(&file, issued.lines.concat()).unwrap();
        self.publish(stage, "credential-status.jwt");
        assert_eq!(ask(stage, home, &["credential", "add", file.to_str().unwrap()]).code, 0);
        let list = ask(stage, "authority", &["credential", "list", "--json"]).lines.concat();
        let list: serde_json::Value = serde_json::from_str(&list).unwrap();
        let mut all = list["issued"].as_array().unwrap().iter();
        all.find(|one| one["to"] == did.as_str()).unwrap()["id"].as_str().unwrap().to_owned()
    }
}

#[test]
fn an_authority_vouches_for_some() {
    for count in counts(&[3]) {
        let stage = Stage::new();
        let authority = Authority::new(&stage);
        NAMES[..*count].iter().for_each(|name| drop(authority.vouch(&stage, name)));
        let revoked = authority.vouch(&stage, "mallory");
        assert_eq!(ask(&stage, "authority", &["credential", "revoke", &revoked]).code, 0);
        authority.publish(&stage, "credential-status.jwt");
        let certificates = stage.folder().join("authority.pem");
        let trusting = move |agent: Agent| {
            agent
                .option(&["--allow-private-hosts", "--no-transcript"])
                .variable("SSL_CERT_FILE", certificates.clone())
        };
        let require = ["--require-issuer", &authority.did];
        let mut room = Room::open_at(stage, *count, short(), |agent| trusting(agent).option(&require));
        let join = |room: &Room, home: &str| {
            trusting(room.stage.join(home, &room.link)).program(short()).for_people().run()
        };
        let (none, refused) = (join(&room, "nobody"), join(&room, "mallory"));
        room.parties[0].process.wait_for_stderr("got no seat");
        (1..*count).for_each(|_| room.join(short(), &trusting));
        let scene = Scene::new("doors/vouched-for", *count).masked("authority", &authority.did);
        room.ends(&scene, vec![none, refused]);
    }
}

/// Strangers, each with a DID that is made for the room.
#[test]
fn strangers_meet_in_a_lobby() {
    for count in counts(&[4]) {
        let stage = Stage::with_mediator(didagent(), Mediator::start_with_lobby(&didagent()));
        let stranger = |agent: Agent| agent.option(&["--strangers", "--no-transcript"]).for_people();
        let host = stage.invite("alice", *count).option(&["--lobby", "numbers"]).program(short());
        let mut parties = vec![stranger(host).start()];
        let link = parties[0].process.next_line().unwrap();
        parties[0].process.wait_for_stderr("in the lobby of");
        let screen = parties[0].process.stderr();
        let id = screen
            .lines()
            .find_map(|line| line.split_once(" as ")?.1.strip_suffix(": numbers"))
            .unwrap()
            .to_owned();
        let scene = Scene::new("doors/lobby", *count).masked("room's id", &id).with(
            "strangers",
            match (count - 1) / 2 {
                0 => "warning: strangers take part, and with threshold 0 each of the {seats} parties alone can open all inputs",
                _ => "warning: strangers take part, and one person may hold several of the {seats} seats without anybody \
                      noticing; with {seats that open} seats one person can open all inputs",
            },
        );
        for (index, name) in (1..).zip(&NAMES[1..*count]) {
            let words = ["lobby", "join", &id, "--mediator", stage.mediator_link()];
            let guest = Agent::new(didagent(), stage.home(name), name, &words).program(short());
            let guest = stranger(guest).start();
            parties[0].process.wait_for_stderr(&format!("party {index}  "));
            parties.push(guest);
        }
        let mut ended = finish(parties);
        let words = ["lobby", "join", &id, "--mediator", stage.mediator_link()];
        let late = Agent::new(didagent(), stage.home("mallory"), "mallory", &words).program(short());
        ended.push(stranger(late).run());
        scene.assert(&stage, &link, &ended);
    }
}

/// A roster file of so many parties, whose first one is the host.
fn roster(stage: &Stage, count: usize) -> PathBuf {
    let mut text = String::new();
    for name in &NAMES[..count] {
        let did = ask(stage, name, &["identity", "show"]).lines.concat();
        text += &format!("[[party]]\nname = \"{name}\"\ndid = \"{did}\"\n");
        if *name == "alice" {
            let words = ["identity", "show", "--address", "--mediator", stage.mediator_link()];
            text += &format!("at = \"{}\"\n", ask(stage, name, &words).lines.concat());
        }
    }
    let path = stage.folder().join("audit.toml");
    std::fs::write(&path, text).unwrap();
    path
}

/// First all but the last one come, then the host alone is missing, then everybody is there until one is interrupted.
#[test]
fn known_parties_wait_for_each_other() {
    for count in counts(&[3]) {
        let stage = Stage::new();
        let file = roster(&stage, *count);
        let come = |name: &str, wait: &str| {
            let words = ["run", "--roster", file.to_str().unwrap(), "--wait", wait];
            Agent::new(didagent(), stage.home(name), name, &words).option(&["--no-transcript"])
        };
        let start =
            |name: &str, wait: &str| come(name, wait).program(rounds()).for_people().in_own_group().start();
        let all = &NAMES[..*count];
        let guest = start(all[count - 1], "2s").finish();
        Scene::new("doors/known-host-missing", *count).assert(&stage, "no link", &[guest]);
        // Only one is missing.
        let mut parties = vec![start("alice", "6s")];
        for (index, name) in (1..).zip(&all[1..count - 1]) {
            parties.push(start(name, "6s"));
            parties[0].process.wait_for_stderr(&format!("party {index}  {name}  .."));
        }
        Scene::new("doors/known-guest-missing", count - 1).seats(*count).assert(
            &stage,
            "no link",
            &finish(parties),
        );
        let mut parties = vec![start("alice", "50s")];
        for (index, name) in (1..).zip(&all[1..]) {
            parties.push(start(name, "50s"));
            parties[0].process.wait_for_stderr(&format!("party {index}  {name}  .."));
        }
        for party in &mut parties {
            while party.process.next_line().expect("it runs") != "running" {}
        }
        parties[count - 1].process.signal_group("INT");
        Scene::new("doors/known-interrupted", *count).with("wait", "50 seconds").assert(
            &stage,
            "no link",
            &finish(parties),
        );
    }
}

/// The same people once more: after a link that led them together, and after one who has never been with anybody.
#[test]
fn the_same_people_meet_again() {
    for count in counts(&[2]) {
        let mut room = Room::open(*count, short(), |agent| agent.option(&["--no-transcript"]));
        (1..*count).for_each(|_| room.join(short(), |agent| agent.option(&["--no-transcript"])));
        let Room { stage, parties, .. } = room;
        finish(parties).iter().for_each(|party| assert_eq!(party.code, 0, "{party:#?}"));
        let again = |name: &str| {
            let again = Agent::new(didagent(), stage.home(name), name, &["again", "--no-transcript"]);
            again.program(short()).for_people()
        };
        let nobody = again("mallory").run();
        let mut parties = vec![again("alice").start()];
        for (index, name) in (1..).zip(&NAMES[1..*count]) {
            parties.push(again(name).start());
            parties[0].process.wait_for_stderr(&format!("party {index}  {name}  .."));
        }
        let mut ended = finish(parties);
        ended.push(nobody);
        Scene::new("doors/again", *count).assert(&stage, "no link", &ended);
    }
}
