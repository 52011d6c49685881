//! The post office for TLS reports (RFC 8460): what was counted is claimed as a report once its day is
//! over, sent to each of its targets, and confirmed.
//!
//! * [`PostOffice`]: a round every few seconds, and deliveries beside it: a receiver that is slow holds up
//!   no claim, no day that is to be closed, and no election.
//! * `plan`: which domains are due in the next minutes.
//! * `claim`: from counters and a record to a report that leaves.
//! * `worth`: whether there is to be one.
//! * `deliver`: one attempt for one target.
//! * `order`: what people ask for.
//! * `draft`: the document; `schedule`: when.
//!
//! A report is claimed before it is sent and confirmed after it: what was claimed and not confirmed is sent
//! again as it was, with the same id, file name and Message-ID. Not done here: who sends in a fleet, and
//! where claims stand (`store`); how bytes leave (`adapters`).

mod claim;
mod deliver;
mod draft;
mod order;
mod plan;
mod schedule;
mod worth;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use hoplock_policy::moment::Timestamp;
use hoplock_policy::name::DomainName;
use hoplock_policy::rules::RulePattern;
use hoplock_policy::tlsrpt::{Day, ReportTarget};

pub use self::draft::Reporter;
pub use self::order::Shown;
use self::plan::Plan;
pub use self::worth::Nothing;
use super::dkim::Signing;
use super::tally::CLOSES_AFTER;
use crate::world::courier::Courier;
use crate::world::reports::outgoing::{DeliveryState, Outgoing, ReportKey};
use crate::world::reports::{Reports, Resigned};
use crate::world::{Clock, Resolver, StoreFailure};

/// What the operator ordered.
pub struct Orders {
    /// Reports are made and sent.
    pub enabled: bool,
    /// Who reports.
    pub reporter: Reporter,
    /// The sender's address, whose domain is the submitter.
    pub from: String,
    /// Its domain.
    pub submitter: Option<DomainName>,
    /// Who signs; an error says why nobody does, and then no mail leaves (RP-12).
    pub signing: Result<Signing, String>,
    /// All leave within this time.
    pub delay: Duration,
    /// Domains that get reports; none: all.
    pub allow: Vec<RulePattern>,
    /// Domains and receivers that get none.
    pub deny: Vec<RulePattern>,
    /// Where all reports go instead.
    pub redirect: Option<ReportTarget>,
    /// Reports in one day.
    pub daily_limit: usize,
    /// Sessions of a domain on a day at least.
    pub min_sessions: u64,
}

/// Makes and sends reports.
pub struct PostOffice {
    reports: Arc<dyn Reports>,
    resolver: Arc<dyn Resolver>,
    courier: ArcSwap<Box<dyn Courier>>,
    clock: Arc<dyn Clock>,
    orders: ArcSwap<Orders>,
    state: Mutex<State>,
    /// This host is the one that sends, by the last round.
    sends: AtomicBool,
    /// Reports on their way just now.
    busy: Mutex<BTreeSet<ReportKey>>,
    figures: Figures,
}

#[derive(Default)]
struct State {
    closed: Option<Day>,
    plans: BTreeMap<Day, Plan>,
    /// Days whose hosts were told to be missing.
    told_missing: Option<Day>,
    /// The work that the log was told to be in trouble.
    in_trouble: BTreeSet<Work>,
    told_limit: Option<Day>,
    claimed: BTreeMap<Day, usize>,
    /// Rounds that failed one after the other.
    failures: u32,
    /// Until then this host does not stand for election.
    stands_from: Duration,
}

/// What goes on side by side, each with troubles of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Work {
    Standing,
    Claiming,
    Sending,
}

impl Work {
    fn words(self) -> &'static str {
        match self {
            Self::Standing => "closing days and electing who sends",
            Self::Claiming => "making reports",
            Self::Sending => "sending reports",
        }
    }
}

#[derive(Default)]
struct Figures {
    claimed: AtomicU64,
    delivered: AtomicU64,
    failed: AtomicU64,
    given_up: AtomicU64,
    received: AtomicU64,
}

