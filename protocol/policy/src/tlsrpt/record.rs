//! The TXT record at `_smtp._tls` (RFC 8460, 3): whether a domain wants reports, and where.

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while1};
use nom::character::complete::{char, space0};
use nom::combinator::{cut, eof, map, opt, peek, value, verify};
use nom::multi::{many1, separated_list1};
use nom::sequence::{delimited, preceded, terminated};
use nom::{IResult, Parser as _};
use thiserror::Error;

use super::ReportTarget;
use crate::txt_record::{OfVersion, ascii, delimiter, field, has_version, of_version};

/// A valid record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsrptRecord {
    /// Where reports go: to each of them. Never none, at most [`TARGETS`], no two the same.
    pub targets: Vec<ReportTarget>,
    /// URIs of the record that no report goes to: of another scheme, without an address or host that
    /// a report can be sent to, or one too many.
    pub ignored: Vec<String>,
}

/// What all TXT records at the name amount to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsrptRecordFinding {
    /// Exactly one valid record.
    One(TlsrptRecord),
    /// No record begins with the version: no report.
    Absent,
    /// More than one does: no report.
    Several,
    /// The only one is malformed, or names nothing that a report can be sent to: no report.
    Malformed(MalformedTlsrptRecord),
}

/// Which rule a record breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum MalformedTlsrptRecord {
    /// Bytes outside ASCII.
    #[error("the TLSRPT record is not ASCII")]
    NotAscii,
    /// A field that is not `name=value`.
    #[error("the TLSRPT record has a field that is not name=value")]
    Field,
    /// No `rua`.
    #[error("the TLSRPT record has no rua")]
    NoRua,
    /// A `rua` that is no list of URIs.
    #[error("the TLSRPT record's rua is not a list of URIs with commas between them")]
    Rua,
    /// A `rua` with URIs none of which a report can be sent to.
    #[error("the TLSRPT record's rua has no mailto: address and no https: URL for reports")]
    NoTarget,
}

/// Reads the TXT records at the name: each a list of strings.
#[must_use]
pub fn read_records(txt: &[Vec<Vec<u8>>]) -> TlsrptRecordFinding {
    match of_version(txt, VERSION) {
        OfVersion::Absent => TlsrptRecordFinding::Absent,
        OfVersion::One(text) => finding(&text),
        // RFC 8460, 3: "if the number of resulting records is not one" there is no reporting.
        OfVersion::Several => TlsrptRecordFinding::Several,
    }
}

/// Reads the one record that a mail server found, its strings joined already. Never
/// [`TlsrptRecordFinding::Several`].
#[must_use]
pub fn read_text(text: &str) -> TlsrptRecordFinding {
    if has_version(text.as_bytes(), VERSION) {
        finding(text.as_bytes())
    } else {
        TlsrptRecordFinding::Absent
    }
}

fn finding(text: &[u8]) -> TlsrptRecordFinding {
    match read(text) {
        Ok(record) => TlsrptRecordFinding::One(record),
        Err(why) => TlsrptRecordFinding::Malformed(why),
    }
}

fn read(text: &[u8]) -> Result<TlsrptRecord, MalformedTlsrptRecord> {
    let text = ascii(text).ok_or(MalformedTlsrptRecord::NotAscii)?;
    let (_, fields) = record(text).map_err(|why| match why {
        nom::Err::Failure(_) => MalformedTlsrptRecord::Rua,
        nom::Err::Error(_) | nom::Err::Incomplete(_) => MalformedTlsrptRecord::Field,
    })?;
    let uris: Vec<&str> = fields.into_iter().flatten().flatten().collect();
    if uris.is_empty() {
        return Err(MalformedTlsrptRecord::NoRua);
    }
    let record = sorted(&uris);
    if record.targets.is_empty() {
        return Err(MalformedTlsrptRecord::NoTarget);
    }
    Ok(record)
}

/// The URIs that reports go to, and the rest.
fn sorted(uris: &[&str]) -> TlsrptRecord {
    let (mut targets, mut ignored) = (Vec::new(), Vec::new());
    for uri in uris {
        match ReportTarget::parse(uri) {
            // Named twice, it gets its report once.
            Some(target) if targets.contains(&target) => {}
            Some(target) if targets.len() < TARGETS => targets.push(target),
            // RP-02: other schemes are passed over, not held against the record.
            Some(_) | None => ignored.push((*uri).to_owned()),
        }
    }
    TlsrptRecord { targets, ignored }
}

/// RFC 8460, 3: the version, fields behind semicolons, and one semicolon more where liked. Of each field
/// the URIs, where it is a `rua`; nothing there forbids a second. What others say is for later versions.
fn record(text: &str) -> IResult<&str, Vec<Option<Vec<&str>>>> {
    let fields = many1(preceded(
        delimiter,
        alt((map(rua, Some), value(None, field))),
    ));
    delimited(tag(VERSION), fields, (opt(delimiter), eof)).parse(text)
}

