//! A ratio beside what it must be.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::paired::Middle;

/// What a figure must keep.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// This or less.
    AtMost(f64),
    /// This or more.
    AtLeast(f64),
    /// The whole interval is at or below this.
    IntervalAtMost(f64),
    /// It is reported and judged by nobody.
    None,
}

/// One figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// What was measured.
    pub what: String,
    /// The median and its interval; the median is what is judged.
    pub value: Middle,
    /// `times`, `%`, `us`.
    pub unit: String,
    /// What it must keep.
    pub limit: Limit,
}

impl Figure {
    /// A ratio.
    pub fn times(what: String, value: Middle, limit: Limit) -> Self {
        Self { what, value, unit: "times".to_owned(), limit }
    }

    /// A share of one.
    pub fn percent(what: String, value: Middle, limit: Limit) -> Self {
        let Middle { median, lower, upper } = value;
        let value = Middle { median: median * 100.0, lower: lower * 100.0, upper: upper * 100.0 };
        Self { what, value, unit: "%".to_owned(), limit }
    }

    /// Whether the limit is kept; what has none is always reached.
    pub fn reached(&self) -> bool {
        match self.limit {
            Limit::AtMost(limit) => self.value.median <= limit,
            Limit::AtLeast(limit) => self.value.median >= limit,
            Limit::IntervalAtMost(limit) => self.value.upper <= limit,
            Limit::None => true,
        }
    }
}

/// A table of figures.
pub fn markdown(figures: &[Figure]) -> String {
    let mut text = String::from("| what | must be | measured | 95 % interval | |\n|---|--:|--:|--:|---|\n");
    for figure in figures {
        let Figure { what, value: Middle { median, lower, upper }, unit, limit } = figure;
        let verdict = match (limit, figure.reached()) {
            (Limit::None, _) => "",
            (_, true) => "REACHED",
            (_, false) => "NOT REACHED",
        };
        let limit = match limit {
            Limit::AtMost(limit) => format!("at most {limit} {unit}"),
            Limit::AtLeast(limit) => format!("at least {limit} {unit}"),
            Limit::IntervalAtMost(limit) => format!("interval at most {limit} {unit}"),
            Limit::None => String::new(),
        };
        let digits = if median.abs() < 100.0 { 2 } else { 0 };
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "| {what} | {limit} | {median:.digits$} {unit} | {lower:.digits$} to {upper:.digits$} | {verdict} |"
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missed_limit_is_said() {
        let value = |median| Middle { median, lower: median - 0.25, upper: median + 0.25 };
        let figures = [
            Figure::times("a".into(), value(1.5), Limit::AtMost(1.5)),
            Figure::times("b".into(), value(1.75), Limit::AtMost(1.5)),
            Figure::percent("c".into(), value(0.5), Limit::AtLeast(90.0)),
            Figure::times("d".into(), value(f64::NAN), Limit::AtMost(1.5)),
            Figure::times("e".into(), value(7.0), Limit::None),
            Figure::times("f".into(), value(1.5), Limit::IntervalAtMost(1.5)),
            Figure::times("g".into(), value(1.25), Limit::IntervalAtMost(1.5)),
        ];
        let reached = figures.each_ref().map(Figure::reached);
        assert_eq!(reached, [true, false, false, false, true, false, true]);
        let text = markdown(&figures);
        assert!(text.contains("| a | at most 1.5 times | 1.50 times | 1.25 to 1.75 | REACHED |"), "{text}");
        assert!(text.contains("| c | at least 90 % | 50.00 % | 25.00 to 75.00 | NOT REACHED |"), "{text}");
        assert!(text.contains("| e |  | 7.00 times | 6.75 to 7.25 |  |"), "{text}");
    }
}
