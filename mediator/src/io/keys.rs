//! The mediator's DID: its keys, their file, and the envelopes that they open and seal.
//!
//! The file holds the two private keys and no DID, since the DID contains the public URL: moving a mediator to another URL
//! makes it another DID with the same keys.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use didagent_didcomm::did::peer2::{self, ServiceSpec};
use didagent_didcomm::did::{DidDocument, DidError, OfflineResolver, did_of, resolve_offline};
use didagent_didcomm::envelope::{ENVELOPE, Envelope as _, Layers, PackError, Secrets, UnpackError};
use didagent_didcomm::keys::{Ed25519Secret, X25519Secret};
use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::{b64url_decode, b64url_encode, types};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::{Zeroize as _, Zeroizing};

use super::{os, rng};
use crate::core::{Peer, Received};

/// Name of the key file in the data directory.
const FILE: &str = "mediator-keys.json";

/// Longest key file that is read, in bytes; ours has about 150.
const MAX_FILE: u64 = 4096;

/// Why there are no usable keys.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("cannot use the key file {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not one of ours. It is left alone: new keys would be another mediator.
    #[error("the key file {} is damaged; restore it, or move it away to become another mediator", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// Others can read the file.
    #[error("others can read the key file {}; make it yours alone, for instance with chmod 600", path.display())]
    Readable {
        /// The file.
        path: PathBuf,
    },
    /// The DID that follows from keys and URL is unusable.
    #[error("the mediator's DID is unusable: {0}")]
    Did(#[from] DidError),
}

/// The private keys.
pub(super) struct KeyPair {
    authentication: Ed25519Secret,
    agreement: X25519Secret,
}

#[derive(Serialize, Deserialize)]
struct FileContent {
    version: u8,
    ed25519: String,
    x25519: String,
}

impl Drop for FileContent {
    fn drop(&mut self) {
        self.ed25519.zeroize();
        self.x25519.zeroize();
    }
}

impl KeyPair {
    pub(super) fn generate() -> Self {
        let mut rng = rng();
        Self {
            authentication: Ed25519Secret::generate(&mut rng),
            agreement: X25519Secret::generate(&mut rng),
        }
    }

    /// Reads the keys in `directory`, or makes new ones there.
    pub(super) fn load_or_create(directory: &Path) -> Result<Self, KeyError> {
        let path = directory.join(FILE);
        let io = |source| KeyError::Io { path: path.clone(), source };
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Self::create(&path).map_err(io);
            }
            Err(error) => return Err(io(error)),
        };
        if !os::is_private(&file).map_err(io)? {
            return Err(KeyError::Readable { path });
        }
        let mut text = Zeroizing::new(Vec::new());
        file.take(MAX_FILE).read_to_end(&mut text).map_err(io)?;
        Self::parse(&text).ok_or(KeyError::Malformed { path })
    }

    fn create(path: &Path) -> std::io::Result<Self> {
        let keys = Self::generate();
        let content = FileContent {
            version: 1,
            ed25519: b64url_encode(keys.authentication.expose_bytes()),
            x25519: b64url_encode(keys.agreement.expose_bytes()),
        };
        let text = Zeroizing::new(serde_json::to_vec(&content)?);
        // Written whole beside its place and then moved: a crash leaves no half file that would look damaged.
        let beside = path.with_extension("new");
        let _ = std::fs::remove_file(&beside);
        let mut file = os::create_private(&beside)?;
        let written = file
            .write_all(&text)
            .and_then(|()| file.sync_all())
            .and_then(|()| std::fs::rename(&beside, path));
        // On a full disk half a key would stay.
        written.inspect_err(|_| drop(std::fs::remove_file(&beside)))?;
        Ok(keys)
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let content: FileContent = serde_json::from_slice(text).ok()?;
        if content.version != 1 {
            return None;
        }
        let ed25519 = Zeroizing::new(b64url_decode(&content.ed25519)?);
        let x25519 = Zeroizing::new(b64url_decode(&content.x25519)?);
        Some(Self {
            authentication: Ed25519Secret::from_bytes(ed25519.as_slice().try_into().ok()?),
            agreement: X25519Secret::from_bytes(x25519.as_slice().try_into().ok()?),
        })
    }
}

