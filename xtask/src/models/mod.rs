//! The formal models in `spec/models`: Spin decides the Promela ones in every `test`, `ProVerif` the symbolic ones where there is
//! one.
//!
//! ```text
//! spec/models/*.pml          `run: FLAG NAME=VALUE .. -> pass | fail`          -> spin, cc, pan -> compare
//! spec/models/proverif/*.pv  `run: LIBRARY .. -> true | false | unknown ..`    -> proverif      -> compare
//! ```
//!
//! Each model says in its first comment how it is run and what must come out. A mutant whose fault is not found is a
//! failure like a model in which one is. Not its concern: what the models mean (`spec/models/README.md`).

mod proverif;
mod spin;

use std::fs;
use std::path::{Path, PathBuf};

pub(crate) use self::spin::run as spin;
use crate::failure::{About as _, Failure, Result};
use crate::workshop::Workshop;

/// All models with whatever provers are there.
pub(crate) fn run(workshop: &Workshop) -> Result {
    spin(workshop)?;
    proverif::run(workshop)
}

/// One `run:` line of a model.
#[derive(Debug, PartialEq, Eq)]
struct Run {
    words: Vec<String>,
    /// What must come out, one word for each query.
    expected: String,
}

/// Models of a folder, in the order of their names, each with its runs.
fn models(folder: &Path, ending: &str) -> Result<Vec<(PathBuf, Vec<Run>)>> {
    let mut models = Vec::new();
    for entry in fs::read_dir(folder).about(format!("list {}", folder.display()))? {
        let path = entry.about(format!("list {}", folder.display()))?.path();
        if path.extension().is_some_and(|extension| extension == ending) {
            let text = fs::read_to_string(&path).about(format!("read {}", path.display()))?;
            let runs = runs(&text);
            if runs.is_empty() {
                return Err(Failure::check(format!("FAILED: {} does not say how it is run", path.display())));
            }
            models.push((path, runs));
        }
    }
    models.sort_by(|(left, _), (right, _)| left.cmp(right));
    Ok(models)
}

/// The `run:` lines of the first comment.
fn runs(text: &str) -> Vec<Run> {
    let lines = text.lines().take_while(|line| !line.trim_start().starts_with("*"));
    let said = lines.filter_map(|line| line.trim_start().strip_prefix("run: ")?.split_once(" -> "));
    said.map(|(words, expected)| Run {
        words: words.split_whitespace().filter(|word| *word != "good").map(str::to_owned).collect(),
        expected: expected.trim().to_owned(),
    })
    .collect()
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Nothing, or one failure that names every run that came out otherwise than expected.
fn conclude(wrong: &[String]) -> Result {
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Failure::check(format!(
        "FAILED: another result than the model's first comment expects:\n  {}",
        wrong.join("\n  ")
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_run_lines_of_the_first_comment_only() {
        let text =
            "/* A model.\n   run: good -> pass\n   run: MUTANT N=2 -> fail\n*/\n   run: late -> pass\n";
        let run = |words: &[&str], expected: &str| Run {
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            expected: expected.to_owned(),
        };
        assert_eq!(runs(text), [run(&[], "pass"), run(&["MUTANT", "N=2"], "fail")]);
        assert!(runs("/* nothing */\n").is_empty());
    }
}
