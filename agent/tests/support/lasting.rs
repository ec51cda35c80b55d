//! A mediator that is restarted in the middle of a test, with its keys and on its port.

use std::path::PathBuf;

use super::didagent;
use super::mediator::Mediator;
use super::party::{Party, text};
use super::stage::Stage;

/// A stage whose mediator can be started again as the same one.
#[derive(Debug)]
pub struct Lasting {
    /// The stage.
    pub stage: Stage,
    /// Its mediator's port.
    pub port: u16,
    /// Where that one keeps its keys.
    pub data: PathBuf,
    /// Holds the keys.
    pub folder: tempfile::TempDir,
}

impl Lasting {
    /// On a free port.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("mediator");
        let mediator = Mediator::start_lasting(&didagent(), 0, &data);
        let port = mediator.port;
        Self { stage: Stage::with_mediator(didagent(), mediator), port, data, folder }
    }

    /// Kills the mediator and starts it again when everybody has noticed.
    pub fn restart(&mut self, parties: &mut [&mut Party]) {
        self.stage.kill_mediator();
        self.come_back(parties);
    }

    /// Like `restart`, with a mediator that says goodbye.
    pub fn restart_politely(&mut self, parties: &mut [&mut Party]) {
        self.stage.mediator.take().unwrap().stop();
        self.come_back(parties);
    }

    /// Starts it again when everybody has noticed that it is gone.
    pub fn come_back(&mut self, parties: &mut [&mut Party]) {
        // Everybody notices before it is back, so that the test cannot pass by being too quick.
        for party in parties {
            let lost = party.wait_for("mediator.lost");
            assert!(!text(&lost, "message").is_empty() && lost["retry_seconds"] == 60, "{lost}");
        }
        self.start();
    }

    /// Starts it again.
    pub fn start(&mut self) {
        self.stage.mediator = Some(Mediator::start_lasting(&didagent(), self.port, &self.data));
    }
}
