//! What one DNS question brought, with its security status: evidence, as plain values.
//!
//! A failed lookup is a value here, not an error: the law decides what it means (RFC 7672, 2.1.2).
//! Not done here: wire format and waiting (the daemon's `adapters::dns`).

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use crate::name::DomainName;

mod follow;

pub use self::follow::{MAX_ALIASES, MAX_NEGATIVE_TTL, Message, follow};

/// The four states of RFC 4033, 5, as far as a validating resolver tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[must_use = "a status that nobody reads protects nobody"]
pub enum SecurityStatus {
    /// Validated: may be relied on.
    Secure,
    /// Proved unsigned: use as before DNSSEC, rely on nothing.
    Insecure,
    /// Signed and wrong: treat as a failed lookup.
    Bogus,
    /// Could not be determined: treat as a failed lookup (RFC 7672, 2.1.1).
    Indeterminate,
}

impl SecurityStatus {
    /// The status of a path of two steps: secure only where both are (RFC 7672, 2.1.3).
    pub fn and(self, next: Self) -> Self {
        match (self, next) {
            (Self::Bogus, _) | (_, Self::Bogus) => Self::Bogus,
            (Self::Indeterminate, _) | (_, Self::Indeterminate) => Self::Indeterminate,
            (Self::Insecure, _) | (_, Self::Insecure) => Self::Insecure,
            (Self::Secure, Self::Secure) => Self::Secure,
        }
    }

    /// The word for logs, `explain` and JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Secure => "secure",
            Self::Insecure => "insecure",
            Self::Bogus => "bogus",
            Self::Indeterminate => "indeterminate",
        }
    }
}

/// The record types that this service asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordType {
    /// IPv4 address.
    A,
    /// IPv6 address.
    Aaaa,
    /// Alias; asked for itself to learn the status of an alias alone (RFC 7672, 2.2.2).
    Cname,
    /// Mail exchanger.
    Mx,
    /// Start of authority; asked by the resolver self-test only.
    Soa,
    /// Where a service is found (RFC 2782).
    Srv,
    /// TLS association (RFC 6698).
    Tlsa,
    /// Text; MTA-STS and TLSRPT records.
    Txt,
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Cname => "CNAME",
            Self::Mx => "MX",
            Self::Soa => "SOA",
            Self::Srv => "SRV",
            Self::Tlsa => "TLSA",
            Self::Txt => "TXT",
        })
    }
}

/// One question.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Question {
    /// Absolute name.
    pub name: DomainName,
    /// Record type.
    pub record_type: RecordType,
}

impl Question {
    /// The question for `record_type` records at `name`.
    #[must_use]
    pub fn new(name: DomainName, record_type: RecordType) -> Self {
        Self { name, record_type }
    }
}

/// Data of one record, parsed as far as this service needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordData {
    /// IPv4 address.
    A(Ipv4Addr),
    /// IPv6 address.
    Aaaa(Ipv6Addr),
    /// Alias target.
    Cname(DomainName),
    /// Mail exchanger.
    Mx {
        /// Lower is tried first.
        preference: u16,
        /// Where it points.
        exchange: Exchange,
    },
    /// Start of authority: only its presence counts.
    Soa,
    /// Where a service is found (RFC 2782). Weights divide load and decide nothing here.
    Srv {
        /// Lower is tried first.
        priority: u16,
        /// The port of the service.
        port: u16,
        /// Where it points; the root says that there is no such service.
        target: Exchange,
    },
    /// Raw RDATA of a TLSA record; [`crate::tlsa`] reads it.
    Tlsa(Vec<u8>),
    /// The character strings of one TXT record.
    Txt(Vec<Vec<u8>>),
}

/// Where an MX record points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exchange {
    /// A host.
    Host(DomainName),
    /// The root: "this domain takes no mail" (RFC 7505, 3).
    Null,
    /// Bytes that are no host name, as text for people: a host that can never be reached.
    Malformed(String),
}

/// One record, as far as it stands in the answer section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Owner name.
    pub owner: DomainName,
    /// Remaining time to live.
    pub ttl: Duration,
    /// Data.
    pub data: RecordData,
}

/// What a question brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// What was asked.
    pub question: Question,
    /// What came.
    pub answer: Answer,
    /// How long it took, for people; nothing is decided by it.
    pub took: Duration,
}

