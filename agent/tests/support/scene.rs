//! A scene: what each party of a room sees, for every number of parties from one file, word for word.
//!
//! `tests/golden/<scene>.txt` has a section for each screen that differs, `== alice, exit code 130`; `the last` and `every other guest`
//! are sections too. [`Scene::expected`] writes the screens of `n` parties from it:
//!
//! * `{words}` are values of the room and of who looks: see [`Scribe::value`]. A scene can bring its own.
//! * `|who|` in front of a line repeats it for each party that this fits: `me`, `other`, `guest`, `last`, `but bob`,
//!   `since` (each guest that
//!   comes once I am there, and I), `later` (each that comes after me), `seat` (also one that is free). Such lines that stand together are one list: each party has the first line that fits.
//! * `{include NAME}` stands for the lines of `tests/golden/parts/NAME.txt`.
//!
//! Placeholders in angle brackets are those of [`Masks`]. A line about somebody who is missing is shown again and again; it counts once.
//! Which of several parties gives another one up first is chance, and the others repeat its words; they count as their own.

use super::golden::{Masks, assert_same, golden_text};
use super::party::Ended;
use super::stage::{NAMES, Stage};

/// Which room a scene is played in.
#[derive(Debug, Clone)]
pub struct Scene {
    name: String,
    /// How many are there.
    parties: usize,
    /// How many there is room for.
    seats: usize,
    values: Vec<(String, String)>,
    known: Vec<(String, String)>,
}

impl Scene {
    /// The scene of `tests/golden/<name>.txt`, for a full room of `parties`.
    pub fn new(name: &str, parties: usize) -> Self {
        let (values, known) = (vec![("program".to_owned(), "rounds.py".to_owned())], Vec::new());
        Self { name: name.to_owned(), parties, seats: parties, values, known }
    }

    /// Seats that the room has, if that is more than parties.
    pub fn seats(mut self, seats: usize) -> Self {
        self.seats = seats;
        self
    }

    /// What `{name}` in the file stands for.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.values.insert(0, (name.to_owned(), value.to_owned()));
        self
    }

    /// Shows `text` as `<name>`, beside the link, the mediator and the homes.
    pub fn masked(mut self, name: &str, text: &str) -> Self {
        self.known.push((name.to_owned(), text.to_owned()));
        self
    }

    /// Fails unless these are the screens, but for what programs wrote.
    pub fn assert(&self, stage: &Stage, link: &str, ended: &[Ended]) {
        let mut masks = Masks::new();
        masks.known("link", link);
        if let Some(mediator) = &stage.mediator {
            masks.known("mediator", &format!("127.0.0.1:{}", mediator.port));
        }
        for name in NAMES.into_iter().chain(["mallory"]) {
            masks.known(&format!("home of {name}"), stage.home(name).to_str().unwrap());
        }
        for (name, text) in &self.known {
            masks.known(name, text);
        }
        let screens: String = ended.iter().map(|one| screen(&mut masks, one)).collect();
        let who: Vec<&str> = ended.iter().map(|one| one.name.as_str()).collect();
        let file = golden_text(&self.name, &screens);
        assert_same(
            &format!("{}, {} parties", self.name, self.parties),
            &self.expected(&file, &who),
            &screens,
        );
    }

    /// Writes the screens of these parties.
    fn expected(&self, file: &str, who: &[&str]) -> String {
        let sections = sections(file);
        let mut unused: Vec<_> = sections.iter().map(|(title, _, _)| *title).collect();
        unused.retain(|title| *title != "every other guest");
        let (mut identities, mut text) = (Vec::new(), String::new());
        for name in who {
            let index = NAMES.iter().position(|one| one == name).unwrap_or(self.parties);
            let is_last = index + 1 == self.parties;
            let mut fitting = sections.iter().filter(|(title, _, _)| {
                title == name || (*title == "the last" && is_last) || *title == "every other guest"
            });
            let (title, code, body) = fitting.next().unwrap_or_else(|| panic!("no section for {name}"));
            unused.retain(|one| one != title);
            let mut scribe = Scribe { scene: self, me: index, my_name: name, identities: &mut identities };
            text += &format!("== {name}, exit code {}\n", scribe.fill(code, index));
            scribe.write(body, &mut text);
        }
        assert!(unused.is_empty(), "{}: nobody saw what {unused:?} should", self.name);
        text
    }
}

/// Title, exit code and text of each section; those that name somebody first.
fn sections(file: &str) -> Vec<(&str, &str, &str)> {
    let parts = file.strip_prefix("== ").expect("a section").split("\n== ");
    let mut sections: Vec<_> = parts
        .map(|part| {
            let (head, body) = part.split_once('\n').unwrap_or((part, ""));
            let (title, code) = head.split_once(", exit code ").expect("an exit code");
            (title, code, body)
        })
        .collect();
    sections.sort_by_key(|(title, _, _)| match *title {
        "every other guest" => 2,
        "the last" => 1,
        _ => 0,
    });
    sections
}

/// A party's screen with placeholders, without its program's log.
fn screen(masks: &mut Masks, ended: &Ended) -> String {
    let lines: Vec<String> = ended.stderr.lines().map(str::to_owned).collect();
    let shown = masks.screen(&lines);
    let mut lines: Vec<&str> = shown.lines().filter(|line| !line.starts_with("<date and time>")).collect();
    lines.dedup_by(|one, before| one == before && one.ends_with(" reconnecting"));
    let text: String = lines.into_iter().map(|line| own_words(line) + "\n").collect();
    format!("== {}, exit code {}\n{text}", ended.name, ended.code)
}

