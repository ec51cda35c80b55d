//! did:jwk: an identifier that is one JSON Web Key.
//!
//! The did:jwk method. The key is `#0`; its `use` says whether it signs (`sig`), encrypts (`enc`), or both when it is absent.
//!
//! Not its concern: that one key has many did:jwk, since a JWK can be written in many ways. Each is its own DID.

use serde_json::Value;

use super::document::RELATIONSHIPS;
use super::{DidDocument, DidError, PublicKey, VerificationMethod, strict_json};
use crate::base64url;

/// What every did:jwk begins with.
pub const PREFIX: &str = "did:jwk:";
/// A JWK is flat; members of one's own may be lists or objects.
const MAX_DEPTH: usize = 4;
/// Longest identifier after the prefix, in bytes: a P-521 key takes 360, and a certificate chain has no business in a name.
const MAX_TEXT_BYTES: usize = 2048;

/// Returns the did:jwk of a public key, with `use` where its kind leaves no choice.
///
/// ```
/// use didagent_didcomm::did::{PublicKey, jwk, resolve_offline};
/// let document = resolve_offline(&jwk::encode(&PublicKey::Ed25519([7; 32]))).unwrap();
/// assert_eq!(document.authentication, [format!("{}#0", document.id)]);
/// ```
pub fn encode(public: &PublicKey) -> String {
    let mut jwk = public.to_jwk();
    match (public.verifies(), public.agrees()) {
        (true, false) => jwk.insert("use".to_owned(), "sig".into()),
        (false, true) => jwk.insert("use".to_owned(), "enc".into()),
        _ => None,
    };
    format!("{PREFIX}{}", base64url::encode(Value::Object(jwk).to_string()))
}

