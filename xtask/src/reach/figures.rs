//! Figures, each beside the limit that it must keep.

use serde_json::{Value, json};

use crate::failure::{Failure, Result};
use crate::reach::first_byte;

/// A demo with three parties takes less than this, in seconds of wall time on 2 cores, each time.
const DEMO_SECONDS: f64 = 10.0;

/// With ten parties all 45 sessions stand less than this after the last party joined, in seconds on 2 cores, each time.
const FORMING_SECONDS: f64 = 5.0;

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
    pub(super) what: String,
    pub(super) value: f64,
    pub(super) unit: String,
    pub(super) limit: Limit,
    /// The ends of the 95 % confidence interval, if there is one.
    pub(super) interval: Option<(f64, f64)>,
}

/// What a figure must keep.
#[derive(Debug, Clone, Copy)]
pub(super) enum Limit {
    Below(f64),
    AtMost(f64),
    AtLeast(f64),
    /// The upper end of the interval, too.
    IntervalAtMost(f64),
    /// Nobody judges it.
    None,
}

impl Figure {
    /// All that must be reached; `wall` is of three parties, `forming` of ten, `first` the 95th percentile of rooms of three, `reports` those of the bench that have figures.
    pub(super) fn all(wall: Spread, forming: Spread, first: f64, reports: &[&Value]) -> Result<Vec<Self>> {
        let below = |what: &str, value, limit| Self {
            what: what.to_owned(),
            value,
            unit: "s".to_owned(),
            limit: Limit::Below(limit),
            interval: None,
        };
        let mut figures = vec![
            below("`demo --parties 3`, wall time of the slowest", wall.max, DEMO_SECONDS),
            below(
                "`demo --parties 10`, from the last join to 45 sessions, the slowest",
                forming.max,
                FORMING_SECONDS,
            ),
            Self {
                limit: Limit::AtMost(first_byte::SECONDS),
                ..below(
                    "three people: from the last paste to MPyC's first byte, p95",
                    first,
                    first_byte::SECONDS,
                )
            },
        ];
        for report in reports {
            let found = report.get("figures").and_then(Value::as_array).filter(|figures| !figures.is_empty());
            for figure in found.ok_or_else(|| Failure::check("a report of the bench has no figures"))? {
                let figure = Self::read(figure);
                figures.push(figure.ok_or_else(|| Failure::check("a figure of the bench cannot be read"))?);
            }
        }
        Ok(figures)
    }

    /// A figure as the bench writes it.
    fn read(figure: &Value) -> Option<Self> {
        let value = figure.get("value")?;
        let number = |name: &str| value.get(name).and_then(Value::as_f64);
        let text = |name: &str| figure.get(name).and_then(Value::as_str).map(str::to_owned);
        let limit = figure.get("limit")?;
        let of = |name: &str| limit.get(name).and_then(Value::as_f64);
        let limit = match (of("at_most"), of("at_least"), of("interval_at_most"), limit.as_str()) {
            (Some(most), ..) => Limit::AtMost(most),
            (_, Some(least), ..) => Limit::AtLeast(least),
            (_, _, Some(most), _) => Limit::IntervalAtMost(most),
            (.., Some("none")) => Limit::None,
            _ => return None,
        };
        // JSON has no word for what could not be measured; it is never reached.
        let value = number("median").unwrap_or(f64::NAN);
        let interval = Some((number("lower").unwrap_or(f64::NAN), number("upper").unwrap_or(f64::NAN)));
        Some(Self { what: text("what")?, value, unit: text("unit")?, limit, interval })
    }

    pub(super) fn reached(&self) -> bool {
        match self.limit {
            Limit::Below(limit) => self.value < limit,
            Limit::AtMost(limit) => self.value <= limit,
            Limit::AtLeast(limit) => self.value >= limit,
            Limit::IntervalAtMost(limit) => self.interval.is_some_and(|(_, upper)| upper <= limit),
            Limit::None => true,
        }
    }

