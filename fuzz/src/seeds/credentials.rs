//! Seeds of credentials and status lists.

use didagent_didcomm::credential::{Bits, Issue, Purpose, StatusEntry, issue, issue_status_list};
use didagent_didcomm::did::key;
use didagent_didcomm::protocols::b64url_decode;
use serde_json::{Value, json};

use super::{Seeds, flipped, identity_did};
use crate::parties::{ALICE, IDENTITY, NOW};

const LIST: &str = "https://authority.example/status";

pub(super) fn add(seeds: &mut Seeds) {
    let kid = key::kid(&identity_did());
    let status = StatusEntry { purpose: Purpose::Revocation, index: 94_567, list: LIST.to_owned() };
    let what = Issue {
        id: "urn:uuid:3978344f-8596-4c3a-a978-8fcaba3903c5",
        subject: &ALICE.did,
        role: Some("auditor"),
        valid_from: NOW - 10,
        valid_until: NOW + 10,
        status: Some(&status),
    };
    let valid = issue(&IDENTITY, &kid, &what).expect("a credential");
    const T: &str = "credential_text";
    seeds.add(T, "valid", &valid);
    let late = issue(&IDENTITY, &kid, &Issue { valid_until: NOW, ..what }).expect("a credential");
    seeds.add(T, "bad-expired", late);
    seeds.add(T, "bad-signature", flipped(valid.as_bytes(), -4));
    seeds.add(T, "bad-parts", valid.replacen('.', "", 1));
    credentials(seeds, &parts(&valid));
    let mut bits = Bits::none_set();
    [0, 7, 94_567].into_iter().for_each(|index| bits.set(index));
    let list = issue_status_list(&IDENTITY, &kid, LIST, &bits, NOW - 10, NOW + 10).expect("a list");
    lists(seeds, &parts(&list));
}

fn credentials(seeds: &mut Seeds, (header, payload): &(Value, Value)) {
    const T: &str = "credential_contents";
    seeds.add(T, "valid", contents(header, payload));
    let jwt = with(header, "typ", json!("JWT"));
    let older = json!({
        "iss": identity_did(),
        "sub": ALICE.did,
        "nbf": NOW - 10,
        "exp": NOW + 10,
        "vc": {
            "@context": ["https://www.w3.org/2018/credentials/v1"],
            "type": ["VerifiableCredential"],
            "credentialSubject": {"role": "auditor"},
        },
    });
    seeds.add(T, "valid-1.1", contents(&jwt, &older));
    seeds.add(T, "valid-no-kid", contents(&with(header, "kid", Value::Null), payload));
    seeds.add(
        T,
        "valid-one-issuer",
        contents(header, &with(payload, "issuer", json!({"id": identity_did()}))),
    );
    seeds.add(T, "bad-typ", contents(&jwt, payload));
    seeds.add(T, "bad-alg", contents(&with(header, "alg", json!("ES256")), payload));
    seeds.add(T, "bad-crit", contents(&with(header, "crit", json!(["x"])), payload));
    seeds.add(T, "bad-iss", contents(header, &with(payload, "iss", json!(ALICE.did))));
    seeds.add(T, "bad-time", contents(header, &with(payload, "validFrom", json!("tomorrow"))));
    seeds.add(T, "bad-context", contents(header, &with(payload, "@context", json!([]))));
    let status = json!({"type": "StatusList2021Entry"});
    seeds.add(T, "bad-status", contents(header, &with(payload, "credentialStatus", status)));
    let two = json!([{"id": ALICE.did}, {"id": identity_did()}]);
    seeds.add(T, "bad-subjects", contents(header, &with(payload, "credentialSubject", two)));
}

fn lists(seeds: &mut Seeds, (header, payload): &(Value, Value)) {
    const T: &str = "status_list";
    seeds.add(T, "valid", contents(header, payload));
    let subject = |name: &str, value: Value| {
        let mut payload = payload.clone();
        payload["credentialSubject"][name] = value;
        contents(header, &payload)
    };
    seeds.add(T, "valid-purposes", subject("statusPurpose", json!(["revocation", "suspension"])));
    seeds.add(T, "bad-type", contents(header, &with(payload, "type", json!("VerifiableCredential"))));
    seeds.add(T, "bad-purpose", subject("statusPurpose", json!(1)));
    seeds.add(T, "bad-bits", subject("encodedList", json!("uAAAA")));
    const B: &str = "status_bits";
    let encoded = payload["credentialSubject"]["encodedList"].as_str().expect("bits");
    let packed = b64url_decode(&encoded[1..]).expect("base64url");
    seeds.add(B, "valid", &packed);
    seeds.add(B, "bad-checksum", flipped(&packed, -5));
    seeds.add(B, "bad-header", flipped(&packed, 0));
    seeds.add(B, "bad-more", [packed.as_slice(), &[0]].concat());
    // A deflate block that repeats itself for 400,000 bytes: beyond what a list may be.
    seeds.add(B, "bad-bomb", bomb());
}

/// A gzip member of 1000 stored and repeated zeros: fixed Huffman codes, a literal and then matches of 258 bytes at distance 1.
fn bomb() -> Vec<u8> {
    let mut bits = vec![true, true, false];
    let push = |bits: &mut Vec<bool>, code: u32, length: u32| {
        bits.extend((0..length).rev().map(|at| code >> at & 1 == 1));
    };
    push(&mut bits, 0b0011_0000, 8);
    for _ in 0..1600 {
        // Length 258 is code 285, eight bits; distance 1 is code 0, five bits.
        push(&mut bits, 0b1100_0101, 8);
        push(&mut bits, 0, 5);
    }
    push(&mut bits, 0, 7);
    let bytes = bits.chunks(8).map(|byte| byte.iter().rev().fold(0, |all, bit| all << 1 | u8::from(*bit)));
    let head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    head.into_iter().chain(bytes).chain([0; 8]).collect()
}

fn parts(jws: &str) -> (Value, Value) {
    let mut parts = jws
        .split('.')
        .map(|part| serde_json::from_slice(&b64url_decode(part).expect("base64url")).expect("JSON"));
    (parts.next().expect("a header"), parts.next().expect("a payload"))
}

fn with(object: &Value, name: &str, value: Value) -> Value {
    let mut object = object.clone();
    match value {
        Value::Null => drop(object.as_object_mut().expect("an object").remove(name)),
        value => object[name] = value,
    }
    object
}

fn contents(header: &Value, payload: &Value) -> Vec<u8> {
    [header.to_string().as_bytes(), &[0], payload.to_string().as_bytes()].concat()
}
