//! What a short link led to, kept in the home until the roster stands.
//!
//! Specification: `spec/invite.md`, IV-15. A link for one use leads nowhere a second time, and a guest that is started again, since it
//! was killed or its program was put right, has its seat still (RM-12): so it must find the room again by itself.
//!
//! Not its concern: how a link is fetched (`io::links`), what is in an invitation (`core::invite`).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use didagent_didcomm::short_link::ShortLink;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::core::invite::Invitation;
use crate::failure::Failure;
use crate::io::home::Home;

/// The file in the home.
const FILE: &str = "invitation.json";

#[derive(Serialize, Deserialize)]
struct Kept {
    link: String,
    invitation: String,
}

/// A link by which its invitation is found again; it tells nothing of the link's secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key(String);

impl Key {
    /// Returns the key of a link, its secret included.
    pub(crate) fn of(link: &ShortLink) -> Self {
        Self(URL_SAFE_NO_PAD.encode(Sha256::digest(link.text())))
    }
}

/// Keeps the invitation, in place of the one before.
///
/// # Errors
/// [`Kind::HomeUnusable`](crate::failure::Kind::HomeUnusable) when it cannot be kept.
pub(crate) fn keep(home: &Home, key: &Key, invitation: &Invitation) -> Result<(), Failure> {
    let invitation = URL_SAFE_NO_PAD.encode(invitation.bytes());
    home.write_json(FILE, &Kept { link: key.0.clone(), invitation })
}

/// Returns the bytes of the invitation that this link led to; a file that is damaged is as good as none.
pub(crate) fn find(home: &Home, key: &Key) -> Option<Vec<u8>> {
    let kept: Kept = home.read_json(FILE).ok().flatten()?;
    if kept.link != key.0 {
        return None;
    }
    URL_SAFE_NO_PAD.decode(kept.invitation).ok()
}

/// Forgets it: the room takes nobody any more.
///
/// # Errors
/// [`Kind::HomeUnusable`](crate::failure::Kind::HomeUnusable) when it is still there.
pub(crate) fn forget(home: &Home) -> Result<(), Failure> {
    home.remove(FILE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::identity::Identity;
    use crate::core::invite::tests::{NOW, mediator};
    use crate::core::test_rng;

    /// Decides IV-15.
    #[test]
    fn an_invitation_is_found_by_all_of_its_link_until_it_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(Some(folder.path().join("home"))).unwrap();
        let host = Identity::generate(&mut test_rng(1)).connection(&mediator());
        let invitation = Invitation::create(&host, "MPyC", NOW, NOW + 60, &mut test_rng(2)).unwrap();
        let link = |seed| {
            let base = "https://mediator.example/";
            Key::of(&ShortLink::seal(invitation.bytes(), base, &mut test_rng(seed)).unwrap().link)
        };
        let (ours, other) = (link(3), link(4));
        assert_eq!(find(&home, &ours), None);
        keep(&home, &ours, &invitation).unwrap();
        assert_eq!(find(&home, &ours).as_deref(), Some(invitation.bytes()));
        assert_eq!(find(&home, &other), None);
        forget(&home).unwrap();
        forget(&home).unwrap();
        assert_eq!(find(&home, &ours), None);
        keep(&home, &ours, &invitation).unwrap();
        let file = folder.path().join("home").join(FILE);
        let whole = std::fs::read(&file).unwrap();
        for end in 0..whole.len() {
            std::fs::write(&file, &whole[..end]).unwrap();
            assert_ne!(find(&home, &ours).as_deref(), Some(invitation.bytes()), "{end} bytes");
        }
    }
}
