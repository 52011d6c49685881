//! Replies of SMTP servers (RFC 5321, 4.2): a code and lines of text.
//!
//! The caller owns the connection, its buffer and how long it waits; nothing is copied and nothing is
//! kept between calls. Not done here: what a code means, and which command it answers.
//!
//! Read more generously than the RFC writes: a line may end in a bare line feed, and may be twice as
//! long as 512 octets; a last line may be its code alone.

use nom::branch::alt;
use nom::bytes::streaming::{tag, take_till};
use nom::character::streaming::satisfy;
use nom::combinator::{map, peek};
use nom::{IResult, Parser as _};
use thiserror::Error;

/// One reply at the front of the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply<'a> {
    /// The three digits (RFC 5321, 4.2.1), from 200 to 599.
    pub code: u16,
    /// The text of each line, without code, separator and line end: any octets but line feeds. Never
    /// empty.
    pub lines: Vec<&'a [u8]>,
    /// How many octets of the input the reply took; what follows belongs to nobody's question.
    pub consumed: usize,
}

/// Octets that no further octet can make a reply. Nobody knows where the next reply would begin, so
/// close the connection on each of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Malformed {
    /// A line does not begin with a code of RFC 5321, 4.2.
    #[error("a line of the reply does not begin with a code")]
    Code,
    /// The lines of one reply have different codes (RFC 5321, 4.2.1).
    #[error("the lines of the reply have different codes")]
    CodesDiffer,
    /// Neither a blank, nor a hyphen, nor the line's end follows the code.
    #[error("the code is followed by neither a blank nor a hyphen")]
    Separator,
    /// A line has more than [`LINE_LIMIT`] octets.
    #[error("a line of the reply is longer than {LINE_LIMIT} octets")]
    LineTooLong,
    /// The reply has more than [`LINES`] lines.
    #[error("the reply has more than {LINES} lines")]
    TooManyLines,
    /// The reply has more than [`REPLY_LIMIT`] octets.
    #[error("the reply is longer than {REPLY_LIMIT} octets")]
    TooLong,
}

/// Takes one reply off the front of `input`.
///
/// `Ok(None)` asks the caller to read more and to call again with the longer input. A caller that
/// keeps reading holds less than [`REPLY_LIMIT`] octets when it does.
///
/// ```
/// use hoplock_wire::smtp_reply::{decode, Malformed};
///
/// let input = b"250-mx.example.test\r\n250-SIZE 1000\r\n250 STARTTLS\r\n220 ";
/// let reply = decode(input)?.ok_or("a whole reply")?;
/// assert_eq!((reply.code, reply.lines.len()), (250, 3));
/// assert!(reply.offers("starttls"));
///
/// assert_eq!(decode(&input[reply.consumed..]), Ok(None));
/// assert_eq!(decode(b"SSH-2.0-OpenSSH\r\n"), Err(Malformed::Code));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Malformed`] where no continuation is a reply. The same error comes back for every longer input.
pub fn decode(input: &[u8]) -> Result<Option<Reply<'_>>, Malformed> {
    // What stands behind the limit changes no judgement.
    let window = input.get(..REPLY_LIMIT).unwrap_or(input);
    match reply(window) {
        Ok((rest, (code, lines))) => Ok(Some(Reply {
            code,
            lines,
            consumed: window.len() - rest.len(),
        })),
        Err(nom::Err::Incomplete(_)) if window.len() == REPLY_LIMIT => Err(Malformed::TooLong),
        Err(nom::Err::Incomplete(_)) => Ok(None),
        Err(nom::Err::Error(why) | nom::Err::Failure(why)) => Err(why),
    }
}

impl<'a> Reply<'a> {
    /// The extensions in a reply to EHLO (RFC 5321, 4.1.1.1), each with its parameters: all lines but
    /// the first, which has the server's name.
    pub fn extensions(&self) -> impl Iterator<Item = &'a [u8]> + '_ {
        self.lines.iter().skip(1).map(|line| line.trim_ascii())
    }

