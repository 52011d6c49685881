//! All evidence about one destination, as gathered at one moment.
//!
//! The cache keeps findings, never verdicts: a change of rules needs no flush, and `explain` shows
//! the very evidence that was used. A failed lookup is a finding, not an error and not an absence.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::dns::{Answer, Exchange, LookupFailure, RecordData, RecordType, Reply, SecurityStatus};
use crate::moment::Moment;
use crate::name::{DomainName, MxHost, TlsaBaseDomain};
use crate::next_hop::NextHop;
use crate::sts::StsPolicy;
use crate::tlsa::ProbedAnchor;

/// Evidence about one next hop.
#[derive(Clone, Debug)]
pub struct Findings {
    /// What was asked about.
    pub next_hop: NextHop,
    /// How the hosts were found.
    pub mx: MxFinding,
    /// The hosts, as published; the law sorts them.
    pub hosts: Vec<HostFinding>,
    /// The MTA-STS policy, or why there is none.
    pub sts: StsFinding,
    /// Certificates that probes brought, each proved by the digest of a validated TLSA record (DT-16).
    pub anchors: Vec<ProbedAnchor>,
    /// Hosts whose probe brought no such certificate, and why, for people.
    pub anchor_failures: Vec<(MxHost, String)>,
    /// Hosts whose DANE-EE records were seen to fail while their trust anchors matched (DT-19).
    pub end_entity_failed: Vec<MxHost>,
    /// Every lookup that was made, for `explain`.
    pub lookups: Vec<Reply>,
    /// Publisher errors worth a word to people (a null MX beside others, a malformed exchange).
    pub warnings: Vec<String>,
    /// When the gathering ended.
    pub gathered: Moment,
    /// How long from then the findings may be used: the smallest remaining TTL of all they rest on
    /// (CA-01, CA-08), or the short memory of a failure (CA-03).
    pub lifetime: Duration,
}

impl Findings {
    /// What is left of the lifetime at `now`; counted on the clock that never jumps.
    #[must_use]
    pub fn remaining(&self, now: Moment) -> Duration {
        self.lifetime
            .saturating_sub(now.uptime.saturating_sub(self.gathered.uptime))
    }

    /// What the next hop's domain is an alias of, where its MX lookup went along aliases
    /// (RFC 7672, 2.2.1).
    #[must_use]
    pub fn expanded_domain(&self) -> Option<&DomainName> {
        let domain = self.next_hop.name()?;
        let is_mx = |reply: &&Reply| {
            reply.question.record_type == RecordType::Mx && reply.question.name == *domain
        };
        let reply = self.lookups.iter().find(is_mx)?;
        reply.answer.aliases().last()
    }

    /// The port that a host is reached at: that of its SRV record, where it was found by one, else
    /// that of the next hop.
    #[must_use]
    pub fn port_of(&self, host: &MxHost) -> Option<u16> {
        let by_srv = || {
            let replies = self.lookups.iter();
            let data = replies.filter_map(|reply| match &reply.answer {
                Answer::Records { data, .. } => Some(data),
                _ => None,
            });
            data.flatten().find_map(|record| match record {
                RecordData::Srv {
                    port,
                    target: Exchange::Host(target),
                    ..
                } if *target == host.0 => Some(*port),
                _ => None,
            })
        };
        self.next_hop.port().or_else(by_srv)
    }

    /// What the lookups of a host brought, at the end of any aliases; each once, IPv4 first.
    #[must_use]
    pub fn addresses_of(&self, host: &DomainName) -> Vec<IpAddr> {
        let mut addresses = Vec::new();
        for reply in &self.lookups {
            let question = &reply.question;
            let is_own = question.name == *host
                && matches!(question.record_type, RecordType::A | RecordType::Aaaa);
            if let (true, Answer::Records { data, .. }) = (is_own, &reply.answer) {
                addresses.extend(data.iter().filter_map(|data| match data {
                    RecordData::A(address) => Some(IpAddr::from(*address)),
                    RecordData::Aaaa(address) => Some(IpAddr::from(*address)),
                    _ => None,
                }));
            }
        }
        addresses.sort_unstable();
        addresses.dedup();
        addresses
    }

