//! Seeds of the session protocol.

use didagent_session::{Extension, Hello, Input, Output, Session, Suite};

use super::{Seeds, flipped};
use crate::parties::{START, Statics, first, sessions, small_limits};

pub(super) fn add(seeds: &mut Seeds) {
    hellos(seeds);
    frames(seeds);
    resumptions(seeds);
    handshakes(seeds);
    records(seeds);
    hostile(seeds);
    conversations(seeds);
}

fn hellos(seeds: &mut Seeds) {
    let plain = Hello {
        cids: vec![[1; 8], [2; 8], [3; 8], [4; 8]],
        max_record: 65_536,
        stream_window: 1 << 20,
        prev_sid: None,
        extensions: Vec::new(),
    };
    let extension = |kind, value: &[u8]| Extension { kind, value: value.to_vec() };
    let full = Hello {
        cids: (0..8).map(|n| [n; 8]).collect(),
        prev_sid: Some([9; 32]),
        extensions: vec![extension(1, b""), extension(0xffff, b"value")],
        ..plain.clone()
    };
    let (plain, full) = (plain.encode().expect("a hello"), full.encode().expect("a hello"));
    seeds.add("session_hello", "valid-plain", &plain);
    seeds.add("session_hello", "valid-full", &full);
    seeds.add("session_hello", "bad-version", flipped(&plain, 0));
    seeds.add("session_hello", "bad-count-of-cids", flipped(&plain, 1));
    seeds.add("session_hello", "bad-same-cid-twice", [&plain[..2], &[1; 16], &plain[18..]].concat());
    seeds.add("session_hello", "bad-trailing-byte", [&full[..], &[0]].concat());
}

/// Every frame with valid content for a victim that opened two streams: the peer's ids are 1, 3, … or 2, 4, ….
fn frame_bytes() -> Vec<(&'static str, Vec<u8>)> {
    let stream = |kind: u8, id: u32, rest: &[u8]| [&[kind][..], &id.to_be_bytes(), rest].concat();
    vec![
        ("pad", vec![0; 5]),
        ("ack", [&[1][..], &0_u64.to_be_bytes()].concat()),
        ("ping", [&[2][..], &7_u64.to_be_bytes()].concat()),
        ("pong", [&[3][..], &0_u64.to_be_bytes()].concat()),
        ("confirm", vec![4]),
        ("new-cid", [&[0x0a][..], b"8 bytes!"].concat()),
        ("close", [&[5][..], &0x100_u32.to_be_bytes(), &0_u64.to_be_bytes()].concat()),
        ("ratchet", [&[6, 0, 0, 0, 1][..], &[9; 32], &[0, 0]].concat()),
        ("ratchet-ack", [&[7, 0, 0, 0, 1][..], &[9; 32], &[0, 0]].concat()),
        ("ratchet-req", vec![8]),
        ("rehs", [&[9, 1, 0, 0, 0, 1, 0, 48][..], &[9; 48]].concat()),
        ("open", stream(0x10, 1, &[7; 32])),
        ("data", stream(0x11, 1, b"\0\x05share")),
        ("fin", stream(0x12, 1, b"")),
        ("reset", stream(0x13, 1, &9_u32.to_be_bytes())),
        ("window", stream(0x14, 1, &512_u64.to_be_bytes())),
    ]
}

fn frame(name: &str) -> Vec<u8> {
    frame_bytes().into_iter().find(|(known, _)| *known == name).expect("a frame of that name").1
}

