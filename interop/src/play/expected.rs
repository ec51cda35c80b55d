//! What a peer is known not to do, or to do wrong: `expected/PEER.json`.
//!
//! Each entry names cases by patterns, where `*` stands for anything, and a part of what the peer (or ours, about the peer's
//! envelope) says then. A failure that no entry covers is a fault of the run, and so is an entry that covers a success or nothing.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::driver::Refusal;
use super::round::Way;

/// All that is known of one peer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// As it stands at the top of its column.
    pub title: String,
    /// Packages and their versions: exactly these must run.
    pub versions: BTreeMap<String, String>,
    /// Where it runs, and how it is asked.
    pub about: String,
    /// What it does not do.
    pub not: Vec<Known>,
}

/// One thing that is known.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// Names of cases.
    pub cases: Vec<String>,
    /// `to them` or `to us`.
    pub way: String,
    /// A part of what is said then.
    pub says: String,
    /// Who would have to do something about it.
    pub whose: Whose,
    /// Why it is so.
    pub why: String,
    /// What the specification says about it.
    pub section: String,
}

/// Whose it is that a case does not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Whose {
    /// The peer breaks a rule.
    Wrong,
    /// The peer lacks what the specification asks for.
    Lacks,
    /// The specification leaves it open, and the peer does not do it.
    Optional,
    /// Ours does not do it.
    Ours,
}

impl Known {
    /// Whether it speaks of this case.
    pub fn covers(&self, way: Way, case: &str) -> bool {
        self.way == way.name() && self.cases.iter().any(|pattern| matches(pattern, case))
    }
}

/// Whether `text` is `pattern`, in which `*` stands for anything.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((begin, rest)) => text.strip_prefix(begin).is_some_and(|text| {
            (0..=text.len()).filter_map(|at| text.get(at..)).any(|text| matches(rest, text))
        }),
    }
}

impl Expected {
    /// Returns the index of the entry that explains `outcome`; `None` for a success that nobody denies.
    ///
    /// # Errors
    /// What is not as it is known to be.
    pub fn judge(
        &self,
        way: Way,
        case: &str,
        outcome: &Result<(), Refusal>,
    ) -> Result<Option<usize>, String> {
        let mut covering =
            self.not.iter().enumerate().filter(|(_, known)| known.covers(way, case)).peekable();
        match (covering.peek(), outcome) {
            (None, Ok(())) => Ok(None),
            (Some((_, known)), Ok(())) => {
                Err(format!("{case}, {}: works, but is known not to: {}", way.name(), known.why))
            }
            (_, Err(refusal)) => match covering.find(|(_, known)| refusal.0.contains(&known.says)) {
                Some((index, _)) => Ok(Some(index)),
                None => Err(format!("{case}, {}: {refusal}", way.name())),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected() -> Expected {
        let json = r#"{"title":"t","versions":{},"about":"a","not":[{"cases":["anon * XC20P"],"way":"to us",
            "says":"alg","whose":"ours","why":"w","section":"s"}]}"#;
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, text, is) in [
            ("anon *", "anon P-256 XC20P", true),
            ("anon * XC20P", "anon P-256 XC20P", true),
            ("anon * XC20P", "anon P-256 A256GCM", false),
            ("anon", "anon P-256", false),
            ("*", "", true),
            ("*a*b", "xaxb", true),
            ("*a*b", "xbxa", false),
        ] {
            assert_eq!(matches(pattern, text), is, "{pattern} {text}");
        }
    }

    #[test]
    fn surprises_of_every_kind_are_faults() {
        let no = |text: &str| Err(Refusal(text.to_owned()));
        let judge = |way, case, outcome: Result<(), Refusal>| expected().judge(way, case, &outcome);
        assert_eq!(judge(Way::ToThem, "anon X XC20P", Ok(())), Ok(None));
        assert_eq!(judge(Way::ToUs, "anon X XC20P", no("bad alg")), Ok(Some(0)));
        assert!(judge(Way::ToUs, "anon X XC20P", no("other")).is_err());
        assert!(judge(Way::ToUs, "anon X XC20P", Ok(())).is_err());
        assert!(judge(Way::ToUs, "auth", no("alg")).is_err());
    }
}
