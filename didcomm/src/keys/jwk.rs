//! The private part of a JSON Web Key.

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::base64url;
use crate::did::KeyError;

/// Returns `d`, which has the full length of the field or the seed: RFC 7518 section 6.2.2.1, RFC 8037 section 2.
pub(super) fn private_scalar<const N: usize>(
    jwk: &Map<String, Value>,
) -> Result<Zeroizing<[u8; N]>, KeyError> {
    let d = jwk.get("d").and_then(Value::as_str).ok_or(KeyError::Malformed)?;
    let d = Zeroizing::new(base64url::decode(d).ok_or(KeyError::Malformed)?);
    let mut scalar = Zeroizing::new([0; N]);
    if d.len() != N {
        return Err(KeyError::Malformed);
    }
    scalar.copy_from_slice(&d);
    Ok(scalar)
}
