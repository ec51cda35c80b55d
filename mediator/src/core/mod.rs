//! The mediator without clocks, sockets or keys: accounts, mail and circuits.
//!
//! Specifications: Shorten URL 1.0, Coordinate Mediation 2.0 and 3.0, Message Pickup 3.0 and 4.0, Routing 2.0, Report Problem 2.0, Trust Ping 2.0,
//! Empty 1.0 and Discover Features 2.0 of DIDComm, and `spec/relay.md` for circuits and for what this mediator decides where those leave room.
//!
//! ```text
//! io: socket read, envelope opened --Input--> handle -+-> accounts   (coordinate)
//!                                                     +-> mailbox    (routing, pickup, live)
//!                                                     +-> relay      (circuits)
//!                                                     +-> links      (deposits)
//!                                                     +-> board      (lobby)
//!     socket ready to write <--- next_for <-----------+   poll: who has something to write
//! ```
//!
//! Whoever drives it calls [`Mediator::handle`], then [`Mediator::poll`] until it returns [`Output::Timeout`]. Messages are
//! pulled with [`Mediator::next_for`] when a socket can take one, not pushed, so that a slow socket holds back its own queues
//! and nothing else. After each pull `poll` is drained again, since writing a record returns credit to its sender.
//!
//! Not its concern: opening and sealing envelopes (the caller does it outside of any lock), persistence beyond
//! [`MailStore`], TLS.

mod accounts;
mod board;
mod circuits;
mod coordinate;
mod delayed;
pub(crate) mod deposits;
mod dispatch;
pub mod features;
mod ids;
pub mod limits;
pub mod links;
mod live;
mod lobby;
mod mailbox;
mod pickup;
mod problem;
pub mod rates;
mod relay;
mod replay;
mod replies;
mod routing;

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use didagent_didcomm::message::Message;
use url::Url;

use crate::store::MailStore;
use accounts::Accounts;
use delayed::Delayed;
use features::Part;
use ids::Ids;
use limits::{Limits, SWEEP};
use links::Links;
use live::Live;
use lobby::Lobby;
use mailbox::Mailbox;
use relay::Relay;
use replay::Replay;
use replies::Replies;

/// The time, as the caller's clocks have it.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// Time since the start, from a clock that never goes back.
    pub since_start: Duration,
    /// UTC seconds.
    pub unix: u64,
}

/// One WebSocket, or one POST while it is answered; numbers are never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId(pub u64);

/// A DID that authenticated itself, and the keys of the two ends: replies are encrypted from and to these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// The DID.
    pub did: Arc<str>,
    /// Its key, an absolute DID URL, as it named it.
    pub kid: Arc<str>,
    /// Our key, an absolute DID URL, as the peer named it.
    pub our_kid: Arc<str>,
}

/// An opened message.
#[derive(Debug, Clone)]
pub struct Received {
    /// The plaintext.
    pub message: Message,
    /// Who encrypted it, if that is proven.
    pub sender: Option<Peer>,
}

/// What happened outside.
#[derive(Debug)]
pub enum Input<'a> {
    /// A client connected by WebSocket.
    SocketOpened(SocketId),
    /// A client posts a message over HTTP: what is ready at once goes back, and then it is gone (RL-50).
    PostOpened(SocketId),
    /// A client sent an envelope that opened.
    Message {
        /// On which socket.
        socket: SocketId,
        /// What was in it.
        received: Box<Received>,
    },
    /// A client sent text that is not an envelope for us.
    Unreadable(SocketId),
    /// A client sent a binary message.
    Frame {
        /// On which socket.
        socket: SocketId,
        /// The whole message.
        bytes: &'a [u8],
    },
    /// The socket is gone.
    SocketClosed(SocketId),
    /// The time that [`Output::Timeout`] named has come.
    Timeout,
    /// The mediator stops.
    Stop,
}

/// What is to be done outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// [`Mediator::next_for`] has something for this socket.
    Wake(SocketId),
    /// This socket is to be closed.
    Close(SocketId, CloseReason),
    /// Nothing more to do before this time since the start.
    Timeout(Duration),
}

/// Why a socket is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// A binary message that is no frame.
    MalformedFrame,
    /// Too many messages that could not be opened.
    Unreadable,
    /// The client does not read the answers to its requests.
    Overload,
}

/// What goes out on a socket.
#[derive(Debug, Clone)]
pub enum Outgoing {
    /// A message to encrypt for `to` and to send as text.
    Message {
        /// The recipient and the keys to use.
        to: Peer,
        /// The plaintext.
        message: Box<Message>,
    },
    /// A frame to send as binary.
    Frame(Vec<u8>),
}

