//! What gives answers: an answerer over a world, and what belongs to both.
//!
//! [`Engine::start`] makes the real world that a configuration describes; [`Engine::over`] takes any.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hoplock_policy::findings::Validation;
use hoplock_policy::law::LawOptions;
use hoplock_policy::moment::Moment;
use hoplock_policy::profile::OwnDane;
use rustls_pki_types::TrustAnchor;

use super::fleet::{self, UnusableFleet};
use crate::adapters::anchor_files::AnchorDirectories;
use crate::adapters::clock::SystemClock;
use crate::adapters::dns::{DnsOptions, DnsStub, self_test, system};
use crate::adapters::https::{FetchOptions, HttpsFetcher, RootsError, authorities};
use crate::adapters::postfix::OwnDaneProbe;
use crate::adapters::smtp::{ProbeOptions, SmtpProber, own_name};
use crate::answer::{Answerer, Settings};
use crate::config::{Config, Limits};
use crate::demo::DemoDomain;
use crate::discover::DiscoverOptions;
use crate::metrics::Outside;
use crate::store::journal::MemoryJournal;
use crate::store::memory::MemoryStore;
use crate::store::sqlite::{OpenError, SqliteReports, SqliteStore};
use crate::store::valkey::{FleetOptions, ValkeyReports, ValkeyStore};
use crate::world::probe::Prober;
use crate::world::reports::Reports;
use crate::world::reports::local::LocalTally;
use crate::world::{Clock, Journal, JournalBounds, Resolver, Store, World};

/// Everything that gives answers.
pub struct Engine {
    /// Gives them.
    pub answerer: Arc<Answerer>,
    /// Who vouches for policy hosts, for judging sessions.
    pub authorities: Vec<TrustAnchor<'static>>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Where state is kept; none: in this process alone.
    pub state_file: Option<String>,
    /// Keeps judged sessions.
    pub journal: Arc<dyn Journal>,
    /// Keeps what is counted and reported.
    pub reports: Arc<dyn Reports>,
    /// What of this machine is looked at again and again; none over a world that is not this machine's.
    pub machine: Option<Machine>,
    /// The destinations of a world that is made to be shown; none in the real one.
    pub demo: &'static [DemoDomain],
    /// How long the DNS and policy hosts took.
    pub outside: Arc<Outside>,
    /// The bounds that it was started with.
    pub limits: Limits,
    started: Moment,
}

/// What of this machine changes behind our back.
#[derive(Clone)]
pub struct Machine {
    /// Asks its name servers, and tests them.
    pub dns: Arc<DnsStub>,
    /// Looks at Postfix.
    pub own_dane: Arc<OwnDaneProbe>,
}

/// Where an engine keeps things.
pub struct Stores {
    /// What outlives one answer.
    pub store: Arc<dyn Store>,
    /// Judged sessions.
    pub journal: Arc<dyn Journal>,
    /// What is counted and reported.
    pub reports: Arc<dyn Reports>,
    /// The state file; none: in this process alone.
    pub file: Option<String>,
}

