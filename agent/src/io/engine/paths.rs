//! The circuits of the sessions: asked for again and again, until each session has one that works.
//!
//! ```text
//! Peer --Path::Wanted--> Circuits --number--> open | join --> mediator --opened--> Peer
//! Peer --Path::Paired, Failed, Good, Enough--> Circuits
//! ```
//!
//! Specification: `spec/relay.md`, RL-04 to RL-18; which number is asked for when is decided in `core::circuits`. Not its concern:
//! the sockets (`links`, `reconnect`), what travels on a circuit and when a session has lost one (`io::peer`).

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use didagent_didcomm::protocols::Body as _;
use didagent_didcomm::protocols::relay::{Join, MAX_WINDOW, Open, Opened, Refused, Token};
use didagent_session::{Established, Role as SessionRole};

use super::Engine;
use crate::core::circuits::Circuits;
use crate::core::connect::showable;
use crate::core::invite::new_id;
use crate::core::pairing::Statics;
use crate::core::post::websocket_address;
use crate::failure::{Failure, Kind};
use crate::io::peer::{Path, Peer};
use crate::io::{fresh_rng, random_u64};
use crate::report::Reporter;

/// The refusal of a token that was used (RL-08).
const TOKEN_USED: &str = "token-used";

/// Requests whose answers are waited for: more than all sessions of a room ever make at once.
const MAX_ASKED: usize = 256;

/// What is under way to get circuits.
#[derive(Debug, Default)]
pub(super) struct Paths {
    wishes: BTreeMap<usize, Circuits>,
    /// Requests that were not answered yet, by their thread: for which party, and the number of the circuit.
    asked: HashMap<String, (usize, u32)>,
}

impl Paths {
    /// The relay's socket is gone, and with it all circuits and requests on it.
    pub(super) fn socket_lost(&mut self) {
        self.asked.clear();
        self.wishes.values_mut().for_each(Circuits::socket_lost);
    }

    /// A session is over.
    pub(super) fn over(&mut self, peer: usize) {
        self.wishes.remove(&peer);
    }

    fn deadline(&self) -> Option<Instant> {
        self.wishes.values().filter_map(Circuits::deadline).min()
    }
}

impl Engine {
    /// Returns the DID of the mediator on which the circuits meet, once it is known.
    pub(super) fn relay(&self) -> Option<&str> {
        self.roster.as_ref().map(|roster| roster.body().relay.as_str())
    }

    /// Starts a session, which then asks for its first circuit.
    pub(super) fn connect(&mut self, peer: usize, established: Established) -> Result<(), Failure> {
        let Some(relay) = self.relay().map(str::to_owned) else { return Ok(()) };
        self.link_to(&relay)?;
        let round = self.roster.as_ref().map(|roster| roster.hash()).unwrap_or_default();
        let mut wish = Circuits::new(established.role());
        wish.want();
        self.paths.wishes.insert(peer, wish);
        tracing::debug!(peer, suite = established.suite().noise_name(), "a handshake is complete");
        if established.suite().is_post_quantum() {
            self.post_quantum.insert(peer);
        }
        let statics = self.statics(peer)?;
        let session = established.into_session(Instant::now(), fresh_rng());
        let events = self.to_engine_from_peers.clone();
        self.peers.insert(peer, Peer::start(session, statics, round, events, peer));
        Ok(())
    }

    /// The static keys of the session with a party of the roster.
    fn statics(&self, peer: usize) -> Result<Statics, Failure> {
        let broken = || {
            Failure::new(Kind::HandshakeFailed, "a session began with a party that the roster does not have")
        };
        let (Some(room), Some(roster)) = (&self.room, &self.roster) else { return Err(broken()) };
        let party = roster.body().parties.get(peer).ok_or_else(broken)?;
        Statics::new(&room.member().identity, party).map_err(|_| broken())
    }

    /// Asks the relay for every circuit that is due, and returns when to look again.
    pub(super) async fn ask_for_circuits(&mut self) -> Result<Option<Instant>, Failure> {
        let Some(relay) = self.relay().filter(|relay| self.links.contains_key(*relay)).map(str::to_owned)
        else {
            return Ok(None);
        };
        let now = Instant::now();
        while let Some((peer, number)) =
            self.paths.wishes.iter_mut().find_map(|(peer, wish)| Some((*peer, wish.due(now)?)))
        {
            let Some((role, token)) = self.peers.get(&peer).and_then(|peer| peer.token(number)) else {
                self.paths.over(peer);
                continue;
            };
            let (id, token) = (new_id(&mut self.rng), Token::new(token));
            let message = match role {
                SessionRole::Initiator => Open { token, window: MAX_WINDOW }.message(id.clone()),
                SessionRole::Responder => Join { token, window: MAX_WINDOW }.message(id.clone()),
            };
            tracing::debug!(party = peer, number, "a circuit is asked for");
            if self.paths.asked.len() >= MAX_ASKED {
                self.paths.asked.clear();
            }
            self.paths.asked.insert(id, (peer, number));
            self.send_to_mediator(message, &relay).await?;
        }
        Ok(self.paths.deadline())
    }

