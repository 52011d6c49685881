//! From a next hop to findings: the only reasoning that waits.
//!
//! MX and the MTA-STS record are asked side by side, then the hosts' addresses and TLSA records
//! beside the policy fetch. One host's trouble stays that host's; the whole is bounded in time and
//! number. Every trouble becomes a finding, none an error.

mod dane;
mod mx;
mod policies;
mod record;
mod srv;
mod sts;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::stream::{self, StreamExt};
use hoplock_policy::dns::{Answer, FailureKind, Question, RecordType, Reply, SecurityStatus};
use hoplock_policy::findings::{Findings, HostFinding, MxFinding, Selection, StsFinding};
use hoplock_policy::name::{DomainName, MxHost, PolicyDomain};
use hoplock_policy::next_hop::{NextHop, SubmissionService};

pub use self::policies::{Policies, PolicyFigures};
use crate::world::{Patience, World};

/// Gathers findings.
pub struct Discoverer {
    world: World,
    options: ArcSwap<DiscoverOptions>,
    policies: Arc<Policies>,
}

/// Bounds and switches of the gathering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiscoverOptions {
    /// Ask for TLSA records at all.
    pub dane: bool,
    /// Ask for MTA-STS at all.
    pub sts: bool,
    /// Ask for TLSA records of hosts in unsigned space too (off: RFC 7672, 2.2.2).
    pub force_insecure_host_tlsa: bool,
    /// Hosts examined for one destination; the rest counts as failed (MX-20).
    pub mx_hosts: usize,
    /// Policy fetch failures and fetches under way that are remembered.
    pub policy_entries: usize,
}

impl Default for DiscoverOptions {
    fn default() -> Self {
        Self {
            dane: true,
            sts: true,
            force_insecure_host_tlsa: false,
            mx_hosts: MX_HOSTS,
            policy_entries: POLICY_ENTRIES,
        }
    }
}

impl Discoverer {
    /// A discoverer over `world`.
    #[must_use]
    pub fn new(world: World, options: DiscoverOptions) -> Self {
        let policies = Arc::new(Policies::new(world.clone(), options.policy_entries));
        Self {
            world,
            options: ArcSwap::from_pointee(options),
            policies,
        }
    }

    /// Gathers by other bounds and switches from now on; true where they differ from the old ones,
    /// so that findings gathered under those should be forgotten.
    pub fn use_options(&self, options: DiscoverOptions) -> bool {
        *self.options.swap(Arc::new(options)) != options
    }

    /// The bounds and switches in force.
    #[must_use]
    pub fn options(&self) -> DiscoverOptions {
        **self.options.load()
    }

    /// The policies under way and the failures remembered.
    #[must_use]
    pub fn policies(&self) -> &Arc<Policies> {
        &self.policies
    }

