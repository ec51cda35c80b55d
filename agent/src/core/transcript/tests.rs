//! Transcripts that hold, and each way in which one does not.

use didagent_bridge::manifest::ProgramKind;
use serde_json::{Value, json};

use super::*;
use crate::core::room::Nonce;
use crate::core::room::roster::tests::party;
use crate::core::room::roster::{Party, RosterBody};
use crate::core::test_rng;

const BEGAN: u64 = 1_800_000_000;

pub(super) struct Round {
    pub(super) identities: Vec<Identity>,
    pub(super) record: Record,
}

/// A round of three that everybody signed. Another `room` is another round.
fn round(room: &str) -> Round {
    let identities = (1..=3).map(|seed| Identity::generate(&mut test_rng(seed)));
    round_of(room, identities.collect(), &Documents::new())
}

/// A round of these three, of some of whom these are the documents.
pub(super) fn round_of(room: &str, identities: Vec<Identity>, documents: &Documents) -> Round {
    let nonces: Vec<_> = (11..=13).map(|seed| Nonce::random(&mut test_rng(seed))).collect();
    let entry = |(index, identity): (usize, &Identity)| Party {
        commitment: nonces[index].commitment(),
        ..party(index, identity, "somebody")
    };
    let body = RosterBody {
        require_issuer: Vec::new(),
        v: 1,
        room: room.to_owned(),
        invitation: b64url_encode([7; 32]),
        round: 1,
        m: 3,
        threshold: 1,
        relay: "did:peer:2.Ez6LSmediator".to_owned(),
        manifest: None,
        parties: identities.iter().enumerate().map(entry).collect(),
    };
    let roster = Roster::write(body, documents).unwrap();
    let assent = |(identity, nonce): (&Identity, &Nonce)| Assent {
        nonce: nonce.shown(),
        signature: roster.sign(identity),
    };
    let assents = identities.iter().zip(&nonces).map(assent).collect();
    Round { record: Record { roster: Box::new(roster), assents, index: 0, began: BEGAN }, identities }
}

fn outcome(index: usize) -> Outcome {
    let peers = (0..3).filter(|peer| *peer != index);
    // What is sent from a to b: 10a + b.
    let traffic =
        |peer| Traffic { index: peer, up: number(10 * index + peer), down: number(10 * peer + index) };
    Outcome { ended: BEGAN + 5, exit: 0, program: Some(0), reason: None, peers: peers.map(traffic).collect() }
}

fn number(of: usize) -> u64 {
    u64::try_from(of).unwrap()
}

impl Round {
    /// The file of a party that ended in this way.
    pub(super) fn file(&self, index: usize, change: impl FnOnce(&mut Outcome)) -> Vec<u8> {
        let mut outcome = outcome(index);
        change(&mut outcome);
        Record { index, ..self.record.clone() }.write(outcome, &self.identities[index])
    }

    pub(super) fn read(&self, index: usize, change: impl FnOnce(&mut Outcome)) -> Transcript {
        Transcript::read(&self.file(index, change)).unwrap()
    }

    /// The file of party 0 with this statement, properly signed by `signer`.
    pub(super) fn stating(&self, signer: usize, change: impl FnOnce(&mut Value)) -> Vec<u8> {
        let mut document: Value = serde_json::from_slice(&self.file(0, |_| ())).unwrap();
        let bytes = b64url_decode(document["statement"].as_str().unwrap()).unwrap();
        let mut statement: Value = serde_json::from_slice(&bytes).unwrap();
        change(&mut statement);
        let statement = serde_json::to_vec(&statement).unwrap();
        let signature = self.identities[signer].sign(&signed_bytes(&statement));
        document["signature"] = b64url_encode(signature).into();
        document["statement"] = b64url_encode(statement).into();
        serde_json::to_vec(&document).unwrap()
    }
}

pub(super) fn changed(file: &[u8], change: impl FnOnce(&mut Value)) -> TranscriptError {
    let mut document: Value = serde_json::from_slice(file).unwrap();
    change(&mut document);
    Transcript::read(&serde_json::to_vec(&document).unwrap()).unwrap_err()
}

