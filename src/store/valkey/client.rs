//! The connection: kept up in the background, with a limit of time on every command.
//!
//! Nobody waits for a server that is known not to answer, or not in time: who asks learns that at once.
//! There are two connections side by side, since answers come in order: what somebody waits for must not
//! stand behind the work of the background.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use redis::aio::{ConnectionLike as _, MultiplexedConnection};
use redis::{Pipeline, ServerErrorKind, Value};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::address::FleetAddress;
use super::dial::{Dialer, FleetError};
use crate::world::StoreFailure;
use crate::world::reports::FleetState;

/// The fleet's store, as far as it can be reached.
pub struct FleetClient {
    dialer: Dialer,
    lines: ArcSwapOption<Lines>,
    /// It answers, and not what it should.
    is_refusing: AtomicBool,
    /// It answers, and too late for somebody who waits.
    is_slow: AtomicBool,
    state: Mutex<FleetState>,
    /// Counts connections: after each, the server may be another, or have lost what it had.
    connections: AtomicU64,
    trouble: Notify,
    keeper: Mutex<Option<JoinHandle<()>>>,
}

/// Both connections.
struct Lines {
    number: u64,
    asking: MultiplexedConnection,
    working: MultiplexedConnection,
    _drivers: [AbortOnDropHandle<()>; 2],
}

/// Why a command came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Trouble {
    /// No answer.
    #[error("the fleet's store is not reached: {0}")]
    NotReached(String),
    /// An answer that helps nobody.
    #[error("the fleet's store: {0}")]
    Refused(String),
}

impl From<Trouble> for StoreFailure {
    fn from(trouble: Trouble) -> Self {
        Self(trouble.to_string())
    }
}

impl FleetClient {
    /// Begins to connect, and keeps at it; to be called within the runtime. `roots` are certificates in PEM
    /// for TLS, in place of the system's.
    ///
    /// # Errors
    /// [`FleetError`] where the roots cannot be used. A server that cannot be reached is no error.
    pub fn start(address: FleetAddress, roots: Option<&Path>) -> Result<Arc<Self>, FleetError> {
        let client = Arc::new(Self {
            dialer: Dialer::new(address, roots)?,
            lines: ArcSwapOption::empty(),
            is_refusing: AtomicBool::new(false),
            is_slow: AtomicBool::new(false),
            state: Mutex::new(FleetState::NotReached("not connected yet".to_owned())),
            connections: AtomicU64::new(0),
            trouble: Notify::new(),
            keeper: Mutex::default(),
        });
        let keeper = tokio::spawn(keep(Arc::downgrade(&client)));
        *client.keeper.lock().unwrap_or_else(PoisonError::into_inner) = Some(keeper);
        Ok(client)
    }

    /// How it stands.
    #[must_use]
    pub fn state(&self) -> FleetState {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Where it is, without the password.
    #[must_use]
    pub fn address(&self) -> &FleetAddress {
        self.dialer.address()
    }

    /// The number of the connection; none: not connected.
    pub(super) fn connection(&self) -> Option<u64> {
        self.lines.load().as_ref().map(|lines| lines.number)
    }

    /// Whether it is asked at all for somebody who waits: it is not while it is known to be too slow, and each
    /// host is as if alone.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.connection().is_some() && !self.is_slow.load(Ordering::Acquire)
    }

    /// A key of ours.
    pub(super) fn key(&self, name: &str) -> String {
        format!("{}{name}", self.address().prefix)
    }

    /// Asks for somebody who waits: a quarter of a second, and not at all where that is known to be too
    /// short. An error that a command gave is its value.
    pub(super) async fn ask(&self, commands: &Pipeline) -> Result<Vec<Value>, Trouble> {
        if self.is_slow.load(Ordering::Acquire) {
            return Err(Trouble::NotReached("it answers too slowly".to_owned()));
        }
        let lines = self.lines.load_full();
        let lines = lines.ok_or_else(|| self.not_connected())?;
        let mut line = lines.asking.clone();
        let answer = line.req_packed_commands(commands, 0, commands.len());
        match timeout(WHO_WAITS, answer).await {
            Ok(answer) => self.take(lines.number, answer),
            Err(_) => {
                self.is_slow.store(true, Ordering::Release);
                self.trouble.notify_one();
                Err(Trouble::NotReached("no answer in time".to_owned()))
            }
        }
    }

