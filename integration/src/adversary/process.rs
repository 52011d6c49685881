//! One process of the service after the other, over the simulated outside, on a clock of its own.
//!
//! Each process lives in a runtime of its own whose clock is paused and moves on when nothing is left
//! to do. It is killed by dropping that runtime, at any call to its outside.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hoplock::adapters::anchor_files::AnchorDirectories;
use hoplock::adapters::dns::{DnsOptions, DnsStub, Trust, self_test};
use hoplock::answer::Answerer;
use hoplock::discover::DiscoverOptions;
use hoplock::serve::sessions::{JudgeOptions, Judgement, SessionJudge};
use hoplock::world::{Clock, Mta, Resolver as _, World};
use hoplock_policy::findings::Validation;
use hoplock_policy::name::DomainName;
use hoplock_policy::profile::{OwnDaneSeen, Profile};
use hoplock_policy::verify::Warning;
use tempfile::TempDir;
use tokio::time::sleep;

use super::history::{Asked, History, Judged};
use super::internet::{Caches, Internet, SELF_TEST, addresses};
use super::life::Life;
use super::plan::{Event, Millis, Plan};
use super::session::Contact;
use super::session::certificates::authorities;
use super::session::happened::Happened;
use super::session::report::case;
use super::settings::{named_file, profile, settings};
use super::store::JournaledStore;

/// Plays a plan; what came of it.
pub(super) fn play(plan: &Arc<Plan>) -> History {
    let mut stage = Stage {
        plan: Arc::clone(plan),
        happened: Arc::new(Happened::all(plan)),
        caches: Arc::default(),
        history: Arc::default(),
        folder: plan.file.then(folder),
        anchors: plan.pushed().filter(|own| own.has_place).map(|_| folder()),
        next: 0,
        now: 0,
        stepped: 0,
    };
    while let Some(down) = stage.live() {
        stage.now += down;
    }
    let mut history =
        std::mem::take(&mut *stage.history.lock().unwrap_or_else(PoisonError::into_inner));
    history.kept = stage.caches.take_kept();
    history
}

