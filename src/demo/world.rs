//! Records and policies of the demonstration's domains, in a scripted world.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use hoplock_policy::dns::{Exchange, FailureKind, RecordData, RecordType, SecurityStatus};
use hoplock_policy::name::DomainName;

use super::domains::DOMAINS;
use super::{DemoDomain, Fault, MxRecords, StsHost};
use crate::world::scripted::{Scripted, ScriptedPolicy, ScriptedWorld, Zone};
use crate::world::{FetchFailureKind, PolicyResponse};

/// The world of [`DOMAINS`], as it is at first: [`time_passes`] changes some of it.
#[must_use]
pub fn world() -> Arc<ScriptedWorld> {
    let world = ScriptedWorld::new();
    world.keeps_no_record();
    for domain in DOMAINS {
        let Some(name) = name(domain.name) else {
            continue;
        };
        let place = Place {
            world: &world,
            domain,
            name,
        };
        place.publish();
        place.policy();
    }
    world
}

/// What happens while the daemon watches: a destination withdraws its TLSA records, and a policy host goes.
pub fn time_passes(world: &ScriptedWorld) {
    for domain in DOMAINS {
        for (host, _, state) in hosts(domain) {
            if state == "lost"
                && let Some(base) = tlsa_base(&host)
            {
                world.clear(&base, RecordType::Tlsa);
            }
        }
        if domain.sts == StsHost::GoesDown
            && let Some(name) = name(domain.name)
        {
            world.policy(name, ScriptedPolicy::Fails(FetchFailureKind::Connection));
        }
    }
}

/// The destinations that must have been asked for before [`time_passes`], so that there is something to
/// remember of them.
pub fn changing() -> impl Iterator<Item = &'static DemoDomain> {
    DOMAINS.iter().filter(|domain| {
        domain.sts == StsHost::GoesDown || hosts(domain).any(|(_, _, state)| state == "lost")
    })
}

/// One domain, being written.
struct Place<'a> {
    world: &'a ScriptedWorld,
    domain: &'a DemoDomain,
    name: DomainName,
}

impl Place<'_> {
    fn publish(&self) {
        let status = match self.domain.mx {
            MxRecords::Insecure => SecurityStatus::Insecure,
            _ => SecurityStatus::Secure,
        };
        self.world.zone(Zone {
            name: self.name.clone(),
            status,
            negative: NEGATIVE,
        });
        match self.domain.mx {
            MxRecords::Secure | MxRecords::Insecure => {}
            MxRecords::Null => self.add(status, 0, Exchange::Null),
            MxRecords::Alias(target) => {
                if let Some(target) = name(target) {
                    let data = RecordData::Cname(target);
                    self.world.add(self.name.clone(), status, TTL, data);
                }
            }
            // A denial that nothing stands there, and the domain's own address.
            MxRecords::Implicit | MxRecords::Nothing => {}
            MxRecords::Fails(fault) => {
                let kind = match fault {
                    Fault::Bogus => FailureKind::Bogus,
                    Fault::Silent => FailureKind::Timeout,
                };
                let fails = Scripted::Fails(kind);
                self.world.set(self.name.clone(), RecordType::Mx, fails);
            }
        }
        for (at, (host, preference, state)) in hosts(self.domain).enumerate() {
            if self.domain.mx != MxRecords::Implicit {
                self.add(status, preference, Exchange::Host(host.clone()));
            }
            self.host(at, &host, state);
        }
    }

    fn add(&self, status: SecurityStatus, preference: u16, exchange: Exchange) {
        let data = RecordData::Mx {
            preference,
            exchange,
        };
        self.world.add(self.name.clone(), status, TTL, data);
    }

    /// A host by its state: addresses, and TLSA records.
    fn host(&self, at: usize, host: &DomainName, state: &str) {
        let servfail = || Scripted::Fails(FailureKind::ServFail);
        if state == "address-failed" {
            self.world.set(host.clone(), RecordType::A, servfail());
            self.world.set(host.clone(), RecordType::Aaaa, servfail());
            return;
        }
        // Its status is that of the zone that it stands in.
        let is_unsigned = self.domain.mx == MxRecords::Insecure && self.domain.zone.is_empty();
        let status = if is_unsigned {
            SecurityStatus::Insecure
        } else {
            SecurityStatus::Secure
        };
        let mut owner = host.clone();
        if state == "alias"
            && let Some(target) = name(&format!("{host}.hosting.test"))
        {
            let data = RecordData::Cname(target.clone());
            self.world.add(host.clone(), status, TTL, data);
            owner = target;
        }
        let last = u8::try_from(at).unwrap_or(u8::MAX).saturating_add(1);
        let ipv4 = RecordData::A(Ipv4Addr::new(192, 0, 2, last));
        let ipv6 = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(last));
        self.world.add(owner.clone(), status, TTL, ipv4);
        self.world
            .add(owner.clone(), status, TTL, RecordData::Aaaa(ipv6));
        let Some(base) = tlsa_base(&owner) else {
            return;
        };
        if state == "failed" {
            self.world.set(base, RecordType::Tlsa, servfail());
            return;
        }
        for record in tlsa(state) {
            let data = RecordData::Tlsa(record);
            self.world.add(base.clone(), status, TTL, data);
        }
    }

    /// The MTA-STS record, and what the policy host says.
    fn policy(&self) {
        let (mode, max_age, answers) = match self.domain.sts {
            StsHost::None => return,
            StsHost::Serves(mode) => (mode, WEEK, true),
            StsHost::GoesDown => ("enforce", SOON, true),
            StsHost::Down => ("enforce", WEEK, false),
        };
        if let Some(record) = self.name.child("_mta-sts") {
            let text = RecordData::Txt(vec![b"v=STSv1; id=20261101T000000;".to_vec()]);
            let status = SecurityStatus::Insecure;
            self.world.add(record, status, TTL, text);
        }
        let mut body = format!("version: STSv1\r\nmode: {mode}\r\n");
        let listed = self
            .domain
            .hosts
            .split(", ")
            .zip(hosts(self.domain))
            .filter(|(spec, _)| !spec.ends_with(UNLISTED));
        let mut patterns: Vec<String> = listed.map(|(_, (host, ..))| host.to_string()).collect();
        if patterns.is_empty() {
            patterns.push(format!("*.listed.{}", self.name));
        }
        for pattern in patterns {
            body.push_str(&format!("mx: {pattern}\r\n"));
        }
        body.push_str(&format!("max_age: {max_age}\r\n"));
        let response = PolicyResponse {
            status: 200,
            media_type: Some("text/plain".to_owned()),
            body: body.into_bytes(),
            certificate: None,
        };
        let policy = if answers {
            ScriptedPolicy::Responds(response, Duration::ZERO)
        } else {
            ScriptedPolicy::Fails(FetchFailureKind::Connection)
        };
        self.world.policy(self.name.clone(), policy);
    }
}

