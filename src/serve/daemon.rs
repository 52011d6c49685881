//! The daemon from start to drain.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hoplock_policy::findings::Validation;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::admin::Admin;
use super::background;
use super::connections::Connections;
use super::conversation::Desk;
use super::dns_answers;
use super::engine::{Engine, EngineError, Machine, Memory, discover_options, settings};
use super::guard;
use super::hall::{Addresses, Hall};
use super::handed_over::HandedOver;
use super::negative_anchors::NegativeAnchors;
use super::readsocket;
use super::reload::tell_what_is_kept;
use super::reporting;
use super::rulebook::Rulebook;
use super::sessions;
use super::signals::{Signals, Told};
use super::sockets::BindError;
use super::verifier;
use super::watching::{self, Watching};
use crate::adapters::dns::self_test;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::report::Sessions;

/// Why the daemon does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Something that the configuration names cannot be used.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A socket cannot be bound.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// Signals cannot be listened to.
    #[error("signals cannot be listened to: {0}")]
    Signals(std::io::Error),
}

/// Where the daemon keeps things.
#[derive(Clone, Debug)]
pub struct Places {
    /// The folder for state, where the control socket stands.
    pub state: PathBuf,
    /// What is remembered.
    pub memory: Memory,
}

/// Runs until SIGTERM or SIGINT; `reread` gives the configuration anew on SIGHUP, or complaints,
/// which leave the running one as it is (OP-08).
///
/// # Errors
/// [`ServeError`] where it cannot start.
pub async fn run(
    config: Config,
    places: &Places,
    reread: impl FnMut() -> Result<Config, String>,
) -> Result<(), ServeError> {
    let mut signals = Signals::new().map_err(ServeError::Signals)?;
    let engine = Engine::start(&config, &places.memory).await?;
    let mut daemon = Daemon::open(config, engine, &places.state).await?;
    daemon.serve(&mut signals, reread).await;
    daemon.drain().await;
    Ok(())
}

/// A daemon that answers, whatever the world behind its engine is.
pub struct Daemon {
    config: Config,
    admin: Arc<Admin>,
    intake: Arc<sessions::Intake>,
    guard: Arc<guard::Desk>,
    addresses: Addresses,
    closing: CancellationToken,
    tasks: TaskTracker,
    watching: JoinSet<()>,
}

impl Daemon {
    /// Opens all sockets, and begins to answer; `state` is the folder for the control socket.
    ///
    /// # Errors
    /// [`ServeError`] where something that the configuration names cannot be had.
    pub async fn open(config: Config, engine: Engine, state: &Path) -> Result<Self, ServeError> {
        let closing = CancellationToken::new();
        let tasks = TaskTracker::new();
        let connections = Connections::new(config.limits.connections, &closing);
        for line in engine.says(&config) {
            tracing::info!("{line}");
        }
        let admin = admin(&config, engine, connections).await?;
        let mut handed_over = HandedOver::from_environment();
        let intake = sessions::open(&config, &admin, &mut handed_over, &closing, &tasks).await?;
        let desk = desk(&admin, &intake);
        let hall = Hall {
            desk: &desk,
            closing: &closing,
            tasks: &tasks,
        };
        let addresses = hall.open_all(&config, &admin, &mut handed_over).await?;
        let exim = readsocket::open(&config, &admin, &intake, &mut handed_over, &closing, &tasks);
        exim.await?;
        dns_answers::open(&config, &admin, &closing, &tasks).await?;
        let guard = guard::open(&config, &admin, &mut handed_over, &closing, &tasks).await?;
        // The last one: whoever finds it finds all others.
        hall.control(&config.control(state), &admin, &mut handed_over)
            .await?;
        for name in handed_over.left() {
            tracing::warn!(
                "systemd handed over a socket named {name:?}, and no [listen] systemd:NAME takes \
                 it: whoever connects there waits"
            );
        }
        let watching = behind_everybody(&admin);
        Ok(Self {
            config,
            admin,
            intake,
            guard,
            addresses,
            closing,
            tasks,
            watching,
        })
    }

    /// Where it listens over TCP.
    #[must_use]
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Answers until a signal says that it is over; `reread` as in [`run`].
    pub async fn serve(
        &mut self,
        signals: &mut Signals,
        mut reread: impl FnMut() -> Result<Config, String>,
    ) {
        notify(&[sd_notify::NotifyState::Ready]);
        while let Told::Reload = signals.next().await {
            notify(&[sd_notify::NotifyState::Reloading]);
            match reread() {
                Ok(new) => self.reload(&new),
                Err(why) => tracing::error!("reload refused, nothing changed: {why}"),
            }
            notify(&[sd_notify::NotifyState::Ready]);
        }
        notify(&[sd_notify::NotifyState::Stopping]);
    }

