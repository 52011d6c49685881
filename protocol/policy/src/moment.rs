//! Points in time, as values. This crate never asks a clock; the daemon does, once per query.

use std::time::Duration;

/// Milliseconds since the Unix epoch, as a wall clock tells them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

/// One reading of both clocks.
///
/// TTLs are counted on `uptime`, which never jumps. What outlives the process is counted on `wall`
/// too, and ends only when both clocks agree: a stepped wall clock expires nothing (ST-28).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// Wall clock.
    pub wall: Timestamp,
    /// A clock that never jumps, from an origin before the process started: what is remembered from
    /// earlier has its place there too.
    pub uptime: Duration,
}

impl Moment {
    /// The same moment, `by` later on both clocks.
    #[must_use]
    pub fn later(self, by: Duration) -> Self {
        let millis = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        Self {
            wall: Timestamp(self.wall.0.saturating_add(millis)),
            uptime: self.uptime.saturating_add(by),
        }
    }

    /// What is left at `now` of `lifetime` that began here; zero when it is over by both clocks.
    #[must_use]
    pub fn remaining(self, lifetime: Duration, now: Self) -> Duration {
        let by_wall = Duration::from_millis(now.wall.0.saturating_sub(self.wall.0));
        let by_uptime = now.uptime.saturating_sub(self.uptime);
        lifetime.saturating_sub(by_wall.min(by_uptime))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Moment = Moment {
        wall: Timestamp(5_000),
        uptime: Duration::from_secs(3),
    };

    /// Time goes by on both clocks alike, to the millisecond, and stops at their end.
    #[test]
    fn later_is_later_on_both_clocks() {
        let later = START.later(Duration::from_millis(1_500));
        assert_eq!(later.wall, Timestamp(6_500));
        assert_eq!(later.uptime, Duration::from_millis(4_500));
        let last = START.later(Duration::MAX);
        assert_eq!((last.wall.0, last.uptime), (u64::MAX, Duration::MAX));
    }

    /// ST-28: a lifetime ends when both clocks say so; a clock that jumped, either way, ends nothing.
    #[test]
    fn a_lifetime_ends_by_both_clocks() {
        let lifetime = Duration::from_secs(60);
        for (wall, uptime, left) in [
            (0, 0, 60),
            (20, 20, 40),
            (60, 60, 0),
            (90, 90, 0),
            (90_000, 20, 40),
            (20, 90_000, 40),
            (-4, 20, 60),
        ] {
            let now = Moment {
                wall: Timestamp(START.wall.0.saturating_add_signed(wall * 1000)),
                uptime: START.uptime + Duration::from_secs(uptime),
            };
            let expected = Duration::from_secs(left);
            assert_eq!(START.remaining(lifetime, now), expected, "{wall} {uptime}");
        }
    }
}
