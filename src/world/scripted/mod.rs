//! A fake world as a readable value: for scenarios, where every answer and every minute is written.
//!
//! It plays a validating resolver, policy hosts and clocks. Time passes only when somebody says so,
//! or when the runtime's paused clock moves on. Not done here: reading scenario files.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hoplock_policy::dns::{
    Answer, FailureKind, Question, RecordData, RecordType, Reply, SecurityStatus,
};
use hoplock_policy::moment::{Moment, Timestamp};
use hoplock_policy::name::{DomainName, PolicyDomain};
use hoplock_policy::profile::OwnDaneSeen;
use hoplock_policy::tlsa::AnchorFile;
use tokio::time::{Instant, sleep};

mod hosts;
mod resolve;

pub use self::hosts::ScriptedHost;

use super::anchors::AnchorFiles;
use super::probe::Prober;
use super::{
    Clock, FetchFailure, FetchFailureKind, Mta, PolicyFetcher, PolicyResponse, Resolver, Store,
    Validation, Waiting, World,
};

/// The scripted world.
pub struct ScriptedWorld {
    state: Mutex<State>,
    started: Instant,
}

struct State {
    dns: HashMap<(DomainName, RecordType), Scripted>,
    delegations: Vec<(DomainName, DomainName)>,
    zones: Vec<Zone>,
    policies: HashMap<DomainName, ScriptedPolicy>,
    keeps_record: bool,
    asked: Vec<Question>,
    fetched: Vec<PolicyDomain>,
    validation: Validation,
    when_tested: Option<Validation>,
    own_dane: OwnDaneSeen,
    hosts: HashMap<DomainName, ScriptedHost>,
    probed: Vec<DomainName>,
    takes_anchors: bool,
    published: Vec<(String, AnchorFile)>,
    wall: i64,
    uptime: Duration,
}

/// What stands at a name.
#[derive(Clone, Debug)]
pub enum Scripted {
    /// Records, with their status and TTL.
    Records(SecurityStatus, Duration, Vec<RecordData>),
    /// No data of this type.
    NoData(SecurityStatus, Duration),
    /// No such name.
    NxDomain(SecurityStatus, Duration),
    /// A failed lookup.
    Fails(FailureKind),
    /// No answer, ever.
    Hangs,
    /// The lookup breaks by a fault of ours.
    Panics,
}

/// What is said of names that are not written down.
#[derive(Clone, Debug)]
pub struct Zone {
    /// Names at and below this one.
    pub name: DomainName,
    /// Their status.
    pub status: SecurityStatus,
    /// RFC 2308, 5: TTL of denials.
    pub negative: Duration,
}

/// What a policy host does.
#[derive(Clone, Debug)]
pub enum ScriptedPolicy {
    /// Answers, after this long.
    Responds(PolicyResponse, Duration),
    /// Fails.
    Fails(FetchFailureKind),
    /// Never answers.
    Hangs,
}

impl ScriptedWorld {
    /// An empty world on a morning in November 2026, just started.
    #[must_use]
    #[allow(
        clippy::disallowed_methods,
        reason = "the runtime's clock, which scenarios pause"
    )]
    pub fn new() -> Arc<Self> {
        let state = State {
            dns: HashMap::new(),
            delegations: Vec::new(),
            zones: Vec::new(),
            policies: HashMap::new(),
            keeps_record: true,
            asked: Vec::new(),
            fetched: Vec::new(),
            validation: Validation::Validating,
            when_tested: None,
            own_dane: OwnDaneSeen::Works,
            hosts: HashMap::new(),
            probed: Vec::new(),
            takes_anchors: true,
            published: Vec::new(),
            wall: MORNING,
            uptime: ORIGIN,
        };
        Arc::new(Self {
            state: Mutex::new(state),
            started: Instant::now(),
        })
    }

    /// As the outside of an answerer, with this store.
    #[must_use]
    pub fn world(self: &Arc<Self>, store: Arc<dyn Store>) -> World {
        World {
            resolver: Arc::clone(self) as Arc<dyn Resolver>,
            policy_fetcher: Arc::clone(self) as Arc<dyn PolicyFetcher>,
            store,
            clock: Arc::clone(self) as Arc<dyn Clock>,
            mta: Arc::clone(self) as Arc<dyn Mta>,
            prober: Some(Arc::clone(self) as Arc<dyn Prober>),
            anchor_files: Arc::clone(self) as Arc<dyn AnchorFiles>,
        }
    }

    /// Writes what stands at a name, in place of what stood there.
    pub fn set(&self, name: DomainName, record_type: RecordType, scripted: Scripted) {
        self.state().dns.insert((name, record_type), scripted);
    }

    /// Adds a record beside those of the same name and type.
    pub fn add(&self, name: DomainName, status: SecurityStatus, ttl: Duration, data: RecordData) {
        let mut state = self.state();
        let place = state.dns.entry((name, type_of(&data)));
        match place.or_insert_with(|| Scripted::Records(status, ttl, Vec::new())) {
            Scripted::Records(own, own_ttl, list) => {
                (*own, *own_ttl) = (status, ttl);
                list.push(data);
            }
            other => *other = Scripted::Records(status, ttl, vec![data]),
        }
    }

    /// Forgets what stands at a name.
    pub fn clear(&self, name: &DomainName, record_type: RecordType) {
        self.state().dns.remove(&(name.clone(), record_type));
    }

    /// Names below `from` are aliases of those below `to` (RFC 6672).
    pub fn redirect(&self, from: DomainName, to: DomainName) {
        self.state().delegations.push((from, to));
    }

    /// Says what is true of names that are not written down.
    pub fn zone(&self, zone: Zone) {
        let mut state = self.state();
        state.zones.push(zone);
        state
            .zones
            .sort_by_key(|zone| std::cmp::Reverse(zone.name.as_str().len()));
    }

    /// Says what a policy domain's host does.
    pub fn policy(&self, domain: DomainName, policy: ScriptedPolicy) {
        self.state().policies.insert(domain, policy);
    }

    /// Says what the self-test found out.
    pub fn validates(&self, validation: Validation) {
        self.state().validation = validation;
    }

    /// Says what the next self-test will find out.
    pub fn will_validate(&self, validation: Validation) {
        self.state().when_tested = Some(validation);
    }

    /// Says what was seen of the mail server's own DANE.
    pub fn mta(&self, seen: OwnDaneSeen) {
        self.state().own_dane = seen;
    }

    /// Moves both clocks on.
    pub fn pass(&self, by: Duration) {
        let mut state = self.state();
        state.uptime += by;
        state.wall += i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
    }

    /// Steps the wall clock alone, by milliseconds.
    pub fn step_wall(&self, millis: i64) {
        self.state().wall += millis;
    }

    /// Sets the wall clock alone, in milliseconds since 1970.
    pub fn set_wall(&self, millis: i64) {
        self.state().wall = millis;
    }

    /// From here on nobody will want to know what was asked: for a world that lasts for hours.
    pub fn keeps_no_record(&self) {
        self.state().keeps_record = false;
    }

    /// Takes the questions asked since the last time.
    pub fn take_asked(&self) -> Vec<Question> {
        std::mem::take(&mut self.state().asked)
    }

    /// Takes the policy fetches started since the last time.
    pub fn take_fetched(&self) -> Vec<PolicyDomain> {
        std::mem::take(&mut self.state().fetched)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, question: &Question) -> Result<Answer, Silence> {
        let mut state = self.state();
        if state.keeps_record {
            state.asked.push(question.clone());
        }
        state.resolve(question)
    }
}

