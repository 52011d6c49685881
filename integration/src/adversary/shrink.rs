//! A plan that shows a fault, cut down until nothing more can be taken away.

use std::sync::Arc;

use super::plan::{Event, Plan};
use super::run;
use super::site::{Mx, Site};
use super::violation::Violation;

/// The smallest plan found that still shows a breach that `is_it`, and how.
#[must_use]
pub fn shrink(plan: &Plan, is_it: &dyn Fn(&Violation) -> bool) -> (Plan, Violation) {
    let mut smallest = plan.clone();
    let mut shown = shows(plan, is_it);
    loop {
        let before = size(&smallest);
        for candidate in candidates(&smallest) {
            if size(&candidate) >= size(&smallest) {
                continue;
            }
            if let Some(violation) = shows(&candidate, is_it) {
                smallest = candidate;
                shown = Some(violation);
            }
        }
        if size(&smallest) == before {
            let violation = shown.unwrap();
            return (smallest, violation);
        }
    }
}

fn shows(plan: &Plan, is_it: &dyn Fn(&Violation) -> bool) -> Option<Violation> {
    run(&Arc::new(plan.clone())).into_iter().find(is_it)
}

fn size(plan: &Plan) -> usize {
    let asked = |(_, event): &(u64, Event)| match event {
        Event::Ask(_, times) => *times,
        Event::Session(contact) => 1 + contact.size(),
        _ => 1,
    };
    let hosts = plan
        .sites
        .iter()
        .flatten()
        .map(|(_, site)| site.hosts.len() + 1);
    plan.attacks.len() * 2
        + plan.rules.len() * 2
        + usize::from(plan.first_contact_defers)
        + plan.events.iter().map(asked).sum::<usize>() * 2
        + plan.servers.len()
        + usize::from(plan.file)
        + usize::from(plan.blind_from.is_some())
        + hosts.sum::<usize>()
}

/// Everything that could be left out, a half at a time first.
#[allow(clippy::too_many_lines, reason = "a list")]
fn candidates(plan: &Plan) -> Vec<Plan> {
    let mut candidates = Vec::new();
    for part in [2, 4, 8] {
        let length = plan.events.len().div_ceil(part).max(1);
        for start in (0..plan.events.len()).step_by(length) {
            let mut less = plan.clone();
            let end = (start + length).min(less.events.len());
            less.events.drain(start..end);
            candidates.push(less);
        }
    }
    for at in 0..plan.events.len() {
        let mut less = plan.clone();
        less.events.remove(at);
        candidates.push(less);
        let mut once = plan.clone();
        if let Some((_, Event::Ask(_, times))) = once.events.get_mut(at) {
            *times = 1;
            candidates.push(once);
        }
        if let Some((_, Event::Session(contact))) = plan.events.get(at) {
            for simpler in contact.simpler() {
                let mut less = plan.clone();
                less.events[at].1 = Event::Session(Box::new(simpler));
                candidates.push(less);
            }
        }
    }
    for at in 0..plan.attacks.len() {
        let mut less = plan.clone();
        less.attacks.remove(at);
        candidates.push(less);
    }
    let asked = |number: usize| {
        plan.events.iter().any(|(_, event)| match event {
            Event::Ask(key, _) => key.site() == number,
            Event::Session(contact) => contact.names(number),
            _ => false,
        })
    };
    for (number, versions) in plan.sites.iter().enumerate() {
        if !asked(number)
            && let Some((_, site)) = versions.first()
        {
            let mut less = plan.clone();
            let bare = Site {
                mx: Mx::Null,
                hosts: Vec::new(),
                sts: None,
                ..site.clone()
            };
            if let Some(versions) = less.sites.get_mut(number) {
                *versions = vec![(0, bare)];
            }
            candidates.push(less);
        }
        for at in (0..versions.len()).rev() {
            let mut less = plan.clone();
            if let Some(versions) = less.sites.get_mut(number)
                && versions.len() > 1
            {
                versions.remove(at);
                candidates.push(less);
            }
        }
        let hosts = versions.first().map_or(0, |(_, site)| site.hosts.len());
        for host in 1..hosts {
            let mut less = plan.clone();
            for (_, site) in less.sites.get_mut(number).into_iter().flatten() {
                if host < site.hosts.len() {
                    site.hosts.remove(host);
                }
            }
            candidates.push(less);
        }
    }
    for at in 0..plan.rules.len() {
        let mut less = plan.clone();
        less.rules.remove(at);
        candidates.push(less);
    }
    let mut plainer = plan.clone();
    plainer.first_contact_defers = false;
    candidates.push(plainer);
    let mut plainer = plan.clone();
    plainer.blind_from = None;
    candidates.push(plainer);
    let deaths = |event: &Event| matches!(event, Event::Crash(_) | Event::Restart(..));
    if !plan.events.iter().any(|(_, event)| deaths(event)) {
        let mut plainer = plan.clone();
        plainer.file = false;
        candidates.push(plainer);
    }
    candidates
}
