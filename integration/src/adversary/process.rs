//! One process of the service after the other, over the simulated outside, on a clock of its own.
//!
//! Each process lives in a runtime of its own whose clock is paused and moves on when nothing is left
//! to do. It is killed by dropping that runtime, at any call to its outside.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hoplock::adapters::dns::{DnsOptions, DnsStub, Trust, self_test};
use hoplock::answer::{Answerer, Settings};
use hoplock::discover::DiscoverOptions;
use hoplock::world::{Clock, Mta, Resolver as _, World};
use hoplock_model::{Floor, Rule};
use hoplock_policy::findings::Validation;
use hoplock_policy::law::LawOptions;
use hoplock_policy::moment::{Moment, Timestamp};
use hoplock_policy::name::DomainName;
use hoplock_policy::profile::{self, OwnDaneSeen, Profile};
use hoplock_policy::rules::{self, Mode, Rules};
use tempfile::TempDir;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::history::{Asked, History};
use super::internet::{Caches, Internet, SELF_TEST, addresses};
use super::plan::{Event, Millis, NameServer, Plan};
use super::store::JournaledStore;

/// Plays a plan; what came of it.
pub(super) fn play(plan: &Arc<Plan>) -> History {
    let mut stage = Stage {
        plan: Arc::clone(plan),
        caches: Arc::default(),
        history: Arc::default(),
        folder: plan.file.then(folder),
        next: 0,
        now: 0,
        stepped: 0,
    };
    while let Some(down) = stage.live() {
        stage.now += down;
    }
    std::mem::take(&mut *stage.history.lock().unwrap_or_else(PoisonError::into_inner))
}

/// In memory where that can be had: nothing here is to outlive the run.
fn folder() -> TempDir {
    let memory = std::path::Path::new("/dev/shm");
    let made = if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    made.unwrap()
}

/// What outlives the processes.
struct Stage {
    plan: Arc<Plan>,
    caches: Arc<Caches>,
    history: Arc<Mutex<History>>,
    folder: Option<TempDir>,
    /// The event that comes next.
    next: usize,
    /// When the next process starts.
    now: Millis,
    /// How far the wall clock was stepped so far.
    stepped: i64,
}

/// How a process ended.
enum Ended {
    /// Everything was played.
    Done,
    /// It was ended in order, or killed, and comes back after so long.
    Gone(Millis),
}

impl Stage {
    /// One process; how long it is down before the next, if there is one.
    fn live(&mut self) -> Option<Millis> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let life = Arc::new(Life::new(self.now, self.stepped));
        let ended = runtime.block_on(async {
            life.begin();
            let process = Process::start(self, &life).await;
            let killed = life.killed.notified();
            tokio::select! {
                biased;
                () = killed => Ended::Gone(RESTART),
                ended = process.drive(self) => ended,
            }
        });
        self.now = runtime.block_on(async { life.now() });
        self.stepped = life.stepped.load(Ordering::Relaxed).cast_signed();
        runtime.shutdown_timeout(Duration::from_secs(5));
        match ended {
            Ended::Done => None,
            Ended::Gone(down) => Some(down),
        }
    }
}

/// The time of one process, and its death.
pub(super) struct Life {
    born: Millis,
    started: Mutex<Option<Instant>>,
    /// Milliseconds, as bits of a signed number.
    stepped: AtomicU64,
    calls: AtomicU64,
    /// The call at which it is killed.
    last: AtomicU64,
    dead: AtomicBool,
    killed: Notify,
}

impl Life {
    fn new(born: Millis, stepped: i64) -> Self {
        Self {
            born,
            started: Mutex::new(None),
            stepped: AtomicU64::new(stepped.cast_unsigned()),
            calls: AtomicU64::new(0),
            last: AtomicU64::new(u64::MAX),
            dead: AtomicBool::new(false),
            killed: Notify::new(),
        }
    }

