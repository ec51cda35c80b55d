//! A party's long-term key set, and the DIDs that show it to others.
//!
//! Specification: decision record 0002. Two names come from one key set:
//!
//! * the **identity**, a `did:key` of the Ed25519 key, or a `did:web` whose document lists it: what contacts remember. It never
//!   changes with a mediator.
//! * a **connection DID**, a `did:peer:2` for each mediator: it carries both public keys and, as its service, the
//!   mediator that keeps this party's mail. A did:peer fixes its service for ever, so another mediator means another
//!   connection DID.
//!
//! A connection DID alone proves nothing about the identity, since anybody can put somebody's Ed25519 key beside an
//! X25519 key of their own. A signed link ([`didagent_didcomm::link`]) says that both belong together.
//!
//! Not its concern: where the key file is (`io::home`), who the contacts are (`contacts`).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use didagent_didcomm::Secrets;
use didagent_didcomm::credential::{self, Bits, Issue};
use didagent_didcomm::did::{did_of, key, peer2};
use didagent_didcomm::keys::{Ed25519Secret, X25519Secret};
use didagent_didcomm::link;
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Version of the identity file's layout.
const FILE_VERSION: u32 = 1;

/// Longest connection DID with two mediators, in bytes (RL-63): in a roster it stands twice, and a third time as base64 in the link,
/// so sixteen of them just fit. Two did:peer:2 of mediators take about 800.
const MAX_DID_OF_TWO: usize = 1200;

/// A party's long-term keys.
pub struct Identity {
    signing: Ed25519Secret,
    agreement: X25519Secret,
    did: String,
    /// The absolute id of the signing key.
    kid: String,
}

/// Why an identity file is not one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityFileError {
    /// Not JSON, or a member is missing.
    #[error("it is not a JSON object with the members v, ed25519 and x25519")]
    NotJson,
    /// Written by another version of the program.
    #[error("its layout has version {got}, this program reads version {FILE_VERSION}")]
    Version {
        /// The version in the file.
        got: u32,
    },
    /// A key is not 32 bytes of base64url.
    #[error("the key {name} is not 32 bytes of base64url")]
    Key {
        /// Which member.
        name: &'static str,
    },
}

#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
struct IdentityFile {
    v: u32,
    ed25519: String,
    x25519: String,
}

impl Identity {
    /// Makes a new key set.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self::from_keys(Ed25519Secret::generate(rng), X25519Secret::generate(rng))
    }

    /// Reads a key set from the bytes of an identity file.
    ///
    /// # Errors
    /// [`IdentityFileError`] says which part is wrong; the file is never repaired or replaced.
    pub fn from_file(bytes: &[u8]) -> Result<Self, IdentityFileError> {
        let file: IdentityFile = serde_json::from_slice(bytes).map_err(|_| IdentityFileError::NotJson)?;
        if file.v != FILE_VERSION {
            return Err(IdentityFileError::Version { got: file.v });
        }
        let key = |name, text: &str| {
            let bytes =
                Zeroizing::new(URL_SAFE_NO_PAD.decode(text).map_err(|_| IdentityFileError::Key { name })?);
            <[u8; 32]>::try_from(bytes.as_slice())
                .map(Zeroizing::new)
                .map_err(|_| IdentityFileError::Key { name })
        };
        let ed25519 = key("ed25519", &file.ed25519)?;
        let x25519 = key("x25519", &file.x25519)?;
        Ok(Self::from_keys(Ed25519Secret::from_bytes(&ed25519), X25519Secret::from_bytes(*x25519)))
    }

    /// Returns the bytes of an identity file. They are secret.
    pub fn to_file(&self) -> Zeroizing<Vec<u8>> {
        let file = IdentityFile {
            v: FILE_VERSION,
            ed25519: URL_SAFE_NO_PAD.encode(self.signing.expose_bytes()),
            x25519: URL_SAFE_NO_PAD.encode(self.agreement.expose_bytes()),
        };
        // Three short strings always serialise.
        Zeroizing::new(serde_json::to_vec_pretty(&file).unwrap_or_default())
    }

    fn from_keys(signing: Ed25519Secret, agreement: X25519Secret) -> Self {
        let did = key::encode_ed25519(&signing.public());
        Self { signing, agreement, kid: key::kid(&did), did }
    }

    /// The same keys under another name: the DID of `kid`, which is the absolute id of the signing key there.
    #[must_use]
    pub fn named(mut self, kid: &str) -> Self {
        (self.did, self.kid) = (did_of(kid).to_owned(), kid.to_owned());
        self
    }

    /// Returns the public key that verifies what this identity signs.
    pub fn public(&self) -> [u8; 32] {
        self.signing.public()
    }

    /// Returns the identity that contacts remember, a `did:key` or the did:web that it was [named](Self::named).
    pub fn did(&self) -> &str {
        &self.did
    }

    /// Returns the X25519 secret, the static key of every session handshake.
    pub fn agreement(&self) -> &X25519Secret {
        &self.agreement
    }

    /// Returns the connection DID whose mail the mediator with the DID `mediator` keeps. The same mediator always gives
    /// the same connection DID.
    pub fn connection(&self, mediator: &str) -> ConnectionDid {
        self.connection_at(mediator, None)
    }

    /// Returns the connection DID whose mail two mediators keep, the preferred one first (RL-64). The second is left out if the DID
    /// became too long for a roster of many parties.
    pub fn connection_at(&self, mediator: &str, second: Option<&str>) -> ConnectionDid {
        let service = |uri: &str| peer2::ServiceSpec {
            uri: uri.to_owned(),
            accept: vec!["didcomm/v2".to_owned()],
            routing_keys: Vec::new(),
        };
        let services: Vec<_> = [Some(mediator), second].into_iter().flatten().map(service).collect();
        let did = peer2::encode_with(&self.signing.public(), &self.agreement.public(), services.iter());
        if second.is_some() && did.len() > MAX_DID_OF_TWO {
            return self.connection_at(mediator, None);
        }
        ConnectionDid { kid: format!("{did}#key-2"), did, mediator: mediator.to_owned() }
    }

    /// Returns the connection DID at the first two of these mediators; an empty list is one without a name.
    pub fn connection_of(&self, mediators: &[String]) -> ConnectionDid {
        let mut mediators = mediators.iter().map(String::as_str);
        self.connection_at(mediators.next().unwrap_or_default(), mediators.next())
    }

    /// Signs that `connection` belongs to this identity; `now` in UTC seconds.
    pub fn link(&self, connection: &ConnectionDid, now: u64) -> String {
        link::sign_as(&self.signing, &self.kid, &connection.did, now)
    }

    /// Signs a credential as its issuer; `None` if a time is after the year 9999.
    pub fn issue(&self, what: &Issue<'_>) -> Option<String> {
        credential::issue(&self.signing, &self.kid, what)
    }

    /// Signs the list of revoked credentials that is published at `url`, for the time from `now` to `until`, in UTC seconds; `None` if
    /// one is after the year 9999.
    pub fn issue_status_list(&self, url: &str, bits: &Bits, now: u64, until: u64) -> Option<String> {
        credential::issue_status_list(&self.signing, &self.kid, url, bits, now, until)
    }

    /// Signs `message` with the Ed25519 key. The caller has put a label in front of it.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.signing.sign(message)
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("did", &self.did).finish_non_exhaustive()
    }
}

