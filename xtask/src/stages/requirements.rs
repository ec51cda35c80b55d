//! Which tests decide which requirement: read from the chapters of `spec/` and from the tests, written to a table.
//!
//! A requirement is a bullet of a chapter that begins with its id in bold. A test decides it if its name has the id, as in
//! `se_20_a_wrong_epoch_closes`, or if a comment directly above it (in Python also its docstring) names it.
//!
//! Not its concern: whether the test is any good.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::text::collect;
use crate::failure::{About as _, Failure, Result};
use crate::workshop::Workshop;

const TABLE: &str = "spec/requirements.md";

const HEAD: &str = "\
# Requirements and the tests that decide them

Made from the chapters and the tests by `cargo xtask requirements`; `cargo xtask test` fails when it is not up to date, when
a requirement has no test, and when a test names a requirement that no chapter has.
";

/// `SE-20`, split, so that it sorts by number.
type Id = (String, u32);

/// Which tests decide what: for each id its chapter, and file and name of the tests.
#[derive(Default)]
struct Found {
    chapters: BTreeMap<Id, String>,
    tests: BTreeMap<Id, BTreeSet<(String, String)>>,
    faults: Vec<String>,
}

/// Compares the table with the tree.
pub(super) fn check(workshop: &Workshop) -> Result {
    let mut found = read(workshop)?;
    found.judge();
    let table = found.table();
    let stands = fs::read_to_string(workshop.root.join(TABLE)).unwrap_or_default();
    if stands != table {
        found.faults.push(format!("{TABLE} is not up to date; run: cargo xtask requirements"));
    }
    if found.faults.is_empty() {
        println!("{} requirements, each with a test", found.chapters.len());
        return Ok(());
    }
    Err(Failure::check(format!("FAILED:\n  {}", found.faults.join("\n  "))))
}

/// Writes the table, and fails like [`check`] if something is missing.
pub(crate) fn write(workshop: &Workshop) -> Result {
    let found = read(workshop)?;
    fs::write(workshop.root.join(TABLE), found.table()).about(format!("write {TABLE}"))?;
    check(workshop)
}

fn read(workshop: &Workshop) -> Result<Found> {
    let mut files = Vec::new();
    collect(&workshop.root, &mut files)?;
    let mut found = Found::default();
    for path in &files {
        let name = workshop.shown(path).to_string();
        let ending = Path::new(&name).extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        let chapter = name.strip_prefix("spec/").filter(|chapter| !chapter.contains('/') && ending == "md");
        if chapter.is_none() && !["rs", "py"].contains(&ending) || name == TABLE {
            continue;
        }
        let text = fs::read_to_string(path).about(format!("read {name}"))?;
        match chapter {
            Some(chapter) => found.chapter(chapter, &text),
            None => found.source(&name, &text, ending),
        }
    }
    Ok(found)
}

impl Found {
    fn chapter(&mut self, chapter: &str, text: &str) {
        let bullets = text.lines().filter_map(|line| line.strip_prefix("* **")?.split_once("**"));
        for (id, _) in bullets {
            let Some(parsed) = parse(id) else { continue };
            if let Some(other) = self.chapters.insert(parsed, chapter.to_owned()) {
                self.faults.push(format!("spec/{chapter}: {id} stands in {other} already"));
            }
        }
    }

    fn source(&mut self, name: &str, text: &str, ending: &str) {
        let lines: Vec<&str> = text.lines().collect();
        for (number, line) in lines.iter().enumerate() {
            let above = lines.get(..number).unwrap_or_default();
            let Some((test, ids)) = (match ending {
                "rs" => rust_test(line, above),
                _ => python_test(line, above, lines.get(number + 1..).unwrap_or_default()),
            }) else {
                continue;
            };
            for id in ids {
                self.tests.entry(id).or_default().insert((name.to_owned(), test.clone()));
            }
        }
    }

    fn judge(&mut self) {
        for ((letters, number), chapter) in &self.chapters {
            if !self.tests.contains_key(&(letters.clone(), *number)) {
                self.faults.push(format!("spec/{chapter}: {letters}-{number:02} has no test"));
            }
        }
        let known: BTreeSet<&str> = self.chapters.keys().map(|(letters, _)| letters.as_str()).collect();
        for (id, tests) in &self.tests {
            // Other letters are other people's: a standard, a table of this project's design.
            if known.contains(id.0.as_str()) && !self.chapters.contains_key(id) {
                let tests: Vec<_> = tests.iter().map(|(file, test)| format!("{file} {test}")).collect();
                self.faults.push(format!("no chapter has {}-{:02}: {}", id.0, id.1, tests.join(", ")));
            }
        }
    }

    fn table(&self) -> String {
        let mut table = HEAD.to_owned();
        let chapters: BTreeSet<&String> = self.chapters.values().collect();
        for chapter in chapters {
            // Writing to a String cannot fail.
            let _ = writeln!(table, "\n## [{chapter}]({chapter})\n\n| requirement | tests |\n|---|---|");
            for (id, _) in self.chapters.iter().filter(|(_, stands)| *stands == chapter) {
                let mut files: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
                for (file, test) in self.tests.get(id).into_iter().flatten() {
                    files.entry(file).or_default().push(test);
                }
                let tests: Vec<String> = files
                    .into_iter()
                    .map(|(file, tests)| format!("[{file}](../{file}): {}", tests.join(", ")))
                    .collect();
                let _ = writeln!(table, "| {}-{:02} | {} |", id.0, id.1, tests.join("<br>"));
            }
        }
        table
    }
}