    /// Gathers the findings for a next hop, for an MTA that waits for `deadline`.
    ///
    /// MTA-STS holds them for no more than 60 % of it (ST-11). MX and hosts may take longer than
    /// that: who asked is then told to wait, and the next one finds the answer (PF-04).
    pub async fn discover(&self, next_hop: &NextHop, deadline: Duration) -> Findings {
        let asking = Asking {
            world: &self.world,
            patience: Patience::of(HOSTS),
        };
        let sts_patience = Patience::of(deadline).part(STS_PERCENT);
        let began = self.world.clock.now();
        let mut gathered = match next_hop {
            NextHop::Domain { domain, port } => {
                let hosts = self.by_mx(asking, &domain.0, *port);
                if self.options.load().sts && !next_hop.is_submission() {
                    let sts = sts::find(&self.world, &self.policies, domain, sts_patience);
                    let (mut hosts, (sts, replies)) = tokio::join!(hosts, sts);
                    hosts.lookups.extend(replies);
                    let sts = self.not_ended(domain, sts, sts_patience).await;
                    Gathered { sts, ..hosts }
                } else {
                    hosts.await
                }
            }
            NextHop::Host { host, port } => {
                // RFC 7672, 2.2: a host that the operator wrote down needs no MX lookup.
                let host = Candidate::at(0, host.clone(), *port);
                self.hosts(asking, Selection::Named, vec![host]).await
            }
            NextHop::Service { domain, service } => self.by_srv(asking, domain, *service).await,
            // The law answers such keys without a lookup; asked all the same, there is no host.
            NextHop::Parent(_) | NextHop::NotADomain(_) => Gathered::without_hosts(),
        };
        let now = self.world.clock.now();
        let ttls = gathered
            .lookups
            .iter()
            .filter_map(|reply| reply.answer.ttl());
        // CA-01: what came first has aged while the rest was waited for.
        let waited = now.uptime.saturating_sub(began.uptime);
        let mut lifetime = ttls
            .fold(MAX_LIFETIME, Duration::min)
            .saturating_sub(waited);
        if let StsFinding::Policy { remembered, .. } = &gathered.sts {
            // Not beyond the policy's own end; ST-18: one with no lifetime serves this answer only.
            lifetime = lifetime.min(remembered.remaining(now));
        }
        gathered
            .lookups
            .sort_by_key(|reply| order(reply.question.record_type));
        Findings {
            next_hop: next_hop.clone(),
            mx: gathered.mx,
            hosts: gathered.hosts,
            sts: gathered.sts,
            anchors: Vec::new(),
            anchor_failures: Vec::new(),
            end_entity_failed: Vec::new(),
            lookups: gathered.lookups,
            warnings: gathered.warnings,
            gathered: now,
            lifetime,
        }
    }

    /// A policy that ended while the hosts were looked up is looked for once more.
    async fn not_ended(
        &self,
        domain: &PolicyDomain,
        found: StsFinding,
        patience: Patience,
    ) -> StsFinding {
        let now = self.world.clock.now();
        match &found {
            StsFinding::Policy { remembered, .. }
                if remembered.remaining(now).is_zero() && !remembered.policy.max_age.is_zero() =>
            {
                sts::find(&self.world, &self.policies, domain, patience)
                    .await
                    .0
            }
            _ => found,
        }
    }

    async fn by_mx(&self, asking: Asking<'_>, domain: &DomainName, port: u16) -> Gathered {
        let (found, reply) = mx::find(asking, domain).await;
        let mut gathered = match found {
            mx::Found::Hosts { selection, hosts } => {
                let at_port = |(preference, host)| Candidate::at(preference, host, port);
                let hosts = hosts.into_iter().map(at_port).collect();
                self.hosts(asking, selection, hosts).await
            }
            mx::Found::Nothing(finding) => Gathered {
                mx: finding,
                ..Gathered::without_hosts()
            },
        };
        gathered
            .warnings
            .extend(mx::warnings(domain, &reply.answer));
        gathered.lookups.push(reply);
        gathered
    }

    /// SB-02: as by MX, each host with the port of its own record.
    async fn by_srv(
        &self,
        asking: Asking<'_>,
        domain: &PolicyDomain,
        service: SubmissionService,
    ) -> Gathered {
        let Some(owner) = service.owner(domain) else {
            return Gathered::without_hosts();
        };
        let reply = asking.ask(&owner, RecordType::Srv).await;
        let mut gathered = match srv::read(&reply.answer) {
            srv::Found::Hosts { status, hosts } => {
                self.hosts(asking, Selection::Srv(status), hosts).await
            }
            srv::Found::Nothing(finding) => Gathered {
                mx: finding,
                ..Gathered::without_hosts()
            },
        };
        gathered
            .warnings
            .extend(srv::warnings(&owner, &reply.answer));
        gathered.lookups.push(reply);
        gathered
    }

