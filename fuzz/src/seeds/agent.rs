//! Seeds of rosters, transcripts, files of a home and HTTP requests.

use std::collections::HashMap;

use didagent::core::did_document::published;
use didagent::core::identity::Identity;
use didagent::core::invite::Invitation;
use didagent::core::room::kept::{KeptGuest, KeptLobby, KeptRoom};
use didagent::core::room::roster::{Party, Roster, RosterBody};
use didagent::core::room::{Approval, Assent, Nonce};
use didagent::core::transcript::{Outcome, Record, Traffic};
use didagent_bridge::manifest::ProgramKind;
use didagent_didcomm::protocols::{Digest32, b64url_decode, b64url_encode};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use sha2::{Digest as _, Sha256};

use super::{Seeds, flipped};
use crate::agent::{MEDIATOR, commitment, member, nonce};

pub(super) fn add(seeds: &mut Seeds) {
    lists(seeds);
    rosters(seeds);
    identities(seeds);
    kept_rooms(seeds);
    heads(seeds);
    chunks(seeds);
}

fn lists(seeds: &mut Seeds) {
    const T: &str = "party_list";
    // A mediator with an address, or nobody could be written to.
    let mediator = member(200).connection("ws://mediator.example/").did;
    let entry =
        |index: u8| format!("[[party]]\ndid = \"{}\"\nname = \"party {index}\"\n", member(index).did());
    let at = format!("at = \"{}\"\n", member(0).connection(&mediator).did);
    let valid = format!("name = \"audit\"\nthreshold = 1\n{}{at}{}{}", entry(0), entry(1), entry(2));
    seeds.add(T, "valid", valid.as_bytes());
    seeds.add(T, "valid-web", entry(0) + "[[party]]\ndid = \"did:web:bob.example\"");
    seeds.add(T, "bad-twice", entry(1) + &entry(1));
    seeds.add(T, "bad-alone", entry(1));
    seeds.add(T, "bad-threshold", valid.replace("= 1", "= 18446744073709551616"));
    seeds.add(T, "bad-word", valid.replace("threshold", "t"));
    seeds.add(T, "bad-at", valid.replace("did:peer:2.", "did:peer:3."));
    seeds.add(T, "bad-name", valid.replace("party 2", "\\u202e2"));
}

fn party(index: u8) -> Party {
    party_as(index, &member(index))
}

fn party_as(index: u8, identity: &Identity) -> Party {
    let connection = identity.connection(MEDIATOR);
    Party {
        index: index.into(),
        name: format!("party {index}"),
        identity: identity.did().to_owned(),
        link: identity.link(&connection, 1_700_000_000),
        did: connection.did,
        kid: connection.kid,
        program: ProgramKind::ByHand,
        commitment: commitment(&nonce(index)),
        confirm: false,
        credential: None,
    }
}

fn rosters(seeds: &mut Seeds) {
    const T: &str = "room_roster";
    let body = RosterBody {
        v: 1,
        room: "room".into(),
        invitation: b64url_encode([7; 32]),
        round: 1,
        m: 3,
        threshold: 1,
        relay: MEDIATOR.into(),
        manifest: None,
        require_issuer: Vec::new(),
        parties: (0..3).map(party).collect(),
    };
    let valid = Roster::write(body.clone(), &HashMap::new()).expect("a roster");
    seeds.add(T, "valid", valid.bytes());
    let bad = |change: fn(&mut RosterBody)| {
        let mut body = body.clone();
        change(&mut body);
        serde_json::to_vec(&body).expect("JSON")
    };
    seeds.add(T, "bad-threshold", bad(|body| body.threshold = 2));
    seeds.add(T, "bad-order", bad(|body| body.parties.swap(1, 2)));
    seeds.add(T, "bad-number", bad(|body| body.m = usize::MAX));
    seeds.add(T, "bad-name", bad(|body| body.parties[2].name = "\u{1b}[2J".into()));
    seeds.add(T, "bad-link", bad(|body| body.parties[2].link = body.parties[1].link.clone()));
    seeds.add(T, "bad-relay", bad(|body| body.relay.clear()));
    seeds.add(T, "bad-json", flipped(valid.bytes(), 0));
    transcripts(seeds, valid);
    let web = "did:web:bob.example";
    let document = published(&member(1), web, &[]).expect("a document");
    let named = member(1).named(&format!("{web}#key-1"));
    let parties = vec![party(0), party_as(1, &named), party(2)];
    let documents = HashMap::from([(web.to_owned(), document)]);
    let looked_up = Roster::write(RosterBody { parties, ..body }, &documents).expect("a roster");
    transcripts_of_web(seeds, looked_up);
}