/// Once `rua=` is read, the rest must fit.
fn rua(text: &str) -> IResult<&str, Vec<&str>> {
    let comma = (space0, char(','), space0);
    let end = peek(alt((value((), delimiter), value((), eof))));
    preceded(
        tag("rua="),
        cut(terminated(separated_list1(comma, uri), end)),
    )
    .parse(text)
}

/// A URI of RFC 3986, in which comma, exclamation mark and semicolon must be percent-encoded.
fn uri(text: &str) -> IResult<&str, &str> {
    let characters = take_while1(|c: char| c.is_ascii_graphic() && !matches!(c, ',' | '!' | ';'));
    verify(characters, is_uri).parse(text)
}

/// A scheme, and characters that URIs have. What they mean is the scheme's business.
fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else {
        return false;
    };
    let in_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    let in_rest = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#[]@$&'()*+=%".contains(c);
    // RFC 3986, 2.1: a percent sign begins two hexadecimal digits.
    let is_encoded = |behind: &str| {
        let mut digits = behind.bytes().take(2);
        digits.len() == 2 && digits.all(|digit| digit.is_ascii_hexdigit())
    };
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(in_scheme)
        && rest.chars().all(in_rest)
        && rest.split('%').skip(1).all(is_encoded)
}

/// How many targets of one record get reports. Domains have one or two; a record of 64 KiB could name
/// thousands of strangers, and have each of them written to every day.
pub const TARGETS: usize = 8;

const VERSION: &str = "v=TLSRPTv1";

#[cfg(test)]
#[allow(clippy::panic, reason = "tests")]
mod tests {
    use super::*;

    fn finding(records: &[&[&str]]) -> TlsrptRecordFinding {
        let bytes = |text: &&str| text.as_bytes().to_vec();
        let records: Vec<Vec<Vec<u8>>> = records
            .iter()
            .map(|strings| strings.iter().map(bytes).collect())
            .collect();
        read_records(&records)
    }

    /// The targets of a single good record, as URIs, and what was ignored.
    fn one(text: &str) -> (Vec<String>, Vec<String>) {
        match finding(&[&[text]]) {
            TlsrptRecordFinding::One(record) => {
                let targets = record.targets.iter().map(ToString::to_string);
                (targets.collect(), record.ignored)
            }
            other => panic!("{text}: {other:?}"),
        }
    }

    /// RP-02: what the grammar lets pass, and whom the report then goes to.
    #[test]
    fn good_records() {
        let mail = "mailto:r@a.test";
        let url = "https://a.test/v1/r";
        for (text, targets) in [
            ("v=TLSRPTv1;rua=mailto:r@a.test", &[mail][..]),
            ("v=TLSRPTv1; rua=mailto:r@a.test;", &[mail]),
            ("v=TLSRPTv1 ;\trua=mailto:r@a.test ; ", &[mail]),
            ("v=TLSRPTv1; rua=https://a.test/v1/r", &[url]),
            (
                "v=TLSRPTv1; rua=mailto:r@a.test,https://a.test/v1/r",
                &[mail, url],
            ),
            (
                "v=TLSRPTv1;rua=https://a.test/v1/r \t, mailto:r@a.test;",
                &[url, mail],
            ),
            (
                "v=TLSRPTv1; rua=mailto:r@a.test; rua=https://a.test/v1/r",
                &[mail, url],
            ),
            (
                "v=TLSRPTv1; x.y-z_1=v/!:,; rua=mailto:r@a.test; a=b",
                &[mail],
            ),
            ("v=TLSRPTv1; rua=MAILTO:r@a.test?subject=x%2Cy", &[mail]),
            (
                "v=TLSRPTv1; rua=https://[2001:db8::1]:8443/r?a=b%3B",
                &["https://[2001:db8::1]:8443/r?a=b%3B"],
            ),
            (
                "v=TLSRPTv1; rua=mailto:r%21%2b@a.test",
                &["mailto:r%21+@a.test"],
            ),
            ("v=TLSRPTv1; rua=mailto:r@a.test,mailto:r@a.test", &[mail]),
        ] {
            let (found, ignored) = one(text);
            assert_eq!(found, targets, "{text}");
            assert_eq!(ignored, Vec::<String>::new(), "{text}");
        }
    }

    /// RP-02: other schemes, and targets that no report can be sent to, are passed over beside a good
    /// one.
    #[test]
    fn ignored_uris() {
        for uri in [
            "http://a.test/r",
            "ftp:x",
            "urn:x-1+2.3:y",
            "mailto:",
            "mailto:a.test",
            "mailto:a%2Cb@c.test",
            "https:",
            "https:///x",
            "https://u:p@a.test/",
        ] {
            let (targets, ignored) = one(&format!("v=TLSRPTv1; rua={uri}, mailto:r@a.test"));
            assert_eq!(targets, ["mailto:r@a.test"], "{uri}");
            assert_eq!(ignored, [uri]);
            let alone = finding(&[&[&format!("v=TLSRPTv1; rua={uri}")]]);
            let why = MalformedTlsrptRecord::NoTarget;
            assert_eq!(alone, TlsrptRecordFinding::Malformed(why), "{uri}");
        }
    }

