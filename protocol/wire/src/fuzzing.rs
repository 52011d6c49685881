//! What must hold for any bytes at all, as functions that panic when it does not.
//!
//! The fuzz targets and the replay of their corpus (`tests/corpus.rs`) call the same functions, one
//! for each target. Hidden from the documentation: this is no part of the interface.

use std::str::from_utf8;

use crate::netstring::{self, Frame, Malformed};
use crate::smtp_reply::{self, LINE_LIMIT, LINES, REPLY_LIMIT as SMTP_LIMIT};
use crate::socketmap::{
    BadReply, BadRequest, QUERY_LIMIT, REPLY_LIMIT, Received, Reply, decode_reply, decode_request,
};

/// The target `netstring`: the bytes as a stream of netstrings, and as the inside of one.
pub fn netstring(bytes: &[u8]) {
    for limit in [0, 1, 9, 100, QUERY_LIMIT, usize::MAX] {
        judgement_comes_once(bytes, limit);
    }
    let at_once = stream([bytes]);
    assert_eq!(at_once, stream(bytes.chunks(1)), "byte by byte");
    assert_eq!(at_once, stream(bytes.chunks(7)), "seven bytes at a time");

    let mut encoded = Vec::new();
    netstring::encode(bytes, &mut encoded);
    let frame = Frame {
        payload: bytes,
        consumed: encoded.len(),
    };
    assert_eq!(
        netstring::decode(&encoded, bytes.len()),
        Ok(Some(frame)),
        "encode, decode"
    );
}

/// The target `socketmap`: the bytes as a request, as a reply, and as the text of replies.
pub fn socketmap(bytes: &[u8]) {
    request(bytes);
    reply(bytes);
    let text = String::from_utf8_lossy(bytes).into_owned();
    for limit in [0, 4, 8, 9, 60, 100, REPLY_LIMIT] {
        for reply in [
            Reply::Ok(text.clone()),
            Reply::NotFound,
            Reply::temp(text.clone()),
        ] {
            written(&reply, limit);
        }
    }
}

/// The target `smtp_reply`: the bytes as replies of a server, and as their text.
pub fn smtp_reply(bytes: &[u8]) {
    let prefix = |end: usize| bytes.get(..end).unwrap_or(bytes);
    let judge = |end: usize| smtp_reply::decode(prefix(end));
    // The ends at which a judgement can come first, and some between them.
    let ends = (0..=bytes.len()).filter(|end| *end < 4096 || end % 977 == 0 || *end == bytes.len());
    let judged = ends.into_iter().find(|end| judge(*end) != Ok(None));
    assert!(
        judged.is_some() || bytes.len() < SMTP_LIMIT,
        "read for ever"
    );
    let Some(judged) = judged else { return };
    assert_eq!(
        judge(judged),
        judge(bytes.len()),
        "more bytes changed the judgement"
    );
    let Ok(Some(reply)) = judge(bytes.len()) else {
        return;
    };
    assert!((200..600).contains(&reply.code));
    assert!((1..=LINES).contains(&reply.lines.len()));
    assert!(reply.consumed <= SMTP_LIMIT);
    assert!(prefix(reply.consumed).ends_with(b"\n"));
    let written: Vec<u8> = reply
        .lines
        .iter()
        .enumerate()
        .flat_map(|(number, line)| {
            assert!(line.len() < LINE_LIMIT && !line.contains(&b'\n'));
            let shown = smtp_reply::printable(line);
            assert!(shown.bytes().all(|byte| matches!(byte, b' '..=b'~')));
            let last = number + 1 == reply.lines.len();
            let head = format!("{}{}", reply.code, if last { ' ' } else { '-' });
            [head.as_bytes(), line, b"\r\n"].concat()
        })
        .collect();
    // Written as the RFC has it, it may pass the limits that it keeps as it came.
    if let Ok(Some(again)) = smtp_reply::decode(&written) {
        assert_eq!((again.code, &again.lines), (reply.code, &reply.lines));
        assert_eq!(again.offers("STARTTLS"), reply.offers("starttls"));
    }
}

/// While a netstring may still come, the answer is "read more"; from some byte on it is the same
/// frame or the same error for ever.
fn judgement_comes_once(bytes: &[u8], limit: usize) {
    let prefix = |end: usize| bytes.get(..end).unwrap_or(bytes);
    let judge = |end: usize| netstring::decode(prefix(end), limit);
    let judged = (0..=bytes.len()).find(|&end| judge(end) != Ok(None));
    let Some(judged) = judged else {
        return can_be_completed(bytes, limit);
    };
    if let Some(before) = judged.checked_sub(1) {
        can_be_completed(prefix(before), limit);
    }
    assert_eq!(
        judge(judged),
        judge(bytes.len()),
        "more bytes changed the judgement"
    );
    if let Ok(Some(frame)) = judge(judged) {
        assert!(frame.payload.len() <= limit, "longer than the limit");
        assert_eq!(
            frame.consumed, judged,
            "a frame ends at the byte that completes it"
        );
        let mut encoded = Vec::new();
        netstring::encode(frame.payload, &mut encoded);
        assert_eq!(encoded, prefix(judged), "decode, encode");
    }
}