/// A connection DID of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionDid {
    /// The `did:peer:2`.
    pub did: String,
    /// The absolute id of its X25519 key, which is the Noise static key.
    pub kid: String,
    /// DID of the mediator in its first service.
    pub mediator: String,
}

/// The secrets of one connection DID, as the envelope asks for them.
#[derive(Debug)]
pub struct ConnectionSecrets<'a> {
    /// The key set.
    pub identity: &'a Identity,
    /// The connection DID whose key id is answered for.
    pub connection: &'a ConnectionDid,
}

impl Secrets for ConnectionSecrets<'_> {
    fn x25519(&self, kid: &str) -> Option<&X25519Secret> {
        (kid == self.connection.kid).then_some(&self.identity.agreement)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::test_rng;

    const MEDIATOR_1: &str = "did:peer:2.Ez6LSone";
    const MEDIATOR_2: &str = "did:peer:2.Ez6LStwo";

    #[test]
    fn file_round_trip_keeps_both_keys() {
        let identity = Identity::generate(&mut test_rng(1));
        let back = Identity::from_file(&identity.to_file()).unwrap();
        assert_eq!(back.did(), identity.did());
        assert_eq!(back.connection(MEDIATOR_1), identity.connection(MEDIATOR_1));
    }

    #[test]
    fn every_truncation_of_the_file_is_refused() {
        let file = Identity::generate(&mut test_rng(1)).to_file();
        for length in 0..file.len() {
            assert!(Identity::from_file(&file[..length]).is_err(), "accepted {length} bytes");
        }
    }

    /// Decides CN-02.
    #[test]
    fn another_mediator_changes_the_connection_and_not_the_identity() {
        let identity = Identity::generate(&mut test_rng(1));
        let (first, second) = (identity.connection(MEDIATOR_1), identity.connection(MEDIATOR_2));
        assert_ne!(first.did, second.did);
        let key = identity.did().strip_prefix("did:key:").unwrap();
        assert!([&first, &second].iter().all(|connection| connection.did.contains(&format!(".V{key}."))));
        for connection in [first, second] {
            let signed = identity.link(&connection, 1_700_000_000);
            let verified = link::verify(&signed, &connection.did).unwrap();
            assert_eq!(verified.identity, identity.did());
        }
    }

    /// Decides CN-02, RL-63.
    #[test]
    fn a_connection_at_two_mediators_names_both_unless_it_would_be_too_long() {
        let identity = Identity::generate(&mut test_rng(1));
        let both =
            identity.connection_of(&[MEDIATOR_1, MEDIATOR_2, "did:peer:2.Ez6LSthree"].map(str::to_owned));
        let document = didagent_didcomm::did::resolve_offline(&both.did).unwrap();
        let services: Vec<_> =
            document.services.iter().map(|one| (one.id.rsplit('#').next().unwrap(), &*one.uri)).collect();
        assert_eq!(services, [("service", MEDIATOR_1), ("service-1", MEDIATOR_2)]);
        assert_eq!(both.mediator, MEDIATOR_1);
        assert!(document.x25519(&both.kid).is_some());
        let long = format!("{MEDIATOR_2}{}", "x".repeat(MAX_DID_OF_TWO));
        assert_eq!(identity.connection_at(MEDIATOR_1, Some(&long)), identity.connection(MEDIATOR_1));
    }

    #[test]
    fn a_link_for_one_connection_is_refused_for_another() {
        let identity = Identity::generate(&mut test_rng(1));
        let signed = identity.link(&identity.connection(MEDIATOR_1), 1_700_000_000);
        assert!(link::verify(&signed, &identity.connection(MEDIATOR_2).did).is_err());
    }

    /// Decides SC-03.
    #[test]
    fn debug_shows_no_key() {
        let identity = Identity::generate(&mut test_rng(1));
        let shown = format!("{identity:?}");
        assert!(shown.ends_with("..  }") || shown.ends_with(".. }"), "{shown}");
        assert!(!shown.contains(&URL_SAFE_NO_PAD.encode(identity.signing.expose_bytes())));
    }
}