    pub(super) fn verdict(&self) -> &'static str {
        match (self.limit, self.reached()) {
            (Limit::None, _) => "",
            (_, true) => "REACHED",
            (_, false) => "NOT REACHED",
        }
    }

    /// The limit in words.
    pub(super) fn must(&self) -> String {
        let unit = &self.unit;
        match self.limit {
            Limit::Below(limit) => format!("below {limit} {unit}"),
            Limit::AtMost(limit) => format!("at most {limit} {unit}"),
            Limit::AtLeast(limit) => format!("at least {limit} {unit}"),
            Limit::IntervalAtMost(limit) => format!("interval at most {limit} {unit}"),
            Limit::None => String::new(),
        }
    }

    /// The interval in words.
    pub(super) fn between(&self) -> String {
        let digits = self.digits();
        self.interval
            .map_or_else(String::new, |(lower, upper)| format!("{lower:.digits$} to {upper:.digits$}"))
    }

    /// Digits after the point.
    pub(super) fn digits(&self) -> usize {
        if self.value.abs() < 100.0 { 2 } else { 0 }
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "what": self.what,
            "value": self.value,
            "interval": self.interval.map(|(lower, upper)| [lower, upper]),
            "unit": self.unit,
            "must": self.must(),
            "reached": self.reached(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bench(median: f64, limit: &Value) -> Value {
        let value = json!({"median": median, "lower": median - 1.0, "upper": median + 1.0});
        json!({"figures": [{"what": "a ratio", "value": value, "unit": "times", "limit": limit}]})
    }

    #[test]
    fn a_spread_is_in_order() {
        assert_eq!(Spread::of(vec![3.0, 1.0, 2.0]), Spread { min: 1.0, median: 2.0, max: 3.0 });
        assert_eq!(Spread::of(vec![4.0, 1.0, 2.0, 3.0]).median, 2.5);
    }

    #[test]
    fn the_slowest_demo_decides() {
        let wall = |max: f64| Spread { min: 0.1, median: 0.2, max };
        let reached = |max: f64, forming: f64| {
            let figures = Figure::all(wall(max), wall(forming), 2.0, &[]).unwrap();
            figures.iter().map(Figure::reached).collect::<Vec<_>>()
        };
        assert_eq!(reached(9.9, 4.9), [true, true, true]);
        assert_eq!(reached(10.0, 4.9), [false, true, true]);
        assert_eq!(reached(9.9, 5.0), [true, false, true]);
        assert_eq!(reached(f64::NAN, 4.9), [false, true, true]);
    }

    #[test]
    fn figures_of_the_bench_keep_their_limits() {
        let wall = Spread { min: 1.0, median: 1.0, max: 1.0 };
        let reached = |median: f64, limit: Value| {
            let figures = Figure::all(wall, wall, 2.1, &[&bench(median, &limit)]).unwrap();
            let last = figures.last().unwrap();
            (last.reached(), last.must())
        };
        assert_eq!(reached(1.5, json!({"at_most": 1.5})), (true, "at most 1.5 times".into()));
        assert_eq!(reached(1.6, json!({"at_most": 1.5})), (false, "at most 1.5 times".into()));
        assert_eq!(reached(89.0, json!({"at_least": 90.0})), (false, "at least 90 times".into()));
        assert!(reached(4.0, json!({"interval_at_most": 5.0})).0);
        assert!(!reached(4.5, json!({"interval_at_most": 5.0})).0);
        assert_eq!(reached(4.0, json!("none")), (true, String::new()));
        assert!(!reached(f64::NAN, json!({"at_most": 1.5})).0);
        assert!(Figure::all(wall, wall, 2.1, &[&json!({"figures": []})]).is_err());
        assert!(Figure::all(wall, wall, 2.1, &[&bench(1.0, &json!({"other": 1}))]).is_err());
    }
}
