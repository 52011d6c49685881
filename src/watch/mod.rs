//! One's own domains, watched: TLSA records against the certificate before a change of keys bites, the
//! MTA-STS policy against the MX hosts, the TLSRPT record, the ends of certificates.
//!
//! In reading order:
//!
//! * [`look`]: everything about a domain, asked for now.
//! * [`mod@judge`]: what that comes to. Pure.
//! * [`finding`]: the vocabulary.
//! * [`standing`]: findings over time.
//! * [`shown`]: the same for page and programs.
//!
//! Not done here: when to look, telling log and metrics (`serve`), speaking to hosts (`adapters`).

pub mod finding;
pub mod judge;
pub mod look;
pub mod shown;
pub mod standing;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use hoplock_policy::moment::Timestamp;
use hoplock_policy::name::DomainName;
use rustls_pki_types::TrustAnchor;

use self::finding::{Kind, Severity};
use self::judge::{Bar, judge};
use self::look::Looker;
use self::shown::WatchedDomain;
use self::standing::{Changes, Standing, Stands};
use crate::config::WatchConfig;
use crate::world::World;

/// Watches the domains of a configuration. What it knows is in memory alone: after a start, findings are
/// there with the first look, and what is compared over time (the id of a policy, since when its mode is
/// seen) begins anew.
pub struct Watch {
    config: ArcSwap<WatchConfig>,
    looker: Looker,
    authorities: Vec<TrustAnchor<'static>>,
    standings: Mutex<BTreeMap<DomainName, Standing>>,
}

impl Watch {
    /// One that has not looked yet.
    #[must_use]
    pub fn new(world: World, config: WatchConfig, authorities: Vec<TrustAnchor<'static>>) -> Self {
        Self {
            config: ArcSwap::from_pointee(config),
            looker: Looker::new(world),
            authorities,
            standings: Mutex::default(),
        }
    }

    /// What is watched, and how.
    #[must_use]
    pub fn config(&self) -> Arc<WatchConfig> {
        self.config.load_full()
    }

    /// Watches by this from now on. What is known of domains that are no longer watched is forgotten.
    pub fn reload(&self, config: WatchConfig) {
        self.standings()
            .retain(|domain, _| config.domains.contains(domain));
        self.config.store(Arc::new(config));
    }

    /// Looks at a domain now, watched or not, and says what has changed since the last look.
    pub async fn look(&self, domain: &DomainName) -> Changes {
        let seen = self.looker.look(domain).await;
        let memory = self
            .standings()
            .get(domain)
            .and_then(|own| own.memory.clone());
        let bar = Bar {
            authorities: &self.authorities,
            before: self.config.load().certificate_days,
        };
        let judged = judge(&seen, &bar, memory.as_ref());
        self.standings()
            .entry(domain.clone())
            .or_default()
            .take_over(judged, seen.time)
    }

    /// Every watched domain, in the order of the configuration, and others that were looked at.
    #[must_use]
    pub fn list(&self) -> Vec<WatchedDomain> {
        let (config, standings) = (self.config.load(), self.standings());
        let of = |domain: &DomainName| match standings.get(domain) {
            Some(standing) => standing.shown(domain),
            None => Standing::default().shown(domain),
        };
        let others = standings
            .keys()
            .filter(|domain| !config.domains.contains(domain));
        config.domains.iter().chain(others).map(of).collect()
    }

    /// The alarms that stand, by domain.
    #[must_use]
    pub fn alarms(&self) -> Vec<(DomainName, Stands)> {
        let (config, standings) = (self.config.load(), self.standings());
        // A look may end after its domain was taken out of the configuration.
        let watched = standings
            .iter()
            .filter(|(domain, _)| config.domains.contains(domain));
        let all = watched.flat_map(|(domain, standing)| {
            let own = standing.findings().iter();
            own.filter(|stands| stands.finding.severity == Severity::Alarm)
                .map(|stands| (domain.clone(), stands.clone()))
        });
        all.collect()
    }

    /// The figures for metrics.
    #[must_use]
    pub fn figures(&self) -> WatchFigures {
        let (config, standings) = (self.config.load(), self.standings());
        let mut figures = WatchFigures::default();
        for standing in config
            .domains
            .iter()
            .filter_map(|domain| standings.get(domain))
        {
            for stands in standing.findings() {
                let of = (stands.finding.severity, stands.finding.kind);
                *figures.findings.entry(of).or_default() += 1;
            }
            figures.looked = figures.looked.max(standing.looked());
            let ends = standing.hosts().iter().filter_map(|own| own.first_end());
            figures.first_end = ends.chain(figures.first_end).min();
        }
        figures
    }

    fn standings(&self) -> MutexGuard<'_, BTreeMap<DomainName, Standing>> {
        self.standings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// All watched domains in figures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchFigures {
    /// How many stand, of each kind.
    pub findings: BTreeMap<(Severity, Kind), usize>,
    /// When the last look ended; none: nothing was looked at.
    pub looked: Option<Timestamp>,
    /// The first end of a certificate that a mail host showed, in seconds since 1970.
    pub first_end: Option<i64>,
}
