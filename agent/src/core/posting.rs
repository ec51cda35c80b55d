//! A host's room on the board of its mediator: when it is posted, kept up to date and taken down.
//!
//! Specification: `spec/lobby.md`, LB-10.
//!
//! ```text
//! link works --post--> posted {id} --> seats taken or freed, connected again, time running out --renew--> posted
//!                  ^                                                      |
//!                  \--- unknown: the mediator was restarted --------------/
//! room full or over --withdraw-->
//! ```
//!
//! There is one request at a time; one that is not answered is asked again. Not its concern: the link itself (`share`), what guests do
//! with a post (`board`), when there is a connection (`io::engine`).

use std::time::{Duration, Instant};

use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::Body as _;
use didagent_didcomm::protocols::lobby::{Post, PostId, Posted, Renew, Withdraw, refusal};
use didagent_didcomm::protocols::report_problem::ProblemReport;
use rand_core::CryptoRng;

use crate::core::connect::showable;
use crate::core::invite::new_id;

/// How long the mediator may take to answer.
const ANSWER: Duration = Duration::from_secs(10);

/// Pause between two requests: a room of 16 that fills at once is told in a few.
const PACE: Duration = Duration::from_secs(2);

/// Pause before a refused post is tried again: somebody else's has to go first.
const REFUSED: Duration = Duration::from_secs(60);

/// What a mediator reports that does not know the protocol at all.
const UNSUPPORTED: &str = "e.p.msg.unsupported";

/// What became of a request.
#[derive(Debug, PartialEq, Eq)]
pub enum News {
    /// The room is on the board, under this id.
    Posted(PostId),
    /// It is not, and will be tried again; why, in the mediator's words.
    Refused(String),
    /// This mediator has no board.
    NoBoard,
    /// Nothing that a person needs to know.
    Nothing,
}

/// The post of one room.
#[derive(Debug)]
pub struct Posting {
    post: Post,
    id: Option<PostId>,
    /// The free seats that the board shows.
    told: u8,
    /// What waits for its answer: the thread, and until when.
    asked: Option<(String, Instant)>,
    /// Not before this is anything else asked.
    not_before: Option<Instant>,
    /// The board is to be told again, though the seats are the same.
    is_stale: bool,
    /// When it is, since the mediator keeps it for a shorter time than the room waits.
    renew_at: Option<Instant>,
    /// A refusal was told already.
    is_refused: bool,
    is_over: bool,
}

impl Posting {
    /// Prepares the post of a room whose link works.
    pub fn new(post: Post) -> Self {
        let told = post.free;
        Self {
            post,
            id: None,
            told,
            asked: None,
            not_before: None,
            is_stale: true,
            renew_at: None,
            is_refused: false,
            is_over: false,
        }
    }

    /// There is a new connection: the mediator must hear that the post is meant still, and what was asked before is lost.
    pub fn connected(&mut self) {
        self.asked = None;
        self.not_before = None;
        self.is_stale = true;
    }

    /// Notes how many seats are free; `None` when nobody else is to come.
    pub fn seats(&mut self, free: Option<u8>) {
        match free {
            Some(free) => self.post.free = free,
            None => self.is_over = true,
        }
    }

    /// Returns when [`Posting::next`] is to be called.
    pub fn deadline(&self, now: Instant) -> Option<Instant> {
        let asked = self.asked.as_ref().map(|(_, until)| *until);
        if self.is_over {
            return if self.id.is_some() { Some(now) } else { asked };
        }
        match asked {
            Some(until) => Some(until),
            None if self.is_stale || self.told != self.post.free => Some(self.not_before.unwrap_or(now)),
            None => self.renew_at,
        }
    }

    /// Says whether the mediator was told, or will be without anything else, that so many seats are free.
    pub fn is_told(&self, free: Option<u8>) -> bool {
        match free {
            Some(free) => self.post.free == free,
            None => self.is_over,
        }
    }

    /// Returns the first time at which the mediator may be told anything.
    pub fn not_before(&self, now: Instant) -> Instant {
        self.not_before.unwrap_or(now).max(now)
    }

    /// Says whether the room has been on the board.
    pub fn was_posted(&self) -> bool {
        self.id.is_some()
    }

    /// Returns what is to be asked of the mediator now, if anything.
    pub fn next(&mut self, now: Instant, rng: &mut impl CryptoRng) -> Option<Message> {
        if self.asked.take_if(|(_, until)| *until <= now).is_some() {
            self.is_stale = true;
        }
        if self.is_over {
            // The answer to the first request has the id, without which nothing can be taken down.
            return self.id.is_some().then(|| self.withdraw(rng)).flatten();
        }
        self.is_stale |= self.renew_at.take_if(|at| *at <= now).is_some();
        let wants = self.is_stale || self.told != self.post.free;
        if self.asked.is_some() || !wants || self.not_before.is_some_and(|at| at > now) {
            return None;
        }
        let request = match &self.id {
            Some(id) => {
                let (free, expires_time) = (self.post.free, self.post.expires_time);
                Renew { id: id.clone(), free, expires_time }.message(new_id(rng))
            }
            None => self.post.message(new_id(rng)),
        };
        self.told = self.post.free;
        self.is_stale = false;
        self.not_before = Some(now + PACE);
        self.asked = Some((request.id.clone(), now + ANSWER));
        Some(request)
    }

