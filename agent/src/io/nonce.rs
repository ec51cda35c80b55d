//! The nonce of a guest that may be started again while it waits (RM-44).
//!
//! A guest that is killed in the lobby and joins again has its seat still, with the commitment of before. So its nonce is in the
//! home until the roster stands, and is gone before anybody can be shown it: a nonce that somebody knows would let a host choose
//! a second roster with the same words.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::core::room::Nonce;
use crate::failure::Failure;
use crate::io::SystemRng;
use crate::io::home::Home;

/// The file in the home.
const FILE: &str = "nonce.json";

#[derive(Serialize, Deserialize)]
struct Kept {
    /// The invitation hash.
    invitation: String,
    /// As whom: what commits to a nonce is seen by the host, so the same one would tie two identities together (CN-80).
    #[serde(default)]
    identity: String,
    nonce: String,
}

/// Returns the nonce for the room of an invitation, entered as `identity`: the one that was drawn for both before, unless it may
/// have been shown.
///
/// # Errors
/// [`Kind::HomeUnusable`](crate::failure::Kind::HomeUnusable) when it cannot be kept.
pub(crate) fn nonce_for(
    home: &Home,
    invitation: &[u8; 32],
    identity: &str,
    rng: &mut SystemRng,
) -> Result<Nonce, Failure> {
    let invitation = URL_SAFE_NO_PAD.encode(invitation);
    // One that is damaged is as good as none.
    let kept: Option<Kept> = home.read_json(FILE).ok().flatten();
    let nonce = kept.filter(|kept| kept.invitation == invitation && kept.identity == identity);
    let nonce = nonce.and_then(|kept| URL_SAFE_NO_PAD.decode(kept.nonce).ok()?.try_into().ok());
    if let Some(nonce) = nonce {
        return Ok(Nonce::from_bytes(nonce));
    }
    let nonce = Nonce::random(rng);
    let identity = identity.to_owned();
    let kept = Kept { invitation, identity, nonce: URL_SAFE_NO_PAD.encode(nonce.bytes()) };
    home.write_json(FILE, &kept)?;
    Ok(nonce)
}

/// Forgets it: from now on it may be shown.
///
/// # Errors
/// [`Kind::HomeUnusable`](crate::failure::Kind::HomeUnusable) when it is still there.
pub(crate) fn forget(home: &Home) -> Result<(), Failure> {
    home.remove(FILE)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decides RM-44, CN-80.
    #[test]
    fn a_nonce_stays_for_its_invitation_until_it_may_be_shown() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(Some(folder.path().join("home"))).unwrap();
        let mut rng = crate::io::system_rng().unwrap();
        let mut next_as =
            |invitation, did: &str| *nonce_for(&home, &[invitation; 32], did, &mut rng).unwrap().bytes();
        let own = next_as(1, "did:key:own");
        assert_eq!(next_as(1, "did:key:own"), own);
        assert_ne!(next_as(1, "did:key:one-use"), own, "as somebody else in the same room");
        let mut next = |invitation| next_as(invitation, "did:key:a");
        let first = next(1);
        assert_eq!(next(1), first);
        let other = next(2);
        assert_ne!(other, first);
        forget(&home).unwrap();
        forget(&home).unwrap();
        let fresh = next(2);
        assert_ne!(fresh, other);
        std::fs::write(folder.path().join("home").join(FILE), "{\"nonce\": ").unwrap();
        assert_ne!(next(2), fresh);
    }
}
