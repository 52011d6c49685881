//! A dialogue in SMTP over any stream, from the client's side (RFC 5321, 4.2): a command, and the one
//! reply to it.

use std::io;
use std::time::Duration;

use hoplock_wire::smtp_reply::{self, Reply, printable};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use super::CLOSING;
use crate::world::Patience;
use crate::world::probe::SmtpReply;

/// A connection, what came over it and was not read yet, and how long all of it may take.
pub(in crate::adapters) struct Dialogue<S> {
    stream: S,
    buffer: Vec<u8>,
    patience: Patience,
}

/// A reply, and what it announces if it is one to EHLO.
pub(in crate::adapters) struct Answer {
    pub(in crate::adapters) reply: SmtpReply,
    pub(super) extensions: Vec<String>,
    pub(super) offers_starttls: bool,
}

/// Why no reply came.
pub(in crate::adapters) enum Trouble {
    /// What came is none.
    NotSmtp(String),
    /// Nothing came, or not all of it.
    Lost(String),
}

impl Trouble {
    pub(in crate::adapters) fn words(self) -> String {
        match self {
            Self::NotSmtp(words) | Self::Lost(words) => words,
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Dialogue<S> {
    pub(in crate::adapters) fn new(stream: S, patience: Patience) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
            patience,
        }
    }

    /// Says one line, and reads the reply; both within `limit`.
    pub(in crate::adapters) async fn command(
        &mut self,
        line: &str,
        limit: Duration,
    ) -> Result<Answer, Trouble> {
        // RFC 5321, 2.1: replies come to commands. One that was sent ahead would be taken for the answer
        // to a question that it does not know.
        if !self.buffer.is_empty() {
            let early = first_words(&self.buffer);
            let words = format!("it speaks before it is asked: {early}");
            return Err(Trouble::NotSmtp(words));
        }
        let line = format!("{line}\r\n");
        let patience = self.patience;
        let work = async {
            self.stream.write_all(line.as_bytes()).await.map_err(lost)?;
            self.stream.flush().await.map_err(lost)?;
            self.read_reply().await
        };
        within(patience, limit, work).await
    }

    /// Says a message behind DATA, and reads the reply; both within `limit`.
    pub(in crate::adapters) async fn message(
        &mut self,
        message: &[u8],
        limit: Duration,
    ) -> Result<Answer, Trouble> {
        let octets = stuffed(message);
        let patience = self.patience;
        let work = async {
            self.stream.write_all(&octets).await.map_err(lost)?;
            self.stream.flush().await.map_err(lost)?;
            self.read_reply().await
        };
        within(patience, limit, work).await
    }

    /// Reads one reply within `limit`, however slowly it drips.
    pub(in crate::adapters) async fn reply(&mut self, limit: Duration) -> Result<Answer, Trouble> {
        within(self.patience, limit, self.read_reply()).await
    }

    async fn read_reply(&mut self) -> Result<Answer, Trouble> {
        loop {
            match smtp_reply::decode(&self.buffer) {
                Ok(Some(reply)) => {
                    let (answer, consumed) = (answer(&reply), reply.consumed);
                    self.buffer.drain(..consumed);
                    return Ok(answer);
                }
                Ok(None) => {}
                Err(why) => {
                    let words = format!("{why}: {}", first_words(&self.buffer));
                    return Err(Trouble::NotSmtp(words));
                }
            }
            let mut piece = [0; PIECE];
            let length = self.stream.read(&mut piece).await.map_err(lost)?;
            if length == 0 {
                let words = if self.buffer.is_empty() {
                    "the connection was closed".to_owned()
                } else {
                    let begun = first_words(&self.buffer);
                    format!("the connection was closed after {begun}")
                };
                return Err(Trouble::Lost(words));
            }
            self.buffer
                .extend_from_slice(piece.get(..length).unwrap_or_default());
        }
    }

    /// Says good-bye (RFC 5321, 4.1.1.10) and waits a little for the answer, whatever it is.
    pub(in crate::adapters) async fn quit(mut self) {
        self.buffer.clear();
        // Whoever does not listen any more has not to be told.
        let _ = self.command("QUIT", CLOSING).await;
        self.close().await;
    }

    /// Ends the connection; inside TLS with close_notify.
    pub(in crate::adapters) async fn close(mut self) {
        let _ = timeout(CLOSING, self.stream.shutdown()).await;
    }

    /// The stream itself, or the beginning of what came after the last reply, in printable words.
    pub(super) fn into_stream(self) -> Result<S, String> {
        if self.buffer.is_empty() {
            Ok(self.stream)
        } else {
            Err(first_words(&self.buffer))
        }
    }
}

async fn within(
    patience: Patience,
    limit: Duration,
    work: impl Future<Output = Result<Answer, Trouble>>,
) -> Result<Answer, Trouble> {
    match patience.wait(timeout(limit, work)).await {
        Some(Ok(outcome)) => outcome,
        Some(Err(_)) => Err(Trouble::Lost(format!(
            "no whole reply within {} s",
            limit.as_secs()
        ))),
        None => Err(Trouble::Lost(
            "no whole reply within the time for all of it".to_owned(),
        )),
    }
}

/// A message as it stands behind DATA: line ends are CRLF, whatever they were, a dot in front of a line is
/// two (RFC 5321, 4.5.2), and one alone ends it.
fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut octets = Vec::with_capacity(message.len() + message.len() / 32 + 5);
    let message = message.strip_suffix(b"\n").unwrap_or(message);
    for line in message.split(|octet| *octet == b'\n') {
        // RFC 5321, 2.3.8: alone it is no line end, and some take it for one.
        let mut line = line.iter().filter(|octet| **octet != b'\r').peekable();
        if line.peek() == Some(&&b'.') {
            octets.push(b'.');
        }
        octets.extend(line);
        octets.extend_from_slice(b"\r\n");
    }
    octets.extend_from_slice(b".\r\n");
    octets
}

