//! A mail client that hands in messages and tells what it was answered, and when.

use std::fmt;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// One connection to a mail server.
pub(super) struct Client {
    stream: BufReader<TcpStream>,
    greeting: Reply,
    /// What EHLO was answered.
    offers: String,
}

/// What was answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reply {
    /// All lines, without their ends; empty where the connection was closed.
    pub(super) text: String,
    pub(super) took: Duration,
}

/// What was answered to each part of a message.
#[derive(Clone, Debug, Default)]
pub(super) struct Replies {
    /// To MAIL; the greeting, where that is a refusal.
    pub(super) mail: Reply,
    pub(super) rcpt: Vec<Reply>,
    /// To the message itself; none where DATA was not said, or refused.
    pub(super) message: Option<Reply>,
}

/// An envelope.
#[derive(Clone, Copy, Default)]
pub(super) struct Envelope<'a> {
    pub(super) from: &'a str,
    /// What is said behind the sender.
    pub(super) parameters: &'a str,
    pub(super) to: &'a [&'a str],
}

impl Client {
    /// Connects, and says EHLO where it is welcome.
    pub(super) fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut client = Self {
            stream: BufReader::new(stream),
            greeting: Reply::default(),
            offers: String::new(),
        };
        client.greeting = client.read();
        if client.greeting.is("220") {
            client.offers = client.say("EHLO client.lab.test").text;
        }
        client
    }

    /// Proves that it is this user.
    pub(super) fn authenticate(&mut self, user: &str) -> Reply {
        self.say(&format!("AUTH PLAIN {}", plain(user)))
    }

    /// Whether EHLO was answered with this word.
    pub(super) fn is_offered(&self, word: &str) -> bool {
        let mut lines = self.offers.lines();
        lines.any(|line| line.get(4..).and_then(|rest| rest.split(' ').next()) == Some(word))
    }

    /// Says one line.
    pub(super) fn say(&mut self, line: &str) -> Reply {
        self.write(format!("{line}\r\n").as_bytes())
    }

    /// Hands in one message, of which only recipients that are taken are left.
    pub(super) fn send(&mut self, envelope: Envelope<'_>, octets: &[u8]) -> Replies {
        let mut replies = self.begin(envelope);
        self.finish(&mut replies, octets);
        replies
    }

    /// DATA and the message, where there is a recipient that was taken.
    pub(super) fn finish(&mut self, replies: &mut Replies, octets: &[u8]) {
        if replies.rcpt.iter().any(|reply| reply.is("250")) {
            let go_on = self.say("DATA");
            replies.message = Some(match go_on.is("354") {
                true => self.write(&stuffed(octets)),
                false => go_on,
            });
        } else {
            self.say("RSET");
        }
    }

    /// The same by BDAT, in chunks of this size (RFC 3030).
    pub(super) fn send_chunks(
        &mut self,
        envelope: Envelope<'_>,
        octets: &[u8],
        size: usize,
    ) -> Replies {
        let mut replies = self.begin(envelope);
        if replies.rcpt.iter().any(|reply| reply.is("250")) {
            let mut chunks = octets.chunks(size).peekable();
            let mut last = Reply::default();
            while let Some(chunk) = chunks.next() {
                let end = if chunks.peek().is_none() { " LAST" } else { "" };
                let mut command = format!("BDAT {}{end}\r\n", chunk.len()).into_bytes();
                command.extend_from_slice(chunk);
                last = self.write(&command);
                if !last.is("250") {
                    break;
                }
            }
            replies.message = Some(last);
        }
        replies
    }

    /// MAIL and RCPT.
    pub(super) fn begin(&mut self, envelope: Envelope<'_>) -> Replies {
        let Envelope {
            from,
            parameters,
            to,
        } = envelope;
        let mut replies = Replies {
            mail: match self.greeting.is("220") {
                true => self.say(&format!("MAIL FROM:<{from}>{parameters}")),
                false => self.greeting.clone(),
            },
            ..Replies::default()
        };
        if replies.mail.is("250") {
            let rcpt = to.iter().map(|to| self.say(&format!("RCPT TO:<{to}>")));
            replies.rcpt = rcpt.collect();
        }
        replies
    }

    fn write(&mut self, octets: &[u8]) -> Reply {
        let started = Instant::now();
        // A server that has closed is seen below.
        let _ = self.stream.get_mut().write_all(octets);
        let reply = self.read();
        Reply {
            took: started.elapsed(),
            ..reply
        }
    }

    fn read(&mut self) -> Reply {
        let mut text = String::new();
        loop {
            let mut line = Vec::new();
            if matches!(self.stream.read_until(b'\n', &mut line), Ok(0) | Err(_)) {
                return Reply::default();
            }
            let line = String::from_utf8_lossy(&line).into_owned();
            text.push_str(line.trim_end());
            if line.as_bytes().get(3) != Some(&b'-') {
                return Reply {
                    text,
                    took: Duration::ZERO,
                };
            }
            text.push('\n');
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.stream.get_mut().write_all(b"QUIT\r\n");
    }
}

