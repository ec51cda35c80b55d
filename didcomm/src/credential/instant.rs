//! Times of credentials: `dateTimeStamp` of XML Schema, which is RFC 3339, as UTC seconds.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Reads a time with its offset, for example `2026-01-31T12:00:00Z`. Fractions of a second are cut off; times before 1970 are 0.
///
/// `None` when it is not one.
///
/// ```
/// use didagent_didcomm::credential::from_rfc3339;
/// assert_eq!(from_rfc3339("2026-01-31T12:00:00.5+01:00"), Some(1_769_857_200));
/// assert_eq!(from_rfc3339("2026-01-31"), None);
/// ```
pub fn from_rfc3339(text: &str) -> Option<u64> {
    let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    Some(u64::try_from(time.unix_timestamp()).unwrap_or(0))
}

/// Writes UTC seconds, for example `2026-01-31T12:00:00Z`; `None` after the year 9999.
pub fn to_rfc3339(seconds: u64) -> Option<String> {
    let time = OffsetDateTime::from_unix_timestamp(i64::try_from(seconds).ok()?).ok()?;
    time.format(&Rfc3339).ok()
}
