//! The report of one measurement: for people, and for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::failure::{About as _, Result};
use crate::reach::figures::{Figure, Spread};
use crate::reach::first_byte::{FirstByte, RUNS};

/// All that was measured.
#[derive(Debug)]
pub(super) struct Report {
    /// `YYYY-MM-DD`, UTC.
    pub(super) date: String,
    pub(super) commit: String,
    pub(super) figures: Vec<Figure>,
    /// Seconds of a demo.
    pub(super) wall: Spread,
    /// Seconds of MPyC in a demo.
    pub(super) mpyc: Spread,
    pub(super) demos: usize,
    pub(super) large: Large,
    pub(super) first_byte: FirstByte,
    /// The report of the way through two agents and a mediator.
    pub(super) path: Value,
    /// The same for people.
    pub(super) path_table: String,
    /// The report of records, messages and handshakes.
    pub(super) cost: Value,
    /// The same for people.
    pub(super) cost_table: String,
    /// The report of two hops without a mediator.
    pub(super) hops: Value,
    /// The same for people.
    pub(super) hops_table: String,
    /// The report of programs of MPyC.
    pub(super) mpyc_programs: Value,
    /// The same for people.
    pub(super) mpyc_table: String,
    /// The report of the bench, which also describes the machine.
    pub(super) bench: Value,
    /// The same for people.
    pub(super) bench_table: String,
}

/// Demos of ten parties.
#[derive(Debug)]
pub(super) struct Large {
    pub(super) demos: usize,
    /// Seconds of a demo.
    pub(super) wall: Spread,
    /// Seconds from the last join until all sessions stood.
    pub(super) forming: Spread,
}

impl Report {
    /// Name of the files, without their endings.
    pub(super) fn name(&self) -> String {
        format!("{}-{}", self.date, self.commit)
    }

    pub(super) fn markdown(&self) -> String {
        let Self {
            date,
            commit,
            wall,
            mpyc,
            demos,
            large,
            first_byte,
            path_table,
            cost_table,
            hops_table,
            mpyc_table,
            bench_table,
            ..
        } = self;
        let load = |report: &Value| {
            let load = report.get("run").and_then(|run| run.get("load")).and_then(Value::as_str);
            load.unwrap_or("unknown").to_owned()
        };
        let mut text = format!(
            "# What must be reached: {date}, commit {commit}\n\n{}, {} cores\n\n\
             | what | must be | measured | 95 % interval | |\n|---|--:|--:|--:|---|\n",
            self.of_machine("cpu"),
            self.of_machine("cores"),
        );
        // Writing to a String cannot fail.
        for figure in &self.figures {
            let Figure { what, value, unit, .. } = figure;
            let (must, between, verdict, digits) =
                (figure.must(), figure.between(), figure.verdict(), figure.digits());
            let _ = writeln!(text, "| {what} | {must} | {value:.digits$} {unit} | {between} | {verdict} |");
        }
        let _ = write!(
            text,
            "\n## {demos} demos with three parties\n\n\
             From starting the program to its end: a mediator, three agents with identities of their own, one run of MPyC.\n\n\
             | | min | median | max |\n|---|--:|--:|--:|\n\
             | all | {:.2} s | {:.2} s | {:.2} s |\n| MPyC's share | {:.2} s | {:.2} s | {:.2} s |\n\n\
             ## {} demos with ten parties\n\n\
             | | min | median | max |\n|---|--:|--:|--:|\n\
             | all | {:.2} s | {:.2} s | {:.2} s |\n\
             | from the last join to 45 sessions | {:.2} s | {:.2} s | {:.2} s |\n\n\
             ## From the last of three pasted commands to MPyC's first byte\n\n\
             {RUNS} rooms on this machine; bench/README.md says how each part is told from the others.\n\n{}\n\
             ## Two agents and a mediator, against two relays\n\n\
             Whole processes on this machine, in turns; load of the machine before it: {}. bench/README.md says how each number is \
             made.\n\n{path_table}\n\
             ## Records, messages and handshakes\n\n\
             In turns, CPU time; load of the machine before it: {}.\n\n{cost_table}\n\
             ## Two hops without a mediator\n\n\
             In turns, each hop on a core of its own; load of the machine before it: {}.\n\n{hops_table}\n\
             ## Programs of MPyC\n\n\
             In turns; load of the machine before it: {}.\n\n{mpyc_table}\n\
             ## One payload\n\n{bench_table}\n",
            wall.min,
            wall.median,
            wall.max,
            mpyc.min,
            mpyc.median,
            mpyc.max,
            large.demos,
            large.wall.min,
            large.wall.median,
            large.wall.max,
            large.forming.min,
            large.forming.median,
            large.forming.max,
            first_byte.markdown(),
            load(&self.path),
            load(&self.cost),
            load(&self.hops),
            load(&self.mpyc_programs),
        );
        text
    }

