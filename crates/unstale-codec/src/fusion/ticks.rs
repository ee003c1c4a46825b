//! The time of .NET.

use std::fmt;
use std::time::Duration;

/// A timestamp of .NET: steps of 100 ns since 0001-01-01T00:00:00Z, of the wall clock of whoever made it.
///
/// Any `i64` is one: what others send is not limited to the calendar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticks(pub i64);

const PER_SECOND: i64 = 10_000_000;
const PER_DAY: i64 = 86_400 * PER_SECOND;
const UNIX_EPOCH: i64 = 621_355_968_000_000_000;

impl Ticks {
    /// The last one of the calendar, 9999-12-31T23:59:59.9999999Z: what never ends.
    pub const MAX: Self = Self(3_155_378_975_999_999_999);

    /// The timestamp of so long after 1970-01-01T00:00:00Z, cut to 100 ns; at most [`Ticks::MAX`].
    ///
    /// ```
    /// use std::time::Duration;
    /// use unstale_codec::fusion::Ticks;
    ///
    /// let ticks = Ticks::from_unix(Duration::from_secs(1_767_225_601));
    /// assert_eq!(ticks, Ticks(639_028_224_010_000_000));
    /// assert_eq!(ticks.to_string(), "2026-01-01T00:00:01Z");
    /// assert_eq!(ticks.to_unix(), Some(Duration::from_secs(1_767_225_601)));
    /// ```
    pub fn from_unix(since: Duration) -> Self {
        Self(UNIX_EPOCH).plus(since)
    }

    /// How long after 1970-01-01T00:00:00Z it is; nothing before that.
    pub fn to_unix(self) -> Option<Duration> {
        (self.0 >= UNIX_EPOCH).then(|| self.since(Self(UNIX_EPOCH)))
    }

    /// So much later, cut to 100 ns; at most [`Ticks::MAX`], but never earlier than `self`.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        let more = i64::try_from(duration.as_nanos() / 100).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(more).min(Self::MAX.0.max(self.0)))
    }

    /// How much later it is than `earlier`; zero if it is not.
    pub fn since(self, earlier: Self) -> Duration {
        let ticks = u64::try_from(i128::from(self.0) - i128::from(earlier.0)).unwrap_or(0);
        let per_second = PER_SECOND as u64;
        Duration::new(ticks / per_second, (ticks % per_second) as u32 * 100)
    }

    /// The date and the time of day without a zone, `2026-01-01T00:00:01.5`, as .NET writes them; nothing outside the calendar.
    pub(super) fn date_time(self) -> Option<String> {
        if !(0..=Self::MAX.0).contains(&self.0) {
            return None;
        }
        let (year, month, day) = date(self.0 / PER_DAY);
        let second = self.0 / PER_SECOND % 86_400;
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        let mut text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
        let fraction = self.0 % PER_SECOND;
        if fraction > 0 {
            let digits = format!(".{fraction:07}");
            text.push_str(digits.trim_end_matches('0'));
        }
        Some(text)
    }
}

impl fmt::Display for Ticks {
    /// The date and the time in UTC; outside the calendar the bare number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.date_time() {
            Some(text) => write!(f, "{text}Z"),
            None => write!(f, "{}", self.0),
        }
    }
}

/// Year, month and day of the Gregorian calendar, from days since 0001-01-01.
const fn date(days: i64) -> (i64, i64, i64) {
    // Years that begin in March have their leap day last. 306 days lie between 0000-03-01 and 0001-01-01.
    let days = days + 306;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + later, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_of_the_calendar_have_their_dates() {
        for (ticks, text) in [
            (0, "0001-01-01T00:00:00Z"),
            (PER_DAY * 59, "0001-03-01T00:00:00Z"),
            (UNIX_EPOCH, "1970-01-01T00:00:00Z"),
            (UNIX_EPOCH + 951_782_400 * PER_SECOND, "2000-02-29T00:00:00Z"),
            (UNIX_EPOCH + 1_709_164_800 * PER_SECOND + 1, "2024-02-29T00:00:00.0000001Z"),
            (UNIX_EPOCH - 2_203_891_200 * PER_SECOND, "1900-03-01T00:00:00Z"),
            (572_738_688_000_000_000, "1815-12-10T00:00:00Z"),
            (639_309_608_220_783_815, "2026-11-22T16:13:42.0783815Z"),
            (Ticks::MAX.0, "9999-12-31T23:59:59.9999999Z"),
            (-1, "-1"),
            (i64::MAX, "9223372036854775807"),
        ] {
            assert_eq!(Ticks(ticks).to_string(), text);
        }
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let mut before = (0, 12, 31);
        for days in 0..=Ticks::MAX.0 / PER_DAY {
            let (year, month, day) = date(days);
            let next_day = (before.0, before.1, before.2 + 1);
            let next_month = (before.0, before.1 + 1, 1);
            let next_year = (before.0 + 1, 1, 1);
            let ends = before.2 >= 28;
            let follows = (year, month, day) == next_day
                || ends && (year, month, day) == next_month
                || before.1 == 12 && before.2 == 31 && (year, month, day) == next_year;
            assert!(follows, "{before:?} and then {year}-{month}-{day}");
            before = (year, month, day);
        }
        assert_eq!(before, (9_999, 12, 31));
    }

    #[test]
    fn arithmetic_stays_within_what_there_is() {
        assert_eq!(Ticks::from_unix(Duration::MAX), Ticks::MAX);
        assert_eq!(Ticks(i64::MAX).plus(Duration::MAX), Ticks(i64::MAX));
        assert_eq!(Ticks(i64::MIN).plus(Duration::MAX), Ticks(-1));
        assert_eq!(Ticks(5).since(Ticks(7)), Duration::ZERO);
        let widest = Ticks(i64::MAX).since(Ticks(i64::MIN));
        assert_eq!(widest, Duration::new(u64::MAX / 10_000_000, (u64::MAX % 10_000_000) as u32 * 100));
        assert_eq!(Ticks(UNIX_EPOCH - 1).to_unix(), None);
        assert_eq!(Ticks(UNIX_EPOCH).plus(Duration::from_nanos(199)), Ticks(UNIX_EPOCH + 1));
    }
}
