//! What of a home is found in bytes that others got: its names and keys, in every spelling that an envelope uses.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use didagent::core::identity::Identity;

use super::system::contains;

/// What would tell that a home was there.
#[derive(Debug)]
pub struct Traces(Vec<String>);

impl Traces {
    /// The keys of a home's identity, and these words.
    pub fn of(home: &Path, words: &[&str]) -> Self {
        let identity = Identity::from_file(&std::fs::read(home.join("identity.json")).unwrap()).unwrap();
        let connection = identity.connection("did:example:m").did;
        // The X25519 key, as it stands in every connection DID of the home.
        let agreement = connection.split('.').find_map(|element| element.strip_prefix('E')).unwrap();
        let signing = identity.did().strip_prefix("did:key:").unwrap();
        let mut all = vec![signing.to_owned(), agreement.to_owned()];
        all.extend(words.iter().map(|word| (*word).to_owned()));
        Self(all)
    }

    /// These words alone.
    pub fn words(words: &[&str]) -> Self {
        Self(words.iter().map(|word| (*word).to_owned()).collect())
    }

    /// Which of them are in these bytes, as they are or inside base64.
    pub fn found_in(&self, bytes: &[u8]) -> Vec<&str> {
        let is_there = |trace: &&String| encodings(trace).iter().any(|text| contains(bytes, text.as_bytes()));
        self.0.iter().filter(is_there).map(String::as_str).collect()
    }
}

/// A text as it is, and the part of its base64 that does not depend on its neighbours, for each place in an encoder's groups
/// of three bytes.
pub fn encodings(text: &str) -> Vec<String> {
    let encoded = (0..3).map(|before| {
        let padded = [&vec![0; before], text.as_bytes()].concat();
        let encoded = URL_SAFE_NO_PAD.encode(&padded);
        encoded[(before * 4).div_ceil(3)..padded.len() * 4 / 3].to_owned()
    });
    encoded.chain([text.to_owned()]).collect()
}