    pub(super) fn json(&self) -> Result<String> {
        let value = json!({
            "date": self.date,
            "commit": self.commit,
            "figures": self.figures.iter().map(Figure::json).collect::<Vec<_>>(),
            "demo": {"parties": 3, "times": self.demos, "wall_s": self.wall.json(), "mpyc_s": self.mpyc.json()},
            "demo_of_ten": {
                "times": self.large.demos,
                "wall_s": self.large.wall.json(),
                "forming_s": self.large.forming.json(),
            },
            "first_byte": self.first_byte.json(),
            "path": self.path,
            "cost": self.cost,
            "hops": self.hops,
            "mpyc": self.mpyc_programs,
            "bench": self.bench,
        });
        Ok(serde_json::to_string_pretty(&value).about("write JSON")? + "\n")
    }

    fn of_machine(&self, name: &str) -> String {
        match self.bench.get("run").and_then(|run| run.get(name)) {
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
            None => "unknown".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_stands_beside_its_limit_and_verdict() {
        let spread = Spread { min: 1.0, median: 2.0, max: 12.0 };
        let bench = json!({"run": {"cpu": "a CPU", "cores": 2}});
        let figure = |value: f64| {
            let value = json!({"median": value, "lower": value - 0.25, "upper": value + 0.25});
            json!({"what": "a ratio", "value": value, "unit": "times", "limit": {"at_least": 200.0}})
        };
        let cost = json!({"run": {"load": "0.08"}, "figures": [figure(51.25), figure(500.0)]});
        let report = Report {
            date: "2026-11-22".into(),
            commit: "c0ffee".into(),
            figures: Figure::all(spread, spread, 1.0, &[&cost]).unwrap(),
            wall: spread,
            mpyc: spread,
            demos: 20,
            large: Large { demos: 5, wall: spread, forming: spread },
            first_byte: FirstByte::default(),
            path: json!({"run": {"load": "0.07"}}),
            path_table: "the other table".into(),
            cost,
            cost_table: "the third table".into(),
            hops: json!({"run": {"load": "0.10"}}),
            hops_table: "the fifth table".into(),
            mpyc_programs: json!({"run": {"load": "0.09"}}),
            mpyc_table: "the fourth table".into(),
            bench,
            bench_table: "the table".into(),
        };
        let text = report.markdown();
        assert!(text.contains("a CPU, 2 cores"), "{text}");
        assert!(text.contains("| below 10 s | 12.00 s |  | NOT REACHED |"), "{text}");
        assert!(text.contains("before it: 0.07.") && text.contains("the other table"), "{text}");
        assert!(text.contains("before it: 0.08.") && text.contains("the third table"), "{text}");
        assert!(text.contains("before it: 0.10.") && text.contains("the fifth table"), "{text}");
        assert!(text.contains("before it: 0.09.") && text.contains("the fourth table"), "{text}");
        assert!(
            text.contains("| at least 200 times | 51.25 times | 51.00 to 51.50 | NOT REACHED |"),
            "{text}"
        );
        assert!(text.contains("| at least 200 times | 500 times | 500 to 500 | REACHED |"), "{text}");
        let json: Value = serde_json::from_str(&report.json().unwrap()).unwrap();
        assert_eq!(
            (&json["figures"][0]["reached"], &json["demo"]["wall_s"]["max"]),
            (&json!(false), &json!(12.0))
        );
        assert_eq!(report.name(), "2026-11-22-c0ffee");
    }
}
