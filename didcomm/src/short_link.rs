//! Short links: an id for the mediator that keeps the content, and a secret for whoever reads it.
//!
//! Specification: `spec/invite.md`, section 3; the argument is in `spec/security.md`, section 5.
//!
//! ```text
//! message, salt --hash--> secret --HKDF--> key, take          content = AEAD(key, salt || message)
//! <base>r/<id>#<secret>                    content + take --> decrypt, hash again, compare with secret
//! ```
//!
//! The secret is a hash of the message, so whoever keeps the content cannot put another one in its place, not even if it
//! knows the link. Not its concern: where content is kept (`protocols::short_link`) and how it is fetched (agent).

use chacha20poly1305::ChaCha20Poly1305;
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Nonce, Payload};
use hkdf::Hkdf;
use rand_core::CryptoRng;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use thiserror::Error;
use url::Url;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::base64url;

/// Bytes of an id. Ids are drawn at random and nothing rests on their being unknown; 48 bits keep the 8192 links of a mediator
/// (RL-71) from meeting by chance.
const ID_BYTES: usize = 6;
/// Characters of an id.
const ID_CHARS: usize = 8;
/// Bytes of a secret (IV-09). 160 bits: a second preimage is out of reach, and so is a collision for anybody who would gain by one.
const SECRET_BYTES: usize = 20;
/// Characters of a secret.
pub const SECRET_CHARS: usize = 27;
/// Bytes of the salt: what makes the secret unknown to somebody who knows the message.
const SALT_BYTES: usize = 16;
/// Bytes of the tag of ChaCha20-Poly1305.
const TAG_BYTES: usize = 16;
/// Longest content in bytes (IV-10): ten room invitations.
pub const MAX_CONTENT: usize = 8192;
/// Longest message in bytes.
pub const MAX_MESSAGE: usize = MAX_CONTENT - SALT_BYTES - TAG_BYTES;
/// Path segment in front of the id.
const SEGMENT: &str = "r";

const COMMIT: &[u8] = b"didagent-short-link/1";
const KEY: &[u8] = b"didagent-short-link/1 key";
const TAKE: &[u8] = b"didagent-short-link/1 take";

const _: () = assert!(ID_CHARS == ID_BYTES.div_ceil(3) * 4 && SECRET_CHARS == (SECRET_BYTES * 8).div_ceil(6));

/// Names a link at its mediator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LinkId([u8; ID_BYTES]);

impl LinkId {
    /// Reads an id: exactly 8 characters.
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == ID_CHARS).then(|| base64url::decode_array(text).map(Self))?
    }

    /// Finds the id in the path of a link's URL, which ends with `/r/<id>`.
    pub fn in_path(path: &str) -> Option<Self> {
        let (before, id) = path.rsplit_once('/')?;
        let (_, segment) = before.rsplit_once('/')?;
        (segment == SEGMENT).then(|| Self::parse(id))?
    }
}

impl std::fmt::Display for LinkId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&base64url::encode(self.0))
    }
}

impl Serialize for LinkId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LinkId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not an id of a short link"))
    }
}

/// What one shows to get the content: 32 bytes.
#[derive(ZeroizeOnDrop)]
pub struct Take([u8; 32]);

impl Take {
    /// Wraps what somebody showed.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads it from an `Authorization` header: `Bearer <b64url>`.
    pub fn from_header(value: &str) -> Option<Self> {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| base64url::decode_array(token.trim()).map(Self))?
    }

    /// Writes it as the value of an `Authorization` header.
    pub fn to_header(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("Bearer {}", base64url::encode(self.0)))
    }

    /// Returns its SHA-256, which the mediator compares.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0).into()
    }
}

impl std::fmt::Debug for Take {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Take").finish_non_exhaustive()
    }
}

/// The secret of a link.
#[derive(ZeroizeOnDrop)]
struct Secret([u8; SECRET_BYTES]);

/// A short link, made for a message or read from a text.
pub struct ShortLink {
    /// With a `/` at its end, without query and fragment.
    base: String,
    id: LinkId,
    secret: Secret,
}

/// A link and what its mediator is to keep.
#[derive(Debug)]
pub struct Sealed {
    /// The link.
    pub link: ShortLink,
    /// What the mediator keeps.
    pub content: Vec<u8>,
}

/// Why a text is no short link, or what was behind it cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ShortLinkError {
    /// Not a URL whose path ends with `/r/` and something.
    #[error("this is not a short link")]
    NotALink,
    /// The end is missing.
    #[error("the link is cut off at the end")]
    Truncated,
    /// Some characters were changed or lost.
    #[error("the link was damaged on its way")]
    Damaged,
    /// The message or the content is too long to be kept.
    #[error("the content behind the link has more than {MAX_CONTENT} bytes")]
    TooLarge,
    /// The content is not what the link was made for.
    #[error("what is kept behind the link is not what the link was made for")]
    Swapped,
}

