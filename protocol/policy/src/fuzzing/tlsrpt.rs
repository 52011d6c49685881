//! The target `tlsrpt_record`: what a domain publishes for TLS reports.

use crate::tlsrpt::{
    ReportTarget, TARGETS, TlsrptRecord, TlsrptRecordFinding, read_records, read_text,
};

/// The target `tlsrpt_record`: TXT records, 0x1e between them and 0x1f between strings of one.
pub fn tlsrpt_record(bytes: &[u8]) {
    let records: Vec<Vec<Vec<u8>>> = bytes
        .split(|byte| *byte == 0x1e)
        .map(|record| {
            record
                .split(|byte| *byte == 0x1f)
                .map(<[u8]>::to_vec)
                .collect()
        })
        .collect();
    let found = read_records(&records);
    // RP-01: strings are joined as they are, and order is of no consequence.
    let joined: Vec<Vec<Vec<u8>>> = records.iter().map(|record| vec![record.concat()]).collect();
    assert_eq!(read_records(&joined), found);
    let turned: Vec<_> = joined.iter().rev().cloned().collect();
    assert_eq!(read_records(&turned), found);
    let (ours, mut foreign): (Vec<Vec<u8>>, Vec<Vec<u8>>) =
        joined.concat().into_iter().partition(|text| is_ours(text));
    foreign.push(b"v=TLSRPTv10; rua=mailto:r@a.test".to_vec());
    let foreign: Vec<Vec<Vec<u8>>> = foreign.into_iter().map(|text| vec![text]).collect();
    assert_eq!(read_records(&foreign), TlsrptRecordFinding::Absent);
    let agrees = match (&found, ours.as_slice()) {
        (TlsrptRecordFinding::Absent, []) | (TlsrptRecordFinding::Several, [_, _, ..]) => true,
        (TlsrptRecordFinding::One(record), [text]) => {
            one_record(&joined, text, &found);
            is_bounded(record);
            uris_of(text).is_some_and(|uris| accounts_for(record, &uris))
        }
        (TlsrptRecordFinding::Malformed(_), [text]) => uris_of(text)
            .is_none_or(|uris| uris.iter().all(|uri| ReportTarget::parse(uri).is_none())),
        _ => false,
    };
    assert!(agrees, "{found:?} of {ours:?}");
    // A mail server hands the one text over; where it is ours, the same comes of it.
    if let ([text], Ok(joined)) = (ours.as_slice(), String::from_utf8(ours.concat())) {
        assert_eq!(read_text(&joined), found, "{text:?}");
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        assert_ne!(read_text(text), TlsrptRecordFinding::Several);
    }
}

/// A second one takes the first away, and an extension changes nothing.
fn one_record(records: &[Vec<Vec<u8>>], text: &[u8], found: &TlsrptRecordFinding) {
    let twice = [records.to_vec(), vec![vec![text.to_vec()]]].concat();
    assert_eq!(read_records(&twice), TlsrptRecordFinding::Several);
    let bare = text.trim_ascii_end();
    if !bare.ends_with(b";") {
        let extended = vec![[bare, b";x=y"].concat()];
        assert_eq!(read_records(&[extended]), *found, "an extension counts");
    }
}

/// RP-02: someone to report to, no one twice, and not the whole world.
fn is_bounded(record: &TlsrptRecord) {
    assert!((1..=TARGETS).contains(&record.targets.len()));
    for (at, target) in record.targets.iter().enumerate() {
        assert!(record.targets.iter().skip(at + 1).all(|own| own != target));
        let shown = target.to_string();
        assert_eq!(
            ReportTarget::parse(&shown).as_ref(),
            Some(target),
            "reads back"
        );
        assert!(!shown.contains([',', ' ', ';']) && !shown.contains(char::is_control));
        assert!(!target.receiver().is_empty());
    }
}

/// Each URI of the record is a target or ignored, and nothing else is either.
fn accounts_for(record: &TlsrptRecord, uris: &[String]) -> bool {
    let known = |uri: &String| match ReportTarget::parse(uri) {
        Some(target) => record.targets.contains(&target) || record.targets.len() == TARGETS,
        None => record.ignored.contains(uri),
    };
    let named = |target: &ReportTarget| {
        uris.iter()
            .any(|uri| ReportTarget::parse(uri).as_ref() == Some(target))
    };
    uris.iter().all(known)
        && record.targets.iter().all(named)
        && record.ignored.iter().all(|own| uris.contains(own))
}

fn is_ours(text: &[u8]) -> bool {
    let rest = text
        .strip_prefix(b"v=TLSRPTv1")
        .map(<[u8]>::trim_ascii_start);
    rest.is_some_and(|rest| rest.starts_with(b";"))
}

/// RP-02, stated anew: the URIs of a record that keeps to the grammar; none where it has none.
fn uris_of(text: &[u8]) -> Option<Vec<String>> {
    const BLANKS: [char; 2] = [' ', '\t'];
    let text = std::str::from_utf8(text).ok()?;
    let mut parts: Vec<&str> = text.split(';').collect();
    let count = parts.len();
    for (at, part) in parts.iter_mut().enumerate() {
        // Blanks stand around semicolons: neither in front of the version nor behind the last field.
        if at > 0 {
            *part = part.trim_start_matches(BLANKS);
        }
        if at + 1 < count {
            *part = part.trim_end_matches(BLANKS);
        }
    }
    if parts.last() == Some(&"") {
        parts.pop();
    }
    let (version, fields) = parts.split_first()?;
    let mut uris = Vec::new();
    for field in fields {
        if let Some(list) = field.strip_prefix("rua=") {
            let listed: Vec<&str> = list.split(',').collect();
            let last = listed.len() - 1;
            for (at, uri) in listed.into_iter().enumerate() {
                // Blanks stand around commas: neither behind the sign nor at the end.
                let uri = if at > 0 {
                    uri.trim_start_matches(BLANKS)
                } else {
                    uri
                };
                let uri = if at < last {
                    uri.trim_end_matches(BLANKS)
                } else {
                    uri
                };
                uris.push(is_uri(uri).then(|| uri.to_owned())?);
            }
            continue;
        }
        let (name, value) = field.split_once('=')?;
        let in_name = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        let in_value = |c: char| matches!(c, '!'..='~') && !"=;".contains(c);
        let named = (1..=32).contains(&name.len())
            && name.chars().all(in_name)
            && name.starts_with(|c: char| c.is_ascii_alphanumeric());
        if !named || value.is_empty() || !value.chars().all(in_value) {
            return None;
        }
    }
    (*version == "v=TLSRPTv1" && !uris.is_empty()).then_some(uris)
}

fn is_uri(text: &str) -> bool {
    let Some(colon) = text.find(':') else {
        return false;
    };
    let (scheme, rest) = text.split_at(colon);
    let mut characters = scheme.chars();
    let good_scheme = characters.next().is_some_and(|c| c.is_ascii_alphabetic())
        && characters.all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    let mut rest = rest.chars();
    while let Some(c) = rest.next() {
        let good = match c {
            '%' => (0..2).all(|_| rest.next().is_some_and(|c| c.is_ascii_hexdigit())),
            '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}' | '!' | ',' => false,
            c => c.is_ascii_graphic(),
        };
        if !good {
            return false;
        }
    }
    good_scheme
}
