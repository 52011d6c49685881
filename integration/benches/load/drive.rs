//! One measurement: some connections to one server, each asking again as soon as it is answered.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::dns::DOMAIN;
use super::servers::Server;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transport {
    Unix,
    Tcp,
}

impl Transport {
    pub fn word(self) -> &'static str {
        match self {
            Self::Unix => "unix",
            Self::Tcp => "TCP",
        }
    }
}

/// What one measurement gives.
#[derive(Clone, Copy)]
pub struct Figures {
    pub requests_per_second: f64,
    /// Microseconds.
    pub median: f64,
    /// Microseconds.
    pub p99: f64,
    /// Microseconds of the server's CPU time for one request.
    pub cpu: f64,
}

/// Measures one server; again where a thread of it ended meanwhile and took its CPU count along.
pub async fn measure(
    server: &Server,
    transport: Transport,
    connections: usize,
    span: Duration,
) -> Figures {
    for _ in 0..ATTEMPTS {
        if let Some(figures) = attempt(server, transport, connections, span).await {
            return figures;
        }
    }
    panic!(
        "threads of {} end all the time: its CPU time cannot be told",
        server.name
    );
}

async fn attempt(
    server: &Server,
    transport: Transport,
    connections: usize,
    span: Duration,
) -> Option<Figures> {
    let mut clients = Vec::new();
    for _ in 0..connections {
        let mut client = Client::connect(server, transport).await;
        // Unmeasured: the connection is accepted, and hoplock has the answer in its cache.
        client.ask().await;
        clients.push(client);
    }
    // The server has gone to sleep before its CPU time is read, both times.
    sleep(QUIET).await;
    let before = server.cpu();
    let started = Instant::now();
    let mut running: JoinSet<(Client, Vec<u64>)> = clients
        .into_iter()
        .map(|client| client.ask_until(started, span))
        .collect();
    // Connections stay open until the CPU time is read: closing them is no part of a request.
    let mut finished = Vec::new();
    while let Some(ended) = running.join_next().await {
        finished.push(ended.unwrap());
    }
    let elapsed = started.elapsed();
    sleep(QUIET).await;
    let cpu = server.cpu().since(&before)?;
    let mut latencies: Vec<u64> = finished.into_iter().flat_map(|(_, own)| own).collect();
    latencies.sort_unstable();
    let requests = count(latencies.len());
    let at = |share: usize| {
        let nanoseconds = latencies[(latencies.len() - 1) * share / 100];
        Duration::from_nanos(nanoseconds).as_secs_f64() * 1e6
    };
    Some(Figures {
        requests_per_second: requests / elapsed.as_secs_f64(),
        median: at(50),
        p99: at(99),
        cpu: Duration::from_nanos(cpu).as_secs_f64() * 1e6 / requests,
    })
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// One connection.
struct Client {
    stream: Box<dyn Stream>,
    request: Arc<[u8]>,
    expected: Arc<[u8]>,
    reply: Vec<u8>,
    name: &'static str,
}

impl Client {
    async fn connect(server: &Server, transport: Transport) -> Self {
        let stream: Box<dyn Stream> = match transport {
            Transport::Unix => Box::new(UnixStream::connect(&server.unix).await.unwrap()),
            Transport::Tcp => {
                let stream = TcpStream::connect(server.tcp).await.unwrap();
                stream.set_nodelay(true).unwrap();
                Box::new(stream)
            }
        };
        let question = format!("postfix {DOMAIN}");
        let request = format!("{}:{question},", question.len());
        Self {
            stream,
            request: request.into_bytes().into(),
            expected: server.expected.clone().into(),
            reply: Vec::with_capacity(256),
            name: server.name,
        }
    }

    /// One request; any reply but the expected one ends the benchmark.
    async fn ask(&mut self) {
        self.stream.write_all(&self.request).await.unwrap();
        self.reply.clear();
        while self.reply != *self.expected {
            let read = self.stream.read_buf(&mut self.reply).await.unwrap();
            assert!(
                read > 0 && self.expected.starts_with(&self.reply),
                "{} replied {:?}",
                self.name,
                String::from_utf8_lossy(&self.reply)
            );
        }
    }

    /// Asks for the length of the span; the nanoseconds that each reply took.
    async fn ask_until(mut self, started: Instant, span: Duration) -> (Self, Vec<u64>) {
        let asking = async {
            let mut latencies = Vec::with_capacity(1 << 14);
            let mut asked = Instant::now();
            while asked.duration_since(started) < span {
                self.ask().await;
                let answered = Instant::now();
                let took = answered.duration_since(asked).as_nanos();
                latencies.push(u64::try_from(took).unwrap());
                asked = answered;
            }
            latencies
        };
        let latencies = timeout(span + PATIENCE, asking).await;
        (self, latencies.expect("a server does not reply"))
    }
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap())
}

const ATTEMPTS: usize = 5;
const QUIET: Duration = Duration::from_millis(10);
const PATIENCE: Duration = Duration::from_secs(20);
