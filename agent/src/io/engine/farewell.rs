//! The end of the loop: the others are told how it ended here, the program is stopped, sessions and sockets are closed.
//!
//! ```text
//! we end the run:     leave --> ends of streams kept back --> program stopped --> CLOSE
//! the program ended:  FIN, RESET of its streams --> leave --> CLOSE
//! the program failed: leave --> CLOSE; the ends of its streams were kept back
//! ```
//!
//! Specification: `spec/room.md`, "Leaving". Not its concern: why it ends (`run`, `vain`).

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use didagent_didcomm::did;
use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::room::Leave;
use futures_util::future::join_all;
use tokio::time::{sleep_until, timeout};

use super::run::{Run, STOPPED};
use super::{End, Engine, now};
use crate::core::room::{Input, Output, leave};
use crate::failure::{Failure, Kind};
use crate::io::peer::{FromPeer, Peer};
use crate::io::websocket::{MediatorLink, SocketId};
use crate::report::{Report, Reporter};

/// How long the rest of the data may take to be acknowledged when the run ended well.
const DRAIN: Duration = Duration::from_secs(10);

/// The same when it did not: there is nothing that anybody needs but the end itself.
const CLOSE: Duration = Duration::from_secs(2);

/// How long the words that we leave may take on their way to the socket before the program is stopped. A mediator that does not
/// read holds nobody up for longer.
const WORDS: Duration = Duration::from_secs(1);

/// Pause before a party whose session has not ended is told again, twice as long each time. A socket that broke may have taken the
/// words along.
const AGAIN: Duration = Duration::from_millis(300);

/// How long saying goodbye may take.
const GOODBYE: Duration = Duration::from_secs(12);

/// What the others are told when we go.
#[derive(Default)]
struct Words {
    /// For each of them, by its DID or key.
    messages: Vec<(String, Message)>,
    /// The sockets that there were when they were told last.
    sockets: BTreeSet<SocketId>,
}

impl Engine {
    /// Ends the run if there is one, says goodbye in the way that fits, and returns the exit code.
    pub(super) async fn finish(mut self, end: End, reporter: &mut dyn Reporter) -> u8 {
        self.desk.ending = true;
        self.publish();
        self.forget_one_use(&end);
        let mut words = Words::default();
        let (goodbye, code) = match self.run.take() {
            Some(run) => {
                let end = match end {
                    End::Failed(failure) => End::Failed(self.or_standstill(failure)),
                    end => end,
                };
                if let Some(body) = last_words(&run, &end) {
                    // Before its connections fall: else the others' programs fail before anybody there knows why. Ctrl-C at a terminal
                    // reaches the program too, so the first thing is that the others do not see what it does.
                    self.peers.values().for_each(Peer::mute);
                    words = self.words(body);
                    let _ = timeout(WORDS, self.tell(&mut words, |_, _| true)).await;
                }
                let mut exited = self.end_run(run, end, reporter).await;
                exited.reason = exited.reason.map(|failure| self.or_standstill(failure));
                let goodbye = goodbye_after(exited.reason.as_ref(), exited.code);
                self.write_transcript(&exited, reporter);
                reporter.report(&Report::RunExited(exited.clone()));
                (goodbye, exited.code)
            }
            None => {
                let failure = match end {
                    End::Failed(failure) => self.or_standstill(failure),
                    End::Interrupted | End::Program { .. } | End::OthersDone => interrupted(),
                };
                let failure = self.room_ends(failure, reporter);
                let code = failure.kind.exit();
                let goodbye = goodbye_after(Some(&failure), code);
                reporter.report(&Report::Failed(failure));
                (goodbye, code)
            }
        };
        let is_done = goodbye.code == leave::DONE;
        let goodbye = async {
            self.take_post_down().await;
            if words.messages.is_empty() {
                words = self.words(goodbye);
                self.tell(&mut words, |_, _| true).await;
            }
            self.say_goodbye(words, is_done, reporter).await;
        };
        let _ = timeout(GOODBYE, goodbye).await;
        code
    }

