//! Rounds with parties whose keys do not follow from their DIDs.

use serde_json::{Value, json};

use super::*;
use crate::core::did_document::published;
use crate::core::identity::Identity;
use crate::core::room::roster::RosterError;
use crate::core::test_rng;
use crate::core::transcript::tests::{Round, changed, round_of};
use crate::core::transcript::together;
use didagent_didcomm::protocols::{b64url_decode, b64url_encode};

const BOB: &str = "did:web:bob.example";
const CAROL: &str = "did:web:carol.example";

fn identity(seed: u8) -> Identity {
    Identity::generate(&mut test_rng(seed))
}

/// The document in which `did` lists the key of this identity.
fn document(did: &str, seed: u8) -> DidDocument {
    published(&identity(seed), did, &["did:example:mediator".to_owned()]).unwrap()
}

/// What the sites of bob and carol say.
fn documents() -> Documents {
    [(BOB, 2), (CAROL, 3)].map(|(did, seed)| (did.to_owned(), document(did, seed))).into()
}

/// A did:key and two did:web that were looked up.
fn round() -> Round {
    let named = |did: &str, seed| identity(seed).named(&format!("{did}#key-1"));
    round_of("room", vec![identity(1), named(BOB, 2), named(CAROL, 3)], &documents())
}

/// The same round as a party saw it whose lookups found these documents.
fn seen_by(index: usize, documents: &Documents) -> Transcript {
    let mut round = round();
    let body = round.record.roster.body().clone();
    *round.record.roster = Roster::write(body, documents).unwrap();
    round.read(index, |_| ())
}

fn from(all: &[Transcript]) -> Vec<(String, bool, Vec<usize>, bool)> {
    sources(all).into_iter().map(|one| (one.did, one.is_given, one.seen_by, one.differs)).collect()
}

/// Decides TR-05, TR-25.
#[test]
fn what_the_signer_saw_is_in_its_statement_and_read_on_its_word() {
    let round = round();
    let read = round.read(0, |_| ());
    let seen = read.statement().documents.clone();
    assert_eq!(seen, [Seen::of(&document(BOB, 2)), Seen::of(&document(CAROL, 3))]);
    assert_eq!(seen[0].keys.len(), 1, "no key that decrypts, and no service");
    assert_eq!(format!("{}{}", key::PREFIX, seen[0].keys[0].key), identity(2).did());
    assert_eq!(read.roster().signer(1), Some(&identity(2).public()));
    let told =
        |bob, carol| vec![(BOB.to_owned(), false, bob, false), (CAROL.to_owned(), false, carol, false)];
    assert_eq!(from(&[read]), told(vec![0], vec![0]));
    // Nobody but bob says which key is bob's.
    let own = round.read(1, |_| ());
    assert_eq!(from(std::slice::from_ref(&own)), told(vec![], vec![1]));
    let all = [own, round.read(2, |_| ()), round.read(0, |_| ())];
    assert_eq!((from(&all), together(&all)), (told(vec![2, 0], vec![1, 0]), Ok(())));
}

/// Decides TR-23, TR-26.
#[test]
fn without_a_document_nothing_is_called_good_and_a_given_one_counts() {
    let round = round();
    // As a file was before statements had documents.
    let old = round.stating(0, |statement| drop(statement.as_object_mut().unwrap().remove("documents")));
    let elsewhere = |did: &str| Err(TranscriptError::Elsewhere { did: did.to_owned() });
    assert_eq!(Transcript::read(&old), elsewhere(BOB));
    let mut given = Documents::from([(BOB.to_owned(), document(BOB, 2))]);
    assert_eq!(Transcript::read_with(&old, &given), elsewhere(CAROL));
    given.extend([(CAROL.to_owned(), document(CAROL, 3))]);
    let read = Transcript::read_with(&old, &given).unwrap();
    let settled = |did: &str, by| (did.to_owned(), true, by, false);
    assert_eq!(from(std::slice::from_ref(&read)), [settled(BOB, vec![]), settled(CAROL, vec![])]);
    assert!(read.names(BOB) && !read.names("did:web:dave.example"));
    // The reader's document counts, and not what the file says.
    let file = round.file(0, |_| ());
    let read = Transcript::read_with(&file, &given).unwrap();
    assert_eq!(from(&[read]), [settled(BOB, vec![0]), settled(CAROL, vec![0])]);
    given.insert(BOB.to_owned(), document(BOB, 9));
    let forged = TranscriptError::Roster(RosterError::Party { index: 1, what: "identity link" });
    assert_eq!(Transcript::read_with(&file, &given), Err(forged));
    given.insert(BOB.to_owned(), DidDocument::new(BOB));
    let what = "key that the document of its identity does not list";
    let unlisted = TranscriptError::Roster(RosterError::Party { index: 1, what });
    assert_eq!(Transcript::read_with(&file, &given), Err(unlisted));
}

