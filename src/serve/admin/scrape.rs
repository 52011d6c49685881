//! Metrics, in the format that is asked for, and how things stand at that time.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use hoplock_policy::findings::Validation;
use hoplock_policy::moment::Moment;
use tokio::time::timeout;

use super::Admin;
use super::status::every_alarm;
use crate::metrics::{AlarmKind, Standing, Taken};
use crate::world::Lasts;

pub(super) async fn metrics(State(admin): State<Arc<Admin>>, headers: HeaderMap) -> Response {
    admin.take_over().await;
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok());
    let open = accept.is_some_and(|accept| accept.contains("application/openmetrics-text"));
    if open {
        let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        ([(header::CONTENT_TYPE, kind)], admin.metrics.open_metrics()).into_response()
    } else {
        let kind = "text/plain; version=0.0.4; charset=utf-8";
        ([(header::CONTENT_TYPE, kind)], admin.metrics.prometheus()).into_response()
    }
}

impl Admin {
    /// Takes over the figures that others count, and how things stand.
    async fn take_over(&self) {
        let now = self.engine.answerer.world().clock.now();
        let metrics = &self.metrics;
        metrics.take_over_standing(self.taken(), self.standing(now));
        metrics.take_over_reports(&self.tally.reports().figures(), self.post.figures());
        metrics.take_over_watch(&self.watch.known().figures(), now.wall);
        metrics.take_over(&self.sessions, now);
        // Some of them are read from the state file: where the disk hangs, all else is shown all the same,
        // and when they were looked at last.
        if let Ok(alarms) = timeout(PATIENCE, every_alarm(self, now)).await {
            let kinds: Vec<AlarmKind> = alarms.iter().map(|own| own.alarm).collect();
            metrics.take_over_alarms(&kinds, now.wall.0 / 1_000);
        }
    }

    fn taken(&self) -> Taken {
        let counted = self.engine.answerer.counters();
        let policies = self.engine.answerer.policies().counters();
        Taken {
            answers_cached: counted.cached.load(Relaxed),
            gathered: counted.gathered.load(Relaxed),
            renewed: counted.renewed.load(Relaxed),
            surveyed: counted.surveyed.load(Relaxed),
            broken: counted.broken.load(Relaxed),
            dane_lost: counted.dane_lost.load(Relaxed),
            policies_refreshed: policies.refreshed.load(Relaxed),
            policy_refreshes_failed: policies.failed.load(Relaxed),
            policies_taken_over: policies.taken_over.load(Relaxed),
        }
    }

    fn standing(&self, now: Moment) -> Standing {
        let (engine, answerer) = (&self.engine, &self.engine.answerer);
        let (world, limits) = (answerer.world(), &engine.limits);
        let policies = answerer.policies().figures(now);
        let journal = self.sessions.journal().figures();
        Standing {
            connections: self.connections.count(),
            connections_limit: limits.connections,
            cache_entries: answerer.cache().len(),
            cache_entries_limit: limits.cache_entries,
            gatherings: answerer.gatherings(),
            lookups: engine
                .machine
                .as_ref()
                .map_or(0, |own| own.dns.lookups_under_way()),
            lookups_limit: limits.lookups,
            waiting: answerer.waiting().count(now),
            resolver_validating: match world.resolver.validation() {
                Validation::Validating => 1,
                Validation::NotValidating => 0,
                Validation::Unknown => -1,
            },
            state_lasts: world.store.lasts() == Lasts::Disk,
            state_written: world.store.can_be_written(),
            policies: policies.remembered,
            policies_failing: policies.failing,
            policies_soonest_expiry: policies.soonest_expiry,
            journal: journal.alarms + journal.others,
            journal_failed: journal.alarms,
            journal_limit: limits.journal_entries,
            reports_enabled: self.post.is_enabled(),
            started: (now.wall.0 / 1_000).saturating_sub(engine.running().as_secs()),
        }
    }
}

/// A scrape waits ten seconds, unless it is told otherwise.
const PATIENCE: Duration = Duration::from_secs(1);
