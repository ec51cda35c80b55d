//! Identifiers of messages and of queued mail: unguessable, and without a hint how many there were.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// Makes identifiers from a random seed.
pub(super) struct Ids {
    seed: [u8; 32],
    next: u64,
}

impl Ids {
    pub(super) fn new(seed: [u8; 32]) -> Self {
        Self { seed, next: 0 }
    }

    /// Returns 32 hexadecimal digits: `SHA-256(seed || counter)`, cut to 16 bytes.
    pub(super) fn make(&mut self) -> String {
        let hash = Sha256::new().chain_update(self.seed).chain_update(self.next.to_be_bytes()).finalize();
        self.next += 1;
        let mut id = String::with_capacity(32);
        for byte in &hash[..16] {
            // Writing into a String does not fail.
            let _ = write!(id, "{byte:02x}");
        }
        id
    }
}

impl std::fmt::Debug for Ids {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ids").finish_non_exhaustive()
    }
}