    /// Whether a reply to EHLO has this extension; keywords are compared without regard to case
    /// (RFC 5321, 2.4).
    #[must_use]
    pub fn offers(&self, keyword: &str) -> bool {
        self.extensions().any(|extension| {
            let word = extension.split(u8::is_ascii_whitespace).next();
            word.is_some_and(|word| word.eq_ignore_ascii_case(keyword.as_bytes()))
        })
    }
}

/// Text of a server for people's eyes: whatever is not visible ASCII is written as `\x` and two
/// digits, so that it can neither steer a terminal nor begin another line.
///
/// ```
/// assert_eq!(hoplock_wire::smtp_reply::printable(b"hi\x1b[2J"), "hi\\x1b[2J");
/// ```
#[must_use]
pub fn printable(text: &[u8]) -> String {
    use std::fmt::Write as _;
    text.iter().fold(String::new(), |mut shown, octet| {
        if matches!(octet, b' '..=b'~') {
            shown.push(char::from(*octet));
        } else {
            // Writing to a string does not fail.
            let _ = write!(shown, "\\x{octet:02x}");
        }
        shown
    })
}

/// Octets of one line with its end. RFC 5321, 4.5.3.1.5 permits 512 and asks to read more where that
/// is possible; this is twice as much.
pub const LINE_LIMIT: usize = 1024;
/// Lines of one reply. Servers with every known extension have some thirty.
pub const LINES: usize = 100;
/// Octets of one reply: [`LINES`] lines of a good length.
pub const REPLY_LIMIT: usize = 16 * 1024;

type Parsed<'a, T> = IResult<&'a [u8], T, Malformed>;

fn reply(input: &[u8]) -> Parsed<'_, (u16, Vec<&[u8]>)> {
    let (mut rest, first) = line(input, None)?;
    let mut lines = vec![first.text];
    let mut more = first.more;
    while more {
        if lines.len() == LINES {
            return refuse(Malformed::TooManyLines);
        }
        let (behind, next) = line(rest, Some(first.code))?;
        lines.push(next.text);
        (rest, more) = (behind, next.more);
    }
    Ok((rest, (first.code, lines)))
}

struct Line<'a> {
    code: u16,
    more: bool,
    text: &'a [u8],
}

fn line(input: &[u8], expected: Option<u16>) -> Parsed<'_, Line<'_>> {
    let (rest, code) = code(input)?;
    if expected.is_some_and(|expected| expected != code) {
        return refuse(Malformed::CodesDiffer);
    }
    let (rest, more) = separator(rest)?;
    let ended = take_till::<_, _, ()>(|octet| octet == b'\n')(rest);
    let length = match &ended {
        Ok((end, _)) => input.len() - end.len() + 1,
        // The line feed has not come.
        Err(_) => input.len() + 1,
    };
    if length > LINE_LIMIT {
        return refuse(Malformed::LineTooLong);
    }
    let (rest, text) = blame(ended, Malformed::LineTooLong)?;
    let (rest, _) = blame(tag("\n")(rest), Malformed::LineTooLong)?;
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    Ok((rest, Line { code, more, text }))
}

/// RFC 5321, 4.2: 2 to 5, and two digits. The second is any, as some servers have it.
fn code(input: &[u8]) -> Parsed<'_, u16> {
    let first = |c| matches!(c, '2'..='5');
    let (mut rest, mut code) = (input, 0);
    for place in 0..3 {
        let (behind, digit) = if place == 0 {
            blame(satisfy(first)(rest), Malformed::Code)?
        } else {
            blame(satisfy(|c| c.is_ascii_digit())(rest), Malformed::Code)?
        };
        let value = digit
            .to_digit(10)
            .and_then(|digit| u16::try_from(digit).ok());
        code = code * 10 + value.unwrap_or_default();
        rest = behind;
    }
    Ok((rest, code))
}

