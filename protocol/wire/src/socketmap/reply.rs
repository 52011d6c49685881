//! Replies, as the daemon writes them: `OK`, `NOTFOUND` and `TEMP`.
//!
//! After socketmap_table(5), which also knows `TIMEOUT` and `PERM`. Those are never written:
//! Postfix treats both as it treats `TEMP`, and Sendmail takes `PERM` for "no demand" and delivers
//! unprotected. Not done here: the choice of the answer and the words of its text.

use thiserror::Error;

use crate::netstring;

/// One reply. Whatever cannot leave as it stands leaves as `TEMP`, so that the mail server waits.
///
/// ```
/// use hoplock_wire::socketmap::{Reply, REPLY_LIMIT};
///
/// let mut out = Vec::new();
/// Reply::ok("secure match=mx.good.test".to_owned())?.encode(REPLY_LIMIT, &mut out);
/// Reply::NotFound.encode(REPLY_LIMIT, &mut out);
/// Reply::temp("busy: all connections are in use".to_owned()).encode(REPLY_LIMIT, &mut out);
/// assert_eq!(
///     out,
///     b"28:OK secure match=mx.good.test,9:NOTFOUND ,37:TEMP busy: all connections are in use,",
/// );
/// # Ok::<(), hoplock_wire::socketmap::UnfitAnswer>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The map has this answer: not blank, without control characters. Make it with [`Reply::ok`],
    /// which says no at once; an answer that breaks the rule leaves as `TEMP`.
    Ok(String),
    /// The map has no answer; the mail server goes on to its next key, its next map and its default.
    NotFound,
    /// The mail server must wait and ask again. The text is `REASON: words`; what is not printable
    /// ASCII is escaped when it leaves.
    Temp(String),
}

/// A text that must not follow `OK`. Answer `TEMP` instead: something went wrong on our side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum UnfitAnswer {
    /// Nothing but blanks. Postfix up to 3.7 reads a bare `OK` as "not found" and delivers with its
    /// default; Sendmail 8.17 and 8.18 crash. Answer `TEMP`.
    #[error("the answer is empty")]
    Empty,
    /// A control character. A NUL cuts the answer in Postfix, and with it what it demands. Answer
    /// `TEMP`.
    #[error("the answer has a control character")]
    Control,
}

impl Reply {
    /// The reply `OK` with this answer.
    ///
    /// # Errors
    /// [`UnfitAnswer`] if a mail server could take the answer for less than it says.
    pub fn ok(answer: String) -> Result<Self, UnfitAnswer> {
        judge(&answer)?;
        Ok(Self::Ok(answer))
    }

    /// The reply `TEMP` with this text, `REASON: words`.
    #[must_use]
    pub fn temp(text: String) -> Self {
        Self::Temp(text)
    }

    /// Appends the reply to `out` as one whole netstring of at most `limit` bytes inside.
    ///
    /// A reply is never cut but a `TEMP`, whose meaning does not depend on its text: a longer `OK`
    /// becomes `TEMP reply-too-long: …`. If the limit is too small even for that, it is cut, and
    /// what is left is still no word that lets mail go.
    pub fn encode(&self, limit: usize, out: &mut Vec<u8>) {
        let payload = self.payload();
        if payload.len() <= limit {
            return netstring::encode(payload.as_bytes(), out);
        }
        let shorter = match self {
            Self::Ok(_) | Self::NotFound => TOO_LONG,
            Self::Temp(_) => &payload,
        };
        // All of it is ASCII, so that any byte is a place to cut.
        netstring::encode(shorter.get(..limit).unwrap_or(shorter).as_bytes(), out);
    }

    fn payload(&self) -> String {
        match self {
            Self::Ok(answer) => match judge(answer) {
                Ok(()) => format!("OK {answer}"),
                Err(why) => format!("TEMP internal-error: {why}"),
            },
            // The blank stays: every status word is followed by one.
            Self::NotFound => "NOTFOUND ".to_owned(),
            Self::Temp(text) => format!("TEMP {}", printable(text)),
        }
    }
}

/// Whether every mail server reads the whole of this answer.
fn judge(answer: &str) -> Result<(), UnfitAnswer> {
    if answer.trim().is_empty() {
        Err(UnfitAnswer::Empty)
    } else if answer.contains(char::is_control) {
        Err(UnfitAnswer::Control)
    } else {
        Ok(())
    }
}

/// Escapes all but printable ASCII: the text ends in logs and terminals.
fn printable(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            ' '..='~' => safe.push(character),
            other => safe.extend(other.escape_default()),
        }
    }
    safe
}

