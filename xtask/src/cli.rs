//! The words of the command line.

use crate::failure::{Failure, Result};
use crate::workshop::{Length, Workshop};
use crate::{models, reach, stages};

const HELP: &str = "\
Every chore of this repository.

cargo xtask test [--only STAGE]   every behaviour, in under 45 minutes from nothing on 2 cores
cargo xtask soak [--only STAGE]   the same with long counts, and 220 demos in a row
cargo xtask requirements          writes spec/requirements.md: which tests decide which requirement
cargo xtask models                the formal models of spec/models, with ProVerif too if it is there
cargo xtask reach                 what must be reached: measures, prints a table, writes bench/results/
                                  (--only first-byte: how long three people wait, printed)

What is missing (a private Python with MPyC, packages on Debian when run as root) it installs by itself, under the
target folder where possible. Exit code 0: all is well; 1: a check failed; 2: usage, or something must be installed first.

Variables: DIDAGENT_SOAK_DEMOS=20 runs so many demos in a row and a tenth as many of ten parties; DIDAGENT_MPYC_DEMOS=DIR names
the demos of a checkout of MPyC; DIDAGENT_ADVISORY_DB=DIR a clone of the public advisory database;
DIDAGENT_PROVERIF=FILE the prover for `models`, if it is not on the path.

Stages, in their order:
";

/// Runs what the arguments ask for.
pub(crate) fn run(arguments: Vec<String>) -> Result {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] | ["help" | "-h" | "--help", ..] | [_, "-h" | "--help"] => {
            println!("{HELP}{}", stages::list());
            Ok(())
        }
        ["test"] => stages::run_all(&Workshop::open(Length::Short)?),
        ["soak"] => stages::run_all(&Workshop::open(Length::Long)?),
        ["test", "--only", stage] => stages::run_one(&Workshop::open(Length::Short)?, stage),
        ["soak", "--only", stage] => stages::run_one(&Workshop::open(Length::Long)?, stage),
        ["requirements"] => stages::write_requirements(&Workshop::open(Length::Short)?),
        ["models"] => models::run(&Workshop::open(Length::Long)?),
        ["reach", "--only", "first-byte"] => reach::run_first_byte(&Workshop::open(Length::Long)?),
        ["reach"] => reach::run(&Workshop::open(Length::Long)?),
        _ => {
            Err(Failure::usage(format!("unknown: cargo xtask {}\ntry: cargo xtask --help", words.join(" "))))
        }
    }
}
