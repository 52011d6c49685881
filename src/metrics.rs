//! One struct of counters. Labels come from [`Reason`](hoplock_policy::reason::Reason) and the words of verdicts only: never a domain.

mod labels;
mod reports;
mod watch;

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use hoplock_policy::law::Verdict;
use hoplock_policy::moment::{Moment, Timestamp};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use self::labels::{
    AnswerLabels, DnsLabels, DroppedLabels, EximLabels, GuardLabels, ObservedLabels, ReasonLabel,
    SendmailLabels, SessionLabels,
};
use self::reports::ReportMetrics;
use self::watch::WatchMetrics;
use crate::report::Sessions;
use crate::report::post::PostFigures;
use crate::watch::WatchFigures;
use crate::world::reports::ReportFigures;

/// All figures of one daemon.
pub struct Metrics {
    registry: Registry,
    answers: Family<AnswerLabels, Counter>,
    observed: Family<ObservedLabels, Counter>,
    exim: Family<EximLabels, Counter>,
    sendmail: Family<SendmailLabels, Counter>,
    guard: Family<GuardLabels, Counter>,
    dns: Family<DnsLabels, Counter>,
    sessions: Family<SessionLabels, Counter>,
    sessions_dropped: Family<DroppedLabels, Counter>,
    session_alarms: Gauge,
    reports: ReportMetrics,
    watch: WatchMetrics,
    /// Answers given from findings that were kept.
    pub cached: Counter,
    /// Connections turned away because all places were taken.
    pub turned_away: Counter,
    /// Connections of mail servers at hand.
    pub connections: Gauge,
    /// Destinations whose findings are kept.
    pub cache_entries: Gauge,
    /// 1 where the resolver validates, 0 where it does not, -1 where nobody knows yet.
    pub resolver_validating: Gauge,
    /// Gatherings started, as the answerer counts them.
    pub gathered: Counter<u64, AtomicU64>,
    /// Lookups that broke by a fault of ours.
    pub broken: Counter<u64, AtomicU64>,
    /// Gatherings ahead of expiry.
    pub renewed: Counter<u64, AtomicU64>,
    /// Destinations that lost their usable TLSA records (CA-09).
    pub dane_lost: Counter<u64, AtomicU64>,
    /// MTA-STS policies fetched ahead of expiry.
    pub policies_refreshed: Counter<u64, AtomicU64>,
    /// Such fetches that failed.
    pub policy_refreshes_failed: Counter<u64, AtomicU64>,
    lately: Lately,
}

/// Answers by verdict over the last hour.
#[derive(Default)]
struct Lately {
    totals: [AtomicU64; WORDS.len()],
    /// The totals at the end of each of the last minutes, oldest first.
    minutes: Mutex<VecDeque<[u64; WORDS.len()]>>,
}

