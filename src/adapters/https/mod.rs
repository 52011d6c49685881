//! Fetches MTA-STS policies from their policy hosts (RFC 8461, 3.3).
//!
//! One fixed URL over an address that we resolved, SNI of the policy host, no redirects by
//! construction, no proxy, no validators, no cache; 64 KiB and 60 s in all. Not done here: reading
//! the policy (see `hoplock_policy::sts`).
//!
//! `addresses`, `certificates` and `exchange` serve reports by HTTPS too (see
//! [`courier`](super::courier)).

pub(super) mod addresses;
pub(super) mod certificates;
pub(super) mod exchange;
#[doc(hidden)]
pub mod fuzzing;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hoplock_policy::name::{DomainName, PolicyDomain};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Request, header};
use rustls::ClientConfig;
use tokio::time::timeout;

pub use self::certificates::{RootsError, authorities};
use self::exchange::{AGENT, Peer, TooLong};
use crate::world::{
    FetchFailure, FetchFailureKind, PolicyFetcher, PolicyResponse, Resolver, Waiting,
};

/// How policies are fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchOptions {
    /// 443, but for laboratories.
    pub port: u16,
    /// PEM files with roots beside the system's.
    pub roots: Vec<PathBuf>,
    /// One fetch, all steps together.
    pub timeout: Duration,
    /// Policy hosts at private or loopback addresses are not connected to (ST-29).
    pub refuse_private_addresses: bool,
}

/// Fetches policies over HTTPS.
pub struct HttpsFetcher {
    resolver: Arc<dyn Resolver>,
    tls: Arc<ClientConfig>,
    options: FetchOptions,
    roots: usize,
}

impl HttpsFetcher {
    /// A fetcher that resolves by `resolver`.
    ///
    /// # Errors
    /// [`RootsError`] names a file of roots that cannot be read or holds none.
    pub fn new(resolver: Arc<dyn Resolver>, options: FetchOptions) -> Result<Self, RootsError> {
        let (tls, roots) = certificates::client(&options.roots)?;
        if roots == 0 {
            tracing::warn!(
                "there are no root certificates: no MTA-STS policy can be fetched; install \
                 ca-certificates"
            );
        }
        Ok(Self {
            resolver,
            tls,
            options,
            roots,
        })
    }

    /// How many root certificates vouch for policy hosts.
    #[must_use]
    pub fn roots(&self) -> usize {
        self.roots
    }

    async fn fetch_from(&self, domain: &PolicyDomain) -> Result<PolicyResponse, FetchFailure> {
        // RFC 8461, 3.3: the policy host is `mta-sts` plus the policy domain.
        let host = domain.0.child("mta-sts").ok_or_else(|| {
            failure(
                FetchFailureKind::Lookup,
                "the policy host's name would be too long",
            )
        })?;
        let peer = policy_host(&host);
        let private = self.options.refuse_private_addresses;
        let addresses = addresses::of_name(&*self.resolver, peer, &host, private).await?;
        let port = self.options.port;
        let addresses: Vec<_> = addresses
            .into_iter()
            .map(|address| SocketAddr::new(address, port))
            .collect();
        let request = policy_request(&host)?;
        exchange::ask(&self.tls, peer, &addresses, request, TooLong::Refused).await
    }
}

impl PolicyFetcher for HttpsFetcher {
    fn fetch(&self, domain: PolicyDomain) -> Waiting<'_, Result<PolicyResponse, FetchFailure>> {
        Box::pin(async move {
            match timeout(self.options.timeout, self.fetch_from(&domain)).await {
                Ok(outcome) => outcome,
                // RFC 8461, 3.3: a minute is enough for everybody.
                Err(_) => Err(failure(
                    FetchFailureKind::Timeout,
                    "the policy host is too slow",
                )),
            }
        })
    }
}

fn policy_host(host: &DomainName) -> Peer<'_> {
    Peer {
        role: "policy host",
        host: host.as_str(),
    }
}

/// RFC 8461, 3.3: no conditional request, no cache, no content coding to unpack.
fn policy_request(host: &DomainName) -> Result<Request<Full<Bytes>>, FetchFailure> {
    Request::get("/.well-known/mta-sts.txt")
        .header(header::HOST, host.as_str())
        .header(header::USER_AGENT, AGENT)
        .header(header::ACCEPT, "text/plain")
        .header(header::CONNECTION, "close")
        .body(Full::default())
        .map_err(|error| failure(FetchFailureKind::Protocol, &error.to_string()))
}

fn failure(kind: FetchFailureKind, detail: &str) -> FetchFailure {
    FetchFailure {
        kind,
        detail: detail.to_owned(),
    }
}
