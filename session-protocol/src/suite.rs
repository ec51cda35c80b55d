//! The cipher suites. Specification: `spec/handshake.md`, section 1.

use crate::aead::Cipher;

/// A Noise protocol and the record protection that goes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Suite {
    /// Suite 1, `Noise_KK_25519_ChaChaPoly_SHA256`: every implementation has it.
    KkChaChaPoly,
    /// Suite 2, `Noise_KK_25519_AESGCM_SHA256`: faster where both ends have AES instructions.
    KkAesGcm,
    /// Suite 3, `Noise_KKhfs_25519+MLKEM768_ChaChaPoly_SHA256`: suite 1 as a post-quantum hybrid.
    KkHfsChaChaPoly,
    /// Suite 4, `Noise_KKhfs_25519+MLKEM768_AESGCM_SHA256`: suite 2 as a post-quantum hybrid.
    KkHfsAesGcm,
}

impl Suite {
    /// Every suite of this implementation, by id.
    pub const ALL: [Self; 4] = [Self::KkChaChaPoly, Self::KkAesGcm, Self::KkHfsChaChaPoly, Self::KkHfsAesGcm];

    /// The suite's one-byte id, as it stands in an offer.
    pub const fn id(self) -> u8 {
        match self {
            Self::KkChaChaPoly => 1,
            Self::KkAesGcm => 2,
            Self::KkHfsChaChaPoly => 3,
            Self::KkHfsAesGcm => 4,
        }
    }

    /// The suite with this id, if this implementation has it.
    pub const fn from_id(id: u8) -> Option<Self> {
        match id {
            1 => Some(Self::KkChaChaPoly),
            2 => Some(Self::KkAesGcm),
            3 => Some(Self::KkHfsChaChaPoly),
            4 => Some(Self::KkHfsAesGcm),
            _ => None,
        }
    }

    /// The Noise protocol name, which starts the transcript hash.
    pub const fn noise_name(self) -> &'static str {
        match self {
            Self::KkChaChaPoly => "Noise_KK_25519_ChaChaPoly_SHA256",
            Self::KkAesGcm => "Noise_KK_25519_AESGCM_SHA256",
            Self::KkHfsChaChaPoly => "Noise_KKhfs_25519+MLKEM768_ChaChaPoly_SHA256",
            Self::KkHfsAesGcm => "Noise_KKhfs_25519+MLKEM768_AESGCM_SHA256",
        }
    }

    /// Whether what is recorded of it today stays secret from a quantum computer of tomorrow.
    pub const fn is_post_quantum(self) -> bool {
        match self {
            Self::KkChaChaPoly | Self::KkAesGcm => false,
            Self::KkHfsChaChaPoly | Self::KkHfsAesGcm => true,
        }
    }

    /// What protects the payloads of its handshake and its records.
    pub(crate) const fn cipher(self) -> Cipher {
        match self {
            Self::KkChaChaPoly | Self::KkHfsChaChaPoly => Cipher::ChaChaPoly,
            Self::KkAesGcm | Self::KkHfsAesGcm => Cipher::AesGcm,
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
                None => assert!(!(1..=4).contains(&id)),
            }
        }
        assert_eq!(Suite::ALL.map(Suite::id), [1, 2, 3, 4]);
    }

    /// The name tells what the suite is made of.
    #[test]
    fn names_say_what_the_suites_are() {
        for suite in Suite::ALL {
            let name = suite.noise_name();
            assert_eq!(name.contains("KKhfs_25519+MLKEM768_"), suite.is_post_quantum());
            assert_eq!(name.contains("KK_25519_"), !suite.is_post_quantum());
            assert_eq!(name.ends_with("_AESGCM_SHA256"), suite.cipher() == Cipher::AesGcm);
            assert_eq!(name.ends_with("_ChaChaPoly_SHA256"), suite.cipher() == Cipher::ChaChaPoly);
        }
    }
}