    async fn hosts(
        &self,
        asking: Asking<'_>,
        selection: Selection,
        mut hosts: Vec<Candidate>,
    ) -> Gathered {
        hosts.sort();
        hosts.dedup();
        let mut options = **self.options.load();
        // RFC 7673, 3.1: behind insecure SRV records no TLSA records are asked for (SB-03).
        options.dane &=
            !matches!(selection, Selection::Srv(status) if status != SecurityStatus::Secure);
        let beyond = hosts.split_off(hosts.len().min(options.mx_hosts));
        let mut gathered = Gathered {
            mx: MxFinding::Hosts(selection),
            ..Gathered::without_hosts()
        };
        if !beyond.is_empty() {
            let warning = format!(
                "{} MX hosts beyond the first {} were not examined",
                beyond.len(),
                hosts.len()
            );
            gathered.warnings.push(warning);
        }
        let mut examined = stream::iter(hosts)
            .map(|candidate| dane::examine(asking, options, candidate))
            .buffered(HOSTS_AT_ONCE);
        while let Some((host, replies)) = examined.next().await {
            gathered.hosts.push(host);
            gathered.lookups.extend(replies);
        }
        // MX-20: a host that was not examined is failed, never "has no TLSA".
        gathered.hosts.extend(beyond.into_iter().map(|candidate| {
            let bound = options.mx_hosts;
            let detail = format!("only the best {bound} MX hosts are examined");
            dane::not_examined(candidate.preference, candidate.host, detail)
        }));
        gathered
    }
}

/// A host to examine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    preference: u16,
    host: MxHost,
    port: Port,
}

/// Where a host is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Port {
    One(u16),
    /// Hosts go by their names: of one that is found at several ports, nobody could say which of them
    /// a session had.
    Several,
}

impl Candidate {
    fn at(preference: u16, host: MxHost, port: u16) -> Self {
        Self {
            preference,
            host,
            port: Port::One(port),
        }
    }
}

/// A question to the DNS that never takes longer than the patience of the whole.
#[derive(Clone, Copy)]
struct Asking<'a> {
    world: &'a World,
    patience: Patience,
}

impl Asking<'_> {
    async fn ask(self, name: &DomainName, record_type: RecordType) -> Reply {
        let question = Question::new(name.clone(), record_type);
        match self
            .patience
            .wait(self.world.resolver.lookup(question.clone()))
            .await
        {
            Some(reply) => reply,
            None => out_of_time(question),
        }
    }
}

fn out_of_time(question: Question) -> Reply {
    let detail = "no answer within the time that this query may take";
    let answer = Answer::failed(FailureKind::Timeout, detail);
    Reply {
        question,
        answer,
        took: Duration::ZERO,
    }
}

/// Findings in the making.
struct Gathered {
    mx: MxFinding,
    hosts: Vec<HostFinding>,
    sts: StsFinding,
    lookups: Vec<Reply>,
    warnings: Vec<String>,
}

impl Gathered {
    fn without_hosts() -> Self {
        Self {
            mx: MxFinding::Hosts(Selection::Named),
            hosts: Vec::new(),
            sts: StsFinding::NotApplicable,
            lookups: Vec::new(),
            warnings: Vec::new(),
        }
    }
}

/// The order in which people read lookups: as the path of the query goes.
fn order(record_type: RecordType) -> u8 {
    match record_type {
        RecordType::Mx | RecordType::Srv => 0,
        RecordType::Txt => 1,
        RecordType::A | RecordType::Aaaa | RecordType::Cname => 2,
        RecordType::Tlsa => 3,
        RecordType::Soa => 4,
    }
}

/// A destination with more hosts than this is hardly honest; real ones have fewer than twenty.
const MX_HOSTS: usize = 32;
/// Hosts of one destination examined side by side.
const HOSTS_AT_ONCE: usize = 8;
/// Failures and fetches remembered; each is a few hundred bytes.
const POLICY_ENTRIES: usize = 10_000;
/// All lookups about MX and hosts together. A host that is not known by then counts as failed, and
/// the others are answered for, before Postfix's deadline of 20 s.
const HOSTS: Duration = Duration::from_secs(18);
/// Part of the deadline for MTA-STS (ST-11).
const STS_PERCENT: u32 = 60;
/// No finding is kept longer, whatever its TTL: a day-old answer is asked again.
const MAX_LIFETIME: Duration = Duration::from_secs(86_400);
