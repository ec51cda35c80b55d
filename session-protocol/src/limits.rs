//! Limits with their reasons. Specification: `spec/streams.md`, section 5.

use std::time::Duration;

/// Largest record in bytes, header and tag included: one record never holds the receiver for long, and a length prefix
/// beyond it is an error before any memory is spent.
pub const MAX_RECORD: usize = 64 * 1024;

/// Bytes of a record that are not frames: 21 of header, 16 of tag.
pub const RECORD_OVERHEAD: usize = crate::record::HEADER_LEN + crate::record::TAG_LEN;

/// Streams that one side may have open at a time: several connections per peer fit, a hostile peer's bookkeeping stays small.
pub const MAX_STREAMS: usize = 256;

/// Largest handshake message in bytes: a hello with extensions fits twice over, and nobody hashes megabytes for a stranger.
pub const MAX_HANDSHAKE_MESSAGE: usize = 4096;

/// Smallest `max_record` in bytes that a peer may state: a post-quantum RATCHET or REHS of 1.3 KiB fits with all other control
/// frames of a record beside it, and so does the smallest record of constant padding.
pub(crate) const MIN_RECORD: usize = 2048;

/// Smallest plaintext of constant padding: the longest control frames fit, and every peer accepts it.
const MIN_CONSTANT: usize = 1536;
const _: () = assert!(MIN_CONSTANT + RECORD_OVERHEAD <= MIN_RECORD);
/// Records of constant padding that must fit into what is kept for sending again, of which some are for control.
const CONSTANT_RECORDS: usize = 16;

/// Records of one direction in one epoch: the hard limit of section 9, and 2^16 more for control. Beyond it nothing is sealed
/// or opened.
pub(crate) const RECORDS_PER_EPOCH: u64 = (1 << 24) + (1 << 16);

/// An acknowledgement is sent at the latest after this many records that ask for one…
pub(crate) const ACK_RECORDS: u32 = 64;
/// …or this many bytes of such records…
pub(crate) const ACK_BYTES: u64 = 512 * 1024;
/// …or this time after the first of them.
pub(crate) const ACK_DELAY: Duration = Duration::from_millis(20);

/// Of the bytes kept for sending again, those that are not for stream frames: without them two ends whose buffers are full of
/// data could not acknowledge each other's.
pub(crate) const CONTROL_RESERVE: usize = 64 * 1024;
/// A sender that keeps so many records of which none asks for an acknowledgement asks for one…
pub(crate) const QUIET_RECORDS: usize = 256;
/// …or so many bytes.
pub(crate) const QUIET_BYTES: usize = 32 * 1024;

/// Routing tokens that the peer holds and has not used.
pub(crate) const UNUSED_CIDS: usize = 4;
/// Routing tokens that one side may hold at a time.
pub(crate) const MAX_HELD_CIDS: usize = 16;

/// How long a connection may wait for the peer's answer.
pub(crate) const ADOPTION_TIME: Duration = Duration::from_secs(10);
/// Connections that may wait for it at a time.
pub(crate) const MAX_WAITING: usize = 4;
/// Messages answered on one connection; an honest peer sends two that ask.
pub(crate) const MAX_ANSWERS: usize = 8;

/// STREAM_OPEN and STREAM_RESET frames that may wait to be sealed. Only the local caller adds them, so it is told to wait.
pub(crate) const MAX_QUEUED_CONTROL: usize = 1024;

/// Streams of the peer that were reset here while nothing could be sealed that says so. To an honest peer they are among its
/// [`MAX_STREAMS`] open ones, but for as many more whose FIN went out before.
pub(crate) const MAX_UNSAID_RESETS: usize = 2 * MAX_STREAMS;

/// Fewest bytes kept for sending again: the reserve, and one of the largest records with its bookkeeping.
const MIN_RETRANSMISSION: usize = CONTROL_RESERVE + 2 * MAX_RECORD;
/// Most bytes kept for sending again.
const MAX_RETRANSMISSION: usize = 1 << 30;

/// What this side accepts and how it sends. The first two go to the peer inside the handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest record in bytes that this side accepts, 2048 to [`MAX_RECORD`].
    pub max_record: usize,
    /// Bytes that the peer may send on one stream before this side's reader consumed any; at least 1, below 2^32.
    pub stream_window: usize,
    /// Largest record in bytes that this side seals, 2048 to [`MAX_RECORD`]; the peer's `max_record` lowers it.
    pub record_size: usize,
    /// Bytes written but not yet sealed that one stream may hold; at least 1.
    pub send_buffer: usize,
    /// Bytes of sealed records that are kept until the peer acknowledges them, 192 KiB to 1 GiB. The last 64 KiB are for records
    /// without stream frames.
    pub retransmission: usize,
    /// When an epoch ends. Lower it only in tests.
    pub epoch: EpochLimits,
    /// What this side does to the sizes and instants of its records.
    pub padding: Padding,
}

/// How the sender pads. Specification: `spec/session.md`, section 11.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Padding {
    /// Not at all.
    #[default]
    Off,
    /// Each record's plaintext up to the next of a few sizes: 64, 128, 256, 512, 1024 bytes, then those of Padmé, which add
    /// less than an eighth.
    Buckets,
    /// Every record the same, one in each interval, also when there is nothing to say. What is written waits for its turn.
    Constant {
        /// Bytes of plaintext of each record, 1536 to [`MAX_RECORD`] - [`RECORD_OVERHEAD`], at most a sixteenth of
        /// `retransmission`; the peer's `max_record` lowers it.
        size: usize,
        /// The interval, not zero.
        every: Duration,
    },
}

