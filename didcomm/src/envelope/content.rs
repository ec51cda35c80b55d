//! Content encryption and the wrapping of its key.
//!
//! A256CBC-HS512 from RFC 7518 section 5.2.5, A256GCM from section 5.3, XC20P from draft-amringer-jose-chacha-02, A256KW from
//! RFC 3394. Content is encrypted and decrypted where it lies.

use aes::Aes256;
use aes_gcm::Aes256Gcm;
use aes_kw::KwAes256;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit as _};
use chacha20poly1305::XChaCha20Poly1305;
use chacha20poly1305::aead::{AeadInOut, KeyInit, Nonce};
use hmac::{Hmac, Mac as _};
use rand_core::CryptoRng;
use sha2::Sha512;
use zeroize::Zeroizing;

/// How the content of an envelope is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ContentEncryption {
    /// AES-256-CBC and HMAC-SHA-512, encrypt then MAC: the only one under authcrypt.
    A256CbcHs512,
    /// AES-256-GCM.
    A256Gcm,
    /// XChaCha20-Poly1305: what is written under anoncrypt unless something else is asked for.
    #[default]
    Xc20p,
}

/// Encrypted content.
pub(super) struct Sealed {
    pub(super) iv: Vec<u8>,
    pub(super) ciphertext: Vec<u8>,
    pub(super) tag: Vec<u8>,
}

/// A primitive refused its input, or authentication failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refused;

/// Bytes that the wrapping of a key adds to it: the integrity check value of RFC 3394.
const WRAP_BYTES: usize = 8;

/// A block of AES; padding fills the last one, or is one.
const CBC_BLOCK_BYTES: usize = 16;

impl ContentEncryption {
    /// The `enc` header.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::A256CbcHs512 => "A256CBC-HS512",
            Self::A256Gcm => "A256GCM",
            Self::Xc20p => "XC20P",
        }
    }

    /// The reverse of [`Self::name`].
    pub(super) fn from_name(name: &str) -> Option<Self> {
        [Self::A256CbcHs512, Self::A256Gcm, Self::Xc20p].into_iter().find(|enc| enc.name() == name)
    }

    const fn key_bytes(self) -> usize {
        match self {
            Self::A256CbcHs512 => 64,
            Self::A256Gcm | Self::Xc20p => 32,
        }
    }

    const fn iv_bytes(self) -> usize {
        match self {
            Self::A256CbcHs512 => 16,
            Self::A256Gcm => 12,
            Self::Xc20p => 24,
        }
    }

    /// Makes a content key and an initialization vector, with one call to `rng`: it is often the operating system's.
    pub(super) fn generate_key<R: CryptoRng + ?Sized>(self, rng: &mut R) -> (Zeroizing<Vec<u8>>, Vec<u8>) {
        let mut key = Zeroizing::new(vec![0; self.key_bytes() + self.iv_bytes()]);
        rng.fill_bytes(&mut key);
        let iv = key.split_off(self.key_bytes());
        (key, iv)
    }

    /// Bytes that encryption adds to the content.
    pub(super) const fn padding_bytes(self) -> usize {
        match self {
            Self::A256CbcHs512 => CBC_BLOCK_BYTES,
            Self::A256Gcm | Self::Xc20p => 0,
        }
    }

    /// Encrypts `plaintext` and authenticates it and `aad`. Key and vector are used for nothing else.
    pub(super) fn seal(
        self,
        key: &[u8],
        iv: Vec<u8>,
        plaintext: Vec<u8>,
        aad: &[u8],
    ) -> Result<Sealed, Refused> {
        let mut buffer = plaintext;
        let tag = match self {
            Self::A256CbcHs512 => {
                let (mac_key, enc_key) = key.split_at_checked(32).ok_or(Refused)?;
                let length = buffer.len();
                buffer.resize(length + CBC_BLOCK_BYTES - length % CBC_BLOCK_BYTES, 0);
                cbc::Encryptor::<Aes256>::new_from_slices(enc_key, &iv)
                    .map_err(|_| Refused)?
                    .encrypt_padded::<Pkcs7>(&mut buffer, length)
                    .map_err(|_| Refused)?;
                let tag = cbc_mac(mac_key, aad, &iv, &buffer)?.finalize().into_bytes();
                tag.get(..32).ok_or(Refused)?.to_vec()
            }
            Self::A256Gcm => seal_aead::<Aes256Gcm, 12>(key, &iv, &mut buffer, aad)?,
            Self::Xc20p => seal_aead::<XChaCha20Poly1305, 24>(key, &iv, &mut buffer, aad)?,
        };
        Ok(Sealed { iv, ciphertext: buffer, tag })
    }

    /// Decrypts what [`Self::seal`] made.
    pub(super) fn open(self, key: &[u8], sealed: Sealed, aad: &[u8]) -> Result<Vec<u8>, Refused> {
        let Sealed { iv, ciphertext: mut buffer, tag } = sealed;
        match self {
            Self::A256CbcHs512 => {
                let (mac_key, enc_key) = key.split_at_checked(32).ok_or(Refused)?;
                // Shorter tags would verify too.
                if tag.len() != 32 {
                    return Err(Refused);
                }
                cbc_mac(mac_key, aad, &iv, &buffer)?.verify_truncated_left(&tag).map_err(|_| Refused)?;
                let length = cbc::Decryptor::<Aes256>::new_from_slices(enc_key, &iv)
                    .map_err(|_| Refused)?
                    .decrypt_padded::<Pkcs7>(&mut buffer)
                    .map_err(|_| Refused)?
                    .len();
                buffer.truncate(length);
            }
            Self::A256Gcm => open_aead::<Aes256Gcm, 12>(key, &iv, &mut buffer, aad, &tag)?,
            Self::Xc20p => open_aead::<XChaCha20Poly1305, 24>(key, &iv, &mut buffer, aad, &tag)?,
        }
        Ok(buffer)
    }

    /// Unwraps a content key of the right length for this encryption.
    pub(super) fn unwrap_key(self, kek: &[u8; 32], wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, Refused> {
        let length = self.key_bytes();
        if wrapped.len() != length + WRAP_BYTES {
            return Err(Refused);
        }
        let mut key = Zeroizing::new(vec![0; length]);
        KwAes256::new(&(*kek).into()).unwrap_key(wrapped, &mut key).map_err(|_| Refused)?;
        Ok(key)
    }
}

