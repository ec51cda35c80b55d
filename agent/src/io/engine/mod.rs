//! The engine: one party's life in one room, from the mediator's first answer to the end of the program.
//!
//! ```text
//! websocket text --> open envelope --> Mailbox --> Room --> Post --> websocket text
//! websocket frames <--> Peer (session) <--> SessionStream <--> Bridge <--> MPyC
//! ```
//!
//! One loop owns everything that decides; tasks only carry bytes. Not its concern: what people see (`report`), how a command
//! line becomes [`Plan`] (`cli`).

mod applicants;
mod board;
mod confirming;
mod connections;
mod credentials;
mod desk;
mod entrance;
mod entry;
mod explanation;
mod farewell;
mod keeper;
mod link;
mod links;
mod look;
mod lookups;
mod mail;
mod missing;
mod paths;
mod plan;
mod reconnect;
mod room_events;
mod run;
mod share;
mod spare;
mod start;
mod strangers;
mod transcript;
mod vain;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use didagent_bridge::io::BridgeEvent;
use futures_util::FutureExt as _;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tracing::Instrument as _;

use crate::core::allowance::Allowance;
use crate::core::backoff::Outage;
use crate::core::connect::Mailbox;
use crate::core::contacts::Contacts;
use crate::core::identity::{ConnectionDid, Identity};
use crate::core::room::roster::Roster;
use crate::core::room::{Input, Now, Output, Room, describe};
use crate::core::seen::Seen;
use crate::core::transcript::Record;
use crate::failure::{Failure, Kind};
use crate::io::clock::sleep_until;
use crate::io::home::{EngineLock, Home, RunDir};
use crate::io::local_api::{Serving, Shown};
use crate::io::os::EndRequests;
use crate::io::peer::{Ended, FromPeer, Peer, SessionStream};
pub use crate::io::program::Comparing;
use crate::io::program::Program;
use crate::io::standstill::Standstill;
pub use crate::io::transcripts::Keeping;
use crate::io::typed::Typed;
use crate::io::websocket::{FromMediator, MediatorLink};
use crate::io::{SystemRng, stdout, unix_now};
use crate::report::{PathReport, Report, Reporter};
pub(crate) use board::told;
use desk::Desk;
use entry::Entry;
use farewell::interrupted;
pub(crate) use keeper::kept_room;
use look::Looked;
pub use lookups::Web;
use paths::Paths;
pub use plan::{Opening, Plan, Role};
use run::{Happened, Run};
use spare::Spare;
pub use strangers::Strangers;

/// How long a mediator may take to set up the mailbox.
const MAILBOX: Duration = Duration::from_secs(15);

/// How long the reader of our events has to take the last ones after Ctrl-C.
const LAST_EVENTS: Duration = Duration::from_secs(2);

/// Runs one party's whole way and returns the exit code.
pub async fn run(plan: Plan, reporter: &mut dyn Reporter) -> u8 {
    // The tasks that carry bytes are spawned inside, so all that happens for this room is in its span.
    let span = tracing::info_span!("room", id = tracing::field::Empty, party = tracing::field::Empty);
    run_here(plan, reporter).instrument(span).await
}

async fn run_here(plan: Plan, reporter: &mut dyn Reporter) -> u8 {
    let mut ends = match EndRequests::listen() {
        Ok(ends) => ends,
        Err(error) => {
            let failure = Failure::new(Kind::Other, format!("signals cannot be received: {error}"));
            reporter.report(&Report::Failed(failure));
            return Kind::Other.exit();
        }
    };
    // Until the engine stands there is nobody to say goodbye to, so an early Ctrl-C just ends everything.
    let started = tokio::select! {
        started = start::start(plan, reporter) => started,
        () = ends.next() => Err(interrupted()),
    };
    match started {
        Ok(engine) => engine.go(&mut ends, reporter).await,
        Err(failure) => {
            let code = failure.kind.exit();
            reporter.report(&Report::Failed(failure));
            code
        }
    }
}

