//! One gathering of findings for all who ask at once (CA-05), into the cache and the memory.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry as Place;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use hoplock_policy::dns::SecurityStatus;
use hoplock_policy::findings::{DaneFinding, Findings, MxFinding, StsFinding, Validation};
use hoplock_policy::moment::Moment;
use hoplock_policy::next_hop::NextHop;
use hoplock_policy::sts::StsMode;
use hoplock_policy::tlsa::TlsaSet;
use tokio::sync::OwnedSemaphorePermit;

use super::{Answered, Answerer, Counters, memory};
use crate::cache::{Entry, FindingsCache};
use crate::discover::{DiscoverOptions, Discoverer, Policies};
use crate::world::{Patience, World};

/// A gathering under way.
pub(super) type Flight = Shared<BoxFuture<'static, Result<Arc<Entry<Answered>>, Broken>>>;

/// A lookup broke by a fault of ours.
#[derive(Clone, Copy, Debug)]
pub(super) struct Broken;

impl Answerer {
    /// The gathering under way for a next hop, or a new one. Who asks shares it (CA-05).
    pub(super) fn flight(
        &self,
        next_hop: &NextHop,
        deadline: Duration,
        purpose: Purpose,
    ) -> Flight {
        let key = (next_hop.clone(), deadline);
        match self.flights.entry(key.clone()) {
            Place::Occupied(place) => place.get().clone(),
            Place::Vacant(place) => {
                self.counters.gathered.fetch_add(1, Ordering::Relaxed);
                let landing = Landing {
                    flights: Arc::clone(&self.flights),
                    key,
                };
                let gathering = self.gathering(purpose);
                let counters = Arc::clone(&self.counters);
                let broken = move |()| {
                    counters.broken.fetch_add(1, Ordering::Relaxed);
                    Broken
                };
                let task = tokio::spawn(async move {
                    let (next_hop, deadline) = &landing.key;
                    let gathered = gathering.run(next_hop, *deadline);
                    // FT-04: a fault in one lookup is that lookup's alone.
                    let outcome = AssertUnwindSafe(gathered).catch_unwind().await;
                    outcome.map_err(drop)
                });
                let flight = task
                    .map(move |joined| joined.unwrap_or(Err(())).map_err(broken))
                    .boxed()
                    .shared();
                place.insert(flight.clone());
                flight
            }
        }
    }
}

impl Answerer {
    fn gathering(&self, purpose: Purpose) -> Gathering {
        Gathering {
            discoverer: Arc::clone(&self.discoverer),
            cache: Arc::clone(&self.cache),
            world: self.world.clone(),
            counters: Arc::clone(&self.counters),
            purpose,
        }
    }

    /// A gathering for a survey: what it brings is kept nowhere. `seat` is held to its end, also where
    /// nobody waits any more.
    pub(super) async fn gather_apart(
        &self,
        next_hop: NextHop,
        deadline: Duration,
        seat: OwnedSemaphorePermit,
    ) -> Result<Arc<Entry<Answered>>, Broken> {
        self.counters.surveyed.fetch_add(1, Ordering::Relaxed);
        let gathering = self.gathering(Purpose::Survey);
        let task = tokio::spawn(async move {
            let _seat = seat;
            gathering.run(&next_hop, deadline).await
        });
        task.await.map_err(|_| {
            self.counters.broken.fetch_add(1, Ordering::Relaxed);
            Broken
        })
    }
}

/// Takes a flight off the board when its task ends, however it ends.
struct Landing {
    flights: Arc<DashMap<(NextHop, Duration), Flight>>,
    key: (NextHop, Duration),
}

impl Drop for Landing {
    fn drop(&mut self) {
        self.flights.remove(&self.key);
    }
}

/// One gathering of findings, into the cache.
struct Gathering {
    discoverer: Arc<Discoverer>,
    cache: Arc<FindingsCache<Answered>>,
    world: World,
    counters: Arc<Counters>,
    purpose: Purpose,
}

/// What findings are gathered for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Somebody waits for them.
    Query,
    /// Those at hand will expire soon.
    Renewal,
    /// Somebody asks what would be answered.
    Survey,
}

