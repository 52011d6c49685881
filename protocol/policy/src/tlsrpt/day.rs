//! A day of UTC, which a report covers whole (RFC 8460, 4.1).

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use crate::moment::Timestamp;

/// A day of UTC, counted from 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(u32);

impl Day {
    /// The day of a time.
    #[must_use]
    pub fn of(time: Timestamp) -> Self {
        // Milliseconds since 1970 in 64 bits are fewer days than 32 bits hold for five million years.
        Self(u32::try_from(time.0 / DAY_MILLIS).unwrap_or(u32::MAX))
    }

    /// The day with this number, 0 being 1970-01-01.
    #[must_use]
    pub const fn numbered(number: u32) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub fn number(self) -> u32 {
        self.0
    }

    /// Reads `2026-11-27`; `None` where that is no day since 1970.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
        let is_plain = |part: &str, length| {
            part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit())
        };
        if parts.next().is_some() || !is_plain(year, 4) || !is_plain(month, 2) || !is_plain(day, 2)
        {
            return None;
        }
        let read = |part: &str| part.parse::<u32>().ok();
        let found = from_civil(read(year)?, read(month)?, read(day)?)?;
        // A day that the month does not have reads back as another.
        (found.to_string() == text).then_some(found)
    }

    /// Its first moment.
    #[must_use]
    pub fn begins(self) -> Timestamp {
        Timestamp(u64::from(self.0) * DAY_MILLIS)
    }

    /// Its last second, as reports write their end.
    #[must_use]
    pub fn last_second(self) -> Timestamp {
        Timestamp(self.begins().0 + DAY_MILLIS - 1_000)
    }

    /// The first moment after it.
    #[must_use]
    pub fn is_over_at(self) -> Timestamp {
        Timestamp(self.begins().0 + DAY_MILLIS)
    }

    /// The day before.
    #[must_use]
    pub fn before(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    /// How long it has been over at `now`; `None` while it goes on.
    #[must_use]
    pub fn over_for(self, now: Timestamp) -> Option<Duration> {
        let millis = now.0.checked_sub(self.is_over_at().0)?;
        Some(Duration::from_millis(millis))
    }
}

impl Display for Day {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil(self.0);
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

/// Year, month and day of the Gregorian calendar. Counted in eras of 400 years from a 1st of March, so
/// that the leap day is the last of its year.
fn civil(number: u32) -> (u32, u32, u32) {
    let shifted = number.saturating_add(TO_MARCH_0000);
    let (era, of_era) = (shifted / ERA, shifted % ERA);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = year + era * 400 + u32::from(month <= 2);
    (year, month, day)
}

fn from_civil(year: u32, month: u32, day: u32) -> Option<Day> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year = year.checked_sub(u32::from(month <= 2))?;
    let (era, of_era) = (year / 400, year % 400);
    let from_march = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * from_march + 2) / 5 + day - 1;
    let days = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    (era * ERA + days).checked_sub(TO_MARCH_0000).map(Day)
}

const DAY_MILLIS: u64 = 86_400_000;
/// Days of 400 years.
const ERA: u32 = 146_097;
/// Days from 0000-03-01 to 1970-01-01.
const TO_MARCH_0000: u32 = 719_468;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// RP-10: a report covers one UTC day, whole.
    #[test]
    fn a_day_and_its_ends() {
        let day = Day::parse("2026-11-27").unwrap();
        assert_eq!(day.number(), 20_784);
        assert_eq!(day.begins(), Timestamp(1_795_737_600_000));
        assert_eq!(day.last_second(), Timestamp(1_795_823_999_000));
        assert_eq!(Day::of(Timestamp(1_795_737_599_999)), day.before());
        assert_eq!(Day::of(day.begins()), day);
        assert_eq!(day.over_for(Timestamp(1_795_823_999_999)), None);
        assert_eq!(day.over_for(day.is_over_at()), Some(Duration::ZERO));
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (number, text) in [
            (0, "1970-01-01"),
            (58, "1970-02-28"),
            (59, "1970-03-01"),
            (789, "1972-02-29"),
            (11_016, "2000-02-29"),
            (11_017, "2000-03-01"),
            (47_541, "2100-03-01"),
        ] {
            assert_eq!(Day::numbered(number).to_string(), text);
            assert_eq!(Day::parse(text), Some(Day::numbered(number)));
        }
        for number in 0..60_000 {
            let day = Day::numbered(number);
            assert_eq!(Day::parse(&day.to_string()), Some(day));
        }
        for text in [
            "",
            "2026-02-29",
            "2026-13-01",
            "2026-00-10",
            "2026-1-1",
            "1969-12-31",
            "2026-11-27-1",
            "+026-11-27",
            "2100-02-29",
        ] {
            assert_eq!(Day::parse(text), None, "{text}");
        }
    }
}
