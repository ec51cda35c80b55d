//! The run: the bridge, the program, and who is to blame when it does not end well.

use std::collections::BTreeSet;
use std::io;
use std::time::{Duration, Instant};

use didagent_bridge::io::{Bridge, BridgeEvent, Mesh};
use didagent_didcomm::protocols::room::Leave;
use tokio::sync::mpsc;
use tokio::time::{sleep_until, timeout};

use super::connections::Connections;
use super::vain::VainWait;
use super::{End, Engine, interrupted, now};
use crate::core::room::roster::Roster;
use crate::core::room::{Assent, describe, describe_leave, leave};
use crate::core::transcript::{Record, Traffic};
use crate::failure::{Failure, Kind};
use crate::io::peer::{Ended, FromPeer, Peer, SessionStream};
use crate::io::program::Running;
use crate::io::{random_u64, stdout, unix_now};
use crate::report::{Report, Reporter, RunExited};

/// A party that stopped because it lost another one is not the culprit. So long we wait for the news of who is.
const CULPRIT: Duration = Duration::from_secs(2);

/// A party whose circuit ended without a proper close has usually said why in a message that is still on its way. So long we
/// wait for it.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// After our program ended well, its last bytes go out and the others' last bytes come in; they end within moments of each
/// other, since MPyC's shutdown is a barrier.
const LAST_BYTES: Duration = Duration::from_secs(10);

/// A program may connect, write and end within a millisecond, while its connection still waits to be accepted here. So long we wait
/// for the first news of one.
const LATE_NEWS: Duration = Duration::from_millis(500);

/// How long the next line of a program that has ended may take.
const LAST_LINE: Duration = Duration::from_secs(1);

/// The supervisor gives a program 3 s to end, so after this time the supervisor itself hangs.
const STOP: Duration = Duration::from_secs(8);

/// Exit code of a run that we stopped.
pub(super) const STOPPED: u8 = 125;

/// A run in progress.
pub(super) struct Run {
    pub(super) bridge: Bridge,
    events: mpsc::Receiver<BridgeEvent>,
    pub(super) program: Option<Running>,
    started: Instant,
    pub(super) connections: Connections,
    /// Parties that said that they are done.
    pub(super) done: BTreeSet<usize>,
    /// Who seems to be to blame.
    pub(super) blame: Option<Blame>,
    pub(super) vain: VainWait,
}

/// A suspicion: something points at a party, but better news may be on its way.
pub(super) struct Blame {
    /// When it becomes certain.
    until: Instant,
    /// The party, if what it says itself can clear it.
    pub(super) suspect: Option<usize>,
    /// It is one only if connections still stand then: a party that was done has left nothing else to miss.
    needs_connections: bool,
    pub(super) failure: Failure,
}

/// What happens in a run.
#[derive(Debug)]
pub(super) enum Happened {
    /// A captured line of the program.
    Line(String),
    /// The program ended with this exit code.
    Ended(u8),
    /// News of the bridge.
    Bridge(BridgeEvent),
}

/// The sessions, as the bridge opens streams on them.
struct SessionMesh(Vec<Option<Peer>>);

impl Mesh for SessionMesh {
    type Stream = SessionStream;

    async fn open(&self, peer: usize) -> io::Result<SessionStream> {
        let peer = self.0.get(peer).and_then(Option::as_ref);
        peer.ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected))?.open()
    }
}

impl Run {
    /// Waits for the next thing to happen. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Happened {
        loop {
            let (lines, child) = match &mut self.program {
                Some(Running { lines, child, passed_on }) => (lines.as_mut(), Some((child, passed_on))),
                None => (None, None),
            };
            tokio::select! {
                // News of the bridge first: when the program ends, what it did before must be known.
                biased;
                Some(event) = self.events.recv() => {
                    self.connections.count(&event);
                    return Happened::Bridge(event);
                }
                Some(line) = maybe(lines.map(|lines| lines.recv())) => match (line, &mut self.program) {
                    (Some(line), _) => return Happened::Line(line),
                    // Its stdout is closed; the rest goes on without it.
                    (None, Some(program)) => program.lines = None,
                    (None, None) => {}
                },
                Some(code) = maybe(child.map(|(child, passed_on)| Running::code(child, passed_on))) => return Happened::Ended(code),
            }
        }
    }

    /// Returns when to look again, at a suspicion or for a program that waits in vain.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let blamed = self.blame.as_ref().map(|blame| blame.until);
        [blamed, self.vain.next_look(!self.done.is_empty())].into_iter().flatten().min()
    }

    /// Returns the failure of a run whose culprit is certain by now, and whether another party only told us of it; a suspicion that
    /// came to nothing is dropped.
    pub(super) fn blame_due(&mut self, now: Instant) -> Option<(Failure, bool)> {
        let blame = self.blame.take_if(|blame| blame.until <= now)?;
        (!blame.needs_connections || self.connections.stand())
            .then_some((blame.failure, blame.suspect.is_none()))
    }

    /// Says whether MPyC was started by hand and is through: then ending the command by hand is no interruption.
    pub(super) fn is_complete_by_hand(&self) -> bool {
        self.program.is_none() && !self.connections.stand() && self.connections.finished() > 0
    }
}

