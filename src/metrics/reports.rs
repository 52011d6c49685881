//! Figures of TLS reports and of the store that a fleet shares.

use std::sync::atomic::Ordering;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use super::register::Register;
use crate::report::post::PostFigures;
use crate::world::reports::{FleetState, ReportFigures};

/// Those of one daemon.
#[derive(Default)]
pub(super) struct ReportMetrics {
    counted: Counter,
    lost: Counter,
    reports: Family<ReportLabels, Counter>,
    not_handed_over: Gauge,
    fleet: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReportLabels {
    what: &'static str,
}

impl ReportMetrics {
    pub(super) fn register(&self, register: &mut Register) {
        register.figure(
            "report_sessions",
            "Sessions counted for TLS reports, under each of their policies",
            self.counted.clone(),
        );
        register.figure(
            "report_sessions_lost",
            "Sessions counted that could be neither written nor held",
            self.lost.clone(),
        );
        register.figure(
            "tls_reports",
            "TLS reports: claimed, delivered, attempts that failed, given up, received from others",
            self.reports.clone(),
        );
        register.figure(
            "fleet_rows_waiting",
            "Counters that the fleet's store does not have yet",
            self.not_handed_over.clone(),
        );
        register.figure(
            "fleet_store_reached",
            "1 yes, 0 no, -1 there is none",
            self.fleet.clone(),
        );
    }

    pub(super) fn take_over(&self, figures: &ReportFigures, post: PostFigures) {
        let set = |counter: &Counter, value| counter.inner().store(value, Ordering::Relaxed);
        set(&self.counted, figures.counted);
        set(&self.lost, figures.lost);
        for (what, value) in [
            ("claimed", post.claimed),
            ("delivered", post.delivered),
            ("attempt-failed", post.failed),
            ("given-up", post.given_up),
            ("received", post.received),
        ] {
            set(&self.reports.get_or_create(&ReportLabels { what }), value);
        }
        let waiting = i64::try_from(figures.not_handed_over).unwrap_or(i64::MAX);
        self.not_handed_over.set(waiting);
        self.fleet.set(match figures.fleet {
            None => -1,
            Some(FleetState::NotReached(_)) => 0,
            Some(FleetState::Reached) => 1,
        });
    }
}
