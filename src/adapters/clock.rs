//! The only place that asks for the time.
#![allow(
    clippy::disallowed_methods,
    reason = "this is the room that owns the clocks"
)]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hoplock_policy::moment::{Moment, Timestamp};

use crate::world::Clock;

/// Where `uptime` begins: what is read back from the store is older than the process, and longer ago
/// than any policy lives (a year) need not be told apart.
const ORIGIN: Duration = Duration::from_secs(2 * 366 * 86_400);

/// The clocks of this machine.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// A clock whose uptime starts now.
    #[must_use]
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
        }
    }

    /// How long it has been running.
    #[must_use]
    pub fn running(&self) -> Duration {
        self.started.elapsed()
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        // A wall clock before 1970 reads as 1970; nothing expires by the wall clock alone.
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let millis = u64::try_from(wall.as_millis()).unwrap_or(u64::MAX);
        Moment {
            wall: Timestamp(millis),
            uptime: ORIGIN + self.started.elapsed(),
        }
    }
}

/// Measures how long something took, for people.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts.
    #[must_use]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// What has passed since the start.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}