impl Reply {
    /// Whether it begins so.
    pub(super) fn is(&self, start: &str) -> bool {
        self.text.starts_with(start)
    }

    /// Code and enhanced status of the last line.
    pub(super) fn codes(&self) -> String {
        let line = self.text.lines().last().unwrap_or_default();
        let mut words = line.split([' ', '-']);
        let code = words.next().unwrap_or_default();
        let enhanced = words.next().filter(|word| word.split('.').count() == 3);
        match enhanced {
            Some(enhanced) => format!("{code} {enhanced}"),
            None => code.to_owned(),
        }
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?} after {:?}", self.text, self.took)
    }
}

impl Replies {
    /// The whole of it was taken.
    pub(super) fn are_good(&self) -> bool {
        self.are_recipients_taken() && self.is_taken()
    }

    /// All recipients were taken so far.
    pub(super) fn are_recipients_taken(&self) -> bool {
        !self.rcpt.is_empty() && self.rcpt.iter().all(|reply| reply.is("250"))
    }

    /// What decided: the first recipient that was refused, or the answer to the message.
    pub(super) fn verdict(&self) -> &Reply {
        let refused = self.rcpt.iter().find(|reply| !reply.is("250"));
        let of_envelope = refused.unwrap_or(&self.mail);
        self.message.as_ref().unwrap_or(of_envelope)
    }

    /// The message was taken, for one recipient at least.
    pub(super) fn is_taken(&self) -> bool {
        self.message.as_ref().is_some_and(|reply| reply.is("250"))
    }
}

impl fmt::Display for Replies {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "MAIL {}", self.mail)?;
        for reply in &self.rcpt {
            write!(formatter, ", RCPT {reply}")?;
        }
        match &self.message {
            Some(reply) => write!(formatter, ", message {reply}"),
            None => write!(formatter, ", no message"),
        }
    }
}

/// RFC 5321, 4.5.2, with the line that ends it; a last line that does not end is ended.
fn stuffed(octets: &[u8]) -> Vec<u8> {
    let mut stuffed = Vec::with_capacity(octets.len() + 5);
    let mut begins_line = true;
    for (at, octet) in octets.iter().enumerate() {
        if begins_line && *octet == b'.' {
            stuffed.push(b'.');
        }
        stuffed.push(*octet);
        begins_line = octets[..=at].ends_with(b"\r\n");
    }
    if !begins_line {
        stuffed.extend_from_slice(b"\r\n");
    }
    stuffed.extend_from_slice(b".\r\n");
    stuffed
}

/// How a user proves himself by PLAIN (RFC 4616).
pub(super) fn plain(user: &str) -> String {
    base64(format!("\0{user}\0secret").as_bytes())
}

/// RFC 4648, 4.
fn base64(octets: &[u8]) -> String {
    let letter = |bits: u32| char::from(LETTERS[usize::try_from(bits & 63).unwrap()]);
    let mut text = String::new();
    for chunk in octets.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4_usize {
            match place <= chunk.len() {
                true => text.push(letter(bits >> (18 - 6 * place))),
                false => text.push('='),
            }
        }
    }
    text
}

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Longer than any deadline here.
const PATIENCE: Duration = Duration::from_secs(90);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_are_doubled_at_the_start_of_lines() {
        for (octets, sent) in [
            (&b""[..], &b".\r\n"[..]),
            (b".", b"..\r\n.\r\n"),
            (b"a\r\n.b\r\n.\r\n", b"a\r\n..b\r\n..\r\n.\r\n"),
            (b"a.\n.\r.\r\n", b"a.\n.\r.\r\n.\r\n"),
            (b"a", b"a\r\n.\r\n"),
        ] {
            assert_eq!(stuffed(octets), sent);
        }
    }

    #[test]
    fn codes_are_those_of_the_last_line() {
        for (text, codes) in [
            ("550 5.7.1 not there", "550 5.7.1"),
            ("550-5.7.1 not\n550 5.7.30 there", "550 5.7.30"),
            ("354 go on", "354"),
            ("", ""),
        ] {
            let reply = Reply {
                text: text.to_owned(),
                took: Duration::ZERO,
            };
            assert_eq!(reply.codes(), codes);
        }
    }

    /// RFC 4648, 10.
    #[test]
    fn base64_is_that_of_the_rfc() {
        for (text, encoded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(text.as_bytes()), encoded);
        }
    }
}