/// Every verdict's word (see [`hoplock_policy::law::Answer::word`]).
const WORDS: [&str; 9] = [
    "dane-only",
    "dane",
    "fingerprint",
    "secure",
    "encrypt",
    "may",
    "none",
    "verify",
    "defer",
];
/// Minutes of the last hour.
const HOUR: usize = 60;

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All figures at zero.
    #[must_use]
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("hoplock"),
            answers: Family::default(),
            observed: Family::default(),
            exim: Family::default(),
            sendmail: Family::default(),
            guard: Family::default(),
            dns: Family::default(),
            sessions: Family::default(),
            sessions_dropped: Family::default(),
            session_alarms: Gauge::default(),
            reports: ReportMetrics::default(),
            watch: WatchMetrics::default(),
            cached: Counter::default(),
            turned_away: Counter::default(),
            connections: Gauge::default(),
            cache_entries: Gauge::default(),
            resolver_validating: Gauge::default(),
            gathered: Counter::default(),
            broken: Counter::default(),
            renewed: Counter::default(),
            dane_lost: Counter::default(),
            policies_refreshed: Counter::default(),
            policy_refreshes_failed: Counter::default(),
            lately: Lately::default(),
        };
        metrics.register_requests();
        metrics.register_sessions();
        let registry = &mut metrics.registry;
        registry.register(
            "answers",
            "Answers by verdict and reason",
            metrics.answers.clone(),
        );
        registry.register(
            "answers_cached",
            "Answers from kept findings",
            metrics.cached.clone(),
        );
        registry.register(
            "lookups",
            "Gatherings of findings",
            metrics.gathered.clone(),
        );
        registry.register(
            "lookups_broken",
            "Lookups broken by a fault",
            metrics.broken.clone(),
        );
        for (name, help, counter) in [
            (
                "lookups_ahead",
                "Gatherings ahead of expiry",
                &metrics.renewed,
            ),
            (
                "dane_lost",
                "Destinations that lost their usable TLSA records",
                &metrics.dane_lost,
            ),
            (
                "policies_refreshed",
                "MTA-STS policies fetched ahead of expiry",
                &metrics.policies_refreshed,
            ),
            (
                "policy_refreshes_failed",
                "Fetches ahead of expiry that failed",
                &metrics.policy_refreshes_failed,
            ),
        ] {
            registry.register(name, help, counter.clone());
        }
        let turned_away = metrics.turned_away.clone();
        registry.register("connections_turned_away", "No place was free", turned_away);
        registry.register(
            "connections",
            "Connections at hand",
            metrics.connections.clone(),
        );
        registry.register(
            "cache_entries",
            "Destinations kept",
            metrics.cache_entries.clone(),
        );
        let validating = metrics.resolver_validating.clone();
        registry.register("resolver_validating", "1 yes, 0 no, -1 unknown", validating);
        metrics
    }

    fn register_sessions(&mut self) {
        let registry = &mut self.registry;
        registry.register(
            "sessions",
            "Judged sessions by outcome and reason",
            self.sessions.clone(),
        );
        registry.register(
            "sessions_dropped",
            "Reports not judged, and sessions not kept in the journal",
            self.sessions_dropped.clone(),
        );
        registry.register(
            "session_alarms",
            "Destinations with sessions below their policy in the last hour",
            self.session_alarms.clone(),
        );
        self.reports.register(registry);
        self.watch.register(registry);
    }

    fn register_requests(&mut self) {
        let (exim, dns) = (self.exim.clone(), self.dns.clone());
        let help = "Answers that a rule of mode audit kept from demanding anything, by the reason of what \
                    was kept back";
        let observed = self.observed.clone();
        self.registry.register("answers_observed", help, observed);
        let help = "Requests on Exim's readsocket by verb and answer";
        self.registry.register("exim_requests", help, exim);
        let (help, sendmail) = (
            "Sessions that Sendmail asked about by answer",
            self.sendmail.clone(),
        );
        self.registry.register("sendmail_sessions", help, sendmail);
        let (help, guard) = (
            "Recipients decided on at submission, by what is done",
            self.guard.clone(),
        );
        self.registry.register("guard_decisions", help, guard);
        let help = "Queries on [listen] dns by what was replied";
        self.registry.register("dns_queries", help, dns);
    }

    /// Counts one answer.
    pub fn answered(&self, verdict: &Verdict) {
        let word = verdict.answer.word();
        let totals = WORDS.iter().zip(&self.lately.totals);
        if let Some((_, total)) = totals.into_iter().find(|(own, _)| **own == word) {
            total.fetch_add(1, Ordering::Relaxed);
        }
        let labels = AnswerLabels {
            verdict: verdict.answer.word(),
            reason: ReasonLabel(verdict.reason),
        };
        self.answers.get_or_create(&labels).inc();
        if let Some(reason) = verdict.would_fail {
            let labels = ObservedLabels {
                reason: ReasonLabel(reason),
            };
            self.observed.get_or_create(&labels).inc();
        }
    }

    /// Counts one request of Exim's, by its verb and the first word of its answer.
    pub fn asked_by_exim(&self, verb: &'static str, answer: &'static str) {
        let labels = EximLabels { verb, answer };
        self.exim.get_or_create(&labels).inc();
    }

    /// Counts one session that Sendmail asked about, by the word of its answer.
    pub fn asked_by_sendmail(&self, answer: &'static str) {
        let labels = SendmailLabels { answer };
        self.sendmail.get_or_create(&labels).inc();
    }

    /// Counts one recipient that was decided on at submission, by what is done.
    pub fn guarded(&self, action: &'static str) {
        self.guard.get_or_create(&GuardLabels { action }).inc();
    }

    /// Counts one query for a TXT record, by what was replied.
    pub fn asked_by_dns(&self, rcode: &'static str) {
        self.dns.get_or_create(&DnsLabels { rcode }).inc();
    }

    /// Takes over what is counted of sessions.
    pub fn take_over(&self, sessions: &Sessions, now: Moment) {
        for ((outcome, reason), count) in sessions.totals() {
            let labels = SessionLabels {
                outcome: outcome.word(),
                reason: ReasonLabel(reason),
            };
            let shown = self.sessions.get_or_create(&labels);
            shown.inner().store(count, Ordering::Relaxed);
        }
        for (why, count) in sessions.dropped() {
            let labels = DroppedLabels { why: why.word() };
            let shown = self.sessions_dropped.get_or_create(&labels);
            shown.inner().store(count, Ordering::Relaxed);
        }
        let alarms = sessions.alarms().count(now);
        self.session_alarms
            .set(i64::try_from(alarms).unwrap_or(i64::MAX));
    }

    /// Takes over what stands of watched domains.
    pub fn take_over_watch(&self, figures: &WatchFigures, now: Timestamp) {
        self.watch.take_over(figures, now);
    }

    /// Takes over how TLS reports stand.
    pub fn take_over_reports(&self, figures: &ReportFigures, post: PostFigures) {
        self.reports.take_over(figures, post);
    }

    /// A minute is over.
    pub fn minute(&self) {
        let totals = self.totals();
        let mut minutes = self
            .lately
            .minutes
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        minutes.push_back(totals);
        if minutes.len() > HOUR {
            minutes.pop_front();
        }
    }

    /// Answers by verdict in the last hour, verdicts without any left out.
    #[must_use]
    pub fn last_hour(&self) -> BTreeMap<&'static str, u64> {
        let now = self.totals();
        let minutes = self
            .lately
            .minutes
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let then = match minutes.front() {
            Some(then) if minutes.len() >= HOUR => *then,
            _ => [0; WORDS.len()],
        };
        let counts = WORDS.iter().zip(now.iter().zip(then));
        counts
            .map(|(word, (now, then))| (*word, now.saturating_sub(then)))
            .filter(|(_, count)| *count > 0)
            .collect()
    }

    fn totals(&self) -> [u64; WORDS.len()] {
        let loaded = self.lately.totals.each_ref();
        loaded.map(|total| total.load(Ordering::Relaxed))
    }

    /// The figures as OpenMetrics text.
    #[must_use]
    pub fn open_metrics(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }

    /// The figures as Prometheus text 0.0.4: counters are named with their suffix there.
    #[must_use]
    pub fn prometheus(&self) -> String {
        let open = self.open_metrics();
        let counters: Vec<&str> = open
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
            .collect();
        let mut text = String::new();
        for line in open.lines().filter(|line| *line != "# EOF") {
            let mut words = line.splitn(4, ' ');
            match (words.next(), words.next(), words.next(), words.next()) {
                (Some("#"), Some(kind), Some(name), Some(rest)) if counters.contains(&name) => {
                    text.push_str(&format!("# {kind} {name}_total {rest}\n"));
                }
                _ => {
                    text.push_str(line);
                    text.push('\n');
                }
            }
        }
        text
    }
}