    /// Takes the post down: returns what the mediator is to be told, if it has one. Nothing is asked of it any more.
    pub fn withdraw(&mut self, rng: &mut impl CryptoRng) -> Option<Message> {
        self.is_over = true;
        self.asked = None;
        let id = self.id.take()?;
        Some(Withdraw { id }.message(new_id(rng)))
    }

    /// Takes a message of the mediator; `None` if it is about something else. `unix` is in UTC seconds.
    pub fn answered(&mut self, message: &Message, now: Instant, unix: u64) -> Option<News> {
        let (thread, _) = self.asked.as_ref()?;
        if let Ok(report) = ProblemReport::try_from(message) {
            return (message.pthid.as_ref() == Some(thread)).then(|| self.refused(&report, now));
        }
        let posted = Posted::try_from(message).ok().filter(|_| message.thread() == thread)?;
        self.asked = None;
        self.is_refused = false;
        // With a quarter of the time left there is enough for an outage.
        let kept = posted.expires_time.saturating_sub(unix);
        let is_shortened = posted.expires_time < self.post.expires_time;
        self.renew_at = is_shortened.then(|| now + Duration::from_secs((kept / 4).max(1) * 3));
        let is_new = self.id.as_ref() != Some(&posted.id);
        self.id = Some(posted.id.clone());
        Some(if is_new { News::Posted(posted.id) } else { News::Nothing })
    }

    fn refused(&mut self, report: &ProblemReport, now: Instant) -> News {
        self.asked = None;
        self.is_stale = true;
        match report.code.as_str() {
            refusal::UNKNOWN if self.id.take().is_some() => return News::Nothing,
            refusal::OFF | UNSUPPORTED => {
                self.is_over = true;
                self.id = None;
                return News::NoBoard;
            }
            _ => self.not_before = Some(now + REFUSED),
        }
        match std::mem::replace(&mut self.is_refused, true) {
            true => News::Nothing,
            false => News::Refused(showable(&report.text())),
        }
    }
}

#[cfg(test)]
mod tests {
    use didagent_didcomm::protocols::lobby::{Program, ProgramDigest, ProgramName, RoomLink, Title};

    use super::*;
    use crate::core::test_rng;

    const UNIX: u64 = 1_000_000;

    #[expect(clippy::disallowed_methods, reason = "any instant will do as the beginning of the test's time")]
    fn begin() -> Instant {
        Instant::now()
    }

    fn posting() -> Posting {
        Posting::new(Post {
            title: Title::new("votes").unwrap(),
            program: Program {
                name: ProgramName::new("vote.py").unwrap(),
                sha256: ProgramDigest::new("3f".repeat(32)).unwrap(),
            },
            seats: 3,
            free: 2,
            threshold: None,
            link: RoomLink::new("https://m.example/r/1#2").unwrap(),
            expires_time: UNIX + 7200,
        })
    }

    fn id() -> PostId {
        PostId::new("0123abcd").unwrap()
    }

    fn next(posting: &mut Posting, now: Instant) -> Option<Message> {
        posting.next(now, &mut test_rng(1))
    }

    fn posted(posting: &mut Posting, request: &Message, ends: u64, now: Instant) -> Option<News> {
        let answer = Posted { id: id(), expires_time: ends }.message("a").thid(&request.id);
        posting.answered(&answer, now, UNIX)
    }

    fn refused(posting: &mut Posting, request: &Message, code: &str, now: Instant) -> Option<News> {
        let report = ProblemReport::new(code, "because").report("r", request);
        posting.answered(&report, now, UNIX)
    }

    /// A post that is on the board, and the time.
    fn on_the_board() -> (Posting, Instant) {
        let (mut posting, now) = (posting(), begin());
        assert_eq!(posting.deadline(now), Some(now));
        let request = next(&mut posting, now).unwrap();
        assert_eq!(Post::try_from(&request).unwrap().free, 2);
        assert_eq!(next(&mut posting, now), None, "one at a time");
        assert_eq!(posted(&mut posting, &posting_request(), UNIX + 7200, now), None, "about something else");
        assert_eq!(posted(&mut posting, &request, UNIX + 7200, now), Some(News::Posted(id())));
        (posting, now + Duration::from_secs(60))
    }

