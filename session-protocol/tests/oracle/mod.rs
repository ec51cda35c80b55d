//! `snow` as the other side, with an ML-KEM-768 that is not the one under test.
#![allow(dead_code, reason = "each test file uses another part")]

use didagent_session::Suite;
use fips203::{
    ml_kem_768::{CipherText, DecapsKey, EncapsKey, KG},
    traits::{Decaps as _, Encaps as _, KeyGen as _, SerDes as _},
};
use snow::{
    Builder, Error, HandshakeState,
    params::{CipherChoice, DHChoice, HashChoice, KemChoice, NoiseParams},
    resolvers::{CryptoResolver, DefaultResolver},
    types::{Cipher, Dh, Hash, Kem, Random},
};

/// `snow` in a suite of ours. It knows the pattern and the place of the KEM, but no KEM of this name.
pub fn snow(
    suite: Suite,
    secret: &[u8; 32],
    remote: &[u8; 32],
    prologue: &[u8],
    is_initiator: bool,
) -> HandshakeState {
    let known = suite.noise_name().replace("MLKEM768", "Kyber1024");
    let mut params: NoiseParams = known.parse().unwrap();
    params.name = suite.noise_name().to_owned();
    let builder = Builder::with_resolver(params, Box::new(WithMlKem(DefaultResolver)))
        .local_private_key(secret)
        .unwrap()
        .remote_public_key(remote)
        .unwrap()
        .prologue(prologue)
        .unwrap();
    if is_initiator { builder.build_initiator().unwrap() } else { builder.build_responder().unwrap() }
}

struct WithMlKem(DefaultResolver);

impl CryptoResolver for WithMlKem {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        self.0.resolve_rng()
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        self.0.resolve_dh(choice)
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        self.0.resolve_hash(choice)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        self.0.resolve_cipher(choice)
    }

    fn resolve_kem(&self, _: &KemChoice) -> Option<Box<dyn Kem>> {
        Some(Box::new(MlKem { pair: None }))
    }
}

/// ML-KEM-768 of `fips203`, as `snow` wants one.
struct MlKem {
    pair: Option<([u8; 1184], DecapsKey)>,
}

impl Kem for MlKem {
    fn name(&self) -> &'static str {
        "MLKEM768"
    }

    fn pub_len(&self) -> usize {
        1184
    }

    fn ciphertext_len(&self) -> usize {
        1088
    }

    fn shared_secret_len(&self) -> usize {
        32
    }

    fn generate(&mut self, rng: &mut dyn Random) {
        let (mut d, mut z) = ([0; 32], [0; 32]);
        rng.try_fill_bytes(&mut d).unwrap();
        rng.try_fill_bytes(&mut z).unwrap();
        let (public, secret) = KG::keygen_from_seed(d, z);
        self.pair = Some((public.into_bytes(), secret));
    }

    fn pubkey(&self) -> &[u8] {
        &self.pair.as_ref().unwrap().0
    }

    fn encapsulate(&self, key: &[u8], shared: &mut [u8], out: &mut [u8]) -> Result<(usize, usize), Error> {
        let key = key.try_into().map_err(|_| Error::Kem)?;
        let key = EncapsKey::try_from_bytes(key).map_err(|_| Error::Kem)?;
        let mut m = [0; 32];
        DefaultResolver.resolve_rng().unwrap().try_fill_bytes(&mut m)?;
        let (secret, ciphertext) = key.encaps_from_seed(&m);
        shared.copy_from_slice(&secret.into_bytes());
        out.copy_from_slice(&ciphertext.into_bytes());
        Ok((self.shared_secret_len(), self.ciphertext_len()))
    }

    fn decapsulate(&self, ciphertext: &[u8], shared: &mut [u8]) -> Result<usize, Error> {
        let ciphertext = ciphertext.try_into().map_err(|_| Error::Kem)?;
        let ciphertext = CipherText::try_from_bytes(ciphertext).map_err(|_| Error::Kem)?;
        let (_, secret) = self.pair.as_ref().ok_or(Error::Kem)?;
        let secret = secret.try_decaps(&ciphertext).map_err(|_| Error::Kem)?;
        shared.copy_from_slice(&secret.into_bytes());
        Ok(self.shared_secret_len())
    }
}
