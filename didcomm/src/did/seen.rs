//! Resolves short did:peer:4 whose long form was seen, and everything that needs nothing but the identifier.

use std::collections::VecDeque;

use super::{DidDocument, DidError, Resolver, peer4, resolve_offline};

/// Most long forms that are remembered; each takes at most 4 KiB. More people than a room has seats, many times over.
const MAX_SEEN: usize = 256;

/// Remembers the long forms of did:peer:4, at most 256, the oldest of which is forgotten first.
#[derive(Debug, Clone, Default)]
pub struct SeenResolver {
    long_forms: VecDeque<String>,
}

impl SeenResolver {
    /// Remembers `did` if it is a long did:peer:4 that resolves, and returns its short form.
    ///
    /// Whoever calls this has seen the long form in an authenticated message, or was given it by a person: a short form then
    /// says nothing that its hash does not.
    pub fn see(&mut self, did: &str) -> Option<String> {
        let short = peer4::short_form(did)?.to_owned();
        resolve_offline(did).ok()?;
        self.long_forms.retain(|known| known != did);
        if self.long_forms.len() == MAX_SEEN {
            self.long_forms.pop_front();
        }
        self.long_forms.push_back(did.to_owned());
        Some(short)
    }
}

impl Resolver for SeenResolver {
    fn document(&self, did: &str) -> Result<DidDocument, DidError> {
        match resolve_offline(did) {
            Err(DidError::NotFound) => {
                let long = self.long_forms.iter().find(|long| peer4::short_form(long) == Some(did));
                peer4::resolve_short(did, long.ok_or(DidError::NotFound)?)
            }
            resolved => resolved,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_SEEN, SeenResolver};
    use crate::did::{DidError, Resolver as _, key, peer4};

    /// Decides CN-63.
    #[test]
    fn a_short_form_resolves_once_the_long_one_was_seen() {
        let long = peer4::encode(&[1; 32], &[2; 32], None);
        let mut seen = SeenResolver::default();
        let short = peer4::short_form(&long).unwrap();
        assert_eq!(seen.document(short), Err(DidError::NotFound));
        assert_eq!(seen.see(&long).as_deref(), Some(short));
        let document = seen.document(short).unwrap();
        assert_eq!(document.id, short);
        assert_eq!(document.also_known_as, std::slice::from_ref(&long));
        assert_eq!(document.x25519(&format!("{short}#key-2")), Some([2; 32]));
        assert_eq!(document.x25519(&format!("{long}#key-2")), None, "that is a key of the other DID");
        assert_eq!(seen.document(&long).unwrap().also_known_as, [short.to_owned()]);
        assert!(seen.document(&key::encode_ed25519(&[1; 32])).is_ok());
    }

    /// Decides CN-63.
    #[test]
    fn only_so_many_are_remembered_and_only_good_ones() {
        let mut seen = SeenResolver::default();
        let long = |n: usize| peer4::encode(&[1; 32], &[u8::try_from(n % 251).unwrap(); 32], None);
        let first = long(0);
        seen.see(&first);
        let forged = first.replacen("zQm", "zQn", 1);
        assert_eq!(seen.see(&forged), None);
        assert_eq!(seen.see(peer4::short_form(&first).unwrap()), None);
        for n in 0..MAX_SEEN {
            let mut service_key = [0; 32];
            service_key[..8].copy_from_slice(&n.to_le_bytes());
            seen.see(&peer4::encode(&[9; 32], &service_key, None));
        }
        assert_eq!(seen.long_forms.len(), MAX_SEEN);
        assert_eq!(seen.document(peer4::short_form(&first).unwrap()), Err(DidError::NotFound));
    }
}