/// No answer comes.
enum Silence {
    Hangs,
    Panics,
}

impl Resolver for ScriptedWorld {
    fn lookup(&self, question: Question) -> Waiting<'_, Reply> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            let answer = match self.answer(&question) {
                Ok(answer) => answer,
                Err(Silence::Hangs) => {
                    sleep(RESOLVER_TIMEOUT).await;
                    Answer::failed(FailureKind::Timeout, "no answer, says the script")
                }
                Err(Silence::Panics) => {
                    #[allow(clippy::panic, reason = "the fault that a scenario injects")]
                    {
                        panic!("the script breaks this lookup")
                    }
                }
            };
            Reply {
                question,
                answer,
                took: Duration::ZERO,
            }
        })
    }

    fn validation(&self) -> Validation {
        self.state().validation
    }

    fn test(&self) -> Waiting<'_, Validation> {
        Box::pin(async move {
            let mut state = self.state();
            if let Some(next) = state.when_tested.take() {
                state.validation = next;
            }
            state.validation
        })
    }
}

impl PolicyFetcher for ScriptedWorld {
    fn fetch(&self, domain: PolicyDomain) -> Waiting<'_, Result<PolicyResponse, FetchFailure>> {
        Box::pin(async move {
            let policy = {
                let mut state = self.state();
                if state.keeps_record {
                    state.fetched.push(domain.clone());
                }
                state.policies.get(&domain.0).cloned()
            };
            let fails = |kind| FetchFailure {
                kind,
                detail: format!("{kind:?}, says the script"),
            };
            match policy {
                None => Err(fails(FetchFailureKind::Lookup)),
                Some(ScriptedPolicy::Fails(kind)) => Err(fails(kind)),
                Some(ScriptedPolicy::Hangs) => {
                    sleep(FETCH_TIMEOUT).await;
                    Err(fails(FetchFailureKind::Timeout))
                }
                Some(ScriptedPolicy::Responds(response, after)) => {
                    sleep(after).await;
                    Ok(response)
                }
            }
        })
    }
}

impl Mta for ScriptedWorld {
    fn own_dane(&self) -> OwnDaneSeen {
        self.state().own_dane
    }
}

impl Clock for ScriptedWorld {
    fn now(&self) -> Moment {
        #[allow(
            clippy::disallowed_methods,
            reason = "the runtime's clock, which scenarios pause"
        )]
        // The runtime's paused clock moves on while somebody waits: that time has passed too.
        let waited = self.started.elapsed();
        let state = self.state();
        let waited_millis = i64::try_from(waited.as_millis()).unwrap_or(i64::MAX);
        let wall = u64::try_from(state.wall.saturating_add(waited_millis)).unwrap_or(0);
        Moment {
            wall: Timestamp(wall),
            uptime: state.uptime + waited,
        }
    }
}

fn type_of(data: &RecordData) -> RecordType {
    match data {
        RecordData::A(_) => RecordType::A,
        RecordData::Aaaa(_) => RecordType::Aaaa,
        RecordData::Cname(_) => RecordType::Cname,
        RecordData::Mx { .. } => RecordType::Mx,
        RecordData::Soa => RecordType::Soa,
        RecordData::Srv { .. } => RecordType::Srv,
        RecordData::Tlsa(_) => RecordType::Tlsa,
        RecordData::Txt(_) => RecordType::Txt,
    }
}

/// 2026-11-24T10:00:00Z.
const MORNING: i64 = 1_795_514_400_000;
/// As the real clock: far enough from zero for what is older than the process.
const ORIGIN: Duration = Duration::from_secs(2 * 366 * 86_400);
/// As the real stub.
const RESOLVER_TIMEOUT: Duration = Duration::from_secs(5);
/// As the real fetcher.
const FETCH_TIMEOUT: Duration = Duration::from_secs(60);
