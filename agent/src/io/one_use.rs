//! Where an identity that is made for one room is kept: in the home, for as long as the room may be waited in.
//!
//! Specification: `spec/connect.md`, CN-80 and CN-82. A guest that is killed while it waits and started again must come with the same
//! keys, or its seat is somebody else's. When its room is over, so is the identity; and at the latest when the invitation is.
//!
//! ```text
//! join --new-did --> kept for this invitation? --yes--> the same again
//!                                              \-no---> a new one, written before anybody sees it
//! left, or the run is over --> forget          the invitation's time is over --> forget at the next start
//! ```
//!
//! There is one at a time, as there is one engine. A host's is in memory alone: its room ends with it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::core::identity::Identity;
use crate::core::invite::Invitation;
use crate::failure::{Failure, Kind};
use crate::io::SystemRng;
use crate::io::home::Home;

/// The file in the home.
const FILE: &str = "one-use.json";

/// How long one is kept for an invitation that says nothing of its end, in seconds.
const WITHOUT_END: u64 = 24 * 3600;

#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
struct Kept {
    /// The invitation hash.
    invitation: String,
    /// UTC seconds.
    until: u64,
    /// An identity file.
    identity: String,
}

/// Returns the identity for the room of this invitation, or of a room of our own, and whether it is one that was made before.
///
/// # Errors
/// [`Kind::HomeUnusable`] when it cannot be kept.
pub(crate) fn identity_for(
    home: &Home,
    invitation: Option<&Invitation>,
    now: u64,
    rng: &mut SystemRng,
) -> Result<(Identity, bool), Failure> {
    let Some(invitation) = invitation else { return Ok((Identity::generate(rng), false)) };
    let hash = URL_SAFE_NO_PAD.encode(invitation.hash());
    let same = kept(home).filter(|kept| kept.invitation == hash && kept.until > now);
    if let Some(identity) = same.and_then(|kept| Identity::from_file(kept.identity.as_bytes()).ok()) {
        return Ok((identity, true));
    }
    let identity = Identity::generate(rng);
    let file = identity.to_file();
    let kept = Kept {
        invitation: hash,
        until: invitation.expires().unwrap_or_else(|| now.saturating_add(WITHOUT_END)),
        identity: String::from_utf8_lossy(&file).into_owned(),
    };
    let bytes = serde_json::to_vec(&kept)
        .map(Zeroizing::new)
        .map_err(|error| Failure::new(Kind::Other, format!("{FILE} cannot be written as JSON: {error}")))?;
    home.write_secret(FILE, &bytes)?;
    Ok((identity, false))
}

/// Forgets it: its room is over for us.
///
/// # Errors
/// [`Kind::HomeUnusable`] when it is still there.
pub(crate) fn forget(home: &Home) -> Result<(), Failure> {
    home.remove(FILE)
}

/// Forgets one that no room can want any more.
///
/// # Errors
/// As [`forget`].
pub(crate) fn forget_old(home: &Home, now: u64) -> Result<(), Failure> {
    match kept(home) {
        Some(kept) if kept.until > now => Ok(()),
        _ => forget(home),
    }
}

/// Reads what is kept. One that is damaged, or that others may have read, is as good as none.
fn kept(home: &Home) -> Option<Kept> {
    serde_json::from_slice(&home.read_secret(FILE).ok()??).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::invite::tests::{NOW, mediator};

    fn invitation(seed: u8) -> Invitation {
        let mut rng = crate::core::test_rng(seed);
        let host = Identity::generate(&mut rng).connection(&mediator());
        Invitation::create(&host, "MPyC", NOW, NOW + 60, &mut rng).unwrap()
    }

    /// Decides CN-80, CN-82.
    #[test]
    fn an_identity_stays_for_its_invitation_and_for_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(Some(folder.path().join("home"))).unwrap();
        let mut rng = crate::io::system_rng().unwrap();
        let mut made = |invitation: Option<&Invitation>, now| {
            let (identity, again) = identity_for(&home, invitation, now, &mut rng).unwrap();
            (identity.did().to_owned(), identity.connection("did:m").did, again)
        };
        let (one, other) = (invitation(1), invitation(2));
        let first = made(Some(&one), NOW);
        assert!(!first.2);
        assert_eq!(made(Some(&one), NOW + 59), (first.0.clone(), first.1.clone(), true));
        // At its end it is no longer given out.
        let late = made(Some(&one), NOW + 60);
        assert!(!late.2 && late.0 != first.0 && late.1 != first.1);
        let second = made(Some(&other), NOW);
        assert!(!second.2 && second.0 != first.0);
        assert!(!made(Some(&one), NOW).2, "there is one at a time");
        let hosts = [made(None, NOW), made(None, NOW)];
        assert!(hosts[0].0 != hosts[1].0 && !hosts[1].2);
        forget(&home).unwrap();
        forget(&home).unwrap();
        assert!(!made(Some(&one), NOW).2);
        forget_old(&home, NOW + 59).unwrap();
        assert!(made(Some(&one), NOW).2);
        forget_old(&home, NOW + 60).unwrap();
        assert!(!folder.path().join("home").join(FILE).exists());
    }

    /// Decides CN-82, SC-03.
    #[cfg(unix)]
    #[test]
    fn what_others_may_read_or_is_damaged_is_not_used_again() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("home");
        let home = Home::at(Some(path.clone())).unwrap();
        let mut rng = crate::io::system_rng().unwrap();
        let mut is_again = || identity_for(&home, Some(&invitation(1)), NOW, &mut rng).unwrap().1;
        let mode = || std::fs::metadata(path.join(FILE)).unwrap().permissions().mode() & 0o777;
        assert!(!is_again());
        assert_eq!(mode(), 0o600);
        std::fs::set_permissions(path.join(FILE), std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(!is_again());
        assert_eq!(mode(), 0o600);
        let whole = std::fs::read(path.join(FILE)).unwrap();
        for length in 0..whole.len() {
            std::fs::write(path.join(FILE), &whole[..length]).unwrap();
            assert!(kept(&home).is_none(), "{length} bytes");
        }
        assert!(!is_again());
        assert!(is_again());
    }
}
