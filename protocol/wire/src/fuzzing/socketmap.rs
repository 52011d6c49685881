//! The target `socketmap`.

use std::str::from_utf8;

use crate::netstring::{self, Frame};
use crate::socketmap::{
    BadReply, BadRequest, REPLY_LIMIT, Received, Reply, decode_reply, decode_request,
};

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