    /// RP-02: a record cannot have thousands of strangers written to.
    #[test]
    fn targets_are_bounded() {
        let uris: Vec<String> = (0..=TARGETS)
            .map(|number| format!("mailto:r@a{number}.test"))
            .collect();
        let (targets, ignored) = one(&format!("v=TLSRPTv1; rua={}", uris.join(",")));
        assert_eq!(Some(targets.as_slice()), uris.get(..TARGETS));
        assert_eq!(Some(ignored.as_slice()), uris.get(TARGETS..));
    }

    /// RP-02: what the grammar does not let pass.
    #[test]
    fn bad_records() {
        use MalformedTlsrptRecord::{Field, NoRua, NoTarget, NotAscii, Rua};
        for (text, expected) in [
            ("v=TLSRPTv1;", Field),
            ("v=TLSRPTv1; ", Field),
            ("v=TLSRPTv1; x=y", NoRua),
            ("v=TLSRPTv1; RUA=mailto:r@a.test", NoRua),
            ("v=TLSRPTv1; rua=http://a.test", NoTarget),
            ("v=TLSRPTv1; rua=", Rua),
            ("v=TLSRPTv1; rua=;", Rua),
            ("v=TLSRPTv1; rua=,,", Rua),
            ("v=TLSRPTv1; rua=mailto:r@a.test,,https://a.test", Rua),
            ("v=TLSRPTv1; rua=mailto:r@a.test,", Rua),
            ("v=TLSRPTv1; rua=,mailto:r@a.test", Rua),
            ("v=TLSRPTv1; rua= mailto:r@a.test", Rua),
            ("v=TLSRPTv1; rua =mailto:r@a.test", Field),
            ("v=TLSRPTv1; rua=r@a.test", Rua),
            ("v=TLSRPTv1; rua=1a:r", Rua),
            ("v=TLSRPTv1; rua=mailto:r@a.test mailto:s@a.test", Rua),
            ("v=TLSRPTv1; rua=mailto:r@a.test!10m", Rua),
            ("v=TLSRPTv1; rua=mailto:r@a.test%2", Rua),
            ("v=TLSRPTv1; rua=https://a.test/<x>", Rua),
            ("v=TLSRPTv1; rua=mailto:r@a.test ", Rua),
            ("v=TLSRPTv1;; rua=mailto:r@a.test", Field),
            ("v=TLSRPTv1; rua=mailto:r@a.test;;", Field),
            ("v=TLSRPTv1; x=; rua=mailto:r@a.test", Field),
            ("v=TLSRPTv1; _x=y; rua=mailto:r@a.test", Field),
            ("v=TLSRPTv1; x=a=b; rua=mailto:r@a.test", Field),
            (
                "v=TLSRPTv1; abcdefghijklmnopqrstuvwxyz0123456=x; rua=mailto:r@a.test",
                Field,
            ),
            ("v=TLSRPTv1; rua=mailto:\u{e4}@a.test", NotAscii),
        ] {
            let found = finding(&[&[text]]);
            assert_eq!(found, TlsrptRecordFinding::Malformed(expected), "{text:?}");
            assert_eq!(read_text(text), found);
        }
    }

    /// RP-01: strings are joined as they are; foreign records, later versions among them, are dropped;
    /// anything but exactly one of ours leaves no reporting.
    #[test]
    fn several_records() {
        let good = finding(&[
            &["v=TLSRPT", "v1; ru", "a=mailto:r@a.test"],
            &["v=TLSRPTv10; rua=mailto:s@a.test"],
            &["v=spf1 -all"],
        ]);
        assert_eq!(good, read_text("v=TLSRPTv1; rua=mailto:r@a.test"));
        assert!(matches!(good, TlsrptRecordFinding::One(_)));
        let own: &[&str] = &["v=TLSRPTv1; rua=mailto:r@a.test"];
        assert_eq!(finding(&[own, own]), TlsrptRecordFinding::Several);
        // One that is malformed is one of ours all the same.
        let several = finding(&[own, &["v=TLSRPTv1;"]]);
        assert_eq!(several, TlsrptRecordFinding::Several);
        assert_eq!(finding(&[]), TlsrptRecordFinding::Absent);
        for text in [
            "",
            "v=TLSRPTv1",
            "v=TLSRPTv10; rua=mailto:r@a.test",
            "v=TLSRPTv1.1; rua=mailto:r@a.test",
            "V=TLSRPTv1; rua=mailto:r@a.test",
            " v=TLSRPTv1; rua=mailto:r@a.test",
            "rua=mailto:r@a.test; v=TLSRPTv1",
        ] {
            let found = finding(&[&[text]]);
            assert_eq!(found, TlsrptRecordFinding::Absent, "{text:?}");
            assert_eq!(read_text(text), found);
        }
    }
}
