//! The peer `affinidi-messaging-didcomm` 0.15.11: a program as `play::driver` describes it.
//!
//! The library has no resolver: whoever calls it looks up the key that an envelope names. Where it has no call for a nesting,
//! its calls for the layers are put one after the other.

use std::collections::HashMap;
use std::io::{BufRead as _, Write as _, stdin, stdout};

use affinidi_crypto::jose::key_agreement::{Curve, PrivateKeyAgreement, PublicKeyAgreement};
use affinidi_messaging_didcomm::jwe::decrypt::authcrypt_sender_kid;
use affinidi_messaging_didcomm::jwe::encrypt::{anoncrypt, authcrypt};
use affinidi_messaging_didcomm::jws::sign::{JwsSigner, sign_multi};
use affinidi_messaging_didcomm::jws::verify::{SignerKey, VerifyKey};
use affinidi_messaging_didcomm::message::forward::{unwrap_forward, wrap_in_forward};
use affinidi_messaging_didcomm::message::pack;
use affinidi_messaging_didcomm::message::unpack::unpack_bound;
use affinidi_messaging_didcomm::{Message, SenderKey, UnpackResult};
use didagent_didcomm::did::{PublicKey, did_of};
use didagent_didcomm::protocols::b64url_decode;
use serde_json::{Value, json};

/// Its own words, or ours in front for what it cannot be asked for.
type Result<T> = std::result::Result<T, String>;

const ABSENT: &str = "absent: ";

fn main() {
    for line in stdin().lock().lines() {
        let job: Value = serde_json::from_str(&line.expect("a line")).expect("a job");
        let answer = match answer(&Job { job: &job }) {
            Ok(ok) => json!({"ok": ok}),
            Err(error) => match error.strip_prefix(ABSENT) {
                Some(absent) => json!({"absent": absent}),
                None => json!({"error": error}),
            },
        };
        writeln!(stdout(), "{answer}").expect("somebody listens");
    }
}

fn answer(job: &Job) -> Result<Value> {
    match job.text("op") {
        "pack" => Ok(json!({"packed": job.pack()?})),
        "unpack" => job.unpack(),
        "forwarded" => match job.open(job.text("packed"))? {
            UnpackResult::Encrypted { message, .. } => {
                let (next, packed) = unwrap_forward(&message).map_err(said)?;
                Ok(json!({"next": next, "packed": packed}))
            }
            _ => Err("not encrypted".to_owned()),
        },
        // Cargo.toml pins the one with `=`, Cargo.lock the other.
        _ => Ok(json!({"affinidi-messaging-didcomm": "0.15.11"})),
    }
}

fn said(error: impl std::fmt::Display) -> String {
    error.to_string()
}

struct Job<'a> {
    job: &'a Value,
}

