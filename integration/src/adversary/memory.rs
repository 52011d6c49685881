//! What the service remembers of MTA-STS at a time, by its journal.

use hoplock_model::Policy;
use hoplock_model::sts::parse_policy;

use super::history::History;
use super::plan::Millis;

/// An unexpired policy.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Memory {
    pub(super) policy: Policy,
    pub(super) id: String,
}

/// Everything that was remembered of a domain within a span; none where nothing was.
pub(super) fn memories(
    history: &History,
    domain: &str,
    from: Millis,
    to: Millis,
) -> Vec<Option<Memory>> {
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
        let memory = memory(history, domain, at);
        if !memories.contains(&memory) {
            memories.push(memory);
        }
    }
    memories
}

/// What was remembered at a time.
fn memory(history: &History, domain: &str, at: Millis) -> Option<Memory> {
    let mut known: Option<(Memory, Millis)> = None;
    for change in &history.memory {
        if change.domain != domain || change.at > at {
            continue;
        }
        let Some((text, id, fetched)) = &change.policy else {
            known = None;
            continue;
        };
        // One whose fetch began earlier replaces none that is newer.
        if known.as_ref().is_some_and(|(_, newer)| newer > fetched) {
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
