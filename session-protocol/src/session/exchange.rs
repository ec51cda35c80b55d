//! The Diffie-Hellman exchange that begins an epoch, in the hybrid suites with ML-KEM-768 beside it. Specification:
//! `spec/session.md`, section 9.
//!
//! ```text
//! initiator                                          responder
//! Offer::new ──── RATCHET{i+1, e_I, ek} ──────────▶  answer
//! Offer::finish ◀─────── RATCHET_ACK{i+1, e_R, ct} ─
//! ```
//!
//! Not its concern: whether the epoch and the time fit, and what the secrets of the epoch are.

use rand_core::CryptoRng;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::{
    StaticPublic, StaticSecret, Suite,
    frame::Frame,
    kem::{DecapsulationKey, EncapsulationKey, SharedSecret},
    keys::NonContributory,
    noise::NoiseError,
};

/// What an exchange gives to the key schedule.
pub(super) struct Agreed {
    pub(super) ikm: Zeroizing<Vec<u8>>,
    pub(super) context: [u8; 32],
}

impl Agreed {
    /// `shared || ss` with the context of the exchange.
    pub(super) fn new(shared: &[u8], ss: Option<&SharedSecret>, context: [u8; 32]) -> Self {
        // With its final capacity from the start: growing would leave a copy behind.
        let mut ikm = Zeroizing::new(Vec::with_capacity(64));
        ikm.extend_from_slice(shared);
        ikm.extend_from_slice(ss.map_or(&[], |ss| ss.expose()));
        Self { ikm, context }
    }
}

/// A key that no honest peer sends.
#[derive(Debug)]
pub(super) struct Refused;

impl From<NonContributory> for Refused {
    fn from(_: NonContributory) -> Self {
        Self
    }
}

impl From<NoiseError> for Refused {
    fn from(_: NoiseError) -> Self {
        Self
    }
}

/// The initiator between RATCHET and RATCHET_ACK.
pub(super) struct Offer {
    epoch: u32,
    ephemeral: StaticSecret,
    /// In the hybrid suites.
    kem: Option<DecapsulationKey>,
    /// The RATCHET frame, which the context covers.
    frame: Vec<u8>,
}

impl Offer {
    /// Fresh keys for an epoch.
    pub(super) fn new(suite: Suite, epoch: u32, rng: &mut impl CryptoRng) -> Self {
        let ephemeral = StaticSecret::generate(rng);
        let kem = suite.is_post_quantum().then(|| DecapsulationKey::generate(rng));
        let ek = kem.as_ref().map(|kem| kem.public());
        let ek: &[u8] = ek.as_ref().map_or(&[], |ek| ek);
        let frame = encode(&Frame::Ratchet { epoch, e: ephemeral.public().as_bytes(), kem: ek });
        Self { epoch, ephemeral, kem, frame }
    }

    pub(super) fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The frame to seal.
    pub(super) fn frame(&self) -> &[u8] {
        &self.frame
    }

    #[cfg(all(test, target_os = "linux"))]
    pub(super) fn ephemeral_bytes(&self) -> [u8; 32] {
        self.ephemeral.bytes()
    }

    /// Takes the answer, whose epoch the caller compared.
    pub(super) fn finish(&self, e: &[u8; 32], ct: &[u8]) -> Result<Agreed, Refused> {
        let ss = match &self.kem {
            Some(kem) => Some(kem.decapsulate(ct.try_into().map_err(|_| Refused)?)),
            None if ct.is_empty() => None,
            None => return Err(Refused),
        };
        let shared = self.ephemeral.diffie_hellman(&StaticPublic::from_bytes(*e))?;
        let ack = encode(&Frame::RatchetAck { epoch: self.epoch, e, kem: ct });
        Ok(agreed(&shared, ss.as_ref(), &self.frame, &ack))
    }
}

/// Answers a RATCHET whose epoch the caller compared; returns the RATCHET_ACK frame. Our ephemeral key ends here.
pub(super) fn answer(
    suite: Suite,
    epoch: u32,
    e: &[u8; 32],
    ek: &[u8],
    rng: &mut impl CryptoRng,
) -> Result<(Vec<u8>, Agreed), Refused> {
    let ephemeral = StaticSecret::generate(rng);
    let shared = ephemeral.diffie_hellman(&StaticPublic::from_bytes(*e))?;
    let (ct, ss) = match suite.is_post_quantum() {
        true => Some(EncapsulationKey::decode(ek)?.encapsulate(rng)).unzip(),
        false if ek.is_empty() => (None, None),
        false => return Err(Refused),
    };
    let ct: &[u8] = ct.as_ref().map_or(&[], |ct| ct);
    let ack = encode(&Frame::RatchetAck { epoch, e: ephemeral.public().as_bytes(), kem: ct });
    let agreed = agreed(&shared, ss.as_ref(), &encode(&Frame::Ratchet { epoch, e, kem: ek }), &ack);
    Ok((ack, agreed))
}

/// `IKM = DH || ss` and `context = SHA-256(RATCHET frame || RATCHET_ACK frame)`. Decoding is strict, so encoding again gives
/// the bytes sealed.
fn agreed(shared: &[u8; 32], ss: Option<&SharedSecret>, ratchet: &[u8], ack: &[u8]) -> Agreed {
    let context = Sha256::new().chain_update(ratchet).chain_update(ack).finalize().into();
    Agreed::new(shared, ss, context)
}

fn encode(frame: &Frame<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(frame.encoded_len());
    frame.encode(&mut out);
    out
}