/// Name and ids of the test whose `fn` stands in this line.
fn rust_test(line: &str, above: &[&str]) -> Option<(String, Vec<Id>)> {
    let line = line.trim_start();
    let rest = line.strip_prefix("async fn ").or_else(|| line.strip_prefix("fn "))?;
    let name = rest.split(['(', '<']).next()?.to_owned();
    let mut ids = in_name(&name);
    let mut is_test = false;
    let attached = |line: &&&str| line.starts_with("//") || line.starts_with("#[") || line.starts_with(")]");
    let trimmed: Vec<&str> = above.iter().map(|line| line.trim_start()).collect();
    for line in trimmed.iter().rev().take_while(attached) {
        is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        if line.starts_with("//") {
            ids.extend(in_prose(line));
        }
    }
    is_test.then_some((name, ids))
}

/// The same for Python; `below` may begin with a docstring of one line.
fn python_test(line: &str, above: &[&str], below: &[&str]) -> Option<(String, Vec<Id>)> {
    let line = line.trim_start();
    let rest = line.strip_prefix("async def ").or_else(|| line.strip_prefix("def "))?;
    let name = rest.split('(').next()?.to_owned();
    if !name.starts_with("test") {
        return None;
    }
    let mut ids = in_name(&name);
    let comments = above.iter().rev().map(|line| line.trim_start()).take_while(|line| line.starts_with('#'));
    ids.extend(comments.flat_map(in_prose));
    if let Some(docstring) = below.first().filter(|line| line.trim_start().starts_with("\"\"\"")) {
        ids.extend(in_prose(docstring));
    }
    Some((name, ids))
}

/// Ids in an identifier: two letters, then a number, as whole words between underscores.
fn in_name(name: &str) -> Vec<Id> {
    let words: Vec<&str> = name.split('_').collect();
    words.windows(2).filter_map(|pair| id(&pair.first()?.to_uppercase(), pair.get(1)?)).collect()
}

fn in_prose(line: &str) -> Vec<Id> {
    line.split(|character: char| !character.is_alphanumeric() && character != '-').filter_map(parse).collect()
}

fn parse(text: &str) -> Option<Id> {
    let (letters, number) = text.split_once('-')?;
    id(letters, number)
}

fn id(letters: &str, number: &str) -> Option<Id> {
    let upper = letters.len() == 2 && letters.bytes().all(|byte| byte.is_ascii_uppercase());
    let digits = number.len() >= 2 && number.bytes().all(|byte| byte.is_ascii_digit());
    if !upper || !digits {
        return None;
    }
    Some((letters.to_owned(), number.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(chapter: &str, rust: &str, python: &str) -> Found {
        let mut found = Found::default();
        found.chapter("a.md", chapter);
        found.source("src/a.rs", rust, "rs");
        found.source("tests/a.py", python, "py");
        found.judge();
        found
    }

    const CHAPTER: &str = "text\n* **SE-01** One.\n* **SE-102** Two,\n  see SE-03.\n* other\n";

    #[test]
    fn a_requirement_is_decided_by_the_name_or_a_comment_of_a_test() {
        let rust = "#[test]\nfn se_01_one() {}\n\n/// Decides SE-102.\n#[tokio::test]\nasync fn two() {}\n";
        assert!(found(CHAPTER, rust, "").faults.is_empty());
        let python =
            "def test_se_01_one():\n    pass\n\n\ndef test_two():\n    \"\"\"Decides SE-102.\"\"\"\n";
        let found = found(CHAPTER, "", python);
        assert!(found.faults.is_empty(), "{:?}", found.faults);
        assert!(found.table().contains("| SE-102 | [tests/a.py](../tests/a.py): test_two |\n"));
    }

    #[test]
    fn what_is_no_test_decides_nothing() {
        for rust in [
            "fn se_01_one() {}\n",
            "// SE-01\nfn helper() {}\n",
            "/// SE-01 is told elsewhere.\n\n#[test]\nfn one() {}\n",
            "#[test]\nfn one() {\n    // SE-01\n}\n",
            "#[test]\nfn se_001x() {}\n",
        ] {
            assert_eq!(
                found("* **SE-01** One.\n", rust, "").faults,
                ["spec/a.md: SE-01 has no test"],
                "{rust}"
            );
        }
    }

    #[test]
    fn a_test_for_nothing_and_an_id_used_twice_are_faults() {
        let rust = "#[test]\nfn se_01_se_07_one() {}\n#[test]\nfn rf_07_other() {}\n";
        assert_eq!(
            found("* **SE-01** One.\n", rust, "").faults,
            ["no chapter has SE-07: src/a.rs se_01_se_07_one"]
        );
        let rust = "#[test]\nfn se_01() {}\n";
        assert_eq!(
            found("* **SE-01** One.\n* **SE-01** Two.\n", rust, "").faults,
            ["spec/a.md: SE-01 stands in a.md already"]
        );
    }
}