impl Gathering {
    async fn run(&self, next_hop: &NextHop, deadline: Duration) -> Arc<Entry<Answered>> {
        let (findings, mut under, options) = self.findings(next_hop, deadline).await;
        // MX-17: a resolver that has just stopped to validate must not pass for a zone that is no
        // longer signed; the self-test of every few minutes would be too late.
        let has_dane = has_usable_dane(&findings);
        if under != Validation::NotValidating
            && !has_dane
            && memory::looks_lost(&self.world, &findings).await
            && self.world.resolver.test().await == Validation::NotValidating
        {
            under = Validation::NotValidating;
        }
        // What nobody sends mail to takes no place from what is busy, and is not remembered.
        if self.purpose == Purpose::Survey {
            return Arc::new(Entry::apart(findings, under));
        }
        for warning in &findings.warnings {
            tracing::info!(%next_hop, "{warning}");
        }
        let enforced = matches!(
            &findings.sts,
            StsFinding::Policy { remembered, .. } if remembered.policy.mode == StsMode::Enforce
        );
        // A renewal that failed takes nothing away: what is at hand is true until its TTL is over.
        if self.purpose == Purpose::Renewal
            && findings.has_failure()
            && let Some(entry) = self.cache.fresh(next_hop, findings.gathered)
            && !is_overtaken(
                &self.world,
                self.discoverer.policies(),
                &entry,
                findings.gathered,
            )
        {
            return entry;
        }
        let entry = self.cache.keep(findings, under, has_dane || enforced);
        // A reload swaps the switches before it forgets: what comes after goes now.
        if self.discoverer.options() != options {
            self.cache.forget(next_hop);
        }
        // Where TLSA records were not asked for, there is nothing to be learnt of them.
        if next_hop.name().is_some() && options.dane {
            let note = memory::note(&self.world, &entry, has_dane);
            // A disk that hangs holds nobody: the next gathering notes it.
            let lost = Patience::of(NOTING).wait(note).await.unwrap_or(false);
            self.counters
                .dane_lost
                .fetch_add(u64::from(lost), Ordering::Relaxed);
        }
        entry
    }

    /// What there is to find, by the switches in force when it was found, and what was known of the
    /// resolver meanwhile.
    async fn findings(
        &self,
        next_hop: &NextHop,
        deadline: Duration,
    ) -> (Findings, Validation, DiscoverOptions) {
        loop {
            let options = self.discoverer.options();
            let before = self.world.resolver.validation();
            let findings = self.discoverer.discover(next_hop, deadline).await;
            // What a reload has switched on meanwhile must not pass for absent.
            if self.discoverer.options() == options {
                let under = match self.world.resolver.validation() {
                    Validation::NotValidating => Validation::NotValidating,
                    _ => before,
                };
                return (findings, under, options);
            }
        }
    }
}

/// Something is known by now that these findings lack: they are gathered anew.
pub(super) fn is_overtaken(
    world: &World,
    policies: &Policies,
    entry: &Entry<Answered>,
    now: Moment,
) -> bool {
    // MX-17: the resolver validates again, or may; what it said before is not believed.
    let recovered = entry.under == Validation::NotValidating
        && world.resolver.validation() != Validation::NotValidating;
    recovered
        || match &entry.findings.next_hop {
            NextHop::Domain { domain, .. } => policies.overtake(domain, &entry.findings.sts, now),
            _ => false,
        }
}

fn has_usable_dane(findings: &Findings) -> bool {
    let MxFinding::Hosts(selection) = &findings.mx else {
        return false;
    };
    selection.status() == SecurityStatus::Secure
        && findings.hosts.iter().any(|host| match &host.dane {
            DaneFinding::Records { rdata, .. } => {
                let options = hoplock_policy::tlsa::TlsaOptions::default();
                TlsaSet::read(rdata.iter().map(Vec::as_slice), &options).is_usable()
            }
            _ => false,
        })
}

/// Writing is ordered at once and not waited for; only what memory lacks is read.
const NOTING: Duration = Duration::from_secs(2);
