//! Lookups in the form of Exim's `${lookup dnsdb{…}}`, as far as the daemon makes them.
//!
//! After the Exim specification, 9.16 ("More about dnsdb"), and its source, `lookups/dnsdb.c`:
//! `>S`, then `,S` or `;` for the fields of a record, then modifiers, then the type and the name.

use nom::branch::alt;
use nom::bytes::complete::{tag, tag_no_case, take_till1};
use nom::character::complete::{anychar, char, space0};
use nom::combinator::{all_consuming, opt, value};
use nom::multi::fold_many0;
use nom::sequence::{delimited, preceded};
use nom::{IResult, Parser as _};

use super::request::{BadRequest, Verb, Wrong};

/// One lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DnsdbRequest<'a> {
    /// What is asked for.
    pub lookup: Lookup,
    /// The name.
    pub name: &'a str,
    /// What DNSSEC must say.
    pub dnssec: Dnssec,
    /// Between two records.
    pub records: char,
    /// Between the fields of one; `None` where the request says nothing: then the type decides.
    pub fields: Option<FieldSeparator>,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lookup {
    /// TLSA records.
    Tlsa,
    /// MX records.
    Mx,
    /// The hosts of MX records.
    Mxh,
    /// TXT records.
    Txt,
    /// The policy of a destination, rendered: no record of the DNS.
    Policy,
}

impl Lookup {
    /// The word before the `=`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Tlsa => "tlsa",
            Self::Mx => "mx",
            Self::Mxh => "mxh",
            Self::Txt => "txt",
            Self::Policy => "policy",
        }
    }
}

/// What DNSSEC must say of the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dnssec {
    /// Records that are not secure are a failed lookup.
    Strict,
    /// Records are taken as they come: Exim's default.
    Lax,
    /// As [`Dnssec::Lax`] here: the resolver validates, whoever asks.
    Never,
}

/// Between the fields of one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldSeparator {
    /// This character (`,S`).
    Character(char),
    /// Nothing (`;`): the strings of a TXT record are joined.
    Nothing,
}

/// True where a line can only be a lookup: it does not begin as the other requests do.
pub(super) fn is_lookup(line: &str) -> bool {
    line.starts_with('>') || line.contains('=')
}

/// Reads a lookup.
pub(super) fn decode(line: &str) -> Result<DnsdbRequest<'_>, BadRequest> {
    let bad = |wrong| BadRequest::new(Verb::Dnsdb, wrong);
    let (rest, separators) = opt(separators)
        .parse(line)
        .map_err(|_: nom::Err<nom::error::Error<&str>>| bad(Wrong::Not("a lookup")))?;
    let (records, fields) = separators.unwrap_or((LINE_FEED, None));
    let (rest, dnssec) = modifiers(rest).map_err(|_| bad(Wrong::Not("a lookup")))?;
    let (_, (lookup, name)) = question(rest).map_err(|_| {
        bad(Wrong::Not(
            "a lookup: tlsa=, mx=, mxh=, txt= or policy= and one name, after >S and \
             dnssec_strict, dnssec_lax or dnssec_never",
        ))
    })?;
    if lookup == Lookup::Tlsa && fields == Some(FieldSeparator::Nothing) {
        // Exim cuts such a record off after its first field.
        return Err(bad(Wrong::Not(
            "a separator for the fields of TLSA records",
        )));
    }
    Ok(DnsdbRequest {
        lookup,
        name,
        dnssec,
        records,
        fields,
    })
}

/// `>S`, `>S,S` or `>S;`, and the blanks behind.
fn separators(input: &str) -> IResult<&str, (char, Option<FieldSeparator>)> {
    let fields = alt((
        preceded(char(','), anychar).map(FieldSeparator::Character),
        value(FieldSeparator::Nothing, char(';')),
    ));
    delimited(char('>'), (anychar, opt(fields)), space0).parse(input)
}

/// Any number of `dnssec_…,`; the last one counts, as in Exim.
fn modifiers(input: &str) -> IResult<&str, Dnssec> {
    let word = preceded(
        tag_no_case("dnssec_"),
        alt((
            value(Dnssec::Strict, tag_no_case("strict")),
            value(Dnssec::Lax, tag_no_case("lax")),
            value(Dnssec::Never, tag_no_case("never")),
        )),
    );
    let modifier = (word, space0, tag(","), space0).map(|(word, ..)| word);
    fold_many0(modifier, || Dnssec::Lax, |_, last| last).parse(input)
}

fn question(input: &str) -> IResult<&str, (Lookup, &str)> {
    let lookup = alt((
        value(Lookup::Tlsa, tag_no_case("tlsa")),
        // The longer word first.
        value(Lookup::Mxh, tag_no_case("mxh")),
        value(Lookup::Mx, tag_no_case("mx")),
        value(Lookup::Txt, tag_no_case("txt")),
        value(Lookup::Policy, tag_no_case("policy")),
    ));
    let name = take_till1(|c: char| c.is_whitespace() || c.is_control());
    let equals = (space0, char('='), space0);
    all_consuming((lookup, equals, name).map(|(lookup, _, name)| (lookup, name))).parse(input)
}

/// Exim's separator of records, where the request names none.
const LINE_FEED: char = '\n';
