//! What the service must remember of MTA-STS at a time, by its journal: what it made durable, and
//! what the policy host had really served. That it forgot something is no excuse.

use hoplock_model::Policy;
use hoplock_model::sts::parse_policy;

use super::history::History;
use super::plan::{Millis, Plan};
use super::site::StsHost;

/// An unexpired policy.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Memory {
    pub(super) policy: Policy,
    pub(super) id: String,
}

/// Everything that was remembered of a domain within a span; none where nothing was.
pub(super) fn memories(
    plan: &Plan,
    history: &History,
    number: usize,
    from: Millis,
    to: Millis,
) -> Vec<Option<Memory>> {
    let domain = format!("d{number}.test");
    let changes = history
        .memory
        .iter()
        .filter(|change| change.domain == domain);
    let mut times: Vec<Millis> = changes
        .map(|change| change.at)
        .filter(|at| *at > from && *at <= to)
        .collect();
    times.extend([from, to]);
    times.sort_unstable();
    let mut memories = Vec::new();
    for at in times {
        let memory = memory(plan, history, number, at);
        if !memories.contains(&memory) {
            memories.push(memory);
        }
    }
    memories
}

/// What was remembered at a time.
fn memory(plan: &Plan, history: &History, number: usize, at: Millis) -> Option<Memory> {
    let domain = format!("d{number}.test");
    let mut known: Option<(Memory, Millis)> = None;
    for change in &history.memory {
        if change.domain != domain || change.at > at {
            continue;
        }
        let Some((text, id, fetched)) = &change.policy else {
            continue;
        };
        // One whose fetch began earlier replaces none that is newer.
        let is_older = known.as_ref().is_some_and(|(_, newer)| newer > fetched);
        if is_older || !was_served(plan, number, text) {
            continue;
        }
        let policy = parse_policy(text.as_bytes())?;
        let id = id.clone();
        known = Some((Memory { policy, id }, *fetched));
    }
    let (memory, fetched) = known?;
    let end = fetched.saturating_add(memory.policy.max_age.saturating_mul(1000));
    (at < end).then_some(memory)
}

fn was_served(plan: &Plan, number: usize, text: &str) -> bool {
    let mut versions = plan.sites.get(number).into_iter().flatten();
    versions.any(|(_, site)| {
        let sts = site.sts.as_ref();
        sts.is_some_and(|sts| sts.host == StsHost::Serves && sts.text() == text)
    })
}
