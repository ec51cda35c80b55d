//! What the engine reports while it works; the command line shows it to people or writes it as JSON.

use std::path::PathBuf;
use std::time::Duration;

use didagent_bridge::manifest::Difference;

use crate::core::contacts::Acquaintance;
use crate::core::invite::Invitation;
use crate::core::party_list::PartyList;
use crate::core::room::roster::Roster;
use crate::core::room::{Member, ThresholdRule, Waiting, room_name};
use crate::core::transcript::Traffic;
use crate::failure::Failure;

/// One thing that happened, in the order in which it did.
#[derive(Debug)]
#[non_exhaustive]
pub enum Report {
    /// The room is open; the link is what people paste.
    Invitation {
        /// The link.
        link: String,
        /// Number of parties, ourselves included.
        parties: usize,
        /// Seats that are free.
        missing: usize,
        /// Seconds until the link ends.
        expires_in: u64,
        /// What people should know of the room.
        room: RoomFacts,
    },
    /// The parties are known beforehand, and are waited for.
    Listed {
        /// The parties.
        list: PartyList,
        /// Our own index; the first party is the host.
        ours: usize,
        /// For how long, in seconds.
        wait: u64,
        /// What people should know of the room.
        room: RoomFacts,
    },
    /// This party takes part under DIDs that were made for this room.
    OneUse {
        /// The name that others see.
        name: String,
        /// The identity that others see.
        identity: String,
        /// It was made before, by a command that was ended while it waited.
        again: bool,
    },
    /// The room is on the board of our mediator, where strangers find it.
    Posted {
        /// What it is called there.
        id: String,
        /// Its title.
        title: String,
        /// Host of the mediator.
        mediator: String,
    },
    /// The request to join is on its way.
    Joining {
        /// What people should know of the room.
        room: RoomFacts,
    },
    /// Somebody got a seat.
    Joined {
        /// Its index.
        index: usize,
        /// Its name.
        name: String,
        /// Its identity.
        identity: String,
        /// What this home knows of it.
        acquaintance: Acquaintance,
        /// Seats that are still free.
        missing: usize,
    },
    /// Somebody asks for a seat, and the person here decides.
    Asks {
        /// Its name.
        name: String,
        /// Its identity.
        identity: String,
        /// What this home knows of it.
        acquaintance: Acquaintance,
        /// How many wait, this one included.
        waiting: usize,
    },
    /// A question at the terminal: whether this one gets a seat.
    Decide {
        /// Its name.
        name: String,
        /// Its identity.
        identity: String,
    },
    /// Somebody who asked for a seat is gone.
    Withdrew {
        /// Its name.
        name: String,
        /// Its identity.
        identity: String,
    },
    /// We asked for a seat, and the host's person decides.
    Pending {
        /// Our identity, by which the host can let us in.
        identity: String,
    },
    /// A room goes on. Those who have a seat are asked whether they are still there.
    Resumed {
        /// Name, identity and what this home knows of each guest, in order of their index, which begins with 1.
        guests: Vec<(String, String, Acquaintance)>,
    },
    /// A guest with a seat hears nothing of the host.
    HostAway {
        /// How long it is waited for.
        patience: Duration,
    },
    /// The host is heard again.
    HostBack,
    /// Somebody got no seat because of its credential.
    Refused {
        /// Its name, as it says.
        name: String,
        /// Its identity.
        identity: String,
        /// Why.
        why: String,
    },
    /// Somebody gave its seat back.
    Left {
        /// Its name.
        name: String,
    },
    /// The host told who has a seat.
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
    /// Somebody wrote to the person here.
    Message {
        /// Who wrote: a party, a contact, or nobody whom this home knows.
        from: Option<String>,
        /// The DID that it wrote as, to which an answer goes.
        did: String,
        /// What it wrote, as it came.
        text: String,
    },
    /// The connection to the mediator broke; it is tried again.
    MediatorLost {
        /// Why it broke.
        why: String,
        /// For how long it is tried.
        retry: Duration,
    },
    /// The connection to the mediator stands again.
    MediatorBack {
        /// The run goes on; otherwise people wait for each other, and the room's link works again.
        in_run: bool,
    },
    /// Nothing was heard of a party for a while, and it is waited for. Comes again every 15 s.
    Missing {
        /// Its index.
        index: usize,
        /// Its name.
        name: String,
        /// How long ago the last contact was.
        silence: Duration,
    },
    /// A party that was missing is heard again, and the run goes on as if nothing had been.
    Back {
        /// Its index.
        index: usize,
        /// Its name.
        name: String,
        /// How long nothing was heard.
        after: Duration,
    },
    /// What became of the bytes for a party that is lost, when the run ends.
    Undelivered {
        /// Its index.
        index: usize,
        /// Its name.
        name: String,
        /// For each stream.
        streams: Vec<StreamBytes>,
    },
    /// The path to a party works, or does not any more.
    Path {
        /// Its index.
        index: usize,
        /// Its name.
        name: String,
        /// Its identity.
        identity: String,
        /// Host of the relay.
        via: String,
        /// Round-trip time over the session.
        rtt: Option<Duration>,
        /// Whether it works.
        up: bool,
    },
    /// Everybody is ready.
    Ready {
        /// The roster that all signed.
        roster: Box<Roster>,
        /// Our own index.
        ours: usize,
        /// For each party the path and its round-trip time; `None` for ourselves.
        paths: Vec<Option<PathReport>>,
        /// For each party what this home knew of it before; `None` for ourselves.
        acquaintances: Vec<Option<Acquaintance>>,
        /// For each party the name that our person gave it.
        petnames: Vec<Option<String>>,
        /// The words that people compare.
        words: Vec<&'static str>,
        /// How long it took from the moment at which the room was full.
        forming: Duration,
    },
    /// All seats are taken and nothing starts yet, because of these.
    Waiting(Vec<Waiting>),
    /// Nothing starts before these parties' persons have confirmed the words. Comes again when one has.
    Confirming {
        /// The words.
        words: Vec<&'static str>,
        /// Index and name of each that has not.
        waiting: Vec<(usize, String)>,
        /// Our own person is one of them, and may take so long from the first time that it is asked.
        asked: Option<Duration>,
    },
    /// The person of a party has confirmed the words.
    Confirmed {
        /// Its index.
        index: usize,
        /// Its name.
        name: String,
    },
    /// The local ports stand, and these are MPyC's arguments.
    Ports {
        /// The arguments.
        arguments: Vec<String>,
        /// Without a program of ours: the launcher that keeps the port of a Python program on loopback, to be put between
        /// Python and the program.
        launcher: Option<PathBuf>,
    },
    /// The program was started.
    RunStarted,
    /// A line that the program wrote to stdout; only when its stdout is captured.
    RunOutput {
        /// The line without its end.
        line: String,
    },
    /// Without a program of ours: MPyC has ended all its connections, so whoever started it by hand may leave.
    RunIdle,
    /// The program is asked to end, which may take it some seconds.
    RunStopping,
    /// A transcript of the run was written.
    Transcript {
        /// Where.
        path: PathBuf,
    },
    /// The program ended, or was stopped.
    RunExited(RunExited),
    /// Something that a person should know.
    Warning(String),
    /// The command fails.
    Failed(Failure),
}

