//! The table for people.

use std::fmt::Write as _;

use super::{Cpu, Report};

/// Both ways side by side, and what the agents add.
pub(super) fn markdown(report: &Report) -> String {
    let [relays, agents] = &report.ways;
    let mut text = String::from("| | two relays | agents and mediator | |\n|---|--:|--:|--:|\n");
    for (relay, agent) in relays.bounces.iter().zip(&agents.bounces) {
        row(&mut text, &format!("{} B there and back, p50", relay.bytes), [relay.p50, agent.p50], "us");
        row(&mut text, &format!("{} B there and back, p99", relay.bytes), [relay.p99, agent.p99], "us");
    }
    let speeds = [relays.megabytes_per_second, agents.megabytes_per_second];
    row(&mut text, "bulk one way", speeds, "MB/s");
    cpu(&mut text, "CPU of a message that is answered", relays.answered, agents.answered);
    cpu(&mut text, "CPU of a message of 16 B in a row", relays.streamed, agents.streamed);
    cpu(&mut text, "CPU of a second without traffic", relays.idle, agents.idle);
    text
}

fn cpu(text: &mut String, what: &str, relays: Cpu, agents: Cpu) {
    row(text, &format!("{what}, both ends"), [relays.ends, agents.ends], "us");
    // Writing to a String cannot fail.
    let _ = writeln!(text, "| {what}, mediator | | {:.1} us | |", agents.mediator);
}

fn row(text: &mut String, what: &str, [relays, agents]: [f64; 2], unit: &str) {
    // Two relays without traffic cost nothing, and nothing divides by that.
    let times = if relays > 0.0 { format!("{:.1} times", agents / relays) } else { String::new() };
    // Writing to a String cannot fail.
    let _ = writeln!(text, "| {what} | {relays:.1} {unit} | {agents:.1} {unit} | {times} |");
}

#[cfg(test)]
mod tests {
    use super::super::{Bounce, Way};
    use super::*;
    use crate::run::Run;

    #[test]
    fn every_row_has_both_ways_and_their_ratio() {
        let way = |name: &str, factor: f64| Way {
            name: name.to_owned(),
            bounces: vec![Bounce { bytes: 4, p50: 10.0 * factor, p99: 20.0 * factor }],
            megabytes_per_second: 100.0 / factor,
            answered: Cpu { ends: factor, mediator: 0.5 },
            streamed: Cpu { ends: factor, mediator: 0.5 },
            idle: Cpu { ends: factor - 1.0, mediator: 0.5 },
        };
        let run = Run::begin().unwrap();
        let text = markdown(&Report { run, ways: [way("relays", 1.0), way("agents", 2.0)] });
        assert!(text.contains("| 4 B there and back, p50 | 10.0 us | 20.0 us | 2.0 times |"), "{text}");
        assert!(text.contains("| bulk one way | 100.0 MB/s | 50.0 MB/s | 0.5 times |"), "{text}");
        assert!(
            text.contains("| CPU of a second without traffic, both ends | 0.0 us | 1.0 us |  |"),
            "{text}"
        );
        assert_eq!(text.lines().count(), 2 + 2 + 1 + 6);
    }
}
