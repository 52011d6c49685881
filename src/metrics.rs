//! One struct of counters. Labels come from [`Reason`] and words that are known beforehand only: never a
//! domain. docs/metrics.md has all of them.
//!
//! * `tables`: counters and durations of the path of an answer, without a lock.
//! * `outside`: how long the outside takes.
//! * `standing`: what is taken over at each scrape; `alarm_kinds`: alarms among it.
//! * `lately`: the last hour, for people.
//! * `reports`: TLS reports and the store of a fleet; `watch`: watched domains.
//! * `register`: names, and the text in both formats.

mod alarm_kinds;
mod labels;
mod lately;
mod outside;
mod register;
mod reports;
mod standing;
mod tables;
mod watch;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hoplock_policy::law::Verdict;
use hoplock_policy::moment::{Moment, Timestamp};
use hoplock_policy::profile::Profile;
use hoplock_policy::reason::Reason;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

pub use self::alarm_kinds::AlarmKind;
use self::labels::{
    DnsLabels, DroppedLabels, EximLabels, GuardLabels, ObservedLabels, ReasonLabel, SendmailLabels,
    SessionLabels,
};
use self::lately::Lately;
pub use self::outside::Outside;
use self::register::Register;
use self::reports::ReportMetrics;
use self::standing::StandingMetrics;
pub use self::standing::{Standing, Taken};
use self::tables::{Counts, Durations};
use self::watch::WatchMetrics;
use crate::adapters::clock::Stopwatch;
use crate::answer::{Answered, Answerer, Evidence};
use crate::report::Sessions;
use crate::report::post::PostFigures;
use crate::watch::WatchFigures;
use crate::world::reports::ReportFigures;

/// All figures of one daemon.
pub struct Metrics {
    register: Register,
    /// A row for each verdict and reason.
    answers: Counts,
    /// A row for each origin of evidence and reason.
    times: Durations,
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
    standing: StandingMetrics,
    /// Connections turned away because all places were taken.
    pub turned_away: Counter,
    lately: Lately,
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

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All figures at zero, those of the outside counted by nobody.
    #[must_use]
    pub fn new() -> Self {
        Self::with(&Outside::default())
    }

    /// All figures at zero, and those of `outside`.
    #[must_use]
    pub fn with(outside: &Outside) -> Self {
        let reasons = |first: (&'static str, &'static str)| {
            let rows = Reason::ALL.iter();
            rows.map(move |reason| vec![first, ("reason", reason.word())])
        };
        let answers = WORDS.iter().flat_map(|word| reasons(("verdict", word)));
        let times = Evidence::ALL.iter();
        let times = times.flat_map(|evidence| reasons(("evidence", evidence.word())));
        let mut register = Register::new();
        let standing = StandingMetrics::register(&mut register);
        outside.register(&mut register);
        let mut metrics = Self {
            register,
            answers: Counts::new(answers),
            times: Durations::new(times),
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
            standing,
            turned_away: Counter::default(),
            lately: Lately::default(),
        };
        metrics.register_answers();
        metrics.register_requests();
        metrics.register_sessions();
        metrics
    }

    fn register_answers(&mut self) {
        let register = &mut self.register;
        register.figure(
            "answers",
            "Answers by verdict and reason",
            self.answers.clone(),
        );
        register.durations(
            "answer",
            "From the request to its verdict, by reason and where the evidence came from",
            self.times.clone(),
        );
        let help = "Answers that a rule of mode audit kept from demanding anything, by the reason of what \
                    was kept back";
        register.figure("answers_observed", help, self.observed.clone());
        let turned_away = self.turned_away.clone();
        register.figure("connections_turned_away", "No place was free", turned_away);
    }

    fn register_sessions(&mut self) {
        let register = &mut self.register;
        register.figure(
            "sessions",
            "Judged sessions by outcome and reason",
            self.sessions.clone(),
        );
        register.figure(
            "sessions_dropped",
            "Reports not judged, and sessions not kept in the journal",
            self.sessions_dropped.clone(),
        );
        register.figure(
            "session_alarms",
            "Destinations with sessions below their policy in the last hour",
            self.session_alarms.clone(),
        );
        self.reports.register(register);
        self.watch.register(register);
    }

    fn register_requests(&mut self) {
        let register = &mut self.register;
        let help = "Requests on Exim's readsocket by verb and answer";
        register.figure("exim_requests", help, self.exim.clone());
        let help = "Sessions that Sendmail asked about by answer";
        register.figure("sendmail_sessions", help, self.sendmail.clone());
        let help = "Recipients decided on at submission, by what is done";
        register.figure("guard_decisions", help, self.guard.clone());
        let help = "Queries on [listen] dns by what was replied";
        register.figure("dns_queries", help, self.dns.clone());
    }

    /// Asks for one answer, counts it, and how long it took.
    pub async fn ask(&self, answerer: &Answerer, key: &str, profile: &Profile) -> Arc<Answered> {
        let stopwatch = Stopwatch::start();
        let (answered, evidence) = answerer.answer_from(key, profile).await;
        self.answered(&answered.verdict, evidence, stopwatch.elapsed());
        answered
    }

    /// Counts one answer.
    fn answered(&self, verdict: &Verdict, evidence: Evidence, took: Duration) {
        let (reason, word) = (verdict.reason as usize, verdict.answer.word());
        if let Some(place) = WORDS.iter().position(|own| *own == word) {
            self.lately.count(place);
            self.answers.count(place * Reason::ALL.len() + reason);
        }
        let place = evidence as usize * Reason::ALL.len() + reason;
        self.times.observe(place, took);
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

    /// Takes over what others count, and how things stand.
    pub fn take_over_standing(&self, taken: Taken, standing: Standing) {
        self.standing.take_over(taken, standing);
    }

    /// Takes over the alarms that stand, one for each, and when they were looked at, in seconds since 1970.
    pub fn take_over_alarms(&self, alarms: &[AlarmKind], seen: u64) {
        self.standing.take_over_alarms(alarms, seen);
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
        self.lately.minute();
    }

    /// Answers by verdict in the last hour, verdicts without any left out.
    #[must_use]
    pub fn last_hour(&self) -> BTreeMap<&'static str, u64> {
        self.lately.last_hour()
    }

    /// The figures as OpenMetrics text.
    #[must_use]
    pub fn open_metrics(&self) -> String {
        self.register.open_metrics()
    }

    /// The figures as Prometheus text 0.0.4.
    #[must_use]
    pub fn prometheus(&self) -> String {
        self.register.prometheus()
    }
}

#[cfg(test)]
mod tests;
