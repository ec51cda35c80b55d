//! The credentials that were part of what everybody signed, as far as that can be checked without asking anybody.
//!
//! Specification: `spec/credentials.md`, CR-27.
//!
//! Not its concern: whether one was revoked. Everybody asked for that when the run began; who reads a transcript later would ask about
//! another time.

use didagent_didcomm::credential::{Claims, CredentialError, CredentialIn};
use didagent_didcomm::did::resolve_offline;

use super::TranscriptError;
use crate::core::credential::Fault;
use crate::core::room::credentials::named;
use crate::core::room::lookup::Documents;
use crate::core::room::roster::{Party, RosterBody};

/// What a party showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shows {
    /// The text was taken out of the file; its hash is signed.
    Hash,
    /// The credential, whose hash is signed.
    Text(Box<Claims>, Checked),
}

/// What is known of an issuer's signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    /// It verifies under a key that follows from the issuer's DID.
    Verified,
    /// It verifies under a key of the issuer's document, as the file or the reader has it.
    Documented,
    /// Neither has the issuer's document.
    Elsewhere,
}

impl Shows {
    /// Returns the issuer if its key does not follow from its DID, and was known.
    pub(super) fn issuer_elsewhere(&self) -> Option<&String> {
        match self {
            Self::Text(claims, Checked::Documented) => Some(&claims.issuer),
            _ => None,
        }
    }
}

/// Checks the credentials of a run that began at `began`, in UTC seconds.
pub(super) fn check(
    body: &RosterBody,
    texts: Vec<Option<String>>,
    began: u64,
    documents: &Documents,
) -> Result<Vec<Shows>, TranscriptError> {
    if body.require_issuer.is_empty() {
        return match texts.first() {
            None => Ok(Vec::new()),
            Some(_) => Err(TranscriptError::Unreadable("list of credentials")),
        };
    }
    if texts.len() != body.m {
        return Err(TranscriptError::Unreadable("list of credentials"));
    }
    let shows = |(party, text): (&Party, Option<String>)| {
        let judged = of_party(party, text, body, began, documents);
        judged.map_err(|fault| TranscriptError::Credential { index: party.index, why: fault.sentence() })
    };
    body.parties.iter().zip(texts).map(shows).collect()
}

fn of_party(
    party: &Party,
    text: Option<String>,
    body: &RosterBody,
    began: u64,
    documents: &Documents,
) -> Result<Shows, Fault> {
    let hash = party.credential.ok_or(Fault::Missing)?;
    let Some(text) = text else { return Ok(Shows::Hash) };
    if named(Some(&text)) != Some(hash) {
        return Err(Fault::OtherText);
    }
    let credential = CredentialIn::read(&text)?;
    let claims = credential.claims().clone();
    if !body.require_issuer.contains(&claims.issuer) {
        return Err(Fault::OtherIssuer);
    }
    if claims.subject != party.identity {
        return Err(Fault::OtherSubject);
    }
    claims.check_time(began)?;
    let checked = match credential.verify(documents, began) {
        Ok(_) if resolve_offline(&claims.issuer).is_ok() => Checked::Verified,
        Ok(_) => Checked::Documented,
        Err(CredentialError::NoDocument) => Checked::Elsewhere,
        Err(error) => return Err(error.into()),
    };
    Ok(Shows::Text(Box::new(claims), checked))
}

#[cfg(test)]
mod tests {
    use didagent_didcomm::credential::Issue;
    use didagent_didcomm::protocols::Digest32;

    use super::*;
    use crate::core::did_document::published;
    use crate::core::identity::Identity;
    use crate::core::room::roster::tests::party;
    use crate::core::test_rng;

    const BEGAN: u64 = 1_800_000_000;
    const WEB: &str = "did:web:authority.example";

    fn issuer(seed: u8) -> Identity {
        Identity::generate(&mut test_rng(seed))
    }

    fn of(issuer: &Identity, seed: u8, until: u64) -> String {
        let identity = Identity::generate(&mut test_rng(seed));
        let (subject, valid_from) = (identity.did(), BEGAN - 10);
        let what =
            Issue { id: "urn:uuid:1", subject, role: None, valid_from, valid_until: until, status: None };
        issuer.issue(&what).unwrap()
    }

    /// A round whose parties showed these texts, of two issuers.
    fn round(texts: &[String]) -> RosterBody {
        let parties = texts.iter().enumerate().map(|(index, text)| {
            let identity = Identity::generate(&mut test_rng(u8::try_from(index).unwrap()));
            let credential = Some(Digest32(didagent_didcomm::credential::digest(text)));
            Party { credential, ..party(index, &identity, "somebody") }
        });
        RosterBody {
            v: 1,
            room: "room".to_owned(),
            invitation: String::new(),
            round: 1,
            m: texts.len(),
            threshold: 0,
            relay: String::new(),
            manifest: None,
            require_issuer: vec![WEB.to_owned(), issuer(50).did().to_owned()],
            parties: parties.collect(),
        }
    }

