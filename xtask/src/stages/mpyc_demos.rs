//! MPyC's public demos over agents and a mediator, beside the same over MPyC's own TCP on this machine.
//!
//! They are not in MPyC's package and not in this repository: whoever has a checkout of MPyC names its folder of demos.

use std::env;
use std::path::{Path, PathBuf};

use crate::command::Line;
use crate::demo::Stage;
use crate::failure::{Failure, Result};
use crate::workshop::Workshop;

/// Names the folder.
const FOLDER: &str = "DIDAGENT_MPYC_DEMOS";

/// Where MPyC's ports begin when it runs alone: in one of so many places, each with room for all parties, below those of agents.
const FIRST_PORT: u32 = 11_400;
const PLACES: u32 = 500;
const MOST_PARTIES: u32 = 16;

/// One demo, and how it is run. Arguments are such that the result is the same each time, but for what [`settled`] settles.
struct Demo {
    file: &'static str,
    arguments: &'static [&'static str],
    parties: usize,
    needs_numpy: bool,
}

const DEMOS: &[Demo] = &[
    demo("secretsanta.py", &["3"], 3),
    demo("secretsanta.py", &["2"], 10),
    demo("sort.py", &["8"], 3),
    demo("sort.py", &["5"], 5),
    demo("aes.py", &["-1"], 3),
    demo("id3gini.py", &[], 3),
    demo("id3gini.py", &["-i1"], 5),
    Demo { needs_numpy: true, ..demo("np_aes.py", &["-1"], 3) },
];

const fn demo(file: &'static str, arguments: &'static [&'static str], parties: usize) -> Demo {
    Demo { file, arguments, parties, needs_numpy: false }
}

/// Runs each of them both ways and compares what it prints.
pub(super) fn run(workshop: &Workshop) -> Result {
    let Some(folder) = env::var_os(FOLDER).map(PathBuf::from) else {
        println!("NOT CHECKED: MPyC's public demos; {FOLDER} names no folder (demos/ of a checkout of MPyC)");
        return Ok(());
    };
    let stage = Stage::set(workshop.agent(), workshop)?;
    for demo in DEMOS {
        let shown = format!("{} {}, {} parties", demo.file, demo.arguments.join(" "), demo.parties);
        let file = folder.join(demo.file);
        if !file.is_file() {
            println!("NOT CHECKED: {shown}: it is not in {}", folder.display());
            continue;
        }
        let python = if demo.needs_numpy { workshop.python_numpy() } else { workshop.python() };
        compare(&stage, &python, &file, demo).map_err(|failure| failure.and(&shown))?;
        println!("  {shown}: the same");
    }
    Ok(())
}

fn compare(stage: &Stage, python: &Path, file: &Path, demo: &Demo) -> Result {
    let parties = format!("-M{}", demo.parties);
    // MPyC's own ports are the same for everybody on a machine; others may use it too.
    let base = format!("-B{}", FIRST_PORT + std::process::id() % PLACES * MOST_PARTIES);
    let plain = Line::program(python).word(file);
    let plain = demo.arguments.iter().fold(plain, |line, word| line.word(*word));
    let expected = plain.word("--no-log").word(parties).word(base).quiet_in(file.parent())?;
    let arguments = [demo.arguments, &["--no-log"]].concat();
    let results = stage.play_program(demo.parties, python, file, &arguments)?;
    let Some(first) = results.first() else { return Err(Failure::check("FAILED: no party has a result")) };
    if let Some(other) = results.iter().find(|result| *result != first) {
        return Err(Failure::check(format!("FAILED: parties differ:\n{first}\n--- and\n{other}")));
    }
    if settled(first) != settled(&expected) {
        return Err(Failure::check(format!("FAILED: over agents\n{first}\n--- and over TCP\n{expected}")));
    }
    Ok(())
}

/// The lines of an output, with what is random in them settled: a shuffled input, and who gives a present to whom, is
/// compared as a set.
fn settled(output: &str) -> Vec<String> {
    let settle = |line: &str| match line.split_once('[') {
        Some((before, list))
            if before.starts_with("Randomly") || before.starts_with(|c: char| c.is_ascii_digit()) =>
        {
            let mut words: Vec<&str> = list.trim_end().trim_end_matches(']').split(", ").collect();
            words.sort_unstable();
            format!("{before}[{}]", words.join(", "))
        }
        _ => line.trim_end().to_owned(),
    };
    output.lines().map(settle).filter(|line| !line.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_random_is_settled() {
        let shuffled = |list: &str| settled(&format!("Randomly shuffled input: {list}\n"));
        assert_eq!(shuffled("[3, 1, 2]"), shuffled("[2, 3, 1]"));
        assert_ne!(shuffled("[3, 1, 2]"), shuffled("[3, 1, 1]"));
        assert_eq!(settled("3 [2, 0, 1]"), settled("3 [1, 2, 0]"));
        assert_ne!(settled("3 [2, 0, 1]"), settled("2 [1, 2, 0]"));
        assert_ne!(settled("Sorted: [1, 2]"), settled("Sorted: [2, 1]"));
        assert_ne!(settled("a\nb"), settled("a"));
    }
}
