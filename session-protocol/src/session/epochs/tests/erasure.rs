//! What is erased is gone from memory: the process looks for keys in its own heap, live blocks and freed ones alike.
//!
//! The stack of the test is left out, since moves leave copies there (section 14 of the specification says so), and is where
//! the search itself works. Keys to look for are kept masked, or the search would find its own list.
#![allow(clippy::disallowed_methods, reason = "this is how a process reads its own memory")]

use std::{
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
};

use super::{Two, give, transmit};
use crate::{Limits, Role, Session, Suite, session::epochs::Exchange};

const MASK: u8 = 0x5a;
const CHUNK: usize = 1 << 16;

/// A key to look for.
#[derive(Clone, Copy)]
struct Wanted([u8; 32]);

fn wanted(key: &[u8; 32]) -> Wanted {
    let mut masked = [0; 32];
    masked.iter_mut().zip(key).for_each(|(to, from)| *to = from ^ MASK);
    Wanted(masked)
}

impl Wanted {
    fn is_at(&self, memory: &[u8]) -> bool {
        self.0.iter().zip(memory).all(|(wanted, byte)| *wanted == byte ^ MASK)
    }

    /// How often it is in the memory of this process, but for the stack of this thread.
    #[inline(never)]
    fn copies(&self) -> usize {
        let mut buffer = [0_u8; CHUNK];
        let here = u64::try_from(std::ptr::from_ref(&buffer).addr()).unwrap();
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let mut memory = File::open("/proc/self/mem").unwrap();
        let mut found = 0;
        for (start, end) in maps.lines().filter_map(writable) {
            if (start..end).contains(&here) {
                continue;
            }
            let mut at = start;
            while at < end {
                let length = CHUNK.min(usize::try_from(end - at).unwrap());
                memory.seek(SeekFrom::Start(at)).unwrap();
                // Other tests may give memory back meanwhile.
                if memory.read_exact(&mut buffer[..length]).is_ok() {
                    found += buffer[..length].windows(32).filter(|window| self.is_at(window)).count();
                }
                // The next piece begins with the end of this one, in which no whole key was looked at twice.
                at += u64::try_from(if length == CHUNK { CHUNK - 31 } else { length }).unwrap();
            }
        }
        buffer.fill(0);
        found
    }
}

/// The range of a writable mapping that is no file.
fn writable(line: &str) -> Option<(u64, u64)> {
    let mut fields = line.split_whitespace();
    let (range, permissions) = (fields.next()?, fields.next()?);
    let name = fields.nth(3);
    let (start, end) = range.split_once('-')?;
    let range = (u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?);
    (permissions.starts_with("rw") && name.is_none_or(|name| name == "[heap]")).then_some(range)
}

/// The secrets of the epoch that a session is in, both directions.
fn secrets(session: &Session) -> Vec<(&'static str, Wanted)> {
    let epochs = &session.epochs;
    vec![
        ("sending chain", wanted(session.sealer.chain())),
        ("receiving chain", wanted(session.opener.chain())),
        ("root key", wanted(epochs.root.expose())),
        ("split", wanted(epochs.split.expose())),
        ("resume key of the initiator", wanted(epochs.resume.of(Role::Initiator).expose())),
        ("resume key of the responder", wanted(epochs.resume.of(Role::Responder).expose())),
    ]
}

fn assert_there(all: &[(&str, Wanted)]) {
    for (name, wanted) in all {
        assert!(wanted.copies() >= 1, "the search does not find the {name} that is in use");
    }
}

fn assert_gone(all: &[(&str, Wanted)], when: &str) {
    for (name, wanted) in all {
        assert_eq!(wanted.copies(), 0, "{name} after {when}");
    }
}

#[test]
fn se_12_se_15_se_25_s16_what_is_erased_is_gone_from_memory() {
    for suite in [Suite::KkChaChaPoly, Suite::KkHfsAesGcm] {
        // On the heap, where it is looked for.
        let mut two = Box::new(Two::seeded(suite, &Limits::default(), 0xe5a5 + u64::from(suite.id())));

        // A record: its chain keys go.
        let before = secrets(&two.a);
        assert_there(&before);
        two.a.ping();
        two.settle();
        assert_gone(&before[..2], "a record each way");
        assert_there(&before[2..]);

        // An epoch, step by step.
        let old = secrets(&two.a);
        two.a.ratchet();
        let offer = transmit(&mut two.a, two.now).unwrap();
        let Exchange::Ratcheting(outstanding) = &two.a.epochs.exchange else {
            panic!("an offer is outstanding")
        };
        let ephemeral = [("ephemeral key", wanted(&outstanding.ephemeral_bytes()))];
        assert_there(&ephemeral);
        let b = &mut two.b;
        give(b, &offer, two.now).unwrap();
        let first = [
            ("first chain of the new epoch, to the responder", wanted(b.opener.pending_chain().unwrap())),
            ("first chain of the new epoch, to the initiator", {
                let Exchange::Answering { send, .. } = &b.epochs.exchange else { panic!("an answer waits") };
                wanted(send.expose())
            }),
        ];
        assert_there(&first);
        let answer = transmit(&mut two.b, two.now).unwrap();
        let now = two.now;
        give(&mut two.a, &answer, now).unwrap();
        assert_gone(&ephemeral, "the answer");
        two.a.ping();
        two.settle();
        assert_eq!(two.epochs(), [1; 4]);
        assert_gone(&old, "the change of epochs");
        assert_gone(&first, "the first records of the new epoch");
        let new = secrets(&two.a);
        assert_there(&new);

        // A handshake inside.
        two.a.rehandshake(&crate::testing::alice(), &crate::testing::bob().public()).unwrap();
        two.settle();
        two.b.answer_rehandshake(&crate::testing::bob(), &crate::testing::alice().public()).unwrap();
        two.settle();
        two.a.ping();
        two.settle();
        assert_eq!(two.epochs(), [2; 4]);
        assert_gone(&new, "the handshake inside");

        let last = secrets(&two.a);
        assert_there(&last);
        drop(two);
        assert_gone(&last, "the end of the session");
    }
}
