//! Clocks that differ: messages say until when they count, so two machines that disagree about the time cannot talk.
//!
//! Specification: `spec/room.md`, RM-73; `spec/relay.md`, RL-05. Which of two clocks is wrong no program can know; a person
//! sees it at once when both are shown.

use crate::failure::{Failure, Kind};

/// How far a party's clock may be from its mediator's, in seconds: what mediators tolerate (RL-05). Two parties at one
/// mediator then differ by at most twice as much, which the lifetime of their messages covers.
pub const TOLERANCE: u64 = 60;

/// Fails when our clock and the mediator's differ by more than [`TOLERANCE`]. Both times are UTC seconds of one moment.
///
/// # Errors
/// [`Kind::ClockWrong`], with both times.
pub fn compare_with_mediator(ours: u64, theirs: u64) -> Result<(), Failure> {
    compare(ours, "the mediator's", theirs, TOLERANCE)
}

/// Fails when a host made an invitation in our future, `created` in UTC seconds, by more than both clocks may be wrong.
///
/// # Errors
/// [`Kind::ClockWrong`], with both times.
pub fn compare_with_host(ours: u64, created: u64) -> Result<(), Failure> {
    compare(ours, "the host's", created.max(ours), 2 * TOLERANCE)
}

fn compare(ours: u64, whose: &str, theirs: u64, tolerance: u64) -> Result<(), Failure> {
    let difference = ours.abs_diff(theirs);
    if difference <= tolerance {
        return Ok(());
    }
    Err(Failure::new(
        Kind::ClockWrong,
        format!(
            "this machine's clock and {whose} differ by {}: here it is {}, there {}",
            // To the minute: a second that passed in between makes no 23 hours of a day.
            duration(if difference < 120 { difference } else { difference.saturating_add(30) / 60 * 60 }),
            utc(ours),
            utc(theirs)
        ),
    )
    .hint("find out which one is wrong and set it, then try again; this machine's: timedatectl"))
}

/// Writes a duration in seconds as people say it.
pub fn duration(seconds: u64) -> String {
    match seconds {
        1 => "1 second".to_owned(),
        0..120 => format!("{seconds} seconds"),
        120..7200 => format!("{} minutes", seconds / 60),
        7200..172_800 => format!("{} hours", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// Writes UTC seconds as `2026-01-31 23:59 UTC`.
pub fn utc(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02} UTC", rest / 3600, rest % 3600 / 60)
}

/// Writes when something ends, seen from `now`: `23:59 UTC` if that is within a day, else with the date. Both are UTC seconds. Not in
/// the local time: people of one chat may live in several.
pub fn until(end: u64, now: u64) -> String {
    let full = utc(end);
    match full.split_once(' ') {
        Some((_, time)) if end.saturating_sub(now) < 86_400 => time.to_owned(),
        _ => full,
    }
}

/// Writes UTC seconds as `20260131T235901Z`: the order of such names is that of the times.
pub fn utc_digits(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (rest / 3600, rest % 3600 / 60, rest % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

/// Returns year, month and day of the day with this number since 1970-01-01 in the Gregorian calendar.
fn date(days: u64) -> (u64, u64, u64) {
    // Counted from a 1 March, so that the leap day is the last day of a year: 719,468 days before 1970 year 0 begins.
    let days = days.saturating_add(719_468);
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    // Months from March on have 31, 30, 31, 30, 31 days, again and again: 153 in five.
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    #[test]
    fn times_are_written_as_a_calendar_has_them() {
        for (seconds, expected) in [
            (0, "1970-01-01 00:00 UTC"),
            (68_169_599, "1972-02-28 23:59 UTC"),
            (68_169_600, "1972-02-29 00:00 UTC"),
            (951_782_400, "2000-02-29 00:00 UTC"),
            (951_868_800, "2000-03-01 00:00 UTC"),
            (1_735_689_599, "2024-12-31 23:59 UTC"),
            (NOW, "2027-01-15 08:00 UTC"),
            (4_107_542_400, "2100-03-01 00:00 UTC"),
        ] {
            assert_eq!(utc(seconds), expected);
        }
        assert_eq!(utc_digits(68_169_599), "19720228T235959Z");
        assert!(utc(u64::MAX).ends_with("UTC"), "a stranger's number is no panic");
        assert_eq!(until(NOW + 86_399, NOW), "07:59 UTC");
        assert_eq!(until(NOW + 86_400, NOW), "2027-01-16 08:00 UTC");
        assert_eq!(until(0, NOW), "00:00 UTC");
    }

    /// Decides RM-73.
    #[test]
    fn a_difference_beyond_the_tolerance_names_both_times() {
        for theirs in [NOW - TOLERANCE, NOW, NOW + TOLERANCE] {
            assert!(compare_with_mediator(NOW, theirs).is_ok());
        }
        for theirs in [0, NOW - TOLERANCE - 1, NOW + TOLERANCE + 1, u64::MAX] {
            assert_eq!(compare_with_mediator(NOW, theirs).unwrap_err().kind, Kind::ClockWrong);
        }
        let failure = compare_with_mediator(NOW + 86_399, NOW).unwrap_err();
        assert_eq!(
            failure.message,
            "this machine's clock and the mediator's differ by 24 hours: here it is 2027-01-16 07:59 UTC, there 2027-01-15 08:00 UTC"
        );
    }

    /// Decides RM-73.
    #[test]
    fn only_an_invitation_from_the_future_tells_of_the_hosts_clock() {
        for created in [0, NOW - 86_400, NOW, NOW + 2 * TOLERANCE] {
            assert!(compare_with_host(NOW, created).is_ok(), "{created}");
        }
        let failure = compare_with_host(NOW, NOW + 86_399).unwrap_err();
        assert!(failure.message.contains("the host's differ by 24 hours"), "{failure}");
    }

    #[test]
    fn durations_are_rounded_down_to_what_people_say() {
        for (seconds, expected) in
            [(61, "61 seconds"), (600, "10 minutes"), (86_400, "24 hours"), (172_800, "2 days")]
        {
            assert_eq!(duration(seconds), expected);
        }
    }
}
