//! What the agent reads from other parties and from its own home, and what the mediator reads before anything else.

use std::collections::HashMap;

use didagent::core::identity::Identity;
use didagent::core::party_list::{PartyList, is_address};
use didagent::core::room::kept::KeptRoom;
use didagent::core::room::roster::{Expected, MAX_PARTIES, RosterBody, RosterIn};
use didagent::core::transcript::{Transcript, sources, together};
use didagent_didcomm::protocols::{Digest32, b64url_encode};
use didagent_mediator::fuzzing;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use sha2::{Digest as _, Sha256};

use crate::Outcome;

/// Signed in front of a roster's hash, `spec/0-names.md` section 0.2.
const LABEL: &[u8] = b"didagent-roster/1";

/// The mediator of everybody in the seeds.
pub(crate) const MEDIATOR: &str = "did:peer:2.Ez6LSmediator";

/// Party `index` of the seeds' room.
pub(crate) fn member(index: u8) -> Identity {
    Identity::generate(&mut ChaCha20Rng::from_seed([index; 32]))
}

/// The nonce of party `index`.
pub(crate) fn nonce(index: u8) -> Digest32 {
    Digest32([index; 32])
}

/// What commits to a nonce, `spec/room.md`, RM-44.
pub(crate) fn commitment(nonce: &Digest32) -> Digest32 {
    Digest32(Sha256::new().chain_update(b"didagent-commit/1").chain_update(nonce.0).finalize().into())
}

/// A transcript of a run. What is accepted is of one of the parties that it names, and no second one of that party; of a key that does not
/// follow from its DID it says on whose word it is taken.
pub(crate) fn transcript(input: &[u8]) -> Outcome {
    let read = Transcript::read(input);
    if let Ok(transcript) = &read {
        let (statement, body) = (transcript.statement(), transcript.roster().body());
        assert!(statement.index < body.m && statement.peers.len() == body.m - 1);
        assert!(statement.began <= statement.ended);
        assert_eq!((statement.round.0, transcript.words().len()), (transcript.roster().hash(), 4));
        assert_eq!(together(std::slice::from_ref(transcript)), Ok(()));
        assert!(together(&[transcript.clone(), transcript.clone()]).is_err());
        let sources = sources(std::slice::from_ref(transcript));
        for party in body.parties.iter().filter(|party| !party.identity.starts_with("did:key:")) {
            let told: Vec<_> = sources.iter().filter(|one| one.did == party.identity).collect();
            assert!(told.len() == 1 && !told[0].is_given && !told[0].differs);
            let others: &[usize] = if party.index == statement.index { &[] } else { &[statement.index] };
            assert_eq!(told[0].seen_by, others);
        }
    }
    Outcome::of(&read)
}

/// A roster file. What is accepted is a list of a room's size, without anybody twice, whose id is that of its hash.
pub(crate) fn party_list(input: &[u8]) -> Outcome {
    let Ok(text) = std::str::from_utf8(input) else { return Outcome::Refused };
    let read = PartyList::from_toml(text);
    if let Ok(list) = &read {
        let dids: std::collections::BTreeSet<_> = list.parties().iter().map(|party| &party.did).collect();
        assert!((2..=16).contains(&dids.len()) && dids.len() == list.parties().len());
        assert_eq!(list.id(), b64url_encode(&list.hash()[..16]));
        assert!((0..dids.len()).all(|index| list.index_of(&list.parties()[index].did) == Some(index)));
        assert!(list.host_at().is_none_or(is_address));
    }
    Outcome::of(&read)
}

