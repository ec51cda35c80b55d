//! The credentials that this home holds, and which of them fits an invitation.
//!
//! Specification: `spec/credentials.md`, CR-21. They are signed texts and no secrets, but say things of a person: the file is its
//! owner's.
//!
//! Not its concern: the file (`io::home`), and whether an issuer's signature verifies: the others decide that.

use didagent_didcomm::credential::{Claims, CredentialError, CredentialIn, digest};
use didagent_didcomm::showable;
use serde::{Deserialize, Serialize};

use crate::core::clock::utc;
use crate::core::credential::Fault;
use crate::failure::{Failure, Kind};

/// Most credentials that a home holds: more than a person has, and half a MiB.
pub const MAX_HELD: usize = 64;

/// Bytes of its hash that a credential is named by, in hexadecimal.
const NAME_BYTES: usize = 4;

/// Longest DID in a sentence, in characters.
const SHOWN: usize = 120;

/// The credentials of a home.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    credentials: Vec<String>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    /// By what it is called here.
    pub name: String,
    /// What it says; nobody has verified it.
    pub claims: Claims,
    /// The text.
    pub text: String,
}

impl Held {
    /// Puts a credential to the others. The same one twice is one.
    ///
    /// # Errors
    /// [`Kind::CredentialUnreadable`] when it is none, [`Kind::Usage`] when there are too many.
    pub fn add(&mut self, text: &str) -> Result<Holding, Failure> {
        let text = text.trim();
        let claims = read(text)?;
        if !self.credentials.iter().any(|held| held == text) {
            if self.credentials.len() >= MAX_HELD {
                let message = format!("this home holds {MAX_HELD} credentials already");
                return Err(Failure::new(Kind::Usage, message)
                    .hint("didagent credential list, and remove those that have expired"));
            }
            self.credentials.push(text.to_owned());
        }
        Ok(Holding { name: name(text), claims, text: text.to_owned() })
    }

    /// Takes the credential with this name away.
    ///
    /// # Errors
    /// [`Kind::CredentialUnknown`] when there is none.
    pub fn remove(&mut self, named: &str) -> Result<(), Failure> {
        let before = self.credentials.len();
        self.credentials.retain(|text| name(text) != named);
        if self.credentials.len() < before {
            return Ok(());
        }
        let message = format!("this home holds no credential {}", showable(named, SHOWN));
        Err(Failure::new(Kind::CredentialUnknown, message).hint("didagent credential list"))
    }

    /// Returns all of them that can be read, in the order in which they were added.
    pub fn all(&self) -> impl Iterator<Item = Holding> {
        self.credentials.iter().filter_map(|text| {
            let claims = CredentialIn::read(text).ok()?.claims().clone();
            Some(Holding { name: name(text), claims, text: text.clone() })
        })
    }

    /// Returns the credential that fits best: of one of `issuers`, about `identity`, valid at `now`, in UTC seconds, and for as long as
    /// possible.
    ///
    /// # Errors
    /// [`Kind::CredentialNeeded`] says of the one that comes nearest why it does not fit.
    pub fn fitting(&self, issuers: &[String], identity: &str, now: u64) -> Result<Holding, Failure> {
        let judged = self.all().map(|holding| (judge(&holding.claims, issuers, identity, now), holding));
        let (good, bad): (Vec<_>, Vec<_>) = judged.partition(|(fault, _)| fault.is_none());
        let good = good.into_iter().map(|(_, holding)| holding);
        if let Some(best) = good.max_by_key(|holding| holding.claims.valid_until.unwrap_or(u64::MAX)) {
            return Ok(best);
        }
        let nearest = bad.into_iter().max_by_key(|(fault, _)| nearness(fault.as_ref()));
        Err(needed(nearest, issuers, identity))
    }
}

/// Reads a credential that a person gives.
///
/// # Errors
/// [`Kind::CredentialUnreadable`].
pub fn read(text: &str) -> Result<Claims, Failure> {
    let unreadable = |why: CredentialError| {
        Failure::new(Kind::CredentialUnreadable, format!("this is no credential: {why}"))
    };
    Ok(CredentialIn::read(text.trim()).map_err(unreadable)?.claims().clone())
}

fn name(text: &str) -> String {
    digest(text).iter().take(NAME_BYTES).map(|byte| format!("{byte:02x}")).collect()
}

fn judge(claims: &Claims, issuers: &[String], identity: &str, now: u64) -> Option<Fault> {
    if !issuers.contains(&claims.issuer) {
        Some(Fault::OtherIssuer)
    } else if claims.subject != identity {
        Some(Fault::OtherSubject)
    } else {
        claims.check_time(now).err().map(Fault::Credential)
    }
}

fn nearness(fault: Option<&Fault>) -> u8 {
    match fault {
        Some(Fault::OtherIssuer) => 0,
        Some(Fault::OtherSubject) => 1,
        _ => 2,
    }
}

