//! Credentials and status lists.

use didagent_didcomm::credential::{
    Bits, CredentialIn, MAX_STATUS_ENTRIES, MIN_STATUS_ENTRIES, StatusListIn,
};
use didagent_didcomm::did::OfflineResolver;
use didagent_didcomm::protocols::b64url_encode;

use crate::parties::{IDENTITY, NOW};
use crate::{Outcome, seeds};

/// A credential. One that verifies is by the only key that signs here, and counts now.
pub(crate) fn text(input: &[u8]) -> Outcome {
    let Ok(text) = std::str::from_utf8(input) else { return Outcome::Refused };
    let verified = CredentialIn::read(text).and_then(|read| read.verify(&OfflineResolver, NOW));
    if let Ok(credential) = &verified {
        let claims = credential.claims();
        assert_eq!(claims.issuer, seeds::identity_did());
        assert!(claims.valid_from.is_none_or(|from| from <= NOW));
        assert!(claims.valid_until.is_none_or(|until| NOW < until));
        assert!(!claims.subject.is_empty() && claims.status.len() <= 2);
        assert!(claims.types.iter().any(|one| one == "VerifiableCredential"));
    }
    Outcome::of(&verified)
}

/// Header and payload of a credential as JSON with a zero byte between, correctly encoded and signed by the fixed identity.
pub(crate) fn contents(input: &[u8]) -> Outcome {
    text(signed(input).as_bytes())
}

/// The same of a status list. One that verifies is of a size that a list may have.
pub(crate) fn status_list(input: &[u8]) -> Outcome {
    let verified =
        StatusListIn::read(&signed(input)).map(|read| read.verify(&OfflineResolver, NOW)).map_err(drop);
    if let Ok(Ok(list)) = &verified {
        assert_eq!(list.issuer(), seeds::identity_did());
        assert_bounded(list.bits());
    }
    Outcome::of(&verified.and_then(|verified| verified.map_err(drop)))
}

/// The compressed bits of a list, before their base64url.
pub(crate) fn status_bits(input: &[u8]) -> Outcome {
    let bits = Bits::expand(&format!("u{}", b64url_encode(input)));
    if let Ok(bits) = &bits {
        assert_bounded(bits);
    }
    Outcome::of(&bits)
}

fn assert_bounded(bits: &Bits) {
    assert!(bits.is_set(MIN_STATUS_ENTRIES - 1).is_some() && bits.is_set(MAX_STATUS_ENTRIES).is_none());
}

fn signed(input: &[u8]) -> String {
    let mut parts = input.splitn(2, |byte| *byte == 0);
    let (header, payload) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let signed = format!("{}.{}", b64url_encode(header), b64url_encode(payload));
    let signature = b64url_encode(IDENTITY.sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}