/// The mediator's state.
#[derive(Debug)]
pub struct Mediator<S> {
    did: Arc<str>,
    limits: Limits,
    /// What the operator does not want to serve.
    left_out: BTreeSet<Part>,
    ids: Ids,
    sockets: HashMap<SocketId, Socket>,
    accounts: Accounts,
    mailbox: Mailbox<S>,
    delayed: Delayed,
    links: Links,
    lobby: Lobby,
    /// Under which address clients reach us, for the links that are made here.
    base: Option<Url>,
    live: Live,
    relay: Relay,
    seen: Replay,
    woken: BTreeSet<SocketId>,
    closing: VecDeque<(SocketId, CloseReason)>,
    next_sweep: Duration,
    /// Not before this is there another search for accounts to evict.
    next_eviction: Duration,
}

#[derive(Debug, Default)]
struct Socket {
    /// Whether it stays open, as a WebSocket does and a POST does not.
    stays: bool,
    /// Where it comes from, if that is known.
    network: Option<IpAddr>,
    peers: HashMap<Arc<str>, Peer>,
    replies: Replies,
    mail: VecDeque<MailJob>,
    /// By how many bytes mail is ahead of records; while it is, records go first.
    mail_ahead: usize,
    failures: u32,
    closing: bool,
}

/// What a delivery and a frame weigh beside their content when they take turns, in bytes.
const TURN: usize = 64;

/// Returns what a delivery takes of a socket, about, in bytes.
fn weight_of(outgoing: &Outgoing) -> usize {
    match outgoing {
        Outgoing::Frame(frame) => TURN + frame.len(),
        Outgoing::Message { message, .. } => {
            let attached =
                message.attachments.iter().filter_map(|attachment| attachment.data.base64.as_ref());
            TURN + attached.map(String::len).sum::<usize>()
        }
    }
}

/// A delivery that is put together when the socket can take it.
#[derive(Debug)]
enum MailJob {
    /// New mail for a live recipient, an account's DID.
    Push(Arc<str>),
    /// The answer to a delivery-request.
    Deliver { to: Peer, thid: String, limit: usize, recipient_did: Option<String>, version: pickup::Version },
}

impl<S: MailStore> Mediator<S> {
    /// Makes a mediator named `did`; `seed` is 32 random bytes for the ids of its messages.
    pub fn new(did: &str, limits: Limits, store: S, seed: [u8; 32]) -> Self {
        Self {
            did: did.into(),
            ids: Ids::new(seed),
            sockets: HashMap::new(),
            accounts: Accounts::default(),
            mailbox: Mailbox::new(store),
            delayed: Delayed::default(),
            links: Links::default(),
            lobby: Lobby::default(),
            base: None,
            live: Live::default(),
            relay: Relay::new(&limits),
            seen: Replay::new(limits.replay_memory, limits.replay_ids),
            woken: BTreeSet::new(),
            closing: VecDeque::new(),
            next_sweep: SWEEP,
            next_eviction: Duration::ZERO,
            left_out: BTreeSet::from([Part::Lobby]),
            limits,
        }
    }

    /// Leaves out parts of what a mediator serves: their messages are answered as unknown ones, and features do not name them.
    #[must_use]
    pub fn without(mut self, parts: &[Part]) -> Self {
        self.left_out.extend(parts);
        self
    }

    /// Serves the board for strangers, which no mediator does unless its operator wants it (LB-01).
    #[must_use]
    pub fn with_lobby(mut self) -> Self {
        self.left_out.remove(&Part::Lobby);
        self
    }

    /// Notes from which address a socket comes; without it, it counts as one of those of which that is not known.
    pub fn comes_from(&mut self, socket: SocketId, address: IpAddr) {
        if let Some(socket) = self.sockets.get_mut(&socket) {
            socket.network = Some(rates::network_of(address));
        }
    }

