//! How often something happened in the last hour, to the minute. Knows no clock: it is told the time.

use std::collections::BTreeMap;
use std::time::Duration;

/// Counts of the last sixty minutes.
#[derive(Clone, Debug, Default)]
pub(super) struct Hour {
    /// By minute of uptime.
    minutes: BTreeMap<u64, u32>,
}

impl Hour {
    /// Once more, at this uptime, which may be before what was counted last.
    pub(super) fn add(&mut self, uptime: Duration) {
        let count = self.minutes.entry(minute(uptime)).or_default();
        *count = count.saturating_add(1);
        let newest = self.minutes.last_key_value().map(|(minute, _)| *minute);
        let first = first_of_hour(newest.unwrap_or(0));
        while self
            .minutes
            .first_key_value()
            .is_some_and(|(minute, _)| *minute < first)
        {
            self.minutes.pop_first();
        }
    }

    /// How often in the hour before this uptime.
    pub(super) fn count(&self, now: Duration) -> u64 {
        let lately = self.minutes.range(first_of_hour(minute(now))..);
        lately.map(|(_, count)| u64::from(*count)).sum()
    }
}

fn minute(uptime: Duration) -> u64 {
    uptime.as_secs() / 60
}

fn first_of_hour(minute: u64) -> u64 {
    minute.saturating_sub(59)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(minute: u64) -> Duration {
        Duration::from_secs(minute * 60)
    }

    #[test]
    fn an_hour_goes_by() {
        let mut hour = Hour::default();
        assert_eq!(hour.count(at(100)), 0);
        for minute in [100, 100, 130, 159] {
            hour.add(at(minute));
        }
        for (minute, count) in [
            (159, 4),
            (160, 2),
            (189, 2),
            (190, 1),
            (218, 1),
            (219, 0),
            (9999, 0),
        ] {
            assert_eq!(hour.count(at(minute)), count, "{minute}");
        }
        // Told of late: within the hour it counts, and makes nothing else count less.
        hour.add(at(120));
        hour.add(at(10));
        assert_eq!(hour.count(at(159)), 5);
        for minute in 0..10_000 {
            hour.add(at(minute));
        }
        assert_eq!(hour.minutes.len(), 60, "bounded");
        assert_eq!(hour.count(at(9_999)), 60);
    }
}
