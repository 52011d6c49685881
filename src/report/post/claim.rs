//! From counters and a record to a report that leaves.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::StreamExt as _;
use hoplock_policy::moment::Timestamp;
use hoplock_policy::name::DomainName;
use hoplock_policy::tlsrpt::{Day, ReportTarget, TlsrptRecordFinding, read_text};

use super::draft::{document, report_id};
use super::plan::{Plan, Planned};
use super::schedule::later;
use super::worth::Nothing;
use super::{Orders, PostOffice};
use crate::report::record::{Reporting, ask};
use crate::world::StoreFailure;
use crate::world::reports::outgoing::{Delivery, DeliveryState, Outgoing, ReportKey};
use crate::world::reports::tally::Counter;

impl PostOffice {
    /// Claims what is due of a day.
    pub(super) async fn claim_due(&self, day: Day, now: Timestamp) -> Result<(), StoreFailure> {
        let mut plan = self.state().plans.remove(&day).unwrap_or_else(Plan::new);
        let claimed = self.claim_planned(&mut plan, day, now).await;
        self.state().plans.insert(day, plan);
        claimed
    }

    async fn claim_planned(
        &self,
        plan: &mut Plan,
        day: Day,
        now: Timestamp,
    ) -> Result<(), StoreFailure> {
        let orders = self.orders.load_full();
        let installation = self.reports.installation().await?;
        if plan.is_exhausted(now) {
            let of = (day, orders.delay, installation.as_str());
            plan.stretch(&*self.reports, of, now).await?;
        }
        loop {
            let due = plan.take(now, AT_ONCE);
            if due.is_empty() {
                return Ok(());
            }
            let claims = due.into_iter().map(|planned| {
                let (orders, installation) = (&orders, &installation);
                async move {
                    let key = ReportKey {
                        day,
                        domain: planned.domain.clone(),
                    };
                    let outcome = self.claim(&key, orders, installation, planned.failures, now);
                    (outcome.await, planned)
                }
            });
            let mut claims = futures_util::stream::iter(claims).buffer_unordered(AT_ONCE);
            let (mut failed, mut good) = (None, false);
            while let Some((outcome, planned)) = claims.next().await {
                match outcome {
                    Ok(Ok(())) => good = true,
                    Ok(Err(Nothing::LookupFailed(why))) => again(plan, planned, day, now, &why),
                    Ok(Err(nothing)) => {
                        good = true;
                        let domain = &planned.domain;
                        tracing::debug!(%domain, %day, %nothing, "no TLS report");
                    }
                    // What another version wrote, or nobody, is a fault of that report alone.
                    Err(error) => {
                        plan.put(later(now, STORE_PAUSE), planned);
                        failed = Some(error);
                    }
                }
            }
            // Where none could be claimed, the store is at fault.
            if let Some(error) = failed.filter(|_| !good) {
                return Err(error);
            }
        }
    }

    /// Claims one report, unless it was claimed before.
    pub(super) async fn claim(
        &self,
        key: &ReportKey,
        orders: &Orders,
        installation: &str,
        failures: u32,
        now: Timestamp,
    ) -> Result<Result<(), Nothing>, StoreFailure> {
        if self.reports.report(key.clone()).await?.is_some() {
            return Ok(Ok(()));
        }
        let counts = self.reports.counts(key.day, key.domain.clone()).await?;
        if let Err(nothing) = self.is_worth_it(key, &counts, orders).await? {
            return Ok(Err(nothing));
        }
        let targets = match self.targets(&key.domain, &counts, failures).await {
            Ok(targets) => targets,
            Err(nothing) => return Ok(Err(nothing)),
        };
        let targets = match receivers(targets, orders) {
            Ok(targets) => targets,
            Err(nothing) => return Ok(Err(nothing)),
        };
        if !self.has_room(key.day, orders) {
            return Ok(Err(Nothing::Refused("daily_limit")));
        }
        let report_id = report_id(key, installation, &orders.reporter.submitter);
        let document = document(&counts, key, &report_id, &orders.reporter);
        let claimed = self.reports.claim(Outgoing {
            key: key.clone(),
            report_id,
            successful: document.successful(),
            failed: document.failed(),
            document: document.encode(),
            claimed: now,
            deliveries: deliveries(targets, orders, now),
        });
        claimed.await?;
        self.figures.claimed.fetch_add(1, Ordering::Relaxed);
        Ok(Ok(()))
    }

