//! The key schedule. Specification: `spec/session.md`, section 1.
//!
//! ```text
//! PRK_0     = HKDF-Extract(salt = h, k1 || k2)          context_0 = h
//! PRK_{i+1} = HKDF-Extract(salt = rk_i, IKM)            IKM and context of the exchange that begins epoch i + 1
//! X_i       = HKDF-Expand(PRK_i, label_X || context_i, 32)
//! ```
//!
//! PRK_i is gone when the function that uses it returns. Chain keys come from PRK_i beside `rk_i` and never from it, so a
//! stolen `rk_i` does not give back the past of its epoch.

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

use crate::{
    Role, aead::Cipher, labels, mask::HeaderKey, noise::SplitKey, ratchet::ChainKey, secret::secret,
    wire::count,
};

secret! {
    /// `exporter`: the source of keys for other protocols.
    ExporterSecret
}

secret! {
    /// `rk`: the salt of the next epoch and nothing else.
    RootKey
}

secret! {
    /// `split`: a value that only equal epochs share, for the prologue of a handshake inside the session.
    SplitProof
}

secret! {
    /// `k_resume`: of one direction and epoch, protects the messages that resume a session on a new connection.
    ResumeKey
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
    pub(crate) rest: Rest,
}

/// What every later epoch starts with.
pub(crate) struct Epoch {
    initiator_to_responder: ChainKey,
    responder_to_initiator: ChainKey,
    pub(crate) rest: Rest,
}

/// What an epoch has beside its chains.
pub(crate) struct Rest {
    pub(crate) root: RootKey,
    pub(crate) split: SplitProof,
    pub(crate) resume: ResumeKeys,
}

/// The resume keys of an epoch.
pub(crate) struct ResumeKeys {
    initiator_to_responder: ResumeKey,
    responder_to_initiator: ResumeKey,
}

impl ResumeKeys {
    /// The key of the messages that `sender` sends.
    pub(crate) fn of(&self, sender: Role) -> &ResumeKey {
        match sender {
            Role::Initiator => &self.initiator_to_responder,
            Role::Responder => &self.responder_to_initiator,
        }
    }
}

impl Epoch {
    /// The chains on which `own` sends and receives, then what is left of the epoch.
    pub(crate) fn split(self, own: Role) -> (ChainKey, ChainKey, Rest) {
        let (send, receive) = match own {
            Role::Initiator => (self.initiator_to_responder, self.responder_to_initiator),
            Role::Responder => (self.responder_to_initiator, self.initiator_to_responder),
        };
        (send, receive, self.rest)
    }
}

/// Derives epoch 0 from the end of the handshake; `hash` is the transcript hash `h`, `cipher` that of its suite.
pub(crate) fn derive(cipher: Cipher, hash: &[u8; 32], k1: SplitKey, k2: SplitKey) -> EpochZero {
    let expand = Expander::extract(hash, join(&k1, &k2).as_slice(), hash);
    let header = |label| HeaderKey::take(cipher, &mut expand.bytes(label));
    EpochZero {
        sid: expand.bytes(labels::SID),
        initiator_to_responder: Direction {
            chain: expand.key(labels::CHAIN_I2R, ChainKey::take),
            header: header(labels::HEADER_I2R),
            cipher,
        },
        responder_to_initiator: Direction {
            chain: expand.key(labels::CHAIN_R2I, ChainKey::take),
            header: header(labels::HEADER_R2I),
            cipher,
        },
        exporter: expand.key(labels::EXPORTER, ExporterSecret::take),
        rest: expand.rest(),
    }
}

/// Derives the next epoch from the root key of the one before, which the caller replaces with the new one, and what the
/// exchange gave.
pub(crate) fn derive_next(root: &RootKey, ikm: &[u8], context: &[u8; 32]) -> Epoch {
    let expand = Expander::extract(root.expose(), ikm, context);
    Epoch {
        initiator_to_responder: expand.key(labels::CHAIN_I2R, ChainKey::take),
        responder_to_initiator: expand.key(labels::CHAIN_R2I, ChainKey::take),
        rest: expand.rest(),
    }
}

/// `k1 || k2`, the input of an epoch that a Noise handshake begins.
pub(crate) fn join(k1: &SplitKey, k2: &SplitKey) -> Zeroizing<[u8; 64]> {
    let mut input = Zeroizing::new([0; 64]);
    input.iter_mut().zip(k1.expose().iter().chain(k2.expose())).for_each(|(to, from)| *to = *from);
    input
}

/// PRK_i and the context of its epoch.
struct Expander<'a> {
    hkdf: Hkdf<Sha256>,
    context: &'a [u8; 32],
}

impl<'a> Expander<'a> {
    fn extract(salt: &[u8; 32], ikm: &[u8], context: &'a [u8; 32]) -> Self {
        let (mut prk, hkdf) = Hkdf::<Sha256>::extract(Some(salt), ikm);
        prk.as_mut_slice().zeroize();
        Self { hkdf, context }
    }

    fn bytes(&self, label: &[u8]) -> [u8; 32] {
        let mut out = [0; 32];
        #[expect(clippy::expect_used, reason = "32 bytes are below the 8160 that HKDF-SHA256 can give")]
        self.hkdf.expand_multi_info(&[label, self.context], &mut out).expect("32 is a valid length");
        out
    }

