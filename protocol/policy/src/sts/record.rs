//! The TXT record at `_mta-sts` (RFC 8461, 3.1).

use thiserror::Error;

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
    // RFC 8461, 3.1: strings are joined without a separator; foreign records are dropped.
    let joined: Vec<Vec<u8>> = txt.iter().map(|strings| strings.concat()).collect();
    let mut ours = joined.iter().filter(|text| has_version(text));
    match (ours.next(), ours.next()) {
        (None, _) => StsRecordFinding::Absent,
        (Some(text), None) => match read(text) {
            Ok(record) => StsRecordFinding::One(record),
            Err(why) => StsRecordFinding::Malformed(why),
        },
        (Some(_), Some(_)) => StsRecordFinding::Several,
    }
}

fn has_version(text: &[u8]) -> bool {
    let Some(rest) = text.strip_prefix(b"v=STSv1") else {
        return false;
    };
    let rest = rest.trim_ascii_start();
    rest.first() == Some(&b';')
}

fn read(text: &[u8]) -> Result<StsRecord, MalformedStsRecord> {
    let text = std::str::from_utf8(text)
        .ok()
        .filter(|text| text.is_ascii());
    let text = text.ok_or(MalformedStsRecord::NotAscii)?;
    let mut fields: Vec<&str> = text
        .split(';')
        .map(|f| f.trim_matches([' ', '\t']))
        .collect();
    if fields.last() == Some(&"") {
        fields.pop();
    }
    let mut id = None;
    for field in fields.into_iter().skip(1) {
        let (name, value) = field.split_once('=').ok_or(MalformedStsRecord::Field)?;
        if name == "id" {
            let good =
                (1..=32).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_alphanumeric());
            if !good || id.is_some() {
                return Err(MalformedStsRecord::Id);
            }
            id = Some(value.to_owned());
        }
    }
    id.map(|id| StsRecord { id })
        .ok_or(MalformedStsRecord::NoId)
}
