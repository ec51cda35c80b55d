//! Public keys of DID documents, and as JSON Web Keys.
//!
//! RFC 7517, RFC 7518 section 6.2.1 (`EC`), RFC 8037 (`OKP`), RFC 8812 (`secp256k1`); SEC 1 section 2.3 for points.
//!
//! A value is a key: a point that is not on its curve has none. Low-order points of X25519 and Ed25519 are found out where the
//! key is used.

use k256::elliptic_curve::sec1::{FromSec1Point, ModulusSize, ToSec1Point};
use k256::elliptic_curve::{Curve, CurveArithmetic, FieldBytesSize, PublicKey as Point};
use serde_json::{Map, Value};

use crate::base64url;

/// A public key of a kind that DIDComm uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PublicKey {
    /// Signs: a compressed Edwards point.
    Ed25519([u8; 32]),
    /// Agrees: a Montgomery u-coordinate.
    X25519([u8; 32]),
    /// Agrees or signs: a compressed point of SEC 1, as in the other curves below.
    P256([u8; 33]),
    /// Agrees.
    P384([u8; 49]),
    /// Agrees.
    P521([u8; 67]),
    /// Signs.
    Secp256k1([u8; 33]),
}

/// Why something is no public key that is used here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Of a kind that is not used here.
    #[error("a kind of key that is not used")]
    Unsupported,
    /// Not well-formed, or a point that is not on its curve.
    #[error("a malformed key")]
    Malformed,
}

impl PublicKey {
    /// Reads the public part of a JWK. Other members, also private ones, are ignored.
    ///
    /// # Errors
    /// A [`KeyError`].
    pub fn from_jwk(jwk: &Map<String, Value>) -> Result<Self, KeyError> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        let required = |name: &str| text(name).ok_or(KeyError::Malformed);
        // These have no curve.
        if matches!(required("kty")?, "RSA" | "oct" | "AKP") {
            return Err(KeyError::Unsupported);
        }
        Self::from_jwk_members(required("kty")?, required("crv")?, text("x"), text("y"))
    }

    /// As [`Self::from_jwk`], from the members themselves.
    pub(crate) fn from_jwk_members(
        kty: &str,
        crv: &str,
        x: Option<&str>,
        y: Option<&str>,
    ) -> Result<Self, KeyError> {
        let (x, y) = (|| x.ok_or(KeyError::Malformed), || y.ok_or(KeyError::Malformed));
        match (kty, crv) {
            ("OKP", "Ed25519") => Ok(Self::Ed25519(coordinate(x()?)?)),
            ("OKP", "X25519") => Ok(Self::X25519(coordinate(x()?)?)),
            ("EC", "P-256") => Ok(Self::P256(compress::<p256::NistP256, 32, 33>(x()?, y()?)?)),
            ("EC", "P-384") => Ok(Self::P384(compress::<p384::NistP384, 48, 49>(x()?, y()?)?)),
            ("EC", "P-521") => Ok(Self::P521(compress::<p521::NistP521, 66, 67>(x()?, y()?)?)),
            ("EC", "secp256k1") => Ok(Self::Secp256k1(compress::<k256::Secp256k1, 32, 33>(x()?, y()?)?)),
            ("OKP" | "EC", _) => Err(KeyError::Unsupported),
            _ => Err(KeyError::Malformed),
        }
    }

    /// The JWK, with `kty`, `crv`, `x` and for curves of points `y`, in the order of RFC 7638.
    pub fn to_jwk(&self) -> Map<String, Value> {
        let (kty, x, y) = match self {
            Self::Ed25519(key) | Self::X25519(key) => ("OKP", key.to_vec(), None),
            Self::P256(point) => uncompress::<p256::NistP256>(point),
            Self::P384(point) => uncompress::<p384::NistP384>(point),
            Self::P521(point) => uncompress::<p521::NistP521>(point),
            Self::Secp256k1(point) => uncompress::<k256::Secp256k1>(point),
        };
        let mut jwk = Map::new();
        for (name, value) in [
            ("crv", Some(self.curve().to_owned())),
            ("kty", Some(kty.to_owned())),
            ("x", Some(base64url::encode(x))),
            ("y", y.map(base64url::encode)),
        ] {
            if let Some(value) = value {
                jwk.insert(name.to_owned(), value.into());
            }
        }
        jwk
    }

    /// The `crv` of its JWK.
    pub const fn curve(&self) -> &'static str {
        match self {
            Self::Ed25519(_) => "Ed25519",
            Self::X25519(_) => "X25519",
            Self::P256(_) => "P-256",
            Self::P384(_) => "P-384",
            Self::P521(_) => "P-521",
            Self::Secp256k1(_) => "secp256k1",
        }
    }

    /// Its bytes: 32, or a compressed point.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Ed25519(key) | Self::X25519(key) => key,
            Self::P256(point) | Self::Secp256k1(point) => point,
            Self::P384(point) => point,
            Self::P521(point) => point,
        }
    }

    /// Whether it agrees on keys, as `keyAgreement` asks for.
    pub const fn agrees(&self) -> bool {
        matches!(self, Self::X25519(_) | Self::P256(_) | Self::P384(_) | Self::P521(_))
    }

    /// Whether it verifies signatures, as `authentication` asks for.
    pub const fn verifies(&self) -> bool {
        matches!(self, Self::Ed25519(_) | Self::P256(_) | Self::Secp256k1(_))
    }

    /// The point of a curve, if it is on it.
    pub(super) fn from_point(curve: CurveOfPoints, sec1: &[u8]) -> Result<Self, KeyError> {
        Ok(match curve {
            CurveOfPoints::P256 => Self::P256(on_curve::<p256::NistP256, 33>(sec1)?),
            CurveOfPoints::P384 => Self::P384(on_curve::<p384::NistP384, 49>(sec1)?),
            CurveOfPoints::P521 => Self::P521(on_curve::<p521::NistP521, 67>(sec1)?),
            CurveOfPoints::Secp256k1 => Self::Secp256k1(on_curve::<k256::Secp256k1, 33>(sec1)?),
        })
    }
}

