//! Where the mail of this stage goes: a server that keeps each message to the octet.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::compare::{Field, split};

/// What was delivered, in the order of its coming.
#[derive(Clone, Default)]
pub(super) struct Sink(Arc<Mutex<Vec<Delivered>>>);

/// One message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Delivered {
    pub(super) sender: String,
    pub(super) recipients: Vec<String>,
    /// As they came, dots doubled, without the line that ends them.
    pub(super) octets: Vec<u8>,
}

impl Sink {
    /// Serves at this port until the lab ends.
    pub(super) fn start(port: u16) -> Self {
        let sink = Self::default();
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let kept = sink.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, kept) = (stream.unwrap(), kept.clone());
                std::thread::spawn(move || {
                    let _ = kept.converse(&stream);
                });
            }
        });
        sink
    }

    /// Takes out all that came.
    pub(super) fn take(&self) -> Vec<Delivered> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    /// How many messages there are.
    pub(super) fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// The messages for this recipient.
    pub(super) fn of(&self, recipient: &str) -> Vec<Delivered> {
        let all = self.0.lock().unwrap();
        let is_own = |message: &&Delivered| {
            let mut recipients = message.recipients.iter();
            recipients.any(|own| own.eq_ignore_ascii_case(recipient))
        };
        all.iter().filter(is_own).cloned().collect()
    }

    /// The message for this recipient, waited for.
    pub(super) fn arrived(&self, recipient: &str) -> Option<Delivered> {
        let started = Instant::now();
        loop {
            let found = self.of(recipient).pop();
            if found.is_some() || started.elapsed() > PATIENCE {
                return found;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn converse(&self, stream: &TcpStream) -> std::io::Result<()> {
        let (mut input, mut output) = (BufReader::new(stream), stream);
        output.write_all(b"220 sink ESMTP\r\n")?;
        let mut message = Delivered::default();
        loop {
            let mut line = Vec::new();
            if input.read_until(b'\n', &mut line)? == 0 {
                return Ok(());
            }
            let line = String::from_utf8_lossy(&line).into_owned();
            let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
            let reply: &[u8] = match verb.as_str() {
                "EHLO" => b"250-sink\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE\r\n",
                "MAIL" => {
                    message = Delivered {
                        sender: address(&line),
                        ..Delivered::default()
                    };
                    b"250 2.1.0 ok\r\n"
                }
                "RCPT" => {
                    message.recipients.push(address(&line));
                    b"250 2.1.5 ok\r\n"
                }
                "DATA" => {
                    output.write_all(b"354 go on\r\n")?;
                    message.octets = read_message(&mut input)?;
                    self.0.lock().unwrap().push(std::mem::take(&mut message));
                    b"250 2.0.0 taken\r\n"
                }
                "QUIT" => return output.write_all(b"221 bye\r\n"),
                _ => b"250 2.0.0 ok\r\n",
            };
            output.write_all(reply)?;
        }
    }
}

impl Delivered {
    /// What the fields of this name say.
    pub(super) fn values(&self, name: &str) -> Vec<String> {
        let (fields, _) = split(&self.octets);
        let values = fields
            .iter()
            .filter(|field| field.is(name))
            .map(Field::value);
        values
            .map(|value| String::from_utf8_lossy(value).into_owned())
            .collect()
    }
}

/// RFC 5321, 4.1.1.4: only CR LF, a dot, CR LF end it.
fn read_message(input: &mut impl BufRead) -> std::io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    loop {
        let start = octets.len();
        if input.read_until(b'\n', &mut octets)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let is_line = start == 0 || octets[..start].ends_with(b"\r\n");
        if is_line && &octets[start..] == b".\r\n" {
            octets.truncate(start);
            return Ok(octets);
        }
    }
}

fn address(line: &str) -> String {
    let start = line.find('<').map_or(0, |at| at + 1);
    let end = line.find('>').unwrap_or(line.len());
    line[start..end].to_owned()
}

/// For what should come at once.
const PATIENCE: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_end_ends_a_message() {
        for (text, rest) in [
            (&b".\r\n"[..], &b""[..]),
            (b"a\r\n.\r\nQUIT\r\n", b"a\r\n"),
            (b"\r\n..\r\n\0\xff\r\n.\r\n", b"\r\n..\r\n\0\xff\r\n"),
            (
                b"a\n.\r\nb\r.\r\n\n.\nc\r\n.\r\n",
                b"a\n.\r\nb\r.\r\n\n.\nc\r\n",
            ),
        ] {
            assert_eq!(read_message(&mut &text[..]).unwrap(), rest);
        }
        assert!(read_message(&mut &b"a\r\n."[..]).is_err());
    }

    #[test]
    fn what_comes_is_kept() {
        let sink = Sink::default();
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let text = b"EHLO x\r\nMAIL FROM:<A@a.test>\r\nRCPT TO:<b@b.test> NOTIFY=NEVER\r\n\
                     RCPT TO:<C@b.test>\r\nDATA\r\nX: y\r\n\r\n..\r\n.\r\nQUIT\r\n";
        client.write_all(text).unwrap();
        sink.converse(&listener.accept().unwrap().0).unwrap();
        let message = Delivered {
            sender: "A@a.test".to_owned(),
            recipients: vec!["b@b.test".to_owned(), "C@b.test".to_owned()],
            octets: b"X: y\r\n\r\n..\r\n".to_vec(),
        };
        assert_eq!(sink.of("c@b.test"), [message]);
        assert_eq!((sink.take().len(), sink.count()), (1, 0));
    }
}
