//! How things stand when somebody looks: gauges, and counters that others keep, taken over at each scrape.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use super::alarm_kinds::AlarmKind;
use super::labels::{AlarmLabels, BuildLabels};
use super::register::Register;

/// Counts that others keep.
#[derive(Clone, Copy, Debug, Default)]
pub struct Taken {
    /// Answers given from findings that were kept.
    pub answers_cached: u64,
    /// Gatherings of findings.
    pub gathered: u64,
    /// Of these, ahead of expiry.
    pub renewed: u64,
    /// Gatherings for surveys, not among the others.
    pub surveyed: u64,
    /// Lookups that broke by a fault of ours.
    pub broken: u64,
    /// Destinations that lost their usable TLSA records (CA-09).
    pub dane_lost: u64,
    /// MTA-STS policies fetched ahead of expiry.
    pub policies_refreshed: u64,
    /// Such fetches that failed.
    pub policy_refreshes_failed: u64,
    /// Policies taken over from other hosts of the fleet.
    pub policies_taken_over: u64,
}

/// How things stand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Standing {
    /// Connections of mail servers at hand.
    pub connections: usize,
    /// How many there may be.
    pub connections_limit: usize,
    /// Destinations whose findings are kept.
    pub cache_entries: usize,
    /// How many there may be of each kind, those that demand something and those that do not.
    pub cache_entries_limit: usize,
    /// Destinations whose findings are being gathered.
    pub gatherings: usize,
    /// Questions to the DNS under way.
    pub lookups: usize,
    /// How many there may be.
    pub lookups_limit: usize,
    /// Destinations whose mail waits by our answer.
    pub waiting: usize,
    /// 1 where the resolver validates, 0 where it does not, -1 where nobody knows.
    pub resolver_validating: i8,
    /// What is remembered outlives the process.
    pub state_lasts: bool,
    /// What was to be written last was.
    pub state_written: bool,
    /// MTA-STS policies remembered and not expired.
    pub policies: usize,
    /// Of these, those whose last fetch failed.
    pub policies_failing: usize,
    /// What is left of the one that ends first, of those that are kept fresh; none: there is none.
    pub policies_soonest_expiry: Option<Duration>,
    /// Judged sessions in the journal.
    pub journal: usize,
    /// Of these, those below their policy.
    pub journal_failed: usize,
    /// How many there may be.
    pub journal_limit: usize,
    /// TLS reports are made here.
    pub reports_enabled: bool,
    /// When the process started, in seconds since 1970.
    pub started: u64,
}

impl Taken {
    /// Name, help and value of each.
    fn rows(&self) -> [(&'static str, &'static str, u64); 9] {
        [
            (
                "answers_cached",
                "Answers from kept findings",
                self.answers_cached,
            ),
            ("lookups", "Gatherings of findings", self.gathered),
            ("lookups_ahead", "Gatherings ahead of expiry", self.renewed),
            (
                "lookups_surveyed",
                "Gatherings for surveys, which are not among the others",
                self.surveyed,
            ),
            ("lookups_broken", "Lookups broken by a fault", self.broken),
            (
                "dane_lost",
                "Destinations that lost their usable TLSA records",
                self.dane_lost,
            ),
            (
                "policies_refreshed",
                "MTA-STS policies fetched ahead of expiry",
                self.policies_refreshed,
            ),
            (
                "policy_refreshes_failed",
                "Fetches ahead of expiry that failed",
                self.policy_refreshes_failed,
            ),
            (
                "policies_taken_over",
                "MTA-STS policies taken over from other hosts of the fleet in place of a fetch",
                self.policies_taken_over,
            ),
        ]
    }
}

