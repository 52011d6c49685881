//! Findings made of a fuzzer's bytes.

use std::sync::Arc;
use std::time::Duration;

use super::bytes::Bytes;
use crate::dns::{Answer, Denial, FailureKind, LookupFailure, Question, RecordType, Reply};
use crate::dns::{RecordData, SecurityStatus};
use crate::findings::{
    AddressFinding, DaneFinding, Findings, HostFinding, MxFinding, NoHosts, PolicySource,
    RememberedPolicy, Selection, StsFailure, StsFailureKind, StsFinding, Validation,
};
use crate::law::Conditions;
use crate::moment::{Moment, Timestamp};
use crate::name::{DomainName, MxHost, PolicyDomain, TlsaBaseDomain};
use crate::next_hop::NextHop;
use crate::profile::OwnDaneSeen;
use crate::sts::{MxPattern, StsMode, StsPolicy};

/// A name that is one.
pub(super) fn known(text: &str) -> DomainName {
    let name = DomainName::parse(text);
    assert!(name.is_ok(), "{text:?} is a name");
    name.unwrap_or_else(|_| Bytes::new(&[]).name())
}

/// So many addresses, from unsigned space.
pub(super) fn address(count: usize) -> AddressFinding {
    let status = SecurityStatus::Insecure;
    match count {
        0 => AddressFinding::Absent { status },
        count => AddressFinding::Present { status, count },
    }
}

/// All is well, at this moment.
pub(super) fn trusted(now: Moment) -> Conditions {
    Conditions {
        validation: Validation::Validating,
        remembered_dane: false,
        own_dane: OwnDaneSeen::Works,
        now,
    }
}

/// Some evidence about some destination.
pub(super) fn findings(bytes: &mut Bytes<'_>) -> Findings {
    let next_hop = next_hop(bytes);
    let mx = mx(bytes);
    let sts = sts(bytes);
    let gathered = moment(bytes);
    let lifetime = bytes.span();
    let mut hosts: Vec<HostFinding> = Vec::new();
    let mut count = bytes.byte() % 7;
    while count > 0 {
        count -= 1;
        let mut host = host(bytes);
        // What is found of a name does not depend on where it stands.
        if let Some(known) = hosts.iter().find(|own| own.host == host.host) {
            host = HostFinding {
                preference: host.preference,
                ..known.clone()
            };
        }
        // A set has each record once.
        let same = |own: &HostFinding| own.host == host.host && own.preference == host.preference;
        if !hosts.iter().any(same) {
            hosts.push(host);
        }
    }
    let lookups = lookups(bytes);
    Findings {
        next_hop,
        mx,
        hosts,
        sts,
        anchors: Vec::new(),
        anchor_failures: Vec::new(),
        end_entity_failed: Vec::new(),
        lookups,
        warnings: vec![bytes.text()],
        gathered,
        lifetime,
    }
}

fn next_hop(bytes: &mut Bytes<'_>) -> NextHop {
    match bytes.byte() % 8 {
        0 => NextHop::parse(&bytes.text()),
        1 => NextHop::Parent(bytes.name()),
        2 => NextHop::Host {
            host: MxHost(bytes.name()),
            port: 587,
        },
        3 => NextHop::Host {
            host: MxHost(bytes.name()),
            port: 25,
        },
        _ => NextHop::Domain {
            domain: PolicyDomain(bytes.name()),
            port: 25,
        },
    }
}

pub(super) fn moment(bytes: &mut Bytes<'_>) -> Moment {
    let started = Duration::from_secs(1_000_000);
    let early = Moment {
        wall: Timestamp(1_800_000_000_000),
        uptime: started,
    };
    let later = early.later(bytes.span().min(started));
    if bytes.flag() {
        // A wall clock that jumps.
        let wall = Timestamp(u64::from(bytes.long()) * 1000);
        return Moment { wall, ..later };
    }
    later
}

fn status(bytes: &mut Bytes<'_>) -> SecurityStatus {
    use SecurityStatus::{Bogus, Indeterminate, Insecure, Secure};
    let often = [Secure, Secure, Insecure, Insecure, Bogus, Indeterminate];
    bytes.pick(&often, Secure)
}

fn failure(bytes: &mut Bytes<'_>) -> LookupFailure {
    let kinds = [
        FailureKind::Bogus,
        FailureKind::ServFail,
        FailureKind::Refused,
        FailureKind::Timeout,
        FailureKind::Malformed,
        FailureKind::AliasLoop,
        FailureKind::Unreachable,
        FailureKind::NotExamined,
    ];
    LookupFailure {
        kind: bytes.pick(&kinds, FailureKind::Timeout),
        detail: bytes.text(),
    }
}

fn mx(bytes: &mut Bytes<'_>) -> MxFinding {
    match bytes.byte() % 8 {
        0 => MxFinding::Failed(failure(bytes)),
        1 => MxFinding::NoHosts {
            why: bytes.pick(
                &[
                    NoHosts::NxDomain,
                    NoHosts::NullMx,
                    NoHosts::NoUsableExchange,
                ],
                NoHosts::NxDomain,
            ),
            status: status(bytes),
        },
        2 => MxFinding::Hosts(Selection::Named),
        3 => MxFinding::Hosts(Selection::Implicit(status(bytes))),
        _ => MxFinding::Hosts(Selection::Mx(status(bytes))),
    }
}