/// "Read more" is only said where more can help.
fn can_be_completed(start: &[u8], limit: usize) {
    let colon = start.iter().position(|byte| *byte == b':');
    let (digits, inside) = start.split_at(colon.unwrap_or(start.len()));
    // No digit yet, any number may come: zero will do.
    let digits = if digits.is_empty() { b"0" } else { digits };
    let length = from_utf8(digits)
        .ok()
        .and_then(|digits| digits.parse::<usize>().ok());
    assert!(
        length.is_some(),
        "no number in {start:?}, and more bytes are asked for"
    );
    let length = length.unwrap_or_default();
    if length > REPLY_LIMIT {
        // Too much to make up here; only a limit beyond every caller's comes to this.
        return assert!(
            length <= limit,
            "longer than the limit, and more bytes are asked for"
        );
    }
    let inside = inside.get(1..).unwrap_or_default();
    let mut whole = digits.to_vec();
    whole.push(b':');
    whole.extend_from_slice(inside);
    whole.resize(whole.len() - inside.len() + length, b'x');
    whole.push(b',');
    assert!(whole.starts_with(start), "the end of {start:?} is missed");
    let decoded = netstring::decode(&whole, limit);
    assert!(
        matches!(decoded, Ok(Some(_))),
        "nothing completes {start:?}: {decoded:?}"
    );
}

/// The payloads of a connection that brings these pieces, and how it ended.
fn stream<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Vec<u8>>, Option<Malformed>) {
    let (mut payloads, mut buffer) = (Vec::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match netstring::decode(&buffer, QUERY_LIMIT) {
                Ok(Some(frame)) => {
                    payloads.push(frame.payload.to_vec());
                    let consumed = frame.consumed;
                    buffer.drain(..consumed);
                }
                Ok(None) => break,
                Err(why) => return (payloads, Some(why)),
            }
        }
    }
    (payloads, None)
}

fn request(bytes: &[u8]) {
    let blank = bytes.iter().position(|byte| *byte == b' ');
    match decode_request(bytes) {
        Ok(request) => {
            let mut encoded = Vec::new();
            let written = request.encode(bytes.len(), &mut encoded);
            assert_eq!(written, Ok(()), "what was read can be written");
            let frame = Frame {
                payload: bytes,
                consumed: encoded.len(),
            };
            assert_eq!(netstring::decode(&encoded, bytes.len()), Ok(Some(frame)));
        }
        Err(why) => {
            let holds = match why {
                BadRequest::EmptyMap => blank == Some(0),
                BadRequest::EmptyKey => blank.is_some_and(|at| at + 1 == bytes.len()),
                BadRequest::NoBlank => blank.is_none(),
                BadRequest::NotUtf8 => from_utf8(bytes).is_err(),
            };
            assert!(holds, "{why:?} is not what is wrong with {bytes:?}");
            written(&Reply::temp(format!("bad-request: {why}")), REPLY_LIMIT);
        }
    }
}

fn reply(bytes: &[u8]) {
    let starts = |word: &str| bytes.starts_with(word.as_bytes());
    match decode_reply(bytes) {
        Ok(Received::Ok(answer)) => {
            let same = Reply::ok(answer.to_owned()).map(|reply| {
                let mut encoded = Vec::new();
                reply.encode(bytes.len(), &mut encoded);
                netstring::decode(&encoded, bytes.len())
                    .is_ok_and(|frame| frame.is_some_and(|frame| frame.payload == bytes))
            });
            assert_eq!(same, Ok(true), "an answer that is read can be given");
        }
        Ok(Received::NotFound) => assert!(starts("NOTFOUND")),
        Ok(Received::Temp(_)) => assert!(starts("TEMP")),
        Ok(Received::Timeout(_)) => assert!(starts("TIMEOUT")),
        Ok(Received::Perm(_)) => assert!(starts("PERM")),
        Err(BadReply::EmptyAnswer) => assert!(starts("OK")),
        Err(BadReply::NotUtf8) => assert!(from_utf8(bytes).is_err()),
        Err(BadReply::Control | BadReply::UnknownStatus) => {}
    }
}

/// A reply leaves as one frame within the limit, and says what it is or `TEMP`.
fn written(reply: &Reply, limit: usize) {
    let mut encoded = Vec::new();
    reply.encode(limit, &mut encoded);
    let frame = netstring::decode(&encoded, limit).ok().flatten();
    let frame = frame.filter(|frame| frame.consumed == encoded.len());
    assert!(
        frame.is_some(),
        "{reply:?} under {limit} left as {encoded:?}"
    );
    let payload = frame.map_or(&[][..], |frame| frame.payload);
    let expected = match reply {
        Reply::Ok(answer) if is_whole(answer) => Some(format!("OK {answer}")),
        Reply::NotFound => Some("NOTFOUND ".to_owned()),
        Reply::Ok(_) | Reply::Temp(_) => None,
    };
    if let Some(expected) = expected.filter(|expected| expected.len() <= limit) {
        assert_eq!(payload, expected.as_bytes(), "{reply:?} under {limit}");
        return;
    }
    // The word is whole, or cut where the limit is shorter than the word.
    let word = payload.get(..5).unwrap_or(payload);
    assert!(
        b"TEMP ".starts_with(word),
        "{reply:?} under {limit} left as {word:?}"
    );
    let printable = payload.iter().all(|byte| matches!(byte, b' '..=b'~'));
    assert!(
        printable,
        "{reply:?} left with bytes that cannot be printed"
    );
}

/// Whether every mail server reads the whole answer: said here again, so as not to trust the code
/// under test.
fn is_whole(answer: &str) -> bool {
    let shows = answer.chars().any(|character| !character.is_whitespace());
    shows && !answer.chars().any(char::is_control)
}
