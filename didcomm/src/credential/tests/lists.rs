//! Status lists.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

fn entry(index: usize) -> StatusEntry {
    StatusEntry { purpose: Purpose::Revocation, index, list: LIST.to_owned() }
}

fn list_of(seed: u8, set: &[usize]) -> String {
    let mut bits = Bits::none_set();
    set.iter().for_each(|index| bits.set(*index));
    issue_status_list(&secret(seed), &issuer(seed).1, LIST, &bits, NOW, NOW + 60).unwrap()
}

fn verified(text: &str) -> Result<StatusList, StatusError> {
    StatusListIn::read(text)?.verify(&OfflineResolver, NOW)
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut packing = GzEncoder::new(Vec::new(), Compression::best());
    packing.write_all(bytes).unwrap();
    packing.finish().unwrap()
}

fn encoded(bytes: &[u8]) -> String {
    format!("u{}", base64url::encode(packed(bytes)))
}

/// Checks a credential of issuer 1 with this entry against this list.
fn check(of: &StatusEntry, list: &str) -> Result<(), StatusError> {
    let credential = CredentialIn::read(&issued(1, |what| what.status = Some(of)))?;
    let credential = credential.verify(&OfflineResolver, NOW)?;
    credential.check_status(&credential.claims().status[0], &verified(list)?)
}

/// Decides CR-05, CR-06.
#[test]
fn one_bit_revokes_one_credential() {
    let list = list_of(1, &[0, 9, 131_071]);
    for index in [0, 9, 131_071] {
        assert_eq!(check(&entry(index), &list), Err(StatusError::Revoked), "{index}");
    }
    for index in [1, 8, 10, 131_070] {
        assert_eq!(check(&entry(index), &list), Ok(()), "{index}");
    }
    assert_eq!(check(&entry(131_072), &list), Err(StatusError::Length));
    assert_eq!(check(&entry(1), &format!("{list}\n")), Ok(()), "a file ends with a line's end");
}

/// Decides CR-06.
#[test]
fn a_list_that_is_anothers_or_for_something_else_says_nothing() {
    assert_eq!(check(&entry(1), &list_of(2, &[])), Err(StatusError::OtherIssuer));
    let elsewhere = StatusEntry { list: "https://authority.example/other".to_owned(), ..entry(1) };
    assert_eq!(check(&elsewhere, &list_of(1, &[])), Err(StatusError::OtherList));
    let suspension = StatusEntry { purpose: Purpose::Suspension, ..entry(1) };
    assert_eq!(check(&suspension, &list_of(1, &[])), Err(StatusError::OtherPurpose));
    // One list may serve both purposes, and a bit then means what the credential's entry says.
    let both = changed(|payload| {
        payload["credentialSubject"]["statusPurpose"] = json!(["revocation", "suspension"]);
    });
    assert_eq!(check(&entry(9), &both), Err(StatusError::Revoked));
    assert_eq!(check(&StatusEntry { index: 9, ..suspension }, &both), Err(StatusError::Suspended));
}

/// The list with bit 9, changed before it is signed by issuer 1.
fn changed(change: impl FnOnce(&mut Value)) -> String {
    let list = list_of(1, &[9]);
    let payload = base64url::decode(list.split('.').nth(1).unwrap()).unwrap();
    let mut payload: Value = serde_json::from_slice(&payload).unwrap();
    change(&mut payload);
    signed(&json!({}), &payload)
}

/// Decides CR-06.
#[test]
fn a_list_that_has_ended_or_is_none_does_not_count() {
    let list = |error: CredentialError| Err(StatusError::List(error));
    let at = |now| StatusListIn::read(&list_of(1, &[])).unwrap().verify(&OfflineResolver, now).map(drop);
    assert_eq!(at(NOW - 1), list(CredentialError::NotYet { from: NOW }));
    assert_eq!(at(NOW + 60), list(CredentialError::Expired { until: NOW + 60 }));
    let refused = |change: fn(&mut Value)| verified(&changed(change)).map(drop);
    let malformed = |what| list(CredentialError::malformed(what));
    assert_eq!(refused(|payload| payload["type"] = json!("VerifiableCredential")), malformed("type"));
    let subject = malformed("credentialSubject");
    assert_eq!(refused(|payload| payload["credentialSubject"]["type"] = json!("x")), subject);
    assert_eq!(refused(|payload| payload["credentialSubject"]["statusPurpose"] = json!(1)), subject);
    assert_eq!(refused(|payload| payload["credentialSubject"]["encodedList"] = json!(1)), subject);
    let (signed, _) = list_of(1, &[]).rsplit_once('.').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let forged = format!("{signed}.{}", "A".repeat(86));
    assert_eq!(verified(&forged).map(drop), list(CredentialError::BadSignature));
    let text = list_of(1, &[9]);
    for end in 0..text.len() {
        assert!(verified(&text[..end]).is_err(), "{end}");
    }
    let long = "A".repeat(MAX_STATUS_LIST_BYTES + 1);
    assert_eq!(StatusListIn::read(&long).map(drop), Err(CredentialError::malformed("too long")));
}

