//! `/metrics` in text 0.0.4 for a Prometheus that asks for OpenMetrics wherever it can.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Passes requests on, and asks for the older format.
pub(super) struct Relay {
    accepted: Arc<Mutex<String>>,
}

impl Relay {
    /// From `own` to `server`; it goes on as long as the lab.
    pub(super) fn start(server: &'static str, own: &str) -> Self {
        let listener = TcpListener::bind(own).unwrap();
        let accepted = Arc::<Mutex<String>>::default();
        let shared = Arc::clone(&accepted);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                // A hoplock that restarts, and a client that is gone, are no concern of a relay.
                let _ = stream.and_then(|stream| pass_on(stream, server, &shared));
            }
        });
        Self { accepted }
    }

    /// What was asked for last, as the client wrote it.
    pub(super) fn accepted(&self) -> String {
        self.accepted.lock().unwrap().clone()
    }
}

fn pass_on(mut stream: TcpStream, server: &str, accepted: &Mutex<String>) -> io::Result<()> {
    stream.set_read_timeout(Some(TIMEOUT))?;
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte)? == 1 {
        head.extend_from_slice(&byte);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let fields = head.lines().filter_map(|line| line.split_once(": "));
    for (name, value) in fields {
        if name.eq_ignore_ascii_case("accept") {
            value.clone_into(&mut accepted.lock().unwrap());
        }
    }
    let answer = get(server, "/metrics", "text/plain;version=0.0.4")?;
    assert!(answer.contains("version=0.0.4"), "{answer}");
    stream.write_all(answer.as_bytes())
}

/// A whole HTTP response, over a connection of its own that ends behind it.
pub(super) fn get(server: &str, target: &str, accept: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    write!(
        stream,
        "GET {target} HTTP/1.0\r\nHost: localhost\r\nAccept: {accept}\r\nConnection: close\r\n\r\n"
    )?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

const TIMEOUT: Duration = Duration::from_secs(10);
