//! Demos in a row: what goes wrong once in fifty times, and what is left behind.

use crate::demo::Stage;
use crate::failure::Result;
use crate::workshop::Workshop;

/// How many demos of how many parties.
const ROUNDS: &[(usize, usize)] = &[(50, 3), (5, 5)];

/// Runs them; the first that is not as it should be ends the stage.
pub(super) fn run(workshop: &Workshop) -> Result {
    let stage = Stage::set(workshop.agent(), workshop.python())?;
    for (times, parties) in ROUNDS {
        println!(
            "$ {} demo --json --parties {parties}        {times} times",
            workshop.shown(&workshop.agent())
        );
        for number in 1..=*times {
            let done =
                stage.play(*parties).map_err(|failure| failure.and(&format!("demo {number} of {times}")))?;
            println!("  {number:>2}  {:.2} s, MPyC {:.2} s", done.wall.as_secs_f64(), done.mpyc_ms / 1000.0);
        }
    }
    Ok(())
}
