//! The key schedule of epoch 0. Specification: `spec/session.md`, section 1.
//!
//! `PRK_0 = HKDF-Extract(salt = h, k1 || k2)`, and every secret is `HKDF-Expand(PRK_0, label || h, 32)`. PRK_0, `k1` and `k2`
//! are gone when [`derive`] returns.

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

use crate::{
    aead::Cipher, labels, mask::HeaderKey, noise::SplitKey, ratchet::ChainKey, secret::secret, wire::count,
};

secret! {
    /// `exporter`: the source of keys for other protocols.
    ExporterSecret
}

/// The secrets of one direction.
pub(crate) struct Direction {
    pub(crate) chain: ChainKey,
    pub(crate) header: HeaderKey,
    pub(crate) cipher: Cipher,
}

/// What epoch 0 starts with.
pub(crate) struct EpochZero {
    pub(crate) sid: [u8; 32],
    pub(crate) initiator_to_responder: Direction,
    pub(crate) responder_to_initiator: Direction,
    pub(crate) exporter: ExporterSecret,
}

/// Derives epoch 0 from the end of the handshake; `hash` is the transcript hash `h`, `cipher` that of its suite.
pub(crate) fn derive(cipher: Cipher, hash: &[u8; 32], k1: SplitKey, k2: SplitKey) -> EpochZero {
    let mut input = Zeroizing::new([0; 64]);
    input.iter_mut().zip(k1.expose().iter().chain(k2.expose())).for_each(|(to, from)| *to = *from);
    let (mut prk, hkdf) = Hkdf::<Sha256>::extract(Some(hash), input.as_slice());
    prk.as_mut_slice().zeroize();
    let expand = |label: &[u8]| {
        let mut out = [0; 32];
        #[expect(clippy::expect_used, reason = "32 bytes are below the 8160 that HKDF-SHA256 can give")]
        hkdf.expand_multi_info(&[label, hash], &mut out).expect("32 is a valid length");
        out
    };
    EpochZero {
        sid: expand(labels::SID),
        initiator_to_responder: Direction {
            chain: ChainKey::take(&mut expand(labels::CHAIN_I2R)),
            header: HeaderKey::take(cipher, &mut expand(labels::HEADER_I2R)),
            cipher,
        },
        responder_to_initiator: Direction {
            chain: ChainKey::take(&mut expand(labels::CHAIN_R2I)),
            header: HeaderKey::take(cipher, &mut expand(labels::HEADER_R2I)),
            cipher,
        },
        exporter: ExporterSecret::take(&mut expand(labels::EXPORTER)),
    }
}

impl ExporterSecret {
    /// `HKDF-Expand(exporter, LP(label) || LP(context), out.len())`; false if that is longer than HKDF can give.
    pub(crate) fn export(&self, label: &[u8], context: &[u8], out: &mut [u8]) -> bool {
        let (Ok(label_length), Ok(context_length)) =
            (u32::try_from(count(label.len())), u32::try_from(count(context.len())))
        else {
            return false;
        };
        let info = [&label_length.to_be_bytes()[..], label, &context_length.to_be_bytes(), context];
        Hkdf::<Sha256>::from_prk(self.expose()).is_ok_and(|hkdf| hkdf.expand_multi_info(&info, out).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> EpochZero {
        derive(Cipher::ChaChaPoly, &[1; 32], SplitKey::take(&mut [2; 32]), SplitKey::take(&mut [3; 32]))
    }

    #[test]
    fn se_01_every_secret_is_another_one() {
        let epoch = example();
        let all = [
            &epoch.sid,
            epoch.initiator_to_responder.chain.expose(),
            epoch.initiator_to_responder.header.expose(),
            epoch.responder_to_initiator.chain.expose(),
            epoch.responder_to_initiator.header.expose(),
            epoch.exporter.expose(),
        ];
        for (i, secret) in all.iter().enumerate() {
            assert!(all.iter().skip(i + 1).all(|other| other != secret));
        }
    }

    /// The schedule written out with the plain RFC 5869 calls.
    #[test]
    fn se_01_is_extract_then_expand_with_label_and_hash() {
        let hkdf = Hkdf::<Sha256>::new(Some(&[1; 32]), &[[2; 32], [3; 32]].concat());
        let mut sid = [0; 32];
        hkdf.expand(&[&b"didagent-session/1 sid"[..], &[1; 32]].concat(), &mut sid).unwrap();
        assert_eq!(example().sid, sid);
    }

    #[test]
    fn se_03_exports_differ_by_label_context_and_border() {
        let exporter = example().exporter;
        let export = |label: &[u8], context: &[u8]| {
            let mut out = [0; 48];
            assert!(exporter.export(label, context, &mut out));
            out
        };
        assert_eq!(export(b"ab", b"c"), export(b"ab", b"c"));
        assert_ne!(export(b"ab", b"c"), export(b"a", b"bc"));
        assert_ne!(export(b"ab", b"c"), export(b"ab", b"d"));
        assert!(!exporter.export(b"", b"", &mut [0; 255 * 32 + 1]));
    }
}