const TOO_LONG: &str = "TEMP reply-too-long: the answer is longer than the mail server reads";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::{any, proptest};

    use super::{Reply, TOO_LONG, UnfitAnswer};
    use crate::netstring;
    use crate::socketmap::REPLY_LIMIT;

    fn encoded(reply: &Reply, limit: usize) -> Vec<u8> {
        let mut out = Vec::new();
        reply.encode(limit, &mut out);
        out
    }

    fn payload(reply: &Reply, limit: usize) -> String {
        let out = encoded(reply, limit);
        let frame = netstring::decode(&out, limit).unwrap().unwrap();
        assert_eq!(frame.consumed, out.len());
        String::from_utf8(frame.payload.to_vec()).unwrap()
    }

    /// PF-01: byte for byte; `NOTFOUND ` keeps its blank.
    #[test]
    fn replies_encode_byte_for_byte() {
        let ok = Reply::ok("dane-only".to_owned()).unwrap();
        let temp = Reply::temp("deadline: the lookup goes on".to_owned());
        assert_eq!(encoded(&ok, REPLY_LIMIT), b"12:OK dane-only,");
        assert_eq!(encoded(&Reply::NotFound, REPLY_LIMIT), b"9:NOTFOUND ,");
        assert_eq!(
            encoded(&temp, REPLY_LIMIT),
            b"33:TEMP deadline: the lookup goes on,"
        );
    }

    /// PF-01: a bare `OK` is "not found" to Postfix 3.7 and crashes Sendmail; it never leaves, even
    /// if the variant is made by hand.
    #[test]
    fn a_blank_answer_never_leaves() {
        for blank in ["", " ", "   ", "\u{a0}"] {
            assert_eq!(Reply::ok(blank.to_owned()), Err(UnfitAnswer::Empty));
            let by_hand = Reply::Ok(blank.to_owned());
            assert_eq!(
                payload(&by_hand, 100),
                "TEMP internal-error: the answer is empty"
            );
        }
    }

    /// PF-01: a NUL cuts an answer in Postfix, a line ending may; no answer leaves with one.
    #[test]
    fn an_answer_with_control_characters_never_leaves() {
        for answer in ["secure\0 match=mx", "may\n", "\r", "may\u{7f}", "may\u{85}"] {
            assert!(Reply::ok(answer.to_owned()).is_err());
            let sent = payload(&Reply::Ok(answer.to_owned()), 100);
            assert!(sent.starts_with("TEMP internal-error: "), "{sent}");
        }
    }

    /// PF-01: the text of a `TEMP` leaves in one printable line, and all of it.
    #[test]
    fn a_delay_is_one_printable_line() {
        let temp = Reply::temp("bad-request: a\0b\nc\u{1b}[1m \u{fc}\u{202e}\\".to_owned());
        let expected = r"TEMP bad-request: a\u{0}b\nc\u{1b}[1m \u{fc}\u{202e}\";
        assert_eq!(payload(&temp, REPLY_LIMIT), expected);
    }

    /// PF-02: an answer of exactly the limit leaves whole; one byte more, and it is a delay.
    #[test]
    fn the_reply_limit_holds_to_the_byte() {
        let longest = Reply::ok("x".repeat(REPLY_LIMIT - 3)).unwrap();
        assert_eq!(payload(&longest, REPLY_LIMIT).len(), REPLY_LIMIT);
        assert!(encoded(&longest, REPLY_LIMIT).starts_with(b"100000:OK xxx"));

        let longer = Reply::ok("x".repeat(REPLY_LIMIT - 2)).unwrap();
        assert_eq!(payload(&longer, REPLY_LIMIT), TOO_LONG);
    }

    /// PF-02: only a `TEMP` is ever cut, and a cut one is still no word that lets mail go.
    #[test]
    fn only_a_delay_is_cut() {
        let temp = Reply::temp("busy: wait".to_owned());
        assert_eq!(payload(&temp, 15), "TEMP busy: wait");
        assert_eq!(payload(&temp, 14), "TEMP busy: wai");
        // Escapes count as they are sent.
        assert_eq!(payload(&Reply::temp("a\0".to_owned()), 8), r"TEMP a\u");
        assert_eq!(payload(&Reply::NotFound, 8), "TEMP rep");
        let ok = Reply::ok("may".to_owned()).unwrap();
        assert_eq!(payload(&ok, 5), "TEMP ");
        assert_eq!(payload(&ok, 2), "TE");
        assert_eq!(payload(&ok, 0), "");
    }

    proptest! {
        /// PF-01, PF-02: any bytes as request, reply and text pass the checks of the fuzz target.
        #[test]
        fn garbage_is_answered(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            crate::fuzzing::socketmap(&bytes);
        }

        /// PF-01, PF-02: as above, for bytes that come near a message.
        #[test]
        fn near_messages_are_answered(text in "(OK|NOTFOUND|TEMP|PERM|postfix)?[ \0\n]?(?s).{0,16}") {
            crate::fuzzing::socketmap(text.as_bytes());
        }
    }
}