impl Standing {
    /// Name, help and value of each that is a whole number.
    fn rows(&self) -> [(&'static str, &'static str, i64); 18] {
        let of = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        [
            ("connections", "Connections at hand", of(self.connections)),
            (
                "connections_limit",
                "How many connections there may be",
                of(self.connections_limit),
            ),
            ("cache_entries", "Destinations kept", of(self.cache_entries)),
            (
                "cache_entries_limit",
                "How many destinations may be kept of each kind, those that demand something and the others",
                of(self.cache_entries_limit),
            ),
            (
                "lookups_in_flight",
                "Destinations whose findings are being gathered",
                of(self.gatherings),
            ),
            (
                "dns_lookups_in_flight",
                "Questions to the DNS under way",
                of(self.lookups),
            ),
            (
                "dns_lookups_limit",
                "How many questions to the DNS may be under way",
                of(self.lookups_limit),
            ),
            (
                "destinations_waiting",
                "Destinations whose mail waits",
                of(self.waiting),
            ),
            (
                "resolver_validating",
                "1 yes, 0 no, -1 unknown",
                self.resolver_validating.into(),
            ),
            (
                "state_lasts",
                "1 where what is remembered outlives the process, 0 where not",
                self.state_lasts.into(),
            ),
            (
                "state_written",
                "1 where the state file could be written last, 0 where not",
                self.state_written.into(),
            ),
            (
                "policies",
                "MTA-STS policies remembered and not expired",
                of(self.policies),
            ),
            (
                "policies_failing",
                "MTA-STS policies remembered and not expired whose last fetch failed",
                of(self.policies_failing),
            ),
            (
                "journal_sessions",
                "Judged sessions in the journal",
                of(self.journal),
            ),
            (
                "journal_sessions_failed",
                "Judged sessions in the journal that were below their policy",
                of(self.journal_failed),
            ),
            (
                "journal_sessions_limit",
                "How many judged sessions the journal holds",
                of(self.journal_limit),
            ),
            (
                "reports_enabled",
                "1 where TLS reports are made here, 0 where not",
                self.reports_enabled.into(),
            ),
            (
                "start_time_seconds",
                "When the process started, since 1970",
                i64::try_from(self.started).unwrap_or(i64::MAX),
            ),
        ]
    }
}

/// What shows them.
pub(super) struct StandingMetrics {
    taken: Vec<Counter>,
    gauges: Vec<Gauge>,
    soonest_expiry: Gauge<f64, AtomicU64>,
    alarms: Family<AlarmLabels, Gauge>,
    alarms_seen: Gauge,
}

impl StandingMetrics {
    pub(super) fn register(register: &mut Register) -> Self {
        let counter = |(name, help, _): (&str, &str, u64)| {
            let own = Counter::default();
            register.figure(name, help, own.clone());
            own
        };
        let taken = Taken::default().rows().map(counter).into();
        let gauge = |(name, help, _): (&str, &str, i64)| {
            let own = Gauge::default();
            register.figure(name, help, own.clone());
            own
        };
        let gauges = Standing::default().rows().map(gauge).into();
        let own = Self {
            taken,
            gauges,
            soonest_expiry: Gauge::default(),
            alarms: Family::default(),
            alarms_seen: Gauge::default(),
        };
        register.figure(
            "policies_soonest_expiry_seconds",
            "What is left of the MTA-STS policy that ends first, of those that are refreshed; NaN where \
             there is none",
            own.soonest_expiry.clone(),
        );
        register.figure(
            "alarms",
            "Alarms that stand, by kind, as hoplock status shows them",
            own.alarms.clone(),
        );
        register.figure(
            "alarms_looked_at_timestamp_seconds",
            "When the alarms were looked at, since 1970",
            own.alarms_seen.clone(),
        );
        let build = Family::<BuildLabels, Gauge>::default();
        build
            .get_or_create(&BuildLabels {
                version: env!("CARGO_PKG_VERSION"),
            })
            .set(1);
        register.figure("build_info", "The version that runs", build);
        own
    }

    pub(super) fn take_over(&self, taken: Taken, standing: Standing) {
        for (shown, (_, _, value)) in self.taken.iter().zip(taken.rows()) {
            shown.inner().store(value, Ordering::Relaxed);
        }
        for (shown, (_, _, value)) in self.gauges.iter().zip(standing.rows()) {
            shown.set(value);
        }
        let soonest = standing.policies_soonest_expiry;
        self.soonest_expiry
            .set(soonest.map_or(f64::NAN, |left| left.as_secs_f64()));
    }

    pub(super) fn take_over_alarms(&self, standing: &[AlarmKind], seen: u64) {
        for kind in AlarmKind::all() {
            let count = standing.iter().filter(|own| **own == kind).count();
            let labels = AlarmLabels { alarm: kind.word() };
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            self.alarms.get_or_create(&labels).set(count);
        }
        self.alarms_seen
            .set(i64::try_from(seen).unwrap_or(i64::MAX));
    }
}
