//! The words that people compare in their chat: a short authentication string over the roster.
//!
//! Specification: `spec/room.md`, "Words". Each party commits to a random number before the roster is written and shows it only
//! afterwards, so nobody can choose keys or rosters until the words of two rosters are alike: whoever sits between two parties has
//! one guess in 2^44.
//!
//! Not its concern: who shows them, and to whom they need not be shown.

use didagent_didcomm::protocols::Digest32;
use rand_core::CryptoRng;
use sha2::{Digest as _, Sha256};

/// Hashed in front of a nonce and of the words' input, `spec/0-names.md` section 0.2.
const COMMIT: &[u8] = b"didagent-commit/1";
const WORDS: &[u8] = b"didagent-words/1";

/// How many words there are, each of 11 bits.
const COUNT: usize = 4;
const BITS: u32 = 11;

/// A random number that its party shows only when the roster stands.
#[derive(Clone)]
#[cfg_attr(test, derive(PartialEq))]
pub struct Nonce([u8; 32]);

impl std::fmt::Debug for Nonce {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Nonce(..)")
    }
}

impl Nonce {
    /// Draws one. A party needs a new one for each room that it enters.
    pub fn random(rng: &mut impl CryptoRng) -> Self {
        let mut bytes = [0; 32];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// Takes one that was drawn before and shown to nobody.
    pub(crate) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns its bytes, to be kept where nobody else reads them.
    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns what commits to it and does not tell it.
    pub fn commitment(&self) -> Digest32 {
        commitment(&self.0)
    }

    /// Shows it.
    pub(in crate::core) fn shown(&self) -> Digest32 {
        Digest32(self.0)
    }
}

/// Returns the commitment to a nonce that was shown.
pub(crate) fn commitment(nonce: &[u8; 32]) -> Digest32 {
    Digest32(Sha256::new().chain_update(COMMIT).chain_update(nonce).finalize().into())
}

/// Returns the words of a roster with this hash, for the nonces of all parties in order of their index.
pub(crate) fn words<'a>(
    round_hash: &[u8; 32],
    nonces: impl IntoIterator<Item = &'a [u8; 32]>,
) -> Vec<&'static str> {
    let mut hash = Sha256::new().chain_update(WORDS).chain_update(round_hash);
    for nonce in nonces {
        hash.update(nonce);
    }
    let digest = hash.finalize();
    let mut bits = digest.iter().take(8).fold(0, |bits: u64, byte| bits << 8 | u64::from(*byte));
    let list = bip39::Language::English.word_list();
    (0..COUNT)
        .filter_map(|_| {
            bits = bits.rotate_left(BITS);
            let index = usize::try_from(bits & ((1 << BITS) - 1)).ok()?;
            list.get(index).copied()
        })
        .collect()
}

/// Says whether a text that somebody typed or pasted is these words: in any letters, with whatever chats put between them.
pub fn is_answer(text: &str, words: &[&str]) -> bool {
    let typed = text.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty());
    !words.is_empty() && typed.map(str::to_ascii_lowercase).eq(words.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::test_rng;

    /// Decides RM-45. Worked out by hand from the digest.
    #[test]
    fn the_words_are_the_first_44_bits() {
        let found = words(&[1; 32], [&[2; 32], &[3; 32]]);
        let digest = Sha256::digest([WORDS, &[1; 32], &[2; 32], &[3; 32]].concat());
        let bits: String = digest.iter().map(|byte| format!("{byte:08b}")).collect();
        let list = bip39::Language::English.word_list();
        let wanted: Vec<_> =
            (0..4).map(|at| list[usize::from_str_radix(&bits[11 * at..11 * at + 11], 2).unwrap()]).collect();
        assert_eq!(found, wanted);
        assert_eq!(list.len(), 2048);
        assert_ne!(found, words(&[1; 32], [&[3; 32], &[2; 32]]));
        assert_ne!(found, words(&[9; 32], [&[2; 32], &[3; 32]]));
    }

    #[test]
    fn pasted_words_are_read_as_chats_show_them() {
        let words = ["tulip", "anchor", "seven", "mango"];
        for same in [
            "tulip anchor seven mango",
            " *Tulip* anchor,\tSEVEN - mango.\n",
            "1. tulip 2. anchor 3. seven 4. mango",
        ] {
            assert!(is_answer(same, &words), "{same}");
        }
        for other in [
            "",
            "y",
            "tulip anchor seven",
            "tulip anchor mango seven",
            "tulip anchor seven mango mango",
            "tulipanchor seven mango",
        ] {
            assert!(!is_answer(other, &words), "{other}");
        }
        assert!(!is_answer("", &[]));
    }

    #[test]
    fn a_commitment_tells_nothing_and_fits_one_nonce() {
        let (one, other) = (Nonce::random(&mut test_rng(1)), Nonce::random(&mut test_rng(2)));
        assert_eq!(one.commitment(), commitment(&one.shown().0));
        assert_ne!(one.commitment(), other.commitment());
        assert_ne!(one.commitment(), one.shown());
        assert_eq!(format!("{one:?}"), "Nonce(..)");
    }
}