/// Decides TR-27.
#[test]
fn documents_that_differ_between_files_are_named() {
    let mut other = documents();
    let more = document(BOB, 9).verification_methods.swap_remove(0);
    let bob = other.get_mut(BOB).unwrap();
    let id = format!("{BOB}#key-9");
    bob.assertion_method.push(id.clone());
    bob.verification_methods.push(VerificationMethod { id, ..more });
    let all = [seen_by(0, &documents()), seen_by(2, &other)];
    let differ = [(BOB.to_owned(), false, vec![0, 2], true), (CAROL.to_owned(), false, vec![0], false)];
    assert_eq!((from(&all), together(&all)), (differ.to_vec(), Ok(())));
    let file = round().file(0, |_| ());
    let read = Transcript::read_with(&file, &other).unwrap();
    assert_eq!(from(&[read])[0], (BOB.to_owned(), true, vec![0], true));
}

/// Decides TR-20, TR-21: a key in a statement is one under which the party has signed, or the file is refused.
#[test]
fn a_lie_about_a_key_is_refused_although_it_is_signed() {
    type Change = fn(&mut Value);
    let round = round();
    let of = |change: Change| Transcript::read(&round.stating(0, change)).unwrap_err();
    let other_key = |statement: &mut Value| {
        statement["documents"][0]["keys"][0]["key"] = identity(9).did().split(':').next_back().into();
    };
    assert_eq!(
        of(other_key),
        TranscriptError::Roster(RosterError::Party { index: 1, what: "identity link" })
    );
    let what = "key that the document of its identity does not list";
    let unlisted = TranscriptError::Roster(RosterError::Party { index: 1, what });
    let other_id: Change =
        |statement| statement["documents"][0]["keys"][0]["kid"] = json!(format!("{BOB}#key-2"));
    assert_eq!(of(other_id), unlisted);
    assert_eq!(of(|statement| statement["documents"][0]["keys"] = json!([])), unlisted);
    let gone: Change = |statement| drop(statement["documents"].as_array_mut().unwrap().remove(1));
    assert_eq!(of(gone), TranscriptError::Elsewhere { did: CAROL.to_owned() });
    let more: Change = |statement| statement["documents"][0]["more"] = 1.into();
    assert_eq!(of(more), TranscriptError::Unreadable("statement"));
    // Somebody makes bob's key his own and signs everything for bob; carol's statement is somebody else's.
    let swapped = changed(&round.file(0, |_| ()), |file| {
        let other = round.stating(2, other_key);
        let other: Value = serde_json::from_slice(&other).unwrap();
        file["statement"] = other["statement"].clone();
    });
    assert_eq!(swapped, TranscriptError::Roster(RosterError::Party { index: 1, what: "identity link" }));
}

