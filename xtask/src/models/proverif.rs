//! Symbolic models, if there is a prover. It is not in Debian and not installed by this tool.

use std::env;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::{Run, conclude, models, name};
use crate::command::Line;
use crate::failure::Result;
use crate::workshop::Workshop;

/// Names the prover where it is not on the path.
const PROVER: &str = "DIDAGENT_PROVERIF";

/// Seconds for one run.
const LIMIT: u32 = 600;

/// Runs every model, or says that nothing can.
pub(super) fn run(workshop: &Workshop) -> Result {
    let prover = env::var_os(PROVER).map_or_else(|| PathBuf::from("proverif"), PathBuf::from);
    // Its help is the only place where it tells its version.
    let Ok(help) = Line::program(&prover).word("-help").quiet() else {
        println!(
            "\n  NOT CHECKED: the models in spec/models/proverif, since there is no ProVerif. Install ProVerif 2.05 or later\n  \
             (with opam: opam install proverif) and put it on the path, or name it in {PROVER}."
        );
        return Ok(());
    };
    println!("\n  {}", help.lines().next().unwrap_or_default());
    println!("  {:<22} {:<54} {:<18} {:>6}", "model", "run", "verdict", "s");
    let folder = workshop.root.join("spec").join("models").join("proverif");
    let mut wrong = Vec::new();
    for (path, runs) in models(&folder, "pv")? {
        let name = name(&path);
        for run in &runs {
            let begun = Instant::now();
            let words = run.words.join(" ");
            let verdict =
                if run.expected == "open" { "open".to_owned() } else { prove(&prover, &folder, &path, run)? };
            println!("  {name:<22} {words:<54} {verdict:<18} {:>6.1}", begun.elapsed().as_secs_f64());
            if verdict != run.expected {
                wrong.push(format!("{name} {words}: {verdict}, not {}", run.expected));
            }
        }
    }
    conclude(&wrong)
}

fn prove(prover: &Path, folder: &Path, model: &Path, run: &Run) -> Result<String> {
    let mut line = Line::new(&format!("timeout {LIMIT}")).word(prover);
    for library in &run.words {
        line = line.word("-lib").word(format!("{library}.pvl"));
    }
    Ok(line
        .word(model)
        .quiet_in(Some(folder))
        .map_or_else(|_| "no verdict".to_owned(), |said| verdicts(&said)))
}

/// One word for each query, in their order.
fn verdicts(said: &str) -> String {
    // In brackets it says more about the query above.
    let results = said.lines().filter(|line| line.starts_with("RESULT ") && !line.starts_with("RESULT ("));
    let verdicts = results.map(|line| match line {
        line if line.ends_with(" is true.") => "true",
        line if line.ends_with(" is false.") => "false",
        _ => "unknown",
    });
    verdicts.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_one_verdict_for_each_query() {
        let said = "-- Query not attacker(s[])\nRESULT not attacker(s[]) is true.\n\
                    RESULT inj-event(a) ==> inj-event(b) is false.\nRESULT (even event(a) ==> event(b) is false.)\n\
                    RESULT not attacker(t[]) cannot be proved.\n";
        assert_eq!(verdicts(said), "true false unknown");
        assert_eq!(verdicts("Error: Syntax error."), "");
    }
}
