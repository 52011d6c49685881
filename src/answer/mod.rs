//! From a key to an answer, in one function; the clock is read here, once.
//!
//! Speaks no MTA's language: what leaves is a verdict with its rendering. A lookup that takes longer
//! than the MTA waits goes on and fills the cache; one that breaks becomes TEMP, and only that one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use dashmap::DashMap;
use hoplock_policy::findings::Validation;
use hoplock_policy::guard::{Capability, capability};
use hoplock_policy::law::rows::Row;
use hoplock_policy::law::{Answer, Verdict, decide_without_lookup, without_findings};
use hoplock_policy::moment::Moment;
use hoplock_policy::next_hop::NextHop;
use hoplock_policy::profile::Profile;
use hoplock_policy::reason::Reason;
use tokio::sync::Semaphore;

mod anchors;
mod answered;
mod by_destination;
mod decided;
mod gather;
mod memory;
mod observed;
mod renew;
mod ruled;
mod sessions;
mod survey;
mod today;
mod waiting;

use self::anchors::Anchors;
pub use self::answered::{Answered, Evidence, Settings};
use self::answered::{made, tell};
use self::gather::{Broken, Flight, Purpose, is_overtaken};
pub use self::observed::{Observation, Observed};
use self::renew::Renewals;
use self::ruled::EarlierRules;
use self::today::Today;
pub use self::today::{Counts, Day, Protection};
pub use self::waiting::{WaitingMail, WaitingSince};
use crate::cache::{AnswerKey, Entry, FindingsCache, Told};
use crate::discover::{DiscoverOptions, Discoverer, Policies};
use crate::world::{Patience, World};

/// Answers queries.
pub struct Answerer {
    discoverer: Arc<Discoverer>,
    world: World,
    cache: Arc<FindingsCache<Answered>>,
    flights: Arc<DashMap<(NextHop, Duration), Flight>>,
    settings: ArcSwap<Settings>,
    /// The rules that those in force have followed.
    earlier_rules: EarlierRules,
    generation: AtomicU64,
    counters: Arc<Counters>,
    renewals: Renewals,
    waiting: WaitingMail,
    observed: Observed,
    today: Today,
    /// One seat for each destination that is surveyed at a time.
    surveys: Arc<Semaphore>,
    /// The profiles that were asked for.
    asked: DashMap<String, ()>,
    anchors: Arc<Anchors>,
    /// When destinations were last looked up anew for a session's sake.
    looked_again: DashMap<NextHop, Duration>,
}

/// What happened so far, for metrics.
#[derive(Debug, Default)]
pub struct Counters {
    /// Answers made from findings that were kept.
    pub cached: AtomicU64,
    /// Gatherings started.
    pub gathered: AtomicU64,
    /// Lookups that broke by a fault of ours.
    pub broken: AtomicU64,
    /// Gatherings ahead of expiry, among those started.
    pub renewed: AtomicU64,
    /// Gatherings for surveys, not among those started.
    pub surveyed: AtomicU64,
    /// Destinations that had usable TLSA records and lost them (CA-09).
    pub dane_lost: AtomicU64,
}

impl Answerer {
    /// An answerer over `world`.
    #[must_use]
    pub fn new(
        world: World,
        options: DiscoverOptions,
        settings: Settings,
        cache_entries: usize,
    ) -> Self {
        let anchors = Anchors::new(world.prober.clone(), Arc::clone(&world.clock));
        let begun = world.clock.now();
        Self {
            anchors: Arc::new(anchors),
            discoverer: Arc::new(Discoverer::new(world.clone(), options)),
            world,
            cache: Arc::new(FindingsCache::new(cache_entries)),
            flights: Arc::new(DashMap::new()),
            settings: ArcSwap::from_pointee(settings),
            earlier_rules: EarlierRules::none(begun),
            generation: AtomicU64::new(0),
            counters: Arc::default(),
            renewals: Renewals::default(),
            waiting: WaitingMail::default(),
            observed: Observed::default(),
            today: Today::default(),
            surveys: Arc::new(Semaphore::new(survey::AT_ONCE)),
            asked: DashMap::new(),
            looked_again: DashMap::new(),
        }
    }