    /// Without any document.
    fn check(
        body: &RosterBody,
        texts: Vec<Option<String>>,
        began: u64,
    ) -> Result<Vec<Shows>, TranscriptError> {
        super::check(body, texts, began, &Documents::new())
    }

    fn judged(texts: &[String]) -> Result<Vec<Shows>, TranscriptError> {
        check(&round(texts), texts.iter().cloned().map(Some).collect(), BEGAN)
    }

    fn refused(fault: &Fault, index: usize) -> Result<Vec<Shows>, TranscriptError> {
        Err(TranscriptError::Credential { index, why: fault.sentence() })
    }

    /// Decides CR-27.
    #[test]
    fn what_was_shown_is_checked_as_far_as_that_goes_offline() {
        let web = issuer(51).named(&format!("{WEB}#key-1"));
        let texts = [of(&issuer(50), 0, BEGAN + 1), of(&web, 1, BEGAN + 1)];
        let shown = judged(&texts).unwrap();
        assert!(
            matches!(&shown[0], Shows::Text(claims, Checked::Verified) if claims.issuer == issuer(50).did())
        );
        assert!(matches!(&shown[1], Shows::Text(claims, Checked::Elsewhere) if claims.issuer == WEB));
        let hashed = check(&round(&texts), vec![None, Some(texts[1].clone())], BEGAN).unwrap();
        assert_eq!((&hashed[0], &hashed[1]), (&Shows::Hash, &shown[1]));
    }

    /// Decides CR-27.
    #[test]
    fn the_document_of_an_issuer_decides_if_it_is_there() {
        let web = issuer(51).named(&format!("{WEB}#key-1"));
        let texts = [of(&issuer(50), 0, BEGAN + 1), of(&web, 1, BEGAN + 1)];
        let with = |identity: &Identity| {
            let document = published(identity, WEB, &[]).unwrap();
            let (body, texts) = (round(&texts), texts.iter().cloned().map(Some).collect());
            super::check(&body, texts, BEGAN, &[(WEB.to_owned(), document)].into())
        };
        let shown = with(&issuer(51)).unwrap();
        assert!(matches!(&shown[0], Shows::Text(_, Checked::Verified)));
        assert!(matches!(&shown[1], Shows::Text(_, Checked::Documented)));
        assert_eq!(with(&issuer(52)), refused(&Fault::Credential(CredentialError::BadSignature), 1));
    }

    /// Decides CR-27.
    #[test]
    fn what_does_not_hold_is_named_with_its_party() {
        let good = || of(&issuer(50), 0, BEGAN + 1);
        let expired = Fault::Credential(CredentialError::Expired { until: BEGAN });
        assert_eq!(judged(&[good(), of(&issuer(50), 1, BEGAN)]), refused(&expired, 1));
        assert_eq!(judged(&[good(), good()]), refused(&Fault::OtherSubject, 1));
        assert_eq!(judged(&[good(), of(&issuer(52), 1, BEGAN + 1)]), refused(&Fault::OtherIssuer, 1));
        let signature = of(&issuer(52), 1, BEGAN + 1).rsplit_once('.').unwrap().1.to_owned();
        let other = of(&issuer(50), 1, BEGAN + 1).rsplit_once('.').unwrap().0.to_owned();
        let forged = Fault::Credential(CredentialError::BadSignature);
        assert_eq!(judged(&[good(), format!("{other}.{signature}")]), refused(&forged, 1));
        let texts = [good(), of(&issuer(50), 1, BEGAN + 1)];
        let swapped = vec![Some(texts[1].clone()), Some(texts[0].clone())];
        assert_eq!(check(&round(&texts), swapped, BEGAN), refused(&Fault::OtherText, 0));
        let mut without = round(&texts);
        without.parties[1].credential = None;
        assert_eq!(check(&without, vec![None, None], BEGAN), refused(&Fault::Missing, 1));
        let unreadable = Err(TranscriptError::Unreadable("list of credentials"));
        assert_eq!(check(&round(&texts), vec![None], BEGAN), unreadable);
        without.require_issuer.clear();
        assert_eq!(check(&without, vec![None, None], BEGAN), unreadable);
        assert_eq!(check(&without, Vec::new(), BEGAN), Ok(Vec::new()));
    }
}