/// Of a room with a did:web, whose key the statement has.
fn transcripts_of_web(seeds: &mut Seeds, roster: Roster) {
    const T: &str = "transcript";
    let assent = |index| Assent { nonce: nonce(index), signature: roster.sign(&member(index)) };
    let assents = (0..3).map(assent).collect();
    let record = Record { roster: Box::new(roster.clone()), assents, index: 1, began: 1_800_000_000 };
    let outcome = |index: usize| Outcome {
        ended: 1_800_000_005,
        exit: 0,
        program: Some(0),
        reason: None,
        peers: (0..3).filter(|peer| *peer != index).map(|index| Traffic { index, up: 7, down: 7 }).collect(),
    };
    seeds.add(T, "valid-web-own", record.write(outcome(1), &member(1)));
    let record = Record { index: 2, ..record };
    seeds.add(T, "valid-web", record.write(outcome(2), &member(2)));
    let file = String::from_utf8(record.write(outcome(2), &member(2))).expect("JSON");
    let stated = |change: fn(&mut serde_json::Value)| {
        let mut file: serde_json::Value = serde_json::from_str(&file).expect("JSON");
        let statement = b64url_decode(file["statement"].as_str().expect("a text")).expect("base64url");
        let mut statement = serde_json::from_slice(&statement).expect("JSON");
        change(&mut statement);
        let statement = statement.to_string();
        let hash = Sha256::digest(&statement);
        let signature = member(2).sign(&[b"didagent-transcript/1", hash.as_slice()].concat());
        file["signature"] = b64url_encode(signature).into();
        file["statement"] = b64url_encode(statement).into();
        file.to_string()
    };
    let key = |statement: &mut serde_json::Value| {
        statement["documents"][0]["keys"][0]["key"] = member(2).did().replace("did:key:", "").into();
    };
    seeds.add(T, "bad-web-key", stated(key));
    const ID: &str = "did:web:bob.example#key-2";
    seeds.add(T, "bad-web-id", stated(|statement| statement["documents"][0]["keys"][0]["kid"] = ID.into()));
    seeds.add(T, "bad-web-none", stated(|statement| statement["documents"] = serde_json::json!([])));
    let twice = |statement: &mut serde_json::Value| {
        let document = statement["documents"][0].clone();
        statement["documents"].as_array_mut().expect("a list").push(document);
    };
    seeds.add(T, "bad-web-twice", stated(twice));
    let other = |statement: &mut serde_json::Value| {
        statement["documents"][0] = serde_json::json!({"did": member(1).did(), "keys": []});
    };
    seeds.add(T, "bad-web-other", stated(other));
}

fn transcripts(seeds: &mut Seeds, roster: Roster) {
    const T: &str = "transcript";
    let assent = |index| Assent { nonce: nonce(index), signature: roster.sign(&member(index)) };
    let assents = (0..3).map(assent).collect();
    let record = Record { roster: Box::new(roster.clone()), assents, index: 1, began: 1_800_000_000 };
    let outcome = |exit, reason| Outcome {
        ended: 1_800_000_005,
        exit,
        program: None,
        reason,
        peers: [0, 2].map(|index| Traffic { index, up: 100, down: 200 }).into(),
    };
    let valid = record.write(outcome(0, None), &member(1));
    seeds.add(T, "valid", &valid);
    seeds.add(T, "valid-stopped", record.write(outcome(125, Some("E0405")), &member(1)));
    seeds.add(T, "bad-signer", record.write(outcome(0, None), &member(2)));
    seeds.add(T, "bad-reason", record.write(outcome(0, Some("because")), &member(1)));
    let lone = Outcome { peers: Vec::new(), ..outcome(0, None) };
    seeds.add(T, "bad-peers", record.write(lone, &member(1)));
    let mut unsigned = record;
    unsigned.assents.pop();
    seeds.add(T, "bad-ready", unsigned.write(outcome(0, None), &member(1)));
    seeds.add(T, "bad-json", flipped(&valid, 0));
}

fn identities(seeds: &mut Seeds) {
    const T: &str = "identity_file";
    let file = member(0).to_file();
    seeds.add(T, "valid", file.as_slice());
    let text = String::from_utf8(file.to_vec()).expect("JSON");
    seeds.add(T, "bad-version", text.replace("\"v\": 1", "\"v\": 2"));
    seeds.add(T, "bad-key", text.replacen("\"ed25519\": \"", "\"ed25519\": \"A", 1));
    seeds.add(T, "bad-member", text.replace("x25519", "y25519"));
}

