//! The symmetric ratchet: one message key per record. Specification: `spec/session.md`, section 6.
//!
//! `mk_n = HMAC-SHA256(ck_n, 0x01)`, `ck_{n+1} = HMAC-SHA256(ck_n, 0x02)`. Whoever takes the state learns nothing about
//! records already processed, because `ck_n` is gone once `ck_{n+1}` replaced it.
//!
//! The same chain key gives the guard of a short record, from what is sealed in it: section 5, rule SE-17.

use crate::{hmac256::HmacKey, labels, secret::secret};

secret! {
    /// `ck_n`: the state of one direction's chain.
    ChainKey
}

secret! {
    /// `mk_n`: the AEAD key of one record.
    MessageKey
}

/// What one chain key leads to. `ck_n` itself stays where it is until the caller replaces it, so a record that does not
/// authenticate costs nothing.
pub(crate) struct Step(HmacKey);

impl ChainKey {
    /// A second copy, for who keeps the first where a move would leave its bytes behind.
    pub(crate) fn duplicate(&self) -> Self {
        Self(*self.expose())
    }

    /// One step: the key of the next record and the chain after it.
    pub(crate) fn step(&self) -> (MessageKey, ChainKey) {
        self.prepare().keys()
    }

    /// The same, and the guard, in parts.
    #[inline]
    pub(crate) fn prepare(&self) -> Step {
        Step(HmacKey::new(self.expose()))
    }
}

impl Step {
    /// The key of the record, and the chain key after it.
    #[inline]
    pub(crate) fn keys(&mut self) -> (MessageKey, ChainKey) {
        let mut next = ChainKey::filled(|_| ());
        let labels = [labels::STEP_MESSAGE, labels::STEP_CHAIN];
        let message = MessageKey::filled(|key| next.write(|next| self.0.macs_of_bytes(labels, [key, next])));
        (message, next)
    }

    /// The guard of a record with these frames; `header` is what the record's header says beside the guard.
    pub(crate) fn guard(&mut self, kind: u8, header: [u8; 8], frames: &[u8]) -> [u8; 4] {
        let [a, b, c, d, e, f, g, h] = header;
        let label = [labels::STEP_GUARD, kind, a, b, c, d, e, f, g, h];
        let mut mac = [0; 32];
        self.0.mac(&label, frames, &mut mac);
        let [g0, g1, g2, g3, ..] = mac;
        [g0, g1, g2, g3]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decides SE-12.
    #[test]
    fn a_step_leaves_its_chain_key_and_gives_two_unrelated_keys() {
        let chain = ChainKey::take(&mut [3; 32]);
        let (message, next) = chain.step();
        let (again, next_again) = chain.step();
        assert_eq!(message.expose(), again.expose());
        assert_eq!(next.expose(), next_again.expose());
        assert_ne!(message.expose(), next.expose());
        assert_ne!(next.expose(), chain.expose());
    }

    /// The words of the specification, by another implementation of HMAC.
    #[test]
    fn keys_and_guard_are_those_of_the_specification() {
        use hmac::{Hmac, KeyInit, Mac};
        let hmac = |input: &[u8]| -> [u8; 32] {
            let mut hmac: Hmac<sha2::Sha256> = Hmac::new_from_slice(&[3; 32]).unwrap();
            hmac.update(input);
            hmac.finalize().into_bytes().into()
        };
        let mut step = ChainKey::take(&mut [3; 32]).prepare();
        let (message, next) = step.keys();
        assert_eq!(message.expose(), &hmac(&[1]));
        assert_eq!(next.expose(), &hmac(&[2]));
        let input = [&[3, 0x10, 5, 6, 0, 0, 0, 0, 0, 9][..], &[0xaa; 100]].concat();
        assert_eq!(step.guard(0x10, [5, 6, 0, 0, 0, 0, 0, 9], &[0xaa; 100]), hmac(&input)[..4]);
    }
}
