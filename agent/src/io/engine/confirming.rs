//! The words before the start: shown to everybody, confirmed by those who asked for it.
//!
//! ```text
//! Output::Agreed --> table, words, question        y, n, or `room confirm` --> Input::Compared --> Output::Ready | Failed
//! ```
//!
//! From here on a connection that is lost comes back, as in a run: people take minutes to compare. Specification: `spec/room.md`,
//! RM-91 to RM-95. Not its concern: for whom is waited (`core::room`), how it looks (`cli`).

use std::time::Duration;

use super::{End, Engine, now};
use crate::core::contacts::Acquaintance;
use crate::core::room::roster::Roster;
use crate::core::room::{Input, Room, is_answer};
use crate::failure::{Failure, Kind};
use crate::io::websocket::MediatorLink;
use crate::report::{Report, Reporter};

impl Engine {
    /// Everybody is ready, and somebody wants to compare the words first.
    pub(super) fn agreed(
        &mut self,
        roster: Box<Roster>,
        words: Vec<&'static str>,
        reporter: &mut dyn Reporter,
    ) -> Result<(), Failure> {
        let acquaintances = self.acquaintances(&roster);
        // Nobody can be let in any more, so a question about somebody makes way for the one about the words.
        self.ask_person(reporter);
        self.outlive_circuits();
        self.show_ready(roster, words, acquaintances, reporter)?;
        self.report_confirming(reporter);
        Ok(())
    }

    /// From here on sessions outlive their circuits.
    pub(super) fn outlive_circuits(&mut self) {
        self.began = true;
        self.links.values().for_each(MediatorLink::watch_closely);
        self.peers.values().for_each(|peer| peer.be_patient(self.patience));
    }

    /// Shows the table; everybody is ready.
    pub(super) fn show_ready(
        &self,
        roster: Box<Roster>,
        words: Vec<&'static str>,
        acquaintances: Vec<Option<Acquaintance>>,
        reporter: &mut dyn Reporter,
    ) -> Result<(), Failure> {
        reporter.report(&Report::Ready {
            ours: self.ours_in(&roster)?,
            paths: self.paths(&roster),
            acquaintances,
            petnames: self.petnames(&roster),
            words,
            forming: self.full_at.map_or(Duration::ZERO, |at| at.elapsed()),
            roster,
        });
        Ok(())
    }

    /// Returns our index in the roster.
    pub(super) fn ours_in(&self, roster: &Roster) -> Result<usize, Failure> {
        let ours = roster.party_of(&self.connection.did).map(|party| party.index);
        ours.ok_or_else(|| Failure::new(Kind::Other, "the roster lost this party"))
    }

    /// Somebody's person, or ours, has confirmed the words.
    pub(super) fn confirmed(&self, index: usize, reporter: &mut dyn Reporter) {
        let Some(party) = self.roster.as_ref().and_then(|roster| roster.party(index)) else { return };
        reporter.report(&Report::Confirmed { index, name: party.name.clone() });
        self.report_confirming(reporter);
    }

    /// Says for whose answer is waited, if for anybody's.
    fn report_confirming(&self, reporter: &mut dyn Reporter) {
        let (Some(room), Some(roster)) = (&self.room, &self.roster) else { return };
        let Some((words, waiting)) = room.confirming().filter(|(_, waiting)| !waiting.is_empty()) else {
            return;
        };
        let name = |index: usize| roster.party(index).map(|party| (index, party.name.clone()));
        reporter.report(&Report::Confirming {
            words: words.to_vec(),
            waiting: waiting.into_iter().filter_map(name).collect(),
            asked: room.member().confirm.filter(|_| room.asks_us()),
        });
    }

    /// Our person typed a line.
    pub(super) fn typed(&mut self, line: &str, reporter: &mut dyn Reporter) -> Option<End> {
        let is_short = ["y", "yes", "n", "no"].iter().any(|word| line.trim().eq_ignore_ascii_case(word));
        if is_short && self.asking.has_just_changed() {
            let why = "the question changed while you answered, so nothing was decided; answer once more";
            reporter.report(&Report::Warning(why.to_owned()));
            self.report_confirming(reporter);
            self.asking.say_again(reporter);
        } else if self.room.as_ref().is_some_and(Room::asks_us) {
            match line.to_ascii_lowercase().as_str() {
                "y" | "yes" => self.compared(true),
                "n" | "no" => self.compared(false),
                words if self.are_the_words(words) => self.compared(true),
                _ => self.report_confirming(reporter),
            }
        } else if line.eq_ignore_ascii_case("q") {
            reporter.show_code();
        } else {
            self.answer_typed(line, reporter);
        }
        None
    }

    /// Another terminal says whether the words are the same; with `words`, those that somebody else sees.
    ///
    /// # Errors
    /// [`Kind::NotNow`] when nobody is asked here, [`Kind::WordsRefused`] when these are not our words; the room goes on then.
    pub(super) fn answer_for_us(&mut self, same: bool, words: Option<&str>) -> Result<(), Failure> {
        if !self.room.as_ref().is_some_and(Room::asks_us) {
            return Err(Failure::new(Kind::NotNow, "nothing is to be confirmed here now")
                .hint("didagent status    (shows for whom the room waits)"));
        }
        if words.is_some_and(|words| !self.are_the_words(words)) {
            return Err(Failure::new(Kind::WordsRefused, "these are not the words that this party sees")
                .hint("didagent room confirm --no    (ends the room for everybody)"));
        }
        self.compared(same);
        Ok(())
    }

    fn are_the_words(&self, text: &str) -> bool {
        self.room.as_ref().and_then(Room::confirming).is_some_and(|(words, _)| is_answer(text, words))
    }

    fn compared(&mut self, same: bool) {
        if let Some(room) = &mut self.room {
            room.handle(Input::Compared(same), now(), &mut self.rng);
        }
    }
}
