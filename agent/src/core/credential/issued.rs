//! The credentials that this home has issued, and the list that says which of them are revoked.
//!
//! Specification: `spec/credentials.md`, section 4. For small authorities with a static web site: the list is a file that they upload.
//!
//! Not its concern: the file (`io::home`), and who may have a credential.

use didagent_didcomm::credential::{Bits, MIN_STATUS_ENTRIES};
use didagent_didcomm::did::web;
use didagent_didcomm::showable;
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::failure::{Failure, Kind};

/// Most credentials of which it is remembered that they were issued; expired ones are forgotten.
const MAX_ISSUED: usize = 10_000;

/// Name of the list's file, in the folder of the issuer's document.
pub const STATUS_FILE: &str = "credential-status.jwt";

/// Fewest characters of a name that are taken for it.
const MIN_PREFIX: usize = 4;

/// The credentials that a home has issued.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issued {
    credentials: Vec<Entry>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its name, a `urn:uuid:`.
    pub id: String,
    /// The DID of its subject.
    pub to: String,
    /// What the subject is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The DID of the issuer.
    pub issuer: String,
    /// Until when it counts, UTC seconds.
    pub until: u64,
    /// Number of its bit; nothing if it has none, and cannot be revoked.
    pub index: Option<usize>,
    /// It was revoked.
    pub revoked: bool,
}

impl Issued {
    /// Draws a name, and a bit if the issuer has a web site to publish a list on, for a new credential. Random bits: a list so says nothing
    /// of how many there are, and in which order.
    ///
    /// # Errors
    /// [`Kind::Usage`] when there are too many.
    pub fn draw(
        &mut self,
        (issuer, to, role): (&str, &str, Option<&str>),
        (now, until): (u64, u64),
        rng: &mut impl CryptoRng,
    ) -> Result<Entry, Failure> {
        self.credentials.retain(|entry| entry.until > now);
        if self.credentials.len() >= MAX_ISSUED {
            let message = format!("this home has issued {MAX_ISSUED} credentials that have not expired");
            return Err(Failure::new(Kind::Usage, message).hint("a larger authority needs a larger tool"));
        }
        let mut bytes = [0; 16];
        rng.fill_bytes(&mut bytes);
        let mut index = None;
        while index.is_none() && issuer.starts_with(web::PREFIX) {
            let drawn = usize::try_from(rng.next_u32()).unwrap_or_default() % MIN_STATUS_ENTRIES;
            let is_free = |entry: &Entry| entry.index != Some(drawn);
            index = Some(drawn).filter(|_| self.credentials.iter().all(is_free));
        }
        let entry = Entry {
            id: uuid(bytes),
            to: to.to_owned(),
            role: role.map(str::to_owned),
            issuer: issuer.to_owned(),
            until,
            index,
            revoked: false,
        };
        self.credentials.push(entry.clone());
        Ok(entry)
    }

    /// Returns all of them.
    pub fn all(&self) -> &[Entry] {
        &self.credentials
    }

    /// Notes that the credential with this name, or whose name begins so, is revoked.
    ///
    /// # Errors
    /// [`Kind::CredentialUnknown`] when there is none or several, [`Kind::Usage`] when it has no entry in a list.
    pub fn revoke(&mut self, named: &str) -> Result<Entry, Failure> {
        let wanted = named.strip_prefix(UUID).unwrap_or(named);
        let is_meant = |entry: &Entry| {
            wanted.len() >= MIN_PREFIX
                && entry.id.strip_prefix(UUID).is_some_and(|name| name.starts_with(wanted))
        };
        let mut meant = self.credentials.iter_mut().filter(|entry| is_meant(entry));
        let (Some(entry), None) = (meant.next(), meant.next()) else {
            let shown = showable(named, 60);
            let message =
                format!("this home has issued no credential, or several, whose name begins with {shown}");
            return Err(Failure::new(Kind::CredentialUnknown, message).hint("didagent credential list"));
        };
        if entry.index.is_none() {
            let message = "the credential has no entry in a list: its issuer has no web site";
            return Err(Failure::new(Kind::Usage, message)
                .hint("didagent identity new --method web --domain HOST makes an issuer that has one"));
        }
        entry.revoked = true;
        Ok(entry.clone())
    }

