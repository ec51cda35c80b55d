//! Courtesy: what an agent answers to anybody's message that is not about a room.
//!
//! Specification: DIDComm Messaging v2.1, "Trust Ping Protocol 2.0", "Discover Features
//! Protocol 2.0", "Problem Reports"; `spec/room.md`, section 9.
//!
//! ```text
//! ping              --> ping-response
//! queries           --> disclose
//! unknown message   --> problem-report in its thread
//! problem-report    --> words for a person, once; never an answer
//! basic message     --> a text for a person, once; never an answer
//! ```
//!
//! Everything here is limited: each known party has an allowance, all strangers together have one. Not its concern: whether
//! an answer may open a connection (`io::engine`: for a stranger it may not), messages of rooms (`room`).

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::basic_message::BasicMessage;
use didagent_didcomm::protocols::discover_features::{self, Queries};
use didagent_didcomm::protocols::report_problem::{ProblemReport, is_report};
use didagent_didcomm::protocols::trust_ping::{Ping, PingResponse};
use didagent_didcomm::protocols::{Body as _, BodyError, types};
use rand_core::CryptoRng;

use crate::core::allowance::{Allowance, Rate};
use crate::core::connect::showable;
use crate::core::features;
use crate::core::invite::new_id;

/// Answers that one sender gets. `ping` asks once a second, and may ask five times as often.
const ANSWERS: Rate = Rate { burst: 10, each: Duration::from_millis(200) };

/// Known senders with an allowance of their own: the parties of a full room, and as many contacts.
const MAX_SENDERS: usize = 32;

/// Problem reports that are shown in the life of an engine. More of them help nobody.
const MAX_SHOWN: usize = 16;

/// Texts of all those we know together that are shown: as fast as anybody reads, and not for long.
const TEXTS: Rate = Rate { burst: 20, each: Duration::from_secs(1) };

/// Texts of all strangers together that are shown: whoever has the link of a room may say a word to its host, and not fill the
/// screen.
const TEXTS_OF_STRANGERS: Rate = Rate { burst: 3, each: Duration::from_secs(20) };

/// Texts that are remembered, since mail can come twice.
const MAX_TEXTS: usize = 64;

/// Code of the report about a message that is not known here.
const UNSUPPORTED: &str = "e.p.msg.unsupported";

/// Code of the report about a message whose body is not what its type demands.
const MALFORMED: &str = "e.p.msg.malformed";

/// Messages that are known here and never answered with a report: they belong to a room, perhaps to one that is over.
const OF_ROOMS: [&str; 12] = [
    types::ROOM_ASK,
    types::ROOM_INVITATION,
    types::ROOM_JOIN,
    types::ROOM_SEATS,
    types::ROOM_ROSTER,
    types::ROOM_READY,
    types::ROOM_CONFIRMED,
    types::ROOM_LEAVE,
    types::SESSION_PROPOSE,
    types::SESSION_ACCEPT,
    types::SESSION_ABORT,
    types::PING_RESPONSE,
];

/// How well we know who wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// A party of our room, or a contact.
    Known,
    /// Anybody else.
    Stranger,
}

/// What a message leads to.
#[derive(Debug, PartialEq)]
pub enum Reaction {
    /// It is not for here.
    NotOurs,
    /// Send this to whoever wrote.
    Answer(Box<Message>),
    /// Somebody reports a problem: tell the person, who wrote comes in front of it.
    Tell(String),
    /// Somebody wrote this to the person here: show it, who wrote comes in front of it.
    Text(String),
    /// It needs nothing, or its sender has used up its allowance.
    Ignore,
}

/// What was answered and shown lately.
#[derive(Debug, Default)]
pub struct Courtesy {
    known: BTreeMap<String, Allowance>,
    strangers: Option<Allowance>,
    shown: Vec<String>,
    texts: Option<Allowance>,
    texts_of_strangers: Option<Allowance>,
    /// Sender and id of the last texts.
    last_texts: VecDeque<String>,
}

