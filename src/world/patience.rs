//! How long a whole piece of work may wait: one bound over many questions.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

/// A point after which nothing is waited for any more.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    started: Instant,
    until: Instant,
}

impl Patience {
    /// Patience for `duration` from now, on the runtime's clock (which tests can pause).
    #[must_use]
    #[allow(
        clippy::disallowed_methods,
        reason = "a bound on waiting, not a reading of the time"
    )]
    pub fn of(duration: Duration) -> Self {
        let started = Instant::now();
        Self {
            started,
            until: started + duration,
        }
    }

    /// A part of this patience, counted from the same beginning.
    #[must_use]
    pub fn part(self, percent: u32) -> Self {
        let whole = self.until.saturating_duration_since(self.started);
        Self {
            started: self.started,
            until: self.started + whole * percent / 100,
        }
    }

    /// No patience at all: what is there is taken, and nothing waited for.
    #[must_use]
    pub fn over(self) -> Self {
        Self {
            until: self.started,
            ..self
        }
    }

    /// True where it has ended.
    #[must_use]
    #[allow(
        clippy::disallowed_methods,
        reason = "a bound on waiting, not a reading of the time"
    )]
    pub fn is_over(self) -> bool {
        Instant::now() >= self.until
    }

    /// What `work` brings, or `None` when patience ends first.
    pub async fn wait<T>(self, work: impl Future<Output = T>) -> Option<T> {
        timeout_at(self.until, work).await.ok()
    }
}