fn frames(seeds: &mut Seeds) {
    for (name, bytes) in frame_bytes() {
        seeds.add("session_frames", name, bytes);
    }
    seeds.add(
        "session_frames",
        "all",
        frame_bytes().into_iter().flat_map(|(_, bytes)| bytes).collect::<Vec<_>>(),
    );
    seeds.add("session_frames", "unknown", [0x15]);
    seeds.add("session_frames", "unknown-between", [0x0b]);
    seeds.add(
        "session_frames",
        "ratchet-hybrid",
        [&[6, 0, 0, 0, 1][..], &[9; 32], &[4, 0xa0], &[7; 1184]].concat(),
    );
    seeds.add(
        "session_frames",
        "ratchet-ack-hybrid",
        [&[7, 0, 0, 0, 1][..], &[9; 32], &[4, 0x40], &[7; 1088]].concat(),
    );
    seeds.add(
        "session_frames",
        "ratchet-longer-than-record",
        [&[6, 0, 0, 0, 1][..], &[9; 32], &[4, 0xa0, 7]].concat(),
    );
    seeds.add("session_frames", "rehs-empty", [9, 2, 0, 0, 0, 1, 0, 0]);
    seeds.add("session_frames", "data-empty", [0x11, 0, 0, 0, 1, 0, 0]);
    seeds.add("session_frames", "data-longer-than-record", [0x11, 0, 0, 0, 1, 0xff, 0xff, 1]);
}

/// One end after the loss of its first connection, and the other.
fn suspended() -> (Session, Session) {
    let (mut initiator, mut responder) = sessions(Suite::KkChaChaPoly, small_limits());
    for session in [&mut initiator, &mut responder] {
        session.disconnected(first(), *START);
        session.connected(*START).expect("a second connection");
    }
    (initiator, responder)
}

fn resumptions(seeds: &mut Seeds) {
    const T: &str = "session_resume";
    let (mut initiator, mut responder) = suspended();
    let resume = transmit(&mut initiator);
    let second = responder.connected(*START).expect("a third connection");
    let record = &mut resume.clone();
    responder.handle(Input::Record { connection: second, record }, *START).expect("a message");
    let answer = loop {
        let message = transmit(&mut responder);
        if message[0] == 0x12 {
            break message;
        }
    };
    let stranger = didagent_session::unknown_cid(&resume).expect("a RESUME");
    seeds.add(T, "valid-resume-reflected", &resume);
    seeds.add(T, "valid-answer-to-another-connection", &answer);
    seeds.add(T, "bad-unknown-cid", stranger);
    seeds.add(T, "bad-type", flipped(&resume, 0));
    seeds.add(T, "valid-other-cid", flipped(&resume, 1));
    seeds.add(T, "valid-other-salt", flipped(&resume, 9));
    seeds.add(T, "bad-trailing-byte", [&resume[..], &[0]].concat());
    seeds.add(T, "bad-type-of-nobody", [0x14; 73]);
}

/// A byte for the suite in front of what is said in it.
fn of(suite: Suite, bytes: &[u8]) -> Vec<u8> {
    [&[suite.id() - 1], bytes].concat()
}

fn handshakes(seeds: &mut Seeds) {
    for suite in Suite::ALL {
        let statics = Statics::new(suite, small_limits());
        let (_, message1) = statics.start();
        let (_, message2) = statics.answer(&message1);
        let mut add = |target, name: &str, message: &[u8]| {
            seeds.add(target, &format!("{name}-{}", suite.id()), of(suite, message));
        };
        for (target, message) in [("session_message1", &message1), ("session_message2", &message2)] {
            add(target, "valid", message);
            // In the hybrids this is the ML-KEM key or ciphertext.
            add(target, "bad-after-ephemeral", &flipped(message, 40));
            add(target, "bad-tag", &flipped(message, -1));
            if !suite.is_post_quantum() {
                add(target, "bad-ephemeral", &flipped(message, 0));
                add(target, "bad-ephemeral-of-low-order", &[&[0; 32], &message[32..]].concat());
                add(target, "bad-trailing-byte", &[&message[..], &[0]].concat());
            }
        }
        add("session_message1", "bad-reflected-message2", &message2);
        add("session_message2", "bad-reflected-message1", &message1);
    }
}