/// Decides TR-03, TR-21, TR-22.
#[test]
fn what_is_written_is_read_and_the_words_are_those_that_people_saw() {
    let round = round("room");
    for index in 0..3 {
        let read = round.read(index, |_| ());
        assert_eq!(read.roster(), &*round.record.roster);
        let nonces = round.record.assents.iter().map(|assent| &assent.nonce.0);
        assert_eq!(read.words(), words::words(&round.record.roster.hash(), nonces));
        let Outcome { ended, exit, program, peers, .. } = outcome(index);
        let Statement { began, reason, .. } = read.statement().clone();
        assert_eq!((began, reason, read.statement().index), (BEGAN, None, index));
        assert_eq!((read.statement().ended, read.statement().exit), (ended, exit));
        assert_eq!((read.statement().program, &read.statement().peers), (program, &peers));
    }
    let stopped = round.read(1, |outcome| {
        (outcome.exit, outcome.program, outcome.reason) = (125, None, Some("E0405"));
        outcome.ended = BEGAN - 7;
    });
    let Statement { exit, program, reason, ended, .. } = stopped.statement().clone();
    assert_eq!((exit, program, reason.as_deref(), ended), (125, None, Some("E0405"), BEGAN));
}

/// Decides TR-20: nothing in a file is without a signature.
#[test]
fn no_byte_of_a_file_can_be_changed_and_none_left_out() {
    let file = round("room").file(0, |_| ());
    let original = Transcript::read(&file).unwrap();
    for at in 0..file.len() {
        let mut other = file.clone();
        other[at] ^= 1;
        // Between members one kind of white space may be another.
        match Transcript::read(&other) {
            Ok(read) => assert!(file[at].is_ascii_whitespace() && read == original, "byte {at}"),
            Err(_) => assert!(!other[at].is_ascii_whitespace() || !file[at].is_ascii_whitespace()),
        }
    }
    // A signature check each, so not all of the long ones.
    for end in (0..file.len()).step_by(7).chain([file.len() - 1]) {
        assert_eq!(Transcript::read(&file[..end]), Err(TranscriptError::NotOne), "{end} bytes");
    }
    assert_eq!(Transcript::read(&[&file[..], b"x"].concat()), Err(TranscriptError::NotOne));
    let mut long = file;
    long.resize(MAX_BYTES, b' ');
    assert_eq!(Transcript::read(&long), Ok(original));
    long.push(b' ');
    assert_eq!(Transcript::read(&long), Err(TranscriptError::NotOne));
}

#[test]
fn each_member_that_is_somebody_elses_is_named() {
    let (ours, other) = (round("room"), round("another room"));
    let file = ours.file(0, |_| ());
    let theirs: Value = serde_json::from_slice(&other.file(0, |_| ())).unwrap();
    let second: Value = serde_json::from_slice(&ours.file(1, |_| ())).unwrap();
    let swap = |member: &'static str, from: &Value| {
        let from = from[member].clone();
        changed(&file, |document| document[member] = from)
    };
    let unsigned = TranscriptError::Roster(RosterError::Signature { index: 0 });
    assert_eq!(swap("roster", &theirs), unsigned);
    assert_eq!(swap("ready", &theirs), unsigned);
    assert_eq!(swap("statement", &theirs), TranscriptError::Signature);
    // Party 1's own words and key, but not together.
    assert_eq!(swap("statement", &second), TranscriptError::Signature);
    assert_eq!(swap("signature", &second), TranscriptError::Signature);
    assert_eq!(changed(&file, |document| document["type"] = "other".into()), TranscriptError::NotOne);
    assert_eq!(changed(&file, |document| document["v"] = 2.into()), TranscriptError::NotOne);
    assert_eq!(changed(&file, |document| document["more"] = 1.into()), TranscriptError::NotOne);
    let unreadable = |member| changed(&file, |document| document[member] = "?".into());
    assert_eq!(unreadable("roster"), TranscriptError::Unreadable("roster"));
    assert_eq!(unreadable("statement"), TranscriptError::Unreadable("statement"));
    assert_eq!(unreadable("signature"), TranscriptError::Signature);
    for index in 0..3 {
        let of =
            |member: &str, value: Value| changed(&file, |document| document["ready"][index][member] = value);
        let next: Value = serde_json::from_slice(&file).unwrap();
        let next = &next["ready"][(index + 1) % 3];
        let unsigned = TranscriptError::Roster(RosterError::Signature { index });
        assert_eq!(of("signature", next["signature"].clone()), unsigned, "a valid key, but another one");
        assert_eq!(of("nonce", next["nonce"].clone()), TranscriptError::Nonce { index });
        assert_eq!(of("more", 1.into()), TranscriptError::NotOne);
    }
    let missing = |document: &mut Value| drop(document["ready"].as_array_mut().unwrap().pop());
    assert_eq!(changed(&file, missing), TranscriptError::Missing { shown: 2, m: 3 });
}

