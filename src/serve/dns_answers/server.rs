//! The sockets of the zone: UDP and TCP at one address.

use std::io;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use hickory_proto::rr::Name;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::UdpSocket;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::message::{Asked, Outgoing, Transport, ZONE, read};
use crate::answer::Answerer;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::serve::admin::Admin;
use crate::serve::connections::{Connections, Seat};
use crate::serve::policy_words::policy_words;
use crate::serve::sockets::{BindError, bind_name_server};

/// Answers below the zone.
pub(super) struct NameServer {
    zone: Name,
    answerer: Arc<Answerer>,
    metrics: Arc<Metrics>,
    at_once: Semaphore,
}

/// Opens whatever the configuration names; all of it ends when `closing` is cancelled.
///
/// # Errors
/// [`BindError`] where a socket cannot be had.
pub async fn open(
    config: &Config,
    admin: &Admin,
    closing: &CancellationToken,
    tasks: &TaskTracker,
) -> Result<(), BindError> {
    if config.listen.dns.is_empty() {
        return Ok(());
    }
    let answerer = Arc::clone(&admin.engine.answerer);
    let server = Arc::new(NameServer::new(answerer, Arc::clone(&admin.metrics)));
    let connections = Connections::new(CLIENTS, closing);
    for endpoint in &config.listen.dns {
        let (listener, datagrams, address) = bind_name_server(endpoint).await?;
        let (own, closing) = (Arc::clone(&server), closing.clone());
        let connections = connections.clone();
        let (token, tracker) = (closing.clone(), tasks.clone());
        tasks.spawn(async move {
            while let Some(stream) = listener.accept(&token).await {
                if let Some(seat) = connections.seat() {
                    tracker.spawn(converse(stream, Arc::clone(&own), seat));
                }
            }
        });
        let own = Arc::clone(&server);
        tasks.spawn(receive(Arc::new(datagrams), own, closing, tasks.clone()));
        tracing::info!(%address, "answering DNS queries below {ZONE}");
    }
    Ok(())
}

impl NameServer {
    pub(super) fn new(answerer: Arc<Answerer>, metrics: Arc<Metrics>) -> Self {
        Self {
            zone: Name::from_ascii(ZONE).unwrap_or_else(|_| Name::root()),
            answerer,
            metrics,
            at_once: Semaphore::new(AT_ONCE),
        }
    }

    /// The reply to one message; `None` where there is none.
    pub(super) async fn reply(&self, query: &[u8], transport: Transport) -> Option<Vec<u8>> {
        let outgoing = match read(query, &self.zone) {
            Asked::Nothing => return None,
            Asked::AtOnce(outgoing) => outgoing,
            Asked::Policy {
                destination,
                outgoing,
            } => self.policy(&destination, outgoing).await,
        };
        self.metrics.asked_by_dns(outgoing.code());
        outgoing.bytes(transport)
    }

    async fn policy(&self, destination: &str, outgoing: Outgoing) -> Outgoing {
        // A flood of names must not hold memory without end; equal ones share their lookups.
        let Ok(_place) = self.at_once.try_acquire() else {
            return outgoing.failed("busy: too many queries at once");
        };
        let Some(profile) = self.answerer.profile(PROFILE) else {
            return outgoing.failed("internal-error: there is no profile for Exim");
        };
        let answering = self.metrics.ask(&self.answerer, destination, &profile);
        // FT-04: a fault in one query is that query's alone.
        let Ok(answered) = AssertUnwindSafe(answering).catch_unwind().await else {
            return outgoing.failed("internal-error: this query broke by a fault of hoplock");
        };
        self.answerer.today().note(&answered);
        match policy_words(&answered) {
            Ok(words) => {
                // CA-01: what is left of the answer's life, and no more (CA-04).
                let now = self.answerer.world().clock.now().uptime;
                let age = now.saturating_sub(answered.made.uptime);
                let ttl = answered.verdict.expires_in.saturating_sub(age);
                outgoing.with_policy(&words, ttl)
            }
            Err(text) => outgoing.failed(&text),
        }
    }
}

/// Takes datagrams until the daemon drains.
async fn receive(
    socket: Arc<UdpSocket>,
    server: Arc<NameServer>,
    closing: CancellationToken,
    tasks: TaskTracker,
) {
    let mut buffer = vec![0; LARGEST_QUERY];
    loop {
        let received: io::Result<(usize, SocketAddr)> = tokio::select! {
            () = closing.cancelled() => return,
            received = socket.recv_from(&mut buffer) => received,
        };
        let Ok((length, client)) = received else {
            // A client that is gone makes the next receive fail; nothing may end the service.
            sleep(AFTER_AN_ERROR).await;
            continue;
        };
        let query = buffer.get(..length).unwrap_or_default().to_vec();
        let (socket, server) = (Arc::clone(&socket), Arc::clone(&server));
        tasks.spawn(async move {
            if let Some(reply) = server.reply(&query, Transport::Udp).await {
                // Whoever gets no reply asks again.
                let _ = socket.send_to(&reply, client).await;
            }
        });
    }
}

/// Serves one connection: messages with their length before them (RFC 1035, 4.2.2; RFC 7766).
pub(super) async fn converse<S>(mut stream: S, server: Arc<NameServer>, seat: Seat)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        seat.rests();
        let query = tokio::select! {
            () = seat.is_closed() => return,
            query = timeout(IDLE, framed(&mut stream)) => query,
        };
        seat.works();
        let Ok(Ok(query)) = query else { return };
        let Some(reply) = server.reply(&query, Transport::Tcp).await else {
            return;
        };
        let Ok(length) = u16::try_from(reply.len()) else {
            return;
        };
        let framed = [&length.to_be_bytes()[..], &reply].concat();
        let written = timeout(IDLE, stream.write_all(&framed)).await;
        if !matches!(written, Ok(Ok(()))) {
            return;
        }
    }
}

async fn framed<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Vec<u8>> {
    let length = stream.read_u16().await?;
    let mut query = vec![0; usize::from(length)];
    stream.read_exact(&mut query).await?;
    Ok(query)
}

/// By whose rules, and within whose deadline.
const PROFILE: &str = "exim";
/// Queries that wait for lookups, from all clients.
const AT_ONCE: usize = 1_000;
/// Connections: resolvers need one or two.
const CLIENTS: usize = 64;
/// RFC 7766, 6.2.3: seconds are enough.
const IDLE: Duration = Duration::from_secs(10);
/// Queries over UDP are far shorter; what is cut off here cannot be read, and is told so.
const LARGEST_QUERY: usize = 4096;
const AFTER_AN_ERROR: Duration = Duration::from_millis(10);