    fn key<K>(&self, label: &[u8], take: fn(&mut [u8; 32]) -> K) -> K {
        take(&mut self.bytes(label))
    }

    fn rest(&self) -> Rest {
        Rest {
            root: self.key(labels::ROOT, RootKey::take),
            split: self.key(labels::SPLIT, SplitProof::take),
            resume: ResumeKeys {
                initiator_to_responder: self.key(labels::RESUME_I2R, ResumeKey::take),
                responder_to_initiator: self.key(labels::RESUME_R2I, ResumeKey::take),
            },
        }
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

    fn root(byte: u8) -> RootKey {
        RootKey::take(&mut [byte; 32])
    }

    fn assert_distinct(all: &[&[u8; 32]]) {
        for (i, secret) in all.iter().enumerate() {
            assert!(all.iter().skip(i + 1).all(|other| other != secret));
        }
    }

    #[test]
    fn se_01_every_secret_is_another_one() {
        let epoch = example();
        assert_distinct(&[
            &epoch.sid,
            epoch.initiator_to_responder.chain.expose(),
            epoch.initiator_to_responder.header.expose(),
            epoch.responder_to_initiator.chain.expose(),
            epoch.responder_to_initiator.header.expose(),
            epoch.exporter.expose(),
            epoch.rest.root.expose(),
            epoch.rest.split.expose(),
            epoch.rest.resume.of(Role::Initiator).expose(),
            epoch.rest.resume.of(Role::Responder).expose(),
        ]);
    }

    /// The schedule written out with the plain RFC 5869 calls.
    #[test]
    fn se_01_is_extract_then_expand_with_label_and_hash() {
        let hkdf = Hkdf::<Sha256>::new(Some(&[1; 32]), &[[2; 32], [3; 32]].concat());
        let mut sid = [0; 32];
        hkdf.expand(&[&b"didagent-session/1 sid"[..], &[1; 32]].concat(), &mut sid).unwrap();
        assert_eq!(example().sid, sid);
    }

    /// Every secret of a later epoch, written out the same way.
    #[test]
    fn se_01_a_later_epoch_is_extract_from_the_root_then_expand_with_its_context() {
        let hkdf = Hkdf::<Sha256>::new(Some(&[5; 32]), &[6; 64]);
        let expand = |label: &str| {
            let mut out = [0; 32];
            hkdf.expand(&[label.as_bytes(), &[7; 32]].concat(), &mut out).unwrap();
            out
        };
        let epoch = derive_next(&root(5), &[6; 64], &[7; 32]);
        assert_eq!(epoch.initiator_to_responder.expose(), &expand("didagent-session/1 ck i2r"));
        assert_eq!(epoch.responder_to_initiator.expose(), &expand("didagent-session/1 ck r2i"));
        assert_eq!(epoch.rest.root.expose(), &expand("didagent-session/1 rk"));
        assert_eq!(epoch.rest.split.expose(), &expand("didagent-session/1 rehs"));
        assert_eq!(epoch.rest.resume.of(Role::Initiator).expose(), &expand("didagent-session/1 resume i2r"));
        assert_eq!(epoch.rest.resume.of(Role::Responder).expose(), &expand("didagent-session/1 resume r2i"));
    }

    #[test]
    fn se_01_root_input_and_context_each_make_another_epoch() {
        let secrets = |root_byte, ikm: &[u8], context| {
            let epoch = derive_next(&root(root_byte), ikm, &[context; 32]);
            [
                *epoch.initiator_to_responder.expose(),
                *epoch.responder_to_initiator.expose(),
                *epoch.rest.root.expose(),
            ]
        };
        let variants = [
            secrets(1, &[2; 32], 3),
            secrets(9, &[2; 32], 3),
            secrets(1, &[9; 32], 3),
            secrets(1, &[2; 64], 3),
            secrets(1, &[2; 32], 9),
        ];
        assert_distinct(&variants.iter().flatten().collect::<Vec<_>>());
        assert_eq!(variants[0], secrets(1, &[2; 32], 3));
    }

    #[test]
    fn se_01_each_role_sends_on_the_chain_that_the_other_receives_on() {
        let chains = |own| {
            let (send, receive, _) = derive_next(&root(1), &[2; 32], &[3; 32]).split(own);
            (*send.expose(), *receive.expose())
        };
        let (initiator, responder) = (chains(Role::Initiator), chains(Role::Responder));
        assert_eq!((initiator.0, initiator.1), (responder.1, responder.0));
        assert_ne!(initiator.0, initiator.1);
    }

    /// The salt is consumed, and no chain key can be had from it: what is expanded from a kept root key is something else.
    #[test]
    fn se_15_the_root_key_gives_the_next_epoch_and_nothing_of_its_own() {
        fn erases<T: zeroize::ZeroizeOnDrop>() {}
        erases::<RootKey>();
        erases::<ResumeKey>();
        let epoch = example();
        let kept = Hkdf::<Sha256>::from_prk(epoch.rest.root.expose()).unwrap();
        let mut guess = [0; 32];
        kept.expand_multi_info(&[labels::CHAIN_I2R, &[1; 32]], &mut guess).unwrap();
        assert_ne!(&guess, epoch.initiator_to_responder.chain.expose());
    }

    /// Decides SE-02.
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
