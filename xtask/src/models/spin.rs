//! Promela models: made into a C program, which visits every state.

use std::fs;
use std::path::Path;
use std::time::Instant;

use super::{Run, conclude, models, name};
use crate::command::Line;
use crate::failure::{About as _, Failure, Result};
use crate::workshop::Workshop;

/// MiB. What needs more is cut off and fails.
const MEMORY: u32 = 2048;

/// Steps; a search that gets there is cut off and fails.
const DEPTH: u32 = 100_000;

/// Minutes for one run; the same.
const TIME: u32 = 5;

/// Runs every model and every mutant.
pub(crate) fn run(workshop: &Workshop) -> Result {
    let mut wrong = Vec::new();
    println!("  {:<18} {:<52} {:<8} {:>9} {:>6}", "model", "run", "result", "states", "s");
    for (path, runs) in models(&workshop.root.join("spec").join("models"), "pml")? {
        let name = name(&path);
        for expected in ["pass", "fail"] {
            if !runs.iter().any(|run| run.expected == expected) {
                return Err(Failure::check(format!("FAILED: {name} has no run that must {expected}")));
            }
        }
        for (index, run) in runs.iter().enumerate() {
            let begun = Instant::now();
            let folder = workshop.made().join("models").join(format!("{name}.{index}"));
            let said = search(&path, run, &folder)?;
            let (outcome, states) = outcome(&said);
            let words = run.words.join(" ");
            let seconds = begun.elapsed().as_secs_f64();
            println!("  {name:<18} {words:<52} {outcome:<8} {states:>9} {seconds:>6.1}");
            if outcome != run.expected {
                let expected = &run.expected;
                wrong.push(format!("{name} {words}: {outcome}, not {expected}; see {}", folder.display()));
            }
        }
    }
    conclude(&wrong)
}

/// What the search says.
fn search(model: &Path, run: &Run, folder: &Path) -> Result<String> {
    fs::create_dir_all(folder).about(format!("make {}", folder.display()))?;
    let spin = run.words.iter().fold(Line::new("spin"), |line, word| line.word(format!("-D{word}")));
    spin.word("-a").word(model).quiet_in(Some(folder))?;
    // What a mutant does wrong is found at once; there the compiler would take longest.
    let optimised = if run.expected == "fail" { "-O0" } else { "-O1" };
    let compile = format!("cc {optimised} -DSAFETY -DCOLLAPSE -DMEMLIM={MEMORY} -o pan pan.c");
    Line::new(&compile).quiet_in(Some(folder))?;
    let search = Line::program(folder.join("pan")).word(format!("-m{DEPTH}")).word(format!("-Q{TIME}"));
    let said = search.quiet_in(Some(folder))?;
    let kept = folder.join("said.txt");
    fs::write(&kept, &said).about(format!("write {}", kept.display()))?;
    Ok(said)
}

/// `pass`, `fail` or `cut off`, and the number of states.
fn outcome(said: &str) -> (&'static str, &str) {
    let errors = said.lines().find_map(|line| line.split_once("errors: ")).map(|(_, errors)| errors.trim());
    let states =
        said.lines().find_map(|line| line.trim().strip_suffix(" states, stored")).map_or("?", str::trim);
    let found = ["assertion violated", "invalid end state"]
        .iter()
        .any(|fault| said.lines().any(|line| line.starts_with("pan:") && line.contains(fault)));
    let complete = said.contains("Full statespace search")
        && !["Search not completed", "max search depth too small", "out of memory", "memory limit"]
            .iter()
            .any(|short| said.contains(short));
    let outcome = match errors {
        Some("0") if complete => "pass",
        Some(errors) if errors != "0" && found => "fail",
        _ => "cut off",
    };
    (outcome, states)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "\n(Spin Version 6.5.2 -- 6 December 2019)\n\nFull statespace search for:\n\nState-vector 356 byte, \
                        depth reached 192, errors: 0\n    16743 states, stored\n";

    #[test]
    fn passes_only_what_was_searched_to_the_end() {
        assert_eq!(outcome(GOOD), ("pass", "16743"));
        for short in ["error: max search depth too small\n", "Warning: Search not completed\n"] {
            assert_eq!(outcome(&format!("{short}{GOOD}")).0, "cut off", "{short}");
        }
        assert_eq!(outcome("").0, "cut off");
    }

    #[test]
    fn a_mutant_fails_only_by_a_fault_that_was_found() {
        let wrong = GOOD.replace("errors: 0", "errors: 1");
        assert_eq!(outcome(&wrong).0, "cut off");
        assert_eq!(outcome(&format!("pan:1: assertion violated (a<b) (at depth 7)\n{wrong}")).0, "fail");
        assert_eq!(outcome(&format!("pan:1: invalid end state (at depth 7)\n{wrong}")).0, "fail");
    }
}
