//! Every file of the tree, read as text: links that lead somewhere, lengths, and words that must not be there.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::{About as _, Failure, Result};
use crate::workshop::Workshop;

/// Lines of a source file; past it, look for the seam.
const MAX_LINES: usize = 500;

/// Words that mean "not done", in code. Written in two pieces, or this file would find itself.
const UNDONE: &[&str] =
    &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("to", "do!"), concat!("#[ig", "nore")];

/// Where a machine's own paths begin, and hosts of package registries.
const OF_ONE_MACHINE: &[&str] = &[
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/wo", "rk/"),
    concat!("crates", ".io"),
    concat!("pypi", ".org"),
    concat!("python", "hosted.org"),
    concat!("npm", "js.org"),
];

/// The one source that a lock file may name.
const REGISTRY: &str = concat!("registry+https://github.com/rust-lang/crates", ".io-index");

/// Beginnings of a name in the root that belong to the project although they are hidden.
const HIDDEN: &[&str] = &[".cargo", ".ci", ".config", ".github", ".gitignore"];

/// Reads every file and lists all faults.
pub(super) fn run(workshop: &Workshop) -> Result {
    let mut files = Vec::new();
    collect(&workshop.root, &mut files)?;
    let mut faults = Vec::new();
    for path in &files {
        let bytes = fs::read(path).about(format!("read {}", path.display()))?;
        // What is not text is a corpus of some fuzzer or a picture.
        let Ok(text) = String::from_utf8(bytes) else { continue };
        let name = workshop.shown(path).to_string();
        faults.extend(faults_in(&name, &text).into_iter().map(|fault| format!("{name}{fault}")));
        if name.ends_with(".md") {
            let folder = path.parent().unwrap_or(&workshop.root);
            let dead = links(&text).into_iter().filter(|link| !leads_somewhere(folder, link));
            faults.extend(dead.map(|link| format!("{name}: no file is at the end of the link {link}")));
        }
    }
    if faults.is_empty() {
        println!("{} files", files.len());
        return Ok(());
    }
    Err(Failure::check(format!("FAILED:\n  {}", faults.join("\n  "))))
}

/// All files but what is made: target folders, Python's caches, git's own.
pub(super) fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result {
    let entries = fs::read_dir(folder).about(format!("list {}", folder.display()))?;
    for entry in entries {
        let entry = entry.about(format!("list {}", folder.display()))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == "target"
            || name == "__pycache__"
            || name.starts_with('.') && !HIDDEN.contains(&name.as_str())
        {
            continue;
        }
        let kind = entry.file_type().about(format!("look at {}", entry.path().display()))?;
        if kind.is_dir() {
            collect(&entry.path(), files)?;
        } else if kind.is_file() {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(())
}

/// What is wrong with one file, each as `:line: what`.
fn faults_in(name: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let is = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    if is(&[".lock"]) {
        for (number, line) in text.lines().enumerate() {
            if line.starts_with("source = ") && line != format!("source = \"{REGISTRY}\"") {
                faults.push(format!(":{}: another source than the public registry: {line}", number + 1));
            }
        }
        return faults;
    }
    let code = is(&[".rs", ".py", ".sh", ".nix", ".tf"]) || name.starts_with(".ci/");
    for (number, line) in text.lines().enumerate() {
        let words = OF_ONE_MACHINE.iter().chain(if code { UNDONE } else { &[] });
        for word in words.filter(|word| stands_in(line, word)) {
            faults.push(format!(":{}: {word}", number + 1));
        }
    }
    let lines = text.lines().count();
    if is(&[".rs", ".py"]) && lines > MAX_LINES {
        faults.push(format!(": {lines} lines; more than {MAX_LINES}"));
    }
    faults
}

/// Tells whether `word` is in `line` and does not merely continue another word or path.
fn stands_in(line: &str, word: &str) -> bool {
    let continues = |character: char| character.is_alphanumeric() || "_-.~".contains(character);
    line.match_indices(word).any(|(at, _)| {
        let before = line.get(..at).and_then(|before| before.chars().last());
        let after = line.get(at + word.len()..).and_then(|after| after.chars().next());
        let open = word.ends_with(|end: char| !end.is_alphanumeric());
        !before.is_some_and(continues) && (open || !after.is_some_and(char::is_alphanumeric))
    })
}

/// Targets of Markdown links that are files, without their fragments. What stands in code is not a link.
fn links(markdown: &str) -> Vec<&str> {
    let mut links = Vec::new();
    let mut in_block = false;
    for line in markdown.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        }
        if in_block || line.starts_with("    ") {
            continue;
        }
        for part in line.split("](").skip(1) {
            let target = part.split([')', '#', ' ']).next().unwrap_or_default();
            if !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:") {
                links.push(target);
            }
        }
    }
    links
}

fn leads_somewhere(folder: &Path, link: &str) -> bool {
    folder.join(link).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_links_to_files_and_to_nothing_else() {
        let markdown = "see [a](a.md), [b](../b/c.md#part) and [c](#here)\n\n    [in code](no.md)\n```\n[x](no.md)\n```\n\
                        [web](https://example.org/no.md) | [d](d.md) |";
        assert_eq!(links(markdown), ["a.md", "../b/c.md", "d.md"]);
        assert!(leads_somewhere(Path::new("src"), "../Cargo.toml"));
        assert!(!leads_somewhere(Path::new("src"), "none.md"));
    }

    #[test]
    fn finds_what_is_undone_in_code_only() {
        for word in UNDONE {
            let text = format!("fn f() {{\n    // {word}\n}}\n");
            assert_eq!(faults_in("a/b.rs", &text), [format!(":2: {word}")]);
            assert!(faults_in("notes.md", &text).is_empty());
        }
        assert!(faults_in("b.rs", concat!("MASTO", "DON TO", "DOS")).is_empty());
    }

    #[test]
    fn finds_paths_of_one_machine_and_registries() {
        for word in OF_ONE_MACHINE {
            assert_eq!(
                faults_in("a.md", &format!("in {word}somebody")).len(),
                usize::from(word.ends_with('/')),
                "{word}"
            );
            assert_eq!(faults_in("a.md", &format!("at https://{word}/x")).len(), 1, "{word}");
        }
        assert!(faults_in("a.md", concat!("~/wo", "rk/x and frame", "/wo", "rk/y")).is_empty());
    }

    #[test]
    fn finds_long_sources_and_foreign_locks() {
        let lines = |count: usize| "x\n".repeat(count);
        assert!(faults_in("a.rs", &lines(MAX_LINES)).is_empty());
        assert_eq!(faults_in("a.py", &lines(MAX_LINES + 1)), [": 501 lines; more than 500"]);
        assert!(faults_in("a.md", &lines(MAX_LINES + 1)).is_empty());
        assert!(faults_in("Cargo.lock", &format!("source = \"{REGISTRY}\"\n")).is_empty());
        assert_eq!(faults_in("Cargo.lock", "source = \"git+https://example.org/x\"\n").len(), 1);
    }
}
