//! The questions to the outside, as traits, and the one value that bundles them.
//!
//! `discover` sees the world only through these. The real ones are `adapters`; `scripted` is a fake
//! world as a readable value, for scenarios and the demonstration.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hoplock_policy::dns::{Question, Reply};
use hoplock_policy::findings::RememberedPolicy;
pub use hoplock_policy::findings::Validation;
use hoplock_policy::moment::{Moment, Timestamp};
use hoplock_policy::name::PolicyDomain;
use hoplock_policy::next_hop::NextHop;
use hoplock_policy::profile::OwnDaneSeen;
use hoplock_policy::verify::Certificate;

use self::anchors::AnchorFiles;
pub use self::journal::{
    Journal, JournalBounds, JournalEntry, JournalFigures, JournalQuery, Judged, MatchedKind,
    MatchedText, SessionSource, Timing,
};
pub use self::patience::Patience;
use self::probe::Prober;

pub mod anchors;
pub mod courier;
mod journal;
mod patience;
pub mod probe;
pub mod reports;
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
    /// The mail server beside us.
    pub mta: Arc<dyn Mta>,
    /// Speaks to mail hosts, for trust anchors of which only a digest is published (DT-16); `None` where
    /// this machine has no name to introduce itself by.
    pub prober: Option<Arc<dyn Prober>>,
    /// Trust anchors as files.
    pub anchor_files: Arc<dyn AnchorFiles>,
}

/// Asks the DNS.
pub trait Resolver: Send + Sync {
    /// Asks one question; every trouble is an [`hoplock_policy::dns::Answer::Failed`].
    fn lookup(&self, question: Question) -> Waiting<'_, Reply>;

    /// What the self-test found out about the resolver (MX-17).
    fn validation(&self) -> Validation;

    /// Tests at once, where that has not just been done, and says what is known then. To be asked
    /// when what was known to be secure looks insecure: it may be the resolver that has changed.
    fn test(&self) -> Waiting<'_, Validation>;

    /// Whether its word on DNSSEC is believed at all (MX-15).
    fn is_believed(&self) -> bool {
        true
    }

    /// The name servers that it asks, for people; none where it asks none by an address.
    fn servers(&self) -> Vec<NameServer> {
        Vec::new()
    }
}

/// A name server, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameServer {
    /// Where it is.
    pub address: SocketAddr,
    /// What its self-test says.
    pub validation: Validation,
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
    /// What the policy host showed for itself, for those who look after it.
    pub certificate: Option<Certificate>,
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

impl FetchFailureKind {
    /// Every kind, for metrics.
    pub const ALL: [Self; 7] = [
        Self::Lookup,
        Self::Connection,
        Self::WebPki,
        Self::TooLarge,
        Self::Timeout,
        Self::Protocol,
        Self::Refused,
    ];

    /// The stable word, a label of metrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Lookup => "lookup-failed",
            Self::Connection => "connection-failed",
            Self::WebPki => "web-pki-invalid",
            Self::TooLarge => "too-large",
            Self::Timeout => "timeout",
            Self::Protocol => "not-http",
            Self::Refused => "address-refused",
        }
    }
}

/// Remembers what must outlive one answer.
///
/// A failure to read is never an absence: who asks must then act as if something were remembered.
pub trait Store: Send + Sync {
    /// The policy of a domain that this host remembers, expired or not: the caller knows the time.
    fn policy(
        &self,
        domain: PolicyDomain,
    ) -> Waiting<'_, Result<Option<Arc<RememberedPolicy>>, StoreFailure>>;