    /// Puts new settings in force; answers made under the old ones are dropped, findings are kept.
    pub fn reload(&self, settings: Settings) {
        let now = self.world.clock.now();
        self.earlier_rules.follow(now, &self.settings, settings);
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// Puts the settings in force that a process begins with.
    pub fn begin(&self, settings: Settings) {
        let now = self.world.clock.now();
        self.earlier_rules.begin(now, &self.settings, settings);
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// Puts other bounds and switches of the gathering in force. Findings gathered under the old
    /// ones are forgotten: what was not asked then must not pass for absent now.
    pub fn reload_discovery(&self, options: DiscoverOptions) {
        if self.discoverer.use_options(options) {
            self.cache.forget_all();
        }
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> Arc<Settings> {
        self.settings.load_full()
    }

    /// The profile of that name: the configuration's, else the built-in one.
    #[must_use]
    pub fn profile(&self, name: &str) -> Option<Arc<Profile>> {
        let built_in = Profile::built_in(name);
        let canonical = built_in
            .as_ref()
            .map_or(name, |profile| profile.name.as_str());
        let settings = self.settings.load();
        match settings.profiles.get(canonical) {
            Some(profile) => Some(Arc::clone(profile)),
            None => built_in.map(Arc::new),
        }
    }

    /// The findings that are kept.
    #[must_use]
    pub fn cache(&self) -> &FindingsCache<Answered> {
        &self.cache
    }

    /// MTA-STS policies beyond the store.
    #[must_use]
    pub fn policies(&self) -> &Arc<Policies> {
        self.discoverer.policies()
    }

    /// Destinations whose mail waits.
    #[must_use]
    pub fn waiting(&self) -> &WaitingMail {
        &self.waiting
    }

    /// Destinations that a rule says to observe only.
    #[must_use]
    pub fn observed(&self) -> &Observed {
        &self.observed
    }

    /// Destinations that mail servers asked about in the last day.
    #[must_use]
    pub fn today(&self) -> &Today {
        &self.today
    }

    /// Destinations whose findings are being gathered.
    #[must_use]
    pub fn gatherings(&self) -> usize {
        self.flights.len()
    }

    /// True where an answer was made for the profile of this name.
    #[must_use]
    pub fn was_asked(&self, profile: &str) -> bool {
        self.asked.contains_key(profile)
    }

    /// What happens behind everybody's back, as far as it is due now; to be called every second or
    /// so. The handles may be dropped.
    pub fn background(&self) -> Vec<tokio::task::JoinHandle<()>> {
        let mut started = self.renew();
        started.extend(self.policies().refresh());
        started
    }

    /// The outside that answers rest on.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    /// What happened so far.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Whether a message with REQUIRETLS can go to the destination of an answer (RQ-04).
    #[must_use]
    pub fn capability(&self, answered: &Answered) -> Capability {
        let validation = self.world.resolver.validation();
        capability(&answered.verdict, answered.findings.as_deref(), validation)
    }

    /// Answers one key for one MTA, within the profile's deadline.
    pub async fn answer(&self, key: &str, profile: &Profile) -> Arc<Answered> {
        self.answer_from(key, profile).await.0
    }

    /// The same, with where the evidence came from.
    pub async fn answer_from(&self, key: &str, profile: &Profile) -> (Arc<Answered>, Evidence) {
        let next_hop = NextHop::parse(key);
        let now = self.world.clock.now();
        let patience = Patience::of(profile.deadline);
        let generation = self.generation_now();
        let settings = self.settings.load_full();
        let (rules, law) = (&settings.rules, &settings.law);
        let seen = self.world.mta.own_dane();
        if let Some(verdict) = decide_without_lookup(&next_hop, rules, profile, law, seen, now) {
            let answered = made(next_hop, verdict, None, profile, now);
            return (Arc::new(answered), Evidence::None);
        }
        let answer_key = AnswerKey {
            profile: profile.name.clone(),
            generation,
        };
        let overtaken =
            |entry: &Entry<Answered>| is_overtaken(&self.world, self.policies(), entry, now);
        let entry = self.cache.fresh(&next_hop, now);
        if let Some(entry) = entry.filter(|entry| !overtaken(entry)) {
            self.counters.cached.fetch_add(1, Ordering::Relaxed);
            self.note_hit(&entry, profile.deadline);
            let kept = entry.answer(&answer_key);
            if let Some(answered) = kept.filter(|answered| answered.holds(now)) {
                if answered.verdict.answer == Answer::Temp {
                    self.waiting.note(&answered, now);
                }
                self.observed.note(&answered, now);
                return (answered, Evidence::Kept);
            }
            let answered = self.judge(&entry, profile, now, patience).await;
            return (answered, Evidence::Kept);
        }
        if self.flights.len() >= MOST_FLIGHTS {
            let verdict = Verdict::temp(Row::Law, Reason::Busy, "too many lookups are under way");
            let answered = made(next_hop, verdict, None, profile, now);
            return (Arc::new(answered), Evidence::None);
        }
        let verdict = match self.gathered(&next_hop, profile, patience).await {
            Ok(entry) => {
                let now = self.world.clock.now();
                let answered = self.judge(&entry, profile, now, patience).await;
                return (answered, Evidence::Gathered);
            }
            Err(in_vain) => in_vain,
        };
        let now = self.world.clock.now();
        let settings = self.settings.load_full();
        let (rules, law) = (&settings.rules, &settings.law);
        // PD-01, OP-05: meanwhile the operator's word may have come to need no lookup.
        let seen = self.world.mta.own_dane();
        let ordered = decide_without_lookup(&next_hop, rules, profile, law, seen, now);
        let verdict =
            ordered.unwrap_or_else(|| without_findings(verdict, &next_hop, rules, profile, now));
        let answered = Arc::new(made(next_hop, verdict, None, profile, now));
        self.waiting.note(&answered, now);
        self.observed.note(&answered, now);
        (answered, Evidence::Gathered)
    }

    /// What is gathered for whoever waits so long, or why there is nothing.
    async fn gathered(
        &self,
        next_hop: &NextHop,
        profile: &Profile,
        patience: Patience,
    ) -> Result<Arc<Entry<Answered>>, Verdict> {
        let mut landed = self.fly(next_hop, profile, patience).await;
        if let Some(Ok(entry)) = &landed
            && is_overtaken(&self.world, self.policies(), entry, self.world.clock.now())
        {
            // A flight that had begun before something stricter was known.
            landed = self.fly(next_hop, profile, patience).await;
        }
        match landed {
            Some(Ok(entry)) => Ok(entry),
            Some(Err(broken)) => Err(in_vain(Some(broken))),
            None => Err(in_vain(None)),
        }
    }

    async fn fly(
        &self,
        next_hop: &NextHop,
        profile: &Profile,
        patience: Patience,
    ) -> Option<Result<Arc<Entry<Answered>>, Broken>> {
        let flight = self.flight(next_hop, profile.deadline, Purpose::Query);
        patience.wait(flight).await
    }

    /// Judges findings, renders, and keeps the answer beside them.
    async fn judge(
        &self,
        entry: &Arc<Entry<Answered>>,
        profile: &Profile,
        now: Moment,
        patience: Patience,
    ) -> Arc<Answered> {
        // Read now, since a gathering may have taken long; and before the settings: an answer by old
        // ones must not be kept as one by new ones.
        let key = AnswerKey {
            profile: profile.name.clone(),
            generation: self.generation_now(),
        };
        let settings = self.settings.load_full();
        if !self.asked.contains_key(&profile.name) {
            self.asked.insert(profile.name.clone(), ());
        }
        let (answered, may_keep) = self
            .handed_over(entry, &settings, profile, now, patience)
            .await;
        self.waiting.note(&answered, now);
        self.observed.note(&answered, now);
        let told = Told::of(&answered, now);
        tell(&answered, profile, entry.tells(told));
        let answered = Arc::new(answered);
        // What is known of the resolver may have changed in between: then it is judged anew.
        if may_keep && self.generation_now() == key.generation {
            entry.keep_answer(key, Arc::clone(&answered));
        }
        answered
    }

    /// Counts changes of settings and of what is known of the resolver: both change answers.
    fn generation_now(&self) -> u64 {
        let settings = self.generation.load(Ordering::Acquire);
        let resolver = match self.world.resolver.validation() {
            Validation::Validating => 0,
            Validation::NotValidating => 1,
            Validation::Unknown => 2,
        };
        // PD-11: so does what is seen of the mail server.
        let mta = self.world.mta.own_dane() as u64;
        settings.wrapping_mul(64).wrapping_add(mta * 3 + resolver)
    }
}

/// Why there are no findings; `None`: not yet.
fn in_vain(broken: Option<Broken>) -> Verdict {
    match broken {
        Some(Broken) => {
            let words = "this lookup broke by a fault of hoplock; its log has the details";
            Verdict::temp(Row::Law, Reason::Internal, words)
        }
        // PF-04: the lookup goes on and fills the cache; the MTA asks again.
        None => {
            let words = "the lookups take longer than the MTA waits; they go on";
            Verdict::temp(Row::Law, Reason::Deadline, words)
        }
    }
}

/// A flood of unknown names must not hold memory without end; each flight is a few kilobytes.
const MOST_FLIGHTS: usize = 10_000;
