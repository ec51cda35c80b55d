//! did:peer:0: one key, as in a did:key.
//!
//! Peer DID Method Specification, method 0. Read only: whoever makes a DID here makes a did:key. The key's id is the multikey
//! without its `z`; the whole multikey is understood too.

use super::{DidDocument, DidError, VerificationMethod, multikey};

pub(super) const PREFIX: &str = "did:peer:0";

pub(super) fn resolve(did: &str) -> Result<DidDocument, DidError> {
    let multibase = did.strip_prefix(PREFIX).ok_or(DidError::malformed("not a did:peer:0"))?;
    let key = multikey::decode(multibase)?;
    let name = multibase.strip_prefix('z').unwrap_or_default();
    let id = format!("{did}#{name}");
    let mut document = DidDocument::new(did);
    document.list_for_all_uses(&id, &key);
    document.verification_methods.push(VerificationMethod {
        id,
        alias: Some(format!("{did}#{multibase}")),
        key,
    });
    Ok(document)
}

#[cfg(test)]
mod tests {
    use crate::did::resolve_offline;

    // The keys of the method's examples.
    const ED25519: &str = "did:peer:0z6Mkj3PUd1WjvaDhNZhhhXQdz5UnZXmS7ehtx8bsPpD47kKc";
    const X25519: &str = "did:peer:0z6LSg8zQom395jKLrGiBNruB9MM6V8PWuf2FpEy4uRFiqQBR";

    /// Decides CN-62.
    #[test]
    fn resolves_one_key_for_what_it_can_do() {
        let document = resolve_offline(ED25519).unwrap();
        let fragment = ED25519.strip_prefix("did:peer:0z").unwrap();
        assert_eq!(document.authentication, [format!("{ED25519}#{fragment}")]);
        assert!(document.ed25519(&format!("{ED25519}#z{fragment}")).is_some());
        assert!(document.key_agreement.is_empty());
        let document = resolve_offline(X25519).unwrap();
        assert_eq!((document.key_agreement.len(), document.authentication.len()), (1, 0));
    }

    /// Decides CN-62.
    #[test]
    fn refuses_each_truncation_and_extension() {
        for end in 0..ED25519.len() {
            assert!(resolve_offline(&ED25519[..end]).is_err(), "{end}");
        }
        for tail in ["1", "#", ".", "0"] {
            assert!(resolve_offline(&format!("{ED25519}{tail}")).is_err(), "{tail}");
        }
    }
}
