//! Figures, each beside the limit that it must keep.

use serde_json::{Value, json};

use crate::failure::{Failure, Result};

/// A demo with three parties takes less than this, in seconds of wall time on 2 cores, each time.
const DEMO_SECONDS: f64 = 10.0;

/// With ten parties all 45 sessions stand less than this after the last party joined, in seconds on 2 cores, each time.
const FORMING_SECONDS: f64 = 5.0;

/// A message of 64 bytes is at least so many times cheaper in a session than as an envelope of its own.
const TIMES_CHEAPER: f64 = 50.0;

/// Smallest, middle and largest of several.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spread {
    pub(super) min: f64,
    pub(super) median: f64,
    pub(super) max: f64,
}

impl Spread {
    /// Of at least one value.
    pub(super) fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
        let (low, high) = (values.len().saturating_sub(1) / 2, values.len() / 2);
        Self { min: at(0), median: f64::midpoint(at(low), at(high)), max: at(values.len().saturating_sub(1)) }
    }

    pub(super) fn json(self) -> Value {
        json!({"min": self.min, "median": self.median, "max": self.max})
    }
}

/// One figure and its limit.
#[derive(Debug, Clone)]
pub(super) struct Figure {
    pub(super) what: &'static str,
    pub(super) value: f64,
    pub(super) unit: &'static str,
    pub(super) limit: Limit,
}

/// What a figure must keep.
#[derive(Debug, Clone, Copy)]
pub(super) enum Limit {
    Below(f64),
    AtLeast(f64),
}

impl Figure {
    /// All that must be reached; `wall` is of three parties, `forming` of ten, `bench` the report of the bench.
    pub(super) fn all(wall: Spread, forming: Spread, bench: &Value) -> Result<Vec<Self>> {
        let rows = bench.get("rows").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let row = rows.iter().find(|row| row.get("size").and_then(Value::as_u64) == Some(64));
        let ratio = |name: &str| {
            let ratio = row.and_then(|row| row.get(name)?.get("ratio")?.as_f64());
            ratio.ok_or_else(|| Failure::check(format!("the report of the bench has no {name} for 64 bytes")))
        };
        let cheaper = |what, name| {
            Ok(Self { what, value: ratio(name)?, unit: "times", limit: Limit::AtLeast(TIMES_CHEAPER) })
        };
        Ok(vec![
            Self {
                what: "`demo --parties 3`, wall time of the slowest",
                value: wall.max,
                unit: "s",
                limit: Limit::Below(DEMO_SECONDS),
            },
            Self {
                what: "`demo --parties 10`, from the last join to 45 sessions, the slowest",
                value: forming.max,
                unit: "s",
                limit: Limit::Below(FORMING_SECONDS),
            },
            cheaper("64 B in a session, against our own envelopes", "ours_by_session")?,
            cheaper("64 B in a session, against envelopes of `didcomm`", "theirs_by_session")?,
        ])
    }

    pub(super) fn reached(&self) -> bool {
        match self.limit {
            Limit::Below(limit) => self.value < limit,
            Limit::AtLeast(limit) => self.value >= limit,
        }
    }

    pub(super) fn verdict(&self) -> &'static str {
        if self.reached() { "REACHED" } else { "NOT REACHED" }
    }

    pub(super) fn json(&self) -> Value {
        let (kind, limit) = match self.limit {
            Limit::Below(limit) => ("below", limit),
            Limit::AtLeast(limit) => ("at_least", limit),
        };
        json!({"what": self.what, "value": self.value, "unit": self.unit, kind: limit, "reached": self.reached()})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bench(ours: f64) -> Value {
        let row = |size: u64, ours: f64| json!({"size": size, "ours_by_session": {"ratio": ours}, "theirs_by_session": {"ratio": 500.0}});
        json!({"rows": [row(16, 1.0), row(64, ours)]})
    }

    #[test]
    fn a_spread_is_in_order() {
        assert_eq!(Spread::of(vec![3.0, 1.0, 2.0]), Spread { min: 1.0, median: 2.0, max: 3.0 });
        assert_eq!(Spread::of(vec![4.0, 1.0, 2.0, 3.0]).median, 2.5);
    }

    #[test]
    fn the_slowest_demo_and_64_bytes_decide() {
        let wall = |max: f64| Spread { min: 0.1, median: 0.2, max };
        let reached = |max: f64, forming: f64, ours: f64| {
            let figures = Figure::all(wall(max), wall(forming), &bench(ours)).unwrap();
            figures.iter().map(Figure::reached).collect::<Vec<_>>()
        };
        assert_eq!(reached(9.9, 4.9, 50.0), [true, true, true, true]);
        assert_eq!(reached(10.0, 4.9, 50.0), [false, true, true, true]);
        assert_eq!(reached(9.9, 5.0, 50.0), [true, false, true, true]);
        assert_eq!(reached(9.9, 4.9, 49.9), [true, true, false, true]);
        assert_eq!(reached(f64::NAN, 4.9, 50.0), [false, true, true, true]);
        assert!(Figure::all(wall(1.0), wall(1.0), &json!({"rows": []})).is_err());
    }
}