fn needed(nearest: Option<(Option<Fault>, Holding)>, issuers: &[String], identity: &str) -> Failure {
    let names: Vec<_> = issuers.iter().map(|did| showable(did, SHOWN)).collect();
    let all = names.join(" or ");
    let failure = |why: String| Failure::new(Kind::CredentialNeeded, why);
    let ask = "ask the issuer for one about this home's identity, then: didagent credential add FILE";
    let Some((fault, Holding { claims, .. })) = nearest else {
        return failure(format!(
            "everybody in this room shows a credential of {all}, and this home holds none"
        ))
        .hint(ask);
    };
    let (issuer, subject) = (showable(&claims.issuer, SHOWN), showable(&claims.subject, SHOWN));
    match fault {
        Some(Fault::OtherIssuer) => failure(format!(
            "everybody in this room shows a credential of {all}, and this home holds those of others only"
        ))
        .hint(ask),
        Some(Fault::OtherSubject) => {
            let why = format!("the credential of {issuer} is about {subject}, and not about {identity}");
            if claims.subject.starts_with("did:web:") {
                failure(why).hint(format!("take part as the one that it is about: --as {subject}"))
            } else {
                failure(why).hint(ask)
            }
        }
        Some(Fault::Credential(CredentialError::NotYet { from })) => {
            failure(format!("the credential of {issuer} is not valid before {}", utc(from)))
                .hint("come again then")
        }
        Some(Fault::Credential(CredentialError::Expired { until })) => {
            failure(format!("the credential of {issuer} expired on {}", utc(until)))
                .hint("ask the issuer for a new one, then: didagent credential add FILE")
        }
        _ => failure(format!("no credential of {all} fits")).hint(ask),
    }
}

#[cfg(test)]
mod tests {
    use didagent_didcomm::credential::Issue;

    use super::*;
    use crate::core::identity::Identity;
    use crate::core::test_rng;

    const NOW: u64 = 1_800_000_000;
    const US: &str = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK";

    fn of(seed: u8, subject: &str, (valid_from, valid_until): (u64, u64)) -> String {
        let issuer = Identity::generate(&mut test_rng(seed));
        let what = Issue { id: "urn:uuid:1", subject, role: None, valid_from, valid_until, status: None };
        issuer.issue(&what).unwrap()
    }

    fn issuer(seed: u8) -> String {
        Identity::generate(&mut test_rng(seed)).did().to_owned()
    }

    fn held(texts: &[String]) -> Held {
        let mut held = Held::default();
        texts.iter().for_each(|text| drop(held.add(text).unwrap()));
        held
    }

    const VALID: (u64, u64) = (NOW - 10, NOW + 10);

    /// Decides CR-21.
    #[test]
    fn the_one_that_fits_longest_is_shown() {
        let texts = [
            of(1, US, VALID),
            of(1, US, (NOW - 10, NOW + 99)),
            of(2, US, (NOW - 10, NOW + 999)),
            of(1, US, (NOW - 10, NOW)),
        ];
        let held = held(&texts);
        assert_eq!(held.fitting(&[issuer(1)], US, NOW).unwrap().text, texts[1]);
        assert_eq!(held.fitting(&[issuer(1), issuer(2)], US, NOW).unwrap().text, texts[2]);
    }

    /// Decides CR-21.
    #[test]
    fn why_none_fits_is_said_of_the_nearest() {
        let other = of(2, US, VALID);
        let anothers = of(1, "did:web:bob.example", VALID);
        let (young, old) = (of(1, US, (NOW + 1, NOW + 9)), of(1, US, (NOW - 9, NOW)));
        for (texts, why) in [
            (vec![], "this home holds none"),
            (vec![other.clone()], "those of others only"),
            (vec![other.clone(), anothers.clone()], "is about did:web:bob.example"),
            (vec![anothers.clone(), young], "is not valid before 2027-01-15 08:00 UTC"),
            (vec![old, anothers, other], "expired on 2027-01-15 08:00 UTC"),
        ] {
            let failure = held(&texts).fitting(&[issuer(1)], US, NOW).unwrap_err();
            assert_eq!(failure.kind, Kind::CredentialNeeded);
            assert!(failure.message.contains(why) && failure.hint.is_some(), "{failure}");
        }
    }

    #[test]
    fn what_is_added_is_there_once_and_can_be_removed() {
        let text = of(1, US, VALID);
        let mut held = held(&[text.clone(), format!(" {text}\n"), of(2, US, VALID)]);
        let names: Vec<_> = held.all().map(|one| one.name).collect();
        assert_eq!(names.len(), 2);
        held.remove(&names[0]).unwrap();
        assert_eq!(held.all().map(|one| one.name).collect::<Vec<_>>(), names[1..]);
        assert_eq!(held.remove(&names[0]).unwrap_err().kind, Kind::CredentialUnknown);
        assert_eq!(held.add("hello").unwrap_err().kind, Kind::CredentialUnreadable);
        for seed in 0..=200 {
            let _ = held.add(&of(1, US, (NOW, NOW + 100 + seed)));
        }
        assert_eq!(held.all().count(), MAX_HELD);
    }
}