async fn maybe<F: Future>(future: Option<F>) -> Option<F::Output> {
    match future {
        Some(future) => Some(future.await),
        None => std::future::pending().await,
    }
}

impl Engine {
    /// Opens the ports and starts the program: everybody has signed the roster.
    pub(super) async fn begin_run(
        &mut self,
        roster: Box<Roster>,
        (words, assents): (Vec<&'static str>, Vec<Assent>),
        reporter: &mut dyn Reporter,
    ) -> Result<(), Failure> {
        let acquaintances = self.acquaintances(&roster);
        self.remember(&roster)?;
        // People have seen the table already if they compared the words.
        let is_shown = self.began;
        self.outlive_circuits();
        let m = roster.body().m;
        let ours = self.ours_in(&roster)?;
        tracing::Span::current().record("party", ours);
        let (plan, listeners) =
            Bridge::bind(ours, m, &[], random_u64(&mut self.rng)).await.map_err(|error| {
                Failure::new(Kind::PortsBusy, format!("no local ports for MPyC: {error}"))
                    .hint("ss -tlnp    (shows who holds them; end those programs, then begin anew)")
            })?;
        self.record = Some(Record { roster: roster.clone(), assents, index: ours, began: unix_now() });
        if !is_shown {
            self.show_ready(roster, words, acquaintances, reporter)?;
        }
        let mesh = SessionMesh((0..m).map(|index| self.peers.get(&index).cloned()).collect());
        let mut bridge = Bridge::start(listeners, mesh);
        let events = bridge.events();
        // From here on what is typed is the program's.
        self.typed.stop().await;
        let arguments = plan.mpyc_arguments();
        let launcher = match &self.program {
            Some(_) => None,
            None => Some(self.run_dir.write_launcher()?),
        };
        reporter.report(&Report::Ports { arguments: arguments.clone(), launcher });
        let program = match &self.program {
            Some(program) => {
                self.peers.values().for_each(Peer::hold_ends);
                let started = program.start(&arguments, self.home.path(), &self.run_dir, self.capture)?;
                self.desk.started = Some(unix_now());
                reporter.report(&Report::RunStarted);
                Some(started)
            }
            None => None,
        };
        self.shown.send_modify(|shown| shown.ports = Some(arguments));
        for (peer, stream) in std::mem::take(&mut self.early_streams) {
            bridge.incoming(peer, stream).await;
        }
        tracing::info!(program = program.is_some(), "the ports stand, the run begins");
        let started = Instant::now();
        self.run = Some(Run {
            bridge,
            events,
            program,
            started,
            connections: Connections::default(),
            done: BTreeSet::new(),
            blame: None,
            vain: VainWait::new(started),
        });
        Ok(())
    }

    /// A party said that it leaves.
    pub(super) fn peer_left(&mut self, index: usize, body: &Leave) -> Result<Option<End>, Failure> {
        let who = self.roster.as_ref().map(|roster| describe(roster, index)).unwrap_or_default();
        let has_closed = self.ended.contains(&index) && !self.lost.contains(&index);
        if body.code == leave::DONE && has_closed {
            self.abort(index);
        }
        let anew = format!("begin anew: {}", self.anew());
        let Some(run) = &mut self.run else { return Ok(None) };
        let why = describe_leave(&who, body);
        match body.code.as_str() {
            leave::DONE => {
                run.done.insert(index);
                if has_closed {
                    drop(run.blame.take_if(|blame| blame.suspect == Some(index)));
                } else if let Some(blame) = run.blame.as_mut().filter(|blame| blame.suspect == Some(index)) {
                    blame.until = now().instant + LAST_BYTES;
                    blame.needs_connections = true;
                }
                let others = self.peers.len();
                Ok((run.program.is_none() && run.done.len() == others).then_some(End::OthersDone))
            }
            leave::PEER_LOST => {
                run.blame.get_or_insert(Blame {
                    until: now().instant + CULPRIT,
                    suspect: None,
                    needs_connections: false,
                    failure: Failure::new(Kind::PeerLost, why).hint(anew),
                });
                Ok(None)
            }
            leave::PROGRAM_FAILED => {
                Err(Failure::new(Kind::PeerFailed, why).hint("ask them what their screen says"))
            }
            _ => Err(Failure::new(Kind::PeerLost, why).hint(anew)),
        }
    }

    /// Says whether MPyC was started by hand and has been through with everybody.
    pub(super) fn is_idle_by_hand(&self) -> bool {
        let finished = |run: &Run| {
            run.program.is_none()
                && !run.connections.stand()
                && run.connections.finished() >= self.peers.len()
        };
        self.run.as_ref().is_some_and(finished)
    }

    /// The session with a peer ended.
    pub(super) fn peer_ended(&mut self, index: usize, ended: Ended) -> Result<Option<End>, Failure> {
        let is_closed = ended == Ended::Closed;
        let why = match ended {
            Ended::Closed => "it closed the session".to_owned(),
            Ended::Lost(why) => why,
        };
        if self.began
            && !is_closed
            && let Some(failure) = self.relay_is_away()
        {
            return Err(failure);
        }
        if self.run.is_none() {
            if is_closed {
                self.abort(index);
            }
            return self.session_lost(index, why);
        }
        let anew = format!("begin anew: {}", self.anew());
        let Some(run) = &mut self.run else { return Ok(None) };
        let is_done = run.done.contains(&index);
        if is_closed && is_done {
            self.abort(index);
            return Ok(None);
        }
        // Its own words may come later than the end of its session, since they go through the mailboxes.
        let who = self.roster.as_ref().map(|roster| describe(roster, index)).unwrap_or_default();
        run.blame.get_or_insert(Blame {
            until: now().instant + if is_done { LAST_BYTES } else { LAST_WORDS },
            suspect: Some(index),
            needs_connections: is_done || is_closed,
            failure: Failure::new(Kind::PeerLost, format!("lost {who}: {why}")).hint(anew),
        });
        Ok(None)
    }

    fn abort(&self, index: usize) {
        if let Some(peer) = self.peers.get(&index) {
            peer.abort();
        }
    }

    /// Puts a loss down to this machine's own standstill, if there was one: the others went on without us, and whichever news of
    /// that came first looks as if somebody else were to blame.
    pub(super) fn or_standstill(&self, failure: Failure) -> Failure {
        let is_loss = matches!(
            failure.kind,
            Kind::PeerLost | Kind::PeerFailed | Kind::MediatorLost | Kind::NotReady | Kind::HostSilent
        );
        match self.standstill.recent().filter(|_| is_loss) {
            None => failure,
            Some(length) => Failure::new(
                Kind::Standstill,
                format!(
                    "this machine stood still for {} s (sleep?), and the others went on without it",
                    length.as_secs()
                ),
            )
            .hint(format!("keep this machine awake; then {}", self.anew())),
        }
    }

    /// Ends a run: stops the program unless it ended by itself, and finds out why. Frees the ports.
    pub(super) async fn end_run(&mut self, mut run: Run, end: End, reporter: &mut dyn Reporter) -> RunExited {
        let elapsed = run.started.elapsed();
        let had_program = run.program.is_some();
        let (code, program, reason) = match end {
            End::Program { code: 0 } => {
                self.peers.values().for_each(Peer::release_ends);
                self.wait_for_first_news(&mut run, reporter).await;
                self.warn_of_early_end(&run, reporter);
                self.wait_for_last_bytes(&mut run, reporter).await;
                (0, Some(0), None)
            }
            End::Program { code } => {
                // The others are told in words, and stop theirs before it fails for a reason that nobody there knows.
                self.peers.values().for_each(Peer::mute);
                drain_lines(&mut run, reporter, true).await;
                self.run = Some(run);
                let reason = self.explanation(reporter).await;
                // It was put there two lines above.
                let Some(taken) = self.run.take() else { return RunExited::unknown(code) };
                run = taken;
                if reason.is_some() {
                    self.report_undelivered(&run, reporter);
                }
                (code, Some(code), reason)
            }
            End::OthersDone => (0, None, None),
            End::Interrupted if run.is_complete_by_hand() => (0, None, None),
            End::Interrupted => {
                if had_program {
                    reporter.report(&Report::RunStopping);
                }
                self.stop(&mut run, reporter).await;
                (Kind::Interrupted.exit(), None, Some(interrupted()))
            }
            End::Failed(failure) => {
                self.report_undelivered(&run, reporter);
                self.stop(&mut run, reporter).await;
                (if had_program { STOPPED } else { failure.kind.exit() }, None, Some(failure))
            }
        };
        let mut exited = RunExited { reason, elapsed, program, ..RunExited::unknown(code) };
        for peer in self.peers.keys() {
            let counts = run.bridge.counts(*peer);
            exited.bytes_up += counts.bytes_up;
            exited.bytes_down += counts.bytes_down;
            exited.peers.push(Traffic { index: *peer, up: counts.bytes_up, down: counts.bytes_down });
        }
        tracing::info!(
            code,
            ?program,
            bytes_up = exited.bytes_up,
            bytes_down = exited.bytes_down,
            "the run is over"
        );
        // Frees the ports; connections that still stand belong to a program that is not ours and now fail.
        run.bridge.shutdown().await;
        exited
    }

    /// Waits for the first news of any connection.
    async fn wait_for_first_news(&mut self, run: &mut Run, reporter: &mut dyn Reporter) {
        drain_lines(run, reporter, true).await;
        run.program = None;
        let deadline = tokio::time::Instant::now() + LATE_NEWS;
        while !run.connections.met() {
            if !self.wait_for_news(run, deadline, reporter).await {
                return;
            }
        }
    }

    /// Waits until every connection has ended in both directions.
    async fn wait_for_last_bytes(&mut self, run: &mut Run, reporter: &mut dyn Reporter) {
        let deadline = tokio::time::Instant::now() + LAST_BYTES;
        while run.connections.stand() && self.ended.len() < self.peers.len() {
            if !self.wait_for_news(run, deadline, reporter).await {
                return;
            }
        }
    }

    /// Waits for the next thing to happen to a connection or a peer; `false` when nothing did until the deadline. Meanwhile lost
    /// connections come back, since what MPyC wrote last may not have arrived yet.
    async fn wait_for_news(
        &mut self,
        run: &mut Run,
        deadline: tokio::time::Instant,
        reporter: &mut dyn Reporter,
    ) -> bool {
        loop {
            let Ok(look) = self.keep_paths(reporter).await else { return false };
            let look = deadline.min(look.into());
            tokio::select! {
                _ = run.next() => return true,
                Some(event) = self.from_peers.recv() => {
                    // Whatever happens to others now, our program has its result.
                    match event {
                        (peer, FromPeer::Stream(stream)) => run.bridge.incoming(peer, stream).await,
                        event => drop(self.on_peer(event, reporter).await),
                    }
                    return true;
                }
                Some(event) = self.from_mediators.recv() => {
                    drop(self.on_mediator(event, reporter).await);
                    drop(self.drain_room(reporter).await);
                }
                () = sleep_until(look) => {
                    if look == deadline {
                        return false;
                    }
                }
            }
        }
    }

    /// Stops the program.
    async fn stop(&mut self, run: &mut Run, reporter: &mut dyn Reporter) {
        if run.program.is_none() {
            return;
        }
        self.shown.send_modify(|shown| shown.stop = true);
        let stopped = timeout(STOP, async {
            loop {
                match run.next().await {
                    Happened::Ended(_) => return,
                    Happened::Line(line) => reporter.report(&Report::RunOutput { line }),
                    Happened::Bridge(_) => {}
                }
            }
        });
        if stopped.await.is_err()
            && let Some(program) = &mut run.program
        {
            program.kill().await;
        }
        // The others wait to be told, so not for long.
        drain_lines(run, reporter, false).await;
    }
}

/// Reports what the program wrote last. A grandchild may hold its stdout open, so the wait is bounded; whether also for a slow
/// reader of ours is `patient`.
async fn drain_lines(run: &mut Run, reporter: &mut dyn Reporter, patient: bool) {
    let Some(program) = &mut run.program else { return };
    let Some(lines) = &mut program.lines else { return };
    loop {
        match timeout(LAST_LINE, lines.recv()).await {
            Ok(Some(line)) => reporter.report(&Report::RunOutput { line }),
            Ok(None) => return,
            Err(_) if patient && !stdout::has_room() => {}
            Err(_) => return,
        }
    }
}
