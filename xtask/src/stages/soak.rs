//! Demos in a row: what goes wrong once in a hundred times, and what is left behind.

use crate::demo::Stage;
use crate::failure::{About as _, Result};
use crate::workshop::Workshop;

/// How many demos of three parties. There are a tenth as many of ten.
const TIMES: usize = 200;

/// Names another number of demos, for those who have no hour.
const VARIABLE: &str = "DIDAGENT_SOAK_DEMOS";

/// Runs them; the first that is not as it should be ends the stage.
pub(super) fn run(workshop: &Workshop) -> Result {
    let times = match std::env::var(VARIABLE) {
        Ok(number) => number.parse().about(format!("read {VARIABLE}={number}"))?,
        Err(_) => TIMES,
    };
    let stage = Stage::set(workshop.agent(), workshop)?;
    for (times, parties) in [(times, 3), (times.div_ceil(10), 10)] {
        println!(
            "$ {} demo --json --parties {parties}        {times} times",
            workshop.shown(&workshop.agent())
        );
        for number in 1..=times {
            let done =
                stage.play(parties).map_err(|failure| failure.and(&format!("demo {number} of {times}")))?;
            println!(
                "  {number:>3}  {:.2} s, sessions {:.2} s, MPyC {:.2} s",
                done.wall.as_secs_f64(),
                done.forming_ms / 1000.0,
                done.mpyc_ms / 1000.0
            );
        }
    }
    Ok(())
}
