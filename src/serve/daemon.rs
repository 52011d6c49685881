//! The daemon from start to drain.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hoplock_policy::findings::Validation;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::admin::{Admin, Guard, router};
use super::background;
use super::connections::Connections;
use super::conversation::{Desk, converse, turn_away};
use super::dns_answers;
use super::engine::{Engine, EngineError, Memory, discover_options, fetch_options, settings};
use super::guard;
use super::handed_over::HandedOver;
use super::listen::Listener;
use super::negative_anchors::NegativeAnchors;
use super::readsocket;
use super::reporting;
use super::rulebook::Rulebook;
use super::sessions;
use super::sockets::{BindError, bind, bind_control};
use super::verifier;
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
    mut reread: impl FnMut() -> Result<Config, String>,
) -> Result<(), ServeError> {
    let mut signals = Signals::new().map_err(ServeError::Signals)?;
    let engine = Engine::start(&config, &places.memory).await?;
    let rulebook = Rulebook::new(Arc::clone(&engine.answerer), settings(&config));
    rulebook
        .begin(engine.answerer.world().clock.now().wall)
        .await;
    let closing = CancellationToken::new();
    let tasks = TaskTracker::new();
    let connections = Connections::new(config.limits.connections, &closing);
    for line in engine.says(&config) {
        tracing::info!("{line}");
    }
    let own_dane = Arc::clone(&engine.own_dane);
    let (answerer, journal) = (Arc::clone(&engine.answerer), Arc::clone(&engine.journal));
    let negative_anchors = NegativeAnchors::new(Arc::clone(&answerer));
    let tally = Arc::new(reporting::tally(&config, &engine));
    let post = Arc::new(reporting::post_office(&config, &engine).map_err(EngineError::from)?);
    let admin = Arc::new(Admin {
        engine,
        rulebook,
        negative_anchors,
        metrics: Arc::new(Metrics::new()),
        connections: connections.clone(),
        sessions: Arc::new(Sessions::new(journal)),
        tally,
        post,
    });
    let mut handed_over = HandedOver::from_environment();
    let intake = sessions::open(&config, &admin, &mut handed_over, &closing, &tasks).await?;
    let desk = desk(&admin, &intake);
    let hall = Hall {
        desk: &desk,
        closing: &closing,
        tasks: &tasks,
    };
    for listener in socketmaps(&config, &mut handed_over).await? {
        hall.open(listener, &connections);
    }
    for endpoint in &config.listen.http {
        for listener in bind(endpoint, &config.listen, &mut handed_over).await? {
            hall.admin(listener, &admin, Role::Http);
        }
        tracing::info!(%endpoint, "listening for HTTP: metrics and JSON");
    }
    let control = config.control(&places.state);
    for listener in bind_control(&control, &mut handed_over).await? {
        hall.admin(listener, &admin, Role::Control);
    }
    tracing::info!(endpoint = %control, "control socket");
    let exim = readsocket::open(&config, &admin, &intake, &mut handed_over, &closing, &tasks);
    exim.await?;
    dns_answers::open(&config, &admin, &closing, &tasks).await?;
    let guard = guard::open(&config, &admin, &mut handed_over, &closing, &tasks).await?;
    for name in handed_over.left() {
        tracing::warn!(
            "systemd handed over a socket named {name:?}, and no [listen] systemd:NAME takes it: \
             whoever connects there waits"
        );
    }
    let mut watching = behind_everybody(&admin);
    notify(&[sd_notify::NotifyState::Ready]);
    while let Told::Reload = signals.next().await {
        notify(&[sd_notify::NotifyState::Reloading]);
        match reread() {
            Ok(new) => {
                answerer.reload_discovery(discover_options(&new));
                let (admin, own_dane) = (Arc::clone(&admin), Arc::clone(&own_dane));
                let settings = settings(&new);
                intake.judge.reload(sessions::judge_options(&new));
                guard.reload(new.guard.clone());
                reporting::reload(&new, &admin);
                // A disk that hangs must not keep the next signal from being heard.
                tokio::spawn(async move {
                    admin.rulebook.reload(settings).await;
                    own_dane.look().await;
                    tracing::info!("rules, profiles and switches reloaded; sockets are kept");
                });
                tell_what_is_kept(&config, &new);
            }
            Err(why) => tracing::error!("reload refused, nothing changed: {why}"),
        }
        notify(&[sd_notify::NotifyState::Ready]);
    }
    notify(&[sd_notify::NotifyState::Stopping]);
    tracing::info!("draining: no new connections, requests in hand are answered");
    closing.cancel();
    tasks.close();
    if timeout(DRAIN, tasks.wait()).await.is_err() {
        tracing::warn!("some connections did not end in time");
    }
    watching.shutdown().await;
    if let Err(error) = admin.tally.reports().settle().await {
        tracing::error!(%error, "what was counted last for TLS reports is lost");
    }
    Ok(())
}