    /// Decides LB-10.
    #[test]
    fn lb_10_a_room_is_posted_kept_up_to_date_and_taken_down() {
        let (mut posting, now) = on_the_board();
        assert_eq!((posting.deadline(now), next(&mut posting, now)), (None, None));
        posting.seats(Some(1));
        assert!(posting.deadline(now).is_some_and(|at| at <= now));
        let request = next(&mut posting, now).unwrap();
        let renewal = Renew::try_from(&request).unwrap();
        assert_eq!((renewal.id, renewal.free, renewal.expires_time), (id(), 1, UNIX + 7200));
        // What changes meanwhile is told after the pause, and once.
        posting.seats(Some(2));
        posting.seats(Some(0));
        assert_eq!(next(&mut posting, now), None);
        assert_eq!(posted(&mut posting, &request, UNIX + 7200, now), Some(News::Nothing));
        assert_eq!(next(&mut posting, now + PACE / 2), None);
        assert_eq!(posting.deadline(now), Some(now + PACE));
        let request = next(&mut posting, now + PACE).unwrap();
        assert_eq!(Renew::try_from(&request).unwrap().free, 0);
        posting.seats(None);
        assert_eq!(posting.deadline(now), Some(now));
        let request = next(&mut posting, now).unwrap();
        assert_eq!(Withdraw::try_from(&request).unwrap().id, id());
        assert_eq!((posting.deadline(now), next(&mut posting, now)), (None, None));
        assert_eq!(posting.withdraw(&mut test_rng(1)), None);
    }

    /// Decides LB-10.
    #[test]
    fn lb_10_a_post_that_the_mediator_forgot_or_keeps_for_a_short_time_is_told_again() {
        let (mut posting, now) = on_the_board();
        posting.connected();
        let request = next(&mut posting, now).unwrap();
        assert_eq!(Renew::try_from(&request).unwrap().id, id());
        assert_eq!(refused(&mut posting, &request, refusal::UNKNOWN, now), Some(News::Nothing));
        let now = now + PACE;
        let request = next(&mut posting, now).unwrap();
        assert!(Post::try_from(&request).is_ok());
        // Kept for 400 s only.
        assert_eq!(posted(&mut posting, &request, UNIX + 400, now), Some(News::Posted(id())));
        assert_eq!(posting.deadline(now), Some(now + Duration::from_secs(300)));
        assert_eq!(next(&mut posting, now + Duration::from_secs(299)), None);
        let now = now + Duration::from_secs(300);
        assert!(Renew::try_from(&next(&mut posting, now).unwrap()).is_ok());
        // Not answered: again.
        assert_eq!(posting.deadline(now), Some(now + ANSWER));
        assert!(next(&mut posting, now + ANSWER).is_some());
        // A lost connection takes the question with it.
        posting.connected();
        assert!(next(&mut posting, now + ANSWER).is_some());
    }

    /// Decides LB-10.
    #[test]
    fn lb_10_what_a_mediator_refuses_is_told_once_and_no_board_ends_it() {
        let (mut posting, mut now) = (posting(), begin());
        for told in [true, false] {
            let request = next(&mut posting, now).unwrap();
            let about_another = ProblemReport::new(refusal::FULL, "x").report("r", &posting_request());
            assert_eq!(posting.answered(&about_another, now, UNIX), None);
            let news = refused(&mut posting, &request, refusal::FULL, now).unwrap();
            assert_eq!(news, if told { News::Refused("because".into()) } else { News::Nothing });
            assert_eq!(next(&mut posting, now + REFUSED / 2), None);
            now += REFUSED;
        }
        for code in [refusal::OFF, UNSUPPORTED] {
            let mut posting = super::tests::posting();
            let request = next(&mut posting, now).unwrap();
            assert_eq!(refused(&mut posting, &request, code, now), Some(News::NoBoard));
            assert_eq!((posting.deadline(now), next(&mut posting, now + REFUSED)), (None, None));
        }
    }

    fn posting_request() -> Message {
        Withdraw { id: id() }.message("another")
    }

    /// Decides LB-10.
    #[test]
    fn lb_10_a_room_that_is_full_before_the_answer_is_taken_down_after_it() {
        let (mut posting, now) = (posting(), begin());
        let request = next(&mut posting, now).unwrap();
        posting.seats(None);
        assert_eq!((next(&mut posting, now), posting.deadline(now)), (None, Some(now + ANSWER)));
        posted(&mut posting, &request, UNIX + 7200, now);
        assert!(Withdraw::try_from(&next(&mut posting, now).unwrap()).is_ok());
        // One that is never answered is not waited for.
        let mut posting = super::tests::posting();
        assert!(next(&mut posting, now).is_some());
        posting.seats(None);
        assert_eq!(next(&mut posting, now + ANSWER), None);
        assert_eq!(posting.deadline(now + ANSWER), None);
    }
}