/// A room as its people see it before anything runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomFacts {
    /// The name that people can say; it proves nothing.
    pub name: String,
    /// The program here; `None` if our person starts it by hand.
    pub program: Option<String>,
    /// The version of MPyC that it will find, if it is Python.
    pub mpyc: Option<String>,
    /// The program's arguments, if they are told to everybody.
    pub arguments: Option<Vec<String>>,
    /// The issuers of one of which everybody shows a credential.
    pub issuers: Vec<String>,
    /// How the threshold here follows from the number of parties.
    pub threshold: ThresholdRule,
    /// When the link ends, in UTC seconds.
    pub expires: Option<u64>,
}

impl RoomFacts {
    /// Puts together what `member` knows of the room that `invitation` leads to.
    pub(crate) fn of(member: &Member, invitation: &Invitation) -> Self {
        let issuers = invitation.issuers().to_vec();
        Self { issuers, ..Self::named(member, room_name(invitation.room()), invitation.expires()) }
    }

    /// Puts together what `member` knows of the room of these parties.
    pub(crate) fn of_list(member: &Member, list: &PartyList) -> Self {
        Self::named(member, list.room_name(), None)
    }

    fn named(member: &Member, name: String, expires: Option<u64>) -> Self {
        let manifest = member.manifest.as_ref();
        Self {
            name,
            program: manifest.map(|manifest| manifest.program.name.clone()),
            mpyc: manifest.and_then(|manifest| manifest.mpyc.as_ref()).map(|mpyc| mpyc.version.clone()),
            arguments: manifest.and_then(|manifest| manifest.arguments.clone()),
            issuers: Vec::new(),
            threshold: member.threshold.unwrap_or(ThresholdRule::Default),
            expires,
        }
    }
}

/// How a peer is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathReport {
    /// Round-trip time over the session, if it was measured already.
    pub rtt: Option<Duration>,
}

/// What became of the bytes that MPyC wrote to one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamBytes {
    /// Its number in the session.
    pub stream: String,
    /// Bytes that the other side's session has, and hands on in order.
    pub acknowledged: u64,
    /// Bytes that were sent; whether they arrived is not known.
    pub unacknowledged: u64,
    /// Bytes that were never sent.
    pub unsent: u64,
}

/// How the run ended at this party.
#[derive(Debug, Clone)]
pub struct RunExited {
    /// The exit code of this command.
    pub code: u8,
    /// The program's own exit code as a shell gives it; `None` if it was stopped by us.
    pub program: Option<u8>,
    /// Why we stopped it, or what explains its failure.
    pub reason: Option<Failure>,
    /// How long the program ran.
    pub elapsed: Duration,
    /// Bytes from MPyC to the other parties.
    pub bytes_up: u64,
    /// Bytes from the other parties to MPyC.
    pub bytes_down: u64,
    /// The same for each of them, in order of the index.
    pub peers: Vec<Traffic>,
}

impl RunExited {
    /// A run of which nothing but the exit code is known.
    pub(crate) fn unknown(code: u8) -> Self {
        let (bytes_up, bytes_down, peers) = (0, 0, Vec::new());
        Self { code, program: None, reason: None, elapsed: Duration::ZERO, bytes_up, bytes_down, peers }
    }
}

/// Takes reports.
pub trait Reporter: Send {
    /// Shows one report.
    fn report(&mut self, report: &Report);

    /// Shows the link as a QR code, if this is a screen that has one: the person asked for it.
    fn show_code(&mut self) {}
}