fn transmit(session: &mut Session) -> Vec<u8> {
    loop {
        match session.poll(*START) {
            Output::Transmit { record, .. } => return record.to_vec(),
            Output::Event(_) | Output::Disconnect(_) => {}
            Output::Timeout(_) => panic!("there is something to send"),
        }
    }
}

fn records(seeds: &mut Seeds) {
    for suite in Suite::ALL {
        let (mut initiator, _) = sessions(suite, small_limits());
        let stream = initiator.open([7; 32]).expect("the first stream");
        initiator.write(stream, b"share").expect("an open stream");
        let first = transmit(&mut initiator);
        initiator.write(stream, b"another").expect("an open stream");
        let second = transmit(&mut initiator);
        let (mut bare, _) = sessions(suite, small_limits());

        let mut add = |name: &str, record: &[u8]| {
            seeds.add("session_record", &format!("{name}-{}", suite.id()), of(suite, record));
        };
        add("valid-confirm-open-data", &first);
        add("valid-confirm-alone", &transmit(&mut bare));
        add("bad-second-before-first", &second);
        add("bad-unknown-type", &flipped(&first, 0));
        add("bad-cid", &flipped(&first, 1));
        add("bad-header", &flipped(&first, 12));
        add("bad-ciphertext", &flipped(&first, 21));
        add("bad-tag", &flipped(&first, -1));
        add("bad-longer-than-a-record", &[&first[..], &[0; 2048]].concat());
    }
}

/// A victim and records for it.
fn script(choice: u8, records: &[&[u8]]) -> Vec<u8> {
    let mut out = vec![choice];
    for record in records {
        out.extend_from_slice(&u16::try_from(record.len()).expect("a short record").to_be_bytes());
        out.extend_from_slice(record);
    }
    out
}

fn hostile(seeds: &mut Seeds) {
    const T: &str = "session_hostile_peer";
    let [open, data, fin, reset, ack, ping, window, close, confirm] =
        ["open", "data", "fin", "reset", "ack", "ping", "window", "close", "confirm"].map(frame);
    let [ratchet, answer, asks, rehs] = ["ratchet", "ratchet-ack", "ratchet-req", "rehs"].map(frame);
    let life = [&ack[..], &ping, &open, &data, &data].concat();
    seeds.add(T, "valid-stream-read", script(4, &[&life, &window, &data, &fin]));
    seeds.add(T, "valid-stream-unread-then-reset", script(0, &[&life, &reset]));
    seeds.add(T, "valid-credit-for-our-streams", script(1 | 4 | 8, &[&window, &data, &fin]));
    seeds.add(T, "valid-confirm-first", script(2 | 4, &[&[&confirm[..], &open, &data].concat()]));
    seeds.add(T, "valid-close", script(0, &[&open, &close]));
    let flood = [&[0x11, 0, 0, 0, 1, 1, 0][..], &[b'x'; 256]].concat();
    seeds.add(T, "bad-more-than-the-window", script(0, &[&open, &flood, &data]));
    seeds.add(T, "bad-data-before-open", script(0, &[&data]));
    seeds.add(T, "bad-data-after-fin", script(0, &[&open, &fin, &data]));
    seeds.add(T, "bad-confirm-twice", script(0, &[&confirm]));
    seeds.add(T, "bad-no-confirm", script(2, &[&open]));
    seeds.add(T, "bad-ack-of-the-future", script(0, &[&[&[1][..], &[0xff; 8]].concat()]));
    seeds.add(T, "bad-empty-record", script(0, &[&[]]));
    seeds.add(T, "valid-ratchet", script(4, &[&ratchet, &[&open[..], &data].concat(), &fin]));
    seeds.add(T, "valid-ratchet-of-both", script(4 | 16, &[&ratchet, &ping]));
    seeds.add(T, "valid-ratchet-ack", script(1 | 4 | 16, &[&answer, &ping]));
    seeds.add(T, "valid-ratchet-asked-for", script(1 | 8, &[&asks, &asks, &answer, &asks, &ping]));
    seeds.add(T, "valid-rehs-that-nobody-answers", script(4, &[&rehs, &[&open[..], &data].concat()]));
    seeds.add(T, "bad-ratchet-unconfirmed", script(2, &[&[&confirm[..], &ratchet].concat()]));
    seeds.add(T, "bad-ratchet-twice", script(4, &[&ratchet, &ratchet]));
    seeds.add(T, "bad-two-in-one-record", script(4, &[&[&ratchet[..], &rehs].concat()]));
    seeds.add(T, "bad-ratchet-of-low-order", script(4, &[&[&[6, 0, 0, 0, 1][..], &[0; 34]].concat()]));
    seeds.add(T, "bad-ratchet-from-responder", script(1, &[&ratchet]));
    seeds.add(T, "bad-ratchet-asked-for-by-initiator", script(0, &[&asks]));
    seeds.add(T, "bad-ratchet-ack-to-nothing", script(1, &[&answer]));
    seeds.add(T, "bad-rehs-while-ratchet", script(4, &[&ratchet, &rehs]));
    seeds.add(T, "bad-rehs-from-responder", script(1, &[&rehs]));
    let opens: Vec<u8> =
        (0..257_u32).flat_map(|n| [&[0x10][..], &(2 * n + 1).to_be_bytes(), &[7; 32]].concat()).collect();
    seeds.add(T, "bad-too-many-streams", script(0, &[&opens]));
}

