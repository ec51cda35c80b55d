//! The format of a JWE: what is read, and what is refused before anything is decrypted.

use serde_json::{Value, json};

use super::{CBC, MAX_ENVELOPE_BYTES, MAX_RECIPIENTS, Party, UnpackError};
use super::{malformed, message, parties, plaintext, seal, unsupported};
use crate::base64url;
use crate::envelope::Unpacked;

#[expect(clippy::unwrap_in_result, reason = "a test helper; the result is what it is asked for")]
/// Changes the JSON of an envelope that opens, and returns what then happens.
fn altered(change: impl FnOnce(&mut Value)) -> Result<Unpacked, UnpackError> {
    let (alice, bob, _) = parties();
    let jwe = seal(Some(alice.sender()), bob.recipient(), CBC, &plaintext(&message(&alice, &bob)));
    let mut jwe: Value = serde_json::from_slice(&jwe).unwrap();
    change(&mut jwe);
    bob.unpack(&serde_json::to_vec(&jwe).unwrap())
}

/// Changes the protected header. What is wrong with it must be found before anything is decrypted.
fn with_header(change: impl FnOnce(&mut Value)) -> Result<Unpacked, UnpackError> {
    altered(|jwe| {
        let header = base64url::decode(jwe["protected"].as_str().unwrap()).unwrap();
        let mut header: Value = serde_json::from_slice(&header).unwrap();
        change(&mut header);
        jwe["protected"] = base64url::encode(serde_json::to_vec(&header).unwrap()).into();
    })
}

/// Decides CN-05, CN-20, CN-22.
#[test]
fn reads_exactly_the_supported_headers() {
    for (name, value, what) in [
        ("typ", json!("application/didcomm-signed+json"), "typ"),
        ("alg", json!("ECDH-ES+A128KW"), "alg"),
        ("alg", json!("dir"), "alg"),
        ("enc", json!("A128CBC-HS256"), "enc"),
        ("enc", json!("A256GCM"), "enc under authcrypt"),
        ("enc", json!("XC20P"), "enc under authcrypt"),
        ("crit", json!(["exp"]), "crit"),
        ("zip", json!("DEF"), "zip"),
        ("epk", json!({"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"}), "curve"),
        ("epk", json!({"kty": "EC", "crv": "X25519", "x": "AA"}), "curve"),
        ("epk", json!({"kty": "OKP", "crv": "Ed25519", "x": "AA"}), "curve"),
    ] {
        assert_eq!(with_header(|header| header[name] = value.clone()), unsupported(what), "{name} {value}");
    }
    assert_eq!(with_header(|header| header["epk"]["x"] = json!("AA")), malformed("epk"));
    assert_eq!(with_header(|header| header["kid"] = json!("x")), malformed("kid in the protected header"));
    for name in ["alg", "enc", "epk", "apv"] {
        let missing = with_header(|header| drop(header.as_object_mut().unwrap().remove(name)));
        assert_eq!(missing, malformed("protected header"), "{name}");
    }
    // An unknown header is read, and then changes the authenticated bytes.
    assert_eq!(with_header(|header| header["new"] = json!(1)), Err(UnpackError::Undecryptable));
}

/// Decides CN-21, CN-22.
#[test]
fn rejects_headers_in_the_wrong_place_and_members_twice() {
    assert!(altered(|_| ()).is_ok());
    assert!(altered(|jwe| jwe["new"] = json!(1)).is_ok(), "unknown members are ignored");
    assert!(altered(|jwe| jwe["recipients"][0]["header"]["new"] = json!(1)).is_ok());
    for name in ["typ", "alg", "enc", "epk", "apu", "apv", "skid", "crit", "zip"] {
        let what = "unprotected header that must be protected";
        assert_eq!(
            altered(|jwe| jwe["recipients"][0]["header"][name] = json!("x")),
            malformed(what),
            "{name}"
        );
        assert_eq!(altered(|jwe| jwe["unprotected"][name] = json!("x")), malformed(what), "{name}");
    }
    assert_eq!(altered(|jwe| jwe["unprotected"]["kid"] = json!("x")), malformed("shared kid"));
    assert_eq!(altered(|jwe| jwe["aad"] = json!("AA")), unsupported("additional authenticated data"));

    let (alice, bob, _) = parties();
    let jwe = seal(Some(alice.sender()), bob.recipient(), CBC, &plaintext(&message(&alice, &bob)));
    let jwe = String::from_utf8(jwe).unwrap();
    for (member, once) in [("tag", "\"tag\":"), ("iv", "\"iv\":"), ("protected", "\"protected\":")] {
        let twice = jwe.replacen(once, &format!("\"{member}\":\"AA\",{once}"), 1);
        assert_eq!(bob.unpack(twice.as_bytes()), malformed("JWE"), "{member}");
    }
    let twice = jwe.replacen("{\"kid\":", "{\"kid\":\"x\",\"kid\":", 1);
    assert_eq!(bob.unpack(twice.as_bytes()), malformed("JWE"));
}

/// Decides CN-09, CN-19.
#[test]
fn rejects_recipients_that_are_none_too_many_repeated_or_of_several_dids() {
    assert_eq!(altered(|jwe| jwe["recipients"] = json!([])), malformed("number of recipients"));
    let repeat = |times: usize| {
        altered(|jwe| {
            let first = jwe["recipients"][0].clone();
            jwe["recipients"] = vec![first; times].into();
        })
    };
    assert_eq!(repeat(2), malformed("a recipient twice"));
    assert_eq!(repeat(MAX_RECIPIENTS + 1), malformed("number of recipients"));
    let add = |kid: &str| {
        altered(|jwe| {
            let mut second = jwe["recipients"][0].clone();
            second["header"]["kid"] = json!(kid);
            jwe["recipients"].as_array_mut().unwrap().push(second);
        })
    };
    assert_eq!(add(&Party::new(3).kid), malformed("recipients of several DIDs"));
    let other_key = format!("{}#key-3", Party::new(2).did);
    assert_eq!(add(&other_key), malformed("apv is not the hash of the recipients"));
    let without_kid = altered(|jwe| jwe["recipients"][0]["header"] = json!({}));
    assert_eq!(without_kid, malformed("recipient without kid"));
}

#[test]
fn reads_base64url_with_padding() {
    let padded = altered(|jwe| {
        for member in ["iv", "ciphertext", "tag"] {
            let text = jwe[member].as_str().unwrap().to_owned();
            jwe[member] = format!("{text}{}", "=".repeat((4 - text.len() % 4) % 4)).into();
        }
    });
    assert!(padded.is_ok());
}

/// Decides CN-09.
#[test]
fn bounds_size_and_depth() {
    let (_, bob, _) = parties();
    let large = vec![b' '; MAX_ENVELOPE_BYTES + 1];
    assert_eq!(bob.unpack(&large), Err(UnpackError::TooLarge { got: large.len() }));
    let deep = format!("{{\"type\":{}", "[".repeat(100_000));
    assert_eq!(bob.unpack(deep.as_bytes()), malformed("JSON object"));
    for bytes in [&b""[..], b"{}", b"[]", b"null", b"{\"ciphertext\":1,\"type\":1}", b"\xff", b"e30.e30.AA"] {
        assert!(bob.unpack(bytes).is_err());
    }
}
