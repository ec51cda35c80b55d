//! Private keys that agree: X25519 and the curves of NIST SP 800-186.
//!
//! RFC 7748, SEC 1 section 3.3.1 (the x-coordinate of the shared point, of the field's full length). Our own DIDs have X25519;
//! the other curves are for the DIDs of other people's software.

use std::fmt;

use p256::elliptic_curve::sec1::{FromSec1Point, ModulusSize, ToSec1Point};
use p256::elliptic_curve::{
    AffinePoint, CurveArithmetic, FieldBytesSize, Generate as _, PublicKey as Point, SecretKey,
    ecdh::diffie_hellman,
};
use rand_core::CryptoRng;
use serde_json::{Map, Value};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::X25519Secret;
use super::jwk::private_scalar;
use crate::did::{KeyError, PublicKey};

/// A private key that agrees with public keys of its curve, wherever the key is kept.
pub trait Agree {
    /// Returns its public key.
    fn public_key(&self) -> PublicKey;

    /// Names its curve as [`PublicKey::curve`] does; the public key itself takes a multiplication.
    fn curve(&self) -> &'static str;

    /// Agrees with `theirs`: 32 to 66 bytes, as many as the field has.
    ///
    /// `None` when `theirs` is a key of another curve, or of low order, so that the result would not depend on our key.
    fn shared_secret(&self, theirs: &PublicKey) -> Option<Zeroizing<Vec<u8>>>;
}

impl Agree for X25519Secret {
    fn public_key(&self) -> PublicKey {
        PublicKey::X25519(self.public())
    }

    fn curve(&self) -> &'static str {
        "X25519"
    }

    fn shared_secret(&self, theirs: &PublicKey) -> Option<Zeroizing<Vec<u8>>> {
        let PublicKey::X25519(theirs) = theirs else { return None };
        Some(Zeroizing::new(self.agree(theirs)?.to_vec()))
    }
}

/// A private key of any curve that envelopes use.
#[derive(ZeroizeOnDrop)]
pub struct AgreementSecret(Curve);

#[derive(ZeroizeOnDrop)]
enum Curve {
    X25519(X25519Secret),
    P256(p256::SecretKey),
    P384(p384::SecretKey),
    P521(p521::SecretKey),
}

impl AgreementSecret {
    /// Makes a new key of the curve of `public`, which is a key that agrees.
    ///
    /// # Errors
    /// [`KeyError::Unsupported`] when keys of that curve sign.
    pub fn generate_like<R: CryptoRng + ?Sized>(public: &PublicKey, rng: &mut R) -> Result<Self, KeyError> {
        Ok(Self(match public {
            PublicKey::X25519(_) => Curve::X25519(X25519Secret::generate(rng)),
            PublicKey::P256(_) => Curve::P256(SecretKey::generate_from_rng(rng)),
            PublicKey::P384(_) => Curve::P384(SecretKey::generate_from_rng(rng)),
            PublicKey::P521(_) => Curve::P521(SecretKey::generate_from_rng(rng)),
            PublicKey::Ed25519(_) | PublicKey::Secp256k1(_) => return Err(KeyError::Unsupported),
        }))
    }

    /// Reads a private JWK: RFC 7518 section 6.2.2, RFC 8037 section 2.
    ///
    /// # Errors
    /// A [`KeyError`]; [`KeyError::Malformed`] also when the public part is that of another key.
    pub fn from_jwk(jwk: &Map<String, Value>) -> Result<Self, KeyError> {
        let public = PublicKey::from_jwk(jwk)?;
        let malformed = |_| KeyError::Malformed;
        let secret = Self(match public {
            PublicKey::X25519(_) => Curve::X25519(X25519Secret::from_bytes(*private_scalar(jwk)?)),
            PublicKey::P256(_) => {
                let scalar = private_scalar::<32>(jwk)?;
                Curve::P256(SecretKey::from_slice(scalar.as_slice()).map_err(malformed)?)
            }
            PublicKey::P384(_) => {
                let scalar = private_scalar::<48>(jwk)?;
                Curve::P384(SecretKey::from_slice(scalar.as_slice()).map_err(malformed)?)
            }
            PublicKey::P521(_) => {
                let scalar = private_scalar::<66>(jwk)?;
                Curve::P521(SecretKey::from_slice(scalar.as_slice()).map_err(malformed)?)
            }
            PublicKey::Ed25519(_) | PublicKey::Secp256k1(_) => return Err(KeyError::Unsupported),
        });
        if secret.public_key() == public { Ok(secret) } else { Err(KeyError::Malformed) }
    }

