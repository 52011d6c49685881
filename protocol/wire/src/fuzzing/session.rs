//! The target `session`.

use data_encoding::BASE64;
use serde_json::Value;

use crate::lines::{Found, LineFramer};
use crate::session::{
    CHAIN_LIMIT, ErrorLine, LINE_LIMIT, LIST_LIMIT, ReportedSession, SessionError, Sni,
    VerdictLine, decode,
};

/// The target `session`: the bytes as a stream of reports, as one report, and as words of answers.
pub fn session(bytes: &[u8]) {
    for limit in [0, 1, 7, 64, LINE_LIMIT] {
        let at_once = lines(limit, [bytes]);
        assert_eq!(at_once, plain(limit, bytes), "lines of at most {limit}");
        for size in [1, 7] {
            let pieces = lines(limit, bytes.chunks(size));
            assert_eq!(pieces, at_once, "in pieces of {size}");
        }
    }
    report(bytes);
    for line in bytes.split(|byte| *byte == b'\n') {
        report(line);
    }
    answers(&String::from_utf8_lossy(bytes));
}

fn report(line: &[u8]) {
    match decode(line) {
        Ok(session) => {
            let mut encoded = Vec::new();
            session.encode(&mut encoded);
            is_one_line(&encoded);
            assert_eq!(decode(&encoded).as_ref(), Ok(&session), "encode, decode");
            is_read(line, &session);
        }
        Err(why) => {
            is_named(line, &why);
            answers(&why.to_string());
        }
    }
}

/// Each known key was right and was read: said again here, so as not to trust the code under test.
fn is_read(line: &[u8], session: &ReportedSession) {
    // Where an unknown key is nested too deeply for serde_json's values, it alone was passed over.
    let Ok(value) = serde_json::from_slice::<Value>(line) else {
        return;
    };
    let object = value.as_object().cloned().unwrap_or_default();
    for (key, value) in &object {
        assert!(!is_wrong(key, value), "{key} is {value}, and was read");
    }
    let said = |key: &str| object.get(key).is_some_and(|value| !value.is_null());
    let text = |key: &str| object.get(key).and_then(Value::as_str);
    for (key, read) in [
        ("id", &session.id),
        ("next_hop", &session.next_hop),
        ("mx_host", &session.mx_host),
        ("time", &session.time),
        ("tls_version", &session.tls_version),
        ("cipher", &session.cipher),
        ("sts_policy", &session.sts_policy),
    ] {
        assert_eq!(read.as_deref(), text(key), "{key}");
    }
    assert_eq!(session.address.is_some(), said("address"));
    assert_eq!(session.port.is_some(), said("port"));
    assert_eq!(session.starttls.map(|own| own.word()), text("starttls"));
    assert_eq!(session.chain.is_some(), said("chain"));
    assert_eq!(session.raw_key.is_some(), said("raw_key"));
    assert_eq!(session.resumed.is_some(), said("resumed"));
    assert_eq!(session.tlsa.is_some(), said("tlsa"));
    assert_eq!(session.names.is_some(), said("names"));
    let sni = match object.get("sni") {
        None => Sni::Unknown,
        Some(Value::String(name)) if !name.is_empty() => Sni::Sent(name.clone()),
        Some(_) => Sni::NotSent,
    };
    assert_eq!(session.sni, sni);
}

/// The error is what is wrong.
fn is_named(line: &[u8], why: &SessionError) {
    let value = serde_json::from_slice::<Value>(line);
    let holds = match (why, &value) {
        (SessionError::TooLong { length }, _) => *length == line.len() && *length > LINE_LIMIT,
        (SessionError::NotAnObject, Ok(value)) => !value.is_object(),
        // What is no object is not read on.
        (SessionError::NotAnObject, Err(_)) => true,
        (SessionError::CutShort | SessionError::NotJson { .. }, value) => value.is_err(),
        (SessionError::Expected { place, .. } | SessionError::NotBase64 { place }, Ok(value)) => {
            value
                .get(place.key)
                .is_some_and(|value| is_wrong(place.key, value))
        }
        (SessionError::TooMany { key, count, limit }, Ok(value)) => {
            let list = value.get(*key).and_then(Value::as_array);
            count > limit && list.is_some_and(|list| list.len() == *count)
        }
        (SessionError::Twice { key }, Ok(_)) => {
            // The key may be written with escapes; once plainly is the least to be expected of it.
            let text = String::from_utf8_lossy(line);
            text.contains(key) || text.contains('\\')
        }
        // Nested too deeply for serde_json's values behind an unknown key.
        (_, Err(_)) => true,
    };
    assert!(holds, "{why} is not what is wrong");
}

