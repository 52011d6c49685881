//! Fetches MTA-STS policies from their policy hosts (RFC 8461, 3.3).
//!
//! One fixed URL over an address that we resolved, SNI of the policy host, no redirects by
//! construction, no proxy, no validators, no cache; 64 KiB and 60 s in all. Not done here: reading
//! the policy (see `hoplock_policy::sts`).

mod certificates;
mod exchange;
#[doc(hidden)]
pub mod fuzzing;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hoplock_policy::dns::{Answer, Question, RecordData, RecordType};
use hoplock_policy::name::{DomainName, PolicyDomain};
use rustls::ClientConfig;
use tokio::time::timeout;

pub use self::certificates::{RootsError, authorities};
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
        let addresses = self.addresses(&host).await?;
        exchange::get(&self.tls, &host, &addresses).await
    }

    async fn addresses(&self, host: &DomainName) -> Result<Vec<SocketAddr>, FetchFailure> {
        let ask = |record_type| {
            self.resolver
                .lookup(Question::new(host.clone(), record_type))
        };
        let (aaaa, a) = tokio::join!(ask(RecordType::Aaaa), ask(RecordType::A));
        let mut addresses: Vec<IpAddr> = Vec::new();
        let mut words = Vec::new();
        for reply in [aaaa, a] {
            match &reply.answer {
                Answer::Records { data, .. } => addresses.extend(data.iter().filter_map(address)),
                Answer::NoData(_) | Answer::NxDomain(_) => {}
                Answer::Failed(failure) => {
                    words.push(format!(
                        "{}: {}",
                        reply.question.record_type, failure.detail
                    ));
                }
            }
        }
        if addresses.is_empty() {
            let why = if words.is_empty() {
                "no address".to_owned()
            } else {
                words.join("; ")
            };
            return Err(failure(
                FetchFailureKind::Lookup,
                &format!("policy host {host}: {why}"),
            ));
        }
        if self.options.refuse_private_addresses {
            addresses.retain(|address| !is_private(*address));
            if addresses.is_empty() {
                let words = format!("policy host {host} has private addresses only");
                return Err(failure(FetchFailureKind::Refused, &words));
            }
        }
        addresses.truncate(ADDRESSES);
        let port = self.options.port;
        Ok(addresses
            .into_iter()
            .map(|address| SocketAddr::new(address, port))
            .collect())
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

fn address(record: &RecordData) -> Option<IpAddr> {
    match record {
        RecordData::A(address) => Some(IpAddr::V4(*address)),
        RecordData::Aaaa(address) => Some(IpAddr::V6(*address)),
        _ => None,
    }
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            v4.is_loopback()
                || v4.is_private()
                || v4.is_link_local()
                || v4.is_unspecified()
                || v4.is_broadcast()
                || v4.is_multicast()
        }
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => is_private(IpAddr::V4(v4)),
            None => {
                v6.is_loopback()
                    || v6.is_unspecified()
                    || v6.is_multicast()
                    || v6.is_unique_local()
                    || v6.is_unicast_link_local()
            }
        },
    }
}

fn failure(kind: FetchFailureKind, detail: &str) -> FetchFailure {
    FetchFailure {
        kind,
        detail: detail.to_owned(),
    }
}

/// Addresses tried for one policy host; more are of no use within a minute.
const ADDRESSES: usize = 6;
