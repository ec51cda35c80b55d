//! What a screen must show, word for word: `tests/golden/<name>.txt`.
//!
//! What differs from run to run is replaced by placeholders ([`Masks`]). A replacement has a shape and most of them a value, which is
//! the same wherever the placeholder stands: so a screen with other words to compare than its neighbour's does not pass.
//!
//! `DIDAGENT_REWRITE_GOLDEN=1 cargo test -p didagent --test golden` writes the files of single screens anew; look at the difference before
//! it is committed. Where `CI` is set nothing is written. The files of scenes ([`super::scene`]) are written by hand.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Rewrites the files.
const REWRITE: &str = "DIDAGENT_REWRITE_GOLDEN";

/// The values behind the placeholders of one scene, shared by all its screens.
#[derive(Debug, Default)]
pub struct Masks {
    /// Texts that the test knows, such as the link, longest first.
    known: Vec<(String, String)>,
    /// What the screens showed, by placeholder.
    seen: BTreeMap<String, String>,
    /// Ends of identities, in the order in which they came.
    identities: Vec<String>,
}

impl Masks {
    /// Masks with nothing in them.
    pub fn new() -> Self {
        Self::default()
    }

    /// Shows `text` as `<name>`. A short text would hit by chance.
    pub fn known(&mut self, name: &str, text: &str) {
        assert!(text.len() >= 6, "{text:?} is too short");
        self.known.push((text.to_owned(), format!("<{name}>")));
        self.known.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
    }

    /// What was seen behind a placeholder.
    pub fn seen(&self, name: &str) -> &str {
        self.seen.get(name).unwrap_or_else(|| panic!("no screen showed <{name}>: {:?}", self.seen))
    }

    /// The lines of a screen with placeholders.
    pub fn screen(&mut self, lines: &[String]) -> String {
        // What MPyC would like to have installed depends on the machine.
        let lines =
            lines.iter().filter(|line| mpyc_log(line).is_none() || !line.contains(" Install package "));
        lines.map(|line| self.line(line) + "\n").collect()
    }

    fn line(&mut self, line: &str) -> String {
        let mut line = line.to_owned();
        for (text, name) in &self.known {
            line = line.replace(text, name);
        }
        if let Some(words) = line.strip_prefix("  compare in your chat: ") {
            let words = words.to_owned();
            assert_eq!(words.split(' ').filter(|word| is_word(word)).count(), 4, "{line:?}");
            assert_eq!(words.split(' ').count(), 4, "{line:?}");
            return format!("  compare in your chat: {}", self.same("words", words));
        }
        // A message of MPyC's log: the time, then a text.
        if let Some(at) = mpyc_log(&line) {
            line.replace_range(..at, "<date and time>");
        }
        let mut masked = String::new();
        let mut rest = line.as_str();
        while !rest.is_empty() {
            let spaces = rest.len() - rest.trim_start_matches(' ').len();
            let end = rest[spaces..].find(' ').map_or(rest.len(), |at| spaces + at);
            let (word, after) = (&rest[spaces..end], &rest[end..]);
            let (shown, used) = self.word(word, after);
            // A cell in place of which something of another width stands moves what is behind it.
            let is_cell = spaces > 2 && masked.ends_with(" ms");
            masked.push_str(&" ".repeat(if is_cell { 2 } else { spaces }));
            masked.push_str(&shown);
            rest = &after[used..];
        }
        masked
    }

    /// What stands for a word, and how much of what follows it that includes.
    fn word(&mut self, word: &str, after: &str) -> (String, usize) {
        let bare = word.trim_end_matches([',', ';', ')', '.']);
        let tail = &word[bare.len()..];
        let next = after.trim_start().split([' ', ';', ',', ')']).next().unwrap_or_default();
        if is_room_name(bare) {
            return (self.same("room", bare.to_owned()) + tail, 0);
        }
        if bare.len() == 10 && bare.starts_with("..") && bare[2..].bytes().all(|b| b.is_ascii_alphanumeric())
        {
            // In a column the next cell stays where it is.
            let width = if after.starts_with("  ") { 10 } else { 0 };
            return (format!("{:<width$}", self.identity(bare)) + tail, 0);
        }
        if bare.starts_with("did:") && bare.len() > 40 {
            // The same one, not shortened.
            return (
                format!("<DID of {}>", self.identity(&format!("..{}", &bare[bare.len() - 8..]))) + tail,
                0,
            );
        }
        if is_digest(bare) {
            return (self.same("digest", bare.to_owned()) + tail, 0);
        }
        if next == "ms" && decimals(bare) == Some(1) {
            return ("<RTT> ms".to_owned(), after.find("ms").unwrap() + 2);
        }
        if next == "s" && (decimals(bare) == Some(1) || bare.parse::<u32>().is_ok()) {
            return ("<seconds>".to_owned(), 0);
        }
        if next == "UTC" && is_clock(bare) {
            return (self.same("time", bare.to_owned()), 0);
        }
        if ["bytes", "in", "sent", "not", "free"].contains(&next) && bare.parse::<u32>().is_ok() {
            return ("<number>".to_owned(), 0);
        }
        if let Some(digits) = bare.strip_suffix("|bytes")
            && is_elapsed(digits)
        {
            return ("<elapsed>|bytes".to_owned(), 0);
        }
        if let Some((folder, name)) = bare.split_once("/runs/") {
            let (stamp, hash) = name.strip_suffix(".json").unwrap().split_once('-').unwrap();
            assert!(stamp.len() == 16 && stamp.ends_with('Z') && decimal(&stamp[..8]), "{word}");
            return (format!("{folder}/runs/<stamp>-{}.json", self.same("run", hash.to_owned())), 0);
        }
        (word.to_owned(), 0)
    }