/// What the post office did since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PostFigures {
    /// Reports claimed.
    pub claimed: u64,
    /// Deliveries confirmed.
    pub delivered: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Deliveries given up after 24 hours.
    pub given_up: u64,
    /// Reports of others that were taken in.
    pub received: u64,
}

impl PostOffice {
    /// An office that sends by `courier`.
    #[must_use]
    pub fn new(
        reports: Arc<dyn Reports>,
        resolver: Arc<dyn Resolver>,
        courier: Box<dyn Courier>,
        clock: Arc<dyn Clock>,
        orders: Orders,
    ) -> Self {
        Self {
            reports,
            resolver,
            courier: ArcSwap::from_pointee(courier),
            clock,
            orders: ArcSwap::from_pointee(orders),
            state: Mutex::default(),
            sends: AtomicBool::new(false),
            busy: Mutex::default(),
            figures: Figures::default(),
        }
    }

    /// Other orders from now on, and another courier.
    pub fn reload(&self, orders: Orders, courier: Box<dyn Courier>) {
        self.orders.store(Arc::new(orders));
        self.courier.store(Arc::new(courier));
    }

    /// Where counts and reports are kept.
    #[must_use]
    pub fn reports(&self) -> &Arc<dyn Reports> {
        &self.reports
    }

    /// What was done since the start.
    #[must_use]
    pub fn figures(&self) -> PostFigures {
        let of = |own: &AtomicU64| own.load(Ordering::Relaxed);
        PostFigures {
            claimed: of(&self.figures.claimed),
            delivered: of(&self.figures.delivered),
            failed: of(&self.figures.failed),
            given_up: of(&self.figures.given_up),
            received: of(&self.figures.received),
        }
    }