/// Where an engine remembers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Memory {
    /// In this process alone.
    InProcess,
    /// In a state file.
    File(PathBuf),
}

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The roots cannot be used.
    #[error(transparent)]
    Roots(#[from] RootsError),
    /// The state file cannot be used.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The store of the fleet cannot be used as it is configured.
    #[error(transparent)]
    Fleet(#[from] UnusableFleet),
}

impl Engine {
    /// Builds the world that the configuration describes and tests the resolver once.
    ///
    /// # Errors
    /// [`EngineError`] where something that the configuration names cannot be used.
    pub async fn start(config: &Config, memory: &Memory) -> Result<Self, EngineError> {
        let clock = Arc::new(SystemClock::new());
        let stores = Stores::open(config, memory, clock.clone())?;
        let servers = servers(config);
        let dns = DnsStub::new(dns_options(config), &servers);
        let own_dane = OwnDaneProbe::new(config.dns.self_test.clone());
        // Side by side: silent servers cost seconds.
        tokio::join!(self_test::test(&dns), own_dane.look());
        let outside = Arc::<Outside>::default();
        let resolver = outside.around_resolver(dns.clone());
        let fetcher = HttpsFetcher::new(resolver, fetch_options(config))?;
        let world = World {
            resolver: dns.clone(),
            policy_fetcher: Arc::new(fetcher),
            store: Arc::clone(&stores.store),
            clock,
            mta: own_dane.clone(),
            prober: prober(),
            anchor_files: Arc::new(AnchorDirectories::new()),
        };
        let machine = Machine { dns, own_dane };
        Ok(Self {
            machine: Some(machine),
            ..Self::timed(config, world, stores, outside)?
        })
    }

    /// The same over another world than that of this machine; its store is that of `stores`.
    ///
    /// # Errors
    /// [`EngineError`] where a file of authorities cannot be used.
    pub fn over(config: &Config, world: World, stores: Stores) -> Result<Self, EngineError> {
        Self::timed(config, world, stores, Arc::default())
    }

    /// The same, with what the world takes counted in `outside`.
    fn timed(
        config: &Config,
        world: World,
        stores: Stores,
        outside: Arc<Outside>,
    ) -> Result<Self, EngineError> {
        let world = World {
            resolver: outside.around_resolver(world.resolver),
            policy_fetcher: outside.around_fetcher(world.policy_fetcher),
            ..world
        };
        let clock = Arc::clone(&world.clock);
        let answerer = Answerer::new(
            world,
            discover_options(config),
            settings(config),
            config.limits.cache_entries,
        );
        Ok(Self {
            answerer: Arc::new(answerer),
            authorities: authorities(&config.sts.roots)?,
            started: clock.now(),
            clock,
            state_file: stores.file,
            journal: stores.journal,
            reports: stores.reports,
            machine: None,
            demo: &[],
            outside,
            limits: config.limits.clone(),
        })
    }

    /// Asks the DNS.
    #[must_use]
    pub fn resolver(&self) -> &Arc<dyn Resolver> {
        &self.answerer.world().resolver
    }

    /// How long it has been running.
    #[must_use]
    pub fn running(&self) -> Duration {
        let now = self.clock.now();
        now.uptime.saturating_sub(self.started.uptime)
    }

    /// What was found out about the resolver, for people; one line each.
    #[must_use]
    pub fn says(&self, config: &Config) -> Vec<String> {
        let mut lines = Vec::new();
        let servers = self.resolver().servers();
        if servers.is_empty() && self.machine.is_some() {
            lines.push(
                "no name server is configured: every lookup will fail and mail will wait; see \
                 resolv.conf or [dns] servers"
                    .to_owned(),
            );
        }
        for server in servers {
            let words = match server.validation {
                Validation::Validating => "validates DNSSEC",
                Validation::NotValidating => "does not validate DNSSEC",
                Validation::Unknown => "gave no answer that tells whether it validates DNSSEC",
            };
            lines.push(format!("resolver {} {words}", server.address));
        }
        if !self.resolver().is_believed() {
            lines.push(
                "its word on DNSSEC is not believed, since it is not on loopback or is a forwarder: \
                 DANE is off; run a validating resolver (unbound) on 127.0.0.1, or say [dns] \
                 trust = \"always\" where the path to it is protected"
                    .to_owned(),
            );
        } else if self.resolver().validation() == Validation::NotValidating {
            lines.push(
                "DANE is off until it validates; install a validating resolver, for example unbound"
                    .to_owned(),
            );
        }
        lines.push(format!(
            "{} root certificates vouch for MTA-STS policy hosts",
            self.authorities.len()
        ));
        match &self.state_file {
            Some(path) => lines.push(format!(
                "state in {path}: {} MTA-STS policies remembered",
                self.answerer.world().store.policies().len()
            )),
            None => lines.push("no state: nothing survives a restart".to_owned()),
        }
        let open = config
            .profiles
            .values()
            .any(|profile| profile.own_dane == OwnDane::Auto);
        if open {
            lines.push(self.answerer.world().mta.own_dane().words().to_owned());
        }
        lines
    }
}

/// What asks mail hosts for their certificates: for trust anchors that are named by a digest alone, and for
/// Sendmail's session check. One for all, since its bounds on probes at once are its own.
fn prober() -> Option<Arc<dyn Prober>> {
    let Some(helo) = own_name() else {
        tracing::info!(
            "this machine has no name to say in EHLO, so that no mail host is asked for its certificate: \
             under pins, mail waits for hosts whose TLSA records name a trust anchor by its digest, and \
             Sendmail's session check (map verifier) refuses where a TLSA record names a key"
        );
        return None;
    };
    let options = ProbeOptions {
        helo,
        timeout: PROBE,
    };
    Some(Arc::new(SmtpProber::new(options)))
}

/// The part of a configuration that may change at run time.
#[must_use]
pub fn settings(config: &Config) -> Settings {
    let law = LawOptions {
        dane: config.dane.enabled,
        sts: config.sts.enabled,
        srv_submission: config.dane.srv_submission,
        half_dane: config.dane.half_dane,
        testing_as_enforce: config.sts.testing_as_enforce,
        first_contact: config.sts.on_first_contact_failure,
        tlsa: config.dane.tlsa.clone(),
        digest_order: config.dane.verify.digest_order.clone(),
    };
    Settings {
        rules: config.rules.clone(),
        law,
        profiles: config.profiles.clone(),
    }
}

impl Stores {
    /// What the configuration and `memory` say.
    ///
    /// # Errors
    /// [`EngineError`] where the state file or the store of the fleet cannot be used.
    pub fn open(
        config: &Config,
        memory: &Memory,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, EngineError> {
        let (entries, bounds) = (config.limits.cache_entries, journal_bounds(config));
        let now = clock.now();
        let (own, reports): (Self, Arc<dyn LocalTally>) = match memory {
            Memory::InProcess => {
                let reports = Arc::new(SqliteReports::of(Arc::new(SqliteStore::in_memory(now)?)));
                let own = Self {
                    store: Arc::new(MemoryStore::new(entries)),
                    journal: Arc::new(MemoryJournal::new(bounds)),
                    reports: reports.clone(),
                    file: None,
                };
                (own, reports)
            }
            Memory::File(path) => {
                let store = Arc::new(SqliteStore::open_with(path, entries, bounds, now)?);
                let reports = Arc::new(SqliteReports::of(store.clone()));
                let own = Self {
                    store: store.clone(),
                    journal: store,
                    reports: reports.clone(),
                    file: Some(path.display().to_string()),
                };
                (own, reports)
            }
        };
        let Some(client) = fleet::client(&config.store)? else {
            return Ok(own);
        };
        let options = FleetOptions::default();
        Ok(Self {
            store: Arc::new(ValkeyStore::new(own.store, client.clone(), clock.clone())),
            reports: Arc::new(ValkeyReports::new(reports, client, clock, options)),
            ..own
        })
    }
}

/// How long sessions are kept, and how many.
#[must_use]
pub fn journal_bounds(config: &Config) -> JournalBounds {
    let days = u64::try_from(config.limits.journal_days).unwrap_or(u64::MAX);
    JournalBounds {
        age: Duration::from_secs(days.saturating_mul(86_400)),
        entries: config.limits.journal_entries,
    }
}

/// The name servers that are asked.
#[must_use]
pub fn servers(config: &Config) -> Vec<SocketAddr> {
    if !config.dns.servers.is_empty() {
        return config.dns.servers.clone();
    }
    system::servers().unwrap_or_else(|error| {
        tracing::warn!(%error, "the system's name servers cannot be read");
        Vec::new()
    })
}

/// How the DNS is asked.
#[must_use]
pub fn dns_options(config: &Config) -> DnsOptions {
    DnsOptions {
        servers: config.dns.servers.clone(),
        trust: config.dns.trust,
        timeout: config.dns.timeout,
        lookups: config.limits.lookups,
        self_test: config.dns.self_test.clone(),
        self_test_bogus: config.dns.self_test_bogus.clone(),
    }
}

/// How policies are fetched.
#[must_use]
pub fn fetch_options(config: &Config) -> FetchOptions {
    FetchOptions {
        port: config.sts.port,
        roots: config.sts.roots.clone(),
        timeout: config.sts.timeout,
        refuse_private_addresses: config.sts.refuse_private_addresses,
    }
}

/// Bounds and switches of the gathering, which may change at run time too.
#[must_use]
pub fn discover_options(config: &Config) -> DiscoverOptions {
    DiscoverOptions {
        dane: config.dane.enabled,
        sts: config.sts.enabled,
        force_insecure_host_tlsa: config.dane.force_insecure_host_tlsa,
        mx_hosts: config.limits.mx_hosts,
        policy_entries: config.limits.cache_entries,
    }
}

/// Mail servers wait for less; a probe that takes longer is there for the next attempt.
const PROBE: Duration = Duration::from_secs(30);
