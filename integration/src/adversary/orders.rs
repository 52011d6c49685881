//! The operator's rules in the course of a run: those of the configuration, and those that are given and
//! taken back while it runs, which stand in front of them.

use hoplock_model::{Entry, Fallback, Level, Order, Pattern};
use hoplock_policy::moment::Timestamp;
use hoplock_policy::name::DomainName;
use hoplock_policy::rules::{self, Mode, PinnedLevel, Rule, RulePattern, Rules};

use super::judge::Case;
use super::life::wall;
use super::plan::{Event, Millis, Plan};

/// The rules that were given until then, those of the configuration first: of two for the same
/// destinations the later counts, as long as it lives.
pub(super) fn given(plan: &Plan, at: Millis) -> Vec<Entry> {
    let mut entries = plan.rules.clone();
    entries.extend(at_run_time(plan, at).into_iter().map(|(_, entry)| entry));
    entries
}

/// Those that were given at run time, each with when that was.
fn at_run_time(plan: &Plan, at: Millis) -> Vec<(Millis, Entry)> {
    let mut entries: Vec<(Millis, Entry)> = Vec::new();
    for (when, event) in plan.events.iter().filter(|(when, _)| *when <= at) {
        let (pattern, entry) = match event {
            Event::Rule(entry) => (&entry.pattern, Some(entry)),
            Event::Lift(pattern) => (pattern, None),
            _ => continue,
        };
        entries.retain(|(_, own)| own.pattern != *pattern);
        entries.extend(entry.map(|entry| (*when, Entry::clone(entry))));
    }
    entries
}

/// The same as the service has them.
pub(super) fn rules(plan: &Plan, at: Millis) -> Rules {
    let configured = plan.rules.iter().filter_map(rule).collect();
    let since = |(when, entry): &(Millis, Entry)| {
        Some(Rule {
            since: Some(Timestamp(wall(*when, plan.stepped(*when)))),
            ..rule(entry)?
        })
    };
    let later = at_run_time(plan, at).iter().filter_map(since).collect();
    Rules::new(configured).overlaid(later)
}

impl Case<'_> {
    /// What the operator may have ordered, each with the second of the wall clock.
    ///
    /// PD-01, SV-04: a session is under what was ordered when it happened, and under nothing that was given
    /// or taken back since; as far as its process knows that, and its clock tells the time of it.
    pub(super) fn orders(&self) -> Vec<(Vec<Entry>, u64)> {
        let (asked, answered) = (self.asked.asked, self.asked.answered);
        let since = |at: &Millis| asked < *at && *at <= answered;
        let is_new = self.history.begun.iter().any(since);
        // One that stands before 1970 stands still.
        let told = |at: Millis| wall(at, self.plan.stepped(at));
        let is_stepped = told(asked) + (answered - asked) != told(answered);
        let until = if self.is_of_session() && !is_new && !is_stepped {
            asked
        } else {
            answered
        };
        within(self.plan, asked, until)
    }
}

/// Everything that was ordered within a span, each with the second of the wall clock that it was.
pub(super) fn within(plan: &Plan, from: Millis, to: Millis) -> Vec<(Vec<Entry>, u64)> {
    let mut times = vec![from, to];
    times.extend(plan.events.iter().filter_map(|(at, event)| {
        let matters = matches!(
            event,
            Event::Rule(_) | Event::Lift(_) | Event::Wall(_) | Event::Restart(..)
        );
        (matters && *at > from && *at <= to).then_some(*at)
    }));
    let now = |at: Millis| wall(at, plan.stepped(at));
    let begin = now(from);
    // Where the clock is not stepped, a rule ends so long after the beginning.
    let ends = given(plan, to).into_iter().filter_map(|entry| {
        let after = entry.expires?.saturating_mul(1000).checked_sub(begin)?;
        Some(from.saturating_add(after)).filter(|at| *at <= to)
    });
    times.extend(ends);
    times.sort_unstable();
    let mut orders = Vec::new();
    for at in times {
        let order = (given(plan, at), now(at) / 1000);
        if !orders.contains(&order) {
            orders.push(order);
        }
    }
    orders
}

