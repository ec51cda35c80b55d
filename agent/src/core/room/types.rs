//! What goes into a room, and what comes out of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use didagent_bridge::manifest::{Difference, Manifest};
use didagent_didcomm::did::DidDocument;
use didagent_didcomm::envelope::Authenticated;
use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::Digest32;
use didagent_didcomm::protocols::room::Leave;
use didagent_session::Established;

use super::roster::Roster;
use super::waiting::Waiting;
use super::words::Nonce;
use crate::core::identity::{ConnectionDid, Identity};
use crate::core::pairing::{Capabilities, Policy};
use crate::core::party_list::PartyList;
use crate::failure::Failure;

/// The time, both as durations are measured and as messages carry it.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// The monotonic clock.
    pub instant: Instant,
    /// UTC seconds.
    pub unix: u64,
}

/// What one party brings to a room.
#[derive(Debug)]
pub struct Member {
    /// Our keys.
    pub identity: Arc<Identity>,
    /// The DID that we use in this room.
    pub connection: ConnectionDid,
    /// The name that others see.
    pub name: String,
    /// The threshold that our own program would run with among `m` parties; `None` if there is no program to tell.
    pub threshold: Option<ThresholdRule>,
    /// What our program is; `None` if our person starts it.
    pub manifest: Option<Manifest>,
    /// The credential that we show, if the room requires one.
    pub credential: Option<String>,
    /// Our part of the words that people compare; for this room only.
    pub nonce: Nonce,
    /// Our person wants to compare the words before anything starts, and takes at most so long for it.
    pub confirm: Option<Duration>,
    /// The cipher suites that we offer and complete.
    pub suites: Policy,
    /// What is remembered of others from sessions before.
    pub capabilities: Capabilities,
    /// The parties, if they are known beforehand.
    pub list: Option<Listing>,
}

/// Parties that are known beforehand, and how far we are with them.
#[derive(Debug, Clone)]
pub struct Listing {
    /// The list.
    pub list: PartyList,
    /// Our index in it; the host's is 0.
    pub ours: usize,
    /// The last of their rounds whose roster we know; 0 for none.
    pub round: u32,
    /// Until when a guest waits for the room to be full.
    pub until: Instant,
}

/// How the threshold follows from the number of parties.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThresholdRule {
    /// MPyC's default, `(m - 1) / 2`.
    Default,
    /// Set on the program's command line.
    Fixed(usize),
}

impl ThresholdRule {
    /// Returns the threshold among `m` parties.
    pub fn among(self, m: usize) -> usize {
        match self {
            Self::Default => m.saturating_sub(1) / 2,
            Self::Fixed(threshold) => threshold,
        }
    }
}

/// What happens to a room.
#[derive(Debug)]
pub enum Input<'a> {
    /// An authenticated message arrived.
    Message(&'a Authenticated, &'a Message),
    /// The session with this party is confirmed, its path works.
    SessionUp(usize),
    /// The session with this party ended or its path is gone, and why.
    SessionLost(usize, String),
    /// What came of an [`Output::Resolve`].
    Resolved(String, Result<DidDocument, Failure>),
    /// What came of an [`Output::StatusList`]: the text.
    StatusList(String, Result<String, Failure>),
    /// The connection to our own mediator broke; only a lobby survives that.
    MediatorLost,
    /// The connection to our own mediator stands again.
    MediatorBack,
    /// The mediator does not know the party with this DID, to which we wrote.
    Unregistered(&'a str),
    /// Our program was looked at again.
    Manifest(Box<Manifest>),
    /// A deadline may have passed.
    Timeout,
    /// Our person takes the seat of the party with this index so far back; only a host can.
    Kick(usize),
    /// Our person wants to begin with those who are there; only a host can.
    Start,
    /// Our person has compared the words, and says whether they are the same.
    Compared(bool),
    /// Our person lets this identity in; only a host that decides can.
    Admit(String),
    /// Our person does not want this identity; only a host that decides can.
    Refuse(String),
    /// We leave; the others are told.
    Leave(Leave),
}