/// In memory where that can be had: nothing here is to outlive the run.
fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
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
    /// The sessions of the plan.
    happened: Arc<Vec<Option<Happened>>>,
    caches: Arc<Caches>,
    history: Arc<Mutex<History>>,
    folder: Option<TempDir>,
    /// The directory of trust anchors.
    anchors: Option<TempDir>,
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
        let history = self.history.lock();
        let mut history = history.unwrap_or_else(PoisonError::into_inner);
        history.begun.push(self.now);
        drop(history);
        let ended = runtime.block_on(async {
            life.begin();
            let process = Process::start(self, &life).await;
            tokio::select! {
                biased;
                () = life.killed() => Ended::Gone(RESTART),
                ended = process.drive(self) => ended,
            }
        });
        self.now = runtime.block_on(async { life.now() });
        self.stepped = life.stepped();
        runtime.shutdown_timeout(Duration::from_secs(5));
        match ended {
            Ended::Done => None,
            Ended::Gone(down) => Some(down),
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
    happened: Arc<Vec<Option<Happened>>>,
    answerer: Arc<Answerer>,
    judge: Arc<SessionJudge>,
    dns: Arc<DnsStub>,
    profile: Arc<Profile>,
    /// The directory of trust anchors.
    anchors: Option<PathBuf>,
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
        let seen = if plan.own_dane {
            OwnDaneSeen::Works
        } else {
            OwnDaneSeen::ResolverDoesNotValidate
        };
        let world = World {
            resolver: dns.clone(),
            policy_fetcher: internet.clone(),
            store,
            clock: life.clone(),
            mta: Arc::new(Postfix(seen)),
            prober: Some(internet),
            anchor_files: Arc::new(AnchorDirectories::new()),
        };
        let place = stage
            .anchors
            .as_ref()
            .map(|folder| folder.path().to_owned());
        let settings = settings(plan, life.now(), place.as_deref());
        let answerer = Answerer::new(world, DiscoverOptions::default(), settings, 1000);
        // As the daemon: nobody is answered before the name servers were tested.
        self_test::test(&dns).await;
        let answerer = Arc::new(answerer);
        let options = JudgeOptions::default();
        let judge = SessionJudge::new(Arc::clone(&answerer), authorities(), options);
        let judge = judge.from_now_on();
        Self {
            happened: Arc::clone(&stage.happened),
            answerer,
            judge: Arc::new(judge),
            dns,
            profile: Arc::new(profile(plan, place.as_deref())),
            anchors: place,
            life: Arc::clone(life),
            history: Arc::clone(&stage.history),
        }
    }

    /// Lets everything happen that is to happen while this process lives.
    async fn drive(&self, stage: &mut Stage) -> Ended {
        let plan = Arc::clone(&stage.plan);
        let tick = Duration::from_millis((plan.end() / TICKS).max(1000));
        let mut tested = self.life.now();
        let mut swept = self.life.now();
        while let Some((at, event)) = plan.events.get(stage.next) {
            while self.life.now() < *at {
                let left = Duration::from_millis(at - self.life.now());
                sleep(left.min(tick)).await;
                drop(self.answerer.background());
                tested = self.test(tested);
                swept = self.sweep(swept).await;
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
                    self.life.step_wall(*by);
                }
                Event::Session(contact) => {
                    if let Some(judging) = self.judge(&plan, stage.next - 1, contact) {
                        drop(tokio::spawn(judging));
                    }
                }
                Event::Rule(_) | Event::Lift(_) => {
                    let place = self.anchors.as_deref();
                    self.answerer
                        .reload(settings(&plan, self.life.now(), place));
                }
                Event::Crash(calls) => self.life.kill_after(*calls),
                Event::Restart(down, by) => {
                    self.life.step_wall(*by);
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

    /// Looks after the files of trust anchors as often as the daemon does; when that was last.
    async fn sweep(&self, swept: Millis) -> Millis {
        let now = self.life.now();
        if self.anchors.is_none() || now - swept < SWEEP {
            return swept;
        }
        let uptime = Clock::now(&*self.life).uptime;
        self.answerer.world().anchor_files.sweep(uptime).await;
        now
    }

    /// The service judges a session that is reported now; nothing where it could not happen.
    fn judge(
        &self,
        plan: &Plan,
        event: usize,
        contact: &Contact,
    ) -> Option<impl Future<Output = ()> + use<>> {
        let happened = self.happened.get(event)?.as_ref()?;
        let case = case(plan, event, contact, happened);
        let reported = self.life.now();
        let judge = Arc::clone(&self.judge);
        let (life, history) = (Arc::clone(&self.life), Arc::clone(&self.history));
        Some(async move {
            let Judgement {
                verdict,
                second_look,
                ..
            } = judge.judge(&case).await;
            if life.is_dead() {
                return;
            }
            let judged = Judged {
                event,
                reported,
                judged: life.now(),
                outcome: verdict.outcome,
                reason: verdict.reason.word(),
                by_word: verdict.warnings.contains(&Warning::MtaWord),
                without_host: case.session.mx_host.is_none(),
                detail: verdict.detail,
                second_look,
            };
            let mut history = history.lock().unwrap_or_else(PoisonError::into_inner);
            history.sessions.push(judged);
        })
    }

    fn ask(&self, event: usize, key: String) -> impl Future<Output = ()> + use<> {
        let asked = self.life.now();
        let (answerer, profile) = (Arc::clone(&self.answerer), Arc::clone(&self.profile));
        let (life, history) = (Arc::clone(&self.life), Arc::clone(&self.history));
        let place = self.anchors.clone();
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
                anchors: place.and_then(|place| named_file(&answer.rendered.to_string(), &place)),
                reply: answer.rendered.to_string(),
                row: answer.verdict.row.id(),
                reason: answer.verdict.reason.word(),
            };
            let mut history = history.lock().unwrap_or_else(PoisonError::into_inner);
            history.answers.push(asked);
        }
    }
}

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
/// As the daemon looks after the files of trust anchors.
const SWEEP: Millis = 60_000;