/// Whether anything that the operator has ordered changed within a span.
pub(super) fn change(plan: &Plan, from: Millis, to: Millis) -> bool {
    let first = given(plan, from);
    let now = |at: Millis| wall(at, plan.stepped(at)) / 1000;
    let (begin, end) = (now(from), now(to));
    let ends = |entry: &Entry| {
        entry
            .expires
            .is_some_and(|expires| begin < expires && expires <= end)
    };
    first.iter().any(ends)
        || plan.events.iter().any(|(at, event)| {
            matches!(event, Event::Rule(_) | Event::Lift(_)) && *at > from && *at <= to
        })
}

/// The rules at a time as the configuration spells them.
pub(super) fn written(plan: &Plan, at: Millis) -> String {
    let mut text = String::new();
    for rule in rules(plan, at).iter() {
        text.push_str(&format!("[rules.\"{}\"]\n", rule.pattern));
        let mode = format!("{:?}", rule.mode).to_lowercase();
        let fallback = format!("{:?}", rule.fallback).to_lowercase();
        text.push_str(&format!("mode = \"{mode}\"\nfallback = \"{fallback}\"\n"));
        if let Some(answer) = rule.answer {
            let answer = match answer {
                PinnedLevel::DaneOnly => "dane-only".to_owned(),
                other => format!("{other:?}").to_lowercase(),
            };
            text.push_str(&format!("answer = \"{answer}\"\n"));
        }
        let names: Vec<&str> = rule.names.iter().map(DomainName::as_str).collect();
        let pins = &rule.fingerprints;
        text.push_str(&format!("names = {names:?}\nfingerprints = {pins:?}\n"));
        let on_insecure = rule.fallback_on_insecure;
        text.push_str(&format!("fallback_on_insecure = {on_insecure}\n"));
        if let Some(end) = rule.expires {
            text.push_str(&format!(
                "# ends {} ms after the beginning\n",
                end.0.cast_signed() - wall(0, 0).cast_signed()
            ));
        }
    }
    text
}

fn rule(entry: &Entry) -> Option<Rule> {
    let name = |text: &String| DomainName::parse(text).ok();
    let pattern = match &entry.pattern {
        Pattern::Exact(own) => RulePattern::Exact(name(own)?),
        Pattern::Below(own) => RulePattern::Suffix(name(own)?),
        Pattern::All => RulePattern::Any,
    };
    let mode = match &entry.order {
        Order::Off => Mode::Off,
        Order::Audit => Mode::Audit,
        Order::Opportunistic | Order::Pinned { .. } => Mode::Opportunistic,
        Order::Mandatory { .. } => Mode::Mandatory,
    };
    let mut rule = Rule::new(pattern, mode);
    rule.expires = entry
        .expires
        .map(|second| Timestamp(second.saturating_mul(1000)));
    match &entry.order {
        Order::Off | Order::Audit | Order::Opportunistic => {}
        Order::Mandatory {
            fallback,
            on_insecure,
        } => {
            rule.fallback_on_insecure = *on_insecure;
            rule.fallback = match fallback {
                Fallback::Defer => rules::Fallback::Defer,
                Fallback::Encrypt => rules::Fallback::Encrypt,
                Fallback::Fingerprint(pins) => {
                    rule.fingerprints.clone_from(pins);
                    rules::Fallback::Fingerprint
                }
                Fallback::Secure(names) => {
                    rule.names = names.iter().filter_map(name).collect();
                    rules::Fallback::Secure
                }
            };
        }
        Order::Pinned { level, matches, .. } => {
            rule.answer = Some(match level {
                Level::May => PinnedLevel::May,
                Level::Encrypt => PinnedLevel::Encrypt,
                Level::Dane => PinnedLevel::Dane,
                Level::DaneOnly => PinnedLevel::DaneOnly,
                Level::Fingerprint => PinnedLevel::Fingerprint,
                Level::Verify => PinnedLevel::Verify,
                Level::Secure => PinnedLevel::Secure,
            });
            if *level == Level::Fingerprint {
                rule.fingerprints.clone_from(matches);
            } else {
                rule.names = matches.iter().filter_map(name).collect();
            }
        }
    }
    Some(rule)
}
