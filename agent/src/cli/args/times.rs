//! Times as a person types them.

use std::time::Duration;

/// A short time that a person types: 100 ms to one minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) struct Pause(pub(in crate::cli) Duration);

impl std::str::FromStr for Pause {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, unit) = match text.strip_suffix("ms") {
            Some(number) => (number, 1),
            None => (text.strip_suffix('s').unwrap_or(text), 1000),
        };
        let number: u64 = number.parse().map_err(|_| "give seconds, or a number with ms or s".to_owned())?;
        match number.checked_mul(unit) {
            Some(total) if (100..=60_000).contains(&total) => Ok(Self(Duration::from_millis(total))),
            _ => Err("give at least 100ms and at most 60s".to_owned()),
        }
    }
}

/// A time that a person types.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct Expiry(pub(super) u64);

impl Expiry {
    pub(super) const fn of_seconds(seconds: u64) -> Self {
        Self(seconds)
    }

    pub(in crate::cli) fn as_secs(self) -> u64 {
        Duration::from_secs(self.0).as_secs()
    }
}

/// How long a person may take for an answer: 5 s to one hour, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) struct Answer(pub(super) u64);

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Expiry(self.0).fmt(f)
    }
}

impl std::str::FromStr for Answer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse::<Expiry>()?.0 {
            seconds @ 5..=3600 => Ok(Self(seconds)),
            _ => Err("give at least 5s and at most 1h".to_owned()),
        }
    }
}

impl std::fmt::Display for Expiry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            seconds if seconds % 3600 == 0 => write!(f, "{}h", seconds / 3600),
            seconds if seconds % 60 == 0 => write!(f, "{}m", seconds / 60),
            seconds => write!(f, "{seconds}s"),
        }
    }
}

impl std::str::FromStr for Expiry {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, unit) = match text.strip_suffix(['s', 'm', 'h']) {
            Some(number) => (number, text.chars().last().unwrap_or('s')),
            None => (text, 's'),
        };
        let seconds = match unit {
            'h' => 3600,
            'm' => 60,
            _ => 1,
        };
        // A month: nobody wants an older link to work, and the end of the invitation stays a sane number.
        let limit = 31 * 24 * 3600;
        let number: u64 =
            number.parse().map_err(|_| "give seconds, or a number with s, m or h".to_owned())?;
        match number.checked_mul(seconds) {
            Some(total) if (1..=limit).contains(&total) => Ok(Self(total)),
            _ => Err("give at least 1 s and at most 31 days".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_back_as_they_are_shown() {
        for (text, seconds) in [("90", 90), ("90s", 90), ("5m", 300), ("2h", 7200)] {
            let expiry: Expiry = text.parse().unwrap();
            assert_eq!(expiry.as_secs(), seconds);
            assert_eq!(expiry.to_string().parse::<Expiry>().unwrap().as_secs(), seconds);
        }
        for text in ["", "0", "-1", "x", "5d", "999999999999999999h", "m"] {
            assert!(text.parse::<Expiry>().is_err(), "{text}");
        }
    }

    #[test]
    fn answers_have_limits() {
        for (text, seconds) in [("5", 5), ("10m", 600), ("1h", 3600)] {
            assert_eq!(text.parse(), Ok(Answer(seconds)), "{text}");
        }
        for text in ["4", "0", "61m", "3601s", "x"] {
            assert!(text.parse::<Answer>().is_err(), "{text}");
        }
    }

    #[test]
    fn pauses_have_limits() {
        for (text, milliseconds) in [("100ms", 100), ("1s", 1000), ("2", 2000), ("60s", 60_000)] {
            assert_eq!(text.parse(), Ok(Pause(Duration::from_millis(milliseconds))), "{text}");
        }
        for text in ["", "0", "99ms", "61s", "1m", "-1s", "ms", "18446744073709551615s"] {
            assert!(text.parse::<Pause>().is_err(), "{text}");
        }
    }
}