    /// The living policy that other hosts of the fleet remember, to be asked for where this host remembers
    /// none; it is kept here before it comes back. `Ok(None)` without a fleet, and with a fleet's store that
    /// does not answer soon.
    fn policy_elsewhere(
        &self,
        domain: PolicyDomain,
    ) -> Waiting<'_, Result<Option<Arc<RememberedPolicy>>, StoreFailure>> {
        let _ = domain;
        Box::pin(async { Ok(None) })
    }

    /// The policy of a domain that is at hand; `None` says nothing. Never waits.
    fn policy_at_hand(&self, domain: &PolicyDomain) -> Option<Arc<RememberedPolicy>>;

    /// Remembers a policy, unless one is remembered whose fetch began later. When this returns well,
    /// it is as durable as the store can make it; no answer that rests on it leaves before (ST-28).
    fn remember_policy(
        &self,
        domain: PolicyDomain,
        policy: Arc<RememberedPolicy>,
    ) -> Waiting<'_, Result<(), StoreFailure>>;

    /// Notes that findings rested on a domain's policy: policies that nobody uses are no longer
    /// refreshed (ST-27). Never waits.
    fn policy_used(&self, domain: &PolicyDomain, now: Moment);

    /// Forgets a domain's policy, by order of the operator; a fleet's other hosts too.
    fn forget_policy(&self, domain: PolicyDomain) -> Waiting<'_, Result<(), StoreFailure>>;

    /// Forgets a domain's policy because the domain itself says so (`max_age` 0), in a fetch that began
    /// at `begun`: what another host fetched later stays.
    fn policy_ended(
        &self,
        domain: PolicyDomain,
        begun: Moment,
    ) -> Waiting<'_, Result<(), StoreFailure>> {
        let _ = begun;
        self.forget_policy(domain)
    }

    /// The policy that another host of the fleet fetched under this id, later than what is remembered
    /// here; it is kept here, as durable as any, before it comes back. `None` wherever that is not to be
    /// had soon: without a fleet, or with a fleet's store that does not answer.
    fn shared_policy(
        &self,
        domain: PolicyDomain,
        id: String,
    ) -> Waiting<'_, Option<Arc<RememberedPolicy>>> {
        let _ = (domain, id);
        Box::pin(async { None })
    }

    /// The right to fetch a domain's policy, for as long as one fetch may take; `None` while another host
    /// has it. Who is alone always has it.
    fn lease_fetch(&self, domain: PolicyDomain) -> Waiting<'_, Option<FetchLease>> {
        let _ = domain;
        Box::pin(async { Some(FetchLease::alone()) })
    }

    /// Tells this host from others of a fleet, so that not all refresh a policy in the same second; zero
    /// where there is no fleet.
    fn host_number(&self) -> u64 {
        0
    }

    /// Takes out what has long expired. Never waits.
    fn sweep(&self, now: Moment);

    /// Every policy at hand, expired or not, for refreshing and for people.
    fn policies(&self) -> Vec<KeptPolicy>;

    /// What is remembered of a destination's usable TLSA records (MX-17, CA-09).
    fn dane(&self, destination: NextHop) -> Waiting<'_, Result<Option<DaneMemory>, StoreFailure>>;

    /// Remembers what was seen of a destination's TLSA records. Never waits: sightings are written
    /// once a day, and one that is lost is written again with the next.
    fn remember_dane(&self, destination: NextHop, memory: DaneMemory);

    /// The destinations whose DANE is gone, for people.
    fn dane_gone(&self) -> Waiting<'_, Result<Vec<(NextHop, Gone)>, StoreFailure>>;

    /// The rules that were added at run time.
    fn rules(&self) -> Waiting<'_, Result<Vec<StoredRule>, StoreFailure>>;

    /// Keeps a rule, in place of one for the same destinations; durable when this returns well.
    fn keep_rule(&self, rule: StoredRule) -> Waiting<'_, Result<(), StoreFailure>>;

    /// Drops the rule of this pattern; false where there was none.
    fn drop_rule(&self, pattern: String) -> Waiting<'_, Result<bool, StoreFailure>>;

    /// Whether what it keeps outlives the process.
    fn lasts(&self) -> Lasts;

    /// False since what was to be written last could not be, for people. Never waits.
    fn can_be_written(&self) -> bool {
        true
    }
}

/// The right to fetch a policy, given back when dropped.
pub struct FetchLease(Option<Box<dyn FnOnce() + Send>>);

impl FetchLease {
    /// Nobody else could have it.
    #[must_use]
    pub fn alone() -> Self {
        Self(None)
    }

    /// One that others wait for: `release` tells them, without waiting.
    #[must_use]
    pub fn shared(release: impl FnOnce() + Send + 'static) -> Self {
        Self(Some(Box::new(release)))
    }
}

impl Drop for FetchLease {
    fn drop(&mut self) {
        if let Some(release) = self.0.take() {
            release();
        }
    }
}

/// How long a store keeps what it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasts {
    /// As long as the process: people are told so.
    Process,
    /// Until it is forgotten by order or by age.
    Disk,
}

/// What is remembered of a destination that had usable TLSA records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DaneMemory {
    /// When they were last seen.
    pub seen: Moment,
    /// That they were gone at a later time, if so.
    pub gone: Option<Gone>,
}

/// Records that were there and are not (CA-09).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone {
    /// Since when.
    pub since: Moment,
    /// Whether that was proved: what merely looks insecure may be a resolver that stopped to
    /// validate, and takes no memory away (MX-17).
    pub proof: Proof,
}

/// Whether an absence was proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// By a signed denial.
    Proved,
    /// Merely said.
    Said,
}

/// A policy as the store has it.
#[derive(Clone, Debug)]
pub struct KeptPolicy {
    /// Whose.
    pub domain: PolicyDomain,
    /// The policy.
    pub policy: Arc<RememberedPolicy>,
    /// When findings last rested on it, on the clock that never jumps.
    pub used: Duration,
}

/// A rule that was added at run time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRule {
    /// Which destinations it is for, as it is written in the configuration.
    pub pattern: String,
    /// Its section of the configuration: `[rules."PATTERN"]` and its keys.
    pub text: String,
    /// Who added it.
    pub by: String,
    /// When.
    pub added: Timestamp,
}

/// The store could not keep something; words for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store could not keep it: {0}")]
pub struct StoreFailure(pub String);

/// No clock that is right tells an earlier time: 2026-11-01, before this version was made.
pub const EARLIEST: Timestamp = Timestamp(1_793_491_200_000);

/// Looks at the mail server beside us.
pub trait Mta: Send + Sync {
    /// What was seen of its own DANE, lately (PD-11). Never waits.
    fn own_dane(&self) -> OwnDaneSeen;
}

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Reads both clocks.
    fn now(&self) -> Moment;
}