    #[allow(clippy::disallowed_methods, reason = "the paused clock of the runtime")]
    fn begin(&self) {
        *self.started.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn elapsed(&self) -> Duration {
        let started = *self.started.lock().unwrap_or_else(PoisonError::into_inner);
        #[allow(clippy::disallowed_methods, reason = "the paused clock of the runtime")]
        started.map_or(Duration::ZERO, |started| started.elapsed())
    }

    /// Milliseconds since the run began.
    pub(super) fn now(&self) -> Millis {
        self.born + u64::try_from(self.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// When the run's clock stood so, given the clock of this process that never jumps.
    pub(super) fn at(&self, uptime: Duration) -> Millis {
        let since = uptime.saturating_sub(ORIGIN);
        self.born + u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    /// One call to the outside: here the process may die.
    pub(super) async fn step(&self) {
        let number = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        if number >= self.last.load(Ordering::Relaxed) {
            self.dead.store(true, Ordering::Relaxed);
            self.killed.notify_one();
        }
        if self.dead.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    }

    fn kill_after(&self, calls: u64) {
        let number = self.calls.load(Ordering::Relaxed) + calls;
        self.last.store(number, Ordering::Relaxed);
    }

    fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Relaxed)
    }
}

impl Clock for Life {
    fn now(&self) -> Moment {
        let stepped = self.stepped.load(Ordering::Relaxed).cast_signed();
        let wall = MORNING
            .saturating_add(self.now().cast_signed())
            .saturating_add(stepped);
        Moment {
            wall: Timestamp(u64::try_from(wall).unwrap_or(0)),
            uptime: ORIGIN + self.elapsed(),
        }
    }
}

/// A mail server whose own DANE works wherever its name server sets AD.
struct Postfix(OwnDaneSeen);

impl Mta for Postfix {
    fn own_dane(&self) -> OwnDaneSeen {
        self.0
    }
}

struct Process {
    answerer: Arc<Answerer>,
    dns: Arc<DnsStub>,
    profile: Arc<Profile>,
    life: Arc<Life>,
    history: Arc<Mutex<History>>,
}

impl Process {
    async fn start(stage: &Stage, life: &Arc<Life>) -> Self {
        let plan = &stage.plan;
        let internet = Internet::new(
            Arc::clone(plan),
            Arc::clone(life),
            Arc::clone(&stage.caches),
        );
        let options = DnsOptions {
            servers: addresses(plan),
            trust: Trust::Loopback,
            timeout: Duration::from_secs(5),
            lookups: 256,
            self_test: DomainName::parse(SELF_TEST).ok(),
            self_test_bogus: None,
        };
        let dns = DnsStub::over(internet.clone(), options, &addresses(plan));
        let path = stage
            .folder
            .as_ref()
            .map(|folder| folder.path().join("state.db"));
        let store = JournaledStore::open(path, life, &stage.history);
        let plain = plan.servers.contains(&NameServer::Plain);
        let seen = if plain {
            OwnDaneSeen::ResolverDoesNotValidate
        } else {
            OwnDaneSeen::Works
        };
        let world = World {
            resolver: dns.clone(),
            policy_fetcher: internet,
            store,
            clock: life.clone(),
            mta: Arc::new(Postfix(seen)),
        };
        let answerer = Answerer::new(
            world,
            DiscoverOptions::default(),
            settings(plan, life.now()),
            1000,
        );
        // As the daemon: nobody is answered before the name servers were tested.
        self_test::test(&dns).await;
        Self {
            answerer: Arc::new(answerer),
            dns,
            profile: Arc::new(profile(plan.floor)),
            life: Arc::clone(life),
            history: Arc::clone(&stage.history),
        }
    }

    /// Lets everything happen that is to happen while this process lives.
    async fn drive(&self, stage: &mut Stage) -> Ended {
        let plan = Arc::clone(&stage.plan);
        let tick = Duration::from_millis((plan.end() / TICKS).max(1000));
        let mut tested = self.life.now();
        while let Some((at, event)) = plan.events.get(stage.next) {
            while self.life.now() < *at {
                let left = Duration::from_millis(at - self.life.now());
                sleep(left.min(tick)).await;
                drop(self.answerer.background());
                tested = self.test(tested);
            }
            stage.next += 1;
            match event {
                Event::Ask(key, times) => {
                    for _ in 0..*times {
                        let asked = self.ask(stage.next - 1, plan.key(key));
                        drop(tokio::spawn(asked));
                    }
                }
                Event::Wall(by) => {
                    let stepped = self.life.stepped.load(Ordering::Relaxed).cast_signed() + by;
                    self.life
                        .stepped
                        .store(stepped.cast_unsigned(), Ordering::Relaxed);
                }
                Event::Rule(..) => self.answerer.reload(settings(&plan, self.life.now())),
                Event::Crash(calls) => self.life.kill_after(*calls),
                Event::Restart(down, by) => {
                    let stepped = self.life.stepped.load(Ordering::Relaxed).cast_signed() + by;
                    self.life
                        .stepped
                        .store(stepped.cast_unsigned(), Ordering::Relaxed);
                    return Ended::Gone(*down);
                }
            }
        }
        sleep(LAST_ANSWERS).await;
        Ended::Done
    }

    /// Tests the name servers as often as the daemon does; when that was last.
    fn test(&self, tested: Millis) -> Millis {
        let interval = match self.dns.validation() {
            Validation::Validating => WHEN_WELL,
            Validation::NotValidating | Validation::Unknown => WHEN_NOT,
        };
        let now = self.life.now();
        if now - tested < interval {
            return tested;
        }
        let dns = Arc::clone(&self.dns);
        drop(tokio::spawn(async move { self_test::test(&dns).await }));
        now
    }

    fn ask(&self, event: usize, key: String) -> impl Future<Output = ()> + use<> {
        let asked = self.life.now();
        let (answerer, profile) = (Arc::clone(&self.answerer), Arc::clone(&self.profile));
        let (life, history) = (Arc::clone(&self.life), Arc::clone(&self.history));
        async move {
            let answer = answerer.answer(&key, &profile).await;
            // What a dead process says reaches nobody.
            if life.is_dead() {
                return;
            }
            let asked = Asked {
                event,
                key,
                asked,
                answered: life.now(),
                reply: answer.rendered.to_string(),
                row: answer.verdict.row.id(),
                reason: answer.verdict.reason.word(),
            };
            let mut history = history.lock().unwrap_or_else(PoisonError::into_inner);
            history.answers.push(asked);
        }
    }
}

fn profile(floor: Floor) -> Profile {
    let mut profile = Profile::built_in("postfix").unwrap();
    profile.floor = match floor {
        Floor::May => profile::Floor::May,
        Floor::Dane => profile::Floor::Dane,
        Floor::Encrypt => profile::Floor::Encrypt,
        Floor::Secure => profile::Floor::Secure,
    };
    profile
}

fn settings(plan: &Plan, now: Millis) -> Settings {
    let rule = |number: usize| {
        let mode = match plan.rule(number, now) {
            Rule::None => return None,
            Rule::Off => Mode::Off,
            Rule::Mandatory => Mode::Mandatory,
        };
        let name = DomainName::parse(&format!("d{number}.test")).ok()?;
        Some(rules::Rule {
            pattern: rules::RulePattern::Exact(name),
            mode,
            sts: true,
            answer: None,
            fingerprints: Vec::new(),
            names: Vec::new(),
            fallback: rules::Fallback::Defer,
            fallback_on_insecure: false,
            comment: String::new(),
            expires: None,
        })
    };
    Settings {
        rules: Rules::new((0..plan.sites.len()).filter_map(rule).collect()),
        law: LawOptions {
            half_dane: plan.half_dane,
            ..LawOptions::default()
        },
        ..Settings::default()
    }
}

/// 2026-11-24T10:00:00Z.
const MORNING: i64 = 1_795_514_400_000;
/// As the real clock: far enough from zero for what is older than the process.
pub(super) const ORIGIN: Duration = Duration::from_secs(2 * 366 * 86_400);
/// A killed process comes back after a second.
const RESTART: Millis = 1000;
/// Every answer is there by then.
const LAST_ANSWERS: Duration = Duration::from_secs(30);
/// A run is no more than so many rounds of the background long: long ones have coarse rounds.
const TICKS: u64 = 1500;
/// As the real self-test.
const WHEN_WELL: Millis = 600_000;
/// As the real self-test.
const WHEN_NOT: Millis = 60_000;
