//! Load: large messages and many small ones arrive as they were sent, a slow party slows nobody else, and nobody's memory
//! grows (R9, R18 and `spec/streams.md`, sections 3 and 5).
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use support::process::signal;
use support::stage::Stage;
use support::system::peak_memory;
use support::wires::Wired;
use support::{program, python_command, until};

/// Whether this is a soak, in which everything is larger.
fn soak() -> bool {
    std::env::var_os("DIDAGENT_SOAK").is_some()
}

const MB: usize = 1_000_000;

/// What `bulk.py` sends from one party to another, `length` bytes, as a digest.
fn digest(from: usize, to: usize, length: usize) -> String {
    let mut digest = Sha256::new();
    let bytes = (0..length).map(|b| u8::try_from((31 * from + 7 * to + b + b / 251) % 256).unwrap());
    let bytes: Vec<u8> = bytes.collect();
    digest.update(&bytes);
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bulk(messages: &[(usize, usize)]) -> Vec<OsString> {
    let words: Vec<String> =
        messages.iter().flat_map(|(size, count)| [size.to_string(), count.to_string()]).collect();
    python_command(&program("bulk.py"), &words.iter().map(String::as_str).collect::<Vec<_>>())
}

/// What party `index` of `parties` prints at the end of `bulk.py`.
fn digests(index: usize, parties: usize, messages: &[(usize, usize)]) -> Vec<String> {
    let length = messages.iter().map(|(size, count)| size * count).sum();
    let others = (0..parties).filter(|other| *other != index);
    others.map(|other| format!("from {other} {}", digest(other, index, length))).collect()
}

/// Exchanges messages between all of some parties' MPyCs and compares what arrived.
fn assert_arrives(parties: usize, messages: &[(usize, usize)]) {
    let ended = Stage::new().run((0..parties).map(|_| bulk(messages)).collect());
    for (index, ended) in ended.iter().enumerate() {
        let output = ended.assert_ok().output();
        assert_eq!(output[2..], digests(index, parties, messages), "{}", ended.name);
    }
}

/// Decides RL-12.
#[test]
fn messages_of_2_and_20_megabytes_arrive_as_they_are() {
    assert_arrives(3, &[(2 * MB, 2), (20 * MB, 1), (0, 1), (1, 1)]);
}

#[test]
fn a_hundred_thousand_small_messages_arrive_as_they_are() {
    let count = if soak() { 1_000_000 } else { 100_000 };
    assert_arrives(2, &[(4, count)]);
}

#[test]
fn a_party_that_is_stopped_again_and_again_gets_everything() {
    let messages = [(7, 60_000), (500_000, 20)];
    let stage = Stage::new();
    let mut parties = stage.start((0..3).map(|_| bulk(&messages)).collect());
    let pid = parties[2].wait_for_output("pid ");
    parties[2].wait_for_output("running");
    // It runs for a tenth of the time until it is through with the beginning; no other one ends before it, so it is there.
    for _ in 0..8 {
        signal("STOP", &pid);
        sleep(Duration::from_millis(200));
        signal("CONT", &pid);
        sleep(Duration::from_millis(20));
    }
    for (index, party) in parties.into_iter().enumerate() {
        let ended = party.finish();
        let digests = digests(index, 3, &messages);
        let output = ended.assert_ok().output();
        assert_eq!(output[output.len() - 2..], digests, "{}", ended.name);
    }
}

/// Sends `total` bytes and ends; counts what was taken.
fn push(mut to: TcpStream, total: u64, sent: Arc<AtomicU64>) -> JoinHandle<()> {
    thread::spawn(move || {
        let piece: Vec<u8> = (0..=255).cycle().take(64 * 1024).collect();
        let mut left = total;
        while left > 0 {
            let now = usize::try_from(left).unwrap_or(usize::MAX).min(piece.len());
            to.write_all(&piece[..now]).unwrap();
            sent.fetch_add(u64::try_from(now).unwrap(), Ordering::Relaxed);
            left -= u64::try_from(now).unwrap();
        }
        to.shutdown(Shutdown::Write).unwrap();
    })
}

/// Reads to the end what [`push`] sent; returns how much it was.
fn pull(mut from: TcpStream) -> JoinHandle<u64> {
    thread::spawn(move || {
        let mut piece = vec![0; 64 * 1024];
        let mut total = 0;
        loop {
            let count = from.read(&mut piece).unwrap();
            if count == 0 {
                return total;
            }
            for byte in &piece[..count] {
                // 64 KiB is a multiple of 256, so every byte is its place.
                assert_eq!(u64::from(*byte), total % 256, "byte {total}");
                total += 1;
            }
        }
    })
}

/// Waits until a counter stands still for two seconds, and returns it.
fn standstill(counter: &AtomicU64) -> u64 {
    let mut last = (counter.load(Ordering::Relaxed), Instant::now());
    until("the writers stand still", || {
        let now = counter.load(Ordering::Relaxed);
        if now != last.0 {
            last = (now, Instant::now());
        }
        last.1.elapsed() >= Duration::from_secs(2)
    });
    last.0
}

/// What an agent may add to its memory while its peers send as much as they like, in bytes. For each of two peers: 1 MiB
/// written and not yet sealed, in a ring that may have doubled; 1 MiB received and not read; 256 KiB of records on their
/// way in. Once: 1 MiB of records before the websocket's writer, and as much again for what the allocator holds back.
const MAY_GROW: u64 = 2 * (2 + 1 + 1) * 1024 * 1024 + 2 * 1024 * 1024 + 6 * 1024 * 1024;

#[test]
fn memory_stays_bounded_while_one_party_does_not_read() {
    let each = if soak() { 1_000_000_000 } else { 100_000_000 };
    let stage = Stage::new();
    let wired = Wired::start(&stage, 3);
    let mut pids: BTreeMap<String, u32> =
        wired.parties.iter().map(|party| (party.name.clone(), party.process.pid())).collect();
    pids.insert("mediator".to_owned(), stage.mediator.as_ref().unwrap().pid());
    let peaks =
        || pids.iter().map(|(name, pid)| (name.clone(), peak_memory(*pid))).collect::<BTreeMap<_, _>>();
    let before = peaks();

    // Alice and bob push as much as they can at carol, who does not read; and carol pushes back at alice.
    let sent = Arc::new(AtomicU64::new(0));
    let mut pushers = Vec::new();
    for (from, to) in [(0, 2), (1, 2), (2, 0)] {
        pushers.push(push(wired.connection(from, to), each, Arc::clone(&sent)));
    }
    let stuck = standstill(&sent);
    let stalled = peaks();
    assert!(stuck < 3 * each / 2, "nothing held the writers back: {stuck} bytes went somewhere");

    // Then everybody reads, and everything is there.
    let pullers: Vec<_> =
        [(2, 0), (2, 1), (0, 2)].into_iter().map(|(at, from)| pull(wired.connection(at, from))).collect();
    for puller in pullers {
        assert_eq!(puller.join().unwrap(), each);
    }
    for pusher in pushers {
        pusher.join().unwrap();
    }
    let after = peaks();
    for (name, before) in &before {
        println!(
            "{name:<8}  peak before {:>6} KiB, while nobody read {:>6} KiB, after {each} bytes from each {:>6} KiB",
            before / 1024,
            stalled[name] / 1024,
            after[name] / 1024
        );
    }
    println!("{stuck} bytes were taken before the writers stood still");
    for (name, before) in before {
        let grown = after[&name] - before;
        assert!(grown <= MAY_GROW, "{name} grew by {grown} bytes");
    }
    drop(wired);
}

/// Bounces four bytes between two parties for a while and returns how often.
fn bounces(near: &mut TcpStream, far: &TcpStream, time: Duration) -> u64 {
    let echo = {
        let mut far = far.try_clone().unwrap();
        thread::spawn(move || {
            let mut ball = [0; 4];
            loop {
                far.read_exact(&mut ball).unwrap();
                far.write_all(&ball).unwrap();
                if ball == [0xff; 4] {
                    return;
                }
            }
        })
    };
    let end = Instant::now() + time;
    let mut count = 0_u32;
    let mut ball = [0; 4];
    while Instant::now() < end {
        near.write_all(&count.to_le_bytes()).unwrap();
        near.read_exact(&mut ball).unwrap();
        assert_eq!(ball, count.to_le_bytes());
        count += 1;
    }
    near.write_all(&[0xff; 4]).unwrap();
    near.read_exact(&mut ball).unwrap();
    echo.join().unwrap();
    u64::from(count)
}

#[test]
fn a_party_that_does_not_read_slows_only_itself() {
    const WINDOW: Duration = Duration::from_millis(500);
    let stage = Stage::new();
    let wired = Wired::start(&stage, 3);
    let (mut near, far) = (wired.connection(0, 1), wired.connection(1, 0));
    bounces(&mut near, &far, WINDOW);
    let best = |near: &mut TcpStream| (0..4).map(|_| bounces(near, &far, WINDOW)).max().unwrap();
    let quiet = best(&mut near);
    let sent = Arc::new(AtomicU64::new(0));
    let pushers = [0, 1].map(|from| push(wired.connection(from, 2), 20_000_000, Arc::clone(&sent)));
    standstill(&sent);
    let stalled = best(&mut near);
    println!("{quiet} bounces in {WINDOW:?} alone, {stalled} while the third party does not read");
    // The best of four, since others use this machine too. A shared queue would bring it to nearly nothing.
    assert!(stalled * 2 >= quiet, "alice and bob: {quiet} bounces alone, {stalled} while carol stalls");
    let pullers = [0, 1].map(|from| pull(wired.connection(2, from)));
    for (pusher, puller) in pushers.into_iter().zip(pullers) {
        pusher.join().unwrap();
        assert_eq!(puller.join().unwrap(), 20_000_000);
    }
}