/// A roster that the host really signed, whatever it says: the bytes stay as they were, and what is accepted holds together.
pub(crate) fn roster(input: &[u8]) -> Outcome {
    let (host, ours) = (member(0), member(1));
    let hash: [u8; 32] = Sha256::digest(input).into();
    let signature = host.sign(&[LABEL, &hash].concat());
    let (host_did, our_did) = (host.connection(MEDIATOR).did, ours.connection(MEDIATOR).did);
    let expected = Expected {
        room: "room",
        invitation: &[7; 32],
        host: &host_did,
        mediators: &[MEDIATOR.to_owned()],
        identity: ours.did(),
        did: &our_did,
        threshold: None,
        manifest: None,
        commitment: commitment(&nonce(1)),
        list: None,
        confirm: false,
        documents: &HashMap::new(),
    };
    let verified = RosterIn::new(input.to_vec()).verify(&expected, &signature);
    if let Ok(roster) = &verified {
        assert_eq!((roster.bytes(), roster.hash()), (input, hash));
        let RosterBody { m, threshold, parties, .. } = roster.body();
        assert!(parties.len() == *m && 2 * threshold < *m);
        assert!(parties.iter().enumerate().all(|(index, party)| party.index == index));
        // Nobody is believed to be a did:web whose document is not there.
        assert!(parties.iter().all(|party| party.identity.starts_with("did:key:")));
        // The same bytes under a signature that is not the host's.
        let forged = ours.sign(&[LABEL, &hash].concat());
        assert!(RosterIn::new(input.to_vec()).verify(&expected, &forged).is_err());
    }
    assert!(RosterIn::new(input.to_vec()).elsewhere().len() <= 16);
    Outcome::of(&verified)
}

/// An identity file. What is accepted is written again and read as the same.
pub(crate) fn identity(input: &[u8]) -> Outcome {
    let identity = Identity::from_file(input);
    if let Ok(identity) = &identity {
        let again = Identity::from_file(&identity.to_file()).expect("our own file");
        assert_eq!(again.did(), identity.did());
        assert_eq!(again.connection(MEDIATOR), identity.connection(MEDIATOR));
    }
    Outcome::of(&identity)
}

/// A host's room in its home. What is accepted is written again and read as the same, and has seats as a room has.
pub(crate) fn kept_room(input: &[u8]) -> Outcome {
    let kept = KeptRoom::from_file(input);
    if let Ok(kept) = &kept {
        let file = kept.to_file();
        let again = KeptRoom::from_file(&file).expect("our own file");
        assert_eq!(again.to_file(), file);
        assert_eq!(again.invitation, kept.invitation);
        assert!(kept.lobby.guests.len() < kept.lobby.seats && kept.lobby.seats <= MAX_PARTIES);
    }
    Outcome::of(&kept)
}

/// The head of an HTTP request. Where it ends does not depend on the pieces in which it came, and a head that is served ends
/// where the search for its end says, or before: a bare line feed ends lines too.
pub(crate) fn http_head(input: &[u8]) -> Outcome {
    let whole = fuzzing::head_ends(input, input.len().max(1));
    for piece in [1, 3, 7] {
        assert_eq!(fuzzing::head_ends(input, piece).is_some(), whole.is_some());
    }
    let Some(exact) = fuzzing::head_ends(input, 1) else { return Outcome::Refused };
    let Some(ends) = fuzzing::head_is_served(&input[..exact]) else { return Outcome::Refused };
    assert!(ends <= exact);
    assert_eq!(fuzzing::head_is_served(input), Some(ends), "what follows a head does not change it");
    Outcome::Accepted
}

/// The body of an HTTP request in chunks. What it holds does not depend on the pieces in which it came, and stays in its bounds.
pub(crate) fn http_body(input: &[u8]) -> Outcome {
    const LIMIT: usize = 4096;
    let whole = fuzzing::chunked_body(input, LIMIT, input.len());
    for piece in [1, 3, 7] {
        assert_eq!(fuzzing::chunked_body(input, LIMIT, piece), whole);
    }
    let Some((content, taken)) = whole else { return Outcome::Refused };
    assert!(content.len() <= LIMIT && content.len() < taken && taken <= input.len());
    assert!(fuzzing::chunked_body(&input[..taken - 1], LIMIT, 5).is_none());
    Outcome::Accepted
}
