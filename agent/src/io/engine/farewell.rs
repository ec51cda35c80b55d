//! The end of the loop: the program is stopped, the others are told how it ended here, sessions and sockets are closed.
//!
//! Specification: `spec/room.md`, "Leaving". Not its concern: why it ends (`run`, `vain`).

use std::time::{Duration, Instant};

use didagent_didcomm::protocols::room::Leave;
use futures_util::future::join_all;
use tokio::time::{sleep_until, timeout};

use super::{End, Engine, now};
use crate::core::room::{Input, Output, Room, leave};
use crate::failure::{Failure, Kind};
use crate::io::peer::FromPeer;
use crate::report::{Report, Reporter};

/// How long the rest of the data may take to be acknowledged when the run ended well.
const DRAIN: Duration = Duration::from_secs(10);

/// The same when it did not: there is nothing that anybody needs but the end itself.
const CLOSE: Duration = Duration::from_secs(2);

/// How long saying goodbye may take.
const GOODBYE: Duration = Duration::from_secs(12);

impl Engine {
    /// Ends the run if there is one, says goodbye in the way that fits, and returns the exit code.
    pub(super) async fn finish(mut self, end: End, reporter: &mut dyn Reporter) -> u8 {
        self.desk.ending = true;
        self.publish();
        let (goodbye, code) = match self.run.take() {
            Some(run) => {
                let mut exited = self.end_run(run, end, reporter).await;
                exited.reason = exited.reason.map(|failure| self.or_standstill(failure));
                let goodbye = goodbye_after(exited.reason.as_ref(), exited.code);
                reporter.report(&Report::RunExited(exited.clone()));
                (goodbye, exited.code)
            }
            None => {
                let failure = match end {
                    End::Failed(failure) => self.or_standstill(failure),
                    End::Interrupted | End::Program { .. } | End::OthersDone => interrupted(),
                };
                let code = failure.kind.exit();
                let goodbye = goodbye_after(Some(&failure), code);
                reporter.report(&Report::Failed(failure));
                (goodbye, code)
            }
        };
        let _ = timeout(GOODBYE, self.say_goodbye(goodbye, reporter)).await;
        code
    }

    async fn say_goodbye(&mut self, body: Leave, reporter: &mut dyn Reporter) {
        let is_done = body.code == leave::DONE;
        if let Some(room) = &mut self.room {
            room.handle(Input::Leave(body), now(), &mut self.rng);
            while let Some(output) = self.room.as_mut().map(Room::poll) {
                match output {
                    // A party that cannot be told finds out by itself.
                    Output::Send { to, message } => drop(self.send_to_party(*message, &to).await),
                    Output::Timeout(_) => break,
                    _ => {}
                }
            }
        }
        let limit = if is_done { DRAIN } else { CLOSE };
        for peer in self.peers.values() {
            peer.close(limit);
        }
        while self.ended.len() < self.peers.len() {
            let look = match self.began {
                true => self.keep_paths(reporter).await.ok(),
                false => None,
            };
            let look = look.unwrap_or_else(|| Instant::now() + GOODBYE);
            tokio::select! {
                Some((index, event)) = self.from_peers.recv() => match event {
                    FromPeer::Ended(_) => drop(self.ended.insert(index)),
                    FromPeer::Path(path) => self.on_path(index, path, reporter),
                    _ => {}
                },
                Some(event) = self.from_mediators.recv() => drop(self.on_mediator(event, reporter).await),
                () = sleep_until(look.into()) => {}
            }
        }
        // At once: each may take its time to close its side.
        join_all(self.links.drain().map(|(_, link)| link.close())).await;
    }
}

pub(super) fn interrupted() -> Failure {
    Failure::new(Kind::Interrupted, "interrupted")
}

/// Returns the `leave` that tells the others how it ended here. Only sentences about other parties and about what the parties
/// agree on go out; others may name files or addresses of this machine.
fn goodbye_after(failure: Option<&Failure>, code: u8) -> Leave {
    let (word, comment) = match failure.map(|failure| (failure.kind, &failure.message)) {
        None if code == 0 => (leave::DONE, None),
        None => (leave::PROGRAM_FAILED, None),
        Some((Kind::Interrupted, _)) => (leave::INTERRUPTED, None),
        Some((Kind::PeerLost | Kind::PeerFailed | Kind::EndedEarly, message)) => {
            (leave::PEER_LOST, Some(message))
        }
        Some((Kind::Agreement | Kind::RosterRefused | Kind::HandshakeFailed | Kind::NotReady, message)) => {
            (leave::FAILED, Some(message))
        }
        Some(_) => (leave::FAILED, None),
    };
    Leave { code: word.to_owned(), comment: comment.cloned(), exit_code: Some(i32::from(code)) }
}
