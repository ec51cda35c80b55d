//! The Noise prologue: what both peers must agree on before a key exists. Specification: `spec/handshake.md`, section 2.
//!
//! Which fields go in and in which order is the caller's; the session core hashes the result and never looks inside.

use thiserror::Error;

/// The label that opens the prologue of this major version.
pub const LABEL: &[u8] = crate::labels::PROLOGUE;

/// Encodes `label || LP(field)` for each field, `LP` being a 32-bit big-endian length in bytes followed by the bytes.
///
/// A list of suites is one field: the suites' one-byte ids, concatenated in the order offered.
///
/// ```
/// use didagent_session::prologue;
/// let encoded = prologue::encode(b"label", &[b"ab", b""])?;
/// assert_eq!(encoded, b"label\0\0\0\x02ab\0\0\0\0");
/// # Ok::<(), prologue::PrologueError>(())
/// ```
///
/// # Errors
/// [`PrologueError::FieldTooLong`] if a field does not fit its length prefix.
pub fn encode(label: &[u8], fields: &[&[u8]]) -> Result<Vec<u8>, PrologueError> {
    let mut out = label.to_vec();
    for (index, field) in fields.iter().enumerate() {
        let length = u32::try_from(field.len()).map_err(|_| PrologueError::FieldTooLong { index })?;
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(field);
    }
    Ok(out)
}

/// Why a prologue could not be encoded.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum PrologueError {
    /// A field is longer than 2^32 - 1 bytes.
    #[error("prologue field {index} is too long")]
    FieldTooLong {
        /// Position of the field in the argument, from 0.
        index: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Two different field lists never give the same bytes: nothing can move across a field border.
        #[test]
        fn encoding_is_injective(
            a in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..6), 0..5),
            b in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..6), 0..5),
        ) {
            let refs = |fields: &[Vec<u8>]| {
                let fields: Vec<&[u8]> = fields.iter().map(Vec::as_slice).collect();
                encode(LABEL, &fields).unwrap()
            };
            prop_assert_eq!(refs(&a) == refs(&b), a == b);
        }
    }
}
