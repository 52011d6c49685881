//! The fields of a request, one parser for each kind.

use std::net::IpAddr;

use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
use nom::bytes::complete::{tag, take_till, take_till1};
use nom::character::complete::digit1;
use nom::combinator::{all_consuming, map_opt, map_res};
use nom::{IResult, Parser as _};

use super::request::Wrong;

/// Takes one field off the front, with the blank behind it; `what` names it for people.
pub(super) fn field<'a>(input: &mut &'a str, what: &'static str) -> Result<&'a str, Wrong> {
    let (rest, field) = text(input, what, false)?;
    let (rest, _) = blank(rest).map_err(|_| Wrong::Missing("the field behind", what))?;
    *input = rest;
    Ok(field)
}

/// As [`field`], where Exim may know nothing: an empty field is `None`.
pub(super) fn field_or_nothing<'a>(
    input: &mut &'a str,
    what: &'static str,
) -> Result<Option<&'a str>, Wrong> {
    let (rest, field) = text(input, what, true)?;
    let (rest, _) = blank(rest).map_err(|_| Wrong::Missing("the field behind", what))?;
    *input = rest;
    Ok(Some(field).filter(|field| !field.is_empty()))
}

/// The last field: nothing stands behind it.
pub(super) fn last<'a>(input: &'a str, what: &'static str) -> Result<&'a str, Wrong> {
    match text(input, what, false)? {
        ("", field) => Ok(field),
        _ => Err(Wrong::TooMany),
    }
}

/// A number of a process, of a depth, of a port.
pub(super) fn number<T: std::str::FromStr>(text: &str, what: &'static str) -> Result<T, Wrong> {
    let parsed: IResult<&str, T> =
        all_consuming(map_res(digit1, |digits: &str| digits.parse())).parse(text);
    parsed
        .map(|(_, number)| number)
        .map_err(|_| Wrong::Not(what))
}

/// An address, as `$host_address` has it.
pub(super) fn address(text: &str) -> Result<IpAddr, Wrong> {
    text.parse().map_err(|_| Wrong::Not("an address"))
}

/// Octets in base64, as `${base64:…}` writes them: in one piece, padded.
pub(super) fn base64(text: &str) -> Result<Vec<u8>, Wrong> {
    let decoded = BASE64.decode(text.as_bytes());
    decoded.map_err(|_| Wrong::Not("base64"))
}

/// A SHA-256, as `${sha256:…}` writes it, in either case.
pub(super) fn sha256(text: &str) -> Result<[u8; 32], Wrong> {
    let parsed: IResult<&str, [u8; 32]> = all_consuming(map_opt(
        take_till1(|c: char| !c.is_ascii_hexdigit()),
        |digits: &str| {
            let octets = HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).ok()?;
            octets.try_into().ok()
        },
    ))
    .parse(text);
    parsed
        .map(|(_, digest)| digest)
        .map_err(|_| Wrong::Not("a SHA-256 in hexadecimal"))
}

fn blank(input: &str) -> IResult<&str, &str> {
    tag(" ")(input)
}

fn text<'a>(
    input: &'a str,
    what: &'static str,
    may_be_empty: bool,
) -> Result<(&'a str, &'a str), Wrong> {
    let parsed: IResult<&str, &str> = take_till(|c| c == ' ')(input);
    let (rest, field) = parsed.map_err(|_| Wrong::Missing("the field", what))?;
    if field.is_empty() && !may_be_empty {
        return Err(Wrong::Missing("the field", what));
    }
    Ok((rest, field))
}