fn seal_aead<A, const N: usize>(
    key: &[u8],
    iv: &[u8],
    buffer: &mut [u8],
    aad: &[u8],
) -> Result<Vec<u8>, Refused>
where
    A: AeadInOut + KeyInit,
    Nonce<A>: From<[u8; N]>,
{
    let nonce = <[u8; N]>::try_from(iv).map_err(|_| Refused)?.into();
    let tag = A::new_from_slice(key)
        .map_err(|_| Refused)?
        .encrypt_inout_detached(&nonce, aad, buffer.into())
        .map_err(|_| Refused)?;
    Ok(tag.to_vec())
}

fn open_aead<A, const N: usize>(
    key: &[u8],
    iv: &[u8],
    buffer: &mut [u8],
    aad: &[u8],
    tag: &[u8],
) -> Result<(), Refused>
where
    A: AeadInOut + KeyInit,
    Nonce<A>: From<[u8; N]>,
{
    let nonce = <[u8; N]>::try_from(iv).map_err(|_| Refused)?.into();
    A::new_from_slice(key)
        .map_err(|_| Refused)?
        .decrypt_inout_detached(&nonce, aad, buffer.into(), tag.try_into().map_err(|_| Refused)?)
        .map_err(|_| Refused)
}

/// Wraps a content key.
pub(super) fn wrap_key(kek: &[u8; 32], key: &[u8]) -> Result<Vec<u8>, Refused> {
    let mut wrapped = vec![0; key.len() + WRAP_BYTES];
    KwAes256::new(&(*kek).into()).wrap_key(key, &mut wrapped).map_err(|_| Refused)?;
    Ok(wrapped)
}

/// `HMAC-SHA-512(mac_key, AAD || IV || ciphertext || AL)`, where `AL` is the length of the AAD in bits.
fn cbc_mac(mac_key: &[u8], aad: &[u8], iv: &[u8], ciphertext: &[u8]) -> Result<Hmac<Sha512>, Refused> {
    let bits = u64::try_from(aad.len()).ok().and_then(|bytes| bytes.checked_mul(8)).ok_or(Refused)?;
    Ok(Hmac::<Sha512>::new_from_slice(mac_key)
        .map_err(|_| Refused)?
        .chain_update(aad)
        .chain_update(iv)
        .chain_update(ciphertext)
        .chain_update(bits.to_be_bytes()))
}

#[cfg(test)]
mod tests {
    use aes_kw::KwAes128;
    use hmac::KeyInit as _;

    use super::super::kdf::{self, Context};
    use super::{ContentEncryption, Sealed, wrap_key};
    use crate::base64url;
    use crate::did::PublicKey;
    use crate::keys::X25519Secret;

    #[test]
    fn wraps_as_rfc_3394_4_3_and_4_6() {
        let kek = std::array::from_fn(|i| u8::try_from(i).unwrap());
        let data = hex("00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F");
        let wrapped = hex("28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21");
        assert_eq!(
            wrap_key(&kek, &data[..16]).unwrap(),
            hex("64E8C3F9CE0F5BA263E9777905818A2A93C8191E7D6E8AE7")
        );
        assert_eq!(wrap_key(&kek, &data).unwrap(), wrapped);
        assert_eq!(*ContentEncryption::Xc20p.unwrap_key(&kek, &wrapped).unwrap(), data);
        for bit in 0..wrapped.len() * 8 {
            let mut altered = wrapped.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert!(ContentEncryption::Xc20p.unwrap_key(&kek, &altered).is_err());
        }
        for end in 0..wrapped.len() {
            assert!(ContentEncryption::Xc20p.unwrap_key(&kek, &wrapped[..end]).is_err());
        }
        assert!(
            ContentEncryption::A256CbcHs512.unwrap_key(&kek, &wrapped).is_err(),
            "a key of another length"
        );
    }