/// The curves whose keys are points of SEC 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CurveOfPoints {
    P256,
    P384,
    P521,
    Secp256k1,
}

fn coordinate<const N: usize>(text: &str) -> Result<[u8; N], KeyError> {
    base64url::decode_array(text).ok_or(KeyError::Malformed)
}

/// A coordinate of a point as `F` bytes. RFC 7518 section 6.2.1.2 asks for the full length of the field; Authlib, and with it the
/// DIDComm libraries for Python, leaves out zeros at the front, which are those of every other coordinate of P-521. They are
/// put back: the point is the same, and is still looked for on its curve.
fn field_element<const F: usize>(text: &str) -> Result<[u8; F], KeyError> {
    let bytes = base64url::decode(text).ok_or(KeyError::Malformed)?;
    let zeros = F.checked_sub(bytes.len()).ok_or(KeyError::Malformed)?;
    let mut element = [0; F];
    element.get_mut(zeros..).ok_or(KeyError::Malformed)?.copy_from_slice(&bytes);
    Ok(element)
}

fn compress<C, const F: usize, const N: usize>(x: &str, y: &str) -> Result<[u8; N], KeyError>
where
    C: CurveArithmetic,
    C::AffinePoint: FromSec1Point<C> + ToSec1Point<C>,
    FieldBytesSize<C>: ModulusSize,
{
    let sec1 = [&[0x04], field_element::<F>(x)?.as_slice(), field_element::<F>(y)?.as_slice()].concat();
    on_curve::<C, N>(&sec1)
}

fn on_curve<C, const N: usize>(sec1: &[u8]) -> Result<[u8; N], KeyError>
where
    C: CurveArithmetic,
    C::AffinePoint: FromSec1Point<C> + ToSec1Point<C>,
    FieldBytesSize<C>: ModulusSize,
{
    let point = Point::<C>::from_sec1_bytes(sec1).map_err(|_| KeyError::Malformed)?;
    point.to_sec1_point(true).as_bytes().try_into().map_err(|_| KeyError::Malformed)
}