pub(super) fn resolve(did: &str) -> Result<DidDocument, DidError> {
    let text = did.strip_prefix(PREFIX).ok_or(DidError::malformed("not a did:jwk"))?;
    if text.len() > MAX_TEXT_BYTES || text.ends_with('=') {
        return Err(DidError::malformed("did:jwk"));
    }
    let json = base64url::decode(text).ok_or(DidError::malformed("base64url of a JWK"))?;
    let Some(Value::Object(jwk)) = strict_json::parse(&json, MAX_DEPTH) else {
        return Err(DidError::malformed("JWK"));
    };
    // `d` is the private part of every kind that is used here.
    if jwk.contains_key("d") {
        return Err(DidError::malformed("a private key"));
    }
    let key = PublicKey::from_jwk(&jwk).map_err(|_| DidError::malformed("JWK"))?;
    let (signs, encrypts) = match jwk.get("use") {
        None => (true, true),
        Some(Value::String(used)) => (used != "enc", used != "sig"),
        Some(_) => return Err(DidError::malformed("use of a JWK")),
    };
    let mut document = DidDocument::new(did);
    let id = format!("{did}#0");
    for name in RELATIONSHIPS {
        if if name == "keyAgreement" { encrypts } else { signs } {
            document.relationship_mut(name).push(id.clone());
        }
    }
    document.verification_methods.push(VerificationMethod { id, alias: None, key });
    Ok(document)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{MAX_TEXT_BYTES, PREFIX, encode};
    use crate::base64url;
    use crate::did::{DidDocument, DidError, PublicKey, multikey, resolve_offline};

    // The two examples of the method.
    const P256: &str = "did:jwk:eyJjcnYiOiJQLTI1NiIsImt0eSI6IkVDIiwieCI6ImFjYklRaXVNczNpOF91c3pFakoydHBUdFJNNEVVM3l6OTFQSDZDZEgyVjAiLCJ5IjoiX0tjeUxqOXZXTXB0bm1LdG00NkdxRHo4d2Y3NEk1TEtncmwyR3pIM25TRSJ9";
    const X25519: &str = "did:jwk:eyJrdHkiOiJPS1AiLCJjcnYiOiJYMjU1MTkiLCJ1c2UiOiJlbmMiLCJ4IjoiM3A3YmZYdDl3YlRUVzJIQzdPUTFOei1EUThoYmVHZE5yZngtRkctSUswOCJ9";

    fn of(jwk: &serde_json::Value) -> Result<DidDocument, DidError> {
        resolve_offline(&format!("{PREFIX}{}", base64url::encode(jwk.to_string())))
    }

    /// Decides CN-61.
    #[test]
    fn resolves_the_examples_of_the_method() {
        let document = resolve_offline(P256).unwrap();
        let id = format!("{P256}#0");
        assert_eq!(document.verification_methods.len(), 1);
        assert_eq!(document.verification_methods[0].id, id);
        let jwk = document.verification_methods[0].key.to_jwk();
        assert_eq!(jwk["x"], "acbIQiuMs3i8_uszEjJ2tpTtRM4EU3yz91PH6CdH2V0");
        assert_eq!(jwk["y"], "_KcyLj9vWMptnmKtm46GqDz8wf74I5LKgrl2GzH3nSE");
        assert!(document.relationships().all(|(_, ids)| ids == std::slice::from_ref(&id)));
        // It has no `use` and the members in this order: what we would write.
        assert_eq!(encode(&document.verification_methods[0].key), P256);

        let document = resolve_offline(X25519).unwrap();
        assert_eq!(document.key_agreement_kids().collect::<Vec<_>>(), [format!("{X25519}#0")]);
        assert_eq!(document.relationships().filter(|(_, ids)| !ids.is_empty()).count(), 1);
    }

    /// Decides CN-61.
    #[test]
    fn what_is_made_resolves_to_the_same_key_for_what_it_can_do() {
        for text in [
            "z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK",
            "z6LSg8zQom395jKLrGiBNruB9MM6V8PWuf2FpEy4uRFiqQBR",
            "zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169",
            "z82Lm1MpAkeJcix9K8TMiLd5NMAhnwkjjCBeWHXyu3U4oT2MVJJKXkcVBgjGhnLBn2Kaau9",
            "z2J9gaYxrKVpdoG9A4gRnmpnRCcxU6agDtFVVBVdn1JedouoZN7SzcyREXXzWgt3gGiwpoHq7K68X4m32D8HgzG8wv3sY5j7",
            "zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme",
        ] {
            let key = multikey::decode(text).unwrap();
            let document = resolve_offline(&encode(&key)).unwrap();
            assert_eq!(document.verification_methods[0].key, key);
            assert_eq!(!document.key_agreement.is_empty(), key.agrees(), "{text}");
            assert_eq!(!document.authentication.is_empty(), key.verifies(), "{text}");
        }
    }

    /// Decides CN-61.
    #[test]
    fn refuses_private_keys_damage_and_other_kinds() {
        let x = "3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08";
        assert!(of(&json!({"kty": "OKP", "crv": "X25519", "x": x, "kid": ["a"]})).is_ok());
        for bad in [
            json!({"kty": "OKP", "crv": "X25519", "x": x, "d": x}),
            json!({"kty": "OKP", "crv": "X25519", "x": x, "use": 1}),
            json!({"kty": "OKP", "crv": "X25519"}),
            json!({"kty": "OKP", "crv": "Ed448", "x": x}),
            json!({"kty": "RSA", "n": "AQAB", "e": "AQAB"}),
            json!([]),
            json!({"kty": "OKP", "crv": "X25519", "x": x, "long": "x".repeat(MAX_TEXT_BYTES)}),
        ] {
            assert!(matches!(of(&bad), Err(DidError::Malformed { .. })), "{bad}");
        }
        let twice = format!(r#"{{"kty":"OKP","crv":"X25519","x":"{x}","x":"{x}"}}"#);
        assert!(resolve_offline(&format!("{PREFIX}{}", base64url::encode(twice))).is_err());
        for end in 0..X25519.len() {
            assert!(resolve_offline(&X25519[..end]).is_err(), "{end}");
        }
        for tail in ["#0", "=", "A", " ", "?"] {
            assert!(resolve_offline(&format!("{X25519}{tail}")).is_err(), "{tail}");
        }
        assert_eq!(of(&json!({"kty": "OKP", "crv": "Ed25519", "x": x})).unwrap().x25519("#0"), None);
        let signer = PublicKey::Ed25519([1; 32]);
        assert!(resolve_offline(&encode(&signer)).unwrap().key_agreement.is_empty());
    }
}
