//! The operator's rules in the course of time: a session is judged by those under which it was made, and not
//! by what was ordered or taken back since (PD-01, SV-04).
//!
//! What changes while the process lives is kept for a while. For what was before it count the rules that it
//! began with, since nobody knows when they came into the configuration. Only of those that were added at run
//! time is it known when that was; what they stood in the place of is not.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use hoplock_policy::moment::{Moment, Timestamp};
use hoplock_policy::next_hop::NextHop;
use hoplock_policy::rules::{Rule, Rules};

use super::{Answerer, Settings};

/// Rules that others have followed.
pub(super) struct EarlierRules(Mutex<Kept>);

struct Kept {
    /// When the first of them came into force, on the clock that never jumps.
    begun: Duration,
    /// Until when each of them counted; the oldest first.
    followed: VecDeque<(Duration, Rules)>,
    /// What was before this is not known any more.
    forgotten: Duration,
}

/// A time, and what the operator had ordered then.
pub(super) struct Then {
    /// When.
    pub(super) at: Moment,
    /// The settings of now with the rules of then.
    pub(super) settings: Arc<Settings>,
    /// Another rule was for the destination than is now, or one where now is none, or none.
    pub(super) is_other: bool,
}

impl EarlierRules {
    /// None so far.
    pub(super) fn none(now: Duration) -> Self {
        Self(Mutex::new(Kept {
            begun: now,
            followed: VecDeque::new(),
            forgotten: Duration::ZERO,
        }))
    }

    /// Puts `new` settings in place of the `current` ones.
    pub(super) fn follow(&self, now: Duration, current: &ArcSwap<Settings>, new: Settings) {
        let mut kept = self.kept();
        let new = Arc::new(new);
        let old = current.swap(Arc::clone(&new));
        if old.rules == new.rules {
            return;
        }
        kept.followed.push_back((now, old.rules.clone()));
        if kept.followed.len() > MOST
            && let Some((until, _)) = kept.followed.pop_front()
        {
            kept.forgotten = until;
        }
    }

    /// Puts in force what the process begins with: as far as anybody knows it was in force before.
    pub(super) fn begin(&self, now: Duration, current: &ArcSwap<Settings>, first: Settings) {
        let mut kept = self.kept();
        current.store(Arc::new(first));
        *kept = Kept {
            begun: now,
            followed: VecDeque::new(),
            forgotten: Duration::ZERO,
        };
    }

    /// The settings with the rules of that time; `None` where those are not known any more.
    fn at(&self, at: Moment, current: &ArcSwap<Settings>) -> Option<Arc<Settings>> {
        let kept = self.kept();
        let current = current.load_full();
        if at.uptime < kept.forgotten {
            return None;
        }
        let mut followed = kept.followed.iter();
        let Some((_, rules)) = followed.find(|(until, _)| at.uptime < *until) else {
            return Some(current);
        };
        Some(Arc::new(Settings {
            rules: rules.clone(),
            ..Settings::clone(&current)
        }))
    }

    fn begun(&self) -> Duration {
        self.kept().begun
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answerer {
    /// What the operator had ordered at `time`; `None` where that is not known any more.
    pub(super) fn then(&self, next_hop: &NextHop, time: Timestamp) -> Option<Then> {
        // How long ago, and so when on the clock that never jumps: the other may have been stepped since.
        let now = self.world.clock.now();
        let ago = Duration::from_millis(now.wall.0.saturating_sub(time.0));
        let at = Moment {
            wall: time,
            uptime: now.uptime.saturating_sub(ago),
        };
        let settings = self.earlier_rules.at(at, &self.settings)?;
        let rule = rule_for(next_hop, &settings, time);
        // ST-28: one that was added at a time yet to come was added by another clock.
        let came_later = rule
            .and_then(|rule| rule.since)
            .is_some_and(|since| time < since && since <= now.wall);
        if came_later && at.uptime < self.earlier_rules.begun() {
            return None;
        }
        let is_other = rule != rule_for(next_hop, &self.settings(), now.wall);
        Some(Then {
            at,
            settings,
            is_other,
        })
    }
}

fn rule_for<'a>(next_hop: &NextHop, settings: &'a Settings, when: Timestamp) -> Option<&'a Rule> {
    let name = next_hop.name()?;
    settings.rules.for_name(name, when)
}

/// Changes of rules that are kept: an operator makes a few in a day, and sessions are reported within one.
const MOST: usize = 64;
