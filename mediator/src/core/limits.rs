//! Every bound of the mediator, with its reason. Strangers may connect, so nothing may grow without one.

use std::time::Duration;

use didagent_didcomm::protocols::relay::MAX_WINDOW;

/// Bounds that a [`super::Mediator`] keeps. [`Limits::default`] suits one small machine.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Longest queued message in bytes. Room for a propose with post-quantum keys (about 6 KiB) 40 times over; a larger one
    /// would hold the other traffic of its socket for long.
    pub message_bytes: usize,
    /// Longest DID that is registered or served, in bytes. A did:peer:2 behind a did:peer:2 mediator takes about 1300.
    pub did_bytes: usize,
    /// Messages in the queue of one recipient DID: a room of 60 parties that all write 16 times while one is away.
    pub queue_messages: usize,
    /// Bytes in the queue of one recipient DID: 32 messages of the longest kind.
    pub queue_bytes: usize,
    /// Bytes in all queues together, with what each message takes beside its text: what the memory store may take of a
    /// machine with 1 GiB. When it is reached, the fullest queue loses its newest mail to a smaller one (RL-47).
    pub store_bytes: usize,
    /// What mail that its senders want to be delivered later may take before it is in a queue, in bytes: a sixteenth of the
    /// queues. Delays are asked for anonymously, and when this is full they are refused.
    pub delayed_bytes: usize,
    /// Part of it that mail for one recipient DID may take, in bytes: an eighth, eight messages of the longest kind.
    pub delayed_bytes_per_recipient: usize,
    /// The longest delay that a sender may ask for. Delays hide who writes to whom, for which minutes are long; mail that waits
    /// counts in no quota of its recipient, so not for days.
    pub delay: Duration,
    /// How long mail is kept, in seconds: a week bridges a holiday weekend, and rooms live for hours. A forward's own
    /// `expires_time` shortens it.
    pub mail_seconds: u64,
    /// Accounts. With [`Self::recipients`], 160 MiB of DIDs of the longest kind. Accounts are free, so when this or the
    /// number of recipients is reached, those that nobody uses make way (RL-47).
    pub accounts: usize,
    /// How long an account lives without a message from its owner: longer than its mail.
    pub account_idle: Duration,
    /// Recipient DIDs of one account. An agent uses one connection DID per room, each with an account of its own; other
    /// software registers one per contact.
    pub recipients_per_account: usize,
    /// Recipient DIDs of all accounts.
    pub recipients: usize,
    /// DIDs that may speak on one socket: an agent's open rooms.
    pub dids_per_socket: usize,
    /// Replies waiting for one socket; a client that sends requests and does not read the answers is closed.
    pub replies_per_socket: usize,
    /// Memory that the replies waiting for one socket may take, in bytes; one reply may wait whatever its size. Two answers to
    /// the longest recipient-update, which repeat 256 DIDs of the longest kind each.
    pub reply_bytes_per_socket: usize,
    /// Memory that all waiting replies may take, in bytes; beyond it the socket with most is closed. Clients that read have
    /// less than 64 KiB waiting, so 1024 of them do not come near.
    pub reply_bytes: usize,
    /// Envelopes that do not open before a socket is closed. Key rotation and a wrong invitation explain a few.
    pub failures_per_socket: u32,
    /// Pushed messages that a live recipient may leave unacknowledged; the rest waits.
    pub live_messages: usize,
    /// Bytes that a live recipient may leave unacknowledged. One message is pushed whatever its size.
    pub live_bytes: usize,
    /// Messages in one delivery; larger batches only delay the first.
    pub batch_messages: usize,
    /// Bytes in one delivery before its encryption; one message is delivered whatever its size.
    pub batch_bytes: usize,
    /// Window of a circuit in bytes, for each direction (RL-13).
    pub window: u32,
    /// Circuits of one DID (RL-07): a room of 60 parties, all relayed.
    pub circuits_per_did: usize,
    /// Circuits of one socket: several rooms at once.
    pub circuits_per_socket: usize,
    /// Half circuits of one socket that wait for their partner: one room of 60 parties. They cost a message each and keep
    /// others from theirs.
    pub waiting_per_socket: usize,
    /// All circuits; times two windows this is at most 512 MiB of records in transit, and twice
    /// that if all of them are single bytes.
    pub circuits: usize,
    /// How long half a circuit waits for its partner (RL-09).
    pub partner_wait: Duration,
    /// Links that are kept for one DID, and for one socket: a person has a few rooms open at a time.
    pub links_per_client: usize,
    /// Links in all: [`Self::links_per_client`] for each of [`MAX_SOCKETS`], so that whoever is connected finds room. At 8 KiB
    /// each they take at most 64 MiB.
    pub links: usize,
    /// How long a link is kept at most, in seconds: as long as an agent lets a room's link work.
    pub link_seconds: u64,
    /// Rooms on the board that one DID, and one socket, may have: an agent has one.
    pub posts_per_client: usize,
    /// Rooms on the board of one network ([`super::rates`]): a classroom behind one router. DIDs and sockets are free, networks
    /// are not, so this is what keeps one person from filling the board.
    pub posts_per_network: usize,
    /// Rooms on the board of one site, which is 48 bits of IPv6: one customer may have as many networks in it as there are ports. A
    /// quarter of the board, since a provider may put many customers there.
    pub posts_per_site: usize,
    /// Rooms on the board in all: with the longest texts an answer has 120 KB, and nobody reads more lines.
    pub posts: usize,
    /// How long a post is kept at most without being renewed, in seconds: strangers who wait for longer have gone.
    pub post_seconds: u64,
    /// How long a post is kept while its owner is not connected: twice as long as an agent tries to come back (RM-70).
    pub post_absence: Duration,
    /// How far ahead `expires_time` of a relay request may be, in seconds (RL-05). It bounds how long a recorded request
    /// could be played back to a mediator that has lost its memory.
    pub request_seconds: u64,
    /// Tolerance for a client's clock, in seconds.
    pub skew_seconds: u64,
    /// How long the ids of messages and the tokens of circuits are remembered: twice [`Self::request_seconds`].
    pub replay_memory: Duration,
    /// Ids that are remembered; 32 bytes each. The oldest makes room for the newest.
    pub replay_ids: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: 256 * 1024,
            did_bytes: 2048,
            queue_messages: 1000,
            queue_bytes: 8 << 20,
            store_bytes: 256 << 20,
            delayed_bytes: 16 << 20,
            delayed_bytes_per_recipient: 2 << 20,
            delay: Duration::from_secs(3600),
            mail_seconds: 7 * 24 * 3600,
            accounts: 16 * 1024,
            account_idle: Duration::from_secs(14 * 24 * 3600),
            recipients_per_account: 256,
            recipients: 64 * 1024,
            dids_per_socket: 64,
            replies_per_socket: 256,
            reply_bytes_per_socket: 2 << 20,
            reply_bytes: 64 << 20,
            failures_per_socket: 16,
            live_messages: 64,
            live_bytes: 512 * 1024,
            batch_messages: 16,
            batch_bytes: 128 * 1024,
            window: MAX_WINDOW,
            circuits_per_did: 64,
            circuits_per_socket: 256,
            waiting_per_socket: 64,
            circuits: 1024,
            partner_wait: Duration::from_secs(60),
            links_per_client: 8,
            links: 8 * MAX_SOCKETS,
            link_seconds: 31 * 24 * 3600,
            posts_per_client: 2,
            posts_per_network: 8,
            posts_per_site: 32,
            posts: 128,
            post_seconds: 4 * 3600,
            post_absence: Duration::from_secs(120),
            request_seconds: 300,
            skew_seconds: 60,
            replay_memory: Duration::from_secs(600),
            replay_ids: 64 * 1024,
        }
    }
}

