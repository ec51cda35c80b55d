//! Answers that were given: a duplicate of a propose gets the same bytes again (HS-06, HS-18).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use didagent_didcomm::message::Message;
use sha2::{Digest as _, Sha256};

/// How long an answer is kept. Messages of this protocol end after two minutes; clocks differ.
const KEPT: Duration = Duration::from_secs(5 * 60);

/// Answers kept for one DID. Ours proposes twice at most for each room.
const MAX_PER_DID: usize = 8;

/// Answers kept in all, of about 3 KB each.
const MAX: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Replay {
    /// Oldest first.
    answers: VecDeque<Kept>,
}

#[derive(Debug)]
struct Kept {
    did: String,
    thid: String,
    /// SHA-256 of message 1: another one in the same thread is no duplicate.
    noise: [u8; 32],
    accept: Message,
    since: Instant,
}

/// What is known of a propose.
#[derive(Debug, PartialEq)]
pub(super) enum Found {
    /// It was answered so.
    Answered(Box<Message>),
    /// Its thread was answered, but to another message 1.
    Other,
    /// It is new, and an answer could be kept.
    New,
    /// It is new, and nothing more can be kept: a second answer could not be told from the first, so there must be none.
    Full,
}

impl Replay {
    /// Looks up a propose of `did` in the thread `thid`.
    pub(super) fn find(&mut self, did: &str, thid: &str, noise: &[u8], now: Instant) -> Found {
        self.answers.retain(|kept| now.saturating_duration_since(kept.since) < KEPT);
        match self.answers.iter().find(|kept| kept.did == did && kept.thid == thid) {
            Some(kept) if kept.noise == <[u8; 32]>::from(Sha256::digest(noise)) => {
                Found::Answered(Box::new(kept.accept.clone()))
            }
            Some(_) => Found::Other,
            None if self.answers.len() >= MAX => Found::Full,
            None if self.answers.iter().filter(|kept| kept.did == did).count() >= MAX_PER_DID => Found::Full,
            None => Found::New,
        }
    }

    /// Says whether the thread was answered and the answer is kept.
    pub(super) fn has(&self, did: &str, thid: &str) -> bool {
        self.answers.iter().any(|kept| kept.did == did && kept.thid == thid)
    }

    /// Keeps an answer.
    pub(super) fn keep(&mut self, did: &str, thid: &str, noise: &[u8], accept: Message, since: Instant) {
        let (did, thid, noise) = (did.to_owned(), thid.to_owned(), Sha256::digest(noise).into());
        self.answers.push_back(Kept { did, thid, noise, accept, since });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use didagent_didcomm::protocols::Body as _;
    use didagent_didcomm::protocols::session::Abort;

    fn message(id: &str) -> Message {
        Abort { code: "x".to_owned(), comment: None, use_suite: None }.message(id)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "any instant will do as the beginning of the test's own time"
    )]
    fn origin() -> Instant {
        Instant::now()
    }

    #[test]
    fn hs_18_answers_are_kept_for_five_minutes() {
        let (mut replay, start) = (Replay::default(), origin());
        assert_eq!(replay.find("a", "t", b"noise", start), Found::New);
        replay.keep("a", "t", b"noise", message("1"), start);
        let late = start + KEPT - Duration::from_millis(1);
        assert_eq!(replay.find("a", "t", b"noise", late), Found::Answered(Box::new(message("1"))));
        assert_eq!(replay.find("a", "t", b"other", late), Found::Other);
        assert_eq!(replay.find("b", "t", b"noise", late), Found::New);
        assert_eq!(replay.find("a", "t", b"noise", start + KEPT), Found::New);
    }

    #[test]
    fn hs_18_what_is_kept_is_bounded() {
        let (mut replay, start) = (Replay::default(), origin());
        for number in 0..MAX_PER_DID {
            assert_eq!(replay.find("a", &number.to_string(), b"", start), Found::New);
            replay.keep("a", &number.to_string(), b"", message("1"), start);
        }
        assert_eq!(replay.find("a", "more", b"", start), Found::Full);
        assert_eq!(replay.find("b", "more", b"", start), Found::New);
        for number in MAX_PER_DID..MAX {
            replay.keep(&number.to_string(), "t", b"", message("1"), start);
        }
        assert_eq!(replay.find("b", "more", b"", start), Found::Full);
        assert_eq!(replay.find("b", "more", b"", start + KEPT), Found::New);
        assert!(replay.answers.is_empty());
    }
}