fn answer(reply: &Reply<'_>) -> Answer {
    Answer {
        reply: SmtpReply {
            code: reply.code,
            lines: reply.lines.iter().map(|line| printable(line)).collect(),
        },
        extensions: reply.extensions().map(printable).collect(),
        offers_starttls: reply.offers("STARTTLS"),
    }
}

fn lost(error: io::Error) -> Trouble {
    Trouble::Lost(error.to_string())
}

fn first_words(octets: &[u8]) -> String {
    printable(octets.get(..SHOWN).unwrap_or(octets))
}

/// Octets read at a time.
const PIECE: usize = 4096;
/// So much of what was not understood is shown to people.
const SHOWN: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5321, 4.5.2 and 2.3.8: no octets of a message end it, or make another command.
    #[test]
    fn messages_are_stuffed() {
        for (message, expected) in [
            (&b""[..], &b"\r\n.\r\n"[..]),
            (b"a", b"a\r\n.\r\n"),
            (b"a\r\n", b"a\r\n.\r\n"),
            (b"a\n", b"a\r\n.\r\n"),
            (b".\r\n", b"..\r\n.\r\n"),
            (b"a\n.\nb", b"a\r\n..\r\nb\r\n.\r\n"),
            (b"a\r\n.\r\nQUIT\r\n", b"a\r\n..\r\nQUIT\r\n.\r\n"),
            (b"a\r.\r\n", b"a.\r\n.\r\n"),
            (b"a\n.\r\rb\r\n", b"a\r\n..b\r\n.\r\n"),
            (b"a\n\r.\r\nb", b"a\r\n..\r\nb\r\n.\r\n"),
            (b"..\n\n", b"...\r\n\r\n.\r\n"),
        ] {
            let shown = String::from_utf8_lossy(message);
            assert_eq!(stuffed(message), expected, "{shown:?}");
        }
    }
}
