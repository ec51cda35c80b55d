//! JWE in the General JSON Serialization, as DIDComm restricts it.
//!
//! RFC 7516 sections 4, 7.2.1; DIDComm Messaging v2.1, "ECDH-1PU key wrapping and common protected headers".
//!
//! Types that end in `In` hold what a stranger wrote. Members that are read may appear once; a header may be protected
//! or not, but not both. Members with other names are ignored.

use std::borrow::Cow;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::content::{ContentEncryption, Sealed};
use super::{MAX_RECIPIENTS, UnpackError};
use crate::base64url;
use crate::did::{KeyError, PublicKey, did_of};

/// Media type of an encrypted message, the value of the `typ` header.
pub(super) const ENCRYPTED_TYP: &str = "application/didcomm-encrypted+json";

/// How the content key is agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyAgreement {
    /// With the sender's static key: authcrypt.
    Ecdh1Pu,
    /// With an ephemeral key alone: anoncrypt.
    EcdhEs,
}

impl KeyAgreement {
    /// The `alg` header.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Ecdh1Pu => "ECDH-1PU+A256KW",
            Self::EcdhEs => "ECDH-ES+A256KW",
        }
    }
}

/// An envelope whose format is right; nothing in it is authenticated yet.
pub(super) struct Jwe<'a> {
    pub(super) alg: KeyAgreement,
    pub(super) enc: ContentEncryption,
    pub(super) epk: PublicKey,
    /// DID URL of the sender's key: present under ECDH-1PU, absent under ECDH-ES.
    pub(super) sender_kid: Option<String>,
    /// Decoded `apu`, empty when absent.
    pub(super) apu: Vec<u8>,
    /// Decoded `apv`, equal to the hash of the recipients.
    pub(super) apv: [u8; 32],
    /// Different keys of one DID, at least one.
    pub(super) recipients: Vec<Recipient>,
    pub(super) content: Sealed,
    /// The protected header as it was sent.
    pub(super) aad: Cow<'a, str>,
}

pub(super) struct Recipient {
    pub(super) kid: String,
    pub(super) encrypted_key: Vec<u8>,
}

/// The members of a JWE that are read.
pub(super) struct JweIn<'a> {
    pub(super) protected: Cow<'a, str>,
    pub(super) unprotected: Option<UnprotectedIn>,
    pub(super) recipients: Vec<RecipientIn<'a>>,
    pub(super) iv: Cow<'a, str>,
    pub(super) ciphertext: Cow<'a, str>,
    pub(super) tag: Cow<'a, str>,
    pub(super) aad: Option<IgnoredAny>,
}

#[derive(Deserialize)]
pub(super) struct RecipientIn<'a> {
    header: UnprotectedIn,
    #[serde(borrow)]
    encrypted_key: Cow<'a, str>,
}