/// Decides CR-07.
#[test]
fn what_expands_without_end_takes_no_memory() {
    let smallest = vec![0; MIN_STATUS_ENTRIES / 8];
    assert_eq!(Bits::expand(&encoded(&smallest)), Ok(Bits::none_set()));
    assert_eq!(Bits::expand(&encoded(&smallest[1..])), Err(StatusError::Length));
    let largest = vec![0xff; MAX_STATUS_ENTRIES / 8];
    assert_eq!(Bits::expand(&encoded(&largest)).unwrap().is_set(MAX_STATUS_ENTRIES - 1), Some(true));
    let bomb = encoded(&vec![0; 64 << 20]);
    assert!(bomb.len() < MAX_STATUS_LIST_BYTES, "{} bytes for 64 MiB", bomb.len());
    assert_eq!(Bits::expand(&bomb), Err(StatusError::Length));
    // Many empty members expand to nothing: only the first is a list.
    let empty = packed(b"").repeat(1000);
    assert_eq!(Bits::expand(&format!("u{}", base64url::encode(empty))), Err(StatusError::Length));
}

/// Decides CR-07.
#[test]
fn damage_of_the_compressed_bits_is_noticed() {
    let malformed = Err(StatusError::List(CredentialError::malformed("encodedList")));
    let good = packed(&vec![7; MIN_STATUS_ENTRIES / 8]);
    let expand = |bytes: &[u8]| Bits::expand(&format!("u{}", base64url::encode(bytes)));
    assert!(expand(&good).is_ok());
    for end in 0..good.len() {
        assert!(expand(&good[..end]).is_err(), "{end}");
    }
    for at in good.len() - 8..good.len() {
        let mut changed = good.clone();
        changed[at] ^= 1;
        assert_eq!(expand(&changed), malformed, "byte {at} of the checksum and the length");
    }
    let mut more = good.clone();
    more.push(0);
    assert_eq!(expand(&more), malformed);
    assert_eq!(Bits::expand(&base64url::encode(&good)), malformed, "without its multibase prefix");
    assert_eq!(Bits::expand("u!"), malformed);
    assert_eq!(Bits::expand(""), malformed);
}

/// Decides CR-05.
#[test]
fn a_status_that_is_not_read_makes_a_credential_useless() {
    let good = json!({
        "type": "BitstringStatusListEntry",
        "statusPurpose": "revocation",
        "statusListIndex": "7",
        "statusListCredential": LIST,
    });
    let with = |name: &str, value: Value| {
        let mut entry = good.clone();
        entry[name] = value;
        read(&json!({}), |payload| payload["credentialStatus"] = entry).map(|claims| claims.status)
    };
    assert_eq!(with("statusSize", json!(1)), Ok(vec![entry(7)]));
    assert_eq!(with("statusListIndex", json!(7)), Ok(vec![entry(7)]));
    assert_eq!(with("statusPurpose", json!("message")), Ok(Vec::new()), "takes nothing back");
    let unsupported = |what| Err(CredentialError::unsupported(what));
    assert_eq!(with("type", json!("StatusList2021Entry")), unsupported("type of credentialStatus"));
    assert_eq!(with("statusPurpose", json!("other")), unsupported("statusPurpose"));
    assert_eq!(with("statusSize", json!(2)), unsupported("statusSize"));
    let malformed = Err(CredentialError::malformed("credentialStatus"));
    for (name, value) in [
        ("statusListIndex", json!("-1")),
        ("statusListIndex", json!("")),
        ("statusListIndex", json!("99999999999999999999999")),
        ("statusListIndex", json!(0.5)),
        ("statusListIndex", Value::Null),
        ("statusListCredential", json!("")),
        ("statusListCredential", json!("x".repeat(3000))),
        ("statusPurpose", Value::Null),
    ] {
        assert_eq!(with(name, value.clone()), malformed, "{name} {value}");
    }
    let many = read(&json!({}), |payload| payload["credentialStatus"] = json!([good, good, good]));
    assert_eq!(many.map(|claims| claims.status), unsupported("credentialStatus with many entries"));
    let two = read(&json!({}), |payload| payload["credentialStatus"] = json!([good, good]));
    assert_eq!(two.unwrap().status.len(), 2);
    let none = read(&json!({}), |payload| payload["credentialStatus"] = json!("x"));
    assert_eq!(none.map(drop), malformed.map(drop));
}