    /// Returns the key if it is one of X25519.
    pub const fn as_x25519(&self) -> Option<&X25519Secret> {
        match &self.0 {
            Curve::X25519(secret) => Some(secret),
            _ => None,
        }
    }
}

impl From<X25519Secret> for AgreementSecret {
    fn from(secret: X25519Secret) -> Self {
        Self(Curve::X25519(secret))
    }
}

impl Agree for AgreementSecret {
    fn public_key(&self) -> PublicKey {
        match &self.0 {
            Curve::X25519(secret) => secret.public_key(),
            Curve::P256(secret) => PublicKey::P256(compressed(secret)),
            Curve::P384(secret) => PublicKey::P384(compressed(secret)),
            Curve::P521(secret) => PublicKey::P521(compressed(secret)),
        }
    }

    fn curve(&self) -> &'static str {
        match &self.0 {
            Curve::X25519(_) => "X25519",
            Curve::P256(_) => "P-256",
            Curve::P384(_) => "P-384",
            Curve::P521(_) => "P-521",
        }
    }

    fn shared_secret(&self, theirs: &PublicKey) -> Option<Zeroizing<Vec<u8>>> {
        match (&self.0, theirs) {
            (Curve::X25519(secret), theirs) => secret.shared_secret(theirs),
            (Curve::P256(secret), PublicKey::P256(theirs)) => agreed(secret, theirs),
            (Curve::P384(secret), PublicKey::P384(theirs)) => agreed(secret, theirs),
            (Curve::P521(secret), PublicKey::P521(theirs)) => agreed(secret, theirs),
            _ => None,
        }
    }
}

impl fmt::Debug for AgreementSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgreementSecret").finish_non_exhaustive()
    }
}

fn compressed<C, const N: usize>(secret: &SecretKey<C>) -> [u8; N]
where
    C: CurveArithmetic,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
    FieldBytesSize<C>: ModulusSize,
{
    #[expect(clippy::expect_used, reason = "N is the length of a compressed point, by curve, in the caller")]
    secret.public_key().to_sec1_point(true).as_bytes().try_into().expect("the length of a compressed point")
}

