//! An identity that is made for one room: what it is called when its person gives no name.
//!
//! Specification: `spec/connect.md`, CN-80. The keys are those of any other [`Identity`](super::identity::Identity), made anew; the
//! name must come from nowhere else, since the user's name, which other rooms show, would tell who it is.
//!
//! Not its concern: where such an identity is kept while its room is waited in (`io::one_use`), how the engine behaves under one
//! (`io::engine`).

use sha2::{Digest as _, Sha256};

/// In front of the words, so that nobody takes them for a name that somebody chose.
const PREFIX: &str = "anon";

/// How many words follow: with one, two of sixteen parties would have the same in one room of seventeen; with two, in one of
/// thirty-five thousand.
const WORDS: usize = 2;

/// Returns the name of a one-use identity: two words of BIP-39's English list, from the SHA-256 of its DID. The same identity has
/// the same one when it is started again.
///
/// ```
/// use didagent::core::one_use::made_up_name;
///
/// let name = made_up_name("did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK");
/// assert!(name.starts_with("anon-") && name.split('-').count() == 3);
/// ```
pub fn made_up_name(did: &str) -> String {
    let digest = Sha256::digest(did);
    let list = bip39::Language::English.word_list();
    let word = |bytes: &[u8]| {
        let number = bytes.iter().fold(0_usize, |number, byte| number << 8 | usize::from(*byte));
        // 2048 words divide the two bytes evenly.
        list.get(number % list.len()).copied()
    };
    let words = digest.chunks(2).take(WORDS).filter_map(word);
    std::iter::once(PREFIX).chain(words).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::room::roster::is_showable;

    /// Decides CN-80. Worked out by hand from the digest.
    #[test]
    fn a_made_up_name_is_two_words_of_the_identity_and_can_be_shown() {
        let digest = Sha256::digest("did:key:z6Mk");
        let list = bip39::Language::English.word_list();
        let at = |first: usize| usize::from(digest[first] & 7) << 8 | usize::from(digest[first + 1]);
        assert_eq!(made_up_name("did:key:z6Mk"), format!("anon-{}-{}", list[at(0)], list[at(2)]));
        assert_ne!(made_up_name("did:key:z6Mk"), made_up_name("did:key:z6Ml"));
        let longest = list.iter().map(|word| word.len()).max().unwrap();
        let name = format!("{PREFIX}-{0}-{0}", "x".repeat(longest));
        assert!(is_showable(&name), "{name}");
    }
}
