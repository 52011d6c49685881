//! The questions to the outside, as traits, and the one value that bundles them.
//!
//! `discover` sees the world only through these. The real ones are `adapters`; `scripted` is a fake
//! world as a readable value, for scenarios and the demonstration.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use hoplock_policy::dns::{Question, Reply};
use hoplock_policy::moment::Moment;
use hoplock_policy::name::PolicyDomain;

/// What a question to the world returns: something to wait for.
pub type Waiting<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The outside, as far as this service asks it anything.
#[derive(Clone)]
pub struct World {
    /// DNS with security status.
    pub resolver: Arc<dyn Resolver>,
    /// MTA-STS policy hosts.
    pub policy_fetcher: Arc<dyn PolicyFetcher>,
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

/// What is known of the resolver: three values, and only one of them changes anything (MX-17).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validation {
    /// It validates: AD is believed.
    Validating,
    /// It answers without AD, three times running, or may not be believed at all: DANE is off.
    NotValidating,
    /// Nothing learnt (SERVFAIL, timeout, not asked yet): nothing changes, lookups fail by themselves.
    Unknown,
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

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Reads both clocks.
    fn now(&self) -> Moment;
}
