//! Replies, as a client reads them.
//!
//! After socketmap_table(5). All five status words are known here, since a client may speak to any
//! server. Stricter than Postfix: a bare `OK` and control characters are refused instead of read
//! as something else. Not done here: the policy inside an answer.

use std::str::from_utf8;

use thiserror::Error;

/// One reply that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received<'a> {
    /// The map has this answer; use it. Never blank.
    Ok(&'a str),
    /// The map has no answer; go on to the next key or the default.
    NotFound,
    /// The server cannot answer now and says why; wait.
    Temp(&'a str),
    /// The server's own source did not answer in time; wait.
    Timeout(&'a str),
    /// The server says that it will never have an answer. That is no "not found": wait.
    Perm(&'a str),
}

/// A whole frame that is no reply. On each of these wait, as after `TEMP`; never go on as if there
/// were no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadReply {
    /// A control character, behind which the rest might be lost. Wait.
    #[error("the reply has a control character")]
    Control,
    /// `OK` and nothing but blanks. Wait.
    #[error("the reply says OK without an answer")]
    EmptyAnswer,
    /// The reply is not UTF-8. Wait.
    #[error("the reply is not UTF-8")]
    NotUtf8,
    /// The first word is no status, or is not in capitals. Wait.
    #[error("the reply does not begin with OK, NOTFOUND, TEMP, TIMEOUT or PERM")]
    UnknownStatus,
}

/// Reads the inside of one netstring as a reply.
///
/// ```
/// use hoplock_wire::socketmap::{decode_reply, BadReply, Received};
///
/// assert_eq!(decode_reply(b"OK dane-only"), Ok(Received::Ok("dane-only")));
/// assert_eq!(decode_reply(b"NOTFOUND "), Ok(Received::NotFound));
/// assert_eq!(decode_reply(b"OK"), Err(BadReply::EmptyAnswer));
/// ```
///
/// # Errors
/// [`BadReply`] says what a mail server could misread.
pub fn decode_reply(payload: &[u8]) -> Result<Received<'_>, BadReply> {
    let text = from_utf8(payload).map_err(|_| BadReply::NotUtf8)?;
    if text.contains(char::is_control) {
        return Err(BadReply::Control);
    }
    // Postfix takes a status word without its blank too.
    match text.split_once(' ').unwrap_or((text, "")) {
        ("OK", answer) if answer.trim().is_empty() => Err(BadReply::EmptyAnswer),
        ("OK", answer) => Ok(Received::Ok(answer)),
        ("NOTFOUND", _) => Ok(Received::NotFound),
        ("TEMP", text) => Ok(Received::Temp(text)),
        ("TIMEOUT", text) => Ok(Received::Timeout(text)),
        ("PERM", text) => Ok(Received::Perm(text)),
        _ => Err(BadReply::UnknownStatus),
    }
}

#[cfg(test)]
mod tests {
    use super::{BadReply, Received, decode_reply};

    /// PF-01: the five words, each with and without its blank.
    #[test]
    fn replies_decode() {
        for (payload, received) in [
            (&b"OK dane-only"[..], Received::Ok("dane-only")),
            (
                b"OK secure match=mx.good.test",
                Received::Ok("secure match=mx.good.test"),
            ),
            (b"NOTFOUND ", Received::NotFound),
            (b"NOTFOUND", Received::NotFound),
            (b"NOTFOUND no policy", Received::NotFound),
            (
                b"TEMP deadline: ask again",
                Received::Temp("deadline: ask again"),
            ),
            (b"TEMP", Received::Temp("")),
            (b"TIMEOUT ", Received::Timeout("")),
            (b"PERM no", Received::Perm("no")),
        ] {
            assert_eq!(decode_reply(payload), Ok(received));
        }
    }

    /// PF-01: what a mail server could take for less than was said is no reply.
    #[test]
    fn bad_replies_are_named() {
        for (payload, why) in [
            (&b"OK"[..], BadReply::EmptyAnswer),
            (b"OK ", BadReply::EmptyAnswer),
            (b"OK    ", BadReply::EmptyAnswer),
            (b"OK secure\0match=mx", BadReply::Control),
            (b"NOTFOUND \n", BadReply::Control),
            (b"OK \xff", BadReply::NotUtf8),
            (b"", BadReply::UnknownStatus),
            (b" OK may", BadReply::UnknownStatus),
            (b"ok may", BadReply::UnknownStatus),
            (b"OKmay", BadReply::UnknownStatus),
            (b"NOTFOUNDx", BadReply::UnknownStatus),
            (b"MAYBE x", BadReply::UnknownStatus),
        ] {
            assert_eq!(decode_reply(payload), Err(why), "{payload:?}");
        }
    }
}
