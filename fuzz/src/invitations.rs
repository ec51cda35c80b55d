//! Invitations, as text that a person pasted and as bytes.

use didagent_didcomm::protocols::out_of_band::{Invitation, InvitationError, MAX_INVITATION};

use crate::Outcome;

/// A link. What it contains, written as a link again, is the same invitation.
pub(crate) fn url(input: &[u8]) -> Outcome {
    let Ok(text) = std::str::from_utf8(input) else { return Outcome::Refused };
    let invitation = Invitation::from_url(text);
    if let Ok(invitation) = &invitation {
        survives_its_link(invitation);
    }
    Outcome::of(&invitation)
}

/// The JSON. The bytes stay as they were, and go through a link unchanged.
pub(crate) fn bytes(input: &[u8]) -> Outcome {
    let invitation = Invitation::from_bytes(input.to_vec());
    if let Ok(invitation) = &invitation {
        assert_eq!(invitation.bytes(), input);
        survives_its_link(invitation);
    }
    Outcome::of(&invitation)
}

fn survives_its_link(invitation: &Invitation) {
    assert!(!invitation.id().is_empty() && invitation.from().starts_with("did:"));
    match invitation.to_url("https://example.org/i?x=1") {
        Ok(link) => {
            assert!(link.len() <= MAX_INVITATION);
            assert_eq!(Invitation::from_url(&link).as_ref(), Ok(invitation));
        }
        Err(error) => assert!(matches!(error, InvitationError::TooLarge { .. }), "{error:?}"),
    }
}