    /// Takes in what happened. Inputs for a socket that is not open are ignored.
    pub fn handle(&mut self, input: Input<'_>, now: Now) {
        match input {
            Input::SocketOpened(socket) => {
                self.sockets.insert(socket, Socket { stays: true, ..Socket::default() });
            }
            Input::PostOpened(socket) => {
                self.sockets.insert(socket, Socket::default());
            }
            Input::Message { socket, received } if self.is_open(socket) => {
                self.dispatch(socket, *received, now)
            }
            Input::Unreadable(socket) if self.is_open(socket) => self.unreadable(socket),
            Input::Frame { socket, bytes } if self.is_open(socket) => {
                if self.relay.receive(socket, bytes).is_err() {
                    self.close(socket, CloseReason::MalformedFrame);
                }
            }
            Input::SocketClosed(socket) => {
                self.sockets.remove(&socket);
                self.woken.remove(&socket);
                self.live.socket_closed(socket);
                self.relay.socket_closed(socket);
                self.links.socket_closed(socket);
                self.lobby.board.socket_closed(socket, now.since_start);
            }
            Input::Timeout => self.timeout(now),
            Input::Stop => self.relay.stop(),
            Input::Message { .. } | Input::Unreadable(_) | Input::Frame { .. } => {}
        }
    }

    /// Returns what is to be done next; [`Output::Timeout`] is the last answer until something happens.
    pub fn poll(&mut self) -> Output {
        if let Some((socket, reason)) = self.closing.pop_front() {
            return Output::Close(socket, reason);
        }
        if let Some(socket) = self.woken.pop_first().or_else(|| self.relay.next_woken()) {
            return Output::Wake(socket);
        }
        let deadlines = [self.relay.deadline(), self.delayed.deadline(), Some(self.next_sweep)];
        Output::Timeout(deadlines.into_iter().flatten().min().unwrap_or(self.next_sweep))
    }

    /// Returns the next thing to write to `socket`: replies first, then credit, then mail and records in turn,
    /// by bytes.
    pub fn next_for(&mut self, socket: SocketId, now: Now) -> Option<Outgoing> {
        let state = self.sockets.get_mut(&socket)?;
        if let Some((to, message)) = state.replies.pop() {
            return Some(Outgoing::Message { to, message: Box::new(message) });
        }
        if let Some(frame) = self.relay.next_control(socket) {
            return Some(Outgoing::Frame(frame));
        }
        if state.mail_ahead == 0
            && let Some(mail) = self.next_mail(socket, now)
        {
            if let Some(state) = self.sockets.get_mut(&socket) {
                state.mail_ahead = weight_of(&mail);
            }
            return Some(mail);
        }
        let frame = self.relay.next_data(socket);
        let state = self.sockets.get_mut(&socket)?;
        if let Some(frame) = frame {
            state.mail_ahead = state.mail_ahead.saturating_sub(frame.len() + TURN);
            return Some(Outgoing::Frame(frame));
        }
        // No records: mail has the socket for itself.
        if std::mem::take(&mut state.mail_ahead) == 0 { None } else { self.next_for(socket, now) }
    }

    /// Returns the number of circuits and what queued mail takes, in bytes; for the log.
    pub fn load(&self) -> (usize, usize) {
        (self.relay.circuits(), self.mailbox.cost())
    }

    /// Tells whether messages can be pushed to a socket later.
    fn stays(&self, socket: SocketId) -> bool {
        self.sockets.get(&socket).is_some_and(|socket| socket.stays)
    }

    /// Returns the network that a socket comes from.
    fn network_of(&self, socket: SocketId) -> IpAddr {
        let network = self.sockets.get(&socket).and_then(|socket| socket.network);
        network.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
    }

    fn is_open(&self, socket: SocketId) -> bool {
        self.sockets.get(&socket).is_some_and(|socket| !socket.closing)
    }

    fn unreadable(&mut self, socket: SocketId) {
        let Some(state) = self.sockets.get_mut(&socket) else { return };
        state.failures += 1;
        // A POST is one message, so there is nothing to wait for.
        if !state.stays || state.failures > self.limits.failures_per_socket {
            self.close(socket, CloseReason::Unreadable);
        }
    }

    fn close(&mut self, socket: SocketId, reason: CloseReason) {
        let Some(state) = self.sockets.get_mut(&socket) else { return };
        if !std::mem::replace(&mut state.closing, true) {
            state.replies.clear();
            state.mail.clear();
            self.closing.push_back((socket, reason));
        }
    }

    fn timeout(&mut self, now: Now) {
        self.relay.timeout(now.since_start);
        self.end_delays(now);
        if now.since_start < self.next_sweep {
            return;
        }
        self.next_sweep = now.since_start + SWEEP;
        self.mailbox.expire(now.unix);
        self.links.expire(now.unix, now.since_start);
        self.expire_posts(now);
        let live = &self.live;
        let gone = self.accounts.expire(now.since_start, &self.limits, |did| live.is_live(did));
        for recipient in gone {
            self.mailbox.forget(&recipient);
        }
    }
}