impl<'a> Job<'a> {
    fn text(&self, name: &str) -> &'a str {
        self.job[name].as_str().unwrap_or_default()
    }

    /// Every public key of the documents, by its id.
    fn methods(&self) -> HashMap<&'a str, &'a Value> {
        let documents = self.job["documents"].as_array().into_iter().flatten();
        let methods = documents.filter_map(|document| document["verificationMethod"].as_array()).flatten();
        methods.filter_map(|method| Some((method["id"].as_str()?, &method["publicKeyJwk"]))).collect()
    }

    fn agree(&self, kid: &str) -> Result<PublicKeyAgreement> {
        let jwk = *self.methods().get(kid).ok_or_else(|| format!("no key {kid}"))?;
        PublicKeyAgreement::from_jwk(jwk).map_err(said)
    }

    /// The secret whose id ends like this, with its id.
    fn secret(&self, ending: &str) -> Result<(&'a str, &'a Value)> {
        let secrets = self.job["secrets"].as_array().into_iter().flatten();
        let mut named = secrets.filter_map(|secret| Some((secret["kid"].as_str()?, &secret["jwk"])));
        named.find(|(kid, _)| kid.ends_with(ending)).ok_or_else(|| format!("no secret {ending}"))
    }

    fn own_agree(&self) -> Result<(&'a str, PrivateKeyAgreement)> {
        let (kid, jwk) = self.secret("#agree")?;
        let curves = [Curve::X25519, Curve::P256, Curve::P384, Curve::P521];
        let curve = curves.into_iter().find(|curve| jwk["crv"] == curve.jwk_crv()).ok_or("no such curve")?;
        Ok((kid, PrivateKeyAgreement::from_raw_bytes(curve, &scalar(jwk)?).map_err(said)?))
    }

    fn pack(&self) -> Result<String> {
        let message: Message = serde_json::from_value(self.job["message"].clone()).map_err(said)?;
        let kind = self.text("kind");
        let inner = match kind {
            "plain" => return pack::pack_plaintext(&message).map_err(said),
            _ if !self.job["sign_by"].is_null() => self.sign(&message)?,
            _ => pack::pack_plaintext(&message).map_err(said)?,
        };
        if kind == "sign" {
            return Ok(inner);
        }
        if self.text("enc") != "A256CBC-HS512" {
            return Err(format!("{ABSENT}it always writes A256CBC-HS512"));
        }
        let recipient = format!("{}#agree", self.text("to"));
        let anonymously = |plaintext: &str, kid: &str| -> Result<String> {
            anoncrypt(plaintext.as_bytes(), &[(kid, &self.agree(kid)?)]).map_err(said)
        };
        let from_us = |plaintext: &str| -> Result<String> {
            let (kid, secret) = self.own_agree()?;
            let to = [(recipient.as_str(), &self.agree(&recipient)?)];
            authcrypt(plaintext.as_bytes(), kid, &secret, &to).map_err(said)
        };
        match kind {
            "auth" | "auth(sign)" => from_us(&inner),
            "anon" | "anon(sign)" => anonymously(&inner, &recipient),
            "anon(auth)" => anonymously(&from_us(&inner)?, &recipient),
            _ => {
                let forward = wrap_in_forward(self.text("to"), &from_us(&inner)?).map_err(said)?;
                let forward = String::from_utf8(forward.to_json().map_err(said)?).map_err(said)?;
                anonymously(&forward, &self.mediator()?)
            }
        }
    }

    /// The library leaves it to its caller to find the mediator.
    fn mediator(&self) -> Result<String> {
        let documents = self.job["documents"].as_array().into_iter().flatten();
        let recipient = documents.into_iter().find(|document| document["id"] == self.job["to"]);
        let endpoint = &recipient.ok_or("no recipient")?["service"][0]["serviceEndpoint"];
        let key = endpoint["routingKeys"][0].as_str().map(str::to_owned);
        let did = endpoint["uri"].as_str().unwrap_or_default();
        Ok(key.unwrap_or_else(|| format!("{did}#agree")))
    }

    fn sign(&self, message: &Message) -> Result<String> {
        let (kid, jwk) = self.secret("#sign")?;
        let private: &[u8; 32] = &scalar(jwk)?.try_into().map_err(|_| "a scalar of another length")?;
        let signer = match jwk["crv"].as_str() {
            Some("Ed25519") => JwsSigner::Ed25519 { kid, private },
            Some("P-256") => JwsSigner::P256 { kid, private },
            _ => JwsSigner::Secp256k1 { kid, private },
        };
        sign_multi(&message.to_json().map_err(said)?, &[signer]).map_err(said)
    }

    /// Opens one envelope; a JWS, in it or alone, must be of a sender whom the documents name.
    fn open(&self, packed: &str) -> Result<UnpackResult> {
        let (recipient, secret) = self.own_agree()?;
        let json: Value = serde_json::from_str(packed).map_err(said)?;
        let encrypted = json.get("ciphertext").is_some();
        let sender = if encrypted { authcrypt_sender_kid(packed).map_err(said)? } else { None };
        let sender_key = sender.as_deref().map(|kid| self.agree(kid)).transpose()?;
        let sender = sender.as_deref().zip(sender_key.as_ref()).map(|(kid, key)| SenderKey::new(kid, key));
        let (signer, signer_key) = self.signer()?;
        let signer = SignerKey::new(&signer, &signer_key);
        unpack_bound(packed, Some(recipient), Some(&secret), sender, Some(signer)).map_err(said)
    }

    /// It wants to be told beforehand who may have signed.
    fn signer(&self) -> Result<(String, VerifyKey)> {
        let methods = self.methods();
        let own = did_of(self.secret("#agree")?.0);
        let mut others = methods.iter().filter(|(kid, _)| kid.ends_with("#sign") && did_of(kid) != own);
        let alice = others.find(|(kid, _)| kid.contains(":alice")).ok_or("nobody signs")?;
        let jwk = alice.1.as_object().ok_or("no JWK")?;
        let key = match PublicKey::from_jwk(jwk).map_err(said)? {
            PublicKey::Ed25519(key) => VerifyKey::Ed25519(key),
            PublicKey::P256(point) => VerifyKey::P256(point.to_vec()),
            PublicKey::Secp256k1(point) => VerifyKey::Secp256k1(point.to_vec()),
            _ => return Err("no key that signs".to_owned()),
        };
        Ok(((*alice.0).to_owned(), key))
    }

    fn unpack(&self) -> Result<Value> {
        let (message, sender, signer) = match self.open(self.text("packed"))? {
            UnpackResult::Encrypted { message, sender_kid, signer_kid, .. } => {
                (message, sender_kid, signer_kid)
            }
            UnpackResult::Signed { message, signer_kid } => (message, None, signer_kid),
            UnpackResult::Plaintext(message) => (message, None, None),
            _ => return Err("a kind of result that this program does not know".to_owned()),
        };
        Ok(json!({"message": message, "sender": sender, "signer": signer}))
    }
}

fn scalar(jwk: &Value) -> Result<Vec<u8>> {
    jwk["d"].as_str().and_then(b64url_decode).ok_or_else(|| "no scalar".to_owned())
}
