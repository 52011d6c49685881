//! When a report leaves, and when it is tried again. Pure: what is random is told apart by names.

use std::time::Duration;

use hoplock_policy::moment::Timestamp;
use hoplock_policy::tlsrpt::Day;
use sha2::{Digest as _, Sha256};

use crate::report::tally::CLOSES_AFTER;
use crate::world::reports::outgoing::{Delivery, DeliveryState, ReportKey};

/// When the report of this day and domain leaves: after the day was closed, at random within `delay`
/// (RFC 8460, 4.1; RP-10). Each domain has its own place, and each installation another order, so that no
/// receiver gets all reports about it at one time; all hosts of a fleet come to the same.
pub(super) fn leaves(key: &ReportKey, installation: &str, delay: Duration) -> Timestamp {
    let mut hash = Sha256::new();
    for part in [installation, &key.day.to_string(), key.domain.as_str()] {
        hash.update(part.len().to_be_bytes());
        hash.update(part.as_bytes());
    }
    let digest: [u8; 32] = hash.finalize().into();
    let first = digest.first_chunk::<4>().copied().unwrap_or_default();
    let share = u128::from(u32::from_be_bytes(first));
    let millis = delay.as_millis() * share / u128::from(u32::MAX);
    later(
        ready(key.day),
        Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX)),
    )
}

/// When reports of a day may be made at the earliest.
pub(super) fn ready(day: Day) -> Timestamp {
    later(day.is_over_at(), CLOSES_AFTER + SETTLES)
}

/// Until when hosts of a fleet are waited for that have not handed in what they counted.
pub(super) fn patience_ends(day: Day) -> Timestamp {
    later(day.is_over_at(), LONGEST_WAIT)
}

/// A delivery that was not made: when it is tried again, or that it is given up (RFC 8460, 5.5; RP-15).
pub(super) fn after_failure(delivery: &Delivery, now: Timestamp) -> DeliveryState {
    let first = delivery.first.unwrap_or(now);
    let ends = later(first, GIVEN_UP_AFTER);
    let pause = FIRST_PAUSE * 2_u32.saturating_pow(delivery.attempts.saturating_sub(1));
    let next = later(now, pause.min(LONGEST_PAUSE));
    if next <= ends {
        return DeliveryState::Waiting { next };
    }
    if now < ends {
        // One more at the end of the 24 hours, so that all of them were used.
        return DeliveryState::Waiting { next: ends };
    }
    DeliveryState::GivenUp { at: now }
}

pub(super) fn later(time: Timestamp, by: Duration) -> Timestamp {
    let millis = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
    Timestamp(time.0.saturating_add(millis))
}

/// After a day was closed its last rows are written and handed over.
const SETTLES: Duration = Duration::from_secs(60);
/// A host that is away for longer is away for its report, too.
const LONGEST_WAIT: Duration = Duration::from_secs(12 * 3_600);
/// RFC 8460, 5.5.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(24 * 3_600);
/// A receiver that restarts is back by then.
pub(super) const FIRST_PAUSE: Duration = Duration::from_secs(300);
/// A receiver that is down for long is asked a few times more.
const LONGEST_PAUSE: Duration = Duration::from_secs(4 * 3_600);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use hoplock_policy::name::DomainName;
    use hoplock_policy::tlsrpt::ReportTarget;

    use super::*;

    const DELAY: Duration = Duration::from_secs(4 * 3_600);

    fn key(domain: &str) -> ReportKey {
        ReportKey {
            day: Day::numbered(20_784),
            domain: DomainName::parse(domain).unwrap(),
        }
    }

    /// RP-10: none before midnight, all within the time, spread over it, the same on every host.
    #[test]
    fn reports_are_spread() {
        let midnight = key("a.test").day.is_over_at();
        let hours: Vec<u64> = (0..4_000)
            .map(|number| {
                let key = key(&format!("d{number}.test"));
                let at = leaves(&key, "one", DELAY);
                assert_eq!(at, leaves(&key, "one", DELAY));
                assert!(at > midnight && at <= later(ready(key.day), DELAY));
                (at.0 - midnight.0) / 3_600_000
            })
            .collect();
        for hour in 0..4 {
            let share = hours.iter().filter(|own| **own == hour).count();
            assert!((800..1_200).contains(&share), "{hour}: {share}");
        }
        assert_ne!(
            leaves(&key("a.test"), "one", DELAY),
            leaves(&key("a.test"), "two", DELAY)
        );
    }

    /// RP-15: longer and longer pauses, all of the 24 hours, and then no more.
    #[test]
    fn a_day_of_attempts() {
        let begin = Timestamp(1_000_000);
        let mut delivery = Delivery {
            target: ReportTarget::parse("https://a.test/").unwrap(),
            redirected_from: None,
            state: DeliveryState::Waiting { next: begin },
            attempts: 0,
            first: None,
            last: String::new(),
        };
        let mut minutes = Vec::new();
        while let DeliveryState::Waiting { next } = delivery.state {
            minutes.push((next.0 - begin.0) / 60_000);
            assert!(minutes.len() < 100, "it goes on for ever");
            delivery.attempts += 1;
            delivery.first.get_or_insert(next);
            delivery.state = after_failure(&delivery, next);
        }
        let expected = [0, 5, 15, 35, 75, 155, 315, 555, 795, 1_035, 1_275, 1_440];
        assert_eq!(minutes, expected);
        let day = later(begin, Duration::from_secs(86_400));
        assert_eq!(delivery.state, DeliveryState::GivenUp { at: day });
    }
}
