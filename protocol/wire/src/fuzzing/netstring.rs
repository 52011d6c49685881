//! The target `netstring`.

use std::str::from_utf8;

use crate::netstring::{self, Frame, Malformed};
use crate::socketmap::{QUERY_LIMIT, REPLY_LIMIT};

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