struct Engine {
    home: Home,
    identity: Arc<Identity>,
    /// Whom this home has met. Nobody else writes the file while we hold the home.
    contacts: Contacts,
    /// The DID that we use with our mediators.
    connection: ConnectionDid,
    /// The DID of the mediator that keeps our mail.
    own_mediator: String,
    /// Our mailbox at a second one.
    spare: Option<Spare>,
    links: HashMap<String, MediatorLink>,
    lookups: lookups::Lookups,
    mailbox: Mailbox,
    mailbox_by: Option<Instant>,
    /// The last outage of each mediator that we need.
    outages: HashMap<String, Outage>,
    /// Messages to parties that a mediator of ours took: the thread in which it reports a problem, and the party.
    forwards: VecDeque<(String, String)>,
    /// Parties that a mediator of theirs and ours did not know when we wrote last: the party, and the mediator.
    unknown: VecDeque<(String, String)>,
    room: Option<Room>,
    room_link: Option<share::RoomLink>,
    keeper: keeper::Keeper,
    asking: applicants::Asking,
    /// Messages that were read already.
    seen: Seen,
    /// The room to enter once the mailbox is live.
    entry: Option<Entry>,
    /// Circuits that are asked for.
    paths: Paths,
    peers: BTreeMap<usize, Peer>,
    /// Peers whose session is over.
    ended: BTreeSet<usize>,
    /// Those of them whose session did not end in order.
    lost: BTreeSet<usize>,
    rtts: BTreeMap<usize, Duration>,
    early_streams: Vec<(usize, SessionStream)>,
    /// Parties with whom a post-quantum handshake was completed.
    post_quantum: BTreeSet<usize>,
    roster: Option<Box<Roster>>,
    /// What everybody signed, once the run has begun.
    record: Option<Record>,
    /// Which transcripts of it are left.
    keeping: Keeping,
    /// When the room was full.
    full_at: Option<Instant>,
    program: Option<Program>,
    /// Our program, looked at again because somebody's differs.
    looked: Looked,
    capture: bool,
    /// How long a run waits for a party or mediator that is away.
    patience: Duration,
    /// The run has begun, so sessions outlive their circuits from here to the end.
    began: bool,
    run: Option<Run>,
    from_mediators: mpsc::Receiver<FromMediator>,
    to_engine: mpsc::Sender<FromMediator>,
    from_peers: mpsc::UnboundedReceiver<(usize, FromPeer)>,
    to_engine_from_peers: mpsc::UnboundedSender<(usize, FromPeer)>,
    shown: watch::Sender<Shown>,
    standstill: Standstill,
    /// What people should know, but is no end.
    notices: Vec<String>,
    desk: Desk,
    /// What our person types, until the program starts.
    typed: Typed,
    strangers: Strangers,
    /// For dialling mediators that others chose.
    dials: Allowance,
    /// Mediators that could not be reached a moment ago.
    failed: HashMap<String, Instant>,
    /// Problem reports of our mediator that were shown.
    reports_shown: usize,
    rng: SystemRng,
    _serving: Serving,
    run_dir: RunDir,
    _lock: EngineLock,
}

/// How the loop ends.
enum End {
    /// The program ended by itself.
    Program {
        code: u8,
    },
    Failed(Failure),
    Interrupted,
    /// Without a program of ours: everybody else is done.
    OthersDone,
}

/// What came of doing everything that the room wants.
enum Drained {
    /// Nothing more until this time.
    Until(Option<Instant>),
    End(End),
}

impl Engine {
    async fn go(mut self, ends: &mut EndRequests, reporter: &mut dyn Reporter) -> u8 {
        let end = self.turn(ends, reporter).await;
        // The first request to end is answered politely, also one that comes while we are ending anyway; the second is not.
        let polite = !matches!(end, End::Interrupted);
        let finishing = self.finish(end, reporter);
        let impatience = async {
            if polite {
                ends.next().await;
            }
            ends.next().await;
        };
        let finishing = async {
            let code = finishing.await;
            // Whoever reads our events may be slow, but must not keep a command that is to end.
            let patience = if polite { Duration::MAX } else { LAST_EVENTS };
            if timeout(patience, stdout::flushed()).await.is_err() {
                stdout::give_up();
            }
            code
        };
        tokio::select! {
            code = finishing => code,
            () = impatience => {
                stdout::give_up();
                Kind::Interrupted.exit()
            }
        }
    }

