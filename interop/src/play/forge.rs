//! Envelopes that contradict themselves, as only somebody who means harm writes them, and what must become of each.
//!
//! ```text
//! FORMS:     a genuine envelope, written here ---> a peer that does not read it cannot be asked about its forgeries
//! FORGERIES: the same with one change -----------> must be refused
//! ```
//!
//! Alice writes to Bob. Mallory has a DID and keys of his own, and `prior` is a DID whose place Alice takes. No library writes
//! such envelopes when it is asked to, so the layers are put together here from the primitives of `affinidi-crypto`.

use affinidi_crypto::jose::key_agreement::{
    Curve, EphemeralKeyPair, PrivateKeyAgreement, PublicKeyAgreement,
};
use affinidi_crypto::jose::{aes_kw, content_encryption, ecdh, signing};
use didagent_didcomm::protocols::{b64url_decode, b64url_encode};
use serde_json::{Value, json};

use super::case::{Case, Kind};
use super::identity::Identity;

/// The forms of envelopes that are forged.
pub const FORMS: [&str; 7] =
    ["auth", "anon(auth)", "anon", "sign", "anon(sign)", "auth(sign)", "auth, from_prior"];

const CONSISTENCY: &str = "DIDComm 2.1, Message Layer Addressing Consistency";
const SIGNING: &str = "DIDComm 2.1, Message Signing, Verification";
const ECDH_1PU: &str = "DIDComm 2.1, ECDH-1PU key wrapping and common protected headers";
const ROTATION: &str = "DIDComm 2.1, DID Rotation";

/// One way to forge an envelope.
#[derive(Debug)]
pub struct Forgery {
    /// What is forged.
    pub name: &'static str,
    /// The form of [`FORMS`] that was changed.
    pub form: &'static str,
    /// Why it must be refused.
    pub section: &'static str,
    change: fn(&mut Said),
}

/// All of them.
pub const FORGERIES: &[Forgery] = &[
    forgery("auth", "`from` is Alice, Mallory encrypted", CONSISTENCY, |said| {
        said.encrypted_by(Who::Mallory)
    }),
    forgery("auth", "no `from`", CONSISTENCY, |said| said.from = None),
    forgery("auth", "`to` is Mallory alone", CONSISTENCY, |said| said.to = Who::Mallory),
    forgery("auth", "`skid` and `apu` name Alice's key, Mallory's encrypted", ECDH_1PU, |said| {
        said.auth().key = Who::Mallory;
    }),
    forgery("auth", "`apu` and `from` name Alice, `skid` Mallory, who encrypted", ECDH_1PU, |said| {
        said.encrypted_by(Who::Mallory);
        said.auth().apu = Who::Alice;
    }),
    forgery("auth", "`apu` names Mallory, all else Alice", ECDH_1PU, |said| said.auth().apu = Who::Mallory),
    forgery("auth", "`apv` is that of Mallory's key", ECDH_1PU, |said| said.auth().apv = Who::Mallory),
    forgery("anon(auth)", "`from` is Alice, Mallory encrypted", CONSISTENCY, |said| {
        said.encrypted_by(Who::Mallory);
    }),
    forgery("anon(auth)", "`to` is Mallory alone", CONSISTENCY, |said| said.to = Who::Mallory),
    forgery("anon", "`to` is Mallory alone", CONSISTENCY, |said| said.to = Who::Mallory),
    forgery("sign", "`from` is Alice, Mallory signed", SIGNING, |said| said.signed_by(Who::Mallory)),
    forgery("sign", "no `from`", CONSISTENCY, |said| said.from = None),
    forgery("sign", "`kid` is Alice's, Mallory's key signed", SIGNING, |said| {
        said.sign = Some(Sign { kid: Who::Alice, key: Who::Mallory });
    }),
    forgery("anon(sign)", "`from` is Alice, Mallory signed", SIGNING, |said| said.signed_by(Who::Mallory)),
    forgery("anon(sign)", "what Alice signed for Mallory, passed on to Bob", CONSISTENCY, |said| {
        said.to = Who::Mallory;
    }),
    forgery("auth(sign)", "Alice signed, Mallory encrypted", CONSISTENCY, |said| {
        said.encrypted_by(Who::Mallory);
    }),
    forgery("auth(sign)", "Mallory signed, Alice encrypted", CONSISTENCY, |said| {
        said.signed_by(Who::Mallory)
    }),
    forgery("auth, from_prior", "`sub` is Mallory", ROTATION, |said| said.prior().sub = Who::Mallory),
    forgery("auth, from_prior", "`kid` is of Mallory, who signed, `iss` is not", ROTATION, |said| {
        said.prior().kid = Who::Mallory;
        said.prior().key = Who::Mallory;
    }),
    forgery("auth, from_prior", "`kid` is of `iss`, Mallory's key signed", ROTATION, |said| {
        said.prior().key = Who::Mallory;
    }),
    forgery("auth, from_prior", "`alg` is `none`, and no signature", ROTATION, |said| {
        said.prior().none = true
    }),
];