impl Courtesy {
    /// Takes a message of the authenticated DID `sender`.
    pub fn handle(
        &mut self,
        sender: &str,
        standing: Standing,
        message: &Message,
        now: Instant,
        rng: &mut impl CryptoRng,
    ) -> Reaction {
        let is = |type_: &&str| types::same_message(&message.type_, type_);
        if OF_ROOMS.iter().any(&is) {
            return Reaction::NotOurs;
        }
        // Never a report about a report, whatever is in it: two agents could keep each other busy for ever.
        if is_report(&message.type_) {
            return self.report(sender, standing, message);
        }
        // Headers alone, and what nobody here asked for.
        if is(&types::EMPTY) || is(&types::DISCOVER_DISCLOSE) {
            return Reaction::Ignore;
        }
        if let Ok(text) = BasicMessage::try_from(message) {
            return self.text(sender, standing, message, text.content, now);
        }
        let answer = match (Ping::try_from(message), Queries::try_from(message)) {
            (Ok(Ping { response_requested: false }), _) => return Reaction::Ignore,
            (Ok(_), _) => PingResponse::to_ping(new_id(rng), message),
            (_, Ok(queries)) => discover_features::answer(&queries, &features::all())
                .message(new_id(rng))
                .thid(message.thread()),
            (Err(BodyError::WrongType { .. }), Err(BodyError::WrongType { .. }))
                if !is(&types::BASIC_MESSAGE) =>
            {
                ProblemReport::new(
                    UNSUPPORTED,
                    "this agent does not know messages of this type; discover-features tells which it knows",
                )
                .report(new_id(rng), message)
            }
            _ => ProblemReport::new(MALFORMED, "the body is not what the message's type demands")
                .report(new_id(rng), message),
        };
        if self.is_allowed(sender, standing, now) {
            Reaction::Answer(Box::new(answer))
        } else {
            Reaction::Ignore
        }
    }

    fn text(
        &mut self,
        sender: &str,
        standing: Standing,
        message: &Message,
        text: String,
        now: Instant,
    ) -> Reaction {
        let once = format!("{sender} {}", message.id);
        if self.last_texts.contains(&once) {
            return Reaction::Ignore;
        }
        let (allowance, rate) = match standing {
            Standing::Known => (&mut self.texts, TEXTS),
            Standing::Stranger => (&mut self.texts_of_strangers, TEXTS_OF_STRANGERS),
        };
        if !allowance.get_or_insert(Allowance::full(rate, now)).spend(now) {
            return Reaction::Ignore;
        }
        if self.last_texts.len() >= MAX_TEXTS {
            self.last_texts.pop_front();
        }
        self.last_texts.push_back(once);
        Reaction::Text(text)
    }

    fn report(&mut self, sender: &str, standing: Standing, message: &Message) -> Reaction {
        let (Standing::Known, Ok(report)) = (standing, ProblemReport::try_from(message)) else {
            return Reaction::Ignore;
        };
        let code = showable(&report.code);
        let thread = message.pthid.as_deref().unwrap_or_default();
        let once = format!("{sender} {thread} {code}");
        if self.shown.len() >= MAX_SHOWN || self.shown.contains(&once) {
            return Reaction::Ignore;
        }
        self.shown.push(once);
        let words = showable(&report.text());
        Reaction::Tell(if words.is_empty() || words == code { code } else { format!("{words} ({code})") })
    }