fn agreed<C>(secret: &SecretKey<C>, theirs: &[u8]) -> Option<Zeroizing<Vec<u8>>>
where
    C: CurveArithmetic,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
    FieldBytesSize<C>: ModulusSize,
{
    // A point of its curve; these curves have no cofactor, so none is of low order.
    let theirs = Point::<C>::from_sec1_bytes(theirs).ok()?;
    let shared = diffie_hellman(secret.to_nonzero_scalar(), theirs.as_affine());
    Some(Zeroizing::new(shared.raw_secret_bytes().to_vec()))
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng as _;

    use super::*;
    use crate::base64url;

    const CURVES: [&str; 4] = ["X25519", "P-256", "P-384", "P-521"];

    /// A key of each curve, made like a key that is on it.
    fn secrets() -> Vec<AgreementSecret> {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let text = include_str!("../../../spec/vectors/didcomm/appendix-keys.json");
        let keys: Value = serde_json::from_str(text).unwrap();
        let keys = keys["keys"].as_array().unwrap();
        CURVES
            .map(|curve| {
                let jwk = keys.iter().find(|key| key["crv"] == curve && agrees(key)).unwrap();
                let like = PublicKey::from_jwk(jwk.as_object().unwrap()).unwrap();
                AgreementSecret::generate_like(&like, &mut rng).unwrap()
            })
            .into()
    }

    fn agrees(jwk: &Value) -> bool {
        jwk["kid"].as_str().unwrap().contains("25519-") || jwk["kid"].as_str().unwrap().contains("-p")
    }

    #[test]
    fn both_sides_agree_and_only_on_one_curve() {
        let (ours, theirs) = (secrets(), secrets());
        let lengths = [32, 32, 48, 66];
        for (i, (secret, length)) in ours.iter().zip(lengths).enumerate() {
            assert_eq!((secret.curve(), secret.public_key().curve()), (CURVES[i], CURVES[i]));
            for (j, other) in theirs.iter().enumerate() {
                let shared = secret.shared_secret(&other.public_key());
                assert_eq!(shared.is_some(), i == j, "{} and {}", CURVES[i], CURVES[j]);
                assert_eq!(shared, other.shared_secret(&secret.public_key()));
                assert_eq!(shared.map_or(length, |shared| shared.len()), length);
            }
        }
    }

    /// The example of RFC 7518 appendix C: what the key derivation starts from.
    #[test]
    fn agrees_as_rfc_7518_appendix_c() {
        let jwk = |x: &str, y: &str, d: &str| -> Map<String, Value> {
            let jwk = serde_json::json!({"kty": "EC", "crv": "P-256", "x": x, "y": y, "d": d});
            jwk.as_object().unwrap().clone()
        };
        let alice = jwk(
            "gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0",
            "SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps",
            "0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo",
        );
        let bob = jwk(
            "weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ",
            "e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck",
            "VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw",
        );
        let z = AgreementSecret::from_jwk(&alice)
            .unwrap()
            .shared_secret(&PublicKey::from_jwk(&bob).unwrap())
            .unwrap();
        assert_eq!(z[..4], [158, 86, 217, 29]);
        assert_eq!(
            AgreementSecret::from_jwk(&bob).unwrap().shared_secret(&PublicKey::from_jwk(&alice).unwrap()),
            Some(z)
        );
    }

    #[test]
    fn refuses_private_keys_that_are_damaged_or_of_another_public_key() {
        let text = include_str!("../../../spec/vectors/didcomm/appendix-keys.json");
        let keys: Value = serde_json::from_str(text).unwrap();
        for key in keys["keys"].as_array().unwrap() {
            let jwk = key.as_object().unwrap();
            if !agrees(key) {
                assert!(
                    matches!(AgreementSecret::from_jwk(jwk), Err(KeyError::Unsupported))
                        || jwk["crv"] == "P-256"
                );
                continue;
            }
            assert!(AgreementSecret::from_jwk(jwk).is_ok());
            let d = base64url::decode(jwk["d"].as_str().unwrap()).unwrap();
            let mut other = d.clone();
            *other.last_mut().unwrap() ^= 1;
            // X25519 ignores three bits of the first byte, not of the last one's low end.
            for bad in [&d[1..], [0].as_slice(), &vec![0xff; d.len()], &vec![0; d.len()], &other] {
                let mut altered = jwk.clone();
                altered["d"] = base64url::encode(bad).into();
                assert!(
                    matches!(AgreementSecret::from_jwk(&altered), Err(KeyError::Malformed)),
                    "{} {}",
                    jwk["kid"],
                    bad.len()
                );
            }
            let mut without = jwk.clone();
            without.remove("d");
            assert!(matches!(AgreementSecret::from_jwk(&without), Err(KeyError::Malformed)));
        }
    }

    /// Decides SC-03.
    #[test]
    fn debug_prints_no_agreement_secret() {
        for secret in secrets() {
            assert_eq!(format!("{secret:?}"), "AgreementSecret { .. }");
        }
    }
}