    /// Returns the bits of an issuer's list, and when the last of its credentials expires.
    pub fn list(&self, issuer: &str) -> (Bits, u64) {
        let mut bits = Bits::none_set();
        let own = || self.credentials.iter().filter(|entry| entry.issuer == issuer);
        own().filter(|entry| entry.revoked).filter_map(|entry| entry.index).for_each(|index| bits.set(index));
        (bits, own().map(|entry| entry.until).max().unwrap_or_default())
    }
}

/// Returns where an issuer's list is published: beside its document. `None` for an issuer without a web site.
pub fn status_url(issuer: &str) -> Option<Url> {
    web::url(issuer).ok()?.join(STATUS_FILE).ok()
}

/// What the names begin with.
const UUID: &str = "urn:uuid:";

/// A random UUID, RFC 9562 section 5.4.
fn uuid(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = UUID.to_owned();
    for (at, byte) in bytes.iter().enumerate() {
        if [4, 6, 8, 10].contains(&at) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::test_rng;

    const NOW: u64 = 1_800_000_000;
    const WEB: &str = "did:web:authority.example";

    /// Decides CR-30.
    #[test]
    fn each_credential_has_a_bit_of_its_own_until_it_expires() {
        let (mut issued, mut rng) = (Issued::default(), test_rng(1));
        let mut draw = |issued: &mut Issued, now, until| {
            issued.draw((WEB, "did:key:z", Some("auditor")), (now, until), &mut rng).unwrap()
        };
        let drawn: Vec<_> = (0..300).map(|n| draw(&mut issued, NOW, NOW + 10 + n)).collect();
        let mut bits: Vec<_> = drawn.iter().map(|entry| entry.index.unwrap()).collect();
        assert!(!bits.is_sorted() && bits.iter().all(|bit| *bit < MIN_STATUS_ENTRIES));
        bits.sort_unstable();
        bits.dedup();
        assert_eq!(bits.len(), 300);
        let revoked = issued.revoke(&drawn[7].id).unwrap();
        let short = drawn[9].id.strip_prefix(UUID).unwrap().get(..13).unwrap();
        assert_eq!(issued.revoke(short).unwrap().id, drawn[9].id);
        let (list, until) = issued.list(WEB);
        assert_eq!(until, NOW + 309);
        for entry in &drawn {
            let is_revoked = [&drawn[7].id, &drawn[9].id].contains(&&entry.id);
            assert_eq!(list.is_set(entry.index.unwrap()), Some(is_revoked));
        }
        assert_eq!(issued.list("did:web:other.example"), (Bits::none_set(), 0));
        // What has expired needs no bit any more.
        draw(&mut issued, NOW + 100, NOW + 999);
        assert_eq!(issued.all().len(), 300 - 91 + 1);
        assert_eq!(issued.list(WEB).0.is_set(revoked.index.unwrap()), Some(false));
    }

    /// Decides CR-30.
    #[test]
    fn what_is_unknown_or_has_no_bit_is_not_revoked() {
        let (mut issued, mut rng) = (Issued::default(), test_rng(1));
        let lone = issued.draw(("did:key:z6Mk", "did:key:z", None), (NOW, NOW + 1), &mut rng).unwrap();
        assert_eq!(issued.revoke(&lone.id).unwrap_err().kind, Kind::Usage);
        for name in ["", "urn:uuid:", "zzzz", "urn:uuid:0000"] {
            assert_eq!(issued.revoke(name).unwrap_err().kind, Kind::CredentialUnknown, "{name}");
        }
        assert!(!issued.all()[0].revoked);
    }

    /// Decides CR-30.
    #[test]
    fn the_list_is_beside_the_document() {
        let at = |did: &str| status_url(did).map(|url| url.to_string());
        assert_eq!(
            at("did:web:authority.example:a").as_deref(),
            Some("https://authority.example/a/credential-status.jwt")
        );
        assert_eq!(at(WEB).as_deref(), Some("https://authority.example/.well-known/credential-status.jwt"));
        assert_eq!(at("did:key:z6Mk"), None);
    }

    #[test]
    fn names_are_random_uuids() {
        assert_eq!(uuid([0xff; 16]), "urn:uuid:ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(uuid([0; 16]), "urn:uuid:00000000-0000-4000-8000-000000000000");
    }
}
