//! `hoplock demo`: the real daemon over a built-in world, on loopback.
//!
//! The daemon is that of `hoplock serve`, and all that is shown is asked of it through its own sockets; only
//! the world behind it is scripted ([`crate::demo`]).
//!
//! * [`folder`]: the folder where all of it stands, for as long as it runs.
//! * [`tour`]: what is asked of it and reported to it.
//! * [`page`]: what is printed.

mod folder;
mod page;
mod tour;

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use hoplock_policy::moment::Timestamp;
use tracing_subscriber::EnvFilter;

use self::folder::Folder;
use self::page::Way;
use self::tour::{Sockets, Tour};
use super::{complain, exit, print};
use crate::adapters::clock::SystemClock;
use crate::config::Config;
use crate::demo::{DOMAINS, config as orders, world};
use crate::serve::daemon::{Daemon, ServeError};
use crate::serve::engine::{Engine, Memory, Stores};
use crate::serve::hall::Addresses;
use crate::serve::signals::Signals;
use crate::world::scripted::ScriptedWorld;
use crate::world::{Clock as _, World};

#[derive(Args)]
pub(super) struct Arguments {
    /// Port for mail servers; the next one is for HTTP. 0: two that are free.
    #[arg(long, value_name = "PORT", default_value_t = PORT)]
    port: u16,
    /// Print the table, and end.
    #[arg(long)]
    once: bool,
    /// How much of the daemon's log is shown: off, error, warn, info, debug.
    #[arg(long, value_name = "LEVEL", default_value = "off")]
    log: String,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(&arguments.log))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("the runtime cannot be started: {error}"));
            return exit::failed();
        }
    };
    match runtime.block_on(show(arguments)) {
        Ok(()) => exit::FINE,
        Err(why) => {
            complain(&why);
            exit::failed()
        }
    }
}

async fn show(arguments: &Arguments) -> Result<(), String> {
    // From the first moment on: whatever is begun is also ended.
    let mut signals = Signals::new().map_err(|error| error.to_string())?;
    let clock = Arc::new(SystemClock::new());
    let folder = Folder::create().map_err(|error| format!("no folder for the demo: {error}"))?;
    let hour_ago = earlier(clock.now().wall, HOUR);
    let text = |ports| orders::text(folder.path(), ports, &time(hour_ago));
    folder.write(orders::AUTHORITY, orders::AUTHORITY_PEM)?;
    let ports = (arguments.port, next(arguments.port)?);
    let config = read(&text(ports))?;
    let scripted = world::world();
    let engine = engine(&config, &folder, &scripted, Arc::clone(&clock))?;
    let mut daemon =
        Daemon::open(config, engine, folder.path())
            .await
            .map_err(|error| match error {
                ServeError::Bind(error) => {
                    format!("{error}; or let `hoplock demo --port 0` take ports that are free")
                }
                other => other.to_string(),
            })?;
    let (socketmap, http) = listening(daemon.addresses())?;
    let file = folder.write(orders::FILE, &text((socketmap.port(), http.port())))?;
    let sockets = Sockets {
        map: folder.path().join(orders::MAP),
        sessions: folder.path().join(orders::SESSIONS),
        control: folder.path().join(orders::CONTROL),
    };
    let tour = Tour {
        sockets: &sockets,
        world: &scripted,
        now: clock.now().wall,
    };
    let shown = tokio::select! {
        shown = tour.take() => Some(shown),
        _ = signals.next() => None,
    };
    let outcome = match shown {
        // Told to end before there was anything to show.
        None => Ok(()),
        Some(Err(why)) => Err(why),
        Some(Ok(rows)) => {
            print(&page::table(&rows));
            if !arguments.once {
                print(&page::ways(&Way::new(&file, socketmap, http)));
                let reread = || read(&folder.read(orders::FILE)?);
                daemon.serve(&mut signals, reread).await;
            }
            Ok(())
        }
    };
    daemon.drain().await;
    outcome
}

/// What gives answers: all as in `hoplock serve`, but for the world.
fn engine(
    config: &Config,
    folder: &Folder,
    scripted: &Arc<ScriptedWorld>,
    clock: Arc<SystemClock>,
) -> Result<Engine, String> {
    let memory = Memory::File(config.state_file(folder.path()));
    let words = |error: crate::serve::engine::EngineError| error.to_string();
    let stores = Stores::open(config, &memory, clock.clone()).map_err(words)?;
    let store = Arc::clone(&stores.store);
    // Real time, so that what is kept grows old while somebody watches.
    let world = World {
        clock,
        ..scripted.world(store)
    };
    let mut engine = Engine::over(config, world, stores).map_err(words)?;
    engine.demo = DOMAINS;
    Ok(engine)
}

fn read(text: &str) -> Result<Config, String> {
    let (config, complaints) = Config::parse(text, &[]);
    config.ok_or_else(|| {
        let lines = complaints.iter().map(ToString::to_string);
        lines.collect::<Vec<_>>().join("\n")
    })
}

/// Port 0 stays what it is: any.
fn next(port: u16) -> Result<u16, String> {
    match port {
        0 => Ok(0),
        port => port
            .checked_add(1)
            .ok_or_else(|| format!("there is no port after {port} for HTTP; name a lower one")),
    }
}

fn listening(addresses: &Addresses) -> Result<(SocketAddr, SocketAddr), String> {
    let first = |list: &[SocketAddr]| list.first().copied();
    first(&addresses.socketmap)
        .zip(first(&addresses.http))
        .ok_or_else(|| "the daemon listens nowhere".to_owned())
}

/// RFC 3339, in whole seconds.
fn time(at: Timestamp) -> String {
    let seconds = i64::try_from(at.0 / 1000).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds)
        .unwrap_or(jiff::Timestamp::MAX)
        .to_string()
}

fn earlier(at: Timestamp, by: Duration) -> Timestamp {
    let millis = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
    Timestamp(at.0.saturating_sub(millis))
}

/// Beside the port of `hoplock serve`, which may be running.
const PORT: u16 = 8525;
const HOUR: Duration = Duration::from_secs(3600);
