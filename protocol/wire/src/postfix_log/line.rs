//! The head of a line: time, machine, program and process id.
//!
//! Three forms: classic syslog (RFC 3164, 4.1.2: `Nov  6 10:00:00 host program[pid]: …`), which
//! postlogd(8) writes with a zero for the blank; and the same with a time of RFC 3339, as rsyslog and
//! journalctl write it.

use nom::branch::alt;
use nom::bytes::complete::{tag, take_till1, take_while1};
use nom::character::complete::{char, digit1, space1, u32};
use nom::combinator::{opt, recognize, verify};
use nom::sequence::{delimited, terminated};
use nom::{IResult, Parser};

use super::LINE_LIMIT;
use super::event::Event;
use super::message::event;

/// One line that says something of TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine<'a> {
    /// Where and when.
    pub source: Source<'a>,
    /// What.
    pub event: Event<'a>,
}

/// Where a line comes from, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source<'a> {
    /// The time as it is written; RFC 3339, or without a year and a zone.
    pub time: &'a str,
    /// The machine, as the log names it. Process ids of two machines are two things.
    pub machine: &'a str,
    /// The program: `postfix/smtp`, and `postfix-out/smtp` or `postfix/relay/smtp` for further
    /// instances and services.
    pub process: &'a str,
    /// The process id.
    pub pid: u32,
}

/// Reads one line of a log file. `None` for all but lines of smtp(8) that matter to TLS.
///
/// Bytes that are no UTF-8 are best replaced before ([`String::from_utf8_lossy`]): they can only be
/// a server's words.
///
/// ```
/// use hoplock_wire::postfix_log::{parse_line, Event, TrustLevel};
///
/// let line = parse_line(
///     "Nov 26 10:00:00 out postfix/smtp[123]: Untrusted TLS connection established to \
///      mx.good.test[192.0.2.1]:25: TLSv1.2 with cipher ECDHE-ECDSA-AES256-GCM-SHA384 (256/256 bits)",
/// )
/// .ok_or("not read")?;
/// assert_eq!((line.source.process, line.source.pid), ("postfix/smtp", 123));
/// let Event::Connection(connection) = line.event else { return Err("no connection")? };
/// assert_eq!(connection.trust, TrustLevel::Untrusted);
/// assert_eq!(connection.peer.host, "mx.good.test");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn parse_line(line: &str) -> Option<LogLine<'_>> {
    // Most lines of a mail log end here.
    if line.len() > LINE_LIMIT || !line.contains("/smtp[") {
        return None;
    }
    let (message, source) = head(line).ok()?;
    parse_message(source, message)
}

/// Reads one message whose head came apart from it. `None` for all but messages of smtp(8) that
/// matter to TLS.
#[must_use]
pub fn parse_message<'a>(source: Source<'a>, message: &'a str) -> Option<LogLine<'a>> {
    let instance = source.process.strip_suffix("/smtp")?;
    if instance.is_empty() || message.len() > LINE_LIMIT {
        return None;
    }
    let message = message.trim_end_matches(['\r', '\n']);
    let event = event(message)?;
    Some(LogLine { source, event })
}

/// True where a line begins as those of a log do: with a time, a machine and a program.
pub(crate) fn has_head(line: &str) -> bool {
    let begin = (alt((internet_time, classic_time)), space1, word, space1);
    recognize(begin).parse(line).is_ok()
}

/// The head, and the message behind it.
pub(crate) fn head(input: &str) -> IResult<&str, Source<'_>> {
    let (rest, time) = alt((internet_time, classic_time)).parse(input)?;
    let (rest, machine) = delimited(space1, word, space1).parse(rest)?;
    let (rest, process) = take_till1(|c: char| c == '[' || c.is_whitespace())(rest)?;
    let (rest, pid) = delimited(char('['), u32, tag("]: ")).parse(rest)?;
    let source = Source {
        time,
        machine,
        process,
        pid,
    };
    Ok((rest, source))
}

/// `Nov  6 10:00:00`.
fn classic_time(input: &str) -> IResult<&str, &str> {
    let month = verify(word, |month: &str| {
        month.len() == 3 && month.bytes().all(|byte| byte.is_ascii_alphabetic())
    });
    let time = take_while1(|c: char| c.is_ascii_digit() || c == ':' || c == '.');
    recognize((month, space1, digit1, space1, time)).parse(input)
}

