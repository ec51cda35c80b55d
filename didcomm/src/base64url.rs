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
    use super::{decode, decode_array, encode};

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
}
