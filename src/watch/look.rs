//! One look at a domain: what it publishes, asked for anew, and what its mail hosts show.
//!
//! Everything is asked through the traits of `world`. Nothing is judged here, and nothing that answers
//! mail servers is touched: no cache, no remembered policy.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use hoplock_policy::dns::{Answer, LookupFailure, Question, RecordData, RecordType};
use hoplock_policy::findings::{DaneFinding, Findings, HostFinding, Validation};
use hoplock_policy::moment::Timestamp;
use hoplock_policy::name::{DomainName, PolicyDomain};
use hoplock_policy::next_hop::NextHop;
use hoplock_policy::sts::{StsRecordFinding, read_records};

use crate::discover::{DiscoverOptions, Discoverer};
use crate::report::record::{Reporting, ask};
use crate::world::probe::{ProbeTarget, Probed};
use crate::world::{FetchFailure, PolicyResponse, World};

/// Everything that was seen at one time.
pub struct Seen {
    /// Whose.
    pub domain: DomainName,
    /// When it was over.
    pub time: Timestamp,
    /// Whether the resolver validates: without that, what looks unsigned may be signed.
    pub validation: Validation,
    /// MX records, hosts, TLSA records. The part about MTA-STS is not filled.
    pub findings: Findings,
    /// Sessions with every address of every host; `None` where this machine speaks to nobody.
    pub sessions: Option<Vec<HostSessions>>,
    /// The record at `_mta-sts`.
    pub sts_record: Result<StsRecordFinding, LookupFailure>,
    /// What the policy host said; `None` where no valid record sends anybody there.
    pub policy: Option<Result<PolicyResponse, FetchFailure>>,
    /// The record at `_smtp._tls`.
    pub tlsrpt: Reporting,
}

/// The sessions with one host.
pub struct HostSessions {
    /// The name in the MX record.
    pub host: DomainName,
    /// One for each address.
    pub probed: Vec<Probed>,
}

/// Looks at domains.
pub struct Looker {
    world: World,
    discoverer: Discoverer,
}

impl Looker {
    /// One that asks this world.
    #[must_use]
    pub fn new(world: World) -> Self {
        let options = DiscoverOptions {
            sts: false,
            // Who publishes records in unsigned space believes to be protected.
            force_insecure_host_tlsa: true,
            ..DiscoverOptions::default()
        };
        Self {
            discoverer: Discoverer::new(world.clone(), options),
            world,
        }
    }

    /// Looks now.
    pub async fn look(&self, domain: &DomainName) -> Seen {
        let next_hop = NextHop::Domain {
            domain: PolicyDomain(domain.clone()),
            port: SMTP,
        };
        // Side by side: each waits for others.
        let (findings, (sts_record, policy), tlsrpt) = tokio::join!(
            self.discoverer.discover(&next_hop, PATIENCE),
            self.sts(domain),
            ask(&*self.world.resolver, domain),
        );
        let sessions = self.sessions(&findings).await;
        Seen {
            domain: domain.clone(),
            time: self.world.clock.now().wall,
            validation: self.world.resolver.validation(),
            findings,
            sessions,
            sts_record,
            policy,
            tlsrpt,
        }
    }

    async fn sts(
        &self,
        domain: &DomainName,
    ) -> (
        Result<StsRecordFinding, LookupFailure>,
        Option<Result<PolicyResponse, FetchFailure>>,
    ) {
        let record = match domain.child("_mta-sts") {
            None => Ok(StsRecordFinding::Absent),
            Some(owner) => {
                let question = Question::new(owner, RecordType::Txt);
                sts_record(&self.world.resolver.lookup(question).await.answer)
            }
        };
        if !matches!(record, Ok(StsRecordFinding::One(_))) {
            return (record, None);
        }
        let fetched = self
            .world
            .policy_fetcher
            .fetch(PolicyDomain(domain.clone()))
            .await;
        (record, Some(fetched))
    }

    async fn sessions(&self, findings: &Findings) -> Option<Vec<HostSessions>> {
        let prober = self.world.prober.as_ref()?;
        let mut seen = BTreeSet::new();
        let hosts = findings.hosts.iter();
        let hosts: Vec<&HostFinding> = hosts.filter(|own| seen.insert(&own.host)).collect();
        let targets: Vec<(DomainName, ProbeTarget)> = hosts
            .iter()
            .flat_map(|host| targets(findings, host))
            .collect();
        let probes = stream::iter(targets).map(|(host, target)| async move {
            let probed = prober.probe(target).await;
            (host, probed)
        });
        let probed: Vec<(DomainName, Probed)> = probes.buffered(AT_ONCE).collect().await;
        let of = |host: &DomainName| {
            let own = probed.iter().filter(|(name, _)| name == host);
            own.map(|(_, probed)| probed.clone()).collect()
        };
        let hosts = hosts.iter().map(|host| HostSessions {
            host: host.host.0.clone(),
            probed: of(&host.host.0),
        });
        Some(hosts.collect())
    }
}

fn sts_record(answer: &Answer) -> Result<StsRecordFinding, LookupFailure> {
    match answer {
        Answer::Records { data, .. } => {
            let texts: Vec<Vec<Vec<u8>>> = data
                .iter()
                .filter_map(|record| match record {
                    RecordData::Txt(strings) => Some(strings.clone()),
                    _ => None,
                })
                .collect();
            Ok(read_records(&texts))
        }
        Answer::NoData(_) | Answer::NxDomain(_) => Ok(StsRecordFinding::Absent),
        Answer::Failed(failure) => Err(failure.clone()),
    }
}

/// Under DANE the TLSA base domain is asked for (RFC 7672, 8.1), else the host (RFC 8461, 4.3).
fn targets(findings: &Findings, host: &HostFinding) -> Vec<(DomainName, ProbeTarget)> {
    let name = &host.host.0;
    let asked_for = match &host.dane {
        DaneFinding::Records { base, .. } => &base.0,
        _ => name,
    };
    let addresses = findings.addresses_of(name).into_iter().take(ADDRESSES);
    let target = |address| ProbeTarget::new(SocketAddr::new(address, SMTP), asked_for.clone());
    addresses
        .map(|address| (name.clone(), target(address)))
        .collect()
}

/// Where the mail of others comes in (RFC 5321, 4.5.4.2).
pub(super) const SMTP: u16 = 25;
/// Nobody waits for a look. The part of it that would wait for a policy is not asked for.
const PATIENCE: Duration = Duration::from_secs(20);
/// Sessions side by side: few enough that probes for answers find a place beside them.
const AT_ONCE: usize = 4;
/// Addresses of one host, as for `hoplock check`.
const ADDRESSES: usize = 32;
