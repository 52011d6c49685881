//! The questions to the outside, as traits, and the one value that bundles them.
//!
//! `discover` sees the world only through these. The real ones are `adapters`; `scripted` is a fake
//! world as a readable value, for scenarios and the demonstration.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use hoplock_policy::dns::{Question, Reply};
use hoplock_policy::findings::RememberedPolicy;
pub use hoplock_policy::findings::Validation;
use hoplock_policy::moment::Moment;
use hoplock_policy::name::{DomainName, PolicyDomain};

pub use self::patience::Patience;

mod patience;
pub mod scripted;

/// What a question to the world returns: something to wait for.
pub type Waiting<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The outside, as far as this service asks it anything.
#[derive(Clone)]
pub struct World {
    /// DNS with security status.
    pub resolver: Arc<dyn Resolver>,
    /// MTA-STS policy hosts.
    pub policy_fetcher: Arc<dyn PolicyFetcher>,
    /// What outlives one answer.
    pub store: Arc<dyn Store>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// Asks the DNS.
pub trait Resolver: Send + Sync {
    /// Asks one question; every trouble is an [`hoplock_policy::dns::Answer::Failed`].
    fn lookup(&self, question: Question) -> Waiting<'_, Reply>;

    /// What the self-test found out about the resolver (MX-17).
    fn validation(&self) -> Validation;
}

/// Fetches MTA-STS policies.
pub trait PolicyFetcher: Send + Sync {
    /// Fetches the policy of `domain` from its policy host (RFC 8461, 3.3), within the time and size
    /// that the RFC allows. Redirects are never followed.
    fn fetch(&self, domain: PolicyDomain) -> Waiting<'_, Result<PolicyResponse, FetchFailure>>;
}

/// A whole HTTP response; [`hoplock_policy::sts::read_response`] says whether it is a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyResponse {
    /// Status code.
    pub status: u16,
    /// The `Content-Type` field, as sent.
    pub media_type: Option<String>,
    /// At most 64 KiB.
    pub body: Vec<u8>,
}

/// Why no response came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchFailure {
    /// Which step failed.
    pub kind: FetchFailureKind,
    /// Words for people.
    pub detail: String,
}

/// The steps of a fetch that can fail. All mean: no new policy; a remembered one goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FetchFailureKind {
    /// The policy host has no address, or its lookup failed.
    Lookup,
    /// No connection, or it broke.
    Connection,
    /// The certificate is not valid for the policy host (RFC 8461, 3.3).
    WebPki,
    /// The response is larger than 64 KiB.
    TooLarge,
    /// Not finished within the time.
    Timeout,
    /// Not HTTP.
    Protocol,
    /// The address is one that the operator does not let us connect to (ST-29).
    Refused,
}

/// Remembers what must outlive one answer.
pub trait Store: Send + Sync {
    /// The remembered policy of a domain, expired or not: the caller knows the time.
    fn policy(&self, domain: PolicyDomain) -> Waiting<'_, Option<Arc<RememberedPolicy>>>;

    /// Remembers a policy. When this returns well, the policy is as durable as the store can make
    /// it; no answer that rests on it leaves before (ST-28).
    fn remember_policy(
        &self,
        domain: PolicyDomain,
        policy: Arc<RememberedPolicy>,
    ) -> Waiting<'_, Result<(), StoreFailure>>;

    /// When a destination was last seen with usable TLSA records (MX-17).
    fn dane_seen(&self, destination: DomainName) -> Waiting<'_, Option<Moment>>;

    /// Remembers that a destination was seen with usable TLSA records.
    fn remember_dane(&self, destination: DomainName, seen: Moment) -> Waiting<'_, ()>;
}

/// The store could not keep something; words for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store could not keep it: {0}")]
pub struct StoreFailure(pub String);

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Reads both clocks.
    fn now(&self) -> Moment;
}