/// What goes on without being asked for.
fn behind_everybody(admin: &Arc<Admin>) -> JoinSet<()> {
    let engine = &admin.engine;
    let mut watching = JoinSet::new();
    watching.spawn(self_test::watch(Arc::clone(&engine.dns), tell_validation));
    watching.spawn(Arc::clone(&engine.own_dane).watch(background::tell_own_dane));
    watching.spawn(background::every_second(Arc::clone(&engine.answerer)));
    watching.spawn(background::every_minute(Arc::clone(admin)));
    watching.spawn(background::journal(Arc::clone(admin)));
    watching.spawn(background::negative_anchors(Arc::clone(admin)));
    watching.spawn(reporting::every_second(Arc::clone(admin)));
    watching.spawn(reporting::stand(Arc::clone(admin)));
    watching.spawn(reporting::rounds(Arc::clone(admin)));
    watching.spawn(reporting::sweeps(Arc::clone(admin)));
    watching.spawn(reporting::deliveries(Arc::clone(admin)));
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

/// The sockets for mail servers. One whose folder is not there is left out, loudly, as long as another
/// is open: the package names one in Postfix's chroot, and Postfix need not be installed.
async fn socketmaps(
    config: &Config,
    handed_over: &mut HandedOver,
) -> Result<Vec<Listener>, BindError> {
    let (mut open, mut left_out) = (Vec::new(), None);
    for endpoint in &config.listen.socketmap {
        match bind(endpoint, &config.listen, handed_over).await {
            Ok(listeners) => {
                tracing::info!(%endpoint, "listening for socketmap requests");
                open.extend(listeners);
            }
            Err(error @ BindError::Folder { .. }) => {
                tracing::warn!("{error}; this socket is left out");
                left_out = Some(error);
            }
            Err(error) => return Err(error),
        }
    }
    match left_out {
        Some(error) if open.is_empty() => Err(error),
        _ => Ok(open),
    }
}

/// Where connections are received.
struct Hall<'a> {
    desk: &'a Arc<Desk>,
    closing: &'a CancellationToken,
    tasks: &'a TaskTracker,
}

impl Hall<'_> {
    fn open(&self, listener: Listener, connections: &Connections) {
        let desk = Arc::clone(self.desk);
        let (closing, connections) = (self.closing.clone(), connections.clone());
        let tasks = self.tasks.clone();
        self.tasks.spawn(async move {
            while let Some(stream) = listener.accept(&closing).await {
                match connections.seat() {
                    Some(seat) => {
                        tasks.spawn(converse(stream, Arc::clone(&desk), seat));
                    }
                    None => {
                        desk.metrics.turned_away.inc();
                        tasks.spawn(turn_away(stream));
                    }
                }
            }
        });
    }

    fn admin(&self, listener: Listener, admin: &Arc<Admin>, role: Role) {
        let closed = self.closing.clone().cancelled_owned();
        match listener {
            Listener::Tcp(listener) => {
                let routes = router(Arc::clone(admin), Guard::HostField);
                let served = axum::serve(listener, routes).with_graceful_shutdown(closed);
                self.tasks.spawn(async move { served.await });
            }
            Listener::Unix(listener, path) => {
                let guard = match role {
                    Role::Control => Guard::FilePermissions,
                    Role::Http => Guard::ReadOnly,
                };
                let routes = router(Arc::clone(admin), guard);
                let served = axum::serve(listener, routes).with_graceful_shutdown(closed);
                self.tasks.spawn(async move {
                    let outcome = served.await;
                    drop(path);
                    outcome
                });
            }
        }
    }
}

/// What a socket of the HTTP interface is for.
#[derive(Clone, Copy)]
enum Role {
    /// Metrics and JSON, for whoever may read.
    Http,
    /// Orders too.
    Control,
}

fn tell_what_is_kept(start: &Config, new: &Config) {
    let kept = taken_at_start(start, new);
    if !kept.is_empty() {
        tracing::warn!(
            "changed, but taken at the start only: {}; restart hoplock for them",
            kept.join(", ")
        );
    }
}

/// What a reload cannot change: parts of the configuration that differ from those of the start.
fn taken_at_start(start: &Config, new: &Config) -> Vec<&'static str> {
    let limits = |config: &Config| {
        let limits = &config.limits;
        let journal = (limits.journal_days, limits.journal_entries);
        let table = (limits.connections, limits.lookups, limits.cache_entries);
        (table, journal)
    };
    [
        ("[listen]", start.listen != new.listen),
        ("[dns]", start.dns != new.dns),
        (
            "[sts] port, roots, timeout",
            fetch_options(start) != fetch_options(new),
        ),
        ("[limits]", limits(start) != limits(new)),
        ("[log]", start.log != new.log),
        ("[store]", start.store != new.store),
        ("[sources]", start.sources != new.sources),
        (
            "[report] from, for the log of Postfix",
            start.report.from != new.report.from && start.sources.postfix_log.is_some(),
        ),
    ]
    .into_iter()
    .filter_map(|(name, differs)| differs.then_some(name))
    .collect()
}

/// What a signal asks for.
enum Told {
    Reload,
    Drain,
}

struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.hangup.recv() => Told::Reload,
            _ = self.terminate.recv() => Told::Drain,
            _ = self.interrupt.recv() => Told::Drain,
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        Config::parse(text, &[]).0.unwrap()
    }

    #[test]
    fn what_needs_a_restart() {
        let start = config("");
        for (text, expected) in [
            ("", &[] as &[&str]),
            (
                "[dane]\nhalf_dane = false\n[rules.\"a.test\"]\nanswer = \"may\"",
                &[],
            ),
            ("[sts]\nenabled = false", &[]),
            ("[listen]\nmode = \"0600\"", &["[listen]"]),
            ("[dns]\nservers = [\"192.0.2.1\"]", &["[dns]"]),
            ("[sts]\nport = 8443", &["[sts] port, roots, timeout"]),
            (
                "[limits]\nconnections = 7\n[log]\nlevel = \"debug\"",
                &["[limits]", "[log]"],
            ),
            ("[store]\npath = \"/nowhere/hoplock.db\"", &["[store]"]),
            ("[limits]\njournal_days = 7", &["[limits]"]),
            ("[sources]\npostfix_log = \"journal\"", &["[sources]"]),
        ] {
            assert_eq!(taken_at_start(&start, &config(text)), expected, "{text}");
        }
    }
}