fn host(bytes: &mut Bytes<'_>) -> HostFinding {
    let shape = bytes.byte();
    HostFinding {
        host: MxHost(bytes.name()),
        preference: u16::from(bytes.byte() % 4) * 10,
        aliased: shape & 0x40 != 0,
        ipv4: addresses(shape & 3, bytes),
        ipv6: addresses(shape >> 2 & 3, bytes),
        dane: dane(bytes),
    }
}

fn addresses(kind: u8, bytes: &mut Bytes<'_>) -> AddressFinding {
    match kind {
        0 => AddressFinding::Absent {
            status: SecurityStatus::Secure,
        },
        1 => AddressFinding::Failed(failure(bytes)),
        count => AddressFinding::Present {
            status: SecurityStatus::Secure,
            count: usize::from(count) * 2 - 3,
        },
    }
}

fn dane(bytes: &mut Bytes<'_>) -> DaneFinding {
    match bytes.byte() % 6 {
        0 => DaneFinding::NoneSecure,
        1 => DaneFinding::NoneInsecure,
        2 => DaneFinding::Failed(failure(bytes)),
        3 => DaneFinding::NotAsked,
        _ => DaneFinding::Records {
            base: TlsaBaseDomain(bytes.name()),
            rdata: rdata(bytes),
        },
    }
}

fn rdata(bytes: &mut Bytes<'_>) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    loop {
        let shape = bytes.byte();
        let (usage, selector, matching) = (shape & 3, shape >> 2 & 1, shape >> 3 & 3);
        let length = match matching {
            1 => 32,
            2 => 64,
            _ => usize::from(shape >> 5),
        };
        let fill = bytes.byte();
        let data = vec![fill; length - usize::from(shape & 0x20 != 0 && length > 8)];
        records.push([&[usage, selector, matching][..], &data].concat());
        if shape & 0x80 == 0 || records.len() > 8 {
            return records;
        }
    }
}

fn sts(bytes: &mut Bytes<'_>) -> StsFinding {
    let kinds = [
        StsFailureKind::Record,
        StsFailureKind::RecordInvalid,
        StsFailureKind::Fetch,
        StsFailureKind::WebPki,
        StsFailureKind::Invalid,
        StsFailureKind::Pending,
        StsFailureKind::Store,
    ];
    let trouble = |bytes: &mut Bytes<'_>| StsFailure {
        kind: bytes.pick(&kinds, StsFailureKind::Fetch),
        detail: bytes.text(),
    };
    let kind = bytes.byte();
    match kind % 6 {
        0 => StsFinding::NotApplicable,
        1 => StsFinding::Absent(bytes.text()),
        2 => StsFinding::Failed(trouble(bytes)),
        _ => StsFinding::Policy {
            remembered: Arc::new(RememberedPolicy {
                policy: policy(bytes),
                id: bytes.text(),
                fetched: moment(bytes),
            }),
            source: if kind & 0x40 == 0 {
                PolicySource::Fetched
            } else {
                PolicySource::Cache
            },
            trouble: (kind & 0x80 != 0).then(|| trouble(bytes)),
        },
    }
}

/// As the reader would have made it: a policy of a text from the network, or one with patterns for
/// the names that are in use here.
fn policy(bytes: &mut Bytes<'_>) -> StsPolicy {
    let shape = bytes.byte();
    if shape & 0x80 != 0
        && let Ok(policy) = StsPolicy::parse(bytes.text().as_bytes())
    {
        return policy;
    }
    let mode = match shape & 3 {
        0 => StsMode::Testing,
        1 => StsMode::None,
        _ => StsMode::Enforce,
    };
    let mut mx = Vec::new();
    for _ in 0..=(shape >> 2 & 3) {
        let name = bytes.name();
        let text = if bytes.flag() {
            format!("*.{name}")
        } else {
            name.to_string()
        };
        mx.extend(MxPattern::parse(&text));
    }
    if mx.is_empty() {
        mx.push(MxPattern::Exact(known("mx.e.test")));
    }
    StsPolicy {
        mode,
        max_age: bytes.span().min(Duration::from_secs(31_557_600)),
        mx,
        text: bytes.text(),
    }
}

/// For `explain` alone: nothing is decided by them.
fn lookups(bytes: &mut Bytes<'_>) -> Vec<Reply> {
    let mut lookups = Vec::new();
    let mut count = bytes.byte() % 3;
    while count > 0 {
        count -= 1;
        let denial = |bytes: &mut Bytes<'_>| Denial {
            status: status(bytes),
            aliases: vec![bytes.name()],
            ttl: bytes.span(),
        };
        let answer = match bytes.byte() % 4 {
            0 => Answer::Failed(failure(bytes)),
            1 => Answer::NoData(denial(bytes)),
            2 => Answer::NxDomain(denial(bytes)),
            _ => Answer::Records {
                status: status(bytes),
                aliases: Vec::new(),
                data: vec![
                    RecordData::Txt(vec![bytes.text().into_bytes()]),
                    RecordData::Tlsa(bytes.text().into_bytes()),
                ],
                ttl: bytes.span(),
            },
        };
        lookups.push(Reply {
            question: Question::new(bytes.name(), RecordType::Tlsa),
            answer,
            took: bytes.span(),
        });
    }
    lookups
}
