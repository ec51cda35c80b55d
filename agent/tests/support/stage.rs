//! The stage of one test: a folder with everybody's home, a mediator, and the parties.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::mediator::Mediator;
use super::party::{Agent, Ended, Party, text};
use super::proxy::Proxy;
use super::{didagent, roles};

/// Names of the parties, in order of their index.
pub const NAMES: [&str; 10] =
    ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy"];

/// A folder, a mediator, and the binary that everybody uses. All of it is gone with the test.
#[derive(Debug)]
pub struct Stage {
    folder: TempDir,
    binary: PathBuf,
    /// The mediator.
    pub mediator: Option<Mediator>,
    link: String,
}

impl Stage {
    /// A stage for the binary under test.
    pub fn new() -> Self {
        Self::with_mediator(didagent(), Mediator::start(&didagent()))
    }

    /// A stage on which everything to and from the mediator goes through a proxy.
    pub fn behind_proxy(binary: PathBuf) -> (Self, Proxy) {
        let proxy = Proxy::listen();
        let mediator = Mediator::start_behind(&binary, proxy.port());
        proxy.forward_to(mediator.port);
        (Self::with_mediator(binary, mediator), proxy)
    }

    /// Like [`Stage::behind_proxy`]; the mediator logs all that it can. Also returns its key file.
    pub fn logging_behind_proxy(binary: PathBuf) -> (Self, Proxy, PathBuf) {
        let proxy = Proxy::listen();
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("mediator");
        std::fs::create_dir(&data).unwrap();
        let mediator = Mediator::start_logging(&binary, proxy.port(), &data);
        proxy.forward_to(mediator.port);
        let link = mediator.link.clone();
        (Self { folder, binary, mediator: Some(mediator), link }, proxy, data.join("mediator-keys.json"))
    }

    /// The mediator's DID.
    pub fn mediator_did(&self) -> String {
        let invitation = didagent_didcomm::protocols::out_of_band::Invitation::from_url(&self.link);
        invitation.unwrap().from().to_owned()
    }

    /// A stage with this mediator.
    pub fn with_mediator(binary: PathBuf, mediator: Mediator) -> Self {
        let link = mediator.link.clone();
        Self { folder: tempfile::tempdir().unwrap(), binary, mediator: Some(mediator), link }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A party's home.
    pub fn home(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The mediator's link.
    pub fn mediator_link(&self) -> &str {
        &self.link
    }

    /// Kills the mediator.
    pub fn kill_mediator(&mut self) {
        self.mediator.take().unwrap().kill();
    }

    /// `invite` of a room for `parties` parties.
    pub fn invite(&self, name: &str, parties: usize) -> Agent {
        self.invite_at(name, parties, &self.link)
    }

    /// `invite` with another mediator.
    pub fn invite_at(&self, name: &str, parties: usize, mediator: &str) -> Agent {
        let words = ["invite", "--parties", &parties.to_string(), "--mediator", mediator];
        Agent::new(self.binary.clone(), self.home(name), name, &words)
    }

    /// `invite --resume`: the room of before goes on.
    pub fn resume(&self, name: &str) -> Agent {
        Agent::new(self.binary.clone(), self.home(name), name, &["invite", "--resume"])
    }

    /// `join` of the room that `link` leads to.
    pub fn join(&self, name: &str, link: &str) -> Agent {
        Agent::new(self.binary.clone(), self.home(name), name, &["join", link])
    }

    /// Starts as many parties as there are commands, the first as host, each with its own command; an empty command
    /// is a party without a program. The order in which they join is the order of the commands.
    pub fn start(&self, commands: Vec<Vec<OsString>>) -> Vec<Party> {
        self.start_with(commands, |agent| agent)
    }

    /// Like [`Stage::start`]; `change` adds what all parties have in common.
    pub fn start_with(&self, commands: Vec<Vec<OsString>>, change: impl Fn(Agent) -> Agent) -> Vec<Party> {
        let count = commands.len();
        let mut commands = roles(commands).into_iter();
        let host = self.invite(NAMES[0], count).program(commands.next().unwrap());
        let mut parties = vec![change(host).start()];
        let link = text(&parties[0].wait_for("room.invitation"), "link").to_owned();
        for (name, command) in NAMES[1..].iter().zip(commands) {
            parties.push(change(self.join(name, &link).program(command)).start());
            parties[0].wait_for("party.joined");
        }
        parties
    }

    /// Starts parties like [`Stage::start`] and waits for their ends.
    pub fn run(&self, commands: Vec<Vec<OsString>>) -> Vec<Ended> {
        finish(self.start(commands))
    }
}

/// Waits for the ends of all parties.
pub fn finish(parties: Vec<Party>) -> Vec<Ended> {
    parties.into_iter().map(Party::finish).collect()
}