fn conversations(seeds: &mut Seeds) {
    const T: &str = "session_conversation";
    // The right side is 0x80. Each of these ends with what the settling does: everything arrives.
    seeds.add(T, "valid-silence", []);
    seeds.add(T, "valid-one-stream", [0, 1, 0, 200, 6, 0x87, 2, 0, 6, 0x87, 0x84, 0, 200]);
    seeds.add(T, "valid-both-ways", [0, 1, 0, 9, 6, 0x87, 0x80, 0x81, 0, 9, 0x81, 1, 9, 0x86, 7, 5, 0x85]);
    seeds.add(
        T,
        "valid-more-than-the-window",
        [0, 1, 0, 255, 6, 1, 0, 255, 6, 0x87, 0x87, 0x84, 0, 255, 0x86, 7],
    );
    seeds.add(T, "valid-first-record-changed", [0, 1, 0, 9, 6, 0x88, 0, 200, 0x89, 0, 30, 0x88, 1, 0, 0x87]);
    seeds.add(
        T,
        "valid-replay-reflect-skip",
        [0, 1, 0, 9, 6, 0x87, 0x8a, 0, 0x81, 0, 9, 0x86, 0x8b, 1, 0, 9, 6, 1, 0, 9, 6, 0x8c, 7, 0x87],
    );
    seeds.add(
        T,
        "valid-reset-while-data-flies",
        [0, 0, 1, 0, 99, 1, 1, 99, 6, 3, 0, 6, 0x87, 0x87, 0x83, 1, 0x86],
    );
    seeds.add(T, "valid-time-passes", [0, 6, 0x87, 0xd, 20, 0x86, 7, 5, 0xd, 255, 6]);
    // Connections: f 1 makes one, f 3 cuts the newest for both, f 5 for one end, f 6 delivers late, f 7 crosswise.
    let cut = [0xf, 3, 0xf, 1, 6, 0x86, 7, 0x87, 6, 0x86, 7, 0x87];
    seeds.add(
        T,
        "valid-cut-and-resumed",
        [&[0, 1, 0, 200, 6][..], &cut, &[0x87, 0x84, 0, 200, 1, 0, 50, 6], &cut].concat(),
    );
    seeds.add(
        T,
        "valid-half-open-then-second-connection",
        [&[0, 1, 0, 200, 6, 0x87, 0xf, 5, 1, 0, 50][..], &cut, &[0x86, 7, 5, 6]].concat(),
    );
    seeds.add(
        T,
        "valid-two-connections-at-once",
        [
            0, 1, 0, 200, 0xf, 1, 0xf, 1, 6, 0x86, 7, 7, 0x87, 0x87, 6, 0x86, 7, 7, 0x87, 0x87, 1, 0, 9, 6,
            0x87,
        ],
    );
    seeds.add(
        T,
        "valid-late-records-of-a-lost-connection",
        [&[0, 1, 0, 200, 6, 1, 0, 50, 6][..], &cut, &[0x8f, 6, 0x8f, 6, 0x8f, 6, 1, 0, 5, 6, 0x87]].concat(),
    );
    seeds.add(
        T,
        "valid-messages-on-another-connection",
        [
            &[0, 1, 0, 99, 6, 0x87][..],
            &cut,
            &cut,
            &[0xf, 7, 1, 0x8f, 15, 2, 0x8f, 23, 1, 0xf, 31, 0, 6, 0x86],
        ]
        .concat(),
    );
    seeds.add(T, "valid-lost-before-the-first-record", [&[0, 1, 0, 9][..], &cut, &cut].concat());
    seeds.add(T, "bad-closed-while-suspended", [0, 1, 0, 9, 6, 0x87, 0xf, 3, 0x8e, 7]);
    seeds.add(T, "bad-closed", [0, 1, 0, 9, 6, 0x87, 0x8e, 7, 0x86, 7, 1, 0, 9]);
    seeds.add(T, "bad-path-lost", [0, 1, 0, 9, 6, 0xf, 0]);
    // Each PING is a record: an epoch has 24.
    let pings = [5, 6, 0x87, 0x86, 7].repeat(70);
    seeds.add(T, "valid-several-epochs", pings);
    // The peer's answers do not arrive: at the hard limit the data waits, and comes when they do.
    let unheard = [1, 0, 9, 6, 0x87, 0x84, 0, 9].repeat(30);
    seeds.add(T, "valid-hard-limit", [&[5, 0, 6, 0x87][..], &unheard].concat());
    let round = [6, 0x87, 0x86, 7];
    let talk =
        |steps: &[&[u8]]| steps.iter().flat_map(|step| [*step, &round[..]].concat()).collect::<Vec<_>>();
    seeds.add(
        T,
        "valid-epochs-asked-for",
        talk(&[&[0, 5], &[0x40], &[1, 0, 9], &[0xc0], &[5], &[0xc0], &[0x81, 0, 99], &[0x40, 0xc0]]),
    );
    seeds.add(
        T,
        "valid-epochs-by-time",
        talk(&[&[0, 5], &[0x42, 60], &[0x42, 61, 1, 0, 9], &[0x42, 130], &[0x42, 200]]),
    );
    seeds.add(
        T,
        "valid-handshakes-inside",
        talk(&[&[0, 5], &[0x41], &[1, 0, 9], &[0xc1], &[5], &[0x41, 0x40], &[0x42, 190, 1, 0, 99], &[0xc1]]),
    );
    seeds.add(
        T,
        "valid-change-of-epochs-attacked",
        talk(&[
            &[0, 5],
            &[0x40, 6, 0x88, 0, 99, 0x8a, 0, 0x89, 0, 30, 0x87, 0x86, 8, 1, 3, 0xa, 0, 0xb],
            &[1, 0, 9, 6, 0x8a, 2, 0x88, 0, 80],
        ]),
    );
    // The connection breaks with the RATCHET, with its answer, and with the first record of the new epoch.
    for (name, steps) in [
        ("valid-cut-with-the-ratchet", &[0x40, 6][..]),
        ("valid-cut-with-the-answer", &[0x40, 6, 0x87, 0x86]),
        ("valid-cut-with-the-first-of-the-new-epoch", &[0x40, 6, 0x87, 0x86, 7, 1, 0, 9, 6]),
    ] {
        seeds.add(T, name, [&[0, 1, 0, 200, 5][..], &round, steps, &cut, &round, &[0x40], &round].concat());
    }
}