/// True where another line follows.
fn separator(input: &[u8]) -> Parsed<'_, bool> {
    let found = alt((
        map(tag("-"), |_| true),
        map(tag(" "), |_| false),
        map(peek(tag("\r")), |_| false),
        map(peek(tag("\n")), |_| false),
    ))
    .parse(input);
    blame(found, Malformed::Separator)
}

fn refuse<T>(why: Malformed) -> Parsed<'static, T> {
    Err(nom::Err::Failure(why))
}

/// Says what is wrong where a step failed; a step that only lacks octets stays as it is.
fn blame<T>(parsed: IResult<&[u8], T, ()>, why: Malformed) -> Parsed<'_, T> {
    parsed.map_err(|failed| failed.map(|()| why))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use proptest::prelude::{any, prop_assert, proptest};

    use super::*;

    /// Octets, the code and the lines that they are.
    type Example = (&'static [u8], u16, &'static [&'static [u8]]);

    const REPLIES: &[Example] = &[
        (b"220 mx.e.test ESMTP\r\n", 220, &[b"mx.e.test ESMTP"]),
        (b"220\r\n", 220, &[b""]),
        (b"220 \r\n", 220, &[b""]),
        (b"220\n", 220, &[b""]),
        (b"250 ok\n", 250, &[b"ok"]),
        (
            b"220-\r\n220-two\r\n220 three\r\n",
            220,
            &[b"", b"two", b"three"],
        ),
        (
            b"250-a\n250-STARTTLS\r\n250\r\n",
            250,
            &[b"a", b"STARTTLS", b""],
        ),
        (b"554 a-b c\r\n", 554, &[b"a-b c"]),
        (b"299 \xff\x00\x1b\r\r\n", 299, &[b"\xff\x00\x1b\r"]),
        (b"590 odd\r\n", 590, &[b"odd"]),
    ];

    /// Input, and the first octet (counted from one) that rules out a reply.
    const MALFORMED: &[(&[u8], usize, Malformed)] = &[
        (b"HTTP/1.1 400", 1, Malformed::Code),
        (b"120 x\r\n", 1, Malformed::Code),
        (b"620 x\r\n", 1, Malformed::Code),
        (b" 220 x\r\n", 1, Malformed::Code),
        (b"\r\n220 x\r\n", 1, Malformed::Code),
        (b"\x16\x03\x01", 1, Malformed::Code),
        (b"2a0 x\r\n", 2, Malformed::Code),
        (b"22 x\r\n", 3, Malformed::Code),
        (b"2200 x\r\n", 4, Malformed::Separator),
        (b"220x\r\n", 4, Malformed::Separator),
        (b"220\t\r\n", 4, Malformed::Separator),
        (b"220-a\r\nb\r\n", 8, Malformed::Code),
        (b"220-a\r\n221 b\r\n", 10, Malformed::CodesDiffer),
        (b"250-a\r\n250+b\r\n", 11, Malformed::Separator),
    ];

    #[test]
    fn replies_decode_at_every_split_point() {
        for &(bytes, code, lines) in REPLIES {
            for end in 0..bytes.len() {
                assert_eq!(decode(&bytes[..end]), Ok(None), "{end} of {bytes:?}");
            }
            for rest in [&b""[..], b"2", b"250 next\r\n", b"\x16\x03"] {
                let longer = [bytes, rest].concat();
                let reply = decode(&longer).unwrap().unwrap();
                assert_eq!((reply.code, &reply.lines[..]), (code, lines));
                assert_eq!(reply.consumed, bytes.len());
            }
        }
    }

    #[test]
    fn malformed_input_is_refused_at_the_first_wrong_octet() {
        for &(bytes, wrong, why) in MALFORMED {
            for end in 0..wrong {
                assert_eq!(decode(&bytes[..end]), Ok(None), "{end} of {bytes:?}");
            }
            for end in wrong..=bytes.len() {
                assert_eq!(decode(&bytes[..end]), Err(why), "{end} of {bytes:?}");
            }
        }
    }

    /// A line of the limit is read, one octet more is not, whether its end has come or not.
    #[test]
    fn lines_are_bounded() {
        let line = |text: usize| [b"220 ", &vec![b'x'; text][..], b"\n"].concat();
        let longest = line(LINE_LIMIT - 5);
        assert_eq!(longest.len(), LINE_LIMIT);
        assert!(decode(&longest).unwrap().is_some());
        assert_eq!(decode(&longest[..LINE_LIMIT - 1]), Ok(None));
        let longer = line(LINE_LIMIT - 4);
        assert_eq!(decode(&longer[..LINE_LIMIT]), Err(Malformed::LineTooLong));
        assert_eq!(decode(&longer), Err(Malformed::LineTooLong));
        let endless = vec![b'2'; 3].into_iter().chain(vec![b' '; 1 << 20]);
        let endless: Vec<u8> = endless.collect();
        assert_eq!(decode(&endless), Err(Malformed::LineTooLong));
    }

    #[test]
    fn replies_are_bounded() {
        let lines = |count: usize| [b"250-x\n".repeat(count), b"250 x\n".to_vec()].concat();
        assert_eq!(
            decode(&lines(LINES - 1)).unwrap().unwrap().lines.len(),
            LINES
        );
        assert_eq!(decode(&lines(LINES)), Err(Malformed::TooManyLines));
        let wide = [b"250-", &[b'x'; 1000][..], b"\n"].concat().repeat(17);
        assert!(wide.len() > REPLY_LIMIT);
        assert_eq!(decode(&wide), Err(Malformed::TooLong));
        assert_eq!(decode(&wide[..REPLY_LIMIT]), Err(Malformed::TooLong));
        assert_eq!(decode(&wide[..REPLY_LIMIT - 1]), Ok(None));
    }

    #[test]
    fn extensions_are_found_whatever_their_case() {
        let offers = |text: &[u8]| decode(text).unwrap().unwrap().offers("STARTTLS");
        assert!(offers(b"250-mx\r\n250 STARTTLS\r\n"));
        assert!(offers(b"250-mx\r\n250-StartTls \r\n250 SIZE 9\r\n"));
        assert!(offers(b"250-mx\r\n250 starttls now\r\n"));
        // The first line names the server, whatever the server is called.
        assert!(!offers(b"250 STARTTLS\r\n"));
        assert!(!offers(b"250-mx\r\n250 XSTARTTLS\r\n"));
        assert!(!offers(b"250-mx\r\n250-STARTTLSX\r\n250 X STARTTLS\r\n"));
        let reply = b"250-mx\r\n250-SIZE 9 \r\n250 8BITMIME\r\n";
        let reply = decode(reply).unwrap().unwrap();
        let extensions: Vec<&[u8]> = reply.extensions().collect();
        assert_eq!(extensions, [&b"SIZE 9"[..], b"8BITMIME"]);
    }

    #[test]
    fn text_is_made_harmless() {
        assert_eq!(printable(b"it's \"ok\" \\"), "it's \"ok\" \\");
        assert_eq!(
            printable(b"\x1b]0;x\x07\r\xe2\x80\xae"),
            "\\x1b]0;x\\x07\\x0d\\xe2\\x80\\xae"
        );
    }

    proptest! {
        /// A judgement on a start of the input is the judgement on all of it.
        #[test]
        fn prefixes_agree_with_the_whole(text in "(25[0-2][- x]?[ab\r]{0,3}\n?){0,4}") {
            let bytes = text.as_bytes();
            let whole = decode(bytes);
            for end in 0..bytes.len() {
                let start = decode(&bytes[..end]);
                prop_assert!(start == Ok(None) || start == whole, "{start:?}, {whole:?}");
            }
        }

        /// Any octets are judged, and the checks of the fuzz target hold for them.
        #[test]
        fn garbage_is_judged(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            crate::fuzzing::smtp_reply(&bytes);
        }
    }
}