    /// Works for nobody in particular.
    pub(super) async fn work(&self, commands: &Pipeline) -> Result<Vec<Value>, Trouble> {
        let lines = self.lines.load_full();
        let lines = lines.ok_or_else(|| self.not_connected())?;
        let mut line = lines.working.clone();
        let answer = line.req_packed_commands(commands, 0, commands.len());
        match timeout(BACKGROUND, answer).await {
            Ok(answer) => self.take(lines.number, answer),
            Err(_) => {
                let words = format!("no answer in {} seconds", BACKGROUND.as_secs());
                self.broken(lines.number, &words);
                Err(Trouble::NotReached(words))
            }
        }
    }

    /// As [`FleetClient::work`], where each command must go well.
    pub(super) async fn work_well(&self, commands: &Pipeline) -> Result<Vec<Value>, Trouble> {
        let values = self.work(commands).await?;
        values.into_iter().map(well).collect()
    }

    /// What the server said to a command, in place of doing it; or that it did.
    pub(super) fn refuses(&self, words: Option<&str>) {
        let was_refusing = self.is_refusing.swap(words.is_some(), Ordering::AcqRel);
        match words {
            Some(words) if !was_refusing => self.say(FleetState::NotReached(words.to_owned())),
            None if was_refusing => self.say(FleetState::Reached),
            Some(_) | None => {}
        }
    }

    fn take(
        &self,
        number: u64,
        answer: redis::RedisResult<Vec<Value>>,
    ) -> Result<Vec<Value>, Trouble> {
        let values = answer.map_err(|error| {
            let words = error.to_string();
            self.broken(number, &words);
            Trouble::NotReached(words)
        })?;
        // A replica that was the main one, a server that is loading, a password that was changed: another
        // connection may find better.
        let lost = values.iter().find_map(|value| match value {
            Value::ServerError(error) => {
                let is_lost = matches!(
                    error.kind(),
                    Some(
                        ServerErrorKind::ReadOnly
                            | ServerErrorKind::BusyLoading
                            | ServerErrorKind::MasterDown
                    )
                ) || error.code() == "NOAUTH";
                is_lost.then(|| words(error))
            }
            _ => None,
        });
        match lost {
            Some(words) => {
                self.broken(number, &words);
                Err(Trouble::NotReached(words))
            }
            None => Ok(values),
        }
    }

    fn not_connected(&self) -> Trouble {
        match self.state() {
            FleetState::NotReached(words) => Trouble::NotReached(words),
            FleetState::Reached => Trouble::NotReached("not connected".to_owned()),
        }
    }

    /// Gives a connection up, unless another has taken its place.
    fn broken(&self, number: u64, words: &str) {
        let known = self.lines.load_full();
        if known.is_some_and(|lines| lines.number == number) {
            self.lines.store(None);
            self.say(FleetState::NotReached(words.to_owned()));
            self.trouble.notify_one();
        }
    }