    /// Does what is due for lost connections to come back, while a run ends; returns when to do so again.
    ///
    /// # Errors
    /// When they cannot come back.
    pub(super) async fn keep_paths(&mut self, reporter: &mut dyn Reporter) -> Result<Instant, Failure> {
        self.reconnect(reporter).await?;
        let circuits = self.ask_for_circuits().await?;
        let look = circuits.into_iter().chain(self.reconnect_at()).min();
        Ok(look.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600)))
    }

    /// The relay made our half of a circuit.
    pub(super) fn circuit_opened(
        &mut self,
        mediator: &str,
        thread: &str,
        opened: &Opened,
    ) -> Result<(), Failure> {
        if self.relay() != Some(mediator) {
            return Ok(());
        }
        let Some((peer, number)) = self.paths.asked.remove(thread) else { return Ok(()) };
        let Some(circuit) = self.links.get(mediator).and_then(|link| link.circuit(opened.circuit)) else {
            return Err(Failure::new(Kind::MediatorForeign, "the mediator named a circuit twice"));
        };
        if let Some(wish) = self.paths.wishes.get_mut(&peer) {
            wish.opened(number);
        }
        if let Some(peer) = self.peers.get(&peer) {
            peer.offer(number, circuit);
        }
        Ok(())
    }

    /// The relay refused a circuit.
    ///
    /// # Errors
    /// [`Kind::MediatorRefused`] when the room is not ready yet and the reason is no used token.
    pub(super) fn circuit_refused(&mut self, thread: &str, refused: &Refused) -> Result<(), Failure> {
        let Some((peer, number)) = self.paths.asked.remove(thread) else { return Ok(()) };
        let why = showable(refused.comment.as_deref().unwrap_or(&refused.code));
        let is_used = refused.code == TOKEN_USED;
        tracing::debug!(party = peer, number, why, "a circuit was refused");
        if !is_used && !self.began {
            let message = format!("the mediator refused a circuit: {why}");
            return Err(Failure::new(Kind::MediatorRefused, message));
        }
        let random = random_u64(&mut self.rng);
        if let Some(wish) = self.paths.wishes.get_mut(&peer) {
            wish.refused(number, is_used, Instant::now(), random);
        }
        Ok(())
    }

    /// The relay reports a problem in the thread of a request for a circuit, so it does not know the protocol: those that do refuse
    /// in its words. Returns whether the report was about that.
    ///
    /// # Errors
    /// [`Kind::MediatorRefused`] when the room is not ready yet: it cannot begin there.
    pub(super) fn circuit_unknown(&mut self, mediator: &str, thread: Option<&str>) -> Result<bool, Failure> {
        if self.relay() != Some(mediator) {
            return Ok(false);
        }
        let Some((peer, number)) = thread.and_then(|thread| self.paths.asked.remove(thread)) else {
            return Ok(false);
        };
        if !self.began {
            let message = format!(
                "the mediator at {} keeps mail only: it carries no data between parties",
                websocket_address(mediator).unwrap_or_default()
            );
            return Err(Failure::new(Kind::MediatorRefused, message).hint(
                "the host takes a didagent mediator for the room: didagent invite --mediator LINK ... \
                 (`didagent mediator serve` starts one)",
            ));
        }
        let random = random_u64(&mut self.rng);
        if let Some(wish) = self.paths.wishes.get_mut(&peer) {
            wish.refused(number, false, Instant::now(), random);
        }
        Ok(true)
    }

    /// Takes what a session says of its circuits.
    pub(super) fn on_path(&mut self, peer: usize, path: Path, reporter: &mut dyn Reporter) {
        tracing::debug!(party = peer, ?path, "path");
        let random = random_u64(&mut self.rng);
        let Some(wish) = self.paths.wishes.get_mut(&peer) else { return };
        match path {
            Path::Wanted => wish.want(),
            Path::Enough => wish.enough(),
            Path::Paired(number) => wish.paired(number),
            Path::Failed(number) => wish.failed(number, Instant::now(), random),
            Path::Good => {
                wish.good();
                // Whatever else the relay does, it carries.
                if let Some(relay) = self.relay().map(str::to_owned) {
                    self.mediator_back(&relay, reporter);
                    self.outages.remove(&relay);
                }
            }
        }
    }
}