/// Decides TR-22. The signatures are valid: it is what they are over.
#[test]
fn a_statement_that_cannot_be_is_refused_although_it_is_signed() {
    type Change = fn(&mut Value);
    let ours = round("room");
    let of = |signer, change: Change| Transcript::read(&ours.stating(signer, change)).unwrap_err();
    assert!(Transcript::read(&ours.stating(0, |_| ())).is_ok());
    assert_eq!(of(1, |_| ()), TranscriptError::Signature);
    // A statement of the same parties from another round, where it was true.
    let replayed = |statement: &mut Value| {
        statement["round"] = b64url_encode(round("another room").record.roster.hash()).into();
    };
    assert_eq!(of(0, replayed), TranscriptError::Round);
    let lies: [(Change, &str); 9] = [
        (|statement| statement["v"] = 2.into(), "version"),
        (|statement| statement["index"] = 3.into(), "index"),
        (|statement| statement["ended"] = (BEGAN - 1).into(), "time"),
        (|statement| statement["reason"] = "E0405 because".into(), "reason"),
        (|statement| statement["reason"] = "E\u{1b}[2J".into(), "reason"),
        (|statement| statement["peers"] = json!([]), "list of the others"),
        (|statement| statement["peers"][1]["index"] = 1.into(), "list of the others"),
        (|statement| statement["peers"][0]["index"] = 0.into(), "list of the others"),
        (|statement| statement["peers"].as_array_mut().unwrap().reverse(), "list of the others"),
    ];
    for (change, what) in lies {
        assert_eq!(of(0, change), TranscriptError::Statement(what));
    }
    let more = |statement: &mut Value| statement["more"] = 1.into();
    assert_eq!(of(0, more), TranscriptError::Unreadable("statement"));
}

/// Decides TR-30.
#[test]
fn files_of_one_round_fit_together_and_lies_do_not() {
    let ours = round("room");
    let all: Vec<_> = (0..3).map(|index| ours.read(index, |_| ())).collect();
    assert_eq!(together(&all), Ok(()));
    let with = |index, change: fn(&mut Outcome)| {
        let mut all = all.clone();
        all[index] = ours.read(index, change);
        together(&all)
    };
    let sent = |outcome: &mut Outcome| outcome.peers[1].up += 1;
    assert_eq!(with(0, sent), Err(Misfit::Bytes { from: 0, to: 2, sent: 3, received: 2 }));
    let received = |outcome: &mut Outcome| outcome.peers[0].down -= 1;
    assert_eq!(with(1, received), Err(Misfit::Bytes { from: 0, to: 1, sent: 1, received: 0 }));
    // Of a run that was stopped, bytes may be lost.
    let stopped = |outcome: &mut Outcome| (outcome.exit, outcome.peers[1].up) = (125, 1000);
    assert_eq!(with(0, stopped), Ok(()));
    assert_eq!(together(&[all[0].clone(), all[0].clone()]), Err(Misfit::Twice { index: 0 }));
    let other = round("another room").read(1, |_| ());
    assert_eq!(together(&[all[0].clone(), other]), Err(Misfit::Rounds));
    let late = |began| {
        let record = Record { index: 1, began, ..ours.record.clone() };
        let outcome = Outcome { ended: began, ..outcome(1) };
        Transcript::read(&record.write(outcome, &ours.identities[1])).unwrap()
    };
    for (began, result) in [
        (BEGAN + 125, Ok(())),
        (BEGAN + 126, Err(Misfit::Times { one: 0, other: 1 })),
        (BEGAN - 120, Ok(())),
        (BEGAN - 121, Err(Misfit::Times { one: 0, other: 1 })),
        (u64::MAX, Err(Misfit::Times { one: 0, other: 1 })),
    ] {
        assert_eq!(together(&[all[0].clone(), late(began)]), result, "{began}");
    }
}

/// Decides TR-24, for rounds without a program; `tests/transcripts.rs` has one with.
#[test]
fn a_round_without_a_manifest_fits_no_program() {
    let read = round("room").read(0, |_| ());
    assert_eq!(read.roster().body().parties[0].program, ProgramKind::ByHand);
    assert_eq!(fits_program(&read, &"0".repeat(64)), Err(Misfit::NoProgram));
}