    /// One line for each change.
    fn say(&self, now: FleetState) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let was_first = *state == FleetState::NotReached("not connected yet".to_owned());
        match (&*state, &now) {
            (FleetState::NotReached(_), FleetState::Reached) => {
                tracing::info!(store = %self.address(), "the fleet's store is reached");
            }
            (FleetState::Reached, FleetState::NotReached(reason)) => tracing::warn!(
                store = %self.address(),
                reason,
                "the fleet's store is not reached; this host goes on alone, and hands over when it is back"
            ),
            (FleetState::NotReached(_), FleetState::NotReached(reason)) if was_first => {
                tracing::warn!(
                    store = %self.address(),
                    reason,
                    "the fleet's store is not reached; this host begins alone, and hands over later"
                );
            }
            _ => {}
        }
        *state = now;
    }

    async fn connect(&self) -> Result<(), String> {
        let dial = async {
            let (asking, first) = self.dialer.dial().await?;
            let (working, second) = self.dialer.dial().await?;
            Ok::<_, String>((asking, working, [first, second]))
        };
        let (asking, working, drivers) = timeout(TO_CONNECT, dial)
            .await
            .map_err(|_| "no connection in time".to_owned())??;
        let number = self.connections.fetch_add(1, Ordering::Relaxed) + 1;
        let lines = Lines {
            number,
            asking,
            working,
            _drivers: drivers,
        };
        // It must take commands, too: a server that loads its data answers nothing else.
        let mut line = lines.asking.clone();
        let mut ping = redis::pipe();
        ping.cmd("PING");
        let answer = timeout(BACKGROUND, line.req_packed_commands(&ping, 0, 1)).await;
        match answer {
            Ok(Ok(values)) => {
                if let Some(Value::ServerError(error)) = values.first() {
                    return Err(words(error));
                }
            }
            Ok(Err(error)) => return Err(error.to_string()),
            Err(_) => return Err("no answer in time".to_owned()),
        }
        self.is_slow.store(false, Ordering::Release);
        self.lines.store(Some(Arc::new(lines)));
        // What it refused it may refuse still.
        if !self.is_refusing.load(Ordering::Acquire) {
            self.say(FleetState::Reached);
        }
        Ok(())
    }

    /// Whether it answers in time again.
    async fn try_again(&self) {
        let Some(lines) = self.lines.load_full() else {
            return;
        };
        let mut line = lines.asking.clone();
        let mut ping = redis::pipe();
        ping.cmd("PING");
        match timeout(WHO_WAITS, line.req_packed_commands(&ping, 0, 1)).await {
            Ok(Ok(_)) => {
                self.is_slow.store(false, Ordering::Release);
                if !self.is_refusing.load(Ordering::Acquire) {
                    self.say(FleetState::Reached);
                }
            }
            Ok(Err(error)) => self.broken(lines.number, &error.to_string()),
            Err(_) => self.say(FleetState::NotReached("it answers too slowly".to_owned())),
        }
    }
}

impl Drop for FleetClient {
    fn drop(&mut self) {
        let keeper = self.keeper.lock();
        if let Some(keeper) = keeper.unwrap_or_else(PoisonError::into_inner).take() {
            keeper.abort();
        }
    }
}

/// Connects, looks after what is slow, and connects again.
async fn keep(client: Weak<FleetClient>) {
    let mut pause = FIRST_PAUSE;
    while let Some(client) = client.upgrade() {
        if client.connection().is_none() {
            match client.connect().await {
                Ok(()) => pause = FIRST_PAUSE,
                Err(words) => {
                    client.say(FleetState::NotReached(words));
                    // Many hosts must not come back in the same instant.
                    let jitter = Duration::from_millis(rand::random_range(0..250));
                    drop(client);
                    sleep(pause + jitter).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    continue;
                }
            }
        } else if client.is_slow.load(Ordering::Acquire) {
            client.try_again().await;
        }
        let _ = timeout(BETWEEN_LOOKS, client.trouble.notified()).await;
        if client.is_slow.load(Ordering::Acquire) {
            drop(client);
            sleep(BETWEEN_LOOKS).await;
        }
    }
}

/// A value, unless it is an error.
pub(super) fn well(value: Value) -> Result<Value, Trouble> {
    match value {
        Value::ServerError(error) => Err(Trouble::Refused(words(&error))),
        value => Ok(value),
    }
}

fn words(error: &redis::ServerError) -> String {
    match error.details() {
        Some(details) => format!("{} {details}", error.code()),
        None => error.code().to_owned(),
    }
}

/// For what somebody waits for.
pub(super) const WHO_WAITS: Duration = Duration::from_millis(250);
/// For the rest.
const BACKGROUND: Duration = Duration::from_secs(2);
const TO_CONNECT: Duration = Duration::from_secs(3);
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