    /// Holds a value to what it was on other screens.
    fn same(&mut self, name: &str, value: String) -> String {
        let first = self.seen.entry(name.to_owned()).or_insert_with(|| value.clone());
        assert_eq!(*first, value, "<{name}> is not the same everywhere");
        format!("<{name}>")
    }

    fn identity(&mut self, end: &str) -> String {
        let at = self.identities.iter().position(|known| known == end).unwrap_or_else(|| {
            self.identities.push(end.to_owned());
            self.identities.len() - 1
        });
        format!("<id {at}>")
    }
}

fn is_word(word: &str) -> bool {
    bip39::Language::English.word_list().contains(&word)
}

fn is_room_name(text: &str) -> bool {
    let parts: Vec<_> = text.split('-').collect();
    matches!(parts.as_slice(), [number, one, other]
        if number.parse().is_ok_and(|number: u32| (1..=99).contains(&number)) && is_word(one) && is_word(other))
}

/// `3f1c..a9`.
fn is_digest(text: &str) -> bool {
    let is_hex = |part: &str, length| part.len() == length && part.bytes().all(|b| b.is_ascii_hexdigit());
    text.split_once("..").is_some_and(|(head, tail)| is_hex(head, 4) && is_hex(tail, 2))
}

/// Digits after the point of a number with one.
fn decimals(text: &str) -> Option<usize> {
    let (whole, part) = text.split_once('.')?;
    (decimal(whole) && decimal(part)).then_some(part.len())
}

/// `14:32`.
fn is_clock(text: &str) -> bool {
    let number = |part: &str, most: u32| part.len() == 2 && part.parse().is_ok_and(|n: u32| n <= most);
    text.split_once(':').is_some_and(|(hours, minutes)| number(hours, 23) && number(minutes, 59))
}

/// Where the text of a line of MPyC's log begins: after `2026-01-31 23:59:59,123`.
fn mpyc_log(line: &str) -> Option<usize> {
    const SHAPE: &str = "dddd-dd-dd dd:dd:dd,ddd";
    let fits = |(shape, byte): (u8, u8)| if shape == b'd' { byte.is_ascii_digit() } else { shape == byte };
    (line.len() > SHAPE.len() && SHAPE.bytes().zip(line.bytes()).all(fits)).then_some(SHAPE.len())
}

/// `0:00:00.123`, as MPyC's log ends.
fn is_elapsed(text: &str) -> bool {
    let Some((clock, part)) = text.split_once('.') else { return false };
    clock.split(':').count() == 3 && clock.split(':').all(decimal) && decimal(part)
}

fn decimal(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// Fails unless `screen` is what the file says; with [`REWRITE`] in the environment the file becomes what the screen is.
pub fn assert_golden(name: &str, screen: &str) {
    let path = path_of(name);
    if std::env::var_os(REWRITE).is_some() {
        assert!(std::env::var_os("CI").is_none(), "{REWRITE} is not for CI");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, screen).unwrap();
        return;
    }
    assert_same(name, &golden_text(name, screen), screen);
}

/// What the file says.
pub fn golden_text(name: &str, screen: &str) -> String {
    let path = path_of(name);
    std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; the screen is:\n{screen}", path.display()))
}

fn path_of(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.txt"))
}

/// Fails unless both are the same, and shows where they are not.
pub fn assert_same(name: &str, golden: &str, screen: &str) {
    if golden != screen {
        let shown = difference(golden, screen).join("\n");
        panic!(
            "{name}: the screen (+) is not what the file (-) says; if that is meant, change the file\n{shown}"
        );
    }
}

/// The lines of both texts in order, with `-` before those of the first and `+` before those of the second alone.
fn difference(first: &str, second: &str) -> Vec<String> {
    let (a, b): (Vec<&str>, Vec<&str>) = (first.lines().collect(), second.lines().collect());
    // common[i][j]: the length of the longest common subsequence of a[i..] and b[j..].
    let mut common = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            common[i][j] =
                if a[i] == b[j] { common[i + 1][j + 1] + 1 } else { common[i + 1][j].max(common[i][j + 1]) };
        }
    }
    let (mut i, mut j, mut lines) = (0, 0, Vec::new());
    while i < a.len() || j < b.len() {
        if i < a.len() && j < b.len() && a[i] == b[j] {
            lines.push(format!("  {}", a[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == b.len() || (i < a.len() && common[i + 1][j] >= common[i][j + 1]) {
            lines.push(format!("- {}", a[i]));
            i += 1;
        } else {
            lines.push(format!("+ {}", b[j]));
            j += 1;
        }
    }
    lines
}
