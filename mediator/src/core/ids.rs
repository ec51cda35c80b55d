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

    /// Returns a random number from 0 to `most`, each about as likely as any other: the bias is below `most` / 2^64.
    pub(super) fn up_to(&mut self, most: u64) -> u64 {
        let random = u64::from_str_radix(&self.make()[..16], 16).unwrap_or_default();
        most.checked_add(1).map_or(random, |count| random % count)
    }

    /// Returns 16 random bytes: `SHA-256(seed || counter)`, cut.
    pub(super) fn draw(&mut self) -> [u8; 16] {
        let hash = Sha256::new().chain_update(self.seed).chain_update(self.next.to_be_bytes()).finalize();
        self.next += 1;
        let mut drawn = [0; 16];
        drawn.iter_mut().zip(&hash).for_each(|(byte, hashed)| *byte = *hashed);
        drawn
    }

    /// Returns 32 hexadecimal digits.
    pub(super) fn make(&mut self) -> String {
        let mut id = String::with_capacity(32);
        for byte in self.draw() {
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