    /// What the domain's record says now (RFC 8460, 3; RP-01, RP-02). Where it cannot be looked up time
    /// and again, what it said when mail was sent: a domain whose DNS is broken is one that should hear
    /// of it.
    pub(super) async fn targets(
        &self,
        domain: &DomainName,
        counts: &BTreeMap<Counter, u64>,
        failures: u32,
    ) -> Result<Vec<ReportTarget>, Nothing> {
        let why = match ask(&*self.resolver, domain).await {
            Reporting::Wanted(record) => return Ok(record.targets),
            Reporting::NotWanted(why) | Reporting::Invalid(why) => {
                return Err(Nothing::NotAsked(why));
            }
            Reporting::Unknown(why) => why,
        };
        let seen = counts.iter().filter_map(|(own, count)| match own {
            Counter::Record(text) => Some((count, text)),
            _ => None,
        });
        match seen.max().filter(|_| failures >= LOOKUPS) {
            Some((_, text)) => match read_text(text) {
                TlsrptRecordFinding::One(record) => Ok(record.targets),
                _ => Err(Nothing::LookupFailed(why)),
            },
            None => Err(Nothing::LookupFailed(why)),
        }
    }

    /// Whether one more report of this day is in the operator's bound; counted where it is.
    fn has_room(&self, day: Day, orders: &Orders) -> bool {
        let mut state = self.state();
        let claimed = state.claimed.entry(day).or_default();
        if *claimed < orders.daily_limit {
            *claimed += 1;
            return true;
        }
        if state.told_limit.replace(day) != Some(day) {
            let limit = orders.daily_limit;
            tracing::warn!(%day, limit,
                "more domains ask for TLS reports than [report] daily_limit; the rest get none of this day");
        }
        false
    }
}

/// Whom the operator lets have reports.
pub(super) fn receivers(
    targets: Vec<ReportTarget>,
    orders: &Orders,
) -> Result<Vec<ReportTarget>, Nothing> {
    let wanted = targets.into_iter().filter(|own| !is_denied(own, orders));
    let left: Vec<ReportTarget> = wanted.collect();
    if left.is_empty() {
        return Err(Nothing::Refused("deny"));
    }
    Ok(left)
}

/// Whether the operator wants this receiver to have none.
pub(super) fn is_denied(target: &ReportTarget, orders: &Orders) -> bool {
    let receiver = DomainName::parse(&target.receiver());
    let covers = |name: &DomainName| orders.deny.iter().any(|own| own.covers(name));
    receiver.is_ok_and(|name| covers(&name))
}

fn deliveries(targets: Vec<ReportTarget>, orders: &Orders, now: Timestamp) -> Vec<Delivery> {
    let to = |target, redirected_from| Delivery {
        target,
        redirected_from,
        state: DeliveryState::Waiting { next: now },
        attempts: 0,
        first: None,
        last: String::new(),
    };
    match &orders.redirect {
        // One copy is enough to look at.
        Some(redirect) => targets
            .into_iter()
            .take(1)
            .map(|own| to(redirect.clone(), Some(own)))
            .collect(),
        None => targets.into_iter().map(|own| to(own, None)).collect(),
    }
}

/// Looked up again later, for as long as a report is tried to be sent.
fn again(plan: &mut Plan, planned: Planned, day: Day, now: Timestamp, why: &str) {
    let (domain, failures) = (planned.domain, planned.failures.saturating_add(1));
    if day.over_for(now).is_some_and(|over| over > LOOKED_UP_FOR) {
        tracing::info!(%domain, %day, why, "no TLS report: its record could not be looked up all day");
        return;
    }
    let pause = LOOKUP_PAUSE
        * 2_u32
            .saturating_pow(failures.saturating_sub(1))
            .min(MOST_PAUSES);
    plan.put(later(now, pause), Planned { domain, failures });
}

/// Reports claimed side by side: each looks its record up.
const AT_ONCE: usize = 32;
/// Failed lookups after which the record counts that the mail server saw.
pub(super) const LOOKUPS: u32 = 3;
/// A store that is at fault is asked again soon, one report that cannot be read not all the time.
const STORE_PAUSE: Duration = Duration::from_secs(60);
/// As between attempts to deliver.
const LOOKUP_PAUSE: Duration = Duration::from_secs(300);
/// Four hours.
const MOST_PAUSES: u32 = 48;
/// RFC 8460, 5.5, for the lookup as for the delivery.
const LOOKED_UP_FOR: Duration = Duration::from_secs(24 * 3_600);
