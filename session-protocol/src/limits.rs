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

/// Smallest `max_record` in bytes that a peer may state: every control frame fits many times.
pub(crate) const MIN_RECORD: usize = 1024;

/// Records of one direction in one epoch. Beyond it nothing is sealed or opened.
pub(crate) const RECORDS_PER_EPOCH: u64 = 1 << 24;

/// An acknowledgement is sent at the latest after this many records that ask for one…
pub(crate) const ACK_RECORDS: u32 = 64;
/// …or this many bytes of such records…
pub(crate) const ACK_BYTES: u64 = 256 * 1024;
/// …or this time after the first of them.
pub(crate) const ACK_DELAY: Duration = Duration::from_millis(20);

/// STREAM_OPEN and STREAM_RESET frames that may wait to be sealed. Only the local caller adds them, so it is told to wait.
pub(crate) const MAX_QUEUED_CONTROL: usize = 1024;

/// What this side accepts and how it sends. The first two go to the peer inside the handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest record in bytes that this side accepts, 1024 to [`MAX_RECORD`].
    pub max_record: usize,
    /// Bytes that the peer may send on one stream before this side's reader consumed any; at least 1, below 2^32.
    pub stream_window: usize,
    /// Largest record in bytes that this side seals, 1024 to [`MAX_RECORD`]; the peer's `max_record` lowers it.
    pub record_size: usize,
    /// Bytes written but not yet sealed that one stream may hold; at least 1.
    pub send_buffer: usize,
    /// Records sealed before the session closes with [`close::RECORD_LIMIT`](crate::close::RECORD_LIMIT), that last record
    /// included; 2 to 2^24. Lower it only in tests.
    pub records_per_epoch: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_record: MAX_RECORD,
            stream_window: 1024 * 1024,
            record_size: 16 * 1024,
            send_buffer: 1024 * 1024,
            records_per_epoch: RECORDS_PER_EPOCH,
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
            && (2..=RECORDS_PER_EPOCH).contains(&self.records_per_epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid_and_each_range_is_checked() {
        assert!(Limits::default().are_valid());
        let broken: [fn(&mut Limits); 7] = [
            |l| l.max_record = MIN_RECORD - 1,
            |l| l.max_record = MAX_RECORD + 1,
            |l| l.record_size = 0,
            |l| l.stream_window = 0,
            |l| l.send_buffer = 0,
            |l| l.records_per_epoch = 1,
            |l| l.records_per_epoch = RECORDS_PER_EPOCH + 1,
        ];
        for change in broken {
            let mut limits = Limits::default();
            change(&mut limits);
            assert!(!limits.are_valid(), "{limits:?}");
        }
    }
}
