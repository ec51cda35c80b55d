//! base64url as the names chapter (0.3) has it: written without padding, read with or without.
//!
//! Bits that do not fit a whole byte must be zero, so that one value has one spelling apart from its padding.

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Encodes without padding.
pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    ENGINE.encode(bytes)
}

/// Encodes without padding to the end of `text`.
pub(crate) fn encode_to(text: &mut String, bytes: impl AsRef<[u8]>) {
    ENGINE.encode_string(bytes, text);
}

/// Bytes that are encoded at a time where they lie: whole groups of three.
const BLOCK_BYTES: usize = 3 * 1024;

/// How long `bytes` bytes are when they are encoded.
pub(crate) const fn encoded_len(bytes: usize) -> usize {
    bytes.saturating_mul(4).div_ceil(3)
}

/// Encodes `buffer` where it lies and puts `before` and `after` around it. A buffer with room for the result is not moved.
///
/// The bytes are moved to the end of the room and encoded from there to its beginning. What is written stays behind what is
/// still to be read: of each three bytes it gains one, and all that can be gained lies before the first.
pub(crate) fn encode_within(buffer: &mut Vec<u8>, before: &[u8], after: &[u8]) -> Option<()> {
    let raw = buffer.len();
    let total = before.len() + encoded_len(raw) + after.len();
    buffer.reserve_exact(total - raw);
    buffer.resize(total, 0);
    buffer.copy_within(..raw, total - raw);
    buffer.get_mut(..before.len())?.copy_from_slice(before);

    let mut block = [0; BLOCK_BYTES];
    let (mut read, mut write) = (total - raw, before.len());
    while read < total {
        let taken = block.get_mut(..BLOCK_BYTES.min(total - read))?;
        taken.copy_from_slice(buffer.get(read..read + taken.len())?);
        read += taken.len();
        write += ENGINE.encode_slice(taken, buffer.get_mut(write..)?).ok()?;
    }
    buffer.get_mut(write..)?.copy_from_slice(after);
    Some(())
}

/// Decodes; `None` when `text` is not base64url.
pub(crate) fn decode(text: impl AsRef<[u8]>) -> Option<Vec<u8>> {
    ENGINE.decode(text).ok()
}

/// Decodes exactly `N` bytes.
pub(crate) fn decode_array<const N: usize>(text: impl AsRef<[u8]>) -> Option<[u8; N]> {
    decode(text)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::{BLOCK_BYTES, decode, decode_array, encode, encode_within, encoded_len};

    /// Decides NA-06.
    #[test]
    fn reads_padding_and_writes_none() {
        assert_eq!(encode([0xfb, 0xff]), "-_8");
        assert_eq!(decode("-_8"), Some(vec![0xfb, 0xff]));
        assert_eq!(decode("-_8="), Some(vec![0xfb, 0xff]));
    }

    /// Decides NA-06.
    #[test]
    fn rejects_other_alphabets_lengths_and_stray_bits() {
        for bad in ["+/8", "-_9", "-_8 ", " -_8", "-", "-_8=="] {
            assert_eq!(decode(bad), None, "{bad}");
        }
        assert_eq!(decode_array::<3>("-_8"), None);
    }

    #[test]
    fn encodes_where_the_bytes_lie_whatever_their_number_and_room() {
        let lengths = (0..10).chain((0..9).map(|more| BLOCK_BYTES - 4 + more)).chain([5 * BLOCK_BYTES + 1]);
        for length in lengths {
            let bytes: Vec<u8> = (0..length).map(|i| u8::try_from(i * 7 % 251).unwrap()).collect();
            let text = encode(&bytes);
            assert_eq!(encoded_len(length), text.len());
            for (before, after) in [("", ""), ("{\"a\":\"", "\"}"), ("", "\"}"), ("{", "")] {
                let expected = format!("{before}{text}{after}");
                for room in [0, expected.len(), 2 * expected.len()] {
                    let mut buffer = Vec::with_capacity(room.max(length));
                    buffer.extend_from_slice(&bytes);
                    let place = buffer.as_ptr();
                    encode_within(&mut buffer, before.as_bytes(), after.as_bytes()).unwrap();
                    assert_eq!(buffer, expected.as_bytes(), "{length} bytes");
                    assert!(room < expected.len() || buffer.as_ptr() == place, "it was moved");
                }
            }
        }
    }
}
