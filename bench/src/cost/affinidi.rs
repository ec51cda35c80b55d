//! An authcrypt envelope by Affinidi's library, which resolves no DID: whoever calls it brings the keys.
//!
//! So its number lacks two resolutions that [`stateless`](crate::stateless) has; the message and the algorithms are the same.

use affinidi_messaging_didcomm::identity::PrivateIdentity;
use affinidi_messaging_didcomm::message::{pack, unpack};
use affinidi_messaging_didcomm::{Message, SenderKey, UnpackResult};

use crate::stateless::{NOW, TYPE, body, payload_of};

/// A sender and a recipient.
pub struct Pair {
    sender: PrivateIdentity,
    recipient: PrivateIdentity,
}

impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pair").finish_non_exhaustive()
    }
}

impl Pair {
    /// Two identities, under names as long as a did:peer:2 with two keys.
    pub fn generate() -> Self {
        let named = |mark: &str| {
            let keys = [mark; 50].concat();
            PrivateIdentity::generate(format!("did:peer:2.Vz{keys}.Ez{keys}"))
        };
        Self { sender: named("a"), recipient: named("b") }
    }

    /// Packs `payload`.
    ///
    /// # Panics
    /// If the library refuses.
    pub fn pack(&self, payload: &[u8]) -> String {
        let message = Message::build("b2f5c6a0", TYPE, body(payload))
            .from(self.sender.did.clone())
            .to(self.recipient.did.clone())
            .created_time(NOW)
            .expires_time(NOW + 60)
            .finalize();
        let (kid, public) = (&self.recipient.key_agreement_kid, self.recipient.public_key_agreement());
        let (sender, secret) = (&self.sender.key_agreement_kid, &self.sender.key_agreement_private);
        pack::pack_encrypted_authcrypt(&message, sender, secret, &[(kid, &public)]).expect("an envelope")
    }

    /// Unpacks and returns the payload.
    ///
    /// # Panics
    /// If the library refuses, or takes the message for another one than it is.
    pub fn unpack(&self, envelope: &str) -> Vec<u8> {
        let (sender, public) = (&self.sender.key_agreement_kid, self.sender.public_key_agreement());
        let (kid, secret) = (&self.recipient.key_agreement_kid, &self.recipient.key_agreement_private);
        let from = SenderKey::new(sender, &public);
        let unpacked = unpack::unpack_bound(envelope, Some(kid), Some(secret), Some(from), None);
        match unpacked.expect("an envelope for the recipient") {
            UnpackResult::Encrypted { message, authenticated: true, .. } => payload_of(&message.body),
            _ => panic!("the sender is not authenticated"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::payload;

    #[test]
    fn what_is_packed_unpacks_with_the_algorithms_of_the_others() {
        let pair = Pair::generate();
        let envelope = pair.pack(&payload(64));
        assert_eq!(pair.unpack(&envelope), payload(64));
        let jwe: Value = serde_json::from_str(&envelope).unwrap();
        let protected = jwe["protected"].as_str().unwrap();
        let protected = didagent_didcomm::protocols::b64url_decode(protected).unwrap();
        let protected: Value = serde_json::from_slice(&protected).unwrap();
        assert_eq!(
            (&protected["alg"], &protected["enc"]),
            (&"ECDH-1PU+A256KW".into(), &"A256CBC-HS512".into())
        );
    }
}