    /// The loop. Each turn takes one thing that happened and does all that follows from it.
    async fn turn(&mut self, ends: &mut EndRequests, reporter: &mut dyn Reporter) -> End {
        let mut changed = true;
        loop {
            let deadline = match self.drain_room(reporter).await {
                Ok(Drained::Until(deadline)) => deadline,
                Ok(Drained::End(end)) => return end,
                Err(failure) => return End::Failed(failure),
            };
            for notice in self.notices.drain(..) {
                reporter.report(&Report::Warning(notice));
            }
            if std::mem::replace(&mut changed, true) {
                self.publish();
            }
            let run_wants = self.run.as_ref().and_then(Run::deadline);
            let expiry = self.room_expiry();
            let reconnect = self.reconnect_at();
            let circuits = match self.ask_for_circuits().await {
                Ok(deadline) => deadline,
                Err(failure) => return End::Failed(failure),
            };
            let mailbox = self.mailbox_deadline();
            let deadlines =
                [deadline, self.mailbox_by, mailbox, reconnect, expiry, run_wants, circuits, self.link_due()];
            let deadline = deadlines.into_iter().flatten().min();
            let deadline = deadline.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600));
            let deadline = self.standstill.postponed(deadline);
            let happened = tokio::select! {
                () = ends.next() => return End::Interrupted,
                Some(event) = self.from_peers.recv() => self.on_peer(event, reporter).await,
                Some(found) = self.lookups.found.recv() => self.looked_up(found),
                Some(event) = self.from_mediators.recv() => self.on_mediator(event, reporter).await,
                Some(ask) = self.desk.asks.recv() => Ok(self.ask(ask, reporter).await),
                line = self.typed.next() => Ok(self.typed(&line, reporter)),
                looked = self.looked.next() => {
                    self.looked_again(looked);
                    Ok(None)
                }
                happened = next_of_run(&mut self.run) => {
                    // Ctrl-C at a terminal reaches the program too, and it may be the first to act on it.
                    if matches!(happened, Happened::Ended(_)) && ends.next().now_or_never().is_some() {
                        return End::Interrupted;
                    }
                    // A program may write a million lines; they change nothing that others ask for.
                    changed = !matches!(happened, Happened::Line(_));
                    Ok(self.on_run(happened, reporter))
                }
                () = sleep_until(deadline) => self.deadline_passed(reporter).await,
            };
            match happened {
                Ok(None) => {}
                Ok(Some(end)) => return end,
                Err(failure) => return End::Failed(failure),
            }
        }
    }

    async fn deadline_passed(&mut self, reporter: &mut dyn Reporter) -> Result<Option<End>, Failure> {
        let now = now();
        if self.mailbox_by.is_some_and(|by| by <= now.instant) {
            if !self.began {
                return Err(self.no_mailbox());
            }
            self.no_mailbox_again(reporter)?;
        }
        self.mailboxes_due().await?;
        self.link_timeout(now.instant, reporter).await?;
        self.reconnect(reporter).await?;
        if let Some((failure, is_hearsay)) = self.run.as_mut().and_then(|run| run.blame_due(now.instant)) {
            // What we can see ourselves is better than what another one saw first.
            return Err(self.ended_early().filter(|_| is_hearsay).unwrap_or(failure));
        }
        self.look_for_vain_wait(now.instant)?;
        if let Some(room) = &mut self.room {
            room.handle(Input::Timeout, now, &mut self.rng);
        }
        Ok(None)
    }

    /// Returns when a host's invitation ends while seats are free.
    fn room_expiry(&self) -> Option<Instant> {
        let seconds = self.room.as_ref()?.expires_in(unix_now())?;
        Some(Instant::now() + Duration::from_secs(seconds) + Duration::from_millis(100))
    }

    /// Does everything that the room wants, and returns when it wants to be woken.
    async fn drain_room(&mut self, reporter: &mut dyn Reporter) -> Result<Drained, Failure> {
        loop {
            let Some(room) = &mut self.room else { return Ok(Drained::Until(None)) };
            match room.poll() {
                Output::Timeout(deadline) => return Ok(Drained::Until(deadline)),
                Output::Send { to, message } => self.send_to_party(*message, &to).await?,
                Output::Refuse { to, message } => self.refuse_stranger(*message, &to),
                Output::Resolve { did } => self.lookups.ask(did),
                Output::Keep => self.keep_room(reporter),
                Output::StatusList { url } => self.lookups.ask_list(url),
                Output::Event(event) => {
                    if let Some(end) = self.room_event(event, reporter)? {
                        return Ok(Drained::End(end));
                    }
                }
                Output::Connect { peer, established } => self.connect(peer, *established)?,
                Output::Agreed { roster, words } => self.agreed(roster, words, reporter)?,
                Output::Ready { roster, words, assents } => {
                    self.begin_run(roster, (words, assents), reporter).await?;
                }
                Output::Failed(failure) => return Err(failure),
            }
        }
    }

    async fn on_peer(
        &mut self,
        (index, event): (usize, FromPeer),
        reporter: &mut dyn Reporter,
    ) -> Result<Option<End>, Failure> {
        match event {
            FromPeer::Up => {
                tracing::info!(party = index, "session is up");
                self.report_path(index, true, reporter);
                if let Some(room) = &mut self.room {
                    room.handle(Input::SessionUp(index), now(), &mut self.rng);
                }
            }
            FromPeer::Rtt(rtt) => {
                self.rtts.insert(index, rtt);
                if self.peers.values().all(|peer| !peer.facts().away) {
                    // Everybody waited for us, so it explains nothing that comes later.
                    self.standstill.forget();
                }
            }
            FromPeer::Path(path) => self.on_path(index, path, reporter),
            FromPeer::Missing(silence) => self.report_missing(index, silence, reporter),
            FromPeer::Back(after) => self.report_back(index, after, reporter),
            FromPeer::Stream(stream) => match &self.run {
                Some(run) => run.bridge.incoming(index, stream).await,
                // Each peer holds at most eight, so this is bounded.
                None => self.early_streams.push((index, stream)),
            },
            FromPeer::Ended(ended) => {
                tracing::info!(party = index, how = ?ended, "session is over");
                self.ended.insert(index);
                self.paths.over(index);
                if ended != Ended::Closed {
                    self.lost.insert(index);
                    self.report_path(index, false, reporter);
                }
                return self.peer_ended(index, ended);
            }
        }
        Ok(None)
    }

    fn session_lost(&mut self, index: usize, why: String) -> Result<Option<End>, Failure> {
        if let Some(room) = &mut self.room {
            room.handle(Input::SessionLost(index, why), now(), &mut self.rng);
        }
        Ok(None)
    }

    fn on_run(&mut self, happened: Happened, reporter: &mut dyn Reporter) -> Option<End> {
        let who = |peer| self.roster.as_ref().map(|roster| describe(roster, peer)).unwrap_or_default();
        match happened {
            Happened::Line(line) => reporter.report(&Report::RunOutput { line }),
            Happened::Ended(code) => return Some(End::Program { code }),
            Happened::Bridge(BridgeEvent::WrongPid { peer, got, origin }) => {
                let who = who(peer);
                if self.run.as_mut().is_some_and(|run| !run.connections.is_news(peer, got)) {
                    return None;
                }
                reporter.report(&Report::Warning(format!(
                    "refused a {origin} connection that was to be with {who}: it says that it is party {got}"
                )));
            }
            Happened::Bridge(event) => {
                if matches!(event, BridgeEvent::Finished { .. }) && self.is_idle_by_hand() {
                    reporter.report(&Report::RunIdle);
                }
                tracing::debug!(?event, "bridge");
            }
        }
        None
    }

    /// Returns the path to each party, in order of their index.
    fn paths(&self, roster: &Roster) -> Vec<Option<PathReport>> {
        let path =
            |index: &usize| self.peers.get(index).map(|_| PathReport { rtt: self.rtts.get(index).copied() });
        (0..roster.body().m).map(|index| path(&index)).collect()
    }
}

/// Returns both clocks.
fn now() -> Now {
    Now { instant: Instant::now(), unix: unix_now() }
}

async fn next_of_run(run: &mut Option<Run>) -> Happened {
    match run {
        Some(run) => run.next().await,
        None => std::future::pending().await,
    }
}