/// A header outside of the authenticated part. Of the names that mean something only `kid` may stand there.
#[derive(Deserialize)]
pub(super) struct UnprotectedIn {
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    typ: Option<IgnoredAny>,
    #[serde(default)]
    alg: Option<IgnoredAny>,
    #[serde(default)]
    enc: Option<IgnoredAny>,
    #[serde(default)]
    epk: Option<IgnoredAny>,
    #[serde(default)]
    apu: Option<IgnoredAny>,
    #[serde(default)]
    apv: Option<IgnoredAny>,
    #[serde(default)]
    skid: Option<IgnoredAny>,
    #[serde(default)]
    crit: Option<IgnoredAny>,
    #[serde(default)]
    zip: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct ProtectedIn {
    #[serde(default)]
    typ: Option<String>,
    alg: String,
    enc: String,
    epk: EpkIn,
    #[serde(default)]
    apu: Option<String>,
    apv: String,
    #[serde(default)]
    skid: Option<String>,
    #[serde(default)]
    kid: Option<IgnoredAny>,
    #[serde(default)]
    crit: Option<IgnoredAny>,
    #[serde(default)]
    zip: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct EpkIn {
    kty: String,
    crv: String,
    x: String,
    #[serde(default)]
    y: Option<String>,
}

pub(super) const fn malformed(what: &'static str) -> UnpackError {
    UnpackError::Malformed { what }
}

pub(super) const fn unsupported(what: &'static str) -> UnpackError {
    UnpackError::Unsupported { what }
}

impl<'a> JweIn<'a> {
    /// Checks everything that needs no key.
    pub(super) fn check(self) -> Result<Jwe<'a>, UnpackError> {
        let jwe = self;
        let protected = base64url::decode(jwe.protected.as_bytes()).ok_or(malformed("protected header"))?;
        let protected: ProtectedIn =
            serde_json::from_slice(&protected).map_err(|_| malformed("protected header"))?;
        if jwe.aad.is_some() {
            return Err(unsupported("additional authenticated data"));
        }
        jwe.unprotected.as_ref().map_or(Ok(()), |header| {
            if header.kid.is_some() { Err(malformed("shared kid")) } else { header.check() }
        })?;
        let recipients = read_recipients(jwe.recipients)?;

        let (alg, enc) = protected.algorithms()?;
        let epk = protected.epk.read()?;
        let apv = apv(recipients.iter().map(|recipient| recipient.kid.as_str()));
        // Not a secret, so an ordinary comparison will do.
        if base64url::decode_array(&protected.apv) != Some(apv) {
            return Err(malformed("apv is not the hash of the recipients"));
        }
        let (sender_kid, apu) = protected.sender(alg)?;

        let decode = |text: &str, what| base64url::decode(text).ok_or(malformed(what));
        Ok(Jwe {
            alg,
            enc,
            epk,
            sender_kid,
            apu,
            apv,
            recipients,
            content: Sealed {
                iv: decode(&jwe.iv, "iv")?,
                ciphertext: decode(&jwe.ciphertext, "ciphertext")?,
                tag: decode(&jwe.tag, "tag")?,
            },
            aad: jwe.protected,
        })
    }
}

fn read_recipients(recipients: Vec<RecipientIn<'_>>) -> Result<Vec<Recipient>, UnpackError> {
    if recipients.is_empty() || recipients.len() > MAX_RECIPIENTS {
        return Err(malformed("number of recipients"));
    }
    let recipients = recipients
        .into_iter()
        .map(|recipient| {
            recipient.header.check()?;
            Ok(Recipient {
                kid: recipient.header.kid.ok_or(malformed("recipient without kid"))?,
                encrypted_key: base64url::decode(recipient.encrypted_key.as_bytes())
                    .ok_or(malformed("encrypted_key"))?,
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    one_did(recipients.iter().map(|recipient| recipient.kid.as_str())).map_err(malformed)?;
    Ok(recipients)
}

/// Checks that `kids` are different keys of one DID.
pub(super) fn one_did<'k>(kids: impl Iterator<Item = &'k str>) -> Result<(), &'static str> {
    let mut kids: Vec<_> = kids.collect();
    kids.sort_unstable();
    if kids.windows(2).any(|pair| pair.first() == pair.last()) {
        return Err("a recipient twice");
    }
    if kids.iter().any(|kid| Some(did_of(kid)) != kids.first().map(|first| did_of(first))) {
        return Err("recipients of several DIDs");
    }
    Ok(())
}

/// `SHA-256(kids, sorted, joined by ".")`.
pub(super) fn apv<'k>(kids: impl Iterator<Item = &'k str>) -> [u8; 32] {
    let mut kids: Vec<_> = kids.collect();
    kids.sort_unstable();
    Sha256::digest(kids.join(".")).into()
}

impl UnprotectedIn {
    fn check(&self) -> Result<(), UnpackError> {
        let Self { kid: _, typ, alg, enc, epk, apu, apv, skid, crit, zip } = self;
        if [typ, alg, enc, epk, apu, apv, skid, crit, zip].into_iter().any(Option::is_some) {
            return Err(malformed("unprotected header that must be protected"));
        }
        Ok(())
    }
}

impl ProtectedIn {
    fn algorithms(&self) -> Result<(KeyAgreement, ContentEncryption), UnpackError> {
        if self.typ.as_deref().is_some_and(|typ| typ != ENCRYPTED_TYP) {
            return Err(unsupported("typ"));
        }
        if self.crit.is_some() {
            return Err(unsupported("crit"));
        }
        if self.zip.is_some() {
            return Err(unsupported("zip"));
        }
        if self.kid.is_some() {
            return Err(malformed("kid in the protected header"));
        }
        let alg = [KeyAgreement::Ecdh1Pu, KeyAgreement::EcdhEs]
            .into_iter()
            .find(|alg| alg.name() == self.alg)
            .ok_or(unsupported("alg"))?;
        let enc = ContentEncryption::from_name(&self.enc).ok_or(unsupported("enc"))?;
        // Without key commitment, a recipient could re-encrypt a message to another recipient in the sender's name.
        if alg == KeyAgreement::Ecdh1Pu && enc != ContentEncryption::A256CbcHs512 {
            return Err(unsupported("enc under authcrypt"));
        }
        Ok((alg, enc))
    }

    /// Returns the sender's key and the decoded `apu`.
    fn sender(&self, alg: KeyAgreement) -> Result<(Option<String>, Vec<u8>), UnpackError> {
        let apu = match &self.apu {
            Some(apu) => Some(base64url::decode(apu).ok_or(malformed("apu"))?),
            None => None,
        };
        match alg {
            KeyAgreement::EcdhEs if self.skid.is_some() => Err(malformed("skid under anoncrypt")),
            KeyAgreement::EcdhEs => Ok((None, apu.unwrap_or_default())),
            KeyAgreement::Ecdh1Pu => {
                let apu = apu.ok_or(malformed("authcrypt without apu"))?;
                let kid = std::str::from_utf8(&apu).map_err(|_| malformed("apu"))?.to_owned();
                if self.skid.as_ref().is_some_and(|skid| *skid != kid) {
                    return Err(malformed("apu is not skid"));
                }
                Ok((Some(kid), apu))
            }
        }
    }
}

impl EpkIn {
    fn read(&self) -> Result<PublicKey, UnpackError> {
        if !["X25519", "P-256", "P-384", "P-521"].contains(&self.crv.as_str()) {
            return Err(unsupported("curve"));
        }
        // Points that are not on their curve end here.
        match PublicKey::from_jwk_members(&self.kty, &self.crv, Some(&self.x), self.y.as_deref()) {
            Ok(epk) => Ok(epk),
            Err(KeyError::Unsupported) => Err(unsupported("curve")),
            Err(KeyError::Malformed) => Err(malformed("epk")),
        }
    }
}

#[derive(Serialize)]
pub(super) struct ProtectedOut<'a> {
    pub(super) typ: &'a str,
    pub(super) alg: &'a str,
    pub(super) enc: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) skid: Option<&'a str>,
    #[serde(skip_serializing_if = "<[u8]>::is_empty", serialize_with = "as_base64url")]
    pub(super) apu: &'a [u8],
    #[serde(serialize_with = "as_base64url")]
    pub(super) apv: [u8; 32],
    pub(super) epk: EpkOut,
}

/// The ephemeral key. The curve that our own DIDs have is written without the detour of a map.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum EpkOut {
    X25519 {
        kty: &'static str,
        crv: &'static str,
        #[serde(serialize_with = "as_base64url")]
        x: [u8; 32],
    },
    Point(Map<String, Value>),
}

impl EpkOut {
    pub(super) fn new(public: &PublicKey) -> Self {
        match public {
            PublicKey::X25519(x) => Self::X25519 { kty: "OKP", crv: "X25519", x: *x },
            point => Self::Point(point.to_jwk()),
        }
    }
}

fn as_base64url<S: Serializer>(bytes: impl AsRef<[u8]>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&base64url::encode(bytes))
}
