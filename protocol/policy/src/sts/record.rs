//! The TXT record at `_mta-sts` (RFC 8461, 3.1).

use nom::bytes::complete::tag;
use nom::combinator::{eof, opt};
use nom::multi::many1;
use nom::sequence::{delimited, preceded};
use nom::{IResult, Parser as _};
use thiserror::Error;

use crate::txt_record::{OfVersion, ascii, delimiter, field, of_version};

/// A valid record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StsRecord {
    /// Changes when the policy changes.
    pub id: String,
}

/// What all TXT records at the name amount to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StsRecordFinding {
    /// Exactly one valid record.
    One(StsRecord),
    /// No record begins with the version.
    Absent,
    /// More than one does: no policy.
    Several,
    /// The only one is malformed: no policy.
    Malformed(MalformedStsRecord),
}

/// Which rule a record breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum MalformedStsRecord {
    /// Bytes outside ASCII.
    #[error("the MTA-STS record is not ASCII")]
    NotAscii,
    /// No `id`.
    #[error("the MTA-STS record has no id")]
    NoId,
    /// An `id` that is not 1 to 32 letters and digits.
    #[error("the MTA-STS record's id is not 1 to 32 letters and digits")]
    Id,
    /// A field that is not `name=value`.
    #[error("the MTA-STS record has a field that is not name=value")]
    Field,
}

/// Reads the TXT records at the name: each a list of strings.
#[must_use]
pub fn read_records(txt: &[Vec<Vec<u8>>]) -> StsRecordFinding {
    match of_version(txt, VERSION) {
        OfVersion::Absent => StsRecordFinding::Absent,
        OfVersion::One(text) => match read(&text) {
            Ok(record) => StsRecordFinding::One(record),
            Err(why) => StsRecordFinding::Malformed(why),
        },
        // RFC 8461, 3.1: "if the number of resulting records is not one" there is no policy.
        OfVersion::Several => StsRecordFinding::Several,
    }
}

fn read(text: &[u8]) -> Result<StsRecord, MalformedStsRecord> {
    let text = ascii(text).ok_or(MalformedStsRecord::NotAscii)?;
    let (_, fields) = record(text).map_err(|_| MalformedStsRecord::Field)?;
    let mut ids = fields
        .iter()
        .filter(|(name, _)| *name == "id")
        .map(|(_, value)| *value);
    match (ids.next(), ids.next()) {
        (None, _) => Err(MalformedStsRecord::NoId),
        (Some(id), None) if is_id(id) => Ok(StsRecord { id: id.to_owned() }),
        (Some(_), _) => Err(MalformedStsRecord::Id),
    }
}

/// RFC 8461, 3.1: the version, fields behind semicolons, and one semicolon more where liked.
fn record(text: &str) -> IResult<&str, Vec<(&str, &str)>> {
    let fields = many1(preceded(delimiter, field));
    delimited(tag(VERSION), fields, (opt(delimiter), eof)).parse(text)
}

fn is_id(text: &str) -> bool {
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

const VERSION: &str = "v=STSv1";
/// RFC 8461, 3.1: ids have at most 32 characters.
const LONGEST: usize = 32;

#[cfg(test)]
#[allow(clippy::panic, reason = "tests")]
mod tests {
    use super::*;

    fn finding(records: &[&[&str]]) -> StsRecordFinding {
        let bytes = |text: &&str| text.as_bytes().to_vec();
        let records: Vec<Vec<Vec<u8>>> = records
            .iter()
            .map(|strings| strings.iter().map(bytes).collect())
            .collect();
        read_records(&records)
    }

    /// ST-03: what the grammar lets pass.
    #[test]
    fn good_records() {
        for text in [
            "v=STSv1; id=20260101;",
            "v=STSv1;id=a",
            "v=STSv1\t;\tid=a\t;\t",
            "v=STSv1 ; id=a ; x.y-z_1=v/!:",
            "v=STSv1; x=y; id=abcdefghijklmnopqrstuvwxyz012345",
        ] {
            assert!(
                matches!(finding(&[&[text]]), StsRecordFinding::One(_)),
                "{text:?}"
            );
        }
    }

    /// ST-03: what it does not.
    #[test]
    fn bad_records() {
        for text in [
            "v=STSv1; id=",
            "v=STSv1; id=a-b",
            "v=STSv1; id=abcdefghijklmnopqrstuvwxyz0123456",
            "v=STSv1;",
            "v=STSv1;; id=a",
            "v=STSv1; id=a;;",
            "v=STSv1; id = a",
            "v=STSv1; id=a b",
            "v=STSv1; id=a; id=b",
            "v=STSv1; id=a; _x=y",
            "v=STSv1; id=a; x=",
            "v=STSv1; id=\u{e4}",
        ] {
            let found = finding(&[&[text]]);
            assert!(
                matches!(found, StsRecordFinding::Malformed(_)),
                "{text:?}: {found:?}"
            );
        }
        for text in [
            "v=STSv10; id=a",
            "id=a; v=STSv1",
            "V=STSv1; id=a",
            "v=STSv1",
            "",
        ] {
            assert_eq!(finding(&[&[text]]), StsRecordFinding::Absent, "{text:?}");
        }
    }

    /// ST-02: strings are joined as they are; foreign records are dropped; two of ours are none.
    #[test]
    fn several_records() {
        let one = finding(&[
            &["v=STS", "v1; i", "d=a1"],
            &["something else"],
            &["v=spf1 -all"],
        ]);
        assert_eq!(
            one,
            StsRecordFinding::One(StsRecord {
                id: "a1".to_owned()
            })
        );
        let two = finding(&[&["v=STSv1; id=a"], &["v=STSv1; id=a"]]);
        assert_eq!(two, StsRecordFinding::Several);
        assert_eq!(finding(&[]), StsRecordFinding::Absent);
    }
}
