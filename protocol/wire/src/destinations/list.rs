//! A list: one destination in each line.

use nom::branch::alt;
use nom::bytes::complete::{take_till1, take_while};
use nom::character::complete::char;
use nom::combinator::{all_consuming, opt};
use nom::sequence::{delimited, preceded, terminated};
use nom::{IResult, Parser};

/// Why a line of a list names no destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoDestination {
    /// More than one word stands there.
    ManyWords,
    /// An address without a domain.
    NoDomain,
}

impl std::fmt::Display for NoDestination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::ManyWords => "more than one word; write one domain or address",
            Self::NoDomain => "an address without a domain",
        })
    }
}

impl std::error::Error for NoDestination {}

/// The domain or next hop of one line; an address counts by its domain. `None` for blank lines and
/// comments.
///
/// ```
/// use hoplock_wire::destinations::{NoDestination, listed};
///
/// assert_eq!(listed("a.test  # a friend"), Ok(Some("a.test")));
/// assert_eq!(listed("<user@a.test>"), Ok(Some("a.test")));
/// assert_eq!(listed("# nobody"), Ok(None));
/// assert_eq!(listed("a.test b.test"), Err(NoDestination::ManyWords));
/// ```
///
/// # Errors
/// [`NoDestination`] where something stands there that is none.
pub fn listed(line: &str) -> Result<Option<&str>, NoDestination> {
    // Editors of another system begin a file with this.
    let line = line.trim_start_matches('\u{feff}').trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let Ok((_, entry)) = all_consuming(entry).parse(line) else {
        return Err(NoDestination::ManyWords);
    };
    match entry.rsplit_once('@') {
        Some((_, "")) => Err(NoDestination::NoDomain),
        Some((_, domain)) => Ok(Some(domain)),
        None => Ok(Some(entry)),
    }
}

/// A word, in angle brackets or not, and a comment behind it.
fn entry(input: &str) -> IResult<&str, &str> {
    let bracketed = delimited(char('<'), take_till1(|c: char| c == '>'), char('>'));
    let bare = take_till1(|c: char| c.is_whitespace() || c == '#' || c == '<');
    terminated(alt((bracketed, bare)), (blanks, opt(comment))).parse(input)
}

fn comment(input: &str) -> IResult<&str, &str> {
    preceded(char('#'), take_while(|_| true)).parse(input)
}

fn blanks(input: &str) -> IResult<&str, &str> {
    take_while(char::is_whitespace)(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        for (line, expected) in [
            ("a.test\r", Ok(Some("a.test"))),
            ("\u{feff}a.test", Ok(Some("a.test"))),
            ("  [mx.a.test]:587 ", Ok(Some("[mx.a.test]:587"))),
            ("user@a.test#x", Ok(Some("a.test"))),
            ("<a.test>", Ok(Some("a.test"))),
            ("   ", Ok(None)),
            ("user@", Err(NoDestination::NoDomain)),
            ("Eve <eve@a.test>", Err(NoDestination::ManyWords)),
            ("<a.test> x", Err(NoDestination::ManyWords)),
        ] {
            assert_eq!(listed(line), expected, "{line:?}");
        }
    }
}
