//! The stub: which server is asked, when the next one is, and whose word counts.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::stream::{FuturesUnordered, StreamExt};
use hoplock_policy::dns::{Answer, FailureKind, Question};
use tokio::sync::{Mutex, Semaphore};
use tokio::time::timeout;

use crate::world::{NameServer, Patience, Validation};

use super::DnsOptions;
use super::message::{ServerReply, interpret, is_answer, is_bogus};
use super::observed::Observed;
use super::transport::{Network, Transport, exchange};

/// Asks the DNS through validating resolvers.
pub struct DnsStub {
    options: DnsOptions,
    transport: Arc<dyn Transport>,
    pub(super) servers: ArcSwap<Vec<Server>>,
    places: Semaphore,
    /// Until when the last test on demand is good enough.
    pub(super) tested: Mutex<Option<Patience>>,
}

/// A server and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) observed: Observed,
}

impl DnsStub {
    /// A stub over these servers; nothing is known of them yet.
    #[must_use]
    pub fn new(options: DnsOptions, servers: &[SocketAddr]) -> Arc<Self> {
        Self::over(Arc::new(Network), options, servers)
    }

    /// The same over another transport than the network.
    #[must_use]
    pub fn over(
        transport: Arc<dyn Transport>,
        options: DnsOptions,
        servers: &[SocketAddr],
    ) -> Arc<Self> {
        let places = Semaphore::new(options.lookups);
        let stub = Self {
            options,
            transport,
            servers: ArcSwap::default(),
            places,
            tested: Mutex::new(None),
        };
        stub.use_servers(servers);
        Arc::new(stub)
    }

    /// Takes over a new list of servers; what is known of those that stay is kept.
    pub fn use_servers(&self, addresses: &[SocketAddr]) {
        let known = self.servers.load();
        let servers = addresses
            .iter()
            .map(|address| {
                let same = known.iter().find(|server| server.address == *address);
                let observed = same.map_or_else(Observed::default, |server| server.observed);
                Server {
                    address: *address,
                    observed,
                }
            })
            .collect();
        self.servers.store(Arc::new(servers));
    }

    /// How it asks.
    #[must_use]
    pub fn options(&self) -> &DnsOptions {
        &self.options
    }

    /// How many lookups are under way.
    #[must_use]
    pub fn lookups_under_way(&self) -> usize {
        let free = self.places.available_permits();
        self.options.lookups.saturating_sub(free)
    }

    /// What carries its messages.
    pub(super) fn transport(&self) -> &dyn Transport {
        &*self.transport
    }

    /// The servers and what is known of them.
    #[must_use]
    pub fn report(&self) -> Vec<NameServer> {
        let servers = self.servers.load();
        let report = |server: &Server| NameServer {
            address: server.address,
            validation: server.observed.validation(),
        };
        servers.iter().map(report).collect()
    }

    /// True where AD is believed from the servers in use.
    #[must_use]
    pub fn believes(&self) -> bool {
        let addresses: Vec<SocketAddr> = self
            .servers
            .load()
            .iter()
            .map(|server| server.address)
            .collect();
        self.options.trust.believes(&addresses)
    }

    /// Notes what the self-test saw of one server.
    pub(super) fn observe(&self, address: SocketAddr, next: impl Fn(Observed) -> Observed) {
        self.servers.rcu(|servers| {
            let mut servers = Vec::clone(servers);
            for server in servers
                .iter_mut()
                .filter(|server| server.address == address)
            {
                server.observed = next(server.observed);
            }
            servers
        });
    }

    /// The servers that may answer, in order.
    ///
    /// Where one validates, only those that do: the word of another would be weaker (D1). Where none
    /// does and that is known of all, any. Else, and where the test is switched off, the first alone:
    /// nobody may stand in for it.
    fn candidates(&self) -> Vec<SocketAddr> {
        let servers = self.servers.load();
        let of = |wanted: Validation| {
            servers
                .iter()
                .filter(move |server| server.observed.validation() == wanted)
        };
        let validating: Vec<SocketAddr> = of(Validation::Validating)
            .map(|server| server.address)
            .collect();
        if !validating.is_empty() {
            return validating;
        }
        let all_known = of(Validation::NotValidating).count() == servers.len();
        let several = if all_known { servers.len() } else { 1 };
        servers
            .iter()
            .map(|server| server.address)
            .take(several)
            .collect()
    }

    pub(super) async fn ask(&self, question: &Question) -> Answer {
        let Ok(_place) = self.places.acquire().await else {
            return Answer::failed(FailureKind::Unreachable, "the daemon is closing");
        };
        let candidates = self.candidates();
        if candidates.is_empty() {
            let words = "no name server is configured; see resolv.conf or [dns] servers";
            return Answer::failed(FailureKind::Unreachable, words);
        }
        match race(&*self.transport, &candidates, question).await {
            Ok(reply) => interpret(question, &reply, self.believes()),
            Err(error) => unreachable(&error),
        }
    }
}

/// Asks one server after the other: the next at once after an error, and after a silence beside the
/// one that is silent. Two rounds; the best that came back counts.
async fn race(
    transport: &dyn Transport,
    servers: &[SocketAddr],
    question: &Question,
) -> io::Result<ServerReply> {
    let attempts: Vec<SocketAddr> = servers.repeat(ROUNDS);
    let mut waiting = attempts.into_iter();
    let mut running = FuturesUnordered::new();
    let mut last = Err(io::Error::from(io::ErrorKind::TimedOut));
    loop {
        match waiting.next() {
            Some(server) => running.push(exchange(transport, server, question)),
            None if running.is_empty() => return last,
            None => {}
        }
        let silence = if waiting.len() == 0 {
            Duration::MAX
        } else {
            SILENCE
        };
        let Ok(Some(outcome)) = timeout(silence, running.next()).await else {
            continue;
        };
        match outcome {
            // A verdict on signatures is final: another server's word would only be weaker.
            Ok(reply) if is_answer(&reply) || is_bogus(&reply) => return Ok(reply),
            Ok(reply) => last = Ok(reply),
            Err(error) if last.is_err() => last = Err(error),
            Err(_) => {}
        }
    }
}

fn unreachable(error: &io::Error) -> Answer {
    let kind = match error.kind() {
        io::ErrorKind::InvalidData => FailureKind::Malformed,
        io::ErrorKind::TimedOut => FailureKind::Timeout,
        _ => FailureKind::Unreachable,
    };
    Answer::failed(kind, format!("the resolver cannot be asked: {error}"))
}

/// Asks one server alone, for the self-test.
pub(super) async fn ask_one(
    transport: &dyn Transport,
    server: SocketAddr,
    question: &Question,
    patience: Duration,
) -> Option<ServerReply> {
    timeout(patience, exchange(transport, server, question))
        .await
        .ok()?
        .ok()
}

/// The word of a reply, for the self-test.
pub(super) fn is_failure(reply: &ServerReply) -> bool {
    !is_answer(reply)
}

/// Long enough for a resolver that has to ask far away, short enough for a lost datagram.
const SILENCE: Duration = Duration::from_millis(1500);
/// Every server is asked at most twice.
const ROUNDS: usize = 2;