impl Padding {
    fn is_valid(&self, retransmission: usize) -> bool {
        match self {
            Self::Off | Self::Buckets => true,
            Self::Constant { size, every } => {
                (MIN_CONSTANT..=MAX_RECORD - RECORD_OVERHEAD).contains(size)
                    && !every.is_zero()
                    && size.saturating_mul(CONSTANT_RECORDS) <= retransmission
            }
        }
    }
}

/// When an epoch ends. Specification: `spec/session.md`, SE-10.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpochLimits {
    /// The initiator begins the next epoch; a responder that comes halfway from here to `hard` asks it to.
    pub soft: EpochMark,
    /// Nothing is sealed any more but what the next epoch, the life of the connection and the end need.
    pub hard: EpochMark,
    /// Records of a direction in an epoch, of which the last can only hold the end, with
    /// [`close::RECORD_LIMIT`](crate::close::RECORD_LIMIT); above `hard.records`, at most 2^24 + 2^16.
    pub last: u64,
    /// Records that do not verify before this side wants a new epoch; at least 1.
    pub forgeries: u64,
    /// Time after which [`Event::RehandshakeDue`](crate::Event::RehandshakeDue) says that the static keys are due again.
    pub rehandshake: Duration,
}

/// A point in the life of an epoch; the field that is reached first counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochMark {
    /// Records of one direction; at least 1.
    pub records: u64,
    /// Bytes of one direction, whole records.
    pub bytes: u64,
    /// Time with a connection.
    pub time: Duration,
}

impl Default for EpochLimits {
    fn default() -> Self {
        Self {
            soft: EpochMark { records: 1 << 20, bytes: 1 << 30, time: Duration::from_secs(60) },
            hard: EpochMark { records: 1 << 24, bytes: 64 << 30, time: Duration::from_secs(180) },
            last: RECORDS_PER_EPOCH,
            forgeries: 1 << 20,
            rehandshake: Duration::from_secs(24 * 60 * 60),
        }
    }
}

impl EpochLimits {
    fn are_valid(&self) -> bool {
        let Self { soft, hard, last, forgeries, .. } = self;
        (1..=hard.records).contains(&soft.records)
            && soft.bytes <= hard.bytes
            && soft.time <= hard.time
            && hard.records < *last
            && *last <= RECORDS_PER_EPOCH
            && *forgeries >= 1
    }
}

impl EpochMark {
    /// The point halfway between two.
    pub(crate) fn between(&self, other: &Self) -> Self {
        Self {
            records: self.records.midpoint(other.records),
            bytes: self.bytes.midpoint(other.bytes),
            time: self.time.saturating_add(other.time) / 2,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_record: MAX_RECORD,
            stream_window: 1024 * 1024,
            record_size: 16 * 1024,
            send_buffer: 1024 * 1024,
            retransmission: 8 * 1024 * 1024,
            epoch: EpochLimits::default(),
            padding: Padding::Off,
        }
    }
}

impl Limits {
    /// Whether every field is in its range.
    pub(crate) fn are_valid(&self) -> bool {
        let record = MIN_RECORD..=MAX_RECORD;
        record.contains(&self.max_record)
            && record.contains(&self.record_size)
            && self.stream_window >= 1
            && u32::try_from(self.stream_window).is_ok()
            && self.send_buffer >= 1
            && (MIN_RETRANSMISSION..=MAX_RETRANSMISSION).contains(&self.retransmission)
            && self.epoch.are_valid()
            && self.padding.is_valid(self.retransmission)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid_and_each_range_is_checked() {
        assert!(Limits::default().are_valid());
        let every = Duration::from_millis(1);
        for size in [1536, MAX_RECORD - RECORD_OVERHEAD] {
            assert!(Limits { padding: Padding::Constant { size, every }, ..Limits::default() }.are_valid());
        }
        let broken: [fn(&mut Limits); 17] = [
            |l| l.max_record = MIN_RECORD - 1,
            |l| l.max_record = MAX_RECORD + 1,
            |l| l.record_size = 0,
            |l| l.stream_window = 0,
            |l| l.send_buffer = 0,
            |l| l.retransmission = MIN_RETRANSMISSION - 1,
            |l| l.retransmission = MAX_RETRANSMISSION + 1,
            |l| l.epoch.soft.records = 0,
            |l| l.epoch.soft.records = l.epoch.hard.records + 1,
            |l| l.epoch.soft.time = l.epoch.hard.time * 2,
            |l| l.epoch.last = l.epoch.hard.records,
            |l| l.epoch.last += 1,
            |l| l.epoch.forgeries = 0,
            |l| l.padding = Padding::Constant { size: 1535, every: Duration::from_millis(1) },
            |l| l.padding = Padding::Constant { size: MAX_RECORD - 36, every: Duration::from_millis(1) },
            |l| l.padding = Padding::Constant { size: 2000, every: Duration::ZERO },
            |l| {
                l.retransmission = 192 * 1024;
                l.padding = Padding::Constant { size: 12 * 1024 + 1, every: Duration::from_millis(1) };
            },
        ];
        for change in broken {
            let mut limits = Limits::default();
            change(&mut limits);
            assert!(!limits.are_valid(), "{limits:?}");
        }
    }
}