    /// Returns what the others are told. The room is over then.
    fn words(&mut self, body: Leave) -> Words {
        let mut words = Words::default();
        if let Some(room) = &mut self.room {
            room.handle(Input::Leave(body), now(), &mut self.rng);
            loop {
                match room.poll() {
                    Output::Send { to, message } => words.messages.push((to, *message)),
                    Output::Timeout(_) => break,
                    _ => {}
                }
            }
        }
        words
    }

    /// Tells those parties of whom `is_meant` holds. One that cannot be told finds out by itself.
    async fn tell(&mut self, words: &mut Words, is_meant: impl Fn(&Self, &str) -> bool) {
        for (to, message) in &words.messages {
            if is_meant(self, to) {
                drop(self.send_to_party(message.clone(), to).await);
            }
        }
        words.sockets = self.sockets();
    }

    /// Returns the sockets to mediators, old and new.
    fn sockets(&self) -> BTreeSet<SocketId> {
        self.links.values().map(MediatorLink::id).collect()
    }

    /// Closes the sessions. Tells again whoever has not closed its own, and everybody if a socket had to be made anew.
    async fn say_goodbye(&mut self, mut words: Words, is_done: bool, reporter: &mut dyn Reporter) {
        let limit = if is_done { DRAIN } else { CLOSE };
        for peer in self.peers.values() {
            peer.close(limit);
        }
        let mut pause = AGAIN;
        let mut again = Instant::now() + pause;
        while self.ended.len() < self.peers.len() {
            let look = match self.began {
                true => self.keep_paths(reporter).await.ok(),
                false => None,
            };
            let look = look.unwrap_or_else(|| Instant::now() + GOODBYE);
            if again <= Instant::now() {
                pause *= 2;
                again = Instant::now() + pause;
                self.tell(&mut words, Self::is_in_session).await;
            }
            tokio::select! {
                Some((index, event)) = self.from_peers.recv() => match event {
                    FromPeer::Ended(_) => drop(self.ended.insert(index)),
                    FromPeer::Path(path) => self.on_path(index, path, reporter),
                    _ => {}
                },
                Some(event) = self.from_mediators.recv() => drop(self.on_mediator(event, reporter).await),
                () = sleep_until(look.min(again).into()) => {}
            }
        }
        if self.sockets() != words.sockets {
            self.tell(&mut words, |_, _| true).await;
        }
        // At once: each may take its time to close its side.
        join_all(self.links.drain().map(|(_, link)| link.close())).await;
    }

    /// Says whether the session with this party still has to end.
    fn is_in_session(&self, to: &str) -> bool {
        let party = self.roster.as_ref().and_then(|roster| roster.party_of(did::did_of(to)));
        party.is_some_and(|party| self.peers.contains_key(&party.index) && !self.ended.contains(&party.index))
    }
}

/// Returns what the others are told before the program is stopped; nothing if it ended by itself, or nothing is stopped.
fn last_words(run: &Run, end: &End) -> Option<Leave> {
    let had_program = run.program.is_some();
    match end {
        End::Program { .. } | End::OthersDone => None,
        End::Interrupted if run.is_complete_by_hand() => None,
        End::Interrupted => Some(goodbye_after(Some(&interrupted()), Kind::Interrupted.exit())),
        End::Failed(failure) => {
            Some(goodbye_after(Some(failure), if had_program { STOPPED } else { failure.kind.exit() }))
        }
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
        // Whose own person said it is the sender; else it is named.
        Some((Kind::WordsRefused, message)) => {
            (leave::WORDS_REFUSED, Some(message).filter(|message| *message != leave::SAID_NO))
        }
        Some((Kind::Unconfirmed, message)) => {
            (leave::UNCONFIRMED, Some(message).filter(|message| *message != leave::NOT_SAID))
        }
        Some((Kind::Agreement | Kind::RosterRefused | Kind::HandshakeFailed | Kind::NotReady, message)) => {
            (leave::FAILED, Some(message))
        }
        Some(_) => (leave::FAILED, None),
    };
    Leave { code: word.to_owned(), comment: comment.cloned(), exit_code: Some(i32::from(code)) }
}