const fn forgery(
    form: &'static str,
    name: &'static str,
    section: &'static str,
    change: fn(&mut Said),
) -> Forgery {
    Forgery { name, form, section, change }
}

/// Whose DID, or whose key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Alice,
    Mallory,
    Bob,
    Prior,
}

/// What an envelope says, and by which keys.
#[derive(Debug)]
struct Said {
    from: Option<Who>,
    to: Who,
    prior: Option<Prior>,
    sign: Option<Sign>,
    auth: Option<Auth>,
    anonymous: bool,
}

#[derive(Debug)]
struct Prior {
    kid: Who,
    sub: Who,
    key: Who,
    none: bool,
}

#[derive(Debug)]
struct Sign {
    kid: Who,
    key: Who,
}

#[derive(Debug)]
struct Auth {
    skid: Who,
    apu: Who,
    apv: Who,
    key: Who,
}

impl Said {
    /// What Alice says in an envelope of this form.
    fn genuine(form: &str) -> Self {
        let alice = Who::Alice;
        let (auth, sign) = (form.contains("auth"), form.contains("sign"));
        Self {
            from: Some(alice),
            to: Who::Bob,
            prior: form.ends_with("from_prior").then_some(Prior {
                kid: Who::Prior,
                sub: alice,
                key: Who::Prior,
                none: false,
            }),
            sign: sign.then_some(Sign { kid: alice, key: alice }),
            auth: auth.then_some(Auth { skid: alice, apu: alice, apv: Who::Bob, key: alice }),
            anonymous: form.starts_with("anon"),
        }
    }

    fn auth(&mut self) -> &mut Auth {
        self.auth.as_mut().expect("an authcrypt layer")
    }

    fn prior(&mut self) -> &mut Prior {
        self.prior.as_mut().expect("a rotation")
    }

    fn encrypted_by(&mut self, who: Who) {
        self.auth = Some(Auth { skid: who, apu: who, apv: Who::Bob, key: who });
    }

    fn signed_by(&mut self, who: Who) {
        self.sign = Some(Sign { kid: who, key: who });
    }
}

/// Those who take part.
#[derive(Debug)]
pub struct Stage {
    alice: Identity,
    bob: Identity,
    mallory: Identity,
    prior: Identity,
}

impl Default for Stage {
    fn default() -> Self {
        let case = Case { kind: Kind::Auth, curve: "X25519", enc: Some("A256CBC-HS512"), sign: "EdDSA" };
        let of = |who| Identity::of(who, &case);
        Self { alice: of("alice"), bob: of("bob"), mallory: of("mallory"), prior: of("prior") }
    }
}

impl Stage {
    /// Bob, who reads.
    pub fn reader(&self) -> &Identity {
        &self.bob
    }

    /// All whose documents Bob has.
    pub fn known(&self) -> [&Identity; 4] {
        [&self.alice, &self.bob, &self.mallory, &self.prior]
    }

    /// The body of every message here.
    pub fn body() -> Value {
        json!({"said": "pay Mallory"})
    }

    /// The job of the peer that reads as Bob.
    pub fn job(&self, packed: &str) -> Value {
        let documents = self.known().map(|party| &party.document);
        json!({"op": "unpack", "packed": packed, "documents": documents, "secrets": self.bob.secrets})
    }

    /// An envelope of this form with nothing wrong in it.
    pub fn genuine(&self, form: &str) -> String {
        self.write(&Said::genuine(form))
    }

    /// A forged one.
    pub fn forged(&self, forgery: &Forgery) -> String {
        let mut said = Said::genuine(forgery.form);
        (forgery.change)(&mut said);
        self.write(&said)
    }

    fn write(&self, said: &Said) -> String {
        let mut message = json!({
            "id": "e2f0a1d4-6b0d-4a51-9d56-3d1c6c4ab7a0",
            "typ": "application/didcomm-plain+json",
            "type": "https://example.com/protocols/try/1.0/said",
            "to": [self.of(said.to).did],
            "created_time": 1_700_000_000,
            "body": Self::body(),
        });
        if let Some(from) = said.from {
            message["from"] = self.of(from).did.clone().into();
        }
        if let Some(prior) = &said.prior {
            message["from_prior"] = self.rotation(prior).into();
        }
        let mut packed = message.to_string();
        if let Some(Sign { kid, key }) = said.sign {
            packed = self.signed(&packed, kid, key);
        }
        if let Some(auth) = &said.auth {
            packed = self.authcrypt(&packed, auth);
        }
        if said.anonymous { self.anoncrypt(&packed) } else { packed }
    }

    fn of(&self, who: Who) -> &Identity {
        match who {
            Who::Alice => &self.alice,
            Who::Bob => &self.bob,
            Who::Mallory => &self.mallory,
            Who::Prior => &self.prior,
        }
    }

    fn signed(&self, payload: &str, kid: Who, key: Who) -> String {
        let protected = encoded(&json!({"typ": "application/didcomm-signed+json", "alg": "EdDSA"}));
        let payload = b64url_encode(payload);
        let signature = self.signature(key, &format!("{protected}.{payload}"));
        let header = json!({"kid": self.of(kid).sign()});
        json!({
            "payload": payload,
            "signatures": [{"protected": protected, "header": header, "signature": signature}],
        })
        .to_string()
    }