fn kept_rooms(seeds: &mut Seeds) {
    const T: &str = "kept_room";
    let mut rng = ChaCha20Rng::from_seed([9; 32]);
    let guest = |index: u8| {
        let identity = member(index);
        let key = Digest32(identity.public());
        KeptGuest { party: party(index), key, manifest: None, credential: None, has_ended: index == 2 }
    };
    let host = member(0).connection(MEDIATOR);
    let invitation = Invitation::create(&host, "MPyC", 1_700_000_000, 1_700_007_200, &mut rng);
    let link = serde_json::json!({"text": "https://mediator.example/r/AQEBAQEB#secret", "content": "AAAA", "single_use": true});
    let kept = KeptRoom {
        invitation: invitation.expect("an invitation"),
        nonce: Nonce::random(&mut rng),
        identity: member(0).did().to_owned(),
        name: "alice".into(),
        mediators: vec![MEDIATOR.into()],
        confirm: Some(600),
        link: serde_json::from_value(link).expect("a link"),
        lobby: KeptLobby {
            seats: 4,
            guests: vec![guest(1), guest(2)],
            unwanted: [member(3).did().to_owned()].into(),
            moves: [(member(1).did().to_owned(), 2)].into(),
            approval: Some(Approval::Strangers),
            admitted: [member(2).did().to_owned()].into(),
        },
    };
    let file = kept.to_file();
    seeds.add(T, "valid", file.as_slice());
    let text = String::from_utf8(file.to_vec()).expect("JSON");
    seeds.add(T, "bad-version", text.replace("\"v\": 1", "\"v\": 2"));
    seeds.add(T, "bad-seats", text.replace("\"seats\": 4", "\"seats\": 2"));
    seeds.add(T, "bad-many-seats", text.replace("\"seats\": 4", "\"seats\": 18446744073709551615"));
    seeds.add(T, "bad-two-seats", text.replace(member(2).did(), member(1).did()));
    seeds.add(T, "bad-nonce", text.replace("\"nonce\": \"", "\"nonce\": \"A"));
    seeds.add(T, "bad-json", flipped(&file, 0));
}

fn heads(seeds: &mut Seeds) {
    const T: &str = "http_head";
    let upgrade = "GET / HTTP/1.1\r\nHost: example.org\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    seeds.add(T, "valid", upgrade);
    seeds.add(T, "valid-page", "GET /?_oob=abc HTTP/1.1\r\nHost: example.org\r\n\r\n");
    let post = "POST / HTTP/1.1\r\nHost: example.org\r\nContent-Type: application/didcomm-encrypted+json\r\n";
    seeds.add(T, "valid-link-page", "GET /r/AQEBAQEB HTTP/1.1\r\nHost: example.org\r\n\r\n");
    seeds.add(
        T,
        "valid-link-take",
        "POST /r/AQEBAQEB HTTP/1.1\r\nHost: example.org\r\nAuthorization: Bearer AAAA\r\n\r\n",
    );
    seeds.add(
        T,
        "valid-oobid",
        "GET /?_oobid=AAAAAAAAAAAAAAAAAAAAAA HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\n\r\n",
    );
    seeds.add(T, "valid-post", format!("{post}Content-Length: 2\r\n\r\n{{}}"));
    seeds.add(T, "valid-post-chunked", format!("{post}Transfer-Encoding: chunked\r\n\r\n"));
    seeds.add(T, "bad-two-lengths", format!("{post}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"));
    seeds.add(T, "bad-type", "POST / HTTP/1.1\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n");
    seeds.add(T, "bad-method", upgrade.replace("GET", "PATCH"));
    seeds.add(T, "bad-bytes", [0xff, 0x0d, 0x0a, 0x0d, 0x0a]);
}

fn chunks(seeds: &mut Seeds) {
    const T: &str = "http_body";
    seeds.add(T, "valid", "5\r\nhello\r\n0006;name=\"value\"\r\n world\r\n0\r\nTrailer: x\r\n\r\n");
    seeds.add(T, "valid-empty", "0\r\n\r\n");
    seeds.add(T, "bad-cut", "5\r\nhello\r\n0\r\n");
    seeds.add(T, "bad-size", "x\r\n\r\n");
    seeds.add(T, "bad-long", "ffffffffffffffff\r\n");
    seeds.add(T, "bad-end", "1\r\nab\r\n0\r\n\r\n");
}
