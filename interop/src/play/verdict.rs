//! What a peer makes of forged envelopes ([`super::forge`]).

use std::collections::BTreeSet;

use serde_json::Value;

use super::driver::{Driver, Refusal};
use super::forge::{FORGERIES, FORMS, Forgery, Stage};

/// What became of a forged envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It was refused.
    Refused,
    /// It was read as if it were right.
    Taken,
    /// The peer does not read this form of envelope even if nothing is wrong with it.
    Unread,
}

impl Verdict {
    /// As it stands in the table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Taken => "wrong",
            Self::Unread => "-",
        }
    }
}

/// The verdicts of one reader, in the order of [`FORGERIES`].
#[derive(Debug, PartialEq, Eq)]
pub struct Verdicts {
    /// One for each.
    pub of: Vec<Verdict>,
}

impl Verdicts {
    /// Of a live peer.
    pub fn live(driver: &mut Driver) -> Self {
        let stage = Stage::default();
        Self::by(&stage, |packed| driver.ask(&stage.job(packed)))
    }

    /// Of a reader who answers as a driver does.
    pub fn by(stage: &Stage, mut reader: impl FnMut(&str) -> Result<Value, Refusal>) -> Self {
        // A reader may take a layer that it does not know for the message.
        let mut read = |packed: &str| match reader(packed)?["message"]["body"] == Stage::body() {
            true => Ok(()),
            false => Err(Refusal("another message".to_owned())),
        };
        let forms: BTreeSet<_> =
            FORMS.into_iter().filter(|form| read(&stage.genuine(form)).is_ok()).collect();
        let verdict = |forgery: &Forgery| match read(&stage.forged(forgery)) {
            _ if !forms.contains(forgery.form) => Verdict::Unread,
            Ok(()) => Verdict::Taken,
            Err(_) => Verdict::Refused,
        };
        Self { of: FORGERIES.iter().map(verdict).collect() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_refusal_counts_only_of_who_reads_the_form() {
        let stage = Stage::default();
        let yes = || Ok(json!({"message": {"body": Stage::body()}}));
        let no = || Err(Refusal(String::new()));
        assert!(Verdicts::by(&stage, |_| yes()).of.iter().all(|verdict| *verdict == Verdict::Taken));
        assert!(Verdicts::by(&stage, |_| no()).of.iter().all(|verdict| *verdict == Verdict::Unread));
        let mut asked = 0;
        let forms_only = Verdicts::by(&stage, |_| {
            asked += 1;
            if asked <= FORMS.len() { yes() } else { no() }
        });
        assert!(forms_only.of.iter().all(|verdict| *verdict == Verdict::Refused));
        let layer = Verdicts::by(&stage, |_| Ok(json!({"message": {"payload": "e30"}})));
        assert!(layer.of.iter().all(|verdict| *verdict == Verdict::Unread));
    }
}
