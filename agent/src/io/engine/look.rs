//! Our program, looked at again: when a guest's program differs, it may be ours that was mended meanwhile (MF-23).

use tokio::sync::mpsc;

use super::{Engine, now};
use crate::core::room::Input;
use crate::failure::Failure;
use crate::io::program::Program;

/// What looking again found, when it is done.
#[derive(Debug)]
pub(super) struct Looked {
    sender: mpsc::Sender<Result<Program, Failure>>,
    found: mpsc::Receiver<Result<Program, Failure>>,
    /// One at a time: each asks a Python.
    is_looking: bool,
}

impl Looked {
    pub(super) fn new() -> Self {
        let (sender, found) = mpsc::channel(1);
        Self { sender, found, is_looking: false }
    }

    pub(super) async fn next(&mut self) -> Option<Result<Program, Failure>> {
        let found = self.found.recv().await;
        self.is_looking = false;
        found
    }
}

impl Engine {
    pub(super) fn look_again(&mut self) {
        if let Some(program) = self.program.clone().filter(|_| !self.looked.is_looking) {
            self.looked.is_looking = true;
            let sender = self.looked.sender.clone();
            tokio::spawn(async move { drop(sender.send(program.look_again().await).await) });
        }
    }

    /// Takes what was found. A program that cannot be described just now changes nothing: its file may be half written.
    pub(super) fn looked_again(&mut self, found: Option<Result<Program, Failure>>) {
        match found {
            Some(Ok(program)) => {
                let is_new =
                    self.program.as_ref().is_none_or(|before| before.manifest() != program.manifest());
                if let Some(room) = self.room.as_mut().filter(|room| is_new && room.is_lobby()) {
                    let manifest = Box::new(program.manifest().clone());
                    room.handle(Input::Manifest(manifest), now(), &mut self.rng);
                    self.program = Some(program);
                }
            }
            Some(Err(failure)) => tracing::info!(%failure, "the program cannot be described now"),
            None => {}
        }
    }
}
