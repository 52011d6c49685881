//! What the TXT records of MTA-STS (RFC 8461, 3.1) and of TLSRPT (RFC 8460, 3) share: a version first,
//! then fields `name=value` between semicolons, and at most one such record at a name.

use nom::bytes::complete::take_while1;
use nom::character::complete::{char, space0};
use nom::combinator::verify;
use nom::sequence::{delimited, separated_pair};
use nom::{IResult, Parser as _};

/// The records of one version at a name.
pub(crate) enum OfVersion {
    /// None begins with it: the domain says nothing here.
    Absent,
    /// Exactly one, its strings joined: to be read.
    One(Vec<u8>),
    /// More than one: both RFCs then say to behave as if there were none.
    Several,
}

/// The records of that version among all TXT records at the name, each a list of strings.
pub(crate) fn of_version(txt: &[Vec<Vec<u8>>], version: &str) -> OfVersion {
    // Strings are joined without a separator; foreign records are dropped.
    let mut ours = txt
        .iter()
        .map(|strings| strings.concat())
        .filter(|text| has_version(text, version));
    match (ours.next(), ours.next()) {
        (None, _) => OfVersion::Absent,
        (Some(text), None) => OfVersion::One(text),
        (Some(_), Some(_)) => OfVersion::Several,
    }
}

/// Whether a record is of that version.
pub(crate) fn has_version(text: &[u8], version: &str) -> bool {
    // A record of a later version is a foreign record, not a malformed one.
    text.strip_prefix(version.as_bytes())
        .is_some_and(|rest| rest.trim_ascii_start().first() == Some(&b';'))
}

/// The text of a record, which is ASCII.
pub(crate) fn ascii(text: &[u8]) -> Option<&str> {
    std::str::from_utf8(text)
        .ok()
        .filter(|text| text.is_ascii())
}

/// A semicolon, and blanks around it.
pub(crate) fn delimiter(text: &str) -> IResult<&str, char> {
    delimited(space0, char(';'), space0).parse(text)
}

/// `name=value`: blanks neither in the name nor in the value nor around the sign.
pub(crate) fn field(text: &str) -> IResult<&str, (&str, &str)> {
    let name = verify(take_while1(is_name), |name: &str| {
        name.len() <= LONGEST_NAME && name.starts_with(|c: char| c.is_ascii_alphanumeric())
    });
    let value = take_while1(|c: char| c.is_ascii_graphic() && c != '=' && c != ';');
    separated_pair(name, char('='), value).parse(text)
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')
}

/// Names of fields have at most 32 characters in both RFCs.
const LONGEST_NAME: usize = 32;