    /// Whether reports are made and sent here.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.orders.load().enabled
    }

    /// Why no report leaves by mail, where that is so and reports are made (RP-12).
    #[must_use]
    pub fn is_unsigned(&self) -> Option<String> {
        let orders = self.orders.load();
        let unsigned = orders.signing.as_ref().err();
        unsigned.filter(|_| orders.enabled).cloned()
    }

    /// Keeps a report that somebody sent us; false where it is kept already.
    ///
    /// # Errors
    /// [`StoreFailure`] where it cannot be kept.
    pub async fn receive(
        &self,
        report: crate::world::reports::received::Received,
    ) -> Result<bool, StoreFailure> {
        if report.document.len() > LARGEST_KEPT {
            let words = format!(
                "a report of more than {} KiB is read, and not kept",
                LARGEST_KEPT / 1024
            );
            return Err(StoreFailure(words));
        }
        let is_new = self.reports.receive(report).await?;
        if is_new {
            self.figures.received.fetch_add(1, Ordering::Relaxed);
        }
        Ok(is_new)
    }

    /// Closes the day before once it is over, also where no reports are made here, since a fleet waits for
    /// every host; and stands for the election of the host that sends. To be called every few seconds,
    /// whatever else goes on.
    pub async fn stand(&self) {
        let now = self.clock.now();
        let closed = self.close(now.wall).await;
        let stands = self.orders.load().enabled && self.state().stands_from <= now.uptime;
        let elected = match stands {
            true => self.reports.elect().await,
            false => Ok(false),
        };
        self.sends.store(elected == Ok(true), Ordering::Relaxed);
        self.tell_trouble(Work::Standing, closed.and(elected.map(|_| ())));
    }

    /// Claims what is due, where this host is the one that sends; to be called every few seconds.
    pub async fn round(&self) {
        if !self.sends.load(Ordering::Relaxed) {
            self.state().plans.clear();
            return;
        }
        let worked = self.work().await;
        let is_well = worked.is_ok();
        self.tell_trouble(Work::Claiming, worked);
        self.step_aside(is_well).await;
    }

    /// A host that was elected and cannot do the work leaves it to others for some time.
    async fn step_aside(&self, is_well: bool) {
        let failures = {
            let mut state = self.state();
            state.failures = if is_well {
                0
            } else {
                state.failures.saturating_add(1)
            };
            state.failures
        };
        // What cannot be given back ends by itself.
        if failures < MOST_FAILURES || self.reports.resign().await == Ok(Resigned::Alone) {
            return;
        }
        tracing::warn!("TLS reports are left to other hosts of the fleet for some minutes");
        self.sends.store(false, Ordering::Relaxed);
        let mut state = self.state();
        state.failures = 0;
        state.stands_from = self.clock.now().uptime.saturating_add(STANDS_ASIDE);
    }

    /// Sends what is claimed and due, where this host is the one that sends; to be called every few seconds
    /// beside [`Self::round`]. It may take minutes. Nothing is sent that cannot be confirmed: trouble with
    /// the store ends it.
    pub async fn deliveries(&self) {
        if self.sends.load(Ordering::Relaxed) {
            let sent = self.deliver_due(self.clock.now().wall).await;
            self.tell_trouble(Work::Sending, sent);
        }
    }

    /// One line when something comes into trouble, and one when it is out of it.
    fn tell_trouble(&self, work: Work, outcome: Result<(), StoreFailure>) {
        let what = work.words();
        match outcome {
            Ok(()) if self.state().in_trouble.remove(&work) => {
                tracing::info!(what, "TLS reports go on");
            }
            Err(error) if self.state().in_trouble.insert(work) => {
                tracing::warn!(%error, what, "TLS reports wait; sessions are counted meanwhile");
            }
            Ok(()) | Err(_) => {}
        }
    }

    async fn work(&self) -> Result<(), StoreFailure> {
        let now = self.clock.now();
        for day in self.reports.days().await? {
            if self.is_to_be_reported(day, now.wall).await? {
                self.claim_due(day, now.wall).await?;
            }
        }
        self.forget_before(Day::of(now.wall));
        Ok(())
    }

    /// Sessions of the day before count for today from now on.
    async fn close(&self, now: Timestamp) -> Result<(), StoreFailure> {
        let yesterday = Day::of(now).before();
        let is_time = yesterday
            .over_for(now)
            .is_some_and(|over| over >= CLOSES_AFTER);
        if is_time && self.state().closed < Some(yesterday) {
            self.reports.close(yesterday).await?;
            self.state().closed = Some(yesterday);
        }
        Ok(())
    }

    async fn is_to_be_reported(&self, day: Day, now: Timestamp) -> Result<bool, StoreFailure> {
        if now < schedule::ready(day) || day.over_for(now).is_none_or(|over| over > TOO_OLD) {
            return Ok(false);
        }
        let missing = self.reports.missing(day).await?;
        if missing.is_empty() || now >= schedule::patience_ends(day) {
            return Ok(true);
        }
        if self.state().told_missing.replace(day) != Some(day) {
            let hosts = missing.join(", ");
            tracing::info!(%day, hosts, "TLS reports wait for what these hosts counted");
        }
        Ok(false)
    }

    fn forget_before(&self, today: Day) {
        let mut state = self.state();
        let is_recent = |day: &Day| day.number().saturating_add(DAYS_REMEMBERED) >= today.number();
        state.plans.retain(|day, _| is_recent(day));
        state.claimed.retain(|day, _| is_recent(day));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a report stands, in one word for people.
#[must_use]
pub fn standing(report: &Outgoing) -> &'static str {
    let has =
        |wanted: fn(&DeliveryState) -> bool| report.deliveries.iter().any(|own| wanted(&own.state));
    if has(|state| matches!(state, DeliveryState::Waiting { .. })) {
        "waiting"
    } else if has(|state| matches!(state, DeliveryState::GivenUp { .. })) {
        "given up"
    } else {
        "delivered"
    }
}

/// The report of a domain and a day.
#[must_use]
pub fn key(day: Day, domain: DomainName) -> ReportKey {
    ReportKey { day, domain }
}

/// A day that is over for longer is not reported any more: whoever would read it looks at newer ones.
const TOO_OLD: Duration = Duration::from_secs(2 * 86_400);
/// Reports of others are some kilobytes; whoever sends larger ones fills a disk.
const LARGEST_KEPT: usize = 256 * 1024;
/// Rounds of five seconds: a server that restarts is back by then.
const MOST_FAILURES: u32 = 12;
/// Others have a report or two out by then.
const STANDS_ASIDE: Duration = Duration::from_secs(600);
/// Days that plans and numbers are kept for.
const DAYS_REMEMBERED: u32 = 3;

#[cfg(test)]
mod tests;