/// The answer to one question, aliases followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Records of the wanted type at the end of the alias chain.
    Records {
        /// Secure or insecure, over the whole chain.
        status: SecurityStatus,
        /// The names that the chain passes after the one asked, the last one is the owner.
        aliases: Vec<DomainName>,
        /// The data at the end, at least one.
        data: Vec<RecordData>,
        /// The smallest remaining TTL on the chain.
        ttl: Duration,
    },
    /// The name exists (or its status says so), the type does not.
    NoData(Denial),
    /// The name at the end of the chain does not exist.
    NxDomain(Denial),
    /// No usable answer: never to be read as absence.
    Failed(LookupFailure),
}

/// An absence and what it rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// Secure: proved. Insecure: merely said.
    pub status: SecurityStatus,
    /// As in [`Answer::Records`].
    pub aliases: Vec<DomainName>,
    /// RFC 2308, 5: the smaller of SOA TTL and SOA minimum, and of the chain's TTLs.
    pub ttl: Duration,
}

/// Why a lookup brought nothing that can be used. The caller delays; it never degrades.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookupFailure {
    /// What went wrong.
    pub kind: FailureKind,
    /// Words for people: the server's extended error, or the local cause.
    pub detail: String,
}

/// Kinds of failed lookups; all mean "failed", the kind is for people and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureKind {
    /// The validator says that signatures are wrong (SERVFAIL with such an extended error).
    Bogus,
    /// SERVFAIL without a DNSSEC verdict.
    ServFail,
    /// REFUSED, NOTIMP, FORMERR and other codes.
    Refused,
    /// No reply in time.
    Timeout,
    /// The reply could not be read.
    Malformed,
    /// Aliases run in a circle, or longer than [`MAX_ALIASES`].
    AliasLoop,
    /// The resolver could not be reached, or this host has no descriptor left.
    Unreachable,
    /// Not asked at all: a bound of ours was reached (MX-20).
    NotExamined,
}

impl FailureKind {
    /// Every kind, for metrics.
    pub const ALL: [Self; 8] = [
        Self::Bogus,
        Self::ServFail,
        Self::Refused,
        Self::Timeout,
        Self::Malformed,
        Self::AliasLoop,
        Self::Unreachable,
        Self::NotExamined,
    ];

    /// The word for logs, metrics, TEMP texts and `explain`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Bogus => "dnssec-bogus",
            Self::ServFail => "dns-servfail",
            Self::Refused => "dns-refused",
            Self::Timeout => "dns-timeout",
            Self::Malformed => "dns-malformed",
            Self::AliasLoop => "dns-alias-loop",
            Self::Unreachable => "dns-unreachable",
            Self::NotExamined => "not-examined",
        }
    }
}

impl Answer {
    /// A failure of `kind` with words for people.
    #[must_use]
    pub fn failed(kind: FailureKind, detail: impl Into<String>) -> Self {
        Self::Failed(LookupFailure {
            kind,
            detail: detail.into(),
        })
    }

    /// How long this answer may be used, `None` for failures (their memory is the cache's matter).
    #[must_use]
    pub fn ttl(&self) -> Option<Duration> {
        match self {
            Self::Records { ttl, .. } => Some(*ttl),
            Self::NoData(denial) | Self::NxDomain(denial) => Some(denial.ttl),
            Self::Failed(_) => None,
        }
    }

    /// The status, failures being bogus or indeterminate.
    pub fn status(&self) -> SecurityStatus {
        match self {
            Self::Records { status, .. } => *status,
            Self::NoData(denial) | Self::NxDomain(denial) => denial.status,
            Self::Failed(failure) if failure.kind == FailureKind::Bogus => SecurityStatus::Bogus,
            Self::Failed(_) => SecurityStatus::Indeterminate,
        }
    }

    /// The names that the alias chain passes, empty where there is none.
    #[must_use]
    pub fn aliases(&self) -> &[DomainName] {
        match self {
            Self::Records { aliases, .. } => aliases,
            Self::NoData(denial) | Self::NxDomain(denial) => &denial.aliases,
            Self::Failed(_) => &[],
        }
    }

    /// The response code word for `explain`: NOERROR, NODATA, NXDOMAIN or the failure's word.
    #[must_use]
    pub fn rcode(&self) -> &'static str {
        match self {
            Self::Records { .. } => "NOERROR",
            Self::NoData(_) => "NODATA",
            Self::NxDomain(_) => "NXDOMAIN",
            Self::Failed(failure) => match failure.kind {
                FailureKind::Bogus | FailureKind::ServFail => "SERVFAIL",
                FailureKind::Refused => "REFUSED",
                FailureKind::Timeout => "TIMEOUT",
                FailureKind::Malformed => "MALFORMED",
                FailureKind::AliasLoop => "ALIAS-LOOP",
                FailureKind::Unreachable => "UNREACHABLE",
                FailureKind::NotExamined => "NOT-EXAMINED",
            },
        }
    }
}
