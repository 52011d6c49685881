//! The time of one process, and its death: both clocks, and a count of the calls to its outside.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hoplock::world::Clock;
use hoplock_policy::moment::{Moment, Timestamp};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::plan::Millis;

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
    pub(super) fn new(born: Millis, stepped: i64) -> Self {
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
    pub(super) fn begin(&self) {
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

    pub(super) fn kill_after(&self, calls: u64) {
        let number = self.calls.load(Ordering::Relaxed) + calls;
        self.last.store(number, Ordering::Relaxed);
    }

    /// How far the wall clock was stepped, in milliseconds.
    pub(super) fn stepped(&self) -> i64 {
        self.stepped.load(Ordering::Relaxed).cast_signed()
    }

    /// Steps the wall clock alone.
    pub(super) fn step_wall(&self, by: i64) {
        let stepped = self.stepped() + by;
        self.stepped
            .store(stepped.cast_unsigned(), Ordering::Relaxed);
    }

    /// Waits until it is killed.
    pub(super) async fn killed(&self) {
        self.killed.notified().await;
    }

    pub(super) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Relaxed)
    }
}

impl Clock for Life {
    fn now(&self) -> Moment {
        Moment {
            wall: Timestamp(wall(self.now(), self.stepped())),
            uptime: ORIGIN + self.elapsed(),
        }
    }
}

/// What the wall clock says, stepped by so many milliseconds.
pub(super) fn wall(now: Millis, stepped: i64) -> u64 {
    let wall = MORNING
        .saturating_add(now.cast_signed())
        .saturating_add(stepped);
    u64::try_from(wall).unwrap_or(0)
}

/// 2026-11-24T10:00:00Z.
const MORNING: i64 = 1_795_514_400_000;
/// As the real clock: far enough from zero for what is older than the process.
const ORIGIN: Duration = Duration::from_secs(2 * 366 * 86_400);