/// Its hosts with preference and state.
pub(super) fn hosts(domain: &DemoDomain) -> impl Iterator<Item = (DomainName, u16, &'static str)> {
    let own = if domain.mx == MxRecords::Implicit {
        String::new()
    } else {
        "mx{}.".to_owned()
    };
    let zone = match domain.zone {
        "" => domain.name.to_owned(),
        zone => format!("{}.{zone}", domain.name.trim_end_matches(".test")),
    };
    let specs = domain.hosts.split(", ").zip(1_u8..);
    specs.filter_map(move |(spec, at)| {
        let (preference, state) = spec.split_once(':')?;
        let host = format!("{}{zone}", own.replace("{}", &at.to_string()));
        let state = state.trim_end_matches(UNLISTED);
        Some((name(&host)?, preference.parse().ok()?, state))
    })
}

/// TLSA records of a host in this state.
fn tlsa(state: &str) -> Vec<Vec<u8>> {
    let record = |head: [u8; 3], digest: [u8; 32]| [&head[..], &digest].concat();
    match state {
        "ee" | "alias" | "lost" => vec![record([3, 1, 1], HOST_KEY)],
        "rollover" => vec![record([3, 1, 1], HOST_KEY), record([3, 1, 1], STRANGER_KEY)],
        "ta" => vec![record([2, 0, 1], AUTHORITY)],
        // RFC 7672, 3.1.3: usage 1 is for the web, and no record of it can be used.
        "unusable" => vec![record([1, 1, 1], HOST_KEY)],
        _ => Vec::new(),
    }
}

fn tlsa_base(host: &DomainName) -> Option<DomainName> {
    name(&format!("_25._tcp.{host}"))
}

/// All of them are names; a test says so.
fn name(text: &str) -> Option<DomainName> {
    DomainName::parse(text).ok()
}

/// The digest of the key in `certificates/host.pem`.
pub(super) const HOST_KEY: [u8; 32] = [
    0xb6, 0xf5, 0xba, 0x28, 0x79, 0xf6, 0x05, 0x5f, 0x52, 0xfb, 0xca, 0x0a, 0x8d, 0x74, 0xe5, 0xa7,
    0xff, 0xfd, 0x74, 0x8d, 0x26, 0x3a, 0x12, 0xa3, 0x95, 0xfd, 0xe1, 0x97, 0xb0, 0xc8, 0x67, 0x39,
];
/// Of that in `certificates/stranger.pem`.
pub(super) const STRANGER_KEY: [u8; 32] = [
    0xc0, 0xc1, 0x31, 0xda, 0xe7, 0x26, 0x4b, 0x7c, 0x40, 0x82, 0x2b, 0x37, 0xd6, 0x4f, 0x7a, 0x21,
    0xd6, 0x15, 0xf8, 0xa8, 0x2f, 0xf3, 0x00, 0x04, 0x3c, 0xf2, 0x4f, 0x37, 0x1d, 0xa4, 0x33, 0x52,
];
/// Of `certificates/authority.pem`, whole.
pub(super) const AUTHORITY: [u8; 32] = [
    0x61, 0xfb, 0xcf, 0xbc, 0x69, 0xef, 0x0e, 0xdb, 0x9c, 0xa6, 0x61, 0x99, 0xcf, 0x13, 0x2e, 0x88,
    0xd1, 0xdb, 0xa1, 0x4b, 0x42, 0xea, 0x51, 0xc3, 0xe9, 0x77, 0x34, 0xd3, 0x3e, 0x9a, 0x96, 0x01,
];
/// The mark of a host that the policy leaves out.
const UNLISTED: &str = "(unlisted)";
const TTL: Duration = Duration::from_secs(3600);
const NEGATIVE: Duration = Duration::from_secs(300);
/// Seconds for which most policies hold.
const WEEK: u32 = 604_800;
/// For one that ends while somebody watches.
const SOON: u32 = 3600;