impl ShortLink {
    /// Makes a link to `message` at `base`, the http or https address of a mediator.
    ///
    /// # Errors
    /// [`ShortLinkError::NotALink`] when `base` is no URL with a host, [`ShortLinkError::TooLarge`].
    pub fn seal(message: &[u8], base: &str, rng: &mut impl CryptoRng) -> Result<Sealed, ShortLinkError> {
        if message.len() > MAX_MESSAGE {
            return Err(ShortLinkError::TooLarge);
        }
        let mut base = Url::parse(base).map_err(|_| ShortLinkError::NotALink)?;
        if !base.has_host() || !is_web(&base) {
            return Err(ShortLinkError::NotALink);
        }
        base.set_query(None);
        base.set_fragment(None);
        let mut base = String::from(base);
        if !base.ends_with('/') {
            base.push('/');
        }
        let (mut id, mut salt) = ([0; ID_BYTES], Zeroizing::new([0; SALT_BYTES]));
        rng.fill_bytes(&mut id);
        rng.fill_bytes(&mut *salt);
        let id = LinkId(id);
        let link = Self { base, id, secret: commitment(id, &*salt, message) };
        let plaintext = Zeroizing::new([&salt[..], message].concat());
        let content = link
            .cipher()
            .encrypt(&Nonce::<ChaCha20Poly1305>::default(), Payload { msg: &plaintext, aad: &id.0 })
            .map_err(|_| ShortLinkError::TooLarge)?;
        Ok(Sealed { link, content })
    }

    /// Reads a link.
    ///
    /// # Errors
    /// [`ShortLinkError::NotALink`], [`ShortLinkError::Truncated`], [`ShortLinkError::Damaged`].
    pub fn parse(text: &str) -> Result<Self, ShortLinkError> {
        let mut url = Url::parse(text.trim()).map_err(|_| ShortLinkError::NotALink)?;
        let path = url.path().to_owned();
        let (before, id) = path.rsplit_once('/').ok_or(ShortLinkError::NotALink)?;
        let Some((base, SEGMENT)) = before.rsplit_once('/') else { return Err(ShortLinkError::NotALink) };
        if !is_web(&url) || !url.has_host() || url.query().is_some() || !url.username().is_empty() {
            return Err(ShortLinkError::NotALink);
        }
        let fragment = url.fragment().unwrap_or_default().to_owned();
        let id = match id.len() {
            ID_CHARS => LinkId::parse(id).ok_or(ShortLinkError::Damaged)?,
            0..ID_CHARS if fragment.is_empty() => return Err(ShortLinkError::Truncated),
            _ => return Err(ShortLinkError::Damaged),
        };
        let secret = match fragment.len() {
            SECRET_CHARS => base64url::decode_array(&fragment).ok_or(ShortLinkError::Damaged)?,
            0..SECRET_CHARS => return Err(ShortLinkError::Truncated),
            _ => return Err(ShortLinkError::Damaged),
        };
        url.set_fragment(None);
        url.set_path(&format!("{base}/"));
        Ok(Self { base: url.into(), id, secret: Secret(secret) })
    }

    /// Returns the link as people paste it.
    pub fn text(&self) -> String {
        format!("{}#{}", self.address(), base64url::encode(self.secret.0))
    }

    /// Returns the link without its secret: what is asked for the content.
    pub fn address(&self) -> String {
        format!("{}{SEGMENT}/{}", self.base, self.id)
    }

    /// Returns the id.
    pub fn id(&self) -> LinkId {
        self.id
    }

    /// Returns what is shown to get the content.
    pub fn take(&self) -> Take {
        let mut take = Take([0; 32]);
        self.expand(TAKE, &mut take.0);
        take
    }

    /// Opens what the mediator kept, and returns the message.
    ///
    /// # Errors
    /// [`ShortLinkError::Swapped`] when it is anything but the content that the link was made for, cut off or not.
    pub fn open(&self, content: &[u8]) -> Result<Vec<u8>, ShortLinkError> {
        if content.len() > MAX_CONTENT {
            return Err(ShortLinkError::Swapped);
        }
        let plaintext = self
            .cipher()
            .decrypt(&Nonce::<ChaCha20Poly1305>::default(), Payload { msg: content, aad: &self.id.0 })
            .map_err(|_| ShortLinkError::Swapped)?;
        let plaintext = Zeroizing::new(plaintext);
        let (salt, message) = plaintext.split_at_checked(SALT_BYTES).ok_or(ShortLinkError::Swapped)?;
        // The tag says that the writer knew the secret; only this says that it wrote what the link was made for.
        let is_it: bool = commitment(self.id, salt, message).0.ct_eq(&self.secret.0).into();
        if is_it { Ok(message.to_vec()) } else { Err(ShortLinkError::Swapped) }
    }

    fn cipher(&self) -> ChaCha20Poly1305 {
        let mut key = Zeroizing::new([0; 32]);
        self.expand(KEY, &mut key);
        ChaCha20Poly1305::new((&*key).into())
    }

    #[expect(clippy::expect_used, reason = "32 bytes are less than HKDF-Expand's limit")]
    fn expand(&self, label: &[u8], okm: &mut [u8; 32]) {
        let hkdf = Hkdf::<Sha256>::new(Some(&self.id.0), &self.secret.0);
        hkdf.expand(label, okm).expect("32 bytes are less than 255 hashes");
    }
}

impl std::fmt::Debug for ShortLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ShortLink").field("address", &self.address()).finish_non_exhaustive()
    }
}

fn is_web(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
}

/// Hashes everything that a link stands for; each part with its length, so that no two readings give the same bytes.
fn commitment(id: LinkId, salt: &[u8], message: &[u8]) -> Secret {
    let mut hash = Sha256::new();
    for part in [COMMIT, &id.0, salt, message] {
        let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
        hash.update(length.to_be_bytes());
        hash.update(part);
    }
    let digest = Zeroizing::new(<[u8; 32]>::from(hash.finalize()));
    let mut secret = Secret([0; SECRET_BYTES]);
    for (byte, hashed) in secret.0.iter_mut().zip(digest.iter()) {
        *byte = *hashed;
    }
    secret
}

#[cfg(test)]
mod tests;
