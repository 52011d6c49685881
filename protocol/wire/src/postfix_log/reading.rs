//! Readings of a log's clock. Two of them have a difference, if they are of one kind.

use nom::IResult;
use nom::Parser;
use nom::branch::alt;
use nom::bytes::complete::{tag, take_while_m_n, take_while1};
use nom::character::complete::{char, digit1, one_of, space1};
use nom::combinator::{all_consuming, map_opt, map_res, opt, value};
use nom::sequence::{preceded, terminated};

/// A time in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// Since 1970, in UTC.
    Epoch(i64),
    /// Since the first of January of a year that is not told. The 29th of February is taken for the
    /// first of March, so that differences come out rather too small than too large.
    Year(i64),
}

impl Reading {
    /// Reads a time in either form, or `None`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let parsed = all_consuming(alt((epoch, year))).parse(text);
        parsed.ok().map(|(_, reading)| reading)
    }

    /// The seconds from `earlier` to this; negative if it is later. `None` if they are of two
    /// kinds.
    pub(super) fn since(self, earlier: Self) -> Option<i64> {
        match (self, earlier) {
            (Self::Epoch(own), Self::Epoch(other)) | (Self::Year(own), Self::Year(other)) => {
                Some(own - other)
            }
            (Self::Epoch(_), Self::Year(_)) | (Self::Year(_), Self::Epoch(_)) => None,
        }
    }
}

/// `2026-11-26T10:00:00.123456+01:00`.
fn epoch(input: &str) -> IResult<&str, Reading> {
    let mut date = (
        terminated(digits(4), char('-')),
        terminated(digits(2), char('-')),
        terminated(digits(2), char('T')),
    );
    let (rest, (year, month, day)) = date.parse(input)?;
    let (rest, time) = time_of_day(rest)?;
    let zone = (one_of("+-"), digits(2), opt(char(':')), digits(2));
    let zone = map_opt(zone, |(sign, hours, _, minutes)| {
        let ahead = hours * 3600 + minutes * 60;
        Some(if sign == '+' { ahead } else { -ahead })
    });
    let (rest, ahead) = alt((value(0, tag("Z")), zone)).parse(rest)?;
    let seconds = days_since_1970(year, month, day) * 86_400 + time - ahead;
    Ok((rest, Reading::Epoch(seconds)))
}

/// `Nov  6 10:00:00`.
fn year(input: &str) -> IResult<&str, Reading> {
    let letters = take_while1(|c: char| c.is_ascii_alphabetic());
    let before = map_opt(letters, |name| {
        let month = MONTHS.iter().find(|(own, _)| *own == name);
        month.map(|(_, days_before)| *days_before)
    });
    let day = map_res(digit1, str::parse::<i64>);
    let day = map_opt(day, |day| (day <= 31).then_some(day));
    let (rest, (before, _, day, _)) = (before, space1, day, space1).parse(input)?;
    let (rest, time) = time_of_day(rest)?;
    let seconds = (before + day - 1) * 86_400 + time;
    Ok((rest, Reading::Year(seconds)))
}

/// `10:00:00`, with a fraction or without.
fn time_of_day(input: &str) -> IResult<&str, i64> {
    let (rest, (hours, _, minutes, _, seconds)) =
        (digits(2), char(':'), digits(2), char(':'), digits(2)).parse(input)?;
    let (rest, _) = opt(preceded(char('.'), digit1)).parse(rest)?;
    Ok((rest, hours * 3600 + minutes * 60 + seconds))
}

fn digits<'a>(
    count: usize,
) -> impl Parser<&'a str, Output = i64, Error = nom::error::Error<&'a str>> {
    let digits = take_while_m_n(count, count, |c: char| c.is_ascii_digit());
    map_res(digits, str::parse::<i64>)
}

/// Days of the proleptic Gregorian calendar, counted in years that begin in March.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let months_since_march = (month + 9) % 12;
    let leap_days = year / 4 - year / 100 + year / 400;
    let days_before_month = (153 * months_since_march + 2) / 5;
    // From the first of March of the year 0 to 1970.
    year * 365 + leap_days + days_before_month + day - 1 - 719_468
}

/// Each month, and the days before it in a year that is no leap year.
const MONTHS: [(&str, i64); 12] = [
    ("Jan", 0),
    ("Feb", 31),
    ("Mar", 59),
    ("Apr", 90),
    ("May", 120),
    ("Jun", 151),
    ("Jul", 181),
    ("Aug", 212),
    ("Sep", 243),
    ("Oct", 273),
    ("Nov", 304),
    ("Dec", 334),
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::proptest;

    use super::Reading;

    /// SV-01: known moments.
    #[test]
    fn readings() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Reading::Epoch(0)),
            ("2000-02-29T00:00:00Z", Reading::Epoch(951_782_400)),
            ("2000-03-01T00:00:00+0000", Reading::Epoch(951_868_800)),
            (
                "2026-11-26T10:00:00.999+01:00",
                Reading::Epoch(1_795_683_600),
            ),
            ("2026-11-26T10:00:00-0130", Reading::Epoch(1_795_692_600)),
            ("1969-12-31T23:59:59Z", Reading::Epoch(-1)),
            ("Jan  1 00:00:00", Reading::Year(0)),
            ("Jan 01 00:00:01.5", Reading::Year(1)),
            ("Feb 29 00:00:00", Reading::Year(59 * 86_400)),
            ("Mar  1 00:00:00", Reading::Year(59 * 86_400)),
            ("Dec 31 23:59:59", Reading::Year(365 * 86_400 - 1)),
        ] {
            assert_eq!(Reading::parse(text), Some(expected), "{text}");
        }
        for bad in [
            "",
            "yesterday",
            "1795683600",
            "2026-11-26",
            "2026-11-26T10:00:00",
            "2026-11-26T10:00Z",
            "2026-11-26T10:00:00.Z",
            "2026-11-26T10:00:00ZZ",
            "+026-11-26T10:00:00Z",
            "Foo 26 10:00:00",
            "Nov 32 10:00:00",
            "Nov 999999999999999999999 10:00:00",
            "Nov 26 10:00",
            "nov 26 10:00:00",
        ] {
            assert_eq!(Reading::parse(bad), None, "{bad}");
        }
    }

    /// SV-01: differences, within one kind only.
    #[test]
    fn differences() {
        let of = |text| Reading::parse(text).unwrap();
        let summer = of("2026-11-26T11:00:00+01:00");
        assert_eq!(of("2026-11-26T10:00:05Z").since(summer), Some(5));
        assert_eq!(summer.since(of("2026-11-26T10:00:05Z")), Some(-5));
        assert_eq!(of("Nov 27 00:00:01").since(of("Nov 26 23:59:59")), Some(2));
        assert_eq!(of("Nov 26 10:00:00").since(summer), None);
        assert_eq!(summer.since(of("Nov 26 10:00:00")), None);
    }

    proptest! {
        /// SV-11: any text, and numbers of any size.
        #[test]
        fn any_text(text in "(?s).{0,30}", numbers in "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{0,9}Z") {
            let _ = Reading::parse(&text);
            let _ = Reading::parse(&numbers);
        }
    }
}
