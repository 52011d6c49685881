//! Times of RFC 3339, in whole seconds since 1970: written in UTC, read with any offset and with none.

use nom::branch::alt;
use nom::bytes::complete::{take_while_m_n, take_while1};
use nom::character::complete::{char, one_of};
use nom::combinator::{all_consuming, map_res, opt, value};
use nom::sequence::preceded;
use nom::{IResult, Parser as _};

/// Writes `2026-11-26T00:00:00Z`. What lies behind the year 9999 is written as its end.
pub(super) fn written(seconds: u64) -> String {
    let seconds = seconds.min(LAST);
    let (days, of_day) = (seconds / DAY, seconds % DAY);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Reads a time; `None` where it is none, or none from 1970 to 9999. A time without an offset, which some
/// senders write, is taken for UTC (RFC 8460, 4.4 asks for `Z`); a fraction of a second is dropped.
pub(super) fn read(text: &str) -> Option<u64> {
    let (_, (date, _, time, _, offset)) = all_consuming((
        date,
        one_of("Tt "),
        time,
        opt(fraction),
        opt(alt((value(0, one_of("Zz")), offset))),
    ))
    .parse(text)
    .ok()?;
    let seconds = date.checked_mul(DAY)?.checked_add(time)?;
    let seconds = i64::try_from(seconds).ok()? - offset.unwrap_or(0);
    u64::try_from(seconds).ok().filter(|own| *own <= LAST)
}

/// Days since 1970.
fn date(text: &str) -> IResult<&str, u64> {
    let (rest, (year, _, month, _, day)) =
        (number(4), char('-'), number(2), char('-'), number(2)).parse(text)?;
    match days(year, month, day) {
        Some(days) => Ok((rest, days)),
        None => Err(wrong(text)),
    }
}

/// Seconds of a day; one more than there are where a leap second is told of.
fn time(text: &str) -> IResult<&str, u64> {
    let (rest, (hour, _, minute, _, second)) =
        (number(2), char(':'), number(2), char(':'), number(2)).parse(text)?;
    if hour > 23 || minute > 59 || second > 60 {
        return Err(wrong(text));
    }
    Ok((rest, hour * 3_600 + minute * 60 + second))
}

fn fraction(text: &str) -> IResult<&str, &str> {
    preceded(char('.'), take_while1(|c: char| c.is_ascii_digit())).parse(text)
}

/// Seconds ahead of UTC.
fn offset(text: &str) -> IResult<&str, i64> {
    let (rest, (sign, hour, _, minute)) =
        (one_of("+-"), number(2), opt(char(':')), number(2)).parse(text)?;
    let ahead = i64::try_from(hour * 3_600 + minute * 60).unwrap_or(i64::MAX);
    if hour > 23 || minute > 59 {
        return Err(wrong(text));
    }
    Ok((rest, if sign == '-' { -ahead } else { ahead }))
}

/// A number of exactly so many digits.
fn number<'a>(digits: usize) -> impl FnMut(&'a str) -> IResult<&'a str, u64> {
    move |text| {
        let digit = |c: char| c.is_ascii_digit();
        map_res(take_while_m_n(digits, digits, digit), str::parse).parse(text)
    }
}

fn wrong(text: &str) -> nom::Err<nom::error::Error<&str>> {
    nom::Err::Error(nom::error::Error::new(text, nom::error::ErrorKind::Verify))
}

/// Year, month and day of the Gregorian calendar. Counted in eras of 400 years from a 1st of March, so
/// that the leap day is the last of its year.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + TO_MARCH_0000;
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
    let year = year + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let from_march_on = year.checked_sub(u64::from(month <= 2))?;
    let (era, of_era) = (from_march_on / 400, from_march_on % 400);
    let from_march = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * from_march + 2) / 5 + day - 1;
    let of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    let days = (era * ERA + of_era).checked_sub(TO_MARCH_0000)?;
    // A day that the month does not have comes out as another.
    (civil(days) == (year, month, day)).then_some(days)
}

const DAY: u64 = 86_400;
/// 9999-12-31T23:59:59Z: years have four digits (RFC 3339, 5.6).
const LAST: u64 = 253_402_300_799;
/// Days of 400 years.
const ERA: u64 = 146_097;
/// Days from 0000-03-01 to 1970-01-01.
const TO_MARCH_0000: u64 = 719_468;

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert_eq, proptest};

    use super::*;

    /// RP-08: times are written in UTC.
    #[test]
    fn utc_times() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_459_468_800, "2016-04-01T00:00:00Z"),
            (1_795_651_200, "2026-11-26T00:00:00Z"),
            (1_795_737_599, "2026-11-26T23:59:59Z"),
            (LAST, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(written(seconds), text);
            assert_eq!(read(text), Some(seconds), "{text}");
        }
        assert_eq!(written(u64::MAX), written(LAST));
    }

    /// RP-08: what others write is read, without a zone too.
    #[test]
    fn lenient_times() {
        for text in [
            "2026-11-26T00:00:00",
            "2026-11-26 00:00:00",
            "2026-11-26t00:00:00z",
            "2026-11-26T00:00:00.000Z",
            "2026-11-26T00:00:00.0",
            "2026-11-26T00:00:00+00:00",
            "2026-11-26T01:30:00+01:30",
            "2026-11-26T01:00:00+0100",
            "2026-11-25T16:00:00-08:00",
            "2026-11-25T23:59:60Z",
        ] {
            assert_eq!(read(text), Some(1_795_651_200), "{text}");
        }
        for text in [
            "",
            "2026-11-26",
            "2026-11-26T00:00Z",
            "2026-11-26T24:00:00Z",
            "2026-11-26T00:60:00Z",
            "2026-11-26T00:00:61Z",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-1-1T00:00:00Z",
            "+026-11-26T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "0000-01-01T00:00:00Z",
            "1970-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
            "2026-11-26T00:00:00.Z",
            "2026-11-26T00:00:00+24:00",
            "2026-11-26T00:00:00+1",
            "2026-11-26T00:00:00Z ",
            "1795651200",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    proptest! {
        /// RP-08: each time reads back.
        #[test]
        fn times_read_back(seconds in 0..=LAST) {
            prop_assert_eq!(read(&written(seconds)), Some(seconds));
        }
    }
}
