//! A name for a room that people can say: `7-guitar-orbit`.
//!
//! Specification: `spec/room.md`, RM-90. It follows from the room's id alone, so every screen shows the same one, and it tells
//! two rooms of one evening apart. It proves nothing: whoever opens a room can look for an id with the name of another one. The
//! number in front and the hyphens tell it from the four words that people compare (`words`), which prove something.

use sha2::{Digest as _, Sha256};

/// Hashed in front of the room's id, `spec/0-names.md` section 0.2.
const LABEL: &[u8] = b"didagent-room-name/1";

/// The number is 1 to this.
const NUMBERS: u64 = 99;

/// Bits of a word.
const BITS: u32 = 11;

/// Returns the name of the room with this id.
pub fn room_name(id: &str) -> String {
    let digest = Sha256::new().chain_update(LABEL).chain_update(id).finalize();
    let number = |from: usize| {
        digest.iter().skip(from).take(8).fold(0, |number: u64, byte| number << 8 | u64::from(*byte))
    };
    let list = bip39::Language::English.word_list();
    let word = |from: usize| {
        let index = usize::try_from(number(from) >> (u64::BITS - BITS)).unwrap_or_default();
        list.get(index).copied().unwrap_or_default()
    };
    format!("{}-{}-{}", number(0) % NUMBERS + 1, word(8), word(16))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decides RM-90. Worked out by hand from the digest.
    #[test]
    fn a_name_is_a_number_and_two_words_of_the_rooms_id() {
        let digest = Sha256::digest([LABEL, b"c0ffee"].concat());
        let bits: String = digest.iter().map(|byte| format!("{byte:08b}")).collect();
        let list = bip39::Language::English.word_list();
        let number = u64::from_str_radix(&bits[..64], 2).unwrap() % 99 + 1;
        let word = |from: usize| list[usize::from_str_radix(&bits[from..from + 11], 2).unwrap()];
        assert_eq!(room_name("c0ffee"), format!("{number}-{}-{}", word(64), word(128)));
        assert_ne!(room_name("c0ffee"), room_name("c0ffef"));
    }

    #[test]
    fn a_name_cannot_be_taken_for_words_to_compare() {
        for id in ["", "a", "\u{1f9c7}", &"x".repeat(10_000)] {
            let name = room_name(id);
            assert!(!name.contains(' '), "{name}");
            assert_eq!(name.split('-').count(), 3, "{name}");
            assert!(matches!(name.split('-').next().unwrap().parse(), Ok(1..=99)), "{name}");
        }
    }
}