    #[test]
    fn authenticates_as_rfc_7518_b_3() {
        let key: Vec<u8> = (0..64).collect();
        let plaintext =
            b"A cipher system must not be required to be secret, and it must be able to fall into the \
                          hands of the enemy without inconvenience";
        let aad = b"The second principle of Auguste Kerckhoffs";
        let enc = ContentEncryption::A256CbcHs512;
        let sealed =
            enc.seal(&key, hex("1af38c2dc2b96ffdd86694092341bc04"), plaintext.to_vec(), aad).unwrap();
        assert_eq!(sealed.ciphertext.len(), 144);
        assert_eq!(sealed.tag, hex("4dd3b4c088a7f45c216839645b2012bf2e6269a8c56a816dbc1b267761955bc5"));
        assert_eq!(enc.open(&key, sealed, aad).unwrap(), plaintext);
    }

    #[test]
    fn refuses_short_tags_other_data_and_other_keys() {
        for enc in [ContentEncryption::A256CbcHs512, ContentEncryption::A256Gcm, ContentEncryption::Xc20p] {
            let key = vec![1; enc.key_bytes()];
            let sealed = || enc.seal(&key, vec![2; enc.iv_bytes()], b"content".to_vec(), b"aad").unwrap();
            assert_eq!(enc.open(&key, sealed(), b"aad").unwrap(), b"content");
            assert!(enc.open(&key, sealed(), b"add").is_err());
            assert!(enc.open(&vec![3; key.len()], sealed(), b"aad").is_err());
            for end in 0..sealed().tag.len() {
                let short = Sealed { tag: sealed().tag[..end].to_vec(), ..sealed() };
                assert!(enc.open(&key, short, b"aad").is_err(), "{enc:?} with a tag of {end} bytes");
            }
            assert!(enc.open(&key, Sealed { iv: vec![2; 3], ..sealed() }, b"aad").is_err());
            assert!(enc.open(&key[1..], sealed(), b"aad").is_err());
        }
    }

    /// The draft's example uses A128KW, which DIDComm does not; all else is what an authcrypt goes through.
    /// Decides CN-08.
    #[test]
    fn opens_the_example_of_ecdh_1pu_draft_04_appendix_b() {
        let vector: serde_json::Value = serde_json::from_str(include_str!(
            "../../../spec/vectors/didcomm/ecdh-1pu-draft-04-appendix-b.json"
        ))
        .unwrap();
        let bytes =
            |pointer: &str| base64url::decode(vector.pointer(pointer).unwrap().as_str().unwrap()).unwrap();
        let key = |pointer: &str| <[u8; 32]>::try_from(bytes(pointer)).unwrap();
        let protected: serde_json::Value = serde_json::from_slice(&bytes("/jwe/protected")).unwrap();
        let header =
            |pointer: &str| base64url::decode(protected.pointer(pointer).unwrap().as_str().unwrap()).unwrap();
        for recipient in ["0", "1"] {
            let secret = X25519Secret::from_bytes(key(&format!("/recipients/{recipient}/d")));
            let epk = PublicKey::X25519(header("/epk/x").try_into().unwrap());
            let sender = PublicKey::X25519(key("/sender/x"));
            let z = kdf::shared_secret((&secret, &epk), Some((&secret, &sender))).unwrap();
            let tag = bytes("/jwe/tag");
            let (apu, apv) = (header("/apu"), header("/apv"));
            let context = Context { alg: "ECDH-1PU+A128KW", apu: &apu, apv: &apv, cc_tag: Some(&tag) };
            let kek = kdf::concat::<16>(&z, &context);
            let mut cek = [0; 64];
            let wrapped = bytes(&format!("/jwe/recipients/{recipient}/encrypted_key"));
            KwAes128::new(&(*kek).into()).unwrap_key(&wrapped, &mut cek).unwrap();
            let sealed =
                Sealed { iv: bytes("/jwe/iv"), ciphertext: bytes("/jwe/ciphertext"), tag: tag.clone() };
            let aad = vector.pointer("/jwe/protected").unwrap().as_str().unwrap().as_bytes();
            let plaintext = ContentEncryption::A256CbcHs512.open(&cek, sealed, aad).unwrap();
            assert_eq!(plaintext, vector["plaintext"].as_str().unwrap().as_bytes());

            let unprefixed = Context { cc_tag: None, ..context };
            assert_ne!(*kdf::concat::<16>(&z, &unprefixed), *kek);
        }
    }

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
    }
}
