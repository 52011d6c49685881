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
    /// When the first of them came into force.
    begun: Moment,
    /// Until when each of them counted; the oldest first.
    followed: VecDeque<(Moment, Rules)>,
    /// What was before this is not known any more.
    forgotten: Option<Moment>,
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
    pub(super) fn none(now: Moment) -> Self {
        Self(Mutex::new(Kept {
            begun: now,
            followed: VecDeque::new(),
            forgotten: None,
        }))
    }

    /// Puts `new` settings in place of the `current` ones.
    pub(super) fn follow(&self, now: Moment, current: &ArcSwap<Settings>, new: Settings) {
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
            kept.forgotten = Some(until);
        }
    }

    /// Puts in force what the process begins with: as far as anybody knows it was in force before.
    pub(super) fn begin(&self, now: Moment, current: &ArcSwap<Settings>, first: Settings) {
        let mut kept = self.kept();
        current.store(Arc::new(first));
        *kept = Kept {
            begun: now,
            followed: VecDeque::new(),
            forgotten: None,
        };
    }

    /// The rules of that time, in place of the `current` ones where those came later; `None` where they are not
    /// known any more, or another rule is for the destination by the one clock than by the other.
    fn at(
        &self,
        at: Moment,
        is_fresh: bool,
        current: &Settings,
        next_hop: &NextHop,
    ) -> Option<Option<Rules>> {
        let kept = self.kept();
        let was_before = |own: &Moment| at.uptime < own.uptime || at.wall < own.wall && !is_fresh;
        if kept.forgotten.as_ref().is_some_and(was_before) {
            return None;
        }
        let find = |is_before: &dyn Fn(Moment) -> bool| {
            let mut followed = kept.followed.iter();
            followed
                .find(|(until, _)| is_before(*until))
                .map(|own| &own.1)
        };
        let by_uptime = find(&|until| at.uptime < until.uptime);
        let by_wall = find(&|until| at.wall < until.wall);
        let rule = |rules: Option<&Rules>| {
            rule_for(next_hop, rules.unwrap_or(&current.rules), at.wall).cloned()
        };
        (is_fresh || rule(by_uptime) == rule(by_wall)).then(|| by_uptime.cloned())
    }

    fn begun(&self) -> Moment {
        self.kept().begun
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answerer {
    /// What the operator had ordered at `time`; `None` where that is not known any more, or where the clock was
    /// set since, so that nobody knows when that was.
    pub(super) fn then(&self, next_hop: &NextHop, time: Timestamp) -> Option<Then> {
        // How long ago, and so when on the clock that never jumps: the other may have been stepped since.
        let now = self.world.clock.now();
        let ago = Duration::from_millis(now.wall.0.saturating_sub(time.0));
        let at = Moment {
            wall: time,
            uptime: now.uptime.saturating_sub(ago),
        };
        // Otherwise nothing would be known for as long as the clock was set back.
        let is_fresh = time <= now.wall && ago < FRESH;
        let current = self.settings();
        let rules = self.earlier_rules.at(at, is_fresh, &current, next_hop)?;
        let settings = match rules {
            Some(rules) => Arc::new(Settings {
                rules,
                ..Settings::clone(&current)
            }),
            None => Arc::clone(&current),
        };
        let rule = rule_for(next_hop, &settings.rules, time);
        // ST-28: one that was added at a time yet to come was added by another clock.
        let came_later = rule
            .and_then(|rule| rule.since)
            .is_some_and(|since| time < since && since <= now.wall);
        if came_later && at.uptime < self.earlier_rules.begun().uptime {
            return None;
        }
        let is_other = rule != rule_for(next_hop, &current.rules, now.wall);
        Some(Then {
            at,
            settings,
            is_other,
        })
    }
}

fn rule_for<'a>(next_hop: &NextHop, rules: &'a Rules, when: Timestamp) -> Option<&'a Rule> {
    rules.for_name(next_hop.name()?, when)
}

/// Of what has just been the clock that never jumps tells when it was.
const FRESH: Duration = Duration::from_secs(60);
/// Changes of rules that are kept: an operator makes a few in a day, and sessions are reported within one.
const MOST: usize = 64;