/// `error[E0405]: party 2 (carol) stopped: lost party ...` as the one that gave it up first says it.
fn own_words(line: &str) -> String {
    let repeated = line.split_once(": party ").filter(|(code, _)| code.starts_with("error["));
    let words = repeated.and_then(|(code, rest)| Some((code, rest.split_once(" stopped: lost party ")?.1)));
    words.map_or_else(|| line.to_owned(), |(code, rest)| format!("{code}: lost party {rest}"))
}

/// Writes one party's screen.
struct Scribe<'a> {
    scene: &'a Scene,
    me: usize,
    my_name: &'a str,
    /// Whose identity was shown so far, in order, as [`Masks`] counts them.
    identities: &'a mut Vec<String>,
}

impl Scribe<'_> {
    fn write(&mut self, body: &str, text: &mut String) {
        let mut lines = body.lines().peekable();
        while let Some(line) = lines.next() {
            if let Some(part) = line.strip_prefix("{include ").and_then(|rest| rest.strip_suffix('}')) {
                self.write(&golden_text(&format!("parts/{part}"), ""), text);
                continue;
            }
            let Some(first) = marked(line) else {
                *text += &(self.fill(line, self.me) + "\n");
                continue;
            };
            let mut list = vec![first];
            while let Some(next) = lines.next_if(|line| marked(line).is_some()) {
                list.extend(marked(next));
            }
            for index in 0..self.scene.seats {
                if let Some((_, line)) = list.iter().find(|(mark, _)| self.fits(mark, index)) {
                    *text += &(self.fill(line, index) + "\n");
                }
            }
        }
    }

    fn fits(&self, mark: &str, index: usize) -> bool {
        let is_there = index < self.scene.parties;
        match mark {
            "seat" => true,
            "me" => index == self.me,
            "other" => is_there && index != self.me,
            "guest" => is_there && index > 0,
            "since" => is_there && index > 0 && index >= self.me,
            "later" => is_there && index > self.me,
            "last" => index + 1 == self.scene.parties,
            "but bob" => is_there && index > 1,
            "last but bob" => index > 1 && index + 1 == self.scene.parties,
            _ => panic!("who is |{mark}|?"),
        }
    }

    /// Puts in the values of a line about the party with this index.
    fn fill(&mut self, line: &str, index: usize) -> String {
        let mut text = String::new();
        let mut rest = line;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').unwrap_or_else(|| panic!("no }} in {line}"));
            text += before;
            text += &self.value(name, index);
            rest = after;
        }
        (text + rest).trim_end().to_owned()
    }

    /// The value of a word.
    fn value(&mut self, word: &str, index: usize) -> String {
        let Scene { parties, seats, values, .. } = self.scene;
        if let Some((_, value)) = values.iter().find(|(name, _)| name == word) {
            let value = value.clone();
            return self.fill(&value, index);
        }
        let name = NAMES.get(index).copied().unwrap_or(self.my_name);
        match word {
            // How many can take part, and what that means.
            "privacy" => privacy(*seats),
            "seats" => seats.to_string(),
            "seats that open" => ((seats - 1) / 2 + 1).to_string(),
            // Seats that are free for guests; that are free once this party came; that are free in the end.
            "free at first" => (seats - 1).to_string(),
            "free after bob" => (seats - 2).to_string(),
            "free then" => (seats - 1 - index).to_string(),
            "free" => (seats - parties).to_string(),
            // The party that a line is about.
            "index" => index.to_string(),
            "name" => name.to_owned(),
            "host" => (if index == 0 { "  host" } else { "" }).to_owned(),
            "name in column" => format!("{name:<5}"),
            "identity" => self.identity(name),
            "identity in column" => format!("{:<10}", self.identity(name)),
            "newline" => "\n".to_owned(),
            "ok" => format!("{:<11}", if index == 0 { "ok <digest>" } else { "ok" }),
            // Who looks.
            "my index" => self.me.to_string(),
            "my name" => self.my_name.to_owned(),
            "my identity" => self.identity(self.my_name),
            "called" => (if index == self.me { "you" } else { name }).to_owned(),
            // The one that has not come; the one that came last.
            "missing name" => NAMES[seats - 1].to_owned(),
            "last index" => (parties - 1).to_string(),
            "last name" => NAMES[parties - 1].to_owned(),
            "all but the last" => NAMES[..parties - 1].join(", "),
            "free without it" => (seats - parties + 1).to_string(),
            // All up to the party that a line is about, and all.
            "up to it" => NAMES[..=index].join(", "),
            "everybody" => NAMES[..*parties].join(", "),
            _ => {
                let of = word.strip_prefix("identity of ").unwrap_or_else(|| panic!("what is {{{word}}}?"));
                self.identity(of)
            }
        }
    }

    fn identity(&mut self, name: &str) -> String {
        let at = self.identities.iter().position(|known| known == name).unwrap_or_else(|| {
            self.identities.push(name.to_owned());
            self.identities.len() - 1
        });
        format!("<id {at}>")
    }
}

/// `|who|line`.
fn marked(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix('|')?.split_once('|')
}

/// MPyC's own rule: the largest threshold at which fewer than half the parties learn nothing.
fn privacy(parties: usize) -> String {
    match (parties - 1) / 2 {
        0 => format!("{parties} parties, threshold 0: each party alone can open all inputs"),
        threshold => {
            format!(
                "{parties} parties, threshold {threshold}: any {} together could open the inputs",
                threshold + 1
            )
        }
    }
}