    fn is_allowed(&mut self, sender: &str, standing: Standing, now: Instant) -> bool {
        let full = Allowance::full(ANSWERS, now);
        match standing {
            Standing::Stranger => self.strangers.get_or_insert(full).spend(now),
            Standing::Known => {
                if self.known.len() >= MAX_SENDERS && !self.known.contains_key(sender) {
                    self.known.retain(|_, allowance| !allowance.is_full(now));
                    if self.known.len() >= MAX_SENDERS {
                        return false;
                    }
                }
                self.known.entry(sender.to_owned()).or_insert(full).spend(now)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::test_rng;
    use serde_json::json;

    #[expect(
        clippy::disallowed_methods,
        reason = "an instant cannot be made from nothing; only differences count"
    )]
    fn start() -> Instant {
        Instant::now()
    }

    fn react(courtesy: &mut Courtesy, standing: Standing, message: &Message, now: Instant) -> Reaction {
        courtesy.handle("did:peer:bob", standing, message, now, &mut test_rng(1))
    }

    fn ping() -> Message {
        Ping { response_requested: true }.message("p")
    }

    fn answer(reaction: Reaction) -> Message {
        match reaction {
            Reaction::Answer(message) => *message,
            other => panic!("{other:?}"),
        }
    }

    /// Decides RM-60.
    #[test]
    fn a_ping_is_answered_in_its_thread_unless_no_answer_is_wanted() {
        let (mut courtesy, now) = (Courtesy::default(), start());
        for standing in [Standing::Known, Standing::Stranger] {
            let response = answer(react(&mut courtesy, standing, &ping(), now));
            assert_eq!((response.type_.as_str(), response.thread()), (types::PING_RESPONSE, "p"));
        }
        let quiet = Ping { response_requested: false }.message("q");
        assert_eq!(react(&mut courtesy, Standing::Known, &quiet, now), Reaction::Ignore);
        let bad = Message::new("b", types::PING, json!({"response_requested": "perhaps"}));
        let report = ProblemReport::try_from(&answer(react(&mut courtesy, Standing::Known, &bad, now)));
        assert_eq!(report.unwrap().code, MALFORMED);
    }

    /// Decides RM-60.
    #[test]
    fn an_unknown_message_is_reported_in_its_thread_and_a_report_never_is() {
        let (mut courtesy, now) = (Courtesy::default(), start());
        let unknown = Message::new("u", "https://example.org/poker/1.0/raise", json!({})).thid("t");
        let message = answer(react(&mut courtesy, Standing::Stranger, &unknown, now));
        assert_eq!(ProblemReport::try_from(&message).unwrap().code, UNSUPPORTED);
        assert_eq!(message.pthid.as_deref(), Some("t"));
        // What we say ourselves, said to us.
        assert!(matches!(react(&mut courtesy, Standing::Known, &message, now), Reaction::Tell(_)));
        for body in [json!({}), json!({"code": 7}), json!("?")] {
            let broken = Message::new("r", types::PROBLEM_REPORT, body).pthid("t");
            assert_eq!(react(&mut courtesy, Standing::Known, &broken, now), Reaction::Ignore);
        }
        // The minor version may differ.
        for type_ in ["https://didcomm.org/report-problem/2.9/problem-report", "x/9/problem-report"] {
            let later = Message::new("r", type_, json!({"code": "x"}));
            assert_eq!(react(&mut courtesy, Standing::Known, &later, now), Reaction::Ignore);
        }
    }

    /// Decides RM-60.
    #[test]
    fn queries_are_answered_with_what_is_spoken_and_nothing_is_said_about_answers() {
        let (mut courtesy, now) = (Courtesy::default(), start());
        let queries =
            json!({"queries": [{"feature-type": "protocol", "match": "https://didcomm.org/trust-*"}]});
        let queries = Message::new("q", types::DISCOVER_QUERIES, queries);
        let told = answer(react(&mut courtesy, Standing::Stranger, &queries, now));
        assert_eq!((told.type_.as_str(), told.thread()), (types::DISCOVER_DISCLOSE, "q"));
        let told_body = discover_features::Disclose::try_from(&told).unwrap();
        let ids: Vec<_> = told_body.disclosures.iter().map(|one| one.id.as_str()).collect();
        assert_eq!(ids, ["https://didcomm.org/trust-ping/2.0"]);
        for quiet in [told, Message::new("e", types::EMPTY, json!({}))] {
            assert_eq!(react(&mut courtesy, Standing::Known, &quiet, now), Reaction::Ignore);
        }
        let bad = Message::new("b", types::DISCOVER_QUERIES, json!({"queries": 1}));
        let report = ProblemReport::try_from(&answer(react(&mut courtesy, Standing::Known, &bad, now)));
        assert_eq!(report.unwrap().code, MALFORMED);
    }

    #[test]
    fn messages_of_rooms_are_left_alone() {
        let (mut courtesy, now) = (Courtesy::default(), start());
        for type_ in OF_ROOMS {
            let message = Message::new("m", type_, json!({}));
            assert_eq!(react(&mut courtesy, Standing::Stranger, &message, now), Reaction::NotOurs, "{type_}");
        }
    }

    /// Decides RM-62.
    #[test]
    fn a_report_is_told_once_in_words_and_only_of_those_we_know() {
        let (mut courtesy, now) = (Courtesy::default(), start());
        let report = |thread: &str| ProblemReport::new("e.p.x", "no \u{1b}[2Jway").message("r").pthid(thread);
        assert_eq!(react(&mut courtesy, Standing::Stranger, &report("1"), now), Reaction::Ignore);
        let Reaction::Tell(words) = react(&mut courtesy, Standing::Known, &report("1"), now) else {
            panic!()
        };
        assert_eq!(words, "no \u{fffd}[2Jway (e.p.x)");
        assert_eq!(react(&mut courtesy, Standing::Known, &report("1"), now), Reaction::Ignore);
        for thread in 2..=MAX_SHOWN {
            let told = react(&mut courtesy, Standing::Known, &report(&thread.to_string()), now);
            assert!(matches!(told, Reaction::Tell(_)), "{thread}");
        }
        assert_eq!(react(&mut courtesy, Standing::Known, &report("more"), now), Reaction::Ignore);
    }

    /// Decides RM-63.
    #[test]
    fn rm_63_texts_are_shown_once_and_rationed() {
        let (mut courtesy, now) = (Courtesy::default(), start());
        let text = |id: usize| BasicMessage { content: format!("text {id}") }.message(id.to_string());
        for (standing, rate) in [(Standing::Stranger, TEXTS_OF_STRANGERS), (Standing::Known, TEXTS)] {
            let mut courtesy = Courtesy::default();
            let burst = usize::try_from(rate.burst).unwrap();
            for id in 0..burst {
                let shown = Reaction::Text(format!("text {id}"));
                assert_eq!(react(&mut courtesy, standing, &text(id), now), shown);
            }
            assert_eq!(react(&mut courtesy, standing, &text(burst), now), Reaction::Ignore);
            let later = now + rate.each;
            assert_eq!(react(&mut courtesy, standing, &text(0), later), Reaction::Ignore, "it came before");
            assert!(matches!(react(&mut courtesy, standing, &text(burst), later), Reaction::Text(_)));
        }
        let other = courtesy.handle("did:peer:carol", Standing::Known, &text(1), now, &mut test_rng(1));
        assert!(matches!(other, Reaction::Text(_)));
        assert!(
            matches!(react(&mut courtesy, Standing::Known, &text(1), now), Reaction::Text(_)),
            "ids are the sender's"
        );
        let long = BasicMessage { content: "x".repeat(16 * 1024 + 1) }.message("long");
        let report = ProblemReport::try_from(&answer(react(&mut courtesy, Standing::Known, &long, now)));
        assert_eq!(report.unwrap().code, MALFORMED);
    }

    /// Decides RM-61.
    #[test]
    fn answers_are_rationed_and_strangers_share_one_ration() {
        let (mut courtesy, now) = (Courtesy::default(), start());
        let mut rng = test_rng(1);
        let mut answered = |courtesy: &mut Courtesy, sender: &str, standing, now| {
            courtesy.handle(sender, standing, &ping(), now, &mut rng) != Reaction::Ignore
        };
        for number in 0..ANSWERS.burst {
            assert!(answered(&mut courtesy, &number.to_string(), Standing::Stranger, now));
        }
        assert!(!answered(&mut courtesy, "new", Standing::Stranger, now));
        assert!(answered(&mut courtesy, "new", Standing::Stranger, now + ANSWERS.each));
        assert!(!answered(&mut courtesy, "new", Standing::Stranger, now + ANSWERS.each));
        // They take nothing from those we know, who take nothing from each other.
        for sender in 0..MAX_SENDERS {
            for _ in 0..ANSWERS.burst {
                assert!(answered(&mut courtesy, &sender.to_string(), Standing::Known, now));
            }
            assert!(!answered(&mut courtesy, &sender.to_string(), Standing::Known, now));
        }
        assert!(!answered(&mut courtesy, "more", Standing::Known, now));
        assert!(answered(&mut courtesy, "more", Standing::Known, now + ANSWERS.each * ANSWERS.burst));
        assert_eq!(courtesy.known.len(), 1);
    }
}