    fn rotation(&self, prior: &Prior) -> String {
        let alg = if prior.none { "none" } else { "EdDSA" };
        let header = json!({"typ": "JWT", "alg": alg, "kid": self.of(prior.kid).sign()});
        let (iss, sub) = (&self.prior.did, &self.of(prior.sub).did);
        let claims = json!({"iss": iss, "sub": sub, "iat": 1_700_000_000});
        let signed = format!("{}.{}", encoded(&header), encoded(&claims));
        let signature = if prior.none { String::new() } else { self.signature(prior.key, &signed) };
        format!("{signed}.{signature}")
    }

    fn signature(&self, key: Who, signed: &str) -> String {
        b64url_encode(
            signing::sign(signed.as_bytes(), &secret(&self.of(key).secrets[1])).expect("a signature"),
        )
    }

    fn authcrypt(&self, plaintext: &str, auth: &Auth) -> String {
        let skid = self.of(auth.skid).agree();
        let (apu, apv) = (self.of(auth.apu).agree(), apv(&self.of(auth.apv).agree()));
        let sender = private(self.of(auth.key));
        let header = json!({"alg": "ECDH-1PU+A256KW", "skid": skid, "apu": b64url_encode(&apu)});
        self.jwe(plaintext, header, &apv, |ephemeral, public, tag| {
            ecdh::derive_sender_key_1pu(ephemeral, &sender, public, apu.as_bytes(), &apv, tag).expect("a key")
        })
    }

    fn anoncrypt(&self, plaintext: &str) -> String {
        let apv = apv(&self.bob.agree());
        self.jwe(plaintext, json!({"alg": "ECDH-ES+A256KW"}), &apv, |ephemeral, public, _| {
            ecdh::derive_sender_key(ephemeral, public, &[], &apv).expect("a key")
        })
    }

    /// A JWE for Bob with these members in its header beside the usual ones.
    fn jwe(
        &self,
        plaintext: &str,
        mut header: Value,
        apv: &[u8],
        wrapping_key: impl Fn(&EphemeralKeyPair, &PublicKeyAgreement, &[u8]) -> [u8; 32],
    ) -> String {
        let ephemeral = EphemeralKeyPair::generate(Curve::X25519);
        header["typ"] = "application/didcomm-encrypted+json".into();
        header["enc"] = "A256CBC-HS512".into();
        header["apv"] = b64url_encode(apv).into();
        header["epk"] = ephemeral.public.to_jwk();
        let protected = encoded(&header);
        let (key, iv) = (content_encryption::generate_cek(), content_encryption::generate_iv());
        let (ciphertext, tag) =
            content_encryption::encrypt(plaintext.as_bytes(), &key, &iv, protected.as_bytes())
                .expect("a content");
        let kek = wrapping_key(&ephemeral, &private(&self.bob).public_key(), &tag);
        let wrapped = aes_kw::wrap(&kek, &key).expect("a wrapped key");
        json!({
            "protected": protected,
            "recipients": [{"header": {"kid": self.bob.agree()}, "encrypted_key": b64url_encode(wrapped)}],
            "iv": b64url_encode(iv),
            "ciphertext": b64url_encode(ciphertext),
            "tag": b64url_encode(tag),
        })
        .to_string()
    }
}

fn encoded(json: &Value) -> String {
    b64url_encode(json.to_string())
}

/// Of an envelope for this key alone.
fn apv(kid: &str) -> Vec<u8> {
    use sha2::Digest as _;
    sha2::Sha256::digest(kid).to_vec()
}

fn private(of: &Identity) -> PrivateKeyAgreement {
    PrivateKeyAgreement::from_raw_bytes(Curve::X25519, &secret(&of.secrets[0])).expect("a key of these tests")
}

fn secret(of: &Value) -> [u8; 32] {
    let scalar = of["jwk"]["d"].as_str().and_then(b64url_decode).expect("a scalar");
    scalar.try_into().expect("32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::play::ours;

    /// Decides CN-11, CN-15, CN-16.
    #[test]
    fn ours_reads_every_form_and_refuses_every_forgery() {
        let stage = Stage::default();
        for form in FORMS {
            let read = ours::unpack(&stage.genuine(form), stage.reader(), &stage.known());
            assert!(read.is_ok(), "{form}: {read:?}");
        }
        for forgery in FORGERIES {
            let read = ours::unpack(&stage.forged(forgery), stage.reader(), &stage.known());
            assert!(read.is_err(), "{}: {}", forgery.form, forgery.name);
        }
    }

    #[test]
    fn each_forgery_is_of_a_form_and_told_apart() {
        for (at, forgery) in FORGERIES.iter().enumerate() {
            assert!(FORMS.contains(&forgery.form));
            let same = |other: &Forgery| (other.form, other.name) == (forgery.form, forgery.name);
            assert!(!FORGERIES[..at].iter().any(same), "{}", forgery.name);
        }
    }
}