/// Decides TR-05, TR-20.
#[test]
fn documents_that_nobody_needs_or_that_cannot_be_are_refused() {
    let round = round();
    let of = |change: &dyn Fn(&mut Vec<Value>)| {
        let file = round.stating(0, |statement| change(statement["documents"].as_array_mut().unwrap()));
        Transcript::read(&file)
    };
    assert!(of(&|_| ()).is_ok());
    let refused = Err(TranscriptError::Statement("documents"));
    let key = identity(2).did().split(':').next_back().unwrap().to_owned();
    let document = |did: &str, kid: &str, key: &str| json!({"did": did, "keys": [{"kid": kid, "key": key}]});
    let added = |document: &Value| {
        of(&|all| {
            all.push(document.clone());
            all.sort_by_key(|document| document["did"].as_str().unwrap().to_owned());
        })
    };
    // Well made, of nobody here.
    assert_eq!(added(&document("did:web:dave.example", "did:web:dave.example#key-1", &key)), refused);
    // A did:key is its own document.
    let did = identity(1).did().to_owned();
    assert_eq!(added(&document(&did, &format!("{did}#key-1"), &key)), refused);
    assert_eq!(of(&|all| all.reverse()), refused);
    assert_eq!(of(&|all| all.push(all[1].clone())), refused);
    let many = |all: &mut Vec<Value>| {
        let did = |at: usize| format!("did:web:{at:02}.example");
        all.extend((0..MAX_DOCUMENTS).map(|at| json!({"did": did(at), "keys": []})));
        all.sort_by_key(|document| document["did"].as_str().unwrap().to_owned());
    };
    assert_eq!(of(&many), refused);
    let decrypts = published(&identity(2), BOB, &[]).unwrap().verification_methods.swap_remove(1);
    let decrypts = key::encode(&decrypts.key).split(':').next_back().unwrap().to_owned();
    let first = format!("{BOB}#key-1");
    for (kid, key) in [
        (first.as_str(), ""),
        (&first, &key[1..]),
        (&first, &key[..key.len() - 1]),
        (&first, &decrypts),
        (&format!("{CAROL}#key-1"), &key),
        (&format!("{BOB}/#key-1"), &key),
        (&format!("{BOB}#"), &key),
        (BOB, &key),
        ("", &key),
    ] {
        assert_eq!(of(&|all| all[0] = document(BOB, kid, key)), refused, "{kid} {key}");
    }
    let twice = |all: &mut Vec<Value>| {
        let key = all[0]["keys"][0].clone();
        all[0]["keys"].as_array_mut().unwrap().push(key);
    };
    assert_eq!(of(&twice), refused);
    let keys = |count: usize| {
        of(&|all| {
            let key = |at| json!({"kid": format!("{BOB}#key-{at}"), "key": key});
            all[0]["keys"] = (1..=count).map(key).collect();
        })
    };
    assert!(keys(MAX_KEYS).is_ok());
    assert_eq!(keys(MAX_KEYS + 1), refused);
}

/// Decides TR-20.
#[test]
fn no_part_of_a_statement_with_documents_can_be_left_out() {
    let file = round().file(0, |_| ());
    let value: Value = serde_json::from_slice(&file).unwrap();
    let statement = b64url_decode(value["statement"].as_str().unwrap()).unwrap();
    for end in 0..statement.len() {
        let error = changed(&file, |file| file["statement"] = b64url_encode(&statement[..end]).into());
        assert_eq!(error, TranscriptError::Unreadable("statement"), "{end} bytes");
    }
    for bit in 0..statement.len() * 8 {
        let mut other = statement.clone();
        other[bit / 8] ^= 1 << (bit % 8);
        changed(&file, |file| file["statement"] = b64url_encode(&other).into());
    }
}

/// Decides TR-05.
#[test]
fn a_document_for_which_there_is_no_room_is_left_out() {
    let mut documents = documents();
    let long = "k".repeat(MAX_SEEN_BYTES / 8);
    let bob = documents.get_mut(BOB).unwrap();
    let key = bob.verification_methods[0].clone();
    for at in 0..8 {
        let id = format!("{BOB}#{long}{at}");
        bob.assertion_method.push(id.clone());
        bob.verification_methods.push(VerificationMethod { id, ..key.clone() });
    }
    let mut round = round();
    let body = round.record.roster.body().clone();
    *round.record.roster = Roster::write(body, &documents).unwrap();
    let file = round.file(0, |_| ());
    assert_eq!(Transcript::read(&file), Err(TranscriptError::Elsewhere { did: BOB.to_owned() }));
    let read = Transcript::read_with(&file, &documents).unwrap();
    assert_eq!(read.statement().documents, [Seen::of(&document(CAROL, 3))]);
}