fn uncompress<C>(sec1: &[u8]) -> (&'static str, Vec<u8>, Option<Vec<u8>>)
where
    C: Curve + CurveArithmetic,
    C::AffinePoint: FromSec1Point<C> + ToSec1Point<C>,
    FieldBytesSize<C>: ModulusSize,
{
    #[expect(clippy::expect_used, reason = "a value of this type is a point of its curve")]
    let point = Point::<C>::from_sec1_bytes(sec1).expect("a point of its curve").to_sec1_point(false);
    let coordinate =
        |bytes: Option<&_>| bytes.map(|bytes: &k256::elliptic_curve::FieldBytes<C>| bytes.to_vec());
    ("EC", coordinate(point.x()).unwrap_or_default(), coordinate(point.y()))
}

#[cfg(test)]
mod tests {
    use super::super::multikey;
    use super::*;

    /// From the did:key draft.
    const KEYS: [(&str, &str); 6] = [
        ("Ed25519", "z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"),
        ("X25519", "z6LSg8zQom395jKLrGiBNruB9MM6V8PWuf2FpEy4uRFiqQBR"),
        ("P-256", "zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169"),
        ("P-384", "z82Lm1MpAkeJcix9K8TMiLd5NMAhnwkjjCBeWHXyu3U4oT2MVJJKXkcVBgjGhnLBn2Kaau9"),
        (
            "P-521",
            "z2J9gaYxrKVpdoG9A4gRnmpnRCcxU6agDtFVVBVdn1JedouoZN7SzcyREXXzWgt3gGiwpoHq7K68X4m32D8HgzG8wv3sY5j7",
        ),
        ("secp256k1", "zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme"),
    ];

    #[test]
    fn a_jwk_is_the_same_key() {
        for (curve, multibase) in KEYS {
            let key = multikey::decode(multibase).unwrap();
            assert_eq!(key.curve(), curve);
            assert_eq!(multikey::encode(&key), multibase);
            let jwk = key.to_jwk();
            assert_eq!(jwk["crv"], curve);
            assert_eq!(jwk.contains_key("y"), !curve.contains("25519"));
            assert_eq!(PublicKey::from_jwk(&jwk), Ok(key), "{curve}");
        }
    }

    #[test]
    fn refuses_points_off_the_curve_short_coordinates_and_missing_members() {
        for (curve, multibase) in KEYS {
            let jwk = multikey::decode(multibase).unwrap().to_jwk();
            for name in jwk.keys().cloned().collect::<Vec<_>>() {
                let mut without = jwk.clone();
                without.remove(&name);
                assert_eq!(PublicKey::from_jwk(&without), Err(KeyError::Malformed), "{curve} without {name}");
            }
            for name in ["x", "y"].into_iter().filter(|name| jwk.contains_key(*name)) {
                let bytes = base64url::decode(jwk[name].as_str().unwrap()).unwrap();
                for altered in [&bytes[1..], &bytes[..bytes.len() - 1], &[&[0], bytes.as_slice()].concat()] {
                    let mut other = jwk.clone();
                    other[name] = base64url::encode(altered).into();
                    assert_eq!(PublicKey::from_jwk(&other), Err(KeyError::Malformed), "{curve} {name}");
                }
            }
            if let Some(y) = jwk.get("y") {
                let mut bytes = base64url::decode(y.as_str().unwrap()).unwrap();
                *bytes.last_mut().unwrap() ^= 1;
                let mut other = jwk.clone();
                other["y"] = base64url::encode(bytes).into();
                assert_eq!(PublicKey::from_jwk(&other), Err(KeyError::Malformed), "{curve}");
            }
        }
    }

    #[test]
    fn coordinates_without_the_zeros_at_their_front_are_the_same_key() {
        let mut shorter = 0;
        for n in 1..=8u8 {
            let mut scalar = [0; 66];
            scalar[65] = n;
            let point = p521::SecretKey::from_slice(&scalar).unwrap().public_key().to_sec1_point(true);
            let key = PublicKey::P521(point.as_bytes().try_into().unwrap());
            let mut jwk = key.to_jwk();
            for name in ["x", "y"] {
                let bytes = base64url::decode(jwk[name].as_str().unwrap()).unwrap();
                if let Some(rest) = bytes.strip_prefix(&[0]) {
                    jwk.insert(name.to_owned(), base64url::encode(rest).into());
                    shorter += 1;
                }
            }
            assert_eq!(PublicKey::from_jwk(&jwk), Ok(key));
        }
        assert!(shorter > 0);
    }

    #[test]
    fn other_kinds_are_told_apart_from_damage() {
        let jwk = |text: &str| serde_json::from_str::<Map<_, _>>(text).unwrap();
        for text in [r#"{"kty":"RSA","n":"AQAB"}"#, r#"{"kty":"OKP","crv":"Ed448","x":""}"#] {
            assert_eq!(PublicKey::from_jwk(&jwk(text)), Err(KeyError::Unsupported), "{text}");
        }
        for text in ["{}", r#"{"kty":"EC"}"#, r#"{"kty":"x","crv":"P-256"}"#, r#"{"kty":1,"crv":"P-256"}"#] {
            assert_eq!(PublicKey::from_jwk(&jwk(text)), Err(KeyError::Malformed), "{text}");
        }
    }
}
