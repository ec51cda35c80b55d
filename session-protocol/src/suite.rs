//! The cipher suites. Specification: `spec/handshake.md`, section 1.

/// A Noise protocol and the record protection that goes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Suite {
    /// Suite 1, `Noise_KK_25519_ChaChaPoly_SHA256`: every implementation has it.
    KkChaChaPoly,
}

impl Suite {
    /// The suite's one-byte id, as it stands in an offer.
    pub const fn id(self) -> u8 {
        match self {
            Self::KkChaChaPoly => 1,
        }
    }

    /// The suite with this id, if this implementation has it.
    pub const fn from_id(id: u8) -> Option<Self> {
        match id {
            1 => Some(Self::KkChaChaPoly),
            _ => None,
        }
    }

    /// The Noise protocol name, which starts the transcript hash.
    pub const fn noise_name(self) -> &'static str {
        match self {
            Self::KkChaChaPoly => "Noise_KK_25519_ChaChaPoly_SHA256",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_round_trip_and_unknown_ids_have_no_suite() {
        for id in 0..=u8::MAX {
            match Suite::from_id(id) {
                Some(suite) => assert_eq!(suite.id(), id),
                None => assert_ne!(id, 1),
            }
        }
    }
}