    /// The host that is reached under this name: its own, or what that is an alias of. Some mail servers
    /// report the latter.
    #[must_use]
    pub fn host_named(&self, name: &DomainName) -> Option<&HostFinding> {
        let own = self.hosts.iter().find(|finding| finding.host.0 == *name);
        own.or_else(|| {
            let leads_there = |finding: &&HostFinding| {
                self.lookups.iter().any(|reply| {
                    let asked = &reply.question;
                    matches!(asked.record_type, RecordType::A | RecordType::Aaaa)
                        && asked.name == finding.host.0
                        && reply.answer.aliases().last() == Some(name)
                })
            };
            self.hosts.iter().find(leads_there)
        })
    }

    /// True where a lookup that the answer may rest on failed: such findings are kept only briefly.
    #[must_use]
    pub fn has_failure(&self) -> bool {
        matches!(self.mx, MxFinding::Failed(_))
            || self.sts.has_failure()
            || self.hosts.iter().any(HostFinding::has_failure)
    }
}

/// What the self-test found out about the resolver; only one value changes anything (MX-17).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validation {
    /// It validates: AD is believed.
    Validating,
    /// It answers without AD, three times running, or may not be believed at all: DANE is off.
    NotValidating,
    /// Nothing learnt (SERVFAIL, timeout, not asked yet): nothing changes, lookups fail by themselves.
    Unknown,
}

/// How the hosts of a destination were found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MxFinding {
    /// There are hosts to judge, chosen by a selection of this security.
    Hosts(Selection),
    /// The destination takes no mail, or does not exist: no lookups below it.
    NoHosts {
        /// Which absence.
        why: NoHosts,
        /// Proved or merely said.
        status: SecurityStatus,
    },
    /// The MX or alias lookup failed: delay, never "no MX" (RFC 7672, 2.1.2).
    Failed(LookupFailure),
}

/// What chose the hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    /// An MX RRset (RFC 7672, 2.2.1).
    Mx(SecurityStatus),
    /// The absence of MX records: the domain is its own host (RFC 5321, 5.1).
    Implicit(SecurityStatus),
    /// An SRV RRset (RFC 2782): insecure, it takes DANE away from all its hosts (RFC 7673, 3.1).
    Srv(SecurityStatus),
    /// The operator wrote the host in brackets: trusted, nothing was looked up.
    Named,
}

impl Selection {
    /// Secure where nobody on the path could have changed the choice of hosts.
    pub fn status(self) -> SecurityStatus {
        match self {
            Self::Mx(status) | Self::Implicit(status) | Self::Srv(status) => status,
            Self::Named => SecurityStatus::Secure,
        }
    }
}

/// Why a destination has no hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoHosts {
    /// The name does not exist: no implicit MX (RFC 5321, 5.1).
    NxDomain,
    /// A lone null MX (RFC 7505, 3).
    NullMx,
    /// MX records exist and none names a host: no fall back to the domain (RFC 5321, 5.1).
    NoUsableExchange,
    /// The domain offers no such service (RFC 2782, Target).
    NoService,
}

/// Evidence about one host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostFinding {
    /// The name in the MX record (or in the brackets).
    pub host: MxHost,
    /// MX preference, lower first; 0 where there is no MX.
    pub preference: u16,
    /// The exchange is an alias: some MTAs do not follow it (MX-10).
    pub aliased: bool,
    /// IPv4 addresses.
    pub ipv4: AddressFinding,
    /// IPv6 addresses.
    pub ipv6: AddressFinding,
    /// TLSA records.
    pub dane: DaneFinding,
}

impl HostFinding {
    fn has_failure(&self) -> bool {
        matches!(self.dane, DaneFinding::Failed(_))
            || matches!(self.ipv4, AddressFinding::Failed(_))
            || matches!(self.ipv6, AddressFinding::Failed(_))
    }
}

/// The addresses of a host in one family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddressFinding {
    /// There are some.
    Present {
        /// Of the whole path, aliases included.
        status: SecurityStatus,
        /// How many.
        count: usize,
    },
    /// There are none.
    Absent {
        /// Proved or merely said.
        status: SecurityStatus,
    },
    /// Unknown: never to be read as none (MX-13).
    Failed(LookupFailure),
}