fn is_wrong(key: &str, value: &Value) -> bool {
    let no_text = |value: &Value| !value.is_string();
    let no_der = |value: &Value| {
        let text = value.as_str().unwrap_or_default();
        !BASE64
            .decode(text.as_bytes())
            .is_ok_and(|der| !der.is_empty())
    };
    let list = |limit: usize, wrong: &dyn Fn(&Value) -> bool| {
        let values = value.as_array();
        values.is_none_or(|values| values.len() > limit || values.iter().any(wrong))
    };
    if value.is_null() {
        return false;
    }
    match key {
        "id" | "next_hop" | "mx_host" | "time" | "tls_version" | "cipher" | "sts_policy"
        | "sni" => no_text(value),
        "address" => {
            let text = value.as_str().unwrap_or_default();
            text.parse::<std::net::IpAddr>().is_err()
        }
        "port" => !value
            .as_u64()
            .is_some_and(|port| (1..=65_535).contains(&port)),
        "starttls" => {
            let words = ["used", "not-offered", "refused", "failed"];
            !value.as_str().is_some_and(|word| words.contains(&word))
        }
        "resumed" => !value.is_boolean(),
        "raw_key" => no_der(value),
        "chain" => list(CHAIN_LIMIT, &no_der),
        "tlsa" | "names" => list(LIST_LIMIT, &no_text),
        _ => false,
    }
}

/// Whatever the words are, an answer is one line, and says them.
fn answers(words: &str) {
    let mut encoded = Vec::new();
    ErrorLine {
        error: words,
        line: 7,
    }
    .encode(&mut encoded);
    is_one_line(&encoded);
    let read: Option<Value> = serde_json::from_slice(&encoded).ok();
    let said = read.as_ref().and_then(|read| read.get("error")?.as_str());
    assert_eq!(said, Some(words));

    let mut encoded = Vec::new();
    let verdict = VerdictLine {
        reason: words,
        warnings: vec![words],
        id: Some(words),
        ..VerdictLine::default()
    };
    verdict.encode(&mut encoded);
    is_one_line(&encoded);
    let read: Option<Value> = serde_json::from_slice(&encoded).ok();
    let said = read.as_ref().and_then(|read| read.get("id")?.as_str());
    assert_eq!(said, Some(words));
}

fn is_one_line(encoded: &[u8]) {
    let end = encoded.iter().position(|byte| *byte == b'\n');
    assert_eq!(end, encoded.len().checked_sub(1), "one line");
}

/// Number and bytes of each line, or number alone for one that is too long.
type Lines = Vec<(u64, Option<Vec<u8>>)>;

fn own(found: Found<'_>) -> (u64, Option<Vec<u8>>) {
    match found {
        Found::Line { number, bytes } => (number, Some(bytes.to_vec())),
        Found::Overlong { number } => (number, None),
    }
}

/// The lines of a connection that brings these pieces.
fn lines<'a>(limit: usize, pieces: impl IntoIterator<Item = &'a [u8]>) -> Lines {
    let mut framer = LineFramer::new(limit);
    let (mut lines, mut buffer) = (Vec::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            let step = framer.decode(&buffer);
            let (consumed, found) = (step.consumed, step.found.map(own));
            buffer.drain(..consumed);
            match found {
                Some(found) => lines.push(found),
                None => break,
            }
        }
        assert!(buffer.len() <= limit + 1, "more than a line is kept");
    }
    lines.extend(framer.finish(&buffer).map(own));
    lines
}

/// The same, read plainly.
fn plain(limit: usize, bytes: &[u8]) -> Lines {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let lines = (1..).zip(bytes.split(|byte| *byte == b'\n'));
    let lines = lines.filter_map(|(number, line)| {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let blank = line.iter().all(u8::is_ascii_whitespace);
        match line.len() > limit {
            true => Some((number, None)),
            false => (!blank).then(|| (number, Some(line.to_vec()))),
        }
    });
    lines.collect()
}