/// How often everything that ages is looked through. Mail and accounts live for days, so a minute more is nothing.
pub const SWEEP: Duration = Duration::from_secs(60);

/// Largest text message on a socket in bytes: [`Limits::message_bytes`] as base64 in a forward, encrypted twice
/// (each step times 4/3), and headers.
pub const MAX_TEXT: usize = 1 << 20;

/// Sockets in all: each takes two tasks and at most about 100 KiB when idle.
pub const MAX_SOCKETS: usize = 1024;

/// Messages that came whole over HTTP and are answered at the same time. Each is answered at once, so more are only there when
/// somebody does not read the answers.
pub const MAX_POSTS: usize = 128;

/// Messages that one network may be posting at the same time: an eighth of [`MAX_POSTS`], and with the longest bodies a
/// quarter of [`POST_BYTES`]. People behind one router post less, since each message takes a moment.
pub const NETWORK_POSTS: usize = 16;

/// What the bodies of all messages that are being posted may take, in bytes: half of what [`MAX_POSTS`] take if all are as
/// long as may be.
pub const POST_BYTES: usize = 64 << 20;

/// How long the head of a request may take to come, and a WebSocket handshake.
pub const HANDSHAKE: Duration = Duration::from_secs(10);

/// Pause between pings. Below the 30 to 60 seconds after which home routers forget a connection.
pub const PING: Duration = Duration::from_secs(20);

/// Silence after which a socket is dead: two pings went unanswered.
pub const SILENCE: Duration = Duration::from_secs(60);

/// How long one write may take. A client that takes nothing for a minute holds memory that others need.
pub const WRITE_STALL: Duration = Duration::from_secs(60);

/// How long sockets may take to say goodbye when the mediator stops.
pub const GOODBYE: Duration = Duration::from_secs(3);

/// DIDComm messages that a socket may send at once, and per second after that; over HTTP those of one address. Opening an envelope takes about 0.2 ms; a
/// client that sends more is read later, and refused over HTTP.
pub const MESSAGE_BURST: u32 = 200;
/// See [`MESSAGE_BURST`].
pub const MESSAGES_PER_SECOND: u32 = 50;

const _: () = assert!(MESSAGE_BURST > MESSAGES_PER_SECOND);