/// The mediator under its DID.
pub(super) struct Identity {
    keys: KeyPair,
    document: DidDocument,
}

/// Why a text from a client is not a message for us.
#[derive(Debug, Error)]
pub(super) enum OpenError {
    #[error(transparent)]
    Envelope(#[from] UnpackError),
    #[error("the message is not encrypted")]
    Plain,
}

impl Identity {
    /// Makes the did:peer:2 of the keys with `endpoint`, a ws or wss URL.
    pub(super) fn new(keys: KeyPair, endpoint: &str) -> Result<Self, KeyError> {
        let service = ServiceSpec {
            uri: endpoint.to_owned(),
            accept: vec![types::PROFILE_DIDCOMM_V2.to_owned()],
            routing_keys: Vec::new(),
        };
        let did = peer2::encode(&keys.authentication.public(), &keys.agreement.public(), Some(&service));
        let document = resolve_offline(&did)?;
        Ok(Self { keys, document })
    }

    pub(super) fn did(&self) -> &str {
        &self.document.id
    }

    /// Opens an encrypted message.
    pub(super) fn open(&self, text: &[u8]) -> Result<Received, OpenError> {
        // The core judges expires_time, so that it can tell the sender; at second 0 nothing has expired.
        let unpacked = ENVELOPE.unpack(text, self, &OfflineResolver, 0)?;
        let our_kid = unpacked.recipient_kid.filter(|_| unpacked.encrypted).ok_or(OpenError::Plain)?;
        let sender = unpacked.sender.map(|sender| Peer {
            did: sender.did.into(),
            kid: sender.kid.into(),
            our_kid: our_kid.into(),
        });
        Ok(Received { message: unpacked.message, sender })
    }

    /// Encrypts a message with authcrypt, from and to the keys that the peer used. An anonymous layer around it would hide
    /// nothing: it goes straight to the peer.
    pub(super) fn seal(&self, to: &Peer, message: &Message) -> Result<Vec<u8>, PackError> {
        let recipients = [&*to.kid];
        let layers = Layers::authcrypt(&to.our_kid, &recipients);
        ENVELOPE.pack(message, &layers, self, &OfflineResolver, &mut rng())
    }
}

impl Secrets for Identity {
    fn x25519(&self, kid: &str) -> Option<&X25519Secret> {
        let ours = did_of(kid) == self.document.id
            && self.document.x25519(kid) == Some(self.keys.agreement.public());
        ours.then_some(&self.keys.agreement)
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back_from_their_file_and_only_from_an_intact_private_one() {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data");
        let made = KeyPair::load_or_create(&data).unwrap();
        let read = KeyPair::load_or_create(&data).unwrap();
        assert_eq!(made.agreement.public(), read.agreement.public());
        assert_eq!(made.authentication.public(), read.authentication.public());

        let path = data.join(FILE);
        let text = std::fs::read(&path).unwrap();
        for end in 0..text.len() {
            assert!(KeyPair::parse(&text[..end]).is_none(), "{end}");
        }
        std::fs::write(&path, &text[..20]).unwrap();
        assert!(matches!(KeyPair::load_or_create(&data), Err(KeyError::Malformed { .. })));
        assert_eq!(std::fs::read(&path).unwrap(), &text[..20], "a damaged file is left alone");
    }

    /// Decides SC-03.
    #[cfg(unix)]
    #[test]
    fn refuses_a_file_that_others_can_read() {
        use std::os::unix::fs::PermissionsExt as _;

        let directory = tempfile::tempdir().unwrap();
        KeyPair::load_or_create(directory.path()).unwrap();
        let path = directory.path().join(FILE);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(KeyPair::load_or_create(directory.path()), Err(KeyError::Readable { .. })));
    }

    /// Decides SC-03.
    #[test]
    fn same_keys_and_url_make_the_same_did_and_debug_shows_no_key() {
        let directory = tempfile::tempdir().unwrap();
        let identity = |url| Identity::new(KeyPair::load_or_create(directory.path()).unwrap(), url).unwrap();
        let here = identity("ws://127.0.0.1:1/");
        assert_eq!(here.did(), identity("ws://127.0.0.1:1/").did());
        assert_ne!(here.did(), identity("ws://127.0.0.1:2/").did());
        assert_eq!(format!("{here:?}"), "Identity { .. }");
    }
}