/// `2026-11-26T10:00:00.123456+00:00`.
fn internet_time(input: &str) -> IResult<&str, &str> {
    let begin = (digit1, char('-'), digit1, char('-'), digit1, char('T'));
    recognize(terminated(begin, opt(word))).parse(input)
}

fn word(input: &str) -> IResult<&str, &str> {
    take_till1(char::is_whitespace)(input)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::proptest;

    use super::{LogLine, Source, parse_line, parse_message};
    use crate::postfix_log::{Event, LINE_LIMIT};

    const OFFERED: Event<'_> = Event::Offered { host: "mx.test" };

    /// SV-01: classic syslog, postlogd and RFC 3339, several instances.
    #[test]
    fn heads() {
        for (time, machine, process, pid) in [
            ("Nov 26 10:00:00", "out", "postfix/smtp", 123),
            ("Nov  6 10:00:00", "out", "postfix/smtp", 1),
            (
                "Nov 06 10:00:00",
                "out.example.com",
                "postfix/smtp",
                4_294_967_295,
            ),
            ("Nov 26 10:00:00.123456", "out", "postfix/smtp", 123),
            (
                "2026-11-26T10:00:00.123456+00:00",
                "out",
                "postfix/smtp",
                123,
            ),
            (
                "2026-11-26T10:00:00+0100",
                "10.0.0.1",
                "postfix-out/smtp",
                123,
            ),
            ("2026-11-26T10:00:00Z", "::1", "postfix/relay/smtp", 123),
        ] {
            let source = Source {
                time,
                machine,
                process,
                pid,
            };
            let expected = LogLine {
                source,
                event: OFFERED,
            };
            for end in ["", "\n", "\r\n"] {
                let line = format!(
                    "{time} {machine} {process}[{pid}]: Host offered STARTTLS: [mx.test]{end}"
                );
                assert_eq!(parse_line(&line), Some(expected.clone()), "{line}");
            }
            let message = "Host offered STARTTLS: [mx.test]\n";
            assert_eq!(parse_message(source, message), Some(expected));
        }
    }

    /// SV-11: other programs, other heads, and what only looks like one.
    #[test]
    fn other_lines() {
        let message = "Host offered STARTTLS: [mx.test]";
        for head in [
            "",
            "postfix/smtp[1]:",
            "out postfix/smtp[1]:",
            "Nov 26 out postfix/smtp[1]:",
            "Nov 26 10:00:00 postfix/smtp[1]:",
            "26 Nov 10:00:00 out postfix/smtp[1]:",
            "Nov 26 10:00:00 out postfix/smtpd[1]:",
            "Nov 26 10:00:00 out postfix/lmtp[1]:",
            "Nov 26 10:00:00 out postfix/tlsproxy[1]:",
            "Nov 26 10:00:00 out smtp[1]:",
            "Nov 26 10:00:00 out /smtp[1]:",
            "Nov 26 10:00:00 out postfix/smtp:",
            "Nov 26 10:00:00 out postfix/smtp[]:",
            "Nov 26 10:00:00 out postfix/smtp[x]:",
            "Nov 26 10:00:00 out postfix/smtp[99999999999]:",
            "Nov 26 10:00:00 out postfix/smtp[1]",
            "Nov 26 10:00:00 out postfix/cleanup[1]: 4c: info: /smtp[1]:",
            "2026-11-26 10:00:00 out postfix/smtp[1]:",
        ] {
            let line = format!("{head} {message}");
            assert_eq!(parse_line(&line), None, "{line}");
        }
    }

    /// SV-11: a line of the limit is read, a longer one is not.
    #[test]
    fn lines_are_bounded() {
        let start = "Nov 26 10:00:00 out postfix/smtp[1]: SSL_connect error to a[::1]:25: ";
        let line = |length: usize| format!("{start}{}", "x".repeat(length - start.len()));
        assert!(parse_line(&line(LINE_LIMIT)).is_some());
        assert_eq!(parse_line(&line(LINE_LIMIT + 1)), None);
    }

    proptest! {
        /// SV-11: any text, alone and behind part of a head.
        #[test]
        fn any_text(text in "(?s).{0,40}", cut in 0_usize..60) {
            let start = "2026-11-26T10:00:00+00:00 out postfix/smtp[1]: Host offered STARTTLS: [";
            let start = start.get(..cut).unwrap_or(start);
            let _ = parse_line(&text);
            let _ = parse_line(&format!("{start}{text}/smtp[1]: "));
        }
    }
}