/// What is known of a host's TLSA records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DaneFinding {
    /// Secure records stand under this base; [`crate::tlsa`] says which are usable.
    Records {
        /// SNI and first reference name.
        base: TlsaBaseDomain,
        /// RDATA of each record.
        rdata: Vec<Vec<u8>>,
    },
    /// Proved absent: opportunistic TLS (RFC 7672, 2.2).
    NoneSecure,
    /// The host or its TLSA records lie in unsigned space: opportunistic TLS (RFC 7672, 2.2.2).
    NoneInsecure,
    /// The lookup failed: no delivery through this host (RFC 7672, 2.1.2).
    Failed(LookupFailure),
    /// Not asked, for the host has no address at all, or none could be looked up.
    NotAsked,
}

/// What is known of a destination's MTA-STS policy.
#[derive(Clone, Debug, PartialEq)]
pub enum StsFinding {
    /// MTA-STS does not apply to this next hop, or is switched off.
    NotApplicable,
    /// No valid record and no remembered policy: as if the domain had never heard of MTA-STS.
    Absent(String),
    /// There may be a policy, and it could not be had; nothing is remembered (RFC 8461, 3.3).
    Failed(StsFailure),
    /// A policy, fetched now or remembered; whether it still lives is asked with the time.
    Policy {
        /// The policy.
        remembered: Arc<RememberedPolicy>,
        /// Where it came from for this answer.
        source: PolicySource,
        /// Why the record or a newer policy could not be had, where that is so.
        trouble: Option<StsFailure>,
    },
}

/// Where a policy came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicySource {
    /// Fetched for these findings.
    Fetched,
    /// Remembered from an earlier fetch.
    Cache,
}

/// Trouble on the way to an MTA-STS policy: reported, never a reason to drop a living policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StsFailure {
    /// Which step failed.
    pub kind: StsFailureKind,
    /// Words for people.
    pub detail: String,
}

impl StsFailure {
    /// The step and what happened there, for people.
    #[must_use]
    pub fn words(&self) -> String {
        format!("{}: {}", self.kind.word(), self.detail)
    }
}

/// The steps of RFC 8461 that can fail; each is a result type of RFC 8460, 4.3.2.2 or near one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StsFailureKind {
    /// The TXT lookup failed.
    Record,
    /// The record at `_mta-sts` is not exactly one valid one.
    RecordInvalid,
    /// The policy could not be fetched: `sts-policy-fetch-error`.
    Fetch,
    /// The policy host's certificate is not valid for it: `sts-webpki-invalid`.
    WebPki,
    /// The policy's text is wrong: `sts-policy-invalid`.
    Invalid,
    /// The fetch goes on in the background; this answer could not wait (ST-11).
    Pending,
    /// What is remembered cannot be read, or what was fetched cannot be kept: nobody may act as if
    /// there were no policy (ST-28).
    Store,
}

impl StsFailureKind {
    /// The word for logs, metrics, TEMP texts and `explain`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Record => "sts-record-lookup-failed",
            Self::RecordInvalid => "sts-record-invalid",
            Self::Fetch => "sts-policy-fetch-error",
            Self::WebPki => "sts-webpki-invalid",
            Self::Invalid => "sts-policy-invalid",
            Self::Pending => "sts-fetch-pending",
            Self::Store => "store-failed",
        }
    }
}

/// A policy as it is remembered: raw text inside, and when it was fetched.
#[derive(Clone, Debug, PartialEq)]
pub struct RememberedPolicy {
    /// The policy.
    pub policy: StsPolicy,
    /// The record id that announced it.
    pub id: String,
    /// The last successful HTTPS fetch; `max_age` runs from here alone (ST-27).
    pub fetched: Moment,
}

impl StsFinding {
    /// True where nobody knows whether another policy is announced, or it is on its way: a living
    /// policy goes on meanwhile, and is looked after again soon (ST-25).
    #[must_use]
    pub fn has_failure(&self) -> bool {
        match self {
            Self::Failed(_) => true,
            Self::NotApplicable | Self::Absent(_) => false,
            Self::Policy { trouble, .. } => trouble.as_ref().is_some_and(|failure| {
                matches!(
                    failure.kind,
                    StsFailureKind::Record | StsFailureKind::Pending | StsFailureKind::Store
                )
            }),
        }
    }
}

impl RememberedPolicy {
    /// What is left of `max_age` at `now`; zero when it has expired.
    #[must_use]
    pub fn remaining(&self, now: Moment) -> Duration {
        self.fetched.remaining(self.policy.max_age, now)
    }
}