    fn reload(&self, new: &Config) {
        let admin = Arc::clone(&self.admin);
        admin
            .engine
            .answerer
            .reload_discovery(discover_options(new));
        let settings = settings(new);
        self.intake.judge.reload(sessions::judge_options(new));
        self.guard.reload(new.guard.clone());
        reporting::reload(new, &admin);
        admin.watch.reload(&new.watch);
        // A disk that hangs must not keep the next signal from being heard.
        tokio::spawn(async move {
            admin.rulebook.reload(settings).await;
            if let Some(machine) = &admin.engine.machine {
                machine.own_dane.look().await;
            }
            tracing::info!("rules, profiles and switches reloaded; sockets are kept");
        });
        tell_what_is_kept(&self.config, new);
    }

    /// Ends it: requests in hand are answered, no others.
    pub async fn drain(mut self) {
        tracing::info!("draining: no new connections, requests in hand are answered");
        self.closing.cancel();
        self.tasks.close();
        if timeout(DRAIN, self.tasks.wait()).await.is_err() {
            tracing::warn!("some connections did not end in time");
        }
        self.watching.shutdown().await;
        if let Err(error) = self.admin.tally.reports().settle().await {
            tracing::error!(%error, "what was counted last for TLS reports is lost");
        }
    }
}

/// What the HTTP interface shows, and all others work with.
async fn admin(
    config: &Config,
    engine: Engine,
    connections: Connections,
) -> Result<Arc<Admin>, ServeError> {
    let (answerer, journal) = (Arc::clone(&engine.answerer), Arc::clone(&engine.journal));
    let rulebook = Rulebook::new(Arc::clone(&answerer), settings(config));
    rulebook.begin(engine.clock.now().wall).await;
    let tally = Arc::new(reporting::tally(config, &engine));
    let post = Arc::new(reporting::post_office(config, &engine).map_err(EngineError::from)?);
    let watch = Arc::new(Watching::new(config, &engine));
    let metrics = Arc::new(Metrics::with(&engine.outside));
    Ok(Arc::new(Admin {
        engine,
        rulebook,
        negative_anchors: NegativeAnchors::new(answerer),
        metrics,
        connections,
        sessions: Arc::new(Sessions::new(journal)),
        tally,
        post,
        watch,
    }))
}

/// What goes on without being asked for.
fn behind_everybody(admin: &Arc<Admin>) -> JoinSet<()> {
    let engine = &admin.engine;
    let mut watching = JoinSet::new();
    if let Some(Machine { dns, own_dane }) = engine.machine.clone() {
        watching.spawn(self_test::watch(dns, tell_validation));
        watching.spawn(own_dane.watch(background::tell_own_dane));
    }
    watching.spawn(background::every_second(Arc::clone(&engine.answerer)));
    watching.spawn(background::every_minute(Arc::clone(admin)));
    watching.spawn(background::journal(Arc::clone(admin)));
    watching.spawn(background::negative_anchors(Arc::clone(admin)));
    watching.spawn(reporting::every_second(Arc::clone(admin)));
    watching.spawn(reporting::stand(Arc::clone(admin)));
    watching.spawn(reporting::rounds(Arc::clone(admin)));
    watching.spawn(reporting::sweeps(Arc::clone(admin)));
    watching.spawn(reporting::deliveries(Arc::clone(admin)));
    watching.spawn(watching::rounds(Arc::clone(&admin.watch)));
    watching.spawn(watchdog());
    watching
}

/// What answers socketmap requests.
fn desk(admin: &Admin, intake: &Arc<sessions::Intake>) -> Arc<Desk> {
    Arc::new(Desk {
        answerer: Arc::clone(&admin.engine.answerer),
        metrics: Arc::clone(&admin.metrics),
        verifier: verifier::open(admin, intake),
    })
}

fn tell_validation(before: Validation, after: Validation) {
    match after {
        Validation::NotValidating => tracing::error!(
            ?before,
            "the resolver does not validate DNSSEC any more: DANE is off; destinations that were \
             seen with DANE, and those that must have it, wait"
        ),
        Validation::Validating => tracing::info!(?before, "the resolver validates DNSSEC"),
        Validation::Unknown => tracing::warn!(?before, "nothing is known of the resolver"),
    }
}

fn notify(states: &[sd_notify::NotifyState<'_>]) {
    // Without systemd there is nobody to tell.
    let _ = sd_notify::notify(states);
}

async fn watchdog() {
    let Some(interval) = sd_notify::watchdog_enabled() else {
        return;
    };
    loop {
        notify(&[sd_notify::NotifyState::Watchdog]);
        sleep(interval / 2).await;
    }
}

/// Longer than any profile's deadline: a request in hand is answered.
const DRAIN: Duration = Duration::from_secs(25);