/// What a room wants done.
#[derive(Debug)]
pub enum Output {
    /// Send the message to a party.
    Send {
        /// The absolute id of the key that it is for, which is the party's Noise static key (HS-03); as long as nobody has said which
        /// one that is, the party's DID.
        to: String,
        /// The message.
        message: Box<Message>,
    },
    /// Send the message to a stranger with this DID, if that takes no new connection.
    Refuse {
        /// The stranger's DID.
        to: String,
        /// The message.
        message: Box<Message>,
    },
    /// Keep what [`Room::kept`](super::Room::kept) returns before anything else is sent: a room that goes on needs it.
    Keep,
    /// Show this.
    Event(Event),
    /// Bring up the session's path with this party, then report `SessionUp`.
    Connect {
        /// The party's index.
        peer: usize,
        /// The session.
        established: Box<Established>,
    },
    /// Look up the document of this DID, then report `Resolved`.
    Resolve {
        /// A did:web.
        did: String,
    },
    /// Ask for this status list of an issuer, then report [`Input::StatusList`].
    StatusList {
        /// Its address, https.
        url: String,
    },
    /// Everybody is ready; the words are to be confirmed before anything starts.
    Agreed {
        /// What everybody signed.
        roster: Box<Roster>,
        /// The words that people compare.
        words: Vec<&'static str>,
    },
    /// Everything is agreed, and confirmed by those who asked for it: start.
    Ready {
        /// What everybody signed.
        roster: Box<Roster>,
        /// The words that people compare.
        words: Vec<&'static str>,
        /// What each party showed, in order of the index.
        assents: Vec<Assent>,
    },
    /// The room cannot go on.
    Failed(Failure),
    /// Nothing more to do until this time.
    Timeout(Option<Instant>),
}

impl Output {
    pub(super) fn send(to: impl Into<String>, message: Message) -> Self {
        Self::Send { to: to.into(), message: Box::new(message) }
    }
}

/// What a party showed when it was ready (RM-40, RM-44).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assent {
    /// The number that it had committed to.
    pub nonce: Digest32,
    /// Its signature over the roster.
    pub signature: [u8; 64],
}

/// What people are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The host gave somebody a seat.
    Joined {
        /// The index that follows from the order so far.
        index: usize,
        /// Its name.
        name: String,
        /// Its identity.
        identity: String,
    },
    /// Somebody asks for a seat, and our person decides.
    Asks(Applying),
    /// Somebody who asked is gone.
    Withdrew(Applying),
    /// We asked for a seat, and the host's person decides.
    Pending,
    /// The room that we host goes on. Those who have a seat are asked whether they are still there.
    Resumed {
        /// Name and identity of each guest, in order of their index, which begins with 1.
        guests: Vec<(String, String)>,
    },
    /// A guest with a seat hears nothing of the host, which may be started again.
    HostAway {
        /// How long the guest asks before it gives up.
        patience: Duration,
    },
    /// The host is heard again.
    HostBack,
    /// The host gave somebody no seat because of its credential.
    Refused {
        /// Its name, as it says.
        name: String,
        /// Its identity.
        identity: String,
        /// Why, a sentence of ours.
        why: String,
    },
    /// Somebody with a seat left before the room was full.
    Left {
        /// Its name.
        name: String,
    },
    /// A guest learnt who has a seat.
    Seats {
        /// Number of seats.
        seats: usize,
        /// Names in order of their index.
        names: Vec<String>,
        /// Indices of those who would run something else than the host, and what differs, as the host says.
        differs: Vec<(usize, Vec<String>)>,
    },
    /// A guest would run something else than we, the host.
    Differs {
        /// Its index so far.
        index: usize,
        /// Its name.
        name: String,
        /// What differs.
        differences: Vec<Difference>,
    },
    /// A guest that differed does not any more.
    Fits {
        /// Its index so far.
        index: usize,
        /// Its name.
        name: String,
    },
    /// What people should know of another one's program.
    Note {
        /// Its name.
        name: String,
        /// A sentence without its subject.
        text: String,
    },
    /// All seats are taken and nothing starts, because of these.
    Waiting(Vec<Waiting>),
    /// The roster was verified.
    Roster(Box<Roster>),
    /// This party said ready.
    PeerReady {
        /// Its index.
        index: usize,
    },
    /// This party's person has compared the words, or ours has.
    Confirmed {
        /// Its index.
        index: usize,
    },
    /// After the start, a party said that it leaves.
    PeerLeft {
        /// Its index.
        index: usize,
        /// What it said.
        body: Leave,
    },
    /// After everybody was ready, a party asks for a seat or a session, as one does that knows nothing of the run.
    BeganAnew {
        /// Its index.
        index: usize,
    },
}

/// Somebody who asks for a seat of a host that decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applying {
    /// Its name.
    pub name: String,
    /// Its identity.
    pub identity: String,
}

/// A seat that is taken, as far as one party knows before the roster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seat {
    /// The index that follows from the order so far.
    pub index: usize,
    /// The name of whoever has it.
    pub name: String,
    /// Its identity; a guest learns it with the roster.
    pub identity: Option<String>,
    /// Its connection DID; a guest knows the host's.
    pub did: Option<String>,
    /// It is ours. A guest tells by the name, if nobody else has the same.
    pub is_us: bool,
}
