//! Parties at screens, in one room.

use std::ffi::OsString;

use super::party::{Agent, Ended, Party};
use super::scene::Scene;
use super::stage::{NAMES, Stage, finish};
use super::{program, python_command};

/// How long the parties of a run wait for one that is missing, in seconds.
const PATIENCE: &str = "5";

/// Every number of parties, for a soak.
const ALL: &[usize] = &[2, 3, 4, 5, 6, 7, 8, 9, 10];

/// Says whether everything is played.
pub fn soak() -> bool {
    std::env::var_os("DIDAGENT_SOAK").is_some()
}

/// How many parties play a scene.
pub fn counts(normally: &'static [usize]) -> &'static [usize] {
    if soak() { ALL } else { normally }
}

/// A program that runs as long as a test needs it.
pub fn rounds() -> Vec<OsString> {
    python_command(&program("rounds.py"), &["600"])
}

/// Parties at screens.
#[derive(Debug)]
pub struct Room {
    /// The stage.
    pub stage: Stage,
    /// The link that the host shows.
    pub link: String,
    /// Whoever is in it, in order; those who were taken out are not.
    pub parties: Vec<Party>,
}

impl Room {
    /// A room for `seats`, with the host in it.
    pub fn open(seats: usize, command: Vec<OsString>, change: impl Fn(Agent) -> Agent) -> Self {
        Self::open_at(Stage::new(), seats, command, change)
    }

    /// Like [`Room::open`], on this stage.
    pub fn open_at(
        stage: Stage,
        seats: usize,
        command: Vec<OsString>,
        change: impl Fn(Agent) -> Agent,
    ) -> Self {
        let host = change(stage.invite("alice", seats)).program(command).for_people().in_own_group();
        let mut alice = host.start();
        let link = alice.process.next_line().unwrap();
        Self { stage, link, parties: vec![alice] }
    }

    /// The next one joins, and has its seat when this returns.
    pub fn join(&mut self, command: Vec<OsString>, change: impl Fn(Agent) -> Agent) {
        let name = NAMES[self.parties.len()];
        let guest = change(self.stage.join(name, &self.link)).program(command).for_people().in_own_group();
        let guest = guest.start();
        let index = self.parties.len();
        self.parties[0].process.wait_for_stderr(&format!("party {index}  {name}  "));
        self.parties.push(guest);
    }

    /// `count` parties in the middle of a run.
    pub fn running(count: usize, commands: impl Fn(usize) -> Vec<OsString>) -> Self {
        let patient = |agent: Agent| agent.option(&["--patience", PATIENCE, "--no-transcript"]);
        let mut room = Self::open(count, commands(0), patient);
        for index in 1..count {
            room.join(commands(index), patient);
        }
        room
    }

    /// So many in a room that has one seat more, all of whom have heard of all: or the screens differ by what they were told last.
    pub fn waiting(count: usize) -> Self {
        Self::waiting_at(Stage::new(), count)
    }

    /// Like [`Room::waiting`], on this stage.
    pub fn waiting_at(stage: Stage, count: usize) -> Self {
        let mut room = Self::open_at(stage, count + 1, rounds(), |agent| agent);
        (1..count).for_each(|_| room.join(rounds(), |agent| agent));
        room.parties[count - 1].process.wait_for_stderr("waiting for 1 more");
        for guest in &room.parties[1..] {
            guest.process.wait_for_stderr(NAMES[count - 1]);
        }
        room
    }

    /// Waits until every program runs.
    pub fn wait_until_all_run(&mut self) {
        for party in &mut self.parties {
            while party.process.next_line().expect("it runs") != "running" {}
        }
    }

    /// Takes one party out.
    pub fn take(&mut self, index: usize) -> Party {
        self.parties.remove(index)
    }

    /// Waits for the ends of all who are left, and holds their screens to the file, which says how each must end.
    pub fn ends(self, scene: &Scene, before: Vec<Ended>) {
        let Self { stage, link, parties } = self;
        let mut ended = before;
        ended.extend(finish(parties));
        ended.sort_by_key(|ended| NAMES.iter().position(|name| *name == ended.name));
        scene.assert(&stage, &link, &ended);
    }
}
